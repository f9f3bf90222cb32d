/* SPDX-License-Identifier: Apache-2.0
 *
 * A scenario: a fleet, what befalls it and when, and what is expected of it. It is one plain structure that
 * is read from a file (*.sim), written to one, made by the swarm from a seed and shrunk by it, and obeyed by
 * the world. The files' language: docs/scenarios.md.
 *
 * Nodes are numbers from 0; in files they are n01, n02, ... Times are milliseconds of virtual time since the
 * start of the run; shares are parts per million.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

#define SCENARIO_NODES_MAX   20000u
#define SCENARIO_SITES_MAX   64u
#define SCENARIO_DOMAINS_MAX 16u
#define SCENARIO_STEPS_MAX   2048u
#define SCENARIO_TERMS_MAX   8u
#define SCENARIO_NAME_SIZE   32u /* of a site, a domain or a counter, with its NUL */
#define SCENARIO_TITLE_SIZE  160u
#define SCENARIO_HOURS_MAX   (24 * 366)
#define SCENARIO_TEXT_MAX    (1024u * 1024u) /* of a file */
#define SCENARIO_ERROR_SIZE  320u
#define SCENARIO_ALL         UINT32_MAX /* as a domain: each of them */
#define SCENARIO_WHOLE       1000000u   /* the share 100 % */

/* --- who: "n03", "n01..n05", "site:hq", "holder:corp", "candidates", "any:5", "any:30%", "all", joined by
 * commas; a term that starts with ! is taken out again. Terms are applied from left to right. --- */
enum scenario_term_kind {
    TERM_NODES,      /* first..last */
    TERM_ALL,        /* every node, running or not */
    TERM_SITE,       /* .index */
    TERM_CANDIDATES, /* granted for .index (SCENARIO_ALL: for any domain) */
    TERM_HOLDER, /* who holds .index at that moment (SCENARIO_ALL: of any domain); nobody when nobody does */
    TERM_ANY,    /* .first running nodes, drawn */
    TERM_ANY_SHARE, /* .first parts per million of the running nodes, drawn, at least one */
};

struct scenario_term {
    enum scenario_term_kind kind;
    bool minus;
    uint32_t first, last;
    uint32_t index;
};

struct scenario_who {
    struct scenario_term terms[SCENARIO_TERMS_MAX];
    unsigned count; /* 0: not named, see the verb */
};

struct scenario_link {
    int32_t delay_min, delay_max; /* ms, one way, drawn evenly */
    uint32_t loss, duplicate;     /* parts per million of the messages */
};

/* --- what happens --- */
enum scenario_verb {
    VERB_CRASH,   /* the process of each dies; `duration`: and starts again after it */
    VERB_RESTART, /* it starts again; whoever runs is killed first */
    VERB_PAUSE,   /* .pause */
    VERB_RESUME,  /* a pause is over */
    VERB_CUT,     /* nothing passes from who to whom and back (one_way: only the first); whom: the rest */
    VERB_HEAL,    /* what was cut or degraded between who and whom is whole again; none named: everything */
    VERB_DEGRADE, /* .link for what passes between who and whom (one_way: from who to whom); whom: anybody */
    VERB_SKEW,    /* .skew */
    VERB_LOSE_DISK, /* what was persisted is gone; the process keeps what it knows until it restarts */
    VERB_SNAPSHOT,  /* the disk as it is now is kept aside */
    VERB_ROLL_BACK, /* the machine is what it was at the snapshot: killed, old disk, started */
    VERB_FILL_DISK, /* nothing more can be persisted */
    VERB_REVOKE, /* the authority signs a policy that revokes them; told to a node that runs (not to who) */
    VERB_CANDIDATE, /* on, domain */
    VERB_DIRECTORY, /* on, domain: whether they reach the directory */
    VERB_YIELD,     /* domain: its holder, whoever it is, is told to give it up */
    VERB_PIN,       /* on, domain */
    VERB_JOIN,      /* whoever is named in a join is not there before */
    VERB_LEAVE,     /* in good order */
    VERB_HOSTILE,   /* .hostile; on false: behaves again */
    VERB_UPGRADE,   /* restarts with the next wire version */
    VERB_EXPECT,    /* .expect */
    VERBS,
};
const char *scenario_verb_text(enum scenario_verb verb);

enum scenario_crash {
    CRASH_NOW,
    CRASH_BEFORE_PERSIST, /* at the next update that persists, before anything is on the disk */
    CRASH_BEFORE_SEND,    /* ... after it is durable, before anything is sent */
};

enum scenario_pause {
    PAUSE_STOP,   /* SIGSTOP: both clocks run on */
    PAUSE_SLEEP,  /* the host is suspended: CLOCK_MONOTONIC stands still, CLOCK_BOOTTIME does not */
    PAUSE_FREEZE, /* the hypervisor stops the guest: neither clock moves */
};

enum scenario_hostile {
    HOSTILE_FORGE,   /* claims and heartbeats in other nodes' names, with wrong signatures, draws and links */
    HOSTILE_REPLAY,  /* sends again what it heard, late */
    HOSTILE_FLOOD,   /* hundreds of messages a second */
    HOSTILE_INFLATE, /* claims support that it does not have, jumps terms and incarnations */
    HOSTILE_GARBAGE, /* well-framed nonsense, cut and flipped messages */
    HOSTILES,
};

struct scenario_skew {
    int64_t wall, boot; /* ms: the clock jumps by so much */
    int32_t rate;       /* parts per million that its clocks run too fast (< 0: too slow) from now on */
    bool has_rate;
};

/* --- what is expected --- */
enum scenario_metric {
    METRIC_HOLDER,     /* holder DOMAIN is [not] WHO | stays | changes in A..B after T */
    METRIC_HOLDERS,    /* running nodes that are active for the domain */
    METRIC_TERM,       /* the greatest term that a running node knows */
    METRIC_ELECTIONS,  /* changes of the settled holder so far, the first one included */
    METRIC_BIDS,       /* claims of new terms so far, by all nodes */
    METRIC_FRESH,      /* share of the running nodes that see a fresh synchronizer */
    METRIC_UNASSIGNED, /* running nodes that raised health issue 1007 */
    METRIC_ONLINE,  /* members that a running node counts as online, itself included: each of them so many */
    METRIC_OFFLINE, /* members that a running node counts as offline: each of them so many */
    METRIC_CONVERGED,   /* share of the running nodes whose digest is that of the most */
    METRIC_INCARNATION, /* greatest incarnation of the named nodes */
    METRIC_COUNTER,     /* .counter of struct cluster_counters, summed over the running nodes */
    METRIC_TRAFFIC,     /* bytes a second that a running node sends, mean since the step's start */
    METRICS,
};
const char *scenario_metric_text(enum scenario_metric metric);

enum scenario_relation { RELATION_EQUAL, RELATION_AT_MOST, RELATION_AT_LEAST, RELATION_NOT };

enum scenario_holder { HOLDER_IS, HOLDER_IS_NOT, HOLDER_STAYS, HOLDER_CHANGES };

struct scenario_expect {
    enum scenario_metric metric;
    uint32_t domain;
    enum scenario_holder holder; /* METRIC_HOLDER */
    enum scenario_relation relation;
    uint64_t value;                   /* parts per million for shares */
    int64_t after;                    /* METRIC_HOLDER changes: T; the step's start and end are T+A, T+B */
    char counter[SCENARIO_NAME_SIZE]; /* METRIC_COUNTER */
    struct scenario_who among;        /* only these are asked; none: all that run */
};

/* --- when --- */
enum scenario_when {
    WHEN_AT,     /* at `start` */
    WHEN_EVERY,  /* at `start`, then each `period` until `end` */
    WHEN_DURING, /* expectations: true all the time from `start` to `end` */
    WHEN_WITHIN, /* expectations: true at least once from `start` to `end` */
    WHEN_END,    /* expectations: when the run is over */
};

struct scenario_step {
    enum scenario_when when;
    int64_t start, end, period;
    enum scenario_verb verb;
    struct scenario_who who, whom;
    int64_t duration; /* the step is undone after it; 0: never */
    uint32_t domain;  /* index or SCENARIO_ALL */
    bool on;
    bool one_way;
    union {
        enum scenario_crash crash;
        enum scenario_pause pause;
        enum scenario_hostile hostile;
        struct scenario_link link;
        struct scenario_skew skew;
        struct scenario_expect expect;
    };
    unsigned line; /* of the file; 0: made by a program */
};

struct scenario {
    char title[SCENARIO_TITLE_SIZE];                             /* may be empty */
    unsigned nodes;                                              /* 12 */
    unsigned sites;                                              /* 1 */
    char site_names[SCENARIO_SITES_MAX][SCENARIO_NAME_SIZE];     /* "s1", ... */
    struct scenario_who site_members[SCENARIO_SITES_MAX];        /* of static terms; all empty: even blocks */
    unsigned domains;                                            /* 1 */
    char domain_names[SCENARIO_DOMAINS_MAX][SCENARIO_NAME_SIZE]; /* "corp", ... */
    unsigned candidates;                                         /* of each domain, spread evenly: 5 */
    struct scenario_who domain_candidates[SCENARIO_DOMAINS_MAX]; /* named instead; empty: spread */
    int64_t length;                                              /* of the run, ms: 3 h */
    uint64_t seed;                                               /* 1 */
    struct scenario_link link, link_outside;                     /* within a site, between sites */
    int64_t replace_after;                                       /* ms: 30 min */
    unsigned min_observers;                                      /* 1 */
    bool sensors_silent;         /* only candidates send heartbeats: large fleets */
    bool plain_crypto;           /* keyed hashes instead of signatures: large fleets */
    struct scenario_step *steps; /* in the order of the file */
    unsigned step_count;
    unsigned step_capacity;
};

/* With the defaults that stand above; NULL without memory. The caller destroys it. */
struct scenario *scenario_new(void);
void scenario_destroy(struct scenario **scenario);
struct scenario *scenario_copy(const struct scenario *scenario);

/* Adds a copy of `step`. False when there are SCENARIO_STEPS_MAX or no memory. */
bool scenario_add(struct scenario *scenario, const struct scenario_step *step);
/* Takes a step out; the others keep their order. */
void scenario_remove(struct scenario *scenario, unsigned index);

/* Gives sites and domains without a name theirs: after the numbers were changed by a program. */
void scenario_name(struct scenario *scenario);

/* Reads a file's text; `name` stands for it in errors. NULL with `error` (SCENARIO_ERROR_SIZE bytes) saying
 * NAME:LINE: what is wrong, and what was expected. */
struct scenario *scenario_parse(const char *name, const void *text, size_t size, char *error);
struct scenario *scenario_load(const char *path, char *error);

/* Whether all that it names is there (sites, domains, node numbers, times within the run): parse has checked
 * that; again after the numbers were changed. */
bool scenario_check(const struct scenario *scenario, const char *name, char *error);

/* Writes the whole as a file, comments apart; what is written reads back as the same. */
void scenario_write(const struct scenario *scenario, struct text *to);
/* One step, as in a file, without the newline. */
void scenario_write_step(const struct scenario *scenario, const struct scenario_step *step, struct text *to);
void scenario_write_node(const struct scenario *scenario, unsigned node, struct text *to);
void scenario_write_who(const struct scenario *scenario, const struct scenario_who *who, struct text *to);
/* 1:02:03, 30:00, 12s, 250ms */
void scenario_write_time(int64_t ms, struct text *to);

/* Where a node stands, and whether it may be a candidate. */
unsigned scenario_site_of(const struct scenario *scenario, unsigned node);
bool scenario_is_candidate(const struct scenario *scenario, unsigned node, unsigned domain);
/* Whether some join names the node: it is not there at the start. */
bool scenario_joins_later(const struct scenario *scenario, unsigned node);

/* Whether a who of static terms (nodes, all, sites, candidates) names the node. */
bool scenario_names(const struct scenario *scenario, const struct scenario_who *who, unsigned node);
