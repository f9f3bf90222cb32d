/* SPDX-License-Identifier: Apache-2.0
 *
 * The fence in the header of a batch of entities (CLUSTER.md 3.3): whose word it is, so that a receiver
 * refuses a deposed synchronizer's.
 *
 *     "domain": str, "term": uint, "draw": uint, "node": bin 16, "incarnation": uint, "sequence": uint
 */
#pragma once

#include "base/cursor.h"

#define BATCH_FENCE_PAIRS 6u
#define BATCH_FENCE_MAX   400u /* bytes of the pairs */

struct batch_fence {
    char domain[256];
    uint64_t term, draw;
    uint8_t node[16];
    uint64_t incarnation;
    uint64_t sequence; /* grows by one from batch to batch of a token */
};

/* The form of such batches (base/batch.h). */
#define BATCH_ENTITIES_FORMAT     "picket-entities"
#define BATCH_ENTITIES_VERSION    1
#define BATCH_ENTITIES_RECORD_MAX (128u * 1024u)
extern const struct batch_form batch_entities;

/* The pairs, for batch_writer_set_pairs. Returns their size. */
size_t batch_fence_write(uint8_t to[BATCH_FENCE_MAX], const struct batch_fence *fence);
/* Out of batch_reader_pairs; other pairs are skipped. False unless all are there. */
bool batch_fence_read(struct batch_fence *fence, struct cursor pairs, uint32_t count);
