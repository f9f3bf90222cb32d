/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/attribute_value.h"

#include "tests/unit/unit.h"

static struct bytes text_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void integers(void **state)
{
    (void)state;
    int64_t value;
    assert_true(attribute_integer(text_of("0"), &value) && value == 0);
    assert_true(attribute_integer(text_of("9223372036854775807"), &value) && value == INT64_MAX);
    assert_true(attribute_integer(text_of("-9223372036854775808"), &value) && value == INT64_MIN);
    static const char *const damaged[] = {
        "", "-", "9223372036854775808", "-9223372036854775809", "1 ", "+1", "1x", "0x1"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        assert_false(attribute_integer(text_of(damaged[i]), &value));
    uint64_t flags;
    assert_true(attribute_unsigned(text_of("-2147483646"), &flags) && flags == 0x80000002u);
    assert_true(attribute_unsigned(text_of("512"), &flags) && flags == 512);
    assert_false(attribute_unsigned(text_of("many"), &flags));
}

static void booleans(void **state)
{
    (void)state;
    bool value;
    assert_true(attribute_boolean(text_of("TRUE"), &value) && value);
    assert_true(attribute_boolean(text_of("FALSE"), &value) && !value);
    assert_false(attribute_boolean(text_of("true"), &value));
    assert_false(attribute_boolean(text_of(""), &value));
}

#define AT_2026 INT64_C(1795341787)

static void times(void **state)
{
    (void)state;
    int64_t time;
    assert_true(attribute_time(text_of("20261122100307.0Z"), &time));
    assert_int_equal(time, AT_2026 * 1000000000);
    assert_true(attribute_time(text_of("20261122110307+0100"), &time));
    assert_int_equal(time, AT_2026 * 1000000000);
    assert_true(attribute_time(text_of("202611221003-00"), &time));
    assert_int_equal(time, (AT_2026 - 7) * 1000000000);
    assert_true(attribute_time(text_of("16010101000000.0Z"), &time));
    assert_int_equal(time, 0);
    assert_true(attribute_time(text_of("99991231235959.0Z"), &time));
    assert_int_equal(time, 0);
    static const char *const damaged[] = {"",
                                          "20261322100307.0Z",
                                          "20261122100307.0",
                                          "20261122100307.0Y",
                                          "x",
                                          "20261122250307.0Z",
                                          "20261122100307.0Zz",
                                          "2026112210030x.0Z",
                                          "20261122100307*0100"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        assert_false(attribute_time(text_of(damaged[i]), &time));
    /* FILETIME */
    assert_true(attribute_time(text_of("134398153870000000"), &time));
    assert_int_equal(time, (134398153870000000 - 116444736000000000) * 100);
    static const char *const never[] = {"0", "9223372036854775807", "-1"};
    for (size_t i = 0; i < sizeof never / sizeof *never; i++)
        assert_true(attribute_time(text_of(never[i]), &time) && time == 0);
}

static void durations(void **state)
{
    (void)state;
    uint64_t duration;
    assert_true(attribute_duration(text_of("-36288000000000"), &duration));
    assert_int_equal(duration, UINT64_C(3628800000000000));
    assert_true(attribute_duration(text_of("0"), &duration) && duration == 0);
    assert_true(attribute_duration(text_of("-9223372036854775808"), &duration) && duration == 0);
    assert_true(attribute_duration(text_of("18000000000"), &duration) && duration == UINT64_C(1800000000000));
    assert_false(attribute_duration(text_of("forever"), &duration));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(integers), cmocka_unit_test(booleans),
                                       cmocka_unit_test(times), cmocka_unit_test(durations)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
