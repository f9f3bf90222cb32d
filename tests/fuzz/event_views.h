/* SPDX-License-Identifier: Apache-2.0
 *
 * What every reader of events must keep to, whatever it read: all that an event points to can be read, and
 * the translator makes a record of it that decodes, or none.
 */
#pragma once

#include <stdlib.h>

#include "events/translate.h"

static inline void event_view_touch(struct bytes bytes)
{
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < bytes.size; i++)
        sum = (uint8_t)(sum + bytes.data[i]);
}

static inline void event_view_check(const struct event *event)
{
    static struct activity_writer writer;
    static struct activity record;
    if (event->id == 0 || event->count > EVENT_FIELDS_MAX)
        abort();
    event_view_touch(event->provider);
    event_view_touch(event->channel);
    event_view_touch(event->computer);
    event_view_touch(event->user);
    for (uint32_t i = 0; i < event->count; i++) {
        event_view_touch(event->fields[i].name);
        event_view_touch(event->fields[i].value);
    }
    if (event_translate(event, &writer) != EVENT_TOLD)
        return;
    struct bytes bytes = activity_finish(&writer);
    struct cursor c = cursor_of_bytes(bytes);
    if (!activity_decode(&c, &record) || !cursor_done(&c))
        abort();
}
