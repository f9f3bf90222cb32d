/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulator's ground: random numbers, the wheel, sets of nodes, clocks and links of a small world.
 */
#include "unit.h"

#include <stdlib.h>

#include "sim/random.h"
#include "sim/sim.h"
#include "sim/wheel.h"

static void random_is_stateless_and_even(void **state)
{
    (void)state;
    assert_int_equal(sim_random(1, STREAM_LOSS, 2, 3, 4), sim_random(1, STREAM_LOSS, 2, 3, 4));
    assert_int_not_equal(sim_random(1, STREAM_LOSS, 2, 3, 4), sim_random(1, STREAM_LOSS, 2, 3, 5));
    assert_int_not_equal(sim_random(1, STREAM_LOSS, 2, 3, 4), sim_random(1, STREAM_LOSS, 3, 2, 4));
    assert_int_not_equal(sim_random(1, STREAM_LOSS, 2, 3, 4), sim_random(1, STREAM_TWICE, 2, 3, 4));
    unsigned count[10] = {0}, hits = 0;
    for (uint64_t n = 0; n < 100000; n++) {
        uint64_t random = sim_random(7, STREAM_LATENCY, 0, 1, n);
        count[sim_random_below(random, 10)]++;
        hits += sim_random_chance(random, 250000) != 0;
    }
    for (unsigned i = 0; i < 10; i++)
        assert_in_range(count[i], 9500, 10500);
    assert_in_range(hits, 24400, 25600);
}

static void random_bytes_fill_exactly(void **state)
{
    (void)state;
    uint8_t bytes[21];
    memset(bytes, 0xaa, sizeof bytes);
    sim_random_bytes(5, bytes, 20);
    assert_int_equal(bytes[20], 0xaa);
    uint8_t same[20];
    sim_random_bytes(5, same, sizeof same);
    assert_bytes_equal(bytes, same, sizeof same);
}

static void hashes_tell_lengths_and_places(void **state)
{
    (void)state;
    static const uint8_t zeros[16];
    assert_int_not_equal(sim_mix_bytes(1, zeros, 8), sim_mix_bytes(1, zeros, 9));
    assert_int_not_equal(sim_mix_bytes(1, "ab", 2), sim_mix_bytes(1, "ba", 2));
    assert_int_equal(sim_mix_bytes(1, "abcdefghij", 10), sim_mix_bytes(1, "abcdefghij", 10));
}

static void wheel_is_a_total_order(void **state)
{
    (void)state;
    struct wheel *wheel = malloc(sizeof *wheel);
    assert_non_null(wheel);
    wheel_init(wheel);
    /* Near ones and far ones, two of a time each: the order of adding decides. */
    static const int64_t times[] = {5, 100000, 5, 4095, 4096, 100000, 0, 9000000, 4096};
    static const uint32_t order[] = {6, 0, 2, 3, 4, 8, 1, 5, 7};
    for (uint32_t i = 0; i < 9; i++) {
        struct sim_event event = {.a = i};
        assert_true(wheel_add(wheel, times[i], &event));
    }
    struct sim_event event;
    for (uint32_t i = 0; i < 9; i++) {
        assert_true(wheel_take(wheel, 10000000, &event));
        assert_int_equal(event.a, order[i]);
        assert_int_equal(wheel->now, times[order[i]]);
    }
    assert_false(wheel_take(wheel, 10000000, &event));
    assert_int_equal(wheel->now, 10000000);
    assert_true(wheel_memory(wheel) > 0);
    wheel_clear(wheel);
    free(wheel);
}

static void wheel_adds_the_past_now(void **state)
{
    (void)state;
    struct wheel *wheel = malloc(sizeof *wheel);
    assert_non_null(wheel);
    wheel_init(wheel);
    struct sim_event event = {.a = 1};
    assert_false(wheel_take(wheel, 500, &event));
    for (uint32_t i = 0; i < 3000; i++) {
        struct sim_event late = {.a = i};
        assert_true(wheel_add(wheel, 100, &late));
    }
    for (uint32_t i = 0; i < 3000; i++) {
        assert_true(wheel_take(wheel, 500, &event));
        assert_int_equal(event.a, i);
    }
    assert_false(wheel_take(wheel, 500, &event));
    wheel_clear(wheel);
    free(wheel);
}

static void sets_melt_ranges(void **state)
{
    (void)state;
    struct sim_set set = {.kind = SIM_SET_RANGE};
    assert_true(sim_set_add(&set, 5, 6));
    assert_true(sim_set_add(&set, 1, 2));
    assert_true(sim_set_add(&set, 9, 9));
    assert_int_equal(set.count, 3);
    assert_true(sim_set_add(&set, 3, 4));
    assert_int_equal(set.count, 2);
    assert_int_equal(set.range[0].first, 1);
    assert_int_equal(set.range[0].last, 6);
    assert_true(sim_set_has(&set, 4) && sim_set_has(&set, 9));
    assert_false(sim_set_has(&set, 7) || sim_set_has(&set, 0));
    struct sim_set full = {.kind = SIM_SET_RANGE};
    for (uint32_t i = 0; i < SIM_SET_RANGES; i++)
        assert_true(sim_set_add(&full, 3 * i, 3 * i));
    assert_false(sim_set_add(&full, 1000, 1000));
    assert_int_equal(full.count, SIM_SET_RANGES);
}

struct tally {
    unsigned starts, ends, faults, delivered, sent;
};

static void tell_process(void *context, int64_t time, unsigned node, bool up)
{
    (void)time, (void)node;
    struct tally *tally = context;
    up ? tally->starts++ : tally->ends++;
}

static void tell_fault(void *context, int64_t time, const struct sim_fault *fault, bool over,
                       const uint32_t *nodes, unsigned count)
{
    (void)time, (void)fault, (void)over, (void)nodes, (void)count;
    ((struct tally *)context)->faults++;
}

static void tell_message(void *context, int64_t time, unsigned from, unsigned to, bool delivered,
                         struct bytes message)
{
    (void)time, (void)from, (void)to, (void)message;
    struct tally *tally = context;
    delivered ? tally->delivered++ : tally->sent++;
}

static struct sim_world *small_world(unsigned nodes, struct tally *tally)
{
    struct sim_options options;
    sim_options_init(&options);
    options.nodes = nodes;
    options.candidates = 2;
    struct sim_observer observer = {
        .context = tally, .process = tell_process, .fault = tell_fault, .message = tell_message};
    return sim_world_new(&options, &observer);
}

static void a_small_fleet_elects_and_agrees(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct sim_world *world = small_world(4, &tally);
    assert_non_null(world);
    assert_true(sim_world_run(world, 10 * SIM_MINUTE));
    unsigned holder;
    assert_int_equal(sim_domain_active(world, 0, &holder), 1);
    assert_true(sim_node_candidate(world, holder, 0));
    assert_int_equal(sim_world_agreement(world), 1000000);
    assert_int_equal(tally.starts, 4);
    assert_true(tally.delivered > 100 && tally.delivered <= tally.sent);
    struct sim_stats stats;
    sim_world_stats(world, &stats);
    assert_true(stats.batches_accepted > 5);
    assert_int_equal(stats.starts, 4);
    sim_world_destroy(&world);
    assert_null(world);
}

static void a_crash_takes_its_time_and_ends(void **state)
{
    (void)state;
    struct tally tally = {0};
    struct sim_world *world = small_world(4, &tally);
    assert_non_null(world);
    struct sim_fault crash = {.at = 5 * SIM_MINUTE, .kind = SIM_FAULT_CRASH, .duration = SIM_MINUTE};
    assert_true(sim_set_add(&crash.nodes, 3, 3));
    assert_true(sim_world_inject(world, &crash));
    sim_world_run(world, 5 * SIM_MINUTE + 1);
    assert_false(sim_node_running(world, 3));
    assert_null(sim_node_core(world, 3));
    sim_world_run(world, 6 * SIM_MINUTE + 1);
    assert_true(sim_node_running(world, 3));
    assert_int_equal(tally.faults, 2);
    assert_int_equal(tally.starts, 5);
    assert_int_equal(tally.ends, 1);
    sim_world_destroy(&world);
}

static unsigned online_at(struct sim_world *world, unsigned node)
{
    struct cluster_status status;
    cluster_status(sim_node_core(world, node), &status);
    return status.online;
}

static void a_cut_parts_and_heals(void **state)
{
    (void)state;
    struct sim_world *world = small_world(4, &(struct tally){0});
    assert_non_null(world);
    struct sim_fault cut = {.at = 5 * SIM_MINUTE,
                            .kind = SIM_FAULT_CUT,
                            .others = {.kind = SIM_SET_REST},
                            .duration = 20 * SIM_MINUTE};
    assert_true(sim_set_add(&cut.nodes, 0, 1));
    assert_true(sim_world_inject(world, &cut));
    sim_world_run(world, 5 * SIM_MINUTE);
    assert_int_equal(online_at(world, 0), 4);
    sim_world_run(world, 15 * SIM_MINUTE);
    assert_int_equal(online_at(world, 0), 2);
    assert_int_equal(online_at(world, 3), 2);
    assert_true(sim_world_run(world, 35 * SIM_MINUTE));
    assert_int_equal(online_at(world, 0), 4);
    assert_int_equal(online_at(world, 3), 4);
    assert_int_equal(sim_world_agreement(world), 1000000);
    sim_world_destroy(&world);
}

static void a_pause_loses_time_but_no_member(void **state)
{
    (void)state;
    static const enum sim_fault_kind kinds[] = {SIM_FAULT_PAUSE, SIM_FAULT_SUSPEND, SIM_FAULT_FREEZE};
    for (unsigned i = 0; i < 3; i++) {
        struct sim_world *world = small_world(3, &(struct tally){0});
        assert_non_null(world);
        struct sim_fault pause = {.at = 5 * SIM_MINUTE, .kind = kinds[i], .duration = 10 * SIM_MINUTE};
        assert_true(sim_set_add(&pause.nodes, 1, 1));
        assert_true(sim_world_inject(world, &pause));
        sim_world_run(world, 6 * SIM_MINUTE);
        assert_false(sim_node_running(world, 1));
        assert_true(sim_world_run(world, 20 * SIM_MINUTE));
        assert_true(sim_node_running(world, 1));
        assert_int_equal(online_at(world, 1), 3);
        sim_world_destroy(&world);
    }
}

static void libsodium_does_the_same(void **state)
{
    (void)state;
    struct sim_options options;
    sim_options_init(&options);
    options.nodes = 3;
    options.real_crypto = true;
    struct sim_world *world = sim_world_new(&options, NULL);
    assert_non_null(world);
    assert_true(sim_world_run(world, 5 * SIM_MINUTE));
    assert_int_equal(sim_domain_active(world, 0, NULL), 1);
    sim_world_destroy(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_is_stateless_and_even),    cmocka_unit_test(random_bytes_fill_exactly),
        cmocka_unit_test(hashes_tell_lengths_and_places),  cmocka_unit_test(wheel_is_a_total_order),
        cmocka_unit_test(wheel_adds_the_past_now),         cmocka_unit_test(sets_melt_ranges),
        cmocka_unit_test(a_small_fleet_elects_and_agrees), cmocka_unit_test(a_crash_takes_its_time_and_ends),
        cmocka_unit_test(a_cut_parts_and_heals),           cmocka_unit_test(a_pause_loses_time_but_no_member),
        cmocka_unit_test(libsodium_does_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
