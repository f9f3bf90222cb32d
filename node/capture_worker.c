/* SPDX-License-Identifier: Apache-2.0 */
#include "node/capture_worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PACKETS_A_TURN 4096
/* Where what was spent is counted: a millisecond's worth at the most. */
#define PACKETS_A_PAYMENT 1024
#define PURSE_WAIT        5 /* ms */
#define NICE              10
#define TURN              (100 * CLOCK_MILLISECOND)
#define LOSS_TURN         (20 * CLOCK_MILLISECOND) /* counters are no older than this when an activity leaves */
#define DELAY_FIRST       (250 * CLOCK_MILLISECOND)
#define DELAY_MAX         (5 * CLOCK_SECOND)
/* Packets rest in the kernel's blocks for a while: time that passes without packets follows that late. */
#define KERNEL_DELAY (500 * CLOCK_MILLISECOND)

static int64_t monotonic(void)
{
    return clock_monotonic(clock_system());
}

static void count_loss(struct capture_worker *worker)
{
    atomic_fetch_add_explicit(worker->losses, 1, memory_order_release);
}

/* All in which it is said that something was not seen. */
static uint64_t losses_of(const struct capture_worker *worker, const struct live_counters *now,
                          const struct engine_stats *stats)
{
    return worker->before.dropped + now->dropped + worker->before.ifdropped + now->ifdropped +
           stats->protocol[PROTOCOL_KERBEROS].shed_packets + worker->blinks;
}

static void publish(struct capture_worker *worker)
{
    struct live_counters now = {0};
    if (worker->source)
        live_source_counters(worker->source, &now);
    const struct engine_stats *stats = engine_stats(worker->engine);
    atomic_store_explicit(&worker->counters.packets, stats->packets, memory_order_relaxed);
    atomic_store_explicit(&worker->counters.activities, stats->activities, memory_order_relaxed);
    atomic_store_explicit(&worker->counters.received, worker->before.received + now.received,
                          memory_order_relaxed);
    atomic_store_explicit(&worker->counters.dropped, worker->before.dropped + now.dropped,
                          memory_order_relaxed);
    atomic_store_explicit(&worker->counters.ifdropped, worker->before.ifdropped + now.ifdropped,
                          memory_order_relaxed);
    atomic_store_explicit(&worker->counters.present, worker->source || worker->paused, memory_order_relaxed);
    atomic_store_explicit(&worker->counters.memory, stats->memory, memory_order_relaxed);
    for (int i = 0; i < PROTOCOLS; i++) {
        struct worker_shed *shed = &worker->counters.shed[i];
        atomic_store_explicit(&shed->flows, stats->protocol[i].shed_flows, memory_order_relaxed);
        atomic_store_explicit(&shed->packets, stats->protocol[i].shed_packets, memory_order_relaxed);
        atomic_store_explicit(&shed->bytes, stats->protocol[i].shed_bytes, memory_order_relaxed);
    }
    uint64_t lost = losses_of(worker, &now, stats);
    if (lost != worker->lost)
        count_loss(worker);
    worker->lost = lost;
    worker->published = monotonic();
}

static void emit(void *context, enum activity_kind kind, int64_t time, struct bytes record)
{
    struct capture_worker *worker = context;
    (void)kind;
    (void)time;
    if (worker->direct) {
        worker->direct->record(worker->direct, record);
        return;
    }
    if (monotonic() - worker->published > LOSS_TURN)
        publish(worker);
    /* A full ring refuses and counts: capture never waits for whoever writes. */
    if (!ring_push(worker->ring, record.data, record.size))
        count_loss(worker);
    worker->woke = true;
}

static void give(void *context, const struct packet *packet)
{
    struct capture_worker *worker = context;
    worker->last_packet = packet->time;
    engine_packet(worker->engine, packet);
}

static void close_source(struct capture_worker *worker)
{
    struct live_counters last;
    live_source_counters(worker->source, &last);
    worker->before.received += last.received;
    worker->before.dropped += last.dropped;
    worker->before.ifdropped += last.ifdropped;
    live_source_close(&worker->source);
    worker->blinks++;
}

/* The interface vanished: tried again after a delay that doubles. */
static void lose(struct capture_worker *worker)
{
    close_source(worker);
    atomic_fetch_add(&worker->counters.absences, 1);
    worker->delay = DELAY_FIRST;
    worker->reopen = monotonic() + worker->delay;
}

static void try_again(struct capture_worker *worker)
{
    bool again;
    if (monotonic() < worker->reopen)
        return;
    worker->source = live_source_open(&worker->live, worker->error, sizeof(worker->error), &again);
    worker->delay = worker->delay * 2 < DELAY_MAX ? worker->delay * 2 : DELAY_MAX;
    worker->reopen = monotonic() + worker->delay;
}

/* Lets the engine's time follow when packets do not come; with its own of the packets' otherwise. */
static void tick(struct capture_worker *worker, int read)
{
    int64_t now = clock_wall(clock_system()) - KERNEL_DELAY;
    if (read == 0 && now > worker->last_packet)
        engine_tick(worker->engine, now);
}

/* --- a host in need --- */

static int64_t thread_time(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * CLOCK_SECOND + t.tv_nsec;
}

/* A kernel's means beside our own: who runs beside us goes first. */
static void stand_back(void)
{
    struct sched_param none = {0};
    pid_t thread = (pid_t)syscall(SYS_gettid);
    if (sched_setscheduler(thread, SCHED_BATCH, &none) != 0 ||
        setpriority(PRIO_PROCESS, (id_t)thread, NICE) != 0)
        log_info("capture: its threads keep their priority: %s", strerror(errno));
}

/* While paused even the kernel's ring is given back. */
static void pause_or_resume(struct capture_worker *worker, bool pause)
{
    if (pause == worker->paused)
        return;
    worker->paused = pause;
    if (pause && worker->source)
        close_source(worker);
    worker->reopen = 0;
    worker->delay = DELAY_FIRST;
}

static void obey(struct capture_worker *worker)
{
    struct capture_allowance *allowance = worker->allowance;
    uint32_t level = atomic_load_explicit(&allowance->level, memory_order_relaxed);
    uint64_t memory = atomic_load_explicit(&allowance->memory, memory_order_relaxed);
    if (level != worker->level)
        engine_shed(worker->engine, worker->level = level);
    if (memory != worker->memory && memory > 0)
        engine_limit_memory(worker->engine, worker->memory = memory);
    pause_or_resume(worker, atomic_load_explicit(&allowance->paused, memory_order_relaxed));
}

static void change_filter(struct capture_worker *worker)
{
    const char *filter = atomic_load(&worker->allowance->filter);
    if (!filter || filter == worker->live.filter)
        return;
    worker->live.filter = filter; /* also when the interface comes again */
    if (worker->source && !live_source_filter(worker->source, filter))
        log_error("capture: %s does not take the new filter", worker->live.interface);
}

static void pay(struct capture_worker *worker)
{
    int64_t now = thread_time();
    atomic_fetch_sub_explicit(&worker->allowance->purse, now - worker->spent, memory_order_relaxed);
    atomic_fetch_add_explicit(&worker->allowance->used, now - worker->spent, memory_order_relaxed);
    worker->spent = now;
}

/* Until the purse has something again, or the end. */
static void wait_for_purse(struct capture_worker *worker)
{
    struct capture_allowance *allowance = worker->allowance;
    struct pollfd stop = {.fd = worker->stop_descriptor, .events = POLLIN};
    while (atomic_load_explicit(&allowance->purse, memory_order_relaxed) <= 0) {
        int64_t before = monotonic();
        if (poll(&stop, 1, PURSE_WAIT) != 0)
            return;
        atomic_fetch_add_explicit(&allowance->waited, monotonic() - before, memory_order_relaxed);
    }
}

static void be_a_guest(struct capture_worker *worker)
{
    if (!worker->allowance)
        return;
    pay(worker);
    obey(worker);
    change_filter(worker);
    if (!worker->paused)
        wait_for_purse(worker);
}

static void *run(void *context)
{
    struct capture_worker *worker = context;
    if (worker->allowance)
        stand_back();
    for (;;) {
        int fd = worker->source ? live_source_descriptor(worker->source) : -1; /* poll passes over -1 */
        struct pollfd fds[2] = {{.fd = worker->stop_descriptor, .events = POLLIN},
                                {.fd = fd, .events = POLLIN}};
        poll(fds, 2, (int)(TURN / CLOCK_MILLISECOND));
        if (fds[0].revents)
            break;
        int n = 0, most = worker->allowance ? PACKETS_A_PAYMENT : PACKETS_A_TURN;
        if (!worker->source && !worker->paused)
            try_again(worker);
        else if (worker->source && (n = live_source_read(worker->source, most, give, worker)) < 0)
            lose(worker);
        tick(worker, n);
        if (worker->woke) {
            uint64_t one = 1;
            worker->woke = write(worker->wake_descriptor, &one, sizeof(one)) < 0;
        }
        if (monotonic() - worker->published >= TURN)
            publish(worker);
        be_a_guest(worker);
    }
    /* What waits in the kernel still belongs to the run. */
    while (worker->source && live_source_read(worker->source, PACKETS_A_TURN, give, worker) > 0)
        continue;
    publish(worker);
    return NULL;
}

bool capture_worker_start(struct capture_worker *worker)
{
    bool again;
    worker->source = live_source_open(&worker->live, worker->error, sizeof(worker->error), &again);
    if (!worker->source)
        return false;
    struct engine_options options = *worker->options;
    options.unsealer = worker->unsealer;
    worker->engine = engine_new(&options, emit, worker);
    worker->ring = ring_new(CAPTURE_RING_BYTES);
    if (!worker->engine || !worker->ring) {
        snprintf(worker->error, sizeof(worker->error), "out of memory");
        return false;
    }
    decode_rules_apply(worker->rules, worker->engine);
    publish(worker);
    worker->started = thread_start(&worker->thread, "capture", run, worker);
    if (!worker->started)
        snprintf(worker->error, sizeof(worker->error), "no thread could be started");
    return worker->started;
}

void capture_worker_join(struct capture_worker *worker)
{
    if (worker->started)
        pthread_join(worker->thread, NULL);
    worker->started = false;
}

void capture_worker_free(struct capture_worker *worker)
{
    if (worker->source)
        live_source_close(&worker->source);
    if (worker->engine)
        engine_destroy(&worker->engine);
    if (worker->ring)
        ring_destroy(&worker->ring);
}
