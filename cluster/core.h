/* SPDX-License-Identifier: Apache-2.0
 *
 * What cluster.c, members.c, gossip.c, overlay.c and history.c know of one another; the election sees
 * cluster_internal.h only.
 */
#pragma once

#include "base/msgpack.h"
#include "cluster/cluster_internal.h"
#include "cluster/mutant.h"
#include "cluster/wire.h"

/* --- the heartbeat chain (chain.c): link_n = H(link_{n+1}), the last one is the secret; link_0 is the anchor
 * in the record. Links are told in ascending order, so the next one cannot be made from those told. --- */
#define CHAIN_SEGMENT 128u
/* A chain covers the sequence numbers with the same (sequence / CHAIN_LINKS): those of another chain are told
 * apart without a hash. */
#define CHAIN_OF(sequence) ((sequence) / CHAIN_LINKS)

struct chain {
    uint32_t base; /* a multiple of CHAIN_LINKS */
    uint32_t segment;
    uint8_t checkpoints[CHAIN_LINKS / CHAIN_SEGMENT][LINK_SIZE]; /* the last link of each segment */
    uint8_t links[CHAIN_SEGMENT][LINK_SIZE];                     /* of the segment in use */
};
void chain_init(struct chain *chain, uint32_t base, const uint8_t secret[LINK_SIZE],
                const struct cluster_crypto *crypto);
/* The link of a sequence number of this chain. */
const uint8_t *chain_link(struct chain *chain, uint32_t sequence, const struct cluster_crypto *crypto);

/* --- interned records (record_pool.c) --- */
enum blob_flag { /* besides enum record_flag */
                 BLOB_DIALABLE = 64,
                 BLOB_GRANTED = 128, /* its grant names domains */
};

/* Small, for there is one for each member: what is asked for seldom is read from the record itself. */
struct record_blob {
    uint64_t hash; /* first 8 bytes of BLAKE2b over the encoded record */
    uint64_t incarnation;
    uint32_t revision;
    uint32_t references;
    /* The greatest link of the chain that was verified, by whichever core of this process: a link below it is
     * verified, and made again, by hashing it down. */
    uint32_t top;
    uint8_t top_link[LINK_SIZE];
    uint16_t verified_with; /* policy version, low bits */
    uint16_t size;
    uint16_t id_at; /* where the id stands in `data` */
    uint16_t site;  /* interned; 0: one of too many */
    uint8_t flags;
    uint8_t generation; /* of the key; GENERATION_MANY: to be read from the record */
    uint8_t data[];
};
#define GENERATION_MANY UINT8_MAX
#define BLOB_SIZE(blob) (offsetof(struct record_blob, data) + (blob)->size)

struct policy_blob {
    struct policy_blob *next;
    uint32_t references;
    struct policy policy;
    size_t size;
    uint8_t data[];
};

/* Verifies (unless the same bytes were verified under the same policy before) and interns; the caller owns a
 * reference. NULL: does not verify, or the pool is full. */
struct record_blob *record_pool_take(struct record_pool *pool, struct bytes encoded,
                                     const struct trust *trust, const struct policy *policy,
                                     const struct cluster_crypto *crypto);
void record_pool_drop(struct record_pool *pool, struct record_blob *blob);
/* The record that was taken with these bytes; NULL: none. Without a reference. */
struct record_blob *record_pool_find(const struct record_pool *pool, struct bytes encoded);
struct policy_blob *record_pool_take_policy(struct record_pool *pool, struct bytes encoded,
                                            const struct trust *trust, const struct cluster_crypto *crypto);
void record_pool_drop_policy(struct record_pool *pool, struct policy_blob *blob);
size_t record_pool_bytes(const struct record_pool *pool);
/* Interned domain names; UINT32_MAX: none, or no room. */
uint32_t record_pool_domain(struct record_pool *pool, const char *name, bool add);
const char *record_pool_domain_name(const struct record_pool *pool, uint32_t domain);

static inline struct bytes blob_bytes(const struct record_blob *blob)
{
    return (struct bytes){.data = blob->data, .size = blob->size};
}

static inline const uint8_t *blob_id(const struct record_blob *blob)
{
    return blob->data + blob->id_at;
}

/* < 0, 0, > 0: the order of the records of one member. The hash ends every tie, so that merging commutes
 * also when a member runs twice. */
uint32_t blob_generation(const struct record_blob *blob);
int blob_compare(const struct record_blob *a, const struct record_blob *b);

/* --- the table --- */
/* A start costs one: no right node comes near it. */
#define INCARNATION_MAX (UINT64_C(1) << 32)
#define MEMBER_PENDING  UINT32_C(0x80000000)
#define MEMBERS_LIMIT   (UINT32_C(1) << 24)
#define OBSERVED_SHIFT  7 /* `seen` counts 128 ms: 17 years */
/* The observation clock at the start, a day: what others heard before this process lived is that old, and not
 * as old as this process. */
#define OBSERVED_START INT64_C(86400000)

struct index_entry {
    uint64_t short_id;
    uint32_t sequence; /* of the last heartbeat */
    uint32_t member;   /* NO_MEMBER: free; else its index, with MEMBER_PENDING when it goes out soon */
};

struct member {
    struct record_blob *record;
    uint32_t slot;    /* in the index */
    uint32_t seen;    /* observation when it was last heard, rounded up: silence is never counted too long */
    uint32_t since;   /* wall clock, seconds: last change of its state */
    uint16_t pending; /* in gossip's batch, when its entry says so */
    uint8_t flags;    /* enum member_flag */
    uint8_t changes;  /* of its record, within the minute */
};

struct candidate {
    uint64_t domains; /* bit i: of domain i */
    uint32_t member;
};

#define BUCKETS 64u

/* What every heartbeat and every tick touches; the rest of the table is struct digests. */
struct members {
    struct index_entry *index;
    struct member *table;
    struct candidate *candidates; /* ascending by member */
    uint32_t index_mask, index_shift;
    uint32_t count, capacity;
    uint32_t candidate_count, candidate_capacity;
    uint32_t present;                   /* neither left nor revoked */
    uint32_t reverify;                  /* the next to be verified under a new policy; 0: none */
    int64_t candidates_due, others_due; /* observation: when somebody may have gone silent */
    int64_t changes_until;              /* when the members' `changes` are forgotten */
    uint32_t domain_count;
    bool changes_counted; /* some member's `changes` is not zero */
};

struct domains {
    uint8_t in_pool[CLUSTER_DOMAINS]; /* the pool's number of ours */
    uint8_t here[CLUSTER_DOMAINS];    /* our number of the pool's, plus 1 */
};

/* --- links --- */
enum link_state {
    LINK_FREE,
    LINK_DIALLING,  /* the driver connects */
    LINK_REQUESTED, /* connected; asked to be neighbours */
    LINK_ACTIVE,
    LINK_CLOSING, /* of a revoked member: what was sent may still go out, nothing is heard */
};

/* What a peer may cost within one second; the hard work is bounded for each peer by itself. */
struct budget {
    uint32_t epoch;
    uint32_t hashes;
    uint32_t records;
    uint32_t answers;
};

struct link {
    /* what every message touches */
    int64_t heard; /* mono */
    uint64_t messages_in, messages_out, bytes_in, bytes_out, malformed;
    uint32_t member; /* NO_MEMBER until its record is known */
    enum link_state state;
    struct node_id id;
    bool dialled; /* by this side */
    bool outside;
    bool bridge; /* asked for with more weight: to a part of the fleet that was silent, or in exchange */
    uint8_t tries;
    int32_t rtt;      /* microseconds */
    int64_t since;    /* mono */
    int64_t deadline; /* of the dialling or the request; of the next ping */
    int64_t since_wall;
    struct budget budget;
};

struct backoff {
    struct node_id id;
    int64_t until;
};
#define BACKOFFS 64u

struct overlay {
    uint16_t active; /* bit i: link i is active */
    uint16_t used;   /* ... is not free */
    int64_t due;
    uint64_t short_ids[CLUSTER_LINKS];
    int64_t outside_retry, inside_retry; /* none were found: not sought again before */
    int64_t renew_due;                   /* a link is exchanged for a random one now and then */
    bool exchange;                       /* the next one that is dialled is in exchange for one given up */
    int64_t bridged; /* the last link asked for because a silent part of the fleet answered */
    unsigned backoff_next;
    unsigned refused; /* requests to other sites since there is no link to any */
};

/* --- gossip --- */
#define GOSSIP_BATCH 256u /* heartbeats that go out together */
#define GOSSIP_NEWS  64u  /* records */

struct pending_heartbeat {
    uint8_t entry[HEARTBEAT_SIZE];
    uint32_t member;
    uint16_t told; /* bit i: link i need not be told */
};

struct pending_record {
    uint32_t member;
    uint16_t told;
    uint8_t round; /* 0: new; 1: told once, told again at `due` */
    int64_t due;
};

struct gossip {
    unsigned heartbeat_count, news_count;
    bool news_waiting; /* a record, claim or policy that nobody was told yet */
    bool policy_waits;
    bool exchanged;
    uint16_t policy_told;
    uint64_t claims_waiting; /* bit i: domain i */
    uint64_t reports_waiting;
    int64_t sync_due;
    int64_t repeat_due; /* the earliest `due` of the news told once */
    int64_t flushed;    /* mono: the last time that news went out */
    int64_t converged;  /* mono; -1: never */
    int64_t echoed;     /* observation when this node said the last thing that somebody heard; -1 */
    unsigned sync_round;
    unsigned sync_link;    /* the last one that was asked */
    uint32_t overdue_next; /* where the search for silent members goes on */
};

/* What waits to be told. */
struct outbox {
    struct pending_heartbeat heartbeats[GOSSIP_BATCH];
    struct pending_record news[GOSSIP_NEWS];
    uint16_t claims_told[CLUSTER_DOMAINS]; /* bit i: link i need not be told */
};

/* --- the core --- */
struct history;
struct kept_report;

/* What every step touches stands at its beginning, close together: a simulation has thousands of cores and
 * lives on its caches. */
struct cluster {
    int64_t mono, boot, wall;
    int64_t observed;
    int64_t tilt_until; /* observation; INT64_MIN: no TILT */
    int64_t heartbeat_due;
    struct cluster_update *update;
    uint64_t step;
    struct election *election;
    struct node_id id;
    bool started, left, revoked;
    bool persist, unsaved, persist_again;
    bool writing;
    uint32_t sequence; /* of this node's last heartbeat */
    int64_t issued;    /* observation when it was sent */
    struct gossip gossip;
    struct members members;
    uint64_t root, claims_digest; /* of the buckets, when it is not stale; of the registers */
    bool root_stale;
    struct overlay overlay;
    struct cluster_counters counters;
    struct link links[CLUSTER_LINKS];
    struct msgpack_writer writer;
    struct cluster_crypto crypto;
    struct budget strangers, all; /* of peers that are no links, together; of everybody */
    uint64_t random[4];
    struct cluster_config config;

    uint64_t buckets[BUCKETS]; /* digests: exclusive or of the members' hashes */
    struct domains domains;
    struct backoff backoffs[BACKOFFS];
    struct outbox outbox;
    struct kept_report *reports[CLUSTER_DOMAINS]; /* NULL: none yet */
    int64_t quiet_since;
    struct record_pool *pool;
    struct policy_blob *policy;
    struct history *history;
    struct certificate certificate;
    uint8_t *certificate_bytes;
    size_t certificate_size;
    char *texts; /* of the configuration, copied */
    uint64_t short_id;
    uint16_t site;
    uint8_t secret[32];
    uint64_t incarnation;
    uint32_t revision, boot_nonce;
    uint64_t started_wall;
    uint64_t chains; /* made so far */
    uint8_t candidate_off;
    unsigned raises;
    int64_t raise_after;
    int64_t hostile_told; /* mono: when the last notice about a hostile peer was given */
    int64_t revoked_told; /* mono: when a revoked node was last sent the policy */
    struct chain chain;
    struct record scratch; /* decoded for a view */
};

/* Who a message is from, while it is handled. */
struct source {
    struct node_id id;
    uint32_t member; /* NO_MEMBER: not known */
    int link;        /* slot; -1: no link */
    struct budget *budget;
};

static inline uint16_t source_bit(const struct source *source)
{
    return source->link < 0 ? 0 : (uint16_t)(1u << source->link);
}

/* True, and takes it, when the peer and the core may spend `amount` of the named resource this second. */
#define BUDGET_HASHES      32768u
#define BUDGET_HASHES_ALL  131072u
#define BUDGET_RECORDS     512u
#define BUDGET_RECORDS_ALL 1024u
#define BUDGET_ANSWERS     8u
#define BUDGET_ANSWERS_ALL 32u
bool budget_hashes(struct cluster *self, struct budget *budget, uint32_t amount);
bool budget_record(struct cluster *self, struct budget *budget);
bool budget_answer(struct cluster *self, struct budget *budget);

/* cluster.c */
void core_announce(struct cluster *self, bool new_chain); /* own record anew: revision, flags, anchor */
bool core_policy(struct cluster *self, struct bytes encoded, uint16_t told); /* true: news */
/* This node was not awake all the time, though its clocks say so: others may have replaced it rightly. */
void core_was_away(struct cluster *self);
int64_t core_period(const struct cluster *self, const struct member *member);
/* Sends the message being written over a link (counted there). */
void core_send_link(struct cluster *self, struct link *link, bool again);

/* members.c */
bool members_init(struct cluster *self);
void members_clear(struct cluster *self);
void members_prefetch_index(const struct cluster *self, struct bytes heartbeats);
void members_prefetch_table(const struct cluster *self, struct bytes heartbeats);
uint32_t members_find_short(const struct cluster *self, uint64_t short_id);
/* A record from the wire or the disk; `source` NULL: local. True when it was news. */
bool members_take_record(struct cluster *self, struct bytes encoded, const struct source *source);
/* This node's own record, just written. */
bool members_set_own(struct cluster *self, struct bytes encoded);
/* `ages`: 4 bytes for each entry, ms since the sender heard it; empty: just now. */
void members_take_heartbeats(struct cluster *self, struct bytes entries, struct bytes ages,
                             const struct source *source);
void members_issue_heartbeat(struct cluster *self);
void members_tick(struct cluster *self);
void members_apply_policy(struct cluster *self);
uint64_t members_root(struct cluster *self);
void members_entry(const struct cluster *self, uint32_t member, uint8_t entry[HEARTBEAT_SIZE]);
static inline struct index_entry *members_slot(const struct cluster *self, uint32_t member)
{
    return &self->members.index[self->members.table[member].slot];
}

/* gossip.c */
void gossip_start(struct cluster *self);
void gossip_heartbeat(struct cluster *self, uint32_t member, const uint8_t entry[HEARTBEAT_SIZE],
                      uint16_t told);
void gossip_record(struct cluster *self, uint32_t member, uint16_t told);
void gossip_record_known(struct cluster *self, uint32_t member, uint16_t told);
void gossip_policy(struct cluster *self, uint16_t told);
void gossip_forget_link(struct cluster *self, int link);
void gossip_flush(struct cluster *self);      /* all that waits */
void gossip_flush_news(struct cluster *self); /* what is urgent, when the last time is long enough ago */
void gossip_tick(struct cluster *self);
void gossip_sync(struct cluster *self, const struct node_id *peer, bool open_link);
void gossip_sync_received(struct cluster *self, const struct wire *wire, const struct source *source);
void gossip_echo(struct cluster *self, uint32_t sequence);
/* Whether a member that was heard is missed: longer than a heartbeat that was lost once explains. */
bool gossip_missed(const struct cluster *self, uint32_t member);

/* reports.c */
#define REPORTS_A_MESSAGE 16u
/* This node's own, of a domain that it holds. False when it does not hold it, or the data are too long. */
bool reports_issue(struct cluster *self, const char *domain, struct bytes data);
void reports_take(struct cluster *self, const struct wire *wire, const struct source *source);
/* What the link was not told yet, a bit for each domain. */
uint64_t reports_for(const struct cluster *self, unsigned link);
/* Writes some of them and takes their bits away; true when some are left. */
bool reports_put(struct cluster *self, struct msgpack_writer *w, uint64_t *reports);
void reports_forget_link(struct cluster *self, int link);
size_t reports_bytes(const struct cluster *self);
void reports_clear(struct cluster *self);

/* overlay.c */
void overlay_start(struct cluster *self);
void overlay_tick(struct cluster *self);
int overlay_find(const struct cluster *self, const struct node_id *id);
void overlay_link_up(struct cluster *self, const struct node_id *peer, bool dialled);
void overlay_link_down(struct cluster *self, const struct node_id *peer);
void overlay_received(struct cluster *self, const struct wire *wire, const struct source *source);
/* A GOSSIP from a peer that is no active link: it believes to be a neighbour. */
void overlay_stray(struct cluster *self, const struct source *source);
/* A member that was not known, or was away, is there. */
void overlay_member_joined(struct cluster *self, uint32_t member);
void overlay_drop_member(struct cluster *self, uint32_t member);
/* A member that was silent here answered from outside of the links: the fleet was in parts. */
void overlay_bridge(struct cluster *self, const struct source *source);
void overlay_leave(struct cluster *self);

/* history.c */
struct history *history_new(unsigned size);
void history_destroy(struct history **history);
void history_add(struct history *history, const struct cluster_notice *notice);
unsigned history_count(const struct history *history);
bool history_at(const struct history *history, unsigned index, struct cluster_notice *notice);
size_t history_bytes(const struct history *history);
