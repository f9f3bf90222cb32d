/* SPDX-License-Identifier: Apache-2.0
 *
 * The one msgpack layer (https://github.com/msgpack/msgpack/blob/master/spec.md).
 *
 * Writer: appends to a buffer of fixed capacity; what does not fit sets a sticky `full` and leaves the
 * buffer as it was before that item. Reader: pulls items through a cursor, so that a hostile length costs
 * nothing: no tree is built and nothing is allocated.
 */
#pragma once

#include "base/cursor.h"

struct msgpack_writer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    bool full;
};

void msgpack_writer_init(struct msgpack_writer *w, void *buffer, size_t capacity);
void msgpack_put_nil(struct msgpack_writer *w);
void msgpack_put_bool(struct msgpack_writer *w, bool value);
void msgpack_put_uint(struct msgpack_writer *w, uint64_t value);
void msgpack_put_int(struct msgpack_writer *w, int64_t value);
void msgpack_put_double(struct msgpack_writer *w, double value);
void msgpack_put_string(struct msgpack_writer *w, const void *utf8, size_t size);
void msgpack_put_text(struct msgpack_writer *w, const char *text);
void msgpack_put_binary(struct msgpack_writer *w, const void *data, size_t size);
void msgpack_put_array(struct msgpack_writer *w, uint32_t items);
void msgpack_put_map(struct msgpack_writer *w, uint32_t pairs);
/* Bytes that are msgpack already. */
void msgpack_put_raw(struct msgpack_writer *w, const void *data, size_t size);

enum msgpack_type {
    MSGPACK_NIL,
    MSGPACK_BOOL,
    MSGPACK_UINT,
    MSGPACK_INT, /* negative */
    MSGPACK_DOUBLE,
    MSGPACK_STRING,
    MSGPACK_BINARY,
    MSGPACK_ARRAY,
    MSGPACK_MAP,
    MSGPACK_EXTENSION,
    MSGPACK_INVALID, /* the cursor has failed */
};

struct msgpack_item {
    enum msgpack_type type;
    union {
        bool boolean;
        uint64_t uint;
        int64_t sint;
        double real;
        struct bytes bytes; /* string, binary, extension: inside the reader's buffer */
        uint32_t count;     /* items of an array, pairs of a map: the caller reads them next */
    };
    int8_t extension;
};

/* As msgpack_next; not for callers. */
struct msgpack_item msgpack_next_any(struct cursor *c);

/* The next item. Past the end or on a reserved byte: MSGPACK_INVALID, and the cursor fails. An array or
 * map that announces more items than bytes are left fails as well. What is most frequent is read here, where
 * the compiler can leave it in registers: put together in memory an item costs several times as much. */
static inline struct msgpack_item msgpack_next(struct cursor *c)
{
    const size_t left = cursor_left(c);
    if (left == 0)
        return msgpack_next_any(c);
    const uint8_t *at = c->at;
    if (at[0] < 0x80) { /* positive fixint */
        c->at = at + 1;
        return (struct msgpack_item){.type = MSGPACK_UINT, .uint = at[0]};
    }
    if ((at[0] & 0xe0) == 0xa0 && left > (at[0] & 0x1fu)) { /* fixstr */
        c->at = at + 1 + (at[0] & 0x1f);
        return (struct msgpack_item){.type = MSGPACK_STRING, .bytes = {at + 1, at[0] & 0x1f}};
    }
    if ((at[0] == 0xd9 || at[0] == 0xc4) && left > 1 && left - 2 >= at[1]) { /* str 8, bin 8 */
        c->at = at + 2 + at[1];
        return (struct msgpack_item){.type = at[0] == 0xd9 ? MSGPACK_STRING : MSGPACK_BINARY,
                                     .bytes = {at + 2, at[1]}};
    }
    return msgpack_next_any(c);
}

/* The next item where it must be of one type: whatever is not what is wanted fails the cursor, and is 0,
 * false, empty. */
uint64_t msgpack_take_uint(struct cursor *c, uint64_t most);
int64_t msgpack_take_int(struct cursor *c);   /* a positive one, too */
double msgpack_take_double(struct cursor *c); /* no infinity, no NaN */
bool msgpack_take_bool(struct cursor *c);
uint32_t msgpack_take_array(struct cursor *c, uint32_t least, uint32_t most);
/* A string or binary of at most so many bytes: a view of it. */
struct bytes msgpack_take_bytes(struct cursor *c, enum msgpack_type type, size_t most);
/* Binary of exactly that size; on failure `to` is left alone. */
void msgpack_take_binary(struct cursor *c, void *to, size_t size);
/* A string without a NUL, with one behind it in to[capacity]. */
void msgpack_take_text(struct cursor *c, char *to, size_t capacity);

/* Whether it is that string. */
bool msgpack_is_text(const struct msgpack_item *item, const char *text);

/* Steps over one item with all that is in it (iteratively, to any depth). False, and the cursor failed,
 * on damage. */
bool msgpack_skip(struct cursor *c);
