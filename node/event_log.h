/* SPDX-License-Identifier: Apache-2.0
 *
 * Event log files (.evtx) of the command line: read, translated, counted.
 */
#pragma once

#include "base/fault.h"
#include "events/evtx.h"
#include "node/progress.h"

struct event_log_counts {
    uint64_t files;
    uint64_t told, ignored, invalid; /* events: their sum is evtx.records */
    struct evtx_counters evtx;
    uint64_t ids[65536]; /* events by their id, whatever became of them; one beyond is in the last */
};

/* Hands on the activities that the file tells of. False with the reason when it is no event log or cannot be
 * read; what came before was handed on. */
bool event_log_read(int descriptor, void (*record)(void *context, struct bytes record), void *context,
                    struct progress *progress, struct event_log_counts *counts, struct fault *fault);

/* What was damaged, in words; empty when nothing was. */
void event_log_damage(const struct evtx_counters *counters, char *to, size_t size);

/* "events.4624": 7, ... to a stdio stream, as members of a JSON object that has others before them or not. */
void event_log_print_counts(const struct event_log_counts *counts, bool has_others, void *stream);
