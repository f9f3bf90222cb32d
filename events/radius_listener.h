/* SPDX-License-Identifier: Apache-2.0
 *
 * The RADIUS accounting server's sockets and thread (UDP, IPv4 and IPv6). A record goes into the intake, and
 * its sender is answered when radius_listener_kept() says that it is safe; what does not become safe is not
 * answered, so that the sender tries again.
 */
#pragma once

#include "base/fault.h"
#include "events/intake.h"
#include "events/radius_accounting.h"

#define RADIUS_LISTENERS_MAX 4u
#define RADIUS_CLIENT_TEXT   64     /* its prefix, as in the configuration */
#define RADIUS_WAITING       32768u /* records that may wait to be kept; beyond them none is taken */

struct radius_client_file {
    struct ip_address network;
    uint8_t bits;
    const char *secret; /* path; only its owner may read it */
};

struct radius_listener_config {
    const struct endpoint *listen; /* [::] means IPv4 too */
    unsigned listen_count;         /* 1 to RADIUS_LISTENERS_MAX */
    const struct radius_client_file *clients;
    unsigned client_count; /* at most RADIUS_CLIENTS_MAX */
    uint32_t rate;         /* requests a client may send in a second */
    struct intake *intake; /* outlives the listener */
    int64_t patience;      /* ns in which a record is to be kept, else it counts as lost; 0: 30 s */
};

struct radius_listener;

/* NULL with the reason: a secret that cannot be read, an address that is not free, no memory. */
struct radius_listener *radius_listener_start(const struct radius_listener_config *config,
                                              struct fault *fault);
void radius_listener_stop(struct radius_listener **listener_p);

/* --- any thread, none waits for long --- */

/* The record that was given to the intake with that tag is safe. */
void radius_listener_kept(struct radius_listener *listener, uint64_t tag);

struct radius_client_status {
    char text[RADIUS_CLIENT_TEXT];
    uint64_t verdicts[RADIUS_VERDICTS];
    uint64_t kept, not_kept; /* of RADIUS_RECORD; the others wait */
    int64_t last;            /* wall ns of what came last with the right secret; 0: nothing */
    int64_t wrong_secret;    /* wall ns of what came last with a wrong one */
    int64_t lost;            /* wall ns of the last that was not kept */
};

/* Of the client with that number; false when there is none. */
bool radius_listener_client(struct radius_listener *listener, unsigned number,
                            struct radius_client_status *status);

struct radius_listener_status {
    uint16_t port;      /* of the first address */
    uint64_t datagrams; /* that came */
    uint64_t strangers; /* of them: from none of the clients */
    uint64_t waiting;   /* records that are not kept yet */
};
void radius_listener_status(struct radius_listener *listener, struct radius_listener_status *status);
