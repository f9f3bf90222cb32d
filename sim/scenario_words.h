/* SPDX-License-Identifier: Apache-2.0
 *
 * The words of scenario files, shared by their reader and their writer.
 */
#pragma once

#include "sim/scenario.h"

/* What may follow a verb and its set of nodes. */
enum scenario_clause {
    CLAUSE_DOMAIN = 1 << 0,    /* the name of a domain */
    CLAUSE_FOR = 1 << 1,       /* for TIME */
    CLAUSE_POINT = 1 << 2,     /* before-persist, before-send */
    CLAUSE_DISK = 1 << 3,      /* disk lost, disk old [TIME] */
    CLAUSE_ONE_WAY = 1 << 4,   /* one-way */
    CLAUSE_LINK = 1 << 5,      /* delay A..B loss P twice P reorder */
    CLAUSE_CLOCK = 1 << 6,     /* wall|boot|mono +-TIME, rate +-P */
    CLAUSE_HOSTILITY = 1 << 7, /* forge, replay, ... */
    CLAUSE_BY = 1 << 8,        /* by TIME: a disk's age */
};

struct scenario_verb {
    const char *word;
    enum sim_fault_kind kind;
    unsigned clauses;
    const char *others;        /* the word before a second set; NULL: there is none */
    enum sim_set_kind unnamed; /* what the second set is when it is not named */
    const char *turns[2];      /* the words for off = false, true; NULL: none */
    enum sim_disk disk;        /* of the kinds with several verbs: which of them it is */
};

/* Of a word; NULL: there is none. Of a fault. */
const struct scenario_verb *scenario_verb_find(const char *word);
const struct scenario_verb *scenario_verb_of(const struct sim_fault *fault);

const char *scenario_notice_word(enum cluster_notice_type notice);
const char *scenario_counter_name(unsigned counter); /* NULL: there are fewer */
const char *scenario_relation_text(enum scenario_relation relation);

/* Metrics that are about a domain, that are shares. */
bool scenario_metric_of_domain(enum scenario_metric metric);
bool scenario_metric_is_share(enum scenario_metric metric);
