/* SPDX-License-Identifier: Apache-2.0
 *
 * Sends what waits in the spool to a center, in order, and acknowledges there what the center has on its disk
 * (base/delivery.h, docs/delivery.md). A thread of its own with a ZeroMQ socket for each connection, one at a
 * time: the first of the configured centers that answers; while it is another than the first, that one is
 * tried again now and then. Nothing grows while a center is slow or away: what is on the way has its bound,
 * the rest stays in the spool.
 */
#pragma once

#include "base/delivery.h"
#include "base/fault.h"
#include "cluster/crypto_sodium.h"
#include "cluster/tcp_address.h"
#include "node/spool.h"

#define SENDER_SERVERS 4u
#define SENDER_HOURS   8u

struct sender_server {
    char endpoint[280]; /* "tcp://HOST:PORT" */
    uint8_t key[CURVE_KEY_SIZE];
};

/* Minutes of the day, local time; `to` at or before `from`: past midnight. */
struct sender_hours {
    unsigned from, to;
};

/* The center has settings for this node: whether they fit, with a reason for people where they do not. Called
 * on the sender's thread. */
typedef enum delivery_settled (*sender_settings)(void *context, uint64_t version, struct bytes text,
                                                 struct fault *fault);

/* What the center is to know now beside what the spool has: malloc()ed, the sender frees it; NULL: nothing
 * new. Asked again and again while it sends, on its thread. */
typedef uint8_t *(*sender_report)(void *context, size_t *size);

struct sender_config {
    sender_settings settings;  /* NULL: none are taken */
    sender_report report;      /* NULL: nothing is told */
    void *context;             /* of both */
    uint64_t settings_version; /* of those that are there already; 0: none */
    const struct disk *disk;
    const char *state; /* of the identity, which is read anew for each connection: keys are rotated */
    struct spool *spool;
    struct sender_server servers[SENDER_SERVERS]; /* in order of preference */
    unsigned server_count;
    uint64_t window;    /* bytes on the way at most */
    uint64_t bandwidth; /* bytes a second; 0: as fast as it goes */
    struct sender_hours hours[SENDER_HOURS];
    unsigned hours_count; /* 0: always */
};

/* "HOST:PORT KEY", the key in 64 hexadecimal digits; "HH:MM-HH:MM". False: it is none. */
bool sender_server_parse(struct sender_server *server, const char *text);
bool sender_hours_parse(struct sender_hours *hours, const char *text);
/* Whether it may send at this minute of the day. */
bool sender_hours_allow(const struct sender_hours *hours, unsigned count, unsigned minute);

struct sender;

/* NULL with the reason. What the configuration points to must outlive it. */
struct sender *sender_start(const struct sender_config *config, struct fault *fault);
/* Sends for a moment what is durable, if a center listens, and ends. */
void sender_stop(struct sender **sender);

enum sender_state {
    SENDER_WAITING,    /* until the next attempt */
    SENDER_CONNECTING, /* to `server` */
    SENDER_SENDING,
    SENDER_RESTING, /* it is not the time of day */
};
const char *sender_state_name(enum sender_state state);

struct sender_status {
    enum sender_state state;
    char server[280];
    char fault[FAULT_MAX];                /* why the last attempt or connection ended; "": none did */
    int64_t since;                        /* wall ns: of the state */
    uint64_t sent, acknowledged, durable; /* sequences */
    uint64_t batches, bytes;              /* acknowledged since the start */
    uint64_t refused, skipped; /* by the center, for good; too large to be sent, of an older version */
    uint64_t connections, failures;
    int64_t last_acknowledged; /* wall ns; 0: never */
    int64_t undelivered;       /* ns for how long something has waited without any being acknowledged */
};
/* Any thread. */
void sender_status(struct sender *sender, struct sender_status *status);
/* Whether health issue 1011 is raised: nothing was delivered for five minutes though it might have been. */
bool sender_is_stuck(const struct sender_status *status);
