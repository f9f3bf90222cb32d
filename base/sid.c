/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sid.h"

/* [MS-DTYP] 2.4.2.2:
 *
 *   Revision (1, is 1)  SubAuthorityCount (1, at most 15)  IdentifierAuthority (6, big-endian)
 *   SubAuthority (4 each, little-endian)
 */
enum {
    SID_REVISION = 1,
    SID_HEAD = 8,
    SID_SUB_AUTHORITIES_MAX = 15,
};

size_t sid_size(const void *sid, size_t size)
{
    const uint8_t *bytes = sid;
    if (size < SID_HEAD || bytes[0] != SID_REVISION || bytes[1] > SID_SUB_AUTHORITIES_MAX)
        return 0;
    size_t whole = SID_HEAD + 4u * bytes[1];
    return whole <= size ? whole : 0;
}

/* [MS-DTYP] 2.4.2.1: an identifier authority of 2^32 and above is written in hexadecimal. */
void sid_text(struct text *t, struct bytes sid)
{
    if (!sid_size(sid.data, sid.size))
        return;
    struct cursor c = cursor_of_bytes(sid);
    cursor_skip(&c, 1);
    unsigned count = cursor_u8(&c);
    struct bytes authority = cursor_take(&c, 6);
    struct cursor value = cursor_of_bytes(authority);
    uint64_t high = cursor_be16(&value);
    uint64_t number = high << 32 | cursor_be32(&value);
    text_string(t, "S-1-");
    if (high) {
        text_string(t, "0x");
        text_hex(t, authority);
    } else {
        text_uint(t, number);
    }
    while (count--) {
        text_char(t, '-');
        text_uint(t, cursor_le32(&c));
    }
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decimal, or hexadecimal after 0x; at least one digit, at most `most`. */
static bool number_parse(struct cursor *c, uint64_t most, uint64_t *value)
{
    uint64_t base = cursor_match(c, "0x", 2) || cursor_match(c, "0X", 2) ? 16 : 10;
    unsigned digits = 0;
    *value = 0;
    for (; !cursor_done(c); digits++, c->at++) {
        int digit = hex_digit(*c->at);
        if (digit < 0 || (uint64_t)digit >= base)
            break;
        if (*value > (most - (uint64_t)digit) / base)
            return false;
        *value = *value * base + (uint64_t)digit;
    }
    return digits > 0;
}

size_t sid_parse(const void *text, size_t size, uint8_t to[SID_BYTES_MAX])
{
    struct cursor c = cursor_of(text, size);
    uint64_t value;
    if (!cursor_match(&c, "S-1-", 4) && !cursor_match(&c, "s-1-", 4))
        return 0;
    if (!number_parse(&c, (UINT64_C(1) << 48) - 1, &value))
        return 0;
    to[0] = SID_REVISION;
    to[1] = 0;
    for (unsigned i = 0; i < 6; i++)
        to[2 + i] = (uint8_t)(value >> (40 - 8 * i));
    size_t whole = SID_HEAD;
    while (!cursor_done(&c)) {
        if (to[1] == SID_SUB_AUTHORITIES_MAX || !cursor_match(&c, "-", 1) ||
            !number_parse(&c, UINT32_MAX, &value))
            return 0;
        for (unsigned i = 0; i < 4; i++)
            to[whole++] = (uint8_t)(value >> (8 * i));
        to[1]++;
    }
    return whole;
}

/* Where the text's bytes stand on the wire. */
static const uint8_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

bool uuid_parse(const void *text, size_t size, uint8_t to[16])
{
    struct cursor c = cursor_of(text, size);
    for (unsigned i = 0; i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && cursor_u8(&c) != '-')
            return false;
        int high = hex_digit(cursor_u8(&c)), low = hex_digit(cursor_u8(&c));
        if (high < 0 || low < 0)
            return false;
        to[order[i]] = (uint8_t)(high << 4 | low);
    }
    return cursor_done(&c) && !c.failed;
}

void uuid_text(struct text *t, const uint8_t uuid[16])
{
    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text_char(t, '-');
        text_hex(t, (struct bytes){.data = uuid + order[i], .size = 1});
    }
}
