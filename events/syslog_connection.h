/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to syslog_listener.c: one connection, its bytes on their way to messages.
 */
#pragma once

#include "base/address.h"
#include "events/syslog.h"

#include <gnutls/gnutls.h>

typedef void (*syslog_message)(void *context, const struct ip_address *from, struct bytes message);

struct syslog_connection {
    struct syslog_connection *next, **back; /* in the listener's list */
    int descriptor;
    gnutls_session_t session;               /* NULL: plain TCP */
    bool shaken;                            /* the handshake is done */
    struct syslog_credentials *credentials; /* of the listener, which counts who uses them; NULL: plain */
    struct ip_address from;
    int64_t heard; /* monotonic ns: when bytes came last */
    struct syslog_stream stream;
    uint8_t *bytes; /* grows up to SYSLOG_MESSAGE_MAX + SYSLOG_COUNT_MAX */
    size_t size, capacity;
};

enum syslog_outcome {
    SYSLOG_GOES_ON,
    SYSLOG_ENDED,    /* by the other side, in good order */
    SYSLOG_BROKEN,   /* an error, or an end without one */
    SYSLOG_UNSHAKEN, /* TLS was not agreed upon */
};

/* Takes the socket, which is closed with it; `credentials` NULL: plain. NULL without memory (then the socket
 * is closed as well). */
struct syslog_connection *syslog_connection_new(int descriptor, const struct ip_address *from, int64_t now,
                                                gnutls_certificate_credentials_t credentials, bool ask);
void syslog_connection_destroy(struct syslog_connection **connection);

/* Its socket can be read or written: reads some, and hands over the messages that are whole. */
enum syslog_outcome syslog_connection_turn(struct syslog_connection *connection, int64_t now,
                                           syslog_message message, void *context);

/* Nothing came for a while, or nothing will come any more: what stands there without an end is a message. */
void syslog_connection_flush(struct syslog_connection *connection, syslog_message message, void *context);

/* Whether it waits for the rest of a message. */
bool syslog_connection_waits(const struct syslog_connection *connection);

/* Whether the handshake wants to write. */
bool syslog_connection_writes(const struct syslog_connection *connection);
