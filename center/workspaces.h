/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose data is whose: each node is in one workspace. Where an administrator put it counts first; then what
 * the token says by which it was enrolled (cluster/record.h: the grant's workspace); then the configuration's
 * rules about its name, its site, the domains that it may synchronize; else the default one. What a node
 * delivers is seen by its workspace alone. Any thread.
 */
#pragma once

#include "base/config.h"
#include "center/store_nodes.h"
#include "center/store_settings.h"
#include "cluster/record.h"

struct workspaces;

/* Whether the rules of the configuration are some. False with the reason. */
bool workspaces_check(const struct config *config, struct fault *fault);
/* Reads the rules of the configuration (section "workspaces"), makes those that they name, and takes in the
 * nodes that are known. NULL with the reason. */
struct workspaces *workspaces_new(const char *store, const struct config *config, struct fault *fault);
void workspaces_destroy(struct workspaces **workspaces);

/* The workspace that the rules give a certificate. */
uint64_t workspaces_rule(const struct workspaces *workspaces, const struct certificate *certificate);

/* A node said HELLO: where it belongs is in the store before this returns true, and audited when it is news;
 * a workspace that its token names is made when there is none. One thread. */
bool workspaces_admit(struct workspaces *workspaces, const struct certificate *certificate,
                      struct fault *fault);
/* The workspace of a node; one that never said HELLO is in the default one. */
uint64_t workspaces_of(struct workspaces *workspaces, const struct node_id *node);
/* Looks at what others have written about the nodes: whom an administrator has moved. `store` is the
 * caller's. */
void workspaces_refresh(struct workspaces *workspaces, struct store *store);
