/* SPDX-License-Identifier: Apache-2.0 */
#include "events/radius_listener.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/socket_address.h"
#include "base/thread.h"

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
#define RECEIVE_BUFFER (4 << 20) /* bytes */
#define REPEATS        65536u
#define REPEAT_TIME    (5 * CLOCK_MINUTE)
#define PATIENCE       (30 * CLOCK_SECOND)
/* While a record waits for so long no Status-Server is answered: what came in its place would wait too. */
#define SLOW (5 * CLOCK_SECOND)

struct slot {
    uint8_t bytes[RADIUS_PACKET_MAX];
    struct sockaddr_storage from;
    /* Where it came to: an answer has to come from there. */
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    enum radius_verdict verdict;
    unsigned client;
    bool lost; /* of RADIUS_RECORD: it was not even taken */
};

/* An answer, sent now or when its record is kept. */
struct answer {
    uint64_t ticket;
    int64_t until; /* monotonic: it is waited for */
    unsigned client;
    int socket;
    struct sockaddr_storage to;
    socklen_t to_size;
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    size_t control_size;
    size_t size;
    uint8_t bytes[];
};

struct tags {
    uint32_t count;
    uint64_t of[RADIUS_WAITING];
};

struct radius_listener {
    struct radius_accounting *server;
    struct intake *intake;
    struct secret *secrets;
    unsigned client_count;
    int64_t patience;
    pthread_t thread;
    int stop; /* eventfd */
    int wake; /* eventfd: something was kept */

    struct opening {
        int socket;
        uint16_t port;
    } openings[RADIUS_LISTENERS_MAX];
    unsigned opening_count;

    struct slot *slots;
    struct iovec *parts;
    struct mmsghdr *messages;
    struct answer **outbox; /* BATCH of them */
    unsigned outbox_count;
    /* By number, which is half of the ticket: those of `oldest` to `next`, with gaps. */
    struct answer **waiting;
    uint64_t oldest, next;
    struct tags *heard; /* the thread's own; changes places with `kept` */
    struct activity_writer writer;
    struct radius_outcome outcome;

    pthread_mutex_t mutex; /* guards what follows */
    struct tags *kept;
    struct radius_listener_status status;
    struct radius_client_status *clients;
};

/* --- prefixes --- */

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

static struct ip_address address_of(const struct in6_addr *in6)
{
    struct ip_address address = {.family = IN6_IS_ADDR_V4MAPPED(in6) ? 4 : 6};
    if (address.family == 4)
        memcpy(address.bytes, in6->s6_addr + 12, 4);
    else
        memcpy(address.bytes, in6->s6_addr, 16);
    return address;
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
    socklen_t size = socket_address_of(endpoint, &address);
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
    return getsockname(s, (struct sockaddr *)&address, &size) == 0 ? socket_address_endpoint(&address).port
                                                                   : 0;
}

/* --- answers --- */

static struct answer *make_answer(const struct radius_listener *self, const struct opening *opening,
                                  unsigned i, int64_t now)
{
    const struct radius_outcome *outcome = &self->outcome;
    const struct msghdr *message = &self->messages[i].msg_hdr;
    struct answer *answer = malloc(sizeof *answer + outcome->reply_size);
    if (!answer)
        return NULL;
    *answer = (struct answer){
        .ticket = outcome->ticket,
        .until = now + self->patience,
        .client = outcome->client,
        .socket = opening->socket,
        .to = self->slots[i].from,
        .to_size = message->msg_namelen,
        .control_size = message->msg_controllen,
        .size = outcome->reply_size,
    };
    memcpy(answer->control, self->slots[i].control, sizeof answer->control);
    memcpy(answer->bytes, outcome->reply, outcome->reply_size);
    return answer;
}

/* All of one socket. */
static void send_run(struct radius_listener *self, unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct answer *answer = self->outbox[first + i];
        self->parts[i] = (struct iovec){answer->bytes, answer->size};
        self->messages[i].msg_hdr = (struct msghdr){
            .msg_name = &answer->to,
            .msg_namelen = answer->to_size,
            .msg_iov = &self->parts[i],
            .msg_iovlen = 1,
            .msg_control = answer->control_size ? answer->control : NULL,
            .msg_controllen = answer->control_size,
        };
    }
    for (unsigned sent = 0; sent < count;) {
        int done = sendmmsg(self->outbox[first]->socket, self->messages + sent, count - sent, MSG_DONTWAIT);
        if (done < 0 && errno == EINTR)
            continue;
        /* An answer that cannot be sent is one that was lost: its request comes again. */
        sent += done > 0 ? (unsigned)done : 1;
    }
}

static void send_answers(struct radius_listener *self)
{
    for (unsigned first = 0, n; first < self->outbox_count; first += n) {
        n = 1;
        while (first + n < self->outbox_count &&
               self->outbox[first + n]->socket == self->outbox[first]->socket)
            n++;
        send_run(self, first, n);
    }
    for (unsigned i = 0; i < self->outbox_count; i++)
        free(self->outbox[i]);
    self->outbox_count = 0;
}

static void send_later(struct radius_listener *self, struct answer *answer)
{
    self->outbox[self->outbox_count++] = answer;
    if (self->outbox_count == BATCH)
        send_answers(self);
}

/* --- what waits to be kept --- */

static struct answer **place_of(struct radius_listener *self, uint64_t ticket)
{
    return &self->waiting[ticket / 2 % RADIUS_WAITING];
}

static void note_settled(struct radius_listener *self, const struct answer *answer, bool kept)
{
    struct radius_client_status *client = &self->clients[answer->client];
    pthread_mutex_lock(&self->mutex);
    client->kept += kept;
    client->not_kept += !kept;
    if (!kept)
        client->lost = clock_wall(clock_system());
    self->status.waiting--;
    pthread_mutex_unlock(&self->mutex);
}

/* Those before it have been settled, or have waited too long. */
static void give_up(struct radius_listener *self, int64_t now)
{
    for (; self->oldest < self->next; self->oldest++) {
        struct answer **place = &self->waiting[self->oldest % RADIUS_WAITING], *answer = *place;
        if (!answer)
            continue;
        if (answer->until > now)
            return;
        log_warning("RADIUS: a record could not be kept in time: its sender is not answered and tries again");
        radius_accounting_settle(self->server, answer->ticket, false);
        note_settled(self, answer, false);
        free(answer);
        *place = NULL;
    }
}

static bool is_slow(const struct radius_listener *self, int64_t now)
{
    const struct answer *answer =
        self->oldest < self->next ? self->waiting[self->oldest % RADIUS_WAITING] : NULL;
    return answer && now - (answer->until - self->patience) > SLOW;
}

void radius_listener_kept(struct radius_listener *self, uint64_t tag)
{
    uint64_t one = 1;
    bool first = false;
    pthread_mutex_lock(&self->mutex);
    if (self->kept->count < RADIUS_WAITING) {
        first = self->kept->count == 0;
        self->kept->of[self->kept->count++] = tag;
    }
    pthread_mutex_unlock(&self->mutex);
    if (first) {
        ssize_t n = write(self->wake, &one, sizeof one);
        (void)n;
    }
}

static void answer_kept(struct radius_listener *self)
{
    pthread_mutex_lock(&self->mutex);
    struct tags *heard = self->kept;
    self->kept = self->heard;
    self->kept->count = 0;
    self->heard = heard;
    pthread_mutex_unlock(&self->mutex);
    for (uint32_t i = 0; i < heard->count; i++) {
        uint64_t ticket = heard->of[i] - 1;
        struct answer **place = place_of(self, ticket), *answer = *place;
        if (!answer || answer->ticket != ticket)
            continue;
        *place = NULL;
        radius_accounting_settle(self->server, ticket, true);
        note_settled(self, answer, true);
        send_later(self, answer);
    }
    send_answers(self);
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
}

/* False: it is not taken, and its sender shall try again. */
static bool hand_on(struct radius_listener *self, struct answer *answer)
{
    struct answer **place = answer ? place_of(self, answer->ticket) : NULL;
    bool taken = place && !*place;
    if (taken) {
        *place = answer;
        self->next = answer->ticket / 2 + 1;
        pthread_mutex_lock(&self->mutex);
        self->status.waiting++;
        pthread_mutex_unlock(&self->mutex);
        if (intake_offer(self->intake, activity_finish(&self->writer), answer->ticket + 1))
            return true;
        *place = NULL;
        pthread_mutex_lock(&self->mutex);
        self->status.waiting--;
        pthread_mutex_unlock(&self->mutex);
    }
    radius_accounting_settle(self->server, self->outcome.ticket, false);
    free(answer);
    return false;
}

static void tell_intake(struct radius_listener *self, const struct slot *slot,
                        const struct radius_datagram *datagram)
{
    const struct intake_message message = {datagram->from.address, "radius", datagram->bytes};
    if (slot->verdict == RADIUS_MALFORMED)
        intake_refuse(self->intake, &message, "no RADIUS request");
    else if (slot->verdict == RADIUS_UNSUPPORTED)
        intake_refuse(self->intake, &message, "no accounting request");
    else if (slot->verdict == RADIUS_STATUS || slot->verdict == RADIUS_REPEAT ||
             slot->verdict == RADIUS_PENDING)
        intake_ignore(self->intake);
}

static void take_one(struct radius_listener *self, const struct opening *opening, unsigned i, int64_t wall,
                     int64_t monotonic)
{
    struct slot *slot = &self->slots[i];
    struct radius_outcome *outcome = &self->outcome;
    struct radius_datagram datagram = {
        .bytes = {slot->bytes, self->messages[i].msg_len},
        .from = socket_address_endpoint(&slot->from),
        .to = {.address = destination_of(&self->messages[i].msg_hdr), .port = opening->port},
        .wall = wall,
        .monotonic = monotonic,
    };
    radius_accounting_take(self->server, &datagram, &self->writer, outcome);
    slot->verdict = outcome->verdict;
    slot->client = outcome->client;
    slot->lost = false;
    warn(self, slot, &datagram.from);
    tell_intake(self, slot, &datagram);
    if (!outcome->reply_size || (slot->verdict == RADIUS_STATUS && is_slow(self, monotonic)))
        return;
    struct answer *answer = make_answer(self, opening, i, monotonic);
    if (slot->verdict == RADIUS_RECORD)
        slot->lost = !hand_on(self, answer);
    else if (answer)
        self->outbox[self->outbox_count++] = answer;
}

static void count_one(struct radius_listener *self, const struct slot *slot, int64_t wall)
{
    if (slot->verdict == RADIUS_STRANGER) {
        self->status.strangers++;
        return;
    }
    struct radius_client_status *client = &self->clients[slot->client];
    client->verdicts[slot->verdict]++;
    client->not_kept += slot->lost;
    if (slot->verdict <= RADIUS_PENDING)
        client->last = wall;
    if (slot->verdict == RADIUS_WRONG_SECRET)
        client->wrong_secret = wall;
    if (slot->lost)
        client->lost = wall;
}

static void prepare_messages(struct radius_listener *self)
{
    for (unsigned i = 0; i < BATCH; i++) {
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

static void serve(struct radius_listener *self, const struct opening *opening)
{
    prepare_messages(self);
    int taken = recvmmsg(opening->socket, self->messages, BATCH, MSG_DONTWAIT, NULL);
    if (taken <= 0)
        return;
    int64_t wall = clock_wall(clock_system()), monotonic = clock_monotonic(clock_system());
    for (unsigned i = 0; i < (unsigned)taken; i++)
        take_one(self, opening, i, wall, monotonic);
    pthread_mutex_lock(&self->mutex);
    self->status.datagrams += (unsigned)taken;
    for (unsigned i = 0; i < (unsigned)taken; i++)
        count_one(self, &self->slots[i], wall);
    pthread_mutex_unlock(&self->mutex);
    send_answers(self);
}

/* Until the oldest record has waited long enough; -1: none waits. */
static int next_turn(struct radius_listener *self)
{
    int64_t now = clock_monotonic(clock_system());
    give_up(self, now);
    if (self->oldest == self->next)
        return -1;
    int64_t left = self->waiting[self->oldest % RADIUS_WAITING]->until - now;
    return (int)(left / CLOCK_MILLISECOND) + 1;
}

static void *run(void *context)
{
    struct radius_listener *self = context;
    unsigned n = self->opening_count;
    struct pollfd fds[RADIUS_LISTENERS_MAX + 2];
    for (unsigned i = 0; i < n; i++)
        fds[i] = (struct pollfd){.fd = self->openings[i].socket, .events = POLLIN};
    fds[n] = (struct pollfd){.fd = self->stop, .events = POLLIN};
    fds[n + 1] = (struct pollfd){.fd = self->wake, .events = POLLIN};
    for (;;) {
        uint64_t count;
        poll(fds, n + 2, next_turn(self));
        if (fds[n].revents)
            return NULL;
        for (unsigned i = 0; i < n; i++)
            if (fds[i].revents)
                serve(self, &self->openings[i]);
        if (read(self->wake, &count, sizeof count) == (ssize_t)sizeof count)
            answer_kept(self);
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

static bool open_all(struct radius_listener *self, const struct radius_listener_config *config,
                     struct fault *fault)
{
    for (unsigned i = 0; i < config->listen_count; i++) {
        char text[IP_ADDRESS_TEXT_MAX];
        int s = open_socket(&config->listen[i]);
        if (s < 0)
            return fault_say(fault, "%s port %u: %s", ip_address_text(&config->listen[i].address, text),
                             config->listen[i].port, strerror(errno));
        self->openings[self->opening_count++] = (struct opening){s, port_of(s)};
    }
    self->status.port = self->openings[0].port;
    return true;
}

static void release(struct radius_listener *self)
{
    for (unsigned i = 0; i < self->opening_count; i++)
        close(self->openings[i].socket);
    if (self->stop >= 0)
        close(self->stop);
    if (self->wake >= 0)
        close(self->wake);
    for (unsigned i = 0; self->waiting && i < RADIUS_WAITING; i++)
        free(self->waiting[i]);
    free(self->waiting);
    free(self->outbox);
    free(self->heard);
    free(self->kept);
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
    self->intake = config->intake;
    self->patience = config->patience ? config->patience : PATIENCE;
    self->client_count = config->client_count;
    self->secrets = calloc(config->client_count + 1u, sizeof *self->secrets);
    self->clients = calloc(config->client_count + 1u, sizeof *self->clients);
    self->slots = calloc(BATCH, sizeof *self->slots);
    self->parts = calloc(BATCH, sizeof *self->parts);
    self->messages = calloc(BATCH, sizeof *self->messages);
    self->outbox = calloc(BATCH, sizeof(struct answer *));
    self->waiting = calloc(RADIUS_WAITING, sizeof(struct answer *));
    self->heard = calloc(1, sizeof *self->heard);
    self->kept = calloc(1, sizeof *self->kept);
    if (!self->secrets || !self->clients || !self->slots || !self->parts || !self->messages ||
        !self->outbox || !self->waiting || !self->heard || !self->kept)
        return fault_say(fault, "out of memory");
    if (self->stop < 0 || self->wake < 0)
        return fault_say(fault, "eventfd: %s", strerror(errno));
    return make_server(self, config, fault) && open_all(self, config, fault);
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
    self->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!make(self, config, fault)) {
        release(self);
        return NULL;
    }
    if (!thread_start(&self->thread, "radius", run, self)) {
        fault_say(fault, "a thread: %s", strerror(errno));
        release(self);
        return NULL;
    }
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
