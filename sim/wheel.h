/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of everything: a timing wheel of 1 ms buckets, first in first out within a bucket, so that (time,
 * order of adding) is a total order. What lies farther ahead than the wheel waits in a heap and moves over
 * before anything can be added behind it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_SLOTS 4096u /* 64 words of 64 bits */
#define WHEEL_NONE  UINT32_MAX

struct sim_event {
    uint8_t type; /* the world's */
    uint8_t small;
    uint16_t generation;
    uint32_t a, b;
    uint32_t payload;
    uint32_t link;
    uint32_t next; /* the wheel's own */
};

struct wheel_far {
    int64_t time;
    uint64_t order;
    uint32_t event;
};

struct wheel {
    int64_t now; /* all before it has been taken out */
    uint64_t order;
    struct sim_event *events; /* slab */
    uint32_t capacity, free;
    uint32_t head[WHEEL_SLOTS], tail[WHEEL_SLOTS];
    uint64_t occupied[WHEEL_SLOTS / 64];
    uint64_t occupied_words; /* bit i: some bit of occupied[i] is set */
    struct wheel_far *far;   /* heap */
    uint32_t far_count, far_capacity;
};

void wheel_init(struct wheel *wheel);
void wheel_clear(struct wheel *wheel);
/* A copy of `event` at `time` (the past is now). False without memory. */
bool wheel_add(struct wheel *wheel, int64_t time, const struct sim_event *event);
/* The next event at `until` or before, copied out; false when there is none, and now is `until` then. */
bool wheel_take(struct wheel *wheel, int64_t until, struct sim_event *event);
/* The next `most` events at most, nearest first, as they stand now, of those within the wheel: what is added
 * later may come before them. Returns how many. */
unsigned wheel_peek(const struct wheel *wheel, const struct sim_event **events, unsigned most);
size_t wheel_memory(const struct wheel *wheel);
