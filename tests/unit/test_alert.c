/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include "base/clock.h"
#include "center/alert.h"

#include <jansson.h>
#include <stdlib.h>

static struct bytes text(const char *t)
{
    return (struct bytes){(const uint8_t *)t, strlen(t)};
}

static struct alert *made(void)
{
    static struct alert alert;
    const uint8_t guid[16] = {1, 2, 3};
    struct party source = {.kind = SUBJECT_COMPUTER,
                           .subject = {1, 2},
                           .name = text("WS01"),
                           .domain = text("picket.lab"),
                           .confidence = 80};
    struct party account = {
        .kind = SUBJECT_ACCOUNT, .subject = {3, 4}, .name = text("bob"), .guid = guid, .confidence = 100};
    memset(&alert, 0, sizeof(alert));
    assert_true(ip_address_parse("10.0.0.7", &source.address));
    alert.external_id = 2003;
    strcpy(alert.name, "AccountEnumerationSecurityAlert");
    alert.severity = SEVERITY_MEDIUM;
    alert.key = (struct subject){5, 6};
    alert.start = 1000;
    alert.end = 1795314558214266000;
    alert.count = 3;
    alert.last = (struct activity_place){7, 8};
    alert_add_party(&alert, ALERT_SOURCE, &source);
    alert_add_party(&alert, ALERT_ACCOUNT, &account);
    alert_add_named(&alert, ALERT_RESOURCE, SUBJECT_OBJECT, text("cifs/dc1"), text(""));
    alert_add_activity(&alert, alert.last, 5);
    alert_put_compared(&alert, "attempts", 12, "attempts", 10);
    alert_put_text(&alert, "tool", text("\"x\"\x1b[31m"));
    alert_put_time(&alert, "first", 1795314558214266000);
    alert_put_duration(&alert, "within", 90 * CLOCK_SECOND);
    alert_explain(&alert, "%s asked for %d names.", "bob", 12);
    alert_explain(&alert, "Of them %d exist.", 2);
    return &alert;
}

static void nobody_and_repeats_are_left_out(void **state)
{
    (void)state;
    static struct alert alert;
    const struct party nobody = {0}, bob = {.kind = SUBJECT_ACCOUNT, .subject = {1, 1}, .name = text("bob")};
    memset(&alert, 0, sizeof(alert));
    alert_add_party(&alert, ALERT_ACCOUNT, &nobody);
    alert_add_party(&alert, ALERT_ACCOUNT, &bob);
    alert_add_party(&alert, ALERT_ACCOUNT, &bob);
    alert_add_party(&alert, ALERT_TARGET, &bob);
    alert_add_named(&alert, ALERT_RESOURCE, SUBJECT_OBJECT, text(""), text(""));
    alert_add_named(&alert, ALERT_RESOURCE, SUBJECT_OBJECT, text("a"), text(""));
    alert_add_named(&alert, ALERT_RESOURCE, SUBJECT_OBJECT, text("a"), text(""));
    assert_int_equal(alert.party_count, 3);
    assert_string_equal(alert_party(&alert, ALERT_TARGET)->name, "bob");
    assert_null(alert_party(&alert, ALERT_DESTINATION));
    assert_false(alert.truncated);
}

static void bounds_are_kept_and_told(void **state)
{
    (void)state;
    static struct alert alert;
    char name[200];
    memset(&alert, 0, sizeof(alert));
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "name-%u-%0150u", i, 0u);
        alert_add_named(&alert, ALERT_ACCOUNT, SUBJECT_ACCOUNT, text(name), text("d"));
        name[40] = '\0';
        alert_put_number(&alert, name, i);
        alert_add_activity(&alert, (struct activity_place){1, i}, i);
        alert_explain(&alert, "%s is one of very many.", name);
    }
    assert_true(alert.truncated);
    assert_int_equal(alert.party_count, ALERT_PARTIES_MAX);
    assert_int_equal(strlen(alert.parties[0].name), ALERT_NAME_MAX - 1);
    assert_int_equal(alert.evidence_count, ALERT_EVIDENCE_MAX);
    assert_int_equal(alert.activity_count, ALERT_ACTIVITIES_MAX);
    for (unsigned i = 0; i < ALERT_ACTIVITIES_MAX; i++)
        assert_int_equal(alert.activities[i].place.index,
                         i < ALERT_ACTIVITIES_MAX / 2 ? i : 100 - ALERT_ACTIVITIES_MAX + i);
    assert_int_equal(strlen(alert.explanation), sizeof(alert.explanation) - 1);
}

static void evidence_is_replaced(void **state)
{
    (void)state;
    static struct alert alert;
    memset(&alert, 0, sizeof(alert));
    alert_put_compared(&alert, "n", 1, "limit", 2);
    alert_put_string(&alert, "n", "many");
    assert_int_equal(alert.evidence_count, 1);
    assert_int_equal(alert.evidence[0].type, EVIDENCE_TEXT);
    assert_false(alert.evidence[0].compared);
}

static void json_tells_it(void **state)
{
    (void)state;
    char *json = malloc(ALERT_JSON_MAX);
    size_t size = alert_to_json(made(), json, ALERT_JSON_MAX);
    assert_int_equal(size, strlen(json));
    json_t *o = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(o);
    assert_int_equal(json_integer_value(json_object_get(o, "external_id")), 2003);
    assert_string_equal(json_string_value(json_object_get(o, "severity")), "medium");
    assert_string_equal(json_string_value(json_object_get(o, "start")), "1970-01-01T00:00:00.000001000Z");
    json_t *source = json_object_get(o, "source");
    assert_string_equal(json_string_value(json_object_get(source, "name")), "WS01");
    assert_string_equal(json_string_value(json_object_get(source, "address")), "10.0.0.7");
    assert_int_equal(json_integer_value(json_object_get(source, "confidence")), 80);
    assert_int_equal(json_array_size(json_object_get(o, "accounts")), 1);
    json_t *evidence = json_object_get(o, "evidence");
    assert_int_equal(json_array_size(evidence), 4);
    assert_true(json_number_value(json_object_get(json_array_get(evidence, 0), "limit")) == 10);
    assert_string_equal(json_string_value(json_object_get(json_array_get(evidence, 1), "value")),
                        "\"x\"\x1b[31m");
    assert_true(json_number_value(json_object_get(json_array_get(evidence, 3), "seconds")) == 90);
    assert_string_equal(json_string_value(json_object_get(o, "explanation")),
                        "bob asked for 12 names. Of them 2 exist.");
    json_decref(o);
    free(json);
}

static void codec_round_trip(void **state)
{
    (void)state;
    static struct alert back;
    static uint8_t bytes[ALERT_BYTES_MAX], again[ALERT_BYTES_MAX];
    struct alert *alert = made();
    struct msgpack_writer w, other;
    msgpack_writer_init(&w, bytes, sizeof(bytes));
    alert_encode(&w, alert);
    assert_false(w.full);
    struct cursor c = cursor_of(bytes, w.size);
    assert_true(alert_decode(&c, &back));
    assert_true(cursor_done(&c));
    msgpack_writer_init(&other, again, sizeof(again));
    alert_encode(&other, &back);
    assert_int_equal(other.size, w.size);
    assert_bytes_equal(again, bytes, w.size);
    assert_int_equal(back.evidence[0].limit, alert->evidence[0].limit);
    assert_string_equal(back.explanation, alert->explanation);
    for (size_t cut = 0; cut < w.size; cut++) {
        c = cursor_of(bytes, cut);
        assert_false(alert_decode(&c, &back));
    }
}

/* Whatever byte is another one: it is refused or it is a bounded alert; the sanitizers watch. */
static void damage_is_survived(void **state)
{
    (void)state;
    static struct alert back;
    static uint8_t bytes[ALERT_BYTES_MAX];
    char *json = malloc(ALERT_JSON_MAX);
    struct msgpack_writer w;
    msgpack_writer_init(&w, bytes, sizeof(bytes));
    alert_encode(&w, made());
    unsigned refused = 0;
    for (size_t at = 0; at < w.size; at++) {
        for (unsigned flip = 1; flip < 256; flip += 37) {
            bytes[at] = (uint8_t)(bytes[at] ^ flip);
            struct cursor c = cursor_of(bytes, w.size);
            if (alert_decode(&c, &back))
                assert_in_range(alert_to_json(&back, json, ALERT_JSON_MAX), 1, ALERT_JSON_MAX - 1);
            else
                refused++;
            bytes[at] = (uint8_t)(bytes[at] ^ flip);
        }
    }
    assert_int_not_equal(refused, 0);
    free(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_and_repeats_are_left_out),
        cmocka_unit_test(bounds_are_kept_and_told),
        cmocka_unit_test(evidence_is_replaced),
        cmocka_unit_test(json_tells_it),
        cmocka_unit_test(codec_round_trip),
        cmocka_unit_test(damage_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
