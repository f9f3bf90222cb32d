/* SPDX-License-Identifier: Apache-2.0
 *
 * Queues of what is to be sent: put in the transaction of what it tells, taken out when it has been sent, so
 * nothing is lost; and bounded, so a dead receiver fills no disk.
 */
#pragma once

#include "center/store.h"

#define QUEUE_ITEM_MAX (256u * 1024u)

struct queue_item {
    int64_t id; /* order */
    uint64_t workspace;
    uint32_t attempts;
    int64_t due; /* wall clock, ns: not before */
    int64_t added;
    struct bytes content; /* a view until the visit is over */
};

/* When the queue has `most` items already its oldest one is dropped: `*dropped` (may be NULL) says how many.
 */
bool store_queue_put(struct store *store, const char *queue, uint64_t workspace, int64_t now,
                     struct bytes content, uint32_t most, uint32_t *dropped);
/* Those that are due, in order. How many. `visit` may not write. */
size_t store_queue_due(struct store *store, const char *queue, int64_t now, uint32_t limit,
                       bool (*visit)(void *context, const struct queue_item *item), void *context);
bool store_queue_done(struct store *store, int64_t id);
/* It failed: once more at `due`. */
bool store_queue_retry(struct store *store, int64_t id, int64_t due);
uint64_t store_queue_count(struct store *store, const char *queue);
/* When the first of it is due; INT64_MAX: it is empty. */
int64_t store_queue_next(struct store *store, const char *queue);
