/* SPDX-License-Identifier: Apache-2.0 */
#include "node/event_service.h"

#include "base/clock.h"
#include "base/file_stamp.h"
#include "base/log.h"
#include "base/thread.h"
#include "events/share.h"
#include "node/input_evtx.h"
#include "node/input_radius.h"
#include "node/input_samba.h"
#include "node/input_syslog.h"
#include "node/input_wef.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define RETRY_PERIOD (15 * CLOCK_SECOND) /* to start what does not run, to look at files */

#define NOT_ANALYZED      1012u
#define NOT_ANALYZED_NAME "events_not_analyzed"

/* An input's tags have its place in this table, from 1, in their upper byte, and in the next how often it was
 * started anew: it is not told of what an earlier life of it put in. */
#define PLACE_SHIFT 56
#define LIFE_SHIFT  48
#define OWN_MASK    ((UINT64_C(1) << LIFE_SHIFT) - 1)

static const struct event_input *const table[] = {
    &input_wef, &input_radius, &input_syslog, &input_evtx, &input_samba,
};
#define INPUTS (sizeof(table) / sizeof(table[0]))

struct service_input {
    struct event_service *service;
    const struct event_input *input;
    unsigned place; /* from 1 */
    struct intake *intake;
    struct file_stamp stamps[EVENT_FILES_MAX]; /* as they were read; of the service's thread */

    /* Under the service's lock: */
    void *running; /* what start() gave; NULL: it does not run */
    struct fault fault;
    struct fault stale; /* why its files are used as they were; "": they are used as they are */
    uint8_t life;       /* how often it was started, modulo 256 */
    struct share share;
};

struct event_service {
    const struct config *config;
    struct resolution *resolution;
    struct yielding *yielding;
    struct quarantine *quarantine;
    unsigned count;
    struct service_input inputs[EVENT_INPUTS_MAX];
    pthread_mutex_t lock;
    pthread_t thread;
    bool started;
    int end; /* readable when the thread shall look up: to end, or to renew all */
    atomic_bool ending, renewing;
};

/* --- records --- */

static bool post(void *context, struct bytes record, uint64_t tag)
{
    struct service_input *self = context;
    uint64_t own = tag ? (uint64_t)self->place << PLACE_SHIFT | (uint64_t)self->life << LIFE_SHIFT | tag : 0;
    return resolution_post(self->service->resolution, record, own);
}

void event_service_kept(struct event_service *self, uint64_t tag)
{
    uint64_t place = tag >> PLACE_SHIFT;
    uint8_t life = (uint8_t)(tag >> LIFE_SHIFT);
    pthread_mutex_lock(&self->lock);
    if (place > 0 && place <= self->count) {
        const struct service_input *to = &self->inputs[place - 1];
        if (to->running && to->life == life && to->input->kept)
            to->input->kept(to->running, tag & OWN_MASK);
    }
    pthread_mutex_unlock(&self->lock);
}

/* --- running --- */

static unsigned files_of(const struct event_service *self, const struct service_input *one,
                         const char *paths[EVENT_FILES_MAX])
{
    return one->input->files ? one->input->files(self->config, paths) : 0;
}

static void note_files(const struct event_service *self, struct service_input *one)
{
    const char *paths[EVENT_FILES_MAX];
    unsigned count = files_of(self, one, paths);
    for (unsigned i = 0; i < count; i++)
        one->stamps[i] = file_stamp(paths[i]);
}

static bool files_changed(const struct event_service *self, const struct service_input *one)
{
    const char *paths[EVENT_FILES_MAX];
    unsigned count = files_of(self, one, paths);
    for (unsigned i = 0; i < count; i++) {
        struct file_stamp now = file_stamp(paths[i]);
        if (!file_stamp_same(&now, &one->stamps[i]))
            return true;
    }
    return false;
}

static void try_start(struct event_service *self, struct service_input *one)
{
    struct fault fault = {0};
    pthread_mutex_lock(&self->lock);
    bool running = one->running, told = *one->fault.text;
    pthread_mutex_unlock(&self->lock);
    if (running)
        return;
    note_files(self, one);
    void *started = one->input->start(self->config, one->intake, &fault);
    pthread_mutex_lock(&self->lock);
    one->running = started;
    one->fault = fault;
    one->stale.text[0] = '\0';
    pthread_mutex_unlock(&self->lock);
    if (!started && !told)
        log_error("%s: %s: %s", one->input->name, one->input->issue_text, fault.text);
    else if (started && told)
        log_notice("%s: runs now", one->input->name);
}

static void stop_input(struct event_service *self, struct service_input *one)
{
    pthread_mutex_lock(&self->lock);
    void *running = one->running;
    one->running = NULL; /* nobody is told any more of what was kept */
    pthread_mutex_unlock(&self->lock);
    if (running)
        one->input->stop(running);
}

/* Its files are used as they are now, unless they cannot be: half of a pair may have been written. */
static void renew(struct event_service *self, struct service_input *one)
{
    struct fault fault = {0};
    note_files(self, one); /* before they are read: what changes meanwhile is seen the next time */
    bool fine = one->input->renew ? one->input->renew(one->running, self->config, &fault)
                                  : !one->input->usable || one->input->usable(self->config, &fault);
    pthread_mutex_lock(&self->lock);
    one->stale = fault;
    pthread_mutex_unlock(&self->lock);
    if (!fine) {
        log_warning("%s: its files have changed, but those of before stay in use: %s", one->input->name,
                    fault.text);
        return;
    }
    if (!one->input->renew) {
        stop_input(self, one);
        pthread_mutex_lock(&self->lock);
        one->life++;
        pthread_mutex_unlock(&self->lock);
        try_start(self, one);
    }
    log_notice("%s: its certificates and keys were read again", one->input->name);
}

static void look_at_files(struct event_service *self, struct service_input *one, bool all)
{
    const char *paths[EVENT_FILES_MAX];
    if (one->running && files_of(self, one, paths) > 0 && (all || files_changed(self, one)))
        renew(self, one);
}

static void look(struct event_service *self, struct service_input *one)
{
    struct intake_counters counters;
    intake_counters(one->intake, &counters);
    pthread_mutex_lock(&self->lock);
    bool changed = share_look(&one->share, &counters);
    struct share share = one->share;
    pthread_mutex_unlock(&self->lock);
    if (changed && share.raised)
        log_warning("%s: some forwarded events are not being analyzed: of %llu messages %llu were not "
                    "understood, %llu dropped",
                    one->input->name, (unsigned long long)share.received, (unsigned long long)share.invalid,
                    (unsigned long long)share.dropped);
    else if (changed)
        log_notice("%s: what is forwarded is analyzed again", one->input->name);
}

static void *run(void *context)
{
    struct event_service *self = context;
    int64_t look_at = clock_monotonic(clock_system()) + SHARE_PERIOD;
    struct pollfd end = {.fd = self->end, .events = POLLIN};
    for (;;) {
        uint64_t looks;
        if (poll(&end, 1, (int)(RETRY_PERIOD / CLOCK_MILLISECOND)) > 0 &&
            read(self->end, &looks, sizeof(looks)) < 0)
            continue;
        if (atomic_load(&self->ending))
            break;
        int64_t now = clock_monotonic(clock_system());
        bool all = atomic_exchange(&self->renewing, false);
        for (unsigned i = 0; i < self->count; i++) {
            look_at_files(self, &self->inputs[i], all);
            try_start(self, &self->inputs[i]);
        }
        for (unsigned i = 0; now >= look_at && i < self->count; i++)
            look(self, &self->inputs[i]);
        if (now >= look_at)
            look_at = now + SHARE_PERIOD;
    }
    return NULL;
}

/* --- start and end --- */

bool event_service_wanted(const struct config *config)
{
    for (size_t i = 0; i < INPUTS; i++)
        if (table[i]->wanted(config))
            return true;
    return false;
}

bool event_service_check(const struct config *config, struct fault *fault)
{
    for (size_t i = 0; i < INPUTS; i++)
        if (table[i]->wanted(config) && table[i]->check && !table[i]->check(config, fault))
            return false;
    return true;
}

static bool add_input(struct event_service *self, const struct event_input *input)
{
    struct service_input *one = &self->inputs[self->count];
    *one = (struct service_input){.service = self, .input = input, .place = self->count + 1};
    const struct intake_config config = {.input = input->name,
                                         .translate = event_translate,
                                         .record = post,
                                         .context = one,
                                         .quarantine = self->quarantine,
                                         .yielding = self->yielding};
    one->intake = intake_new(&config);
    self->count += one->intake != NULL;
    return one->intake != NULL;
}

struct event_service *event_service_new(const struct config *config, struct resolution *resolution,
                                        struct yielding *yielding, struct fault *fault)
{
    uint64_t seed;
    struct event_service *self = calloc(1, sizeof(*self));
    if (!self || getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        free(self);
        fault_say(fault, "events: %s", strerror(errno));
        return NULL;
    }
    pthread_mutex_init(&self->lock, NULL);
    self->config = config;
    self->resolution = resolution;
    self->yielding = yielding;
    atomic_init(&self->ending, false);
    atomic_init(&self->renewing, false);
    self->end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->quarantine = quarantine_new(seed);
    bool made = self->end >= 0 && self->quarantine;
    for (size_t i = 0; made && i < INPUTS; i++)
        made = !table[i]->wanted(config) || add_input(self, table[i]);
    if (!made) {
        fault_say(fault, "events: %s", strerror(errno));
        event_service_destroy(&self);
    }
    return self;
}

bool event_service_start(struct event_service *self, struct fault *fault)
{
    for (unsigned i = 0; i < self->count; i++)
        try_start(self, &self->inputs[i]);
    self->started = thread_start(&self->thread, "events", run, self);
    return self->started || fault_say(fault, "events: no thread could be started");
}

static bool look_up(struct event_service *self)
{
    uint64_t one = 1;
    return write(self->end, &one, sizeof(one)) == (ssize_t)sizeof(one);
}

void event_service_stop(struct event_service *self)
{
    if (!self)
        return;
    atomic_store(&self->ending, true);
    if (self->started && look_up(self))
        pthread_join(self->thread, NULL);
    self->started = false;
    for (unsigned i = 0; i < self->count; i++)
        stop_input(self, &self->inputs[i]);
}

void event_service_renew(struct event_service *self)
{
    atomic_store(&self->renewing, true);
    look_up(self);
}

void event_service_destroy(struct event_service **self_p)
{
    struct event_service *self = *self_p;
    if (!self)
        return;
    event_service_stop(self);
    for (unsigned i = 0; i < self->count; i++)
        intake_destroy(&self->inputs[i].intake);
    quarantine_destroy(&self->quarantine);
    if (self->end >= 0)
        close(self->end);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

/* --- how they are --- */

bool event_service_input(struct event_service *self, unsigned i, struct event_input_state *state)
{
    if (i >= self->count)
        return false;
    struct service_input *one = &self->inputs[i];
    struct text t = text_to(state->text, sizeof(state->text));
    state->name = one->input->name;
    intake_counters(one->intake, &state->counters);
    pthread_mutex_lock(&self->lock);
    state->running = one->running != NULL;
    if (!one->running)
        text_string(&t, one->fault.text);
    else if (one->input->describe)
        one->input->describe(one->running, &t);
    if (one->running && *one->stale.text) {
        text_string(&t, "; with earlier certificates and keys: ");
        text_string(&t, one->stale.text);
    }
    pthread_mutex_unlock(&self->lock);
    text_end(&t);
    return true;
}

bool event_service_source(struct event_service *self, unsigned input, uint32_t i, struct input_source *source)
{
    if (input >= self->count || !self->inputs[input].input->source)
        return false;
    const struct service_input *one = &self->inputs[input];
    pthread_mutex_lock(&self->lock);
    bool found = one->running && one->input->source(one->running, i, source);
    pthread_mutex_unlock(&self->lock);
    return found;
}

static bool tell_deaf(const struct service_input *one, struct event_health *health)
{
    if (one->running)
        return false;
    health->number = one->input->issue;
    health->issue = one->input->issue_name;
    snprintf(health->text, sizeof(health->text), "%s: %.150s", one->input->issue_text, one->fault.text);
    return true;
}

static bool tell_share(const struct service_input *one, struct event_health *health)
{
    if (!one->share.raised)
        return false;
    health->number = NOT_ANALYZED;
    health->issue = NOT_ANALYZED_NAME;
    snprintf(health->text, sizeof(health->text),
             "some forwarded events are not being analyzed: of %llu messages in a minute %llu were not "
             "understood, %llu dropped (picket inputs --quarantine)",
             (unsigned long long)one->share.received, (unsigned long long)one->share.invalid,
             (unsigned long long)one->share.dropped);
    return true;
}

static bool tell_trouble(const struct service_input *one, struct event_health *health)
{
    struct input_trouble trouble;
    if (!one->running || !one->input->trouble || !one->input->trouble(one->running, &trouble))
        return false;
    health->number = trouble.number;
    health->issue = trouble.issue;
    memcpy(health->text, trouble.text, sizeof(health->text));
    return true;
}

bool event_service_health(struct event_service *self, unsigned i, struct event_health *health)
{
    bool (*const tells[])(const struct service_input *, struct event_health *) = {tell_deaf, tell_share,
                                                                                  tell_trouble};
    enum { TELLS = sizeof(tells) / sizeof(*tells) };
    bool found = false;
    pthread_mutex_lock(&self->lock);
    for (unsigned k = 0; !found && k < self->count * TELLS; k++) {
        const struct service_input *one = &self->inputs[k / TELLS];
        if (!tells[k % TELLS](one, health) || i-- > 0)
            continue;
        snprintf(health->subject, sizeof(health->subject), "input %s", one->input->name);
        found = true;
    }
    pthread_mutex_unlock(&self->lock);
    return found;
}

struct quarantine *event_service_quarantine(struct event_service *self)
{
    return self->quarantine;
}
