/* SPDX-License-Identifier: Apache-2.0 */
#include "node/sender.h"

#include "base/clock.h"
#include "base/delivery.h"
#include "base/log.h"
#include "base/thread.h"
#include "cluster/connections.h"
#include "cluster/host_resolver.h"
#include "cluster/identity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define CURVE_OVERHEAD 33 /* what CURVE adds to a frame (RFC 26) */

#define TURN          (100 * CLOCK_MILLISECOND) /* how often the spool is asked for more */
#define GREETING      (10 * CLOCK_SECOND)       /* for name, connection and WELCOME */
#define PATIENCE      (30 * CLOCK_SECOND)       /* for an acknowledgement */
#define BACKOFF_LEAST (500 * CLOCK_MILLISECOND)
#define BACKOFF_MOST  (60 * CLOCK_SECOND)
#define FAIL_BACK     (5 * CLOCK_MINUTE) /* then the first center is tried again */
#define FORGET        CLOCK_SECOND       /* how often the spool hears what it need not keep */
#define DRAIN         CLOCK_SECOND       /* at the end */
#define STUCK         (5 * CLOCK_MINUTE)
#define MESSAGE_EXTRA 512u /* of a BATCH beside its payload */
#define MONITORED                                                                                            \
    (ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_CONNECT_RETRIED |                                 \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                            \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

struct sender {
    struct sender_config config;
    pthread_t thread;
    int stop;

    /* The thread's own. */
    void *context, *socket, *monitor;
    struct host_resolver *resolver;
    unsigned monitors; /* their names are numbered */
    struct delivery_sender delivery;
    unsigned server;    /* that is tried or used */
    int64_t attempt_at; /* mono: of the attempt under way */
    int64_t connected_at;
    uint64_t ticket, tickets; /* of the name that is looked up; 0: none */
    unsigned port;
    int64_t retry_at, backoff;
    struct spool_entry entry; /* read, not sent yet; payload NULL: none */
    bool blocked;             /* the socket took no more */
    int64_t tokens_at;
    double tokens;      /* bytes that may be sent */
    uint64_t forgotten; /* sequence up to which the spool was told */
    int64_t forget_at;
    int64_t progress; /* mono: when something was acknowledged, or nothing waited */
    int64_t end_at;   /* mono: 0: it is not to end yet */

    pthread_mutex_t lock; /* guards what follows */
    struct sender_status status;
};

static int64_t monotonic(void)
{
    return clock_monotonic(clock_system());
}

/* --- settings --- */

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool sender_server_parse(struct sender_server *server, const char *text)
{
    struct tcp_address address;
    const char *key = text + strcspn(text, " \t");
    size_t host = (size_t)(key - text);
    key += strspn(key, " \t");
    if (host + sizeof("tcp://") > sizeof(server->endpoint) || strlen(key) != 2 * CURVE_KEY_SIZE)
        return false;
    snprintf(server->endpoint, sizeof(server->endpoint), "tcp://%.*s", (int)host, text);
    for (size_t i = 0; i < CURVE_KEY_SIZE; i++) {
        int high = digit_of(key[2 * i]), low = digit_of(key[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        server->key[i] = (uint8_t)(high << 4 | low);
    }
    return tcp_address_parse(&address, server->endpoint) && !address.any && address.at.port != 0;
}

static bool minute_parse(unsigned *minute, const char *text)
{
    for (int i = 0; i < 5; i++)
        if (i == 2 ? text[i] != ':' : text[i] < '0' || text[i] > '9')
            return false;
    unsigned hours = (unsigned)(text[0] - '0') * 10 + (unsigned)(text[1] - '0');
    unsigned minutes = (unsigned)(text[3] - '0') * 10 + (unsigned)(text[4] - '0');
    *minute = hours * 60 + minutes;
    return minutes < 60 && *minute <= 24 * 60;
}

bool sender_hours_parse(struct sender_hours *hours, const char *text)
{
    return strlen(text) == 11 && minute_parse(&hours->from, text) && text[5] == '-' &&
           minute_parse(&hours->to, text + 6) && hours->from < 24 * 60;
}

bool sender_hours_allow(const struct sender_hours *hours, unsigned count, unsigned minute)
{
    for (unsigned i = 0; i < count; i++) {
        const struct sender_hours *h = &hours[i];
        bool inside =
            h->from < h->to ? minute >= h->from && minute < h->to : minute >= h->from || minute < h->to;
        if (inside)
            return true;
    }
    return count == 0;
}

static bool is_time(const struct sender *self)
{
    struct tm local;
    time_t now = time(NULL);
    localtime_r(&now, &local);
    return sender_hours_allow(self->config.hours, self->config.hours_count,
                              (unsigned)local.tm_hour * 60 + (unsigned)local.tm_min);
}

/* --- status --- */

const char *sender_state_name(enum sender_state state)
{
    static const char *const names[] = {"waiting", "connecting", "sending", "resting"};
    return names[state];
}

static void set_state(struct sender *self, enum sender_state state)
{
    pthread_mutex_lock(&self->lock);
    if (self->status.state != state)
        self->status.since = clock_wall(clock_system());
    self->status.state = state;
    if (self->server < self->config.server_count)
        memcpy(self->status.server, self->config.servers[self->server].endpoint, sizeof(self->status.server));
    pthread_mutex_unlock(&self->lock);
}

static enum sender_state state_of(struct sender *self)
{
    return self->status.state; /* only this thread writes it */
}

static void publish(struct sender *self)
{
    int64_t now = monotonic();
    uint64_t durable = spool_durable(self->config.spool);
    if (durable <= self->delivery.acknowledged || state_of(self) == SENDER_RESTING)
        self->progress = now;
    pthread_mutex_lock(&self->lock);
    self->status.sent = self->delivery.sent;
    self->status.acknowledged = self->delivery.acknowledged;
    self->status.durable = durable;
    self->status.undelivered = now - self->progress;
    pthread_mutex_unlock(&self->lock);
}

void sender_status(struct sender *self, struct sender_status *status)
{
    pthread_mutex_lock(&self->lock);
    *status = self->status;
    pthread_mutex_unlock(&self->lock);
}

bool sender_is_stuck(const struct sender_status *status)
{
    return status->undelivered >= STUCK;
}

/* --- a connection --- */

static void disconnect(struct sender *self)
{
    static const uint8_t nothing[CURVE_KEY_SIZE];
    struct socket_event event;
    if (self->monitor) {
        while (socket_event_take(self->monitor, &event))
            continue;
        zmq_socket_monitor(self->socket, NULL, 0);
        zmq_close(self->monitor);
    }
    if (self->socket) {
        /* ZeroMQ does not wipe its copy of the secret key: overwrite it. */
        zmq_setsockopt(self->socket, ZMQ_CURVE_SECRETKEY, nothing, sizeof(nothing));
        zmq_close(self->socket);
    }
    self->socket = self->monitor = NULL;
    self->delivery.state = DELIVERY_CLOSED;
    self->ticket = 0;
    self->blocked = false;
    spool_entry_free(&self->entry);
}

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0;
}

/* One connection, never made again by ZeroMQ itself: what it had queued would be lost in silence. */
static bool set_options(void *socket)
{
    int64_t reply_max = DELIVERY_REPLY_MAX + CURVE_OVERHEAD;
    return set_int(socket, ZMQ_LINGER, 0) && set_int(socket, ZMQ_IPV6, 1) &&
           set_int(socket, ZMQ_SNDHWM, (int)DELIVERY_FLIGHT_MAX + 2) && set_int(socket, ZMQ_RCVHWM, 512) &&
           zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &reply_max, sizeof(reply_max)) == 0 &&
           set_int(socket, ZMQ_RECONNECT_IVL, -1) && set_int(socket, ZMQ_HANDSHAKE_IVL, 5000) &&
           set_int(socket, ZMQ_CONNECT_TIMEOUT, 5000) && set_int(socket, ZMQ_HEARTBEAT_IVL, 5000) &&
           set_int(socket, ZMQ_HEARTBEAT_TIMEOUT, 15000) && set_int(socket, ZMQ_HEARTBEAT_TTL, 20000) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE, 0);
}

static bool set_keys(struct sender *self, const struct identity *identity)
{
    uint8_t public_key[CURVE_KEY_SIZE], *secret = secret_alloc(CURVE_KEY_SIZE);
    struct crypto_sodium *keys = identity_keys(identity);
    bool fine = keys && secret;
    if (fine) {
        crypto_sodium_curve(keys, public_key, secret);
        fine = zmq_setsockopt(self->socket, ZMQ_CURVE_SERVERKEY, self->config.servers[self->server].key,
                              CURVE_KEY_SIZE) == 0 &&
               zmq_setsockopt(self->socket, ZMQ_CURVE_PUBLICKEY, public_key, CURVE_KEY_SIZE) == 0 &&
               zmq_setsockopt(self->socket, ZMQ_CURVE_SECRETKEY, secret, CURVE_KEY_SIZE) == 0;
    }
    crypto_sodium_destroy(&keys);
    secret_free(secret);
    return fine;
}

static bool watch(struct sender *self)
{
    char endpoint[64];
    snprintf(endpoint, sizeof(endpoint), "inproc://delivery.%u", ++self->monitors);
    if (zmq_socket_monitor(self->socket, endpoint, MONITORED) != 0)
        return false;
    self->monitor = zmq_socket(self->context, ZMQ_PAIR);
    return self->monitor && set_int(self->monitor, ZMQ_LINGER, 0) &&
           zmq_connect(self->monitor, endpoint) == 0;
}

static bool say(struct sender *self, const struct delivery_message *message, size_t capacity)
{
    zmq_msg_t part;
    if (zmq_msg_init_size(&part, capacity) != 0)
        return false;
    size_t size = delivery_write(zmq_msg_data(&part), capacity, message);
    zmq_msg_t exact;
    bool fine = size > 0 && zmq_msg_init_size(&exact, size) == 0;
    if (fine) {
        memcpy(zmq_msg_data(&exact), zmq_msg_data(&part), size);
        fine = zmq_msg_send(&exact, self->socket, ZMQ_DONTWAIT) >= 0;
        if (!fine)
            zmq_msg_close(&exact);
    }
    zmq_msg_close(&part);
    return fine;
}

/* Who this is and how far the spool is acknowledged. */
static bool greet(struct sender *self, const struct identity *identity, struct fault *fault)
{
    struct disk_content content = {0};
    struct policy policy;
    struct spool_status status;
    spool_status(self->config.spool, &status);
    if (policy_load(&policy, &content, &identity->trust, self->config.disk, self->config.state, fault) ==
        DISK_FAILED)
        return false;
    const struct delivery_message hello = {
        .type = DELIVERY_HELLO,
        .version = DELIVERY_VERSION,
        .node = {identity->id.bytes, NODE_ID_SIZE},
        .generation = spool_generation(self->config.spool),
        .certificate = identity_certificate(identity),
        .policy = {content.data, content.size},
        .sequence = status.acknowledged,
        .settings = self->config.settings_version,
    };
    bool said = say(self, &hello, DELIVERY_POLICY_MAX + DELIVERY_CERTIFICATE_MAX + MESSAGE_EXTRA);
    disk_content_free(&content);
    if (!said)
        return fault_say(fault, "HELLO cannot be sent");
    delivery_sender_greet(&self->delivery, status.acknowledged, monotonic());
    return true;
}

static bool dial(struct sender *self, const struct identity *identity, const struct endpoint *at,
                 struct fault *fault)
{
    char address[TCP_ADDRESS_MAX];
    self->socket = zmq_socket(self->context, ZMQ_DEALER);
    if (!self->socket || !set_options(self->socket) || !set_keys(self, identity) || !watch(self) ||
        zmq_connect(self->socket, tcp_address_text(at, address)) != 0)
        return fault_say(fault, "ZeroMQ: %s", zmq_strerror(errno));
    return greet(self, identity, fault);
}

static bool connect_to(struct sender *self, const struct endpoint *at, struct fault *fault)
{
    struct identity *identity = NULL;
    enum disk_found found = identity_load(&identity, self->config.disk, self->config.state, fault);
    if (found != DISK_FOUND)
        return found == DISK_ABSENT ? fault_say(fault, "this node has no identity") : false;
    bool fine = identity->encoded_size > 0 || fault_say(fault, "this node is not enrolled");
    fine = fine && dial(self, identity, at, fault);
    identity_destroy(&identity);
    return fine;
}

/* --- attempts --- */

static int64_t with_jitter(int64_t duration)
{
    uint32_t random;
    crypto_random(&random, sizeof(random));
    return duration * 3 / 4 + duration / 2 * (int64_t)(random >> 16) / 65536;
}

static void wait_for(struct sender *self, int64_t duration)
{
    self->retry_at = monotonic() + duration;
    set_state(self, SENDER_WAITING);
}

/* The attempt or the connection ended. On to the next center at once, after the last with a pause. */
static void fail(struct sender *self, const char *why)
{
    bool was_sending = state_of(self) == SENDER_SENDING;
    log_warning("%s: %s", self->config.servers[self->server].endpoint, why);
    pthread_mutex_lock(&self->lock);
    snprintf(self->status.fault, sizeof(self->status.fault), "%s", why);
    self->status.failures++;
    pthread_mutex_unlock(&self->lock);
    disconnect(self);
    if (!was_sending && self->server + 1 < self->config.server_count) {
        self->server++;
        wait_for(self, 0);
        return;
    }
    self->server = 0;
    wait_for(self, with_jitter(self->backoff));
    self->backoff = 2 * self->backoff < BACKOFF_MOST ? 2 * self->backoff : BACKOFF_MOST;
}

static void attempt(struct sender *self)
{
    struct tcp_address address;
    struct fault fault;
    self->attempt_at = monotonic();
    set_state(self, SENDER_CONNECTING);
    if (!tcp_address_parse(&address, self->config.servers[self->server].endpoint)) {
        fail(self, "no address");
    } else if (address.at.address.family) {
        if (!connect_to(self, &address.at, &fault))
            fail(self, fault.text);
    } else {
        self->port = address.at.port;
        self->ticket = ++self->tickets;
        if (!host_resolver_ask(self->resolver, self->ticket, address.host))
            fail(self, "the name cannot be looked up");
    }
}

static void hear_names(struct sender *self)
{
    struct host_resolver_answer answer;
    struct fault fault;
    while (host_resolver_take(self->resolver, &answer)) {
        if (answer.ticket != self->ticket)
            continue;
        self->ticket = 0;
        /* Another address each time, or one that is dead would be the end of it. */
        struct endpoint at = {.port = (uint16_t)self->port};
        if (answer.count)
            at.address = answer.addresses[self->status.failures % answer.count];
        if (answer.count == 0)
            fail(self, "there is no such name, or nobody answered");
        else if (!connect_to(self, &at, &fault))
            fail(self, fault.text);
    }
}

static void watch_connection(struct sender *self)
{
    struct socket_event event;
    if (!self->monitor || !socket_event_take(self->monitor, &event))
        return;
    if (event.type == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH || event.type == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL ||
        event.type == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
        fail(self, "no handshake: is it the center's key?");
    else
        fail(self, state_of(self) == SENDER_SENDING ? "the connection ended" : "no connection");
}

/* --- what the center says --- */

static void hear_settings(struct sender *self, const struct delivery_message *message)
{
    struct fault fault = {{0}};
    struct delivery_message settled = {
        .type = DELIVERY_SETTLED, .sequence = message->sequence, .kind = DELIVERY_UNFIT};
    if (self->config.settings)
        settled.kind = (uint64_t)self->config.settings(self->config.context, message->sequence,
                                                       message->payload, &fault);
    else
        fault_say(&fault, "this node takes no settings");
    if (settled.kind != DELIVERY_UNFIT)
        self->config.settings_version = message->sequence;
    size_t size = strlen(fault.text);
    settled.text =
        (struct bytes){(const uint8_t *)fault.text, size < DELIVERY_TEXT_MAX ? size : DELIVERY_TEXT_MAX};
    if (!say(self, &settled, DELIVERY_TEXT_MAX + MESSAGE_EXTRA))
        fail(self, "it does not take an answer");
}

/* The spool was told up to there; less often than acknowledgements come, for it writes to the disk. */
static void forget(struct sender *self, bool now)
{
    if (self->delivery.acknowledged <= self->forgotten || (!now && monotonic() < self->forget_at))
        return;
    if (spool_acknowledge(self->config.spool, self->delivery.acknowledged))
        self->forgotten = self->delivery.acknowledged;
    self->forget_at = monotonic() + FORGET;
}

static void make_progress(struct sender *self, uint64_t batches, uint64_t bytes)
{
    self->progress = monotonic();
    pthread_mutex_lock(&self->lock);
    self->status.batches += batches;
    self->status.bytes += bytes;
    self->status.last_acknowledged = clock_wall(clock_system());
    pthread_mutex_unlock(&self->lock);
    forget(self, false);
}

static void begin_sending(struct sender *self)
{
    self->connected_at = monotonic();
    self->backoff = BACKOFF_LEAST;
    if (self->delivery.window > self->config.window)
        self->delivery.window = self->config.window;
    pthread_mutex_lock(&self->lock);
    self->status.connections++;
    self->status.fault[0] = '\0';
    pthread_mutex_unlock(&self->lock);
    set_state(self, SENDER_SENDING);
    log_notice("delivers to %s, from %llu on", self->config.servers[self->server].endpoint,
               (unsigned long long)self->delivery.sent + 1);
}

static void greet_again(struct sender *self)
{
    struct identity *identity = NULL;
    struct fault fault;
    spool_entry_free(&self->entry);
    if (identity_load(&identity, self->config.disk, self->config.state, &fault) != DISK_FOUND ||
        !greet(self, identity, &fault))
        fail(self, fault.text);
    identity_destroy(&identity);
}

static void hear_text(struct sender *self, const char *what, struct bytes text)
{
    char words[FAULT_MAX];
    snprintf(words, sizeof(words), "%s: %.*s", what, (int)text.size, (const char *)text.data);
    for (char *c = words; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    if (self->delivery.state == DELIVERY_SENDING && strncmp(what, "refused", 7) == 0)
        log_warning("%s", words);
    else
        fail(self, words);
}

static void hear(struct sender *self, struct bytes bytes)
{
    struct delivery_message message;
    struct spool_status spool;
    uint64_t flight = self->delivery.flight_bytes, count = self->delivery.flight_count;
    spool_status(self->config.spool, &spool);
    if (!delivery_read(&message, bytes)) {
        fail(self, "what it says is not understood");
        return;
    }
    switch (delivery_sender_hear(&self->delivery, &message, spool.last)) {
    case DELIVERY_HEARD_NOTHING:
        return;
    case DELIVERY_HEARD_WELCOME:
        begin_sending(self);
        return;
    case DELIVERY_HEARD_REFUSED:
        pthread_mutex_lock(&self->lock);
        self->status.refused++;
        pthread_mutex_unlock(&self->lock);
        hear_text(self, "refused", message.text);
        make_progress(self, 0, 0);
        return;
    case DELIVERY_HEARD_PROGRESS:
        make_progress(self, count - self->delivery.flight_count, flight - self->delivery.flight_bytes);
        return;
    case DELIVERY_HEARD_AHEAD:
        log_warning("the center has more than this spool ever held: it is a copy of an earlier one, and its "
                    "numbers begin anew");
        if (spool_renew(self->config.spool))
            greet_again(self);
        else
            fail(self, "the spool cannot be written");
        return;
    case DELIVERY_HEARD_AGAIN:
        greet_again(self);
        return;
    case DELIVERY_HEARD_DENIED:
        hear_text(self, "denied", message.text);
        return;
    case DELIVERY_HEARD_SETTINGS:
        hear_settings(self, &message);
        return;
    case DELIVERY_HEARD_WRONG:
        fail(self, "it says what cannot be");
        return;
    }
}

static void listen_to(struct sender *self)
{
    for (unsigned i = 0; i < 1000 && self->socket; i++) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        bool there = zmq_msg_recv(&part, self->socket, ZMQ_DONTWAIT) >= 0;
        if (there)
            hear(self, (struct bytes){zmq_msg_data(&part), zmq_msg_size(&part)});
        zmq_msg_close(&part);
        if (!there)
            return;
    }
}

/* --- sending --- */

static void gain_tokens(struct sender *self)
{
    int64_t now = monotonic();
    double rate = (double)self->config.bandwidth;
    self->tokens += rate * (double)(now - self->tokens_at) / 1e9;
    if (self->tokens > rate)
        self->tokens = rate;
    self->tokens_at = now;
}

/* The next entry that may be sent is at hand. */
static bool have_entry(struct sender *self)
{
    if (self->entry.payload)
        return true;
    uint64_t durable = spool_durable(self->config.spool);
    uint64_t after = self->delivery.sent;
    while (after < durable && spool_next(self->config.spool, after, &self->entry)) {
        if (self->entry.sequence > durable) {
            spool_entry_free(&self->entry);
            return false;
        }
        if (self->entry.size <= DELIVERY_PAYLOAD_MAX)
            return true;
        log_warning("entry %llu of the spool is too large to be sent",
                    (unsigned long long)self->entry.sequence);
        pthread_mutex_lock(&self->lock);
        self->status.skipped++;
        pthread_mutex_unlock(&self->lock);
        after = self->entry.sequence;
        spool_entry_free(&self->entry);
    }
    return false;
}

/* False: no more now. */
static bool send_one(struct sender *self)
{
    if (!have_entry(self) || !delivery_sender_may_send(&self->delivery, self->entry.size) ||
        (self->config.bandwidth && self->tokens <= 0))
        return false;
    const struct delivery_message batch = {.type = DELIVERY_BATCH,
                                           .sequence = self->entry.sequence,
                                           .after = self->delivery.sent,
                                           .kind = (uint64_t)self->entry.kind,
                                           .wall = self->entry.wall,
                                           .payload = {self->entry.payload, self->entry.size}};
    if (!say(self, &batch, self->entry.size + MESSAGE_EXTRA))
        return false;
    delivery_sender_sent(&self->delivery, self->entry.sequence, self->entry.size, monotonic());
    self->tokens -= (double)self->entry.size;
    spool_entry_free(&self->entry);
    return true;
}

static void send_more(struct sender *self)
{
    if (self->delivery.state != DELIVERY_SENDING)
        return;
    gain_tokens(self);
    while (send_one(self))
        continue;
}

/* What does not go now is not worth to be told later. */
static void send_report(struct sender *self)
{
    size_t size = 0;
    if (self->delivery.state != DELIVERY_SENDING || !self->config.report)
        return;
    uint8_t *report = self->config.report(self->config.context, &size);
    const struct delivery_message message = {.type = DELIVERY_REPORT, .payload = {report, size}};
    if (report && size <= DELIVERY_PAYLOAD_MAX && say(self, &message, size + MESSAGE_EXTRA))
        self->tokens -= (double)size;
    free(report);
}

/* --- the thread --- */

static void look_after(struct sender *self)
{
    int64_t now = monotonic();
    enum sender_state state = state_of(self);
    bool time = is_time(self);
    if (!time && state != SENDER_RESTING && self->delivery.flight_count == 0) {
        disconnect(self);
        set_state(self, SENDER_RESTING);
    } else if (state == SENDER_RESTING && time) {
        self->server = 0;
        wait_for(self, 0);
    } else if (state == SENDER_WAITING && now >= self->retry_at) {
        attempt(self);
    } else if (state == SENDER_CONNECTING && now - self->attempt_at > GREETING) {
        fail(self, "it does not answer");
    } else if (state == SENDER_SENDING && delivery_sender_is_lost(&self->delivery, now, PATIENCE)) {
        fail(self, "it does not acknowledge");
    } else if (state == SENDER_SENDING && self->server != 0 && self->delivery.flight_count == 0 &&
               now - self->connected_at > FAIL_BACK) {
        disconnect(self);
        self->server = 0;
        wait_for(self, 0);
    }
}

static bool is_over(struct sender *self)
{
    if (self->end_at == 0)
        return false;
    bool all = self->delivery.acknowledged >= spool_durable(self->config.spool);
    return all || state_of(self) != SENDER_SENDING || monotonic() >= self->end_at;
}

static void wait_for_events(struct sender *self)
{
    zmq_pollitem_t items[4] = {{.fd = host_resolver_descriptor(self->resolver), .events = ZMQ_POLLIN}};
    int count = 1;
    if (self->end_at == 0)
        items[count++] = (zmq_pollitem_t){.fd = self->stop, .events = ZMQ_POLLIN};
    if (self->socket) {
        items[count++] = (zmq_pollitem_t){.socket = self->socket, .events = ZMQ_POLLIN};
        items[count++] = (zmq_pollitem_t){.socket = self->monitor, .events = ZMQ_POLLIN};
    }
    zmq_poll(items, count, TURN / CLOCK_MILLISECOND);
    if (self->end_at == 0 && items[1].revents)
        self->end_at = monotonic() + DRAIN;
}

static void *run(void *context)
{
    struct sender *self = context;
    while (!is_over(self)) {
        look_after(self);
        send_more(self);
        send_report(self);
        publish(self);
        wait_for_events(self);
        hear_names(self);
        listen_to(self);
        watch_connection(self);
        forget(self, false);
    }
    forget(self, true);
    disconnect(self);
    return NULL;
}

/* --- start and end --- */

static void destroy(struct sender **self_p)
{
    struct sender *self = *self_p;
    host_resolver_destroy(&self->resolver);
    if (self->context)
        zmq_ctx_term(self->context);
    if (self->stop >= 0)
        close(self->stop);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

struct sender *sender_start(const struct sender_config *config, struct fault *fault)
{
    struct sender *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    struct spool_status spool;
    spool_status(config->spool, &spool);
    self->config = *config;
    self->backoff = BACKOFF_LEAST;
    self->forgotten = self->delivery.acknowledged = self->delivery.sent = spool.acknowledged;
    self->progress = self->tokens_at = monotonic();
    self->status.since = clock_wall(clock_system());
    pthread_mutex_init(&self->lock, NULL);
    self->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->resolver = host_resolver_new();
    self->context = zmq_ctx_new();
    if (self->context) {
        zmq_ctx_set(self->context, ZMQ_BLOCKY, 0);
        zmq_ctx_set(self->context, ZMQ_IPV6, 1);
    }
    if (self->context && self->resolver && self->stop >= 0 &&
        thread_start(&self->thread, "sender", run, self))
        return self;
    fault_say(fault, "what sends to the center: out of memory, descriptors or threads");
    destroy(&self);
    return NULL;
}

void sender_stop(struct sender **self_p)
{
    struct sender *self = *self_p;
    uint64_t one = 1;
    if (!self)
        return;
    if (write(self->stop, &one, sizeof(one)) == (ssize_t)sizeof(one))
        pthread_join(self->thread, NULL);
    destroy(self_p);
}
