/* SPDX-License-Identifier: Apache-2.0
 *
 * Workspaces, and what people have set in each: settings by name, exclusions, tags. Audited by the caller
 * (center/store_audit.h), in the same transaction.
 */
#pragma once

#include "center/store.h"
#include "center/workspace.h"

#define WORKSPACE_DEFAULT  1u /* is always there */
#define WORKSPACE_NAME_MAX 64u

struct stored_workspace {
    uint64_t id;
    char name[WORKSPACE_NAME_MAX];
    int64_t created;
};
/* Adds one: `to->id` is set. False: the name is taken, or the store failed. */
bool store_workspace_add(struct store *store, struct stored_workspace *to);
bool store_workspace_find(struct store *store, const char *name, struct stored_workspace *to);
size_t store_workspaces_list(struct store *store,
                             void (*visit)(void *context, const struct stored_workspace *workspace),
                             void *context);

/* Settings are texts by name, "sensitivity" or "DETECTOR/attempts"; workspace 0: of the installation. */
/* Of a domain, in hours: "ticket-life/corp.example". */
#define SETTING_TICKET_LIFE "ticket-life"
#define SETTING_NAME_MAX    128u
#define SETTING_VALUE_MAX   4096u
bool store_setting_put(struct store *store, uint64_t workspace, const char *name, const char *value);
bool store_setting_remove(struct store *store, uint64_t workspace, const char *name);
/* False: not set. */
bool store_setting_get(struct store *store, uint64_t workspace, const char *name, char *value,
                       size_t capacity);
size_t store_settings_list(struct store *store, uint64_t workspace,
                           void (*visit)(void *context, const char *name, const char *value), void *context);

/* `*id` (may be NULL) names it for store_exclusion_remove. One that is there already is left as it is. */
bool store_exclusion_add(struct store *store, uint64_t workspace, const struct exclusion *exclusion,
                         int64_t *id);
/* False: there is none such. */
bool store_exclusion_remove(struct store *store, uint64_t workspace, int64_t id);
size_t store_exclusions_list(struct store *store, uint64_t workspace,
                             void (*visit)(void *context, int64_t id, const struct exclusion *exclusion),
                             void *context);

/* Tags by hand: "sensitive", "honeytoken", "synchronizer", "dns-server", ... on who is in the directory (by
 * objectGUID) or is only known by name. */
struct stored_tag {
    char tag[32];
    bool has_guid;
    uint8_t guid[16]; /* or, without one, by name */
    enum subject_kind kind;
    char name[ALERT_NAME_MAX], domain[ALERT_NAME_MAX]; /* with a guid: how it was called then */
};
bool store_tag_add(struct store *store, uint64_t workspace, const struct stored_tag *tag, int64_t *id);
bool store_tag_remove(struct store *store, uint64_t workspace, int64_t id);
size_t store_tags_list(struct store *store, uint64_t workspace,
                       void (*visit)(void *context, int64_t id, const struct stored_tag *tag), void *context);

/* All of it as detectors want it: sensitivity ("sensitivity" = low, medium, high), overrides
 * ("DETECTOR/SETTING"), what is off ("DETECTOR/off" = yes), exclusions. What is not understood is left out
 * and counted in `*ignored` (may be NULL). */
bool store_workspace_settings(struct store *store, uint64_t workspace, struct workspace_settings *to,
                              unsigned *ignored);
/* Changes whenever anything of the workspace's settings, exclusions or tags does: cheap to look at. */
uint64_t store_settings_version(struct store *store, uint64_t workspace);
