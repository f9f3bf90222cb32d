/* SPDX-License-Identifier: Apache-2.0
 *
 * What a dissector is, and what it may use of the engine that runs it.
 *
 * A protocol is two things: pure parsers (a cursor in, a message struct out: `kerberos.h`, `ldap.h`, ...)
 * and one `struct protocol` that the engine drives: where a message ends in a stream (`frame`), and what
 * it means (`message`: parse, count, tie requests to replies, write activities). No dissector sees a
 * packet, a socket or a clock; no dissector allocates but through this header.
 *
 * The same code runs live, from a file and under the fuzzers.
 */
#pragma once

#include "base/activity.h"
#include "base/arena.h"
#include "base/cursor.h"
#include "capture/counts.h"

enum direction {
    TO_SERVER = 0, /* from the side that opened the flow (or, mid-stream, from the higher port) */
    TO_CLIENT = 1,
};

enum transport {
    TRANSPORT_UDP = 0,
    TRANSPORT_TCP = 1,
};

/* Who knows the protocol; the order is that of `protocols[]` in protocols.c. */
enum protocol_id {
    PROTOCOL_NONE = 0,
    PROTOCOL_KERBEROS,
    PROTOCOL_KPASSWD,
    PROTOCOL_LDAP,
    PROTOCOL_CLDAP,
    PROTOCOL_SMB,
    PROTOCOL_DCERPC,
    PROTOCOL_DNS,
    PROTOCOL_MDNS,
    PROTOCOL_LLMNR,
    PROTOCOL_NBNS,
    PROTOCOL_DHCP,
    PROTOCOL_RADIUS,
    PROTOCOL_SYSLOG,
    PROTOCOL_HTTP,
    PROTOCOL_TLS,
    PROTOCOL_RDP,
    PROTOCOL_TDS,
    PROTOCOL_NTLM, /* only inside others; has a row for its counters */
    PROTOCOLS
};

/* What the engine tells of the flow. */
struct flow_info {
    uint64_t number; /* from 1, in order of appearance */
    enum transport transport;
    struct endpoint client;
    struct endpoint server;
    bool midstream; /* the opening was not captured */
};

struct engine;
struct flow;

/* The context of one call; made by the engine, valid during the call. */
struct dissect {
    struct engine *engine;
    struct flow *flow;
    const struct flow_info *info;
    const struct protocol *protocol;
    void *state; /* the protocol's own, zeroed when the flow was recognised */
    enum direction direction;
    int64_t time;          /* of the packet that completed the message, ns since 1970 */
    bool truncated;        /* the message was not captured whole: its end is missing */
    struct arena *scratch; /* reset after the call */
    struct message_counts *counts;
    struct activity_writer *activity;
    uint8_t *gss_known; /* the flow's, for gss.c */
    bool unsealed;      /* what is read now was sealed: the activities say so */
};

/* -- what a protocol gives -------------------------------------------------------------------------- */

enum detection {
    DETECT_NO,
    DETECT_MORE, /* too few bytes to say */
    DETECT_YES,
};

enum frame_verdict {
    FRAME_MORE, /* cannot tell yet: call again when `want` bytes are there */
    FRAME_OK,   /* a message of `total` bytes, of which the first `want` are to be delivered */
    FRAME_BAD,  /* no message of this protocol: the engine counts it malformed and looks for the next */
};

struct frame {
    enum frame_verdict verdict;
    uint64_t total; /* bytes the message takes in the stream */
    uint32_t want;  /* leading bytes that `message` needs; the rest is skipped, never copied */
    bool search;    /* FRAME_MORE: `want` is a guess, call again with whatever comes */
};

static inline struct frame frame_more(uint32_t want)
{
    return (struct frame){.verdict = FRAME_MORE, .want = want};
}

/* The end is marked, not announced: to be called again with each segment, not with each byte. */
static inline struct frame frame_search(size_t have)
{
    return (struct frame){.verdict = FRAME_MORE, .want = (uint32_t)have + 1, .search = true};
}

static inline struct frame frame_bad(void)
{
    return (struct frame){.verdict = FRAME_BAD};
}

static inline struct frame frame_ok(uint64_t total, uint64_t want)
{
    return (struct frame){
        .verdict = FRAME_OK, .total = total, .want = (uint32_t)(want < total ? want : total)};
}

/* The most of one message that the stream glue keeps; a larger message is delivered as its first bytes,
 * marked truncated, and the rest is skipped. */
#define FRAME_WANT_MAX (512u * 1024u)

#define PROTOCOL_PORTS_MAX 12

struct protocol {
    enum protocol_id id;
    const char *name; /* as in --decode tcp/PORT=NAME, the counters and the docs */

    /* Ports on which it is tried first; zero ends the list. */
    uint16_t tcp_ports[PROTOCOL_PORTS_MAX];
    uint16_t udp_ports[PROTOCOL_PORTS_MAX];

    /* Whether these first bytes of a stream (of one direction) or this datagram are the protocol's. With
     * `on_port` the flow uses one of its ports, and a plausible beginning is enough; otherwise only a strong
     * signature is. NULL: only by port, and anything is taken there. */
    enum detection (*detect)(struct bytes start, enum transport transport, enum direction direction,
                             bool on_port);

    /* After a loss: where in these bytes a message surely begins; their size when none does. For protocols
     * whose messages begin in the middle of segments. NULL: only the start of a segment is looked at. */
    size_t (*find)(struct bytes data, enum direction direction);

    /* Bytes of per-flow state, given zeroed; keep it small and allocate the rest when it is needed. */
    size_t state_size;

    /* Streams: where the message that begins at start.data[0] ends. Pure but for reading (and noting in) the
     * state. NULL for protocols of datagrams only. */
    struct frame (*frame)(struct dissect *d, struct bytes start);

    /* One message or datagram. */
    void (*message)(struct dissect *d, struct cursor message);

    /* Bytes were lost in d->direction; forget what depended on them. May be NULL. */
    void (*gap)(struct dissect *d);

    /* The flow ended (FIN, RST, expiry, end of the capture); may write activities. Pending activities are
     * emitted, and all memory is freed, by the engine afterwards. May be NULL. */
    void (*close)(struct dissect *d);
};

/* The table (protocols.c); NULL for PROTOCOL_NONE and for those without a row of their own. */
const struct protocol *protocol_get(enum protocol_id id);
const struct protocol *protocol_by_name(const char *name);
const char *protocol_name(enum protocol_id id);

/* -- what the engine gives (engine.c) --------------------------------------------------------------- */

/* Starts the one activity under construction: head, flow, endpoints and transport are put. Returns
 * d->activity. */
struct activity_writer *dissect_begin(struct dissect *d, enum activity_kind kind);

/* Completes it and hands it on. */
void dissect_emit(struct dissect *d);

/* Completes it when the answer to what was posted to the holder of the keys under that number is there
 * (capture/unseal.h), or is known not to come: `finish` gets the activity as d->activity and the answer
 * (empty: none), and says whether it is to be emitted. It may ask for nothing. What comes after it
 * waits with it: the order stays. */
typedef bool (*dissect_finish)(struct dissect *d, struct bytes answer);
void dissect_emit_later(struct dissect *d, uint64_t number, dissect_finish finish);

/* The same for what is no activity: when the answer is there, or is known not to come, `go_on` is called as
 * if a message of the flow had come at d->time, whose activities are given out where this call stands among
 * the others. It may post and tell, and asks for nothing. Before the flow ends it was called. */
typedef void (*dissect_go_on)(struct dissect *d, const uint64_t about[2], struct bytes answer);
void dissect_later(struct dissect *d, uint64_t number, dissect_go_on go_on, uint64_t first, uint64_t second);
/* Fetches what the flow waits for now, for messages that must come behind it. */
void dissect_collect(struct dissect *d);

/* Whom a ticket names, when that was posted under `number`. Activities that want to name him wait for it. */
struct dissect_client {
    uint64_t id; /* never 0 */
    uint64_t number;
    bool known;
    void *asker; /* gss.c's; NULL: gone */
    char account[64];
    char domain[64];
};
struct dissect_client *dissect_client_new(struct dissect *d, uint64_t number, void *asker); /* NULL: none */
struct dissect_client *dissect_client(const struct dissect *d, uint64_t id); /* NULL: 0, or long ago */
/* Puts account and domain: now, or when they are known. */
void dissect_put_client(const struct dissect *d, struct activity_writer *w, uint64_t id);

/* Keeps it until the reply comes. `key` names it within the flow and protocol (a message id, an XID); an
 * older one of the same key is emitted as unanswered first. When the budget is used up it is emitted as
 * unanswered at once. */
void dissect_defer(struct dissect *d, uint64_t key);

/* Takes up a kept one: it becomes d->activity again, to be completed and emitted, with `duration` put.
 * NULL when there is none. */
struct activity_writer *dissect_resume(struct dissect *d, uint64_t key);

/* The same, but without `duration` being put and without ending the wait: for intermediate replies whose
 * facts are added; must be followed by dissect_defer with the same key. */
struct activity_writer *dissect_revisit(struct dissect *d, uint64_t key);

/* Zeroed memory that lives as long as the flow, charged to the budget; NULL when that is used up (then the
 * dissector does without). At most 64 KiB a piece. Freed by the engine when the flow ends; earlier by
 * dissect_free with the same size. */
void *dissect_alloc(struct dissect *d, size_t size);
void dissect_free(struct dissect *d, void *memory, size_t size);

/* A text of the wire, in UTF-16LE or bytes; nothing when it is empty. */
static inline void dissect_put_text(struct activity_writer *w, enum activity_field field, struct bytes text,
                                    bool unicode)
{
    if (!text.size)
        return;
    if (unicode)
        activity_put_utf16(w, field, text.data, text.size);
    else
        activity_put_string(w, field, text.data, text.size);
}

/* Counts for the summary, per protocol: damaged messages; messages that were seen but not readable. Call
 * dissect_malformed for a message that breaks its specification, not for one that was cut (d->truncated). */
void dissect_malformed(struct dissect *d, enum protocol_id protocol);
void dissect_sealed(struct dissect *d, enum protocol_id protocol);
/* One message of that protocol was dissected (for the cost per message and the summary). */
void dissect_counted(struct dissect *d, enum protocol_id protocol);

/* The message was not sent here: an ICMP error quotes it. It is counted, and gives no activity. */
bool dissect_quoted(const struct dissect *d);

/* Announces that connections to this server endpoint (address of this flow's server when address is NULL)
 * speak `protocol`: learnt from an endpoint mapper's answer. Bounded, ages. */
void dissect_expect(struct dissect *d, const struct ip_address *address, uint16_t port,
                    enum protocol_id protocol);

/* From the next byte on (both directions), the stream speaks another protocol (StartTLS, a CONNECT that
 * upgrades); PROTOCOL_NONE: it is opaque, skip it. */
void dissect_switch(struct dissect *d, enum protocol_id protocol);

/* Keyed 64-bit hash of secret material (a ticket's cipher text), the same for the same bytes in all flows of
 * this sensor: follows a ticket from issue to use without keeping it. Never 0. */
uint64_t dissect_fingerprint(const struct dissect *d, struct bytes secret);

/* Who holds the keys, for unseal.c; NULL: nobody, or the message is a quoted one. */
struct unsealer;
const struct unsealer *dissect_unsealer(const struct dissect *d);
/* A number for what is posted (with so many bytes of an answer to come, at most) or named to it; never 0, and
 * never the same again. */
uint64_t dissect_unseal_number(struct dissect *d, size_t answer);

/* Keys of signatures that were agreed on over one flow and are used over others (dns_tsig.h): the engine's.
 */
struct tsig_keys;
struct tsig_keys *dissect_tsig_keys(const struct dissect *d);

/* The shared secret of RADIUS; NULL: not known. */
const char *dissect_radius_secret(const struct dissect *d);
