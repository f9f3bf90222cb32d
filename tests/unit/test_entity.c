/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "sync/entity_record.h"
#include "sync/entity_value.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static struct bytes text(const char *string)
{
    return (struct bytes){(const uint8_t *)string, strlen(string)};
}

static void assert_text(struct bytes have, const char *want)
{
    assert_int_equal(have.size, strlen(want));
    assert_bytes_equal(have.data, want, have.size);
}

/* What must never be asked for, whatever the reason: secrets, and what can hold one. */
static void no_secret_is_read(void **state)
{
    (void)state;
    static const char *const secrets[] = {
        "unicodePwd",
        "dBCSPwd",
        "ntPwdHistory",
        "lmPwdHistory",
        "supplementalCredentials",
        "userPassword",
        "unixUserPassword",
        "msSFU30Password",
        "userPKCS12",
        "orclCommonAttribute",
        "userParameters",
        "msDS-ManagedPassword",
        "msDS-ManagedPasswordId",
        "msDS-ManagedPasswordPreviousId",
        "ms-Mcs-AdmPwd",
        "msLAPS-Password",
        "msLAPS-EncryptedPassword",
        "msLAPS-EncryptedPasswordHistory",
        "msLAPS-EncryptedDSRMPassword",
        "msLAPS-EncryptedDSRMPasswordHistory",
        "msFVE-RecoveryPassword",
        "msFVE-KeyPackage",
        "msTPM-OwnerInformation",
        "msTPM-OwnerInformationTemp",
        "trustAuthIncoming",
        "trustAuthOutgoing",
        "initialAuthIncoming",
        "initialAuthOutgoing",
        "currentValue",
        "priorValue",
        "msDS-ExecuteScriptPassword",
        "msKds-RootKeyData",
        "msDS-KeyMaterial",
        "msPKI-CredentialRoamingTokens",
        "msPKIAccountCredentials",
        "msPKIDPAPIMasterKeys",
        "msPKIRoamingTimeStamp",
        "pekList",
        "thumbnailPhoto",
        "jpegPhoto",
        "thumbnailLogo",
        "homePhone",
        "homePostalAddress",
        "mobile",
        "telephoneNumber",
        "nTSecurityDescriptor",
        "msDS-TransformationRulesCompiled",
        "msDS-cloudExtensionAttribute1",
    };
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        assert_int_equal(entity_attribute_by_ldap(secrets[i], strlen(secrets[i])), ENTITY_ATTRIBUTES);
        assert_int_equal(entity_link_by_ldap(secrets[i], strlen(secrets[i])), ENTITY_LINKS);
    }
}

/* Everything that is named in the table is named once, by attributes and links together, with a reason. */
static void every_name_is_said_once(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ENTITY_ATTRIBUTES; i++) {
        const struct entity_attribute_info *info = entity_attribute_info((enum entity_attribute)i);
        assert_int_equal(entity_attribute_by_ldap(info->ldap, strlen(info->ldap)), i);
        assert_int_equal(entity_link_by_ldap(info->ldap, strlen(info->ldap)), ENTITY_LINKS);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(info->field, entity_attribute_info((enum entity_attribute)j)->field);
        assert_true(strlen(info->doc) > 5);
    }
    for (unsigned i = 0; i < ENTITY_LINKS; i++) {
        const struct entity_attribute_info *info = entity_link_info((enum entity_link)i);
        assert_int_equal(entity_link_by_ldap(info->ldap, strlen(info->ldap)), i);
        assert_int_equal(entity_link_by_name(info->field, strlen(info->field)), i);
        assert_int_equal(entity_attribute_by_ldap(info->ldap, strlen(info->ldap)), ENTITY_ATTRIBUTES);
        assert_true(strlen(info->doc) > 5);
    }
    assert_null(entity_attribute_info(ENTITY_ATTRIBUTES));
    assert_null(entity_link_info(ENTITY_LINKS));
    assert_int_equal(entity_link_by_ldap("MEMBER;range=0-1499", 19), LINK_MEMBER);
    assert_int_equal(entity_attribute_by_ldap("objectsid", 9), ENTITY_OBJECT_SID);
    assert_int_equal(entity_link_by_name("nothing", 7), ENTITY_LINKS);
}

static void kinds_follow_classes(void **state)
{
    (void)state;
    static const struct {
        const char *classes[6];
        enum entity_kind kind;
    } cases[] = {
        {{"top", "person", "organizationalPerson", "user"}, ENTITY_USER},
        {{"top", "person", "organizationalPerson", "user", "computer"}, ENTITY_COMPUTER},
        {{"computer", "user", "person", "top"}, ENTITY_COMPUTER},
        {{"top", "person", "organizationalPerson", "user", "computer", "msDS-GroupManagedServiceAccount"},
         ENTITY_MANAGED_ACCOUNT},
        {{"top", "group"}, ENTITY_GROUP},
        {{"top", "container", "groupPolicyContainer"}, ENTITY_GROUP_POLICY},
        {{"top", "domain", "domainDNS"}, ENTITY_DOMAIN},
        {{"top", "applicationSettings", "nTDSDSA"}, ENTITY_SERVER},
        {{"top", "CROSSREF"}, ENTITY_PARTITION},
        {{"top", "dnsNode"}, ENTITY_OTHER},
        {{NULL}, ENTITY_OTHER},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes classes[6];
        uint32_t count = 0;
        while (count < 6 && cases[i].classes[count]) {
            classes[count] = text(cases[i].classes[count]);
            count++;
        }
        assert_int_equal(entity_kind_of_classes(classes, count), cases[i].kind);
    }
    for (unsigned kind = 0; kind < ENTITY_KINDS; kind++) {
        const char *name = entity_kind_name((enum entity_kind)kind);
        assert_int_equal(entity_kind_by_name(name, strlen(name)), kind);
    }
    assert_int_equal(entity_kind_by_name("users", 5), ENTITY_KINDS);
    assert_string_equal(entity_kind_name(ENTITY_KINDS), "other");
}

static void names_fold(void **state)
{
    (void)state;
    static const struct {
        const char *name, *folded;
    } cases[] = {
        {"User01$", "user01$"},
        {"ÀÖ×ØÞß÷", "àö×øþß÷"},
        {"ĀĮİıĲĹŇŉŊŶŸŹŽſ", "āįİıĳĺňŉŋŷÿźžſ"},
        {"ȘȚǞǸ", "șțǟǹ"},
        {"ΆΈΊΌΎΏΑΡΣΫς", "άέίόύώαρσϋς"},
        {"ЀЏАЯѠҀҊӀӁӾԮ", "ѐџаяѡҁҋӏӂӿԯ"},
        {"ԱՖ", "աֆ"},
        {"ẠỸẞ", "ạỹẞ"},
        {"ＡＺ", "ａｚ"},
        {"\xff\xc3z\xed\xa0\x80Q", "\xff\xc3z\xed\xa0\x80q"}, /* not UTF-8: stays */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t folded[64];
        struct bytes name = text(cases[i].name);
        entity_fold(folded, name);
        assert_text((struct bytes){folded, name.size}, cases[i].folded);
    }
}

static void distinguished_names_split(void **state)
{
    (void)state;
    static const struct {
        const char *dn, *rdn, *parent;
    } cases[] = {
        {"CN=a,OU=b,DC=c", "CN=a", "OU=b,DC=c"},
        {"CN=Doe\\, John,DC=c", "CN=Doe\\, John", "DC=c"},
        {"CN=a\\\\,DC=c", "CN=a\\\\", "DC=c"},
        {"DC=c", "DC=c", ""},
        {"CN=a\\", "CN=a\\", ""},
        {"", "", ""},
        {",DC=c", "", "DC=c"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bytes rdn, parent;
        entity_dn_split(text(cases[i].dn), &rdn, &parent);
        assert_text(rdn, cases[i].rdn);
        assert_text(parent, cases[i].parent);
    }
}

/* -- changes and records ------------------------------------------------------------------------------- */

static struct entity_change change;
static struct entity_value values[ENTITY_ATTRIBUTES][8];

static void begin(void)
{
    memset(&change, 0, sizeof change);
    change.whole = true;
    change.kind_known = true;
    change.kind = ENTITY_USER;
    memset(change.guid.bytes, 7, GUID_SIZE);
}

static void put(enum entity_attribute attribute, struct entity_value value)
{
    uint32_t at = change.attributes[attribute].count++;
    values[attribute][at] = value;
    change.attributes[attribute].values = values[attribute];
    entity_change_mark(&change, attribute);
}

static void put_text(enum entity_attribute attribute, const char *string)
{
    put(attribute, (struct entity_value){.bytes = text(string)});
}

static const uint8_t sid_bytes[] = {1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0,    0, 1, 0,
                                    0, 0, 2, 0, 0, 0, 3, 0, 0,  0, 0xf4, 1, 0, 0};

static void put_user(void)
{
    begin();
    put_text(ENTITY_OBJECT_CLASS, "top");
    put_text(ENTITY_OBJECT_CLASS, "person");
    put_text(ENTITY_OBJECT_CLASS, "organizationalPerson");
    put_text(ENTITY_OBJECT_CLASS, "user");
    put_text(ENTITY_SAM_ACCOUNT_NAME, "jörg");
    put_text(ENTITY_SERVICE_PRINCIPAL_NAMES, "http/b");
    put_text(ENTITY_SERVICE_PRINCIPAL_NAMES, "http/a");
    put(ENTITY_OBJECT_SID, (struct entity_value){.bytes = {sid_bytes, sizeof sid_bytes}});
    put(ENTITY_SID_HISTORY, (struct entity_value){.bytes = {sid_bytes, sizeof sid_bytes}});
    put(ENTITY_USER_ACCOUNT_CONTROL, (struct entity_value){.uint = 0x82000});
    put(ENTITY_GROUP_TYPE, (struct entity_value){.sint = -2147483646});
    put(ENTITY_PASSWORD_LAST_SET, (struct entity_value){.sint = 1700000000123456700});
    put(ENTITY_ACCOUNT_EXPIRES, (struct entity_value){.sint = 0});
    put(ENTITY_MAX_PASSWORD_AGE, (struct entity_value){.uint = 42 * (uint64_t)CLOCK_DAY});
    put(ENTITY_IS_CRITICAL, (struct entity_value){.boolean = true});
    put(ENTITY_ALLOWED_TO_ACT, (struct entity_value){.bytes = {sid_bytes, 3}});
    put(ENTITY_INVOCATION_ID, (struct entity_value){.bytes = {sid_bytes, 16}});
    put(ENTITY_KEY_CREDENTIALS, (struct entity_value){.uint = UINT64_MAX});
    put(ENTITY_KEY_CREDENTIALS, (struct entity_value){.uint = 5});
}

static uint8_t record[ENTITY_BYTES_MAX];
static struct entity entity;

static size_t write_record(const struct entity *old, const char *rdn)
{
    struct entity_record_head head = {
        .guid = change.guid, .kind = change.kind, .parent = 9, .context = 2, .changed = 77};
    size_t size = entity_record_write(record, &head, old, &change, text(rdn));
    assert_true(entity_record_decode((struct bytes){record, size}, &head, &entity));
    assert_int_equal(head.parent, 9);
    assert_int_equal(head.context, 2);
    assert_int_equal(entity.changed, 77 * CLOCK_SECOND);
    return size;
}

static void check_user(const struct entity *have)
{
    char json[8192];
    assert_text(entity_name(have), "jörg");
    assert_text(have->rdn, "CN=J");
    assert_true(entity_is_domain_controller(have));
    assert_false(entity_is_read_only_domain_controller(have));
    assert_true(entity_to_json(have, json, sizeof json) < sizeof json);
    static const char want[] =
        "\"object_class\":[\"top\",\"person\",\"organizationalPerson\",\"user\"],\"is_critical\":true,"
        "\"sid\":\"S-1-5-21-1-2-3-500\",\"sid_history\":[\"S-1-5-21-1-2-3-500\"],\"account\":\"jörg\","
        "\"service_principal_names\":[\"http/a\",\"http/b\"],\"user_account_control\":532480,"
        "\"password_last_set\":\"2023-11-14T22:13:20.123456700Z\",\"account_expires\":null,\"allowed_to_"
        "act\":\"010500\","
        "\"key_credentials\":[\"5\",\"ffffffffffffffff\"],\"group_type\":-2147483646,"
        "\"max_password_age\":3628800000000000,\"invocation_id\":\"00000501-0000-0500-1500-000001000000\"}";
    assert_string_equal(strstr(json, "\"object_class\""), want);
    assert_null(entity_get(have, ENTITY_MAIL));
}

static void records_keep_what_was_told(void **state)
{
    (void)state;
    put_user();
    size_t size = write_record(NULL, "CN=J");
    assert_true(size < 260); /* the classes are a number */
    check_user(&entity);

    /* And in the form that travels. */
    static uint8_t encoded[ENTITY_ENCODED_MAX];
    static struct entity again;
    struct msgpack_writer w;
    entity.parent = text("OU=x,DC=y");
    entity.domain = text("corp.example");
    entity.seen = 5;
    msgpack_writer_init(&w, encoded, sizeof encoded);
    entity_encode(&w, &entity);
    assert_false(w.full);
    struct cursor c = cursor_of(encoded, w.size);
    assert_true(entity_decode(&c, &again));
    assert_true(cursor_done(&c));
    check_user(&again);
    char dn[32];
    assert_int_equal(entity_dn(&again, dn, sizeof dn), 14);
    assert_string_equal(dn, "CN=J,OU=x,DC=y");
    assert_text(again.domain, "corp.example");
    assert_int_equal(again.seen, 5);
    assert_int_equal(again.changed, 77 * CLOCK_SECOND);

    /* Every cut is refused, or ends between two attributes. */
    for (size_t cut = 0; cut < w.size; cut++) {
        c = cursor_of(encoded, cut);
        assert_false(entity_decode(&c, &again));
        assert_true(c.failed);
    }
}

static void partial_changes_merge(void **state)
{
    (void)state;
    put_user();
    static uint8_t old_record[ENTITY_BYTES_MAX];
    static struct entity old;
    size_t size = write_record(NULL, "CN=J");
    memcpy(old_record, record, size);
    struct entity_record_head head;
    assert_true(entity_record_decode((struct bytes){old_record, size}, &head, &old));

    /* Nothing came: the same record. */
    begin();
    change.whole = false;
    size_t again = write_record(&old, "");
    assert_true(entity_record_same((struct bytes){record, again}, (struct bytes){old_record, size}));

    /* One value changed, one attribute is gone, one is new; the others stay. */
    put_text(ENTITY_SAM_ACCOUNT_NAME, "jo");
    entity_change_mark(&change, ENTITY_IS_CRITICAL);
    put_text(ENTITY_MAIL, "j@x");
    again = write_record(&old, "CN=K");
    assert_false(entity_record_same((struct bytes){record, again}, (struct bytes){old_record, size}));
    assert_text(entity_name(&entity), "jo");
    assert_null(entity_get(&entity, ENTITY_IS_CRITICAL));
    assert_text(entity_get(&entity, ENTITY_MAIL)->bytes, "j@x");
    assert_text(entity.rdn, "CN=K");
    assert_int_equal(entity_get(&entity, ENTITY_KEY_CREDENTIALS)->list.count, 2);

    /* Whole: what did not come is gone. */
    change.whole = true;
    write_record(&old, "CN=K");
    assert_null(entity_get(&entity, ENTITY_KEY_CREDENTIALS));
    assert_text(entity_get(&entity, ENTITY_MAIL)->bytes, "j@x");
}

static void what_is_too_long_is_cut(void **state)
{
    (void)state;
    static char longer[ENTITY_STRING_MAX + 3];
    memset(longer, 'a', sizeof longer - 1);
    longer[ENTITY_STRING_MAX - 1] = '\xc3';
    longer[ENTITY_STRING_MAX] = '\xa4';
    begin();
    put_text(ENTITY_DESCRIPTION, longer);
    put(ENTITY_ALLOWED_TO_ACT, (struct entity_value){.bytes = text(longer)});
    write_record(NULL, "CN=J");
    assert_true(entity.truncated);
    assert_int_equal(entity_get(&entity, ENTITY_DESCRIPTION)->bytes.size, ENTITY_STRING_MAX - 1);
    assert_int_equal(entity_get(&entity, ENTITY_ALLOWED_TO_ACT)->bytes.size, ENTITY_STRING_MAX);

    /* A list, by number and by bytes. */
    static struct entity_value many[ENTITY_LIST_MAX + 5];
    for (size_t i = 0; i < ENTITY_LIST_MAX + 5; i++)
        many[i] = (struct entity_value){.bytes = text("x")};
    begin();
    entity_change_mark(&change, ENTITY_SERVICE_PRINCIPAL_NAMES);
    change.attributes[ENTITY_SERVICE_PRINCIPAL_NAMES].count = ENTITY_LIST_MAX + 5;
    change.attributes[ENTITY_SERVICE_PRINCIPAL_NAMES].values = many;
    write_record(NULL, "CN=J");
    assert_true(entity.truncated);
    assert_int_equal(entity_get(&entity, ENTITY_SERVICE_PRINCIPAL_NAMES)->list.count, ENTITY_LIST_MAX);
    for (size_t i = 0; i < ENTITY_LIST_MAX + 5; i++)
        many[i] = (struct entity_value){.bytes = text(longer)};
    write_record(NULL, "CN=J");
    assert_true(entity.truncated);
    assert_int_equal(entity_get(&entity, ENTITY_SERVICE_PRINCIPAL_NAMES)->list.count, 3);

    /* All of it: an attribute that does not fit is left out, what can tell who it is stays. */
    begin();
    for (unsigned i = 0; i < ENTITY_ATTRIBUTES; i++) {
        enum activity_type type = entity_attribute_info((enum entity_attribute)i)->type;
        if (type == TYPE_STRING || type == TYPE_BYTES)
            put_text((enum entity_attribute)i, longer);
        if (type == TYPE_STRING_LIST) {
            entity_change_mark(&change, (enum entity_attribute)i);
            change.attributes[i].count = 5;
            change.attributes[i].values = many;
        }
    }
    put(ENTITY_OBJECT_SID, (struct entity_value){.bytes = {sid_bytes, sizeof sid_bytes}});
    size_t size = write_record(NULL, "CN=J");
    assert_true(entity.truncated && size <= ENTITY_BYTES_MAX);
    assert_non_null(entity_get(&entity, ENTITY_OBJECT_SID));
    assert_non_null(entity_get(&entity, ENTITY_SAM_ACCOUNT_NAME));
    static uint8_t encoded[ENTITY_ENCODED_MAX];
    struct msgpack_writer w;
    msgpack_writer_init(&w, encoded, sizeof encoded);
    entity_encode(&w, &entity);
    assert_false(w.full);

    /* What is none of its type is left out. */
    begin();
    put(ENTITY_OBJECT_SID, (struct entity_value){.bytes = {sid_bytes, sizeof sid_bytes - 1}});
    put(ENTITY_SID_HISTORY, (struct entity_value){.bytes = {sid_bytes, 4}});
    put(ENTITY_INVOCATION_ID, (struct entity_value){.bytes = {sid_bytes, 4}});
    write_record(NULL, "");
    for (unsigned i = 0; i < ENTITY_PRESENT_WORDS; i++)
        assert_int_equal(entity.present[i], 0);
}

/* Any byte of a record may be another: it is refused, or decodes to something that can be shown. */
static void damaged_records_are_harmless(void **state)
{
    (void)state;
    put_user();
    static uint8_t good[ENTITY_BYTES_MAX];
    size_t size = write_record(NULL, "CN=J");
    memcpy(good, record, size);
    char json[4096];
    unsigned refused = 0;
    for (size_t at = 0; at < size; at++) {
        for (unsigned flip = 1; flip < 256; flip <<= 1) {
            uint8_t *exact = malloc(size);
            memcpy(exact, good, size);
            exact[at] ^= (uint8_t)flip;
            struct entity_record_head head;
            if (entity_record_decode((struct bytes){exact, size}, &head, &entity))
                entity_to_json(&entity, json, sizeof json);
            else
                refused++;
            free(exact);
        }
    }
    assert_true(refused > size);
    for (size_t cut = 0; cut < RECORD_HEAD_SIZE; cut++) {
        struct entity_record_head head;
        assert_false(entity_record_head((struct bytes){good, cut}, &head));
    }
}

/* -- digests ------------------------------------------------------------------------------------------- */

static void digests_are_of_sets(void **state)
{
    (void)state;
    struct entity_edge edges[2] = {{.link = LINK_MEMBER}, {.link = LINK_MEMBER}};
    memset(edges[0].target.bytes, 1, GUID_SIZE);
    memset(edges[1].target.bytes, 2, GUID_SIZE);
    struct entity_digest a = {0}, b = {0};
    put_user();
    change.dn = text("CN=J,OU=b");
    change.edges = edges;
    change.edge_count = 2;
    assert_true(entity_digest_add_change(&a, &change));
    change.guid.bytes[0] ^= 1;
    assert_true(entity_digest_add_change(&a, &change));
    assert_int_equal(a.count, 2);
    assert_int_equal(a.links, 4);

    /* In another order, values and edges too, in another case, and with what each controller has of its own.
     */
    struct entity_edge turned[2] = {edges[1], edges[0]};
    change.edges = turned;
    change.dn = text("cn=j,ou=B");
    struct entity_value spn = values[ENTITY_SERVICE_PRINCIPAL_NAMES][0];
    values[ENTITY_SERVICE_PRINCIPAL_NAMES][0] = values[ENTITY_SERVICE_PRINCIPAL_NAMES][1];
    values[ENTITY_SERVICE_PRINCIPAL_NAMES][1] = spn;
    put(ENTITY_USN_CHANGED, (struct entity_value){.uint = 5});
    put(ENTITY_WHEN_CHANGED, (struct entity_value){.sint = 5});
    assert_true(entity_digest_add_change(&b, &change));
    assert_false(entity_digest_equal(&a, &b));
    change.guid.bytes[0] ^= 1;
    assert_true(entity_digest_add_change(&b, &change));
    assert_true(entity_digest_equal(&a, &b));

    /* Each of these makes a difference. */
    struct entity_digest base = {0}, other;
    assert_true(entity_digest_add_change(&base, &change));
    change.kind = ENTITY_GROUP;
    other = (struct entity_digest){0};
    assert_true(entity_digest_add_change(&other, &change));
    assert_false(entity_digest_equal(&base, &other));
    change.kind = ENTITY_USER;
    values[ENTITY_USER_ACCOUNT_CONTROL][0].uint++;
    other = (struct entity_digest){0};
    assert_true(entity_digest_add_change(&other, &change));
    assert_false(entity_digest_equal(&base, &other));
    values[ENTITY_USER_ACCOUNT_CONTROL][0].uint--;
    change.dn = text("cn=j,ou=C");
    other = (struct entity_digest){0};
    assert_true(entity_digest_add_change(&other, &change));
    assert_false(entity_digest_equal(&base, &other));
    change.dn = text("cn=j,ou=b");
    turned[0].link = LINK_MANAGER;
    other = (struct entity_digest){0};
    assert_true(entity_digest_add_change(&other, &change));
    assert_false(entity_digest_equal(&base, &other));

    change.deleted = true;
    assert_false(entity_digest_add_change(&other, &change));
    change.deleted = false;
    change.whole = false;
    assert_false(entity_digest_add_change(&other, &change));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_secret_is_read),
        cmocka_unit_test(every_name_is_said_once),
        cmocka_unit_test(kinds_follow_classes),
        cmocka_unit_test(names_fold),
        cmocka_unit_test(distinguished_names_split),
        cmocka_unit_test(records_keep_what_was_told),
        cmocka_unit_test(partial_changes_merge),
        cmocka_unit_test(what_is_too_long_is_cut),
        cmocka_unit_test(damaged_records_are_harmless),
        cmocka_unit_test(digests_are_of_sets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
