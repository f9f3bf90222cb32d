/* SPDX-License-Identifier: Apache-2.0
 *
 * Alerts: lists, one of them, what people do to it, its activities and history.
 */
#include "center/api_activities.h"
#include "center/api_routes.h"
#include "center/detector.h"
#include "center/store_audit.h"

#include "base/text.h"

#include <stdlib.h>

#define LIST_BYTES_MAX (API_ANSWER_MAX / 2)

/* --- one of them --- */

/* Its members, of an object that is open. */
static void write_members(struct json_writer *w, const struct stored_alert *stored)
{
    const struct detector *detector = alert_detector(&stored->alert);
    json_write_int(w, "number", stored->number);
    json_write_uint(w, "workspace", stored->workspace);
    json_write_string(w, "title", stored->title);
    json_write_string(w, "detector", stored->detector);
    json_write_string(w, "mitre", detector ? detector->mitre : NULL);
    json_write_string(w, "advice", detector ? detector->advice : NULL);
    json_write_string(w, "classification", alert_classification_name(stored->classification));
    json_write_bool(w, "reopened", stored->reopened);
    api_write_time(w, "raised", stored->raised);
    api_write_time(w, "changed", stored->changed);
    api_write_time(w, "suppressed_until", stored->suppressed_until);
    char *json = malloc(ALERT_JSON_MAX);
    size_t size = json ? alert_to_json(&stored->alert, json, ALERT_JSON_MAX) : 0;
    if (size > 2 && size < ALERT_JSON_MAX) /* its members, without its braces */
        json_write_raw(w, NULL, (struct bytes){(const uint8_t *)json + 1, size - 2});
    free(json);
}

static void write_alert(struct json_writer *w, const struct stored_alert *stored)
{
    json_write_object(w, NULL);
    write_members(w, stored);
    json_write_close(w);
}

/* Reads the one in the path; the caller frees it. NULL: answered. */
static struct stored_alert *load(struct api_work *work)
{
    uint8_t id[16];
    if (!api_part_id(work, id))
        return NULL;
    struct stored_alert *stored = calloc(1, sizeof(*stored));
    if (stored && store_alert_get(work->store, work->workspace, id, stored) &&
        stored->alert.status != ALERT_DELETED)
        return stored;
    free(stored);
    if (store_failed(work->store))
        api_store_failed(work);
    else
        api_problem(work, 404, "there is no such alert");
    return NULL;
}

bool api_alert_show(struct api_work *work)
{
    struct stored_alert *stored = load(work);
    if (!stored)
        return false;
    write_alert(&work->answer, stored);
    free(stored);
    return true;
}

/* --- lists --- */

static int status_index(const char *word)
{
    for (int i = 0; i < ALERT_STATUSES; i++)
        if (strcmp(alert_status_name((enum alert_status)i), word) == 0)
            return i;
    return -1;
}

static int severity_index(const char *word)
{
    enum severity severity;
    return severity_by_name(word, &severity) ? (int)severity : -1;
}

static bool take_filter(struct api_work *work, struct alert_filter *filter)
{
    int64_t external = 0, limit = 100;
    if (!api_take_words(work, "status", status_index, &filter->statuses) ||
        !api_take_words(work, "severity", severity_index, &filter->severities) ||
        !api_take_number(work, "external_id", 1, UINT32_MAX, &external) ||
        !api_take_time(work, "from", &filter->from) || !api_take_time(work, "till", &filter->till) ||
        !api_take_time(work, "changed_since", &filter->changed_since) ||
        !api_take_subject(work, "subject", &filter->subject) ||
        !api_take_number(work, "cursor", 1, INT64_MAX, &filter->before) ||
        !api_take_number(work, "limit", 1, 1000, &limit))
        return false;
    const char *text = api_argument(work, "q");
    if (text)
        filter->text = (struct bytes){(const uint8_t *)text, strlen(text)};
    filter->external_id = (uint32_t)external;
    filter->limit = (uint32_t)limit;
    return true;
}

struct listing {
    struct json_writer *w;
    int64_t last;
    size_t count;
    bool cut;
};

static bool list_one(void *context, const struct stored_alert *stored)
{
    struct listing *listing = context;
    if (listing->w->size > LIST_BYTES_MAX) {
        listing->cut = true;
        return false;
    }
    write_alert(listing->w, stored);
    listing->last = stored->number;
    listing->count++;
    return true;
}

bool api_alerts_list(struct api_work *work)
{
    struct alert_filter filter = {0};
    struct listing listing = {.w = &work->answer};
    char next[24] = "";
    if (!take_filter(work, &filter))
        return false;
    json_write_object(&work->answer, NULL);
    json_write_array(&work->answer, "items");
    store_alerts_list(work->store, work->workspace, &filter, list_one, &listing);
    if (store_failed(work->store))
        return api_store_failed(work);
    json_write_close(&work->answer);
    struct text t = text_to(next, sizeof(next));
    text_int(&t, listing.last);
    text_end(&t);
    bool more = listing.cut || listing.count == filter.limit;
    json_write_string(&work->answer, "next", more ? next : NULL);
    json_write_close(&work->answer);
    return true;
}

bool api_alerts_count(struct api_work *work)
{
    uint64_t counts[ALERT_STATUSES][SEVERITIES] = {{0}};
    store_alerts_count(work->store, work->workspace, counts);
    if (store_failed(work->store))
        return api_store_failed(work);
    json_write_object(&work->answer, NULL);
    for (unsigned i = 0; i < ALERT_DELETED; i++) {
        json_write_object(&work->answer, alert_status_name((enum alert_status)i));
        for (unsigned s = 0; s < SEVERITIES; s++)
            json_write_uint(&work->answer, severity_name((enum severity)s), counts[i][s]);
        json_write_close(&work->answer);
    }
    json_write_close(&work->answer);
    return true;
}

/* --- what people do --- */

static bool take_change(struct api_work *work, struct alert_change *change)
{
    static const char *const keys[] = {"status", "classification", NULL};
    char status[24] = "", classification[32] = "";
    *change = ALERT_CHANGE_NOTHING;
    if (!api_body_only(work, keys) || !api_body_text(work, "status", false, status, sizeof(status)) ||
        !api_body_text(work, "classification", false, classification, sizeof(classification)))
        return false;
    int index = status_index(status);
    if (*status && index < 0)
        return api_problem(work, 422, "status: open, closed, suppressed or deleted is wanted");
    if (*status)
        change->status = (enum alert_status)index;
    if (*classification && !alert_classification_by_name(classification, &change->classification))
        return api_problem(
            work, 422,
            "classification: none, true-positive, benign-true-positive or false-positive is wanted");
    return *status || *classification || api_problem(work, 422, "status or classification is wanted");
}

bool api_alert_patch(struct api_work *work)
{
    uint8_t id[16];
    struct alert_change change;
    struct fault fault = {{0}};
    bool known = true;
    if (!api_part_id(work, id) || !take_change(work, &change))
        return false;
    struct alerts alerts = {.store = work->store,
                            .clock = work->core->clock,
                            .listener_count = 2,
                            .listeners = {work->core->config->notifier, work->core->events}};
    struct stored_alert *after = calloc(1, sizeof(*after));
    if (!after)
        return api_problem(work, 503, "no memory");
    bool done =
        alerts_change(&alerts, work->workspace, id, &change, work->caller.name, after, &known, &fault);
    if (done)
        write_alert(&work->answer, after);
    free(after);
    if (done)
        return true;
    if (store_failed(work->store))
        return api_store_failed(work);
    return api_problem(work, known ? 409 : 404, "%s", fault.text);
}

/* --- what it is about --- */

bool api_alert_activities(struct api_work *work)
{
    struct stored_alert *stored = load(work);
    if (!stored)
        return false;
    struct activity_place places[ALERT_ACTIVITIES_MAX];
    for (uint32_t i = 0; i < stored->alert.activity_count; i++)
        places[i] = stored->alert.activities[i].place;
    json_write_object(&work->answer, NULL);
    json_write_array(&work->answer, "items");
    bool done = api_write_activities(work, places, stored->alert.activity_count);
    json_write_close(&work->answer);
    json_write_close(&work->answer);
    free(stored);
    return done;
}

static bool write_entry(void *context, const struct audit_entry *entry)
{
    struct json_writer *w = context;
    json_write_object(w, NULL);
    json_write_int(w, "number", entry->number);
    api_write_time(w, "at", entry->at);
    json_write_string(w, "who", entry->who);
    json_write_string(w, "what", entry->what);
    json_write_string(w, "object", entry->object);
    json_write_string(w, "before", entry->before);
    json_write_string(w, "after", entry->after);
    json_write_close(w);
    return w->size < LIST_BYTES_MAX;
}

static bool list_audit(struct api_work *work, const char *object)
{
    int64_t before = 0, limit = 100;
    if (!api_take_number(work, "cursor", 1, INT64_MAX, &before) ||
        !api_take_number(work, "limit", 1, 1000, &limit))
        return false;
    json_write_object(&work->answer, NULL);
    json_write_array(&work->answer, "items");
    store_audit_list(work->store, work->workspace, object, before, (uint32_t)limit, write_entry,
                     &work->answer);
    json_write_close(&work->answer);
    json_write_close(&work->answer);
    return !store_failed(work->store) || api_store_failed(work);
}

bool api_alert_history(struct api_work *work)
{
    uint8_t id[16];
    char object[33];
    if (!api_part_id(work, id))
        return false;
    struct text t = text_to(object, sizeof(object));
    text_hex(&t, (struct bytes){id, sizeof(id)});
    text_end(&t);
    return list_audit(work, object);
}

bool api_audit(struct api_work *work)
{
    return list_audit(work, api_argument(work, "object"));
}
