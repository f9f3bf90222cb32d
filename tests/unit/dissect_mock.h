/* SPDX-License-Identifier: Apache-2.0
 *
 * The services of dissect.h without an engine, for tests and fuzzers that call a dissector's functions
 * directly. Every block is malloc's own, so that sanitizers see each overrun and each leak. A program that
 * includes this must not use the engine.
 */
#pragma once

#include "capture/dissect.h"

#include <stdlib.h>

#define MOCK_PENDING 64
#define MOCK_RECORDS 4096

struct mock_pending {
    uint64_t key;
    size_t size;
    uint8_t *bytes;
    int64_t started;
};

struct mock_record {
    enum activity_kind kind;
    size_t size;
    uint8_t *bytes;
};

struct mock {
    struct dissect dissect;
    struct flow_info info;
    struct activity_writer writer;
    struct message_counts counts;
    struct mock_pending pending[MOCK_PENDING];
    struct mock_record records[MOCK_RECORDS];
    size_t records_count;
    size_t malformed;
    size_t sealed;
    size_t messages;
    size_t expected;
    size_t blocks;      /* that the dissector holds */
    size_t blocks_left; /* allocations that still succeed */
    bool building;
    uint8_t gss_known;
};

static struct mock mock;

static inline struct dissect *mock_open(void)
{
    memset(&mock, 0, sizeof mock);
    mock.info = (struct flow_info){.number = 1, .transport = TRANSPORT_TCP};
    mock.blocks_left = SIZE_MAX;
    mock.dissect = (struct dissect){
        .info = &mock.info,
        .scratch = arena_new(65536),
        .counts = &mock.counts,
        .activity = &mock.writer,
        .gss_known = &mock.gss_known,
        .time = INT64_C(1700000000000000000),
    };
    return &mock.dissect;
}

static inline void mock_close(void)
{
    for (size_t i = 0; i < MOCK_PENDING; i++)
        free(mock.pending[i].bytes);
    for (size_t i = 0; i < mock.records_count; i++)
        free(mock.records[i].bytes);
    arena_destroy(&mock.dissect.scratch);
}

static inline size_t mock_waiting(void)
{
    size_t count = 0;
    for (size_t i = 0; i < MOCK_PENDING; i++)
        count += mock.pending[i].bytes != NULL;
    return count;
}

static inline size_t mock_count(enum activity_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < mock.records_count; i++)
        count += mock.records[i].kind == kind;
    return count;
}

/* The n-th (from 0) of its kind, decoded; false when there are fewer. */
static inline bool mock_find(enum activity_kind kind, size_t n, struct activity *to)
{
    for (size_t i = 0; i < mock.records_count; i++) {
        if (mock.records[i].kind != kind || n--)
            continue;
        struct cursor c = cursor_of(mock.records[i].bytes, mock.records[i].size);
        return activity_decode(&c, to);
    }
    return false;
}

struct activity_writer *dissect_begin(struct dissect *d, enum activity_kind kind)
{
    if (mock.building)
        abort(); /* two at a time */
    activity_begin(d->activity, kind, d->time);
    mock.building = true;
    return d->activity;
}

void dissect_emit(struct dissect *d)
{
    if (!mock.building)
        abort();
    mock.building = false;
    struct bytes record = activity_finish(d->activity);
    static struct activity decoded;
    struct cursor c = cursor_of_bytes(record);
    if (!activity_decode(&c, &decoded) || !cursor_done(&c))
        abort();
    if (mock.records_count == MOCK_RECORDS)
        return;
    struct mock_record *r = &mock.records[mock.records_count++];
    *r = (struct mock_record){.kind = d->activity->kind, .size = record.size, .bytes = malloc(record.size)};
    if (!r->bytes)
        abort();
    memcpy(r->bytes, record.data, record.size);
}

static struct mock_pending *mock_pending_find(uint64_t key)
{
    for (size_t i = 0; i < MOCK_PENDING; i++)
        if (mock.pending[i].bytes && mock.pending[i].key == key)
            return &mock.pending[i];
    return NULL;
}

void dissect_defer(struct dissect *d, uint64_t key)
{
    if (!mock.building)
        abort();
    mock.building = false;
    struct mock_pending *p = mock_pending_find(key);
    for (size_t i = 0; i < MOCK_PENDING && !p; i++)
        if (!mock.pending[i].bytes)
            p = &mock.pending[i];
    if (!p)
        p = &mock.pending[key % MOCK_PENDING];
    free(p->bytes);
    p->key = key;
    p->started = d->time;
    p->size = activity_saved_size(d->activity);
    p->bytes = malloc(p->size);
    if (!p->bytes)
        abort();
    activity_save(d->activity, p->bytes);
}

struct activity_writer *dissect_revisit(struct dissect *d, uint64_t key)
{
    struct mock_pending *p = mock_pending_find(key);
    if (!p)
        return NULL;
    if (mock.building || !activity_restore(d->activity, p->bytes, p->size))
        abort();
    mock.building = true;
    free(p->bytes);
    *p = (struct mock_pending){0};
    return d->activity;
}

struct activity_writer *dissect_resume(struct dissect *d, uint64_t key)
{
    struct mock_pending *p = mock_pending_find(key);
    int64_t started = p ? p->started : 0;
    struct activity_writer *w = dissect_revisit(d, key);
    if (w)
        activity_put_duration(w, FIELD_DURATION, d->time - started);
    return w;
}

void *dissect_alloc(struct dissect *d, size_t size)
{
    (void)d;
    if (size > 65536 || mock.blocks_left == 0)
        return NULL;
    mock.blocks_left--;
    mock.blocks++;
    return calloc(1, size);
}

void dissect_free(struct dissect *d, void *memory, size_t size)
{
    (void)d;
    memset(memory, 0xdd, size); /* a wrong size is found */
    mock.blocks--;
    free(memory);
}

void dissect_malformed(struct dissect *d, enum protocol_id protocol)
{
    (void)d;
    (void)protocol;
    mock.malformed++;
}

void dissect_sealed(struct dissect *d, enum protocol_id protocol)
{
    (void)d;
    (void)protocol;
    mock.sealed++;
}

void dissect_counted(struct dissect *d, enum protocol_id protocol)
{
    (void)d;
    (void)protocol;
    mock.messages++;
}

void dissect_expect(struct dissect *d, const struct ip_address *address, uint16_t port,
                    enum protocol_id protocol)
{
    (void)d;
    (void)address;
    (void)port;
    (void)protocol;
    mock.expected++;
}

void dissect_switch(struct dissect *d, enum protocol_id protocol)
{
    (void)d;
    (void)protocol;
}

uint64_t dissect_fingerprint(const struct dissect *d, struct bytes secret)
{
    (void)d;
    return secret.size + 1;
}
