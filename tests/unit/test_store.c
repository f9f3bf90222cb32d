/* SPDX-License-Identifier: Apache-2.0
 *
 * The store on real files: what is put is got back, what fails leaves nothing, versions that are not ours are
 * left alone.
 */
#include "place.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "center/state_run.h"
#include "center/store_alerts.h"
#include "center/store_audit.h"
#include "center/store_health.h"
#include "center/store_index.h"
#include "center/store_migrations.h"
#include "center/store_people.h"
#include "center/store_queue.h"
#include "center/store_settings.h"
#include "center/store_states.h"

struct world {
    struct place place;
    char path[96];
    struct store *store;
};

static int begin(void **state)
{
    struct world *w = calloc(1, sizeof(*w));
    struct fault fault = {0};
    assert_non_null(w);
    place_open(&w->place);
    snprintf(w->path, sizeof(w->path), "%s/center.db", w->place.path);
    w->store = store_open(w->path, STORE_PEOPLE, &fault);
    assert_string_equal(fault.text, "");
    assert_non_null(w->store);
    *state = w;
    return 0;
}

static int end(void **state)
{
    struct world *w = *state;
    store_close(&w->store);
    place_close(&w->place);
    free(w);
    return 0;
}

static void commit(struct store *store)
{
    struct fault fault = {0};
    bool fine = store_commit(store, &fault);
    assert_string_equal(fault.text, "");
    assert_true(fine);
}

static struct store *again(struct world *w, enum store_use use)
{
    struct fault fault = {0};
    struct store *store = store_open(w->path, use, &fault);
    assert_string_equal(fault.text, "");
    return store;
}

/* -- the ground ------------------------------------------------------------------------------------------ */

static void test_file_is_private_and_opens_again(void **state)
{
    struct world *w = *state;
    struct stat status;
    assert_int_equal(stat(w->path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    store_close(&w->store);
    w->store = again(w, STORE_PIPELINE);
    assert_non_null(w->store);
}

static void test_migrations_are_in_order(void **state)
{
    int last = 0;
    (void)state;
    for (const struct store_migration *m = store_migrations; m->name; m++) {
        assert_true(m->number > last);
        last = m->number;
    }
    assert_true(last > 0);
}

static void test_newer_version_is_left_alone(void **state)
{
    struct world *w = *state;
    struct fault fault;
    assert_true(store_do(w->store, "INSERT INTO migrations VALUES (999, '999_future', 0)"));
    assert_null(store_open(w->path, STORE_PEOPLE, &fault));
    assert_non_null(strstr(fault.text, "(999 999_future): run that one"));
}

static void test_garbage_is_no_store(void **state)
{
    struct world *w = *state;
    struct fault fault;
    char path[128];
    snprintf(path, sizeof(path), "%s/garbage", w->place.path);
    FILE *file = fopen(path, "w");
    for (int i = 0; i < 500; i++)
        fputs("no database at all ", file);
    fclose(file);
    assert_null(store_open(path, STORE_PEOPLE, &fault));
    assert_non_null(strstr(fault.text, "not a database"));
    unlink(path);
    snprintf(path, sizeof(path), "%s/nowhere/center.db", w->place.path);
    assert_null(store_open(path, STORE_PEOPLE, &fault));
    assert_null(store_open(path, STORE_READER, &fault));
}

static void test_values_come_back(void **state)
{
    struct world *w = *state;
    assert_true(store_do(w->store, "CREATE TABLE t (i INTEGER, r REAL, x TEXT, b BLOB, n INTEGER, e TEXT)"));
    assert_true(store_run(w->store, "INSERT INTO t VALUES (?1, ?2, ?3, ?4, ?5, ?6)", store_uint(UINT64_MAX),
                          store_real(1.5), store_string("text"),
                          store_subject((struct subject){1, UINT64_C(0x8000000000000002)}),
                          store_string(NULL), store_text((struct bytes){0})));
    struct store_rows rows = store_query_all(w->store, "SELECT * FROM t");
    assert_true(store_next(&rows));
    assert_true(store_get_uint(&rows, 0) == UINT64_MAX);
    assert_true(store_get_real(&rows, 1) == 1.5);
    char text[3];
    store_get_text(&rows, 2, text, sizeof(text));
    assert_string_equal(text, "te");
    struct subject subject = store_get_subject(&rows, 3);
    assert_true(subject.high == 1 && subject.low == UINT64_C(0x8000000000000002));
    assert_true(store_is_null(&rows, 4));
    assert_false(store_is_null(&rows, 5));
    uint8_t id[16] = {1};
    store_get_id(&rows, 2, id);
    assert_int_equal(id[0], 0);
    assert_false(store_next(&rows));
    assert_false(store_next(&rows));
    assert_false(store_failed(w->store));
}

static void test_failure_undoes_all_of_it(void **state)
{
    struct world *w = *state;
    struct fault fault;
    char value[8];
    assert_true(store_begin(w->store, &fault));
    assert_true(store_setting_put(w->store, 1, "sensitivity", "high"));
    assert_false(store_do(w->store, "INSERT INTO nothing VALUES (1)"));
    assert_true(store_failed(w->store));
    assert_false(store_setting_put(w->store, 1, "more", "x")); /* sticky */
    assert_false(store_commit(w->store, &fault));
    assert_non_null(strstr(fault.text, "nothing"));
    assert_int_equal(store_trouble(w->store), STORE_BROKEN);
    assert_string_equal(store_trouble_name(store_trouble(w->store)), "broken");
    assert_false(store_setting_get(w->store, 1, "sensitivity", value, sizeof(value)));
    assert_false(store_failed(w->store));

    assert_true(store_begin(w->store, &fault));
    store_setting_put(w->store, 1, "sensitivity", "low");
    assert_false(store_fail(w->store, "because of %s", "this"));
    assert_false(store_fail(w->store, "later"));
    assert_string_equal(store_fault(w->store), "because of this");
    assert_false(store_commit(w->store, &fault));
    assert_string_equal(fault.text, "because of this");

    assert_true(store_begin(w->store, &fault));
    store_setting_put(w->store, 1, "sensitivity", "low");
    store_abandon(w->store);
    assert_false(store_setting_get(w->store, 1, "sensitivity", value, sizeof(value)));
    assert_true(store_begin(w->store, &fault));
    commit(w->store);
}

static void test_statement_within_itself(void **state)
{
    struct world *w = *state;
    static const char *const sql = "SELECT id FROM workspaces";
    struct store_rows one = store_query_all(w->store, sql);
    assert_true(store_next(&one));
    struct store_rows two = store_query_all(w->store, sql);
    assert_false(store_next(&two));
    assert_true(store_failed(w->store));
    store_rows_end(&one);
    store_rows_end(&one);
}

static void test_readers_see_one_moment_and_write_nothing(void **state)
{
    struct world *w = *state;
    struct fault fault;
    char value[8];
    struct store *reader = again(w, STORE_READER);
    assert_true(store_begin_reading(reader, &fault));
    assert_false(store_setting_get(reader, 1, "sensitivity", value, sizeof(value)));
    assert_true(store_setting_put(w->store, 1, "sensitivity", "high"));
    assert_false(store_setting_get(reader, 1, "sensitivity", value, sizeof(value)));
    commit(reader);
    assert_true(store_setting_get(reader, 1, "sensitivity", value, sizeof(value)));
    assert_string_equal(value, "high");
    assert_false(store_setting_put(reader, 1, "sensitivity", "low"));
    store_close(&reader);
}

static void test_second_writer_is_told(void **state)
{
    struct world *w = *state;
    struct fault fault;
    struct store *second = again(w, STORE_PIPELINE);
    assert_true(store_begin(w->store, &fault));
    assert_false(store_begin(second, &fault)); /* after its five seconds */
    assert_int_equal(store_trouble(second), STORE_BUSY);
    assert_non_null(strstr(fault.text, "locked"));
    store_abandon(w->store);
    assert_true(store_begin(second, &fault));
    assert_int_equal(store_trouble(second), STORE_FINE);
    commit(second);
    store_close(&second);
}

/* -- settings -------------------------------------------------------------------------------------------- */

static void count_workspace(void *context, const struct stored_workspace *workspace)
{
    unsigned *seen = context;
    *seen |= 1u << workspace->id;
}

static void test_workspaces(void **state)
{
    struct world *w = *state;
    struct stored_workspace workspace = {.name = "north"}, found;
    unsigned seen = 0;
    assert_true(store_workspace_add(w->store, &workspace));
    assert_true(workspace.id > WORKSPACE_DEFAULT);
    assert_false(store_workspace_add(w->store, &workspace));
    assert_true(store_workspace_find(w->store, "north", &found));
    assert_int_equal(found.id, workspace.id);
    assert_false(store_workspace_find(w->store, "south", &found));
    assert_int_equal(store_workspaces_list(w->store, count_workspace, &seen), 2);
    assert_int_equal(seen, 1u << 1 | 1u << workspace.id);
}

static void add_exclusion(struct store *store, uint64_t workspace, const char *detector, const char *value)
{
    int64_t id = 0, second = 0;
    struct exclusion exclusion = {.kind = EXCLUDE_ACCOUNT};
    snprintf(exclusion.detector, sizeof(exclusion.detector), "%s", detector);
    snprintf(exclusion.value, sizeof(exclusion.value), "%s", value);
    assert_true(store_exclusion_add(store, workspace, &exclusion, &id));
    assert_true(store_exclusion_add(store, workspace, &exclusion, &second));
    assert_int_equal(id, second);
}

static void last_id(void *context, int64_t id, const struct exclusion *exclusion)
{
    (void)exclusion;
    *(int64_t *)context = id;
}

static void test_settings_as_detectors_want_them(void **state)
{
    struct world *w = *state;
    struct stored_workspace other = {.name = "other"};
    struct workspace_settings *s = malloc(sizeof(*s));
    unsigned ignored;
    int64_t id = 0;
    assert_non_null(s);
    assert_true(store_workspace_add(w->store, &other));
    uint64_t version = store_settings_version(w->store, 1);
    assert_true(store_setting_put(w->store, 1, "sensitivity", "high"));
    assert_true(store_setting_put(w->store, 1, "brute_force/attempts", "12.5"));
    assert_true(store_setting_put(w->store, 1, "brute_force/window", "not a number"));
    assert_true(store_setting_put(w->store, 1, "dcsync/off", "yes"));
    assert_true(store_setting_put(w->store, 1, "dns/off", "no"));
    assert_true(store_setting_put(w->store, 1, "ticket-life/corp.example", "24"));
    assert_true(store_setting_put(w->store, 1, "ticket-life/other.example", "0"));
    assert_true(store_setting_put(w->store, 1, "ticket-life/third.example", "1d"));
    assert_true(store_setting_put(w->store, 1, "nonsense", "1"));
    assert_true(store_setting_put(w->store, 1, "x/y", "nan"));
    assert_true(store_settings_version(w->store, 1) > version);
    assert_true(store_setting_put(w->store, other.id, "sensitivity", "low"));
    add_exclusion(w->store, 1, "*", "CORP\\backup");
    assert_true(store_workspace_settings(w->store, 1, s, &ignored));
    assert_int_equal(s->sensitivity, SENSITIVITY_HIGH);
    assert_int_equal(s->id, 1);
    assert_int_equal(ignored, 5);
    assert_int_equal(s->override_count, 1);
    assert_int_equal(s->life_count, 1);
    assert_int_equal(workspace_ticket_life(s, (struct bytes){(const uint8_t *)"CORP.Example", 12}),
                     INT64_C(24) * 3600 * 1000000000);
    assert_int_equal(workspace_ticket_life(s, (struct bytes){(const uint8_t *)"corp", 4}), 0);
    assert_true(s->overrides[0].value == 12.5);
    assert_string_equal(s->overrides[0].detector, "brute_force");
    assert_string_equal(s->overrides[0].setting, "attempts");
    assert_int_equal(s->off_count, 1);
    assert_string_equal(s->off[0], "dcsync");
    assert_int_equal(s->exclusion_count, 1);
    assert_string_equal(s->exclusions[0].value, "CORP\\backup");

    assert_true(store_workspace_settings(w->store, other.id, s, NULL));
    assert_int_equal(s->sensitivity, SENSITIVITY_LOW);
    assert_int_equal(s->exclusion_count + s->override_count + s->off_count, 0);

    assert_int_equal(store_exclusions_list(w->store, 1, last_id, &id), 1);
    assert_false(store_exclusion_remove(w->store, other.id, id));
    assert_true(store_exclusion_remove(w->store, 1, id));
    assert_false(store_exclusion_remove(w->store, 1, id));
    assert_true(store_setting_remove(w->store, 1, "nonsense"));
    assert_false(store_setting_remove(w->store, 1, "nonsense"));
    free(s);
}

static void test_setting_too_long(void **state)
{
    struct world *w = *state;
    char name[SETTING_NAME_MAX + 1];
    memset(name, 'x', SETTING_NAME_MAX);
    name[SETTING_NAME_MAX] = '\0';
    assert_false(store_setting_put(w->store, 1, name, "1"));
}

static void check_tag(void *context, int64_t id, const struct stored_tag *tag)
{
    unsigned *seen = context;
    (void)id;
    if (tag->has_guid)
        *seen |= tag->guid[0] == 7 ? 1 : 0;
    else
        *seen |= strcmp(tag->name, "bait") == 0 && tag->kind == SUBJECT_ACCOUNT ? 2 : 0;
}

static void test_tags(void **state)
{
    struct world *w = *state;
    struct stored_tag by_guid = {.tag = "sensitive", .has_guid = true, .guid = {7}, .kind = SUBJECT_GROUP};
    struct stored_tag by_name = {
        .tag = "honeytoken", .kind = SUBJECT_ACCOUNT, .name = "bait", .domain = "corp"};
    int64_t first, second, third;
    unsigned seen = 0;
    assert_true(store_tag_add(w->store, 1, &by_guid, &first));
    assert_true(store_tag_add(w->store, 1, &by_name, &second));
    assert_true(store_tag_add(w->store, 1, &by_guid, &third));
    assert_int_equal(first, third);
    assert_true(first != second);
    assert_int_equal(store_tags_list(w->store, 1, check_tag, &seen), 2);
    assert_int_equal(seen, 3);
    assert_true(store_tag_remove(w->store, 1, first));
    assert_false(store_tag_remove(w->store, 1, first));
    assert_int_equal(store_tags_list(w->store, 1, check_tag, &seen), 1);
}

/* -- states ---------------------------------------------------------------------------------------------- */

/* The runs in their order, a digit each. */
static void join_runs(void *context, const struct state_origin *origin, struct bytes run)
{
    uint64_t *sum = context;
    assert_string_equal(origin->owner, "dcsync");
    assert_string_equal(origin->name, "sources");
    assert_int_equal(origin->version, 2);
    assert_int_equal(origin->whole, run.data[0] == 1);
    *sum = 10 * *sum + run.data[0];
}

static void test_states_and_position(void **state)
{
    struct world *w = *state;
    struct fault fault;
    uint64_t sum = 0;
    assert_true(store_position_least(w->store) == UINT64_MAX);
    assert_true(store_begin(w->store, &fault));
    int64_t table = store_state_table(w->store, 1, 0, "dcsync", "sources", 2);
    assert_true(table > 0);
    assert_int_equal(store_state_table(w->store, 1, 0, "dcsync", "sources", 2), table);
    assert_true(store_state_table(w->store, 1, 1, "dcsync", "sources", 2) != table);
    assert_true(store_states_put(w->store, table, false, (struct bytes){(const uint8_t *)"\7", 1}));
    assert_true(store_states_forget(w->store, table));
    for (uint8_t i = 1; i < 4; i++)
        assert_true(store_states_put(w->store, table, i == 1, (struct bytes){&i, 1}));
    assert_true(store_position_put(w->store, 1, 0, 4711, 1));
    assert_true(store_position_put(w->store, 1, 1, 4700, 1));
    commit(w->store);
    assert_int_equal(store_states_each(w->store, 1, 0, join_runs, &sum), 3);
    assert_int_equal(sum, 123);
    assert_int_equal(store_states_each(w->store, 1, 1, join_runs, &sum), 0);
    assert_int_equal(store_position(w->store, 1, 0), 4711);
    assert_int_equal(store_position(w->store, 1, 7), 0);
    assert_int_equal(store_position_least(w->store), 4700);
    assert_true(store_states_clear(w->store, table));
    assert_int_equal(store_states_each(w->store, 1, 0, join_runs, &sum), 0);
}

/* As a version had it that kept a row for each state, and the index by subject first. */
static void make_old(struct store *store)
{
    static const char *const statements[] = {
        "DROP TABLE state_runs",
        "CREATE TABLE states (form INTEGER NOT NULL REFERENCES state_tables (id) ON DELETE CASCADE,"
        " key BLOB NOT NULL, touched INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (form, key))"
        " STRICT, WITHOUT ROWID",
        "INSERT INTO state_tables (id, workspace, shard, owner, name, version)"
        " VALUES (7, 1, 0, 'dcsync', 'sources', 2)",
        "INSERT INTO states VALUES (7, x'00000000000000010000000000000002', -5, x'0a0b0c')",
        "INSERT INTO states VALUES (7, x'00000000000000010000000000000003', 6, x'')",
        "DROP TABLE activity_index",
        "CREATE TABLE activity_index (workspace INTEGER NOT NULL REFERENCES workspaces (id) ON DELETE "
        "CASCADE,"
        " subject BLOB NOT NULL, hour INTEGER NOT NULL, positions BLOB NOT NULL,"
        " PRIMARY KEY (workspace, subject, hour)) STRICT, WITHOUT ROWID",
        "CREATE INDEX activity_index_by_hour ON activity_index (hour)",
        "INSERT INTO activity_index VALUES (1, x'00000000000000010000000000000002', 5, x'2a01')",
        "DELETE FROM migrations WHERE number IN (40, 41)"};
    for (unsigned i = 0; i < sizeof(statements) / sizeof(*statements); i++)
        assert_true(store_do(store, statements[i]));
}

static void see_moved(void *context, const struct state_origin *origin, struct bytes run)
{
    struct cursor c = cursor_of_bytes(run);
    struct state_run_item item;
    uint64_t *sum = context;
    assert_int_equal(origin->table, 7);
    assert_false(origin->whole);
    assert_true(state_run_next(&c, &item));
    assert_true(cursor_done(&c));
    assert_int_equal(item.key.high, 1);
    assert_int_equal(item.touched, item.key.low == 2 ? -5 : 6);
    assert_int_equal(item.packed.size, item.key.low == 2 ? 3 : 0);
    *sum += item.key.low;
}

static bool is_42(void *context, int64_t hour, uint64_t position)
{
    (void)context;
    assert_int_equal(hour, 5);
    assert_int_equal(position, 42);
    return true;
}

static void test_an_old_store_is_taken_over(void **state)
{
    struct world *w = *state;
    uint64_t sum = 0;
    make_old(w->store);
    store_close(&w->store);
    w->store = again(w, STORE_PIPELINE);
    assert_int_equal(store_states_each(w->store, 1, 0, see_moved, &sum), 2);
    assert_int_equal(sum, 5);
    assert_int_equal(store_index_each(w->store, 1, (struct subject){1, 2}, 0, 9, is_42, NULL), 1);
}

struct positions {
    uint64_t at[64];
    size_t count, most;
};

static bool take_position(void *context, int64_t hour, uint64_t position)
{
    struct positions *p = context;
    (void)hour;
    p->at[p->count++] = position;
    return p->count < p->most;
}

static void test_index_of_activities(void **state)
{
    struct world *w = *state;
    struct subject bob = {1, 2}, eve = {1, 3};
    const uint64_t first[] = {0x7f, 0x80, 0x4000}, second[] = {0x4000, UINT64_C(1) << 60}, third[] = {9};
    const uint64_t expected[] = {0x7f, 0x80, 0x4000, UINT64_C(1) << 60, 9};
    struct positions p = {.most = 64};
    assert_true(store_index_add(w->store, 1, bob, 100, first, 3));
    assert_true(store_index_add(w->store, 1, bob, 100, second, 2));
    assert_true(store_index_add(w->store, 1, bob, 101, third, 1));
    assert_true(store_index_add(w->store, 1, bob, 101, third, 0));
    assert_true(store_index_add(w->store, 1, eve, 100, third, 1));
    assert_int_equal(store_index_each(w->store, 1, bob, 100, 101, take_position, &p), 5);
    assert_memory_equal(p.at, expected, sizeof(expected));
    p = (struct positions){.most = 2};
    assert_int_equal(store_index_each(w->store, 1, bob, 100, 101, take_position, &p), 2);
    p = (struct positions){.most = 64};
    assert_int_equal(store_index_each(w->store, 1, bob, 101, 200, take_position, &p), 1);
    assert_int_equal(store_index_each(w->store, 2, bob, 0, 200, take_position, &p), 0);
    assert_int_equal(store_index_expire(w->store, 101, 1), 1);
    assert_int_equal(store_index_expire(w->store, 101, 100), 1);
    assert_int_equal(store_index_expire(w->store, 101, 100), 0);
    assert_int_equal(store_index_each(w->store, 1, bob, 0, 200, take_position, &p), 1);

    /* What the disk made of it is never more than wrong. */
    assert_true(store_do(w->store, "UPDATE activity_index SET positions = x'ffffffffffffffffffffffff'"));
    assert_int_equal(store_index_each(w->store, 1, bob, 0, 200, take_position, &p), 0);
    assert_true(store_do(w->store, "UPDATE activity_index SET positions = x'01ffffffffffffffff7f01'"));
    assert_int_equal(store_index_each(w->store, 1, bob, 0, 200, take_position, &p), 2);
}

/* -- queue, health, audit, people ------------------------------------------------------------------------ */

static bool take_item(void *context, const struct queue_item *item)
{
    struct positions *p = context;
    assert_int_equal(item->content.size, 1);
    p->at[p->count++] = (uint64_t)item->id;
    return p->count < p->most;
}

static void test_queue(void **state)
{
    struct world *w = *state;
    struct positions p = {.most = 64};
    uint32_t dropped;
    uint8_t content = 'x';
    assert_true(store_queue_next(w->store, "siem") == INT64_MAX);
    for (int i = 0; i < 5; i++) {
        assert_true(store_queue_put(w->store, "siem", 1, 100 + i, (struct bytes){&content, 1}, 4, &dropped));
        assert_int_equal(dropped, i < 4 ? 0 : 1);
    }
    assert_int_equal(store_queue_count(w->store, "siem"), 4);
    assert_int_equal(store_queue_count(w->store, "mail"), 0);
    assert_int_equal(store_queue_next(w->store, "siem"), 101);
    assert_int_equal(store_queue_due(w->store, "siem", 103, 10, take_item, &p), 3);
    assert_true(p.at[0] < p.at[1] && p.at[1] < p.at[2]);
    assert_true(store_queue_done(w->store, (int64_t)p.at[0]));
    assert_true(store_queue_retry(w->store, (int64_t)p.at[1], 500));
    p = (struct positions){.most = 1};
    assert_int_equal(store_queue_due(w->store, "siem", 1000, 10, take_item, &p), 1);
    p = (struct positions){.most = 64};
    assert_int_equal(store_queue_due(w->store, "siem", 200, 10, take_item, &p), 2);
    uint8_t *large = calloc(1, QUEUE_ITEM_MAX + 1);
    assert_false(store_queue_put(w->store, "siem", 1, 0, (struct bytes){large, QUEUE_ITEM_MAX + 1}, 4, NULL));
    free(large);
}

static bool take_issue(void *context, const struct stored_health *issue)
{
    *(struct stored_health *)context = *issue;
    return true;
}

static void test_health(void **state)
{
    struct world *w = *state;
    struct stored_health issue = {.number = 1001,
                                  .severity = SEVERITY_HIGH,
                                  .title = "Disk",
                                  .detail = "5 %",
                                  .opened = 10,
                                  .changed = 10},
                         found;
    bool opened;
    assert_true(store_health_open(w->store, &issue, &opened) && opened);
    issue.opened = issue.changed = 20;
    strcpy(issue.detail, "4 %");
    assert_true(store_health_open(w->store, &issue, &opened) && !opened);
    assert_int_equal(store_health_list(w->store, 0, true, 10, take_issue, &found), 1);
    assert_string_equal(found.detail, "4 %");
    assert_int_equal(found.opened, 10);
    assert_int_equal(found.changed, 20);
    assert_true(store_health_close(w->store, 0, 1001, "", 30));
    assert_false(store_health_close(w->store, 0, 1001, "", 31));
    assert_int_equal(store_health_list(w->store, 0, true, 10, take_issue, &found), 0);
    assert_int_equal(store_health_list(w->store, UINT64_MAX, false, 10, take_issue, &found), 1);
    assert_int_equal(found.closed, 30);
    assert_true(store_health_open(w->store, &issue, &opened) && opened);
    assert_int_equal(store_health_list(w->store, UINT64_MAX, false, 10, take_issue, &found), 2);
    assert_int_equal(store_health_expire(w->store, 31), 1);
}

static bool take_entry(void *context, const struct audit_entry *entry)
{
    struct positions *p = context;
    p->at[p->count++] = (uint64_t)entry->at;
    return true;
}

static void test_audit(void **state)
{
    struct world *w = *state;
    struct positions p = {0};
    struct audit_entry entry = {.workspace = 1, .who = "ann", .what = "alert-closed", .object = "a"};
    for (entry.at = 1; entry.at <= 4; entry.at++) {
        entry.object[0] = entry.at % 2 ? 'a' : 'b';
        assert_true(store_audit_add(w->store, &entry));
    }
    assert_int_equal(store_audit_list(w->store, 1, NULL, 0, 3, take_entry, &p), 3);
    assert_int_equal(p.at[0], 4);
    p.count = 0;
    assert_int_equal(store_audit_list(w->store, 1, "a", 0, 10, take_entry, &p), 2);
    assert_int_equal(p.at[1], 1);
    assert_int_equal(store_audit_list(w->store, 2, NULL, 0, 10, take_entry, &p), 0);
    assert_int_equal(store_audit_expire(w->store, 3, 10), 2);
    p.count = 0;
    assert_int_equal(store_audit_list(w->store, 1, NULL, 4, 10, take_entry, &p), 1);
}

static void count_user(void *context, const struct stored_user *user)
{
    *(int *)context += user->disabled ? 10 : 1;
}

static void count_token(void *context, const struct stored_token *token)
{
    *(int *)context += (int)token->id;
}

static void test_people(void **state)
{
    struct world *w = *state;
    struct stored_user ann = {.name = "ann", .role = ROLE_ADMINISTRATOR, .password = "hash"},
                       bob = {.name = "Bob"};
    struct stored_user found;
    struct stored_token token = {.name = "cli", .role = ROLE_VIEWER, .hash = {1, 2}, .expires = 99}, got;
    int sum = 0;
    assert_true(store_user_put(w->store, &ann));
    assert_true(store_user_put(w->store, &bob));
    assert_true(ann.id > 0 && bob.id > ann.id);
    struct stored_user twice = {.name = "ANN"};
    assert_false(store_user_put(w->store, &twice));
    assert_false(store_failed(w->store));
    strcpy(bob.name, "ann");
    assert_false(store_user_put(w->store, &bob));
    strcpy(bob.name, "bob");
    bob.disabled = true;
    assert_true(store_user_put(w->store, &bob));
    assert_true(store_user_find(w->store, "Ann", &found));
    assert_int_equal(found.role, ROLE_ADMINISTRATOR);
    assert_string_equal(found.password, "hash");
    assert_false(store_user_find(w->store, "eve", &found));
    assert_int_equal(store_users_list(w->store, count_user, &sum), 2);
    assert_int_equal(sum, 11);

    token.user = ann.id;
    assert_true(store_token_add(w->store, &token));
    assert_true(store_token_find(w->store, token.hash, &got));
    assert_int_equal(got.user, ann.id);
    assert_int_equal(got.expires, 99);
    assert_bytes_equal(got.hash, token.hash, sizeof(got.hash));
    assert_true(store_token_used(w->store, token.id, 50));
    sum = 0;
    assert_int_equal(store_tokens_list(w->store, count_token, &sum), 1);
    assert_int_equal(sum, token.id);
    /* A user's tokens go with it. */
    assert_true(store_user_remove(w->store, ann.id));
    assert_false(store_user_remove(w->store, ann.id));
    assert_false(store_token_find(w->store, token.hash, &got));
    token.user = 0;
    assert_true(store_token_add(w->store, &token));
    assert_true(store_token_remove(w->store, token.id));
    assert_false(store_token_remove(w->store, token.id));

    enum user_role role;
    assert_true(user_role_by_name("viewer", &role) && role == ROLE_VIEWER);
    assert_false(user_role_by_name("king", &role));
    assert_string_equal(user_role_name(ROLE_USER), "user");
    /* A role of a newer version is none. */
    assert_true(store_do(w->store, "UPDATE users SET role = 77"));
    assert_true(store_user_find(w->store, "bob", &found));
    assert_int_equal(found.role, ROLE_NONE);
}

/* Whether another process could have the database to itself, as SQLite's last connection wants it. */
static bool another_has_it(const char *path)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        int file = open(path, O_RDWR);
        /* SQLite's bytes of shared locks: https://www.sqlite.org/src/file/src/os.h */
        struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510};
        _exit(file >= 0 && fcntl(file, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK ? 1 : 0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status) == 1;
}

/* A lock of one connection outlives the opening and closing of others in the same process. */
static void test_locks_are_kept(void **state)
{
    struct world *w = *state;
    struct fault fault;
    assert_true(store_setting_put(w->store, 0, "a", "b"));
    assert_false(another_has_it(w->path));
    for (unsigned use = STORE_PIPELINE; use <= STORE_READER; use++) {
        struct store *other = store_open(w->path, (enum store_use)use, &fault);
        assert_non_null(other);
        assert_false(another_has_it(w->path));
        store_close(&other);
        assert_false(another_has_it(w->path));
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, begin, end)
    const struct CMUnitTest tests[] = {
        T(file_is_private_and_opens_again),
        cmocka_unit_test(test_migrations_are_in_order),
        T(newer_version_is_left_alone),
        T(garbage_is_no_store),
        T(values_come_back),
        T(failure_undoes_all_of_it),
        T(statement_within_itself),
        T(readers_see_one_moment_and_write_nothing),
        T(second_writer_is_told),
        T(workspaces),
        T(settings_as_detectors_want_them),
        T(setting_too_long),
        T(tags),
        T(states_and_position),
        T(an_old_store_is_taken_over),
        T(index_of_activities),
        T(queue),
        T(health),
        T(audit),
        T(people),
        T(locks_are_kept),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
