/* SPDX-License-Identifier: Apache-2.0
 *
 * The input `samba`: the audit logs of the Samba domain controller on this host (events/audit_log.h).
 */
#include "node/input_samba.h"

#include "base/clock.h"
#include "events/audit_log.h"
#include "events/log_tail.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POSITIONS "samba-positions" /* in the node's state */

struct input {
    struct log_tail *tail;
    struct intake *intake;
    char computer[HOST_NAME_MAX + 1];
    struct activity_writer writer;
};

static bool wanted(const struct config *config)
{
    return config_count(config, "samba/logs") > 0;
}

static bool check(const struct config *config, struct fault *fault)
{
    return config_count(config, "samba/logs") <= LOG_TAIL_FILES_MAX ||
           fault_say(fault, "samba/logs: %u at most", LOG_TAIL_FILES_MAX);
}

static enum log_line_verdict take_line(void *context, struct bytes line, uint64_t tag)
{
    struct input *self = context;
    const struct intake_message message = {.format = "samba", .bytes = line};
    switch (audit_log_translate(line, self->computer, &self->writer)) {
    case EVENT_TOLD:
        return intake_offer(self->intake, activity_finish(&self->writer), tag) ? LOG_LINE_WAITS
                                                                               : LOG_LINE_BUSY;
    case EVENT_INVALID:
        intake_refuse(self->intake, &message, "no audit line");
        break;
    case EVENT_IGNORED:
        intake_ignore(self->intake);
        break;
    }
    return LOG_LINE_DONE;
}

static void *start(const struct config *config, struct intake *intake, struct fault *fault)
{
    const char *paths[LOG_TAIL_FILES_MAX];
    char positions[PATH_MAX];
    struct input *self = calloc(1, sizeof(*self));
    struct log_tail_config to = {.paths = paths,
                                 .path_count = (unsigned)config_count(config, "samba/logs"),
                                 .positions = positions,
                                 .from_beginning = config_bool(config, "samba/from-beginning"),
                                 .line = take_line,
                                 .context = self};
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    for (unsigned i = 0; i < to.path_count; i++)
        paths[i] = config_string_at(config, "samba/logs", i);
    snprintf(positions, sizeof(positions), "%s/" POSITIONS, config_string(config, "node/state"));
    self->intake = intake;
    gethostname(self->computer, sizeof(self->computer) - 1);
    self->tail = log_tail_start(&to, fault);
    if (!self->tail) {
        free(self);
        return NULL;
    }
    return self;
}

static void stop(void *input)
{
    struct input *self = input;
    log_tail_stop(&self->tail);
    free(self);
}

static void describe(void *input, struct text *to)
{
    struct input *self = input;
    struct log_tail_status status;
    for (unsigned i = 0; log_tail_status(self->tail, i, &status); i++) {
        if (i > 0)
            text_string(to, ", ");
        text_string(to, status.path);
        text_string(to, status.reading ? ": " : " (not read): ");
        text_uint(to, status.lines);
        text_string(to, status.lines == 1 ? " line" : " lines");
        if (!status.behind)
            continue;
        text_string(to, ", ");
        text_uint(to, status.behind);
        text_string(to, " bytes behind");
    }
}

static bool tell_trouble(void *input, struct input_trouble *trouble)
{
    struct input *self = input;
    struct log_tail_status status;
    for (unsigned i = 0; log_tail_status(self->tail, i, &status); i++) {
        if (!*status.fault)
            continue;
        struct text t = text_to(trouble->text, sizeof(trouble->text));
        trouble->number = 1110;
        trouble->issue = "samba_log_not_read";
        text_string(&t, "Samba's audit log is not read: ");
        text_string(&t, status.fault);
        text_end(&t);
        return true;
    }
    return false;
}

/* The logs. */
static bool tell_source(void *input, uint32_t i, struct input_source *to)
{
    struct input *self = input;
    struct log_tail_status status;
    if (!log_tail_status(self->tail, i, &status))
        return false;
    *to = (struct input_source){.events = status.lines, .refused = status.lost, .silent = !status.reading};
    snprintf(to->name, sizeof(to->name), "%s", status.path);
    snprintf(to->position, sizeof(to->position), "%llu bytes behind", (unsigned long long)status.behind);
    return true;
}

static void kept(void *input, uint64_t tag)
{
    struct input *self = input;
    log_tail_kept(self->tail, tag);
}

const struct event_input input_samba = {
    .name = "samba",
    .issue = 1110,
    .issue_name = "samba_log_not_read",
    .issue_text = "Samba's audit log is not read",
    .wanted = wanted,
    .check = check,
    .start = start,
    .stop = stop,
    .describe = describe,
    .trouble = tell_trouble,
    .source = tell_source,
    .kept = kept,
};
