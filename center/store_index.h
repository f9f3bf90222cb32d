/* SPDX-License-Identifier: Apache-2.0
 *
 * Where in the log the activities of somebody stand: by subject and hour the positions of the entries. Who
 * looks reads those entries and leaves out what is of others.
 */
#pragma once

#include "center/store.h"

/* Adds positions, ascending, to a subject's hour (ns since 1970 / 3.6e12). */
bool store_index_add(struct store *store, uint64_t workspace, struct subject subject, int64_t hour,
                     const uint64_t *positions, size_t count);
/* Positions, ascending within each hour, each once; hours in their order. `visit` false: enough. How many. */
size_t store_index_each(struct store *store, uint64_t workspace, struct subject subject, int64_t first_hour,
                        int64_t last_hour, bool (*visit)(void *context, int64_t hour, uint64_t position),
                        void *context);
/* Removes hours before; at most `limit` rows at a time. How many. */
int64_t store_index_expire(struct store *store, int64_t before_hour, int64_t limit);
