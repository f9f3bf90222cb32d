/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of the store's tables, and the naming contexts' rows.
 */
#include "sync/entity_store_internal.h"

#include <xxhash.h>

uint64_t key_of_folded(const struct entity_store *store, struct bytes name)
{
    return XXH3_64bits_withSeed(name.data, name.size, store->seed);
}

uint64_t key_of_name(const struct entity_store *store, struct bytes name)
{
    uint8_t folded[ENTITY_STRING_MAX];
    if (name.size > sizeof folded)
        name.size = sizeof folded;
    entity_fold(folded, name);
    return key_of_folded(store, (struct bytes){folded, name.size});
}

/* In the order of RIDs within a domain, in which accounts are made: a pass then writes the table in order
 * too. */
uint64_t key_of_sid(const struct entity_store *store, struct bytes sid)
{
    if (sid.size < 4)
        return 0;
    struct cursor rid = cursor_of(sid.data + sid.size - 4, 4);
    uint64_t domain = XXH3_64bits_withSeed(sid.data, sid.size - 4, store->seed);
    return domain << 32 | cursor_le32(&rid);
}

uint64_t key_of_rdn(const struct entity_store *store, uint32_t parent, struct bytes rdn)
{
    uint8_t folded[ENTITY_STRING_MAX];
    if (rdn.size > sizeof folded)
        rdn.size = sizeof folded;
    entity_fold(folded, rdn);
    return XXH3_64bits_withSeed(folded, rdn.size, store->seed + parent);
}

bool folded_equal(struct bytes a, struct bytes b)
{
    uint8_t x[ENTITY_STRING_MAX], y[ENTITY_STRING_MAX];
    if (a.size != b.size || a.size > sizeof x)
        return false;
    entity_fold(x, a);
    entity_fold(y, b);
    return a.size == 0 || memcmp(x, y, a.size) == 0;
}

bool set_next(MDB_cursor *cursor, uint64_t key, bool *first, uint32_t *number, int *code)
{
    MDB_val k = val_of(&key, sizeof key), value;
    *code = mdb_cursor_get(cursor, &k, &value, *first ? MDB_SET : MDB_NEXT_DUP);
    *first = false;
    if (!*code && !val_copy(value, number, sizeof *number))
        *code = MDB_CORRUPTED;
    return !*code;
}

/* -- contexts ------------------------------------------------------------------------------------------- */

static struct bytes take_run(struct cursor *c)
{
    uint32_t size;
    cursor_copy(c, &size, sizeof size);
    return cursor_take(c, size);
}

bool context_decode(struct bytes bytes, struct context *to)
{
    struct cursor c = cursor_of_bytes(bytes);
    cursor_copy(&c, &to->newest_pass, sizeof to->newest_pass);
    cursor_copy(&c, &to->counts, sizeof to->counts);
    to->dn = take_run(&c);
    to->domain = take_run(&c);
    return !c.failed && cursor_done(&c);
}

static uint8_t *put_run(uint8_t *to, struct bytes run)
{
    uint32_t size = (uint32_t)run.size;
    memcpy(to, &size, sizeof size);
    if (run.size)
        memcpy(to + sizeof size, run.data, run.size);
    return to + sizeof size + run.size;
}

size_t context_encode(uint8_t to[CONTEXT_BYTES_MAX], const struct context *context)
{
    uint8_t *at = to;
    memcpy(at, &context->newest_pass, 4);
    memcpy(at + 4, &context->counts, sizeof context->counts);
    at = put_run(at + 4 + sizeof context->counts, context->dn);
    at = put_run(at, context->domain);
    return (size_t)(at - to);
}
