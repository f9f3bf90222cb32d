/* SPDX-License-Identifier: Apache-2.0
 *
 * Text built into a buffer of fixed capacity. What does not fit is counted, not written, so that the caller
 * learns the length it needs, as with snprintf.
 */
#pragma once

#include "base/cursor.h"

struct text {
    char *to;
    size_t capacity;
    size_t length; /* of the whole, also of what did not fit */
};

struct text text_to(char *to, size_t capacity);

/* Terminates (when there is any capacity) and returns the whole length. */
size_t text_end(struct text *t);

void text_put(struct text *t, const void *bytes, size_t size);
void text_char(struct text *t, char c);
void text_string(struct text *t, const char *string);
void text_uint(struct text *t, uint64_t value);
void text_int(struct text *t, int64_t value);
/* Decimal, filled up with zeros to `digits` (at most 20). */
void text_padded(struct text *t, uint64_t value, unsigned digits);
/* Lower-case hexadecimal. */
void text_hex(struct text *t, struct bytes bytes);

/* A JSON string, quotes included (RFC 8259 section 7); bytes that are not UTF-8 become U+FFFD. */
void text_json_string(struct text *t, struct bytes utf8);

/* The same text for people's terminals: what could steer one (C0, C1, DEL, the bidirectional overrides)
 * is shown as \u001b, a backslash stays as it is. */
void text_display(struct text *t, struct bytes utf8);

/* Without what is blank at both ends: spaces, tabs, ends of lines, zeros. A view. */
struct bytes text_trimmed(struct bytes text);
