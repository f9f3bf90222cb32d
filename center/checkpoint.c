/* SPDX-License-Identifier: Apache-2.0 */
#include "center/checkpoint.h"

#include "center/state_value.h"

#include <stdlib.h>
#include <string.h>

#define TABLES_MAX 512u
#define STALE_MAX  512u

/* A table of the pipeline, and its number in the store: 0 while it has to be asked for. */
struct known_table {
    const char *owner;
    const struct state_form *form;
    int64_t number;
};

/* A change as it waits; `size` bytes of value follow. */
struct change {
    struct subject key;
    int64_t touched;
    uint32_t table, size; /* size GONE: it is gone */
};
#define GONE UINT32_MAX

struct checkpoint {
    uint64_t workspace;
    uint32_t shard, table_count, stale_count;
    struct known_table tables[TABLES_MAX];
    int64_t stale[STALE_MAX];
    uint8_t *changes; /* struct change and value, one after the other */
    size_t size, capacity;
    size_t *order; /* where each begins, by table and key: so pages of the store are met once */
    size_t count, order_capacity;
    uint64_t position; /* of what was gathered */
    bool failed;       /* no memory */
    struct checkpoint_status status;
    uint8_t packed[STATE_VALUE_MAX];
};

struct checkpoint *checkpoint_new(uint64_t workspace, uint32_t shard)
{
    struct checkpoint *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->workspace = workspace;
    self->shard = shard;
    return self;
}

void checkpoint_destroy(struct checkpoint **checkpoint)
{
    if (!*checkpoint)
        return;
    free((*checkpoint)->changes);
    free((*checkpoint)->order);
    free(*checkpoint);
    *checkpoint = NULL;
}

/* -- restoring ------------------------------------------------------------------------------------------- */

struct restoring {
    struct checkpoint *self;
    struct pipeline *pipeline;
};

static void note_stale(struct checkpoint *self, int64_t table)
{
    for (uint32_t i = 0; i < self->stale_count; i++)
        if (self->stale[i] == table)
            return;
    if (self->stale_count < STALE_MAX)
        self->stale[self->stale_count++] = table;
}

static void restore_one(void *context, const struct state_origin *origin, struct subject key, int64_t touched,
                        struct bytes value)
{
    const struct restoring *r = context;
    if (pipeline_restore(r->pipeline, origin->owner, origin->name, origin->version, key, touched, value)) {
        r->self->status.restored++;
        return;
    }
    r->self->status.unknown++;
    note_stale(r->self, origin->table);
}

bool checkpoint_restore(struct checkpoint *self, struct store *store, struct pipeline *pipeline,
                        uint64_t *position, struct fault *fault)
{
    struct restoring r = {self, pipeline};
    if (!store_begin_reading(store, fault))
        return false;
    *position = store_position(store, self->workspace, self->shard);
    store_states_each(store, self->workspace, self->shard, restore_one, &r);
    self->position = self->status.position = *position;
    return store_commit(store, fault);
}

/* -- gathering ------------------------------------------------------------------------------------------- */

static uint32_t table_of(struct checkpoint *self, const char *owner, const struct state_form *form)
{
    for (uint32_t i = 0; i < self->table_count; i++)
        if (self->tables[i].form == form && strcmp(self->tables[i].owner, owner) == 0)
            return i;
    if (self->table_count == TABLES_MAX)
        return TABLES_MAX;
    self->tables[self->table_count] = (struct known_table){.owner = owner, .form = form};
    return self->table_count++;
}

static bool reserve_order(struct checkpoint *self)
{
    if (self->count < self->order_capacity)
        return true;
    size_t capacity = self->order_capacity ? 2 * self->order_capacity : 4096;
    size_t *larger = realloc(self->order, capacity * sizeof(*larger));
    if (!larger)
        return false;
    self->order = larger;
    self->order_capacity = capacity;
    return true;
}

static bool reserve(struct checkpoint *self, size_t size)
{
    size_t capacity = self->capacity ? self->capacity : 65536;
    while (capacity - self->size < size)
        capacity *= 2;
    if (capacity == self->capacity)
        return true;
    uint8_t *larger = realloc(self->changes, capacity);
    if (!larger)
        return false;
    self->changes = larger;
    self->capacity = capacity;
    return true;
}

static void gather_one(void *context, const char *owner, const struct state_form *form, struct subject key,
                       int64_t touched, const void *value)
{
    struct checkpoint *self = context;
    struct change change = {.key = key,
                            .touched = touched,
                            .table = table_of(self, owner, form),
                            .size = value ? form->value_size : GONE};
    size_t size = value ? form->value_size : 0;
    if (self->failed || change.table == TABLES_MAX || !reserve_order(self) ||
        !reserve(self, sizeof(change) + size)) {
        self->failed = true;
        return;
    }
    self->order[self->count++] = self->size;
    memcpy(self->changes + self->size, &change, sizeof(change));
    if (size)
        memcpy(self->changes + self->size + sizeof(change), value, size);
    self->size += sizeof(change) + size;
}

/* Changes of one key stay in their order: it may be gone and then there again. */
static int compare_changes(const void *a, const void *b, void *context)
{
    const struct checkpoint *self = context;
    const size_t x_at = *(const size_t *)a, y_at = *(const size_t *)b;
    struct change x, y;
    memcpy(&x, self->changes + x_at, sizeof(x));
    memcpy(&y, self->changes + y_at, sizeof(y));
    if (x.table != y.table)
        return x.table < y.table ? -1 : 1;
    if (x.key.high != y.key.high)
        return x.key.high < y.key.high ? -1 : 1;
    if (x.key.low != y.key.low)
        return x.key.low < y.key.low ? -1 : 1;
    return (x_at > y_at) - (x_at < y_at);
}

bool checkpoint_gather(struct checkpoint *self, struct pipeline *pipeline, uint64_t position)
{
    pipeline_changes(pipeline, gather_one, self);
    if (self->count)
        qsort_r(self->order, self->count, sizeof(*self->order), compare_changes, self);
    self->position = position;
    return !self->failed;
}

/* -- writing --------------------------------------------------------------------------------------------- */

static int64_t number_of(struct checkpoint *self, struct store *store, uint32_t table)
{
    struct known_table *known = &self->tables[table];
    if (!known->number)
        known->number = store_state_table(store, self->workspace, self->shard, known->owner,
                                          known->form->name, known->form->version);
    return known->number;
}

static bool write_change(struct checkpoint *self, struct store *store, const struct change *change,
                         const uint8_t *value)
{
    int64_t table = number_of(self, store, change->table);
    if (change->size == GONE)
        return store_state_remove(store, table, change->key);
    return store_state_put(store, table, change->key, change->touched,
                           state_value_pack(self->packed, value, change->size));
}

bool checkpoint_write(struct checkpoint *self, struct store *store, int64_t wall)
{
    struct change change;
    bool fine = true;
    for (uint32_t i = 0; i < self->stale_count && fine; i++)
        fine = store_states_clear(store, self->stale[i]);
    for (size_t i = 0; i < self->count && fine; i++) {
        const uint8_t *at = self->changes + self->order[i];
        memcpy(&change, at, sizeof(change));
        fine = write_change(self, store, &change, at + sizeof(change));
    }
    return fine && store_position_put(store, self->workspace, self->shard, self->position, wall);
}

void checkpoint_ended(struct checkpoint *self, bool committed)
{
    if (!committed) {
        /* Numbers that were given out in it are not. */
        for (uint32_t i = 0; i < self->table_count; i++)
            self->tables[i].number = 0;
        return;
    }
    self->status.states += self->count;
    self->status.position = self->position;
    self->stale_count = 0;
    self->size = self->count = 0;
}

void checkpoint_status(const struct checkpoint *checkpoint, struct checkpoint_status *status)
{
    *status = checkpoint->status;
}
