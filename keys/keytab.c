/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/keytab.h"

static bool damaged(struct keytab *k, size_t at, const char *what)
{
    k->damaged = true;
    cursor_fail(&k->c);
    return fault_say(&k->fault, "damaged at byte %zu: %s", at, what);
}

static uint16_t u16(const struct keytab *k, struct cursor *c)
{
    return k->little_endian ? cursor_le16(c) : cursor_be16(c);
}

static uint32_t u32(const struct keytab *k, struct cursor *c)
{
    return k->little_endian ? cursor_le32(c) : cursor_be32(c);
}

static bool size_fits(uint32_t size, size_t left)
{
    int64_t length = (int32_t)size;
    return (uint64_t)(length < 0 ? -length : length) <= left;
}

bool keytab_open(struct keytab *k, struct bytes bytes)
{
    *k = (struct keytab){.c = cursor_of_bytes(bytes), .begin = bytes.data};
    unsigned version = cursor_be16(&k->c);
    if (version != 0x0502 && version != 0x0501)
        return damaged(k, 0, "not a keytab of version 0x501 or 0x502");
    if (version == 0x0502)
        return true;
    k->counts_the_realm = true;
    /* The order in which the first length makes sense is the one it was written in. */
    struct cursor first = k->c;
    k->little_endian = !size_fits(cursor_be32(&first), cursor_left(&first));
    return true;
}

/* Its components, joined. False when they do not fit. */
static bool read_name(const struct keytab *k, struct cursor *c, struct keytab_entry *e)
{
    e->name_size = 0;
    for (uint32_t i = 0; i < e->components && !c->failed; i++) {
        struct bytes part = cursor_take(c, u16(k, c));
        if (part.size + 1 > sizeof e->name - e->name_size)
            return false;
        if (i > 0)
            e->name[e->name_size++] = '/';
        if (part.size)
            memcpy(e->name + e->name_size, part.data, part.size);
        e->name_size += part.size;
    }
    return true;
}

/* num_components 16, realm, components, name_type 32 (not in 0x501), timestamp 32, vno8 8, etype 16, key,
 * and, when four bytes are left, vno 32, which counts unless it is zero. */
static bool read_entry(struct keytab *k, struct cursor c, struct keytab_entry *e)
{
    e->components = u16(k, &c);
    if (k->counts_the_realm && e->components > 0)
        e->components--;
    e->realm = cursor_take(&c, u16(k, &c));
    if (!read_name(k, &c, e))
        return damaged(k, e->at, "a principal's name that is too long");
    if (!k->counts_the_realm)
        u32(k, &c);
    u32(k, &c);
    e->kvno = cursor_u8(&c);
    e->etype = (int16_t)u16(k, &c);
    e->key = cursor_take(&c, u16(k, &c));
    if (c.failed)
        return damaged(k, e->at, "an entry that ends too early");
    if (cursor_left(&c) >= 4) {
        uint32_t kvno = u32(k, &c);
        if (kvno)
            e->kvno = kvno;
    }
    return true;
}

bool keytab_next(struct keytab *k, struct keytab_entry *e)
{
    while (cursor_left(&k->c) > 0) {
        e->at = (size_t)(k->c.at - k->begin);
        uint32_t size = u32(k, &k->c);
        if (k->c.failed || !size_fits(size, cursor_left(&k->c)))
            return damaged(k, e->at, "an entry longer than the file");
        if (size == 0)
            return false; /* what follows was never written */
        if ((int32_t)size > 0)
            return read_entry(k, cursor_sub(&k->c, size), e);
        cursor_skip(&k->c, (size_t) - (int64_t)(int32_t)size);
    }
    return false;
}
