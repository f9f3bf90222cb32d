/* SPDX-License-Identifier: Apache-2.0
 *
 * The network: one link per pair of nodes that talk, as the two-ROUTER transport keeps it; messages with
 * latency, loss, duplication and reordering; cuts that ZMTP's heartbeats notice after 45 s; queues that are
 * bounded per link and direction.
 *
 * A cut of both directions breaks links and refuses dials. A cut of one direction loses what is sent that way
 * and leaves the link up: it stands for a queue that overflows towards one peer, which ZMTP does not notice,
 * and it is harder on the protocol than the broken link that TCP would make of it.
 */
#include "sim/world.h"

#include <stdlib.h>

/* --- payloads --- */

static size_t class_size(unsigned size_class)
{
    return (size_t)128 << size_class;
}

static size_t marks_offset(uint32_t size)
{
    return (offsetof(struct payload, data) + size + 7) & ~(size_t)7;
}

const struct mark *payload_marks(const struct payload *payload)
{
    return (const struct mark *)(const void *)((const uint8_t *)payload + marks_offset(payload->size));
}

static bool table_grow(struct sim_world *world)
{
    uint32_t capacity = world->payload_capacity ? world->payload_capacity * 2 : 1024;
    struct payload **payloads = realloc(world->payloads, capacity * sizeof *payloads);
    if (!payloads)
        return false;
    world->payloads = payloads;
    world->payload_capacity = capacity;
    return true;
}

/* The number of a free payload of the class, taken from its list or made. */
static uint32_t payload_take(struct sim_world *world, unsigned size_class)
{
    if (world->payload_free_count[size_class])
        return world->payload_free_of[size_class][--world->payload_free_count[size_class]];
    if (world->payload_count == world->payload_capacity && !table_grow(world))
        abort();
    struct payload *payload = malloc(class_size(size_class));
    if (!payload)
        abort();
    world->payload_bytes += class_size(size_class);
    world->payloads[world->payload_count] = payload;
    return world->payload_count++;
}

uint32_t network_payload(struct sim_world *world, const void *data, size_t size, const struct mark *marks,
                         uint32_t mark_count, bool claims)
{
    size_t need = marks_offset((uint32_t)size) + mark_count * sizeof *marks;
    unsigned size_class = 0;
    while (size_class + 1 < PAYLOAD_CLASSES && class_size(size_class) < need)
        size_class++;
    uint32_t number = payload_take(world, size_class);
    struct payload *payload = world->payloads[number];
    payload->references = 1;
    payload->size = (uint32_t)size;
    payload->marks = mark_count;
    payload->age = 0;
    payload->size_class = (uint8_t)size_class;
    payload->claims = claims;
    memcpy(payload->data, data, size);
    if (mark_count)
        memcpy((uint8_t *)payload + marks_offset((uint32_t)size), marks, mark_count * sizeof *marks);
    return number;
}

void network_release(struct sim_world *world, uint32_t number)
{
    struct payload *payload = world->payloads[number];
    if (--payload->references)
        return;
    unsigned c = payload->size_class;
    if (world->payload_free_count[c] == world->payload_free_capacity[c]) {
        uint32_t capacity = world->payload_free_capacity[c] ? world->payload_free_capacity[c] * 2 : 256;
        uint32_t *list = realloc(world->payload_free_of[c], capacity * sizeof *list);
        if (!list)
            abort();
        world->payload_free_of[c] = list;
        world->payload_free_capacity[c] = capacity;
    }
    world->payload_free_of[c][world->payload_free_count[c]++] = number;
}

void network_clear(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->payload_count; i++)
        free(world->payloads[i]);
    free(world->payloads);
    for (unsigned c = 0; c < PAYLOAD_CLASSES; c++)
        free(world->payload_free_of[c]);
    free(world->links);
    free(world->link_free);
    free(world->network_faults);
}

/* --- what passes --- */

static bool fault_touches(const struct active_fault *active, uint32_t from, uint32_t to, bool *against)
{
    *against = false;
    if (bit_get(active->in, from) && bit_get(active->of, to))
        return true;
    *against = true;
    return bit_get(active->in, to) && bit_get(active->of, from);
}

static bool passes(const struct sim_world *world, uint32_t from, uint32_t to)
{
    for (unsigned i = 0; i < world->network_count; i++) {
        const struct active_fault *active = &world->faults[world->network_faults[i]];
        bool against;
        if (active->fault.kind == SIM_FAULT_CUT && fault_touches(active, from, to, &against) &&
            !(active->fault.oneway && against))
            return false;
    }
    return true;
}

/* Whether a link between them lives: a cut of one direction does not break it. */
bool network_reaches(const struct sim_world *world, uint32_t from, uint32_t to)
{
    return passes(world, from, to) || passes(world, to, from);
}

static const struct sim_link *quality(const struct sim_world *world, uint32_t from, uint32_t to, bool inside)
{
    const struct sim_link *link = inside ? &world->options.inside : &world->options.between;
    for (unsigned i = 0; i < world->network_count; i++) {
        const struct active_fault *active = &world->faults[world->network_faults[i]];
        bool against;
        if (active->fault.kind == SIM_FAULT_DEGRADE && fault_touches(active, from, to, &against) &&
            !(active->fault.oneway && against))
            link = &active->fault.link;
    }
    return link;
}

static bool one_site(const struct sim_world *world, uint32_t a, uint32_t b)
{
    return world->nodes[a].site == world->nodes[b].site;
}

/* Until when the pair is clogged; 0: it is not. Half of the links of the fault's nodes are clogged one by one
 * within its first quarter and freed one by one, in another order, within its last. */
static int64_t clogged(const struct sim_world *world, uint32_t from, uint32_t to)
{
    int64_t until = 0;
    uint32_t low = from < to ? from : to, high = from < to ? to : from;
    for (unsigned i = 0; i < world->network_count; i++) {
        const struct active_fault *active = &world->faults[world->network_faults[i]];
        if (active->fault.kind != SIM_FAULT_CLOG || (!bit_get(active->in, from) && !bit_get(active->in, to)))
            continue;
        uint64_t random = sim_random(world->options.seed, STREAM_CLOG, low, high, (uint64_t)active->fault.at);
        int64_t quarter = active->fault.duration / 4;
        if (random & 1 || quarter <= 0)
            continue;
        int64_t begin = active->fault.at + (int64_t)sim_random_below(sim_mix(random, 1), (uint64_t)quarter);
        int64_t end = active->fault.at + active->fault.duration -
                      (int64_t)sim_random_below(sim_mix(random, 2), (uint64_t)quarter);
        if (world->time >= begin && world->time < end && end > until)
            until = end;
    }
    return until;
}

/* --- links --- */

static uint32_t link_find(const struct sim_world *world, uint32_t node, uint32_t peer)
{
    const struct sim_node *n = &world->nodes[node];
    for (unsigned i = 0; i < n->link_count; i++)
        if (n->links[i].peer == peer)
            return n->links[i].link;
    return NONE;
}

static void links_remove(struct sim_node *node, uint32_t peer)
{
    for (unsigned i = 0; i < node->link_count; i++)
        if (node->links[i].peer == peer) {
            memmove(&node->links[i], &node->links[i + 1], (--node->link_count - i) * sizeof node->links[0]);
            return;
        }
}

static uint32_t link_make(struct sim_world *world, uint32_t node, uint32_t peer)
{
    struct sim_node *a = &world->nodes[node], *b = &world->nodes[peer];
    if (a->link_count == NODE_LINKS || b->link_count == NODE_LINKS)
        return NONE;
    uint32_t number;
    if (world->link_free_count) {
        number = world->link_free[--world->link_free_count];
    } else {
        number = world->link_count;
        if ((number & (number - 1)) == 0 || number == 0) {
            size_t capacity = number ? 2 * (size_t)number : 1;
            struct link *links = realloc(world->links, capacity * sizeof *links);
            uint32_t *spare = realloc(world->link_free, capacity * sizeof *spare);
            if (!links || !spare)
                abort();
            world->links = links;
            world->link_free = spare;
        }
        world->links[number].generation = 0;
        world->link_count++;
    }
    uint16_t generation = (uint16_t)(world->links[number].generation + 1);
    uint64_t seed = world->options.seed;
    world->links[number] = (struct link){
        .node = {node, peer},
        .state = LINK_DIALLING,
        .inside = one_site(world, node, peer),
        .generation = generation,
        .latency = {sim_random_pair(seed, STREAM_LATENCY, peer, node),
                    sim_random_pair(seed, STREAM_LATENCY, node, peer)},
    };
    a->links[a->link_count++] = (struct node_link){.peer = peer, .link = number};
    b->links[b->link_count++] = (struct node_link){.peer = node, .link = number};
    return number;
}

static void link_free(struct sim_world *world, uint32_t number)
{
    struct link *link = &world->links[number];
    links_remove(&world->nodes[link->node[0]], link->node[1]);
    links_remove(&world->nodes[link->node[1]], link->node[0]);
    link->state = LINK_FREE;
    link->generation++;
    world->link_free[world->link_free_count++] = number;
}

static void schedule(struct sim_world *world, int64_t time, struct sim_event event)
{
    if (!wheel_add(&world->wheel, time, &event))
        abort();
}

static int64_t latency(const struct link *link, unsigned side, uint64_t message,
                       const struct sim_link *quality)
{
    if (!quality->jitter)
        return quality->latency;
    uint64_t random = sim_random_of(link->latency[side], message);
    return quality->latency + (int64_t)sim_random_below(random, (uint64_t)quality->jitter + 1);
}

/* TCP's and CURVE's handshakes: three trips and a half. */
static int64_t dial_time(struct sim_world *world, uint32_t node, uint32_t peer)
{
    const struct sim_link *link = quality(world, node, peer, one_site(world, node, peer));
    return 2 + 4 * link->latency + 2 * link->jitter;
}

static void dial_attempt(struct sim_world *world, uint32_t number, int64_t delay)
{
    struct link *link = &world->links[number];
    schedule(
        world, world->time + delay,
        (struct sim_event){.type = EVENT_DIAL, .generation = link->generation, .a = NONE, .link = number});
}

static void tell_link(struct sim_world *world, uint32_t node, uint32_t peer, enum cluster_event_type type,
                      bool dialled)
{
    if (world->nodes[node].state != NODE_UP)
        return;
    struct cluster_event event = {.type = type, .link = {.peer = world->nodes[peer].id, .dialled = dialled}};
    world_step(world, node, &event);
}

static void link_tell_up(struct sim_world *world, uint32_t number)
{
    struct link link = world->links[number];
    world->links[number].told = true;
    world->stats.links_opened++;
    tell_link(world, link.node[0], link.node[1], CLUSTER_LINK_UP, link.wants[0]);
    if (world->links[number].generation == link.generation)
        tell_link(world, link.node[1], link.node[0], CLUSTER_LINK_UP, link.wants[1]);
}

static unsigned side_of(const struct link *link, uint32_t node)
{
    return link->node[0] == node ? 0 : 1;
}

static bool refused(const struct sim_world *world, uint32_t a, uint32_t b)
{
    if (!world->refusals)
        return false;
    return bit_get(world->nodes[a].revoked, b) || bit_get(world->nodes[b].revoked, a);
}

void network_dial(struct sim_world *world, uint32_t node, uint32_t peer)
{
    uint32_t number = link_find(world, node, peer);
    if (number == NONE) {
        number = link_make(world, node, peer);
        if (number == NONE)
            return;
        dial_attempt(world, number, dial_time(world, node, peer));
    }
    struct link *link = &world->links[number];
    link->wants[side_of(link, node)] = true;
    /* A link that was opened for a message becomes one that the core knows. Not at once: a step is running.
     */
    if (link->state == LINK_UP && !link->told)
        dial_attempt(world, number, 1);
}

/* The link is gone; who is still there and wanted it dials again. */
static void link_drop(struct sim_world *world, uint32_t number, uint32_t quiet_for)
{
    struct link link = world->links[number];
    bool was_up = link.state == LINK_UP && link.told;
    link_free(world, number);
    if (was_up)
        world->stats.links_closed++;
    for (unsigned side = 0; side < 2; side++) {
        uint32_t node = link.node[side], peer = link.node[!side];
        if (was_up && node != quiet_for && world->nodes[node].core)
            schedule(world, world->time + 1,
                     (struct sim_event){.type = EVENT_LINK_DOWN,
                                        .generation = world->nodes[node].generation,
                                        .a = node,
                                        .b = peer});
        if (link.wants[side] && world->nodes[node].core && node != quiet_for &&
            link_find(world, node, peer) == NONE) {
            uint32_t again = link_make(world, node, peer);
            if (again != NONE) {
                world->links[again].wants[0] = true;
                world->links[again].attempts = link.state == LINK_UP ? 0 : link.attempts;
                dial_attempt(world, again, 500);
            }
        }
    }
}

void network_hang_up(struct sim_world *world, uint32_t node, uint32_t peer)
{
    uint32_t number = link_find(world, node, peer);
    if (number == NONE)
        return;
    struct link *link = &world->links[number];
    link->wants[side_of(link, node)] = false;
    if (link->state == LINK_DIALLING && link->wants[!side_of(link, node)])
        return; /* it is the other's attempt */
    link_drop(world, number, node);
}

void network_refuse(struct sim_world *world, uint32_t node, uint32_t peer)
{
    struct sim_node *n = &world->nodes[node];
    if (!n->revoked)
        n->revoked = calloc(world->count / 64 + 1, sizeof *n->revoked);
    if (!n->revoked)
        abort();
    bit_set(n->revoked, peer);
    world->refusals = true;
    uint32_t number = link_find(world, node, peer);
    if (number != NONE)
        link_drop(world, number, NONE);
}

void network_killed(struct sim_world *world, uint32_t node)
{
    /* A copy: peers that want the link make another attempt of it at once. */
    const struct sim_node *n = &world->nodes[node];
    struct node_link links[NODE_LINKS];
    unsigned count = n->link_count;
    memcpy(links, n->links, sizeof links);
    for (unsigned i = 0; i < count; i++) {
        struct link *link = &world->links[links[i].link];
        link->wants[side_of(link, node)] = false;
        link_drop(world, links[i].link, node);
    }
}

void network_stopped(struct sim_world *world, uint32_t node)
{
    const struct sim_node *n = &world->nodes[node];
    for (unsigned i = 0; i < n->link_count; i++)
        schedule(world, world->time + LINK_TIMEOUT,
                 (struct sim_event){.type = EVENT_LINK_CHECK,
                                    .generation = world->links[n->links[i].link].generation,
                                    .link = n->links[i].link});
}

void network_cut(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->link_count; i++) {
        struct link *link = &world->links[i];
        if (link->state != LINK_UP || link->checking || network_reaches(world, link->node[0], link->node[1]))
            continue;
        link->checking = true;
        schedule(world, world->time + LINK_TIMEOUT,
                 (struct sim_event){.type = EVENT_LINK_CHECK, .generation = link->generation, .link = i});
    }
}

unsigned network_links_up(const struct sim_world *world, uint32_t node)
{
    const struct sim_node *n = &world->nodes[node];
    unsigned up = 0;
    for (unsigned i = 0; i < n->link_count; i++)
        up += world->links[n->links[i].link].state == LINK_UP;
    return up;
}

/* --- messages --- */

static void deliver_later(struct sim_world *world, uint32_t from, uint32_t to, uint32_t payload,
                          uint32_t number, int64_t time)
{
    uint16_t generation = 0;
    if (number != NONE) {
        struct link *link = &world->links[number];
        link->queued[side_of(link, to)]++;
        generation = link->generation;
    }
    world->payloads[payload]->references++;
    schedule(world, time,
             (struct sim_event){.type = EVENT_MESSAGE,
                                .generation = generation,
                                .a = to,
                                .b = from,
                                .payload = payload,
                                .link = number});
}

/* A link for this message when there is none yet; NONE: it cannot be sent. */
static uint32_t link_for(struct sim_world *world, uint32_t from, uint32_t to, bool open_link, int64_t *delay)
{
    uint32_t number = link_find(world, from, to);
    if (number != NONE && world->links[number].state == LINK_UP)
        return number;
    if (!open_link || world->nodes[to].state != NODE_UP || !network_reaches(world, from, to))
        return NONE;
    *delay = dial_time(world, from, to);
    if (number != NONE) {
        /* An attempt waits for its next time already: now it is worth one. */
        world->links[number].state = LINK_UP;
        dial_attempt(world, number, *delay);
        return number;
    }
    number = link_make(world, from, to);
    if (number == NONE)
        return NONE;
    struct link *link = &world->links[number];
    link->state = LINK_UP;
    dial_attempt(world, number, *delay);
    schedule(world, world->time + LINK_IDLE,
             (struct sim_event){.type = EVENT_LINK_IDLE, .generation = link->generation, .link = number});
    return number;
}

void network_send(struct sim_world *world, uint32_t from, uint32_t to, uint32_t payload, bool open_link)
{
    struct sim_node *sender = &world->nodes[from];
    uint32_t size = world->payloads[payload]->size;
    uint64_t number_of_message = ++sender->sent;
    world->stats.messages++;
    world->stats.bytes += size;
    if (world->observer.message)
        world->observer.message(world->observer.context, world->time, from, to, false,
                                (struct bytes){.data = world->payloads[payload]->data, .size = size});
    int64_t delay = 0;
    uint32_t number =
        refused(world, from, to) || from == to ? NONE : link_for(world, from, to, open_link, &delay);
    if (number == NONE) {
        world->stats.lost++;
        return;
    }
    struct link *link = &world->links[number];
    unsigned side = side_of(link, to);
    const struct sim_link *q = quality(world, from, to, link->inside);
    link->used = world->time;
    if (link->queued[side] >= QUEUE_MAX || !passes(world, from, to) ||
        (q->loss &&
         sim_random_chance(sim_random(world->options.seed, STREAM_LOSS, from, to, number_of_message),
                           q->loss))) {
        world->stats.lost++;
        return;
    }
    int64_t base = world->network_count ? clogged(world, from, to) : 0;
    if (base < world->time)
        base = world->time;
    int64_t time = base + delay + latency(link, side, number_of_message, q);
    if (!q->reorder) {
        if (time < link->last[side])
            time = link->last[side];
        link->last[side] = time;
    }
    deliver_later(world, from, to, payload, number, time);
    if (q->twice && sim_random_chance(
                        sim_random(world->options.seed, STREAM_TWICE, from, to, number_of_message), q->twice))
        deliver_later(world, from, to, payload, number, time + q->latency + q->jitter / 2);
}

static void hand_in(struct sim_world *world, uint32_t to, uint32_t from, uint32_t number)
{
    struct sim_node *node = &world->nodes[to];
    struct payload *payload = world->payloads[number];
    struct bytes bytes = {.data = payload->data, .size = payload->size};
    world->stats.delivered++;
    if (world->observer.message)
        world->observer.message(world->observer.context, world->time, from, to, true, bytes);
    if (node->hostile_now)
        hostile_hear(world, to, number);
    if (!bit_get(node->revoked, from)) {
        checker_delivered(world, to, from, payload);
        struct cluster_event event = {.type = CLUSTER_RECEIVED,
                                      .received = {.from = world->nodes[from].id, .message = bytes}};
        world_step(world, to, &event);
    }
    network_release(world, number);
}

/* A paused process's socket keeps it for a while. */
static void keep_waiting(struct sim_world *world, uint32_t to, uint32_t from, uint32_t payload)
{
    struct sim_node *node = &world->nodes[to];
    if (node->waiting_count == node->waiting_capacity) {
        unsigned capacity = node->waiting_capacity ? node->waiting_capacity * 2 : 64;
        uint32_t *waiting = realloc(node->waiting, capacity * 4 * sizeof *waiting);
        if (!waiting)
            abort();
        node->waiting = waiting;
        node->waiting_capacity = capacity;
    }
    uint32_t *slot = &node->waiting[node->waiting_count++ * 4];
    slot[0] = payload;
    slot[1] = from;
    slot[2] = (uint32_t)world->time;
    slot[3] = (uint32_t)((uint64_t)world->time >> 32);
}

void network_resumed(struct sim_world *world, uint32_t node)
{
    struct sim_node *n = &world->nodes[node];
    for (unsigned i = 0; i < n->waiting_count; i++) {
        const uint32_t *slot = &n->waiting[i * 4];
        int64_t since = (int64_t)((uint64_t)slot[3] << 32 | slot[2]);
        if (world->time - since <= PAUSE_KEEPS)
            deliver_later(world, slot[1], node, slot[0], NONE, world->time + 1);
        network_release(world, slot[0]);
    }
    n->waiting_count = 0;
}

static void on_message(struct sim_world *world, const struct sim_event *event)
{
    struct sim_node *to = &world->nodes[event->a];
    if (event->link != NONE) {
        struct link *link = &world->links[event->link];
        bool current = link->generation == event->generation;
        if (current)
            link->queued[side_of(link, event->a)]--;
        /* What was in the pipes of a link that broke is lost. */
        if (!current || !to->core) {
            world->stats.lost++;
            network_release(world, event->payload);
            return;
        }
    }
    if (!to->core) {
        network_release(world, event->payload);
        return;
    }
    if (to->state != NODE_UP) {
        if (to->waiting_count < 16 * QUEUE_MAX)
            keep_waiting(world, event->a, event->b, event->payload);
        else
            network_release(world, event->payload);
        return;
    }
    hand_in(world, event->a, event->b, event->payload);
}

static void on_dial(struct sim_world *world, const struct sim_event *event)
{
    struct link *link = &world->links[event->link];
    if (link->generation != event->generation)
        return;
    if (link->state == LINK_UP) {
        if (!link->told)
            link_tell_up(world, event->link);
        else if (event->a != NONE)
            tell_link(world, event->a, link->node[!side_of(link, event->a)], CLUSTER_LINK_UP, true);
        return;
    }
    uint32_t a = link->node[0], b = link->node[1];
    if (!world->nodes[a].core || (!link->wants[0] && !link->wants[1])) {
        link_drop(world, event->link, a);
        return;
    }
    /* A handshake needs both directions; a stopped process accepts nothing; a revoked key neither. */
    if (world->nodes[a].state == NODE_UP && world->nodes[b].state == NODE_UP && passes(world, a, b) &&
        passes(world, b, a) && !refused(world, a, b)) {
        link->state = LINK_UP;
        link_tell_up(world, event->link);
        return;
    }
    /* As RECONNECT_IVL and RECONNECT_IVL_MAX: half a second, doubled up to a minute. */
    int64_t wait = (int64_t)500 << (link->attempts < 7 ? link->attempts : 7);
    if (link->attempts < 7)
        link->attempts++;
    dial_attempt(world, event->link, wait < SIM_MINUTE ? wait : SIM_MINUTE);
}

static void on_link_check(struct sim_world *world, const struct sim_event *event)
{
    struct link *link = &world->links[event->link];
    if (link->generation != event->generation || link->state != LINK_UP)
        return;
    link->checking = false;
    bool runs = world->nodes[link->node[0]].state == NODE_UP && world->nodes[link->node[1]].state == NODE_UP;
    if (!runs || !network_reaches(world, link->node[0], link->node[1]))
        link_drop(world, event->link, NONE);
}

static void on_link_idle(struct sim_world *world, const struct sim_event *event)
{
    struct link *link = &world->links[event->link];
    if (link->generation != event->generation || link->wants[0] || link->wants[1])
        return;
    if (link->used + LINK_IDLE > world->time) {
        schedule(world, link->used + LINK_IDLE, *event);
        return;
    }
    link_drop(world, event->link, NONE);
}

void network_event(struct sim_world *world, const struct sim_event *event)
{
    switch ((enum event_type)event->type) {
    case EVENT_MESSAGE:
        on_message(world, event);
        break;
    case EVENT_DIAL:
        on_dial(world, event);
        break;
    case EVENT_LINK_DOWN: {
        struct sim_node *node = &world->nodes[event->a];
        if (node->generation != event->generation)
            break;
        if (node->state == NODE_UP)
            tell_link(world, event->a, event->b, CLUSTER_LINK_DOWN, false);
        else if (node->core)
            schedule(world, world->time + 1000, *event); /* it learns when it runs again */
        break;
    }
    case EVENT_LINK_CHECK:
        on_link_check(world, event);
        break;
    case EVENT_LINK_IDLE:
        on_link_idle(world, event);
        break;
    default:
        break;
    }
}
