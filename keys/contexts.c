/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/context.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NONE       UINT32_MAX
#define BLOCK      256u /* entries */
#define LOTS       64u
#define NEAR_FRONT 16u /* a part of the list */

/* Entries stand in blocks that are locked and wiped, and come when they are wanted: most holders need few.
 * `slots` finds them by number (linear probing, twice as many slots as entries), a list keeps them in order
 * of use, roughly: what stands near its front stays where it is, for to move it costs its neighbours. */
struct contexts {
    struct security_context **blocks;
    uint32_t *slots; /* index + 1; 0: free */
    uint32_t max, slots_mask;
    uint32_t used;  /* entries that were ever given out */
    uint32_t spare; /* list of free ones, by `older` */
    uint32_t count;
    uint32_t newest, oldest;
    uint64_t now;        /* how often something was put in front */
    uint64_t lots[LOTS]; /* random numbers for new ones */
    uint32_t lots_left;
};

static struct security_context *entry_at(const struct contexts *c, uint32_t index)
{
    return &c->blocks[index / BLOCK][index % BLOCK];
}

static bool has_block(struct contexts *c, uint32_t index)
{
    struct security_context **block = &c->blocks[index / BLOCK];
    if (!*block)
        *block = sodium_allocarray(BLOCK, sizeof **block);
    return *block;
}

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
    c->blocks = calloc(max / BLOCK + 1, sizeof(struct security_context *));
    c->slots = calloc(slots, sizeof *c->slots);
    if (!c->blocks || !c->slots || !has_block(c, 0))
        contexts_destroy(&c);
    return c;
}

void contexts_destroy(struct contexts **contexts_p)
{
    struct contexts *c = *contexts_p;
    if (!c)
        return;
    for (uint32_t i = 0; c->blocks && i <= c->max / BLOCK; i++)
        sodium_free(c->blocks[i]);
    free(c->blocks);
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
        const struct security_context *e = entry_at(c, c->slots[i] - 1);
        if (e->id == id && e->line == line)
            break;
    }
    return &c->slots[i];
}

static void unlist(struct contexts *c, uint32_t index)
{
    struct security_context *e = entry_at(c, index);
    if (e->newer != NONE)
        entry_at(c, e->newer)->older = e->older;
    else
        c->newest = e->older;
    if (e->older != NONE)
        entry_at(c, e->older)->newer = e->newer;
    else
        c->oldest = e->newer;
}

static void list(struct contexts *c, uint32_t index)
{
    struct security_context *e = entry_at(c, index);
    e->listed = ++c->now;
    e->newer = NONE;
    e->older = c->newest;
    if (c->newest != NONE)
        entry_at(c, c->newest)->newer = index;
    else
        c->oldest = index;
    c->newest = index;
}

/* Linear probing without tombstones: what stands behind is moved up. */
static void free_slot(struct contexts *c, const struct security_context *context)
{
    uint32_t hole = (uint32_t)(slot_of(c, context->id, context->line) - c->slots);
    for (uint32_t i = (hole + 1) & c->slots_mask; c->slots[i]; i = (i + 1) & c->slots_mask) {
        const struct security_context *e = entry_at(c, c->slots[i] - 1);
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
    uint32_t index = context->index;
    free_slot(c, context);
    unlist(c, index);
    sodium_memzero(context, sizeof *context);
    context->index = index;
    context->older = c->spare;
    c->spare = index;
    c->count--;
}

static uint64_t draw(struct contexts *c)
{
    if (!c->lots_left) {
        randombytes_buf(c->lots, sizeof c->lots);
        c->lots_left = LOTS;
    }
    return c->lots[--c->lots_left];
}

/* A free place. Without memory for more the one used longest ago goes, as when all are taken. */
static uint32_t free_place(struct contexts *c)
{
    if (c->spare == NONE && c->used < c->max && has_block(c, c->used))
        return c->used++;
    if (c->spare == NONE)
        context_forget(c, entry_at(c, c->oldest));
    uint32_t index = c->spare;
    c->spare = entry_at(c, index)->older;
    return index;
}

struct security_context *context_new(struct contexts *c, enum context_kind kind, uint32_t line)
{
    uint32_t index = free_place(c);
    struct security_context *e = entry_at(c, index);
    memset(e, 0, sizeof *e);
    e->index = index;
    e->kind = (uint8_t)kind;
    e->line = line;
    uint64_t id;
    do
        id = draw(c);
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
    *slot_of(c, id, context->line) = context->index + 1;
}

struct security_context *context_find(struct contexts *c, uint64_t id, uint32_t line)
{
    uint32_t slot = id ? *slot_of(c, id, line) : 0;
    if (!slot)
        return NULL;
    struct security_context *e = entry_at(c, slot - 1);
    if (c->now - e->listed > c->max / NEAR_FRONT) {
        unlist(c, slot - 1);
        list(c, slot - 1);
    }
    return e;
}

void contexts_line_ended(struct contexts *c, uint32_t line)
{
    for (uint32_t i = 0; i < c->used; i++)
        if (entry_at(c, i)->id && entry_at(c, i)->line == line)
            context_forget(c, entry_at(c, i));
}

uint32_t contexts_count(const struct contexts *c)
{
    return c->count;
}
