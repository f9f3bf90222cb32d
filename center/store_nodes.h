/* SPDX-License-Identifier: Apache-2.0
 *
 * The nodes that delivered, each in its workspace.
 */
#pragma once

#include "center/store.h"
#include "cluster/node_id.h"

struct stored_node {
    struct node_id id;
    uint64_t workspace;
    char name[256], site[256];
    char domains[2048];  /* one a line */
    int64_t first, last; /* wall clock, ns: its HELLOs */
};
/* Adds it or changes all but `first`. */
bool store_node_put(struct store *store, const struct stored_node *node);
/* `workspace` UINT64_MAX: of all. */
size_t store_nodes_list(struct store *store, uint64_t workspace,
                        void (*visit)(void *context, const struct stored_node *node), void *context);
