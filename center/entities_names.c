/* SPDX-License-Identifier: Apache-2.0 */
#include "center/entities_names.h"

#include <stdlib.h>

#define SLOTS_LEAST 1024u
#define SLOTS_MOST  (1u << 30)

void entities_names_free(struct entities_names *names)
{
    free(names->keys);
    free(names->numbers);
    *names = (struct entities_names){0};
}

static uint32_t home(const struct entities_names *names, uint64_t key)
{
    return (uint32_t)(key >> 32 ^ key) & (names->slots - 1);
}

static void put(struct entities_names *names, uint64_t key, uint32_t number)
{
    uint32_t at = home(names, key);
    while (names->keys[at])
        at = (at + 1) & (names->slots - 1);
    names->keys[at] = key;
    names->numbers[at] = number;
}

static bool grow(struct entities_names *names)
{
    struct entities_names more = {.slots = names->slots ? names->slots * 2 : SLOTS_LEAST,
                                  .count = names->count};
    if (more.slots > SLOTS_MOST)
        return false;
    more.keys = calloc(more.slots, sizeof(*more.keys));
    more.numbers = calloc(more.slots, sizeof(*more.numbers));
    if (!more.keys || !more.numbers) {
        entities_names_free(&more);
        return false;
    }
    for (uint32_t i = 0; i < names->slots; i++)
        if (names->keys[i])
            put(&more, names->keys[i], names->numbers[i]);
    entities_names_free(names);
    *names = more;
    return true;
}

bool entities_names_add(struct entities_names *names, uint64_t key, uint32_t number)
{
    if (names->count >= names->slots / 4 * 3 && !grow(names))
        return false;
    put(names, key, number);
    names->count++;
    return true;
}

/* Closes the gap: whoever stands behind it and could stand nearer to its home moves up. */
static void close_gap(struct entities_names *names, uint32_t gap)
{
    uint32_t mask = names->slots - 1;
    for (uint32_t at = (gap + 1) & mask; names->keys[at]; at = (at + 1) & mask) {
        uint32_t want = home(names, names->keys[at]);
        if (((at - want) & mask) < ((at - gap) & mask))
            continue;
        names->keys[gap] = names->keys[at];
        names->numbers[gap] = names->numbers[at];
        gap = at;
    }
    names->keys[gap] = 0;
}

void entities_names_remove(struct entities_names *names, uint64_t key, uint32_t number)
{
    if (!names->slots)
        return;
    for (uint32_t at = home(names, key); names->keys[at]; at = (at + 1) & (names->slots - 1)) {
        if (names->keys[at] != key || names->numbers[at] != number)
            continue;
        close_gap(names, at);
        names->count--;
        return;
    }
}

/* `*at` counts the steps from home. */
uint32_t entities_names_next(const struct entities_names *names, uint64_t key, uint32_t *at)
{
    if (!names->slots)
        return 0;
    uint32_t mask = names->slots - 1, base = home(names, key);
    for (; names->keys[(base + *at) & mask]; (*at)++)
        if (names->keys[(base + *at) & mask] == key)
            return names->numbers[(base + (*at)++) & mask];
    return 0;
}

size_t entities_names_bytes(const struct entities_names *names)
{
    return (size_t)names->slots * (sizeof(*names->keys) + sizeof(*names->numbers));
}
