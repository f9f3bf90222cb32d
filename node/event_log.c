/* SPDX-License-Identifier: Apache-2.0 */
#include "node/event_log.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "events/evtx_file.h"
#include "events/translate.h"

struct reading {
    void (*record)(void *context, struct bytes record);
    void *context;
    struct progress *progress;
    struct event_log_counts *counts;
    struct activity_writer writer;
};

static void take(void *context, const struct event *event)
{
    struct reading *r = context;
    r->counts->ids[event->id < 65535 ? event->id : 65535]++;
    switch (event_translate(event, &r->writer)) {
    case EVENT_TOLD:
        r->counts->told++;
        r->record(r->context, activity_finish(&r->writer));
        break;
    case EVENT_IGNORED:
        r->counts->ignored++;
        break;
    case EVENT_INVALID:
        r->counts->invalid++;
        break;
    }
}

static void show_progress(void *context, uint64_t done)
{
    struct reading *r = context;
    progress_update(r->progress, (size_t)done);
}

bool event_log_read(int descriptor, void (*record)(void *context, struct bytes record), void *context,
                    struct progress *progress, struct event_log_counts *counts, struct fault *fault)
{
    static struct reading reading;
    struct evtx_file_config config = {.sink = take, .context = &reading, .progress = show_progress};
    struct stat stat;
    reading.record = record;
    reading.context = context;
    reading.progress = progress;
    reading.counts = counts;
    counts->files++;
    progress_begin(progress, fstat(descriptor, &stat) == 0 ? (size_t)stat.st_size : 0);
    bool is_fine = evtx_file_read(descriptor, &config, &counts->evtx, fault);
    progress_clear(progress);
    return is_fine;
}

void event_log_damage(const struct evtx_counters *counters, char *to, size_t size)
{
    to[0] = '\0';
    if (counters->bad_records + counters->bad_chunks + counters->bad_checksums == 0)
        return;
    snprintf(to, size,
             "damaged: %" PRIu64 " records cannot be read, %" PRIu64 " chunks have no header, %" PRIu64
             " checksums are wrong; what could be read was",
             counters->bad_records, counters->bad_chunks, counters->bad_checksums);
}

void event_log_print_counts(const struct event_log_counts *counts, bool has_others, void *stream)
{
    for (unsigned id = 0; id < 65536; id++) {
        if (counts->ids[id] == 0)
            continue;
        fprintf(stream, "%s\n  \"events.%u\": %" PRIu64, has_others ? "," : "", id, counts->ids[id]);
        has_others = true;
    }
}
