/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <sodium.h>

#include "keys/holder.h"
#include "keys/keyring.h"
#include "tests/unit/keytab_bytes.h"

static struct keyring *ring;
static struct keytab_bytes file;

static int set_up(void **state)
{
    (void)state;
    assert_true(sodium_init() >= 0);
    ring = keyring_new(4);
    assert_non_null(ring);
    keytab_begin(&file);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    keyring_destroy(&ring);
    assert_null(ring);
    return 0;
}

/* A key that is known by its first byte. */
static void add(const char *name, const char *realm, uint32_t kvno, int etype, uint8_t mark)
{
    uint8_t key[32] = {mark, (uint8_t)etype};
    keytab_add(&file, name, realm, kvno, etype, key, etype == 18 || etype == 20 ? 32 : 16);
}

static void load(const char *name)
{
    struct fault fault;
    if (!keyring_load(ring, name, keytab_view(&file), &fault))
        fail_msg("%s", fault.text);
    keytab_begin(&file);
}

/* A principal as DER, components parted by slashes. */
struct name {
    uint8_t der[1024];
    struct krb_principal principal;
};

static const struct krb_principal *principal_of(struct name *n, const char *text)
{
    size_t size = 0;
    for (const char *part = text;; part++) {
        size_t length = strcspn(part, "/");
        n->der[size++] = BER_GENERAL_STRING;
        n->der[size++] = 0x82;
        n->der[size++] = (uint8_t)(length >> 8);
        n->der[size++] = (uint8_t)length;
        memcpy(n->der + size, part, length);
        size += length;
        part += length;
        if (!*part)
            break;
    }
    n->principal = (struct krb_principal){.present = true, .names = cursor_of(n->der, size)};
    return &n->principal;
}

static struct name wanted;

static struct keyring_search search_for(const char *name, const char *realm, int etype, uint32_t kvno,
                                        bool service)
{
    return (struct keyring_search){.realm = {(const uint8_t *)realm, strlen(realm)},
                                   .principal = principal_of(&wanted, name),
                                   .etype = etype,
                                   .kvno = kvno,
                                   .service = service};
}

/* The marks of the candidates, in their order, as text of digits. */
static const char *order(struct keyring_search search)
{
    static char text[256];
    size_t size = 0;
    struct long_term_key *key;
    while ((key = keyring_next(ring, &search)) != NULL && size < sizeof text - 1)
        text[size++] = (char)('0' + key->material.bytes[0]);
    text[size] = '\0';
    return text;
}

static void test_order(void **state)
{
    (void)state;
    add("host/dc1.corp.example", "CORP.EXAMPLE", 2, 18, 1);
    add("DC1$", "CORP.EXAMPLE", 2, 18, 2);
    add("DC1$", "CORP.EXAMPLE", 1, 18, 3);
    add("DC1$", "CORP.EXAMPLE", 2, 23, 4);
    add("svc", "CORP.EXAMPLE", 2, 18, 5);
    add("svc", "OTHER.EXAMPLE", 2, 18, 6);
    load("one");
    /* That very name; its account; other versions; equal types of the realm. */
    const char *marks = order(search_for("host/DC1.corp.example", "corp.example", 18, 2, true));
    assert_memory_equal(marks, "123", 3);
    assert_int_equal(strlen(marks), 6);
    assert_non_null(strchr(marks, '5'));
    assert_null(strchr(marks, '6'));
}

static void test_names(void **state)
{
    (void)state;
    add("alice", "CORP.EXAMPLE", 1, 18, 1);
    add("alice", "CORP.EXAMPLE", 3, 18, 3);
    add("alice", "CORP.EXAMPLE", 2, 18, 2);
    add("alice", "CORP.EXAMPLE", 2, 17, 7);
    add("krbtgt", "CORP.EXAMPLE", 1, 18, 4);
    add("krbtgt_777", "CORP.EXAMPLE", 1, 18, 5);
    add("DC1$", "CORP.EXAMPLE", 9, 18, 6);
    add("j\xc3\xbcrgen", "CORP.EXAMPLE", 1, 18, 8);
    load("one");
    assert_string_equal(order(search_for("Alice", "Corp.Example", 18, 0, false)), "321");
    assert_string_equal(order(search_for("alice", "CORP.EXAMPLE", 18, 2, false)), "231");
    assert_string_equal(order(search_for("alice@corp.example", "CORP.EXAMPLE", 18, 0, false)), "321");
    assert_string_equal(order(search_for("alice", "CORP.EXAMPLE", 17, 0, false)), "7");
    assert_string_equal(order(search_for("J\xc3\x9cRGEN", "CORP.EXAMPLE", 18, 0, false)), "8");
    assert_string_equal(order(search_for("alice", "CORP.EXAMPLE", 20, 0, false)), "");
    assert_string_equal(order(search_for("bob", "CORP.EXAMPLE", 18, 0, false)), "");
    assert_string_equal(order(search_for("alice", "ELSEWHERE", 18, 0, false)), "");
    assert_int_equal(order(search_for("krbtgt/CORP.EXAMPLE", "CORP.EXAMPLE", 18, 1, true))[0], '4');
    assert_int_equal(order(search_for("krbtgt/CORP.EXAMPLE", "CORP.EXAMPLE", 18, 777u << 16 | 1, true))[0],
                     '5');
    assert_string_equal(order(search_for("cifs/dc1.corp.example/corp.example", "CORP.EXAMPLE", 18, 9, true)),
                        "66");
    assert_string_equal(order(search_for("cifs/dc1:445", "CORP.EXAMPLE", 18, 9, true)), "66");
    assert_string_equal(order(search_for("cifs/dc1", "NOWHERE", 18, 9, true)), "");
}

static void test_why(void **state)
{
    (void)state;
    add("alice", "R", 4, 18, 1);
    add("alice", "R", 5, 18, 2);
    load("one");
    uint32_t held;
    struct keyring_search s = search_for("alice", "R", 18, 7, false);
    while (keyring_next(ring, &s))
        ;
    assert_int_equal(keyring_why(ring, &s, &held), UNSEAL_OTHER_KVNO);
    assert_int_equal(held, 5);
    s = search_for("alice", "R", 18, 4, false);
    while (keyring_next(ring, &s))
        ;
    assert_int_equal(keyring_why(ring, &s, &held), UNSEAL_WRONG_KEY);
    s = search_for("alice", "R", 17, 4, false);
    while (keyring_next(ring, &s))
        ;
    assert_int_equal(keyring_why(ring, &s, &held), UNSEAL_NO_KEY);
    assert_int_equal(held, 0);
    s = search_for("nobody", "R", 18, 4, true);
    while (keyring_next(ring, &s))
        ;
    assert_int_equal(keyring_why(ring, &s, &held), UNSEAL_NO_KEY);
}

static size_t tries(struct keyring_search *s)
{
    size_t count = 0;
    while (keyring_next(ring, s))
        count++;
    return count;
}

static struct keyring_search sql(void)
{
    return search_for("MSSQLSvc/db.corp.example:1433", "R", 18, 2, true);
}

static struct long_term_key *key_marked(uint8_t mark)
{
    struct keyring_search s = sql();
    struct long_term_key *key;
    while ((key = keyring_next(ring, &s)) != NULL)
        if (key->material.bytes[0] == mark)
            return key;
    return NULL;
}

static void test_learn(void **state)
{
    (void)state;
    for (uint8_t i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "user%u", i);
        add(name, "R", 2, 18, i);
    }
    load("one");
    struct keyring_search s = sql();
    assert_int_equal(tries(&s), 100);
    s = sql();
    struct long_term_key *key;
    while ((key = keyring_next(ring, &s)) != NULL && key->material.bytes[0] != 77)
        ;
    assert_non_null(key);
    keyring_learn(ring, &s, key);
    s = sql();
    assert_ptr_equal(keyring_next(ring, &s), key);
    keyring_learn(ring, &s, key);
    /* Junk in its name: once all are tried, then not the next time; and what was learnt stays. */
    assert_int_equal(tries(&s), 100);
    keyring_learn(ring, &s, NULL);
    s = sql();
    assert_int_equal(tries(&s), 1);
    keyring_learn(ring, &s, NULL);
    s = sql();
    assert_ptr_equal(keyring_next(ring, &s), key);
    assert_int_equal(tries(&s), 100);
    keyring_learn(ring, &s, NULL);
    for (int i = 0; i < 3; i++) {
        s = sql();
        assert_int_equal(tries(&s), 1);
        keyring_learn(ring, &s, NULL);
    }
    s = sql();
    assert_int_equal(tries(&s), 101);
    /* A keytab that is loaded anew: nothing is taken for granted. */
    add("db$", "R", 2, 18, 101);
    load("two");
    s = sql();
    assert_int_equal(keyring_next(ring, &s)->material.bytes[0], 101);
    assert_non_null(key_marked(5));
}

/* Junk that names ever new services buys no more tries than it earns. */
static void test_credit(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 1200; i++) {
        char name[16];
        uint8_t key[32] = {(uint8_t)i, (uint8_t)(i >> 8)};
        snprintf(name, sizeof name, "user%u", i);
        if (file.size > 60000) {
            load("part");
        }
        keytab_add(&file, name, "R", 2, 18, key, 32);
    }
    load("one");
    size_t most = 0, sum = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "svc%u/host", i);
        struct keyring_search s = search_for(name, "R", 18, 2, true);
        size_t count = tries(&s);
        most = count > most ? count : most;
        sum += count;
        keyring_learn(ring, &s, NULL);
    }
    assert_int_equal(most, KEYRING_TRIES_MAX);
    assert_int_equal(sum, KEYRING_CREDIT_MAX + 999 * KEYRING_CREDIT);
}

static void test_replace(void **state)
{
    (void)state;
    struct keyring_counts counts;
    add("alice", "R", 1, 18, 1);
    add("alice", "R", 1, 3, 9); /* DES */
    load("one");
    add("alice", "R", 1, 18, 1);
    add("bob", "R", 1, 18, 2);
    load("two");
    keyring_count(ring, &counts);
    assert_int_equal(counts.keytabs, 2);
    assert_int_equal(counts.keys, 2);
    assert_int_equal(counts.refused, 1);
    add("alice", "R", 2, 18, 3);
    load("one");
    assert_string_equal(order(search_for("alice", "R", 18, 0, false)), "31");
    assert_true(keyring_load(ring, "two", (struct bytes){0}, NULL));
    assert_string_equal(order(search_for("alice", "R", 18, 0, false)), "3");
    assert_string_equal(order(search_for("bob", "R", 18, 0, false)), "");
    keyring_count(ring, &counts);
    assert_int_equal(counts.keytabs, 1);
    assert_int_equal(counts.refused, 0);
}

/* What is damaged leaves the keys as they were. */
static void test_damaged(void **state)
{
    (void)state;
    struct fault fault;
    add("alice", "R", 1, 18, 1);
    load("one");
    static const uint8_t cut[] = {5, 2, 0, 0, 0, 50, 0};
    assert_false(keyring_load(ring, "one", (struct bytes){cut, sizeof cut}, &fault));
    assert_string_equal(fault.text, "keytab one: damaged at byte 2: an entry longer than the file");
    keytab_add(&file, "bob", "R", 1, 18, "short", 5);
    assert_false(keyring_load(ring, "one", keytab_view(&file), &fault));
    assert_string_equal(fault.text, "keytab one: damaged at byte 2: a key of 5 bytes for encryption type 18");
    assert_false(keyring_load(ring, "one", (struct bytes){(const uint8_t *)"hello", 5}, &fault));
    assert_string_equal(fault.text, "keytab one: damaged at byte 0: not a keytab of version 0x501 or 0x502");
    assert_string_equal(order(search_for("alice", "R", 18, 0, false)), "1");
}

static void test_bounds(void **state)
{
    (void)state;
    struct fault fault;
    add("alice", "R", 1, 18, 1);
    for (int i = 0; i < KEY_HOLDER_KEYTABS_MAX; i++) {
        char name[8];
        snprintf(name, sizeof name, "k%d", i);
        assert_true(keyring_load(ring, name, keytab_view(&file), &fault));
    }
    assert_false(keyring_load(ring, "more", keytab_view(&file), &fault));
    assert_string_equal(fault.text, "keytab more: there are 16 already");
    assert_true(keyring_load(ring, "k3", (struct bytes){0}, &fault));
    assert_true(keyring_load(ring, "more", keytab_view(&file), &fault));

    size_t entry = file.size - 2, count = 33000;
    uint8_t *large = malloc(2 + entry * count * 2);
    assert_non_null(large);
    memcpy(large, file.data, 2);
    for (size_t i = 0; i < count * 2; i++)
        memcpy(large + 2 + i * entry, file.data + 2, entry);
    assert_false(keyring_load(ring, "k3", (struct bytes){large, 2 + entry * count * 2}, &fault));
    assert_string_equal(fault.text, "keytab k3: there are 16 already");
    assert_false(keyring_load(ring, "k4", (struct bytes){large, 2 + entry * count * 2}, &fault));
    assert_string_equal(fault.text, "keytab k4: has more than 65536 keys");
    assert_true(keyring_load(ring, "k4", (struct bytes){large, 2 + entry * count}, &fault));
    assert_false(keyring_load(ring, "k5", (struct bytes){large, 2 + entry * count}, &fault));
    assert_string_equal(fault.text, "keytab k5: with the others more than 65536 keys");
    assert_false(keyring_load(ring, "k5", (struct bytes){large, KEYTAB_BYTES_MAX + 1}, &fault));
    free(large);
}

static struct bytes text(const char *t)
{
    return (struct bytes){(const uint8_t *)t, strlen(t)};
}

static const char *hashes(const char *account, const char *domain)
{
    static char to[16];
    size_t size = 0;
    uint32_t at = 0;
    const uint8_t *hash;
    while ((hash = keyring_nt_hash(ring, text(account), text(domain), &at)) != NULL)
        to[size++] = (char)('0' + hash[0]);
    to[size] = '\0';
    return to;
}

static void test_nt_hash(void **state)
{
    (void)state;
    add("alice", "CORP.EXAMPLE", 1, 23, 1);
    add("alice", "CORP.EXAMPLE", 2, 23, 2);
    add("alice", "CORP.EXAMPLE", 2, 18, 3);
    add("alice", "OTHER.EXAMPLE", 1, 23, 4);
    add("host/alice", "CORP.EXAMPLE", 1, 23, 5);
    load("one");
    assert_string_equal(hashes("ALICE", "CORP"), "214");
    assert_string_equal(hashes("alice", "other"), "421");
    assert_string_equal(hashes("alice@other.example", ""), "421");
    assert_int_equal(strlen(hashes("alice", "")), 3);
    assert_string_equal(hashes("alice", "corp.example"), "214");
    assert_string_equal(hashes("bob", "CORP"), "");
    assert_string_equal(hashes("", "CORP"), "");
    assert_string_equal(hashes("host/alice", "CORP"), "");
}

static void test_tickets(void **state)
{
    (void)state;
    struct key_material key = {.etype = 18, .size = 32}, got;
    assert_false(keyring_get_ticket(ring, text("one"), &got));
    static const char *const names[] = {"one", "two", "three", "four"};
    for (uint8_t i = 0; i < 4; i++) {
        key.bytes[0] = i;
        keyring_put_ticket(ring, text(names[i]), &key);
    }
    /* There is room for four: the one used longest ago goes, which is no longer "one". */
    assert_true(keyring_get_ticket(ring, text("one"), &got));
    assert_int_equal(got.bytes[0], 0);
    key.bytes[0] = 9;
    keyring_put_ticket(ring, text("five"), &key);
    assert_false(keyring_get_ticket(ring, text("two"), &got));
    assert_true(keyring_get_ticket(ring, text("one"), &got));
    keyring_put_ticket(ring, text("one"), &key);
    assert_true(keyring_get_ticket(ring, text("one"), &got));
    assert_int_equal(got.bytes[0], 9);
    struct keyring_counts counts;
    keyring_count(ring, &counts);
    assert_int_equal(counts.tickets, 4);
}

static void test_empty(void **state)
{
    (void)state;
    assert_string_equal(order(search_for("alice", "R", 18, 0, true)), "");
    assert_string_equal(hashes("alice", "R"), "");
    assert_true(keyring_load(ring, "none", (struct bytes){0}, NULL));
    load("empty");
    assert_string_equal(order(search_for("alice", "R", 18, 0, true)), "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(test_order),   TEST(test_names),   TEST(test_why),     TEST(test_learn),
        TEST(test_credit),  TEST(test_replace), TEST(test_damaged), TEST(test_bounds),
        TEST(test_nt_hash), TEST(test_tickets), TEST(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
