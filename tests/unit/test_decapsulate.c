/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/decapsulate.h"
#include "tests/unit/packets.h"

static struct frame_bytes f;

/* The IP datagram in the frame, through all tunnels; the packet's bytes have no room behind them. */
static enum decapsulation read_frame(int link_type, uint32_t missing, struct ip_datagram *ip, int *tunnels)
{
    static struct packet packet;
    packet_free(&packet);
    packet = frame_packet(&f, link_type, 0);
    packet.captured -= missing;
    struct layer layer;
    enum decapsulation result = decapsulate_link(&packet, &layer);
    *tunnels = 0;
    while (result == DECAPSULATED) {
        result = decapsulate_ip(&layer, ip);
        if (result != DECAPSULATED)
            return result;
        result = decapsulate_tunnel(ip, &layer);
        if (result == DECAPSULATED_NOT_IP)
            return DECAPSULATED;
        ++*tunnels;
    }
    return result;
}

static void put_payload(void)
{
    put_ipv4(&f, IP_PROTOCOL_TCP, 1, 2, 24, 0, 0, false);
    put_tcp(&f, 1000, 445, 1, 2, FLAG_ACK);
    put(&f, "data", 4);
}

static void assert_payload(int link_type, int tunnels)
{
    struct ip_datagram ip;
    int seen;
    assert_int_equal(read_frame(link_type, 0, &ip, &seen), DECAPSULATED);
    assert_int_equal(seen, tunnels);
    assert_int_equal(ip.version, 4);
    assert_int_equal(ip.protocol, IP_PROTOCOL_TCP);
    assert_int_equal(ip.length, 24);
    assert_int_equal(ip.captured, 24);
    assert_memory_equal(ip.source, "\x0a\0\0\x01", 4);
    assert_memory_equal(ip.destination, "\x0a\0\0\x02", 4);
    assert_memory_equal(ip.payload + 20, "data", 4);
    /* Cut anywhere, it says so and reads nothing that is not there. */
    for (uint32_t missing = 1; missing <= f.size; missing++) {
        enum decapsulation result = read_frame(link_type, missing, &ip, &seen);
        assert_true(result != DECAPSULATED_MALFORMED);
    }
}

static void start(void)
{
    f.size = 0;
}

static void link_layers(void **state)
{
    (void)state;
    start();
    put_ethernet(&f, 0x0800);
    put_payload();
    assert_payload(DLT_EN10MB, 0);
    start();
    put(&f, "\0\0\0\x01\0\x06\x02\0\0\0\0\x01\0\0\x08\0", 16);
    put_payload();
    assert_payload(DLT_LINUX_SLL, 0);
    start();
    put(&f, "\x08\0\0\0\0\0\0\x02\0\x01\0\x06\x02\0\0\0\0\x01\0\0", 20);
    put_payload();
    assert_payload(DLT_LINUX_SLL2, 0);
    start();
    put_payload();
    assert_payload(DLT_RAW, 0);
    assert_payload(DLT_IPV4, 0);
    assert_payload(101, 0);
    start();
    put(&f, "\x02\0\0\0", 4);
    put_payload();
    assert_payload(DLT_NULL, 0);
    assert_payload(DLT_LOOP, 0);
    start();
    put(&f, "\xff\x03\0\x21", 4);
    put_payload();
    assert_payload(DLT_PPP, 0);
    start();
    put8(&f, 0x21);
    put_payload();
    assert_payload(DLT_PPP_SERIAL, 0);
    start();
    put_ethernet(&f, 8 + 48); /* IEEE 802.3 with LLC and SNAP */
    put(&f, "\xaa\xaa\x03\0\0\0\x08\0", 8);
    put_payload();
    assert_payload(DLT_EN10MB, 0);
}

static void vlan_tags(void **state)
{
    (void)state;
    static const unsigned types[] = {0x8100, 0x88a8, 0x9100};
    for (unsigned i = 0; i < 3; i++) {
        start();
        put_ethernet(&f, types[i]);
        put32(&f, 0x00648100);
        put32(&f, 0x00c80800);
        put_payload();
        assert_payload(DLT_EN10MB, 0);
    }
    start();
    put_ethernet(&f, 0x8100);
    for (int i = 0; i < 20; i++)
        put32(&f, 0x00018100);
    struct ip_datagram ip;
    int tunnels;
    assert_int_equal(read_frame(DLT_EN10MB, 0, &ip, &tunnels), DECAPSULATED_MALFORMED);
}

static void padding_is_left_out(void **state)
{
    (void)state;
    start();
    put_ethernet(&f, 0x0800);
    put_payload();
    put(&f, "\0\0\0\0\0\0\0\0", 8);
    assert_payload(DLT_EN10MB, 0);
}

static void a_zero_length_is_an_offload(void **state)
{
    (void)state;
    start();
    put_ethernet(&f, 0x0800);
    put_payload();
    f.data[16] = f.data[17] = 0;
    assert_payload(DLT_EN10MB, 0);
    start();
    put_ethernet(&f, 0x86dd);
    put_ipv6(&f, IP_PROTOCOL_UDP, 1, 2, 0);
    put_udp(&f, 1, 2, 4);
    put(&f, "data", 4);
    struct ip_datagram ip;
    int tunnels;
    assert_int_equal(read_frame(DLT_EN10MB, 0, &ip, &tunnels), DECAPSULATED);
    assert_int_equal(ip.length, 12);
}

/* The outer IP header of a tunnel of `size` bytes. */
static void put_outer(unsigned protocol, size_t size)
{
    start();
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, protocol, 100, 200, size, 0, 0, false);
}

static void tunnels(void **state)
{
    (void)state;
    put_outer(47, 4 + 44);
    put32(&f, 0x00000800);
    put_payload();
    assert_payload(DLT_EN10MB, 1);
    put_outer(47, 16 + 44); /* checksum, key and sequence number */
    put32(&f, 0xb0000800);
    put32(&f, 0);
    put32(&f, 7);
    put32(&f, 8);
    put_payload();
    assert_payload(DLT_EN10MB, 1);
    put_outer(47, 4 + 14 + 44);
    put32(&f, 0x00006558);
    put_ethernet(&f, 0x0800);
    put_payload();
    assert_payload(DLT_EN10MB, 1);
    put_outer(47, 4 + 14 + 44); /* ERSPAN I */
    put32(&f, 0x000088be);
    put_ethernet(&f, 0x0800);
    put_payload();
    assert_payload(DLT_EN10MB, 1);
    put_outer(47, 8 + 8 + 14 + 44); /* ERSPAN II */
    put32(&f, 0x100088be);
    put32(&f, 1);
    put32(&f, 0x10000000);
    put32(&f, 0);
    put_ethernet(&f, 0x0800);
    put_payload();
    assert_payload(DLT_EN10MB, 1);
    for (unsigned more = 0; more < 2; more++) { /* ERSPAN III, without and with the platform's header */
        put_outer(47, 8 + 12 + more * 8 + 14 + 44);
        put32(&f, 0x100022eb);
        put32(&f, 1);
        put32(&f, 0x20000000);
        put32(&f, 0);
        put32(&f, more);
        for (unsigned i = 0; i < more * 2; i++)
            put32(&f, 0);
        put_ethernet(&f, 0x0800);
        put_payload();
        assert_payload(DLT_EN10MB, 1);
    }
    for (unsigned i = 0; i < 2; i++) {
        put_outer(17, 8 + 8 + 14 + 44);
        put_udp(&f, 50000, i ? 4789 : 8472, 8 + 14 + 44);
        put32(&f, 0x08000000);
        put32(&f, 0x00012300);
        put_ethernet(&f, 0x0800);
        put_payload();
        assert_payload(DLT_EN10MB, 1);
    }
    put_outer(4, 44);
    put_payload();
    assert_payload(DLT_EN10MB, 1);
    start();
    put_ethernet(&f, 0x86dd);
    put_ipv6(&f, 4, 1, 2, 44);
    put_payload();
    assert_payload(DLT_EN10MB, 1);
    put_outer(47, 8 + 4 + 44); /* PPTP: RFC 2637, PPP inside */
    put32(&f, 0x2001880b);
    put32(&f, 0);
    put32(&f, 0xff030021);
    put_payload();
    assert_payload(DLT_EN10MB, 1);
    put_outer(4, 20 + 44); /* one in another */
    put_ipv4(&f, 4, 5, 6, 44, 0, 0, false);
    put_payload();
    assert_payload(DLT_EN10MB, 2);
}

static void ipv6_extension_headers(void **state)
{
    (void)state;
    start();
    put_ethernet(&f, 0x86dd);
    put_ipv6(&f, 0, 1, 2, 8 + 16 + 12 + 8 + 4);
    put(&f, "\x3c\0\0\0\0\0\0\0", 8);                    /* hop-by-hop, then destination options */
    put(&f, "\x33\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16); /* then authentication */
    put(&f, "\x2c\x01\0\0\0\0\0\0\0\0\0\0", 12);         /* then a fragment header */
    put(&f, "\x11\0\0\0\0\0\0\x09", 8);                  /* atomic */
    put(&f, "data", 4);
    struct ip_datagram ip;
    int seen;
    assert_int_equal(read_frame(DLT_EN10MB, 0, &ip, &seen), DECAPSULATED);
    assert_int_equal(ip.version, 6);
    assert_int_equal(ip.protocol, IP_PROTOCOL_UDP);
    assert_false(ip.fragment);
    assert_int_equal(ip.length, 4);
    assert_memory_equal(ip.payload, "data", 4);
    for (uint32_t missing = 1; missing <= f.size; missing++)
        assert_true(read_frame(DLT_EN10MB, missing, &ip, &seen) != DECAPSULATED_MALFORMED);
    start();
    put_ethernet(&f, 0x86dd);
    put_ipv6(&f, 44, 1, 2, 12);
    put(&f, "\x11\0\0\x11\0\0\0\x09", 8);
    put(&f, "data", 4);
    assert_int_equal(read_frame(DLT_EN10MB, 0, &ip, &seen), DECAPSULATED);
    assert_true(ip.fragment && ip.more_fragments);
    assert_int_equal(ip.fragment_offset, 16);
    assert_int_equal(ip.fragment_id, 9);
    assert_int_equal(ip.protocol, IP_PROTOCOL_UDP);
    start();
    put_ethernet(&f, 0x86dd);
    put_ipv6(&f, 60, 1, 2, 8 * 40);
    for (int i = 0; i < 40; i++)
        put(&f, "\x3c\0\0\0\0\0\0\0", 8);
    assert_int_equal(read_frame(DLT_EN10MB, 0, &ip, &seen), DECAPSULATED_MALFORMED);
}

static void malformed_headers(void **state)
{
    (void)state;
    static const struct {
        unsigned at;
        uint8_t value;
    } damage[] = {{14, 0x65}, {14, 0x44}, {17, 10}};
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        start();
        put_ethernet(&f, 0x0800);
        put_payload();
        f.data[damage[i].at] = damage[i].value;
        struct ip_datagram ip;
        int seen;
        assert_int_equal(read_frame(DLT_EN10MB, 0, &ip, &seen), DECAPSULATED_MALFORMED);
    }
    start();
    put(&f, "too short", 9);
    struct ip_datagram ip;
    int seen;
    assert_int_equal(read_frame(DLT_EN10MB, 0, &ip, &seen), DECAPSULATED_MALFORMED);
}

static void other_frames(void **state)
{
    (void)state;
    struct ip_datagram ip;
    int seen;
    start();
    put_ethernet(&f, 0x0806);
    put(&f, "arp", 3);
    assert_int_equal(read_frame(DLT_EN10MB, 0, &ip, &seen), DECAPSULATED_NOT_IP);
    start();
    put_ethernet(&f, 38);
    put(&f, "\x42\x42\x03spanning tree", 16);
    assert_int_equal(read_frame(DLT_EN10MB, 0, &ip, &seen), DECAPSULATED_NOT_IP);
    assert_int_equal(read_frame(999, 0, &ip, &seen), DECAPSULATED_NOT_IP);
    start();
    put(&f, "\x10zzzz", 5);
    assert_int_equal(read_frame(DLT_RAW, 0, &ip, &seen), DECAPSULATED_NOT_IP);
    put_outer(47, 48);
    put32(&f, 0x00020800); /* a version that is not known */
    put_payload();
    assert_int_equal(read_frame(DLT_EN10MB, 0, &ip, &seen), DECAPSULATED);
    assert_int_equal(ip.protocol, 47);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(link_layers),
        cmocka_unit_test(vlan_tags),
        cmocka_unit_test(padding_is_left_out),
        cmocka_unit_test(a_zero_length_is_an_offload),
        cmocka_unit_test(tunnels),
        cmocka_unit_test(ipv6_extension_headers),
        cmocka_unit_test(malformed_headers),
        cmocka_unit_test(other_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
