/* SPDX-License-Identifier: Apache-2.0
 *
 * The node's counts for a Prometheus server: GET /metrics over HTTP on a local address, in the text format
 * 0.0.4. One client at a time, nothing is kept open; the text is made on the driver's thread.
 */
#pragma once

#include "base/address.h"
#include "base/cursor.h"
#include "base/fault.h"
#include "base/mailbox.h"
#include "base/text.h"

#include <stdint.h>

/* -- the text; pure ------------------------------------------------------------------------------------ */

enum metric_type { METRIC_COUNTER, METRIC_GAUGE };

/* Head of a family of samples, then its samples. `label` NULL: none. */
void metric_family(struct text *t, const char *name, enum metric_type type, const char *help);
void metric_uint(struct text *t, const char *name, const char *label, const char *value, uint64_t number);
/* Millionths as a decimal. */
void metric_micro(struct text *t, const char *name, const char *label, const char *value, int64_t millionths);

/* -- HTTP; pure ---------------------------------------------------------------------------------------- */

#define METRICS_REQUEST_MAX 4096u

enum metrics_request {
    METRICS_MORE,    /* not whole yet */
    METRICS_WANTED,  /* GET /metrics */
    METRICS_NOTHING, /* another path: 404 */
    METRICS_METHOD,  /* another method: 405 */
    METRICS_BROKEN,  /* no HTTP: 400 */
};
enum metrics_request metrics_request_read(struct bytes bytes);

/* -- the listener -------------------------------------------------------------------------------------- */

struct metrics_config {
    struct endpoint listen;
    /* Takes the mail to the thread that knows the counts. False: it is ending. */
    bool (*post)(void *context, struct mail *mail);
    /* On that thread: writes them. */
    void (*write)(void *context, struct text *t);
    void *context;
};

struct metrics;

/* NULL with the reason. */
struct metrics *metrics_start(const struct metrics_config *config, struct fault *fault);
/* After the thread of `post` has ended, or while it still runs its mail. */
void metrics_stop(struct metrics **metrics);
