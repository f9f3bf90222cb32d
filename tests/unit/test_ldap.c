/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "capture/ldap.h"
#include "tests/unit/ldap_bytes.h"

#define BYTES(literal) ((struct bytes){(const uint8_t *)(literal), sizeof(literal) - 1})

static void is_text(struct bytes bytes, const char *expected)
{
    assert_int_equal(bytes.size, strlen(expected));
    if (bytes.size)
        assert_memory_equal(bytes.data, expected, bytes.size);
}

static enum ldap_peek peek(const char *data, size_t size, struct ldap_header *header)
{
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, data, size);
    enum ldap_peek verdict = ldap_peek((struct bytes){copy, size}, header);
    free(copy);
    return verdict;
}

#define PEEK(literal) peek(literal, sizeof(literal) - 1, &header)

static void test_peek(void **state)
{
    (void)state;
    struct ldap_header header;
    static const char unbind[] = "\x30\x05\x02\x01\x07\x42\x00";
    static const char windows[] = "\x30\x84\x00\x00\x00\x08\x02\x04\x7f\xff\xff\xff\x42\x00";
    assert_int_equal(peek(unbind, 7, &header), LDAP_PEEK_YES);
    assert_int_equal(header.size, 7);
    assert_int_equal(header.id, 7);
    assert_int_equal(header.operation, LDAP_UNBIND_REQUEST);
    for (size_t size = 0; size < 6; size++)
        assert_int_equal(peek(unbind, size, &header), LDAP_PEEK_MORE);
    assert_int_equal(peek(windows, 14, &header), LDAP_PEEK_YES);
    assert_int_equal(header.size, 14);
    assert_int_equal(header.id, 0x7fffffff);
    static const char long_id[] = "\x30\x0b\x02\x84\x00\x00\x00\x02\x01\x02\x42\x00";
    assert_int_equal(peek(long_id, 12, &header), LDAP_PEEK_YES);
    assert_int_equal(header.id, 0x102);
    for (size_t size = 0; size < 11; size++)
        assert_int_equal(peek(long_id, size, &header), LDAP_PEEK_MORE);
    assert_int_equal(PEEK("\x30\x0b\x02\x85\x00\x00\x00\x00\x01\x02\x42\x00"), LDAP_PEEK_NO);
    for (size_t size = 0; size < 13; size++)
        assert_int_equal(peek(windows, size, &header), LDAP_PEEK_MORE);

    assert_int_equal(PEEK("\x31\x05\x02\x01\x07\x42\x00"), LDAP_PEEK_NO);         /* no SEQUENCE */
    assert_int_equal(PEEK("\x30\x80\x02\x01\x07\x42\x00"), LDAP_PEEK_NO);         /* indefinite */
    assert_int_equal(PEEK("\x30\x85\x00\x00\x00\x00\x05\x02\x01"), LDAP_PEEK_NO); /* too long a length */
    assert_int_equal(PEEK("\x30\x04\x02\x01\x07\x42"), LDAP_PEEK_NO);             /* too short */
    assert_int_equal(PEEK("\x30\x05\x04\x01\x07\x42\x00"), LDAP_PEEK_NO);         /* no INTEGER */
    assert_int_equal(PEEK("\x30\x05\x04"), LDAP_PEEK_NO);
    assert_int_equal(PEEK("\x30\x05\x02\x00\x42\x00\x00"), LDAP_PEEK_NO); /* empty INTEGER */
    assert_int_equal(PEEK("\x30\x0a\x02\x06\x01\x01\x01\x01\x01\x01\x42\x00"), LDAP_PEEK_NO);
    assert_int_equal(PEEK("\x30\x09\x02\x05\x01\x00\x00\x00\x00\x42\x00"), LDAP_PEEK_NO); /* id of 33 bits */
    assert_int_equal(PEEK("\x30\x05\x02\x01\x07\x71\x00"), LDAP_PEEK_NO);                 /* APPLICATION 17 */
    assert_int_equal(PEEK("\x30\x05\x02\x01\x07\x30\x00"), LDAP_PEEK_NO);
    assert_int_equal(PEEK("\x30\x05\x02\x03\x07\x42\x00"), LDAP_PEEK_NO); /* id fills it all */
}

static struct ldap_message read_message(const struct ldap_bytes *b)
{
    struct ldap_message m;
    struct cursor c = cursor_of(b->data, b->size);
    assert_true(ldap_message_read(&c, &m));
    return m;
}

static void test_bind(void **state)
{
    (void)state;
    struct ldap_bytes b = {.size = 0};
    struct ldap_bind_request bind;
    struct lb_message at = lb_begin(&b, 3, 0x60);
    lb_int(&b, 0x02, 3);
    lb_text(&b, 0x04, "CORP\\anna");
    lb_text(&b, 0x80, "Secret1");
    lb_end(&b, at);
    struct ldap_message m = read_message(&b);
    assert_int_equal(m.header.id, 3);
    assert_int_equal(m.header.size, b.size);
    assert_true(ldap_bind_request_read(m.body, &bind));
    assert_int_equal(bind.version, 3);
    is_text(bind.name, "CORP\\anna");
    assert_int_equal(bind.method, LDAP_METHOD_SIMPLE);
    assert_true(bind.password_sent);
    assert_int_equal(cursor_left(&bind.credentials), 0); /* the password is not handed out */

    b.size = 0;
    at = lb_begin(&b, 4, 0x60);
    lb_int(&b, 0x02, 3);
    lb_text(&b, 0x04, "");
    size_t sasl = lb_open(&b, 0xa3);
    lb_text(&b, 0x04, "GSS-SPNEGO");
    lb_text(&b, 0x04, "token");
    lb_close(&b, sasl);
    lb_end(&b, at);
    m = read_message(&b);
    assert_true(ldap_bind_request_read(m.body, &bind));
    assert_int_equal(bind.method, LDAP_METHOD_SASL);
    is_text(bind.mechanism, "GSS-SPNEGO");
    assert_int_equal(cursor_left(&bind.credentials), 5);

    static const unsigned methods[] = {0x89, 0x8a, 0x8b};
    for (size_t i = 0; i < 3; i++) {
        b.size = 0;
        at = lb_begin(&b, 4, 0x60);
        lb_int(&b, 0x02, 3);
        lb_text(&b, 0x04, "NTLM");
        lb_text(&b, methods[i], "NTLMSSP");
        lb_end(&b, at);
        m = read_message(&b);
        assert_true(ldap_bind_request_read(m.body, &bind));
        assert_int_equal(bind.method, methods[i] & 0x1f);
        assert_int_equal(cursor_left(&bind.credentials), 7);
    }

    /* another choice, and none */
    assert_false(ldap_bind_request_read(cursor_of("\x02\x01\x03\x04\x00\x85\x00", 7), &bind));
    assert_int_equal(bind.method, LDAP_METHOD_UNKNOWN);
    assert_false(ldap_bind_request_read(cursor_of("\x02\x01\x03\x04\x00\x04\x00", 7), &bind));
    assert_false(ldap_bind_request_read(cursor_of("\x02\x01\x03", 3), &bind));
}

static void test_search(void **state)
{
    (void)state;
    static const char *const attributes[] = {"cn", "memberOf", NULL};
    struct ldap_bytes b = {.size = 0};
    struct ldap_search_request search;
    struct bytes name;
    struct lb_message at = lb_begin(&b, 300, 0x63);
    lb_text(&b, 0x04, "DC=corp,DC=example");
    lb_int(&b, 0x0a, 2);
    lb_int(&b, 0x0a, 3);
    lb_int(&b, 0x02, 1000);
    lb_int(&b, 0x02, 30);
    lb_raw(&b, "\x01\x01\xff", 3);
    lb_text(&b, 0x87, "objectClass");
    size_t list = lb_open(&b, 0x30);
    for (size_t i = 0; attributes[i]; i++)
        lb_text(&b, 0x04, attributes[i]);
    lb_close(&b, list);
    lb_end(&b, at);
    struct ldap_message m = read_message(&b);
    assert_int_equal(m.header.id, 300);
    assert_true(ldap_search_request_read(m.body, &search));
    is_text(search.base, "DC=corp,DC=example");
    assert_int_equal(search.scope, 2);
    assert_int_equal(search.dereference, 3);
    assert_int_equal(search.size_limit, 1000);
    assert_int_equal(search.time_limit, 30);
    assert_true(search.types_only);
    assert_int_equal(cursor_left(&search.filter), 6 + 11);
    for (size_t i = 0; attributes[i]; i++) {
        assert_true(ldap_next_string(&search.attributes, &name));
        is_text(name, attributes[i]);
    }
    assert_false(ldap_next_string(&search.attributes, &name));
    assert_false(search.attributes.failed);

    struct cursor not_strings = cursor_of("\x02\x01\x01", 3);
    assert_false(ldap_next_string(&not_strings, &name));
    assert_true(not_strings.failed);
}

static void test_changes(void **state)
{
    (void)state;
    static const char *const pairs[] = {"objectClass=top", "objectClass=user", "cn=x", NULL};
    struct ldap_bytes b = {.size = 0};
    struct ldap_attribute attribute;
    struct bytes value;
    struct ldap_add_request add;
    struct lb_message at = lb_begin(&b, 1, 0x68);
    lb_text(&b, 0x04, "CN=x,DC=example");
    lb_attributes(&b, pairs);
    lb_end(&b, at);
    assert_true(ldap_add_request_read(read_message(&b).body, &add));
    is_text(add.dn, "CN=x,DC=example");
    assert_true(ldap_next_attribute(&add.attributes, &attribute));
    is_text(attribute.name, "objectClass");
    assert_true(ldap_next_string(&attribute.values, &value));
    is_text(value, "top");
    assert_true(ldap_next_string(&attribute.values, &value));
    is_text(value, "user");
    assert_false(ldap_next_string(&attribute.values, &value));
    assert_true(ldap_next_attribute(&add.attributes, &attribute));
    assert_false(ldap_next_attribute(&add.attributes, &attribute));
    assert_false(add.attributes.failed);

    struct ldap_modify_request modify;
    b.size = 0;
    at = lb_begin(&b, 1, 0x66);
    lb_text(&b, 0x04, "CN=x,DC=example");
    size_t changes = lb_open(&b, 0x30);
    lb_change(&b, 2, "sAMAccountName", "DC1", 3);
    lb_close(&b, changes);
    lb_end(&b, at);
    assert_true(ldap_modify_request_read(read_message(&b).body, &modify));
    assert_true(ldap_next_change(&modify.changes, &attribute));
    assert_int_equal(attribute.operation, 2);
    is_text(attribute.name, "sAMAccountName");
    assert_false(ldap_next_change(&modify.changes, &attribute));
    struct cursor damaged = cursor_of("\x30\x03\x0a\x01\x02", 5);
    assert_false(ldap_next_change(&damaged, &attribute));
    assert_true(damaged.failed);
    damaged = cursor_of("\x30\x00", 2);
    assert_false(ldap_next_attribute(&damaged, &attribute));
    assert_true(damaged.failed);

    struct ldap_modify_dn_request rename;
    b.size = 0;
    at = lb_begin(&b, 1, 0x6c);
    lb_text(&b, 0x04, "CN=x,DC=example");
    lb_text(&b, 0x04, "CN=y");
    lb_raw(&b, "\x01\x01\xff", 3);
    lb_text(&b, 0x80, "OU=z,DC=example");
    lb_end(&b, at);
    assert_true(ldap_modify_dn_request_read(read_message(&b).body, &rename));
    is_text(rename.new_rdn, "CN=y");
    assert_true(rename.delete_old_rdn);
    is_text(rename.new_superior, "OU=z,DC=example");

    struct ldap_compare_request compare;
    b.size = 0;
    at = lb_begin(&b, 1, 0x6e);
    lb_text(&b, 0x04, "CN=x,DC=example");
    size_t assertion = lb_open(&b, 0x30);
    lb_text(&b, 0x04, "sn");
    lb_text(&b, 0x04, "value");
    lb_close(&b, assertion);
    lb_end(&b, at);
    assert_true(ldap_compare_request_read(read_message(&b).body, &compare));
    is_text(compare.attribute, "sn");
}

static void test_extended(void **state)
{
    (void)state;
    struct ldap_bytes b = {.size = 0};
    struct ldap_bytes value = {.size = 0};
    struct ldap_extended_request extended;
    size_t sequence = lb_open(&value, 0x30);
    lb_text(&value, 0x80, "uid=anna");
    lb_text(&value, 0x81, "old");
    lb_text(&value, 0x82, "new");
    lb_close(&value, sequence);
    struct lb_message at = lb_begin(&b, 1, 0x77);
    lb_text(&b, 0x80, "1.3.6.1.4.1.4203.1.11.1");
    lb_octets(&b, 0x81, value.data, value.size);
    lb_end(&b, at);
    assert_true(ldap_extended_request_read(read_message(&b).body, &extended));
    is_text(extended.oid, "1.3.6.1.4.1.4203.1.11.1");
    is_text(ldap_password_modify_user(extended.value), "uid=anna");
}

static void test_result(void **state)
{
    (void)state;
    struct ldap_bytes b = {.size = 0};
    struct ldap_result result;
    struct lb_message at = lb_begin(&b, 1, 0x61);
    lb_result(&b, 49, "",
              "80090308: LdapErr: DSID-0C090400, comment: AcceptSecurityContext error, data 775, v1db1");
    size_t referral = lb_open(&b, 0xa3);
    lb_text(&b, 0x04, "ldap://elsewhere");
    lb_close(&b, referral);
    lb_text(&b, 0x87, "creds");
    lb_end(&b, at);
    assert_true(ldap_result_read(read_message(&b).body, &result));
    assert_int_equal(result.code, 49);
    assert_true(result.has_sasl_credentials);
    assert_int_equal(cursor_left(&result.sasl_credentials), 5);
    assert_int_equal(ldap_directory_error(result.diagnostic), 0x775);

    b.size = 0;
    at = lb_begin(&b, 0, 0x78);
    lb_result(&b, 52, "DC=example", "");
    lb_text(&b, 0x8a, "1.3.6.1.4.1.1466.20036");
    lb_text(&b, 0x8b, "value");
    lb_end(&b, at);
    assert_true(ldap_result_read(read_message(&b).body, &result));
    is_text(result.matched_dn, "DC=example");
    is_text(result.oid, "1.3.6.1.4.1.1466.20036");
    is_text(result.value, "value");
}

static void test_directory_error(void **state)
{
    (void)state;
    assert_int_equal(ldap_directory_error(BYTES("x, comment: AcceptSecurityContext error, data 52e, v1db1")),
                     0x52e);
    assert_int_equal(ldap_directory_error(BYTES("00002098: SecErr: DSID-03150E49, problem 4003, data 0")),
                     0x2098);
    assert_int_equal(ldap_directory_error(BYTES("0000052D: Constraint violation")), 0x52d);
    assert_int_equal(ldap_directory_error(BYTES("00002098")), 0);
    assert_int_equal(ldap_directory_error(BYTES("no such object")), 0);
    assert_int_equal(ldap_directory_error(BYTES(", data ")), 0);
    assert_int_equal(ldap_directory_error(BYTES(", data xyz")), 0);
    assert_int_equal(ldap_directory_error(BYTES("")), 0);
}

static void test_entry(void **state)
{
    (void)state;
    static const char *const pairs[] = {"cn=x", "NetLogon=value", NULL};
    struct ldap_bytes b = {.size = 0};
    lb_text(&b, 0x04, "CN=x,DC=example");
    lb_attributes(&b, pairs);
    is_text(ldap_entry_name(cursor_of(b.data, b.size)), "CN=x,DC=example");
    is_text(ldap_entry_value(cursor_of(b.data, b.size), "netlogon"), "value");
    is_text(ldap_entry_value(cursor_of(b.data, b.size), "sn"), "");
    is_text(ldap_entry_name(cursor_of(b.data, 9)), "CN="); /* what is there of it */
}

static void test_controls(void **state)
{
    (void)state;
    struct ldap_bytes b = {.size = 0};
    struct ldap_bytes paged = {.size = 0};
    struct ldap_control control;
    struct ldap_paged page;
    size_t sequence = lb_open(&paged, 0x30);
    lb_int(&paged, 0x02, 1000);
    lb_text(&paged, 0x04, "cookie");
    lb_close(&paged, sequence);
    struct lb_message at = lb_begin(&b, 1, 0x42);
    lb_end_with_control(&b, at, "1.2.840.113556.1.4.319", &paged);
    struct ldap_message m = read_message(&b);
    assert_true(ldap_next_control(&m.controls, &control));
    is_text(control.oid, "1.2.840.113556.1.4.319");
    assert_true(control.critical);
    assert_true(ldap_paged_read(control.value, &page));
    assert_int_equal(page.size, 1000);
    assert_true(page.cookie);
    assert_false(ldap_next_control(&m.controls, &control));

    struct ldap_dirsync dirsync;
    struct ldap_bytes sync = {.size = 0};
    sequence = lb_open(&sync, 0x30);
    lb_int(&sync, 0x02, -INT64_C(0x7fffffff));
    lb_int(&sync, 0x02, 100);
    lb_text(&sync, 0x04, "");
    lb_close(&sync, sequence);
    assert_true(ldap_dirsync_read(cursor_of(sync.data, sync.size), &dirsync));
    assert_int_equal(dirsync.flags, 0x80000001);
    assert_false(dirsync.cookie);
    assert_false(ldap_dirsync_read(cursor_of(sync.data, 9), &dirsync));

    uint32_t flags;
    assert_true(ldap_sd_flags_read(cursor_of("\x30\x03\x02\x01\x07", 5), &flags));
    assert_int_equal(flags, 7);
    assert_false(ldap_sd_flags_read(cursor_of("\x30\x00", 2), &flags));
    assert_false(ldap_sd_flags_read(cursor_of("\x30\x02\x02\x00", 4), &flags));
}

static enum ldap_wrap wrap(const char *token, size_t size, size_t total, const char *expected)
{
    struct bytes plain;
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, token, size);
    enum ldap_wrap verdict = ldap_wrap_read((struct bytes){copy, size}, total, &plain);
    if (expected)
        is_text(plain, expected);
    free(copy);
    return verdict;
}

#define WRAP(literal, expected) wrap(literal, sizeof(literal) - 1, sizeof(literal) - 1, expected)

static void test_wrap(void **state)
{
    (void)state;
    /* RFC 4121: sealed; signed with the checksum first, last, and rotated by the whole */
    assert_int_equal(WRAP("\x05\x04\x06\xff\x00\x00\x00\x1c\0\0\0\0\0\0\0\1xxxx", NULL), LDAP_WRAP_SEALED);
    assert_int_equal(WRAP("\x05\x04\x04\xff\x00\x04\x00\x04\0\0\0\0\0\0\0\1SSSSplain", "plain"),
                     LDAP_WRAP_SIGNED);
    assert_int_equal(WRAP("\x05\x04\x04\xff\x00\x04\x00\x00\0\0\0\0\0\0\0\1plainSSSS", "plain"),
                     LDAP_WRAP_SIGNED);
    assert_int_equal(WRAP("\x05\x04\x04\xff\x00\x04\x00\x09\0\0\0\0\0\0\0\1plainSSSS", "plain"),
                     LDAP_WRAP_SIGNED);
    assert_int_equal(WRAP("\x05\x04\x04\xff\x00\x04\x00\x02\0\0\0\0\0\0\0\1SSplainSS", NULL),
                     LDAP_WRAP_UNKNOWN);
    assert_int_equal(WRAP("\x05\x04\x04\xff\x00\x0a\x00\x00\0\0\0\0\0\0\0\1plainSSSS", NULL),
                     LDAP_WRAP_UNKNOWN);
    assert_int_equal(WRAP("\x05\x04\x04\xff\x00\x00\x00\x00\0\0\0\0\0\0\0\1", ""), LDAP_WRAP_SIGNED);
    assert_int_equal(WRAP("\x05\x04\x04\xff\x00\x04", NULL), LDAP_WRAP_UNKNOWN);
    assert_int_equal(wrap("\x05\x04\x04\xff\x00\x04", 6, 60, NULL), LDAP_WRAP_MORE);

    /* RFC 1964, RFC 4757 */
#define RC4(seal)                                                                                            \
    "\x60\x2f\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x02\x01\x11\x00" seal "\xff\xff"                   \
    "qqqqqqqqssssssssccccccccplain\x01"
    assert_int_equal(WRAP(RC4("\xff\xff"), "plain\x01"), LDAP_WRAP_SIGNED);
    assert_int_equal(WRAP(RC4("\x10\x00"), NULL), LDAP_WRAP_SEALED);
    assert_int_equal(wrap(RC4("\xff\xff"), 20, 53, NULL), LDAP_WRAP_MORE);
    assert_int_equal(wrap(RC4("\xff\xff"), 20, 20, NULL), LDAP_WRAP_UNKNOWN);
    assert_int_equal(
        WRAP("\x60\x2f\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x01\x11\x00\xff\xff\xff\xff"
             "qqqqqqqqssssssssccccccccplain",
             NULL),
        LDAP_WRAP_UNKNOWN);

    assert_int_equal(WRAP("\x01\0\0\0xxxxxxxxxxxxplain", "plain"), LDAP_WRAP_NTLM);
    assert_int_equal(wrap("\x01\0\0\0xxx", 7, 40, NULL), LDAP_WRAP_MORE);
    assert_int_equal(wrap("\x01\0\0\0xxx", 7, 7, NULL), LDAP_WRAP_UNKNOWN);
    assert_int_equal(WRAP("whatever", NULL), LDAP_WRAP_UNKNOWN);
    assert_int_equal(wrap("ab", 2, 2, NULL), LDAP_WRAP_UNKNOWN);
    assert_int_equal(wrap("ab", 2, 3, NULL), LDAP_WRAP_MORE);
}

static void test_ping(void **state)
{
    (void)state;
    static const char filter[] =
        "(&(DnsDomain=corp.example.)(Host=WS01)(User=anna)(AAC=\\10\\00\\00\\00)"
        "(DnsHostName=ws01.corp.example)(DomainSid=\\01\\00)"
        "(DomainGuid=\\01\\02\\03\\04\\05\\06\\07\\08\\09\\0a\\0b\\0c\\0d\\0e\\0f\\10)"
        "(cn=*)(Other=x)(NtVer=\\16\\00\\00\\20))";
    struct ldap_bytes b = {.size = 0};
    struct cldap_ping ping;
    const char *at = filter;
    lb_filter(&b, &at);
    assert_true(cldap_ping_read(cursor_of(b.data, b.size), &ping));
    is_text(ping.domain, "corp.example.");
    is_text(ping.host, "WS01");
    is_text(ping.user, "anna");
    is_text(ping.dns_host, "ws01.corp.example");
    assert_int_equal(ping.domain_sid.size, 2);
    assert_int_equal(ping.domain_guid.size, 16);
    assert_true(ping.has_account_control);
    assert_int_equal(ping.account_control, 16);
    assert_int_equal(ping.nt_version, 0x20000016);

    b.size = 0;
    at = "(DnsDomain=corp)";
    lb_filter(&b, &at);
    assert_false(cldap_ping_read(cursor_of(b.data, b.size), &ping));
    assert_int_equal(ping.domain.size, 0);
}

static void put_le32(struct ldap_bytes *b, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        lb_byte(b, value >> (8 * i) & 0xff);
}

static void response_ex(struct ldap_bytes *b)
{
    lb_raw(b, "\x17\x00\x00\x00", 4);
    put_le32(b, 0x0000f3fd);
    lb_raw(b, "0123456789abcdef", 16);
    lb_raw(b,
           "\x04"
           "corp\x07"
           "example\x00",
           14);               /* 24: forest */
    lb_raw(b, "\xc0\x18", 2); /* domain: the forest */
    lb_raw(b,
           "\x03"
           "dc1\xc0\x18",
           6); /* host */
    lb_raw(b,
           "\x04"
           "CORP\x00\x03"
           "DC1\x00",
           11);           /* NetBIOS */
    lb_raw(b, "\x00", 1); /* no user */
    lb_raw(b,
           "\x07"
           "Default\x00\xc0\x3a",
           11);                                                            /* sites */
    lb_raw(b, "\x10\x02\x00\x00\x00\x0a\x4d\x00\x0a\0\0\0\0\0\0\0\0", 17); /* address */
    put_le32(b, 0x20000016);
    lb_raw(b, "\xff\xff\xff\xff", 4);
}

static void test_netlogon_ex(void **state)
{
    (void)state;
    struct ldap_bytes b = {.size = 0};
    struct netlogon_response r;
    response_ex(&b);
    assert_true(netlogon_response_read((struct bytes){b.data, b.size}, &r));
    assert_int_equal(r.opcode, 23);
    assert_int_equal(r.flags, 0xf3fd);
    assert_memory_equal(r.domain_guid, "0123456789abcdef", 16);
    assert_string_equal(r.forest, "corp.example");
    assert_string_equal(r.domain, "corp.example");
    assert_string_equal(r.host, "dc1.corp.example");
    assert_string_equal(r.netbios_domain, "CORP");
    assert_string_equal(r.netbios_name, "DC1");
    assert_string_equal(r.user, "");
    assert_string_equal(r.site, "Default");
    assert_string_equal(r.client_site, "Default");
    assert_memory_equal(r.address, "\x0a\x4d\x00\x0a", 4);
    for (size_t size = 0; size + 26 < b.size; size++) { /* up to the optional tail */
        uint8_t *copy = malloc(size ? size : 1);
        assert_non_null(copy);
        memcpy(copy, b.data, size);
        assert_false(netlogon_response_read((struct bytes){copy, size}, &r));
        free(copy);
    }
}

static void test_netlogon_old(void **state)
{
    (void)state;
    struct ldap_bytes b = {.size = 0};
    struct netlogon_response r;
    lb_raw(&b, "\x13\0\\\0\\\0D\0C\0\0\0", 12);
    lb_raw(&b, "a\0\0\0", 4);
    lb_raw(&b, "C\0O\0\0\0", 6);
    size_t nt4 = b.size;
    lb_raw(&b, "0123456789abcdef\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 32);
    lb_raw(&b,
           "\x01"
           "f\x00\xc0\x36\x01"
           "h\xc0\x36",
           9);
    lb_raw(&b, "\x0a\x00\x00\x01", 4);
    put_le32(&b, 5);
    put_le32(&b, 3);
    lb_raw(&b, "\xff\xff\xff\xff", 4);
    assert_true(netlogon_response_read((struct bytes){b.data, b.size}, &r));
    assert_int_equal(r.opcode, 19);
    assert_int_equal(r.unicode_host.size, 8);
    assert_int_equal(r.unicode_user.size, 2);
    assert_int_equal(r.unicode_domain.size, 4);
    assert_true(r.has_domain_guid);
    assert_string_equal(r.forest, "f");
    assert_string_equal(r.domain, "f");
    assert_string_equal(r.host, "h.f");
    assert_int_equal(r.flags, 5);
    assert_memory_equal(r.address, "\x0a\x00\x00\x01", 4);

    b.size = nt4; /* the form of [MS-ADTS] 6.3.1.7 */
    put_le32(&b, 1);
    lb_raw(&b, "\xff\xff\xff\xff", 4);
    assert_true(netlogon_response_read((struct bytes){b.data, b.size}, &r));
    assert_false(r.has_domain_guid);
    assert_false(netlogon_response_read((struct bytes){b.data, 9}, &r));
    assert_false(netlogon_response_read(BYTES("\x07\x00"), &r));
}

/* Names that loop, point ahead, are too long or hold a label of a reserved sort. */
static void test_netlogon_names(void **state)
{
    (void)state;
    struct netlogon_response r;
    static const struct {
        const char *name;
        size_t size;
    } damaged[] = {
        {"\xc0\x18", 2},
        {"\x01"
         "a\xc0\x18",
         4},
        {"\xc0\x1a\x01"
         "a\x00",
         5},
        {"\x40", 1},
        {"\x80\x00", 2},
        {"\x05"
         "ab",
         3},
    };
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        struct ldap_bytes b = {.size = 0};
        lb_raw(&b, "\x17\0\0\0\0\0\0\0aaaaaaaaaaaaaaaa", 24);
        lb_raw(&b, damaged[i].name, damaged[i].size);
        assert_false(netlogon_response_read((struct bytes){b.data, b.size}, &r));
        assert_string_equal(r.domain, "");
    }
    struct ldap_bytes b = {.size = 0};
    lb_raw(&b, "\x17\0\0\0\0\0\0\0aaaaaaaaaaaaaaaa", 24);
    for (int i = 0; i < 5; i++) {
        lb_byte(&b, 63);
        for (int j = 0; j < 63; j++)
            lb_byte(&b, 'x');
    }
    lb_byte(&b, 0);
    assert_false(netlogon_response_read((struct bytes){b.data, b.size}, &r));
    assert_string_equal(r.forest, "");
}

/* Every reader on every prefix of every message: no read past the end (under ASan), and never "whole". */
static void test_truncated(void **state)
{
    (void)state;
    static const char *const attributes[] = {"cn", NULL};
    static const char *const pairs[] = {"cn=x", "sn=y", NULL};
    struct ldap_bytes b = {.size = 0};
    size_t ends[8];
    size_t count = 0;
    struct lb_message at = lb_begin(&b, 1, 0x63);
    lb_search_body(&b, "DC=example", 2, "(&(a=b)(c=*))", attributes);
    lb_end_with_control(&b, at, "1.2.3", NULL);
    ends[count++] = b.size;
    at = lb_begin(&b, 2, 0x68);
    lb_text(&b, 0x04, "DC=example");
    lb_attributes(&b, pairs);
    lb_end(&b, at);
    ends[count++] = b.size;
    at = lb_begin(&b, 3, 0x61);
    lb_result(&b, 14, "", "x");
    lb_text(&b, 0x87, "creds");
    lb_end(&b, at);
    ends[count++] = b.size;
    size_t begin = 0;
    for (size_t i = 0; i < count; begin = ends[i++]) {
        for (size_t size = 0; size < ends[i] - begin; size++) {
            uint8_t *copy = malloc(size ? size : 1);
            assert_non_null(copy);
            memcpy(copy, b.data + begin, size);
            struct cursor c = cursor_of(copy, size);
            struct ldap_message m;
            struct ldap_search_request search;
            struct ldap_add_request add;
            struct ldap_result result;
            struct ldap_attribute attribute;
            struct ldap_control control;
            struct bytes string;
            if (ldap_message_read(&c, &m)) {
                assert_true(c.failed);
                ldap_search_request_read(m.body, &search);
                while (ldap_next_string(&search.attributes, &string))
                    assert_true(string.data + string.size <= copy + size);
                ldap_add_request_read(m.body, &add);
                while (ldap_next_attribute(&add.attributes, &attribute))
                    assert_true(attribute.values.end <= copy + size);
                ldap_result_read(m.body, &result);
                while (ldap_next_control(&m.controls, &control))
                    assert_true(control.value.end <= copy + size);
            }
            free(copy);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_peek),
        cmocka_unit_test(test_bind),
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_extended),
        cmocka_unit_test(test_result),
        cmocka_unit_test(test_directory_error),
        cmocka_unit_test(test_entry),
        cmocka_unit_test(test_controls),
        cmocka_unit_test(test_wrap),
        cmocka_unit_test(test_ping),
        cmocka_unit_test(test_netlogon_ex),
        cmocka_unit_test(test_netlogon_old),
        cmocka_unit_test(test_netlogon_names),
        cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
