/* SPDX-License-Identifier: Apache-2.0
 *
 * The machinery around detectors, with two of our own: one counts failures of an account by source, one
 * learns.
 */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "center/pipeline.h"
#include "center/state_run.h"

#include <stdio.h>
#include <stdlib.h>

#define START (INT64_C(1795314558) * CLOCK_SECOND)

/* -- two detectors -----------------------------------------------------------------------------------------
 */

struct failures {
    uint32_t count;
    uint32_t raised;
};

static const struct state_form failure_tables[] = {{.name = "failures",
                                                    .version = 3,
                                                    .value_size = sizeof(struct failures),
                                                    .capacity = 1000,
                                                    .lifetime = CLOCK_HOUR},
                                                   {0}};
static const struct detector_setting failure_settings[] = {
    {.name = "attempts", .low = 5, .medium = 3, .high = 2}, {0}};
static const enum activity_kind failure_kinds[] = {ACTIVITY_KERBEROS_AS, ACTIVITY_NONE};

static struct subject key_of_source(const struct detection *d, const struct observation *o)
{
    (void)d;
    return o->origin;
}

static void count_failures(struct detection *d, const struct observation *o)
{
    struct failures *f = detection_use(d, 0, detection_key(d), NULL);
    f->count++;
    if (f->count < (uint32_t)detection_setting(d, 0))
        return;
    f->raised++;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_put_compared(alert, "attempts", f->count, "attempts", detection_setting(d, 0));
    detection_raise(d);
}

static const struct detector counting = {.external_id = 9001,
                                         .name = "Counting",
                                         .word = "counting",
                                         .severity = SEVERITY_HIGH,
                                         .settings = failure_settings,
                                         .tables = failure_tables,
                                         .kinds = failure_kinds,
                                         .key = key_of_source,
                                         .observe = count_failures};

static void raise_always(struct detection *d, const struct observation *o)
{
    detection_alert(d, o, detection_key(d));
    detection_raise(d);
}

static const struct detector learning = {.external_id = 9002,
                                         .name = "Learning",
                                         .word = "learning",
                                         .severity = SEVERITY_LOW,
                                         .learning = CLOCK_DAY,
                                         .kinds = failure_kinds,
                                         .key = key_of_source,
                                         .observe = raise_always};

static const struct detector *const ours[] = {&counting, &learning, NULL};
static const struct detector *const counting_only[] = {&counting, NULL};

/* -- running them ------------------------------------------------------------------------------------------
 */

#define ALERTS 4096u

struct run {
    struct workspace_settings settings;
    struct pipeline *pipeline;
    struct alert *alerts; /* ALERTS */
    unsigned count;
};

static void keep(void *context, const struct alert *alert)
{
    struct run *run = context;
    assert_in_range(run->count, 0, ALERTS - 1);
    run->alerts[run->count++] = *alert;
}

static struct run *run_new(const struct detector *const *table, uint32_t shard, uint32_t shards)
{
    struct run *run = calloc(1, sizeof(*run));
    run->alerts = calloc(ALERTS, sizeof(*run->alerts));
    workspace_settings_init(&run->settings);
    const struct pipeline_config config = {.settings = &run->settings,
                                           .directory = directory_view_none,
                                           .seed = {77},
                                           .shard = shard,
                                           .shards = shards,
                                           .detectors = table,
                                           .alert = keep,
                                           .context = run};
    run->pipeline = pipeline_new(&config);
    assert_non_null(run->pipeline);
    return run;
}

static void run_free(struct run *run)
{
    pipeline_destroy(&run->pipeline);
    assert_null(run->pipeline);
    free(run->alerts);
    free(run);
}

/* One failure of `account` from 10.0.0.`source`. */
static struct bytes failure(struct activity_writer *w, unsigned source, const char *account, int64_t time)
{
    const struct ip_address address = {.family = 4, .bytes = {10, 0, 0, (uint8_t)source}};
    activity_begin(w, ACTIVITY_KERBEROS_AS, time);
    activity_put_address(w, FIELD_SOURCE, &address);
    activity_put_text(w, FIELD_ACCOUNT, account);
    activity_put_text(w, FIELD_ACCOUNT_DOMAIN, "PICKET.LAB");
    activity_put_uint(w, FIELD_STATUS, 24);
    return activity_finish(w);
}

static void tell(struct run *run, unsigned source, const char *account, int64_t time, uint64_t position)
{
    static const uint8_t node[16];
    static struct activity_writer w;
    assert_true(pipeline_activity(run->pipeline, failure(&w, source, account, time),
                                  (struct activity_place){position, 0}, START + 100 * CLOCK_DAY, node));
}

static void raises_by_threshold_and_sensitivity(void **state)
{
    (void)state;
    struct run *run = run_new(counting_only, 0, 1);
    for (unsigned i = 0; i < 3; i++)
        tell(run, 1, "bob", START + i, i + 1);
    tell(run, 2, "bob", START + 9, 9);
    assert_int_equal(run->count, 1);
    assert_int_equal(run->alerts[0].external_id, 9001);
    assert_string_equal(alert_party(&run->alerts[0], ALERT_SOURCE)->name, "10.0.0.1");
    assert_string_equal(alert_party(&run->alerts[0], ALERT_ACCOUNT)->domain, "PICKET.LAB");
    assert_int_equal(run->alerts[0].last.position, 3);
    run->settings.sensitivity = SENSITIVITY_HIGH;
    tell(run, 2, "bob", START + 10, 10);
    assert_int_equal(run->count, 2);
    run->settings.override_count = 1;
    run->settings.overrides[0] =
        (struct override){.detector = "counting", .setting = "attempts", .value = 100};
    tell(run, 2, "bob", START + 11, 11);
    assert_int_equal(run->count, 2);
    run_free(run);
}

static void learns_first(void **state)
{
    (void)state;
    struct pipeline_counters counters;
    struct run *run = run_new(ours, 0, 1);
    tell(run, 1, "bob", START, 1);
    tell(run, 1, "bob", START + CLOCK_DAY - 1, 2);
    assert_int_equal(run->count, 0);
    tell(run, 1, "bob", START + CLOCK_DAY, 3);
    assert_int_equal(run->count, 1);
    assert_int_equal(run->alerts[0].external_id, 9002);
    pipeline_counters(run->pipeline, &counters);
    assert_int_equal(counters.learning, 2);
    assert_int_equal(counters.raised, 1);
    run_free(run);
    run = run_new(ours, 0, 1);
    run->settings.learned = true;
    tell(run, 1, "bob", START, 1);
    assert_int_equal(run->count, 1);
    run_free(run);
}

static void nobody_dates_ahead(void **state)
{
    (void)state;
    static const uint8_t node[16];
    static struct activity_writer w;
    struct pipeline_counters counters;
    struct run *run = run_new(ours, 0, 1);
    tell(run, 1, "bob", START, 1);
    assert_true(pipeline_activity(run->pipeline, failure(&w, 2, "eve", START + 50 * CLOCK_DAY),
                                  (struct activity_place){2, 0}, START + 1, node));
    assert_true(pipeline_activity(run->pipeline, failure(&w, 2, "eve", INT64_MIN),
                                  (struct activity_place){3, 0}, START + 2, node));
    assert_int_equal(run->count, 0);
    pipeline_counters(run->pipeline, &counters);
    assert_int_equal(counters.future, 1);
    assert_int_equal(counters.last, START + 2);
    run_free(run);
}

static void exclusions_are_silent(void **state)
{
    (void)state;
    struct fault fault;
    struct run *run = run_new(counting_only, 0, 1);
    static const char *const rules[] = {
        "* account:BOB",       "* address:10.0.0.0/30",    "* account:PICKET.LAB\\bob",
        "* domain:picket.lab", "* account:bob@picket.lab", "* account:*"};
    run->settings.exclusion_count = 1;
    for (unsigned r = 0; r < sizeof(rules) / sizeof(*rules); r++) {
        assert_true(exclusion_parse(rules[r], &run->settings.exclusions[0], &fault));
        for (unsigned i = 0; i < 5; i++)
            tell(run, 2, "bob", START + i, 1 + i);
        assert_int_equal(run->count, 0);
    }
    assert_true(exclusion_parse("* account:alice", &run->settings.exclusions[0], &fault));
    tell(run, 2, "bob", START + 9, 9);
    assert_int_equal(run->count, 1);
    static const char *const wrong[] = {"",
                                        "account:bob",
                                        "* bob",
                                        "nothing account:bob",
                                        "* account:",
                                        "* address:10",
                                        "* address:10.0.0.1/8"};
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
        assert_false(exclusion_parse(wrong[i], &run->settings.exclusions[0], &fault));
    run_free(run);
}

static void what_is_no_activity_is_counted(void **state)
{
    (void)state;
    static const uint8_t node[16];
    static struct activity_writer w;
    struct pipeline_counters counters;
    struct run *run = run_new(counting_only, 0, 1);
    struct bytes record = failure(&w, 1, "bob", START);
    for (size_t cut = 0; cut < record.size; cut++)
        assert_false(pipeline_activity(run->pipeline, (struct bytes){record.data, cut},
                                       (struct activity_place){1, 0}, 0, node));
    pipeline_counters(run->pipeline, &counters);
    assert_int_equal(counters.malformed, record.size);
    run_free(run);
}

struct gap {
    int64_t since;
    unsigned count;
    bool is_here;
};

static bool is_watch(void *context, const char *owner, const struct state_form *form,
                     const struct state_table_status *status)
{
    struct gap *gap = context;
    (void)status;
    gap->is_here = strcmp(owner, "processor") == 0 && strcmp(form->name, "watch") == 0;
    return false;
}

static void see_gap(void *context, struct subject key, int64_t touched, const void *value)
{
    struct gap *gap = context;
    (void)key;
    (void)touched;
    if (!gap->is_here)
        return;
    gap->count++;
    memcpy(&gap->since, value, sizeof(gap->since));
}

static struct gap gap_of(struct run *run)
{
    struct gap gap = {0};
    const struct pipeline_keeper keeper = {.table = is_watch, .state = see_gap, .context = &gap};
    pipeline_changes(run->pipeline, &keeper);
    return gap;
}

/* In `to`: a failure of each second from START on, with a map that is no activity before the one numbered
 * `wrong`. */
static size_t put_batch(uint8_t *to, unsigned count, unsigned wrong)
{
    static struct activity_writer w;
    size_t size = 0;
    for (unsigned i = 0; i < count; i++) {
        if (i == wrong)
            to[size++] = 0x80;
        const struct bytes record = failure(&w, i, "bob", START + (int64_t)i * CLOCK_SECOND);
        memcpy(to + size, record.data, record.size);
        size += record.size;
    }
    return size;
}

static bool tell_batch(struct run *run, const uint8_t *bytes, size_t size, uint64_t count)
{
    static const uint8_t node[16];
    struct cursor c = cursor_of(bytes, size);
    return pipeline_batch(run->pipeline, &c, count, 1, START + 100 * CLOCK_DAY, node);
}

static void what_is_wrong_in_a_batch_is_left_out(void **state)
{
    (void)state;
    uint8_t bytes[4096];
    struct pipeline_counters counters;
    struct run *run = run_new(counting_only, 0, 1);
    pipeline_gap(run->pipeline); /* nothing was told yet */
    assert_int_equal(gap_of(run).count, 0);
    assert_true(tell_batch(run, bytes, put_batch(bytes, 5, 9), 5));
    assert_int_equal(gap_of(run).since, START);
    assert_false(tell_batch(run, bytes, put_batch(bytes, 5, 2), 6));
    pipeline_counters(run->pipeline, &counters);
    assert_int_equal(counters.malformed, 1);
    assert_int_equal(counters.activities, 10);
    assert_int_equal(gap_of(run).since, START + 4 * CLOCK_SECOND);
    run_free(run);

    /* Fewer than announced, more, and something that is not even msgpack. */
    run = run_new(counting_only, 0, 1);
    size_t size = put_batch(bytes, 5, 9);
    assert_false(tell_batch(run, bytes, size, 6));
    assert_false(tell_batch(run, bytes, size, 4));
    bytes[0] = 0xc1;
    assert_false(tell_batch(run, bytes, size, 5));
    pipeline_counters(run->pipeline, &counters);
    assert_int_equal(counters.malformed, 3);
    assert_int_equal(counters.activities, 9);
    run_free(run);
}

/* -- shards and checkpoints: the same alerts
 * ------------------------------------------------------------------ */

static uint64_t hash(uint64_t n)
{
    n = (n ^ (n >> 31)) * 0x9e3779b97f4a7c15u;
    return n ^ (n >> 29);
}

static void tell_number(struct run *run, uint64_t n)
{
    char account[16];
    snprintf(account, sizeof(account), "user%u", (unsigned)(hash(n) >> 8) % 20);
    tell(run, (unsigned)(hash(n) % 40), account, START + (int64_t)n * CLOCK_MINUTE, n);
}

static bool has_alert(const struct run *run, const struct alert *alert)
{
    for (unsigned i = 0; i < run->count; i++)
        if (memcmp(&run->alerts[i], alert, sizeof(*alert)) == 0)
            return true;
    return false;
}

static void shards_share_the_keys(void **state)
{
    (void)state;
    struct run *whole = run_new(ours, 0, 1), *parts[3];
    unsigned sum = 0;
    for (unsigned i = 0; i < 3; i++)
        parts[i] = run_new(ours, i, 3);
    for (uint64_t n = 1; n < 2000; n++) {
        tell_number(whole, n);
        for (unsigned i = 0; i < 3; i++)
            tell_number(parts[i], n);
    }
    assert_int_not_equal(whole->count, 0);
    for (unsigned i = 0; i < 3; i++) {
        sum += parts[i]->count;
        assert_int_not_equal(parts[i]->count, 0);
        for (unsigned k = 0; k < parts[i]->count; k++)
            assert_true(has_alert(whole, &parts[i]->alerts[k]));
        run_free(parts[i]);
    }
    assert_int_equal(sum, whole->count);
    run_free(whole);
}

struct copying {
    struct pipeline *to;
    const char *owner;
    const struct state_form *form;
};

static bool copy_table(void *context, const char *owner, const struct state_form *form,
                       const struct state_table_status *status)
{
    struct copying *copying = context;
    (void)status;
    copying->owner = owner;
    copying->form = form;
    return false;
}

static void copy_state(void *context, struct subject key, int64_t touched, const void *value)
{
    static uint8_t bytes[STATE_RUN_HEAD + STATE_VALUE_MAX];
    const struct copying *copying = context;
    const struct state_form *form = copying->form;
    struct pipeline_restored restored;
    const struct bytes run = {bytes, state_run_put(bytes, key, touched, value, form->value_size)};
    assert_true(pipeline_restore(copying->to, copying->owner, form->name, form->version, run, &restored));
    assert_int_equal(restored.states, 1);
    assert_string_equal(restored.form->name, form->name);
    assert_false(
        pipeline_restore(copying->to, copying->owner, form->name, form->version + 1, run, &restored));
    assert_false(pipeline_restore(copying->to, "nobody", form->name, form->version, run, &restored));
}

static void a_restored_one_goes_on(void **state)
{
    (void)state;
    for (uint64_t at = 1; at < 300; at += 13) {
        struct run *first = run_new(ours, 0, 1), *second = run_new(ours, 0, 1);
        for (uint64_t n = 1; n < at; n++)
            tell_number(first, n);
        struct copying copying = {.to = second->pipeline};
        const struct pipeline_keeper keeper = {.table = copy_table, .state = copy_state, .context = &copying};
        pipeline_changes(first->pipeline, &keeper);
        unsigned before = first->count;
        for (uint64_t n = at; n < 2000; n++) {
            tell_number(first, n);
            tell_number(second, n);
        }
        assert_int_equal(second->count, first->count - before);
        assert_memory_equal(second->alerts, first->alerts + before, second->count * sizeof(*second->alerts));
        run_free(first);
        run_free(second);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raises_by_threshold_and_sensitivity),
        cmocka_unit_test(learns_first),
        cmocka_unit_test(nobody_dates_ahead),
        cmocka_unit_test(exclusions_are_silent),
        cmocka_unit_test(what_is_no_activity_is_counted),
        cmocka_unit_test(what_is_wrong_in_a_batch_is_left_out),
        cmocka_unit_test(shards_share_the_keys),
        cmocka_unit_test(a_restored_one_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
