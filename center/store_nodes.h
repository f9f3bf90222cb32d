/* SPDX-License-Identifier: Apache-2.0
 *
 * The nodes that delivered, each in its workspace.
 */
#pragma once

#include "center/store.h"
#include "cluster/node_id.h"

/* What put it into its workspace: the first of these that says something, from the last. */
enum node_placed { PLACED_BY_DEFAULT, PLACED_BY_RULE, PLACED_BY_TOKEN, PLACED_BY_ADMINISTRATOR, NODE_PLACED };
const char *node_placed_name(enum node_placed placed);

struct stored_node {
    struct node_id id;
    uint64_t workspace;
    enum node_placed placed;
    char name[256], site[256];
    char domains[2048];  /* one a line */
    int64_t first, last; /* wall clock, ns: its HELLOs */
};
/* Adds it or changes all but `first`. */
bool store_node_put(struct store *store, const struct stored_node *node);
/* False: it is not known. */
bool store_node_find(struct store *store, const struct node_id *id, struct stored_node *to);
/* `workspace` UINT64_MAX: of all. */
size_t store_nodes_list(struct store *store, uint64_t workspace,
                        void (*visit)(void *context, const struct stored_node *node), void *context);

/* Where an administrator puts a node, which need not have come yet; what it delivers is looked at there from
 * then on. */
bool store_node_assign(struct store *store, const struct node_id *id, uint64_t workspace);
/* Its token and the rules say again, at its next HELLO. False: it was not assigned. */
bool store_node_unassign(struct store *store, const struct node_id *id);
/* False: nobody did. */
bool store_node_assigned(struct store *store, const struct node_id *id, uint64_t *workspace);
