/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is told of alerts and health issues: outputs (center/notify_output.h), each with a queue in the store
 * and a thread of its own, so that a dead one holds up neither the pipeline nor the others.
 * docs/notifications.md.
 *
 * A notice is put into the queues in the transaction of what it tells, and taken out when the output has it:
 * at least once, in order unless one has to be repeated. An alert's notice names it; what is sent is the
 * alert as it is by then, so that repeats can be told together.
 */
#pragma once

#include "base/config.h"
#include "center/notify_output.h"

#define NOTIFY_OUTPUTS_MAX 16u
#define NOTIFY_QUEUE_MAX                                                                                     \
    10000u /* notices for one output; beyond it the oldest are dropped, and that is told */

struct notifier;

struct notifier_config {
    const char *store; /* the file: each output opens it for itself */
    /* What keeps an output from working; `detail` NULL: it works again. On that output's thread. */
    void (*trouble)(void *context, unsigned number, const char *object, const char *detail);
    void *context;
    int64_t first_retry;  /* ns; 0: 5 s; doubled each time */
    int64_t last_retry;   /* 0: 5 min */
    int64_t update_every; /* an alert's repeats are told not more often than so; 0: 10 min */
    int64_t timeout;      /* for one notice; 0: as the outputs have it */
};

/* NULL with the reason. */
struct notifier *notifier_new(const struct notifier_config *config, struct fault *fault);
/* Ends the threads; what waits stays in the store. */
void notifier_destroy(struct notifier **notifier);

/* What its outputs are made with. */
const struct notify_common *notifier_common(const struct notifier *notifier);
/* Adds an output, which becomes the notifier's, before it is started; `name` stands in the store and in
 * health issues. What is below `least` it is not told. False with the reason; then it is destroyed. */
bool notifier_add(struct notifier *notifier, const char *name, struct notify_output output,
                  enum severity least, struct fault *fault);
/* The portal that notices link to, before outputs are added; NULL: none. */
bool notifier_set_portal(struct notifier *notifier, const char *url, struct fault *fault);
/* All outputs of the configuration file, section "notify". */
bool notifier_configure(struct notifier *notifier, const struct config *config, struct fault *fault);
/* Whether they could be made; nobody is told anything. False with the reason. A secret that cannot be read,
 * which is tried anew with each notice, is only warned of. */
bool notifier_check(const struct config *config, struct fault *fault);
bool notifier_start(struct notifier *notifier, struct fault *fault);
/* The outputs of this configuration instead of those that there are; one that has the name that it had goes
 * on with its queue. False with the reason: those before stay. After it the configuration before this one is
 * not needed any more. One thread. */
bool notifier_reload(struct notifier *notifier, const struct config *config, struct fault *fault);

/* Puts changes of alerts into the queues: for center/alerts.h. Any thread. */
struct alert_listener notifier_listener(struct notifier *notifier);

/* A health issue began or ended: into the queues, in the transaction that `store` has begun; notifier_wake is
 * to be called after it. An output is not told of its own issue. */
void notifier_health(struct notifier *notifier, struct store *store, const struct health_issue *issue,
                     bool raised, int64_t now);
void notifier_wake(struct notifier *notifier);

struct notify_status {
    char name[NOTIFY_NAME_MAX];
    uint64_t sent, failed, refused, dropped; /* since the start */
    bool working;                            /* the last one went out, or none was tried */
};
/* False past the last. */
bool notifier_status(struct notifier *notifier, unsigned index, struct notify_status *status);

/* How long to wait after so many failures, at least half and at most all of what doubling gives. Pure. */
int64_t notify_backoff(unsigned failures, int64_t first, int64_t most, uint64_t random);
