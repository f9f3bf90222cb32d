/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipeline of one workspace: batches of activities in, alerts out: processor (center/processor.h), then
 * each detector that wants the activity. Pure: no file, clock or thread of its own; what it remembers can be
 * taken out as changes and put back (a checkpoint), and then it goes on with the next activity as if nothing
 * had been.
 *
 * Shards: a pipeline that is shard i of n looks only at the keys that fall to it; the processor runs in each.
 * In one process there are as many as threads.
 */
#pragma once

#include "center/alert.h"
#include "center/detector.h"
#include "center/directory_view.h"
#include "center/workspace.h"

struct pipeline;

struct pipeline_config {
    const struct workspace_settings *settings; /* must outlive it; looked at for each activity */
    struct directory_view directory;           /* directory_view_none: nothing is known */
    struct subject_seed seed;
    uint32_t shard, shards;                  /* 0, 1: everything */
    uint32_t tickets;                        /* as of struct processor_config */
    const struct detector *const *detectors; /* ended by NULL; NULL: all there are */
    /* An alert was raised: valid during the call. The same activity raises the same alert with the same id.
     */
    void (*alert)(void *context, const struct alert *alert);
    /* Each activity as the detectors get it, before they do; may be NULL. */
    void (*observed)(void *context, const struct observation *observation);
    void *context;
};

/* NULL without memory. */
struct pipeline *pipeline_new(const struct pipeline_config *config);
void pipeline_destroy(struct pipeline **pipeline);

/* One activity. `received`: wall time when it came, ns since 1970: an activity that claims to be from later
 * counts as from then. `node`: which sensor. False: it is no activity, and has been counted. */
bool pipeline_activity(struct pipeline *pipeline, struct bytes record, struct activity_place place,
                       int64_t received, const uint8_t node[16]);
/* Likewise all of a batch, so many, that stands at that position of the log. False: some of it is no
 * activity, or there is less or more; that has been left out. */
bool pipeline_batch(struct pipeline *pipeline, struct cursor *records, uint64_t count, uint64_t position,
                    int64_t received, const uint8_t node[16]);
/* Something was told that cannot be read: who relies on having heard all (center/processor.h) must not.
 * Called by the two above as well. */
void pipeline_gap(struct pipeline *pipeline);

/* Who takes what changed since the last time, one table after the other. */
struct pipeline_keeper {
    /* The next table: `owner` and its name tell which it is. True: all that is in it is wanted, not only what
     * changed. */
    bool (*table)(void *context, const char *owner, const struct state_form *form,
                  const struct state_table_status *status);
    /* A value of it; NULL: it is gone. */
    void (*state)(void *context, struct subject key, int64_t touched, const void *value);
    void *context;
};
void pipeline_changes(struct pipeline *pipeline, const struct pipeline_keeper *keeper);

struct pipeline_restored {
    const char *owner;
    const struct state_form *form;
    uint64_t states;
};
/* Puts back a run (center/state_run.h) of what an earlier life gave. False: nobody knows it any more (another
 * version), or it is damaged. */
bool pipeline_restore(struct pipeline *pipeline, const char *owner, const char *table, uint32_t version,
                      struct bytes run, struct pipeline_restored *restored);

struct pipeline_counters {
    uint64_t activities, malformed, unknown_kinds;
    uint64_t future;   /* from later than they came: moved back */
    uint64_t twins;    /* the same thing seen by another sensor */
    uint64_t excluded; /* alerts that were not raised because of an exclusion */
    uint64_t learning; /* ... because their detector still learns */
    uint64_t raised;
    uint64_t pushed_out;        /* states forgotten because a table was full */
    uint64_t tickets_forgotten; /* ... tickets among them: center/processor.h */
    uint64_t subjects, bytes;   /* states now, and the memory they take */
    int64_t first, last;        /* times of the first and the newest activity */
};
void pipeline_counters(const struct pipeline *pipeline, struct pipeline_counters *counters);
