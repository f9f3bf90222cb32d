/* SPDX-License-Identifier: Apache-2.0
 *
 * What activities left without: kept for a while and tried again, for answers come late and what was unknown
 * is replicated. What is learned then becomes a resolution record (base/activities/resolution.def), which
 * completes those activities at the center. Pure: records and a clock in, records out. For one thread.
 */
#pragma once

#include "sync/resolver.h"

struct late_resolution_limits {
    uint32_t entries_max;   /* addresses and names: 1,024 */
    uint32_t record_max;    /* bytes of an activity that is kept to look for its name again: 4,096 */
    int64_t addresses_kept; /* ns after the last activity, and as far back as a computer is named: 1 min */
    int64_t names_kept;     /* ns after the last activity: 10 min */
    int64_t every;          /* ns between two tries: 1 s */
};
void late_resolution_limits_init(struct late_resolution_limits *limits);

struct late_resolution;
/* NULL without memory, or with limits of zero. `seed`: that others do not know. */
struct late_resolution *late_resolution_new(const struct late_resolution_limits *limits, uint64_t seed);
void late_resolution_destroy(struct late_resolution **late);

/* An activity has left, without what `left` tells. `record` is the activity as it was before it was
 * completed, `activity` the same, decoded. `now`: monotonic ns. */
void late_resolution_note(struct late_resolution *late, struct bytes record, const struct activity *activity,
                          const struct resolver_left *left, int64_t now);

/* Looks again for all that is missing, when it is due. `wall`: the time of the records, ns since 1970;
 * `record` gets each, valid during the call. */
void late_resolution_try(struct late_resolution *late, struct resolver *resolver, int64_t now, int64_t wall,
                         void (*record)(void *context, struct bytes record), void *context);

struct late_resolution_counters {
    uint64_t noted;     /* addresses and names that were missing */
    uint64_t completed; /* of them: told later; resolution records */
    uint64_t given_up;  /* of them: nothing came in time */
    uint64_t evicted;   /* of them: for others, as there were too many */
    uint64_t too_large; /* activities that were not kept */
    uint64_t waiting;   /* now */
};
void late_resolution_counters(const struct late_resolution *late, struct late_resolution_counters *counters);
