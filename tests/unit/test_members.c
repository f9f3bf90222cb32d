/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of members: its memory, heartbeat chains, what is refused.
 */
#include "cluster/core.h"
#include "tests/unit/memory_fleet.h"
#include "tests/unit/unit.h"

static struct cluster_counters counters_of(const struct fleet *f, unsigned number)
{
    return *cluster_counters(f->nodes[number].core);
}

static void heartbeat_message(uint8_t message[8 + HEARTBEAT_SIZE], uint64_t short_id, uint32_t sequence,
                              const uint8_t *link)
{
    static const uint8_t head[8] = {0x83, 0, 1, 1, 0, 2, 0xc4, HEARTBEAT_SIZE};
    memcpy(message, head, sizeof head);
    for (unsigned i = 0; i < 8; i++)
        message[8 + i] = (uint8_t)(short_id >> (56 - 8 * i));
    for (unsigned i = 0; i < 4; i++)
        message[16 + i] = (uint8_t)(sequence >> (24 - 8 * i));
    memcpy(message + 20, link, LINK_SIZE);
}

static void give_record(struct fleet *f, unsigned to, unsigned from, struct bytes record)
{
    uint8_t message[RECORD_MAX_SIZE + 64];
    struct msgpack_writer w;
    msgpack_writer_init(&w, message, sizeof message);
    msgpack_put_map(&w, 3);
    msgpack_put_uint(&w, WIRE_KEY_VERSION);
    msgpack_put_uint(&w, WIRE_VERSION);
    msgpack_put_uint(&w, WIRE_KEY_TYPE);
    msgpack_put_uint(&w, WIRE_GOSSIP);
    msgpack_put_uint(&w, WIRE_KEY_RECORDS);
    msgpack_put_array(&w, 1);
    msgpack_put_binary(&w, record.data, record.size);
    fleet_receive(f, to, from, (struct bytes){w.data, w.size});
}

/* --- the chain --- */

static void links_are_a_chain(void **state)
{
    (void)state;
    struct fleet_key key = {0};
    struct cluster_crypto crypto = fleet_crypto(&key);
    struct chain *chain = calloc(1, sizeof *chain);
    uint8_t secret[LINK_SIZE] = "0123456789abcde", before[LINK_SIZE], digest[LINK_SIZE];
    chain_init(chain, 3 * CHAIN_LINKS, secret, &crypto);
    memcpy(before, chain_link(chain, 3 * CHAIN_LINKS, &crypto), LINK_SIZE);
    for (uint32_t n = 1; n < CHAIN_LINKS; n++) {
        const uint8_t *link = chain_link(chain, 3 * CHAIN_LINKS + n, &crypto);
        fleet_digest(NULL, link, LINK_SIZE, digest);
        assert_bytes_equal(digest, before, LINK_SIZE);
        memcpy(before, link, LINK_SIZE);
    }
    assert_bytes_equal(before, secret, LINK_SIZE);
    free(chain);
}

/* A chain ends after 8,191 heartbeats: another begins, and nobody is missed meanwhile. */
static void a_chain_is_followed_by_another(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(3, 60, INT64_C(40) * 3600 * 1000);
    assert_true(f->nodes[0].core->revision >= 1);
    assert_int_equal(fleet_notices(f, NOTICE_MEMBER_OFFLINE), 0);
    assert_int_equal(fleet_notices(f, NOTICE_HOSTILE), 0);
    assert_int_equal(counters_of(f, 0).heartbeats_forged, 0);
    assert_int_equal(fleet_status(f, 0).incarnation, 1);
    fleet_destroy(&f);
}

static void forged_heartbeats_count_for_nothing(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(4, 61, 60000);
    struct cluster *core = f->nodes[0].core;
    uint32_t victim = members_find(core, &f->nodes[2].id);
    uint32_t sequence = members_slot(core, victim)->sequence;
    uint8_t message[8 + HEARTBEAT_SIZE], link[LINK_SIZE] = "no link at all.";
    for (uint32_t ahead = 1; ahead < 5000; ahead += 617) {
        heartbeat_message(message, node_id_short(&f->nodes[2].id), sequence + ahead, link);
        fleet_receive(f, 0, 1, (struct bytes){message, sizeof message});
    }
    assert_int_equal(members_slot(core, victim)->sequence, sequence);
    assert_true(counters_of(f, 0).heartbeats_forged > 0);
    assert_int_equal(f->nodes[0].notices[NOTICE_HOSTILE], 1); /* told of once a minute */
    /* Of another chain: not worth a hash. Of nobody: neither. */
    uint64_t forged = counters_of(f, 0).heartbeats_forged, unknown = counters_of(f, 0).heartbeats_unknown;
    heartbeat_message(message, node_id_short(&f->nodes[2].id), sequence + 3 * CHAIN_LINKS, link);
    fleet_receive(f, 0, 1, (struct bytes){message, sizeof message});
    heartbeat_message(message, 4711, 1, link);
    fleet_receive(f, 0, 1, (struct bytes){message, sizeof message});
    assert_int_equal(counters_of(f, 0).heartbeats_forged, forged);
    assert_int_equal(counters_of(f, 0).heartbeats_unknown, unknown + 2);
    fleet_run(f, 30000); /* the honest ones are heard all the same */
    assert_true(members_slot(core, victim)->sequence > sequence);
    fleet_destroy(&f);
}

/* A member that forges with great gaps costs no more than its share of a second. */
static void forging_is_bounded(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(4, 62, 60000);
    struct cluster *core = f->nodes[0].core;
    uint32_t known = members_slot(core, members_find(core, &f->nodes[2].id))->sequence;
    uint32_t last = known / CHAIN_LINKS * CHAIN_LINKS + CHAIN_LINKS - 1;
    uint8_t message[8 + HEARTBEAT_SIZE], link[LINK_SIZE] = "no link at all.";
    heartbeat_message(message, node_id_short(&f->nodes[2].id), last, link);
    uint64_t before = counters_of(f, 0).heartbeats_forged;
    for (unsigned i = 0; i < 1000; i++)
        fleet_receive(f, 0, 1, (struct bytes){message, sizeof message});
    assert_true(counters_of(f, 0).heartbeats_forged - before <= BUDGET_HASHES / (CHAIN_LINKS / 2));
    fleet_destroy(&f);
}

/* --- records --- */

static void records_must_verify(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(3, 63, 60000);
    struct cluster *core = f->nodes[0].core;
    struct bytes good = members_record(core, members_find(core, &f->nodes[2].id));
    uint8_t forged[RECORD_MAX_SIZE];
    struct record record;
    assert_true(record_read_trusted(&record, good));
    record.revision += 5;
    struct cluster_crypto wrong = fleet_crypto(&f->nodes[1].key);
    size_t size = record_write(forged, sizeof forged, &record, record_certificate(good), &wrong);
    assert_true(size > 0);
    uint64_t digest = cluster_digest(core), refused = counters_of(f, 0).records_refused;
    give_record(f, 0, 1, (struct bytes){forged, size});
    assert_true(cluster_digest(core) == digest);
    assert_int_equal(counters_of(f, 0).records_refused, refused + 1);
    give_record(f, 0, 1, (struct bytes){forged, 3}); /* no record at all */
    assert_int_equal(counters_of(f, 0).records_refused, refused + 2);
    /* An incarnation far beyond anything: its own key signs, and it counts for nothing. */
    struct cluster_crypto right = fleet_crypto(&f->nodes[2].key);
    record.incarnation = INCARNATION_MAX + 1;
    size = record_write(forged, sizeof forged, &record, record_certificate(good), &right);
    give_record(f, 0, 1, (struct bytes){forged, size});
    assert_true(cluster_digest(core) == digest);
    /* What is possible is believed, and makes nothing possible that was not: whoever joins later agrees. */
    record.incarnation = INCARNATION_MAX;
    size = record_write(forged, sizeof forged, &record, record_certificate(good), &right);
    give_record(f, 0, 1, (struct bytes){forged, size});
    assert_false(cluster_digest(core) == digest);
    digest = cluster_digest(core);
    record.incarnation = INCARNATION_MAX + 1;
    size = record_write(forged, sizeof forged, &record, record_certificate(good), &right);
    give_record(f, 0, 1, (struct bytes){forged, size});
    assert_true(cluster_digest(core) == digest);
    /* A member that is not in the table, with the short id of one that is. */
    struct fleet *other = fleet_new(&(struct fleet_options){.count = 3, .candidates = 3, .seed = 63});
    other->nodes[2].id.bytes[15] ^= 1;
    fleet_certify(other, 2, true);
    cluster_destroy(&other->nodes[2].core);
    fleet_make(other, 2);
    struct cluster_member_view view;
    assert_true(cluster_member_at(other->nodes[2].core, 0, &view));
    give_record(f, 0, 1, view.encoded);
    assert_true(cluster_digest(core) == digest);
    assert_int_equal(cluster_member_count(core), 3);
    fleet_destroy(&other);
    fleet_destroy(&f);
}

/* A member that renews its record without end is heard a dozen times a minute. */
static void revisions_are_bounded(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2, 64, 200000);
    uint64_t before = counters_of(f, 0).records_new;
    for (unsigned i = 0; i < 600; i++) {
        fleet_event(f, 1,
                    (struct cluster_event){.type = CLUSTER_CANDIDATE,
                                           .command = {.domain = FLEET_DOMAIN, .on = i % 2 != 0}});
        struct cluster_member_view view;
        assert_true(cluster_member_at(f->nodes[1].core, 0, &view));
        give_record(f, 0, 1, view.encoded);
        fleet_run(f, 100);
    }
    assert_true(counters_of(f, 0).records_new - before <= 26);
    assert_true(counters_of(f, 0).records_refused > 500);
    fleet_run(f, 90000);
    assert_true(fleet_converged(f)); /* the last one is known in the end */
    fleet_destroy(&f);
}

static void the_table_is_bounded(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){
        .count = 12, .candidates = 3, .seed = 65, .strangers = true, .members_max = 8});
    fleet_start_all(f);
    fleet_run(f, 60000);
    for (unsigned i = 0; i < 12; i++)
        assert_true(cluster_member_count(f->nodes[i].core) <= 8);
    fleet_destroy(&f);
}

static void strangers_are_not_heard(void **state)
{
    (void)state;
    struct fleet *f = fleet_of(2, 66, 60000);
    struct cluster_event event = {.type = CLUSTER_RECEIVED};
    event.received.from = (struct node_id){{1, 2, 3}};
    uint8_t message[8 + HEARTBEAT_SIZE], link[LINK_SIZE] = {0};
    heartbeat_message(message, node_id_short(&f->nodes[1].id), 1, link);
    event.received.message = (struct bytes){message, sizeof message};
    uint64_t old = counters_of(f, 0).heartbeats_old;
    fleet_event(f, 0, event);
    assert_int_equal(counters_of(f, 0).unknown_sender, 1);
    assert_int_equal(counters_of(f, 0).heartbeats_old, old);
    fleet_destroy(&f);
}

/* A dismissed enroller's later bindings lose their worth, also where they were taken before. */
static void records_are_verified_anew_under_a_new_policy(void **state)
{
    (void)state;
    struct fleet *f = fleet_new(&(struct fleet_options){.count = 3, .candidates = 3, .seed = 67});
    struct cluster_crypto authority = fleet_crypto(&f->authority), enroller = fleet_crypto(&f->nodes[0].key);
    struct policy policy = {.version = 1, .enroller_count = 1};
    policy.enrollers[0].id = f->nodes[0].id;
    memcpy(policy.enrollers[0].public_key, f->nodes[0].key.public_key, PUBLIC_KEY_SIZE);
    policy.enrollers[0].until = UINT64_MAX;
    f->policy_size = policy_write(f->policy, sizeof f->policy, &policy, &authority);
    f->policy_version = 1;
    struct grant grant = {.expires = UINT32_MAX, .enroller = f->nodes[0].id, .id = f->nodes[2].id};
    snprintf(grant.site, sizeof grant.site, "site-0");
    uint8_t encoded[1024];
    size_t size = grant_write(encoded, sizeof encoded, &grant, &authority);
    struct certificate certificate = {.issued = 1700000000};
    memcpy(certificate.public_key, f->nodes[2].key.public_key, PUBLIC_KEY_SIZE);
    snprintf(certificate.name, sizeof certificate.name, "dc-2");
    f->nodes[2].certificate_size = certificate_write(f->nodes[2].certificate, sizeof f->nodes[2].certificate,
                                                     &certificate, (struct bytes){encoded, size}, &enroller);
    assert_true(f->nodes[2].certificate_size > 0);
    for (unsigned i = 0; i < 3; i++) {
        cluster_destroy(&f->nodes[i].core);
        fleet_make(f, i);
    }
    for (unsigned i = 0; i < 3; i++)
        for (unsigned j = 0; j < 3; j++)
            if (i != j)
                fleet_learn(f, i, j);
    fleet_start_all(f);
    fleet_run(f, 60000);
    assert_int_equal(fleet_state(f, 1, 2), MEMBER_ONLINE);
    policy.version = 2;
    policy.enrollers[0].until = 1600000000; /* out of office before it bound node 2 */
    uint8_t next[1024];
    size = policy_write(next, sizeof next, &policy, &authority);
    fleet_event(f, 0, (struct cluster_event){.type = CLUSTER_POLICY, .bytes = {next, size}});
    fleet_run(f, 10000);
    assert_int_equal(fleet_state(f, 0, 2), MEMBER_REVOKED);
    assert_int_equal(fleet_state(f, 1, 2), MEMBER_REVOKED);
    fleet_destroy(&f);
}

/* --- memory --- */

static void memory_per_member(void **state)
{
    (void)state;
    enum { MEMBERS = 10000 };
    struct fleet *f =
        fleet_new(&(struct fleet_options){.count = 1, .candidates = 1, .seed = 68, .own_pools = true});
    struct cluster *core = f->nodes[0].core;
    size_t before = fleet_status(f, 0).memory;
    struct cluster_crypto authority = fleet_crypto(&f->authority);
    for (unsigned i = 1; i <= MEMBERS; i++) {
        struct fleet_key key;
        fleet_key_init(&key, 68, i);
        struct cluster_crypto crypto = fleet_crypto(&key);
        struct grant grant = {.expires = 1800000000};
        fleet_id(&grant.id, 68, i);
        fleet_put(grant.enroller.bytes, 7);
        snprintf(grant.site, sizeof grant.site, "branch-%u", i % 100);
        uint8_t bytes[1024], bound[1024], encoded[RECORD_MAX_SIZE];
        size_t size = grant_write(bytes, sizeof bytes, &grant, &authority);
        struct record record = {
            .incarnation = 3, .revision = 2, .boot_nonce = i * 2654435761u, .endpoint_count = 1};
        struct certificate *certificate = &record.certificate;
        certificate->issued = 1700000000;
        certificate->by_authority = true;
        memcpy(certificate->public_key, key.public_key, PUBLIC_KEY_SIZE);
        snprintf(certificate->name, sizeof certificate->name, "dc-%u", i);
        size = certificate_write(bound, sizeof bound, certificate, (struct bytes){bytes, size}, &authority);
        assert_true(size > 0);
        snprintf(record.endpoints[0], sizeof record.endpoints[0], "10.%u.%u.7:49200", i / 250, i % 250);
        if (i % 2) { /* a standalone sensor; others watch the domain controller that they run on */
            snprintf(record.controllers[0], sizeof record.controllers[0], "dc-%u.corp.example", i);
            record.controller_count = 1;
        }
        snprintf(record.version, sizeof record.version, "1.0.0");
        record.chain_base = i * CHAIN_LINKS;
        record.started = 1700000000;
        memcpy(record.anchor, key.public_key, LINK_SIZE);
        size = record_write(encoded, sizeof encoded, &record, (struct bytes){bound, size}, &crypto);
        assert_true(size > 0);
        assert_true(cluster_learn(core, (struct bytes){encoded, size}));
    }
    size_t encoded_sum = 0;
    for (uint32_t i = 1; i <= MEMBERS; i++)
        encoded_sum += members_record(core, i).size;
    size_t each = (fleet_status(f, 0).memory - before) / MEMBERS;
    print_message("%zu bytes per member, of these %zu its record\n", each, encoded_sum / MEMBERS);
    assert_true(each <= 512);
    fleet_destroy(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(links_are_a_chain),
        cmocka_unit_test(a_chain_is_followed_by_another),
        cmocka_unit_test(forged_heartbeats_count_for_nothing),
        cmocka_unit_test(forging_is_bounded),
        cmocka_unit_test(records_must_verify),
        cmocka_unit_test(revisions_are_bounded),
        cmocka_unit_test(the_table_is_bounded),
        cmocka_unit_test(strangers_are_not_heard),
        cmocka_unit_test(records_are_verified_anew_under_a_new_policy),
        cmocka_unit_test(memory_per_member),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
