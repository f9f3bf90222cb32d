/* SPDX-License-Identifier: Apache-2.0
 *
 * What inputs hear: counted, translated, quarantined; and when that is a matter of health.
 */
#include "events/intake.h"
#include "events/share.h"

#include "base/clock.h"
#include "base/yielding.h"

#include "unit.h"

#include <stdio.h>
#include <time.h>

static struct {
    bool full;
    unsigned records;
    uint64_t tag;
} taken;

static bool take(void *context, struct bytes record, uint64_t tag)
{
    assert_ptr_equal(context, &taken);
    assert_true(record.size > 0);
    if (taken.full)
        return false;
    taken.records++;
    taken.tag = tag;
    return true;
}

static enum event_verdict translate(const struct event *event, struct activity_writer *w)
{
    if (event->id != 4776)
        return event->id == 0 ? EVENT_INVALID : EVENT_IGNORED;
    activity_begin(w, ACTIVITY_SMB_SESSION, event->time);
    return EVENT_TOLD;
}

static struct bytes text(const char *string)
{
    return (struct bytes){(const uint8_t *)string, strlen(string)};
}

static int64_t thread_time(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * CLOCK_SECOND + time.tv_nsec;
}

/* Who hands in is held up, for a bounded while, by so much as it has worked. */
static void a_host_in_need_is_not_hurried(void **state)
{
    (void)state;
    struct yielding yielding;
    struct quarantine *quarantine = quarantine_new(1);
    memset(&taken, 0, sizeof(taken));
    yielding_init(&yielding);
    struct intake_config config = {"syslog", translate, take, &taken, quarantine, &yielding};
    struct intake *intake = intake_new(&config);
    intake_ignore(intake);
    assert_int_equal(atomic_load(&yielding.rested), 0);
    atomic_store(&yielding.share, 200);
    intake_ignore(intake);
    for (int64_t end = thread_time() + 20 * CLOCK_MILLISECOND; thread_time() < end;)
        continue;
    int64_t began = clock_monotonic(clock_system());
    intake_ignore(intake);
    assert_true(clock_monotonic(clock_system()) - began >= 80 * CLOCK_MILLISECOND);
    assert_true(atomic_load(&yielding.rested) >= 80 * CLOCK_MILLISECOND);
    intake_destroy(&intake);
    quarantine_destroy(&quarantine);
}

static void every_message_is_counted_once(void **state)
{
    (void)state;
    memset(&taken, 0, sizeof(taken));
    struct quarantine *quarantine = quarantine_new(1);
    struct intake_config config = {"syslog", translate, take, &taken, quarantine, NULL};
    struct intake *intake = intake_new(&config);
    struct intake_message message = {{4, {192, 0, 2, 1}}, "cef", text("CEF:0|")};
    struct event event = {.id = 4776};
    struct intake_counters c;
    intake_event(intake, &event, &message);
    assert_int_equal(taken.records, 1);
    event.id = 1;
    intake_event(intake, &event, &message);
    event.id = 0;
    intake_event(intake, &event, &message);
    assert_true(intake_record(intake, text("record"), 9));
    assert_int_equal(taken.tag, 9);
    taken.full = true;
    assert_false(intake_record(intake, text("record"), 9));
    event.id = 4776;
    intake_event(intake, &event, &message);
    intake_ignore(intake);
    intake_refuse(intake, &message, "no header");
    intake_lose(intake, 3);
    intake_counters(intake, &c);
    assert_int_equal(c.received, 11);
    assert_int_equal(c.understood, 2);
    assert_int_equal(c.ignored, 2);
    assert_int_equal(c.invalid, 2);
    assert_int_equal(c.dropped, 5);
    assert_true(c.last > 0);
    struct quarantine_source sources[4];
    uint64_t others;
    assert_int_equal(quarantine_sources(quarantine, sources, 4, &others), 1);
    assert_int_equal(others, 0);
    assert_int_equal(sources[0].count, 2);
    assert_string_equal(sources[0].origin.input, "syslog");
    assert_string_equal(sources[0].origin.format, "cef");
    assert_true(ip_address_equal(&sources[0].origin.address, &message.address));
    struct quarantine_entry entry;
    assert_true(quarantine_before(quarantine, UINT64_MAX, &entry));
    assert_int_equal(entry.number, 2);
    assert_string_equal(entry.reason, "no header");
    assert_int_equal(entry.size, 6);
    assert_memory_equal(entry.bytes, "CEF:0|", 6);
    assert_true(quarantine_before(quarantine, 2, &entry));
    assert_int_equal(entry.number, 1);
    assert_false(quarantine_before(quarantine, 1, &entry));
    assert_false(quarantine_before(quarantine, 0, &entry));
    intake_destroy(&intake);
    intake_destroy(&intake);
    quarantine_destroy(&quarantine);
    quarantine_destroy(&quarantine);
}

/* Whoever sends, from wherever, whatever long. */
static void the_quarantine_is_bounded(void **state)
{
    (void)state;
    static uint8_t giant[65536];
    struct quarantine *quarantine = quarantine_new(1);
    for (unsigned i = 0; i < 1000; i++) {
        struct quarantine_origin origin = {"syslog", "unknown", {4, {10, 0, (uint8_t)(i >> 8), (uint8_t)i}}};
        quarantine_put(quarantine, &origin, "why", (struct bytes){giant, sizeof(giant)}, (int64_t)i + 1);
    }
    static struct quarantine_source sources[QUARANTINE_SOURCES + 1];
    uint64_t others, before = UINT64_MAX;
    assert_int_equal(quarantine_sources(quarantine, sources, QUARANTINE_SOURCES + 1, &others),
                     QUARANTINE_SOURCES);
    assert_int_equal(others, 1000 - QUARANTINE_SOURCES);
    struct quarantine_entry entry;
    unsigned entries = 0;
    for (; quarantine_before(quarantine, before, &entry); entries++) {
        assert_int_equal(entry.size, QUARANTINE_BYTES);
        assert_int_equal(entry.whole, sizeof(giant));
        assert_int_equal(entry.time, entry.number);
        before = entry.number;
    }
    assert_int_equal(entries, QUARANTINE_ENTRIES);
    assert_int_equal(before, 1000 - QUARANTINE_ENTRIES + 1);
    quarantine_destroy(&quarantine);
}

static bool look(struct share *share, uint64_t received, uint64_t invalid, uint64_t dropped)
{
    struct intake_counters c = share->seen;
    c.received += received;
    c.invalid += invalid;
    c.dropped += dropped;
    return share_look(share, &c);
}

static void health_follows_the_share(void **state)
{
    (void)state;
    struct share share = {0};
    assert_false(look(&share, 1000, 49, 0)); /* under 5 % */
    assert_false(look(&share, SHARE_LEAST - 1, SHARE_LEAST - 1, 0));
    assert_false(share.raised);
    assert_true(look(&share, 1000, 50, 0));
    assert_true(share.raised);
    assert_int_equal(share.received, 1000);
    assert_int_equal(share.invalid, 50);
    assert_false(look(&share, 1000, 0, 0));
    assert_false(look(&share, 1000, 100, 0)); /* once more: what was fine counts no more */
    assert_false(look(&share, 0, 0, 0));
    assert_false(look(&share, 0, 0, 0));
    assert_true(look(&share, 1000, 0, 0));
    assert_false(share.raised);
    assert_true(look(&share, 5, 0, 1)); /* one that was dropped is one too many */
    assert_true(share.raised);
    assert_int_equal(share.dropped, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_in_need_is_not_hurried),
        cmocka_unit_test(every_message_is_counted_once),
        cmocka_unit_test(the_quarantine_is_bounded),
        cmocka_unit_test(health_follows_the_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
