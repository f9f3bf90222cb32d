/* SPDX-License-Identifier: Apache-2.0
 *
 * Kerberos and NTLM in captures: what the label of an attack names must stand in the activities.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/harness.h"
#include "tests/unit/packets.h"
#include "tests/unit/unsealer.h"

static void open_capture(struct harness *h, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", PICKET_TEST_DATA, name);
    harness_open(h, NULL);
    assert_true(harness_capture(h, path));
    assert_int_equal(h->broken, 0);
    assert_int_equal(h->stats->protocol[PROTOCOL_KERBEROS].malformed, 0);
    assert_int_equal(h->stats->protocol[PROTOCOL_NTLM].malformed, 0);
}

/* A log-on: without pre-authentication, too large for UDP, then by TCP. */
static void test_kinit(void **state)
{
    (void)state;
    struct harness h;
    open_capture(&h, "n01_kinit.pcap");
    assert_int_equal(harness_count(&h, ACTIVITY_KERBEROS_AS), 3);
    static const char *const status[] = {"25", "52", "0"};
    for (size_t i = 0; i < 3; i++) {
        struct harness_record *r = harness_find(&h, ACTIVITY_KERBEROS_AS, i);
        assert_string_equal(harness_text(r, FIELD_ACCOUNT), "user01");
        assert_string_equal(harness_text(r, FIELD_SERVICE), "krbtgt/CORP.EXAMPLE");
        assert_string_equal(harness_text(r, FIELD_STATUS), status[i]);
        assert_true(harness_has(r, FIELD_DURATION));
    }
    assert_int_equal(h.counts->kerberos_kdc[10], 3);
    assert_int_equal(h.counts->kerberos_kdc[11], 1);
    assert_int_equal(h.counts->kerberos_kdc[30], 2);
    harness_close(&h);
}

/* Kerberoasting: service tickets in RC4 for accounts; each ticket-granting ticket is one issued before. */
static void test_kerberoasting(void **state)
{
    (void)state;
    struct harness h;
    open_capture(&h, "a01_kerberoast_impacket.pcap");
    size_t rc4 = 0;
    for (size_t i = 0; i < harness_count(&h, ACTIVITY_KERBEROS_TGS); i++) {
        struct harness_record *r = harness_find(&h, ACTIVITY_KERBEROS_TGS, i);
        assert_string_equal(harness_text(r, FIELD_ACCOUNT), "user01");
        assert_string_equal(harness_text(r, FIELD_TICKET_SERVICE), "krbtgt/CORP.EXAMPLE");
        rc4 += strcmp(harness_text(r, FIELD_ISSUED_TICKET_ETYPE), "23") == 0;
        char *used = strdup(harness_text(r, FIELD_TICKET_FINGERPRINT));
        assert_non_null(
            harness_find_text(&h, ACTIVITY_KERBEROS_AS, FIELD_ISSUED_TICKET_FINGERPRINT, used, 0));
        free(used);
    }
    assert_int_equal(rc4, 2);
    harness_close(&h);
}

/* AS-REP roasting: RC4 only, no pre-authentication, and one account that answers so. */
static void test_asrep_roasting(void **state)
{
    (void)state;
    struct harness h;
    open_capture(&h, "a04_asrep_roast.pcap");
    struct harness_record *r = harness_find_text(&h, ACTIVITY_KERBEROS_AS, FIELD_ACCOUNT, "asrep1", 0);
    assert_string_equal(harness_text(r, FIELD_STATUS), "0");
    assert_string_equal(harness_text(r, FIELD_REPLY_ETYPE), "23");
    assert_string_equal(harness_text(r, FIELD_OFFERED_ETYPES), "23");
    assert_false(harness_has(r, FIELD_PREAUTH_ETYPE));
    r = harness_find_text(&h, ACTIVITY_KERBEROS_AS, FIELD_ACCOUNT, "nobody", 0);
    assert_string_equal(harness_text(r, FIELD_STATUS), "6");
    harness_close(&h);
}

/* The ticket that the KDC issued is the one that SMB sees. */
static void test_ticket_followed(void **state)
{
    (void)state;
    struct harness h;
    open_capture(&h, "n08_smb_kerberos.pcap");
    struct harness_record *ap = harness_find(&h, ACTIVITY_KERBEROS_AP, 0);
    assert_string_equal(harness_text(ap, FIELD_CARRIER), "smb");
    assert_string_equal(harness_text(ap, FIELD_TICKET_SERVICE), "cifs/dc1.corp.example");
    char *used = strdup(harness_text(ap, FIELD_TICKET_FINGERPRINT));
    assert_non_null(harness_find_text(&h, ACTIVITY_KERBEROS_TGS, FIELD_ISSUED_TICKET_FINGERPRINT, used, 0));
    free(used);
    harness_close(&h);
}

static void test_password_change(void **state)
{
    (void)state;
    struct harness h;
    open_capture(&h, "n11_kpasswd.pcap");
    assert_int_equal(harness_count(&h, ACTIVITY_KERBEROS_PASSWORD_CHANGE), 2);
    assert_int_equal(h.counts->kpasswd, 4);
    struct harness_record *r = harness_find(&h, ACTIVITY_KERBEROS_PASSWORD_CHANGE, 0);
    assert_string_equal(harness_text(r, FIELD_TICKET_SERVICE), "kadmin/changepw");
    assert_true(harness_bool(r, FIELD_SEALED));
    harness_close(&h);
}

/* 30 wrong passwords by SMB and NTLM, then the right one. */
static void test_ntlm_brute_force(void **state)
{
    (void)state;
    struct harness h;
    open_capture(&h, "a25_brute_ntlm.pcap");
    size_t wrong = 0, right = 0;
    for (size_t i = 0; i < harness_count(&h, ACTIVITY_NTLM_AUTHENTICATE); i++) {
        struct harness_record *r = harness_find(&h, ACTIVITY_NTLM_AUTHENTICATE, i);
        assert_string_equal(harness_text(r, FIELD_ACCOUNT), "user31");
        assert_string_equal(harness_text(r, FIELD_NTLM_VARIANT), "ntlmv2");
        assert_string_equal(harness_text(r, FIELD_CARRIER), "smb");
        assert_true(harness_has(r, FIELD_NTLM_SERVER_CHALLENGE));
        wrong += harness_uint(r, FIELD_STATUS) == 0xc000006d;
        right += harness_has(r, FIELD_STATUS) && harness_uint(r, FIELD_STATUS) == 0;
    }
    assert_int_equal(wrong, 30);
    assert_int_equal(right, 1);
    harness_close(&h);
}

/* The client did not wait for the answer: its port unreachable quotes what the KDC sent. The quoted message
 * is none with the KDC, and tells nothing new. */
static void test_quoted_error(void **state)
{
    (void)state;
    static const char error[] = "\x7e\x3e\x30\x3c\xa0\x03\x02\x01\x05\xa1\x03\x02\x01\x1e"
                                "\xa4\x11\x18\x0f"
                                "20260101000000Z"
                                "\xa5\x03\x02\x01\x00\xa6\x03\x02\x01\x34\xa9\x03\x1b\x01R"
                                "\xaa\x0e\x30\x0c\xa0\x03\x02\x01\x02\xa1\x05\x30\x03\x1b\x01k";
    enum { SIZE = sizeof error - 1 };
    static struct frame_bytes f;
    struct harness h;
    harness_open(&h, NULL);
    for (int quoted = 0; quoted < 2; quoted++) {
        f.size = 0;
        put_ethernet(&f, 0x0800);
        if (quoted) {
            put_ipv4(&f, 1, 2, 1, 8 + 20 + 8 + SIZE, 0, 0, false);
            put32(&f, 0x03030000);
            put32(&f, 0);
        }
        put_ipv4(&f, 17, 1, 2, 8 + SIZE, 0, 0, false);
        put_udp(&f, 88, 50000, SIZE);
        put(&f, error, SIZE);
        struct packet packet = frame_packet(&f, DLT_EN10MB, INT64_C(1700000000000000000) + quoted);
        engine_packet(h.engine, &packet);
        packet_free(&packet);
        assert_int_equal(h.counts->kerberos_kdc[30], 1);
        assert_int_equal(h.counts->kerberos_gss[30], quoted);
    }
    engine_finish(h.engine);
    assert_int_equal(h.size, 1);
    assert_int_equal(engine_stats(h.engine)->protocol[PROTOCOL_KERBEROS].messages, 1);
    harness_close(&h);
}

/* Who holds the keys is told of each request, but not asked of an error when nothing in the exchange is
 * sealed.
 */
static void test_nothing_sealed(void **state)
{
    (void)state;
    struct harness h;
    struct own_keys keys;
    assert_true(own_keys_open(&keys, NULL));
    harness_open(&h, &(struct engine_options){.unsealer = &keys.unsealer});
    assert_true(harness_capture(&h, PICKET_TEST_DATA "/n01_kinit.pcap"));
    assert_int_equal(harness_count(&h, ACTIVITY_KERBEROS_AS), 3);
    assert_int_equal(keys.asked[UNSEAL_KDC_REQUEST], 3);
    assert_int_equal(keys.asked[UNSEAL_KDC_REPLY], 2);
    harness_close(&h);
    own_keys_close(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinit),           cmocka_unit_test(test_kerberoasting),
        cmocka_unit_test(test_asrep_roasting),  cmocka_unit_test(test_ticket_followed),
        cmocka_unit_test(test_password_change), cmocka_unit_test(test_ntlm_brute_force),
        cmocka_unit_test(test_quoted_error),    cmocka_unit_test(test_nothing_sealed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
