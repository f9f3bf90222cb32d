/* SPDX-License-Identifier: Apache-2.0
 *
 * DER made by tests: elements are opened, filled and closed.
 */
#pragma once

#include "base/ber.h"

#include <stdlib.h>
#include <string.h>

#define DER_MAX 8192

struct der {
    uint8_t data[DER_MAX];
    size_t size;
};

static inline void der_raw(struct der *b, const void *data, size_t size)
{
    if (size > DER_MAX - b->size)
        abort();
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

/* What was put since `start` becomes the content of an element. */
static inline void der_close(struct der *b, size_t start, uint8_t tag)
{
    size_t size = b->size - start;
    uint8_t head[4] = {tag, (uint8_t)size, 0, 0};
    size_t head_size = 2;
    if (size >= 0x80) {
        head[1] = 0x82;
        head[2] = (uint8_t)(size >> 8);
        head[3] = (uint8_t)size;
        head_size = 4;
    }
    if (head_size > DER_MAX - b->size)
        abort();
    memmove(b->data + start + head_size, b->data + start, size);
    memcpy(b->data + start, head, head_size);
    b->size += head_size;
}

static inline void der_element(struct der *b, uint8_t tag, const void *data, size_t size)
{
    size_t start = b->size;
    der_raw(b, data, size);
    der_close(b, start, tag);
}

static inline void der_integer(struct der *b, int64_t value)
{
    uint8_t octets[5];
    for (int i = 0; i < 5; i++)
        octets[i] = (uint8_t)((uint64_t)value >> (32 - 8 * i));
    der_element(b, BER_INTEGER, octets, sizeof octets);
}

/* [n] INTEGER, [n] GeneralString */
static inline void der_member_integer(struct der *b, unsigned n, int64_t value)
{
    size_t start = b->size;
    der_integer(b, value);
    der_close(b, start, (uint8_t)BER_CONTEXT_CONS(n));
}

static inline void der_member_text(struct der *b, unsigned n, uint8_t tag, const char *text)
{
    size_t start = b->size;
    der_element(b, tag, text, strlen(text));
    der_close(b, start, (uint8_t)BER_CONTEXT_CONS(n));
}

static inline void der_member_bytes(struct der *b, unsigned n, uint8_t tag, const void *data, size_t size)
{
    size_t start = b->size;
    der_element(b, tag, data, size);
    der_close(b, start, (uint8_t)BER_CONTEXT_CONS(n));
}
