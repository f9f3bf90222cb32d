/* SPDX-License-Identifier: Apache-2.0 */
#include "node/answers.h"

#include "base/clock.h"
#include "base/log.h"
#include "node/view_delivery.h"
#include "node/view_inputs.h"

#include <stdarg.h>
#include <stdio.h>

/* --- views --- */

#define COUNTERS_MAX 64u

struct counters {
    unsigned count;
    struct view_counter of[COUNTERS_MAX];
};

static void collect_counter(void *context, const char *name, uint64_t value)
{
    struct counters *counters = context;
    if (counters->count < COUNTERS_MAX)
        counters->of[counters->count++] = (struct view_counter){name, value};
}

/* What the directory's part says is wrong, by the numbers of node/health.h. */
static const unsigned directory_issues[DIRECTORY_ISSUES] = {
    [DIRECTORY_NO_RIGHT] = 1102,         [DIRECTORY_DELETIONS_UNSEEN] = 1103, [DIRECTORY_REFUSES] = 1104,
    [DIRECTORY_TOO_LARGE] = 1105,        [DIRECTORY_STORE_FULL] = 1106,       [DIRECTORY_UNREACHABLE] = 1010,
    [DIRECTORY_ACCOUNTS_REFUSED] = 1101,
};

static void find_capture_issues(const struct answers *self)
{
    struct capture_totals totals;
    char text[HEALTH_TEXT_SIZE];
    if (!self->capture)
        return;
    capture_group_totals(self->capture, &totals);
    if (totals.absent == 0)
        return;
    snprintf(text, sizeof(text), "%u of %u interfaces cannot be captured: waited for",
             totals.absent < self->interfaces ? totals.absent : self->interfaces, self->interfaces);
    health_found(self->health, 1008, "capture", text);
}

static void find_unassigned(const struct answers *self, struct cluster *core)
{
    struct cluster_domain_view domain;
    for (unsigned i = 0; i < cluster_domain_count(core); i++)
        if (cluster_domain_at(core, i, &domain) && domain.unassigned)
            health_found(self->health, 1007, domain.domain, "no synchronizer, and nobody in sight");
}

static void collect_delivery(const struct answers *self, struct view_delivery *delivery)
{
    view_delivery_collect(delivery, self->outbox, self->spool, self->sender, clock_wall(clock_system()));
}

static void find_delivery_issues(const struct answers *self)
{
    struct view_delivery delivery;
    collect_delivery(self, &delivery);
    for (unsigned i = 0; i < delivery.issue_count; i++)
        health_found(self->health, delivery.issues[i].number, delivery.issues[i].subject,
                     delivery.issues[i].text);
}

static void find_naming_issues(const struct answers *self)
{
    char text[HEALTH_TEXT_SIZE];
    for (unsigned i = 0;
         self->naming && i < NAME_METHODS && naming_service_health(self->naming, i, text, sizeof(text)); i++)
        health_found(self->health, 1107, "naming", text);
}

void answers_look(const struct answers *self, struct cluster *core)
{
    struct directory_health directory;
    struct event_health events;
    health_round_begin(self->health);
    find_unassigned(self, core);
    find_capture_issues(self);
    for (unsigned i = 0; self->directory && directory_service_health(self->directory, i, &directory); i++)
        health_found(self->health, directory_issues[directory.issue], directory.domain, directory.text);
    for (unsigned i = 0; self->events && event_service_health(self->events, i, &events); i++)
        health_found(self->health, events.number, events.subject, events.text);
    find_delivery_issues(self);
    find_naming_issues(self);
    health_round_end(self->health);
}

/* What is collected for one view. */
struct view_facts {
    struct directory_progress progress[DIRECTORY_DOMAINS_MAX];
    unsigned progress_count;
    struct health_issue health[HEALTH_ISSUES_MAX];
    unsigned health_count;
    struct view_delivery delivery;
    struct view_input inputs[EVENT_INPUTS_MAX];
    unsigned input_count;
    struct governor_snapshot quota;
};

static void collect_inputs(const struct answers *self, struct view_facts *facts)
{
    struct event_input_state state;
    facts->input_count = 0;
    while (self->events && facts->input_count < EVENT_INPUTS_MAX &&
           event_service_input(self->events, facts->input_count, &state))
        facts->inputs[facts->input_count++] = (struct view_input){state.name,
                                                                  state.running,
                                                                  state.counters.received,
                                                                  state.counters.understood,
                                                                  state.counters.invalid,
                                                                  state.counters.dropped};
}

static void collect(const struct answers *self, struct cluster *core, struct view_facts *facts)
{
    facts->progress_count = facts->health_count = 0;
    struct directory *directory = self->directory ? directory_service_directory(self->directory) : NULL;
    while (directory && facts->progress_count < DIRECTORY_DOMAINS_MAX &&
           directory_progress(directory, facts->progress_count, &facts->progress[facts->progress_count]))
        facts->progress_count++;
    collect_inputs(self, facts);
    answers_look(self, core);
    while (facts->health_count < HEALTH_ISSUES_MAX &&
           health_at(self->health, facts->health_count, &facts->health[facts->health_count]))
        facts->health_count++;
    if (self->governor)
        governor_service_snapshot(self->governor, &facts->quota);
}

static void give_view(const struct answers *self, struct cluster_driver *driver,
                      const struct control_request *request, struct json_writer *w)
{
    struct counters counters = {0};
    struct directory_state states[DIRECTORIES_MAX];
    struct view_directory directories[DIRECTORIES_MAX];
    struct view_capture capture = {.interfaces = self->interfaces};
    struct view_facts facts;
    struct prober_counters naming;
    unsigned count = 0;
    while (count < DIRECTORIES_MAX && directory_probe_state(self->probe, count, &states[count])) {
        const struct directory_state *state = &states[count];
        directories[count++] = (struct view_directory){
            .domain = state->domain,
            .address = state->address,
            .reachable = state->reachable,
            .tried = state->tried,
            .reason = *state->reason ? state->reason : NULL,
        };
    }
    if (self->capture) {
        struct capture_totals totals;
        capture_group_totals(self->capture, &totals);
        capture.absent = totals.absent < self->interfaces ? totals.absent : self->interfaces;
        capture.packets = totals.packets;
        capture.activities = totals.activities;
        capture.dropped = totals.dropped + totals.ifdropped;
        capture.activities_dropped = totals.refused;
    }
    collect_delivery(self, &facts.delivery);
    collect(self, cluster_driver_core(driver), &facts);
    bool asks = self->naming && naming_service_counters(self->naming, &naming);
    cluster_driver_counters(driver, collect_counter, &counters);
    struct view_source source = {
        .core = cluster_driver_core(driver),
        .wall = clock_wall(clock_system()) / CLOCK_MILLISECOND,
        .fleet_name = self->fleet_name,
        .fleet = cluster_driver_fleet(driver),
        .transport = counters.of,
        .transport_count = counters.count,
        .directories = directories,
        .directory_count = count,
        .progress = facts.progress,
        .progress_count = facts.progress_count,
        .health = facts.health,
        .health_count = facts.health_count,
        .capture = self->capture ? &capture : NULL,
        .delivery = &facts.delivery,
        .inputs = facts.inputs,
        .input_count = facts.input_count,
        .naming = asks ? &naming : NULL,
        .quota = self->governor ? &facts.quota : NULL,
        .keys = self->keys,
    };
    view_answer(w, request, &source);
}

/* --- changes --- */

static void done(struct json_writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void done(struct json_writer *w, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    view_done(w, text);
}

/* What a change of a domain needs to be about. */
static bool own_domain(struct cluster *core, const struct control_request *request, struct json_writer *w)
{
    struct cluster_member_view self;
    if (cluster_member_at(core, 0, &self)) {
        const struct grant *grant = &self.record->certificate.grant;
        for (unsigned i = 0; i < grant->domain_count; i++)
            if (strcmp(grant->domains[i], request->domain) == 0)
                return true;
    }
    view_refuse(w, "not_granted", "this node's grant does not name that domain");
    return false;
}

static void step_command(struct cluster_driver *driver, enum cluster_event_type type,
                         const struct control_request *request)
{
    struct cluster_event event = {.type = type, .command = {.domain = request->domain, .on = request->on}};
    cluster_driver_step(driver, &event);
}

static void change_candidacy(struct cluster_driver *driver, const struct control_request *request,
                             struct json_writer *w)
{
    if (!own_domain(cluster_driver_core(driver), request, w))
        return;
    step_command(driver, CLUSTER_CANDIDATE, request);
    done(w, "this node %s candidate of %s", request->on ? "is a" : "is no longer a", request->domain);
}

static void change_pin(struct cluster_driver *driver, const struct control_request *request,
                       struct json_writer *w)
{
    if (!own_domain(cluster_driver_core(driver), request, w))
        return;
    step_command(driver, CLUSTER_PIN, request);
    done(w, request->on ? "this node takes %s whenever it can" : "%s is not pinned to this node any more",
         request->domain);
}

static void ask_to_yield(struct cluster_driver *driver, const struct control_request *request,
                         struct json_writer *w)
{
    struct cluster_domain_view domain;
    if (!cluster_domain_find(cluster_driver_core(driver), request->domain, &domain)) {
        view_refuse(w, "unknown_domain", "no node of the fleet knows that domain");
        return;
    }
    if (!domain.has_claim || domain.claim.released) {
        view_refuse(w, "no_holder", "nobody holds that domain");
        return;
    }
    step_command(driver, CLUSTER_YIELD, request);
    done(w, "the synchronizer of %s is asked to give it up", request->domain);
}

static void take_policy(struct cluster_driver *driver, const struct control_request *request,
                        struct json_writer *w)
{
    struct cluster_status before, after;
    struct cluster_event event = {.type = CLUSTER_POLICY, .bytes = {request->data, request->data_size}};
    cluster_status(cluster_driver_core(driver), &before);
    cluster_driver_step(driver, &event);
    cluster_status(cluster_driver_core(driver), &after);
    if (after.policy_version > before.policy_version)
        done(w, "policy %llu holds and is being told to the fleet", (unsigned long long)after.policy_version);
    else
        view_refuse(w, "policy_refused",
                    "the policy is not newer than the one that holds, or not the authority's");
}

static void rotate(struct cluster_driver *driver, struct json_writer *w)
{
    struct fault fault;
    if (cluster_driver_rotate(driver, &fault))
        view_done(w, "a new key is being certified; the log and `picket members --wide` tell when it holds");
    else
        view_refuse(w, "cannot_rotate", fault.text);
}

static void reconcile(const struct answers *self, const struct control_request *request,
                      struct json_writer *w)
{
    if (!self->directory || !directory_service_reads(self->directory, request->domain)) {
        view_refuse(w, "no_directory", "this node does not read that domain's directory");
        return;
    }
    directory_reconcile(directory_service_directory(self->directory), request->domain);
    done(w, "%s is compared with its directory as soon as this node may: picket sync tells the outcome",
         request->domain);
}

static void reload(const struct answers *self, struct json_writer *w)
{
    char said[4096];
    if (self->reload(self->reload_context, said, sizeof(said)))
        view_done(w, said);
    else
        view_refuse(w, "failed", said);
}

/* --- activities --- */

#define ACTIVITIES_SHOWN 100u

static void write_activity(void *context, uint64_t number, const char *json, size_t size)
{
    struct json_writer *w = context;
    (void)number;
    json_write_raw(w, NULL, (struct bytes){(const uint8_t *)json, size});
}

static void give_activities(const struct answers *self, const struct control_request *request,
                            struct json_writer *w)
{
    struct resolution_counters counters;
    if (!self->resolution) {
        view_refuse(w, "not_capturing",
                    "this node captures nothing (capture/interfaces) and hears nothing (events)");
        return;
    }
    json_write_object(w, NULL);
    json_write_int(w, "schema", VIEW_SCHEMA);
    json_write_array(w, "activities");
    uint64_t last = resolution_recent(self->resolution, request->after,
                                      request->limit ? request->limit : ACTIVITIES_SHOWN, write_activity, w);
    json_write_close(w);
    json_write_uint(w, "last", last);
    resolution_counters(self->resolution, &counters);
    json_write_uint(w, "records", counters.records);
    json_write_uint(w, "waiting", counters.waiting);
    json_write_uint(w, "late", counters.late);
    json_write_uint(w, "passed", counters.passed + counters.crowded);
    json_write_uint(w, "completed_later", counters.late_names.completed);
    json_write_close(w);
}

void answers_make(const struct answers *self, struct cluster_driver *driver,
                  const struct control_request *request, const struct control_peer *peer,
                  struct json_writer *w)
{
    if (request->changes)
        log_notice("control: user %u (process %d): %s %s%s", (unsigned)peer->uid, (int)peer->pid,
                   control_verb_name(request->verb), request->domain, request->on ? " on" : "");
    switch (request->verb) {
    case CONTROL_CANDIDATE:
        change_candidacy(driver, request, w);
        break;
    case CONTROL_PIN:
        change_pin(driver, request, w);
        break;
    case CONTROL_YIELD:
        ask_to_yield(driver, request, w);
        break;
    case CONTROL_POLICY:
        take_policy(driver, request, w);
        break;
    case CONTROL_ROTATE:
        rotate(driver, w);
        break;
    case CONTROL_RELOAD:
        reload(self, w);
        break;
    case CONTROL_ACTIVITIES:
        give_activities(self, request, w);
        break;
    case CONTROL_INPUTS:
        view_inputs(w, self->events, request->limit);
        break;
    case CONTROL_RECONCILE:
        reconcile(self, request, w);
        break;
    default:
        if (control_verb_of_directory(request->verb))
            view_refuse(w, "no_directory",
                        "this node reads no directory: it has no account (directory/accounts)");
        else
            give_view(self, driver, request, w);
    }
}
