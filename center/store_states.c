/* SPDX-License-Identifier: Apache-2.0 */
#include "center/store_states.h"

int64_t store_state_table(struct store *store, uint64_t workspace, uint32_t shard, const char *owner,
                          const char *table, uint32_t version)
{
    int64_t id = 0;
    if (!store_run(store,
                   "INSERT INTO state_tables (workspace, shard, owner, name, version)"
                   " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                   store_uint(workspace), store_int(shard), store_string(owner), store_string(table),
                   store_int(version)))
        return 0;
    struct store_rows rows = store_query(store,
                                         "SELECT id FROM state_tables WHERE workspace = ?1 AND shard = ?2"
                                         " AND owner = ?3 AND name = ?4 AND version = ?5",
                                         store_uint(workspace), store_int(shard), store_string(owner),
                                         store_string(table), store_int(version));
    if (store_next(&rows))
        id = store_get_int(&rows, 0);
    store_rows_end(&rows);
    return id;
}

bool store_states_put(struct store *store, int64_t table, bool whole, struct bytes run)
{
    return store_run(store, "INSERT INTO state_runs (form, whole, content) VALUES (?1, ?2, ?3)",
                     store_int(table), store_int(whole), store_blob(run));
}

bool store_states_forget(struct store *store, int64_t table)
{
    return store_run(store, "DELETE FROM state_runs WHERE form = ?1", store_int(table));
}

bool store_states_clear(struct store *store, int64_t table)
{
    return store_run(store, "DELETE FROM state_tables WHERE id = ?1", store_int(table));
}

size_t store_states_each(struct store *store, uint64_t workspace, uint32_t shard,
                         void (*visit)(void *context, const struct state_origin *origin, struct bytes run),
                         void *context)
{
    size_t count = 0;
    char owner[128], name[128];
    struct store_rows rows = store_query(store,
                                         "SELECT t.id, t.owner, t.name, t.version, r.whole, r.content"
                                         " FROM state_tables t JOIN state_runs r ON r.form = t.id"
                                         " WHERE t.workspace = ?1 AND t.shard = ?2 ORDER BY t.id, r.id",
                                         store_uint(workspace), store_int(shard));
    for (; store_next(&rows); count++) {
        store_get_text(&rows, 1, owner, sizeof(owner));
        store_get_text(&rows, 2, name, sizeof(name));
        const struct state_origin origin = {.table = store_get_int(&rows, 0),
                                            .owner = owner,
                                            .name = name,
                                            .version = (uint32_t)store_get_int(&rows, 3),
                                            .whole = store_get_int(&rows, 4) != 0};
        visit(context, &origin, store_get_bytes(&rows, 5));
    }
    return count;
}

bool store_position_put(struct store *store, uint64_t workspace, uint32_t shard, uint64_t position,
                        int64_t at)
{
    return store_run(store,
                     "INSERT INTO positions (workspace, shard, position, at) VALUES (?1, ?2, ?3, ?4)"
                     " ON CONFLICT (workspace, shard)"
                     " DO UPDATE SET position = excluded.position, at = excluded.at",
                     store_uint(workspace), store_int(shard), store_uint(position), store_int(at));
}

uint64_t store_position(struct store *store, uint64_t workspace, uint32_t shard)
{
    uint64_t position = 0;
    struct store_rows rows =
        store_query(store, "SELECT position FROM positions WHERE workspace = ?1 AND shard = ?2",
                    store_uint(workspace), store_int(shard));
    if (store_next(&rows))
        position = store_get_uint(&rows, 0);
    store_rows_end(&rows);
    return position;
}

uint64_t store_position_least(struct store *store)
{
    uint64_t position = UINT64_MAX;
    struct store_rows rows = store_query_all(store, "SELECT min(position) FROM positions");
    if (store_next(&rows) && !store_is_null(&rows, 0))
        position = store_get_uint(&rows, 0);
    store_rows_end(&rows);
    return position;
}
