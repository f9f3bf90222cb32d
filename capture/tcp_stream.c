/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/tcp_stream.h"

#include <string.h>

/* A segment, or the part of one, that waits. */
struct held {
    struct held *next; /* by sequence; they never overlap */
    uint32_t sequence;
    uint32_t length;
    uint32_t captured;
    bool start; /* its first byte is the first of a segment */
    uint8_t data[];
};

struct tcp_holding {
    struct held *first;
    struct held *last;
    uint32_t bytes;
    uint32_t count;
    uint32_t packets; /* seen since the hole opened */
    uint32_t packets_acked;
    int64_t since;
    int64_t acked_since;
};

#define STRAYS_MAX 4

static void held_free(struct tcp_stream *stream, struct held *held)
{
    slab_free(stream->slab, held, sizeof *held + held->captured);
}

void tcp_stream_release(struct tcp_stream *stream, struct tcp_side *side)
{
    struct tcp_holding *holding = side->holding;
    if (!holding)
        return;
    side->holding = NULL;
    for (struct held *held = holding->first, *next; held; held = next) {
        next = held->next;
        held_free(stream, held);
    }
    slab_free(stream->slab, holding, sizeof *holding);
}

/* Passes on what begins at `next`: the captured bytes, then the missing tail. */
static void pass(struct tcp_side *side, const uint8_t *data, uint32_t captured, uint32_t length, bool start,
                 const struct tcp_sink *sink)
{
    side->next += length;
    side->flags |= TCP_SIDE_STARTED;
    if (captured > 0)
        sink->data(sink->context, data, captured, start);
    if (length > captured)
        sink->hole(sink->context, length - captured, true);
}

/* Passes on what is held and no longer has a hole before it. */
static void drain(struct tcp_stream *stream, struct tcp_side *side, const struct tcp_sink *sink)
{
    struct tcp_holding *holding = side->holding;
    while (holding->first) {
        struct held *held = holding->first;
        int32_t ahead = tcp_distance(side->next, held->sequence);
        if (ahead > 0) {
            /* The next hole begins its own wait. */
            holding->since = stream->now;
            holding->packets = 0;
            holding->acked_since = 0;
            holding->packets_acked = 0;
            return;
        }
        holding->first = held->next;
        if (!held->next)
            holding->last = NULL;
        holding->bytes -= held->captured;
        holding->count--;
        uint32_t known = (uint32_t)-ahead;
        if (known < held->length) {
            uint32_t cut = known < held->captured ? known : held->captured;
            pass(side, held->data + cut, held->captured - cut, held->length - known,
                 held->start && known == 0, sink);
        }
        held_free(stream, held);
    }
    side->holding = NULL;
    slab_free(stream->slab, holding, sizeof *holding);
}

static void give_up(struct tcp_stream *stream, struct tcp_side *side, const struct tcp_sink *sink)
{
    uint32_t missing = side->holding->first->sequence - side->next;
    stream->stats->gaps++;
    stream->stats->gap_bytes += missing;
    side->next += missing;
    sink->hole(sink->context, missing, false);
    drain(stream, side, sink);
}

static void count_conflict(struct tcp_stream *stream, const struct held *held, uint32_t sequence,
                           const uint8_t *data, uint32_t captured)
{
    uint32_t from = tcp_distance(held->sequence, sequence) > 0 ? sequence : held->sequence;
    uint32_t held_end = held->sequence + held->captured, end = sequence + captured;
    uint32_t to = tcp_distance(held_end, end) > 0 ? held_end : end;
    int32_t size = tcp_distance(from, to);
    if (size > 0 && memcmp(held->data + (from - held->sequence), data + (from - sequence), (size_t)size) != 0)
        stream->stats->conflicts++;
}

static bool hold_piece(struct tcp_stream *stream, struct tcp_holding *holding, struct held *after,
                       const struct tcp_segment *segment, uint32_t offset, uint32_t length)
{
    uint32_t captured = segment->captured > offset ? segment->captured - offset : 0;
    if (captured > length)
        captured = length;
    if (holding->count >= TCP_HELD_SEGMENTS || holding->bytes + captured > stream->held_max)
        return false;
    struct held *held = slab_alloc(stream->slab, sizeof *held + captured);
    if (!held)
        return false;
    held->sequence = segment->sequence + offset;
    held->length = length;
    held->captured = captured;
    held->start = offset == 0;
    if (captured)
        memcpy(held->data, segment->data + offset, captured);
    struct held **at = after ? &after->next : &holding->first;
    held->next = *at;
    *at = held;
    if (!held->next)
        holding->last = held;
    holding->count++;
    holding->bytes += captured;
    return true;
}

/* Holds those bytes of the segment that are not held yet. False without room. */
static bool hold(struct tcp_stream *stream, struct tcp_side *side, const struct tcp_segment *segment)
{
    if (!side->holding) {
        side->holding = slab_zalloc(stream->slab, sizeof *side->holding);
        if (!side->holding)
            return false;
        side->holding->since = stream->now;
    }
    struct tcp_holding *holding = side->holding;
    uint32_t end = segment->sequence + segment->length;
    uint32_t at = segment->sequence;
    struct held *after = NULL;
    /* Mostly it belongs behind the last. */
    struct held *held = holding->first;
    if (holding->last && tcp_distance(holding->last->sequence + holding->last->length, at) >= 0) {
        after = holding->last;
        held = NULL;
    }
    while (tcp_distance(at, end) > 0) {
        while (held && tcp_distance(held->sequence + held->length, at) >= 0) {
            after = held;
            held = held->next;
        }
        if (held && tcp_distance(held->sequence, at) >= 0) {
            count_conflict(stream, held, segment->sequence, segment->data, segment->captured);
            at = held->sequence + held->length;
            continue;
        }
        uint32_t stop = held && tcp_distance(held->sequence, end) > 0 ? held->sequence : end;
        if (!hold_piece(stream, holding, after, segment, at - segment->sequence, stop - at))
            return false;
        after = after ? after->next : holding->first;
        at = stop;
    }
    return true;
}

static bool covers(const struct tcp_side *side, uint32_t sequence)
{
    return side->flags & TCP_SIDE_ACKED && tcp_distance(sequence, side->acked) >= 0;
}

/* Whether the hole before what is held will not be filled any more. */
static bool hopeless(const struct tcp_stream *stream, const struct tcp_side *side)
{
    const struct tcp_holding *holding = side->holding;
    /* Time may run backwards in a damaged capture. */
    if (stream->now - holding->since > TCP_HOLE_AGE || holding->since - stream->now > TCP_HOLE_AGE)
        return true;
    if (holding->packets >= TCP_HOLE_PACKETS)
        return true;
    return holding->packets_acked &&
           (holding->packets_acked > TCP_ACKED_PACKETS || stream->now - holding->acked_since > TCP_ACKED_AGE);
}

static void note_acked(const struct tcp_stream *stream, const struct tcp_side *side)
{
    struct tcp_holding *holding = side->holding;
    holding->packets++;
    if (!covers(side, holding->first->sequence))
        return;
    if (holding->packets_acked++ == 0)
        holding->acked_since = stream->now;
}

/* Goes on at the segment, over what is missing before it. */
static void leap(struct tcp_stream *stream, struct tcp_side *side, const struct tcp_segment *segment,
                 const struct tcp_sink *sink)
{
    uint32_t missing = segment->sequence - side->next;
    stream->stats->gaps++;
    stream->stats->gap_bytes += missing;
    side->next += missing;
    sink->hole(sink->context, missing, false);
    pass(side, segment->data, segment->captured, segment->length, true, sink);
}

static void early(struct tcp_stream *stream, struct tcp_side *side, const struct tcp_segment *segment,
                  const struct tcp_sink *sink)
{
    stream->stats->out_of_order++;
    /* The other side had the missing bytes before this segment came. */
    if (!side->holding && covers(side, segment->sequence)) {
        leap(stream, side, segment, sink);
        return;
    }
    if (hold(stream, side, segment)) {
        while (side->holding && hopeless(stream, side))
            give_up(stream, side, sink);
        return;
    }
    /* No room: what is held goes first, then this one again. */
    if (side->holding && side->holding->first) {
        give_up(stream, side, sink);
        tcp_stream_segment(stream, side, segment, sink);
        return;
    }
    tcp_stream_release(stream, side);
    leap(stream, side, segment, sink);
}

static void note_fin(struct tcp_side *side, const struct tcp_segment *segment)
{
    if (segment->fin && !(side->flags & TCP_SIDE_FIN)) {
        side->flags |= TCP_SIDE_FIN;
        side->fin = segment->sequence + segment->length;
    }
    if (!(side->flags & TCP_SIDE_FIN) || side->flags & TCP_SIDE_DONE)
        return;
    if (tcp_distance(side->next, side->fin) <= 0)
        side->flags |= TCP_SIDE_DONE;
}

static void payload(struct tcp_stream *stream, struct tcp_side *side, const struct tcp_segment *segment,
                    const struct tcp_sink *sink)
{
    int32_t ahead = tcp_distance(side->next, segment->sequence);
    if (ahead == 0) {
        side->strays = 0;
        pass(side, segment->data, segment->captured, segment->length, true, sink);
        if (side->holding)
            drain(stream, side, sink);
        return;
    }
    if (ahead > (int32_t)TCP_WINDOW_MAX || ahead < -(int32_t)TCP_WINDOW_MAX) {
        /* One of them is damage; several in a row are where the stream goes on. */
        if (++side->strays < STRAYS_MAX)
            return;
        side->strays = 0;
        tcp_stream_flush(stream, side, sink);
        stream->stats->gaps++;
        side->next = segment->sequence;
        sink->hole(sink->context, TCP_WINDOW_MAX, false);
        pass(side, segment->data, segment->captured, segment->length, true, sink);
        return;
    }
    if (ahead > 0) {
        early(stream, side, segment, sink);
        return;
    }
    uint32_t known = (uint32_t)-ahead;
    stream->stats->retransmitted++;
    if (known >= segment->length)
        return;
    uint32_t cut = known < segment->captured ? known : segment->captured;
    pass(side, segment->data + cut, segment->captured - cut, segment->length - known, false, sink);
    if (side->holding)
        drain(stream, side, sink);
}

void tcp_stream_segment(struct tcp_stream *stream, struct tcp_side *side, const struct tcp_segment *segment,
                        const struct tcp_sink *sink)
{
    if (segment->syn) {
        /* RFC 9293 3.4: the SYN takes one number itself. A payload (RFC 7413) follows it. */
        struct tcp_segment after = *segment;
        after.syn = false;
        after.sequence++;
        if (!(side->flags & TCP_SIDE_SYNCED)) {
            side->flags |= TCP_SIDE_SYNCED;
            side->next = after.sequence;
        }
        if (after.length || after.fin)
            tcp_stream_segment(stream, side, &after, sink);
        return;
    }
    if (!(side->flags & TCP_SIDE_SYNCED)) {
        /* Without data it may be a keep-alive, one byte back (RFC 9293 3.8.4). */
        if (!segment->length && !segment->fin)
            return;
        side->flags |= TCP_SIDE_SYNCED | TCP_SIDE_LOST;
        side->next = segment->sequence;
    }
    if (side->holding) {
        note_acked(stream, side);
        if (hopeless(stream, side))
            give_up(stream, side, sink);
    }
    if (segment->length)
        payload(stream, side, segment, sink);
    note_fin(side, segment);
}

void tcp_stream_acked(struct tcp_stream *stream, struct tcp_side *side, uint32_t ack, bool with_data,
                      const struct tcp_sink *sink)
{
    if (!(side->flags & TCP_SIDE_ACKED)) {
        side->flags |= TCP_SIDE_ACKED;
        side->acked = ack;
    } else if (tcp_distance(side->acked, ack) > 0) {
        side->acked = ack;
    }
    if (!side->holding)
        return;
    note_acked(stream, side);
    /* An answer to what we miss: order between the directions matters more than the hole. */
    if ((with_data && covers(side, side->holding->first->sequence)) || hopeless(stream, side)) {
        give_up(stream, side, sink);
        if (side->flags & TCP_SIDE_FIN && tcp_distance(side->next, side->fin) <= 0)
            side->flags |= TCP_SIDE_DONE;
    }
}

void tcp_stream_flush(struct tcp_stream *stream, struct tcp_side *side, const struct tcp_sink *sink)
{
    while (side->holding)
        give_up(stream, side, sink);
}
