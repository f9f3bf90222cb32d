/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is let in: the handler of ZeroMQ's authentication protocol (ZAP 1.0, RFC 27), a thread that answers
 * each handshake from a table in memory. Fails closed: whatever is not a well-formed question about an
 * admitted key is refused, and without the handler the sockets (ZMQ_ZAP_ENFORCE_DOMAIN) refuse everybody.
 */
#pragma once

#include "base/cursor.h"
#include "cluster/node_id.h"

#define ZAP_KEY_SIZE         32u
#define ZAP_FRAMES           7u          /* of a question about a CURVE key, without the envelope */
#define ZAP_DOMAIN_FLEET     "fleet"     /* admitted keys only */
#define ZAP_DOMAIN_ENROLMENT "enrolment" /* any key, at a limited rate */
/* The metadata that the handler gives to every message of a connection. */
#define ZAP_USER_ID "User-Id"    /* the node id, 32 hexadecimal digits; "-" of who enrols */
#define ZAP_KEY     "Picket-Key" /* the CURVE key, 64 hexadecimal digits */

struct zap;

struct zap_options {
    void *context;               /* of ZeroMQ */
    uint32_t keys_max;           /* admitted at a time */
    uint32_t enrolments_burst;   /* connections to the enrolment socket: so many at once ... */
    uint32_t enrolments_per_min; /* ... and so many a minute. One address gets a quarter of both. */
};

/* Binds the handler's socket and starts its thread: before any socket with a domain is bound. NULL when it
 * cannot. */
struct zap *zap_new(const struct zap_options *options);
/* Only after zmq_ctx_shutdown() on its context, which ends the thread. */
void zap_destroy(struct zap **self_p);

/* The table; any thread. `admit`: false when it is full or when the key is another node's. `expel_*`: how
 * many keys were taken out. */
bool zap_admit(struct zap *self, const struct node_id *id, const uint8_t key[ZAP_KEY_SIZE]);
uint32_t zap_expel_key(struct zap *self, const uint8_t key[ZAP_KEY_SIZE]);
uint32_t zap_expel_node(struct zap *self, const struct node_id *id);
/* Whether the key is admitted, and whose it is. */
bool zap_find(struct zap *self, const uint8_t key[ZAP_KEY_SIZE], struct node_id *id);
uint32_t zap_count(struct zap *self);

#define ZAP_COUNTERS(X)                                                                                      \
    X(admitted, "handshakes of admitted keys")                                                               \
    X(refused, "handshakes of keys that are not admitted")                                                   \
    X(malformed, "questions that could not be read")                                                         \
    X(enrolments, "connections let in to enrol")                                                             \
    X(enrolments_limited, "connections refused because too many wanted to enrol")
struct zap_counters {
#define ZAP_COUNTER(name, doc) uint64_t name;
    ZAP_COUNTERS(ZAP_COUNTER)
#undef ZAP_COUNTER
};
void zap_counters(struct zap *self, struct zap_counters *counters);

/* A question, read. Points into the frames. */
struct zap_request {
    struct bytes id;
    bool enrolment; /* the domain: that one or the fleet's */
    char address[48];
    uint8_t key[ZAP_KEY_SIZE];
};
/* False when it is anything but a ZAP 1.0 question about a CURVE key in one of the two domains; `id` is set
 * then too, when there is one. */
bool zap_request_read(struct zap_request *request, const struct bytes *frames, unsigned count);
