/* SPDX-License-Identifier: Apache-2.0
 *
 * A RADIUS accounting server (RFC 2866): a datagram in, an activity and the answer out. Pure: no socket, no
 * clock. What it is told at once it does not answer at once: an answer says that the record is kept, so the
 * caller first keeps it, says so by radius_accounting_settle(), and sends the answer then.
 *
 * A repeated request (RFC 5080 2.2.2) gets the same answer and makes no second activity; so does one that its
 * client made anew for it got no answer, which differs in its identifier and Acct-Delay-Time only.
 */
#pragma once

#include "base/activity.h"
#include "capture/radius.h"

#define RADIUS_CLIENTS_MAX 256u

/* Who may send, and what it shares with us. */
struct radius_client {
    struct ip_address network;
    uint8_t bits;       /* of the network that count */
    const char *secret; /* outlives the server */
};

struct radius_accounting_config {
    const struct radius_client *clients; /* copied; of several that fit the longest prefix counts */
    unsigned client_count;               /* at most RADIUS_CLIENTS_MAX */
    uint32_t rate;                       /* requests a client may send in a second */
    uint32_t repeats;                    /* requests that are remembered, to know them again */
    int64_t repeat_time;                 /* for how long; ns */
    uint64_t seed;                       /* that others do not know */
};

struct radius_accounting;

/* NULL without memory. The caller destroys it. */
struct radius_accounting *radius_accounting_new(const struct radius_accounting_config *config);
void radius_accounting_destroy(struct radius_accounting **server_p);

struct radius_datagram {
    struct bytes bytes;
    struct endpoint from, to; /* `to` without address: not known */
    int64_t wall, monotonic;  /* when it came; ns */
};

enum radius_verdict {
    RADIUS_RECORD,       /* to be kept, settled, and then answered */
    RADIUS_STATUS,       /* Status-Server (RFC 5997): to be answered if records can be kept */
    RADIUS_REPEAT,       /* of what was kept: to be answered */
    RADIUS_PENDING,      /* of what is not settled: nothing is to be done */
    RADIUS_STRANGER,     /* from none of the clients */
    RADIUS_WRONG_SECRET, /* or changed on its way */
    RADIUS_MALFORMED,
    RADIUS_UNSUPPORTED, /* another request than this server answers */
    RADIUS_LIMITED,     /* more than the client may send */
    RADIUS_VERDICTS
};

struct radius_outcome {
    enum radius_verdict verdict;
    unsigned client; /* number in the configuration; not with RADIUS_STRANGER */
    uint64_t ticket; /* RADIUS_RECORD: for settle */
    size_t reply_size;
    uint8_t reply[RADIUS_PACKET_MAX]; /* never larger than the request */
};

/* With RADIUS_RECORD the activity stands in the writer: activity_finish(). */
void radius_accounting_take(struct radius_accounting *server, const struct radius_datagram *datagram,
                            struct activity_writer *w, struct radius_outcome *outcome);

/* Whether the record is kept. If not, its repetition is a new one. */
void radius_accounting_settle(struct radius_accounting *server, uint64_t ticket, bool kept);
