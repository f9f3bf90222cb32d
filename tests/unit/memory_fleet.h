/* SPDX-License-Identifier: Apache-2.0
 *
 * A fleet of the shipped cores for unit tests: wired by a network in memory, on virtual time, with a keyed
 * hash in the place of signatures. Same seed, same run.
 *
 *     struct fleet *f = fleet_new(&(struct fleet_options){.count = 3, .candidates = 3});
 *     fleet_start_all(f);
 *     fleet_run(f, 60000);
 *     ... f->nodes[0].core, fleet_converged(f), f->nodes[0].notices[NOTICE_...]
 *     fleet_destroy(&f);
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "cluster/cluster.h"

#define FLEET_DOMAIN  "corp.example"
#define FLEET_SLOTS   16384u /* ms: the longest delay */
#define FLEET_NOTICES (NOTICE_ELECTION + 1)
#define FLEET_TRACE   4096u
#define FLEET_EPOCH   INT64_C(1700000000000)

/* A fleet that cannot do what it should is no test's finding. */
static inline void fleet_must(bool condition)
{
    if (!condition)
        abort();
}

/* --- cryptography --- */

struct fleet_key {
    uint64_t secret, salt;
    uint8_t public_key[PUBLIC_KEY_SIZE];
};

static inline uint64_t fleet_mix(uint64_t a, uint64_t b)
{
    uint64_t z = (a ^ b * UINT64_C(0x9e3779b97f4a7c15)) + UINT64_C(0x2545f4914f6cdd1d);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint64_t fleet_word(const uint8_t *at, size_t size)
{
    uint64_t word = 0;
    for (size_t i = 0; i < size; i++)
        word |= (uint64_t)at[i] << 8 * i;
    return word;
}

static inline uint64_t fleet_hash(uint64_t key, const void *data, size_t size)
{
    const uint8_t *at = data;
    uint64_t sum = fleet_mix(key, size);
    for (; size >= 8; size -= 8, at += 8)
        sum = fleet_mix(sum, fleet_word(at, 8));
    return size ? fleet_mix(sum, fleet_word(at, size)) : sum;
}

static inline uint64_t fleet_secret_of(const uint8_t public_key[PUBLIC_KEY_SIZE])
{
    return fleet_hash(0x5ec3e7, public_key, PUBLIC_KEY_SIZE);
}

static inline void fleet_put(uint8_t *to, uint64_t word)
{
    for (unsigned i = 0; i < 8; i++)
        to[i] = (uint8_t)(word >> 8 * i);
}

static inline void fleet_sign(void *context, const void *data, size_t size, uint8_t signature[SIGNATURE_SIZE])
{
    const struct fleet_key *key = context;
    memset(signature, 0, SIGNATURE_SIZE);
    fleet_put(signature, fleet_hash(key->secret, data, size));
}

static inline bool fleet_verify(void *context, const uint8_t public_key[PUBLIC_KEY_SIZE], const void *data,
                                size_t size, const uint8_t signature[SIGNATURE_SIZE])
{
    (void)context;
    return fleet_word(signature, 8) == fleet_hash(fleet_secret_of(public_key), data, size);
}

static inline void fleet_digest(void *context, const void *data, size_t size, uint8_t digest[LINK_SIZE])
{
    (void)context;
    uint64_t sum = fleet_hash(1, data, size);
    fleet_put(digest, sum);
    fleet_put(digest + 8, fleet_mix(sum, 2));
}

static inline uint64_t fleet_draw(void *context, const void *data, size_t size)
{
    const struct fleet_key *key = context;
    return fleet_hash(key->salt, data, size);
}

static inline void fleet_key_init(struct fleet_key *key, uint64_t seed, uint64_t number)
{
    for (unsigned i = 0; i < PUBLIC_KEY_SIZE / 8; i++)
        fleet_put(key->public_key + 8 * (size_t)i, fleet_mix(fleet_mix(seed, number), i + 100));
    key->secret = fleet_secret_of(key->public_key);
    key->salt = fleet_mix(seed, 99);
}

static inline struct cluster_crypto fleet_crypto(struct fleet_key *key)
{
    return (struct cluster_crypto){
        .context = key, .sign = fleet_sign, .verify = fleet_verify, .hash = fleet_digest, .draw = fleet_draw};
}

/* --- the fleet --- */

struct fleet_options {
    unsigned count;
    unsigned sites;      /* node i is of site i % sites; 0: 1 */
    unsigned candidates; /* the first so many are, of FLEET_DOMAIN */
    uint64_t seed;
    int64_t latency, jitter; /* ms; 0: 5 + 0..5 */
    unsigned loss;           /* percent */
    int64_t replace_after;   /* 0: 30 min */
    bool strangers;          /* nobody knows anybody but node 0, and node 0 knows nobody */
    bool sensors_silent;
    bool own_pools; /* each node its own pool of records, as in a process of its own */
    unsigned active_links;
    unsigned members_max;
};

enum fleet_event_type { FLEET_TICK, FLEET_MESSAGE, FLEET_UP, FLEET_DOWN };

struct fleet_event {
    struct fleet_event *next;
    enum fleet_event_type type;
    unsigned from, to;
    bool dialled;
    uint64_t life; /* of the receiver: events of an earlier life are lost */
    uint32_t size;
    uint8_t data[];
};

struct fleet_node {
    struct cluster *core;
    struct fleet_key key;
    struct node_id id;
    uint8_t certificate[1024];
    size_t certificate_size;
    uint8_t disk[CLUSTER_STATE_MAX];
    size_t disk_size;
    uint8_t *peers; /* the file of known peers: {size 2, record} */
    size_t peers_size;
    struct record_pool *pool;
    uint64_t life;
    bool up, paused, disk_fails;
    int64_t mono_ahead, boot_ahead, wall_ahead; /* of the world's time */
    unsigned notices[FLEET_NOTICES];
    uint64_t messages, bytes;
};

struct fleet {
    struct fleet_options options;
    struct fleet_node *nodes;
    struct fleet_key authority;
    struct trust trust;
    struct record_pool *pool;
    uint8_t policy[8192];
    size_t policy_size;
    uint64_t policy_version;
    struct cluster_update *update;
    int64_t now;
    uint64_t random;
    uint8_t *linked;                                                         /* [from * count + to] */
    bool (*passes)(const struct fleet *fleet, unsigned from, unsigned to);   /* NULL: everything */
    bool (*dialable)(const struct fleet *fleet, unsigned from, unsigned to); /* NULL: everybody */
    /* Sees every message before it is sent; may be NULL. */
    void (*observe)(struct fleet *fleet, unsigned from, unsigned to, struct bytes message);
    void *context;
    struct fleet_event **heads, **tails;
    uint64_t messages, bytes;
    struct {
        unsigned node;
        int64_t time;
        struct cluster_notice notice;
    } trace[FLEET_TRACE];
    unsigned traced;
};

static inline uint64_t fleet_random(struct fleet *fleet)
{
    return fleet->random = fleet_mix(fleet->random, 77);
}

static inline void fleet_id(struct node_id *id, uint64_t seed, unsigned number)
{
    fleet_put(id->bytes, fleet_mix(fleet_mix(seed, 5), number));
    fleet_put(id->bytes + 8, number); /* for fleet_find() */
}

static inline unsigned fleet_find(const struct fleet *fleet, const struct node_id *id)
{
    uint64_t number = fleet_word(id->bytes + 8, 8);
    if (number < fleet->options.count && node_id_equal(&fleet->nodes[number].id, id))
        return (unsigned)number;
    return UINT32_MAX;
}

static inline void fleet_push(struct fleet *fleet, struct fleet_event *event, int64_t delay)
{
    int64_t longest = (int64_t)FLEET_SLOTS - 1;
    size_t slot = (size_t)((fleet->now + (delay < 1 ? 1 : delay > longest ? longest : delay)) % FLEET_SLOTS);
    event->next = NULL;
    if (fleet->tails[slot])
        fleet->tails[slot]->next = event;
    else
        fleet->heads[slot] = event;
    fleet->tails[slot] = event;
}

static inline struct fleet_event *fleet_event_new(enum fleet_event_type type, unsigned from, unsigned to,
                                                  size_t size)
{
    struct fleet_event *event = malloc(sizeof *event + size);
    fleet_must(event != NULL);
    *event = (struct fleet_event){.type = type, .from = from, .to = to, .size = (uint32_t)size};
    return event;
}

static inline int64_t fleet_delay(struct fleet *fleet)
{
    int64_t latency = fleet->options.latency ? fleet->options.latency : 5;
    int64_t jitter = fleet->options.latency ? fleet->options.jitter : 5;
    return latency + (jitter ? (int64_t)(fleet_random(fleet) % (uint64_t)(jitter + 1)) : 0);
}

static inline bool fleet_passes(const struct fleet *fleet, unsigned from, unsigned to)
{
    return fleet->nodes[to].up && (!fleet->passes || fleet->passes(fleet, from, to));
}

static inline void fleet_tell_link(struct fleet *fleet, unsigned to, unsigned peer, bool up, bool dialled,
                                   int64_t delay)
{
    struct fleet_event *event = fleet_event_new(up ? FLEET_UP : FLEET_DOWN, peer, to, 0);
    event->dialled = dialled;
    event->life = fleet->nodes[to].life;
    fleet_push(fleet, event, delay);
}

static inline void fleet_link(struct fleet *fleet, unsigned a, unsigned b, bool on)
{
    fleet->linked[(size_t)a * fleet->options.count + b] = on;
    fleet->linked[(size_t)b * fleet->options.count + a] = on;
}

static inline void fleet_dial(struct fleet *fleet, unsigned from, const struct cluster_dial *dial)
{
    unsigned to = fleet_find(fleet, &dial->peer);
    if (to == UINT32_MAX)
        return;
    bool linked = fleet->linked[(size_t)from * fleet->options.count + to];
    if (dial->hang_up) {
        if (linked)
            fleet_tell_link(fleet, to, from, false, false, fleet_delay(fleet));
        fleet_link(fleet, from, to, false);
        return;
    }
    bool reached = fleet_passes(fleet, from, to) && fleet_passes(fleet, to, from) &&
                   (!fleet->dialable || fleet->dialable(fleet, from, to));
    if (!linked && !reached) {
        fleet_tell_link(fleet, from, to, false, true, 3000);
        return;
    }
    fleet_link(fleet, from, to, true);
    fleet_tell_link(fleet, from, to, true, true, 2 * fleet_delay(fleet));
    if (!linked)
        fleet_tell_link(fleet, to, from, true, false, 2 * fleet_delay(fleet));
}

static inline void fleet_send(struct fleet *fleet, unsigned from, const struct cluster_message *message)
{
    unsigned to = fleet_find(fleet, &message->to);
    fleet->nodes[from].messages++;
    fleet->nodes[from].bytes += message->size;
    fleet->messages++;
    fleet->bytes += message->size;
    if (to == UINT32_MAX)
        return;
    if (fleet->observe)
        fleet->observe(fleet, from, to, (struct bytes){message->data, message->size});
    if (!fleet->linked[(size_t)from * fleet->options.count + to]) {
        if (!message->open_link || (fleet->dialable && !fleet->dialable(fleet, from, to)))
            return;
        fleet_link(fleet, from, to, true); /* stays: nobody counts connections here */
    }
    if (!fleet_passes(fleet, from, to) || fleet_random(fleet) % 100 < fleet->options.loss)
        return;
    struct fleet_event *event = fleet_event_new(FLEET_MESSAGE, from, to, message->size);
    memcpy(event->data, message->data, message->size);
    event->life = fleet->nodes[to].life;
    fleet_push(fleet, event, fleet_delay(fleet));
}

static inline struct cluster_event fleet_event_of(const struct fleet *fleet, unsigned number,
                                                  enum cluster_event_type type)
{
    const struct fleet_node *node = &fleet->nodes[number];
    return (struct cluster_event){.type = type,
                                  .mono = fleet->now + node->mono_ahead + 1000 * (int64_t)(number + 1),
                                  .boot = fleet->now + node->boot_ahead + 2000 * (int64_t)(number + 1),
                                  .wall = FLEET_EPOCH + fleet->now + node->wall_ahead};
}

/* A step, and what the driver owes after it. */
static inline void fleet_step(struct fleet *fleet, unsigned number, const struct cluster_event *event)
{
    struct fleet_node *node = &fleet->nodes[number];
    struct cluster_update *update = fleet->update;
    cluster_step(node->core, event, update);
    if (update->persist && node->disk_fails) {
        struct cluster_event failed = fleet_event_of(fleet, number, CLUSTER_PERSIST_FAILED);
        cluster_step(node->core, &failed, update);
        fleet_must(!update->persist);
    } else if (update->persist) {
        fleet_must(update->state.size > 0 && update->state.size <= CLUSTER_STATE_MAX);
        memcpy(node->disk, update->state.data, update->state.size);
        node->disk_size = update->state.size;
    }
    for (unsigned i = 0; i < update->notice_count; i++) {
        node->notices[update->notices[i].type]++;
        if (fleet->traced < FLEET_TRACE) {
            fleet->trace[fleet->traced].node = number;
            fleet->trace[fleet->traced].time = fleet->now;
            fleet->trace[fleet->traced++].notice = update->notices[i];
        }
    }
    for (unsigned i = 0; i < update->dial_count; i++)
        fleet_dial(fleet, number, &update->dials[i]);
    for (unsigned i = 0; i < update->message_count; i++)
        fleet_send(fleet, number, &update->messages[i]);
}

static inline size_t fleet_grant(struct fleet *fleet, unsigned number, bool candidate, uint8_t *to,
                                 size_t capacity)
{
    struct grant grant = {.mode = MODE_SENSOR, .expires = UINT32_MAX};
    grant.id = fleet->nodes[number].id;
    unsigned sites = fleet->options.sites ? fleet->options.sites : 1;
    snprintf(grant.site, sizeof grant.site, "site-%u", number % sites);
    if (candidate) {
        snprintf(grant.domains[0], DOMAIN_MAX_SIZE, "%s", FLEET_DOMAIN);
        grant.domain_count = 1;
    }
    struct cluster_crypto authority = fleet_crypto(&fleet->authority);
    return grant_write(to, capacity, &grant, &authority);
}

static inline void fleet_certify(struct fleet *fleet, unsigned number, bool candidate)
{
    struct fleet_node *node = &fleet->nodes[number];
    uint8_t grant[1024];
    size_t size = fleet_grant(fleet, number, candidate, grant, sizeof grant);
    fleet_must(size > 0);
    struct certificate certificate = {.issued = 1700000000, .by_authority = true};
    memcpy(certificate.public_key, node->key.public_key, PUBLIC_KEY_SIZE);
    snprintf(certificate.name, sizeof certificate.name, "dc-%u", number);
    struct cluster_crypto authority = fleet_crypto(&fleet->authority);
    node->certificate_size = certificate_write(node->certificate, sizeof node->certificate, &certificate,
                                               (struct bytes){grant, size}, &authority);
    fleet_must(node->certificate_size > 0);
}

static inline void fleet_config(struct fleet *fleet, unsigned number, struct cluster_config *config,
                                char endpoint[32])
{
    const struct fleet_options *options = &fleet->options;
    struct fleet_node *node = &fleet->nodes[number];
    cluster_config_init(config);
    config->trust = fleet->trust;
    config->certificate = (struct bytes){node->certificate, node->certificate_size};
    snprintf(endpoint, 32, "10.0.%u.%u:49200", number / 250, number % 250 + 1);
    config->endpoints[0] = endpoint;
    config->endpoint_count = 1;
    config->history_size = 64;
    config->sensors_silent = options->sensors_silent;
    if (options->active_links)
        config->active_links = options->active_links;
    if (options->members_max)
        config->members_max = options->members_max;
    cluster_timers_for(&config->timers, options->replace_after);
}

/* A core of its own for the node, not started. */
static inline void fleet_make(struct fleet *fleet, unsigned number)
{
    struct fleet_node *node = &fleet->nodes[number];
    struct cluster_config config;
    char endpoint[32];
    fleet_config(fleet, number, &config, endpoint);
    struct cluster_crypto crypto = fleet_crypto(&node->key);
    if (fleet->options.own_pools && !node->pool)
        node->pool = record_pool_new(256u << 20);
    node->core = cluster_new(&config, &crypto, node->pool ? node->pool : fleet->pool,
                             (struct bytes){fleet->policy, fleet->policy_size});
    fleet_must(node->core != NULL);
}

static inline void fleet_save_peer(void *context, struct bytes record)
{
    struct fleet_node *node = context;
    node->peers = realloc(node->peers, node->peers_size + 2 + record.size);
    fleet_must(node->peers != NULL);
    uint8_t *to = node->peers + node->peers_size;
    to[0] = (uint8_t)(record.size >> 8);
    to[1] = (uint8_t)record.size;
    memcpy(to + 2, record.data, record.size);
    node->peers_size += 2 + record.size;
}

static inline void fleet_load_peers(struct fleet_node *node)
{
    struct cursor c = cursor_of(node->peers, node->peers_size);
    while (!cursor_done(&c)) {
        uint16_t size = cursor_be16(&c);
        cluster_learn(node->core, cursor_take(&c, size));
    }
}

static inline void fleet_random_bytes(struct fleet *fleet, uint8_t bytes[32])
{
    for (unsigned i = 0; i < 4; i++)
        fleet_put(bytes + 8 * (size_t)i, fleet_random(fleet));
}

static inline void fleet_start(struct fleet *fleet, unsigned number)
{
    struct fleet_node *node = &fleet->nodes[number];
    if (!node->core) {
        fleet_make(fleet, number);
        fleet_load_peers(node);
    }
    node->up = true;
    node->life++;
    struct cluster_event event = fleet_event_of(fleet, number, CLUSTER_START);
    event.start.state = (struct bytes){node->disk, node->disk_size};
    fleet_random_bytes(fleet, event.start.random);
    fleet_step(fleet, number, &event);
    struct fleet_event *tick = fleet_event_new(FLEET_TICK, number, number, 0);
    tick->life = node->life;
    fleet_push(fleet, tick, (int64_t)(fleet_random(fleet) % 1000));
}

/* The process is gone, and with it all but its disk. */
static inline void fleet_kill(struct fleet *fleet, unsigned number)
{
    struct fleet_node *node = &fleet->nodes[number];
    node->up = false;
    node->life++;
    node->peers_size = 0;
    cluster_each_record(node->core, fleet_save_peer, node);
    cluster_destroy(&node->core);
    for (unsigned i = 0; i < fleet->options.count; i++) {
        if (fleet->linked[(size_t)number * fleet->options.count + i] && fleet->nodes[i].up)
            fleet_tell_link(fleet, i, number, false, false, 1000);
        fleet_link(fleet, number, i, false);
    }
}

/* `number` (made, not started) learns the record of `other` as it is now. */
static inline void fleet_learn(struct fleet *fleet, unsigned number, unsigned other)
{
    struct cluster_member_view view;
    fleet_must(cluster_member_at(fleet->nodes[other].core, 0, &view));
    fleet_must(cluster_learn(fleet->nodes[number].core, view.encoded));
}

static inline struct fleet *fleet_new(const struct fleet_options *options)
{
    struct fleet *fleet = calloc(1, sizeof *fleet);
    fleet_must(fleet != NULL);
    fleet->options = *options;
    fleet->random = fleet_mix(options->seed, 1);
    fleet->nodes = calloc(options->count, sizeof fleet->nodes[0]);
    fleet->linked = calloc(options->count, options->count);
    fleet->heads = calloc(FLEET_SLOTS, sizeof(struct fleet_event *));
    fleet->tails = calloc(FLEET_SLOTS, sizeof(struct fleet_event *));
    fleet->update = cluster_update_new();
    fleet->pool = record_pool_new(1u << 30);
    fleet_must(fleet->nodes && fleet->linked && fleet->heads && fleet->tails && fleet->update && fleet->pool);
    fleet_key_init(&fleet->authority, options->seed, UINT32_MAX);
    memcpy(fleet->trust.authority, fleet->authority.public_key, PUBLIC_KEY_SIZE);
    for (unsigned i = 0; i < options->count; i++) {
        fleet_key_init(&fleet->nodes[i].key, options->seed, i);
        fleet_id(&fleet->nodes[i].id, options->seed, i);
        fleet_certify(fleet, i, i < options->candidates);
        fleet_make(fleet, i);
    }
    for (unsigned i = 0; i < options->count; i++)
        for (unsigned j = 0; j < options->count; j++)
            if (i != j && (!options->strangers || j == 0))
                fleet_learn(fleet, i, j);
    return fleet;
}

static inline void fleet_destroy(struct fleet **fleet_p)
{
    struct fleet *fleet = *fleet_p;
    for (unsigned i = 0; i < fleet->options.count; i++) {
        cluster_destroy(&fleet->nodes[i].core);
        record_pool_destroy(&fleet->nodes[i].pool);
        free(fleet->nodes[i].peers);
    }
    for (unsigned i = 0; i < FLEET_SLOTS; i++) {
        while (fleet->heads[i]) {
            struct fleet_event *event = fleet->heads[i];
            fleet->heads[i] = event->next;
            free(event);
        }
    }
    record_pool_destroy(&fleet->pool);
    cluster_update_destroy(&fleet->update);
    free(fleet->nodes);
    free(fleet->linked);
    free(fleet->heads);
    free(fleet->tails);
    free(fleet);
    *fleet_p = NULL;
}

static inline void fleet_start_all(struct fleet *fleet)
{
    for (unsigned i = 0; i < fleet->options.count; i++)
        fleet_start(fleet, i);
}

static inline void fleet_deliver(struct fleet *fleet, struct fleet_event *event)
{
    struct fleet_node *node = &fleet->nodes[event->to];
    if (event->life != node->life || !node->up) {
        free(event);
        return;
    }
    if (node->paused) {
        fleet_push(fleet, event, 100);
        return;
    }
    struct cluster_event step = fleet_event_of(fleet, event->to, CLUSTER_TICK);
    switch (event->type) {
    case FLEET_TICK:
        break;
    case FLEET_MESSAGE:
        step.type = CLUSTER_RECEIVED;
        step.received.from = fleet->nodes[event->from].id;
        step.received.message = (struct bytes){event->data, event->size};
        break;
    case FLEET_UP:
    case FLEET_DOWN:
        step.type = event->type == FLEET_UP ? CLUSTER_LINK_UP : CLUSTER_LINK_DOWN;
        step.link.peer = fleet->nodes[event->from].id;
        step.link.dialled = event->dialled;
        break;
    }
    fleet_step(fleet, event->to, &step);
    if (event->type == FLEET_TICK)
        fleet_push(fleet, event, 1000);
    else
        free(event);
}

static inline void fleet_run(struct fleet *fleet, int64_t time)
{
    for (int64_t end = fleet->now + time; fleet->now < end;) {
        fleet->now++;
        size_t slot = (size_t)(fleet->now % FLEET_SLOTS);
        struct fleet_event *event = fleet->heads[slot];
        fleet->heads[slot] = fleet->tails[slot] = NULL;
        while (event) {
            struct fleet_event *next = event->next;
            fleet_deliver(fleet, event);
            event = next;
        }
    }
}

/* So many candidates, who know one another, after a time. */
static inline struct fleet *fleet_of(unsigned count, uint64_t seed, int64_t time)
{
    struct fleet *fleet =
        fleet_new(&(struct fleet_options){.count = count, .candidates = count, .seed = seed});
    fleet_start_all(fleet);
    fleet_run(fleet, time);
    return fleet;
}

/* An event of another kind for a node, now. */
static inline void fleet_event(struct fleet *fleet, unsigned number, struct cluster_event event)
{
    struct cluster_event whole = fleet_event_of(fleet, number, event.type);
    event.mono = whole.mono;
    event.boot = whole.boot;
    event.wall = whole.wall;
    fleet_step(fleet, number, &event);
}

/* A message for node `to`, as if `from` had sent it. */
static inline void fleet_receive(struct fleet *fleet, unsigned to, unsigned from, struct bytes message)
{
    fleet_event(fleet, to,
                (struct cluster_event){.type = CLUSTER_RECEIVED,
                                       .received = {.from = fleet->nodes[from].id, .message = message}});
}

/* The authority's next policy, which revokes the nodes; given to node `at`. */
static inline void fleet_revoke(struct fleet *fleet, unsigned at, const unsigned *numbers, unsigned count)
{
    uint8_t revoked[64 * NODE_ID_SIZE];
    fleet_must(count <= 64);
    unsigned put = 0;
    struct node_id last = {{0}};
    while (put < count) { /* ascending */
        const struct node_id *next = NULL;
        for (unsigned i = 0; i < count; i++) {
            const struct node_id *id = &fleet->nodes[numbers[i]].id;
            if ((put == 0 || node_id_compare(id, &last) > 0) && (!next || node_id_compare(id, next) < 0))
                next = id;
        }
        fleet_must(next != NULL);
        last = *next;
        memcpy(revoked + (size_t)put++ * NODE_ID_SIZE, last.bytes, NODE_ID_SIZE);
    }
    struct policy policy = {.version = ++fleet->policy_version, .revoked = revoked, .revoked_count = count};
    struct cluster_crypto authority = fleet_crypto(&fleet->authority);
    fleet->policy_size = policy_write(fleet->policy, sizeof fleet->policy, &policy, &authority);
    fleet_must(fleet->policy_size > 0);
    fleet_event(fleet, at,
                (struct cluster_event){.type = CLUSTER_POLICY, .bytes = {fleet->policy, fleet->policy_size}});
}

/* Whether all nodes that are up know the same. */
static inline bool fleet_converged(const struct fleet *fleet)
{
    bool first = true;
    uint64_t digest = 0;
    for (unsigned i = 0; i < fleet->options.count; i++) {
        if (!fleet->nodes[i].up)
            continue;
        uint64_t other = cluster_digest(fleet->nodes[i].core);
        if (!first && other != digest)
            return false;
        digest = other;
        first = false;
    }
    return true;
}

static inline void fleet_leave(struct fleet *fleet, unsigned number)
{
    fleet_event(fleet, number, (struct cluster_event){.type = CLUSTER_LEAVE});
    fleet_kill(fleet, number);
}

static inline struct cluster_status fleet_status(const struct fleet *fleet, unsigned number)
{
    struct cluster_status status;
    cluster_status(fleet->nodes[number].core, &status);
    return status;
}

static inline unsigned fleet_notices(const struct fleet *fleet, enum cluster_notice_type type)
{
    unsigned count = 0;
    for (unsigned i = 0; i < fleet->options.count; i++)
        count += fleet->nodes[i].notices[type];
    return count;
}

static inline enum member_state fleet_state(struct fleet *fleet, unsigned at, unsigned of)
{
    struct cluster_member_view view;
    fleet_must(cluster_member_find(fleet->nodes[at].core, &fleet->nodes[of].id, &view));
    return view.state;
}
