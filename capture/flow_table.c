/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/flow_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCK_FLOWS_LOG 10
#define BLOCK_FLOWS     (1u << BLOCK_FLOWS_LOG)
#define BLOCK_BYTES     (BLOCK_FLOWS * sizeof(struct flow))
#define GROUP_BLOCKS    9u /* taken at a time, but for the first: they nearly fill a large page */
#define SLOTS_FIRST     4096u
#define HUGE_PAGE       ((size_t)2 * 1024 * 1024)

struct slot {
    uint32_t hash;
    uint32_t index; /* FLOW_NONE: empty */
};

struct list {
    uint32_t oldest;
    uint32_t newest;
    uint32_t count;
};

struct flow_table {
    struct slab *slab;
    uint32_t flows_max;
    uint32_t count;
    uint64_t seed[4];
    struct slot *slots;
    uint32_t mask;
    struct flow **blocks;
    uint32_t blocks_used;
    uint32_t blocks_max;
    uint32_t fresh; /* first index that was never used */
    uint32_t free;  /* chained by `newer` */
    struct list lists[FLOW_CLASSES];
};

static inline struct flow *flow_at(const struct flow_table *table, uint32_t index)
{
    return &table->blocks[index >> BLOCK_FLOWS_LOG][index & (BLOCK_FLOWS - 1)];
}

_Static_assert(GROUP_BLOCKS *BLOCK_BYTES <= HUGE_PAGE && (GROUP_BLOCKS + 1) * BLOCK_BYTES > HUGE_PAGE,
               "a group of blocks makes the most of a large page");

/* Look-ups are all over these tables: with large pages they cost half. */
static void *table_memory(size_t size, bool large)
{
    if (!large || size < HUGE_PAGE / 2)
        return malloc(size);
    size = (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
    void *memory = aligned_alloc(HUGE_PAGE, size);
    if (memory)
        madvise(memory, size, MADV_HUGEPAGE);
    return memory;
}

static struct slot *slots_new(uint32_t count)
{
    struct slot *slots = table_memory(count * sizeof *slots, true);
    if (slots)
        memset(slots, 0xff, count * sizeof *slots);
    return slots;
}

struct flow_table *flow_table_new(struct slab *slab, uint32_t flows_max, const uint64_t seed[4])
{
    struct flow_table *table = calloc(1, sizeof *table);
    if (!table)
        return NULL;
    table->slab = slab;
    table->flows_max = flows_max;
    memcpy(table->seed, seed, sizeof table->seed);
    table->free = FLOW_NONE;
    for (int i = 0; i < FLOW_CLASSES; i++)
        table->lists[i] = (struct list){FLOW_NONE, FLOW_NONE, 0};
    table->blocks_max = flows_max / BLOCK_FLOWS + 1 + GROUP_BLOCKS;
    table->blocks = calloc(table->blocks_max, sizeof *table->blocks);
    table->slots = slots_new(SLOTS_FIRST);
    table->mask = SLOTS_FIRST - 1;
    if (!table->blocks || !table->slots || !slab_charge(slab, SLOTS_FIRST * sizeof *table->slots)) {
        free(table->blocks);
        free(table->slots);
        free(table);
        return NULL;
    }
    return table;
}

void flow_table_destroy(struct flow_table **table_p)
{
    struct flow_table *table = *table_p;
    if (!table)
        return;
    *table_p = NULL;
    for (uint32_t i = 0; i < table->blocks_used; i += i ? GROUP_BLOCKS : 1)
        free(table->blocks[i]);
    slab_uncharge(table->slab, table->blocks_used * BLOCK_BYTES);
    slab_uncharge(table->slab, ((size_t)table->mask + 1) * sizeof *table->slots);
    free(table->blocks);
    free(table->slots);
    free(table);
}

/* The product of two words, folded: every bit of the result depends on every bit of both. */
static inline uint64_t fold(uint64_t a, uint64_t b)
{
    __extension__ typedef unsigned __int128 uint128;
    uint128 product = (uint128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_end(const struct flow_table *table, const uint8_t *address, uint8_t family,
                                uint16_t port)
{
    uint64_t low = 0, high = 0;
    if (family == 4) {
        uint32_t word;
        memcpy(&word, address, 4);
        return fold(((uint64_t)word << 16 | port) ^ table->seed[0], table->seed[1]);
    }
    memcpy(&low, address, 8);
    memcpy(&high, address + 8, 8);
    return fold(fold(low ^ table->seed[0], high ^ table->seed[1]) ^ port, table->seed[2]);
}

uint32_t flow_table_hash(const struct flow_table *table, const struct flow_key *key)
{
    /* The sum makes both directions alike. */
    uint64_t sum = hash_end(table, key->source, key->family, key->source_port) +
                   hash_end(table, key->destination, key->family, key->destination_port);
    return (uint32_t)(fold(sum ^ table->seed[3], table->seed[2] + key->transport) >> 16);
}

static inline bool end_is(const struct endpoint *end, const uint8_t *address, uint8_t family, uint16_t port)
{
    if (end->port != port || end->address.family != family)
        return false;
    return family == 4 ? memcmp(end->address.bytes, address, 4) == 0
                       : memcmp(end->address.bytes, address, 16) == 0;
}

void flow_table_prefetch(const struct flow_table *table, uint32_t hash)
{
    __builtin_prefetch(&table->slots[hash & table->mask]);
}

void flow_table_prefetch_flow(const struct flow_table *table, uint32_t hash)
{
    const struct slot *slot = &table->slots[hash & table->mask];
    if (slot->index == FLOW_NONE)
        return;
    const char *flow = (const char *)flow_at(table, slot->index);
    __builtin_prefetch(flow);
    __builtin_prefetch(flow + 64);
    __builtin_prefetch(flow + 128);
}

struct flow *flow_table_find(struct flow_table *table, const struct flow_key *key, uint32_t hash,
                             enum direction *direction)
{
    for (uint32_t at = hash & table->mask;; at = (at + 1) & table->mask) {
        const struct slot *slot = &table->slots[at];
        if (slot->index == FLOW_NONE)
            return NULL;
        if (slot->hash != hash)
            continue;
        struct flow *flow = flow_at(table, slot->index);
        __builtin_prefetch((const char *)flow + 64);
        __builtin_prefetch((const char *)flow + 128);
        if ((uint8_t)flow->info.transport != key->transport)
            continue;
        if (end_is(&flow->info.client, key->source, key->family, key->source_port) &&
            end_is(&flow->info.server, key->destination, key->family, key->destination_port)) {
            *direction = TO_SERVER;
            return flow;
        }
        if (end_is(&flow->info.server, key->source, key->family, key->source_port) &&
            end_is(&flow->info.client, key->destination, key->family, key->destination_port)) {
            *direction = TO_CLIENT;
            return flow;
        }
    }
}

static void slot_put(struct slot *slots, uint32_t mask, struct slot slot)
{
    uint32_t at = slot.hash & mask;
    while (slots[at].index != FLOW_NONE)
        at = (at + 1) & mask;
    slots[at] = slot;
}

/* At most half of the slots are used, as long as there is memory for more. */
static bool slots_grow(struct flow_table *table)
{
    uint32_t count = table->mask + 1;
    if (table->count < count / 2)
        return true;
    bool must = table->count >= count / 8 * 7;
    if (count > UINT32_MAX / 4 || !slab_charge(table->slab, (size_t)count * sizeof *table->slots))
        return !must;
    struct slot *slots = slots_new(count * 2);
    if (!slots) {
        slab_uncharge(table->slab, (size_t)count * sizeof *table->slots);
        return !must;
    }
    uint32_t mask = count * 2 - 1;
    for (uint32_t i = 0; i < count; i++)
        if (table->slots[i].index != FLOW_NONE)
            slot_put(slots, mask, table->slots[i]);
    free(table->slots);
    table->slots = slots;
    table->mask = mask;
    return true;
}

static void slot_remove(struct flow_table *table, uint32_t hash, uint32_t index)
{
    uint32_t mask = table->mask;
    uint32_t at = hash & mask;
    while (table->slots[at].index != index)
        at = (at + 1) & mask;
    /* Shift back those that a probe would no longer reach over the empty slot. */
    for (uint32_t next = (at + 1) & mask; table->slots[next].index != FLOW_NONE; next = (next + 1) & mask) {
        uint32_t home = table->slots[next].hash & mask;
        if (((next - home) & mask) >= ((next - at) & mask)) {
            table->slots[at] = table->slots[next];
            at = next;
        }
    }
    table->slots[at].index = FLOW_NONE;
}

/* One block for a small engine, then several at a time. */
static bool block_add(struct flow_table *table)
{
    uint32_t count = table->blocks_used ? GROUP_BLOCKS : 1;
    if (table->blocks_used + count > table->blocks_max || !slab_charge(table->slab, count * BLOCK_BYTES))
        return false;
    struct flow *blocks = table_memory(count * BLOCK_BYTES, count > 1);
    if (!blocks) {
        slab_uncharge(table->slab, count * BLOCK_BYTES);
        return false;
    }
    for (uint32_t i = 0; i < count; i++)
        table->blocks[table->blocks_used++] = blocks + i * BLOCK_FLOWS;
    return true;
}

static void list_append(struct flow_table *table, struct flow *flow)
{
    struct list *list = &table->lists[flow->class];
    list->count++;
    flow->newer = FLOW_NONE;
    flow->older = list->newest;
    if (list->newest == FLOW_NONE)
        list->oldest = flow->index;
    else
        flow_at(table, list->newest)->newer = flow->index;
    list->newest = flow->index;
}

static void list_remove(struct flow_table *table, const struct flow *flow)
{
    struct list *list = &table->lists[flow->class];
    list->count--;
    *(flow->older == FLOW_NONE ? &list->oldest : &flow_at(table, flow->older)->newer) = flow->newer;
    *(flow->newer == FLOW_NONE ? &list->newest : &flow_at(table, flow->newer)->older) = flow->older;
}

static struct endpoint endpoint_of(const uint8_t *address, uint8_t family, uint16_t port)
{
    struct endpoint end = {.address.family = family, .port = port};
    memcpy(end.address.bytes, address, family == 4 ? 4 : 16);
    return end;
}

struct flow *flow_table_add(struct flow_table *table, const struct flow_key *key, uint32_t hash,
                            bool reversed, enum flow_class class, uint32_t tick)
{
    if (table->count >= table->flows_max || !slots_grow(table))
        return NULL;
    uint32_t index = table->free;
    if (index != FLOW_NONE) {
        table->free = flow_at(table, index)->newer;
    } else {
        if (table->fresh == table->blocks_used * BLOCK_FLOWS && !block_add(table))
            return NULL;
        index = table->fresh++;
    }
    struct flow *flow = flow_at(table, index);
    memset(flow, 0, sizeof *flow);
    struct endpoint source = endpoint_of(key->source, key->family, key->source_port);
    struct endpoint destination = endpoint_of(key->destination, key->family, key->destination_port);
    flow->info.transport = key->transport;
    flow->info.client = reversed ? destination : source;
    flow->info.server = reversed ? source : destination;
    flow->hash = hash;
    flow->index = index;
    flow->class = (uint8_t) class;
    flow->tick = tick;
    list_append(table, flow);
    slot_put(table->slots, table->mask, (struct slot){.hash = hash, .index = index});
    table->count++;
    return flow;
}

void flow_table_remove(struct flow_table *table, struct flow *flow)
{
    slot_remove(table, flow->hash, flow->index);
    list_remove(table, flow);
    flow->class = FLOW_CLASSES; /* nobody's */
    flow->newer = table->free;
    table->free = flow->index;
    table->count--;
}

void flow_table_touch(struct flow_table *table, struct flow *flow, uint32_t tick)
{
    if (flow->tick == tick)
        return;
    list_remove(table, flow);
    flow->tick = tick;
    list_append(table, flow);
}

void flow_table_classify(struct flow_table *table, struct flow *flow, enum flow_class class, uint32_t tick)
{
    list_remove(table, flow);
    flow->class = (uint8_t) class;
    flow->tick = tick;
    list_append(table, flow);
}

struct flow *flow_table_oldest(struct flow_table *table, enum flow_class class)
{
    uint32_t index = table->lists[class].oldest;
    return index == FLOW_NONE ? NULL : flow_at(table, index);
}

struct flow *flow_table_next(struct flow_table *table, uint32_t *index)
{
    while (*index < table->fresh) {
        struct flow *flow = flow_at(table, (*index)++);
        if (flow->class != FLOW_CLASSES)
            return flow;
    }
    return NULL;
}

/* To a free place. */
static struct flow *flow_move(struct flow_table *table, struct flow *from, uint32_t index)
{
    uint32_t at = from->hash & table->mask;
    while (table->slots[at].index != from->index)
        at = (at + 1) & table->mask;
    table->slots[at].index = index;
    struct list *list = &table->lists[from->class];
    *(from->older == FLOW_NONE ? &list->oldest : &flow_at(table, from->older)->newer) = index;
    *(from->newer == FLOW_NONE ? &list->newest : &flow_at(table, from->newer)->older) = index;
    struct flow *to = flow_at(table, index);
    *to = *from;
    to->index = index;
    from->class = FLOW_CLASSES;
    return to;
}

static void free_list_make(struct flow_table *table)
{
    table->free = FLOW_NONE;
    for (uint32_t index = table->fresh; index-- > 0;) {
        struct flow *flow = flow_at(table, index);
        if (flow->class != FLOW_CLASSES)
            continue;
        flow->newer = table->free;
        table->free = index;
    }
}

static void blocks_drop(struct flow_table *table, uint32_t blocks)
{
    for (uint32_t i = blocks; i < table->blocks_used; i += GROUP_BLOCKS)
        free(table->blocks[i]);
    slab_uncharge(table->slab, (table->blocks_used - blocks) * BLOCK_BYTES);
    table->blocks_used = blocks;
}

/* As slots_grow, the other way: a fourth of them in use leaves half of the next size free. */
static void slots_shrink(struct flow_table *table)
{
    uint32_t count = table->mask + 1, wanted = count;
    while (wanted > SLOTS_FIRST && table->count < wanted / 8)
        wanted /= 2;
    struct slot *slots = wanted < count ? slots_new(wanted) : NULL;
    if (!slots)
        return;
    for (uint32_t i = 0; i < count; i++)
        if (table->slots[i].index != FLOW_NONE)
            slot_put(slots, wanted - 1, table->slots[i]);
    free(table->slots);
    table->slots = slots;
    table->mask = wanted - 1;
    slab_uncharge(table->slab, (size_t)(count - wanted) * sizeof *slots);
}

void flow_table_shrink(struct flow_table *table, void (*moved)(struct flow *flow))
{
    uint32_t blocks = table->blocks_used ? 1 : 0;
    while (blocks * BLOCK_FLOWS < table->count)
        blocks += GROUP_BLOCKS;
    slots_shrink(table);
    if (blocks >= table->blocks_used)
        return;
    uint32_t low = 0;
    for (uint32_t high = blocks * BLOCK_FLOWS; high < table->fresh; high++) {
        struct flow *flow = flow_at(table, high);
        if (flow->class == FLOW_CLASSES)
            continue;
        while (flow_at(table, low)->class != FLOW_CLASSES)
            low++;
        moved(flow_move(table, flow, low));
    }
    if (table->fresh > blocks * BLOCK_FLOWS)
        table->fresh = blocks * BLOCK_FLOWS;
    free_list_make(table);
    blocks_drop(table, blocks);
}

uint32_t flow_table_count(const struct flow_table *table)
{
    return table->count;
}

uint32_t flow_table_class_count(const struct flow_table *table, enum flow_class class)
{
    return table->lists[class].count;
}
