/* SPDX-License-Identifier: Apache-2.0
 *
 * The resolver's thread: what a capture's ring holds comes out completed; look-ups are waited for, not for
 * ever; a full ring passes.
 */
#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "node/resolution.h"

#define PATIENCE (60 * CLOCK_SECOND)

static struct {
    char directory[64];
    struct entity_store *store;
    struct capture_group group;
    struct resolution *resolution;
    struct activity_writer writer;
    /* of the resolver's thread, behind the lock */
    pthread_mutex_t lock;
    unsigned records, with_account;
    uint64_t tags; /* their sum */
    struct lookup_key asked;
    unsigned asks;
    bool admits;
    bool asks_names;
    unsigned name_asks;
    struct ip_address name_asked[4];
} self;

static void received(void *context, struct bytes record, uint64_t tag)
{
    static struct activity activity;
    struct cursor c = cursor_of_bytes(record);
    (void)context;
    bool valid = activity_decode(&c, &activity);
    pthread_mutex_lock(&self.lock);
    self.records++;
    self.tags += tag;
    self.with_account += valid && activity_get(&activity, FIELD_ACCOUNT_GUID) != NULL;
    pthread_mutex_unlock(&self.lock);
}

static bool look_up(void *context, const struct lookup_key *key, enum lookup_priority priority)
{
    (void)context;
    assert_int_equal(priority, LOOKUP_TRAFFIC);
    pthread_mutex_lock(&self.lock);
    self.asked = *key;
    self.asks++;
    bool admits = self.admits;
    pthread_mutex_unlock(&self.lock);
    return admits;
}

static void open_store(void)
{
    struct fault fault;
    snprintf(self.directory, sizeof(self.directory), "/tmp/picket-resolution-XXXXXX");
    assert_non_null(mkdtemp(self.directory));
    struct entity_store_config config = {.path = self.directory, .map_size = 64u << 20};
    self.store = entity_store_open(&config, &fault);
    assert_non_null(self.store);
}

static void close_store(void)
{
    char path[128];
    static const char *const files[] = {"data.mdb", "lock.mdb", "dirty"};
    entity_store_close(&self.store);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", self.directory, files[i]);
        unlink(path);
    }
    rmdir(self.directory);
}

static struct bytes text(const char *string)
{
    return (struct bytes){(const uint8_t *)string, strlen(string)};
}

static void add_object(uint8_t id, enum entity_kind kind, const char *account, const char *dn)
{
    struct fault fault;
    static struct entity_change change;
    const uint8_t sid[] = {1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0,  0, 1, 0,
                           0, 0, 2, 0, 0, 0, 3, 0, 0,  0, id, 0, 0, 0};
    struct entity_value name = {.bytes = text(account)},
                        identifier = {.bytes = {sid, sizeof(sid) - (kind == ENTITY_DOMAIN ? 4 : 0)}};
    uint8_t bytes[sizeof(sid)];
    memset(&change, 0, sizeof(change));
    memcpy(bytes, sid, sizeof(sid));
    if (kind == ENTITY_DOMAIN)
        bytes[1] = 4;
    identifier.bytes.data = bytes;
    change.guid.bytes[0] = id;
    change.whole = change.kind_known = true;
    change.kind = kind;
    change.dn = text(dn);
    if (*account) {
        entity_change_mark(&change, ENTITY_SAM_ACCOUNT_NAME);
        change.attributes[ENTITY_SAM_ACCOUNT_NAME].count = 1;
        change.attributes[ENTITY_SAM_ACCOUNT_NAME].values = &name;
    }
    entity_change_mark(&change, ENTITY_OBJECT_SID);
    change.attributes[ENTITY_OBJECT_SID].count = 1;
    change.attributes[ENTITY_OBJECT_SID].values = &identifier;
    struct entity_store_write *write = entity_store_begin(self.store, &fault);
    assert_non_null(write);
    uint32_t context = entity_store_context(write, text("DC=corp,DC=example"), text("corp.example"));
    assert_int_equal(entity_store_apply(write, &change, ENTITY_LOOKED_UP, context, 0, 1), ENTITY_ADDED);
    assert_true(entity_store_commit(&write, true, &fault));
}

static void prepare(void)
{
    memset(&self, 0, sizeof(self));
    pthread_mutex_init(&self.lock, NULL);
    self.admits = true;
    self.group.wake_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self.group.workers_count = 1;
    self.group.workers[0].ring = ring_new(CAPTURE_RING_BYTES);
}

static bool ask_name(void *context, const struct ip_address *address)
{
    (void)context;
    pthread_mutex_lock(&self.lock);
    if (self.name_asks < sizeof(self.name_asked) / sizeof(self.name_asked[0]))
        self.name_asked[self.name_asks] = *address;
    self.name_asks++;
    bool admits = self.admits;
    pthread_mutex_unlock(&self.lock);
    return admits;
}

static void launch(bool with_store, bool is_asked, int64_t wait, uint32_t kept)
{
    struct fault fault;
    if (with_store)
        open_store();
    struct resolution_config config = {.capture = &self.group,
                                       .store = self.store,
                                       .look_up = is_asked ? look_up : NULL,
                                       .record = received,
                                       .ask_name = self.asks_names ? ask_name : NULL,
                                       .wait = wait,
                                       .kept = kept,
                                       .seed = 5};
    self.resolution = resolution_start(&config, &fault);
    assert_non_null(self.resolution);
}

static void start(bool with_store, bool is_asked, int64_t wait, uint32_t kept)
{
    prepare();
    launch(with_store, is_asked, wait, kept);
}

static void end(void)
{
    resolution_stop(&self.resolution);
    resolution_stop(&self.resolution);
    ring_destroy(&self.group.workers[0].ring);
    close(self.group.wake_descriptor);
    if (self.store)
        close_store();
    pthread_mutex_destroy(&self.lock);
}

static void wake(void)
{
    uint64_t one = 1;
    assert_int_equal(write(self.group.wake_descriptor, &one, sizeof(one)), sizeof(one));
}

static struct bytes session_of(const char *account)
{
    struct ip_address from = {4, {10, 0, 0, 1}}, to = {4, {10, 0, 0, 2}};
    activity_begin(&self.writer, ACTIVITY_SMB_SESSION, 1);
    activity_put_address(&self.writer, FIELD_SOURCE, &from);
    activity_put_address(&self.writer, FIELD_DESTINATION, &to);
    activity_put_text(&self.writer, FIELD_ACCOUNT, account);
    activity_put_text(&self.writer, FIELD_ACCOUNT_DOMAIN, "CORP.EXAMPLE");
    return activity_finish(&self.writer);
}

static bool push(const char *account)
{
    struct bytes record = session_of(account);
    return ring_push(self.group.workers[0].ring, record.data, record.size);
}

static unsigned records(void)
{
    pthread_mutex_lock(&self.lock);
    unsigned n = self.records;
    pthread_mutex_unlock(&self.lock);
    return n;
}

static unsigned asks(void)
{
    pthread_mutex_lock(&self.lock);
    unsigned n = self.asks;
    pthread_mutex_unlock(&self.lock);
    return n;
}

static void until(unsigned (*what)(void), unsigned count)
{
    int64_t began = clock_monotonic(clock_system());
    while (what() < count) {
        assert_true(clock_monotonic(clock_system()) - began < PATIENCE);
        usleep(1000);
    }
}

struct seen {
    unsigned count;
    uint64_t first, last;
    char json[4096];
};

static void see(void *context, uint64_t number, const char *json, size_t size)
{
    struct seen *seen = context;
    if (seen->count++ == 0)
        seen->first = number;
    seen->last = number;
    assert_true(size < sizeof(seen->json));
    memcpy(seen->json, json, size + 1);
    json_error_t error;
    json_t *parsed = json_loads(json, 0, &error);
    assert_non_null(parsed);
    json_decref(parsed);
}

/* --- tests --- */

static void known_accounts_are_resolved_at_once(void **state)
{
    (void)state;
    start(true, true, 0, 0);
    add_object(1, ENTITY_DOMAIN, "", "DC=corp,DC=example");
    add_object(2, ENTITY_USER, "user01", "CN=user01,DC=corp,DC=example");
    assert_true(push("user01"));
    wake();
    until(records, 1);
    assert_int_equal(self.with_account, 1);
    assert_int_equal(self.asks, 0);
    struct seen seen = {0};
    assert_int_equal(resolution_recent(self.resolution, 0, 10, see, &seen), 1);
    assert_int_equal(seen.count, 1);
    assert_non_null(strstr(seen.json, "\"account_name\":\"user01\""));
    assert_non_null(strstr(seen.json, "\"account_sid\":\"S-1-5-21-1-2-3-2\""));
    end();
}

static void an_answer_sets_the_waiting_free(void **state)
{
    (void)state;
    start(true, true, PATIENCE, 0);
    add_object(1, ENTITY_DOMAIN, "", "DC=corp,DC=example");
    assert_true(push("newcomer"));
    wake();
    until(asks, 1);
    assert_int_equal(self.asked.kind, LOOKUP_ACCOUNT);
    assert_int_equal(records(), 0);
    add_object(3, ENTITY_USER, "newcomer", "CN=newcomer,DC=corp,DC=example");
    struct lookup_key key = self.asked;
    resolution_looked_up(self.resolution, &key);
    until(records, 1);
    assert_int_equal(self.with_account, 1);
    end();
}

static void nothing_waits_for_ever(void **state)
{
    (void)state;
    start(true, true, 50 * CLOCK_MILLISECOND, 0);
    assert_true(push("nobody"));
    wake();
    until(records, 1);
    struct resolution_counters c;
    resolution_counters(self.resolution, &c);
    assert_int_equal(c.late, 1);
    assert_int_equal(self.with_account, 0);
    end();
}

static void what_comes_too_late_follows_by_itself(void **state)
{
    (void)state;
    start(true, true, 50 * CLOCK_MILLISECOND, 0);
    add_object(1, ENTITY_DOMAIN, "", "DC=corp,DC=example");
    assert_true(push("newcomer"));
    wake();
    until(records, 1);
    assert_int_equal(self.with_account, 0);
    add_object(3, ENTITY_USER, "newcomer", "CN=newcomer,DC=corp,DC=example");
    until(records, 2);
    assert_int_equal(self.with_account, 1);
    struct seen seen = {0};
    assert_int_equal(resolution_recent(self.resolution, 1, 10, see, &seen), 2);
    assert_non_null(strstr(seen.json, "\"kind\":\"resolution\""));
    assert_non_null(strstr(seen.json, "\"account_name\":\"newcomer\""));
    assert_non_null(strstr(seen.json, "\"completed_id\":"));
    struct resolution_counters c;
    resolution_counters(self.resolution, &c);
    assert_int_equal(c.late_names.completed, 1);
    end();
}

static void what_is_not_admitted_is_not_waited_for(void **state)
{
    (void)state;
    start(true, true, PATIENCE, 0);
    pthread_mutex_lock(&self.lock);
    self.admits = false;
    pthread_mutex_unlock(&self.lock);
    assert_true(push("nobody"));
    wake();
    until(records, 1);
    end();
}

/* The end waits for nothing: what is in the ring or waits for an answer comes out. */
static void the_end_lets_everything_go(void **state)
{
    (void)state;
    start(true, true, PATIENCE, 0);
    assert_true(push("nobody"));
    wake();
    until(asks, 1);
    for (unsigned i = 0; i < 1000; i++)
        assert_true(push("somebody"));
    resolution_stop(&self.resolution);
    assert_int_equal(self.records, 1001);
    end();
}

static unsigned name_asks(void)
{
    pthread_mutex_lock(&self.lock);
    unsigned n = self.name_asks;
    pthread_mutex_unlock(&self.lock);
    return n;
}

/* Nothing is known of either end: both are asked for their names, and the activity leaves with what came. */
static void unknown_addresses_are_asked(void **state)
{
    (void)state;
    prepare();
    self.asks_names = true;
    launch(false, false, PATIENCE, 3);
    assert_true(push("user01"));
    wake();
    until(name_asks, 2);
    assert_int_equal(records(), 0);
    resolution_tell(self.resolution, &self.name_asked[0], "ws1.corp.example", "corp.example",
                    RESOLVER_ASKED_NTLM);
    resolution_asked(self.resolution, &self.name_asked[0]);
    resolution_asked(self.resolution, &self.name_asked[1]);
    until(records, 1);
    struct seen seen = {0};
    assert_int_equal(resolution_recent(self.resolution, 0, 10, see, &seen), 1);
    assert_non_null(strstr(seen.json, "ws1"));
    assert_non_null(strstr(seen.json, "asked_ntlm"));
    /* What is known is not asked again; what cannot be asked is not waited for. */
    pthread_mutex_lock(&self.lock);
    self.admits = false;
    pthread_mutex_unlock(&self.lock);
    assert_true(push("user01"));
    wake();
    until(records, 2);
    assert_int_equal(name_asks(), 3);
    assert_int_equal(self.name_asked[2].bytes[3], self.name_asked[1].bytes[3]);
    end();
}

static void without_a_directory_names_stay_names(void **state)
{
    (void)state;
    start(false, false, 0, 3);
    struct ip_address server = {4, {10, 0, 0, 2}};
    resolution_tell(self.resolution, &server, "dc1.corp.example", "corp.example", RESOLVER_CONFIGURED);
    for (unsigned i = 0; i < 10; i++)
        assert_true(push("user01"));
    assert_true(ring_push(self.group.workers[0].ring, "\xc0", 1)); /* no activity */
    wake();
    until(records, 11);
    struct resolution_counters c;
    resolution_counters(self.resolution, &c);
    assert_int_equal(c.malformed, 1);
    /* The last three are kept, of which the last is none. */
    struct seen seen = {0};
    assert_int_equal(resolution_recent(self.resolution, 0, 100, see, &seen), 11);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.first, 9);
    assert_non_null(strstr(seen.json, "\"destination_computer\":\"dc1\""));
    seen.count = 0;
    assert_int_equal(resolution_recent(self.resolution, 9, 100, see, &seen), 11);
    assert_int_equal(seen.count, 1);
    seen.count = 0;
    assert_int_equal(resolution_recent(self.resolution, 11, 100, see, &seen), 11);
    assert_int_equal(seen.count, 0);
    resolution_recent(self.resolution, 0, 2, see, &seen);
    assert_int_equal(seen.first, 10);
    end();
}

/* Capture is faster: what is there passes, and is counted. */
static void a_filling_ring_passes(void **state)
{
    (void)state;
    prepare();
    unsigned pushed = 0;
    while (push("user01"))
        pushed++;
    wake();
    launch(false, false, 0, 0);
    until(records, pushed);
    struct resolution_counters c;
    for (int64_t began = clock_monotonic(clock_system());;) {
        resolution_counters(self.resolution, &c);
        if (c.resolver.observed + c.passed == pushed)
            break;
        assert_true(clock_monotonic(clock_system()) - began < PATIENCE);
        usleep(1000);
    }
    assert_true(c.passed > 0);
    assert_true(c.resolver.observed > 0);
    end();
}

/* What other threads post is resolved like what was captured, and keeps its tag, waiting or not. */
static void posted_activities_keep_their_tags(void **state)
{
    (void)state;
    start(true, true, PATIENCE, 0);
    add_object(1, ENTITY_DOMAIN, "", "DC=corp,DC=example");
    add_object(2, ENTITY_USER, "user01", "CN=user01,DC=corp,DC=example");
    assert_true(resolution_post(self.resolution, session_of("newcomer"), 100));
    until(asks, 1);
    assert_true(resolution_post(self.resolution, session_of("user01"), 7));
    assert_false(resolution_post(self.resolution, (struct bytes){0}, 7));
    assert_true(push("user01"));
    wake();
    until(records, 2);
    assert_int_equal(self.tags, 7);
    add_object(3, ENTITY_USER, "newcomer", "CN=newcomer,DC=corp,DC=example");
    struct lookup_key key = self.asked;
    resolution_looked_up(self.resolution, &key);
    until(records, 3);
    assert_int_equal(self.tags, 107);
    assert_int_equal(self.with_account, 3);
    end();
}

/* A node that captures nothing has events to resolve. */
static void nothing_need_be_captured(void **state)
{
    (void)state;
    struct fault fault;
    memset(&self, 0, sizeof(self));
    pthread_mutex_init(&self.lock, NULL);
    self.group.wake_descriptor = -1;
    struct resolution_config config = {.capture = &self.group, .record = received};
    self.resolution = resolution_start(&config, &fault);
    assert_non_null(self.resolution);
    unsigned posted = 0, refused = 0;
    struct bytes record = session_of("user01");
    for (; posted + refused < 200000 && refused < 10; posted++)
        if (!resolution_post(self.resolution, record, 1)) {
            refused++;
            posted--;
        }
    until(records, posted);
    struct resolution_counters c;
    resolution_counters(self.resolution, &c);
    assert_int_equal(c.posted, posted);
    assert_int_equal(c.refused, refused);
    assert_int_equal(self.tags, posted);
    resolution_stop(&self.resolution);
    pthread_mutex_destroy(&self.lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_accounts_are_resolved_at_once),
        cmocka_unit_test(an_answer_sets_the_waiting_free),
        cmocka_unit_test(nothing_waits_for_ever),
        cmocka_unit_test(what_comes_too_late_follows_by_itself),
        cmocka_unit_test(what_is_not_admitted_is_not_waited_for),
        cmocka_unit_test(the_end_lets_everything_go),
        cmocka_unit_test(unknown_addresses_are_asked),
        cmocka_unit_test(without_a_directory_names_stay_names),
        cmocka_unit_test(a_filling_ring_passes),
        cmocka_unit_test(posted_activities_keep_their_tags),
        cmocka_unit_test(nothing_need_be_captured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
