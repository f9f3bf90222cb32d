/* SPDX-License-Identifier: Apache-2.0
 *
 * How what a node collected comes to a center, exactly once and in order: the messages, and the rules of both
 * sides. docs/delivery.md. Pure: sockets, files and clocks are the drivers' (node/sender.c,
 * center/receiver.c).
 *
 * A node numbers what it sends (its spool does): ascending, under a generation that never gives a number two
 * meanings. The receiver keeps, with what it stores, the last number that it has of each node: what comes
 * again it knows. Each batch names the number before it, so that nothing that was lost on the way is passed
 * over.
 *
 *     node                                        center
 *     HELLO who, generation, sent up to   ->
 *                                         <-      WELCOME has up to, window      (or DENIED why)
 *     BATCH n after n-1, payload          ->
 *     BATCH n+1 after n, payload          ->
 *                                         <-      ACK up to n+1: it is on the disk
 *     BATCH ...                           ->
 *                                         <-      REFUSED n+2, why; it is not wanted again
 *                                         <-      AGAIN: something is missing, say HELLO
 *                                         <-      SETTINGS version, text: what an administrator sets for this
 *     SETTLED version, how, why           ->
 *     REPORT how the node sees its fleet   ->  none is kept: the next takes its place
 *
 * A message is one msgpack map; keys that a reader does not know are skipped.
 */
#pragma once

#include "base/cursor.h"

#define DELIVERY_VERSION         1u
#define DELIVERY_NODE_SIZE       16u
#define DELIVERY_CERTIFICATE_MAX 4096u
#define DELIVERY_POLICY_MAX      65536u
#define DELIVERY_PAYLOAD_MAX     (2u << 20) /* more than a batch of base/batch.h can have */
#define DELIVERY_TEXT_MAX        200u
#define DELIVERY_MESSAGE_MAX     (DELIVERY_PAYLOAD_MAX + 1024u)
#define DELIVERY_SETTINGS_MAX    8192u
#define DELIVERY_REPLY_MAX       (DELIVERY_SETTINGS_MAX + 1024u) /* of what a receiver says */

enum delivery_type {
    DELIVERY_HELLO = 1,
    DELIVERY_WELCOME,
    DELIVERY_BATCH,
    DELIVERY_ACK,
    DELIVERY_REFUSED,
    DELIVERY_AGAIN,
    DELIVERY_DENIED,
    DELIVERY_SETTINGS,
    DELIVERY_SETTLED,
    DELIVERY_REPORT,
};

/* What became of settings. */
enum delivery_settled {
    DELIVERY_IN_EFFECT = 1,
    DELIVERY_NEXT_START, /* some of them take effect then */
    DELIVERY_UNFIT,      /* refused; what was before stays */
};

/* What a batch holds; the spool's numbers. */
enum delivery_kind {
    DELIVERY_ACTIVITIES = 1, /* base/batch.h */
    DELIVERY_ENTITIES = 2,   /* base/batch.h with a fence, base/batch_fence.h */
};

/* Only what the type has is set; the others are zero and empty. Views into the message. */
struct delivery_message {
    enum delivery_type type;
    uint64_t version;         /* HELLO, WELCOME */
    struct bytes node;        /* HELLO: DELIVERY_NODE_SIZE */
    uint64_t generation;      /* HELLO */
    struct bytes certificate; /* HELLO */
    struct bytes policy;      /* HELLO: the newest that the node knows; may be empty */
    /* BATCH, REFUSED: its number. ACK, WELCOME: up to here it is durable. HELLO: up to here some receiver
     * acknowledged it, and it will not come any more. SETTINGS, SETTLED: their version. */
    uint64_t sequence;
    uint64_t after;       /* BATCH: the number of the one before */
    uint64_t kind;        /* BATCH: enum delivery_kind; SETTLED: enum delivery_settled */
    int64_t wall;         /* BATCH: when it was closed, ns since 1970 */
    struct bytes payload; /* BATCH, SETTINGS, REPORT (cluster/fleet_view.h) */
    uint64_t window;      /* WELCOME: bytes that may be on the way */
    uint64_t settings;    /* HELLO: the version of those that this node has; 0: none */
    struct bytes text;    /* REFUSED, DENIED, SETTLED: why, for people */
};

/* False: not such a message, of a newer version, or without what its type must have. */
bool delivery_read(struct delivery_message *message, struct bytes bytes);
/* The size; 0 when it does not fit. */
size_t delivery_write(void *to, size_t capacity, const struct delivery_message *message);

/* -- the node's side ------------------------------------------------------------------------------------- */

#define DELIVERY_FLIGHT_MAX 256u /* batches on the way */

enum delivery_state {
    DELIVERY_CLOSED,
    DELIVERY_GREETING, /* HELLO was said, nothing heard */
    DELIVERY_SENDING,
};

struct delivery_sender {
    enum delivery_state state;
    uint64_t sent, acknowledged; /* numbers; `sent` is what the next batch comes after */
    uint64_t window;             /* bytes */
    int64_t greeted;             /* when */
    struct {
        uint64_t sequence;
        uint64_t size;
        int64_t at;
    } flight[DELIVERY_FLIGHT_MAX]; /* ring */
    unsigned flight_first, flight_count;
    uint64_t flight_bytes;
};

/* HELLO was said; up to `acknowledged` this side knows it stored. Times in ns, monotonic. */
void delivery_sender_greet(struct delivery_sender *sender, uint64_t acknowledged, int64_t now);

enum delivery_heard {
    DELIVERY_HEARD_NOTHING,
    DELIVERY_HEARD_WELCOME,  /* send what comes after `sent` */
    DELIVERY_HEARD_PROGRESS, /* `acknowledged` has grown */
    DELIVERY_HEARD_REFUSED,  /* one was refused, for `text`; `acknowledged` may have grown */
    DELIVERY_HEARD_AHEAD,    /* the receiver has more than `last`: these numbers were used already */
    DELIVERY_HEARD_AGAIN,    /* say HELLO */
    DELIVERY_HEARD_DENIED,   /* for `text`: end the connection */
    DELIVERY_HEARD_SETTINGS, /* see whether they fit, and say SETTLED */
    DELIVERY_HEARD_WRONG,    /* what may not come now: end the connection */
};
/* `last`: the greatest number that the spool has given. */
enum delivery_heard delivery_sender_hear(struct delivery_sender *sender,
                                         const struct delivery_message *message, uint64_t last);

/* Whether a batch may be sent now; one always may when nothing is on the way. */
bool delivery_sender_may_send(const struct delivery_sender *sender, size_t size);
void delivery_sender_sent(struct delivery_sender *sender, uint64_t sequence, size_t size, int64_t now);
/* Nothing came for too long: end the connection. */
bool delivery_sender_is_lost(const struct delivery_sender *sender, int64_t now, int64_t patience);

/* -- the receiver's side --------------------------------------------------------------------------------- */

/* What is remembered of a node, as durably as what it sent. */
struct delivery_source {
    uint64_t generation;
    uint64_t last;
};

/* A node says HELLO. */
void delivery_source_greet(struct delivery_source *source, const struct delivery_message *hello);

enum delivery_verdict {
    DELIVERY_TAKE,
    DELIVERY_KNOWN,   /* acknowledged again */
    DELIVERY_MISSING, /* something before it has not come: say AGAIN */
};
enum delivery_verdict delivery_source_judge(const struct delivery_source *source,
                                            const struct delivery_message *batch);
