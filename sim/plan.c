/* SPDX-License-Identifier: Apache-2.0
 *
 * Random plans. A plan alternates between times of faults and quiet times that are long enough for the fleet
 * to come to rest, and ends with one: there it must be whole again.
 */
#include <stdlib.h>

#include "sim/random.h"
#include "sim/sim.h"

#define FAULTS_MAX 400u
#define REST       (75 * SIM_MINUTE) /* T_OFF, the time to elect and to converge, and some more */

struct drawer {
    uint64_t seed, n;
    struct sim_plan *plan;
    uint32_t kinds; /* bit k: faults of this kind befall this world */
    bool one_way, hostile_done;
    unsigned revoked;
};

static uint64_t below(struct drawer *d, uint64_t bound)
{
    return sim_random_below(sim_random(d->seed, STREAM_PLAN, 1, 0, d->n++), bound);
}

static bool chance(struct drawer *d, unsigned percent)
{
    return below(d, 100) < percent;
}

static int64_t between(struct drawer *d, int64_t least, int64_t most)
{
    return least + (int64_t)below(d, (uint64_t)(most - least) + 1);
}

/* Mostly few: what goes wrong among three goes wrong sooner and is understood sooner. */
static unsigned draw_nodes(struct drawer *d)
{
    unsigned roll = (unsigned)below(d, 100);
    if (roll < 24)
        return 2;
    if (roll < 46)
        return 3;
    if (roll < 76)
        return (unsigned)between(d, 4, 6);
    if (roll < 94)
        return (unsigned)between(d, 7, 12);
    if (roll < 99)
        return (unsigned)between(d, 13, 30);
    return (unsigned)between(d, 31, 60);
}

static void draw_links(struct drawer *d, struct sim_options *options)
{
    uint32_t loss = 0, twice = 0;
    if (chance(d, 30))
        loss = (uint32_t)below(d, 50000);
    else if (chance(d, 30))
        loss = (uint32_t)below(d, 300000);
    if (chance(d, 30))
        twice = (uint32_t)below(d, 200000);
    bool reorder = chance(d, 20);
    int64_t slow = chance(d, 50) ? between(d, 5, 50) : between(d, 50, 400);
    options->inside = (struct sim_link){.latency = 1 + (int64_t)below(d, 3),
                                        .jitter = (int64_t)below(d, 5),
                                        .loss = loss / 2,
                                        .twice = twice,
                                        .reorder = reorder};
    options->between = (struct sim_link){
        .latency = slow, .jitter = slow * between(d, 0, 2), .loss = loss, .twice = twice, .reorder = reorder};
}

static void draw_options(struct drawer *d, unsigned nodes_min, unsigned nodes_max)
{
    struct sim_options *options = &d->plan->options;
    sim_options_init(options);
    options->seed = d->seed;
    options->nodes = draw_nodes(d);
    if (nodes_max)
        options->nodes = (unsigned)between(d, nodes_min, nodes_max);
    unsigned n = options->nodes;
    options->sites = chance(d, 40) ? 1 : 1 + (unsigned)below(d, n < 5 ? n : 5);
    options->domains = chance(d, 70) ? 1 : 2 + (unsigned)below(d, 2);
    options->candidates = chance(d, 40) ? 0 : 2 + (unsigned)below(d, n - 1);
    options->start_spread = chance(d, 70) ? 10 * SIM_SECOND : 10 * SIM_MINUTE;
    options->drift = chance(d, 75) ? 50 : 10000;
    if (n > 3 && chance(d, 15))
        options->absent = 1 + (unsigned)below(d, n / 3);
    if (n > 4 && chance(d, 8))
        options->min_observers = 2;
    draw_links(d, options);
}

static int64_t draw_duration(struct drawer *d)
{
    unsigned roll = (unsigned)below(d, 100);
    if (roll < 25)
        return between(d, SIM_SECOND, SIM_MINUTE);
    if (roll < 60)
        return between(d, SIM_MINUTE, 29 * SIM_MINUTE);
    if (roll < 75)
        return between(d, 29 * SIM_MINUTE, 35 * SIM_MINUTE);
    return between(d, 35 * SIM_MINUTE, 4 * SIM_HOUR);
}

static void one_node(struct drawer *d, struct sim_set *set)
{
    *set = (struct sim_set){.kind = SIM_SET_RANGE};
    uint32_t node = (uint32_t)below(d, d->plan->options.nodes);
    sim_set_add(set, node, node);
}

/* The holder now and then, mostly anybody. */
static void victim(struct drawer *d, struct sim_set *set)
{
    if (chance(d, 30))
        *set =
            (struct sim_set){.kind = SIM_SET_HOLDER, .domain = (unsigned)below(d, d->plan->options.domains)};
    else
        one_node(d, set);
}

/* Some of the nodes, at least one: half of them, one, or a site. */
static void some_nodes(struct drawer *d, struct sim_set *set)
{
    unsigned n = d->plan->options.nodes;
    if (d->plan->options.sites > 1 && chance(d, 40)) {
        *set = (struct sim_set){.kind = SIM_SET_SITE, .site = (unsigned)below(d, d->plan->options.sites)};
        return;
    }
    one_node(d, set);
    if (chance(d, 30))
        return;
    for (uint32_t i = 0; i < n; i++)
        if (chance(d, 50))
            sim_set_add(set, i, i); /* a set that is full of ranges takes what melts into them */
}

static enum sim_disk draw_disk(struct drawer *d)
{
    unsigned roll = (unsigned)below(d, 100);
    return roll < 75 ? SIM_DISK_KEEP : roll < 88 ? SIM_DISK_LOST : SIM_DISK_ROLLBACK;
}

static void draw_crash(struct drawer *d, struct sim_fault *fault)
{
    victim(d, &fault->nodes);
    if (chance(d, 15))
        some_nodes(d, &fault->nodes);
    fault->disk = draw_disk(d);
    if (chance(d, 30))
        fault->point = chance(d, 50) ? SIM_CRASH_BEFORE_PERSIST : SIM_CRASH_AFTER_PERSIST;
}

static void draw_degrade(struct drawer *d, struct sim_fault *fault)
{
    some_nodes(d, &fault->nodes);
    fault->others.kind = SIM_SET_ALL;
    fault->oneway = d->one_way && chance(d, 40);
    fault->link = (struct sim_link){.latency = between(d, 1, 2000),
                                    .jitter = between(d, 0, 2000),
                                    .loss = (uint32_t)below(d, 700000),
                                    .twice = (uint32_t)below(d, 100000),
                                    .reorder = chance(d, 50)};
}

static void draw_jump(struct drawer *d, struct sim_fault *fault)
{
    static const enum sim_clock clocks[] = {SIM_CLOCK_WALL, SIM_CLOCK_BOOT, SIM_CLOCK_MONO};
    victim(d, &fault->nodes);
    fault->duration = 0;
    fault->clock = clocks[below(d, 3)];
    fault->amount = between(d, 1, chance(d, 50) ? 60 * SIM_SECOND : 3 * SIM_HOUR);
    if (fault->clock == SIM_CLOCK_WALL && chance(d, 50))
        fault->amount = -fault->amount;
}

static bool draw_details(struct drawer *d, struct sim_fault *fault)
{
    unsigned n = d->plan->options.nodes;
    fault->domain = (unsigned)below(d, d->plan->options.domains);
    switch (fault->kind) {
    case SIM_FAULT_CRASH:
        draw_crash(d, fault);
        return true;
    case SIM_FAULT_RESTART:
        victim(d, &fault->nodes);
        fault->disk = draw_disk(d);
        fault->duration = 0;
        return true;
    case SIM_FAULT_CUT:
        some_nodes(d, &fault->nodes);
        fault->others.kind = SIM_SET_REST;
        fault->oneway = d->one_way && chance(d, 40);
        return true;
    case SIM_FAULT_DEGRADE:
        draw_degrade(d, fault);
        return true;
    case SIM_FAULT_CLOG:
        some_nodes(d, &fault->nodes);
        if (fault->duration > 20 * SIM_MINUTE)
            fault->duration = between(d, 4 * SIM_SECOND, 10 * SIM_MINUTE);
        return true;
    case SIM_FAULT_JUMP:
        draw_jump(d, fault);
        return true;
    case SIM_FAULT_DRIFT:
        victim(d, &fault->nodes);
        fault->amount = between(d, -10000, 10000);
        return true;
    case SIM_FAULT_PIN:
        one_node(d, &fault->nodes);
        return true;
    case SIM_FAULT_YIELD:
        one_node(d, &fault->nodes);
        fault->duration = 0;
        return true;
    case SIM_FAULT_REVOKE:
        one_node(d, &fault->nodes);
        fault->others.kind = SIM_SET_REST;
        fault->duration = 0;
        return ++d->revoked <= n / 4;
    case SIM_FAULT_HOSTILE:
        one_node(d, &fault->nodes);
        fault->hostility = (enum sim_hostility)below(d, SIM_HOSTILITY_KINDS);
        if (fault->duration > 30 * SIM_MINUTE)
            fault->duration = 30 * SIM_MINUTE;
        d->hostile_done = true;
        return true;
    case SIM_FAULT_UPGRADE:
        one_node(d, &fault->nodes);
        fault->duration = 0;
        return true;
    default: /* pause, suspend, freeze, ldap, candidacy, leave, disk-full */
        victim(d, &fault->nodes);
        return true;
    }
}

static bool add(struct drawer *d, const struct sim_fault *fault)
{
    struct sim_plan *plan = d->plan;
    if (plan->fault_count == FAULTS_MAX)
        return false;
    plan->faults[plan->fault_count++] = *fault;
    return true;
}

/* Which kinds of faults this world knows: each more or less likely, some together with others. */
static void draw_kinds(struct drawer *d)
{
    static const uint8_t percent[SIM_FAULT_KINDS] = {
        [SIM_FAULT_CRASH] = 70,     [SIM_FAULT_RESTART] = 40, [SIM_FAULT_PAUSE] = 40,
        [SIM_FAULT_SUSPEND] = 20,   [SIM_FAULT_FREEZE] = 20,  [SIM_FAULT_CUT] = 55,
        [SIM_FAULT_DEGRADE] = 35,   [SIM_FAULT_CLOG] = 25,    [SIM_FAULT_JUMP] = 30,
        [SIM_FAULT_DRIFT] = 15,     [SIM_FAULT_LDAP] = 25,    [SIM_FAULT_CANDIDACY] = 20,
        [SIM_FAULT_LEAVE] = 20,     [SIM_FAULT_YIELD] = 15,   [SIM_FAULT_PIN] = 8,
        [SIM_FAULT_REVOKE] = 8,     [SIM_FAULT_HOSTILE] = 10, [SIM_FAULT_UPGRADE] = 12,
        [SIM_FAULT_DISK_FULL] = 10,
    };
    for (unsigned kind = 0; kind < SIM_FAULT_KINDS; kind++)
        if (chance(d, percent[kind]))
            d->kinds |= 1u << kind;
    if (!d->kinds)
        d->kinds = 1u << SIM_FAULT_CRASH;
    d->one_way = chance(d, 30);
}

static void draw_fault(struct drawer *d, int64_t from, int64_t to)
{
    struct sim_fault fault = {.at = between(d, from, to - SIM_MINUTE), .duration = draw_duration(d)};
    unsigned kind = (unsigned)below(d, SIM_FAULT_KINDS);
    while (!(d->kinds >> kind & 1))
        kind = (kind + 1) % SIM_FAULT_KINDS;
    fault.kind = (enum sim_fault_kind)kind;
    if (!draw_details(d, &fault))
        return;
    if (fault.at + fault.duration > to)
        fault.duration = to - fault.at;
    add(d, &fault);
}

static void draw_joins(struct drawer *d)
{
    const struct sim_options *options = &d->plan->options;
    for (unsigned i = 0; i < options->absent; i++) {
        struct sim_fault fault = {.kind = SIM_FAULT_JOIN,
                                  .at = between(d, SIM_MINUTE, d->plan->until - 2 * REST)};
        uint32_t node = options->nodes - 1 - i;
        sim_set_add(&fault.nodes, node, node);
        add(d, &fault);
    }
}

static int fault_order(const void *a, const void *b)
{
    const struct sim_fault *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->kind < y->kind ? -1 : x->kind > y->kind;
}

bool sim_plan_draw(struct sim_plan *plan, uint64_t seed, unsigned nodes_min, unsigned nodes_max,
                   unsigned hours)
{
    struct drawer d = {.seed = seed, .plan = plan};
    *plan = (struct sim_plan){0};
    plan->faults = calloc(FAULTS_MAX, sizeof *plan->faults);
    if (!plan->faults)
        return false;
    draw_options(&d, nodes_min, nodes_max);
    /* Some things show only after days: in small worlds, where days are cheap. */
    bool longer = chance(&d, 4) && plan->options.nodes <= 6;
    if (!hours)
        hours = longer ? 120 + (unsigned)below(&d, 48) : 24;
    plan->until = hours * SIM_HOUR;
    draw_kinds(&d);
    draw_joins(&d);
    int64_t last = plan->until - REST;
    for (int64_t at = 2 * SIM_MINUTE; at + 10 * SIM_MINUTE < last;) {
        int64_t end = at + between(&d, 10 * SIM_MINUTE, 8 * SIM_HOUR);
        end = end < last ? end : last;
        unsigned count = 1 + (unsigned)below(&d, 12);
        for (unsigned i = 0; i < count; i++)
            draw_fault(&d, at, end);
        at = end + (chance(&d, 50) ? REST : between(&d, SIM_MINUTE, REST));
    }
    qsort(plan->faults, plan->fault_count, sizeof *plan->faults, fault_order);
    return true;
}

void sim_plan_clear(struct sim_plan *plan)
{
    free(plan->faults);
    plan->faults = NULL;
    plan->fault_count = 0;
}

struct sim_world *sim_plan_run(const struct sim_plan *plan, const struct sim_observer *observer, bool stop)
{
    struct sim_world *world = sim_world_new(&plan->options, observer);
    if (!world)
        return NULL;
    if (stop)
        sim_world_stop_at_violation(world);
    for (unsigned i = 0; i < plan->fault_count; i++)
        if (!sim_world_inject(world, &plan->faults[i])) {
            sim_world_destroy(&world);
            return NULL;
        }
    sim_world_run(world, plan->until);
    return world;
}

/* --- what a plan is, in a number --- */

static uint64_t mix_link(uint64_t hash, const struct sim_link *link)
{
    hash = sim_mix(hash, (uint64_t)link->latency);
    hash = sim_mix(hash, (uint64_t)link->jitter);
    hash = sim_mix(hash, (uint64_t)link->loss << 32 | link->twice);
    return sim_mix(hash, link->reorder);
}

static uint64_t mix_set(uint64_t hash, const struct sim_set *set)
{
    hash = sim_mix(hash, (uint64_t)set->kind << 48 | (uint64_t)set->domain << 32 | set->site);
    for (unsigned i = 0; i < set->count; i++)
        hash = sim_mix(hash, (uint64_t)set->range[i].first << 32 | set->range[i].last);
    return hash;
}

static uint64_t mix_options(uint64_t hash, const struct sim_options *o)
{
    hash = sim_mix(hash, (uint64_t)o->nodes << 32 | o->sites);
    hash = sim_mix(hash, (uint64_t)o->domains << 32 | o->candidates);
    for (unsigned d = 0; d < SIM_DOMAINS_MAX; d++)
        hash = mix_set(hash, &o->candidates_of[d]);
    hash = sim_mix(hash, (uint64_t)o->absent << 32 | o->min_observers);
    hash = sim_mix(hash, (uint64_t)o->start_spread);
    hash = sim_mix(hash, (uint64_t)o->replace_after);
    hash = mix_link(mix_link(hash, &o->inside), &o->between);
    hash = sim_mix(hash, (uint64_t)o->drift << 32 | (uint64_t)o->sensors_silent << 1 | o->real_crypto);
    hash = sim_mix(hash, (uint64_t)o->batch_interval);
    return sim_mix(hash, (uint64_t)o->receivers << 32 ^ (uint64_t)o->liveness);
}

uint64_t sim_plan_hash(const struct sim_plan *plan)
{
    uint64_t hash = mix_options(sim_mix(plan->options.seed, (uint64_t)plan->until), &plan->options);
    for (unsigned i = 0; i < plan->fault_count; i++) {
        const struct sim_fault *f = &plan->faults[i];
        hash = sim_mix(hash, (uint64_t)f->at << 8 | (uint64_t)f->kind);
        hash = mix_set(mix_set(hash, &f->nodes), &f->others);
        hash = sim_mix(hash, (uint64_t)f->duration);
        hash = sim_mix(hash, (uint64_t)f->off << 40 | (uint64_t)f->oneway << 32 | f->domain);
        hash = sim_mix(hash, (uint64_t)f->amount);
        hash = sim_mix(hash, (uint64_t)f->clock << 24 | (uint64_t)f->disk << 16 | (uint64_t)f->point << 8 |
                                 (uint64_t)f->hostility);
        hash = mix_link(hash, &f->link);
    }
    return hash;
}
