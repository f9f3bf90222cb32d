/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/sim.h"

static const char *const fault_names[] = {
#define SIM_FAULT_NAME(name, text, doc) text,
    SIM_FAULTS(SIM_FAULT_NAME)
#undef SIM_FAULT_NAME
};

static const char *const hostility_names[] = {
#define SIM_HOSTILITY_NAME(name, text, doc) text,
    SIM_HOSTILITIES(SIM_HOSTILITY_NAME)
#undef SIM_HOSTILITY_NAME
};

static const struct {
    const char *label, *doc;
} invariants[] = {
#define SIM_INVARIANT_NAME(name, label, doc) {label, doc},
    SIM_INVARIANTS(SIM_INVARIANT_NAME)
#undef SIM_INVARIANT_NAME
};

void sim_options_init(struct sim_options *options)
{
    *options = (struct sim_options){
        .seed = 1,
        .nodes = 5,
        .sites = 1,
        .domains = 1,
        .start_spread = 10 * SIM_SECOND,
        .replace_after = 30 * SIM_MINUTE,
        .min_observers = 1,
        .inside = {.latency = 1, .jitter = 1},
        .between = {.latency = 10, .jitter = 20},
        .drift = 50,
        .batch_interval = 30 * SIM_SECOND,
        .receivers = 2,
    };
}

const char *sim_fault_name(enum sim_fault_kind kind)
{
    return kind < SIM_FAULT_KINDS ? fault_names[kind] : "?";
}

const char *sim_hostility_name(enum sim_hostility hostility)
{
    return hostility < SIM_HOSTILITY_KINDS ? hostility_names[hostility] : "?";
}

const char *sim_invariant_label(unsigned invariant)
{
    return invariant < SIM_INVARIANT_COUNT ? invariants[invariant].label : "?";
}

const char *sim_invariant_doc(unsigned invariant)
{
    return invariant < SIM_INVARIANT_COUNT ? invariants[invariant].doc : "?";
}

bool sim_set_has(const struct sim_set *set, uint32_t node)
{
    for (unsigned i = 0; i < set->count; i++)
        if (node >= set->range[i].first && node <= set->range[i].last)
            return true;
    return false;
}

bool sim_set_add(struct sim_set *set, uint32_t first, uint32_t last)
{
    /* All ranges that the new one touches melt into it; the others keep their order around it. */
    struct sim_set out = {.kind = SIM_SET_RANGE};
    bool placed = false;
    for (unsigned i = 0; i < set->count; i++) {
        uint32_t a = set->range[i].first, b = set->range[i].last;
        if (a <= last + 1 && first <= b + 1) {
            first = a < first ? a : first;
            last = b > last ? b : last;
            continue;
        }
        if (!placed && first < a) {
            if (out.count == SIM_SET_RANGES)
                return false;
            out.range[out.count].first = first;
            out.range[out.count++].last = last;
            placed = true;
        }
        if (out.count == SIM_SET_RANGES)
            return false;
        out.range[out.count++] = set->range[i];
    }
    if (!placed) {
        if (out.count == SIM_SET_RANGES)
            return false;
        out.range[out.count].first = first;
        out.range[out.count++].last = last;
    }
    *set = out;
    return true;
}
