/* SPDX-License-Identifier: Apache-2.0
 *
 * What pipelines remember, and how far of the log they have come: written together, so that one is never
 * newer than the other (center/checkpoint.h).
 */
#pragma once

#include "center/state_table.h"
#include "center/store.h"

/* The number of a table of a pipeline, made when it is not known; 0: the store failed. To be asked once, not
 * for each value. */
int64_t store_state_table(struct store *store, uint64_t workspace, uint32_t shard, const char *owner,
                          const char *table, uint32_t version);
/* Appends a run (center/state_run.h) to a table. `whole`: it is of all states that there are, or a part of
 * that; else of what changed. */
bool store_states_put(struct store *store, int64_t table, bool whole, struct bytes run);
/* Removes a table's runs: others take their place. */
bool store_states_forget(struct store *store, int64_t table);
/* Removes a table: of a layout that is no more. */
bool store_states_clear(struct store *store, int64_t table);

struct state_origin {
    int64_t table;
    const char *owner, *name;
    uint32_t version;
    bool whole;
};
/* Each run of a pipeline, in the order in which they were put. How many. */
size_t store_states_each(struct store *store, uint64_t workspace, uint32_t shard,
                         void (*visit)(void *context, const struct state_origin *origin, struct bytes run),
                         void *context);

/* The last entry of the log that is in the states; 0: none yet. */
bool store_position_put(struct store *store, uint64_t workspace, uint32_t shard, uint64_t position,
                        int64_t at);
uint64_t store_position(struct store *store, uint64_t workspace, uint32_t shard);
/* In the place of a shard: up to where the log's batches of entities are in the store. */
#define STORE_DIRECTORY UINT32_MAX
/* The least of all workspaces and shards; UINT64_MAX: there is none. */
uint64_t store_position_least(struct store *store);
