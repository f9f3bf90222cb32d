/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of an alert. Docs/alerts.md tells it for people; the rules are pure (alert_case_*), the rest is
 * their use on the store.
 *
 * Repeats, alerts of the same detection and key, are merged into the newest one of these subjects:
 *   open        it is updated
 *   closed      within ALERT_REOPEN it is reopened, later a new one is opened
 *   suppressed  it is updated silently; when it was quiet for ALERT_QUIET it is reopened
 *   deleted     a new one is opened
 * Time is that of the activities. What is not behind the place up to which its shard's were merged was merged
 * before, by a run that ended before it remembered how far it had come: nothing happens. Of several shards
 * one may be behind another: what it raises late is merged as if it had come in time.
 */
#pragma once

#include "center/store_alerts.h"

#include "base/clock.h"

#define ALERT_REOPEN CLOCK_DAY
#define ALERT_QUIET  (7 * CLOCK_DAY)

/* What happened to an alert; the words that subscribers hear. */
enum alert_trigger {
    ALERT_NOTHING,
    ALERT_NEW,
    ALERT_UPDATED,
    ALERT_REOPENED,
    ALERT_SILENT, /* updated while it is suppressed: nobody is told */
    ALERT_WAS_CLOSED,
    ALERT_WAS_SUPPRESSED,
    ALERT_WAS_DELETED,
    ALERT_CLASSIFIED,
    ALERT_TRIGGERS
};
const char *alert_trigger_name(enum alert_trigger trigger); /* "new", "updated", ... */

/* -- the rules ------------------------------------------------------------------------------------------- */

/* Who raises: shard i of n; {0, 0} or {0, 1}: one alone. At most ALERT_SHARDS_MAX. */
struct alert_raiser {
    uint32_t shard, shards;
};

/* What a raised alert does to the newest one of the same subjects (NULL: there is none). ALERT_NEW: `newest`
 * is as it was, the raised one becomes one of its own, whose progress is in `*fresh`. */
enum alert_trigger alert_case_raise(struct stored_alert *newest, struct alert_raiser who,
                                    const struct alert *raised, struct alert_progress *fresh);

/* Unites a repeat with the alert that it repeats, whichever of them is of the earlier place in the log. */
void alert_case_merge(struct alert *alert, const struct alert *repeat);

/* What somebody wants it to be. */
struct alert_change {
    enum alert_status status;                 /* ALERT_STATUSES: as it is */
    enum alert_classification classification; /* ALERT_CLASSIFICATIONS: as it is */
};
#define ALERT_CHANGE_NOTHING ((struct alert_change){ALERT_STATUSES, ALERT_CLASSIFICATIONS})
/* What people do. ALERT_NOTHING with the reason when it makes no sense, without one when it is so already. */
enum alert_trigger alert_case_change(struct stored_alert *stored, const struct alert_change *change,
                                     struct fault *fault);

/* -- on the store ---------------------------------------------------------------------------------------- */

/* Who hears of changes. */
struct alert_listener {
    /* In the transaction: what is put into the store here is there exactly when the change is. May be NULL.
     */
    void (*changing)(void *context, struct store *store, const struct stored_alert *alert,
                     enum alert_trigger trigger, int64_t now);
    /* After it; may be NULL. */
    void (*changed)(void *context, const struct stored_alert *alert, enum alert_trigger trigger);
    void *context;
};
#define ALERT_LISTENERS_MAX 4u

/* Belongs to the thread of its store. Listeners are called on that thread. */
struct alerts {
    struct store *store;
    const struct clock *clock;
    struct alert_raiser raiser; /* whose alerts they are; not used for what people do */
    unsigned listener_count;
    struct alert_listener listeners[ALERT_LISTENERS_MAX];
    struct alert_told *told; /* what listeners are to hear after the transaction, the newest first */
};

/* Takes what a pipeline raised, in a transaction of its own. False: nothing of it is kept, and it is to be
 * raised again (that it was kept after all does no harm). `*trigger` may be NULL. */
bool alerts_raise(struct alerts *alerts, uint64_t workspace, const struct alert *raised,
                  enum alert_trigger *trigger, struct fault *fault);

/* The same within a transaction that the caller has begun, so that many cost one commit; then alerts_kept
 * must follow, with how it ended. False: the transaction will fail. */
bool alerts_keep(struct alerts *alerts, uint64_t workspace, const struct alert *raised,
                 enum alert_trigger *trigger);
void alerts_kept(struct alerts *alerts, bool committed);

/* What somebody does to one. False with the reason; `*known` false: there is none such. `after` (may be
 * NULL): as it is then. */
bool alerts_change(struct alerts *alerts, uint64_t workspace, const uint8_t id[16],
                   const struct alert_change *change, const char *who, struct stored_alert *after,
                   bool *known, struct fault *fault);

/* The detection that raises such alerts; NULL: this version knows none such. */
const struct detector *alert_detector(const struct alert *alert);
