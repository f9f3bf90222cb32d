/* SPDX-License-Identifier: Apache-2.0
 *
 * Activities that wait for what was posted to the holder of the keys: many answers are fetched by one
 * question. They are kept one behind the other, in the order in which they were posted, and all go at once.
 */
#include "capture/engine_internal.h"
#include "capture/unseal.h"

#include <stdlib.h>
#include <string.h>

#define POSTED_MAX   64u
#define POSTED_BYTES ((size_t)192 * 1024)
#define POSTED_AGE   (INT64_C(50) * 1000000) /* by the engine's clock */

struct posted_activity {
    uint64_t number;
    dissect_finish finish;
    int64_t time;
    uint32_t at, size; /* of its record in `bytes` */
};

struct posted {
    struct posted_activity list[POSTED_MAX];
    uint32_t count;
    uint32_t used;
    int64_t since;
    uint8_t bytes[POSTED_BYTES];
};

struct posted *posted_new(void)
{
    return calloc(1, sizeof(struct posted));
}

void posted_destroy(struct posted **posted_p)
{
    free(*posted_p);
    *posted_p = NULL;
}

static void finish_one(struct engine *engine, const struct posted_activity *p, struct bytes answer)
{
    struct activity_writer *w = &engine->spare;
    struct dissect d = {.engine = engine, .time = p->time, .scratch = engine->scratch, .activity = w};
    if (activity_restore(w, engine->posted->bytes + p->at, p->size) && p->finish(&d, answer))
        engine_hand_over(engine, w, p->time);
}

void posted_collect(struct engine *engine)
{
    struct posted *posted = engine->posted;
    if (!posted || !posted->count)
        return;
    struct unseal_collected collected;
    uint64_t number = 0;
    struct bytes answer;
    unseal_collect(engine->options.unsealer, &collected);
    bool there = unseal_collected_next(&collected, &number, &answer);
    for (uint32_t i = 0; i < posted->count; i++) {
        const struct posted_activity *p = &posted->list[i];
        /* Those that nobody waits for any more: of a holder that was too late before. */
        while (there && number < p->number)
            there = unseal_collected_next(&collected, &number, &answer);
        finish_one(engine, p, there && number == p->number ? answer : (struct bytes){0});
    }
    posted->count = posted->used = 0;
}

void posted_tick(struct engine *engine)
{
    if (engine->posted && engine->posted->count && engine->now - engine->posted->since > POSTED_AGE)
        posted_collect(engine);
}

void dissect_emit_later(struct dissect *d, uint64_t number, dissect_finish finish)
{
    struct engine *engine = d->engine;
    struct posted *posted = engine->posted;
    if (!engine_end_building(d))
        return;
    struct activity_writer *w = d->activity;
    size_t size = activity_saved_size(w);
    if (posted->count == POSTED_MAX || size > POSTED_BYTES - posted->used)
        posted_collect(engine);
    if (!posted->count)
        posted->since = engine->now;
    struct posted_activity *p = &posted->list[posted->count++];
    *p = (struct posted_activity){
        .number = number, .finish = finish, .time = d->time, .at = posted->used, .size = (uint32_t)size};
    activity_save(w, posted->bytes + posted->used);
    posted->used += (uint32_t)((size + 7) & ~(size_t)7);
    posted_tick(engine);
}
