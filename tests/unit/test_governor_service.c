/* SPDX-License-Identifier: Apache-2.0
 *
 * The governor at work on a host that this test makes up, with a capture thread that is this test: what it is
 * told, what it must not exceed, what is remembered, health issue 1013.
 */
#include "base/log.h"
#include "capture/value.h"
#include "node/governor_service.h"

#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define GIB    (INT64_C(1) << 30)
#define MIB    (INT64_C(1) << 20)
#define PERIOD (200 * CLOCK_MILLISECOND)
#define CPUS   4

/* --- a host --- */

static struct {
    pthread_mutex_t lock;
    int64_t others; /* percent */
    int64_t memory_others;
    int64_t began, at, busy; /* wanted: the others' part of all CPU time so far */
    bool broken;
} host = {.lock = PTHREAD_MUTEX_INITIALIZER, .others = 40, .memory_others = 4 * GIB};

static void pass_time(void)
{
    int64_t now = clock_monotonic(clock_system());
    if (host.at)
        host.busy += (now - host.at) * CPUS / 100 * host.others;
    else
        host.began = now;
    host.at = now;
}

static bool sample(void *context, struct host_sample *to)
{
    (void)context;
    pthread_mutex_lock(&host.lock);
    pass_time();
    *to = (struct host_sample){
        .time = host.at,
        .cpu = {.total = (host.at - host.began) * CPUS, .busy = host.busy},
        .memory = {.total = 10 * GIB, .available = 10 * GIB - host.memory_others},
    };
    bool fine = !host.broken;
    pthread_mutex_unlock(&host.lock);
    return fine;
}

static void set_host(int64_t others, int64_t memory_others, bool broken)
{
    pthread_mutex_lock(&host.lock);
    pass_time();
    host.others = others;
    host.memory_others = memory_others;
    host.broken = broken;
    pthread_mutex_unlock(&host.lock);
}

/* --- a node --- */

static struct capture_group group;
static struct capture_allowance allowance;
static struct yielding yielding;
static struct health *health;
static struct governor_service *service;
static const struct host_source source = {.sample = sample};

static void nap(int ms)
{
    struct timespec time = {.tv_nsec = ms * 1000000L};
    nanosleep(&time, NULL);
}

static struct governor_snapshot look(void)
{
    struct governor_snapshot snapshot;
    governor_service_snapshot(service, &snapshot);
    return snapshot;
}

static void begin(void)
{
    struct governor_service_config config = {
        .host = &source,
        .capture = &group,
        .allowance = &allowance,
        .memory_limit = 192 * MIB,
        .ring_bytes = 0,
        .health = health = health_new(),
        .yielding = &yielding,
        .period = PERIOD,
    };
    struct fault fault;
    group = (struct capture_group){.workers_count = 1};
    group.workers[0].ring = ring_new(1 << 16);
    host.at = 0;
    host.busy = 0;
    set_host(40, 4 * GIB, false);
    host.began = host.at;
    capture_allowance_init(&allowance);
    yielding_init(&yielding);
    service = governor_service_start(&config, &fault);
    assert_non_null(service);
}

static void end(void)
{
    governor_service_stop(&service);
    assert_null(service);
    ring_destroy(&group.workers[0].ring);
    health_destroy(&health);
}

static bool raised(void)
{
    struct health_issue issue;
    return health_at(health, 0, &issue) && issue.kind->number == 1013;
}

/* Waits, up to half a minute, until it is so. */
#define until(what)                                                                                          \
    do {                                                                                                     \
        bool so_ = (what);                                                                                   \
        for (int i_ = 0; i_ < 3000 && !so_; i_++) {                                                          \
            nap(10);                                                                                         \
            so_ = (what);                                                                                    \
        }                                                                                                    \
        assert_true(so_);                                                                                    \
    } while (0)

static int64_t percent(const struct governor_share *share, int64_t part)
{
    return (part * 1000 / share->total + 5) / 10;
}

static void quotas_follow_the_host(void **state)
{
    (void)state;
    begin();
    until(look().decided > 0);
    struct governor_snapshot s = look();
    assert_int_equal(percent(&s.decision.cpu, s.decision.cpu.quota), 45);
    assert_int_equal(s.decision.memory.quota, 10 * GIB - 1610612736 - 4 * GIB);
    assert_int_equal(s.reserve_cpu, 15);
    assert_true(s.capturing && s.readable && !s.raised);
    assert_int_equal(atomic_load(&allowance.memory), 192 * MIB);
    assert_int_equal(atomic_load(&allowance.level), RANK_SHED + 1);
    assert_false(raised());
    set_host(70, 10 * GIB - 1610612736 - 100 * MIB, false);
    until((s = look(), percent(&s.decision.cpu, s.decision.cpu.quota) == 15));
    until(atomic_load(&allowance.memory) == 100 * MIB);
    assert_false(atomic_load(&allowance.paused));
    /* Nothing is left: nothing is captured, which is told; and then it goes on. */
    set_host(90, 4 * GIB, false);
    until(atomic_load(&allowance.paused));
    until(raised());
    until(look().all.paused > 0);
    assert_int_equal(atomic_load(&yielding.share), 0); /* nor is anything else read that can wait */
    atomic_store(&yielding.rested, 5);
    until(look().rested == 5);
    set_host(10, 4 * GIB, false);
    until(!atomic_load(&allowance.paused));
    until(!raised());
    until(atomic_load(&yielding.share) == YIELDING_ALL);
    assert_true(look().hour.paused > 0);
    assert_int_equal(atomic_load(&allowance.memory), 192 * MIB);
    /* A host that cannot be read is one without anything left. */
    set_host(10, 4 * GIB, true);
    until(atomic_load(&allowance.paused));
    assert_false(look().readable);
    set_host(10, 4 * GIB, false);
    until(!atomic_load(&allowance.paused));
    end();
}

/* This test is the capture thread: it spends all that it can, and sheds as it is told. */
static int64_t spend(int64_t ns, double cost)
{
    int64_t now = clock_monotonic(clock_system()), until_time = now + ns, spent = 0;
    for (int64_t before = now; now < until_time; now = clock_monotonic(clock_system())) {
        /* Of the time that went by: on a busy machine a nap is a long one. */
        int64_t went = now - before < 10 * CLOCK_MILLISECOND ? now - before : 10 * CLOCK_MILLISECOND;
        int64_t turn = (int64_t)((double)went * cost);
        before = now;
        if (atomic_load(&allowance.purse) <= 0) {
            nap(2);
            atomic_fetch_add(&allowance.waited, 2 * CLOCK_MILLISECOND);
            continue;
        }
        nap(2);
        atomic_fetch_sub(&allowance.purse, turn);
        atomic_fetch_add(&allowance.used, turn);
        spent += turn;
    }
    return spent;
}

static void the_purse_holds(void **state)
{
    (void)state;
    begin();
    until(look().decided > 0);
    set_host(82, 4 * GIB, false); /* 3 % of four CPUs: 12 % of one */
    struct governor_snapshot s;
    until((s = look(), percent(&s.decision.cpu, s.decision.cpu.quota) == 3));
    spend(300 * CLOCK_MILLISECOND, 1); /* what was saved up */
    int64_t spent = spend(CLOCK_SECOND, 1);
    assert_true(spent <= CLOCK_SECOND * 12 / 100 * 3 / 2);
    /* And more and more is shed. */
    assert_true(atomic_load(&allowance.level) > RANK_SHED + 1);
    until((spend(100 * CLOCK_MILLISECOND, 1), atomic_load(&allowance.level) > CAPTURE_RANK_MAX / 2));
    until((spend(100 * CLOCK_MILLISECOND, 1), atomic_load(&allowance.paused)));
    assert_true(look().capture_used > 0);
    end();
}

static void what_was_shed_is_remembered(void **state)
{
    (void)state;
    begin();
    until(look().decided > 0);
    struct worker_counters *c = &group.workers[0].counters;
    atomic_store(&c->packets, 1000);
    atomic_store(&c->shed[PROTOCOL_TLS].flows, 5);
    atomic_store(&c->shed[PROTOCOL_TLS].packets, 50);
    atomic_store(&c->shed[PROTOCOL_TLS].bytes, 5000);
    until(look().all.shed[PROTOCOL_TLS].flows == 5);
    assert_int_equal(look().hour.shed[PROTOCOL_TLS].packets, 50);
    assert_int_equal(look().all.shed[PROTOCOL_TLS].bytes, 5000);
    until(raised());
    /* Packets of flows that were given up before are none anew. */
    atomic_store(&c->shed[PROTOCOL_TLS].packets, 60);
    until(!raised());
    until(look().hour.shed[PROTOCOL_TLS].packets == 60);
    assert_int_equal(look().now.shed[PROTOCOL_TLS].flows, 0);
    atomic_store(&c->dropped, 500);
    until(raised());
    assert_int_equal(look().all.dropped, 500);
    end();
}

static void without_capture(void **state)
{
    (void)state;
    struct governor_service_config config = {.reserve_cpu = 30, .period = PERIOD};
    struct fault fault;
    service = governor_service_start(&config, &fault);
    assert_non_null(service);
    until(look().decided > 0);
    struct governor_snapshot s = look();
    assert_false(s.capturing);
    assert_int_equal(s.reserve_cpu, 30);
    assert_int_equal(s.reserve_memory, 15);
    assert_true(s.decision.memory.total > 0);
    governor_service_stop(&service);
    governor_service_stop(&service);
}

static int silence(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotas_follow_the_host),
        cmocka_unit_test(the_purse_holds),
        cmocka_unit_test(what_was_shed_is_remembered),
        cmocka_unit_test(without_capture),
    };
    return cmocka_run_group_tests(tests, silence, NULL);
}
