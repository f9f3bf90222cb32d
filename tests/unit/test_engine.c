/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/harness.h"

/* Counts packets and flows of a capture in ../shared, when it is there. */
static void test_capture_is_read(void **state)
{
    (void)state;
    struct harness h;
    harness_open(&h, NULL);
    if (harness_shared(&h, PICKET_SHARED_DATA "/lab/a36_zerologon.pcap")) {
        assert_true(h.stats->packets > 0);
        assert_true(h.stats->flows > 0);
        assert_int_equal(h.stats->flows_live, 0);
        assert_int_equal(h.stats->malformed, 0);
        assert_int_equal(h.broken, 0);
    }
    harness_close(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_capture_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
