/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables are made, and changed by newer versions, by migrations. Each is run once, in a transaction of
 * its own that also says so: what breaks off is not there.
 */
#include "center/store_migrations.h"
#include "center/store_private.h"

#include "base/clock.h"
#include "center/state_run.h"

#include <stdlib.h>

static const struct store_migration *migration_find(int64_t number)
{
    for (const struct store_migration *m = store_migrations; m->name; m++)
        if (m->number == number)
            return m;
    return NULL;
}

/* What a newer version did cannot be judged. */
bool store_known(struct store *store, struct fault *fault)
{
    bool known = true;
    struct store_rows rows = store_query_all(store, "SELECT number, name FROM migrations");
    while (known && store_next(&rows)) {
        struct bytes name = store_get_bytes(&rows, 1);
        int64_t number = store_get_int(&rows, 0);
        if (!migration_find(number))
            known = fault_say(fault,
                              "the database is of a newer version of picket-center (%lld %.*s): run that one",
                              (long long)number, (int)name.size, (const char *)name.data);
    }
    store_rows_end(&rows);
    return known && (!store_failed(store) || fault_say(fault, "%s", store_fault(store)));
}

static bool is_done(struct store *store, int number)
{
    struct store_rows rows =
        store_query(store, "SELECT 1 FROM migrations WHERE number = ?1", store_int(number));
    bool done = store_next(&rows);
    store_rows_end(&rows);
    return done;
}

/* -- what migrations call -------------------------------------------------------------------------------- */

/* state_run(key, touched, value): a run of one state, whose value is packed already. */
static void make_state_run(sqlite3_context *context, int count, sqlite3_value **values)
{
    const uint8_t *id = sqlite3_value_blob(values[0]), *value = sqlite3_value_blob(values[2]);
    const size_t size = (size_t)sqlite3_value_bytes(values[2]);
    struct cursor key = cursor_of(id, (size_t)sqlite3_value_bytes(values[0]));
    const uint64_t high = cursor_be64(&key), low = cursor_be64(&key);
    uint8_t *run = size <= STATE_VALUE_MAX ? malloc(STATE_RUN_HEAD + size) : NULL;
    (void)count;
    if (!run || key.failed) {
        free(run);
        sqlite3_result_error(context, "no state", -1);
        return;
    }
    const size_t used = state_run_put_packed(run, (struct subject){high, low}, sqlite3_value_int64(values[1]),
                                             (struct bytes){value, size});
    sqlite3_result_blob64(context, run, used, free);
}

static bool run_one(struct store *store, const struct store_migration *m, struct fault *fault)
{
    if (!store_begin(store, fault))
        return false;
    /* Somebody else may have been quicker. */
    if (!is_done(store, m->number)) {
        store_execute(store, m->sql);
        store_run(store, "INSERT INTO migrations (number, name, at) VALUES (?1, ?2, ?3)",
                  store_int(m->number), store_string(m->name), store_int(clock_wall(clock_system())));
    }
    return store_commit(store, fault);
}

bool store_migrate(struct store *store, struct fault *fault)
{
    int code = sqlite3_create_function(store->db, "state_run", 3, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL,
                                       make_state_run, NULL, NULL);
    if (code != SQLITE_OK)
        return fault_say(fault, "the database: %s", sqlite3_errstr(code));
    if (!store_execute(store, "CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY,"
                              " name TEXT NOT NULL, at INTEGER NOT NULL) STRICT"))
        return fault_say(fault, "%s", store->fault);
    if (!store_known(store, fault))
        return false;
    for (const struct store_migration *m = store_migrations; m->name; m++)
        if (!is_done(store, m->number) && !run_one(store, m, fault))
            return false;
    return true;
}
