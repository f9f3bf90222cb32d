/* SPDX-License-Identifier: Apache-2.0
 *
 * How what was collected gets on, as the status tells it.
 */
#include "base/clock.h"
#include "cluster/crypto_sodium.h"
#include "node/view_delivery.h"
#include "tests/unit/place.h"
#include "tests/unit/unit.h"

#include <jansson.h>

static json_t *written(const struct view_delivery *view)
{
    struct json_writer w;
    struct bytes text;
    json_writer_init(&w, 4096);
    json_write_object(&w, NULL);
    view_delivery_write(&w, view);
    json_write_close(&w);
    assert_true(json_writer_done(&w, &text));
    json_t *answer = json_loadb((const char *)text.data, text.size, 0, NULL);
    json_writer_free(&w);
    assert_non_null(answer);
    return answer;
}

static const char *text_of(const json_t *delivery, const char *key)
{
    return json_string_value(json_object_get(delivery, key));
}

static void without_a_center(void **state)
{
    (void)state;
    struct place place;
    struct fault fault;
    place_open(&place);
    const struct spool_config spool_config = {
        .disk = disk_system(), .directory = place.path, .segments = 2, .segment_bytes = 65536};
    struct spool *spool = spool_open(&spool_config, &fault);
    const struct outbox_config outbox_config = {.spool = spool, .drop_oldest = true};
    struct outbox *outbox = outbox_start(&outbox_config, &fault);
    static struct view_delivery view;
    view_delivery_collect(&view, outbox, spool, NULL, 5);
    assert_int_equal(view.issue_count, 0);
    json_t *answer = written(&view);
    const json_t *delivery = json_object_get(answer, "delivery");
    assert_string_equal(text_of(delivery, "state"), "no_center");
    assert_null(json_object_get(delivery, "server"));
    json_decref(answer);
    outbox_stop(&outbox);
    spool_close(&spool);
    place_close(&place);
    answer = written(NULL);
    assert_true(json_is_null(json_object_get(answer, "delivery")));
    json_decref(answer);
}

static void with_a_center(void **state)
{
    (void)state;
    static struct view_delivery view = {.sends = true};
    view.outbox.dropped = 7;
    view.outbox.dropped_by_kind[ACTIVITY_DNS_QUERY] = 7;
    view.sender.state = SENDER_SENDING;
    strcpy(view.sender.server, "tcp://center:49210");
    view.sender.acknowledged = 12;
    view.sender.last_acknowledged = 5 * CLOCK_SECOND;
    json_t *answer = written(&view);
    const json_t *delivery = json_object_get(answer, "delivery");
    assert_string_equal(text_of(delivery, "state"), "sending");
    assert_string_equal(text_of(delivery, "server"), "tcp://center:49210");
    assert_int_equal(json_integer_value(json_object_get(delivery, "acknowledged")), 12);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(delivery, "dropped_by_kind"), "dns_query")), 7);
    assert_true(json_is_null(json_object_get(delivery, "fault")));
    json_decref(answer);
    view.sender.last_acknowledged = 0;
    strcpy(view.sender.fault, "no connection");
    answer = written(&view);
    delivery = json_object_get(answer, "delivery");
    assert_true(json_is_null(json_object_get(delivery, "last_delivered")));
    assert_string_equal(text_of(delivery, "fault"), "no connection");
    json_decref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_center),
        cmocka_unit_test(with_a_center),
    };
    return crypto_sodium_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
