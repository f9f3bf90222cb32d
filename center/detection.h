/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs one detector: its tables, its settings, what it raises. The other side of what center/detector.h lets
 * a detector use. Pure.
 */
#pragma once

#include "center/detector.h"
#include "center/workspace.h"

/* What all detectors of a pipeline share. */
struct detection_context {
    const struct workspace_settings *settings;
    struct directory_view directory;
    struct subject_seed seed;
    const struct profiler *profiler; /* has looked at the activity, has not learned it yet */
    uint32_t shard, shards;
    int64_t since; /* time of the first activity there ever was: learning counts from it */
    void (*alert)(void *context, const struct alert *alert);
    void *context;
    struct alert *draft; /* one for all: it is large */
    uint64_t raised, excluded, learning;
};

struct detection_runner;

/* NULL without memory. Both must outlive it. */
struct detection_runner *detection_runner_new(const struct detector *detector,
                                              struct detection_context *context);
void detection_runner_destroy(struct detection_runner **runner);
const struct detector *detection_runner_detector(const struct detection_runner *runner);

void detection_runner_observe(struct detection_runner *runner, const struct observation *observation);
/* Forgets what is too old. */
void detection_runner_expire(struct detection_runner *runner, int64_t now);

/* Its tables by index; NULL past the last. */
struct state_table *detection_runner_table(const struct detection_runner *runner, unsigned index);
