/* SPDX-License-Identifier: Apache-2.0
 *
 * QRadar, events collected without an agent: pairs of key and value with tabs between them, last the event's
 * text. Where the tabs were lost (relays, pages that describe it) a pair ends where the next key begins.
 * TimeGenerated is milliseconds since 1970 or a CIM datetime; an agent's, in seconds, is taken too.
 */
#include "events/siem_format.h"

#include <ctype.h>

enum value { CHANNEL, PROVIDER, COMPUTER, ID, CODE, TYPE, RECORD, GENERATED, WRITTEN, MESSAGE, VALUES };

struct pairs {
    struct bytes of[VALUES + 1]; /* the last one is of no interest */
    bool has_message;
};

static const struct {
    const char *key;
    enum value value;
} keys[] = {
    {"AgentDevice", VALUES},
    {"AgentLogFile", CHANNEL},
    {"Source", PROVIDER},
    {"PluginVersion", VALUES},
    {"OriginatingComputer", VALUES},
    {"Computer", COMPUTER},
    {"User", VALUES},
    {"Domain", VALUES},
    {"EventID", ID},
    {"EventIDCode", CODE},
    {"EventType", TYPE},
    {"EventCategory", VALUES},
    {"RecordNumber", RECORD},
    {"TimeGenerated", GENERATED},
    {"TimeWritten", WRITTEN},
    {"Level", VALUES},
    {"Keywords", VALUES},
    {"Task", VALUES},
    {"Opcode", VALUES},
    {"Message", MESSAGE},
};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

/* Which key begins there; KEYS: none. */
static size_t key_at(struct bytes text)
{
    size_t n = 0;
    while (n < text.size && isalpha(text.data[n]))
        n++;
    if (n == 0 || n == text.size || text.data[n] != '=')
        return KEYS;
    for (size_t i = 0; i < KEYS; i++)
        if (siem_is(siem_first(text, n), keys[i].key))
            return i;
    return KEYS;
}

/* Where the pair that begins at the text's start ends. */
static size_t pair_end(struct bytes text, bool tabs)
{
    if (tabs) {
        const uint8_t *tab = memchr(text.data, '\t', text.size);
        return tab ? (size_t)(tab - text.data) : text.size;
    }
    for (size_t at = 1; at < text.size; at++)
        if (text.data[at - 1] == ' ' && key_at(siem_from(text, at)) < KEYS)
            return at;
    return text.size;
}

static void take_pairs(struct pairs *pairs, struct bytes text, bool tabs)
{
    while ((text = siem_trim(text)).size > 0 && !pairs->has_message) {
        size_t key = key_at(text);
        if (key == KEYS) { /* a header, or a key that is not known */
            size_t pass = 1;
            while (pass < text.size && text.data[pass - 1] != ' ' && text.data[pass - 1] != '\t')
                pass++;
            text = siem_from(text, pass);
            continue;
        }
        size_t end = pair_end(text, tabs);
        struct bytes value = siem_from(text, strlen(keys[key].key) + 1);
        pairs->has_message = keys[key].value == MESSAGE;
        if (!pairs->has_message)
            value = siem_trim(siem_first(value, end - strlen(keys[key].key) - 1));
        pairs->of[keys[key].value] = value;
        text = siem_from(text, end);
    }
}

enum siem_outcome siem_read_qradar(struct siem_job *job)
{
    struct pairs pairs = {0};
    struct event *event = job->event;
    struct bytes text = job->body;
    if (siem_has(text, "\\tEventID=") || siem_has(text, "\\tAgentLogFile="))
        text = siem_unescape(job, text, "trn", "\t\r\n");
    take_pairs(&pairs, text, siem_has(text, "\tEventID"));
    if (!siem_put_id(job, pairs.of[CODE]) && !siem_put_id(job, pairs.of[ID]))
        return siem_bad(job, "QRadar: no EventIDCode");
    if (!pairs.has_message)
        return siem_bad(job, "QRadar: no Message");
    if (!siem_put_time(job, pairs.of[GENERATED]) && !siem_put_time(job, pairs.of[WRITTEN]))
        return siem_bad(job, "QRadar: no TimeGenerated");
    siem_is_number(pairs.of[RECORD], &event->record);
    event->channel = pairs.of[CHANNEL];
    event->provider = pairs.of[PROVIDER];
    event->computer = pairs.of[COMPUTER];
    siem_put_outcome(job, pairs.of[TYPE]);
    siem_put_rendered(job, pairs.of[MESSAGE]);
    return SIEM_READ;
}
