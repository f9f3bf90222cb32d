/* SPDX-License-Identifier: Apache-2.0 */
#include "center/state_table.h"

#include "base/hash_table.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64u

/* What stands before a value in the hash table, which is aligned behind it. */
struct slot {
    int64_t touched;
    uint32_t changed; /* noted to be given out */
    uint32_t given;   /* was given out, or restored: its end has to be told */
};

/* A subject that changed, and where it stood then. */
struct change {
    struct subject key;
    uint64_t number;
};

struct state_table {
    const struct state_form *form;
    struct hash_table *values;
    /* Subjects that are gone since the last time that changes were taken. */
    struct hash_table *gone;
    /* Those that changed since: a checkpoint costs what changed, not what there is. Some may be gone again.
     */
    struct change *changed;
    uint32_t changed_count, changed_room;
    int64_t expired; /* when it was walked over last */
    uint64_t pushed_out;
    int64_t pushed_until; /* the newest time that one of them was touched at */
};

static uint32_t slot_size(const struct state_table *self)
{
    return (uint32_t)sizeof(struct slot) + self->form->value_size;
}

static void *value_of(struct slot *slot)
{
    return slot + 1;
}

struct state_table *state_table_new(const struct state_form *form, uint64_t seed)
{
    struct state_table *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->form = form;
    uint32_t capacity = form->capacity < FIRST_CAPACITY ? form->capacity : FIRST_CAPACITY;
    self->values = hash_table_new(capacity, sizeof(struct subject), slot_size(self), seed);
    self->gone = hash_table_new(FIRST_CAPACITY, sizeof(struct subject), 1, seed);
    if (!self->values || !self->gone)
        state_table_destroy(&self);
    return self;
}

void state_table_destroy(struct state_table **table)
{
    struct state_table *self = *table;
    if (!self)
        return;
    hash_table_destroy(&self->values);
    hash_table_destroy(&self->gone);
    free(self->changed);
    free(self);
    *table = NULL;
}

const struct state_form *state_table_form(const struct state_table *table)
{
    return table->form;
}

/* Makes room for one more, up to `most` entries in all. */
static bool grow(struct hash_table *table, uint32_t most)
{
    uint32_t capacity = hash_table_capacity(table);
    if (hash_table_count(table) < capacity)
        return true;
    return capacity < most && hash_table_grow(table, capacity <= most / 2 ? 2 * capacity : most);
}

/* A subject whose end cannot be noted is had back by a restart, and expires then. */
static void note_gone(struct state_table *self, const void *key, const struct slot *slot)
{
    if (!slot->given)
        return;
    if (grow(self->gone, self->form->capacity))
        hash_table_insert(self->gone, key, NULL);
}

static struct slot *changed_slot(const struct state_table *self, uint32_t i)
{
    const struct change *change = &self->changed[i];
    return hash_table_find_at(self->values, &change->key, (uint32_t)change->number);
}

/* Leaves out those that are gone, and what stands there twice. */
static void compact_changed(struct state_table *self)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < self->changed_count; i++) {
        struct slot *slot = changed_slot(self, i);
        if (!slot || slot->changed != 1)
            continue;
        slot->changed = 2;
        self->changed[kept++] = self->changed[i];
    }
    self->changed_count = kept;
    for (uint32_t i = 0; i < kept; i++)
        changed_slot(self, i)->changed = 1;
}

/* There are never many more than there are values, though nobody may ever take the changes. False: without
 * memory. */
static bool note_changed(struct state_table *self, struct subject key, struct slot *slot)
{
    if (self->changed_count == self->changed_room && self->changed_count > 2 * hash_table_count(self->values))
        compact_changed(self);
    if (self->changed_count == self->changed_room) {
        uint32_t room = self->changed_room ? 2 * self->changed_room : FIRST_CAPACITY;
        struct change *larger = realloc(self->changed, room * sizeof(*larger));
        if (!larger)
            return false;
        self->changed = larger;
        self->changed_room = room;
    }
    self->changed[self->changed_count++] = (struct change){key, hash_table_number(self->values, slot)};
    slot->changed = 1;
    return true;
}

struct bound {
    struct state_table *table;
    int64_t oldest;
    uint64_t dropped;
};

static bool is_newer(void *context, const void *key, void *value)
{
    struct bound *bound = context;
    const struct slot *slot = value;
    if (slot->touched >= bound->oldest)
        return true;
    note_gone(bound->table, key, slot);
    return false;
}

static uint32_t drop_older(struct state_table *self, int64_t than)
{
    struct bound bound = {.table = self, .oldest = than};
    return hash_table_retain(self->values, is_newer, &bound);
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Forgets about the quarter that was touched longest ago: the bound is taken from a sample. */
static void push_out(struct state_table *self)
{
    int64_t sample[256];
    uint32_t count = 0;
    const void *key;
    void *value;
    uint32_t step = hash_table_count(self->values) / 256 + 1, seen = 0;
    for (uint32_t at = 0; count < 256 && hash_table_next(self->values, &at, &key, &value);)
        if (seen++ % step == 0)
            sample[count++] = ((struct slot *)value)->touched;
    qsort(sample, count, sizeof(*sample), compare_times);
    const int64_t until = sample[count / 4];
    self->pushed_out += drop_older(self, until + 1);
    self->pushed_until = until > self->pushed_until ? until : self->pushed_until;
}

static struct slot *find(const struct state_table *self, struct subject key, int64_t now)
{
    struct slot *slot = hash_table_find(self->values, &key);
    if (slot && self->form->lifetime && now - slot->touched > self->form->lifetime)
        return NULL;
    return slot;
}

static struct slot *insert(struct state_table *self, struct subject key, bool *added)
{
    struct slot *slot = hash_table_insert(self->values, &key, added);
    if (!slot) {
        if (!grow(self->values, self->form->capacity))
            push_out(self);
        slot = hash_table_insert(self->values, &key, added);
    }
    if (slot && *added && hash_table_count(self->gone))
        slot->given = hash_table_remove(self->gone, &key);
    return slot;
}

void *state_table_use(struct state_table *self, struct subject key, int64_t now, bool *added)
{
    bool is_new;
    struct slot *slot = insert(self, key, &is_new);
    if (!slot)
        return NULL;
    if (!is_new && self->form->lifetime && now - slot->touched > self->form->lifetime) {
        memset(value_of(slot), 0, self->form->value_size);
        is_new = true;
    }
    if (is_new || now > slot->touched)
        slot->touched = now;
    if (!slot->changed && !note_changed(self, key, slot))
        return NULL;
    if (added)
        *added = is_new;
    return value_of(slot);
}

void *state_table_renew(struct state_table *self, const void *value, int64_t now)
{
    struct slot *slot = (struct slot *)(uintptr_t)value - 1;
    const struct subject *key = (const struct subject *)slot - 1;
    if (now > slot->touched)
        slot->touched = now;
    if (!slot->changed && !note_changed(self, *key, slot))
        return NULL;
    return value_of(slot);
}

void state_table_prefetch(const struct state_table *self, struct subject key)
{
    hash_table_prefetch(self->values, &key);
}

const void *state_table_look(const struct state_table *self, struct subject key, int64_t now)
{
    struct slot *slot = find(self, key, now);
    return slot ? value_of(slot) : NULL;
}

void state_table_forget(struct state_table *self, struct subject key)
{
    const struct slot *slot = hash_table_find(self->values, &key);
    if (!slot)
        return;
    note_gone(self, &key, slot);
    hash_table_remove(self->values, &key);
}

/* Not each time: a walk costs as much as there is, and whose time is over is not had back anyway. */
void state_table_expire(struct state_table *self, int64_t now)
{
    if (self->form->lifetime == 0 || now - self->expired < self->form->lifetime / 8)
        return;
    self->expired = now;
    drop_older(self, now - self->form->lifetime);
}

void state_table_each(const struct state_table *self,
                      void (*visit)(void *context, struct subject key, int64_t touched, const void *value),
                      void *context)
{
    const void *key;
    void *value;
    for (uint32_t at = 0; hash_table_next(self->values, &at, &key, &value);)
        visit(context, *(const struct subject *)key, ((struct slot *)value)->touched, value_of(value));
}

void state_table_changes(struct state_table *self,
                         void (*visit)(void *context, struct subject key, int64_t touched, const void *value),
                         void *context)
{
    const void *key;
    void *value;
    for (uint32_t at = 0; hash_table_next(self->gone, &at, &key, &value);)
        visit(context, *(const struct subject *)key, 0, NULL);
    hash_table_clear(self->gone);
    for (uint32_t i = 0; i < self->changed_count; i++) {
        struct slot *slot = changed_slot(self, i);
        if (slot && slot->changed) { /* one that went and came back stands here twice */
            visit(context, self->changed[i].key, slot->touched, value_of(slot));
            slot->changed = 0;
            slot->given = 1;
        }
    }
    self->changed_count = 0;
}

void state_table_whole(struct state_table *self,
                       void (*visit)(void *context, struct subject key, int64_t touched, const void *value),
                       void *context)
{
    const void *key;
    void *value;
    hash_table_clear(self->gone);
    for (uint32_t at = 0; hash_table_next(self->values, &at, &key, &value);) {
        struct slot *slot = value;
        visit(context, *(const struct subject *)key, slot->touched, value_of(slot));
        slot->changed = 0;
        slot->given = 1;
    }
    self->changed_count = 0;
}

bool state_table_restore(struct state_table *self, struct subject key, int64_t touched, const void *value)
{
    bool added;
    if (!value) {
        hash_table_remove(self->values, &key);
        return true;
    }
    struct slot *slot = insert(self, key, &added);
    if (!slot)
        return false;
    slot->touched = touched;
    slot->changed = 0;
    slot->given = 1;
    memcpy(value_of(slot), value, self->form->value_size);
    return true;
}

void state_table_status(const struct state_table *self, struct state_table_status *status)
{
    uint32_t capacity = hash_table_capacity(self->values);
    *status = (struct state_table_status){
        .count = hash_table_count(self->values),
        .capacity = self->form->capacity,
        .changed = self->changed_count + hash_table_count(self->gone),
        .pushed_out = self->pushed_out,
        .pushed_until = self->pushed_until,
        .bytes = (uint64_t)capacity * (sizeof(struct subject) + slot_size(self)) +
                 (uint64_t)self->changed_room * sizeof(struct change),
    };
}
