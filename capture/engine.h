/* SPDX-License-Identifier: Apache-2.0
 *
 * The capture engine: packets in, activities out. One engine belongs to one thread and owns its flows, its
 * dissectors and its translator; several engines share nothing. Pure: no socket, file, thread or clock of its
 * own (time is that of the packets, and of engine_tick).
 *
 * After engine_new it does not call malloc on the path of a packet in steady state: flows, reassembly buffers
 * and dissector memory come from slabs within `memory_limit`.
 */
#pragma once

#include "capture/dissect.h"
#include "capture/packet.h"

struct unsealer;

struct engine_options {
    size_t memory_limit;      /* bytes for flows, reassembly and dissectors in all; 0: 192 MiB */
    uint32_t flows_max;       /* 0: 300,000; beyond it the flow idle for longest goes first */
    uint32_t flow_buffer_max; /* bytes a flow may hold for reassembly; 0: 1 MiB */
    int64_t tcp_idle;         /* ns; 0: one hour (LDAP and SMB close idle ones after 15 minutes) */
    int64_t udp_idle;         /* ns; 0: 60 s */
    int64_t reply_timeout;    /* ns a request waits for its reply; 0: 60 s */
    uint8_t fingerprint_key[16];
    const char *radius_secret;       /* NULL: authenticators are not checked */
    const struct unsealer *unsealer; /* who holds the keys (capture/unseal.h); NULL: there are none */
};

/* A `--decode` rule: flows with this server port speak this protocol. */
struct engine_decode_rule {
    enum transport transport;
    uint16_t port;
    enum protocol_id protocol;
};

/* Where activities go: one complete record (a msgpack map), valid during the call. */
typedef void (*engine_emit)(void *context, enum activity_kind kind, int64_t time, struct bytes record);

struct protocol_stats {
    uint64_t flows;
    uint64_t messages;
    uint64_t malformed;
    uint64_t sealed;
    /* Given up for a host in need; of flows that were recognised, or by their ports. */
    uint64_t shed_flows;
    uint64_t shed_packets;
    uint64_t shed_bytes;
};

struct engine_stats {
    uint64_t packets;
    uint64_t bytes;        /* as on the wire */
    uint64_t truncated;    /* packets that were not captured whole */
    uint64_t not_ip;       /* ARP, LLDP, ...: not looked at */
    uint64_t malformed;    /* broken below the protocols: link, IP, TCP, UDP headers */
    uint64_t decapsulated; /* came in GRE, ERSPAN, VXLAN */
    uint64_t fragments;    /* IP fragments */
    uint64_t defragmented; /* datagrams put together of them */
    uint64_t fragments_dropped;
    uint64_t flows; /* ever */
    uint64_t flows_live;
    uint64_t flows_evicted; /* for want of room */
    uint64_t flows_unknown; /* ended without being recognised */
    uint64_t tcp_segments;
    uint64_t tcp_retransmitted;
    uint64_t tcp_out_of_order;
    uint64_t tcp_overlap_conflicts; /* the same bytes sent twice, differently: somebody tries to hide */
    uint64_t gaps;                  /* holes skipped */
    uint64_t gap_bytes;
    uint64_t skipped_bytes;  /* bulk that was stepped over */
    uint64_t resynchronised; /* messages found again after a gap or damage */
    uint64_t activities;
    uint64_t unanswered; /* requests without a reply */
    uint64_t memory;     /* bytes in use of memory_limit */
    uint64_t memory_peak;
    uint64_t memory_refused; /* times a dissector had to do without */
    struct protocol_stats protocol[PROTOCOLS];
};

/* NULL without memory. The caller destroys it. Options may be NULL for the defaults. */
struct engine *engine_new(const struct engine_options *options, engine_emit emit, void *context);
void engine_destroy(struct engine **engine_p);

/* False when the table of rules is full (64). */
bool engine_decode_as(struct engine *engine, const struct engine_decode_rule *rule);

void engine_packet(struct engine *engine, const struct packet *packet);

/* Several, one after the other; quicker, because what they need is loaded beforehand. */
void engine_packets(struct engine *engine, const struct packet *packets, size_t count);

/* Lets time pass when no packets come (live): expires flows and pending requests. */
void engine_tick(struct engine *engine, int64_t now);

/* The end of the capture: everything pending is emitted, every flow ends. */
void engine_finish(struct engine *engine);

/* For a host in need: flows whose rank (capture/value.h) is less than `below` are given up, each from its
 * next packet on and for good. 1: none is; CAPTURE_RANK_MAX + 1: all. */
void engine_shed(struct engine *engine, uint32_t below);

/* The same for its memory: `limit` bytes take the place of memory_limit, and what is above it is given back
 * to the system now, the least valuable flows first. A larger limit counts from then on. */
void engine_limit_memory(struct engine *engine, size_t limit);

const struct engine_stats *engine_stats(const struct engine *engine);
struct message_counts *engine_counts(struct engine *engine);
