/* SPDX-License-Identifier: Apache-2.0 */
#include "center/store_settings.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* -- workspaces ------------------------------------------------------------------------------------------ */

bool store_workspace_add(struct store *store, struct stored_workspace *to)
{
    if (!to->created)
        to->created = clock_wall(clock_system());
    bool added =
        store_run(store, "INSERT INTO workspaces (name, created) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                  store_string(to->name), store_int(to->created)) &&
        store_changed(store) > 0;
    if (added)
        to->id = (uint64_t)store_added(store);
    return added;
}

static void read_workspace(const struct store_rows *rows, struct stored_workspace *to)
{
    to->id = store_get_uint(rows, 0);
    store_get_text(rows, 1, to->name, sizeof(to->name));
    to->created = store_get_int(rows, 2);
}

bool store_workspace_find(struct store *store, const char *name, struct stored_workspace *to)
{
    struct store_rows rows =
        store_query(store, "SELECT id, name, created FROM workspaces WHERE name = ?1", store_string(name));
    bool found = store_next(&rows);
    if (found)
        read_workspace(&rows, to);
    store_rows_end(&rows);
    return found;
}

size_t store_workspaces_list(struct store *store,
                             void (*visit)(void *context, const struct stored_workspace *workspace),
                             void *context)
{
    size_t count = 0;
    struct stored_workspace workspace;
    struct store_rows rows = store_query_all(store, "SELECT id, name, created FROM workspaces ORDER BY id");
    for (; store_next(&rows); count++) {
        read_workspace(&rows, &workspace);
        visit(context, &workspace);
    }
    return count;
}

uint64_t store_settings_version(struct store *store, uint64_t workspace)
{
    uint64_t version = 0;
    struct store_rows rows =
        store_query(store, "SELECT version FROM workspaces WHERE id = ?1", store_uint(workspace));
    if (store_next(&rows))
        version = store_get_uint(&rows, 0);
    store_rows_end(&rows);
    return version;
}

/* What the last statement changed is known to those who look at the version. */
static bool changed(struct store *store, uint64_t workspace)
{
    return store_changed(store) > 0 &&
           store_run(store, "UPDATE workspaces SET version = version + 1 WHERE id = ?1",
                     store_uint(workspace));
}

/* -- settings -------------------------------------------------------------------------------------------- */

bool store_setting_put(struct store *store, uint64_t workspace, const char *name, const char *value)
{
    if (strlen(name) >= SETTING_NAME_MAX || strlen(value) >= SETTING_VALUE_MAX)
        return store_fail(store, "a setting's name or value is too long");
    return store_run(store,
                     "INSERT INTO settings (workspace, name, value) VALUES (?1, ?2, ?3)"
                     " ON CONFLICT (workspace, name) DO UPDATE SET value = excluded.value",
                     store_uint(workspace), store_string(name), store_string(value)) &&
           (changed(store, workspace) || !store_failed(store));
}

bool store_setting_remove(struct store *store, uint64_t workspace, const char *name)
{
    return store_run(store, "DELETE FROM settings WHERE workspace = ?1 AND name = ?2", store_uint(workspace),
                     store_string(name)) &&
           changed(store, workspace);
}

bool store_setting_get(struct store *store, uint64_t workspace, const char *name, char *value,
                       size_t capacity)
{
    struct store_rows rows =
        store_query(store, "SELECT value FROM settings WHERE workspace = ?1 AND name = ?2",
                    store_uint(workspace), store_string(name));
    bool found = store_next(&rows);
    if (found)
        store_get_text(&rows, 0, value, capacity);
    store_rows_end(&rows);
    return found;
}

size_t store_settings_list(struct store *store, uint64_t workspace,
                           void (*visit)(void *context, const char *name, const char *value), void *context)
{
    size_t count = 0;
    char name[SETTING_NAME_MAX], value[SETTING_VALUE_MAX];
    struct store_rows rows = store_query(
        store, "SELECT name, value FROM settings WHERE workspace = ?1 ORDER BY name", store_uint(workspace));
    for (; store_next(&rows); count++) {
        store_get_text(&rows, 0, name, sizeof(name));
        store_get_text(&rows, 1, value, sizeof(value));
        visit(context, name, value);
    }
    return count;
}

/* -- exclusions ------------------------------------------------------------------------------------------ */

bool store_exclusion_add(struct store *store, uint64_t workspace, const struct exclusion *exclusion,
                         int64_t *id)
{
    if (!store_run(store,
                   "INSERT INTO exclusions (workspace, detector, kind, value) VALUES (?1, ?2, ?3, ?4)"
                   " ON CONFLICT DO NOTHING",
                   store_uint(workspace), store_string(exclusion->detector),
                   store_int((int64_t)exclusion->kind), store_string(exclusion->value)))
        return false;
    changed(store, workspace);
    struct store_rows rows = store_query(store,
                                         "SELECT id FROM exclusions WHERE workspace = ?1 AND detector = ?2"
                                         " AND kind = ?3 AND value = ?4",
                                         store_uint(workspace), store_string(exclusion->detector),
                                         store_int((int64_t)exclusion->kind), store_string(exclusion->value));
    bool found = store_next(&rows);
    if (found && id)
        *id = store_get_int(&rows, 0);
    store_rows_end(&rows);
    return found;
}

bool store_exclusion_remove(struct store *store, uint64_t workspace, int64_t id)
{
    return store_run(store, "DELETE FROM exclusions WHERE workspace = ?1 AND id = ?2", store_uint(workspace),
                     store_int(id)) &&
           changed(store, workspace);
}

static void read_exclusion(const struct store_rows *rows, struct exclusion *to)
{
    store_get_text(rows, 1, to->detector, sizeof(to->detector));
    to->kind = (enum exclusion_kind)store_get_int(rows, 2);
    store_get_text(rows, 3, to->value, sizeof(to->value));
}

size_t store_exclusions_list(struct store *store, uint64_t workspace,
                             void (*visit)(void *context, int64_t id, const struct exclusion *exclusion),
                             void *context)
{
    size_t count = 0;
    struct exclusion exclusion;
    struct store_rows rows = store_query(
        store, "SELECT id, detector, kind, value FROM exclusions WHERE workspace = ?1 ORDER BY id",
        store_uint(workspace));
    for (; store_next(&rows); count++) {
        read_exclusion(&rows, &exclusion);
        visit(context, store_get_int(&rows, 0), &exclusion);
    }
    return count;
}

/* -- tags ------------------------------------------------------------------------------------------------ */

bool store_tag_add(struct store *store, uint64_t workspace, const struct stored_tag *tag, int64_t *id)
{
    struct store_value guid = store_blob_of(tag->guid, tag->has_guid ? sizeof(tag->guid) : 0);
    if (!store_run(store,
                   "INSERT INTO tags (workspace, tag, guid, kind, name, domain)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
                   store_uint(workspace), store_string(tag->tag), guid, store_int((int64_t)tag->kind),
                   store_string(tag->name), store_string(tag->domain)))
        return false;
    changed(store, workspace);
    struct store_rows rows =
        store_query(store,
                    "SELECT id FROM tags WHERE workspace = ?1 AND tag = ?2 AND guid = ?3"
                    " AND (length(guid) = 16"
                    " OR (kind = ?4 AND name = ?5 AND domain = ?6))",
                    store_uint(workspace), store_string(tag->tag), guid, store_int((int64_t)tag->kind),
                    store_string(tag->name), store_string(tag->domain));
    bool found = store_next(&rows);
    if (found && id)
        *id = store_get_int(&rows, 0);
    store_rows_end(&rows);
    return found;
}

bool store_tag_remove(struct store *store, uint64_t workspace, int64_t id)
{
    return store_run(store, "DELETE FROM tags WHERE workspace = ?1 AND id = ?2", store_uint(workspace),
                     store_int(id)) &&
           changed(store, workspace);
}

static void read_tag(const struct store_rows *rows, struct stored_tag *to)
{
    store_get_text(rows, 1, to->tag, sizeof(to->tag));
    to->has_guid = store_get_bytes(rows, 2).size == sizeof(to->guid);
    store_get_id(rows, 2, to->guid);
    to->kind = (enum subject_kind)store_get_int(rows, 3);
    store_get_text(rows, 4, to->name, sizeof(to->name));
    store_get_text(rows, 5, to->domain, sizeof(to->domain));
}

size_t store_tags_list(struct store *store, uint64_t workspace,
                       void (*visit)(void *context, int64_t id, const struct stored_tag *tag), void *context)
{
    size_t count = 0;
    struct stored_tag tag;
    struct store_rows rows =
        store_query(store,
                    "SELECT id, tag, guid, kind, name, domain FROM tags WHERE workspace = ?1"
                    " ORDER BY id",
                    store_uint(workspace));
    for (; store_next(&rows); count++) {
        read_tag(&rows, &tag);
        visit(context, store_get_int(&rows, 0), &tag);
    }
    return count;
}

/* -- as detectors want it -------------------------------------------------------------------------------- */

struct gathering {
    struct workspace_settings *to;
    unsigned ignored;
};

static bool take_sensitivity(struct workspace_settings *to, const char *value)
{
    static const char *const names[] = {"low", "medium", "high"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(value, names[i]) == 0) {
            to->sensitivity = (enum sensitivity)i;
            return true;
        }
    }
    return false;
}

static bool take_off(struct workspace_settings *to, const char *word, size_t size)
{
    if (to->off_count >= sizeof(to->off) / sizeof(to->off[0]) || size >= sizeof(to->off[0]))
        return false;
    snprintf(to->off[to->off_count++], sizeof(to->off[0]), "%.*s", (int)size, word);
    return true;
}

static bool take_override(struct workspace_settings *to, const char *word, size_t size, const char *name,
                          const char *value)
{
    char *end;
    double number = strtod(value, &end);
    struct override *override = &to->overrides[to->override_count];
    if (to->override_count >= WORKSPACE_OVERRIDES_MAX || end == value || *end != '\0' || !isfinite(number) ||
        size >= sizeof(override->detector) || strlen(name) >= sizeof(override->setting))
        return false;
    snprintf(override->detector, sizeof(override->detector), "%.*s", (int)size, word);
    snprintf(override->setting, sizeof(override->setting), "%s", name);
    override->value = number;
    to->override_count++;
    return true;
}

static bool take_life(struct workspace_settings *to, const char *domain, const char *value)
{
    char *end;
    double hours = strtod(value, &end);
    return end != value && *end == '\0' && workspace_set_ticket_life(to, domain, hours);
}

static bool take_setting(struct workspace_settings *to, const char *name, const char *value)
{
    const char *slash = strchr(name, '/');
    if (!slash)
        return strcmp(name, "sensitivity") == 0 && take_sensitivity(to, value);
    if (strncmp(name, SETTING_TICKET_LIFE "/", sizeof(SETTING_TICKET_LIFE)) == 0)
        return take_life(to, slash + 1, value);
    if (strcmp(slash, "/off") != 0)
        return take_override(to, name, (size_t)(slash - name), slash + 1, value);
    return strcmp(value, "yes") != 0 || take_off(to, name, (size_t)(slash - name));
}

static void gather_setting(void *context, const char *name, const char *value)
{
    struct gathering *gathering = context;
    gathering->ignored += !take_setting(gathering->to, name, value);
}

static void gather_exclusion(void *context, int64_t id, const struct exclusion *exclusion)
{
    struct gathering *gathering = context;
    struct workspace_settings *to = gathering->to;
    (void)id;
    if (to->exclusion_count < WORKSPACE_EXCLUSIONS_MAX && exclusion->kind <= EXCLUDE_DOMAIN)
        to->exclusions[to->exclusion_count++] = *exclusion;
    else
        gathering->ignored++;
}

bool store_workspace_settings(struct store *store, uint64_t workspace, struct workspace_settings *to,
                              unsigned *ignored)
{
    struct gathering gathering = {.to = to};
    workspace_settings_init(to);
    to->id = workspace;
    store_settings_list(store, workspace, gather_setting, &gathering);
    bool fine = !store_failed(store);
    store_exclusions_list(store, workspace, gather_exclusion, &gathering);
    if (ignored)
        *ignored = gathering.ignored;
    return fine && !store_failed(store);
}
