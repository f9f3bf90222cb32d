/* SPDX-License-Identifier: Apache-2.0 */
#include "center/store_audit.h"

bool store_audit_add(struct store *store, const struct audit_entry *entry)
{
    return store_run(store,
                     "INSERT INTO audit (workspace, at, who, what, object, before, after)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                     store_uint(entry->workspace), store_int(entry->at), store_string(entry->who),
                     store_string(entry->what), store_string(entry->object), store_string(entry->before),
                     store_string(entry->after));
}

static void read_entry(const struct store_rows *rows, struct audit_entry *to)
{
    to->number = store_get_int(rows, 0);
    to->workspace = store_get_uint(rows, 1);
    to->at = store_get_int(rows, 2);
    store_get_text(rows, 3, to->who, sizeof(to->who));
    store_get_text(rows, 4, to->what, sizeof(to->what));
    store_get_text(rows, 5, to->object, sizeof(to->object));
    store_get_text(rows, 6, to->before, sizeof(to->before));
    store_get_text(rows, 7, to->after, sizeof(to->after));
}

#define COLUMNS "number, workspace, at, who, what, object, before, after"

size_t store_audit_list(struct store *store, uint64_t workspace, const char *object, int64_t before,
                        uint32_t limit, bool (*visit)(void *context, const struct audit_entry *entry),
                        void *context)
{
    size_t count = 0;
    bool more = true;
    struct audit_entry entry;
    int64_t below = before ? before : INT64_MAX;
    struct store_rows rows =
        object ? store_query(store,
                             "SELECT " COLUMNS " FROM audit WHERE workspace = ?1 AND object = ?2"
                             " AND number < ?3 ORDER BY number DESC LIMIT ?4",
                             store_uint(workspace), store_string(object), store_int(below), store_int(limit))
               : store_query(store,
                             "SELECT " COLUMNS " FROM audit WHERE workspace = ?1 AND number < ?2"
                             " ORDER BY number DESC LIMIT ?3",
                             store_uint(workspace), store_int(below), store_int(limit));
    while (more && store_next(&rows)) {
        read_entry(&rows, &entry);
        count++;
        more = visit(context, &entry);
    }
    store_rows_end(&rows);
    return count;
}

int64_t store_audit_expire(struct store *store, int64_t before, int64_t limit)
{
    return store_run(store,
                     "DELETE FROM audit WHERE number IN (SELECT number FROM audit WHERE at < ?1 LIMIT ?2)",
                     store_int(before), store_int(limit))
               ? store_changed(store)
               : 0;
}
