/* SPDX-License-Identifier: Apache-2.0 */
#include "center/store_health.h"

bool store_health_open(struct store *store, const struct stored_health *issue, bool *opened)
{
    bool found = store_run(store,
                           "UPDATE health SET detail = ?4, severity = ?5, changed = ?6 WHERE workspace = ?1"
                           " AND number = ?2 AND object = ?3 AND closed = 0",
                           store_uint(issue->workspace), store_int(issue->number),
                           store_string(issue->object), store_string(issue->detail),
                           store_int((int64_t)issue->severity), store_int(issue->changed)) &&
                 store_changed(store) > 0;
    if (opened)
        *opened = !found;
    if (found || store_failed(store))
        return found;
    return store_run(store,
                     "INSERT INTO health (workspace, number, object, severity, title, detail, opened,"
                     " changed) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                     store_uint(issue->workspace), store_int(issue->number), store_string(issue->object),
                     store_int((int64_t)issue->severity), store_string(issue->title),
                     store_string(issue->detail), store_int(issue->opened), store_int(issue->changed));
}

bool store_health_close(struct store *store, uint64_t workspace, uint32_t number, const char *object,
                        int64_t at)
{
    return store_run(store,
                     "UPDATE health SET closed = ?4, changed = ?4 WHERE workspace = ?1 AND number = ?2"
                     " AND object = ?3 AND closed = 0",
                     store_uint(workspace), store_int(number), store_string(object), store_int(at)) &&
           store_changed(store) > 0;
}

static void read_issue(const struct store_rows *rows, struct stored_health *to)
{
    to->id = store_get_int(rows, 0);
    to->workspace = store_get_uint(rows, 1);
    to->number = (uint32_t)store_get_int(rows, 2);
    store_get_text(rows, 3, to->object, sizeof(to->object));
    to->severity = (enum severity)store_get_int(rows, 4);
    store_get_text(rows, 5, to->title, sizeof(to->title));
    store_get_text(rows, 6, to->detail, sizeof(to->detail));
    to->opened = store_get_int(rows, 7);
    to->changed = store_get_int(rows, 8);
    to->closed = store_get_int(rows, 9);
}

size_t store_health_list(struct store *store, uint64_t workspace, bool open_only, uint32_t limit,
                         bool (*visit)(void *context, const struct stored_health *issue), void *context)
{
    size_t count = 0;
    bool more = true;
    struct stored_health issue;
    struct store_rows rows =
        store_query(store,
                    "SELECT id, workspace, number, object, severity, title, detail, opened, changed, closed"
                    " FROM health WHERE (?1 = -1 OR workspace = ?1) AND (?2 = 0 OR closed = 0)"
                    " ORDER BY id DESC LIMIT ?3",
                    store_uint(workspace), store_int(open_only), store_int(limit));
    while (more && store_next(&rows)) {
        read_issue(&rows, &issue);
        count++;
        more = visit(context, &issue);
    }
    store_rows_end(&rows);
    return count;
}

int64_t store_health_expire(struct store *store, int64_t closed_before)
{
    return store_run(store, "DELETE FROM health WHERE closed > 0 AND closed < ?1", store_int(closed_before))
               ? store_changed(store)
               : 0;
}
