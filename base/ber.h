/* SPDX-License-Identifier: Apache-2.0
 *
 * BER/DER elements (X.690) on the byte cursor: what Kerberos, LDAP, SPNEGO and GSS-API are made of.
 * Definite lengths only (RFC 4511 5.1, RFC 4120 5.1: DER); tags up to 30 take one byte, as all of theirs do.
 */
#pragma once

#include "base/cursor.h"

#define BER_BOOLEAN          0x01
#define BER_INTEGER          0x02
#define BER_BIT_STRING       0x03
#define BER_OCTET_STRING     0x04
#define BER_NULL             0x05
#define BER_OID              0x06
#define BER_ENUMERATED       0x0a
#define BER_UTF8_STRING      0x0c
#define BER_SEQUENCE         0x30
#define BER_SET              0x31
#define BER_GENERALIZED_TIME 0x18
#define BER_GENERAL_STRING   0x1b
#define BER_CONTEXT(n)       (0x80 | (n)) /* primitive */
#define BER_CONTEXT_CONS(n)  (0xa0 | (n)) /* constructed */
#define BER_APPLICATION(n)   (0x60 | (n)) /* constructed */

struct ber {
    uint8_t tag;         /* 0 after a failure */
    struct cursor value; /* bounded to the element; fails when the element is longer than its parent */
};

/* The length octets. SIZE_MAX and a failed cursor for indefinite or oversized ones. */
static inline size_t ber_length(struct cursor *c)
{
    if (!cursor_need(c, 1))
        return SIZE_MAX;
    uint8_t first = *c->at++;
    if (first < 0x80)
        return first;
    unsigned octets = first & 0x7f;
    if (octets == 0 || octets > 4 || !cursor_need(c, octets)) {
        cursor_fail(c);
        return SIZE_MAX;
    }
    size_t length = 0;
    while (octets--)
        length = length << 8 | *c->at++;
    return length;
}

/* The next element. At the end or on damage its tag is 0; damage fails the cursor. When the element is cut
 * off by the end of the cursor, its value holds what is there, marked failed, and the cursor fails: a
 * dissector of a truncated message still reads what was captured. (A cursor that was marked so is read like
 * any other: only what is missing stops it.) */
static inline struct ber ber_next(struct cursor *c)
{
    struct ber e = {.tag = 0, .value = {.at = c->end, .end = c->end, .failed = false}};
    if (cursor_done(c))
        return e;
    uint8_t tag = *c->at++;
    if ((tag & 0x1f) == 0x1f) {
        cursor_fail(c);
        return e;
    }
    size_t length = ber_length(c);
    if (length == SIZE_MAX)
        return e;
    e.tag = tag;
    if (length > cursor_left(c)) {
        e.value = (struct cursor){.at = c->at, .end = c->end, .failed = true};
        cursor_fail(c);
        return e;
    }
    e.value = (struct cursor){.at = c->at, .end = c->at + length, .failed = false};
    c->at += length;
    return e;
}

/* The tag that comes next, without stepping; 0 at the end. */
static inline uint8_t ber_peek(const struct cursor *c)
{
    return cursor_done(c) ? 0 : *c->at;
}

/* The next element when it has this tag: its value. Otherwise an empty cursor, and `c` stays. */
static inline bool ber_optional(struct cursor *c, uint8_t tag, struct cursor *value)
{
    if (ber_peek(c) != tag)
        return false;
    *value = ber_next(c).value;
    return true;
}

/* The next element, which must have this tag; another tag fails the cursor. */
static inline struct cursor ber_expect(struct cursor *c, uint8_t tag)
{
    if (ber_peek(c) != tag) {
        cursor_fail(c);
        return (struct cursor){.at = c->end, .end = c->end, .failed = true};
    }
    return ber_next(c).value;
}

/* The content octets of an INTEGER or ENUMERATED, sign-extended; fails beyond eight octets or on none. */
static inline int64_t ber_content_int(struct cursor value)
{
    size_t n = cursor_left(&value);
    if (n == 0 || n > 8)
        return 0;
    int64_t v = (int8_t)cursor_u8(&value);
    while (!cursor_done(&value))
        v = (int64_t)((uint64_t)v << 8 | cursor_u8(&value));
    return v;
}

static inline int64_t ber_integer(struct cursor *c)
{
    struct cursor value = ber_expect(c, BER_INTEGER);
    if (!c->failed && (cursor_done(&value) || cursor_left(&value) > 8))
        cursor_fail(c);
    return ber_content_int(value);
}

static inline int64_t ber_enumerated(struct cursor *c)
{
    struct cursor value = ber_expect(c, BER_ENUMERATED);
    if (!c->failed && (cursor_done(&value) || cursor_left(&value) > 8))
        cursor_fail(c);
    return ber_content_int(value);
}

static inline bool ber_boolean(struct cursor *c)
{
    struct cursor value = ber_expect(c, BER_BOOLEAN);
    return cursor_u8(&value) != 0;
}

static inline struct bytes ber_bytes(struct cursor value)
{
    return cursor_take(&value, cursor_left(&value));
}
