/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/exchange.h"

/* [MS-RDPBCGR] 4.1.1 and 4.1.2 */
#define REQUEST "0300 002c 27 e0 0000 0000 00 'Cookie: mstshash=eltons' 0d0a 01 00 0800 00000000"
#define CONFIRM "0300 0013 0e d0 0000 1234 00 02 00 0800 00000000"

#define REQUEST_TLS "0300 002c 27 e0 0000 0000 00 'Cookie: mstshash=eltons' 0d0a 01 01 0800 03000000"
#define CONFIRM_TLS "0300 0013 0e d0 0000 1234 00 02 1f 0800 02000000"
#define FAILURE     "0300 0013 0e d0 0000 1234 00 03 00 0800 05000000"

static void test_own_security(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 3389, NULL);
    exchange_connect(&x);
    exchange_tcp(&x, TO_SERVER, REQUEST);
    exchange_tcp(&x, TO_CLIENT, CONFIRM);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_RDP_CONNECT, 0);
    assert_string_equal(harness_text(r, FIELD_RDP_COOKIE), "eltons");
    assert_true(harness_has(r, FIELD_RDP_REQUESTED));
    assert_int_equal(harness_uint(r, FIELD_RDP_REQUESTED), 0);
    assert_true(harness_has(r, FIELD_RDP_SELECTED));
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_RDP].sealed, 1);
    exchange_tcp(&x, TO_SERVER, "0300 0008 02 f0 80 7f"); /* MCS: not looked at */
    exchange_finish(&x);
    assert_int_equal(x.h.size, 1);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_RDP].malformed, 0);
    exchange_close(&x);
}

static void test_tls_follows(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 3389, NULL);
    exchange_connect(&x);
    exchange_tcp(&x, TO_SERVER, REQUEST_TLS);
    exchange_tcp(&x, TO_CLIENT, CONFIRM_TLS);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_RDP_CONNECT, 0);
    assert_int_equal(harness_uint(r, FIELD_RDP_REQUESTED), 3);
    assert_int_equal(harness_uint(r, FIELD_RDP_REQUEST_FLAGS), 1);
    assert_int_equal(harness_uint(r, FIELD_RDP_SELECTED), 2);
    exchange_tcp(&x, TO_SERVER,
                 "16 0301 002f 01 00002b 0303"
                 "0000000000000000000000000000000000000000000000000000000000000000"
                 "00 0002 1301 01 00 0000");
    exchange_finish(&x);
    assert_int_equal(harness_count(&x.h, ACTIVITY_TLS_SESSION), 1);
    exchange_close(&x);
}

static void test_failure_and_odd(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 3389, NULL);
    exchange_connect(&x);
    exchange_tcp(&x, TO_SERVER, REQUEST_TLS);
    exchange_tcp(&x, TO_CLIENT, FAILURE);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_RDP_CONNECT, 0);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 5);
    assert_false(harness_has(r, FIELD_RDP_SELECTED));
    /* a token instead of a name; a cookie that does not end; nothing at all */
    exchange_tcp(&x, TO_SERVER, "0300 001f 1a e0 0000 0000 00 'Cookie: msts=12345' 0d0a");
    exchange_tcp(&x, TO_SERVER, "0300 001d 18 e0 0000 0000 00 'Cookie: mstshash=' 00");
    exchange_tcp(&x, TO_SERVER, "0300 000b 06 e0 0000 0000 00");
    exchange_finish(&x);
    assert_int_equal(harness_count(&x.h, ACTIVITY_RDP_CONNECT), 4);
    assert_non_null(harness_find_text(&x.h, ACTIVITY_RDP_CONNECT, FIELD_RDP_COOKIE, "msts=12345", 0));
    exchange_close(&x);
    exchange_open(&x, 50000, 3389, NULL); /* the answer alone */
    exchange_connect(&x);
    exchange_tcp(&x, TO_CLIENT, CONFIRM);
    assert_int_equal(harness_count(&x.h, ACTIVITY_RDP_CONNECT), 1);
    exchange_close(&x);
}

static void test_elsewhere(void **state)
{
    (void)state;
    static const struct {
        const char *start;
        bool taken;
    } starts[] = {
        {REQUEST, true},
        {"0300 0013 0e e0 0000 0000 00 01 00 0800 03000000", true},
        {"0300 000b 06 e0 0000 0000 00", false},                          /* bare X.224: H.323, S7 */
        {"0300 0016 11 e0 0000 0001 00 c1020100 c2020102 c0010a", false}, /* S7 */
        {"0300 0016 11 d0 0000 0001 00 c1020100 c2020102 c0010a", false},
        {"0301 002c 27 e0 0000 0000 00 'Cookie: mstshash=eltons' 0d0a", false},
    };
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct exchange x;
        exchange_open(&x, 50000, 13389, NULL);
        exchange_connect(&x);
        exchange_tcp(&x, TO_SERVER, starts[i].start);
        exchange_finish(&x);
        assert_int_equal(x.h.stats->protocol[PROTOCOL_RDP].flows, starts[i].taken);
        exchange_close(&x);
    }
}

static void test_damaged(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 3389, NULL);
    exchange_connect(&x);
    exchange_tcp(&x, TO_SERVER, REQUEST);
    exchange_tcp(&x, TO_SERVER, "0300 0007 02 e0 00"); /* cut within its own length */
    exchange_tcp(&x, TO_SERVER, "0200 0007 02 e0 00");
    assert_int_equal(x.h.stats->protocol[PROTOCOL_RDP].malformed, 2);
    exchange_close(&x);
    exchange_split(3389, REQUEST_TLS, FAILURE, ACTIVITY_RDP_CONNECT, 1);
    exchange_split(13389, REQUEST, CONFIRM, ACTIVITY_RDP_CONNECT, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_security),    cmocka_unit_test(test_tls_follows),
        cmocka_unit_test(test_failure_and_odd), cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
