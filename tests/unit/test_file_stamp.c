/* SPDX-License-Identifier: Apache-2.0
 *
 * A file that changes has another stamp.
 */
#include "base/file_stamp.h"

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/unit/place.h"

static void a_change_shows(void **state)
{
    (void)state;
    struct place place;
    place_open(&place);
    char path[400];
    snprintf(path, sizeof(path), "%s", place_file(&place, "file"));
    struct file_stamp none = file_stamp(path), none_again = file_stamp(path);
    assert_false(none.there);
    assert_true(file_stamp_same(&none, &none_again));
    place_put(&place, "file", "one", 3);
    struct file_stamp one = file_stamp(path), same = file_stamp(path);
    assert_true(one.there && one.size == 3);
    assert_true(file_stamp_same(&one, &same));
    assert_false(file_stamp_same(&one, &none));
    const struct timespec times[] = {{.tv_sec = 1}, {.tv_sec = 1, .tv_nsec = 1}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0); /* the same size, another time */
    struct file_stamp touched = file_stamp(path);
    assert_int_equal(touched.changed, 1000000001);
    assert_false(file_stamp_same(&one, &touched));
    place_put(&place, "other", "two", 3);
    char other[400];
    snprintf(other, sizeof(other), "%s", place_file(&place, "other"));
    assert_int_equal(utimensat(AT_FDCWD, other, times, 0), 0);
    assert_int_equal(rename(other, path), 0); /* and another file of the same size and time */
    struct file_stamp moved = file_stamp(path);
    assert_false(file_stamp_same(&touched, &moved));
    place_close(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_change_shows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
