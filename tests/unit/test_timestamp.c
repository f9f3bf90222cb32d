/* SPDX-License-Identifier: Apache-2.0
 *
 * Times as senders of events write them.
 */
#include "events/timestamp.h"

#include "base/clock.h"

#include "unit.h"

#include <stdlib.h>
#include <time.h>

static struct bytes text(const char *string)
{
    return (struct bytes){(const uint8_t *)string, strlen(string)};
}

static int64_t at(const char *rfc3339)
{
    int64_t time;
    assert_true(clock_rfc3339_parse(rfc3339, strlen(rfc3339), &time));
    return time;
}

static const struct {
    const char *pattern, *text, *right; /* NULL: not a time of that form */
} samples[] = {
    {"yyyy-MMM-dd HH:mm:ss", "2015-May-19 09:07:09", "2015-05-19T09:07:09Z"},
    {"yyyy-MMM-dd HH:mm:ss.SSS", "2015-May-19 09:07:09.123", "2015-05-19T09:07:09.123Z"},
    {"MMM dd HH:mm:ss", "Jan  1 01:01:00", "2026-01-01T01:01:00Z"},
    {"MMM dd HH:mm:ss", "Dec 31 23:59:59", "2025-12-31T23:59:59Z"}, /* not in the future */
    {"MMM dd HH:mm:ss", "Nov 23 00:00:00", "2026-11-23T00:00:00Z"}, /* a clock that is ahead */
    {"MMM dd HH:mm:ss", "Feb 29 00:00:00", NULL},
    {"MMM dd yyyy HH:mm:ss.SSS z", "Jan 18 2019 11:07:53.000 EST", "2019-01-18T16:07:53Z"},
    {"EEE MMM dd HH:mm:ss yyyy", "Sun Nov 22 12:00:00 2026", "2026-11-22T12:00:00Z"},
    {"MM/dd/yyyy hh:mm:ss a", "01/23/2019 05:06:07 PM", "2019-01-23T17:06:07Z"},
    {"MM/dd/yyyy hh:mm:ss a", "01/23/2019 12:06:07 AM", "2019-01-23T00:06:07Z"},
    {"MM/dd/yyyy hh:mm:ss a", "01/23/2019 13:06:07 AM", NULL},
    {"MM/dd/yyyy hh:mm:ss a", "01/23/2019 01:06:07 XX", NULL},
    {"yyyy-MM-dd'T'HH:mm:ssX", "2020-01-02T03:04:05+01:30", "2020-01-02T01:34:05Z"},
    {"yyyy-MM-dd'T'HH:mm:ssX", "2020-01-02T03:04:05-0130", "2020-01-02T04:34:05Z"},
    {"yyyy-MM-dd'T'HH:mm:ssX", "2020-01-02T03:04:05GMT+01:00", "2020-01-02T02:04:05Z"},
    {"yyyy-MM-dd'T'HH:mm:ssX", "2020-01-02T03:04:05 Mars", NULL},
    {"yyyy-MM-dd'T'HH:mm:ssX", "2020-01-02T03:04:05+99:00", NULL},
    {"yy-M-d H 'o''clock'", "20-1-2 3 o", NULL},
    {"yy-M-d H''", "20-1-2 3'", "2020-01-02T03:00:00Z"},
    {"yyyy-MM-dd", "2020-02-30", NULL},
    {"yyyy-MM-dd", "1969-02-03", NULL},
    {"yyyy-MM-dd", "2020-02-03x", NULL},
    {"yyyy-MM-dd", "2020-02-03 and more", "2020-02-03T00:00:00Z"},
    {"yyyy-MM-dd", "", NULL},
    {"QQ", "1", NULL},
    {"HH:mm:ss.S", "01:02:03.", NULL},
    {"MMM", "Foo", NULL},
};

static void patterns_are_read(void **state)
{
    (void)state;
    int64_t now = at("2026-11-22T12:00:00Z");
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        int64_t time = 0;
        bool read = timestamp_read(text(samples[i].text), samples[i].pattern, false, now, &time);
        if (read != (samples[i].right != NULL) || (read && time != at(samples[i].right)))
            fail_msg("%s as %s", samples[i].text, samples[i].pattern);
    }
}

static const struct {
    const char *text, *right;
} any[] = {
    {"1426218619000", "2015-03-13T03:50:19Z"},
    {"1426218619", "2015-03-13T03:50:19Z"},
    {"1426218619.25", "2015-03-13T03:50:19.25Z"},
    {"1426218619000001", "2015-03-13T03:50:19.000001Z"},
    {"1426218619000000001", "2015-03-13T03:50:19.000000001Z"},
    {"1426218619000.5", "2015-03-13T03:50:19.0005Z"},
    {"1426218619x", NULL},
    {"1426218619.", NULL},
    {"12345", NULL},
    {"99999999999999999999", NULL},
    {"9999999999999999999", NULL},
    {"20150310132717.784882-000", "2015-03-10T13:27:17.784882Z"},
    {"20150310132717.784882+060", "2015-03-10T12:27:17.784882Z"},
    {"20150310132717.784882-090", "2015-03-10T14:57:17.784882Z"},
    {"20150310132717.784882", "2015-03-10T13:27:17.784882Z"},
    {"20150310132717", "2015-03-10T13:27:17Z"},
    {"20150310132717.784882*000", NULL},
    {"20150310132717.784882+06", NULL},
    {"2018-12-12T16:53:22.925757+00:00", "2018-12-12T16:53:22.925757Z"},
    {"2018-12-12 16:53:22", "2018-12-12T16:53:22Z"},
    {"2018-12-12T16:53:22", "2018-12-12T16:53:22Z"},
    {"2015-May-19 09:07:09", "2015-05-19T09:07:09Z"},
    {"Sep 03 2020 14:54:59 GMT", "2020-09-03T14:54:59Z"},
    {"2020/09/03 09:54:59", "2020-09-03T09:54:59Z"},
    {"yesterday", NULL},
    {"", NULL},
};

static void any_form_is_read(void **state)
{
    (void)state;
    int64_t now = at("2026-11-22T12:00:00Z");
    for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++) {
        int64_t time = 0;
        bool read = timestamp_read_any(text(any[i].text), false, now, &time);
        if (read != (any[i].right != NULL) || (read && time != at(any[i].right)))
            fail_msg("%s", any[i].text);
    }
}

/* A sender of this host's zone that does not name it. */
static void a_zone_may_be_assumed(void **state)
{
    (void)state;
    int64_t time;
    setenv("TZ", "XYZ-3", 1); /* three hours east */
    tzset();
    assert_true(timestamp_read(text("2015-May-19 09:07:09"), "yyyy-MMM-dd HH:mm:ss", true, 0, &time));
    assert_true(time == at("2015-05-19T06:07:09Z"));
    assert_true(timestamp_read_cim(text("20150310132717.5"), true, &time));
    assert_true(time == at("2015-03-10T10:27:17.5Z"));
    assert_true(timestamp_read_cim(text("20150310132717.5-000"), true, &time));
    assert_true(time == at("2015-03-10T13:27:17.5Z"));
    unsetenv("TZ");
    tzset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_are_read),
        cmocka_unit_test(any_form_is_read),
        cmocka_unit_test(a_zone_may_be_assumed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
