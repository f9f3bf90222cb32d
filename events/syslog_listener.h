/* SPDX-License-Identifier: Apache-2.0
 *
 * The syslog listener: a thread with the sockets of all its addresses, UDP, TCP (RFC 6587) and TLS (RFC
 * 5425), IPv4 and IPv6. What it hears goes into the intake. Connections, their buffers and how long they may
 * be idle are bounded; nothing grows with who sends what.
 */
#pragma once

#include "base/fault.h"
#include "base/text.h"
#include "events/intake.h"
#include "events/senders.h"

#define SYSLOG_ADDRESSES_MAX 16u

enum syslog_transport { SYSLOG_UDP, SYSLOG_TCP, SYSLOG_TLS };

struct syslog_address {
    enum syslog_transport transport;
    struct endpoint endpoint; /* [::] is IPv4, too, unless that has an address of its own in the list */
};

/* "udp:192.0.2.1:514", "tcp:[::]:514", "tls:[2001:db8::1]:6514". False: it is none. */
bool syslog_address_parse(const char *text, struct syslog_address *to);

struct syslog_listener_config {
    struct syslog_address addresses[SYSLOG_ADDRESSES_MAX];
    unsigned address_count;
    struct senders allow;
    /* Of TLS; PEM files, which outlive the listener's start only. With `client_ca` whoever connects must have
     * a certificate of it; NULL: nobody is asked for one. */
    const char *certificate, *key, *client_ca;
    unsigned connections_max;            /* 0: 1,024 */
    unsigned connections_of_address_max; /* 0: 64 */
    int64_t idle;                        /* ns after which a silent connection is ended; 0: 15 min */
    bool local;                          /* times without a zone are this host's, else UTC */
    struct intake *intake;
};

struct syslog_listener;

/* NULL with the reason; the intake must outlive it. */
struct syslog_listener *syslog_listener_start(const struct syslog_listener_config *config,
                                              struct fault *fault);
void syslog_listener_stop(struct syslog_listener **listener);

/* The certificates of another configuration, or those of the same files as they are now, for whoever connects
 * from now on; connections stay. False with the reason, and all stays as it was. One thread at a time. */
bool syslog_listener_renew(struct syslog_listener *listener, const struct syslog_listener_config *config,
                           struct fault *fault);

/* --- any thread --- */

/* The port of an address; another than was asked for when that was 0. */
uint16_t syslog_listener_port(const struct syslog_listener *listener, unsigned address);

struct syslog_listener_counters {
    uint64_t connections; /* that are open now */
    uint64_t accepted;
    uint64_t refused;    /* senders that are not allowed: datagrams and connections */
    uint64_t crowded;    /* connections beyond the bounds */
    uint64_t handshakes; /* of TLS that failed */
    uint64_t broken;     /* connections that ended within a message, or with an error */
};
void syslog_listener_counters(struct syslog_listener *listener, struct syslog_listener_counters *counters);

/* Its addresses, as they are configured. */
void syslog_listener_describe(const struct syslog_listener *listener, struct text *to);
