/* SPDX-License-Identifier: Apache-2.0
 *
 * The overlay: with whom this node is a neighbour. Some five links, at least two of them to other sites,
 * chosen at random among all members: everybody knows all members, so there is no passive view to keep.
 * Whoever asks is accepted while there is room; who has nobody at all is always accepted, in the place of
 * another. Links that fall silent are asked, then given up; members that could not be reached are left alone
 * for a while.
 */
#include "cluster/core.h"

enum link_verb {
    LINK_VERB_REQUEST = 1, /* be my neighbour; bears the sender's record and its degree */
    LINK_VERB_ACCEPT,      /* bears the sender's record */
    LINK_VERB_REFUSE,      /* no room; bears the sender's record: a stranger's refusal would not be read */
    LINK_VERB_CLOSE,       /* no neighbour any more, or never was */
    LINK_VERB_PING,
    LINK_VERB_PONG,
    /* As REQUEST, of a node that has no neighbour at another site, was cut off, or exchanges a link: refused
     * by the full only. */
    LINK_VERB_BRIDGE,
};

#define ACCEPTED_ABOVE 2u /* links that are accepted beyond those wanted, of nodes that have few */
#define FEW            3u
#define REFUSED_ENOUGH 3u
#define FULL           (CLUSTER_LINKS - 2u) /* slots are left for those that this node dials */
#define TRIES          3u
#define DIAL_TIMEOUT   10000
#define ASK_EVERY      2000
#define PING_EVERY     5000
#define RANDOM_PROBES  64u
#define RETRY_NONE     10000  /* nobody was found: the table is not searched again before */
#define RETRY_OUTSIDE  120000 /* ... of another site, unless such a member joins */
#define RENEW_EVERY    600000 /* a link is given up for another: the graph stays random */
#define BRIDGE_EVERY   30000

/* --- messages --- */

static void send_verb(struct cluster *self, const struct node_id *to, enum link_verb verb, uint64_t echo)
{
    bool degree = verb == LINK_VERB_REQUEST || verb == LINK_VERB_BRIDGE;
    bool record = degree || verb == LINK_VERB_ACCEPT || verb == LINK_VERB_REFUSE;
    struct msgpack_writer *w = core_message(
        self, WIRE_LINK, 1u + record + degree + (verb == LINK_VERB_PING) + (verb == LINK_VERB_PONG));
    if (!w)
        return;
    if (record) {
        struct bytes own = members_record(self, 0);
        msgpack_put_uint(w, WIRE_KEY_RECORDS);
        msgpack_put_array(w, 1);
        msgpack_put_binary(w, own.data, own.size);
    }
    if (verb == LINK_VERB_PING) {
        msgpack_put_uint(w, WIRE_KEY_STAMP);
        msgpack_put_uint(w, (uint64_t)self->mono);
    } else if (verb == LINK_VERB_PONG) {
        msgpack_put_uint(w, WIRE_KEY_ECHO);
        msgpack_put_uint(w, echo);
    }
    msgpack_put_uint(w, WIRE_KEY_LINK);
    msgpack_put_uint(w, verb);
    if (degree) {
        msgpack_put_uint(w, WIRE_KEY_DEGREE);
        msgpack_put_uint(w, (uint64_t)__builtin_popcount(self->overlay.active));
    }
    core_send(self, to, false);
}

/* --- slots --- */

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int overlay_find(const struct cluster *self, const struct node_id *id)
{
    const struct overlay *overlay = &self->overlay;
    uint64_t short_id = node_id_short(id);
    for (uint16_t used = overlay->used; used; used &= (uint16_t)(used - 1)) {
        int i = __builtin_ctz(used);
        if (overlay->short_ids[i] == short_id && node_id_equal(&self->links[i].id, id))
            return i;
    }
    return -1;
}

static unsigned active_count(const struct cluster *self)
{
    return (unsigned)__builtin_popcount(self->overlay.active);
}

static struct link *slot_new(struct cluster *self, const struct node_id *id, enum link_state state)
{
    for (unsigned i = 0; i < CLUSTER_LINKS; i++) {
        struct link *link = &self->links[i];
        if (link->state != LINK_FREE)
            continue;
        uint32_t member = members_find(self, id);
        *link = (struct link){
            .id = *id,
            .member = member,
            .state = state,
            .outside = member != NO_MEMBER && self->members.table[member].record->site != self->site,
            .since = self->mono,
            .since_wall = self->wall,
            .heard = self->mono,
            .rtt = -1,
        };
        self->overlay.used |= (uint16_t)(1u << i);
        self->overlay.short_ids[i] = node_id_short(id);
        return link;
    }
    return NULL;
}

static unsigned slot_number(const struct cluster *self, const struct link *link)
{
    return (unsigned)(link - self->links);
}

static void activate(struct cluster *self, struct link *link)
{
    if (link->state == LINK_ACTIVE)
        return;
    link->state = LINK_ACTIVE;
    if (link->outside)
        self->overlay.refused = 0;
    link->since = self->mono;
    link->since_wall = self->wall;
    link->heard = self->mono;
    link->deadline = self->mono + self->config.timers.link_silence;
    self->overlay.active |= (uint16_t)(1u << slot_number(self, link));
    self->overlay.due = least(self->overlay.due, link->deadline);
}

static void release(struct cluster *self, struct link *link)
{
    unsigned number = slot_number(self, link);
    if (link->dialled)
        core_dial(self, &link->id, true);
    if (link->state == LINK_ACTIVE)
        gossip_forget_link(self, (int)number);
    self->overlay.active &= (uint16_t) ~(1u << number);
    self->overlay.used &= (uint16_t) ~(1u << number);
    link->state = LINK_FREE;
    self->overlay.due = self->mono;
}

static void back_off(struct cluster *self, const struct node_id *id, int64_t time)
{
    struct overlay *overlay = &self->overlay;
    time += (int64_t)(core_random(self) % (uint64_t)(time / 4 + 1));
    for (unsigned i = 0; i < BACKOFFS; i++) {
        if (node_id_equal(&self->backoffs[i].id, id)) {
            self->backoffs[i].until = self->mono + time;
            return;
        }
    }
    self->backoffs[overlay->backoff_next] = (struct backoff){.id = *id, .until = self->mono + time};
    overlay->backoff_next = (overlay->backoff_next + 1) % BACKOFFS;
}

static bool backed_off(const struct cluster *self, const struct node_id *id)
{
    for (unsigned i = 0; i < BACKOFFS; i++)
        if (self->backoffs[i].until > self->mono && node_id_equal(&self->backoffs[i].id, id))
            return true;
    return false;
}

/* --- whom to ask --- */

struct wish {
    bool site;    /* mind the next one */
    bool outside; /* of another site; else of this one */
    bool any;     /* also those that are offline or could not be reached lately */
};

static bool suits(const struct cluster *self, uint32_t index, const struct wish *wish)
{
    const struct member *member = &self->members.table[index];
    if (index == 0 || member->flags & (MEMBER_FLAG_LEFT | MEMBER_FLAG_REVOKED) ||
        (member->flags & MEMBER_FLAG_OFFLINE && !wish->any))
        return false;
    const struct record_blob *record = member->record;
    if (!(record->flags & BLOB_DIALABLE) || (wish->site && (record->site != self->site) != wish->outside))
        return false;
    struct node_id id;
    members_id(self, index, &id);
    return overlay_find(self, &id) < 0 && (wish->any || !backed_off(self, &id));
}

static bool anybody_suits(const struct cluster *self, const struct wish *wish)
{
    for (uint32_t i = 1; i < self->members.count; i++)
        if (suits(self, i, wish))
            return true;
    return false;
}

static uint32_t choose(struct cluster *self, const struct wish *wish)
{
    uint32_t count = self->members.count;
    /* A small fleet whose members are all neighbours: the same draws, but nobody is looked at so often. */
    if (count <= RANDOM_PROBES && !anybody_suits(self, wish)) {
        for (unsigned i = 0; i < RANDOM_PROBES + 1; i++)
            core_random(self);
        return NO_MEMBER;
    }
    for (unsigned i = 0; i < RANDOM_PROBES; i++) {
        uint32_t index = (uint32_t)(core_random(self) % count);
        if (suits(self, index, wish))
            return index;
    }
    uint32_t start = (uint32_t)(core_random(self) % count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = start + i < count ? start + i : start + i - count;
        if (suits(self, index, wish))
            return index;
    }
    return NO_MEMBER;
}

static bool dial(struct cluster *self, uint32_t index)
{
    struct node_id id;
    members_id(self, index, &id);
    struct link *link = slot_new(self, &id, LINK_DIALLING);
    if (!link)
        return false;
    link->dialled = true;
    link->bridge = self->overlay.exchange;
    self->overlay.exchange = false;
    link->deadline = self->mono + least(DIAL_TIMEOUT, self->config.timers.link_dead);
    self->overlay.due = least(self->overlay.due, link->deadline);
    core_dial(self, &id, false);
    return true;
}

struct tally {
    unsigned active, pending, outside, outside_pending;
};

static struct tally tally_links(const struct cluster *self)
{
    struct tally tally = {0};
    for (uint16_t used = self->overlay.used; used; used &= (uint16_t)(used - 1)) {
        const struct link *link = &self->links[__builtin_ctz(used)];
        bool active = link->state == LINK_ACTIVE;
        bool pending = link->state == LINK_DIALLING || link->state == LINK_REQUESTED;
        tally.active += active;
        tally.pending += pending;
        tally.outside += active && link->outside;
        tally.outside_pending += pending && link->outside;
    }
    return tally;
}

static void request(struct cluster *self, struct link *link)
{
    if (link->state == LINK_DIALLING) {
        link->state = LINK_REQUESTED;
        link->tries = 0;
    }
    link->tries++;
    link->deadline = self->mono + least(ASK_EVERY, self->config.timers.link_silence / 2);
    self->overlay.due = least(self->overlay.due, link->deadline);
    bool bridge = link->bridge || (link->outside && self->overlay.refused >= REFUSED_ENOUGH);
    send_verb(self, &link->id, bridge ? LINK_VERB_BRIDGE : LINK_VERB_REQUEST, 0);
}

/* One step towards the links that are wanted. False when there is nobody to ask. */
static bool seek(struct cluster *self)
{
    struct overlay *overlay = &self->overlay;
    struct tally tally = tally_links(self);
    unsigned wanted = self->config.active_links, outside = self->config.outside_links;
    if (tally.outside + tally.outside_pending < outside && self->mono >= overlay->outside_retry) {
        uint32_t index = choose(self, &(struct wish){.site = true, .outside = true});
        if (index != NO_MEMBER)
            return dial(self, index);
        overlay->outside_retry = self->mono + RETRY_OUTSIDE;
    }
    if (tally.active + tally.pending >= wanted)
        return false;
    if (self->mono >= overlay->inside_retry) {
        uint32_t index = choose(self, &(struct wish){.site = true});
        if (index != NO_MEMBER)
            return dial(self, index);
        index = choose(self, &(struct wish){.site = false});
        if (index != NO_MEMBER)
            return dial(self, index);
        overlay->inside_retry = self->mono + least(RETRY_NONE, self->config.timers.dial_backoff);
    }
    if (tally.active || tally.pending)
        return false;
    /* Alone: nothing is too unlikely to be tried. */
    uint32_t index = choose(self, &(struct wish){.any = true});
    return index != NO_MEMBER && dial(self, index);
}

/* The link that is missed least: one of the kind of which there are enough, the oldest. */
static struct link *dispensable(struct cluster *self, const struct link *but)
{
    struct tally tally = tally_links(self);
    struct link *oldest = NULL;
    for (unsigned i = 0; i < CLUSTER_LINKS; i++) {
        struct link *link = &self->links[i];
        if (link->state != LINK_ACTIVE || link == but ||
            (link->outside && tally.outside <= self->config.outside_links && tally.outside < tally.active))
            continue;
        if (!oldest || link->since < oldest->since)
            oldest = link;
    }
    return oldest;
}

static void close_link(struct cluster *self, struct link *link)
{
    send_verb(self, &link->id, LINK_VERB_CLOSE, 0);
    back_off(self, &link->id, self->config.timers.dial_backoff);
    release(self, link);
}

static void make_place(struct cluster *self, const struct link *but, unsigned bound)
{
    while (active_count(self) > bound) {
        struct link *link = dispensable(self, but);
        if (!link)
            return;
        close_link(self, link);
    }
}

/* --- events --- */

void overlay_start(struct cluster *self)
{
    self->overlay.due = self->mono;
    self->overlay.renew_due = self->mono + RENEW_EVERY + (int64_t)(core_random(self) % RENEW_EVERY);
    self->overlay.bridged = self->mono - BRIDGE_EVERY;
}

void overlay_link_up(struct cluster *self, const struct node_id *peer, bool dialled)
{
    int slot = overlay_find(self, peer);
    struct link *link = slot < 0 ? NULL : &self->links[slot];
    if (!link) {
        /* A seed that the driver dialled by itself: worth asking as long as there is nobody else. */
        if (!dialled || active_count(self) >= self->config.active_links)
            return;
        link = slot_new(self, peer, LINK_DIALLING);
        if (!link)
            return;
        link->dialled = true;
        core_dial(self, peer, false); /* to be kept */
    }
    if (link->state == LINK_DIALLING)
        request(self, link);
}

void overlay_link_down(struct cluster *self, const struct node_id *peer)
{
    int slot = overlay_find(self, peer);
    if (slot < 0)
        return;
    struct link *link = &self->links[slot];
    if (link->state != LINK_ACTIVE)
        back_off(self, peer, self->config.timers.dial_backoff);
    release(self, link);
}

static void requested(struct cluster *self, const struct wire *wire, const struct source *source)
{
    struct link *link = source->link < 0 ? NULL : &self->links[source->link];
    unsigned wanted = self->config.active_links, have = active_count(self);
    bool room = have < wanted || (wire->degree < FEW && have < wanted + ACCEPTED_ABOVE) ||
                (wire->link == LINK_VERB_BRIDGE && have < FULL);
    if (link && link->state == LINK_ACTIVE)
        room = true;
    if (!room && wire->degree > 0) {
        send_verb(self, &source->id, LINK_VERB_REFUSE, 0);
        return;
    }
    if (!link)
        link = slot_new(self, &source->id, LINK_REQUESTED);
    if (!link) {
        send_verb(self, &source->id, LINK_VERB_REFUSE, 0);
        return;
    }
    bool fresh = link->state != LINK_ACTIVE;
    activate(self, link);
    send_verb(self, &source->id, LINK_VERB_ACCEPT, 0);
    unsigned bound = wire->link == LINK_VERB_BRIDGE ? FULL : wanted + ACCEPTED_ABOVE;
    if (fresh)
        make_place(self, link, have > bound ? have : bound);
}

static void accepted(struct cluster *self, struct link *link)
{
    if (link->state == LINK_ACTIVE)
        return;
    activate(self, link);
    gossip_sync(self, &link->id, false);
    make_place(self, link, FULL);
}

/* Other sites that are far fewer than those who want a link to them: after some refusals of all, it is asked
 * for with more weight. */
static void refused(struct cluster *self, const struct link *link)
{
    if (link->outside && tally_links(self).outside == 0 && self->overlay.refused < REFUSED_ENOUGH)
        self->overlay.refused++;
}

static void ponged(struct cluster *self, const struct wire *wire, struct link *link)
{
    if (!wire_has(wire, WIRE_KEY_ECHO) || wire->echo > (uint64_t)self->mono)
        return;
    int64_t sample = (self->mono - (int64_t)wire->echo) * 1000;
    if (sample < INT32_MAX)
        link->rtt = link->rtt < 0 ? (int32_t)sample : (int32_t)((link->rtt * INT64_C(7) + sample) / 8);
}

void overlay_received(struct cluster *self, const struct wire *wire, const struct source *source)
{
    struct link *link = source->link < 0 ? NULL : &self->links[source->link];
    switch (wire->link) {
    case LINK_VERB_REQUEST:
    case LINK_VERB_BRIDGE:
        if (source->member != NO_MEMBER && !self->left)
            requested(self, wire, source);
        break;
    case LINK_VERB_ACCEPT:
        if (link)
            accepted(self, link);
        else
            send_verb(self, &source->id, LINK_VERB_CLOSE, 0);
        break;
    case LINK_VERB_REFUSE:
    case LINK_VERB_CLOSE:
        if (!link)
            break;
        if (wire->link == LINK_VERB_REFUSE)
            refused(self, link);
        back_off(self, &link->id, self->config.timers.dial_backoff / (wire->link == LINK_VERB_CLOSE ? 4 : 2));
        release(self, link);
        break;
    case LINK_VERB_PING:
        send_verb(self, &source->id, LINK_VERB_PONG, wire->stamp);
        break;
    case LINK_VERB_PONG:
        if (link)
            ponged(self, wire, link);
        break;
    default:
        break;
    }
}

void overlay_stray(struct cluster *self, const struct source *source)
{
    struct link *link = source->link < 0 ? NULL : &self->links[source->link];
    if (link && link->state == LINK_REQUESTED)
        accepted(self, link); /* its answer was lost */
    else if (!link && budget_answer(self, source->budget))
        send_verb(self, &source->id, LINK_VERB_CLOSE, 0);
}

void overlay_member_joined(struct cluster *self, uint32_t member)
{
    if (self->members.table[member].record->site == self->site)
        return;
    self->overlay.outside_retry = self->mono;
    self->overlay.due = self->mono;
}

void overlay_drop_member(struct cluster *self, uint32_t member)
{
    for (unsigned i = 0; i < CLUSTER_LINKS; i++) {
        struct link *link = &self->links[i];
        if (link->state == LINK_FREE || link->state == LINK_CLOSING || link->member != member)
            continue;
        if (link->state == LINK_ACTIVE)
            gossip_forget_link(self, (int)i);
        self->overlay.active &= (uint16_t) ~(1u << i);
        link->state = LINK_CLOSING;
        link->dialled = true; /* whoever dialled: the connection is to go */
        link->deadline = self->mono + self->config.timers.tick;
        self->overlay.due = self->mono;
    }
}

void overlay_bridge(struct cluster *self, const struct source *source)
{
    struct overlay *overlay = &self->overlay;
    if (source->link >= 0 || self->mono < overlay->bridged + BRIDGE_EVERY)
        return;
    overlay->bridged = self->mono;
    struct link *link = slot_new(self, &source->id, LINK_DIALLING);
    if (!link)
        return;
    link->bridge = true;
    uint32_t member = link->member;
    if (member != NO_MEMBER && self->members.table[member].record->flags & BLOB_DIALABLE) {
        link->dialled = true;
        core_dial(self, &link->id, false);
    }
    request(self, link);
}

void overlay_leave(struct cluster *self)
{
    for (unsigned i = 0; i < CLUSTER_LINKS; i++) {
        struct link *link = &self->links[i];
        if (link->state == LINK_ACTIVE)
            send_verb(self, &link->id, LINK_VERB_CLOSE, 0);
    }
}

unsigned overlay_neighbours(const struct cluster *self, struct node_id ids[CLUSTER_LINKS])
{
    unsigned count = 0;
    for (unsigned i = 0; i < CLUSTER_LINKS; i++)
        if (self->links[i].state == LINK_ACTIVE)
            ids[count++] = self->links[i].id;
    return count;
}

/* --- time --- */

static void watch_active(struct cluster *self, struct link *link)
{
    const struct cluster_timers *timers = &self->config.timers;
    int64_t silent = self->mono - link->heard;
    if (silent < timers->link_silence) {
        link->deadline = link->heard + timers->link_silence;
        return;
    }
    if (silent >= timers->link_dead) {
        back_off(self, &link->id, timers->dial_backoff);
        release(self, link);
        return;
    }
    send_verb(self, &link->id, LINK_VERB_PING, 0);
    link->deadline = self->mono + least(PING_EVERY, (timers->link_dead - timers->link_silence) / 3 + 1);
}

static void watch(struct cluster *self, struct link *link)
{
    if (link->state == LINK_ACTIVE) {
        watch_active(self, link);
    } else if (link->state == LINK_REQUESTED && link->tries < TRIES) {
        request(self, link);
    } else if (link->state == LINK_CLOSING) {
        release(self, link);
    } else {
        back_off(self, &link->id, self->config.timers.dial_backoff);
        release(self, link);
    }
}

static void renew(struct cluster *self)
{
    self->overlay.renew_due = self->mono + RENEW_EVERY + (int64_t)(core_random(self) % RENEW_EVERY);
    if (active_count(self) < self->config.active_links ||
        self->members.present <= self->config.active_links + 1)
        return;
    struct link *link = dispensable(self, NULL);
    if (!link)
        return;
    close_link(self, link);
    /* Everybody has what they want and would refuse: nothing would be left to exchange it for but the same.
     */
    self->overlay.exchange = active_count(self) < self->config.active_links;
}

void overlay_tick(struct cluster *self)
{
    struct overlay *overlay = &self->overlay;
    if (self->mono < overlay->due || self->left || self->revoked)
        return;
    overlay->due = self->mono + self->config.timers.link_silence;
    for (uint16_t used = overlay->used; used; used &= (uint16_t)(used - 1)) {
        struct link *link = &self->links[__builtin_ctz(used)];
        if (self->mono >= link->deadline)
            watch(self, link);
    }
    if (self->mono >= overlay->renew_due)
        renew(self);
    /* When there are none at all, all that are wanted are dialled at once; else one a tick. */
    unsigned at_once = overlay->active ? 1 : self->config.active_links;
    while (at_once > 0 && seek(self))
        at_once--;
    struct tally tally = tally_links(self);
    int64_t next = self->mono + self->config.timers.tick;
    if (tally.active + tally.pending < self->config.active_links)
        overlay->due = least(overlay->due, next);
    if (tally.outside + tally.outside_pending < self->config.outside_links)
        overlay->due = least(overlay->due, overlay->outside_retry > next ? overlay->outside_retry : next);
    for (uint16_t used = overlay->used; used; used &= (uint16_t)(used - 1))
        overlay->due = least(overlay->due, self->links[__builtin_ctz(used)].deadline);
    overlay->due = least(overlay->due, overlay->renew_due);
}
