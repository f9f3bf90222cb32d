/* SPDX-License-Identifier: Apache-2.0
 *
 * What reading Windows events costs: bench_events FILE.evtx. The events of the file are read from its chunks,
 * and then written as XML and as NXLog's JSON and read from those; each with the activities that they tell.
 * Events per second of CPU time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "events/event_text.h"
#include "events/evtx.h"
#include "events/translate.h"

#define SECONDS    3.0
#define EVENTS_MAX 4096

static struct activity_writer writer;
static uint64_t events, told;

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void translate(void *context, const struct event *event)
{
    (void)context;
    events++;
    if (event_translate(event, &writer) != EVENT_TOLD)
        return;
    activity_finish(&writer);
    told++;
}

static void report(const char *what, double seconds)
{
    printf("%-5s %9.0f events per CPU-second, %.2f us each, %.0f %% of them told something\n", what,
           (double)events / seconds, seconds / (double)events * 1e6, 100.0 * (double)told / (double)events);
    events = told = 0;
}

/* -- the same events as text -- */

struct texts {
    char *xml[EVENTS_MAX], *json[EVENTS_MAX];
    unsigned count;
};

static void put_escaped(FILE *to, struct bytes text, bool is_json)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (is_json && (c == '"' || c == '\\'))
            fprintf(to, "\\%c", c);
        else if (!is_json && (c == '<' || c == '&' || c == '"'))
            fprintf(to, "&#%u;", c);
        else if (c >= ' ')
            fputc(c, to);
        else if (is_json)
            fprintf(to, "\\u%04x", c);
        else
            fputc(' ', to);
    }
}

static void write_xml(FILE *to, const struct event *event, const char *time)
{
    fprintf(
        to,
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='%.*s'/>"
        "<EventID>%u</EventID><Version>1</Version><Level>0</Level><Task>12544</Task><Opcode>0</Opcode>"
        "<Keywords>0x8020000000000000</Keywords><TimeCreated SystemTime='%s'/><EventRecordID>%llu"
        "</EventRecordID><Correlation/><Execution ProcessID='556' ThreadID='612'/><Channel>%.*s</Channel>"
        "<Computer>%.*s</Computer><Security/></System><EventData>",
        (int)event->provider.size, (const char *)event->provider.data, event->id, time,
        (unsigned long long)event->record, (int)event->channel.size, (const char *)event->channel.data,
        (int)event->computer.size, (const char *)event->computer.data);
    for (uint32_t i = 0; i < event->count; i++) {
        fputs("<Data Name=\"", to);
        put_escaped(to, event->fields[i].name, false);
        fputs("\">", to);
        put_escaped(to, event->fields[i].value, false);
        fputs("</Data>", to);
    }
    fputs("</EventData></Event>", to);
}

static void write_json(FILE *to, const struct event *event, const char *time)
{
    fprintf(
        to,
        "{\"EventTime\":\"%s\",\"Hostname\":\"%.*s\",\"Keywords\":-9214364837600034816,\"EventType\":"
        "\"AUDIT_SUCCESS\",\"EventID\":%u,\"SourceName\":\"%.*s\",\"RecordNumber\":%llu,\"Channel\":\"%.*s\"",
        time, (int)event->computer.size, (const char *)event->computer.data, event->id,
        (int)event->provider.size, (const char *)event->provider.data, (unsigned long long)event->record,
        (int)event->channel.size, (const char *)event->channel.data);
    for (uint32_t i = 0; i < event->count; i++) {
        fputs(",\"", to);
        put_escaped(to, event->fields[i].name, true);
        fputs("\":\"", to);
        put_escaped(to, event->fields[i].value, true);
        fputc('"', to);
    }
    fputc('}', to);
}

static void write_texts(void *context, const struct event *event)
{
    struct texts *texts = context;
    char time[CLOCK_RFC3339_MAX];
    size_t size;
    if (texts->count == EVENTS_MAX)
        return;
    clock_rfc3339(event->time, time);
    FILE *xml = open_memstream(&texts->xml[texts->count], &size);
    FILE *json = open_memstream(&texts->json[texts->count], &size);
    if (!xml || !json)
        abort();
    write_xml(xml, event, time);
    write_json(json, event, time);
    fclose(xml);
    fclose(json);
    texts->count++;
}

/* -- measuring -- */

static void read_chunks(struct evtx *evtx, struct bytes file, event_sink sink, void *context)
{
    struct evtx_counters counters = {0};
    for (size_t at = EVTX_HEADER_BYTES; at + EVTX_CHUNK_BYTES <= file.size; at += EVTX_CHUNK_BYTES)
        evtx_chunk(evtx, (struct bytes){file.data + at, EVTX_CHUNK_BYTES}, 0, sink, context, &counters);
}

static void measure_evtx(struct evtx *evtx, struct bytes file)
{
    double start = cpu_seconds(), taken;
    do
        read_chunks(evtx, file, translate, NULL);
    while ((taken = cpu_seconds() - start) < SECONDS);
    report("evtx", taken);
}

static void measure_texts(const char *what, char *const *texts, unsigned count)
{
    static struct event event;
    struct arena *arena = arena_new(EVENT_TEXT_ARENA);
    struct event_reader *reader = event_reader_new();
    double start = cpu_seconds(), taken;
    do {
        for (unsigned i = 0; i < count; i++) {
            struct bytes text = {(const uint8_t *)texts[i], strlen(texts[i])};
            arena_reset(arena);
            if (event_from_text(reader, text, EVENT_SYSLOG, arena, &event) == EVENT_TEXT_READ)
                translate(NULL, &event);
        }
    } while ((taken = cpu_seconds() - start) < SECONDS);
    report(what, taken);
    arena_destroy(&arena);
    event_reader_destroy(&reader);
}

int main(int argc, char **argv)
{
    static uint8_t bytes[16 * 1024 * 1024];
    static struct texts texts;
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    struct evtx *evtx = evtx_new();
    if (!file || !evtx)
        return fprintf(stderr, "usage: bench_events FILE.evtx\n"), 2;
    struct bytes log = {bytes, fread(bytes, 1, sizeof(bytes), file)};
    fclose(file);
    read_chunks(evtx, log, write_texts, &texts);
    if (texts.count == 0)
        return fprintf(stderr, "no events\n"), 1;
    measure_evtx(evtx, log);
    measure_texts("XML", texts.xml, texts.count);
    measure_texts("JSON", texts.json, texts.count);
    evtx_destroy(&evtx);
    for (unsigned i = 0; i < texts.count; i++) {
        free(texts.xml[i]);
        free(texts.json[i]);
    }
    return 0;
}
