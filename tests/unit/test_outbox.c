/* SPDX-License-Identifier: Apache-2.0
 *
 * Activities into the spool, on a real disk and on one that crashes and fills.
 */
#include "base/batch.h"
#include "base/clock.h"
#include "cluster/crypto_sodium.h"
#include "node/outbox.h"
#include "node/record_value.h"
#include "tests/unit/crash_disk.h"
#include "tests/unit/place.h"
#include "tests/unit/unit.h"

#include <pthread.h>

static struct activity_writer writer; /* too large for a stack */

static struct bytes activity(enum activity_kind kind, int64_t time)
{
    activity_begin(&writer, kind, time);
    return activity_finish(&writer);
}

static struct spool *open_spool(const struct disk *disk, const char *path, size_t segment_bytes)
{
    const struct spool_config config = {
        .disk = disk, .directory = path, .segments = 4, .segment_bytes = segment_bytes};
    struct fault fault;
    struct spool *spool = spool_open(&config, &fault);
    if (!spool)
        fail_msg("%s", fault.text);
    return spool;
}

/* Tags that were told to be on the disk. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned count;
    uint64_t last;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void hear_kept(void *context, uint64_t tag)
{
    (void)context;
    pthread_mutex_lock(&kept.lock);
    kept.count++;
    kept.last = tag;
    pthread_cond_broadcast(&kept.changed);
    pthread_mutex_unlock(&kept.lock);
}

/* Whether so many are told of before the time is over. */
static bool await_kept(unsigned count, int seconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&kept.lock);
    int waited = 0;
    while (kept.count < count && waited == 0)
        waited = pthread_cond_timedwait(&kept.changed, &kept.lock, &until);
    bool there = kept.count >= count;
    pthread_mutex_unlock(&kept.lock);
    return there;
}

static struct outbox *open_outbox(struct spool *spool, int64_t interval)
{
    const struct outbox_config config = {.spool = spool, .interval = interval, .kept = hear_kept};
    kept.count = 0;
    struct fault fault;
    struct outbox *outbox = outbox_start(&config, &fault);
    assert_non_null(outbox);
    return outbox;
}

/* Times of the activities that stand in the spool, in order, from the entry behind `*at` on. */
static unsigned times_in(struct spool *spool, uint64_t *at, int64_t *times, unsigned max)
{
    struct batch_reader *reader = batch_reader_new();
    struct activity *a = malloc(sizeof *a);
    struct spool_entry entry;
    unsigned count = 0;
    while (spool_next(spool, *at, &entry)) {
        struct bytes input = {entry.payload, entry.size};
        uint64_t records;
        *at = entry.sequence;
        assert_int_equal(batch_reader_feed(reader, &input), BATCH_READY);
        struct cursor c = batch_reader_records(reader, &records);
        for (; records > 0; records--) {
            assert_true(activity_decode(&c, a));
            assert_true(count < max);
            times[count++] = a->time;
        }
        assert_true(cursor_done(&c));
        spool_entry_free(&entry);
    }
    free(a);
    batch_reader_destroy(&reader);
    return count;
}

/* Until so many are told of, or it is clear that they will not be. */
static void settle(struct outbox *outbox, unsigned count, struct outbox_status *status)
{
    for (int i = 0; i < 60000; i++, usleep(1000)) {
        outbox_status(outbox, status);
        if (status->failing || await_kept(count, 0))
            return;
    }
    fail_msg("neither kept nor not");
}

static void what_is_recorded_is_there_within_the_interval(void **state)
{
    (void)state;
    struct place place;
    place_open(&place);
    struct spool *spool = open_spool(disk_system(), place.path, 1 << 20);
    struct outbox *outbox = open_outbox(spool, 20 * CLOCK_MILLISECOND);
    int64_t times[100];
    uint64_t at = 0;
    for (int i = 1; i <= 40; i++)
        outbox_record(outbox, activity(ACTIVITY_KERBEROS_AS, i), 0);
    unsigned count = 0;
    for (int i = 0; i < 3000 && count < 40; i++) {
        count += times_in(spool, &at, times + count, 100 - count);
        usleep(20000);
    }
    assert_int_equal(count, 40);
    for (int i = 0; i < 40; i++)
        assert_int_equal(times[i], i + 1);
    for (int i = 0; i < 3000 && spool_durable(spool) < at; i++)
        usleep(20000);
    assert_int_equal(spool_durable(spool), at);
    outbox_record(outbox, activity(ACTIVITY_KERBEROS_AS, 41), 0);
    outbox_stop(&outbox);
    assert_int_equal(times_in(spool, &at, times, 100), 1);
    assert_int_equal(times[0], 41);
    spool_close(&spool);
    place_close(&place);
}

/* --- who waits --- */

#define KEEPERS 8
#define ROUNDS  20

struct keeper {
    struct outbox *outbox;
    unsigned number;
    pthread_t thread;
    struct activity_writer writer;
};

static void *keep_some(void *context)
{
    struct keeper *keeper = context;
    for (unsigned i = 0; i < ROUNDS; i++) {
        activity_begin(&keeper->writer, ACTIVITY_RADIUS_ACCOUNTING, keeper->number * 1000 + i);
        outbox_record(keeper->outbox, activity_finish(&keeper->writer), keeper->number * 1000 + i);
    }
    return NULL;
}

static void who_waits_does_not_wait_for_the_interval(void **state)
{
    (void)state;
    static struct keeper keepers[KEEPERS];
    struct place place;
    place_open(&place);
    struct spool *spool = open_spool(disk_system(), place.path, 1 << 20);
    struct outbox *outbox = open_outbox(spool, CLOCK_HOUR);
    for (unsigned i = 0; i < KEEPERS; i++) {
        keepers[i].outbox = outbox;
        keepers[i].number = i + 1;
        assert_int_equal(pthread_create(&keepers[i].thread, NULL, keep_some, &keepers[i]), 0);
    }
    for (unsigned i = 0; i < KEEPERS; i++) {
        pthread_join(keepers[i].thread, NULL);
    }
    assert_true(await_kept(KEEPERS * ROUNDS, 60));
    assert_int_equal(kept.count, KEEPERS * ROUNDS);
    int64_t times[KEEPERS * ROUNDS], last[KEEPERS + 1] = {0};
    uint64_t at = 0;
    assert_int_equal(times_in(spool, &at, times, KEEPERS * ROUNDS), KEEPERS * ROUNDS);
    for (unsigned i = 0; i < KEEPERS * ROUNDS; i++) {
        unsigned who = (unsigned)(times[i] / 1000);
        assert_true(last[who] == 0 || times[i] == last[who] + 1);
        last[who] = times[i];
    }
    assert_int_equal(spool_durable(spool), at);
    outbox_stop(&outbox);
    spool_close(&spool);
    place_close(&place);
}

static void what_was_kept_survives_a_power_cut(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 60; seed++) {
        struct crash_disk *d = crash_disk_new(seed);
        struct spool *spool = open_spool(&d->disk, "/spool", 2048);
        struct outbox *outbox = open_outbox(spool, CLOCK_HOUR);
        d->calls = 0;
        d->crash_at = 2 + seed;
        struct outbox_status status;
        for (unsigned i = 1; i <= 12; i++) {
            outbox_record(outbox, activity(ACTIVITY_RADIUS_ACCOUNTING, i), i);
            settle(outbox, i, &status);
            if (status.failing)
                break;
        }
        outbox_stop(&outbox);
        spool_close(&spool);
        crash_disk_reboot(d);
        spool = open_spool(&d->disk, "/spool", 2048);
        int64_t times[64];
        uint64_t at = 0;
        unsigned count = times_in(spool, &at, times, 64);
        assert_true(count >= kept.count);
        for (unsigned i = 0; i < count; i++)
            assert_int_equal(times[i], i + 1);
        spool_close(&spool);
        crash_disk_free(d);
    }
}

/* A disk that takes its time to sync: what comes meanwhile, right before the end, is not forgotten. */
static int slow_sync(void *context, int file)
{
    (void)context;
    usleep(50000);
    return disk_system()->sync(disk_system()->context, file);
}

static void the_end_comes_during_a_commit(void **state)
{
    (void)state;
    struct place place;
    struct disk disk = *disk_system();
    disk.sync = slow_sync;
    place_open(&place);
    struct spool *spool = open_spool(&disk, place.path, 1 << 20);
    struct outbox *outbox = open_outbox(spool, CLOCK_HOUR);
    int64_t times[4];
    uint64_t at = 0;
    outbox_record(outbox, activity(ACTIVITY_KERBEROS_AS, 1), 1); /* begins a commit */
    usleep(20000);
    outbox_record(outbox, activity(ACTIVITY_KERBEROS_AS, 2), 0);
    outbox_stop(&outbox);
    assert_int_equal(times_in(spool, &at, times, 4), 2);
    assert_int_equal(times[1], 2);
    spool_close(&spool);
    place_close(&place);
}

/* --- full --- */

static void the_least_is_left_out_first(void **state)
{
    (void)state;
    struct place place;
    place_open(&place);
    struct spool *spool = open_spool(disk_system(), place.path, 4096);
    struct outbox *outbox = open_outbox(spool, CLOCK_HOUR);
    struct outbox_status status;
    uint64_t low = 0, normal = 0, high = 0;
    for (unsigned i = 0; i < 1000 && high == 0; i++) {
        outbox_record(outbox, activity(ACTIVITY_DNS_QUERY, i + 1), 0);
        outbox_record(outbox, activity(ACTIVITY_LDAP_SEARCH, i + 1), 0);
        outbox_record(outbox, activity(ACTIVITY_KERBEROS_AS, i + 1), i + 1);
        settle(outbox, i + 1, &status);
        low = status.dropped_by_kind[ACTIVITY_DNS_QUERY];
        normal = status.dropped_by_kind[ACTIVITY_LDAP_SEARCH];
        high = status.dropped_by_kind[ACTIVITY_KERBEROS_AS];
        assert_true(low >= normal && normal >= high);
    }
    assert_true(high > 0 && normal > high && low > normal);
    assert_int_equal(status.dropped, low + normal + high);
    assert_true(status.failing && status.fill > 90);
    assert_true(outbox_is_dropping(&status, status.last_drop + CLOCK_SECOND));
    assert_false(outbox_is_dropping(&status, status.last_drop + 2 * CLOCK_MINUTE));
    /* Room again: everything is taken again. */
    struct spool_status full;
    spool_status(spool, &full);
    assert_true(spool_acknowledge(spool, full.last));
    outbox_record(outbox, activity(ACTIVITY_KERBEROS_AS, 5000), 5000);
    assert_true(await_kept(kept.count + 1, 60));
    assert_int_equal(kept.last, 5000);
    outbox_record(outbox, activity(ACTIVITY_DNS_QUERY, 5001), 0);
    outbox_status(outbox, &status);
    assert_false(status.failing);
    assert_int_equal(status.dropped_by_kind[ACTIVITY_DNS_QUERY], low);
    outbox_stop(&outbox);
    spool_close(&spool);
    place_close(&place);
}

static void the_kind_is_found_in_the_bytes(void **state)
{
    (void)state;
    for (unsigned kind = 1; kind < ACTIVITY_KINDS; kind++)
        assert_int_equal(activity_kind_of(activity((enum activity_kind)kind, 1)), kind);
    struct bytes record = activity(ACTIVITY_LDAP_BIND, 1);
    for (size_t size = 0; size < record.size; size++) {
        enum activity_kind kind = activity_kind_of((struct bytes){record.data, size});
        assert_true(kind == ACTIVITY_NONE || kind == ACTIVITY_LDAP_BIND);
    }
    static const uint8_t others[][8] = {{0xc0}, {0x81, 0x01, 0x02}, {0x81, 0xa4, 'k', 'i', 'n', 'd', 0x05}};
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(activity_kind_of((struct bytes){others[i], sizeof others[i]}), ACTIVITY_NONE);
    assert_int_equal(record_value_of(ACTIVITY_MDNS_QUERY), VALUE_LOW);
    assert_int_equal(record_value_of(ACTIVITY_DRS_REPLICATE), VALUE_HIGH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_recorded_is_there_within_the_interval),
        cmocka_unit_test(who_waits_does_not_wait_for_the_interval),
        cmocka_unit_test(what_was_kept_survives_a_power_cut),
        cmocka_unit_test(the_end_comes_during_a_commit),
        cmocka_unit_test(the_least_is_left_out_first),
        cmocka_unit_test(the_kind_is_found_in_the_bytes),
    };
    return crypto_sodium_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
