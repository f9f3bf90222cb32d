/* SPDX-License-Identifier: Apache-2.0
 *
 * Reports of the holder: their form, and how a fleet of the shipped cores carries them.
 */
#include "base/msgpack.h"
#include "cluster/body.h"
#include "cluster/cluster_internal.h"
#include "cluster/report.h"
#include "tests/unit/fleet_world.h"
#include "tests/unit/golden.h"
#include "tests/unit/unit.h"

static struct report example(const struct fleet_world *w)
{
    return (struct report){.domain = "corp.example",
                           .term = 7,
                           .id = w->node.certificate.grant.id,
                           .incarnation = 3,
                           .sequence = 12,
                           .data = fleet_bytes("so far", 6)};
}

static void what_is_written_is_read(void **state)
{
    struct fleet_world *w = *state;
    struct report report = example(w), again;
    uint8_t buffer[REPORT_MAX_SIZE];
    size_t size = report_write(buffer, sizeof buffer, &report, &w->node.crypto);
    assert_true(size > 0);
    golden_check("report", fleet_bytes(buffer, size), SIGNATURE_SIZE);
    assert_true(report_read(&again, fleet_bytes(buffer, size)));
    assert_string_equal(again.domain, report.domain);
    assert_int_equal(report_compare(&again, &report), 0);
    assert_int_equal(again.data.size, 6);
    assert_memory_equal(again.data.data, "so far", 6);
    assert_true(
        signed_verify(fleet_bytes(buffer, size), w->node.certificate.public_key, &w->fleet.authority));
    buffer[5] ^= 1;
    assert_false(
        signed_verify(fleet_bytes(buffer, size), w->node.certificate.public_key, &w->fleet.authority));
}

static void its_data_have_a_bound(void **state)
{
    struct fleet_world *w = *state;
    struct report report = example(w), again;
    uint8_t buffer[REPORT_MAX_SIZE], data[REPORT_DATA_MAX + 1] = {1};
    for (size_t i = 0; i < 253; i++)
        report.domain[i] = i % 60 == 59 ? '.' : 'a';
    report.term = report.incarnation = report.sequence = UINT64_MAX;
    report.data = fleet_bytes(data, REPORT_DATA_MAX);
    size_t size = report_write(buffer, sizeof buffer, &report, &w->node.crypto);
    assert_true(size > 0);
    assert_true(report_read(&again, fleet_bytes(buffer, size)));
    assert_int_equal(again.data.size, REPORT_DATA_MAX);
    for (size_t cut = 0; cut < size; cut++)
        assert_false(report_read(&again, fleet_bytes(buffer, cut)));
    report.data.size++;
    assert_int_equal(report_write(buffer, sizeof buffer, &report, &w->node.crypto), 0);
}

static void what_must_be_there(void **state)
{
    struct fleet_world *w = *state;
    struct report report = example(w), again;
    uint8_t buffer[REPORT_MAX_SIZE];
    report.sequence = 0;
    size_t size = report_write(buffer, sizeof buffer, &report, &w->node.crypto);
    assert_false(report_read(&again, fleet_bytes(buffer, size)));
    report = example(w);
    report.incarnation = 0;
    size = report_write(buffer, sizeof buffer, &report, &w->node.crypto);
    assert_false(report_read(&again, fleet_bytes(buffer, size)));
}

static void the_newest_stands_last(void **state)
{
    struct fleet_world *w = *state;
    struct report a = example(w), b = a;
    b.sequence++;
    assert_true(report_compare(&a, &b) < 0 && report_compare(&b, &a) > 0);
    a.incarnation++;
    assert_true(report_compare(&a, &b) > 0);
    b.term++;
    assert_true(report_compare(&a, &b) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_written_is_read, fleet_world_open, fleet_world_close),
        cmocka_unit_test_setup_teardown(its_data_have_a_bound, fleet_world_open, fleet_world_close),
        cmocka_unit_test_setup_teardown(what_must_be_there, fleet_world_open, fleet_world_close),
        cmocka_unit_test_setup_teardown(the_newest_stands_last, fleet_world_open, fleet_world_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
