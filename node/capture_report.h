/* SPDX-License-Identifier: Apache-2.0
 *
 * What a sensor tells of its own eyes (activity "capture_report"): how far it has watched and what it missed,
 * so that the center does not take for absent what was only not seen. Every ten seconds; and at once before
 * the first activity that comes behind a loss.
 */
#pragma once

#include "base/activity.h"
#include "node/capture_group.h"
#include "node/outbox.h"

#define CAPTURE_REPORT_PERIOD (10 * CLOCK_SECOND)

/* -- when to tell, and what; pure ------------------------------------------------------------------------ */

/* Sums since the start. */
struct capture_sums {
    uint64_t packets, dropped, shed, kerberos_shed, activities_lost;
    bool blind; /* an interface is away, or capture is paused: now; of differences: then or now */
};

struct capture_watch {
    int64_t told; /* wall ns; 0: nothing yet */
    struct capture_sums sums;
    bool loss; /* was told then */
};

/* Whether something is to be told at `now`; then `to` has the differences, and `from` since when (0: since
 * nobody knows). A clock that was set back begins anew. */
bool capture_watch_step(struct capture_watch *watch, int64_t now, const struct capture_sums *sums,
                        struct capture_sums *to, int64_t *from);

/* -- of a running sensor --------------------------------------------------------------------------------- */

struct capture_reports;

/* NULL without memory. Group and outbox must outlive it. */
struct capture_reports *capture_reports_new(struct capture_group *group, struct outbox *outbox);
void capture_reports_destroy(struct capture_reports **reports);

/* Tells what is to be told, now and then. Any thread. */
void capture_reports_look(struct capture_reports *reports);
/* The same, when something was lost since the last look: cheap, before each activity. */
void capture_reports_hear(struct capture_reports *reports);
