/* SPDX-License-Identifier: Apache-2.0 */
#include "center/service.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/thread.h"
#include "base/version.h"
#include "center/alerts.h"
#include "center/api.h"
#include "center/api_certificate.h"
#include "center/fleet.h"
#include "center/health_keeper.h"
#include "center/notify.h"
#include "center/store_settings.h"
#include "center/store_states.h"
#include "center/store_upkeep.h"
#include "center/workspaces.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define SLOTS_MAX          256u
#define WORKSPACES_EVERY   (5 * CLOCK_SECOND)
#define UPKEEP_EVERY       (10 * CLOCK_MINUTE)
#define UPKEEP_PAUSE_MS    50
#define CERTIFICATES_EVERY CLOCK_HOUR
#define RETRY_MS           1000
#define SECOND_MS          1000

/* A shard of a workspace, on its thread. */
struct slot {
    struct service *service;
    uint64_t workspace;
    unsigned number;
    char name[32];
    pthread_t thread;
    struct alerts alerts;
    pthread_mutex_t lock; /* of the pointer */
    struct shard *shard;  /* NULL: it is being made */
};

struct service {
    const struct center_config *config;
    struct store *store; /* the house-keeper's */
    struct subject_seed seed;
    struct health *health;
    struct health_keeper *keeper;
    struct workspaces *workspaces;
    struct fleet *fleet;
    struct notifier *notifier;
    struct center_config *reloaded; /* what the outputs follow; NULL: as it was started */
    int reload;                     /* readable: the configuration is to be read again; -1: never */
    struct api *api;
    struct receiver *receiver;
    uint64_t log_end; /* at the start */
    int stop;         /* readable: all threads end */
    pthread_t house;
    pthread_mutex_t lock; /* of the slots */
    struct slot *slots[SLOTS_MAX];
    unsigned slot_count;
};

/* -- alerts ---------------------------------------------------------------------------------------------- */

static bool keep_alert(void *context, struct store *store, const struct alert *alert)
{
    struct slot *slot = context;
    slot->alerts.store = store;
    return alerts_keep(&slot->alerts, slot->workspace, alert, NULL);
}

static void alerts_were_kept(void *context, bool committed)
{
    struct slot *slot = context;
    alerts_kept(&slot->alerts, committed);
}

/* -- shards ---------------------------------------------------------------------------------------------- */

static uint64_t workspace_of(void *context, const struct node_id *node)
{
    return workspaces_of(((struct slot *)context)->service->workspaces, node);
}

static struct shard *make_shard(struct slot *slot, struct fault *fault)
{
    const struct service *service = slot->service;
    const struct shard_config config = {.log = service->config->log,
                                        .store = service->config->store,
                                        .workspace = slot->workspace,
                                        .number = slot->number,
                                        .shards = service->config->shards,
                                        .tickets = service->config->tickets,
                                        .seed = service->seed,
                                        .begin = service->log_end + 1,
                                        .health = service->health,
                                        .keep = keep_alert,
                                        .kept = alerts_were_kept,
                                        .workspace_of = workspace_of,
                                        .context = slot};
    return shard_new(&config, fault);
}

static const struct config *outputs_config(const struct service *self)
{
    return self->reloaded ? self->reloaded->config : self->config->config;
}

static bool is_stopped(const struct service *service, int wait_ms)
{
    struct pollfd item = {.fd = service->stop, .events = POLLIN};
    return poll(&item, 1, wait_ms) > 0;
}

static void set_shard(struct slot *slot, struct shard *shard)
{
    pthread_mutex_lock(&slot->lock);
    slot->shard = shard;
    pthread_mutex_unlock(&slot->lock);
}

/* A shard that is lost is made anew from what is in the store. */
static void *run_slot(void *context)
{
    struct slot *slot = context;
    struct fault fault;
    bool ended = false;
    while (!ended && !is_stopped(slot->service, 0)) {
        struct shard *shard = make_shard(slot, &fault);
        if (!shard) {
            health_raise(slot->service->health, 1005, slot->name, "%s", fault.text);
            is_stopped(slot->service, RETRY_MS);
            continue;
        }
        health_clear(slot->service->health, 1005, slot->name);
        set_shard(slot, shard);
        ended = shard_run(shard, slot->service->stop);
        set_shard(slot, NULL);
        shard_destroy(&shard);
    }
    return NULL;
}

static bool start_slot(struct service *self, uint64_t workspace, unsigned number)
{
    struct slot *slot = self->slot_count < SLOTS_MAX ? calloc(1, sizeof(*slot)) : NULL;
    if (!slot)
        return false;
    *slot = (struct slot){
        .service = self,
        .workspace = workspace,
        .number = number,
        .alerts = {.clock = clock_system(), .raiser = {number, self->config->shards}, .listener_count = 2}};
    slot->alerts.listeners[0] = notifier_listener(self->notifier);
    slot->alerts.listeners[1] = api_listener(self->api);
    pthread_mutex_init(&slot->lock, NULL);
    snprintf(slot->name, sizeof(slot->name), "pipe %llu.%u", (unsigned long long)workspace, number);
    if (!thread_start(&slot->thread, slot->name, run_slot, slot)) {
        pthread_mutex_destroy(&slot->lock);
        free(slot);
        return false;
    }
    pthread_mutex_lock(&self->lock);
    self->slots[self->slot_count++] = slot;
    pthread_mutex_unlock(&self->lock);
    return true;
}

static bool has_slot(const struct service *self, uint64_t workspace, unsigned number)
{
    for (unsigned i = 0; i < self->slot_count; i++)
        if (self->slots[i]->workspace == workspace && self->slots[i]->number == number)
            return true;
    return false;
}

/* A workspace that is new has nothing in what was received before. */
static void begin_here(struct service *self, uint64_t workspace, unsigned shard)
{
    uint64_t least = store_position_least(self->store);
    if (workspace != WORKSPACE_DEFAULT && least != UINT64_MAX &&
        store_position(self->store, workspace, shard) == 0)
        store_position_put(self->store, workspace, shard, least, clock_wall(clock_system()));
}

static void start_workspace(void *context, const struct stored_workspace *workspace)
{
    struct service *self = context;
    for (unsigned i = 0; i < self->config->shards; i++) {
        if (has_slot(self, workspace->id, i))
            continue;
        begin_here(self, workspace->id, i);
        if (!start_slot(self, workspace->id, i))
            log_error("workspace \"%s\" cannot be looked at: no thread, or too many", workspace->name);
    }
}

bool service_shard(struct service *self, unsigned index, uint64_t *workspace, struct shard_status *status)
{
    pthread_mutex_lock(&self->lock);
    struct slot *slot = index < self->slot_count ? self->slots[index] : NULL;
    if (slot) {
        *workspace = slot->workspace;
        *status = (struct shard_status){0};
        pthread_mutex_lock(&slot->lock);
        if (slot->shard)
            shard_status(slot->shard, status);
        pthread_mutex_unlock(&slot->lock);
    }
    pthread_mutex_unlock(&self->lock);
    return slot != NULL;
}

/* The API still asks. */
static void end_slots(struct service *self)
{
    for (unsigned i = 0; i < self->slot_count; i++)
        pthread_join(self->slots[i]->thread, NULL);
    pthread_mutex_lock(&self->lock);
    for (unsigned i = 0; i < self->slot_count; i++) {
        pthread_mutex_destroy(&self->slots[i]->lock);
        free(self->slots[i]);
    }
    self->slot_count = 0;
    pthread_mutex_unlock(&self->lock);
}

/* -- the receiver's questions ---------------------------------------------------------------------------- */

static bool admit(void *context, const struct certificate *certificate, struct fault *fault)
{
    return workspaces_admit(((struct service *)context)->workspaces, certificate, fault);
}

static bool hear_report(void *context, const struct node_id *node, const char *name, struct bytes view)
{
    return fleet_tell(((struct service *)context)->fleet, node, name, clock_wall(clock_system()), view);
}

/* What no shard has committed is not forgotten, however old it is. */
static bool forget(void *context, int64_t *before, uint64_t *position)
{
    struct service *self = context;
    struct shard_status status;
    uint64_t workspace;
    unsigned i = 0;
    *before = clock_wall(clock_system()) - self->config->keep_activities;
    *position = UINT64_MAX;
    for (; service_shard(self, i, &workspace, &status); i++)
        if (status.needed + 1 < *position)
            *position = status.needed + 1;
    return i > 0;
}

/* -- keeping house --------------------------------------------------------------------------------------- */

static void tell_health(void *context, struct store *store, const struct health_issue *issue, bool raised,
                        int64_t now)
{
    notifier_health(((struct service *)context)->notifier, store, issue, raised, now);
}

static void hear_trouble(void *context, unsigned number, const char *object, const char *detail)
{
    struct service *self = context;
    if (detail)
        health_raise(self->health, number, object, "%s", detail);
    else
        health_clear(self->health, number, object);
}

static void check_health(struct service *self)
{
    struct shard_status status;
    uint64_t workspace;
    bool changed;
    health_check_disk(self->health, self->config->state);
    for (unsigned i = 0; service_shard(self, i, &workspace, &status); i++)
        health_check_shard(self->health, self->slots[i]->name, &status);
    if (health_keeper_keep(self->keeper, self->health, clock_wall(clock_system()), tell_health, self,
                           &changed) &&
        changed)
        notifier_wake(self->notifier);
}

static void check_certificate(struct service *self, const char *subject, int64_t expires)
{
    if (expires)
        health_check_certificate(self->health, subject, expires, clock_wall(clock_system()));
}

/* The API's is taken anew from its files, which others may have replaced. */
static void renew_certificate(struct service *self)
{
    struct fault fault;
    if (api_reload(self->api, outputs_config(self), &fault)) {
        health_clear(self->health, 1113, "api");
        return;
    }
    log_error("the API's certificate cannot be replaced, that of before stays: %s", fault.text);
    health_raise(self->health, 1113, "api", "%s; that of before is shown", fault.text);
}

/* Those that the center shows to others. */
static void check_certificates(struct service *self)
{
    const char *syslog = config_string(outputs_config(self), "notify/syslog-certificate");
    renew_certificate(self);
    check_certificate(self, "api", api_expires(self->api));
    if (syslog)
        check_certificate(self, syslog, api_certificate_file_expires(syslog));
}

static void clean_up(struct service *self)
{
    int64_t now = clock_wall(clock_system());
    const struct store_ages ages = {.activities = now - self->config->keep_activities,
                                    .alerts = now - self->config->keep_alerts,
                                    .audit = now - self->config->keep_audit,
                                    .health = now - self->config->keep_health};
    while (store_upkeep(self->store, &ages) && !is_stopped(self, UPKEEP_PAUSE_MS))
        ;
}

/* What the outputs were made of is needed until others are. */
static void reload(struct service *self)
{
    struct fault fault;
    struct center_config *fresh = center_config_load(self->config->path);
    const char *syslog = config_string(outputs_config(self), "notify/syslog-certificate");
    if (!fresh) {
        log_error("the configuration has faults: everything stays as it was");
        return;
    }
    if (!notifier_reload(self->notifier, fresh->config, &fault)) {
        log_error("%s; the outputs are not as configured", fault.text);
        center_config_free(&fresh);
        return;
    }
    if (syslog)
        health_clear(self->health, 1004, syslog);
    center_config_free(&self->reloaded);
    self->reloaded = fresh;
    log_notice("the configuration was read again: outputs, log and the API's certificate follow it, the rest "
               "with the next start");
}

/* True: it is to end. Else a second has passed, or the configuration was read again. */
static bool wait_a_second(struct service *self)
{
    struct signalfd_siginfo signal;
    struct pollfd items[] = {{.fd = self->stop, .events = POLLIN}, {.fd = self->reload, .events = POLLIN}};
    if (poll(items, 2, SECOND_MS) <= 0)
        return false;
    if (items[1].revents && read(self->reload, &signal, sizeof(signal)) == (ssize_t)sizeof(signal)) {
        reload(self);
        check_certificates(self);
    }
    return items[0].revents != 0;
}

static void *keep_house(void *context)
{
    struct service *self = context;
    int64_t workspaces_at = 0, upkeep_at = 0, certificates_at = 0;
    do {
        int64_t now = clock_monotonic(clock_system());
        if (now >= workspaces_at) {
            store_workspaces_list(self->store, start_workspace, self);
            workspaces_refresh(self->workspaces, self->store);
            workspaces_at = now + WORKSPACES_EVERY;
        }
        if (now >= certificates_at) {
            check_certificates(self);
            certificates_at = now + CERTIFICATES_EVERY;
        }
        check_health(self);
        if (now >= upkeep_at) {
            clean_up(self);
            upkeep_at = now + UPKEEP_EVERY;
        }
    } while (!wait_a_second(self));
    return NULL;
}

/* -- start and end --------------------------------------------------------------------------------------- */

static void tell_outputs(struct notifier *notifier, struct json_writer *w)
{
    struct notify_status status;
    json_write_array(w, "outputs");
    for (unsigned i = 0; notifier_status(notifier, i, &status); i++) {
        json_write_object(w, NULL);
        json_write_string(w, "name", status.name);
        json_write_uint(w, "sent", status.sent);
        json_write_uint(w, "failed", status.failed);
        json_write_uint(w, "refused", status.refused);
        json_write_uint(w, "dropped", status.dropped);
        json_write_bool(w, "working", status.working);
        json_write_close(w);
    }
    json_write_close(w);
}

bool service_tell_status(void *service, uint64_t workspace, struct json_writer *w)
{
    struct shard_status status;
    uint64_t of;
    json_write_string(w, "version", picket_version());
    json_write_array(w, "shards");
    for (unsigned i = 0; service_shard(service, i, &of, &status); i++) {
        if (workspace != 0 && workspace != of)
            continue;
        json_write_object(w, NULL);
        json_write_uint(w, "workspace", of);
        json_write_uint(w, "position", status.position);
        json_write_uint(w, "committed", status.committed);
        json_write_int(w, "behind_ms", status.behind / CLOCK_MILLISECOND);
        json_write_uint(w, "activities", status.activities);
        json_write_uint(w, "alerts", status.alerts);
        json_write_uint(w, "commits", status.commits);
        json_write_uint(w, "states", status.states);
        json_write_uint(w, "states_forgotten", status.forgotten);
        json_write_uint(w, "tickets_forgotten", status.tickets_forgotten);
        json_write_uint(w, "damaged", status.damaged);
        json_write_int(w, "longest_commit_ms", status.commit_time / CLOCK_MILLISECOND);
        json_write_bool(w, "stuck", status.stuck);
        json_write_close(w);
    }
    json_write_close(w);
    tell_outputs(((struct service *)service)->notifier, w);
    return true;
}

struct viewer {
    struct workspaces *workspaces;
    uint64_t workspace; /* 0: of all */
};

static bool may_see(void *context, const struct node_id *node)
{
    const struct viewer *viewer = context;
    return viewer->workspace == 0 || workspaces_of(viewer->workspaces, node) == viewer->workspace;
}

bool service_tell_fleet(void *service, uint64_t workspace, struct json_writer *w)
{
    struct service *self = service;
    struct viewer viewer = {self->workspaces, workspace};
    const struct fleet_filter filter = {may_see, &viewer};
    return fleet_write(self->fleet, &filter, clock_wall(clock_system()), w);
}

static bool start_outputs(struct service *self, struct fault *fault)
{
    const struct notifier_config notifier = {
        .store = self->config->store, .trouble = hear_trouble, .context = self};
    self->notifier = notifier_new(&notifier, fault);
    if (!self->notifier || !notifier_configure(self->notifier, self->config->config, fault) ||
        !notifier_start(self->notifier, fault))
        return false;
    const struct api_config api = {.config = self->config->config,
                                   .state = self->config->state,
                                   .store = self->config->store,
                                   .log = self->config->log,
                                   .notifier = notifier_listener(self->notifier),
                                   .sources = {.fleet = service_tell_fleet,
                                               .status = service_tell_status,
                                               .context = self,
                                               .health = self->health}};
    self->api = api_start(&api, fault);
    return self->api != NULL;
}

static bool open_all(struct service *self, struct fault *fault)
{
    self->store = store_open(self->config->store, STORE_PEOPLE, fault);
    if (!self->store || !store_check(self->store, fault) || !store_seed(self->store, &self->seed, fault))
        return false;
    self->health = health_new();
    self->keeper = health_keeper_new(self->store);
    self->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->fleet = fleet_new();
    if (!self->health || !self->keeper || !self->fleet || self->stop < 0)
        return fault_say(fault, "out of memory");
    self->workspaces = workspaces_new(self->config->store, self->config->config, fault);
    if (!self->workspaces || !start_outputs(self, fault))
        return false;
    self->receiver = receiver_new(self->config, fault);
    return self->receiver != NULL;
}

bool service_check(const struct center_config *config, struct fault *fault)
{
    return workspaces_check(config->config, fault) && api_check(config->config, fault) &&
           notifier_check(config->config, fault) &&
           (!config->places || access(config->places, R_OK) == 0 ||
            fault_say(fault, "center/places: %s: %s", config->places, strerror(errno)));
}

struct service *service_new(const struct center_config *config, struct fault *fault)
{
    struct service *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&self->lock, NULL);
    self->config = config;
    self->stop = self->reload = -1;
    if (!open_all(self, fault)) {
        service_destroy(&self);
        return NULL;
    }
    const struct receiver_hooks hooks = {
        .admit = admit, .forget = forget, .report = hear_report, .context = self};
    receiver_hook(self->receiver, &hooks);
    self->log_end = receiver_position(self->receiver);
    return self;
}

void service_destroy(struct service **service)
{
    struct service *self = *service;
    if (!self)
        return;
    receiver_destroy(&self->receiver);
    api_stop(&self->api);
    notifier_destroy(&self->notifier);
    center_config_free(&self->reloaded);
    workspaces_destroy(&self->workspaces);
    fleet_destroy(&self->fleet);
    health_keeper_destroy(&self->keeper);
    health_destroy(&self->health);
    store_close(&self->store);
    if (self->stop >= 0)
        close(self->stop);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *service = NULL;
}

void service_reload_on(struct service *service, int signal)
{
    service->reload = signal;
}

bool service_run(struct service *self, int stop)
{
    const uint64_t one = 1;
    bool started = thread_start(&self->house, "house", keep_house, self);
    if (started)
        receiver_run(self->receiver, stop);
    notify_send("STOPPING=1");
    if (write(self->stop, &one, sizeof(one)) != sizeof(one))
        log_error("the threads cannot be told to end");
    if (started)
        pthread_join(self->house, NULL);
    end_slots(self);
    return started;
}

struct receiver *service_receiver(struct service *service)
{
    return service->receiver;
}

struct health *service_health(struct service *service)
{
    return service->health;
}
