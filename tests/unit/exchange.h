/* SPDX-License-Identifier: Apache-2.0
 *
 * Conversations made by a test, through an engine: datagrams and TCP segments with payloads written as
 * hexadecimal, with text in quotes: bytes_of("03'www' 07'example' 00").
 */
#pragma once

#include "tests/unit/harness.h"
#include "tests/unit/packets.h"

#define CLIENT 0x0101u /* 10.0.1.1 */
#define SERVER 0x0202u /* 10.0.2.2 */

struct run {
    uint8_t data[66000];
    size_t size;
};

/* The bytes, in a block that the caller frees. */
static inline struct run *bytes_of(const char *text)
{
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        abort();
    unsigned have = 0, value = 0;
    for (const char *at = text; *at; at++) {
        if (*at == '\'') {
            for (at++; *at != '\''; at++)
                run->data[run->size++] = (uint8_t)*at;
            continue;
        }
        const char *digits = "0123456789abcdef", *digit = strchr(digits, *at | 0x20);
        if (*at == ' ' || *at == '\n')
            continue;
        if (!digit)
            abort();
        value = value << 4 | (unsigned)(digit - digits);
        if (++have % 2 == 0)
            run->data[run->size++] = (uint8_t)value;
    }
    if (have % 2)
        abort();
    return run;
}

struct exchange {
    struct harness h;
    int64_t time;
    unsigned client_port;
    unsigned server_port;
    uint32_t next[2];
};

static inline void exchange_open(struct exchange *x, unsigned client_port, unsigned server_port,
                                 const struct engine_options *options)
{
    harness_open(&x->h, options);
    x->time = INT64_C(1700000000) * 1000000000;
    x->client_port = client_port;
    x->server_port = server_port;
    x->next[0] = 1000;
    x->next[1] = 9000;
}

static inline void exchange_packet(struct exchange *x, const struct frame_bytes *f, size_t missing)
{
    struct packet packet = frame_packet(f, DLT_EN10MB, x->time += 1000000);
    packet.length += (uint32_t)missing;
    engine_packet(x->h.engine, &packet);
    packet_free(&packet);
}

/* One datagram, of which the last `missing` bytes were not captured. */
static inline void exchange_datagram(struct exchange *x, unsigned from, unsigned from_port, unsigned to,
                                     unsigned to_port, const uint8_t *data, size_t size, size_t missing)
{
    static struct frame_bytes f;
    f.size = 0;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 17, from, to, size + missing + 8, 1, 0, false);
    put_udp(&f, from_port, to_port, size + missing);
    put(&f, data, size);
    exchange_packet(x, &f, missing);
}

static inline void exchange_udp(struct exchange *x, enum direction direction, const char *text)
{
    struct run *run = bytes_of(text);
    if (direction == TO_SERVER)
        exchange_datagram(x, CLIENT, x->client_port, SERVER, x->server_port, run->data, run->size, 0);
    else
        exchange_datagram(x, SERVER, x->server_port, CLIENT, x->client_port, run->data, run->size, 0);
    free(run);
}

static inline void exchange_segment(struct exchange *x, enum direction direction, const uint8_t *data,
                                    size_t size, unsigned flags)
{
    static struct frame_bytes f;
    bool up = direction == TO_SERVER;
    f.size = 0;
    put_ethernet(&f, 0x0800);
    put_ipv4(&f, 6, up ? CLIENT : SERVER, up ? SERVER : CLIENT, size + 20, 1, 0, false);
    put_tcp(&f, up ? x->client_port : x->server_port, up ? x->server_port : x->client_port,
            x->next[direction], x->next[!direction], flags);
    put(&f, data, size);
    x->next[direction] += (uint32_t)size + (flags & (FLAG_SYN | FLAG_FIN) ? 1 : 0);
    exchange_packet(x, &f, 0);
}

static inline void exchange_connect(struct exchange *x)
{
    exchange_segment(x, TO_SERVER, NULL, 0, FLAG_SYN);
    exchange_segment(x, TO_CLIENT, NULL, 0, FLAG_SYN | FLAG_ACK);
    exchange_segment(x, TO_SERVER, NULL, 0, FLAG_ACK);
}

static inline void exchange_tcp(struct exchange *x, enum direction direction, const char *text)
{
    struct run *run = bytes_of(text);
    exchange_segment(x, direction, run->data, run->size, FLAG_ACK);
    free(run);
}

/* Text as it is. */
static inline void exchange_text(struct exchange *x, enum direction direction, const char *text)
{
    exchange_segment(x, direction, (const uint8_t *)text, strlen(text), FLAG_ACK);
}

static inline void exchange_finish(struct exchange *x)
{
    engine_finish(x->h.engine);
    (void)engine_stats(x->h.engine);
}

static inline void exchange_close(struct exchange *x)
{
    harness_close(&x->h);
}

/* A datagram with every possible end, as a short one and as one that was not captured whole: nothing may
 * break, and what was only cut is not malformed. Returns how many of the short ones were malformed. */
static inline size_t exchange_cut_datagram(unsigned port, enum direction direction, enum protocol_id protocol,
                                           const char *text, const struct engine_options *options)
{
    struct run *run = bytes_of(text);
    size_t malformed = 0;
    bool up = direction == TO_SERVER;
    for (size_t size = 0; size <= run->size; size++) {
        for (int cut = 0; cut < 2; cut++) {
            struct exchange x;
            exchange_open(&x, 50000, port, options);
            exchange_datagram(&x, up ? CLIENT : SERVER, up ? 50000 : port, up ? SERVER : CLIENT,
                              up ? port : 50000, run->data, size, cut ? run->size - size : 0);
            exchange_finish(&x);
            if (x.h.broken || (cut && x.h.stats->protocol[protocol].malformed))
                abort();
            if (!cut)
                malformed += x.h.stats->protocol[protocol].malformed;
            exchange_close(&x);
        }
    }
    free(run);
    return malformed;
}

/* Both sides' bytes over TCP, ended after each byte, and in segments of each size up to 40: the activities
 * must be the same however the stream is split. */
static inline void exchange_split(unsigned port, const char *request, const char *response,
                                  enum activity_kind kind, size_t expected)
{
    struct run *up = bytes_of(request), *down = bytes_of(response);
    for (size_t piece = 1; piece <= 40; piece++) {
        struct exchange x;
        exchange_open(&x, 50000, port, NULL);
        exchange_connect(&x);
        for (size_t at = 0; at < up->size; at += piece)
            exchange_segment(&x, TO_SERVER, up->data + at, at + piece < up->size ? piece : up->size - at,
                             FLAG_ACK);
        for (size_t at = 0; at < down->size; at += piece)
            exchange_segment(&x, TO_CLIENT, down->data + at,
                             at + piece < down->size ? piece : down->size - at, FLAG_ACK);
        exchange_finish(&x);
        if (x.h.broken || harness_count(&x.h, kind) != expected)
            abort();
        exchange_close(&x);
    }
    for (size_t end = 0; end <= up->size + down->size; end++) {
        struct exchange x;
        exchange_open(&x, 50000, port, NULL);
        exchange_connect(&x);
        exchange_segment(&x, TO_SERVER, up->data, end < up->size ? end : up->size, FLAG_ACK);
        if (end > up->size)
            exchange_segment(&x, TO_CLIENT, down->data, end - up->size, FLAG_ACK);
        exchange_finish(&x);
        if (x.h.broken)
            abort();
        exchange_close(&x);
    }
    free(up);
    free(down);
}
