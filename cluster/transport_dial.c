/* SPDX-License-Identifier: Apache-2.0
 *
 * Dialling: a round tries all addresses of all endpoints of a peer, one at a time; then comes a back-off that
 * doubles, with jitter. Each attempt is a connection of ZeroMQ of its own with a routing id of its own, which
 * is taken back when it fails: ZeroMQ gives up for good on some failures, and repeats others for ever.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "cluster/crypto_sodium.h"
#include "cluster/transport_internal.h"

#define STABLE_FACTOR 10 /* a link that lasted so many of the least back-offs was a good one */

static void fail(struct transport *self, struct peer *peer, const char *where, const char *reason)
{
    struct text failure = text_to(peer->failure, sizeof peer->failure);
    text_string(&failure, where);
    text_string(&failure, ": ");
    text_string(&failure, reason);
    text_end(&failure);
    peer->failures++;
    peer->failed = true;
    self->counters.dials_failed++;
    peer_news(self, peer);
}

static void back_off(struct transport *self, struct peer *peer)
{
    peer->round = false;
    if (peer->temporary) {
        dial_stop(self, peer);
        return;
    }
    uint32_t random;
    crypto_random(&random, sizeof random);
    /* 75 to 125 %: nodes that lost the same peer together do not come back together. */
    peer->retry_at = self->now + peer->backoff * 3 / 4 + (int64_t)random % (peer->backoff / 2 + 1);
    peer->backoff *= 2;
    if (peer->backoff > self->options.reconnect_max)
        peer->backoff = self->options.reconnect_max;
}

/* ZeroMQ takes back connections by their address, all of them with one: so an address serves one link. */
static bool in_use(const struct transport *self, const char *address)
{
    for (uint32_t i = 0; i < self->link_max; i++) {
        const struct link *link = &self->links[i];
        if (link->dialled && link->state >= LINK_DIALLING && link->state <= LINK_LEFT &&
            strcmp(link->address, address) == 0)
            return true;
    }
    return false;
}

static bool zmq_dial(struct transport *self, const struct link *link)
{
    void *outbox = self->outbox.socket;
    uint8_t id[9] = {'d'};
    for (int i = 0; i < 8; i++)
        id[1 + i] = (uint8_t)(link->route >> (56 - 8 * i));
    return zmq_setsockopt(outbox, ZMQ_CURVE_SERVERKEY, link->key, TRANSPORT_KEY_SIZE) == 0 &&
           zmq_setsockopt(outbox, ZMQ_CONNECT_ROUTING_ID, id, sizeof id) == 0 &&
           zmq_connect(outbox, link->address) == 0;
}

static bool attempt(struct transport *self, struct peer *peer, const struct endpoint *at)
{
    char text[TCP_ADDRESS_MAX];
    tcp_address_text(at, text);
    self->counters.dials++;
    if (in_use(self, text)) {
        fail(self, peer, text, "another node's link has this address");
        return false;
    }
    struct link *link = link_new(self, peer, true);
    if (!link) {
        fail(self, peer, text, "too many links");
        return false;
    }
    link->route = self->next_route++;
    memcpy(link->key, peer->keys[peer->key_next % peer->key_count], TRANSPORT_KEY_SIZE);
    snprintf(link->address, sizeof link->address, "%s", text);
    snprintf(peer->address, sizeof peer->address, "%s", text);
    if (!zmq_dial(self, link)) {
        fail(self, peer, text, zmq_strerror(errno));
        link->state = LINK_FREE;
        return false;
    }
    /* The hello needs its way there and back after the handshake. */
    link->deadline = self->now + self->options.connect + 2 * self->options.handshake;
    peer->dialled = (uint32_t)(link - self->links);
    link_say(self, link, FRAME_HELLO);
    return true;
}

/* The addresses of the next endpoint. False: they are being asked for, or there are none. */
static bool take_endpoint(struct transport *self, struct peer *peer)
{
    const struct tcp_address *endpoint = &peer->endpoints[peer->endpoint_at++];
    peer->address_at = peer->address_count = 0;
    if (endpoint->at.address.family) {
        peer->addresses[peer->address_count++] = endpoint->at;
        return true;
    }
    if (!host_resolver_ask(self->resolver, self->next_ticket, endpoint->host)) {
        fail(self, peer, endpoint->host, "too many names are being looked up");
        return false;
    }
    peer->ticket = self->next_ticket++;
    peer->ticket_deadline = self->now + self->options.connect + self->options.handshake;
    return false;
}

static void dial_next(struct transport *self, struct peer *peer)
{
    for (;;) {
        if (!peer->wanted || peer->up) {
            peer->round = false; /* the peer dialled meanwhile, or nobody wants it any more */
            return;
        }
        if (peer->address_at < peer->address_count) {
            if (attempt(self, peer, &peer->addresses[peer->address_at++]))
                return;
        } else if (peer->endpoint_at < peer->endpoint_count) {
            if (!take_endpoint(self, peer) && peer->ticket)
                return;
        } else {
            peer->key_next++;
            back_off(self, peer);
            return;
        }
    }
}

void dial_start(struct transport *self, struct peer *peer)
{
    if (!peer->wanted || peer->up || peer->round || peer->dialled != NO_LINK || !peer->key_count)
        return;
    peer->round = true;
    peer->retry_at = 0;
    peer->endpoint_at = peer->address_at = peer->address_count = 0;
    dial_next(self, peer);
}

void dial_stop(struct transport *self, struct peer *peer)
{
    peer->wanted = peer->temporary = peer->round = false;
    peer->ticket = 0;
    peer->retry_at = 0;
    if (peer->dialled == NO_LINK)
        return;
    struct link *link = &self->links[peer->dialled];
    if (link->state == LINK_DIALLING)
        link_cut(self, link, "given up");
    else
        link_leave(self, link);
}

void dial_failed(struct transport *self, struct link *link, const char *reason)
{
    struct peer *peer = &self->peers[link->peer];
    if (link->state != LINK_DIALLING)
        return;
    fail(self, peer, link->address, reason);
    link->state = LINK_ENDED;
    link_disconnect(self, link);
    dial_next(self, peer);
}

/* The link was there (the round is over) and ended. */
void dial_ended(struct transport *self, struct peer *peer)
{
    if (!peer->wanted || peer->round || peer->up || peer->dialled != NO_LINK || peer->retry_at)
        return;
    back_off(self, peer);
}

void dial_answer(struct transport *self, const struct host_resolver_answer *answer)
{
    for (uint32_t i = 0; i < self->peer_max; i++) {
        struct peer *peer = &self->peers[i];
        if (!peer->used || peer->ticket != answer->ticket)
            continue;
        const struct tcp_address *endpoint = &peer->endpoints[peer->endpoint_at - 1];
        peer->ticket = 0;
        peer->address_count = answer->count;
        for (unsigned a = 0; a < answer->count; a++)
            peer->addresses[a] = (struct endpoint){answer->addresses[a], endpoint->at.port};
        if (!answer->count)
            fail(self, peer, endpoint->host, "the name has no address");
        dial_next(self, peer);
        return;
    }
}

static const char *why(unsigned type)
{
    switch (type) {
    case ZMQ_EVENT_CLOSED:
        return "cannot be reached";
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        return "the peer refused this node's key";
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return "the peer's key is not the expected one";
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        return "the handshake was broken off, as with a wrong key";
    default:
        return "the connection was closed";
    }
}

void dial_event(struct transport *self, const struct socket_event *event)
{
    if (event->type & (ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL))
        self->counters.handshakes_failed++;
    for (uint32_t i = 0; i < self->link_max; i++) {
        struct link *link = &self->links[i];
        if (!link->dialled || link->state < LINK_DIALLING || link->state > LINK_LEFT ||
            strcmp(link->address, event->endpoint) != 0)
            continue;
        if (event->type == ZMQ_EVENT_CONNECTED)
            link->fd = event->fd;
        else if (link->state == LINK_DIALLING)
            dial_failed(self, link, why(event->type));
        else if (event->type == ZMQ_EVENT_DISCONNECTED)
            link_ended(self, link, "the connection was closed");
        return;
    }
}

void dial_tick(struct transport *self, struct peer *peer)
{
    if (!peer->used || !peer->wanted)
        return;
    if (peer->up && self->now - peer->since >= (int64_t)STABLE_FACTOR * self->options.reconnect_min)
        peer->backoff = self->options.reconnect_min;
    if (peer->ticket && self->now >= peer->ticket_deadline) {
        peer->ticket = 0;
        fail(self, peer, peer->endpoints[peer->endpoint_at - 1].host, "no name server answers");
        dial_next(self, peer);
    }
    if (!peer->round && self->now >= peer->retry_at)
        dial_start(self, peer);
}
