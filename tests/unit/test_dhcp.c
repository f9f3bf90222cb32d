/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/exchange.h"

#define ZERO_16  "00000000000000000000000000000000"
#define ZERO_64  ZERO_16 ZERO_16 ZERO_16 ZERO_16
#define NO_NAMES ZERO_64 ZERO_64 ZERO_64
#define MAC      "000c2961f55f 00000000000000000000"
#define COOKIE   "63825363"

/* op, htype, hlen, hops, xid, secs, flags, ciaddr, yiaddr, siaddr, giaddr */
#define REQUEST_NEW     "01010600 4fbb5a1a 0000 0000 00000000 00000000 00000000 00000000" MAC NO_NAMES COOKIE
#define REQUEST_RENEW   "01010600 4fbb5a1b 0000 0000 0a000105 00000000 00000000 00000000" MAC NO_NAMES COOKIE
#define REQUEST_RELAYED "01010601 4fbb5a1c 0000 0000 00000000 00000000 00000000 0a0001fe" MAC NO_NAMES COOKIE
#define REPLY_RENEW     "02010600 4fbb5a1b 0000 0000 0a000105 0a000105 00000000 00000000" MAC NO_NAMES COOKIE
#define REPLY_RELAYED   "02010600 4fbb5a1c 0000 0000 00000000 0a000106 00000000 0a0001fe" MAC NO_NAMES COOKIE

#define OPTIONS_REQUEST                                                                                      \
    "350103 3d0701000c2961f55f 32040a000105 36040a000001 0c04 'PC01'"                                        \
    "5110 000000 'PC01.corp.exa' 3c08 'MSFT 5.0' 3703010f03 00 ff"
#define OPTIONS_ACK                                                                                          \
    "350105 36040a000001 330400000708 0104ffffff00 0f0c 'corp.example' 510d040000 04'PC01' 04'corp' ff"

static void test_new_lease(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 68, 67, NULL);
    exchange_udp(&x, TO_SERVER, REQUEST_NEW OPTIONS_REQUEST);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_DHCP_LEASE, 0);
    assert_string_equal(harness_text(r, FIELD_DHCP_MESSAGE), "request");
    assert_int_equal(harness_uint(r, FIELD_DHCP_TRANSACTION), 0x4fbb5a1a);
    assert_string_equal(harness_text(r, FIELD_DHCP_MAC), "000c2961f55f");
    assert_string_equal(harness_text(r, FIELD_DHCP_HOST), "PC01");
    assert_string_equal(harness_text(r, FIELD_DHCP_FQDN), "PC01.corp.exa");
    assert_string_equal(harness_text(r, FIELD_REQUESTED_ADDRESS), "10.0.1.5");
    assert_string_equal(harness_text(r, FIELD_DHCP_SERVER), "10.0.0.1");
    assert_string_equal(harness_text(r, FIELD_DHCP_VENDOR), "MSFT 5.0");
    assert_false(harness_has(r, FIELD_LEASED_ADDRESS));
    assert_false(harness_has(r, FIELD_DHCP_REPLY));
    assert_int_equal(x.h.stats->protocol[PROTOCOL_DHCP].malformed, 0);
    exchange_close(&x);
}

static void test_renewal_is_joined(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 68, 67, NULL);
    exchange_udp(&x, TO_SERVER, REQUEST_RENEW "350103 0c04'PC01' ff");
    assert_int_equal(x.h.size, 0);
    exchange_udp(&x, TO_CLIENT, REPLY_RENEW OPTIONS_ACK);
    assert_int_equal(x.h.size, 1);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_DHCP_LEASE, 0);
    assert_string_equal(harness_text(r, FIELD_DHCP_MESSAGE), "request");
    assert_string_equal(harness_text(r, FIELD_DHCP_REPLY), "ack");
    assert_string_equal(harness_text(r, FIELD_LEASED_ADDRESS), "10.0.1.5");
    assert_int_equal(harness_uint(r, FIELD_LEASE_TIME), 1800);
    assert_string_equal(harness_text(r, FIELD_DHCP_DOMAIN), "corp.example");
    assert_string_equal(harness_text(r, FIELD_DHCP_FQDN), "PC01.corp"); /* in wire form */
    assert_int_equal(harness_uint(r, FIELD_DURATION), 1000000);
    exchange_close(&x);
}

static void test_relayed_and_refused(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 67, 67, NULL);
    exchange_udp(&x, TO_SERVER, REQUEST_RELAYED "350103 32040a000106 ff");
    exchange_udp(&x, TO_CLIENT, REPLY_RELAYED "350106 ff");
    struct harness_record *r = harness_find(&x.h, ACTIVITY_DHCP_LEASE, 0);
    assert_string_equal(harness_text(r, FIELD_DHCP_REPLY), "nak");
    assert_string_equal(harness_text(r, FIELD_DHCP_RELAY), "10.0.1.254");
    /* discover and offer give nothing; an ack whose request went elsewhere and a release do */
    exchange_udp(&x, TO_SERVER, REQUEST_NEW "350101 ff");
    exchange_udp(&x, TO_CLIENT, REPLY_RENEW "350102 ff");
    assert_int_equal(x.h.size, 1);
    exchange_udp(&x, TO_CLIENT, REPLY_RENEW OPTIONS_ACK);
    exchange_udp(&x, TO_SERVER, REQUEST_RENEW "350107 ff");
    assert_int_equal(x.h.size, 3);
    r = harness_find(&x.h, ACTIVITY_DHCP_LEASE, 1);
    assert_string_equal(harness_text(r, FIELD_DHCP_MESSAGE), "ack");
    exchange_close(&x);
}

static void test_reply_seen_first(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 68, 67, NULL);
    exchange_udp(&x, TO_CLIENT, REPLY_RENEW OPTIONS_ACK);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_DHCP_LEASE, 0);
    assert_string_equal(harness_text(r, FIELD_DESTINATION), "10.0.2.2"); /* the server's */
    assert_int_equal(harness_uint(r, FIELD_DESTINATION_PORT), 67);
    exchange_close(&x);
}

static void test_damaged(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 68, 67, NULL);
    exchange_udp(&x, TO_SERVER, REQUEST_NEW "350109 ff"); /* no such type */
    exchange_udp(&x, TO_SERVER, REQUEST_NEW "ff");        /* no type */
    exchange_udp(&x, TO_SERVER, "01010600 4fbb5a1a 0000 0000" ZERO_16 MAC NO_NAMES "00000000"); /* BOOTP */
    assert_int_equal(x.h.size, 0);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_DHCP].malformed, 0);
    exchange_udp(&x, TO_SERVER, REQUEST_NEW "350103 0cff 'PC'"); /* an option beyond the end */
    assert_int_equal(x.h.stats->protocol[PROTOCOL_DHCP].malformed, 1);
    assert_int_equal(x.h.size, 1);
    exchange_close(&x);
    assert_true(exchange_cut_datagram(67, TO_SERVER, PROTOCOL_DHCP, REQUEST_NEW OPTIONS_REQUEST, NULL) > 200);
    assert_true(exchange_cut_datagram(67, TO_CLIENT, PROTOCOL_DHCP, REPLY_RENEW OPTIONS_ACK, NULL) > 200);
}

#define DUID_LLT "0001 000e 0001 0001 2a2b2c2d 000c2961f55f"
#define IA_NA                                                                                                \
    "0003 0028 00000001 00000e10 00001518 0005 0018 20010db8000000000000000000000009 00000e10 00001c20"
#define FQDN_6     "0027 000b 00 04'PC01' 04'corp'"
#define REQUEST_V6 "03 123456" DUID_LLT FQDN_6
#define REPLY_V6   "07 123456" DUID_LLT IA_NA FQDN_6
#define RELAYED_V6 "0d 00" ZERO_16 ZERO_16 "0012 0000 0009 0051" REPLY_V6

static void test_dhcpv6(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 546, 547, NULL);
    exchange_udp(&x, TO_SERVER, "01 123456" DUID_LLT); /* solicit */
    assert_int_equal(x.h.size, 0);
    exchange_udp(&x, TO_SERVER, REQUEST_V6);
    exchange_udp(&x, TO_CLIENT, REPLY_V6);
    assert_int_equal(x.h.size, 2);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_DHCP_LEASE, 0);
    assert_string_equal(harness_text(r, FIELD_DHCP_MESSAGE), "request");
    assert_string_equal(harness_text(r, FIELD_DHCP_FQDN), "PC01.corp");
    assert_string_equal(harness_text(r, FIELD_DHCP_MAC), "000c2961f55f");
    r = harness_find(&x.h, ACTIVITY_DHCP_LEASE, 1);
    assert_string_equal(harness_text(r, FIELD_LEASED_ADDRESS), "2001:db8::9");
    assert_int_equal(harness_uint(r, FIELD_LEASE_TIME), 7200);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_DHCP].malformed, 0);
    exchange_udp(&x, TO_CLIENT, RELAYED_V6);
    r = harness_find(&x.h, ACTIVITY_DHCP_LEASE, 2);
    assert_string_equal(harness_text(r, FIELD_LEASED_ADDRESS), "2001:db8::9");
    exchange_udp(&x, TO_SERVER,
                 "07 123456 0001 0008 0003 0001 aabbccdd 0003 000c"
                 "000000000000000000000000");
    r = harness_find(&x.h, ACTIVITY_DHCP_LEASE, 3);
    assert_string_equal(harness_text(r, FIELD_DHCP_MAC), "aabbccdd");  /* DUID-LL */
    exchange_udp(&x, TO_SERVER, "07 123457 0001 0006 0002 0001 aabb"); /* DUID-EN: no address */
    assert_false(harness_has(harness_find(&x.h, ACTIVITY_DHCP_LEASE, 4), FIELD_DHCP_MAC));
    exchange_udp(&x, TO_SERVER, "ff 123456");
    exchange_udp(&x, TO_SERVER, "07 12");
    assert_int_equal(x.h.stats->protocol[PROTOCOL_DHCP].malformed, 2);
    exchange_close(&x);
    exchange_cut_datagram(547, TO_SERVER, PROTOCOL_DHCP, REQUEST_V6, NULL);
    exchange_cut_datagram(547, TO_CLIENT, PROTOCOL_DHCP, RELAYED_V6, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_lease),
        cmocka_unit_test(test_renewal_is_joined),
        cmocka_unit_test(test_relayed_and_refused),
        cmocka_unit_test(test_reply_seen_first),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_dhcpv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
