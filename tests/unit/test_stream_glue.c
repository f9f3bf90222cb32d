/* SPDX-License-Identifier: Apache-2.0
 *
 * From segments to messages, with a protocol made for the purpose: this file has a table of protocols of its
 * own, which takes the place of protocols.c.
 *
 * A message of it: 'T', kind, length of the whole (4), payload. Of kind 'B' (bulk) only 10 bytes are wanted;
 * kind 'L' wants 20 bytes before it says how long it is, of kind 'V' every byte is asked about; kind 'S'
 * makes the stream opaque, kind 'O' switches to the other protocol, whose messages are single bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/engine.h"
#include "tests/unit/packets.h"

#define TOY_PORT  7777
#define TOY       PROTOCOL_LDAP
#define OTHER     PROTOCOL_DNS
#define SEEN_MAX  4096
#define SEEN_TEXT 48

struct seen {
    uint8_t direction;
    bool truncated;
    bool other;
    uint32_t size;
    uint64_t hash;
    char text[SEEN_TEXT];
};

static struct {
    struct seen messages[SEEN_MAX];
    uint32_t count;
    uint32_t gaps;
    uint32_t closes;
    uint32_t frames;
} log_;

struct toy_state {
    uint32_t messages;
    void *memory;
};

static enum detection toy_detect(struct bytes start, enum transport transport, enum direction direction,
                                 bool on_port)
{
    (void)transport;
    if (start.size < 2)
        return start.size && start.data[0] != 'T' ? DETECT_NO : DETECT_MORE;
    bool kind = start.data[1] >= 'A' && start.data[1] <= 'Z';
    if (start.data[0] != 'T' || !kind)
        return DETECT_NO;
    if (start.data[1] == 'K' && direction == TO_CLIENT) /* only clients send these */
        return DETECT_NO;
    if (on_port)
        return DETECT_YES;
    return start.size < 6 ? DETECT_MORE : start.data[2] == 0 ? DETECT_YES : DETECT_NO;
}

static struct frame toy_frame(struct dissect *d, struct bytes start)
{
    (void)d;
    log_.frames++;
    struct cursor c = cursor_of_bytes(start);
    if (start.size < 3)
        return frame_more(3);
    if (start.size < 6)
        return frame_more(start.data[1] == 'V' ? 1 : 6);
    if (start.data[1] == 'L' && start.size < 20) /* asks for more than the message may have */
        return frame_more(20);
    if (cursor_u8(&c) != 'T')
        return frame_bad();
    uint8_t kind = cursor_u8(&c);
    uint32_t total = cursor_be32(&c);
    if (kind == 'Z')
        return frame_ok(0, 0);
    return total < 6 ? frame_bad() : frame_ok(total, kind == 'B' ? 10 : total);
}

static void note(struct dissect *d, struct cursor message, bool other)
{
    if (log_.count >= SEEN_MAX)
        return;
    struct seen *seen = &log_.messages[log_.count++];
    *seen = (struct seen){.direction = (uint8_t)d->direction, .truncated = d->truncated, .other = other};
    seen->size = (uint32_t)cursor_left(&message);
    uint32_t kept = seen->size < SEEN_TEXT - 1 ? seen->size : SEEN_TEXT - 1;
    memcpy(seen->text, message.at, kept);
    for (const uint8_t *at = message.at; at < message.end; at++)
        seen->hash = (seen->hash ^ *at) * UINT64_C(0x100000001b3);
}

static void toy_message(struct dissect *d, struct cursor message)
{
    struct toy_state *state = d->state;
    assert_non_null(arena_alloc(d->scratch, 200 * 1024)); /* was reset */
    note(d, message, false);
    dissect_counted(d, TOY);
    if (state->messages++ == 0)
        state->memory = dissect_alloc(d, 100);
    uint8_t kind = cursor_left(&message) > 1 ? message.at[1] : 0;
    if (kind == 'S')
        dissect_switch(d, PROTOCOL_NONE);
    if (kind == 'O')
        dissect_switch(d, OTHER);
    if (kind == 'F') {
        dissect_free(d, state->memory, 100);
        state->memory = NULL;
    }
    if (kind == 'M')
        dissect_malformed(d, TOY);
    if (kind == 'E')
        dissect_expect(d, NULL, 40404, TOY);
}

static void toy_gap(struct dissect *d)
{
    (void)d;
    log_.gaps++;
}

static void toy_close(struct dissect *d)
{
    assert_non_null(d->state);
    log_.closes++;
}

static struct frame other_frame(struct dissect *d, struct bytes start)
{
    (void)d;
    (void)start;
    return frame_ok(1, 1);
}

static void other_message(struct dissect *d, struct cursor message)
{
    note(d, message, true);
}

static const struct protocol toy = {
    .id = TOY,
    .name = "toy",
    .tcp_ports = {TOY_PORT},
    .udp_ports = {TOY_PORT},
    .detect = toy_detect,
    .state_size = sizeof(struct toy_state),
    .frame = toy_frame,
    .message = toy_message,
    .gap = toy_gap,
    .close = toy_close,
};

static const struct protocol other = {
    .id = OTHER,
    .name = "other",
    .frame = other_frame,
    .message = other_message,
};

const struct protocol *protocol_get(enum protocol_id id)
{
    return id == TOY ? &toy : id == OTHER ? &other : NULL;
}

const struct protocol *protocol_by_name(const char *name)
{
    return strcmp(name, "toy") == 0 ? &toy : NULL;
}

const char *protocol_name(enum protocol_id id)
{
    return id == TOY ? "toy" : "other";
}

/* -- a connection ---------------------------------------------------------------------------------------- */

struct connection {
    struct engine *engine;
    int64_t time;
    uint32_t next[2];
    uint32_t cut; /* bytes of each segment that are not captured */
    unsigned port;
    bool silent; /* no acknowledgements are sent */
};

static struct connection connection_new(const struct engine_options *options)
{
    memset(&log_, 0, sizeof log_);
    struct connection c = {.engine = engine_new(options, NULL, NULL), .time = INT64_C(1700000000000000000)};
    assert_non_null(c.engine);
    c.next[TO_SERVER] = 1000;
    c.next[TO_CLIENT] = UINT32_MAX - 50;
    c.port = TOY_PORT;
    return c;
}

static void send_at(struct connection *c, enum direction direction, uint32_t sequence, const void *data,
                    uint32_t size, unsigned flags)
{
    static struct frame_bytes f;
    f.size = 0;
    bool up = direction == TO_SERVER;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 6, up ? 1 : 2, up ? 2 : 1, size + 20, 0, 0, false);
    put_tcp(&f, up ? 50001 : c->port, up ? c->port : 50001, sequence, c->next[!direction],
            flags | (c->silent ? 0 : FLAG_ACK));
    put(&f, data, size);
    struct packet packet = frame_packet(&f, DLT_EN10MB, c->time += 1000);
    packet.captured -= c->cut < size ? c->cut : size;
    engine_packet(c->engine, &packet);
    packet_free(&packet);
}

static void send_flags(struct connection *c, enum direction direction, const void *data, size_t size,
                       unsigned flags)
{
    send_at(c, direction, c->next[direction], data, (uint32_t)size, flags);
    c->next[direction] += (uint32_t)size + (flags & FLAG_SYN ? 1 : 0) + (flags & FLAG_FIN ? 1 : 0);
}

static void send_data(struct connection *c, enum direction direction, const void *data, size_t size)
{
    send_flags(c, direction, data, size, 0);
}

static void handshake(struct connection *c)
{
    c->silent = true;
    send_flags(c, TO_SERVER, "", 0, FLAG_SYN);
    c->silent = false;
    send_flags(c, TO_CLIENT, "", 0, FLAG_SYN);
    send_flags(c, TO_SERVER, "", 0, 0);
}

/* Everything ends, and all memory was given back. */
static void connection_end(struct connection *c)
{
    engine_finish(c->engine);
    const struct engine_stats *stats = engine_stats(c->engine);
    assert_int_equal(stats->flows_live, 0);
    engine_destroy(&c->engine);
    assert_null(c->engine);
}

/* A message into `to`, payload being letters; returns its size. */
static uint32_t make(uint8_t *to, char kind, uint32_t payload)
{
    uint32_t total = payload + 6;
    uint8_t head[6] = {'T',
                       (uint8_t)kind,
                       (uint8_t)(total >> 24),
                       (uint8_t)(total >> 16 & 0xff),
                       (uint8_t)(total >> 8 & 0xff),
                       (uint8_t)(total & 0xff)};
    memcpy(to, head, 6);
    for (uint32_t i = 0; i < payload; i++)
        to[6 + i] = (uint8_t)('a' + i % 26);
    return total;
}

static void assert_seen(uint32_t index, enum direction direction, char kind, uint32_t size, bool truncated)
{
    assert_true(index < log_.count);
    const struct seen *seen = &log_.messages[index];
    assert_int_equal(seen->direction, direction);
    assert_int_equal(seen->text[0], 'T');
    assert_int_equal(seen->text[1], kind);
    assert_int_equal(seen->size, size);
    assert_int_equal(seen->truncated, truncated);
}

/* -- tests ------------------------------------------------------------------------------------------------
 */

static void messages_of_one_segment(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[200];
    handshake(&c);
    uint32_t size = make(bytes, 'A', 10);
    size += make(bytes + size, 'C', 0);
    size += make(bytes + size, 'D', 20);
    send_data(&c, TO_SERVER, bytes, size);
    assert_int_equal(log_.count, 3);
    assert_seen(0, TO_SERVER, 'A', 16, false);
    assert_seen(1, TO_SERVER, 'C', 6, false);
    assert_seen(2, TO_SERVER, 'D', 26, false);
    send_data(&c, TO_CLIENT, bytes, 16);
    assert_seen(3, TO_CLIENT, 'A', 16, false);
    assert_int_equal(engine_stats(c.engine)->protocol[TOY].messages, 4);
    assert_int_equal(engine_stats(c.engine)->protocol[TOY].flows, 1);
    connection_end(&c);
    assert_int_equal(log_.closes, 1);
}

static void a_message_in_single_bytes(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[3000];
    handshake(&c);
    uint32_t size = make(bytes, 'A', 2500);
    for (uint32_t i = 0; i < size; i++)
        send_data(&c, TO_SERVER, bytes + i, 1);
    assert_int_equal(log_.count, 1);
    assert_seen(0, TO_SERVER, 'A', 2506, false);
    assert_true(log_.frames < 12); /* `frame` is not asked for each byte */
    connection_end(&c);
}

static void bulk_is_stepped_over(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    static uint8_t bytes[200100];
    handshake(&c);
    uint32_t size = make(bytes, 'B', 200000);
    size += make(bytes + size, 'A', 3);
    for (uint32_t at = 0; at < size; at += 1400)
        send_data(&c, TO_SERVER, bytes + at, size - at < 1400 ? size - at : 1400);
    assert_int_equal(log_.count, 2);
    assert_seen(0, TO_SERVER, 'B', 10, false);
    assert_seen(1, TO_SERVER, 'A', 9, false);
    assert_true(engine_stats(c.engine)->skipped_bytes >= 199990);
    connection_end(&c);
}

static void bulk_whose_head_is_split(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[500];
    handshake(&c);
    uint32_t size = make(bytes, 'B', 300);
    size += make(bytes + size, 'A', 3);
    send_data(&c, TO_SERVER, bytes, 3);
    send_data(&c, TO_SERVER, bytes + 3, 5);
    send_data(&c, TO_SERVER, bytes + 8, size - 8);
    assert_int_equal(log_.count, 2);
    assert_seen(0, TO_SERVER, 'B', 10, false);
    assert_seen(1, TO_SERVER, 'A', 9, false);
    connection_end(&c);
}

static void too_large_a_message_is_clipped(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint32_t total = FRAME_WANT_MAX + 100000;
    uint8_t *bytes = malloc(total + 100);
    handshake(&c);
    make(bytes, 'A', total - 6);
    make(bytes + total, 'C', 4);
    for (uint32_t at = 0; at < total + 10; at += 60000)
        send_data(&c, TO_CLIENT, bytes + at, total + 10 - at < 60000 ? total + 10 - at : 60000);
    assert_int_equal(log_.count, 2);
    assert_seen(0, TO_CLIENT, 'A', FRAME_WANT_MAX, true);
    assert_seen(1, TO_CLIENT, 'C', 10, false);
    free(bytes);
    connection_end(&c);
}

static void a_small_buffer_clips_even_one_segment(void **state)
{
    (void)state;
    struct connection c = connection_new(&(struct engine_options){.flow_buffer_max = 100});
    uint8_t bytes[1000];
    handshake(&c);
    uint32_t size = make(bytes, 'A', 300);
    size += make(bytes + size, 'C', 4);
    send_data(&c, TO_SERVER, bytes, size);
    send_data(&c, TO_SERVER, bytes, 50);
    send_data(&c, TO_SERVER, bytes + 50, size - 50);
    assert_int_equal(log_.count, 4);
    for (uint32_t i = 0; i < 4; i += 2) {
        assert_seen(i, TO_SERVER, 'A', 100, true);
        assert_seen(i + 1, TO_SERVER, 'C', 10, false);
    }
    connection_end(&c);
}

static void a_zero_message_does_not_hang(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    handshake(&c);
    send_data(&c, TO_SERVER, "TZ\0\0\0\0TA\0\0\0\x6", 12);
    assert_int_equal(log_.count, 0);
    assert_int_equal(engine_stats(c.engine)->protocol[TOY].malformed, 1);
    send_data(&c, TO_SERVER, "TA\0\0\0\x6", 6);
    assert_int_equal(log_.count, 1);
    connection_end(&c);
}

static void damage_is_counted_and_left_at_the_next_segment(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[100];
    handshake(&c);
    uint32_t size = make(bytes, 'A', 10);
    send_data(&c, TO_SERVER, bytes, size);
    send_data(&c, TO_SERVER, "rubbish in the stream", 21);
    send_data(&c, TO_SERVER, "and more of it", 14);
    send_data(&c, TO_SERVER, bytes, size);
    assert_int_equal(log_.count, 2);
    assert_int_equal(log_.gaps, 1);
    const struct engine_stats *stats = engine_stats(c.engine);
    assert_int_equal(stats->protocol[TOY].malformed, 1);
    assert_int_equal(stats->resynchronised, 1);
    connection_end(&c);
}

static void a_lost_segment_costs_its_message_only(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[400];
    handshake(&c);
    uint32_t size = make(bytes, 'A', 300);
    size += make(bytes + size, 'C', 10);
    send_data(&c, TO_SERVER, bytes, 100);
    c.next[TO_SERVER] += 100;                   /* lost */
    send_data(&c, TO_CLIENT, "TA\0\0\0\x6", 6); /* acknowledged all the same */
    send_data(&c, TO_SERVER, bytes + 200, size - 200);
    assert_int_equal(log_.count, 2);
    assert_seen(1, TO_SERVER, 'C', 16, false); /* its place was known */
    assert_int_equal(log_.gaps, 1);
    assert_int_equal(engine_stats(c.engine)->gaps, 1);
    assert_int_equal(engine_stats(c.engine)->gap_bytes, 100);
    connection_end(&c);
}

static void a_longer_loss_resynchronises_at_a_segment(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[100];
    handshake(&c);
    uint32_t size = make(bytes, 'A', 20);
    send_data(&c, TO_SERVER, bytes, 10);
    c.next[TO_SERVER] += 500;
    send_flags(&c, TO_CLIENT, "", 0, 0);
    send_data(&c, TO_SERVER, "of a message whose start is lost", 32);
    send_data(&c, TO_SERVER, bytes, size);
    assert_int_equal(log_.count, 1);
    assert_seen(0, TO_SERVER, 'A', 26, false);
    assert_int_equal(engine_stats(c.engine)->protocol[TOY].malformed, 0);
    connection_end(&c);
}

static void a_hole_in_bulk_does_not_matter(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[2100];
    handshake(&c);
    uint32_t size = make(bytes, 'B', 2000);
    size += make(bytes + size, 'A', 4);
    send_data(&c, TO_SERVER, bytes, 500);
    c.next[TO_SERVER] += 500;
    send_flags(&c, TO_CLIENT, "", 0, 0);
    send_data(&c, TO_SERVER, bytes + 1000, size - 1000);
    assert_int_equal(log_.count, 2);
    assert_int_equal(log_.gaps, 0);
    connection_end(&c);
}

static void cut_segments_give_truncated_messages(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[300];
    handshake(&c);
    uint32_t size = make(bytes, 'A', 100);
    c.cut = 60;
    send_data(&c, TO_SERVER, bytes, size);
    assert_seen(0, TO_SERVER, 'A', 46, true);
    c.cut = 0;
    send_data(&c, TO_SERVER, bytes, size);
    assert_seen(1, TO_SERVER, 'A', 106, false);
    /* A message over two segments, the first cut: what follows the hole still fits. */
    c.cut = 20;
    send_data(&c, TO_SERVER, bytes, 50);
    assert_seen(2, TO_SERVER, 'A', 30, true);
    c.cut = 0;
    make(bytes + size, 'C', 4);
    send_data(&c, TO_SERVER, bytes + 50, size - 50 + 10);
    assert_seen(3, TO_SERVER, 'C', 10, false);
    /* Cut before its length is known. */
    c.cut = 103;
    send_data(&c, TO_SERVER, bytes, size);
    assert_seen(4, TO_SERVER, 'A', 3, true);
    c.cut = 0;
    send_data(&c, TO_SERVER, bytes, size);
    assert_seen(5, TO_SERVER, 'A', 106, false);
    assert_int_equal(engine_stats(c.engine)->gaps, 0);
    assert_int_equal(engine_stats(c.engine)->protocol[TOY].malformed, 0);
    connection_end(&c);
}

static void midstream_is_picked_up(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[100];
    uint32_t size = make(bytes, 'A', 20);
    send_data(&c, TO_CLIENT, "the middle of something", 23);
    send_data(&c, TO_CLIENT, bytes, size);
    send_data(&c, TO_SERVER, "another middle", 14);
    send_data(&c, TO_SERVER, bytes, size);
    assert_int_equal(log_.count, 2);
    assert_seen(0, TO_CLIENT, 'A', 26, false);
    assert_seen(1, TO_SERVER, 'A', 26, false);
    assert_int_equal(engine_stats(c.engine)->protocol[TOY].malformed, 0);
    connection_end(&c);
}

static void signatures_find_it_on_any_port(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    c.port = 12345;
    uint8_t bytes[100];
    uint32_t size = make(bytes, 'A', 20);
    handshake(&c);
    send_data(&c, TO_SERVER, bytes, 3); /* too little to say */
    send_data(&c, TO_SERVER, bytes + 3, size - 3);
    assert_int_equal(log_.count, 1);
    assert_seen(0, TO_SERVER, 'A', 26, false);
    connection_end(&c);
}

static void what_nobody_knows_becomes_opaque(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    c.port = 12345;
    uint8_t bytes[100];
    uint32_t size = make(bytes, 'A', 20);
    handshake(&c);
    for (int i = 0; i < 20; i++)
        send_data(&c, TO_SERVER, "no protocol of ours", 19);
    send_data(&c, TO_SERVER, bytes, size);
    assert_int_equal(log_.count, 0);
    connection_end(&c);
    assert_int_equal(log_.closes, 0);
}

static void rules_and_announcements(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    assert_true(engine_decode_as(c.engine, &(struct engine_decode_rule){TRANSPORT_TCP, 1234, OTHER}));
    assert_false(engine_decode_as(c.engine, &(struct engine_decode_rule){TRANSPORT_TCP, 1234, PROTOCOL_TLS}));
    uint8_t bytes[100];
    uint32_t size = make(bytes, 'E', 0);
    handshake(&c);
    send_data(&c, TO_SERVER, bytes, size); /* announces port 40404 */
    c.port = 40404;
    handshake(&c);
    /* Only a plausible beginning is needed there: this length is no strong signature. */
    send_data(&c, TO_SERVER, "TA\x01", 3);
    c.port = 1234;
    handshake(&c);
    send_data(&c, TO_SERVER, "xy", 2);
    assert_int_equal(log_.count, 3);
    assert_true(log_.messages[1].other && log_.messages[2].other);
    assert_int_equal(engine_stats(c.engine)->protocol[TOY].flows, 2);
    for (int i = 1; i < 64; i++)
        engine_decode_as(c.engine, &(struct engine_decode_rule){TRANSPORT_UDP, (uint16_t)i, TOY});
    assert_false(engine_decode_as(c.engine, &(struct engine_decode_rule){TRANSPORT_UDP, 100, TOY}));
    connection_end(&c);
}

static void the_protocol_is_switched(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[100];
    handshake(&c);
    uint32_t size = make(bytes, 'O', 4);
    memcpy(bytes + size, "xyz", 3);
    send_data(&c, TO_CLIENT, "TA", 2);
    send_data(&c, TO_SERVER, bytes, 4);
    send_data(&c, TO_SERVER, bytes + 4, size + 3 - 4);
    assert_int_equal(log_.count, 4);
    assert_seen(0, TO_SERVER, 'O', 10, false);
    for (uint32_t i = 1; i < 4; i++)
        assert_true(log_.messages[i].other && log_.messages[i].size == 1);
    connection_end(&c);
}

static void the_stream_becomes_opaque(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[100];
    handshake(&c);
    uint32_t size = make(bytes, 'S', 4);
    size += make(bytes + size, 'A', 4);
    send_data(&c, TO_CLIENT, "TA\0\0\0\xff", 6);
    send_data(&c, TO_SERVER, bytes, size);
    send_data(&c, TO_SERVER, bytes + 10, 10);
    send_data(&c, TO_CLIENT, bytes + 10, 10);
    assert_int_equal(log_.count, 1);
    connection_end(&c);
    assert_int_equal(log_.closes, 1);
}

static void the_end_of_both_sides_ends_the_flow(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[100];
    handshake(&c);
    uint32_t size = make(bytes, 'A', 4);
    send_flags(&c, TO_SERVER, bytes, size, FLAG_FIN);
    assert_int_equal(log_.closes, 0);
    send_flags(&c, TO_CLIENT, bytes, size, FLAG_FIN);
    assert_int_equal(log_.count, 2);
    assert_int_equal(log_.closes, 1);
    send_flags(&c, TO_SERVER, "", 0, 0);
    assert_int_equal(engine_stats(c.engine)->flows, 1);
    /* The same ports again. */
    c.next[TO_SERVER] = 77777;
    handshake(&c);
    send_data(&c, TO_SERVER, bytes, size);
    assert_int_equal(engine_stats(c.engine)->flows, 2);
    assert_int_equal(log_.count, 3);
    /* And over a connection that was not closed. */
    c.next[TO_SERVER] = 99999;
    handshake(&c);
    send_data(&c, TO_SERVER, bytes, size);
    assert_int_equal(engine_stats(c.engine)->flows, 3);
    assert_int_equal(log_.count, 4);
    /* A SYN that comes twice is one connection. */
    c.silent = true;
    send_at(&c, TO_SERVER, 99999, "", 0, FLAG_SYN);
    assert_int_equal(engine_stats(c.engine)->flows, 3);
    connection_end(&c);
}

static void a_reset_ends_it_soon(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[100];
    handshake(&c);
    uint32_t size = make(bytes, 'A', 4);
    send_data(&c, TO_SERVER, bytes, size);
    send_flags(&c, TO_CLIENT, "bye", 3, FLAG_RST);
    c.next[TO_CLIENT] -= 3;
    send_data(&c, TO_SERVER, bytes, size); /* was under way */
    assert_int_equal(log_.count, 2);
    engine_tick(c.engine, c.time + INT64_C(20000000000));
    assert_int_equal(engine_stats(c.engine)->flows_live, 0);
    assert_int_equal(log_.closes, 1);
    connection_end(&c);
}

/* A segment that came early is read when the connection ends. */
static void what_is_held_is_read_at_the_end(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[100];
    handshake(&c);
    uint32_t size = make(bytes, 'A', 4);
    send_data(&c, TO_SERVER, bytes, size);
    c.next[TO_SERVER] += 40;
    send_data(&c, TO_SERVER, bytes, size);
    assert_int_equal(log_.count, 1);
    engine_finish(c.engine);
    assert_int_equal(log_.count, 2);
    assert_int_equal(log_.gaps, 1);
    connection_end(&c);
}

static void datagrams(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    static struct frame_bytes f;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t bytes[20];
        uint32_t size = make(bytes, 'A', 10);
        f.size = 0;
        put_ethernet(&f, 0x0800);
        put_ipv4(&f, 17, i % 2 ? 2 : 1, i % 2 ? 1 : 2, size + 8, 0, 0, false);
        put_udp(&f, i % 2 ? TOY_PORT : 50000, i % 2 ? 50000 : TOY_PORT, size);
        put(&f, bytes, size);
        struct packet packet = frame_packet(&f, DLT_EN10MB, c.time += 1000);
        packet.captured -= i == 3 ? 4 : 0;
        engine_packet(c.engine, &packet);
        packet_free(&packet);
    }
    assert_int_equal(log_.count, 4);
    assert_seen(0, TO_SERVER, 'A', 16, false);
    assert_seen(1, TO_CLIENT, 'A', 16, false);
    assert_seen(3, TO_CLIENT, 'A', 12, true);
    assert_int_equal(engine_stats(c.engine)->flows, 1);
    connection_end(&c);
}

/* Met mid-stream on unknown ports, the flow keeps its messages whatever way it goes. */
static void sides_may_be_mistaken(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    c.port = 60000; /* the server's is the higher one */
    uint8_t bytes[100];
    uint32_t size = make(bytes, 'A', 20);
    send_data(&c, TO_SERVER, bytes, size);
    send_data(&c, TO_CLIENT, bytes, size);
    assert_int_equal(log_.count, 2);
    connection_end(&c);
}

/* However a conversation is cut into segments, delayed and doubled: the same messages. */
static void property_same_messages(void **state)
{
    (void)state;
    for (uint64_t round = 1; round <= 60; round++) {
        uint64_t seed = round * 15485863;
        struct connection c = connection_new(NULL);
        c.silent = true;
        static uint8_t text[400000];
        static struct seen expected[600];
        uint32_t size = 0, count = 0;
        while (count < 100) {
            char kind = random_next(&seed) % 4 ? 'A' : 'B';
            uint32_t payload = random_next(&seed) % (random_next(&seed) % 8 ? 300 : 9000);
            if (kind == 'B' && payload < 4)
                payload = 4;
            uint32_t total = make(text + size, kind, payload);
            struct seen *seen = &expected[count++];
            *seen = (struct seen){.size = kind == 'B' ? 10 : total};
            for (uint32_t i = 0; i < seen->size; i++)
                seen->hash = (seen->hash ^ text[size + i]) * UINT64_C(0x100000001b3);
            size += total;
        }
        send_flags(&c, TO_SERVER, "", 0, FLAG_SYN);
        uint32_t base = c.next[TO_SERVER], late_at = 0, late_size = 0;
        for (uint32_t at = 0, length; at < size; at += length) {
            length = 1 + random_next(&seed) % 1460;
            if (length > size - at)
                length = size - at;
            if (!late_size && random_next(&seed) % 4 == 0) {
                late_at = at;
                late_size = length;
                continue;
            }
            send_at(&c, TO_SERVER, base + at, text + at, length, 0);
            if (random_next(&seed) % 8 == 0)
                send_at(&c, TO_SERVER, base + at, text + at, length, 0);
            if (late_size && random_next(&seed) % 3 == 0) {
                send_at(&c, TO_SERVER, base + late_at, text + late_at, late_size, 0);
                late_size = 0;
            }
        }
        if (late_size)
            send_at(&c, TO_SERVER, base + late_at, text + late_at, late_size, 0);
        assert_int_equal(log_.count, count);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(log_.messages[i].size, expected[i].size);
            assert_true(log_.messages[i].hash == expected[i].hash);
        }
        connection_end(&c);
    }
}

/* Met mid-stream on ports that say nothing, the first request says who the server is. */
static void a_request_turns_the_flow(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    c.port = 60000;
    uint8_t bytes[100];
    uint32_t size = make(bytes, 'K', 20);
    send_data(&c, TO_SERVER, bytes, size);
    assert_int_equal(log_.count, 1);
    assert_seen(0, TO_SERVER, 'K', 26, false);
    make(bytes, 'A', 20);
    send_data(&c, TO_CLIENT, bytes, size);
    assert_seen(1, TO_CLIENT, 'A', 26, false);
    connection_end(&c);
}

static void beginnings_of_all_lengths(void **state)
{
    (void)state;
    for (uint32_t first = 1; first < 30; first++) {
        struct connection c = connection_new(NULL);
        uint8_t bytes[100];
        handshake(&c);
        uint32_t size = make(bytes, 'L', 2);
        size += make(bytes + size, 'V', 3);
        size += make(bytes + size, 'L', 20);
        send_data(&c, TO_SERVER, bytes, first);
        for (uint32_t at = first; at < size; at++)
            send_data(&c, TO_SERVER, bytes + at, 1);
        assert_int_equal(log_.count, 3);
        assert_seen(0, TO_SERVER, 'L', 8, false);
        assert_seen(1, TO_SERVER, 'V', 9, false);
        assert_seen(2, TO_SERVER, 'L', 26, false);
        connection_end(&c);
    }
}

static void damage_shows_when_more_has_come(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    handshake(&c);
    send_data(&c, TO_SERVER, "TA\0\0", 4);
    send_data(&c, TO_SERVER, "\0\x01TA\0\0\0\x06", 8); /* a length below the head's */
    assert_int_equal(engine_stats(c.engine)->protocol[TOY].malformed, 1);
    send_data(&c, TO_SERVER, "TA\0\0\0\x06", 6);
    assert_int_equal(log_.count, 1);
    connection_end(&c);
}

static void losses_in_all_states(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    uint8_t bytes[100];
    uint32_t size = make(bytes, 'A', 4);
    handshake(&c);
    send_data(&c, TO_SERVER, bytes, 4); /* the length is not known yet */
    c.next[TO_SERVER] += 10;
    send_flags(&c, TO_CLIENT, "", 0, 0);
    send_data(&c, TO_SERVER, bytes, size);
    assert_int_equal(log_.count, 1);
    assert_int_equal(log_.gaps, 1);
    /* Nor is the protocol. */
    c.port = 12345;
    c.next[TO_SERVER] = 5000;
    handshake(&c);
    send_data(&c, TO_SERVER, bytes, 3);
    c.next[TO_SERVER] += 10;
    send_flags(&c, TO_CLIENT, "", 0, 0);
    send_data(&c, TO_SERVER, bytes, size);
    assert_int_equal(log_.count, 2);
    connection_end(&c);
}

/* A protocol without a signature, met mid-stream in both directions. */
static void frames_stand_in_for_a_signature(void **state)
{
    (void)state;
    struct connection c = connection_new(NULL);
    engine_decode_as(c.engine, &(struct engine_decode_rule){TRANSPORT_TCP, 1234, OTHER});
    c.port = 1234;
    send_data(&c, TO_SERVER, "a", 1);
    send_data(&c, TO_CLIENT, "b", 1);
    assert_int_equal(log_.count, 2);
    assert_int_equal(engine_stats(c.engine)->resynchronised, 1);
    connection_end(&c);
}

/* With next to no memory messages are lost, nothing else. */
static void memory_runs_out(void **state)
{
    (void)state;
    for (size_t limit = (size_t)300 * 1024; limit < (size_t)2500 * 1024; limit += (size_t)130 * 1024) {
        struct connection c = connection_new(&(struct engine_options){.memory_limit = limit});
        static uint8_t bytes[60000];
        uint32_t size = make(bytes, 'A', 50000);
        for (unsigned i = 0; i < 30; i++) {
            c.port = i % 2 ? TOY_PORT : 2000 + i;
            c.next[TO_SERVER] += 100000;
            handshake(&c);
            send_data(&c, TO_SERVER, bytes, i % 3 ? 3 : 1000);
            send_data(&c, TO_SERVER, bytes + (i % 3 ? 3 : 1000), 20000);
            c.next[TO_SERVER] += 100;
            send_data(&c, TO_SERVER, bytes + 1100, 1000);
            send_data(&c, TO_SERVER, bytes, size);
        }
        assert_true(engine_stats(c.engine)->memory_peak <= limit);
        connection_end(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_of_one_segment),
        cmocka_unit_test(a_message_in_single_bytes),
        cmocka_unit_test(bulk_is_stepped_over),
        cmocka_unit_test(bulk_whose_head_is_split),
        cmocka_unit_test(too_large_a_message_is_clipped),
        cmocka_unit_test(a_small_buffer_clips_even_one_segment),
        cmocka_unit_test(a_zero_message_does_not_hang),
        cmocka_unit_test(damage_is_counted_and_left_at_the_next_segment),
        cmocka_unit_test(a_lost_segment_costs_its_message_only),
        cmocka_unit_test(a_longer_loss_resynchronises_at_a_segment),
        cmocka_unit_test(a_hole_in_bulk_does_not_matter),
        cmocka_unit_test(cut_segments_give_truncated_messages),
        cmocka_unit_test(midstream_is_picked_up),
        cmocka_unit_test(signatures_find_it_on_any_port),
        cmocka_unit_test(what_nobody_knows_becomes_opaque),
        cmocka_unit_test(rules_and_announcements),
        cmocka_unit_test(the_protocol_is_switched),
        cmocka_unit_test(the_stream_becomes_opaque),
        cmocka_unit_test(the_end_of_both_sides_ends_the_flow),
        cmocka_unit_test(a_reset_ends_it_soon),
        cmocka_unit_test(what_is_held_is_read_at_the_end),
        cmocka_unit_test(datagrams),
        cmocka_unit_test(sides_may_be_mistaken),
        cmocka_unit_test(property_same_messages),
        cmocka_unit_test(a_request_turns_the_flow),
        cmocka_unit_test(beginnings_of_all_lengths),
        cmocka_unit_test(damage_shows_when_more_has_come),
        cmocka_unit_test(losses_in_all_states),
        cmocka_unit_test(frames_stand_in_for_a_signature),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
