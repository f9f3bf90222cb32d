/* SPDX-License-Identifier: Apache-2.0
 *
 * BER and LDAP messages made by tests. Lengths always take the long form of four octets, as Active Directory
 * writes them.
 */
#pragma once

#include "base/cursor.h"

#include <stdlib.h>
#include <string.h>

struct ldap_bytes {
    uint8_t data[16384];
    size_t size;
};

static inline void lb_raw(struct ldap_bytes *b, const void *data, size_t size)
{
    if (b->size + size > sizeof b->data)
        abort();
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

static inline void lb_byte(struct ldap_bytes *b, unsigned byte)
{
    uint8_t one = (uint8_t)byte;
    lb_raw(b, &one, 1);
}

static inline size_t lb_open(struct ldap_bytes *b, unsigned tag)
{
    lb_byte(b, tag);
    lb_raw(b, "\x84\0\0\0\0", 5);
    return b->size;
}

static inline void lb_close(struct ldap_bytes *b, size_t opened)
{
    size_t length = b->size - opened;
    for (int i = 0; i < 4; i++)
        b->data[opened - 4 + (size_t)i] = (uint8_t)(length >> (24 - 8 * i));
}

static inline void lb_octets(struct ldap_bytes *b, unsigned tag, const void *data, size_t size)
{
    size_t at = lb_open(b, tag);
    lb_raw(b, data, size);
    lb_close(b, at);
}

static inline void lb_text(struct ldap_bytes *b, unsigned tag, const char *text)
{
    lb_octets(b, tag, text, strlen(text));
}

/* An INTEGER or ENUMERATED, in the short form. */
static inline void lb_int(struct ldap_bytes *b, unsigned tag, int64_t value)
{
    unsigned octets = value >= -128 && value < 128 ? 1 : value >= -32768 && value < 32768 ? 2 : 5;
    lb_byte(b, tag);
    lb_byte(b, octets);
    while (octets--)
        lb_byte(b, (unsigned)(value >> (8 * octets)) & 0xff);
}

struct lb_message {
    size_t sequence;
    size_t operation;
};

static inline struct lb_message lb_begin(struct ldap_bytes *b, int64_t id, unsigned operation)
{
    struct lb_message m;
    m.sequence = lb_open(b, 0x30);
    lb_int(b, 0x02, id);
    m.operation = lb_open(b, operation);
    return m;
}

static inline void lb_end(struct ldap_bytes *b, struct lb_message m)
{
    lb_close(b, m.operation);
    lb_close(b, m.sequence);
}

/* The operation is complete, a control follows (its value may be NULL). */
static inline void lb_end_with_control(struct ldap_bytes *b, struct lb_message m, const char *oid,
                                       const struct ldap_bytes *value)
{
    lb_close(b, m.operation);
    size_t controls = lb_open(b, 0xa0);
    size_t control = lb_open(b, 0x30);
    lb_text(b, 0x04, oid);
    lb_raw(b, "\x01\x01\xff", 3);
    if (value)
        lb_octets(b, 0x04, value->data, value->size);
    lb_close(b, control);
    lb_close(b, controls);
    lb_close(b, m.sequence);
}

/* -- filters: the text of RFC 4515 as BER --------------------------------------------------------- */

static inline void lb_filter_value(struct ldap_bytes *b, unsigned tag, const char *from, const char *to)
{
    size_t at = lb_open(b, tag);
    while (from < to) {
        if (*from == '\\') {
            const char hex[3] = {from[1], from[2], '\0'};
            lb_byte(b, (unsigned)strtoul(hex, NULL, 16));
            from += 3;
        } else {
            lb_byte(b, (uint8_t)*from++);
        }
    }
    lb_close(b, at);
}

static inline void lb_filter_substrings(struct ldap_bytes *b, const char *from, const char *to)
{
    size_t parts = lb_open(b, 0x30);
    unsigned tag = 0x80;
    while (from <= to) {
        const char *star = memchr(from, '*', (size_t)(to - from));
        const char *end = star ? star : to;
        if (!star)
            tag = 0x82;
        if (end > from)
            lb_filter_value(b, tag, from, end);
        tag = 0x81;
        from = end + 1;
    }
    lb_close(b, parts);
}

static inline void lb_filter_extensible(struct ldap_bytes *b, const char *from, const char *colon,
                                        const char *to)
{
    size_t at = lb_open(b, 0xa9);
    const char *type_end = memchr(from, ':', (size_t)(colon + 1 - from));
    const char *rule = type_end < colon ? type_end + 1 : colon;
    bool dn = colon - rule >= 2 && memcmp(rule, "dn", 2) == 0 && (rule + 2 == colon || rule[2] == ':');
    if (dn)
        rule = rule + 2 < colon ? rule + 3 : colon;
    if (rule < colon)
        lb_octets(b, 0x81, rule, (size_t)(colon - rule));
    if (type_end > from)
        lb_octets(b, 0x82, from, (size_t)(type_end - from));
    lb_filter_value(b, 0x83, colon + 2, to);
    if (dn)
        lb_raw(b, "\x84\x01\xff", 3);
    lb_close(b, at);
}

static inline void lb_filter_item(struct ldap_bytes *b, const char *from, const char *to)
{
    const char *equals = memchr(from, '=', (size_t)(to - from));
    const char *value = equals + 1;
    unsigned tag = 0xa3;
    const char *name_end = equals;
    if (equals[-1] == ':') {
        lb_filter_extensible(b, from, equals - 1, to);
        return;
    }
    if (equals[-1] == '>' || equals[-1] == '<' || equals[-1] == '~') {
        tag = equals[-1] == '>' ? 0xa5 : equals[-1] == '<' ? 0xa6 : 0xa8;
        name_end--;
    } else if (to - value == 1 && *value == '*') {
        lb_octets(b, 0x87, from, (size_t)(equals - from));
        return;
    } else if (memchr(value, '*', (size_t)(to - value))) {
        tag = 0xa4;
    }
    size_t at = lb_open(b, tag);
    lb_octets(b, 0x04, from, (size_t)(name_end - from));
    if (tag == 0xa4)
        lb_filter_substrings(b, value, to);
    else
        lb_filter_value(b, 0x04, value, to);
    lb_close(b, at);
}

/* `*text` stands at "(" and is moved behind its ")". */
static inline void lb_filter(struct ldap_bytes *b, const char **text)
{
    const char *from = *text + 1;
    if (*from == '&' || *from == '|' || *from == '!') {
        size_t at = lb_open(b, *from == '&' ? 0xa0 : *from == '|' ? 0xa1 : 0xa2);
        *text = from + 1;
        while (**text == '(')
            lb_filter(b, text);
        lb_close(b, at);
        ++*text;
        return;
    }
    const char *to = strchr(from, ')');
    lb_filter_item(b, from, to);
    *text = to + 1;
}

static inline void lb_search_body(struct ldap_bytes *b, const char *base, unsigned scope, const char *filter,
                                  const char *const attributes[])
{
    lb_text(b, 0x04, base);
    lb_int(b, 0x0a, scope);
    lb_int(b, 0x0a, 0);
    lb_int(b, 0x02, 0);
    lb_int(b, 0x02, 0);
    lb_raw(b, "\x01\x01\0", 3);
    lb_filter(b, &filter);
    size_t list = lb_open(b, 0x30);
    for (; attributes && *attributes; attributes++)
        lb_text(b, 0x04, *attributes);
    lb_close(b, list);
}

static inline void lb_result(struct ldap_bytes *b, unsigned code, const char *matched, const char *diagnostic)
{
    lb_int(b, 0x0a, code);
    lb_text(b, 0x04, matched);
    lb_text(b, 0x04, diagnostic);
}

/* "name=value" each, ended by NULL; the values of a name that repeats stand together. */
static inline void lb_attributes(struct ldap_bytes *b, const char *const pairs[])
{
    size_t list = lb_open(b, 0x30);
    while (*pairs) {
        const char *equals = strchr(*pairs, '=');
        size_t name = (size_t)(equals - *pairs);
        size_t attribute = lb_open(b, 0x30);
        lb_octets(b, 0x04, *pairs, name);
        size_t values = lb_open(b, 0x31);
        const char *first = *pairs;
        for (; *pairs && strncmp(*pairs, first, name + 1) == 0; pairs++)
            lb_text(b, 0x04, *pairs + name + 1);
        lb_close(b, values);
        lb_close(b, attribute);
    }
    lb_close(b, list);
}

static inline void lb_change(struct ldap_bytes *b, unsigned operation, const char *name, const void *value,
                             size_t size)
{
    size_t change = lb_open(b, 0x30);
    lb_int(b, 0x0a, operation);
    size_t attribute = lb_open(b, 0x30);
    lb_text(b, 0x04, name);
    size_t values = lb_open(b, 0x31);
    lb_octets(b, 0x04, value, size);
    lb_close(b, values);
    lb_close(b, attribute);
    lb_close(b, change);
}
