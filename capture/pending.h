/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that wait for their replies: records half written, found again by flow, protocol and key.
 */
#pragma once

#include "capture/flow_table.h"
#include "capture/slab.h"

#define PENDINGS_PER_FLOW 256
#define PENDINGS_MAX      65536

struct pending {
    struct flow *flow;
    uint64_t key;
    int64_t started; /* time of the request */
    int64_t since;   /* the engine's clock when it was kept */
    struct pending *chain;
    struct pending *newer, *older;           /* of all, by `since` */
    struct pending *flow_newer, *flow_older; /* of the flow */
    uint32_t size;
    uint8_t protocol;
    uint8_t bytes[]; /* as activity_save made them */
};

struct pendings;

struct pendings *pendings_new(struct slab *slab, uint64_t seed);
void pendings_destroy(struct pendings **pendings_p);

/* A new one with room for `size` bytes, in all lists. NULL without room or memory. */
struct pending *pendings_add(struct pendings *pendings, struct flow *flow, enum protocol_id protocol,
                             uint64_t key, uint32_t size, int64_t now);
struct pending *pendings_find(struct pendings *pendings, const struct flow *flow, enum protocol_id protocol,
                              uint64_t key);
/* Takes it out of all lists; pending_free gives its memory back. */
void pendings_take(struct pendings *pendings, struct pending *pending);
void pendings_free(struct pendings *pendings, struct pending *pending);

/* The one kept first. */
struct pending *pendings_oldest(struct pendings *pendings);
