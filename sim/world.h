/* SPDX-License-Identifier: Apache-2.0
 *
 * What the parts of a world share: world.c (nodes behind a driver's duties), network.c (links, messages),
 * faults.c (what befalls it), hostile.c (what bad members send), invariants.c (what must hold).
 */
#pragma once

#include "cluster/mutant.h"
#include "sim/crypto_sim.h"
#include "sim/random.h"
#include "sim/sim.h"
#include "sim/wheel.h"

#define NONE          UINT32_MAX
#define NODE_LINKS    64u               /* of one node, temporary ones included; more are refused */
#define QUEUE_MAX     64u               /* messages on their way in one direction of a link (SNDHWM) */
#define DISK_VERSIONS 8u                /* states that a rollback can choose from */
#define LINK_TIMEOUT  (45 * SIM_SECOND) /* ZMTP heartbeats */
#define LINK_IDLE     (60 * SIM_SECOND) /* a link that was opened for one message closes after */
#define PAUSE_KEEPS   (4 * SIM_MINUTE)  /* what came earlier for a paused node is lost */
#define SEED_PERIOD   (10 * SIM_SECOND) /* a node without links tries its seeds so often */
#define PEERS_PERIOD  (5 * SIM_MINUTE)  /* the known peers go to the disk so often */
#define WALL_START    INT64_C(1767225600000)

enum event_type {
    EVENT_START,      /* a: node */
    EVENT_TICK,       /* a: node, generation: of its process */
    EVENT_MESSAGE,    /* a: to, b: from */
    EVENT_DIAL,       /* link: an attempt ends */
    EVENT_LINK_DOWN,  /* a: node that learns, b: peer */
    EVENT_LINK_CHECK, /* link: is it still cut? */
    EVENT_LINK_IDLE,  /* link: was it used? */
    EVENT_FAULT,      /* a: number of the fault */
    EVENT_FAULT_END,  /* a: the same */
    EVENT_STOP,       /* a: node that left in good order, generation: its process ends */
    EVENT_BATCH,      /* a: node, b: domain */
    EVENT_PEERS,      /* a: node */
    EVENT_HOSTILE,    /* a: node */
    EVENT_CHECK,      /* invariants, each second */
    EVENT_ARMED,      /* a: node whose crash waits for a persist: now at the latest */
};

enum node_state {
    NODE_ABSENT,
    NODE_DOWN,
    NODE_UP,
    NODE_PAUSED,
    NODE_SUSPENDED,
    NODE_FROZEN,
};

struct clocks {
    int64_t at, mono, boot, wall; /* the clocks' values at world time `at` */
    int64_t rate;                 /* millionths: 1000000 is right */
};

struct disk_version {
    int64_t time;
    uint8_t *data;
    uint32_t size, capacity;
};

struct disk {
    struct disk_version version[DISK_VERSIONS]; /* a ring, newest at `newest` */
    unsigned newest, count;
    uint8_t *peers; /* {u32 size, record}...: as the driver's file of known peers */
    uint32_t peers_size, peers_capacity;
    uint64_t peers_digest; /* of the core when they were written */
    uint8_t *policy;       /* newest known: travels with the identity */
    uint32_t policy_size;
    bool full, ever_full;
};

struct node_link {
    uint32_t peer, link;
};

/* What every step touches stands first. */
struct sim_node {
    struct node_id id;
    struct cluster *core;
    enum node_state state;
    uint16_t generation; /* of the process */
    uint16_t site;
    unsigned link_count;
    struct clocks clocks;
    int64_t run_base;  /* run clock = mono - run_base: time in which the process ran */
    uint64_t *revoked; /* bitset of nodes whose links this node's driver refuses; NULL: none */
    uint64_t sent;     /* messages so far: makes each decision's number */
    struct node_link links[NODE_LINKS];
    bool hostile_now, ever_hostile, upgraded, armed, left, has_left, started_once;
    int64_t left_at; /* world time, when it has_left */
    enum sim_crash_point armed_point;
    enum sim_disk armed_disk;
    enum sim_hostility hostility;
    uint32_t armed_fault;
    uint8_t granted;          /* bit d: candidate of domain d */
    uint8_t unreachable;      /* bit d: does not reach the directory of domain d */
    uint8_t told_unreachable; /* ... as its process knows */
    uint8_t off;              /* bit d: candidacy switched off by an administrator */
    uint8_t ever_off, vague;  /* domains: it ever was; and then its disk was rolled back: nobody knows now */
    uint8_t state_of[SIM_DOMAINS_MAX]; /* enum election_state, as last seen */
    int64_t stopped_mono, started_at;
    uint8_t *certificate;
    uint32_t certificate_size;
    char name[12];
    struct sim_key key;
    struct disk disk;
    uint32_t *waiting; /* messages for a paused node: payload, from, time */
    unsigned waiting_count, waiting_capacity;
    uint64_t starts;
    uint64_t batch_sequence[SIM_DOMAINS_MAX];
    uint32_t *heard_payloads; /* a hostile node's hoard for replays: ring of HOARD payloads */
    unsigned hoard_at;
};

enum link_state { LINK_FREE, LINK_DIALLING, LINK_UP };

struct link {
    uint32_t node[2];
    uint8_t state;
    bool wants[2]; /* the core of node[i] dialled it */
    bool told;     /* the cores know of it */
    bool inside;   /* both ends are of one site */
    uint8_t attempts;
    uint16_t generation;
    uint16_t queued[2];  /* towards node[i] */
    int64_t last[2];     /* delivery time of the last message towards node[i] */
    uint64_t latency[2]; /* random numbers of the delays towards node[i] */
    int64_t used;
    bool checking;
};

/* A heartbeat or record inside of a message that its owner really sent: the tracked column, and which. */
struct mark {
    uint32_t column, emission;
    uint32_t age; /* ms, as its teller says */
};

struct payload {
    uint32_t references;
    uint32_t size;
    uint32_t marks; /* behind the data, aligned */
    uint32_t age;   /* ms: of a HAVE's heartbeat */
    uint8_t size_class;
    bool claims; /* carries some */
    uint8_t data[];
};

#define PAYLOAD_CLASSES 12u

struct active_fault {
    struct sim_fault fault;
    uint32_t *nodes, node_count; /* as resolved when it began */
    uint64_t *in, *of;           /* bitsets: nodes, others */
    bool begun, over;
};

struct receiver {
    uint32_t host; /* the node beside which it stands: its place in the network */
    struct fence stored;
    struct fence truth; /* the checker's own: greatest ever taken, never forgotten */
    bool has_truth;
};

struct checker;

struct sim_world {
    struct sim_options options;
    struct sim_observer observer;
    struct wheel wheel;
    int64_t time;
    uint64_t unseed;
    struct sim_node *nodes;
    unsigned count;
    char (*site_names)[12];
    char domain_names[SIM_DOMAINS_MAX][24];
    struct record_pool *pool;
    struct cluster_update *update;
    struct sim_key authority;
    struct trust trust;
    uint8_t *policy;
    uint32_t policy_size;
    uint64_t policy_version;
    uint64_t *revoked; /* bitset: by the authority */

    struct link *links;
    uint32_t link_count, link_free_count;
    uint32_t *link_free;
    struct payload **payloads;
    uint32_t payload_count, payload_capacity;
    uint32_t payload_free_index; /* list through the table, as odd pointers would be: see network.c */
    uint32_t *payload_free;      /* numbers free, by class */
    uint32_t payload_free_count[PAYLOAD_CLASSES], payload_free_capacity[PAYLOAD_CLASSES];
    uint32_t *payload_free_of[PAYLOAD_CLASSES];
    size_t payload_bytes;
    uintptr_t heap_end; /* as far as huge pages were asked for */

    struct active_fault *faults;
    unsigned fault_count, fault_capacity;
    uint32_t *network_faults; /* numbers of those that are on and touch the network */
    unsigned network_count, network_capacity;
    unsigned ongoing;    /* faults that have begun and whose end is still to come */
    unsigned standing;   /* nodes paused, suspended or frozen */
    bool refusals;       /* some node's driver refuses the links of others */
    int64_t last_change; /* a fault began or ended, a process started or ended */

    struct receiver *receivers;            /* domains x options.receivers */
    uint32_t *candidates[SIM_DOMAINS_MAX]; /* of each domain, ascending */
    uint32_t candidate_count[SIM_DOMAINS_MAX];
    struct checker *checker;
    struct sim_verdict verdicts[SIM_INVARIANT_COUNT];
    bool violated, stop;
    struct sim_stats stats;
};

/* --- world.c --- */
void world_clocks(const struct sim_node *node, int64_t time, int64_t *mono, int64_t *boot, int64_t *wall);
/* Ms in which the node's process ran, at its own clock's rate; pauses and jumps do not count (but for the two
 * seconds that one tick may count of them). */
int64_t world_run_clock(const struct sim_world *world, const struct sim_node *node);
/* What its probes of the directories find, when that has changed. */
void world_tell_directory(struct sim_world *world, uint32_t number);
void world_step(struct sim_world *world, uint32_t node, struct cluster_event *event);
void world_start(struct sim_world *world, uint32_t node, enum sim_disk disk, int64_t amount);
void world_kill(struct sim_world *world, uint32_t node);
void world_stop(struct sim_world *world, uint32_t node, enum node_state how);
void world_resume(struct sim_world *world, uint32_t node);
void world_clock_jump(struct sim_world *world, uint32_t node, enum sim_clock clock, int64_t amount);
void world_clock_rate(struct sim_world *world, uint32_t node, int64_t ppm);
void world_revoke(struct sim_world *world, const uint32_t *nodes, unsigned count, uint32_t told);
void world_changed(struct sim_world *world);
static inline bool bit_get(const uint64_t *set, uint32_t bit)
{
    return set && (set[bit / 64] >> (bit % 64) & 1);
}
static inline void bit_set(uint64_t *set, uint32_t bit)
{
    set[bit / 64] |= UINT64_C(1) << (bit % 64);
}
/* The number of a node from the short id of its heartbeats: its low 16 bits. NONE: no node's. */
uint32_t world_by_short_id(const struct sim_world *world, uint64_t short_id);

/* --- network.c --- */
void network_clear(struct sim_world *world);
void network_dial(struct sim_world *world, uint32_t node, uint32_t peer);
void network_hang_up(struct sim_world *world, uint32_t node, uint32_t peer);
/* A node's process ended: its links go down; `silent`: nobody is told (its host went away with it). */
void network_killed(struct sim_world *world, uint32_t node);
/* Nothing was heard of a node's process for the time that ZMTP allows. */
void network_stopped(struct sim_world *world, uint32_t node);
/* What is cut may have changed: links that are cut now are looked at again after LINK_TIMEOUT. */
void network_cut(struct sim_world *world);
void network_refuse(struct sim_world *world, uint32_t node, uint32_t peer);
uint32_t network_payload(struct sim_world *world, const void *data, size_t size, const struct mark *marks,
                         uint32_t mark_count, bool claims);
void network_release(struct sim_world *world, uint32_t payload);
const struct mark *payload_marks(const struct payload *payload);
void network_send(struct sim_world *world, uint32_t from, uint32_t to, uint32_t payload, bool open_link);
void network_event(struct sim_world *world, const struct sim_event *event);
void network_resumed(struct sim_world *world, uint32_t node);
bool network_reaches(const struct sim_world *world, uint32_t from, uint32_t to);
unsigned network_links_up(const struct sim_world *world, uint32_t node);

/* --- faults.c --- */
void faults_begin(struct sim_world *world, uint32_t number);
void faults_end(struct sim_world *world, uint32_t number);
void faults_clear(struct sim_world *world);

/* --- hostile.c --- */
#define HOARD 64u
void hostile_act(struct sim_world *world, uint32_t node);
void hostile_hear(struct sim_world *world, uint32_t node, uint32_t payload);

/* --- invariants.c --- */
bool checker_new(struct sim_world *world);
void checker_destroy(struct sim_world *world);
/* A distinct message of `node` (its own core's, or made up when `hostile`): into the network's store, marked.
 */
uint32_t checker_message(struct sim_world *world, uint32_t node, const void *data, size_t size, bool hostile);
void checker_delivered(struct sim_world *world, uint32_t to, uint32_t from, const struct payload *payload);
/* Fetches what checker_delivered() will touch. */
void checker_prefetch(const struct sim_world *world, uint32_t to, const struct payload *payload);
void checker_after(struct sim_world *world, uint32_t node, const struct cluster_event *event);
void checker_notice(struct sim_world *world, uint32_t node, const struct cluster_notice *notice);
/* From now on a member is an enemy. */
void checker_enemy(struct sim_world *world, uint32_t node);
void checker_started(struct sim_world *world, uint32_t node, bool disk_kept);
/* The node knows the other's record, though nobody sent it. */
void checker_acquainted(struct sim_world *world, uint32_t node, uint32_t with);
void checker_killed(struct sim_world *world, uint32_t node);
void checker_batch(struct sim_world *world, uint32_t node, unsigned domain, const struct claim *claim);
void checker_second(struct sim_world *world);
void checker_violation(struct sim_world *world, enum sim_invariant invariant, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
