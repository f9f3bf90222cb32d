/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets made by tests: bytes are appended, lengths are filled in afterwards.
 */
#pragma once

#include "capture/packet.h"

#include <pcap/dlt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_BYTES_MAX 70000

struct frame_bytes {
    uint8_t data[FRAME_BYTES_MAX];
    uint32_t size;
};

static inline void put8(struct frame_bytes *f, unsigned value)
{
    f->data[f->size++] = (uint8_t)value;
}

static inline void put16(struct frame_bytes *f, unsigned value)
{
    put8(f, value >> 8);
    put8(f, value & 0xff);
}

static inline void put32(struct frame_bytes *f, uint32_t value)
{
    put16(f, value >> 16);
    put16(f, value & 0xffff);
}

static inline void put(struct frame_bytes *f, const void *data, size_t size)
{
    if (size)
        memcpy(f->data + f->size, data, size);
    f->size += (uint32_t)size;
}

static inline void put_ethernet(struct frame_bytes *f, unsigned ethertype)
{
    put(f, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
    put16(f, ethertype);
}

/* Host numbers become 10.0.x.y. `size`: of the payload; `offset` and `more` as for fragments. */
static inline void put_ipv4(struct frame_bytes *f, unsigned protocol, unsigned from, unsigned to, size_t size,
                            unsigned id, unsigned offset, bool more)
{
    put16(f, 0x4500);
    put16(f, (unsigned)(size + 20));
    put16(f, id);
    put16(f, offset / 8 | (more ? 0x2000 : 0));
    put8(f, 64);
    put8(f, protocol);
    put16(f, 0);
    put32(f, 0x0a000000 | from);
    put32(f, 0x0a000000 | to);
}

static inline void put_ipv6(struct frame_bytes *f, unsigned next, unsigned from, unsigned to, size_t size)
{
    put32(f, 0x60000000);
    put16(f, (unsigned)size);
    put8(f, next);
    put8(f, 64);
    for (int i = 0; i < 2; i++) {
        put32(f, 0x20010db8);
        put32(f, 0);
        put32(f, 0);
        put32(f, i ? to : from);
    }
}

static inline void put_udp(struct frame_bytes *f, unsigned from, unsigned to, size_t size)
{
    put16(f, from);
    put16(f, to);
    put16(f, (unsigned)(size + 8));
    put16(f, 0);
}

#define FLAG_FIN 0x01u
#define FLAG_SYN 0x02u
#define FLAG_RST 0x04u
#define FLAG_ACK 0x10u

static inline void put_tcp(struct frame_bytes *f, unsigned from, unsigned to, uint32_t sequence, uint32_t ack,
                           unsigned flags)
{
    put16(f, from);
    put16(f, to);
    put32(f, sequence);
    put32(f, ack);
    put8(f, 5u << 4);
    put8(f, flags);
    put16(f, 65535);
    put32(f, 0);
}

/* The packet of a frame, its bytes in a block of their own size (freed by the caller), so that reads past it
 * are caught. */
static inline struct packet frame_packet(const struct frame_bytes *f, int link_type, int64_t time)
{
    uint8_t *data = malloc(f->size ? f->size : 1);
    if (!data)
        abort();
    memcpy(data, f->data, f->size);
    return (struct packet){
        .time = time, .captured = f->size, .length = f->size, .link_type = link_type, .data = data};
}

static inline void packet_free(struct packet *packet)
{
    free((void *)(uintptr_t)packet->data);
}

/* A small generator, the same on every machine. */
static inline uint32_t random_next(uint64_t *seed)
{
    *seed += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *seed;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ z >> 31) >> 16);
}
