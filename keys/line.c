/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/line.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 4 /* of one packet, that are looked at */

/* --- framing --- */

static bool requests_fit(struct cursor c)
{
    do {
        uint32_t size = cursor_be32(&c);
        if (size == 0 || size > UNSEAL_REQUEST_MAX)
            return false;
        cursor_skip(&c, size);
    } while (!cursor_done(&c));
    return !c.failed;
}

bool line_packet_read(struct line_packet *packet, struct bytes bytes)
{
    packet->requests = cursor_of_bytes(bytes);
    packet->number = cursor_be32(&packet->requests);
    return !packet->requests.failed && requests_fit(packet->requests);
}

bool line_packet_next(struct line_packet *packet, struct bytes *request, bool *last)
{
    if (cursor_done(&packet->requests))
        return false;
    *request = cursor_take(&packet->requests, cursor_be32(&packet->requests));
    *last = cursor_done(&packet->requests);
    return !packet->requests.failed;
}

bool line_answer_read(uint32_t *number, struct bytes *answer, struct bytes bytes)
{
    struct cursor c = cursor_of_bytes(bytes);
    *number = cursor_be32(&c);
    if (c.failed)
        return false;
    *answer = cursor_take(&c, cursor_left(&c));
    return true;
}

/* --- sockets --- */

bool line_pair(int ends[2])
{
    int size = (int)LINE_PACKET_MAX;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    /* The kernel doubles it for its own, so that what the system allows by default is enough. */
    for (int i = 0; i < 2; i++)
        setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
    return true;
}

bool line_send(int socket, struct bytes bytes, int descriptor)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec vector = {.iov_base = (void *)(uintptr_t)bytes.data, .iov_len = bytes.size};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (descriptor >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof(control.room);
        control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &descriptor, sizeof(descriptor));
    }
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

/* The first of them is kept. */
static void take_descriptors(struct msghdr *message, int *descriptor)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = 0; CMSG_LEN(0) + at + sizeof(int) <= c->cmsg_len; at += sizeof(int)) {
            int one;
            memcpy(&one, CMSG_DATA(c) + at, sizeof(one));
            if (*descriptor < 0)
                *descriptor = one;
            else
                close(one);
        }
    }
}

long line_receive(int socket, void *buffer, size_t size, int *descriptor)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MAX)];
    } control;
    struct iovec vector = {.iov_base = buffer, .iov_len = size};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof(control.room)};
    *descriptor = -1;
    ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0)
        return -1;
    take_descriptors(&message, descriptor);
    if (!(message.msg_flags & MSG_TRUNC))
        return got;
    if (*descriptor >= 0)
        close(*descriptor);
    *descriptor = -1;
    errno = EMSGSIZE;
    return -1;
}
