/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/exchange.h"

#define WPAD     "20 'FHFAEBEECACACACACACACACACACACAAA' 00"
#define CORP_1C  "20 'EDEPFCFACACACACACACACACACACACABM' 00"
#define WILDCARD "20 'CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' 00"

#define QUERY  "0001 0110 0001 0000 0000 0000" WPAD "0020 0001"
#define ANSWER "0001 8500 0000 0001 0000 0000" WPAD "0020 0001 00000000 0006 0000 0a000042"
#define REGISTER                                                                                             \
    "0002 2910 0001 0000 0000 0001" CORP_1C "0020 0001 c00c 0020 0001 000493e0 0006 e000 0a000042"
#define STATUS "0003 0000 0001 0000 0000 0000" WILDCARD "0021 0001"
#define STATUS_IS                                                                                            \
    "0003 8400 0000 0001 0000 0000" WILDCARD "0021 0001 00000000 0051 02"                                    \
    "'HOST           ' 00 0400 'CORP           ' 1c 8400 080027f06853 00000000000000000000000000000000"      \
    "00000000000000000000000000000000000000000000"

static void begin(struct exchange *x)
{
    exchange_open(x, 137, 137, NULL);
}

static void test_broadcast_query(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x);
    exchange_udp(&x, TO_SERVER, QUERY);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_NBNS_QUERY, 0); /* at once */
    assert_string_equal(harness_text(r, FIELD_NETBIOS_NAME), "WPAD");
    assert_true(harness_has(r, FIELD_NETBIOS_SUFFIX));
    assert_int_equal(harness_uint(r, FIELD_NETBIOS_SUFFIX), 0);
    assert_int_equal(harness_uint(r, FIELD_DNS_TYPE), 0x20);
    assert_true(harness_bool(r, FIELD_NETBIOS_BROADCAST));
    exchange_udp(&x, TO_CLIENT, ANSWER);
    r = harness_find(&x.h, ACTIVITY_NBNS_ANSWER, 0);
    assert_string_equal(harness_text(r, FIELD_NETBIOS_NAME), "WPAD");
    assert_non_null(strstr(r->json, "\"addresses\":[\"10.0.0.66\"]"));
    assert_string_equal(harness_text(r, FIELD_RESPONDER), "10.0.2.2");
    assert_false(harness_bool(r, FIELD_NETBIOS_GROUP));
    assert_int_equal(x.h.counts->nbns_requests, 1);
    assert_int_equal(x.h.counts->nbns_responses, 1);
    exchange_close(&x);
}

static void test_unicast_query(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x);
    exchange_udp(&x, TO_SERVER, "0001 0100 0001 0000 0000 0000" WPAD "0020 0001");
    assert_int_equal(x.h.size, 0);
    exchange_udp(&x, TO_CLIENT, "0001 8583 0000 0000 0000 0000");
    struct harness_record *r = harness_find(&x.h, ACTIVITY_NBNS_QUERY, 0);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 3);
    assert_string_equal(harness_text(r, FIELD_NETBIOS_NAME), "WPAD");
    exchange_udp(&x, TO_CLIENT, "0009 8583 0000 0000 0000 0000"); /* of what? */
    exchange_udp(&x, TO_SERVER, "0009 0000 0000 0000 0000 0000");
    assert_int_equal(x.h.size, 1);
    exchange_close(&x);
}

static void test_node_status(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x);
    exchange_udp(&x, TO_SERVER, STATUS);
    exchange_udp(&x, TO_CLIENT, STATUS_IS);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_NBNS_QUERY, 0);
    assert_string_equal(harness_text(r, FIELD_NETBIOS_NAME), "*");
    assert_non_null(strstr(r->json, "\"netbios_names\":[\"HOST<00>\",\"CORP<1c>\"]"));
    assert_non_null(strstr(r->json, "\"netbios_mac\":\"080027f06853\""));
    assert_int_equal(x.h.stats->protocol[PROTOCOL_NBNS].malformed, 0);
    exchange_close(&x);
}

static void test_registration(void **state)
{
    (void)state;
    struct exchange x;
    begin(&x);
    exchange_udp(&x, TO_SERVER, REGISTER);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_NBNS_REGISTRATION, 0);
    assert_string_equal(harness_text(r, FIELD_NETBIOS_NAME), "CORP");
    assert_int_equal(harness_uint(r, FIELD_NETBIOS_SUFFIX), 0x1c);
    assert_true(harness_bool(r, FIELD_NETBIOS_GROUP));
    assert_int_equal(harness_uint(r, FIELD_DNS_OPCODE), 5);
    assert_non_null(strstr(r->json, "\"addresses\":[\"10.0.0.66\"]"));
    /* with a WINS server: a wait, then its answer */
    exchange_udp(&x, TO_SERVER,
                 "0004 2900 0001 0000 0000 0001" WPAD "0020 0001 c00c 0020 0001 000493e0 0006 6000 0a000043");
    exchange_udp(&x, TO_CLIENT, "0004 bc00 0000 0001 0000 0000" WPAD "0020 0001 0000000a 0002 2900");
    assert_int_equal(harness_count(&x.h, ACTIVITY_NBNS_REGISTRATION), 1);
    exchange_udp(&x, TO_CLIENT, "0004 ad86 0000 0001 0000 0000" WPAD "0020 0001 000493e0 0006 6000 0a000043");
    r = harness_find(&x.h, ACTIVITY_NBNS_REGISTRATION, 1);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 6);
    assert_int_equal(harness_uint(r, FIELD_DURATION), 2000000);
    exchange_udp(&x, TO_CLIENT, "0005 ad80 0000 0001 0000 0000" WPAD "0020 0001 000493e0 0006 6000 0a000043");
    assert_int_equal(harness_count(&x.h, ACTIVITY_NBNS_REGISTRATION), 3);
    exchange_close(&x);
}

static void test_odd_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "20 'FHFAEBEECACACACACACACACACACACAAa' 00", /* a letter out of range */
        "20 'FHFAEBEECACACACACACACACACACACAzA' 00",
        "04'WPAD' 00", /* not encoded */
        "c0ff",        /* a pointer out of the message */
        "00",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct exchange x;
        begin(&x);
        char text[200];
        snprintf(text, sizeof text, "0001 0110 0001 0000 0000 0000 %s 0020 0001", names[i]);
        exchange_udp(&x, TO_SERVER, text);
        assert_int_equal(harness_count(&x.h, ACTIVITY_NBNS_QUERY), 1);
        assert_false(harness_has(harness_find(&x.h, ACTIVITY_NBNS_QUERY, 0), FIELD_NETBIOS_NAME));
        exchange_close(&x);
    }
}

static void test_cuts(void **state)
{
    (void)state;
    assert_true(exchange_cut_datagram(137, TO_SERVER, PROTOCOL_NBNS, QUERY, NULL) > 30);
    assert_true(exchange_cut_datagram(137, TO_CLIENT, PROTOCOL_NBNS, ANSWER, NULL) > 30);
    assert_true(exchange_cut_datagram(137, TO_SERVER, PROTOCOL_NBNS, REGISTER, NULL) > 30);
    assert_true(exchange_cut_datagram(137, TO_CLIENT, PROTOCOL_NBNS, STATUS_IS, NULL) > 30);
    struct exchange x;
    begin(&x);
    exchange_udp(&x, TO_SERVER, "000101");
    assert_int_equal(x.h.counts->nbns_requests, 0);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_NBNS].malformed, 1);
    exchange_udp(&x, TO_SERVER, "00010110");
    assert_int_equal(x.h.counts->nbns_requests, 1);
    exchange_close(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_broadcast_query), cmocka_unit_test(test_unicast_query),
        cmocka_unit_test(test_node_status),     cmocka_unit_test(test_registration),
        cmocka_unit_test(test_odd_names),       cmocka_unit_test(test_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
