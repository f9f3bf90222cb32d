/* SPDX-License-Identifier: Apache-2.0
 *
 * A shard at work: reads the log from where it had come to, gives the activities of its workspace to a
 * pipeline, and commits what comes of it: alerts soon, the pipeline's memory and the position now and then.
 * Ended at any moment, killed too, and begun anew, it goes on as if nothing had been.
 *
 * While the store refuses a commit the shard stands still and tries again: the log keeps all of it.
 */
#pragma once

#include "base/health.h"
#include "center/pipeline.h"
#include "center/received_log.h"
#include "center/store.h"

struct shard;

struct shard_config {
    const char *log, *store; /* directory, file */
    uint64_t workspace;
    uint32_t number, shards;
    uint32_t tickets; /* remembered of each sort; 0: as many as usual */
    struct subject_seed seed;
    int64_t checkpoint_every, alerts_within; /* ns; 0: five seconds, half a second */
    uint64_t begin;                          /* the log cannot have come further than this; 0: any */
    const struct detector *const *detectors; /* NULL: all there are */
    struct health *health;                   /* may be NULL */
    /* What becomes of alerts that were raised, oldest first: kept within the transaction that is open, once
     * and for all (an alert that was kept before is given again after a crash); false: it fails. Then, on the
     * same thread, how that ended: not committed, the same ones will come again. */
    bool (*keep)(void *context, struct store *store, const struct alert *alert);
    void (*kept)(void *context, bool committed);
    /* The workspace of a node; NULL: all are in this one. */
    uint64_t (*workspace_of)(void *context, const struct node_id *node);
    void *context;
};

/* NULL with the reason. */
struct shard *shard_new(const struct shard_config *config, struct fault *fault);
/* Without a commit. */
void shard_destroy(struct shard **shard);

enum shard_step {
    SHARD_BUSY,  /* there was an entry */
    SHARD_IDLE,  /* there was none: wait a little */
    SHARD_STUCK, /* the store cannot be written: wait a little */
    SHARD_LOST,  /* no memory, or no room for alerts: the shard must be made anew */
};
/* Does what is due: one entry of the log, a commit. */
enum shard_step shard_step(struct shard *shard);
/* Commits all there is. */
bool shard_finish(struct shard *shard, struct fault *fault);
/* Steps until `stop` is readable, then finishes. False: SHARD_LOST. */
bool shard_run(struct shard *shard, int stop);

/* Any thread may ask. */
struct shard_status {
    uint64_t position, committed; /* entries of the log */
    uint64_t needed;              /* what is behind this one is read again after a crash */
    int64_t behind;               /* ns since the entry was received that is looked at; 0: none waits */
    uint64_t activities, alerts, commits, states;
    uint64_t forgotten; /* states, because a table was full */
    uint64_t tickets_forgotten;
    uint64_t damaged;    /* entries that could not be read, or not all of them */
    int64_t commit_time; /* ns of the longest commit */
    bool stuck;
};
void shard_status(const struct shard *shard, struct shard_status *status);
