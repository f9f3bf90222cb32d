/* SPDX-License-Identifier: Apache-2.0
 *
 * What the API asks of the running center beside the store's own routes (center/api.h): sensors, search,
 * entities, how the shards stand.
 */
#pragma once

#include "center/api.h"
#include "center/shard.h"

struct service_sources;

/* How the i-th shard stands; false past the last. */
typedef bool (*shard_at)(void *context, unsigned index, uint64_t *workspace, struct shard_status *status);

/* NULL with the reason. */
struct service_sources *service_sources_new(const char *store, shard_at shards, void *context,
                                            struct fault *fault);
void service_sources_destroy(struct service_sources **sources);
struct api_sources service_sources_of(struct service_sources *sources);
