/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "capture/radius.h"
#include "tests/unit/exchange.h"

#define SECRET "xyzzy5461"
/* Longer than a block of MD5. */
#define LONG_SECRET "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"

/* RFC 2865 7.1; RFC 5997 6.1; the others are made with Python's hashlib and hmac. */
#define ACCESS_REQUEST                                                                                       \
    "010000380f403f9473978057bd83d5cb98f4227a01066e656d6f02120dbe708d93d413ce3196e43f782a0aee0406c0a80110"   \
    "050600000003"
#define ACCESS_ACCEPT "0200002686fe220e7624ba2a1005f6bf9b55e0b20606000000010f06000000000e06c0a80103"
#define STATUS_SERVER "0cda00268a54f4686fb394c52866e302185d062350125a665e2e1e8411f3e243822097c84fa3"
#define STATUS_ACCEPT "02da0014ef0d552a4bf2d693ec2b6fe8b5411d66"
#define STOP                                                                                                 \
    "040700e742ecb2211b891d5cc3da3752312cf386010d434f52505c75736572303204060a4d003205060000000308060a4d09"   \
    "0c1e0e3139382e35312e3130302e311f0d3230332e302e3131332e38200976706e2d6777312806000000022906000000012a"   \
    "06000000052b06000000062c08732d303030322e060000025831060000000132046d31340600000001350600000002370665"   \
    "53f1003d0600000005420e013230332e302e3131332e38430e3139382e35312e3130302e315f120000000000000000000000"   \
    "0000000001a81220010db80000000000000000000000091a08000001377878"
#define STOP_RESPONSE  "05070014cb5b8638faa0deafa44a97f35cdb66f7"
#define ACCOUNTING_ON  "0408001a2a5365c034ffd6b158076ddd62e57835280600000007"
#define ACCOUNTING_ODD "0409001a960c15a98f0d183d617d610ab2d5650228060001e240"
#define COA            "2b03001e43a15c4935c701e4648d600413a9cd320105626f622c05732d31"
#define COA_ACK        "2c0300142174fb0d35ebd51e427245df3639dd0d"
#define DISCONNECT     "280400195612841e0e0a7fc935a9e3e3464862352c05732d31"
#define DISCONNECT_NAK "2a0400149e9cb5b7aeb23188f496e712aa808bda"
#define ACCESS_SIGNED                                                                                        \
    "0105002d000102030405060708090a0b0c0d0e0f0107616c696365501229b61acdaf0ef65fce276b04afaa0a6c"
#define ACCESS_REJECT    "030500143892273d2d6eb510cc9e65c1e6acc3f3"
#define ACCESS_CHALLENGE "0b050014331f752e7867af1882b2e6784c1006b3"

static struct radius_packet *packet_of(const char *text)
{
    static uint8_t *block;
    static struct radius_packet packet;
    struct run *run = bytes_of(text);
    free(block);
    block = malloc(run->size);
    memcpy(block, run->data, run->size);
    assert_true(radius_read((struct bytes){block, run->size}, &packet));
    free(run);
    return &packet;
}

static void test_authenticators(void **state)
{
    (void)state;
    bool known;
    uint8_t request[RADIUS_AUTHENTICATOR];
    struct radius_packet *packet = packet_of(ACCESS_REQUEST);
    memcpy(request, packet->authenticator, sizeof request);
    radius_request_valid(packet, SECRET, &known);
    assert_false(known); /* it has no Message-Authenticator */
    assert_true(radius_response_valid(packet_of(ACCESS_ACCEPT), SECRET, request));
    assert_false(radius_response_valid(packet_of(ACCESS_ACCEPT), "xyzzy5462", request));
    request[0] ^= 1;
    assert_false(radius_response_valid(packet_of(ACCESS_ACCEPT), SECRET, request));

    packet = packet_of(STATUS_SERVER);
    memcpy(request, packet->authenticator, sizeof request);
    assert_true(radius_request_valid(packet, SECRET, &known));
    assert_true(known);
    assert_false(radius_request_valid(packet, "other", &known));
    assert_true(known);
    assert_true(radius_response_valid(packet_of(STATUS_ACCEPT), SECRET, request));

    assert_true(radius_request_valid(packet_of(STOP), SECRET, &known) && known);
    assert_false(radius_request_valid(packet_of(STOP), "", &known));
    assert_true(known);
    assert_true(radius_request_valid(packet_of(COA), SECRET, &known));
    assert_true(radius_request_valid(packet_of(ACCESS_SIGNED), LONG_SECRET, &known));
    assert_false(radius_request_valid(packet_of(ACCESS_SIGNED), SECRET, &known));
}

static void test_accounting(void **state)
{
    (void)state;
    struct exchange x;
    struct engine_options options = {.radius_secret = SECRET};
    exchange_open(&x, 50000, 1813, &options);
    exchange_udp(&x, TO_SERVER, STOP);
    assert_int_equal(x.h.size, 0);
    exchange_udp(&x, TO_CLIENT, STOP_RESPONSE);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_RADIUS_ACCOUNTING, 0);
    assert_string_equal(harness_text(r, FIELD_RADIUS_STATUS), "stop");
    assert_string_equal(harness_text(r, FIELD_ACCOUNT), "CORP\\user02");
    assert_string_equal(harness_text(r, FIELD_RADIUS_SESSION), "s-0002");
    assert_string_equal(harness_text(r, FIELD_RADIUS_MULTI_SESSION), "m1");
    assert_non_null(strstr(r->json, "\"framed_addresses\":[\"10.77.9.12\",\"2001:db8::9\"]"));
    assert_string_equal(harness_text(r, FIELD_CALLED_STATION), "198.51.100.1");
    assert_string_equal(harness_text(r, FIELD_CALLING_STATION), "203.0.113.8");
    assert_string_equal(harness_text(r, FIELD_NAS_ADDRESS), "10.77.0.50");
    assert_string_equal(harness_text(r, FIELD_NAS_NAME), "vpn-gw1");
    assert_int_equal(harness_uint(r, FIELD_NAS_PORT), 3);
    assert_int_equal(harness_uint(r, FIELD_NAS_PORT_TYPE), 5);
    assert_string_equal(harness_text(r, FIELD_TUNNEL_CLIENT), "203.0.113.8"); /* without its tag */
    assert_string_equal(harness_text(r, FIELD_TUNNEL_SERVER), "198.51.100.1");
    assert_int_equal(harness_uint(r, FIELD_SESSION_TIME), 600);
    assert_int_equal(harness_uint(r, FIELD_INPUT_OCTETS), (UINT64_C(1) << 32) + 5);
    assert_int_equal(harness_uint(r, FIELD_OUTPUT_OCTETS), (UINT64_C(2) << 32) + 6);
    assert_int_equal(harness_uint(r, FIELD_TERMINATE_CAUSE), 1);
    assert_int_equal(harness_uint(r, FIELD_DELAY_TIME), 1);
    assert_int_equal(activity_get(r->activity, FIELD_EVENT_TIME)->sint, INT64_C(1700000000) * 1000000000);
    assert_true(harness_bool(r, FIELD_AUTHENTICATOR_VALID));
    assert_true(harness_bool(r, FIELD_REPLY_AUTHENTICATOR_VALID));
    assert_string_equal(harness_text(r, FIELD_RADIUS_CODE), "response");
    assert_int_equal(x.h.counts->radius[4], 1);
    assert_int_equal(x.h.counts->radius[5], 1);
    exchange_udp(&x, TO_SERVER, ACCOUNTING_ON);
    exchange_udp(&x, TO_SERVER, ACCOUNTING_ODD);
    exchange_finish(&x);
    assert_non_null(
        harness_find_text(&x.h, ACTIVITY_RADIUS_ACCOUNTING, FIELD_RADIUS_STATUS, "accounting_on", 0));
    assert_non_null(harness_find_text(&x.h, ACTIVITY_RADIUS_ACCOUNTING, FIELD_RADIUS_STATUS, "123456", 0));
    assert_null(strstr(r->json, SECRET));
    exchange_close(&x);
}

static void test_wrong_and_unknown_secret(void **state)
{
    (void)state;
    struct exchange x;
    struct engine_options options = {.radius_secret = "wrong"};
    exchange_open(&x, 50000, 1813, &options);
    exchange_udp(&x, TO_SERVER, STOP);
    exchange_udp(&x, TO_CLIENT, STOP_RESPONSE);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_RADIUS_ACCOUNTING, 0);
    assert_true(harness_has(r, FIELD_AUTHENTICATOR_VALID));
    assert_false(harness_bool(r, FIELD_AUTHENTICATOR_VALID));
    assert_true(harness_has(r, FIELD_REPLY_AUTHENTICATOR_VALID));
    assert_false(harness_bool(r, FIELD_REPLY_AUTHENTICATOR_VALID));
    exchange_close(&x);
    exchange_open(&x, 50000, 1813, NULL);
    exchange_udp(&x, TO_SERVER, STOP);
    exchange_udp(&x, TO_CLIENT, STOP_RESPONSE);
    r = harness_find(&x.h, ACTIVITY_RADIUS_ACCOUNTING, 0);
    assert_false(harness_has(r, FIELD_AUTHENTICATOR_VALID));
    assert_false(harness_has(r, FIELD_REPLY_AUTHENTICATOR_VALID));
    exchange_close(&x);
}

static void test_access(void **state)
{
    (void)state;
    struct exchange x;
    struct engine_options options = {.radius_secret = LONG_SECRET};
    exchange_open(&x, 50000, 1812, &options);
    exchange_udp(&x, TO_SERVER, ACCESS_SIGNED);
    exchange_udp(&x, TO_CLIENT, ACCESS_CHALLENGE);
    exchange_udp(&x, TO_SERVER, ACCESS_SIGNED);
    exchange_udp(&x, TO_CLIENT, ACCESS_REJECT);
    assert_int_equal(x.h.size, 2);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_RADIUS_ACCESS, 0);
    assert_string_equal(harness_text(r, FIELD_RADIUS_CODE), "challenge");
    r = harness_find(&x.h, ACTIVITY_RADIUS_ACCESS, 1);
    assert_string_equal(harness_text(r, FIELD_RADIUS_CODE), "reject");
    assert_string_equal(harness_text(r, FIELD_ACCOUNT), "alice");
    assert_true(harness_bool(r, FIELD_AUTHENTICATOR_VALID));
    assert_true(harness_bool(r, FIELD_REPLY_AUTHENTICATOR_VALID));
    exchange_udp(&x, TO_SERVER, ACCESS_REQUEST);
    exchange_udp(&x, TO_CLIENT, ACCESS_ACCEPT);
    r = harness_find(&x.h, ACTIVITY_RADIUS_ACCESS, 2);
    assert_string_equal(harness_text(r, FIELD_RADIUS_CODE), "accept");
    assert_string_equal(harness_text(r, FIELD_ACCOUNT), "nemo");
    assert_string_equal(harness_text(r, FIELD_NAS_ADDRESS), "192.168.1.16");
    exchange_udp(&x, TO_SERVER, STATUS_SERVER);
    assert_int_equal(x.h.counts->radius[12], 1);
    exchange_finish(&x);
    assert_int_equal(x.h.size, 3);
    exchange_close(&x);
}

static void test_changes(void **state)
{
    (void)state;
    struct exchange x;
    struct engine_options options = {.radius_secret = SECRET};
    exchange_open(&x, 50000, 3799, &options);
    exchange_udp(&x, TO_SERVER, COA);
    exchange_udp(&x, TO_CLIENT, COA_ACK);
    exchange_udp(&x, TO_SERVER, DISCONNECT);
    exchange_udp(&x, TO_CLIENT, DISCONNECT_NAK);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_RADIUS_CHANGE, 0);
    assert_string_equal(harness_text(r, FIELD_RADIUS_CODE), "ack");
    assert_string_equal(harness_text(r, FIELD_ACCOUNT), "bob");
    assert_true(harness_bool(r, FIELD_AUTHENTICATOR_VALID));
    assert_true(harness_bool(r, FIELD_REPLY_AUTHENTICATOR_VALID));
    r = harness_find(&x.h, ACTIVITY_RADIUS_CHANGE, 1);
    assert_string_equal(harness_text(r, FIELD_RADIUS_CODE), "nak");
    assert_string_equal(harness_text(r, FIELD_RADIUS_SESSION), "s-1");
    exchange_close(&x);
}

static void test_damaged(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 1812, NULL);
    exchange_udp(&x, TO_SERVER, ACCESS_REQUEST); /* the flow is recognised */
    size_t before = x.h.stats->protocol[PROTOCOL_RADIUS].malformed;
    exchange_udp(&x, TO_SERVER, "01 01 0013 00000000000000000000000000000000"); /* shorter than a header */
    exchange_udp(&x, TO_SERVER, "01 01 1001 00000000000000000000000000000000"); /* longer than any */
    exchange_udp(&x, TO_SERVER, "ff 01 0014 00000000000000000000000000000000"); /* no such code */
    exchange_udp(&x, TO_SERVER, "01 01 0016 00000000000000000000000000000000 01 01"); /* attribute of 1 */
    exchange_udp(&x, TO_SERVER, "01 01 0017 00000000000000000000000000000000 01 09 'x'");
    assert_int_equal(x.h.stats->protocol[PROTOCOL_RADIUS].malformed - before, 5);
    assert_int_equal(x.h.counts->radius[1], 3);
    exchange_udp(&x, TO_SERVER, "01 01 0014 00000000000000000000000000000000 'padding'");
    assert_int_equal(x.h.stats->protocol[PROTOCOL_RADIUS].malformed - before, 5);
    exchange_close(&x);
    struct engine_options options = {.radius_secret = SECRET};
    assert_true(exchange_cut_datagram(1813, TO_SERVER, PROTOCOL_RADIUS, STOP, &options) > 100);
    exchange_cut_datagram(1812, TO_SERVER, PROTOCOL_RADIUS, ACCESS_SIGNED, &options);
    exchange_cut_datagram(1812, TO_CLIENT, PROTOCOL_RADIUS, ACCESS_ACCEPT, &options);
}

static void test_not_radius(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 1812, NULL);
    exchange_udp(&x, TO_SERVER, "ff 01 0014 00000000000000000000000000000000");
    assert_int_equal(x.h.stats->protocol[PROTOCOL_RADIUS].flows, 0);
    exchange_close(&x);
    exchange_open(&x, 50000, 4000, NULL);
    exchange_udp(&x, TO_SERVER, ACCESS_REQUEST); /* nothing but the port tells RADIUS from others */
    assert_int_equal(x.h.stats->protocol[PROTOCOL_RADIUS].flows, 0);
    exchange_close(&x);
}

static void test_capture(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    assert_true(harness_capture(&h, PICKET_TEST_DATA "/r01_radius_acct.pcap"));
    assert_true(harness_count(&h, ACTIVITY_RADIUS_ACCOUNTING) >= 4);
    assert_int_equal(h.stats->protocol[PROTOCOL_RADIUS].malformed, 0);
    assert_int_equal(h.stats->unanswered, 1); /* the one with a wrong secret */
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_authenticators),
        cmocka_unit_test(test_accounting),
        cmocka_unit_test(test_wrong_and_unknown_secret),
        cmocka_unit_test(test_access),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_not_radius),
        cmocka_unit_test(test_capture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
