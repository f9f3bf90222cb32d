/* SPDX-License-Identifier: Apache-2.0
 *
 * Keytabs written by tests, byte by byte.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"

struct keytab_bytes {
    uint8_t data[65536];
    size_t size;
};

static inline void keytab_put(struct keytab_bytes *k, const void *data, size_t size)
{
    if (size)
        memcpy(k->data + k->size, data, size);
    k->size += size;
}

static inline void keytab_put_int(struct keytab_bytes *k, uint32_t value, unsigned octets)
{
    while (octets--)
        k->data[k->size++] = (uint8_t)(value >> (8 * octets));
}

static inline void keytab_put_text(struct keytab_bytes *k, const char *text, size_t size)
{
    keytab_put_int(k, (uint32_t)size, 2);
    keytab_put(k, text, size);
}

static inline void keytab_begin(struct keytab_bytes *k)
{
    k->size = 0;
    keytab_put_int(k, 0x0502, 2);
}

/* `name` with slashes between its components, which is what a keytab stores apart. */
static inline void keytab_add(struct keytab_bytes *k, const char *name, const char *realm, uint32_t kvno,
                              int etype, const void *key, size_t size)
{
    size_t at = k->size;
    uint32_t components = 1;
    for (const char *c = name; *c; c++)
        components += *c == '/';
    keytab_put_int(k, 0, 4);
    keytab_put_int(k, components, 2);
    keytab_put_text(k, realm, strlen(realm));
    for (const char *part = name;; part++) {
        size_t length = strcspn(part, "/");
        keytab_put_text(k, part, length);
        part += length;
        if (!*part)
            break;
    }
    keytab_put_int(k, 1, 4);
    keytab_put_int(k, 1700000000, 4);
    keytab_put_int(k, kvno & 0xff, 1);
    keytab_put_int(k, (uint32_t)etype, 2);
    keytab_put_text(k, key, size);
    keytab_put_int(k, kvno, 4);
    size_t end = k->size;
    k->size = at;
    keytab_put_int(k, (uint32_t)(end - at - 4), 4);
    k->size = end;
}

static inline void keytab_hole(struct keytab_bytes *k, uint32_t size)
{
    keytab_put_int(k, (uint32_t) - (int32_t)size, 4);
    memset(k->data + k->size, 0xee, size);
    k->size += size;
}

static inline struct bytes keytab_view(const struct keytab_bytes *k)
{
    return (struct bytes){k->data, k->size};
}

/* A whole file, which the caller frees; empty when it is not there. */
static inline struct bytes read_whole(const char *path)
{
    struct bytes none = {0};
    FILE *file = fopen(path, "rb");
    if (!file)
        return none;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
    size_t got = data ? fread(data, 1, (size_t)size, file) : 0;
    fclose(file);
    return (struct bytes){data, got};
}
