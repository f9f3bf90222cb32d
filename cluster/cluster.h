/* SPDX-License-Identifier: Apache-2.0
 *
 * The fleet's core: membership, gossip, anti-entropy, failure detection, election, revocation, as one pure
 * state machine. No socket, file, clock, thread or randomness of its own: what happens comes in as an event
 * with the times of three clocks, what is to be done comes out as an update. The same code runs in picketd
 * (driver.c), in picket-sim and in the tests. Protocol: docs/cluster.md.
 *
 * What the driver owes, in this order: (1) when update->persist is set, make update->state durable; if that
 * fails, drop the rest of the update and step with CLUSTER_PERSIST_FAILED; (2) tell the synchronizers to stop
 * and start; (3) dial and hang up; (4) send the messages. Nothing of an update is valid after the next step.
 */
#pragma once

#include "cluster/claim.h"
#include "cluster/record.h"
#include "cluster/timers.h"

struct cluster;
struct record_pool;

#define CLUSTER_DOMAINS     64u /* of a forest, at most */
#define CLUSTER_MESSAGE_MAX 65536u
#define CLUSTER_STATE_MAX   65536u /* of the persisted state */
#define CLUSTER_LINKS       16u    /* active view: 5 wanted, more are accepted up to this */

struct cluster_config {
    struct trust trust;
    struct bytes certificate; /* this node's own, encoded; copied */
    const char *version;
    const char *endpoints[RECORD_ENDPOINTS]; /* where it can be dialled; none: others cannot dial it */
    unsigned endpoint_count;
    uint16_t enrolment_port; /* of its enrolment socket, at the same hosts; 0: none */
    const char *controllers[RECORD_CONTROLLERS];
    unsigned controller_count;
    struct cluster_timers timers;
    /* A node bids only when so many members, itself among them, are within hearing, and a holder that hears
     * fewer for half of T_OFF lets go: 1 (no such condition). */
    unsigned min_observers;
    unsigned members_max;   /* bound of the member table */
    unsigned history_size;  /* entries kept for cluster_history() */
    bool sensors_silent;    /* simulations of large fleets: only candidates send heartbeats */
    unsigned active_links;  /* 5 */
    unsigned outside_links; /* of these at least so many to other sites: 2 */
};

/* Sets the defaults (not trust, certificate, endpoints). */
void cluster_config_init(struct cluster_config *config);

enum cluster_event_type {
    CLUSTER_START,       /* first event; .start */
    CLUSTER_TICK,        /* each timers.tick, or as near as the driver can */
    CLUSTER_RECEIVED,    /* .received: a message of an authenticated peer */
    CLUSTER_LINK_UP,     /* .link */
    CLUSTER_LINK_DOWN,   /* .link */
    CLUSTER_DIRECTORY,   /* .directory: whether this node reaches the domain's directory; until told: not */
    CLUSTER_CANDIDATE,   /* .command.on: this node's candidacy for a domain that its grant names */
    CLUSTER_YIELD,       /* .command: the holder, whoever it is, shall give the domain up */
    CLUSTER_PIN,         /* .command.on: this node shall hold the domain whenever it can */
    CLUSTER_REPORT,      /* .report: what the fleet shall know of a domain that this node holds */
    CLUSTER_POLICY,      /* .bytes: a policy that came from the local administrator */
    CLUSTER_CERTIFICATE, /* .bytes: this node's new certificate (rotation); crypto signs with the new key now
                          */
    CLUSTER_LEAVE,       /* going in good order: releases, says that it left */
    CLUSTER_PERSIST_FAILED, /* the last update's state did not reach the disk and nothing of it was sent */
};

struct cluster_event {
    enum cluster_event_type type;
    int64_t mono; /* ms, CLOCK_MONOTONIC: stands still while the host sleeps */
    int64_t boot; /* ms, CLOCK_BOOTTIME: does not */
    int64_t wall; /* ms since 1970: shown to people, never used for a decision */
    union {
        struct {
            struct bytes state; /* what was persisted last; empty on the first start or after a loss */
            uint8_t random[32]; /* seeds everything that is drawn; secret (heartbeat chain) */
        } start;
        struct {
            struct node_id from;
            struct bytes message;
        } received;
        struct {
            struct node_id peer;
            bool dialled; /* by this side */
        } link;
        struct {
            const char *domain;
            bool reachable;
        } directory;
        struct {
            const char *domain;
            bool on;
        } command;
        struct {
            const char *domain;
            struct bytes data; /* at most REPORT_DATA_MAX */
        } report;
        struct bytes bytes;
    };
};

struct cluster_message {
    struct node_id to;
    bool open_link; /* worth a link of its own for a while when there is none */
    const uint8_t *data;
    uint32_t size;
};

enum cluster_notice_type {
    NOTICE_SYNCHRONIZER_START, /* this node holds the domain now: replicate */
    NOTICE_SYNCHRONIZER_STOP,  /* ... no longer: stop within a page */
    NOTICE_HOLDER,             /* the domain's register changed: another holder, term, or state of it */
    NOTICE_UNASSIGNED,         /* health issue 1007: no synchronizer, and none in sight */
    NOTICE_ASSIGNED,           /* ... is over */
    NOTICE_MEMBER_JOINED,
    NOTICE_MEMBER_ONLINE,
    NOTICE_MEMBER_OFFLINE,
    NOTICE_MEMBER_LEFT,
    NOTICE_MEMBER_REVOKED,
    NOTICE_MEMBER_CHANGED, /* its record: endpoints, candidacy, key; also the driver's table of keys */
    NOTICE_POLICY,         /* a newer policy holds */
    NOTICE_TILT,           /* this host was paused or its clock jumped: collects, does not act */
    NOTICE_TILT_OVER,
    NOTICE_CLONE,    /* another process runs with this node's identity, or a member runs twice */
    NOTICE_REVOKED,  /* this node itself is revoked: it must stop */
    NOTICE_HOSTILE,  /* an authenticated peer sent what no right node sends; counted per peer */
    NOTICE_ELECTION, /* a step of this node's own in an election: waiting, asking, bidding, giving way */
};

/* Why something happened. */
enum cluster_cause {
    CAUSE_NONE,
    CAUSE_NO_HOLDER,     /* none was ever known */
    CAUSE_SILENT,        /* the holder was silent for longer than T_OFF */
    CAUSE_RELEASED,      /* the holder let go: shutdown, directory lost, candidacy off */
    CAUSE_UNSETTLED,     /* a claim never settled */
    CAUSE_RESUMED,       /* the holder came back within the time */
    CAUSE_REFUTED,       /* the holder defended itself against a claim with less support */
    CAUSE_GREATER_TOKEN, /* a greater claim was heard */
    CAUSE_VETO,          /* somebody heard the holder more recently */
    CAUSE_HOLDER_HEARD,  /* the holder was heard again */
    CAUSE_TILT,
    CAUSE_SHUTDOWN,
    CAUSE_DIRECTORY_LOST,
    CAUSE_CANDIDACY_OFF,
    CAUSE_YIELDED, /* an administrator asked for it */
    CAUSE_PINNED,  /* an administrator wanted this node */
    CAUSE_REVOKED,
    CAUSE_PERSIST_FAILED,
    CAUSE_ALONE, /* not enough members heard (min_observers) */
    CAUSES,
};
/* A word for programs, which does not change: "silent". */
const char *cluster_cause_name(enum cluster_cause cause);
/* The same for people: "the holder was silent for too long". */
const char *cluster_cause_text(enum cluster_cause cause);

struct cluster_notice {
    enum cluster_notice_type type;
    enum cluster_cause cause;
    int64_t wall;        /* ms since 1970, of this node */
    struct node_id node; /* whom it is about: the member, the holder */
    uint64_t term;       /* of a domain's notices; the version with NOTICE_POLICY */
    const char *domain;  /* NULL where none; lives as long as the cluster */
    /* Of a domain's notices, as things stood then: */
    uint8_t state;          /* this node's own, enum election_state */
    bool settled, released; /* of the claim in the register */
};
const char *cluster_notice_text(enum cluster_notice_type type);

struct cluster_dial {
    struct node_id peer;
    /* else: dial, and keep the link until told otherwise; a link that is up already, whoever opened it, is
     * answered with CLUSTER_LINK_UP at once */
    bool hang_up;
};

#define CLUSTER_UPDATE_MESSAGES 256u
#define CLUSTER_UPDATE_NOTICES  256u
#define CLUSTER_UPDATE_DIALS    64u

/* Made by the driver once (one for many nodes in a simulation). What does not fit is dropped and counted: the
 * protocol repeats whatever matters. */
struct cluster_update {
    bool persist;
    struct bytes state;
    struct cluster_message messages[CLUSTER_UPDATE_MESSAGES];
    unsigned message_count;
    struct cluster_notice notices[CLUSTER_UPDATE_NOTICES];
    unsigned notice_count;
    struct cluster_dial dials[CLUSTER_UPDATE_DIALS];
    unsigned dial_count;
    uint8_t *buffer; /* the messages' bytes and the state */
    size_t used, capacity;
};
struct cluster_update *cluster_update_new(void);
void cluster_update_destroy(struct cluster_update **update);

/* Makes a node's core. `pool` holds the members' records (one for the whole simulation there); `crypto` is
 * copied, its context must outlive the core. NULL when the configuration is unusable (certificate that does
 * not verify) or memory is short. `policy`: the newest known, encoded; may be empty. */
struct cluster *cluster_new(const struct cluster_config *config, const struct cluster_crypto *crypto,
                            struct record_pool *pool, struct bytes policy);
void cluster_destroy(struct cluster **self);

/* One step. Never fails: hostile, late, doubled input is counted and dropped. */
void cluster_step(struct cluster *self, const struct cluster_event *event, struct cluster_update *update);

/* For a process with thousands of cores, which lives on its caches: fetches what a step to come will touch.
 * Without effect. The stages, some steps apart, follow one another: each reads what the one before fetched.
 */
enum cluster_prefetch_stage { CLUSTER_PREFETCH_HEAD, CLUSTER_PREFETCH_INDEX, CLUSTER_PREFETCH_MEMBERS };
/* `from` NULL: a tick. */
void cluster_prefetch(const struct cluster *self, enum cluster_prefetch_stage stage,
                      const struct node_id *from, struct bytes message);

/* Before CLUSTER_START: a member known from the last run or from the enroller (an encoded record);
 * simulations do it later as well. Nobody is told of it. False when it does not verify or is no news. */
bool cluster_learn(struct cluster *self, struct bytes record);

/* --- what it knows: for the control socket, the simulator's invariants and the tests. All of it local and
 * without effect; pointers live until the next step. --- */

enum member_state {
    MEMBER_UNHEARD, /* known by its record only, not heard since this node started */
    MEMBER_ONLINE,
    MEMBER_LATE, /* a heartbeat is overdue */
    MEMBER_OFFLINE,
    MEMBER_LEFT,
    MEMBER_REVOKED,
};

struct cluster_member_view {
    struct node_id id;
    const struct record *record; /* decoded into the core's scratch: until the next call */
    struct bytes encoded;
    enum member_state state;
    int64_t since;  /* wall ms of the last change of state */
    int64_t silent; /* ms of observation since it was last heard; -1: never */
    int64_t period; /* ms between its heartbeats, as expected */
    uint32_t sequence;
    int32_t rtt; /* microseconds; -1: not a neighbour */
    bool self, neighbour, candidate_somewhere;
};
unsigned cluster_member_count(const struct cluster *self);
/* Members in the order in which they became known; index 0 is this node. */
bool cluster_member_at(struct cluster *self, unsigned index, struct cluster_member_view *view);
bool cluster_member_find(struct cluster *self, const struct node_id *id, struct cluster_member_view *view);
/* Whether `id` is a member, without decoding anything. */
bool cluster_knows(const struct cluster *self, const struct node_id *id);
/* Without decoding: for the simulator's checks. ms of observation since `id` was heard; -1: never or unknown.
 */
int64_t cluster_silence(const struct cluster *self, const struct node_id *id);
/* Over everything durable that this node knows (records, claims, policy): equal on converged nodes. */
uint64_t cluster_digest(struct cluster *self);
struct bytes cluster_policy(const struct cluster *self);
/* Encoded records of all members but itself, for the file of known peers. */
void cluster_each_record(const struct cluster *self, void (*visit)(void *context, struct bytes record),
                         void *context);

enum election_state {
    ELECTION_BOOT,
    ELECTION_OBSERVER, /* not a candidate here and now */
    ELECTION_FOLLOWER,
    ELECTION_WAIT,
    ELECTION_PRECHECK,
    ELECTION_SETTLING,
    ELECTION_ACTIVE,
};
const char *election_state_text(enum election_state state);

struct cluster_domain_view {
    const char *domain;
    enum election_state state; /* this node's own */
    bool has_claim;
    struct claim claim;       /* the register */
    bool fresh;               /* settled, not released, holder heard recently: else reactive look-ups */
    enum cluster_cause cause; /* of the register's last change of holder, as far as this node knows */
    int64_t since;            /* wall ms of that change; 0: before this node started */
    int64_t holder_silent;    /* ms of observation; -1: no holder or never heard */
    int64_t next_in;          /* ms until this node's own next step in the election; -1: none pending */
    int64_t replace_in;       /* ms of further silence until a successor is sought; -1: no such count runs */
    unsigned candidates, candidates_online;
    bool eligible;  /* this node: granted, on, not revoked */
    bool reachable; /* this node reaches the directory */
    bool pinned;
    bool unassigned;               /* health issue 1007 is raised */
    unsigned vetoes;               /* PRECHECKs of this node ended by somebody who had heard more */
    enum cluster_cause last_abort; /* why its last attempt ended */
};
unsigned cluster_domain_count(const struct cluster *self);
bool cluster_domain_at(struct cluster *self, unsigned index, struct cluster_domain_view *view);
bool cluster_domain_find(struct cluster *self, const char *domain, struct cluster_domain_view *view);
/* Whether this node is ACTIVE for the domain, and the token that goes with its batches. */
bool cluster_holds(const struct cluster *self, const char *domain, struct claim *claim);

/* The newest report of the domain's holder. False: none came since this node started. */
struct cluster_report_view {
    struct node_id id;
    uint64_t term, sequence;
    int64_t wall; /* ms, when it came */
    struct bytes data;
};
bool cluster_report(const struct cluster *self, const char *domain, struct cluster_report_view *view);

struct cluster_peer_view {
    struct node_id id;
    bool dialled, active, outside; /* active: accepted by both as neighbours; outside: of another site */
    int64_t since, heard;          /* wall ms; ms since something came from it */
    int32_t rtt;                   /* microseconds, -1 unknown */
    uint64_t messages_in, messages_out, bytes_in, bytes_out, malformed;
};
unsigned cluster_peer_count(const struct cluster *self);
bool cluster_peer_at(const struct cluster *self, unsigned index, struct cluster_peer_view *view);

struct cluster_status {
    struct node_id id;
    int64_t observed; /* the observation clock, ms */
    bool tilt;
    uint64_t incarnation;
    unsigned members, online, offline, left, revoked, neighbours;
    int64_t converged_ago; /* ms since the last anti-entropy round with equal digests; -1: never */
    uint64_t policy_version;
    size_t memory; /* bytes held, pool included when it is this node's own */
    unsigned support;
};
void cluster_status(const struct cluster *self, struct cluster_status *status);

#define CLUSTER_COUNTERS(X)                                                                                  \
    X(messages_in, "messages received")                                                                      \
    X(messages_out, "messages sent")                                                                         \
    X(bytes_in, "bytes received")                                                                            \
    X(bytes_out, "bytes sent")                                                                               \
    X(malformed, "messages that could not be read")                                                          \
    X(unknown_version, "messages of a newer wire version")                                                   \
    X(unknown_sender, "messages of a node that is no member")                                                \
    X(heartbeats_new, "heartbeats that were news")                                                           \
    X(heartbeats_old, "heartbeats known already")                                                            \
    X(heartbeats_unknown, "heartbeats of members or incarnations not known yet")                             \
    X(heartbeats_forged, "heartbeats whose link does not belong to the chain")                               \
    X(records_new, "records that were news")                                                                 \
    X(records_refused, "records that did not verify or clashed")                                             \
    X(claims_new, "claims that were news")                                                                   \
    X(claims_refused, "claims that did not verify: signature, draw, eligibility, term")                      \
    X(reports_refused, "reports that did not verify")                                                        \
    X(policies_refused, "policies that did not verify")                                                      \
    X(update_full, "actions that did not fit an update")                                                     \
    X(persist_failed, "states that did not reach the disk")                                                  \
    X(bids, "bids of this node")                                                                             \
    X(refutations, "claims that this node refuted")                                                          \
    X(prechecks, "times this node asked before bidding")                                                     \
    X(vetoes, "times it was told that the holder lives")                                                     \
    X(tilts, "times this node was paused or its clock jumped")
struct cluster_counters {
#define CLUSTER_COUNTER(name, doc) uint64_t name;
    CLUSTER_COUNTERS(CLUSTER_COUNTER)
#undef CLUSTER_COUNTER
};
const struct cluster_counters *cluster_counters(const struct cluster *self);

/* The last changes, oldest first. */
unsigned cluster_history_count(const struct cluster *self);
bool cluster_history_at(const struct cluster *self, unsigned index, struct cluster_notice *notice);

/* Interned records, verified when they entered. One per process; in a simulation all nodes share it, so that
 * a record is verified and stored once. `bytes_max` bounds it. */
struct record_pool *record_pool_new(size_t bytes_max);
void record_pool_destroy(struct record_pool **pool);
