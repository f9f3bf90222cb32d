/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/exchange.h"

#define RANDOM "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* Extensions: GREASE, server_name, ALPN h2 and http/1.1, supported_versions GREASE, 1.3, 1.2 */
#define CLIENT_HELLO                                                                                         \
    "16 0301 0067 01 000063 0303" RANDOM "00 0004 1301 c02f 01 00 0036"                                      \
    "0a0a 0000 0000 0011 000f 00 000c 'dc1.corp.lan' 0010 000e 000c 02'h2' 08'http/1.1'"                     \
    "002b 0007 06 1a1a 0304 0303"
#define SERVER_HELLO_13                                                                                      \
    "16 0303 0032 02 00002e 0303" RANDOM                                                                     \
    "00 1301 00 0006 002b 0002 0304 14 0303 0001 01 17 0303 0004 00000000"
#define SERVER_HELLO_12 "16 0303 002a 02 000026 0303" RANDOM "00 c02f 00"

static void begin(struct exchange *x, unsigned port)
{
    exchange_open(x, 50000, port, NULL);
    exchange_connect(x);
}

static void test_session(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, 443);
    exchange_tcp(&x, TO_SERVER, CLIENT_HELLO);
    exchange_tcp(&x, TO_CLIENT, SERVER_HELLO_13);
    exchange_tcp(&x, TO_SERVER, "17 0303 0004 00000000");
    exchange_finish(&x);
    assert_int_equal(x.h.size, 1);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_TLS_SESSION, 0);
    assert_string_equal(harness_text(r, FIELD_TLS_SERVER_NAME), "dc1.corp.lan");
    assert_int_equal(harness_uint(r, FIELD_TLS_CLIENT_VERSION), 0x0304);
    assert_int_equal(harness_uint(r, FIELD_TLS_VERSION), 0x0304);
    assert_int_equal(harness_uint(r, FIELD_TLS_CIPHER), 0x1301);
    assert_non_null(strstr(r->json, "\"tls_alpn\":[\"h2\",\"http/1.1\"]"));
    assert_int_equal(harness_uint(r, FIELD_DURATION), 1000000);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_TLS].sealed, 1);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_TLS].malformed, 0);
    exchange_close(&x);
}

static void test_older(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, 40443); /* by signature */
    /* no extensions */
    exchange_tcp(&x, TO_SERVER, "16 0301 002d 01 000029 0301" RANDOM "00 0002 002f 01 00");
    exchange_tcp(&x, TO_CLIENT, SERVER_HELLO_12);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_TLS_SESSION, 0);
    assert_int_equal(harness_uint(r, FIELD_TLS_CLIENT_VERSION), 0x0301);
    assert_int_equal(harness_uint(r, FIELD_TLS_VERSION), 0x0303);
    assert_int_equal(harness_uint(r, FIELD_TLS_CIPHER), 0xc02f);
    assert_false(harness_has(r, FIELD_TLS_SERVER_NAME));
    assert_false(harness_has(r, FIELD_TLS_ALPN));
    exchange_close(&x);
}

static void test_alert(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, 636);
    exchange_tcp(&x, TO_SERVER, CLIENT_HELLO);
    exchange_tcp(&x, TO_CLIENT, "15 0303 0002 02 46"); /* protocol_version */
    struct harness_record *r = harness_find(&x.h, ACTIVITY_TLS_SESSION, 0);
    assert_int_equal(harness_uint(r, FIELD_TLS_ALERT), 70);
    assert_false(harness_has(r, FIELD_TLS_VERSION));
    exchange_close(&x);
}

static void test_half(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x, 443); /* the client's half alone, twice (a HelloRetryRequest came between) */
    exchange_tcp(&x, TO_SERVER, CLIENT_HELLO);
    exchange_tcp(&x, TO_SERVER, CLIENT_HELLO);
    exchange_tcp(&x, TO_SERVER, "17 0303 0004 00000000");
    exchange_finish(&x);
    assert_int_equal(harness_count(&x.h, ACTIVITY_TLS_SESSION), 1);
    assert_true(harness_has(harness_find(&x.h, ACTIVITY_TLS_SESSION, 0), FIELD_ANSWERED));
    exchange_close(&x);
    begin(&x, 443); /* the server's half alone */
    exchange_tcp(&x, TO_CLIENT, SERVER_HELLO_13);
    assert_int_equal(harness_count(&x.h, ACTIVITY_TLS_SESSION), 1);
    exchange_close(&x);
    begin(&x, 443); /* in the middle: nothing to read but that it is sealed */
    exchange_tcp(&x, TO_CLIENT, "17 0303 0004 00000000");
    exchange_finish(&x);
    assert_int_equal(x.h.size, 0);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_TLS].sealed, 1);
    exchange_close(&x);
    begin(&x, 443); /* a handshake message that is none of the hellos */
    exchange_tcp(&x, TO_CLIENT, "16 0303 0004 0b 000000");
    assert_int_equal(x.h.stats->protocol[PROTOCOL_TLS].sealed, 1);
    exchange_close(&x);
}

static void test_not_tls(void **state)
{
    (void)state;
    static const char *const starts[] = {
        "16 0301 0030 02 00002c 0303" RANDOM "0000000000000000", /* a ServerHello from the client */
        "16 0401 0030 01 00002c 0303" RANDOM "0000000000000000",
        "16 0301 ffff 01 00002c 0303" RANDOM "0000000000000000",
        "17 0303 0004 00000000 00000000",
        "'no TLS at all'",
    };
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct exchange x;
        begin(&x, 40443);
        exchange_tcp(&x, TO_SERVER, starts[i]);
        exchange_finish(&x);
        assert_int_equal(x.h.stats->protocol[PROTOCOL_TLS].flows, 0);
        exchange_close(&x);
    }
    struct exchange x;
    begin(&x, 443);
    exchange_tcp(&x, TO_SERVER, CLIENT_HELLO);
    exchange_tcp(&x, TO_SERVER, "'this is damaged'");
    exchange_finish(&x);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_TLS].malformed, 1);
    exchange_close(&x);
}

/* Every length in the hello, one after the other, made too large and too small. */
static void test_lengths(void **state)
{
    (void)state;
    struct run *run = bytes_of(CLIENT_HELLO);
    for (size_t at = 5; at < run->size; at++) {
        for (int value = 0; value < 3; value++) {
            uint8_t kept = run->data[at];
            run->data[at] = (uint8_t[]){0, 0xff, (uint8_t)(kept + 1)}[value];
            struct exchange x;
            begin(&x, 443);
            exchange_segment(&x, TO_SERVER, run->data, run->size, FLAG_ACK);
            exchange_finish(&x);
            assert_int_equal(x.h.broken, 0);
            exchange_close(&x);
            run->data[at] = kept;
        }
    }
    free(run);
}

static void test_split(void **state)
{
    (void)state;
    exchange_split(443, CLIENT_HELLO, SERVER_HELLO_12, ACTIVITY_TLS_SESSION, 1);
    exchange_split(40443, CLIENT_HELLO, SERVER_HELLO_13, ACTIVITY_TLS_SESSION, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_session), cmocka_unit_test(test_older),   cmocka_unit_test(test_alert),
        cmocka_unit_test(test_half),    cmocka_unit_test(test_not_tls), cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
