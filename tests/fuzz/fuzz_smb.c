/* SPDX-License-Identifier: Apache-2.0
 *
 * SMB with its state: messages of one connection in both directions, and datagrams. Input: for each message
 * how (1), size (2, little-endian), bytes from the protocol id on. When the first says so there is somebody
 * who "holds the keys": encrypted messages are plain ones behind their header.
 */
#include "base/msgpack.h"
#include "capture/engine.h"
#include "capture/unseal.h"

#include <pcap/dlt.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum how {
    HOW_TO_CLIENT = 1,
    HOW_BARE = 2,      /* the bytes hold the NetBIOS header too */
    HOW_CUT = 4,       /* the last 16 bytes were not captured */
    HOW_LOST = 8,      /* a segment before it did not come */
    HOW_SPLIT = 16,    /* in two segments */
    HOW_DATAGRAM = 32, /* over UDP 138 */
    HOW_UNSEALED = 64,
};

enum { HEADERS = 40 };

struct connection {
    struct engine *engine;
    uint32_t next[2];
    int64_t time;
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

/* RFC 791 3.1 with RFC 9293 3.1 or RFC 768, in a block of exactly its size. */
static void send_packet(struct connection *c, bool to_client, bool udp, const uint8_t *data, uint32_t size,
                        uint32_t missing)
{
    uint32_t headers = udp ? 28 : HEADERS;
    uint8_t *packet = calloc(1, headers + size);
    if (!packet)
        return;
    uint32_t length = headers + size + missing;
    packet[0] = 0x45;
    put(packet + 2, length, 2);
    packet[8] = 64;
    packet[9] = udp ? 17 : 6;
    put(packet + 12, to_client ? 0x0a000002 : 0x0a000001, 4);
    put(packet + 16, to_client ? 0x0a000001 : 0x0a000002, 4);
    put(packet + 20, udp ? 138 : to_client ? 445 : 50000, 2);
    put(packet + 22, udp ? 138 : to_client ? 50000 : 445, 2);
    if (udp) {
        put(packet + 24, 8 + size + missing, 2);
    } else {
        put(packet + 24, c->next[to_client], 4);
        put(packet + 28, c->next[!to_client], 4);
        packet[32] = 0x50;
        packet[33] = 0x10;
        c->next[to_client] += size + missing;
    }
    if (size)
        memcpy(packet + headers, data, size);
    c->time += 1000000;
    struct packet p = {
        .time = c->time, .captured = headers + size, .length = length, .link_type = DLT_RAW, .data = packet};
    engine_packet(c->engine, &p);
    free(packet);
}

static void one_message(struct connection *c, struct cursor *input)
{
    unsigned how = cursor_u8(input);
    size_t size = cursor_le16(input);
    if (size > cursor_left(input))
        size = cursor_left(input);
    if (size > 60000)
        size = 60000;
    struct bytes body = cursor_take(input, size);
    uint32_t head = how & (HOW_BARE | HOW_DATAGRAM) ? 0 : 4;
    uint8_t *message = malloc(head + size + 1);
    if (!message)
        return;
    if (head)
        put(message, (uint32_t)size, 4);
    if (size)
        memcpy(message + head, body.data, size);
    uint32_t total = head + (uint32_t)size;
    uint32_t missing = how & HOW_CUT && total > 16 ? 16 : 0;
    bool to_client = how & HOW_TO_CLIENT;
    if (how & HOW_LOST)
        c->next[to_client] += 100;
    uint32_t first = how & HOW_SPLIT ? total / 3 : 0;
    if (first && !(how & HOW_DATAGRAM))
        send_packet(c, to_client, false, message, first, 0);
    else
        first = 0;
    if (total - first > missing)
        send_packet(c, to_client, how & HOW_DATAGRAM, message + first, total - first - missing, missing);
    free(message);
}

/* --- who "holds the keys" --- */

static struct bytes last_bytes(struct cursor c)
{
    struct bytes bytes = {0};
    uint32_t items = msgpack_next(&c).count;
    for (uint32_t i = 0; i < items; i++) {
        struct msgpack_item item = msgpack_next(&c);
        if (item.type == MSGPACK_BINARY)
            bytes = item.bytes;
    }
    return bytes;
}

/* Gives a context to everybody, what stands behind a transform header as plain text, and a verdict by the
 * last byte; of other operations no answer. */
static bool ask(void *context, struct bytes request, struct bytes *answer)
{
    static uint8_t room[UNSEAL_REQUEST_MAX];
    (void)context;
    struct msgpack_writer w;
    struct cursor c = cursor_of_bytes(request);
    msgpack_next(&c);
    uint64_t operation = msgpack_next(&c).uint;
    struct bytes message = last_bytes(cursor_of_bytes(request));
    msgpack_writer_init(&w, room, sizeof room);
    msgpack_put_array(&w, 2);
    msgpack_put_uint(&w,
                     operation == UNSEAL_SMB_SIGNATURE && message.size && message.data[message.size - 1] & 1
                         ? UNSEAL_WRONG_KEY
                         : UNSEAL_FINE);
    if (operation == UNSEAL_SMB_MESSAGE && message.size >= 52)
        msgpack_put_binary(&w, message.data + 52, message.size - 52);
    else
        msgpack_put_uint(&w, operation);
    *answer = (struct bytes){w.data, w.size};
    return operation != UNSEAL_RPC;
}

static void tell(void *context, struct bytes request)
{
    (void)context;
    (void)request;
}

static const struct unsealer unsealer = {.ask = ask, .tell = tell};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct activity activity;
    struct engine_options options = {.memory_limit = (size_t)8 * 1024 * 1024};
    if (size && *data & HOW_UNSEALED)
        options.unsealer = &unsealer;
    struct connection c = {.next = {1000, 5000}, .time = INT64_C(1700000000) * 1000000000};
    c.engine = engine_new(&options, discard, &activity);
    if (!c.engine)
        return 0;
    struct cursor input = cursor_of(data, size);
    while (!cursor_done(&input))
        one_message(&c, &input);
    engine_finish(c.engine);
    if (engine_stats(c.engine)->flows_live != 0)
        abort();
    engine_destroy(&c.engine);
    return 0;
}
