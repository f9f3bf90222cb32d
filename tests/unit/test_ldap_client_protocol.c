/* SPDX-License-Identifier: Apache-2.0
 *
 * What the directory's client says, read by the decoder that reads others' LDAP (capture/ldap.h): two
 * readings of RFC 4511 that were written apart. And its strict reader, its accounts and their secrets.
 */
#include "unit.h"

/* Both headers speak of results and bind methods. */
#define ldap_result      captured_result
#define ldap_bind_method captured_bind_method
#include "capture/ldap.h"
#include "capture/ldap_filter.h"
#undef ldap_result
#undef ldap_bind_method

#include "base/secret.h"
#include "sync/ldap_account.h"
#include "sync/ldap_protocol.h"
#include "sync/ldap_writer.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static uint8_t buffer[16384];

static struct ldap_message captured(size_t size)
{
    struct cursor c = cursor_of(buffer, size);
    struct ldap_message message;
    assert_true(size > 0);
    assert_true(ldap_message_read(&c, &message));
    assert_true(cursor_done(&c));
    return message;
}

static void is_text(struct bytes bytes, const char *text)
{
    assert_int_equal(bytes.size, strlen(text));
    assert_bytes_equal(bytes.data, text, bytes.size);
}

static void requests_are_read_by_the_other_decoder(void **state)
{
    (void)state;
    struct bytes secret = {(const uint8_t *)"secret", 6};
    struct ldap_message m = captured(ldap_write_bind_simple(buffer, sizeof buffer, 7, "CN=me", secret));
    struct ldap_bind_request bind;
    assert_int_equal(m.header.id, 7);
    assert_int_equal(m.header.operation, LDAP_BIND_REQUEST);
    assert_true(ldap_bind_request_read(m.body, &bind));
    assert_int_equal(bind.version, 3);
    assert_int_equal(bind.method, LDAP_METHOD_SIMPLE);
    assert_true(bind.password_sent);
    is_text(bind.name, "CN=me");

    m = captured(ldap_write_bind_sasl(buffer, sizeof buffer, 70000, "GSS-SPNEGO", secret));
    assert_int_equal(m.header.id, 70000);
    assert_true(ldap_bind_request_read(m.body, &bind));
    assert_int_equal(bind.method, LDAP_METHOD_SASL);
    is_text(bind.mechanism, "GSS-SPNEGO");
    assert_int_equal(cursor_left(&bind.credentials), 6);

    m = captured(ldap_write_unbind(buffer, sizeof buffer, 3));
    assert_int_equal(m.header.operation, LDAP_UNBIND_REQUEST);
    m = captured(ldap_write_abandon(buffer, sizeof buffer, 4, 128));
    assert_int_equal(m.header.operation, LDAP_ABANDON_REQUEST);
    assert_int_equal(ber_content_int(m.body), 128);
    m = captured(ldap_write_extended(buffer, sizeof buffer, 5, LDAP_OID_START_TLS));
    struct ldap_extended_request extended;
    assert_true(ldap_extended_request_read(m.body, &extended));
    is_text(extended.oid, LDAP_OID_START_TLS);
}

static void a_search_carries_its_controls(void **state)
{
    (void)state;
    static const char *const names[] = {"cn", "member;range=0-*", NULL};
    struct ldap_query query = {.base = "DC=x",
                               .scope = LDAP_ONE_LEVEL,
                               .filter = "(cn=*)",
                               .attributes = names,
                               .size_limit = 300,
                               .dirsync = true,
                               .dirsync_flags = 0x80000001u,
                               .dirsync_bytes = 1000000,
                               .cookie = {(const uint8_t *)"cookie", 6},
                               .page_size = 500,
                               .extended_dn = true,
                               .show_deleted = true};
    struct ldap_message m = captured(ldap_write_search(buffer, sizeof buffer, 9, &query));
    struct ldap_search_request search;
    assert_true(ldap_search_request_read(m.body, &search));
    is_text(search.base, "DC=x");
    assert_int_equal(search.scope, 1);
    assert_int_equal(search.dereference, 0);
    assert_int_equal(search.size_limit, 300);
    assert_int_equal(search.time_limit, 0);
    assert_false(search.types_only);
    struct bytes name;
    assert_true(ldap_next_string(&search.attributes, &name));
    is_text(name, "cn");
    assert_true(ldap_next_string(&search.attributes, &name));
    is_text(name, "member;range=0-*");
    assert_false(ldap_next_string(&search.attributes, &name));

    struct ldap_control control;
    assert_true(ldap_next_control(&m.controls, &control));
    is_text(control.oid, LDAP_OID_DIRSYNC);
    assert_true(control.critical);
    struct ldap_dirsync dirsync;
    assert_true(ldap_dirsync_read(control.value, &dirsync));
    assert_int_equal(dirsync.flags, 0x80000001u);
    assert_true(dirsync.cookie);
    assert_true(ldap_next_control(&m.controls, &control));
    is_text(control.oid, LDAP_OID_PAGED);
    struct ldap_paged paged;
    assert_true(ldap_paged_read(control.value, &paged));
    assert_int_equal(paged.size, 500);
    assert_true(paged.cookie);
    assert_true(ldap_next_control(&m.controls, &control));
    is_text(control.oid, LDAP_OID_EXTENDED_DN);
    uint32_t form;
    assert_true(ldap_sd_flags_read(control.value, &form)); /* SEQUENCE { INTEGER } as well */
    assert_int_equal(form, 1);
    assert_true(ldap_next_control(&m.controls, &control));
    is_text(control.oid, LDAP_OID_SHOW_DELETED);
    assert_true(control.critical);
    assert_false(ldap_next_control(&m.controls, &control));

    query = (struct ldap_query){.base = "", .filter = "(cn=*)"};
    m = captured(ldap_write_search(buffer, sizeof buffer, 9, &query));
    assert_true(cursor_done(&m.controls));
    assert_true(ldap_search_request_read(m.body, &search));
    assert_true(cursor_done(&search.attributes));
}

static size_t write_filter(const char *filter, size_t capacity)
{
    struct ldap_query query = {.base = "", .filter = filter};
    return ldap_write_search(buffer, capacity, 1, &query);
}

static void filters_come_out_as_they_went_in(void **state)
{
    (void)state;
    static const char *const filters[] = {
        "(cn=a)",
        "(objectClass=*)",
        "(&(a=1)(b=2))",
        "(|(a=1)(!(b=2))(c=*))",
        "(uSNChanged>=5)",
        "(uSNChanged<=5)",
        "(cn~=x)",
        "(cn=a*)",
        "(cn=*a)",
        "(cn=*a*)",
        "(cn=a*b*c)",
        "(cn=\\2a\\28\\29\\5c)",
        "(userAccountControl:1.2.840.113556.1.4.803:=8192)",
        "(cn:dn:2.5.13.2:=x)",
        "(cn:=x)",
        "(:1.2.3:=x)",
        "(cn=)",
    };
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
        struct ldap_message m = captured(write_filter(filters[i], sizeof buffer));
        struct ldap_search_request search;
        assert_true(ldap_search_request_read(m.body, &search));
        char text[512];
        struct ldap_filter_text printed = ldap_filter_print(search.filter, text, sizeof text);
        assert_false(printed.cut || printed.damaged);
        assert_int_equal(printed.size, strlen(filters[i]));
        assert_bytes_equal(text, filters[i], printed.size);
    }
    /* Any octet by its escape. */
    struct ldap_message m = captured(write_filter("(objectGUID=\\00\\fF\\7f)", sizeof buffer));
    assert_true(cursor_left(&m.body) > 0);
    static const uint8_t value[] = {0x00, 0xff, 0x7f};
    assert_non_null(memmem(buffer, sizeof buffer, value, sizeof value));
}

static void what_is_no_filter_is_refused(void **state)
{
    (void)state;
    static const char *const filters[] = {"",          "cn=a",      "(cn=a",        "(cn=a))", "(=a)",
                                          "(cn)",      "()",        "(&)",          "(!)",     "(cn=\\)",
                                          "(cn=\\4)",  "(cn=\\4g)", "(>=5)",        "(:=x)",   "(cn=(a)",
                                          "(&(a=1)b)", "(cn>=a*)",  "(!(a=1)(b=1))"};
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (write_filter(filters[i], sizeof buffer) != 0)
            fail_msg("%s was written", filters[i]);
    char deep[512] = "";
    for (int i = 0; i < 60; i++)
        strcat(deep, "(!");
    assert_int_equal(write_filter(deep, sizeof buffer), 0);
    strcat(deep, "(a=1)");
    for (int i = 0; i < 60; i++)
        strcat(deep, ")");
    assert_int_equal(write_filter(deep, sizeof buffer), 0);
    /* Each capacity that is too small, and the one that is not. */
    size_t size = write_filter("(&(cn=a*b)(d:=e))", sizeof buffer);
    for (size_t capacity = 0; capacity < size; capacity++)
        assert_int_equal(write_filter("(&(cn=a*b)(d:=e))", capacity), 0);
    assert_int_equal(write_filter("(&(cn=a*b)(d:=e))", size), size);
}

static void values_are_escaped_for_filters(void **state)
{
    (void)state;
    char to[64];
    static const uint8_t bad[] = {'a', '*', '(', ')', '\\', 0, 0xc3, 0xa4, 0x1f};
    assert_true(ldap_filter_escape(to, sizeof to, (struct bytes){bad, sizeof bad}));
    assert_string_equal(to, "a\\2a\\28\\29\\5c\\00\\c3\\a4\\1f");
    assert_true(ldap_filter_escape(to, 1, (struct bytes){0}));
    assert_string_equal(to, "");
    assert_false(ldap_filter_escape(to, 0, (struct bytes){0}));
    assert_false(ldap_filter_escape(to, 3, (struct bytes){bad, 2}));
    assert_false(ldap_filter_escape(to, 1, (struct bytes){bad, 1}));
    assert_true(ldap_filter_escape(to, 5, (struct bytes){bad, 2}));
}

static void integers_are_minimal(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        uint8_t bytes[10];
        size_t size;
    } cases[] = {
        {0, {2, 1, 0}, 3},
        {127, {2, 1, 127}, 3},
        {128, {2, 2, 0, 128}, 4},
        {-1, {2, 1, 0xff}, 3},
        {-128, {2, 1, 0x80}, 3},
        {-129, {2, 2, 0xff, 0x7f}, 4},
        {INT32_MIN, {2, 4, 0x80, 0, 0, 0}, 6},
        {INT64_MAX, {2, 8, 0x7f, 255, 255, 255, 255, 255, 255, 255}, 10},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ldap_writer w = {.to = buffer, .capacity = sizeof buffer};
        ldap_writer_int(&w, BER_INTEGER, cases[i].value);
        assert_int_equal(w.size, cases[i].size);
        assert_bytes_equal(buffer, cases[i].bytes, w.size);
    }
}

static void sizes_are_told_early(void **state)
{
    (void)state;
    static const uint8_t small[] = {0x30, 5, 2, 1, 1, 0x42, 0};
    static const uint8_t large[] = {0x30, 0x84, 0x02, 0x00, 0x00, 0x01};
    assert_int_equal(ldap_reply_size((struct bytes){small, 0}, 100), 0);
    assert_int_equal(ldap_reply_size((struct bytes){small, 1}, 100), 0);
    assert_int_equal(ldap_reply_size((struct bytes){small, 2}, 100), 7);
    for (size_t i = 0; i < sizeof large; i++)
        assert_int_equal(ldap_reply_size((struct bytes){large, i}, SIZE_MAX), 0);
    assert_int_equal(ldap_reply_size((struct bytes){large, sizeof large}, 0x2000001), 0x2000007);
    assert_int_equal(ldap_reply_size((struct bytes){large, sizeof large}, 0x2000000), SIZE_MAX);
    assert_int_equal(ldap_reply_size((struct bytes){(const uint8_t *)"\x31\x05", 2}, 100), SIZE_MAX);
    assert_int_equal(ldap_reply_size((struct bytes){(const uint8_t *)"\x30\x80", 2}, 100), SIZE_MAX);
    assert_int_equal(ldap_reply_size((struct bytes){(const uint8_t *)"\x30\x85", 2}, 100), SIZE_MAX);
}

static bool reads(const char *bytes, size_t size)
{
    struct ldap_reply reply;
    return ldap_reply_read((struct bytes){(const uint8_t *)bytes, size}, &reply);
}

static void damaged_replies_are_refused(void **state)
{
    (void)state;
    assert_true(reads("\x30\x05\x02\x01\x01\x42\x00", 7));
    assert_false(reads("\x30\x05\x02\x01\x01\x42\x00\x00", 8));          /* more behind it */
    assert_false(reads("\x30\x05\x02\x01\xff\x42\x00", 7));              /* a negative id */
    assert_false(reads("\x30\x08\x02\x04\x80\x00\x00\x00\x42\x00", 10)); /* likewise */
    assert_false(reads("\x30\x03\x02\x01\x01", 5));                      /* no operation */
    assert_false(reads("\x30\x05\x04\x01\x01\x42\x00", 7));              /* no id */
    assert_false(reads("\x30\x07\x02\x01\x01\x42\x00\xa0\x09", 9));      /* controls cut off */
    struct ldap_reply reply = {.operation = LDAP_OP_SEARCH_DONE};
    struct bytes cookie;
    bool more;
    static const uint8_t bad_control[] = {0x30, 0x02, 0x02, 0x00};
    reply.controls = cursor_of(bad_control, sizeof bad_control);
    assert_false(ldap_answer_cookie(&reply, true, &cookie, &more));
    static const uint8_t other_control[] = {0x30, 0x03, 0x04, 0x01, 'x'};
    reply.controls = cursor_of(other_control, sizeof other_control);
    assert_true(ldap_answer_cookie(&reply, true, &cookie, &more));
    assert_int_equal(cookie.size, 0);
    assert_false(more);
}

/* --- accounts --- */

static void secret_file(char *path, const void *text, size_t size, mode_t mode)
{
    (void)strcpy(path, "/tmp/picket-secret-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), (ssize_t)size);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void secrets_are_read_from_private_files(void **state)
{
    (void)state;
    char path[64], large[SECRET_MAX + 10];
    struct secret secret;
    struct fault fault;
    static const struct {
        const char *text, *secret;
    } good[] = {{"word", "word"}, {"word\n", "word"}, {"word\r\nmore\n", "word"}, {" a b \n", " a b "}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        secret_file(path, good[i].text, strlen(good[i].text), 0600);
        assert_true(secret_read(path, &secret, &fault));
        assert_int_equal(secret.size, strlen(good[i].secret));
        assert_string_equal((const char *)secret.bytes, good[i].secret);
        secret_wipe(&secret);
        assert_null(secret.bytes);
        unlink(path);
    }
    static const mode_t loose[] = {0644, 0640, 0604, 0620};
    for (size_t i = 0; i < 4; i++) {
        secret_file(path, "word", 4, loose[i]);
        assert_false(secret_read(path, &secret, &fault));
        assert_non_null(strstr(fault.text, "chmod 600"));
        assert_false(secret_file_check(path, &fault));
        unlink(path);
    }
    secret_file(path, "\n", 1, 0600);
    assert_false(secret_read(path, &secret, &fault));
    assert_non_null(strstr(fault.text, "is empty"));
    assert_true(secret_file_check(path, &fault));
    unlink(path);
    memset(large, 'x', sizeof large);
    secret_file(path, large, sizeof large, 0600);
    assert_false(secret_read(path, &secret, &fault));
    assert_non_null(strstr(fault.text, "1024 bytes"));
    unlink(path);
    assert_false(secret_read(path, &secret, &fault));
    assert_false(secret_file_check(path, &fault));
    assert_false(secret_read("/tmp", &secret, &fault));
    assert_non_null(strstr(fault.text, "no plain file"));
}

static void a_mended_file_is_noticed(void **state)
{
    (void)state;
    char path[64];
    secret_file(path, "one", 3, 0644);
    struct ldap_file_mark before = ldap_file_mark(path), same = ldap_file_mark(path);
    assert_true(ldap_file_mark_equal(&before, &same));
    struct timespec wait = {0, 20000000};
    nanosleep(&wait, NULL);
    assert_int_equal(chmod(path, 0600), 0);
    struct ldap_file_mark after = ldap_file_mark(path);
    assert_false(ldap_file_mark_equal(&before, &after));
    unlink(path);
    struct ldap_file_mark gone = ldap_file_mark(path), none = ldap_file_mark(NULL);
    assert_false(ldap_file_mark_equal(&after, &gone));
    assert_true(ldap_file_mark_equal(&none, &gone));
    struct ldap_account account = {.keytab = "k", .password_file = "p"};
    assert_string_equal(ldap_account_file(&account), "k");
    account.method = LDAP_BIND_SIMPLE;
    assert_string_equal(ldap_account_file(&account), "p");
}

static void accounts_have_an_order(void **state)
{
    (void)state;
    static const char *const domains[] = {
        "other.example", "example", "CORP.example", "a.corp.example", "orp.example", "child.corp.example",
        "corp.example",  ""};
    struct ldap_account accounts[8] = {0};
    unsigned order[8];
    for (unsigned i = 0; i < 8; i++)
        accounts[i].domain = domains[i];
    ldap_account_order("child.corp.example", accounts, 8, order);
    static const unsigned expected[] = {5, 2, 6, 1, 0, 3, 4, 7};
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(order[i], expected[i]);
}

static enum ldap_blame refusal(int code, const char *text, const char *words)
{
    struct fault fault;
    enum ldap_blame blame =
        ldap_bind_refusal(code, (struct bytes){(const uint8_t *)text, strlen(text)}, &fault);
    if (!strstr(fault.text, words))
        fail_msg("%s, not %s", fault.text, words);
    return blame;
}

static void refusals_have_words(void **state)
{
    (void)state;
    assert_int_equal(refusal(49,
                             "LdapErr: DSID-0C090446, comment: AcceptSecurityContext error, data 52e, v4563",
                             "wrong password"),
                     LDAP_BLAME_ACCOUNT);
    assert_int_equal(refusal(49, "data 532, v1db1", "expired"), LDAP_BLAME_ACCOUNT);
    assert_int_equal(refusal(49, "data 533", "disabled"), LDAP_BLAME_ACCOUNT);
    assert_int_equal(refusal(49, "data 701", "account has expired"), LDAP_BLAME_ACCOUNT);
    assert_int_equal(refusal(49, "data 773", "must be changed"), LDAP_BLAME_ACCOUNT);
    assert_int_equal(refusal(49, "data 525", "no such account"), LDAP_BLAME_ACCOUNT);
    assert_int_equal(refusal(49, "data 80090346, v1", "channel binding"), LDAP_BLAME_CONTROLLER);
    assert_int_equal(refusal(49, "simple bind failed\x1b[2J", "(simple bind failed\\u001b"),
                     LDAP_BLAME_ACCOUNT);
    assert_int_equal(refusal(49, "", "name or password"), LDAP_BLAME_ACCOUNT);
    assert_int_equal(refusal(49, "data ", "name or password"), LDAP_BLAME_ACCOUNT);
    assert_int_equal(refusal(34, "", "name or kind"), LDAP_BLAME_ACCOUNT);
    assert_int_equal(refusal(8, "", "sealed or under TLS"), LDAP_BLAME_CONTROLLER);
    assert_int_equal(refusal(51, "busy", "code 51 (busy)"), LDAP_BLAME_CONTROLLER);
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read_by_the_other_decoder),
        cmocka_unit_test(a_search_carries_its_controls),
        cmocka_unit_test(filters_come_out_as_they_went_in),
        cmocka_unit_test(what_is_no_filter_is_refused),
        cmocka_unit_test(values_are_escaped_for_filters),
        cmocka_unit_test(integers_are_minimal),
        cmocka_unit_test(sizes_are_told_early),
        cmocka_unit_test(damaged_replies_are_refused),
        cmocka_unit_test(secrets_are_read_from_private_files),
        cmocka_unit_test(a_mended_file_is_noticed),
        cmocka_unit_test(accounts_have_an_order),
        cmocka_unit_test(refusals_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
