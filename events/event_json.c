/* SPDX-License-Identifier: Apache-2.0
 *
 * A Windows event as JSON, in the two forms that agents write:
 *
 *   NXLog (im_msvistalog, to_json()): flat, {"EventID": 4624, "EventTime": "...", "Hostname": "dc1",
 *   "Channel": "Security", "RecordNumber": 7, "TargetUserName": "bob", ...}
 *
 *   Winlogbeat: nested, {"@timestamp": "...", "winlog": {"event_id": "4624", "computer_name": "dc1",
 *   "channel": "Security", "record_id": "7", "event_data": {"TargetUserName": "bob", ...}, ...}}; up to
 *   version 6 what is in "winlog" stands on the outside.
 *
 * Items that have no name in the log are "param1", "param2", ... in both.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "events/event_forms.h"

struct reading {
    struct arena *arena;
    struct event *event;
};

/* -- values -- */

static struct bytes keep(struct reading *r, const char *text, size_t size)
{
    uint8_t *at = arena_alloc(r->arena, size ? size : 1);
    if (!at) {
        r->event->truncated = true;
        return (struct bytes){0};
    }
    memcpy(at, text, size);
    return (struct bytes){at, size};
}

/* A string, number or boolean as text; nothing for all else. */
static struct bytes scalar(struct reading *r, const json_t *value)
{
    char number[32];
    if (json_is_string(value))
        return keep(r, json_string_value(value), json_string_length(value));
    if (json_is_integer(value))
        snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        snprintf(number, sizeof(number), "%.17g", json_real_value(value));
    else if (json_is_boolean(value))
        snprintf(number, sizeof(number), "%s", json_boolean_value(value) ? "true" : "false");
    else
        return (struct bytes){0};
    return keep(r, number, strlen(number));
}

static struct bytes text_of(struct reading *r, const json_t *object, const char *key)
{
    return scalar(r, json_object_get(object, key));
}

static uint64_t number_of(struct reading *r, const json_t *object, const char *key)
{
    return event_number(text_of(r, object, key));
}

static uint32_t id_of(struct reading *r, const json_t *object, const char *key)
{
    uint64_t id = number_of(r, object, key);
    return id <= UINT32_MAX ? (uint32_t)id : 0;
}

/* -- items -- */

/* The place of "param7"; 0 for other names. */
static unsigned param_place(const char *name)
{
    if (strncasecmp(name, "param", 5) != 0 || strlen(name) > 8)
        return 0;
    uint64_t place = event_number((struct bytes){(const uint8_t *)name + 5, strlen(name + 5)});
    return place <= EVENT_FIELDS_MAX ? (unsigned)place : 0;
}

/* Its nesting, which a hostile sender chooses, is bounded by the parser's; that of items is not followed. */
static void put_items(struct reading *r, const json_t *object)
{
    const json_t *params[EVENT_FIELDS_MAX];
    unsigned places = 0;
    void *at;
    memset(params, 0, sizeof(params));
    for (at = json_object_iter((json_t *)object); at; at = json_object_iter_next((json_t *)object, at)) {
        const char *name = json_object_iter_key(at);
        const json_t *value = json_object_iter_value(at);
        unsigned place = param_place(name);
        if (place > 0) {
            params[place - 1] = value;
            places = place > places ? place : places;
        } else if (!json_is_object(value) && !json_is_array(value) && !json_is_null(value)) {
            event_put(r->event, keep(r, name, strlen(name)), scalar(r, value));
        }
    }
    for (unsigned i = 0; i < places; i++)
        event_put(r->event, (struct bytes){0}, scalar(r, params[i]));
}

/* -- NXLog -- */

/* It writes its times in the zone of the computer and does not say which. Where a collector added the time at
 * which it received the event, in UTC, the zone is the difference of the two times of receipt. */
static int64_t zone_of(const struct bytes received, const struct bytes stamp)
{
    int64_t local = event_time(received), utc = event_time(stamp), quarter = 15 * CLOCK_MINUTE;
    if (local == 0 || utc == 0)
        return 0;
    int64_t zone = (local - utc + (local >= utc ? quarter / 2 : -quarter / 2)) / quarter * quarter;
    int64_t rest = local - utc - zone;
    bool is_zone = zone >= -14 * CLOCK_HOUR && zone <= 14 * CLOCK_HOUR;
    return is_zone && rest > -2 * CLOCK_MINUTE && rest < 2 * CLOCK_MINUTE ? zone : 0;
}

static bool has_zone(struct bytes time)
{
    int64_t ignored;
    return clock_rfc3339_parse((const char *)time.data, time.size, &ignored);
}

/* As a number, which configurations make of it to be rid of the zone: seconds, or thousandths or millionths.
 */
static int64_t epoch_of(const json_t *time)
{
    const json_int_t year_5138 = 99999999999; /* in seconds; in milliseconds it is 1973 */
    json_int_t value = json_integer_value(time);
    if (value <= 0 || value > INT64_MAX / 1000)
        return 0;
    if (value > year_5138 * 1000)
        return value * CLOCK_MICROSECOND;
    return value > year_5138 ? value * CLOCK_MILLISECOND
                             : (value < INT64_MAX / CLOCK_SECOND ? value * CLOCK_SECOND : 0);
}

static void read_nxlog(struct reading *r, const json_t *root)
{
    struct event *event = r->event;
    struct bytes time = text_of(r, root, "EventTime"), type = text_of(r, root, "EventType");
    bool is_number = json_is_integer(json_object_get(root, "EventTime"));
    event->time = is_number ? epoch_of(json_object_get(root, "EventTime")) : event_time(time);
    if (event->time && !is_number && !has_zone(time))
        event->time -= zone_of(text_of(r, root, "EventReceivedTime"), text_of(r, root, "@timestamp"));
    if (event->time == 0) /* other agents that write the same form */
        event->time = event_time(text_of(r, root, "TimeCreated"));
    event->record = number_of(r, root, "RecordNumber");
    event->provider = text_of(r, root, "SourceName");
    event->channel = text_of(r, root, "Channel");
    event->computer = text_of(r, root, "Hostname");
    event->user = text_of(r, root, "UserID");
    event->audit_failure = (type.size == 13 && memcmp(type.data, "AUDIT_FAILURE", 13) == 0) ||
                           (number_of(r, root, "Keywords") & EVENT_KEYWORD_AUDIT_FAILURE);
    /* In whose name it was logged; this name hides that of an item. */
    struct bytes account = text_of(r, root, "AccountName"), domain = text_of(r, root, "Domain");
    if (event->user.size && account.size) {
        static const char subject[] = "SubjectUserName", subject_domain[] = "SubjectDomainName";
        json_object_del((json_t *)root, "AccountName");
        if (!json_object_get(root, subject)) {
            event_put(event, keep(r, subject, sizeof(subject) - 1), account);
            event_put(event, keep(r, subject_domain, sizeof(subject_domain) - 1), domain);
        }
    }
    json_object_del((json_t *)root, "Message");
    put_items(r, root);
}

/* -- Winlogbeat -- */

static void read_winlogbeat(struct reading *r, const json_t *root, const json_t *winlog)
{
    struct event *event = r->event;
    bool is_old = winlog == root;
    const json_t *user = json_object_get(winlog, "user");
    struct bytes outcome = text_of(r, json_object_get(root, "event"), "outcome");
    event->time = event_time(text_of(r, winlog, "time_created"));
    if (event->time == 0)
        event->time = event_time(text_of(r, root, "@timestamp"));
    event->record = number_of(r, winlog, is_old ? "record_number" : "record_id");
    event->provider = text_of(r, winlog, is_old ? "source_name" : "provider_name");
    event->channel = text_of(r, winlog, is_old ? "log_name" : "channel");
    event->computer = text_of(r, winlog, "computer_name");
    event->user = text_of(r, user, "identifier");
    event->audit_failure = outcome.size == 7 && memcmp(outcome.data, "failure", 7) == 0;
    put_items(r, json_object_get(winlog, "event_data"));
    put_items(r, json_object_get(winlog, "user_data"));
}

/* -- which of them -- */

static enum event_text_verdict read_root(struct reading *r, const json_t *root)
{
    const json_t *winlog = json_object_get(root, "winlog");
    r->event->id = id_of(r, root, "EventID");
    if (r->event->id) {
        read_nxlog(r, root);
        return EVENT_TEXT_READ;
    }
    if (!json_is_object(winlog) && json_is_object(json_object_get(root, "event_data")))
        winlog = root;
    r->event->id = id_of(r, winlog, "event_id");
    if (r->event->id == 0)
        return winlog ? EVENT_TEXT_BAD : EVENT_TEXT_OTHER;
    read_winlogbeat(r, root, winlog);
    return EVENT_TEXT_READ;
}

enum event_text_verdict event_from_json(struct bytes text, struct arena *arena, struct event *to)
{
    struct reading r = {.arena = arena, .event = to};
    json_t *root = json_loadb((const char *)text.data, text.size, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return EVENT_TEXT_BAD;
    }
    enum event_text_verdict verdict = read_root(&r, root);
    json_decref(root);
    return verdict;
}
