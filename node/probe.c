/* SPDX-License-Identifier: Apache-2.0 */
#include "node/probe.h"

#include "base/clock.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROBES_MAX 256
#define PATIENCE   3000 /* ms */

struct probe {
    json_t *results; /* where its outcome goes (borrowed) */
    size_t index;
};

struct probes {
    size_t count;
    struct pollfd fds[PROBES_MAX];
    struct probe of[PROBES_MAX];
};

/* HOST:PORT or [IPv6]:PORT, perhaps behind tcp://. */
static bool split(const char *endpoint, char *host, size_t capacity, const char **port)
{
    if (strncmp(endpoint, "tcp://", 6) == 0)
        endpoint += 6;
    const char *colon = strrchr(endpoint, ':');
    if (!colon)
        return false;
    size_t size = (size_t)(colon - endpoint);
    if (size >= 2 && endpoint[0] == '[' && endpoint[size - 1] == ']') {
        endpoint++;
        size -= 2;
    }
    if (size == 0 || size >= capacity)
        return false;
    memcpy(host, endpoint, size);
    host[size] = '\0';
    *port = colon + 1;
    return true;
}

/* A connect under way; -1 with the reason. */
static int dial(const char *endpoint, const char **reason)
{
    char host[256];
    const char *port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    if (!split(endpoint, host, sizeof(host), &port)) {
        *reason = "no address";
        return -1;
    }
    int failed = getaddrinfo(host, port, &hints, &found);
    if (failed) {
        *reason = gai_strerror(failed);
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || (connect(fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS)) {
        *reason = strerror(errno);
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static void start(struct probes *probes, json_t *results, const char *endpoint)
{
    const char *reason = "not tried";
    int fd = probes->count < PROBES_MAX && endpoint ? dial(endpoint, &reason) : -1;
    json_array_append_new(results, json_string(fd < 0 ? reason : "no answer"));
    if (fd < 0)
        return;
    probes->fds[probes->count] = (struct pollfd){.fd = fd, .events = POLLOUT};
    probes->of[probes->count++] = (struct probe){results, json_array_size(results) - 1};
}

static void finish(struct probes *probes, size_t i)
{
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(probes->fds[i].fd, SOL_SOCKET, SO_ERROR, &error, &size);
    json_array_set_new(probes->of[i].results, probes->of[i].index,
                       json_string(error ? strerror(error) : "open"));
    close(probes->fds[i].fd);
    probes->fds[i].fd = -1; /* poll passes over it */
}

static void wait_for_all(struct probes *probes)
{
    int64_t deadline = clock_monotonic(clock_system()) + PATIENCE * CLOCK_MILLISECOND;
    size_t open = probes->count;
    while (open > 0) {
        int64_t left = (deadline - clock_monotonic(clock_system())) / CLOCK_MILLISECOND;
        if (left <= 0 || poll(probes->fds, (nfds_t)probes->count, (int)left) <= 0)
            break;
        for (size_t i = 0; i < probes->count; i++) {
            if (probes->fds[i].fd >= 0 && probes->fds[i].revents) {
                finish(probes, i);
                open--;
            }
        }
    }
    for (size_t i = 0; i < probes->count; i++)
        if (probes->fds[i].fd >= 0)
            close(probes->fds[i].fd);
}

void probe_members(json_t *answer)
{
    const json_t *members = json_object_get(answer, "members");
    struct probes *probes = calloc(1, sizeof(*probes));
    if (!probes)
        return;
    for (size_t i = 0; i < json_array_size(members); i++) {
        json_t *member = json_array_get(members, i);
        const json_t *endpoints = json_object_get(member, "endpoints");
        json_t *results = json_array();
        json_object_set_new(member, "dialled", results);
        for (size_t e = 0; e < json_array_size(endpoints); e++)
            start(probes, results, json_string_value(json_array_get(endpoints, e)));
    }
    wait_for_all(probes);
    free(probes);
}
