/* SPDX-License-Identifier: Apache-2.0
 *
 * Nodes: real cores behind the duties of a driver (driver.c does the same with sockets and files): give it
 * times, persist what it says before anything goes out, dial, send, hand in what comes.
 */
#include "sim/world.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cluster/claim.h"
#include "cluster/cluster_internal.h"
#include "sim/scenario.h"

/* --- clocks --- */

static int64_t clock_advance(const struct clocks *clocks, int64_t elapsed)
{
    return elapsed * clocks->rate / 1000000;
}

void world_clocks(const struct sim_node *node, int64_t time, int64_t *mono, int64_t *boot, int64_t *wall)
{
    const struct clocks *c = &node->clocks;
    int64_t elapsed = time - c->at;
    int64_t own = clock_advance(c, elapsed);
    /* A suspended host's CLOCK_MONOTONIC stands still; a frozen guest's clocks all do (its wall clock is set
     * right by its tools when it thaws). */
    *mono = c->mono + (node->state == NODE_SUSPENDED || node->state == NODE_FROZEN ? 0 : own);
    *boot = c->boot + (node->state == NODE_FROZEN ? 0 : own);
    *wall = c->wall + own;
}

static void clocks_rebase(struct sim_node *node, int64_t time)
{
    int64_t mono, boot, wall;
    world_clocks(node, time, &mono, &boot, &wall);
    node->clocks.at = time;
    node->clocks.mono = mono;
    node->clocks.boot = boot;
    node->clocks.wall = wall;
}

int64_t world_run_clock(const struct sim_world *world, const struct sim_node *node)
{
    int64_t mono, boot, wall;
    world_clocks(node, world->time, &mono, &boot, &wall);
    return mono - node->run_base;
}

/* What one tick may count of a pause or a jump. */
#define COUNTED_OF_GAP (2 * SIM_SECOND)

static void run_clock_skip(struct sim_node *node, int64_t gap)
{
    if (gap > COUNTED_OF_GAP)
        node->run_base += gap - COUNTED_OF_GAP;
}

void world_clock_jump(struct sim_world *world, uint32_t number, enum sim_clock clock, int64_t amount)
{
    struct sim_node *node = &world->nodes[number];
    clocks_rebase(node, world->time);
    if (clock == SIM_CLOCK_WALL)
        node->clocks.wall += amount;
    if (clock == SIM_CLOCK_BOOT && amount > 0)
        node->clocks.boot += amount;
    if (clock == SIM_CLOCK_MONO && amount > 0) {
        node->clocks.mono += amount;
        node->clocks.boot += amount;
        node->stopped_mono += amount; /* of a pause that goes on: not to be taken off twice */
        run_clock_skip(node, amount);
    }
}

void world_clock_rate(struct sim_world *world, uint32_t number, int64_t ppm)
{
    struct sim_node *node = &world->nodes[number];
    clocks_rebase(node, world->time);
    node->clocks.rate = 1000000 + ppm;
}

/* --- disks --- */

static bool bytes_keep(uint8_t **data, uint32_t *capacity, const void *from, size_t size)
{
    if (size > *capacity) {
        uint8_t *larger = realloc(*data, size);
        if (!larger)
            return false;
        *data = larger;
        *capacity = (uint32_t)size;
    }
    if (size)
        memcpy(*data, from, size);
    return true;
}

static void disk_write(struct disk *disk, int64_t time, struct bytes state)
{
    unsigned next = disk->count ? (disk->newest + 1) % DISK_VERSIONS : 0;
    struct disk_version *version = &disk->version[next];
    if (!bytes_keep(&version->data, &version->capacity, state.data, state.size))
        abort(); /* a simulation without memory proves nothing */
    version->size = (uint32_t)state.size;
    version->time = time;
    disk->newest = next;
    if (disk->count < DISK_VERSIONS)
        disk->count++;
}

/* An older state becomes the newest: at least `amount` ms old, or drawn when that is 0. */
static void disk_roll_back(struct disk *disk, int64_t time, int64_t amount, uint64_t random)
{
    if (disk->count < 2)
        return;
    unsigned back = (unsigned)(1 + sim_random_below(random, disk->count - 1));
    if (amount > 0) {
        back = 0;
        while (back + 1 < disk->count) {
            unsigned at = (disk->newest + DISK_VERSIONS - back) % DISK_VERSIONS;
            if (disk->version[at].time <= time - amount)
                break;
            back++;
        }
    }
    disk->newest = (disk->newest + DISK_VERSIONS - back) % DISK_VERSIONS;
    disk->count -= back;
}

static struct bytes disk_read(const struct disk *disk)
{
    if (!disk->count)
        return (struct bytes){0};
    const struct disk_version *version = &disk->version[disk->newest];
    return (struct bytes){.data = version->data, .size = version->size};
}

static void disk_clear(struct disk *disk)
{
    for (unsigned i = 0; i < DISK_VERSIONS; i++)
        free(disk->version[i].data);
    free(disk->peers);
    free(disk->policy);
    *disk = (struct disk){0};
}

static void peers_visit(void *context, struct bytes record)
{
    struct disk *disk = context;
    uint32_t size = (uint32_t)record.size;
    size_t need = disk->peers_size + sizeof size + size;
    if (need > disk->peers_capacity) {
        uint32_t capacity = disk->peers_capacity ? disk->peers_capacity * 2 : 4096;
        while (capacity < need)
            capacity *= 2;
        uint8_t *larger = realloc(disk->peers, capacity);
        if (!larger)
            abort();
        disk->peers = larger;
        disk->peers_capacity = capacity;
    }
    memcpy(disk->peers + disk->peers_size, &size, sizeof size);
    memcpy(disk->peers + disk->peers_size + sizeof size, record.data, size);
    disk->peers_size = (uint32_t)need;
}

static void peers_write(struct sim_world *world, struct sim_node *node)
{
    struct disk *disk = &node->disk;
    uint64_t digest = cluster_digest(node->core);
    if (disk->full || (disk->peers_size && digest == disk->peers_digest) || world->count > 2000)
        return; /* fleets beyond that find each other by their seeds: the files would be n^2 */
    disk->peers_size = 0;
    disk->peers_digest = digest;
    cluster_each_record(node->core, peers_visit, disk);
}

/* --- identities --- */

/* Random, but for the low 16 bits of the short id, which are the node's number: so that the checker needs no
 * table. The order of ids is that of their first six bytes: random. */
static void node_make_id(struct sim_world *world, uint32_t number)
{
    struct node_id *id = &world->nodes[number].id;
    sim_random_bytes(sim_random(world->options.seed, STREAM_IDENTITY, 1, number, 0), id->bytes, NODE_ID_SIZE);
    id->bytes[6] = (uint8_t)(number >> 8);
    id->bytes[7] = (uint8_t)number;
}

uint32_t world_by_short_id(const struct sim_world *world, uint64_t short_id)
{
    uint32_t number = (uint32_t)(short_id & 0xffff);
    if (number < world->count && node_id_short(&world->nodes[number].id) == short_id)
        return number;
    return NONE;
}

unsigned sim_node_by_id(const struct sim_world *world, const struct node_id *id)
{
    uint32_t number = (uint32_t)id->bytes[6] << 8 | id->bytes[7];
    return number < world->count && node_id_equal(id, &world->nodes[number].id) ? number : UINT32_MAX;
}

static void copy_text(char *to, size_t size, const char *text)
{
    size_t length = strnlen(text, size - 1);
    memcpy(to, text, length);
    to[length] = '\0';
}

static bool node_certify(struct sim_world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    struct cluster_crypto authority = sim_key_crypto(&world->authority);
    struct grant grant = {.id = node->id, .mode = MODE_SENSOR, .expires = (uint64_t)WALL_START / 1000 + 3600};
    copy_text(grant.site, sizeof grant.site, world->site_names[node->site]);
    for (unsigned d = 0; d < world->options.domains; d++)
        if (node->granted >> d & 1)
            copy_text(grant.domains[grant.domain_count++], DOMAIN_MAX_SIZE, world->domain_names[d]);
    uint8_t encoded_grant[CERTIFICATE_MAX_SIZE], encoded[CERTIFICATE_MAX_SIZE];
    size_t grant_size = grant_write(encoded_grant, sizeof encoded_grant, &grant, &authority);
    struct certificate certificate = {
        .grant = grant, .by_authority = true, .issued = (uint64_t)WALL_START / 1000};
    memcpy(certificate.public_key, node->key.public_key, PUBLIC_KEY_SIZE);
    copy_text(certificate.name, sizeof certificate.name, node->name);
    size_t size = certificate_write(encoded, sizeof encoded, &certificate,
                                    (struct bytes){.data = encoded_grant, .size = grant_size}, &authority);
    node->certificate = size ? malloc(size) : NULL;
    if (!node->certificate)
        return false;
    memcpy(node->certificate, encoded, size);
    node->certificate_size = (uint32_t)size;
    return true;
}

static int id_order(const void *a, const void *b)
{
    return memcmp(a, b, NODE_ID_SIZE);
}

/* The authority's word, in its next version, with all that are revoked so far. */
static bool policy_make(struct sim_world *world)
{
    uint8_t *ids = calloc(world->count, NODE_ID_SIZE);
    uint8_t *encoded = malloc(POLICY_MAX_SIZE);
    unsigned count = 0;
    bool done = false;
    if (ids && encoded) {
        for (uint32_t i = 0; i < world->count; i++)
            if (bit_get(world->revoked, i))
                memcpy(ids + (size_t)count++ * NODE_ID_SIZE, world->nodes[i].id.bytes, NODE_ID_SIZE);
        qsort(ids, count, NODE_ID_SIZE, id_order);
        struct policy policy = {.version = world->policy_version + 1, .revoked = ids, .revoked_count = count};
        struct cluster_crypto authority = sim_key_crypto(&world->authority);
        size_t size = policy_write(encoded, POLICY_MAX_SIZE, &policy, &authority);
        if (size) {
            free(world->policy);
            world->policy = encoded;
            world->policy_size = (uint32_t)size;
            world->policy_version++;
            encoded = NULL;
            done = true;
        }
    }
    free(encoded);
    free(ids);
    return done;
}

void world_revoke(struct sim_world *world, const uint32_t *nodes, unsigned count, uint32_t told)
{
    for (unsigned i = 0; i < count; i++)
        bit_set(world->revoked, nodes[i]);
    if (!policy_make(world) || told == NONE || !world->nodes[told].core)
        return;
    struct cluster_event event = {.type = CLUSTER_POLICY,
                                  .bytes = {.data = world->policy, .size = world->policy_size}};
    world_step(world, told, &event);
}

/* --- a process --- */

void world_changed(struct sim_world *world)
{
    world->last_change = world->time;
    world->stats.last_fault = world->time;
}

static void add_event(struct sim_world *world, int64_t time, struct sim_event event)
{
    if (!wheel_add(&world->wheel, time, &event))
        abort();
}

/* `strange`: only those that the node knows nothing of yet. Who enrols learns of all members from the
 * enroller; here nobody does, so without it an island of nodes that know only each other would stay one. */
static void node_seed(struct sim_world *world, uint32_t number, bool strange)
{
    /* One of its own site, two others, as an administrator would name them; and whoever is found by the name
     * of all of them. */
    uint32_t count = world->count;
    if (strange && cluster_member_count(world->nodes[number].core) >= count)
        return; /* it knows all there are */
    uint32_t site = world->nodes[number].site;
    uint32_t first = (uint32_t)(((uint64_t)site * count + world->options.sites - 1) / world->options.sites);
    uint64_t random = sim_random(world->options.seed, STREAM_START, number, (uint64_t)world->time, 3);
    uint32_t seeds[4] = {first, 0, count / 2, (uint32_t)sim_random_below(random, count)};
    for (unsigned i = 0; i < 4; i++) {
        uint32_t seed = seeds[i] == number ? (seeds[i] + 1) % count : seeds[i];
        if (seed == number || world->nodes[seed].state == NODE_ABSENT ||
            (strange && cluster_knows(world->nodes[number].core, &world->nodes[seed].id)))
            continue;
        network_dial(world, number, seed);
    }
}

/* --- memory: a large world jumps about in all of it, and small pages would cost more than the work --- */

#define LARGE_WORLD 100u /* nodes; smaller ones fit into the caches */
#define HUGE_PAGE   ((uintptr_t)2 << 20)
#define HEAP_STEP   (64 << 20)

static void heap_large(struct sim_world *world)
{
    if (world->count < LARGE_WORLD)
        return;
    mallopt(M_TOP_PAD, HEAP_STEP);
    mallopt(M_MMAP_THRESHOLD, 1 << 20); /* the tables of members too */
    world->heap_end = (uintptr_t)sbrk(0) & ~(HUGE_PAGE - 1);
}

/* What the heap grew by since the last time, before it is used. */
static void heap_huge(struct sim_world *world)
{
    if (world->count < LARGE_WORLD)
        return;
    uintptr_t end = (uintptr_t)sbrk(0) & ~(HUGE_PAGE - 1);
    if (end <= world->heap_end)
        return;
    (void)madvise((void *)world->heap_end, end - world->heap_end, MADV_HUGEPAGE);
    world->heap_end = end;
}

static void start_core(struct sim_world *world, uint32_t number)
{
    heap_huge(world);
    struct sim_node *node = &world->nodes[number];
    struct cluster_config config;
    char endpoint[ENDPOINT_MAX_SIZE], controller[DOMAIN_MAX_SIZE];
    cluster_config_init(&config);
    config.trust = world->trust;
    config.certificate = (struct bytes){.data = node->certificate, .size = node->certificate_size};
    config.version = node->upgraded ? "0.2.0" : "0.1.0";
    snprintf(endpoint, sizeof endpoint, "10.%u.%u.%u:7400", node->site & 255, number >> 8 & 255,
             number & 255);
    snprintf(controller, sizeof controller, "dc-%s.%s", node->name, world->domain_names[0]);
    config.endpoints[0] = endpoint;
    config.endpoint_count = 1;
    config.controllers[0] = controller;
    config.controller_count = 1;
    cluster_timers_for(&config.timers, world->options.replace_after);
    config.min_observers = world->options.min_observers;
    config.members_max = world->count + 16;
    config.history_size = world->count > 200 ? 16 : 64;
    config.sensors_silent = world->options.sensors_silent;
    struct cluster_crypto crypto = sim_key_crypto(&node->key);
    struct bytes policy = {.data = node->disk.policy, .size = node->disk.policy_size};
    if (!node->disk.policy)
        policy = (struct bytes){.data = world->policy, .size = world->policy_size};
    node->core = cluster_new(&config, &crypto, world->pool, policy);
    if (!node->core)
        abort();
}

static void learn_peers(struct sim_node *node)
{
    const struct disk *disk = &node->disk;
    for (uint32_t at = 0; at + sizeof(uint32_t) <= disk->peers_size;) {
        uint32_t size;
        memcpy(&size, disk->peers + at, sizeof size);
        at += (uint32_t)sizeof size;
        cluster_learn(node->core, (struct bytes){.data = disk->peers + at, .size = size});
        at += size;
    }
}

/* All that run learn of all others: one after the other, for the table of each fits into the caches. */
static void acquaint(struct sim_world *world)
{
    for (uint32_t i = 0; i < world->count; i++) {
        struct cluster *core = world->nodes[i].core;
        heap_huge(world);
        for (uint32_t j = 0; core && j < world->count; j++) {
            if (!world->nodes[j].core || i == j)
                continue;
            cluster_learn(core, members_record(world->nodes[j].core, 0));
            checker_acquainted(world, i, j);
        }
    }
}

void world_start(struct sim_world *world, uint32_t number, enum sim_disk disk, int64_t amount)
{
    struct sim_node *node = &world->nodes[number];
    if (node->core || node->state == NODE_SUSPENDED)
        return;
    uint64_t random = sim_random(world->options.seed, STREAM_DISK, number, node->starts, 0);
    if (disk == SIM_DISK_LOST) {
        node->disk.count = 0;
        node->disk.peers_size = 0;
        node->off = 0;
        node->vague = 0;
    }
    if (disk == SIM_DISK_ROLLBACK) {
        disk_roll_back(&node->disk, world->time, amount, random);
        node->vague |= node->ever_off;
    }
    node->state = NODE_UP;
    node->generation++;
    node->starts++;
    node->left = false;
    node->started_at = world->time;
    memset(node->batch_sequence, 0, sizeof node->batch_sequence);
    start_core(world, number);
    learn_peers(node);
    world->stats.starts++;
    world_changed(world);
    if (world->observer.process)
        world->observer.process(world->observer.context, world->time, number, true);
    struct cluster_event event = {.type = CLUSTER_START, .start = {.state = disk_read(&node->disk)}};
    sim_random_bytes(sim_random(world->options.seed, STREAM_START, number, node->starts, 1),
                     event.start.random, sizeof event.start.random);
    checker_started(world, number, disk == SIM_DISK_KEEP);
    world_step(world, number, &event);
    node->told_unreachable = (uint8_t)~node->unreachable;
    world_tell_directory(world, number);
    if (!node->core)
        return;
    if (world->options.acquainted && world->stats.starts == world->count - world->options.absent)
        acquaint(world);
    node_seed(world, number, false);
    int64_t phase = (int64_t)sim_random_below(
        sim_random(world->options.seed, STREAM_START, number, node->starts, 2), 1000);
    add_event(world, world->time + 1 + phase,
              (struct sim_event){.type = EVENT_TICK, .generation = node->generation, .a = number});
    add_event(world, world->time + PEERS_PERIOD + phase,
              (struct sim_event){.type = EVENT_PEERS, .generation = node->generation, .a = number});
    for (unsigned d = 0; d < world->options.domains; d++)
        if (node->granted >> d & 1)
            add_event(
                world, world->time + world->options.batch_interval + phase,
                (struct sim_event){.type = EVENT_BATCH, .generation = node->generation, .a = number, .b = d});
}

static void tell_state(struct sim_world *world, uint32_t number, unsigned domain, enum election_state to,
                       uint64_t term)
{
    struct sim_node *node = &world->nodes[number];
    enum election_state from = node->state_of[domain];
    if (from == to)
        return;
    node->state_of[domain] = (uint8_t)to;
    if (world->observer.state)
        world->observer.state(world->observer.context, world->time, number, domain, from, to, term);
}

void world_kill(struct sim_world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    if (!node->core)
        return;
    checker_killed(world, number);
    cluster_destroy(&node->core);
    if (node->state == NODE_SUSPENDED || node->state == NODE_FROZEN)
        clocks_rebase(node, world->time);
    world->standing -= node->state >= NODE_PAUSED;
    node->state = NODE_DOWN;
    node->generation++;
    node->armed = false;
    for (unsigned d = 0; d < world->options.domains; d++)
        tell_state(world, number, d, ELECTION_BOOT, 0);
    for (unsigned i = 0; i < node->waiting_count; i++)
        network_release(world, node->waiting[i * 4]);
    node->waiting_count = 0;
    network_killed(world, number);
    world_changed(world);
    if (world->observer.process)
        world->observer.process(world->observer.context, world->time, number, false);
}

void world_stop(struct sim_world *world, uint32_t number, enum node_state how)
{
    struct sim_node *node = &world->nodes[number];
    if (node->state != NODE_UP)
        return;
    clocks_rebase(node, world->time);
    node->state = how;
    world->standing++;
    node->stopped_mono = node->clocks.mono;
    network_stopped(world, number);
    world_changed(world);
}

void world_resume(struct sim_world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    if (node->state != NODE_PAUSED && node->state != NODE_SUSPENDED && node->state != NODE_FROZEN)
        return;
    clocks_rebase(node, world->time);
    node->state = NODE_UP;
    world->standing--;
    run_clock_skip(node, node->clocks.mono - node->stopped_mono);
    world_changed(world);
    /* Which of its events the process sees first, the timer or the messages that waited, nobody can say. */
    uint64_t random = sim_random(world->options.seed, STREAM_CLOCK, number, (uint64_t)world->time, 3);
    int64_t delay = random & 1 ? 0 : 5;
    add_event(world, world->time + delay,
              (struct sim_event){.type = EVENT_TICK, .generation = node->generation, .a = number});
    network_resumed(world, number);
}

/* --- one step, and what the driver owes --- */

static void obey_notices(struct sim_world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    const struct cluster_update *update = world->update;
    unsigned look = 0;
    bool stop = false;
    for (unsigned i = 0; i < update->notice_count; i++) {
        const struct cluster_notice *notice = &update->notices[i];
        checker_notice(world, number, notice);
        if (world->observer.notice)
            world->observer.notice(world->observer.context, world->time, number, notice);
        if (notice->type == NOTICE_MEMBER_REVOKED) {
            uint32_t peer = sim_node_by_id(world, &notice->node);
            if (peer != NONE)
                network_refuse(world, number, peer);
        }
        stop |= notice->type == NOTICE_REVOKED;
        for (unsigned d = 0; notice->domain && d < world->options.domains; d++)
            if (strcmp(notice->domain, world->domain_names[d]) == 0)
                look |= 1u << d;
    }
    struct bytes policy = cluster_policy(node->core);
    if (policy.size && !node->disk.full && policy.size != node->disk.policy_size) {
        uint32_t capacity = node->disk.policy_size;
        if (bytes_keep(&node->disk.policy, &capacity, policy.data, policy.size))
            node->disk.policy_size = (uint32_t)policy.size;
    }
    for (unsigned d = 0; look >> d; d++) {
        struct cluster_domain_view view;
        if ((look >> d & 1) && cluster_domain_find(node->core, world->domain_names[d], &view))
            tell_state(world, number, d, view.state, view.claim.term);
    }
    /* picketd stops when it learns that it is revoked; a hostile node does not. */
    if (stop && !node->hostile_now)
        add_event(world, world->time + 1000,
                  (struct sim_event){.type = EVENT_STOP, .generation = node->generation, .a = number});
}

/* What a node of the next version would send: its version, and a key that this one does not know. */
static uint32_t upgrade_message(const struct cluster_message *message, uint8_t *to)
{
    static const uint8_t unknown[] = {0xcc, 0xc8, 0x92, 0x01, 0xa1, 'x'}; /* 200: [1, "x"] */
    uint32_t size = message->size;
    memcpy(to, message->data, size);
    bool plain = size > 3 && to[0] >= 0x80 && to[0] < 0x8f && to[1] == 0 && to[2] == 1;
    if (!plain || size + sizeof unknown > CLUSTER_MESSAGE_MAX)
        return size;
    to[0]++;
    to[2]++;
    memcpy(to + size, unknown, sizeof unknown);
    return size + (uint32_t)sizeof unknown;
}

static uint32_t message_payload(struct sim_world *world, uint32_t number,
                                const struct cluster_message *message)
{
    if (!world->nodes[number].upgraded)
        return checker_message(world, number, message->data, message->size, false);
    uint8_t *upgraded = malloc(CLUSTER_MESSAGE_MAX + message->size);
    if (!upgraded)
        abort();
    uint32_t size = upgrade_message(message, upgraded);
    uint32_t payload = checker_message(world, number, upgraded, size, false);
    free(upgraded);
    return payload;
}

static void obey_messages(struct sim_world *world, uint32_t number)
{
    const struct cluster_update *update = world->update;
    const uint8_t *last = NULL;
    uint32_t last_size = 0, payload = NONE;
    for (unsigned i = 0; i < update->message_count; i++) {
        const struct cluster_message *message = &update->messages[i];
        uint32_t to = sim_node_by_id(world, &message->to);
        if (to == NONE)
            continue;
        if (message->data != last || message->size != last_size) {
            if (payload != NONE)
                network_release(world, payload);
            payload = message_payload(world, number, message);
            last = message->data;
            last_size = message->size;
        }
        network_send(world, number, to, payload, message->open_link);
    }
    if (payload != NONE)
        network_release(world, payload);
}

static void obey_dials(struct sim_world *world, uint32_t number)
{
    const struct cluster_update *update = world->update;
    for (unsigned i = 0; i < update->dial_count; i++) {
        uint32_t peer = sim_node_by_id(world, &update->dials[i].peer);
        if (peer == NONE || peer == number)
            continue;
        if (update->dials[i].hang_up)
            network_hang_up(world, number, peer);
        else
            network_dial(world, number, peer);
    }
}

static void step_core(struct sim_world *world, uint32_t number, struct cluster_event *event)
{
    struct sim_node *node = &world->nodes[number];
    world_clocks(node, world->time, &event->mono, &event->boot, &event->wall);
    cluster_step(node->core, event, world->update);
    world->stats.steps++;
    const struct cluster_update *update = world->update;
    world->unseed = sim_mix(world->unseed, (uint64_t)world->time << 20 ^ (uint64_t)number << 4 ^ event->type);
    if (update->message_count | update->notice_count | update->dial_count | update->persist)
        world->unseed =
            sim_mix(world->unseed, (uint64_t)update->used << 32 | (uint64_t)update->message_count << 16 |
                                       update->notice_count << 8 | update->dial_count << 1 | update->persist);
}

void world_step(struct sim_world *world, uint32_t number, struct cluster_event *event)
{
    struct sim_node *node = &world->nodes[number];
    struct cluster_update *update = world->update;
    step_core(world, number, event);
    if (update->persist) {
        if (node->armed && node->armed_point == SIM_CRASH_BEFORE_PERSIST) {
            world_kill(world, number);
            return;
        }
        if (node->disk.full) {
            struct cluster_event failed = {.type = CLUSTER_PERSIST_FAILED};
            step_core(world, number, &failed);
        } else if (!MUTANT(TELL_BEFORE_PERSIST)) {
            world->unseed = sim_mix_bytes(world->unseed, update->state.data, update->state.size);
            disk_write(&node->disk, world->time, update->state);
        }
        if (node->armed && node->armed_point == SIM_CRASH_AFTER_PERSIST) {
            world_kill(world, number);
            return;
        }
    }
    if (update->notice_count)
        obey_notices(world, number);
    if (update->dial_count)
        obey_dials(world, number);
    if (update->message_count)
        obey_messages(world, number);
    checker_after(world, number, event);
}

void world_tell_directory(struct sim_world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    uint8_t changed = node->unreachable ^ node->told_unreachable;
    node->told_unreachable = node->unreachable;
    for (unsigned d = 0; changed && d < world->options.domains && node->core; d++) {
        struct cluster_event event = {
            .type = CLUSTER_DIRECTORY,
            .directory = {.domain = world->domain_names[d], .reachable = !(node->unreachable >> d & 1)}};
        if (changed >> d & 1)
            world_step(world, number, &event);
    }
}

/* --- events --- */

static void on_tick(struct sim_world *world, const struct sim_event *event)
{
    struct sim_node *node = &world->nodes[event->a];
    if (event->generation != node->generation || node->state != NODE_UP)
        return;
    /* What changed while it stood its next probe finds. */
    world_tell_directory(world, event->a);
    if (node->generation != event->generation || node->state != NODE_UP)
        return;
    struct cluster_event tick = {.type = CLUSTER_TICK};
    world_step(world, event->a, &tick);
    if (node->generation != event->generation || node->state != NODE_UP)
        return;
    int64_t seconds = (world->time - node->started_at) / 1000;
    if (seconds % (SEED_PERIOD / 1000) == 0 && node->link_count < NODE_LINKS / 2)
        node_seed(world, event->a, network_links_up(world, event->a) != 0);
    add_event(world, world->time + 1000, *event);
}

static void on_batch(struct sim_world *world, const struct sim_event *event)
{
    struct sim_node *node = &world->nodes[event->a];
    if (event->generation != node->generation)
        return;
    add_event(world, world->time + world->options.batch_interval, *event);
    struct claim claim;
    if (node->state == NODE_UP && cluster_holds(node->core, world->domain_names[event->b], &claim))
        checker_batch(world, event->a, event->b, &claim);
}

static void on_peers(struct sim_world *world, const struct sim_event *event)
{
    struct sim_node *node = &world->nodes[event->a];
    if (event->generation != node->generation)
        return;
    add_event(world, world->time + PEERS_PERIOD, *event);
    if (node->state == NODE_UP)
        peers_write(world, node);
}

static void on_hostile(struct sim_world *world, const struct sim_event *event)
{
    struct sim_node *node = &world->nodes[event->a];
    if (event->generation != node->generation || !node->hostile_now)
        return;
    add_event(world, world->time + 1000, *event);
    if (node->state == NODE_UP)
        hostile_act(world, event->a);
}

static void on_armed(struct sim_world *world, const struct sim_event *event)
{
    const struct sim_node *node = &world->nodes[event->a];
    if (node->armed && node->generation == event->generation)
        world_kill(world, event->a);
}

static void on_event(struct sim_world *world, const struct sim_event *event)
{
    switch ((enum event_type)event->type) {
    case EVENT_START:
        world_start(world, event->a, SIM_DISK_KEEP, 0);
        break;
    case EVENT_TICK:
        on_tick(world, event);
        break;
    case EVENT_MESSAGE:
    case EVENT_DIAL:
    case EVENT_LINK_DOWN:
    case EVENT_LINK_CHECK:
    case EVENT_LINK_IDLE:
        network_event(world, event);
        break;
    case EVENT_FAULT:
        faults_begin(world, event->a);
        break;
    case EVENT_FAULT_END:
        faults_end(world, event->a);
        break;
    case EVENT_STOP:
        if (world->nodes[event->a].generation == event->generation)
            world_kill(world, event->a);
        break;
    case EVENT_BATCH:
        on_batch(world, event);
        break;
    case EVENT_PEERS:
        on_peers(world, event);
        break;
    case EVENT_HOSTILE:
        on_hostile(world, event);
        break;
    case EVENT_CHECK:
        checker_second(world);
        add_event(world, world->time + 1000, *event);
        break;
    case EVENT_ARMED:
        on_armed(world, event);
        break;
    }
}

/* --- what is to come, for the caches: a large world's nodes take turns and fit into none --- */

#define AHEAD_STEPS 4u
#define AHEAD_PARTS 4u

static void fetch(const void *data, size_t size)
{
    for (size_t at = 0; at < size; at += 64)
        __builtin_prefetch((const uint8_t *)data + at);
}

/* The nearer an event is, the farther the pointers that lead to what it touches can be followed. */
static void look_at(const struct sim_world *world, const struct sim_event *event, unsigned part)
{
    bool message = event->type == EVENT_MESSAGE;
    if (!message && event->type != EVENT_TICK)
        return;
    const struct sim_node *node = &world->nodes[event->a];
    if (part == 3) {
        fetch(node, offsetof(struct sim_node, links) + 8 * sizeof node->links[0]);
        if (message) {
            __builtin_prefetch(&world->payloads[event->payload]);
            if (event->link != NONE)
                fetch(&world->links[event->link], sizeof(struct link));
        }
        return;
    }
    if (!node->core)
        return;
    const struct payload *payload = message ? world->payloads[event->payload] : NULL;
    const struct node_id *from = message ? &world->nodes[event->b].id : NULL;
    if (part == 2) {
        cluster_prefetch(node->core, CLUSTER_PREFETCH_HEAD, NULL, (struct bytes){0});
        if (payload) {
            fetch(payload, 128);
            __builtin_prefetch(from);
        }
        return;
    }
    struct bytes bytes = {0};
    if (payload)
        bytes = (struct bytes){.data = payload->data, .size = payload->size};
    if (part == 1)
        checker_prefetch(world, event->a, payload);
    for (unsigned i = 0; !payload && part == 1 && i < node->link_count; i++) {
        /* A tick may send to all of them. */
        __builtin_prefetch(&world->nodes[node->links[i].peer]);
        fetch(&world->links[node->links[i].link], sizeof(struct link));
    }
    cluster_prefetch(node->core, part == 1 ? CLUSTER_PREFETCH_INDEX : CLUSTER_PREFETCH_MEMBERS, from, bytes);
}

static void look_ahead(const struct sim_world *world)
{
    const struct sim_event *events[AHEAD_STEPS * AHEAD_PARTS];
    unsigned count = wheel_peek(&world->wheel, events, AHEAD_STEPS * AHEAD_PARTS);
    for (unsigned i = count; i-- > 0;)
        look_at(world, events[i], i / AHEAD_STEPS);
}

bool sim_world_run(struct sim_world *world, int64_t until)
{
    struct sim_event event;
    bool ahead = world->count >= LARGE_WORLD;
    unsigned taken = 0;
    while (!(world->stop && world->violated) && wheel_take(&world->wheel, until, &event)) {
        world->time = world->wheel.now;
        if (ahead && taken++ % AHEAD_STEPS == 0) {
            look_ahead(world);
            heap_huge(world);
        }
        on_event(world, &event);
    }
    if (!(world->stop && world->violated))
        world->time = until > world->time ? until : world->time;
    return !world->violated;
}

void sim_world_stop_at_violation(struct sim_world *world)
{
    world->stop = true;
}

bool sim_world_inject(struct sim_world *world, const struct sim_fault *fault)
{
    if (world->fault_count == world->fault_capacity) {
        unsigned capacity = world->fault_capacity ? world->fault_capacity * 2 : 64;
        struct active_fault *faults = realloc(world->faults, capacity * sizeof *faults);
        if (!faults)
            return false;
        world->faults = faults;
        world->fault_capacity = capacity;
    }
    uint32_t number = world->fault_count++;
    world->faults[number] = (struct active_fault){.fault = *fault};
    add_event(world, fault->at, (struct sim_event){.type = EVENT_FAULT, .a = number});
    return true;
}

/* --- making and unmaking --- */

static void grant_candidates(struct sim_world *world)
{
    const struct sim_options *options = &world->options;
    for (unsigned d = 0; d < options->domains; d++) {
        unsigned wanted = options->candidates ? options->candidates : options->nodes;
        if (wanted > options->nodes)
            wanted = options->nodes;
        for (uint32_t i = 0; i < options->nodes; i++)
            if (sim_set_has(&options->candidates_of[d], i))
                world->nodes[i].granted |= (uint8_t)(1u << d);
        for (unsigned c = 0; !options->candidates_of[d].count && c < wanted; c++) {
            uint32_t i = (uint32_t)(((uint64_t)c * options->nodes / wanted + d) % options->nodes);
            world->nodes[i].granted |= (uint8_t)(1u << d);
        }
    }
}

static bool list_candidates(struct sim_world *world)
{
    for (unsigned d = 0; d < world->options.domains; d++) {
        uint32_t *list = malloc(world->count * sizeof *list);
        if (!list)
            return false;
        world->candidates[d] = list;
        for (uint32_t i = 0; i < world->count; i++)
            if (world->nodes[i].granted >> d & 1)
                list[world->candidate_count[d]++] = i;
    }
    return true;
}

static bool make_node(struct sim_world *world, uint32_t number)
{
    const struct sim_options *options = &world->options;
    struct sim_node *node = &world->nodes[number];
    node->site = (uint16_t)((uint64_t)number * options->sites / options->nodes);
    snprintf(node->name, sizeof node->name, "n%02u", number + 1);
    node_make_id(world, number);
    int64_t ppm = 0;
    if (options->drift)
        ppm = (int64_t)sim_random_below(sim_random(options->seed, STREAM_CLOCK, number, 0, 0),
                                        2 * (uint64_t)options->drift + 1) -
              (int64_t)options->drift;
    uint64_t random = sim_random(options->seed, STREAM_CLOCK, number, 0, 1);
    node->clocks = (struct clocks){
        .mono = 1000 + (int64_t)sim_random_below(random, 100 * (uint64_t)SIM_HOUR),
        .wall = WALL_START + (int64_t)sim_random_below(sim_mix(random, 1), 4000) - 2000,
        .rate = 1000000 + ppm,
    };
    node->clocks.boot = node->clocks.mono;
    node->run_base = node->clocks.mono;
    node->state = number >= options->nodes - options->absent ? NODE_ABSENT : NODE_DOWN;
    return sim_key_init(&node->key, options->seed, number, options->real_crypto) &&
           node_certify(world, number);
}

static bool make_receivers(struct sim_world *world)
{
    const struct sim_options *options = &world->options;
    unsigned count = options->domains * options->receivers;
    world->receivers = calloc(count ? count : 1, sizeof *world->receivers);
    if (!world->receivers)
        return false;
    for (unsigned i = 0; i < count; i++)
        world->receivers[i].host =
            (uint32_t)((uint64_t)(i % options->receivers) * options->nodes / options->receivers);
    return true;
}

static bool make_names(struct sim_world *world)
{
    world->site_names = calloc(world->options.sites, sizeof *world->site_names);
    if (!world->site_names)
        return false;
    for (unsigned i = 0; i < world->options.sites; i++)
        snprintf(world->site_names[i], sizeof world->site_names[i], "s%u", i + 1);
    for (unsigned i = 0; i < world->options.domains; i++)
        snprintf(world->domain_names[i], sizeof world->domain_names[i], "%s", scenario_domain(i));
    return true;
}

static bool make_world(struct sim_world *world)
{
    const struct sim_options *options = &world->options;
    world->count = options->nodes;
    heap_large(world);
    world->nodes = calloc(world->count, sizeof *world->nodes);
    world->revoked = calloc(world->count / 64 + 1, sizeof *world->revoked);
    world->update = cluster_update_new();
    world->pool = record_pool_new(((size_t)64 << 20) + (size_t)world->count * 65536);
    if (!world->nodes || !world->revoked || !world->update || !world->pool || !make_names(world) ||
        !make_receivers(world) || !sim_key_init(&world->authority, options->seed, NONE, options->real_crypto))
        return false;
    memcpy(world->trust.authority, world->authority.public_key, PUBLIC_KEY_SIZE);
    sim_random_bytes(sim_random(options->seed, STREAM_IDENTITY, 4, 0, 0), world->trust.fleet, FLEET_ID_SIZE);
    if (!policy_make(world))
        return false;
    grant_candidates(world);
    if (!list_candidates(world))
        return false;
    for (uint32_t i = 0; i < world->count; i++)
        if (!make_node(world, i))
            return false;
    return checker_new(world);
}

static void limit(unsigned *value, unsigned least, unsigned most)
{
    if (*value < least)
        *value = least;
    if (*value > most)
        *value = most;
}

struct sim_world *sim_world_new(const struct sim_options *options, const struct sim_observer *observer)
{
    struct sim_world *world = calloc(1, sizeof *world);
    if (!world)
        return NULL;
    world->options = *options;
    limit(&world->options.nodes, 1, SIM_NODES_MAX);
    limit(&world->options.sites, 1,
          world->options.nodes < SIM_SITES_MAX ? world->options.nodes : SIM_SITES_MAX);
    limit(&world->options.domains, 1, SIM_DOMAINS_MAX);
    limit(&world->options.absent, 0, world->options.nodes - 1);
    if (!world->options.liveness)
        world->options.liveness = world->options.replace_after + 5 * SIM_MINUTE;
    if (world->options.acquainted)
        world->options.start_spread = 0; /* before anybody can tell anybody */
    if (observer)
        world->observer = *observer;
    wheel_init(&world->wheel);
    world->unseed = sim_mix(options->seed, options->nodes);
    if (!make_world(world)) {
        sim_world_destroy(&world);
        return NULL;
    }
    for (uint32_t i = 0; i < world->count; i++) {
        uint64_t random = sim_random(options->seed, STREAM_START, i, 0, 0);
        if (world->nodes[i].state == NODE_DOWN)
            add_event(world, (int64_t)sim_random_below(random, (uint64_t)world->options.start_spread + 1),
                      (struct sim_event){.type = EVENT_START, .a = i});
    }
    if (!world->options.unchecked)
        add_event(world, 1000, (struct sim_event){.type = EVENT_CHECK});
    return world;
}

void sim_world_destroy(struct sim_world **world_p)
{
    struct sim_world *world = *world_p;
    if (!world)
        return;
    *world_p = NULL;
    for (uint32_t i = 0; world->nodes && i < world->count; i++) {
        struct sim_node *node = &world->nodes[i];
        cluster_destroy(&node->core);
        disk_clear(&node->disk);
        sim_key_clear(&node->key);
        free(node->certificate);
        free(node->waiting);
        free(node->revoked);
        free(node->heard_payloads);
    }
    checker_destroy(world);
    faults_clear(world);
    network_clear(world);
    wheel_clear(&world->wheel);
    sim_key_clear(&world->authority);
    record_pool_destroy(&world->pool);
    cluster_update_destroy(&world->update);
    free(world->nodes);
    free(world->revoked);
    free(world->receivers);
    for (unsigned d = 0; d < world->options.domains; d++)
        free(world->candidates[d]);
    free(world->site_names);
    free(world->policy);
    free(world);
}

/* --- looking --- */

int64_t sim_world_time(const struct sim_world *world)
{
    return world->time;
}

const struct sim_options *sim_world_options(const struct sim_world *world)
{
    return &world->options;
}

uint64_t sim_world_unseed(const struct sim_world *world)
{
    return world->unseed;
}

const char *sim_node_name(const struct sim_world *world, unsigned node)
{
    return world->nodes[node].name;
}

const char *sim_site_name(const struct sim_world *world, unsigned site)
{
    return world->site_names[site];
}

const char *sim_domain_name(const struct sim_world *world, unsigned domain)
{
    return world->domain_names[domain];
}

unsigned sim_node_site(const struct sim_world *world, unsigned node)
{
    return world->nodes[node].site;
}

bool sim_node_candidate(const struct sim_world *world, unsigned node, unsigned domain)
{
    return world->nodes[node].granted >> domain & 1;
}

struct cluster *sim_node_core(struct sim_world *world, unsigned node)
{
    return world->nodes[node].core;
}

bool sim_node_running(const struct sim_world *world, unsigned node)
{
    return world->nodes[node].state == NODE_UP;
}

enum election_state sim_node_state(const struct sim_world *world, unsigned node, unsigned domain)
{
    return world->nodes[node].state_of[domain];
}

unsigned sim_domain_active(const struct sim_world *world, unsigned domain, unsigned *node)
{
    unsigned found = 0;
    for (uint32_t c = 0; c < world->candidate_count[domain]; c++) {
        uint32_t i = world->candidates[domain][c];
        const struct sim_node *n = &world->nodes[i];
        struct claim claim;
        if (n->state != NODE_UP || bit_get(world->revoked, i) ||
            !cluster_holds(n->core, world->domain_names[domain], &claim))
            continue;
        if (!found++ && node)
            *node = i;
    }
    return found;
}

static int digest_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

uint32_t sim_world_agreement(struct sim_world *world)
{
    uint64_t *digests = malloc(world->count * sizeof *digests);
    unsigned count = 0, most = 0, same = 0;
    if (!digests)
        return 0;
    for (uint32_t i = 0; i < world->count; i++)
        if (world->nodes[i].state == NODE_UP)
            digests[count++] = cluster_digest(world->nodes[i].core);
    qsort(digests, count, sizeof *digests, digest_order);
    for (unsigned i = 0; i < count; i++) {
        same = i && digests[i] == digests[i - 1] ? same + 1 : 1;
        most = same > most ? same : most;
    }
    free(digests);
    return count ? (uint32_t)((uint64_t)most * 1000000 / count) : 1000000;
}

const struct sim_verdict *sim_world_verdict(const struct sim_world *world, unsigned invariant)
{
    return &world->verdicts[invariant];
}

bool sim_world_violated(const struct sim_world *world)
{
    return world->violated;
}

void sim_world_stats(const struct sim_world *world, struct sim_stats *stats)
{
    *stats = world->stats;
    stats->arena = wheel_memory(&world->wheel) + world->payload_bytes + world->count * sizeof *world->nodes +
                   world->link_count * sizeof *world->links;
}
