/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/reconciliation.h"

#include <stdlib.h>
#include <xxhash.h>

void reconciliation_begin(struct reconciliation *self)
{
    reconciliation_end(self);
}

void reconciliation_end(struct reconciliation *self)
{
    free(self->told);
    memset(self, 0, sizeof *self);
}

static bool grow(struct reconciliation *self)
{
    uint32_t capacity = self->capacity ? self->capacity * 2 : 4096;
    uint64_t *larger =
        capacity > RECONCILIATION_OBJECTS_MAX ? NULL : realloc(self->told, capacity * sizeof *larger);
    if (!larger) {
        self->full = true;
        return false;
    }
    self->told = larger;
    self->capacity = capacity;
    return true;
}

void reconciliation_tell(struct reconciliation *self, const struct guid *guid)
{
    if (self->count == self->capacity && !grow(self))
        return;
    self->told[self->count++] = XXH3_64bits(guid->bytes, sizeof guid->bytes);
    self->sorted = false;
}

static int by_value(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

bool reconciliation_has(struct reconciliation *self, const struct guid *guid)
{
    if (self->full)
        return true;
    if (!self->count)
        return false;
    if (!self->sorted)
        qsort(self->told, self->count, sizeof *self->told, by_value);
    self->sorted = true;
    uint64_t hash = XXH3_64bits(guid->bytes, sizeof guid->bytes);
    return bsearch(&hash, self->told, self->count, sizeof hash, by_value) != NULL;
}
