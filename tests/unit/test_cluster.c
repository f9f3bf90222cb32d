/* SPDX-License-Identifier: Apache-2.0
 *
 * The core as a whole: a few nodes, virtual time.
 */
#include "tests/unit/memory_fleet.h"

static void two_nodes_meet(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 2, .candidates = 2, .seed = 1});
    fleet_start_all(f);
    fleet_run(f, 60000);
    assert_true(fleet_converged(f));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(fleet_state(f, i, 1 - i), MEMBER_ONLINE);
        struct cluster_status status;
        cluster_status(f->nodes[i].core, &status);
        assert_int_equal(status.neighbours, 1);
        assert_int_equal(status.support, 1);
        assert_int_equal(status.incarnation, 1);
        assert_int_equal(f->nodes[i].notices[NOTICE_HOSTILE], 0);
        assert_true(status.converged_ago >= 0 && status.converged_ago < 30000);
    }
    fleet_destroy(&f);
}

static void strangers_join_by_a_seed(void **state)
{
    (void)state;
    struct fleet *f =
        fleet_new(&(struct fleet_options){.count = 20, .candidates = 5, .seed = 2, .strangers = true});
    fleet_start_all(f);
    fleet_run(f, 60000);
    assert_true(fleet_converged(f));
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(cluster_member_count(f->nodes[i].core), 20);
        struct cluster_status status;
        cluster_status(f->nodes[i].core, &status);
        assert_int_equal(status.online, 20);
        assert_true(status.neighbours >= 3 && status.neighbours <= 7);
    }
    fleet_destroy(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_nodes_meet),
        cmocka_unit_test(strangers_join_by_a_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
