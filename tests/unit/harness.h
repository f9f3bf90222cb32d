/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs captures, or packets made by a test, through an engine and keeps what comes out.
 *
 *     struct harness h;
 *     harness_open(&h, NULL);
 *     harness_decode(&h, TRANSPORT_TCP, 3890, PROTOCOL_LDAP);        (if at all)
 *     assert_true(harness_capture(&h, PICKET_TEST_DATA "/a36_zerologon.pcap"));
 *     assert_int_equal(harness_count(&h, ACTIVITY_..., 0), 3);
 *     const struct harness_record *r = harness_find(&h, ACTIVITY_..., 0);     the first of its kind
 *     assert_string_equal(harness_text(r, FIELD_ACCOUNT), "ADMIN$");  value as text, "" when there is none
 *     h.counts->kerberos_kdc[10], h.stats->gaps, h.stats->protocol[PROTOCOL_LDAP].malformed ...
 *     harness_print(&h);                                             all records as JSON, to look at
 *     harness_close(&h);
 */
#pragma once

#include "base/activity.h"
#include "capture/engine.h"
#include "capture/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct harness_record {
    enum activity_kind kind;
    int64_t time;
    uint8_t *data; /* msgpack */
    size_t size;
    char *json;
    struct activity *activity; /* decoded: a view into data */
    char text[ACTIVITY_STRING_MAX * 2];
};

struct harness {
    struct engine *engine;
    const struct engine_stats *stats;
    const struct message_counts *counts;
    struct harness_record **records;
    size_t size;
    size_t capacity;
    size_t broken; /* records that could not be decoded again: always to be 0 */
};

static inline void harness_keep(void *context, enum activity_kind kind, int64_t time, struct bytes record)
{
    struct harness *h = context;
    if (h->size == h->capacity) {
        h->capacity = h->capacity ? h->capacity * 2 : 64;
        h->records = realloc(h->records, h->capacity * sizeof(void *));
    }
    struct harness_record *r = calloc(1, sizeof *r);
    r->kind = kind;
    r->time = time;
    r->size = record.size;
    r->data = malloc(record.size + 1);
    memcpy(r->data, record.data, record.size);
    r->activity = calloc(1, sizeof *r->activity);
    struct cursor c = cursor_of(r->data, r->size);
    if (!activity_decode(&c, r->activity) || !cursor_done(&c) || r->activity->kind != kind)
        h->broken++;
    r->json = malloc(record.size * 8 + 64);
    activity_to_json(r->activity, r->json, record.size * 8 + 64);
    h->records[h->size++] = r;
}

/* Options may be NULL. */
static inline void harness_open(struct harness *h, const struct engine_options *options)
{
    *h = (struct harness){0};
    h->engine = engine_new(options, harness_keep, h);
    if (!h->engine) {
        fprintf(stderr, "harness: no engine\n");
        abort();
    }
    h->stats = engine_stats(h->engine);
    h->counts = engine_counts(h->engine);
}

static inline void harness_decode(struct harness *h, enum transport transport, uint16_t port,
                                  enum protocol_id protocol)
{
    struct engine_decode_rule rule = {.transport = transport, .port = port, .protocol = protocol};
    if (!engine_decode_as(h->engine, &rule))
        abort();
}

/* Feeds all packets of a pcap or pcapng file, read as the program reads it. False when it cannot be opened or
 * is no capture (with a line on stderr). */
static inline bool harness_feed(struct harness *h, const char *path)
{
    const char *error = NULL;
    struct file_source *source = file_source_open(path, &error);
    if (!source) {
        fprintf(stderr, "harness: %s: %s\n", path, error);
        return false;
    }
    struct packet packet;
    enum source_verdict verdict;
    while ((verdict = file_source_next(source, &packet)) == SOURCE_PACKET)
        engine_packet(h->engine, &packet);
    if (file_source_error(source))
        fprintf(stderr, "harness: %s: %s\n", path, file_source_error(source));
    file_source_close(&source);
    return verdict != SOURCE_FAILED;
}

/* The same, and then the end: everything pending comes out. */
static inline bool harness_capture(struct harness *h, const char *path)
{
    bool opened = harness_feed(h, path);
    engine_finish(h->engine);
    (void)engine_stats(h->engine);
    return opened;
}

static inline bool harness_readable(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file)
        fclose(file);
    return file != NULL;
}

/* For captures of ../shared: false, saying so, when the file is not there. */
static inline bool harness_shared(struct harness *h, const char *path)
{
    if (harness_readable(path))
        return harness_capture(h, path);
    fprintf(stderr, "skipped: %s is not here\n", path);
    return false;
}

static inline size_t harness_count(const struct harness *h, enum activity_kind kind)
{
    size_t count = 0;
    for (size_t i = 0; i < h->size; i++)
        count += h->records[i]->kind == kind;
    return count;
}

/* The n-th (from 0) of its kind; NULL when there are fewer. */
static inline struct harness_record *harness_find(const struct harness *h, enum activity_kind kind, size_t n)
{
    for (size_t i = 0; i < h->size; i++)
        if (h->records[i]->kind == kind && n-- == 0)
            return h->records[i];
    return NULL;
}

static inline bool harness_has(const struct harness_record *r, enum activity_field field)
{
    return r && activity_get(r->activity, field) != NULL;
}

/* A field as text for people; "" when the record (or there) is none. */
static inline const char *harness_text(struct harness_record *r, enum activity_field field)
{
    if (!harness_has(r, field))
        return "";
    activity_value_text(activity_get(r->activity, field), r->text, sizeof r->text);
    return r->text;
}

/* An unsigned integer, duration, or boolean; 0 when there is none. */
static inline uint64_t harness_uint(const struct harness_record *r, enum activity_field field)
{
    return harness_has(r, field) ? activity_get(r->activity, field)->uint : 0;
}

static inline bool harness_bool(const struct harness_record *r, enum activity_field field)
{
    return harness_has(r, field) && activity_get(r->activity, field)->boolean;
}

/* The n-th (from 0) of its kind whose field has that text. */
static inline struct harness_record *harness_find_text(const struct harness *h, enum activity_kind kind,
                                                       enum activity_field field, const char *text, size_t n)
{
    for (size_t i = 0; i < h->size; i++)
        if (h->records[i]->kind == kind && strcmp(harness_text(h->records[i], field), text) == 0 && n-- == 0)
            return h->records[i];
    return NULL;
}

static inline void harness_print(const struct harness *h)
{
    for (size_t i = 0; i < h->size; i++)
        fprintf(stderr, "%s\n", h->records[i]->json);
}

static inline void harness_close(struct harness *h)
{
    for (size_t i = 0; i < h->size; i++) {
        free(h->records[i]->data);
        free(h->records[i]->json);
        free(h->records[i]->activity);
        free(h->records[i]);
    }
    free(h->records);
    engine_destroy(&h->engine);
}
