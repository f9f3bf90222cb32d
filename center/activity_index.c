/* SPDX-License-Identifier: Apache-2.0 */
#include "center/activity_index.h"

#include "base/clock.h"
#include "base/hash_table.h"

#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 4000000u /* then it cannot wait any more: 160 MB */
#define FULL        500000u
#define SEEN_MAX    8192u

struct mark {
    struct subject subject;
    int64_t hour;
    uint64_t position;
};

struct activity_index {
    struct mark *waiting;
    size_t count, capacity;
    struct hash_table *seen; /* struct mark: lately; most come again and again within a batch */
    uint64_t lost;
};

struct activity_index *activity_index_new(uint64_t seed)
{
    struct activity_index *self = calloc(1, sizeof(*self));
    if (self && !(self->seen = hash_table_new(SEEN_MAX, sizeof(struct mark), 1, seed)))
        activity_index_destroy(&self);
    return self;
}

void activity_index_destroy(struct activity_index **index)
{
    if (!*index)
        return;
    hash_table_destroy(&(*index)->seen);
    free((*index)->waiting);
    free(*index);
    *index = NULL;
}

static bool reserve(struct activity_index *self)
{
    if (self->count < self->capacity)
        return true;
    size_t capacity = self->capacity ? 2 * self->capacity : 4096;
    struct mark *larger =
        self->count < WAITING_MAX ? realloc(self->waiting, capacity * sizeof(*larger)) : NULL;
    if (!larger)
        return false;
    self->waiting = larger;
    self->capacity = capacity;
    return true;
}

static void take(struct activity_index *self, struct subject subject, const struct observation *o)
{
    bool added;
    const struct mark mark = {subject, o->time / CLOCK_HOUR, o->place.position};
    if (subject_is_none(subject))
        return;
    if (hash_table_count(self->seen) == SEEN_MAX)
        hash_table_clear(self->seen);
    hash_table_insert(self->seen, &mark, &added);
    if (!added)
        return;
    if (reserve(self))
        self->waiting[self->count++] = mark;
    else
        self->lost++;
}

void activity_index_take(struct activity_index *self, const struct observation *o)
{
    take(self, o->source.subject, o);
    take(self, o->destination.subject, o);
    take(self, o->account.subject, o);
    take(self, o->service.subject, o);
    take(self, o->target.subject, o);
    take(self, o->group.subject, o);
}

bool activity_index_full(const struct activity_index *index)
{
    return index->count >= FULL;
}

static int compare(const void *a, const void *b)
{
    const struct mark *x = a, *y = b;
    if (x->hour != y->hour)
        return x->hour < y->hour ? -1 : 1;
    if (x->subject.high != y->subject.high)
        return x->subject.high < y->subject.high ? -1 : 1;
    if (x->subject.low != y->subject.low)
        return x->subject.low < y->subject.low ? -1 : 1;
    return (x->position > y->position) - (x->position < y->position);
}

/* The marks of one subject's hour, from `first` on: written as one run. How many they are. */
static size_t write_run(struct activity_index *self, size_t first, uint64_t *positions, struct store *store,
                        uint64_t workspace)
{
    const struct mark *mark = &self->waiting[first];
    size_t end = first, count = 0;
    for (; end < self->count && subject_equal(self->waiting[end].subject, mark->subject) &&
           self->waiting[end].hour == mark->hour;
         end++)
        if (count == 0 || positions[count - 1] != self->waiting[end].position)
            positions[count++] = self->waiting[end].position;
    store_index_add(store, workspace, mark->subject, mark->hour, positions, count);
    return end - first;
}

bool activity_index_write(struct activity_index *self, struct store *store, uint64_t workspace)
{
    if (self->count == 0)
        return true;
    uint64_t *positions = malloc(self->count * sizeof(*positions));
    if (!positions)
        return store_fail(store, "no memory for the index of activities");
    qsort(self->waiting, self->count, sizeof(*self->waiting), compare);
    for (size_t at = 0; at < self->count && !store_failed(store);)
        at += write_run(self, at, positions, store, workspace);
    free(positions);
    return !store_failed(store);
}

void activity_index_forget(struct activity_index *self)
{
    self->count = 0;
    hash_table_clear(self->seen);
}

uint64_t activity_index_lost(const struct activity_index *self)
{
    return self->lost;
}
