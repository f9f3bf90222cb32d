/* SPDX-License-Identifier: Apache-2.0 */
#include "center/store_nodes.h"

const char *node_placed_name(enum node_placed placed)
{
    static const char *const names[] = {[PLACED_BY_DEFAULT] = "default",
                                        [PLACED_BY_RULE] = "rule",
                                        [PLACED_BY_TOKEN] = "token",
                                        [PLACED_BY_ADMINISTRATOR] = "administrator"};
    return names[placed];
}

bool store_node_put(struct store *store, const struct stored_node *node)
{
    return store_run(store,
                     "INSERT INTO nodes (id, workspace, name, site, domains, first, last, placed)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET"
                     " workspace = excluded.workspace, name = excluded.name, site = excluded.site,"
                     " domains = excluded.domains, last = excluded.last, placed = excluded.placed",
                     store_id(node->id.bytes), store_uint(node->workspace), store_string(node->name),
                     store_string(node->site), store_string(node->domains), store_int(node->first),
                     store_int(node->last), store_int((int64_t)node->placed));
}

#define NODE_COLUMNS "id, workspace, name, site, domains, first, last, placed"

static void read_node(const struct store_rows *rows, struct stored_node *to)
{
    int64_t placed = store_get_int(rows, 7);
    store_get_id(rows, 0, to->id.bytes);
    to->workspace = store_get_uint(rows, 1);
    store_get_text(rows, 2, to->name, sizeof(to->name));
    store_get_text(rows, 3, to->site, sizeof(to->site));
    store_get_text(rows, 4, to->domains, sizeof(to->domains));
    to->first = store_get_int(rows, 5);
    to->last = store_get_int(rows, 6);
    to->placed = placed > 0 && placed < NODE_PLACED ? (enum node_placed)placed : PLACED_BY_DEFAULT;
}

bool store_node_find(struct store *store, const struct node_id *id, struct stored_node *to)
{
    struct store_rows rows =
        store_query(store, "SELECT " NODE_COLUMNS " FROM nodes WHERE id = ?1", store_id(id->bytes));
    bool found = store_next(&rows);
    if (found)
        read_node(&rows, to);
    store_rows_end(&rows);
    return found;
}

size_t store_nodes_list(struct store *store, uint64_t workspace,
                        void (*visit)(void *context, const struct stored_node *node), void *context)
{
    size_t count = 0;
    struct stored_node node;
    struct store_rows rows =
        store_query(store, "SELECT " NODE_COLUMNS " FROM nodes WHERE ?1 = -1 OR workspace = ?1 ORDER BY name",
                    store_uint(workspace));
    for (; store_next(&rows); count++) {
        read_node(&rows, &node);
        visit(context, &node);
    }
    return count;
}

bool store_node_assign(struct store *store, const struct node_id *id, uint64_t workspace)
{
    return store_run(store,
                     "INSERT INTO node_workspaces (node, workspace) VALUES (?1, ?2)"
                     " ON CONFLICT (node) DO UPDATE SET workspace = excluded.workspace",
                     store_id(id->bytes), store_uint(workspace)) &&
           store_run(store, "UPDATE nodes SET workspace = ?2, placed = ?3 WHERE id = ?1", store_id(id->bytes),
                     store_uint(workspace), store_int(PLACED_BY_ADMINISTRATOR));
}

bool store_node_unassign(struct store *store, const struct node_id *id)
{
    return store_run(store, "DELETE FROM node_workspaces WHERE node = ?1", store_id(id->bytes)) &&
           store_changed(store) > 0;
}

bool store_node_assigned(struct store *store, const struct node_id *id, uint64_t *workspace)
{
    struct store_rows rows =
        store_query(store, "SELECT workspace FROM node_workspaces WHERE node = ?1", store_id(id->bytes));
    bool found = store_next(&rows);
    if (found)
        *workspace = store_get_uint(&rows, 0);
    store_rows_end(&rows);
    return found;
}
