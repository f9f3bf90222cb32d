/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/station.h"

static void messages_go_both_ways_over_one_link(void **state)
{
    (void)state;
    struct station a, b;
    station_start(&a, 1);
    station_start(&b, 2);
    stations_acquaint(&a, &b);
    station_dial(&a, &b);
    stations_until(station_sees(&a, &b) && station_sees(&b, &a), &a, &b);
    assert_true(a.dialled[2]);
    assert_false(b.dialled[1]);
    assert_int_equal(station_say(&a, &b, "to b"), TRANSPORT_SENT);
    assert_int_equal(station_say(&b, &a, "to a"), TRANSPORT_SENT);
    stations_until(a.messages && b.messages, &a, &b);
    assert_string_equal(a.last, "to a");
    assert_string_equal(b.last, "to b");
    assert_true(node_id_equal(&a.last_peer, &b.id));
    assert_true(node_id_equal(&b.last_peer, &a.id));
    station_stop(&a);
    stations_until(!station_sees(&b, &a), &b);
    assert_int_equal(b.downs, 1);
    station_stop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_go_both_ways_over_one_link),
    };
    return cmocka_run_group_tests(tests, stations_ready, NULL);
}
