/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of an alert: the rules, one by one; and that whatever a crash makes come again changes nothing.
 */
#include "center/alerts.h"
#include "center/store_alert_keys.h"
#include "center/store_audit.h"

#include "place.h"

#include <stdio.h>
#include <stdlib.h>

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static struct alert *raised_at(uint64_t position, uint64_t key, int64_t time)
{
    static struct alert alert;
    alert = (struct alert){.external_id = 2006,
                           .severity = SEVERITY_MEDIUM,
                           .key = {key, 1},
                           .start = time,
                           .end = time,
                           .count = 1,
                           .last = {position, 0}};
    strcpy(alert.name, "TestSecurityAlert");
    for (unsigned i = 0; i < 8; i++)
        alert.id[i] = (uint8_t)(position >> (8 * i)), alert.id[8 + i] = (uint8_t)(key >> (8 * i));
    alert_add_activity(&alert, alert.last, time);
    snprintf(alert.explanation, sizeof(alert.explanation), "at %llu", (unsigned long long)position);
    return &alert;
}

static struct stored_alert *stored_of(const struct alert *alert)
{
    static struct stored_alert stored;
    stored = (struct stored_alert){.workspace = 1, .alert = *alert};
    return &stored;
}

static void add_party(struct alert *alert, enum alert_role role, const char *name, uint8_t confidence)
{
    struct alert_party *party = &alert->parties[alert->party_count++];
    *party = (struct alert_party){.role = role, .kind = SUBJECT_ACCOUNT, .confidence = confidence};
    snprintf(party->name, sizeof(party->name), "%s", name);
}

/* --- the rules --- */

static void merged(void **state)
{
    (void)state;
    struct alert alert = *raised_at(1, 7, 1000), repeat;
    add_party(&alert, ALERT_ACCOUNT, "alice", 50);
    add_party(&alert, ALERT_ACCOUNT, "bob", 90);
    alert_put_number(&alert, "attempts", 3);
    alert_put_number(&alert, "old", 1);
    repeat = *raised_at(2, 7, 2000);
    repeat.severity = SEVERITY_HIGH;
    add_party(&repeat, ALERT_ACCOUNT, "alice", 80);
    add_party(&repeat, ALERT_ACCOUNT, "bob", 10);
    add_party(&repeat, ALERT_SOURCE, "alice", 80);
    alert_put_number(&repeat, "attempts", 9);
    alert_case_merge(&alert, &repeat);
    assert_int_equal(alert.party_count, 3);
    assert_int_equal(alert.parties[0].confidence, 80);
    assert_int_equal(alert.parties[1].confidence, 90);
    assert_int_equal(alert.evidence_count, 2);
    assert_true(alert.evidence[0].number == 9);
    assert_int_equal(alert.severity, SEVERITY_HIGH);
    assert_int_equal(alert.start, 1000);
    assert_int_equal(alert.end, 2000);
    assert_int_equal(alert.count, 2);
    assert_int_equal(alert.activity_count, 2);
    assert_int_equal(alert.last.position, 2);
    assert_string_equal(alert.explanation, "at 2");
    assert_false(alert.truncated);
    repeat = *raised_at(3, 7, 500);
    repeat.severity = SEVERITY_LOW;
    alert_case_merge(&alert, &repeat);
    assert_int_equal(alert.start, 500);
    assert_int_equal(alert.severity, SEVERITY_HIGH);
}

/* Of an earlier place in the log: it adds what is missing, and the later one's words stay. */
static void merged_late(void **state)
{
    (void)state;
    struct alert alert = *raised_at(9, 7, 9000), repeat = *raised_at(4, 7, 4000);
    add_party(&alert, ALERT_ACCOUNT, "alice", 50);
    add_party(&alert, ALERT_ACCOUNT, "bob", 50);
    alert_put_number(&alert, "attempts", 9);
    add_party(&repeat, ALERT_ACCOUNT, "alice", 50);
    repeat.parties[0].address.family = 4;
    add_party(&repeat, ALERT_ACCOUNT, "bob", 60);
    alert_put_number(&repeat, "attempts", 4);
    alert_put_number(&repeat, "first", 1);
    alert_case_merge(&alert, &repeat);
    assert_int_equal(alert.count, 2);
    assert_int_equal(alert.start, 4000);
    assert_int_equal(alert.end, 9000);
    assert_int_equal(alert.last.position, 9);
    assert_int_equal(alert.parties[0].address.family, 0);
    assert_int_equal(alert.parties[1].confidence, 60);
    assert_int_equal(alert.evidence_count, 2);
    assert_true(alert.evidence[0].number == 9);
    assert_string_equal(alert.explanation, "at 9");
    assert_int_equal(alert.activities[0].place.position, 4);
    assert_int_equal(alert.activities[1].place.position, 9);
}

/* The first and the last ones, in whatever order they come. */
static void activities_in_any_order(void **state)
{
    (void)state;
    uint64_t chance = 5;
    for (unsigned round = 0; round < 200; round++) {
        const unsigned count = 1 + (unsigned)(next_random(&chance) % 100);
        unsigned order[100];
        struct alert alert = {.external_id = 1};
        for (unsigned i = 0; i < count; i++) {
            const unsigned at = (unsigned)(next_random(&chance) % (i + 1));
            order[i] = order[at];
            order[at] = i;
        }
        for (unsigned i = 0; i < count; i++)
            alert_add_activity(&alert, (struct activity_place){7, order[i]}, order[i]);
        const unsigned kept = count < ALERT_ACTIVITIES_MAX ? count : ALERT_ACTIVITIES_MAX;
        assert_int_equal(alert.activity_count, kept);
        assert_int_equal(alert.truncated, count > ALERT_ACTIVITIES_MAX);
        for (unsigned i = 0; i < kept; i++) {
            const unsigned is = i < ALERT_ACTIVITIES_MAX / 2 ? i : count - kept + i;
            assert_int_equal(alert.activities[i].place.index, is);
            assert_int_equal(alert.activities[i].time, is);
        }
    }
}

static void bounded(void **state)
{
    (void)state;
    struct alert alert = *raised_at(1, 7, 1000);
    for (unsigned i = 2; i < 200; i++) {
        char name[16];
        struct alert repeat = *raised_at(i, 7, 1000 + i);
        snprintf(name, sizeof(name), "u%u", i);
        add_party(&repeat, ALERT_ACCOUNT, name, 100);
        alert_put_number(&repeat, name, i);
        alert_case_merge(&alert, &repeat);
    }
    assert_int_equal(alert.party_count, ALERT_PARTIES_MAX);
    assert_int_equal(alert.evidence_count, ALERT_EVIDENCE_MAX);
    assert_int_equal(alert.activity_count, ALERT_ACTIVITIES_MAX);
    assert_int_equal(alert.activities[0].place.position, 1);
    assert_int_equal(alert.activities[ALERT_ACTIVITIES_MAX - 1].place.position, 199);
    assert_int_equal(alert.count, 199);
    assert_true(alert.truncated);
}

/* By one shard alone. */
static enum alert_trigger case_raise(struct stored_alert *newest, const struct alert *raised)
{
    struct alert_progress fresh;
    enum alert_trigger trigger = alert_case_raise(newest, (struct alert_raiser){0, 1}, raised, &fresh);
    assert_int_equal(fresh.shards, 0);
    return trigger;
}

static void repeats(void **state)
{
    (void)state;
    assert_int_equal(case_raise(NULL, raised_at(1, 7, 1000)), ALERT_NEW);
    struct stored_alert *s = stored_of(raised_at(1, 7, 1000));
    assert_int_equal(case_raise(s, raised_at(1, 7, 1000)), ALERT_NOTHING);
    assert_int_equal(case_raise(s, raised_at(2, 7, 2000)), ALERT_UPDATED);
    assert_int_equal(case_raise(s, raised_at(2, 7, 2000)), ALERT_NOTHING);
    assert_int_equal(case_raise(s, raised_at(1, 7, 1000)), ALERT_NOTHING);
    assert_int_equal(s->alert.count, 2);
}

static enum alert_trigger change(struct stored_alert *s, enum alert_status status,
                                 enum alert_classification classification)
{
    struct fault fault;
    struct alert_change wanted = {status, classification};
    return alert_case_change(s, &wanted, &fault);
}

static void closed_and_come_again(void **state)
{
    (void)state;
    struct stored_alert *s = stored_of(raised_at(1, 7, 1000));
    assert_int_equal(change(s, ALERT_CLOSED, ALERT_FALSE_POSITIVE), ALERT_WAS_CLOSED);
    assert_int_equal(s->classification, ALERT_FALSE_POSITIVE);
    assert_int_equal(change(s, ALERT_CLOSED, ALERT_CLASSIFICATIONS), ALERT_NOTHING);
    assert_int_equal(case_raise(s, raised_at(2, 7, 1000 + ALERT_REOPEN)), ALERT_REOPENED);
    assert_int_equal(s->alert.status, ALERT_OPEN);
    assert_true(s->reopened);
    assert_int_equal(s->alert.count, 2);
    change(s, ALERT_CLOSED, ALERT_CLASSIFICATIONS);
    assert_int_equal(case_raise(s, raised_at(3, 7, s->alert.end + ALERT_REOPEN + 1)), ALERT_NEW);
    assert_int_equal(s->alert.status, ALERT_CLOSED);
    assert_int_equal(s->alert.count, 2);
}

static void suppressed_until_quiet(void **state)
{
    (void)state;
    struct stored_alert *s = stored_of(raised_at(1, 7, 1000));
    assert_int_equal(change(s, ALERT_SUPPRESSED, ALERT_CLASSIFICATIONS), ALERT_WAS_SUPPRESSED);
    assert_int_equal(s->suppressed_until, 1000 + ALERT_QUIET);
    assert_int_equal(case_raise(s, raised_at(2, 7, 1000 + 6 * CLOCK_DAY)), ALERT_SILENT);
    assert_int_equal(case_raise(s, raised_at(3, 7, 1000 + 12 * CLOCK_DAY)), ALERT_SILENT);
    assert_int_equal(case_raise(s, raised_at(4, 7, 1000 + 19 * CLOCK_DAY)), ALERT_REOPENED);
    assert_int_equal(s->alert.count, 4);
    assert_int_equal(s->suppressed_until, 0);
}

static void deleted_is_deleted(void **state)
{
    (void)state;
    struct stored_alert *s = stored_of(raised_at(1, 7, 1000));
    add_party(&s->alert, ALERT_ACCOUNT, "alice", 50);
    assert_int_equal(change(s, ALERT_DELETED, ALERT_CLASSIFICATIONS), ALERT_WAS_DELETED);
    assert_int_equal(s->alert.party_count, 0);
    assert_string_equal(s->alert.explanation, "");
    assert_int_equal(case_raise(s, raised_at(1, 7, 1000)), ALERT_NOTHING);
    assert_int_equal(case_raise(s, raised_at(2, 7, 1001)), ALERT_NEW);
    struct fault fault = {{0}};
    struct alert_change wanted = {ALERT_OPEN, ALERT_CLASSIFICATIONS};
    assert_int_equal(alert_case_change(s, &wanted, &fault), ALERT_NOTHING);
    assert_string_equal(fault.text, "the alert is deleted");
}

static void other_changes(void **state)
{
    (void)state;
    struct stored_alert *s = stored_of(raised_at(1, 7, INT64_MAX - 5));
    assert_int_equal(change(s, ALERT_STATUSES, ALERT_TRUE_POSITIVE), ALERT_CLASSIFIED);
    assert_int_equal(change(s, ALERT_STATUSES, ALERT_TRUE_POSITIVE), ALERT_NOTHING);
    assert_int_equal(change(s, ALERT_OPEN, ALERT_CLASSIFICATIONS), ALERT_NOTHING);
    change(s, ALERT_SUPPRESSED, ALERT_CLASSIFICATIONS);
    assert_int_equal(s->suppressed_until, INT64_MAX);
    assert_int_equal(change(s, ALERT_OPEN, ALERT_CLASSIFICATIONS), ALERT_REOPENED);
    assert_int_equal(s->suppressed_until, 0);
    assert_string_equal(alert_trigger_name(ALERT_WAS_CLOSED), "closed");
    assert_string_equal(alert_trigger_name((enum alert_trigger)99), "nothing");
}

/* --- on the store --- */

struct world {
    struct place place;
    struct store *store;
    struct clock_manual clock;
    struct alerts alerts;
    unsigned changing, changed;
    enum alert_trigger last;
};

static void on_changing(void *context, struct store *store, const struct stored_alert *alert,
                        enum alert_trigger trigger, int64_t now)
{
    struct world *world = context;
    assert_ptr_equal(store, world->store);
    assert_int_equal(now, world->clock.wall);
    assert_int_not_equal(trigger, ALERT_SILENT);
    assert_true(alert->number > 0);
    world->changing++;
}

static void on_changed(void *context, const struct stored_alert *alert, enum alert_trigger trigger)
{
    struct world *world = context;
    (void)alert;
    world->changed++;
    world->last = trigger;
}

static void world_open(struct world *world)
{
    struct fault fault;
    *world = (struct world){.changed = 0};
    place_open(&world->place);
    world->store = store_open(place_file(&world->place, "store"), STORE_PIPELINE, &fault);
    if (!world->store)
        fail_msg("%s", fault.text);
    clock_manual_init(&world->clock, 1000 * CLOCK_DAY);
    world->alerts = (struct alerts){.store = world->store,
                                    .clock = &world->clock.clock,
                                    .listener_count = 2,
                                    .listeners = {{on_changing, on_changed, world}, {NULL, NULL, NULL}}};
}

static void world_close(struct world *world)
{
    store_close(&world->store);
    place_close(&world->place);
}

static enum alert_trigger raise(struct world *world, const struct alert *alert)
{
    enum alert_trigger trigger;
    struct fault fault;
    if (!alerts_raise(&world->alerts, 1, alert, &trigger, &fault))
        fail_msg("%s", fault.text);
    return trigger;
}

static bool audit_last(void *context, const struct audit_entry *entry)
{
    *(struct audit_entry *)context = *entry;
    return false;
}

static void stored_told_and_audited(void **state)
{
    (void)state;
    struct world world;
    struct stored_alert *after = calloc(1, sizeof(*after));
    struct audit_entry entry = {.number = 0};
    struct fault fault;
    bool known;
    world_open(&world);
    struct alert first = *raised_at(10, 7, 5000);
    assert_int_equal(raise(&world, &first), ALERT_NEW);
    assert_int_equal(world.changing, 1);
    assert_int_equal(world.changed, 1);
    assert_int_equal(raise(&world, &first), ALERT_NOTHING);
    assert_int_equal(world.changed, 1);
    assert_int_equal(raise(&world, raised_at(11, 8, 5001)), ALERT_NEW); /* another key */
    assert_int_equal(raise(&world, raised_at(12, 7, 5002)), ALERT_UPDATED);
    assert_true(store_alert_newest(world.store, 1, "TestSecurityAlert", 2006, (struct subject){7, 1}, after));
    assert_memory_equal(after->alert.id, first.id, 16);
    assert_int_equal(after->alert.count, 2);
    assert_false(
        store_alert_newest(world.store, 2, "TestSecurityAlert", 2006, (struct subject){7, 1}, after));
    struct alert_change close = {ALERT_CLOSED, ALERT_TRUE_POSITIVE};
    assert_true(alerts_change(&world.alerts, 1, first.id, &close, "alice", after, &known, &fault));
    assert_int_equal(after->alert.status, ALERT_CLOSED);
    assert_int_equal(world.last, ALERT_WAS_CLOSED);
    store_audit_list(world.store, 1, NULL, 0, 10, audit_last, &entry);
    assert_string_equal(entry.who, "alice");
    assert_string_equal(entry.what, "alert-closed");
    assert_string_equal(entry.before, "status=open classification=none count=2");
    assert_string_equal(entry.after, "status=closed classification=true-positive count=2");
    assert_true(alerts_change(&world.alerts, 1, first.id, &close, "alice", NULL, &known, &fault));
    const uint8_t nobody[16] = {9};
    assert_false(alerts_change(&world.alerts, 1, nobody, &close, "alice", NULL, &known, &fault));
    assert_false(known);
    assert_false(alerts_change(&world.alerts, 2, first.id, &close, "alice", NULL, &known, &fault));
    assert_false(known);
    close.status = ALERT_DELETED;
    assert_true(alerts_change(&world.alerts, 1, first.id, &close, "alice", NULL, &known, &fault));
    assert_false(alerts_change(&world.alerts, 1, first.id, &close, "alice", NULL, &known, &fault));
    assert_true(known);
    world_close(&world);
    free(after);
}

/* --- whatever comes again --- */

#define EVENTS 120u

struct event {
    enum { RAISE, CHANGE } what;
    uint64_t position, key;
    int64_t time;
    struct alert_change change;
};

static void make_story(struct event events[EVENTS], uint64_t *seed)
{
    int64_t time = 100 * CLOCK_DAY;
    for (unsigned i = 0; i < EVENTS; i++) {
        static const int64_t steps[] = {CLOCK_SECOND, CLOCK_HOUR, 20 * CLOCK_HOUR, 5 * CLOCK_DAY,
                                        9 * CLOCK_DAY};
        time += steps[next_random(seed) % 5];
        events[i] = (struct event){.position = i + 1, .key = next_random(seed) % 4, .time = time};
        if (next_random(seed) % 3 == 0) {
            events[i].what = CHANGE;
            events[i].change =
                (struct alert_change){(enum alert_status)(next_random(seed) % (ALERT_STATUSES + 1)),
                                      (enum alert_classification)(next_random(seed) % ALERT_CLASSIFICATIONS)};
        }
    }
}

static void play(struct world *world, const struct event *event)
{
    struct fault fault;
    bool known;
    if (event->what == RAISE) {
        raise(world, raised_at(event->position, event->key, event->time));
        return;
    }
    struct stored_alert *newest = calloc(1, sizeof(*newest));
    if (store_alert_newest(world->store, 1, "TestSecurityAlert", 2006, (struct subject){event->key, 1},
                           newest))
        alerts_change(&world->alerts, 1, newest->alert.id, &event->change, "bob", NULL, &known, &fault);
    free(newest);
}

struct digest {
    char text[EVENTS * 160];
    size_t size;
};

static bool add_to_digest(void *context, const struct stored_alert *s)
{
    struct digest *digest = context;
    digest->size += (size_t)snprintf(digest->text + digest->size, sizeof(digest->text) - digest->size,
                                     "%02x%02x key %llu status %d %d n %llu last %llu until %lld %u\n",
                                     s->alert.id[0], s->alert.id[8], (unsigned long long)s->alert.key.high,
                                     s->alert.status, s->classification, (unsigned long long)s->alert.count,
                                     (unsigned long long)s->alert.last.position,
                                     (long long)s->suppressed_until, s->alert.activity_count);
    return true;
}

static void digest_of(struct world *world, struct digest *digest)
{
    struct alert_filter filter = {.statuses = (1u << ALERT_STATUSES) - 1, .limit = 1000};
    digest->size = 0;
    digest->text[0] = '\0';
    store_alerts_list(world->store, 1, &filter, add_to_digest, digest);
}

/* Changes by people are made once; what a pipeline raises comes again from wherever it had remembered. */
static void a_crash_changes_nothing(void **state)
{
    (void)state;
    static struct event events[EVENTS];
    static struct digest calm, crashed;
    uint64_t seed = 0x9e3779b97f4a7c15u;
    for (unsigned round = 0; round < 12; round++) {
        struct world world;
        make_story(events, &seed);
        world_open(&world);
        for (unsigned i = 0; i < EVENTS; i++)
            play(&world, &events[i]);
        digest_of(&world, &calm);
        world_close(&world);
        world_open(&world);
        for (unsigned i = 0; i < EVENTS; i++) {
            play(&world, &events[i]);
            if (next_random(&seed) % 8 != 0)
                continue;
            for (unsigned again = (unsigned)(next_random(&seed) % (i + 1)); again <= i; again++)
                if (events[again].what == RAISE)
                    assert_int_equal(raise(&world, raised_at(events[again].position, events[again].key,
                                                             events[again].time)),
                                     ALERT_NOTHING);
        }
        digest_of(&world, &crashed);
        world_close(&world);
        assert_string_equal(calm.text, crashed.text);
        assert_true(calm.size > 0);
    }
}

/* Three shards go through one story, each as fast as it likes, each looking again at what it did: nothing is
 * missed or counted twice, whoever is ahead. */
static void of_several_shards(void **state)
{
    (void)state;
    enum { SHARDS = 3, RAISES = 120 };
    uint64_t chance = 77;
    for (unsigned round = 0; round < 20; round++) {
        struct world world;
        struct stored_alert *stored = calloc(1, sizeof(*stored));
        unsigned at[SHARDS] = {0}, left = SHARDS;
        assert_non_null(stored);
        world_open(&world);
        while (left) {
            const unsigned shard = (unsigned)(next_random(&chance) % SHARDS);
            if (at[shard] >= RAISES)
                continue;
            world.alerts.raiser = (struct alert_raiser){shard, SHARDS};
            unsigned until = at[shard] + (unsigned)(next_random(&chance) % 30);
            until = until < RAISES ? until : RAISES;
            for (unsigned i = at[shard] - (unsigned)(next_random(&chance) % (at[shard] + 1)); i < until;
                 i++) {
                const enum alert_trigger fresh = world.changed ? ALERT_UPDATED : ALERT_NEW;
                if (i * 7 % SHARDS == shard)
                    assert_int_equal(raise(&world, raised_at(100 + i, 7, 1000 + i)),
                                     i < at[shard] ? ALERT_NOTHING : fresh);
            }
            at[shard] = until;
            left -= until == RAISES;
        }
        assert_true(
            store_alert_newest(world.store, 1, "TestSecurityAlert", 2006, (struct subject){7, 1}, stored));
        assert_int_equal(stored->alert.count, RAISES);
        assert_int_equal(stored->alert.last.position, 100 + RAISES - 1);
        assert_int_equal(stored->alert.start, 1000);
        assert_int_equal(stored->alert.activities[15].place.position, 115);
        /* Another number of them: all of it was merged before. */
        for (unsigned shard = 0; shard < 2; shard++) {
            world.alerts.raiser = (struct alert_raiser){shard, 2};
            assert_int_equal(raise(&world, raised_at(150 + shard, 7, 1050)), ALERT_NOTHING);
            assert_int_equal(raise(&world, raised_at(301 - shard, 7, 2000)), ALERT_UPDATED);
            assert_int_equal(raise(&world, raised_at(301 - shard, 7, 2000)), ALERT_NOTHING);
        }
        /* One alone again. */
        world.alerts.raiser = (struct alert_raiser){0, 1};
        assert_int_equal(raise(&world, raised_at(301, 7, 2000)), ALERT_NOTHING);
        assert_int_equal(raise(&world, raised_at(302, 7, 2000)), ALERT_UPDATED);
        world_close(&world);
        free(stored);
    }
}

/* What was merged before it was deleted does not make a new one. */
static void deleted_by_one_of_several(void **state)
{
    (void)state;
    struct alert_progress fresh;
    struct stored_alert *s = stored_of(raised_at(5, 7, 1000));
    const struct alert_raiser one = {0, 2}, other = {1, 2};
    assert_int_equal(alert_case_raise(NULL, one, &s->alert, &s->progress), ALERT_NEW);
    assert_int_equal(alert_case_raise(s, other, raised_at(3, 7, 1000), &fresh), ALERT_UPDATED);
    change(s, ALERT_DELETED, ALERT_CLASSIFICATIONS);
    assert_int_equal(alert_case_raise(s, other, raised_at(3, 7, 1000), &fresh), ALERT_NOTHING);
    assert_int_equal(alert_case_raise(s, one, raised_at(6, 7, 1000), &fresh), ALERT_NEW);
    assert_int_equal(fresh.lasts[0].position, 6);
    struct stored_alert *next = stored_of(raised_at(6, 7, 1000));
    next->progress = fresh;
    assert_int_equal(alert_case_raise(next, other, raised_at(3, 7, 1000), &fresh), ALERT_NOTHING);
    assert_int_equal(alert_case_raise(next, other, raised_at(4, 7, 1000), &fresh), ALERT_UPDATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merged_late),
        cmocka_unit_test(activities_in_any_order),
        cmocka_unit_test(of_several_shards),
        cmocka_unit_test(deleted_by_one_of_several),
        cmocka_unit_test(merged),
        cmocka_unit_test(bounded),
        cmocka_unit_test(repeats),
        cmocka_unit_test(closed_and_come_again),
        cmocka_unit_test(suppressed_until_quiet),
        cmocka_unit_test(deleted_is_deleted),
        cmocka_unit_test(other_changes),
        cmocka_unit_test(stored_told_and_audited),
        cmocka_unit_test(a_crash_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
