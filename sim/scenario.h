/* SPDX-License-Identifier: Apache-2.0
 *
 * A scenario: a plan (sim.h) that people wrote or may read, with what is expected of the fleet. Files are
 * called *.sim; their language is told in docs/scenarios.md.
 *
 * In files the nodes are n01, n02, ..., the sites s1, s2, ..., the domains corp, emea, apac, ...
 */
#pragma once

#include "base/text.h"
#include "sim/sim.h"

#define SCENARIO_TITLE_SIZE  120u
#define SCENARIO_FAULTS_MAX  4096u
#define SCENARIO_EXPECTS_MAX 256u
#define SCENARIO_TEXT_MAX    (1024u * 1024u) /* of a file */
#define SCENARIO_ERROR_SIZE  320u
#define SCENARIO_LENGTH_MAX  (366 * 24 * SIM_HOUR)
#define SCENARIO_WHOLE       1000000u /* the share 100 % */

/* What an expectation looks at. `plain`: the instant counts; else what was counted since its start. */
#define SCENARIO_METRICS(X)                                                                                  \
    X(HOLDER, "holder", "who holds the domain: is, is not, stays, changes")                                  \
    X(HOLDERS, "holders", "running nodes that are active for the domain")                                    \
    X(TERM, "term", "the greatest term of the domain that a running node knows")                             \
    X(ELECTIONS, "elections", "times that a node became active for the domain")                              \
    X(BIDS, "bids", "times that a node opened a term of the domain")                                         \
    X(FRESH, "fresh", "share of the running nodes that see a fresh synchronizer of the domain")              \
    X(UNASSIGNED, "unassigned", "running nodes that raise \"domain synchronizer not assigned\"")             \
    X(ONLINE, "online", "members that a running node counts as online, itself included; each of them")       \
    X(OFFLINE, "offline", "members that a running node counts as offline; each of them")                     \
    X(CONVERGED, "converged", "share of the running nodes that know what the most of them know")             \
    X(INCARNATION, "incarnation", "the greatest incarnation among the running nodes")                        \
    X(COUNTER, "counter", "a counter of the cores that run, summed")                                         \
    X(NOTICES, "notices", "notices of a kind that the cores gave")                                           \
    X(TRAFFIC, "traffic", "bytes a second that a node sends, on the mean")

enum scenario_metric {
#define SCENARIO_METRIC_ENUM(name, text, doc) METRIC_##name,
    SCENARIO_METRICS(SCENARIO_METRIC_ENUM)
#undef SCENARIO_METRIC_ENUM
        METRICS,
};
const char *scenario_metric_text(enum scenario_metric metric);
const char *scenario_metric_doc(enum scenario_metric metric);

enum scenario_relation { RELATION_EQUAL, RELATION_NOT, RELATION_AT_MOST, RELATION_AT_LEAST };

enum scenario_holder { HOLDER_IS, HOLDER_IS_NOT, HOLDER_STAYS, HOLDER_CHANGES };

enum scenario_when {
    WHEN_END,    /* when the run is over; counts: over the whole of it */
    WHEN_AT,     /* at `start`; counts: from the beginning */
    WHEN_DURING, /* all the time from `start` to `end`; counts: within it */
    WHEN_WITHIN, /* at least once from `start` to `end` */
};

struct scenario_expect {
    enum scenario_when when;
    int64_t start, end;
    enum scenario_metric metric;
    unsigned domain;
    enum scenario_holder holder; /* METRIC_HOLDER */
    struct sim_set holder_in;    /* is, is not: one of these */
    int64_t after;               /* changes: start and end are counted from it */
    enum scenario_relation relation;
    uint64_t value;                  /* millionths for shares */
    enum cluster_notice_type notice; /* METRIC_NOTICES */
    unsigned counter;                /* METRIC_COUNTER: its place in CLUSTER_COUNTERS */
    struct sim_set of;               /* notices: about whom; kind ALL: anybody */
    struct sim_set among;            /* only these are asked; kind ALL: all that run */
    unsigned line;                   /* of the file */
};

struct scenario {
    char title[SCENARIO_TITLE_SIZE]; /* may be empty */
    struct sim_plan plan;            /* its faults ascending by time, owned */
    unsigned fault_capacity;
    struct scenario_expect *expects; /* in the order of the file */
    unsigned expect_count, expect_capacity;
};

/* With sim_options_init() and three hours; NULL without memory. The caller destroys it. */
struct scenario *scenario_new(void);
void scenario_destroy(struct scenario **scenario);

/* Adds a copy, behind those of the same time. False when there are too many or no memory. */
bool scenario_add_fault(struct scenario *scenario, const struct sim_fault *fault);
bool scenario_add_expect(struct scenario *scenario, const struct scenario_expect *expect);

/* Reads a file's text; `name` stands for it in errors. NULL with `error` (SCENARIO_ERROR_SIZE bytes):
 * NAME:LINE: what is wrong and what was expected. */
struct scenario *scenario_parse(const char *name, const void *text, size_t size, char *error);
struct scenario *scenario_load(const char *path, char *error);

/* Whether what it names is there (nodes, sites, domains, times within the run). Parsing has checked that;
 * again after the numbers were changed. */
bool scenario_check(const struct scenario *scenario, const char *name, char *error);

/* Writes the whole as a file, comments apart; what is written reads back as the same. */
void scenario_write(const struct scenario *scenario, struct text *to);

/* Parts of it, as in a file, without a newline: for the time line too. */
void scenario_write_fault(const struct sim_fault *fault, struct text *to);
void scenario_write_expect(const struct scenario_expect *expect, struct text *to);
void scenario_write_set(const struct sim_set *set, struct text *to);
void scenario_write_node(unsigned node, struct text *to);
void scenario_write_share(uint32_t millionths, struct text *to); /* 12.5% */
void scenario_write_time(int64_t ms, struct text *to);           /* 1:02:03, 30:00, 12s, 250ms, 1:00.250 */

/* The domains' names in files and reports: "corp", ... */
const char *scenario_domain(unsigned domain);
