/* SPDX-License-Identifier: Apache-2.0
 *
 * The fleet's sockets: authenticated, encrypted links to other nodes, known by their node ids. It carries
 * messages whose meaning it does not know. Two ROUTER sockets: the inbox listens (CURVE server), the outbox
 * dials (CURVE client); a third one, apart, lets new nodes enrol. docs/cluster-transport.md tells what of
 * ZeroMQ had to be minded.
 *
 * All of it is called from one thread and nothing here waits, but for enrolment_ask(). Wait for
 * transport_poll_items(), then take events with transport_receive() until there are none, and call
 * transport_tick() at least once a second.
 */
#pragma once

#include <zmq.h>

#include "base/cursor.h"
#include "base/fault.h"
#include "cluster/node_id.h"

#define TRANSPORT_KEY_SIZE   32u /* CURVE */
#define TRANSPORT_BINDS      8u
#define TRANSPORT_ENDPOINTS  8u /* of a peer */
#define TRANSPORT_POLL_ITEMS 8u

#define ENROLMENT_REQUEST_LIMIT 4096u
#define ENROLMENT_REPLY_LIMIT   131072u

struct transport;

/* Answers one who wants to enrol: returns the reply's size in `reply`, 0 for none. `address`: where from. */
typedef size_t enrolment_handler(void *context, const char *address, struct bytes request, uint8_t *reply,
                                 size_t reply_max);

struct transport_options {
    struct node_id self;
    /* CURVE keys. ZeroMQ gets its copies; nothing here keeps them or the pointers. */
    const uint8_t *public_key, *secret_key;
    const char
        *binds[TRANSPORT_BINDS]; /* "tcp://0.0.0.0:49200", "tcp://[::]:49200", or all of both with HOST "*" */
    unsigned bind_count;         /* 0: this node only dials */

    const char *enrolment_bind; /* NULL: nobody can enrol here */
    const uint8_t *enrolment_public_key, *enrolment_secret_key;
    enrolment_handler *enrolment;
    void *enrolment_context;
    uint32_t enrolments_burst, enrolments_per_min; /* 400, 1200: connections; one address gets a quarter */
    uint32_t enrolling_max;                        /* 64: connections at a time */

    uint32_t keys_max;      /* 32768: admitted keys */
    uint32_t inbound_max;   /* 64: connections at a time, also those that are not authenticated yet */
    uint32_t dialled_max;   /* 48: links that are kept */
    uint32_t temporary_max; /* 16: links that end when idle */
    uint32_t high_water;    /* 64: messages waiting per link and direction, 1 to 1024 */
    uint32_t message_max;   /* 65536 bytes */
    /* ms */
    int heartbeat, heartbeat_timeout, heartbeat_ttl; /* 15000, 45000, 60000 */
    int handshake, connect;                          /* 3000, 5000 */
    int reconnect_min, reconnect_max;                /* 500, 60000; between them doubling, with jitter */
    int drain;          /* 3000: a link that ends gives what is on the way that long */
    int temporary_idle; /* 30000 */
};

/* Sets the defaults (not self, keys, binds, enrolment). */
void transport_options_init(struct transport_options *options);

/* NULL with a reason. The caller destroys it. */
struct transport *transport_new(const struct transport_options *options, struct fault *fault);
void transport_destroy(struct transport **self_p);

/* Where it listens: "tcp://ADDRESS:PORT" with the port that it really has. `index` counts the binds. */
const char *transport_endpoint(const struct transport *self, unsigned index);
const char *transport_enrolment_endpoint(const struct transport *self);

/* --- who is admitted --- */

/* The key is the node's from now on; a node may have several (rotation). False when the table is full or the
 * key is another node's. */
bool transport_admit(struct transport *self, const struct node_id *id,
                     const uint8_t public_key[TRANSPORT_KEY_SIZE]);
/* Acts at once: links of the key, or of the node, are cut, and what they sent before is not delivered. */
void transport_expel(struct transport *self, const struct node_id *id);
void transport_expel_key(struct transport *self, const uint8_t public_key[TRANSPORT_KEY_SIZE]);

/* --- links --- */

enum transport_want {
    TRANSPORT_KEEP,      /* dialled again until it is hung up */
    TRANSPORT_TEMPORARY, /* dialled once; ends when idle; messages may be sent before it is up */
};

/* Wants a link with the node. Without one, its endpoints are tried in turn ("tcp://HOST:PORT"; all addresses
 * of a name), then again after a back-off. A link that the peer dialled is as good, and TRANSPORT_LINK_UP is
 * told of it again. Called again: takes over key, endpoints and want; the key before stays as second choice
 * while it is admitted. False: the key is not admitted for the id, no endpoint can be read, it is this node
 * itself, or there are too many. */
bool transport_dial(struct transport *self, const struct node_id *id,
                    const uint8_t server_key[TRANSPORT_KEY_SIZE], const char *const *endpoints,
                    unsigned endpoint_count, enum transport_want want);

/* The link is no longer wanted. When this side dialled it, it ends after what is on its way arrived. */
void transport_hang_up(struct transport *self, const struct node_id *id);

enum transport_result {
    TRANSPORT_SENT,    /* on its way; whether it arrives is not known */
    TRANSPORT_NO_LINK, /* nor is one up */
    TRANSPORT_FULL,    /* the peer does not keep up: dropped and counted */
    TRANSPORT_TOO_LARGE,
};
/* Never waits, and nothing grows: at most high_water messages wait for a peer. */
enum transport_result transport_send(struct transport *self, const struct node_id *id, const void *bytes,
                                     size_t size);

/* --- events --- */

enum transport_event_type {
    TRANSPORT_MESSAGE,          /* .message, valid until the next call */
    TRANSPORT_LINK_UP,          /* the first link to this peer; before its messages */
    TRANSPORT_LINK_DOWN,        /* the last one ended; .text says why */
    TRANSPORT_HANDSHAKE_FAILED, /* of a peer that is dialled; .text says why and where */
};
struct transport_event {
    enum transport_event_type type;
    struct node_id peer;
    bool dialled;     /* by this side */
    const char *text; /* LINK_UP: the peer's address; until the next call */
    struct bytes message;
};

/* Fills in what to poll for (ZMQ_POLLIN); the same every time. Returns how many. */
unsigned transport_poll_items(const struct transport *self, zmq_pollitem_t items[TRANSPORT_POLL_ITEMS]);

/* The next event; false when there is none now. Enrolments are answered on the way. */
bool transport_receive(struct transport *self, struct transport_event *event);

/* Time-outs, back-offs, new dialling. `mono`: ms, monotonic. */
void transport_tick(struct transport *self, int64_t mono);

/* New keys of this node, already admitted by the others: new links use them at once, links that stand are
 * brought to an end one by one, without loss, and dialled anew. The listening ports stay open. */
bool transport_rekey(struct transport *self, const uint8_t public_key[TRANSPORT_KEY_SIZE],
                     const uint8_t secret_key[TRANSPORT_KEY_SIZE]);

/* --- what it knows --- */

struct transport_link {
    struct node_id peer;
    bool up, dialled, wanted, temporary;
    const char *address; /* of the link, or the endpoint that was tried last */
    int64_t since;       /* ms, monotonic: up, or without a link */
    int64_t retry_at;    /* ms, monotonic: the next attempt; 0: none waits */
    int64_t backoff;     /* ms */
    uint64_t messages_in, messages_out, bytes_in, bytes_out;
    uint64_t dropped;    /* not sent because the link was full */
    uint64_t failures;   /* attempts to dial */
    const char *failure; /* of the last one; "" for none */
};
/* All peers with a link or with a wish for one. */
void transport_links(const struct transport *self,
                     void (*visit)(void *context, const struct transport_link *link), void *context);

#define TRANSPORT_COUNTERS(X)                                                                                \
    X(messages_in, "messages received")                                                                      \
    X(messages_out, "messages sent")                                                                         \
    X(bytes_in, "bytes received")                                                                            \
    X(bytes_out, "bytes sent")                                                                               \
    X(full, "messages not sent because the peer does not keep up")                                           \
    X(malformed, "messages that are not of the transport's form")                                            \
    X(too_large, "messages received that were too large")                                                    \
    X(without_user, "messages of connections that nobody authenticated")                                     \
    X(not_admitted, "messages and links of nodes that are no longer admitted")                               \
    X(unknown_route, "messages of connections that did not say hello")                                       \
    X(foreign_route, "connections that chose a routing id of their own")                                     \
    X(inbound_refused, "connections closed because there were too many")                                     \
    X(inbound_silent, "connections closed because no node spoke up on them")                                 \
    X(handshakes_failed, "handshakes that failed, of either direction")                                      \
    X(dials, "attempts to dial")                                                                             \
    X(dials_failed, "attempts that failed")                                                                  \
    X(links_doubled, "second links of a pair that were brought to an end")                                   \
    X(enrolment_requests, "requests to enrol that were answered")                                            \
    X(enrolment_malformed, "requests to enrol that were not of the form")                                    \
    X(zap_admitted, "handshakes of admitted keys")                                                           \
    X(zap_refused, "handshakes of keys that are not admitted")                                               \
    X(zap_malformed, "questions to the admission that could not be read")                                    \
    X(enrolments_limited, "connections to enrol refused by the rate limit")                                  \
    X(descriptors, "file descriptors in use")                                                                \
    X(descriptors_max, "file descriptors that may be used")                                                  \
    X(descriptors_alarm, "1 while more than 80 % of them are in use")
struct transport_counters {
#define TRANSPORT_COUNTER(name, doc) uint64_t name;
    TRANSPORT_COUNTERS(TRANSPORT_COUNTER)
#undef TRANSPORT_COUNTER
};
void transport_counters(const struct transport *self, struct transport_counters *counters);

/* --- the side of the one who enrols --- */

/* Sends one request to the enrolment socket at the endpoint and waits for the reply, up to `timeout` ms. The
 * connection uses keys made for it alone. Returns the reply's size; 0 with a reason. */
size_t enrolment_ask(const char *endpoint, const uint8_t server_key[TRANSPORT_KEY_SIZE], struct bytes request,
                     void *reply, size_t reply_max, int timeout, struct fault *fault);
