/* SPDX-License-Identifier: Apache-2.0
 *
 * TCP reassembly, stream glue and every stream protocol: TCP segments of one connection. Input: protocol (1),
 * flags (1), then segments: direction and flags (1), shift of the sequence number (1, signed), bytes missing
 * at the end (1), size (2), data.
 */
#include "capture/engine.h"

#include <pcap/dlt.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PORT 39999

enum segment_flags {
    SEGMENT_TO_CLIENT = 1,
    SEGMENT_FIN = 2,
    SEGMENT_LOST = 4, /* its numbers are used up, but it does not come */
    SEGMENT_ACK = 8,  /* acknowledges all that the other side sent */
    SEGMENT_SYN = 16,
    SEGMENT_RST = 32,
    SEGMENT_LATE = 64, /* a second passes */
};

static void discard(void *context, enum activity_kind kind, int64_t time, struct bytes record)
{
    (void)kind;
    (void)time;
    struct cursor c = cursor_of_bytes(record);
    if (!activity_decode(&c, context))
        abort();
}

static void put(uint8_t *at, uint32_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        at[i] = (uint8_t)value;
}

/* RFC 791 3.1 and RFC 9293 3.1, 40 bytes. */
static void put_headers(uint8_t *at, bool to_client, uint32_t size, uint32_t sequence, uint32_t ack,
                        unsigned flags)
{
    memset(at, 0, 40);
    at[0] = 0x45;
    put(at + 2, 40 + size, 2);
    at[8] = 64;
    at[9] = 6;
    put(at + 12, to_client ? 0x0a000002 : 0x0a000001, 4);
    put(at + 16, to_client ? 0x0a000001 : 0x0a000002, 4);
    put(at + 20, to_client ? PORT : 50000, 2);
    put(at + 22, to_client ? 50000 : PORT, 2);
    put(at + 24, sequence, 4);
    put(at + 28, ack, 4);
    at[32] = 0x50;
    at[33] = (uint8_t)flags;
}

static void one_segment(struct engine *engine, struct cursor *input, uint32_t next[2], int64_t *time)
{
    unsigned how = cursor_u8(input);
    int shift = (int8_t)cursor_u8(input);
    uint32_t missing = cursor_u8(input);
    size_t bytes = cursor_be16(input);
    if (bytes > cursor_left(input))
        bytes = cursor_left(input);
    if (bytes > 60000)
        bytes = 60000;
    struct bytes run = cursor_take(input, bytes);
    bool to_client = how & SEGMENT_TO_CLIENT;
    uint32_t length = (uint32_t)run.size + missing;
    uint32_t sequence = next[to_client] + (uint32_t)shift;
    next[to_client] += length;
    *time += how & SEGMENT_LATE ? INT64_C(1000000000) : 1000000;
    if (how & SEGMENT_LOST)
        return;
    uint8_t *copy = malloc(40 + run.size);
    if (!copy)
        return;
    unsigned flags = (how & SEGMENT_FIN ? 1u : 0) | (how & SEGMENT_SYN ? 2u : 0) |
                     (how & SEGMENT_RST ? 4u : 0) | (how & SEGMENT_ACK ? 0x10u : 0);
    put_headers(copy, to_client, length, sequence, next[!to_client], flags);
    if (run.size)
        memcpy(copy + 40, run.data, run.size);
    struct packet packet = {
        .time = *time,
        .captured = 40 + (uint32_t)run.size,
        .length = 40 + length,
        .link_type = DLT_RAW,
        .data = copy,
    };
    engine_packet(engine, &packet);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct activity activity;
    struct cursor input = cursor_of(data, size);
    unsigned protocol = cursor_u8(&input) % PROTOCOLS;
    unsigned flags = cursor_u8(&input);
    struct engine_options options = {
        .memory_limit = flags & 1 ? (size_t)1024 * 1024 : 0,
        .flow_buffer_max = flags & 2 ? 200 : 0,
    };
    struct engine *engine = engine_new(&options, discard, &activity);
    if (!engine)
        return 0;
    struct engine_decode_rule rule = {
        .transport = TRANSPORT_TCP, .port = PORT, .protocol = (enum protocol_id)protocol};
    engine_decode_as(engine, &rule);
    uint32_t next[2] = {1000, flags & 4 ? UINT32_MAX - 20 : 5000};
    int64_t time = INT64_C(1700000000) * 1000000000;
    while (!cursor_done(&input))
        one_segment(engine, &input, next, &time);
    engine_finish(engine);
    if (engine_stats(engine)->flows_live != 0)
        abort();
    engine_destroy(&engine);
    return 0;
}
