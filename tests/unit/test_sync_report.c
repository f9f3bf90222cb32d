/* SPDX-License-Identifier: Apache-2.0
 *
 * What a synchronizer reports to the fleet.
 */
#include "base/clock.h"
#include "node/sync_report.h"
#include "tests/unit/unit.h"

static struct sync_report example(void)
{
    static const uint8_t resume[] = {1, 2, 3};
    struct sync_report report = {
        .objects = 100000,
        .progress = {.method = DIRECTORY_USN,
                     .passing = true,
                     .reachable = true,
                     .pass_objects = 17,
                     .pass_expected = 100000,
                     .rate = 812.5,
                     .lag_usn = UINT64_MAX,
                     .full_pass_began = 1700000000 * CLOCK_SECOND,
                     .last_change = 1700000001 * CLOCK_SECOND,
                     .lag = 250 * CLOCK_MILLISECOND,
                     .errors = 2},
        .resume = {resume, sizeof(resume)},
    };
    strcpy(report.progress.controller, "dc1.corp.example");
    strcpy(report.progress.last_error, "the directory is busy");
    return report;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct sync_report report = example(), again;
    uint8_t data[REPORT_DATA_MAX];
    size_t size = sync_report_write(data, &report);
    assert_in_range(size, 20, 300);
    assert_true(sync_report_read(&again, (struct bytes){data, size}));
    assert_int_equal(again.objects, report.objects);
    assert_int_equal(again.progress.method, DIRECTORY_USN);
    assert_true(again.progress.passing && again.progress.reachable);
    assert_int_equal(again.progress.pass_objects, 17);
    assert_true(again.progress.rate > 812 && again.progress.rate < 813);
    assert_true(again.progress.lag_usn == UINT64_MAX);
    assert_int_equal(again.progress.full_pass_began, report.progress.full_pass_began);
    assert_int_equal(again.progress.full_pass_ended, 0);
    assert_int_equal(again.progress.lag, report.progress.lag);
    assert_string_equal(again.progress.controller, "dc1.corp.example");
    assert_string_equal(again.progress.last_error, "the directory is busy");
    assert_int_equal(again.resume.size, 3);
    assert_memory_equal(again.resume.data, report.resume.data, 3);
    for (size_t cut = 0; cut < size; cut++)
        assert_false(sync_report_read(&again, (struct bytes){data, cut}));
}

static void the_largest_fits(void **state)
{
    (void)state;
    static uint8_t resume[SYNC_RESUME_MAX];
    struct sync_report report = example(), again;
    uint8_t data[REPORT_DATA_MAX];
    report.resume = (struct bytes){resume, sizeof(resume)};
    assert_true(sync_report_write(data, &report) > 0);
    assert_true(sync_report_read(&again, (struct bytes){data, sync_report_write(data, &report)}));
    /* Texts as long as can be leave no room for a resume point of full length: nothing is cut, it is refused.
     */
    memset(report.progress.controller, 'c', sizeof(report.progress.controller) - 1);
    assert_int_equal(sync_report_write(data, &report), 0);
    report.resume.size = 512;
    assert_true(sync_report_write(data, &report) > 0);
}

static void what_it_may_not_be(void **state)
{
    (void)state;
    struct sync_report report;
    assert_true(sync_report_read(&report, (struct bytes){(const uint8_t *)"\x80", 1}));
    assert_true(sync_report_read(&report, (struct bytes){(const uint8_t *)"\x81\x64\x01", 3}));
    assert_false(sync_report_read(&report, (struct bytes){(const uint8_t *)"\x81\x02\xc0", 3}));
    assert_false(sync_report_read(&report, (struct bytes){(const uint8_t *)"\x81\x03\xa2\x41\x00", 5}));
    assert_false(sync_report_read(&report, (struct bytes){(const uint8_t *)"\x80\x00", 2}));
    assert_false(sync_report_read(&report, (struct bytes){(const uint8_t *)"\x90", 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(the_largest_fits),
        cmocka_unit_test(what_it_may_not_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
