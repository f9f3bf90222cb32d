/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys wait in one list a priority, move into a flight when they are asked, and end as known or in vain. What
 * is in vain is remembered as 128 bits of a keyed hash, oldest forgotten first.
 */
#include "sync/lookup.h"

#include "base/clock.h"
#include "base/hash_table.h"

#include <stdlib.h>

#define RETRY_DELAY CLOCK_SECOND
#define NONE        UINT32_MAX

/* Beside the three priorities: those whose question failed, in the order in which they may be asked again. */
enum { LIST_RETRY = LOOKUP_PRIORITIES, LISTS, FLYING = LISTS, FREE };

struct name {
    uint64_t hash[2];
};

/* The key of the same number stands in `keys`. */
struct slot {
    struct name name;
    int64_t not_before; /* in LIST_RETRY */
    uint32_t next, previous;
    uint8_t list;
    uint8_t priority;
    uint8_t tries; /* questions it was in that failed */
};

struct list {
    uint32_t first, last, count;
};

struct flight {
    uint32_t question; /* 0: none is under way */
    uint32_t count;
};

struct in_vain {
    int64_t until;
    uint32_t turn; /* its place in `turns` */
};

struct lookup {
    struct lookup_limits limits;
    uint64_t seed;
    uint64_t memory;
    struct lookup_counters counters;

    /* queue_max slots that wait, then keys_per_query of each flight: a flight's keys stand in a row */
    struct lookup_key *keys;
    struct slot *slots;
    uint32_t free; /* list of waiting slots, by `next` */
    struct list lists[LISTS];
    struct flight *flights;
    uint32_t last_question;
    struct hash_table *known; /* struct name -> number of its slot */

    struct hash_table *negative; /* struct name -> struct in_vain */
    struct name *turns;          /* ring: which was put in when, oldest first */
    uint32_t turn_first, turn_count;

    double tokens;
    int64_t filled; /* when the bucket was */
};

void lookup_limits_init(struct lookup_limits *limits)
{
    *limits = (struct lookup_limits){
        .queue_max = 16384,
        .negative_max = 65536,
        .negative_period = 10 * CLOCK_MINUTE,
        .queries_per_s = 20,
        .burst = 20,
        .keys_per_query = 32,
        .flights_max = 4,
    };
}

/* --- start and end --- */

static bool limits_fit(const struct lookup_limits *l)
{
    return l->queue_max > 0 && l->queue_max <= 1u << 24 && l->negative_max > 0 &&
           l->negative_max <= 1u << 24 && l->negative_period >= 0 && l->queries_per_s > 0 && l->burst > 0 &&
           l->keys_per_query > 0 && l->keys_per_query <= LOOKUP_KEYS_MAX && l->flights_max > 0 &&
           l->flights_max <= 1024;
}

static void *take(struct lookup *lookup, size_t count, size_t size)
{
    lookup->memory += count * size;
    return calloc(count, size);
}

/* Of a table with that many entries, roughly: at most three quarters of its slots are used. */
static uint64_t table_memory(uint32_t capacity, size_t entry)
{
    return (uint64_t)capacity * 2 * (entry + sizeof(uint32_t));
}

static void free_slots(struct lookup *lookup)
{
    lookup->free = NONE;
    for (uint32_t i = lookup->limits.queue_max; i-- > 0;) {
        lookup->slots[i] = (struct slot){.list = FREE, .next = lookup->free};
        lookup->free = i;
    }
    for (unsigned i = 0; i < LISTS; i++)
        lookup->lists[i] = (struct list){NONE, NONE, 0};
}

struct lookup *lookup_new(const struct lookup_limits *limits, uint64_t seed)
{
    struct lookup *lookup = limits_fit(limits) ? calloc(1, sizeof(*lookup)) : NULL;
    if (!lookup)
        return NULL;
    uint32_t all = limits->queue_max + limits->flights_max * limits->keys_per_query;
    lookup->limits = *limits;
    lookup->seed = seed;
    lookup->tokens = limits->burst;
    lookup->filled = INT64_MIN;
    lookup->keys = take(lookup, all, sizeof(*lookup->keys));
    lookup->slots = take(lookup, all, sizeof(*lookup->slots));
    lookup->flights = take(lookup, limits->flights_max, sizeof(*lookup->flights));
    lookup->turns = take(lookup, limits->negative_max, sizeof(*lookup->turns));
    lookup->known = hash_table_new(all, sizeof(struct name), sizeof(uint32_t), seed);
    lookup->negative =
        hash_table_new(limits->negative_max, sizeof(struct name), sizeof(struct in_vain), seed);
    lookup->memory += sizeof(*lookup) + table_memory(all, sizeof(struct name) + sizeof(uint64_t)) +
                      table_memory(limits->negative_max, sizeof(struct name) + sizeof(struct in_vain));
    if (!lookup->keys || !lookup->slots || !lookup->flights || !lookup->turns || !lookup->known ||
        !lookup->negative) {
        lookup_destroy(&lookup);
        return NULL;
    }
    free_slots(lookup);
    return lookup;
}

void lookup_destroy(struct lookup **lookup_p)
{
    struct lookup *lookup = *lookup_p;
    if (!lookup)
        return;
    free(lookup->keys);
    free(lookup->slots);
    free(lookup->flights);
    free(lookup->turns);
    if (lookup->known)
        hash_table_destroy(&lookup->known);
    if (lookup->negative)
        hash_table_destroy(&lookup->negative);
    free(lookup);
    *lookup_p = NULL;
}

/* --- lists --- */

static void list_append(struct lookup *lookup, unsigned list, uint32_t number)
{
    struct list *l = &lookup->lists[list];
    struct slot *slot = &lookup->slots[number];
    slot->list = (uint8_t)list;
    slot->next = NONE;
    slot->previous = l->last;
    if (l->last == NONE)
        l->first = number;
    else
        lookup->slots[l->last].next = number;
    l->last = number;
    l->count++;
}

static void list_remove(struct lookup *lookup, uint32_t number)
{
    struct slot *slot = &lookup->slots[number];
    struct list *l = &lookup->lists[slot->list];
    if (slot->previous == NONE)
        l->first = slot->next;
    else
        lookup->slots[slot->previous].next = slot->next;
    if (slot->next == NONE)
        l->last = slot->previous;
    else
        lookup->slots[slot->next].previous = slot->previous;
    l->count--;
}

static void slot_free(struct lookup *lookup, uint32_t number)
{
    struct slot *slot = &lookup->slots[number];
    slot->list = FREE;
    slot->next = lookup->free;
    lookup->free = number;
}

/* --- in vain --- */

static struct name name_of(const struct lookup *lookup, const struct lookup_key *key)
{
    return (struct name){{lookup_key_hash(key, lookup->seed),
                          lookup_key_hash(key, ~lookup->seed * UINT64_C(0x9e3779b97f4a7c15))}};
}

static void forget_oldest(struct lookup *lookup)
{
    struct name *oldest = &lookup->turns[lookup->turn_first];
    const struct in_vain *entry = hash_table_find(lookup->negative, oldest);
    if (entry && entry->turn == lookup->turn_first)
        hash_table_remove(lookup->negative, oldest);
    lookup->turn_first = (lookup->turn_first + 1) % lookup->limits.negative_max;
    lookup->turn_count--;
}

static void remember_in_vain(struct lookup *lookup, const struct name *name, int64_t now)
{
    if (lookup->turn_count == lookup->limits.negative_max)
        forget_oldest(lookup);
    struct in_vain *entry = hash_table_insert(lookup->negative, name, NULL);
    if (!entry)
        return;
    uint32_t turn = (lookup->turn_first + lookup->turn_count) % lookup->limits.negative_max;
    lookup->turns[turn] = *name;
    lookup->turn_count++;
    *entry = (struct in_vain){.until = now + lookup->limits.negative_period, .turn = turn};
}

static bool is_in_vain(struct lookup *lookup, const struct name *name, int64_t now)
{
    const struct in_vain *entry = hash_table_find(lookup->negative, name);
    if (!entry)
        return false;
    if (now < entry->until)
        return true;
    hash_table_remove(lookup->negative, name);
    return false;
}

/* --- asking --- */

/* It is wanted more than before. */
static void raise_priority(struct lookup *lookup, uint32_t number, enum lookup_priority priority)
{
    struct slot *slot = &lookup->slots[number];
    if (slot->priority >= priority)
        return;
    slot->priority = (uint8_t)priority;
    if (slot->list >= LOOKUP_PRIORITIES)
        return;
    list_remove(lookup, number);
    list_append(lookup, priority, number);
}

/* A slot for a key of that priority; NONE when nothing that waits matters less. */
static uint32_t slot_for(struct lookup *lookup, enum lookup_priority priority)
{
    for (unsigned lower = 0; lookup->free == NONE && lower < priority; lower++) {
        uint32_t last = lookup->lists[lower].last;
        if (last == NONE)
            continue;
        list_remove(lookup, last);
        hash_table_remove(lookup->known, &lookup->slots[last].name);
        slot_free(lookup, last);
        lookup->counters.displaced++;
    }
    uint32_t number = lookup->free;
    if (number != NONE)
        lookup->free = lookup->slots[number].next;
    return number;
}

enum lookup_admitted lookup_ask(struct lookup *lookup, const struct lookup_key *key,
                                enum lookup_priority priority, int64_t now)
{
    struct name name = name_of(lookup, key);
    lookup->counters.asked++;
    if (priority < LOOKUP_PERSON && is_in_vain(lookup, &name, now)) {
        lookup->counters.in_vain++;
        return LOOKUP_IN_VAIN;
    }
    const uint32_t *there = hash_table_find(lookup->known, &name);
    if (there) {
        raise_priority(lookup, *there, priority);
        lookup->counters.joined++;
        return LOOKUP_JOINED;
    }
    uint32_t number = slot_for(lookup, priority);
    uint32_t *entry = number == NONE ? NULL : hash_table_insert(lookup->known, &name, NULL);
    if (!entry) {
        if (number != NONE)
            slot_free(lookup, number);
        lookup->counters.refused++;
        return LOOKUP_FULL;
    }
    *entry = number;
    lookup->keys[number] = *key;
    lookup->slots[number] = (struct slot){.name = name, .priority = (uint8_t)priority};
    list_append(lookup, priority, number);
    return LOOKUP_QUEUED;
}

/* --- questions --- */

static void fill_bucket(struct lookup *lookup, int64_t now)
{
    if (now <= lookup->filled)
        return;
    if (lookup->filled != INT64_MIN)
        lookup->tokens +=
            (double)(now - lookup->filled) * lookup->limits.queries_per_s / (double)CLOCK_SECOND;
    if (lookup->tokens > lookup->limits.burst)
        lookup->tokens = lookup->limits.burst;
    lookup->filled = now;
}

/* Those whose time has come go back to their priority's list. */
static void take_back_retries(struct lookup *lookup, int64_t now)
{
    uint32_t first;
    while ((first = lookup->lists[LIST_RETRY].first) != NONE && lookup->slots[first].not_before <= now) {
        list_remove(lookup, first);
        list_append(lookup, lookup->slots[first].priority, first);
    }
}

static uint32_t most_wanted(const struct lookup *lookup)
{
    for (unsigned i = LOOKUP_PRIORITIES; i-- > 0;)
        if (lookup->lists[i].first != NONE)
            return lookup->lists[i].first;
    return NONE;
}

static bool flies_alone(const struct slot *slot)
{
    return slot->tries >= 2;
}

/* Moves a key from its list into the flight; its old slot is free again. */
static void board(struct lookup *lookup, uint32_t number, uint32_t seat)
{
    struct slot *slot = &lookup->slots[number];
    list_remove(lookup, number);
    lookup->keys[seat] = lookup->keys[number];
    lookup->slots[seat] = *slot;
    lookup->slots[seat].list = FLYING;
    uint32_t *entry = hash_table_find(lookup->known, &slot->name);
    if (entry)
        *entry = seat;
    slot_free(lookup, number);
}

static uint32_t seats_of(const struct lookup *lookup, const struct flight *flight)
{
    return lookup->limits.queue_max + (uint32_t)(flight - lookup->flights) * lookup->limits.keys_per_query;
}

static void fill_flight(struct lookup *lookup, struct flight *flight)
{
    uint32_t seats = seats_of(lookup, flight), number;
    flight->count = 0;
    while (flight->count < lookup->limits.keys_per_query && (number = most_wanted(lookup)) != NONE) {
        bool alone = flies_alone(&lookup->slots[number]);
        if (alone && flight->count > 0)
            break;
        board(lookup, number, seats + flight->count++);
        if (alone)
            break;
    }
}

static struct flight *free_flight(struct lookup *lookup)
{
    for (uint32_t i = 0; i < lookup->limits.flights_max; i++)
        if (lookup->flights[i].question == 0)
            return &lookup->flights[i];
    return NULL;
}

/* When the bucket will hold a whole token. */
static int64_t next_token(const struct lookup *lookup, int64_t now)
{
    double wait = (1 - lookup->tokens) * (double)CLOCK_SECOND / lookup->limits.queries_per_s;
    return wait >= (double)(INT64_MAX / 2) ? INT64_MAX / 2 : now + (int64_t)wait + 1;
}

uint32_t lookup_next(struct lookup *lookup, int64_t now, const struct lookup_key **keys, uint32_t *count,
                     int64_t *again)
{
    struct flight *flight = free_flight(lookup);
    fill_bucket(lookup, now);
    take_back_retries(lookup, now);
    *again = INT64_MAX;
    *count = 0;
    if (!flight)
        return 0;
    if (most_wanted(lookup) == NONE) {
        if (lookup->lists[LIST_RETRY].first != NONE)
            *again = lookup->slots[lookup->lists[LIST_RETRY].first].not_before;
        return 0;
    }
    if (lookup->tokens < 1) {
        *again = next_token(lookup, now);
        return 0;
    }
    lookup->tokens -= 1;
    fill_flight(lookup, flight);
    lookup->last_question = lookup->last_question == UINT32_MAX ? 1 : lookup->last_question + 1;
    flight->question = lookup->last_question;
    lookup->counters.questions++;
    *keys = &lookup->keys[seats_of(lookup, flight)];
    *count = flight->count;
    return flight->question;
}

/* --- answers --- */

/* Its question failed: it waits again, or is given up. */
static void try_again(struct lookup *lookup, uint32_t seat, int64_t now)
{
    struct slot *slot = &lookup->slots[seat];
    uint32_t number = slot->tries + 1u < LOOKUP_TRIES ? slot_for(lookup, slot->priority) : NONE;
    uint32_t *entry = hash_table_find(lookup->known, &slot->name);
    if (number == NONE || !entry) {
        hash_table_remove(lookup->known, &slot->name);
        lookup->counters.failed++;
        if (number != NONE)
            slot_free(lookup, number);
        return;
    }
    *entry = number;
    lookup->keys[number] = lookup->keys[seat];
    lookup->slots[number] = *slot;
    lookup->slots[number].tries++;
    lookup->slots[number].not_before = now + RETRY_DELAY;
    list_append(lookup, LIST_RETRY, number);
    lookup->counters.retried++;
}

static void close_key(struct lookup *lookup, uint32_t seat, bool found, bool failed, int64_t now)
{
    struct name name = lookup->slots[seat].name;
    if (!found && failed) {
        try_again(lookup, seat, now);
        return;
    }
    hash_table_remove(lookup->known, &name);
    if (found) {
        lookup->counters.found++;
        hash_table_remove(lookup->negative, &name); /* a person asked for what had been in vain */
        return;
    }
    lookup->counters.missing++;
    remember_in_vain(lookup, &name, now);
}

void lookup_answered(struct lookup *lookup, uint32_t question, uint64_t found, bool failed, int64_t now)
{
    for (uint32_t i = 0; question && i < lookup->limits.flights_max; i++) {
        struct flight *flight = &lookup->flights[i];
        if (flight->question != question)
            continue;
        uint32_t seats = seats_of(lookup, flight);
        for (uint32_t k = 0; k < flight->count; k++) {
            close_key(lookup, seats + k, found >> k & 1, failed, now);
            lookup->slots[seats + k].list = FREE;
        }
        flight->question = 0;
        return;
    }
}

void lookup_counters(const struct lookup *lookup, struct lookup_counters *counters)
{
    *counters = lookup->counters;
    counters->waiting = hash_table_count(lookup->known);
    counters->negative = hash_table_count(lookup->negative);
    counters->memory = lookup->memory;
}
