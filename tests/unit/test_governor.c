/* SPDX-License-Identifier: Apache-2.0
 *
 * The good guest's rule, and what keeps to it between two decisions: the mission's examples to the digit, and
 * hosts whose load is drawn.
 */
#include "capture/value.h"
#include "node/governor.h"
#include "node/pace.h"
#include "tests/unit/packets.h"

#include "unit.h"

#define GIB   (INT64_C(1) << 30)
#define MIB   (INT64_C(1) << 20)
#define SPAN  GOVERNOR_PERIOD
#define CORES 4

static struct governor governor_new(void)
{
    struct governor_config config = {
        .reserve_cpu = 15, .reserve_memory = 15, .memory_most = 192 * MIB, .memory_least = 8 * MIB};
    struct governor governor;
    governor_init(&governor, &config);
    return governor;
}

/* A host of so many percent. */
static struct governor_reading reading_of(int64_t others, int64_t ours, int64_t memory_others)
{
    struct governor_reading reading = {
        .span = SPAN,
        .cpu_ours = SPAN * CORES / 100 * ours,
        .cpu_capture = SPAN * CORES / 100 * ours,
        .memory_ours = 100 * MIB,
        .memory_flows = 60 * MIB,
        .count = 1,
    };
    reading.places[0] = (struct governor_place){
        .cpu_total = SPAN * CORES,
        .cpu_used = SPAN * CORES / 100 * (others + ours),
        .memory_total = 100 * GIB,
        .memory_used = memory_others * GIB + 100 * MIB,
    };
    return reading;
}

static int64_t percent(int64_t ns_per_second)
{
    assert_int_equal(ns_per_second * 100 % (CLOCK_SECOND * CORES), 0);
    return ns_per_second * 100 / (CLOCK_SECOND * CORES);
}

/* Others 40 %: 45 may be used. Others 70 %: 15. Whatever Picket uses meanwhile. */
static void the_worked_examples_hold(void **state)
{
    (void)state;
    for (int64_t ours = 0; ours <= 30; ours += 5) {
        struct governor governor = governor_new();
        struct governor_reading reading = reading_of(40, ours, 40);
        struct governor_decision decision = governor_decide(&governor, &reading);
        assert_int_equal(percent(decision.cpu.quota), 45);
        assert_int_equal(percent(decision.cpu.others), 40);
        assert_int_equal(percent(decision.cpu.ours), ours);
        assert_int_equal(decision.memory.quota, 45 * GIB);
        assert_int_equal(decision.memory.others, 40 * GIB);
        assert_int_equal(decision.capture_memory, 192 * MIB);
        assert_false(decision.paused);
        reading = reading_of(70, ours, 70);
        decision = governor_decide(&governor, &reading);
        assert_int_equal(percent(decision.cpu.quota), 15);
        assert_int_equal(decision.memory.quota, 15 * GIB);
        assert_false(decision.paused);
    }
}

static void nothing_is_left(void **state)
{
    (void)state;
    struct governor governor = governor_new();
    struct governor_reading reading = reading_of(85, 10, 50);
    struct governor_decision decision = governor_decide(&governor, &reading);
    assert_int_equal(decision.cpu.quota, 0);
    assert_int_equal(decision.capture_cpu, 0);
    assert_true(decision.paused);
    /* A little more is not enough to begin again: 1 % of this host's 4 CPUs is. */
    reading = reading_of(84, 0, 50);
    reading.places[0].cpu_used += SPAN * CORES * 9 / 1000;
    assert_true(governor_decide(&governor, &reading).paused);
    reading = reading_of(84, 0, 50);
    assert_false(governor_decide(&governor, &reading).paused);
}

static void what_else_picket_does_comes_first(void **state)
{
    (void)state;
    struct governor governor = governor_new();
    struct governor_reading reading = reading_of(40, 25, 40);
    reading.cpu_capture = SPAN * CORES / 100 * 20;
    assert_int_equal(percent(governor_decide(&governor, &reading).capture_cpu), 40);
    reading = reading_of(80, 10, 40);
    reading.cpu_capture = 0;
    assert_int_equal(governor_decide(&governor, &reading).capture_cpu, 0);
}

/* What can wait: half of the quota where packets are captured, all of it elsewhere, nothing when nothing is
 * left. */
static void what_can_wait_yields(void **state)
{
    (void)state;
    struct governor governor = governor_new();
    struct governor_reading reading = reading_of(60, 0, 40); /* quota 25 */
    reading.cpu_ours = SPAN * CORES / 100 * 10;
    reading.places[0].cpu_used += reading.cpu_ours;
    assert_int_equal(governor_decide(&governor, &reading).share, 1000);
    /* It uses 25 % where 12.5 are its own: half of the time. */
    reading = reading_of(60, 0, 40);
    reading.cpu_ours = SPAN * CORES / 100 * 25;
    reading.places[0].cpu_used += reading.cpu_ours;
    assert_int_equal(governor_decide(&governor, &reading).share, 500);
    assert_int_equal(governor_decide(&governor, &reading).share, 250);
    /* Within its own it stays so, and comes back when it uses little of it. */
    reading = reading_of(60, 0, 40);
    reading.cpu_ours = SPAN * CORES / 100 * 12;
    reading.places[0].cpu_used += reading.cpu_ours;
    assert_int_equal(governor_decide(&governor, &reading).share, 250);
    reading = reading_of(60, 0, 40);
    assert_int_equal(governor_decide(&governor, &reading).share, 500);
    assert_int_equal(governor_decide(&governor, &reading).share, 1000);
    assert_int_equal(governor_decide(&governor, &reading).share, 1000);
    /* The host is in need: of processors, of memory. */
    reading = reading_of(90, 1, 40);
    assert_int_equal(governor_decide(&governor, &reading).share, 0);
    reading = reading_of(20, 0, 40);
    assert_int_equal(governor_decide(&governor, &reading).share, 20);
    assert_int_equal(governor_decide(&governor, &reading).share, 40);
    reading = reading_of(20, 0, 86);
    assert_int_equal(governor_decide(&governor, &reading).share, 0);
    /* Nothing is captured: all of the quota is its own. */
    struct governor_config config = {.reserve_cpu = 15, .reserve_memory = 15};
    governor_init(&governor, &config);
    reading = reading_of(60, 0, 40);
    reading.cpu_ours = SPAN * CORES / 100 * 25;
    reading.places[0].cpu_used += reading.cpu_ours;
    assert_int_equal(governor_decide(&governor, &reading).share, 1000);
}

static void impossible_hosts(void **state)
{
    (void)state;
    struct governor governor = governor_new();
    struct governor_reading nothing = {0}, odd = reading_of(40, 50, 40);
    struct governor_decision decision = governor_decide(&governor, &nothing);
    assert_int_equal(decision.cpu.quota, 0);
    assert_true(decision.paused);
    odd.span = -SPAN;
    assert_int_equal(governor_decide(&governor, &odd).capture_cpu, 0);
    /* More used than there is; and we more than all. */
    odd = reading_of(200, 1, 200);
    assert_int_equal(governor_decide(&governor, &odd).cpu.quota, 0);
    odd = reading_of(0, 0, 0);
    odd.cpu_ours = SPAN * CORES;
    decision = governor_decide(&governor, &odd);
    assert_int_equal(decision.cpu.others, 0);
    assert_int_equal(percent(decision.cpu.quota), 85);
    odd.count = 1000;
    governor_decide(&governor, &odd);
}

/* No configuration makes the reserve less. */
static void the_reserve_is_never_less(void **state)
{
    (void)state;
    for (unsigned asked = 0; asked <= 200; asked += 5) {
        struct governor_config config = {.reserve_cpu = asked, .reserve_memory = asked, .memory_most = GIB};
        struct governor governor;
        governor_init(&governor, &config);
        struct governor_reading reading = reading_of(10, 0, 10);
        struct governor_decision decision = governor_decide(&governor, &reading);
        int64_t reserve = asked < 15 ? 15 : asked > 100 ? 100 : asked;
        int64_t quota = 100 - 10 - reserve > 0 ? 100 - 10 - reserve : 0;
        assert_int_equal(percent(decision.cpu.quota), quota);
        assert_int_equal(decision.memory.quota, quota * GIB);
    }
}

/* A group with a limit is a host within the host. */
static void groups_count(void **state)
{
    (void)state;
    struct governor governor = governor_new();
    struct governor_reading reading = reading_of(40, 5, 40);
    reading.count = 3;
    /* One CPU for the group, of which others in it use half: 35 % of one CPU is left. */
    reading.places[1] = (struct governor_place){.cpu_total = SPAN, .cpu_used = SPAN / 2 + reading.cpu_ours};
    /* 1 GiB, of which others use 100 MiB. */
    reading.places[2] = (struct governor_place){.memory_total = 1000 * MIB, .memory_used = 200 * MIB};
    struct governor_decision decision = governor_decide(&governor, &reading);
    assert_int_equal(decision.cpu.quota, CLOCK_SECOND / 100 * 35);
    assert_int_equal(decision.cpu.place, 1);
    assert_int_equal(percent(decision.cpu.others), 40);
    assert_int_equal(decision.memory.quota, 750 * MIB);
    assert_int_equal(decision.memory.place, 2);
    assert_int_equal(decision.memory.total, 100 * GIB);
}

static void memory_is_given_back_and_taken(void **state)
{
    (void)state;
    struct governor governor = governor_new();
    struct governor_reading reading = reading_of(10, 1, 40);
    assert_int_equal(governor_decide(&governor, &reading).capture_memory, 192 * MIB);
    /* Others take all but 15.1 GiB: 100 MiB are left for Picket, of which 40 are for other things. */
    reading.places[0].memory_used = 85 * GIB - 100 * MIB + reading.memory_ours;
    struct governor_decision decision = governor_decide(&governor, &reading);
    assert_int_equal(decision.memory.quota, 100 * MIB);
    assert_int_equal(decision.capture_memory, 60 * MIB);
    /* A little more changes nothing, much more does. */
    reading.places[0].memory_used -= 2 * MIB;
    assert_int_equal(governor_decide(&governor, &reading).capture_memory, 60 * MIB);
    reading.places[0].memory_used -= 20 * MIB;
    assert_int_equal(governor_decide(&governor, &reading).capture_memory, 82 * MIB);
    /* Not even room for the least: it pauses, the kernel's rings are not counted any more, and it begins
     * again when twice the least is there beside them. */
    reading.memory_rings = 30 * MIB;
    reading.places[0].memory_used = 85 * GIB - 45 * MIB + reading.memory_ours;
    decision = governor_decide(&governor, &reading);
    assert_true(decision.paused);
    assert_int_equal(decision.capture_memory, 8 * MIB);
    reading.memory_ours = 18 * MIB; /* 8 of flows, 10 of other things */
    reading.memory_flows = 8 * MIB;
    reading.places[0].memory_used = 85 * GIB - 55 * MIB + reading.memory_ours;
    assert_true(governor_decide(&governor, &reading).paused); /* 55 - 10 - 30 = 15 */
    reading.places[0].memory_used -= 2 * MIB;
    assert_false(governor_decide(&governor, &reading).paused);
}

static void loss_is_told_and_ends(void **state)
{
    (void)state;
    struct loss loss = {0};
    struct loss_sum fine = {.packets = 1000000}, some = {.packets = 1000000, .flows_shed = 1};
    assert_false(loss_period(&loss, &fine));
    assert_true(loss_period(&loss, &some));
    for (unsigned i = 1; i < LOSS_CLEAR; i++)
        assert_true(loss_period(&loss, &fine));
    assert_false(loss_period(&loss, &fine));
    assert_false(loss_period(&loss, &fine));
    /* One packet in a thousand may be lost by the kernel. */
    struct loss_sum few = {.packets = 1000000, .packets_dropped = 1000};
    assert_false(loss_period(&loss, &few));
    few.packets_dropped++;
    assert_true(loss_period(&loss, &few));
    /* What comes again begins anew to be waited for. */
    loss_period(&loss, &fine);
    loss_period(&loss, &some);
    loss_period(&loss, &fine);
    assert_true(loss_period(&loss, &fine));
    assert_false(loss_period(&loss, &fine));
    struct loss_sum paused = {.paused = true};
    assert_true(loss_period(&loss, &paused));
}

/* --- values --- */

static void values_are_in_order(void **state)
{
    (void)state;
    bool seen[VALUE_MAX + 1] = {false};
    for (unsigned id = 0; id < PROTOCOLS; id++) {
        unsigned value = protocol_value((enum protocol_id)id);
        assert_false(seen[value]);
        seen[value] = true;
        assert_int_equal(protocol_of_value(value), id);
        for (uint64_t hash = 0; hash <= UINT32_MAX; hash += 0x1000000) {
            uint8_t rank = flow_rank((enum protocol_id)id, (uint32_t)hash);
            assert_true(rank > RANK_SHED && rank <= CAPTURE_RANK_MAX);
            assert_int_equal(rank_value(rank), value);
        }
    }
    static const enum protocol_id order[] = {PROTOCOL_NONE,   PROTOCOL_TLS,  PROTOCOL_HTTP,
                                             PROTOCOL_DNS,    PROTOCOL_SMB,  PROTOCOL_LDAP,
                                             PROTOCOL_DCERPC, PROTOCOL_NTLM, PROTOCOL_KERBEROS};
    for (size_t i = 1; i < sizeof(order) / sizeof(order[0]); i++)
        assert_true(protocol_value(order[i]) > protocol_value(order[i - 1]));
    assert_int_equal(protocol_of_value(VALUE_MAX + 1), PROTOCOL_NONE);
    /* A log-on makes a web server's connection valuable; not a file server's, nor one that is given up. */
    assert_int_equal(rank_with_logon(flow_rank(PROTOCOL_HTTP, 5), 5), flow_rank(PROTOCOL_NTLM, 5));
    assert_int_equal(rank_with_logon(flow_rank(PROTOCOL_SMB, 5), 5), flow_rank(PROTOCOL_SMB, 5));
    assert_int_equal(rank_with_logon(RANK_SHED, 5), RANK_SHED);
}

/* --- pace: a simulated sensor --- */

/* Traffic that would cost `load` of a CPU; by its rank, each rank its share, what is shed costs a tenth. */
struct sensor {
    struct pace pace;
    double weights[CAPTURE_RANK_MAX + 1]; /* sum 1 */
    double load;                          /* CPUs */
    double backlog;                       /* of work, in CPU seconds, that waits in the kernel */
    double purse;
    double dropped, used; /* in the last turn */
    uint32_t level;
};

static void sensor_init(struct sensor *sensor, uint64_t *seed)
{
    double sum = 0;
    *sensor = (struct sensor){.level = 1};
    pace_init(&sensor->pace);
    for (unsigned i = 1; i <= CAPTURE_RANK_MAX; i++)
        sum += sensor->weights[i] = (random_next(seed) % 8 == 0) * (double)(1 + random_next(seed) % 100);
    for (unsigned i = 1; i <= CAPTURE_RANK_MAX; i++)
        sensor->weights[i] /= sum;
}

static double cost(const struct sensor *sensor)
{
    double kept = 0;
    for (unsigned i = sensor->level; i <= CAPTURE_RANK_MAX; i++)
        kept += sensor->weights[i];
    return sensor->load * (kept + (1 - kept) * 0.1);
}

static void sensor_turn(struct sensor *sensor, int64_t allowed)
{
    double span = 0.1, most = (double)allowed / 1e9 * span;
    sensor->pace.allowed = allowed;
    sensor->purse = sensor->purse + most > 2 * most ? 2 * most : sensor->purse + most;
    double work = cost(sensor) * span + sensor->backlog, can = work < span ? work : span;
    sensor->used = can < sensor->purse ? can : sensor->purse > 0 ? sensor->purse : 0;
    sensor->purse -= sensor->used;
    sensor->backlog = work - sensor->used;
    sensor->dropped = 0;
    if (sensor->backlog > 1) { /* the ring is full */
        sensor->dropped = sensor->backlog - 1;
        sensor->backlog = 1;
    }
    bool waits = sensor->used < can;
    struct pace_turn turn = {.span = PACE_TURN,
                             .threads = 1,
                             .used = (int64_t)(sensor->used * 1e9),
                             .waited = waits ? (int64_t)((span - sensor->used) * 1e9) : 0};
    sensor->level = pace_step(&sensor->pace, &turn);
    assert_true(sensor->level >= 1 && sensor->level <= CAPTURE_RANK_MAX + 1);
}

/* Enough is allowed: nothing is shed, also when traffic comes in bursts within it. */
static void no_need_no_shed(void **state)
{
    (void)state;
    uint64_t seed = 1;
    struct sensor sensor;
    sensor_init(&sensor, &seed);
    for (int turn = 0; turn < 3000; turn++) {
        sensor.load = turn % 20 < 10 ? 0.42 : 0.1; /* a quota of 45 % of a CPU */
        sensor_turn(&sensor, CLOCK_SECOND / 100 * 45);
        assert_int_equal(sensor.level, 1);
    }
}

/* Three times what is allowed: the least valuable goes within seconds, the rest stays, and the level rests.
 */
static void a_quota_is_met_and_kept(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 60; seed++) {
        uint64_t draws = seed;
        struct sensor sensor;
        sensor_init(&sensor, &draws);
        sensor.load = 0.45 + 0.4 * (double)(seed % 10) / 10;
        double use = 0, low = 1e9, dropped = 0;
        for (int turn = 0; turn < 1200; turn++) {
            sensor_turn(&sensor, CLOCK_SECOND / 100 * 15);
            assert_true(sensor.used <= 2 * 0.015 + 1e-9);
            if (turn < 100) /* the first period */
                continue;
            use += sensor.used;
            dropped += sensor.dropped;
            low = sensor.level < low ? sensor.level : low;
        }
        /* Within what is allowed on the whole, and nothing at random. */
        assert_true(use <= 1100 * 0.015 + 1e-6);
        assert_true(dropped == 0);
        /* More than half of what is allowed is used, unless one step of the level is worth more. */
        sensor.level = (uint32_t)low;
        double before = cost(&sensor);
        assert_true(use >= 1100 * 0.015 * 0.5 || before > 0.15);
    }
}

/* The need ends: within two minutes nothing new is shed. */
static void it_ends(void **state)
{
    (void)state;
    uint64_t seed = 7;
    struct sensor sensor;
    sensor_init(&sensor, &seed);
    sensor.load = 0.9;
    for (int turn = 0; turn < 300; turn++)
        sensor_turn(&sensor, CLOCK_SECOND / 100 * 5);
    assert_true(sensor.level > 1);
    sensor.load = 0.3;
    for (int turn = 0; turn < 1200; turn++)
        sensor_turn(&sensor, CLOCK_SECOND / 100 * 45);
    assert_int_equal(sensor.level, 1);
}

/* Packets come faster than one thread can look: flows go, not packets. */
static void drops_are_no_way_to_save(void **state)
{
    (void)state;
    struct pace pace;
    pace_init(&pace);
    pace.allowed = CLOCK_SECOND * 3;
    struct pace_turn turn = {.span = PACE_TURN, .threads = 1, .used = PACE_TURN / 2};
    for (int i = 0; i < 50; i++)
        assert_int_equal(pace_step(&pace, &turn), 1);
    turn.dropping = true;
    for (int i = 0; i < 50; i++)
        pace_step(&pace, &turn);
    assert_true(pace.level > RANK_FINE);
}

static void more_than_everything(void **state)
{
    (void)state;
    uint64_t seed = 9;
    struct sensor sensor;
    sensor_init(&sensor, &seed);
    sensor.load = 5; /* shedding all still costs half a CPU */
    int turns = 0;
    while (!pace_overwhelmed(&sensor.pace) && turns < 200) {
        sensor_turn(&sensor, CLOCK_SECOND / 100);
        turns++;
    }
    assert_true(turns < 100);
    sensor.load = 0.001;
    sensor.backlog = 0; /* a pause throws it away */
    for (int turn = 0; turn < 100; turn++)
        sensor_turn(&sensor, CLOCK_SECOND / 100);
    assert_false(pace_overwhelmed(&sensor.pace));
}

/* --- a host whose load is drawn: the guarantee --- */

/* From the second period on free CPU is at least the reserve, as long as others leave that much and did not
 * take more since the last reading; and the quota never depends on what Picket did. */
static void the_guarantee_holds_on_any_host(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        uint64_t draws = seed * 1000003;
        struct governor governor = governor_new();
        struct sensor sensor;
        struct loss loss = {0};
        sensor_init(&sensor, &draws);
        int64_t others = 20, allowed = CLOCK_SECOND * CORES * 85 / 100;
        bool paused = false;
        for (int period = 0; period < 60; period++) {
            int64_t before = others;
            if (random_next(&draws) % 3 == 0)
                others = random_next(&draws) % 101;
            sensor.load = (double)(random_next(&draws) % 100) / 100;
            double used = 0;
            for (int turn = 0; turn < 100; turn++) {
                if (paused)
                    sensor.used = 0;
                else
                    sensor_turn(&sensor, allowed);
                used += sensor.used;
            }
            /* One core of four is all that one thread can have. */
            double ours = used / (10.0 * CORES) * 100;
            if (period > 0 && others <= before && others <= 85)
                assert_true(100 - (double)others - ours >= 15 - 0.31); /* the purse's two turns */
            struct governor_reading reading = reading_of(others, 0, 50);
            reading.cpu_ours = reading.cpu_capture = (int64_t)(used * 1e9);
            reading.places[0].cpu_used += reading.cpu_ours;
            struct governor_decision decision = governor_decide(&governor, &reading);
            int64_t quota = others < 85 ? 85 - others : 0;
            assert_true(decision.cpu.quota >= CLOCK_SECOND * CORES / 100 * quota - 1 &&
                        decision.cpu.quota <= CLOCK_SECOND * CORES / 100 * quota + 1);
            allowed = decision.capture_cpu;
            paused = decision.paused;
            assert_true(paused == (quota == 0));
            struct loss_sum sum = {.flows_shed = sensor.level > 1, .packets = 1, .paused = paused};
            assert_true(!(sum.flows_shed || paused) || loss_period(&loss, &sum));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worked_examples_hold),
        cmocka_unit_test(nothing_is_left),
        cmocka_unit_test(what_else_picket_does_comes_first),
        cmocka_unit_test(what_can_wait_yields),
        cmocka_unit_test(impossible_hosts),
        cmocka_unit_test(the_reserve_is_never_less),
        cmocka_unit_test(groups_count),
        cmocka_unit_test(memory_is_given_back_and_taken),
        cmocka_unit_test(loss_is_told_and_ends),
        cmocka_unit_test(values_are_in_order),
        cmocka_unit_test(no_need_no_shed),
        cmocka_unit_test(a_quota_is_met_and_kept),
        cmocka_unit_test(it_ends),
        cmocka_unit_test(drops_are_no_way_to_save),
        cmocka_unit_test(more_than_everything),
        cmocka_unit_test(the_guarantee_holds_on_any_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
