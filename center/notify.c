/* SPDX-License-Identifier: Apache-2.0 */
#include "center/notify.h"

#include "base/hash_table.h"
#include "base/log.h"
#include "base/msgpack.h"
#include "base/text.h"
#include "base/thread.h"
#include "center/store_queue.h"
#include "cluster/crypto_sodium.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONTENT_VERSION 1u
#define CONTENT_MAX     2048u
#define TOLD_MAX        65536u
#define REFUSALS_MAX    5u /* then it is given up */
#define LOOK_EVERY      (10 * CLOCK_SECOND)

enum content_kind { CONTENT_ALERT, CONTENT_HEALTH };

/* What stands in the queue. */
struct content {
    enum content_kind kind;
    char trigger[24];
    int64_t at;
    uint8_t id[16];
    struct health_issue issue;
};

struct output_set;

struct output {
    struct notifier *notifier;
    const struct output_set *set;
    char name[NOTIFY_NAME_MAX], queue[NOTIFY_NAME_MAX + 8];
    struct notify_output to;
    enum severity least;
    struct store *store;
    pthread_t thread;
    bool running;
    unsigned failures;    /* in a row */
    int64_t next_attempt; /* wall */
    bool troubled;
    /* Under the notifier's lock: */
    bool woken;
    struct notify_status status;
};

/* Outputs that were configured together, and end together. */
struct output_set {
    struct notify_common common;
    char *portal;
    atomic_bool ending;
    unsigned count;
    struct output outputs[NOTIFY_OUTPUTS_MAX];
};

struct notifier {
    struct notifier_config config;
    char *store;
    char host[256];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct hash_table
        *told; /* alert's id: when its next notice of repeats is due, or its last one was (wall) */
    pthread_rwlock_t turning;  /* of the pointer to those in use: outputs are told under it */
    struct output_set *set;    /* in use */
    struct output_set *making; /* gets what is configured: the one in use before it is started */
};

int64_t notify_backoff(unsigned failures, int64_t first, int64_t most, uint64_t random)
{
    int64_t wait = first < most ? first : most;
    for (unsigned i = 1; i < failures && wait < most; i++)
        wait = wait > most / 2 ? most : wait * 2;
    return wait / 2 + (int64_t)(random % (uint64_t)(wait - wait / 2 + 1));
}

/* --- what stands in the queue --- */

static void put_text(struct msgpack_writer *w, const char *text)
{
    msgpack_put_string(w, text, strlen(text));
}

static struct bytes encode_alert(const struct stored_alert *alert, enum alert_trigger trigger, int64_t now,
                                 uint8_t to[CONTENT_MAX])
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, to, CONTENT_MAX);
    msgpack_put_array(&w, 5);
    msgpack_put_uint(&w, CONTENT_VERSION);
    msgpack_put_uint(&w, CONTENT_ALERT);
    put_text(&w, alert_trigger_name(trigger));
    msgpack_put_int(&w, now);
    msgpack_put_binary(&w, alert->alert.id, sizeof(alert->alert.id));
    return (struct bytes){to, w.size};
}

static struct bytes encode_issue(const struct health_issue *issue, bool raised, int64_t now,
                                 uint8_t to[CONTENT_MAX])
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, to, CONTENT_MAX);
    msgpack_put_array(&w, 9);
    msgpack_put_uint(&w, CONTENT_VERSION);
    msgpack_put_uint(&w, CONTENT_HEALTH);
    put_text(&w, raised ? "new" : "closed");
    msgpack_put_int(&w, now);
    msgpack_put_uint(&w, issue->kind->number);
    put_text(&w, issue->subject);
    put_text(&w, issue->text);
    msgpack_put_int(&w, issue->since);
    msgpack_put_uint(&w, issue->severity);
    return (struct bytes){to, w.size};
}

static bool decode_content(struct bytes bytes, struct content *to)
{
    struct cursor c = cursor_of_bytes(bytes);
    *to = (struct content){.kind = CONTENT_ALERT};
    uint32_t items = msgpack_take_array(&c, 5, UINT32_MAX);
    if (msgpack_take_uint(&c, UINT64_MAX) != CONTENT_VERSION)
        return false;
    uint64_t kind = msgpack_take_uint(&c, UINT64_MAX);
    msgpack_take_text(&c, to->trigger, sizeof(to->trigger));
    to->at = msgpack_take_int(&c);
    if (kind == CONTENT_ALERT) {
        msgpack_take_binary(&c, to->id, sizeof(to->id));
        return !c.failed;
    }
    to->kind = CONTENT_HEALTH;
    to->issue.kind = health_kind((unsigned)msgpack_take_uint(&c, UINT32_MAX));
    msgpack_take_text(&c, to->issue.subject, sizeof(to->issue.subject));
    msgpack_take_text(&c, to->issue.text, sizeof(to->issue.text));
    to->issue.since = msgpack_take_int(&c);
    if (kind != CONTENT_HEALTH || !to->issue.kind || c.failed)
        return false;
    to->issue.severity = to->issue.kind->severity; /* of an earlier version, which had no other */
    if (items > 8)
        to->issue.severity = (enum health_severity)msgpack_take_uint(&c, HEALTH_HIGH);
    return !c.failed;
}

/* --- into the queues --- */

static void enqueue(struct output *output, struct store *store, uint64_t workspace, int64_t due,
                    struct bytes content)
{
    uint32_t dropped = 0;
    store_queue_put(store, output->queue, workspace, due, content, NOTIFY_QUEUE_MAX, &dropped);
    pthread_mutex_lock(&output->notifier->lock);
    output->status.dropped += dropped;
    pthread_mutex_unlock(&output->notifier->lock);
}

/* When an alert's notice is due; INT64_MAX: one that tells the same waits already. */
static int64_t due_at(struct notifier *self, const uint8_t id[16], enum alert_trigger trigger, int64_t now)
{
    if (trigger != ALERT_UPDATED)
        return now;
    pthread_mutex_lock(&self->lock);
    const int64_t *told = hash_table_find(self->told, id);
    int64_t last = told ? *told : now - self->config.update_every;
    pthread_mutex_unlock(&self->lock);
    if (last > now)
        return INT64_MAX;
    int64_t due = last + self->config.update_every;
    return due > now ? due : now;
}

static void on_changing(void *context, struct store *store, const struct stored_alert *alert,
                        enum alert_trigger trigger, int64_t now)
{
    struct notifier *self = context;
    uint8_t buffer[CONTENT_MAX];
    int64_t due = due_at(self, alert->alert.id, trigger, now);
    if (due == INT64_MAX)
        return;
    struct bytes content = encode_alert(alert, trigger, now, buffer);
    pthread_rwlock_rdlock(&self->turning);
    for (unsigned i = 0; i < self->set->count; i++)
        if (alert->alert.severity >= self->set->outputs[i].least)
            enqueue(&self->set->outputs[i], store, alert->workspace, due, content);
    pthread_rwlock_unlock(&self->turning);
}

static bool still_counts(void *context, const void *key, void *value)
{
    const struct notifier *self = context;
    const int64_t *told = value;
    (void)key;
    return *told > clock_wall(clock_system()) - self->config.update_every;
}

static void on_changed(void *context, const struct stored_alert *alert, enum alert_trigger trigger)
{
    struct notifier *self = context;
    int64_t due = due_at(self, alert->alert.id, trigger, alert->changed);
    if (due != INT64_MAX) {
        pthread_mutex_lock(&self->lock);
        if (hash_table_count(self->told) == TOLD_MAX &&
            hash_table_retain(self->told, still_counts, self) == 0)
            hash_table_clear(self->told); /* then repeats are told once more often */
        int64_t *told = hash_table_insert(self->told, alert->alert.id, NULL);
        if (told)
            *told = due;
        pthread_mutex_unlock(&self->lock);
    }
    notifier_wake(self);
}

struct alert_listener notifier_listener(struct notifier *notifier)
{
    return (struct alert_listener){.changing = on_changing, .changed = on_changed, .context = notifier};
}

void notifier_health(struct notifier *self, struct store *store, const struct health_issue *issue,
                     bool raised, int64_t now)
{
    static const enum severity severities[] = {SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH};
    uint8_t buffer[CONTENT_MAX];
    struct bytes content = encode_issue(issue, raised, now, buffer);
    pthread_rwlock_rdlock(&self->turning);
    for (unsigned i = 0; i < self->set->count; i++) {
        struct output *output = &self->set->outputs[i];
        bool own = issue->kind->number == output->to.issue && strcmp(issue->subject, output->name) == 0;
        if (!own && severities[issue->severity] >= output->least)
            enqueue(output, store, 0, now, content);
    }
    pthread_rwlock_unlock(&self->turning);
}

static void wake_set(struct notifier *self, struct output_set *set)
{
    pthread_mutex_lock(&self->lock);
    for (unsigned i = 0; i < set->count; i++)
        set->outputs[i].woken = true;
    pthread_cond_broadcast(&self->wake);
    pthread_mutex_unlock(&self->lock);
}

void notifier_wake(struct notifier *self)
{
    pthread_rwlock_rdlock(&self->turning);
    wake_set(self, self->set);
    pthread_rwlock_unlock(&self->turning);
}

/* --- out of them --- */

struct taken {
    int64_t id, added;
    uint64_t workspace;
    uint32_t attempts;
    bool whole;
    struct content content;
};

static bool take_item(void *context, const struct queue_item *item)
{
    struct taken *taken = context;
    *taken = (struct taken){
        .id = item->id, .added = item->added, .workspace = item->workspace, .attempts = item->attempts};
    taken->whole = decode_content(item->content, &taken->content);
    return false;
}

static void count_result(struct output *output, enum notify_result result, bool given_up)
{
    pthread_mutex_lock(&output->notifier->lock);
    output->status.sent += result == NOTIFY_SENT;
    output->status.failed += result == NOTIFY_FAILED;
    output->status.refused += given_up;
    output->status.working = result != NOTIFY_FAILED;
    pthread_mutex_unlock(&output->notifier->lock);
}

static void trouble(struct output *output, const char *detail)
{
    const struct notifier_config *config = &output->notifier->config;
    if (!detail && !output->troubled)
        return;
    output->troubled = detail != NULL;
    if (config->trouble)
        config->trouble(config->context, output->to.issue, output->name, detail);
}

static int64_t backoff(const struct output *output, unsigned failures)
{
    uint64_t random;
    crypto_random(&random, sizeof(random));
    return notify_backoff(failures, output->notifier->config.first_retry, output->notifier->config.last_retry,
                          random);
}

static enum notify_result tell(struct output *output, const struct taken *taken, struct stored_alert *alert,
                               struct fault *fault)
{
    static const enum severity severities[] = {SEVERITY_LOW, SEVERITY_MEDIUM, SEVERITY_HIGH};
    struct notice notice = {.trigger = taken->content.trigger,
                            .at = taken->content.at,
                            .workspace = taken->workspace,
                            .number = taken->id};
    if (taken->content.kind == CONTENT_HEALTH) {
        notice.issue = &taken->content.issue;
        notice.severity = severities[notice.issue->severity];
    } else {
        if (!store_alert_get(output->store, taken->workspace, taken->content.id, alert))
            return NOTIFY_SENT; /* retention took it meanwhile */
        notice.alert = alert;
        notice.severity = alert->alert.severity;
    }
    return output->to.send(output->to.self, &notice, fault);
}

static void say_failure(struct output *output, const char *reason)
{
    char detail[HEALTH_TEXT_SIZE];
    pthread_mutex_lock(&output->notifier->lock);
    uint64_t dropped = output->status.dropped;
    pthread_mutex_unlock(&output->notifier->lock);
    uint64_t waiting = store_queue_count(output->store, output->queue);
    int n = snprintf(detail, sizeof(detail), "%.200s; %llu wait", reason, (unsigned long long)waiting);
    if (dropped && n > 0 && (size_t)n < sizeof(detail))
        snprintf(detail + n, sizeof(detail) - (size_t)n, ", %llu were dropped", (unsigned long long)dropped);
    trouble(output, detail);
}

/* One notice and what came of it. */
static void handle(struct output *output, const struct taken *taken, struct stored_alert *alert, int64_t now)
{
    struct fault fault = {.text = "it failed"};
    enum notify_result result = taken->whole ? tell(output, taken, alert, &fault) : NOTIFY_SENT;
    bool given_up = result == NOTIFY_REFUSED && taken->attempts + 1 >= REFUSALS_MAX;
    count_result(output, result, given_up);
    if (given_up)
        log_warning("%s does not take a notice, it is given up: %s", output->name, fault.text);
    if (result == NOTIFY_SENT || given_up)
        store_queue_done(output->store, taken->id);
    else
        store_queue_retry(
            output->store, taken->id,
            now + backoff(output, result == NOTIFY_REFUSED ? taken->attempts + 1 : output->failures + 1));
    if (result == NOTIFY_FAILED) {
        output->failures++;
        output->next_attempt = now + backoff(output, output->failures);
        say_failure(output, fault.text);
        return;
    }
    output->failures = 0;
    trouble(output, NULL);
}

/* Until when to sleep: a wall time. */
static int64_t work(struct output *output, struct stored_alert *alert)
{
    const struct notifier *self = output->notifier;
    while (!atomic_load(&output->set->ending)) {
        struct taken taken;
        int64_t now = clock_wall(clock_system());
        if (output->failures && now < output->next_attempt &&
            output->next_attempt - now <= self->config.last_retry)
            return output->next_attempt;
        if (store_queue_due(output->store, output->queue, now, 1, take_item, &taken) == 0)
            return store_failed(output->store) ? now + CLOCK_SECOND
                                               : store_queue_next(output->store, output->queue);
        handle(output, &taken, alert, now);
        if (store_failed(output->store)) {
            log_warning("the queue of %s: %s", output->name, store_fault(output->store));
            return now + CLOCK_SECOND;
        }
    }
    return 0;
}

/* `until`: wall; LOOK_EVERY at most, should the wall clock be set. */
static void sleep_until(struct output *output, int64_t until)
{
    struct notifier *self = output->notifier;
    struct timespec at;
    int64_t left = until == INT64_MAX ? LOOK_EVERY : until - clock_wall(clock_system());
    left = left < CLOCK_MILLISECOND ? CLOCK_MILLISECOND : left > LOOK_EVERY ? LOOK_EVERY : left;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t end = at.tv_sec * CLOCK_SECOND + at.tv_nsec + left;
    at = (struct timespec){.tv_sec = end / CLOCK_SECOND, .tv_nsec = end % CLOCK_SECOND};
    pthread_mutex_lock(&self->lock);
    while (!output->woken && !atomic_load(&output->set->ending) &&
           pthread_cond_timedwait(&self->wake, &self->lock, &at) != ETIMEDOUT)
        ;
    output->woken = false;
    pthread_mutex_unlock(&self->lock);
}

static void *run(void *context)
{
    struct output *output = context;
    struct stored_alert *alert = calloc(1, sizeof(*alert));
    while (alert && !atomic_load(&output->set->ending))
        sleep_until(output, work(output, alert));
    free(alert);
    return NULL;
}

/* --- sets of outputs --- */

static struct output_set *set_new(struct notifier *self)
{
    struct output_set *set = calloc(1, sizeof(*set));
    if (set)
        set->common = (struct notify_common){
            .host = self->host, .ending = &set->ending, .timeout = self->config.timeout};
    return set;
}

static bool set_open(struct notifier *self, struct output_set *set, struct fault *fault)
{
    for (unsigned i = 0; i < set->count; i++) {
        set->outputs[i].store = store_open(self->store, STORE_PIPELINE, fault);
        if (!set->outputs[i].store)
            return false;
    }
    return true;
}

static bool set_start(struct output_set *set, struct fault *fault)
{
    for (unsigned i = 0; i < set->count; i++) {
        struct output *output = &set->outputs[i];
        output->running = thread_start(&output->thread, "notify", run, output);
        if (!output->running)
            return fault_say(fault, "no thread for notifications: %s", strerror(errno));
    }
    return true;
}

/* What an output is at it gives up; it stands in the queue. */
static void set_stop(struct notifier *self, struct output_set *set)
{
    atomic_store(&set->ending, true);
    wake_set(self, set);
    for (unsigned i = 0; i < set->count; i++)
        if (set->outputs[i].running)
            pthread_join(set->outputs[i].thread, NULL);
}

/* A stopped one. */
static void set_destroy(struct output_set **of)
{
    struct output_set *set = *of;
    for (unsigned i = 0; set && i < set->count; i++) {
        set->outputs[i].to.destroy(set->outputs[i].to.self);
        store_close(&set->outputs[i].store);
    }
    if (set)
        free(set->portal);
    free(set);
    *of = NULL;
}

/* --- its life --- */

static void init_locks(struct notifier *self)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_rwlock_init(&self->turning, NULL);
}

static void set_defaults(struct notifier_config *config)
{
    if (!config->first_retry)
        config->first_retry = 5 * CLOCK_SECOND;
    if (!config->last_retry)
        config->last_retry = 5 * CLOCK_MINUTE;
    if (!config->update_every)
        config->update_every = 10 * CLOCK_MINUTE;
}

struct notifier *notifier_new(const struct notifier_config *config, struct fault *fault)
{
    uint64_t seed;
    struct notifier *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "no memory for notifications");
        return NULL;
    }
    init_locks(self);
    crypto_random(&seed, sizeof(seed));
    self->config = *config;
    set_defaults(&self->config);
    self->store = strdup(config->store);
    self->told = hash_table_new(TOLD_MAX, 16, sizeof(int64_t), seed);
    if (gethostname(self->host, sizeof(self->host) - 1) != 0)
        snprintf(self->host, sizeof(self->host), "picket");
    self->set = self->making = set_new(self);
    if (!self->store || !self->told || !self->set) {
        fault_say(fault, "no memory for notifications");
        notifier_destroy(&self);
    }
    return self;
}

bool notifier_set_portal(struct notifier *self, const char *url, struct fault *fault)
{
    struct output_set *set = self->making;
    size_t size = url ? strlen(url) : 0;
    if (size == 0)
        return true;
    free(set->portal);
    set->portal = strndup(url, url[size - 1] == '/' ? size - 1 : size);
    set->common.portal = set->portal;
    return set->portal || fault_say(fault, "no memory for notifications");
}

const struct notify_common *notifier_common(const struct notifier *notifier)
{
    return &notifier->making->common;
}

bool notifier_add(struct notifier *self, const char *name, struct notify_output output, enum severity least,
                  struct fault *fault)
{
    struct output_set *set = self->making;
    if (set->count == NOTIFY_OUTPUTS_MAX || strlen(name) >= NOTIFY_NAME_MAX) {
        output.destroy(output.self);
        return fault_say(fault, "%.60s: too many outputs, or too long a name", name);
    }
    struct output *to = &set->outputs[set->count++];
    *to = (struct output){
        .notifier = self, .set = set, .to = output, .least = least, .status = {.working = true}};
    snprintf(to->name, sizeof(to->name), "%s", name);
    snprintf(to->queue, sizeof(to->queue), "notify/%s", name);
    snprintf(to->status.name, sizeof(to->status.name), "%s", name);
    return true;
}

bool notifier_start(struct notifier *self, struct fault *fault)
{
    return set_open(self, self->set, fault) && set_start(self->set, fault);
}

/* The counts of an output that stays go on. */
static void carry_counts(struct output_set *to, const struct output_set *from)
{
    for (unsigned i = 0; i < to->count; i++)
        for (unsigned k = 0; k < from->count; k++)
            if (strcmp(to->outputs[i].name, from->outputs[k].name) == 0)
                to->outputs[i].status = from->outputs[k].status;
}

/* From here on the new ones are told; the threads of the old ones have ended. */
static void turn_over(struct notifier *self)
{
    struct output_set *before = self->set;
    pthread_rwlock_wrlock(&self->turning);
    carry_counts(self->making, before);
    self->set = self->making;
    pthread_rwlock_unlock(&self->turning);
    for (unsigned i = 0; i < before->count; i++)
        trouble(&before->outputs[i], NULL); /* if it still is, the new one tells it */
    set_destroy(&before);
}

bool notifier_reload(struct notifier *self, const struct config *config, struct fault *fault)
{
    struct output_set *fresh = self->making = set_new(self);
    bool fine = (fresh || fault_say(fault, "no memory for notifications")) &&
                notifier_configure(self, config, fault) && set_open(self, fresh, fault);
    if (!fine) {
        set_destroy(&fresh);
        self->making = self->set;
        return false;
    }
    set_stop(self, self->set);
    turn_over(self);
    if (!set_start(self->set, fault)) /* what waits is kept; the next time may do */
        log_error("%s", fault->text);
    return true;
}

void notifier_destroy(struct notifier **notifier)
{
    struct notifier *self = *notifier;
    if (!self)
        return;
    if (self->set)
        set_stop(self, self->set);
    set_destroy(&self->set);
    if (self->told)
        hash_table_destroy(&self->told);
    pthread_rwlock_destroy(&self->turning);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    free(self->store);
    free(self);
    *notifier = NULL;
}

bool notifier_status(struct notifier *self, unsigned index, struct notify_status *status)
{
    pthread_rwlock_rdlock(&self->turning);
    bool there = index < self->set->count;
    if (there) {
        pthread_mutex_lock(&self->lock);
        *status = self->set->outputs[index].status;
        pthread_mutex_unlock(&self->lock);
    }
    pthread_rwlock_unlock(&self->turning);
    return there;
}
