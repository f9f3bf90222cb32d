/* SPDX-License-Identifier: Apache-2.0 */
#include "node/entity_names.h"

#include "base/sid.h"

#include <string.h>

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* With or without braces. */
static bool read_guid(const char *text, struct guid *guid)
{
    size_t size = strlen(text);
    if (size >= 2 && text[0] == '{' && text[size - 1] == '}') {
        text++;
        size -= 2;
    }
    return uuid_parse(text, size, guid->bytes);
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
    unsigned count = 0;
    const char *backslash = strchr(name, '\\');
    if (read_guid(name, &guid))
        return lookup_key_guid(&keys[0], &guid);
    size_t sid_bytes = sid_parse(name, strlen(name), sid);
    if (sid_bytes)
        return lookup_key_sid(&keys[0], (struct bytes){sid, sid_bytes});
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
