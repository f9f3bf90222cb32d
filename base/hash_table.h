/* SPDX-License-Identifier: Apache-2.0
 *
 * Bounded hash table: keys and values of fixed sizes, all memory taken at creation (or when it is told to
 * grow), open addressing. The hash is XXH3 with a seed that the other side must not know; full is full.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hash_table;

/* For `capacity` entries (1 to 2^28). Keys are compared as bytes: padding in them must be zero. Values stand
 * at addresses aligned for any scalar. NULL without memory. The caller destroys it. */
struct hash_table *hash_table_new(uint32_t capacity, uint32_t key_size, uint32_t value_size, uint64_t seed);
void hash_table_destroy(struct hash_table **table_p);

/* Says that the key will be looked for soon: what is read first is fetched meanwhile. */
void hash_table_prefetch(const struct hash_table *table, const void *key);
/* The value of the key; NULL when there is none. Pointers hold until the next insert or removal. */
void *hash_table_find(const struct hash_table *table, const void *key);

/* Where the entry of a value stands, and the value of a key that was seen standing there: found at once as
 * long as it has not moved. */
uint32_t hash_table_number(const struct hash_table *table, const void *value);
void *hash_table_find_at(const struct hash_table *table, const void *key, uint32_t number);

/* The value of the key, which is put in with a zeroed value when it was not there (`*added`, may be NULL,
 * says so). NULL when the table is full. */
void *hash_table_insert(struct hash_table *table, const void *key, bool *added);

/* Makes room for `capacity` entries in all, when it had less. False without memory, or above the bound: then
 * nothing changed. */
bool hash_table_grow(struct hash_table *table, uint32_t capacity);

/* Whether it was there. */
bool hash_table_remove(struct hash_table *table, const void *key);

void hash_table_clear(struct hash_table *table);
uint32_t hash_table_count(const struct hash_table *table);
uint32_t hash_table_capacity(const struct hash_table *table);

/* Iteration, in the order in which they came as long as none was removed: start with `*at` 0; false at the
 * end. No insert or removal on the way. */
bool hash_table_next(const struct hash_table *table, uint32_t *at, const void **key, void **value);

/* Removes the entries for which `keep` says false; it is asked once about each, last come first. Returns how
 * many were removed. */
uint32_t hash_table_retain(struct hash_table *table,
                           bool (*keep)(void *context, const void *key, void *value), void *context);
