/* SPDX-License-Identifier: Apache-2.0
 *
 * The core as a whole: clocks, incarnations, what is persisted, joining and leaving.
 */
#include "cluster/core.h"
#include "tests/unit/memory_fleet.h"
#include "tests/unit/unit.h"

static void two_nodes_meet(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2, 1, 60000);
    assert_true(fleet_converged(f));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(fleet_state(f, i, 1 - i), MEMBER_ONLINE);
        struct cluster_status status = fleet_status(f, i);
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
        struct cluster_status status = fleet_status(f, i);
        assert_int_equal(status.online, 20);
        assert_true(status.neighbours >= 3 && status.neighbours <= 7);
    }
    fleet_destroy(&f);
}

static void same_seed_same_run(void **state)
{
    (void)state;
    uint64_t digests[2], bytes[2];
    for (unsigned run = 0; run < 2; run++) {
        struct fleet *f = fleet_new(
            &(struct fleet_options){.count = 12, .candidates = 4, .sites = 3, .seed = 7, .loss = 20});
        fleet_start_all(f);
        fleet_run(f, 300000);
        digests[run] = cluster_digest(f->nodes[5].core);
        bytes[run] = fleet_mix(f->bytes, f->messages);
        fleet_destroy(&f);
    }
    assert_true(digests[0] == digests[1]);
    assert_true(bytes[0] == bytes[1]);
}

/* --- incarnations --- */

static void restart_raises_the_incarnation(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(3, 3, 60000);
    for (unsigned i = 0; i < 5; i++) {
        fleet_kill(f, 1);
        fleet_run(f, 3000);
        fleet_start(f, 1);
        fleet_run(f, 20000);
    }
    assert_int_equal(fleet_status(f, 1).incarnation, 6);
    struct cluster_member_view view;
    assert_true(cluster_member_find(f->nodes[0].core, &f->nodes[1].id, &view));
    assert_int_equal(view.record->incarnation, 6);
    assert_int_equal(view.state, MEMBER_ONLINE);
    assert_int_equal(fleet_notices(f, NOTICE_CLONE), 0);
    fleet_destroy(&f);
}

/* A node whose disk was lost, or set back, learns from the others how far it had come. */
static void lost_disk_learns_the_incarnation(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(4, 4, 30000);
    for (unsigned i = 0; i < 3; i++) {
        fleet_kill(f, 2);
        fleet_start(f, 2);
        fleet_run(f, 20000);
    }
    assert_int_equal(fleet_status(f, 2).incarnation, 4);
    fleet_kill(f, 2);
    f->nodes[2].disk_size = 0;
    fleet_make(f, 2);
    fleet_learn(f, 2, 0);
    fleet_start(f, 2);
    assert_int_equal(fleet_status(f, 2).incarnation, 1);
    fleet_run(f, 30000);
    assert_int_equal(fleet_status(f, 2).incarnation, 5);
    assert_true(fleet_converged(f));
    assert_int_equal(fleet_state(f, 0, 2), MEMBER_ONLINE);
    /* ... and what it learnt is on its disk. */
    fleet_kill(f, 2);
    fleet_start(f, 2);
    assert_int_equal(fleet_status(f, 2).incarnation, 6);
    fleet_destroy(&f);
}

/* Echoes of a node's own heartbeats and records, for days, do not raise its incarnation. */
static void echoes_do_not_raise(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 6, .candidates = 6, .seed = 5, .loss = 10});
    fleet_start_all(f);
    fleet_run(f, 36000000);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(fleet_status(f, i).incarnation, 1);
    assert_int_equal(fleet_notices(f, NOTICE_CLONE), 0);
    assert_int_equal(fleet_notices(f, NOTICE_MEMBER_OFFLINE), 0);
    assert_int_equal(fleet_notices(f, NOTICE_HOSTILE), 0);
    fleet_destroy(&f);
}

/* A virtual machine that is set back to an earlier moment while it runs: it says what it said before. */
static void own_heartbeat_from_the_future(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2, 6, 60000);
    struct cluster *core = f->nodes[0].core;
    uint32_t sequence = core->sequence;
    fleet_run(f, 60000);
    assert_true(core->sequence > sequence);
    uint8_t message[8 + HEARTBEAT_SIZE] = {0x83, 0, 1, 1, 0, 2, 0xc4, HEARTBEAT_SIZE};
    members_entry(core, 0, message + 8);
    fleet_receive(f, 0, 1, (struct bytes){message, sizeof message});
    assert_int_equal(core->incarnation, 1); /* an echo */
    core->sequence = sequence;
    members_slot(core, 0)->sequence = sequence;
    fleet_receive(f, 0, 1, (struct bytes){message, sizeof message});
    assert_int_equal(core->incarnation, 2);
    fleet_run(f, 20000);
    assert_true(fleet_converged(f));
    fleet_destroy(&f);
}

/* Two processes with one identity, both with the same incarnation: everybody is told; it does not run away.
 */
static void clones_are_noticed(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 4, .candidates = 2, .seed = 8});
    /* Node 3 runs with the identity of node 2. */
    cluster_destroy(&f->nodes[3].core);
    struct node_id own = f->nodes[3].id;
    struct fleet_key key = f->nodes[3].key;
    f->nodes[3].key = f->nodes[2].key;
    memcpy(f->nodes[3].certificate, f->nodes[2].certificate, sizeof f->nodes[2].certificate);
    f->nodes[3].certificate_size = f->nodes[2].certificate_size;
    fleet_make(f, 3);
    fleet_learn(f, 3, 0);
    fleet_learn(f, 3, 1);
    fleet_start_all(f);
    /* The network does not know two of one name: what node 3 says is carried by hand. */
    fleet_run(f, 5000);
    for (unsigned round = 0; round < 100; round++) {
        struct cluster_member_view view;
        assert_true(cluster_member_at(f->nodes[3].core, 0, &view));
        uint8_t message[RECORD_MAX_SIZE];
        struct msgpack_writer w;
        msgpack_writer_init(&w, message, sizeof message);
        msgpack_put_map(&w, 3);
        msgpack_put_uint(&w, WIRE_KEY_VERSION);
        msgpack_put_uint(&w, WIRE_VERSION);
        msgpack_put_uint(&w, WIRE_KEY_TYPE);
        msgpack_put_uint(&w, WIRE_GOSSIP);
        msgpack_put_uint(&w, WIRE_KEY_RECORDS);
        msgpack_put_array(&w, 1);
        msgpack_put_binary(&w, view.encoded.data, view.encoded.size);
        fleet_receive(f, 0, 1, (struct bytes){w.data, w.size});
        fleet_run(f, 1000);
        /* The other direction: the clone hears of the one. */
        assert_true(cluster_member_at(f->nodes[2].core, 0, &view));
        msgpack_writer_init(&w, message, sizeof message);
        msgpack_put_map(&w, 3);
        msgpack_put_uint(&w, WIRE_KEY_VERSION);
        msgpack_put_uint(&w, WIRE_VERSION);
        msgpack_put_uint(&w, WIRE_KEY_TYPE);
        msgpack_put_uint(&w, WIRE_GOSSIP);
        msgpack_put_uint(&w, WIRE_KEY_RECORDS);
        msgpack_put_array(&w, 1);
        msgpack_put_binary(&w, view.encoded.data, view.encoded.size);
        fleet_receive(f, 3, 1, (struct bytes){w.data, w.size});
        fleet_run(f, 1000);
    }
    assert_true(f->nodes[0].notices[NOTICE_CLONE] + f->nodes[2].notices[NOTICE_CLONE] +
                    f->nodes[3].notices[NOTICE_CLONE] >
                0);
    assert_true(fleet_status(f, 2).incarnation < 25);
    f->nodes[3].id = own;
    f->nodes[3].key = key;
    fleet_destroy(&f);
}

/* --- the disk --- */

static void nothing_is_told_before_it_is_durable(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 2, .candidates = 2, .seed = 9});
    f->nodes[1].disk_fails = true;
    fleet_start_all(f);
    fleet_run(f, 60000);
    assert_int_equal(f->nodes[1].messages, 0);
    assert_true(cluster_counters(f->nodes[1].core)->persist_failed > 30);
    f->nodes[1].disk_fails = false;
    fleet_run(f, 30000);
    assert_true(f->nodes[1].messages > 0);
    assert_int_equal(fleet_state(f, 0, 1), MEMBER_ONLINE);
    assert_true(fleet_converged(f));
    fleet_destroy(&f);
}

static void any_state_is_survived(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 2, .candidates = 2, .seed = 10});
    fleet_start_all(f);
    fleet_event(f, 0,
                (struct cluster_event){.type = CLUSTER_DIRECTORY,
                                       .directory = {.domain = FLEET_DOMAIN, .reachable = true}});
    fleet_run(f, 400000);
    uint8_t good[CLUSTER_STATE_MAX];
    size_t size = f->nodes[0].disk_size;
    memcpy(good, f->nodes[0].disk, size);
    assert_true(size > 100); /* with a claim */
    for (size_t cut = 0; cut <= size; cut += cut < 40 ? 1 : 17) {
        fleet_kill(f, 0);
        memcpy(f->nodes[0].disk, good, size);
        f->nodes[0].disk_size = cut;
        fleet_start(f, 0);
        assert_true(fleet_status(f, 0).incarnation >= 1);
    }
    for (size_t at = 0; at < size; at++) {
        fleet_kill(f, 0);
        memcpy(f->nodes[0].disk, good, size);
        f->nodes[0].disk_size = size;
        f->nodes[0].disk[at] ^= 0x55;
        fleet_start(f, 0);
    }
    fleet_destroy(&f);
}

/* --- clocks --- */

static void a_pause_is_a_tilt(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(3, 11, 120000);
    int64_t observed = fleet_status(f, 1).observed;
    f->nodes[1].paused = true;
    fleet_run(f, 3600000);
    f->nodes[1].paused = false;
    fleet_run(f, 2000);
    struct cluster_status status = fleet_status(f, 1);
    assert_true(status.tilt);
    assert_true(status.observed - observed <= 6000); /* the hour does not count */
    assert_int_equal(f->nodes[1].notices[NOTICE_TILT], 1);
    assert_int_equal(f->nodes[1].notices[NOTICE_MEMBER_OFFLINE], 0);
    fleet_run(f, 40000);
    assert_false(fleet_status(f, 1).tilt);
    assert_int_equal(f->nodes[1].notices[NOTICE_TILT_OVER], 1);
    assert_int_equal(f->nodes[1].notices[NOTICE_MEMBER_OFFLINE], 0);
    assert_int_equal(f->nodes[0].notices[NOTICE_MEMBER_OFFLINE], 1);
    assert_int_equal(f->nodes[0].notices[NOTICE_MEMBER_ONLINE], 1);
    fleet_destroy(&f);
}

static void clocks_may_jump(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(3, 12, 120000);
    int64_t observed = fleet_status(f, 0).observed;
    f->nodes[0].wall_ahead -= 86400000; /* means nothing */
    fleet_run(f, 10000);
    assert_int_equal(f->nodes[0].notices[NOTICE_TILT], 0);
    f->nodes[0].boot_ahead += 3600000; /* the host slept */
    fleet_run(f, 2000);
    assert_int_equal(f->nodes[0].notices[NOTICE_TILT], 1);
    f->nodes[0].mono_ahead += 7000;
    f->nodes[0].boot_ahead += 7000;
    fleet_run(f, 60000);
    assert_int_equal(f->nodes[0].notices[NOTICE_TILT], 1); /* the same one */
    assert_int_equal(cluster_counters(f->nodes[0].core)->tilts, 1);
    int64_t passed = fleet_status(f, 0).observed - observed;
    assert_true(passed >= 71000 && passed <= 75000);
    fleet_destroy(&f);
}

/* --- coming and going --- */

static void silence_becomes_offline(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(5, 13, 120000);
    fleet_kill(f, 4);
    fleet_run(f, 40000);
    assert_int_equal(fleet_state(f, 0, 4), MEMBER_LATE);
    fleet_run(f, 50000);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(fleet_state(f, i, 4), MEMBER_OFFLINE);
        assert_int_equal(f->nodes[i].notices[NOTICE_MEMBER_OFFLINE], 1);
        assert_int_equal(fleet_status(f, i).offline, 1);
    }
    int64_t silence = cluster_silence(f->nodes[0].core, &f->nodes[4].id);
    assert_true(silence > 75000 && silence < 110000);
    fleet_start(f, 4);
    fleet_run(f, 10000);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(fleet_state(f, i, 4), MEMBER_ONLINE);
        assert_int_equal(f->nodes[i].notices[NOTICE_MEMBER_ONLINE], 1);
    }
    fleet_destroy(&f);
}

static void leaving_is_not_dying(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 6, .candidates = 3, .seed = 14});
    fleet_start_all(f);
    fleet_run(f, 120000);
    fleet_leave(f, 2);
    fleet_run(f, 200000);
    for (unsigned i = 0; i < 6; i++) {
        if (i == 2)
            continue;
        assert_int_equal(fleet_state(f, i, 2), MEMBER_LEFT);
        assert_int_equal(f->nodes[i].notices[NOTICE_MEMBER_LEFT], 1);
        assert_int_equal(f->nodes[i].notices[NOTICE_MEMBER_OFFLINE], 0);
        assert_int_equal(fleet_status(f, i).left, 1);
    }
    fleet_start(f, 2);
    fleet_run(f, 30000);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(fleet_status(f, i).left, 0);
        assert_int_equal(fleet_status(f, i).online, 6);
    }
    assert_true(fleet_converged(f));
    fleet_destroy(&f);
}

static void revoked_is_out(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 6, .candidates = 3, .seed = 15});
    fleet_start_all(f);
    fleet_run(f, 120000);
    fleet_revoke(f, 4, (unsigned[]){1}, 1);
    fleet_run(f, 5000);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(f->nodes[i].notices[NOTICE_POLICY], 1);
        if (i == 1)
            continue;
        assert_int_equal(fleet_state(f, i, 1), MEMBER_REVOKED);
        assert_int_equal(f->nodes[i].notices[NOTICE_MEMBER_REVOKED], 1);
    }
    assert_int_equal(f->nodes[1].notices[NOTICE_REVOKED], 1); /* it is told */
    /* It restarts, with a new incarnation: nobody listens. */
    fleet_kill(f, 1);
    fleet_start(f, 1);
    fleet_run(f, 120000);
    for (unsigned i = 0; i < 6; i++) {
        if (i == 1)
            continue;
        assert_int_equal(fleet_state(f, i, 1), MEMBER_REVOKED);
        struct cluster_member_view view;
        assert_true(cluster_member_find(f->nodes[i].core, &f->nodes[1].id, &view));
        assert_int_equal(view.record->incarnation, 1);
        assert_false(view.neighbour);
        assert_int_equal(fleet_status(f, i).revoked, 1);
    }
    /* Whoever never knew it and whoever did have the same digest. */
    fleet_kill(f, 1);
    fleet_kill(f, 3);
    fleet_make(f, 3);
    fleet_learn(f, 3, 0);
    fleet_start(f, 3);
    fleet_run(f, 60000);
    assert_true(fleet_converged(f));
    fleet_destroy(&f);
}

static void a_policy_is_checked(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2, 16, 30000);
    struct policy policy = {.version = 9};
    uint8_t bytes[512];
    struct cluster_crypto impostor = fleet_crypto(&f->nodes[1].key);
    size_t size = policy_write(bytes, sizeof bytes, &policy, &impostor);
    fleet_event(f, 0, (struct cluster_event){.type = CLUSTER_POLICY, .bytes = {bytes, size}});
    assert_int_equal(cluster_policy(f->nodes[0].core).size, 0);
    assert_int_equal(cluster_counters(f->nodes[0].core)->policies_refused, 1);
    fleet_revoke(f, 0, NULL, 0);
    fleet_revoke(f, 0, NULL, 0);
    assert_int_equal(fleet_status(f, 0).policy_version, 2);
    /* An older one is no news. */
    policy.version = 1;
    struct cluster_crypto authority = fleet_crypto(&f->authority);
    size = policy_write(bytes, sizeof bytes, &policy, &authority);
    fleet_event(f, 0, (struct cluster_event){.type = CLUSTER_POLICY, .bytes = {bytes, size}});
    assert_int_equal(fleet_status(f, 0).policy_version, 2);
    fleet_run(f, 5000);
    assert_int_equal(fleet_status(f, 1).policy_version, 2);
    fleet_destroy(&f);
}

/* Key rotation: a new certificate, the same id, no gap. */
static void a_key_is_rotated(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(3, 17, 60000);
    fleet_key_init(&f->nodes[1].key, 4711, 1);
    f->nodes[1].key.salt = f->nodes[0].key.salt;
    uint8_t grant[1024];
    size_t grant_size = fleet_grant(f, 1, true, grant, sizeof grant);
    struct certificate certificate = {.issued = 1700000001, .by_authority = true, .generation = 1};
    memcpy(certificate.public_key, f->nodes[1].key.public_key, PUBLIC_KEY_SIZE);
    snprintf(certificate.name, sizeof certificate.name, "dc-1");
    struct cluster_crypto authority = fleet_crypto(&f->authority);
    uint8_t encoded[1024];
    size_t size = certificate_write(encoded, sizeof encoded, &certificate, (struct bytes){grant, grant_size},
                                    &authority);
    assert_true(size > 0);
    fleet_event(f, 1, (struct cluster_event){.type = CLUSTER_CERTIFICATE, .bytes = {encoded, size}});
    fleet_run(f, 60000);
    for (unsigned i = 0; i < 3; i++) {
        struct cluster_member_view view;
        assert_true(cluster_member_find(f->nodes[i].core, &f->nodes[1].id, &view));
        assert_int_equal(view.record->certificate.generation, 1);
        assert_int_equal(view.state, MEMBER_ONLINE);
        uint8_t public_key[PUBLIC_KEY_SIZE];
        assert_true(members_public_key(f->nodes[i].core, members_find(f->nodes[i].core, &f->nodes[1].id),
                                       public_key));
        assert_bytes_equal(public_key, certificate.public_key, PUBLIC_KEY_SIZE);
    }
    assert_int_equal(f->nodes[0].notices[NOTICE_MEMBER_CHANGED], 3); /* two starts, one key */
    /* Another node's certificate is none of its own. */
    fleet_event(f, 0, (struct cluster_event){.type = CLUSTER_CERTIFICATE, .bytes = {encoded, size}});
    assert_string_equal(core_certificate(f->nodes[0].core)->name, "dc-0");
    fleet_destroy(&f);
}

static void candidacy_is_told(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 4, .candidates = 3, .seed = 18});
    fleet_start_all(f);
    fleet_run(f, 60000);
    struct cluster *core = f->nodes[3].core;
    uint32_t domain = members_domain(core, FLEET_DOMAIN, false);
    unsigned online;
    assert_int_equal(members_candidates(core, domain, &online), 3);
    assert_int_equal(online, 3);
    fleet_event(
        f, 1,
        (struct cluster_event){.type = CLUSTER_CANDIDATE, .command = {.domain = FLEET_DOMAIN, .on = false}});
    fleet_run(f, 3000);
    assert_int_equal(members_candidates(core, domain, &online), 2);
    assert_true(members_granted(core, members_find(core, &f->nodes[1].id), domain));
    assert_int_equal(members_candidate_at(core, domain, 2), NO_MEMBER);
    fleet_kill(f, 1);
    fleet_start(f, 1); /* it stays off */
    fleet_run(f, 10000);
    assert_int_equal(members_candidates(core, domain, NULL), 2);
    fleet_event(
        f, 1,
        (struct cluster_event){.type = CLUSTER_CANDIDATE, .command = {.domain = FLEET_DOMAIN, .on = true}});
    fleet_run(f, 3000);
    assert_int_equal(members_candidates(core, domain, NULL), 3);
    fleet_destroy(&f);
}

/* --- what can be seen --- */

static void views_tell(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 3, .candidates = 2, .sites = 2, .seed = 19});
    fleet_start_all(f);
    fleet_run(f, 300000);
    struct cluster *core = f->nodes[0].core;
    struct cluster_member_view view;
    assert_true(cluster_member_at(core, 0, &view));
    assert_true(view.self);
    assert_int_equal(view.silent, 0);
    assert_false(cluster_member_at(core, 3, &view));
    assert_true(cluster_member_find(core, &f->nodes[2].id, &view));
    assert_string_equal(view.record->certificate.name, "dc-2");
    assert_false(view.candidate_somewhere);
    assert_int_equal(view.period, 10000);
    assert_true(view.neighbour && view.rtt >= 0);
    struct cluster_peer_view peer;
    assert_int_equal(cluster_peer_count(core), 2);
    unsigned outside = 0;
    for (unsigned i = 0; i < 2; i++) {
        assert_true(cluster_peer_at(core, i, &peer));
        assert_true(peer.active && peer.messages_in > 10 && peer.messages_out > 10 && peer.bytes_in > 100);
        outside += peer.outside;
    }
    assert_int_equal(outside, 1);
    assert_false(cluster_peer_at(core, 2, &peer));
    assert_int_equal(cluster_domain_count(core), 1);
    struct cluster_domain_view domain;
    assert_true(cluster_domain_at(core, 0, &domain));
    assert_true(cluster_domain_find(core, FLEET_DOMAIN, &domain));
    assert_int_equal(domain.candidates, 2);
    assert_false(cluster_domain_find(core, "other.example", &domain));
    assert_false(cluster_holds(core, "other.example", NULL));
    assert_true(cluster_history_count(core) > 0);
    struct cluster_notice notice;
    assert_true(cluster_history_at(core, 0, &notice));
    assert_false(cluster_history_at(core, 64, &notice));
    assert_true(strlen(cluster_notice_text(notice.type)) > 0);
    for (unsigned i = 1; i < CAUSES; i++)
        assert_string_not_equal(cluster_cause_text((enum cluster_cause)i), "unknown");
    assert_string_equal(cluster_cause_text(CAUSES), "unknown");
    for (unsigned i = 0; i < CAUSES; i++)
        assert_string_not_equal(cluster_cause_name((enum cluster_cause)i), "unknown");
    assert_string_equal(cluster_cause_name(CAUSES), "unknown");
    assert_string_equal(cluster_cause_name(CAUSE_DIRECTORY_LOST), "directory_lost");
    for (unsigned i = 0; i < FLEET_NOTICES; i++)
        assert_true(strcmp(cluster_notice_text((enum cluster_notice_type)i), "unknown") != 0);
    fleet_destroy(&f);
}

static void history_forgets_the_oldest(void **state)
{
    (void)state;
    struct history *history = history_new(3);
    for (unsigned i = 1; i <= 5; i++)
        history_add(history, &(struct cluster_notice){.term = i});
    struct cluster_notice notice;
    assert_int_equal(history_count(history), 3);
    assert_true(history_at(history, 0, &notice));
    assert_int_equal(notice.term, 3);
    assert_true(history_at(history, 2, &notice));
    assert_int_equal(notice.term, 5);
    assert_false(history_at(history, 3, &notice));
    history_destroy(&history);
    history = history_new(0);
    history_add(history, &notice);
    assert_int_equal(history_count(history), 0);
    history_destroy(&history);
}

static void unusable_configurations(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 1, .candidates = 1, .seed = 20});
    struct cluster_config config;
    char endpoint[32];
    struct cluster_crypto crypto = fleet_crypto(&f->nodes[0].key);
    fleet_config(f, 0, &config, endpoint);
    config.members_max = 0;
    assert_null(cluster_new(&config, &crypto, f->pool, (struct bytes){NULL, 0}));
    fleet_config(f, 0, &config, endpoint);
    config.certificate.size--;
    assert_null(cluster_new(&config, &crypto, f->pool, (struct bytes){NULL, 0}));
    fleet_config(f, 0, &config, endpoint);
    assert_null(cluster_new(&config, &crypto, f->pool, (struct bytes){(const uint8_t *)"x", 1}));
    config.endpoints[0] = "not an endpoint";
    assert_null(cluster_new(&config, &crypto, f->pool, (struct bytes){NULL, 0}));
    fleet_destroy(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_nodes_meet),
        cmocka_unit_test(strangers_join_by_a_seed),
        cmocka_unit_test(same_seed_same_run),
        cmocka_unit_test(restart_raises_the_incarnation),
        cmocka_unit_test(lost_disk_learns_the_incarnation),
        cmocka_unit_test(echoes_do_not_raise),
        cmocka_unit_test(own_heartbeat_from_the_future),
        cmocka_unit_test(clones_are_noticed),
        cmocka_unit_test(nothing_is_told_before_it_is_durable),
        cmocka_unit_test(any_state_is_survived),
        cmocka_unit_test(a_pause_is_a_tilt),
        cmocka_unit_test(clocks_may_jump),
        cmocka_unit_test(silence_becomes_offline),
        cmocka_unit_test(leaving_is_not_dying),
        cmocka_unit_test(revoked_is_out),
        cmocka_unit_test(a_policy_is_checked),
        cmocka_unit_test(a_key_is_rotated),
        cmocka_unit_test(candidacy_is_told),
        cmocka_unit_test(views_tell),
        cmocka_unit_test(history_forgets_the_oldest),
        cmocka_unit_test(unusable_configurations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
