/* SPDX-License-Identifier: Apache-2.0
 *
 * picket read --resolve: activities of before, with the identities of a store that is only read.
 */
#include "base/activity.h"
#include "node/offline_resolver.h"
#include "tests/unit/entity_world.h"

static struct activity_writer writer;
static struct activity activity;
static uint8_t kept[ACTIVITY_BYTES_MAX];
static unsigned count, resolutions;

static void take(void *context, struct bytes record)
{
    assert_ptr_equal(context, &count);
    count++;
    if (record.size > sizeof(kept))
        return;
    memcpy(kept, record.data, record.size);
    struct cursor c = cursor_of(kept, record.size);
    if (activity_decode(&c, &activity))
        resolutions += activity.kind == ACTIVITY_RESOLUTION;
}

static struct bytes logon_of(const char *account, int64_t time)
{
    struct ip_address from = {4, {10, 0, 0, 1}}, to = {4, {10, 0, 0, 2}};
    activity_begin(&writer, ACTIVITY_KERBEROS_AS, time);
    activity_put_address(&writer, FIELD_SOURCE, &from);
    activity_put_address(&writer, FIELD_DESTINATION, &to);
    activity_put_text(&writer, FIELD_ACCOUNT, account);
    activity_put_text(&writer, FIELD_ACCOUNT_DOMAIN, "corp.example");
    activity_put_uint(&writer, FIELD_STATUS, 0);
    activity_put_int(&writer, FIELD_PREAUTH_ETYPE, 18);
    return activity_finish(&writer);
}

static struct offline_resolver *resolver_of(const char *store)
{
    struct fault fault;
    count = resolutions = 0;
    struct offline_resolver *resolver = offline_resolver_new(store, take, &count, &fault);
    if (!resolver)
        fail_msg("%s", fault.text);
    return resolver;
}

static bool is_text(enum activity_field field, const char *text)
{
    const struct activity_value *value = activity_get(&activity, field);
    return value && value->bytes.size == strlen(text) &&
           memcmp(value->bytes.data, text, value->bytes.size) == 0;
}

static void put_computer(struct world_store *store)
{
    static struct world_change w;
    struct entity_store_write *write = world_write(store);
    world_begin(&w, 900, ENTITY_COMPUTER);
    w.change.whole = true;
    w.change.dn = world_text(&w, "CN=WS01,CN=Computers,DC=corp,DC=example");
    world_put_bytes(&w, ENTITY_SAM_ACCOUNT_NAME, world_text(&w, "WS01$"));
    world_put_sid(&w, ENTITY_OBJECT_SID, 1, 1900);
    assert_int_equal(
        entity_store_apply(write, &w.change, ENTITY_REPLICATED, world_context(write), 1, WORLD_NOW),
        ENTITY_ADDED);
    world_user(&w, 7);
    assert_int_equal(
        entity_store_apply(write, &w.change, ENTITY_REPLICATED, world_context(write), 1, WORLD_NOW),
        ENTITY_ADDED);
    world_commit(&write);
}

/* The same process may not open it twice: it is closed, and what stands on the disk is as it was afterwards.
 */
static void a_store_gives_identities(void **state)
{
    (void)state;
    struct world_store store;
    world_store_make(&store);
    put_computer(&store);
    entity_store_close(&store.store);
    struct offline_resolver *resolver = resolver_of(store.path);
    offline_resolver_take(resolver, logon_of("user7", CLOCK_SECOND));
    assert_true(is_text(FIELD_ACCOUNT_NAME, "user7") && activity_get(&activity, FIELD_ACCOUNT_GUID));
    assert_null(activity_get(&activity, FIELD_SOURCE_COMPUTER)); /* nothing is known of it yet */
    offline_resolver_take(resolver, logon_of("WS01$", 2 * CLOCK_SECOND));
    assert_true(is_text(FIELD_SOURCE_COMPUTER, "WS01") &&
                activity_get(&activity, FIELD_SOURCE_COMPUTER_GUID));
    assert_int_equal(resolutions, 1); /* of the first: it follows as soon as it is known */
    offline_resolver_take(resolver, (struct bytes){(const uint8_t *)"none", 4}); /* no activity: as it is */
    assert_int_equal(count, 4);
    offline_resolver_take(resolver, logon_of("user8", 3 * CLOCK_SECOND)); /* in no directory */
    offline_resolver_destroy(&resolver);
    assert_int_equal(resolutions, 1);
    assert_int_equal(count, 5);
    world_open(&store);
    struct entity_store_usage usage;
    entity_store_usage(store.store, &usage);
    assert_true(usage.used > 0);
    world_store_end(&store);
}

static void without_a_store_names_stay_names(void **state)
{
    (void)state;
    struct offline_resolver *resolver = resolver_of(NULL);
    for (int64_t i = 0; i < 3; i++)
        offline_resolver_take(resolver, logon_of("WS01$", i * CLOCK_SECOND));
    assert_true(is_text(FIELD_SOURCE_COMPUTER, "ws01"));
    assert_null(activity_get(&activity, FIELD_SOURCE_COMPUTER_GUID));
    offline_resolver_destroy(&resolver);
    assert_int_equal(count, 3);
}

/* Of a capture that was made up. */
static void any_time_will_do(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_MIN, 0, INT64_MAX, -1, INT64_MAX - 1};
    struct world_store store;
    world_store_make(&store);
    put_computer(&store);
    entity_store_close(&store.store);
    struct offline_resolver *resolver = resolver_of(store.path);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        offline_resolver_take(resolver, logon_of("user8", times[i]));
    assert_true(count >= 5);
    offline_resolver_destroy(&resolver);
    world_store_end(&store);
}

static void what_is_no_store_is_left_alone(void **state)
{
    (void)state;
    struct fault fault;
    struct world_store store;
    char path[128];
    world_store_make(&store);
    snprintf(path, sizeof(path), "%s/none", store.folder);
    assert_null(offline_resolver_new(path, take, &count, &fault));
    assert_non_null(strstr(fault.text, path));
    assert_int_equal(access(path, F_OK), -1); /* nor made */
    entity_store_close(&store.store);
    snprintf(path, sizeof(path), "%s/store/damaged", store.folder);
    FILE *damaged = fopen(path, "w");
    assert_non_null(damaged);
    fclose(damaged);
    assert_null(offline_resolver_new(store.path, take, &count, &fault));
    assert_non_null(strstr(fault.text, "damaged"));
    assert_int_equal(access(path, F_OK), 0); /* nor moved aside */
    world_store_end(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_store_gives_identities),
        cmocka_unit_test(without_a_store_names_stay_names),
        cmocka_unit_test(any_time_will_do),
        cmocka_unit_test(what_is_no_store_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
