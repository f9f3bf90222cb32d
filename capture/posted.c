/* SPDX-License-Identifier: Apache-2.0
 *
 * What waits for answers of the holder of the keys: activities, messages that cannot be gone on with, and the
 * activities that came after them. Many answers are fetched by one question, and all goes out in the order in
 * which it came. Who looks for a ticket that was never issued must see the issue before the use.
 */
#include "capture/engine_internal.h"
#include "capture/unseal.h"

#include <stdlib.h>
#include <string.h>

#define POSTED_MAX   256u  /* questions */
#define WAITING_MAX  1024u /* of all */
#define POSTED_BYTES ((size_t)1024 * 1024)
#define POSTED_AGE   (INT64_C(100) * 1000000) /* by the engine's clock */
#define CLIENTS      2048u                    /* a power of two */

/* All answers come in one of UNSEAL_REQUEST_MAX bytes. */
#define EXPECTED_MOST  ((size_t)208 * 1024) /* more is fetched at once, */
#define EXPECTED_LARGE ((size_t)64 * 1024)  /* and what is so large by itself */

_Static_assert(sizeof(struct activity_writer) <= POSTED_BYTES, "any activity has a place");

struct waiting {
    uint64_t number;       /* of what was posted; 0: it only waits for those before it */
    dissect_finish finish; /* of an activity; NULL: its record is complete */
    dissect_go_on go_on;   /* of a message; NULL: an activity, or the end of a flow */
    int64_t time;
    struct flow *flow; /* of a message or an end */
    const struct protocol *protocol;
    void *state;
    uint64_t about[2];
    uint32_t at, size; /* in `bytes`: as activity_save left it, or its record */
    uint8_t kind;
    uint8_t direction;
};

struct answered {
    uint64_t number;
    struct bytes answer;
};

struct posted {
    struct waiting list[WAITING_MAX];
    uint32_t count;
    uint32_t questions; /* of them */
    uint32_t used;
    uint64_t newest; /* the last number that was waited for */
    size_t expected; /* bytes of answers */
    int64_t since;
    bool giving_out;
    struct answered answers[POSTED_MAX];
    uint32_t answer_count;
    uint64_t clients_given;
    struct dissect_client clients[CLIENTS];
    struct activity_writer writer; /* others may be building one */
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

/* --- whom tickets name --- */

struct dissect_client *dissect_client_new(struct dissect *d, uint64_t number, void *asker)
{
    struct posted *posted = d->engine->posted;
    if (!posted)
        return NULL;
    uint64_t id = ++posted->clients_given;
    struct dissect_client *client = &posted->clients[id % CLIENTS];
    *client = (struct dissect_client){.id = id, .number = number, .asker = asker};
    return client;
}

static struct dissect_client *find_client(const struct engine *engine, uint64_t id)
{
    struct dissect_client *client = engine->posted ? &engine->posted->clients[id % CLIENTS] : NULL;
    return client && id && client->id == id ? client : NULL;
}

struct dissect_client *dissect_client(const struct dissect *d, uint64_t id)
{
    return find_client(d->engine, id);
}

/* True when there is nothing (more) to wait for. */
static bool put_client(const struct engine *engine, struct activity_writer *w)
{
    const struct dissect_client *client = find_client(engine, w->client);
    if (client && !client->known)
        return false;
    w->client = 0;
    if (client && client->account[0])
        activity_put_text(w, FIELD_ACCOUNT, client->account);
    if (client && client->domain[0])
        activity_put_text(w, FIELD_ACCOUNT_DOMAIN, client->domain);
    return true;
}

void dissect_put_client(const struct dissect *d, struct activity_writer *w, uint64_t id)
{
    w->client = id;
    put_client(d->engine, w);
}

/* --- what waits goes on --- */

static struct bytes answer_to(const struct posted *posted, uint64_t number)
{
    uint32_t low = 0, high = posted->answer_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (posted->answers[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    bool there = low < posted->answer_count && posted->answers[low].number == number;
    return there ? posted->answers[low].answer : (struct bytes){0};
}

static void finish_activity(struct engine *engine, const struct waiting *p, struct bytes answer)
{
    struct activity_writer *w = &engine->posted->writer;
    struct dissect d = {.engine = engine, .time = p->time, .scratch = engine->scratch, .activity = w};
    if (activity_restore(w, engine->posted->bytes + p->at, p->size) && (!p->finish || p->finish(&d, answer)))
        engine_hand_over(engine, w, p->time);
}

/* As if the message came now, or the flow ended now. Others may be under way: what they build, and have in
 * their scratch memory, stays as it is. */
static void resume_flow(struct engine *engine, const struct waiting *p, struct bytes answer)
{
    struct dissect before = engine->dissect;
    bool building = engine->building;
    int64_t revisited = engine->revisited;
    size_t used = arena_used(engine->scratch);
    if (p->go_on) {
        struct dissect d = *engine_context(engine, p->flow, (enum direction)p->direction, p->time);
        d.protocol = p->protocol; /* as it was: the stream may speak another since */
        d.state = p->state;
        d.activity = &engine->posted->writer;
        p->go_on(&d, p->about, answer);
    } else if (!posted_end(engine, p->flow) && !(p->flow->flags & FLOW_POSTED)) {
        flow_end(engine, p->flow, p->time);
    }
    arena_return(engine->scratch, used);
    engine->dissect = before;
    engine->building = building;
    engine->revisited = revisited;
}

static void give_out(struct engine *engine, uint32_t count)
{
    struct posted *posted = engine->posted;
    for (uint32_t i = 0; i < count; i++) {
        const struct waiting *p = &posted->list[i];
        if (p->flow)
            resume_flow(engine, p, answer_to(posted, p->number));
        else if (p->number)
            finish_activity(engine, p, answer_to(posted, p->number));
        else
            engine_give_out(engine, (enum activity_kind)p->kind, p->time,
                            (struct bytes){posted->bytes + p->at, p->size});
    }
}

/* Those of a holder that was too late before are among them, and nobody's. */
static void take_answers(struct posted *posted, struct unseal_collected *collected)
{
    struct answered *a = posted->answers;
    uint32_t count = 0;
    while (count < POSTED_MAX && unseal_collected_next(collected, &a[count].number, &a[count].answer))
        if (!count || a[count].number > a[count - 1].number)
            count++;
    posted->answer_count = count;
}

/* What messages posted while they went on waits for the next time. */
static void keep_rest(struct engine *engine, uint32_t from)
{
    struct posted *posted = engine->posted;
    uint32_t count = posted->count - from, at = count ? posted->list[from].at : 0;
    memmove(posted->list, posted->list + from, count * sizeof *posted->list);
    memmove(posted->bytes, posted->bytes + at, count ? posted->used - at : 0);
    posted->count = count;
    posted->used = count ? posted->used - at : 0;
    posted->questions = 0;
    posted->expected = 0;
    posted->since = engine->now;
    for (uint32_t i = 0; i < count; i++) {
        posted->list[i].at -= at;
        posted->questions += posted->list[i].number != 0;
    }
}

void posted_collect(struct engine *engine)
{
    struct posted *posted = engine->posted;
    if (!posted || !posted->count || posted->giving_out)
        return;
    struct unseal_collected collected;
    uint32_t count = posted->count;
    for (uint32_t i = 0; i < count; i++)
        if (posted->list[i].flow)
            posted->list[i].flow->flags &= (uint8_t)~FLOW_POSTED;
    unseal_collect(engine->options.unsealer, &collected);
    take_answers(posted, &collected);
    posted->giving_out = true;
    give_out(engine, count);
    posted->giving_out = false;
    posted->answer_count = 0;
    keep_rest(engine, count);
}

void posted_tick(struct engine *engine)
{
    if (engine->posted && engine->posted->count && engine->now - engine->posted->since > POSTED_AGE)
        posted_collect(engine);
}

/* --- what begins to wait --- */

/* Outside of giving out there is always room for one more: it is made when one has come. */
static void make_room(struct engine *engine)
{
    const struct posted *posted = engine->posted;
    if (posted->count == WAITING_MAX || posted->questions == POSTED_MAX ||
        POSTED_BYTES - posted->used < sizeof(struct activity_writer) || posted->expected > EXPECTED_MOST)
        posted_collect(engine);
}

/* A place for so many bytes behind the others, for what waits for that number. NULL: there is none. */
static struct waiting *add(struct engine *engine, uint64_t number, size_t size)
{
    struct posted *posted = engine->posted;
    if (posted->count == WAITING_MAX || size > POSTED_BYTES - posted->used ||
        (posted->questions == POSTED_MAX && number > posted->newest))
        return NULL;
    if (!posted->count)
        posted->since = engine->now;
    if (number > posted->newest) {
        posted->newest = number;
        posted->questions++;
    }
    struct waiting *p = &posted->list[posted->count++];
    *p = (struct waiting){.number = number, .at = posted->used, .size = (uint32_t)size};
    posted->used += (uint32_t)((size + 7) & ~(size_t)7);
    return p;
}

static bool add_activity(struct engine *engine, const struct activity_writer *w, int64_t time,
                         uint64_t number, dissect_finish finish)
{
    struct waiting *p = add(engine, number, activity_saved_size(w));
    if (!p)
        return false;
    p->finish = finish;
    p->time = time;
    activity_save(w, engine->posted->bytes + p->at);
    make_room(engine);
    return true;
}

bool posted_wait(struct engine *engine, enum activity_kind kind, int64_t time, struct bytes record)
{
    struct posted *posted = engine->posted;
    if (!posted || !posted->count || posted->giving_out)
        return false;
    struct waiting *p = add(engine, 0, record.size);
    if (!p)
        return false;
    p->kind = (uint8_t)kind;
    p->time = time;
    memcpy(posted->bytes + p->at, record.data, record.size);
    make_room(engine);
    return true;
}

bool posted_wait_client(struct engine *engine, struct activity_writer *w, int64_t time)
{
    if (!w->client || put_client(engine, w))
        return false;
    return add_activity(engine, w, time, find_client(engine, w->client)->number, NULL);
}

bool posted_end(struct engine *engine, struct flow *flow)
{
    bool waits = flow->flags & FLOW_POSTED && !flow->side[0].holding && !flow->side[1].holding;
    struct waiting *p = waits ? add(engine, 0, 0) : NULL;
    if (!p)
        return false;
    p->flow = flow;
    p->time = engine->seen;
    flow->flags |= FLOW_OPAQUE; /* whatever else comes is none of it */
    make_room(engine);
    return true;
}

void posted_expect(struct engine *engine, size_t size)
{
    if (size > EXPECTED_LARGE)
        posted_collect(engine);
    engine->posted->expected += size;
}

void dissect_emit_later(struct dissect *d, uint64_t number, dissect_finish finish)
{
    struct engine *engine = d->engine;
    if (!engine_end_building(d))
        return;
    if (!add_activity(engine, d->activity, d->time, number, finish) && finish(d, (struct bytes){0}))
        engine_hand_over(engine, d->activity, d->time);
    posted_tick(engine);
}

void dissect_later(struct dissect *d, uint64_t number, dissect_go_on go_on, uint64_t first, uint64_t second)
{
    struct engine *engine = d->engine;
    struct waiting *p = add(engine, number, 0);
    if (!p) {
        go_on(d, (uint64_t[2]){first, second}, (struct bytes){0});
        return;
    }
    p->go_on = go_on;
    p->time = d->time;
    p->flow = d->flow;
    p->protocol = d->protocol;
    p->state = d->state;
    p->direction = (uint8_t)d->direction;
    p->about[0] = first;
    p->about[1] = second;
    d->flow->flags |= FLOW_POSTED;
    make_room(engine);
}

void dissect_collect(struct dissect *d)
{
    if (d->flow->flags & FLOW_POSTED)
        posted_collect(d->engine);
}
