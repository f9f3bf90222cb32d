/* SPDX-License-Identifier: Apache-2.0
 *
 * A sorted set of numbers: the members of a group, or the groups of a member. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entities_numbers {
    uint32_t *at;
    uint32_t count, capacity;
};

void entities_numbers_free(struct entities_numbers *set);
bool entities_numbers_has(const struct entities_numbers *set, uint32_t number);
/* False without memory; `*added` says whether it was new. */
bool entities_numbers_add(struct entities_numbers *set, uint32_t number, bool *added);
bool entities_numbers_remove(struct entities_numbers *set, uint32_t number);
/* Sorts, and leaves each once; returns how many are left. */
uint32_t entities_numbers_sort(uint32_t *numbers, uint32_t count);
/* Adds sorted ones at once. What was new is left in `added`, and its count returned; UINT32_MAX without
 * memory (nothing was added then). */
uint32_t entities_numbers_merge(struct entities_numbers *set, uint32_t *added, uint32_t count);
