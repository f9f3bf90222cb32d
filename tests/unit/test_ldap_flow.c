/* SPDX-License-Identifier: Apache-2.0
 *
 * LDAP through the whole engine: connections made here, and real captures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "capture/ldap.h"
#include "tests/unit/harness.h"
#include "tests/unit/ldap_bytes.h"
#include "tests/unit/packets.h"

#define SECOND INT64_C(1000000000)

struct talk {
    struct harness h;
    uint32_t sequence[2]; /* of the client, of the server */
    int64_t time;
    uint16_t port;
};

static void send_flags(struct talk *t, enum direction direction, unsigned flags, const void *data,
                       size_t size)
{
    static struct frame_bytes f;
    bool up = direction == TO_SERVER;
    f.size = 0;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 6, up ? 1 : 2, up ? 2 : 1, size + 20, 0, 0, false);
    put_tcp(&f, up ? 50000 : t->port, up ? t->port : 50000, t->sequence[direction], t->sequence[!direction],
            flags);
    put(&f, data, size);
    struct packet packet = frame_packet(&f, DLT_EN10MB, t->time);
    engine_packet(t->h.engine, &packet);
    packet_free(&packet);
    t->sequence[direction] += (uint32_t)size + ((flags & (FLAG_SYN | FLAG_FIN)) != 0);
    t->time += 1000000;
}

static void say_part(struct talk *t, enum direction direction, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at < size; at += 1400)
        send_flags(t, direction, FLAG_ACK, data + at, size - at < 1400 ? size - at : 1400);
}

static void say(struct talk *t, enum direction direction, const struct ldap_bytes *b)
{
    say_part(t, direction, b->data, b->size);
}

static void talk_open_on(struct talk *t, uint16_t port)
{
    *t = (struct talk){.time = SECOND, .port = port, .sequence = {100, 900}};
    harness_open(&t->h, NULL);
    send_flags(t, TO_SERVER, FLAG_SYN, NULL, 0);
    send_flags(t, TO_CLIENT, FLAG_SYN | FLAG_ACK, NULL, 0);
    send_flags(t, TO_SERVER, FLAG_ACK, NULL, 0);
}

static void talk_open(struct talk *t)
{
    talk_open_on(t, 389);
}

static void talk_finish(struct talk *t)
{
    engine_finish(t->h.engine);
    (void)engine_stats(t->h.engine);
    assert_int_equal(t->h.broken, 0);
}

static void say_simple_bind(struct talk *t, int64_t id, const char *name, const char *password)
{
    struct ldap_bytes b = {.size = 0};
    struct lb_message m = lb_begin(&b, id, 0x60);
    lb_int(&b, 0x02, 3);
    lb_text(&b, 0x04, name);
    lb_text(&b, 0x80, password);
    lb_end(&b, m);
    say(t, TO_SERVER, &b);
}

static void say_sasl_bind(struct talk *t, int64_t id, const char *mechanism, const void *token, size_t size)
{
    struct ldap_bytes b = {.size = 0};
    struct lb_message m = lb_begin(&b, id, 0x60);
    lb_int(&b, 0x02, 3);
    lb_text(&b, 0x04, "");
    size_t sasl = lb_open(&b, 0xa3);
    lb_text(&b, 0x04, mechanism);
    if (token)
        lb_octets(&b, 0x04, token, size);
    lb_close(&b, sasl);
    lb_end(&b, m);
    say(t, TO_SERVER, &b);
}

static void say_result(struct talk *t, int64_t id, unsigned operation, unsigned code, const char *diagnostic)
{
    struct ldap_bytes b = {.size = 0};
    struct lb_message m = lb_begin(&b, id, operation);
    lb_result(&b, code, "", diagnostic);
    lb_end(&b, m);
    say(t, TO_CLIENT, &b);
}

static void say_bind_result(struct talk *t, int64_t id, unsigned code, const void *token, size_t size)
{
    struct ldap_bytes b = {.size = 0};
    struct lb_message m = lb_begin(&b, id, 0x61);
    lb_result(&b, code, "", "");
    if (token)
        lb_octets(&b, 0x87, token, size);
    lb_end(&b, m);
    say(t, TO_CLIENT, &b);
}

static void put_search(struct ldap_bytes *b, int64_t id, const char *filter)
{
    static const char *const attributes[] = {"cn", "servicePrincipalName", NULL};
    struct lb_message m = lb_begin(b, id, 0x63);
    lb_search_body(b, "DC=corp,DC=example", 2, filter, attributes);
    lb_end(b, m);
}

static void put_entry(struct ldap_bytes *b, int64_t id, const char *name, size_t bulk)
{
    static uint8_t photo[8000];
    struct lb_message m = lb_begin(b, id, 0x64);
    lb_text(b, 0x04, name);
    size_t list = lb_open(b, 0x30);
    size_t attribute = lb_open(b, 0x30);
    lb_text(b, 0x04, "thumbnailPhoto");
    size_t values = lb_open(b, 0x31);
    lb_octets(b, 0x04, photo, bulk);
    lb_close(b, values);
    lb_close(b, attribute);
    lb_close(b, list);
    lb_end(b, m);
}

static struct harness_record *only(const struct talk *t, enum activity_kind kind)
{
    assert_int_equal(harness_count(&t->h, kind), 1);
    return harness_find(&t->h, kind, 0);
}

/* -- binds ---------------------------------------------------------------------------------------- */

static void test_simple_bind(void **state)
{
    (void)state;
    struct talk t;
    talk_open(&t);
    say_simple_bind(&t, 1, "CORP\\anna", "Geheim-7391");
    say_result(&t, 1, 0x61, 49,
               "80090308: LdapErr: DSID-0C090400, comment: AcceptSecurityContext error, data 52e, v1db1");
    say_simple_bind(&t, 2, "CORP\\anna", "Geheim-7392");
    say_result(&t, 2, 0x61, 0, "");
    talk_finish(&t);
    struct harness_record *r = harness_find(&t.h, ACTIVITY_LDAP_BIND, 0);
    assert_string_equal(harness_text(r, FIELD_BIND_METHOD), "simple");
    assert_string_equal(harness_text(r, FIELD_ACCOUNT), "CORP\\anna");
    assert_true(harness_bool(r, FIELD_PASSWORD_SENT));
    assert_int_equal(harness_uint(r, FIELD_STATUS), 49);
    assert_int_equal(harness_uint(r, FIELD_DIRECTORY_ERROR), 0x52e);
    assert_int_equal(harness_uint(r, FIELD_DURATION), 1000000);
    r = harness_find(&t.h, ACTIVITY_LDAP_BIND, 1);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0);
    assert_false(harness_has(r, FIELD_DIRECTORY_ERROR));
    for (size_t i = 0; i < t.h.size; i++) /* the password is nowhere */
        assert_null(strstr(t.h.records[i]->json, "Geheim"));
    harness_close(&t.h);
}

static void test_anonymous_bind(void **state)
{
    (void)state;
    struct talk t;
    talk_open(&t);
    say_simple_bind(&t, 1, "", "");
    say_result(&t, 1, 0x61, 0, "");
    say_simple_bind(&t, 2, "CN=x", "");
    say_result(&t, 2, 0x61, 0, "");
    struct ldap_bytes b = {.size = 0};
    put_search(&b, 3, "(cn=*)");
    say(&t, TO_SERVER, &b);
    say_result(&t, 3, 0x65, 1, "000004DC: LdapErr: DSID-0C090A71");
    talk_finish(&t);
    assert_true(harness_bool(harness_find(&t.h, ACTIVITY_LDAP_BIND, 0), FIELD_ANONYMOUS_BIND));
    assert_true(harness_bool(harness_find(&t.h, ACTIVITY_LDAP_BIND, 1), FIELD_UNAUTHENTICATED_BIND));
    struct harness_record *r = only(&t, ACTIVITY_LDAP_SEARCH);
    assert_false(harness_has(r, FIELD_ACCOUNT)); /* nobody, though a name was given */
    assert_int_equal(harness_uint(r, FIELD_DIRECTORY_ERROR), 0x4dc);
    harness_close(&t.h);
}

static void test_digest_bind(void **state)
{
    (void)state;
    static const char response[] = "charset=utf-8,username=\"anna\",realm=\"corp.example\",nonce=\"x\"";
    struct talk t;
    talk_open(&t);
    say_sasl_bind(&t, 1, "DIGEST-MD5", NULL, 0);
    say_bind_result(&t, 1, 14, "nonce=\"x\"", 9);
    say_sasl_bind(&t, 2, "DIGEST-MD5", response, sizeof response - 1);
    say_bind_result(&t, 2, 0, "rspauth=1", 9);
    talk_finish(&t);
    struct harness_record *r = only(&t, ACTIVITY_LDAP_BIND);
    assert_string_equal(harness_text(r, FIELD_SASL_MECHANISM), "DIGEST-MD5");
    assert_string_equal(harness_text(r, FIELD_ACCOUNT), "anna");
    assert_string_equal(harness_text(r, FIELD_ACCOUNT_DOMAIN), "corp.example");
    assert_int_equal(harness_uint(r, FIELD_BIND_LEGS), 2);
    harness_close(&t.h);
}

/* A second exchange begins before the first was answered; the flow ends before the second is. */
static void test_bind_given_up(void **state)
{
    (void)state;
    struct talk t;
    talk_open(&t);
    say_sasl_bind(&t, 1, "GSSAPI", "\x60\x00", 2);
    say_simple_bind(&t, 2, "CN=x", "y");
    say_result(&t, 2, 0x61, 0, "");
    say_sasl_bind(&t, 3, "GSSAPI", "\x60\x00", 2);
    say_bind_result(&t, 3, 14, "x", 1);
    talk_finish(&t);
    assert_int_equal(harness_count(&t.h, ACTIVITY_LDAP_BIND), 3);
    size_t unanswered = 0;
    for (size_t i = 0; i < 3; i++)
        unanswered += harness_has(harness_find(&t.h, ACTIVITY_LDAP_BIND, i), FIELD_ANSWERED);
    assert_int_equal(unanswered, 2);
    harness_close(&t.h);
}

/* -- searches ------------------------------------------------------------------------------------- */

static void test_search(void **state)
{
    (void)state;
    struct talk t;
    talk_open(&t);
    say_simple_bind(&t, 1, "anna@corp.example", "x");
    say_result(&t, 1, 0x61, 0, "");
    struct ldap_bytes b = {.size = 0};
    put_search(&b, 2, "(&(objectClass=user)(servicePrincipalName=*))");
    put_search(&b, 3, "(cn=b)"); /* two at once, their entries mixed */
    say(&t, TO_SERVER, &b);
    b.size = 0;
    for (int i = 0; i < 12; i++) {
        char name[32];
        snprintf(name, sizeof name, "CN=user%d,DC=example", i);
        put_entry(&b, 2, name, 300);
        if (i % 4 == 0)
            put_entry(&b, 3, "CN=b", 5000);
        say(&t, TO_CLIENT, &b);
        b.size = 0;
    }
    struct lb_message m = lb_begin(&b, 2, 0x73);
    lb_text(&b, 0x04, "ldap://other.example/DC=example");
    lb_end(&b, m);
    say(&t, TO_CLIENT, &b);
    say_result(&t, 2, 0x65, 0, "");
    say_result(&t, 3, 0x65, 4, "");
    talk_finish(&t);
    struct harness_record *r = harness_find(&t.h, ACTIVITY_LDAP_SEARCH, 0);
    assert_string_equal(harness_text(r, FIELD_ACCOUNT), "anna@corp.example");
    assert_string_equal(harness_text(r, FIELD_SEARCH_BASE), "DC=corp,DC=example");
    assert_int_equal(harness_uint(r, FIELD_SEARCH_SCOPE), 2);
    assert_string_equal(harness_text(r, FIELD_SEARCH_FILTER),
                        "(&(objectClass=user)(servicePrincipalName=*))");
    assert_int_equal(activity_get(r->activity, FIELD_LDAP_ATTRIBUTES)->list.count, 2);
    assert_int_equal(harness_uint(r, FIELD_ENTRIES), 12);
    assert_int_equal(harness_uint(r, FIELD_REFERENCES), 1);
    assert_int_equal(activity_get(r->activity, FIELD_RETURNED_NAMES)->list.count, 8);
    r = harness_find(&t.h, ACTIVITY_LDAP_SEARCH, 1);
    assert_int_equal(harness_uint(r, FIELD_ENTRIES), 3);
    assert_true(harness_uint(r, FIELD_RESULT_BYTES) > 15000);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 4);
    assert_int_equal(t.h.counts->ldap[LDAP_SEARCH_ENTRY], 15);
    assert_int_equal(t.h.stats->protocol[PROTOCOL_LDAP].malformed, 0);
    assert_true(t.h.stats->skipped_bytes > 12000); /* the photos were stepped over */
    harness_close(&t.h);
}

static void test_search_controls(void **state)
{
    (void)state;
    static const struct {
        const char *oid;
        const char *value;
        size_t size;
    } controls[] = {
        {"1.2.840.113556.1.4.319", "\x30\x06\x02\x01\x64\x04\x01x", 8},
        {"1.2.840.113556.1.4.841", "\x30\x09\x02\x01\x01\x02\x01\x00\x04\x01x", 11},
        {"1.2.840.113556.1.4.801", "\x30\x03\x02\x01\x07", 5},
        {"1.2.840.113556.1.4.417", NULL, 0},
        {"1.2.840.113556.1.4.529", NULL, 0},
    };
    struct talk t;
    talk_open(&t);
    struct ldap_bytes b;
    for (size_t i = 0; i < 5; i++) {
        struct ldap_bytes value = {.size = 0};
        lb_raw(&value, controls[i].value, controls[i].size);
        b.size = 0;
        struct lb_message m = lb_begin(&b, (int64_t)i + 1, 0x63);
        lb_search_body(&b, "", 0, "(a=b)", NULL);
        lb_end_with_control(&b, m, controls[i].oid, controls[i].size ? &value : NULL);
        say(&t, TO_SERVER, &b);
        b.size = 0;
        m = lb_begin(&b, (int64_t)i + 1, 0x65);
        lb_result(&b, 0, "", "");
        lb_end_with_control(&b, m, controls[i].oid, controls[i].size ? &value : NULL);
        say(&t, TO_CLIENT, &b);
    }
    talk_finish(&t);
    struct harness_record *r = harness_find(&t.h, ACTIVITY_LDAP_SEARCH, 0);
    assert_int_equal(harness_uint(r, FIELD_PAGE_SIZE), 100);
    assert_true(harness_bool(r, FIELD_PAGE_COOKIE));
    assert_true(harness_bool(r, FIELD_MORE_RESULTS));
    assert_int_equal(activity_get(r->activity, FIELD_LDAP_CONTROLS)->list.count, 1);
    r = harness_find(&t.h, ACTIVITY_LDAP_SEARCH, 1);
    assert_int_equal(harness_uint(r, FIELD_DIRSYNC_FLAGS), 1);
    assert_true(harness_bool(r, FIELD_DIRSYNC_COOKIE));
    assert_true(harness_bool(r, FIELD_MORE_RESULTS));
    assert_int_equal(harness_uint(harness_find(&t.h, ACTIVITY_LDAP_SEARCH, 2), FIELD_SD_FLAGS), 7);
    assert_true(harness_bool(harness_find(&t.h, ACTIVITY_LDAP_SEARCH, 3), FIELD_SHOW_DELETED));
    assert_true(harness_bool(harness_find(&t.h, ACTIVITY_LDAP_SEARCH, 4), FIELD_EXTENDED_DN));
    harness_close(&t.h);
}

/* More searches at once than are counted: each still gets its result; and one whose end never comes still
 * tells what it returned. */
static void test_many_searches(void **state)
{
    (void)state;
    struct talk t;
    talk_open(&t);
    struct ldap_bytes b;
    for (int64_t id = 1; id <= 40; id++) {
        b.size = 0;
        put_search(&b, id, "(cn=*)");
        say(&t, TO_SERVER, &b);
    }
    for (int64_t id = 1; id <= 40; id++) {
        b.size = 0;
        put_entry(&b, id, "CN=a", 10);
        say(&t, TO_CLIENT, &b);
        if (id < 40)
            say_result(&t, id, 0x65, 0, "");
    }
    talk_finish(&t);
    assert_int_equal(harness_count(&t.h, ACTIVITY_LDAP_SEARCH), 40);
    size_t counted = 0;
    size_t unanswered = 0;
    for (size_t i = 0; i < 40; i++) {
        struct harness_record *r = harness_find(&t.h, ACTIVITY_LDAP_SEARCH, i);
        counted += harness_uint(r, FIELD_ENTRIES);
        unanswered += harness_has(r, FIELD_ANSWERED);
    }
    assert_int_equal(counted, 16);
    assert_int_equal(unanswered, 1);
    harness_close(&t.h);
}

/* A search that returns entries for longer than a reply is waited for. */
static void test_long_search(void **state)
{
    (void)state;
    struct talk t;
    talk_open(&t);
    struct ldap_bytes b = {.size = 0};
    put_search(&b, 1, "(cn=*)");
    say(&t, TO_SERVER, &b);
    for (int i = 0; i < 20; i++) {
        t.time += 15 * SECOND;
        b.size = 0;
        put_entry(&b, 1, "", 10);
        say(&t, TO_CLIENT, &b);
    }
    say_result(&t, 1, 0x65, 0, "");
    talk_finish(&t);
    struct harness_record *r = only(&t, ACTIVITY_LDAP_SEARCH);
    assert_false(harness_has(r, FIELD_ANSWERED));
    assert_int_equal(harness_uint(r, FIELD_ENTRIES), 20);
    assert_true(harness_uint(r, FIELD_DURATION) > (uint64_t)(300 * SECOND));
    harness_close(&t.h);
}

/* After a lost segment the next entry is found within the segment in which it begins. */
static void test_lost_segment(void **state)
{
    (void)state;
    struct talk t;
    talk_open(&t);
    struct ldap_bytes b = {.size = 0};
    put_search(&b, 1, "(cn=*)");
    say(&t, TO_SERVER, &b);
    b.size = 0;
    for (int i = 0; i < 10; i++)
        put_entry(&b, 1, "CN=somebody", 300);
    size_t entry = b.size / 10;
    size_t lost = entry * 2 + entry / 2;
    say_part(&t, TO_CLIENT, b.data, lost);
    t.sequence[TO_CLIENT] += 10; /* within the third entry */
    say_part(&t, TO_CLIENT, b.data + lost + 10, b.size - lost - 10);
    send_flags(&t, TO_SERVER, FLAG_ACK, NULL, 0);
    say_result(&t, 1, 0x65, 0, "");
    talk_finish(&t);
    assert_int_equal(harness_uint(only(&t, ACTIVITY_LDAP_SEARCH), FIELD_ENTRIES), 9);
    harness_close(&t.h);
}

/* -- changes -------------------------------------------------------------------------------------- */

static void test_modify(void **state)
{
    (void)state;
    static const uint8_t sid[] = {1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0};
    struct talk t;
    talk_open(&t);
    struct ldap_bytes b = {.size = 0};
    struct lb_message m = lb_begin(&b, 9, 0x66);
    lb_text(&b, 0x04, "CN=x,DC=example");
    size_t changes = lb_open(&b, 0x30);
    lb_change(&b, 0, "member", "CN=anna", 7);
    lb_change(&b, 1, "servicePrincipalName", "host/x", 6);
    lb_change(&b, 2, "unicodePwd", "Geheim", 6);
    lb_change(&b, 2, "msDS-KeyCredentialLink", "Geheim", 6);
    lb_change(&b, 0, "sIDHistory", sid, sizeof sid);
    lb_change(&b, 2, "userAccountControl;range=0-1", "512", 3);
    lb_change(&b, 3, "x", "1", 1);
    lb_change(&b, 9, "y", "1", 1);
    lb_close(&b, changes);
    lb_end(&b, m);
    say(&t, TO_SERVER, &b);
    say_result(&t, 9, 0x67, 50,
               "00002098: SecErr: DSID-03150F94, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0\n");
    talk_finish(&t);
    struct harness_record *r = only(&t, ACTIVITY_LDAP_MODIFY);
    assert_non_null(strstr(r->json, "[\"add:member\",\"delete:servicePrincipalName\",\"replace:unicodePwd\","
                                    "\"replace:msDS-KeyCredentialLink\",\"add:sIDHistory\","
                                    "\"replace:userAccountControl\",\"increment:x\",\"unknown:y\"]"));
    assert_non_null(strstr(r->json, "[\"add:member=CN=anna\",\"delete:servicePrincipalName=host/x\","
                                    "\"add:sIDHistory=S-1-5-32-544\",\"replace:userAccountControl=512\"]"));
    assert_null(strstr(r->json, "Geheim"));
    assert_int_equal(harness_uint(r, FIELD_STATUS), 50);
    assert_int_equal(harness_uint(r, FIELD_DIRECTORY_ERROR), 0x2098);
    harness_close(&t.h);
}

/* More and longer values than are kept. */
static void test_modify_bounds(void **state)
{
    (void)state;
    static uint8_t value[600];
    memset(value, 'v', sizeof value);
    struct talk t;
    talk_open(&t);
    struct ldap_bytes b = {.size = 0};
    struct lb_message m = lb_begin(&b, 9, 0x66);
    lb_text(&b, 0x04, "CN=x");
    size_t changes = lb_open(&b, 0x30);
    lb_change(&b, 0, "member", value, sizeof value);
    for (int i = 0; i < 70; i++)
        lb_change(&b, 0, "member", "m", 1);
    lb_close(&b, changes);
    lb_end(&b, m);
    say(&t, TO_SERVER, &b);
    talk_finish(&t);
    struct harness_record *r = only(&t, ACTIVITY_LDAP_MODIFY);
    assert_int_equal(activity_get(r->activity, FIELD_CHANGES)->list.count, 71);
    assert_int_equal(activity_get(r->activity, FIELD_ATTRIBUTE_VALUES)->list.count, 64);
    assert_true(harness_bool(r, FIELD_TRUNCATED));
    assert_true(harness_has(r, FIELD_ANSWERED));
    harness_close(&t.h);
}

static void test_other_operations(void **state)
{
    (void)state;
    static const char *const pairs[] = {"objectClass=computer", "sAMAccountName=EVIL$", "unicodePwd=Geheim",
                                        NULL};
    struct talk t;
    talk_open(&t);
    struct ldap_bytes b = {.size = 0};
    struct lb_message m = lb_begin(&b, 1, 0x68);
    lb_text(&b, 0x04, "CN=evil,DC=example");
    lb_attributes(&b, pairs);
    lb_end(&b, m);
    m = lb_begin(&b, 2, 0x6c);
    lb_text(&b, 0x04, "CN=evil,DC=example");
    lb_text(&b, 0x04, "CN=good");
    lb_raw(&b, "\x01\x01\xff", 3);
    lb_text(&b, 0x80, "OU=Staff,DC=example");
    lb_end(&b, m);
    m = lb_begin(&b, 3, 0x4a);
    lb_raw(&b, "CN=good", 7);
    lb_end_with_control(&b, m, "1.2.840.113556.1.4.805", NULL);
    m = lb_begin(&b, 4, 0x6e);
    lb_text(&b, 0x04, "CN=good");
    size_t assertion = lb_open(&b, 0x30);
    lb_text(&b, 0x04, "userPassword");
    lb_text(&b, 0x04, "Geheim");
    lb_close(&b, assertion);
    lb_end(&b, m);
    m = lb_begin(&b, 5, 0x50);
    lb_byte(&b, 4);
    lb_end(&b, m);
    say(&t, TO_SERVER, &b);
    say_result(&t, 1, 0x69, 0, "");
    say_result(&t, 2, 0x6d, 0, "");
    say_result(&t, 3, 0x6b, 0, "");
    say_result(&t, 4, 0x6f, 5, "");
    b.size = 0;
    m = lb_begin(&b, 6, 0x79);
    lb_end(&b, m);
    say(&t, TO_CLIENT, &b);
    talk_finish(&t);
    struct harness_record *r = only(&t, ACTIVITY_LDAP_ADD);
    assert_string_equal(harness_text(r, FIELD_LDAP_DN), "CN=evil,DC=example");
    assert_non_null(strstr(r->json, "[\"objectClass\",\"sAMAccountName\",\"unicodePwd\"]"));
    assert_non_null(strstr(r->json, "[\"objectClass=computer\",\"sAMAccountName=EVIL$\"]"));
    r = only(&t, ACTIVITY_LDAP_MODIFY_DN);
    assert_string_equal(harness_text(r, FIELD_NEW_RDN), "CN=good");
    assert_string_equal(harness_text(r, FIELD_NEW_SUPERIOR), "OU=Staff,DC=example");
    assert_true(harness_bool(r, FIELD_DELETE_OLD_RDN));
    r = only(&t, ACTIVITY_LDAP_DELETE);
    assert_string_equal(harness_text(r, FIELD_LDAP_DN), "CN=good");
    assert_true(harness_has(r, FIELD_LDAP_CONTROLS));
    r = only(&t, ACTIVITY_LDAP_COMPARE);
    assert_string_equal(harness_text(r, FIELD_COMPARED_ATTRIBUTE), "userPassword");
    assert_int_equal(harness_uint(r, FIELD_STATUS), 5);
    for (size_t i = 0; i < t.h.size; i++)
        assert_null(strstr(t.h.records[i]->json, "Geheim"));
    assert_int_equal(t.h.counts->ldap[LDAP_ABANDON_REQUEST], 1);
    assert_int_equal(t.h.counts->ldap[LDAP_INTERMEDIATE_RESPONSE], 1);
    harness_close(&t.h);
}

static void say_extended(struct talk *t, int64_t id, const char *oid, const struct ldap_bytes *value)
{
    struct ldap_bytes b = {.size = 0};
    struct lb_message m = lb_begin(&b, id, 0x77);
    lb_text(&b, 0x80, oid);
    if (value)
        lb_octets(&b, 0x81, value->data, value->size);
    lb_end(&b, m);
    say(t, TO_SERVER, &b);
}

static void test_extended(void **state)
{
    (void)state;
    struct talk t;
    talk_open(&t);
    struct ldap_bytes value = {.size = 0};
    size_t sequence = lb_open(&value, 0x30);
    lb_text(&value, 0x80, "uid=anna");
    lb_text(&value, 0x82, "Geheim");
    lb_close(&value, sequence);
    say_extended(&t, 1, "1.3.6.1.4.1.4203.1.11.1", &value);
    struct ldap_bytes b = {.size = 0};
    struct lb_message m = lb_begin(&b, 1, 0x78);
    lb_result(&b, 0, "", "");
    lb_text(&b, 0x8b, "Geheim-2");
    lb_end(&b, m);
    say(&t, TO_CLIENT, &b);
    say_extended(&t, 2, "1.3.6.1.4.1.4203.1.11.3", NULL);
    b.size = 0;
    m = lb_begin(&b, 2, 0x78);
    lb_result(&b, 0, "", "");
    lb_text(&b, 0x8b, "u:CORP\\anna");
    lb_end(&b, m);
    say(&t, TO_CLIENT, &b);
    b.size = 0;
    put_search(&b, 3, "(a=b)");
    say(&t, TO_SERVER, &b);
    b.size = 0;
    m = lb_begin(&b, 0, 0x78);
    lb_result(&b, 52, "", "shutting down");
    lb_text(&b, 0x8a, "1.3.6.1.4.1.1466.20036");
    lb_end(&b, m);
    say(&t, TO_CLIENT, &b);
    talk_finish(&t);
    struct harness_record *r = harness_find(&t.h, ACTIVITY_LDAP_EXTENDED, 0);
    assert_string_equal(harness_text(r, FIELD_AUTHORIZATION_IDENTITY), "uid=anna");
    r = harness_find(&t.h, ACTIVITY_LDAP_EXTENDED, 1);
    assert_string_equal(harness_text(r, FIELD_AUTHORIZATION_IDENTITY), "u:CORP\\anna");
    assert_string_equal(harness_text(only(&t, ACTIVITY_LDAP_SEARCH), FIELD_ACCOUNT), "CORP\\anna");
    r = only(&t, ACTIVITY_LDAP_NOTIFICATION);
    assert_string_equal(harness_text(r, FIELD_EXTENDED_OID), "1.3.6.1.4.1.1466.20036");
    assert_int_equal(harness_uint(r, FIELD_STATUS), 52);
    for (size_t i = 0; i < t.h.size; i++)
        assert_null(strstr(t.h.records[i]->json, "Geheim"));
    harness_close(&t.h);
}

/* After StartTLS succeeded nothing more is taken for LDAP; after it failed all is. */
static void test_starttls(void **state)
{
    (void)state;
    for (unsigned code = 0; code < 3; code += 2) {
        struct talk t;
        talk_open(&t);
        say_extended(&t, 1, "1.3.6.1.4.1.1466.20037", NULL);
        say_result(&t, 1, 0x78, code, "");
        struct ldap_bytes b = {.size = 0};
        put_search(&b, 2, "(a=b)");
        say(&t, TO_SERVER, &b);
        talk_finish(&t);
        assert_int_equal(t.h.counts->ldap[LDAP_SEARCH_REQUEST], code ? 1 : 0);
        harness_close(&t.h);
    }
}

/* -- security layer ------------------------------------------------------------------------------- */

static void say_buffer(struct talk *t, enum direction direction, const void *head, size_t head_size,
                       const struct ldap_bytes *inner)
{
    struct ldap_bytes b = {.size = 0};
    size_t size = head_size + inner->size;
    for (int i = 3; i >= 0; i--)
        lb_byte(&b, (unsigned)(size >> (8 * i)) & 0xff);
    lb_raw(&b, head, head_size);
    lb_raw(&b, inner->data, inner->size);
    say(t, direction, &b);
}

static const char signed_head[] = "\x05\x04\x04\xff\x00\x04\x00\x04\0\0\0\0\0\0\0\1SSSS";
static const char sealed_head[] = "\x05\x04\x06\xff\x00\x00\x00\x1c\0\0\0\0\0\0\0\1";
static const char ntlm_head[] = "\1\0\0\0SSSSSSSSNNNN";

static void test_signed(void **state)
{
    (void)state;
    struct talk t;
    talk_open(&t);
    say_sasl_bind(&t, 1, "GSS-SPNEGO", "\x60\x00", 2);
    say_bind_result(&t, 1, 0, "\xa1\x00", 2);
    struct ldap_bytes b = {.size = 0};
    put_search(&b, 2, "(cn=a)");
    put_search(&b, 3, "(cn=b)");
    say_buffer(&t, TO_SERVER, signed_head, sizeof signed_head - 1, &b);
    b.size = 0;
    put_entry(&b, 2, "CN=a", 100);
    say_buffer(&t, TO_CLIENT, signed_head, sizeof signed_head - 1, &b);
    b.size = 0;
    put_search(&b, 4, "(cn=c)");
    say_buffer(&t, TO_SERVER, sealed_head, sizeof sealed_head - 1, &b);
    talk_finish(&t);
    assert_int_equal(harness_count(&t.h, ACTIVITY_LDAP_SEARCH), 2);
    assert_int_equal(t.h.counts->ldap[LDAP_SEARCH_REQUEST], 2);
    assert_int_equal(t.h.counts->ldap[LDAP_SEARCH_ENTRY], 1);
    assert_int_equal(t.h.stats->protocol[PROTOCOL_LDAP].sealed, 1);
    assert_int_equal(t.h.stats->protocol[PROTOCOL_LDAP].malformed, 0);
    harness_close(&t.h);
}

/* Without the bind the signed buffers are read all the same, but not counted, as tshark does not. */
static void test_signed_midstream(void **state)
{
    (void)state;
    struct talk t = {.time = SECOND, .port = 389, .sequence = {100, 900}};
    harness_open(&t.h, NULL);
    struct ldap_bytes b = {.size = 0};
    put_search(&b, 2, "(cn=a)");
    say_buffer(&t, TO_SERVER, signed_head, sizeof signed_head - 1, &b);
    b.size = 0;
    put_entry(&b, 9, "CN=a", 100); /* of a search that was not seen */
    say_buffer(&t, TO_CLIENT, signed_head, sizeof signed_head - 1, &b);
    talk_finish(&t);
    assert_string_equal(harness_text(only(&t, ACTIVITY_LDAP_SEARCH), FIELD_SEARCH_FILTER), "(cn=a)");
    assert_int_equal(t.h.counts->ldap[LDAP_SEARCH_REQUEST], 0);
    harness_close(&t.h);
}

/* A message that goes on in the next buffer: its beginning is read, the rest is passed over. */
static void test_signed_split(void **state)
{
    (void)state;
    struct talk t;
    talk_open(&t);
    struct ldap_bytes b = {.size = 0};
    struct ldap_bytes half = {.size = 0};
    put_search(&b, 2, "(cn=a)");
    put_search(&b, 3, "(cn=b)");
    lb_raw(&half, b.data, b.size / 2 + 30);
    say_buffer(&t, TO_SERVER, signed_head, sizeof signed_head - 1, &half);
    half.size = 0;
    lb_raw(&half, b.data + b.size / 2 + 30, b.size / 2 - 30);
    say_buffer(&t, TO_SERVER, signed_head, sizeof signed_head - 1, &half);
    b.size = 0;
    put_search(&b, 4, "(cn=c)");
    say_buffer(&t, TO_SERVER, signed_head, sizeof signed_head - 1, &b);
    talk_finish(&t);
    assert_int_equal(harness_count(&t.h, ACTIVITY_LDAP_SEARCH), 3);
    assert_int_equal(t.h.stats->protocol[PROTOCOL_LDAP].malformed, 0);
    harness_close(&t.h);
}

/* NTLM: signed when confidentiality was not agreed on; unknown counts as sealed. */
static void test_ntlm_layer(void **state)
{
    (void)state;
    for (unsigned flags = 0x80000005; flags != 0; flags = flags & 0x20 ? 0 : flags | 0x20) {
        uint8_t negotiate[32] = "NTLMSSP\0\1\0\0\0";
        for (int i = 0; i < 4; i++)
            negotiate[12 + i] = (uint8_t)(flags >> (8 * i));
        uint8_t authenticate[72] = "NTLMSSP\0\3\0\0\0";
        memcpy(authenticate + 60, negotiate + 12, 4);
        struct talk t;
        talk_open(&t);
        say_sasl_bind(&t, 1, "GSS-SPNEGO", negotiate, sizeof negotiate);
        say_bind_result(&t, 1, 14, "\xa1\x00", 2);
        say_sasl_bind(&t, 2, "GSS-SPNEGO", authenticate, sizeof authenticate);
        say_bind_result(&t, 2, 0, "\xa1\x00", 2);
        struct ldap_bytes b = {.size = 0};
        put_search(&b, 3, "(cn=a)");
        say_buffer(&t, TO_SERVER, ntlm_head, sizeof ntlm_head - 1, &b);
        talk_finish(&t);
        assert_int_equal(harness_uint(only(&t, ACTIVITY_LDAP_BIND), FIELD_BIND_LEGS), 2);
        assert_int_equal(harness_count(&t.h, ACTIVITY_LDAP_SEARCH), flags & 0x20 ? 0 : 1);
        assert_int_equal(t.h.counts->ldap[LDAP_SEARCH_REQUEST], 0); /* as tshark: it takes all for sealed */
        assert_int_equal(t.h.stats->protocol[PROTOCOL_LDAP].sealed, flags & 0x20 ? 1 : 0);
        harness_close(&t.h);
    }
}

/* Buffers of a mechanism whose tokens have no mark: sealed after its bind, damage without. */
static void test_other_layer(void **state)
{
    (void)state;
    for (int bound = 0; bound < 2; bound++) {
        struct talk t;
        talk_open(&t);
        if (bound) {
            say_sasl_bind(&t, 1, "DIGEST-MD5", "x", 1);
            say_bind_result(&t, 1, 0, NULL, 0);
        } else {
            say_simple_bind(&t, 1, "CN=x", "y");
            say_result(&t, 1, 0x61, 0, "");
        }
        struct ldap_bytes b = {.size = 0};
        lb_raw(&b, "some bytes that say nothing", 27);
        say_buffer(&t, TO_SERVER, "", 0, &b);
        talk_finish(&t);
        assert_int_equal(t.h.stats->protocol[PROTOCOL_LDAP].sealed, bound);
        harness_close(&t.h);
    }
}

/* -- recognition ---------------------------------------------------------------------------------- */

static size_t recognised_on(uint16_t port, const struct ldap_bytes *b, enum direction direction)
{
    struct talk t;
    talk_open_on(&t, port);
    say(&t, direction, b);
    talk_finish(&t);
    size_t flows = t.h.stats->protocol[PROTOCOL_LDAP].flows;
    harness_close(&t.h);
    return flows;
}

static void test_recognition(void **state)
{
    (void)state;
    struct ldap_bytes b = {.size = 0};
    put_search(&b, 1, "(a=b)");
    assert_int_equal(recognised_on(389, &b, TO_SERVER), 1);
    assert_int_equal(recognised_on(3268, &b, TO_SERVER), 1);
    assert_int_equal(recognised_on(10389, &b, TO_SERVER), 1);
    b.size = 0;
    put_entry(&b, 1, "CN=x", 5);
    assert_int_equal(recognised_on(10389, &b, TO_CLIENT), 1);
    b.size = 0;
    struct lb_message m = lb_begin(&b, 1, 0x60);
    lb_int(&b, 0x02, 3);
    lb_text(&b, 0x04, "CN=x");
    lb_text(&b, 0x80, "y");
    lb_end(&b, m);
    assert_int_equal(recognised_on(10389, &b, TO_SERVER), 1);
    b.size = 0;
    m = lb_begin(&b, 1, 0x77);
    lb_text(&b, 0x80, "1.2.3");
    lb_end(&b, m);
    assert_int_equal(recognised_on(10389, &b, TO_SERVER), 1);
    b.size = 0;
    m = lb_begin(&b, 1, 0x65);
    lb_result(&b, 0, "", "");
    lb_end(&b, m);
    assert_int_equal(recognised_on(10389, &b, TO_CLIENT), 1);

    /* elsewhere the outside alone does not suffice */
    b.size = 0;
    m = lb_begin(&b, 1, 0x60);
    lb_int(&b, 0x02, 77);
    lb_end(&b, m);
    assert_int_equal(recognised_on(10389, &b, TO_SERVER), 0);
    b.size = 0;
    m = lb_begin(&b, 1, 0x42);
    lb_end(&b, m);
    assert_int_equal(recognised_on(10389, &b, TO_SERVER), 0);
    assert_int_equal(recognised_on(389, &b, TO_SERVER), 1);
    b.size = 0;
    lb_raw(&b, "GET / HTTP/1.0\r\n\r\n", 18);
    assert_int_equal(recognised_on(389, &b, TO_SERVER), 0);
    b.size = 0;
    lb_raw(&b, "\0\0\0\0\0\0\0\0\0\0", 10);
    assert_int_equal(recognised_on(389, &b, TO_SERVER), 0);
    b.size = 0;
    lb_raw(&b, "\0\0\0\x20xxxxxxxxxxxx", 16);
    assert_int_equal(recognised_on(389, &b, TO_SERVER), 0);
}

/* All of a conversation's bytes, one in a packet. */
static void test_byte_by_byte(void **state)
{
    (void)state;
    struct talk t;
    talk_open(&t);
    struct ldap_bytes b = {.size = 0};
    put_search(&b, 1, "(a=b)");
    put_search(&b, 2, "(c=d)");
    for (size_t i = 0; i < b.size; i++)
        send_flags(&t, TO_SERVER, FLAG_ACK, b.data + i, 1);
    b.size = 0;
    put_entry(&b, 1, "CN=x", 3000);
    for (size_t i = 0; i < b.size; i++)
        send_flags(&t, TO_CLIENT, FLAG_ACK, b.data + i, 1);
    say_result(&t, 1, 0x65, 0, "");
    say_result(&t, 2, 0x65, 0, "");
    talk_finish(&t);
    assert_int_equal(harness_count(&t.h, ACTIVITY_LDAP_SEARCH), 2);
    assert_int_equal(harness_uint(harness_find(&t.h, ACTIVITY_LDAP_SEARCH, 0), FIELD_ENTRIES), 1);
    assert_int_equal(t.h.stats->protocol[PROTOCOL_LDAP].malformed, 0);
    harness_close(&t.h);
}

/* Each operation with a body that is no such thing: counted, told as malformed, and no more. */
static void test_malformed(void **state)
{
    (void)state;
    static const unsigned operations[] = {0x60, 0x61, 0x63, 0x65, 0x66, 0x67, 0x68, 0x6c, 0x6e, 0x77, 0x78};
    size_t count = sizeof operations / sizeof operations[0];
    struct talk t;
    talk_open(&t);
    struct ldap_bytes b = {.size = 0};
    for (size_t i = 0; i < count; i++) {
        struct lb_message m = lb_begin(&b, (int64_t)i + 1, operations[i]);
        lb_raw(&b, "\x05\x00", 2);
        lb_end(&b, m);
    }
    say(&t, TO_SERVER, &b);
    talk_finish(&t);
    assert_int_equal(t.h.stats->protocol[PROTOCOL_LDAP].malformed, count);
    assert_int_equal(t.h.stats->protocol[PROTOCOL_LDAP].messages, count);
    harness_close(&t.h);
}

/* -- connectionless ------------------------------------------------------------------------------- */

static void datagram(struct harness *h, bool up, const struct ldap_bytes *b, int64_t time)
{
    static struct frame_bytes f;
    f.size = 0;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 17, up ? 1 : 2, up ? 2 : 1, b->size + 8, 0, 0, false);
    put_udp(&f, up ? 50000 : 389, up ? 389 : 50000, b->size);
    put(&f, b->data, b->size);
    struct packet packet = frame_packet(&f, DLT_EN10MB, time);
    engine_packet(h->engine, &packet);
    packet_free(&packet);
}

static void put_netlogon_entry(struct ldap_bytes *b, int64_t id, const void *value, size_t size)
{
    struct lb_message m = lb_begin(b, id, 0x64);
    lb_text(b, 0x04, "");
    size_t list = lb_open(b, 0x30);
    size_t attribute = lb_open(b, 0x30);
    lb_text(b, 0x04, "Netlogon");
    size_t values = lb_open(b, 0x31);
    lb_octets(b, 0x04, value, size);
    lb_close(b, values);
    lb_close(b, attribute);
    lb_close(b, list);
    lb_end(b, m);
    m = lb_begin(b, id, 0x65);
    lb_result(b, 0, "", "");
    lb_end(b, m);
}

static void test_cldap(void **state)
{
    (void)state;
    static const char *const netlogon[] = {"NetLogon", NULL};
    static const char old[] = "\x15\0\\\0\\\0D\0C\0\0\0a\0\0\0C\0O\0\0\0"
                              "0123456789abcdef\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                              "\x01"
                              "f\0\x01"
                              "d\0\x01"
                              "h\0\x0a\0\0\1\5\0\0\0\3\0\0\0\xff\xff\xff";
    struct harness h;
    struct ldap_bytes b = {.size = 0};
    harness_open(&h, NULL);
    struct lb_message m = lb_begin(&b, 1, 0x63);
    lb_search_body(
        &b, "", 0,
        "(&(DnsDomain=corp.example)(Host=WS01)(User=anna)(AAC=\\10\\00\\00\\00)(DnsHostName=w.corp)"
        "(DomainSid=\\01\\01\\00\\00\\00\\00\\00\\05\\01\\00\\00\\00)"
        "(DomainGuid=0123456789abcdef)(NtVer=\\02\\00\\00\\00))",
        netlogon);
    lb_end(&b, m);
    datagram(&h, true, &b, SECOND);
    b.size = 0;
    put_netlogon_entry(&b, 1, old, sizeof old);
    datagram(&h, false, &b, SECOND + 5);

    b.size = 0; /* a ping by its attribute alone; its answer is damaged */
    m = lb_begin(&b, 2, 0x63);
    lb_search_body(&b, "", 0, "(objectClass=*)", netlogon);
    lb_end(&b, m);
    datagram(&h, true, &b, SECOND + 6);
    b.size = 0;
    put_netlogon_entry(&b, 2, "\x17\0\0", 3);
    datagram(&h, false, &b, SECOND + 7);

    b.size = 0; /* another search */
    m = lb_begin(&b, 3, 0x63);
    lb_search_body(&b, "", 0, "(objectClass=*)", NULL);
    lb_end(&b, m);
    datagram(&h, true, &b, SECOND + 8);
    b.size = 0;
    put_netlogon_entry(&b, 3, "x", 1);
    datagram(&h, false, &b, SECOND + 9);
    b.size = 0; /* damage, and a search that is none */
    lb_raw(&b, "\x30\x01\x02", 3);
    datagram(&h, true, &b, SECOND + 10);
    b.size = 0;
    m = lb_begin(&b, 4, 0x63);
    lb_end(&b, m);
    datagram(&h, true, &b, SECOND + 11);
    b.size = 0;
    m = lb_begin(&b, 5, 0x50);
    lb_byte(&b, 3);
    lb_end(&b, m);
    datagram(&h, true, &b, SECOND + 12);
    engine_finish(h.engine);
    (void)engine_stats(h.engine);

    struct harness_record *r = harness_find(&h, ACTIVITY_CLDAP_PING, 0);
    assert_string_equal(harness_text(r, FIELD_PING_DOMAIN), "corp.example");
    assert_string_equal(harness_text(r, FIELD_PING_HOST), "WS01");
    assert_string_equal(harness_text(r, FIELD_PING_USER), "anna");
    assert_string_equal(harness_text(r, FIELD_PING_DOMAIN_SID), "S-1-5-1");
    assert_int_equal(harness_uint(r, FIELD_PING_ACCOUNT_CONTROL), 16);
    assert_int_equal(harness_uint(r, FIELD_NT_VERSION), 2);
    assert_int_equal(harness_uint(r, FIELD_PING_OPCODE), 21);
    assert_string_equal(harness_text(r, FIELD_DC_NETBIOS_NAME), "\\\\DC");
    assert_string_equal(harness_text(r, FIELD_DC_NETBIOS_DOMAIN), "CO");
    assert_string_equal(harness_text(r, FIELD_DC_HOST), "h");
    assert_string_equal(harness_text(r, FIELD_DC_ADDRESS), "10.0.0.1");
    assert_int_equal(harness_uint(r, FIELD_DURATION), 5);
    r = harness_find(&h, ACTIVITY_CLDAP_PING, 1);
    assert_string_equal(harness_text(r, FIELD_SEARCH_FILTER), "(objectClass=*)");
    r = harness_find(&h, ACTIVITY_LDAP_SEARCH, 0);
    assert_int_equal(harness_uint(r, FIELD_ENTRIES), 1);
    assert_string_equal(harness_text(r, FIELD_TRANSPORT), "udp");
    assert_int_equal(h.counts->cldap[LDAP_SEARCH_REQUEST], 4);
    assert_int_equal(h.counts->cldap[LDAP_SEARCH_DONE], 3);
    assert_int_equal(h.stats->protocol[PROTOCOL_CLDAP].malformed, 3);
    assert_int_equal(h.broken, 0);
    harness_close(&h);
}

/* -- real captures -------------------------------------------------------------------------------- */

static void test_capture_group_change(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    assert_true(harness_capture(&h, PICKET_TEST_DATA "/a42_da_add_ldap.pcap"));
    struct harness_record *r = harness_find(&h, ACTIVITY_LDAP_MODIFY, 0);
    assert_string_equal(harness_text(r, FIELD_ACCOUNT), "dadmin@corp.example");
    assert_string_equal(harness_text(r, FIELD_LDAP_DN), "CN=Domain Admins,CN=Users,DC=corp,DC=example");
    assert_non_null(strstr(r->json, "\"add:member=CN=user33,OU=Staff,DC=corp,DC=example\""));
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0);
    assert_int_equal(harness_count(&h, ACTIVITY_LDAP_BIND), 2);
    assert_int_equal(h.counts->ldap[LDAP_UNBIND_REQUEST], 2);
    assert_int_equal(h.broken, 0);
    harness_close(&h);
}

static void test_capture_spray(void **state)
{
    (void)state;
    struct harness h;
    size_t wrong = 0;
    harness_open(&h, NULL);
    assert_true(harness_capture(&h, PICKET_TEST_DATA "/a28_spray_ldap.pcap"));
    assert_int_equal(harness_count(&h, ACTIVITY_LDAP_BIND), 40);
    for (size_t i = 0; i < 40; i++) {
        struct harness_record *r = harness_find(&h, ACTIVITY_LDAP_BIND, i);
        assert_true(harness_bool(r, FIELD_PASSWORD_SENT));
        wrong += harness_uint(r, FIELD_STATUS) == 49 && harness_uint(r, FIELD_DIRECTORY_ERROR) == 0x52e;
    }
    assert_int_equal(wrong, 39);
    harness_close(&h);
}

static void test_capture_kerberoast(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    assert_true(harness_capture(&h, PICKET_TEST_DATA "/a01_kerberoast_impacket.pcap"));
    struct harness_record *r = harness_find(&h, ACTIVITY_LDAP_SEARCH, 0);
    assert_non_null(strstr(harness_text(r, FIELD_SEARCH_FILTER), "servicePrincipalName=*"));
    assert_int_equal(harness_uint(r, FIELD_ENTRIES), 4);
    harness_close(&h);
}

static void test_capture_sicily(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    if (harness_shared(&h, PICKET_SHARED_DATA "/pcap/ldap--ldap-ntlm-bind.pcap")) {
        struct harness_record *r = harness_find(&h, ACTIVITY_LDAP_BIND, 0);
        assert_int_equal(harness_count(&h, ACTIVITY_LDAP_BIND), 1);
        assert_string_equal(harness_text(r, FIELD_BIND_METHOD), "sicily");
        assert_string_equal(harness_text(r, FIELD_ACCOUNT), "User1");
        assert_int_equal(harness_uint(r, FIELD_BIND_LEGS), 2);
        assert_int_equal(harness_count(&h, ACTIVITY_NTLM_AUTHENTICATE), 1);
    }
    harness_close(&h);
}

static void test_capture_signed(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    if (harness_shared(&h, PICKET_SHARED_DATA "/pcap/kerberoast--rubeus-kerberoast-ldap-only.pcap")) {
        assert_int_equal(h.counts->ldap[LDAP_SEARCH_REQUEST], 7);
        assert_int_equal(h.stats->protocol[PROTOCOL_LDAP].malformed, 0);
    }
    harness_close(&h);
}

static void test_capture_nesting(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    if (harness_shared(&h, PICKET_SHARED_DATA "/pcap/robust--ldap-deep-nesting.pcap")) {
        assert_int_equal(h.counts->ldap[LDAP_SEARCH_REQUEST], 1);
        assert_int_equal(h.stats->protocol[PROTOCOL_LDAP].malformed, 1);
    }
    harness_close(&h);
}

static void feed_snapped(struct harness *h, const char *path, uint32_t snaplen)
{
    const char *error = NULL;
    struct file_source *source = file_source_open(path, &error);
    struct packet packet;
    assert_non_null(source);
    while (file_source_next(source, &packet) == SOURCE_PACKET) {
        packet.captured = packet.captured < snaplen ? packet.captured : snaplen;
        uint8_t *copy = malloc(packet.captured ? packet.captured : 1);
        assert_non_null(copy);
        memcpy(copy, packet.data, packet.captured);
        packet.data = copy;
        engine_packet(h->engine, &packet);
        free(copy);
    }
    file_source_close(&source);
    engine_finish(h->engine);
    (void)engine_stats(h->engine);
}

/* Packets cut at every length: what is cut is not damaged, and never counts twice. */
static void test_capture_snapped(void **state)
{
    (void)state;
    for (uint32_t snaplen = 0; snaplen < 400; snaplen++) {
        struct harness h;
        harness_open(&h, NULL);
        feed_snapped(&h, PICKET_TEST_DATA "/a42_da_add_ldap.pcap", snaplen);
        assert_int_equal(h.broken, 0);
        assert_int_equal(h.stats->protocol[PROTOCOL_LDAP].malformed, 0);
        assert_true(h.counts->ldap[LDAP_MODIFY_REQUEST] <= 2);
        if (snaplen > 66 + 20) /* the headers, and enough of each message to tell what it is */
            assert_int_equal(h.counts->ldap[LDAP_MODIFY_REQUEST], 2);
        harness_close(&h);
    }
}

/* Sicily: [MS-ADTS] 5.1.1.1.3, with the discovery of packages, given up at the second step, and whole. */
static void test_sicily(void **state)
{
    (void)state;
    static const unsigned methods[] = {0x89, 0x8a, 0x8b};
    for (unsigned steps = 2; steps <= 3; steps++) {
        struct talk t;
        talk_open(&t);
        for (unsigned i = 0; i < steps; i++) {
            struct ldap_bytes b = {.size = 0};
            struct lb_message m = lb_begin(&b, i + 1, 0x60);
            lb_int(&b, 0x02, 3);
            lb_text(&b, 0x04, "NTLM");
            lb_text(&b, methods[i], "");
            lb_end(&b, m);
            say(&t, TO_SERVER, &b);
            b.size = 0;
            m = lb_begin(&b, i + 1, 0x61);
            lb_result(&b, i + 1 == steps ? 49 : 0, i == 0 ? "NTLM" : "", "");
            lb_end(&b, m);
            say(&t, TO_CLIENT, &b);
        }
        talk_finish(&t);
        struct harness_record *r = only(&t, ACTIVITY_LDAP_BIND);
        assert_string_equal(harness_text(r, FIELD_BIND_METHOD), "sicily");
        assert_int_equal(harness_uint(r, FIELD_BIND_LEGS), steps);
        assert_int_equal(harness_uint(r, FIELD_STATUS), 49);
        assert_false(harness_has(r, FIELD_MATCHED_DN));
        harness_close(&t.h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple_bind),
        cmocka_unit_test(test_anonymous_bind),
        cmocka_unit_test(test_digest_bind),
        cmocka_unit_test(test_bind_given_up),
        cmocka_unit_test(test_sicily),
        cmocka_unit_test(test_search),
        cmocka_unit_test(test_search_controls),
        cmocka_unit_test(test_many_searches),
        cmocka_unit_test(test_long_search),
        cmocka_unit_test(test_lost_segment),
        cmocka_unit_test(test_modify),
        cmocka_unit_test(test_modify_bounds),
        cmocka_unit_test(test_other_operations),
        cmocka_unit_test(test_extended),
        cmocka_unit_test(test_starttls),
        cmocka_unit_test(test_signed),
        cmocka_unit_test(test_signed_midstream),
        cmocka_unit_test(test_signed_split),
        cmocka_unit_test(test_ntlm_layer),
        cmocka_unit_test(test_other_layer),
        cmocka_unit_test(test_recognition),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_cldap),
        cmocka_unit_test(test_capture_group_change),
        cmocka_unit_test(test_capture_spray),
        cmocka_unit_test(test_capture_kerberoast),
        cmocka_unit_test(test_capture_sicily),
        cmocka_unit_test(test_capture_signed),
        cmocka_unit_test(test_capture_nesting),
        cmocka_unit_test(test_capture_snapped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
