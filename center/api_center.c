/* SPDX-License-Identifier: Apache-2.0
 *
 * What the running center knows, and its health.
 */
#include "center/api_audit.h"
#include "center/api_routes.h"
#include "center/sensor_settings.h"
#include "center/store_health.h"
#include "center/store_nodes.h"
#include "center/store_settings.h"

#include "base/health.h"

#include <stdio.h>
#include <stdlib.h>

static bool unavailable(struct api_work *work)
{
    return api_problem(work, 503, "this center does not know it");
}

static const char *settled_name(enum delivery_settled how)
{
    switch (how) {
    case DELIVERY_IN_EFFECT:
        return "in effect";
    case DELIVERY_NEXT_START:
        return "at its next start";
    default:
        return "refused";
    }
}

static void write_configuration(struct json_writer *w, struct bytes configuration)
{
    char text[DELIVERY_SETTINGS_MAX + 1];
    snprintf(text, sizeof(text), "%.*s", (int)configuration.size, (const char *)configuration.data);
    json_write_string(w, "configuration", text);
}

/* What was set for it, and what became of that; with `whole` also the settings themselves. */
static void write_settings(struct json_writer *w, const char *key, const char *directory,
                           const struct node_id *id, bool whole)
{
    struct sensor_settings *settings = calloc(1, sizeof(*settings));
    struct sensor_settled settled = {.version = 0};
    struct fault fault;
    bool set = settings &&
               sensor_settings_load(settings, disk_system(), directory, id, &fault) == DISK_FOUND &&
               settings->version > 0;
    json_write_object(w, key);
    if (whole)
        write_configuration(w, set ? (struct bytes){settings->text, settings->size} : (struct bytes){0});
    if (set) {
        bool answered = sensor_settled_load(&settled, disk_system(), directory, id, &fault) == DISK_FOUND &&
                        settled.version == settings->version;
        json_write_uint(w, "version", settings->version);
        json_write_string(w, "state", answered ? settled_name(settled.how) : "not answered yet");
        json_write_string(w, "text", answered ? settled.text : NULL);
    } else {
        json_write_uint(w, "version", 0);
        json_write_string(w, "state", "none");
        json_write_null(w, "text");
    }
    json_write_close(w);
    free(settings);
}

static void write_domains(struct json_writer *w, const char *lines)
{
    json_write_array(w, "domains");
    while (*lines) {
        char domain[256];
        size_t size = strcspn(lines, "\n");
        snprintf(domain, sizeof(domain), "%.*s", (int)(size < sizeof(domain) ? size : sizeof(domain) - 1),
                 lines);
        if (*domain)
            json_write_string(w, NULL, domain);
        lines += size + (lines[size] == '\n');
    }
    json_write_close(w);
}

static void write_sensor(void *context, const struct stored_node *node)
{
    struct api_work *work = context;
    struct json_writer *w = &work->answer;
    char directory[PATH_SIZE];
    json_write_object(w, NULL);
    api_write_hex(w, "id", node->id.bytes, sizeof(node->id.bytes));
    json_write_string(w, "name", node->name);
    json_write_string(w, "site", node->site);
    json_write_uint(w, "workspace", node->workspace);
    json_write_string(w, "placed_by", node_placed_name(node->placed));
    write_domains(w, node->domains);
    api_write_time(w, "first", node->first);
    api_write_time(w, "heard", node->last);
    if (path_join(directory, work->core->config->state, "sensors", NULL))
        write_settings(w, "settings", directory, &node->id, false);
    json_write_close(w);
}

bool api_sensors(struct api_work *work)
{
    json_write_object(&work->answer, NULL);
    json_write_array(&work->answer, "items");
    store_nodes_list(work->store, work->workspace, write_sensor, work);
    json_write_close(&work->answer);
    json_write_close(&work->answer);
    return !store_failed(work->store) || api_store_failed(work);
}

/* One that has not come yet is known by its id alone, which `picket fleet invite` tells. */
static bool find_sensor(struct api_work *work, struct stored_node *node)
{
    *node = (struct stored_node){.workspace = WORKSPACE_DEFAULT};
    if (!api_part_id(work, node->id.bytes))
        return false;
    struct node_id id = node->id;
    if (!store_node_find(work->store, &id, node) && store_node_assigned(work->store, &id, &node->workspace))
        node->placed = PLACED_BY_ADMINISTRATOR;
    return true;
}

static bool put_sensor(struct api_work *work)
{
    struct stored_node node;
    struct stored_workspace workspace = {0};
    const json_t *wish = json_object_get(work->json, "workspace");
    if (!find_sensor(work, &node))
        return false;
    if (json_is_null(wish)) {
        store_node_unassign(work->store, &node.id);
    } else {
        if (!api_body_text(work, "workspace", true, workspace.name, sizeof(workspace.name)))
            return false;
        if (!store_workspace_find(work->store, workspace.name, &workspace))
            return api_problem(work, 422, "workspace: there is none of that name");
        store_node_assign(work->store, &node.id, workspace.id);
    }
    api_audit_add(work, workspace.id ? workspace.id : node.workspace, "sensor-placed",
                  *node.name ? node.name : work->part, node_placed_name(node.placed), workspace.name);
    if (!find_sensor(work, &node))
        return false;
    write_sensor(work, &node);
    return true;
}

bool api_sensor_patch(struct api_work *work)
{
    static const char *const keys[] = {"workspace", NULL};
    return api_body_only(work, keys) && api_change(work, put_sensor);
}

/* The sensor in the path, and where what is set for sensors stands. False: 404 was answered, also for one of
 * another workspace. */
static bool find_own_sensor(struct api_work *work, struct stored_node *node, char directory[PATH_SIZE])
{
    struct node_id id;
    struct fault fault;
    if (!api_part_id(work, id.bytes))
        return false;
    if (!path_join(directory, work->core->config->state, "sensors", &fault))
        return api_problem(work, 503, "%s", fault.text);
    return (store_node_find(work->store, &id, node) && node->workspace == work->workspace) ||
           api_problem(work, 404, "no such sensor ever delivered here");
}

bool api_sensor_settings(struct api_work *work)
{
    struct stored_node node;
    char directory[PATH_SIZE];
    if (!find_own_sensor(work, &node, directory))
        return false;
    write_settings(&work->answer, NULL, directory, &node.id, true);
    return true;
}

/* Within the transaction: no other request changes it meanwhile. */
static bool put_settings(struct api_work *work)
{
    struct stored_node node;
    struct fault fault;
    char directory[PATH_SIZE], text[DELIVERY_SETTINGS_MAX + 1];
    if (!find_own_sensor(work, &node, directory) ||
        !api_body_text(work, "configuration", true, text, sizeof(text)))
        return false;
    struct bytes bytes = {(const uint8_t *)text, strlen(text)};
    if (!sensor_settings_save(bytes, disk_system(), directory, &node.id, &fault))
        return api_problem(work, 503, "%s", fault.text);
    api_audit_add(work, node.workspace, "sensor-settings", node.name, NULL, text);
    write_settings(&work->answer, NULL, directory, &node.id, true);
    return true;
}

bool api_sensor_settings_patch(struct api_work *work)
{
    static const char *const keys[] = {"configuration", NULL};
    return api_body_only(work, keys) && api_change(work, put_settings);
}

bool api_fleet(struct api_work *work)
{
    const struct api_sources *sources = &work->core->config->sources;
    if (!sources->fleet)
        return unavailable(work);
    json_write_object(&work->answer, NULL);
    bool all = !work->caller.workspace && !api_argument(work, "workspace");
    bool done = sources->fleet(sources->context, all ? 0 : work->workspace, &work->answer);
    json_write_close(&work->answer);
    return done || unavailable(work);
}

bool api_status(struct api_work *work)
{
    const struct api_sources *sources = &work->core->config->sources;
    if (!sources->status)
        return unavailable(work);
    json_write_object(&work->answer, NULL);
    bool done = sources->status(sources->context, work->caller.workspace, &work->answer);
    json_write_close(&work->answer);
    return done || unavailable(work);
}

static void write_kind(struct json_writer *w, unsigned number, const char *severity, const char *name,
                       const char *subject, const char *text)
{
    const struct health_kind *kind = health_kind(number);
    json_write_uint(w, "number", number);
    json_write_string(w, "severity", severity);
    json_write_string(w, "name", name);
    json_write_string(w, "subject", subject);
    json_write_string(w, "text", text);
    json_write_string(w, "action", kind ? kind->action : NULL);
}

static bool write_issue(void *context, const struct stored_health *issue)
{
    struct json_writer *w = context;
    json_write_object(w, NULL);
    write_kind(w, issue->number, severity_name(issue->severity), issue->title, issue->object, issue->detail);
    api_write_time(w, "since", issue->opened);
    api_write_time(w, "changed", issue->changed);
    api_write_time(w, "closed", issue->closed);
    json_write_close(w);
    return true;
}

/* What is wrong now may be that the store cannot be told. */
static void write_present(struct json_writer *w, struct health *health, int64_t limit)
{
    struct health_issue issue;
    for (unsigned i = 0; i < limit && health_at(health, i, &issue); i++) {
        json_write_object(w, NULL);
        write_kind(w, issue.kind->number, health_severity_name(issue.severity), issue.kind->name,
                   issue.subject, issue.text);
        api_write_time(w, "since", issue.since);
        api_write_time(w, "changed", issue.since);
        json_write_null(w, "closed");
        json_write_close(w);
    }
}

bool api_health(struct api_work *work)
{
    int64_t limit = 200;
    const char *all = api_argument(work, "all");
    if (!api_take_number(work, "limit", 1, 1000, &limit))
        return false;
    json_write_object(&work->answer, NULL);
    json_write_array(&work->answer, "issues");
    bool present = !all && !work->caller.workspace && work->core->config->sources.health;
    if (present)
        write_present(&work->answer, work->core->config->sources.health, limit);
    else
        store_health_list(work->store, work->caller.workspace ? work->workspace : UINT64_MAX, !all,
                          (uint32_t)limit, write_issue, &work->answer);
    json_write_close(&work->answer);
    json_write_close(&work->answer);
    return present || !store_failed(work->store) || api_store_failed(work);
}
