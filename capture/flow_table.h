/* SPDX-License-Identifier: Apache-2.0
 *
 * The flows that are alive: found by their addresses and ports in either direction, kept in order of use.
 *
 * Open addressing over (hash, index) pairs of 8 bytes, linear probing, deletion by shifting back: a look-up
 * costs one line of the table and one of the flow. The hash is keyed with a secret seed, so that nobody can
 * choose addresses that collide. Flows stand in blocks that never move.
 *
 * Expiry: every class has one time-out, so its flows stand in a list by their last use, which is brought up
 * to date once per tick (about a second) and flow; the oldest are at its head.
 */
#pragma once

#include "capture/dissect.h"
#include "capture/slab.h"
#include "capture/tcp_stream.h"

#define FLOW_NONE UINT32_MAX

/* Classes of flows that expire alike. */
enum flow_class {
    FLOW_CLOSED,  /* ended; kept for what comes late */
    FLOW_OPENING, /* a SYN, and nothing since: scans */
    FLOW_UDP,
    FLOW_TCP,
    FLOW_CLASSES
};

enum flow_flags {
    FLOW_OPAQUE = 1,     /* nothing that is understood; only its headers are read */
    FLOW_ROLES_SURE = 2, /* who opened it was seen, or its port says so */
    FLOW_RECOGNISED = 4, /* it had a protocol at some time */
    FLOW_ON_PORT = 8,    /* on one of its protocol's ports */
    FLOW_ISN = 16,       /* `isn` is known */
    FLOW_RESET = 32,     /* a RST was seen */
    FLOW_ENDED = 64,     /* its dissector is gone; it only takes what comes late */
    FLOW_POSTED = 128,   /* it waits for an answer of who holds the keys */
};

struct memory_block;
struct pending;

struct flow {
    struct flow_info info;
    uint32_t hash;
    uint32_t index;

    struct tcp_side side[2]; /* by direction */

    const struct protocol *protocol; /* NULL: not recognised */
    void *state;
    struct memory_block *memory; /* what dissect_alloc gave */
    struct pending *pending;     /* requests that wait, oldest first */
    struct pending *pending_last;
    uint32_t newer; /* of its class, by index */
    uint32_t older;
    uint32_t tick; /* of its last use */
    uint32_t isn;  /* of the side that opened it */
    uint16_t pending_count;
    uint8_t class;
    uint8_t flags;
    union {
        uint16_t tries;   /* to recognise it */
        uint16_t shed_as; /* RANK_SHED: the protocol it was taken for */
    };
    uint8_t gss_known; /* of gss.c: enum gss_known */
    uint8_t rank;      /* capture/value.h; RANK_SHED: given up */
};

struct flow_table;

/* A table of at most `flows_max`, its memory charged to `slab`. */
struct flow_table *flow_table_new(struct slab *slab, uint32_t flows_max, const uint64_t seed[4]);
void flow_table_destroy(struct flow_table **table_p);

/* What a packet says of its flow. Only the first 4 bytes of IPv4 addresses are used. */
struct flow_key {
    const uint8_t *source;
    const uint8_t *destination;
    uint16_t source_port;
    uint16_t destination_port;
    uint8_t family; /* 4, 6 */
    uint8_t transport;
};

uint32_t flow_table_hash(const struct flow_table *table, const struct flow_key *key);

/* The flow, and in which direction the key goes. NULL when there is none. */
struct flow *flow_table_find(struct flow_table *table, const struct flow_key *key, uint32_t hash,
                             enum direction *direction);

/* A new one, zeroed but for its hash and index, client being the key's source (or its destination, with
 * `reversed`). NULL when the table or the memory is full. */
struct flow *flow_table_add(struct flow_table *table, const struct flow_key *key, uint32_t hash,
                            bool reversed, enum flow_class class, uint32_t tick);

/* Takes it out. Its memory is used again for others. */
void flow_table_remove(struct flow_table *table, struct flow *flow);

/* Notes its use, or that its class changes. */
void flow_table_touch(struct flow_table *table, struct flow *flow, uint32_t tick);
void flow_table_classify(struct flow_table *table, struct flow *flow, enum flow_class class, uint32_t tick);

/* The one of the class that was used longest ago; NULL when there is none. */
struct flow *flow_table_oldest(struct flow_table *table, enum flow_class class);

/* Runs over all flows: *index is 0 at first; NULL after the last. Flows may be removed meanwhile. */
struct flow *flow_table_next(struct flow_table *table, uint32_t *index);

/* Moves flows together and gives back the memory that is then not needed; `moved` hears of each flow that has
 * a new address. */
void flow_table_shrink(struct flow_table *table, void (*moved)(struct flow *flow));

uint32_t flow_table_count(const struct flow_table *table);
uint32_t flow_table_class_count(const struct flow_table *table, enum flow_class class);

/* Start to load what a look-up of this hash will need: the table's slot, and then the flow. */
void flow_table_prefetch(const struct flow_table *table, uint32_t hash);
void flow_table_prefetch_flow(const struct flow_table *table, uint32_t hash);
