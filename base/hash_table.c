/* SPDX-License-Identifier: Apache-2.0
 *
 * Linear probing with backward-shift deletion: no tombstones, so that a table which lives for months does not
 * degrade. Hashes stand apart from the entries: a probe reads them only.
 */
#include "base/hash_table.h"

#define XXH_INLINE_ALL
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum {
    ALIGNMENT = 8,
    CAPACITY_MAX = 1 << 28,
};

/* Marks a used slot; the home slot is in the bits below. */
#define USED UINT32_C(0x80000000)

struct hash_table {
    uint64_t seed;
    uint32_t capacity;
    uint32_t count;
    uint32_t mask; /* slots - 1 */
    uint32_t key_size;
    uint32_t value_size;
    uint32_t value_at; /* within an entry */
    size_t stride;
    uint32_t *hashes; /* 0: free */
    uint8_t *entries;
};

static size_t aligned(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* At most three quarters of the slots are ever used. */
static uint32_t slots_for(uint32_t capacity)
{
    uint32_t slots = 4;
    while (slots / 4 * 3 < capacity)
        slots *= 2;
    return slots;
}

struct hash_table *hash_table_new(uint32_t capacity, uint32_t key_size, uint32_t value_size, uint64_t seed)
{
    if (!capacity || capacity > CAPACITY_MAX || !key_size)
        return NULL;
    struct hash_table *table = malloc(sizeof *table);
    if (!table)
        return NULL;
    uint32_t slots = slots_for(capacity);
    *table = (struct hash_table){
        .seed = seed,
        .capacity = capacity,
        .mask = slots - 1,
        .key_size = key_size,
        .value_size = value_size,
        .value_at = (uint32_t)aligned(key_size),
        .stride = aligned(key_size) + aligned(value_size),
        .hashes = calloc(slots, sizeof(uint32_t)),
    };
    table->entries = calloc(slots, table->stride);
    if (!table->hashes || !table->entries)
        hash_table_destroy(&table);
    return table;
}

void hash_table_destroy(struct hash_table **table_p)
{
    if (!table_p || !*table_p)
        return;
    free((*table_p)->hashes);
    free((*table_p)->entries);
    free(*table_p);
    *table_p = NULL;
}

static uint8_t *entry_at(const struct hash_table *table, uint32_t slot)
{
    return table->entries + slot * table->stride;
}

static uint32_t hash_of(const struct hash_table *table, const void *key)
{
    return (uint32_t)XXH3_64bits_withSeed(key, table->key_size, table->seed) | USED;
}

/* Most keys are of 16 bytes or 8: compared as numbers. */
static bool is_same(const void *a, const void *b, uint32_t size)
{
    uint64_t x[2], y[2];
    if (size != 16 && size != 8)
        return memcmp(a, b, size) == 0;
    x[1] = y[1] = 0;
    memcpy(x, a, 8);
    memcpy(y, b, 8);
    if (size == 16) {
        memcpy(&x[1], (const uint8_t *)a + 8, 8);
        memcpy(&y[1], (const uint8_t *)b + 8, 8);
    }
    return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

/* The key's slot, or the free one where it would go: there is always a free one. */
static uint32_t probe(const struct hash_table *table, const void *key, uint32_t hash)
{
    uint32_t slot = hash & table->mask;
    while (table->hashes[slot]) {
        if (table->hashes[slot] == hash && is_same(entry_at(table, slot), key, table->key_size))
            break;
        slot = (slot + 1) & table->mask;
    }
    return slot;
}

void *hash_table_find(const struct hash_table *table, const void *key)
{
    uint32_t slot = probe(table, key, hash_of(table, key));
    return table->hashes[slot] ? entry_at(table, slot) + table->value_at : NULL;
}

void *hash_table_insert(struct hash_table *table, const void *key, bool *added)
{
    uint32_t hash = hash_of(table, key);
    uint32_t slot = probe(table, key, hash);
    uint8_t *entry = entry_at(table, slot);
    bool is_new = !table->hashes[slot];
    if (added)
        *added = is_new && table->count < table->capacity;
    if (!is_new)
        return entry + table->value_at;
    if (table->count == table->capacity)
        return NULL;
    table->count++;
    table->hashes[slot] = hash;
    memcpy(entry, key, table->key_size);
    memset(entry + table->value_at, 0, table->value_size);
    return entry + table->value_at;
}

/* How far the entry in `slot` stands behind its home. */
static uint32_t distance(const struct hash_table *table, uint32_t slot)
{
    return (slot - table->hashes[slot]) & table->mask;
}

/* Moves the entries behind the hole up, as long as that brings them nearer to their home. */
static void remove_slot(struct hash_table *table, uint32_t hole)
{
    uint32_t slot = hole;
    for (;;) {
        slot = (slot + 1) & table->mask;
        if (!table->hashes[slot])
            break;
        if (distance(table, slot) < ((slot - hole) & table->mask))
            continue; /* the hole is before its home */
        table->hashes[hole] = table->hashes[slot];
        memcpy(entry_at(table, hole), entry_at(table, slot), table->stride);
        hole = slot;
    }
    table->hashes[hole] = 0;
    table->count--;
}

bool hash_table_remove(struct hash_table *table, const void *key)
{
    uint32_t slot = probe(table, key, hash_of(table, key));
    if (!table->hashes[slot])
        return false;
    remove_slot(table, slot);
    return true;
}

void hash_table_clear(struct hash_table *table)
{
    memset(table->hashes, 0, (table->mask + (size_t)1) * sizeof *table->hashes);
    table->count = 0;
}

uint32_t hash_table_count(const struct hash_table *table)
{
    return table->count;
}

uint32_t hash_table_capacity(const struct hash_table *table)
{
    return table->capacity;
}

bool hash_table_next(const struct hash_table *table, uint32_t *at, const void **key, void **value)
{
    while (*at <= table->mask) {
        uint32_t slot = (*at)++;
        if (!table->hashes[slot])
            continue;
        *key = entry_at(table, slot);
        *value = entry_at(table, slot) + table->value_at;
        return true;
    }
    return false;
}

uint32_t hash_table_retain(struct hash_table *table,
                           bool (*keep)(void *context, const void *key, void *value), void *context)
{
    uint32_t before = table->count;
    uint32_t slot = 0;
    while (slot <= table->mask) {
        uint8_t *entry = entry_at(table, slot);
        /* After a removal another entry may stand here: look at the slot again. */
        if (table->hashes[slot] && !keep(context, entry, entry + table->value_at))
            remove_slot(table, slot);
        else
            slot++;
    }
    return before - table->count;
}
