/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/record.h"

#include <stdlib.h>

#include "tests/unit/fleet.h"
#include "tests/unit/golden.h"
#include "tests/unit/unit.h"

struct world {
    struct fleet fleet;
    struct fleet_node node;
    uint8_t encoded[RECORD_MAX_SIZE];
    size_t size;
};

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    fleet_open(&w->fleet);
    fleet_node_open(&w->fleet, &w->node, 2, true);
    struct record record = fleet_record(&w->node);
    w->size = record_write(w->encoded, sizeof w->encoded, &record,
                           fleet_bytes(w->node.encoded, w->node.encoded_size), &w->node.crypto);
    assert_true(w->size > 0);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    fleet_node_close(&w->node);
    fleet_close(&w->fleet);
    free(w);
    return 0;
}

static bool reads(const struct world *w, struct record *record, const void *data, size_t size)
{
    return record_read(record, fleet_bytes(data, size), &w->fleet.trust, &w->fleet.policy,
                       &w->fleet.authority);
}

static bool reads_certificate(const struct world *w, const void *data, size_t size)
{
    struct certificate certificate;
    return certificate_read(&certificate, fleet_bytes(data, size), &w->fleet.trust, &w->fleet.policy,
                            &w->fleet.authority);
}

static void test_golden(void **state)
{
    struct world *w = *state;
    uint8_t buffer[POLICY_MAX_SIZE], revoked[2 * NODE_ID_SIZE];
    struct bytes grant = certificate_grant(fleet_bytes(w->node.encoded, w->node.encoded_size));
    golden_check("grant", grant, SIGNATURE_SIZE);
    golden_check("certificate", fleet_bytes(w->node.encoded, w->node.encoded_size), SIGNATURE_SIZE);
    golden_check("record", fleet_bytes(w->encoded, w->size), SIGNATURE_SIZE);

    struct policy policy = w->fleet.policy;
    memset(revoked, 0x21, NODE_ID_SIZE);
    memset(revoked + NODE_ID_SIZE, 0x22, NODE_ID_SIZE);
    policy.version = 9;
    policy.revoked = revoked;
    policy.revoked_count = 2;
    size_t size = policy_write(buffer, sizeof buffer, &policy, &w->fleet.authority);
    golden_check("policy", fleet_bytes(buffer, size), SIGNATURE_SIZE);
}

static void test_typical_record_is_small(void **state)
{
    struct world *w = *state;
    assert_in_range(w->size, 300, 400);
}

static void test_everything_comes_back(void **state)
{
    struct world *w = *state;
    struct record record = fleet_record(&w->node), read;
    strcpy(record.endpoints[record.endpoint_count++], "[2001:db8::1]:49200");
    strcpy(record.endpoints[record.endpoint_count++], "tcp://sensor.corp.example:1");
    record.enrolment_port = 49201;
    strcpy(record.controllers[record.controller_count++], "192.0.2.7");
    record.incarnation = UINT64_MAX;
    record.revision = UINT32_MAX;
    record.chain_base = 77;
    record.flags = RECORD_LEFT;
    record.candidate_off = 1;
    size_t size = record_write(w->encoded, sizeof w->encoded, &record,
                               fleet_bytes(w->node.encoded, w->node.encoded_size), &w->node.crypto);
    assert_true(reads(w, &read, w->encoded, size));
    assert_string_equal(read.certificate.name, "dc1-s02");
    assert_string_equal(read.certificate.grant.site, "hq");
    assert_int_equal(read.certificate.grant.domain_count, 1);
    assert_string_equal(read.certificate.grant.domains[0], "corp.example");
    assert_memory_equal(&read.certificate.grant, &record.certificate.grant, sizeof(struct grant));
    assert_memory_equal(read.certificate.public_key, record.certificate.public_key, PUBLIC_KEY_SIZE);
    assert_int_equal(read.certificate.issued, FLEET_TIME);
    assert_false(read.certificate.by_authority);
    assert_int_equal(read.endpoint_count, 3);
    assert_string_equal(read.endpoints[2], "tcp://sensor.corp.example:1");
    assert_int_equal(read.enrolment_port, 49201);
    assert_int_equal(read.controller_count, 2);
    assert_string_equal(read.controllers[1], "192.0.2.7");
    assert_true(read.incarnation == UINT64_MAX && read.revision == UINT32_MAX);
    assert_int_equal(read.boot_nonce, 0xdeadbeef);
    assert_memory_equal(read.anchor, record.anchor, LINK_SIZE);
    assert_int_equal(read.chain_base, 77);
    assert_int_equal(read.flags, RECORD_LEFT);
    assert_int_equal(read.candidate_off, 1);
    assert_string_equal(read.version, "0.1.0");
    assert_int_equal(read.started, FLEET_TIME + 10);

    struct record trusted;
    assert_true(record_read_trusted(&trusted, fleet_bytes(w->encoded, size)));
    assert_string_equal(trusted.certificate.name, "dc1-s02");
    struct bytes certificate = record_certificate(fleet_bytes(w->encoded, size));
    assert_int_equal(certificate.size, w->node.encoded_size);
    assert_bytes_equal(certificate.data, w->node.encoded, certificate.size);
}

static void test_peek(void **state)
{
    struct world *w = *state;
    struct record_head head;
    struct bytes certificate = fleet_bytes(w->node.encoded, w->node.encoded_size);
    for (unsigned i = 0; i < 4; i++) {
        struct record record = fleet_record(&w->node);
        record.incarnation = i & 1 ? 5 : 0;
        record.revision = i & 2 ? 300 : 0;
        size_t size = record_write(w->encoded, sizeof w->encoded, &record, certificate, &w->node.crypto);
        assert_true(record_peek(&head, fleet_bytes(w->encoded, size)));
        assert_true(node_id_equal(&head.id, &w->node.certificate.grant.id));
        assert_int_equal(head.incarnation, record.incarnation);
        assert_int_equal(head.revision, record.revision);
        assert_int_equal(head.generation, 0);
    }
    /* What is not a record at all. */
    assert_false(record_peek(&head, fleet_bytes(NULL, 0)));
    assert_false(record_peek(&head, certificate));
    assert_int_equal(record_certificate(certificate).size, 0);
    assert_int_equal(record_certificate(fleet_bytes("x", 1)).size, 0);
    assert_int_equal(certificate_grant(fleet_bytes("x", 1)).size, 0);
    memset(w->encoded, 0, sizeof w->encoded);
    assert_false(record_peek(&head, fleet_bytes(w->encoded, sizeof w->encoded)));
}

static void test_any_flipped_bit_is_refused(void **state)
{
    struct world *w = *state;
    struct record record;
    for (size_t i = 0; i < w->size; i++) {
        w->encoded[i] ^= (uint8_t)(1u << (i % 8));
        assert_false(reads(w, &record, w->encoded, w->size));
        w->encoded[i] ^= (uint8_t)(1u << (i % 8));
    }
    assert_true(reads(w, &record, w->encoded, w->size));
}

static void test_any_cut_is_refused(void **state)
{
    struct world *w = *state;
    struct record record;
    for (size_t size = 0; size < w->size; size++) {
        uint8_t *exact = malloc(size ? size : 1);
        memcpy(exact, w->encoded, size);
        struct record_head head;
        assert_false(reads(w, &record, exact, size));
        assert_false(record_read_trusted(&record, fleet_bytes(exact, size)));
        (void)record_peek(&head, fleet_bytes(exact, size));
        free(exact);
    }
    w->encoded[w->size] = 0;
    assert_false(reads(w, &record, w->encoded, w->size + 1));
}

static void test_wrong_signers(void **state)
{
    struct world *w = *state;
    uint8_t buffer[4096];
    struct record record = fleet_record(&w->node), read;
    struct fleet_node other;
    fleet_node_open(&w->fleet, &other, 3, false);

    /* The record signed by somebody else. */
    size_t size = record_write(buffer, sizeof buffer, &record,
                               fleet_bytes(w->node.encoded, w->node.encoded_size), &other.crypto);
    assert_true(size > 0);
    assert_false(reads(w, &read, buffer, size));

    /* The binding by a node that may not enrol. */
    struct bytes grant = certificate_grant(fleet_bytes(w->node.encoded, w->node.encoded_size));
    size = certificate_write(buffer, sizeof buffer, &w->node.certificate, grant, &other.crypto);
    assert_true(size > 0);
    assert_false(reads_certificate(w, buffer, size));

    /* The grant by a node instead of the authority. */
    uint8_t forged[1024];
    struct grant wish = w->node.certificate.grant;
    size_t wished = grant_write(forged, sizeof forged, &wish, &w->fleet.enroller.crypto);
    size = certificate_write(buffer, sizeof buffer, &w->node.certificate, fleet_bytes(forged, wished),
                             &w->fleet.enroller.crypto);
    assert_true(size > 0);
    assert_false(reads_certificate(w, buffer, size));
    struct grant granted;
    assert_false(grant_read(&granted, fleet_bytes(forged, wished), &w->fleet.trust, &w->fleet.authority));

    /* By the authority of another fleet. */
    struct trust trust = w->fleet.trust;
    memcpy(trust.authority, other.certificate.public_key, PUBLIC_KEY_SIZE);
    assert_false(
        record_read(&read, fleet_bytes(w->encoded, w->size), &trust, &w->fleet.policy, &w->fleet.authority));
    /* Without a policy only the authority's own bindings are good. */
    struct certificate certificate;
    assert_false(certificate_read(&certificate, fleet_bytes(w->node.encoded, w->node.encoded_size),
                                  &w->fleet.trust, NULL, &w->fleet.authority));
    assert_true(certificate_read(&certificate,
                                 fleet_bytes(w->fleet.enroller.encoded, w->fleet.enroller.encoded_size),
                                 &w->fleet.trust, NULL, &w->fleet.authority));
    assert_true(certificate.by_authority);
    fleet_node_close(&other);
}

static void test_authority_binds_for_an_enroller(void **state)
{
    struct world *w = *state;
    uint8_t buffer[4096];
    struct bytes grant = certificate_grant(fleet_bytes(w->node.encoded, w->node.encoded_size));
    struct certificate wish = w->node.certificate, read;
    wish.by_authority = true;
    wish.generation = 4;
    wish.issued = wish.grant.expires + 1000000; /* only the first binding must be made in time */
    size_t size = certificate_write(buffer, sizeof buffer, &wish, grant, &w->fleet.authority);
    assert_true(
        certificate_read(&read, fleet_bytes(buffer, size), &w->fleet.trust, NULL, &w->fleet.authority));
    assert_true(read.by_authority);
    assert_int_equal(read.generation, 4);
    /* The enroller cannot pass itself off as the authority. */
    size = certificate_write(buffer, sizeof buffer, &wish, grant, &w->fleet.enroller.crypto);
    assert_false(reads_certificate(w, buffer, size));
}

static void test_enrollers_have_their_time(void **state)
{
    struct world *w = *state;
    struct policy policy = w->fleet.policy;
    policy.version = 2;
    policy.enrollers[0].until = FLEET_TIME - 1;
    fleet_write_policy(&w->fleet, &policy);
    assert_false(reads_certificate(w, w->node.encoded, w->node.encoded_size));
    /* A second key of the same enroller, which does not fit, is passed over. */
    policy.enrollers[0].until = UINT64_MAX;
    policy.enrollers[1] = policy.enrollers[0];
    memcpy(policy.enrollers[0].public_key, w->node.certificate.public_key, PUBLIC_KEY_SIZE);
    policy.enroller_count = 2;
    fleet_write_policy(&w->fleet, &policy);
    assert_true(reads_certificate(w, w->node.encoded, w->node.encoded_size));
}

static void test_first_binding_in_time(void **state)
{
    struct world *w = *state;
    uint8_t buffer[4096];
    struct bytes grant = certificate_grant(fleet_bytes(w->node.encoded, w->node.encoded_size));
    struct certificate wish = w->node.certificate;
    wish.issued = wish.grant.expires + 1;
    assert_int_equal(certificate_write(buffer, sizeof buffer, &wish, grant, &w->fleet.enroller.crypto), 0);
    wish.issued = wish.grant.expires;
    assert_true(certificate_write(buffer, sizeof buffer, &wish, grant, &w->fleet.enroller.crypto) > 0);
}

static void test_policy(void **state)
{
    struct world *w = *state;
    static uint8_t buffer[POLICY_MAX_SIZE], revoked[3600 * NODE_ID_SIZE];
    struct policy policy = w->fleet.policy, read;
    struct node_id id = {{0}};
    for (unsigned i = 0; i < 3500; i++) {
        revoked[i * NODE_ID_SIZE] = (uint8_t)(i >> 8);
        revoked[i * NODE_ID_SIZE + 1] = (uint8_t)i;
        revoked[i * NODE_ID_SIZE + 15] = 1;
    }
    policy.revoked = revoked;
    policy.revoked_count = 3500;
    size_t size = policy_write(buffer, sizeof buffer, &policy, &w->fleet.authority);
    assert_true(size > 0);
    assert_true(policy_read(&read, fleet_bytes(buffer, size), &w->fleet.trust, &w->fleet.authority));
    assert_int_equal(read.revoked_count, 3500);
    for (unsigned i = 0; i < 3500; i++) {
        id.bytes[0] = (uint8_t)(i >> 8);
        id.bytes[1] = (uint8_t)i;
        id.bytes[15] = 1;
        assert_true(policy_revokes(&read, &id));
        id.bytes[15] = 2;
        assert_false(policy_revokes(&read, &id));
    }
    policy.revoked_count = 0;
    assert_false(policy_revokes(&policy, &id));
    /* A good policy, signed by an enroller. */
    size = policy_write(buffer, sizeof buffer, &policy, &w->fleet.enroller.crypto);
    assert_false(policy_read(&read, fleet_bytes(buffer, size), &w->fleet.trust, &w->fleet.authority));
    /* What may not be: order, doubles, version 0, too many. */
    policy.revoked_count = 3600;
    policy.revoked = revoked;
    assert_int_equal(policy_write(buffer, sizeof buffer, &policy, &w->fleet.authority), 0);
    policy.revoked_count = 2;
    policy.revoked = revoked + NODE_ID_SIZE;
    memcpy(revoked + 2 * NODE_ID_SIZE, revoked + NODE_ID_SIZE, NODE_ID_SIZE);
    assert_int_equal(policy_write(buffer, sizeof buffer, &policy, &w->fleet.authority), 0);
    memset(revoked + 2 * NODE_ID_SIZE, 0, NODE_ID_SIZE);
    assert_int_equal(policy_write(buffer, sizeof buffer, &policy, &w->fleet.authority), 0);
    policy.revoked_count = 0;
    policy.version = 0;
    assert_int_equal(policy_write(buffer, sizeof buffer, &policy, &w->fleet.authority), 0);
}

/* A body of anything, signed by the authority: what a newer or a broken writer might send. */
static bool policy_of(const struct world *w, const void *body, size_t size)
{
    uint8_t buffer[256];
    struct policy policy;
    memcpy(buffer, body, size);
    w->fleet.authority.sign(w->fleet.authority.context, buffer, size, buffer + size);
    return policy_read(&policy, fleet_bytes(buffer, size + SIGNATURE_SIZE), &w->fleet.trust,
                       &w->fleet.authority);
}
#define POLICY_OF(...) policy_of(w, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void test_strange_bodies(void **state)
{
    struct world *w = *state;
    assert_true(POLICY_OF(0x81, 48, 7));
    assert_true(POLICY_OF(0x82, 0, 1, 48, 7));                     /* version 1 said aloud */
    assert_false(POLICY_OF(0x82, 0, 2, 48, 7));                    /* a newer format */
    assert_true(POLICY_OF(0x82, 48, 7, 60, 0x93, 1, 2, 3));        /* an unknown key of this format */
    assert_true(POLICY_OF(0x82, 48, 7, 120, 0x81, 1, 0xc0));       /* of no format */
    assert_false(POLICY_OF(0x82, 60, 1, 48, 7));                   /* not in order */
    assert_false(POLICY_OF(0x82, 48, 7, 48, 7));                   /* twice */
    assert_false(POLICY_OF(0x82, 48, 7));                          /* a pair is missing */
    assert_false(POLICY_OF(0x81, 48, 7, 0));                       /* more than announced */
    assert_false(POLICY_OF(0x81, 0xa1, 'x', 7));                   /* a text as key */
    assert_false(POLICY_OF(0x81, 48, 0xa1, 'x'));                  /* a text as version */
    assert_false(POLICY_OF(0x91, 48));                             /* no map */
    assert_false(POLICY_OF(0x80));                                 /* nothing */
    assert_false(POLICY_OF(0x82, 48, 7, 49, 0x91, 0x92, 1, 2));    /* an enroller of two parts */
    assert_false(POLICY_OF(0x82, 48, 7, 49, 0x91, 0x93, 1, 2, 3)); /* of wrong types */
    assert_false(POLICY_OF(0x82, 48, 7, 50, 0xc4, 3, 1, 2, 3));    /* ids that are none */
}

/* A policy of so many enrollers, written without policy_write(). */
static bool policy_with_enrollers(const struct world *w, unsigned count)
{
    uint8_t buffer[4096];
    struct body_writer writer;
    struct policy policy;
    body_begin(&writer, buffer, sizeof buffer, BODY_POLICY);
    body_put_uint(&writer, 0, 1);
    body_put_array(&writer, 1, count);
    for (unsigned i = 0; i < count; i++) {
        msgpack_put_array(&writer.out, 3);
        msgpack_put_binary(&writer.out, w->node.certificate.grant.id.bytes, NODE_ID_SIZE);
        msgpack_put_binary(&writer.out, w->node.certificate.public_key, PUBLIC_KEY_SIZE);
        msgpack_put_uint(&writer.out, i);
    }
    size_t size = body_sign(&writer, &w->fleet.authority);
    assert_true(size > 0);
    return policy_read(&policy, fleet_bytes(buffer, size), &w->fleet.trust, &w->fleet.authority) &&
           policy.enroller_count == count;
}

static void test_so_many_enrollers(void **state)
{
    struct world *w = *state;
    assert_true(policy_with_enrollers(w, POLICY_ENROLLERS));
    assert_false(policy_with_enrollers(w, POLICY_ENROLLERS + 1));
}

static void test_writers_refuse_what_readers_would(void **state)
{
    struct world *w = *state;
    uint8_t buffer[8192];
    struct bytes certificate = fleet_bytes(w->node.encoded, w->node.encoded_size);
    struct bytes grant = certificate_grant(certificate);
    struct record record = fleet_record(&w->node);
    for (size_t room = 0; room < w->size; room++)
        assert_int_equal(record_write(buffer, room, &record, certificate, &w->node.crypto), 0);
    assert_int_equal(record_write(buffer, w->size, &record, certificate, &w->node.crypto), w->size);
    strcpy(record.endpoints[0], "no port");
    assert_int_equal(record_write(buffer, sizeof buffer, &record, certificate, &w->node.crypto), 0);
    record = fleet_record(&w->node);
    strcpy(record.version, "a b");
    assert_int_equal(record_write(buffer, sizeof buffer, &record, certificate, &w->node.crypto), 0);
    record = fleet_record(&w->node);
    assert_int_equal(record_write(buffer, sizeof buffer, &record, grant, &w->node.crypto), 0);
    struct certificate wish = w->node.certificate;
    strcpy(wish.name, "a\tb");
    assert_int_equal(certificate_write(buffer, sizeof buffer, &wish, grant, &w->node.crypto), 0);
    assert_int_equal(
        certificate_write(buffer, sizeof buffer, &w->node.certificate, certificate, &w->node.crypto), 0);
    struct grant granted = w->node.certificate.grant;
    strcpy(granted.domains[0], "Upper.Example");
    assert_int_equal(grant_write(buffer, sizeof buffer, &granted, &w->fleet.authority), 0);
    granted = w->node.certificate.grant;
    strcpy(granted.workspace, "a b");
    assert_int_equal(grant_write(buffer, sizeof buffer, &granted, &w->fleet.authority), 0);
    granted = w->node.certificate.grant;
    memset(&granted.id, 0, sizeof granted.id);
    assert_int_equal(grant_write(buffer, sizeof buffer, &granted, &w->fleet.authority), 0);
}

/* The longest names there are: a certificate of them fits. */
static void test_longest(void **state)
{
    struct world *w = *state;
    uint8_t grant[4096], buffer[4096];
    struct grant granted = w->node.certificate.grant;
    memset(granted.site, 's', NAME_MAX_SIZE - 1);
    memset(granted.workspace, 'w', NAME_MAX_SIZE - 1);
    for (granted.domain_count = 0; granted.domain_count < GRANT_DOMAINS; granted.domain_count++) {
        char *domain = granted.domains[granted.domain_count];
        memset(domain, 'd', 253);
        for (unsigned i = 60; i < 253; i += 60)
            domain[i] = '.';
    }
    size_t grant_size = grant_write(grant, sizeof grant, &granted, &w->fleet.authority);
    assert_true(grant_size > 2000);
    struct certificate wish = w->node.certificate, read;
    memset(wish.name, 'n', NAME_MAX_SIZE - 1);
    size_t size = certificate_write(buffer, sizeof buffer, &wish, fleet_bytes(grant, grant_size),
                                    &w->fleet.enroller.crypto);
    assert_true(size > 2000 && size <= CERTIFICATE_MAX_SIZE);
    assert_true(certificate_read(&read, fleet_bytes(buffer, size), &w->fleet.trust, &w->fleet.policy,
                                 &w->fleet.authority));
    assert_int_equal(read.grant.domain_count, GRANT_DOMAINS);
    assert_string_equal(read.grant.workspace, granted.workspace);
}

static void test_texts(void **state)
{
    (void)state;
    char text[300];
    assert_true(name_valid("DC1-s02_a.b"));
    assert_false(name_valid(""));
    assert_false(name_valid("a b"));
    assert_false(name_valid("a\x1b[0m"));
    memset(text, 'a', sizeof text);
    text[63] = '\0';
    assert_true(name_valid(text) && version_valid(text));
    assert_true(domain_valid(text));
    text[63] = 'a';
    text[64] = '\0';
    assert_false(name_valid(text) || version_valid(text) || domain_valid(text));

    assert_true(version_valid("0.1.0~rc1+git"));
    assert_false(version_valid(""));
    assert_true(domain_valid("corp.example") && domain_valid("_msdcs.a-b.c"));
    assert_false(domain_valid("") || domain_valid(".a") || domain_valid("a.") || domain_valid("a..b"));
    assert_false(domain_valid("Corp.example") || domain_valid("a:b"));
    memset(text, 'a', sizeof text);
    for (unsigned i = 50; i < 254; i += 50)
        text[i] = '.';
    text[253] = '\0';
    assert_true(domain_valid(text));
    text[253] = 'a';
    text[254] = '\0';
    assert_false(domain_valid(text));

    assert_true(host_valid("DC1.corp.example") && host_valid("10.0.0.1") && host_valid("fe80::1%eth0"));
    assert_true(host_valid("::ffff:10.0.0.1"));
    assert_false(host_valid("fe80::1%") || host_valid("fe80::1%e:") || host_valid("a:b") || host_valid(":"));
    assert_false(host_valid("1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:1:2:3:4:5:6:7:8:9:a"));

    assert_true(endpoint_valid("10.0.0.1:1") && endpoint_valid("h:65535") && endpoint_valid("[::1]:80"));
    assert_true(endpoint_valid("tcp://dc1.corp.example:49200") && endpoint_valid("tcp://[fe80::1%eth0]:1"));
    static const char *const bad[] = {"",          "h",      "h:",    ":1",     "h:0",     "h:65536",
                                      "h:1x",      "::1:80", "[::1]", "[]:80",  "[::1:80", "h:000001",
                                      "ipc://x:1", "h:-1",   "a b:1", "[h]:80", "tcp://:1"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(endpoint_valid(bad[i]));
}

/* -- libsodium ------------------------------------------------------------------------------------ */

static void test_keys(void **state)
{
    struct world *w = *state;
    const struct cluster_crypto *crypto = &w->node.crypto;
    uint8_t signature[SIGNATURE_SIZE], public_key[PUBLIC_KEY_SIZE], seed[KEY_SEED_SIZE];
    crypto->sign(crypto->context, "abc", 3, signature);
    assert_true(crypto->verify(NULL, w->node.certificate.public_key, "abc", 3, signature));
    assert_false(crypto->verify(NULL, w->node.certificate.public_key, "abd", 3, signature));

    /* The same signature with the group's order added to its scalar (RFC 8032 5.1.7 demands S < L). */
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                      0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                      0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    unsigned carry = 0;
    for (unsigned i = 0; i < 32; i++) {
        carry += signature[32 + i] + order[i];
        signature[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_false(crypto->verify(NULL, w->node.certificate.public_key, "abc", 3, signature));

    /* A key of order 1 with R of order 1 and S = 0 would fit every message. */
    memset(public_key, 0, sizeof public_key);
    memset(signature, 0, sizeof signature);
    public_key[0] = signature[0] = 1;
    assert_false(crypto->verify(NULL, public_key, "abc", 3, signature));
    uint8_t curve[CURVE_KEY_SIZE], secret[CURVE_KEY_SIZE], same[CURVE_KEY_SIZE];
    assert_false(crypto_curve_public(curve, public_key));
    memset(public_key, 0xff, sizeof public_key); /* not canonical */
    assert_false(crypto->verify(NULL, public_key, "abc", 3, signature));

    assert_true(crypto_curve_public(curve, w->node.certificate.public_key));
    crypto_sodium_curve(w->node.keys, same, secret);
    assert_memory_equal(curve, same, CURVE_KEY_SIZE);

    fleet_seed(seed, 99);
    crypto_public_key(public_key, seed);
    crypto_sodium_rekey(w->node.keys, seed);
    assert_memory_equal(crypto_sodium_public_key(w->node.keys), public_key, PUBLIC_KEY_SIZE);
    crypto->sign(crypto->context, "abc", 3, signature);
    assert_true(crypto->verify(NULL, public_key, "abc", 3, signature));
}

static void test_hashes(void **state)
{
    struct world *w = *state;
    const struct cluster_crypto *crypto = &w->node.crypto;
    uint8_t link[LINK_SIZE], digest[DIGEST_SIZE];
    /* b2sum -l 128 and -l 256 of "abc" */
    static const uint8_t abc[LINK_SIZE] = {0xcf, 0x4a, 0xb7, 0x91, 0xc6, 0x2b, 0x8d, 0x2b,
                                           0x21, 0x09, 0xc9, 0x02, 0x75, 0x28, 0x78, 0x16};
    crypto->hash(crypto->context, "abc", 3, link);
    assert_memory_equal(link, abc, LINK_SIZE);
    crypto_digest(digest, "abc", 3);
    assert_int_equal(digest[0], 0xbd);
    assert_int_equal(digest[31], 0x19);
    uint64_t one = crypto->draw(crypto->context, "abc", 3);
    assert_true(one == crypto->draw(crypto->context, "abc", 3));
    assert_true(one != crypto->draw(crypto->context, "abd", 3));
    struct crypto_sodium *unsalted = crypto_sodium_new(digest, NULL);
    struct cluster_crypto other = crypto_sodium_table(unsalted);
    assert_true(one != other.draw(other.context, "abc", 3));
    crypto_sodium_destroy(&unsalted);
    assert_null(unsalted);

    uint8_t *secret = secret_alloc(64);
    crypto_random(secret, 64);
    (void)secret_locked(secret, 64);
    assert_true(crypto_equal(secret, secret, 64));
    assert_false(crypto_equal(secret, secret + 32, 32));
    secret_free(secret);
    secret_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(test_golden),
        TEST(test_typical_record_is_small),
        TEST(test_everything_comes_back),
        TEST(test_peek),
        TEST(test_any_flipped_bit_is_refused),
        TEST(test_any_cut_is_refused),
        TEST(test_wrong_signers),
        TEST(test_authority_binds_for_an_enroller),
        TEST(test_enrollers_have_their_time),
        TEST(test_first_binding_in_time),
        TEST(test_policy),
        TEST(test_strange_bodies),
        TEST(test_so_many_enrollers),
        TEST(test_writers_refuse_what_readers_would),
        TEST(test_longest),
        cmocka_unit_test(test_texts),
        TEST(test_keys),
        TEST(test_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
