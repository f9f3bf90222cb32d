/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "tests/unit/unit.h"

static void the_system_clock_runs(void **state)
{
    (void)state;
    const struct clock *clock = clock_system();
    int64_t first = clock_monotonic(clock);
    assert_true(clock_monotonic(clock) >= first);
    int64_t difference = clock_wall(clock) - (int64_t)time(NULL) * CLOCK_SECOND;
    assert_true(difference > -2 * CLOCK_SECOND && difference < 2 * CLOCK_SECOND);
}

static void the_manual_clock_stands_still(void **state)
{
    (void)state;
    struct clock_manual manual;
    clock_manual_init(&manual, 5 * CLOCK_SECOND);
    assert_true(clock_wall(&manual.clock) == 5 * CLOCK_SECOND);
    assert_true(clock_monotonic(&manual.clock) == 0);
    clock_manual_advance(&manual, CLOCK_MINUTE);
    assert_true(clock_wall(&manual.clock) == 65 * CLOCK_SECOND);
    assert_true(clock_monotonic(&manual.clock) == CLOCK_MINUTE);
}

/* glibc's calendar agrees, over the whole range of an int64. */
static void formats_as_glibc_does(void **state)
{
    (void)state;
    srandom(1);
    for (int i = 0; i < 20000; i++) {
        int64_t when = (int64_t)((uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^ (uint64_t)random());
        int64_t rest = when % CLOCK_SECOND;
        time_t second = (time_t)(when / CLOCK_SECOND) - (rest < 0);
        struct tm tm;
        char expected[64];
        char text[CLOCK_RFC3339_MAX];
        gmtime_r(&second, &tm);
        size_t size = strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(expected + size, sizeof expected - size, ".%09dZ",
                 (int)(rest < 0 ? rest + CLOCK_SECOND : rest));
        assert_string_equal(clock_rfc3339(when, text), expected);
        int64_t again;
        assert_true(clock_rfc3339_parse(text, strlen(text), &again));
        assert_true(again == when);
    }
}

static const struct {
    const char *text;
    int64_t time;
} good[] = {
    {"1970-01-01T00:00:00Z", 0},
    {"1985-04-12T23:20:50.52Z", INT64_C(482196050520000000)}, /* RFC 3339 section 5.8 */
    {"1996-12-19T16:39:57-08:00", INT64_C(851042397000000000)},
    {"1990-12-31T23:59:60Z", INT64_C(662688000000000000)},
    {"1937-01-01T12:00:27.87+00:20", INT64_C(-1041337172130000000)},
    {"2000-02-29 00:00:00.1234567899z", INT64_C(951782400123456789)},
    {"1969-12-31t23:59:59.999999999Z", -1},
    {"1677-09-21T00:12:43.145224192Z", INT64_MIN},
    {"2262-04-11T23:47:16.854775807Z", INT64_MAX},
};

static const char *const bad[] = {
    "",
    "1970-01-01",
    "1970-01-01T00:00:00",
    "1970-01-01T00:00:00.Z",
    "1970-01-01T00:00:00Zx",
    "1970-13-01T00:00:00Z",
    "1970-00-01T00:00:00Z",
    "1970-01-00T00:00:00Z",
    "1970-04-31T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "1970-01-01T24:00:00Z",
    "1970-01-01T00:60:00Z",
    "1970-01-01T00:00:61Z",
    "1970-01-01T00:00:00+24:00",
    "1970-01-01T00:00:00+00:60",
    "1970-01-01X00:00:00Z",
    "1677-09-21T00:12:43.145224191Z",
    "2262-04-11T23:47:16.854775808Z",
    "9999-12-31T23:59:59Z",
    "0001-01-01T00:00:00Z",
};

static void parses_rfc3339(void **state)
{
    (void)state;
    int64_t time;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(clock_rfc3339_parse(good[i].text, strlen(good[i].text), &time));
        assert_true(time == good[i].time);
    }
    time = 7;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(clock_rfc3339_parse(bad[i], strlen(bad[i]), &time));
    assert_true(time == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_system_clock_runs),
        cmocka_unit_test(the_manual_clock_stands_still),
        cmocka_unit_test(formats_as_glibc_does),
        cmocka_unit_test(parses_rfc3339),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
