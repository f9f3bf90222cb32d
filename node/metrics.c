/* SPDX-License-Identifier: Apache-2.0 */
#include "node/metrics.h"

#include "base/clock.h"
#include "base/thread.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TEXT_MAX      ((size_t)256 * 1024)
#define CLIENT_TIME   (2 * CLOCK_SECOND) /* for its request; and to take the answer */
#define ANSWER_TIME   5                  /* s that the counts may take */
#define CLIENTS_QUEUE 4

/* --- text --- */

void metric_family(struct text *t, const char *name, enum metric_type type, const char *help)
{
    text_string(t, "# HELP ");
    text_string(t, name);
    text_char(t, ' ');
    text_string(t, help);
    text_string(t, "\n# TYPE ");
    text_string(t, name);
    text_string(t, type == METRIC_COUNTER ? " counter\n" : " gauge\n");
}

/* NAME{label="VALUE"} with the escapes of the format. */
static void sample(struct text *t, const char *name, const char *label, const char *value)
{
    text_string(t, name);
    if (label) {
        text_char(t, '{');
        text_string(t, label);
        text_string(t, "=\"");
        for (; *value; value++) {
            if (*value == '\\' || *value == '"')
                text_char(t, '\\');
            if (*value == '\n')
                text_string(t, "\\n");
            else
                text_char(t, *value);
        }
        text_string(t, "\"}");
    }
    text_char(t, ' ');
}

void metric_uint(struct text *t, const char *name, const char *label, const char *value, uint64_t number)
{
    sample(t, name, label, value);
    text_uint(t, number);
    text_char(t, '\n');
}

void metric_micro(struct text *t, const char *name, const char *label, const char *value, int64_t millionths)
{
    sample(t, name, label, value);
    if (millionths < 0) {
        text_char(t, '-');
        millionths = millionths == INT64_MIN ? INT64_MAX : -millionths;
    }
    text_uint(t, (uint64_t)millionths / 1000000);
    text_char(t, '.');
    text_padded(t, (uint64_t)millionths % 1000000, 6);
    text_char(t, '\n');
}

/* --- HTTP --- */

static bool begins(struct bytes bytes, const char *with)
{
    size_t size = strlen(with);
    return bytes.size >= size && memcmp(bytes.data, with, size) == 0;
}

/* RFC 9112 3: method SP target SP version CRLF; fields; CRLF. */
enum metrics_request metrics_request_read(struct bytes bytes)
{
    const uint8_t *line = memchr(bytes.data, '\n', bytes.size);
    if (!line)
        return bytes.size < METRICS_REQUEST_MAX ? METRICS_MORE : METRICS_BROKEN;
    struct bytes first = {bytes.data, (size_t)(line - bytes.data)};
    const uint8_t *target = memchr(first.data, ' ', first.size);
    if (!target)
        return METRICS_BROKEN;
    struct bytes rest = {target + 1, first.size - (size_t)(target + 1 - first.data)};
    const uint8_t *version = memchr(rest.data, ' ', rest.size);
    if (!version ||
        !begins((struct bytes){version + 1, rest.size - (size_t)(version + 1 - rest.data)}, "HTTP/1."))
        return METRICS_BROKEN;
    if (!memmem(bytes.data, bytes.size, "\r\n\r\n", 4) && !memmem(bytes.data, bytes.size, "\n\n", 2))
        return bytes.size < METRICS_REQUEST_MAX ? METRICS_MORE : METRICS_BROKEN;
    if (!begins(bytes, "GET "))
        return METRICS_METHOD;
    bool wanted = begins(rest, "/metrics ") || begins(rest, "/metrics?");
    return wanted ? METRICS_WANTED : METRICS_NOTHING;
}

/* --- the counts, from the other thread --- */

struct metrics {
    struct metrics_config config;
    pthread_t thread;
    bool started;
    int listener;
    int stop;
};

/* Belongs to both threads until both have let go. */
struct job {
    struct mail mail;
    struct metrics_config config;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done, made;
    unsigned owners;
    size_t size;
    char text[TEXT_MAX];
};

static void let_go(struct job *job)
{
    pthread_mutex_lock(&job->lock);
    bool last = --job->owners == 0;
    pthread_mutex_unlock(&job->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&job->lock);
    pthread_cond_destroy(&job->ended);
    free(job);
}

static void work(struct mail *mail, void *owner)
{
    struct job *job = (struct job *)mail;
    struct text t = text_to(job->text, sizeof(job->text));
    if (owner)
        job->config.write(job->config.context, &t);
    size_t size = text_end(&t);
    pthread_mutex_lock(&job->lock);
    job->size = size;
    job->made = owner && size < sizeof(job->text);
    job->done = true;
    pthread_cond_signal(&job->ended);
    pthread_mutex_unlock(&job->lock);
    let_go(job);
}

static struct job *job_new(const struct metrics *self)
{
    struct job *job = calloc(1, sizeof(*job));
    if (!job)
        return NULL;
    job->mail.run = work;
    job->config = self->config;
    job->owners = 2;
    pthread_mutex_init(&job->lock, NULL);
    pthread_cond_init(&job->ended, NULL);
    return job;
}

/* True when the text is there. */
static bool wait_for(struct job *job)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ANSWER_TIME;
    pthread_mutex_lock(&job->lock);
    int late = 0;
    while (!job->done && late == 0)
        late = pthread_cond_timedwait(&job->ended, &job->lock, &until);
    bool made = job->made;
    pthread_mutex_unlock(&job->lock);
    return made;
}

/* --- clients --- */

static int64_t now(void)
{
    return clock_monotonic(clock_system());
}

/* Ready before the time is over, and the node is not ending. */
static bool ready(const struct metrics *self, int client, short events, int64_t deadline)
{
    struct pollfd fds[] = {{.fd = self->stop, .events = POLLIN}, {.fd = client, .events = events}};
    int64_t left = deadline - now();
    return left > 0 && poll(fds, 2, (int)(left / CLOCK_MILLISECOND) + 1) > 0 && !fds[0].revents;
}

static bool send_all(const struct metrics *self, int client, const char *bytes, size_t size)
{
    int64_t deadline = now() + CLIENT_TIME;
    while (size > 0) {
        if (!ready(self, client, POLLOUT, deadline))
            return false;
        ssize_t sent = send(client, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno != EAGAIN)
            return false;
        bytes += sent > 0 ? sent : 0;
        size -= sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

static void answer(const struct metrics *self, int client, const char *status, const char *body, size_t size)
{
    char head[256];
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.0 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                     "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                     status, size);
    if (send_all(self, client, head, (size_t)n))
        send_all(self, client, body, size);
}

static void answer_shortly(const struct metrics *self, int client, const char *status)
{
    char body[64];
    int n = snprintf(body, sizeof(body), "%s\n", status);
    answer(self, client, status, body, (size_t)n);
}

static void give_counts(const struct metrics *self, int client)
{
    struct job *job = job_new(self);
    if (!job) {
        answer_shortly(self, client, "503 Service Unavailable");
        return;
    }
    if (!self->config.post(self->config.context, &job->mail)) {
        let_go(job); /* the other's */
        answer_shortly(self, client, "503 Service Unavailable");
    } else if (wait_for(job)) {
        answer(self, client, "200 OK", job->text, job->size);
    } else {
        answer_shortly(self, client, "503 Service Unavailable");
    }
    let_go(job);
}

static enum metrics_request read_request(const struct metrics *self, int client)
{
    uint8_t bytes[METRICS_REQUEST_MAX];
    size_t size = 0;
    int64_t deadline = now() + CLIENT_TIME;
    enum metrics_request request = METRICS_MORE;
    while (request == METRICS_MORE) {
        if (!ready(self, client, POLLIN, deadline))
            return METRICS_MORE;
        ssize_t n = recv(client, bytes + size, sizeof(bytes) - size, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            return METRICS_MORE;
        size += n > 0 ? (size_t)n : 0;
        request = metrics_request_read((struct bytes){bytes, size});
    }
    return request;
}

static void serve(const struct metrics *self, int client)
{
    switch (read_request(self, client)) {
    case METRICS_MORE: /* it went, or was too slow */
        break;
    case METRICS_WANTED:
        give_counts(self, client);
        break;
    case METRICS_NOTHING:
        answer_shortly(self, client, "404 Not Found");
        break;
    case METRICS_METHOD:
        answer_shortly(self, client, "405 Method Not Allowed");
        break;
    case METRICS_BROKEN:
        answer_shortly(self, client, "400 Bad Request");
        break;
    }
}

static void *run(void *context)
{
    struct metrics *self = context;
    struct pollfd fds[] = {{.fd = self->stop, .events = POLLIN}, {.fd = self->listener, .events = POLLIN}};
    while (poll(fds, 2, -1) >= 0 && !fds[0].revents) {
        int client = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (client < 0)
            continue;
        serve(self, client);
        close(client);
    }
    return NULL;
}

/* --- start and end --- */

static int listen_on(const struct endpoint *endpoint)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};
    bool four = endpoint->address.family == 4;
    memcpy(&v4.sin_addr, endpoint->address.bytes, sizeof(v4.sin_addr));
    memcpy(&v6.sin6_addr, endpoint->address.bytes, sizeof(v6.sin6_addr));
    struct sockaddr *address = four ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
    int on = 1, listener = socket(four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0)
        return -1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, address, four ? sizeof(v4) : sizeof(v6)) == 0 && listen(listener, CLIENTS_QUEUE) == 0)
        return listener;
    int why = errno;
    close(listener);
    errno = why;
    return -1;
}

struct metrics *metrics_start(const struct metrics_config *config, struct fault *fault)
{
    struct metrics *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "metrics: out of memory");
        return NULL;
    }
    self->config = *config;
    self->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->listener = listen_on(&config->listen);
    self->started =
        self->stop >= 0 && self->listener >= 0 && thread_start(&self->thread, "metrics", run, self);
    if (!self->started) {
        fault_say(fault, "metrics/listen: %s", strerror(errno));
        metrics_stop(&self);
    }
    return self;
}

void metrics_stop(struct metrics **metrics)
{
    struct metrics *self = *metrics;
    uint64_t one = 1;
    if (!self)
        return;
    *metrics = NULL;
    if (self->started && write(self->stop, &one, sizeof(one)) == (ssize_t)sizeof(one))
        pthread_join(self->thread, NULL);
    if (self->listener >= 0)
        close(self->listener);
    if (self->stop >= 0)
        close(self->stop);
    free(self);
}
