/* SPDX-License-Identifier: Apache-2.0 */
#include "node/directory_service.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "node/entity_names.h"
#include "node/sync_report.h"
#include "node/view_entity.h"
#include "node/view_internal.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define REPORT_PERIOD (30 * CLOCK_SECOND) /* between two reports of a domain that say nothing new */
#define REPORT_SHORTEST                                                                                      \
    (5 * CLOCK_SECOND)                   /* and when a pass begins or ends, or a directory comes or goes     \
                                          */
#define TELL_PERIOD  (60 * CLOCK_SECOND) /* between two tellings of who a domain controller is */
#define HEALTH_MAX   32u
#define WATCHED_MAX  32u
#define WATCH_PERIOD (60 * CLOCK_SECOND)

/* What is told of a domain, and when it was told last. */
struct standing {
    char domain[DOMAIN_MAX_SIZE];
    struct directory_progress progress;
    uint8_t resume[SYNC_RESUME_MAX];
    size_t resume_size;
    int64_t reported;              /* mono; 0: never */
    int64_t told;                  /* likewise: to the resolver, who its controller is */
    bool was_passing, was_reached; /* as reported */
    bool held;
};

/* Names that people asked for, until they are told. */
enum watch_state { WATCH_FREE, WATCH_WAITING, WATCH_ANSWERED };
struct watched {
    enum watch_state state;
    int64_t since;
    struct lookup_key key;
};

struct directory_service {
    const struct node_config *config;
    struct directory *directory;
    struct spool *spool;
    struct yielding *yielding;
    struct cluster_driver *driver;
    struct mailbox *mailbox;
    int stop_descriptor;
    pthread_t thread;
    bool started;
    struct entity_store_read *read; /* the thread's own */

    pthread_mutex_t lock; /* guards what follows */
    struct standing standings[DIRECTORY_DOMAINS_MAX];
    unsigned standing_count;
    struct directory_health health[HEALTH_MAX];
    unsigned health_count;
    struct watched watched[WATCHED_MAX];
    struct resolution *resolution; /* NULL: nobody resolves activities */
    struct view_synchronizer synchronizers[DIRECTORY_DOMAINS_MAX];
    unsigned synchronizer_count;
};

static struct standing *standing_of(struct directory_service *self, const char *domain)
{
    for (unsigned i = 0; i < self->standing_count; i++)
        if (strcmp(self->standings[i].domain, domain) == 0)
            return &self->standings[i];
    return NULL;
}

/* --- what the directory tells, on its threads --- */

static bool hear_batch(void *context, const struct sync_token *token, uint64_t sequence, struct bytes batch)
{
    struct directory_service *self = context;
    enum spool_verdict verdict =
        spool_append(self->spool, SPOOL_ENTITIES, clock_wall(clock_system()), batch, true);
    if (verdict != SPOOL_KEPT)
        log_warning("%s: a batch of entities (%llu) cannot be kept: %s", token->domain,
                    (unsigned long long)sequence, verdict == SPOOL_FULL ? "the spool is full" : "disk");
    return verdict == SPOOL_KEPT;
}

/* A report on its way to the driver. */
struct report_mail {
    struct mail mail;
    char domain[DOMAIN_MAX_SIZE];
    size_t size;
    uint8_t data[REPORT_DATA_MAX];
};

static void issue_report(struct mail *mail, void *owner)
{
    struct report_mail *report = (struct report_mail *)mail;
    struct cluster_driver *driver = owner;
    if (driver) {
        struct cluster_event event = {.type = CLUSTER_REPORT};
        event.report.domain = report->domain;
        event.report.data = (struct bytes){report->data, report->size};
        cluster_driver_step(driver, &event);
    }
    free(report);
}

static bool due(const struct standing *standing, int64_t now)
{
    if (!standing->held)
        return false;
    bool changed = standing->progress.passing != standing->was_passing ||
                   standing->progress.reachable != standing->was_reached;
    return standing->reported == 0 || now - standing->reported >= (changed ? REPORT_SHORTEST : REPORT_PERIOD);
}

static uint64_t sum_of(const struct entity_counts *counts)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < ENTITY_KINDS; i++)
        sum += counts->kinds[i];
    return sum;
}

/* NULL: nothing is to be told now. */
static struct report_mail *make_report(struct standing *standing, int64_t now)
{
    struct report_mail *mail = due(standing, now) ? calloc(1, sizeof(*mail)) : NULL;
    if (!mail)
        return NULL;
    struct sync_report report = {.progress = standing->progress,
                                 .objects = sum_of(&standing->progress.counts),
                                 .resume = {standing->resume, standing->resume_size}};
    mail->mail.run = issue_report;
    memcpy(mail->domain, standing->domain, sizeof(mail->domain));
    mail->size = sync_report_write(mail->data, &report);
    standing->reported = now;
    standing->was_passing = standing->progress.passing;
    standing->was_reached = standing->progress.reachable;
    return mail;
}

/* The resolver need not find out whom the node itself talks to. */
static bool must_tell(struct standing *standing, int64_t now)
{
    if (!standing->progress.controller[0] || !standing->progress.address.family ||
        (standing->told && now - standing->told < TELL_PERIOD))
        return false;
    standing->told = now;
    return true;
}

static void hear_progress(void *context, const struct directory_progress *progress)
{
    struct directory_service *self = context;
    struct report_mail *mail = NULL;
    pthread_mutex_lock(&self->lock);
    struct standing *standing = standing_of(self, progress->domain);
    struct resolution *resolution = NULL;
    if (standing) {
        int64_t now = clock_monotonic(clock_system());
        standing->told =
            strcmp(standing->progress.controller, progress->controller) == 0 ? standing->told : 0;
        standing->progress = *progress;
        mail = make_report(standing, now);
        resolution = self->resolution && must_tell(standing, now) ? self->resolution : NULL;
    }
    pthread_mutex_unlock(&self->lock);
    if (resolution)
        resolution_tell(resolution, &progress->address, progress->controller, progress->domain,
                        RESOLVER_CONFIGURED);
    if (mail && (mail->size == 0 || !cluster_driver_post(self->driver, &mail->mail)))
        free(mail);
}

static void hear_resume_point(void *context, const char *domain, struct bytes point)
{
    struct directory_service *self = context;
    pthread_mutex_lock(&self->lock);
    struct standing *standing = standing_of(self, domain);
    if (standing && point.size <= sizeof(standing->resume)) {
        memcpy(standing->resume, point.data, point.size);
        standing->resume_size = point.size;
    }
    pthread_mutex_unlock(&self->lock);
}

static void set_health(struct directory_service *self, const char *domain, enum directory_issue issue,
                       bool raised, const char *text)
{
    unsigned i = 0;
    while (i < self->health_count &&
           (self->health[i].issue != issue || strcmp(self->health[i].domain, domain) != 0))
        i++;
    if (!raised) {
        if (i < self->health_count)
            self->health[i] = self->health[--self->health_count];
        return;
    }
    if (i == HEALTH_MAX)
        return;
    struct directory_health *health = &self->health[i];
    if (i == self->health_count)
        self->health_count++;
    health->issue = issue;
    snprintf(health->domain, sizeof(health->domain), "%s", domain);
    snprintf(health->text, sizeof(health->text), "%s", text);
}

static void hear_health(void *context, const char *domain, enum directory_issue issue, bool raised,
                        const char *text)
{
    struct directory_service *self = context;
    if (raised)
        log_warning("%s: %s: %s", domain, directory_issue_name(issue), text);
    else
        log_notice("%s: %s: over", domain, directory_issue_name(issue));
    pthread_mutex_lock(&self->lock);
    set_health(self, domain, issue, raised, text);
    pthread_mutex_unlock(&self->lock);
}

static bool same_key(const struct lookup_key *a, const struct lookup_key *b)
{
    return a->kind == b->kind && a->size == b->size && memcmp(a->value, b->value, a->size) == 0;
}

static void hear_looked_up(void *context, const struct lookup_key *key, const struct guid *found)
{
    struct directory_service *self = context;
    (void)found; /* who waits finds it in the store, or does not */
    pthread_mutex_lock(&self->lock);
    for (unsigned i = 0; i < WATCHED_MAX; i++)
        if (self->watched[i].state == WATCH_WAITING && same_key(&self->watched[i].key, key))
            self->watched[i].state = WATCH_ANSWERED;
    struct resolution *resolution = self->resolution;
    pthread_mutex_unlock(&self->lock);
    if (resolution)
        resolution_looked_up(resolution, key);
}

void directory_service_tell(struct directory_service *self, struct resolution *resolution)
{
    pthread_mutex_lock(&self->lock);
    self->resolution = resolution;
    pthread_mutex_unlock(&self->lock);
}

/* --- the thread that answers --- */

static void *answer_questions(void *context)
{
    struct directory_service *self = context;
    for (;;) {
        struct pollfd fds[] = {
            {.fd = mailbox_descriptor(self->mailbox), .events = POLLIN},
            {.fd = self->stop_descriptor, .events = POLLIN},
        };
        poll(fds, 2, -1);
        if (fds[1].revents)
            return NULL;
        mailbox_run(self->mailbox, self);
    }
}

bool directory_service_post(struct directory_service *self, struct mail *job)
{
    return mailbox_post(self->mailbox, job);
}

/* The snapshot of this thread, as new as can be. */
static struct entity_store_read *snapshot(struct directory_service *self)
{
    struct fault fault;
    if (self->read && entity_store_read_renew(self->read))
        return self->read;
    if (!self->read)
        self->read = entity_store_read_open(directory_store(self->directory), &fault);
    return self->read;
}

static unsigned copy_synchronizers(struct directory_service *self,
                                   struct view_synchronizer to[DIRECTORY_DOMAINS_MAX])
{
    pthread_mutex_lock(&self->lock);
    unsigned count = self->synchronizer_count;
    memcpy(to, self->synchronizers, count * sizeof(*to));
    pthread_mutex_unlock(&self->lock);
    return count;
}

static struct watched *watched_for(struct directory_service *self, const struct lookup_key *key)
{
    struct watched *oldest = &self->watched[0];
    for (unsigned i = 0; i < WATCHED_MAX; i++) {
        struct watched *watched = &self->watched[i];
        if (watched->state != WATCH_FREE && same_key(&watched->key, key))
            return watched;
        if (watched->since < oldest->since)
            oldest = watched;
    }
    *oldest = (struct watched){.key = *key};
    return oldest;
}

/* Asks for a key, or tells how it stands with an earlier asking; an answer is told once, then the next
 * request asks anew. True: no answer yet. */
static bool still_waiting(struct directory_service *self, const struct lookup_key *key)
{
    int64_t now = clock_monotonic(clock_system());
    pthread_mutex_lock(&self->lock);
    struct watched *watched = watched_for(self, key);
    bool fresh = watched->state == WATCH_FREE, waiting = watched->state == WATCH_WAITING;
    if (fresh) {
        watched->state = WATCH_WAITING;
        watched->since = now;
    } else if (!waiting || now - watched->since > WATCH_PERIOD) {
        *watched = (struct watched){0};
        waiting = false;
    }
    pthread_mutex_unlock(&self->lock);
    if (!fresh)
        return waiting;
    if (directory_look_up(self->directory, key, LOOKUP_PERSON))
        return true;
    hear_looked_up(self, key, NULL); /* in vain lately, or too much is asked: no answer will come */
    return still_waiting(self, key);
}

/* A look-up that somebody forces: in every domain that is read here. */
static void force_look_up(struct directory_service *self, const struct control_request *request,
                          struct json_writer *w)
{
    struct lookup_key keys[ENTITY_NAME_KEYS];
    unsigned count = entity_name_keys(request->name, keys), waiting = 0;
    for (unsigned i = 0; i < count; i++)
        waiting += still_waiting(self, &keys[i]);
    json_write_object(w, NULL);
    json_write_int(w, "schema", 1);
    json_write_uint(w, "keys", count);
    json_write_bool(w, "waiting", waiting > 0);
    json_write_close(w);
}

void directory_service_answer(struct directory_service *self, const struct control_request *request,
                              struct json_writer *w)
{
    struct view_synchronizer synchronizers[DIRECTORY_DOMAINS_MAX];
    struct entity_store_read *read = snapshot(self);
    struct view_entity_source source = {
        .node = self->config->name,
        .wall = clock_wall(clock_system()) / CLOCK_MILLISECOND,
        .read = read,
        .spool = self->spool,
        .synchronizers = synchronizers,
        .synchronizer_count = copy_synchronizers(self, synchronizers),
    };
    if (!read)
        view_refuse(w, "failed", "the store of entities cannot be read");
    else if (request->verb == CONTROL_LOOKUP)
        force_look_up(self, request, w);
    else
        view_entity_answer(w, request, &source);
    if (read)
        entity_store_read_rest(read); /* a snapshot that is kept holds back the re-use of pages */
}

/* --- a life --- */

static bool open_directory(struct directory_service *self, struct fault *fault)
{
    const struct directory_callbacks callbacks = {
        .batch = hear_batch,
        .progress = hear_progress,
        .resume_point = hear_resume_point,
        .health = hear_health,
        .looked_up = hear_looked_up,
        .context = self,
    };
    struct directory_config config = self->config->directory;
    config.yielding = self->yielding;
    self->directory = directory_new(&config, &callbacks, fault);
    return self->directory != NULL;
}

struct directory_service *directory_service_new(const struct node_config *config, struct spool *spool,
                                                struct yielding *yielding, struct fault *fault)
{
    struct directory_service *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    self->config = config;
    self->spool = spool;
    self->yielding = yielding;
    self->stop_descriptor = -1;
    pthread_mutex_init(&self->lock, NULL);
    for (unsigned i = 0; i < config->directory.domain_count; i++) {
        struct standing *standing = &self->standings[self->standing_count++];
        snprintf(standing->domain, sizeof(standing->domain), "%s", config->directory.domains[i].domain);
    }
    self->mailbox = mailbox_new();
    self->stop_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!self->mailbox || self->stop_descriptor < 0)
        fault_say(fault, "out of memory or descriptors");
    else if (open_directory(self, fault))
        return self;
    directory_service_destroy(&self);
    return NULL;
}

bool directory_service_start(struct directory_service *self, struct cluster_driver *driver,
                             struct fault *fault)
{
    self->driver = driver;
    if (!thread_start(&self->thread, "questions", answer_questions, self))
        return fault_say(fault, "no thread for questions about the directory");
    self->started = true;
    return directory_start(self->directory, fault);
}

void directory_service_stop(struct directory_service *self)
{
    uint64_t one = 1;
    directory_stop(self->directory);
    mailbox_close(self->mailbox);
    if (self->started && write(self->stop_descriptor, &one, sizeof(one)) == (ssize_t)sizeof(one))
        pthread_join(self->thread, NULL);
    self->started = false;
    entity_store_read_close(&self->read);
}

void directory_service_destroy(struct directory_service **self_p)
{
    struct directory_service *self = *self_p;
    if (!self)
        return;
    directory_destroy(&self->directory);
    if (self->mailbox)
        mailbox_destroy(&self->mailbox);
    if (self->stop_descriptor >= 0)
        close(self->stop_descriptor);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

/* --- what the fleet wants --- */

static void set_held(struct directory_service *self, const char *domain, bool held)
{
    pthread_mutex_lock(&self->lock);
    struct standing *standing = standing_of(self, domain);
    if (standing) {
        standing->held = held;
        standing->reported = 0;
    }
    pthread_mutex_unlock(&self->lock);
}

void directory_service_hold(struct directory_service *self, const struct claim *claim, struct cluster *core)
{
    struct cluster_report_view view;
    struct sync_report report;
    struct bytes resume = {NULL, 0};
    struct sync_token token = {.term = claim->term, .draw = claim->draw, .incarnation = claim->incarnation};
    _Static_assert(sizeof(token.domain) >= DOMAIN_MAX_SIZE, "a domain's name fits");
    _Static_assert(sizeof(token.node) == NODE_ID_SIZE, "a node's id fits");
    memcpy(token.domain, claim->domain, DOMAIN_MAX_SIZE);
    memcpy(token.node, claim->id.bytes, NODE_ID_SIZE);
    if (cluster_report(core, claim->domain, &view) && sync_report_read(&report, view.data))
        resume = report.resume;
    set_held(self, claim->domain, true);
    directory_synchronize(self->directory, &token, resume);
}

void directory_service_desist(struct directory_service *self, const char *domain)
{
    directory_desist(self->directory, domain);
    set_held(self, domain, false);
}

bool directory_service_reads(const struct directory_service *self, const char *domain)
{
    for (unsigned i = 0; i < self->standing_count; i++) /* the names never change */
        if (strcmp(self->standings[i].domain, domain) == 0)
            return true;
    return false;
}

bool directory_service_reachable(struct directory_service *self, const char *domain)
{
    return directory_reachable(self->directory, domain);
}

void directory_service_observe(struct directory_service *self, struct cluster *core)
{
    struct view_synchronizer seen[DIRECTORY_DOMAINS_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < self->standing_count; i++) {
        struct cluster_domain_view domain;
        struct view_synchronizer *to = &seen[count++];
        *to = (struct view_synchronizer){0};
        memcpy(to->domain, self->standings[i].domain, sizeof(to->domain));
        if (!cluster_domain_find(core, to->domain, &domain))
            continue;
        to->here = domain.state == ELECTION_ACTIVE;
        to->fresh = domain.fresh;
        if (domain.has_claim)
            view_name(core, &domain.claim.id, to->name);
    }
    pthread_mutex_lock(&self->lock);
    memcpy(self->synchronizers, seen, sizeof(seen));
    self->synchronizer_count = count;
    pthread_mutex_unlock(&self->lock);
}

struct directory *directory_service_directory(struct directory_service *self)
{
    return self->directory;
}

bool directory_service_health(struct directory_service *self, unsigned i, struct directory_health *health)
{
    pthread_mutex_lock(&self->lock);
    bool there = i < self->health_count;
    if (there)
        *health = self->health[i];
    pthread_mutex_unlock(&self->lock);
    return there;
}
