/* SPDX-License-Identifier: Apache-2.0
 *
 * The center's log on a real disk: whole after any cut, read by position while it grows, and what the
 * receiver remembers is what the log says.
 */
#include "base/batch.h"
#include "base/clock.h"
#include "base/msgpack.h"
#include "center/aside.h"
#include "center/received_log.h"
#include "center/sources.h"
#include "cluster/crypto_sodium.h"
#include "tests/unit/place.h"
#include "tests/unit/unit.h"

#define SEGMENT ((size_t)8 << 20)
#define BIG     (3u << 20)

static struct place place;
static struct sources *sources;
static unsigned recovered;

static int make(void **state)
{
    (void)state;
    place_open(&place);
    sources = sources_new(1);
    recovered = 0;
    return sources ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    sources_destroy(&sources);
    place_close(&place);
    return 0;
}

static struct bytes give_state(void *context)
{
    (void)context;
    return sources_state(sources);
}

static void hear_entry(void *context, const struct log_entry *entry)
{
    (void)context;
    recovered++;
    sources_recover(sources, entry);
}

static struct received_log *open_log(uint64_t bytes_max)
{
    const struct received_log_config config = {.disk = disk_system(),
                                               .directory = place.path,
                                               .segment_bytes = SEGMENT,
                                               .bytes_max = bytes_max,
                                               .state = give_state,
                                               .recover = hear_entry};
    struct fault fault;
    sources_destroy(&sources);
    sources = sources_new(1);
    struct received_log *log = received_log_open(&config, &fault);
    if (!log)
        fail_msg("%s", fault.text);
    return log;
}

static struct log_origin origin_of(uint64_t n)
{
    struct log_origin origin = {.generation = 9, .sequence = n, .closed = (int64_t)n};
    memset(origin.node.bytes, (int)(n % 3) + 1, NODE_ID_SIZE);
    return origin;
}

static void put(struct received_log *log, uint64_t n, size_t size)
{
    static uint8_t content[BIG];
    const struct log_origin origin = origin_of(n);
    struct fault fault;
    memset(content, (int)n, size);
    assert_true(received_log_append(log, 1000 + (int64_t)n, LOG_REFUSED, &origin,
                                    (struct bytes){content, size}, &fault));
    sources_at(sources, sources_number(sources, &origin.node))->delivery =
        (struct delivery_source){.generation = 9, .last = n};
}

static void expect(const struct log_entry *entry, uint64_t n)
{
    const struct log_origin origin = origin_of(n);
    assert_int_equal(entry->kind, LOG_REFUSED);
    assert_int_equal(entry->wall, 1000 + n);
    assert_memory_equal(&entry->origin, &origin, sizeof origin);
    for (size_t i = 0; i < entry->content.size; i += 101)
        assert_int_equal(entry->content.data[i], (uint8_t)n);
}

static struct log_reader *open_reader(uint64_t from)
{
    struct fault fault;
    struct log_reader *reader = log_reader_open(disk_system(), place.path, from, &fault);
    assert_non_null(reader);
    return reader;
}

static void what_was_appended_is_read_by_position(void **state)
{
    (void)state;
    struct received_log *log = open_log(0);
    struct log_reader *reader = open_reader(0);
    struct log_entry entry;
    struct fault fault;
    assert_false(log_reader_next(reader, &entry));
    uint64_t read = 0, positions[13], last = 0;
    for (uint64_t n = 1; n <= 12; n++) {
        put(log, n, n % 4 ? BIG : 10);
        for (; n % 3 == 0 && log_reader_next(reader, &entry); positions[read] = last = entry.position) {
            expect(&entry, ++read);
            assert_true(entry.position > last);
        }
    }
    assert_true(received_log_sync(log, &fault));
    assert_int_equal(read, 12);
    assert_false(log_reader_next(reader, &entry));
    assert_int_equal(log_reader_damaged(reader), 0);
    log_reader_close(&reader);
    struct received_log_status status;
    received_log_status(log, &status);
    assert_int_equal(status.first, 1);
    assert_int_equal(status.last, last);
    for (uint64_t n = 1; n <= 12; n++) {
        reader = open_reader(positions[n]);
        assert_true(log_reader_next(reader, &entry));
        expect(&entry, n);
        assert_int_equal(entry.position, positions[n]);
        log_reader_close(&reader);
    }
    reader = open_reader(last + 1);
    assert_false(log_reader_next(reader, &entry));
    log_reader_close(&reader);
    received_log_close(&log);
    /* What is remembered is there again, from the newest segment alone. */
    log = open_log(0);
    assert_true(recovered > 0 && recovered < 8);
    assert_int_equal(sources_count(sources), 3);
    for (uint64_t n = 10; n <= 12; n++) {
        const struct log_origin origin = origin_of(n);
        assert_int_equal(sources_at(sources, sources_number(sources, &origin.node))->delivery.last, n);
    }
    received_log_status(log, &status);
    assert_int_equal(status.last, last);
    assert_int_equal(status.damaged, 0);
    put(log, 13, 10);
    received_log_close(&log);
}

static void the_oldest_go_when_it_is_too_large(void **state)
{
    (void)state;
    struct received_log *log = open_log(4 * SEGMENT);
    struct received_log_status status;
    struct log_entry entry;
    for (uint64_t n = 1; n <= 40; n++)
        put(log, n, BIG);
    received_log_status(log, &status);
    assert_true(status.bytes <= 4 * SEGMENT);
    assert_true(status.first > 30);
    struct log_reader *reader = open_reader(1);
    assert_true(log_reader_next(reader, &entry));
    assert_true(entry.position >= status.first && entry.position <= status.first + 1);
    uint64_t count = 1;
    while (log_reader_next(reader, &entry))
        count++;
    expect(&entry, 40);
    assert_in_range(count, 6, 8);
    log_reader_close(&reader);
    received_log_close(&log);
    log = open_log(4 * SEGMENT);
    struct received_log_status again;
    received_log_status(log, &again);
    assert_int_equal(again.first, status.first);
    assert_int_equal(again.bytes, status.bytes);
    received_log_close(&log);
}

/* Wherever a crash cut the newest file: what stands before is there, and it is gone on with. */
static void a_cut_at_any_offset(void **state)
{
    (void)state;
    struct received_log *log = open_log(0);
    for (uint64_t n = 1; n <= 6; n++)
        put(log, n, 20);
    received_log_close(&log);
    static uint8_t whole[2048];
    size_t size = place_get(&place, "0000000000000001.segment", whole, sizeof whole);
    assert_in_range(size, 500, sizeof whole - 1);
    for (size_t cut = 0; cut < size; cut++) {
        place_put(&place, "0000000000000001.segment", whole, cut);
        log = open_log(0);
        struct log_reader *reader = open_reader(0);
        struct log_entry entry;
        uint64_t n = 0;
        while (log_reader_next(reader, &entry))
            expect(&entry, ++n);
        assert_true(n < 6);
        assert_int_equal(sources_count(sources), n < 3 ? n : 3);
        put(log, n + 1, 20);
        assert_true(log_reader_next(reader, &entry));
        expect(&entry, n + 1);
        assert_int_equal(log_reader_damaged(reader), 0);
        log_reader_close(&reader);
        received_log_close(&log);
    }
    /* Damage in the middle of an older file costs its rest. */
    log = open_log(0);
    while (access(place_file(&place, "0000000000000003.segment"), F_OK) != 0)
        put(log, 7, BIG);
    received_log_close(&log);
    whole[300] ^= 1;
    place_put(&place, "0000000000000001.segment", whole, size);
    struct log_reader *reader = open_reader(0);
    struct log_entry entry;
    uint64_t count = 0;
    while (log_reader_next(reader, &entry))
        count++;
    assert_true(count > 2);
    assert_int_equal(log_reader_damaged(reader), 1);
    log_reader_close(&reader);
}

static void what_cannot_be_appended(void **state)
{
    (void)state;
    struct received_log *log = open_log(0);
    const struct log_origin origin = origin_of(1);
    struct fault fault;
    static uint8_t content[LOG_CONTENT_MAX + 1];
    assert_false(
        received_log_append(log, 1, LOG_REFUSED, &origin, (struct bytes){content, sizeof content}, &fault));
    assert_true(
        received_log_append(log, 1, LOG_REFUSED, &origin, (struct bytes){content, LOG_CONTENT_MAX}, &fault));
    received_log_close(&log);
    assert_null(log_reader_open(disk_system(), "/nonexistent/log", 0, &fault));
}

/* --- fences --- */

static struct batch_fence fence_of(uint64_t term, uint64_t sequence)
{
    struct batch_fence fence = {.domain = "corp.example", .term = term, .sequence = sequence};
    fence.node[0] = 7;
    return fence;
}

static struct bytes framed;
static void keep_frame(void *context, struct bytes frame)
{
    static uint8_t bytes[4096];
    (void)context;
    assert_true(frame.size <= sizeof bytes);
    memcpy(bytes, frame.data, frame.size);
    framed = (struct bytes){bytes, frame.size};
}

static struct bytes entities(const struct batch_fence *fence)
{
    uint8_t pairs[BATCH_FENCE_MAX];
    static const uint8_t record[] = {0x80};
    struct batch_writer *writer = batch_writer_new_of(&batch_entities, 1, keep_frame, NULL);
    assert_true(batch_writer_set_pairs(writer, (struct bytes){pairs, batch_fence_write(pairs, fence)},
                                       BATCH_FENCE_PAIRS));
    batch_writer_add(writer, (struct bytes){record, sizeof record});
    batch_writer_flush(writer);
    batch_writer_destroy(&writer);
    return framed;
}

static void fences_are_remembered(void **state)
{
    (void)state;
    struct received_log *log = open_log(0);
    struct batch_fence low = fence_of(3, 8), high = fence_of(4, 1);
    struct log_origin origin = origin_of(1);
    struct fence holder;
    struct fault fault;
    assert_true(sources_accept(sources, &low, &holder));
    assert_true(sources_raise(sources, &low));
    assert_false(sources_accept(sources, &low, &holder));
    assert_true(sources_accept(sources, &high, &holder));
    /* In an entry, and in the state before the next segment. */
    assert_true(received_log_append(log, 1, LOG_ENTITIES, &origin, entities(&high), &fault));
    received_log_close(&log);
    log = open_log(0);
    assert_false(sources_accept(sources, &low, &holder));
    assert_int_equal(holder.term, 4);
    assert_int_equal(holder.sequence, 1);
    for (uint64_t n = 2; n <= 9; n++)
        put(log, n, BIG);
    received_log_close(&log);
    log = open_log(0);
    assert_false(sources_accept(sources, &high, &holder));
    high.sequence++;
    assert_true(sources_accept(sources, &high, &holder));
    strcpy(low.domain, "other.example");
    assert_true(sources_accept(sources, &low, &holder));
    received_log_close(&log);
}

/* A state that is none leaves nothing behind; it is only ever read out of the center's own log. */
static void a_damaged_state(void **state)
{
    (void)state;
    uint8_t bytes[4096];
    const struct node_id id = {{4}};
    struct batch_fence fence = fence_of(1, 1);
    sources_at(sources, sources_number(sources, &id))->key_generation = 3;
    sources_raise(sources, &fence);
    struct bytes good = sources_state(sources);
    memcpy(bytes, good.data, good.size);
    for (size_t cut = 0; cut <= good.size; cut++) {
        struct sources *other = sources_new(2);
        struct log_entry entry = {.kind = LOG_STATE, .content = {bytes, cut}};
        struct fence holder;
        sources_recover(other, &entry);
        bool whole = cut == good.size;
        assert_true(sources_count(other) <= 1);
        assert_int_equal(sources_accept(other, &fence, &holder), !whole);
        assert_true(!whole || sources_at(other, 0)->key_generation == 3);
        sources_destroy(&other);
    }
}

static void refused_batches_are_kept_aside(void **state)
{
    (void)state;
    struct log_origin origin = origin_of(1);
    unsigned kept = 0;
    for (origin.sequence = 1; origin.sequence <= ASIDE_FILES_MAX + 5; origin.sequence++)
        kept += aside_keep(disk_system(), place.path, &origin, (struct bytes){(const uint8_t *)"abc", 3});
    assert_int_equal(kept, ASIDE_FILES_MAX);
    assert_false(aside_keep(disk_system(), "/nonexistent", &origin, (struct bytes){NULL, 0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_appended_is_read_by_position, make, end),
        cmocka_unit_test_setup_teardown(the_oldest_go_when_it_is_too_large, make, end),
        cmocka_unit_test_setup_teardown(a_cut_at_any_offset, make, end),
        cmocka_unit_test_setup_teardown(what_cannot_be_appended, make, end),
        cmocka_unit_test_setup_teardown(fences_are_remembered, make, end),
        cmocka_unit_test_setup_teardown(a_damaged_state, make, end),
        cmocka_unit_test_setup_teardown(refused_batches_are_kept_aside, make, end),
    };
    return crypto_sodium_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
