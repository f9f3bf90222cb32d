/* SPDX-License-Identifier: Apache-2.0
 *
 * Time as an input: what needs to know it is given a `struct clock`, so that tests and the simulator can
 * give it another one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_MICROSECOND INT64_C(1000)
#define CLOCK_MILLISECOND INT64_C(1000000)
#define CLOCK_SECOND      INT64_C(1000000000)
#define CLOCK_MINUTE      (60 * CLOCK_SECOND)
#define CLOCK_HOUR        (60 * CLOCK_MINUTE)
#define CLOCK_DAY         (24 * CLOCK_HOUR)

struct clock {
    int64_t (*monotonic)(void *context); /* ns; never goes back; its zero means nothing */
    int64_t (*wall)(void *context);      /* ns since 1970 UTC; may be set back */
    void *context;
};

static inline int64_t clock_monotonic(const struct clock *clock)
{
    return clock->monotonic(clock->context);
}

static inline int64_t clock_wall(const struct clock *clock)
{
    return clock->wall(clock->context);
}

/* The system's; lives as long as the program. */
const struct clock *clock_system(void);

/* One that stands still until it is moved: for tests and replays. Not for several threads. */
struct clock_manual {
    struct clock clock;
    int64_t monotonic;
    int64_t wall;
};

void clock_manual_init(struct clock_manual *manual, int64_t wall);
void clock_manual_advance(struct clock_manual *manual, int64_t nanoseconds);

/* "2026-11-22T03:27:13.123456789Z" (RFC 3339, UTC) with its terminating zero. */
#define CLOCK_RFC3339_MAX 31

/* Any int64 has a form (years 1677 to 2262). Returns `to`. */
const char *clock_rfc3339(int64_t time, char to[CLOCK_RFC3339_MAX]);

/* Reads RFC 3339 with any offset and any number of decimals (what is below a nanosecond is dropped). False
 * when it is none, or not within an int64 of nanoseconds. A leap second is that of the next minute. */
bool clock_rfc3339_parse(const char *text, size_t size, int64_t *time);
