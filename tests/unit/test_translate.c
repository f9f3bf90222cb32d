/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/translate.h"

#include "tests/unit/unit.h"

#define GUID_A "<GUID=aa000000000000000000000000000000>;"
#define GUID_B "<GUID=bb000000000000000000000000000000>;"

struct answer {
    struct bytes values[4096];
    struct directory_attribute attributes[32];
    struct directory_object object;
    uint32_t used;
};

static struct answer answer;
static struct arena *arena;

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void begin(const char *dn)
{
    memset(&answer.object, 0, sizeof answer.object);
    answer.used = 0;
    answer.object.dn = bytes_of(dn);
    answer.object.attributes = answer.attributes;
}

static void attribute(const char *name)
{
    answer.attributes[answer.object.attribute_count++] =
        (struct directory_attribute){.name = bytes_of(name), .values = &answer.values[answer.used]};
}

static void value_bytes(const void *data, size_t size)
{
    answer.values[answer.used++] = (struct bytes){data, size};
    answer.attributes[answer.object.attribute_count - 1].value_count++;
}

static void value(const char *text)
{
    value_bytes(text, strlen(text));
}

static struct translated *done(enum translate_source source)
{
    static struct translated translated;
    arena_reset(arena);
    assert_true(translate(&answer.object, source, arena, &translated));
    return &translated;
}

static const struct entity_value *first(const struct translated *t, enum entity_attribute a)
{
    assert_true(entity_change_has(&t->change, a));
    assert_true(t->change.attributes[a].count > 0);
    return &t->change.attributes[a].values[0];
}

static void every_type(void **state)
{
    (void)state;
    begin(GUID_A "CN=a,DC=b");
    attribute("objectClass");
    value("top");
    value("user");
    attribute("sAMAccountName");
    value("a");
    attribute("USERACCOUNTCONTROL");
    value("-2147483136");
    attribute("groupType");
    value("-2147483646");
    attribute("pwdLastSet");
    value("134398153870000000");
    attribute("objectSid");
    value_bytes("\1\1\0\0\0\0\0\5\x12\0\0\0", 12);
    attribute("servicePrincipalName");
    value("host/a");
    value("host/b");
    attribute("uSNChanged");
    value("12");
    attribute("unknown");
    value("x");
    attribute("description");
    value("caf\xe9");
    attribute("lastKnownParent");
    value(GUID_B "OU=x,DC=b");
    struct translated *t = done(TRANSLATE_SEARCH);
    assert_true(t->change.whole && !t->change.deleted && t->change.kind_known &&
                t->change.kind == ENTITY_USER);
    assert_int_equal(t->change.guid.bytes[0], 0xaa);
    assert_int_equal(t->change.dn.size, 9);
    assert_int_equal(first(t, ENTITY_USER_ACCOUNT_CONTROL)->uint, 0x80000200u);
    assert_int_equal(first(t, ENTITY_GROUP_TYPE)->sint, -2147483646);
    assert_int_equal(first(t, ENTITY_PASSWORD_LAST_SET)->sint,
                     (134398153870000000 - 116444736000000000) * 100);
    assert_int_equal(first(t, ENTITY_OBJECT_SID)->bytes.size, 12);
    assert_int_equal(t->change.attributes[ENTITY_SERVICE_PRINCIPAL_NAMES].count, 2);
    assert_false(entity_change_has(&t->change, ENTITY_USN_CHANGED)); /* one domain controller's own */
    assert_memory_equal(first(t, ENTITY_DESCRIPTION)->bytes.data, "caf\xef\xbf\xbd", 6);
    assert_false(entity_change_has(&t->change, ENTITY_LAST_KNOWN_PARENT)); /* of the deleted only */
    assert_int_equal(t->unreadable, 0);
}

static void where_the_deleted_stood(void **state)
{
    (void)state;
    begin(GUID_A "CN=a\\0ADEL:1,CN=Deleted Objects,DC=b");
    attribute("isDeleted");
    value("TRUE");
    attribute("lastKnownParent");
    value(GUID_B "OU=x,DC=b");
    assert_int_equal(first(done(TRANSLATE_DIRSYNC), ENTITY_LAST_KNOWN_PARENT)->bytes.size, 9);
}

static void what_cannot_be_read_is_left_out(void **state)
{
    (void)state;
    begin(GUID_A "CN=a,DC=b");
    attribute("userAccountControl");
    value("many");
    attribute("objectSid");
    value("no sid");
    attribute("member");
    value("CN=without,DC=guid");
    value("<GUID=damaged>;CN=x");
    value(GUID_B "CN=b");
    attribute("member;range=x");
    value(GUID_B "CN=b");
    struct translated *t = done(TRANSLATE_SEARCH);
    assert_int_equal(t->unreadable, 5);
    assert_int_equal(t->change.edge_count, 1);
    assert_int_equal(t->change.attributes[ENTITY_OBJECT_SID].count, 0);
    struct translated none;
    begin("CN=a,DC=b");
    assert_false(translate(&answer.object, TRANSLATE_SEARCH, arena, &none));
    begin("<GUID=damaged>;CN=a,DC=b");
    assert_false(translate(&answer.object, TRANSLATE_SEARCH, arena, &none));
    attribute("objectGUID");
    value("short");
    assert_false(translate(&answer.object, TRANSLATE_SEARCH, arena, &none));
}

static void too_much_is_cut(void **state)
{
    (void)state;
    static char many[ENTITY_STRING_MAX + 10];
    memset(many, 'x', sizeof many);
    begin(GUID_A "CN=a,DC=b");
    attribute("servicePrincipalName");
    for (unsigned i = 0; i < ENTITY_LIST_MAX + 1; i++)
        value("host/a");
    struct translated *t = done(TRANSLATE_SEARCH);
    assert_int_equal(t->change.attributes[ENTITY_SERVICE_PRINCIPAL_NAMES].count, ENTITY_LIST_MAX);
    assert_true(t->change.truncated);
    begin(GUID_A "CN=a,DC=b");
    attribute("description");
    value_bytes(many, sizeof many);
    t = done(TRANSLATE_SEARCH);
    assert_int_equal(first(t, ENTITY_DESCRIPTION)->bytes.size, ENTITY_STRING_MAX);
    assert_true(t->change.truncated);
    struct arena *small = arena_new(1);
    struct translated none;
    assert_false(translate(&answer.object, TRANSLATE_SEARCH, small, &none));
    arena_destroy(&small);
}

static void links_whole_ranged_and_incremental(void **state)
{
    (void)state;
    uint64_t member = UINT64_C(1) << LINK_MEMBER;
    begin(GUID_A "CN=a,DC=b");
    attribute("member");
    value(GUID_B "CN=b");
    struct translated *t = done(TRANSLATE_SEARCH);
    assert_true(t->change.whole_links & member);
    assert_int_equal(t->ranged, 0);
    assert_int_equal(t->change.edges[0].target.bytes[0], 0xbb);
    begin(GUID_A "CN=a,DC=b");
    attribute("member;range=0-1499");
    value(GUID_B "CN=b");
    t = done(TRANSLATE_SEARCH);
    assert_false(t->change.whole_links & member);
    assert_int_equal(t->ranged, member);
    begin(GUID_A "CN=a,DC=b");
    attribute("member;range=1-1");
    value(GUID_B "CN=b");
    attribute("member;range=0-0");
    value(GUID_A "CN=a");
    t = done(TRANSLATE_DIRSYNC);
    assert_false(t->change.whole);
    assert_int_equal(t->change.whole_links, 0);
    assert_int_equal(t->ranged, 0);
    assert_int_equal(t->change.edge_count, 2);
    assert_false(t->change.edges[0].removed);
    assert_true(t->change.edges[1].removed);
    begin(GUID_A "CN=a,DC=b"); /* no link by schema: no incremental form, no value is none */
    attribute("fSMORoleOwner");
    t = done(TRANSLATE_DIRSYNC);
    assert_int_equal(t->change.whole_links, UINT64_C(1) << LINK_ROLE_OWNER);
}

static void whole_changed_deleted_risen(void **state)
{
    (void)state;
    begin(GUID_A "CN=a,DC=b");
    attribute("objectClass");
    value("group");
    struct translated *t = done(TRANSLATE_DIRSYNC);
    assert_false(t->change.whole); /* a class was added */
    attribute("whenCreated");
    value("20261122100307.0Z");
    t = done(TRANSLATE_DIRSYNC);
    assert_true(t->change.whole);
    assert_true(t->change.whole_links >> LINK_MEMBER & 1);
    begin(GUID_A "CN=a\\0ADEL:x,CN=Deleted Objects,DC=b");
    attribute("isRecycled");
    value("TRUE");
    attribute("member;range=1-1");
    value(GUID_B "CN=b");
    t = done(TRANSLATE_DIRSYNC);
    assert_true(t->change.deleted && !t->change.whole);
    assert_int_equal(t->change.edge_count, 0);
    begin(GUID_A "CN=a,DC=b");
    attribute("isDeleted");
    value("TRUE");
    assert_true(done(TRANSLATE_SEARCH)->change.deleted);
    begin(GUID_A "CN=a,DC=b");
    attribute("isDeleted");
    t = done(TRANSLATE_DIRSYNC);
    assert_true(!t->change.deleted && t->undeleted);
}

static void asks_for_what_it_reads(void **state)
{
    (void)state;
    const char *list[TRANSLATE_ATTRIBUTES_MAX];
    translate_attribute_list(list);
    unsigned found = 0;
    for (size_t i = 0; list[i]; i++) {
        found += strcmp(list[i], "objectGUID") == 0 || strcmp(list[i], "objectClass") == 0 ||
                 strcmp(list[i], "isDeleted") == 0 || strcmp(list[i], "whenCreated") == 0 ||
                 strcmp(list[i], "member") == 0;
        assert_string_not_equal(list[i], "uSNChanged");
    }
    assert_int_equal(found, 5);
}

static int open_arena(void **state)
{
    (void)state;
    arena = arena_new(1 << 20);
    return arena ? 0 : -1;
}

static int close_arena(void **state)
{
    (void)state;
    arena_destroy(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type),
        cmocka_unit_test(where_the_deleted_stood),
        cmocka_unit_test(what_cannot_be_read_is_left_out),
        cmocka_unit_test(too_much_is_cut),
        cmocka_unit_test(links_whole_ranged_and_incremental),
        cmocka_unit_test(whole_changed_deleted_risen),
        cmocka_unit_test(asks_for_what_it_reads),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
