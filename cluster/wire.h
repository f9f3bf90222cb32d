/* SPDX-License-Identifier: Apache-2.0
 *
 * A message from the wire, taken apart. Everything points into the message; nothing is verified but its form.
 */
#pragma once

#include "cluster/cluster_internal.h"

struct wire {
    uint64_t version;
    uint64_t type; /* enum wire_type, or what a newer version says */
    struct bytes heartbeats, ages, policy, digest, buckets, items, wanted, overdue, node, domain;
    struct cursor records, claims, reports; /* standing on the first item */
    uint32_t record_count, claim_count, report_count;
    uint64_t incarnation, sequence, age, stamp, echo, link, ask, degree, more;
    uint32_t present; /* bit i: enum wire_key i was there */
};

static inline bool wire_has(const struct wire *wire, enum wire_key key)
{
    return wire->present >> key & 1u;
}

/* False on damage: no map, a value of another type, sizes that cannot be, bytes behind the end. */
bool wire_read(struct wire *wire, struct bytes message);

/* The next encoded record or claim of an array; empty at the end. */
struct bytes wire_next(struct cursor *items, uint32_t *count);

/* A GOSSIP that bears heartbeats only, as this version writes it: the bulk of the traffic. Empty when it is
 * anything else. */
struct bytes wire_heartbeats(struct bytes message);
