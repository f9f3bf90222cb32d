/* SPDX-License-Identifier: Apache-2.0 */
#include "node/entity_names.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "{00112233-4455-6677-8899-aabbccddeeff}", with or without braces, into the wire's order. */
static bool read_guid(const char *text, struct guid *guid)
{
    static const uint8_t order[GUID_SIZE] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    size_t size = strlen(text);
    if (size == 38 && text[0] == '{' && text[37] == '}') {
        text++;
        size = 36;
    }
    if (size != 36)
        return false;
    for (unsigned i = 0, at = 0; i < GUID_SIZE; i++) {
        if (at == 8 || at == 13 || at == 18 || at == 23)
            if (text[at++] != '-')
                return false;
        int high = hex_digit(text[at]), low = hex_digit(text[at + 1]);
        if (high < 0 || low < 0)
            return false;
        guid->bytes[order[i]] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    return true;
}

/* "S-1-5-21-..." into bytes, [MS-DTYP] 2.4.2.1. */
static bool read_sid(const char *text, uint8_t sid[SID_BYTES_MAX], size_t *size)
{
    if (strncasecmp(text, "S-1-", 4) != 0)
        return false;
    char *end = NULL;
    unsigned long long authority = strtoull(text + 4, &end, 0);
    if (end == text + 4 || authority >> 48)
        return false;
    sid[0] = 1;
    sid[1] = 0;
    for (unsigned i = 0; i < 6; i++)
        sid[2 + i] = (uint8_t)(authority >> (40 - 8 * i));
    *size = 8;
    while (*end == '-') {
        const char *from = end + 1;
        if (!isdigit((unsigned char)*from) || sid[1] == 15)
            return false;
        unsigned long long part = strtoull(from, &end, 10);
        if (part > UINT32_MAX)
            return false;
        for (unsigned i = 0; i < 4; i++)
            sid[(*size)++] = (uint8_t)(part >> (8 * i));
        sid[1]++;
    }
    return *end == '\0';
}

static bool is_dn(const char *name)
{
    const char *equals = strchr(name, '=');
    return equals && equals > name &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.0123456789-") ==
               (size_t)(equals - name);
}

static void add_key(struct lookup_key keys[ENTITY_NAME_KEYS], unsigned *count, enum lookup_kind kind,
                    struct bytes text, struct bytes domain)
{
    if (*count < ENTITY_NAME_KEYS && lookup_key_text(&keys[*count], kind, text, domain))
        ++*count;
}

unsigned entity_name_keys(const char *name, struct lookup_key keys[ENTITY_NAME_KEYS])
{
    const struct bytes any = {NULL, 0}, text = bytes_of(name);
    struct guid guid;
    uint8_t sid[SID_BYTES_MAX];
    size_t sid_length;
    unsigned count = 0;
    const char *backslash = strchr(name, '\\');
    if (read_guid(name, &guid))
        return lookup_key_guid(&keys[0], &guid);
    if (read_sid(name, sid, &sid_length))
        return lookup_key_sid(&keys[0], (struct bytes){sid, sid_length});
    if (is_dn(name)) {
        add_key(keys, &count, LOOKUP_DN, text, any);
        return count;
    }
    if (backslash) {
        struct bytes domain = {text.data, (size_t)(backslash - name)};
        add_key(keys, &count, LOOKUP_ACCOUNT, bytes_of(backslash + 1), domain);
        return count;
    }
    if (strchr(name, '/'))
        add_key(keys, &count, LOOKUP_SPN, text, any);
    if (strchr(name, '@'))
        add_key(keys, &count, LOOKUP_UPN, text, any);
    if (strchr(name, '.'))
        add_key(keys, &count, LOOKUP_DNS_NAME, text, any);
    add_key(keys, &count, LOOKUP_ACCOUNT, text, any);
    return count;
}
