/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/context.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

/* Entries stand in one block that is locked and wiped; `slots` finds them by number (linear probing, twice as
 * many slots as entries), a list keeps them in order of use. */
struct contexts {
    struct security_context *entries;
    uint32_t *slots; /* index + 1; 0: free */
    uint32_t max, slots_mask;
    uint32_t used;  /* entries that were ever given out */
    uint32_t spare; /* list of free ones, by `older` */
    uint32_t count;
    uint32_t newest, oldest;
};

struct contexts *contexts_new(uint32_t max)
{
    struct contexts *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    uint32_t slots = 16;
    while (slots < max * 2)
        slots *= 2;
    *c =
        (struct contexts){.max = max, .slots_mask = slots - 1, .spare = NONE, .newest = NONE, .oldest = NONE};
    c->entries = sodium_allocarray(max, sizeof *c->entries);
    c->slots = calloc(slots, sizeof *c->slots);
    if (!c->entries || !c->slots)
        contexts_destroy(&c);
    return c;
}

void contexts_destroy(struct contexts **contexts_p)
{
    struct contexts *c = *contexts_p;
    if (!c)
        return;
    sodium_free(c->entries);
    free(c->slots);
    free(c);
    *contexts_p = NULL;
}

/* Numbers are random, or a caller's own count. */
static uint32_t home_of(const struct contexts *c, uint64_t id, uint32_t line)
{
    uint64_t hash = (id ^ (uint64_t)line << 32) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(hash >> 32) & c->slots_mask;
}

static uint32_t *slot_of(struct contexts *c, uint64_t id, uint32_t line)
{
    uint32_t i = home_of(c, id, line);
    for (; c->slots[i]; i = (i + 1) & c->slots_mask) {
        const struct security_context *e = &c->entries[c->slots[i] - 1];
        if (e->id == id && e->line == line)
            break;
    }
    return &c->slots[i];
}

static void unlist(struct contexts *c, uint32_t index)
{
    struct security_context *e = &c->entries[index];
    if (e->newer != NONE)
        c->entries[e->newer].older = e->older;
    else
        c->newest = e->older;
    if (e->older != NONE)
        c->entries[e->older].newer = e->newer;
    else
        c->oldest = e->newer;
}

static void list(struct contexts *c, uint32_t index)
{
    struct security_context *e = &c->entries[index];
    e->newer = NONE;
    e->older = c->newest;
    if (c->newest != NONE)
        c->entries[c->newest].newer = index;
    else
        c->oldest = index;
    c->newest = index;
}

/* Linear probing without tombstones: what stands behind is moved up. */
static void free_slot(struct contexts *c, const struct security_context *context)
{
    uint32_t hole = (uint32_t)(slot_of(c, context->id, context->line) - c->slots);
    for (uint32_t i = (hole + 1) & c->slots_mask; c->slots[i]; i = (i + 1) & c->slots_mask) {
        const struct security_context *e = &c->entries[c->slots[i] - 1];
        uint32_t home = home_of(c, e->id, e->line);
        if (((i - home) & c->slots_mask) < ((i - hole) & c->slots_mask))
            continue;
        c->slots[hole] = c->slots[i];
        hole = i;
    }
    c->slots[hole] = 0;
}

void context_forget(struct contexts *c, struct security_context *context)
{
    uint32_t index = (uint32_t)(context - c->entries);
    free_slot(c, context);
    unlist(c, index);
    sodium_memzero(context, sizeof *context);
    context->older = c->spare;
    c->spare = index;
    c->count--;
}

struct security_context *context_new(struct contexts *c, enum context_kind kind, uint32_t line)
{
    if (c->spare == NONE && c->used == c->max)
        context_forget(c, &c->entries[c->oldest]);
    uint32_t index;
    if (c->spare != NONE) {
        index = c->spare;
        c->spare = c->entries[index].older;
    } else {
        index = c->used++;
    }
    struct security_context *e = &c->entries[index];
    memset(e, 0, sizeof *e);
    e->kind = (uint8_t)kind;
    e->line = line;
    uint64_t id;
    do
        randombytes_buf(&id, sizeof id);
    while (!id || *slot_of(c, id, line));
    uint32_t *slot = slot_of(c, id, line);
    e->id = id;
    *slot = index + 1;
    list(c, index);
    c->count++;
    return e;
}

void context_rename(struct contexts *c, struct security_context *context, uint64_t id)
{
    struct security_context *other = context_find(c, id, context->line);
    if (!id || other == context)
        return;
    if (other)
        context_forget(c, other);
    free_slot(c, context);
    context->id = id;
    *slot_of(c, id, context->line) = (uint32_t)(context - c->entries) + 1;
}

struct security_context *context_find(struct contexts *c, uint64_t id, uint32_t line)
{
    uint32_t slot = id ? *slot_of(c, id, line) : 0;
    if (!slot)
        return NULL;
    unlist(c, slot - 1);
    list(c, slot - 1);
    return &c->entries[slot - 1];
}

void contexts_line_ended(struct contexts *c, uint32_t line)
{
    for (uint32_t i = 0; i < c->used; i++)
        if (c->entries[i].id && c->entries[i].line == line)
            context_forget(c, &c->entries[i]);
}

uint32_t contexts_count(const struct contexts *c)
{
    return c->count;
}
