/* SPDX-License-Identifier: Apache-2.0
 *
 * From a stream's bytes to messages. A message that lies whole in one segment is handed on where it stands;
 * one that does not is gathered, its bulk (what `frame` does not want) is stepped over.
 */
#include "capture/engine_internal.h"

/* A message, or a beginning, of which more is to come. */
struct stream_buffer {
    uint32_t capacity; /* of data */
    uint32_t size;
    uint32_t needed; /* bytes until `frame` can say more, or the message can be delivered */
    bool framed;     /* `total` is known, `needed` bytes of it are to be delivered */
    bool clipped;    /* more was wanted than is kept */
    bool search;     /* not framed: whole segments are taken, `needed` is only the least */
    uint64_t total;
    uint8_t data[];
};

#define BUFFER_FIRST 960

static uint32_t message_max(const struct engine *engine)
{
    return engine->options.flow_buffer_max < FRAME_WANT_MAX ? engine->options.flow_buffer_max
                                                            : FRAME_WANT_MAX;
}

static void buffer_free(struct engine *engine, struct stream_buffer *buffer)
{
    if (buffer)
        slab_free(engine->slab, buffer, sizeof *buffer + buffer->capacity);
}

void stream_glue_release(struct engine *engine, struct tcp_side *side)
{
    buffer_free(engine, side->buffer);
    side->buffer = NULL;
    side->skip = 0;
}

/* Appends; false without memory. */
static bool buffer_append(struct engine *engine, struct tcp_side *side, const uint8_t *data, uint32_t size)
{
    struct stream_buffer *buffer = side->buffer;
    uint32_t used = buffer ? buffer->size : 0;
    if (!buffer || buffer->capacity - used < size) {
        /* Doubled, so that a byte is copied twice at most on average. */
        uint32_t room = (used + size) * (buffer ? 2 : 1);
        size_t bytes = slab_usable(sizeof *buffer + (room < BUFFER_FIRST ? BUFFER_FIRST : room));
        struct stream_buffer *larger = slab_alloc(engine->slab, bytes);
        if (!larger)
            return false;
        if (buffer)
            memcpy(larger, buffer, sizeof *buffer + used);
        else
            *larger = (struct stream_buffer){.needed = 1};
        larger->capacity = (uint32_t)(bytes - sizeof *larger);
        buffer_free(engine, buffer);
        side->buffer = buffer = larger;
    }
    memcpy(buffer->data + used, data, size);
    buffer->size = used + size;
    return true;
}

static void lose(struct engine *engine, struct tcp_side *side)
{
    struct dissect *d = &engine->dissect;
    side->flags |= TCP_SIDE_LOST;
    if (d->flow->protocol && d->flow->protocol->gap)
        d->flow->protocol->gap(d);
}

void engine_message(struct engine *engine, const uint8_t *data, uint32_t size, bool truncated)
{
    struct dissect *d = &engine->dissect;
    d->truncated = truncated;
    engine->building = false;
    engine->revisited = 0;
    d->protocol->message(d, cursor_of(data, size));
    d->truncated = false;
    d->protocol = d->flow->protocol; /* dissect_switch may have changed them */
    d->state = d->flow->state;
    arena_reset(d->scratch);
}

/* The protocol of the flow may change with every message. */
static struct tcp_side *current_side(struct engine *engine)
{
    return &engine->dissect.flow->side[engine->dissect.direction];
}

/* `clipped`: the protocol wants more of the message than is kept. */
static struct frame ask_frame(struct engine *engine, const uint8_t *data, uint32_t size, bool *clipped)
{
    struct dissect *d = &engine->dissect;
    struct frame frame = d->protocol->frame(d, (struct bytes){.data = data, .size = size});
    if (frame.verdict == FRAME_MORE && frame.want <= size)
        frame.want = size + 1;
    uint32_t most = message_max(engine);
    bool endless = frame.verdict == FRAME_MORE && frame.want > most;
    bool empty = frame.verdict == FRAME_OK && frame.total == 0;
    if (endless || empty)
        return frame_bad();
    *clipped = frame.verdict == FRAME_OK && frame.want > most;
    if (*clipped)
        frame.want = most;
    return frame;
}

static void bad(struct engine *engine, struct tcp_side *side)
{
    engine->stats.protocol[engine->dissect.protocol->id].malformed++;
    lose(engine, side);
}

/* After a loss a message is expected where a segment begins, if it looks like one. */
static bool plausible(struct engine *engine, const uint8_t *data, uint32_t size)
{
    struct dissect *d = &engine->dissect;
    const struct protocol *protocol = d->protocol;
    struct bytes start = {.data = data, .size = size};
    enum detection detection = DETECT_MORE;
    if (protocol->detect)
        detection = protocol->detect(start, TRANSPORT_TCP, d->direction, true);
    if (detection != DETECT_MORE)
        return detection == DETECT_YES;
    bool clipped;
    struct frame frame = ask_frame(engine, data, size, &clipped);
    if (frame.verdict == FRAME_OK)
        return true;
    /* A length that is sent in a segment of its own; but one byte is a keep-alive's. */
    return frame.verdict == FRAME_MORE && size > 1 && size < 16;
}

/* After a loss: how many of the bytes are to be passed over until the next message; all, when there is none.
 */
static uint32_t find_message(struct engine *engine, const uint8_t *data, uint32_t size, bool start)
{
    const struct protocol *protocol = engine->dissect.protocol;
    if (start && plausible(engine, data, size))
        return 0;
    if (!protocol->find)
        return size;
    return (uint32_t)protocol->find((struct bytes){.data = data, .size = size}, engine->dissect.direction);
}

/* The buffer, taken off the side, holds a framed message's wanted bytes: delivers it. What it holds beyond
 * the message is put in again. */
static void deliver_buffer(struct engine *engine, struct tcp_side *side, bool truncated)
{
    struct stream_buffer *buffer = side->buffer;
    side->buffer = NULL;
    uint32_t size = buffer->framed && buffer->size > buffer->needed ? buffer->needed : buffer->size;
    engine_message(engine, buffer->data, size, truncated || buffer->clipped);
    if (buffer->framed && buffer->total < buffer->size) {
        uint32_t rest = buffer->size - (uint32_t)buffer->total;
        engine->stats.skipped_bytes += buffer->total - size;
        stream_glue_data(engine, buffer->data + buffer->total, rest, false);
    } else if (buffer->framed) {
        engine->stats.skipped_bytes += buffer->size - size;
        side->skip = buffer->total - buffer->size;
    }
    buffer_free(engine, buffer);
}

/* Takes what the buffered message needs of `data`; returns how much that was. */
static uint32_t feed_buffer(struct engine *engine, struct tcp_side *side, const uint8_t *data, uint32_t size)
{
    struct stream_buffer *buffer = side->buffer;
    uint32_t missing = (buffer->search ? message_max(engine) : buffer->needed) - buffer->size;
    uint32_t take = missing < size ? missing : size;
    if (!buffer_append(engine, side, data, take)) {
        engine->stats.memory_refused++;
        uint64_t rest = buffer->framed ? buffer->total - buffer->size : 0;
        bool framed = buffer->framed;
        stream_glue_release(engine, side);
        if (framed)
            side->skip = rest;
        else
            lose(engine, side);
        return 0;
    }
    buffer = side->buffer;
    if (buffer->size < buffer->needed)
        return take;
    if (buffer->framed) {
        deliver_buffer(engine, side, false);
        return take;
    }
    bool clipped = false;
    struct frame frame = ask_frame(engine, buffer->data, buffer->size, &clipped);
    switch (frame.verdict) {
    case FRAME_MORE:
        buffer->needed = frame.want;
        buffer->search = frame.search;
        break;
    case FRAME_BAD:
        stream_glue_release(engine, side);
        bad(engine, side);
        break;
    case FRAME_OK:
        buffer->framed = true;
        buffer->search = false;
        buffer->total = frame.total;
        buffer->clipped = clipped;
        buffer->needed = frame.want;
        if (buffer->size >= buffer->needed)
            deliver_buffer(engine, side, false);
        break;
    }
    return take;
}

/* Begins to gather a message of which `data` is the first part. */
static void gather(struct engine *engine, struct tcp_side *side, const uint8_t *data, uint32_t size,
                   const struct frame *frame, bool clipped)
{
    if (!buffer_append(engine, side, data, size)) {
        engine->stats.memory_refused++;
        if (frame->verdict == FRAME_OK)
            side->skip = frame->total - size;
        else
            lose(engine, side);
        return;
    }
    struct stream_buffer *buffer = side->buffer;
    buffer->needed = frame->want;
    buffer->search = frame->search;
    if (frame->verdict == FRAME_MORE)
        return;
    buffer->framed = true;
    buffer->total = frame->total;
    buffer->clipped = clipped;
}

/* The flow has no protocol yet. True when it has now, and the bytes are to be read. */
static bool settle(struct engine *engine, struct tcp_side *side, const uint8_t *data, uint32_t size,
                   bool start)
{
    struct dissect *d = &engine->dissect;
    struct flow *flow = d->flow;
    struct stream_buffer *beginning = side->buffer;
    if (!start && !beginning)
        return false;
    struct bytes bytes = {.data = data, .size = size};
    if (beginning) {
        uint32_t room = RECOGNISE_BYTES - beginning->size;
        if (!buffer_append(engine, side, data, size < room ? size : room)) {
            stream_glue_release(engine, side);
            return false;
        }
        beginning = side->buffer;
        bytes = (struct bytes){.data = beginning->data, .size = beginning->size};
    }
    bool more = false;
    const struct protocol *protocol = recognise(engine, flow, d->direction, bytes, &more);
    if (protocol && flow_adopt(engine, flow, protocol)) {
        side->flags &= (uint8_t)~TCP_SIDE_LOST;
        engine_context(engine, flow, d->direction, d->time);
        return true;
    }
    if (!protocol && side->flags & TCP_SIDE_LOST) {
        protocol = recognise_inside(engine, flow, d->direction, bytes);
        if (protocol && flow_adopt(engine, flow, protocol)) {
            engine_context(engine, flow, d->direction, d->time);
            return true;
        }
    }
    if (more && bytes.size < RECOGNISE_BYTES && size <= RECOGNISE_BYTES) {
        if (!beginning && !buffer_append(engine, side, data, size))
            engine->stats.memory_refused++;
        return false;
    }
    stream_glue_release(engine, side);
    uint32_t most = flow->flags & FLOW_ON_PORT ? RECOGNISE_TRIES_ON_PORT : RECOGNISE_TRIES;
    if (++flow->tries >= most)
        flow->flags |= FLOW_OPAQUE;
    return false;
}

/* What was kept to recognise the stream is its beginning: reads it, and then the rest of `data`. */
static void read_beginning(struct engine *engine, struct tcp_side *side, const uint8_t *data, uint32_t size,
                           uint32_t before)
{
    struct stream_buffer *beginning = side->buffer;
    side->buffer = NULL;
    uint32_t used = beginning->size - before;
    stream_glue_data(engine, beginning->data, beginning->size, true);
    buffer_free(engine, beginning);
    if (used < size)
        stream_glue_data(engine, data + used, size - used, false);
}

void stream_glue_data(struct engine *engine, const uint8_t *data, uint32_t size, bool start)
{
    struct dissect *d = &engine->dissect;
    struct flow *flow = d->flow;
    struct tcp_side *side = current_side(engine);
    while (size > 0 && !(flow->flags & FLOW_OPAQUE)) {
        if (!flow->protocol) {
            uint32_t before = side->buffer ? side->buffer->size : 0;
            if (!settle(engine, side, data, size, start))
                return;
            if (side->buffer) {
                read_beginning(engine, side, data, size, before);
                return;
            }
        }
        uint32_t step;
        if (side->skip > 0) {
            step = side->skip < size ? (uint32_t)side->skip : size;
            side->skip -= step;
            engine->stats.skipped_bytes += step;
        } else if (side->buffer) {
            step = feed_buffer(engine, side, data, size);
        } else {
            if (side->flags & TCP_SIDE_LOST) {
                uint32_t lost = find_message(engine, data, size, start);
                if (lost >= size)
                    return;
                data += lost;
                size -= lost;
                side->flags &= (uint8_t)~TCP_SIDE_LOST;
                engine->stats.resynchronised++;
            }
            bool clipped = false;
            struct frame frame = ask_frame(engine, data, size, &clipped);
            if (frame.verdict == FRAME_BAD) {
                bad(engine, side);
                return;
            }
            if (frame.verdict == FRAME_MORE || frame.want > size) {
                gather(engine, side, data, size, &frame, clipped);
                return;
            }
            step = frame.total < size ? (uint32_t)frame.total : size;
            engine_message(engine, data, frame.want, clipped);
            side->skip = frame.total - step;
            engine->stats.skipped_bytes += step - frame.want;
        }
        data += step;
        size -= step;
        start = false;
    }
}

void stream_glue_hole(struct engine *engine, uint32_t size, bool cut)
{
    struct dissect *d = &engine->dissect;
    struct flow *flow = d->flow;
    struct tcp_side *side = current_side(engine);
    if (flow->flags & FLOW_OPAQUE)
        return;
    if (!flow->protocol) {
        stream_glue_release(engine, side);
        side->flags |= TCP_SIDE_LOST;
        return;
    }
    if (side->skip >= size) {
        side->skip -= size;
        return;
    }
    size -= (uint32_t)side->skip;
    side->skip = 0;
    struct stream_buffer *buffer = side->buffer;
    if (buffer && buffer->framed) {
        uint64_t rest = buffer->total - buffer->size;
        if (cut)
            deliver_buffer(engine, side, true);
        else
            stream_glue_release(engine, side);
        side->skip = 0;
        if (size <= rest) {
            side->skip = rest - size;
            if (!cut && d->protocol->gap)
                d->protocol->gap(d);
            return;
        }
    } else if (buffer) {
        if (cut)
            deliver_buffer(engine, side, true);
        else
            stream_glue_release(engine, side);
    }
    lose(engine, side);
}

/* The flow speaks another protocol now: messages that were gathered by the old one's frames are not its. */
void stream_glue_reframe(struct engine *engine, struct flow *flow)
{
    for (int direction = 0; direction < 2; direction++) {
        struct tcp_side *side = &flow->side[direction];
        if (flow->flags & FLOW_OPAQUE || (side->buffer && side->buffer->framed)) {
            stream_glue_release(engine, side);
        } else if (side->buffer) {
            side->buffer->needed = side->buffer->size + 1;
            side->buffer->search = false;
        }
    }
}
