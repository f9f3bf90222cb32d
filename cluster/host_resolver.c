/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/host_resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/thread.h"
#include "cluster/tcp_address.h"

struct question {
    uint64_t ticket;
    char host[TCP_HOST_MAX];
};

/* Shared by the caller and the thread; the last one to let go frees it, so that a name server that does not
 * answer cannot hold up a stop. */
struct host_resolver {
    pthread_mutex_t lock;
    pthread_cond_t asked;
    int descriptor;
    bool ended;
    unsigned holders;
    struct question questions[HOST_RESOLVER_QUEUE];
    unsigned question_first, question_count;
    struct host_resolver_answer answers[HOST_RESOLVER_QUEUE];
    unsigned answer_first, answer_count;
    unsigned running; /* questions taken, answers not there yet */
};

static void release(struct host_resolver *self)
{
    bool last = --self->holders == 0;
    pthread_mutex_unlock(&self->lock);
    if (!last)
        return;
    close(self->descriptor);
    pthread_cond_destroy(&self->asked);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static void look_up(const struct question *question, struct host_resolver_answer *answer)
{
    *answer = (struct host_resolver_answer){.ticket = question->ticket};
    /* AI_ADDRCONFIG: no IPv6 addresses for a host that has no IPv6. */
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    if (getaddrinfo(question->host, NULL, &hints, &found) != 0)
        return;
    for (struct addrinfo *at = found; at && answer->count < HOST_RESOLVER_ADDRESSES; at = at->ai_next) {
        struct sockaddr_storage address = {0};
        memcpy(&address, at->ai_addr, at->ai_addrlen);
        struct endpoint endpoint = tcp_address_from(&address);
        if (endpoint.address.family)
            answer->addresses[answer->count++] = endpoint.address;
    }
    freeaddrinfo(found);
}

static void *run(void *context)
{
    struct host_resolver *self = context;
    pthread_mutex_lock(&self->lock);
    for (;;) {
        while (!self->question_count && !self->ended)
            pthread_cond_wait(&self->asked, &self->lock);
        if (self->ended)
            break;
        struct question question = self->questions[self->question_first];
        self->question_first = (self->question_first + 1) % HOST_RESOLVER_QUEUE;
        self->question_count--;
        self->running++;
        pthread_mutex_unlock(&self->lock);
        struct host_resolver_answer answer;
        look_up(&question, &answer);
        pthread_mutex_lock(&self->lock);
        self->running--;
        self->answers[(self->answer_first + self->answer_count++) % HOST_RESOLVER_QUEUE] = answer;
        /* Fails only when the counter is full, and then it is readable already. */
        (void)eventfd_write(self->descriptor, 1);
    }
    release(self);
    return NULL;
}

static bool start_thread(struct host_resolver *self)
{
    pthread_t thread;
    return thread_start(&thread, "names", run, self) && pthread_detach(thread) == 0;
}

struct host_resolver *host_resolver_new(void)
{
    struct host_resolver *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->holders = 2;
    self->descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->asked, NULL);
    if (self->descriptor >= 0 && start_thread(self))
        return self;
    if (self->descriptor >= 0)
        close(self->descriptor);
    free(self);
    return NULL;
}

void host_resolver_destroy(struct host_resolver **self_p)
{
    struct host_resolver *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    pthread_mutex_lock(&self->lock);
    self->ended = true;
    pthread_cond_signal(&self->asked);
    release(self);
}

int host_resolver_descriptor(const struct host_resolver *self)
{
    return self->descriptor;
}

bool host_resolver_ask(struct host_resolver *self, uint64_t ticket, const char *host)
{
    pthread_mutex_lock(&self->lock);
    bool room = self->question_count + self->running + self->answer_count < HOST_RESOLVER_QUEUE;
    if (room) {
        struct question *question =
            &self->questions[(self->question_first + self->question_count++) % HOST_RESOLVER_QUEUE];
        question->ticket = ticket;
        strncpy(question->host, host, sizeof question->host - 1);
        question->host[sizeof question->host - 1] = 0;
        pthread_cond_signal(&self->asked);
    }
    pthread_mutex_unlock(&self->lock);
    return room;
}

bool host_resolver_take(struct host_resolver *self, struct host_resolver_answer *answer)
{
    pthread_mutex_lock(&self->lock);
    bool any = self->answer_count > 0;
    if (any) {
        *answer = self->answers[self->answer_first];
        self->answer_first = (self->answer_first + 1) % HOST_RESOLVER_QUEUE;
        self->answer_count--;
    }
    eventfd_t unused;
    if (!self->answer_count)
        (void)eventfd_read(self->descriptor, &unused);
    pthread_mutex_unlock(&self->lock);
    return any;
}
