/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/wheel.h"

#include <stdlib.h>
#include <string.h>

#define MASK (WHEEL_SLOTS - 1)

void wheel_init(struct wheel *wheel)
{
    memset(wheel, 0, sizeof *wheel);
    wheel->free = WHEEL_NONE;
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        wheel->head[i] = WHEEL_NONE;
}

void wheel_clear(struct wheel *wheel)
{
    free(wheel->events);
    free(wheel->far);
    wheel_init(wheel);
}

static bool slab_grow(struct wheel *wheel)
{
    uint32_t capacity = wheel->capacity ? wheel->capacity * 2 : 1024;
    struct sim_event *events = realloc(wheel->events, capacity * sizeof *events);
    if (!events)
        return false;
    for (uint32_t i = capacity; i > wheel->capacity; i--) {
        events[i - 1].next = wheel->free;
        wheel->free = i - 1;
    }
    wheel->events = events;
    wheel->capacity = capacity;
    return true;
}

static void append(struct wheel *wheel, int64_t time, uint32_t index)
{
    unsigned slot = (unsigned)(time & MASK);
    wheel->events[index].next = WHEEL_NONE;
    if (wheel->head[slot] == WHEEL_NONE) {
        wheel->head[slot] = index;
        wheel->occupied[slot / 64] |= UINT64_C(1) << (slot % 64);
        wheel->occupied_words |= UINT64_C(1) << (slot / 64);
    } else {
        wheel->events[wheel->tail[slot]].next = index;
    }
    wheel->tail[slot] = index;
}

static bool far_before(const struct wheel_far *a, const struct wheel_far *b)
{
    return a->time != b->time ? a->time < b->time : a->order < b->order;
}

static bool far_push(struct wheel *wheel, struct wheel_far item)
{
    if (wheel->far_count == wheel->far_capacity) {
        uint32_t capacity = wheel->far_capacity ? wheel->far_capacity * 2 : 256;
        struct wheel_far *far = realloc(wheel->far, capacity * sizeof *far);
        if (!far)
            return false;
        wheel->far = far;
        wheel->far_capacity = capacity;
    }
    uint32_t i = wheel->far_count++;
    for (; i > 0 && far_before(&item, &wheel->far[(i - 1) / 2]); i = (i - 1) / 2)
        wheel->far[i] = wheel->far[(i - 1) / 2];
    wheel->far[i] = item;
    return true;
}

static struct wheel_far far_pop(struct wheel *wheel)
{
    struct wheel_far first = wheel->far[0], item = wheel->far[--wheel->far_count];
    uint32_t i = 0;
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= wheel->far_count)
            break;
        if (child + 1 < wheel->far_count && far_before(&wheel->far[child + 1], &wheel->far[child]))
            child++;
        if (!far_before(&wheel->far[child], &item))
            break;
        wheel->far[i] = wheel->far[child];
        i = child;
    }
    if (wheel->far_count)
        wheel->far[i] = item;
    return first;
}

bool wheel_add(struct wheel *wheel, int64_t time, const struct sim_event *event)
{
    if (wheel->free == WHEEL_NONE && !slab_grow(wheel))
        return false;
    if (time < wheel->now)
        time = wheel->now;
    uint32_t index = wheel->free;
    wheel->free = wheel->events[index].next;
    wheel->events[index] = *event;
    if (time < wheel->now + WHEEL_SLOTS) {
        append(wheel, time, index);
        return true;
    }
    if (far_push(wheel, (struct wheel_far){.time = time, .order = wheel->order++, .event = index}))
        return true;
    wheel->events[index].next = wheel->free;
    wheel->free = index;
    return false;
}

/* The far ones whose time the wheel reaches now, before anybody can add behind them. */
static void advance(struct wheel *wheel, int64_t now)
{
    wheel->now = now;
    while (wheel->far_count && wheel->far[0].time < now + WHEEL_SLOTS) {
        struct wheel_far item = far_pop(wheel);
        append(wheel, item.time, item.event);
    }
}

static void vacate(struct wheel *wheel, unsigned slot)
{
    wheel->occupied[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
    if (!wheel->occupied[slot / 64])
        wheel->occupied_words &= ~(UINT64_C(1) << (slot / 64));
}

/* The first time from `time` on, which is within the wheel, that has an event; the wheel's end when none has.
 */
static int64_t occupied_from(const struct wheel *wheel, int64_t time)
{
    unsigned slot = (unsigned)(time & MASK), word = slot / 64;
    uint64_t bits = wheel->occupied[word] >> (slot % 64);
    if (bits)
        return time + __builtin_ctzll(bits);
    /* The words in the order of their times; last this one again, for what is before the slot is a turn
     * later.
     */
    unsigned next = (word + 1) % 64;
    uint64_t words = wheel->occupied_words >> next | wheel->occupied_words << (64 - next) % 64;
    if (!words)
        return wheel->now + WHEEL_SLOTS;
    unsigned behind = (unsigned)__builtin_ctzll(words);
    return time - slot % 64 + 64 * (behind + 1) + __builtin_ctzll(wheel->occupied[(next + behind) % 64]);
}

/* The next time with an event within the wheel, `limit` when there is none before it. */
static int64_t next_occupied(const struct wheel *wheel, int64_t limit)
{
    int64_t found = occupied_from(wheel, wheel->now);
    int64_t end = wheel->now + WHEEL_SLOTS;
    if (end > limit + 1)
        end = limit + 1;
    return found < end ? found : end;
}

bool wheel_take(struct wheel *wheel, int64_t until, struct sim_event *event)
{
    for (;;) {
        unsigned slot = (unsigned)(wheel->now & MASK);
        uint32_t index = wheel->head[slot];
        if (index != WHEEL_NONE && wheel->now <= until) {
            *event = wheel->events[index];
            wheel->head[slot] = event->next;
            if (event->next == WHEEL_NONE)
                vacate(wheel, slot);
            wheel->events[index].next = wheel->free;
            wheel->free = index;
            return true;
        }
        if (wheel->now >= until)
            return false;
        int64_t next = next_occupied(wheel, until);
        advance(wheel, next < until ? next : until);
    }
}

unsigned wheel_peek(const struct wheel *wheel, const struct sim_event **events, unsigned most)
{
    unsigned count = 0;
    int64_t end = wheel->now + WHEEL_SLOTS;
    for (int64_t time = wheel->now; time < end && count < most; time++) {
        time = occupied_from(wheel, time);
        for (uint32_t i = wheel->head[time & MASK]; time < end && i != WHEEL_NONE && count < most;
             i = wheel->events[i].next)
            events[count++] = &wheel->events[i];
    }
    return count;
}

size_t wheel_memory(const struct wheel *wheel)
{
    return wheel->capacity * sizeof *wheel->events + wheel->far_capacity * sizeof *wheel->far;
}
