/* SPDX-License-Identifier: Apache-2.0
 *
 * What the running center knows, and its health.
 */
#include "center/api_routes.h"
#include "center/store_health.h"

#include "base/health.h"

static bool unavailable(struct api_work *work)
{
    return api_problem(work, 503, "this center does not know it");
}

bool api_sensors(struct api_work *work)
{
    const struct api_sources *sources = &work->core->config->sources;
    if (!sources->sensors)
        return unavailable(work);
    json_write_object(&work->answer, NULL);
    bool done = sources->sensors(sources->context, work->workspace, &work->answer);
    json_write_close(&work->answer);
    return done || unavailable(work);
}

bool api_fleet(struct api_work *work)
{
    const struct api_sources *sources = &work->core->config->sources;
    if (!sources->fleet)
        return unavailable(work);
    json_write_object(&work->answer, NULL);
    bool done = sources->fleet(sources->context, work->workspace, &work->answer);
    json_write_close(&work->answer);
    return done || unavailable(work);
}

bool api_status(struct api_work *work)
{
    const struct api_sources *sources = &work->core->config->sources;
    if (!sources->status)
        return unavailable(work);
    json_write_object(&work->answer, NULL);
    bool done = sources->status(sources->context, &work->answer);
    json_write_close(&work->answer);
    return done || unavailable(work);
}

bool api_search(struct api_work *work)
{
    const struct api_sources *sources = &work->core->config->sources;
    const char *text = api_argument(work, "q");
    int64_t limit = 20;
    if (!text || !*text || strlen(text) > 256)
        return api_problem(work, 400, "q: what to look for is wanted, at most 256 bytes");
    if (!api_take_number(work, "limit", 1, 200, &limit))
        return false;
    if (!sources->search)
        return unavailable(work);
    json_write_object(&work->answer, NULL);
    bool done =
        sources->search(sources->context, work->workspace,
                        (struct bytes){(const uint8_t *)text, strlen(text)}, (uint32_t)limit, &work->answer);
    json_write_close(&work->answer);
    return done || unavailable(work);
}

bool api_entity(struct api_work *work)
{
    const struct api_sources *sources = &work->core->config->sources;
    uint8_t guid[16];
    if (!api_part_guid(work, guid))
        return false;
    if (!sources->entity)
        return unavailable(work);
    json_write_object(&work->answer, NULL);
    bool done = sources->entity(sources->context, work->workspace, guid, &work->answer);
    json_write_close(&work->answer);
    return done || api_problem(work, 404, "there is no such entity");
}

static bool write_issue(void *context, const struct stored_health *issue)
{
    struct json_writer *w = context;
    const struct health_kind *kind = health_kind(issue->number);
    json_write_object(w, NULL);
    json_write_uint(w, "number", issue->number);
    json_write_string(w, "severity", severity_name(issue->severity));
    json_write_string(w, "name", issue->title);
    json_write_string(w, "subject", issue->object);
    json_write_string(w, "text", issue->detail);
    json_write_string(w, "action", kind ? kind->action : NULL);
    api_write_time(w, "since", issue->opened);
    api_write_time(w, "changed", issue->changed);
    api_write_time(w, "closed", issue->closed);
    json_write_close(w);
    return true;
}

bool api_health(struct api_work *work)
{
    int64_t limit = 200;
    const char *all = api_argument(work, "all");
    if (!api_take_number(work, "limit", 1, 1000, &limit))
        return false;
    json_write_object(&work->answer, NULL);
    json_write_array(&work->answer, "issues");
    store_health_list(work->store, work->caller.workspace ? work->workspace : UINT64_MAX, !all,
                      (uint32_t)limit, write_issue, &work->answer);
    json_write_close(&work->answer);
    json_write_close(&work->answer);
    return !store_failed(work->store) || api_store_failed(work);
}
