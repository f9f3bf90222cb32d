/* SPDX-License-Identifier: Apache-2.0 */
#include "base/activity.h"
#include "base/batch.h"
#include "base/msgpack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include <cmocka.h>

struct sink {
    uint8_t *data;
    size_t size;
    unsigned frames;
};

static void keep(void *context, struct bytes frame)
{
    struct sink *sink = context;
    sink->data = realloc(sink->data, sink->size + frame.size);
    assert_non_null(sink->data);
    memcpy(sink->data + sink->size, frame.data, frame.size);
    sink->size += frame.size;
    sink->frames++;
}

/* {"n": number, "pad": size zeros} */
static size_t make_record(uint8_t *to, size_t capacity, uint64_t number, size_t pad)
{
    static const uint8_t zeros[ACTIVITY_BYTES_MAX];
    struct msgpack_writer w;
    msgpack_writer_init(&w, to, capacity);
    msgpack_put_map(&w, 2);
    msgpack_put_text(&w, "n");
    msgpack_put_uint(&w, number);
    msgpack_put_text(&w, "pad");
    msgpack_put_binary(&w, zeros, pad);
    assert_false(w.full);
    return w.size;
}

static void write_records(struct sink *sink, unsigned count, size_t pad)
{
    static uint8_t record[ACTIVITY_BYTES_MAX];
    struct batch_writer *writer = batch_writer_new(1, keep, sink);
    assert_non_null(writer);
    for (unsigned i = 0; i < count; i++)
        batch_writer_add(writer, (struct bytes){record, make_record(record, sizeof(record), i, pad)});
    batch_writer_flush(writer);
    batch_writer_flush(writer); /* nothing left: no empty frame */
    batch_writer_destroy(&writer);
    assert_null(writer);
    batch_writer_destroy(&writer);
}

/* Reads all in pieces of `step` bytes; how many records came, in order. */
static unsigned read_all(const struct sink *sink, size_t step, enum batch_verdict *last, bool *boundary)
{
    struct batch_reader *reader = batch_reader_new();
    assert_non_null(reader);
    unsigned found = 0;
    *last = BATCH_MORE;
    for (size_t at = 0; at < sink->size && *last != BATCH_INVALID; at += step) {
        struct bytes input = {sink->data + at, step < sink->size - at ? step : sink->size - at};
        while ((*last = batch_reader_feed(reader, &input)) == BATCH_READY) {
            uint64_t count;
            struct cursor records = batch_reader_records(reader, &count);
            for (uint64_t i = 0; i < count; i++, found++) {
                assert_int_equal(msgpack_next(&records).count, 2);
                assert_true(msgpack_skip(&records));
                assert_int_equal(msgpack_next(&records).uint, found);
                assert_true(msgpack_skip(&records));
                assert_true(msgpack_skip(&records));
            }
            assert_true(cursor_done(&records));
        }
    }
    *boundary = batch_reader_at_boundary(reader);
    batch_reader_destroy(&reader);
    assert_null(reader);
    batch_reader_destroy(&reader);
    return found;
}

static void records_come_back_in_order(void **state)
{
    (void)state;
    struct sink sink = {0};
    write_records(&sink, 2000, 500); /* about 1 MB: several frames */
    assert_true(sink.frames > 3);
    const size_t steps[] = {1, 7, 4096, sink.size};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        enum batch_verdict last;
        bool boundary;
        assert_int_equal(read_all(&sink, steps[i], &last, &boundary), 2000);
        assert_int_equal(last, BATCH_MORE);
        assert_true(boundary);
    }
    free(sink.data);
}

static void the_largest_records_fit(void **state)
{
    (void)state;
    struct sink sink = {0};
    write_records(&sink, 40, ACTIVITY_BYTES_MAX - 32);
    enum batch_verdict last;
    bool boundary;
    assert_int_equal(read_all(&sink, sink.size, &last, &boundary), 40);
    static uint8_t large[ACTIVITY_BYTES_MAX + 1];
    struct sink none = {0};
    struct batch_writer *writer = batch_writer_new(1, keep, &none);
    batch_writer_add(writer, (struct bytes){large, sizeof(large)}); /* no record is that large */
    batch_writer_flush(writer);
    assert_int_equal(none.frames, 0);
    batch_writer_destroy(&writer);
    free(sink.data);
}

static void a_cut_is_seen(void **state)
{
    (void)state;
    struct sink sink = {0};
    write_records(&sink, 10, 100);
    for (size_t size = 1; size < sink.size; size++) {
        struct sink cut = {.data = sink.data, .size = size};
        enum batch_verdict last;
        bool boundary;
        assert_int_equal(read_all(&cut, 64, &last, &boundary), 0);
        assert_int_equal(last, BATCH_MORE);
        assert_false(boundary);
    }
    free(sink.data);
}

/* The frame's checksum makes every flipped byte an error, whatever it hits. */
static void damage_is_refused(void **state)
{
    (void)state;
    struct sink sink = {0};
    write_records(&sink, 10, 100);
    for (size_t i = 0; i < sink.size; i++) {
        sink.data[i] ^= 0x81;
        enum batch_verdict last;
        bool boundary;
        assert_int_equal(read_all(&sink, sink.size, &last, &boundary), 0);
        assert_true(last == BATCH_INVALID || !boundary);
        sink.data[i] ^= 0x81;
    }
    free(sink.data);
}

static enum batch_verdict verdict_of(const void *plain, size_t size)
{
    size_t capacity = ZSTD_compressBound(size);
    uint8_t *frame = malloc(capacity);
    assert_non_null(frame);
    struct bytes input = {frame, ZSTD_compress(frame, capacity, plain, size, 1)};
    struct batch_reader *reader = batch_reader_new();
    enum batch_verdict verdict = batch_reader_feed(reader, &input);
    if (verdict == BATCH_INVALID) {
        struct bytes again = {frame, 1};
        assert_int_equal(batch_reader_feed(reader, &again), BATCH_INVALID);
    }
    batch_reader_destroy(&reader);
    free(frame);
    return verdict;
}

static void put_header(struct msgpack_writer *w, const char *format, uint64_t version, uint64_t count)
{
    msgpack_put_map(w, 4);
    msgpack_put_text(w, "format");
    msgpack_put_text(w, format);
    msgpack_put_text(w, "later");
    msgpack_put_array(w, 1);
    msgpack_put_nil(w);
    msgpack_put_text(w, "version");
    msgpack_put_uint(w, version);
    msgpack_put_text(w, "count");
    msgpack_put_uint(w, count);
}

static void headers_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *format;
        uint64_t version, count;
        enum batch_verdict verdict;
    } cases[] = {
        {"picket-activities", BATCH_VERSION, 0, BATCH_READY},
        {"picket-activities", BATCH_VERSION, 1, BATCH_INVALID}, /* announces more than there can be */
        {"picket-activities", BATCH_VERSION + 1, 0, BATCH_INVALID},
        {"picket-entities", BATCH_VERSION, 0, BATCH_INVALID},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint8_t plain[256];
        struct msgpack_writer w;
        msgpack_writer_init(&w, plain, sizeof(plain));
        put_header(&w, cases[i].format, cases[i].version, cases[i].count);
        assert_int_equal(verdict_of(plain, w.size), cases[i].verdict);
    }
    assert_int_equal(verdict_of("\x80", 1), BATCH_INVALID); /* an empty map */
    assert_int_equal(verdict_of("\x01", 1), BATCH_INVALID); /* no map */
    assert_int_equal(verdict_of("\x83\xa6", 2), BATCH_INVALID);
}

static void a_bomb_is_refused(void **state)
{
    (void)state;
    size_t size = 64u << 20;
    uint8_t *zeros = calloc(1, size);
    assert_non_null(zeros);
    assert_int_equal(verdict_of(zeros, size), BATCH_INVALID);
    assert_int_equal(verdict_of(zeros, BATCH_BYTES_MAX + 1), BATCH_INVALID);
    free(zeros);
}

static bool is_framed(const void *data, size_t size)
{
    return batch_is_framed((struct bytes){data, size});
}

static void a_frame_is_told_by_its_lengths(void **state)
{
    (void)state;
    static const uint8_t skippable[] = {0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0};
    static uint8_t plain[BATCH_BYTES_MAX + 1];
    struct sink sink = {0};
    write_records(&sink, 100, 1000);
    assert_int_equal(sink.frames, 1);
    assert_true(is_framed(sink.data, sink.size));
    for (size_t size = 0; size < sink.size; size++)
        assert_false(is_framed(sink.data, size));
    uint8_t *two = malloc(2 * sink.size);
    memcpy(two, sink.data, sink.size);
    memcpy(two + sink.size, sink.data, sink.size);
    assert_false(is_framed(two, sink.size + 1));
    assert_false(is_framed(two, 2 * sink.size));
    free(two);
    free(sink.data);
    assert_false(is_framed(skippable, sizeof(skippable)));
    size_t capacity = ZSTD_compressBound(sizeof(plain));
    uint8_t *frame = malloc(capacity);
    assert_true(is_framed(frame, ZSTD_compress(frame, capacity, plain, BATCH_BYTES_MAX, 1)));
    assert_false(is_framed(frame, ZSTD_compress(frame, capacity, plain, sizeof(plain), 1)));
    free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_back_in_order),
        cmocka_unit_test(the_largest_records_fit),
        cmocka_unit_test(a_cut_is_seen),
        cmocka_unit_test(damage_is_refused),
        cmocka_unit_test(headers_are_checked),
        cmocka_unit_test(a_bomb_is_refused),
        cmocka_unit_test(a_frame_is_told_by_its_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
