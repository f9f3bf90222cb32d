/* SPDX-License-Identifier: Apache-2.0
 *
 * Splunk: a key and its value on each line, in any order, but for Message, the event's text, which is last.
 * The lines end with CR LF, which some senders write as the characters \r\n; in Microsoft's description one
 * of these is \r\ alone. Newer forwarders have other names for some keys (LogName, Keywords) and begin with a
 * line that tells the time alone.
 */
#include "events/siem_format.h"

enum value { ID, CHANNEL, PROVIDER, TIME, COMPUTER, OUTCOME, RECORD, VALUES };

struct pairs {
    struct bytes of[VALUES];
    struct bytes message;
    bool has_message;
};

static const struct {
    const char *key;
    enum value value;
} keys[] = {
    {"EventCode", ID},        {"Logfile", CHANNEL},    {"LogName", CHANNEL},
    {"SourceName", PROVIDER}, {"TimeGenerated", TIME}, {"ComputerName", COMPUTER},
    {"Keywords", OUTCOME},    {"Type", OUTCOME},       {"RecordNumber", RECORD},
};

static bool is_end(uint8_t c)
{
    return c == '\r' || c == '\n';
}

static struct bytes take_line(struct bytes *text)
{
    size_t n = 0;
    while (n < text->size && !is_end(text->data[n]))
        n++;
    struct bytes line = siem_first(*text, n);
    while (n < text->size && is_end(text->data[n]))
        n++;
    *text = siem_from(*text, n);
    return line;
}

static void take_pair(struct pairs *pairs, struct bytes line)
{
    struct bytes value = line, key = siem_trim(siem_take(&value, '='));
    if (key.size > 0 && key.data[0] == '\\')
        key = siem_from(key, 1);
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (siem_is(key, keys[i].key))
            pairs->of[keys[i].value] = siem_trim(value);
}

/* The line that stands alone before the pairs is a time, or a header. */
static void take_pairs(struct pairs *pairs, struct bytes text)
{
    for (bool first = true; text.size > 0 && !pairs->has_message; first = false) {
        struct bytes before = text, line = take_line(&text);
        if (first && !memchr(line.data, '=', line.size)) {
            pairs->of[TIME] = siem_trim(line);
        } else if (siem_begins(siem_trim(line), "Message=")) {
            const uint8_t *value = memchr(before.data, '=', before.size);
            pairs->message = siem_from(before, (size_t)(value - before.data) + 1);
            pairs->has_message = true;
        } else {
            take_pair(pairs, line);
        }
    }
}

/* A header that was not understood may stand before the first key, on its line. */
static struct bytes from_first_key(struct bytes body)
{
    const uint8_t *equals = memchr(body.data, '=', body.size);
    size_t at = equals ? (size_t)(equals - body.data) : 0;
    size_t line = at;
    while (line > 0 && !is_end(body.data[line - 1]))
        line--;
    while (at > line && body.data[at - 1] != ' ')
        at--;
    return line > 0 ? body : siem_from(body, at);
}

enum siem_outcome siem_read_splunk(struct siem_job *job)
{
    struct pairs pairs = {0};
    struct event *event = job->event;
    struct bytes text = job->body;
    if (siem_has(text, "\\nEventCode=") || siem_has(text, "\\nLogfile=") || siem_has(text, "\\nSourceName="))
        text = siem_trim(siem_unescape(job, text, "rnt", "\r\n\t"));
    take_pairs(&pairs, from_first_key(text));
    if (!siem_put_id(job, pairs.of[ID]))
        return siem_bad(job, "Splunk: no EventCode");
    if (!pairs.has_message)
        return siem_bad(job, "Splunk: no Message");
    if (!siem_put_time(job, pairs.of[TIME]))
        return siem_bad(job, "Splunk: no time of the event");
    siem_is_number(pairs.of[RECORD], &event->record);
    event->channel = pairs.of[CHANNEL];
    event->provider = pairs.of[PROVIDER];
    event->computer = pairs.of[COMPUTER];
    siem_put_outcome(job, pairs.of[OUTCOME]);
    siem_put_rendered(job, pairs.message);
    return SIEM_READ;
}
