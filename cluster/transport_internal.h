/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the transport share. Private to them.
 *
 * On a link each ZeroMQ message is the routing id and one frame, whose first byte says what it is. The side
 * that dialled says HELLO first, because a ROUTER learns who is there only with a message, and the other
 * side answers with HELLO: not before that is the link up for the dialler. BYE: the sender sends nothing more
 * here; the other side answers LAST after what it had sent, and then nothing more either; with LAST the one
 * that said BYE closes. So a link ends without loss.
 */
#pragma once

#include "cluster/connections.h"
#include "cluster/host_resolver.h"
#include "cluster/transport.h"
#include "cluster/zap.h"

#define TRANSPORT_VERSION 1u

enum frame_kind {
    FRAME_DATA = 0,
    FRAME_HELLO = 1, /* and a byte: the version */
    FRAME_BYE = 2,
    FRAME_LAST = 3,
};

/* Reads a link's frame. False: malformed. `data` is what follows the kind. */
bool transport_frame_read(struct bytes frame, enum frame_kind *kind, struct bytes *data);

#define NO_LINK UINT32_MAX
#define LINKS_OF_PEER                                                                                        \
    4u /* inbound ones; a right peer has more only while links follow each other too fast                    \
        */

enum link_state {
    LINK_FREE,
    LINK_DIALLING, /* HELLO sent, nothing heard */
    LINK_UP,
    LINK_LEAVING, /* BYE sent, waiting for LAST: still receives */
    LINK_LEFT,    /* BYE received, LAST sent, waiting for the end */
    LINK_CUT,     /* expelled or replaced: nothing of it counts; waiting for the end */
    LINK_ENDED,   /* its connection is closed; what it had sent before may still be read */
    LINK_BURIED,  /* was cut, is closed */
};

struct link {
    enum link_state state;
    bool dialled;
    bool cut_later; /* inbound: replaced by a newer one; cut at the deadline unless it ends before */
    uint64_t route;
    uint32_t peer;
    int fd;                               /* of the connection; NO_FD while unknown */
    uint8_t key[TRANSPORT_KEY_SIZE];      /* of the peer */
    uint32_t key_generation;              /* of this node's keys at the time */
    int64_t since, deadline;              /* ms; 0: none */
    bool owes_hello, owes_bye, owes_last; /* did not fit the queue yet */
    char address[TCP_ADDRESS_MAX];
};

struct peer {
    bool used;
    bool wanted, temporary;
    struct node_id id;
    uint8_t keys[2][TRANSPORT_KEY_SIZE];
    unsigned key_count, key_next; /* which one the next round uses */
    struct tcp_address endpoints[TRANSPORT_ENDPOINTS];
    unsigned endpoint_count;
    /* A round of dialling: the endpoints in turn; names become addresses first. */
    bool round;
    unsigned endpoint_at;
    struct endpoint addresses[HOST_RESOLVER_ADDRESSES];
    unsigned address_count, address_at;
    uint64_t ticket; /* of the name that is being looked up; 0: none */
    int64_t ticket_deadline;
    int64_t retry_at, backoff;

    uint32_t dialled;      /* the link that this side dialled, or NO_LINK */
    uint32_t serial, told; /* how often it came up; the last that the caller was told of */
    bool up, told_up, tell_again;
    bool queued; /* in the list of those with news */
    bool failed; /* HANDSHAKE_FAILED is to be told */
    int64_t since, idle_since;
    uint64_t messages_in, messages_out, bytes_in, bytes_out, dropped, failures;
    char failure[96], address[TCP_ADDRESS_MAX], down[64];
};

struct listener {
    int fd;                      /* ours; ZeroMQ gets duplicates */
    char bound[TCP_ADDRESS_MAX]; /* as ZeroMQ names it, to unbind */
    char text[TCP_ADDRESS_MAX];
};

/* A socket and where its monitor tells of it. */
struct watched {
    void *socket, *monitor;
};

enum rekeying {
    REKEY_NONE,
    REKEY_DRAINING, /* the inbound links are told to end; then the inbox is bound anew */
};

struct transport {
    struct transport_options options; /* without the keys */
    void *context;
    struct zap *zap;
    struct host_resolver *resolver;
    struct watched inbox, outbox, enrolment;
    struct listener listeners[TRANSPORT_BINDS], enrolment_listener;
    unsigned listener_count;
    struct inbound_table inbound, enrolling;

    struct link *links;
    uint32_t link_max;
    struct peer *peers;
    uint32_t peer_max;
    uint32_t *news; /* ring of peers of whom something is to be told; each is in it once */
    uint32_t news_first, news_count;

    uint64_t next_route, next_ticket;
    uint32_t key_generation;
    enum rekeying rekeying;
    int64_t rekey_deadline;

    int64_t now;
    int64_t descriptors_at;
    bool turn;          /* which socket is asked first */
    zmq_msg_t received; /* what the last event points into */
    char text[160];     /* likewise */
    struct transport_counters counters;
};

/* --- transport_sockets.c --- */
bool sockets_open(struct transport *self, const struct transport_options *keys, struct fault *fault);
void sockets_close(struct transport *self);
bool sockets_rekey(struct transport *self, const uint8_t *public_key, const uint8_t *secret_key);
/* Binds the inbox anew with the keys that it has now: all its connections end, the ports stay open. */
bool sockets_rebind(struct transport *self);

/* --- transport_links.c --- */
struct link *links_find(struct transport *self, uint64_t route);
struct link *links_on(struct transport *self, int fd, bool dialled);
struct peer *peers_find(const struct transport *self, const struct node_id *id);
struct peer *peers_get(struct transport *self, const struct node_id *id);
void peer_news(struct transport *self, struct peer *peer);
/* Puts together what is known of the peer's links: up or not. `reason`: when it went down. */
void peer_settle(struct transport *self, struct peer *peer, const char *reason);
void peer_free_unused(struct transport *self, struct peer *peer);
/* The link to send on: NULL for none. */
struct link *peer_link(struct transport *self, const struct peer *peer);
struct link *link_new(struct transport *self, struct peer *peer, bool dialled);
enum transport_result link_send(struct transport *self, struct link *link, enum frame_kind kind,
                                const void *data, size_t size);
/* Frames with no content that must get through: what does not fit is sent later. */
void link_say(struct transport *self, struct link *link, enum frame_kind kind);
void link_leave(struct transport *self, struct link *link);
void link_cut(struct transport *self, struct link *link, const char *reason);
void link_ended(struct transport *self, struct link *link, const char *reason);
/* Closes a link of this side's dialling. */
void link_disconnect(struct transport *self, struct link *link);
/* After all that had been received was read: frees the links that are gone. */
void links_bury(struct transport *self);
void links_tick(struct transport *self);

/* --- transport_dial.c --- */
void dial_start(struct transport *self, struct peer *peer);
void dial_stop(struct transport *self, struct peer *peer);
/* The attempt under way failed: on to the next address. */
void dial_failed(struct transport *self, struct link *link, const char *reason);
/* The link that it had brought ended. */
void dial_ended(struct transport *self, struct peer *peer);
void dial_answer(struct transport *self, const struct host_resolver_answer *answer);
void dial_event(struct transport *self, const struct socket_event *event);
void dial_tick(struct transport *self, struct peer *peer);

/* --- enrolment_socket.c --- */
/* Answers one request; false when none waits. */
bool enrolment_serve(struct transport *self);
