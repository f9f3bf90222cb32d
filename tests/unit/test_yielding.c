/* SPDX-License-Identifier: Apache-2.0
 *
 * How long work that can wait rests.
 */
#include "base/yielding.h"

#include "unit.h"

static void the_share_is_kept(void **state)
{
    (void)state;
    assert_int_equal(yielding_rest(YIELDING_ALL, CLOCK_SECOND), 0);
    assert_int_equal(yielding_rest(500, CLOCK_MILLISECOND), CLOCK_MILLISECOND);
    assert_int_equal(yielding_rest(100, 10 * CLOCK_MILLISECOND), 90 * CLOCK_MILLISECOND);
    assert_int_equal(yielding_rest(0, CLOCK_MILLISECOND), 499 * CLOCK_MILLISECOND);
    assert_int_equal(yielding_rest(1, INT64_MAX), YIELDING_MOST); /* not for ever, whatever was done */
    assert_int_equal(yielding_rest(0, CLOCK_SECOND), YIELDING_MOST);
    assert_int_equal(yielding_rest(500, -1), 0);
}

static void nobody_rests_unless_told(void **state)
{
    (void)state;
    struct yielding yielding;
    struct yielding_turn turn = {0};
    assert_int_equal(yielding_due(NULL, &turn), 0);
    yielding_init(&yielding);
    assert_int_equal(yielding_due(&yielding, &turn), 0);
    assert_int_equal(turn.since, 0);
    yielding_pause(&yielding, &turn, CLOCK_SECOND);
    assert_int_equal(atomic_load(&yielding.rested), 0);
}

/* What was worked before does not count; what is worked since then does, once. */
static void a_thread_rests_for_what_it_worked(void **state)
{
    (void)state;
    struct yielding yielding;
    struct yielding_turn turn = {0};
    yielding_init(&yielding);
    atomic_store(&yielding.share, 100);
    assert_int_equal(yielding_due(&yielding, &turn), 0);
    int64_t rest = 0;
    while ((rest = yielding_due(&yielding, &turn)) == 0)
        continue;
    assert_in_range(rest, 10 * CLOCK_MILLISECOND, YIELDING_MOST);
    assert_int_equal(atomic_load(&yielding.rested), rest);
    assert_true(yielding_due(&yielding, &turn) < rest);
    atomic_store(&yielding.share, YIELDING_ALL);
    assert_int_equal(yielding_due(&yielding, &turn), 0);
    assert_int_equal(turn.since, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_share_is_kept),
        cmocka_unit_test(nobody_rests_unless_told),
        cmocka_unit_test(a_thread_rests_for_what_it_worked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
