/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/distinguished_name.h"

#include "tests/unit/unit.h"

#define BYTES(text) ((struct bytes){(const uint8_t *)(text), sizeof(text) - 1})

#define GUID_HEX  "33221100554477668899aabbccddeeff"
#define GUID_TEXT "00112233-4455-6677-8899-aabbccddeeff"

static void reads_both_forms(void **state)
{
    (void)state;
    static const uint8_t guid[] = {0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66,
                                   0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    static const uint8_t sid[] = {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 32, 2, 0, 0};
    static const struct bytes forms[] = {
        BYTES("<GUID=" GUID_HEX ">;<SID=01020000000000052000000020020000>;CN=a,DC=b"),
        BYTES("<GUID=" GUID_TEXT ">;<SID=S-1-5-32-544>;CN=a,DC=b"),
        BYTES("<sid=s-1-5-32-544>;<guid=" GUID_TEXT ">;CN=a,DC=b"),
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct extended_dn dn;
        assert_true(extended_dn_read(forms[i], &dn));
        assert_true(dn.has_guid);
        assert_memory_equal(dn.guid.bytes, guid, sizeof guid);
        assert_int_equal(dn.sid_size, sizeof sid);
        assert_memory_equal(dn.sid, sid, sizeof sid);
        assert_int_equal(dn.dn.size, 9);
        assert_memory_equal(dn.dn.data, "CN=a,DC=b", 9);
    }
}

static void parts_may_be_missing(void **state)
{
    (void)state;
    struct extended_dn dn;
    assert_true(extended_dn_read(BYTES("CN=<x>"), &dn));
    assert_false(dn.has_guid);
    assert_int_equal(dn.dn.size, 6);
    assert_true(extended_dn_read(BYTES("<GUID=" GUID_HEX ">"), &dn));
    assert_true(dn.has_guid);
    assert_int_equal(dn.dn.size, 0);
    assert_true(extended_dn_read((struct bytes){0}, &dn));
}

static void refuses_damage(void **state)
{
    (void)state;
    static const struct bytes damaged[] = {
        BYTES("<GUID=" GUID_HEX),
        BYTES("<GUID=33221100>;CN=a"),
        BYTES("<GUID=" GUID_HEX "00>;CN=a"),
        BYTES("<GUID=3322110055447766 899aabbccddeeff>;CN=a"),
        BYTES("<GUID=" GUID_HEX ">CN=a"),
        BYTES("<GUID=" GUID_HEX ">;<GUID=" GUID_HEX ">;CN=a"),
        BYTES("<SID=S-1-5-32-544>;<SID=S-1-5-32-544>;CN=a"),
        BYTES("<SID=0102000000000005200000002002>;CN=a"),
        BYTES("<SID=S-1-5-32-544x>;CN=a"),
        BYTES("<SID=S-1-5-4294967296>;CN=a"),
        BYTES("<SID=>;CN=a"),
        BYTES("<WKGUID=" GUID_HEX ">;CN=a"),
        BYTES("<"),
        BYTES("<>"),
    };
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        struct extended_dn dn;
        if (extended_dn_read(damaged[i], &dn))
            fail_msg("%.*s is read", (int)damaged[i].size, (const char *)damaged[i].data);
    }
}

static void long_sids(void **state)
{
    (void)state;
    uint8_t sid[SID_BYTES_MAX];
    assert_int_equal(sid_parse(BYTES("S-1-0xABCDEF012345-1").data, 20, sid), 12);
    assert_int_equal(sid[2], 0xab);
    assert_int_equal(sid_parse("S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15", 41, sid), SID_BYTES_MAX);
    assert_int_equal(sid_parse("S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16", 44, sid), 0);
    assert_int_equal(sid_parse("S-1-281474976710656", 19, sid), 0);
    assert_int_equal(sid_parse("S-2-5", 5, sid), 0);
    assert_int_equal(sid_parse("S-1-", 4, sid), 0);
    assert_int_equal(sid_parse("", 0, sid), 0);
}

static const char *normal(struct bytes dn)
{
    static char text[256];
    size_t size = dn_normal(text, sizeof text - 1, dn);
    text[size] = 0;
    return text;
}

static void has_one_form(void **state)
{
    (void)state;
    assert_string_equal(normal(BYTES("CN=a,DC=b")), "CN=a,DC=b");
    assert_string_equal(normal(BYTES(" CN = a b , DC = b ")), "CN=a b,DC=b");
    assert_string_equal(normal(BYTES("CN=a;DC=b")), "CN=a,DC=b");
    assert_string_equal(normal(BYTES("CN=a\\2Cb,DC=c")), "CN=a\\,b,DC=c");
    assert_string_equal(normal(BYTES("CN=a\\,b,DC=c")), "CN=a\\,b,DC=c");
    assert_string_equal(normal(BYTES("CN=\\41b,DC=c")), "CN=Ab,DC=c");
    assert_string_equal(normal(BYTES("CN=x\\0adel:1,DC=c")), "CN=x\\0Adel:1,DC=c");
    assert_string_equal(normal(BYTES("CN=a=b,DC=c")), "CN=a=b,DC=c");
    assert_string_equal(normal(BYTES("CN=a+SN=b,DC=c")), "CN=a+SN=b,DC=c");
    assert_string_equal(normal(BYTES("CN=a\\ ,DC=c")), "CN=a\\ ,DC=c");
    assert_string_equal(normal(BYTES("CN=\\q,DC=c")), "CN=q,DC=c");
    assert_string_equal(normal(BYTES("CN=a\\")), "");
    assert_string_equal(normal(BYTES("no dn")), "");
    assert_string_equal(normal(BYTES("a,b=c")), "");
    assert_string_equal(normal(BYTES("")), "");
    char small[4];
    assert_int_equal(dn_normal(small, sizeof small, BYTES("CN=abc")), 0);
}

#define ASSERT_TEXT(bytes_, text)                                                                            \
    do {                                                                                                     \
        struct bytes is_ = (bytes_);                                                                         \
        assert_int_equal(is_.size, strlen(text));                                                            \
        assert_bytes_equal(is_.data, text, is_.size);                                                        \
    } while (0)

static void has_parts(void **state)
{
    (void)state;
    ASSERT_TEXT(dn_parent(BYTES("CN=a\\,b,OU=c,DC=d")), "OU=c,DC=d");
    ASSERT_TEXT(dn_parent(BYTES("DC=d")), "");
    ASSERT_TEXT(dn_parent(BYTES("")), "");
    ASSERT_TEXT(dn_first_value(BYTES("CN=a\\,b,OU=c")), "a\\,b");
    ASSERT_TEXT(dn_first_value(BYTES("CN")), "");
    ASSERT_TEXT(dn_first_value(BYTES("CN=a\\")), "a\\");
    bool deleted;
    ASSERT_TEXT(dn_name_before_deletion(BYTES("CN=a\\0ADEL:" GUID_TEXT ",CN=Deleted Objects,DC=d"), &deleted),
                "a");
    assert_true(deleted);
    ASSERT_TEXT(dn_name_before_deletion(BYTES("CN=a,DC=d"), &deleted), "a");
    assert_false(deleted);
    assert_true(dn_is_within(BYTES("CN=a,ou=C,DC=d"), BYTES("OU=c,dc=D")));
    assert_true(dn_is_within(BYTES("OU=c"), BYTES("OU=c")));
    assert_false(dn_is_within(BYTES("CN=a,XOU=c"), BYTES("OU=c")));
    assert_false(dn_is_within(BYTES("OU=c"), BYTES("CN=a,OU=c")));
    assert_false(dn_is_within(BYTES("OU=c"), BYTES("")));
    char domain[32];
    assert_int_equal(dn_domain(domain, sizeof domain, BYTES("CN=a,DC=Corp,DC=example")), 12);
    assert_memory_equal(domain, "corp.example", 12);
    assert_int_equal(dn_domain(domain, sizeof domain, BYTES("DC=x,CN=a,DC=y")), 1);
    assert_int_equal(dn_domain(domain, sizeof domain, BYTES("CN=a")), 0);
    assert_int_equal(dn_domain(domain, 3, BYTES("DC=corp")), 0);
}

static void has_ranges(void **state)
{
    (void)state;
    struct bytes name;
    struct attribute_range range;
    assert_true(attribute_name_read(BYTES("member"), &name, &range));
    ASSERT_TEXT(name, "member");
    assert_false(range.ranged);
    assert_true(attribute_name_read(BYTES("member;range=0-1499"), &name, &range));
    ASSERT_TEXT(name, "member");
    assert_true(range.ranged && range.low == 0 && range.high == 1499 && !range.last);
    assert_true(attribute_name_read(BYTES("member;binary;Range=1500-*"), &name, &range));
    assert_true(range.ranged && range.low == 1500 && range.last);
    assert_true(attribute_name_read(BYTES("member;"), &name, &range));
    assert_false(range.ranged);
    static const struct bytes damaged[] = {BYTES("m;range=0-1x"),  BYTES("m;range=-1"),
                                           BYTES("m;range=*-1"),   BYTES("m;range="),
                                           BYTES("m;range=1"),     BYTES("m;range=4294967296-*"),
                                           BYTES("m;range=1-*-*"), BYTES("m;range=0-1;range=0-1")};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        assert_false(attribute_name_read(damaged[i], &name, &range));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_both_forms), cmocka_unit_test(parts_may_be_missing),
        cmocka_unit_test(refuses_damage),   cmocka_unit_test(long_sids),
        cmocka_unit_test(has_one_form),     cmocka_unit_test(has_parts),
        cmocka_unit_test(has_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
