/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes a failing plan small: fewer faults (ddmin: Zeller and Hildebrandt 2002), then a shorter run, a
 * gentler network, fewer nodes, and again fewer faults. A change stays when the same invariant is violated
 * still.
 */
#include "sim/shrink.h"

#include <stdlib.h>
#include <string.h>

struct shrinker {
    struct sim_plan *plan;
    unsigned invariant;
    unsigned runs, runs_max;
    int64_t failed_at; /* of the last run that failed */
};

static bool fails(struct shrinker *s, const struct sim_plan *plan)
{
    if (s->runs >= s->runs_max)
        return false;
    s->runs++;
    struct sim_world *world = sim_plan_run(plan, NULL, true);
    if (!world)
        return false;
    const struct sim_verdict *verdict = sim_world_verdict(world, s->invariant);
    bool failed = verdict->violations > 0;
    if (failed)
        s->failed_at = verdict->first;
    sim_world_destroy(&world);
    return failed;
}

/* Without the faults from..to-1. */
static bool fails_without(struct shrinker *s, unsigned from, unsigned to)
{
    struct sim_plan fewer = *s->plan;
    fewer.faults = malloc((s->plan->fault_count + 1) * sizeof *fewer.faults);
    if (!fewer.faults)
        return false;
    fewer.fault_count = 0;
    for (unsigned i = 0; i < s->plan->fault_count; i++)
        if (i < from || i >= to)
            fewer.faults[fewer.fault_count++] = s->plan->faults[i];
    bool failed = fails(s, &fewer);
    if (failed) {
        memcpy(s->plan->faults, fewer.faults, fewer.fault_count * sizeof *fewer.faults);
        s->plan->fault_count = fewer.fault_count;
    }
    free(fewer.faults);
    return failed;
}

static void fewer_faults(struct shrinker *s)
{
    for (unsigned step = (s->plan->fault_count + 1) / 2; step > 0; step /= 2) {
        for (unsigned at = 0; at < s->plan->fault_count;) {
            unsigned end = at + step < s->plan->fault_count ? at + step : s->plan->fault_count;
            if (!fails_without(s, at, end))
                at += step;
        }
    }
}

static bool keep_if_fails(struct shrinker *s, const struct sim_plan *other)
{
    if (!fails(s, other))
        return false;
    *s->plan = *other;
    return true;
}

static void shorter(struct shrinker *s)
{
    struct sim_plan other = *s->plan;
    other.until = s->failed_at + SIM_SECOND;
    while (other.fault_count && other.faults[other.fault_count - 1].at > other.until)
        other.fault_count--;
    keep_if_fails(s, &other);
}

static bool names_node(const struct sim_plan *plan, uint32_t node)
{
    for (unsigned i = 0; i < plan->fault_count; i++)
        if (sim_set_has(&plan->faults[i].nodes, node) || sim_set_has(&plan->faults[i].others, node))
            return true;
    return false;
}

static void fewer_nodes(struct shrinker *s)
{
    for (unsigned less = s->plan->options.nodes / 2; less > 0; less /= 2) {
        for (;;) {
            struct sim_plan other = *s->plan;
            if (other.options.nodes <= less + 1 || names_node(&other, other.options.nodes - 1))
                break;
            other.options.nodes -= less;
            if (!keep_if_fails(s, &other))
                break;
        }
    }
}

static void gentler(struct shrinker *s)
{
    static const struct sim_link good = {.latency = 1};
    struct sim_plan other = *s->plan;
    other.options.inside = other.options.between = good;
    if (!keep_if_fails(s, &other)) {
        other = *s->plan;
        other.options.inside.loss = other.options.between.loss = 0;
        keep_if_fails(s, &other);
    }
    other = *s->plan;
    other.options.drift = 0;
    keep_if_fails(s, &other);
    other = *s->plan;
    other.options.domains = 1;
    keep_if_fails(s, &other);
    other = *s->plan;
    other.options.sites = 1;
    keep_if_fails(s, &other);
    other = *s->plan;
    other.options.candidates = 0;
    keep_if_fails(s, &other);
}

/* Faults that need not last so long. */
static void shorter_faults(struct shrinker *s)
{
    for (unsigned i = 0; i < s->plan->fault_count; i++) {
        for (;;) {
            struct sim_fault *fault = &s->plan->faults[i];
            int64_t before = fault->duration;
            if (before < 2 * SIM_SECOND)
                break;
            fault->duration = before / 2 / SIM_SECOND * SIM_SECOND;
            if (!fails(s, s->plan)) {
                fault->duration = before;
                break;
            }
        }
    }
}

unsigned sim_plan_shrink(struct sim_plan *plan, unsigned invariant, unsigned runs_max)
{
    struct shrinker s = {.plan = plan, .invariant = invariant, .runs_max = runs_max};
    if (!fails(&s, plan))
        return s.runs;
    shorter(&s);
    unsigned before;
    do {
        before = plan->fault_count;
        fewer_faults(&s);
        gentler(&s);
        fewer_nodes(&s);
        shorter(&s);
    } while (plan->fault_count < before);
    shorter_faults(&s);
    shorter(&s);
    return s.runs;
}
