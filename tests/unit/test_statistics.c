/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>

#include "center/statistics.h"
#include "tests/unit/unit.h"

#define HALF_LIFE  (7 * STATISTICS_DAY)
#define START      (INT64_C(1700000000) * STATISTICS_SECOND)
#define HOUR       STATISTICS_HOUR
#define SIZE       8u
#define CATEGORIES 40u

/* xorshift64*: the same numbers in each run. */
static uint64_t state = 88172645463325252u;

static uint64_t number(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717u;
}

static double fraction(void)
{
    return (double)(number() >> 11) / 9007199254740992.0;
}

static void assert_near(double value, double expected, double relative)
{
    if (!(fabs(value - expected) <= fabs(expected) * relative + 1e-300))
        fail_msg("%.17g is not %.17g", value, expected);
}

/* -- counts that fade ---------------------------------------------------------------------------- */

static void test_decayed_halves(void **context)
{
    (void)context;
    struct decayed_count c = {0};
    assert_true(decayed_value(&c, START, HALF_LIFE) == 0);
    assert_near(decayed_add(&c, START, HALF_LIFE, 8), 8, 0);
    assert_near(decayed_value(&c, START + HALF_LIFE, HALF_LIFE), 4, 1e-6);
    assert_near(decayed_value(&c, START + 3 * HALF_LIFE, HALF_LIFE), 1, 1e-6);
    /* Looking at an earlier time does not make it more. */
    assert_near(decayed_value(&c, START - HALF_LIFE, HALF_LIFE), 8, 0);
    assert_near(decay(-5, HALF_LIFE), 1, 0);
}

static void test_decayed_in_any_order(void **context)
{
    (void)context;
    for (int round = 0; round < 200; round++) {
        int64_t times[20];
        struct decayed_count there = {0}, back = {0};
        double exact = 0;
        const int64_t end = START + 20 * STATISTICS_DAY;
        for (int i = 0; i < 20; i++) {
            times[i] = START + (int64_t)(number() % (20 * 86400)) * STATISTICS_SECOND;
            exact += decay(end - times[i], HALF_LIFE);
        }
        for (int i = 0; i < 20; i++) {
            decayed_add(&there, times[i], HALF_LIFE, 1);
            decayed_add(&back, times[19 - i], HALF_LIFE, 1);
        }
        assert_near(decayed_value(&there, end, HALF_LIFE), exact, 1e-5);
        assert_near(decayed_value(&back, end, HALF_LIFE), exact, 1e-5);
    }
}

static void test_decayed_steady_rate(void **context)
{
    (void)context;
    struct decayed_count c = {0};
    for (int hour = 0; hour < 24 * 200; hour++)
        decayed_add(&c, START + hour * HOUR, HALF_LIFE, 1);
    assert_near(c.value, 7 * 24 / log(2), 0.01);
}

/* -- how many different ones --------------------------------------------------------------------- */

static void test_distinct_exact(void **context)
{
    (void)context;
    struct distinct_count d = {0};
    for (uint32_t i = 0; i < DISTINCT_EXACT; i++) {
        assert_true(distinct_add(&d, i));
        assert_false(distinct_add(&d, i));
        assert_int_equal(distinct_value(&d), i + 1);
    }
    assert_true(distinct_add(&d, 1000));
    assert_in_range(distinct_value(&d), DISTINCT_EXACT + 1, DISTINCT_EXACT + 8);
}

static void test_distinct_error(void **context)
{
    (void)context;
    static const uint32_t sizes[] = {20, 60, 160, 300, 3000, 100000};
    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        enum { ROUNDS = 60 };
        double squares = 0, sum = 0;
        for (int round = 0; round < ROUNDS; round++) {
            struct distinct_count d = {0};
            uint64_t base = number();
            for (uint32_t i = 0; i < sizes[s]; i++)
                distinct_add(&d, base + i);
            double off = distinct_value(&d) / (double)sizes[s] - 1;
            squares += off * off;
            sum += off;
        }
        /* As the header says; with room for 60 rounds. */
        assert_true(sqrt(squares / ROUNDS) < 0.19);
        assert_true(fabs(sum / ROUNDS) < 0.08);
    }
}

static void test_distinct_never_shrinks_and_merges(void **context)
{
    (void)context;
    for (int round = 0; round < 300; round++) {
        struct distinct_count both = {0}, a = {0}, b = {0};
        uint32_t before = 0, size = (uint32_t)(number() % 80);
        for (uint32_t i = 0; i < size; i++) {
            uint64_t item = number() % 60;
            distinct_add(&both, item);
            distinct_add(item & 1 ? &a : &b, item);
            uint32_t now = distinct_value(&both);
            assert_true(now >= before);
            before = now;
        }
        distinct_merge(&a, &b);
        assert_int_equal(distinct_value(&a), before);
    }
}

static void test_distinct_saturates(void **context)
{
    (void)context;
    struct distinct_count d = {.count = DISTINCT_EXACT + 1};
    memset(d.registers, 27, sizeof(d.registers));
    assert_int_equal(distinct_value(&d), 2147483648u);
    memset(d.registers, 0, sizeof(d.registers));
    assert_int_equal(distinct_value(&d), DISTINCT_EXACT + 1);
}

/* Of exact panes: between what came within one width and within two. */
static void test_windows(void **context)
{
    (void)context;
    enum { EVENTS = 400 };
    const int64_t width = 600 * STATISTICS_SECOND;
    for (int round = 0; round < 30; round++) {
        struct distinct_window d = {0};
        struct count_window c = {0};
        int64_t times[EVENTS], now = START;
        uint64_t items[EVENTS];
        for (int i = 0; i < EVENTS; i++) {
            now += (int64_t)(number() % 300) * STATISTICS_SECOND * (number() % 50 == 0 ? 20 : 1);
            times[i] = now;
            items[i] = number() % 6;
            uint32_t narrow = 0, wide = 0, few = 0, many = 0;
            for (int j = i; j >= 0 && now - times[j] < 2 * width; j--) {
                uint32_t bit = 1u << items[j];
                wide |= bit;
                many++;
                if (now - times[j] < width) {
                    narrow |= bit;
                    few++;
                }
            }
            assert_in_range(distinct_window_add(&d, items[i], now, width), __builtin_popcount(narrow),
                            __builtin_popcount(wide));
            assert_in_range(count_window_add(&c, 1, now, width), few, many);
        }
        assert_int_equal(distinct_window_value(&d, now + 2 * width, width), 0);
        assert_int_equal(count_window_value(&c, now + 2 * width, width), 0);
    }
}

static void test_window_out_of_order(void **context)
{
    (void)context;
    const int64_t width = 60 * STATISTICS_SECOND;
    struct distinct_window d = {0};
    struct count_window c = {0};
    assert_int_equal(distinct_window_add(&d, 1, START, width), 1);
    assert_int_equal(distinct_window_add(&d, 2, START - width / 2, width), 2);
    assert_int_equal(distinct_window_value(&d, START + width, width), 1);
    count_window_add(&c, UINT32_MAX, START, width);
    assert_int_equal(count_window_add(&c, 9, START - 1, width), UINT32_MAX);
    assert_int_equal(count_window_value(&c, START + width, width), UINT32_MAX);
}

/* -- the most frequent ones ---------------------------------------------------------------------- */

static void test_top_bounds(void **context)
{
    (void)context;
    for (int round = 0; round < 100; round++) {
        struct top_head head = {0};
        struct top_item items[SIZE] = {0};
        double exact[CATEGORIES] = {0}, total = 0;
        int64_t now = START;
        for (int i = 0; i < 500; i++) {
            int64_t step = (int64_t)(number() % 7200) * STATISTICS_SECOND;
            now += step;
            double left = decay(step, HALF_LIFE);
            total *= left;
            for (uint32_t k = 0; k < CATEGORIES; k++)
                exact[k] *= left;
            /* Few that are frequent, many that are rare. */
            uint32_t which = (uint32_t)(CATEGORIES * pow(fraction(), 4));
            exact[which] += 1;
            total += 1;
            top_add(&head, items, SIZE, top_key(which), now, HALF_LIFE, 1);
        }
        assert_near(head.total, total, 1e-4);
        for (uint32_t k = 0; k < CATEGORIES; k++) {
            double sure = top_weight(items, SIZE, top_key(k)), slack = 1e-3 * total;
            assert_true(sure <= exact[k] + slack);
            if (exact[k] > total / SIZE + slack)
                assert_true(sure >= exact[k] - total / SIZE - slack);
        }
        assert_int_equal(top_count(items, SIZE), SIZE);
    }
}

static void test_top_fades_away(void **context)
{
    (void)context;
    struct top_head head = {0};
    struct top_item items[SIZE] = {0};
    assert_true(top_add(&head, items, SIZE, top_key(1), START, HALF_LIFE, 1));
    assert_false(top_add(&head, items, SIZE, top_key(1), START, HALF_LIFE, 1));
    assert_near(head.kinds, 1, 1e-6);
    assert_near(top_weight(items, SIZE, top_key(1)), 2, 1e-6);
    assert_true(top_add(&head, items, SIZE, top_key(2), START + 12 * HALF_LIFE, HALF_LIFE, 1));
    assert_true(top_weight(items, SIZE, top_key(1)) == 0);
    assert_int_equal(top_count(items, SIZE), 1);
    /* What comes late weighs as much as if it had come in time. */
    top_add(&head, items, SIZE, top_key(3), START + 11 * HALF_LIFE, HALF_LIFE, 1);
    assert_near(top_weight(items, SIZE, top_key(3)), 0.5, 1e-6);
}

/* -- counts a day -------------------------------------------------------------------------------- */

static void test_baseline_days(void **context)
{
    (void)context;
    struct daily_baseline b = {0};
    assert_true(baseline_tail(&b, 100) == 1);
    assert_int_equal(baseline_add(&b, START, 5), 5);
    assert_true(baseline_tail(&b, 100) == 1);
    assert_int_equal(baseline_add(&b, START + STATISTICS_DAY, 7), 7);
    assert_int_equal(b.known, 1);
    assert_true(baseline_median(&b) == 5);
    /* Late for yesterday. */
    assert_int_equal(baseline_add(&b, START, 1), 6);
    assert_int_equal(baseline_add(&b, START - 2 * STATISTICS_DAY, 1), 0);
    /* Three days of which two had nothing. */
    assert_int_equal(baseline_add(&b, START + 4 * STATISTICS_DAY, 1), 1);
    assert_int_equal(b.known, 4);
    assert_true(baseline_median(&b) == 3);
    assert_int_equal(baseline_days_of(&b, 6), 2);
    assert_int_equal(baseline_days_of(&b, 7), 1);
    assert_int_equal(baseline_days_of(&b, 8), 0);
    assert_int_equal(baseline_days_of(&b, 0), 4);
    /* After a long time nothing is usual. */
    assert_int_equal(baseline_add(&b, START + 400 * STATISTICS_DAY, UINT32_MAX), UINT32_MAX);
    assert_int_equal(b.known, BASELINE_DAYS);
    assert_true(baseline_median(&b) == 0);
    baseline_add(&b, START + 401 * STATISTICS_DAY, 1);
    assert_int_equal(b.days[b.known ? (b.day - 1) % BASELINE_DAYS : 0], UINT16_MAX);
}

static void test_baseline_deviation(void **context)
{
    (void)context;
    static const uint32_t counts[] = {10, 12, 14, 1000, 8};
    struct daily_baseline b = {0};
    for (int i = 0; i < 5; i++)
        baseline_add(&b, START + i * STATISTICS_DAY, counts[i]);
    baseline_add(&b, START + 5 * STATISTICS_DAY, 1);
    assert_near(baseline_median(&b), 12, 0);
    assert_near(baseline_deviation(&b), 2 * 1.4826, 1e-9);
}

static uint32_t poisson(double mean)
{
    double limit = exp(-mean), p = fraction();
    uint32_t count = 0;
    for (; p > limit; count++)
        p *= fraction();
    return count;
}

/* A day like the others is rarely below one in a hundred, however few days there are; and one of ten times
 * as much nearly always, even after a day that stuck out. */
static void test_baseline_is_calibrated(void **context)
{
    (void)context;
    static const double means[] = {0.2, 3, 40};
    static const int spans[] = {3, 10, 28};
    for (size_t m = 0; m < 3; m++)
        for (size_t s = 0; s < 3; s++) {
            int rare = 0, caught = 0;
            enum { ROUNDS = 2000 };
            for (int round = 0; round < ROUNDS; round++) {
                struct daily_baseline b = {0};
                for (int i = 0; i < spans[s]; i++)
                    baseline_add(&b, START + i * STATISTICS_DAY, poisson(means[m]));
                b.days[number() % BASELINE_DAYS] |= round % 2 && spans[s] == 28 ? 4096 : 0;
                baseline_add(&b, START + spans[s] * STATISTICS_DAY, 1);
                rare += baseline_tail(&b, poisson(means[m])) < 0.01;
                caught += baseline_tail(&b, 10 * means[m] + 20) < 0.01;
            }
            assert_true(rare < ROUNDS * 0.03);
            assert_true(spans[s] < 10 || caught > ROUNDS * 0.95);
        }
}

/* Against sums of the terms. */
static void test_tails(void **context)
{
    (void)context;
    static const double means[] = {0.01, 0.7, 5, 60};
    static const double sizes[] = {0.3, 1, 7.5, 200, 1e8};
    for (size_t m = 0; m < 4; m++) {
        double below = 0, term = exp(-means[m]);
        for (int count = 0; count < 50; count++) {
            if (below < 0.9)
                assert_near(poisson_tail(means[m], count), 1 - below, 1e-9);
            below += term;
            term *= means[m] / (count + 1);
        }
        /* Far out, the first terms are all of it. */
        double first = exp(100 * log(means[m]) - means[m] - lgamma(101)), far = 0;
        for (int i = 0; i < 400; i++) {
            far += first;
            first *= means[m] / (101 + i);
        }
        assert_near(poisson_tail(means[m], 100), far, 1e-9);
    }
    for (size_t m = 0; m < 4; m++)
        for (size_t s = 0; s < 5; s++) {
            double p = means[m] / (means[m] + sizes[s]), below = 0, term = exp(sizes[s] * log1p(-p));
            for (int count = 0; count < 50; count++) {
                if (below < 0.9)
                    assert_near(negative_binomial_tail(means[m], sizes[s], count), 1 - below,
                                sizes[s] > 1e7 ? 1e-5 : 1e-9);
                below += term;
                term *= p * (sizes[s] + count) / (count + 1);
            }
        }
    assert_true(poisson_tail(0, 1) == 0 && negative_binomial_tail(0, 1, 1) == 0);
    assert_true(negative_binomial_tail(1e300, 1e-9, 5) >= 0);
}

/* -- surprise ------------------------------------------------------------------------------------ */

static void test_surprise(void **context)
{
    (void)context;
    assert_near(surprise(0.25), 2, 1e-12);
    assert_true(surprise(1) == 0 && surprise(2) == 0 && surprise(0) == 1074);
    assert_near(probability_of(surprise(0.001)), 0.001, 1e-12);
    assert_true(probability_of(-1) == 1);
}

/* The probabilities of all there is, together with those of what was not seen, are one. */
static void test_predictive_sums_to_one(void **context)
{
    (void)context;
    for (int round = 0; round < 500; round++) {
        double seen[CATEGORIES], base[CATEGORIES], total = 0, kinds = 0, bases = 0, sum = 0;
        double discount = fraction() * 0.95, concentration = 0.1 + 10 * fraction();
        for (uint32_t i = 0; i < CATEGORIES; i++) {
            seen[i] = number() % 3 ? 0 : (double)(1 + number() % 20);
            total += seen[i];
            kinds += seen[i] > 0;
            base[i] = fraction();
            bases += base[i];
        }
        for (uint32_t i = 0; i < CATEGORIES; i++) {
            double p = predictive(seen[i], total, kinds, discount, concentration, base[i] / bases);
            assert_true(p > 0 && p < 1);
            sum += p;
        }
        assert_near(sum, 1, 1e-9);
    }
    /* Nothing is known: as the peers do. */
    assert_near(predictive(0, 0, 0, 0.5, 2, 0.125), 0.125, 1e-12);
}

/* Fisher's: of independent uniform probabilities the combination is uniform again. */
static void test_combination(void **context)
{
    (void)context;
    assert_true(surprise_combine(NULL, 0) == 0);
    for (uint32_t n = 1; n <= 6; n++) {
        enum { ROUNDS = 20000 };
        int below[3] = {0};
        for (int round = 0; round < ROUNDS; round++) {
            double bits[6];
            for (uint32_t i = 0; i < n; i++)
                bits[i] = surprise(1 - fraction());
            double together = surprise_combine(bits, n);
            below[0] += together > 1;
            below[1] += together > surprise(0.1);
            below[2] += together > surprise(0.01);
        }
        assert_in_range(below[0], ROUNDS * 0.48, ROUNDS * 0.52);
        assert_in_range(below[1], ROUNDS * 0.09, ROUNDS * 0.11);
        assert_in_range(below[2], ROUNDS * 0.007, ROUNDS * 0.013);
    }
    double one = 7.5, great[3] = {900, 1000, 1074}, none[2] = {0, -1};
    assert_near(surprise_combine(&one, 1), 7.5, 1e-12);
    assert_true(surprise_combine(great, 3) > 2900 && surprise_combine(great, 3) < 2974);
    assert_true(surprise_combine(none, 2) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decayed_halves),
        cmocka_unit_test(test_decayed_in_any_order),
        cmocka_unit_test(test_decayed_steady_rate),
        cmocka_unit_test(test_distinct_exact),
        cmocka_unit_test(test_distinct_error),
        cmocka_unit_test(test_distinct_never_shrinks_and_merges),
        cmocka_unit_test(test_distinct_saturates),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_window_out_of_order),
        cmocka_unit_test(test_top_bounds),
        cmocka_unit_test(test_top_fades_away),
        cmocka_unit_test(test_baseline_days),
        cmocka_unit_test(test_baseline_deviation),
        cmocka_unit_test(test_baseline_is_calibrated),
        cmocka_unit_test(test_tails),
        cmocka_unit_test(test_surprise),
        cmocka_unit_test(test_predictive_sums_to_one),
        cmocka_unit_test(test_combination),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
