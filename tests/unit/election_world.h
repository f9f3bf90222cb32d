/* SPDX-License-Identifier: Apache-2.0
 *
 * A small world for the election alone: the services of the core that it uses (members, gossip, messages,
 * clocks) are done here in the plainest way, for up to WORLD_NODES nodes that tick once a second. A node may
 * run, or be a puppet whose claims and heartbeats the test makes up. What a node does to its disk and what it
 * sends is obeyed as the driver has to: persist first, then send.
 */
#pragma once

#include <sodium.h>
#include <stdlib.h>

#include "base/msgpack.h"
#include "cluster/cluster_internal.h"
#include "cluster/inquiry.h"
#include "tests/unit/unit.h"

#define WORLD_NODES   16u
#define WORLD_DOMAINS 2u
#define WORLD_QUEUE   4096u
#define WORLD_NOTICES 512u
#define MINUTE        INT64_C(60000)
#define CORP          "corp.example"
#define EU            "eu.example"

enum packet_type {
    PACKET_HEARTBEAT, /* sequence of the sender */
    PACKET_CLAIM,
    PACKET_WIRE,
};

struct packet {
    enum packet_type type;
    unsigned from, to;
    uint64_t incarnation;
    uint32_t sequence;
    uint16_t size;
    uint8_t data[1024];
};

struct acquaintance {
    bool heard;
    int64_t seen; /* observed */
    uint64_t incarnation;
    uint32_t sequence;
    bool revoked, left;
};

struct saved_state {
    uint64_t incarnation;
    size_t size; /* what election_save() wrote */
    uint8_t election[2048];
    size_t claim_size[WORLD_DOMAINS];
    uint8_t claims[WORLD_DOMAINS][CLAIM_MAX_SIZE];
};

struct world;

/* A node. */
struct cluster {
    struct world *world;
    unsigned number;
    bool runs;
    struct election *election;
    struct cluster_config config;
    struct cluster_crypto crypto;
    struct cluster_counters counters;
    struct certificate certificate;
    uint8_t candidate_off; /* as its record says */
    int64_t observed, last_tick, quiet_since, tilt_until;
    bool tilt, frozen;
    uint64_t step, incarnation;
    uint32_t sequence;
    int64_t heartbeat_due, sync_due;
    bool exchanged, mute;
    struct acquaintance others[WORLD_NODES];
    unsigned claims_wait; /* bit i: of domain i, for everybody */

    bool persist, unsaved, disk_fails, dies_after_persist;
    struct saved_state disk;

    uint8_t buffer[1024];
    struct msgpack_writer writer;
    struct packet outbox[64];
    unsigned outbox_count;

    struct cluster_notice notices[WORLD_NOTICES];
    unsigned notice_count;
    unsigned hostile;
    uint64_t random;
};

struct world {
    unsigned count;
    int64_t now;
    struct cluster nodes[WORLD_NODES];
    bool cut[WORLD_NODES][WORLD_NODES]; /* [from][to] */
    unsigned loss;                      /* percent */
    uint64_t random;
    struct packet queue[WORLD_QUEUE];
    unsigned head, tail;
    unsigned sent[WIRE_TYPES];
    unsigned claims_sent;
};

static inline const char *world_domain_name(uint32_t domain)
{
    static const char *const names[WORLD_DOMAINS] = {CORP, EU};
    return names[domain];
}

static inline uint64_t world_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline struct node_id world_id(unsigned number)
{
    struct node_id id;
    memset(id.bytes, (int)number + 1, sizeof id.bytes);
    return id;
}

static inline unsigned world_number(const struct node_id *id)
{
    return id->bytes[0] - 1u;
}

/* -- cryptography: keyed hashes; the public key is the key ------------------------------------------------
 */

static inline void world_mac(const uint8_t key[PUBLIC_KEY_SIZE], const void *data, size_t size,
                             uint8_t signature[SIGNATURE_SIZE])
{
    crypto_generichash(signature, SIGNATURE_SIZE, data, size, key, PUBLIC_KEY_SIZE);
}

static inline void world_sign(void *context, const void *data, size_t size, uint8_t signature[SIGNATURE_SIZE])
{
    world_mac(((struct cluster *)context)->certificate.public_key, data, size, signature);
}

static inline bool world_verify(void *context, const uint8_t key[PUBLIC_KEY_SIZE], const void *data,
                                size_t size, const uint8_t signature[SIGNATURE_SIZE])
{
    uint8_t right[SIGNATURE_SIZE];
    (void)context;
    world_mac(key, data, size, right);
    return memcmp(right, signature, sizeof right) == 0;
}

static inline void world_hash(void *context, const void *data, size_t size, uint8_t digest[LINK_SIZE])
{
    (void)context;
    crypto_generichash(digest, LINK_SIZE, data, size, NULL, 0);
}

static inline uint64_t world_draw(void *context, const void *data, size_t size)
{
    uint8_t digest[16];
    static const uint8_t salt[32] = {1, 2, 3};
    (void)context;
    crypto_generichash(digest, sizeof digest, data, size, salt, sizeof salt);
    uint64_t draw;
    memcpy(&draw, digest, sizeof draw);
    return draw;
}

static inline void world_entry(const struct cluster *member, uint32_t sequence, uint8_t entry[HEARTBEAT_SIZE])
{
    uint8_t mac[SIGNATURE_SIZE];
    memset(entry, (int)member->number + 1, 8);
    for (int i = 0; i < 4; i++)
        entry[8 + i] = (uint8_t)(sequence >> (24 - 8 * i));
    world_mac(member->certificate.public_key, entry, 12, mac);
    memcpy(entry + 12, mac, 16);
}

/* -- services of the core ---------------------------------------------------------------------------------
 */

int64_t core_mono(const struct cluster *self)
{
    return self->world->now;
}
int64_t core_wall(const struct cluster *self)
{
    return self->world->now + INT64_C(1795000000000);
}
int64_t core_observed(const struct cluster *self)
{
    return self->observed;
}
bool core_tilt(const struct cluster *self)
{
    return self->tilt;
}
int64_t core_quiet_since(const struct cluster *self)
{
    return self->quiet_since;
}
uint64_t core_random(struct cluster *self)
{
    return world_random(&self->random);
}
const struct cluster_config *core_config(const struct cluster *self)
{
    return &self->config;
}
const struct cluster_crypto *core_crypto(const struct cluster *self)
{
    return &self->crypto;
}
const struct certificate *core_certificate(const struct cluster *self)
{
    return &self->certificate;
}
uint64_t core_step(const struct cluster *self)
{
    return self->step;
}
struct cluster_counters *core_counters(struct cluster *self)
{
    return &self->counters;
}
void core_persist(struct cluster *self)
{
    self->persist = true;
}
void core_raise_incarnation(struct cluster *self, uint64_t seen)
{
    if (seen >= self->incarnation)
        self->incarnation = seen + 1;
    self->persist = true;
}
uint64_t core_incarnation(const struct cluster *self)
{
    return self->incarnation;
}
const struct node_id *core_self(const struct cluster *self)
{
    return &self->certificate.grant.id;
}
struct election *core_election(const struct cluster *self)
{
    return self->election;
}
struct msgpack_writer *core_message(struct cluster *self, enum wire_type type, uint32_t further_pairs)
{
    msgpack_writer_init(&self->writer, self->buffer, sizeof self->buffer);
    msgpack_put_map(&self->writer, further_pairs + 2);
    msgpack_put_uint(&self->writer, WIRE_KEY_VERSION);
    msgpack_put_uint(&self->writer, WIRE_VERSION);
    msgpack_put_uint(&self->writer, WIRE_KEY_TYPE);
    msgpack_put_uint(&self->writer, type);
    return &self->writer;
}
static inline struct packet *world_outgoing(struct cluster *self, enum packet_type type, unsigned to)
{
    assert_true(self->outbox_count < 64);
    struct packet *packet = &self->outbox[self->outbox_count++];
    *packet = (struct packet){.type = type, .from = self->number, .to = to};
    return packet;
}
void core_send(struct cluster *self, const struct node_id *to, bool open_link)
{
    (void)open_link;
    assert_false(self->writer.full);
    struct packet *packet = world_outgoing(self, PACKET_WIRE, world_number(to));
    packet->size = (uint16_t)self->writer.size;
    memcpy(packet->data, self->buffer, self->writer.size);
}
void core_send_again(struct cluster *self, const struct node_id *to, bool open_link)
{
    core_send(self, to, open_link);
}
void core_notice(struct cluster *self, enum cluster_notice_type type, enum cluster_cause cause,
                 const struct node_id *node, const char *domain, uint64_t term)
{
    assert_true(self->notice_count < WORLD_NOTICES);
    self->notices[self->notice_count++] = (struct cluster_notice){
        .type = type, .cause = cause, .wall = core_wall(self), .node = *node, .term = term, .domain = domain};
}
void core_hostile(struct cluster *self, const struct node_id *peer)
{
    (void)peer;
    self->hostile++;
}

/* -- members: index 0 is the node itself ------------------------------------------------------------------
 */

static inline unsigned world_member(const struct cluster *self, uint32_t index)
{
    assert_true(index < self->world->count);
    return index == 0 ? self->number : index <= self->number ? index - 1 : index;
}
uint32_t members_find(const struct cluster *self, const struct node_id *id)
{
    unsigned number = world_number(id);
    if (number >= self->world->count)
        return NO_MEMBER;
    return number == self->number ? 0 : number < self->number ? number + 1 : number;
}
unsigned members_flags(const struct cluster *self, uint32_t index)
{
    const struct acquaintance *other = &self->others[world_member(self, index)];
    return (other->revoked ? MEMBER_FLAG_REVOKED : 0u) | (other->left ? MEMBER_FLAG_LEFT : 0u);
}
uint32_t members_count(const struct cluster *self)
{
    return self->world->count;
}
void members_id(const struct cluster *self, uint32_t index, struct node_id *id)
{
    *id = world_id(world_member(self, index));
}
bool members_public_key(const struct cluster *self, uint32_t index, uint8_t key[PUBLIC_KEY_SIZE])
{
    memcpy(key, self->world->nodes[world_member(self, index)].certificate.public_key, PUBLIC_KEY_SIZE);
    return true;
}
static inline bool world_granted(const struct cluster *node, uint32_t domain)
{
    for (unsigned i = 0; i < node->certificate.grant.domain_count; i++)
        if (strcmp(node->certificate.grant.domains[i], world_domain_name(domain)) == 0)
            return true;
    return false;
}
bool members_granted(const struct cluster *self, uint32_t index, uint32_t domain)
{
    return world_granted(&self->world->nodes[world_member(self, index)], domain);
}
struct bytes members_record(const struct cluster *self, uint32_t index)
{
    /* A record is stood for by its node's number. */
    static const uint8_t numbers[WORLD_NODES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return (struct bytes){&numbers[world_member(self, index)], 1};
}
uint64_t members_incarnation(const struct cluster *self, uint32_t index)
{
    return index == 0 ? self->incarnation : self->others[world_member(self, index)].incarnation;
}
int64_t members_silence(const struct cluster *self, uint32_t index)
{
    if (index == 0)
        return 0;
    const struct acquaintance *other = &self->others[world_member(self, index)];
    return other->heard ? self->observed - other->seen : INT64_MAX;
}
uint16_t members_support(const struct cluster *self)
{
    unsigned support = 0;
    if (self->mute)
        return 0;
    for (uint32_t i = 1; i < self->world->count; i++)
        support += members_silence(self, i) < self->config.timers.support_window;
    return (uint16_t)support;
}
uint32_t members_domain(struct cluster *self, const char *domain, bool add)
{
    (void)self, (void)add;
    for (uint32_t i = 0; i < WORLD_DOMAINS; i++)
        if (strcmp(domain, world_domain_name(i)) == 0)
            return i;
    return UINT32_MAX;
}
const char *members_domain_name(const struct cluster *self, uint32_t domain)
{
    (void)self;
    return world_domain_name(domain);
}
uint32_t members_domain_count(const struct cluster *self)
{
    (void)self;
    return WORLD_DOMAINS;
}
static inline bool world_candidate(const struct cluster *self, unsigned number, uint32_t domain)
{
    const struct cluster *node = &self->world->nodes[number];
    const struct acquaintance *other = &self->others[number];
    return world_granted(node, domain) && !node->candidate_off && !other->left && !other->revoked;
}
unsigned members_candidates(const struct cluster *self, uint32_t domain, unsigned *online)
{
    unsigned count = 0;
    *online = 0;
    for (uint32_t i = 0; i < self->world->count; i++) {
        if (!world_candidate(self, world_member(self, i), domain))
            continue;
        count++;
        *online += members_silence(self, i) < self->config.timers.fresh;
    }
    return count;
}
uint32_t members_candidate_at(const struct cluster *self, uint32_t domain, unsigned i)
{
    for (uint32_t member = 1; member < self->world->count; member++)
        if (world_candidate(self, world_member(self, member), domain) && i-- == 0)
            return member;
    return NO_MEMBER;
}
bool members_heartbeat(const struct cluster *self, uint32_t index, uint8_t entry[HEARTBEAT_SIZE])
{
    unsigned number = world_member(self, index);
    const struct cluster *member = &self->world->nodes[number];
    if (index != 0 && !self->others[number].heard)
        return false;
    world_entry(member, index == 0 ? self->sequence : self->others[number].sequence, entry);
    return true;
}

static inline bool world_hear(struct cluster *self, unsigned number, uint64_t incarnation, uint32_t sequence,
                              int64_t age)
{
    struct acquaintance *other = &self->others[number];
    int64_t seen = self->observed - age;
    if (other->revoked || incarnation < other->incarnation ||
        (incarnation == other->incarnation && other->heard && sequence <= other->sequence))
        return false;
    if (!other->heard || seen > other->seen)
        other->seen = seen;
    other->heard = true;
    other->incarnation = incarnation;
    other->sequence = sequence;
    struct node_id id = world_id(number);
    election_heard(self, members_find(self, &id));
    return true;
}
bool members_take_heartbeat(struct cluster *self, const uint8_t entry[HEARTBEAT_SIZE], int64_t age,
                            const struct node_id *from)
{
    uint8_t right[HEARTBEAT_SIZE];
    unsigned number = entry[0] - 1u;
    uint32_t sequence =
        (uint32_t)entry[8] << 24 | (uint32_t)entry[9] << 16 | (uint32_t)entry[10] << 8 | entry[11];
    (void)from;
    if (number >= self->world->count)
        return false;
    world_entry(&self->world->nodes[number], sequence, right);
    return memcmp(right, entry, HEARTBEAT_SIZE) == 0 &&
           world_hear(self, number, self->others[number].incarnation, sequence, age);
}

/* -- gossip -----------------------------------------------------------------------------------------------
 */

void gossip_claim(struct cluster *self, uint32_t domain, const struct node_id *not_to)
{
    (void)not_to;
    self->claims_wait |= 1u << domain;
}
void gossip_claim_stands(struct cluster *self, uint64_t digest)
{
    (void)self;
    (void)digest; /* no anti-entropy here */
}
bool gossip_exchanged(const struct cluster *self)
{
    return self->exchanged;
}
unsigned overlay_neighbours(const struct cluster *self, struct node_id ids[CLUSTER_LINKS])
{
    unsigned count = 0;
    for (unsigned i = 0; i < self->world->count && count < 3; i++)
        if (i != self->number)
            ids[count++] = world_id(i);
    return count;
}

/* -- one step of a node, and what a driver does with it ---------------------------------------------------
 */

static inline void world_save(struct cluster *node)
{
    struct saved_state *disk = &node->disk;
    struct msgpack_writer w;
    msgpack_writer_init(&w, disk->election, sizeof disk->election);
    election_save(node, &w);
    assert_false(w.full);
    disk->size = w.size;
    disk->incarnation = node->incarnation;
    for (uint32_t i = 0; i < WORLD_DOMAINS; i++) {
        struct bytes claim = election_register(node, i);
        disk->claim_size[i] = claim.size;
        if (claim.size)
            memcpy(disk->claims[i], claim.data, claim.size);
    }
}

static inline void world_post_claims(struct cluster *node)
{
    for (uint32_t d = 0; d < WORLD_DOMAINS; d++) {
        struct bytes claim = election_register(node, d);
        if (!(node->claims_wait >> d & 1u) || !claim.size)
            continue;
        for (unsigned to = 0; to < node->world->count; to++) {
            if (to == node->number)
                continue;
            struct packet *packet = world_outgoing(node, PACKET_CLAIM, to);
            packet->size = (uint16_t)claim.size;
            memcpy(packet->data, claim.data, claim.size);
        }
    }
    node->claims_wait = 0;
}

static inline void world_begin(struct cluster *node)
{
    node->step++;
    node->persist = false;
    node->outbox_count = 0;
}

static inline void world_kill(struct cluster *node)
{
    node->runs = false;
    election_destroy(&node->election);
}

/* Persist, then send. While the disk fails nothing is sent; it is tried again with each tick. */
static inline void world_end(struct cluster *node)
{
    struct world *w = node->world;
    if (node->persist && node->disk_fails) {
        world_begin(node);
        election_persist_failed(node);
        node->unsaved = true;
    }
    if (node->unsaved && node->disk_fails)
        return;
    world_post_claims(node);
    if (node->persist || node->unsaved) {
        world_save(node);
        node->unsaved = false;
        if (node->dies_after_persist) {
            world_kill(node);
            return;
        }
    }
    for (unsigned i = 0; i < node->outbox_count; i++) {
        struct packet *packet = &node->outbox[i];
        if (packet->type == PACKET_WIRE) {
            struct cursor c = cursor_of(packet->data, packet->size);
            msgpack_next(&c), msgpack_next(&c), msgpack_next(&c), msgpack_next(&c);
            w->sent[msgpack_next(&c).uint]++;
        }
        w->claims_sent += packet->type == PACKET_CLAIM;
        if (w->cut[packet->from][packet->to] || world_random(&w->random) % 100 < w->loss)
            continue;
        assert_true((w->tail + 1) % WORLD_QUEUE != w->head);
        w->queue[w->tail] = *packet;
        w->tail = (w->tail + 1) % WORLD_QUEUE;
    }
}

/* -- receiving --------------------------------------------------------------------------------------------
 */

struct world_wire {
    uint64_t type, incarnation, sequence, age, ask;
    char domain[DOMAIN_MAX_SIZE];
    struct node_id node;
    bool has_record, has_entry;
    uint8_t entry[HEARTBEAT_SIZE];
};

static inline void world_parse(struct world_wire *wire, const struct packet *packet)
{
    struct cursor c = cursor_of(packet->data, packet->size);
    struct msgpack_item map = msgpack_next(&c);
    uint64_t last = 0;
    assert_int_equal(map.type, MSGPACK_MAP);
    *wire = (struct world_wire){0};
    for (uint32_t i = 0; i < map.count; i++) {
        uint64_t key = msgpack_next(&c).uint;
        assert_true(i == 0 || key > last); /* ascending */
        last = key;
        struct msgpack_item value = msgpack_next(&c);
        switch (key) {
        case WIRE_KEY_TYPE:
            wire->type = value.uint;
            break;
        case WIRE_KEY_HEARTBEATS:
            assert_int_equal(value.bytes.size, HEARTBEAT_SIZE);
            memcpy(wire->entry, value.bytes.data, HEARTBEAT_SIZE);
            wire->has_entry = true;
            break;
        case WIRE_KEY_RECORDS:
            assert_int_equal(value.count, 1);
            msgpack_skip(&c);
            wire->has_record = true;
            break;
        case WIRE_KEY_DOMAIN:
            memcpy(wire->domain, value.bytes.data, value.bytes.size);
            break;
        case WIRE_KEY_NODE:
            memcpy(wire->node.bytes, value.bytes.data, NODE_ID_SIZE);
            break;
        case WIRE_KEY_INCARNATION:
            wire->incarnation = value.uint;
            break;
        case WIRE_KEY_SEQUENCE:
            wire->sequence = value.uint;
            break;
        case WIRE_KEY_AGE:
            wire->age = value.uint;
            break;
        case WIRE_KEY_ASK:
            wire->ask = value.uint;
            break;
        default:
            break;
        }
    }
    assert_false(c.failed);
    assert_true(cursor_done(&c));
}

static inline void world_take_wire(struct cluster *node, const struct packet *packet)
{
    struct world_wire wire;
    struct node_id from = world_id(packet->from);
    world_parse(&wire, packet);
    switch (wire.type) {
    case WIRE_QUERY:
        election_query(node, &from, &wire.node, wire.incarnation, (uint32_t)wire.sequence);
        break;
    case WIRE_HAVE:
        assert_true(wire.has_entry);
        if (wire.has_record) {
            struct acquaintance *other = &node->others[world_number(&wire.node)];
            uint64_t known = node->world->nodes[packet->from].others[world_number(&wire.node)].incarnation;
            if (packet->from == world_number(&wire.node))
                known = node->world->nodes[packet->from].incarnation;
            if (known > other->incarnation) {
                other->incarnation = known;
                other->sequence = 0;
            }
        }
        election_have(node, &from, &wire.node, wire.entry, (int64_t)wire.age);
        break;
    case WIRE_ASK:
        election_ask(node, &from, wire.domain, (unsigned)wire.ask);
        break;
    default:
        fail();
    }
}

static inline void world_receive(struct cluster *node, const struct packet *packet)
{
    struct node_id from = world_id(packet->from);
    world_begin(node);
    node->exchanged = true;
    if (packet->type == PACKET_HEARTBEAT)
        world_hear(node, packet->from, packet->incarnation, packet->sequence, 0);
    else if (packet->type == PACKET_CLAIM)
        election_claim(node, (struct bytes){packet->data, packet->size}, &from);
    else
        world_take_wire(node, packet);
    world_end(node);
}

/* -- time -------------------------------------------------------------------------------------------------
 */

static inline void world_clock(struct cluster *node)
{
    const struct cluster_timers *t = &node->config.timers;
    int64_t passed = node->world->now - node->last_tick;
    node->last_tick = node->world->now;
    if (passed > t->tilt_gap) {
        node->tilt = true;
        node->tilt_until = node->observed + t->observe_step + t->tilt_hold;
    }
    node->observed += passed < t->observe_step ? passed : t->observe_step;
    if (node->tilt && node->observed >= node->tilt_until) {
        node->tilt = false;
        node->quiet_since = node->observed;
    }
}

static inline void world_tick_node(struct cluster *node)
{
    world_begin(node);
    node->persist = node->unsaved;
    world_clock(node);
    if (node->observed >= node->heartbeat_due) {
        node->sequence++;
        node->heartbeat_due = node->observed + node->config.timers.heartbeat;
        for (unsigned to = 0; to < node->world->count; to++) {
            if (to == node->number)
                continue;
            struct packet *packet = world_outgoing(node, PACKET_HEARTBEAT, to);
            packet->incarnation = node->incarnation;
            packet->sequence = node->sequence;
        }
    }
    /* Anti-entropy: all claims to one other node. */
    if (node->observed >= node->sync_due && node->world->count > 1) {
        unsigned to = (unsigned)(world_random(&node->random) % node->world->count);
        node->sync_due = node->observed + node->config.timers.anti_entropy;
        for (uint32_t d = 0; d < WORLD_DOMAINS && to != node->number; d++) {
            struct bytes claim = election_register(node, d);
            if (!claim.size)
                continue;
            struct packet *packet = world_outgoing(node, PACKET_CLAIM, to);
            packet->size = (uint16_t)claim.size;
            memcpy(packet->data, claim.data, claim.size);
        }
    }
    election_tick(node);
    node->candidate_off = election_candidate_off(node);
    world_end(node);
}

static inline void world_deliver(struct world *w)
{
    unsigned tail = w->tail; /* what is sent meanwhile arrives with the next tick */
    while (w->head != tail) {
        struct packet packet = w->queue[w->head];
        w->head = (w->head + 1) % WORLD_QUEUE;
        struct cluster *node = &w->nodes[packet.to];
        if (node->runs && !node->frozen)
            world_receive(node, &packet);
    }
}

static inline void world_tick(struct world *w)
{
    w->now += 1000;
    world_deliver(w);
    for (unsigned i = 0; i < w->count; i++)
        if (w->nodes[i].runs && !w->nodes[i].frozen)
            world_tick_node(&w->nodes[i]);
}

static inline void world_run(struct world *w, int64_t ms)
{
    for (int64_t end = w->now + ms; w->now < end;)
        world_tick(w);
}

/* -- faults and scenes ------------------------------------------------------------------------------------
 */

static inline void world_start(struct world *w, unsigned number)
{
    struct cluster *node = &w->nodes[number];
    assert_false(node->runs);
    node->runs = true;
    node->frozen = node->tilt = node->exchanged = false;
    node->dies_after_persist = node->unsaved = false;
    node->observed = node->sync_due = node->quiet_since = 0;
    node->heartbeat_due = 0;
    node->last_tick = w->now;
    node->sequence = 0;
    node->claims_wait = 0;
    for (unsigned i = 0; i < WORLD_NODES; i++)
        node->others[i].heard = false;
    node->incarnation = node->disk.incarnation + 1;
    world_begin(node);
    node->election = election_new(node);
    assert_non_null(node->election);
    if (node->disk.size) {
        struct cursor c = cursor_of(node->disk.election, node->disk.size);
        assert_true(election_load(node, &c));
        assert_true(cursor_done(&c));
    }
    for (uint32_t i = 0; i < WORLD_DOMAINS; i++)
        if (node->disk.claim_size[i])
            election_claim(node, (struct bytes){node->disk.claims[i], node->disk.claim_size[i]}, NULL);
    election_start(node);
    node->persist = true;
    world_end(node);
}

/* Nodes 0 to candidates - 1 are candidates of CORP and EU, the others sensors. None runs yet. */
static inline struct world *world_open(unsigned count, unsigned candidates)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    assert_true(sodium_init() >= 0);
    w->count = count;
    w->random = 7;
    for (unsigned i = 0; i < count; i++) {
        struct cluster *node = &w->nodes[i];
        node->world = w;
        node->number = i;
        node->random = i;
        node->config.min_observers = 1;
        cluster_timers_for(&node->config.timers, 0);
        node->crypto = (struct cluster_crypto){.context = node,
                                               .sign = world_sign,
                                               .verify = world_verify,
                                               .hash = world_hash,
                                               .draw = world_draw};
        node->certificate.grant.id = world_id(i);
        memset(node->certificate.public_key, 0x40 + (int)i, PUBLIC_KEY_SIZE);
        if (i >= candidates)
            continue;
        strcpy(node->certificate.grant.domains[0], CORP);
        strcpy(node->certificate.grant.domains[1], EU);
        node->certificate.grant.domain_count = 2;
    }
    return w;
}

static inline void world_close(struct world *w)
{
    for (unsigned i = 0; i < w->count; i++)
        if (w->nodes[i].runs)
            world_kill(&w->nodes[i]);
    free(w);
}

/* An event at a node, as a step of its own. */
#define WORLD_DO(w, number, call)                                                                            \
    do {                                                                                                     \
        struct cluster *node = &(w)->nodes[number];                                                          \
        world_begin(node);                                                                                   \
        call;                                                                                                \
        world_end(node);                                                                                     \
    } while (0)

static inline void world_directory(struct world *w, unsigned number, bool reachable)
{
    WORLD_DO(w, number, election_directory(node, CORP, reachable));
}

/* Starts everybody, all directories within reach. */
static inline void world_start_all(struct world *w)
{
    for (unsigned i = 0; i < w->count; i++) {
        world_start(w, i);
        world_directory(w, i, true);
    }
}

static inline void world_cut(struct world *w, unsigned a, unsigned b, bool cut)
{
    w->cut[a][b] = w->cut[b][a] = cut;
}

/* Cuts the nodes below `border` off the others. */
static inline void world_partition(struct world *w, unsigned border, bool cut)
{
    for (unsigned a = 0; a < border; a++)
        for (unsigned b = border; b < w->count; b++)
            world_cut(w, a, b, cut);
}

static inline struct cluster_domain_view world_view(struct world *w, unsigned number)
{
    struct cluster_domain_view view;
    assert_true(election_view(&w->nodes[number], 0, &view));
    return view;
}

static inline enum election_state world_state(struct world *w, unsigned number)
{
    return world_view(w, number).state;
}

/* Whom this node's register names. */
static inline unsigned world_named(struct world *w, unsigned number)
{
    struct cluster_domain_view view = world_view(w, number);
    return world_number(&view.claim.id);
}

/* The only ACTIVE node for CORP; w->count when there is none. Fails when there are several. */
static inline unsigned world_holder(struct world *w)
{
    unsigned holder = w->count;
    for (unsigned i = 0; i < w->count; i++) {
        if (!w->nodes[i].runs || !election_holds(&w->nodes[i], 0, NULL))
            continue;
        assert_int_equal(holder, w->count);
        holder = i;
    }
    return holder;
}

static inline unsigned world_actives(struct world *w)
{
    unsigned count = 0;
    for (unsigned i = 0; i < w->count; i++)
        count += w->nodes[i].runs && election_holds(&w->nodes[i], 0, NULL);
    return count;
}

/* Notices of a node of this type and cause (CAUSES: any). */
static inline unsigned world_notices(struct world *w, unsigned number, enum cluster_notice_type type,
                                     enum cluster_cause cause)
{
    unsigned count = 0;
    for (unsigned i = 0; i < w->nodes[number].notice_count; i++)
        count += w->nodes[number].notices[i].type == type &&
                 (cause == CAUSES || w->nodes[number].notices[i].cause == cause);
    return count;
}

/* A claim made up by the test, rightly signed and drawn unless changed before world_offer(). */
static inline struct claim world_claim(struct world *w, unsigned claimant, uint64_t term, bool settled)
{
    struct claim claim = {.domain = CORP,
                          .term = term,
                          .settled = settled,
                          .id = world_id(claimant),
                          .incarnation = w->nodes[claimant].incarnation ? w->nodes[claimant].incarnation : 1,
                          .cause = CAUSE_NO_HOLDER};
    claim.draw = claim_draw(&w->nodes[claimant].crypto, CORP, term, &claim.id);
    return claim;
}

static inline bool world_offer(struct world *w, unsigned to, const struct claim *claim)
{
    uint8_t buffer[CLAIM_MAX_SIZE];
    bool news;
    struct node_id from = world_id((to + 1) % w->count);
    size_t size = claim_write(buffer, sizeof buffer, claim, &w->nodes[world_number(&claim->id)].crypto);
    assert_true(size > 0);
    w->nodes[to].exchanged = true;
    WORLD_DO(w, to, news = election_claim(node, (struct bytes){buffer, size}, &from));
    return news;
}

/* A puppet's heartbeat reaches a node. */
static inline void world_beat(struct world *w, unsigned puppet, unsigned at)
{
    struct cluster *member = &w->nodes[puppet];
    if (!member->incarnation)
        member->incarnation = 1;
    member->sequence++;
    w->nodes[at].exchanged = true;
    WORLD_DO(w, at, world_hear(node, puppet, member->incarnation, member->sequence, 0));
}
