/* SPDX-License-Identifier: Apache-2.0
 *
 * What befalls a world: each fault begins at its time, strikes the nodes that it then resolves to, and is
 * undone when its duration is over.
 */
#include "sim/world.h"

#include <stdlib.h>

static uint64_t *bitset_new(const struct sim_world *world)
{
    uint64_t *set = calloc(world->count / 64 + 1, sizeof *set);
    if (!set)
        abort();
    return set;
}

static void resolve(const struct sim_world *world, const struct sim_set *set, const uint64_t *rest_of,
                    uint64_t *out)
{
    unsigned holder = 0;
    switch (set->kind) {
    case SIM_SET_RANGE:
        for (unsigned i = 0; i < set->count; i++)
            for (uint32_t n = set->range[i].first; n <= set->range[i].last && n < world->count; n++)
                bit_set(out, n);
        return;
    case SIM_SET_HOLDER:
        if (set->domain < world->options.domains && sim_domain_active(world, set->domain, &holder))
            bit_set(out, holder);
        return;
    case SIM_SET_ALL:
    case SIM_SET_REST:
    case SIM_SET_SITE:
    case SIM_SET_CANDIDATE:
        break;
    }
    for (uint32_t n = 0; n < world->count; n++) {
        bool in = set->kind == SIM_SET_ALL || (set->kind == SIM_SET_REST && !bit_get(rest_of, n)) ||
                  (set->kind == SIM_SET_SITE && world->nodes[n].site == set->site) ||
                  (set->kind == SIM_SET_CANDIDATE && (world->nodes[n].granted >> set->domain & 1));
        if (in)
            bit_set(out, n);
    }
}

static bool touches_network(enum sim_fault_kind kind)
{
    return kind == SIM_FAULT_CUT || kind == SIM_FAULT_DEGRADE || kind == SIM_FAULT_CLOG;
}

static void network_fault_on(struct sim_world *world, uint32_t number)
{
    if (world->network_count == world->network_capacity) {
        unsigned capacity = world->network_capacity ? world->network_capacity * 2 : 16;
        uint32_t *list = realloc(world->network_faults, capacity * sizeof *list);
        if (!list)
            abort();
        world->network_faults = list;
        world->network_capacity = capacity;
    }
    world->network_faults[world->network_count++] = number;
    if (world->faults[number].fault.kind == SIM_FAULT_CUT)
        network_cut(world);
}

static void network_fault_off(struct sim_world *world, uint32_t number)
{
    for (unsigned i = 0; i < world->network_count; i++)
        if (world->network_faults[i] == number) {
            memmove(&world->network_faults[i], &world->network_faults[i + 1],
                    (--world->network_count - i) * sizeof *world->network_faults);
            return;
        }
}

static void finish(struct sim_world *world, struct active_fault *active)
{
    if (active->over)
        return;
    active->over = true;
    if (active->fault.duration > 0)
        world->ongoing--;
    world_changed(world);
    if (world->observer.fault)
        world->observer.fault(world->observer.context, world->time, &active->fault, true, active->nodes,
                              active->node_count);
}

/* Ends every cut and every degradation. */
static void heal(struct sim_world *world)
{
    while (world->network_count) {
        uint32_t number = world->network_faults[world->network_count - 1];
        network_fault_off(world, number);
        finish(world, &world->faults[number]);
    }
}

/* Nobody tells a node that is revoked anything on behalf of the fleet. */
static uint32_t running(const struct sim_world *world, const struct sim_set *set, const uint64_t *not_in)
{
    uint64_t *in = bitset_new(world);
    uint32_t found = NONE;
    resolve(world, set, not_in, in);
    for (uint32_t n = 0; n < world->count && found == NONE; n++)
        if (bit_get(in, n) && world->nodes[n].state == NODE_UP && !bit_get(world->revoked, n))
            found = n;
    free(in);
    return found;
}

static void tell_command(struct sim_world *world, uint32_t number, enum cluster_event_type type,
                         unsigned domain, bool on)
{
    if (world->nodes[number].state != NODE_UP)
        return;
    struct cluster_event event = {.type = type, .command = {.domain = world->domain_names[domain], .on = on}};
    world_step(world, number, &event);
}

static void tell_directory(struct sim_world *world, uint32_t number, unsigned domain, bool reachable)
{
    struct sim_node *node = &world->nodes[number];
    uint8_t bit = (uint8_t)(1u << domain);
    node->unreachable = (uint8_t)(reachable ? node->unreachable & ~bit : node->unreachable | bit);
    if (node->state == NODE_UP)
        world_tell_directory(world, number);
}

static void tell_candidacy(struct sim_world *world, uint32_t number, unsigned domain, bool on)
{
    struct sim_node *node = &world->nodes[number];
    if (node->state != NODE_UP)
        return; /* an administrator's command reaches only a running node, which keeps it on its disk */
    uint8_t bit = (uint8_t)(1u << domain);
    node->off = (uint8_t)(on ? node->off & ~bit : node->off | bit);
    node->ever_off |= bit;
    node->vague = (uint8_t)(node->vague & ~bit);
    tell_command(world, number, CLUSTER_CANDIDATE, domain, on);
    /* It died of it, or could not keep it: what it finds when it starts is as it was before. */
    if (node->state != NODE_UP || node->disk.full)
        node->vague |= bit;
}

static void crash(struct sim_world *world, uint32_t number, const struct sim_fault *fault)
{
    struct sim_node *node = &world->nodes[number];
    if (!node->core)
        return;
    if (fault->point == SIM_CRASH_BETWEEN || node->state != NODE_UP) {
        world_kill(world, number);
        return;
    }
    node->armed = true;
    node->armed_point = fault->point;
    /* When nothing is persisted within half of the time, it dies all the same. */
    int64_t limit = fault->duration > 0 ? fault->duration / 2 : 10 * SIM_MINUTE;
    struct sim_event event = {.type = EVENT_ARMED, .generation = node->generation, .a = number};
    if (!wheel_add(&world->wheel, world->time + limit, &event))
        abort();
}

static void leave(struct sim_world *world, uint32_t number)
{
    struct sim_node *node = &world->nodes[number];
    if (node->state != NODE_UP)
        return;
    struct cluster_event event = {.type = CLUSTER_LEAVE};
    world_step(world, number, &event);
    node->left = node->has_left = true;
    node->left_at = world->time;
    struct sim_event stop = {.type = EVENT_STOP, .generation = node->generation, .a = number};
    if (!wheel_add(&world->wheel, world->time + 2000, &stop))
        abort();
}

static void hostile(struct sim_world *world, uint32_t number, const struct sim_fault *fault)
{
    struct sim_node *node = &world->nodes[number];
    bool was = node->hostile_now;
    node->hostile_now = !fault->off;
    node->ever_hostile |= node->hostile_now;
    if (node->hostile_now)
        checker_enemy(world, number);
    node->hostility = fault->hostility;
    struct sim_event event = {.type = EVENT_HOSTILE, .generation = node->generation, .a = number};
    if (node->hostile_now && !was && !wheel_add(&world->wheel, world->time, &event))
        abort();
}

static void strike(struct sim_world *world, uint32_t number, const struct sim_fault *fault)
{
    struct sim_node *node = &world->nodes[number];
    switch (fault->kind) {
    case SIM_FAULT_CRASH:
        crash(world, number, fault);
        break;
    case SIM_FAULT_RESTART:
        world_kill(world, number);
        if (node->state == NODE_DOWN)
            world_start(world, number, fault->disk, fault->amount);
        break;
    case SIM_FAULT_PAUSE:
        world_stop(world, number, NODE_PAUSED);
        break;
    case SIM_FAULT_SUSPEND:
        world_stop(world, number, NODE_SUSPENDED);
        break;
    case SIM_FAULT_FREEZE:
        world_stop(world, number, NODE_FROZEN);
        break;
    case SIM_FAULT_JUMP:
        world_clock_jump(world, number, fault->clock, fault->amount);
        break;
    case SIM_FAULT_DRIFT:
        world_clock_rate(world, number, fault->amount);
        break;
    case SIM_FAULT_LDAP:
        tell_directory(world, number, fault->domain, fault->off);
        break;
    case SIM_FAULT_CANDIDACY:
        tell_candidacy(world, number, fault->domain, fault->off);
        break;
    case SIM_FAULT_LEAVE:
        leave(world, number);
        break;
    case SIM_FAULT_PIN:
        tell_command(world, number, CLUSTER_PIN, fault->domain, !fault->off);
        break;
    case SIM_FAULT_HOSTILE:
        hostile(world, number, fault);
        break;
    case SIM_FAULT_JOIN:
        if (node->state == NODE_ABSENT)
            world_start(world, number, SIM_DISK_KEEP, 0);
        break;
    case SIM_FAULT_UPGRADE:
        world_kill(world, number);
        node->upgraded = !fault->off;
        if (node->state == NODE_DOWN)
            world_start(world, number, SIM_DISK_KEEP, 0);
        break;
    case SIM_FAULT_DISK_FULL:
        node->disk.full = !fault->off;
        node->disk.ever_full |= node->disk.full;
        break;
    case SIM_FAULT_CUT:
    case SIM_FAULT_HEAL:
    case SIM_FAULT_DEGRADE:
    case SIM_FAULT_CLOG:
    case SIM_FAULT_YIELD:
    case SIM_FAULT_REVOKE:
    case SIM_FAULT_KINDS:
        break;
    }
}

static void undo(struct sim_world *world, uint32_t number, const struct sim_fault *fault)
{
    struct sim_node *node = &world->nodes[number];
    switch (fault->kind) {
    case SIM_FAULT_CRASH:
    case SIM_FAULT_LEAVE:
        if (node->armed || node->left)
            world_kill(world, number);
        if (node->state == NODE_DOWN && !bit_get(world->revoked, number))
            world_start(world, number, fault->disk, fault->amount);
        break;
    case SIM_FAULT_PAUSE:
    case SIM_FAULT_SUSPEND:
    case SIM_FAULT_FREEZE:
        world_resume(world, number);
        break;
    case SIM_FAULT_DRIFT:
        world_clock_rate(world, number, 0);
        break;
    case SIM_FAULT_LDAP:
        tell_directory(world, number, fault->domain, !fault->off);
        break;
    case SIM_FAULT_CANDIDACY:
        tell_candidacy(world, number, fault->domain, !fault->off);
        break;
    case SIM_FAULT_PIN:
        tell_command(world, number, CLUSTER_PIN, fault->domain, fault->off);
        break;
    case SIM_FAULT_HOSTILE:
        node->hostile_now = fault->off;
        break;
    case SIM_FAULT_DISK_FULL:
        node->disk.full = fault->off;
        break;
    default:
        break;
    }
}

static void strike_whole(struct sim_world *world, struct active_fault *active)
{
    const struct sim_fault *fault = &active->fault;
    if (fault->kind == SIM_FAULT_HEAL)
        heal(world);
    if (fault->kind == SIM_FAULT_YIELD) {
        uint32_t asked = running(world, &fault->nodes, NULL);
        if (asked != NONE)
            tell_command(world, asked, CLUSTER_YIELD, fault->domain, true);
    }
    if (fault->kind == SIM_FAULT_REVOKE) {
        struct sim_set rest = {.kind = SIM_SET_REST};
        const struct sim_set *others =
            fault->others.kind == SIM_SET_RANGE && !fault->others.count ? &rest : &fault->others;
        uint32_t told = running(world, others, active->in);
        world_revoke(world, active->nodes, active->node_count, told);
    }
}

void faults_begin(struct sim_world *world, uint32_t number)
{
    struct active_fault *active = &world->faults[number];
    const struct sim_fault fault = active->fault;
    struct sim_set rest = {.kind = SIM_SET_REST};
    bool no_others = fault.others.kind == SIM_SET_RANGE && !fault.others.count;
    active->in = bitset_new(world);
    active->of = bitset_new(world);
    resolve(world, &fault.nodes, NULL, active->in);
    resolve(world, no_others ? &rest : &fault.others, active->in, active->of);
    active->nodes = malloc(world->count * sizeof *active->nodes);
    if (!active->nodes)
        abort();
    for (uint32_t n = 0; n < world->count; n++)
        if (bit_get(active->in, n))
            active->nodes[active->node_count++] = n;
    active->begun = true;
    world->unseed = sim_mix(world->unseed, (uint64_t)fault.kind << 32 | active->node_count);
    if (fault.duration > 0) {
        struct sim_event end = {.type = EVENT_FAULT_END, .a = number};
        world->ongoing++;
        if (!wheel_add(&world->wheel, world->time + fault.duration, &end))
            abort();
    }
    world_changed(world);
    if (world->observer.fault)
        world->observer.fault(world->observer.context, world->time, &fault, false, active->nodes,
                              active->node_count);
    if (touches_network(fault.kind))
        network_fault_on(world, number);
    strike_whole(world, active);
    for (unsigned i = 0; i < active->node_count; i++)
        strike(world, active->nodes[i], &fault);
}

void faults_end(struct sim_world *world, uint32_t number)
{
    struct active_fault *active = &world->faults[number];
    if (active->over)
        return;
    if (touches_network(active->fault.kind))
        network_fault_off(world, number);
    for (unsigned i = 0; i < active->node_count; i++)
        undo(world, active->nodes[i], &active->fault);
    finish(world, active);
}

void faults_clear(struct sim_world *world)
{
    for (unsigned i = 0; i < world->fault_count; i++) {
        free(world->faults[i].nodes);
        free(world->faults[i].in);
        free(world->faults[i].of);
    }
    free(world->faults);
}
