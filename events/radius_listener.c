/* SPDX-License-Identifier: Apache-2.0 */
#include "events/radius_listener.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH          512u
#define RECEIVE_BUFFER (4 << 20) /* bytes: what arrives while a disk is synced */
#define REPEATS        65536u
#define REPEAT_TIME    (5 * CLOCK_MINUTE)
#define RETRY          (10 * CLOCK_SECOND)

/* One datagram of a batch, and then its answer. */
struct slot {
    uint8_t bytes[RADIUS_PACKET_MAX];
    struct sockaddr_storage from;
    /* Where it came to: an answer has to come from there. */
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    uint64_t ticket;
    enum radius_verdict verdict;
    unsigned client;
    size_t reply_size;
};

struct radius_listener {
    struct radius_accounting *server;
    struct radius_sink sink;
    struct secret *secrets;
    unsigned client_count;
    int64_t retry;
    pthread_t thread;
    int stop; /* eventfd */

    struct opening {
        struct endpoint endpoint;
        int socket; /* -1: not open */
    } openings[RADIUS_LISTENERS_MAX];
    unsigned opening_count;

    struct slot *slots;
    struct iovec *parts;
    struct mmsghdr *messages;
    struct activity_writer writer;
    struct radius_outcome outcome;

    pthread_mutex_t mutex; /* guards what follows */
    struct radius_listener_status status;
    struct radius_client_status *clients;
};

/* --- prefixes --- */

static bool read_bits(const char *text, uint8_t most, uint8_t *bits)
{
    unsigned value = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3 || text[digits])
        return false;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (unsigned)(text[i] - '0');
    *bits = (uint8_t)value;
    return value <= most;
}

bool radius_prefix_parse(const char *text, struct ip_address *network, uint8_t *bits)
{
    char address[IP_ADDRESS_TEXT_MAX];
    size_t size = strcspn(text, "/");
    if (size >= sizeof address)
        return false;
    memcpy(address, text, size);
    address[size] = '\0';
    if (!ip_address_parse(address, network))
        return false;
    *bits = network->family == 4 ? 32 : 128;
    if (text[size] && !read_bits(text + size + 1, *bits, bits))
        return false;
    for (unsigned i = *bits; i < (network->family == 4 ? 32u : 128u); i++)
        if (network->bytes[i / 8] >> (7 - i % 8) & 1)
            return false;
    return true;
}

static void prefix_text(const struct radius_client_file *client, char to[RADIUS_CLIENT_TEXT])
{
    char address[IP_ADDRESS_TEXT_MAX];
    ip_address_text(&client->network, address);
    if (client->bits == (client->network.family == 4 ? 32 : 128))
        snprintf(to, RADIUS_CLIENT_TEXT, "%s", address);
    else
        snprintf(to, RADIUS_CLIENT_TEXT, "%s/%u", address, client->bits);
}

/* --- sockets --- */

static socklen_t socket_address(const struct endpoint *endpoint, struct sockaddr_storage *to)
{
    memset(to, 0, sizeof *to);
    if (endpoint->address.family == 4) {
        struct sockaddr_in *in = (struct sockaddr_in *)to;
        in->sin_family = AF_INET;
        in->sin_port = htons(endpoint->port);
        memcpy(&in->sin_addr, endpoint->address.bytes, 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(endpoint->port);
    memcpy(&in6->sin6_addr, endpoint->address.bytes, 16);
    return sizeof *in6;
}

static struct ip_address address_of(const struct in6_addr *in6)
{
    struct ip_address address = {.family = IN6_IS_ADDR_V4MAPPED(in6) ? 4 : 6};
    if (address.family == 4)
        memcpy(address.bytes, in6->s6_addr + 12, 4);
    else
        memcpy(address.bytes, in6->s6_addr, 16);
    return address;
}

static struct endpoint endpoint_of(const struct sockaddr_storage *from)
{
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;
        struct endpoint e = {.address = {.family = 4}, .port = ntohs(in->sin_port)};
        memcpy(e.address.bytes, &in->sin_addr, 4);
        return e;
    }
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;
    return (struct endpoint){.address = address_of(&in6->sin6_addr), .port = ntohs(in6->sin6_port)};
}

/* Which of our addresses a datagram came to. The message is made one to answer with from there: by the route
 * that is best then, except that a link-local address means nothing without its link. */
static struct ip_address destination_of(struct msghdr *message)
{
    struct ip_address address = {.family = 0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *info = (struct in_pktinfo *)(void *)CMSG_DATA(c);
            address.family = 4;
            memcpy(address.bytes, &info->ipi_addr, 4);
            info->ipi_ifindex = 0;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo *info = (struct in6_pktinfo *)(void *)CMSG_DATA(c);
            address = address_of(&info->ipi6_addr);
            if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
                info->ipi6_ifindex = 0;
        }
    }
    return address;
}

static void set_options(int s, int family)
{
    const int one = 1, none = 0, buffer = RECEIVE_BUFFER;
    if (setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) < 0)
        setsockopt(s, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    if (family == 4) {
        setsockopt(s, IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
        return;
    }
    setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &none, sizeof none);
    setsockopt(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one);
}

static int open_socket(const struct endpoint *endpoint)
{
    struct sockaddr_storage address;
    socklen_t size = socket_address(endpoint, &address);
    int s = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0)
        return -1;
    set_options(s, endpoint->address.family);
    if (bind(s, (struct sockaddr *)&address, size) == 0)
        return s;
    int reason = errno;
    close(s);
    errno = reason;
    return -1;
}

static uint16_t port_of(int s)
{
    struct sockaddr_storage address = {.ss_family = AF_INET};
    socklen_t size = sizeof address;
    return getsockname(s, (struct sockaddr *)&address, &size) == 0 ? endpoint_of(&address).port : 0;
}

static void say_opened(struct radius_listener *self, const char *fault)
{
    unsigned listening = 0;
    uint16_t port = 0;
    for (unsigned i = 0; i < self->opening_count; i++) {
        if (self->openings[i].socket < 0)
            continue;
        if (listening++ == 0)
            port = port_of(self->openings[i].socket);
    }
    pthread_mutex_lock(&self->mutex);
    self->status.listening = listening;
    self->status.port = port;
    snprintf(self->status.fault, sizeof self->status.fault, "%s", fault);
    pthread_mutex_unlock(&self->mutex);
}

/* False when not all are open. */
static bool open_sockets(struct radius_listener *self)
{
    char fault[FAULT_MAX] = "";
    for (unsigned i = 0; i < self->opening_count; i++) {
        struct opening *opening = &self->openings[i];
        if (opening->socket >= 0)
            continue;
        opening->socket = open_socket(&opening->endpoint);
        if (opening->socket >= 0)
            continue;
        char text[IP_ADDRESS_TEXT_MAX];
        int reason = errno;
        snprintf(fault, sizeof fault, "RADIUS cannot listen at %s port %u: %s",
                 ip_address_text(&opening->endpoint.address, text), opening->endpoint.port, strerror(reason));
        log_warning("%s", fault);
    }
    say_opened(self, fault);
    return fault[0] == '\0';
}

/* --- a batch --- */

static void warn(const struct radius_listener *self, const struct slot *slot, const struct endpoint *from)
{
    char text[IP_ADDRESS_TEXT_MAX];
    ip_address_text(&from->address, text);
    if (slot->verdict == RADIUS_WRONG_SECRET)
        log_warning("RADIUS: %s (client %s) has another shared secret than this node, or its request was "
                    "changed on the way: not answered",
                    text, self->clients[slot->client].text);
    else if (slot->verdict == RADIUS_STRANGER)
        log_info("RADIUS: %s is none of the clients: not answered", text);
    else if (slot->verdict == RADIUS_LIMITED)
        log_warning("RADIUS: %s (client %s) sends more than it may: not answered", text,
                    self->clients[slot->client].text);
    else if (slot->verdict == RADIUS_MALFORMED)
        log_info("RADIUS: %s (client %s) sent what is no request", text, self->clients[slot->client].text);
}

static void take_one(struct radius_listener *self, unsigned i, uint16_t port, int64_t wall, int64_t monotonic)
{
    struct slot *slot = &self->slots[i];
    struct msghdr *message = &self->messages[i].msg_hdr;
    struct radius_outcome *outcome = &self->outcome;
    struct radius_datagram datagram = {
        .bytes = {slot->bytes, self->messages[i].msg_len},
        .from = endpoint_of(&slot->from),
        .to = {.address = destination_of(message), .port = port},
        .wall = wall,
        .monotonic = monotonic,
    };
    radius_accounting_take(self->server, &datagram, &self->writer, outcome);
    slot->verdict = outcome->verdict;
    slot->client = outcome->client;
    slot->ticket = outcome->ticket;
    slot->reply_size = outcome->reply_size;
    warn(self, slot, &datagram.from);
    if (outcome->reply_size)
        memcpy(slot->bytes, outcome->reply, outcome->reply_size);
    if (slot->verdict == RADIUS_RECORD &&
        !self->sink.keep(self->sink.context, activity_finish(&self->writer))) {
        radius_accounting_settle(self->server, slot->ticket, false);
        slot->reply_size = 0;
    }
}

/* Whether what was taken over is durable. A Status-Server asks whether records can be kept: so that is tried
 * (RFC 5997 2: who answers says that it would process requests). */
static bool commit(struct radius_listener *self, unsigned count)
{
    bool wanted = false;
    for (unsigned i = 0; i < count; i++)
        wanted |= self->slots[i].reply_size &&
                  (self->slots[i].verdict == RADIUS_RECORD || self->slots[i].verdict == RADIUS_STATUS);
    return !wanted || self->sink.commit(self->sink.context);
}

static void settle(struct radius_listener *self, unsigned count, bool kept)
{
    for (unsigned i = 0; i < count; i++) {
        struct slot *slot = &self->slots[i];
        if (slot->verdict == RADIUS_RECORD && slot->reply_size)
            radius_accounting_settle(self->server, slot->ticket, kept);
        if (!kept && slot->verdict != RADIUS_REPEAT)
            slot->reply_size = 0;
    }
}

static void count_one(struct radius_listener *self, const struct slot *slot, int64_t wall)
{
    if (slot->verdict == RADIUS_STRANGER) {
        self->status.strangers++;
        return;
    }
    struct radius_client_status *client = &self->clients[slot->client];
    client->verdicts[slot->verdict]++;
    if (slot->verdict <= RADIUS_PENDING)
        client->last = wall;
    if (slot->verdict == RADIUS_WRONG_SECRET)
        client->wrong_secret = wall;
    if (slot->verdict == RADIUS_RECORD && !slot->reply_size) {
        client->not_kept++;
        client->refused = wall;
    }
}

static void count(struct radius_listener *self, unsigned taken, int64_t wall)
{
    bool tried = false, kept = false;
    pthread_mutex_lock(&self->mutex);
    self->status.datagrams += taken;
    for (unsigned i = 0; i < taken; i++) {
        const struct slot *slot = &self->slots[i];
        count_one(self, slot, wall);
        tried |= slot->verdict == RADIUS_RECORD || slot->verdict == RADIUS_STATUS;
        kept |= (slot->verdict == RADIUS_RECORD || slot->verdict == RADIUS_STATUS) && slot->reply_size;
    }
    self->status.commits += kept;
    self->status.commits_failed += tried && !kept;
    if (kept)
        self->status.not_kept_since = 0;
    else if (tried && !self->status.not_kept_since)
        self->status.not_kept_since = wall;
    pthread_mutex_unlock(&self->mutex);
    if (tried && !kept)
        log_warning("RADIUS: accounting records cannot be kept: not answered, their senders try again");
}

static void answer(struct radius_listener *self, int s, unsigned taken)
{
    unsigned n = 0;
    for (unsigned i = 0; i < taken; i++) {
        if (!self->slots[i].reply_size)
            continue;
        /* What stands in front has been used already: its place is this one's. */
        self->parts[i].iov_len = self->slots[i].reply_size;
        self->messages[n++] = self->messages[i];
    }
    for (unsigned sent = 0; sent < n;) {
        int done = sendmmsg(s, self->messages + sent, n - sent, MSG_DONTWAIT);
        if (done < 0 && errno == EINTR)
            continue;
        /* An answer that cannot be sent is one that was lost: its request comes again. */
        sent += done > 0 ? (unsigned)done : 1;
    }
}

static void prepare_messages(struct radius_listener *self, unsigned most)
{
    for (unsigned i = 0; i < most; i++) {
        self->parts[i] = (struct iovec){self->slots[i].bytes, sizeof self->slots[i].bytes};
        self->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &self->slots[i].from,
            .msg_namelen = sizeof self->slots[i].from,
            .msg_iov = &self->parts[i],
            .msg_iovlen = 1,
            .msg_control = self->slots[i].control,
            .msg_controllen = sizeof self->slots[i].control,
        };
    }
}

/* How many datagrams there were. */
static unsigned serve(struct radius_listener *self, const struct opening *opening)
{
    prepare_messages(self, BATCH);
    int taken = recvmmsg(opening->socket, self->messages, BATCH, MSG_DONTWAIT, NULL);
    if (taken <= 0)
        return 0;
    int64_t wall = clock_wall(clock_system()), monotonic = clock_monotonic(clock_system());
    for (unsigned i = 0; i < (unsigned)taken; i++)
        take_one(self, i, opening->endpoint.port, wall, monotonic);
    settle(self, (unsigned)taken, commit(self, (unsigned)taken));
    count(self, (unsigned)taken, wall);
    answer(self, opening->socket, (unsigned)taken);
    return (unsigned)taken;
}

static void *run(void *context)
{
    struct radius_listener *self = context;
    struct pollfd fds[RADIUS_LISTENERS_MAX + 1];
    bool whole = open_sockets(self);
    int64_t retry_at = clock_monotonic(clock_system()) + self->retry;
    for (;;) {
        int64_t now = clock_monotonic(clock_system());
        if (!whole && now >= retry_at) {
            whole = open_sockets(self);
            retry_at = now + self->retry;
        }
        for (unsigned i = 0; i < self->opening_count; i++)
            fds[i] = (struct pollfd){.fd = self->openings[i].socket, .events = POLLIN};
        fds[self->opening_count] = (struct pollfd){.fd = self->stop, .events = POLLIN};
        poll(fds, self->opening_count + 1, whole ? -1 : (int)((retry_at - now) / CLOCK_MILLISECOND) + 1);
        if (fds[self->opening_count].revents)
            return NULL;
        for (unsigned i = 0; i < self->opening_count; i++)
            if (fds[i].revents)
                serve(self, &self->openings[i]);
    }
}

/* --- start and end --- */

static bool read_secrets(struct radius_listener *self, const struct radius_listener_config *config,
                         struct radius_client *clients, struct fault *fault)
{
    for (unsigned i = 0; i < config->client_count; i++) {
        const struct radius_client_file *file = &config->clients[i];
        prefix_text(file, self->clients[i].text);
        if (!secret_read(file->secret, &self->secrets[i], fault))
            return false;
        if (memchr(self->secrets[i].bytes, 0, self->secrets[i].size))
            return fault_say(fault, "%s: a shared secret has no zero byte", file->secret);
        clients[i] = (struct radius_client){file->network, file->bits, (const char *)self->secrets[i].bytes};
    }
    return true;
}

static bool make_server(struct radius_listener *self, const struct radius_listener_config *config,
                        struct fault *fault)
{
    struct radius_client clients[RADIUS_CLIENTS_MAX];
    struct radius_accounting_config server = {
        .clients = clients,
        .client_count = config->client_count,
        .rate = config->rate,
        .repeats = REPEATS,
        .repeat_time = REPEAT_TIME,
    };
    if (!read_secrets(self, config, clients, fault))
        return false;
    if (getrandom(&server.seed, sizeof server.seed, 0) != (ssize_t)sizeof server.seed)
        return fault_say(fault, "random numbers: %s", strerror(errno));
    self->server = radius_accounting_new(&server);
    return self->server || fault_say(fault, "out of memory");
}

static void release(struct radius_listener *self)
{
    for (unsigned i = 0; i < self->opening_count; i++)
        if (self->openings[i].socket >= 0)
            close(self->openings[i].socket);
    if (self->stop >= 0)
        close(self->stop);
    radius_accounting_destroy(&self->server);
    for (unsigned i = 0; self->secrets && i < self->client_count; i++)
        secret_wipe(&self->secrets[i]);
    free(self->secrets);
    free(self->clients);
    free(self->slots);
    free(self->parts);
    free(self->messages);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

static bool make(struct radius_listener *self, const struct radius_listener_config *config,
                 struct fault *fault)
{
    for (unsigned i = 0; i < config->listen_count; i++)
        self->openings[self->opening_count++] = (struct opening){config->listen[i], -1};
    self->status.wanted = self->opening_count;
    self->client_count = config->client_count;
    self->secrets = calloc(config->client_count + 1u, sizeof *self->secrets);
    self->clients = calloc(config->client_count + 1u, sizeof *self->clients);
    self->slots = calloc(BATCH, sizeof *self->slots);
    self->parts = calloc(BATCH, sizeof *self->parts);
    self->messages = calloc(BATCH, sizeof *self->messages);
    if (!self->secrets || !self->clients || !self->slots || !self->parts || !self->messages)
        return fault_say(fault, "out of memory");
    if (self->stop < 0)
        return fault_say(fault, "eventfd: %s", strerror(errno));
    return make_server(self, config, fault);
}

struct radius_listener *radius_listener_start(const struct radius_listener_config *config,
                                              struct fault *fault)
{
    struct radius_listener *self = calloc(1, sizeof *self);
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&self->mutex, NULL);
    self->sink = config->sink;
    self->retry = config->retry ? config->retry : RETRY;
    self->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!make(self, config, fault)) {
        release(self);
        return NULL;
    }
    int error = pthread_create(&self->thread, NULL, run, self);
    if (error) {
        fault_say(fault, "a thread: %s", strerror(error));
        release(self);
        return NULL;
    }
    pthread_setname_np(self->thread, "radius");
    return self;
}

void radius_listener_stop(struct radius_listener **listener_p)
{
    struct radius_listener *self = *listener_p;
    uint64_t one = 1;
    if (!self)
        return;
    ssize_t n = write(self->stop, &one, sizeof one);
    (void)n;
    pthread_join(self->thread, NULL);
    release(self);
    *listener_p = NULL;
}

bool radius_listener_client(struct radius_listener *listener, unsigned number,
                            struct radius_client_status *status)
{
    if (number >= listener->client_count)
        return false;
    pthread_mutex_lock(&listener->mutex);
    *status = listener->clients[number];
    pthread_mutex_unlock(&listener->mutex);
    return true;
}

void radius_listener_status(struct radius_listener *listener, struct radius_listener_status *status)
{
    pthread_mutex_lock(&listener->mutex);
    *status = listener->status;
    pthread_mutex_unlock(&listener->mutex);
}
