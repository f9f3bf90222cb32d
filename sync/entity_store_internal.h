/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the entity store share. Not for callers.
 *
 * An entity has a number (u32, never used twice) by which everything refers to it, so that the large table of
 * rows is appended to instead of inserted into, and an entry of an index takes 22 bytes. Tables:
 *
 *   rows       number -> record (sync/entity_record.h); ends of links that are no entity too
 *   guids      GUID -> number
 *   marks      number / MARKS -> MARKS marks: when seen, in which pass; apart, as each pass writes them all
 *   sids ...   key of a name -> numbers; candidates only: who reads compares the name with the row's
 *   dns        likewise of (parent's number, RDN)
 *   parents    number -> DN of objects that have others below them: renaming one renames what is below it
 *   parent_dns key of the folded DN -> numbers
 *   forward    (source << 8 | link) -> targets; backward: (target << 8 | link) -> sources
 *   graves     day of deletion -> numbers of tombstones
 *   contexts   number -> naming context with its counts
 *   flats      folded flat name of a domain -> its DNS name
 *   state      name -> bytes
 *   meta       "store" -> struct meta
 */
#pragma once

#include "sync/entity_record.h"
#include "sync/entity_store.h"
#include "sync/entity_value.h"

#include <lmdb.h>
#include <stdatomic.h>

enum table {
    TABLE_ROWS,
    TABLE_GUIDS,
    TABLE_MARKS,
    TABLE_SIDS,
    TABLE_ACCOUNTS,
    TABLE_UPNS,
    TABLE_SPNS,
    TABLE_DNS_NAMES,
    TABLE_DNS,
    TABLE_FORWARD,
    TABLE_BACKWARD,
    TABLE_GRAVES,
    TABLE_PARENT_DNS,
    TABLE_PARENTS,
    TABLE_CONTEXTS,
    TABLE_FLATS,
    TABLE_STATE,
    TABLE_META,
    TABLES
};

/* Those in between map keys to sets of numbers. */
#define TABLE_FIRST_SET TABLE_SIDS
#define TABLE_LAST_SET  TABLE_PARENT_DNS

struct meta {
    uint64_t fingerprint; /* entity_record_fingerprint */
    uint64_t seed;        /* of names' keys: others must not know it, or they could make names collide */
    uint32_t next_row, next_parent;
};

struct mark {
    uint32_t seen; /* seconds since 1970 */
    uint32_t pass;
    uint16_t context;
    uint16_t alive; /* an entity that is no tombstone */
};

#define MARKS 160u /* so that two rows of them fill a page of 4,096 bytes */

struct entity_store {
    MDB_env *env;
    MDB_dbi tables[TABLES];
    struct meta meta; /* as it was committed; the writer's */
    uint64_t seed;    /* of `meta`, which never changes: readers on other threads use it */
    char *path;
    int64_t tombstones_kept;
    bool unsynced; /* the marker file is there; the writer's */
    uint32_t begun;
    atomic_bool damaged; /* told, and the marker file is there */
    struct entity_store_write *write;
};

static inline MDB_val val_of(const void *data, size_t size)
{
    return (MDB_val){.mv_size = size, .mv_data = (void *)(uintptr_t)data};
}

static inline struct bytes bytes_of(MDB_val val)
{
    return (struct bytes){.data = val.mv_data, .size = val.mv_size};
}

/* Only a key or value of a fixed size can be read without a cursor; others are damage. */
static inline bool val_copy(MDB_val val, void *to, size_t size)
{
    if (val.mv_size != size)
        return false;
    memcpy(to, val.mv_data, size);
    return true;
}

/* The store cannot be trusted: said in the log once, and the next opening begins anew. */
void store_damaged(struct entity_store *store, const char *what);

/* Of a return code: whether it says that the file is damaged. */
bool store_is_damage(int code);

/* -- keys of names -------------------------------------------------------------------------------------- */

uint64_t key_of_name(const struct entity_store *store, struct bytes name);   /* folds it */
uint64_t key_of_folded(const struct entity_store *store, struct bytes name); /* folded already */
uint64_t key_of_sid(const struct entity_store *store, struct bytes sid);
uint64_t key_of_rdn(const struct entity_store *store, uint32_t parent, struct bytes rdn);

static inline uint64_t key_of_link(uint32_t number, enum entity_link link)
{
    return (uint64_t)number << 8 | (uint64_t)link;
}

bool folded_equal(struct bytes a, struct bytes b);

/* The numbers of a key in a set table, in order; false at the end. `cursor` of that table; begin with
 * `*first` true. */
bool set_next(MDB_cursor *cursor, uint64_t key, bool *first, uint32_t *number, int *code);

/* -- contexts ------------------------------------------------------------------------------------------- */

struct context {
    uint32_t newest_pass;
    struct entity_counts counts;
    struct bytes dn, domain; /* as given; folded */
};

#define CONTEXT_BYTES_MAX (16 + 8 * (ENTITY_KINDS + 2) + 2 * (ENTITY_STRING_MAX + 4))

/* False when it is none. */
bool context_decode(struct bytes bytes, struct context *to);
size_t context_encode(uint8_t to[CONTEXT_BYTES_MAX], const struct context *context);
