/* SPDX-License-Identifier: Apache-2.0 */
#include "node/control_frame.h"

#include <stdlib.h>

#define ROOM_AHEAD 65536u

static size_t announced(const struct control_frame *frame)
{
    struct cursor c = cursor_of(frame->data, frame->size);
    return cursor_be32(&c);
}

static bool make_room(struct control_frame *frame, size_t size)
{
    if (size <= frame->capacity)
        return true;
    size_t capacity = frame->capacity ? frame->capacity : 256;
    while (capacity < size)
        capacity *= 2;
    uint8_t *data = realloc(frame->data, capacity);
    if (!data)
        return false;
    frame->data = data;
    frame->capacity = capacity;
    return true;
}

size_t control_frame_wants(struct control_frame *frame)
{
    if (frame->refused)
        return 0;
    size_t whole = CONTROL_FRAME_HEADER;
    if (frame->size >= CONTROL_FRAME_HEADER) {
        size_t body = announced(frame);
        if (body > frame->max) {
            frame->refused = true;
            return 0;
        }
        whole += body;
    }
    size_t wants = whole - frame->size;
    if (wants > ROOM_AHEAD)
        wants = ROOM_AHEAD;
    if (!make_room(frame, frame->size + wants)) {
        frame->refused = true;
        return 0;
    }
    return wants;
}

uint8_t *control_frame_room(struct control_frame *frame)
{
    return frame->data + frame->size;
}

void control_frame_took(struct control_frame *frame, size_t size)
{
    frame->size += size;
}

bool control_frame_whole(const struct control_frame *frame, struct bytes *body)
{
    if (frame->refused || frame->size < CONTROL_FRAME_HEADER ||
        frame->size - CONTROL_FRAME_HEADER != announced(frame))
        return false;
    *body = (struct bytes){frame->data + CONTROL_FRAME_HEADER, frame->size - CONTROL_FRAME_HEADER};
    return true;
}

void control_frame_next(struct control_frame *frame)
{
    frame->size = 0;
}

void control_frame_free(struct control_frame *frame)
{
    free(frame->data);
    *frame = (struct control_frame){0};
}

void control_frame_header(uint8_t header[CONTROL_FRAME_HEADER], size_t size)
{
    for (unsigned i = 0; i < CONTROL_FRAME_HEADER; i++)
        header[i] = (uint8_t)(size >> (24 - 8 * i));
}
