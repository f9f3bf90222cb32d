/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/authority.h"

#include "tests/unit/crash_disk.h"
#include "tests/unit/fleet.h"
#include "tests/unit/place.h"
#include "tests/unit/unit.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* A build that searches for leaks must let itself be looked at. */
#ifdef PICKET_LEAK_SEARCH
#define DUMPABLE 1
#else
#define DUMPABLE 0
#endif

/* The least that Argon2id takes: the tests are about the file, not about the price. */
static const struct authority_cost cheap = {.operations = 1, .memory = 8192};

struct world {
    struct fleet fleet;
    struct place place;
    const struct disk *disk;
    struct identity *identity; /* of node 2, not enrolled */
};

static int open_world(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct node_id id;
    fleet_open(&w->fleet);
    place_open(&w->place);
    w->disk = disk_system();
    memset(&id, 2, sizeof id);
    w->identity = identity_new(&w->fleet.trust, &id);
    assert_non_null(w->identity);
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    identity_destroy(&w->identity);
    place_close(&w->place);
    fleet_close(&w->fleet);
    free(w);
    return 0;
}

/* A certificate of the fleet for a seed. */
static size_t certify(struct world *w, uint8_t *buffer, const uint8_t *seed, unsigned number,
                      uint32_t generation)
{
    uint8_t grant[1024];
    struct certificate wish = {
        .grant = fleet_grant(&w->fleet, number, true), .generation = generation, .issued = FLEET_TIME};
    strcpy(wish.name, "dc1-s02");
    crypto_public_key(wish.public_key, seed);
    size_t grant_size = grant_write(grant, sizeof grant, &wish.grant, &w->fleet.authority);
    size_t size = certificate_write(buffer, CERTIFICATE_MAX_SIZE, &wish, fleet_bytes(grant, grant_size),
                                    &w->fleet.enroller.crypto);
    assert_true(size > 0);
    return size;
}

static struct identity *reload(struct world *w)
{
    struct identity *identity;
    struct fault fault;
    assert_true(identity_save(w->identity, w->disk, w->place.path, &fault));
    assert_int_equal(identity_load(&identity, w->disk, w->place.path, &fault), DISK_FOUND);
    return identity;
}

static bool enrol(struct world *w, const uint8_t *seed, unsigned number, struct fault *fault)
{
    uint8_t certificate[CERTIFICATE_MAX_SIZE], salt[SALT_SIZE];
    memset(salt, 0x77, sizeof salt);
    size_t size = certify(w, certificate, seed, number, 0);
    return identity_enrol(w->identity, fleet_bytes(certificate, size), salt, &w->fleet.policy, fault);
}

static void test_life_of_an_identity(void **state)
{
    struct world *w = *state;
    struct fault fault;
    struct identity *loaded;
    assert_int_equal(identity_load(&loaded, w->disk, w->place.path, &fault), DISK_ABSENT);
    /* Not enrolled: the key stays the same over a restart. */
    loaded = reload(w);
    assert_memory_equal(loaded, w->identity, sizeof *loaded);
    assert_int_equal(identity_certificate(loaded).size, 0);
    identity_destroy(&loaded);
    assert_null(loaded);

    assert_true(enrol(w, w->identity->seed, 2, &fault));
    loaded = reload(w);
    assert_memory_equal(loaded, w->identity, sizeof *loaded);
    assert_string_equal(loaded->certificate.name, "dc1-s02");
    assert_int_equal(loaded->salt[0], 0x77);
    identity_destroy(&loaded);

    /* Rotation: the next key stays the same over a restart, both are there until the certificate is. */
    uint8_t old[KEY_SEED_SIZE], next[KEY_SEED_SIZE], certificate[CERTIFICATE_MAX_SIZE];
    memcpy(old, w->identity->seed, sizeof old);
    identity_rotate(w->identity);
    memcpy(next, w->identity->next_seed, sizeof next);
    identity_rotate(w->identity);
    assert_memory_equal(next, w->identity->next_seed, sizeof next);
    assert_memory_not_equal(old, next, sizeof next);
    loaded = reload(w);
    assert_memory_equal(loaded, w->identity, sizeof *loaded);
    struct crypto_sodium *keys = identity_next_keys(loaded);
    uint8_t public_key[PUBLIC_KEY_SIZE];
    crypto_public_key(public_key, next);
    assert_memory_equal(crypto_sodium_public_key(keys), public_key, PUBLIC_KEY_SIZE);
    crypto_sodium_destroy(&keys);
    identity_destroy(&loaded);

    size_t size = certify(w, certificate, next, 2, 1);
    assert_true(identity_rotated(w->identity, fleet_bytes(certificate, size), &w->fleet.policy, &fault));
    loaded = reload(w);
    assert_memory_equal(loaded, w->identity, sizeof *loaded);
    assert_false(loaded->rotating);
    assert_memory_equal(loaded->seed, next, sizeof next);
    assert_int_equal(loaded->certificate.generation, 1);
    keys = identity_keys(loaded);
    assert_memory_equal(crypto_sodium_public_key(keys), public_key, PUBLIC_KEY_SIZE);
    crypto_sodium_destroy(&keys);
    identity_destroy(&loaded);
    assert_false(identity_rotated(w->identity, fleet_bytes(certificate, size), &w->fleet.policy, &fault));
}

static void test_certificates_that_are_not_taken(void **state)
{
    struct world *w = *state;
    struct fault fault;
    uint8_t certificate[CERTIFICATE_MAX_SIZE], seed[KEY_SEED_SIZE], salt[SALT_SIZE] = {1};
    fleet_seed(seed, 55);
    assert_false(enrol(w, seed, 2, &fault));
    assert_non_null(strstr(fault.text, "another key"));
    assert_false(enrol(w, w->identity->seed, 3, &fault));
    assert_non_null(strstr(fault.text, "another node"));
    size_t size = certify(w, certificate, w->identity->seed, 2, 0);
    certificate[size - 1] ^= 1;
    assert_false(identity_enrol(w->identity, fleet_bytes(certificate, size), salt, &w->fleet.policy, &fault));
    assert_non_null(strstr(fault.text, "not signed"));
    assert_int_equal(w->identity->encoded_size, 0);
    assert_true(enrol(w, w->identity->seed, 2, &fault));

    identity_rotate(w->identity);
    size = certify(w, certificate, w->identity->next_seed, 2, 0);
    assert_false(identity_rotated(w->identity, fleet_bytes(certificate, size), &w->fleet.policy, &fault));
    assert_non_null(strstr(fault.text, "not newer"));
    size = certify(w, certificate, seed, 2, 1);
    assert_false(identity_rotated(w->identity, fleet_bytes(certificate, size), &w->fleet.policy, &fault));
    assert_true(w->identity->rotating);
}

static void test_damaged_identity(void **state)
{
    struct world *w = *state;
    struct fault fault;
    struct identity *loaded;
    uint8_t file[4096];
    assert_true(identity_save(w->identity, w->disk, w->place.path, &fault));
    size_t size = place_get(&w->place, IDENTITY_NAME, file, sizeof file);
    for (size_t cut = 0; cut < size; cut++) {
        place_put(&w->place, IDENTITY_NAME, file, cut);
        assert_int_equal(identity_load(&loaded, w->disk, w->place.path, &fault), DISK_FAILED);
    }
    place_put(&w->place, IDENTITY_NAME, file, size);
    assert_int_equal(identity_load(&loaded, w->disk, w->place.path, &fault), DISK_FOUND);
    identity_destroy(&loaded);
    assert_int_equal(chmod(place_file(&w->place, IDENTITY_NAME), 0644), 0);
    assert_int_equal(identity_load(&loaded, w->disk, w->place.path, &fault), DISK_FAILED);
    assert_non_null(strstr(fault.text, "chmod 600"));
    assert_null(loaded);
    /* Whole, and of another kind. */
    assert_true(disk_replace_checked(w->disk, w->place.path, IDENTITY_NAME, "picketI1",
                                     fleet_bytes("\x80", 1), &fault));
    assert_int_equal(identity_load(&loaded, w->disk, w->place.path, &fault), DISK_FAILED);
    assert_non_null(strstr(fault.text, "understands"));
}

/* At any crash the identity is the old or the new one, and nothing of either is lost. */
/* Whoever has the salt has the key, nobody else; each purpose has one of its own. */
static void test_fleet_key(void **state)
{
    (void)state;
    static const uint8_t salt[SALT_SIZE] = {1}, other[SALT_SIZE] = {2};
    uint8_t a[16], b[16], c[16], d[16];
    crypto_fleet_key(salt, "one", a, sizeof a);
    crypto_fleet_key(salt, "one", b, sizeof b);
    crypto_fleet_key(salt, "two", c, sizeof c);
    crypto_fleet_key(other, "one", d, sizeof d);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
    assert_memory_not_equal(a, d, sizeof a);
}

static void test_identity_survives_crashes(void **state)
{
    struct world *w = *state;
    for (unsigned at = 1; at < 20; at++) {
        struct crash_disk *d = crash_disk_new(at);
        struct fault fault;
        struct identity *loaded;
        assert_true(identity_save(w->identity, &d->disk, "d", &fault));
        identity_rotate(w->identity);
        d->crash_at = d->calls + at;
        bool saved = identity_save(w->identity, &d->disk, "d", &fault);
        crash_disk_reboot(d);
        assert_int_equal(identity_load(&loaded, &d->disk, "d", &fault), DISK_FOUND);
        assert_true(loaded->rotating || !saved);
        assert_memory_equal(loaded->seed, w->identity->seed, KEY_SEED_SIZE);
        identity_destroy(&loaded);
        w->identity->rotating = false;
        crash_disk_free(d);
    }
}

static void test_policy_on_disk(void **state)
{
    struct world *w = *state;
    struct fault fault;
    struct policy policy;
    struct disk_content content;
    const struct trust *trust = &w->fleet.trust;
    const char *place = w->place.path;
    assert_int_equal(policy_load(&policy, &content, trust, w->disk, place, &fault), DISK_ABSENT);
    struct bytes encoded = fleet_bytes(w->fleet.policy_encoded, w->fleet.policy_size);
    assert_true(policy_save(encoded, w->disk, place, &fault));
    assert_int_equal(policy_load(&policy, &content, trust, w->disk, place, &fault), DISK_FOUND);
    assert_int_equal(policy.version, 1);
    disk_content_free(&content);
    struct trust other = *trust;
    memcpy(other.authority, w->fleet.enroller.certificate.public_key, PUBLIC_KEY_SIZE);
    assert_int_equal(policy_load(&policy, &content, &other, w->disk, place, &fault), DISK_FAILED);
    assert_non_null(strstr(fault.text, "not signed"));
}

/* -- authority ------------------------------------------------------------------------------------ */

static const struct bytes passphrase = {(const uint8_t *)"correct horse battery", 21};
static const struct bytes wrong = {(const uint8_t *)"correct horse batterx", 21};

static void test_authority(void **state)
{
    struct world *w = *state;
    struct fault fault;
    struct authority *authority = calloc(1, sizeof *authority), *again = calloc(1, sizeof *again);
    struct authority_secret *secret = secret_alloc(sizeof *secret), *opened = secret_alloc(sizeof *opened);
    char path[400];
    snprintf(path, sizeof path, "%s/authority", w->place.path);
    assert_int_equal(authority_load(again, w->disk, path, &fault), DISK_ABSENT);

    assert_true(authority_create(authority, secret, passphrase, &cheap, &fault));
    strcpy(authority->endpoints[authority->endpoint_count++], "10.0.0.1:49201");
    struct policy policy = w->fleet.policy;
    policy.version = 0;
    assert_false(authority_policy(authority, &policy));
    policy = w->fleet.policy;
    policy.version = 6;
    assert_true(authority_sign_policy(authority, secret, &policy, &fault));
    assert_true(authority_save(authority, w->disk, path, &fault));
    assert_int_equal(authority_load(again, w->disk, path, &fault), DISK_FOUND);
    assert_memory_equal(again, authority, sizeof *again);
    assert_true(authority_policy(again, &policy));
    assert_int_equal(policy.version, 7);

    assert_true(authority_open(again, passphrase, opened, &fault));
    assert_memory_equal(opened, secret, sizeof *secret);
    assert_false(authority_open(again, wrong, opened, &fault));
    assert_string_equal(fault.text, "wrong passphrase");
    /* Nothing of the secret, nor of the passphrase, is in the file. */
    static uint8_t file[POLICY_MAX_SIZE];
    size_t size = place_get(&w->place, "authority", file, sizeof file);
    for (size_t i = 0; i + KEY_SEED_SIZE <= size; i++) {
        assert_memory_not_equal(file + i, secret->seed, 8);
        assert_memory_not_equal(file + i, secret->salt, 8);
        assert_memory_not_equal(file + i, passphrase.data, 8);
    }
    /* A box altered, a public key altered. */
    again->box[50] ^= 1;
    assert_false(authority_open(again, passphrase, opened, &fault));
    again->box[50] ^= 1;
    again->trust.authority[3] ^= 1;
    assert_false(authority_open(again, passphrase, opened, &fault));
    assert_non_null(strstr(fault.text, "altered"));
    again->trust.authority[3] ^= 1;
    /* Another passphrase. */
    assert_true(authority_seal(again, secret, wrong, &cheap, &fault));
    assert_true(authority_open(again, wrong, opened, &fault));
    assert_false(authority_open(again, passphrase, opened, &fault));
    again->cost.memory = 1; /* below what Argon2id takes */
    assert_false(authority_open(again, passphrase, opened, &fault));

    secret_free(secret);
    secret_free(opened);
    free(authority);
    free(again);
}

static void test_authority_files_that_are_none(void **state)
{
    struct world *w = *state;
    struct fault fault;
    struct authority *authority = calloc(1, sizeof *authority);
    struct authority_secret *secret = secret_alloc(sizeof *secret);
    char path[400];
    snprintf(path, sizeof path, "%s/authority", w->place.path);
    assert_true(authority_create(authority, secret, passphrase, &cheap, &fault));
    authority->cost.memory = UINT64_C(64) << 30; /* a file may not make its reader spend that */
    assert_true(authority_save(authority, w->disk, path, &fault));
    assert_int_equal(authority_load(authority, w->disk, path, &fault), DISK_FAILED);
    assert_non_null(strstr(fault.text, "understands"));
    place_put(&w->place, "authority", "x", 1);
    assert_int_equal(authority_load(authority, w->disk, path, &fault), DISK_FAILED);
    assert_non_null(strstr(fault.text, "damaged"));
    assert_false(authority_save(authority, w->disk, "/tmp/", &fault));
    assert_false(authority_save(authority, w->disk, "/nonexistent/place/authority", &fault));
    static uint8_t many[3900 * NODE_ID_SIZE];
    for (unsigned i = 0; i < 3900; i++) {
        many[i * NODE_ID_SIZE] = (uint8_t)(i >> 8);
        many[i * NODE_ID_SIZE + 1] = (uint8_t)i;
    }
    struct policy policy = {.version = 1, .revoked = many, .revoked_count = 3900};
    assert_false(authority_sign_policy(authority, secret, &policy, &fault));
    assert_non_null(strstr(fault.text, "too many"));
    secret_free(secret);
    free(authority);
}

/* In the current directory. */
static void test_authority_bare_name(void **state)
{
    struct world *w = *state;
    struct fault fault;
    struct authority *authority = calloc(1, sizeof *authority);
    struct authority_secret *secret = secret_alloc(sizeof *secret);
    char before[400];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(w->place.path), 0);
    assert_true(authority_create(authority, secret, passphrase, &cheap, &fault));
    assert_true(authority_save(authority, w->disk, "bare", &fault));
    assert_int_equal(authority_load(authority, w->disk, "bare", &fault), DISK_FOUND);
    assert_int_equal(chdir(before), 0);
    secret_free(secret);
    free(authority);
}

/* In a process of its own: neither is undone. */
static void test_dumps_are_forbidden(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit;
        bool right = secret_forbid_dumps() && prctl(PR_GET_DUMPABLE) == DUMPABLE &&
                     getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == 0 && limit.rlim_max == 0;
        _exit(right ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(test_life_of_an_identity),
        TEST(test_certificates_that_are_not_taken),
        TEST(test_damaged_identity),
        TEST(test_identity_survives_crashes),
        cmocka_unit_test(test_fleet_key),
        TEST(test_policy_on_disk),
        TEST(test_authority),
        TEST(test_authority_files_that_are_none),
        TEST(test_authority_bare_name),
        TEST(test_dumps_are_forbidden),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
