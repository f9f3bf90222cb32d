/* SPDX-License-Identifier: Apache-2.0
 *
 * Activities that wait for what was posted to the holder of the keys, and those that came after them: many
 * answers are fetched by one question, and all go out in the order in which they came. Who looks for a ticket
 * that was never issued must see the issue before the use.
 */
#include "capture/engine_internal.h"
#include "capture/unseal.h"

#include <stdlib.h>
#include <string.h>

#define POSTED_MAX   64u  /* questions */
#define WAITING_MAX  512u /* activities in all */
#define POSTED_BYTES ((size_t)512 * 1024)
#define POSTED_AGE   (INT64_C(50) * 1000000) /* by the engine's clock */

_Static_assert(sizeof(struct activity_writer) <= POSTED_BYTES, "any activity has a place");

struct waiting_activity {
    uint64_t number;       /* of what was posted */
    dissect_finish finish; /* NULL: it is complete, and waits for those before it */
    int64_t time;
    uint32_t at, size; /* in `bytes`: as activity_save left it, or its record */
    uint8_t kind;
};

struct posted {
    struct waiting_activity list[WAITING_MAX];
    uint32_t count;
    uint32_t questions; /* of them */
    uint32_t used;
    int64_t since;
    bool giving_out;
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

static void finish_one(struct engine *engine, const struct waiting_activity *p, struct bytes answer)
{
    struct activity_writer *w = &engine->spare;
    struct dissect d = {.engine = engine, .time = p->time, .scratch = engine->scratch, .activity = w};
    if (activity_restore(w, engine->posted->bytes + p->at, p->size) && p->finish(&d, answer))
        engine_hand_over(engine, w, p->time);
}

static void give_out(struct engine *engine, struct unseal_collected *collected)
{
    struct posted *posted = engine->posted;
    uint64_t number = 0;
    struct bytes answer;
    bool there = unseal_collected_next(collected, &number, &answer);
    for (uint32_t i = 0; i < posted->count; i++) {
        const struct waiting_activity *p = &posted->list[i];
        if (!p->finish) {
            engine_give_out(engine, (enum activity_kind)p->kind, p->time,
                            (struct bytes){posted->bytes + p->at, p->size});
            continue;
        }
        /* Those that nobody waits for any more: of a holder that was too late before. */
        while (there && number < p->number)
            there = unseal_collected_next(collected, &number, &answer);
        finish_one(engine, p, there && number == p->number ? answer : (struct bytes){0});
    }
}

void posted_collect(struct engine *engine)
{
    struct posted *posted = engine->posted;
    if (!posted || !posted->count || posted->giving_out)
        return;
    struct unseal_collected collected;
    unseal_collect(engine->options.unsealer, &collected);
    posted->giving_out = true;
    give_out(engine, &collected);
    posted->giving_out = false;
    posted->count = posted->questions = posted->used = 0;
}

void posted_tick(struct engine *engine)
{
    if (engine->posted && engine->posted->count && engine->now - engine->posted->since > POSTED_AGE)
        posted_collect(engine);
}

/* A place for so many bytes behind the others; NULL when they are more than all that there may be. */
static struct waiting_activity *add(struct engine *engine, size_t size)
{
    struct posted *posted = engine->posted;
    if (posted->count == WAITING_MAX || posted->questions == POSTED_MAX || size > POSTED_BYTES - posted->used)
        posted_collect(engine);
    if (size > POSTED_BYTES - posted->used)
        return NULL;
    if (!posted->count)
        posted->since = engine->now;
    struct waiting_activity *p = &posted->list[posted->count++];
    *p = (struct waiting_activity){.at = posted->used, .size = (uint32_t)size};
    posted->used += (uint32_t)((size + 7) & ~(size_t)7);
    return p;
}

bool posted_wait(struct engine *engine, enum activity_kind kind, int64_t time, struct bytes record)
{
    struct posted *posted = engine->posted;
    if (!posted || !posted->count || posted->giving_out)
        return false;
    struct waiting_activity *p = add(engine, record.size);
    if (!p)
        return false;
    p->kind = (uint8_t)kind;
    p->time = time;
    memcpy(posted->bytes + p->at, record.data, record.size);
    return true;
}

void dissect_emit_later(struct dissect *d, uint64_t number, dissect_finish finish)
{
    struct engine *engine = d->engine;
    if (!engine_end_building(d))
        return;
    struct activity_writer *w = d->activity;
    struct waiting_activity *p = add(engine, activity_saved_size(w));
    p->number = number;
    p->finish = finish;
    p->time = d->time;
    engine->posted->questions++;
    activity_save(w, engine->posted->bytes + p->at);
    posted_tick(engine);
}
