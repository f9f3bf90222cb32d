/* SPDX-License-Identifier: Apache-2.0
 *
 * What holds for every detector there is.
 */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "center/pipeline.h"

#include <ctype.h>
#include <stdlib.h>

static void each_is_complete(void **state)
{
    (void)state;
    for (unsigned i = 0; detectors[i]; i++) {
        const struct detector *d = detectors[i];
        const char *const texts[] = {d->name, d->title, d->word, d->mitre, d->doc, d->advice};
        print_message("%u %s\n", d->external_id, d->word ? d->word : "?");
        for (unsigned t = 0; t < sizeof(texts) / sizeof(*texts); t++)
            assert_true(texts[t] && texts[t][0]);
        assert_in_range(d->external_id, 1000, 9999);
        assert_in_range(strlen(d->name), 1, 63);
        assert_in_range(strlen(d->word), 1, 63);
        for (const char *c = d->word; *c; c++)
            assert_true(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_');
        assert_true(d->mitre[0] == 'T' && strlen(d->mitre) >= 5);
        assert_non_null(d->key);
        assert_non_null(d->observe);
        assert_true(d->kinds && d->kinds[0] != ACTIVITY_NONE);
        assert_true(d->learning >= 0 && d->learning <= 60 * CLOCK_DAY);
        assert_ptr_equal(detector_by_word(d->word), d); /* words are unique */
    }
}

static void numbers_are_within_their_bounds(void **state)
{
    (void)state;
    for (unsigned i = 0; detectors[i]; i++)
        for (const struct detector_setting *s = detectors[i]->settings; s && s->name; s++) {
            assert_true(s->doc && s->doc[0]);
            const double defaults[] = {s->low, s->medium, s->high};
            for (unsigned k = 0; k < 3; k++)
                if (defaults[k] < s->least || defaults[k] > s->most)
                    fail_msg("%s.%s", detectors[i]->word, s->name);
            for (const struct detector_setting *other = detectors[i]->settings; other != s; other++)
                assert_string_not_equal(other->name, s->name);
        }
}

static void tables_are_bounded_and_named(void **state)
{
    (void)state;
    for (unsigned i = 0; detectors[i]; i++) {
        unsigned count = 0;
        for (const struct state_form *form = detectors[i]->tables; form && form->name; form++) {
            count++;
            assert_in_range(form->version, 1, 1000);
            assert_in_range(form->value_size, 1, 65536);
            assert_in_range(form->capacity, 1, 4u << 20);
            for (const struct state_form *other = detectors[i]->tables; other != form; other++)
                assert_string_not_equal(other->name, form->name);
        }
        assert_in_range(count, 0, DETECTOR_TABLES_MAX);
    }
}

/* Every kind with no field at all, and with each of its fields at some value: nobody relies on what may be
 * absent. */

static void put_something(struct activity_writer *w, enum activity_field field)
{
    static const struct ip_address address = {.family = 4, .bytes = {10, 0, 0, 1}};
    static const uint8_t sixteen[16] = {1}, sid[] = {1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0};
    enum activity_type type = activity_field_info(field)->type;
    if (activity_type_is_list(type)) {
        if (activity_list_begin(w, field))
            activity_list_end(w);
        return;
    }
    switch (type) {
    case TYPE_UINT:
    case TYPE_ID:
        activity_put_uint(w, field, UINT64_MAX);
        return;
    case TYPE_INT:
        activity_put_int(w, field, INT64_MIN);
        return;
    case TYPE_BOOL:
        activity_put_bool(w, field, true);
        return;
    case TYPE_STRING:
        activity_put_text(w, field, "");
        return;
    case TYPE_BYTES:
        activity_put_bytes(w, field, "", 0);
        return;
    case TYPE_TIME:
        activity_put_time(w, field, INT64_MIN);
        return;
    case TYPE_DURATION:
        activity_put_duration(w, field, INT64_MAX);
        return;
    case TYPE_ADDRESS:
        activity_put_address(w, field, &address);
        return;
    case TYPE_UUID:
        activity_put_uuid(w, field, sixteen);
        return;
    case TYPE_SID:
        activity_put_sid(w, field, sid, sizeof(sid));
        return;
    default:
        return;
    }
}

static void count_alert(void *context, const struct alert *alert)
{
    static char json[ALERT_JSON_MAX];
    unsigned *count = context;
    assert_in_range(alert_to_json(alert, json, sizeof(json)), 1, sizeof(json) - 1);
    (*count)++;
}

static void tell(struct pipeline *pipeline, enum activity_kind kind, enum activity_field except, bool all)
{
    static struct activity_writer w;
    static const uint8_t node[16];
    activity_begin(&w, kind, INT64_C(1795314558) * CLOCK_SECOND);
    for (unsigned f = FIELD_TIME + 1; all && f < ACTIVITY_FIELDS; f++)
        if (f != except && f != FIELD_TRUNCATED && activity_allows(kind, (enum activity_field)f))
            put_something(&w, (enum activity_field)f);
    pipeline_activity(pipeline, activity_finish(&w), (struct activity_place){1, 1}, INT64_MAX, node);
}

static void absent_and_odd_values_are_survived(void **state)
{
    (void)state;
    unsigned alerts = 0;
    struct workspace_settings *settings = malloc(sizeof(*settings));
    workspace_settings_init(settings);
    settings->learned = true;
    const struct pipeline_config config = {
        .settings = settings, .directory = directory_view_none, .alert = count_alert, .context = &alerts};
    struct pipeline *pipeline = pipeline_new(&config);
    assert_non_null(pipeline);
    for (unsigned kind = ACTIVITY_NONE + 1; kind < ACTIVITY_KINDS; kind++) {
        tell(pipeline, (enum activity_kind)kind, ACTIVITY_FIELDS, false);
        tell(pipeline, (enum activity_kind)kind, ACTIVITY_FIELDS, true);
        for (unsigned f = FIELD_TIME + 1; f < ACTIVITY_FIELDS; f++)
            if (activity_allows((enum activity_kind)kind, (enum activity_field)f))
                tell(pipeline, (enum activity_kind)kind, (enum activity_field)f, true);
    }
    struct pipeline_counters counters;
    pipeline_counters(pipeline, &counters);
    assert_int_equal(counters.malformed, 0);
    pipeline_destroy(&pipeline);
    free(settings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_complete),
        cmocka_unit_test(numbers_are_within_their_bounds),
        cmocka_unit_test(tables_are_bounded_and_named),
        cmocka_unit_test(absent_and_odd_values_are_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
