/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>

#include "base/clock.h"
#include "sync/resolution_queue.h"

static struct resolution_queue *queue_with(uint32_t records, uint32_t bytes)
{
    struct resolution_queue_limits limits;
    resolution_queue_limits_init(&limits);
    limits.records_max = records;
    limits.bytes_max = bytes;
    struct resolution_queue *queue = resolution_queue_new(&limits);
    assert_non_null(queue);
    return queue;
}

static bool put(struct resolution_queue *queue, const char *text, uint64_t key, int64_t now)
{
    return resolution_queue_put(queue, (struct bytes){(const uint8_t *)text, strlen(text)}, strlen(text),
                                &key, 1, now);
}

static void check_next(struct resolution_queue *queue, int64_t now, const char *text, bool is_late)
{
    struct bytes record;
    uint64_t tag;
    bool late;
    assert_true(resolution_queue_next(queue, now, &record, &tag, &late));
    assert_int_equal(record.size, strlen(text));
    assert_memory_equal(record.data, text, record.size);
    assert_int_equal(tag, record.size);
    assert_int_equal(late, is_late);
}

static void check_none(struct resolution_queue *queue, int64_t now)
{
    struct bytes record;
    uint64_t tag;
    bool late;
    assert_false(resolution_queue_next(queue, now, &record, &tag, &late));
}

static void a_record_leaves_when_all_is_answered(void **state)
{
    (void)state;
    struct resolution_queue *queue = queue_with(8, 1024);
    const uint64_t keys[] = {1, 2, 3};
    assert_true(resolution_queue_deadline(queue) == INT64_MAX);
    assert_true(resolution_queue_put(queue, (struct bytes){(const uint8_t *)"three", 5}, 5, keys, 3, 0));
    assert_true(put(queue, "one", 2, 0));
    resolution_queue_answered(queue, 9);
    resolution_queue_answered(queue, 1);
    resolution_queue_answered(queue, 1);
    check_none(queue, 1);
    resolution_queue_answered(queue, 2);
    check_next(queue, 1, "one", false);
    check_none(queue, 1);
    resolution_queue_answered(queue, 3);
    check_next(queue, 1, "three", false);
    check_none(queue, INT64_MAX);
    struct resolution_queue_counters c;
    resolution_queue_counters(queue, &c);
    assert_int_equal(c.put, 2);
    assert_int_equal(c.ready, 2);
    assert_int_equal(c.late, 0);
    assert_int_equal(c.waiting, 0);
    resolution_queue_destroy(&queue);
    resolution_queue_destroy(&queue);
}

static void a_record_waits_no_longer_than_allowed(void **state)
{
    (void)state;
    struct resolution_queue *queue = queue_with(8, 1024);
    assert_true(put(queue, "first", 1, 10));
    assert_true(put(queue, "second", 2, 20));
    assert_true(resolution_queue_deadline(queue) == 10 + 5 * CLOCK_SECOND);
    check_none(queue, 9 + 5 * CLOCK_SECOND);
    check_next(queue, 10 + 5 * CLOCK_SECOND, "first", true);
    check_none(queue, 10 + 5 * CLOCK_SECOND);
    resolution_queue_answered(queue, 1); /* nobody waits for it any more */
    check_none(queue, 10 + 5 * CLOCK_SECOND);
    check_next(queue, 20 + 5 * CLOCK_SECOND, "second", true);
    resolution_queue_destroy(&queue);
}

static void it_is_bounded_by_count_and_by_bytes(void **state)
{
    (void)state;
    struct resolution_queue *queue = queue_with(2, 16);
    assert_false(put(queue, "", 1, 0));
    assert_false(put(queue, "seventeen bytes..", 1, 0));
    assert_true(put(queue, "a", 1, 0));
    assert_true(put(queue, "b", 2, 0));
    assert_false(put(queue, "c", 3, 0)); /* two records */
    resolution_queue_answered(queue, 2);
    check_next(queue, 0, "b", false);
    assert_false(put(queue, "c", 3, 0)); /* its place is free when the older one has gone */
    resolution_queue_answered(queue, 1);
    check_next(queue, 0, "a", false);
    assert_true(put(queue, "0123456789", 3, 0));
    assert_false(put(queue, "0123456789", 4, 0)); /* 16 bytes */
    struct resolution_queue_counters c;
    resolution_queue_counters(queue, &c);
    assert_int_equal(c.refused, 5);
    assert_true(c.memory > 16);
    resolution_queue_destroy(&queue);
}

static void limits_of_nothing_are_refused(void **state)
{
    (void)state;
    assert_null(resolution_queue_new(&(struct resolution_queue_limits){.records_max = 0, .bytes_max = 1}));
    assert_null(resolution_queue_new(&(struct resolution_queue_limits){.records_max = 1, .bytes_max = 0}));
}

enum { NUMBERS = 20000, KEYS = 50 };

/* Whatever is put leaves once, whole, and in time. */
static void whatever_happens_each_leaves_once(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 20; seed++) {
        srandom(seed);
        struct resolution_queue *queue = queue_with(64, 2048);
        static int64_t put_at[NUMBERS];
        static uint8_t left[NUMBERS];
        uint64_t waiting = 0;
        int64_t now = 0;
        memset(left, 0, sizeof(left));
        for (uint32_t n = 0; n < NUMBERS;) {
            now += random() % (20 * CLOCK_MILLISECOND);
            uint8_t record[200];
            size_t size = 4 + (size_t)random() % 100;
            uint64_t keys[RESOLUTION_KEYS_MAX];
            uint32_t count = 1 + (uint32_t)random() % RESOLUTION_KEYS_MAX;
            for (uint32_t i = 0; i < count; i++)
                keys[i] = (uint64_t)random() % KEYS * RESOLUTION_KEYS_MAX + i;
            memset(record, (int)(n % 251), sizeof(record));
            memcpy(record, &n, sizeof(n));
            if (resolution_queue_put(queue, (struct bytes){record, size}, n, keys, count, now)) {
                put_at[n] = now;
                waiting++;
            } else {
                left[n] = 1;
            }
            n++;
            for (unsigned i = 0; i < 6; i++)
                resolution_queue_answered(queue, (uint64_t)random() % (KEYS * RESOLUTION_KEYS_MAX));
            struct bytes out;
            uint64_t tag;
            bool late;
            while (resolution_queue_next(queue, now, &out, &tag, &late)) {
                uint32_t number;
                memcpy(&number, out.data, sizeof(number));
                assert_int_equal(tag, number);
                assert_int_equal(left[number]++, 0);
                for (size_t i = sizeof(number); i < out.size; i++)
                    assert_int_equal(out.data[i], number % 251);
                assert_true(!late || now - put_at[number] >= 5 * CLOCK_SECOND);
                assert_true(now - put_at[number] <= 5 * CLOCK_SECOND + 20 * CLOCK_MILLISECOND);
                waiting--;
            }
            struct resolution_queue_counters c;
            resolution_queue_counters(queue, &c);
            assert_int_equal(c.waiting, waiting);
            assert_true(c.bytes <= 2048);
        }
        resolution_queue_destroy(&queue);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_leaves_when_all_is_answered),
        cmocka_unit_test(a_record_waits_no_longer_than_allowed),
        cmocka_unit_test(it_is_bounded_by_count_and_by_bytes),
        cmocka_unit_test(limits_of_nothing_are_refused),
        cmocka_unit_test(whatever_happens_each_leaves_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
