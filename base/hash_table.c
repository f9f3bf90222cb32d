/* SPDX-License-Identifier: Apache-2.0
 *
 * Linear probing with backward-shift deletion: no tombstones, so that a table which lives for months does not
 * degrade. A slot is a hash and the number of an entry: a probe reads slots only, eight to a cache line,
 * until the hash is the same. Entries stand one after the other as they came: what came together is found
 * together, a walk reads nothing but entries, and only slots are more than what is kept.
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

struct slot {
    uint32_t hash; /* 0: free */
    uint32_t entry;
};

struct hash_table {
    uint64_t seed;
    uint32_t capacity;
    uint32_t count;
    uint32_t mask; /* slots - 1 */
    uint32_t key_size;
    uint32_t value_size;
    uint32_t value_at; /* within an entry */
    size_t stride;
    struct slot *slots;
    uint8_t *entries; /* `count` of them are used */
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
        .slots = calloc(slots, sizeof(struct slot)),
    };
    table->entries = malloc(capacity * table->stride);
    if (!table->slots || !table->entries)
        hash_table_destroy(&table);
    return table;
}

void hash_table_destroy(struct hash_table **table_p)
{
    if (!table_p || !*table_p)
        return;
    free((*table_p)->slots);
    free((*table_p)->entries);
    free(*table_p);
    *table_p = NULL;
}

static uint8_t *entry_at(const struct hash_table *table, uint32_t entry)
{
    return table->entries + entry * table->stride;
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
static struct slot *probe(const struct hash_table *table, const void *key, uint32_t hash)
{
    uint32_t at = hash & table->mask;
    struct slot *slot;
    for (; (slot = &table->slots[at])->hash; at = (at + 1) & table->mask)
        if (slot->hash == hash && is_same(entry_at(table, slot->entry), key, table->key_size))
            break;
    return slot;
}

/* The slot of an entry: no free one is between its home and it. */
static struct slot *find_entry(const struct hash_table *table, uint32_t entry)
{
    uint32_t at = hash_of(table, entry_at(table, entry)) & table->mask;
    while (table->slots[at].entry != entry)
        at = (at + 1) & table->mask;
    return &table->slots[at];
}

/* Gives an entry that has none a slot. */
static void place(struct hash_table *table, uint32_t entry)
{
    uint32_t hash = hash_of(table, entry_at(table, entry)), at = hash & table->mask;
    while (table->slots[at].hash)
        at = (at + 1) & table->mask;
    table->slots[at] = (struct slot){hash, entry};
}

void hash_table_prefetch(const struct hash_table *table, const void *key)
{
    __builtin_prefetch(&table->slots[hash_of(table, key) & table->mask]);
}

void *hash_table_find(const struct hash_table *table, const void *key)
{
    const struct slot *slot = probe(table, key, hash_of(table, key));
    return slot->hash ? entry_at(table, slot->entry) + table->value_at : NULL;
}

uint32_t hash_table_number(const struct hash_table *table, const void *value)
{
    return (uint32_t)((size_t)((const uint8_t *)value - table->entries) / table->stride);
}

void *hash_table_find_at(const struct hash_table *table, const void *key, uint32_t number)
{
    uint8_t *entry = entry_at(table, number);
    if (number < table->count && is_same(entry, key, table->key_size))
        return entry + table->value_at;
    return hash_table_find(table, key);
}

void *hash_table_insert(struct hash_table *table, const void *key, bool *added)
{
    uint32_t hash = hash_of(table, key);
    struct slot *slot = probe(table, key, hash);
    bool is_new = !slot->hash;
    if (added)
        *added = is_new && table->count < table->capacity;
    if (!is_new)
        return entry_at(table, slot->entry) + table->value_at;
    if (table->count == table->capacity)
        return NULL;
    *slot = (struct slot){hash, table->count};
    uint8_t *entry = entry_at(table, table->count++);
    memcpy(entry, key, table->key_size);
    memset(entry + table->value_at, 0, table->value_size);
    return entry + table->value_at;
}

bool hash_table_grow(struct hash_table *table, uint32_t capacity)
{
    if (capacity <= table->capacity)
        return true;
    if (capacity > CAPACITY_MAX)
        return false;
    uint32_t slots = slots_for(capacity);
    uint8_t *entries = realloc(table->entries, capacity * table->stride);
    if (!entries)
        return false;
    table->entries = entries;
    if (slots > table->mask + 1) {
        struct slot *larger = calloc(slots, sizeof(*larger));
        if (!larger)
            return false;
        free(table->slots);
        table->slots = larger;
        table->mask = slots - 1;
        for (uint32_t i = 0; i < table->count; i++)
            place(table, i);
    }
    table->capacity = capacity;
    return true;
}

/* How far what is in the slot stands behind its home. */
static uint32_t distance(const struct hash_table *table, uint32_t slot)
{
    return (slot - table->slots[slot].hash) & table->mask;
}

/* Moves what is behind the hole up, as long as that brings it nearer to its home. */
static void free_slot(struct hash_table *table, uint32_t hole)
{
    uint32_t at = hole;
    for (;;) {
        at = (at + 1) & table->mask;
        if (!table->slots[at].hash)
            break;
        if (distance(table, at) < ((at - hole) & table->mask))
            continue; /* the hole is before its home */
        table->slots[hole] = table->slots[at];
        hole = at;
    }
    table->slots[hole].hash = 0;
}

/* The last entry takes the place of the one that goes. */
static void remove_entry(struct hash_table *table, struct slot *slot)
{
    uint32_t entry = slot->entry, last = --table->count;
    if (entry != last) {
        find_entry(table, last)->entry = entry;
        memcpy(entry_at(table, entry), entry_at(table, last), table->stride);
    }
    free_slot(table, (uint32_t)(slot - table->slots));
}

bool hash_table_remove(struct hash_table *table, const void *key)
{
    struct slot *slot = probe(table, key, hash_of(table, key));
    if (!slot->hash)
        return false;
    remove_entry(table, slot);
    return true;
}

void hash_table_clear(struct hash_table *table)
{
    memset(table->slots, 0, (table->mask + (size_t)1) * sizeof(*table->slots));
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
    if (*at >= table->count)
        return false;
    uint8_t *entry = entry_at(table, (*at)++);
    *key = entry;
    *value = entry + table->value_at;
    return true;
}

uint32_t hash_table_retain(struct hash_table *table,
                           bool (*keep)(void *context, const void *key, void *value), void *context)
{
    uint32_t before = table->count;
    /* From the end: what moves into a gap was asked about already. */
    for (uint32_t i = before; i > 0; i--) {
        uint8_t *entry = entry_at(table, i - 1);
        if (!keep(context, entry, entry + table->value_at))
            remove_entry(table, find_entry(table, i - 1));
    }
    return before - table->count;
}
