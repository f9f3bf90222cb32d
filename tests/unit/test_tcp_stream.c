/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/tcp_stream.h"
#include "tests/unit/packets.h"

#define STREAM_MAX 65536u
#define SECOND     INT64_C(1000000000)

/* What came out; a missing byte is an X. */
struct out {
    uint8_t data[STREAM_MAX * 2];
    uint32_t size;
    uint32_t lost;
    uint32_t cut;
    uint32_t starts;
};

struct fixture {
    struct slab *slab;
    struct tcp_stream_stats stats;
    struct tcp_stream stream;
    struct tcp_side side;
    struct tcp_sink sink;
    struct out out;
};

static void out_data(void *context, const uint8_t *data, uint32_t size, bool start)
{
    struct out *out = context;
    assert_true(size > 0 && out->size + size <= sizeof out->data);
    memcpy(out->data + out->size, data, size);
    out->size += size;
    out->starts += start;
}

static void out_hole(void *context, uint32_t size, bool cut)
{
    struct out *out = context;
    *(cut ? &out->cut : &out->lost) += size;
    if (out->size + size > sizeof out->data)
        return;
    memset(out->data + out->size, 'X', size);
    out->size += size;
}

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->slab = slab_new((size_t)8 * 1024 * 1024);
    assert_non_null(f->slab);
    f->stream =
        (struct tcp_stream){.slab = f->slab, .stats = &f->stats, .held_max = 1024 * 1024, .now = SECOND};
    f->sink = (struct tcp_sink){.data = out_data, .hole = out_hole, .context = &f->out};
    return f;
}

/* All memory has to be back by then. */
static void fixture_free(struct fixture *f)
{
    tcp_stream_flush(&f->stream, &f->side, &f->sink);
    assert_null(f->side.holding);
    assert_int_equal(slab_stats(f->slab)->used, 0);
    slab_destroy(&f->slab);
    free(f);
}

static void syn(struct fixture *f, uint32_t sequence)
{
    struct tcp_segment segment = {.sequence = sequence, .syn = true};
    tcp_stream_segment(&f->stream, &f->side, &segment, &f->sink);
}

static void send_bytes(struct fixture *f, uint32_t sequence, const void *data, size_t size)
{
    struct tcp_segment segment = {
        .sequence = sequence, .length = (uint32_t)size, .captured = (uint32_t)size, .data = data};
    tcp_stream_segment(&f->stream, &f->side, &segment, &f->sink);
}

static void send_text(struct fixture *f, uint32_t sequence, const char *text)
{
    send_bytes(f, sequence, text, strlen(text));
}

static void acked(struct fixture *f, uint32_t ack, bool with_data)
{
    tcp_stream_acked(&f->stream, &f->side, ack, with_data, &f->sink);
}

static void assert_out(const struct fixture *f, const char *text)
{
    assert_int_equal(f->out.size, strlen(text));
    assert_memory_equal(f->out.data, text, strlen(text));
}

static void in_order_passes_at_once(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    syn(f, 99);
    send_text(f, 100, "hello ");
    assert_out(f, "hello ");
    send_text(f, 106, "world");
    assert_out(f, "hello world");
    assert_int_equal(f->out.starts, 2);
    fixture_free(f);
}

static void sequence_numbers_wrap(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    syn(f, UINT32_MAX - 3);
    send_text(f, 3, "gh");
    send_text(f, UINT32_MAX - 2, "abc");
    send_text(f, 0, "def");
    assert_out(f, "abcdefgh");
    assert_int_equal(f->stats.out_of_order, 1);
    assert_int_equal(f->stats.gaps, 0);
    fixture_free(f);
}

static void early_segments_wait(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    syn(f, 0);
    send_text(f, 7, "gh");
    send_text(f, 4, "def");
    assert_out(f, "");
    send_text(f, 1, "abc");
    assert_out(f, "abcdefgh");
    assert_int_equal(f->stats.out_of_order, 2);
    fixture_free(f);
}

static void retransmissions_pass_once(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    syn(f, 0);
    send_text(f, 1, "abc");
    send_text(f, 1, "abc");
    send_text(f, 2, "bcde"); /* partly new */
    send_text(f, 5, "e");    /* a keep-alive with its byte of garbage */
    assert_out(f, "abcde");
    assert_int_equal(f->stats.retransmitted, 3);
    assert_int_equal(f->out.starts, 1);
    fixture_free(f);
}

static void the_first_copy_wins(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    syn(f, 0);
    send_text(f, 4, "def");
    send_text(f, 3, "CDEFG"); /* overlaps both sides of what is held */
    send_text(f, 1, "ab");
    assert_out(f, "abCdefG");
    assert_int_equal(f->stats.conflicts, 1);
    fixture_free(f);
}

static void acknowledged_holes_are_given_up(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    syn(f, 0);
    send_text(f, 1, "ab");
    acked(f, 6, false);
    send_text(f, 6, "fg"); /* "cde" was acknowledged before: it passed, not by us */
    assert_out(f, "abXXXfg");
    assert_int_equal(f->stats.gaps, 1);
    assert_int_equal(f->stats.gap_bytes, 3);
    fixture_free(f);
}

static void an_answer_gives_a_hole_up(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    syn(f, 0);
    send_text(f, 3, "cd");
    acked(f, 1, true); /* an answer to something else */
    assert_out(f, "");
    acked(f, 5, true);
    assert_out(f, "XXcd");
    fixture_free(f);
}

static void bare_acknowledgements_give_a_hole_time(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    syn(f, 0);
    send_text(f, 3, "cd");
    acked(f, 5, false);
    assert_out(f, "");
    send_text(f, 1, "ab"); /* late, but in time */
    assert_out(f, "abcd");
    send_text(f, 7, "gh");
    acked(f, 9, false);
    f->stream.now += TCP_ACKED_AGE + 1;
    acked(f, 9, false);
    assert_out(f, "abcdXXgh");
    send_text(f, 12, "lm");
    for (int i = 0; i <= TCP_ACKED_PACKETS; i++)
        acked(f, 14, false);
    assert_out(f, "abcdXXghXXXlm");
    fixture_free(f);
}

static void old_holes_are_given_up(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    syn(f, 0);
    send_text(f, 3, "cd");
    f->stream.now += TCP_HOLE_AGE + 1;
    send_text(f, 5, "ef");
    assert_out(f, "XXcdef");
    send_text(f, 9, "i");
    f->stream.now -= 10 * TCP_HOLE_AGE; /* time may jump back */
    send_text(f, 10, "j");
    assert_out(f, "XXcdefXXij");
    fixture_free(f);
}

static void holding_is_bounded(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    f->stream.held_max = 10;
    syn(f, 0);
    send_text(f, 3, "cdefgh");
    send_text(f, 11, "klmnop"); /* too much: the first hole goes, then this has room */
    assert_out(f, "XXcdefgh");
    send_text(f, 9, "ij");
    assert_out(f, "XXcdefghijklmnop");
    send_text(f, 20, "a text of more bytes than are held");
    assert_int_equal(f->out.size, 16 + 3 + 34);
    fixture_free(f);
}

static void many_small_pieces_are_bounded(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    syn(f, 0);
    for (uint32_t i = 0; i < 3 * TCP_HELD_SEGMENTS; i++)
        send_text(f, 3 + 2 * i, "z");
    assert_true(f->stats.gaps > 0);
    fixture_free(f);
}

static void cut_segments_leave_a_hole(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    syn(f, 0);
    struct tcp_segment segment = {.sequence = 1, .length = 6, .captured = 2, .data = (const uint8_t *)"ab"};
    tcp_stream_segment(&f->stream, &f->side, &segment, &f->sink);
    assert_out(f, "abXXXX");
    segment.sequence = 9;
    tcp_stream_segment(&f->stream, &f->side, &segment, &f->sink);
    send_text(f, 7, "gh");
    assert_out(f, "abXXXXghabXXXX");
    assert_int_equal(f->out.cut, 8);
    assert_int_equal(f->out.lost, 0);
    assert_int_equal(f->stats.gaps, 0);
    fixture_free(f);
}

static void midstream_begins_with_data(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    send_text(f, 5000, "");
    assert_false(f->side.flags & TCP_SIDE_SYNCED);
    send_text(f, 5001, "abc");
    assert_out(f, "abc");
    assert_true(f->side.flags & TCP_SIDE_LOST);
    fixture_free(f);
}

static void the_end_is_noticed(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    syn(f, 0);
    struct tcp_segment fin = {
        .sequence = 3, .length = 2, .captured = 2, .data = (const uint8_t *)"cd", .fin = true};
    tcp_stream_segment(&f->stream, &f->side, &fin, &f->sink);
    assert_true(f->side.flags & TCP_SIDE_FIN);
    assert_false(f->side.flags & TCP_SIDE_DONE);
    send_text(f, 1, "ab");
    assert_true(f->side.flags & TCP_SIDE_DONE);
    assert_out(f, "abcd");
    fixture_free(f);
}

static void a_syn_may_carry_data(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    struct tcp_segment segment = {
        .sequence = 9, .length = 2, .captured = 2, .data = (const uint8_t *)"ab", .syn = true};
    tcp_stream_segment(&f->stream, &f->side, &segment, &f->sink);
    send_text(f, 12, "cd");
    assert_out(f, "abcd");
    fixture_free(f);
}

static void strays_are_ignored_until_they_persist(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    syn(f, 0);
    send_text(f, 1, "ab");
    send_text(f, 0x50000000, "zz");
    send_text(f, 3, "cd");
    assert_out(f, "abcd");
    f->out.size = 0;
    for (uint32_t i = 0; i < 4; i++)
        send_text(f, 0x60000000 + 2 * i, "yy");
    assert_int_equal(f->stats.gaps, 1);
    assert_memory_equal(f->out.data, "yy", 2);
    send_text(f, 0x60000008, "ww");
    assert_memory_equal(f->out.data + 2, "ww", 2);
    fixture_free(f);
}

/* Any way of cutting, mixing, doubling and overlapping a stream gives the same stream. */
static void property_round(uint64_t seed)
{
    struct fixture *f = fixture_new();
    static uint8_t text[STREAM_MAX];
    uint32_t size = 1 + random_next(&seed) % (STREAM_MAX / 8);
    for (uint32_t i = 0; i < size; i++)
        text[i] = (uint8_t)random_next(&seed);
    struct piece {
        uint32_t at, size;
    } pieces[2048];
    uint32_t count = 0, most = 1 + random_next(&seed) % 600;
    for (uint32_t at = 0; at < size && count < 1000;) {
        uint32_t length = 1 + random_next(&seed) % most;
        if (count == 999 || length > size - at)
            length = size - at;
        pieces[count++] = (struct piece){at, length};
        at += length;
    }
    uint32_t whole = count;
    for (uint32_t i = 0; i < whole / 2; i++) {
        uint32_t at = random_next(&seed) % size, length = 1 + random_next(&seed) % most;
        pieces[count++] = (struct piece){at, length > size - at ? size - at : length};
    }
    /* Mixed within a window, as real networks do. */
    uint32_t window = 1 + random_next(&seed) % 200;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t other = i + random_next(&seed) % window;
        if (other >= count)
            continue;
        struct piece swap = pieces[i];
        pieces[i] = pieces[other];
        pieces[other] = swap;
    }
    uint32_t isn = random_next(&seed);
    if (random_next(&seed) % 2)
        isn = UINT32_MAX - random_next(&seed) % size;
    syn(f, isn);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *copy = malloc(pieces[i].size);
        memcpy(copy, text + pieces[i].at, pieces[i].size);
        send_bytes(f, isn + 1 + pieces[i].at, copy, pieces[i].size);
        free(copy);
    }
    assert_null(f->side.holding);
    assert_int_equal(f->out.size, size);
    assert_memory_equal(f->out.data, text, size);
    assert_int_equal(f->stats.gaps, 0);
    assert_int_equal(f->stats.conflicts, 0);
    fixture_free(f);
}

static void property_any_order_gives_the_stream(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++)
        property_round(seed * 7919);
}

/* With segments lost: what comes out has X where bytes were lost, and nothing else changes. */
static void property_losses_leave_holes(void **state)
{
    (void)state;
    for (uint64_t round = 1; round <= 100; round++) {
        uint64_t seed = round * 104729;
        struct fixture *f = fixture_new();
        uint8_t text[8192], expected[8192];
        for (uint32_t i = 0; i < sizeof text; i++)
            text[i] = expected[i] = (uint8_t)random_next(&seed);
        uint32_t lost = 0, last = 0;
        syn(f, 0);
        for (uint32_t at = 0, length; at < sizeof text; at += length) {
            length = 1 + random_next(&seed) % 300;
            if (length > sizeof text - at)
                length = (uint32_t)sizeof text - at;
            if (random_next(&seed) % 10 == 0 && at + length < sizeof text) {
                memset(expected + at, 'X', length);
                lost += length;
                continue;
            }
            send_bytes(f, 1 + at, text + at, length);
            acked(f, 1 + at + length, random_next(&seed) % 2);
            last = at + length;
        }
        tcp_stream_flush(&f->stream, &f->side, &f->sink);
        assert_int_equal(f->out.size, last);
        assert_memory_equal(f->out.data, expected, last);
        assert_int_equal(f->out.lost, lost);
        assert_int_equal(f->stats.gap_bytes, lost);
        fixture_free(f);
    }
}

/* Without memory nothing crashes and the stream goes on, with holes. */
static void memory_runs_out(void **state)
{
    (void)state;
    struct fixture *f = fixture_new();
    slab_destroy(&f->slab);
    f->slab = slab_new(0);
    f->stream.slab = f->slab;
    syn(f, 0);
    send_text(f, 5, "abc");
    assert_out(f, "XXXXabc");
    send_text(f, 8, "d");
    assert_out(f, "XXXXabcd");
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_passes_at_once),
        cmocka_unit_test(sequence_numbers_wrap),
        cmocka_unit_test(early_segments_wait),
        cmocka_unit_test(retransmissions_pass_once),
        cmocka_unit_test(the_first_copy_wins),
        cmocka_unit_test(acknowledged_holes_are_given_up),
        cmocka_unit_test(an_answer_gives_a_hole_up),
        cmocka_unit_test(bare_acknowledgements_give_a_hole_time),
        cmocka_unit_test(old_holes_are_given_up),
        cmocka_unit_test(holding_is_bounded),
        cmocka_unit_test(many_small_pieces_are_bounded),
        cmocka_unit_test(cut_segments_leave_a_hole),
        cmocka_unit_test(midstream_begins_with_data),
        cmocka_unit_test(the_end_is_noticed),
        cmocka_unit_test(a_syn_may_carry_data),
        cmocka_unit_test(strays_are_ignored_until_they_persist),
        cmocka_unit_test(property_any_order_gives_the_stream),
        cmocka_unit_test(property_losses_leave_holes),
        cmocka_unit_test(memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
