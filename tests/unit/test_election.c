/* SPDX-License-Identifier: Apache-2.0
 *
 * The states of the election, row by row of the table in docs/cluster.md (the row's name is in the test's
 * name), and scenes of several nodes. In the rows node 0 runs, the others are puppets: 1 and 2 candidates, 3
 * a sensor.
 */
#include "tests/unit/election_world.h"

#define ME 0u

static struct world *lone_follower(void)
{
    struct world *w = world_open(4, 3);
    world_start(w, ME);
    world_directory(w, ME, true);
    world_beat(w, 3, ME);
    world_run(w, 20000);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    return w;
}

/* ... of the holder 1, which was heard just now. */
static struct world *follower_of_puppet(void)
{
    struct world *w = lone_follower();
    struct claim claim = world_claim(w, 1, 5, true);
    world_beat(w, 1, ME);
    assert_true(world_offer(w, ME, &claim));
    return w;
}

/* Runs until node 0 is in this state; fails when it takes longer than `ms`. Returns how long it took. */
static int64_t until_state(struct world *w, unsigned number, enum election_state state, int64_t ms)
{
    int64_t begun = w->now;
    while (world_state(w, number) != state) {
        assert_true(w->now - begun < ms);
        world_tick(w);
    }
    return w->now - begun;
}

/* Time passes while the sensor, but not the holder, is heard. */
static void silent_for(struct world *w, int64_t ms)
{
    for (int64_t end = w->now + ms; w->now < end;) {
        world_beat(w, 3, ME);
        world_run(w, 10000);
    }
}

static struct world *in_state(enum election_state state)
{
    struct world *w = follower_of_puppet();
    until_state(w, ME, state, 32 * MINUTE);
    return w;
}

static void all_heard_for(struct world *w, int64_t ms)
{
    for (int64_t end = w->now + ms; w->now < end;) {
        world_run(w, 10000);
        for (unsigned i = 1; i < 4; i++)
            world_beat(w, i, ME);
    }
}

/* ACTIVE since more than refute_min, with all three others heard. */
static struct world *active(void)
{
    struct world *w = in_state(ELECTION_SETTLING);
    all_heard_for(w, 40000);
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    all_heard_for(w, 310000);
    assert_int_equal(members_support(&w->nodes[ME]), 3);
    return w;
}

static struct claim own_register(struct world *w)
{
    return world_view(w, ME).claim;
}

/* -- BOOT ----------------------------------------------------------------------------------------- */

static void boot_ends_5_s_after_an_exchange(void **state)
{
    (void)state;
    struct world *w = world_open(4, 3);
    world_start(w, ME);
    world_run(w, 30000);
    assert_int_equal(world_state(w, ME), ELECTION_BOOT);
    assert_in_range(world_view(w, ME).next_in, 89000, 91000);
    world_beat(w, 3, ME);
    world_run(w, 5000);
    assert_int_equal(world_state(w, ME), ELECTION_BOOT);
    world_run(w, 1000);
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER); /* its directory is not within reach */
    world_close(w);
}

static void boot_ends_after_120_s_alone(void **state)
{
    (void)state;
    struct world *w = world_open(4, 3);
    world_start(w, ME);
    world_directory(w, ME, true);
    world_run(w, 120000);
    assert_int_equal(world_state(w, ME), ELECTION_BOOT);
    world_run(w, 1000);
    assert_int_not_equal(world_state(w, ME), ELECTION_BOOT);
    world_close(w);
}

static void boot_resumes_what_it_held(void **state)
{
    (void)state;
    struct world *w = active();
    struct claim before = own_register(w);
    world_kill(&w->nodes[ME]);
    world_run(w, 10 * MINUTE);
    world_start(w, ME);
    world_directory(w, ME, true);
    world_beat(w, 3, ME);
    assert_int_equal(world_state(w, ME), ELECTION_BOOT);
    world_run(w, 7000);
    struct claim after = own_register(w);
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    assert_int_equal(claim_token_compare(&before, &after), 0);
    assert_true(after.incarnation == before.incarnation + 1 && after.settled && !after.released);
    assert_int_equal(world_notices(w, ME, NOTICE_SYNCHRONIZER_START, CAUSE_RESUMED), 1);
    assert_true(w->nodes[ME].disk.claim_size[0] > 0);
    world_close(w);
}

/* ... with the support it had: what it hears at first may be old. */
static void boot_resumes_with_the_support_it_had(void **state)
{
    (void)state;
    struct world *w = active();
    struct claim before = own_register(w);
    world_kill(&w->nodes[ME]);
    world_start(w, ME);
    world_directory(w, ME, true);
    world_beat(w, 3, ME);
    world_run(w, 7000);
    assert_int_equal(own_register(w).support, before.support < 1 ? before.support : 1);
    for (unsigned i = 1; i < 4; i++)
        world_beat(w, i, ME);
    WORLD_DO(w, ME, core_raise_incarnation(node, node->incarnation));
    world_tick(w);
    assert_in_range(own_register(w).support, 0, 1);
    world_close(w);
}

static void boot_meets_its_successor(void **state)
{
    (void)state;
    struct world *w = active();
    struct claim next = world_claim(w, 1, own_register(w).term + 1, true);
    world_kill(&w->nodes[ME]);
    world_start(w, ME);
    world_directory(w, ME, true);
    assert_true(world_offer(w, ME, &next));
    world_run(w, 30000);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_close(w);
}

static void boot_releases_what_it_may_no_longer_hold(void **state)
{
    (void)state;
    struct world *w = active();
    world_kill(&w->nodes[ME]);
    w->nodes[ME].certificate.grant.domain_count = 0;
    world_start(w, ME);
    world_beat(w, 3, ME);
    world_run(w, 10000);
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER);
    assert_true(own_register(w).released);
    assert_int_equal(own_register(w).cause, CAUSE_CANDIDACY_OFF);
    world_close(w);
}

/* Signed with the key of today, or newcomers could not verify it. */
static void boot_says_again_what_it_released(void **state)
{
    (void)state;
    struct world *w = active();
    WORLD_DO(w, ME, election_leave(node, CAUSE_SHUTDOWN));
    uint64_t incarnation = own_register(w).incarnation;
    assert_true(own_register(w).released);
    world_kill(&w->nodes[ME]);
    world_start(w, ME);
    world_beat(w, 3, ME);
    world_run(w, 8000);
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER);
    assert_true(own_register(w).released && own_register(w).incarnation == incarnation + 1);
    world_close(w);
}

/* -- OBSERVER ------------------------------------------------------------------------------------- */

static void observer_only_merges(void **state)
{
    (void)state;
    struct world *w = world_open(4, 3);
    unsigned sensor = 3;
    world_start(w, sensor);
    world_directory(w, sensor, true);
    struct claim claim = world_claim(w, 1, 5, true);
    assert_true(world_offer(w, sensor, &claim));
    assert_false(world_offer(w, sensor, &claim));
    world_run(w, 40 * MINUTE);
    assert_int_equal(world_state(w, sensor), ELECTION_OBSERVER);
    assert_true(world_view(w, sensor).claim.term == 5);
    assert_int_equal(w->sent[WIRE_QUERY], 0);
    world_close(w);
}

static void observer_follows_when_its_directory_is_back_for_10_s(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    world_directory(w, ME, false);
    world_run(w, 40 * MINUTE); /* and does not bid without it */
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER);
    world_directory(w, ME, true);
    world_run(w, 9000);
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER);
    world_run(w, 3000);
    assert_true(world_state(w, ME) >= ELECTION_FOLLOWER);
    world_close(w);
}

/* -- FOLLOWER ------------------------------------------------------------------------------------- */

static void follower_opens_the_first_term_after_120_s(void **state)
{
    (void)state;
    struct world *w = lone_follower();
    int64_t waited = until_state(w, ME, ELECTION_SETTLING, 3 * MINUTE);
    assert_in_range(waited, 100000, 108000); /* of 120 s 20 are over; then up to 5 s; nobody is asked */
    assert_int_equal(w->nodes[ME].counters.prechecks, 0);
    assert_int_equal(own_register(w).cause, CAUSE_NO_HOLDER);
    assert_true(own_register(w).term == 1 && !own_register(w).settled);
    world_close(w);
}

static void follower_opens_a_term_at_once_after_a_release(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    struct claim claim = own_register(w);
    claim.released = true;
    assert_true(world_offer(w, ME, &claim));
    until_state(w, ME, ELECTION_SETTLING, 32000);
    assert_int_equal(w->nodes[ME].counters.prechecks, 0);
    assert_int_equal(own_register(w).cause, CAUSE_RELEASED);
    assert_true(own_register(w).term == 6);
    world_close(w);
}

static void follower_opens_a_term_after_an_unsettled_claim_of_120_s(void **state)
{
    (void)state;
    struct world *w = lone_follower();
    struct claim claim = world_claim(w, 1, 5, false);
    assert_true(world_offer(w, ME, &claim));
    int64_t begun = w->now;
    until_state(w, ME, ELECTION_WAIT, 3 * MINUTE);
    assert_in_range(w->now - begun, 120001, 122000);
    until_state(w, ME, ELECTION_SETTLING, MINUTE);
    assert_int_equal(own_register(w).cause, CAUSE_UNSETTLED);
    world_close(w);
}

static void follower_opens_a_term_after_more_than_30_minutes_of_silence(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    world_run(w, 30 * MINUTE);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER); /* exactly 30 min is not more */
    world_run(w, 1000);
    assert_int_equal(world_state(w, ME), ELECTION_WAIT);
    assert_int_equal(world_notices(w, ME, NOTICE_ELECTION, CAUSE_SILENT), 1);
    world_close(w);
}

static void follower_of_a_holder_that_is_heard_waits_for_ever(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    for (unsigned i = 0; i < 20; i++) {
        world_run(w, 29 * MINUTE);
        world_beat(w, 1, ME);
    }
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    assert_int_equal(world_notices(w, ME, NOTICE_ELECTION, CAUSES), 0);
    world_close(w);
}

/* A holder that this node never heard counts from the claim, which is a sign of life. */
static void follower_counts_from_the_claim_of_a_holder_never_heard(void **state)
{
    (void)state;
    struct world *w = lone_follower();
    world_run(w, 60000);
    struct claim claim = world_claim(w, 1, 5, true);
    assert_true(world_offer(w, ME, &claim));
    int64_t begun = w->now;
    until_state(w, ME, ELECTION_WAIT, 31 * MINUTE);
    assert_in_range(w->now - begun, 30 * MINUTE + 1, 30 * MINUTE + 1000);
    world_close(w);
}

static void follower_does_nothing_in_tilt(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    world_run(w, 29 * MINUTE + 55000);
    w->nodes[ME].frozen = true;
    world_run(w, 20000); /* its own clock stood still meanwhile */
    w->nodes[ME].frozen = false;
    world_run(w, 25000);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    until_state(w, ME, ELECTION_WAIT, 12000);
    world_close(w);
}

static void follower_replaces_a_revoked_holder_at_once(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    struct node_id holder = world_id(1);
    w->nodes[ME].others[1].revoked = true;
    WORLD_DO(w, ME, election_member_changed(node, members_find(node, &holder)));
    assert_false(world_view(w, ME).has_claim);
    assert_int_equal(election_register(&w->nodes[ME], 0).size, 0);
    until_state(w, ME, ELECTION_SETTLING, 32000);
    assert_int_equal(w->nodes[ME].counters.prechecks, 0);
    assert_true(own_register(w).term == 6); /* terms go on from where they were */
    assert_int_equal(own_register(w).cause, CAUSE_REVOKED);
    world_close(w);
}

static void follower_replaces_a_holder_that_left_at_once(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    struct node_id holder = world_id(1);
    w->nodes[ME].others[1].left = true;
    WORLD_DO(w, ME, election_member_changed(node, members_find(node, &holder)));
    until_state(w, ME, ELECTION_SETTLING, 32000);
    assert_int_equal(own_register(w).cause, CAUSE_RELEASED);
    world_close(w);
}

/* The claim of a holder that came back came sooner than the record of its new life: the record that says that
 * it left is of an earlier one. */
static void follower_knows_that_a_holder_came_back_by_its_claim(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    struct node_id holder = world_id(1);
    struct claim claim = world_claim(w, 1, 6, true);
    claim.incarnation++;
    assert_true(world_offer(w, ME, &claim));
    w->nodes[ME].others[1].left = true;
    WORLD_DO(w, ME, election_member_changed(node, members_find(node, &holder)));
    world_run(w, 29 * MINUTE);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    w->nodes[ME].others[1].incarnation = claim.incarnation; /* it left in that life as well */
    WORLD_DO(w, ME, election_member_changed(node, members_find(node, &holder)));
    until_state(w, ME, ELECTION_SETTLING, 32000);
    world_close(w);
}

static void follower_bids_only_with_min_observers(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    w->nodes[ME].config.min_observers = 3;
    world_run(w, 40 * MINUTE);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    assert_int_equal(world_notices(w, ME, NOTICE_ELECTION, CAUSE_ALONE), 1); /* told once */
    assert_int_equal(world_view(w, ME).last_abort, CAUSE_ALONE);
    world_beat(w, 2, ME);
    world_beat(w, 3, ME);
    until_state(w, ME, ELECTION_SETTLING, 55000);
    world_close(w);
}

static void follower_without_right_to_it_does_not_bid(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    WORLD_DO(w, ME, election_candidate(node, CORP, false));
    assert_int_equal(election_candidate_off(&w->nodes[ME]), 1);
    world_run(w, 40 * MINUTE);
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER);
    WORLD_DO(w, ME, election_candidate(node, CORP, true));
    assert_int_equal(election_candidate_off(&w->nodes[ME]), 0);
    until_state(w, ME, ELECTION_SETTLING, MINUTE);
    world_close(w);
}

/* -- WAIT ----------------------------------------------------------------------------------------- */

static void wait_ends_when_the_holder_is_heard(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_WAIT);
    world_beat(w, 1, ME);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    assert_int_equal(world_view(w, ME).last_abort, CAUSE_HOLDER_HEARD);
    world_run(w, 29 * MINUTE);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_close(w);
}

/* A domain and a term in which the draws stand in this order. */
static uint64_t term_where(struct world *w, uint64_t from, unsigned greater, unsigned less)
{
    for (uint64_t term = from;; term++) {
        struct claim a = world_claim(w, greater, term, false), b = world_claim(w, less, term, false);
        if (a.draw > b.draw)
            return term;
    }
}

/* Node 0 waits to open a term in which it draws more, or less, than candidate 2. */
static struct world *waiting(bool greater)
{
    struct world *w = lone_follower();
    uint64_t term = greater ? term_where(w, 6, ME, 2) : term_where(w, 6, 2, ME);
    struct claim claim = world_claim(w, 1, term - 1, true);
    world_beat(w, 1, ME);
    assert_true(world_offer(w, ME, &claim));
    until_state(w, ME, ELECTION_WAIT, 31 * MINUTE);
    return w;
}

static void wait_ends_with_a_token_as_great_as_its_own(void **state)
{
    (void)state;
    struct world *w = waiting(false);
    struct claim bid = world_claim(w, 2, own_register(w).term + 1, false);
    assert_true(world_offer(w, ME, &bid));
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    assert_int_equal(world_view(w, ME).last_abort, CAUSE_GREATER_TOKEN);
    world_close(w);
}

static void wait_goes_on_after_a_smaller_token(void **state)
{
    (void)state;
    struct world *w = waiting(true);
    struct claim bid = world_claim(w, 2, own_register(w).term + 1, false);
    assert_true(world_offer(w, ME, &bid));
    world_tick(w);
    assert_true(world_state(w, ME) >= ELECTION_WAIT);
    world_close(w);
}

/* ... but a settled one of the same term is not outbid. */
static void wait_ends_with_a_settled_claim(void **state)
{
    (void)state;
    struct world *w = waiting(true);
    struct claim claim = world_claim(w, 2, own_register(w).term + 1, true);
    assert_true(world_offer(w, ME, &claim));
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_close(w);
}

static void wait_ends_when_the_old_holder_speaks(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_WAIT);
    struct claim claim = own_register(w);
    claim.incarnation++;
    assert_true(world_offer(w, ME, &claim)); /* it restarted, and resumed */
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_run(w, 29 * MINUTE);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_close(w);
}

static void wait_goes_over_to_precheck(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_WAIT);
    assert_in_range(world_view(w, ME).next_in, 0, 5000); /* one candidate is heard: one slot at most */
    until_state(w, ME, ELECTION_PRECHECK, 7000);
    assert_int_equal(w->nodes[ME].counters.prechecks, 1);
    world_close(w);
}

static void wait_rises_with_the_draw_and_is_bounded(void **state)
{
    (void)state;
    /* 16 candidates are within hearing: who draws more waits less, and nobody longer than six slots. */
    int64_t shortest = INT64_MAX, longest = 0;
    for (uint64_t term = 5; term < 25; term++) {
        struct world *w = world_open(16, 16);
        world_start(w, ME);
        world_directory(w, ME, true);
        for (unsigned i = 1; i < 16; i++)
            world_beat(w, i, ME);
        world_run(w, 15000);
        struct claim claim = world_claim(w, 1, term, true);
        claim.released = true;
        assert_true(world_offer(w, ME, &claim));
        world_tick(w);
        int64_t wait = world_view(w, ME).next_in + (world_state(w, ME) == ELECTION_SETTLING ? -30000 : 0);
        double x = (double)(~world_claim(w, ME, term + 1, false).draw >> 32) / 4294967296.0 * 16;
        double rest = 24 / (24 + x);
        int64_t expected = (int64_t)(18000 * (1 - rest * rest * rest * rest));
        assert_true(expected < 18000);
        if (wait > 0)
            assert_in_range(wait, expected - 16, expected + 16);
        shortest = wait < shortest ? wait : shortest;
        longest = wait > longest ? wait : longest;
        world_close(w);
    }
    assert_true(shortest < 4000 && longest > 11000);
}

static void wait_ends_with_the_right_to_bid(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_WAIT);
    WORLD_DO(w, ME, election_candidate(node, CORP, false));
    world_tick(w);
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER);
    assert_int_equal(world_view(w, ME).last_abort, CAUSE_CANDIDACY_OFF);
    world_close(w);
    w = in_state(ELECTION_WAIT);
    world_directory(w, ME, false);
    world_tick(w);
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER);
    assert_int_equal(world_view(w, ME).last_abort, CAUSE_DIRECTORY_LOST);
    world_close(w);
}

/* -- PRECHECK ------------------------------------------------------------------------------------- */

static void precheck_asks_at_1_4_and_7_s(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_PRECHECK);
    unsigned rounds = 0, sent = w->sent[WIRE_QUERY];
    for (int64_t begun = w->now; world_state(w, ME) == ELECTION_PRECHECK; world_tick(w)) {
        if (w->sent[WIRE_QUERY] == sent)
            continue;
        assert_int_equal(w->sent[WIRE_QUERY] - sent, 3); /* holder, neighbours, candidates: three others */
        sent = w->sent[WIRE_QUERY];
        int64_t at = w->now - begun;
        assert_int_equal(at, rounds == 0 ? 1000 : rounds == 1 ? 4000 : 7000);
        rounds++;
    }
    assert_int_equal(rounds, 3);
    assert_int_equal(world_state(w, ME), ELECTION_SETTLING);
    world_close(w);
}

static void have(struct world *w, unsigned holder, uint32_t sequence, int64_t age, bool forged)
{
    uint8_t entry[HEARTBEAT_SIZE];
    struct node_id id = world_id(holder), from = world_id(3);
    world_entry(&w->nodes[holder], sequence, entry);
    entry[HEARTBEAT_SIZE - 1] ^= forged;
    WORLD_DO(w, ME, election_have(node, &from, &id, entry, age));
}

static void precheck_ends_with_a_veto(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_PRECHECK);
    have(w, 1, 100, 20 * MINUTE, false);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    assert_int_equal(world_view(w, ME).last_abort, CAUSE_VETO);
    assert_int_equal(world_view(w, ME).vetoes, 1);
    assert_int_equal(w->nodes[ME].counters.vetoes, 1);
    world_run(w, 9 * MINUTE);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_run(w, MINUTE + 1000); /* the heartbeat of the answer is 30 minutes old now */
    assert_int_equal(world_state(w, ME), ELECTION_WAIT);
    world_close(w);
}

static void precheck_goes_on_without_proof(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_PRECHECK);
    have(w, 1, 100, 20 * MINUTE, true);  /* not the holder's link */
    have(w, 1, 1, 0, false);             /* known already */
    have(w, 1, 101, 31 * MINUTE, false); /* newer, but silent for too long as well */
    have(w, 1, 102, -1, false);          /* nonsense */
    have(w, 2, 103, 0, false);           /* somebody else's */
    assert_int_equal(world_state(w, ME), ELECTION_PRECHECK);
    assert_int_equal(world_view(w, ME).vetoes, 0);
    world_close(w);
}

/* What is answered to a question about the puppet 1: 0 nothing, 1 its heartbeat, 2 its record as well. */
static unsigned answer(struct world *w, unsigned holder, uint64_t incarnation, uint32_t sequence)
{
    struct node_id id = world_id(holder), from = world_id(3);
    unsigned sent = w->sent[WIRE_HAVE], tail = w->tail;
    struct world_wire wire;
    WORLD_DO(w, ME, election_query(node, &from, &id, incarnation, sequence));
    if (w->sent[WIRE_HAVE] == sent)
        return 0;
    world_parse(&wire, &w->queue[tail]);
    assert_true(wire.has_entry && node_id_equal(&wire.node, &id));
    return wire.has_record ? 2 : 1;
}

static void questions_are_answered_by_who_knows_better(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    uint32_t heard = w->nodes[1].sequence;
    assert_int_equal(answer(w, 1, 1, heard - 1), 1);
    assert_int_equal(answer(w, 1, 1, heard), 0);
    assert_int_equal(answer(w, 1, 0, heard + 9), 2); /* an older incarnation */
    assert_int_equal(answer(w, 1, 2, 0), 0);         /* a newer one */
    assert_int_equal(answer(w, 2, 0, 0), 0);         /* never heard */
    assert_int_equal(answer(w, 77, 0, 0), 0);        /* unknown */
    assert_int_equal(answer(w, ME, 0, 0), 2);        /* the holder itself */
    world_run(w, 30 * MINUTE + 1000);
    assert_int_equal(answer(w, 1, 1, heard - 1), 0); /* silent here as well */
    world_beat(w, 1, ME);
    w->nodes[ME].others[1].revoked = true;
    assert_int_equal(answer(w, 1, 1, 0), 0);
    world_close(w);
}

static void precheck_ends_in_tilt(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_PRECHECK);
    w->nodes[ME].frozen = true;
    world_run(w, 8000);
    w->nodes[ME].frozen = false;
    world_tick(w);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    assert_int_equal(world_view(w, ME).last_abort, CAUSE_TILT);
    world_run(w, 28000);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    until_state(w, ME, ELECTION_WAIT, 5000);
    world_close(w);
}

static void precheck_ends_with_a_greater_token(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_PRECHECK);
    struct claim claim = world_claim(w, 2, own_register(w).term + 2, false);
    assert_true(world_offer(w, ME, &claim));
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_close(w);
}

static void precheck_ends_when_the_holder_is_heard(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_PRECHECK);
    world_beat(w, 1, ME);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_close(w);
}

static void precheck_without_veto_persists_and_bids(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_PRECHECK);
    silent_for(w, 10000);
    assert_int_equal(world_state(w, ME), ELECTION_SETTLING);
    struct claim bid = own_register(w), kept;
    assert_true(bid.term == 6 && !bid.settled && !bid.released && bid.support == 1);
    assert_int_equal(bid.cause, CAUSE_SILENT);
    assert_int_equal(w->nodes[ME].counters.bids, 1);
    assert_true(
        claim_read(&kept, (struct bytes){w->nodes[ME].disk.claims[0], w->nodes[ME].disk.claim_size[0]}));
    assert_int_equal(claim_compare(&bid, &kept), 0);
    assert_true(w->claims_sent >= 3);
    world_close(w);
}

/* Between persisting and sending: the bid is forgotten, its term is not. It would come back hours later as a
 * stranger and depose whoever holds the domain by then. */
static void precheck_crash_between_persist_and_send(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_PRECHECK);
    w->nodes[ME].dies_after_persist = true;
    unsigned sent = w->claims_sent;
    world_run(w, 12000);
    assert_false(w->nodes[ME].runs);
    assert_true(w->claims_sent - sent < 3); /* anti-entropy: of the old claim */
    world_start(w, ME);
    world_directory(w, ME, true);
    world_beat(w, 3, ME);
    assert_false(world_view(w, ME).has_claim);
    until_state(w, ME, ELECTION_SETTLING, 3 * MINUTE);
    assert_true(own_register(w).term == 7);
    assert_int_equal(own_register(w).cause, CAUSE_NO_HOLDER);
    world_close(w);
}

/* -- SETTLING ------------------------------------------------------------------------------------- */

static void settling_is_withdrawn_for_a_greater_token(void **state)
{
    (void)state;
    struct world *w = waiting(false);
    uint64_t term = own_register(w).term + 1;
    until_state(w, ME, ELECTION_SETTLING, MINUTE);
    struct claim bid = world_claim(w, 2, term, false);
    assert_true(world_offer(w, ME, &bid));
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_run(w, 60000);
    assert_int_equal(world_notices(w, ME, NOTICE_SYNCHRONIZER_START, CAUSES), 0);
    world_close(w);
}

static void settling_ends_after_30_s(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_SETTLING);
    assert_int_equal(until_state(w, ME, ELECTION_ACTIVE, MINUTE), 30000);
    assert_true(own_register(w).settled && own_register(w).term == 6);
    assert_int_equal(world_notices(w, ME, NOTICE_SYNCHRONIZER_START, CAUSE_SILENT), 1);
    assert_true(world_view(w, ME).fresh);
    world_close(w);
}

/* After a pause of unknown length a bid would depose whoever is there by now. */
static void settling_ends_in_tilt(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_SETTLING);
    world_run(w, 10000);
    w->nodes[ME].frozen = true;
    world_run(w, 9000);
    w->nodes[ME].frozen = false;
    world_run(w, 2000);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    assert_true(own_register(w).released && !own_register(w).settled);
    assert_int_equal(own_register(w).cause, CAUSE_TILT);
    until_state(w, ME, ELECTION_ACTIVE, 3 * MINUTE);
    assert_true(own_register(w).term == 7);
    world_close(w);
}

static void settling_is_released_without_the_right(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_SETTLING);
    WORLD_DO(w, ME, election_candidate(node, CORP, false));
    world_tick(w);
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER);
    assert_true(own_register(w).released && !own_register(w).settled);
    world_close(w);
}

/* A late bid with a greater draw does not depose who has settled. */
static void settled_stands_before_the_draw(void **state)
{
    (void)state;
    struct world *w = waiting(false);
    uint64_t term = own_register(w).term + 1;
    until_state(w, ME, ELECTION_ACTIVE, 2 * MINUTE);
    struct claim late = world_claim(w, 2, term, false);
    assert_true(late.draw > own_register(w).draw);
    assert_false(world_offer(w, ME, &late));
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    assert_true(own_register(w).term == term && world_named(w, ME) == ME);
    world_close(w);
}

/* -- ACTIVE --------------------------------------------------------------------------------------- */

static void active_refutes_a_claim_with_less_support(void **state)
{
    (void)state;
    struct world *w = active();
    uint64_t term = own_register(w).term;
    struct claim claim = world_claim(w, 1, term + 1, true);
    claim.support = 2;
    assert_true(world_offer(w, ME, &claim));
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    struct claim own = own_register(w);
    assert_true(own.term == term + 2 && own.settled && own.support == 3);
    assert_int_equal(own.cause, CAUSE_REFUTED);
    assert_int_equal(w->nodes[ME].counters.refutations, 1);
    assert_int_equal(world_notices(w, ME, NOTICE_SYNCHRONIZER_STOP, CAUSES), 0);
    world_close(w);
}

/* A cut heals: everybody is heard at once, and then the claim of the larger side arrives. */
static void active_counts_who_was_heard_all_the_time(void **state)
{
    (void)state;
    struct world *w = active();
    for (unsigned i = 0; i < 20; i++) {
        world_run(w, 10000);
        world_beat(w, 3, ME);
    }
    for (unsigned i = 1; i < 4; i++)
        world_beat(w, i, ME);
    struct claim claim = world_claim(w, 1, own_register(w).term + 1, true);
    claim.support = 1;
    assert_true(world_offer(w, ME, &claim));
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_close(w);
}

static void active_stops_for_a_claim_with_as_much_support(void **state)
{
    (void)state;
    struct world *w = active();
    struct claim claim = world_claim(w, 1, own_register(w).term + 1, true);
    claim.support = 3;
    assert_true(world_offer(w, ME, &claim));
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    assert_int_equal(world_notices(w, ME, NOTICE_SYNCHRONIZER_STOP, CAUSE_GREATER_TOKEN), 1);
    world_close(w);
}

static void active_stops_when_mute(void **state)
{
    (void)state;
    struct world *w = active();
    w->nodes[ME].mute = true;
    struct claim claim = world_claim(w, 1, own_register(w).term + 1, true);
    assert_true(world_offer(w, ME, &claim));
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_close(w);
}

static void active_does_not_refute_within_300_s_of_a_restart(void **state)
{
    (void)state;
    struct world *w = active();
    world_kill(&w->nodes[ME]);
    world_start(w, ME);
    world_directory(w, ME, true);
    for (unsigned i = 1; i < 4; i++)
        world_beat(w, i, ME);
    world_run(w, 20000);
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    struct claim claim = world_claim(w, 1, own_register(w).term + 1, true);
    assert_true(world_offer(w, ME, &claim));
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_close(w);
}

static void active_does_not_refute_in_tilt_nor_300_s_after(void **state)
{
    (void)state;
    for (int64_t later = 1000; later < 400000; later += 320000) {
        struct world *w = active();
        w->nodes[ME].frozen = true;
        world_run(w, 8000);
        w->nodes[ME].frozen = false;
        world_run(w, 2000);
        assert_true(core_tilt(&w->nodes[ME]));
        world_run(w, later);
        for (unsigned i = 1; i < 4; i++)
            world_beat(w, i, ME);
        struct claim claim = world_claim(w, 1, own_register(w).term + 1, true);
        assert_true(world_offer(w, ME, &claim));
        /* 300 s after the end of TILT, which takes 30 s, are 328 s from here */
        assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
        world_close(w);
    }
}

static void active_does_not_refute_a_pinned_claim(void **state)
{
    (void)state;
    struct world *w = active();
    struct claim claim = world_claim(w, 1, own_register(w).term + 1, true);
    claim.cause = CAUSE_PINNED;
    assert_true(world_offer(w, ME, &claim));
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_close(w);
}

static void active_takes_back_what_was_released_again(void **state)
{
    (void)state;
    struct world *w = active();
    struct claim claim = world_claim(w, 1, own_register(w).term + 1, true);
    claim.support = UINT16_MAX;
    claim.released = true;
    assert_true(world_offer(w, ME, &claim));
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    world_close(w);
}

static void active_releases_when_its_directory_is_lost_for_10_s(void **state)
{
    (void)state;
    struct world *w = active();
    world_directory(w, ME, false);
    world_run(w, 9000);
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    world_directory(w, ME, true);
    world_run(w, 5000);
    world_directory(w, ME, false);
    world_run(w, 9000);
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    world_run(w, 2000);
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER);
    assert_true(own_register(w).released && own_register(w).settled);
    assert_int_equal(own_register(w).cause, CAUSE_DIRECTORY_LOST);
    assert_int_equal(world_notices(w, ME, NOTICE_SYNCHRONIZER_STOP, CAUSE_DIRECTORY_LOST), 1);
    world_close(w);
}

static void active_releases_at_shutdown(void **state)
{
    (void)state;
    struct world *w = active();
    WORLD_DO(w, ME, election_leave(node, CAUSE_SHUTDOWN));
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER);
    assert_true(own_register(w).released);
    world_run(w, 40 * MINUTE);
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER);
    world_close(w);
}

static void active_releases_when_its_candidacy_is_off(void **state)
{
    (void)state;
    struct world *w = active();
    WORLD_DO(w, ME, election_candidate(node, CORP, false));
    world_tick(w);
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER);
    assert_true(own_register(w).released);
    assert_int_equal(own_register(w).cause, CAUSE_CANDIDACY_OFF);
    world_close(w);
}

static void active_stops_when_revoked(void **state)
{
    (void)state;
    struct world *w = active();
    w->nodes[ME].others[ME].revoked = true;
    WORLD_DO(w, ME, election_member_changed(node, 0));
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER);
    assert_int_equal(world_notices(w, ME, NOTICE_SYNCHRONIZER_STOP, CAUSE_REVOKED), 1);
    assert_false(election_holds(&w->nodes[ME], 0, NULL));
    world_close(w);
}

static void active_lets_go_after_15_minutes_without_min_observers(void **state)
{
    (void)state;
    struct world *w = active();
    w->nodes[ME].config.min_observers = 2;
    silent_for(w, 20 * MINUTE);
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    world_run(w, 15 * MINUTE + 45000);
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    world_run(w, 10000);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    assert_int_equal(own_register(w).cause, CAUSE_ALONE);
    world_run(w, 40 * MINUTE);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_close(w);
}

/* A new key comes with a new incarnation: the claim is signed anew. */
static void active_claims_again_with_a_new_incarnation(void **state)
{
    (void)state;
    struct world *w = active();
    struct claim before = own_register(w);
    WORLD_DO(w, ME, core_raise_incarnation(node, node->incarnation));
    world_tick(w);
    struct claim after = own_register(w);
    assert_true(after.incarnation == before.incarnation + 1);
    assert_int_equal(claim_token_compare(&before, &after), 0);
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    world_close(w);
}

/* Newcomers know only the present key of the holder. */
static void active_claims_again_with_a_new_key(void **state)
{
    (void)state;
    struct world *w = active();
    struct claim before = own_register(w);
    memset(w->nodes[ME].certificate.public_key, 0x99, PUBLIC_KEY_SIZE);
    WORLD_DO(w, ME, election_member_changed(node, 0));
    world_tick(w);
    struct claim after = own_register(w);
    assert_true(after.incarnation == before.incarnation + 1);
    assert_int_equal(claim_token_compare(&before, &after), 0);
    assert_true(claim_signed(election_register(&w->nodes[ME], 0), w->nodes[ME].certificate.public_key,
                             &w->nodes[ME].crypto));
    world_run(w, 10000);
    after = own_register(w);
    assert_true(after.incarnation == before.incarnation + 1);
    world_close(w);
}

/* -- any state ------------------------------------------------------------------------------------ */

static void any_learns_its_incarnation_from_its_own_claim(void **state)
{
    (void)state;
    struct world *w = lone_follower();
    struct claim claim = world_claim(w, ME, 9, true);
    claim.incarnation = 40;
    assert_true(world_offer(w, ME, &claim));
    assert_true(w->nodes[ME].incarnation == 41);
    world_tick(w);
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE); /* the fleet believes so, and hears it */
    assert_true(own_register(w).incarnation == 41 && own_register(w).term == 9);
    world_close(w);
}

static void any_releases_its_own_claim_when_unfit(void **state)
{
    (void)state;
    struct world *w = lone_follower();
    WORLD_DO(w, ME, election_candidate(node, CORP, false));
    struct claim claim = world_claim(w, ME, 9, true);
    claim.incarnation = 40;
    assert_true(world_offer(w, ME, &claim));
    world_tick(w);
    assert_int_equal(world_state(w, ME), ELECTION_OBSERVER);
    assert_true(own_register(w).incarnation == 41 && own_register(w).released);
    world_close(w);
}

static void any_bid_ends_with_an_own_claim_of_an_earlier_life(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_SETTLING);
    struct claim claim = world_claim(w, ME, 9, true);
    claim.incarnation = 40;
    assert_true(world_offer(w, ME, &claim));
    world_tick(w);
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    assert_true(own_register(w).term == 9 && own_register(w).incarnation == 41);
    world_close(w);
}

static void any_active_claim_released_in_an_earlier_life_is_said_again(void **state)
{
    (void)state;
    struct world *w = active();
    struct claim claim = own_register(w);
    claim.released = true;
    assert_true(world_offer(w, ME, &claim));
    world_tick(w);
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    assert_true(!own_register(w).released && own_register(w).incarnation == claim.incarnation + 1);
    world_close(w);
}

static void any_tells_its_claim_each_5_s_for_60_s(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_ACTIVE);
    w->cut[ME][1] = w->cut[ME][2] = w->cut[ME][3] = true;
    world_run(w, 61000);
    unsigned sent = w->claims_sent;
    world_run(w, 120000);
    assert_true(w->claims_sent - sent <= 12); /* anti-entropy only */
    world_close(w);
    w = in_state(ELECTION_ACTIVE);
    sent = w->claims_sent;
    world_run(w, 61000);
    assert_true(w->claims_sent - sent >= 12 * 3);
    world_close(w);
}

static void persist_failed_a_bid_was_never_made(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_PRECHECK);
    struct claim before = own_register(w);
    unsigned sent = w->claims_sent;
    w->nodes[ME].disk_fails = true;
    world_run(w, 12000);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    assert_int_equal(world_view(w, ME).last_abort, CAUSE_PERSIST_FAILED);
    struct claim after = own_register(w);
    assert_int_equal(claim_compare(&before, &after), 0);
    assert_true(w->claims_sent - sent <= 2); /* anti-entropy: of the old claim */
    w->nodes[ME].disk_fails = false;
    world_run(w, 60000);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER); /* not again at once */
    until_state(w, ME, ELECTION_SETTLING, 90000);
    assert_true(own_register(w).term >= 6);
    world_close(w);
}

static void persist_failed_the_first_claim_was_never_made(void **state)
{
    (void)state;
    struct world *w = lone_follower();
    w->nodes[ME].disk_fails = true;
    world_run(w, 130000);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    assert_false(world_view(w, ME).has_claim);
    world_close(w);
}

static void persist_failed_active_lets_go(void **state)
{
    (void)state;
    struct world *w = active();
    w->nodes[ME].disk_fails = true;
    unsigned sent = w->claims_sent;
    WORLD_DO(w, ME, core_persist(node)); /* for whatever reason */
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    assert_int_equal(world_notices(w, ME, NOTICE_SYNCHRONIZER_STOP, CAUSE_PERSIST_FAILED), 1);
    assert_true(own_register(w).released);
    world_run(w, 10 * MINUTE);
    assert_int_equal(w->claims_sent, sent);
    assert_int_equal(world_notices(w, ME, NOTICE_SYNCHRONIZER_STOP, CAUSES), 1);
    w->nodes[ME].disk_fails = false;
    world_run(w, 119000);
    assert_true(own_register(w).released); /* told now; then it is a candidate like any other */
    assert_true(w->claims_sent > sent);
    until_state(w, ME, ELECTION_ACTIVE, 2 * MINUTE);
    world_close(w);
}

static void persist_failed_settling_stays_a_bid_and_is_released(void **state)
{
    (void)state;
    struct world *w = in_state(ELECTION_SETTLING);
    w->nodes[ME].disk_fails = true;
    world_run(w, 31000);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    assert_int_equal(world_notices(w, ME, NOTICE_SYNCHRONIZER_STOP, CAUSE_PERSIST_FAILED), 1);
    assert_true(own_register(w).released && !own_register(w).settled);
    world_close(w);
}

/* -- claims that are refused ---------------------------------------------------------------------- */

static void refused(struct world *w, const struct claim *claim)
{
    uint64_t before = w->nodes[ME].counters.claims_refused;
    assert_false(world_offer(w, ME, claim));
    assert_true(w->nodes[ME].counters.claims_refused == before + 1);
}

static void claims_that_do_not_verify_are_refused(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    struct claim claim = world_claim(w, 2, 6, true);
    claim.draw++;
    refused(w, &claim);
    assert_int_equal(w->nodes[ME].hostile, 1); /* signed, and wrong: its signer lies */
    claim = world_claim(w, 3, 6, true);        /* a sensor */
    refused(w, &claim);
    claim = world_claim(w, 2, 6, true);
    strcpy(claim.domain, "other.example");
    refused(w, &claim);
    claim = world_claim(w, 2, 6, true);
    memset(w->nodes[2].certificate.public_key, 0, PUBLIC_KEY_SIZE);
    uint8_t buffer[CLAIM_MAX_SIZE];
    size_t size = claim_write(buffer, sizeof buffer, &claim, &w->nodes[2].crypto);
    memset(w->nodes[2].certificate.public_key, 0x42, PUBLIC_KEY_SIZE);
    struct node_id from = world_id(2), stranger = {{99}};
    WORLD_DO(w, ME, assert_false(election_claim(node, (struct bytes){buffer, size}, &from)));
    WORLD_DO(w, ME, assert_false(election_claim(node, (struct bytes){buffer, 5}, &from)));
    claim = world_claim(w, 2, 6, true);
    claim.id = stranger;
    size = claim_write(buffer, sizeof buffer, &claim, &w->nodes[2].crypto);
    WORLD_DO(w, ME, assert_false(election_claim(node, (struct bytes){buffer, size}, &from)));
    assert_true(own_register(w).term == 5);
    world_close(w);
}

static void claims_of_the_revoked_are_refused(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    w->nodes[ME].others[2].revoked = true;
    struct claim claim = world_claim(w, 2, 6, true);
    refused(w, &claim);
    assert_int_equal(w->nodes[ME].hostile, 0); /* whoever passed it on may not know yet */
    world_close(w);
}

/* 1,024 terms ahead are believed, more are held back for ten minutes and told of, 2^32 are never believed. */
static void claims_far_ahead_are_held_back(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    struct claim claim = world_claim(w, 2, 5 + 1025, true);
    refused(w, &claim);
    assert_int_equal(w->nodes[ME].hostile, 1);
    struct claim near = world_claim(w, 2, 5 + 1024, true);
    assert_true(world_offer(w, ME, &near));
    claim = world_claim(w, 2, near.term + 5000, true);
    for (unsigned i = 0; i < 58; i++) {
        refused(w, &claim);
        world_run(w, 10000);
    }
    assert_in_range(w->nodes[ME].hostile, 2, 12);
    world_run(w, 20000);
    assert_true(world_offer(w, ME, &claim));
    claim = world_claim(w, 2, UINT64_C(1) << 62, true);
    assert_true(world_offer(w, ME, &claim));
    claim = world_claim(w, 2, claim.term + (UINT64_C(2) << 32), true);
    for (unsigned i = 0; i < 119; i++) {
        refused(w, &claim);
        world_run(w, 10000);
    }
    world_run(w, 30000);
    assert_true(world_offer(w, ME, &claim));
    claim = world_claim(w, 2, claim.term + 1025, true); /* nothing is left of the credit */
    refused(w, &claim);
    claim = world_claim(w, 2, UINT64_MAX, true);
    refused(w, &claim);
    world_close(w);
}

/* A break in the offers begins the ten minutes anew. */
static void claims_far_ahead_must_stay_on_offer(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    struct claim claim = world_claim(w, 2, 5000, true);
    refused(w, &claim);
    world_run(w, 11 * MINUTE);
    refused(w, &claim);
    world_close(w);
}

/* Whoever knows nothing takes what there is; a revocation of the liar frees it. */
static void the_first_claim_may_have_any_term(void **state)
{
    (void)state;
    struct world *w = lone_follower();
    struct node_id liar = world_id(1);
    struct claim claim = world_claim(w, 1, UINT64_C(1) << 62, true);
    assert_true(world_offer(w, ME, &claim));
    w->nodes[ME].others[1].revoked = true;
    WORLD_DO(w, ME, election_member_changed(node, members_find(node, &liar)));
    claim = world_claim(w, 2, 4, true);
    assert_true(world_offer(w, ME, &claim));
    world_close(w);
}

static void claims_in_a_flood_are_refused(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    unsigned taken = 0;
    for (uint64_t term = 6; term < 206; term++) {
        struct claim claim = world_claim(w, 1, term, true);
        taken += world_offer(w, ME, &claim);
    }
    assert_in_range(taken, 30, 32);
    world_run(w, 10000);
    for (uint64_t term = 300; term < 400; term++) {
        struct claim claim = world_claim(w, 1, term, true);
        taken += world_offer(w, ME, &claim);
    }
    assert_in_range(taken, 40, 43);
    world_close(w);
}

/* Equal in all that counts, other in their bytes: everybody ends with the same ones. */
static void claims_of_equal_rank_converge(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    struct claim a = world_claim(w, 1, 5, true), b = a;
    a.cause = CAUSE_SILENT;
    b.cause = CAUSE_RELEASED;
    bool first = world_offer(w, ME, &a), second = world_offer(w, ME, &b);
    uint8_t kept = own_register(w).cause;
    assert_true(first || second || kept == CAUSE_NO_HOLDER);
    assert_false(world_offer(w, ME, &a));
    assert_false(world_offer(w, ME, &b));
    assert_int_equal(own_register(w).cause, kept);
    world_close(w);
}

/* -- I10, health issue 1007 ----------------------------------------------------------------------- */

static void fresh_ends_after_90_s_of_silence(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    assert_true(world_view(w, ME).fresh);
    assert_int_equal(world_view(w, ME).replace_in, -1);
    world_run(w, 89000);
    assert_true(world_view(w, ME).fresh);
    world_run(w, 1000);
    assert_false(world_view(w, ME).fresh);
    assert_in_range(world_view(w, ME).replace_in, 28 * MINUTE, 29 * MINUTE);
    assert_int_equal(world_view(w, ME).holder_silent, 90000);
    world_beat(w, 1, ME);
    assert_true(world_view(w, ME).fresh);
    world_close(w);
}

static void fresh_needs_a_settled_holder_that_was_heard(void **state)
{
    (void)state;
    struct world *w = lone_follower();
    assert_false(world_view(w, ME).fresh);
    struct claim claim = world_claim(w, 1, 5, false);
    world_beat(w, 1, ME);
    world_offer(w, ME, &claim);
    assert_false(world_view(w, ME).fresh); /* unsettled */
    claim.settled = true;
    world_offer(w, ME, &claim);
    assert_true(world_view(w, ME).fresh);
    claim.released = true;
    world_offer(w, ME, &claim);
    assert_false(world_view(w, ME).fresh);
    claim = world_claim(w, 2, 6, true);
    world_offer(w, ME, &claim);
    assert_false(world_view(w, ME).fresh); /* not heard yet */
    world_close(w);
}

/* A sensor among the dead: exactly one notice when the domain has been without, one when it is served again.
 */
static void the_alarm_is_raised_once_and_ends_once(void **state)
{
    (void)state;
    struct world *w = world_open(4, 3);
    unsigned sensor = 3;
    world_start(w, sensor);
    struct claim claim = world_claim(w, 1, 5, true);
    world_beat(w, 1, sensor);
    world_offer(w, sensor, &claim);
    world_run(w, 31 * MINUTE + 29000);
    assert_false(world_view(w, sensor).unassigned); /* a successor may be in sight */
    world_run(w, 3000);
    assert_true(world_view(w, sensor).unassigned);
    world_run(w, 60 * MINUTE);
    world_beat(w, 1, sensor);
    world_tick(w);
    assert_false(world_view(w, sensor).unassigned);
    claim.released = true;
    world_offer(w, sensor, &claim);
    world_run(w, 119000);
    assert_false(world_view(w, sensor).unassigned);
    world_run(w, 3000);
    assert_true(world_view(w, sensor).unassigned);
    unsigned raised = 0, ended = 0;
    for (unsigned i = 0; i < w->nodes[sensor].notice_count; i++) {
        const struct cluster_notice *notice = &w->nodes[sensor].notices[i];
        raised += notice->type == NOTICE_UNASSIGNED && strcmp(notice->domain, CORP) == 0;
        ended += notice->type == NOTICE_ASSIGNED && strcmp(notice->domain, CORP) == 0;
    }
    assert_int_equal(raised, 2);
    assert_int_equal(ended, 1);
    world_close(w);
}

static void the_alarm_waits_for_the_first_election(void **state)
{
    (void)state;
    struct world *w = world_open(3, 3);
    world_start_all(w);
    world_run(w, 10 * MINUTE);
    for (unsigned i = 0; i < 3; i++)
        for (unsigned j = 0; j < w->nodes[i].notice_count; j++)
            assert_false(w->nodes[i].notices[j].type == NOTICE_UNASSIGNED &&
                         strcmp(w->nodes[i].notices[j].domain, CORP) == 0);
    world_close(w);
    w = world_open(3, 0); /* nobody could be elected */
    world_start_all(w);
    world_run(w, 150000);
    assert_true(world_view(w, 0).unassigned);
    world_close(w);
}

/* -- yield, pin ----------------------------------------------------------------------------------- */

static unsigned elected(struct world *w)
{
    world_start_all(w);
    world_run(w, 4 * MINUTE);
    unsigned holder = world_holder(w);
    assert_true(holder < w->count);
    return holder;
}

static void yield_at_the_holder(void **state)
{
    (void)state;
    struct world *w = world_open(4, 3);
    unsigned first = elected(w);
    WORLD_DO(w, first, election_yield(node, CORP));
    assert_int_not_equal(world_state(w, first), ELECTION_ACTIVE);
    world_run(w, 90000);
    assert_int_not_equal(world_holder(w), first);
    assert_true(world_holder(w) < 3);
    assert_int_equal(world_view(w, 3).cause, CAUSE_RELEASED);
    world_close(w);
}

static void yield_at_another_node_asks_the_holder(void **state)
{
    (void)state;
    struct world *w = world_open(4, 3);
    unsigned first = elected(w);
    WORLD_DO(w, 3, election_yield(node, CORP));
    world_run(w, 90000);
    unsigned second = world_holder(w);
    assert_int_not_equal(second, first);
    assert_int_equal(w->sent[WIRE_ASK], 1);
    /* Whose wish it was is in the history. */
    struct node_id asker = world_id(3);
    unsigned told = 0;
    for (unsigned i = 0; i < w->nodes[first].notice_count; i++)
        told += w->nodes[first].notices[i].cause == CAUSE_YIELDED &&
                node_id_equal(&w->nodes[first].notices[i].node, &asker);
    assert_int_equal(told, 1);
    /* A second wish within ten minutes is not granted by the same holder. */
    WORLD_DO(w, 3, election_yield(node, CORP));
    world_run(w, 3 * MINUTE);
    unsigned third = world_holder(w);
    if (third == first) {
        WORLD_DO(w, 3, election_yield(node, CORP));
        world_run(w, 90000);
        assert_int_equal(world_holder(w), first);
    }
    world_close(w);
}

static void yield_of_the_only_candidate_is_taken_back(void **state)
{
    (void)state;
    struct world *w = world_open(2, 1);
    assert_int_equal(elected(w), 0);
    WORLD_DO(w, 0, election_yield(node, CORP));
    world_run(w, 110000);
    assert_int_equal(world_holder(w), w->count);
    world_run(w, 60000);
    assert_int_equal(world_holder(w), 0);
    world_close(w);
}

static void wishes_without_meaning_are_ignored(void **state)
{
    (void)state;
    struct world *w = world_open(4, 3);
    unsigned holder = elected(w);
    struct node_id from = world_id(3);
    WORLD_DO(w, holder, election_ask(node, &from, CORP, 7));
    WORLD_DO(w, holder, election_ask(node, &from, "other.example", ASK_YIELD));
    WORLD_DO(w, (holder + 1) % 3, election_ask(node, &from, CORP, ASK_YIELD));
    WORLD_DO(w, 3, election_yield(node, "other.example"));
    WORLD_DO(w, 3, election_yield(node, EU));
    WORLD_DO(w, 3, election_pin(node, CORP, true)); /* a sensor */
    WORLD_DO(w, 3, election_candidate(node, CORP, false));
    assert_false(world_view(w, 3).pinned);
    world_run(w, 60000);
    assert_int_equal(world_holder(w), holder);
    world_close(w);
}

static void pin_takes_the_domain(void **state)
{
    (void)state;
    struct world *w = world_open(4, 3);
    unsigned first = elected(w), wanted = (first + 1) % 3;
    WORLD_DO(w, wanted, election_pin(node, CORP, true));
    world_run(w, 5000);
    assert_int_equal(world_holder(w), wanted);
    assert_int_equal(world_view(w, 3).cause, CAUSE_PINNED);
    world_run(w, 2 * 60 * MINUTE);
    assert_int_equal(world_holder(w), wanted);
    /* It survives a restart, is taken again after a minute, and the last pin wins. */
    world_kill(&w->nodes[wanted]);
    world_run(w, 35 * MINUTE);
    unsigned between = world_holder(w);
    assert_true(between < 3);
    world_start(w, wanted);
    world_directory(w, wanted, true);
    world_run(w, 50000);
    assert_int_equal(world_holder(w), between);
    world_run(w, 20000);
    assert_int_equal(world_holder(w), wanted);
    assert_true(world_view(w, wanted).pinned);
    unsigned last = (wanted + 1) % 3;
    WORLD_DO(w, last, election_pin(node, CORP, true));
    world_run(w, 20 * MINUTE);
    assert_int_equal(world_holder(w), last);
    assert_false(world_view(w, wanted).pinned);
    assert_true(world_view(w, last).pinned);
    WORLD_DO(w, last, election_pin(node, CORP, false));
    assert_false(world_view(w, last).pinned);
    world_close(w);
}

/* Also over a holder that was elected, and pinned before. */
static void pin_of_a_holder_ends_with_a_later_one(void **state)
{
    (void)state;
    struct world *w = world_open(4, 3);
    unsigned first = elected(w), last = (first + 1) % 3;
    WORLD_DO(w, first, election_pin(node, CORP, true));
    world_run(w, 10000);
    assert_int_equal(world_holder(w), first);
    WORLD_DO(w, last, election_pin(node, CORP, true));
    world_run(w, 30 * MINUTE);
    assert_int_equal(world_holder(w), last);
    assert_false(world_view(w, first).pinned);
    assert_true(world_view(w, last).pinned);
    assert_int_equal(world_notices(w, first, NOTICE_ELECTION, CAUSE_PINNED), 1);
    world_close(w);
}

/* A pin that comes after somebody else's claim is not ended by it, nor by its repetition. */
static void pin_stands_against_an_older_one(void **state)
{
    (void)state;
    struct world *w = lone_follower();
    struct claim claim = world_claim(w, 1, 5, true);
    claim.cause = CAUSE_PINNED;
    assert_true(world_offer(w, ME, &claim));
    WORLD_DO(w, ME, election_pin(node, CORP, true));
    claim.incarnation++;
    assert_true(world_offer(w, ME, &claim));
    assert_true(world_view(w, ME).pinned);
    until_state(w, ME, ELECTION_ACTIVE, 2 * MINUTE);
    assert_true(own_register(w).term == 6);
    world_close(w);
}

static void pin_is_tried_once_in_ten_minutes(void **state)
{
    (void)state;
    struct world *w = lone_follower();
    struct claim claim = world_claim(w, 1, 5, true);
    world_offer(w, ME, &claim);
    WORLD_DO(w, ME, election_pin(node, CORP, true));
    world_run(w, 2 * MINUTE);
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    assert_true(own_register(w).term == 6);
    claim = world_claim(w, 1, 7, true);
    claim.support = 9;
    assert_true(world_offer(w, ME, &claim));
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_run(w, 7 * MINUTE);
    assert_int_equal(world_state(w, ME), ELECTION_FOLLOWER);
    world_run(w, 4 * MINUTE);
    assert_int_equal(world_state(w, ME), ELECTION_ACTIVE);
    assert_true(own_register(w).term == 8);
    /* Who yields is pinned no longer. */
    WORLD_DO(w, ME, election_yield(node, CORP));
    assert_false(world_view(w, ME).pinned);
    world_close(w);
}

/* -- scenes --------------------------------------------------------------------------------------- */

static void scene_cold_start_and_failover(void **state)
{
    (void)state;
    struct world *w = world_open(6, 4);
    unsigned first = elected(w);
    for (unsigned i = 0; i < 6; i++)
        assert_true(world_view(w, i).fresh);
    int64_t died = w->now;
    world_kill(&w->nodes[first]);
    while (world_holder(w) == w->count) {
        assert_true(w->now - died < 31 * MINUTE + 5000);
        world_tick(w);
    }
    assert_true(w->now - died > 30 * MINUTE);
    unsigned second = world_holder(w);
    world_start(w, first); /* too late */
    world_directory(w, first, true);
    world_run(w, 60 * MINUTE);
    assert_int_equal(world_holder(w), second);
    assert_int_equal(world_state(w, first), ELECTION_FOLLOWER);
    world_close(w);
}

static void scene_holder_restarts_in_time(void **state)
{
    (void)state;
    struct world *w = world_open(5, 3);
    unsigned holder = elected(w);
    uint64_t term = world_view(w, 4).claim.term;
    world_kill(&w->nodes[holder]);
    world_run(w, 25 * MINUTE);
    assert_false(world_view(w, 4).fresh);
    world_start(w, holder);
    world_directory(w, holder, true);
    world_run(w, 60 * MINUTE);
    assert_int_equal(world_holder(w), holder);
    assert_true(world_view(w, 4).claim.term == term);
    assert_true(world_view(w, 4).fresh);
    world_close(w);
}

/* The only other node believes that this one holds the domain and hears it; this one lost its disk. */
static void scene_two_nodes_and_a_lost_disk(void **state)
{
    (void)state;
    struct world *w = world_open(2, 2);
    unsigned holder = elected(w);
    WORLD_DO(w, holder, core_raise_incarnation(node, 6));
    world_run(w, 10000);
    world_kill(&w->nodes[holder]);
    memset(&w->nodes[holder].disk, 0, sizeof w->nodes[holder].disk);
    w->nodes[1 - holder].others[holder].incarnation = 0; /* the gossip part learns and tells incarnations */
    world_start(w, holder);
    world_directory(w, holder, true);
    world_run(w, 60000);
    assert_int_equal(world_holder(w), holder);
    struct claim a = world_view(w, 0).claim, b = world_view(w, 1).claim;
    assert_int_equal(claim_compare(&a, &b), 0);
    world_close(w);
}

/* A sensor hears the holder, the candidates do not. */
static void scene_a_sensor_vetoes(void **state)
{
    (void)state;
    struct world *w = world_open(5, 3);
    unsigned holder = elected(w);
    for (unsigned i = 0; i < 3; i++)
        if (i != holder)
            world_cut(w, holder, i, true);
    world_run(w, 90 * MINUTE);
    assert_int_equal(world_actives(w), 1);
    assert_int_equal(world_holder(w), holder);
    unsigned vetoes = 0;
    for (unsigned i = 0; i < 3; i++)
        vetoes += world_view(w, i).vetoes;
    assert_true(vetoes > 0);
    world_close(w);
}

/* Both sides of a cut have a holder after 30 minutes; when it heals the larger side's stays. */
static void scene_the_larger_side_keeps_its_holder(void **state)
{
    (void)state;
    for (unsigned border = 2; border <= 5; border += 3) {
        struct world *w = world_open(7, 7);
        elected(w);
        world_partition(w, border, true);
        world_run(w, 40 * MINUTE);
        assert_int_equal(world_actives(w), 2);
        unsigned large = w->count;
        for (unsigned i = 0; i < 7; i++)
            if (election_holds(&w->nodes[i], 0, NULL) && (i < border) == (border == 5))
                large = i;
        world_partition(w, border, false);
        world_run(w, 60000);
        assert_int_equal(world_holder(w), large);
        for (unsigned i = 0; i < 7; i++) {
            struct claim a = world_view(w, i).claim, b = world_view(w, large).claim;
            assert_int_equal(claim_compare(&a, &b), 0);
        }
        world_close(w);
    }
}

/* With min_observers of a majority there are never two. */
static void scene_min_observers_never_two(void **state)
{
    (void)state;
    struct world *w = world_open(5, 5);
    for (unsigned i = 0; i < 5; i++)
        w->nodes[i].config.min_observers = 3;
    unsigned holder = elected(w);
    for (unsigned i = 0; i < 5; i++) /* the holder with at most one other on its side */
        for (unsigned j = 0; j < 5; j++)
            if ((i == holder) != (j == holder))
                w->cut[i][j] = true;
    for (int64_t end = w->now + 60 * MINUTE; w->now < end;) {
        world_tick(w);
        assert_true(world_actives(w) <= 1);
    }
    assert_int_not_equal(world_holder(w), holder);
    assert_true(world_holder(w) < 5);
    world_close(w);
}

/* A holder that hears all but is heard by nobody is replaced, and cannot defend itself. */
static void scene_a_mute_holder_is_replaced(void **state)
{
    (void)state;
    struct world *w = world_open(5, 5);
    unsigned holder = elected(w);
    for (unsigned i = 0; i < 5; i++)
        w->cut[holder][i] = true;
    w->nodes[holder].mute = true;
    world_run(w, 33 * MINUTE);
    assert_true(world_holder(w) < 5 && world_holder(w) != holder);
    world_close(w);
}

/* A deaf candidate hears nobody's heartbeat, so it bids: and is refuted. */
static void scene_a_deaf_candidate_is_refuted(void **state)
{
    (void)state;
    struct world *w = world_open(5, 5);
    unsigned holder = elected(w), deaf = (holder + 1) % 5;
    for (unsigned i = 0; i < 5; i++)
        w->cut[i][deaf] = true;
    for (int64_t end = w->now + 3 * 60 * MINUTE; w->now < end;) {
        world_tick(w);
        assert_true(election_holds(&w->nodes[holder], 0, NULL));
    }
    assert_true(w->nodes[holder].counters.refutations > 0);
    for (unsigned i = 0; i < 5; i++)
        w->cut[i][deaf] = false;
    world_run(w, 60000);
    assert_int_equal(world_holder(w), holder);
    world_close(w);
}

static void scene_every_candidate_gone_and_back(void **state)
{
    (void)state;
    struct world *w = world_open(4, 2);
    elected(w);
    world_kill(&w->nodes[0]);
    world_kill(&w->nodes[1]);
    world_run(w, 3 * 60 * MINUTE);
    assert_true(world_view(w, 3).unassigned);
    unsigned follower = world_named(w, 3) == 0 ? 1 : 0;
    world_start(w, follower); /* the other one is gone for good: 30 minutes of its own watching */
    world_directory(w, follower, true);
    world_run(w, 35 * MINUTE);
    assert_int_equal(world_holder(w), follower);
    world_tick(w);
    assert_false(world_view(w, 3).unassigned);
    world_close(w);
}

static void scene_the_only_candidate_loses_its_directory(void **state)
{
    (void)state;
    struct world *w = world_open(3, 1);
    assert_int_equal(elected(w), 0);
    world_directory(w, 0, false);
    world_run(w, 20 * MINUTE);
    assert_int_equal(world_holder(w), 3);
    assert_true(world_view(w, 2).unassigned);
    world_directory(w, 0, true);
    world_run(w, MINUTE);
    assert_int_equal(world_holder(w), 0);
    world_tick(w);
    assert_false(world_view(w, 2).unassigned);
    world_close(w);
}

/* A directory that comes and goes each few seconds costs no terms. */
static void scene_a_flapping_directory(void **state)
{
    (void)state;
    struct world *w = world_open(3, 2);
    unsigned holder = elected(w);
    uint64_t term = world_view(w, 2).claim.term;
    for (unsigned i = 0; i < 200; i++) {
        world_directory(w, holder, i % 2);
        world_run(w, 7000);
    }
    assert_true(world_view(w, 2).claim.term == term);
    world_close(w);
}

static void scene_flapping_candidacies(void **state)
{
    (void)state;
    struct world *w = world_open(5, 5);
    unsigned holder = elected(w);
    world_kill(&w->nodes[holder]);
    for (unsigned i = 0; i < 600; i++) {
        unsigned number = (unsigned)(world_random(&w->random) % 5);
        bool on = world_random(&w->random) % 2;
        if (number != holder)
            WORLD_DO(w, number, election_candidate(node, CORP, on));
        world_run(w, 5000);
        assert_true(world_actives(w) <= 2);
    }
    for (unsigned i = 0; i < 5; i++)
        if (i != holder)
            WORLD_DO(w, i, election_candidate(node, CORP, true));
    world_run(w, 4 * MINUTE);
    assert_true(world_holder(w) < 5);
    world_close(w);
}

/* Loss, and 16 candidates: bids stay few, the end is the same. */
static void scene_many_candidates_and_loss(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 6; seed++) {
        struct world *w = world_open(16, 16);
        w->loss = 30;
        w->random = seed;
        unsigned holder = elected(w);
        world_kill(&w->nodes[holder]);
        world_run(w, 33 * MINUTE);
        assert_true(world_holder(w) < 16);
        unsigned bids = 0, prechecks = 0;
        for (unsigned i = 0; i < 16; i++) {
            bids += (unsigned)w->nodes[i].counters.bids;
            prechecks += (unsigned)w->nodes[i].counters.prechecks;
        }
        assert_true(bids <= 12);      /* of two elections */
        assert_true(prechecks <= 16); /* no storm of questions */
        world_close(w);
    }
}

/* Who wins is a matter of chance: chi-square over 16 terms' worth of draws would be too few; 2,000 draws of
 * four candidates, p = 0.001. */
static void scene_wins_are_uniform(void **state)
{
    (void)state;
    struct world *w = world_open(4, 4);
    unsigned wins[4] = {0};
    for (uint64_t term = 1; term <= 2000; term++) {
        unsigned best = 0;
        struct claim greatest = world_claim(w, 0, term, false);
        for (unsigned i = 1; i < 4; i++) {
            struct claim claim = world_claim(w, i, term, false);
            if (claim_compare(&claim, &greatest) > 0) {
                greatest = claim;
                best = i;
            }
        }
        wins[best]++;
    }
    unsigned chi = 0; /* times 500 */
    for (unsigned i = 0; i < 4; i++)
        chi += (wins[i] - 500) * (wins[i] - 500);
    assert_true(chi < 8133); /* 16.27 x 500 */
    world_close(w);
}

/* -- what is kept --------------------------------------------------------------------------------- */

static void what_is_saved_is_loaded(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    WORLD_DO(w, ME, election_pin(node, CORP, true));
    WORLD_DO(w, ME, election_candidate(node, EU, false));
    world_kill(&w->nodes[ME]);
    world_start(w, ME);
    assert_true(world_view(w, ME).pinned);
    assert_int_equal(election_candidate_off(&w->nodes[ME]), 2);
    assert_true(own_register(w).term == 5);
    world_close(w);
}

static void a_damaged_state_is_refused(void **state)
{
    (void)state;
    struct world *w = follower_of_puppet();
    WORLD_DO(w, ME, election_pin(node, CORP, true));
    struct saved_state *disk = &w->nodes[ME].disk;
    for (size_t cut = 0; cut < disk->size; cut++) {
        uint8_t *copy = malloc(cut + 1);
        memcpy(copy, disk->election, cut);
        struct cursor c = cursor_of(copy, cut);
        assert_false(election_load(&w->nodes[ME], &c));
        free(copy);
    }
    for (size_t bit = 0; bit < disk->size * 8; bit++) { /* whatever becomes of it, nothing breaks */
        struct cursor c = cursor_of(disk->election, disk->size);
        disk->election[bit / 8] ^= (uint8_t)(1u << bit % 8);
        election_load(&w->nodes[ME], &c);
        disk->election[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    world_close(w);
}

static void views_are_bounded(void **state)
{
    (void)state;
    struct world *w = lone_follower();
    struct cluster_domain_view view;
    assert_false(election_view(&w->nodes[ME], 7, &view));
    assert_false(election_holds(&w->nodes[ME], 7, NULL));
    assert_int_equal(election_register(&w->nodes[ME], 7).size, 0);
    assert_string_equal(election_state_text(ELECTION_PRECHECK), "PRECHECK");
    assert_string_equal(election_state_text((enum election_state)99), "?");
    struct claim claim = {0};
    assert_false(election_holds(&w->nodes[ME], 0, &claim));
    world_close(w);
    w = active();
    assert_true(election_holds(&w->nodes[ME], 0, &claim));
    assert_true(claim.term == own_register(w).term);
    struct election *none = NULL;
    election_destroy(&none);
    world_close(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_ends_5_s_after_an_exchange),
        cmocka_unit_test(boot_ends_after_120_s_alone),
        cmocka_unit_test(boot_resumes_what_it_held),
        cmocka_unit_test(boot_resumes_with_the_support_it_had),
        cmocka_unit_test(boot_meets_its_successor),
        cmocka_unit_test(boot_releases_what_it_may_no_longer_hold),
        cmocka_unit_test(boot_says_again_what_it_released),
        cmocka_unit_test(observer_only_merges),
        cmocka_unit_test(observer_follows_when_its_directory_is_back_for_10_s),
        cmocka_unit_test(follower_opens_the_first_term_after_120_s),
        cmocka_unit_test(follower_opens_a_term_at_once_after_a_release),
        cmocka_unit_test(follower_opens_a_term_after_an_unsettled_claim_of_120_s),
        cmocka_unit_test(follower_opens_a_term_after_more_than_30_minutes_of_silence),
        cmocka_unit_test(follower_of_a_holder_that_is_heard_waits_for_ever),
        cmocka_unit_test(follower_counts_from_the_claim_of_a_holder_never_heard),
        cmocka_unit_test(follower_does_nothing_in_tilt),
        cmocka_unit_test(follower_replaces_a_revoked_holder_at_once),
        cmocka_unit_test(follower_replaces_a_holder_that_left_at_once),
        cmocka_unit_test(follower_knows_that_a_holder_came_back_by_its_claim),
        cmocka_unit_test(follower_bids_only_with_min_observers),
        cmocka_unit_test(follower_without_right_to_it_does_not_bid),
        cmocka_unit_test(wait_ends_when_the_holder_is_heard),
        cmocka_unit_test(wait_ends_with_a_token_as_great_as_its_own),
        cmocka_unit_test(wait_goes_on_after_a_smaller_token),
        cmocka_unit_test(wait_ends_with_a_settled_claim),
        cmocka_unit_test(wait_ends_when_the_old_holder_speaks),
        cmocka_unit_test(wait_goes_over_to_precheck),
        cmocka_unit_test(wait_rises_with_the_draw_and_is_bounded),
        cmocka_unit_test(wait_ends_with_the_right_to_bid),
        cmocka_unit_test(precheck_asks_at_1_4_and_7_s),
        cmocka_unit_test(precheck_ends_with_a_veto),
        cmocka_unit_test(precheck_goes_on_without_proof),
        cmocka_unit_test(questions_are_answered_by_who_knows_better),
        cmocka_unit_test(precheck_ends_in_tilt),
        cmocka_unit_test(precheck_ends_with_a_greater_token),
        cmocka_unit_test(precheck_ends_when_the_holder_is_heard),
        cmocka_unit_test(precheck_without_veto_persists_and_bids),
        cmocka_unit_test(precheck_crash_between_persist_and_send),
        cmocka_unit_test(settling_is_withdrawn_for_a_greater_token),
        cmocka_unit_test(settling_ends_after_30_s),
        cmocka_unit_test(settling_ends_in_tilt),
        cmocka_unit_test(settling_is_released_without_the_right),
        cmocka_unit_test(settled_stands_before_the_draw),
        cmocka_unit_test(active_refutes_a_claim_with_less_support),
        cmocka_unit_test(active_counts_who_was_heard_all_the_time),
        cmocka_unit_test(active_stops_for_a_claim_with_as_much_support),
        cmocka_unit_test(active_stops_when_mute),
        cmocka_unit_test(active_does_not_refute_within_300_s_of_a_restart),
        cmocka_unit_test(active_does_not_refute_in_tilt_nor_300_s_after),
        cmocka_unit_test(active_does_not_refute_a_pinned_claim),
        cmocka_unit_test(active_takes_back_what_was_released_again),
        cmocka_unit_test(active_releases_when_its_directory_is_lost_for_10_s),
        cmocka_unit_test(active_releases_at_shutdown),
        cmocka_unit_test(active_releases_when_its_candidacy_is_off),
        cmocka_unit_test(active_stops_when_revoked),
        cmocka_unit_test(active_lets_go_after_15_minutes_without_min_observers),
        cmocka_unit_test(active_claims_again_with_a_new_incarnation),
        cmocka_unit_test(active_claims_again_with_a_new_key),
        cmocka_unit_test(any_learns_its_incarnation_from_its_own_claim),
        cmocka_unit_test(any_releases_its_own_claim_when_unfit),
        cmocka_unit_test(any_bid_ends_with_an_own_claim_of_an_earlier_life),
        cmocka_unit_test(any_active_claim_released_in_an_earlier_life_is_said_again),
        cmocka_unit_test(any_tells_its_claim_each_5_s_for_60_s),
        cmocka_unit_test(persist_failed_a_bid_was_never_made),
        cmocka_unit_test(persist_failed_the_first_claim_was_never_made),
        cmocka_unit_test(persist_failed_active_lets_go),
        cmocka_unit_test(persist_failed_settling_stays_a_bid_and_is_released),
        cmocka_unit_test(claims_that_do_not_verify_are_refused),
        cmocka_unit_test(claims_of_the_revoked_are_refused),
        cmocka_unit_test(claims_far_ahead_are_held_back),
        cmocka_unit_test(claims_far_ahead_must_stay_on_offer),
        cmocka_unit_test(the_first_claim_may_have_any_term),
        cmocka_unit_test(claims_in_a_flood_are_refused),
        cmocka_unit_test(claims_of_equal_rank_converge),
        cmocka_unit_test(fresh_ends_after_90_s_of_silence),
        cmocka_unit_test(fresh_needs_a_settled_holder_that_was_heard),
        cmocka_unit_test(the_alarm_is_raised_once_and_ends_once),
        cmocka_unit_test(the_alarm_waits_for_the_first_election),
        cmocka_unit_test(yield_at_the_holder),
        cmocka_unit_test(yield_at_another_node_asks_the_holder),
        cmocka_unit_test(yield_of_the_only_candidate_is_taken_back),
        cmocka_unit_test(wishes_without_meaning_are_ignored),
        cmocka_unit_test(pin_takes_the_domain),
        cmocka_unit_test(pin_of_a_holder_ends_with_a_later_one),
        cmocka_unit_test(pin_stands_against_an_older_one),
        cmocka_unit_test(pin_is_tried_once_in_ten_minutes),
        cmocka_unit_test(scene_cold_start_and_failover),
        cmocka_unit_test(scene_holder_restarts_in_time),
        cmocka_unit_test(scene_two_nodes_and_a_lost_disk),
        cmocka_unit_test(scene_a_sensor_vetoes),
        cmocka_unit_test(scene_the_larger_side_keeps_its_holder),
        cmocka_unit_test(scene_min_observers_never_two),
        cmocka_unit_test(scene_a_mute_holder_is_replaced),
        cmocka_unit_test(scene_a_deaf_candidate_is_refuted),
        cmocka_unit_test(scene_every_candidate_gone_and_back),
        cmocka_unit_test(scene_the_only_candidate_loses_its_directory),
        cmocka_unit_test(scene_a_flapping_directory),
        cmocka_unit_test(scene_flapping_candidacies),
        cmocka_unit_test(scene_many_candidates_and_loss),
        cmocka_unit_test(scene_wins_are_uniform),
        cmocka_unit_test(what_is_saved_is_loaded),
        cmocka_unit_test(a_damaged_state_is_refused),
        cmocka_unit_test(views_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
