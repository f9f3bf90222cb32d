/* SPDX-License-Identifier: Apache-2.0
 *
 * A chunk of an event log file, in a block of its exact size; behind it, as a file would have it, its header.
 */
#include "events/evtx.h"
#include "tests/fuzz/event_views.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(void *context, const struct event *event)
{
    (void)context;
    event_view_check(event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct evtx *evtx;
    struct evtx_counters counters = {0};
    struct evtx_header header;
    if (!evtx && !(evtx = evtx_new()))
        return 0;
    if (size > EVTX_CHUNK_BYTES)
        return 0;
    uint8_t *exact = malloc(size + 1);
    if (!exact)
        return 0;
    memcpy(exact, data, size);
    evtx_chunk(evtx, (struct bytes){exact, size}, 0, check, NULL, &counters);
    evtx_read_header((struct bytes){exact, size}, &header);
    free(exact);
    return 0;
}
