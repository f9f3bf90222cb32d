/* SPDX-License-Identifier: Apache-2.0
 *
 * The one byte cursor. Every byte that came from outside is read through it.
 *
 * The error is sticky: a read past the end returns zero, moves the cursor to its end and marks it
 * failed; readers check once, at the end. A sub-cursor bounds what a length field announces, so that a
 * nested reader can never leave its element. Nothing is copied and nothing is owned.
 *
 * A zeroed cursor is an empty one: where nothing is to be read no address is computed, for adding even zero
 * to a null pointer is undefined.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* A step of zero bytes from an empty run whose address is NULL: harmless on every machine, and defined as
 * from C2y; the sanitizer goes by C11. */
#define CURSOR_EMPTY_FINE __attribute__((no_sanitize("pointer-overflow")))

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool failed;
};

/* A run of bytes inside somebody else's buffer; valid as long as that buffer is. */
struct bytes {
    const uint8_t *data;
    size_t size;
};

static inline struct cursor cursor_of(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    return (struct cursor){.at = bytes, .end = size ? bytes + size : bytes, .failed = false};
}

static inline struct cursor cursor_of_bytes(struct bytes bytes)
{
    return cursor_of(bytes.data, bytes.size);
}

static inline size_t cursor_left(const struct cursor *c)
{
    return (size_t)(c->end - c->at);
}

/* No bytes left (also true after a failure). */
static inline bool cursor_done(const struct cursor *c)
{
    return c->at == c->end;
}

static inline void cursor_fail(struct cursor *c)
{
    c->at = c->end;
    c->failed = true;
}

/* True when n bytes can be read; otherwise fails the cursor. */
static inline bool cursor_need(struct cursor *c, size_t n)
{
    if (cursor_left(c) >= n)
        return true;
    cursor_fail(c);
    return false;
}

static inline uint8_t cursor_u8(struct cursor *c)
{
    if (!cursor_need(c, 1))
        return 0;
    return *c->at++;
}

static inline uint16_t cursor_be16(struct cursor *c)
{
    if (!cursor_need(c, 2))
        return 0;
    uint16_t v = (uint16_t)((unsigned)c->at[0] << 8 | c->at[1]);
    c->at += 2;
    return v;
}

static inline uint32_t cursor_be24(struct cursor *c)
{
    if (!cursor_need(c, 3))
        return 0;
    uint32_t v = (uint32_t)c->at[0] << 16 | (uint32_t)c->at[1] << 8 | c->at[2];
    c->at += 3;
    return v;
}

static inline uint32_t cursor_be32(struct cursor *c)
{
    if (!cursor_need(c, 4))
        return 0;
    uint32_t v = (uint32_t)c->at[0] << 24 | (uint32_t)c->at[1] << 16 | (uint32_t)c->at[2] << 8 | c->at[3];
    c->at += 4;
    return v;
}

static inline uint64_t cursor_be64(struct cursor *c)
{
    if (!cursor_need(c, 8))
        return 0;
    uint64_t high = cursor_be32(c);
    return high << 32 | cursor_be32(c);
}

static inline uint16_t cursor_le16(struct cursor *c)
{
    if (!cursor_need(c, 2))
        return 0;
    uint16_t v = (uint16_t)((unsigned)c->at[1] << 8 | c->at[0]);
    c->at += 2;
    return v;
}

static inline uint32_t cursor_le32(struct cursor *c)
{
    if (!cursor_need(c, 4))
        return 0;
    uint32_t v = (uint32_t)c->at[3] << 24 | (uint32_t)c->at[2] << 16 | (uint32_t)c->at[1] << 8 | c->at[0];
    c->at += 4;
    return v;
}

static inline uint64_t cursor_le64(struct cursor *c)
{
    if (!cursor_need(c, 8))
        return 0;
    uint64_t low = cursor_le32(c);
    return (uint64_t)cursor_le32(c) << 32 | low;
}

CURSOR_EMPTY_FINE static inline void cursor_skip(struct cursor *c, size_t n)
{
    if (n > 0 && cursor_need(c, n))
        c->at += n;
}

/* The next n bytes; an empty run after a failure. */
CURSOR_EMPTY_FINE static inline struct bytes cursor_take(struct cursor *c, size_t n)
{
    if (n == 0 || !cursor_need(c, n))
        return (struct bytes){.data = c->at, .size = 0};
    struct bytes run = {.data = c->at, .size = n};
    c->at += n;
    return run;
}

/* A cursor over the next n bytes, which this one steps over. Past the end both fail. */
CURSOR_EMPTY_FINE static inline struct cursor cursor_sub(struct cursor *c, size_t n)
{
    if (n == 0)
        return (struct cursor){.at = c->at, .end = c->at, .failed = false};
    if (!cursor_need(c, n))
        return (struct cursor){.at = c->end, .end = c->end, .failed = true};
    struct cursor sub = {.at = c->at, .end = c->at + n, .failed = false};
    c->at += n;
    return sub;
}

/* All that is left, as a cursor; this one is done afterwards. */
static inline struct cursor cursor_rest(struct cursor *c)
{
    return cursor_sub(c, cursor_left(c));
}

/* Copies n bytes to `to`; zeroes it when there are fewer. */
CURSOR_EMPTY_FINE static inline void cursor_copy(struct cursor *c, void *to, size_t n)
{
    if (!cursor_need(c, n)) {
        memset(to, 0, n);
        return;
    }
    memcpy(to, c->at, n);
    c->at += n;
}

/* True, and steps over them, when the next n bytes are `expected`; never fails the cursor. */
CURSOR_EMPTY_FINE static inline bool cursor_match(struct cursor *c, const void *expected, size_t n)
{
    if (n == 0)
        return true;
    if (cursor_left(c) < n || memcmp(c->at, expected, n) != 0)
        return false;
    c->at += n;
    return true;
}
