/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose data is whose: each node is in one workspace, told by its enrolment - its name, its site, the domains
 * that it may synchronize - and the configuration's rules; the default one when none fits. What a node
 * delivers is seen by its workspace alone. Any thread.
 */
#pragma once

#include "base/config.h"
#include "center/store_nodes.h"
#include "center/store_settings.h"
#include "cluster/record.h"

struct workspaces;

/* Reads the rules of the configuration (section "workspaces"), makes those that they name, and takes in the
 * nodes that are known. NULL with the reason. */
struct workspaces *workspaces_new(const char *store, const struct config *config, struct fault *fault);
void workspaces_destroy(struct workspaces **workspaces);

/* The workspace that the rules give a certificate. */
uint64_t workspaces_rule(const struct workspaces *workspaces, const struct certificate *certificate);

/* A node said HELLO: where it belongs is in the store before this returns true. One thread. */
bool workspaces_admit(struct workspaces *workspaces, const struct certificate *certificate,
                      struct fault *fault);
/* The workspace of a node; one that never said HELLO is in the default one. */
uint64_t workspaces_of(struct workspaces *workspaces, const struct node_id *node);
