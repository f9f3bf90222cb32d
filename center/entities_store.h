/* SPDX-License-Identifier: Apache-2.0
 *
 * Entities in the store: each whole, with its history, its links, and the words that it is found by. The
 * synchronizer's batches wait here until the pipeline's next checkpoint, and are written in its transaction:
 * so what the directory was at a position of the log is had back with it after a crash.
 *
 * The memory that detectors ask is center/entities.h; this here is for people, and for the next start.
 */
#pragma once

#include "center/entities.h"
#include "center/store.h"

#define ENTITIES_FOUND_MAX 200u /* of one search */

struct entities_store;

/* NULL without memory. */
struct entities_store *entities_store_new(uint64_t workspace);
void entities_store_destroy(struct entities_store **self);

/* Puts back what was written last. False with the reason. */
bool entities_store_restore(struct entities_store *self, struct store *store, struct entities *to,
                            struct fault *fault);

/* A batch of the log (LOG_ENTITIES) was taken, which stands at `position` (they ascend) and was received at
 * `wall`. False without memory, or when more than 256 MiB wait: then all must begin anew from what is in the
 * store. */
bool entities_store_take(struct entities_store *self, struct bytes batch, uint64_t position, int64_t wall);
/* How many bytes wait: a checkpoint should not be far when they are many. */
size_t entities_store_waiting(const struct entities_store *self);

/* Writes what waits up to a position, within the caller's transaction; false: it will fail. */
bool entities_store_write(struct entities_store *self, struct store *store, uint64_t until);
/* How the transaction ended; what was not committed is written again by the next write. */
void entities_store_ended(struct entities_store *self, bool committed);

/* -- for people: any connection ----------------------------------------------------------------------------
 */

struct stored_entity {
    struct guid guid;
    enum entity_kind kind;
    int64_t told, changed, deleted; /* ns since 1970; deleted 0: it is there */
    char name[128], domain[128];
};

/* False: there is none. */
bool entities_store_find(struct store *store, uint64_t workspace, const struct guid *guid,
                         struct stored_entity *to);
/* All of it as entity_to_json has it, cut (and terminated) at `capacity`; the length it has whole, 0: there
 * is none. */
size_t entities_store_json(struct store *store, uint64_t workspace, const struct guid *guid, char *to,
                           size_t capacity);

/* Whose names begin with each of the words of `text`, in any order: as somebody types. Who bears the word
 * itself comes first; deleted ones too. `kind`: ENTITY_KINDS for any. At most `limit`, at most
 * ENTITIES_FOUND_MAX. How many. */
size_t entities_store_search(struct store *store, uint64_t workspace, struct bytes text,
                             enum entity_kind kind, uint32_t limit,
                             void (*visit)(void *context, const struct stored_entity *entity), void *context);

/* Ends of links from it, or of those to it, in no order, from behind the `after`-th on: `visit` false:
 * enough. How many were visited. */
size_t entities_store_links(struct store *store, uint64_t workspace, const struct guid *guid,
                            enum entity_link link, bool back, uint64_t after,
                            bool (*visit)(void *context, const struct stored_entity *entity), void *context);

/* What changed, the newest first. */
struct entity_past {
    int64_t at;
    const char *attribute;      /* the field's name; "deleted", "member" */
    const char *before, *after; /* texts; empty: it had none */
};
size_t entities_store_history(struct store *store, uint64_t workspace, const struct guid *guid,
                              uint32_t limit, void (*visit)(void *context, const struct entity_past *past),
                              void *context);
