/* SPDX-License-Identifier: Apache-2.0
 *
 * From the hash of a name to the numbers of the entities that bear it: any number of them. Grows as it fills.
 * Hashes are of 64 bits with a seed that nobody else knows, so that two names never meet but by chance
 * (1 in a million at ten million names). Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entities_names {
    uint64_t *keys;    /* 0: free */
    uint32_t *numbers; /* of the same slot */
    uint32_t count, slots;
};

void entities_names_free(struct entities_names *names);
/* `key` is not 0. False without memory. */
bool entities_names_add(struct entities_names *names, uint64_t key, uint32_t number);
void entities_names_remove(struct entities_names *names, uint64_t key, uint32_t number);

/* The next number of a key; begin with `*at` 0. 0: no more. */
uint32_t entities_names_next(const struct entities_names *names, uint64_t key, uint32_t *at);
size_t entities_names_bytes(const struct entities_names *names);
