/* SPDX-License-Identifier: Apache-2.0
 *
 * The governor at work on a host that this test makes up, with a capture thread and a clock that are this
 * test: what it is told, what it must not exceed, what is remembered, health issue 1013. With its own thread
 * and real time, only that it works at all.
 */
#include "base/log.h"
#include "capture/value.h"
#include "node/governor_service.h"
#include "node/pace.h"

#include "unit.h"

#include <time.h>

#define GIB    (INT64_C(1) << 30)
#define MIB    (INT64_C(1) << 20)
#define CPUS   4
#define SLICE  (2 * CLOCK_MILLISECOND) /* of a capture thread between two looks at its purse */
#define PERIOD (200 * CLOCK_MILLISECOND)

/* --- a host --- */

static struct clock_manual clock_of_test;

static struct {
    int64_t others; /* percent */
    int64_t memory_others;
    int64_t busy; /* the others' part of all CPU time so far */
    bool broken;
} host;

static void advance(int64_t ns)
{
    clock_manual_advance(&clock_of_test, ns);
    host.busy += ns * CPUS / 100 * host.others;
}

static bool sample(void *context, struct host_sample *to)
{
    (void)context;
    *to = (struct host_sample){
        .time = clock_of_test.monotonic,
        .cpu = {.total = clock_of_test.monotonic * CPUS, .busy = host.busy},
        .memory = {.total = 10 * GIB, .available = 10 * GIB - host.memory_others},
    };
    return !host.broken;
}

static void set_host(int64_t others, int64_t memory_others, bool broken)
{
    host.others = others;
    host.memory_others = memory_others;
    host.broken = broken;
}

/* --- a node --- */

static struct capture_group group;
static struct capture_allowance allowance;
static struct yielding yielding;
static struct health *health;
static struct governor_service *service;
static const struct host_source source = {.sample = sample};

static struct governor_snapshot look(void)
{
    struct governor_snapshot snapshot;
    governor_service_snapshot(service, &snapshot);
    return snapshot;
}

static struct governor_service_config configuration(void)
{
    group = (struct capture_group){.workers_count = 1};
    group.workers[0].ring = ring_new(1 << 16);
    capture_allowance_init(&allowance);
    yielding_init(&yielding);
    return (struct governor_service_config){
        .capture = &group,
        .allowance = &allowance,
        .memory_limit = 192 * MIB,
        .ring_bytes = 0,
        .health = health = health_new(),
        .yielding = &yielding,
    };
}

static void begin(void)
{
    struct governor_service_config config = configuration();
    struct fault fault;
    clock_manual_init(&clock_of_test, 1700000000 * CLOCK_SECOND);
    host.busy = 0;
    set_host(40, 4 * GIB, false);
    config.host = &source;
    config.clock = &clock_of_test.clock;
    service = governor_service_new(&config, &fault);
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

static void turn(void)
{
    advance(PACE_TURN);
    governor_service_step(service);
}

/* Until the next decision. */
static struct governor_snapshot period(void)
{
    int64_t before = look().decided;
    for (int64_t passed = 0; look().decided == before; passed += PACE_TURN) {
        assert_true(passed < GOVERNOR_PERIOD);
        turn();
    }
    return look();
}

/* Lets time pass until it is so. */
#define until(what)                                                                                          \
    do {                                                                                                     \
        for (int i_ = 0; i_ < 1000 && !(what); i_++)                                                         \
            turn();                                                                                          \
        assert_true(what);                                                                                   \
    } while (0)

static int64_t percent(const struct governor_share *share, int64_t part)
{
    return (part * 1000 / share->total + 5) / 10;
}

static void quotas_follow_the_host(void **state)
{
    (void)state;
    begin();
    assert_int_equal(look().decided, 0);
    struct governor_snapshot s = period();
    assert_int_equal(clock_of_test.monotonic, CLOCK_SECOND); /* the first soon */
    assert_int_equal(s.decided, clock_of_test.wall);
    assert_int_equal(percent(&s.decision.cpu, s.decision.cpu.quota), 45);
    assert_int_equal(s.decision.memory.quota, 10 * GIB - 1610612736 - 4 * GIB);
    assert_int_equal(s.reserve_cpu, 15);
    assert_true(s.capturing && s.readable && !s.raised);
    assert_int_equal(atomic_load(&allowance.memory), 192 * MIB);
    assert_int_equal(atomic_load(&allowance.level), RANK_SHED + 1);
    assert_false(raised());
    set_host(70, 10 * GIB - 1610612736 - 100 * MIB, false);
    s = period();
    assert_int_equal(clock_of_test.monotonic, CLOCK_SECOND + GOVERNOR_PERIOD);
    assert_int_equal(percent(&s.decision.cpu, s.decision.cpu.quota), 15);
    assert_int_equal(atomic_load(&allowance.memory), 100 * MIB);
    assert_false(atomic_load(&allowance.paused));
    /* Nothing is left: nothing is captured, which is told; and then it goes on. */
    set_host(90, 4 * GIB, false);
    period();
    assert_true(atomic_load(&allowance.paused));
    assert_false(raised());
    s = period();
    assert_true(raised());
    assert_int_equal(s.all.paused, GOVERNOR_PERIOD);
    assert_int_equal(atomic_load(&yielding.share), 0); /* nor is anything else read that can wait */
    atomic_store(&yielding.rested, 5);
    assert_int_equal(period().rested, 5);
    set_host(10, 4 * GIB, false);
    until(!atomic_load(&allowance.paused));
    until(!raised());
    until(atomic_load(&yielding.share) == YIELDING_ALL);
    until(atomic_load(&allowance.memory) == 192 * MIB);
    s = look();
    assert_true(s.hour.paused >= 3 * GOVERNOR_PERIOD);
    assert_int_equal(s.hour.paused, s.all.paused);
    assert_int_equal(s.now.paused, 0);
    /* A host that cannot be read is one without anything left. */
    set_host(10, 4 * GIB, true);
    assert_false(period().readable);
    assert_true(atomic_load(&allowance.paused));
    set_host(10, 4 * GIB, false);
    until(!atomic_load(&allowance.paused));
    assert_true(look().readable);
    end();
}

/* This test is the capture thread: it spends all that it can, and waits when it must. */
static int64_t spend(int64_t ns)
{
    int64_t spent = 0;
    for (; ns > 0; ns -= SLICE) {
        advance(SLICE);
        if (atomic_load(&allowance.purse) <= 0) {
            atomic_fetch_add(&allowance.waited, SLICE);
        } else {
            atomic_fetch_sub(&allowance.purse, SLICE);
            atomic_fetch_add(&allowance.used, SLICE);
            spent += SLICE;
        }
        if (clock_of_test.monotonic % PACE_TURN == 0)
            governor_service_step(service);
    }
    return spent;
}

static void the_purse_holds(void **state)
{
    (void)state;
    begin();
    set_host(82, 4 * GIB, false); /* 3 % of four CPUs: 12 % of one */
    struct governor_snapshot s = period();
    assert_int_equal(percent(&s.decision.cpu, s.decision.cpu.quota), 3);
    spend(300 * CLOCK_MILLISECOND); /* what was saved up */
    int64_t spent = spend(CLOCK_SECOND);
    assert_in_range(spent, CLOCK_SECOND * 10 / 100, CLOCK_SECOND * 12 / 100 + SLICE);
    /* And more and more is shed: all of it within ten seconds; and when that is too much, nothing is
     * captured. */
    uint32_t level = atomic_load(&allowance.level);
    assert_true(level > RANK_SHED + 1);
    assert_int_equal(look().level, level);
    assert_false(atomic_load(&allowance.paused));
    spent = spend(5 * CLOCK_SECOND);
    assert_in_range(spent, CLOCK_SECOND * 10 / 100, 5 * CLOCK_SECOND * 12 / 100 + SLICE);
    assert_true(atomic_load(&allowance.level) > CAPTURE_RANK_MAX);
    assert_true(atomic_load(&allowance.paused));
    assert_true(period().capture_used > CLOCK_SECOND * 5 / 100);
    /* The next period begins anew. */
    assert_false(atomic_load(&allowance.paused));
    end();
}

/* A burst after a quiet time is not paid from all that was saved. */
static void little_is_saved_up(void **state)
{
    (void)state;
    begin();
    set_host(82, 4 * GIB, false);
    period();
    period();
    int64_t purse = atomic_load(&allowance.purse);
    assert_in_range(purse, 1, 2 * PACE_TURN * 12 / 100 + CLOCK_MILLISECOND);
    /* Nor after a time in which the governor did not get a processor. */
    advance(CLOCK_SECOND);
    governor_service_step(service);
    assert_int_equal(atomic_load(&allowance.purse), purse);
    end();
}

static void what_was_shed_is_remembered(void **state)
{
    (void)state;
    begin();
    period();
    struct worker_counters *c = &group.workers[0].counters;
    atomic_store(&c->packets, 1000);
    atomic_store(&c->shed[PROTOCOL_TLS].flows, 5);
    atomic_store(&c->shed[PROTOCOL_TLS].packets, 50);
    atomic_store(&c->shed[PROTOCOL_TLS].bytes, 5000);
    struct governor_snapshot s = period();
    assert_int_equal(s.all.shed[PROTOCOL_TLS].flows, 5);
    assert_int_equal(s.hour.shed[PROTOCOL_TLS].packets, 50);
    assert_int_equal(s.all.shed[PROTOCOL_TLS].bytes, 5000);
    assert_true(raised());
    /* Packets of flows that were given up before are none anew. */
    atomic_store(&c->shed[PROTOCOL_TLS].packets, 60);
    s = period();
    assert_int_equal(s.hour.shed[PROTOCOL_TLS].packets, 60);
    assert_int_equal(s.now.shed[PROTOCOL_TLS].flows, 0);
    assert_true(raised());
    until(!raised());
    atomic_store(&c->dropped, 500);
    s = period();
    assert_true(raised());
    assert_int_equal(s.all.dropped, 500);
    /* After an hour it is no longer of that hour. */
    for (int64_t passed = 0; passed < CLOCK_HOUR + CLOCK_MINUTE; passed += GOVERNOR_PERIOD)
        s = period();
    assert_int_equal(s.hour.dropped, 0);
    assert_int_equal(s.hour.shed[PROTOCOL_TLS].flows, 0);
    assert_int_equal(s.all.dropped, 500);
    assert_int_equal(s.all.shed[PROTOCOL_TLS].packets, 60);
    end();
}

static void another_reserve(void **state)
{
    (void)state;
    begin();
    period();
    governor_service_reserve(service, 30, 5);
    struct governor_snapshot s = period();
    assert_int_equal(percent(&s.decision.cpu, s.decision.cpu.quota), 30);
    assert_int_equal(s.reserve_cpu, 30);
    assert_int_equal(s.reserve_memory, GOVERNOR_RESERVE_MIN);
    end();
}

/* --- its own thread, on this machine, in real time: no more than that it turns and decides --- */

/* Waits, for minutes if need be, until it is so. */
#define wait_until(what)                                                                                     \
    do {                                                                                                     \
        for (int i_ = 0; i_ < 20000 && !(what); i_++)                                                        \
            nanosleep(&(struct timespec){.tv_nsec = 10 * CLOCK_MILLISECOND}, NULL);                          \
        assert_true(what);                                                                                   \
    } while (0)

static void a_thread_of_its_own(void **state)
{
    (void)state;
    struct governor_service_config config = configuration();
    struct fault fault;
    config.period = PERIOD;
    service = governor_service_start(&config, &fault);
    assert_non_null(service);
    wait_until(look().decided > 0);
    assert_true(look().capturing && look().readable);
    /* The purse, which was without end, was filled; what is used is taken. */
    wait_until(atomic_load(&allowance.purse) < CLOCK_MINUTE);
    atomic_fetch_add(&allowance.used, CLOCK_MILLISECOND);
    wait_until(atomic_load(&allowance.used) == 0);
    atomic_store(&group.workers[0].counters.dropped, 500);
    wait_until(look().all.dropped == 500);
    end();
}

/* --- another process of ours --- */

static void use(void *context, int64_t *cpu, uint64_t *memory)
{
    int64_t *from = context;
    *cpu = (clock_of_test.monotonic - *from) / 2; /* half of a processor */
    *memory = (uint64_t)(50 * MIB);
}

static void helpers_are_ours(void **state)
{
    (void)state;
    struct governor_service_config config = configuration();
    struct fault fault;
    clock_manual_init(&clock_of_test, 1700000000 * CLOCK_SECOND);
    int64_t from = clock_of_test.monotonic;
    host.busy = 0;
    set_host(40, 4 * GIB, false);
    config.host = &source;
    config.clock = &clock_of_test.clock;
    config.period = PERIOD;
    config.helpers = use;
    config.helpers_context = &from;
    service = governor_service_new(&config, &fault);
    assert_non_null(service);
    while (look().decided == 0 || look().decision.cpu.ours == 0) {
        advance(PERIOD);
        governor_service_step(service);
    }
    assert_int_equal(look().decision.cpu.ours, CLOCK_SECOND / 2);
    assert_int_equal(look().decision.memory.ours, 50 * MIB);
    end();
}

static void without_capture(void **state)
{
    (void)state;
    struct governor_service_config config = {.reserve_cpu = 30, .period = PERIOD};
    struct fault fault;
    service = governor_service_start(&config, &fault);
    assert_non_null(service);
    wait_until(look().decided > 0);
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
        cmocka_unit_test(quotas_follow_the_host), cmocka_unit_test(the_purse_holds),
        cmocka_unit_test(little_is_saved_up),     cmocka_unit_test(what_was_shed_is_remembered),
        cmocka_unit_test(another_reserve),        cmocka_unit_test(a_thread_of_its_own),
        cmocka_unit_test(without_capture),        cmocka_unit_test(helpers_are_ours),
    };
    return cmocka_run_group_tests(tests, silence, NULL);
}
