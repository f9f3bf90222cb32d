/* SPDX-License-Identifier: Apache-2.0
 *
 * The services that dissectors use, the life of flows, the clock: with a datagram protocol made for the
 * purpose (this file's table of protocols takes the place of protocols.c).
 *
 * Its datagrams: a letter, then a key (1). Q: a request that waits. R: its reply. I: an intermediate reply.
 * E: an activity at once. Others do what their names say below.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/harness.h"
#include "tests/unit/packets.h"

#define TOY_PORT 7777
#define TOY      PROTOCOL_DNS
#define SECOND   INT64_C(1000000000)
#define START    (INT64_C(1700000000) * SECOND)

static uint64_t fingerprints[3];
static uint32_t resumed, missing, refused, quoted;

static void put_transaction(struct activity_writer *w, uint64_t value)
{
    activity_put_uint(w, FIELD_DHCP_TRANSACTION, value);
}

static void take_memory(struct dissect *d)
{
    for (int i = 0; i < 1000; i++)
        refused += dissect_alloc(d, 60000) == NULL;
    assert_null(dissect_alloc(d, 64 * 1024 + 1));
    void *some = dissect_alloc(d, 64 * 1024);
    dissect_free(d, some, 64 * 1024);
    dissect_free(d, NULL, 1);
}

static void toy_message(struct dissect *d, struct cursor c)
{
    uint8_t what = cursor_u8(&c);
    uint8_t key = cursor_u8(&c);
    struct activity_writer *w;
    quoted++;
    dissect_counted(d, TOY);
    switch (what) {
    case 'Q':
        put_transaction(dissect_begin(d, ACTIVITY_DHCP_LEASE), key);
        dissect_defer(d, key);
        break;
    case 'R':
        w = dissect_resume(d, key);
        resumed += w != NULL;
        missing += w == NULL;
        dissect_emit(d); /* without one under construction this does nothing */
        break;
    case 'I':
        w = dissect_revisit(d, key);
        assert_true(!w || activity_has(w, FIELD_DHCP_TRANSACTION));
        dissect_defer(d, key);
        break;
    case 'E':
        put_transaction(dissect_begin(d, ACTIVITY_DHCP_LEASE), key);
        dissect_emit(d);
        break;
    case 'A':
        take_memory(d);
        break;
    case 'F':
        fingerprints[0] = dissect_fingerprint(d, (struct bytes){(const uint8_t *)"ticket", 6});
        fingerprints[1] = dissect_fingerprint(d, (struct bytes){(const uint8_t *)"ticket", 5});
        fingerprints[2] = dissect_fingerprint(d, (struct bytes){(const uint8_t *)"ticket", 6});
        break;
    case 'S':
        dissect_sealed(d, TOY);
        dissect_malformed(d, TOY);
        break;
    default:
        break;
    }
}

static const struct protocol toy = {
    .id = TOY,
    .name = "toy",
    .udp_ports = {TOY_PORT},
    .state_size = 32,
    .message = toy_message,
};

const struct protocol *protocol_get(enum protocol_id id)
{
    return id == TOY ? &toy : NULL;
}

const struct protocol *protocol_by_name(const char *name)
{
    return strcmp(name, "toy") == 0 ? &toy : NULL;
}

const char *protocol_name(enum protocol_id id)
{
    return id == TOY ? "toy" : "unknown";
}

static struct frame_bytes f;

static void give(struct harness *h, int64_t time, uint32_t missing_bytes)
{
    struct packet packet = frame_packet(&f, DLT_EN10MB, time);
    packet.captured -= missing_bytes;
    engine_packet(h->engine, &packet);
    packet_free(&packet);
}

static void send_from(struct harness *h, int64_t time, unsigned client, bool reply, const char *text)
{
    size_t size = strlen(text);
    f.size = 0;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 17, reply ? 1 : client, reply ? client : 1, size + 8, 0, 0, false);
    put_udp(&f, reply ? TOY_PORT : 50000, reply ? 50000 : TOY_PORT, size);
    put(&f, text, size);
    give(h, time, 0);
}

static void ask(struct harness *h, int64_t time, const char *text)
{
    send_from(h, time, 2, false, text);
}

static void answer(struct harness *h, int64_t time, const char *text)
{
    send_from(h, time, 2, true, text);
}

static void open_harness(struct harness *h, const struct engine_options *options)
{
    resumed = missing = refused = 0;
    harness_open(h, options);
}

/* All memory but the tables is back. */
static void close_harness(struct harness *h)
{
    engine_finish(h->engine);
    assert_int_equal(h->broken, 0);
    assert_int_equal(engine_stats(h->engine)->flows_live, 0);
    harness_close(h);
}

static void replies_are_joined(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, NULL);
    ask(&h, START, "Qa");
    ask(&h, START + 1000, "Qb");
    assert_int_equal(h.size, 0);
    answer(&h, START + 5000, "Rb");
    answer(&h, START + 6000, "Ra");
    answer(&h, START + 7000, "Ra");
    assert_int_equal(h.size, 2);
    assert_int_equal(resumed, 2);
    assert_int_equal(missing, 1);
    struct harness_record *r = harness_find(&h, ACTIVITY_DHCP_LEASE, 0);
    assert_int_equal(harness_uint(r, FIELD_DHCP_TRANSACTION), 'b');
    assert_int_equal(harness_uint(r, FIELD_DURATION), 4000);
    assert_int_equal(harness_uint(r, FIELD_SOURCE_PORT), 50000);
    assert_int_equal(harness_uint(r, FIELD_DESTINATION_PORT), TOY_PORT);
    assert_int_equal(harness_uint(r, FIELD_FLOW), 1);
    assert_string_equal(harness_text(r, FIELD_SOURCE), "10.0.0.2");
    assert_string_equal(harness_text(r, FIELD_DESTINATION), "10.0.0.1");
    assert_string_equal(harness_text(r, FIELD_TRANSPORT), "udp");
    assert_false(harness_has(r, FIELD_ANSWERED));
    assert_true(r->activity->time == START + 1000);
    assert_int_equal(engine_stats(h.engine)->unanswered, 0);
    close_harness(&h);
}

static void intermediate_replies_keep_the_start(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, NULL);
    ask(&h, START, "Qa");
    answer(&h, START + 2000, "Ia");
    answer(&h, START + 3000, "Ia");
    answer(&h, START + 9000, "Ra");
    assert_int_equal(h.size, 1);
    assert_int_equal(harness_uint(h.records[0], FIELD_DURATION), 9000);
    answer(&h, START + 9000, "Iz");
    assert_int_equal(h.size, 1);
    close_harness(&h);
}

static void unanswered_requests_come_out(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, NULL);
    ask(&h, START, "Qa");
    ask(&h, START + 1, "Qa"); /* the same key: the older one will not be answered any more */
    assert_int_equal(h.size, 1);
    assert_true(harness_has(h.records[0], FIELD_ANSWERED));
    assert_false(harness_bool(h.records[0], FIELD_ANSWERED));
    send_from(&h, START + 50 * SECOND, 3, false, "Qc");
    ask(&h, START + 59 * SECOND, "X");
    engine_tick(h.engine, START + 65 * SECOND); /* the time-out is 60 s */
    assert_int_equal(h.size, 2);
    engine_finish(h.engine);
    assert_int_equal(h.size, 3);
    assert_int_equal(engine_stats(h.engine)->unanswered, 3);
    assert_false(harness_has(h.records[2], FIELD_DURATION));
    close_harness(&h);
}

static void waiting_requests_are_bounded(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, &(struct engine_options){.memory_limit = 700 * 1024});
    for (unsigned client = 2; client < 12; client++)
        for (unsigned key = 1; key < 256; key++)
            send_from(&h, START, client, false, (char[]){'Q', (char)key, 0});
    assert_true(engine_stats(h.engine)->memory_refused > 0);
    assert_true(engine_stats(h.engine)->unanswered > 0);
    assert_true(engine_stats(h.engine)->memory_peak <= 700 * 1024);
    engine_finish(h.engine);
    assert_int_equal(h.size, 2550);
    close_harness(&h);
}

static void cut_datagrams_are_marked(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, NULL);
    ask(&h, START, "Ea");
    f.data[f.size - 1] = 'b';
    put(&f, "more", 4);
    f.data[17] = (uint8_t)(f.data[17] + 4); /* lengths of IP and UDP */
    f.data[39] = (uint8_t)(f.data[39] + 4);
    give(&h, START + 1, 4);
    assert_int_equal(h.size, 2);
    assert_false(harness_has(h.records[0], FIELD_TRUNCATED));
    assert_true(harness_bool(h.records[1], FIELD_TRUNCATED));
    close_harness(&h);
}

static void memory_is_bounded_and_comes_back(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, &(struct engine_options){.memory_limit = 4 * 1024 * 1024});
    for (unsigned client = 2; client < 20; client++)
        send_from(&h, START, client, false, "Aa");
    assert_true(refused > 900);
    assert_true(engine_stats(h.engine)->memory_refused >= refused);
    assert_true(engine_stats(h.engine)->memory_peak <= 4 * 1024 * 1024);
    assert_true(engine_stats(h.engine)->flows_evicted > 0);
    engine_finish(h.engine);
    assert_true(engine_stats(h.engine)->memory < 1024 * 1024);
    close_harness(&h);
}

static void fingerprints_are_keyed(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, &(struct engine_options){.fingerprint_key = {1}});
    ask(&h, START, "Fa");
    uint64_t first = fingerprints[0];
    assert_true(first == fingerprints[2] && first != fingerprints[1] && first != 0);
    close_harness(&h);
    open_harness(&h, &(struct engine_options){.fingerprint_key = {2}});
    ask(&h, START, "Fa");
    assert_true(fingerprints[0] != first);
    close_harness(&h);
}

static void counters_count(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, NULL);
    ask(&h, START, "Sa");
    ask(&h, START, "Sa");
    f.data[38] = 0; /* a UDP length of 5 */
    f.data[39] = 5;
    give(&h, START, 0);
    f.size = 20; /* half an IP header */
    give(&h, START, 0);
    f.data[12] = 0x08;
    f.data[13] = 0x06;
    give(&h, START, 0);
    f.size = 5;
    give(&h, START, 0);
    const struct engine_stats *stats = engine_stats(h.engine);
    assert_int_equal(stats->packets, 6);
    assert_int_equal(stats->malformed, 3);
    assert_int_equal(stats->not_ip, 1);
    assert_int_equal(stats->flows, 1);
    assert_int_equal(stats->protocol[TOY].flows, 1);
    assert_int_equal(stats->protocol[TOY].messages, 2);
    assert_int_equal(stats->protocol[TOY].sealed, 2);
    assert_int_equal(stats->protocol[TOY].malformed, 2);
    close_harness(&h);
}

static void old_flows_go(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, &(struct engine_options){.flows_max = 3});
    for (unsigned client = 2; client < 5; client++)
        send_from(&h, START + client * 2 * SECOND, client, false, "Qa");
    send_from(&h, START + 20 * SECOND, 2, false, "X");  /* the first one is in use */
    send_from(&h, START + 22 * SECOND, 9, false, "Qa"); /* so the second goes */
    assert_int_equal(engine_stats(h.engine)->flows_evicted, 1);
    assert_int_equal(engine_stats(h.engine)->flows_live, 3);
    assert_int_equal(h.size, 1);
    assert_string_equal(harness_text(h.records[0], FIELD_SOURCE), "10.0.0.3");
    engine_tick(h.engine, START + 200 * SECOND); /* UDP flows end after 60 s */
    assert_int_equal(engine_stats(h.engine)->flows_live, 0);
    close_harness(&h);
}

static void send_tcp(struct harness *h, int64_t time, unsigned client, unsigned flags)
{
    f.size = 0;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 6, client, 1, 20, 0, 0, false);
    put_tcp(&f, 50000, 445, 1, 1, flags);
    give(h, time, 0);
}

/* Connections outlive a flood of SYNs, though they were idle for longer. */
static void floods_push_out_themselves(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, &(struct engine_options){.flows_max = 20});
    for (unsigned client = 2; client < 12; client++)
        send_tcp(&h, START, client, FLAG_ACK);
    for (unsigned client = 100; client < 1100; client++)
        send_tcp(&h, START + 9 * SECOND + client * SECOND / 50, client, FLAG_SYN);
    for (unsigned client = 2; client < 12; client++)
        send_tcp(&h, START + 31 * SECOND, client, FLAG_ACK);
    assert_int_equal(engine_stats(h.engine)->flows, 10 + 1000);
    close_harness(&h);
}

/* Times that run back or leap do not end flows. */
static void damaged_times_are_survived(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, NULL);
    ask(&h, START, "Qa");
    send_from(&h, START * 4, 3, false, "X"); /* one packet from the far future */
    ask(&h, START + SECOND, "X");
    ask(&h, -START, "X");
    ask(&h, INT64_MAX, "X");
    ask(&h, INT64_MIN, "X");
    answer(&h, START + 2 * SECOND, "Ra");
    assert_int_equal(resumed, 1);
    assert_int_equal(engine_stats(h.engine)->flows, 2);
    /* Two that agree are believed. */
    send_from(&h, START + 1000 * SECOND, 4, false, "X");
    send_from(&h, START + 1001 * SECOND, 4, false, "X");
    send_from(&h, START + 1003 * SECOND, 4, false, "X");
    assert_int_equal(engine_stats(h.engine)->flows_live, 1);
    engine_tick(h.engine, 0); /* not back */
    close_harness(&h);
}

static void tcp_header(struct harness *h, unsigned offset, unsigned size, unsigned flags)
{
    f.size = 0;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 6, 2, 1, size, 0, 0, false);
    put_tcp(&f, 50000, 445, 1, 1, flags);
    f.data[34 + 12] = (uint8_t)(offset << 4);
    f.size = 34 + size;
    give(h, START, 0);
}

static void broken_tcp_headers(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, NULL);
    tcp_header(&h, 5, 19, FLAG_ACK);
    tcp_header(&h, 4, 20, FLAG_ACK);
    tcp_header(&h, 6, 20, FLAG_ACK);
    assert_int_equal(engine_stats(h.engine)->malformed, 3);
    tcp_header(&h, 5, 20, FLAG_RST); /* for nothing that is known */
    assert_int_equal(engine_stats(h.engine)->flows, 0);
    tcp_header(&h, 5, 20, FLAG_ACK);
    assert_int_equal(engine_stats(h.engine)->flows, 1);
    tcp_header(&h, 5, 20, FLAG_FIN | FLAG_ACK);
    close_harness(&h);
}

/* A datagram in fragments, in a tunnel, is put together. */
static void fragments_and_tunnels(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, NULL);
    for (unsigned part = 0; part < 2; part++) {
        f.size = 0;
        put_ethernet(&f, 0x0800);
        put_ipv4(&f, 47, 100, 101, part ? 4 + 22 : 4 + 28, 7, 0, false);
        put32(&f, 0x00000800);
        if (part == 0) {
            put_ipv4(&f, 17, 2, 1, 8, 5, 0, true);
            put_udp(&f, 50000, TOY_PORT, 2);
        } else {
            put_ipv4(&f, 17, 2, 1, 2, 5, 8, false);
            put(&f, "Ea", 2);
        }
        give(&h, START, 0);
    }
    const struct engine_stats *stats = engine_stats(h.engine);
    assert_int_equal(stats->decapsulated, 2);
    assert_int_equal(stats->fragments, 2);
    assert_int_equal(stats->defragmented, 1);
    assert_int_equal(h.size, 1);
    assert_string_equal(harness_text(h.records[0], FIELD_SOURCE), "10.0.0.2");
    close_harness(&h);
}

/* What an ICMP error quotes is counted where the dissector counts, and is nothing more. */
static void quoted_messages_give_no_activity(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, NULL);
    ask(&h, START, "Qa");
    for (unsigned type = 0; type < 14; type++)
        for (unsigned what = 0; what < 3; what++) {
            f.size = 0;
            put_ethernet(&f, 0x0800);
            put_ipv4(&f, 1, 1, 2, 8 + 20 + 8 + 2, 0, 0, false);
            put32(&f, type << 24);
            put32(&f, 0);
            put_ipv4(&f, 17, 2, 1, 8 + 2, 0, 0, false);
            put_udp(&f, 50000, TOY_PORT, 2);
            put(&f, what == 0 ? "Qa" : what == 1 ? "Ea" : "Sa", 2);
            quoted = 0;
            give(&h, START + 1, 0);
            bool error = (type >= 3 && type <= 5) || type == 11 || type == 12;
            assert_int_equal(quoted, error);
            give(&h, START + 1, 1); /* its end is not there */
            give(&h, START + 1, 3);
        }
    assert_int_equal(h.size, 0);
    assert_int_equal(engine_stats(h.engine)->protocol[TOY].messages, 1);
    assert_int_equal(engine_stats(h.engine)->flows, 1);
    answer(&h, START + 2, "Ra"); /* still waits */
    assert_int_equal(resumed, 1);
    close_harness(&h);
}

/* What nobody knows is looked at some times, then no more. */
static void unknown_datagrams(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, NULL);
    for (int i = 0; i < 40; i++) {
        f.size = 0;
        put_ethernet(&f, 0x0800);
        put_ipv4(&f, 17, 2, 1, 10, 0, 0, false);
        put_udp(&f, 50000, 40000, 2);
        put(&f, "??", 2);
        if (i == 39)
            f.data[38] = f.data[39] = 0; /* no length: an offload */
        give(&h, START, 0);
        give(&h, START, 5); /* half a header */
    }
    engine_finish(h.engine);
    assert_int_equal(engine_stats(h.engine)->flows_unknown, 1);
    assert_int_equal(engine_stats(h.engine)->malformed, 0);
    close_harness(&h);
}

static void damaged_tunnels(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, NULL);
    f.size = 0;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 47, 2, 1, 6, 0, 0, false);
    put32(&f, 0x30000800); /* a key and a sequence number that are not there */
    put16(&f, 0);
    give(&h, START, 0);
    assert_int_equal(engine_stats(h.engine)->malformed, 1);
    give(&h, START, 3);
    f.size = 0;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 17, 2, 1, 40, 1, 0, true); /* fragments, cut: the first may be read, others not */
    put_udp(&f, 50000, TOY_PORT, 32);
    put(&f, "Eabbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", 32);
    give(&h, START, 8);
    assert_int_equal(h.size, 1);
    assert_true(harness_bool(h.records[0], FIELD_TRUNCATED));
    f.data[21] = 10;
    give(&h, START, 8);
    assert_int_equal(engine_stats(h.engine)->fragments_dropped, 1);
    assert_int_equal(h.size, 1);
    close_harness(&h);
}

/* Many packets at a time give what they give one by one. */
static void packets_at_a_time(void **state)
{
    (void)state;
    struct harness h;
    open_harness(&h, NULL);
    struct packet packets[50];
    for (unsigned i = 0; i < 50; i++) {
        f.size = 0;
        put_ethernet(&f, i == 30 ? 0x0806 : 0x0800);
        put_ipv4(&f, 17, i % 2 ? 1 : 2 + i / 2, i % 2 ? 2 + i / 2 : 1, 10, 0, 0, false);
        put_udp(&f, i % 2 ? TOY_PORT : 50000, i % 2 ? 50000 : TOY_PORT, 2);
        put(&f, i % 2 ? "Ra" : "Qa", 2);
        if (i == 40)
            f.size = 20;
        packets[i] = frame_packet(&f, i == 20 ? DLT_RAW : DLT_EN10MB, START + i);
    }
    engine_packets(h.engine, packets, 50);
    for (unsigned i = 0; i < 50; i++)
        packet_free(&packets[i]);
    assert_int_equal(engine_stats(h.engine)->packets, 50);
    assert_int_equal(resumed, 22);
    assert_int_equal(missing, 3);
    close_harness(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_joined),
        cmocka_unit_test(intermediate_replies_keep_the_start),
        cmocka_unit_test(unanswered_requests_come_out),
        cmocka_unit_test(waiting_requests_are_bounded),
        cmocka_unit_test(cut_datagrams_are_marked),
        cmocka_unit_test(memory_is_bounded_and_comes_back),
        cmocka_unit_test(fingerprints_are_keyed),
        cmocka_unit_test(counters_count),
        cmocka_unit_test(old_flows_go),
        cmocka_unit_test(floods_push_out_themselves),
        cmocka_unit_test(damaged_times_are_survived),
        cmocka_unit_test(broken_tcp_headers),
        cmocka_unit_test(fragments_and_tunnels),
        cmocka_unit_test(quoted_messages_give_no_activity),
        cmocka_unit_test(unknown_datagrams),
        cmocka_unit_test(damaged_tunnels),
        cmocka_unit_test(packets_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
