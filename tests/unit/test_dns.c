/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "capture/dns.h"
#include "tests/unit/exchange.h"

/* -- names ------------------------------------------------------------------------------------------ */

/* Reads the name at an offset of a message that stands in a block of its own size. */
static bool read_name(const char *text, size_t at, struct dns_name *name, struct cursor *after)
{
    static uint8_t *block;
    struct run *run = bytes_of(text);
    free(block);
    block = malloc(run->size ? run->size : 1);
    memcpy(block, run->data, run->size);
    struct bytes message = {block, run->size};
    *after = cursor_of(block + at, run->size - at);
    free(run);
    return dns_name_read(after, message, name);
}

static void assert_name(const char *text, size_t at, const char *expected, size_t left)
{
    struct dns_name name;
    struct cursor after;
    assert_true(read_name(text, at, &name, &after));
    assert_int_equal(name.size, strlen(expected));
    assert_memory_equal(name.text, expected, name.size);
    assert_false(after.failed);
    assert_int_equal(cursor_left(&after), left);
}

static void test_names(void **state)
{
    (void)state;
    assert_name("00 ff", 0, "", 1);
    assert_name("03'www' 07'example' 03'com' 00 0001", 0, "www.example.com", 2);
    assert_name("07'example' 03'com' 00 03'www' c000 aa", 13, "www.example.com", 1);
    /* a pointer to a pointer */
    assert_name("03'com' 00 07'example' c000 03'www' c005", 15, "www.example.com", 0);
    /* what is special is escaped, UTF-8 stays */
    assert_name("05'a.b' 5c 01 04 7f c3a4 20 00", 0, "a\\.b\\\\\\001.\\127\xc3\xa4 ", 0);
}

static void test_bad_names(void **state)
{
    (void)state;
    struct dns_name name;
    struct cursor after;
    /* loops, and a pointer forward: the name is none, but its end is known */
    assert_false(read_name("c000 aabb", 0, &name, &after));
    assert_false(after.failed);
    assert_int_equal(cursor_left(&after), 2);
    assert_false(read_name("01'a' c000 aabb", 0, &name, &after));
    assert_int_equal(cursor_left(&after), 2);
    assert_false(read_name("c002 c000", 2, &name, &after));
    assert_int_equal(cursor_left(&after), 0);
    assert_false(read_name("c003 ff 01'a' 00", 0, &name, &after));
    assert_int_equal(cursor_left(&after), 4);
    /* out of the message, cut, reserved kinds of labels: the end is not known */
    static const char *const lost[] = {"", "c0", "c0ff", "03'ab'", "03'abc'", "41 00", "80 00"};
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        assert_false(read_name(lost[i], 0, &name, &after));
        assert_true(after.failed);
    }
}

static void test_long_names(void **state)
{
    (void)state;
    static char text[1600];
    struct dns_name name;
    struct cursor after;
    text[0] = '\0';
    for (int i = 0; i < 127; i++)
        strcat(text, "01 01 ");
    strcat(text, "00");
    assert_true(read_name(text, 0, &name, &after)); /* 255 octets: the most */
    assert_int_equal(name.size, 127 * 4 + 126);
    strcpy(text + strlen(text) - 2, "01 01 00 aa");
    assert_false(read_name(text, 0, &name, &after));
    assert_int_equal(cursor_left(&after), 1);
    /* every octet escaped, in labels of 63: the longest text */
    text[0] = '\0';
    for (int i = 0; i < 254; i++)
        strcat(text, i % 64 == 0 ? (i < 192 ? "3f " : "3d ") : "01 ");
    strcat(text, "00");
    assert_true(read_name(text, 0, &name, &after));
    assert_true(name.size <= DNS_NAME_TEXT_MAX);
}

static void test_records(void **state)
{
    (void)state;
    struct run *run = bytes_of("01'a' 00 000f 0001 0000003c 0006 000a 01'm' c000 ff");
    struct cursor c = cursor_of(run->data, run->size);
    struct dns_record record;
    struct ip_address address;
    assert_true(dns_record_read(&c, &record));
    assert_int_equal(record.type, DNS_TYPE_MX);
    assert_int_equal(record.ttl, 60);
    assert_ptr_equal(dns_record_target(&record), record.data.at + 2);
    assert_false(dns_record_address(&record, &address));
    assert_int_equal(cursor_left(&c), 1);
    record.type = DNS_TYPE_A; /* of six bytes */
    assert_false(dns_record_address(&record, &address));
    assert_null(dns_record_target(&record));
    record.type = DNS_TYPE_SRV; /* without a target */
    assert_null(dns_record_target(&record));
    assert_false(dns_record_read(&c, &record));
    assert_true(c.failed);
    free(run);
}

/* -- questions and answers -------------------------------------------------------------------------- */

#define QUERY_WWW "1234 0100 0001 0000 0000 0000 03'www' 07'example' 03'com' 00 0001 0001"
#define ANSWER_WWW                                                                                           \
    "1234 8580 0001 0003 0000 0001 03'www' 07'example' 03'com' 00 0001 0001"                                 \
    "c00c 0005 0001 0000003c 0005 02'w2' c010"                                                               \
    "c02d 0001 0001 0000003c 0004 c0000201"                                                                  \
    "c02d 001c 0001 0000003c 0010 20010db8000000000000000000000001"                                          \
    "00 0029 1000 00000000 0000"

static void test_query(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 53, NULL);
    exchange_udp(&x, TO_SERVER, QUERY_WWW);
    assert_int_equal(x.h.size, 0);
    exchange_udp(&x, TO_CLIENT, ANSWER_WWW);
    assert_int_equal(x.h.size, 1);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_DNS_QUERY, 0);
    assert_string_equal(harness_text(r, FIELD_SOURCE), "10.0.1.1");
    assert_int_equal(harness_uint(r, FIELD_DURATION), 1000000);
    assert_string_equal(harness_text(r, FIELD_DNS_NAME), "www.example.com");
    assert_int_equal(harness_uint(r, FIELD_DNS_TYPE), 1);
    assert_true(harness_bool(r, FIELD_DNS_RECURSION));
    assert_true(harness_bool(r, FIELD_DNS_AUTHORITATIVE));
    assert_false(harness_has(r, FIELD_DNS_CUT));
    assert_int_equal(harness_uint(r, FIELD_STATUS), 0);
    assert_true(harness_has(r, FIELD_STATUS));
    assert_int_equal(harness_uint(r, FIELD_DNS_ANSWERS), 3);
    assert_int_equal(harness_uint(r, FIELD_DNS_ANSWER_BYTES), 25);
    assert_int_equal(harness_uint(r, FIELD_DNS_RECORD_MAX), 16);
    assert_int_equal(harness_uint(r, FIELD_DNS_REQUEST_SIZE), 33);
    assert_non_null(strstr(r->json, "\"dns_record_types\":[5,1,28]"));
    assert_non_null(strstr(r->json, "\"addresses\":[\"192.0.2.1\",\"2001:db8::1\"]"));
    assert_non_null(strstr(r->json, "\"dns_targets\":[\"w2.example.com\"]"));
    const struct dns_counts *counts = &x.h.counts->dns[DNS_UNICAST];
    assert_int_equal(counts->responses[0], 1);
    assert_int_equal(counts->opcodes[0], 1);
    assert_int_equal(counts->over[TRANSPORT_UDP], 1);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_DNS].messages, 2);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_DNS].malformed, 0);
    exchange_finish(&x);
    assert_int_equal(x.h.size, 1);
    exchange_close(&x);
}

static void test_query_unanswered_and_answer_alone(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 53, NULL);
    exchange_udp(&x, TO_SERVER, QUERY_WWW);
    exchange_udp(&x, TO_CLIENT,
                 "9999 8603 0001 0000 0000 0000 02'no' 00 0010 0003"); /* truncated, NXDOMAIN */
    exchange_finish(&x);
    assert_int_equal(harness_count(&x.h, ACTIVITY_DNS_QUERY), 2);
    struct harness_record *alone = harness_find_text(&x.h, ACTIVITY_DNS_QUERY, FIELD_DNS_NAME, "no", 0);
    assert_int_equal(harness_uint(alone, FIELD_STATUS), 3);
    assert_true(harness_bool(alone, FIELD_DNS_CUT));
    assert_string_equal(harness_text(alone, FIELD_SOURCE), "10.0.1.1"); /* who asked */
    struct harness_record *open =
        harness_find_text(&x.h, ACTIVITY_DNS_QUERY, FIELD_DNS_NAME, "www.example.com", 0);
    assert_true(harness_has(open, FIELD_ANSWERED));
    assert_false(harness_bool(open, FIELD_ANSWERED));
    exchange_close(&x);
}

static void test_query_odd(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 53, NULL);
    /* several questions, another class; NOTIFY; no question at all; extended rcode BADVERS (16) */
    exchange_udp(&x, TO_SERVER, "0001 0000 0002 0000 0000 0000 01'a' 00 0010 0003 01'b' c00e 001c 0001");
    exchange_udp(&x, TO_SERVER, "0002 2400 0001 0000 0000 0000 01'z' 00 0006 0001");
    exchange_udp(&x, TO_SERVER, "0003 1000 0000 0000 0000 0000");
    exchange_udp(&x, TO_CLIENT,
                 "0001 8000 0001 0000 0000 0001 01'a' 00 0010 0003 00 0029 1000 01000000 0000");
    exchange_udp(&x, TO_CLIENT, "0003 9000 0000 0000 0000 0000");
    exchange_finish(&x);
    struct harness_record *r = harness_find_text(&x.h, ACTIVITY_DNS_QUERY, FIELD_DNS_NAME, "a", 0);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 16);
    assert_int_equal(harness_uint(r, FIELD_DNS_CLASS), 3);
    assert_non_null(strstr(r->json, "\"dns_names\":[\"a\",\"b\"],\"dns_types\":[16,28]"));
    r = harness_find_text(&x.h, ACTIVITY_DNS_QUERY, FIELD_DNS_NAME, "z", 0);
    assert_int_equal(harness_uint(r, FIELD_DNS_OPCODE), 4);
    assert_int_equal(harness_count(&x.h, ACTIVITY_DNS_QUERY), 2);
    assert_int_equal(x.h.counts->dns[DNS_UNICAST].opcodes[4], 1);
    assert_int_equal(x.h.counts->dns[DNS_UNICAST].opcodes[2], 1);
    exchange_close(&x);
}

static void test_many_questions_and_records(void **state)
{
    (void)state;
    struct exchange x;
    static char text[20000];
    exchange_open(&x, 50000, 5353, NULL);
    strcpy(text, "0000 0000 0064 0000 0000 0000");
    for (int i = 0; i < 100; i++)
        strcat(text, "01'q' 00 000c 0001");
    exchange_udp(&x, TO_SERVER, text);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_MDNS_QUERY, 0);
    assert_true(harness_bool(r, FIELD_TRUNCATED));
    exchange_close(&x);

    exchange_open(&x, 50000, 53, NULL);
    strcpy(text, "0001 8000 0001 00c8 0000 0000 01'q' 00 00ff 0001");
    for (int i = 0; i < 100; i++)
        strcat(text, "c00c 0001 0001 00000000 0004 0a000001 c00c 0002 0001 00000000 0002 c00c");
    exchange_udp(&x, TO_CLIENT, text);
    r = harness_find(&x.h, ACTIVITY_DNS_QUERY, 0);
    assert_int_equal(harness_uint(r, FIELD_DNS_ANSWERS), 200);
    assert_int_equal(activity_get(r->activity, FIELD_ADDRESSES)->list.count, 64);
    assert_int_equal(activity_get(r->activity, FIELD_DNS_TARGETS)->list.count, 64);
    exchange_close(&x);
}

/* -- updates ---------------------------------------------------------------------------------------- */

#define UPDATE                                                                                               \
    "ef07 2800 0001 0001 0003 0001 04'corp' 00 0006 0001"                                                    \
    "02'h1' c00c 0005 00fe 00000000 0000"                                                                    \
    "c016 001c 00ff 00000000 0000"                                                                           \
    "c016 0001 00fe 00000000 0004 0a000005"                                                                  \
    "c016 0001 0001 000004b0 0004 0a000006"                                                                  \
    "03'key' 00 00fa 00ff 00000000 001a 08'gss-tsig' 00 0000 00000000 012c 0000 ef07 0000 0000"

static void test_update(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 53, NULL);
    exchange_udp(&x, TO_SERVER, UPDATE);
    exchange_udp(&x, TO_CLIENT, "ef07 a805 0001 0000 0000 0000 04'corp' 00 0006 0001");
    struct harness_record *r = harness_find(&x.h, ACTIVITY_DNS_UPDATE, 0);
    assert_non_null(r);
    assert_string_equal(harness_text(r, FIELD_DNS_ZONE), "corp");
    assert_int_equal(harness_uint(r, FIELD_STATUS), 5);
    assert_int_equal(harness_uint(r, FIELD_DNS_PREREQUISITES), 1);
    assert_non_null(strstr(r->json, "\"dns_added_names\":[\"h1.corp\"],\"dns_added_types\":[1],"
                                    "\"dns_added_addresses\":[\"10.0.0.6\"]"));
    assert_non_null(strstr(r->json,
                           "\"dns_deleted_names\":[\"h1.corp\",\"h1.corp\"],\"dns_deleted_types\":[28,1],"
                           "\"dns_deleted_addresses\":[\"10.0.0.5\"]"));
    assert_string_equal(harness_text(r, FIELD_DNS_SIGNATURE), "gss-tsig");
    assert_string_equal(harness_text(r, FIELD_DNS_SIGNER), "key");
    assert_int_equal(x.h.counts->dns[DNS_UNICAST].opcodes[5], 1);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_DNS].malformed, 0);
    exchange_udp(&x, TO_CLIENT,
                 "ef08 a800 0001 0000 0000 0000 04'corp' 00 0006 0001"); /* its request was lost */
    exchange_udp(&x, TO_CLIENT, "ef09 a800 0000 0000 0000 0000");
    exchange_udp(&x, TO_SERVER, "ef09 2800 0000 0000 0000 0000");
    assert_int_equal(harness_count(&x.h, ACTIVITY_DNS_UPDATE), 2);
    exchange_close(&x);
}

static void test_update_large(void **state)
{
    (void)state;
    struct exchange x;
    static char text[20000];
    exchange_open(&x, 50000, 53, NULL);
    strcpy(text, "0001 2800 0001 0000 00c8 0000 01'z' 00 0006 0001");
    for (int i = 0; i < 200; i++)
        strcat(text, "c00c 0001 0001 00000000 0004 0a000001");
    exchange_udp(&x, TO_SERVER, text);
    exchange_finish(&x);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_DNS_UPDATE, 0);
    assert_true(harness_bool(r, FIELD_TRUNCATED));
    assert_int_equal(activity_get(r->activity, FIELD_DNS_ADDED_NAMES)->list.count, 64);
    exchange_close(&x);
}

/* -- transfers -------------------------------------------------------------------------------------- */

#define SOA_1  "c00c 0006 0001 00000e10 0018 c00c c00c 00000001 00000000 00000000 00000000 00000000"
#define SOA_2  "c00c 0006 0001 00000e10 0018 c00c c00c 00000002 00000000 00000000 00000000 00000000"
#define REST_A "02'h1' c00c 0001 0001 00000e10 0004 0a000001"

static char *tcp_message(char *to, const char *text)
{
    struct run *run = bytes_of(text);
    char *at = to;
    at += sprintf(at, "%04zx", run->size);
    for (size_t i = 0; i < run->size; i++)
        at += sprintf(at, "%02x", run->data[i]);
    free(run);
    return to;
}

#define ZONE "01'x' 04'corp' 00"

static void send_tcp(struct exchange *x, enum direction direction, const char *text)
{
    static char message[8000];
    exchange_tcp(x, direction, tcp_message(message, text));
}

static void test_transfer_whole(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 53, NULL);
    exchange_connect(&x);
    send_tcp(&x, TO_SERVER, "0007 0000 0001 0000 0000 0000" ZONE "00fc 0001");
    send_tcp(&x, TO_CLIENT, "0007 8400 0001 0002 0000 0000" ZONE "00fc 0001" SOA_2 REST_A);
    send_tcp(&x, TO_CLIENT, "0007 8400 0000 0001 0000 0000 02'h2' 00 0001 0001 00000e10 0004 0a000002");
    assert_int_equal(x.h.size, 0);
    send_tcp(&x, TO_CLIENT, "0007 8400 0001 0001 0000 0000" ZONE "00fc 0001" SOA_2);
    assert_int_equal(x.h.size, 1);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_DNS_TRANSFER, 0);
    assert_string_equal(harness_text(r, FIELD_DNS_ZONE), "x.corp");
    assert_int_equal(harness_uint(r, FIELD_DNS_TYPE), DNS_TYPE_AXFR);
    assert_int_equal(harness_uint(r, FIELD_DNS_MESSAGES), 3);
    assert_int_equal(harness_uint(r, FIELD_DNS_RECORDS), 4);
    assert_true(harness_bool(r, FIELD_DNS_COMPLETE));
    assert_int_equal(harness_uint(r, FIELD_DURATION), 3000000);
    assert_int_equal(x.h.counts->dns[DNS_UNICAST].over[TRANSPORT_TCP], 1);
    assert_int_equal(x.h.counts->dns[DNS_UNICAST].responses[0], 3);
    exchange_finish(&x);
    assert_int_equal(x.h.size, 1);
    exchange_close(&x);
}

static void test_transfer_incremental(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 53, NULL);
    exchange_connect(&x);
    send_tcp(&x, TO_SERVER, "0008 0000 0001 0000 0000 0000" ZONE "00fb 0001");
    send_tcp(&x, TO_CLIENT, "0008 8400 0001 0005 0000 0000" ZONE "00fb 0001" SOA_2 SOA_1 REST_A SOA_2 REST_A);
    assert_int_equal(x.h.size, 0);
    send_tcp(&x, TO_CLIENT, "0008 8400 0001 0001 0000 0000" ZONE "00fb 0001" SOA_2);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_DNS_TRANSFER, 0);
    assert_int_equal(harness_uint(r, FIELD_DNS_RECORDS), 6);
    assert_true(harness_bool(r, FIELD_DNS_COMPLETE));
    exchange_close(&x);
}

static void test_transfer_other_ends(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 53, NULL);
    exchange_connect(&x);
    /* refused; then one that is never answered; then one that breaks off, whose request was not seen */
    send_tcp(&x, TO_SERVER, "0001 0000 0001 0000 0000 0000" ZONE "00fc 0001");
    send_tcp(&x, TO_CLIENT, "0001 8005 0001 0000 0000 0000" ZONE "00fc 0001");
    send_tcp(&x, TO_SERVER, "0002 0000 0001 0000 0000 0000" ZONE "00fc 0001");
    send_tcp(&x, TO_CLIENT, "0003 8400 0001 0002 0000 0000" ZONE "00fc 0001" SOA_2 REST_A);
    exchange_finish(&x);
    assert_int_equal(harness_count(&x.h, ACTIVITY_DNS_TRANSFER), 3);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_DNS_TRANSFER, 0);
    assert_int_equal(harness_uint(r, FIELD_STATUS), 5);
    int broken_off = 0, unanswered = 0;
    for (size_t i = 1; i < 3; i++) {
        r = harness_find(&x.h, ACTIVITY_DNS_TRANSFER, i);
        broken_off += harness_uint(r, FIELD_DNS_RECORDS) == 2 && !harness_bool(r, FIELD_DNS_COMPLETE);
        unanswered += harness_has(r, FIELD_ANSWERED) && !harness_bool(r, FIELD_ANSWERED);
    }
    assert_int_equal(broken_off, 1);
    assert_int_equal(unanswered, 1);
    exchange_close(&x);
    /* by UDP one response is all */
    exchange_open(&x, 50000, 53, NULL);
    exchange_udp(&x, TO_SERVER, "0008 0000 0001 0000 0000 0000" ZONE "00fb 0001");
    exchange_udp(&x, TO_CLIENT, "0008 8400 0001 0001 0000 0000" ZONE "00fb 0001" SOA_2);
    assert_int_equal(harness_count(&x.h, ACTIVITY_DNS_TRANSFER), 1);
    exchange_close(&x);
}

static void test_tcp_split(void **state)
{
    (void)state;
    static char request[8000], response[8000];
    tcp_message(request, QUERY_WWW);
    tcp_message(response, ANSWER_WWW);
    exchange_split(53, request, response, ACTIVITY_DNS_QUERY, 1);
}

static void test_tcp_not_dns(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 53, NULL);
    exchange_connect(&x);
    exchange_text(&x, TO_SERVER, "EHLO is what mail says, and there is no such opcode");
    exchange_finish(&x);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_DNS].flows, 0);
    exchange_close(&x);
}

/* TKEY with GSS-API: its token is another exchange's (RFC 3645). The key data is no token here. */
static void test_tkey(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 53, NULL);
    exchange_udp(&x, TO_SERVER,
                 "0001 0000 0001 0000 0000 0001 01'k' 00 00f9 00ff"
                 "c00c 00f9 00ff 00000000 001f 08'gss-tsig' 00 00000000 00000000 0003 0000"
                 "0005 6003020100 0000");
    exchange_udp(&x, TO_CLIENT,
                 "0001 8000 0001 0001 0000 0000 01'k' 00 00f9 00ff"
                 "c00c 00f9 00ff 00000000 001a 08'gss-tsig' 00 00000000 00000000 0003 0011"
                 "0000 0000");
    exchange_finish(&x);
    assert_int_equal(harness_count(&x.h, ACTIVITY_DNS_QUERY), 1);
    assert_int_equal(harness_uint(harness_find(&x.h, ACTIVITY_DNS_QUERY, 0), FIELD_DNS_TYPE), DNS_TYPE_TKEY);
    exchange_close(&x);

    harness_open(&x.h, NULL);
    if (harness_shared(&x.h, PICKET_SHARED_DATA "/pcap/dns--dns-tkey.pcap")) {
        struct harness_record *r = harness_find(&x.h, ACTIVITY_KERBEROS_AP, 0);
        assert_string_equal(harness_text(r, FIELD_CARRIER), "dns");
        assert_int_equal(x.h.counts->kerberos_gss[14], 1);
    }
    harness_close(&x.h);
}

/* -- LLMNR and mDNS --------------------------------------------------------------------------------- */

#define LLMNR_QUERY "0a0b 0000 0001 0000 0000 0000 04'WPAD' 00 0001 0001"
#define LLMNR_ANSWER                                                                                         \
    "0a0b 8000 0001 0001 0000 0000 04'WPAD' 00 0001 0001 c00c 0001 0001 0000001e 0004 0a000066"

static void test_llmnr(void **state)
{
    (void)state;
    struct exchange x;
    struct run *query = bytes_of(LLMNR_QUERY), *answer = bytes_of(LLMNR_ANSWER);
    exchange_open(&x, 50000, 5355, NULL);
    /* put_ipv4 makes 10.x.y.z: the multicast group's address is written over it */
    static struct frame_bytes f;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 17, CLIENT, SERVER, query->size + 8, 1, 0, false);
    memcpy(f.data + 14 + 16, "\xe0\0\0\xfc", 4);
    put_udp(&f, 50000, 5355, query->size);
    put(&f, query->data, query->size);
    exchange_packet(&x, &f, 0);
    assert_int_equal(harness_count(&x.h, ACTIVITY_LLMNR_QUERY), 1); /* at once: the answer goes elsewhere */
    exchange_datagram(&x, SERVER, 5355, CLIENT, 50000, answer->data, answer->size, 0);
    struct harness_record *r = harness_find(&x.h, ACTIVITY_LLMNR_ANSWER, 0);
    assert_string_equal(harness_text(r, FIELD_DNS_NAME), "WPAD");
    assert_string_equal(harness_text(r, FIELD_RESPONDER), "10.0.2.2");
    assert_non_null(strstr(r->json, "\"addresses\":[\"10.0.0.102\"]"));
    free(query);
    free(answer);
    exchange_udp(&x, TO_SERVER, LLMNR_QUERY); /* asked of the host itself: joined */
    exchange_udp(&x, TO_CLIENT, LLMNR_ANSWER);
    exchange_udp(&x, TO_CLIENT, "0a0c 8000 0000 0000 0000 0000");
    assert_int_equal(harness_count(&x.h, ACTIVITY_LLMNR_QUERY), 2);
    r = harness_find(&x.h, ACTIVITY_LLMNR_QUERY, 1);
    assert_non_null(strstr(r->json, "\"addresses\":[\"10.0.0.102\"]"));
    assert_int_equal(x.h.counts->dns[DNS_LLMNR].responses[0], 3);
    assert_int_equal(x.h.counts->dns[DNS_LLMNR].opcodes[0], 2);
    exchange_close(&x);
    static char request[2000], response[2000];
    tcp_message(request, LLMNR_QUERY);
    tcp_message(response, LLMNR_ANSWER);
    exchange_split(5355, request, response, ACTIVITY_LLMNR_QUERY, 1);
}

#define MDNS_QUERY                                                                                           \
    "0000 0000 0002 0000 0000 0000 04'_smb' 04'_tcp' 05'local' 00 000c 8001 02'pc' c016 00ff 0001"
#define MDNS_ANSWER                                                                                          \
    "0000 8400 0000 0001 0000 0003 04'_smb' 04'_tcp' 05'local' 00 000c 0001 00000078 0005 02'pc' c00c"       \
    "02'pc' c016 0001 8001 00000078 0004 0a000007"                                                           \
    "02'pc' c016 001c 8001 00000078 0010 fe800000000000000000000000000007"                                   \
    "02'pc' c016 0021 8001 00000078 000d 0000 0000 01bd 04'host' c016"

static void test_mdns(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 5353, 5353, NULL);
    exchange_udp(&x, TO_SERVER, MDNS_QUERY);
    exchange_udp(&x, TO_CLIENT, MDNS_ANSWER);
    exchange_udp(&x, TO_CLIENT, "0000 8400 0000 0000 0000 0000");
    struct harness_record *r = harness_find(&x.h, ACTIVITY_MDNS_QUERY, 0);
    assert_non_null(
        strstr(r->json, "\"dns_names\":[\"_smb._tcp.local\",\"pc.local\"],\"dns_types\":[12,255]"));
    r = harness_find(&x.h, ACTIVITY_MDNS_ANNOUNCEMENT, 0);
    assert_non_null(strstr(r->json, "\"addresses\":[\"10.0.0.7\",\"fe80::7\"]"));
    assert_non_null(strstr(r->json, "\"address_names\":[\"pc.local\",\"pc.local\"]"));
    assert_non_null(strstr(r->json, "\"dns_targets\":[\"pc._smb._tcp.local\",\"host.local\"]"));
    assert_string_equal(harness_text(r, FIELD_RESPONDER), "10.0.2.2");
    assert_int_equal(harness_count(&x.h, ACTIVITY_MDNS_ANNOUNCEMENT), 1);
    assert_int_equal(x.h.counts->dns[DNS_MDNS].responses[0], 2);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_MDNS].malformed, 0);
    exchange_close(&x);
}

/* -- damage ----------------------------------------------------------------------------------------- */

static void test_short_headers(void **state)
{
    (void)state;
    struct exchange x;
    exchange_open(&x, 50000, 53, NULL);
    exchange_udp(&x, TO_SERVER, "1234 01"); /* without flags: nothing to count */
    assert_int_equal(x.h.counts->dns[DNS_UNICAST].opcodes[0], 0);
    exchange_udp(&x, TO_SERVER, "1234 0100");
    assert_int_equal(x.h.counts->dns[DNS_UNICAST].opcodes[0], 1);
    exchange_udp(&x, TO_CLIENT, "1234 8183 0001");
    assert_int_equal(x.h.counts->dns[DNS_UNICAST].responses[3], 1);
    assert_int_equal(x.h.stats->protocol[PROTOCOL_DNS].malformed, 3);
    exchange_close(&x);
}

static void test_cuts(void **state)
{
    (void)state;
    assert_true(exchange_cut_datagram(53, TO_SERVER, PROTOCOL_DNS, QUERY_WWW, NULL) > 30);
    assert_true(exchange_cut_datagram(53, TO_CLIENT, PROTOCOL_DNS, ANSWER_WWW, NULL) > 90);
    assert_true(exchange_cut_datagram(53, TO_SERVER, PROTOCOL_DNS, UPDATE, NULL) > 90);
    assert_true(exchange_cut_datagram(5353, TO_SERVER, PROTOCOL_MDNS, MDNS_ANSWER, NULL) > 90);
    assert_true(exchange_cut_datagram(5355, TO_SERVER, PROTOCOL_LLMNR, LLMNR_QUERY, NULL) > 10);
    assert_true(exchange_cut_datagram(5355, TO_CLIENT, PROTOCOL_LLMNR, LLMNR_ANSWER, NULL) > 10);
}

static void test_captures(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    assert_true(harness_capture(&h, PICKET_TEST_DATA "/n16_dns.pcap"));
    assert_int_equal(h.counts->dns[DNS_UNICAST].responses[0], 4);
    assert_int_equal(h.stats->protocol[PROTOCOL_DNS].malformed, 0);
    assert_int_equal(harness_count(&h, ACTIVITY_DNS_QUERY), 4);
    harness_close(&h);
    harness_open(&h, NULL);
    if (harness_shared(&h, PICKET_SHARED_DATA "/pcap/robust--dns-compression-loop.pcap"))
        assert_int_equal(h.counts->dns[DNS_UNICAST].responses[0], 1);
    harness_close(&h);
    harness_open(&h, NULL);
    if (harness_shared(&h, PICKET_SHARED_DATA "/lab/a33_dns_axfr.pcap"))
        assert_int_equal(harness_count(&h, ACTIVITY_DNS_TRANSFER), 3);
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_bad_names),
        cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_query_unanswered_and_answer_alone),
        cmocka_unit_test(test_query_odd),
        cmocka_unit_test(test_many_questions_and_records),
        cmocka_unit_test(test_update),
        cmocka_unit_test(test_update_large),
        cmocka_unit_test(test_transfer_whole),
        cmocka_unit_test(test_transfer_incremental),
        cmocka_unit_test(test_transfer_other_ends),
        cmocka_unit_test(test_tcp_split),
        cmocka_unit_test(test_tcp_not_dns),
        cmocka_unit_test(test_tkey),
        cmocka_unit_test(test_llmnr),
        cmocka_unit_test(test_mdns),
        cmocka_unit_test(test_short_headers),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_captures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
