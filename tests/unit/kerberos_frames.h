/* SPDX-License-Identifier: Apache-2.0
 *
 * The Kerberos messages of a capture, found without Picket's own engine: exchanges with port 88 over UDP and
 * TCP, and AP-REQs and AP-REPs wherever they stand in TCP streams. For the captures of the tests: IPv4, and
 * streams whose segments come in order (those that come again are left out).
 */
#pragma once

#include <pcap/pcap.h>
#include <stdlib.h>

#include "base/cursor.h"

#define FRAMES_STREAMS_MAX 512

struct frames_stream {
    uint32_t address[2];
    uint16_t port[2];
    bool tcp;
    struct frames_half {
        uint8_t *data;
        size_t size, done;
        uint32_t next;
        bool begun;
    } half[2]; /* 0: from the one who has the lower port, mostly the server */
    uint64_t exchange;
};

struct frames {
    void *context;
    /* A request; then its reply with the same number. */
    void (*kdc)(void *context, uint64_t exchange, bool reply, struct bytes message);
    void (*ap)(void *context, uint64_t stream, bool reply, struct bytes message);
    struct frames_stream streams[FRAMES_STREAMS_MAX];
    size_t count;
    uint64_t exchanges;
};

static inline struct frames_stream *frames_stream_of(struct frames *f, bool tcp, const uint32_t a[2],
                                                     const uint16_t p[2], int *from)
{
    int first = p[0] <= p[1] ? 0 : 1;
    for (size_t i = 0; i <= f->count; i++) {
        struct frames_stream *s = &f->streams[i];
        if (i == f->count) {
            if (i == FRAMES_STREAMS_MAX)
                return NULL;
            *s = (struct frames_stream){
                .address = {a[first], a[!first]}, .port = {p[first], p[!first]}, .tcp = tcp};
            f->count++;
        }
        if (s->tcp == tcp && s->address[0] == a[first] && s->address[1] == a[!first] &&
            s->port[0] == p[first] && s->port[1] == p[!first]) {
            *from = first;
            return s;
        }
    }
    return NULL;
}

static inline void frames_kdc(struct frames *f, struct frames_stream *s, int from, struct bytes message)
{
    if (from == 1)
        s->exchange = ++f->exchanges;
    f->kdc(f->context, s->exchange, from == 0, message);
}

/* AP-REQ and AP-REP by how they begin: 6e|6f L 30 L a0 03 02 01 05 a1 03 02 01 0e|0f. */
static inline void frames_find_ap(struct frames *f, struct frames_stream *s, int from, struct frames_half *h)
{
    static const uint8_t mark[] = {0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1};
    for (size_t at = h->done; at + 10 < h->size; at++) {
        if (memcmp(h->data + at, mark, 9) != 0 || (h->data[at + 9] != 14 && h->data[at + 9] != 15))
            continue;
        uint8_t tag = h->data[at + 9] == 14 ? 0x6e : 0x6f;
        for (size_t back = 4; back <= 10 && back <= at; back++) {
            const uint8_t *begin = h->data + at - back;
            if (*begin != tag)
                continue;
            size_t octets = begin[1] & 0x80 ? begin[1] & 0x7fu : 0, size = octets ? 0 : begin[1];
            for (size_t i = 0; i < octets && octets < 4; i++)
                size = size << 8 | begin[2 + i];
            size += 2 + octets;
            if (begin + size > h->data + h->size || begin[2 + octets] != 0x30)
                continue;
            f->ap(f->context, (uint64_t)(s - f->streams), tag == 0x6f, (struct bytes){begin, size});
            h->done = at + 1;
            break;
        }
    }
    (void)from;
}

static inline void frames_tcp(struct frames *f, struct frames_stream *s, int from, uint32_t sequence,
                              bool syn, struct bytes payload)
{
    struct frames_half *h = &s->half[from];
    if (syn) {
        h->next = sequence + 1;
        h->begun = true;
        return;
    }
    if (!h->begun) {
        h->next = sequence;
        h->begun = true;
    }
    uint32_t old = h->next - sequence;
    if (old < payload.size) {
        h->data = realloc(h->data, h->size + payload.size);
        memcpy(h->data + h->size, payload.data + old, payload.size - old);
        h->size += payload.size - old;
        h->next += (uint32_t)(payload.size - old);
    }
    if (s->port[0] != 88) {
        frames_find_ap(f, s, from, h);
        return;
    }
    while (h->size - h->done > 4) {
        struct cursor c = cursor_of(h->data + h->done, h->size - h->done);
        uint32_t size = cursor_be32(&c);
        if (cursor_left(&c) < size)
            break;
        h->done += 4 + size;
        frames_kdc(f, s, from, cursor_take(&c, size));
    }
}

static inline void frames_packet(struct frames *f, struct cursor c)
{
    cursor_skip(&c, 12);
    if (cursor_be16(&c) != 0x0800)
        return;
    struct cursor ip = c;
    size_t header = (size_t)(cursor_u8(&ip) & 15) * 4;
    cursor_skip(&ip, 1);
    size_t total = cursor_be16(&ip);
    cursor_skip(&ip, 5);
    uint8_t protocol = cursor_u8(&ip);
    cursor_skip(&ip, 2);
    uint32_t address[2] = {cursor_be32(&ip), cursor_be32(&ip)};
    struct cursor packet = cursor_sub(&c, total);
    cursor_skip(&packet, header);
    uint16_t port[2] = {cursor_be16(&packet), cursor_be16(&packet)};
    int from;
    struct frames_stream *s;
    if (packet.failed || (protocol != 6 && protocol != 17) ||
        !(s = frames_stream_of(f, protocol == 6, address, port, &from)))
        return;
    if (protocol == 17) {
        cursor_skip(&packet, 4);
        if (s->port[0] == 88)
            frames_kdc(f, s, from, cursor_take(&packet, cursor_left(&packet)));
        return;
    }
    uint32_t sequence = cursor_be32(&packet);
    cursor_skip(&packet, 4);
    size_t offset = (size_t)(cursor_u8(&packet) >> 4) * 4;
    bool syn = cursor_u8(&packet) & 2;
    cursor_skip(&packet, offset - 14);
    frames_tcp(f, s, from, sequence, syn, cursor_take(&packet, cursor_left(&packet)));
}

/* False when it is not there. */
static inline bool frames_read(struct frames *f, const char *path)
{
    char error[PCAP_ERRBUF_SIZE];
    pcap_t *pcap = pcap_open_offline(path, error);
    if (!pcap)
        return false;
    struct pcap_pkthdr *header;
    const u_char *data;
    while (pcap_next_ex(pcap, &header, &data) == 1)
        frames_packet(f, cursor_of(data, header->caplen));
    pcap_close(pcap);
    for (size_t i = 0; i < f->count; i++) {
        free(f->streams[i].half[0].data);
        free(f->streams[i].half[1].data);
    }
    f->count = 0;
    return true;
}
