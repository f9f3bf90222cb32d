/* SPDX-License-Identifier: Apache-2.0 */
#include "events/syslog_listener.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/socket_address.h"
#include "base/thread.h"
#include "events/siem.h"
#include "events/syslog_connection.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX    1024u
#define CONNECTIONS_OF_ONE 64u
#define IDLE               (15 * CLOCK_MINUTE)
#define HANDSHAKE_TIME     (20 * CLOCK_SECOND)
#define TICK               CLOCK_SECOND        /* also how long a message without an end is waited for */
#define CROWDED_IDLE       (10 * CLOCK_SECOND) /* a connection so long silent makes room for another */
#define BACKLOG            128

#define DATAGRAMS     32u /* received at once */
#define RECEIVE_BYTES (8 << 20)
#define EVENTS        64

struct batch {
    struct mmsghdr headers[DATAGRAMS];
    struct iovec vectors[DATAGRAMS];
    struct sockaddr_storage from[DATAGRAMS];
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(sizeof(uint32_t))];
    } control[DATAGRAMS];
    uint8_t *bytes; /* SYSLOG_MESSAGE_MAX each */
};

/* Of TLS, and how many connections use them: those of before stay until the last of theirs has gone. */
struct syslog_credentials {
    gnutls_certificate_credentials_t of;
    bool asks; /* senders for a certificate */
    unsigned users;
};

struct listening {
    struct syslog_address address;
    int descriptor;
    uint16_t port;
    uint32_t overflown; /* datagrams that the kernel dropped so far, modulo 2^32 */
};

struct syslog_listener {
    struct syslog_listener_config config;
    struct listening listening[SYSLOG_ADDRESSES_MAX];
    int epoll, end;
    pthread_t thread;
    bool started;
    struct syslog_credentials *credentials; /* NULL: no TLS */
    struct siem_reader *reader;
    struct event event;
    struct batch batch;
    struct syslog_connection *connections; /* newest first */
    unsigned connection_count;

    pthread_mutex_t lock;
    struct syslog_listener_counters counters;
    struct syslog_credentials *renewed; /* to be used from the next connection on; NULL: none */
};

/* --- addresses --- */

bool syslog_address_parse(const char *text, struct syslog_address *to)
{
    static const struct {
        const char *name;
        enum syslog_transport transport;
    } names[] = {{"udp:", SYSLOG_UDP}, {"tcp:", SYSLOG_TCP}, {"tls:", SYSLOG_TLS}};
    char host[IP_ADDRESS_TEXT_MAX];
    size_t i = 0;
    while (i < 3 && strncmp(text, names[i].name, 4) != 0)
        i++;
    if (i == 3)
        return false;
    to->transport = names[i].transport;
    text += 4;
    bool bracket = *text == '[';
    size_t size = strcspn(text + bracket, bracket ? "]" : ":");
    const char *behind = text + bracket + size + (bracket && text[bracket + size] == ']');
    if (size >= sizeof(host) || *behind != ':' || !behind[1])
        return false;
    memcpy(host, text + bracket, size);
    host[size] = '\0';
    unsigned long port = 0;
    for (behind++; *behind >= '0' && *behind <= '9' && port <= 65535; behind++)
        port = port * 10 + (unsigned long)(*behind - '0');
    to->endpoint.port = (uint16_t)port;
    return !*behind && port <= 65535 && ip_address_parse(host, &to->endpoint.address) &&
           bracket == (to->endpoint.address.family == 6);
}

static void count(struct syslog_listener *self, uint64_t *counter)
{
    pthread_mutex_lock(&self->lock);
    (*counter)++;
    pthread_mutex_unlock(&self->lock);
}

static bool is_allowed(struct syslog_listener *self, const struct ip_address *from)
{
    char text[IP_ADDRESS_TEXT_MAX];
    if (senders_have(&self->config.allow, from))
        return true;
    count(self, &self->counters.refused);
    log_warning("syslog: %s may not send (syslog/allow)", ip_address_text(from, text));
    return false;
}

/* --- a message --- */

static void take_message(void *context, const struct ip_address *from, struct bytes bytes)
{
    struct syslog_listener *self = context;
    struct syslog_header header;
    syslog_header_read(bytes, &header);
    struct siem_result result = siem_read(self->reader, &header, clock_wall(clock_system()), &self->event);
    struct intake_message message = {*from, result.format, bytes};
    switch (result.verdict) {
    case SIEM_EVENT:
        intake_event(self->config.intake, &self->event, &message);
        break;
    case SIEM_OTHER:
        intake_ignore(self->config.intake);
        break;
    case SIEM_DAMAGED:
    case SIEM_UNKNOWN:
        intake_refuse(self->config.intake, &message, result.reason);
        break;
    }
}

/* --- datagrams --- */

static void count_overflow(struct syslog_listener *self, struct listening *at, struct msghdr *header)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        uint32_t overflown;
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL)
            continue;
        memcpy(&overflown, CMSG_DATA(c), sizeof(overflown));
        if (overflown != at->overflown)
            intake_lose(self->config.intake, overflown - at->overflown);
        at->overflown = overflown;
    }
}

static void receive_datagrams(struct syslog_listener *self, struct listening *at)
{
    struct batch *batch = &self->batch;
    for (unsigned i = 0; i < DATAGRAMS; i++) {
        batch->vectors[i] = (struct iovec){batch->bytes + (size_t)i * SYSLOG_MESSAGE_MAX, SYSLOG_MESSAGE_MAX};
        batch->headers[i].msg_hdr = (struct msghdr){.msg_name = &batch->from[i],
                                                    .msg_namelen = sizeof(batch->from[i]),
                                                    .msg_iov = &batch->vectors[i],
                                                    .msg_iovlen = 1,
                                                    .msg_control = &batch->control[i],
                                                    .msg_controllen = sizeof(batch->control[i])};
    }
    int n = recvmmsg(at->descriptor, batch->headers, DATAGRAMS, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
        struct ip_address from = socket_address_endpoint(&batch->from[i]).address;
        count_overflow(self, at, &batch->headers[i].msg_hdr);
        if (is_allowed(self, &from))
            take_message(self, &from, (struct bytes){batch->vectors[i].iov_base, batch->headers[i].msg_len});
    }
}

/* --- connections --- */

static void free_credentials(struct syslog_credentials *credentials)
{
    if (!credentials)
        return;
    gnutls_certificate_free_credentials(credentials->of);
    free(credentials);
}

static struct syslog_credentials *newest_credentials(struct syslog_listener *self)
{
    pthread_mutex_lock(&self->lock);
    struct syslog_credentials *renewed = self->renewed;
    self->renewed = NULL;
    pthread_mutex_unlock(&self->lock);
    if (!renewed)
        return self->credentials;
    if (self->credentials && self->credentials->users == 0)
        free_credentials(self->credentials);
    return self->credentials = renewed;
}

static void end_connection(struct syslog_listener *self, struct syslog_connection *one)
{
    struct syslog_credentials *credentials = one->credentials;
    *one->back = one->next;
    if (one->next)
        one->next->back = one->back;
    self->connection_count--;
    syslog_connection_destroy(&one); /* closed: epoll forgets it */
    if (credentials && --credentials->users == 0 && credentials != self->credentials)
        free_credentials(credentials);
    pthread_mutex_lock(&self->lock);
    self->counters.connections = self->connection_count;
    pthread_mutex_unlock(&self->lock);
}

static unsigned connections_of(const struct syslog_listener *self, const struct ip_address *from)
{
    unsigned n = 0;
    for (const struct syslog_connection *one = self->connections; one; one = one->next)
        n += ip_address_equal(&one->from, from);
    return n;
}

/* When all places are taken the one that has been silent for longest goes, if it was silent for long. */
static bool make_place(struct syslog_listener *self, int64_t now)
{
    struct syslog_connection *oldest = self->connections;
    if (self->connection_count < self->config.connections_max)
        return true;
    for (struct syslog_connection *one = self->connections; one; one = one->next)
        oldest = one->heard < oldest->heard ? one : oldest;
    if (now - oldest->heard < CROWDED_IDLE)
        return false;
    end_connection(self, oldest);
    return true;
}

static bool watch(struct syslog_listener *self, int operation, struct syslog_connection *one)
{
    struct epoll_event event = {.events = syslog_connection_writes(one) ? EPOLLIN | EPOLLOUT : EPOLLIN,
                                .data.ptr = one};
    return epoll_ctl(self->epoll, operation, one->descriptor, &event) == 0;
}

static bool has_place(struct syslog_listener *self, const struct ip_address *from, int64_t now)
{
    if (connections_of(self, from) < self->config.connections_of_address_max && make_place(self, now))
        return true;
    char text[IP_ADDRESS_TEXT_MAX];
    count(self, &self->counters.crowded);
    log_warning("syslog: too many connections: one of %s is refused", ip_address_text(from, text));
    return false;
}

static void accept_connection(struct syslog_listener *self, const struct listening *at)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);
    int64_t now = clock_monotonic(clock_system());
    int descriptor = accept4(at->descriptor, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0)
        return;
    struct ip_address from = socket_address_endpoint(&peer).address;
    if (!is_allowed(self, &from) || !has_place(self, &from, now)) {
        close(descriptor);
        return;
    }
    struct syslog_credentials *credentials =
        at->address.transport == SYSLOG_TLS ? newest_credentials(self) : NULL;
    struct syslog_connection *one = syslog_connection_new(
        descriptor, &from, now, credentials ? credentials->of : NULL, credentials && credentials->asks);
    if (!one)
        return;
    one->credentials = credentials;
    if (credentials)
        credentials->users++;
    one->next = self->connections;
    one->back = &self->connections;
    if (one->next)
        one->next->back = &one->next;
    self->connections = one;
    pthread_mutex_lock(&self->lock);
    self->counters.accepted++;
    self->counters.connections = ++self->connection_count;
    pthread_mutex_unlock(&self->lock);
    if (!watch(self, EPOLL_CTL_ADD, one))
        end_connection(self, one);
}

static void turn_connection(struct syslog_listener *self, struct syslog_connection *one)
{
    char text[IP_ADDRESS_TEXT_MAX];
    bool was_shaken = one->shaken;
    enum syslog_outcome outcome =
        syslog_connection_turn(one, clock_monotonic(clock_system()), take_message, self);
    switch (outcome) {
    case SYSLOG_GOES_ON:
        if (!was_shaken)
            watch(self, EPOLL_CTL_MOD, one);
        return;
    case SYSLOG_ENDED:
        break;
    case SYSLOG_BROKEN:
        count(self, &self->counters.broken);
        break;
    case SYSLOG_UNSHAKEN:
        count(self, &self->counters.handshakes);
        log_warning("syslog: %s: TLS was not agreed upon", ip_address_text(&one->from, text));
        break;
    }
    end_connection(self, one);
}

static void look_after_connections(struct syslog_listener *self, int64_t now)
{
    for (struct syslog_connection *one = self->connections, *next; one; one = next) {
        int64_t silent = now - one->heard;
        next = one->next;
        if (silent >= TICK && one->shaken)
            syslog_connection_flush(one, take_message, self);
        if (silent >= self->config.idle || (!one->shaken && silent >= HANDSHAKE_TIME)) {
            if (syslog_connection_waits(one))
                count(self, &self->counters.broken);
            end_connection(self, one);
        }
    }
}

/* --- the thread --- */

static bool is_listening(const struct syslog_listener *self, const void *at)
{
    return at >= (const void *)self->listening &&
           at < (const void *)(self->listening + self->config.address_count);
}

static void turn(struct syslog_listener *self, void *what)
{
    struct listening *at = what;
    if (!is_listening(self, what))
        turn_connection(self, what);
    else if (at->address.transport == SYSLOG_UDP)
        receive_datagrams(self, at);
    else
        accept_connection(self, at);
}

static void *run(void *context)
{
    struct syslog_listener *self = context;
    struct epoll_event events[EVENTS];
    int64_t tick_at = clock_monotonic(clock_system()) + TICK;
    for (;;) {
        int n = epoll_wait(self->epoll, events, EVENTS, (int)(TICK / CLOCK_MILLISECOND));
        int64_t now = clock_monotonic(clock_system());
        /* A connection that is accepted may push an older one out: those that are ready go first. */
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr && !is_listening(self, events[i].data.ptr))
                turn(self, events[i].data.ptr);
        for (int i = 0; i < n; i++) {
            if (!events[i].data.ptr)
                return NULL;
            if (is_listening(self, events[i].data.ptr))
                turn(self, events[i].data.ptr);
        }
        if (now >= tick_at) {
            look_after_connections(self, now);
            tick_at = now + TICK;
        }
    }
}

/* --- start and end --- */

/* Whether the list has the same port for IPv4, so that one for IPv6 must leave it alone. */
static bool has_own_ipv4(const struct syslog_listener_config *config, const struct syslog_address *address)
{
    bool stream = address->transport != SYSLOG_UDP;
    for (unsigned i = 0; i < config->address_count; i++) {
        const struct syslog_address *other = &config->addresses[i];
        if (other->endpoint.address.family == 4 && other->endpoint.port == address->endpoint.port &&
            (other->transport != SYSLOG_UDP) == stream)
            return true;
    }
    return false;
}

static void set_options(const struct syslog_listener *self, const struct listening *at)
{
    const int on = 1, bytes = RECEIVE_BYTES, only = has_own_ipv4(&self->config, &at->address);
    if (at->address.endpoint.address.family == 6)
        setsockopt(at->descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
    if (at->address.transport != SYSLOG_UDP) {
        setsockopt(at->descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        return;
    }
    setsockopt(at->descriptor, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof(on));
    if (setsockopt(at->descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0)
        setsockopt(at->descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

static bool open_socket(struct syslog_listener *self, struct listening *at)
{
    struct sockaddr_storage own;
    socklen_t size = socket_address_of(&at->address.endpoint, &own);
    bool stream = at->address.transport != SYSLOG_UDP;
    at->descriptor =
        socket(own.ss_family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (at->descriptor < 0)
        return false;
    set_options(self, at);
    if (bind(at->descriptor, (struct sockaddr *)&own, size) != 0 ||
        (stream && listen(at->descriptor, BACKLOG) != 0))
        return false;
    size = sizeof(own);
    if (getsockname(at->descriptor, (struct sockaddr *)&own, &size) != 0)
        return false;
    at->port = socket_address_endpoint(&own).port;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = at};
    return epoll_ctl(self->epoll, EPOLL_CTL_ADD, at->descriptor, &event) == 0;
}

static void describe_address(const struct syslog_address *address, struct text *to)
{
    static const char *const names[] = {"udp:", "tcp:", "tls:"};
    char text[IP_ADDRESS_TEXT_MAX];
    bool v6 = address->endpoint.address.family == 6;
    text_string(to, names[address->transport]);
    text_string(to, v6 ? "[" : "");
    text_string(to, ip_address_text(&address->endpoint.address, text));
    text_string(to, v6 ? "]:" : ":");
    text_uint(to, address->endpoint.port);
}

static bool cannot_listen(const struct syslog_address *address, struct fault *fault)
{
    int error = errno;
    char text[64];
    struct text t = text_to(text, sizeof(text));
    describe_address(address, &t);
    text_end(&t);
    return fault_say(fault, "%s: %s", text, strerror(error));
}

static bool open_sockets(struct syslog_listener *self, struct fault *fault)
{
    struct epoll_event event = {.events = EPOLLIN};
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->epoll < 0 || self->end < 0 || epoll_ctl(self->epoll, EPOLL_CTL_ADD, self->end, &event) != 0)
        return fault_say(fault, "syslog: %s", strerror(errno));
    for (unsigned i = 0; i < self->config.address_count; i++) {
        struct listening *at = &self->listening[i];
        at->address = self->config.addresses[i];
        if (!open_socket(self, at))
            return cannot_listen(&at->address, fault);
    }
    return true;
}

static bool wants_tls(const struct syslog_listener_config *config)
{
    for (unsigned i = 0; i < config->address_count; i++)
        if (config->addresses[i].transport == SYSLOG_TLS)
            return true;
    return false;
}

static bool read_certificates(const struct syslog_listener_config *config, struct syslog_credentials *to,
                              struct fault *fault)
{
    int rc =
        gnutls_certificate_set_x509_key_file(to->of, config->certificate, config->key, GNUTLS_X509_FMT_PEM);
    if (rc < 0)
        return fault_say(fault, "tls: %s, %s: %s", config->certificate, config->key, gnutls_strerror(rc));
    to->asks = config->client_ca != NULL;
    if (!config->client_ca)
        return true;
    rc = gnutls_certificate_set_x509_trust_file(to->of, config->client_ca, GNUTLS_X509_FMT_PEM);
    return rc > 0 || fault_say(fault, "tls: %s: %s", config->client_ca,
                               rc < 0 ? gnutls_strerror(rc) : "no certificate is in it");
}

static struct syslog_credentials *credentials_of(const struct syslog_listener_config *config,
                                                 struct fault *fault)
{
    struct syslog_credentials *credentials = calloc(1, sizeof(*credentials));
    if (!credentials || gnutls_certificate_allocate_credentials(&credentials->of) < 0) {
        free(credentials);
        fault_say(fault, "tls: no memory");
        return NULL;
    }
    if (read_certificates(config, credentials, fault))
        return credentials;
    free_credentials(credentials);
    return NULL;
}

static bool load_certificates(struct syslog_listener *self, struct fault *fault)
{
    const struct syslog_listener_config *config = &self->config;
    if (!wants_tls(config))
        return true;
    if (!config->certificate || !config->key)
        return fault_say(fault, "tls: wants a certificate and its key");
    self->credentials = credentials_of(config, fault);
    return self->credentials != NULL;
}

bool syslog_listener_renew(struct syslog_listener *self, const struct syslog_listener_config *config,
                           struct fault *fault)
{
    if (!self->credentials || !config->certificate || !config->key)
        return true;
    struct syslog_credentials *renewed = credentials_of(config, fault);
    if (!renewed)
        return false;
    pthread_mutex_lock(&self->lock);
    struct syslog_credentials *before = self->renewed; /* nobody has used them */
    self->renewed = renewed;
    pthread_mutex_unlock(&self->lock);
    free_credentials(before);
    return true;
}

static void destroy(struct syslog_listener **self_p)
{
    struct syslog_listener *self = *self_p;
    while (self->connections)
        end_connection(self, self->connections);
    for (unsigned i = 0; i < self->config.address_count; i++)
        if (self->listening[i].descriptor >= 0)
            close(self->listening[i].descriptor);
    if (self->epoll >= 0)
        close(self->epoll);
    if (self->end >= 0)
        close(self->end);
    free_credentials(self->credentials);
    free_credentials(self->renewed);
    siem_reader_destroy(&self->reader);
    free(self->batch.bytes);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

struct syslog_listener *syslog_listener_start(const struct syslog_listener_config *config,
                                              struct fault *fault)
{
    struct syslog_listener *self = calloc(1, sizeof(*self));
    if (!self || config->address_count > SYSLOG_ADDRESSES_MAX) {
        free(self);
        fault_say(fault, "out of memory");
        return NULL;
    }
    self->config = *config;
    self->config.connections_max = config->connections_max ? config->connections_max : CONNECTIONS_MAX;
    self->config.connections_of_address_max =
        config->connections_of_address_max ? config->connections_of_address_max : CONNECTIONS_OF_ONE;
    self->config.idle = config->idle ? config->idle : IDLE;
    self->epoll = self->end = -1;
    for (unsigned i = 0; i < SYSLOG_ADDRESSES_MAX; i++)
        self->listening[i].descriptor = -1;
    pthread_mutex_init(&self->lock, NULL);
    self->reader = siem_reader_new(config->local);
    self->batch.bytes = malloc((size_t)DATAGRAMS * SYSLOG_MESSAGE_MAX);
    if (!self->reader || !self->batch.bytes)
        fault_say(fault, "out of memory");
    else if (load_certificates(self, fault) && open_sockets(self, fault))
        self->started = thread_start(&self->thread, "syslog", run, self) ||
                        fault_say(fault, "syslog: no thread could be started");
    if (!self->started)
        destroy(&self);
    return self;
}

void syslog_listener_stop(struct syslog_listener **self_p)
{
    uint64_t one = 1;
    struct syslog_listener *self = *self_p;
    if (!self)
        return;
    if (write(self->end, &one, sizeof(one)) == (ssize_t)sizeof(one))
        pthread_join(self->thread, NULL);
    for (struct syslog_connection *c = self->connections; c; c = c->next)
        if (c->shaken)
            syslog_connection_flush(c, take_message, self);
    destroy(self_p);
}

/* --- any thread --- */

uint16_t syslog_listener_port(const struct syslog_listener *self, unsigned address)
{
    return self->listening[address].port;
}

void syslog_listener_counters(struct syslog_listener *self, struct syslog_listener_counters *counters)
{
    pthread_mutex_lock(&self->lock);
    *counters = self->counters;
    pthread_mutex_unlock(&self->lock);
}

void syslog_listener_describe(const struct syslog_listener *self, struct text *to)
{
    for (unsigned i = 0; i < self->config.address_count; i++) {
        text_string(to, i ? ", " : "");
        describe_address(&self->config.addresses[i], to);
    }
}
