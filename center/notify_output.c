/* SPDX-License-Identifier: Apache-2.0 */
#include "center/notify_output.h"

#include "base/text.h"
#include "base/version.h"
#include "center/cef.h"
#include "center/detector.h"

#include <stdlib.h>

const char *notice_type(const struct notice *notice)
{
    return notice->alert ? notice->alert->alert.name : notice->issue->kind->word;
}

const char *notice_title(const struct notice *notice)
{
    return notice->alert ? notice->alert->title : notice->issue->kind->name;
}

static void key_text(struct text *t, const char *key, const char *value)
{
    text_string(t, ",\"");
    text_string(t, key);
    text_string(t, "\":");
    text_json_string(t, (struct bytes){(const uint8_t *)value, strlen(value)});
}

static void key_time(struct text *t, const char *key, int64_t time)
{
    char stamp[CLOCK_RFC3339_MAX];
    key_text(t, key, clock_rfc3339(time, stamp));
}

static void put_alert(struct text *t, const struct stored_alert *stored)
{
    key_text(t, "title", stored->title);
    key_text(t, "detector", stored->detector);
    key_text(t, "classification", alert_classification_name(stored->classification));
    text_string(t, ",\"number\":");
    text_int(t, stored->number);
    char *json = malloc(ALERT_JSON_MAX);
    if (!json)
        return;
    size_t size = alert_to_json(&stored->alert, json, ALERT_JSON_MAX);
    if (size < ALERT_JSON_MAX) {
        text_string(t, ",\"alert\":");
        text_put(t, json, size);
    }
    free(json);
}

static void put_issue(struct text *t, const struct health_issue *issue)
{
    text_string(t, ",\"issue\":{\"number\":");
    text_uint(t, issue->kind->number);
    key_text(t, "name", issue->kind->name);
    key_text(t, "severity", health_severity_name(issue->severity));
    key_text(t, "subject", issue->subject);
    key_text(t, "text", issue->text);
    key_text(t, "action", issue->kind->action);
    key_time(t, "since", issue->since);
    text_char(t, '}');
}

size_t notice_json(const struct notice *notice, char *to, size_t capacity)
{
    struct text t = text_to(to, capacity);
    text_string(&t, "{\"trigger\":\"");
    text_string(&t, notice->trigger);
    text_char(&t, '"');
    key_time(&t, "at", notice->at);
    text_string(&t, ",\"workspace\":");
    text_uint(&t, notice->workspace);
    if (notice->alert)
        put_alert(&t, notice->alert);
    else
        put_issue(&t, notice->issue);
    text_char(&t, '}');
    return text_end(&t);
}

size_t notice_cef(const struct notice *notice, const char *portal, char *to)
{
    struct cef_context context = {.version = picket_version(),
                                  .title = notice_title(notice),
                                  .trigger = notice->trigger,
                                  .url = portal};
    if (!notice->alert)
        return cef_of_health(notice->issue, &context, to);
    const struct detector *detector = alert_detector(&notice->alert->alert);
    if (detector)
        context.mitre = detector->mitre;
    return cef_of_alert(&notice->alert->alert, &context, to);
}
