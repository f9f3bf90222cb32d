/* SPDX-License-Identifier: Apache-2.0
 *
 * picket fleet with a host whose node knows members. The rest: tests/integration/fleet_command.py.
 */
#include "cluster/enrolment.h"
#include "cluster/state_file.h"
#include "node/command.h"
#include "node/fleet.h"

#include "tests/unit/fleet.h"
#include "tests/unit/place.h"
#include "tests/unit/unit.h"

struct world {
    struct fleet other; /* makes records; whose fleet they are of is not asked where only names are wanted */
    struct fleet_node members[3];
    struct place place;
    char passphrase[400];
};

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    place_open(&w->place);
    fleet_open(&w->other);
    for (unsigned i = 0; i < 3; i++)
        fleet_node_open(&w->other, &w->members[i], i + 2, false);
    place_put(&w->place, "passphrase", "correct horse battery", 21);
    snprintf(w->passphrase, sizeof w->passphrase, "%s", place_file(&w->place, "passphrase"));
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    for (unsigned i = 0; i < 3; i++)
        fleet_node_close(&w->members[i]);
    fleet_close(&w->other);
    place_close(&w->place);
    free(w);
    return 0;
}

/* Writes the file of known peers: members with one endpoint, two of them of the same name. */
static void know_members(struct world *w, uint16_t enrolment_port)
{
    struct fault fault;
    struct peers_writer *writer = peers_writer_new();
    uint8_t encoded[RECORD_MAX_SIZE];
    for (unsigned i = 0; i < 3; i++) {
        struct record record = fleet_record(&w->members[i]);
        record.enrolment_port = enrolment_port;
        strcpy(record.endpoints[record.endpoint_count++], "[2001:db8::1]:49200");
        size_t size = record_write(encoded, sizeof encoded, &record,
                                   fleet_bytes(w->members[i].encoded, w->members[i].encoded_size),
                                   &w->members[i].crypto);
        assert_true(size > 0);
        peers_writer_add(writer, fleet_bytes(encoded, size));
    }
    assert_true(peers_writer_save(&writer, disk_system(), w->place.path, &fault));
}

/* Runs a verb; what it printed to standard output is in `out`. */
static int run(struct world *w, char *out, size_t capacity, const char *const *words)
{
    char *argv[32] = {(char *)"fleet"};
    int argc = 1;
    for (; *words; words++)
        argv[argc++] = (char *)*words;
    const char *const common[] = {"--directory", w->place.path, "--passphrase-file",
                                  w->passphrase, "--socket",    "/nonexistent/control"};
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        argv[argc++] = (char *)common[i];
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    FILE *file = fopen(place_file(&w->place, "out"), "w");
    assert_true(before >= 0 && file);
    assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
    int status = command_fleet(argc, argv);
    fflush(stdout);
    assert_true(dup2(before, STDOUT_FILENO) >= 0);
    close(before);
    fclose(file);
    out[place_get(&w->place, "out", out, capacity - 1)] = '\0';
    return status;
}
#define RUN(...) run(w, out, sizeof out, (const char *const[]){__VA_ARGS__, NULL})

static struct token *token_of(const char *text)
{
    struct fault fault;
    struct token *token = secret_alloc(sizeof *token);
    assert_true(token_parse(token, text, &fault));
    return token;
}

static void create(struct world *w)
{
    char out[TOKEN_TEXT_MAX];
    assert_int_equal(
        RUN("create", "--name", "first", "--site", "hq", "--enrol-at", "h:1", "--cost", "interactive"),
        EXIT_FINE);
}

static void test_another_enroller(void **state)
{
    struct world *w = *state;
    char out[TOKEN_TEXT_MAX];
    uint8_t curve[CURVE_KEY_SIZE];
    create(w);
    know_members(w, 49201);
    assert_int_equal(RUN("enroller", "add", "dc1-s03"), EXIT_FINE);
    assert_int_equal(RUN("invite", "--site", "s"), EXIT_FAILED); /* which of the two? */
    assert_int_equal(RUN("invite", "--site", "s", "--enroller", "dc1-s03"), EXIT_FINE);
    struct token *token = token_of(out);
    assert_true(node_id_equal(&token->grant.enroller, &w->members[1].certificate.grant.id));
    assert_true(crypto_curve_public(curve, w->members[1].certificate.public_key));
    assert_memory_equal(token->enroller_key, curve, CURVE_KEY_SIZE);
    assert_int_equal(token->endpoint_count, 2);
    assert_string_equal(token->endpoints[0], "10.20.30.40:49201");
    assert_string_equal(token->endpoints[1], "[2001:db8::1]:49201");
    secret_free(token);
    /* The first node is not in the file: its endpoints are those of the authority's file. */
    assert_int_equal(RUN("invite", "--site", "s", "--enroller", "first"), EXIT_FINE);
    token = token_of(out);
    assert_string_equal(token->endpoints[0], "h:1");
    secret_free(token);
    /* Where the other one listens is unknown. */
    know_members(w, 0);
    assert_int_equal(RUN("invite", "--site", "s", "--enroller", "dc1-s03"), EXIT_FAILED);
    assert_int_equal(RUN("enroller", "remove", "dc1-s03"), EXIT_FINE);
    assert_int_equal(RUN("enroller", "remove", "dc1-s03"), EXIT_FAILED);
    assert_int_equal(RUN("enroller", "add", "dc1-s03"), EXIT_FINE); /* again, with the same key */
    assert_int_equal(RUN("revoke", "dc1-s03", "dc1-s02"), EXIT_FINE);
    assert_int_equal(RUN("enroller", "add", "dc1-s03"), EXIT_FAILED);
}

static void test_full_policy(void **state)
{
    struct world *w = *state;
    char out[TOKEN_TEXT_MAX], authority[400];
    create(w);
    snprintf(authority, sizeof authority, "%s", place_file(&w->place, "authority"));
    /* Each rotation of an enroller leaves its old key in the policy. */
    for (unsigned i = 1; i < POLICY_ENROLLERS; i++)
        assert_int_equal(RUN("rotate", "--authority", authority), EXIT_FINE);
    assert_int_equal(RUN("rotate", "--authority", authority), EXIT_FAILED);
    know_members(w, 1);
    assert_int_equal(RUN("enroller", "add", "dc1-s02"), EXIT_FAILED);
}

static void test_names(void **state)
{
    struct world *w = *state;
    char out[TOKEN_TEXT_MAX];
    create(w);
    strcpy(w->members[2].certificate.name, "dc1-s03"); /* a twin, by a certificate of its own */
    struct bytes grant = certificate_grant(fleet_bytes(w->members[2].encoded, w->members[2].encoded_size));
    uint8_t copy[CERTIFICATE_MAX_SIZE];
    memcpy(copy, grant.data, grant.size);
    w->members[2].encoded_size =
        certificate_write(w->members[2].encoded, sizeof w->members[2].encoded, &w->members[2].certificate,
                          fleet_bytes(copy, grant.size), &w->other.enroller.crypto);
    know_members(w, 1);
    assert_int_equal(RUN("revoke", "dc1-s03"), EXIT_FAILED);
    assert_int_equal(RUN("revoke", "dc1-s02"), EXIT_FINE);
    char id[NODE_ID_TEXT_SIZE];
    /* One of the twins is revoked by its id: then the name means the other one. */
    assert_int_equal(RUN("revoke", node_id_text(&w->members[2].certificate.grant.id, id)), EXIT_FINE);
    assert_int_equal(RUN("show", "--json"), EXIT_FINE);
    assert_non_null(strstr(out, id));
    char other[NODE_ID_TEXT_SIZE];
    node_id_text(&w->members[1].certificate.grant.id, other);
    assert_null(strstr(out, other));
    assert_int_equal(RUN("revoke", "dc1-s03"), EXIT_FINE);
    assert_int_equal(RUN("show", "--json"), EXIT_FINE);
    assert_non_null(strstr(out, other));
}

/* A node that has not joined, and one of another fleet. */
static void test_foreign_identities(void **state)
{
    struct world *w = *state;
    char out[TOKEN_TEXT_MAX], authority[400];
    struct fault fault;
    struct node_id id = {{7}};
    create(w);
    snprintf(authority, sizeof authority, "%s", place_file(&w->place, "authority"));
    struct identity *identity = identity_new(&w->other.trust, &id);
    assert_true(identity_save(identity, disk_system(), w->place.path, &fault));
    assert_int_equal(RUN("rotate", "--authority", authority), EXIT_FAILED);
    assert_int_equal(RUN("publish"), EXIT_FAILED);
    assert_int_equal(RUN("show"), EXIT_FINE);
    assert_non_null(strstr(out, "has not joined"));
    assert_null(strstr(out, "authority\n"));
    struct authority *file = calloc(1, sizeof *file);
    assert_int_equal(authority_load(file, disk_system(), authority, &fault), DISK_FOUND);
    identity->trust = file->trust;
    assert_true(identity_save(identity, disk_system(), w->place.path, &fault));
    assert_int_equal(RUN("rotate", "--authority", authority), EXIT_FAILED);
    identity_rotate(identity);
    assert_true(identity_save(identity, disk_system(), w->place.path, &fault));
    assert_int_equal(RUN("show"), EXIT_FINE);
    free(file);
    identity_destroy(&identity);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(test_another_enroller),
        TEST(test_full_policy),
        TEST(test_names),
        TEST(test_foreign_identities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
