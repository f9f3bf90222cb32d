/* SPDX-License-Identifier: Apache-2.0
 *
 * The spool, on a disk in memory that crashes at every system call, and on the real one.
 */
#include "cluster/crypto_sodium.h"
#include "node/spool.h"
#include "tests/unit/crash_disk.h"
#include "tests/unit/place.h"
#include "tests/unit/unit.h"

#define DIRECTORY "/spool"

static struct spool_config config_on(const struct disk *disk, bool drop_oldest)
{
    return (struct spool_config){.disk = disk,
                                 .directory = DIRECTORY,
                                 .segments = 4,
                                 .segment_bytes = 1024,
                                 .drop_oldest = drop_oldest};
}

static struct spool *open_on(const struct disk *disk, bool drop_oldest)
{
    struct spool_config config = config_on(disk, drop_oldest);
    struct fault fault;
    struct spool *spool = spool_open(&config, &fault);
    if (!spool)
        fail_msg("%s", fault.text);
    return spool;
}

/* Entry n is n told in text, and filler: which one it is can be read from it. */
static size_t fill(uint8_t payload[256], unsigned n)
{
    size_t size = 40 + n % 150;
    memset(payload, 'x', size);
    snprintf((char *)payload, size, "entry %u", n);
    return size;
}

static enum spool_verdict put(struct spool *spool, unsigned n, bool durable)
{
    uint8_t payload[256];
    size_t size = fill(payload, n);
    return spool_append(spool, n % 3 ? SPOOL_ACTIVITIES : SPOOL_ENTITIES, n, (struct bytes){payload, size},
                        durable);
}

static void expect_entry(const struct spool_entry *entry, unsigned n)
{
    uint8_t payload[256];
    size_t size = fill(payload, n);
    assert_int_equal(entry->size, size);
    assert_memory_equal(entry->payload, payload, size);
    assert_int_equal(entry->wall, n);
    assert_int_equal(entry->kind, n % 3 ? SPOOL_ACTIVITIES : SPOOL_ENTITIES);
}

static void what_was_appended_is_read_in_order(void **state)
{
    (void)state;
    struct crash_disk *d = crash_disk_new(1);
    struct spool *spool = open_on(&d->disk, false);
    struct spool_entry entry;
    assert_false(spool_next(spool, 0, &entry));
    for (unsigned n = 1; n <= 12; n++)
        assert_int_equal(put(spool, n, n % 4 == 0), SPOOL_KEPT);
    for (unsigned n = 1; n <= 12; n++) {
        assert_true(spool_next(spool, n - 1, &entry));
        assert_int_equal(entry.sequence, n);
        expect_entry(&entry, n);
        spool_entry_free(&entry);
    }
    assert_false(spool_next(spool, 12, &entry));
    /* Again from the middle: the reader's place is only a hint. */
    assert_true(spool_next(spool, 4, &entry));
    expect_entry(&entry, 5);
    spool_entry_free(&entry);
    struct spool_status status;
    spool_status(spool, &status);
    assert_int_equal(status.first, 1);
    assert_int_equal(status.last, 12);
    assert_int_equal(status.entries, 12);
    assert_int_equal(status.oldest, 1);
    spool_close(&spool);
    spool = open_on(&d->disk, false);
    assert_int_equal(put(spool, 13, true), SPOOL_KEPT);
    assert_true(spool_next(spool, 12, &entry));
    expect_entry(&entry, 13);
    spool_entry_free(&entry);
    spool_close(&spool);
    crash_disk_free(d);
}

static void acknowledged_room_is_used_again(void **state)
{
    (void)state;
    struct crash_disk *d = crash_disk_new(2);
    struct spool *spool = open_on(&d->disk, false);
    unsigned n = 0;
    while (put(spool, n + 1, true) == SPOOL_KEPT)
        n++;
    assert_in_range(n, 15, 60);
    struct spool_status status;
    spool_status(spool, &status);
    assert_int_equal(status.refused, 1);
    assert_int_equal(status.entries, n);
    for (unsigned round = 0; round < 50; round++) {
        assert_true(spool_acknowledge(spool, n - 2));
        assert_int_equal(put(spool, n + 1, true), SPOOL_KEPT);
        n++;
    }
    struct spool_entry entry;
    spool_status(spool, &status);
    assert_int_equal(status.acknowledged, n - 3);
    assert_true(spool_next(spool, status.acknowledged, &entry));
    assert_int_equal(entry.sequence, n - 2);
    spool_entry_free(&entry);
    /* All acknowledged: the numbers go on all the same. */
    assert_true(spool_acknowledge(spool, n + 1000));
    spool_close(&spool);
    spool = open_on(&d->disk, false);
    assert_int_equal(put(spool, 7, true), SPOOL_KEPT);
    spool_status(spool, &status);
    assert_int_equal(status.last, n + 1);
    spool_close(&spool);
    crash_disk_free(d);
}

static void with_nobody_to_receive_the_oldest_goes(void **state)
{
    (void)state;
    struct crash_disk *d = crash_disk_new(3);
    struct spool *spool = open_on(&d->disk, true);
    for (unsigned n = 1; n <= 300; n++)
        assert_int_equal(put(spool, n, true), SPOOL_KEPT);
    struct spool_status status;
    spool_status(spool, &status);
    assert_int_equal(status.last, 300);
    assert_int_equal(status.dropped + status.entries, 300);
    assert_true(status.bytes <= status.bytes_max);
    struct spool_entry entry;
    uint64_t at = 0, count = 0;
    for (; spool_next(spool, at, &entry); spool_entry_free(&entry), count++) {
        assert_true(at == 0 || entry.sequence == at + 1);
        at = entry.sequence;
        expect_entry(&entry, (unsigned)at);
    }
    assert_int_equal(at, 300);
    assert_int_equal(count, status.entries);
    spool_close(&spool);
    crash_disk_free(d);
}

static void what_is_too_long_is_refused(void **state)
{
    (void)state;
    struct crash_disk *d = crash_disk_new(4);
    struct spool *spool = open_on(&d->disk, true);
    static uint8_t big[2048];
    assert_int_equal(spool_append(spool, SPOOL_ENTITIES, 1, (struct bytes){big, 961}, true), SPOOL_TOO_LONG);
    assert_int_equal(spool_append(spool, SPOOL_ENTITIES, 1, (struct bytes){big, 960}, true), SPOOL_KEPT);
    assert_int_equal(spool_append(spool, SPOOL_ENTITIES, 1, (struct bytes){NULL, 0}, true), SPOOL_KEPT);
    spool_close(&spool);
    struct spool_config config = config_on(&d->disk, true);
    struct fault fault;
    config.segments = 1;
    assert_null(spool_open(&config, &fault));
    crash_disk_free(d);
}

/* What was told to be durable is there after a crash at any call, in order and whole; what was acknowledged
 * may come again, what was not is never lost. */
static void a_crash_at_any_call(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 40; seed++) {
        for (unsigned crash = 1;; crash++) {
            struct crash_disk *d = crash_disk_new(seed * 1000 + crash);
            struct spool_config config = config_on(&d->disk, false);
            struct fault fault;
            unsigned durable = 0, acknowledged = 0, n = 0; /* acknowledged: maybe */
            d->crash_at = seed % 2 ? crash : crash * 3;
            struct spool *spool = spool_open(&config, &fault);
            while (spool && n < 30 && !d->crashed) {
                bool sync = (n + seed) % 3 == 0;
                if (put(spool, n + 1, sync) != SPOOL_KEPT)
                    break;
                n++;
                if (sync)
                    durable = n;
                if (n > 10 && n % 5 == 0) {
                    acknowledged = n - 8;
                    spool_acknowledge(spool, acknowledged);
                }
            }
            bool crashed = d->crashed;
            spool_close(&spool);
            crash_disk_reboot(d);
            spool = open_on(&d->disk, false);
            struct spool_entry entry;
            uint64_t at = acknowledged;
            while (spool_next(spool, at, &entry)) {
                assert_int_equal(entry.sequence, at + 1);
                expect_entry(&entry, (unsigned)entry.sequence);
                at = entry.sequence;
                spool_entry_free(&entry);
            }
            assert_true(at >= durable);
            /* And it can be gone on with. */
            assert_true(spool_acknowledge(spool, at));
            assert_int_equal(put(spool, (unsigned)at + 1, true), SPOOL_KEPT);
            assert_true(spool_next(spool, at, &entry));
            expect_entry(&entry, (unsigned)at + 1);
            spool_entry_free(&entry);
            spool_close(&spool);
            crash_disk_free(d);
            if (!crashed)
                break;
        }
    }
}

/* A call that fails, and a disk that works again: nothing is lost, nothing comes twice. */
static void a_call_that_fails(void **state)
{
    (void)state;
    for (unsigned fail = 1; fail < 120; fail++) {
        struct crash_disk *d = crash_disk_new(fail);
        struct spool *spool = open_on(&d->disk, false);
        d->calls = 0;
        d->fail_at = fail;
        d->error = ENOSPC;
        unsigned n = 0, failures = 0;
        while (n < 12 && failures < 5) {
            if (put(spool, n + 1, true) == SPOOL_KEPT)
                n++;
            else
                failures++;
        }
        assert_int_equal(n, 12);
        assert_true(failures <= 1);
        d->fail_at = 0;
        spool_close(&spool);
        spool = open_on(&d->disk, false);
        struct spool_entry entry;
        for (unsigned i = 1; i <= 12; i++) {
            assert_true(spool_next(spool, i - 1, &entry));
            expect_entry(&entry, i);
            spool_entry_free(&entry);
        }
        assert_false(spool_next(spool, 12, &entry));
        spool_close(&spool);
        crash_disk_free(d);
    }
}

static struct crash_file *segment_of(struct crash_disk *d, unsigned slot)
{
    char path[64];
    snprintf(path, sizeof path, DIRECTORY "/%02u.segment", slot);
    return &d->files[crash_find(d->names, path, false)->file];
}

/* Wherever a segment ends: what stands before is there, nothing half-written is read, and where that can be
 * seen (not between two entries of the newest) no number that was used is used again. */
static void a_cut_at_any_offset(void **state)
{
    (void)state;
    for (unsigned slot = 0; slot < 3; slot++) {
        for (size_t cut = 0; cut < 1024; cut++) {
            struct crash_disk *d = crash_disk_new(slot + 1);
            struct spool *spool = open_on(&d->disk, false);
            unsigned n = 0;
            while (n < 22 && put(spool, n + 1, true) == SPOOL_KEPT)
                n++;
            assert_int_equal(n, 22);
            uint64_t generation = spool_generation(spool);
            spool_close(&spool);
            struct crash_file *file = segment_of(d, slot);
            bool whole = cut >= file->size;
            if (!whole)
                file->size = cut;
            spool = open_on(&d->disk, false);
            struct spool_entry entry;
            uint64_t at = 0, count = 0;
            for (; spool_next(spool, at, &entry); spool_entry_free(&entry), count++) {
                assert_true(entry.sequence > at && entry.sequence <= n);
                at = entry.sequence;
                expect_entry(&entry, (unsigned)at);
            }
            assert_true(whole ? count == n : count < n && count + 12 > n);
            assert_int_equal(spool_generation(spool), generation);
            struct spool_status status;
            spool_status(spool, &status);
            assert_true(status.damaged ? status.last > n : status.last == at);
            assert_true(spool_acknowledge(spool, n)); /* or there may be no room */
            assert_int_equal(put(spool, 100, true), SPOOL_KEPT);
            assert_true(spool_next(spool, at, &entry));
            expect_entry(&entry, 100);
            assert_int_equal(spool_durable(spool), entry.sequence);
            spool_entry_free(&entry);
            spool_close(&spool);
            crash_disk_free(d);
            if (whole)
                break;
        }
    }
}

static void only_what_is_durable_may_be_sent(void **state)
{
    (void)state;
    struct crash_disk *d = crash_disk_new(11);
    struct spool *spool = open_on(&d->disk, false);
    assert_int_equal(spool_durable(spool), 0);
    put(spool, 1, false);
    put(spool, 2, false);
    assert_int_equal(spool_durable(spool), 0);
    assert_true(spool_sync(spool));
    assert_int_equal(spool_durable(spool), 2);
    put(spool, 3, false);
    d->fail_at = d->calls + 1;
    assert_false(spool_sync(spool));
    assert_int_equal(spool_durable(spool), 2);
    put(spool, 4, true);
    assert_int_equal(spool_durable(spool), 4);
    assert_true(spool_sync(spool)); /* nothing to do */
    spool_close(&spool);
    crash_disk_free(d);
}

/* Numbers and generation together never mean two things. */
static void the_generation_changes_when_numbers_may_have_been_used(void **state)
{
    (void)state;
    struct crash_disk *d = crash_disk_new(12);
    struct spool *spool = open_on(&d->disk, false);
    uint64_t first = spool_generation(spool);
    assert_true(first != 0);
    for (unsigned n = 1; n <= 5; n++)
        put(spool, n, true);
    assert_true(spool_acknowledge(spool, 5));
    spool_close(&spool);
    spool = open_on(&d->disk, false);
    assert_true(spool_generation(spool) == first);
    assert_true(spool_renew(spool));
    uint64_t second = spool_generation(spool);
    assert_true(second != first);
    d->fail_at = d->calls + 1;
    assert_false(spool_renew(spool));
    assert_true(spool_generation(spool) == second);
    spool_close(&spool);
    d->files[crash_find(d->names, DIRECTORY "/acknowledged", false)->file].bytes[9] ^= 1;
    spool = open_on(&d->disk, false);
    assert_true(spool_generation(spool) != second);
    spool_close(&spool);
    crash_disk_free(d);
}

static void damage_costs_what_it_hits(void **state)
{
    (void)state;
    struct crash_disk *d = crash_disk_new(9);
    struct spool *spool = open_on(&d->disk, false);
    for (unsigned n = 1; n <= 12; n++)
        assert_int_equal(put(spool, n, true), SPOOL_KEPT);
    spool_close(&spool);
    segment_of(d, 0)->bytes[100] ^= 0x40; /* within the first segment's first or second entry */
    spool = open_on(&d->disk, false);
    struct spool_status status;
    spool_status(spool, &status);
    assert_true(status.damaged > 0);
    assert_true(status.last > 12);
    struct spool_entry entry;
    uint64_t at = 0;
    for (; spool_next(spool, at, &entry); spool_entry_free(&entry)) {
        at = entry.sequence;
        expect_entry(&entry, (unsigned)at);
    }
    assert_int_equal(at, 12);
    spool_close(&spool);
    crash_disk_free(d);
}

static void on_a_real_disk(void **state)
{
    (void)state;
    struct place place;
    place_open(&place);
    struct spool_config config = config_on(disk_system(), true);
    config.directory = place.path;
    struct fault fault;
    struct spool *spool = spool_open(&config, &fault);
    assert_non_null(spool);
    for (unsigned n = 1; n <= 100; n++)
        assert_int_equal(put(spool, n, n % 10 == 0), SPOOL_KEPT);
    assert_true(spool_sync(spool));
    assert_true(spool_acknowledge(spool, 99));
    spool_close(&spool);
    spool = spool_open(&config, &fault);
    struct spool_entry entry;
    assert_true(spool_next(spool, 99, &entry));
    expect_entry(&entry, 100);
    spool_entry_free(&entry);
    spool_close(&spool);
    place_close(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_appended_is_read_in_order),
        cmocka_unit_test(acknowledged_room_is_used_again),
        cmocka_unit_test(with_nobody_to_receive_the_oldest_goes),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(a_crash_at_any_call),
        cmocka_unit_test(a_call_that_fails),
        cmocka_unit_test(a_cut_at_any_offset),
        cmocka_unit_test(only_what_is_durable_may_be_sent),
        cmocka_unit_test(the_generation_changes_when_numbers_may_have_been_used),
        cmocka_unit_test(damage_costs_what_it_hits),
        cmocka_unit_test(on_a_real_disk),
    };
    return crypto_sodium_start() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}
