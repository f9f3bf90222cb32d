/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/serve.h"

#include "base/endian.h"
#include "keys/line.h"
#include "keys/order.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct service {
    struct key_holder *holder;
    unsigned got;
    bool ended;
    int control;
    int lines[SERVE_LINES_MAX]; /* -1: none */
    uint8_t *packet;            /* LINE_PACKET_MAX; plain text and keys' shadows: locked, wiped */
    uint8_t *answer;            /* LINE_ANSWER_MAX */
    struct order order;
    struct order_report report;
};

/* --- lines --- */

static void end_line(struct service *self, uint32_t index)
{
    close(self->lines[index]);
    self->lines[index] = -1;
    key_holder_line_ended(self->holder, index);
}

static void answer_packet(struct service *self, uint32_t index, struct bytes bytes)
{
    struct line_packet packet;
    struct msgpack_writer w;
    struct bytes request;
    bool last;
    if (!line_packet_read(&packet, bytes))
        return;
    while (line_packet_next(&packet, &request, &last)) {
        msgpack_writer_init(&w, self->answer + LINE_NUMBER_SIZE, LINE_ANSWER_MAX - LINE_NUMBER_SIZE);
        key_holder_answer(self->holder, index, request, &w);
    }
    if (packet.number == 0)
        return;
    endian_put_be32(self->answer, packet.number);
    /* Whoever does not take its answers loses them: nobody is waited for. */
    send(self->lines[index], self->answer, LINE_NUMBER_SIZE + w.size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void hear_line(struct service *self, uint32_t index)
{
    ssize_t got = recv(self->lines[index], self->packet, LINE_PACKET_MAX, MSG_DONTWAIT | MSG_TRUNC);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        end_line(self, index);
    else if (got > 0 && (size_t)got <= LINE_PACKET_MAX)
        answer_packet(self, index, (struct bytes){self->packet, (size_t)got});
}

static void take_line(struct service *self, uint32_t index, int socket)
{
    if (index >= SERVE_LINES_MAX || socket < 0) {
        if (socket >= 0)
            close(socket);
        return;
    }
    if (self->lines[index] >= 0)
        end_line(self, index);
    self->lines[index] = socket;
}

/* --- orders --- */

static bool read_whole(const char *name, int descriptor, uint8_t *to, size_t size, struct fault *fault)
{
    for (size_t at = 0; at < size;) {
        ssize_t got = read(descriptor, to + at, size - at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fault_say(fault, "%s: it cannot be read: %s", name, strerror(errno));
        if (got == 0)
            return fault_say(fault, "%s: it changed while it was read", name);
        at += (size_t)got;
    }
    return true;
}

static bool load_from(struct service *self, int descriptor, struct fault *fault)
{
    const char *name = self->order.name;
    off_t size = lseek(descriptor, 0, SEEK_END);
    if (size < 0 || lseek(descriptor, 0, SEEK_SET) != 0)
        return fault_say(fault, "%s: it cannot be read: %s", name, strerror(errno));
    if (size == 0)
        return fault_say(fault, "%s: it is empty", name);
    if ((uint64_t)size > KEYTAB_BYTES_MAX)
        return fault_say(fault, "%s: it is larger than %zu MiB", name, KEYTAB_BYTES_MAX >> 20);
    uint8_t *bytes = sodium_malloc((size_t)size);
    if (!bytes)
        return fault_say(fault, "%s: there is no memory for it", name);
    bool fine = read_whole(name, descriptor, bytes, (size_t)size, fault) &&
                key_holder_load(self->holder, name, (struct bytes){bytes, (size_t)size}, fault);
    sodium_free(bytes); /* wipes */
    return fine;
}

static void load(struct service *self, int descriptor)
{
    struct fault fault = {0};
    struct order_report *report = &self->report;
    report->fine = descriptor >= 0
                       ? load_from(self, descriptor, &fault)
                       : key_holder_load(self->holder, self->order.name, (struct bytes){0}, &fault);
    if (!report->fine)
        memcpy(report->text, fault.text, sizeof(report->text));
    if (descriptor >= 0)
        close(descriptor);
}

static void tell_status(struct service *self)
{
    struct timespec used = {0};
    struct rusage usage = {0};
    key_holder_status(self->holder, &self->report.status);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    getrusage(RUSAGE_SELF, &usage);
    self->report.sandbox = self->got;
    self->report.cpu = (int64_t)used.tv_sec * CLOCK_SECOND + used.tv_nsec;
    self->report.memory = (uint64_t)usage.ru_maxrss * 1024;
}

static void tell_complaints(struct service *self)
{
    struct order_report *report = &self->report;
    while (report->complaint_count < ORDER_COMPLAINTS_MAX &&
           key_holder_complaint_at(self->holder, self->order.index + (size_t)report->complaint_count,
                                   &report->complaints[report->complaint_count]))
        report->complaint_count++;
}

static void obey(struct service *self, int descriptor)
{
    uint8_t buffer[ORDER_REPORT_MAX];
    self->report = (struct order_report){.kind = self->order.kind, .number = self->order.number};
    switch (self->order.kind) {
    case ORDER_LINE:
        take_line(self, self->order.index, descriptor);
        return;
    case ORDER_KEYTAB:
        load(self, descriptor);
        descriptor = -1;
        break;
    case ORDER_STATUS:
        tell_status(self);
        break;
    case ORDER_COMPLAINTS:
        tell_complaints(self);
        break;
    }
    if (descriptor >= 0)
        close(descriptor);
    line_send(self->control, order_report_write(&self->report, buffer), -1);
}

static void hear_control(struct service *self)
{
    uint8_t buffer[ORDER_MAX];
    int descriptor;
    long got = line_receive(self->control, buffer, sizeof(buffer), &descriptor);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR && errno != EMSGSIZE))
        self->ended = true;
    else if (got > 0 && order_read(&self->order, (struct bytes){buffer, (size_t)got}))
        obey(self, descriptor);
    else if (descriptor >= 0)
        close(descriptor);
}

/* --- */

static void turn(struct service *self)
{
    struct pollfd fds[1 + SERVE_LINES_MAX] = {{.fd = self->control, .events = POLLIN}};
    nfds_t count = 1;
    for (uint32_t i = 0; i < SERVE_LINES_MAX; i++) { /* poll passes over -1 */
        fds[1 + i] = (struct pollfd){.fd = self->lines[i], .events = POLLIN};
        if (self->lines[i] >= 0)
            count = i + 2;
    }
    if (poll(fds, count, -1) < 0)
        return;
    if (fds[0].revents)
        hear_control(self);
    for (uint32_t i = 0; i + 1 < count && !self->ended; i++)
        if (fds[1 + i].revents && self->lines[i] == fds[1 + i].fd)
            hear_line(self, i);
}

static void clean_up(struct service *self)
{
    for (uint32_t i = 0; i < SERVE_LINES_MAX; i++)
        if (self->lines[i] >= 0)
            close(self->lines[i]);
    key_holder_destroy(&self->holder);
    sodium_free(self->packet);
    sodium_free(self->answer);
    free(self);
}

bool serve(int control, unsigned got, struct fault *fault)
{
    struct service *self = sodium_init() >= 0 ? calloc(1, sizeof(*self)) : NULL;
    if (!self)
        return fault_say(fault, "out of memory");
    self->control = control;
    self->got = got;
    for (uint32_t i = 0; i < SERVE_LINES_MAX; i++)
        self->lines[i] = -1;
    self->holder = key_holder_new(NULL);
    self->packet = sodium_malloc(LINE_PACKET_MAX);
    self->answer = sodium_malloc(LINE_ANSWER_MAX);
    bool begun = self->holder && self->packet && self->answer;
    while (begun && !self->ended)
        turn(self);
    clean_up(self);
    return begun || fault_say(fault, "out of memory");
}
