/* SPDX-License-Identifier: Apache-2.0
 *
 * A batch of entity changes as it rests in the spool: a head that says who vouches for it, then the changes
 * as the directory's part made them (sync/directory_batch.h). The head is a msgpack map {"format":
 * "picket-changes", "version": 1, "domain", "term", "draw", "node", "incarnation", "sequence"}: what the
 * receiver's fence needs (CLUSTER.md 3.3).
 */
#pragma once

#include "sync/directory.h"

#define CHANGE_BATCH_VERSION  1u
#define CHANGE_BATCH_HEAD_MAX 512u

struct change_batch {
    struct sync_token token;
    uint64_t sequence;
    uint32_t count;        /* changes */
    struct cursor changes; /* standing on the first */
};

/* The head's size. */
size_t change_batch_head(uint8_t to[CHANGE_BATCH_HEAD_MAX], const struct sync_token *token,
                         uint64_t sequence);

/* False when it is no such batch, or of another version. Views into the payload. */
bool change_batch_read(struct change_batch *batch, struct bytes payload);

/* What a change is about; what did not come is empty. */
struct change_summary {
    struct bytes guid, kind, dn;
    bool deleted, whole;
    uint32_t fields, links;
};

/* The next change; false at the end and on damage (the batch's cursor has failed then). */
bool change_batch_next(struct change_batch *batch, struct change_summary *summary);
