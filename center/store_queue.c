/* SPDX-License-Identifier: Apache-2.0 */
#include "center/store_queue.h"

bool store_queue_put(struct store *store, const char *queue, uint64_t workspace, int64_t now,
                     struct bytes content, uint32_t most, uint32_t *dropped)
{
    if (dropped)
        *dropped = 0;
    if (content.size > QUEUE_ITEM_MAX)
        return store_fail(store, "too large for a queue");
    if (!store_run(store,
                   "INSERT INTO queue (name, workspace, due, added, content) VALUES (?1, ?2, ?3, ?3, ?4)",
                   store_string(queue), store_uint(workspace), store_int(now), store_blob(content)) ||
        !store_run(store,
                   "DELETE FROM queue WHERE name = ?1 AND id <= (SELECT id FROM queue WHERE name = ?1"
                   " ORDER BY id DESC LIMIT 1 OFFSET ?2)",
                   store_string(queue), store_int(most)))
        return false;
    if (dropped)
        *dropped = (uint32_t)store_changed(store);
    return true;
}

size_t store_queue_due(struct store *store, const char *queue, int64_t now, uint32_t limit,
                       bool (*visit)(void *context, const struct queue_item *item), void *context)
{
    size_t count = 0;
    bool more = true;
    struct store_rows rows = store_query(store,
                                         "SELECT id, workspace, attempts, due, added, content FROM queue"
                                         " WHERE name = ?1 AND due <= ?2 ORDER BY id LIMIT ?3",
                                         store_string(queue), store_int(now), store_int(limit));
    while (more && store_next(&rows)) {
        const struct queue_item item = {.id = store_get_int(&rows, 0),
                                        .workspace = store_get_uint(&rows, 1),
                                        .attempts = (uint32_t)store_get_int(&rows, 2),
                                        .due = store_get_int(&rows, 3),
                                        .added = store_get_int(&rows, 4),
                                        .content = store_get_bytes(&rows, 5)};
        count++;
        more = visit(context, &item);
    }
    store_rows_end(&rows);
    return count;
}

bool store_queue_done(struct store *store, int64_t id)
{
    return store_run(store, "DELETE FROM queue WHERE id = ?1", store_int(id));
}

bool store_queue_retry(struct store *store, int64_t id, int64_t due)
{
    return store_run(store, "UPDATE queue SET attempts = attempts + 1, due = ?2 WHERE id = ?1", store_int(id),
                     store_int(due));
}

uint64_t store_queue_count(struct store *store, const char *queue)
{
    uint64_t count = 0;
    struct store_rows rows =
        store_query(store, "SELECT count(*) FROM queue WHERE name = ?1", store_string(queue));
    if (store_next(&rows))
        count = store_get_uint(&rows, 0);
    store_rows_end(&rows);
    return count;
}

int64_t store_queue_next(struct store *store, const char *queue)
{
    int64_t due = INT64_MAX;
    struct store_rows rows =
        store_query(store, "SELECT min(due) FROM queue WHERE name = ?1", store_string(queue));
    if (store_next(&rows) && !store_is_null(&rows, 0))
        due = store_get_int(&rows, 0);
    store_rows_end(&rows);
    return due;
}
