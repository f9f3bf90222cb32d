/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulator: N of the shipped cores (cluster/cluster.h) in one process, in virtual time, behind a virtual
 * network, virtual disks and virtual clocks, all from one seed: the same result, byte for byte, each time on
 * each machine. docs/simulation.md says what is modelled and what is not.
 *
 * A world is made from options, faults are given to it as structures (a plan may be given whole, before it
 * runs), it is run to a point of time, looked at, run further. Times are milliseconds of the world since its
 * start; nodes, sites and domains are numbers from 0, names are for people.
 */
#pragma once

#include <stdio.h>

#include "cluster/cluster.h"

#define SIM_NODES_MAX   20000u
#define SIM_DOMAINS_MAX 8u
#define SIM_SITES_MAX   1000u
#define SIM_SET_RANGES  32u

#define SIM_SECOND INT64_C(1000)
#define SIM_MINUTE (60 * SIM_SECOND)
#define SIM_HOUR   (60 * SIM_MINUTE)

/* --- sets of nodes --- */

enum sim_set_kind {
    SIM_SET_RANGE,     /* the ranges below; none: nobody */
    SIM_SET_ALL,       /* every node of the world */
    SIM_SET_REST,      /* as `others` of a fault: all that are not in its `nodes` */
    SIM_SET_HOLDER,    /* who is ACTIVE for `domain` when the fault begins; nobody when there is none */
    SIM_SET_SITE,      /* the nodes of site `site` */
    SIM_SET_CANDIDATE, /* the nodes granted candidacy for `domain` */
};

struct sim_set {
    enum sim_set_kind kind;
    unsigned domain; /* of HOLDER, CANDIDATE */
    unsigned site;   /* of SITE */
    unsigned count;  /* of ranges, ascending, not touching */
    struct {
        uint32_t first, last; /* both included */
    } range[SIM_SET_RANGES];
};

/* Adds a node or a range to a set of ranges. False when the set is full of ranges. */
bool sim_set_add(struct sim_set *set, uint32_t first, uint32_t last);
bool sim_set_has(const struct sim_set *set, uint32_t node); /* ranges only */

/* --- what the world is made of --- */

/* How messages travel between two nodes, one way. */
struct sim_link {
    int64_t latency; /* ms, the least */
    int64_t jitter;  /* 0..jitter ms more, drawn for each message */
    uint32_t loss;   /* in millionths: a lost message is gone (worse than TCP, which would delay it) */
    uint32_t twice;  /* in millionths: delivered a second time, later */
    bool reorder;    /* else a message never overtakes one that left earlier on the same link */
};

struct sim_options {
    uint64_t seed;
    unsigned nodes;                                /* 5 */
    unsigned sites;                                /* 1: node i belongs to site i * sites / nodes */
    unsigned domains;                              /* 1 */
    unsigned candidates;                           /* per domain, spread over the nodes; 0: every node */
    struct sim_set candidates_of[SIM_DOMAINS_MAX]; /* when not empty (ranges): exactly these */
    unsigned absent;       /* the last so many nodes are not there at the start: SIM_FAULT_JOIN brings them */
    int64_t start_spread;  /* the nodes start at random within it: 10 s */
    int64_t replace_after; /* T_OFF: 30 min */
    unsigned min_observers;  /* 1 */
    struct sim_link inside;  /* within a site: 1 ms + 0..1 */
    struct sim_link between; /* sites: 10 ms + 0..20 */
    uint32_t drift;          /* ppm: each node's clock runs wrong by a constant -drift..drift: 50 */
    bool sensors_silent;     /* only candidates send heartbeats */
    bool real_crypto;        /* libsodium instead of the keyed 64-bit hash */
    bool acquainted;         /* all start at once and know each other: nobody has to be told */
    bool unchecked;          /* without invariants: for measurements of speed alone */
    int64_t batch_interval;  /* ms between the batches of a synchronizer to the receivers: 30 s */
    unsigned receivers;      /* center-like receivers of batches per domain: 2 */
    int64_t liveness; /* ms after the last fault by which the world must be whole (I4, I6, ...): 0 = T_OFF
                         + 5 min */
};
void sim_options_init(struct sim_options *options);

/* --- faults --- */

#define SIM_FAULTS(X)                                                                                        \
    X(CRASH, "crash", "the process is killed; with a duration it is started again after it")                 \
    X(RESTART, "restart", "a crashed node is started again; a running one is killed and started at once")    \
    X(PAUSE, "pause", "SIGSTOP: the process stands, clocks go on")                                           \
    X(SUSPEND, "suspend", "the host sleeps: CLOCK_MONOTONIC stands still, CLOCK_BOOTTIME does not")          \
    X(FREEZE, "freeze", "the virtual machine is frozen: the guest's clocks stand still")                     \
    X(CUT, "cut", "nothing passes between `nodes` and `others` (one way: from `nodes` to `others`)")         \
    X(HEAL, "heal", "ends every cut and every degradation at once")                                          \
    X(DEGRADE, "degrade", "messages between `nodes` and `others` travel as `link` says")                     \
    X(CLOG, "clog", "half of the links of `nodes` are clogged one by one, and freed in another order")       \
    X(JUMP, "jump", "`clock` of the nodes jumps by `amount` ms")                                             \
    X(DRIFT, "drift", "the nodes' clocks run wrong by `amount` ppm")                                         \
    X(LDAP, "ldap", "the nodes do not reach the directory of `domain`")                                      \
    X(CANDIDACY, "candidacy", "the nodes' candidacy for `domain` is switched off")                           \
    X(LEAVE, "leave", "the nodes leave in good order; with a duration they come back after it")              \
    X(YIELD, "yield", "`nodes` are asked to have the holder of `domain` give it up")                         \
    X(PIN, "pin", "the nodes are pinned to `domain`")                                                        \
    X(REVOKE, "revoke", "the authority revokes the nodes: the policy is told at one node of `others`")       \
    X(HOSTILE, "hostile", "the nodes, authenticated members, do what `hostility` says")                      \
    X(JOIN, "join", "nodes that were absent at the start join")                                              \
    X(UPGRADE, "upgrade", "the nodes are restarted with a wire version one greater and unknown keys")        \
    X(DISK_FULL, "disk-full", "what the nodes persist does not reach their disks, and they are told so")

enum sim_fault_kind {
#define SIM_FAULT_ENUM(name, text, doc) SIM_FAULT_##name,
    SIM_FAULTS(SIM_FAULT_ENUM)
#undef SIM_FAULT_ENUM
        SIM_FAULT_KINDS,
};
const char *sim_fault_name(enum sim_fault_kind kind); /* the verb: "crash" */

enum sim_disk {
    SIM_DISK_KEEP,
    SIM_DISK_LOST,     /* all but the identity and the known peers' endpoints (seeds) */
    SIM_DISK_ROLLBACK, /* as it was `amount` ms before: a snapshot that was restored; 0: a tenth of its writes
                        */
};

/* Where in an update a crash strikes (a crash between two steps is the plain one). */
enum sim_crash_point {
    SIM_CRASH_BETWEEN,        /* two steps */
    SIM_CRASH_BEFORE_PERSIST, /* at the next update that persists: before it reached the disk */
    SIM_CRASH_AFTER_PERSIST,  /* ... after it, before anything was sent */
};

enum sim_clock {
    SIM_CLOCK_WALL,
    SIM_CLOCK_BOOT, /* CLOCK_BOOTTIME alone */
    SIM_CLOCK_MONO, /* CLOCK_MONOTONIC and CLOCK_BOOTTIME; never backwards */
};

#define SIM_HOSTILITIES(X)                                                                                   \
    X(FORGE, "forge", "heartbeats, claims and records in the names of others")                               \
    X(REPLAY, "replay", "what it heard earlier, again and again")                                            \
    X(FLOOD, "flood", "hundreds of messages a second")                                                       \
    X(LIE, "lie", "huge incarnations, sequences, ages and support of its own")                               \
    X(TERMS, "terms", "claims with huge terms, wrong draws, for domains it is no candidate of")              \
    X(MALFORMED, "malformed", "damaged messages")

enum sim_hostility {
#define SIM_HOSTILITY_ENUM(name, text, doc) SIM_HOSTILE_##name,
    SIM_HOSTILITIES(SIM_HOSTILITY_ENUM)
#undef SIM_HOSTILITY_ENUM
        SIM_HOSTILITY_KINDS,
};
const char *sim_hostility_name(enum sim_hostility hostility);

struct sim_fault {
    int64_t at; /* ms since the world's start */
    enum sim_fault_kind kind;
    struct sim_set nodes;
    struct sim_set others; /* of CUT, DEGRADE, REVOKE */
    int64_t duration;      /* ms; 0: for good, or until something else undoes it */
    bool off;        /* undoes: the directory is reached again, candidacy or pin is switched on/off, ... */
    bool oneway;     /* of CUT, DEGRADE: only from `nodes` to `others` */
    unsigned domain; /* of LDAP, CANDIDACY, YIELD, PIN */
    int64_t amount;  /* of JUMP (ms), DRIFT (ppm), ROLLBACK (ms) */
    enum sim_clock clock;       /* of JUMP */
    enum sim_disk disk;         /* of CRASH, RESTART: what the restart finds */
    enum sim_crash_point point; /* of CRASH */
    struct sim_link link;       /* of DEGRADE */
    enum sim_hostility hostility;
};

/* A world and what is done to it: what the swarm draws, the shrinker shrinks, a scenario file says. */
struct sim_plan {
    struct sim_options options;
    int64_t until;            /* ms: the run's length */
    struct sim_fault *faults; /* ascending by `at`; owned by who made it */
    unsigned fault_count;
};

/* --- the world --- */

struct sim_world;

/* What is told while a world runs; any of them may be NULL. `world` may be asked in them, not be run. */
struct sim_observer {
    void *context;
    /* A core's notice, at the world's time. */
    void (*notice)(void *context, int64_t time, unsigned node, const struct cluster_notice *notice);
    /* A fault begins, or (`over`) its duration ends. `nodes` are those that it struck. */
    void (*fault)(void *context, int64_t time, const struct sim_fault *fault, bool over,
                  const uint32_t *nodes, unsigned node_count);
    /* A node's own state for a domain changed (ELECTION_BOOT also when it was killed). */
    void (*state)(void *context, int64_t time, unsigned node, unsigned domain, enum election_state from,
                  enum election_state to, uint64_t term);
    /* A process starts (up) or ends. */
    void (*process)(void *context, int64_t time, unsigned node, bool up);
    /* A message is sent (`delivered` false) or delivered: for --trace, costs time. */
    void (*message)(void *context, int64_t time, unsigned from, unsigned to, bool delivered,
                    struct bytes message);
    void (*violation)(void *context, int64_t time, unsigned invariant, const char *text);
};

/* NULL when memory is short. The observer is copied. */
struct sim_world *sim_world_new(const struct sim_options *options, const struct sim_observer *observer);
void sim_world_destroy(struct sim_world **world);

/* Gives it a fault; copied. Its time must not lie in the past (then it strikes now). Any order. */
bool sim_world_inject(struct sim_world *world, const struct sim_fault *fault);

/* Runs to `until` (all that happens at that time included). Returns false when an invariant has been violated
 * (at any time so far); it goes on nevertheless unless sim_world_stop_at_violation() was called. */
bool sim_world_run(struct sim_world *world, int64_t until);
void sim_world_stop_at_violation(struct sim_world *world);

/* --- looking at it --- */

int64_t sim_world_time(const struct sim_world *world);
const struct sim_options *sim_world_options(const struct sim_world *world);
/* A running hash over every transition of state of every node, every delivery, every fault: two runs of one
 * plan have the same, or something is not deterministic. */
uint64_t sim_world_unseed(const struct sim_world *world);
/* Of a plan, for people who compare: options and faults. */
uint64_t sim_plan_hash(const struct sim_plan *plan);

const char *sim_node_name(const struct sim_world *world, unsigned node);     /* "n07" */
const char *sim_site_name(const struct sim_world *world, unsigned site);     /* "s2" */
const char *sim_domain_name(const struct sim_world *world, unsigned domain); /* "corp.example" */
unsigned sim_node_site(const struct sim_world *world, unsigned node);
bool sim_node_candidate(const struct sim_world *world, unsigned node, unsigned domain); /* by its grant */
/* The node's core, to be asked through cluster.h; NULL while its process does not run. */
struct cluster *sim_node_core(struct sim_world *world, unsigned node);
bool sim_node_running(const struct sim_world *world, unsigned node); /* up, neither paused nor suspended */
enum election_state sim_node_state(const struct sim_world *world, unsigned node, unsigned domain);
/* The number of a node by its id; UINT32_MAX: none (the simulator's authority). */
unsigned sim_node_by_id(const struct sim_world *world, const struct node_id *id);
/* Nodes that are ACTIVE for the domain, run and are not revoked; the first of them into *node. */
unsigned sim_domain_active(const struct sim_world *world, unsigned domain, unsigned *node);
/* The share, in millionths, of running nodes whose digest is that of most of them: convergence. Costs N. */
uint32_t sim_world_agreement(struct sim_world *world);

#define SIM_INVARIANTS(X)                                                                                    \
    X(DRAW, "I1", "no node sends two draws for one term of a domain")                                        \
    X(FENCE, "I2", "accepted batches strictly increase, across restarts of receivers")                       \
    X(STALE, "I3", "no batch below an accepted one or below the register is taken")                          \
    X(ONE_HOLDER, "I4", "in quiet times at most one holder per connected part, and one register")            \
    X(OPENING, "I5", "a term opens only after more than T_OFF of true silence, or when nobody holds")        \
    X(DEPOSED, "I5b", "a healthy, connected holder is never deposed")                                        \
    X(ALARM, "I5c", "no alarm with little true silence")                                                     \
    X(REPLACED, "I6", "in quiet times a domain with an able candidate has a holder in time")                 \
    X(SUPPORT, "I7", "a deaf or smaller side never replaces a holder with greater support")                  \
    X(PERSIST, "I9", "what is sent was persisted before")                                                    \
    X(REACTIVE, "I10", "who has not heard the holder recently looks up for itself")                          \
    X(BIDS, "I11", "the bids of a term stay few")                                                            \
    X(ELIGIBLE, "I12", "only candidates that are granted, on and not revoked claim")                         \
    X(INCARNATION, "I13", "incarnations stay within twice the starts")                                       \
    X(HEARD, "heard", "nobody counts as heard by what it did not send")                                      \
    X(OFFLINE, "offline", "nobody is told offline who was heard of late")                                    \
    X(CONVERGED, "converged", "in quiet times all tables become equal")                                      \
    X(REVOKED, "revoked", "a revoked node holds nothing in the eyes of others")                              \
    X(HONEST, "honest", "without a hostile member nothing is refused or found malformed")                    \
    X(BOUNDS, "bounds", "memory and updates stay within their bounds")                                       \
    X(DETERMINISM, "same", "two runs of one seed are the same")

enum sim_invariant {
#define SIM_INVARIANT_ENUM(name, label, doc) SIM_INVARIANT_##name,
    SIM_INVARIANTS(SIM_INVARIANT_ENUM)
#undef SIM_INVARIANT_ENUM
        SIM_INVARIANT_COUNT,
};
const char *sim_invariant_label(unsigned invariant); /* "I5b" */
const char *sim_invariant_doc(unsigned invariant);

struct sim_verdict {
    uint64_t checks; /* how often it was looked at */
    uint64_t violations;
    int64_t first;  /* ms: of the first violation */
    char text[256]; /* ... what it was */
};
const struct sim_verdict *sim_world_verdict(const struct sim_world *world, unsigned invariant);
bool sim_world_violated(const struct sim_world *world);

struct sim_stats {
    uint64_t steps, messages, delivered, lost, bytes, links_opened, links_closed;
    uint64_t elections; /* terms that a node became ACTIVE in */
    uint64_t bids, refutations, batches_accepted, batches_refused, starts;
    int64_t last_fault; /* ms: when the last fault began or ended */
    size_t pool, arena; /* bytes: record pool; the world's own */
};
void sim_world_stats(const struct sim_world *world, struct sim_stats *stats);

/* --- plans --- */

/* A random plan: what seed `seed` of the swarm stands for. `nodes_min..nodes_max`: 0: drawn, 2..60, mostly
 * few. `hours` 0: drawn, 24 for most. The caller frees plan->faults with sim_plan_clear(). */
bool sim_plan_draw(struct sim_plan *plan, uint64_t seed, unsigned nodes_min, unsigned nodes_max,
                   unsigned hours);
void sim_plan_clear(struct sim_plan *plan);

/* Runs a plan in a new world. Returns the world, to be looked at and destroyed by the caller; NULL when
 * memory is short. `stop`: at the first violation. */
struct sim_world *sim_plan_run(const struct sim_plan *plan, const struct sim_observer *observer, bool stop);

/* --- the program's parts: each reads its own arguments (argv[0] is the verb) and returns the exit status:
 * 0 well, 1 an invariant or expectation was violated, 2 usage. --- */
int sim_run_command(int argc, char **argv);   /* run.c */
int sim_swarm_command(int argc, char **argv); /* swarm.c */
int sim_bench_command(int argc, char **argv); /* bench.c */

/* The plan as a scenario file that `picket-sim run` replays (scenario.c). `comment`: lines for its head, may
 * be NULL. False on a write error. */
bool sim_scenario_write(FILE *file, const struct sim_plan *plan, const char *comment);
