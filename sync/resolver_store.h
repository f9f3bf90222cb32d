/* SPDX-License-Identifier: Apache-2.0
 *
 * The entity store as the resolver's directory. For the resolver's thread.
 */
#pragma once

#include "sync/entity_store.h"
#include "sync/resolver.h"

struct resolver_store;

/* Asks the directory for what the store lacks (directory_look_up): true when there will be an answer. */
typedef bool (*resolver_store_ask)(void *context, const struct lookup_key *key,
                                   enum lookup_priority priority);

/* NULL with the reason. `ask` may be NULL. The store must outlive it. */
struct resolver_store *resolver_store_new(struct entity_store *store, resolver_store_ask ask, void *context,
                                          struct fault *fault);
void resolver_store_destroy(struct resolver_store **resolver_store);

/* For resolver_new. */
struct resolver_directory resolver_store_directory(struct resolver_store *resolver_store);

/* Sees the last commit from now on; before each batch of activities. */
void resolver_store_renew(struct resolver_store *resolver_store);
/* Nothing is read for a while: the store's pages may be used anew. Renew before the next look. */
void resolver_store_rest(struct resolver_store *resolver_store);
