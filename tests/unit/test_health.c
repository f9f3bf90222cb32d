/* SPDX-License-Identifier: Apache-2.0
 *
 * The list of health issues, and how it and the quota are shown.
 */
#include "base/health.h"
#include "base/log.h"
#include "tests/unit/drawing.h"

#include "unit.h"

static void the_table_is_in_order(void **state)
{
    (void)state;
    unsigned count = 0;
    for (const struct health_kind *kind; (kind = health_kind_at(count)); count++) {
        const struct health_kind *before = count ? health_kind_at(count - 1) : NULL;
        assert_true(!before || before->number < kind->number);
        assert_ptr_equal(health_kind(kind->number), kind);
        assert_true(*kind->word && *kind->name && *kind->action);
        assert_non_null(health_severity_name(kind->severity));
    }
    assert_true(count > 10);
    assert_string_equal(health_kind(1013)->name, "Some network traffic is not being analyzed");
    assert_null(health_kind(1));
}

static void raised_and_ended(void **state)
{
    (void)state;
    struct health *health = health_new();
    struct health_issue issue, again;
    assert_non_null(health);
    assert_false(health_at(health, 0, &issue));
    health_raise(health, 1013, "capture", "%d flows", 5);
    assert_true(health_at(health, 0, &issue));
    assert_int_equal(issue.kind->number, 1013);
    assert_string_equal(issue.text, "5 flows");
    assert_true(issue.since > 0);
    health_raise(health, 1013, "capture", "%d flows", 6);
    health_raise(health, 1013, "elsewhere", "others");
    assert_true(health_at(health, 0, &again));
    assert_string_equal(again.text, "6 flows");
    assert_int_equal(again.since, issue.since);
    assert_true(health_at(health, 1, &again));
    health_clear(health, 1008, "capture");
    health_clear(health, 1013, "capture");
    assert_true(health_at(health, 0, &again));
    assert_string_equal(again.subject, "elsewhere");
    assert_false(health_at(health, 1, &again));
    /* A number of nobody's is something else. */
    health_raise(health, 7, "x", "y");
    assert_true(health_at(health, 1, &again));
    assert_int_equal(again.kind->number, 1100);
    health_clear(health, 7, "x");
    assert_false(health_at(health, 1, &again));
    health_destroy(&health);
    assert_null(health);
}

static void what_gets_worse(void **state)
{
    (void)state;
    struct health *health = health_new();
    struct health_issue issue;
    assert_non_null(health);
    health_raise(health, 1004, "api", "it ends");
    assert_true(health_at(health, 0, &issue));
    assert_int_equal(issue.severity, HEALTH_MEDIUM);
    int64_t since = issue.since;
    health_raise_as(health, 1004, HEALTH_HIGH, "api", "it has %s", "ended");
    assert_true(health_at(health, 0, &issue));
    assert_int_equal(issue.severity, HEALTH_HIGH);
    assert_string_equal(issue.text, "it has ended");
    assert_int_equal(issue.since, since);
    assert_false(health_at(health, 1, &issue));
    health_destroy(&health);
}

static void rounds_end_what_is_not_found_again(void **state)
{
    (void)state;
    struct health *health = health_new();
    struct health_issue issue;
    health_raise(health, 1013, "capture", "stays");
    health_round_begin(health);
    health_found(health, 1010, "corp.example", "no answer");
    health_found(health, 1012, "input syslog", "odd");
    health_round_end(health);
    health_round_begin(health);
    health_found(health, 1012, "input syslog", "still odd");
    health_round_end(health);
    assert_true(health_at(health, 0, &issue));
    assert_int_equal(issue.kind->number, 1013);
    assert_true(health_at(health, 1, &issue));
    assert_string_equal(issue.text, "still odd");
    assert_false(health_at(health, 2, &issue));
    health_destroy(&health);
}

static void bounded(void **state)
{
    (void)state;
    struct health *health = health_new();
    struct health_issue issue;
    char subject[300];
    for (unsigned i = 0; i < HEALTH_ISSUES_MAX + 5; i++) {
        snprintf(subject, sizeof(subject), "%0200u", i);
        memset(subject, 'a' + (int)(i % 20), 3);
        snprintf(subject + 3, 20, "%u", i);
        health_raise(health, 1008, subject, "%0900d", 1);
    }
    assert_true(health_at(health, HEALTH_ISSUES_MAX - 1, &issue));
    assert_false(health_at(health, HEALTH_ISSUES_MAX, &issue));
    assert_int_equal(strlen(issue.text), HEALTH_TEXT_SIZE - 1);
    health_destroy(&health);
}

/* --- as shown --- */

#define ISSUES                                                                                               \
    "{" VIEW "\"issues\":[{\"number\":1013,\"issue\":\"traffic_not_analyzed\",\"name\":\"Some traffic\","    \
    "\"severity\":\"medium\",\"subject\":\"capture\",\"text\":\"7 flows were given up\","                    \
    "\"since\":\"2026-11-22T06:58:00.000Z\",\"action\":\"Move work away.\"}]}"

static void health_as_a_table(void **state)
{
    (void)state;
    char *out = draw(show_health, ISSUES, &no_options, plain);
    assert_non_null(strstr(out, "1013"));
    assert_non_null(strstr(out, "medium"));
    assert_non_null(strstr(out, "1013, capture: 7 flows were given up"));
    assert_non_null(strstr(out, "what to do: Move work away."));
    free(out);
    out = draw(show_health, "{" VIEW "\"issues\":[]}", &no_options, plain);
    assert_string_equal(out, "no health issue is raised\n");
    free(out);
}

#define SUM(flows) "{\"flows\":" #flows ",\"packets\":20,\"bytes\":3145728}"
#define NONE       "{\"flows\":0,\"packets\":0,\"bytes\":0}"
#define QUOTA(capturing, paused, protocols)                                                                  \
    "{" VIEW "\"quota\":{\"decided\":\"2026-11-22T07:00:00.000Z\",\"period_ms\":10000,\"readable\":true,"    \
    "\"cpu\":{\"processors\":4,\"reserve_percent\":15,\"others_percent\":70.0,\"quota_percent\":15.0,"       \
    "\"used_percent\":12.5,\"capture_quota_percent\":14.0,\"capture_used_percent\":10.0,"                    \
    "\"limited_by\":\"host\"},\"memory\":{\"reserve_percent\":15,\"total_bytes\":1073741824,"                \
    "\"capture_quota_bytes\":104857600,\"capture_used_bytes\":52428800,\"others_percent\":40.0,"             \
    "\"quota_percent\":45.0,\"used_percent\":9.0,\"limited_by\":\"control group\"},"                         \
    "\"capturing\":" capturing ",\"paused\":" paused ",\"issue\":1013,\"protocols\":[" protocols "],"        \
    "\"dropped_packets\":{\"hour\":3},\"paused_ms\":{\"hour\":4000}}}"
#define PROTOCOL(name, kept, now, hour)                                                                      \
    "{\"protocol\":\"" name "\",\"value\":1,\"kept_percent\":" kept ",\"now\":" now ",\"hour\":" hour        \
    ",\"all\":" hour "}"

static void quota_as_a_table(void **state)
{
    (void)state;
    static const char shed[] =
        QUOTA("true", "false",
              PROTOCOL("tls", "0.0", SUM(5), SUM(77)) "," PROTOCOL(
                  "dns", "53.8", SUM(1), SUM(2)) "," PROTOCOL("ldap", "100.0", NONE, NONE));
    char *out = draw(show_quota, shed, &no_options, plain);
    assert_non_null(strstr(out, "70.0%"));
    assert_non_null(strstr(out, "15.0%"));
    assert_non_null(strstr(out, "1024 MiB"));
    assert_non_null(strstr(out, "50 of 100 MiB"));
    assert_non_null(strstr(out, "control group"));
    assert_non_null(strstr(out, "tls"));
    assert_non_null(strstr(out, "54%"));
    assert_null(strstr(out, "ldap"));
    assert_non_null(strstr(out, "1013"));
    assert_non_null(strstr(out, "3 packets were dropped by the kernel, and capture was paused for 4 s"));
    free(out);
    struct show_style wide = plain;
    wide.wide = true;
    out = draw(show_quota, shed, &no_options, wide);
    assert_non_null(strstr(out, "ldap"));
    free(out);
    out = draw(show_quota, QUOTA("true", "true", PROTOCOL("ldap", "100.0", NONE, NONE)), &no_options, plain);
    assert_non_null(strstr(out, "nothing is captured: others need this host"));
    assert_non_null(strstr(out, "no flow was given up"));
    free(out);
    out = draw(show_quota, QUOTA("false", "false", ""), &no_options, plain);
    assert_null(strstr(out, "given up"));
    free(out);
    out = draw(show_status, shed, &no_options, plain);
    assert_non_null(strstr(out, "host: CPU 12.5 % used of a quota of 15.0 %"));
    assert_non_null(strstr(out, "flows given up in the last hour: 79"));
    free(out);
    out = draw(show_quota, "{" VIEW "\"quota\":null}", &no_options, plain);
    assert_non_null(strstr(out, "nothing has been decided yet"));
    free(out);
}

static int silence(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_is_in_order),
        cmocka_unit_test(what_gets_worse),
        cmocka_unit_test(raised_and_ended),
        cmocka_unit_test(rounds_end_what_is_not_found_again),
        cmocka_unit_test(bounded),
        cmocka_unit_test(health_as_a_table),
        cmocka_unit_test(quota_as_a_table),
    };
    return cmocka_run_group_tests(tests, silence, NULL);
}
