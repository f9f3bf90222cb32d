/* SPDX-License-Identifier: Apache-2.0
 *
 * When a sensor tells what it missed; and that it does.
 */
#include "node/capture_report.h"

#include "base/batch.h"
#include "base/clock.h"
#include "cluster/crypto_sodium.h"
#include "tests/unit/place.h"
#include "tests/unit/unit.h"

#define NOW (INT64_C(1800000000) * CLOCK_SECOND)

static void every_ten_seconds(void **state)
{
    (void)state;
    struct capture_watch watch = {.told = 0};
    struct capture_sums sums = {.packets = 5}, told;
    int64_t from;
    assert_true(capture_watch_step(&watch, NOW, &sums, &told, &from));
    assert_int_equal(from, 0);
    assert_int_equal(told.packets, 5);
    sums.packets = 9;
    assert_false(capture_watch_step(&watch, NOW + 9 * CLOCK_SECOND, &sums, &told, &from));
    assert_true(capture_watch_step(&watch, NOW + 10 * CLOCK_SECOND, &sums, &told, &from));
    assert_int_equal(from, NOW);
    assert_int_equal(told.packets, 4);
    assert_int_equal(told.dropped, 0);
    /* A clock that was set back: as after a start. */
    assert_true(capture_watch_step(&watch, NOW - CLOCK_HOUR, &sums, &told, &from));
    assert_int_equal(from, 0);
}

static void at_once_after_a_loss(void **state)
{
    (void)state;
    struct capture_watch watch = {.told = NOW};
    struct capture_sums sums = {.shed = 7}, told;
    int64_t from;
    assert_false(capture_watch_step(&watch, NOW + 5, &sums, &told, &from)); /* none of Kerberos */
    sums.dropped = 1;
    assert_true(capture_watch_step(&watch, NOW + 6, &sums, &told, &from));
    assert_int_equal(from, NOW);
    assert_int_equal(told.dropped, 1);
    assert_int_equal(told.shed, 7);
    sums.kerberos_shed = 2; /* more and more: not without end */
    assert_false(capture_watch_step(&watch, NOW + 7, &sums, &told, &from));
    assert_true(capture_watch_step(&watch, NOW + 7 + CLOCK_SECOND, &sums, &told, &from));
    assert_int_equal(told.kerberos_shed, 2);
    assert_int_equal(told.dropped, 0);
    /* Blind for a while: told when it begins, and once more when it is over. */
    watch = (struct capture_watch){.told = NOW, .sums = sums};
    sums.blind = true;
    assert_true(capture_watch_step(&watch, NOW + 5, &sums, &told, &from));
    assert_true(told.blind);
    sums.blind = false;
    assert_true(capture_watch_step(&watch, NOW + 5 + CLOCK_SECOND, &sums, &told, &from));
    assert_true(told.blind);
    assert_true(capture_watch_step(&watch, NOW + 15 * CLOCK_SECOND, &sums, &told, &from));
    assert_false(told.blind);
}

/* -- with a group, an outbox and a spool ----------------------------------------------------------------- */

#define REPORTS_MAX 16u

struct found {
    struct batch_reader *reader;
    unsigned count;
    uint64_t packets[REPORTS_MAX], dropped[REPORTS_MAX], shed[REPORTS_MAX], lost[REPORTS_MAX];
    bool first[REPORTS_MAX], blind[REPORTS_MAX];
};

static uint64_t number(const struct activity *a, enum activity_field field)
{
    const struct activity_value *value = activity_get(a, field);
    return value ? value->uint : 0;
}

static void read_record(struct found *found, struct cursor *c)
{
    static struct activity a;
    assert_true(activity_decode(c, &a));
    assert_int_equal(a.kind, ACTIVITY_CAPTURE_REPORT);
    assert_true(found->count < REPORTS_MAX);
    unsigned i = found->count++;
    found->packets[i] = number(&a, FIELD_PACKETS_CAPTURED);
    found->dropped[i] = number(&a, FIELD_PACKETS_DROPPED);
    found->shed[i] = number(&a, FIELD_KERBEROS_SHED);
    found->lost[i] = number(&a, FIELD_ACTIVITIES_LOST);
    found->first[i] = !activity_get(&a, FIELD_CAPTURED_FROM);
    found->blind[i] = activity_get(&a, FIELD_CAPTURE_BLIND) != NULL;
}

static void read_spool(struct spool *spool, struct found *found)
{
    struct spool_entry entry = {0};
    uint64_t after = 0, count;
    found->reader = batch_reader_new();
    assert_non_null(found->reader);
    while (spool_next(spool, after, &entry)) {
        struct bytes content = {entry.payload, entry.size};
        after = entry.sequence;
        assert_int_equal(batch_reader_feed(found->reader, &content), BATCH_READY);
        struct cursor c = batch_reader_records(found->reader, &count);
        for (uint64_t i = 0; i < count; i++)
            read_record(found, &c);
        spool_entry_free(&entry);
    }
    batch_reader_destroy(&found->reader);
}

static void a_sensor_tells_what_it_missed(void **state)
{
    (void)state;
    static struct capture_group group;
    static struct capture_allowance allowance;
    struct place place;
    struct fault fault;
    struct found found = {.count = 0};
    struct worker_counters *counters = &group.workers[0].counters;
    assert_true(crypto_sodium_start());
    place_open(&place);
    group = (struct capture_group){.workers_count = 1};
    group.workers[0].ring = ring_new(1 << 16);
    group.workers[0].allowance = &allowance;
    atomic_store(&counters->present, true);
    atomic_store(&counters->packets, 100);
    const struct spool_config spool_config = {
        .disk = disk_system(), .directory = place.path, .segments = 4, .segment_bytes = 1 << 20};
    struct spool *spool = spool_open(&spool_config, &fault);
    assert_non_null(spool);
    const struct outbox_config outbox_config = {.spool = spool};
    struct outbox *outbox = outbox_start(&outbox_config, &fault);
    assert_non_null(outbox);
    struct capture_reports *reports = capture_reports_new(&group, outbox);
    assert_non_null(reports);

    capture_reports_look(reports); /* 0: the first */
    capture_reports_look(reports);
    capture_reports_hear(reports);
    atomic_store(&counters->packets, 150);
    atomic_store(&counters->dropped, 3);
    atomic_store(&counters->ifdropped, 1);
    atomic_store(&counters->shed[PROTOCOL_KERBEROS].packets, 2);
    capture_reports_hear(reports); /* nobody said that something was lost */
    atomic_fetch_add(&group.losses, 1);
    capture_reports_hear(reports); /* 1: now it is told */
    capture_reports_hear(reports);
    assert_false(ring_push(group.workers[0].ring, &found, 1 << 20));
    atomic_store(&allowance.paused, true);
    atomic_fetch_add(&group.losses, 1);
    usleep(1100000);
    capture_reports_look(reports); /* 2: too large for the ring, and blind */
    capture_reports_destroy(&reports);
    capture_reports_destroy(&reports);
    outbox_stop(&outbox);
    read_spool(spool, &found);
    assert_int_equal(found.count, 3);
    assert_true(found.first[0] && !found.first[1] && !found.first[2]);
    assert_int_equal(found.packets[0], 100);
    assert_int_equal(found.packets[1], 50);
    assert_int_equal(found.dropped[0], 0);
    assert_int_equal(found.dropped[1], 4);
    assert_int_equal(found.shed[1], 2);
    assert_int_equal(found.dropped[2], 0);
    assert_int_equal(found.lost[2], 1);
    assert_true(!found.blind[0] && !found.blind[1] && found.blind[2]);
    spool_close(&spool);
    ring_destroy(&group.workers[0].ring);
    place_close(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_ten_seconds),
        cmocka_unit_test(at_once_after_a_loss),
        cmocka_unit_test(a_sensor_tells_what_it_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
