/* SPDX-License-Identifier: Apache-2.0
 *
 * The resolver for what was captured before: as a node's, but that time is the activities', nobody is asked,
 * and the entity store is only read. It may be that of a node that runs.
 */
#pragma once

#include "base/cursor.h"
#include "base/fault.h"

struct offline_resolver;

/* `store`: a directory of an entity store; NULL: names stay names. `record` gets each activity, completed,
 * and the resolution records, valid during the call. NULL with the reason. */
struct offline_resolver *offline_resolver_new(const char *store,
                                              void (*record)(void *context, struct bytes record),
                                              void *context, struct fault *fault);
/* What is still learned is told before. */
void offline_resolver_destroy(struct offline_resolver **self);

/* The next activity; what is no activity passes as it is. */
void offline_resolver_take(struct offline_resolver *self, struct bytes record);
