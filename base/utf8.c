/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include <endian.h>
#include <string.h>

size_t utf8_ascii_run(const uint8_t *text, size_t size)
{
    size_t at = 0;
    for (; at + 8 <= size; at += 8) {
        uint64_t word;
        memcpy(&word, text + at, 8);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (at < size && text[at] < 0x80)
        at++;
    return at;
}

/* RFC 3629 section 4: what may follow a first byte.
 *
 *   first     length  second
 *   C2..DF    2       80..BF
 *   E0        3       A0..BF   (shorter forms are overlong)
 *   E1..EC    3       80..BF
 *   ED        3       80..9F   (above are surrogates)
 *   EE..EF    3       80..BF
 *   F0        4       90..BF   (overlong)
 *   F1..F3    4       80..BF
 *   F4        4       80..8F   (above is beyond U+10FFFF)
 */
static size_t sequence_of(uint8_t first, uint8_t *low, uint8_t *high)
{
    *low = 0x80;
    *high = 0xbf;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef) {
        if (first == 0xe0)
            *low = 0xa0;
        if (first == 0xed)
            *high = 0x9f;
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        if (first == 0xf0)
            *low = 0x90;
        if (first == 0xf4)
            *high = 0x8f;
        return 4;
    }
    return 0;
}

size_t utf8_decode(const uint8_t *text, size_t size, uint32_t *code, bool *valid)
{
    *valid = true;
    if (text[0] < 0x80) {
        *code = text[0];
        return 1;
    }
    uint8_t low;
    uint8_t high;
    size_t length = sequence_of(text[0], &low, &high);
    uint32_t value = length ? text[0] & (0x7fu >> length) : 0;
    size_t at = 1;
    while (at < length && at < size && text[at] >= low && text[at] <= high) {
        value = value << 6 | (text[at] & 0x3fu);
        low = 0x80;
        high = 0xbf;
        at++;
    }
    if (at != length) {
        *valid = false;
        *code = UTF8_REPLACEMENT;
        return at;
    }
    *code = value;
    return length;
}

size_t utf8_encode(uint32_t code, uint8_t to[UTF8_BYTES_MAX])
{
    if (code < 0x80) {
        to[0] = (uint8_t)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (uint8_t)(0xc0 | code >> 6);
        to[1] = (uint8_t)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        code = UTF8_REPLACEMENT;
    if (code < 0x10000) {
        to[0] = (uint8_t)(0xe0 | code >> 12);
        to[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
        to[2] = (uint8_t)(0x80 | (code & 0x3f));
        return 3;
    }
    to[0] = (uint8_t)(0xf0 | code >> 18);
    to[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
    to[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
    to[3] = (uint8_t)(0x80 | (code & 0x3f));
    return 4;
}

/* Appends one character; false when it does not fit. */
static bool append(uint8_t *to, size_t capacity, size_t *used, uint32_t code)
{
    uint8_t form[UTF8_BYTES_MAX];
    size_t length = utf8_encode(code, form);
    if (capacity - *used < length)
        return false;
    memcpy(to + *used, form, length);
    *used += length;
    return true;
}

size_t utf8_copy(uint8_t *to, size_t capacity, const uint8_t *text, size_t size, bool *cut)
{
    size_t used = 0;
    size_t at = 0;
    while (at < size) {
        size_t room = capacity - used;
        size_t run = utf8_ascii_run(text + at, size - at < room ? size - at : room);
        if (run) {
            memcpy(to + used, text + at, run);
            used += run;
            at += run;
            continue;
        }
        uint32_t code;
        bool valid;
        size_t step = utf8_decode(text + at, size - at, &code, &valid);
        if (!append(to, capacity, &used, code)) {
            *cut = true;
            break;
        }
        at += step;
    }
    return used;
}

static uint16_t unit_at(const uint8_t *text, size_t unit)
{
    return (uint16_t)(text[2 * unit] | text[2 * unit + 1] << 8);
}

size_t utf16_units(const uint8_t *text, size_t size, bool *ascii)
{
    size_t units = size / 2;
    size_t at = 0;
    uint64_t seen = 0;
    /* Four units at a time, until one of them is zero. */
    for (; at + 4 <= units; at += 4) {
        uint64_t word;
        memcpy(&word, text + 2 * at, 8);
        word = le64toh(word);
        if ((word - UINT64_C(0x0001000100010001)) & ~word & UINT64_C(0x8000800080008000))
            break;
        seen |= word;
    }
    bool high = (seen & UINT64_C(0xff80ff80ff80ff80)) != 0;
    for (; at < units; at++) {
        uint16_t unit = unit_at(text, at);
        if (!unit)
            break;
        high |= unit > 0x7f;
    }
    *ascii = !high;
    return at;
}

/* The character that begins at unit *at, which moves behind it (RFC 2781 section 2.2). */
static uint32_t utf16_decode(const uint8_t *text, size_t units, size_t *at)
{
    uint32_t unit = unit_at(text, (*at)++);
    if (unit < 0xd800 || unit > 0xdfff)
        return unit;
    if (unit > 0xdbff || *at == units)
        return UTF8_REPLACEMENT;
    uint32_t low = unit_at(text, *at);
    if (low < 0xdc00 || low > 0xdfff)
        return UTF8_REPLACEMENT;
    (*at)++;
    return 0x10000 + ((unit & 0x3ff) << 10 | (low & 0x3ff));
}

size_t utf8_from_utf16(uint8_t *to, size_t capacity, const uint8_t *text, size_t units, bool *cut)
{
    size_t used = 0;
    size_t at = 0;
    while (at < units) {
        if (!append(to, capacity, &used, utf16_decode(text, units, &at))) {
            *cut = true;
            break;
        }
    }
    return used;
}
