/* SPDX-License-Identifier: Apache-2.0 */
#include "node/sync_report.h"

#include "base/clock.h"
#include "base/msgpack.h"

/* X(key, member): unsigned numbers; times in ms, the members in ns. */
#define NUMBERS(X)                                                                                           \
    X(KEY_OBJECTS, objects)                                                                                  \
    X(KEY_PASS_OBJECTS, progress.pass_objects)                                                               \
    X(KEY_PASS_EXPECTED, progress.pass_expected)                                                             \
    X(KEY_LAG_USN, progress.lag_usn)                                                                         \
    X(KEY_MISMATCHES, progress.mismatches)                                                                   \
    X(KEY_ERRORS, progress.errors)                                                                           \
    X(KEY_APPLIED, progress.applied)                                                                         \
    X(KEY_BATCHES, progress.batches)
#define TIMES(X)                                                                                             \
    X(KEY_PASS_BEGAN, progress.full_pass_began)                                                              \
    X(KEY_PASS_ENDED, progress.full_pass_ended)                                                              \
    X(KEY_INCREMENT, progress.last_increment)                                                                \
    X(KEY_CHANGE, progress.last_change)                                                                      \
    X(KEY_RECONCILED, progress.last_reconciled)                                                              \
    X(KEY_LAG, progress.lag)

enum key {
    KEY_STATE = 1, /* bits: method is USN 1, a pass is under way 2, the directory is reachable 4 */
    KEY_RATE,      /* objects in 10 s */
    KEY_CONTROLLER,
    KEY_LAST_ERROR,
    KEY_RESUME,
#define X(key, member) key,
    NUMBERS(X) TIMES(X)
#undef X
        KEYS
};

enum state_bit { STATE_USN = 1, STATE_PASSING = 2, STATE_REACHABLE = 4 };

static void put(struct msgpack_writer *w, uint32_t *pairs, enum key key, uint64_t value)
{
    if (value == 0)
        return;
    msgpack_put_uint(w, (uint64_t)key);
    msgpack_put_uint(w, value);
    ++*pairs;
}

static void put_text(struct msgpack_writer *w, uint32_t *pairs, enum key key, const char *text)
{
    if (!*text)
        return;
    msgpack_put_uint(w, (uint64_t)key);
    msgpack_put_text(w, text);
    ++*pairs;
}

size_t sync_report_write(uint8_t to[REPORT_DATA_MAX], const struct sync_report *report)
{
    const struct directory_progress *progress = &report->progress;
    struct msgpack_writer w;
    uint32_t pairs = 0;
    /* The head is written last: an array of up to 15 pairs has one byte, one of more three. */
    msgpack_writer_init(&w, to + 3, REPORT_DATA_MAX - 3);
    put(&w, &pairs, KEY_STATE,
        (progress->method == DIRECTORY_USN ? STATE_USN : 0u) | (progress->passing ? STATE_PASSING : 0u) |
            (progress->reachable ? STATE_REACHABLE : 0u));
    put(&w, &pairs, KEY_RATE, progress->rate > 0 ? (uint64_t)(progress->rate * 10) : 0);
#define X(key, member) put(&w, &pairs, key, report->member);
    NUMBERS(X)
#undef X
#define X(key, member)                                                                                       \
    put(&w, &pairs, key, report->member > 0 ? (uint64_t)(report->member / CLOCK_MILLISECOND) : 0);
    TIMES(X)
#undef X
    put_text(&w, &pairs, KEY_CONTROLLER, progress->controller);
    put_text(&w, &pairs, KEY_LAST_ERROR, progress->last_error);
    if (report->resume.size) {
        msgpack_put_uint(&w, KEY_RESUME);
        msgpack_put_binary(&w, report->resume.data, report->resume.size);
        pairs++;
    }
    to[0] = 0xde; /* map 16 */
    to[1] = 0;
    to[2] = (uint8_t)pairs;
    return w.full ? 0 : w.size + 3;
}

static bool read_uint(struct cursor *c, uint64_t *value)
{
    struct msgpack_item item = msgpack_next(c);
    *value = item.uint;
    return item.type == MSGPACK_UINT;
}

static bool read_time(struct cursor *c, int64_t *value)
{
    uint64_t ms;
    if (!read_uint(c, &ms) || ms > INT64_MAX / CLOCK_MILLISECOND)
        return false;
    *value = (int64_t)ms * CLOCK_MILLISECOND;
    return true;
}

static bool read_text(struct cursor *c, char *to, size_t capacity)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type != MSGPACK_STRING || item.bytes.size >= capacity ||
        memchr(item.bytes.data, 0, item.bytes.size))
        return false;
    memcpy(to, item.bytes.data, item.bytes.size);
    to[item.bytes.size] = '\0';
    return true;
}

static bool read_state(struct cursor *c, struct directory_progress *progress)
{
    uint64_t state;
    if (!read_uint(c, &state))
        return false;
    progress->method = state & STATE_USN ? DIRECTORY_USN : DIRECTORY_DIRSYNC;
    progress->passing = state & STATE_PASSING;
    progress->reachable = state & STATE_REACHABLE;
    return true;
}

static bool read_rate(struct cursor *c, struct directory_progress *progress)
{
    uint64_t rate;
    if (!read_uint(c, &rate) || rate > UINT32_MAX)
        return false;
    progress->rate = (double)rate / 10;
    return true;
}

static bool read_resume(struct cursor *c, struct bytes *resume)
{
    struct msgpack_item item = msgpack_next(c);
    *resume = item.bytes;
    return item.type == MSGPACK_BINARY && item.bytes.size <= SYNC_RESUME_MAX;
}

static bool read_value(struct sync_report *report, uint64_t key, struct cursor *c)
{
    switch (key) {
    case KEY_STATE:
        return read_state(c, &report->progress);
    case KEY_RATE:
        return read_rate(c, &report->progress);
    case KEY_CONTROLLER:
        return read_text(c, report->progress.controller, sizeof(report->progress.controller));
    case KEY_LAST_ERROR:
        return read_text(c, report->progress.last_error, sizeof(report->progress.last_error));
    case KEY_RESUME:
        return read_resume(c, &report->resume);
#define X(key, member)                                                                                       \
    case key:                                                                                                \
        return read_uint(c, &report->member);
        NUMBERS(X)
#undef X
#define X(key, member)                                                                                       \
    case key:                                                                                                \
        return read_time(c, &report->member);
        TIMES(X)
#undef X
    default:
        return msgpack_skip(c);
    }
}

bool sync_report_read(struct sync_report *report, struct bytes data)
{
    *report = (struct sync_report){0};
    struct cursor c = cursor_of_bytes(data);
    struct msgpack_item map = msgpack_next(&c);
    if (map.type != MSGPACK_MAP)
        return false;
    for (uint32_t i = 0; i < map.count; i++) {
        uint64_t key;
        if (!read_uint(&c, &key) || !read_value(report, key, &c))
            return false;
    }
    return cursor_done(&c) && !c.failed;
}
