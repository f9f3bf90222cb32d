/* SPDX-License-Identifier: Apache-2.0
 *
 * The input `evtx`: event log files that are put into a folder (events/evtx_folder.h).
 */
#include "node/input_evtx.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "events/evtx_folder.h"

/* A file is read much faster than what it tells can be resolved and kept: so many events, then a rest. What
 * comes from elsewhere does not have to wait for it. */
#define EVENTS_AT_A_TIME 64u
#define REST             (10 * CLOCK_MILLISECOND)

#define STATE_NAME "event-logs"

struct input {
    struct evtx_folder *folder;
    struct intake *intake;
    unsigned since_rest; /* of the folder's own thread */
    char path[4096], state[4096];
};

static bool wanted(const struct config *config)
{
    return config_count(config, "event-logs/folder") > 0;
}

/* An event that is not understood, for people to look at: what the log holds of it. */
static size_t write_items(const struct event *event, char *to, size_t size)
{
    struct text text = text_to(to, size);
    text_string(&text, "event ");
    text_uint(&text, event->id);
    text_string(&text, " record ");
    text_uint(&text, event->record);
    text_string(&text, " of ");
    text_put(&text, event->computer.data, event->computer.size);
    for (uint32_t i = 0; i < event->count; i++) {
        text_string(&text, "\n");
        text_put(&text, event->fields[i].name.data, event->fields[i].name.size);
        text_string(&text, "=");
        text_put(&text, event->fields[i].value.data, event->fields[i].value.size);
    }
    size_t whole = text_end(&text);
    return whole < size ? whole : size - 1;
}

static void take(void *context, const struct event *event)
{
    struct input *input = context;
    char items[QUARANTINE_BYTES];
    struct intake_message from = {.format = "evtx", .bytes.data = (const uint8_t *)items};
    from.bytes.size = write_items(event, items, sizeof(items));
    intake_event(input->intake, event, &from);
    if (++input->since_rest < EVENTS_AT_A_TIME)
        return;
    input->since_rest = 0;
    nanosleep(&(struct timespec){.tv_nsec = REST}, NULL);
}

static void stop(void *context)
{
    struct input *input = context;
    evtx_folder_stop(&input->folder);
    free(input);
}

static void *start(const struct config *config, struct intake *intake, struct fault *fault)
{
    struct input *input = calloc(1, sizeof(*input));
    if (!input) {
        fault_say(fault, "%s", strerror(ENOMEM));
        return NULL;
    }
    input->intake = intake;
    snprintf(input->path, sizeof(input->path), "%s", config_string(config, "event-logs/folder"));
    snprintf(input->state, sizeof(input->state), "%s/" STATE_NAME, config_string(config, "node/state"));
    struct evtx_folder_config to = {
        .path = input->path,
        .state = input->state,
        .period = config_int(config, "event-logs/period"),
        .clock = clock_system(),
        .sink = take,
        .context = input,
    };
    input->folder = evtx_folder_start(&to, fault);
    if (!input->folder) {
        free(input);
        return NULL;
    }
    return input;
}

static void put_count(struct text *to, uint64_t count, const char *what)
{
    if (!count)
        return;
    text_string(to, ", ");
    text_uint(to, count);
    text_string(to, what);
}

static void describe(void *context, struct text *to)
{
    const struct input *input = context;
    struct evtx_folder_status status;
    evtx_folder_status(input->folder, &status);
    text_string(to, input->path);
    put_count(to, status.files, status.files == 1 ? " log" : " logs");
    put_count(to, status.counters.records, " events");
    put_count(to, status.others, " that are no logs");
    put_count(to, status.counters.bad_records, " damaged records");
    put_count(to, status.counters.bad_chunks + status.counters.bad_checksums, " damaged chunks");
}

static bool tell_trouble(void *context, struct input_trouble *trouble)
{
    const struct input *input = context;
    struct evtx_folder_status status;
    evtx_folder_status(input->folder, &status);
    if (!status.missing && !status.unsaved)
        return false;
    trouble->number = 1109;
    trouble->issue = status.missing ? "event_logs_unreadable" : "event_logs_position_not_kept";
    snprintf(trouble->text, sizeof(trouble->text), "%s: %.180s",
             status.missing ? "the folder of event logs cannot be read"
                            : "how far event logs were read cannot be kept",
             status.missing ? input->path : input->state);
    return true;
}

const struct event_input input_evtx = {
    .name = "evtx",
    .issue = 1109,
    .issue_name = "event_logs_not_processed",
    .issue_text = "event log files are not processed",
    .wanted = wanted,
    .start = start,
    .stop = stop,
    .describe = describe,
    .trouble = tell_trouble,
};
