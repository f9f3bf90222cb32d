/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/transport.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "cluster/crypto_sodium.h"
#include "cluster/transport_internal.h"

#define INBOUND_ROUTE     (UINT64_C(1) << 32)
#define OUTBOUND_ROUTE    (UINT64_C(1) << 33)
#define HIGH_WATER_MAX    1024u
#define MONITOR_BATCH     256 /* events of one monitor per call */
#define FRAME_BATCH       256 /* frames without news for the caller per call */
#define DESCRIPTORS_EVERY 5000
#define DESCRIPTORS_OTHER 64 /* of the process, beside the connections */
#define ENROLLING_TIME    10000
#define MOMENT            1

void transport_options_init(struct transport_options *options)
{
    *options = (struct transport_options){
        .enrolments_burst = 400,
        .enrolments_per_min = 1200,
        .enrolling_max = 64,
        .keys_max = 32768,
        .inbound_max = 64,
        .dialled_max = 48,
        .temporary_max = 16,
        .high_water = 64,
        .message_max = 65536,
        .heartbeat = 15000,
        .heartbeat_timeout = 45000,
        .heartbeat_ttl = 60000,
        .handshake = 3000,
        .connect = 5000,
        .reconnect_min = 500,
        .reconnect_max = 60000,
        .drain = 3000,
        .temporary_idle = 30000,
    };
}

static bool options_fine(const struct transport_options *options, struct fault *fault)
{
    if (options->bind_count > TRANSPORT_BINDS || !options->high_water ||
        options->high_water > HIGH_WATER_MAX || !options->inbound_max || !options->keys_max ||
        !options->message_max || options->reconnect_min < 2 ||
        options->reconnect_max < options->reconnect_min || node_id_is_zero(&options->self))
        return fault_say(fault, "the transport's options contradict each other");
    return true;
}

/* Fewer connections rather than none left for the rest of the process. */
static uint32_t inbound_within_limit(const struct transport_options *options)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return options->inbound_max;
    uint64_t others =
        DESCRIPTORS_OTHER + options->dialled_max + options->temporary_max + options->enrolling_max;
    uint64_t left = limit.rlim_cur > others + 8 ? limit.rlim_cur - others : 8;
    if (left >= options->inbound_max)
        return options->inbound_max;
    log_warning("only %llu connections of other nodes are accepted: the limit of open files (%llu) is low",
                (unsigned long long)left, (unsigned long long)limit.rlim_cur);
    return (uint32_t)left;
}

static bool tables_init(struct transport *self, const struct transport_options *options)
{
    uint32_t inbound = inbound_within_limit(options);
    self->link_max = inbound + LINKS_OF_PEER + 2 * (options->dialled_max + options->temporary_max);
    self->peer_max = self->link_max + options->dialled_max + options->temporary_max;
    self->links = calloc(self->link_max, sizeof *self->links);
    self->peers = calloc(self->peer_max, sizeof *self->peers);
    self->news = calloc(self->peer_max, sizeof *self->news);
    return self->links && self->peers && self->news && inbound_init(&self->inbound, inbound) &&
           inbound_init(&self->enrolling, options->enrolling_max);
}

struct transport *transport_new(const struct transport_options *options, struct fault *fault)
{
    if (!options_fine(options, fault))
        return NULL;
    struct transport *self = calloc(1, sizeof *self);
    if (!self) {
        fault_say(fault, "no memory");
        return NULL;
    }
    self->options = *options;
    self->options.public_key = self->options.secret_key = NULL;
    self->options.enrolment_public_key = self->options.enrolment_secret_key = NULL;
    self->next_route = OUTBOUND_ROUTE;
    self->next_ticket = 1;
    self->now = clock_monotonic(clock_system()) / CLOCK_MILLISECOND; /* until the first tick */
    zmq_msg_init(&self->received);
    self->resolver = host_resolver_new();
    bool fine = self->resolver && tables_init(self, options);
    if (!fine)
        fault_say(fault, "no memory or no thread for the transport");
    if (!fine || !sockets_open(self, options, fault))
        transport_destroy(&self);
    return self;
}

void transport_destroy(struct transport **self_p)
{
    struct transport *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    zmq_msg_close(&self->received);
    sockets_close(self);
    host_resolver_destroy(&self->resolver);
    inbound_free(&self->inbound);
    inbound_free(&self->enrolling);
    free(self->links);
    free(self->peers);
    free(self->news);
    free(self);
}

const char *transport_endpoint(const struct transport *self, unsigned index)
{
    return index < self->listener_count ? self->listeners[index].text : "";
}

const char *transport_enrolment_endpoint(const struct transport *self)
{
    return self->enrolment_listener.text;
}

/* --- who is admitted --- */

bool transport_admit(struct transport *self, const struct node_id *id,
                     const uint8_t public_key[TRANSPORT_KEY_SIZE])
{
    return zap_admit(self->zap, id, public_key);
}

static void cut_links(struct transport *self, const struct peer *peer, const uint8_t *key)
{
    for (uint32_t i = 0; i < self->link_max; i++) {
        struct link *link = &self->links[i];
        if (link->state == LINK_FREE || (peer && &self->peers[link->peer] != peer) ||
            (key && memcmp(link->key, key, TRANSPORT_KEY_SIZE) != 0))
            continue;
        if (link->state == LINK_ENDED)
            link->state = LINK_BURIED; /* what it had sent before is not delivered */
        link_cut(self, link, "its key is no longer admitted");
    }
}

void transport_expel(struct transport *self, const struct node_id *id)
{
    zap_expel_node(self->zap, id);
    struct peer *peer = peers_find(self, id);
    if (!peer)
        return;
    peer->key_count = 0;
    dial_stop(self, peer);
    cut_links(self, peer, NULL);
}

static void forget_key(struct transport *self, struct peer *peer, const uint8_t *key)
{
    for (unsigned k = 0; k < peer->key_count; k++)
        if (memcmp(peer->keys[k], key, TRANSPORT_KEY_SIZE) == 0) {
            memcpy(peer->keys[k], peer->keys[peer->key_count - 1], TRANSPORT_KEY_SIZE);
            peer->key_count--;
            if (!peer->key_count)
                dial_stop(self, peer);
            return;
        }
}

void transport_expel_key(struct transport *self, const uint8_t public_key[TRANSPORT_KEY_SIZE])
{
    zap_expel_key(self->zap, public_key);
    for (uint32_t i = 0; i < self->peer_max; i++)
        if (self->peers[i].used)
            forget_key(self, &self->peers[i], public_key);
    cut_links(self, NULL, public_key);
}

/* --- links --- */

static uint32_t wanted_count(const struct transport *self, bool temporary)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->peer_max; i++)
        count += self->peers[i].used && self->peers[i].wanted && self->peers[i].temporary == temporary;
    return count;
}

static unsigned read_endpoints(struct tcp_address *to, const char *const *endpoints, unsigned count)
{
    unsigned read = 0;
    for (unsigned i = 0; i < count && read < TRANSPORT_ENDPOINTS; i++)
        if (tcp_address_parse(&to[read], endpoints[i]) && to[read].at.port && !to[read].any)
            read++;
    return read;
}

static void take_key(struct transport *self, struct peer *peer, const uint8_t *key)
{
    struct node_id owner;
    uint8_t before[TRANSPORT_KEY_SIZE];
    if (peer->key_count && memcmp(peer->keys[0], key, TRANSPORT_KEY_SIZE) == 0)
        return;
    bool keep = peer->key_count > 0;
    memcpy(before, peer->keys[0], sizeof before);
    memcpy(peer->keys[0], key, TRANSPORT_KEY_SIZE);
    memcpy(peer->keys[1], before, sizeof before);
    keep = keep && zap_find(self->zap, before, &owner) && node_id_equal(&owner, &peer->id);
    peer->key_count = keep ? 2 : 1;
    peer->key_next = 0;
}

bool transport_dial(struct transport *self, const struct node_id *id,
                    const uint8_t server_key[TRANSPORT_KEY_SIZE], const char *const *endpoints,
                    unsigned endpoint_count, enum transport_want want)
{
    struct tcp_address read[TRANSPORT_ENDPOINTS];
    struct node_id owner;
    bool temporary = want == TRANSPORT_TEMPORARY;
    unsigned count = read_endpoints(read, endpoints, endpoint_count);
    if (!count || node_id_equal(id, &self->options.self) || !zap_find(self->zap, server_key, &owner) ||
        !node_id_equal(&owner, id))
        return false;
    struct peer *peer = peers_find(self, id);
    bool keeps = peer && peer->wanted && (peer->temporary == temporary || temporary);
    if (!keeps && wanted_count(self, temporary) >=
                      (temporary ? self->options.temporary_max : self->options.dialled_max))
        return false;
    peer = peers_get(self, id);
    if (!peer)
        return false;
    if (!keeps)
        peer->temporary = temporary;
    peer->wanted = true;
    peer->idle_since = self->now;
    take_key(self, peer, server_key);
    /* Whoever dials waits to hear that the link is up, also when it is. */
    if (!temporary && peer->up && peer->told_up) {
        peer->tell_again = true;
        peer_news(self, peer);
    }
    /* A round under way goes on with the addresses that it has. */
    if (!peer->round) {
        memcpy(peer->endpoints, read, count * sizeof *read);
        peer->endpoint_count = count;
        if (self->now >= peer->retry_at)
            dial_start(self, peer);
    }
    return true;
}

void transport_hang_up(struct transport *self, const struct node_id *id)
{
    struct peer *peer = peers_find(self, id);
    if (!peer)
        return;
    dial_stop(self, peer);
    peer_free_unused(self, peer);
}

/* A link that is not up yet takes messages only for who wanted it for this one message's sake, or while it
 * takes over from one that the peer ends. */
static struct link *link_to_send(struct transport *self, const struct peer *peer)
{
    struct link *link = peer_link(self, peer);
    if (link || !(peer->temporary || peer->up) || peer->dialled == NO_LINK)
        return link;
    link = &self->links[peer->dialled];
    return link->state == LINK_DIALLING ? link : NULL;
}

enum transport_result transport_send(struct transport *self, const struct node_id *id, const void *bytes,
                                     size_t size)
{
    if (size > self->options.message_max)
        return TRANSPORT_TOO_LARGE;
    struct peer *peer = peers_find(self, id);
    struct link *link = peer ? link_to_send(self, peer) : NULL;
    if (!link)
        return TRANSPORT_NO_LINK;
    enum transport_result result = link_send(self, link, FRAME_DATA, bytes, size);
    if (result == TRANSPORT_SENT) {
        peer->messages_out++;
        peer->bytes_out += size;
        peer->idle_since = self->now;
        self->counters.messages_out++;
        self->counters.bytes_out += size;
    } else if (result == TRANSPORT_FULL) {
        peer->dropped++;
        self->counters.full++;
    } else {
        link_ended(self, link, "the connection was closed");
    }
    return result;
}

/* --- receiving --- */

bool transport_frame_read(struct bytes frame, enum frame_kind *kind, struct bytes *data)
{
    struct cursor cursor = cursor_of_bytes(frame);
    uint8_t first = cursor_u8(&cursor);
    *kind = (enum frame_kind)first;
    *data = cursor_take(&cursor, cursor_left(&cursor));
    if (frame.size == 0 || first > FRAME_LAST)
        return false;
    if (*kind == FRAME_HELLO)
        return data->size >= 1; /* newer versions may say more */
    return *kind == FRAME_DATA || data->size == 0;
}

/* A message as it came: who ZeroMQ says it is from. */
struct arrival {
    bool dialled;
    uint64_t route; /* 0: none of ours */
    int fd;
    bool authenticated;
    struct node_id user;
    uint8_t key[TRANSPORT_KEY_SIZE];
    struct bytes frame;
};

static bool hex_parse(const char *text, uint8_t *to, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        const char *high = memchr(digits, text[2 * i], 16);
        const char *low = memchr(digits, text[2 * i + 1], 16);
        if (!high || !low)
            return false;
        to[i] = (uint8_t)((high - digits) << 4 | (low - digits));
    }
    return true;
}

/* From the payload's frame: that of the routing id loses it in libzmq 4.3.4. */
static void read_user(struct arrival *arrival, zmq_msg_t *payload)
{
    const char *user = zmq_msg_gets(payload, ZAP_USER_ID);
    const char *key = zmq_msg_gets(payload, ZAP_KEY);
    arrival->authenticated = user && key && node_id_parse(&arrival->user, user) &&
                             hex_parse(key, arrival->key, sizeof arrival->key);
}

static uint64_t read_route(const uint8_t *id, size_t size, bool dialled)
{
    uint64_t route = 0;
    if (dialled ? size != 9 || id[0] != 'd' : size != 5 || id[0] != 0)
        return 0;
    for (size_t i = 1; i < size; i++)
        route = route << 8 | id[i];
    return dialled ? route : INBOUND_ROUTE | route;
}

/* Takes the parts of a message after the payload, which no message of ours has. */
static bool single_part(void *socket, zmq_msg_t *payload)
{
    bool single = !zmq_msg_more(payload);
    for (bool more = !single; more;) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        more = zmq_msg_recv(&part, socket, ZMQ_DONTWAIT) >= 0 && zmq_msg_more(&part);
        zmq_msg_close(&part);
    }
    return single;
}

enum took { TOOK_NOTHING, TOOK_MALFORMED, TOOK_MESSAGE };

/* The payload stays in self->received. */
static enum took take(struct transport *self, bool dialled, struct arrival *arrival)
{
    void *socket = dialled ? self->outbox.socket : self->inbox.socket;
    uint8_t id[256];
    *arrival = (struct arrival){.dialled = dialled, .fd = NO_FD};
    int id_size = zmq_recv(socket, id, sizeof id, ZMQ_DONTWAIT);
    if (id_size < 0)
        return TOOK_NOTHING;
    arrival->route = id_size <= (int)sizeof id ? read_route(id, (size_t)id_size, dialled) : 0;
    if (zmq_msg_recv(&self->received, socket, ZMQ_DONTWAIT) < 0)
        return TOOK_MALFORMED;
    arrival->fd = zmq_msg_get(&self->received, ZMQ_SRCFD);
    if (!dialled)
        read_user(arrival, &self->received);
    arrival->frame = (struct bytes){zmq_msg_data(&self->received), zmq_msg_size(&self->received)};
    return single_part(socket, &self->received) ? TOOK_MESSAGE : TOOK_MALFORMED;
}

static void cut_arrival(struct transport *self, const struct arrival *arrival, uint64_t *counter)
{
    char address[TCP_ADDRESS_MAX];
    ++*counter;
    connection_address(arrival->fd, address);
    if (!arrival->dialled && !links_on(self, arrival->fd, false))
        connection_cut(arrival->fd, address);
}

/* The others that the peer dialled before: it uses the newest. They may hold what it sent last, so they stay
 * for a moment. */
static void replace_inbound(struct transport *self, struct peer *peer)
{
    uint32_t index = (uint32_t)(peer - self->peers), others = 0;
    for (uint32_t i = 0; i < self->link_max; i++) {
        struct link *link = &self->links[i];
        if (link->dialled || link->state != LINK_UP || link->peer != index)
            continue;
        link->cut_later = true;
        link->deadline = self->now + self->options.drain;
        if (++others >= LINKS_OF_PEER)
            link_cut(self, link, "replaced by a newer link");
    }
}

static void read_monitors(struct transport *self);

static void welcome(struct transport *self, const struct arrival *arrival)
{
    struct node_id owner;
    /* So that what is still to be told of the connection that had this descriptor before is not taken for
     * this one. */
    read_monitors(self);
    if (!zap_find(self->zap, arrival->key, &owner) || !node_id_equal(&owner, &arrival->user) ||
        node_id_equal(&arrival->user, &self->options.self)) {
        cut_arrival(self, arrival, &self->counters.not_admitted);
        return;
    }
    struct peer *peer = self->rekeying == REKEY_NONE ? peers_get(self, &arrival->user) : NULL;
    struct link *link = NULL;
    if (peer) {
        replace_inbound(self, peer);
        link = link_new(self, peer, false);
    }
    if (!link) {
        cut_arrival(self, arrival, &self->counters.inbound_refused);
        return;
    }
    link->route = arrival->route;
    link->fd = arrival->fd;
    memcpy(link->key, arrival->key, sizeof link->key);
    connection_address(arrival->fd, link->address);
    inbound_spoke(&self->inbound, arrival->fd);
    link_say(self, link, FRAME_HELLO);
    peer_settle(self, peer, "replaced by a newer link");
}

static void dialled_is_up(struct transport *self, struct link *link)
{
    struct peer *peer = &self->peers[link->peer];
    link->state = LINK_UP;
    link->deadline = 0;
    link->since = self->now;
    peer->round = false;
    peer->retry_at = 0;
    peer_settle(self, peer, "");
    if (!peer->wanted)
        link_leave(self, link);
}

static void hear_bye(struct transport *self, struct link *link)
{
    if (link->state != LINK_UP && link->state != LINK_LEAVING)
        return;
    if (link->state == LINK_UP) {
        link->state = LINK_LEFT;
        link->deadline = self->now + 2 * (int64_t)self->options.drain;
    }
    link_say(self, link, FRAME_LAST);
    peer_settle(self, &self->peers[link->peer], "ended by the peer");
}

static void hear_last(struct transport *self, struct link *link)
{
    if (link->state != LINK_LEAVING)
        return;
    if (link->dialled)
        link_ended(self, link, "ended by this side");
    else
        link_cut(self, link, "ended by this side");
}

/* True: a message for the caller. */
static bool handle(struct transport *self, const struct arrival *arrival, struct transport_event *event)
{
    enum frame_kind kind;
    struct bytes data;
    struct link *link = arrival->route ? links_find(self, arrival->route) : NULL;
    if (!arrival->route) {
        cut_arrival(self, arrival, &self->counters.foreign_route);
        return false;
    }
    if (!arrival->dialled && !arrival->authenticated) {
        cut_arrival(self, arrival, &self->counters.without_user);
        return false;
    }
    if (!transport_frame_read(arrival->frame, &kind, &data)) {
        self->counters.malformed++;
        return false;
    }
    if (!link && !arrival->dialled && kind == FRAME_HELLO) {
        welcome(self, arrival);
        return false;
    }
    if (!link) {
        self->counters.unknown_route++;
        return false;
    }
    struct peer *peer = &self->peers[link->peer];
    if (link->state == LINK_CUT || link->state == LINK_BURIED ||
        (!arrival->dialled && !node_id_equal(&arrival->user, &peer->id))) {
        self->counters.not_admitted++;
        return false;
    }
    if (kind == FRAME_HELLO && link->dialled && link->state == LINK_DIALLING)
        dialled_is_up(self, link);
    else if (kind == FRAME_HELLO)
        self->counters.malformed++;
    else if (kind == FRAME_BYE)
        hear_bye(self, link);
    else if (kind == FRAME_LAST)
        hear_last(self, link);
    if (kind != FRAME_DATA)
        return false;
    if (data.size > self->options.message_max) {
        self->counters.too_large++;
        return false;
    }
    peer->messages_in++;
    peer->bytes_in += data.size;
    peer->idle_since = self->now;
    self->counters.messages_in++;
    self->counters.bytes_in += data.size;
    *event = (struct transport_event){
        .type = TRANSPORT_MESSAGE, .peer = peer->id, .dialled = link->dialled, .text = "", .message = data};
    return true;
}

/* --- monitors --- */

static void inbox_event(struct transport *self, const struct socket_event *event)
{
    if (event->type == ZMQ_EVENT_ACCEPTED) {
        self->counters.inbound_refused += !inbound_add(&self->inbound, event->fd, self->now);
        return;
    }
    if (event->type != ZMQ_EVENT_DISCONNECTED) {
        self->counters.handshakes_failed += event->type != ZMQ_EVENT_CLOSED;
        return;
    }
    inbound_remove(&self->inbound, event->fd);
    struct link *link = links_on(self, event->fd, false);
    if (link)
        link_ended(self, link, "the connection was closed");
}

static void enrolment_event(struct transport *self, const struct socket_event *event)
{
    if (event->type == ZMQ_EVENT_ACCEPTED)
        self->counters.inbound_refused += !inbound_add(&self->enrolling, event->fd, self->now);
    else if (event->type == ZMQ_EVENT_DISCONNECTED)
        inbound_remove(&self->enrolling, event->fd);
}

static void read_monitors(struct transport *self)
{
    struct socket_event event;
    for (int i = 0; i < MONITOR_BATCH && socket_event_take(self->inbox.monitor, &event); i++)
        inbox_event(self, &event);
    for (int i = 0; i < MONITOR_BATCH && socket_event_take(self->outbox.monitor, &event); i++)
        dial_event(self, &event);
    for (int i = 0; i < MONITOR_BATCH && socket_event_take(self->enrolment.monitor, &event); i++)
        enrolment_event(self, &event);
}

/* --- rotation --- */

bool transport_rekey(struct transport *self, const uint8_t public_key[TRANSPORT_KEY_SIZE],
                     const uint8_t secret_key[TRANSPORT_KEY_SIZE])
{
    if (!sockets_rekey(self, public_key, secret_key))
        return false;
    self->key_generation++;
    self->rekeying = REKEY_DRAINING;
    self->rekey_deadline = self->now + self->options.drain;
    for (uint32_t i = 0; i < self->link_max; i++)
        if (!self->links[i].dialled)
            link_leave(self, &self->links[i]);
    return true;
}

static bool inbound_drained(const struct transport *self)
{
    for (uint32_t i = 0; i < self->link_max; i++) {
        const struct link *link = &self->links[i];
        if (!link->dialled && (link->state == LINK_UP || link->state == LINK_LEAVING))
            return false;
    }
    return true;
}

/* All connections of the inbox end with its listeners, and ZeroMQ tells nothing of that. */
static void rekey_step(struct transport *self)
{
    if (self->rekeying == REKEY_NONE || (!inbound_drained(self) && self->now < self->rekey_deadline))
        return;
    self->rekeying = REKEY_NONE;
    read_monitors(self);
    if (!sockets_rebind(self))
        log_error("the inbox does not listen after the change of keys: %s", zmq_strerror(errno));
    for (uint32_t i = 0; i < self->link_max; i++)
        if (!self->links[i].dialled)
            link_ended(self, &self->links[i], "this node changed its keys");
    self->inbound.count = 0;
}

/* --- events --- */

static bool tell(struct transport *self, struct transport_event *event)
{
    if (!self->news_count)
        return false;
    struct peer *peer = &self->peers[self->news[self->news_first]];
    self->news_first = (self->news_first + 1) % self->peer_max;
    self->news_count--;
    peer->queued = false;
    *event = (struct transport_event){.peer = peer->id, .text = self->text};
    if (peer->told_up && (!peer->up || peer->told != peer->serial)) {
        peer->told_up = false;
        event->type = TRANSPORT_LINK_DOWN;
        snprintf(self->text, sizeof self->text, "%s", peer->down);
        peer_news(self, peer);
        return true;
    }
    if (peer->up && (!peer->told_up || peer->tell_again)) {
        const struct link *link = peer_link(self, peer);
        peer->told_up = true;
        peer->tell_again = false;
        peer->told = peer->serial;
        event->type = TRANSPORT_LINK_UP;
        event->dialled = link && link->dialled;
        snprintf(self->text, sizeof self->text, "%s", peer->address);
        peer_news(self, peer);
        return true;
    }
    if (peer->failed) {
        peer->failed = false;
        event->type = TRANSPORT_HANDSHAKE_FAILED;
        event->dialled = true;
        snprintf(self->text, sizeof self->text, "%s", peer->failure);
        return true;
    }
    peer_free_unused(self, peer);
    return false;
}

/* One frame of either socket, in turn. False: both are empty. */
static bool read_frame(struct transport *self, struct transport_event *event, bool *message)
{
    struct arrival arrival;
    enum took took = take(self, self->turn, &arrival);
    self->turn = !self->turn;
    if (took == TOOK_NOTHING)
        took = take(self, self->turn, &arrival);
    if (took == TOOK_MALFORMED)
        self->counters.malformed++;
    *message = took == TOOK_MESSAGE && handle(self, &arrival, event);
    return took != TOOK_NOTHING;
}

bool transport_receive(struct transport *self, struct transport_event *event)
{
    struct host_resolver_answer answer;
    bool message = false;
    for (int frames = 0; frames < FRAME_BATCH; frames++) {
        read_monitors(self);
        rekey_step(self);
        while (self->news_count)
            if (tell(self, event))
                return true;
        if (read_frame(self, event, &message)) {
            if (message)
                return true;
            continue;
        }
        links_bury(self);
        if (host_resolver_take(self->resolver, &answer))
            dial_answer(self, &answer);
        else if (!self->news_count && !enrolment_serve(self))
            return false;
    }
    return false;
}

unsigned transport_poll_items(const struct transport *self, zmq_pollitem_t items[TRANSPORT_POLL_ITEMS])
{
    void *sockets[] = {self->inbox.socket,  self->outbox.socket,  self->enrolment.socket,
                       self->inbox.monitor, self->outbox.monitor, self->enrolment.monitor};
    unsigned count = 0;
    for (size_t i = 0; i < sizeof sockets / sizeof sockets[0]; i++)
        if (sockets[i])
            items[count++] = (zmq_pollitem_t){.socket = sockets[i], .events = ZMQ_POLLIN};
    items[count++] = (zmq_pollitem_t){.fd = host_resolver_descriptor(self->resolver), .events = ZMQ_POLLIN};
    return count;
}

/* --- time --- */

static uint64_t count_descriptors(uint64_t limit)
{
    DIR *directory = opendir("/proc/self/fd");
    uint64_t count = 0;
    if (!directory)
        return limit; /* not even this one could be opened */
    while (readdir(directory))
        count++;
    closedir(directory);
    return count > 3 ? count - 3 : 0; /* ".", "..", the directory's own */
}

static void watch_descriptors(struct transport *self)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    struct transport_counters *counters = &self->counters;
    counters->descriptors_max = limit.rlim_cur;
    counters->descriptors = count_descriptors(limit.rlim_cur);
    bool alarm = counters->descriptors > counters->descriptors_max / 5 * 4;
    if (alarm && !counters->descriptors_alarm)
        log_warning("%llu of %llu file descriptors are in use", (unsigned long long)counters->descriptors,
                    (unsigned long long)counters->descriptors_max);
    counters->descriptors_alarm = alarm;
    /* Without descriptors a listener spins: who has not shown a key goes first. */
    if (counters->descriptors > counters->descriptors_max / 20 * 19)
        counters->inbound_silent += inbound_cut_silent(&self->inbound, self->now + MOMENT);
}

void transport_tick(struct transport *self, int64_t mono)
{
    self->now = mono;
    read_monitors(self);
    rekey_step(self);
    links_tick(self);
    self->counters.inbound_silent +=
        inbound_cut_silent(&self->inbound, mono - 2 * (int64_t)self->options.handshake);
    self->counters.inbound_silent += inbound_cut_silent(&self->enrolling, mono - ENROLLING_TIME);
    if (mono < self->descriptors_at)
        return;
    self->descriptors_at = mono + DESCRIPTORS_EVERY;
    watch_descriptors(self);
}

/* --- what it knows --- */

void transport_links(const struct transport *self,
                     void (*visit)(void *context, const struct transport_link *link), void *context)
{
    for (uint32_t i = 0; i < self->peer_max; i++) {
        const struct peer *peer = &self->peers[i];
        if (!peer->used)
            continue;
        const struct link *link = peer->dialled == NO_LINK ? NULL : &self->links[peer->dialled];
        struct transport_link view = {
            .peer = peer->id,
            .up = peer->up,
            .dialled = link && link->state == LINK_UP,
            .wanted = peer->wanted,
            .temporary = peer->temporary,
            .address = peer->address,
            .since = peer->since,
            .retry_at = peer->wanted && !peer->up ? peer->retry_at : 0,
            .backoff = peer->backoff,
            .messages_in = peer->messages_in,
            .messages_out = peer->messages_out,
            .bytes_in = peer->bytes_in,
            .bytes_out = peer->bytes_out,
            .dropped = peer->dropped,
            .failures = peer->failures,
            .failure = peer->failure,
        };
        visit(context, &view);
    }
}

void transport_counters(const struct transport *self, struct transport_counters *counters)
{
    struct zap_counters zap;
    zap_counters(self->zap, &zap);
    *counters = self->counters;
    counters->zap_admitted = zap.admitted;
    counters->zap_refused = zap.refused;
    counters->zap_malformed = zap.malformed;
    counters->enrolments_limited = zap.enrolments_limited;
}
