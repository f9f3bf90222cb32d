/* SPDX-License-Identifier: Apache-2.0
 *
 * Events to network activities. One event is one activity, or none: most of what computers log says nothing
 * about the directory. Pure.
 */
#pragma once

#include "base/activity.h"
#include "events/event.h"

enum event_verdict {
    EVENT_TOLD,    /* the record stands in the writer: activity_finish() */
    EVENT_IGNORED, /* no event that Picket reads */
    EVENT_INVALID, /* one that it reads, but without what it must have: for the quarantine */
};

enum event_verdict event_translate(const struct event *event, struct activity_writer *w);
