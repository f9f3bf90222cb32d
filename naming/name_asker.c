/* SPDX-License-Identifier: Apache-2.0 */
#include "naming/name_asker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/socket_address.h"
#include "base/thread.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <resolv.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#define PATIENCE  (2 * CLOCK_SECOND)
#define QUESTIONS (PROBER_AT_ONCE * NAME_METHODS)
#define EVENTS    32
#define WAKE      UINT32_MAX /* the event that is no question's */

struct question {
    struct name_asker *asker;
    struct ip_address address;
    enum name_method method;
    int socket; /* -1: the place is free */
    bool asked; /* the request is on its way */
    uint16_t id;
    int64_t deadline;
    gnutls_session_t tls; /* NULL: not yet, or never */
    struct name_answer answer;
    size_t size;
    uint8_t reply[NAME_REPLY_MAX];
};

struct name_asker {
    struct name_asker_config config;
    gnutls_certificate_credentials_t credentials;
    struct question *questions;
    pthread_t thread;
    bool started;
    int poll, wake;
    atomic_bool ending;
    pthread_mutex_t lock; /* over the prober */
    struct prober *prober;
};

/* --- the end of a question --- */

static void end(struct question *q, bool named)
{
    struct name_asker *self = q->asker;
    if (named)
        self->config.named(self->config.context, &q->address, q->method, &q->answer);
    if (q->tls)
        gnutls_deinit(q->tls);
    if (q->socket >= 0)
        close(q->socket);
    q->tls = NULL;
    q->socket = -1;
    pthread_mutex_lock(&self->lock);
    bool last = prober_end(self->prober, &q->address, q->method, named);
    pthread_mutex_unlock(&self->lock);
    if (last)
        self->config.done(self->config.context, &q->address);
}

/* --- TLS: no further than the certificate --- */

static bool common_name(gnutls_session_t tls, struct name_answer *answer)
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(tls, &count);
    gnutls_x509_crt_t certificate;
    char name[NAME_HOST_MAX];
    size_t size = sizeof name;
    if (!chain || count == 0 || gnutls_x509_crt_init(&certificate) < 0)
        return false;
    bool told =
        gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER) >= 0 &&
        gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size) >= 0 &&
        name_from_certificate((struct bytes){(const uint8_t *)name, size}, answer);
    gnutls_x509_crt_deinit(certificate);
    return told;
}

/* The name is read, and the connection ended: it is not for anything else. */
static int take_certificate(gnutls_session_t tls)
{
    struct question *q = gnutls_session_get_ptr(tls);
    if (!common_name(tls, &q->answer))
        q->answer.host[0] = 0;
    return GNUTLS_E_CERTIFICATE_ERROR;
}

static bool begin_tls(struct question *q)
{
    if (gnutls_init(&q->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK) < 0) {
        q->tls = NULL;
        return false;
    }
    gnutls_session_set_ptr(q->tls, q);
    gnutls_session_set_verify_function(q->tls, take_certificate);
    gnutls_transport_set_int(q->tls, q->socket);
    return gnutls_set_default_priority(q->tls) >= 0 &&
           gnutls_credentials_set(q->tls, GNUTLS_CRD_CERTIFICATE, q->asker->credentials) >= 0;
}

static void handshake(struct question *q)
{
    int verdict;
    do
        verdict = gnutls_handshake(q->tls);
    while (verdict == GNUTLS_E_INTERRUPTED);
    if (verdict != GNUTLS_E_AGAIN)
        end(q, q->answer.host[0] != 0);
}

/* --- answers --- */

static void listen_for(struct question *q, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.u32 = (uint32_t)(q - q->asker->questions)};
    epoll_ctl(q->asker->poll, EPOLL_CTL_MOD, q->socket, &event);
}

/* Requests are short: a fresh connection takes them whole, or is of no use. */
static void send_request(struct question *q)
{
    uint8_t request[NAME_REQUEST_MAX];
    size_t size = name_query_write(q->method, &q->address, q->id, request);
    if (send(q->socket, request, size, MSG_NOSIGNAL) != (ssize_t)size) {
        end(q, false);
        return;
    }
    q->asked = true;
    listen_for(q, EPOLLIN);
}

static void judge(struct question *q)
{
    struct bytes reply = {q->reply, q->size};
    switch (name_reply_read(q->method, &q->address, q->id, reply, &q->answer)) {
    case NAME_TOLD:
        end(q, true);
        return;
    case NAME_MORE:
        if (q->size == sizeof q->reply)
            end(q, false);
        return;
    case NAME_GO_ON:
        if (begin_tls(q))
            handshake(q);
        else
            end(q, false);
        return;
    case NAME_NONE:
        end(q, false);
        return;
    case NAME_NOTHING:
        break;
    }
    /* A datagram that is no answer may come before the one that is. */
    if (name_method_is_tcp(q->method))
        end(q, false);
    else
        q->size = 0;
}

static void receive(struct question *q)
{
    ssize_t n = recv(q->socket, q->reply + q->size, sizeof q->reply - q->size, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        end(q, false);
        return;
    }
    q->size += (size_t)n;
    judge(q);
}

static void on_event(struct question *q, uint32_t events)
{
    if (q->socket < 0)
        return;
    if (q->tls)
        handshake(q);
    else if (!q->asked && events & (EPOLLERR | EPOLLHUP))
        end(q, false);
    else if (!q->asked)
        send_request(q);
    else
        receive(q);
}

/* --- questions --- */

static struct endpoint whom(const struct name_asker *self, const struct ip_address *address,
                            enum name_method method)
{
    struct endpoint to = {*address, self->config.ports[method]};
    if (method == NAME_BY_DNS)
        to = self->config.dns_server;
    if (!to.port)
        to.port = name_method_port(method);
    return to;
}

/* A connected socket of datagrams takes answers from nobody else. */
static bool dial(struct question *q)
{
    struct sockaddr_storage address;
    struct endpoint to = whom(q->asker, &q->address, q->method);
    socklen_t size = socket_address_of(&to, &address);
    int type = name_method_is_tcp(q->method) ? SOCK_STREAM : SOCK_DGRAM;
    q->socket = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (q->socket < 0)
        return false;
    if (connect(q->socket, (struct sockaddr *)&address, size) != 0 && errno != EINPROGRESS)
        return false;
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = (uint32_t)(q - q->asker->questions)};
    return epoll_ctl(q->asker->poll, EPOLL_CTL_ADD, q->socket, &event) == 0;
}

static struct question *free_question(struct name_asker *self)
{
    for (unsigned i = 0; i < QUESTIONS; i++)
        if (self->questions[i].socket < 0)
            return &self->questions[i];
    return NULL; /* never: as many as the prober lets through */
}

static void ask_by(struct name_asker *self, const struct ip_address *address, enum name_method method,
                   int64_t now)
{
    struct question *q = free_question(self);
    q->address = *address;
    q->method = method;
    q->asked = false;
    q->deadline = now + self->config.patience;
    q->size = 0;
    q->answer = (struct name_answer){0};
    if (getrandom(&q->id, sizeof q->id, 0) != sizeof q->id || !dial(q))
        end(q, false);
}

static void ask_next(struct name_asker *self)
{
    int64_t now = clock_monotonic(clock_system());
    struct ip_address address;
    for (;;) {
        pthread_mutex_lock(&self->lock);
        bool there = prober_next(self->prober, now, &address);
        pthread_mutex_unlock(&self->lock);
        if (!there)
            return;
        for (unsigned i = 0; i < NAME_METHODS; i++)
            if (self->config.prober.methods[i])
                ask_by(self, &address, (enum name_method)i, now);
    }
}

static int64_t end_late(struct name_asker *self)
{
    int64_t now = clock_monotonic(clock_system()), next = INT64_MAX;
    for (unsigned i = 0; i < QUESTIONS; i++) {
        struct question *q = &self->questions[i];
        if (q->socket >= 0 && q->deadline <= now)
            end(q, false);
        else if (q->socket >= 0 && q->deadline < next)
            next = q->deadline;
    }
    return next;
}

/* --- the thread --- */

static int until(struct name_asker *self, int64_t deadline)
{
    int64_t now = clock_monotonic(clock_system());
    pthread_mutex_lock(&self->lock);
    int64_t due = prober_due(self->prober, now);
    pthread_mutex_unlock(&self->lock);
    int64_t next = due < deadline ? due : deadline;
    if (next == INT64_MAX)
        return -1;
    return next <= now ? 0 : (int)((next - now) / CLOCK_MILLISECOND) + 1;
}

static void *run(void *context)
{
    struct name_asker *self = context;
    struct epoll_event events[EVENTS];
    while (!atomic_load(&self->ending)) {
        ask_next(self);
        int n = epoll_wait(self->poll, events, EVENTS, until(self, end_late(self)));
        for (int i = 0; i < n; i++) {
            uint64_t wakes;
            if (events[i].data.u32 != WAKE)
                on_event(&self->questions[events[i].data.u32], events[i].events);
            else if (read(self->wake, &wakes, sizeof wakes) < 0)
                continue;
        }
    }
    return NULL;
}

static void wake_up(struct name_asker *self)
{
    uint64_t one = 1;
    ssize_t n = write(self->wake, &one, sizeof one); /* full: it is awake */
    (void)n;
}

/* --- start and end --- */

static void find_dns_server(struct name_asker *self)
{
    struct __res_state state = {0};
    if (self->config.dns_server.address.family)
        return;
    if (res_ninit(&state) == 0 && state.nscount > 0 && state.nsaddr_list[0].sin_family == AF_INET) {
        struct sockaddr_storage first = {0};
        memcpy(&first, &state.nsaddr_list[0], sizeof state.nsaddr_list[0]);
        self->config.dns_server = socket_address_endpoint(&first);
    }
    res_nclose(&state);
    if (!self->config.dns_server.address.family && self->config.prober.methods[NAME_BY_DNS]) {
        log_notice(
            "name resolution: the system knows no DNS server by IPv4: pointer records are not asked for");
        self->config.prober.methods[NAME_BY_DNS] = false;
    }
}

static bool make_parts(struct name_asker *self, struct fault *fault)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = WAKE};
    find_dns_server(self);
    self->questions = calloc(QUESTIONS, sizeof(*self->questions));
    for (unsigned i = 0; self->questions && i < QUESTIONS; i++)
        self->questions[i] = (struct question){.asker = self, .socket = -1};
    self->prober = prober_new(&self->config.prober);
    self->poll = epoll_create1(EPOLL_CLOEXEC);
    self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!self->questions || !self->prober || self->poll < 0 || self->wake < 0 ||
        epoll_ctl(self->poll, EPOLL_CTL_ADD, self->wake, &event) != 0 ||
        gnutls_certificate_allocate_credentials(&self->credentials) < 0)
        return fault_say(fault, "name resolution: %s", strerror(errno));
    return true;
}

static void destroy(struct name_asker **asker)
{
    struct name_asker *self = *asker;
    for (unsigned i = 0; self->questions && i < QUESTIONS; i++) {
        if (self->questions[i].tls)
            gnutls_deinit(self->questions[i].tls);
        if (self->questions[i].socket >= 0)
            close(self->questions[i].socket);
    }
    if (self->credentials)
        gnutls_certificate_free_credentials(self->credentials);
    if (self->poll >= 0)
        close(self->poll);
    if (self->wake >= 0)
        close(self->wake);
    prober_destroy(&self->prober);
    free(self->questions);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *asker = NULL;
}

struct name_asker *name_asker_start(const struct name_asker_config *config, struct fault *fault)
{
    struct name_asker *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    self->config = *config;
    if (!self->config.patience)
        self->config.patience = PATIENCE;
    self->poll = self->wake = -1;
    atomic_init(&self->ending, false);
    pthread_mutex_init(&self->lock, NULL);
    if (make_parts(self, fault)) {
        self->started = thread_start(&self->thread, "naming", run, self);
        if (self->started)
            return self;
        fault_say(fault, "name resolution: no thread could be started");
    }
    destroy(&self);
    return NULL;
}

void name_asker_stop(struct name_asker **asker)
{
    if (!*asker)
        return;
    atomic_store(&(*asker)->ending, true);
    wake_up(*asker);
    pthread_join((*asker)->thread, NULL);
    destroy(asker);
}

bool name_asker_ask(struct name_asker *asker, const struct ip_address *address)
{
    pthread_mutex_lock(&asker->lock);
    enum prober_admitted admitted = prober_ask(asker->prober, address, clock_monotonic(clock_system()));
    pthread_mutex_unlock(&asker->lock);
    if (admitted == PROBER_QUEUED)
        wake_up(asker);
    return admitted == PROBER_QUEUED || admitted == PROBER_JOINED;
}

void name_asker_counters(struct name_asker *asker, struct prober_counters *counters)
{
    pthread_mutex_lock(&asker->lock);
    prober_counters(asker->prober, counters);
    pthread_mutex_unlock(&asker->lock);
}

bool name_asker_has(const struct name_asker *asker, enum name_method method)
{
    return asker->config.prober.methods[method];
}
