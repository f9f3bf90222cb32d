/* SPDX-License-Identifier: Apache-2.0
 *
 * A pipeline's memory in the store: what changed since the last time is taken out, written in one transaction
 * with the position of the log that it belongs to, and put back after a crash. What was taken out waits here
 * until it is written, however often the disk refuses it.
 */
#pragma once

#include "center/pipeline.h"
#include "center/store_states.h"

struct checkpoint;

/* NULL without memory. */
struct checkpoint *checkpoint_new(uint64_t workspace, uint32_t shard);
void checkpoint_destroy(struct checkpoint **checkpoint);

/* Puts back what was committed last. `*position`: the last entry of the log that is in it, 0 none. What
 * nobody knows any more (a detector that is gone, or another version of it) is removed by the next write.
 * False with the reason. */
bool checkpoint_restore(struct checkpoint *checkpoint, struct store *store, struct pipeline *pipeline,
                        uint64_t *position, struct fault *fault);

/* Takes out what changed, up to this entry of the log. False without memory: then the pipeline has forgotten
 * what changed, and all must begin anew from what is in the store. */
bool checkpoint_gather(struct checkpoint *checkpoint, struct pipeline *pipeline, uint64_t position);

/* Writes what was gathered, within the caller's transaction; false: it will fail. */
bool checkpoint_write(struct checkpoint *checkpoint, struct store *store, int64_t wall);
/* How the transaction ended; what was not committed is written again by the next write. */
void checkpoint_ended(struct checkpoint *checkpoint, bool committed);

struct checkpoint_status {
    uint64_t position; /* committed */
    uint64_t states;   /* written, all in all */
    uint64_t restored; /* states */
    uint64_t unknown;  /* runs of them that nobody knows, or that are damaged */
};
void checkpoint_status(const struct checkpoint *checkpoint, struct checkpoint_status *status);
