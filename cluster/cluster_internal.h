/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of the core share: cluster.c (step, time, update, state), members.c (the table), gossip.c
 * (dissemination, anti-entropy), overlay.c (links), election.c (registers), history.c (notices).
 */
#pragma once

#include "cluster/cluster.h"

/* --- messages: docs/cluster.md. A msgpack map with small integers as keys; unknown keys are skipped. --- */
#define WIRE_VERSION 1u

enum wire_key {
    WIRE_KEY_VERSION,     /* uint: of the sender; greater ones are read as far as they are understood */
    WIRE_KEY_TYPE,        /* uint: enum wire_type */
    WIRE_KEY_HEARTBEATS,  /* binary: entries of HEARTBEAT_SIZE bytes */
    WIRE_KEY_RECORDS,     /* array of binary: encoded records */
    WIRE_KEY_CLAIMS,      /* array of binary: encoded claims */
    WIRE_KEY_POLICY,      /* binary: an encoded policy */
    WIRE_KEY_DIGEST,      /* binary, 24: of the records 8, of the claims 8, version of the policy 8 */
    WIRE_KEY_BUCKETS,     /* binary: 64 x 8, digests of the buckets */
    WIRE_KEY_ITEMS,       /* binary: which buckets 8, then what the sender has in them (gossip.c) */
    WIRE_KEY_WANTED,      /* binary: short ids whose records the sender wants */
    WIRE_KEY_OVERDUE,     /* binary: entries {short id 8, sequence 4}: heartbeats that the sender waits for */
    WIRE_KEY_DOMAIN,      /* text */
    WIRE_KEY_NODE,        /* binary, 16 */
    WIRE_KEY_INCARNATION, /* uint */
    WIRE_KEY_SEQUENCE,    /* uint */
    WIRE_KEY_AGE,         /* uint: ms of observation since the sender heard it */
    WIRE_KEY_STAMP,       /* uint: echoed by the answer: round-trip time */
    WIRE_KEY_ECHO,        /* uint: the stamp that is echoed */
    WIRE_KEY_LINK,        /* uint: enum link_verb (overlay.c) */
    WIRE_KEY_ASK,         /* uint: enum ask_verb (election.c) */
    WIRE_KEY_DEGREE,      /* uint: active links of the sender (overlay.c) */
    WIRE_KEY_MORE,        /* uint 1: the answer was cut, ask again */
    WIRE_KEY_AGES,        /* binary: 4 for each of HEARTBEATS: ms since the sender heard it */
    WIRE_KEY_REPORTS,     /* array of binary: encoded reports */
    WIRE_KEYS,
};

enum wire_type {
    WIRE_GOSSIP, /* heartbeats, records, claims, reports, policy that are news */
    WIRE_SYNC,   /* anti-entropy: digests, items, wants */
    WIRE_LINK,   /* the overlay's */
    WIRE_QUERY,  /* PRECHECK: has anybody heard this holder? */
    WIRE_HAVE,   /* ... the answer: the freshest heartbeat, and its age */
    WIRE_ASK,    /* an administrator's wish, passed on to the holder: yield */
    WIRE_TYPES,
};

#define HEARTBEAT_SIZE 28u   /* short id 8, sequence 4, link 16 */
#define CHAIN_LINKS    8192u /* heartbeats of one chain, the anchor of which a record holds */

/* --- members --- */
#define NO_MEMBER UINT32_MAX

enum member_flag {
    MEMBER_FLAG_HEARD = 1,   /* since this node started */
    MEMBER_FLAG_OFFLINE = 2, /* told of as offline */
    MEMBER_FLAG_LEFT = 4,
    MEMBER_FLAG_REVOKED = 8,
    MEMBER_FLAG_CANDIDATE = 16, /* of any domain: heartbeats at the candidates' period */
    MEMBER_FLAG_MARKED = 32,    /* within one step only */
};

/* --- services of cluster.c --- */
int64_t core_mono(const struct cluster *self);
int64_t core_wall(const struct cluster *self);
int64_t core_observed(const struct cluster *self); /* the observation clock, ms */
bool core_tilt(const struct cluster *self);
int64_t core_quiet_since(const struct cluster *self); /* observed time of the last start or end of TILT */
uint64_t core_random(struct cluster *self); /* xoshiro256**, seeded at start: for schedules, not for keys */
const struct cluster_config *core_config(const struct cluster *self);
const struct cluster_crypto *core_crypto(const struct cluster *self);
/* This node's own, read. */
const struct certificate *core_certificate(const struct cluster *self);
/* The number of this step: what one step did is undone when its state did not reach the disk. */
uint64_t core_step(const struct cluster *self);
struct cluster_counters *core_counters(struct cluster *self);
/* The state must be durable before anything of this update goes out. Any part may call it; the state is
 * encoded once, at the end of the step. */
void core_persist(struct cluster *self);
/* This node's incarnation must be above what was seen: one more than `seen`, persisted, own record renewed.
 */
void core_raise_incarnation(struct cluster *self, uint64_t seen);
uint64_t core_incarnation(const struct cluster *self);
const struct node_id *core_self(const struct cluster *self);
/* Space for a message that is being written; core_send() ends it. Two of them cannot be written at once.
 * NULL: the update is full. */
struct msgpack_writer;
struct msgpack_writer *core_message(struct cluster *self, enum wire_type type, uint32_t further_pairs);
void core_send(struct cluster *self, const struct node_id *to, bool open_link);
void core_send_again(struct cluster *self, const struct node_id *to, bool open_link); /* the same bytes */
void core_dial(struct cluster *self, const struct node_id *peer, bool hang_up);
/* Into the update and the history. */
void core_notice(struct cluster *self, enum cluster_notice_type type, enum cluster_cause cause,
                 const struct node_id *node, const char *domain, uint64_t term);
/* An authenticated peer did what no right node does: counted against it, told of. */
void core_hostile(struct cluster *self, const struct node_id *peer);

/* --- services of members.c --- */
uint32_t members_find(const struct cluster *self, const struct node_id *id);
unsigned members_flags(const struct cluster *self, uint32_t index); /* enum member_flag */
uint32_t members_count(const struct cluster *self);
void members_id(const struct cluster *self, uint32_t index, struct node_id *id);
bool members_public_key(const struct cluster *self, uint32_t index, uint8_t key[PUBLIC_KEY_SIZE]);
uint64_t members_incarnation(const struct cluster *self, uint32_t index);
/* Whether its certificate's grant names the domain, whatever its flags say. */
bool members_granted(const struct cluster *self, uint32_t index, uint32_t domain);
/* Its record as it goes over the wire; empty when there is none. */
struct bytes members_record(const struct cluster *self, uint32_t index);
/* ms of observation since it was heard; INT64_MAX: never since this node started. 0 for this node itself. */
int64_t members_silence(const struct cluster *self, uint32_t index);
/* Members heard within timers.support_window; 0 when nobody echoes this node's own heartbeats (mute). */
uint16_t members_support(const struct cluster *self);
/* Domain names are interned for good; UINT32_MAX when the table is full. */
uint32_t members_domain(struct cluster *self, const char *domain, bool add);
const char *members_domain_name(const struct cluster *self, uint32_t domain);
uint32_t members_domain_count(const struct cluster *self);
/* Candidates of a domain, this node included; `online`: of these heard within timers.fresh. */
unsigned members_candidates(const struct cluster *self, uint32_t domain, unsigned *online);
/* The index of the i-th candidate of the domain other than this node, in the table's order; NO_MEMBER past
 * the last. */
uint32_t members_candidate_at(const struct cluster *self, uint32_t domain, unsigned i);
/* The freshest heartbeat of a member, to be shown to others. False: none since this node started. */
bool members_heartbeat(const struct cluster *self, uint32_t index, uint8_t entry[HEARTBEAT_SIZE]);
/* Takes a heartbeat that came outside of gossip (HAVE), heard by its sender `age` ms ago: the member counts
 * as heard then, not now. True when it verified and was news. */
bool members_take_heartbeat(struct cluster *self, const uint8_t entry[HEARTBEAT_SIZE], int64_t age,
                            const struct node_id *from);

/* --- services of record_pool.c --- */
/* As record_peek(); what is in the pool needs no decoding. */
bool record_pool_peek(const struct record_pool *pool, struct bytes encoded, struct record_head *head);

/* --- services of gossip.c --- */
/* A claim that is news goes out with the next batch (this step's end), and again as the election asks. */
void gossip_claim(struct cluster *self, uint32_t domain, const struct node_id *not_to);
/* A claim stands in a register from now on, or no longer: its digest goes into or out of that of all claims.
 */
void gossip_claim_stands(struct cluster *self, uint64_t digest);
/* True when anything was exchanged with another node since the start. */
bool gossip_exchanged(const struct cluster *self);
/* Neighbours: for QUERY. */
unsigned overlay_neighbours(const struct cluster *self, struct node_id ids[CLUSTER_LINKS]);

/* --- services of election.c --- */
struct election;
struct election *election_new(struct cluster *self);
void election_destroy(struct election **election);
void election_start(struct cluster *self);
void election_tick(struct cluster *self);
/* A member was heard (its heartbeat or incarnation advanced). */
void election_heard(struct cluster *self, uint32_t member);
/* A member's record, candidacy, revocation or departure changed; this node's own too (index 0). */
void election_member_changed(struct cluster *self, uint32_t member);
/* A claim arrived; `from` is NULL when it comes from this node's own disk. True when it was news. */
bool election_claim(struct cluster *self, struct bytes encoded, const struct node_id *from);
/* QUERY bears DOMAIN, NODE, INCARNATION, SEQUENCE and AGE: for whom, and the newest that the asker heard of
 * the holder. What is newer answers it; domain and age are for traces. */
void election_query(struct cluster *self, const struct node_id *from, const struct node_id *holder,
                    uint64_t incarnation, uint32_t sequence);
/* HAVE bears NODE, HEARTBEATS (one entry) and AGE, and RECORDS (the holder's, when the asker knew a lower
 * incarnation): records are taken first, as from gossip, the heartbeat is left to the election. */
void election_have(struct cluster *self, const struct node_id *from, const struct node_id *holder,
                   const uint8_t entry[HEARTBEAT_SIZE], int64_t age);
void election_ask(struct cluster *self, const struct node_id *from, const char *domain, unsigned verb);
void election_directory(struct cluster *self, const char *domain, bool reachable);
void election_candidate(struct cluster *self, const char *domain, bool on);
void election_yield(struct cluster *self, const char *domain);
void election_pin(struct cluster *self, const char *domain, bool on);
void election_leave(struct cluster *self, enum cluster_cause cause);
void election_persist_failed(struct cluster *self);
/* The encoded register of a domain; empty when there is none. For gossip, digests and the state on disk. */
struct bytes election_register(const struct cluster *self, uint32_t domain);
/* What the election persists besides the registers (pins, candidacy): a msgpack item of its own. */
void election_save(const struct cluster *self, struct msgpack_writer *w);
bool election_load(struct cluster *self, struct cursor *c);
/* The bits of certificate.grant.domains that are switched off, for the own record. */
uint8_t election_candidate_off(const struct cluster *self);
bool election_view(struct cluster *self, uint32_t domain, struct cluster_domain_view *view);
/* The same but for the numbers of candidates, which are counted. */
bool election_glance(struct cluster *self, uint32_t domain, struct cluster_domain_view *view);
/* Whether this node is ACTIVE for the domain; the claim may be NULL. */
bool election_holds(const struct cluster *self, uint32_t domain, struct claim *claim);
struct election *core_election(const struct cluster *self);
