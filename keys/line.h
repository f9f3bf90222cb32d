/* SPDX-License-Identifier: Apache-2.0
 *
 * A line: the socket (AF_UNIX, SOCK_SEQPACKET) between one capture thread and the process that holds the
 * keys. Both sides use this framing. Numbers are big-endian.
 *
 *     packet:  number (4), then one or more of: size (4), request (capture/unseal.h)
 *     answer:  number (4), answer
 *
 * The last request of a packet is the question, its answer bears the packet's number; those before it are
 * told, in order. Number 0: all are told, nothing is answered. A packet that is not made so is dropped whole.
 */
#pragma once

#include "base/cursor.h"
#include "capture/unseal.h"

#define LINE_NUMBER_SIZE ((size_t)4)
#define LINE_SIZE_SIZE   ((size_t)4)
/* What waits to be told at most, sizes included. */
#define LINE_TOLD_MAX                                                                                        \
    ((size_t)112 * 1024) /* more, and a packet might exceed what a socket takes by default */
#define LINE_PACKET_MAX (LINE_NUMBER_SIZE + LINE_TOLD_MAX + LINE_SIZE_SIZE + UNSEAL_REQUEST_MAX)
#define LINE_ANSWER_MAX (LINE_NUMBER_SIZE + UNSEAL_REQUEST_MAX)

struct line_packet {
    uint32_t number; /* 0: nothing is to be answered */
    struct cursor requests;
};

/* True when all of it is as it should be. */
bool line_packet_read(struct line_packet *packet, struct bytes bytes);
/* The next request of a packet that was read. False behind the last; `*last`: it is the question. */
bool line_packet_next(struct line_packet *packet, struct bytes *request, bool *last);

/* False when it is none. */
bool line_answer_read(uint32_t *number, struct bytes *answer, struct bytes bytes);

/* Both ends of a new line (or of control): packets of LINE_PACKET_MAX fit, descriptors close on exec. False
 * with errno. */
bool line_pair(int ends[2]);

/* Sends some bytes with a descriptor beside them (-1: none), without waiting; false with errno. */
bool line_send(int socket, struct bytes bytes, int descriptor);
/* One packet and its descriptor (-1: none; closes on exec, the caller's). Bytes received; 0: the other end is
 * gone; -1 with errno, EMSGSIZE when it was larger. Further descriptors are closed. */
long line_receive(int socket, void *buffer, size_t size, int *descriptor);
