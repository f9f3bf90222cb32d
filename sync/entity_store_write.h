/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the store's place on disk and its writer. Not for callers.
 */
#pragma once

#include "sync/entity_store.h"

struct entity_store_write *store_write_new(struct entity_store *store);
void store_write_destroy(struct entity_store_write **write);

/* Around a commit without a sync. False: it cannot be marked, so the commit must sync. */
bool store_mark_unsynced(struct entity_store *store);
void store_mark_synced(struct entity_store *store);

/* Gives up the snapshots of processes that have ended, every now and then. */
void store_check_readers(struct entity_store *store);
