/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of links and peers: how links begin and end, and what follows for the peer. All memory is taken
 * at the start; the tables are small enough to be searched through.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cluster/transport_internal.h"

static void *socket_of(const struct transport *self, const struct link *link)
{
    return link->dialled ? self->outbox.socket : self->inbox.socket;
}

/* --- finding --- */

struct link *links_find(struct transport *self, uint64_t route)
{
    for (uint32_t i = 0; i < self->link_max; i++)
        if (self->links[i].state != LINK_FREE && self->links[i].route == route)
            return &self->links[i];
    return NULL;
}

static bool closed(const struct link *link)
{
    return link->state == LINK_FREE || link->state == LINK_ENDED || link->state == LINK_BURIED;
}

struct link *links_on(struct transport *self, int fd, bool dialled)
{
    for (uint32_t i = 0; i < self->link_max; i++) {
        struct link *link = &self->links[i];
        if (!closed(link) && link->dialled == dialled && link->fd == fd)
            return link;
    }
    return NULL;
}

struct peer *peers_find(const struct transport *self, const struct node_id *id)
{
    for (uint32_t i = 0; i < self->peer_max; i++)
        if (self->peers[i].used && node_id_equal(&self->peers[i].id, id))
            return &self->peers[i];
    return NULL;
}

struct peer *peers_get(struct transport *self, const struct node_id *id)
{
    struct peer *peer = peers_find(self, id);
    for (uint32_t i = 0; !peer && i < self->peer_max; i++) {
        if (self->peers[i].used)
            continue;
        peer = &self->peers[i];
        *peer = (struct peer){
            .used = true,
            .id = *id,
            .dialled = NO_LINK,
            .backoff = self->options.reconnect_min,
            .since = self->now,
        };
    }
    return peer;
}

void peer_free_unused(struct transport *self, struct peer *peer)
{
    if (!peer->used || peer->wanted || peer->up || peer->told_up || peer->queued)
        return;
    uint32_t index = (uint32_t)(peer - self->peers);
    for (uint32_t i = 0; i < self->link_max; i++)
        if (self->links[i].state != LINK_FREE && self->links[i].peer == index)
            return;
    peer->used = false;
}

/* --- what follows for a peer --- */

void peer_news(struct transport *self, struct peer *peer)
{
    if (peer->queued)
        return;
    peer->queued = true;
    self->news[(self->news_first + self->news_count++) % self->peer_max] = (uint32_t)(peer - self->peers);
}

/* Of two links in the two directions both sides keep the one that the lesser id dialled; of several that the
 * peer dialled the newest is the one that it uses. */
struct link *peer_link(struct transport *self, const struct peer *peer)
{
    struct link *inbound = NULL;
    uint32_t index = (uint32_t)(peer - self->peers);
    struct link *dialled = peer->dialled != NO_LINK ? &self->links[peer->dialled] : NULL;
    if (dialled && dialled->state != LINK_UP)
        dialled = NULL;
    for (uint32_t i = 0; i < self->link_max; i++) {
        struct link *link = &self->links[i];
        if (link->state == LINK_UP && !link->dialled && link->peer == index && !link->cut_later)
            inbound = link;
    }
    bool mine_first = node_id_compare(&self->options.self, &peer->id) < 0;
    return dialled && (mine_first || !inbound) ? dialled : inbound;
}

/* The side that dialled the lesser link of a pair ends it. */
static void end_double(struct transport *self, struct peer *peer)
{
    if (peer->dialled == NO_LINK)
        return;
    struct link *dialled = &self->links[peer->dialled];
    struct link *best = peer_link(self, peer);
    if (dialled->state != LINK_UP || best == dialled)
        return;
    self->counters.links_doubled++;
    link_leave(self, dialled);
}

/* The peer ends its link, surely in favour of this side's, whose hello has not come back yet. */
static bool changes_over(const struct transport *self, const struct peer *peer)
{
    if (!peer->up || peer->dialled == NO_LINK || self->links[peer->dialled].state != LINK_DIALLING)
        return false;
    uint32_t index = (uint32_t)(peer - self->peers);
    for (uint32_t i = 0; i < self->link_max; i++)
        if (self->links[i].peer == index && self->links[i].state == LINK_LEFT)
            return true;
    return false;
}

void peer_settle(struct transport *self, struct peer *peer, const char *reason)
{
    end_double(self, peer);
    const struct link *link = peer_link(self, peer);
    if (link)
        snprintf(peer->address, sizeof peer->address, "%s", link->address);
    bool up = link || changes_over(self, peer);
    if (peer->up == up)
        return;
    peer->up = up;
    peer->since = self->now;
    peer->idle_since = self->now;
    if (peer->up)
        peer->serial++;
    else
        snprintf(peer->down, sizeof peer->down, "%s", reason);
    peer_news(self, peer);
}

/* --- links --- */

static struct link *free_slot(struct transport *self)
{
    for (uint32_t i = 0; i < self->link_max; i++)
        if (self->links[i].state == LINK_FREE)
            return &self->links[i];
    return NULL;
}

struct link *link_new(struct transport *self, struct peer *peer, bool dialled)
{
    struct link *link = free_slot(self);
    if (link)
        *link = (struct link){
            .state = dialled ? LINK_DIALLING : LINK_UP,
            .dialled = dialled,
            .peer = (uint32_t)(peer - self->peers),
            .fd = NO_FD,
            .key_generation = self->key_generation,
            .since = self->now,
        };
    return link;
}

/* The inbox's routing ids are those that ZeroMQ made, a zero and four bytes; the outbox's are ours, so that
 * none is used twice: ZeroMQ aborts on that. */
static size_t routing_id(const struct link *link, uint8_t to[9])
{
    if (link->dialled) {
        to[0] = 'd';
        for (int i = 0; i < 8; i++)
            to[1 + i] = (uint8_t)(link->route >> (56 - 8 * i));
        return 9;
    }
    to[0] = 0;
    for (int i = 0; i < 4; i++)
        to[1 + i] = (uint8_t)(link->route >> (24 - 8 * i));
    return 5;
}

enum transport_result link_send(struct transport *self, struct link *link, enum frame_kind kind,
                                const void *data, size_t size)
{
    uint8_t id[9];
    size_t id_size = routing_id(link, id);
    zmq_msg_t message;
    if (zmq_msg_init_size(&message, size + 1) != 0)
        return TRANSPORT_FULL;
    uint8_t *to = zmq_msg_data(&message);
    to[0] = (uint8_t)kind;
    if (size)
        memcpy(to + 1, data, size);
    void *socket = socket_of(self, link);
    if (zmq_send(socket, id, id_size, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
        zmq_msg_send(&message, socket, ZMQ_DONTWAIT) >= 0)
        return TRANSPORT_SENT;
    int error = errno;
    zmq_msg_close(&message);
    return error == EHOSTUNREACH ? TRANSPORT_NO_LINK : TRANSPORT_FULL;
}

void link_say(struct transport *self, struct link *link, enum frame_kind kind)
{
    static const uint8_t version = TRANSPORT_VERSION;
    bool hello = kind == FRAME_HELLO;
    bool owes = link_send(self, link, kind, hello ? &version : NULL, hello) == TRANSPORT_FULL;
    *(hello ? &link->owes_hello : kind == FRAME_BYE ? &link->owes_bye : &link->owes_last) = owes;
}

void link_leave(struct transport *self, struct link *link)
{
    if (link->state != LINK_UP)
        return;
    link->state = LINK_LEAVING;
    link->deadline = self->now + self->options.drain;
    link_say(self, link, FRAME_BYE);
    peer_settle(self, &self->peers[link->peer], "ended by this side");
}

void link_disconnect(struct transport *self, struct link *link)
{
    struct peer *peer = &self->peers[link->peer];
    zmq_disconnect(self->outbox.socket, link->address);
    if (peer->dialled == (uint32_t)(link - self->links))
        peer->dialled = NO_LINK;
}

void link_ended(struct transport *self, struct link *link, const char *reason)
{
    struct peer *peer = &self->peers[link->peer];
    if (closed(link))
        return;
    link->state = link->state == LINK_CUT ? LINK_BURIED : LINK_ENDED;
    if (link->dialled)
        link_disconnect(self, link);
    peer_settle(self, peer, reason);
    dial_ended(self, peer);
}

void link_cut(struct transport *self, struct link *link, const char *reason)
{
    if (closed(link) || link->state == LINK_CUT)
        return;
    link->state = LINK_CUT;
    if (link->dialled) {
        link_ended(self, link, reason);
        return;
    }
    link->deadline = self->now + self->options.drain;
    connection_cut(link->fd, link->address);
    peer_settle(self, &self->peers[link->peer], reason);
}

void links_bury(struct transport *self)
{
    for (uint32_t i = 0; i < self->link_max; i++) {
        struct link *link = &self->links[i];
        if (link->state != LINK_ENDED && link->state != LINK_BURIED)
            continue;
        link->state = LINK_FREE;
        peer_free_unused(self, &self->peers[link->peer]);
    }
}

/* Whose time is over. */
static void expired(struct transport *self, struct link *link)
{
    link->deadline = 0;
    switch (link->state) {
    case LINK_DIALLING:
        dial_failed(self, link, "no answer");
        break;
    case LINK_UP:
        link_cut(self, link, "replaced by a newer link");
        break;
    case LINK_LEAVING:
    case LINK_LEFT:
        link_cut(self, link, "ended");
        break;
    case LINK_CUT:
        link_ended(self, link, "ended");
        break;
    case LINK_FREE:
    case LINK_ENDED:
    case LINK_BURIED:
        break;
    }
}

static void say_what_is_owed(struct transport *self, struct link *link)
{
    if (link->owes_hello)
        link_say(self, link, FRAME_HELLO);
    if (link->owes_bye && !link->owes_hello)
        link_say(self, link, FRAME_BYE);
    if (link->owes_last && !link->owes_hello)
        link_say(self, link, FRAME_LAST);
}

static void end_idle(struct transport *self, struct peer *peer)
{
    if (!peer->used || !peer->wanted || !peer->temporary || !peer->up)
        return;
    if (self->now - peer->idle_since >= self->options.temporary_idle)
        transport_hang_up(self, &peer->id);
}

/* One at a time, so that a node with new keys is never without links. */
static void renew_one(struct transport *self)
{
    for (uint32_t i = 0; i < self->link_max; i++) {
        struct link *link = &self->links[i];
        if (link->dialled && !closed(link) && link->state != LINK_UP && link->state != LINK_CUT &&
            link->key_generation != self->key_generation)
            return; /* the one before has not ended yet */
    }
    for (uint32_t i = 0; i < self->link_max; i++) {
        struct link *link = &self->links[i];
        if (!link->dialled || link->state != LINK_UP || link->key_generation == self->key_generation)
            continue;
        link_leave(self, link);
        return;
    }
}

void links_tick(struct transport *self)
{
    for (uint32_t i = 0; i < self->link_max; i++) {
        struct link *link = &self->links[i];
        if (closed(link))
            continue;
        say_what_is_owed(self, link);
        if (link->deadline && self->now >= link->deadline)
            expired(self, link);
    }
    renew_one(self);
    for (uint32_t i = 0; i < self->peer_max; i++) {
        end_idle(self, &self->peers[i]);
        dial_tick(self, &self->peers[i]);
        peer_free_unused(self, &self->peers[i]);
    }
}
