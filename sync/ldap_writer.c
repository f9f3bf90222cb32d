/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/ldap_writer.h"

#include "sync/ldap_client.h"
#include "sync/ldap_protocol.h"

#define LENGTH_OCTETS 5u /* 0x84 and four more */

static bool room(struct ldap_writer *w, size_t size)
{
    if (!w->failed && w->capacity - w->size >= size)
        return true;
    w->failed = true;
    return false;
}

void ldap_writer_open(struct ldap_writer *w, uint8_t tag)
{
    if (w->depth == LDAP_WRITER_DEPTH_MAX || !room(w, 1 + LENGTH_OCTETS)) {
        w->failed = true;
        return;
    }
    w->to[w->size] = tag;
    w->size += 1 + LENGTH_OCTETS;
    w->open[w->depth++] = w->size;
}

static void put_length(uint8_t *to, size_t length)
{
    to[0] = 0x84;
    for (unsigned i = 0; i < 4; i++)
        to[1 + i] = (uint8_t)(length >> (8 * (3 - i)));
}

void ldap_writer_close(struct ldap_writer *w)
{
    if (w->failed)
        return;
    size_t start = w->open[--w->depth];
    put_length(w->to + start - LENGTH_OCTETS, w->size - start);
}

static void raw(struct ldap_writer *w, const void *bytes, size_t size)
{
    if (size == 0 || !room(w, size))
        return;
    memcpy(w->to + w->size, bytes, size);
    w->size += size;
}

void ldap_writer_bytes(struct ldap_writer *w, uint8_t tag, struct bytes bytes)
{
    uint8_t head[1 + LENGTH_OCTETS] = {tag, (uint8_t)bytes.size};
    if (bytes.size >= 0x80)
        put_length(head + 1, bytes.size);
    raw(w, head, bytes.size < 0x80 ? 2 : sizeof head);
    raw(w, bytes.data, bytes.size);
}

void ldap_writer_string(struct ldap_writer *w, uint8_t tag, const char *string)
{
    ldap_writer_bytes(w, tag, (struct bytes){(const uint8_t *)string, strlen(string)});
}

void ldap_writer_int(struct ldap_writer *w, uint8_t tag, int64_t value)
{
    uint8_t octets[8];
    for (unsigned i = 0; i < 8; i++)
        octets[i] = (uint8_t)((uint64_t)value >> (8 * (7 - i)));
    unsigned skip = 0; /* as few octets as keep the sign */
    while (skip < 7 && ((octets[skip] == 0 && octets[skip + 1] < 0x80) ||
                        (octets[skip] == 0xff && octets[skip + 1] >= 0x80)))
        skip++;
    ldap_writer_bytes(w, tag, (struct bytes){octets + skip, 8 - skip});
}

void ldap_writer_bool(struct ldap_writer *w, bool value)
{
    uint8_t octet = value ? 0xff : 0;
    ldap_writer_bytes(w, BER_BOOLEAN, (struct bytes){&octet, 1});
}

/* --- filters --- */

#define FILTER_DEPTH_MAX  32u
#define FILTER_AND        0xa0
#define FILTER_OR         0xa1
#define FILTER_NOT        0xa2
#define FILTER_EQUALITY   0xa3
#define FILTER_SUBSTRINGS 0xa4
#define FILTER_GREATER    0xa5
#define FILTER_LESS       0xa6
#define FILTER_PRESENT    0x87
#define FILTER_APPROX     0xa8
#define FILTER_EXTENSIBLE 0xa9

static void filter(struct ldap_writer *w, struct cursor *c, unsigned depth);

static int hex(uint8_t digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    uint8_t lower = digit | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* A value with its escapes undone, as one element. */
static void value(struct ldap_writer *w, uint8_t tag, struct bytes text)
{
    ldap_writer_open(w, tag);
    struct cursor c = cursor_of_bytes(text);
    while (!w->failed && !cursor_done(&c)) {
        uint8_t octet = cursor_u8(&c);
        if (octet == '\\') {
            int high = hex(cursor_u8(&c)), low = hex(cursor_u8(&c));
            w->failed |= high < 0 || low < 0;
            octet = (uint8_t)((unsigned)high << 4 | (unsigned)low);
        } else if (octet == '(' || octet == ')' || octet == '*') {
            w->failed = true;
        }
        raw(w, &octet, 1);
    }
    ldap_writer_close(w);
}

static size_t find(struct bytes text, uint8_t octet)
{
    const uint8_t *at = text.size ? memchr(text.data, octet, text.size) : NULL;
    return at ? (size_t)(at - text.data) : text.size;
}

/* a*b*c: initial, any, final; none of them is empty when it is written. */
static void substrings(struct ldap_writer *w, struct bytes name, struct bytes text)
{
    ldap_writer_open(w, FILTER_SUBSTRINGS);
    ldap_writer_bytes(w, BER_OCTET_STRING, name);
    ldap_writer_open(w, BER_SEQUENCE);
    for (bool first = true;; first = false) {
        size_t star = find(text, '*');
        bool last = star == text.size;
        if (star > 0)
            value(w,
                  first  ? BER_CONTEXT(0)
                  : last ? BER_CONTEXT(2)
                         : BER_CONTEXT(1),
                  (struct bytes){text.data, star});
        if (last)
            break;
        text = (struct bytes){text.data + star + 1, text.size - star - 1};
    }
    ldap_writer_close(w);
    ldap_writer_close(w);
}

/* attr[:dn][:rule]:=value */
static void extensible(struct ldap_writer *w, struct bytes left, struct bytes text)
{
    size_t colon = find(left, ':');
    struct bytes name = {left.data, colon};
    struct bytes rule = {0};
    bool dn = false;
    if (colon < left.size)
        rule = (struct bytes){left.data + colon + 1, left.size - colon - 1};
    if (rule.size >= 2 && memcmp(rule.data, "dn", 2) == 0 && (rule.size == 2 || rule.data[2] == ':')) {
        dn = true;
        rule = rule.size > 3 ? (struct bytes){rule.data + 3, rule.size - 3} : (struct bytes){0};
    }
    ldap_writer_open(w, FILTER_EXTENSIBLE);
    if (rule.size)
        ldap_writer_bytes(w, BER_CONTEXT(1), rule);
    if (name.size)
        ldap_writer_bytes(w, BER_CONTEXT(2), name);
    value(w, BER_CONTEXT(3), text);
    if (dn)
        ldap_writer_bytes(w, BER_CONTEXT(4), (struct bytes){(const uint8_t *)"\xff", 1});
    ldap_writer_close(w);
    w->failed |= name.size == 0 && rule.size == 0;
}

static void item(struct ldap_writer *w, struct bytes text)
{
    size_t equals = find(text, '=');
    if (equals == text.size || equals == 0) {
        w->failed = true;
        return;
    }
    struct bytes name = {text.data, equals};
    struct bytes right = {text.data + equals + 1, text.size - equals - 1};
    uint8_t tag = FILTER_EQUALITY;
    switch (text.data[equals - 1]) {
    case '>':
        tag = FILTER_GREATER;
        break;
    case '<':
        tag = FILTER_LESS;
        break;
    case '~':
        tag = FILTER_APPROX;
        break;
    case ':':
        tag = FILTER_EXTENSIBLE;
        break;
    default:
        break;
    }
    if (tag != FILTER_EQUALITY)
        name.size--;
    if (tag == FILTER_EXTENSIBLE) {
        extensible(w, name, right);
        return;
    }
    w->failed |= name.size == 0;
    if (tag == FILTER_EQUALITY && right.size == 1 && right.data[0] == '*') {
        ldap_writer_bytes(w, FILTER_PRESENT, name);
    } else if (tag == FILTER_EQUALITY && find(right, '*') < right.size) {
        substrings(w, name, right);
    } else {
        ldap_writer_open(w, tag);
        ldap_writer_bytes(w, BER_OCTET_STRING, name);
        value(w, BER_OCTET_STRING, right);
        ldap_writer_close(w);
    }
}

static void set_of(struct ldap_writer *w, struct cursor *c, uint8_t tag, unsigned depth)
{
    cursor_skip(c, 1);
    ldap_writer_open(w, tag);
    do
        filter(w, c, depth + 1);
    while (tag != FILTER_NOT && !w->failed && ber_peek(c) == '(');
    ldap_writer_close(w);
}

static void filter(struct ldap_writer *w, struct cursor *c, unsigned depth)
{
    if (w->failed || depth > FILTER_DEPTH_MAX || !cursor_match(c, "(", 1)) {
        w->failed = true;
        return;
    }
    switch (ber_peek(c)) {
    case '&':
        set_of(w, c, FILTER_AND, depth);
        break;
    case '|':
        set_of(w, c, FILTER_OR, depth);
        break;
    case '!':
        set_of(w, c, FILTER_NOT, depth);
        break;
    default: {
        size_t size = find((struct bytes){c->at, cursor_left(c)}, ')');
        item(w, cursor_take(c, size));
        break;
    }
    }
    if (!cursor_match(c, ")", 1))
        w->failed = true;
}

void ldap_writer_filter(struct ldap_writer *w, const char *text)
{
    struct cursor c = cursor_of(text, strlen(text));
    filter(w, &c, 0);
    if (!cursor_done(&c))
        w->failed = true;
}

bool ldap_filter_escape(char *to, size_t capacity, struct bytes value_)
{
    static const char digits[] = "0123456789abcdef";
    size_t at = 0;
    for (size_t i = 0; i < value_.size; i++) {
        uint8_t octet = value_.data[i];
        bool plain = octet > 0x1f && octet < 0x7f && !strchr("()*\\", octet);
        if (at + (plain ? 1u : 3u) >= capacity)
            return false;
        if (plain) {
            to[at++] = (char)octet;
            continue;
        }
        to[at++] = '\\';
        to[at++] = digits[octet >> 4];
        to[at++] = digits[octet & 15];
    }
    if (at >= capacity)
        return false;
    to[at] = 0;
    return true;
}
