/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>

#include "base/ring.h"
#include "tests/unit/unit.h"

enum {
    RECORDS = 200000,
    RECORD_MAX = 200,
    BATCH = 16,
};

/* What record `number` is: its size and its bytes follow from the number. */
static size_t make_record(uint32_t number, uint8_t to[RECORD_MAX])
{
    size_t size = 4 + number * 2654435761u % (RECORD_MAX - 4);
    memcpy(to, &number, 4);
    memset(to + 4, (int)(number & 0xff), size - 4);
    return size;
}

static void check_record(struct bytes record, uint32_t number)
{
    uint8_t expected[RECORD_MAX];
    size_t size = make_record(number, expected);
    assert_int_equal(record.size, size);
    assert_bytes_equal(record.data, expected, size);
}

static void *push_all(void *context)
{
    struct ring *ring = context;
    uint8_t record[RECORD_MAX];
    for (uint32_t number = 0; number < RECORDS; number++) {
        size_t size = make_record(number, record);
        while (!ring_push(ring, record, size))
            sched_yield();
    }
    return NULL;
}

static void passes_all_in_order_between_threads(void **state)
{
    (void)state;
    struct ring *ring = ring_new(1000);
    pthread_t pusher;
    assert_int_equal(pthread_create(&pusher, NULL, push_all, ring), 0);
    uint32_t number = 0;
    while (number < RECORDS) {
        struct bytes batch[BATCH];
        size_t count = ring_pop(ring, batch, BATCH);
        for (size_t i = 0; i < count; i++)
            check_record(batch[i], number++);
        if (!count)
            sched_yield();
        assert_in_range(ring_used(ring), 0, 1024);
    }
    pthread_join(pusher, NULL);
    struct bytes none;
    assert_int_equal(ring_pop(ring, &none, 1), 0);
    ring_destroy(&ring);
    assert_null(ring);
}

static void refuses_and_counts_when_full(void **state)
{
    (void)state;
    struct ring *ring = ring_new(64);
    struct bytes batch[8];
    assert_int_equal(ring_record_max(ring), 28);
    assert_false(ring_push(ring, "", 29));
    assert_int_equal(ring_refused(ring), 1);
    for (int i = 0; i < 4; i++)
        assert_true(ring_push(ring, "0123456789", 10));
    assert_int_equal(ring_used(ring), 64);
    assert_false(ring_push(ring, "", 0));
    assert_int_equal(ring_refused(ring), 2);

    /* Handed out is not given back: only release makes room. */
    assert_int_equal(ring_pop(ring, batch, 1), 1);
    assert_false(ring_push(ring, "", 0));
    ring_release(ring);
    assert_true(ring_push(ring, "", 0));
    assert_int_equal(ring_pop(ring, batch, 8), 3); /* what was known to be written then */
    assert_int_equal(ring_pop(ring, batch, 8), 1);
    assert_int_equal(batch[0].size, 0);
    ring_destroy(&ring);
}

/* From each position the largest record fits into the empty ring, and none of a full one is lost. */
static void wraps_anywhere(void **state)
{
    (void)state;
    struct ring *ring = ring_new(256);
    uint8_t record[124];
    struct bytes batch[64];
    for (unsigned round = 0; round < 500; round++) {
        memset(record, (int)round, sizeof record);
        assert_true(ring_push(ring, record, ring_record_max(ring)));
        size_t small = 0;
        while (ring_push(ring, record, round % 30))
            small++;
        size_t got = 0;
        for (size_t count = ring_pop(ring, batch, 64); count; count = ring_pop(ring, batch, 64)) {
            for (size_t i = 0; i < count; i++, got++) {
                assert_int_equal(batch[i].size, got ? round % 30 : ring_record_max(ring));
                assert_bytes_equal(batch[i].data, record, batch[i].size);
            }
        }
        assert_int_equal(got, small + 1);
    }
    ring_destroy(&ring);
    ring_destroy(&ring);
    assert_null(ring_new(SIZE_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passes_all_in_order_between_threads),
        cmocka_unit_test(refuses_and_counts_when_full),
        cmocka_unit_test(wraps_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
