/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrays that grow, up to a bound.
 */
#pragma once

#include <stdbool.h>
#include <stdlib.h>

/* Makes room for one more element of `size` bytes behind `count`. False (and nothing changed) when there are
 * `most` already or memory is short. */
static inline bool vector_room(void **array, unsigned count, unsigned *capacity, unsigned most, size_t size)
{
    if (count < *capacity)
        return true;
    if (count >= most)
        return false;
    unsigned wanted = *capacity ? *capacity * 2 : 16;
    void *grown = realloc(*array, wanted * size);
    if (!grown)
        return false;
    *array = grown;
    *capacity = wanted;
    return true;
}
