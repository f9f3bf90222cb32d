/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands between a capture and the pipeline in a replay: the resolver that a sensor would have run
 * (sync/resolver.h). Each activity waits a few seconds of the capture's time, as it may on a sensor, so that
 * who is behind an address is also known from what follows shortly after. Pure.
 */
#pragma once

#include "base/cursor.h"
#include "sync/resolver.h"

struct replay_resolve;

/* Gets each record, completed, in the order in which they came; valid during the call. */
typedef void (*replay_resolved)(void *context, struct bytes record);

/* NULL without memory. `directory` may know nothing (its functions NULL); what it points to must outlive it.
 */
struct replay_resolve *replay_resolve_new(const struct resolver_directory *directory,
                                          replay_resolved resolved, void *context);
void replay_resolve_destroy(struct replay_resolve **resolve);

void replay_resolve_record(struct replay_resolve *resolve, struct bytes record);
/* Hands on what still waits: the file has ended. What was learned stays. */
void replay_resolve_flush(struct replay_resolve *resolve);
