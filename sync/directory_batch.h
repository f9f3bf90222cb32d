/* SPDX-License-Identifier: Apache-2.0
 *
 * Entity changes on their way to the node's spool: each is what the directory told, so that a receiver that
 * applies them in order ends with the same entities. A batch is a msgpack array of maps {"v": 1, "guid": bin,
 * "domain": name, "kind": name, "dn": text, "whole": bool, "deleted": bool, "fields": {field: value, [values]
 * or nil}, "whole_links": [field], "links": [[field, removed, guid] ...]}; what is empty or unknown is left
 * out. Applying one twice changes nothing. Not for callers of sync/directory.h.
 */
#pragma once

#include "sync/entity.h"

#define DIRECTORY_BATCH_MAX   (512u * 1024u) /* bytes of one, about */
#define DIRECTORY_BATCH_LINKS 4096u          /* of one map: a larger group takes several */

struct directory_batch {
    uint8_t *bytes; /* changes, without the array's head */
    size_t size, capacity;
    uint32_t changes;
};

bool directory_batch_open(struct directory_batch *batch);
void directory_batch_close(struct directory_batch *batch);
void directory_batch_clear(struct directory_batch *batch);

/* Adds a change. False without memory: the batch is as it was. */
bool directory_batch_take(struct directory_batch *batch, const struct entity_change *change,
                          const char *domain);
/* Large enough to be handed over. */
bool directory_batch_is_full(const struct directory_batch *batch);
/* The whole, valid until the next change. */
struct bytes directory_batch_bytes(struct directory_batch *batch);
