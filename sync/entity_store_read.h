/* SPDX-License-Identifier: Apache-2.0
 *
 * What the two halves of the store's reader share: entities and names here, links in entity_store_links.c.
 * Not for callers.
 */
#pragma once

#include "sync/entity_store_internal.h"

#define GROUPS_MAX 4095u
#define SEEN_SLOTS 16384u /* of groups met; a power of two, well above GROUPS_MAX */

struct seen_slot {
    uint32_t number, round;
};

struct group {
    uint32_t number, depth;
};

/* Traffic shows the same few names again and again, and a tree of a million entries costs a look-up several
 * misses of the processor's caches. What was found lately is kept with the round of the snapshot, that is,
 * until something was committed. */
#define LATELY_SLOTS 16384u

struct lately_number {
    uint64_t key;
    uint32_t round, number; /* 0: none */
    uint8_t table;
};

struct lately_record {
    struct bytes record;
    uint32_t round, number;
};

struct entity_store_read {
    struct entity_store *store;
    MDB_txn *txn;
    bool resting;
    MDB_cursor *cursors[TABLES];
    bool renewed[TABLES]; /* the cursor belongs to this snapshot */
    struct entity visited;
    size_t snapshot;    /* LMDB's number of it */
    uint32_t snapshots; /* different ones, from 1 on: the round of what was found lately */
    struct lately_number numbers[LATELY_SLOTS];
    struct lately_record records[LATELY_SLOTS];
    /* Of a walk through groups: */
    struct seen_slot seen[SEEN_SLOTS];
    uint32_t round, group_count;
    struct group groups[GROUPS_MAX];
    struct entity member;
};

MDB_cursor *read_cursor(struct entity_store_read *read, enum table table);
/* False when there is none. */
bool read_get(struct entity_store_read *read, enum table table, MDB_val key, MDB_val *value);
bool read_number(struct entity_store_read *read, const struct guid *guid, uint32_t *number);
/* A row by its number, whatever it is. */
bool read_record(struct entity_store_read *read, uint32_t number, struct bytes *record,
                 struct entity_record_head *head);
/* An entity by its number: decoded, with what its record lacks; false for a link's end that is none. */
bool read_entity(struct entity_store_read *read, uint32_t number, struct entity_record_head *head,
                 struct entity *to);

/* The next entity that is not deleted and has this SID; `cursor` is TABLE_SIDS', begin with `*first`. */
bool read_next_sid(struct entity_store_read *read, MDB_cursor *cursor, struct bytes sid, bool *first,
                   uint32_t *number, struct entity_record_head *head);
