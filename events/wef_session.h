/* SPDX-License-Identifier: Apache-2.0
 *
 * The event collector: what each source of forwarded events asks and delivers, and what it is answered. Knows
 * its sources, with the bookmark that each is given back when it subscribes again. Pure: bytes and times in,
 * bytes out. Whoever calls has found out who the source is; one thread at a time.
 */
#pragma once

#include "base/address.h"
#include "events/wef_subscription.h"

#define WEF_SOURCES_MAX  8192u
#define WEF_NAME_MAX     256u
#define WEF_SILENT_BEATS 3u /* heartbeats that are missed before a source is called silent */
#define WEF_FORGOTTEN    (INT64_C(7) * 86400 * 1000000000) /* ns without a word: gone for good */
#define WEF_ANSWER_MAX   32768u

/* Who asks: proved, by a certificate or a ticket. */
struct wef_peer {
    struct bytes name;       /* "dc01.corp.example", "DC01$@CORP.EXAMPLE" */
    bool kerberos;           /* name is a principal; else it is that of a certificate */
    struct bytes thumbprint; /* of its issuer, hexadecimal; certificates only */
    struct ip_address address;
};

enum wef_taken {
    WEF_TAKEN,   /* done with, whatever came of it */
    WEF_FOREIGN, /* of another computer than the source: not believed */
    WEF_NO_ROOM, /* the rest of the message is to come again */
};

struct wef_settings {
    struct wef_terms terms;
    uint64_t seed; /* that sources do not know */
    /* Who may forward: patterns of fnmatch(3) against lower-case names, ended by NULL. Empty: every computer
     * that the domain or the authority knows. */
    const char *const *sources;
    /* Whose events may be those of other computers: collectors that pass on. Patterns as above. */
    const char *const *forwarders;
    /* Takes the XML of an event. */
    enum wef_taken (*take)(void *context, const struct wef_peer *peer, struct bytes xml);
    void *context;
};

struct wef_session;

/* NULL without memory. What the settings point to must outlive it. The caller destroys it. */
struct wef_session *wef_session_new(const struct wef_settings *settings);
void wef_session_destroy(struct wef_session **session_p);

struct wef_request {
    struct wef_peer peer;
    const char *path; /* of the URL */
    struct bytes soap;
    int64_t now;           /* wall ns */
    uint8_t random[3][16]; /* for the ids of the answer */
};

struct wef_answer {
    unsigned status;   /* HTTP */
    bool utf16;        /* as wef_encode() is to write it */
    struct bytes soap; /* UTF-8; empty: no body. Valid until the next request */
    enum wef_fault fault;
    enum wef_action action;
};

void wef_session_handle(struct wef_session *session, const struct wef_request *request,
                        struct wef_answer *answer);

/* Whether the events of this source may bear that computer's name: its own, or it is a forwarder. Names are
 * compared as NetBIOS knows them: the first label, 15 characters of it, in any case. */
bool wef_session_may_speak(const struct wef_session *session, const struct wef_peer *peer,
                           struct bytes computer);

/* --- its sources --- */

struct wef_source {
    char name[WEF_NAME_MAX]; /* lower case */
    struct ip_address address;
    int64_t subscribed; /* wall ns, last; 0: not since it is known */
    int64_t heard;      /* last message of any kind */
    int64_t event;      /* last event */
    uint64_t events, foreign;
    bool ended;            /* it said that its subscription ended */
    bool silent;           /* nothing was heard of it for WEF_SILENT_BEATS heartbeats */
    struct bytes bookmark; /* valid until the next request */
};

struct wef_counts {
    uint32_t sources, silent;
    uint64_t requests, faults, events, foreign, refused, heartbeats;
};

/* False past the last. */
bool wef_session_source(const struct wef_session *session, uint32_t i, int64_t now,
                        struct wef_source *source);
void wef_session_counts(const struct wef_session *session, int64_t now, struct wef_counts *counts);

/* --- what outlives it --- */

/* Grows with each change that is worth saving. */
uint64_t wef_session_revision(const struct wef_session *session);
/* What wef_session_load() reads; malloc()ed, NULL without memory. */
uint8_t *wef_session_save(const struct wef_session *session, size_t *size);
/* Into a new session. False when it is damaged; what was read before the damage is kept. */
bool wef_session_load(struct wef_session *session, struct bytes saved);
