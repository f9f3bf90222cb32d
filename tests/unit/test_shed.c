/* SPDX-License-Identifier: Apache-2.0
 *
 * A host in need: whole flows are given up, the least valuable first; what was given up stays so; memory goes
 * back to the system and what is left of the flows goes on.
 */
#include "capture/value.h"
#include "tests/unit/harness.h"
#include "tests/unit/packets.h"

#include "unit.h"

#include <unistd.h>

/* Under AddressSanitizer what is freed stays for a while. */
#if defined(__SANITIZE_ADDRESS__)
#define KEEPS_FREED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS_FREED 1
#endif
#endif

#define START  (INT64_C(1700000000) * 1000000000)
#define SECOND INT64_C(1000000000)
#define ALL    (CAPTURE_RANK_MAX + 1)

static struct frame_bytes f;
static int64_t now;

static void give(struct harness *h)
{
    struct packet packet = frame_packet(&f, DLT_EN10MB, now);
    engine_packet(h->engine, &packet);
    packet_free(&packet);
}

static void datagram(struct harness *h, unsigned client, unsigned port, const void *data, size_t size)
{
    f.size = 0;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 17, client, 1, size + 8, 0, 0, false);
    put_udp(&f, 40000, port, size);
    put(&f, data, size);
    give(h);
}

/* A query for the A record of "a.b". */
static void ask_name(struct harness *h, unsigned client)
{
    static const char query[] = "\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01"
                                "a\x01"
                                "b\0\0\x01\0\x01";
    datagram(h, client, 53, query, sizeof query - 1);
}

struct connection {
    unsigned client, port;
    uint32_t sequence, acknowledgment;
};

static void segment(struct harness *h, struct connection *c, bool reply, unsigned flags, const void *data,
                    size_t size)
{
    f.size = 0;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 6, reply ? 1 : c->client, reply ? c->client : 1, size + 20, 0, 0, false);
    put_tcp(&f, reply ? c->port : 40001, reply ? 40001 : c->port, reply ? c->acknowledgment : c->sequence,
            reply ? c->sequence : c->acknowledgment, flags);
    put(&f, data, size);
    give(h);
    uint32_t *mine = reply ? &c->acknowledgment : &c->sequence;
    *mine += (uint32_t)size + (flags & (FLAG_SYN | FLAG_FIN) ? 1 : 0);
}

static struct connection connect_to(struct harness *h, unsigned client, unsigned port)
{
    struct connection c = {client, port, 1000, 2000};
    segment(h, &c, false, FLAG_SYN, NULL, 0);
    segment(h, &c, true, FLAG_SYN | FLAG_ACK, NULL, 0);
    segment(h, &c, false, FLAG_ACK, NULL, 0);
    return c;
}

static const char bind_ldap[] = "\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\0\x80\0";
static const char get_http[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

static void begin(struct harness *h, const struct engine_options *options)
{
    now = START;
    harness_open(h, options);
}

static const struct protocol_stats *of(struct harness *h, enum protocol_id id)
{
    return &engine_stats(h->engine)->protocol[id];
}

static void nothing_is_shed_at_rest(void **state)
{
    (void)state;
    struct harness h;
    begin(&h, NULL);
    ask_name(&h, 2);
    struct connection c = connect_to(&h, 2, 389);
    segment(&h, &c, false, FLAG_ACK, bind_ldap, sizeof bind_ldap - 1);
    assert_int_equal(of(&h, PROTOCOL_DNS)->messages, 1);
    assert_int_equal(of(&h, PROTOCOL_LDAP)->messages, 1);
    engine_shed(h.engine, 0); /* as 1 */
    ask_name(&h, 3);
    for (unsigned id = 0; id < PROTOCOLS; id++)
        assert_int_equal(of(&h, (enum protocol_id)id)->shed_flows, 0);
    harness_close(&h);
}

static uint32_t level_of(enum protocol_id id)
{
    return protocol_value(id) * RANK_FINE + 1;
}

/* Below LDAP: HTTP and DNS go, LDAP stays. */
static void the_least_valuable_goes_first(void **state)
{
    (void)state;
    struct harness h;
    begin(&h, NULL);
    engine_shed(h.engine, level_of(PROTOCOL_LDAP));
    for (unsigned client = 2; client < 52; client++) {
        ask_name(&h, client);
        struct connection http = connect_to(&h, client, 80), ldap = connect_to(&h, client, 389);
        segment(&h, &http, false, FLAG_ACK, get_http, sizeof get_http - 1);
        segment(&h, &ldap, false, FLAG_ACK, bind_ldap, sizeof bind_ldap - 1);
    }
    assert_int_equal(of(&h, PROTOCOL_DNS)->shed_flows, 50);
    assert_int_equal(of(&h, PROTOCOL_DNS)->messages, 0);
    assert_int_equal(of(&h, PROTOCOL_HTTP)->shed_flows, 50);
    assert_int_equal(of(&h, PROTOCOL_HTTP)->shed_packets, 100); /* the handshake's end, and the request */
    assert_int_equal(of(&h, PROTOCOL_HTTP)->shed_bytes, 50 * (20 + 20 + sizeof get_http - 1));
    assert_int_equal(of(&h, PROTOCOL_HTTP)->messages, 0);
    assert_int_equal(of(&h, PROTOCOL_LDAP)->shed_flows, 0);
    assert_int_equal(of(&h, PROTOCOL_LDAP)->messages, 50);
    /* Connections that worked are no scan, though the rest of them was not looked at. */
    assert_int_equal(harness_count(&h, ACTIVITY_PORT_SCAN), 0);
    harness_close(&h);
}

/* Part of a protocol: always the same flows, about as many as the level says. */
static void a_share_of_a_protocol(void **state)
{
    (void)state;
    struct harness h;
    begin(&h, NULL);
    engine_shed(h.engine, level_of(PROTOCOL_DNS) + RANK_FINE / 2);
    for (int round = 0; round < 3; round++)
        for (unsigned client = 2; client < 1002; client++)
            ask_name(&h, client);
    const struct protocol_stats *dns = of(&h, PROTOCOL_DNS);
    assert_true(dns->shed_flows > 300 && dns->shed_flows < 620);
    assert_int_equal(dns->shed_packets, 3 * dns->shed_flows);
    assert_int_equal(dns->messages, 3000 - dns->shed_packets);
    harness_close(&h);
}

/* A flow that was given up stays so when the need ends; new ones are looked at. One that is under way when
 * the need comes is given up from then on. */
static void a_verdict_sticks(void **state)
{
    (void)state;
    struct harness h;
    begin(&h, NULL);
    struct connection kept = connect_to(&h, 2, 389);
    segment(&h, &kept, false, FLAG_ACK, bind_ldap, sizeof bind_ldap - 1);
    engine_shed(h.engine, ALL);
    segment(&h, &kept, false, FLAG_ACK, bind_ldap, sizeof bind_ldap - 1);
    struct connection fresh = connect_to(&h, 3, 389);
    segment(&h, &fresh, false, FLAG_ACK, bind_ldap, sizeof bind_ldap - 1);
    engine_shed(h.engine, 1);
    segment(&h, &kept, false, FLAG_ACK, bind_ldap, sizeof bind_ldap - 1);
    segment(&h, &fresh, false, FLAG_ACK, bind_ldap, sizeof bind_ldap - 1);
    assert_int_equal(of(&h, PROTOCOL_LDAP)->messages, 1);
    assert_int_equal(of(&h, PROTOCOL_LDAP)->shed_flows, 2);
    assert_int_equal(of(&h, PROTOCOL_LDAP)->shed_packets, 2 + 3);
    struct connection next = connect_to(&h, 4, 389);
    segment(&h, &next, false, FLAG_ACK, bind_ldap, sizeof bind_ldap - 1);
    assert_int_equal(of(&h, PROTOCOL_LDAP)->messages, 2);
    /* They end as others do. */
    segment(&h, &fresh, false, FLAG_ACK | FLAG_FIN, NULL, 0);
    segment(&h, &fresh, true, FLAG_ACK | FLAG_FIN, NULL, 0);
    uint64_t live = engine_stats(h.engine)->flows_live;
    engine_tick(h.engine, now + 30 * SECOND);
    assert_int_equal(engine_stats(h.engine)->flows_live, live - 1);
    harness_close(&h);
}

/* On a port that says nothing a flow may be anything: its beginning is looked at. */
static void on_any_port_the_beginning_is_seen(void **state)
{
    (void)state;
    struct harness h;
    begin(&h, NULL);
    engine_shed(h.engine, level_of(PROTOCOL_LDAP));
    struct connection c = connect_to(&h, 2, 5555);
    segment(&h, &c, false, FLAG_ACK, bind_ldap, sizeof bind_ldap - 1);
    assert_int_equal(of(&h, PROTOCOL_LDAP)->messages, 1);
    c = connect_to(&h, 3, 5555);
    for (int i = 0; i < 4; i++)
        segment(&h, &c, false, FLAG_ACK, "nothing that anybody knows, at all", 34);
    assert_int_equal(of(&h, PROTOCOL_NONE)->shed_flows, 1);
    assert_int_equal(of(&h, PROTOCOL_NONE)->shed_packets, 2);
    /* In the worst need not even that. */
    engine_shed(h.engine, ALL);
    c = connect_to(&h, 4, 5555);
    segment(&h, &c, false, FLAG_ACK, bind_ldap, sizeof bind_ldap - 1);
    assert_int_equal(of(&h, PROTOCOL_LDAP)->messages, 1);
    assert_int_equal(of(&h, PROTOCOL_NONE)->shed_flows, 2);
    harness_close(&h);
}

/* Scans are seen in any need: connections that come to nothing. */
static void scans_are_seen(void **state)
{
    (void)state;
    struct harness h;
    begin(&h, NULL);
    engine_shed(h.engine, ALL);
    for (unsigned port = 1; port < 60; port++) {
        struct connection c = {7, port, 1, 0};
        segment(&h, &c, false, FLAG_SYN, NULL, 0);
        segment(&h, &c, true, FLAG_RST | FLAG_ACK, NULL, 0);
    }
    engine_finish(h.engine);
    assert_true(harness_count(&h, ACTIVITY_PORT_SCAN) > 0);
    harness_close(&h);
}

/* A request that waits when its flow is given up leaves as unanswered, once. */
static void what_waits_is_told(void **state)
{
    (void)state;
    struct harness h;
    begin(&h, NULL);
    ask_name(&h, 2);
    assert_int_equal(h.size, 0);
    engine_shed(h.engine, ALL);
    ask_name(&h, 2);
    assert_int_equal(h.size, 1);
    engine_finish(h.engine);
    assert_int_equal(h.size, 1);
    harness_close(&h);
}

/* --- memory --- */

static size_t resident(void)
{
    size_t pages = 0, skipped;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%zu %zu", &skipped, &pages), 2);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void many_flows(struct harness *h, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        f.size = 0;
        put_ethernet(&f, 0x0800);
        put_ipv4(&f, 6, 2 + i % 60000, 1, 20, 0, 0, false);
        put_tcp(&f, 20000 + i / 60000, i % 2 ? 389 : 443, 1, 1, FLAG_ACK);
        give(h);
    }
}

static void memory_goes_back(void **state)
{
    (void)state;
    struct engine_options options = {.memory_limit = (size_t)256 << 20, .flows_max = 400000};
    struct harness h;
    begin(&h, &options);
    struct connection survivor = connect_to(&h, 65000, 88);
    many_flows(&h, 200000);
    ask_name(&h, 64000);
    size_t before = resident(), held = engine_stats(h.engine)->memory;
    assert_true(held > (size_t)30 << 20);
    assert_int_equal(engine_stats(h.engine)->flows_live, 200002);
    engine_limit_memory(h.engine, (size_t)8 << 20);
    const struct engine_stats *stats = engine_stats(h.engine);
    assert_true(stats->memory <= (size_t)8 << 20);
    assert_true(stats->flows_live > 5000);
    /* All of TLS went before any of Kerberos; what went is counted. */
    assert_int_equal(stats->protocol[PROTOCOL_TLS].shed_flows, 100000);
    assert_true(stats->protocol[PROTOCOL_LDAP].shed_flows > 0);
    assert_int_equal(stats->protocol[PROTOCOL_KERBEROS].shed_flows, 0);
    assert_int_equal(stats->flows_evicted, 200002 - stats->flows_live);
#ifndef KEEPS_FREED
    assert_true(resident() + held / 2 < before);
#else
    (void)before;
#endif
    /* What is left goes on: it is found, ends, and there is room for new ones within the limit. */
    uint64_t flows = stats->flows;
    segment(&h, &survivor, false, FLAG_ACK, NULL, 0);
    assert_int_equal(engine_stats(h.engine)->flows, flows);
    many_flows(&h, 100000);
    assert_true(engine_stats(h.engine)->memory <= (size_t)8 << 20);
    /* The need ends. */
    engine_limit_memory(h.engine, options.memory_limit);
    many_flows(&h, 200000);
    assert_true(engine_stats(h.engine)->flows_live >= 200000);
    engine_limit_memory(h.engine, 0);
    assert_true(engine_stats(h.engine)->flows_live == 0);
    ask_name(&h, 2);
    engine_finish(h.engine);
    harness_close(&h);
}

/* Requests that wait find their flows where they were moved to. */
static void moved_flows_keep_what_they_wait_for(void **state)
{
    (void)state;
    struct engine_options options = {.memory_limit = (size_t)256 << 20, .flows_max = 400000};
    static const char reply[] = "\x12\x34\x81\x80\0\x01\0\0\0\0\0\0\x01"
                                "a\x01"
                                "b\0\0\x01\0\x01";
    struct harness h;
    begin(&h, &options);
    many_flows(&h, 60000);
    for (unsigned client = 30001; client < 30101; client++)
        ask_name(&h, client);
    size_t told = h.size;
    /* All of TLS is enough; LDAP and DNS stay, and are moved. */
    engine_limit_memory(h.engine, engine_stats(h.engine)->memory - ((size_t)4 << 20));
    assert_int_equal(of(&h, PROTOCOL_DNS)->shed_flows, 0);
    assert_true(of(&h, PROTOCOL_TLS)->shed_flows > 0);
    for (unsigned client = 30001; client < 30101; client++) {
        f.size = 0;
        put_ethernet(&f, 0x0800);
        put_ipv4(&f, 17, 1, client, sizeof reply - 1 + 8, 0, 0, false);
        put_udp(&f, 53, 40000, sizeof reply - 1);
        put(&f, reply, sizeof reply - 1);
        give(&h);
    }
    assert_int_equal(h.size, told + 100);
    for (size_t i = told; i < h.size; i++)
        assert_true(harness_has(h.records[i], FIELD_DURATION));
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_shed_at_rest),
        cmocka_unit_test(the_least_valuable_goes_first),
        cmocka_unit_test(a_share_of_a_protocol),
        cmocka_unit_test(a_verdict_sticks),
        cmocka_unit_test(on_any_port_the_beginning_is_seen),
        cmocka_unit_test(scans_are_seen),
        cmocka_unit_test(what_waits_is_told),
        cmocka_unit_test(memory_goes_back),
        cmocka_unit_test(moved_flows_keep_what_they_wait_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
