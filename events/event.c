/* SPDX-License-Identifier: Apache-2.0 */
#include "events/event.h"

#include <string.h>
#include <strings.h>

struct bytes event_get(const struct event *event, const char *name)
{
    size_t size = strlen(name);
    for (uint32_t i = 0; i < event->count; i++) {
        const struct event_field *field = &event->fields[i];
        if (field->name.size == size && strncasecmp((const char *)field->name.data, name, size) == 0)
            return field->value;
    }
    return (struct bytes){0};
}

void event_put(struct event *event, struct bytes name, struct bytes value)
{
    if (event->count == EVENT_FIELDS_MAX) {
        event->truncated = true;
        return;
    }
    event->fields[event->count++] = (struct event_field){name, value};
}
