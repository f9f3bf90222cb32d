/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/distinguished_name.h"

#include <strings.h>

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* All of `text` as hexadecimal digits; the bytes written, 0 when it is none or does not fit. */
static size_t hex_read(struct bytes text, uint8_t *to, size_t capacity)
{
    if (text.size % 2 || text.size / 2 > capacity)
        return 0;
    struct cursor c = cursor_of_bytes(text);
    for (size_t i = 0; i < text.size / 2; i++) {
        int high = hex_value(cursor_u8(&c)), low = hex_value(cursor_u8(&c));
        if (high < 0 || low < 0)
            return 0;
        to[i] = (uint8_t)(high << 4 | low);
    }
    return text.size / 2;
}

static bool read_guid(struct bytes text, struct extended_dn *to)
{
    to->has_guid = hex_read(text, to->guid.bytes, GUID_SIZE) == GUID_SIZE ||
                   uuid_parse(text.data, text.size, to->guid.bytes);
    return to->has_guid;
}

static bool read_sid(struct bytes text, struct extended_dn *to)
{
    size_t size = hex_read(text, to->sid, sizeof to->sid);
    if (!size)
        size = sid_parse(text.data, text.size, to->sid);
    if (!size || sid_size(to->sid, size) != size)
        return false;
    to->sid_size = (uint8_t)size;
    return true;
}

/* One <NAME=value> with the `;` after it. */
static bool read_part(struct cursor *c, struct extended_dn *to)
{
    const uint8_t *end = memchr(c->at, '>', cursor_left(c));
    if (!end)
        return false;
    struct cursor part = cursor_sub(c, (size_t)(end - c->at));
    cursor_skip(c, 1);
    if (!cursor_done(c) && cursor_u8(c) != ';')
        return false;
    cursor_skip(&part, 1);
    bool guid = cursor_left(&part) > 5 && strncasecmp((const char *)part.at, "GUID=", 5) == 0;
    bool sid = cursor_left(&part) > 4 && strncasecmp((const char *)part.at, "SID=", 4) == 0;
    cursor_skip(&part, guid ? 5 : sid ? 4 : 0);
    struct bytes value = cursor_take(&part, cursor_left(&part));
    if (guid)
        return !to->has_guid && read_guid(value, to);
    return sid && !to->sid_size && read_sid(value, to);
}

bool extended_dn_read(struct bytes text, struct extended_dn *to)
{
    memset(to, 0, sizeof *to);
    struct cursor c = cursor_of_bytes(text);
    while (!cursor_done(&c) && *c.at == '<') {
        if (!read_part(&c, to))
            return false;
    }
    to->dn = cursor_take(&c, cursor_left(&c));
    return true;
}

/* RFC 4514 2.4: what must be escaped wherever it stands; a blank or `#` only at the ends, where we leave what
 * was escaped as it is. */
static bool must_escape(int c)
{
    return c == ',' || c == '+' || c == '"' || c == '\\' || c == '<' || c == '>' || c == ';' || c == '=';
}

/* One character of a value, escaped or not, in its one form. */
static void put_escaped(struct text *t, struct cursor *c)
{
    cursor_skip(c, 1); /* the backslash */
    if (cursor_left(c) < 2 || hex_value(c->at[0]) < 0 || hex_value(c->at[1]) < 0) {
        uint8_t literal = cursor_u8(c);
        if (must_escape(literal) || literal == ' ' || literal == '#')
            text_char(t, '\\');
        text_char(t, (char)literal);
        return;
    }
    uint8_t digits[2] = {cursor_u8(c), cursor_u8(c)};
    int value = hex_value(digits[0]) << 4 | hex_value(digits[1]);
    if (must_escape(value) || value == ' ' || value == '#') {
        text_char(t, '\\');
        text_char(t, (char)value);
    } else if (value < 0x20 || value == 0x7f) {
        static const char upper[] = "0123456789ABCDEF";
        text_char(t, '\\');
        text_char(t, upper[value >> 4]);
        text_char(t, upper[value & 15]);
    } else {
        text_char(t, (char)value);
    }
}

static void skip_blanks(struct cursor *c)
{
    while (!cursor_done(c) && *c->at == ' ')
        cursor_skip(c, 1);
}

size_t dn_normal(char *to, size_t capacity, struct bytes dn)
{
    struct text t = text_to(to, capacity);
    struct cursor c = cursor_of_bytes(dn);
    size_t solid = 0; /* the length without blanks that may turn out to be trailing */
    bool equals = false;
    skip_blanks(&c);
    while (!cursor_done(&c)) {
        uint8_t next = *c.at;
        if (next == '\\') {
            if (cursor_left(&c) < 2)
                return 0;
            put_escaped(&t, &c);
            solid = t.length;
            continue;
        }
        cursor_skip(&c, 1);
        bool separator = next == ',' || next == ';' || next == '+' || (next == '=' && !equals);
        if (separator) {
            if (next != '=' && !equals)
                return 0;
            equals = next == '=';
            t.length = solid;
        }
        text_char(&t, next == ';' ? ',' : (char)next);
        if (separator)
            skip_blanks(&c);
        if (separator || next != ' ')
            solid = t.length;
    }
    t.length = solid;
    return equals && t.length <= capacity ? t.length : 0;
}

/* The offset of the first separator that is not escaped; the size when there is none. */
static size_t find_separator(struct bytes dn)
{
    for (size_t i = 0; i < dn.size; i++) {
        if (dn.data[i] == '\\')
            i++;
        else if (dn.data[i] == ',')
            return i;
    }
    return dn.size;
}

struct bytes dn_parent(struct bytes dn)
{
    struct cursor c = cursor_of_bytes(dn);
    cursor_skip(&c, find_separator(dn));
    if (!cursor_done(&c))
        cursor_skip(&c, 1);
    return cursor_take(&c, cursor_left(&c));
}

struct bytes dn_first_value(struct bytes dn)
{
    struct cursor c = cursor_of_bytes(dn);
    struct cursor rdn = cursor_sub(&c, find_separator(dn));
    const uint8_t *equals = cursor_done(&rdn) ? NULL : memchr(rdn.at, '=', cursor_left(&rdn));
    if (!equals)
        return (struct bytes){0};
    cursor_skip(&rdn, (size_t)(equals - rdn.at) + 1);
    return cursor_take(&rdn, cursor_left(&rdn));
}

struct bytes dn_name_before_deletion(struct bytes dn, bool *deleted)
{
    static const char mark[] = "\\0ADEL:";
    struct bytes value = dn_first_value(dn);
    *deleted = false;
    for (size_t i = 0; i + sizeof mark - 1 <= value.size; i++) {
        if (strncasecmp((const char *)value.data + i, mark, sizeof mark - 1) != 0)
            continue;
        *deleted = true;
        value.size = i;
        break;
    }
    return value;
}

bool dn_is_within(struct bytes dn, struct bytes ancestor)
{
    if (!ancestor.size || dn.size < ancestor.size)
        return false;
    size_t above = dn.size - ancestor.size;
    if (strncasecmp((const char *)dn.data + above, (const char *)ancestor.data, ancestor.size) != 0)
        return false;
    return above == 0 || dn.data[above - 1] == ',';
}

size_t dn_domain(char *to, size_t capacity, struct bytes dn)
{
    struct text t = text_to(to, capacity);
    for (struct bytes rest = dn; rest.size; rest = dn_parent(rest)) {
        if (rest.size < 4 || strncasecmp((const char *)rest.data, "DC=", 3) != 0) {
            t.length = 0;
            continue;
        }
        if (t.length)
            text_char(&t, '.');
        struct bytes label = dn_first_value(rest);
        for (size_t i = 0; i < label.size; i++) {
            bool upper = label.data[i] >= 'A' && label.data[i] <= 'Z';
            text_char(&t, (char)(upper ? label.data[i] | 0x20 : label.data[i]));
        }
    }
    return t.length <= capacity ? t.length : 0;
}

static bool read_number(struct cursor *c, uint32_t *value)
{
    uint64_t sum = 0;
    unsigned digits = 0;
    for (; !cursor_done(c) && *c->at >= '0' && *c->at <= '9'; digits++) {
        sum = sum * 10 + (uint64_t)(cursor_u8(c) - '0');
        if (sum > UINT32_MAX)
            return false;
    }
    *value = (uint32_t)sum;
    return digits > 0;
}

static bool read_range(struct cursor *option, struct attribute_range *range)
{
    if (!read_number(option, &range->low) || cursor_u8(option) != '-')
        return false;
    range->ranged = true;
    if (cursor_match(option, "*", 1)) {
        range->last = true;
        range->high = UINT32_MAX;
    } else if (!read_number(option, &range->high)) {
        return false;
    }
    return cursor_done(option) && !option->failed;
}

bool attribute_name_read(struct bytes text, struct bytes *name, struct attribute_range *range)
{
    memset(range, 0, sizeof *range);
    struct cursor c = cursor_of_bytes(text);
    const uint8_t *option = text.size ? memchr(c.at, ';', cursor_left(&c)) : NULL;
    *name = cursor_take(&c, option ? (size_t)(option - c.at) : cursor_left(&c));
    while (!cursor_done(&c)) {
        cursor_skip(&c, 1);
        option = cursor_done(&c) ? NULL : memchr(c.at, ';', cursor_left(&c));
        struct cursor one = cursor_sub(&c, option ? (size_t)(option - c.at) : cursor_left(&c));
        if (cursor_left(&one) < 6 || strncasecmp((const char *)one.at, "range=", 6) != 0)
            continue;
        cursor_skip(&one, 6);
        if (range->ranged || !read_range(&one, range))
            return false;
    }
    return true;
}
