/* SPDX-License-Identifier: Apache-2.0
 *
 * Where an input (a listener, a reader of files) puts what it hears: events become activities here, finished
 * activities pass, what is not understood goes to the quarantine, and everything is counted. Each input has
 * one; any thread, none waits for long, but when the host is in need.
 */
#pragma once

#include "base/activity.h"
#include "events/event.h"
#include "events/quarantine.h"
#include "events/translate.h"

/* Every message that came is in exactly one of `understood` (an activity was made of it and taken),
 * `ignored`, `invalid` and `dropped`; their sum is `received`. */
struct intake_counters {
    uint64_t received;
    uint64_t understood;
    uint64_t ignored; /* known, and nothing that Picket reads */
    uint64_t invalid; /* not understood: quarantined */
    uint64_t dropped; /* understood, but there was no room */
    int64_t last;     /* wall ns of the last message; 0: none yet */
};

struct intake_config {
    const char *input; /* a constant: "syslog" */
    /* event_translate(). NULL: an input that gives no events. */
    enum event_verdict (*translate)(const struct event *event, struct activity_writer *w);
    /* Takes a finished activity; false: there is no room, it is lost. */
    bool (*record)(void *context, struct bytes record, uint64_t tag);
    void *context;
    struct quarantine *quarantine;
    struct yielding *yielding; /* who hands in is held up as it says, at most 100 ms at a time; NULL: never */
};

/* A message as it came, for the quarantine. */
struct intake_message {
    struct ip_address address; /* family 0: none */
    const char *format;        /* a constant: "cef" */
    struct bytes bytes;
};

struct intake;

/* NULL without memory. */
struct intake *intake_new(const struct intake_config *config);
void intake_destroy(struct intake **intake);

/* An event: translated, and the activity handed on. */
void intake_event(struct intake *intake, const struct event *event, const struct intake_message *from);

/* The same, for an input that acknowledges only what is safe: the activity bears the tag, which comes back
 * when it is (event_input_ops.kept). */
enum intake_verdict {
    INTAKE_DONE,   /* nothing of it is to become safe */
    INTAKE_POSTED, /* the tag will come back */
    INTAKE_FULL,   /* there was no room: dropped */
};
enum intake_verdict intake_event_tagged(struct intake *intake, const struct event *event,
                                        const struct intake_message *from, uint64_t tag);

/* A finished activity. False: there was no room. A `tag` that is not 0 comes back when the activity is safe
 * (event_input_ops.kept). */
bool intake_record(struct intake *intake, struct bytes record, uint64_t tag);

/* The same from who gives it again when there was no room: then nothing is lost, and nothing counted. */
bool intake_offer(struct intake *intake, struct bytes record, uint64_t tag);

/* A message that was understood and says nothing that Picket reads. */
void intake_ignore(struct intake *intake);

/* One that was not understood; `reason` is a constant. */
void intake_refuse(struct intake *intake, const struct intake_message *message, const char *reason);

/* Messages that were lost before they could be looked at (a full socket). */
void intake_lose(struct intake *intake, uint64_t messages);

void intake_counters(struct intake *intake, struct intake_counters *counters);
