/* SPDX-License-Identifier: Apache-2.0
 *
 * TCP reassembly (RFC 9293 3.4, 3.10.7.4) of one direction: segments in, the stream's bytes out, in order,
 * each once.
 *
 * Segments that come in order are passed on where they stand, without a copy. What comes early is held until
 * the hole before it is filled, or is given up: when the other side has acknowledged the missing bytes (then
 * they passed, only not by us), when too much is held, or for too long. The first copy of a byte wins.
 */
#pragma once

#include "capture/slab.h"

#define TCP_HELD_SEGMENTS 1024                      /* of one direction */
#define TCP_HOLE_AGE      (INT64_C(2) * 1000000000) /* a hole is given up after this long, */
#define TCP_HOLE_PACKETS  1024                      /* after that many further packets, */
#define TCP_ACKED_AGE     (INT64_C(100) * 1000000)  /* or sooner when its bytes are acknowledged */
#define TCP_ACKED_PACKETS 3
/* A sequence number further away than this is not of this stream's: damage, or a reused port. */
#define TCP_WINDOW_MAX (64u * 1024 * 1024)

enum tcp_side_flags {
    TCP_SIDE_SYNCED = 1,  /* `next` is known */
    TCP_SIDE_ACKED = 2,   /* `acked` is known */
    TCP_SIDE_FIN = 4,     /* `fin` is known */
    TCP_SIDE_DONE = 8,    /* everything up to the FIN was passed on */
    TCP_SIDE_LOST = 16,   /* stream glue: where messages begin is not known */
    TCP_SIDE_STARTED = 32 /* bytes were passed on */
};

struct tcp_holding;
struct stream_buffer;

/* One direction of a flow. All zero at first. */
struct tcp_side {
    uint32_t next;  /* the sequence number expected */
    uint32_t acked; /* highest acknowledgement that the other side sent */
    uint32_t fin;   /* sequence number of the FIN */
    uint8_t flags;
    uint8_t strays; /* segments in a row that are of another place in the sequence */
    uint16_t unused;
    struct tcp_holding *holding;  /* segments beyond a hole */
    uint64_t skip;                /* stream glue: bytes to step over */
    struct stream_buffer *buffer; /* stream glue: the message that is not complete */
};

struct tcp_segment {
    uint32_t sequence;
    uint32_t length;   /* of the payload */
    uint32_t captured; /* bytes of it that are there */
    const uint8_t *data;
    bool syn, fin;
};

struct tcp_stream_stats {
    uint64_t retransmitted;
    uint64_t out_of_order;
    uint64_t conflicts;
    uint64_t gaps;
    uint64_t gap_bytes;
};

/* Where the bytes go. `start`: a segment begins here (after a loss a message may be expected only there). */
struct tcp_sink {
    void (*data)(void *context, const uint8_t *data, uint32_t size, bool start);
    /* Bytes that will never come: lost segments, or (cut) the tail of a segment that was not captured. */
    void (*hole)(void *context, uint32_t size, bool cut);
    void *context;
};

struct tcp_stream {
    struct slab *slab;
    struct tcp_stream_stats *stats;
    uint32_t held_max; /* bytes a direction may hold */
    int64_t now;
};

/* One segment of this direction. */
void tcp_stream_segment(struct tcp_stream *stream, struct tcp_side *side, const struct tcp_segment *segment,
                        const struct tcp_sink *sink);

/* The other side acknowledged up to `ack`; `with_data`: and went on to send. */
void tcp_stream_acked(struct tcp_stream *stream, struct tcp_side *side, uint32_t ack, bool with_data,
                      const struct tcp_sink *sink);

/* No more will come: what is held is passed on, the holes before it given up. */
void tcp_stream_flush(struct tcp_stream *stream, struct tcp_side *side, const struct tcp_sink *sink);

/* Drops what is held. */
void tcp_stream_release(struct tcp_stream *stream, struct tcp_side *side);

/* Serial number arithmetic (RFC 1982). */
static inline int32_t tcp_distance(uint32_t from, uint32_t to)
{
    return (int32_t)(to - from);
}
