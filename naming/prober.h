/* SPDX-License-Identifier: Apache-2.0
 *
 * Which computers are asked for their names, and when. Pure: no sockets, no clock; times are monotonic ns. An
 * address is asked by all methods that are on, at once, and then left alone for ten minutes, whatever came of
 * it; so many addresses a second, so many at a time, and none outside of the networks that are given.
 */
#pragma once

#include "base/address.h"
#include "base/clock.h"
#include "naming/name_query.h"

#define PROBER_NETWORKS_MAX 64u
#define PROBER_AT_ONCE      64u /* addresses */
/* Who waits for an answer does so for this long at most until the address is asked: an activity waits for
 * 5 s, the question takes 2 s. */
#define PROBER_PATIENCE (3 * CLOCK_SECOND)

struct prober_network {
    struct ip_address network;
    uint8_t bits;
};

struct prober_config {
    bool methods[NAME_METHODS];
    const struct prober_network *networks; /* copied; at most PROBER_NETWORKS_MAX */
    unsigned network_count;
    uint32_t rate;          /* addresses a second, at least 1 */
    uint32_t addresses_max; /* that are remembered */
    uint32_t waiting_max;   /* that may wait for their turn */
    int64_t again;          /* ns until an address may be asked again */
    uint64_t seed;
};
void prober_config_init(struct prober_config *config); /* all methods off, no networks; the limits as usual */

struct prober;
struct prober *prober_new(const struct prober_config *config); /* NULL without memory */
void prober_destroy(struct prober **prober);

enum prober_admitted {
    PROBER_QUEUED,
    PROBER_JOINED,  /* it is waiting or being asked: prober_asked() will say so */
    PROBER_LATER,   /* it is waiting for its turn, which comes too late to be waited for */
    PROBER_RECENT,  /* it was asked lately */
    PROBER_OUTSIDE, /* of no network that may be asked, or nobody's address; or all methods are off */
    PROBER_FULL,
};
enum prober_admitted prober_ask(struct prober *prober, const struct ip_address *address, int64_t now);

/* The next address to be asked now; false: none, or not yet (prober_due). Each of its methods that are on
 * must be ended by prober_end(). */
bool prober_next(struct prober *prober, int64_t now, struct ip_address *address);
/* When prober_next() is worth calling again; INT64_MAX: when something ended or was asked for. */
int64_t prober_due(const struct prober *prober, int64_t now);

/* One method is done with the address. True when it was the last one. */
bool prober_end(struct prober *prober, const struct ip_address *address, enum name_method method, bool named);

struct prober_method_counters {
    uint64_t asked, named;
    /* Of the last hour or so: what the success rate is told of. */
    uint32_t lately_asked, lately_named;
};
struct prober_counters {
    uint64_t addresses, recent, outside, full;
    uint32_t waiting, asking;
    struct prober_method_counters methods[NAME_METHODS];
};
void prober_counters(const struct prober *prober, struct prober_counters *counters);

#define PROBER_LEAST_ASKED 20u /* lately; fewer say nothing */
/* Whether hardly anybody answers this method: less than one in ten. */
bool prober_method_fails(const struct prober_method_counters *counters);
