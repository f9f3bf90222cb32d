/* SPDX-License-Identifier: Apache-2.0
 *
 * QRadar's Log Event Extended Format: LEEF:1.0|vendor|product|version|id|attributes, with tabs between them;
 * LEEF:2.0 names another separator before them (a character, 0x5E, x5E, or nothing), which some senders leave
 * out. A sender of 1.0 that parts attributes with bars is understood, too. devTime may be in the form that
 * devTimeFormat says.
 */
#include "events/siem_format.h"
#include "events/timestamp.h"

#include <ctype.h>

/* Attributes of the event as a whole. */
enum value { ID, TIME, TIME_FORMAT, CHANNEL, PROVIDER, COMPUTER, RECORD, OUTCOME, MESSAGE, VALUES };

static const struct {
    const char *key;
    enum value value;
} heads[] = {
    {"EventIDCode", ID},      {"EventID", ID},           {"devTime", TIME},
    {"EventTime", TIME},      {"TimeGenerated", TIME},   {"devTimeFormat", TIME_FORMAT},
    {"Channel", CHANNEL},     {"LogName", CHANNEL},      {"AgentLogFile", CHANNEL},
    {"SourceName", PROVIDER}, {"Provider", PROVIDER},    {"Source", PROVIDER},
    {"Computer", COMPUTER},   {"Hostname", COMPUTER},    {"identHostName", COMPUTER},
    {"RecordNumber", RECORD}, {"EventRecordID", RECORD}, {"EventType", OUTCOME},
    {"Message", MESSAGE},
};

/* LEEF's own names for fields that the events have. */
static const struct {
    const char *key;
    const char *field;
} meanings[] = {
    {"usrName", "TargetUserName"},  {"accountName", "TargetUserName"},
    {"domain", "TargetDomainName"}, {"src", "IpAddress"},
    {"srcPort", "IpPort"},          {"srcHostName", "Workstation"},
    {"logonType", "LogonType"},     {"errorCode", "Status"},
};

static bool is_separator_number(struct bytes text, uint8_t *separator)
{
    if (text.size > 0 && text.data[0] == '0')
        text = siem_from(text, 1);
    if (text.size < 2 || text.size > 5 || tolower(text.data[0]) != 'x')
        return false;
    unsigned value = 0;
    for (size_t i = 1; i < text.size; i++) {
        if (!isxdigit(text.data[i]))
            return false;
        unsigned c = (unsigned)tolower(text.data[i]);
        value = value * 16 + (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    *separator = (uint8_t)value;
    return value > 0 && value < 256;
}

/* What parts the attributes; takes the field of LEEF 2.0 that says so. */
static uint8_t take_separator(struct bytes *text, bool second)
{
    const uint8_t *bar = text->size ? memchr(text->data, '|', text->size) : NULL;
    struct bytes said = {text->data, bar ? (size_t)(bar - text->data) : 0};
    uint8_t separator = '\t';
    if (second && bar && (said.size <= 1 || is_separator_number(said, &separator))) {
        if (said.size == 1)
            separator = said.data[0];
        *text = siem_from(*text, said.size + 1);
        return separator;
    }
    bool bars = bar && !memchr(text->data, '\t', text->size);
    return bars ? '|' : '\t';
}

static void put(struct siem_job *job, struct bytes values[VALUES], struct bytes key, struct bytes value)
{
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        if (siem_is(key, heads[i].key)) {
            if (values[heads[i].value].size == 0)
                values[heads[i].value] = value;
            return;
        }
    }
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
        if (siem_is(key, meanings[i].key) && value.size > 0)
            siem_put_named(job, meanings[i].field, value);
    siem_put(job, key, value);
}

static bool put_time(struct siem_job *job, const struct bytes values[VALUES])
{
    char pattern[64];
    struct bytes format = values[TIME_FORMAT];
    if (format.size > 0 && format.size < sizeof(pattern)) {
        memcpy(pattern, format.data, format.size);
        pattern[format.size] = '\0';
        if (timestamp_read(values[TIME], pattern, job->local, job->now, &job->event->time))
            return true;
    }
    return siem_put_time(job, values[TIME]);
}

enum siem_outcome siem_read_leef(struct siem_job *job)
{
    enum { VERSION, VENDOR, PRODUCT, PRODUCT_VERSION, EVENT_ID, FIELDS };
    struct bytes fields[FIELDS], values[VALUES] = {{0}}, text = siem_from(job->body, strlen("LEEF:"));
    struct event *event = job->event;
    for (unsigned i = 0; i < FIELDS; i++) {
        if (text.size == 0)
            return siem_bad(job, "LEEF: no header of five fields");
        fields[i] = siem_trim(siem_take(&text, '|'));
    }
    uint8_t separator = take_separator(&text, siem_begins(fields[VERSION], "2"));
    while (text.size > 0) {
        struct bytes value = siem_take(&text, (char)separator), key = siem_take(&value, '=');
        if (siem_trim(key).size > 0)
            put(job, values, siem_trim(key), siem_trim(value));
    }
    if (!siem_put_id(job, values[ID]) && !siem_put_id(job, fields[EVENT_ID]))
        return SIEM_NOT_WINDOWS;
    if (!siem_has(fields[VENDOR], "Microsoft") && !siem_has(fields[PRODUCT], "Windows") &&
        !siem_has(values[PROVIDER], "Microsoft-Windows"))
        return SIEM_NOT_WINDOWS;
    put_time(job, values);
    siem_is_number(values[RECORD], &event->record);
    event->channel = values[CHANNEL];
    event->provider = values[PROVIDER];
    event->computer = values[COMPUTER];
    siem_put_outcome(job, values[OUTCOME]);
    if (values[MESSAGE].size > 0)
        siem_put_rendered(job, values[MESSAGE]);
    return SIEM_READ;
}
