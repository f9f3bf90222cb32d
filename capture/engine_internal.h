/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the engine share; nobody else includes it.
 */
#pragma once

#include "capture/attempts.h"
#include "capture/dns_tsig.h"
#include "capture/engine.h"
#include "capture/flow_table.h"
#include "capture/ip_fragments.h"
#include "capture/pending.h"
#include "capture/slab.h"

#define ENGINE_RULES_MAX    64
#define ENGINE_SCRATCH_SIZE ((size_t)256 * 1024)
#define ENGINE_SCRATCH_UNSEALED                                                                              \
    ((size_t)4 * 256 * 1024) /* besides: questions, answers, one within the other */
#define ENGINE_SIGNATURES PROTOCOLS

#define RECOGNISE_TRIES 16 /* segments or datagrams of a flow that are looked at */
#define RECOGNISE_TRIES_ON_PORT                                                                              \
    20000                   /* the same on a protocol's port: bulk may be under way, 30 MB of it             \
                             */
#define RECOGNISE_BYTES 512 /* of a beginning that is too short to say */

/* A server endpoint that was announced (dissect_expect). */
#define EXPECTED_MAX 4096u /* a power of two */
#define EXPECTED_AGE (INT64_C(24) * 3600 * 1000000000)
struct expected {
    struct endpoint server;
    uint8_t protocol;
    int64_t since;
};

struct engine {
    struct engine_options options;
    engine_emit emit;
    void *emit_context;

    struct slab *slab;
    struct flow_table *flows;
    struct ip_fragments *fragments;
    struct pendings *pendings;
    struct arena *scratch;
    struct tcp_stream stream;
    struct tcp_stream_stats tcp_stats;
    struct tcp_sink sink;

    int64_t now;   /* the engine's clock: follows the packets', never runs back */
    int64_t seen;  /* time of the last packet */
    int64_t leap;  /* a time far ahead that one packet had; believed when the next agrees */
    uint32_t tick; /* of `now`; the expiry lists' unit */
    uint64_t flow_number;
    uint64_t refused; /* of the slab's, when it was last looked at */

    uint32_t shed_below; /* flows of a lower rank are given up; at least RANK_SHED + 1 */
    size_t memory_limit; /* now */

    struct dissect dissect; /* of the call that runs */
    bool building;          /* an activity is under construction */
    bool quoting;           /* the message that is read was only quoted: it is counted, nothing else */
    struct flow quoted;     /* its flow, for the time of the call */
    int64_t revisited;      /* when the request that dissect_revisit took up began; 0: none */
    uint64_t sip_key[2];
    struct tsig_keys tsig_keys;

    const struct protocol *signatures[2][ENGINE_SIGNATURES]; /* by transport; NULL ends */
    struct expected *expected;
    struct attempts_table *attempts; /* NULL until a connection fails */
    uint32_t expected_count;
    uint32_t rules;
    uint8_t by_port[2][65536]; /* by transport; protocol that is tried first */
    uint8_t rule[2][65536];    /* --decode: protocol that it is */

    struct engine_stats stats;
    struct message_counts counts;
    struct activity_writer writer;
    struct activity_writer spare; /* completes records that nobody answered */
    struct posted *posted;        /* records that wait for the holder of the keys; NULL: there is none */
    uint64_t unseal_number;       /* the last that was given */
};

/* dissect.c: a sum of connections that came to nothing, as an activity; an attempts_told. */
void engine_emit_scan(void *engine, const struct attempts *attempts);

/* dissect.c: gives out a record; completes one, and gives it out when none before it waits; ends the building
 * of d's activity, false when there is none to go on with. */
void engine_give_out(struct engine *engine, enum activity_kind kind, int64_t time, struct bytes record);
void engine_hand_over(struct engine *engine, struct activity_writer *w, int64_t time);
bool engine_end_building(struct dissect *d);

/* posted.c */
struct posted *posted_new(void);
void posted_destroy(struct posted **posted_p);
/* Fetches the answers, and gives out what waits for them; the same when it waited for long enough. */
void posted_collect(struct engine *engine);
void posted_tick(struct engine *engine);
/* True: the record was copied, and goes out after those that wait. */
bool posted_wait(struct engine *engine, enum activity_kind kind, int64_t time, struct bytes record);
/* True: the activity was copied, and waits for its client's name (dissect_put_client) as well. */
bool posted_wait_client(struct engine *engine, struct activity_writer *w, int64_t time);
/* True: the flow, of which nothing more is to come, ends when it has what it waits for. */
bool posted_end(struct engine *engine, struct flow *flow);
/* A question is to be posted that will be answered with so many bytes. */
void posted_expect(struct engine *engine, size_t size);

/* engine.c: the flow is over, as of then. */
void flow_end(struct engine *engine, struct flow *flow, int64_t time);

/* Sets up the context for the flow's dissector. */
struct dissect *engine_context(struct engine *engine, struct flow *flow, enum direction direction,
                               int64_t time);

/* Whether a packet of that key goes from the server to the client; `sure`: its ports say so. */
bool engine_reversed(const struct engine *engine, const struct flow_key *key, bool *sure);

/* quoted.c: ICMP errors, with the datagrams that they quote. */
void quoted_datagram(struct engine *engine, const struct ip_datagram *icmp, int64_t time);

/* recognise.c: whose bytes these are. NULL: nobody's. `more`: too few to say. */
const struct protocol *recognise(struct engine *engine, struct flow *flow, enum direction direction,
                                 struct bytes start, bool *more);
/* Whether the flow, met mid-stream, turns out to go the other way round; then it was turned. */
const struct protocol *recognise_inside(const struct engine *engine, const struct flow *flow,
                                        enum direction direction, struct bytes data);
bool recognise_turned(struct engine *engine, struct flow *flow, enum direction direction, struct bytes start);
/* What a new flow will probably speak. */
enum protocol_id recognise_guess(const struct engine *engine, const struct flow *flow);
void recognise_init(struct engine *engine);
void recognise_expect(struct engine *engine, const struct endpoint *server, enum protocol_id protocol);
/* Gives the flow a protocol, with its state; false without memory. */
bool flow_adopt(struct engine *engine, struct flow *flow, const struct protocol *protocol);

/* stream_glue.c: a stream's bytes, to messages. */
void stream_glue_data(struct engine *engine, const uint8_t *data, uint32_t size, bool start);
void stream_glue_hole(struct engine *engine, uint32_t size, bool cut);
void stream_glue_release(struct engine *engine, struct tcp_side *side);
void stream_glue_reframe(struct engine *engine, struct flow *flow);
/* Hands one message to the flow's protocol. */
void engine_message(struct engine *engine, const uint8_t *data, uint32_t size, bool truncated);

/* dissect.c */
void engine_emit_unanswered(struct engine *engine, struct pending *pending);
/* Zeroed memory that goes with the flow, and its release. */
void *flow_memory(struct engine *engine, struct flow *flow, size_t size);
void flow_memory_release(struct engine *engine, struct flow *flow);
