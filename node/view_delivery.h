/* SPDX-License-Identifier: Apache-2.0
 *
 * How what this node collected gets on: spool, outbox and sender as one view.
 */
#pragma once

#include "base/json_writer.h"
#include "node/outbox.h"
#include "node/sender.h"

#define VIEW_DELIVERY_ISSUES 2u

struct view_delivery {
    bool sends; /* else there is no center, and `sender` is not set */
    struct outbox_status outbox;
    struct spool_status spool;
    struct sender_status sender;
    /* Health issues that are raised, as sentences. */
    unsigned issue_count;
    struct {
        unsigned number; /* node/health.h */
        const char *subject;
        char text[256];
    } issues[VIEW_DELIVERY_ISSUES];
};

/* `sender` may be NULL. */
void view_delivery_collect(struct view_delivery *view, struct outbox *outbox, struct spool *spool,
                           struct sender *sender, int64_t wall);
/* `delivery` of the status. NULL: null. */
void view_delivery_write(struct json_writer *w, const struct view_delivery *view);
