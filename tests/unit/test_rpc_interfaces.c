/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "capture/rpc_interfaces.h"

static const uint8_t samr[16] = {0x78, 0x57, 0x34, 0x12, 0x34, 0x12, 0xcd, 0xab,
                                 0xef, 0x00, 0x01, 0x23, 0x45, 0x67, 0x89, 0xac};

static void names_are_found_by_the_bytes_of_the_wire(void **state)
{
    (void)state;
    uint8_t other[16] = {1};
    assert_string_equal(rpc_interface_name(samr), "samr");
    assert_null(rpc_interface_name(other));
    assert_int_equal(rpc_interface_by_uuid(samr), RPC_SAMR);
    assert_int_equal(rpc_interface_by_uuid(other), RPC_UNKNOWN);
}

static void text_is_the_usual_one(void **state)
{
    (void)state;
    char text[RPC_UUID_TEXT_MAX];
    assert_string_equal(rpc_uuid_text(samr, text), "12345778-1234-abcd-ef00-0123456789ac");
}

static void every_interface_is_found_again(void **state)
{
    (void)state;
    for (int i = 1; i < RPC_INTERFACE_COUNT; i++)
        assert_int_equal(rpc_interface_by_uuid(rpc_interface_uuid((enum rpc_interface)i)), i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found_by_the_bytes_of_the_wire),
        cmocka_unit_test(text_is_the_usual_one),
        cmocka_unit_test(every_interface_is_found_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
