/* SPDX-License-Identifier: Apache-2.0 */
#include "center/store_nodes.h"

bool store_node_put(struct store *store, const struct stored_node *node)
{
    return store_run(store,
                     "INSERT INTO nodes (id, workspace, name, site, domains, first, last)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET"
                     " workspace = excluded.workspace, name = excluded.name, site = excluded.site,"
                     " domains = excluded.domains, last = excluded.last",
                     store_id(node->id.bytes), store_uint(node->workspace), store_string(node->name),
                     store_string(node->site), store_string(node->domains), store_int(node->first),
                     store_int(node->last));
}

size_t store_nodes_list(struct store *store, uint64_t workspace,
                        void (*visit)(void *context, const struct stored_node *node), void *context)
{
    size_t count = 0;
    struct stored_node node;
    struct store_rows rows = store_query(store,
                                         "SELECT id, workspace, name, site, domains, first, last FROM nodes"
                                         " WHERE ?1 = -1 OR workspace = ?1 ORDER BY name",
                                         store_uint(workspace));
    for (; store_next(&rows); count++) {
        store_get_id(&rows, 0, node.id.bytes);
        node.workspace = store_get_uint(&rows, 1);
        store_get_text(&rows, 2, node.name, sizeof(node.name));
        store_get_text(&rows, 3, node.site, sizeof(node.site));
        store_get_text(&rows, 4, node.domains, sizeof(node.domains));
        node.first = store_get_int(&rows, 5);
        node.last = store_get_int(&rows, 6);
        visit(context, &node);
    }
    return count;
}
