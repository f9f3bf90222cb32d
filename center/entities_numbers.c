/* SPDX-License-Identifier: Apache-2.0 */
#include "center/entities_numbers.h"

#include <stdlib.h>
#include <string.h>

void entities_numbers_free(struct entities_numbers *set)
{
    free(set->at);
    *set = (struct entities_numbers){0};
}

/* The first place whose number is not below. */
static uint32_t place_of(const struct entities_numbers *set, uint32_t number)
{
    uint32_t low = 0, high = set->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (set->at[middle] < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool entities_numbers_has(const struct entities_numbers *set, uint32_t number)
{
    uint32_t place = place_of(set, number);
    return place < set->count && set->at[place] == number;
}

static bool make_room(struct entities_numbers *set, uint32_t more)
{
    if (set->capacity - set->count >= more)
        return true;
    uint32_t capacity = set->count + more;
    if (set->count) /* one that grew will grow again */
        capacity += capacity / 2;
    uint32_t *at = realloc(set->at, capacity * sizeof(*at));
    if (!at)
        return false;
    set->at = at;
    set->capacity = capacity;
    return true;
}

bool entities_numbers_add(struct entities_numbers *set, uint32_t number, bool *added)
{
    uint32_t place = place_of(set, number);
    *added = place == set->count || set->at[place] != number;
    if (!*added)
        return true;
    if (!make_room(set, 1))
        return false;
    memmove(set->at + place + 1, set->at + place, (set->count - place) * sizeof(*set->at));
    set->at[place] = number;
    set->count++;
    return true;
}

bool entities_numbers_remove(struct entities_numbers *set, uint32_t number)
{
    uint32_t place = place_of(set, number);
    if (place == set->count || set->at[place] != number)
        return false;
    set->count--;
    memmove(set->at + place, set->at + place + 1, (set->count - place) * sizeof(*set->at));
    if (set->count == 0)
        entities_numbers_free(set);
    return true;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

uint32_t entities_numbers_sort(uint32_t *numbers, uint32_t count)
{
    uint32_t kept = 0;
    if (count > 1)
        qsort(numbers, count, sizeof(*numbers), by_value);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || numbers[i] != numbers[kept - 1])
            numbers[kept++] = numbers[i];
    return kept;
}

uint32_t entities_numbers_merge(struct entities_numbers *set, uint32_t *added, uint32_t count)
{
    uint32_t fresh = 0;
    for (uint32_t i = 0, place = 0; i < count; i++) {
        while (place < set->count && set->at[place] < added[i])
            place++;
        if (place == set->count || set->at[place] != added[i])
            added[fresh++] = added[i];
    }
    if (fresh == 0)
        return 0;
    if (!make_room(set, fresh))
        return UINT32_MAX;
    /* From behind, so that nothing is overwritten before it moved. */
    uint32_t old = set->count, left = fresh;
    for (uint32_t to = old + fresh; left > 0;) {
        bool is_old = old > 0 && set->at[old - 1] > added[left - 1];
        set->at[--to] = is_old ? set->at[--old] : added[--left];
    }
    set->count += fresh;
    return fresh;
}
