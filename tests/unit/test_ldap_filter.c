/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "capture/ldap_filter.h"
#include "tests/unit/ldap_bytes.h"

static char text[8192];

static struct ldap_filter_text print_bytes(const void *data, size_t size, size_t capacity)
{
    /* a block of its own size, so that a read past the end is seen */
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    if (size)
        memcpy(copy, data, size);
    struct ldap_filter_text printed = ldap_filter_print(cursor_of(copy, size), text, capacity);
    free(copy);
    assert_true(printed.size <= capacity && printed.size < sizeof text);
    text[printed.size] = '\0';
    return printed;
}

static void same(const char *filter, const char *expected)
{
    struct ldap_bytes b = {.size = 0};
    const char *at = filter;
    lb_filter(&b, &at);
    struct ldap_filter_text printed = print_bytes(b.data, b.size, sizeof text - 1);
    assert_string_equal(text, expected);
    assert_false(printed.cut);
    assert_false(printed.damaged);
}

/* The examples of RFC 4515 section 4. Text that needs no escape is printed without. */
static void test_examples(void **state)
{
    (void)state;
    static const char *const unchanged[] = {
        "(cn=Babs Jensen)",
        "(!(cn=Tim Howes))",
        "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
        "(o=univ*of*mich*)",
        "(seeAlso=)",
        "(cn:caseExactMatch:=Fred Flintstone)",
        "(cn:=Betty Rubble)",
        "(sn:dn:2.4.6.8.10:=Barney Rubble)",
        "(o:dn:=Ace Industry)",
        "(:1.2.3:=Wilma Flintstone)",
        "(:dn:2.4.6.8.10:=Dino)",
        "(o=Parens R Us \\28for all your parenthetical needs\\29)",
        "(cn=*\\2a*)",
        "(filename=C:\\5cMyFile)",
        "(bin=\\00\\00\\00\\04)",
    };
    for (size_t i = 0; i < sizeof unchanged / sizeof unchanged[0]; i++)
        same(unchanged[i], unchanged[i]);
    same("(sn=Lu\\c4\\8di\\c4\\87)", "(sn=Lu\xc4\x8di\xc4\x87)");
    same("(1.3.6.1.4.1.1466.0=\\04\\02\\48\\69)", "(1.3.6.1.4.1.1466.0=\\04\\02Hi)");
}

static void test_active_directory(void **state)
{
    (void)state;
    static const char *const unchanged[] = {
        "(userAccountControl:1.2.840.113556.1.4.803:=4194304)",
        "(&(sAMAccountType=805306368)(servicePrincipalName=*)(!(uac:1.2.840.113556.1.4.803:=2)))",
        "(memberOf:1.2.840.113556.1.4.1941:=CN=Domain Admins,CN=Users,DC=corp,DC=example)",
        "(groupType:1.2.840.113556.1.4.804:=2147483650)",
        "(whenChanged>=20260101000000.0Z)",
        "(uSNChanged<=1000)",
        "(displayName~=jon)",
        "(servicePrincipalName=MSSQLSvc/*:1433)",
        "(objectClass=*)",
        "(&)",
        "(|)",
    };
    for (size_t i = 0; i < sizeof unchanged / sizeof unchanged[0]; i++)
        same(unchanged[i], unchanged[i]);
}

/* Binary values: all of the high bytes escaped, though some would be letters in UTF-8. */
static void test_binary(void **state)
{
    (void)state;
    same("(objectSid=\\01\\05\\00\\c3\\a4\\ff)", "(objectSid=\\01\\05\\00\\c3\\a4\\ff)");
    same("(cn=\\e2\\82\\ac\\f0\\9f\\98\\80)", "(cn=\xe2\x82\xac\xf0\x9f\x98\x80)");
    same("(cn=\\ed\\a0\\80)", "(cn=\\ed\\a0\\80)"); /* a surrogate is no text */
    same("(cn=a\\1b[0m\\7f)", "(cn=a\\1b[0m\\7f)"); /* nothing that plays with a terminal */
}

/* Whoever searches by a password does not get it written into an activity. */
static void test_secrets(void **state)
{
    (void)state;
    same("(&(uid=anna)(userPassword=Geheim))", "(&(uid=anna)(userPassword=\\2a\\2a\\2a))");
    same("(UNICODEPWD=*Ge*heim)", "(UNICODEPWD=*\\2a\\2a\\2a*\\2a\\2a\\2a)");
    same("(userPassword:caseExactMatch:=Geheim)", "(userPassword:caseExactMatch:=\\2a\\2a\\2a)");
    same("(ms-Mcs-AdmPwd=*)", "(ms-Mcs-AdmPwd=*)");
    same("(userPassword=)", "(userPassword=)");
}

static void test_nesting(void **state)
{
    (void)state;
    char filter[512] = "";
    for (int i = 0; i < LDAP_FILTER_DEPTH_MAX; i++)
        strcat(filter, "(!");
    strcat(filter, "(a=b)");
    for (int i = 0; i < LDAP_FILTER_DEPTH_MAX; i++)
        strcat(filter, ")");
    same(filter, filter);

    struct ldap_bytes b = {.size = 0};
    size_t opened[200];
    for (int i = 0; i < 200; i++)
        opened[i] = lb_open(&b, 0xa2);
    lb_octets(&b, 0x87, "a", 1);
    for (int i = 199; i >= 0; i--)
        lb_close(&b, opened[i]);
    struct ldap_filter_text printed = print_bytes(b.data, b.size, sizeof text - 1);
    assert_true(printed.cut);
    assert_int_equal(printed.size, 2 * LDAP_FILTER_DEPTH_MAX);
}

/* Any room gives a prefix of the text. */
static void test_room(void **state)
{
    (void)state;
    static const char filter[] = "(&(objectClass=Person)(|(sn=J\\28nsen)(cn=Babs J*))(a:dn:1.2:=b))";
    struct ldap_bytes b = {.size = 0};
    const char *at = filter;
    lb_filter(&b, &at);
    for (size_t room = 0; room <= strlen(filter); room++) {
        struct ldap_filter_text printed = print_bytes(b.data, b.size, room);
        assert_int_equal(printed.cut, room < strlen(filter));
        assert_memory_equal(text, filter, printed.size);
        assert_true(printed.size <= room);
    }
}

/* A filter that is cut at any byte gives a prefix of its text, closed or not, and says so. */
static void test_truncated(void **state)
{
    (void)state;
    static const char filter[] = "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*))(a:dn:1.2:=b)(c>=d)(e=*))";
    struct ldap_bytes b = {.size = 0};
    const char *at = filter;
    lb_filter(&b, &at);
    for (size_t size = 0; size < b.size; size++) {
        struct ldap_filter_text printed = print_bytes(b.data, size, sizeof text - 1);
        assert_true(printed.damaged);
        assert_false(printed.cut);
    }
}

static void test_damaged(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *text;
    } damaged[] = {
        {"", 0, ""},
        {"\x30\x00", 2, ""},                                /* no choice of Filter */
        {"\xa0\x02\x30\x00", 4, "(&"},                      /* nor inside */
        {"\xa3\x03\x04\x01x", 5, "(x=)"},                   /* no value */
        {"\xa3\x05\x02\x01x\x04\x00", 7, "(=)"},            /* name of another type */
        {"\xa4\x05\x04\x01x\x04\x00", 7, "(x=*)"},          /* no list of substrings */
        {"\xa4\x08\x04\x01x\x30\x03\x83\x01y", 10, "(x=)"}, /* a substring of no sort */
        {"\xa9\x03\x82\x01x", 5, "(x:=)"},                  /* no value */
        {"\xa9\x00", 2, "(:=)"},
        {"\xa0\x80\x00\x00", 4, ""}, /* indefinite length */
        {"\xbf\x81\x00", 3, ""},     /* tag of several octets */
    };
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        struct ldap_filter_text printed = print_bytes(damaged[i].bytes, damaged[i].size, sizeof text - 1);
        assert_true(printed.damaged);
        assert_string_equal(text, damaged[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),  cmocka_unit_test(test_active_directory),
        cmocka_unit_test(test_binary),    cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_nesting),   cmocka_unit_test(test_room),
        cmocka_unit_test(test_truncated), cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
