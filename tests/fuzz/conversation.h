/* SPDX-License-Identifier: Apache-2.0
 *
 * One conversation of a client and a server through the engine. Input: which of the ports (1), then datagrams
 * or segments: flags (1; bit 0: to the client, bit 1: the last byte was not captured), size (2), data.
 */
#pragma once

#include "capture/engine.h"

#include <pcap/dlt.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Who holds the keys; NULL: nobody. */
static const struct unsealer *conversation_unsealer;

static void conversation_discard(void *context, enum activity_kind kind, int64_t time, struct bytes record)
{
    (void)kind;
    (void)time;
    struct cursor c = cursor_of_bytes(record);
    if (!activity_decode(&c, context))
        abort(); /* what the engine gives must be a record */
}

static void conversation_put(uint8_t *at, uint32_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        at[i] = (uint8_t)value;
}

/* RFC 791 3.1 and the first bytes of RFC 768 or RFC 9293 3.1. */
static void conversation_head(uint8_t *at, enum transport transport, bool to_client, uint32_t port,
                              uint32_t head, uint32_t size)
{
    at[0] = 0x45;
    conversation_put(at + 2, head + size, 2);
    at[8] = 64;
    at[9] = transport == TRANSPORT_TCP ? 6 : 17;
    conversation_put(at + 12, to_client ? 0x0a000002 : 0x0a000001, 4);
    conversation_put(at + 16, to_client ? 0x0a000001 : 0x0a000002, 4);
    conversation_put(at + 20, to_client ? port : 50000, 2);
    conversation_put(at + 22, to_client ? 50000 : port, 2);
    if (transport == TRANSPORT_UDP)
        conversation_put(at + 24, size + 8, 2);
}

static void conversation_step(struct engine *engine, enum transport transport, uint32_t port,
                              struct cursor *input, uint32_t next[2], int64_t *time)
{
    unsigned flags = cursor_u8(input);
    size_t size = cursor_be16(input);
    if (size > cursor_left(input))
        size = cursor_left(input);
    if (size > 65000)
        size = 65000;
    struct bytes run = cursor_take(input, size);
    bool to_client = flags & 1;
    uint32_t missing = transport == TRANSPORT_UDP && flags & 2 ? 1 : 0;
    uint32_t head = transport == TRANSPORT_TCP ? 40 : 28;
    uint8_t *copy = calloc(1, head + run.size); /* of its own size, so that reads past it are found */
    if (!copy)
        return;
    conversation_head(copy, transport, to_client, port, head, (uint32_t)run.size + missing);
    if (transport == TRANSPORT_TCP) {
        conversation_put(copy + 24, next[to_client], 4);
        conversation_put(copy + 28, next[!to_client], 4);
        copy[32] = 0x50;
        copy[33] = 0x10;
        next[to_client] += (uint32_t)run.size;
    }
    if (run.size)
        memcpy(copy + head, run.data, run.size);
    struct packet packet = {
        .time = *time += 1000000,
        .captured = head + (uint32_t)run.size,
        .length = head + (uint32_t)run.size + missing,
        .link_type = DLT_RAW,
        .data = copy,
    };
    engine_packet(engine, &packet);
    free(copy);
}

static int conversation(const uint8_t *data, size_t size, enum transport transport, const uint16_t *ports,
                        size_t port_count)
{
    static struct activity activity;
    struct cursor input = cursor_of(data, size);
    struct engine_options options = {.memory_limit = (size_t)4 * 1024 * 1024,
                                     .radius_secret = "xyzzy5461",
                                     .unsealer = conversation_unsealer};
    struct engine *engine = engine_new(&options, conversation_discard, &activity);
    if (!engine)
        return 0;
    uint32_t port = ports[cursor_u8(&input) % port_count];
    uint32_t next[2] = {1000, 5000};
    int64_t time = INT64_C(1700000000) * 1000000000;
    while (!cursor_done(&input))
        conversation_step(engine, transport, port, &input, next, &time);
    engine_finish(engine);
    if (engine_stats(engine)->flows_live != 0)
        abort();
    engine_destroy(&engine);
    return 0;
}
