/* SPDX-License-Identifier: Apache-2.0 */
#include "node/governor_service.h"

#include "base/log.h"
#include "base/thread.h"
#include "capture/value.h"
#include "node/pace.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ISSUE        1013u
#define SUBJECT      "capture"
#define MEMORY_LEAST (INT64_C(8) << 20) /* of a capture thread: its tables, some thousand flows */
#define FIRST_PERIOD CLOCK_SECOND
#define MINUTES      60u
#define PURSE_TURNS  2               /* turns' worth that may be saved up */
#define TRIM_DELAY   (3 * PACE_TURN) /* capture threads have obeyed by then */

struct governor_service {
    struct governor_service_config config;
    struct governor governor;
    struct pace pace;
    struct loss loss;
    pthread_t thread;
    bool started;
    int stop;

    /* The thread's own. */
    struct host_sample before;
    bool sampled;
    int64_t turned;                     /* monotonic: of the last turn */
    int64_t decided;                    /* of the last decision; 0: not yet */
    int64_t next;                       /* when the next is due */
    int64_t trim_at;                    /* 0: no memory is to be given back */
    uint64_t dropped;                   /* by the kernel, as of the last turn */
    uint64_t handled;                   /* packets, likewise */
    int64_t capture_spent;              /* CPU of the capture in this period */
    bool yields;                        /* less than all of the share was decided */
    bool decided_pause;                 /* as decided; pace may pause besides */
    uint64_t packets;                   /* that the capture had handled when the period began */
    struct governor_loss period_before; /* sums then */

    /* Under the lock: */
    pthread_mutex_t lock;
    struct governor_snapshot snapshot;
    struct governor_loss minutes[MINUTES];
    int64_t minute; /* number of the newest */
};

static int64_t monotonic(const struct governor_service *self)
{
    return clock_monotonic(self->config.clock);
}

void capture_allowance_init(struct capture_allowance *allowance)
{
    atomic_init(&allowance->purse, INT64_MAX / 2);
    atomic_init(&allowance->used, 0);
    atomic_init(&allowance->waited, 0);
    atomic_init(&allowance->level, RANK_SHED + 1);
    atomic_init(&allowance->paused, false);
    atomic_init(&allowance->memory, 0);
    atomic_init(&allowance->filter, NULL);
}

/* --- what was given up --- */

static void loss_add(struct governor_loss *to, const struct governor_loss *more)
{
    for (int i = 0; i < PROTOCOLS; i++) {
        to->shed[i].flows += more->shed[i].flows;
        to->shed[i].packets += more->shed[i].packets;
        to->shed[i].bytes += more->shed[i].bytes;
    }
    to->dropped += more->dropped;
    to->paused += more->paused;
}

static void loss_subtract(struct governor_loss *from, const struct governor_loss *less)
{
    for (int i = 0; i < PROTOCOLS; i++) {
        from->shed[i].flows -= less->shed[i].flows;
        from->shed[i].packets -= less->shed[i].packets;
        from->shed[i].bytes -= less->shed[i].bytes;
    }
    from->dropped -= less->dropped;
    from->paused -= less->paused;
}

/* Under the lock. Minutes that passed without anything are empty. */
static void remember(struct governor_service *self, int64_t now, const struct governor_loss *period)
{
    int64_t minute = now / CLOCK_MINUTE;
    for (int64_t past = 0; past < (int64_t)MINUTES && self->minute < minute; past++)
        self->minutes[++self->minute % MINUTES] = (struct governor_loss){0};
    self->minute = minute;
    loss_add(&self->minutes[minute % MINUTES], period);
    self->snapshot.now = *period;
    loss_add(&self->snapshot.all, period);
    self->snapshot.hour = (struct governor_loss){0};
    for (unsigned i = 0; i < MINUTES; i++)
        loss_add(&self->snapshot.hour, &self->minutes[i]);
}

static uint64_t flows_of(const struct governor_loss *loss)
{
    uint64_t sum = 0;
    for (int i = 0; i < PROTOCOLS; i++)
        sum += loss->shed[i].flows;
    return sum;
}

static void tell_health(struct governor_service *self, const struct governor_loss *period, bool raised)
{
    const struct governor_decision *decision = &self->snapshot.decision;
    if (!self->config.health)
        return;
    if (!raised)
        health_clear(self->config.health, ISSUE, SUBJECT);
    else if (decision->paused)
        health_raise(
            self->config.health, ISSUE, SUBJECT,
            "nothing is captured: others use so much of this host that less than its reserve is left");
    else
        health_raise(self->config.health, ISSUE, SUBJECT,
                     "%" PRIu64 " flows were given up and %" PRIu64 " packets dropped within %" PRId64
                     " s: the host needs its resources (picket quota)",
                     flows_of(period), period->dropped, self->snapshot.period / CLOCK_SECOND);
}

/* --- a period --- */

static int64_t capture_threads(const struct governor_service *self)
{
    return self->config.capture ? (int64_t)self->config.capture->workers_count : 0;
}

static void count_period(struct governor_service *self, int64_t now, const struct capture_totals *totals)
{
    struct governor_loss sums = self->period_before, period;
    memcpy(sums.shed, totals->shed, sizeof(sums.shed));
    sums.dropped = totals->dropped + totals->ifdropped;
    if (self->config.allowance && atomic_load(&self->config.allowance->paused) && self->decided)
        sums.paused += now - self->decided;
    period = sums;
    loss_subtract(&period, &self->period_before);
    self->period_before = sums;
    struct loss_sum sum = {
        .flows_shed = flows_of(&period),
        .packets = totals->packets - self->packets + period.dropped,
        .packets_dropped = period.dropped,
        .paused = period.paused > 0,
    };
    self->packets = totals->packets;
    pthread_mutex_lock(&self->lock);
    remember(self, now, &period);
    self->snapshot.raised = loss_period(&self->loss, &sum);
    pthread_mutex_unlock(&self->lock);
    tell_health(self, &period, self->snapshot.raised);
}

static void log_decision(const struct governor_service *self, const struct governor_decision *decision)
{
    if (decision->paused != self->decided_pause)
        log_notice(decision->paused
                       ? "the host needs its resources: nothing is captured until there is room again"
                       : "the host has room again: capture goes on");
    if ((decision->share < YIELDING_ALL) != self->yields)
        log_notice(decision->share < YIELDING_ALL
                       ? "the host needs its resources: the directory and events are read more slowly"
                       : "the host has room again: the directory and events are read at full speed");
    log_info("quota: CPU %.1f %% of the host (others %.1f %%, Picket %.1f %%), memory %" PRId64
             " MiB (Picket %" PRId64 " MiB)",
             100.0 * (double)decision->cpu.quota / (double)(decision->cpu.total + 1),
             100.0 * (double)decision->cpu.others / (double)(decision->cpu.total + 1),
             100.0 * (double)decision->cpu.ours / (double)(decision->cpu.total + 1),
             decision->memory.quota >> 20, decision->memory.ours >> 20);
}

static void apply(struct governor_service *self, const struct governor_decision *decision, int64_t now)
{
    struct capture_allowance *allowance = self->config.allowance;
    int64_t threads = capture_threads(self);
    if (self->config.yielding)
        atomic_store(&self->config.yielding->share, decision->share);
    self->pace.allowed = decision->capture_cpu;
    self->decided_pause = decision->paused;
    self->yields = decision->share < YIELDING_ALL;
    if (!allowance || threads == 0)
        return;
    uint64_t memory = (uint64_t)(decision->capture_memory / threads),
             before = atomic_load(&allowance->memory);
    if (memory < (before ? before : self->config.memory_limit) || decision->paused)
        self->trim_at = now + TRIM_DELAY;
    if (atomic_load(&allowance->paused)) /* it begins anew */
        self->pace.strained = 0;
    atomic_store(&allowance->memory, memory);
    atomic_store(&allowance->paused, decision->paused);
}

static void take_reserve(struct governor_service *self)
{
    pthread_mutex_lock(&self->lock);
    self->governor.config.reserve_cpu = self->snapshot.reserve_cpu;
    self->governor.config.reserve_memory = self->snapshot.reserve_memory;
    pthread_mutex_unlock(&self->lock);
}

/* Processes of ours beside this one are ours to answer for. */
static void add_helpers(const struct governor_service *self, struct host_sample *sample)
{
    int64_t cpu = 0;
    uint64_t memory = 0;
    if (!self->config.helpers)
        return;
    self->config.helpers(self->config.helpers_context, &cpu, &memory);
    sample->process_cpu += cpu;
    sample->process_memory += (int64_t)memory;
}

static void decide(struct governor_service *self, int64_t now)
{
    const struct host_source *host = self->config.host;
    struct host_sample sample;
    struct governor_reading reading = {0};
    struct capture_totals totals = {0};
    bool readable = host->sample(host->context, &sample);
    if (readable)
        add_helpers(self, &sample);
    if (self->config.capture)
        capture_group_totals(self->config.capture, &totals);
    if (readable && self->sampled)
        host_reading(&reading, &self->before, &sample, self->capture_spent, (int64_t)totals.memory,
                     (int64_t)self->config.ring_bytes * capture_threads(self), self->decided_pause);
    take_reserve(self);
    if (!readable)
        log_warning("the host's load cannot be read: nothing can be known of what may be used");
    struct governor_decision decision = governor_decide(&self->governor, &reading);
    log_decision(self, &decision);
    count_period(self, now, &totals);
    pthread_mutex_lock(&self->lock);
    self->snapshot.decided = clock_wall(self->config.clock);
    self->snapshot.readable = readable;
    self->snapshot.decision = decision;
    self->snapshot.capture_memory = totals.memory;
    if (self->config.yielding)
        self->snapshot.rested = (int64_t)atomic_load(&self->config.yielding->rested);
    self->snapshot.capture_used =
        reading.span > 0
            ? (int64_t)((double)self->capture_spent / (double)reading.span * (double)CLOCK_SECOND)
            : 0;
    pthread_mutex_unlock(&self->lock);
    apply(self, &decision, now);
    self->before = sample;
    self->sampled = readable;
    self->capture_spent = 0;
    self->decided = now;
}

/* --- a turn --- */

/* What was not spent is not saved up for long. */
static void fill_purse(struct governor_service *self, int64_t span)
{
    struct capture_allowance *allowance = self->config.allowance;
    int64_t more = (int64_t)((double)self->pace.allowed * (double)span / (double)CLOCK_SECOND);
    int64_t most =
        (int64_t)((double)self->pace.allowed * (double)PACE_TURN / (double)CLOCK_SECOND) * PURSE_TURNS;
    int64_t purse = atomic_load(&allowance->purse), filled;
    do
        filled = purse + more < most ? purse + more : most;
    while (!atomic_compare_exchange_weak(&allowance->purse, &purse, filled));
}

static void turn(struct governor_service *self, int64_t now)
{
    struct capture_allowance *allowance = self->config.allowance;
    struct pace_turn turn = {
        .span = now - self->turned,
        .used = atomic_exchange(&allowance->used, 0),
        .waited = atomic_exchange(&allowance->waited, 0),
        .threads = (unsigned)capture_threads(self),
    };
    struct capture_totals totals;
    capture_group_totals(self->config.capture, &totals);
    uint64_t dropped = totals.dropped + totals.ifdropped;
    turn.dropping = dropped - self->dropped > (totals.packets - self->handled) / 1000;
    self->dropped = dropped;
    self->handled = totals.packets;
    self->capture_spent += turn.used;
    if (!self->decided)
        return;
    uint32_t level = pace_step(&self->pace, &turn);
    atomic_store(&allowance->level, level);
    if (pace_overwhelmed(&self->pace) && !atomic_load(&allowance->paused)) {
        log_notice("even to give up all flows takes more than this node may use: nothing is captured until "
                   "the next period");
        atomic_store(&allowance->paused, true);
    }
    fill_purse(self, turn.span);
    pthread_mutex_lock(&self->lock);
    self->snapshot.level = level;
    pthread_mutex_unlock(&self->lock);
}

void governor_service_step(struct governor_service *self)
{
    int64_t now = monotonic(self);
    if (self->config.allowance && capture_threads(self) > 0)
        turn(self, now);
    self->turned = now;
    if (now >= self->next) {
        decide(self, now);
        self->next = now + self->config.period;
    }
    if (self->trim_at && now >= self->trim_at) {
        self->trim_at = 0;
        malloc_trim(0);
    }
}

static void *run(void *context)
{
    struct governor_service *self = context;
    struct pollfd stop = {.fd = self->stop, .events = POLLIN};
    while (poll(&stop, 1, (int)(PACE_TURN / CLOCK_MILLISECOND)) == 0)
        governor_service_step(self);
    return NULL;
}

static void configure(struct governor_service *self)
{
    int64_t threads = capture_threads(self);
    struct governor_config config = {
        .reserve_cpu = self->config.reserve_cpu,
        .reserve_memory = self->config.reserve_memory,
        .memory_most = (int64_t)self->config.memory_limit * threads,
        .memory_least = MEMORY_LEAST * threads,
    };
    governor_init(&self->governor, &config);
    pace_init(&self->pace);
    self->snapshot = (struct governor_snapshot){
        .period = self->config.period,
        .reserve_cpu = self->governor.config.reserve_cpu,
        .reserve_memory = self->governor.config.reserve_memory,
        .processors = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
        .capturing = threads > 0,
        .level = RANK_SHED + 1,
    };
}

static void first_sample(struct governor_service *self)
{
    const struct host_source *host = self->config.host;
    self->turned = monotonic(self);
    self->next = self->turned + (FIRST_PERIOD < self->config.period ? FIRST_PERIOD : self->config.period);
    self->sampled = host->sample(host->context, &self->before);
    if (self->sampled)
        add_helpers(self, &self->before);
}

struct governor_service *governor_service_new(const struct governor_service_config *config,
                                              struct fault *fault)
{
    struct governor_service *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "the governor: out of memory");
        return NULL;
    }
    self->config = *config;
    if (!self->config.host)
        self->config.host = host_system();
    if (!self->config.clock)
        self->config.clock = clock_system();
    if (self->config.period <= 0)
        self->config.period = GOVERNOR_PERIOD;
    self->stop = -1;
    pthread_mutex_init(&self->lock, NULL);
    configure(self);
    first_sample(self);
    return self;
}

struct governor_service *governor_service_start(const struct governor_service_config *config,
                                                struct fault *fault)
{
    struct governor_service *self = governor_service_new(config, fault);
    if (!self)
        return NULL;
    self->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->started = self->stop >= 0 && thread_start(&self->thread, "governor", run, self);
    if (!self->started) {
        fault_say(fault, "the governor: no thread could be started: %s", strerror(errno));
        governor_service_stop(&self);
    }
    return self;
}

void governor_service_stop(struct governor_service **service)
{
    struct governor_service *self = *service;
    uint64_t one = 1;
    if (!self)
        return;
    *service = NULL;
    if (self->started && write(self->stop, &one, sizeof(one)) == (ssize_t)sizeof(one))
        pthread_join(self->thread, NULL);
    if (self->stop >= 0)
        close(self->stop);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

void governor_service_snapshot(struct governor_service *service, struct governor_snapshot *snapshot)
{
    pthread_mutex_lock(&service->lock);
    *snapshot = service->snapshot;
    pthread_mutex_unlock(&service->lock);
}

void governor_service_reserve(struct governor_service *service, unsigned cpu, unsigned memory)
{
    pthread_mutex_lock(&service->lock);
    service->snapshot.reserve_cpu = cpu > GOVERNOR_RESERVE_MIN ? cpu : GOVERNOR_RESERVE_MIN;
    service->snapshot.reserve_memory = memory > GOVERNOR_RESERVE_MIN ? memory : GOVERNOR_RESERVE_MIN;
    pthread_mutex_unlock(&service->lock);
}
