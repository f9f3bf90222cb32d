/* SPDX-License-Identifier: Apache-2.0
 *
 * A dissector's context without an engine: the functions of capture/dissect.h over blocks of their exact
 * size, for fuzzing dissectors by themselves and for tests of one message. One at a time, in one file of a
 * program that links no more of the capture library than dissectors.
 */
#pragma once

#include "capture/dissect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONE_PENDING 16
#define LONE_BLOCKS  64
#define LONE_RECORDS 16
#define LONE_SCRATCH (256u * 1024u)

struct lone_block {
    void *memory;
    size_t size;
};

struct lone {
    struct dissect d;
    struct flow_info info;
    struct message_counts counts;
    struct activity_writer writer;
    struct arena *scratch; /* kept for the next */
    struct {
        uint64_t key;
        struct lone_block saved;
    } pending[LONE_PENDING];
    struct lone_block blocks[LONE_BLOCKS];
    struct lone_block records[LONE_RECORDS]; /* the first ones that were emitted */
    size_t emitted;
    size_t malformed[PROTOCOLS];
    size_t counted[PROTOCOLS];
    size_t sealed[PROTOCOLS];
    uint8_t gss_known;
    bool building;
    bool no_memory; /* dissect_alloc gives NULL */
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
    memset(&lone->d, 0, sizeof lone->d);
    lone->info = (struct flow_info){.number = 1, .transport = transport};
    lone->d.info = &lone->info;
    lone->d.protocol = protocol;
    lone->d.counts = &lone->counts;
    lone->d.activity = &lone->writer;
    lone->gss_known = 0;
    lone->d.gss_known = &lone->gss_known;
    if (!lone->scratch)
        lone->scratch = arena_new(LONE_SCRATCH);
    lone->d.scratch = lone->scratch;
    lone->d.time = INT64_C(1795314558000000000);
    lone->d.state = protocol && protocol->state_size ? calloc(1, protocol->state_size) : NULL;
    return &lone->d;
}

static void lone_close(struct lone *lone)
{
    free(lone->d.state);
    for (size_t i = 0; i < LONE_PENDING; i++)
        free(lone->pending[i].saved.memory);
    for (size_t i = 0; i < LONE_BLOCKS; i++)
        free(lone->blocks[i].memory);
    for (size_t i = 0; i < LONE_RECORDS; i++)
        free(lone->records[i].memory);
    memset(lone->pending, 0, sizeof lone->pending);
    memset(lone->blocks, 0, sizeof lone->blocks);
    memset(lone->records, 0, sizeof lone->records);
    memset(lone->malformed, 0, sizeof lone->malformed);
    memset(lone->counted, 0, sizeof lone->counted);
    memset(lone->sealed, 0, sizeof lone->sealed);
    arena_reset(lone->scratch);
    lone->emitted = 0;
    lone->building = false;
}

struct activity_writer *dissect_begin(struct dissect *d, enum activity_kind kind)
{
    struct lone *lone = lone_of(d);
    lone_check(!lone->building, "two activities at once");
    lone->building = true;
    activity_begin(d->activity, kind, d->time);
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
        lone->records[lone->emitted] = lone_copy(record.data, record.size);
    lone->emitted++;
}

void dissect_defer(struct dissect *d, uint64_t key)
{
    struct lone *lone = lone_of(d);
    lone_check(lone->building, "nothing to defer");
    lone->building = false;
    size_t place = key % LONE_PENDING; /* an older one there is lost, as when a budget is used up */
    free(lone->pending[place].saved.memory);
    lone->pending[place].saved.size = activity_saved_size(d->activity);
    lone->pending[place].saved.memory = malloc(lone->pending[place].saved.size);
    lone->pending[place].key = key;
    activity_save(d->activity, lone->pending[place].saved.memory);
}

struct activity_writer *dissect_revisit(struct dissect *d, uint64_t key)
{
    struct lone *lone = lone_of(d);
    lone_check(!lone->building, "two activities at once");
    size_t place = key % LONE_PENDING;
    struct lone_block *saved = &lone->pending[place].saved;
    if (!saved->memory || lone->pending[place].key != key)
        return NULL;
    lone_check(activity_restore(d->activity, saved->memory, saved->size), "a saved record is lost");
    free(saved->memory);
    *saved = (struct lone_block){.memory = NULL};
    lone->building = true;
    return d->activity;
}

struct activity_writer *dissect_resume(struct dissect *d, uint64_t key)
{
    struct activity_writer *w = dissect_revisit(d, key);
    if (w)
        activity_put_duration(w, FIELD_DURATION, 0);
    return w;
}

void *dissect_alloc(struct dissect *d, size_t size)
{
    struct lone *lone = lone_of(d);
    for (size_t i = 0; i < LONE_BLOCKS && !lone->no_memory; i++) {
        if (lone->blocks[i].memory)
            continue;
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

uint64_t dissect_fingerprint(const struct dissect *d, struct bytes secret)
{
    (void)d;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < secret.size; i++)
        hash = (hash ^ secret.data[i]) * UINT64_C(0x100000001b3);
    return hash ? hash : 1;
}
