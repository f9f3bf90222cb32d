/* SPDX-License-Identifier: Apache-2.0 */
#include "node/key_line.h"

#include "base/endian.h"
#include "keys/line.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NOTHING_NEW (-2)

const struct key_line_limits key_line_live = {
    .timeout = 5 * CLOCK_MILLISECOND,
    .pause = CLOCK_SECOND,
    .pause_max = 8 * CLOCK_SECOND,
    .waiting = 450 * CLOCK_MILLISECOND,
};

const struct key_line_limits key_line_file = {
    .timeout = 2 * CLOCK_SECOND,
    .pause = CLOCK_SECOND,
    .pause_max = 30 * CLOCK_SECOND,
};

enum counter { ASKED, ANSWERED, TIMED_OUT, SKIPPED, LOST, STRAYS, UNTOLD, COUNTERS };

struct key_line {
    struct unsealer unsealer;
    struct key_line_limits limits;
    const struct clock *clock;
    atomic_int offered; /* a socket that is to be used from now on; -1: none; NOTHING_NEW */
    atomic_uint_least64_t counters[COUNTERS];

    /* The asking thread's own. */
    int socket; /* -1: nobody is there */
    uint32_t number;
    unsigned timeouts; /* in a row */
    int64_t pause, paused_until;
    int64_t second, waited; /* when it began; what was waited in it */
    size_t told;            /* bytes of packet that wait, its number included */
    uint8_t packet[LINE_NUMBER_SIZE + LINE_TOLD_MAX + LINE_SIZE_SIZE];
    uint8_t answer[LINE_ANSWER_MAX];
};

static void count(struct key_line *line, enum counter which)
{
    atomic_fetch_add_explicit(&line->counters[which], 1, memory_order_relaxed);
}

static int64_t now_of(const struct key_line *line)
{
    return clock_monotonic(line->clock);
}

/* --- the socket --- */

static void disconnect(struct key_line *line)
{
    if (line->socket >= 0)
        close(line->socket);
    line->socket = -1;
    line->told = LINE_NUMBER_SIZE;
}

/* A socket that was offered meanwhile. */
static void take_offer(struct key_line *line)
{
    if (atomic_load_explicit(&line->offered, memory_order_relaxed) == NOTHING_NEW)
        return;
    int socket = atomic_exchange(&line->offered, NOTHING_NEW);
    if (socket == NOTHING_NEW)
        return;
    disconnect(line);
    line->socket = socket;
    line->timeouts = 0;
    line->pause = line->limits.pause;
    line->paused_until = 0;
}

void key_line_connect(struct key_line *line, int socket)
{
    int before = atomic_exchange(&line->offered, socket);
    if (before >= 0)
        close(before);
}

/* What waits, with one more request behind it; number 0: nothing is asked. False and errno EAGAIN: there is
 * no room, it waits still. */
static bool send_packet(struct key_line *line, uint32_t number, struct bytes request)
{
    endian_put_be32(line->packet, number);
    if (request.size)
        endian_put_be32(line->packet + line->told, (uint32_t)request.size);
    struct iovec parts[] = {
        {.iov_base = line->packet, .iov_len = line->told + (request.size ? LINE_SIZE_SIZE : 0)},
        {.iov_base = (void *)(uintptr_t)request.data, .iov_len = request.size},
    };
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = request.size ? 2 : 1};
    bool sent = sendmsg(line->socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
    int error = errno;
    if (sent || error != EAGAIN)
        line->told = LINE_NUMBER_SIZE;
    if (!sent && error != EAGAIN && error != EMSGSIZE && error != ENOBUFS && error != ENOMEM)
        disconnect(line);
    errno = error;
    return sent;
}

/* --- how long it may be waited for --- */

static bool may_wait(struct key_line *line, int64_t now)
{
    if (now < line->paused_until)
        return false;
    if (now - line->second >= CLOCK_SECOND) {
        line->second = now;
        line->waited = 0;
    }
    return !line->limits.waiting || line->waited < line->limits.waiting;
}

static void note_timeout(struct key_line *line, int64_t now)
{
    count(line, TIMED_OUT);
    if (++line->timeouts < KEY_LINE_TIMEOUTS)
        return;
    line->paused_until = now + line->pause;
    line->pause = line->pause * 2 < line->limits.pause_max ? line->pause * 2 : line->limits.pause_max;
}

static void note_answer(struct key_line *line)
{
    count(line, ANSWERED);
    line->timeouts = 0;
    line->pause = line->limits.pause;
}

/* --- questions --- */

enum wait { WAIT_ANSWERED, WAIT_TIMED_OUT, WAIT_LOST };

/* One packet of the socket: whether it is the answer that is waited for. */
static bool take_packet(struct key_line *line, size_t size, struct bytes *answer)
{
    uint32_t number;
    if (size <= sizeof(line->answer) &&
        line_answer_read(&number, answer, (struct bytes){line->answer, size}) && number == line->number)
        return true;
    count(line, STRAYS);
    return false;
}

static enum wait wait_for(struct key_line *line, int64_t deadline, struct bytes *answer)
{
    struct pollfd readable = {.fd = line->socket, .events = POLLIN};
    for (int64_t now = now_of(line); now < deadline; now = now_of(line)) {
        struct timespec left = {(deadline - now) / CLOCK_SECOND, (deadline - now) % CLOCK_SECOND};
        if (ppoll(&readable, 1, &left, NULL) <= 0)
            continue;
        ssize_t got = recv(line->socket, line->answer, sizeof(line->answer), MSG_DONTWAIT | MSG_TRUNC);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return WAIT_LOST;
        if (got > 0 && take_packet(line, (size_t)got, answer))
            return WAIT_ANSWERED;
    }
    return WAIT_TIMED_OUT;
}

static void next_number(struct key_line *line)
{
    if (++line->number == 0) /* which means that nothing is asked */
        line->number = 1;
}

/* Much may have been told before the holder came to run: it is waited for as for an answer. */
static bool send_until(struct key_line *line, int64_t deadline, uint32_t number, struct bytes request)
{
    struct pollfd writable = {.fd = line->socket, .events = POLLOUT};
    bool sent = send_packet(line, number, request);
    while (!sent && errno == EAGAIN && now_of(line) < deadline) {
        int64_t left = deadline - now_of(line);
        struct timespec span = {left / CLOCK_SECOND, left % CLOCK_SECOND};
        if (left > 0)
            ppoll(&writable, 1, &span, NULL);
        sent = send_packet(line, number, request);
    }
    line->told = LINE_NUMBER_SIZE; /* what was not taken is lost */
    return sent;
}

static enum wait exchange(struct key_line *line, int64_t start, struct bytes request, struct bytes *answer)
{
    next_number(line);
    if (!send_until(line, start + line->limits.timeout, line->number, request))
        return line->socket < 0 ? WAIT_LOST : WAIT_TIMED_OUT;
    return wait_for(line, start + line->limits.timeout, answer);
}

static bool ask(void *context, struct bytes request, struct bytes *answer)
{
    struct key_line *line = context;
    count(line, ASKED);
    take_offer(line);
    if (line->socket < 0 || request.size == 0 || request.size > UNSEAL_REQUEST_MAX) {
        count(line, LOST);
        return false;
    }
    int64_t start = now_of(line);
    if (!may_wait(line, start)) {
        count(line, SKIPPED);
        return false;
    }
    enum wait end = exchange(line, start, request, answer);
    int64_t now = now_of(line);
    line->waited += now - start;
    switch (end) {
    case WAIT_ANSWERED:
        note_answer(line);
        return true;
    case WAIT_TIMED_OUT:
        note_timeout(line, now);
        return false;
    default:
        count(line, LOST);
        disconnect(line);
        return false;
    }
}

/* What waits to be told is enough for a packet. */
static void tell_packet(struct key_line *line, struct bytes request)
{
    int64_t start = now_of(line);
    int64_t deadline = may_wait(line, start) ? start + line->limits.timeout : start;
    bool sent = start >= line->paused_until && send_until(line, deadline, 0, request);
    int64_t now = now_of(line);
    line->waited += now - start;
    if (sent)
        return;
    count(line, UNTOLD);
    if (deadline > start && now >= deadline)
        note_timeout(line, now);
}

static void tell(void *context, struct bytes request)
{
    struct key_line *line = context;
    take_offer(line);
    if (line->socket < 0 || request.size == 0 || request.size > UNSEAL_REQUEST_MAX) {
        count(line, UNTOLD);
        return;
    }
    size_t room = LINE_NUMBER_SIZE + LINE_TOLD_MAX - line->told;
    if (LINE_SIZE_SIZE + request.size <= room) {
        endian_put_be32(line->packet + line->told, (uint32_t)request.size);
        memcpy(line->packet + line->told + LINE_SIZE_SIZE, request.data, request.size);
        line->told += LINE_SIZE_SIZE + request.size;
        return;
    }
    tell_packet(line, request);
}

/* --- */

struct key_line *key_line_new(const struct key_line_limits *limits, const struct clock *clock)
{
    struct key_line *line = calloc(1, sizeof(*line));
    if (!line)
        return NULL;
    line->unsealer = (struct unsealer){.context = line, .ask = ask, .tell = tell};
    line->limits = *limits;
    line->clock = clock;
    line->pause = limits->pause;
    line->socket = -1;
    line->told = LINE_NUMBER_SIZE;
    atomic_init(&line->offered, NOTHING_NEW);
    for (size_t i = 0; i < COUNTERS; i++)
        atomic_init(&line->counters[i], 0);
    return line;
}

void key_line_destroy(struct key_line **line_p)
{
    struct key_line *line = *line_p;
    if (!line)
        return;
    *line_p = NULL;
    take_offer(line);
    disconnect(line);
    free(line);
}

const struct unsealer *key_line_unsealer(const struct key_line *line)
{
    return &line->unsealer;
}

void key_line_counters(struct key_line *line, struct key_line_counters *to)
{
    uint64_t *const fields[COUNTERS] = {
        [ASKED] = &to->asked,     [ANSWERED] = &to->answered, [TIMED_OUT] = &to->timed_out,
        [SKIPPED] = &to->skipped, [LOST] = &to->lost,         [STRAYS] = &to->strays,
        [UNTOLD] = &to->untold,
    };
    for (size_t i = 0; i < COUNTERS; i++)
        *fields[i] = atomic_load_explicit(&line->counters[i], memory_order_relaxed);
}
