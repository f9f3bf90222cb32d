/* SPDX-License-Identifier: Apache-2.0
 *
 * Structured data (RFC 5424 6.3), into which NXLog puts the fields of an event under the manifest's names:
 * [NXLOG@14506 EventID="4776" TargetUserName="..."] and the rendered text as the message.
 */
#include "events/siem_format.h"

static const struct {
    const char *name;
    enum {
        VALUE_ID,
        VALUE_TIME,
        VALUE_RECORD,
        VALUE_PROVIDER,
        VALUE_CHANNEL,
        VALUE_COMPUTER,
        VALUE_OUTCOME
    } is;
} heads[] = {
    {"EventID", VALUE_ID},          {"EventTime", VALUE_TIME},  {"RecordNumber", VALUE_RECORD},
    {"SourceName", VALUE_PROVIDER}, {"Channel", VALUE_CHANNEL}, {"Hostname", VALUE_COMPUTER},
    {"EventType", VALUE_OUTCOME},
};

static void put(struct siem_job *job, struct bytes name, struct bytes value)
{
    struct event *event = job->event;
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        if (!siem_is(name, heads[i].name))
            continue;
        switch (heads[i].is) {
        case VALUE_ID:
            siem_put_id(job, value);
            return;
        case VALUE_TIME:
            siem_put_time(job, value);
            return;
        case VALUE_RECORD:
            siem_is_number(value, &event->record);
            return;
        case VALUE_PROVIDER:
            event->provider = value;
            return;
        case VALUE_CHANNEL:
            event->channel = value;
            return;
        case VALUE_COMPUTER:
            event->computer = value;
            return;
        case VALUE_OUTCOME:
            siem_put_outcome(job, value);
            return;
        }
    }
    siem_put(job, name, value);
}

/* The value behind name=", to the quote that ends it. */
static struct bytes take_value(struct bytes *text)
{
    size_t n = 0;
    while (n < text->size && text->data[n] != '"')
        n += text->data[n] == '\\' ? 2 : 1;
    struct bytes value = siem_first(*text, n);
    *text = siem_from(*text, n + 1);
    return value;
}

enum siem_outcome siem_read_data(struct siem_job *job)
{
    struct bytes text = job->data;
    while (text.size > 0) {
        struct bytes name = siem_take(&text, '=');
        for (size_t i = name.size; i > 0; i--) {
            if (name.data[i - 1] == ' ' || name.data[i - 1] == '[') {
                name = siem_from(name, i);
                break;
            }
        }
        if (text.size == 0 || text.data[0] != '"')
            continue;
        text = siem_from(text, 1);
        put(job, name, siem_unescape(job, take_value(&text), "\"\\]", "\"\\]"));
    }
    if (job->event->id == 0)
        return siem_bad(job, "structured data: no EventID");
    siem_put_rendered(job, job->body);
    return SIEM_READ;
}
