/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/joining.h"
#include "cluster/state_file.h"

#include <sodium.h>

#include "tests/unit/crash_disk.h"
#include "tests/unit/fleet.h"
#include "tests/unit/golden.h"
#include "tests/unit/unit.h"

#define NOW (FLEET_TIME + 60)

struct world {
    struct fleet fleet;
    struct crash_disk *disk;
    struct enrolment_desk desk;
    struct token *token;       /* for node 2 */
    struct identity *identity; /* of the joining node */
    struct crypto_sodium *keys;
    struct cluster_crypto crypto;
    uint8_t request[ENROLMENT_REQUEST_MAX];
    size_t request_size;
    uint8_t reply[ENROLMENT_REPLY_MAX];
    size_t reply_size;
    struct enrolment_outcome outcome;
    uint8_t own_record[RECORD_MAX_SIZE];
    size_t own_record_size;
    /* what the enroller's core knows */
    const char *taken_name;
    bool short_id_taken, is_member;
    uint32_t generation;
};

static bool name_taken(void *context, const char *name, const struct node_id *by_other_than)
{
    struct world *w = context;
    (void)by_other_than;
    return w->taken_name && strcmp(name, w->taken_name) == 0;
}

static bool short_id_taken(void *context, const struct node_id *by_other_than)
{
    struct world *w = context;
    (void)by_other_than;
    return w->short_id_taken;
}

static bool generation(void *context, const struct node_id *id, uint32_t *newest)
{
    struct world *w = context;
    (void)id;
    *newest = w->generation;
    return w->is_member;
}

static const uint8_t fleet_salt[SALT_SIZE] = {9, 8, 7};

static struct token *make_token(struct world *w, unsigned number)
{
    struct token *token = secret_alloc(sizeof *token);
    memset(token, 0, sizeof *token);
    token->trust = w->fleet.trust;
    token->grant = fleet_grant(&w->fleet, number, true);
    strcpy(token->endpoints[token->endpoint_count++], "10.0.0.1:49201");
    assert_true(crypto_curve_public(token->enroller_key, w->fleet.enroller.certificate.public_key));
    assert_true(token_make(token, &w->fleet.authority));
    return token;
}

static void ask_for_enrolment(struct world *w, const char *name)
{
    w->request_size = enrolment_request(w->request, sizeof w->request, w->token, name,
                                        crypto_sodium_public_key(w->keys), &w->crypto);
    assert_true(w->request_size > 0);
}

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    fleet_open(&w->fleet);
    w->disk = crash_disk_new(1);
    w->token = make_token(w, 2);
    w->identity = identity_new(&w->fleet.trust, &w->token->grant.id);
    w->keys = identity_keys(w->identity);
    w->crypto = crypto_sodium_table(w->keys);
    struct record record = fleet_record(&w->fleet.enroller);
    w->own_record_size = record_write(w->own_record, sizeof w->own_record, &record,
                                      fleet_bytes(w->fleet.enroller.encoded, w->fleet.enroller.encoded_size),
                                      &w->fleet.enroller.crypto);
    w->desk = (struct enrolment_desk){
        .trust = &w->fleet.trust,
        .self = w->fleet.enroller.certificate.grant.id,
        .public_key = w->fleet.enroller.certificate.public_key,
        .crypto = &w->fleet.enroller.crypto,
        .policy = fleet_bytes(w->fleet.policy_encoded, w->fleet.policy_size),
        .salt = fleet_salt,
        .records = {fleet_bytes(w->own_record, w->own_record_size)},
        .record_count = 1,
        .context = w,
        .name_taken = name_taken,
        .short_id_taken = short_id_taken,
        .generation = generation,
        .ledger = ledger_new(),
        .disk = &w->disk->disk,
        .directory = "d",
    };
    ask_for_enrolment(w, "dc1-s02");
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    ledger_destroy(&w->desk.ledger);
    identity_destroy(&w->identity);
    crypto_sodium_destroy(&w->keys);
    secret_free(w->token);
    crash_disk_free(w->disk);
    fleet_close(&w->fleet);
    free(w);
    return 0;
}

static enum enrolment_refusal answer_at(struct world *w, uint64_t now)
{
    struct enrolment_reply reply;
    uint8_t *exact = malloc(w->request_size);
    memcpy(exact, w->request, w->request_size);
    w->reply_size = enrolment_answer(&w->desk, fleet_bytes(exact, w->request_size), now, w->reply,
                                     sizeof w->reply, &w->outcome);
    free(exact);
    assert_true(w->reply_size > 0);
    assert_true(enrolment_reply_read(&reply, fleet_bytes(w->reply, w->reply_size)));
    assert_int_equal(reply.refusal, w->outcome.refusal);
    return reply.refusal;
}

static enum enrolment_refusal answer(struct world *w)
{
    return answer_at(w, NOW);
}

/* The joining node's side of a reply. */
static bool accept(struct world *w, bool rotation, struct fault *fault)
{
    struct enrolment_reply reply;
    struct policy policy;
    return enrolment_reply_read(&reply, fleet_bytes(w->reply, w->reply_size)) &&
           policy_read(&policy, reply.policy, &w->identity->trust, crypto_verifier()) &&
           (rotation ? identity_rotated(w->identity, reply.certificate, &policy, fault)
                     : identity_enrol(w->identity, reply.certificate, reply.salt, &policy, fault));
}

static void join(struct world *w)
{
    struct fault fault;
    assert_int_equal(answer(w), ENROLMENT_GRANTED);
    assert_true(accept(w, false, &fault));
}

/* -- tokens --------------------------------------------------------------------------------------- */

static void test_token_round_trip(void **state)
{
    struct world *w = *state;
    struct fault fault;
    char text[TOKEN_TEXT_MAX], padded[TOKEN_TEXT_MAX + 16];
    struct token *read = secret_alloc(sizeof *read);
    strcpy(w->token->name, "dc1-s02");
    assert_true(token_make(w->token, &w->fleet.authority));
    assert_true(token_print(w->token, text));
    assert_int_equal(strncmp(text, TOKEN_PREFIX, strlen(TOKEN_PREFIX)), 0);
    assert_true(strlen(text) < 700);
    for (const char *c = text + strlen(TOKEN_PREFIX); *c; c++)
        assert_true(isalnum((unsigned char)*c) || *c == '-' || *c == '_');
    snprintf(padded, sizeof padded, " \t%s\r\n", text);
    assert_true(token_parse(read, padded, &fault));
    assert_memory_equal(&read->trust, &w->token->trust, sizeof read->trust);
    assert_memory_equal(&read->grant, &w->token->grant, sizeof read->grant);
    assert_memory_equal(read->secret, w->token->secret, TOKEN_SECRET_SIZE);
    assert_string_equal(read->name, "dc1-s02");
    assert_string_equal(read->endpoints[0], "10.0.0.1:49201");
    assert_memory_equal(read->enroller_key, w->token->enroller_key, CURVE_KEY_SIZE);

    /* Any letter lost or changed. */
    size_t length = strlen(text);
    for (size_t i = 0; i < length; i++) {
        char letter = text[i];
        text[i] = letter == 'A' ? 'B' : 'A';
        assert_false(token_parse(read, text, &fault));
        text[i] = letter;
        char cut[TOKEN_TEXT_MAX];
        memcpy(cut, text, i);
        cut[i] = '\0';
        assert_false(token_parse(read, cut, &fault));
    }
    snprintf(padded, sizeof padded, "%s x", text);
    assert_false(token_parse(read, padded, &fault));
    assert_non_null(strstr(fault.text, "follows"));
    assert_false(token_parse(read, "hello", &fault));
    assert_non_null(strstr(fault.text, "must begin"));
    memset(padded, 'A', sizeof padded - 1);
    padded[sizeof padded - 1] = '\0';
    memcpy(padded, TOKEN_PREFIX, strlen(TOKEN_PREFIX));
    assert_false(token_parse(read, padded, &fault));
    secret_free(read);
}

static void test_token_of_another_authority(void **state)
{
    struct world *w = *state;
    struct fault fault;
    char text[TOKEN_TEXT_MAX];
    struct token *read = secret_alloc(sizeof *read);
    assert_true(token_make(w->token, &w->fleet.enroller.crypto)); /* not the authority */
    assert_true(token_print(w->token, text));
    assert_false(token_parse(read, text, &fault));
    assert_non_null(strstr(fault.text, "not signed"));
    assert_true(token_make(w->token, &w->fleet.authority));
    w->token->endpoint_count = 0;
    assert_true(token_print(w->token, text));
    assert_false(token_parse(read, text, &fault));
    assert_non_null(strstr(fault.text, "understands"));
    strcpy(w->token->name, "a b");
    assert_false(token_make(w->token, &w->fleet.authority));
    secret_free(read);
}

/* -- joining -------------------------------------------------------------------------------------- */

static void test_join(void **state)
{
    struct world *w = *state;
    struct fault fault;
    struct enrolment_reply reply;
    assert_int_equal(answer(w), ENROLMENT_GRANTED);
    assert_false(w->outcome.again || w->outcome.rotation);
    assert_string_equal(w->outcome.certificate.name, "dc1-s02");
    assert_memory_equal(w->outcome.certificate.public_key, crypto_sodium_public_key(w->keys),
                        PUBLIC_KEY_SIZE);
    assert_true(accept(w, false, &fault));
    assert_memory_equal(w->identity->salt, fleet_salt, SALT_SIZE);
    assert_int_equal(w->identity->certificate.generation, 0);
    assert_string_equal(w->identity->certificate.grant.domains[0], "corp.example");
    assert_true(enrolment_reply_read(&reply, fleet_bytes(w->reply, w->reply_size)));
    assert_int_equal(reply.record_count, 1);
    assert_int_equal(reply.records[0].size, w->own_record_size);

    /* The reply was lost: the same key is answered with the same certificate, even after the expiry. */
    struct bytes before = identity_certificate(w->identity);
    assert_int_equal(answer_at(w, FLEET_TIME + 3601), ENROLMENT_GRANTED);
    assert_true(w->outcome.again);
    assert_true(enrolment_reply_read(&reply, fleet_bytes(w->reply, w->reply_size)));
    assert_int_equal(reply.certificate.size, before.size);
    assert_bytes_equal(reply.certificate.data, before.data, before.size);

    /* Another key: the token was used. */
    w->keys = (crypto_sodium_destroy(&w->keys), fleet_keys(77));
    w->crypto = crypto_sodium_table(w->keys);
    ask_for_enrolment(w, "dc1-s02");
    assert_int_equal(answer(w), REFUSED_USED);
    /* The enroller restarts: the ledger is on its disk. */
    ledger_destroy(&w->desk.ledger);
    w->desk.ledger = ledger_load(&w->disk->disk, "d", &fault);
    assert_non_null(w->desk.ledger);
    assert_int_equal(ledger_count(w->desk.ledger), 1);
    assert_int_equal(answer(w), REFUSED_USED);
    /* It lost its disk: the fleet knows the member. */
    ledger_destroy(&w->desk.ledger);
    w->desk.ledger = ledger_new();
    w->is_member = true;
    assert_int_equal(answer(w), REFUSED_USED);
    /* Long after: the entry is gone, the token expired. */
    assert_int_equal(answer_at(w, FLEET_TIME + 10 * 86400), REFUSED_EXPIRED);
    assert_int_equal(ledger_count(w->desk.ledger), 0);
}

static void test_refusals(void **state)
{
    struct world *w = *state;
    struct policy policy = w->fleet.policy;
    uint8_t revoked[NODE_ID_SIZE];

    assert_int_equal(answer_at(w, FLEET_TIME + 3601), REFUSED_EXPIRED);
    w->taken_name = "dc1-s02";
    assert_int_equal(answer(w), REFUSED_NAME_TAKEN);
    w->taken_name = NULL;
    w->short_id_taken = true;
    assert_int_equal(answer(w), REFUSED_ID_TAKEN);
    w->short_id_taken = false;

    /* The secret. */
    w->token->secret[31] ^= 1;
    ask_for_enrolment(w, "dc1-s02");
    assert_int_equal(answer(w), REFUSED_SECRET);
    w->token->secret[31] ^= 1;
    /* The voucher of another token. */
    struct token *other = make_token(w, 3), mixed;
    mixed = *w->token;
    memcpy(mixed.voucher, other->voucher, sizeof mixed.voucher);
    mixed.voucher_size = other->voucher_size;
    memcpy(mixed.secret, other->secret, sizeof mixed.secret);
    w->request_size = enrolment_request(w->request, sizeof w->request, &mixed, "x",
                                        crypto_sodium_public_key(w->keys), &w->crypto);
    assert_int_equal(answer(w), REFUSED_NOT_OURS);
    mixed.voucher_size = 5;
    w->request_size = enrolment_request(w->request, sizeof w->request, &mixed, "x",
                                        crypto_sodium_public_key(w->keys), &w->crypto);
    assert_int_equal(answer(w), REFUSED_NOT_OURS);
    secret_free(other);
    /* The name that the token demands. */
    strcpy(w->token->name, "right-name");
    assert_true(token_make(w->token, &w->fleet.authority));
    ask_for_enrolment(w, "dc1-s02");
    assert_int_equal(answer(w), REFUSED_NAME);
    /* A grant that is not the authority's. */
    w->token->name[0] = '\0';
    assert_true(token_make(w->token, &w->fleet.enroller.crypto));
    ask_for_enrolment(w, "dc1-s02");
    assert_int_equal(answer(w), REFUSED_NOT_OURS);
    /* For another enroller. */
    memset(&w->token->grant.enroller, 0x33, NODE_ID_SIZE);
    assert_true(token_make(w->token, &w->fleet.authority));
    ask_for_enrolment(w, "dc1-s02");
    assert_int_equal(answer(w), REFUSED_ELSEWHERE);
    w->token->grant.enroller = w->desk.self;
    assert_true(token_make(w->token, &w->fleet.authority));
    ask_for_enrolment(w, "dc1-s02");
    /* Signed by another key than the one in it. */
    w->request[w->request_size - 1] ^= 1;
    assert_int_equal(answer(w), REFUSED_KEY);
    w->request[w->request_size - 1] ^= 1;
    /* Not entitled any more, or with another key. */
    policy.version++;
    policy.enrollers[0].until = NOW - 1;
    fleet_write_policy(&w->fleet, &policy);
    w->desk.policy = fleet_bytes(w->fleet.policy_encoded, w->fleet.policy_size);
    assert_int_equal(answer(w), REFUSED_NOT_ENROLLER);
    policy.enrollers[0].until = UINT64_MAX;
    memset(revoked, 2, sizeof revoked);
    policy.revoked = revoked;
    policy.revoked_count = 1;
    fleet_write_policy(&w->fleet, &policy);
    w->desk.policy = fleet_bytes(w->fleet.policy_encoded, w->fleet.policy_size);
    assert_int_equal(answer(w), REFUSED_REVOKED);
    policy.revoked_count = 0;
    fleet_write_policy(&w->fleet, &policy);
    w->desk.policy.size--;
    assert_int_equal(answer(w), REFUSED_BUSY);
    w->desk.policy = fleet_bytes(w->fleet.policy_encoded, w->fleet.policy_size);
    assert_int_equal(ledger_count(w->desk.ledger), 0);
    assert_int_equal(answer(w), ENROLMENT_GRANTED);

    /* The same key with a second token. */
    secret_free(w->token);
    w->token = make_token(w, 4);
    ask_for_enrolment(w, "dc1-s04");
    assert_int_equal(answer(w), REFUSED_KEY);
    for (int i = 0; i < ENROLMENT_REFUSALS; i++)
        assert_true(strlen(enrolment_refusal_text((enum enrolment_refusal)i)) > 3);
    assert_true(strlen(enrolment_refusal_text((enum enrolment_refusal)200)) > 3);
}

static void test_requests_that_are_none(void **state)
{
    struct world *w = *state;
    struct identity *identity = w->identity;
    uint8_t whole[ENROLMENT_REQUEST_MAX];
    size_t size = w->request_size;
    memcpy(whole, w->request, size);
    for (size_t cut = 1; cut < size; cut += 3) {
        w->request_size = cut;
        assert_int_not_equal(answer(w), ENROLMENT_GRANTED);
    }
    w->request_size = size;
    for (size_t i = 0; i < size; i++) {
        w->request[i] ^= (uint8_t)(1u << i % 8);
        assert_int_not_equal(answer(w), ENROLMENT_GRANTED);
        w->request[i] ^= (uint8_t)(1u << i % 8);
    }
    assert_int_equal(ledger_count(w->desk.ledger), 0);
    assert_int_equal(enrolment_request(w->request, sizeof w->request, w->token, "bad name",
                                       crypto_sodium_public_key(w->keys), &w->crypto),
                     0);
    assert_int_equal(rotation_request(w->request, sizeof w->request, identity), 0);
    /* No room even for the certificate: a refusal; no room for that: nothing. */
    memcpy(w->request, whole, size);
    assert_int_equal(enrolment_answer(&w->desk, fleet_bytes(whole, size), NOW, w->reply, 300, &w->outcome),
                     3);
    assert_int_equal(w->outcome.refusal, REFUSED_BUSY);
    assert_int_equal(enrolment_answer(&w->desk, fleet_bytes(whole, size), NOW, w->reply, 2, &w->outcome), 0);
}

static void test_replies_that_are_none(void **state)
{
    struct world *w = *state;
    struct enrolment_reply reply;
    assert_int_equal(answer(w), ENROLMENT_GRANTED);
    for (size_t cut = 0; cut < w->reply_size; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, w->reply, cut);
        assert_false(enrolment_reply_read(&reply, fleet_bytes(exact, cut)));
        free(exact);
    }
    assert_false(enrolment_reply_read(&reply, fleet_bytes("\x80", 1))); /* granted, and nothing else */
    assert_false(enrolment_reply_read(&reply, fleet_bytes(w->reply, ENROLMENT_REPLY_MAX + 1)));
}

/* As many records as fit, this node's own first. */
static void test_many_records(void **state)
{
    struct world *w = *state;
    struct enrolment_reply reply;
    for (unsigned i = 1; i < ENROLMENT_RECORDS; i++)
        w->desk.records[i] = w->desk.records[0];
    w->desk.record_count = ENROLMENT_RECORDS;
    assert_int_equal(answer(w), ENROLMENT_GRANTED);
    assert_true(enrolment_reply_read(&reply, fleet_bytes(w->reply, w->reply_size)));
    assert_int_equal(reply.record_count, ENROLMENT_RECORDS);
    w->reply_size = enrolment_answer(&w->desk, fleet_bytes(w->request, w->request_size), NOW, w->reply, 2000,
                                     &w->outcome);
    assert_true(enrolment_reply_read(&reply, fleet_bytes(w->reply, w->reply_size)));
    assert_in_range(reply.record_count, 1, 4);
}

/* What was not saved was not granted. */
static void test_ledger_cannot_be_saved(void **state)
{
    struct world *w = *state;
    for (unsigned at = 1; at <= 6; at++) {
        w->disk->fail_at = w->disk->calls + at;
        enum enrolment_refusal refusal = answer(w);
        assert_true(refusal == REFUSED_BUSY || refusal == ENROLMENT_GRANTED);
        assert_int_equal(ledger_count(w->desk.ledger), refusal == ENROLMENT_GRANTED);
        if (refusal == ENROLMENT_GRANTED)
            return;
    }
    w->disk->fail_at = 0;
    join(w);
    /* A rotation that cannot be saved leaves the entry as it was. */
    identity_rotate(w->identity);
    w->request_size = rotation_request(w->request, sizeof w->request, w->identity);
    w->disk->fail_at = w->disk->calls + 2;
    assert_int_equal(answer(w), REFUSED_BUSY);
    assert_int_equal(ledger_find(w->desk.ledger, &w->identity->id)->generation, 0);
    assert_int_equal(answer(w), ENROLMENT_GRANTED);
    assert_int_equal(ledger_find(w->desk.ledger, &w->identity->id)->generation, 1);
}

/* Crashes of the enroller: whoever was granted is still known. */
static void test_enroller_crashes(void **state)
{
    struct world *w = *state;
    struct fault fault;
    for (unsigned at = 1; at <= 12; at++) {
        ledger_destroy(&w->desk.ledger);
        crash_disk_free(w->disk);
        w->disk = crash_disk_new(at);
        w->desk.disk = &w->disk->disk;
        w->desk.ledger = ledger_new();
        w->disk->crash_at = at;
        bool granted = answer(w) == ENROLMENT_GRANTED;
        crash_disk_reboot(w->disk);
        ledger_destroy(&w->desk.ledger);
        w->desk.ledger = ledger_load(&w->disk->disk, "d", &fault);
        assert_non_null(w->desk.ledger);
        if (granted)
            assert_int_equal(ledger_count(w->desk.ledger), 1);
        assert_int_equal(answer(w), ENROLMENT_GRANTED); /* asked again */
    }
}

/* Two newcomers at once: the fleet knows neither yet, the enroller does. */
static void test_newcomers_at_once(void **state)
{
    struct world *w = *state;
    struct policy policy = w->fleet.policy;
    join(w);
    crypto_sodium_destroy(&w->keys);
    w->keys = fleet_keys(88);
    w->crypto = crypto_sodium_table(w->keys);
    secret_free(w->token);
    w->token = make_token(w, 4);
    ask_for_enrolment(w, "dc1-s02");
    assert_int_equal(answer(w), REFUSED_NAME_TAKEN);
    w->token->grant.id = w->identity->id; /* all but the last byte */
    w->token->grant.id.bytes[15] ^= 1;
    assert_true(token_make(w->token, &w->fleet.authority));
    ask_for_enrolment(w, "dc1-s04");
    assert_int_equal(answer(w), REFUSED_ID_TAKEN);
    /* The name of a node that is revoked is free. */
    policy.version++;
    policy.revoked = w->identity->id.bytes;
    policy.revoked_count = 1;
    fleet_write_policy(&w->fleet, &policy);
    w->desk.policy = fleet_bytes(w->fleet.policy_encoded, w->fleet.policy_size);
    secret_free(w->token);
    w->token = make_token(w, 4);
    ask_for_enrolment(w, "dc1-s02");
    assert_int_equal(answer(w), ENROLMENT_GRANTED);
}

/* -- rotation ------------------------------------------------------------------------------------- */

static void test_rotation(void **state)
{
    struct world *w = *state;
    struct fault fault;
    uint8_t first[ENROLMENT_REQUEST_MAX];
    join(w);
    uint8_t old_seed[KEY_SEED_SIZE];
    memcpy(old_seed, w->identity->seed, sizeof old_seed);
    identity_rotate(w->identity);
    w->request_size = rotation_request(w->request, sizeof w->request, w->identity);
    size_t first_size = w->request_size;
    memcpy(first, w->request, first_size);
    uint64_t later = FLEET_TIME + 400 * UINT64_C(86400); /* the grant expired long ago */
    assert_int_equal(answer_at(w, later), ENROLMENT_GRANTED);
    assert_true(w->outcome.rotation && !w->outcome.again);
    assert_int_equal(answer_at(w, later), ENROLMENT_GRANTED); /* the reply was lost */
    assert_true(w->outcome.again);
    assert_true(accept(w, true, &fault));
    assert_int_equal(w->identity->certificate.generation, 1);
    assert_string_equal(w->identity->certificate.name, "dc1-s02");
    assert_int_equal(w->identity->certificate.issued, later);

    /* Whoever has the old key cannot get a certificate by it any more. */
    struct identity *thief = identity_new(&w->fleet.trust, &w->identity->id);
    uint8_t next_seed[KEY_SEED_SIZE];
    *thief = *w->identity;
    memcpy(next_seed, w->identity->seed, sizeof next_seed);
    struct certificate stolen = w->identity->certificate;
    stolen.generation = 0;
    stolen.issued = FLEET_TIME;
    crypto_public_key(stolen.public_key, old_seed);
    thief->encoded_size =
        certificate_write(thief->encoded, sizeof thief->encoded, &stolen,
                          certificate_grant(identity_certificate(w->identity)), &w->fleet.enroller.crypto);
    memcpy(thief->seed, old_seed, sizeof old_seed);
    identity_rotate(thief);
    w->request_size = rotation_request(w->request, sizeof w->request, thief);
    assert_int_equal(answer_at(w, later), REFUSED_OLD_KEY);
    /* Even when the ledger was lost, as long as the fleet knows. */
    ledger_destroy(&w->desk.ledger);
    w->desk.ledger = ledger_new();
    w->is_member = true;
    w->generation = 1;
    assert_int_equal(answer_at(w, later), REFUSED_OLD_KEY);
    /* Without the old key he gets nothing at all. */
    fleet_seed(thief->seed, 500);
    thief->encoded_size = 0;
    memcpy(thief->encoded, w->identity->encoded, w->identity->encoded_size);
    thief->encoded_size = w->identity->encoded_size;
    w->request_size = rotation_request(w->request, sizeof w->request, thief);
    assert_int_equal(answer_at(w, later), REFUSED_KEY);
    identity_destroy(&thief);

    /* A second rotation; then the first request is old. */
    identity_rotate(w->identity);
    w->request_size = rotation_request(w->request, sizeof w->request, w->identity);
    assert_int_equal(answer_at(w, later + 5), ENROLMENT_GRANTED);
    assert_true(accept(w, true, &fault));
    assert_int_equal(w->identity->certificate.generation, 2);
    w->request_size = first_size;
    memcpy(w->request, first, first_size);
    assert_int_equal(answer_at(w, later + 6), REFUSED_OLD_KEY);
}

static void test_rotation_refusals(void **state)
{
    struct world *w = *state;
    join(w);
    identity_rotate(w->identity);
    /* To the key that it has. */
    struct identity *same = identity_new(&w->fleet.trust, &w->identity->id);
    *same = *w->identity;
    memcpy(same->next_seed, same->seed, KEY_SEED_SIZE);
    w->request_size = rotation_request(w->request, sizeof w->request, same);
    assert_int_equal(answer(w), REFUSED_KEY);
    /* With a certificate that is none. */
    *same = *w->identity;
    same->encoded[same->encoded_size - 1] ^= 1;
    w->request_size = rotation_request(w->request, sizeof w->request, same);
    assert_int_equal(answer(w), REFUSED_NOT_OURS);
    identity_destroy(&same);
    /* Revoked. */
    struct policy policy = w->fleet.policy;
    policy.version++;
    policy.revoked = w->identity->id.bytes;
    policy.revoked_count = 1;
    fleet_write_policy(&w->fleet, &policy);
    w->desk.policy = fleet_bytes(w->fleet.policy_encoded, w->fleet.policy_size);
    w->request_size = rotation_request(w->request, sizeof w->request, w->identity);
    assert_int_equal(answer(w), REFUSED_REVOKED);
    assert_int_equal(rotation_request(w->request, 100, w->identity), 0);
}

/* -- the node's side with its disk ----------------------------------------------------------------- */

static void count_record(void *context, struct bytes record)
{
    (void)record;
    ++*(unsigned *)context;
}

static enum joining_result send(struct world *w, struct joining *joining, struct fault *fault)
{
    memcpy(w->request, joining->request, joining->request_size);
    w->request_size = joining->request_size;
    answer(w);
    return joining_finish(joining, fleet_bytes(w->reply, w->reply_size), fault);
}

static void test_joining(void **state)
{
    struct world *w = *state;
    struct fault fault;
    struct joining joining;
    struct crash_disk *d = crash_disk_new(5);
    unsigned records = 0;
    assert_false(joining_begin(&joining, &d->disk, "n", w->token, NULL, &fault));
    assert_non_null(strstr(fault.text, "needs a name"));
    assert_true(joining_begin(&joining, &d->disk, "n", w->token, "dc1-s02", &fault));
    uint8_t seed[KEY_SEED_SIZE];
    memcpy(seed, joining.identity->seed, sizeof seed);
    assert_int_equal(joining_finish(&joining, fleet_bytes("x", 1), &fault), JOINING_AGAIN);
    identity_destroy(&joining.identity);
    /* Started again: the same keys. */
    assert_true(joining_begin(&joining, &d->disk, "n", w->token, "dc1-s02", &fault));
    assert_memory_equal(seed, joining.identity->seed, sizeof seed);
    assert_int_equal(send(w, &joining, &fault), JOINING_DONE);
    identity_destroy(&joining.identity);

    struct policy policy;
    struct disk_content content;
    assert_int_equal(identity_load(&joining.identity, &d->disk, "n", &fault), DISK_FOUND);
    assert_string_equal(joining.identity->certificate.name, "dc1-s02");
    assert_int_equal(policy_load(&policy, &content, &w->fleet.trust, &d->disk, "n", &fault), DISK_FOUND);
    disk_content_free(&content);
    assert_int_equal(peers_load(&d->disk, "n", count_record, &records, &fault), DISK_FOUND);
    assert_int_equal(records, 1);

    /* It has an identity now. */
    struct joining second;
    assert_false(joining_begin(&second, &d->disk, "n", w->token, "dc1-s02", &fault));
    assert_non_null(strstr(fault.text, "joins once"));
    identity_destroy(&second.identity);

    /* A new key. */
    struct identity *identity = joining.identity;
    assert_true(joining_rotate(&joining, &d->disk, "n", identity, &fault));
    assert_int_equal(send(w, &joining, &fault), JOINING_DONE);
    assert_memory_not_equal(seed, identity->seed, sizeof seed);
    assert_int_equal(identity->certificate.generation, 1);
    identity_destroy(&identity);
    crash_disk_free(d);
}

static void test_joining_that_fails(void **state)
{
    struct world *w = *state;
    struct fault fault;
    struct joining joining;
    struct crash_disk *d = crash_disk_new(6);
    /* A token that led nowhere, then another: new keys. */
    struct token *other = make_token(w, 9);
    assert_true(joining_begin(&joining, &d->disk, "n", other, "x", &fault));
    uint8_t seed[KEY_SEED_SIZE];
    memcpy(seed, joining.identity->seed, sizeof seed);
    assert_false(joining_rotate(&joining, &d->disk, "n", joining.identity, &fault));
    assert_non_null(strstr(fault.text, "not joined"));
    identity_destroy(&joining.identity);
    assert_true(joining_begin(&joining, &d->disk, "n", w->token, "dc1-s02", &fault));
    assert_memory_not_equal(seed, joining.identity->seed, sizeof seed);
    secret_free(other);

    w->taken_name = "dc1-s02";
    assert_int_equal(send(w, &joining, &fault), JOINING_REFUSED);
    assert_string_equal(fault.text, "another member has that name");
    w->taken_name = NULL;
    w->disk->fail_at = w->disk->calls + 2;
    assert_int_equal(send(w, &joining, &fault), JOINING_AGAIN);
    /* The node's own disk fails at each call in turn: it is not a member until all is there. */
    for (unsigned at = 1; at <= 21; at++) {
        d->fail_at = d->calls + at;
        enum joining_result result = send(w, &joining, &fault);
        if (result == JOINING_DONE)
            break;
        assert_int_equal(joining.identity->encoded_size, 0);
    }
    d->fail_at = 0;
    if (joining.identity->encoded_size == 0)
        assert_int_equal(send(w, &joining, &fault), JOINING_DONE);
    identity_destroy(&joining.identity);

    /* A name that is not the token's; an identity that cannot be read. */
    strcpy(w->token->name, "dc1-s02");
    assert_false(joining_begin(&joining, &d->disk, "n", w->token, "y", &fault));
    assert_non_null(strstr(fault.text, "dc1-s02"));
    assert_true(disk_replace(&d->disk, "n", IDENTITY_NAME, fleet_bytes("abc", 3), &fault));
    assert_false(joining_begin(&joining, &d->disk, "n", w->token, NULL, &fault));
    assert_null(joining.identity);
    crash_disk_free(d);
}

/* -- formats -------------------------------------------------------------------------------------- */

static void test_golden(void **state)
{
    struct world *w = *state;
    uint8_t buffer[ENROLMENT_REQUEST_MAX], secret[TOKEN_SECRET_SIZE];
    /* All that is random becomes fixed. */
    memset(secret, 0x11, sizeof secret);
    memcpy(w->token->secret, secret, sizeof secret);
    struct voucher voucher = {.id = w->token->grant.id};
    crypto_digest(voucher.digest, secret, sizeof secret);
    strcpy(voucher.name, "dc1-s02");
    w->token->voucher_size =
        voucher_write(w->token->voucher, sizeof w->token->voucher, &voucher, &w->fleet.authority);
    golden_check("voucher", fleet_bytes(w->token->voucher, w->token->voucher_size), SIGNATURE_SIZE);
    /* The token: base64url of a body and the first four bytes of its BLAKE2b-256. */
    char text[TOKEN_TEXT_MAX];
    assert_true(token_print(w->token, text));
    size_t token_size = 0;
    assert_int_equal(sodium_base642bin(buffer, sizeof buffer, text + strlen(TOKEN_PREFIX),
                                       strlen(text) - strlen(TOKEN_PREFIX), NULL, &token_size, NULL,
                                       sodium_base64_VARIANT_URLSAFE_NO_PADDING),
                     0);
    golden_check("token", fleet_bytes(buffer, token_size - 4), 0);
    struct crypto_sodium *keys = fleet_keys(2);
    struct cluster_crypto crypto = crypto_sodium_table(keys);
    size_t size = enrolment_request(buffer, sizeof buffer, w->token, "dc1-s02",
                                    crypto_sodium_public_key(keys), &crypto);
    golden_check("enrolment_request", fleet_bytes(buffer, size), SIGNATURE_SIZE);
    memcpy(w->request, buffer, size);
    w->request_size = size;
    assert_int_equal(answer(w), ENROLMENT_GRANTED);
    golden_check("enrolment_reply", fleet_bytes(w->reply, w->reply_size), 0);
    struct fault fault;
    fleet_seed(w->identity->seed, 2);
    assert_true(accept(w, false, &fault));
    fleet_seed(w->identity->next_seed, 202);
    w->identity->rotating = true;
    size = rotation_request(buffer, sizeof buffer, w->identity);
    golden_check("rotation_request", fleet_bytes(buffer, size), SIGNATURE_SIZE);
    w->request_size = 3;
    assert_int_equal(answer(w), REFUSED_MALFORMED);
    golden_check("enrolment_refusal", fleet_bytes(w->reply, w->reply_size), 0);
    crypto_sodium_destroy(&keys);
}

static void test_ledger(void **state)
{
    struct world *w = *state;
    struct fault fault;
    struct ledger_entry copy;
    struct ledger *ledger = w->desk.ledger;
    struct node_id unknown = {{0x99}};
    for (unsigned number = 2; number < 40; number++) {
        struct fleet_node node;
        fleet_node_open(&w->fleet, &node, number, true);
        assert_true(ledger_note(ledger, fleet_bytes(node.encoded, node.encoded_size), NOW + number));
        assert_true(ledger_note(ledger, fleet_bytes(node.encoded, node.encoded_size), NOW + number));
        fleet_node_close(&node);
    }
    assert_int_equal(ledger_count(ledger), 38);
    assert_false(ledger_note(ledger, fleet_bytes("x", 1), 1));
    assert_null(ledger_at(ledger, 38));
    assert_null(ledger_find(ledger, &unknown));
    assert_true(ledger_copy(&copy, NULL));
    ledger_restore(ledger, &unknown, &copy);
    assert_true(ledger_save(ledger, &w->disk->disk, "d", &fault));
    ledger_expire(ledger, NOW + 20);
    assert_int_equal(ledger_count(ledger), 20);
    struct ledger *loaded = ledger_load(&w->disk->disk, "d", &fault);
    assert_int_equal(ledger_count(loaded), 38);
    ledger_destroy(&loaded);
    assert_true(disk_replace_checked(&w->disk->disk, "d", "ledger", "picketL1",
                                     fleet_bytes("\x01\xc4\x01x", 4), &fault));
    assert_null(ledger_load(&w->disk->disk, "d", &fault));
    assert_non_null(strstr(fault.text, "understands"));
    assert_true(disk_replace(&w->disk->disk, "d", "ledger", fleet_bytes("abc", 3), &fault));
    assert_null(ledger_load(&w->disk->disk, "d", &fault));
    char deep[PATH_SIZE + 10];
    memset(deep, 'x', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_null(ledger_load(&w->disk->disk, deep, &fault));
    ledger_destroy(&loaded);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(test_token_round_trip),
        TEST(test_token_of_another_authority),
        TEST(test_join),
        TEST(test_refusals),
        TEST(test_requests_that_are_none),
        TEST(test_replies_that_are_none),
        TEST(test_many_records),
        TEST(test_ledger_cannot_be_saved),
        TEST(test_enroller_crashes),
        TEST(test_newcomers_at_once),
        TEST(test_rotation),
        TEST(test_rotation_refusals),
        TEST(test_joining),
        TEST(test_joining_that_fails),
        TEST(test_golden),
        TEST(test_ledger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
