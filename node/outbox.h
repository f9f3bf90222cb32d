/* SPDX-License-Identifier: Apache-2.0
 *
 * What leaves the node: activities on their way into the spool, in batches (base/batch.h). A batch is closed
 * when it is full, and all of them become durable every `interval`, or at once when a source waits for it:
 * all that wait share one sync of the disk. When the spool fills, new activities of low value are left out
 * first (node/record_value.h), counted per kind. All calls from any thread.
 */
#pragma once

#include "base/activity.h"
#include "base/fault.h"
#include "node/spool.h"

struct outbox_config {
    struct spool *spool;
    int64_t interval; /* ns: what a power cut may cost; 0: 500 ms */
    /* Nobody receives: the spool drops its oldest, and nothing is left out for its value. */
    bool drop_oldest;
    /* A record with this tag is on the disk. On the outbox's thread, which it must not hold up. What could
     * not be kept is not told of: its source sends it again. */
    void (*kept)(void *context, uint64_t tag);
    void *context;
};

struct outbox;

/* NULL with the reason. The spool must outlive it. */
struct outbox *outbox_start(const struct outbox_config *config, struct fault *fault);
/* Makes durable what is there, and ends. Nobody may be calling any more. */
void outbox_stop(struct outbox **outbox);

/* One encoded activity, copied; on the disk within the interval, and told when it is if its tag is not 0:
 * then at once. It may have to wait for the disk for a moment when a batch is full. */
void outbox_record(struct outbox *outbox, struct bytes record, uint64_t tag);

struct outbox_status {
    uint64_t records; /* taken */
    uint64_t dropped; /* left out as the spool was full, or nearly */
    uint64_t dropped_by_kind[ACTIVITY_KINDS];
    int64_t last_drop; /* wall ns; 0: never */
    unsigned fill;     /* of the spool, percent */
    bool failing;      /* the last batch could not be written */
};
void outbox_status(struct outbox *outbox, struct outbox_status *status);
/* Whether health issue 1013 is raised: something was left out in the last minute. */
bool outbox_is_dropping(const struct outbox_status *status, int64_t wall);
