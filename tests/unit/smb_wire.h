/* SPDX-License-Identifier: Apache-2.0
 *
 * SMB messages made by tests, sent through an engine as TCP segments of one connection to port 445.
 */
#pragma once

#include "harness.h"
#include "packets.h"

struct wire_bytes {
    uint8_t data[66000];
    size_t size;
};

static inline void le8(struct wire_bytes *b, unsigned value)
{
    b->data[b->size++] = (uint8_t)value;
}

static inline void le16(struct wire_bytes *b, unsigned value)
{
    le8(b, value & 0xff);
    le8(b, value >> 8 & 0xff);
}

static inline void le32(struct wire_bytes *b, uint32_t value)
{
    le16(b, value & 0xffff);
    le16(b, value >> 16);
}

static inline void le64(struct wire_bytes *b, uint64_t value)
{
    le32(b, (uint32_t)value);
    le32(b, (uint32_t)(value >> 32));
}

static inline void raw(struct wire_bytes *b, const void *data, size_t size)
{
    if (size)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

static inline void zeros(struct wire_bytes *b, size_t size)
{
    memset(b->data + b->size, 0, size);
    b->size += size;
}

static inline void ascii(struct wire_bytes *b, const char *text)
{
    raw(b, text, strlen(text));
}

static inline void utf16(struct wire_bytes *b, const char *text)
{
    for (; *text; text++)
        le16(b, (unsigned char)*text);
}

struct wire {
    struct harness h;
    uint32_t next[2];
    int64_t time;
    uint16_t port;
    uint16_t server_port;
};

static inline void wire_segment(struct wire *w, int to_client, unsigned flags, const void *data, size_t size)
{
    struct frame_bytes f = {.size = 0};
    put_ipv4(&f, 6, to_client ? 2 : 1, to_client ? 1 : 2, size + 20, 1, 0, false);
    put_tcp(&f, to_client ? w->server_port : w->port, to_client ? w->port : w->server_port,
            w->next[to_client], w->next[!to_client], flags);
    put(&f, data, size);
    w->next[to_client] += (uint32_t)size + (flags & FLAG_SYN ? 1 : 0);
    w->time += 1000000;
    struct packet packet = frame_packet(&f, DLT_RAW, w->time);
    engine_packet(w->h.engine, &packet);
    packet_free(&packet);
}

static inline void wire_open_with(struct wire *w, uint16_t server_port, const struct engine_options *options)
{
    *w = (struct wire){
        .next = {1000, 5000}, .time = 1700000000000000000, .port = 50000, .server_port = server_port};
    harness_open(&w->h, options);
    wire_segment(w, 0, FLAG_SYN, NULL, 0);
    wire_segment(w, 1, FLAG_SYN | FLAG_ACK, NULL, 0);
    wire_segment(w, 0, FLAG_ACK, NULL, 0);
}

static inline void wire_open_port(struct wire *w, uint16_t server_port)
{
    wire_open_with(w, server_port, NULL);
}

static inline void wire_open(struct wire *w)
{
    wire_open_port(w, 445);
}

/* A whole message after its NetBIOS header, in segments of at most 1400 bytes. */
static inline void wire_send(struct wire *w, int to_client, const struct wire_bytes *message)
{
    uint8_t *bytes = malloc(message->size + 4);
    if (!bytes)
        abort();
    bytes[0] = 0;
    bytes[1] = (uint8_t)(message->size >> 16);
    bytes[2] = (uint8_t)(message->size >> 8);
    bytes[3] = (uint8_t)message->size;
    memcpy(bytes + 4, message->data, message->size);
    for (size_t at = 0; at < message->size + 4; at += 1400) {
        size_t size = message->size + 4 - at < 1400 ? message->size + 4 - at : 1400;
        wire_segment(w, to_client, FLAG_ACK, bytes + at, size);
    }
    free(bytes);
}

static inline void wire_finish(struct wire *w)
{
    engine_finish(w->h.engine);
    (void)engine_stats(w->h.engine);
}

static inline void wire_close(struct wire *w)
{
    harness_close(&w->h);
}
