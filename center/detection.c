/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detection.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* What a detector's functions are given: the runner, with the activity that is looked at. */
struct detection {
    const struct detector *detector;
    struct detection_context *context;
    struct state_table *tables[DETECTOR_TABLES_MAX];
    const struct observation *observation;
    struct subject key;
};

struct detection_runner {
    struct detection detection;
};

struct detection_runner *detection_runner_new(const struct detector *detector,
                                              struct detection_context *context)
{
    struct detection_runner *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->detection.detector = detector;
    self->detection.context = context;
    for (unsigned i = 0; detector->tables && i < DETECTOR_TABLES_MAX && detector->tables[i].name; i++) {
        self->detection.tables[i] = state_table_new(&detector->tables[i], context->seed.value + i);
        if (!self->detection.tables[i]) {
            detection_runner_destroy(&self);
            return NULL;
        }
    }
    return self;
}

void detection_runner_destroy(struct detection_runner **runner)
{
    if (!*runner)
        return;
    for (unsigned i = 0; i < DETECTOR_TABLES_MAX; i++)
        state_table_destroy(&(*runner)->detection.tables[i]);
    free(*runner);
    *runner = NULL;
}

const struct detector *detection_runner_detector(const struct detection_runner *runner)
{
    return runner->detection.detector;
}

struct state_table *detection_runner_table(const struct detection_runner *runner, unsigned index)
{
    return index < DETECTOR_TABLES_MAX ? runner->detection.tables[index] : NULL;
}

void detection_runner_expire(struct detection_runner *runner, int64_t now)
{
    for (unsigned i = 0; i < DETECTOR_TABLES_MAX && runner->detection.tables[i]; i++)
        state_table_expire(runner->detection.tables[i], now);
}

void detection_runner_observe(struct detection_runner *runner, const struct observation *observation)
{
    struct detection *d = &runner->detection;
    const struct detection_context *context = d->context;
    d->observation = observation;
    d->key = d->detector->key(d, observation);
    if (subject_is_none(d->key))
        return;
    if (context->shards <= 1 ||
        observation_memory(observation, d->key).high % context->shards == context->shard)
        d->detector->observe(d, observation);
}

/* -- what a detector may use ---------------------------------------------------------------------------- */

struct subject_seed detection_seed(const struct detection *d)
{
    return d->context->seed;
}

double detection_setting(const struct detection *d, unsigned index)
{
    return workspace_setting(d->context->settings, d->detector, index);
}

bool detection_learning_since(const struct detection *d, int64_t since, int64_t period)
{
    return !d->context->settings->learned && d->observation->time - since < period;
}

bool detection_learning(const struct detection *d)
{
    return detection_learning_since(d, d->context->since, d->detector->learning);
}

struct subject detection_key(const struct detection *d)
{
    return d->key;
}

void *detection_use(struct detection *d, unsigned table, struct subject key, bool *added)
{
    return state_table_use(d->tables[table], observation_memory(d->observation, key), d->observation->time,
                           added);
}

const void *detection_look(const struct detection *d, unsigned table, struct subject key)
{
    return state_table_look(d->tables[table], observation_memory(d->observation, key), d->observation->time);
}

void detection_forget(struct detection *d, unsigned table, struct subject key)
{
    state_table_forget(d->tables[table], observation_memory(d->observation, key));
}

const struct directory_view *detection_directory(const struct detection *d)
{
    return &d->context->directory;
}

bool detection_facts(const struct detection *d, const struct party *party, struct facts *to)
{
    const struct directory_view *view = &d->context->directory;
    return party_is(party) && view->facts(view->context, party, to);
}

bool detection_is(const struct detection *d, const struct party *party, uint32_t facts)
{
    struct facts found;
    return detection_facts(d, party, &found) && (found.bits & facts) == facts;
}

enum known detection_account_known(const struct detection *d, struct bytes name, struct bytes domain)
{
    const struct directory_view *view = &d->context->directory;
    return view->account(view->context, name, domain);
}

const struct profiler *detection_profiler(const struct detection *d)
{
    return d->context->profiler;
}

const struct profile *detection_profile(const struct detection *d, const struct party *party)
{
    return profiler_profile(d->context->profiler, party->memory, d->observation->time);
}

/* -- alerts -------------------------------------------------------------------------------------------- */

/* The same activity gives the same id, whenever it is looked at. */
static void set_id(struct alert *alert, const struct detection *d, struct activity_place place)
{
    struct {
        uint64_t workspace;
        struct subject key;
        uint64_t position, index;
    } of = {d->context->settings->id, alert->key, place.position, place.index};
    uint64_t detector = XXH3_64bits(d->detector->word, strlen(d->detector->word));
    XXH128_hash_t hash = XXH3_128bits_withSeed(&of, sizeof(of), detector + d->context->seed.value);
    memcpy(alert->id, &hash, sizeof(alert->id));
}

struct alert *detection_bare_alert(struct detection *d, const struct observation *o, struct subject key)
{
    struct alert *alert = d->context->draft;
    memset(alert, 0, sizeof(*alert));
    alert->external_id = d->detector->external_id;
    size_t size = strlen(d->detector->name);
    memcpy(alert->name, d->detector->name, size < sizeof(alert->name) ? size : sizeof(alert->name) - 1);
    alert->severity = d->detector->severity;
    alert->key = key;
    alert->start = alert->end = o->time;
    alert->count = 1;
    alert->last = o->place;
    alert_add_activity(alert, o->place, o->time);
    set_id(alert, d, o->place);
    return alert;
}

struct alert *detection_alert(struct detection *d, const struct observation *o, struct subject key)
{
    struct alert *alert = detection_bare_alert(d, o, key);
    alert_add_party(alert, ALERT_SOURCE, &o->source);
    alert_add_party(alert, ALERT_ACCOUNT, &o->account);
    alert_add_party(alert, ALERT_DESTINATION, &o->destination);
    return alert;
}

void detection_raise(struct detection *d)
{
    struct detection_context *context = d->context;
    if (detection_learning(d)) {
        context->learning++;
    } else if (workspace_excludes(context->settings, d->detector, context->draft)) {
        context->excluded++;
    } else {
        context->raised++;
        context->alert(context->context, context->draft);
    }
}
