/* SPDX-License-Identifier: Apache-2.0 */
#include "node/directory_probe.h"

#include "base/clock.h"
#include "base/thread.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define LDAP_PORT "389"
#define PATIENCE  3000 /* ms for all connects of one round */

struct target {
    struct directory_address address;
    bool reachable;
    int64_t tried;
    char reason[64];
};

struct directory_probe {
    unsigned count;
    int64_t period;
    int stop_descriptor;
    pthread_t thread;
    pthread_mutex_t lock; /* guards what the thread writes of the targets */
    struct target targets[DIRECTORIES_MAX];
};

/* --- addresses --- */

static bool copy(char *to, size_t capacity, const char *from, size_t size)
{
    if (size == 0 || size >= capacity)
        return false;
    memcpy(to, from, size);
    to[size] = '\0';
    return true;
}

static bool read_port(struct directory_address *address, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits <= 5 && text[digits] == '\0' && atoi(text) > 0 && atoi(text) <= 65535 &&
           copy(address->port, sizeof(address->port), text, digits);
}

bool directory_address_read(struct directory_address *address, const char *text)
{
    *address = (struct directory_address){.port = LDAP_PORT};
    size_t domain = strcspn(text, " \t");
    const char *host = text + domain + strspn(text + domain, " \t");
    if (!copy(address->domain, sizeof(address->domain), text, domain) || strpbrk(host, " \t"))
        return false;
    for (char *c = address->domain; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (*host == '[') {
        const char *end = strchr(host, ']');
        return end && copy(address->host, sizeof(address->host), host + 1, (size_t)(end - host - 1)) &&
               (end[1] == '\0' || (end[1] == ':' && read_port(address, end + 2)));
    }
    const char *colon = strchr(host, ':');
    if (!colon || strchr(colon + 1, ':')) /* a bare IPv6 address has several */
        return copy(address->host, sizeof(address->host), host, strlen(host));
    return copy(address->host, sizeof(address->host), host, (size_t)(colon - host)) &&
           read_port(address, colon + 1);
}

/* --- a round --- */

static void set_outcome(struct directory_probe *probe, unsigned i, const char *failure)
{
    struct target *target = &probe->targets[i];
    pthread_mutex_lock(&probe->lock);
    target->reachable = failure == NULL;
    target->tried = clock_wall(clock_system()) / CLOCK_MILLISECOND;
    snprintf(target->reason, sizeof(target->reason), "%s", failure ? failure : "");
    pthread_mutex_unlock(&probe->lock);
}

/* A connect under way; -1 when it failed at once. */
static int dial(struct directory_probe *probe, unsigned i)
{
    const struct directory_address *address = &probe->targets[i].address;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int failed = getaddrinfo(address->host, address->port, &hints, &found);
    if (failed) {
        set_outcome(probe, i, gai_strerror(failed));
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || (connect(fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS)) {
        set_outcome(probe, i, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

static void finish(struct directory_probe *probe, unsigned i, int fd)
{
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    set_outcome(probe, i, error ? strerror(error) : NULL);
    close(fd);
}

/* Tries all of them at the same time. False when it is to end. */
static bool try_all(struct directory_probe *probe)
{
    struct pollfd fds[DIRECTORIES_MAX + 1];
    unsigned open = 0;
    int64_t deadline = clock_monotonic(clock_system()) + PATIENCE * CLOCK_MILLISECOND;
    for (unsigned i = 0; i < probe->count; i++) {
        fds[i] = (struct pollfd){.fd = dial(probe, i), .events = POLLOUT};
        open += fds[i].fd >= 0;
    }
    fds[probe->count] = (struct pollfd){.fd = probe->stop_descriptor, .events = POLLIN};
    bool stop = false;
    while (open > 0 && !stop) {
        int64_t left = (deadline - clock_monotonic(clock_system())) / CLOCK_MILLISECOND;
        if (left <= 0 || poll(fds, probe->count + 1, (int)left) <= 0)
            break;
        stop = fds[probe->count].revents != 0;
        for (unsigned i = 0; i < probe->count; i++) {
            if (fds[i].fd >= 0 && fds[i].revents) {
                finish(probe, i, fds[i].fd);
                fds[i].fd = -1;
                open--;
            }
        }
    }
    for (unsigned i = 0; i < probe->count; i++) {
        if (fds[i].fd >= 0) {
            set_outcome(probe, i, "no answer");
            close(fds[i].fd);
        }
    }
    return !stop;
}

static void *run(void *context)
{
    struct directory_probe *probe = context;
    struct pollfd stop = {.fd = probe->stop_descriptor, .events = POLLIN};
    while (try_all(probe) && poll(&stop, 1, (int)(probe->period / CLOCK_MILLISECOND)) == 0)
        continue;
    return NULL;
}

/* --- */

struct directory_probe *directory_probe_start(const struct directory_address *addresses, unsigned count,
                                              int64_t period)
{
    struct directory_probe *probe = calloc(1, sizeof(*probe));
    if (!probe || count > DIRECTORIES_MAX) {
        free(probe);
        return NULL;
    }
    probe->count = count;
    probe->period = period;
    for (unsigned i = 0; i < count; i++)
        probe->targets[i].address = addresses[i];
    pthread_mutex_init(&probe->lock, NULL);
    probe->stop_descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (probe->stop_descriptor >= 0 && thread_start(&probe->thread, "probe", run, probe))
        return probe;
    close(probe->stop_descriptor);
    pthread_mutex_destroy(&probe->lock);
    free(probe);
    return NULL;
}

void directory_probe_stop(struct directory_probe **probe_p)
{
    struct directory_probe *probe = *probe_p;
    uint64_t one = 1;
    if (!probe)
        return;
    if (write(probe->stop_descriptor, &one, sizeof(one)) == (ssize_t)sizeof(one))
        pthread_join(probe->thread, NULL);
    close(probe->stop_descriptor);
    pthread_mutex_destroy(&probe->lock);
    free(probe);
    *probe_p = NULL;
}

bool directory_probe_reachable(struct directory_probe *probe, const char *domain)
{
    bool any = false, reachable = false;
    pthread_mutex_lock(&probe->lock);
    for (unsigned i = 0; i < probe->count; i++) {
        if (strcmp(probe->targets[i].address.domain, domain) != 0)
            continue;
        any = true;
        reachable |= probe->targets[i].reachable;
    }
    pthread_mutex_unlock(&probe->lock);
    return reachable || !any;
}

bool directory_probe_state(struct directory_probe *probe, unsigned i, struct directory_state *state)
{
    if (i >= probe->count)
        return false;
    pthread_mutex_lock(&probe->lock);
    const struct target *target = &probe->targets[i];
    snprintf(state->domain, sizeof(state->domain), "%s", target->address.domain);
    bool numeric6 = strchr(target->address.host, ':') != NULL;
    snprintf(state->address, sizeof(state->address), numeric6 ? "[%s]:%s" : "%s:%s", target->address.host,
             target->address.port);
    state->reachable = target->reachable;
    state->tried = target->tried;
    snprintf(state->reason, sizeof(state->reason), "%s", target->reason);
    pthread_mutex_unlock(&probe->lock);
    return true;
}
