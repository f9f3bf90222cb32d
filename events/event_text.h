/* SPDX-License-Identifier: Apache-2.0
 *
 * One Windows event written as text by whoever sends it: as XML (the event's own form, also "rendered"), or
 * as JSON (NXLog's flat one, Winlogbeat's nested one). Which it is is recognised by its content.
 */
#pragma once

#include "base/arena.h"
#include "events/event.h"

/* The memory that reading one event takes at most. */
#define EVENT_TEXT_ARENA (4 * EVENT_BYTES_MAX)

enum event_text_verdict {
    EVENT_TEXT_READ,  /* the event stands in `to` */
    EVENT_TEXT_OTHER, /* neither XML that begins like an event nor JSON with an event id: another reader's */
    EVENT_TEXT_BAD,   /* one of them, but damaged, too large, or without what every event has */
};

/* What is kept from one event to the next, for one thread: XML's parser costs more to make than an event to
 * read. NULL without memory. */
struct event_reader;
struct event_reader *event_reader_new(void);
void event_reader_destroy(struct event_reader **reader);

/* Reads one event out of `text`: UTF-8, or UTF-16 with its byte order mark; blanks around it do no harm.
 * `to` is written as a whole, its `source` with the one given. It points into `arena`, which the caller gives
 * with EVENT_TEXT_ARENA bytes free and resets when it is done with the event. */
enum event_text_verdict event_from_text(struct event_reader *reader, struct bytes text,
                                        enum event_source source, struct arena *arena, struct event *to);
