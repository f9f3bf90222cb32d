/* SPDX-License-Identifier: Apache-2.0
 *
 * A center's workspace for a replay: its settings, entities, marks, and what its detectors have learned. Only
 * read, also while the center runs.
 */
#pragma once

#include "center/entities.h"
#include "center/pipeline.h"
#include "center/store.h"

struct replay_workspace {
    struct store *store;
    uint64_t id;
    struct subject_seed seed;
};

/* Opens state/center.db, finds the workspace, fills in its settings, and reads its directory into `entities`
 * (made here; the caller destroys them). False with the reason. */
bool replay_workspace_open(struct replay_workspace *workspace, const char *state, const char *name,
                           struct workspace_settings *settings, struct entities **entities,
                           struct fault *fault);
void replay_workspace_close(struct replay_workspace *workspace);

/* Gives the pipeline what those of the center remember, of all shards. */
bool replay_workspace_remember(struct replay_workspace *workspace, struct pipeline *pipeline,
                               struct fault *fault);
