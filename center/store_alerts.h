/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts as they are kept: a row for lists and searches, the whole of it encoded (center/alert.h), and who is
 * in it, for "the alerts of this account". Each change of one is audited (center/store_audit.h) by whoever
 * makes it.
 */
#pragma once

#include "center/alert.h"
#include "center/store.h"

enum alert_classification {
    ALERT_UNCLASSIFIED,
    ALERT_TRUE_POSITIVE,
    ALERT_BENIGN_TRUE_POSITIVE,
    ALERT_FALSE_POSITIVE,
    ALERT_CLASSIFICATIONS
};
const char *alert_classification_name(enum alert_classification classification);
bool alert_classification_by_name(const char *name, enum alert_classification *classification);

#define ALERT_SHARDS_MAX 64u
/* How far each of several shards has come in raising it: they go through the log on their own, and what one
 * raises late is merged like anything else, but only once. */
struct alert_progress {
    uint32_t shards;             /* how many there were; 0: one alone, and alert.last tells */
    struct activity_place floor; /* whatever shard it is from, what is not behind it was merged */
    struct activity_place lasts[ALERT_SHARDS_MAX];
};

struct stored_alert {
    uint64_t workspace;
    int64_t number; /* in the store, for people; 0 before it is put the first time */
    char detector[64];
    char title[160];
    enum alert_classification classification;
    bool reopened;
    int64_t raised;           /* wall clock, ns since 1970: first put */
    int64_t changed;          /* wall clock: last put */
    int64_t suppressed_until; /* time of activities; 0: not */
    struct alert_progress progress;
    struct alert alert;
};

/* Adds it or replaces the one with its id. `*added` (may be NULL): it was not there. The caller sets all but
 * `number`; `raised` of one that is there is kept. */
bool store_alert_put(struct store *store, struct stored_alert *alert, bool *added);
/* False: there is none such in the workspace (or the store failed). */
bool store_alert_get(struct store *store, uint64_t workspace, const uint8_t id[16], struct stored_alert *to);
/* All that may be merged into: open and suppressed ones of the workspace. To be read in at the start. */
void store_alerts_live(struct store *store, uint64_t workspace,
                       void (*visit)(void *context, const struct stored_alert *alert), void *context);

/* What a list is of. Zero: all but the deleted ones, the newest first. */
struct alert_filter {
    uint32_t statuses;      /* bits 1 << enum alert_status; 0: all but deleted */
    uint32_t severities;    /* bits 1 << enum severity; 0: all */
    uint32_t external_id;   /* 0: all */
    int64_t from, till;     /* overlap of start..end with it; 0: without bound */
    struct subject subject; /* somebody in it, with any role; none: all */
    struct bytes text;      /* in the title or among the names of who is in it; empty: all */
    int64_t changed_since;  /* wall clock; 0: all */
    int64_t before;         /* only numbers below, for the next page; 0: from the newest */
    uint32_t limit;         /* 0: 100; at most 1000 */
};
/* `visit` false: enough. How many were visited. */
size_t store_alerts_list(struct store *store, uint64_t workspace, const struct alert_filter *filter,
                         bool (*visit)(void *context, const struct stored_alert *alert), void *context);
/* How many there are by status and severity. */
void store_alerts_count(struct store *store, uint64_t workspace, uint64_t counts[ALERT_STATUSES][SEVERITIES]);
/* Removes those that ended before; how many. */
int64_t store_alerts_expire(struct store *store, uint64_t workspace, int64_t ended_before, int64_t limit);
