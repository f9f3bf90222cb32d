/* SPDX-License-Identifier: Apache-2.0
 *
 * What somebody may mean by a name.
 */
#include "node/entity_names.h"
#include "tests/unit/unit.h"

static unsigned keys_of(const char *name, struct lookup_key keys[ENTITY_NAME_KEYS])
{
    memset(keys, 0, ENTITY_NAME_KEYS * sizeof(*keys));
    return entity_name_keys(name, keys);
}

static void expect_text(const struct lookup_key *key, enum lookup_kind kind, const char *text)
{
    assert_int_equal(key->kind, kind);
    assert_int_equal(key->size, strlen(text));
    assert_memory_equal(key->value, text, key->size);
}

static void guids(void **state)
{
    (void)state;
    static const uint8_t wire[] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
                                   0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    struct lookup_key keys[ENTITY_NAME_KEYS];
    static const char *const forms[] = {"00112233-4455-6677-8899-aabbccddeeff",
                                        "{00112233-4455-6677-8899-AABBCCDDEEFF}"};
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(keys_of(forms[i], keys), 1);
        assert_int_equal(keys[0].kind, LOOKUP_GUID);
        assert_memory_equal(keys[0].value, wire, sizeof(wire));
    }
    /* Nearly one: somebody's account. */
    assert_int_equal(keys_of("00112233-4455-6677-8899-aabbccddeefg", keys), 1);
    assert_int_equal(keys[0].kind, LOOKUP_ACCOUNT);
}

static void sids(void **state)
{
    (void)state;
    static const uint8_t wire[] = {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0};
    struct lookup_key keys[ENTITY_NAME_KEYS];
    assert_int_equal(keys_of("S-1-5-32-544", keys), 1);
    assert_int_equal(keys[0].kind, LOOKUP_SID);
    assert_int_equal(keys[0].size, sizeof(wire));
    assert_memory_equal(keys[0].value, wire, sizeof(wire));
    static const char *const none[] = {"S-1-5-32-", "S-1-5-4294967296", "S-1-5-32-544x", "S-1-",
                                       "S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16"};
    for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        if (keys_of(none[i], keys) > 0)
            assert_int_not_equal(keys[0].kind, LOOKUP_SID);
}

static void names(void **state)
{
    (void)state;
    struct lookup_key keys[ENTITY_NAME_KEYS];
    assert_int_equal(keys_of("Alice", keys), 1);
    expect_text(&keys[0], LOOKUP_ACCOUNT, "alice");
    assert_int_equal(keys_of("CORP\\Alice", keys), 1);
    expect_text(&keys[0], LOOKUP_ACCOUNT, "alice");
    assert_string_equal(keys[0].domain, "corp");
    assert_int_equal(keys_of("CN=Alice,DC=corp,DC=example", keys), 1);
    assert_int_equal(keys[0].kind, LOOKUP_DN);
    assert_true(keys_of("alice@corp.example", keys) >= 1);
    expect_text(&keys[0], LOOKUP_UPN, "alice@corp.example");
    assert_true(keys_of("MSSQLSvc/sql.corp.example:1433", keys) >= 1);
    assert_int_equal(keys[0].kind, LOOKUP_SPN);
    assert_true(keys_of("dc1.corp.example", keys) >= 2);
    assert_int_equal(keys[0].kind, LOOKUP_DNS_NAME);
    assert_int_equal(keys[1].kind, LOOKUP_ACCOUNT);
}

static void what_cannot_be_a_name(void **state)
{
    (void)state;
    struct lookup_key keys[ENTITY_NAME_KEYS];
    char longest[LOOKUP_VALUE_MAX + 50];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(keys_of("", keys), 0);
    assert_int_equal(keys_of(longest, keys), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guids),
        cmocka_unit_test(sids),
        cmocka_unit_test(names),
        cmocka_unit_test(what_cannot_be_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
