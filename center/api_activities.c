/* SPDX-License-Identifier: Apache-2.0 */
#include "center/api_activities.h"

#include "base/batch.h"
#include "base/text.h"
#include "center/api_routes.h"
#include "center/received_log.h"
#include "center/store_index.h"
#include "cluster/disk.h"

#include <stdlib.h>

#define JSON_MAX      (96u * 1024u)
#define POSITIONS_MAX 256u /* entries of the log that one request reads */
#define ANSWER_BYTES  (API_ANSWER_MAX / 2)
#define HOUR          CLOCK_HOUR

/* One entry of the log, opened. */
struct opened {
    struct log_reader *log;
    struct batch_reader *batch;
    struct log_entry entry;
    struct activity activity;
    char json[JSON_MAX];
};

static void close_opened(struct opened *opened)
{
    if (opened->log)
        log_reader_close(&opened->log);
    batch_reader_destroy(&opened->batch);
}

/* The records of the entry at that position. False: it is not there any more. */
static bool open_entry(struct api_work *work, struct opened *opened, uint64_t position,
                       struct cursor *records, uint64_t *count)
{
    struct fault fault;
    close_opened(opened);
    opened->log = log_reader_open(disk_system(), work->core->config->log, position, &fault);
    if (!opened->log || !log_reader_next(opened->log, &opened->entry) || opened->entry.position != position ||
        opened->entry.kind != LOG_ACTIVITIES)
        return false;
    struct bytes content = opened->entry.content;
    opened->batch = batch_reader_new();
    if (!opened->batch || batch_reader_feed(opened->batch, &content) != BATCH_READY)
        return false;
    *records = batch_reader_records(opened->batch, count);
    return true;
}

static void write_place(struct json_writer *w, struct activity_place place)
{
    json_write_object(w, NULL);
    json_write_uint(w, "position", place.position);
    json_write_uint(w, "index", place.index);
}

static void write_lost(struct json_writer *w, struct activity_place place)
{
    write_place(w, place);
    json_write_bool(w, "lost", true);
    json_write_close(w);
}

static void write_one(struct json_writer *w, struct opened *opened, struct activity_place place)
{
    size_t size = activity_to_json(&opened->activity, opened->json, sizeof(opened->json));
    if (size >= sizeof(opened->json)) {
        write_lost(w, place);
        return;
    }
    write_place(w, place);
    api_write_time(w, "received", opened->entry.wall);
    api_write_hex(w, "node", opened->entry.origin.node.bytes, sizeof(opened->entry.origin.node.bytes));
    json_write_raw(w, "activity", (struct bytes){(const uint8_t *)opened->json, size});
    json_write_close(w);
}

bool api_write_activities(struct api_work *work, const struct activity_place *places, uint32_t count)
{
    struct json_writer *w = &work->answer;
    struct opened *opened = calloc(1, sizeof(*opened));
    struct cursor records = {0};
    uint64_t left = 0, position = 0;
    uint32_t index = 0;
    if (!opened)
        return api_problem(work, 503, "no memory");
    for (uint32_t i = 0; i < count; i++) {
        bool there = true;
        if (i == 0 || places[i].position != position || places[i].index < index) {
            position = places[i].position;
            index = 0;
            there = open_entry(work, opened, position, &records, &left);
            left = there ? left : 0;
        }
        bool read = false;
        while (left > 0 && index <= places[i].index) {
            read = activity_decode_or_skip(&records, &opened->activity);
            left = records.failed ? 0 : left - 1;
            index++;
        }
        if (read && index == places[i].index + 1)
            write_one(w, opened, places[i]);
        else
            write_lost(w, places[i]);
    }
    close_opened(opened);
    free(opened);
    return true;
}

/* --- of somebody --- */

struct positions {
    uint64_t at[POSITIONS_MAX];
    uint32_t count;
    bool more;
};

static bool keep_position(void *context, int64_t hour, uint64_t position)
{
    struct positions *positions = context;
    (void)hour;
    if (positions->count == POSITIONS_MAX) {
        positions->more = true;
        return false;
    }
    positions->at[positions->count++] = position;
    return true;
}

static bool same_letters(struct bytes a, const char *b, size_t size)
{
    return a.size >= size && strncasecmp((const char *)a.data, b, size) == 0;
}

/* NAME, NAME$, NAME.domain, NAME@domain, DOMAIN\NAME, in any case. */
static bool is_name(struct bytes text, const char *name)
{
    size_t size = strlen(name);
    const uint8_t *slash = memchr(text.data, '\\', text.size);
    if (slash) {
        text.size -= (size_t)(slash + 1 - text.data);
        text.data = slash + 1;
    }
    return same_letters(text, name, size) &&
           (text.size == size || memchr("$.@/", text.data[size], 4) != NULL);
}

/* Whether one of its values is that name or address. */
static bool is_about(const struct activity *activity, const char *name)
{
    char text[512];
    for (uint32_t i = 0; i < activity->count; i++) {
        size_t size = activity_value_text(&activity->values[i], text, sizeof(text));
        if (size && size < sizeof(text) && is_name((struct bytes){(const uint8_t *)text, size}, name))
            return true;
    }
    return false;
}

/* Those of one entry; false: the answer is full. */
static bool write_entry(struct api_work *work, struct opened *opened, uint64_t position, const char *name,
                        uint32_t *left)
{
    struct cursor records;
    uint64_t count = 0;
    if (!open_entry(work, opened, position, &records, &count))
        return true;
    for (uint32_t index = 0; index < count && !records.failed; index++) {
        if (!activity_decode_or_skip(&records, &opened->activity) || !is_about(&opened->activity, name))
            continue;
        if (*left == 0 || work->answer.size > ANSWER_BYTES)
            return false;
        write_one(&work->answer, opened, (struct activity_place){position, index});
        --*left;
    }
    return true;
}

static bool take_range(struct api_work *work, int64_t *from, int64_t *till, int64_t *limit)
{
    *till = clock_wall(work->core->clock);
    *limit = 200;
    if (!api_take_time(work, "till", till))
        return false;
    *from = *till > CLOCK_DAY ? *till - CLOCK_DAY : 0;
    return api_take_time(work, "from", from) && api_take_number(work, "limit", 1, 1000, limit);
}

bool api_subject_activities(struct api_work *work)
{
    uint8_t id[16];
    int64_t from, till, limit;
    const char *name = api_argument(work, "name");
    struct positions positions = {.count = 0};
    if (!api_part_id(work, id) || !take_range(work, &from, &till, &limit))
        return false;
    if (!name || !*name || strlen(name) > 256)
        return api_problem(work, 400, "name: the name or address that the activities are of is wanted");
    struct cursor c = cursor_of(id, sizeof(id));
    struct subject subject = {.high = cursor_be64(&c)};
    subject.low = cursor_be64(&c);
    store_index_each(work->store, work->workspace, subject, from / HOUR, till / HOUR, keep_position,
                     &positions);
    if (store_failed(work->store))
        return api_store_failed(work);
    struct opened *opened = calloc(1, sizeof(*opened));
    if (!opened)
        return api_problem(work, 503, "no memory");
    uint32_t left = (uint32_t)limit;
    json_write_object(&work->answer, NULL);
    json_write_array(&work->answer, "items");
    bool whole = true;
    for (uint32_t i = 0; i < positions.count && whole; i++)
        whole = write_entry(work, opened, positions.at[i], name, &left);
    json_write_close(&work->answer);
    json_write_bool(&work->answer, "more", positions.more || !whole);
    json_write_close(&work->answer);
    close_opened(opened);
    free(opened);
    return true;
}
