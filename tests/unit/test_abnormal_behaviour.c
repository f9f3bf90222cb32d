/* SPDX-License-Identifier: Apache-2.0
 *
 * 2001, through the pipeline: people with habits, and one whose password is stolen.
 */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "center/pipeline.h"

#include <stdio.h>
#include <stdlib.h>

#define MONDAY (INT64_C(1700438400) * CLOCK_SECOND) /* 2023-11-20 00:00 UTC */
#define PEOPLE 40
#define WEEKS  4

extern const struct detector detector_abnormal_behaviour;
static const struct detector *const only[] = {&detector_abnormal_behaviour, NULL};

#define SHARDS_MAX 3u

struct run {
    struct workspace_settings settings;
    struct pipeline *pipelines[SHARDS_MAX];
    uint32_t shards;
    bool resolved; /* the sensor says who is meant */
    struct activity_writer writer;
    struct activity_place place;
    struct alert last;
    unsigned raised;
};

static void keep(void *context, const struct alert *alert)
{
    struct run *run = context;
    run->last = *alert;
    run->raised++;
}

static void start(struct run *run, uint32_t shards)
{
    memset(run, 0, sizeof(*run));
    workspace_settings_init(&run->settings);
    run->shards = shards;
    for (uint32_t i = 0; i < shards; i++) {
        const struct pipeline_config config = {.settings = &run->settings,
                                               .directory = directory_view_none,
                                               .seed = {5},
                                               .shard = i,
                                               .shards = shards,
                                               .detectors = only,
                                               .alert = keep,
                                               .context = run};
        run->pipelines[i] = pipeline_new(&config);
        assert_non_null(run->pipelines[i]);
    }
}

static void finish(struct run *run)
{
    for (uint32_t i = 0; i < run->shards; i++)
        pipeline_destroy(&run->pipelines[i]);
    free(run);
}

/* As the resolver adds it: the objectGUID is made of the name. */
static void put_found(struct activity_writer *w, enum activity_field name, enum activity_field domain,
                      enum activity_field field, const char *text)
{
    uint8_t guid[16] = {7};
    snprintf((char *)guid + 1, sizeof(guid) - 1, "%s", text);
    if (name)
        activity_put_text(w, name, text);
    if (domain)
        activity_put_text(w, domain, "corp.example");
    activity_put_uuid(w, field, guid);
}

/* A ticket for a server. */
static void ticket(struct run *run, int64_t time, const char *account, const char *from, const char *server)
{
    static const uint8_t node[16] = {1};
    struct activity_writer *w = &run->writer;
    char owner[32];
    snprintf(owner, sizeof(owner), "%s$", server);
    activity_begin(w, ACTIVITY_KERBEROS_TGS, time);
    activity_put_text(w, FIELD_ACCOUNT, account);
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, "CORP.EXAMPLE");
    activity_put_text(w, FIELD_SERVICE, "cifs/it");
    activity_put_uint(w, FIELD_STATUS, 0);
    activity_put_int(w, FIELD_ISSUED_TICKET_ETYPE, 18);
    activity_put_text(w, FIELD_SOURCE_COMPUTER, from);
    activity_put_text(w, FIELD_SOURCE_COMPUTER_DOMAIN, "corp.example");
    activity_put_uint(w, FIELD_SOURCE_CONFIDENCE, 95);
    activity_put_text(w, FIELD_SERVICE_OWNER, owner);
    if (run->resolved) {
        put_found(w, FIELD_ACCOUNT_NAME, FIELD_ACCOUNT_DNS_DOMAIN, FIELD_ACCOUNT_GUID, account);
        put_found(w, 0, 0, FIELD_SOURCE_COMPUTER_GUID, from);
        put_found(w, 0, 0, FIELD_SERVICE_OWNER_GUID, owner);
    }
    run->place.position++;
    const struct bytes record = activity_finish(w);
    for (uint32_t i = 0; i < run->shards; i++)
        assert_true(pipeline_activity(run->pipelines[i], record, run->place, INT64_MAX, node));
}

/* Working days, each on the own computer, with a file server of six and the mail. */
static void work_from(struct run *run, int first, int days)
{
    for (int day = first; day < first + days; day++)
        for (int hour = 8; hour < 17 && day % 7 < 5; hour++)
            for (int i = 0; i < PEOPLE; i++) {
                char account[16], from[16], server[16];
                const int64_t time = MONDAY + day * CLOCK_DAY + hour * CLOCK_HOUR + i * CLOCK_SECOND;
                snprintf(account, sizeof(account), "user%d", i);
                snprintf(from, sizeof(from), "WS%d", i);
                snprintf(server, sizeof(server), "FS%d", i % 6);
                ticket(run, time, account, from, server);
                ticket(run, time, account, from, "MAIL");
            }
}

static void work(struct run *run, int days)
{
    work_from(run, 0, days);
}

static void steal(struct run *run, int64_t time, int servers)
{
    for (int i = 0; i < servers; i++) {
        char server[16];
        snprintf(server, sizeof(server), "DB%d", i);
        ticket(run, time + i * CLOCK_MINUTE, "user7", "WS21", server);
    }
}

static const struct alert_evidence *evidence(const struct alert *alert, const char *name)
{
    for (uint32_t i = 0; i < alert->evidence_count; i++)
        if (strcmp(alert->evidence[i].name, name) == 0)
            return &alert->evidence[i];
    fail_msg("no evidence %s", name);
    return NULL;
}

static void test_theft_is_told(void **context)
{
    (void)context;
    struct run *run = calloc(1, sizeof(*run));
    start(run, 1);
    work(run, 7 * WEEKS);
    assert_int_equal(run->raised, 0);
    steal(run, MONDAY + (7 * WEEKS + 1) * CLOCK_DAY + 2 * CLOCK_HOUR, 8);
    assert_true(run->raised >= 1);
    assert_int_equal(run->last.external_id, 2001);
    assert_true(evidence(&run->last, "surprise")->number >= evidence(&run->last, "surprise")->limit);
    assert_true(evidence(&run->last, "new_sources")->number == 1);
    assert_string_equal(evidence(&run->last, "usual_sources")->text, "WS7");
    assert_non_null(strstr(evidence(&run->last, "usual_resources")->text, "MAIL"));
    assert_non_null(strstr(run->last.explanation, "DB0"));
    assert_string_equal(alert_party(&run->last, ALERT_ACCOUNT)->name, "user7");
    finish(run);
}

/* In the evening of a long day: what is done from the thief's computer is compared with that alone. */
static void test_theft_in_a_long_day(void **context)
{
    (void)context;
    struct run *run = calloc(1, sizeof(*run));
    start(run, 1);
    work(run, 7 * WEEKS + 1);
    assert_int_equal(run->raised, 0);
    steal(run, MONDAY + 7 * WEEKS * CLOCK_DAY + 18 * CLOCK_HOUR, 8);
    assert_true(run->raised >= 1);
    const struct alert_evidence *there = evidence(&run->last, "new_resources_there"),
                                *all = evidence(&run->last, "new_resources");
    assert_true(there->number == all->number);
    assert_true(there->limit > 0 && there->limit < 0.7 * all->limit);
    assert_non_null(strstr(run->last.explanation, "from there"));
    finish(run);
}

/* Three weeks under bare names; then a sensor learns who they are: nothing looks new for that, and what they
 * are used to is still known, on each shard. */
static void test_habits_of_names(void **context)
{
    (void)context;
    for (uint32_t shards = 1; shards <= SHARDS_MAX; shards++) {
        struct run *run = calloc(1, sizeof(*run));
        start(run, shards);
        work(run, 7 * WEEKS);
        run->resolved = true;
        work_from(run, 7 * WEEKS, 1);
        assert_int_equal(run->raised, 0);
        steal(run, MONDAY + (7 * WEEKS + 1) * CLOCK_DAY + 2 * CLOCK_HOUR, 8);
        assert_true(run->raised >= 1);
        assert_string_equal(evidence(&run->last, "usual_sources")->text, "WS7");
        assert_true(evidence(&run->last, "learned_for")->time > 7 * WEEKS * CLOCK_DAY);
        assert_true(alert_party(&run->last, ALERT_ACCOUNT)->has_guid);
        finish(run);
    }
}

/* The same in the second week is nothing that could be known. */
static void test_nothing_is_told_while_learning(void **context)
{
    (void)context;
    struct run *run = calloc(1, sizeof(*run));
    start(run, 1);
    work(run, 7);
    steal(run, MONDAY + 8 * CLOCK_DAY + 2 * CLOCK_HOUR, 8);
    assert_int_equal(run->raised, 0);
    struct pipeline_counters counters;
    pipeline_counters(run->pipelines[0], &counters);
    assert_true(counters.learning >= 1);
    finish(run);
}

/* A new server on the own computer, at work, or a colleague's computer for a while. */
static void test_small_news_are_none(void **context)
{
    (void)context;
    struct run *run = calloc(1, sizeof(*run));
    start(run, 1);
    work(run, 7 * WEEKS);
    const int64_t day = MONDAY + 7 * WEEKS * CLOCK_DAY;
    ticket(run, day + 10 * CLOCK_HOUR, "user3", "WS3", "DB1");
    ticket(run, day + 11 * CLOCK_HOUR, "user3", "WS3", "DB2");
    ticket(run, day + 10 * CLOCK_HOUR, "user4", "WS20", "MAIL");
    ticket(run, day + 10 * CLOCK_HOUR, "user4", "WS20", "FS4");
    /* Somebody new has no habit that anything could be compared with. */
    for (int i = 0; i < 20; i++) {
        char server[16];
        snprintf(server, sizeof(server), "NEW%d", i);
        ticket(run, day + 12 * CLOCK_HOUR + i * CLOCK_MINUTE, "fresh", "WS99", server);
    }
    assert_int_equal(run->raised, 0);
    finish(run);
}

/* What is new to somebody every day is no news. */
static void test_who_goes_everywhere(void **context)
{
    (void)context;
    struct run *run = calloc(1, sizeof(*run));
    start(run, 1);
    for (int day = 0; day < 7 * WEEKS; day++)
        for (int i = 0; i < 60; i++) {
            char server[16];
            snprintf(server, sizeof(server), "S%d", day % 3 * 60 + i);
            ticket(run, MONDAY + day * CLOCK_DAY + 2 * CLOCK_HOUR + i * CLOCK_MINUTE, "svc_scan", "SCAN1",
                   server);
        }
    work(run, 1);
    assert_int_equal(run->raised, 0);
    finish(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_theft_is_told),       cmocka_unit_test(test_theft_in_a_long_day),
        cmocka_unit_test(test_habits_of_names),     cmocka_unit_test(test_nothing_is_told_while_learning),
        cmocka_unit_test(test_small_news_are_none), cmocka_unit_test(test_who_goes_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
