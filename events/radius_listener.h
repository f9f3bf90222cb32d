/* SPDX-License-Identifier: Apache-2.0
 *
 * The RADIUS accounting server's sockets and thread (UDP, IPv4 and IPv6). What arrives together is kept
 * together: one commit, then all answers. What cannot be kept is not answered, so that the client sends it
 * again.
 */
#pragma once

#include "base/fault.h"
#include "events/radius_accounting.h"

#define RADIUS_LISTENERS_MAX 4u
#define RADIUS_CLIENT_TEXT   64 /* its prefix, as in the configuration */

struct radius_client_file {
    struct ip_address network;
    uint8_t bits;
    const char *secret; /* path; only its owner may read it */
};

/* Both on the listener's thread. */
struct radius_sink {
    void *context;
    /* Takes a record over; valid during the call. False: it cannot be kept. */
    bool (*keep)(void *context, struct bytes record);
    /* Makes durable what was taken over since the last time. False: none of that counts as kept. */
    bool (*commit)(void *context);
};

struct radius_listener_config {
    const struct endpoint *listen; /* [::] means IPv4 too */
    unsigned listen_count;         /* 1 to RADIUS_LISTENERS_MAX */
    const struct radius_client_file *clients;
    unsigned client_count; /* at most RADIUS_CLIENTS_MAX */
    uint32_t rate;         /* requests a client may send in a second */
    struct radius_sink sink;
    int64_t retry; /* ns until an address that was not free is tried again; 0: 10 s */
};

struct radius_listener;

/* NULL with the reason: a secret that cannot be read, no memory. An address where it cannot listen is none:
 * it tries again and says so in its status. */
struct radius_listener *radius_listener_start(const struct radius_listener_config *config,
                                              struct fault *fault);
void radius_listener_stop(struct radius_listener **listener_p);

/* --- any thread --- */

struct radius_client_status {
    char text[RADIUS_CLIENT_TEXT];
    uint64_t verdicts[RADIUS_VERDICTS];
    uint64_t not_kept;    /* of RADIUS_RECORD: not answered */
    int64_t last;         /* wall ns of what came last with the right secret; 0: nothing */
    int64_t wrong_secret; /* wall ns of what came last with a wrong one */
    int64_t refused;      /* wall ns of the last that was not kept */
};

/* Of the client with that number; false when there is none. */
bool radius_listener_client(struct radius_listener *listener, unsigned number,
                            struct radius_client_status *status);

struct radius_listener_status {
    unsigned listening, wanted; /* addresses */
    uint16_t port;              /* of the first one that listens */
    char fault[FAULT_MAX];      /* why it does not listen at one of them; "": it does */
    uint64_t datagrams;
    uint64_t strangers; /* of them: from none of the clients */
    uint64_t commits, commits_failed;
    int64_t not_kept_since; /* wall ns: since when commits fail; 0: they do not */
};
void radius_listener_status(struct radius_listener *listener, struct radius_listener_status *status);

/* "10.0.0.0/8", "2001:db8::1": an address is a prefix of all its bits. False when it is neither, or has bits
 * behind its prefix. */
bool radius_prefix_parse(const char *text, struct ip_address *network, uint8_t *bits);
