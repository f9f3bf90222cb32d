/* SPDX-License-Identifier: Apache-2.0
 *
 * What activities left without is told later: by address and by name, for the time in which it is true.
 */
#include "unit.h"

#include <stdio.h>

#include "base/clock.h"
#include "sync/late_resolution.h"
#include "tests/unit/lab_directory.h"

#define CLIENT "10.0.0.5"
#define SERVER "10.0.0.10"

static struct lab_directory lab;
static struct resolver *resolver;
static struct late_resolution *late;
static struct activity_writer writer, extended;
static struct activity activity, told;
static uint8_t kept[ACTIVITY_BYTES_MAX], record_bytes[ACTIVITY_BYTES_MAX];
static unsigned records;
static int64_t now; /* of the caches and of the table */

static void take(void *context, struct bytes record)
{
    (void)context;
    records++;
    memcpy(record_bytes, record.data, record.size);
    struct cursor c = cursor_of(record_bytes, record.size);
    assert_true(activity_decode(&c, &told) && cursor_done(&c));
    assert_int_equal(told.kind, ACTIVITY_RESOLUTION);
}

static int start_with(const struct late_resolution_limits *limits)
{
    lab_fill(&lab);
    records = 0;
    now = CLOCK_SECOND;
    resolver = lab_resolver(&lab, NULL);
    late = late_resolution_new(limits, 7);
    return resolver && late ? 0 : -1;
}

static int start(void **state)
{
    struct late_resolution_limits limits;
    (void)state;
    late_resolution_limits_init(&limits);
    return start_with(&limits);
}

static int end(void **state)
{
    (void)state;
    late_resolution_destroy(&late);
    late_resolution_destroy(&late);
    resolver_destroy(&resolver);
    return 0;
}

static struct ip_address address_of(const char *text)
{
    struct ip_address address;
    assert_true(ip_address_parse(text, &address));
    return address;
}

static void begin(enum activity_kind kind, const char *source, int64_t time)
{
    struct ip_address from = address_of(source), to = address_of(SERVER);
    activity_begin(&writer, kind, time);
    activity_put_address(&writer, FIELD_SOURCE, &from);
    activity_put_address(&writer, FIELD_DESTINATION, &to);
}

static struct bytes finished(void)
{
    struct bytes bytes = activity_finish(&writer);
    memcpy(kept, bytes.data, bytes.size);
    bytes.data = kept;
    struct cursor c = cursor_of_bytes(bytes);
    assert_true(activity_decode(&c, &activity));
    return bytes;
}

/* It leaves, with what is known; `unresolved_ids` are those that a center has. */
static uint64_t leave(void)
{
    struct bytes bytes = finished();
    resolver_observe(resolver, &activity);
    assert_true(activity_extend(&extended, bytes, &activity));
    resolver_complete(resolver, &activity, &extended, NULL, now);
    late_resolution_note(late, bytes, &activity, resolver_left(resolver), now);
    static struct activity left;
    struct bytes whole = activity_finish(&extended);
    struct cursor c = cursor_of_bytes(whole);
    assert_true(activity_decode(&c, &left));
    const struct activity_value *ids = activity_get(&left, FIELD_UNRESOLVED_IDS),
                                *parts = activity_get(&left, FIELD_UNRESOLVED);
    assert_true(!ids == !parts);
    if (!ids)
        return 0;
    assert_int_equal(ids->list.count, parts->list.count);
    struct cursor items = ids->list.items;
    return activity_next_item(&items, TYPE_ID).uint;
}

static void machine_logon(const char *source, const char *account, int64_t time)
{
    begin(ACTIVITY_KERBEROS_AS, source, time);
    activity_put_text(&writer, FIELD_ACCOUNT, account);
    activity_put_text(&writer, FIELD_ACCOUNT_DOMAIN, "CORP.EXAMPLE");
    activity_put_uint(&writer, FIELD_STATUS, 0);
    activity_put_int(&writer, FIELD_PREAUTH_ETYPE, 18);
    finished();
    resolver_observe(resolver, &activity);
}

static void try_again(void)
{
    now += 2 * CLOCK_SECOND;
    resolver_refresh(resolver);
    late_resolution_try(late, resolver, now, 1000 * CLOCK_SECOND, take, NULL);
}

static struct late_resolution_counters counters(void)
{
    struct late_resolution_counters c;
    late_resolution_counters(late, &c);
    return c;
}

static const char *told_text(enum activity_field field)
{
    static char texts[4][256];
    static unsigned turn;
    char *to = texts[turn++ % 4];
    const struct activity_value *value = activity_get(&told, field);
    to[0] = 0;
    if (value)
        activity_value_text(value, to, sizeof(texts[0]));
    return to;
}

static int64_t told_time(enum activity_field field)
{
    const struct activity_value *value = activity_get(&told, field);
    assert_non_null(value);
    return value->sint;
}

static void who_is_behind_an_address_is_told_later(void **state)
{
    (void)state;
    begin(ACTIVITY_SMB_OPEN, CLIENT, 100 * CLOCK_SECOND);
    leave();
    begin(ACTIVITY_SMB_OPEN, CLIENT, 103 * CLOCK_SECOND);
    leave();
    assert_int_equal(counters().noted, 2); /* the server is nobody yet, either */
    try_again();
    assert_int_equal(records, 0);
    machine_logon(CLIENT, "WS01$", 104 * CLOCK_SECOND);
    late_resolution_try(late, resolver, now, 0, take, NULL); /* not due */
    assert_int_equal(records, 0);
    try_again();
    assert_int_equal(records, 1);
    assert_string_equal(told_text(FIELD_COMPLETES), "computer");
    assert_string_equal(told_text(FIELD_SOURCE), CLIENT);
    assert_string_equal(told_text(FIELD_SOURCE_COMPUTER), "WS01");
    assert_string_equal(told_text(FIELD_SOURCE_HOW), "machine_kerberos");
    assert_null(activity_get(&told, FIELD_COMPLETED_ID));
    assert_null(activity_get(&told, FIELD_SOURCE_ACCOUNT));
    assert_int_equal(told.time, 1000 * CLOCK_SECOND);
    assert_int_equal(told_time(FIELD_VALID_FROM), 100 * CLOCK_SECOND);
    assert_int_equal(told_time(FIELD_VALID_TO), 103 * CLOCK_SECOND);
    try_again();
    assert_int_equal(records, 1); /* once */
    now += CLOCK_MINUTE;
    try_again();
    assert_int_equal(counters().given_up, 1);
    assert_int_equal(counters().waiting, 0);
}

/* Not for activities of the one who was there before, nor of long ago. */
static void it_is_told_for_the_time_in_which_it_is_true(void **state)
{
    (void)state;
    machine_logon(CLIENT, "STRANGER$", 10 * CLOCK_SECOND); /* of another forest: nothing is known of it */
    begin(ACTIVITY_SMB_OPEN, CLIENT, 11 * CLOCK_SECOND);
    leave();
    machine_logon(CLIENT, "WS01$", 20 * CLOCK_SECOND);
    begin(ACTIVITY_SMB_OPEN, CLIENT, 19 * CLOCK_SECOND); /* it had waited */
    leave();
    try_again();
    assert_int_equal(records, 0);
    end(NULL);
    start(NULL);
    begin(ACTIVITY_SMB_OPEN, CLIENT, 10 * CLOCK_SECOND);
    leave();
    begin(ACTIVITY_SMB_OPEN, CLIENT, 100 * CLOCK_SECOND);
    leave();
    machine_logon(CLIENT, "WS01$", 100 * CLOCK_SECOND);
    try_again();
    assert_int_equal(records, 1);
    assert_int_equal(told_time(FIELD_VALID_FROM), 40 * CLOCK_SECOND);
}

static void an_address_of_several_is_nobodys(void **state)
{
    (void)state;
    begin(ACTIVITY_SMB_OPEN, CLIENT, 1);
    leave();
    machine_logon(CLIENT, "WS01$", 2);
    machine_logon(CLIENT, "WS02$", 3);
    machine_logon(CLIENT, "WS03$", 4);
    try_again();
    assert_int_equal(records, 0);
    assert_int_equal(counters().given_up, 1);
}

static void named(const char *account, int64_t time)
{
    begin(ACTIVITY_SMB_SESSION, CLIENT, time);
    activity_put_text(&writer, FIELD_ACCOUNT, account);
    activity_put_text(&writer, FIELD_ACCOUNT_DOMAIN, "CORP");
}

static void an_account_is_told_later(void **state)
{
    (void)state;
    named("newcomer", 5);
    uint64_t id = leave();
    assert_int_not_equal(id, 0);
    named("another", 6);
    assert_int_not_equal(leave(), id);
    named("NewComer", 7);
    assert_int_equal(leave(), id); /* the same name: the same thing is missing */
    try_again();
    assert_int_equal(records, 0);
    lab_add(&lab, ENTITY_USER, "newcomer", "OU=Staff", NULL);
    try_again();
    assert_int_equal(records, 1);
    assert_int_equal(activity_get(&told, FIELD_COMPLETED_ID)->uint, id);
    assert_string_equal(told_text(FIELD_COMPLETES), "account");
    assert_string_equal(told_text(FIELD_ACCOUNT), "newcomer");
    assert_string_equal(told_text(FIELD_ACCOUNT_DOMAIN), "CORP");
    assert_string_equal(told_text(FIELD_ACCOUNT_NAME), "newcomer");
    assert_string_equal(told_text(FIELD_ACCOUNT_HOW), "named");
    assert_non_null(activity_get(&told, FIELD_ACCOUNT_SID));
    assert_null(activity_get(&told, FIELD_SOURCE));
    assert_int_equal(told_time(FIELD_VALID_FROM), 5);
    assert_int_equal(told_time(FIELD_VALID_TO), 7);
    now += 10 * CLOCK_MINUTE;
    try_again();
    assert_int_equal(records, 1);
    assert_int_equal(counters().waiting, 0);
}

static void each_part_is_told_by_itself(void **state)
{
    (void)state;
    begin(ACTIVITY_LDAP_MODIFY, CLIENT, 1);
    activity_put_text(&writer, FIELD_LDAP_DN, "CN=newgroup,OU=Staff,DC=corp,DC=example");
    assert_true(activity_list_begin(&writer, FIELD_ATTRIBUTE_VALUES));
    static const char member[] = "add:member=CN=newcomer,OU=Staff,DC=corp,DC=example";
    activity_list_string(&writer, member, strlen(member));
    activity_list_end(&writer);
    leave();
    lab_add(&lab, ENTITY_USER, "newcomer", "OU=Staff", NULL);
    try_again();
    assert_int_equal(records, 1);
    assert_string_equal(told_text(FIELD_COMPLETES), "target");
    assert_string_equal(told_text(FIELD_TARGET_NAME), "newcomer");
    lab_add(&lab, ENTITY_GROUP, "newgroup", "OU=Staff", NULL);
    try_again();
    assert_int_equal(records, 2);
    assert_string_equal(told_text(FIELD_COMPLETES), "group");
    assert_string_equal(told_text(FIELD_GROUP_NAME), "newgroup");
    begin(ACTIVITY_KERBEROS_TGS, CLIENT, 2);
    activity_put_text(&writer, FIELD_SERVICE, "HTTP/new.corp.example");
    leave();
    lab_add(&lab, ENTITY_USER, "svc_new", "OU=Services", "HTTP/new.corp.example");
    try_again();
    assert_int_equal(records, 3);
    assert_string_equal(told_text(FIELD_COMPLETES), "service");
    assert_string_equal(told_text(FIELD_SERVICE), "HTTP/new.corp.example");
    assert_string_equal(told_text(FIELD_SERVICE_OWNER), "svc_new");
    /* The computer of an event, which has no address. */
    activity_begin(&writer, ACTIVITY_WINDOWS_LOGON, 3);
    activity_put_uint(&writer, FIELD_EVENT_ID, 4624);
    activity_put_text(&writer, FIELD_EVENT_COMPUTER, "new.corp.example");
    leave();
    lab_add(&lab, ENTITY_COMPUTER, "NEW$", "CN=Computers", NULL);
    try_again();
    assert_int_equal(records, 4);
    assert_string_equal(told_text(FIELD_COMPLETES), "destination");
    assert_string_equal(told_text(FIELD_DESTINATION_COMPUTER), "NEW");
}

static void there_is_a_bound(void **state)
{
    (void)state;
    struct late_resolution_limits limits;
    late_resolution_limits_init(&limits);
    limits.entries_max = 4;
    limits.record_max = 300;
    end(NULL);
    assert_int_equal(start_with(&limits), 0);
    for (int i = 0; i < 9; i++) {
        char address[32];
        snprintf(address, sizeof(address), "10.0.1.%d", i);
        now++;
        begin(ACTIVITY_SMB_OPEN, address, i);
        leave();
    }
    assert_int_equal(counters().waiting, 4);
    assert_int_equal(counters().evicted, counters().noted - 4);
    char long_path[400];
    memset(long_path, 'x', sizeof(long_path));
    named("newcomer", 20);
    activity_put_string(&writer, FIELD_CLIENT_OS, long_path, sizeof(long_path));
    leave();
    assert_int_equal(counters().too_large, 1);
    machine_logon("10.0.1.8", "WS01$", 30);
    try_again();
    assert_int_equal(records, 1);
    limits.entries_max = 0;
    assert_null(late_resolution_new(&limits, 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
    const struct CMUnitTest tests[] = {
        TEST(who_is_behind_an_address_is_told_later),
        TEST(it_is_told_for_the_time_in_which_it_is_true),
        TEST(an_address_of_several_is_nobodys),
        TEST(an_account_is_told_later),
        TEST(each_part_is_told_by_itself),
        TEST(there_is_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
