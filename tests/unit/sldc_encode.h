/* SPDX-License-Identifier: Apache-2.0
 *
 * An encoder of SLDC for tests: scheme 1 with the longest match of the history buffer, or scheme 2.
 */
#pragma once

#include <stdlib.h>

#include "base/cursor.h"

struct sldc_bits {
    uint8_t *to;
    size_t capacity;
    size_t count; /* bits */
};

static inline void sldc_put(struct sldc_bits *b, unsigned value, unsigned bits)
{
    for (unsigned i = bits; i-- > 0;) {
        if (b->count / 8 >= b->capacity)
            abort();
        if (b->count % 8 == 0)
            b->to[b->count / 8] = 0;
        b->to[b->count / 8] |= (uint8_t)((value >> i & 1) << (7 - b->count % 8));
        b->count++;
    }
}

static inline void sldc_control(struct sldc_bits *b, unsigned symbol)
{
    sldc_put(b, 0x1ff0 | symbol, 13);
}

static inline void sldc_match(struct sldc_bits *b, size_t count, size_t from)
{
    static const struct {
        unsigned prefix, prefix_bits, bits, base;
    } f[] = {{0, 1, 1, 2}, {2, 2, 2, 4}, {6, 3, 3, 8}, {14, 4, 4, 16}, {15, 4, 8, 32}};
    unsigned i = 4;
    while (count < f[i].base)
        i--;
    sldc_put(b, 1, 1);
    sldc_put(b, f[i].prefix, f[i].prefix_bits);
    sldc_put(b, (unsigned)count - f[i].base, f[i].bits);
    sldc_put(b, (unsigned)from, 10);
}

/* The place in the history buffer of the longest match of data[at...], which may overlap itself. */
static inline size_t sldc_longest(const uint8_t *data, size_t size, size_t at, size_t *length)
{
    size_t best = 0, found = 0;
    size_t first = at > 1023 ? at - 1023 : 0;
    for (size_t from = first; from < at; from++) {
        size_t n = 0;
        while (n < 271 && at + n < size && data[from + n] == data[at + n])
            n++;
        if (n > best) {
            best = n;
            found = from;
        }
    }
    *length = best;
    return found % 1024;
}

/* The whole message, length and all; returns its bytes. `to` must hold size * 9 / 8 + 16. */
static inline size_t sldc_encode(const uint8_t *data, size_t size, bool scheme_2, uint8_t *to,
                                 size_t capacity)
{
    struct sldc_bits b = {.to = to, .capacity = capacity};
    sldc_control(&b, scheme_2 ? 6 : 5);
    for (size_t at = 0; at < size;) {
        size_t length = 0;
        size_t from = scheme_2 ? 0 : sldc_longest(data, size, at, &length);
        if (scheme_2) {
            sldc_put(&b, data[at], 8);
            if (data[at] == 0xff)
                sldc_put(&b, 0, 1);
            at++;
        } else if (length >= 2) {
            sldc_match(&b, length, from);
            at += length;
        } else {
            sldc_put(&b, data[at++], 9);
        }
    }
    sldc_control(&b, 4);
    while (b.count % 16)
        sldc_put(&b, 0, 1);
    for (unsigned i = 0; i < 4; i++)
        sldc_put(&b, (unsigned)(size >> 8 * i) & 0xff, 8);
    return b.count / 8;
}
