/* SPDX-License-Identifier: Apache-2.0 */
#include "events/siem.h"

#include "events/event_text.h"
#include "events/siem_format.h"
#include "events/timestamp.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

/* Copies of the message (control characters, escapes) and what event_from_text() takes. */
#define ARENA_BYTES (4 * SYSLOG_MESSAGE_MAX + EVENT_TEXT_ARENA)

/* Where a format is looked for: a header that is not understood may stand before it. */
#define SEARCHED 512u

struct siem_reader {
    struct arena *arena;
    struct event_reader *events;
    bool local;
};

static enum siem_outcome read_text(struct siem_job *job)
{
    switch (event_from_text(job->events, job->body, EVENT_SYSLOG, job->arena, job->event)) {
    case EVENT_TEXT_READ:
        return SIEM_READ;
    case EVENT_TEXT_OTHER:
        return SIEM_NOT_WINDOWS;
    default:
        return siem_bad(job, "neither the XML nor the JSON of an event");
    }
}

/* What a body begins with, or has near its beginning, and who reads it. In the order of their looking. */
static const struct {
    const char *format;
    const char *mark;
    bool first; /* only at the beginning of the body */
    enum siem_outcome (*read)(struct siem_job *job);
} formats[] = {
    {"json", "{", true, read_text},
    {"json", "@cee:", true, read_text},
    {"xml", "<Event", true, read_text},
    {"xml", "<?xml", true, read_text},
    {"cef", "CEF:", false, siem_read_cef},
    {"leef", "LEEF:", false, siem_read_leef},
    {"rsa", "RsaSA", false, siem_read_rsa},
    {"snare", "MSWinEventLog", false, siem_read_snare},
    {"qradar", "AgentDevice=", false, siem_read_qradar},
    {"qradar", "EventIDCode=", false, siem_read_qradar},
    {"splunk", "EventCode=", false, siem_read_splunk},
    {"json", "{\"", false, read_text},
    {"xml", "<Event ", false, read_text},
    {"xml", "<Event>", false, read_text},
};
#define FORMATS (sizeof(formats) / sizeof(formats[0]))

struct siem_reader *siem_reader_new(bool local)
{
    struct siem_reader *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->local = local;
    self->arena = arena_new(ARENA_BYTES);
    self->events = event_reader_new();
    if (!self->arena || !self->events)
        siem_reader_destroy(&self);
    return self;
}

void siem_reader_destroy(struct siem_reader **reader)
{
    if (!*reader)
        return;
    arena_destroy(&(*reader)->arena);
    event_reader_destroy(&(*reader)->events);
    free(*reader);
    *reader = NULL;
}

/* --- control characters --- */

/* The character that `#011`, `#012`, `#015` stand for (rsyslog writes others so); 0: none. */
static uint8_t octal(const uint8_t *at, size_t left)
{
    if (left < 4 || at[0] != '#' || at[1] != '0' || at[2] != '1')
        return 0;
    return at[3] == '1' ? '\t' : at[3] == '2' ? '\n' : at[3] == '5' ? '\r' : 0;
}

/* Relays that replace control characters would make the formats that need them unreadable. */
static struct bytes with_controls(struct siem_job *job, struct bytes text)
{
    if (!siem_has(text, "#01"))
        return text;
    uint8_t *to = arena_alloc(job->arena, text.size);
    size_t n = 0;
    for (size_t i = 0; to && i < text.size; n++) {
        uint8_t c = octal(text.data + i, text.size - i);
        to[n] = c ? c : text.data[i];
        i += c ? 4 : 1;
    }
    return to ? (struct bytes){to, n} : text;
}

/* --- recognition --- */

/* Where in the body the format begins; false: nowhere. */
static bool find_mark(struct bytes body, size_t format, size_t *at)
{
    struct bytes near = siem_first(body, SEARCHED);
    const char *mark = formats[format].mark;
    *at = 0;
    if (formats[format].first)
        return siem_begins(body, mark);
    const uint8_t *found = near.size ? memmem(near.data, near.size, mark, strlen(mark)) : NULL;
    if (found)
        *at = (size_t)(found - body.data);
    return found != NULL;
}

/* Formats of keys and values go in any order: the first key may stand before the mark. */
static bool keeps_beginning(size_t format)
{
    return formats[format].read == siem_read_splunk || formats[format].read == siem_read_qradar;
}

static struct siem_result read_as(struct siem_job *job, size_t format, size_t at)
{
    static const enum siem_verdict verdicts[] = {
        [SIEM_READ] = SIEM_EVENT, [SIEM_NOT_WINDOWS] = SIEM_OTHER, [SIEM_BAD] = SIEM_DAMAGED};
    job->body = siem_from(job->body, keeps_beginning(format) ? 0 : at);
    enum siem_outcome outcome = formats[format].read(job);
    return (struct siem_result){verdicts[outcome], formats[format].format, job->reason};
}

static struct siem_result recognise(struct siem_job *job)
{
    size_t at;
    for (size_t i = 0; i < FORMATS; i++)
        if (find_mark(job->body, i, &at))
            return read_as(job, i, at);
    if (siem_has(job->data, "EventID=\"")) {
        enum siem_outcome outcome = siem_read_data(job);
        return (struct siem_result){outcome == SIEM_READ ? SIEM_EVENT : SIEM_DAMAGED, "structured-data",
                                    job->reason};
    }
    return (struct siem_result){SIEM_UNKNOWN, "unknown", "no format that is known"};
}

static void begin(struct event *event)
{
    event->id = 0;
    event->time = 0;
    event->record = 0;
    event->provider = event->channel = event->computer = (struct bytes){0};
    event->source = EVENT_SYSLOG;
    event->audit_failure = event->truncated = false;
    event->count = 0;
}

struct siem_result siem_read(struct siem_reader *self, const struct syslog_header *header, int64_t now,
                             struct event *event)
{
    struct siem_job job = {.data = header->data,
                           .event = event,
                           .arena = self->arena,
                           .events = self->events,
                           .local = self->local,
                           .now = now};
    arena_reset(self->arena);
    begin(event);
    job.body = with_controls(&job, header->body);
    struct siem_result result = recognise(&job);
    if (result.verdict == SIEM_EVENT && event->time == 0) {
        int64_t told = header->stamp.size ? syslog_header_time(header, self->local, now) : 0;
        event->time = told ? told : now;
    }
    if (result.verdict == SIEM_EVENT && event->computer.size == 0)
        event->computer = header->host;
    return result;
}

/* --- what the readers share --- */

enum siem_outcome siem_bad(struct siem_job *job, const char *reason)
{
    job->reason = reason;
    return SIEM_BAD;
}

void siem_put(struct siem_job *job, struct bytes name, struct bytes value)
{
    struct event *event = job->event;
    if (event->count == EVENT_FIELDS_MAX) {
        event->truncated = true;
        return;
    }
    for (uint32_t i = 0; i < event->count; i++)
        if (event->fields[i].name.size == name.size &&
            strncasecmp((const char *)event->fields[i].name.data, (const char *)name.data, name.size) == 0)
            return;
    event->fields[event->count++] = (struct event_field){name, value};
}

void siem_put_named(struct siem_job *job, const char *name, struct bytes value)
{
    siem_put(job, siem_text(name), value);
}

bool siem_put_id(struct siem_job *job, struct bytes text)
{
    uint64_t id;
    if (!siem_is_number(siem_trim(text), &id) || id == 0 || id > UINT32_MAX)
        return false;
    job->event->id = (uint32_t)id;
    return true;
}

bool siem_put_time(struct siem_job *job, struct bytes text)
{
    int64_t time;
    if (!timestamp_read_any(siem_trim(text), job->local, job->now, &time))
        return false;
    job->event->time = time;
    return true;
}

void siem_put_outcome(struct siem_job *job, struct bytes text)
{
    static const char *const failures[] = {
        "Failure Audit", "Audit Failure", "Audit_failure", "AUDIT_FAILURE", "/Failure", "FailureAudit", "16",
        "Failure"};
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++)
        job->event->audit_failure |= siem_is(siem_trim(text), failures[i]);
}

/* --- bytes --- */

struct bytes siem_text(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

struct bytes siem_trim(struct bytes text)
{
    while (text.size && (isspace(text.data[0]) || text.data[0] == 0)) {
        text.data++;
        text.size--;
    }
    while (text.size && (isspace(text.data[text.size - 1]) || text.data[text.size - 1] == 0))
        text.size--;
    return text;
}

CURSOR_EMPTY_FINE struct bytes siem_from(struct bytes text, size_t n)
{
    n = n < text.size ? n : text.size;
    return (struct bytes){text.data + n, text.size - n};
}

struct bytes siem_first(struct bytes text, size_t n)
{
    return (struct bytes){text.data, n < text.size ? n : text.size};
}

bool siem_is(struct bytes text, const char *other)
{
    return text.size == strlen(other) && strncasecmp((const char *)text.data, other, text.size) == 0;
}

bool siem_begins(struct bytes text, const char *with)
{
    size_t size = strlen(with);
    return text.size >= size && memcmp(text.data, with, size) == 0;
}

bool siem_has(struct bytes text, const char *what)
{
    return text.size > 0 && memmem(text.data, text.size, what, strlen(what)) != NULL;
}

bool siem_is_number(struct bytes text, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (!isdigit(text.data[i]) || i >= 19)
            return false;
        *value = *value * 10 + (uint64_t)(text.data[i] - '0');
    }
    return text.size > 0;
}

struct bytes siem_take(struct bytes *text, char until)
{
    const uint8_t *at = text->size ? memchr(text->data, until, text->size) : NULL;
    struct bytes piece = siem_first(*text, at ? (size_t)(at - text->data) : text->size);
    *text = siem_from(*text, at ? piece.size + 1 : piece.size);
    return piece;
}

struct bytes siem_unescape(struct siem_job *job, struct bytes text, const char *escaped, const char *plain)
{
    if (text.size == 0 || !memchr(text.data, '\\', text.size))
        return text;
    uint8_t *to = arena_alloc(job->arena, text.size);
    size_t n = 0;
    for (size_t i = 0; to && i < text.size; i++) {
        const char *known = text.data[i] == '\\' && i + 1 < text.size && text.data[i + 1]
                                ? strchr(escaped, text.data[i + 1])
                                : NULL;
        to[n++] = known ? (uint8_t)plain[known - escaped] : text.data[i];
        i += known != NULL;
    }
    return to ? (struct bytes){to, n} : text;
}
