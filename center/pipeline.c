/* SPDX-License-Identifier: Apache-2.0 */
#include "center/pipeline.h"

#include "base/clock.h"
#include "center/detection.h"
#include "center/processor.h"
#include "center/profile.h"
#include "center/state_run.h"

#include <stdlib.h>
#include <string.h>

#define AHEAD_MAX    (5 * CLOCK_MINUTE) /* clocks differ by so much, [MS-KILE] 3.1.1.2 */
#define EXPIRE_EVERY (10 * CLOCK_MINUTE)
#define RUNNERS_MAX  256u

/* The pipeline's own memory, so that it goes on after a crash as if nothing had been. */
struct memory {
    int64_t first, last;
};
static const struct state_form memory_form = {
    .name = "memory", .version = 1, .value_size = sizeof(struct memory), .capacity = 1};
static const struct subject memory_key = {1, 1};

struct pipeline {
    struct pipeline_config config;
    struct processor *processor;
    struct profiler *profiler;
    struct detection_context context;
    struct detection_runner *runners[RUNNERS_MAX];
    unsigned runner_count;
    /* By kind: the runners that want it. */
    uint8_t wanted[ACTIVITY_KINDS][RUNNERS_MAX];
    unsigned wanted_count[ACTIVITY_KINDS];
    struct state_table *memory;
    int64_t first, last, expired;
    struct pipeline_counters counters;
    struct activity activity;
    struct observation observation;
    uint8_t value[STATE_VALUE_MAX]; /* that is put back */
};

static void want(struct pipeline *self, unsigned runner, const struct detector *detector)
{
    for (const enum activity_kind *kind = detector->kinds; *kind != ACTIVITY_NONE; kind++)
        self->wanted[*kind][self->wanted_count[*kind]++] = (uint8_t)runner;
}

static bool add_runners(struct pipeline *self)
{
    const struct detector *const *table = self->config.detectors ? self->config.detectors : detectors;
    for (unsigned i = 0; table[i]; i++) {
        if (self->runner_count == RUNNERS_MAX)
            return false;
        struct detection_runner *runner = detection_runner_new(table[i], &self->context);
        if (!runner)
            return false;
        want(self, self->runner_count, table[i]);
        self->runners[self->runner_count++] = runner;
    }
    return true;
}

static bool has_habits(void *context, struct subject subject, int64_t now)
{
    return profiler_profile(((struct pipeline *)context)->profiler, subject, now) != NULL;
}

struct pipeline *pipeline_new(const struct pipeline_config *config)
{
    struct pipeline *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->config = *config;
    self->context = (struct detection_context){.settings = config->settings,
                                               .directory = config->directory,
                                               .seed = config->seed,
                                               .shard = config->shard,
                                               .shards = config->shards,
                                               .alert = config->alert,
                                               .context = config->context,
                                               .draft = calloc(1, sizeof(struct alert))};
    self->context.profiler = self->profiler = profiler_new(config->seed);
    self->processor = processor_new(&(struct processor_config){.directory = &self->context.directory,
                                                               .settings = config->settings,
                                                               .seed = config->seed,
                                                               .has_habits = has_habits,
                                                               .context = self,
                                                               .tickets = config->tickets});
    self->memory = state_table_new(&memory_form, config->seed.value);
    if (!self->context.draft || !self->processor || !self->profiler || !self->memory || !add_runners(self))
        pipeline_destroy(&self);
    return self;
}

void pipeline_destroy(struct pipeline **pipeline)
{
    struct pipeline *self = *pipeline;
    if (!self)
        return;
    for (unsigned i = 0; i < self->runner_count; i++)
        detection_runner_destroy(&self->runners[i]);
    processor_destroy(&self->processor);
    profiler_destroy(&self->profiler);
    state_table_destroy(&self->memory);
    free(self->context.draft);
    free(self);
    *pipeline = NULL;
}

/* Learning counts from the first activity there ever was; nobody's clock moves that. */
static void keep_time(struct pipeline *self, int64_t time)
{
    bool added = self->first == 0;
    if (added)
        self->first = time;
    if (time > self->last)
        self->last = time;
    self->context.since = self->first;
    if (self->expired == 0)
        self->expired = self->last;
    if (self->last - self->expired < EXPIRE_EVERY)
        return;
    self->expired = self->last;
    processor_expire(self->processor, self->last);
    profiler_expire(self->profiler, self->last);
    for (unsigned i = 0; i < self->runner_count; i++)
        detection_runner_expire(self->runners[i], self->last);
}

/* Nothing happens before 1970 or after it was told. */
static int64_t plausible_time(struct pipeline *self, int64_t time, int64_t received)
{
    if (time > received && time - received > AHEAD_MAX) {
        self->counters.future++;
        return received;
    }
    return time > 0 ? time : received;
}

/* At what was decoded. */
static void look(struct pipeline *self, struct bytes record, struct activity_place place, int64_t received,
                 const uint8_t node[16])
{
    self->counters.activities++;
    if (self->activity.kind == ACTIVITY_NONE) {
        self->counters.unknown_kinds++;
        return;
    }
    self->activity.time = plausible_time(self, self->activity.time, received);
    keep_time(self, self->activity.time);
    struct observation *o = &self->observation;
    if (!processor_observe(self->processor, &self->activity, record, place, node, o)) {
        self->counters.twins++;
        return;
    }
    profiler_look(self->profiler, o);
    if (self->config.observed)
        self->config.observed(self->config.context, o);
    for (unsigned i = 0; i < self->wanted_count[o->kind]; i++) {
        struct detection_runner *runner = self->runners[self->wanted[o->kind][i]];
        if (!workspace_off(self->config.settings, detection_runner_detector(runner)))
            detection_runner_observe(runner, o);
    }
    profiler_learn(self->profiler, o);
}

void pipeline_gap(struct pipeline *self)
{
    if (self->last)
        processor_gap(self->processor, self->last);
}

static void count_malformed(struct pipeline *self)
{
    self->counters.malformed++;
    pipeline_gap(self);
}

bool pipeline_activity(struct pipeline *self, struct bytes record, struct activity_place place,
                       int64_t received, const uint8_t node[16])
{
    struct cursor c = cursor_of_bytes(record);
    if (!activity_decode(&c, &self->activity) || !cursor_done(&c)) {
        count_malformed(self);
        return false;
    }
    look(self, record, place, received, node);
    return true;
}

bool pipeline_batch(struct pipeline *self, struct cursor *c, uint64_t count, uint64_t position,
                    int64_t received, const uint8_t node[16])
{
    const uint64_t malformed = self->counters.malformed;
    struct activity_place place = {.position = position};
    for (; place.index < count && !c->failed; place.index++) {
        const uint8_t *begin = c->at;
        if (activity_decode_or_skip(c, &self->activity))
            look(self, (struct bytes){begin, (size_t)(c->at - begin)}, place, received, node);
        else
            count_malformed(self);
    }
    if (!cursor_done(c))
        count_malformed(self);
    return self->counters.malformed == malformed;
}

/* -- checkpoints ----------------------------------------------------------------------------------------- */

/* Each table with its owner's name, until `visit` says false. */
static void each_table(struct pipeline *self,
                       bool (*visit)(void *context, const char *owner, struct state_table *table),
                       void *context)
{
    struct state_table *table;
    if (!visit(context, "pipeline", self->memory))
        return;
    for (unsigned i = 0; (table = processor_table(self->processor, i)); i++)
        if (!visit(context, "processor", table))
            return;
    for (unsigned i = 0; (table = profiler_table(self->profiler, i)); i++)
        if (!visit(context, "profile", table))
            return;
    for (unsigned i = 0; i < self->runner_count; i++)
        for (unsigned k = 0; (table = detection_runner_table(self->runners[i], k)); k++)
            if (!visit(context, detection_runner_detector(self->runners[i])->word, table))
                return;
}

/* As of now: it changes with each activity, and is asked for here only. */
static void keep_memory(struct pipeline *self)
{
    const struct memory *known = state_table_look(self->memory, memory_key, self->last);
    if (self->first == 0 || (known && known->last == self->last))
        return;
    struct memory *memory = state_table_use(self->memory, memory_key, self->last, NULL);
    if (memory)
        *memory = (struct memory){self->first, self->last};
}

static bool tell_table(void *context, const char *owner, struct state_table *table)
{
    const struct pipeline_keeper *keeper = context;
    struct state_table_status status;
    state_table_status(table, &status);
    if (keeper->table(keeper->context, owner, state_table_form(table), &status))
        state_table_whole(table, keeper->state, keeper->context);
    else
        state_table_changes(table, keeper->state, keeper->context);
    return true;
}

void pipeline_changes(struct pipeline *self, const struct pipeline_keeper *keeper)
{
    struct pipeline_keeper copy = *keeper;
    keep_memory(self);
    each_table(self, tell_table, &copy);
}

struct table_search {
    const char *owner, *name;
    const char *found_owner; /* as long as the pipeline lives */
    struct state_table *found;
};

static bool is_not_it(void *context, const char *owner, struct state_table *table)
{
    struct table_search *search = context;
    if (strcmp(owner, search->owner) != 0 || strcmp(state_table_form(table)->name, search->name) != 0)
        return true;
    search->found_owner = owner;
    search->found = table;
    return false;
}

static void restore_memory(struct pipeline *self)
{
    const struct memory *memory = state_table_look(self->memory, memory_key, 0);
    if (!memory)
        return;
    self->first = memory->first;
    self->last = self->expired = memory->last;
    self->context.since = self->first;
}

/* False: it is none of this table's. */
static bool restore_state(struct pipeline *self, struct state_table *table, const struct state_run_item *item)
{
    const size_t size = state_table_form(table)->value_size;
    if (item->gone)
        return state_table_restore(table, item->key, 0, NULL);
    if (size > sizeof(self->value) || !state_value_unpack(self->value, size, item->packed))
        return false;
    state_table_restore(table, item->key, item->touched, self->value);
    return true;
}

bool pipeline_restore(struct pipeline *self, const char *owner, const char *table, uint32_t version,
                      struct bytes run, struct pipeline_restored *restored)
{
    struct table_search search = {.owner = owner, .name = table};
    struct cursor c = cursor_of_bytes(run);
    struct state_run_item item;
    each_table(self, is_not_it, &search);
    if (!search.found || state_table_form(search.found)->version != version)
        return false;
    *restored = (struct pipeline_restored){search.found_owner, state_table_form(search.found), 0};
    for (; state_run_next(&c, &item); restored->states++)
        if (!restore_state(self, search.found, &item))
            return false;
    if (search.found == self->memory)
        restore_memory(self);
    return !c.failed;
}

static bool add_status(void *context, const char *owner, struct state_table *table)
{
    struct pipeline_counters *counters = context;
    struct state_table_status status;
    (void)owner;
    state_table_status(table, &status);
    counters->pushed_out += status.pushed_out;
    counters->subjects += status.count;
    counters->bytes += status.bytes;
    return true;
}

void pipeline_counters(const struct pipeline *self, struct pipeline_counters *counters)
{
    *counters = self->counters;
    counters->raised = self->context.raised;
    counters->excluded = self->context.excluded;
    counters->learning = self->context.learning;
    counters->tickets_forgotten = processor_tickets_forgotten(self->processor);
    counters->first = self->first;
    counters->last = self->last;
    each_table((struct pipeline *)(uintptr_t)self, add_status, counters);
}
