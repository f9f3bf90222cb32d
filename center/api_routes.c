/* SPDX-License-Identifier: Apache-2.0 */
#include "center/api_routes.h"

#include "center/store_settings.h"

#define BASE "/api/v1"

const struct api_route api_routes[] = {
    {"GET", BASE "/openapi.json", ROLE_NONE, false, api_document},
    {"GET", BASE "/alerts", ROLE_VIEWER, false, api_alerts_list},
    {"GET", BASE "/alerts/counts", ROLE_VIEWER, false, api_alerts_count},
    {"GET", BASE "/alerts/{id}", ROLE_VIEWER, false, api_alert_show},
    {"PATCH", BASE "/alerts/{id}", ROLE_USER, false, api_alert_patch},
    {"GET", BASE "/alerts/{id}/activities", ROLE_VIEWER, false, api_alert_activities},
    {"GET", BASE "/alerts/{id}/history", ROLE_VIEWER, false, api_alert_history},
    {"GET", BASE "/events", ROLE_VIEWER, false, api_events_begin},
    {"GET", BASE "/search", ROLE_VIEWER, false, api_search},
    {"GET", BASE "/entities/{id}", ROLE_VIEWER, false, api_entity},
    {"GET", BASE "/subjects/{id}/activities", ROLE_VIEWER, false, api_subject_activities},
    {"GET", BASE "/sensors", ROLE_VIEWER, false, api_sensors},
    {"PATCH", BASE "/sensors/{id}", ROLE_ADMINISTRATOR, true, api_sensor_patch},
    {"GET", BASE "/sensors/{id}/settings", ROLE_VIEWER, false, api_sensor_settings},
    {"PATCH", BASE "/sensors/{id}/settings", ROLE_ADMINISTRATOR, false, api_sensor_settings_patch},
    {"GET", BASE "/fleet", ROLE_VIEWER, false, api_fleet},
    {"GET", BASE "/health", ROLE_VIEWER, false, api_health},
    {"GET", BASE "/status", ROLE_VIEWER, false, api_status},
    {"GET", BASE "/detectors", ROLE_VIEWER, false, api_detectors},
    {"GET", BASE "/settings", ROLE_VIEWER, false, api_settings_show},
    {"PATCH", BASE "/settings", ROLE_ADMINISTRATOR, false, api_settings_patch},
    {"GET", BASE "/exclusions", ROLE_VIEWER, false, api_exclusions_list},
    {"POST", BASE "/exclusions", ROLE_USER, false, api_exclusion_add},
    {"DELETE", BASE "/exclusions/{id}", ROLE_USER, false, api_exclusion_remove},
    {"GET", BASE "/tags", ROLE_VIEWER, false, api_tags_list},
    {"POST", BASE "/tags", ROLE_USER, false, api_tag_add},
    {"DELETE", BASE "/tags/{id}", ROLE_USER, false, api_tag_remove},
    {"GET", BASE "/workspaces", ROLE_VIEWER, false, api_workspaces_list},
    {"POST", BASE "/workspaces", ROLE_ADMINISTRATOR, true, api_workspace_add},
    {"GET", BASE "/users", ROLE_ADMINISTRATOR, false, api_users_list},
    {"POST", BASE "/users", ROLE_ADMINISTRATOR, false, api_user_add},
    {"PATCH", BASE "/users/{id}", ROLE_ADMINISTRATOR, false, api_user_patch},
    {"DELETE", BASE "/users/{id}", ROLE_ADMINISTRATOR, false, api_user_remove},
    {"GET", BASE "/tokens", ROLE_ADMINISTRATOR, false, api_tokens_list},
    {"POST", BASE "/tokens", ROLE_ADMINISTRATOR, false, api_token_add},
    {"DELETE", BASE "/tokens/{id}", ROLE_ADMINISTRATOR, false, api_token_remove},
    {"GET", BASE "/audit", ROLE_ADMINISTRATOR, false, api_audit},
    {NULL, NULL, ROLE_NONE, false, NULL},
};

/* Whether the path is the route's; what stands for {id} goes to `part`. */
static bool matches(const char *route, const char *path, char part[API_PART_MAX])
{
    while (*route) {
        if (*route == '{') {
            size_t size = strcspn(path, "/");
            if (size == 0 || size >= API_PART_MAX)
                return false;
            memcpy(part, path, size);
            part[size] = '\0';
            path += size;
            route += strlen("{id}");
        } else if (*route++ != *path++) {
            return false;
        }
    }
    return *path == '\0';
}

/* A route without {id} goes before one with it. NULL: 404 or 405 was answered. */
static const struct api_route *find(struct api_work *work)
{
    const char *allow = NULL;
    for (const struct api_route *route = api_routes; route->method; route++) {
        char part[API_PART_MAX] = "";
        if (!matches(route->path, work->path, part))
            continue;
        if (strcmp(route->method, work->method) == 0) {
            memcpy(work->part, part, sizeof(part));
            return route;
        }
        allow = !allow || strcmp(allow, route->method) == 0 ? route->method
                : strcmp(route->method, "PATCH") == 0       ? "GET, PATCH"
                                                            : "GET, POST";
    }
    if (!allow) {
        api_problem(work, 404, "there is nothing at this path");
        return NULL;
    }
    api_problem(work, 405, "here goes %s", allow);
    work->allow = allow;
    return NULL;
}

/* "workspace" of the arguments, by name; else the caller's own, else the first. */
static bool choose_workspace(struct api_work *work)
{
    struct stored_workspace workspace;
    const char *name = api_argument(work, "workspace");
    work->workspace = work->caller.workspace ? work->caller.workspace : WORKSPACE_DEFAULT;
    if (!name)
        return true;
    if (!store_workspace_find(work->store, name, &workspace) ||
        (work->caller.workspace && work->caller.workspace != workspace.id))
        return api_problem(work, 404, "there is no such workspace"); /* nor is it told that there is */
    work->workspace = workspace.id;
    return true;
}

static bool allowed(struct api_work *work, const struct api_route *route)
{
    if (route->role == ROLE_NONE)
        return true;
    if (!work->caller.known)
        return api_problem(work, 401, "a token is wanted: Authorization: Bearer ...");
    if (work->caller.role < route->role)
        return api_problem(work, 403, "the role %s is wanted", user_role_name(route->role));
    if (route->everywhere && work->caller.workspace)
        return api_problem(work, 403, "only for those who see all workspaces");
    return choose_workspace(work);
}

static bool read_body(struct api_work *work)
{
    json_error_t error;
    bool wanted = strcmp(work->method, "POST") == 0 || strcmp(work->method, "PATCH") == 0;
    if (!wanted)
        return work->body.size == 0 || api_problem(work, 400, "no body is wanted");
    if (work->body.size > API_BODY_MAX)
        return api_problem(work, 413, "at most %u bytes are taken", API_BODY_MAX);
    work->json = json_loadb((const char *)work->body.data, work->body.size, JSON_REJECT_DUPLICATES, &error);
    return work->json || api_problem(work, 400, "no JSON: line %d: %s", error.line, error.text);
}

void api_dispatch(struct api_work *work)
{
    json_writer_init(&work->answer, API_ANSWER_MAX);
    work->status = 0;
    const struct api_route *route = find(work);
    if (!route || !allowed(work, route) || !read_body(work))
        return;
    bool done = route->run(work);
    struct bytes text;
    if (!done || work->stream || work->fixed.size)
        return;
    if (work->status == 0)
        work->status = 200;
    if (work->status != 204 && !json_writer_done(&work->answer, &text))
        api_problem(work, 500, "the answer is too large");
}

void api_work_free(struct api_work *work)
{
    json_writer_free(&work->answer);
    json_decref(work->json);
    work->json = NULL;
}

bool api_document(struct api_work *work)
{
    work->status = 200;
    work->fixed = (struct bytes){(const uint8_t *)api_openapi, strlen(api_openapi)};
    return true;
}

bool api_events_begin(struct api_work *work)
{
    work->status = 200;
    work->stream = true;
    return true;
}
