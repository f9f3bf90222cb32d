/* SPDX-License-Identifier: Apache-2.0
 *
 * One Windows event as JSON, in a block of its exact size.
 */
#include "events/event_text.h"
#include "tests/fuzz/event_views.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct arena *arena;
    static struct event_reader *reader;
    static struct event event;
    if (!arena)
        arena = arena_new(EVENT_TEXT_ARENA);
    if (!reader)
        reader = event_reader_new();
    if (!arena || !reader)
        return 0;
    uint8_t *exact = malloc(size + 1);
    if (!exact)
        return 0;
    memcpy(exact, data, size);
    arena_reset(arena);
    if (event_from_text(reader, (struct bytes){exact, size}, EVENT_SYSLOG, arena, &event) == EVENT_TEXT_READ)
        event_view_check(&event);
    free(exact);
    return 0;
}
