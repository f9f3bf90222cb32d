/* SPDX-License-Identifier: Apache-2.0 */
#include "center/entities.h"
#include "center/entities_names.h"
#include "center/entities_numbers.h"
#include "center/sensitivity.h"
#include "tests/unit/entity_batches.h"

#include "base/clock.h"

enum {
    DOMAIN_OBJECT = 1,
    DOMAIN_USERS,
    DOMAIN_ADMINS,
    HELPERS,   /* a group in Domain Admins */
    TOOLS,     /* a group in nothing that matters */
    PARTITION, /* CORP is corp.example */
    WS01 = 50,
    DC1,
    USERS = 100,
};

struct directory {
    struct entities *entities;
    struct entity_batch_reader *reader;
    struct batches batches;
    struct directory_view view;
};

static void take(struct directory *d)
{
    assert_true(entities_take(d->entities, d->reader, batches_end(&d->batches), NULL));
    batches_begin(&d->batches);
}

static void add_machine(struct directory *d, uint32_t number, const char *name, uint32_t control)
{
    char account[32], host[64], service[80], dns[80];
    snprintf(account, sizeof account, "%s$", name);
    snprintf(host, sizeof host, "%s.corp.example", name);
    snprintf(service, sizeof service, "HOST/%s", host);
    snprintf(dns, sizeof dns, "DNS/%s", host);
    const char *const services[] = {service, dns};
    batches_entity(&d->batches, number, ENTITY_COMPUTER);
    batches_text(&d->batches, ENTITY_SAM_ACCOUNT_NAME, account);
    batches_text(&d->batches, ENTITY_DNS_HOST_NAME, host);
    batches_list(&d->batches, ENTITY_SERVICE_PRINCIPAL_NAMES, services, control & 0x2000 ? 2 : 1);
    batches_sid(&d->batches, 1, 2000 + number);
    batches_uint(&d->batches, ENTITY_USER_ACCOUNT_CONTROL, control);
    batches_uint(&d->batches, ENTITY_PRIMARY_GROUP_ID, control & 0x2000 ? 516 : 515);
    batches_uint(&d->batches, ENTITY_ENCRYPTION_TYPES, 28);
    batches_add(&d->batches);
}

static int set_up(void **state)
{
    struct directory *d = calloc(1, sizeof *d);
    assert_non_null(d);
    *state = d;
    d->entities = entities_new(7);
    d->reader = entity_batch_reader_new();
    assert_non_null(d->entities);
    assert_non_null(d->reader);
    d->view = entities_view(d->entities);
    batches_begin(&d->batches);
    batches_entity(&d->batches, DOMAIN_OBJECT, ENTITY_DOMAIN);
    batches_uint(&d->batches, ENTITY_FUNCTIONAL_LEVEL, 7);
    batches_add(&d->batches);
    batches_entity(&d->batches, PARTITION, ENTITY_PARTITION);
    batches_text(&d->batches, ENTITY_DNS_ROOT, "corp.example");
    batches_text(&d->batches, ENTITY_NETBIOS_NAME, "KORP");
    batches_add(&d->batches);
    batches_group(&d->batches, DOMAIN_USERS, "Domain Users", 513);
    batches_add(&d->batches);
    batches_group(&d->batches, DOMAIN_ADMINS, "Domain Admins", 512);
    batches_add(&d->batches);
    batches_group(&d->batches, HELPERS, "Helpers", 1600);
    batches_add(&d->batches);
    batches_group(&d->batches, TOOLS, "Tools", 1601);
    batches_add(&d->batches);
    for (uint32_t i = 0; i < 5; i++) {
        batches_user(&d->batches, USERS + i);
        batches_add(&d->batches);
    }
    add_machine(d, WS01, "WS01", 0x1000);
    add_machine(d, DC1, "DC1", 0x82000);
    batches_members(&d->batches, DOMAIN_ADMINS, ENTITY_BATCH_ADDED, (uint32_t[]){HELPERS, USERS}, 2);
    batches_members(&d->batches, HELPERS, ENTITY_BATCH_ADDED, (uint32_t[]){USERS + 1}, 1);
    take(d);
    return 0;
}

static int tear_down(void **state)
{
    struct directory *d = *state;
    batches_destroy(&d->batches);
    entity_batch_reader_destroy(&d->reader);
    entities_destroy(&d->entities);
    entities_destroy(&d->entities);
    free(d);
    return 0;
}

static struct party named(enum subject_kind kind, const char *name, const char *domain)
{
    return (struct party){.kind = kind, .name = world_bytes(name), .domain = world_bytes(domain)};
}

static uint32_t bits(struct directory *d, enum subject_kind kind, const char *name)
{
    struct party party = named(kind, name, "corp.example");
    struct facts facts;
    return d->view.facts(d->view.context, &party, &facts) ? facts.bits : 0;
}

static void test_names(void **state)
{
    struct directory *d = *state;
    static const char *const same[][2] = {
        {"user101", "corp.example"},  {"USER101", "KORP"},
        {"user101", "korp"},          {"user101", ""},
        {"mail101@CORP.example", ""}, {"user101@corp.example", ""},
        {"user101@korp", ""},         {"cn=object 101,cn=users,dc=corp,dc=example", ""}};
    struct guid want = world_guid(USERS + 1), found;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct party party = named(SUBJECT_ACCOUNT, same[i][0], same[i][1]);
        assert_true(entities_find(d->entities, &party, &found));
        assert_bytes_equal(&found, &want, sizeof want);
    }
    static const char *const machine[] = {"WS01", "ws01$", "ws01.corp.example", "host/ws01.corp.example",
                                          "cifs/WS01.corp.example"};
    want = world_guid(WS01);
    for (size_t i = 0; i < sizeof machine / sizeof machine[0]; i++) {
        struct party party = named(SUBJECT_COMPUTER, machine[i], "");
        assert_true(entities_find(d->entities, &party, &found));
        assert_bytes_equal(&found, &want, sizeof want);
    }
    static const char *const nobody[][2] = {{"user999", "corp.example"},
                                            {"user101", "other.example"},
                                            {"mssql/ws01.corp.example", ""},
                                            {"@", ""},
                                            {"", ""}};
    for (size_t i = 0; i < sizeof nobody / sizeof nobody[0]; i++) {
        struct party party = named(SUBJECT_ACCOUNT, nobody[i][0], nobody[i][1]);
        assert_false(entities_find(d->entities, &party, &found));
    }
}

static void test_facts(void **state)
{
    struct directory *d = *state;
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user100"), FACT_USER | FACT_SENSITIVE);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user101"), FACT_USER | FACT_SENSITIVE);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user102"), FACT_USER);
    assert_int_equal(bits(d, SUBJECT_GROUP, "Domain Admins"), FACT_GROUP | FACT_SENSITIVE_GROUP);
    assert_int_equal(bits(d, SUBJECT_GROUP, "Helpers"), FACT_GROUP | FACT_SENSITIVE);
    assert_int_equal(bits(d, SUBJECT_COMPUTER, "WS01"), FACT_COMPUTER | FACT_HAS_SPN);
    assert_int_equal(bits(d, SUBJECT_COMPUTER, "DC1"), FACT_COMPUTER | FACT_HAS_SPN | FACT_CONTROLLER |
                                                           FACT_DNS_SERVER | FACT_TRUSTED_FOR_DELEGATION);
    struct party party = named(SUBJECT_COMPUTER, "WS01", "");
    struct facts facts;
    assert_true(d->view.facts(d->view.context, &party, &facts));
    assert_int_equal(facts.supported_etypes, 28);
    assert_int_equal(facts.functional_level, 7);
}

/* Whoever leaves or joins a group, however far above, is judged anew at once. */
static void test_memberships_change(void **state)
{
    struct directory *d = *state;
    batches_members(&d->batches, DOMAIN_ADMINS, ENTITY_BATCH_DROPPED, (uint32_t[]){HELPERS}, 1);
    take(d);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user101"), FACT_USER);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user100"), FACT_USER | FACT_SENSITIVE);
    /* A cycle of groups ends. */
    batches_members(&d->batches, HELPERS, ENTITY_BATCH_ADDED, (uint32_t[]){TOOLS}, 1);
    batches_members(&d->batches, TOOLS, ENTITY_BATCH_ADDED, (uint32_t[]){HELPERS, USERS + 3}, 2);
    take(d);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user103"), FACT_USER);
    batches_members(&d->batches, DOMAIN_ADMINS, ENTITY_BATCH_ALL, (uint32_t[]){TOOLS}, 1);
    take(d);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user103"), FACT_USER | FACT_SENSITIVE);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user101"), FACT_USER | FACT_SENSITIVE);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user100"), FACT_USER);
    batches_members(&d->batches, DOMAIN_ADMINS, ENTITY_BATCH_ALL, NULL, 0);
    take(d);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user103"), FACT_USER);
    /* By primaryGroupID. */
    batches_user(&d->batches, USERS + 4);
    batches_uint(&d->batches, ENTITY_PRIMARY_GROUP_ID, 512);
    batches_add(&d->batches);
    take(d);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user104"), FACT_USER | FACT_SENSITIVE);
}

static void test_members(void **state)
{
    struct directory *d = *state;
    struct guid user = world_guid(USERS + 1), admins = world_guid(DOMAIN_ADMINS), tools = world_guid(TOOLS),
                users = world_guid(DOMAIN_USERS);
    assert_true(entities_is_member(d->entities, &user, &admins));
    assert_true(entities_is_member(d->entities, &user, &users));
    assert_false(entities_is_member(d->entities, &user, &tools));
    struct party one = named(SUBJECT_ACCOUNT, "user101", "KORP"),
                 group = named(SUBJECT_GROUP, "Domain Admins", "KORP"),
                 other = named(SUBJECT_GROUP, "Tools", "KORP"), nobody = named(SUBJECT_GROUP, "None", "KORP");
    assert_int_equal(d->view.member(d->view.context, &one, &group), KNOWN_YES);
    assert_int_equal(d->view.member(d->view.context, &one, &other), KNOWN_NOT);
    assert_int_equal(d->view.member(d->view.context, &one, &nobody), KNOWN_NOT);
    entities_set_whole(d->entities, world_bytes("corp.example"));
    assert_int_equal(d->view.member(d->view.context, &one, &other), KNOWN_NO);
}

static void test_accounts_and_domains(void **state)
{
    struct directory *d = *state;
    struct bytes corp = world_bytes("CORP.example"), none = {0};
    void *c = d->view.context;
    assert_true(d->view.domain(c, corp));
    assert_true(d->view.domain(c, world_bytes("korp")));
    assert_false(d->view.domain(c, world_bytes("other.example")));
    assert_int_equal(d->view.account(c, world_bytes("user100"), corp), KNOWN_YES);
    assert_int_equal(d->view.account(c, world_bytes("user999"), corp), KNOWN_NOT);
    entities_set_whole(d->entities, corp);
    assert_int_equal(d->view.account(c, world_bytes("user999"), corp), KNOWN_NO);
    assert_int_equal(d->view.account(c, world_bytes("user999@corp.example"), none), KNOWN_NO);
    assert_int_equal(d->view.account(c, world_bytes("user999"), none), KNOWN_NOT);
    assert_int_equal(d->view.account(c, world_bytes("user999"), world_bytes("other.example")), KNOWN_NOT);
    assert_int_equal(d->view.account(c, none, corp), KNOWN_NOT);
}

static void test_deleted_and_renamed(void **state)
{
    struct directory *d = *state;
    struct guid guid = world_guid(USERS);
    entity_batch_remove(d->batches.writer, &guid);
    take(d);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user100"), 0);
    struct party party = {.kind = SUBJECT_ACCOUNT, .guid = guid.bytes};
    struct facts facts;
    assert_true(d->view.facts(d->view.context, &party, &facts));
    assert_int_equal(facts.bits, FACT_USER | FACT_DELETED);
    struct entities_status status;
    entities_status(d->entities, &status);
    assert_int_equal(status.deleted, 1);
    uint32_t living = status.entities;
    /* Its name is free for another. */
    batches_user(&d->batches, USERS + 1);
    batches_text(&d->batches, ENTITY_SAM_ACCOUNT_NAME, "user100");
    batches_add(&d->batches);
    take(d);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user101"), 0);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user100"), FACT_USER | FACT_SENSITIVE);
    /* Restored. */
    batches_user(&d->batches, USERS);
    batches_text(&d->batches, ENTITY_SAM_ACCOUNT_NAME, "again");
    batches_add(&d->batches);
    take(d);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "again"), FACT_USER);
    entities_status(d->entities, &status);
    assert_int_equal(status.deleted, 0);
    assert_int_equal(status.entities, living + 1);
}

static void test_marks(void **state)
{
    struct directory *d = *state;
    struct guid guid = world_guid(USERS + 2), group = world_guid(TOOLS);
    struct bytes none = {0};
    assert_true(entities_tag(d->entities, &guid, none, none, FACT_HONEYTOKEN));
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user102"), FACT_USER | FACT_HONEYTOKEN);
    assert_true(entities_tag(d->entities, NULL, world_bytes("WS01"), world_bytes("korp"), FACT_SENSITIVE));
    assert_true(bits(d, SUBJECT_COMPUTER, "WS01") & FACT_SENSITIVE);
    /* A group that is marked makes its members sensitive. */
    assert_true(entities_tag(d->entities, &group, none, none, FACT_SENSITIVE));
    batches_members(&d->batches, TOOLS, ENTITY_BATCH_ADDED, (uint32_t[]){USERS + 3}, 1);
    take(d);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user103"), FACT_USER | FACT_SENSITIVE);
    assert_true(entities_tag(d->entities, &group, none, none, FACT_HONEYTOKEN)); /* one more */
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user103"), FACT_USER | FACT_SENSITIVE);
    entities_forget_tags(d->entities);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user103"), FACT_USER);
    /* Nobody whom the directory knows. */
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "decoy"), 0);
    assert_true(entities_tag(d->entities, NULL, world_bytes("Decoy"), none, FACT_HONEYTOKEN));
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "decoy"), FACT_HONEYTOKEN);
    assert_false(entities_tag(d->entities, NULL, world_bytes("x"), none, FACT_CONTROLLER));
    assert_false(entities_tag(d->entities, NULL, none, none, FACT_SENSITIVE));
}

struct sensitive {
    uint32_t count;
    bool user101;
};

static void see(void *context, const struct guid *guid, const struct facts *facts)
{
    struct sensitive *sensitive = context;
    struct guid user = world_guid(USERS + 1);
    assert_true(facts->bits & (FACT_SENSITIVE | FACT_SENSITIVE_GROUP));
    sensitive->count++;
    sensitive->user101 |= memcmp(guid, &user, sizeof user) == 0;
}

static void test_all_sensitive(void **state)
{
    struct directory *d = *state;
    struct sensitive sensitive = {0};
    entities_each_sensitive(d->entities, see, &sensitive);
    assert_int_equal(sensitive.count, 4); /* Domain Admins, Helpers, two users */
    assert_true(sensitive.user101);
    unsigned groups = 0;
    while (sensitivity_group_name(groups))
        groups++;
    assert_int_equal(groups, 17);
}

static struct lookup_key key_of(enum lookup_kind kind, const char *name, const char *domain)
{
    struct lookup_key key;
    assert_true(lookup_key_text(&key, kind, world_bytes(name), world_bytes(domain)));
    return key;
}

static void test_resolver_directory(void **state)
{
    struct directory *d = *state;
    struct resolver_directory directory = entities_resolver_directory(d->entities);
    struct resolver_entity found;
    struct resolver_domain domain;
    struct lookup_key key = key_of(LOOKUP_ACCOUNT, "user101", "korp");
    struct guid user = world_guid(USERS + 1);
    assert_int_equal(directory.find(directory.context, &key, &found), 1);
    assert_string_equal(found.account, "user101");
    assert_string_equal(found.domain, "corp.example");
    assert_int_equal(found.kind, ENTITY_USER);
    assert_int_equal(found.sid_size, WORLD_SID_SIZE);
    assert_bytes_equal(&found.guid, &user, sizeof user);
    assert_true(lookup_key_sid(&key, (struct bytes){found.sid, found.sid_size}));
    assert_int_equal(directory.find(directory.context, &key, &found), 1);
    assert_string_equal(found.account, "user101");
    assert_true(lookup_key_guid(&key, &user));
    assert_int_equal(directory.find(directory.context, &key, &found), 1);
    static const struct {
        enum lookup_kind kind;
        const char *name;
        uint32_t count;
    } looks[] = {{LOOKUP_UPN, "mail101@corp.example", 1},
                 {LOOKUP_SPN, "host/dc1.corp.example", 1},
                 {LOOKUP_DNS_NAME, "dc1.corp.example", 1},
                 {LOOKUP_DN, "CN=object 101,CN=Users,DC=corp,DC=example", 1},
                 {LOOKUP_ACCOUNT, "nobody", 0},
                 {LOOKUP_ACCOUNT, "dc1", 1}};
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        key = key_of(looks[i].kind, looks[i].name, "");
        assert_int_equal(directory.find(directory.context, &key, &found), looks[i].count);
    }
    assert_true(found.is_controller);
    assert_true(directory.domain(directory.context, world_bytes("KORP"), &domain));
    assert_string_equal(domain.dns, "corp.example");
    assert_false(directory.domain(directory.context, world_bytes("ELSEWHERE"), &domain));
}

/* A group of 100,000 members, changed at its end; and it is quick. */
static void test_large_group(void **state)
{
    struct directory *d = *state;
    enum { COUNT = 100000 };
    uint32_t *members = calloc(COUNT, sizeof *members);
    assert_non_null(members);
    for (uint32_t i = 0; i < COUNT; i++)
        members[i] = 10000 + i;
    batches_members(&d->batches, HELPERS, ENTITY_BATCH_ALL, members, COUNT);
    take(d);
    struct entities_status status;
    entities_status(d->entities, &status);
    assert_int_equal(status.memberships, COUNT + 2);
    assert_int_equal(status.refused, 0);
    batches_user(&d->batches, 10000 + COUNT - 1);
    batches_add(&d->batches);
    take(d);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user109999"), FACT_USER | FACT_SENSITIVE);
    batches_members(&d->batches, HELPERS, ENTITY_BATCH_ALL, members, 5);
    take(d);
    assert_int_equal(bits(d, SUBJECT_ACCOUNT, "user109999"), FACT_USER);
    entities_status(d->entities, &status);
    assert_int_equal(status.memberships, 5 + 2);
    free(members);
}

static void test_damaged_batches(void **state)
{
    struct directory *d = *state;
    batches_user(&d->batches, USERS + 5);
    batches_add(&d->batches);
    struct bytes whole = batches_end(&d->batches);
    for (size_t size = 1; size < whole.size; size += 7) {
        struct entity_batch_reader *reader = entity_batch_reader_new();
        assert_non_null(reader);
        assert_false(entities_take(d->entities, reader, (struct bytes){whole.data, size}, NULL));
        entity_batch_reader_destroy(&reader);
    }
    struct entities_taken taken = {0};
    assert_true(entities_take(d->entities, d->reader, whole, &taken));
    assert_int_equal(taken.entities, 1);
}

/* -- its tables against plain models ----------------------------------------------------------------------
 */

static void test_names_table(void **state)
{
    (void)state;
    enum { KEYS = 300, STEPS = 20000 };
    struct entities_names names = {0};
    uint8_t model[KEYS][4] = {{0}};
    uint64_t random = 1;
    uint32_t at = 0;
    assert_int_equal(entities_names_next(&names, 1, &at), 0);
    entities_names_remove(&names, 1, 1);
    for (unsigned step = 0; step < STEPS; step++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint32_t key = (uint32_t)(random >> 40) % KEYS, number = (uint32_t)(random >> 60) % 4;
        /* Keys that meet in a few slots, so that runs are long. */
        uint64_t hash = (uint64_t)(key / 10 + 1) << 20 | (key + 1);
        if (model[key][number] == 0)
            assert_true(entities_names_add(&names, hash, number + 1));
        else
            entities_names_remove(&names, hash, number + 1);
        model[key][number] ^= 1;
        uint32_t seen = 0, found;
        for (at = 0; (found = entities_names_next(&names, hash, &at)) != 0;)
            seen |= 1u << (found - 1);
        for (unsigned i = 0; i < 4; i++)
            assert_int_equal(seen >> i & 1, model[key][i]);
    }
    assert_true(entities_names_bytes(&names) > 0);
    entities_names_free(&names);
}

static void test_numbers(void **state)
{
    (void)state;
    struct entities_numbers set = {0};
    bool model[64] = {false}, added;
    uint64_t random = 3;
    for (unsigned step = 0; step < 5000; step++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        uint32_t number = (uint32_t)(random >> 58), some[5], count = 0;
        switch (random >> 33 & 3) {
        case 0:
            assert_true(entities_numbers_add(&set, number, &added));
            assert_int_equal(added, !model[number]);
            model[number] = true;
            break;
        case 1:
            for (uint32_t i = 0; i < 5; i++)
                some[i] = (number + i * 11) % 64;
            count = entities_numbers_sort(some, 5);
            for (uint32_t i = 0; i < count; i++)
                model[some[i]] = true;
            assert_true(entities_numbers_merge(&set, some, count) <= count);
            break;
        default:
            assert_int_equal(entities_numbers_remove(&set, number), model[number]);
            model[number] = false;
        }
        uint32_t members = 0;
        for (uint32_t i = 0; i < 64; i++) {
            assert_int_equal(entities_numbers_has(&set, i), model[i]);
            members += model[i];
        }
        assert_int_equal(set.count, members);
    }
    entities_numbers_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        TEST(test_names),
        TEST(test_facts),
        TEST(test_memberships_change),
        TEST(test_members),
        TEST(test_accounts_and_domains),
        TEST(test_deleted_and_renamed),
        TEST(test_marks),
        TEST(test_all_sensitive),
        TEST(test_resolver_directory),
        TEST(test_large_group),
        TEST(test_damaged_batches),
        cmocka_unit_test(test_names_table),
        cmocka_unit_test(test_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
