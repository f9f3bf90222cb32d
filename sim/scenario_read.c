/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads scenario files: a line is a comment, a setting, a fault with its time, or an expectation. The first
 * wrong word ends it, with the file's name, the line, and what was expected in its place.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "sim/scenario_words.h"

#define LINE_SIZE 1024
#define WORDS_MAX 64

struct reader {
    const char *name;
    struct scenario *scenario;
    char *error;
    unsigned line;
    bool failed;
    char form[LINE_SIZE]; /* the line, cut into words */
    const char *words[WORDS_MAX + 1];
    unsigned count, next;
};

/* --- errors --- */

/* Only the first is kept; always false. */
static bool fail(struct reader *r, const char *expected)
{
    if (r->failed)
        return false;
    r->failed = true;
    struct text t = text_to(r->error, SCENARIO_ERROR_SIZE);
    text_string(&t, r->name);
    text_char(&t, ':');
    text_uint(&t, r->line);
    text_string(&t, ": ");
    const char *word = r->next < r->count ? r->words[r->next] : NULL;
    if (word) {
        size_t size = strlen(word);
        text_string(&t, "\"");
        text_display(&t, (struct bytes){(const uint8_t *)word, size < 40 ? size : 40});
        text_string(&t, size < 40 ? "\": " : "...\": ");
    }
    text_string(&t, "expected ");
    text_string(&t, expected);
    text_end(&t);
    return false;
}

/* --- words --- */

static const char *peek(const struct reader *r)
{
    return r->next < r->count ? r->words[r->next] : NULL;
}

static bool next_is(struct reader *r, const char *word)
{
    if (!peek(r) || strcmp(peek(r), word) != 0)
        return false;
    r->next++;
    return true;
}

static bool need_word(struct reader *r, const char *word, const char *expected)
{
    return next_is(r, word) || fail(r, expected);
}

/* --- numbers, from a word or a part of it --- */

/* Decimal digits; moves *at behind them. */
static bool take_digits(const char **at, uint64_t most, uint64_t *value)
{
    const char *s = *at;
    uint64_t v = 0;
    if (*s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9'; s++) {
        uint64_t digit = (uint64_t)(*s - '0');
        if (digit > most || v > (most - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *at = s;
    *value = v;
    return true;
}

/* What follows a point: `digits` places, as an integer; without a point 0. */
static bool take_fraction(const char **at, unsigned digits, uint64_t *value)
{
    *value = 0;
    if (**at != '.' || (*at)[1] < '0' || (*at)[1] > '9')
        return true;
    const char *s = *at + 1;
    for (unsigned i = 0; i < digits; i++)
        *value = *value * 10 + (*s >= '0' && *s <= '9' ? (uint64_t)(*s++ - '0') : 0);
    *at = s;
    return *s < '0' || *s > '9';
}

/* 90s, 45m, 2h, 3d, 250ms, 30:00, 1:02:03, each but ms with a fraction down to the millisecond. */
static bool take_time(const char **at, int64_t *ms)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
    const uint64_t most = (uint64_t)SCENARIO_LENGTH_MAX;
    uint64_t part, total, fraction;
    if (!take_digits(at, most, &part))
        return false;
    if (**at == ':') {
        total = part;
        for (int colons = 0; colons < 2 && **at == ':'; colons++) {
            ++*at;
            if (!take_digits(at, 59, &part))
                return false;
            total = total * 60 + part;
        }
        if (!take_fraction(at, 3, &fraction) || total > most / 1000)
            return false;
        *ms = (int64_t)(total * 1000 + fraction);
        return *ms <= (int64_t)most;
    }
    if (!take_fraction(at, 3, &fraction))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t size = strlen(units[i].unit);
        if (strncmp(*at, units[i].unit, size) != 0)
            continue;
        *at += size;
        if (part > most / units[i].ms)
            return false;
        total = part * units[i].ms + fraction * units[i].ms / 1000;
        *ms = (int64_t)total;
        return total <= most;
    }
    return false;
}

static bool read_time(struct reader *r, int64_t *ms, const char *expected)
{
    const char *at = peek(r);
    if (!at || !take_time(&at, ms) || *at)
        return fail(r, expected);
    r->next++;
    return true;
}

/* A..B, or A alone for both. */
static bool read_span(struct reader *r, int64_t *start, int64_t *end, const char *expected)
{
    const char *at = peek(r);
    if (!at || !take_time(&at, start))
        return fail(r, expected);
    *end = *start;
    if (strncmp(at, "..", 2) == 0) {
        at += 2;
        if (!take_time(&at, end) || *end < *start)
            return fail(r, expected);
    }
    if (*at)
        return fail(r, expected);
    r->next++;
    return true;
}

static bool read_number(struct reader *r, uint64_t least, uint64_t most, uint64_t *value,
                        const char *expected)
{
    const char *at = peek(r);
    if (!at || !take_digits(&at, most, value) || *at || *value < least)
        return fail(r, expected);
    r->next++;
    return true;
}

static bool read_unsigned(struct reader *r, unsigned least, unsigned most, unsigned *value,
                          const char *expected)
{
    uint64_t number = 0;
    if (!read_number(r, least, most, &number, expected))
        return false;
    *value = (unsigned)number;
    return true;
}

/* 30%, 0.0125% */
static bool take_share(const char *at, uint64_t *millionths)
{
    uint64_t whole, fraction;
    if (!take_digits(&at, 100, &whole) || !take_fraction(&at, 4, &fraction) || strcmp(at, "%") != 0)
        return false;
    *millionths = whole * 10000 + fraction;
    return *millionths <= SCENARIO_WHOLE;
}

static bool read_share(struct reader *r, uint32_t *millionths, const char *expected)
{
    uint64_t share;
    if (!peek(r) || !take_share(peek(r), &share))
        return fail(r, expected);
    *millionths = (uint32_t)share;
    r->next++;
    return true;
}

/* --- names --- */

static bool find_domain(const char *word, unsigned *domain)
{
    for (unsigned i = 0; i < SIM_DOMAINS_MAX; i++) {
        if (strcmp(word, scenario_domain(i)) == 0) {
            *domain = i;
            return true;
        }
    }
    return false;
}

static bool read_domain(struct reader *r, unsigned *domain)
{
    if (!peek(r) || !find_domain(peek(r), domain))
        return fail(r, "a domain (corp, emea, apac, latam, lab, dmz, plant, retail)");
    r->next++;
    return true;
}

/* n03 */
static bool take_node(const char **at, uint32_t *node)
{
    uint64_t number;
    if (**at != 'n')
        return false;
    ++*at;
    if (!take_digits(at, SIM_NODES_MAX, &number) || !number)
        return false;
    *node = (uint32_t)number - 1;
    return true;
}

/* n03,n05..n07 */
static bool take_ranges(const char *at, struct sim_set *set)
{
    set->kind = SIM_SET_RANGE;
    for (;;) {
        uint32_t first, last;
        if (!take_node(&at, &first))
            return false;
        last = first;
        if (strncmp(at, "..", 2) == 0) {
            at += 2;
            if (!take_node(&at, &last) || last < first)
                return false;
        }
        if (!sim_set_add(set, first, last))
            return false;
        if (!*at)
            return true;
        if (*at++ != ',')
            return false;
    }
}

/* holder:corp and the like: `word` with an optional domain. */
static bool take_of_domain(const char *at, const char *word, unsigned *domain)
{
    size_t size = strlen(word);
    if (strncmp(at, word, size) != 0)
        return false;
    *domain = 0;
    return !at[size] || (at[size] == ':' && find_domain(at + size + 1, domain));
}

static bool take_site(const char *at, unsigned *site)
{
    uint64_t number;
    if (*at++ != 's' || !take_digits(&at, SIM_SITES_MAX, &number) || !number || *at)
        return false;
    *site = (unsigned)number - 1;
    return true;
}

static bool read_set(struct reader *r, struct sim_set *set)
{
    const char *expected = "nodes (n03, n01..n05,n07, s2, all, rest, holder:DOMAIN, candidates:DOMAIN)";
    const char *word = peek(r);
    *set = (struct sim_set){.kind = SIM_SET_RANGE};
    if (!word)
        return fail(r, expected);
    if (strcmp(word, "all") == 0)
        set->kind = SIM_SET_ALL;
    else if (strcmp(word, "rest") == 0)
        set->kind = SIM_SET_REST;
    else if (take_of_domain(word, "holder", &set->domain))
        set->kind = SIM_SET_HOLDER;
    else if (take_of_domain(word, "candidates", &set->domain))
        set->kind = SIM_SET_CANDIDATE;
    else if (take_site(word, &set->site))
        set->kind = SIM_SET_SITE;
    else if (strcmp(word, "nobody") != 0 && !take_ranges(word, set))
        return fail(r, expected);
    if (set->kind != SIM_SET_HOLDER && set->kind != SIM_SET_CANDIDATE)
        set->domain = 0;
    r->next++;
    return true;
}

/* --- links --- */

static const char *const span_expected = "a span of times (10ms..30ms)";
static const char *const share_expected = "a share (30%)";

/* One clause of a link, when the next word starts one. */
static bool read_link_clause(struct reader *r, struct sim_link *link, bool *found)
{
    int64_t start, end;
    *found = true;
    if (next_is(r, "delay")) {
        if (!read_span(r, &start, &end, span_expected))
            return false;
        link->latency = start;
        link->jitter = end - start;
        return true;
    }
    if (next_is(r, "loss"))
        return read_share(r, &link->loss, share_expected);
    if (next_is(r, "twice"))
        return read_share(r, &link->twice, share_expected);
    if (next_is(r, "reorder")) {
        link->reorder = true;
        return true;
    }
    *found = false;
    return true;
}

/* --- faults --- */

/* A signed time or share behind the name of a clock: wall +3:00:00, rate -1%. */
static bool read_clock(struct reader *r, struct sim_fault *fault)
{
    static const char *const clocks[] = {"wall", "boot", "mono"};
    const char *expected = "wall, boot or mono with +TIME or -TIME, or rate with +SHARE or -SHARE";
    bool rate = next_is(r, "rate");
    for (unsigned i = 0; !rate; i++) {
        if (i == sizeof clocks / sizeof clocks[0])
            return fail(r, expected);
        if (next_is(r, clocks[i])) {
            fault->clock = (enum sim_clock)i;
            break;
        }
    }
    const char *at = peek(r);
    if (!at || (*at != '+' && *at != '-'))
        return fail(r, expected);
    bool minus = *at++ == '-';
    uint64_t share;
    if (rate ? !take_share(at, &share) : (!take_time(&at, &fault->amount) || *at))
        return fail(r, expected);
    fault->kind = rate ? SIM_FAULT_DRIFT : SIM_FAULT_JUMP;
    if (rate)
        fault->amount = (int64_t)share;
    if (minus)
        fault->amount = -fault->amount;
    r->next++;
    return true;
}

static bool read_hostility(struct reader *r, struct sim_fault *fault)
{
    for (unsigned i = 0; i < SIM_HOSTILITY_KINDS; i++) {
        if (next_is(r, sim_hostility_name((enum sim_hostility)i))) {
            fault->hostility = (enum sim_hostility)i;
            return true;
        }
    }
    return fail(r, "forge, replay, flood, lie, terms or malformed");
}

static bool starts_time(const char *word)
{
    return word && *word >= '0' && *word <= '9';
}

static bool read_disk(struct reader *r, struct sim_fault *fault)
{
    if (next_is(r, "lost")) {
        fault->disk = SIM_DISK_LOST;
        return true;
    }
    if (!need_word(r, "old", "lost or old"))
        return false;
    fault->disk = SIM_DISK_ROLLBACK;
    return !starts_time(peek(r)) || read_time(r, &fault->amount, "a time");
}

/* What stands behind the nodes, in any order. `found` false: the next word is none of it. */
static bool read_clause(struct reader *r, const struct scenario_verb *verb, struct sim_fault *fault,
                        bool *found)
{
    *found = true;
    if (verb->clauses & CLAUSE_FOR && next_is(r, "for"))
        return read_time(r, &fault->duration, "a time") && (fault->duration || fail(r, "a time above zero"));
    if (verb->clauses & CLAUSE_BY && next_is(r, "by"))
        return read_time(r, &fault->amount, "a time");
    if (verb->clauses & CLAUSE_DISK && next_is(r, "disk"))
        return read_disk(r, fault);
    if (verb->others && next_is(r, verb->others))
        return read_set(r, &fault->others);
    if (verb->clauses & CLAUSE_ONE_WAY && next_is(r, "one-way"))
        return fault->oneway = true;
    if (verb->clauses & CLAUSE_POINT && next_is(r, "before-persist")) {
        fault->point = SIM_CRASH_BEFORE_PERSIST;
        return true;
    }
    if (verb->clauses & CLAUSE_POINT && next_is(r, "before-send")) {
        fault->point = SIM_CRASH_AFTER_PERSIST;
        return true;
    }
    for (unsigned i = 0; i < 2 && verb->turns[0]; i++) {
        if (next_is(r, verb->turns[i])) {
            fault->off = i;
            return true;
        }
    }
    if (verb->clauses & CLAUSE_LINK)
        return read_link_clause(r, &fault->link, found);
    *found = false;
    return true;
}

static bool read_yield(struct reader *r, struct sim_fault *fault)
{
    fault->nodes = (struct sim_set){.kind = SIM_SET_HOLDER};
    if (!read_domain(r, &fault->domain))
        return false;
    fault->nodes.domain = fault->domain;
    return !next_is(r, "at") || read_set(r, &fault->nodes);
}

static bool read_fault(struct reader *r, struct sim_fault *fault)
{
    const struct scenario_verb *verb = peek(r) ? scenario_verb_find(peek(r)) : NULL;
    if (!verb)
        return fail(r, "a verb (crash, restart, pause, cut, heal, degrade, skew, ..., expect)");
    r->next++;
    fault->kind = verb->kind;
    fault->disk = verb->disk;
    fault->others.kind = verb->unnamed;
    if (verb->clauses & CLAUSE_LINK)
        fault->link = r->scenario->plan.options.between;
    if (verb->kind == SIM_FAULT_YIELD)
        return read_yield(r, fault);
    if (verb->kind == SIM_FAULT_HEAL) {
        fault->nodes.kind = SIM_SET_ALL;
        return true;
    }
    if (!read_set(r, &fault->nodes) || (verb->clauses & CLAUSE_DOMAIN && !read_domain(r, &fault->domain)) ||
        (verb->clauses & CLAUSE_CLOCK && !read_clock(r, fault)) ||
        (verb->clauses & CLAUSE_HOSTILITY && !read_hostility(r, fault)))
        return false;
    for (bool found = true; found && peek(r);)
        if (!read_clause(r, verb, fault, &found))
            return false;
    return true;
}

static bool add_fault(struct reader *r, const struct sim_fault *fault)
{
    return scenario_add_fault(r->scenario, fault) || fail(r, "no more than 4096 faults in all");
}

static bool read_end(struct reader *r)
{
    return !peek(r) || fail(r, "the end of the line");
}

/* every PERIOD from A to B VERB ... */
static bool read_every(struct reader *r)
{
    int64_t period, start, end;
    struct sim_fault fault = {0};
    if (!read_time(r, &period, "a period") || !need_word(r, "from", "from TIME to TIME") ||
        !read_time(r, &start, "a time") || !need_word(r, "to", "to TIME") || !read_time(r, &end, "a time") ||
        !read_fault(r, &fault) || !read_end(r))
        return false;
    if (period < SIM_SECOND || end < start)
        return fail(r, "a period of a second or more, and a span that does not end before it starts");
    for (fault.at = start; fault.at <= end; fault.at += period)
        if (!add_fault(r, &fault))
            return false;
    return true;
}

/* The next node after `node` that a set of ranges, a site or all names; false: there is none. */
static bool next_node(const struct scenario *scenario, const struct sim_set *set, uint32_t *node)
{
    const struct sim_options *options = &scenario->plan.options;
    for (; *node < options->nodes; ++*node) {
        uint64_t site = (uint64_t)*node * options->sites / options->nodes;
        if (set->kind == SIM_SET_ALL || (set->kind == SIM_SET_SITE && site == set->site) ||
            (set->kind == SIM_SET_RANGE && sim_set_has(set, *node)))
            return true;
    }
    return false;
}

/* each PERIOD from A VERB NODES ...: one node after the other. */
static bool read_each(struct reader *r)
{
    int64_t period;
    struct sim_fault fault = {0};
    if (!read_time(r, &period, "a period") || !need_word(r, "from", "from TIME") ||
        !read_time(r, &fault.at, "a time") || !read_fault(r, &fault) || !read_end(r))
        return false;
    struct sim_set set = fault.nodes;
    if (set.kind != SIM_SET_ALL && set.kind != SIM_SET_SITE && set.kind != SIM_SET_RANGE)
        return fail(r, "nodes that are known beforehand (n01..n05, s2, all)");
    for (uint32_t node = 0; next_node(r->scenario, &set, &node); node++) {
        fault.nodes = (struct sim_set){.kind = SIM_SET_RANGE};
        sim_set_add(&fault.nodes, node, node);
        if (!add_fault(r, &fault))
            return false;
        fault.at += period;
    }
    return true;
}

/* --- expectations --- */

static bool read_relation(struct reader *r, struct scenario_expect *expect)
{
    for (unsigned i = 0; i < 4; i++) {
        if (!next_is(r, scenario_relation_text((enum scenario_relation)i)))
            continue;
        expect->relation = (enum scenario_relation)i;
        if (!scenario_metric_is_share(expect->metric))
            return read_number(r, 0, UINT64_MAX, &expect->value, "a number");
        uint32_t share = 0;
        bool read = read_share(r, &share, share_expected);
        expect->value = share;
        return read;
    }
    return fail(r, "=, !=, <= or >=");
}

static bool read_holder(struct reader *r, struct scenario_expect *expect)
{
    if (next_is(r, "stays")) {
        expect->holder = HOLDER_STAYS;
        return expect->when == WHEN_END || expect->when == WHEN_DURING || fail(r, "during A..B before it");
    }
    if (next_is(r, "changes")) {
        expect->holder = HOLDER_CHANGES;
        if (expect->when != WHEN_END)
            return fail(r, "no time before expect: what changes is told by in A..B after TIME");
        return need_word(r, "in", "in A..B after TIME") &&
               read_span(r, &expect->start, &expect->end, "a span of times (30:00..31:00)") &&
               need_word(r, "after", "after TIME") && read_time(r, &expect->after, "a time");
    }
    if (!need_word(r, "is", "is NODES, is not NODES, stays, or changes in A..B after TIME"))
        return false;
    expect->holder = next_is(r, "not") ? HOLDER_IS_NOT : HOLDER_IS;
    return read_set(r, &expect->holder_in);
}

static bool read_notice(struct reader *r, struct scenario_expect *expect)
{
    for (unsigned i = 0; scenario_notice_word((enum cluster_notice_type)i); i++) {
        if (next_is(r, scenario_notice_word((enum cluster_notice_type)i))) {
            expect->notice = (enum cluster_notice_type)i;
            return true;
        }
    }
    return fail(r, "a kind of notice (offline, online, joined, left, revoked, clone, hostile, tilt, ...)");
}

static bool read_counter(struct reader *r, struct scenario_expect *expect)
{
    for (unsigned i = 0; scenario_counter_name(i); i++) {
        if (next_is(r, scenario_counter_name(i))) {
            expect->counter = i;
            return true;
        }
    }
    return fail(r, "a counter of cluster.h (malformed, refutations, ...)");
}

/* The word that names the metric, with the short forms "no-holder" and "never". */
static bool read_metric(struct reader *r, struct scenario_expect *expect, bool *whole)
{
    *whole = true;
    if (next_is(r, "no-holder")) {
        expect->metric = METRIC_HOLDERS;
        return true;
    }
    if (next_is(r, "never")) {
        expect->metric = METRIC_NOTICES;
        return true;
    }
    bool members = next_is(r, "members");
    *whole = false;
    for (unsigned i = 0; i < METRICS; i++) {
        bool counts_members = i == METRIC_ONLINE || i == METRIC_OFFLINE;
        if (counts_members == members && next_is(r, scenario_metric_text((enum scenario_metric)i))) {
            expect->metric = (enum scenario_metric)i;
            return true;
        }
    }
    return fail(r, members ? "online or offline"
                           : "holder, no-holder, holders, term, elections, bids, fresh, unassigned, members, "
                             "converged, incarnation, counter, notices, never or traffic");
}

static bool read_expect(struct reader *r, struct scenario_expect *expect)
{
    bool whole;
    expect->of.kind = expect->among.kind = SIM_SET_ALL;
    expect->line = r->line;
    if (!read_metric(r, expect, &whole) ||
        (scenario_metric_of_domain(expect->metric) && !read_domain(r, &expect->domain)) ||
        (expect->metric == METRIC_NOTICES && !read_notice(r, expect)) ||
        (expect->metric == METRIC_COUNTER && !read_counter(r, expect)))
        return false;
    if (expect->metric == METRIC_CONVERGED && (!peek(r) || strcmp(peek(r), "among") == 0)) {
        expect->value = SCENARIO_WHOLE;
        whole = true;
    }
    if (expect->metric == METRIC_HOLDER ? !read_holder(r, expect) : (!whole && !read_relation(r, expect)))
        return false;
    if (expect->metric == METRIC_NOTICES && next_is(r, "of") && !read_set(r, &expect->of))
        return false;
    if (next_is(r, "among") && !read_set(r, &expect->among))
        return false;
    if (!read_end(r))
        return false;
    return scenario_add_expect(r->scenario, expect) || fail(r, "no more than 256 expectations in all");
}

/* --- settings --- */

static bool read_candidates(struct reader *r, struct sim_options *options)
{
    unsigned domain;
    if (!peek(r) || !find_domain(peek(r), &domain))
        return read_unsigned(r, 0, SIM_NODES_MAX, &options->candidates,
                             "a number, or a domain and its nodes");
    r->next++;
    struct sim_set *set = &options->candidates_of[domain];
    if (!read_set(r, set))
        return false;
    return (set->kind == SIM_SET_RANGE && set->count) || fail(r, "nodes (n01,n04..n06)");
}

static bool read_link(struct reader *r, struct sim_options *options)
{
    struct sim_link *link = next_is(r, "inside")    ? &options->inside
                            : next_is(r, "between") ? &options->between
                                                    : NULL;
    if (!link)
        return fail(r, "inside or between");
    for (bool found = true; found && peek(r);)
        if (!read_link_clause(r, link, &found))
            return false;
    return true;
}

/* One of two words. */
static bool read_choice(struct reader *r, const char *no, const char *yes, bool *value, const char *expected)
{
    *value = next_is(r, yes);
    return *value || need_word(r, no, expected);
}

static bool read_title(struct reader *r)
{
    struct text t = text_to(r->scenario->title, SCENARIO_TITLE_SIZE);
    for (unsigned i = 0; peek(r); r->next++, i++) {
        if (i)
            text_char(&t, ' ');
        text_string(&t, peek(r));
    }
    return text_end(&t) < SCENARIO_TITLE_SIZE || fail(r, "a title of less than 120 bytes");
}

/* `hours 3` too, for people. */
static bool read_hours(struct reader *r)
{
    unsigned hours = 0;
    if (!read_unsigned(r, 1, SCENARIO_LENGTH_MAX / SIM_HOUR, &hours, "hours (1 to 8784)"))
        return false;
    r->scenario->plan.until = hours * SIM_HOUR;
    return true;
}

/* A setting of the world. `known` false: the word is none. */
static bool read_option(struct reader *r, struct sim_options *options, bool *known)
{
    *known = true;
    if (next_is(r, "nodes"))
        return read_unsigned(r, 1, SIM_NODES_MAX, &options->nodes, "a number of nodes (1 to 20000)");
    if (next_is(r, "sites"))
        return read_unsigned(r, 1, SIM_SITES_MAX, &options->sites, "a number of sites (1 to 1000)");
    if (next_is(r, "domains"))
        return read_unsigned(r, 1, SIM_DOMAINS_MAX, &options->domains, "a number of domains (1 to 8)");
    if (next_is(r, "candidates"))
        return read_candidates(r, options);
    if (next_is(r, "absent"))
        return read_unsigned(r, 0, SIM_NODES_MAX, &options->absent, "a number of nodes");
    if (next_is(r, "seed"))
        return read_number(r, 0, UINT64_MAX, &options->seed, "a number");
    if (next_is(r, "start-spread"))
        return read_time(r, &options->start_spread, "a time");
    if (next_is(r, "replace-after"))
        return read_time(r, &options->replace_after, "a time") &&
               (options->replace_after >= 10 * SIM_SECOND || fail(r, "a time of at least 10s"));
    if (next_is(r, "min-observers"))
        return read_unsigned(r, 0, SIM_NODES_MAX, &options->min_observers, "a number of nodes");
    if (next_is(r, "link"))
        return read_link(r, options);
    if (next_is(r, "drift"))
        return read_share(r, &options->drift, "a share (0.005%)");
    if (next_is(r, "heartbeats"))
        return read_choice(r, "all", "candidates", &options->sensors_silent, "all or candidates");
    if (next_is(r, "crypto"))
        return read_choice(r, "hashes", "libsodium", &options->real_crypto, "hashes or libsodium");
    if (next_is(r, "invariants"))
        return read_choice(r, "on", "off", &options->unchecked, "on or off");
    if (next_is(r, "batches"))
        return read_time(r, &options->batch_interval, "a time") &&
               (options->batch_interval >= SIM_SECOND || fail(r, "a time of at least 1s"));
    if (next_is(r, "receivers"))
        return read_unsigned(r, 0, 16, &options->receivers, "a number (0 to 16)");
    if (next_is(r, "liveness"))
        return read_time(r, &options->liveness, "a time");
    *known = false;
    return true;
}

static bool read_timed(struct reader *r)
{
    struct scenario_expect expect = {.when = WHEN_AT};
    struct sim_fault fault = {0};
    if (!read_time(r, &fault.at, "a time (30:00, 1:02:03, 90s)"))
        return false;
    expect.start = fault.at;
    if (next_is(r, "expect"))
        return read_expect(r, &expect);
    return read_fault(r, &fault) && read_end(r) && add_fault(r, &fault);
}

static bool read_expect_span(struct reader *r, enum scenario_when when)
{
    struct scenario_expect expect = {.when = when};
    if (!read_span(r, &expect.start, &expect.end, "a span of times (1:00:00..2:00:00)"))
        return false;
    if (expect.end - expect.start < 2 * SIM_SECOND)
        return fail(r, "a span of at least two seconds before it");
    return need_word(r, "expect", "expect") && read_expect(r, &expect);
}

static bool read_line(struct reader *r)
{
    bool known;
    if (!read_option(r, &r->scenario->plan.options, &known))
        return false;
    if (known)
        return read_end(r);
    if (next_is(r, "title"))
        return read_title(r);
    if (next_is(r, "hours"))
        return read_hours(r) && read_end(r);
    if (next_is(r, "length"))
        return read_time(r, &r->scenario->plan.until, "a time") && read_end(r);
    if (next_is(r, "at"))
        return read_timed(r);
    if (next_is(r, "every"))
        return read_every(r);
    if (next_is(r, "each"))
        return read_each(r);
    if (next_is(r, "during"))
        return read_expect_span(r, WHEN_DURING);
    if (next_is(r, "within"))
        return read_expect_span(r, WHEN_WITHIN);
    if (next_is(r, "expect"))
        return read_expect(r, &(struct scenario_expect){.when = WHEN_END});
    return fail(r, "a setting (nodes, sites, ...), at, every, each, during, within or expect");
}

/* --- lines --- */

static bool well_formed(const uint8_t *text, size_t size)
{
    bool valid = true;
    uint32_t code;
    for (size_t at = 0; valid && at < size;)
        at += utf8_decode(text + at, size - at, &code, &valid);
    return valid;
}

/* Cuts a line into words; a word that starts with # ends it. */
static bool cut_words(struct reader *r, const char *line, size_t size)
{
    r->count = r->next = 0;
    if (size >= LINE_SIZE)
        return fail(r, "lines of less than 1024 bytes");
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)line[i] < 0x20 && line[i] != '\t' && line[i] != '\r')
            return fail(r, "text without control characters");
    if (!well_formed((const uint8_t *)line, size))
        return fail(r, "UTF-8");
    memcpy(r->form, line, size);
    r->form[size] = '\0';
    char *rest = NULL;
    for (char *word = strtok_r(r->form, " \t\r", &rest); word && *word != '#';
         word = strtok_r(NULL, " \t\r", &rest)) {
        if (r->count == WORDS_MAX)
            return fail(r, "at most 64 words on a line");
        r->words[r->count++] = word;
    }
    return true;
}

static bool read_lines(struct reader *r, const char *text, size_t size)
{
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - (text + at)) : size - at;
        r->line++;
        if (!cut_words(r, text + at, length) || (r->count && !read_line(r)))
            return false;
        at += length + 1;
    }
    return true;
}

struct scenario *scenario_parse(const char *name, const void *text, size_t size, char *error)
{
    struct reader r = {.name = name, .error = error};
    error[0] = '\0';
    r.scenario = scenario_new();
    if (!r.scenario || size > SCENARIO_TEXT_MAX) {
        fail(&r, r.scenario ? "a file of at most 1 MiB" : "more memory");
        scenario_destroy(&r.scenario);
        return NULL;
    }
    if (!read_lines(&r, text, size) || !scenario_check(r.scenario, name, error))
        scenario_destroy(&r.scenario);
    return r.scenario;
}

struct scenario *scenario_load(const char *path, char *error)
{
    struct text t = text_to(error, SCENARIO_ERROR_SIZE);
    struct scenario *scenario = NULL;
    char *form = malloc(SCENARIO_TEXT_MAX + 1);
    FILE *file = form ? fopen(path, "rb") : NULL;
    size_t size = file ? fread(form, 1, SCENARIO_TEXT_MAX + 1, file) : 0;
    if (!file || ferror(file)) {
        text_string(&t, path);
        text_string(&t, ": ");
        text_string(&t, form ? strerror(errno) : "out of memory");
        text_end(&t);
    } else {
        scenario = scenario_parse(path, form, size, error);
    }
    if (file)
        fclose(file);
    free(form);
    return scenario;
}
