/* SPDX-License-Identifier: Apache-2.0
 *
 * Scenarios in memory, their words, and their writer. What stands at its default is written too: a file tells
 * all that its run depends on.
 */
#include "sim/scenario.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/scenario_words.h"
#include "sim/vector.h"

static const char *const domain_names[SIM_DOMAINS_MAX] = {"corp", "emea", "apac",  "latam",
                                                          "lab",  "dmz",  "plant", "retail"};

static const char *const metric_texts[] = {
#define SCENARIO_METRIC_TEXT(name, text, doc) text,
    SCENARIO_METRICS(SCENARIO_METRIC_TEXT)
#undef SCENARIO_METRIC_TEXT
};

static const char *const metric_docs[] = {
#define SCENARIO_METRIC_DOC(name, text, doc) doc,
    SCENARIO_METRICS(SCENARIO_METRIC_DOC)
#undef SCENARIO_METRIC_DOC
};

static const char *const notice_words[] = {
    [NOTICE_SYNCHRONIZER_START] = "start",
    [NOTICE_SYNCHRONIZER_STOP] = "stop",
    [NOTICE_HOLDER] = "holder",
    [NOTICE_UNASSIGNED] = "unassigned",
    [NOTICE_ASSIGNED] = "assigned",
    [NOTICE_MEMBER_JOINED] = "joined",
    [NOTICE_MEMBER_ONLINE] = "online",
    [NOTICE_MEMBER_OFFLINE] = "offline",
    [NOTICE_MEMBER_LEFT] = "left",
    [NOTICE_MEMBER_REVOKED] = "revoked",
    [NOTICE_MEMBER_CHANGED] = "changed",
    [NOTICE_POLICY] = "policy",
    [NOTICE_TILT] = "tilt",
    [NOTICE_TILT_OVER] = "tilt-over",
    [NOTICE_CLONE] = "clone",
    [NOTICE_REVOKED] = "self-revoked",
    [NOTICE_HOSTILE] = "hostile",
    [NOTICE_ELECTION] = "election",
};

static const char *const counter_names[] = {
#define SCENARIO_COUNTER_NAME(name, doc) #name,
    CLUSTER_COUNTERS(SCENARIO_COUNTER_NAME)
#undef SCENARIO_COUNTER_NAME
};

static const char *const relation_texts[] = {"=", "!=", "<=", ">="};
static const char *const clock_words[] = {"wall", "boot", "mono"};

#define CLAUSES_CRASH (CLAUSE_FOR | CLAUSE_POINT | CLAUSE_DISK)
static const struct scenario_verb verbs[] = {
    {.word = "crash", .kind = SIM_FAULT_CRASH, .clauses = CLAUSES_CRASH},
    {.word = "restart", .kind = SIM_FAULT_RESTART, .disk = SIM_DISK_KEEP},
    {.word = "lose-disk", .kind = SIM_FAULT_RESTART, .disk = SIM_DISK_LOST},
    {.word = "roll-back", .kind = SIM_FAULT_RESTART, .clauses = CLAUSE_BY, .disk = SIM_DISK_ROLLBACK},
    {.word = "pause", .kind = SIM_FAULT_PAUSE, .clauses = CLAUSE_FOR},
    {.word = "suspend", .kind = SIM_FAULT_SUSPEND, .clauses = CLAUSE_FOR},
    {.word = "freeze", .kind = SIM_FAULT_FREEZE, .clauses = CLAUSE_FOR},
    {.word = "cut",
     .kind = SIM_FAULT_CUT,
     .clauses = CLAUSE_FOR | CLAUSE_ONE_WAY,
     .others = "from",
     .unnamed = SIM_SET_REST},
    {.word = "heal", .kind = SIM_FAULT_HEAL},
    {.word = "degrade",
     .kind = SIM_FAULT_DEGRADE,
     .clauses = CLAUSE_FOR | CLAUSE_ONE_WAY | CLAUSE_LINK,
     .others = "with",
     .unnamed = SIM_SET_ALL},
    {.word = "clog", .kind = SIM_FAULT_CLOG, .clauses = CLAUSE_FOR},
    {.word = "skew", .kind = SIM_FAULT_JUMP, .clauses = CLAUSE_CLOCK | CLAUSE_FOR},
    {.word = "skew", .kind = SIM_FAULT_DRIFT, .clauses = CLAUSE_CLOCK | CLAUSE_FOR},
    {.word = "directory",
     .kind = SIM_FAULT_LDAP,
     .clauses = CLAUSE_DOMAIN | CLAUSE_FOR,
     .turns = {"down", "up"}},
    {.word = "candidate",
     .kind = SIM_FAULT_CANDIDACY,
     .clauses = CLAUSE_DOMAIN | CLAUSE_FOR,
     .turns = {"off", "on"}},
    {.word = "leave", .kind = SIM_FAULT_LEAVE, .clauses = CLAUSE_FOR},
    {.word = "yield", .kind = SIM_FAULT_YIELD, .clauses = CLAUSE_DOMAIN},
    {.word = "pin", .kind = SIM_FAULT_PIN, .clauses = CLAUSE_DOMAIN | CLAUSE_FOR, .turns = {"on", "off"}},
    {.word = "revoke", .kind = SIM_FAULT_REVOKE, .others = "at", .unnamed = SIM_SET_REST},
    {.word = "hostile",
     .kind = SIM_FAULT_HOSTILE,
     .clauses = CLAUSE_HOSTILITY | CLAUSE_FOR,
     .turns = {"on", "off"}},
    {.word = "join", .kind = SIM_FAULT_JOIN},
    {.word = "upgrade", .kind = SIM_FAULT_UPGRADE},
    {.word = "disk-full", .kind = SIM_FAULT_DISK_FULL, .clauses = CLAUSE_FOR, .turns = {"on", "off"}},
};

const struct scenario_verb *scenario_verb_find(const char *word)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(verbs[i].word, word) == 0)
            return &verbs[i];
    return NULL;
}

const struct scenario_verb *scenario_verb_of(const struct sim_fault *fault)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (verbs[i].kind == fault->kind &&
            (fault->kind != SIM_FAULT_RESTART || verbs[i].disk == fault->disk))
            return &verbs[i];
    return NULL;
}

const char *scenario_domain(unsigned domain)
{
    return domain < SIM_DOMAINS_MAX ? domain_names[domain] : "?";
}

const char *scenario_metric_text(enum scenario_metric metric)
{
    return metric < METRICS ? metric_texts[metric] : "?";
}

const char *scenario_metric_doc(enum scenario_metric metric)
{
    return metric < METRICS ? metric_docs[metric] : "?";
}

const char *scenario_notice_word(enum cluster_notice_type notice)
{
    return notice < sizeof notice_words / sizeof notice_words[0] ? notice_words[notice] : NULL;
}

const char *scenario_counter_name(unsigned counter)
{
    return counter < sizeof counter_names / sizeof counter_names[0] ? counter_names[counter] : NULL;
}

const char *scenario_relation_text(enum scenario_relation relation)
{
    return relation_texts[relation];
}

bool scenario_metric_of_domain(enum scenario_metric metric)
{
    return metric <= METRIC_UNASSIGNED;
}

bool scenario_metric_is_share(enum scenario_metric metric)
{
    return metric == METRIC_FRESH || metric == METRIC_CONVERGED;
}

/* --- in memory --- */

struct scenario *scenario_new(void)
{
    struct scenario *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    sim_options_init(&self->plan.options);
    self->plan.until = 3 * SIM_HOUR;
    return self;
}

void scenario_destroy(struct scenario **scenario)
{
    if (!*scenario)
        return;
    free((*scenario)->plan.faults);
    free((*scenario)->expects);
    free(*scenario);
    *scenario = NULL;
}

bool scenario_add_fault(struct scenario *scenario, const struct sim_fault *fault)
{
    struct sim_plan *plan = &scenario->plan;
    if (!vector_room((void **)&plan->faults, plan->fault_count, &scenario->fault_capacity,
                     SCENARIO_FAULTS_MAX, sizeof *plan->faults))
        return false;
    unsigned at = plan->fault_count++;
    for (; at && plan->faults[at - 1].at > fault->at; at--)
        plan->faults[at] = plan->faults[at - 1];
    plan->faults[at] = *fault;
    return true;
}

bool scenario_add_expect(struct scenario *scenario, const struct scenario_expect *expect)
{
    if (!vector_room((void **)&scenario->expects, scenario->expect_count, &scenario->expect_capacity,
                     SCENARIO_EXPECTS_MAX, sizeof *scenario->expects))
        return false;
    scenario->expects[scenario->expect_count++] = *expect;
    return true;
}

/* --- is all there that is named? --- */

static const char *set_fault(const struct sim_options *options, const struct sim_set *set)
{
    switch (set->kind) {
    case SIM_SET_HOLDER:
    case SIM_SET_CANDIDATE:
        return set->domain < options->domains ? NULL : "names a domain that there is not";
    case SIM_SET_SITE:
        return set->site < options->sites ? NULL : "names a site that there is not";
    case SIM_SET_RANGE:
        for (unsigned i = 0; i < set->count; i++)
            if (set->range[i].last >= options->nodes)
                return "names a node that there is not";
        return NULL;
    case SIM_SET_ALL:
    case SIM_SET_REST:
        break;
    }
    return NULL;
}

static const char *fault_fault(const struct sim_plan *plan, const struct sim_fault *fault)
{
    const struct scenario_verb *verb = scenario_verb_of(fault);
    if (fault->at > plan->until)
        return "comes after the end of the run";
    if (verb->clauses & CLAUSE_DOMAIN && fault->domain >= plan->options.domains)
        return "names a domain that there is not";
    const char *wrong = set_fault(&plan->options, &fault->nodes);
    if (!wrong && verb->others)
        wrong = set_fault(&plan->options, &fault->others);
    return wrong;
}

static const char *expect_fault(const struct sim_plan *plan, const struct scenario_expect *expect)
{
    if (scenario_metric_of_domain(expect->metric) && expect->domain >= plan->options.domains)
        return "names a domain that there is not";
    if (expect->after > plan->until || expect->start > plan->until ||
        expect->after + expect->end > plan->until)
        return "comes after the end of the run";
    const char *wrong = set_fault(&plan->options, &expect->among);
    if (!wrong)
        wrong = set_fault(&plan->options, &expect->of);
    if (!wrong && expect->metric == METRIC_HOLDER && expect->holder <= HOLDER_IS_NOT)
        wrong = set_fault(&plan->options, &expect->holder_in);
    return wrong;
}

static const char *options_fault(const struct sim_options *options)
{
    if (options->sites > options->nodes)
        return "more sites than nodes";
    if (options->candidates > options->nodes)
        return "more candidates than nodes";
    if (options->absent >= options->nodes)
        return "nobody is there at the start: absent must be less than nodes";
    for (unsigned i = 0; i < SIM_DOMAINS_MAX; i++) {
        const char *wrong = set_fault(options, &options->candidates_of[i]);
        if (wrong)
            return "the candidates of a domain: a node that there is not";
        if (options->candidates_of[i].count && i >= options->domains)
            return "candidates of a domain that there is not";
    }
    return NULL;
}

bool scenario_check(const struct scenario *scenario, const char *name, char *error)
{
    const struct sim_plan *plan = &scenario->plan;
    struct text t = text_to(error, SCENARIO_ERROR_SIZE);
    text_string(&t, name);
    text_string(&t, ": ");
    const char *wrong = options_fault(&plan->options);
    for (unsigned i = 0; !wrong && i < plan->fault_count; i++) {
        wrong = fault_fault(plan, &plan->faults[i]);
        if (wrong) {
            scenario_write_fault(&plan->faults[i], &t);
            text_string(&t, ": ");
        }
    }
    for (unsigned i = 0; !wrong && i < scenario->expect_count; i++) {
        wrong = expect_fault(plan, &scenario->expects[i]);
        if (wrong) {
            scenario_write_expect(&scenario->expects[i], &t);
            text_string(&t, ": ");
        }
    }
    if (!wrong) {
        error[0] = '\0';
        return true;
    }
    text_string(&t, wrong);
    text_end(&t);
    return false;
}

/* --- written --- */

void scenario_write_time(int64_t ms, struct text *to)
{
    if (ms < 0) {
        text_char(to, '-');
        ms = -ms;
    }
    uint64_t seconds = (uint64_t)ms / 1000, rest = (uint64_t)ms % 1000;
    if (seconds < 60) {
        text_uint(to, rest ? (uint64_t)ms : seconds);
        text_string(to, rest ? "ms" : "s");
        return;
    }
    if (seconds >= 3600) {
        text_uint(to, seconds / 3600);
        text_char(to, ':');
        text_padded(to, seconds / 60 % 60, 2);
    } else {
        text_uint(to, seconds / 60);
    }
    text_char(to, ':');
    text_padded(to, seconds % 60, 2);
    if (rest) {
        text_char(to, '.');
        text_padded(to, rest, 3);
    }
}

void scenario_write_share(uint32_t millionths, struct text *to)
{
    text_uint(to, millionths / 10000);
    uint32_t rest = millionths % 10000;
    unsigned digits = 4;
    for (; rest && rest % 10 == 0; digits--)
        rest /= 10;
    if (rest) {
        text_char(to, '.');
        text_padded(to, rest, digits);
    }
    text_char(to, '%');
}

void scenario_write_node(unsigned node, struct text *to)
{
    text_char(to, 'n');
    text_padded(to, (uint64_t)node + 1, 2);
}

void scenario_write_set(const struct sim_set *set, struct text *to)
{
    switch (set->kind) {
    case SIM_SET_ALL:
        text_string(to, "all");
        return;
    case SIM_SET_REST:
        text_string(to, "rest");
        return;
    case SIM_SET_HOLDER:
        text_string(to, "holder:");
        text_string(to, scenario_domain(set->domain));
        return;
    case SIM_SET_CANDIDATE:
        text_string(to, "candidates:");
        text_string(to, scenario_domain(set->domain));
        return;
    case SIM_SET_SITE:
        text_char(to, 's');
        text_uint(to, (uint64_t)set->site + 1);
        return;
    case SIM_SET_RANGE:
        break;
    }
    if (!set->count)
        text_string(to, "nobody");
    for (unsigned i = 0; i < set->count; i++) {
        if (i)
            text_char(to, ',');
        scenario_write_node(set->range[i].first, to);
        if (set->range[i].last == set->range[i].first)
            continue;
        text_string(to, "..");
        scenario_write_node(set->range[i].last, to);
    }
}

static void put_word(struct text *to, const char *word)
{
    text_char(to, ' ');
    text_string(to, word);
}

static void put_time(struct text *to, const char *word, int64_t ms)
{
    put_word(to, word);
    text_char(to, ' ');
    scenario_write_time(ms, to);
}

static void put_set(struct text *to, const char *word, const struct sim_set *set)
{
    if (word)
        put_word(to, word);
    text_char(to, ' ');
    scenario_write_set(set, to);
}

static void put_share(struct text *to, const char *word, uint32_t millionths)
{
    put_word(to, word);
    text_char(to, ' ');
    scenario_write_share(millionths, to);
}

static void put_span(struct text *to, const char *word, int64_t start, int64_t end)
{
    put_time(to, word, start);
    text_string(to, "..");
    scenario_write_time(end, to);
}

static void put_link(struct text *to, const struct sim_link *link)
{
    put_span(to, "delay", link->latency, link->latency + link->jitter);
    put_share(to, "loss", link->loss);
    put_share(to, "twice", link->twice);
    if (link->reorder)
        put_word(to, "reorder");
}

static void put_signed_time(struct text *to, const char *word, int64_t ms)
{
    put_word(to, word);
    text_string(to, ms < 0 ? " -" : " +");
    scenario_write_time(ms < 0 ? -ms : ms, to);
}

static void put_rate(struct text *to, int64_t ppm)
{
    put_word(to, "rate");
    text_string(to, ppm < 0 ? " -" : " +");
    scenario_write_share((uint32_t)(ppm < 0 ? -ppm : ppm), to);
}

static void put_disk(struct text *to, const struct sim_fault *fault)
{
    if (fault->disk == SIM_DISK_KEEP)
        return;
    put_word(to, fault->disk == SIM_DISK_LOST ? "disk lost" : "disk old");
    if (fault->disk == SIM_DISK_ROLLBACK && fault->amount) {
        text_char(to, ' ');
        scenario_write_time(fault->amount, to);
    }
}

static void put_clauses(struct text *to, const struct sim_fault *fault, unsigned clauses)
{
    if (clauses & CLAUSE_POINT && fault->point != SIM_CRASH_BETWEEN)
        put_word(to, fault->point == SIM_CRASH_BEFORE_PERSIST ? "before-persist" : "before-send");
    if (clauses & CLAUSE_DISK)
        put_disk(to, fault);
    if (clauses & CLAUSE_BY && fault->amount)
        put_time(to, "by", fault->amount);
    if (clauses & CLAUSE_LINK)
        put_link(to, &fault->link);
    if (clauses & CLAUSE_CLOCK && fault->kind == SIM_FAULT_JUMP)
        put_signed_time(to, clock_words[fault->clock], fault->amount);
    if (clauses & CLAUSE_CLOCK && fault->kind == SIM_FAULT_DRIFT)
        put_rate(to, fault->amount);
    if (clauses & CLAUSE_HOSTILITY)
        put_word(to, sim_hostility_name(fault->hostility));
    if (clauses & CLAUSE_ONE_WAY && fault->oneway)
        put_word(to, "one-way");
}

void scenario_write_fault(const struct sim_fault *fault, struct text *to)
{
    const struct scenario_verb *verb = scenario_verb_of(fault);
    text_string(to, "at ");
    scenario_write_time(fault->at, to);
    put_word(to, verb->word);
    if (verb->kind == SIM_FAULT_YIELD) {
        put_word(to, scenario_domain(fault->domain));
        put_set(to, "at", &fault->nodes);
        return;
    }
    if (verb->kind != SIM_FAULT_HEAL)
        put_set(to, NULL, &fault->nodes);
    if (verb->clauses & CLAUSE_DOMAIN)
        put_word(to, scenario_domain(fault->domain));
    if (verb->others && fault->others.kind != verb->unnamed)
        put_set(to, verb->others, &fault->others);
    put_clauses(to, fault, verb->clauses);
    if (verb->turns[0])
        put_word(to, verb->turns[fault->off]);
    if (verb->clauses & CLAUSE_FOR && fault->duration)
        put_time(to, "for", fault->duration);
}

static void put_holder(struct text *to, const struct scenario_expect *expect)
{
    switch (expect->holder) {
    case HOLDER_IS:
        put_set(to, "is", &expect->holder_in);
        return;
    case HOLDER_IS_NOT:
        put_set(to, "is not", &expect->holder_in);
        return;
    case HOLDER_STAYS:
        put_word(to, "stays");
        return;
    case HOLDER_CHANGES:
        put_span(to, "changes in", expect->start, expect->end);
        put_time(to, "after", expect->after);
        return;
    }
}

static void put_relation(struct text *to, const struct scenario_expect *expect)
{
    put_word(to, relation_texts[expect->relation]);
    text_char(to, ' ');
    if (scenario_metric_is_share(expect->metric))
        scenario_write_share((uint32_t)expect->value, to);
    else
        text_uint(to, expect->value);
}

void scenario_write_expect(const struct scenario_expect *expect, struct text *to)
{
    bool changes = expect->metric == METRIC_HOLDER && expect->holder == HOLDER_CHANGES;
    if (expect->when == WHEN_AT) {
        text_string(to, "at ");
        scenario_write_time(expect->start, to);
        text_char(to, ' ');
    } else if (expect->when != WHEN_END && !changes) {
        text_string(to, expect->when == WHEN_DURING ? "during " : "within ");
        scenario_write_time(expect->start, to);
        text_string(to, "..");
        scenario_write_time(expect->end, to);
        text_char(to, ' ');
    }
    text_string(to, "expect");
    bool never = expect->metric == METRIC_NOTICES && expect->relation == RELATION_EQUAL && !expect->value;
    if (expect->metric == METRIC_ONLINE || expect->metric == METRIC_OFFLINE)
        put_word(to, "members");
    put_word(to, never ? "never" : metric_texts[expect->metric]);
    if (scenario_metric_of_domain(expect->metric))
        put_word(to, scenario_domain(expect->domain));
    if (expect->metric == METRIC_NOTICES)
        put_word(to, notice_words[expect->notice]);
    if (expect->metric == METRIC_COUNTER)
        put_word(to, counter_names[expect->counter]);
    if (expect->metric == METRIC_HOLDER)
        put_holder(to, expect);
    else if (!never && !(expect->metric == METRIC_CONVERGED && expect->value == SCENARIO_WHOLE &&
                         expect->relation == RELATION_EQUAL))
        put_relation(to, expect);
    if (expect->of.kind != SIM_SET_ALL)
        put_set(to, "of", &expect->of);
    if (expect->among.kind != SIM_SET_ALL)
        put_set(to, "among", &expect->among);
}

static void put_line(struct text *to, const char *word, uint64_t value)
{
    text_string(to, word);
    text_char(to, ' ');
    text_uint(to, value);
    text_char(to, '\n');
}

static void put_time_line(struct text *to, const char *word, int64_t ms)
{
    text_string(to, word);
    text_char(to, ' ');
    scenario_write_time(ms, to);
    text_char(to, '\n');
}

static void put_word_line(struct text *to, const char *word, const char *value)
{
    text_string(to, word);
    put_word(to, value);
    text_char(to, '\n');
}

static void put_link_line(struct text *to, const char *word, const struct sim_link *link)
{
    text_string(to, word);
    put_link(to, link);
    text_char(to, '\n');
}

static void put_candidates(struct text *to, const struct sim_options *options)
{
    put_line(to, "candidates", options->candidates);
    for (unsigned i = 0; i < options->domains; i++) {
        if (!options->candidates_of[i].count)
            continue;
        text_string(to, "candidates ");
        text_string(to, domain_names[i]);
        put_set(to, NULL, &options->candidates_of[i]);
        text_char(to, '\n');
    }
}

static void put_options(struct text *to, const struct sim_options *options)
{
    put_line(to, "nodes", options->nodes);
    put_line(to, "sites", options->sites);
    put_line(to, "domains", options->domains);
    put_candidates(to, options);
    if (options->absent)
        put_line(to, "absent", options->absent);
    put_line(to, "seed", options->seed);
    put_time_line(to, "start-spread", options->start_spread);
    put_time_line(to, "replace-after", options->replace_after);
    put_line(to, "min-observers", options->min_observers);
    put_link_line(to, "link inside", &options->inside);
    put_link_line(to, "link between", &options->between);
    text_string(to, "drift ");
    scenario_write_share(options->drift, to);
    text_char(to, '\n');
    put_word_line(to, "heartbeats", options->sensors_silent ? "candidates" : "all");
    put_word_line(to, "crypto", options->real_crypto ? "libsodium" : "hashes");
    put_word_line(to, "invariants", options->unchecked ? "off" : "on");
    put_time_line(to, "batches", options->batch_interval);
    put_line(to, "receivers", options->receivers);
    if (options->liveness)
        put_time_line(to, "liveness", options->liveness);
}

void scenario_write(const struct scenario *scenario, struct text *to)
{
    if (scenario->title[0])
        put_word_line(to, "title", scenario->title);
    put_options(to, &scenario->plan.options);
    put_time_line(to, "length", scenario->plan.until);
    text_char(to, '\n');
    for (unsigned i = 0; i < scenario->plan.fault_count; i++) {
        scenario_write_fault(&scenario->plan.faults[i], to);
        text_char(to, '\n');
    }
    for (unsigned i = 0; i < scenario->expect_count; i++) {
        scenario_write_expect(&scenario->expects[i], to);
        text_char(to, '\n');
    }
}

bool sim_scenario_write(FILE *file, const struct sim_plan *plan, const char *comment)
{
    struct scenario scenario = {.plan = *plan};
    struct text measure = text_to(NULL, 0);
    scenario_write(&scenario, &measure);
    char *form = malloc(measure.length + 1);
    if (!form)
        return false;
    struct text t = text_to(form, measure.length + 1);
    scenario_write(&scenario, &t);
    text_end(&t);
    for (const char *line = comment; line && *line; line += *line == '\n') {
        int size = (int)strcspn(line, "\n");
        fprintf(file, size ? "# %.*s\n" : "#%.*s\n", size, line);
        line += size;
    }
    if (comment)
        fputc('\n', file);
    fputs(form, file);
    free(form);
    return !ferror(file);
}
