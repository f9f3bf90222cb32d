/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "center/state_value.h"

#include <stdlib.h>

static size_t there_and_back(const uint8_t *value, size_t size)
{
    static uint8_t packed[STATE_VALUE_MAX], back[STATE_VALUE_MAX];
    struct bytes to = state_value_pack(packed, value, size);
    assert_true(to.size <= size);
    memset(back, 0x5a, sizeof(back));
    assert_true(state_value_unpack(back, size, to));
    assert_memory_equal(back, value, size);
    return to.size;
}

static void test_zeros_take_no_room(void **state)
{
    static uint8_t value[1000];
    (void)state;
    assert_int_equal(there_and_back(value, 0), 0);
    assert_int_equal(there_and_back(value, 1), 1);
    assert_int_equal(there_and_back(value, 1000), 8);
    memcpy(value, "alice", 5);
    memcpy(value + 64, "corp.example", 12);
    assert_int_equal(there_and_back(value, 344), 7 + 14 + 2);
    value[999] = 1;
    there_and_back(value, 1000);
}

static void test_what_has_none_stays(void **state)
{
    uint8_t value[700];
    (void)state;
    memset(value, 7, sizeof(value));
    assert_int_equal(there_and_back(value, sizeof(value)), sizeof(value));
    memset(value + 300, 0, 3);
    assert_int_equal(there_and_back(value, sizeof(value)), sizeof(value));
}

static void test_any_value(void **state)
{
    static uint8_t value[4096];
    (void)state;
    srand(1);
    for (unsigned round = 0; round < 20000; round++) {
        const size_t size = (size_t)rand() % (round % 100 ? 600 : sizeof(value));
        const int share = rand() % 100;
        uint8_t byte = 1;
        for (size_t i = 0; i < size; i++) {
            if (rand() % 4 == 0)
                byte = rand() % 100 < share ? 0 : (uint8_t)rand();
            value[i] = byte;
        }
        there_and_back(value, size);
    }
}

static void test_damage_is_refused(void **state)
{
    uint8_t to[100];
    (void)state;
    static const uint8_t cut[] = {5, 1, 2}, longer[] = {1, 1, 100}, shorter[] = {1, 1, 98},
                         over[] = {99, 1, 2};
    assert_false(state_value_unpack(to, sizeof(to), (struct bytes){cut, sizeof(cut)}));
    assert_false(state_value_unpack(to, sizeof(to), (struct bytes){longer, sizeof(longer)}));
    assert_false(state_value_unpack(to, sizeof(to), (struct bytes){shorter, sizeof(shorter)}));
    assert_false(state_value_unpack(to, sizeof(to), (struct bytes){over, sizeof(over)}));
    assert_false(state_value_unpack(to, sizeof(to), (struct bytes){0}));
    assert_true(state_value_unpack(to, 0, (struct bytes){0}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zeros_take_no_room),
        cmocka_unit_test(test_what_has_none_stays),
        cmocka_unit_test(test_any_value),
        cmocka_unit_test(test_damage_is_refused),
    };
    return cmocka_run_group_tests_name("state value", tests, NULL, NULL);
}
