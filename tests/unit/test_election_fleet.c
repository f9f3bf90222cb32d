/* SPDX-License-Identifier: Apache-2.0
 *
 * Elections of whole fleets: the shipped core in all its parts, on virtual time.
 */
#include "base/msgpack.h"
#include "cluster/cluster_internal.h"
#include "cluster/report.h"
#include "tests/unit/memory_fleet.h"
#include "tests/unit/unit.h"

#define MINUTE INT64_C(60000)

static void tell(struct fleet *f, unsigned number, enum cluster_event_type type, bool on)
{
    struct cluster_event event = {.type = type};
    if (type == CLUSTER_DIRECTORY) {
        event.directory.domain = FLEET_DOMAIN;
        event.directory.reachable = on;
    } else {
        event.command.domain = FLEET_DOMAIN;
        event.command.on = on;
    }
    fleet_event(f, number, event);
}

/* A node that starts again knows the others from the last time. */
static void start(struct fleet *f, unsigned number)
{
    if (!f->nodes[number].core) {
        fleet_make(f, number);
        for (unsigned i = 0; i < f->options.count; i++)
            if (f->nodes[i].up)
                fleet_learn(f, number, i);
    }
    fleet_start(f, number);
    tell(f, number, CLUSTER_DIRECTORY, true);
}

static struct fleet *open_fleet(unsigned count, unsigned candidates, uint64_t seed)
{
    struct fleet *f = fleet_new(
        &(struct fleet_options){.count = count, .candidates = candidates, .sites = 3, .seed = seed});
    for (unsigned i = 0; i < count; i++)
        start(f, i);
    return f;
}

static struct cluster_domain_view view_of(struct fleet *f, unsigned number)
{
    struct cluster_domain_view view;
    assert_true(cluster_domain_find(f->nodes[number].core, FLEET_DOMAIN, &view));
    return view;
}

static unsigned actives(struct fleet *f)
{
    unsigned count = 0;
    for (unsigned i = 0; i < f->options.count; i++)
        count += f->nodes[i].up && cluster_holds(f->nodes[i].core, FLEET_DOMAIN, NULL);
    return count;
}

/* The only ACTIVE node. */
static unsigned holder_of(struct fleet *f)
{
    assert_int_equal(actives(f), 1);
    for (unsigned i = 0; i < f->options.count; i++)
        if (f->nodes[i].up && cluster_holds(f->nodes[i].core, FLEET_DOMAIN, NULL))
            return i;
    return UINT32_MAX;
}

static void all_agree(struct fleet *f)
{
    unsigned holder = holder_of(f);
    for (unsigned i = 0; i < f->options.count; i++) {
        if (!f->nodes[i].up)
            continue;
        struct cluster_domain_view view = view_of(f, i);
        assert_true(view.has_claim && view.fresh);
        assert_true(node_id_equal(&view.claim.id, &f->nodes[holder].id));
    }
    assert_true(fleet_converged(f));
}

static void elected_once_and_replaced_in_time(void **state)
{
    (void)state;
    struct fleet *f = open_fleet(20, 6, 3);
    fleet_run(f, 5 * MINUTE);
    all_agree(f);
    assert_true(view_of(f, 0).claim.term == 1);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(f->nodes[i].notices[NOTICE_UNASSIGNED], 0);
    unsigned first = holder_of(f);
    fleet_kill(f, first);
    fleet_run(f, 30 * MINUTE - 16000);
    assert_int_equal(actives(f), 0);
    int64_t died = f->now - (30 * MINUTE - 16000);
    while (actives(f) == 0) {
        assert_true(f->now - died < 31 * MINUTE);
        fleet_run(f, 1000);
    }
    fleet_run(f, 10000);
    all_agree(f);
    uint64_t bids = 0;
    for (unsigned i = 0; i < 20; i++)
        if (f->nodes[i].up)
            bids += cluster_counters(f->nodes[i].core)->bids;
    assert_true(bids <= 6);
    start(f, first);
    fleet_run(f, 60 * MINUTE);
    all_agree(f);
    assert_int_not_equal(holder_of(f), first);
    fleet_destroy(&f);
}

static void resumed_after_a_restart(void **state)
{
    (void)state;
    struct fleet *f = open_fleet(8, 3, 4);
    fleet_run(f, 5 * MINUTE);
    unsigned holder = holder_of(f);
    fleet_kill(f, holder);
    fleet_run(f, 20 * MINUTE);
    start(f, holder);
    fleet_run(f, MINUTE);
    all_agree(f);
    assert_int_equal(holder_of(f), holder);
    assert_true(view_of(f, 7).claim.term == 1);
    fleet_destroy(&f);
}

/* Two nodes; the holder loses its disk and comes back within the time. */
static void two_nodes_and_a_lost_disk(void **state)
{
    (void)state;
    struct fleet *f = open_fleet(2, 2, 5);
    fleet_run(f, 5 * MINUTE);
    unsigned holder = holder_of(f);
    for (unsigned life = 0; life < 3; life++) {
        fleet_kill(f, holder);
        fleet_run(f, MINUTE);
        start(f, holder);
        fleet_run(f, 5 * MINUTE);
    }
    fleet_kill(f, holder);
    f->nodes[holder].disk_size = 0;
    fleet_run(f, MINUTE);
    start(f, holder);
    fleet_run(f, 2 * MINUTE);
    all_agree(f);
    assert_int_equal(holder_of(f), holder);
    fleet_destroy(&f);
}

static void revoked_holder_is_replaced_at_once(void **state)
{
    (void)state;
    struct fleet *f = open_fleet(9, 3, 6);
    fleet_run(f, 5 * MINUTE);
    unsigned holder = holder_of(f);
    fleet_revoke(f, (holder + 1) % 3, &holder, 1);
    fleet_run(f, 5000);
    assert_int_equal(actives(f), 0);
    assert_true(f->nodes[holder].notices[NOTICE_SYNCHRONIZER_STOP] == 1);
    fleet_run(f, 85000);
    assert_int_not_equal(holder_of(f), holder);
    assert_true(view_of(f, 8).claim.term == 2);
    fleet_kill(f, holder);
    all_agree(f);
    fleet_destroy(&f);
}

/* The only candidate is revoked; a new machine takes its place. */
static void newcomer_follows_a_revoked_holder(void **state)
{
    (void)state;
    struct fleet *f =
        fleet_new(&(struct fleet_options){.count = 6, .candidates = 2, .seed = 7, .strangers = true});
    for (unsigned i = 0; i < 6; i++)
        if (i != 1)
            start(f, i);
    fleet_run(f, 5 * MINUTE);
    assert_int_equal(holder_of(f), 0);
    unsigned first = 0;
    fleet_revoke(f, 2, &first, 1);
    fleet_run(f, MINUTE);
    fleet_kill(f, 0);
    fleet_run(f, 5 * MINUTE);
    assert_int_equal(actives(f), 0);
    assert_true(view_of(f, 4).unassigned);
    cluster_destroy(&f->nodes[1].core);
    fleet_make(f, 1);
    fleet_learn(f, 1, 2);
    start(f, 1);
    fleet_run(f, 5 * MINUTE);
    assert_int_equal(holder_of(f), 1);
    all_agree(f);
    assert_false(view_of(f, 4).unassigned);
    fleet_destroy(&f);
}

static void leaving_releases(void **state)
{
    (void)state;
    struct fleet *f = open_fleet(9, 4, 8);
    fleet_run(f, 5 * MINUTE);
    unsigned first = holder_of(f);
    fleet_event(f, first, (struct cluster_event){.type = CLUSTER_LEAVE});
    assert_int_equal(actives(f), 0);
    fleet_run(f, 3000);
    fleet_kill(f, first);
    fleet_run(f, 80000);
    all_agree(f);
    fleet_destroy(&f);
}

static void wishes_of_administrators(void **state)
{
    (void)state;
    struct fleet *f = open_fleet(9, 4, 9);
    fleet_run(f, 5 * MINUTE);
    unsigned first = holder_of(f);
    tell(f, 8, CLUSTER_YIELD, true); /* asked at a sensor */
    fleet_run(f, 90000);
    unsigned second = holder_of(f);
    assert_int_not_equal(second, first);
    unsigned wanted = (second + 1) % 4;
    tell(f, wanted, CLUSTER_PIN, true);
    fleet_run(f, 10000);
    assert_int_equal(holder_of(f), wanted);
    all_agree(f);
    tell(f, wanted, CLUSTER_CANDIDATE, false);
    fleet_run(f, 80000);
    assert_int_not_equal(holder_of(f), wanted);
    all_agree(f);
    tell(f, wanted, CLUSTER_CANDIDATE, true); /* still pinned */
    fleet_run(f, 12 * MINUTE);
    assert_int_equal(holder_of(f), wanted);
    unsigned last = (wanted + 1) % 4;
    tell(f, last, CLUSTER_PIN, true);
    fleet_run(f, 15 * MINUTE);
    assert_int_equal(holder_of(f), last);
    assert_false(view_of(f, wanted).pinned);
    fleet_destroy(&f);
}

static bool halves(const struct fleet *f, unsigned from, unsigned to)
{
    (void)f;
    return (from < 5) == (to < 5);
}

/* Five and seven nodes, cut apart for an hour: two synchronizers; then one, of the larger side. */
static void cut_and_healed(void **state)
{
    (void)state;
    for (uint64_t seed = 20; seed < 24; seed++) {
        struct fleet *f = open_fleet(12, 12, seed);
        fleet_run(f, 10 * MINUTE);
        all_agree(f);
        f->passes = halves;
        fleet_run(f, 60 * MINUTE);
        assert_int_equal(actives(f), 2);
        f->passes = NULL;
        fleet_run(f, 5 * MINUTE);
        all_agree(f);
        assert_true(holder_of(f) >= 5);
        fleet_destroy(&f);
    }
}

static unsigned isolated;

static bool but_isolated(const struct fleet *f, unsigned from, unsigned to)
{
    (void)f;
    return to != isolated || from == to;
}

/* A candidate that hears nobody, and is heard. */
static void deaf_candidate_deposes_nobody(void **state)
{
    (void)state;
    struct fleet *f = open_fleet(10, 4, 31);
    fleet_run(f, 10 * MINUTE);
    unsigned holder = holder_of(f);
    isolated = (holder + 1) % 4;
    f->passes = but_isolated;
    for (unsigned i = 0; i < 120; i++) {
        fleet_run(f, MINUTE);
        assert_true(cluster_holds(f->nodes[holder].core, FLEET_DOMAIN, NULL));
    }
    f->passes = NULL;
    fleet_run(f, 5 * MINUTE);
    all_agree(f);
    assert_int_equal(holder_of(f), holder);
    fleet_destroy(&f);
}

static void disk_fails_at_the_holder(void **state)
{
    (void)state;
    struct fleet *f = open_fleet(8, 3, 33);
    fleet_run(f, 10 * MINUTE);
    unsigned holder = holder_of(f);
    f->nodes[holder].disk_fails = true;
    tell(f, holder, CLUSTER_PIN, true); /* something to be written */
    fleet_run(f, 2000);
    assert_int_equal(actives(f), 0);
    fleet_run(f, 31 * MINUTE);
    assert_int_not_equal(holder_of(f), holder);
    tell(f, holder, CLUSTER_PIN, false);
    f->nodes[holder].disk_fails = false;
    fleet_run(f, 5 * MINUTE);
    all_agree(f);
    fleet_destroy(&f);
}

/* A virtual machine is suspended, and all its clocks with it: when it goes on it believes that it was there
 * all the time. That the others counted on tells it otherwise, before it meets its successor. */
static void frozen_holder_gives_way(void **state)
{
    (void)state;
    for (uint64_t seed = 30; seed < 36; seed++) {
        struct fleet *f = open_fleet(6, 4, seed);
        fleet_run(f, 10 * MINUTE);
        unsigned before = holder_of(f);
        uint64_t term = view_of(f, before).claim.term;
        f->nodes[before].paused = true;
        fleet_run(f, 45 * MINUTE);
        f->nodes[before].paused = false;
        f->nodes[before].mono_ahead -= 45 * MINUTE;
        f->nodes[before].boot_ahead -= 45 * MINUTE;
        f->nodes[before].wall_ahead -= 45 * MINUTE;
        fleet_run(f, 2 * MINUTE);
        assert_int_not_equal(holder_of(f), before);
        assert_int_equal(view_of(f, before).claim.term, term + 1);
        assert_int_equal(f->nodes[before].notices[NOTICE_TILT], 0);
        all_agree(f);
        fleet_destroy(&f);
    }
}

/* 60 candidates: bids and questions of an election do not grow with them. */
static void sixty_candidates(void **state)
{
    (void)state;
    struct fleet *f = open_fleet(64, 60, 40);
    f->options.loss = 10;
    fleet_run(f, 5 * MINUTE);
    unsigned first = holder_of(f);
    uint64_t bids = 0, prechecks = 0;
    for (unsigned i = 0; i < 64; i++)
        bids += cluster_counters(f->nodes[i].core)->bids;
    assert_true(bids <= 8);
    fleet_kill(f, first);
    fleet_run(f, 31 * MINUTE);
    all_agree(f);
    bids = 0;
    for (unsigned i = 0; i < 64; i++) {
        if (!f->nodes[i].up)
            continue;
        bids += cluster_counters(f->nodes[i].core)->bids;
        prechecks += cluster_counters(f->nodes[i].core)->prechecks;
    }
    assert_true(bids <= 14);
    assert_true(prechecks <= 20);
    fleet_destroy(&f);
}

/* One signed thing, in a GOSSIP of its own. */
static void send_gossip(struct fleet *f, unsigned from, unsigned to, enum wire_key key, struct bytes encoded)
{
    uint8_t buffer[REPORT_MAX_SIZE + 64];
    struct msgpack_writer w;
    msgpack_writer_init(&w, buffer, sizeof buffer);
    msgpack_put_map(&w, 3);
    msgpack_put_uint(&w, WIRE_KEY_VERSION);
    msgpack_put_uint(&w, WIRE_VERSION);
    msgpack_put_uint(&w, WIRE_KEY_TYPE);
    msgpack_put_uint(&w, WIRE_GOSSIP);
    msgpack_put_uint(&w, key);
    msgpack_put_array(&w, 1);
    msgpack_put_binary(&w, encoded.data, encoded.size);
    struct cluster_event event = {.type = CLUSTER_RECEIVED};
    event.received.from = f->nodes[from].id;
    event.received.message = (struct bytes){buffer, w.size};
    fleet_event(f, to, event);
}

/* A message of `from`, whose key has fallen into wrong hands, with a claim made at will. */
static void send_claim(struct fleet *f, unsigned from, unsigned to, struct claim claim)
{
    uint8_t encoded[CLAIM_MAX_SIZE];
    struct cluster_crypto crypto = fleet_crypto(&f->nodes[from].key);
    snprintf(claim.domain, sizeof claim.domain, "%s", FLEET_DOMAIN);
    claim.id = f->nodes[from].id;
    claim.draw = claim_draw(&crypto, claim.domain, claim.term, &claim.id);
    size_t size = claim_write(encoded, sizeof encoded, &claim, &crypto);
    send_gossip(f, from, to, WIRE_KEY_CLAIMS, (struct bytes){encoded, size});
}

/* A candidate that takes the domain with invented support, again and again: it holds it, for it is a
 * candidate; but nobody takes more than a claim a second, and its revocation ends it. */
static void hostile_candidate_is_bounded(void **state)
{
    (void)state;
    struct fleet *f = open_fleet(8, 3, 50);
    fleet_run(f, 10 * MINUTE);
    unsigned liar = (holder_of(f) + 1) % 3, witness = 7;
    fleet_kill(f, liar); /* the machine is the attacker's now */
    uint64_t before = cluster_counters(f->nodes[witness].core)->claims_new;
    for (unsigned i = 0; i < 600; i++) {
        struct claim claim = {.settled = true, .incarnation = 99, .support = UINT16_MAX};
        claim.term = view_of(f, witness).claim.term + 1 + i % 20;
        send_claim(f, liar, witness, claim);
        fleet_run(f, 100);
    }
    uint64_t taken = cluster_counters(f->nodes[witness].core)->claims_new - before;
    assert_in_range(taken, 30, 100);
    assert_int_equal(actives(f), 0);
    fleet_revoke(f, witness, &liar, 1);
    fleet_run(f, 80000);
    all_agree(f);
    fleet_destroy(&f);
}

/* The liar's claims, offered to everybody who is up until they are believed. */
static void insist_on_term(struct fleet *f, unsigned liar, uint64_t term)
{
    struct claim claim = {.settled = true, .incarnation = 99, .support = UINT16_MAX, .term = term};
    for (unsigned minute = 0; minute < 12; minute++) {
        for (unsigned i = 0; i < f->options.count; i++)
            if (f->nodes[i].up && !f->nodes[i].paused)
                send_claim(f, liar, i, claim);
        fleet_run(f, MINUTE);
    }
}

/* One who was away while a liar raised the term twice comes to believe in the same terms as the others. */
static void missed_jumps_of_the_term_are_made_up_for(void **state)
{
    (void)state;
    struct fleet *f = open_fleet(8, 3, 52);
    fleet_run(f, 10 * MINUTE);
    unsigned liar = (holder_of(f) + 1) % 3, away = 7, witness = 6;
    uint64_t jump = UINT64_C(3) << 30;
    fleet_kill(f, liar);
    f->nodes[away].paused = true;
    insist_on_term(f, liar, view_of(f, witness).claim.term + jump);
    insist_on_term(f, liar, view_of(f, witness).claim.term + jump);
    assert_true(view_of(f, witness).claim.term > 2 * jump);
    f->nodes[away].paused = false;
    fleet_run(f, 15 * MINUTE);
    assert_true(view_of(f, away).claim.term > 2 * jump);
    assert_int_equal(view_of(f, away).claim.term, view_of(f, witness).claim.term);
    /* No more of the terms than was there for it to take. */
    uint64_t most = view_of(f, witness).claim.term;
    insist_on_term(f, liar, UINT64_C(1) << 63);
    assert_true(view_of(f, witness).claim.term < most + 1024);
    fleet_destroy(&f);
}

/* A sensor's claims, and terms from nowhere, are refused and told of. */
static void claims_without_right_are_told_of(void **state)
{
    (void)state;
    struct fleet *f = open_fleet(8, 3, 51);
    fleet_run(f, 10 * MINUTE);
    unsigned holder = holder_of(f);
    struct claim claim = {.term = 2, .settled = true, .incarnation = 1, .support = UINT16_MAX};
    send_claim(f, 6, 7, claim);
    assert_int_equal(f->nodes[7].notices[NOTICE_HOSTILE], 1);
    claim.term = UINT64_C(1) << 40;
    send_claim(f, (holder + 1) % 3, 5, claim);
    assert_int_equal(f->nodes[5].notices[NOTICE_HOSTILE], 1);
    fleet_run(f, MINUTE);
    all_agree(f);
    assert_int_equal(holder_of(f), holder);
    fleet_destroy(&f);
}

/* --- reports of the holder --- */

static void report(struct fleet *f, unsigned number, const char *text)
{
    struct cluster_event event = {.type = CLUSTER_REPORT};
    event.report.domain = FLEET_DOMAIN;
    event.report.data = (struct bytes){(const uint8_t *)text, strlen(text)};
    fleet_event(f, number, event);
}

static bool knows_report(struct fleet *f, unsigned number, const char *text)
{
    struct cluster_report_view view;
    return cluster_report(f->nodes[number].core, FLEET_DOMAIN, &view) && view.data.size == strlen(text) &&
           memcmp(view.data.data, text, view.data.size) == 0;
}

static void holders_report_is_known_to_all(void **state)
{
    (void)state;
    struct fleet *f = open_fleet(8, 3, 21);
    fleet_run(f, 35 * MINUTE);
    unsigned holder = holder_of(f);
    report(f, holder, "first");
    fleet_run(f, MINUTE / 6);
    report(f, holder, "second");
    fleet_run(f, MINUTE / 6);
    for (unsigned i = 0; i < 8; i++)
        assert_true(knows_report(f, i, "second"));
    /* Who does not hold the domain has nothing to report. */
    report(f, (holder + 1) % 3, "mine");
    fleet_run(f, MINUTE / 6);
    for (unsigned i = 0; i < 8; i++)
        assert_true(knows_report(f, i, "second"));
    /* The successor finds it, and its own takes the place. */
    fleet_kill(f, holder);
    fleet_run(f, 32 * MINUTE);
    unsigned next = holder_of(f);
    assert_true(knows_report(f, next, "second"));
    report(f, next, "third");
    fleet_run(f, MINUTE / 6);
    for (unsigned i = 0; i < 8; i++)
        if (f->nodes[i].up)
            assert_true(knows_report(f, i, "third"));
    fleet_destroy(&f);
}

static void send_report(struct fleet *f, unsigned from, unsigned to, const struct report *said)
{
    uint8_t encoded[REPORT_MAX_SIZE];
    struct cluster_crypto crypto = fleet_crypto(&f->nodes[from].key);
    size_t size = report_write(encoded, sizeof encoded, said, &crypto);
    assert_true(size > 0);
    send_gossip(f, from, to, WIRE_KEY_REPORTS, (struct bytes){encoded, size});
}

static void only_the_holder_is_believed(void **state)
{
    (void)state;
    struct fleet *f = open_fleet(6, 3, 22);
    fleet_run(f, 35 * MINUTE);
    unsigned holder = holder_of(f), liar = (holder + 1) % 3, hearer = 5;
    struct cluster_domain_view view = view_of(f, hearer);
    report(f, holder, "true");
    fleet_run(f, MINUTE / 6);
    struct report lie = {.term = view.claim.term + 9,
                         .id = f->nodes[liar].id,
                         .incarnation = 99,
                         .sequence = 99,
                         .data = (struct bytes){(const uint8_t *)"lie", 3}};
    memcpy(lie.domain, FLEET_DOMAIN, sizeof FLEET_DOMAIN);
    send_report(f, liar, hearer, &lie); /* of itself, as if it held the domain */
    lie.term = view.claim.term;
    lie.id = f->nodes[holder].id;
    lie.incarnation = view.claim.incarnation;
    uint64_t refused = cluster_counters(f->nodes[hearer].core)->reports_refused;
    send_report(f, liar, hearer, &lie); /* in the holder's name, with the liar's key */
    assert_int_equal(cluster_counters(f->nodes[hearer].core)->reports_refused, refused + 1);
    assert_true(knows_report(f, hearer, "true"));
    fleet_run(f, MINUTE);
    for (unsigned i = 0; i < 6; i++)
        assert_true(knows_report(f, i, "true"));
    fleet_destroy(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elected_once_and_replaced_in_time),
        cmocka_unit_test(resumed_after_a_restart),
        cmocka_unit_test(two_nodes_and_a_lost_disk),
        cmocka_unit_test(revoked_holder_is_replaced_at_once),
        cmocka_unit_test(newcomer_follows_a_revoked_holder),
        cmocka_unit_test(leaving_releases),
        cmocka_unit_test(wishes_of_administrators),
        cmocka_unit_test(cut_and_healed),
        cmocka_unit_test(deaf_candidate_deposes_nobody),
        cmocka_unit_test(disk_fails_at_the_holder),
        cmocka_unit_test(frozen_holder_gives_way),
        cmocka_unit_test(sixty_candidates),
        cmocka_unit_test(hostile_candidate_is_bounded),
        cmocka_unit_test(missed_jumps_of_the_term_are_made_up_for),
        cmocka_unit_test(claims_without_right_are_told_of),
        cmocka_unit_test(holders_report_is_known_to_all),
        cmocka_unit_test(only_the_holder_is_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
