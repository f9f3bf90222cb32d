/* SPDX-License-Identifier: Apache-2.0
 *
 * Random plans: the same seed is the same world, byte for byte; every kind of fault leaves the fleet whole;
 * a plan that fails becomes small.
 */
#include "unit.h"

#include "sim/shrink.h"
#include "sim/sim.h"

static void a_seed_is_one_plan(void **state)
{
    (void)state;
    struct sim_plan a, b, c;
    assert_true(sim_plan_draw(&a, 11, 0, 0, 24));
    assert_true(sim_plan_draw(&b, 11, 0, 0, 24));
    assert_true(sim_plan_draw(&c, 12, 0, 0, 24));
    assert_int_equal(sim_plan_hash(&a), sim_plan_hash(&b));
    assert_int_not_equal(sim_plan_hash(&a), sim_plan_hash(&c));
    assert_true(a.fault_count > 0);
    for (unsigned i = 0; i < a.fault_count; i++) {
        assert_true(i == 0 || a.faults[i].at >= a.faults[i - 1].at);
        assert_true(a.faults[i].at + a.faults[i].duration <= a.until - 70 * SIM_MINUTE);
    }
    a.faults[0].duration++;
    assert_int_not_equal(sim_plan_hash(&a), sim_plan_hash(&b));
    sim_plan_clear(&a);
    sim_plan_clear(&b);
    sim_plan_clear(&c);
    assert_null(a.faults);
}

static void sizes_are_within_what_was_asked(void **state)
{
    (void)state;
    unsigned small = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct sim_plan plan;
        assert_true(sim_plan_draw(&plan, seed, 0, 0, 0));
        assert_in_range(plan.options.nodes, 2, 60);
        assert_true(plan.until >= 24 * SIM_HOUR);
        small += plan.options.nodes <= 6;
        sim_plan_clear(&plan);
        assert_true(sim_plan_draw(&plan, seed, 7, 9, 6));
        assert_in_range(plan.options.nodes, 7, 9);
        assert_int_equal(plan.until, 6 * SIM_HOUR);
        sim_plan_clear(&plan);
    }
    assert_in_range(small, 180, 270);
}

static void two_runs_of_a_seed_are_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        uint64_t unseed[2];
        for (unsigned run = 0; run < 2; run++) {
            struct sim_plan plan;
            assert_true(sim_plan_draw(&plan, seed, 0, 8, 5));
            struct sim_world *world = sim_plan_run(&plan, NULL, false);
            assert_non_null(world);
            unseed[run] = sim_world_unseed(world);
            sim_world_destroy(&world);
            sim_plan_clear(&plan);
        }
        assert_int_equal(unseed[0], unseed[1]);
    }
}

/* One world for each kind of fault, for ten minutes of it, and a rest. */
static void every_kind_of_fault_is_survived(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < SIM_FAULT_KINDS; kind++) {
        struct sim_options options;
        sim_options_init(&options);
        options.nodes = 5;
        options.sites = 2;
        options.absent = kind == SIM_FAULT_JOIN;
        struct sim_fault fault = {.at = 5 * SIM_MINUTE,
                                  .kind = (enum sim_fault_kind)kind,
                                  .duration = 10 * SIM_MINUTE,
                                  .amount = 60000,
                                  .disk = SIM_DISK_ROLLBACK,
                                  .point = SIM_CRASH_AFTER_PERSIST,
                                  .link = {.latency = 500, .loss = 300000, .twice = 100000, .reorder = true}};
        if (kind == SIM_FAULT_DRIFT)
            fault.amount = 9000;
        if (kind == SIM_FAULT_DEGRADE)
            fault.others.kind = SIM_SET_ALL;
        assert_true(sim_set_add(&fault.nodes, 4, 4));
        struct sim_plan plan = {
            .options = options, .until = 65 * SIM_MINUTE, .faults = &fault, .fault_count = 1};
        struct sim_world *world = sim_plan_run(&plan, NULL, false);
        assert_non_null(world);
        for (unsigned i = 0; i < SIM_INVARIANT_COUNT; i++)
            if (sim_world_verdict(world, i)->violations)
                fail_msg("%s: %s", sim_fault_name(fault.kind), sim_world_verdict(world, i)->text);
        assert_int_equal(sim_domain_active(world, 0, NULL), 1);
        sim_world_destroy(&world);
    }
}

static void hostile_members_gain_nothing(void **state)
{
    (void)state;
    for (unsigned how = 0; how < SIM_HOSTILITY_KINDS; how++) {
        struct sim_options options;
        sim_options_init(&options);
        options.nodes = 6;
        options.candidates = 3;
        struct sim_fault fault = {.at = 5 * SIM_MINUTE,
                                  .kind = SIM_FAULT_HOSTILE,
                                  .duration = 5 * SIM_MINUTE,
                                  .hostility = (enum sim_hostility)how};
        assert_true(sim_set_add(&fault.nodes, 5, 5)); /* no candidate */
        struct sim_plan plan = {
            .options = options, .until = 45 * SIM_MINUTE, .faults = &fault, .fault_count = 1};
        struct sim_world *world = sim_plan_run(&plan, NULL, false);
        assert_non_null(world);
        for (unsigned i = 0; i < SIM_INVARIANT_COUNT; i++)
            if (sim_world_verdict(world, i)->violations)
                fail_msg("%s: %s", sim_hostility_name(fault.hostility), sim_world_verdict(world, i)->text);
        unsigned holder = 99;
        assert_int_equal(sim_domain_active(world, 0, &holder), 1);
        assert_int_not_equal(holder, 5);
        sim_world_destroy(&world);
    }
}

/* A world whose bound for a successor is shorter than the protocol's: a crash violates I6, and nothing else
 * of the plan matters. */
static void a_failing_plan_becomes_small(void **state)
{
    (void)state;
    struct sim_plan plan;
    assert_true(sim_plan_draw(&plan, 21, 6, 6, 5));
    plan.options.liveness = 10 * SIM_MINUTE;
    plan.options.candidates = 2;
    plan.options.domains = 1;
    plan.fault_count = 8;
    for (unsigned i = 0; i < plan.fault_count; i++)
        plan.faults[i] = (struct sim_fault){.at = (10 + i) * SIM_MINUTE,
                                            .kind = SIM_FAULT_JUMP,
                                            .amount = 1000,
                                            .nodes = {.kind = SIM_SET_ALL}};
    plan.faults[5] =
        (struct sim_fault){.at = 15 * SIM_MINUTE, .kind = SIM_FAULT_CRASH, .nodes = {.kind = SIM_SET_HOLDER}};
    unsigned runs = sim_plan_shrink(&plan, SIM_INVARIANT_REPLACED, 120);
    assert_in_range(runs, 2, 120);
    assert_int_equal(plan.fault_count, 1);
    assert_int_equal(plan.faults[0].kind, SIM_FAULT_CRASH);
    assert_true(plan.options.nodes <= 3);
    assert_true(plan.until < 40 * SIM_MINUTE);
    struct sim_world *world = sim_plan_run(&plan, NULL, true);
    assert_non_null(world);
    assert_true(sim_world_verdict(world, SIM_INVARIANT_REPLACED)->violations > 0);
    sim_world_destroy(&world);
    sim_plan_clear(&plan);
}

static void names_have_words(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SIM_INVARIANT_COUNT; i++)
        assert_true(strlen(sim_invariant_label(i)) > 0 && strlen(sim_invariant_doc(i)) > 0);
    assert_string_equal(sim_invariant_label(SIM_INVARIANT_COUNT), "?");
    assert_string_equal(sim_fault_name(SIM_FAULT_CRASH), "crash");
    assert_string_equal(sim_hostility_name(SIM_HOSTILE_FORGE), "forge");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_seed_is_one_plan),
        cmocka_unit_test(sizes_are_within_what_was_asked),
        cmocka_unit_test(two_runs_of_a_seed_are_the_same),
        cmocka_unit_test(every_kind_of_fault_is_survived),
        cmocka_unit_test(hostile_members_gain_nothing),
        cmocka_unit_test(a_failing_plan_becomes_small),
        cmocka_unit_test(names_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
