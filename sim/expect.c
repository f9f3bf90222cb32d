/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/expect.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/scenario_words.h"
#include "sim/vector.h"

#define CHANGES_MAX 100000u

struct watched {
    struct expect_outcome outcome;
    uint64_t count; /* notices, elections, bids since its start */
    uint64_t first; /* bytes sent before it */
    bool begun;     /* `first` holds */
};

/* A node became active, with another node or term than the last one. */
struct holder_change {
    int64_t at;
    uint32_t node;
    uint64_t term;
};

struct domain_watch {
    struct holder_change *changes;
    unsigned count, capacity;
};

struct expects {
    const struct scenario *scenario;
    struct watched *watched;
    struct domain_watch domains[SIM_DOMAINS_MAX];
    uint64_t *digests; /* scratch, one a node */
};

struct expects *expects_new(const struct scenario *scenario)
{
    struct expects *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->scenario = scenario;
    self->watched = calloc(scenario->expect_count + 1, sizeof *self->watched);
    self->digests = calloc(scenario->plan.options.nodes, sizeof *self->digests);
    if (!self->watched || !self->digests)
        expects_destroy(&self);
    return self;
}

void expects_destroy(struct expects **expects)
{
    struct expects *self = *expects;
    if (!self)
        return;
    for (unsigned i = 0; i < SIM_DOMAINS_MAX; i++)
        free(self->domains[i].changes);
    free(self->watched);
    free(self->digests);
    free(self);
    *expects = NULL;
}

const struct expect_outcome *expects_outcome(const struct expects *expects, unsigned index)
{
    return &expects->watched[index].outcome;
}

bool expects_set_has(const struct sim_world *world, const struct sim_set *set, unsigned node)
{
    switch (set->kind) {
    case SIM_SET_RANGE:
        return sim_set_has(set, node);
    case SIM_SET_ALL:
        return true;
    case SIM_SET_REST:
        return false; /* of what? only faults have a rest */
    case SIM_SET_HOLDER:
        return sim_node_running(world, node) && sim_node_state(world, node, set->domain) == ELECTION_ACTIVE;
    case SIM_SET_SITE:
        return sim_node_site(world, node) == set->site;
    case SIM_SET_CANDIDATE:
        return sim_node_candidate(world, node, set->domain);
    }
    return false;
}

/* --- what happens --- */

/* Whether `time` counts for an expectation of something that is counted. */
static bool counts_at(const struct scenario_expect *expect, int64_t time)
{
    switch (expect->when) {
    case WHEN_END:
        return true;
    case WHEN_AT:
        return time <= expect->start;
    case WHEN_DURING:
    case WHEN_WITHIN:
        return time >= expect->start && time < expect->end;
    }
    return false;
}

void expects_notice(struct expects *expects, struct sim_world *world, int64_t time, unsigned node,
                    const struct cluster_notice *notice)
{
    for (unsigned i = 0; i < expects->scenario->expect_count; i++) {
        const struct scenario_expect *expect = &expects->scenario->expects[i];
        if (expect->metric != METRIC_NOTICES || expect->notice != notice->type || !counts_at(expect, time))
            continue;
        unsigned about = expect->of.kind == SIM_SET_ALL ? 0 : sim_node_by_id(world, &notice->node);
        if (about != UINT32_MAX && expects_set_has(world, &expect->of, about) &&
            expects_set_has(world, &expect->among, node))
            expects->watched[i].count++;
    }
}

/* Counts for all expectations of one metric and domain. */
static void count_for(struct expects *expects, enum scenario_metric metric, unsigned domain, int64_t time)
{
    for (unsigned i = 0; i < expects->scenario->expect_count; i++) {
        const struct scenario_expect *expect = &expects->scenario->expects[i];
        if (expect->metric == metric && expect->domain == domain && counts_at(expect, time))
            expects->watched[i].count++;
    }
}

void expects_state(struct expects *expects, int64_t time, unsigned node, unsigned domain,
                   enum election_state to, uint64_t term)
{
    struct domain_watch *d = &expects->domains[domain];
    if (to == ELECTION_SETTLING)
        count_for(expects, METRIC_BIDS, domain, time);
    if (to != ELECTION_ACTIVE)
        return;
    const struct holder_change *last = d->count ? &d->changes[d->count - 1] : NULL;
    if (last && last->node == node && last->term == term)
        return;
    count_for(expects, METRIC_ELECTIONS, domain, time);
    if (vector_room((void **)&d->changes, d->count, &d->capacity, CHANGES_MAX, sizeof *d->changes))
        d->changes[d->count++] = (struct holder_change){.at = time, .node = node, .term = term};
}

/* --- what is found --- */

struct found {
    bool met;
    struct text text;
};

static bool relates(const struct scenario_expect *expect, uint64_t value)
{
    switch (expect->relation) {
    case RELATION_EQUAL:
        return value == expect->value;
    case RELATION_NOT:
        return value != expect->value;
    case RELATION_AT_MOST:
        return value <= expect->value;
    case RELATION_AT_LEAST:
        return value >= expect->value;
    }
    return false;
}

static void found_value(struct found *found, const struct scenario_expect *expect, uint64_t value)
{
    found->met = relates(expect, value);
    if (scenario_metric_is_share(expect->metric))
        scenario_write_share((uint32_t)value, &found->text);
    else
        text_uint(&found->text, value);
}

/* The next running node from `node` on that is asked; the number of nodes: none. */
static unsigned next_asked(struct sim_world *world, const struct scenario_expect *expect, unsigned node)
{
    unsigned nodes = sim_world_options(world)->nodes;
    while (node < nodes && !(sim_node_running(world, node) && expects_set_has(world, &expect->among, node)))
        node++;
    return node;
}

#define EACH_ASKED(node, world, expect)                                                                      \
    for (unsigned node = next_asked(world, expect, 0); node < sim_world_options(world)->nodes;               \
         node = next_asked(world, expect, node + 1))

static void find_holder(struct found *found, struct sim_world *world, const struct scenario_expect *expect)
{
    unsigned inside = 0, outside = 0;
    EACH_ASKED(node, world, expect)
    {
        if (sim_node_state(world, node, expect->domain) != ELECTION_ACTIVE)
            continue;
        if (inside + outside)
            text_string(&found->text, ", ");
        text_string(&found->text, sim_node_name(world, node));
        *(expects_set_has(world, &expect->holder_in, node) ? &inside : &outside) += 1;
    }
    if (!inside && !outside)
        text_string(&found->text, "nobody");
    found->met = expect->holder == HOLDER_IS ? inside == 1 && !outside : !inside;
}

static uint64_t count_holders(struct sim_world *world, const struct scenario_expect *expect)
{
    uint64_t holders = 0;
    EACH_ASKED(node, world, expect)
    holders += sim_node_state(world, node, expect->domain) == ELECTION_ACTIVE;
    return holders;
}

/* Greatest term, share that is fresh, nodes that miss a synchronizer: from the nodes' own views. */
static uint64_t ask_domain(struct sim_world *world, const struct scenario_expect *expect)
{
    uint64_t term = 0, fresh = 0, unassigned = 0, asked = 0;
    EACH_ASKED(node, world, expect)
    {
        struct cluster_domain_view view;
        asked++;
        if (!cluster_domain_find(sim_node_core(world, node), sim_domain_name(world, expect->domain), &view))
            continue;
        if (view.has_claim && view.claim.term > term)
            term = view.claim.term;
        fresh += view.fresh;
        unassigned += view.unassigned;
    }
    if (expect->metric == METRIC_FRESH)
        return asked ? fresh * SCENARIO_WHOLE / asked : 0;
    return expect->metric == METRIC_TERM ? term : unassigned;
}

static void find_members(struct found *found, struct sim_world *world, const struct scenario_expect *expect)
{
    uint64_t least = UINT64_MAX, most = 0;
    unsigned odd = 0;
    found->met = true;
    EACH_ASKED(node, world, expect)
    {
        struct cluster_status status;
        cluster_status(sim_node_core(world, node), &status);
        uint64_t value = expect->metric == METRIC_ONLINE ? status.online : status.offline;
        least = value < least ? value : least;
        most = value > most ? value : most;
        if (found->met && !relates(expect, value)) {
            found->met = false;
            odd = node;
        }
    }
    if (least == UINT64_MAX) {
        found->met = false;
        text_string(&found->text, "nobody to ask");
        return;
    }
    text_uint(&found->text, least);
    if (most != least) {
        text_string(&found->text, " to ");
        text_uint(&found->text, most);
    }
    if (!found->met) {
        text_string(&found->text, ", not at ");
        text_string(&found->text, sim_node_name(world, odd));
    }
}

static int compare_digests(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t find_agreement(struct expects *expects, struct sim_world *world,
                               const struct scenario_expect *expect)
{
    unsigned asked = 0, most = 0;
    EACH_ASKED(node, world, expect)
    expects->digests[asked++] = cluster_digest(sim_node_core(world, node));
    qsort(expects->digests, asked, sizeof *expects->digests, compare_digests);
    for (unsigned i = 0; i < asked;) {
        unsigned from = i;
        while (i < asked && expects->digests[i] == expects->digests[from])
            i++;
        most = i - from > most ? i - from : most;
    }
    return asked ? (uint64_t)most * SCENARIO_WHOLE / asked : 0;
}

static uint64_t ask_status(struct sim_world *world, const struct scenario_expect *expect)
{
    uint64_t incarnation = 0, sum = 0;
    EACH_ASKED(node, world, expect)
    {
        struct cluster_status status;
        struct cluster *core = sim_node_core(world, node);
        cluster_status(core, &status);
        incarnation = status.incarnation > incarnation ? status.incarnation : incarnation;
        sum += ((const uint64_t *)cluster_counters(core))[expect->counter];
    }
    return expect->metric == METRIC_INCARNATION ? incarnation : sum;
}

static uint64_t find_traffic(struct sim_world *world, const struct watched *watched, int64_t since)
{
    struct sim_stats stats;
    sim_world_stats(world, &stats);
    int64_t span = sim_world_time(world) - since;
    uint64_t node_seconds = (uint64_t)(span / SIM_SECOND) * sim_world_options(world)->nodes;
    return node_seconds ? (stats.bytes - watched->first) / node_seconds : 0;
}

static void find(struct expects *expects, struct sim_world *world, unsigned index, struct found *found)
{
    const struct scenario_expect *expect = &expects->scenario->expects[index];
    struct watched *watched = &expects->watched[index];
    switch (expect->metric) {
    case METRIC_HOLDER:
        find_holder(found, world, expect);
        return;
    case METRIC_HOLDERS:
        found_value(found, expect, count_holders(world, expect));
        return;
    case METRIC_TERM:
    case METRIC_FRESH:
    case METRIC_UNASSIGNED:
        found_value(found, expect, ask_domain(world, expect));
        return;
    case METRIC_ELECTIONS:
    case METRIC_BIDS:
    case METRIC_NOTICES:
        found_value(found, expect, watched->count);
        return;
    case METRIC_ONLINE:
    case METRIC_OFFLINE:
        find_members(found, world, expect);
        return;
    case METRIC_CONVERGED:
        found_value(found, expect, find_agreement(expects, world, expect));
        return;
    case METRIC_INCARNATION:
    case METRIC_COUNTER:
        found_value(found, expect, ask_status(world, expect));
        return;
    case METRIC_TRAFFIC:
        found_value(found, expect,
                    find_traffic(world, watched, expect->when == WHEN_DURING ? expect->start : 0));
        return;
    case METRICS:
        return;
    }
}

/* --- changes of the holder --- */

static void put_change(struct text *t, struct sim_world *world, const struct holder_change *change,
                       int64_t since)
{
    text_string(t, sim_node_name(world, change->node));
    text_string(t, " with term ");
    text_uint(t, change->term);
    text_string(t, since ? " after " : " at ");
    scenario_write_time(change->at - since, t);
}

/* The first change later than `after`; NULL: none. */
static const struct holder_change *change_after(const struct domain_watch *d, int64_t after)
{
    for (unsigned i = 0; i < d->count; i++)
        if (d->changes[i].at > after)
            return &d->changes[i];
    return NULL;
}

/* Returns whether it is decided. */
static bool find_changes(const struct expects *expects, struct sim_world *world,
                         const struct scenario_expect *expect, struct found *found)
{
    const struct holder_change *change = change_after(&expects->domains[expect->domain], expect->after);
    if (change)
        put_change(&found->text, world, change, expect->after);
    else
        text_string(&found->text, "no change");
    found->met =
        change && change->at >= expect->after + expect->start && change->at <= expect->after + expect->end;
    return change || sim_world_time(world) > expect->after + expect->end;
}

/* A change after the first holder is there, in the span. Returns whether it is decided. */
static bool find_stays(const struct expects *expects, struct sim_world *world,
                       const struct scenario_expect *expect, bool end, struct found *found)
{
    const struct domain_watch *d = &expects->domains[expect->domain];
    int64_t from = expect->when == WHEN_DURING ? expect->start : d->count ? d->changes[0].at : 0;
    int64_t to = expect->when == WHEN_DURING ? expect->end : INT64_MAX;
    const struct holder_change *change = change_after(d, from);
    found->met = (!change || change->at > to) && d->count && d->changes[0].at <= from;
    if (!d->count || d->changes[0].at > from)
        text_string(&found->text, "nobody held it");
    else if (found->met)
        text_string(&found->text, "stayed");
    else
        put_change(&found->text, world, change, 0);
    return end || sim_world_time(world) > to || (change && change->at <= to);
}

/* --- the clock --- */

static void decide(struct watched *watched, struct sim_world *world, struct found *found)
{
    watched->outcome.verdict = found->met ? EXPECT_MET : EXPECT_FAILED;
    watched->outcome.at = sim_world_time(world);
}

static bool is_count(enum scenario_metric metric)
{
    return metric == METRIC_ELECTIONS || metric == METRIC_BIDS || metric == METRIC_NOTICES ||
           metric == METRIC_TRAFFIC;
}

/* Looks, when it is time to. A span ends before what happens at its end: the last look stands then, except
 * for what is counted, which is looked at once, when the span is over. Returns whether it is decided. */
static bool look(struct expects *expects, struct sim_world *world, unsigned index, bool end,
                 struct found *found)
{
    const struct scenario_expect *expect = &expects->scenario->expects[index];
    bool span = expect->when == WHEN_DURING || expect->when == WHEN_WITHIN;
    bool over = end || (span && sim_world_time(world) >= expect->end);
    if (!end && (expect->when == WHEN_END || sim_world_time(world) < expect->start))
        return false;
    if (span && !over && is_count(expect->metric))
        return false;
    if (span && over && !is_count(expect->metric)) {
        found->met = expect->when == WHEN_DURING;
        found->text.length = strlen(found->text.to);
        return true;
    }
    find(expects, world, index, found);
    return !span || over || found->met == (expect->when == WHEN_WITHIN);
}

unsigned expects_check(struct expects *expects, struct sim_world *world, bool end)
{
    unsigned failed = 0;
    for (unsigned i = 0; i < expects->scenario->expect_count; i++) {
        const struct scenario_expect *expect = &expects->scenario->expects[i];
        struct watched *watched = &expects->watched[i];
        if (watched->outcome.verdict != EXPECT_PENDING)
            continue;
        if (!watched->begun && expect->when == WHEN_DURING && sim_world_time(world) >= expect->start) {
            struct sim_stats stats;
            sim_world_stats(world, &stats);
            watched->first = stats.bytes;
            watched->begun = true;
        }
        struct found found = {.text = text_to(watched->outcome.text, sizeof watched->outcome.text)};
        bool decided;
        if (expect->metric == METRIC_HOLDER && expect->holder == HOLDER_CHANGES)
            decided = find_changes(expects, world, expect, &found) || end;
        else if (expect->metric == METRIC_HOLDER && expect->holder == HOLDER_STAYS)
            decided = find_stays(expects, world, expect, end, &found);
        else
            decided = look(expects, world, i, end, &found);
        text_end(&found.text);
        if (!decided)
            continue;
        decide(watched, world, &found);
        failed += watched->outcome.verdict == EXPECT_FAILED;
    }
    return failed;
}
