/* SPDX-License-Identifier: Apache-2.0
 *
 * Pictures of runs: what was recorded is drawn, where and with the words that belong to it.
 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/picture.h"
#include "sim/sim.h"

static char *drawn(const struct picture *picture)
{
    /* Not on the stack: gcc 12 takes what the stream wrote there for a pointer into this function. */
    static char *form;
    static size_t size;
    FILE *file = open_memstream(&form, &size);
    assert_true(svg_write(file, picture));
    fclose(file);
    return form;
}

static struct picture *fleet(void)
{
    struct picture *p = picture_new(3 * SIM_HOUR);
    snprintf(p->title, sizeof p->title, "The holder dies <& is replaced>");
    snprintf(p->subtitle, sizeof p->subtitle, "12 nodes, 3 sites, seed 1, hash 0123456789abcdef");
    p->domain_count = 2;
    p->domains[0].name = "corp";
    p->domains[1].name = "emea";
    picture_hold(p, 0, 20000, 2, true, false, 1);
    picture_hold(p, 0, 50000, 2, true, true, 1);
    picture_hold(p, 0, 50000, 2, true, true, 1);
    picture_hold(p, 0, SIM_HOUR, 2, false, false, 0);
    picture_hold(p, 0, SIM_HOUR + 31 * SIM_MINUTE, 6, true, false, 2);
    picture_hold(p, 0, SIM_HOUR + 32 * SIM_MINUTE, 6, true, true, 2);
    picture_hold(p, 1, 50000, 4, true, true, 1);
    picture_hold(p, 1, SIM_HOUR, 9, true, true, 2);
    picture_hold(p, 1, 2 * SIM_HOUR, 4, false, false, 0);
    picture_add_span(p, "n03", PICTURE_DOWN, SIM_HOUR, -1);
    picture_add_span(p, "s1 | rest", PICTURE_CUT, SIM_HOUR, 2 * SIM_HOUR);
    picture_add_span(p, "n04", PICTURE_EVENT, SIM_HOUR, SIM_HOUR);
    picture_add_span(p, "n03", PICTURE_PAUSED, 100, -1);
    picture_end_span(p, "n03", PICTURE_PAUSED, 100000);
    picture_end_span(p, "n03", PICTURE_HOSTILE, 100000);
    p->sample_count = (unsigned)(p->length / p->sample_period);
    for (unsigned i = 0; i < p->sample_count; i++) {
        p->converged[i] = i < 10 ? PICTURE_UNKNOWN : i < 400 ? PICTURE_ALL : 600000;
        p->running[i] = i < 400 ? PICTURE_ALL : 916667;
        p->domains[0].fresh[i] = i < 10 ? PICTURE_UNKNOWN : i < 400 ? PICTURE_ALL : i < 600 ? 0 : 500000;
    }
    picture_finish(p);
    return p;
}

static unsigned count(const char *text, const char *what)
{
    unsigned found = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        found++;
    return found;
}

static void draws_what_was_recorded(void **state)
{
    (void)state;
    struct picture *p = fleet();
    char *form = drawn(p);
    assert_non_null(strstr(form, ">The holder dies &lt;&amp; is replaced&gt;</text>"));
    assert_non_null(strstr(form, "seed 1, hash 0123456789abcdef"));
    assert_non_null(strstr(form, "<title>n03 claims term 1 from 0:00:20 to 0:00:50</title>"));
    assert_non_null(strstr(form, "<title>n03 holds term 1 from 0:00:50 to 1:00:00</title>"));
    assert_non_null(strstr(form, "<title>n07 holds term 2 from 1:32:00 to 3:00:00</title>"));
    assert_non_null(strstr(form, ">n03 \xc2\xb7 term 1</text>"));
    assert_int_equal(count(form, ">nobody</text>"), 1);
    assert_non_null(strstr(form, "<title>process down from 1:00:00 to 3:00:00</title>"));
    assert_int_equal(count(form, "class=\"shade\""), 1);
    assert_int_equal(count(form, "<path class=\"event\""), 1);
    assert_non_null(strstr(form, ">s1 | rest</text>"));
    assert_int_equal(count(form, "class=\"stale\""), 2); /* strip and legend */
    assert_string_equal(form + strlen(form) - 7, "</svg>\n");
    char *again = drawn(p);
    assert_string_equal(form, again);
    free(again);
    free(form);
    picture_destroy(&p);
    picture_destroy(&p);
}

/* A holder that stands is drawn as one that only believes, in the row that it had; a run that nobody was in
 * has a gap in its curves. */
static void sleepers_and_gaps(void **state)
{
    (void)state;
    struct picture *p = picture_new(SIM_HOUR);
    p->domain_count = 1;
    p->domains[0].name = "corp";
    picture_hold(p, 0, 0, 1, true, true, 1);
    picture_sleep(p, 1000000, 1, true);
    picture_sleep(p, 1000000, 2, true);
    picture_sleep(p, 2000000, 1, false);
    p->sample_count = 30;
    for (unsigned i = 0; i < 30; i++)
        p->converged[i] = i >= 10 && i < 20 ? PICTURE_UNKNOWN : PICTURE_ALL;
    picture_finish(p);
    char *form = drawn(p);
    assert_int_equal(p->domains[0].count, 3);
    assert_non_null(strstr(form, "<title>n02 asleep, holds term 1 from 0:16:40 to 0:33:20</title>"));
    assert_non_null(strstr(form, "<title>n02 holds term 1 from 0:33:20 to 1:00:00</title>"));
    assert_non_null(strstr(form, ">believes to hold it, but stands</text>"));
    const char *line = strstr(form, "<path class=\"agree-line\"");
    assert_non_null(line);
    assert_true(strchr(strchr(line, 'M') + 1, 'M') < strstr(line, "/>"));
    free(form);
    picture_destroy(&p);
}

/* Two holders at once stand in two rows: their boxes do not overlap. */
static void holders_at_once_have_rows(void **state)
{
    (void)state;
    struct picture *p = fleet();
    char *form = drawn(p);
    const char *first = strstr(form, "<title>n05 holds term 1"),
               *second = strstr(form, "<title>n10 holds term 2");
    assert_non_null(first);
    assert_non_null(second);
    double y[2], height[2];
    while (*first != 'y' || first[1] != '=')
        first--;
    while (*second != 'y' || second[1] != '=')
        second--;
    assert_int_equal(sscanf(first, "y=\"%lf\" width=\"%*f\" height=\"%lf\"", &y[0], &height[0]), 2);
    assert_int_equal(sscanf(second, "y=\"%lf\" width=\"%*f\" height=\"%lf\"", &y[1], &height[1]), 2);
    assert_true(y[1] >= y[0] + height[0]);
    free(form);
    picture_destroy(&p);
}

static void many_lanes_are_told(void **state)
{
    (void)state;
    struct picture *p = picture_new(40 * SIM_SECOND);
    for (int i = 0; i < 700; i++) {
        char label[16];
        snprintf(label, sizeof label, "n%d", i);
        picture_add_span(p, label, PICTURE_DOWN, 1, 2);
    }
    picture_finish(p);
    char *form = drawn(p);
    assert_int_equal(p->lane_count, PICTURE_LANES);
    assert_non_null(strstr(form, "and 472 lanes more"));
    assert_non_null(strstr(form, ">0:30</text>"));
    free(form);
    picture_destroy(&p);
}

static void long_runs_have_days(void **state)
{
    (void)state;
    struct picture *p = picture_new(14 * 24 * SIM_HOUR);
    char *form = drawn(p);
    assert_non_null(strstr(form, ">day 7</text>"));
    free(form);
    picture_destroy(&p);
    p = picture_new(400 * 24 * SIM_HOUR);
    form = drawn(p);
    assert_non_null(strstr(form, ">day 390</text>"));
    free(form);
    picture_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_what_was_recorded), cmocka_unit_test(holders_at_once_have_rows),
        cmocka_unit_test(sleepers_and_gaps),       cmocka_unit_test(many_lanes_are_told),
        cmocka_unit_test(long_runs_have_days),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
