/* SPDX-License-Identifier: Apache-2.0
 *
 * A dissector's context without an engine: the functions of capture/dissect.h over blocks of their exact
 * size, so that sanitizers see each overrun and each leak; for fuzzing dissectors by themselves and for tests
 * of single messages. One at a time, in one file of a program that links no more of the capture library than
 * dissectors.
 */
#pragma once

#include "capture/dissect.h"
#include "capture/dns_tsig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONE_PENDING   64
#define LONE_BLOCKS    256
#define LONE_BLOCK_MAX (64u * 1024u) /* as dissect_alloc promises */
#define LONE_RECORDS   4096
#define LONE_SCRATCH   (256u * 1024u)

struct lone_block {
    void *memory;
    size_t size;
};

struct lone_pending {
    uint64_t key;
    int64_t started;
    struct lone_block saved;
};

struct lone_record {
    enum activity_kind kind;
    struct lone_block block;
};

struct lone {
    struct dissect d;
    struct flow_info info;
    struct message_counts counts;
    struct activity_writer writer;
    struct arena *scratch; /* kept for the next */
    struct lone_pending pending[LONE_PENDING];
    struct lone_block blocks[LONE_BLOCKS];
    size_t blocks_left;                       /* allocations that still succeed */
    struct lone_record records[LONE_RECORDS]; /* the first ones that were emitted */
    size_t emitted;
    size_t malformed[PROTOCOLS];
    size_t counted[PROTOCOLS];
    size_t sealed[PROTOCOLS];
    const struct unsealer *unsealer; /* set after lone_open */
    uint64_t unseal_number;
    dissect_go_on go_on; /* the last that waits for an answer; NULL: none */
    uint64_t about[2];
    struct dissect_client client; /* the last that is asked for */
    struct tsig_keys tsig_keys;
    uint8_t gss_known;
    bool building;
};

static struct lone *lone_of(const struct dissect *d)
{
    return (struct lone *)(uintptr_t)d;
}

static void lone_check(bool right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "lone_dissect: %s\n", what);
    abort();
}

static struct lone_block lone_copy(const void *data, size_t size)
{
    struct lone_block block = {.memory = malloc(size ? size : 1), .size = size};
    lone_check(block.memory != NULL, "no memory");
    if (size)
        memcpy(block.memory, data, size);
    return block;
}

static struct dissect *lone_open(struct lone *lone, const struct protocol *protocol, enum transport transport)
{
    if (!lone->scratch)
        lone->scratch = arena_new(LONE_SCRATCH);
    memset(&lone->counts, 0, sizeof lone->counts);
    lone->info = (struct flow_info){.number = 1, .transport = transport};
    lone->gss_known = 0;
    lone->unsealer = NULL;
    lone->tsig_keys = (struct tsig_keys){.next = 0};
    lone->blocks_left = SIZE_MAX;
    lone->d = (struct dissect){
        .info = &lone->info,
        .protocol = protocol,
        .state = protocol && protocol->state_size ? calloc(1, protocol->state_size) : NULL,
        .time = INT64_C(1795314558000000000),
        .scratch = lone->scratch,
        .counts = &lone->counts,
        .activity = &lone->writer,
        .gss_known = &lone->gss_known,
    };
    return &lone->d;
}

static size_t lone_kept(const struct lone *lone)
{
    return lone->emitted < LONE_RECORDS ? lone->emitted : LONE_RECORDS;
}

static void lone_close(struct lone *lone)
{
    free(lone->d.state);
    for (size_t i = 0; i < LONE_PENDING; i++)
        free(lone->pending[i].saved.memory);
    for (size_t i = 0; i < LONE_BLOCKS; i++)
        free(lone->blocks[i].memory);
    for (size_t i = 0; i < lone_kept(lone); i++)
        free(lone->records[i].block.memory);
    memset(lone->pending, 0, sizeof lone->pending);
    memset(lone->blocks, 0, sizeof lone->blocks);
    memset(lone->malformed, 0, sizeof lone->malformed);
    memset(lone->counted, 0, sizeof lone->counted);
    memset(lone->sealed, 0, sizeof lone->sealed);
    arena_reset(lone->scratch);
    lone->emitted = 0;
    lone->building = false;
}

/* -- what came of it -------------------------------------------------------------------------------- */

/* Blocks that the dissector holds. */
static inline size_t lone_held(const struct lone *lone)
{
    size_t held = 0;
    for (size_t i = 0; i < LONE_BLOCKS; i++)
        held += lone->blocks[i].memory != NULL;
    return held;
}

static inline size_t lone_sum(const size_t counts[PROTOCOLS])
{
    size_t sum = 0;
    for (size_t i = 0; i < PROTOCOLS; i++)
        sum += counts[i];
    return sum;
}

static inline size_t lone_count(const struct lone *lone, enum activity_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < lone_kept(lone); i++)
        count += lone->records[i].kind == kind;
    return count;
}

/* The n-th record, decoded until the next call; NULL when there are fewer. */
static inline const struct activity *lone_record(const struct lone *lone, size_t n)
{
    static struct activity activity;
    if (n >= lone_kept(lone))
        return NULL;
    struct cursor c = cursor_of(lone->records[n].block.memory, lone->records[n].block.size);
    lone_check(activity_decode(&c, &activity), "a record that cannot be read");
    return &activity;
}

/* The n-th (from 0) of its kind; NULL when there are fewer. */
static inline const struct activity *lone_find(const struct lone *lone, enum activity_kind kind, size_t n)
{
    for (size_t i = 0; i < lone_kept(lone); i++)
        if (lone->records[i].kind == kind && n-- == 0)
            return lone_record(lone, i);
    return NULL;
}

/* A field as text; "" when the activity (or there) is none. */
static inline const char *lone_text(const struct activity *activity, enum activity_field field)
{
    static char text[4096];
    const struct activity_value *value = activity ? activity_get(activity, field) : NULL;
    if (!value)
        return "";
    activity_value_text(value, text, sizeof text);
    return text;
}

/* -- capture/dissect.h ------------------------------------------------------------------------------ */

struct activity_writer *dissect_begin(struct dissect *d, enum activity_kind kind)
{
    struct lone *lone = lone_of(d);
    lone_check(!lone->building, "two activities at once");
    lone->building = true;
    activity_begin(d->activity, kind, d->time);
    if (d->unsealed)
        activity_put_bool(d->activity, FIELD_UNSEALED, true);
    return d->activity;
}

void dissect_emit(struct dissect *d)
{
    struct lone *lone = lone_of(d);
    lone_check(lone->building, "nothing to emit");
    lone->building = false;
    struct bytes record = activity_finish(d->activity);
    struct cursor c = cursor_of_bytes(record);
    static struct activity activity;
    lone_check(activity_decode(&c, &activity) && cursor_done(&c), "a record that cannot be read");
    if (lone->emitted < LONE_RECORDS)
        lone->records[lone->emitted] =
            (struct lone_record){.kind = d->activity->kind, .block = lone_copy(record.data, record.size)};
    lone->emitted++;
}

static struct lone_pending *lone_pending(struct lone *lone, uint64_t key)
{
    for (size_t i = 0; i < LONE_PENDING; i++)
        if (lone->pending[i].saved.memory && lone->pending[i].key == key)
            return &lone->pending[i];
    return NULL;
}

/* When all places are taken one of the older is lost, as when a budget is used up. */
static struct lone_pending *lone_pending_place(struct lone *lone, uint64_t key)
{
    struct lone_pending *same = lone_pending(lone, key);
    if (same)
        return same;
    for (size_t i = 0; i < LONE_PENDING; i++)
        if (!lone->pending[i].saved.memory)
            return &lone->pending[i];
    return &lone->pending[key % LONE_PENDING];
}

void dissect_defer(struct dissect *d, uint64_t key)
{
    struct lone *lone = lone_of(d);
    lone_check(lone->building, "nothing to defer");
    lone->building = false;
    struct lone_pending *pending = lone_pending_place(lone, key);
    free(pending->saved.memory);
    size_t size = activity_saved_size(d->activity);
    *pending = (struct lone_pending){
        .key = key, .started = d->time, .saved = {.memory = malloc(size), .size = size}};
    lone_check(pending->saved.memory != NULL, "no memory");
    activity_save(d->activity, pending->saved.memory);
}

struct activity_writer *dissect_revisit(struct dissect *d, uint64_t key)
{
    struct lone *lone = lone_of(d);
    lone_check(!lone->building, "two activities at once");
    struct lone_pending *pending = lone_pending(lone, key);
    if (!pending)
        return NULL;
    lone_check(activity_restore(d->activity, pending->saved.memory, pending->saved.size),
               "a saved record is lost");
    free(pending->saved.memory);
    *pending = (struct lone_pending){.key = 0};
    lone->building = true;
    return d->activity;
}

struct activity_writer *dissect_resume(struct dissect *d, uint64_t key)
{
    const struct lone_pending *pending = lone_pending(lone_of(d), key);
    int64_t started = pending ? pending->started : 0;
    struct activity_writer *w = dissect_revisit(d, key);
    if (w)
        activity_put_duration(w, FIELD_DURATION, d->time - started);
    return w;
}

void *dissect_alloc(struct dissect *d, size_t size)
{
    struct lone *lone = lone_of(d);
    if (size > LONE_BLOCK_MAX || lone->blocks_left == 0)
        return NULL;
    for (size_t i = 0; i < LONE_BLOCKS; i++) {
        if (lone->blocks[i].memory)
            continue;
        lone->blocks_left--;
        lone->blocks[i] = (struct lone_block){.memory = calloc(1, size), .size = size};
        return lone->blocks[i].memory;
    }
    return NULL;
}

void dissect_free(struct dissect *d, void *memory, size_t size)
{
    struct lone *lone = lone_of(d);
    for (size_t i = 0; i < LONE_BLOCKS; i++) {
        if (lone->blocks[i].memory != memory)
            continue;
        lone_check(lone->blocks[i].size == size, "freed with another size");
        free(memory);
        lone->blocks[i].memory = NULL;
        return;
    }
    lone_check(false, "freed what was not given out");
}

void dissect_malformed(struct dissect *d, enum protocol_id protocol)
{
    lone_of(d)->malformed[protocol]++;
}

void dissect_counted(struct dissect *d, enum protocol_id protocol)
{
    lone_of(d)->counted[protocol]++;
}

void dissect_sealed(struct dissect *d, enum protocol_id protocol)
{
    lone_of(d)->sealed[protocol]++;
}

void dissect_expect(struct dissect *d, const struct ip_address *address, uint16_t port,
                    enum protocol_id protocol)
{
    (void)d;
    (void)address;
    (void)port;
    (void)protocol;
}

void dissect_switch(struct dissect *d, enum protocol_id protocol)
{
    (void)d;
    (void)protocol;
}

struct tsig_keys *dissect_tsig_keys(const struct dissect *d)
{
    return &((struct lone *)(uintptr_t)d)->tsig_keys;
}

uint64_t dissect_unseal_number(struct dissect *d, size_t answer)
{
    (void)answer;
    return ++((struct lone *)(void *)d)->unseal_number;
}

/* Alone nobody collects: there is no answer. */
void dissect_emit_later(struct dissect *d, uint64_t number, dissect_finish finish)
{
    (void)number;
    if (finish(d, (struct bytes){0}))
        dissect_emit(d);
    else
        ((struct lone *)(void *)d)->building = false;
}

void dissect_later(struct dissect *d, uint64_t number, dissect_go_on go_on, uint64_t first, uint64_t second)
{
    struct lone *lone = (struct lone *)(void *)d;
    (void)number;
    lone->go_on = go_on;
    lone->about[0] = first;
    lone->about[1] = second;
}

void dissect_collect(struct dissect *d)
{
    (void)d;
}

struct dissect_client *dissect_client_new(struct dissect *d, uint64_t number, void *asker)
{
    struct lone *lone = (struct lone *)(void *)d;
    lone->client = (struct dissect_client){.id = number, .number = number, .asker = asker};
    return &lone->client;
}

struct dissect_client *dissect_client(const struct dissect *d, uint64_t id)
{
    struct lone *lone = lone_of(d);
    return id && lone->client.id == id ? &lone->client : NULL;
}

void dissect_put_client(const struct dissect *d, struct activity_writer *w, uint64_t id)
{
    (void)d;
    w->client = id;
}

const struct unsealer *dissect_unsealer(const struct dissect *d)
{
    return ((const struct lone *)(const void *)d)->unsealer;
}

bool dissect_quoted(const struct dissect *d)
{
    (void)d;
    return false;
}

uint64_t dissect_fingerprint(const struct dissect *d, struct bytes secret)
{
    (void)d;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < secret.size; i++)
        hash = (hash ^ secret.data[i]) * UINT64_C(0x100000001b3);
    return hash ? hash : 1;
}
