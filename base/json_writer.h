/* SPDX-License-Identifier: Apache-2.0
 *
 * JSON written straight into one growing buffer, without a tree: an answer about 10,000 members takes its own
 * size and no more. What goes wrong (memory, the bound) is sticky and shows at the end.
 */
#pragma once

#include "base/cursor.h"

#define JSON_WRITER_DEPTH 16u

struct json_writer {
    char *data; /* owned */
    size_t size, capacity;
    size_t max; /* bytes of the whole, at most */
    bool failed;
    bool comma; /* something stands before the next item */
    unsigned depth;
    char closers[JSON_WRITER_DEPTH];
};

void json_writer_init(struct json_writer *w, size_t max);
void json_writer_free(struct json_writer *w);

/* The text so far, when nothing failed and everything that was opened is closed. */
bool json_writer_done(const struct json_writer *w, struct bytes *text);

/* `key` is NULL for the outermost value and for the items of arrays. */
void json_write_object(struct json_writer *w, const char *key);
void json_write_array(struct json_writer *w, const char *key);
void json_write_close(struct json_writer *w); /* the innermost object or array */

void json_write_string(struct json_writer *w, const char *key, const char *value); /* NULL: null */
void json_write_bool(struct json_writer *w, const char *key, bool value);
void json_write_int(struct json_writer *w, const char *key, int64_t value);
void json_write_uint(struct json_writer *w, const char *key, uint64_t value);
void json_write_null(struct json_writer *w, const char *key);

/* A number of milliseconds or another count; null when it is negative (unknown, never). */
void json_write_known(struct json_writer *w, const char *key, int64_t value);

/* Microseconds as milliseconds with three decimals; null when negative. */
void json_write_us_as_ms(struct json_writer *w, const char *key, int64_t microseconds);

/* ms since 1970 as RFC 3339 in UTC with milliseconds; null when it is 0 or negative (unknown). */
void json_write_time(struct json_writer *w, const char *key, int64_t wall);

/* A whole JSON text that stands elsewhere. */
void json_write_raw(struct json_writer *w, const char *key, struct bytes text);
