/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole engine on raw frames. Input: flags (1), then packets: link type and time step (1), bytes missing
 * at the end (1), size (2), data.
 */
#include "capture/engine.h"

#include <pcap/dlt.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int link_types[] = {DLT_EN10MB,     DLT_LINUX_SLL, DLT_RAW, DLT_NULL,
                                 DLT_LINUX_SLL2, DLT_PPP,       DLT_LOOP};

static void discard(void *context, enum activity_kind kind, int64_t time, struct bytes record)
{
    (void)kind;
    (void)time;
    /* What the engine gives must be a record. */
    struct cursor c = cursor_of_bytes(record);
    if (!activity_decode(&c, context))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct activity activity;
    struct cursor input = cursor_of(data, size);
    unsigned flags = cursor_u8(&input);
    struct engine_options options = {
        .memory_limit = flags & 1 ? (size_t)1024 * 1024 : 0,
        .flows_max = flags & 2 ? 3 : 0,
        .flow_buffer_max = flags & 4 ? 100 : 0,
    };
    struct engine *engine = engine_new(&options, discard, &activity);
    if (!engine)
        return 0;
    int64_t time = INT64_C(1700000000) * 1000000000;
    while (!cursor_done(&input)) {
        unsigned kind = cursor_u8(&input);
        uint32_t missing = cursor_u8(&input);
        size_t bytes = cursor_be16(&input);
        if (bytes > cursor_left(&input))
            bytes = cursor_left(&input);
        struct bytes run = cursor_take(&input, bytes);
        /* A block of its own size, so that reads past it are found. */
        uint8_t *copy = malloc(run.size ? run.size : 1);
        if (!copy)
            break;
        if (run.size)
            memcpy(copy, run.data, run.size);
        time += (int64_t)(kind >> 3) * (kind & 0x80 ? INT64_C(1000000000) : 1000000);
        struct packet packet = {
            .time = time,
            .captured = (uint32_t)run.size,
            .length = (uint32_t)run.size + missing,
            .link_type = link_types[kind % 8 % (sizeof link_types / sizeof *link_types)],
            .data = copy,
        };
        engine_packet(engine, &packet);
        free(copy);
    }
    engine_finish(engine);
    if (engine_stats(engine)->flows_live != 0)
        abort();
    engine_destroy(&engine);
    return 0;
}
