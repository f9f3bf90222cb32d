/* SPDX-License-Identifier: Apache-2.0
 *
 * Captures of a real domain through a replay's resolver, with and without its directory.
 */
#include "center/replay_resolve.h"

#include "base/clock.h"
#include "center/entities_file.h"
#include "center/replay_source.h"
#include "tests/unit/entity_world.h"

struct run {
    struct replay_resolve *resolve;
    uint32_t activities, accounts, guids, controllers, in;
    int64_t last;
};

static struct activity activity;

static void count(void *context, struct bytes record)
{
    struct run *run = context;
    struct cursor c = cursor_of_bytes(record);
    assert_true(activity_decode(&c, &activity));
    run->activities++;
    run->accounts += activity_get(&activity, FIELD_ACCOUNT_NAME) != NULL;
    run->guids += activity_get(&activity, FIELD_ACCOUNT_GUID) != NULL;
    run->controllers += activity_get(&activity, FIELD_DESTINATION_IS_CONTROLLER) != NULL;
}

static void take(void *context, struct bytes record)
{
    struct run *run = context;
    run->in++;
    replay_resolve_record(run->resolve, record);
}

static struct run replay(const char *path, struct entities *entities)
{
    struct run run = {0};
    struct fault fault, damage;
    static const struct replay_options options;
    struct resolver_directory directory = {0};
    if (entities)
        directory = entities_resolver_directory(entities);
    run.resolve = replay_resolve_new(&directory, count, &run);
    assert_non_null(run.resolve);
    assert_true(replay_file(path, &options, take, &run, &fault, &damage));
    replay_resolve_flush(run.resolve);
    assert_int_equal(run.activities, run.in);
    replay_resolve_destroy(&run.resolve);
    return run;
}

static void test_captures(void **state)
{
    (void)state;
    struct fault fault;
    struct entities *entities = entities_new(1);
    assert_true(entities_read_file(entities, PICKET_TEST_DATA "/lab-directory.ndjson", &fault));
    struct run with = replay(PICKET_TEST_DATA "/a05_dcsync_krbtgt.pcap", entities);
    assert_true(with.activities > 10);
    assert_true(with.guids > with.activities * 3 / 4);
    assert_true(with.controllers > with.activities * 3 / 4);
    struct run without = replay(PICKET_TEST_DATA "/a05_dcsync_krbtgt.pcap", NULL);
    assert_int_equal(without.activities, with.activities);
    assert_int_equal(without.guids, 0);
    entities_destroy(&entities);
}

/* Records wait for a few seconds of the capture's time, and no more of them than there is room for. */
static void test_waiting(void **state)
{
    (void)state;
    static struct activity_writer writer;
    struct run run = {0};
    struct resolver_directory nobody = {0};
    run.resolve = replay_resolve_new(&nobody, count, &run);
    assert_non_null(run.resolve);
    for (int i = 0; i < 10; i++) {
        activity_begin(&writer, ACTIVITY_DNS_QUERY, WORLD_NOW + i * CLOCK_SECOND);
        replay_resolve_record(run.resolve, activity_finish(&writer));
    }
    assert_int_equal(run.activities, 4);
    for (int i = 0; i < 10000; i++) {
        activity_begin(&writer, ACTIVITY_DNS_QUERY, WORLD_NOW);
        replay_resolve_record(run.resolve, activity_finish(&writer));
    }
    assert_true(run.activities > 5000);
    replay_resolve_flush(run.resolve);
    assert_int_equal(run.activities, 10010);
    replay_resolve_destroy(&run.resolve);
    replay_resolve_destroy(&run.resolve);
}

static void see(void *context, struct bytes record)
{
    *(size_t *)context += record.size;
}

/* What is no activity passes as it is. */
static void test_damaged(void **state)
{
    (void)state;
    size_t size = 0;
    struct resolver_directory nobody = {0};
    struct replay_resolve *resolve = replay_resolve_new(&nobody, see, &size);
    assert_non_null(resolve);
    replay_resolve_record(resolve, world_bytes("none"));
    replay_resolve_record(resolve, (struct bytes){0});
    replay_resolve_flush(resolve);
    assert_int_equal(size, 4);
    replay_resolve_record(resolve, world_bytes("left"));
    replay_resolve_destroy(&resolve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_waiting),
        cmocka_unit_test(test_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
