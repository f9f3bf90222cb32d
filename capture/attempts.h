/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections that came to nothing, summed per pair of hosts: who tries many ports of another in a short time
 * looks for what is open there. One of them is not worth an activity; a scan is one activity.
 */
#pragma once

#include "base/address.h"

#include <stdbool.h>
#include <stdint.h>

#define ATTEMPTS_PAIRS      1024 /* pairs of hosts that are watched at a time; a power of two */
#define ATTEMPTS_PORTS      64   /* distinct ports of a pair that are kept */
#define ATTEMPTS_PORTS_SCAN 10   /* so many distinct ones are a scan */
#define ATTEMPTS_WINDOW     (INT64_C(60) * 1000000000)

/* What one host tried of another within a window. */
struct attempts {
    struct ip_address source;
    struct ip_address destination;
    int64_t first; /* ns since 1970, of the first and the last connection */
    int64_t last;
    uint32_t refused;    /* answered by a reset; 0 with unanswered 0: the place is free */
    uint32_t unanswered; /* nobody answered */
    uint16_t ports_count;
    uint16_t ports[ATTEMPTS_PORTS];
};

struct attempts_table {
    uint64_t seed;
    struct attempts pairs[ATTEMPTS_PAIRS];
};

/* A sum that is complete: its window has passed, or its place is needed. */
typedef void (*attempts_told)(void *context, const struct attempts *attempts);

/* The table, zeroed, may be used after this. */
void attempts_init(struct attempts_table *table, uint64_t seed);

/* Adds one connection to `port`. What has to make room is told, if it is a scan. */
void attempts_add(struct attempts_table *table, const struct ip_address *source,
                  const struct ip_address *destination, uint16_t port, bool refused, int64_t time,
                  attempts_told told, void *context);

/* Tells and forgets the sums that began before `until`. */
void attempts_expire(struct attempts_table *table, int64_t until, attempts_told told, void *context);
