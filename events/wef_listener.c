/* SPDX-License-Identifier: Apache-2.0 */
#include "events/wef_listener.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "events/event_text.h"
#include "events/wef_channel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONNECTIONS_MAX   1024u
#define CONNECTIONS_PER   128u         /* of one address: a branch behind one */
#define CONNECTION_MEMORY (128 * 1024) /* headers: a ticket alone may have 64 KiB */
#define IDLE_SECONDS      20u
#define REQUEST_TIME      (60 * CLOCK_SECOND) /* for a whole body */
#define BODIES_MAX        (32u << 20)         /* bytes, of all connections */
#define BATCHES           256u                /* messages that may wait to be kept */
#define BATCH_BITS        8
#define PATIENCE          (30 * CLOCK_SECOND)
#define SAVE_PERIOD       (5 * CLOCK_SECOND)
#define PEM_MAX           65536u
#define DAEMONS_MAX       (2 * WEF_ENDPOINTS_MAX)

/* A message whose activities are not all safe yet. */
struct batch {
    bool used;
    uint64_t number; /* counts up over all batches: part of the tag */
    uint32_t open;   /* activities that are not kept yet, and one while the message is read */
    int64_t until;
    struct MHD_Connection *connection;
    struct request *request;
};

struct wef_listener {
    struct wef_listener_config config;
    struct wef_acceptor *acceptor;
    struct wef_trust *trust;
    struct arena *arena;
    struct event_reader *events;
    struct wef_session *session;
    struct MHD_Daemon *daemons[DAEMONS_MAX];
    struct endpoint endpoints[DAEMONS_MAX];
    bool tls[DAEMONS_MAX];
    unsigned daemon_count;
    int wake;
    atomic_bool end;
    bool running;
    pthread_t thread;
    pthread_mutex_t lock; /* the session, for those who look at it */

    /* The listener's thread: */
    struct batch *batch; /* of the message that is being read */
    size_t bodies;
    uint64_t saved_revision;
    uint8_t *unsaved; /* to be saved as soon as the batches up to `unsaved_after` are done */
    size_t unsaved_size;
    uint64_t unsaved_after, unsaved_revision;
    int64_t save_at;

    pthread_mutex_t batch_lock;
    struct batch batches[BATCHES];
    uint64_t newest;
    _Atomic uint64_t refused, not_kept;
    _Atomic uint32_t connections;
};

struct connection {
    struct wef_listener *listener;
    struct wef_channel channel;
    struct ip_address address;
    bool tls;
};

struct request {
    struct wef_listener *listener;
    int64_t began;
    bool proved;
    unsigned status; /* of an answer that is ready; 0: none yet */
    char *authenticate;
    uint8_t *body;
    size_t size, capacity;
    uint8_t *answer;
    size_t answer_size;
    const char *answer_type;
    struct batch *waits;
};

static int64_t now_monotonic(void)
{
    return clock_monotonic(clock_system());
}

/* --- batches --- */

static struct batch *open_batch(struct wef_listener *self)
{
    struct batch *free_one = NULL;
    pthread_mutex_lock(&self->batch_lock);
    for (unsigned i = 0; !free_one && i < BATCHES; i++)
        if (!self->batches[i].used)
            free_one = &self->batches[i];
    if (free_one)
        *free_one = (struct batch){.used = true, .number = ++self->newest, .open = 1};
    pthread_mutex_unlock(&self->batch_lock);
    return free_one;
}

static uint64_t tag_of(const struct wef_listener *self, const struct batch *batch)
{
    return batch->number << BATCH_BITS | (uint64_t)(batch - self->batches);
}

/* Whether nothing of it is open any more. */
static bool settle(struct wef_listener *self, struct batch *batch)
{
    pthread_mutex_lock(&self->batch_lock);
    bool done = --batch->open == 0;
    pthread_mutex_unlock(&self->batch_lock);
    return done;
}

static void wake(struct wef_listener *self)
{
    uint64_t one = 1;
    ssize_t written = write(self->wake, &one, sizeof one);
    (void)written; /* full: awake anyway */
}

void wef_listener_kept(struct wef_listener *self, uint64_t tag)
{
    struct batch *batch = &self->batches[tag % BATCHES];
    bool done = false;
    pthread_mutex_lock(&self->batch_lock);
    if (batch->used && batch->number == tag >> BATCH_BITS && batch->open > 0)
        done = --batch->open == 0;
    pthread_mutex_unlock(&self->batch_lock);
    if (done)
        wake(self);
}

static uint64_t oldest_batch(struct wef_listener *self)
{
    uint64_t oldest = UINT64_MAX;
    pthread_mutex_lock(&self->batch_lock);
    for (unsigned i = 0; i < BATCHES; i++)
        if (self->batches[i].used && self->batches[i].number < oldest)
            oldest = self->batches[i].number;
    pthread_mutex_unlock(&self->batch_lock);
    return oldest;
}

/* Requests whose batch is done, or has waited long enough, go on. */
static void finish_batches(struct wef_listener *self, int64_t now)
{
    for (unsigned i = 0; i < BATCHES; i++) {
        struct batch *batch = &self->batches[i];
        struct request *request = batch->request;
        pthread_mutex_lock(&self->batch_lock);
        bool done = batch->used && batch->connection && batch->open == 0;
        bool late = batch->used && batch->connection && !done && now >= batch->until;
        struct MHD_Connection *connection = batch->connection;
        if (done || late)
            batch->used = false;
        pthread_mutex_unlock(&self->batch_lock);
        if (!done && !late)
            continue;
        if (late) {
            atomic_fetch_add(&self->not_kept, 1);
            request->status = MHD_HTTP_SERVICE_UNAVAILABLE;
            request->answer_size = 0;
        }
        request->waits = NULL;
        MHD_resume_connection(connection);
    }
}

/* --- events --- */

static enum wef_taken take_event(void *context, const struct wef_peer *peer, struct bytes xml)
{
    struct wef_listener *self = context;
    const struct intake_message from = {.address = peer->address, .format = "wef", .bytes = xml};
    struct event event;
    arena_reset(self->arena);
    if (event_from_text(self->events, xml, EVENT_FORWARDED, self->arena, &event) != EVENT_TEXT_READ) {
        intake_refuse(self->config.intake, &from, "an event that cannot be read");
        return WEF_TAKEN;
    }
    if (!wef_session_may_speak(self->session, peer, event.computer)) {
        intake_refuse(self->config.intake, &from, "an event of another computer than its source");
        return WEF_FOREIGN;
    }
    pthread_mutex_lock(&self->batch_lock);
    self->batch->open++;
    pthread_mutex_unlock(&self->batch_lock);
    enum intake_verdict verdict =
        intake_event_tagged(self->config.intake, &event, &from, tag_of(self, self->batch));
    if (verdict != INTAKE_POSTED)
        settle(self, self->batch);
    return verdict == INTAKE_FULL ? WEF_NO_ROOM : WEF_TAKEN;
}

/* --- requests --- */

static void request_free(struct request *r)
{
    r->listener->bodies -= r->capacity;
    free(r->authenticate);
    free(r->body);
    free(r->answer);
    free(r);
}

static const char *header_value(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static enum MHD_Result answer(struct MHD_Connection *connection, struct request *r)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(r->answer_size, r->answer, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    if (r->answer_size)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, r->answer_type);
    if (r->authenticate)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, r->authenticate);
    if (r->status == MHD_HTTP_UNAUTHORIZED && !r->authenticate) {
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Negotiate");
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Kerberos");
    }
    enum MHD_Result queued = MHD_queue_response(connection, r->status, response);
    MHD_destroy_response(response);
    return queued;
}

static void say_refused(struct connection *c, const char *reason)
{
    char address[IP_ADDRESS_TEXT_MAX];
    atomic_fetch_add(&c->listener->refused, 1);
    log_warning("event forwarding: %s: %s", ip_address_text(&c->address, address), reason);
}

static bool prove_certificate(struct connection *c, struct MHD_Connection *connection)
{
    struct fault fault = {0};
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (!c->channel.proved && info)
        c->channel.proved = wef_trust_check(c->listener->trust, (gnutls_session_t)info->tls_session,
                                            &c->channel.identity, &fault);
    if (!c->channel.proved)
        say_refused(c, fault.text);
    return c->channel.proved;
}

static bool prove_ticket(struct connection *c, struct MHD_Connection *connection, struct request *r)
{
    struct fault fault = {0};
    const char *authorization = header_value(connection, MHD_HTTP_HEADER_AUTHORIZATION);
    enum wef_proof proof = wef_channel_authorize(&c->channel, authorization, &r->authenticate, &fault);
    if (proof == WEF_PROVED)
        return true;
    if (proof == WEF_PROOF_REFUSED) {
        /* No second try on a connection where one failed with what was negotiated so far. */
        free(r->authenticate);
        r->authenticate = NULL;
        say_refused(c, fault.text);
    }
    r->status = MHD_HTTP_UNAUTHORIZED;
    return false;
}

static bool is_empty(struct MHD_Connection *connection)
{
    const char *length = header_value(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *coding = header_value(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING);
    return !coding && (!length || strcmp(length, "0") == 0);
}

/* The headers are there, the body is not read yet. An answer at this point ends the connection, unless there
 * is no body: then it waits for the call that comes after it. */
static enum MHD_Result begin_request(struct connection *c, struct MHD_Connection *connection, const char *url,
                                     const char *method, struct request *r)
{
    r->proved = c->tls ? prove_certificate(c, connection) : prove_ticket(c, connection, r);
    if (!r->proved && !r->status)
        r->status = MHD_HTTP_FORBIDDEN;
    else if (r->proved && strcmp(method, MHD_HTTP_METHOD_POST) != 0)
        r->status = MHD_HTTP_METHOD_NOT_ALLOWED;
    else if (r->proved && strncasecmp(url, "/wsman", 6) != 0)
        r->status = MHD_HTTP_NOT_FOUND;
    return r->status && !is_empty(connection) ? answer(connection, r) : MHD_YES;
}

static enum MHD_Result more_body(struct request *r, const char *data, size_t size)
{
    struct wef_listener *self = r->listener;
    if (!r->proved || r->status || now_monotonic() - r->began > REQUEST_TIME || r->size + size > WEF_BODY_MAX)
        return MHD_NO;
    if (r->size + size > r->capacity) {
        size_t capacity = r->capacity ? 2 * r->capacity : 16384;
        while (capacity < r->size + size)
            capacity *= 2;
        uint8_t *body =
            self->bodies + capacity - r->capacity > BODIES_MAX ? NULL : realloc(r->body, capacity);
        if (!body)
            return MHD_NO;
        self->bodies += capacity - r->capacity;
        r->capacity = capacity;
        r->body = body;
    }
    memcpy(r->body + r->size, data, size);
    r->size += size;
    return MHD_YES;
}

static void prepare_answer(struct connection *c, struct request *r, const struct wef_answer *from)
{
    r->status = from->status;
    if (!from->soap.size)
        return;
    r->answer = wef_channel_seal(&c->channel, from, &r->answer_size, &r->answer_type);
    if (!r->answer)
        r->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
}

static void hold(struct wef_listener *self, struct MHD_Connection *connection, struct request *r,
                 struct batch *batch)
{
    int64_t patience = self->config.patience ? self->config.patience : PATIENCE;
    pthread_mutex_lock(&self->batch_lock);
    batch->request = r;
    batch->connection = connection;
    batch->until = now_monotonic() + patience;
    pthread_mutex_unlock(&self->batch_lock);
    r->waits = batch;
    MHD_suspend_connection(connection);
}

static void drop_batch(struct wef_listener *self, struct batch *batch)
{
    pthread_mutex_lock(&self->batch_lock);
    batch->used = false;
    pthread_mutex_unlock(&self->batch_lock);
}

/* The whole of a message. What is made of it is answered at once when nothing of it is to be kept. */
static void handle(struct connection *c, struct MHD_Connection *connection, const char *url,
                   struct request *r)
{
    struct wef_listener *self = c->listener;
    struct fault fault = {0};
    struct wef_request request = {.peer = wef_channel_peer(&c->channel), .path = url};
    struct wef_answer from;
    request.peer.address = c->address;
    request.now = clock_wall(clock_system());
    if (!wef_channel_open(&c->channel, header_value(connection, MHD_HTTP_HEADER_CONTENT_TYPE),
                          header_value(connection, MHD_HTTP_HEADER_CONTENT_ENCODING),
                          (struct bytes){.data = r->body, .size = r->size}, &request.soap, &fault)) {
        say_refused(c, fault.text);
        r->status = MHD_HTTP_BAD_REQUEST;
        return;
    }
    struct batch *batch = open_batch(self);
    if (!batch || getrandom(request.random, sizeof request.random, 0) != (ssize_t)sizeof request.random) {
        if (batch)
            drop_batch(self, batch);
        r->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        return;
    }
    self->batch = batch;
    pthread_mutex_lock(&self->lock);
    wef_session_handle(self->session, &request, &from);
    prepare_answer(c, r, &from);
    pthread_mutex_unlock(&self->lock);
    self->batch = NULL;
    if (from.fault != WEF_FINE)
        log_notice("event forwarding: %.*s: %s", (int)request.peer.name.size,
                   (const char *)request.peer.name.data, wef_fault_name(from.fault));
    if (settle(self, batch) || from.fault != WEF_FINE)
        drop_batch(self, batch);
    else
        hold(self, connection, r, batch);
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **request_p)
{
    struct wef_listener *self = context;
    struct request *r = *request_p;
    (void)version;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *c = info ? info->socket_context : NULL;
    if (!c)
        return MHD_NO;
    if (!r) {
        r = calloc(1, sizeof *r);
        if (!r)
            return MHD_NO;
        r->listener = self;
        r->began = now_monotonic();
        *request_p = r;
        return begin_request(c, connection, url, method, r);
    }
    if (*size > 0) {
        size_t given = *size;
        *size = 0;
        return more_body(r, data, given);
    }
    if (!r->status && r->size == 0)
        r->status = MHD_HTTP_OK; /* the ticket alone: [MS-WSMV] sends it ahead of the first message */
    if (!r->status)
        handle(c, connection, url, r);
    return r->waits ? MHD_YES : answer(connection, r);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_p,
                         enum MHD_RequestTerminationCode code)
{
    struct wef_listener *self = context;
    struct request *r = *request_p;
    (void)connection;
    (void)code;
    if (!r)
        return;
    if (r->waits)
        drop_batch(self, r->waits);
    request_free(r);
    *request_p = NULL;
}

/* --- connections --- */

static struct ip_address address_of(const struct sockaddr *from)
{
    struct ip_address address = {0};
    if (from->sa_family == AF_INET) {
        address.family = 4;
        memcpy(address.bytes, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        const struct in6_addr *in6 = &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(in6);
        address.family = mapped ? 4 : 6;
        memcpy(address.bytes, in6->s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
    }
    return address;
}

static bool is_tls(const struct wef_listener *self, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON);
    for (unsigned i = 0; info && i < self->daemon_count; i++)
        if (self->daemons[i] == info->daemon)
            return self->tls[i];
    return false;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct wef_listener *self = context;
    struct connection *c = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (!c)
            return;
        wef_channel_end(&c->channel);
        free(c);
        *socket_context = NULL;
        atomic_fetch_sub(&self->connections, 1);
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    c = info && info->client_addr ? calloc(1, sizeof *c) : NULL;
    if (!c)
        return; /* each of its requests is then refused */
    c->listener = self;
    c->address = address_of(info->client_addr);
    c->tls = is_tls(self, connection);
    c->channel.acceptor = c->tls ? NULL : self->acceptor;
    *socket_context = c;
    atomic_fetch_add(&self->connections, 1);
}

/* --- what outlives it --- */

static void write_state(struct wef_listener *self)
{
    if (self->config.save(self->config.context,
                          (struct bytes){.data = self->unsaved, .size = self->unsaved_size}))
        self->saved_revision = self->unsaved_revision;
    free(self->unsaved);
    self->unsaved = NULL;
}

/* A bookmark is not saved before what it stands behind is. */
static void save(struct wef_listener *self, int64_t now)
{
    if (self->unsaved && oldest_batch(self) > self->unsaved_after)
        write_state(self);
    if (self->unsaved || now < self->save_at || wef_session_revision(self->session) == self->saved_revision)
        return;
    self->save_at = now + SAVE_PERIOD;
    self->unsaved_revision = wef_session_revision(self->session);
    self->unsaved_after = self->newest;
    self->unsaved = wef_session_save(self->session, &self->unsaved_size);
    if (self->unsaved && oldest_batch(self) > self->unsaved_after)
        write_state(self);
}

/* --- the thread --- */

static int timeout_of(struct wef_listener *self)
{
    MHD_UNSIGNED_LONG_LONG soonest = 1000, wanted;
    for (unsigned i = 0; i < self->daemon_count; i++)
        if (MHD_get_timeout(self->daemons[i], &wanted) == MHD_YES && wanted < soonest)
            soonest = wanted;
    return (int)soonest;
}

static void *run(void *context)
{
    struct wef_listener *self = context;
    struct pollfd polled[DAEMONS_MAX + 1] = {{.fd = self->wake, .events = POLLIN}};
    for (unsigned i = 0; i < self->daemon_count; i++) {
        const union MHD_DaemonInfo *info = MHD_get_daemon_info(self->daemons[i], MHD_DAEMON_INFO_EPOLL_FD);
        polled[i + 1] = (struct pollfd){.fd = info->epoll_fd, .events = POLLIN};
    }
    while (!atomic_load(&self->end)) {
        uint64_t woken;
        poll(polled, self->daemon_count + 1, timeout_of(self));
        if (polled[0].revents & POLLIN && read(self->wake, &woken, sizeof woken) < 0 && errno != EAGAIN)
            break;
        int64_t now = now_monotonic();
        finish_batches(self, now);
        for (unsigned i = 0; i < self->daemon_count; i++)
            MHD_run(self->daemons[i]);
        save(self, now);
    }
    return NULL;
}

/* --- start and end --- */

static int listening_socket(const struct endpoint *endpoint, struct fault *fault)
{
    struct sockaddr_storage to = {0};
    socklen_t size = sizeof(struct sockaddr_in);
    if (endpoint->address.family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)&to;
        in->sin_family = AF_INET;
        in->sin_port = htons(endpoint->port);
        memcpy(&in->sin_addr, endpoint->address.bytes, 4);
    } else {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&to;
        size = sizeof *in6;
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(endpoint->port);
        memcpy(&in6->sin6_addr, endpoint->address.bytes, 16);
    }
    int on = 1, off = 0, s = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool bound =
        s >= 0 && setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        (to.ss_family != AF_INET6 || setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0) &&
        bind(s, (struct sockaddr *)&to, size) == 0 && listen(s, 128) == 0;
    if (bound)
        return s;
    char text[IP_ADDRESS_TEXT_MAX];
    fault_say(fault, "%s port %u: %s", ip_address_text(&endpoint->address, text), endpoint->port,
              strerror(errno));
    if (s >= 0)
        close(s);
    return -1;
}

static uint16_t port_of(int s)
{
    struct sockaddr_storage to = {0};
    socklen_t size = sizeof to;
    if (getsockname(s, (struct sockaddr *)&to, &size) != 0)
        return 0;
    return ntohs(to.ss_family == AF_INET ? ((struct sockaddr_in *)&to)->sin_port
                                         : ((struct sockaddr_in6 *)&to)->sin6_port);
}

static void on_log(void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
static void on_log(void *context, const char *format, va_list arguments)
{
    (void)context;
    char text[LOG_MESSAGE_MAX];
    if (!log_wanted(LOG_LEVEL_DEBUG))
        return;
    vsnprintf(text, sizeof text, format, arguments);
    log_debug("event forwarding: %s", text);
}

struct pem {
    char certificate[PEM_MAX], key[PEM_MAX], authorities[8 * PEM_MAX];
};

static bool read_pem(const char *path, bool secret, char *to, size_t capacity, struct fault *fault)
{
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (file < 0 || fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
        fault_say(fault, "%s: %s", path, file < 0 ? strerror(errno) : "no regular file");
        if (file >= 0)
            close(file);
        return false;
    }
    size_t size = 0;
    ssize_t got = 0;
    bool open_to_all = secret && (status.st_mode & S_IRWXO);
    while (!open_to_all && size + 1 < capacity && (got = read(file, to + size, capacity - 1 - size)) > 0)
        size += (size_t)got;
    close(file);
    to[size] = 0;
    if (open_to_all)
        return fault_say(fault, "%s: everyone may read this key", path);
    if (got < 0 || size == 0 || size + 1 == capacity)
        return fault_say(fault, "%s: empty, too large, or not readable", path);
    return true;
}

static bool add_daemon(struct wef_listener *self, const struct endpoint *endpoint, const struct pem *pem,
                       struct fault *fault)
{
    int s = listening_socket(endpoint, fault);
    if (s < 0)
        return false;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (pem ? MHD_USE_TLS : 0u);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, pem ? (void *)(uintptr_t)pem->certificate : NULL},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, pem ? (void *)(uintptr_t)pem->key : NULL},
        {MHD_OPTION_HTTPS_MEM_TRUST, 0, pem ? (void *)(uintptr_t)pem->authorities : NULL},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t) "NORMAL:-VERS-TLS1.0:-VERS-TLS1.1"},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_Daemon *daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, self, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, s, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_PER, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, self, MHD_OPTION_NOTIFY_CONNECTION, on_connection, self, MHD_OPTION_ARRAY,
        pem ? tls : none, MHD_OPTION_END);
    if (!daemon) {
        char text[IP_ADDRESS_TEXT_MAX];
        close(s);
        return fault_say(fault, "%s port %u: the server cannot be started%s",
                         ip_address_text(&endpoint->address, text), endpoint->port,
                         pem ? " (do certificate and key belong together?)" : "");
    }
    unsigned i = self->daemon_count++;
    self->daemons[i] = daemon;
    self->endpoints[i] = *endpoint;
    self->endpoints[i].port = port_of(s);
    self->tls[i] = pem != NULL;
    return true;
}

/* NULL with the reason. */
static struct pem *pem_new(const struct wef_listener_config *config, struct fault *fault)
{
    struct pem *pem = calloc(1, sizeof *pem);
    if (!pem)
        fault_say(fault, "no memory");
    else if (read_pem(config->certificate, false, pem->certificate, sizeof pem->certificate, fault) &&
             read_pem(config->key, true, pem->key, sizeof pem->key, fault) &&
             read_pem(config->authorities, false, pem->authorities, sizeof pem->authorities, fault))
        return pem;
    free(pem);
    return NULL;
}

static void pem_free(struct pem *pem)
{
    if (pem)
        explicit_bzero(pem, sizeof *pem);
    free(pem);
}

static bool add_https(struct wef_listener *self, struct fault *fault)
{
    const struct wef_listener_config *config = &self->config;
    struct pem *pem = pem_new(config, fault);
    bool added = pem != NULL;
    self->trust = added ? wef_trust_new(config->authorities, config->revocations, fault) : NULL;
    added = self->trust != NULL;
    for (unsigned i = 0; added && i < config->https_count; i++)
        added = add_daemon(self, &config->https[i], pem, fault);
    pem_free(pem);
    return added;
}

/* That certificate and key belong together, which a server says only when it starts. */
static bool belong_together(const struct wef_listener_config *config, struct fault *fault)
{
    gnutls_certificate_credentials_t credentials;
    struct pem *pem = pem_new(config, fault);
    if (!pem)
        return false;
    pem_free(pem);
    if (gnutls_certificate_allocate_credentials(&credentials) < 0)
        return fault_say(fault, "no memory");
    int rc = gnutls_certificate_set_x509_key_file(credentials, config->certificate, config->key,
                                                  GNUTLS_X509_FMT_PEM);
    gnutls_certificate_free_credentials(credentials);
    return rc >= 0 || fault_say(fault, "%s, %s: %s", config->certificate, config->key, gnutls_strerror(rc));
}

bool wef_listener_check(const struct wef_listener_config *config, struct fault *fault)
{
    if (config->https_count > 0) {
        struct wef_trust *trust = belong_together(config, fault)
                                      ? wef_trust_new(config->authorities, config->revocations, fault)
                                      : NULL;
        if (!trust)
            return false;
        wef_trust_destroy(&trust);
    }
    if (config->http_count > 0) {
        struct wef_acceptor *acceptor = wef_acceptor_new(config->keytab, fault);
        if (!acceptor)
            return false;
        wef_acceptor_destroy(&acceptor);
    }
    return true;
}

static bool add_http(struct wef_listener *self, struct fault *fault)
{
    self->acceptor = wef_acceptor_new(self->config.keytab, fault);
    bool added = self->acceptor != NULL;
    for (unsigned i = 0; added && i < self->config.http_count; i++)
        added = add_daemon(self, &self->config.http[i], NULL, fault);
    return added;
}

static bool prepare(struct wef_listener *self, struct fault *fault)
{
    const struct wef_listener_config *config = &self->config;
    const struct wef_settings settings = {
        .terms = config->terms,
        .seed = config->seed,
        .sources = config->sources,
        .forwarders = config->forwarders,
        .take = take_event,
        .context = self,
    };
    self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->arena = arena_new(EVENT_TEXT_ARENA);
    self->events = event_reader_new();
    self->session = wef_session_new(&settings);
    if (self->wake < 0 || !self->arena || !self->events || !self->session)
        return fault_say(fault, "no memory");
    if (config->saved.size && !wef_session_load(self->session, config->saved))
        log_warning(
            "event forwarding: what was kept of the bookmarks is damaged: some events may come twice");
    self->saved_revision = wef_session_revision(self->session);
    return (!config->http_count || add_http(self, fault)) && (!config->https_count || add_https(self, fault));
}

struct wef_listener *wef_listener_start(const struct wef_listener_config *config, struct fault *fault)
{
    struct wef_listener *self = calloc(1, sizeof *self);
    if (!self) {
        fault_say(fault, "no memory");
        return NULL;
    }
    self->config = *config;
    pthread_mutex_init(&self->lock, NULL);
    pthread_mutex_init(&self->batch_lock, NULL);
    if (prepare(self, fault)) {
        self->running = thread_start(&self->thread, "wef", run, self);
        if (!self->running)
            fault_say(fault, "no thread could be started");
    }
    if (!self->running)
        wef_listener_stop(&self);
    return self;
}

/* Those that wait are not acknowledged: MHD wants none suspended when it ends. */
static void let_go(struct wef_listener *self)
{
    for (unsigned i = 0; i < BATCHES; i++) {
        struct batch *batch = &self->batches[i];
        if (!batch->used || !batch->connection)
            continue;
        batch->request->waits = NULL;
        batch->request->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        batch->request->answer_size = 0;
        batch->used = false;
        MHD_resume_connection(batch->connection);
    }
}

void wef_listener_stop(struct wef_listener **listener_p)
{
    struct wef_listener *self = *listener_p;
    if (!self)
        return;
    if (self->running) {
        atomic_store(&self->end, true);
        wake(self);
        pthread_join(self->thread, NULL);
        self->save_at = 0;
        save(self, now_monotonic());
        let_go(self);
    }
    for (unsigned i = 0; i < self->daemon_count; i++)
        MHD_stop_daemon(self->daemons[i]);
    free(self->unsaved);
    wef_session_destroy(&self->session);
    arena_destroy(&self->arena);
    event_reader_destroy(&self->events);
    wef_acceptor_destroy(&self->acceptor);
    wef_trust_destroy(&self->trust);
    if (self->wake >= 0)
        close(self->wake);
    pthread_mutex_destroy(&self->lock);
    pthread_mutex_destroy(&self->batch_lock);
    free(self);
    *listener_p = NULL;
}

/* --- how it is --- */

void wef_listener_status(struct wef_listener *self, struct wef_status *status)
{
    *status = (struct wef_status){0};
    for (unsigned i = self->daemon_count; i-- > 0;)
        *(self->tls[i] ? &status->https_port : &status->http_port) = self->endpoints[i].port;
    status->connections = atomic_load(&self->connections);
    status->refused = atomic_load(&self->refused);
    status->not_kept = atomic_load(&self->not_kept);
    pthread_mutex_lock(&self->lock);
    wef_session_counts(self->session, clock_wall(clock_system()), &status->counts);
    pthread_mutex_unlock(&self->lock);
}

void wef_listener_describe(struct wef_listener *self, struct text *to)
{
    struct wef_status status;
    wef_listener_status(self, &status);
    for (unsigned i = 0; i < self->daemon_count; i++) {
        char address[IP_ADDRESS_TEXT_MAX];
        bool v6 = self->endpoints[i].address.family == 6;
        text_string(to, i ? ", " : "");
        text_string(to, self->tls[i] ? "https " : "http ");
        text_string(to, v6 ? "[" : "");
        text_string(to, ip_address_text(&self->endpoints[i].address, address));
        text_string(to, v6 ? "]:" : ":");
        text_uint(to, self->endpoints[i].port);
    }
    text_string(to, "; ");
    text_uint(to, status.counts.sources);
    text_string(to, status.counts.sources == 1 ? " source" : " sources");
    if (status.counts.silent) {
        text_string(to, ", of them silent: ");
        text_uint(to, status.counts.silent);
    }
}

bool wef_listener_source(struct wef_listener *self, uint32_t i, struct wef_source *source, char *bookmark,
                         size_t capacity)
{
    pthread_mutex_lock(&self->lock);
    bool found = wef_session_source(self->session, i, clock_wall(clock_system()), source);
    size_t size = found && source->bookmark.size < capacity ? source->bookmark.size : found ? capacity : 0;
    if (size)
        memcpy(bookmark, source->bookmark.data, size);
    pthread_mutex_unlock(&self->lock);
    if (found)
        source->bookmark = (struct bytes){.data = (const uint8_t *)bookmark, .size = size};
    return found;
}
