/* SPDX-License-Identifier: Apache-2.0
 *
 * The overlay: who becomes whose neighbour, in plain fleets and in awkward ones.
 */
#include "cluster/core.h"
#include "tests/unit/memory_fleet.h"
#include "tests/unit/unit.h"

static unsigned outside_links(const struct fleet *f, unsigned number)
{
    unsigned count = 0;
    struct cluster_peer_view peer;
    for (unsigned i = 0; cluster_peer_at(f->nodes[number].core, i, &peer); i++)
        count += peer.active && peer.outside;
    return count;
}

static unsigned mark(const struct fleet *f, unsigned from, bool *seen)
{
    unsigned count = 1;
    seen[from] = true;
    struct cluster_peer_view peer;
    for (unsigned i = 0; cluster_peer_at(f->nodes[from].core, i, &peer); i++) {
        unsigned to = fleet_find(f, &peer.id);
        if (peer.active && to != UINT32_MAX && !seen[to])
            count += mark(f, to, seen);
    }
    return count;
}

/* Whether everybody can be reached along links, and who is a neighbour is one on both sides. */
static void links_are_whole(const struct fleet *f)
{
    bool *seen = calloc(f->options.count, sizeof *seen);
    unsigned up = 0, first = 0;
    for (unsigned i = 0; i < f->options.count; i++) {
        if (f->nodes[i].up && up++ == 0)
            first = i;
        struct cluster_peer_view peer;
        for (unsigned k = 0; f->nodes[i].up && cluster_peer_at(f->nodes[i].core, k, &peer); k++) {
            unsigned to = fleet_find(f, &peer.id);
            if (!peer.active || !f->nodes[to].up)
                continue;
            struct cluster_member_view view;
            assert_true(cluster_member_find(f->nodes[to].core, &f->nodes[i].id, &view));
            assert_true(view.neighbour);
        }
    }
    assert_int_equal(mark(f, first, seen), up);
    free(seen);
}

static void five_links_two_of_them_outside(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){
        .count = 60, .candidates = 10, .sites = 3, .seed = 70, .sensors_silent = true});
    fleet_start_all(f);
    fleet_run(f, 300000);
    unsigned sum = 0;
    for (unsigned i = 0; i < 60; i++) {
        unsigned links = fleet_status(f, i).neighbours;
        assert_true(links >= 3 && links <= 8);
        assert_true(outside_links(f, i) >= 1);
        sum += links;
    }
    assert_true(sum >= 60 * 4 && sum <= 60 * 6);
    links_are_whole(f);
    fleet_destroy(&f);
}

static void the_dead_are_replaced(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 30, .candidates = 30, .seed = 71});
    fleet_start_all(f);
    fleet_run(f, 120000);
    for (unsigned i = 0; i < 15; i++)
        fleet_kill(f, i);
    fleet_run(f, 180000);
    for (unsigned i = 15; i < 30; i++)
        assert_true(fleet_status(f, i).neighbours >= 3);
    links_are_whole(f);
    fleet_destroy(&f);
}

/* A peer that says nothing although its connection stands is asked, and given up. */
static bool but_zero_and_one(const struct fleet *f, unsigned from, unsigned to)
{
    (void)f;
    return !(from == 0 && to == 1) && !(from == 1 && to == 0);
}

static void silent_links_are_given_up(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 4, .candidates = 4, .seed = 72});
    fleet_start_all(f);
    fleet_run(f, 60000);
    struct cluster_member_view view;
    assert_true(cluster_member_find(f->nodes[0].core, &f->nodes[1].id, &view));
    assert_true(view.neighbour);
    f->passes = but_zero_and_one;
    fleet_run(f, 75000);
    assert_true(cluster_member_find(f->nodes[0].core, &f->nodes[1].id, &view));
    assert_false(view.neighbour);
    assert_int_equal(view.state, MEMBER_ONLINE); /* by way of the others */
    fleet_run(f, 300000);
    assert_int_equal(fleet_notices(f, NOTICE_MEMBER_OFFLINE), 0);
    f->passes = NULL;
    fleet_run(f, 120000);
    assert_true(cluster_member_find(f->nodes[0].core, &f->nodes[1].id, &view));
    assert_true(view.neighbour);
    fleet_destroy(&f);
}

/* Hub and spokes: site 0 reaches everybody; the others reach only their own site and site 0. */
static bool spokes_by_the_hub(const struct fleet *f, unsigned from, unsigned to)
{
    unsigned a = from % f->options.sites, b = to % f->options.sites;
    return a == b || a == 0 || b == 0;
}

static void spokes_converge_by_the_hub(void **state)
{
    (void)state;
    struct fleet *f =
        fleet_new(&(struct fleet_options){.count = 48, .candidates = 8, .sites = 8, .seed = 73});
    f->passes = spokes_by_the_hub;
    fleet_start_all(f);
    fleet_run(f, 300000);
    assert_true(fleet_converged(f));
    links_are_whole(f);
    for (unsigned i = 0; i < 48; i++)
        assert_int_equal(fleet_status(f, i).online, 48);
    unsigned offline = fleet_notices(f, NOTICE_MEMBER_OFFLINE);
    fleet_run(f, 1200000);
    assert_int_equal(fleet_notices(f, NOTICE_MEMBER_OFFLINE), offline);
    fleet_destroy(&f);
}

/* Only the hub can be dialled: firewalls. */
static bool only_inwards(const struct fleet *f, unsigned from, unsigned to)
{
    (void)f;
    (void)from;
    return to == 0;
}

static bool star(const struct fleet *f, unsigned from, unsigned to)
{
    (void)f;
    return from == 0 || to == 0;
}

static void one_that_can_be_dialled_is_enough(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 6, .candidates = 6, .seed = 74});
    f->dialable = only_inwards;
    f->passes = star;
    fleet_start_all(f);
    fleet_run(f, 300000);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(fleet_status(f, i).online, 6);
    assert_true(fleet_converged(f));
    fleet_destroy(&f);
}

/* A newcomer among nodes that have all the links they want. */
static void the_lonely_are_let_in(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 41, .candidates = 5, .seed = 75});
    for (unsigned i = 0; i < 40; i++)
        fleet_start(f, i);
    fleet_run(f, 120000);
    fleet_start(f, 40);
    fleet_run(f, 6000);
    assert_true(fleet_status(f, 40).neighbours >= 1);
    fleet_run(f, 30000);
    assert_true(fleet_status(f, 40).neighbours >= 3);
    links_are_whole(f);
    fleet_destroy(&f);
}

static void links_change_in_time(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){
        .count = 30, .candidates = 4, .sites = 2, .seed = 76, .sensors_silent = true});
    fleet_start_all(f);
    fleet_run(f, 300000);
    struct cluster_peer_view peer;
    assert_true(cluster_peer_at(f->nodes[9].core, 0, &peer));
    int64_t oldest = peer.since;
    fleet_run(f, 7200000);
    for (unsigned i = 0; cluster_peer_at(f->nodes[9].core, i, &peer); i++)
        assert_true(peer.since > oldest);
    for (unsigned i = 0; i < 30; i++)
        assert_true(fleet_status(f, i).neighbours >= 3);
    links_are_whole(f);
    fleet_destroy(&f);
}

static bool within_halves(const struct fleet *f, unsigned from, unsigned to)
{
    return from % 2 == to % 2 || !f->options.count;
}

static unsigned links_between_halves(const struct fleet *f)
{
    unsigned between = 0;
    struct cluster_peer_view peer;
    for (unsigned i = 0; i < f->options.count; i++)
        for (unsigned k = 0; cluster_peer_at(f->nodes[i].core, k, &peer); k++)
            between += peer.active && fleet_find(f, &peer.id) % 2 != i % 2;
    return between;
}

/* While they were cut off from each other both halves found all the links that they want; with no other site
 * to look for, nothing but a bridge ever brings them together again. */
static void halves_grow_together(int64_t cut, unsigned seed)
{
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 12, .candidates = 12, .seed = seed});
    fleet_start_all(f);
    fleet_run(f, 300000);
    f->passes = within_halves;
    fleet_run(f, cut);
    f->passes = NULL;
    fleet_run(f, 180000);
    assert_true(links_between_halves(f) > 0);
    links_are_whole(f);
    unsigned offline = fleet_notices(f, NOTICE_MEMBER_OFFLINE);
    fleet_run(f, 3600000);
    assert_int_equal(fleet_notices(f, NOTICE_MEMBER_OFFLINE), offline);
    assert_true(links_between_halves(f) >= 12); /* exchanged since: the graph is random again */
    unsigned sum = 0;
    for (unsigned i = 0; i < 12; i++)
        sum += fleet_status(f, i).neighbours;
    assert_true(sum <= 12 * 6);
    links_are_whole(f);
    fleet_destroy(&f);
}

static void halves_grow_together_after_a_cut(void **state)
{
    (void)state;
    for (unsigned seed = 80; seed < 84; seed++)
        halves_grow_together(480000, seed);
}

/* Long enough for links to be given up, too short for anybody to count as offline. */
static void halves_grow_together_after_a_short_cut(void **state)
{
    (void)state;
    for (unsigned seed = 84; seed < 88; seed++)
        halves_grow_together(70000, seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_links_two_of_them_outside),
        cmocka_unit_test(the_dead_are_replaced),
        cmocka_unit_test(silent_links_are_given_up),
        cmocka_unit_test(spokes_converge_by_the_hub),
        cmocka_unit_test(one_that_can_be_dialled_is_enough),
        cmocka_unit_test(the_lonely_are_let_in),
        cmocka_unit_test(links_change_in_time),
        cmocka_unit_test(halves_grow_together_after_a_cut),
        cmocka_unit_test(halves_grow_together_after_a_short_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
