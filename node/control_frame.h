/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames of the control socket: four bytes of length (big-endian), then so many bytes of JSON. Both sides
 * read them through this; docs/control.md.
 */
#pragma once

#include "base/cursor.h"

#define CONTROL_FRAME_HEADER 4u
#define CONTROL_REQUEST_MAX  (128u << 10) /* bytes of a request */
#define CONTROL_ANSWER_MAX   (64u << 20)  /* bytes of an answer */

/* What has come of a frame so far. Zero it, then set `max`. */
struct control_frame {
    size_t max;    /* the largest body that is taken */
    uint8_t *data; /* header and body; owned */
    size_t size;   /* bytes here */
    size_t capacity;
    bool refused; /* announces more than `max`, or memory is short: the stream is of no use any more */
};

/* How many bytes the frame wants next (its header's, then its body's): 0 when it is whole or refused. Makes
 * room for at most 64 KiB ahead of what came, so that an announced length alone takes no memory. */
size_t control_frame_wants(struct control_frame *frame);

/* Where those bytes go; valid until control_frame_wants() is called again. */
uint8_t *control_frame_room(struct control_frame *frame);

/* So many of them came. */
void control_frame_took(struct control_frame *frame, size_t size);

/* Whether the frame is whole; then its body. */
bool control_frame_whole(const struct control_frame *frame, struct bytes *body);

/* Ready for the next frame; the memory is kept. */
void control_frame_next(struct control_frame *frame);

void control_frame_free(struct control_frame *frame);

/* The header of a body of that size. */
void control_frame_header(uint8_t header[CONTROL_FRAME_HEADER], size_t size);
