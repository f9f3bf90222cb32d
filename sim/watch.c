/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/watch.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define LANES_OF_NODES 6u /* struck by one fault: more share a lane */

/* What several nodes do within a second is told in one line. */
enum bunch {
    BUNCH_STARTED,
    BUNCH_JOINED,
    BUNCH_OFFLINE,
    BUNCH_ONLINE,
    BUNCH_LEFT,
    BUNCH_REVOKED,
    BUNCH_CLONE,
    BUNCH_HOSTILE,
    BUNCH_TILT,
    BUNCH_WAITS, /* from here on: of a domain, with a cause */
    BUNCH_ASKS,
    BUNCH_GIVES_WAY,
    BUNCHES,
};

static const struct {
    const char *what, *one, *many;
} bunch_texts[BUNCHES] = {
    [BUNCH_STARTED] = {"start", "starts", "start"},
    [BUNCH_JOINED] = {"member", "is known to a first member", "are known to a first member"},
    [BUNCH_OFFLINE] = {"member", "is offline to a first member", "are offline to a first member"},
    [BUNCH_ONLINE] = {"member", "is heard again", "are heard again"},
    [BUNCH_LEFT] = {"member", "has left, a first member knows", "have left, a first member knows"},
    [BUNCH_REVOKED] = {"member", "is revoked, a first member knows", "are revoked, a first member knows"},
    [BUNCH_CLONE] = {"member", "is seen running twice", "are seen running twice"},
    [BUNCH_HOSTILE] = {"member", "is seen sending what no right node sends",
                       "are seen sending what no right node sends"},
    [BUNCH_TILT] = {"tilt", "notices a pause or a jump of its clock: collects, does not act",
                    "notice a pause or a jump of their clocks: collect, do not act"},
    [BUNCH_WAITS] = {"election", "waits its turn to claim", "wait their turn to claim"},
    [BUNCH_ASKS] = {"election", "asks who still hears the holder of", "ask who still hears the holder of"},
    [BUNCH_GIVES_WAY] = {"election", "gives way for", "give way for"},
};

/* Told already of a node, until the contrary is told. */
enum told { /* a bit each */
            TOLD_JOINED = 1,
            TOLD_OFFLINE = 2,
            TOLD_LEFT = 4,
            TOLD_REVOKED = 8,
            TOLD_CLONE = 16,
            TOLD_HOSTILE = 32,
            NODE_REVOKED = 64, /* by the scenario: what it believes is not told */
};

struct watch {
    const struct scenario *scenario;
    struct sim_world *world;
    struct expects *expects;
    struct picture *picture;
    struct watch_options options;
    uint8_t *told;    /* one a node */
    uint8_t *bunches; /* BUNCHES flags a node: what is pending of it */
    uint32_t *list;   /* scratch, one a node */
    struct {
        bool any;
        int64_t time; /* of the first */
        unsigned domain;
        enum cluster_cause cause;
    } pending[BUNCHES];
    uint8_t *causes;                   /* of a node's last step towards each domain */
    uint8_t *unassigned;               /* a bit per domain, one a node */
    unsigned missing[SIM_DOMAINS_MAX]; /* nodes that miss a synchronizer */
    unsigned told_missing[SIM_DOMAINS_MAX];
    int64_t missing_time[SIM_DOMAINS_MAX]; /* when that changed last */
};

static const char *name_of(const struct watch *w, unsigned node)
{
    return node < sim_world_options(w->world)->nodes ? sim_node_name(w->world, node) : "the authority";
}

struct watch *watch_new(const struct scenario *scenario, struct expects *expects, struct picture *picture,
                        const struct watch_options *options)
{
    struct watch *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    unsigned nodes = scenario->plan.options.nodes;
    self->scenario = scenario;
    self->expects = expects;
    self->picture = picture;
    self->options = *options;
    self->told = calloc(nodes, 1);
    self->bunches = calloc(nodes, BUNCHES);
    self->unassigned = calloc(nodes, 1);
    self->list = calloc(nodes, sizeof *self->list);
    self->causes = calloc(nodes, SIM_DOMAINS_MAX);
    if (!self->told || !self->bunches || !self->unassigned || !self->list || !self->causes)
        watch_destroy(&self);
    return self;
}

void watch_destroy(struct watch **watch)
{
    if (!*watch)
        return;
    free((*watch)->told);
    free((*watch)->bunches);
    free((*watch)->unassigned);
    free((*watch)->list);
    free((*watch)->causes);
    free(*watch);
    *watch = NULL;
}

void watch_world(struct watch *watch, struct sim_world *world)
{
    watch->world = world;
}

/* --- telling --- */

static void put_clock(struct text *t, int64_t ms)
{
    text_uint(t, (uint64_t)(ms / SIM_HOUR));
    text_char(t, ':');
    text_padded(t, (uint64_t)(ms / SIM_MINUTE % 60), 2);
    text_char(t, ':');
    text_padded(t, (uint64_t)(ms / 1000 % 60), 2);
    text_char(t, '.');
    text_padded(t, (uint64_t)(ms % 1000), 3);
}

void watch_say(struct watch *watch, int64_t time, const char *what, const char *text)
{
    char form[1024], clock[40];
    if (watch->options.silent)
        return;
    struct text t = text_to(clock, sizeof clock);
    put_clock(&t, time);
    text_end(&t);
    if (!watch->options.json) {
        fprintf(watch->options.out, "%12s  %-9s  %s\n", clock, what, text);
        return;
    }
    t = text_to(form, sizeof form);
    text_json_string(&t, (struct bytes){(const uint8_t *)text, strlen(text)});
    text_end(&t);
    fprintf(watch->options.out,
            "{\"type\":\"event\",\"ms\":%" PRId64 ",\"time\":\"%s\",\"what\":\"%s\",\"text\":%s}\n", time,
            clock, what, form);
}

/* n01, n03..n05; or how many when that would be long. */
static void put_nodes(struct text *t, const uint32_t *nodes, unsigned count)
{
    struct sim_set set = {.kind = SIM_SET_RANGE};
    bool all = true;
    for (unsigned i = 0; i < count && all; i++)
        all = sim_set_add(&set, nodes[i], nodes[i]);
    if (all && set.count <= 8) {
        scenario_write_set(&set, t);
        return;
    }
    text_uint(t, count);
    text_string(t, " nodes");
}

static void flush_bunch(struct watch *w, enum bunch bunch)
{
    unsigned nodes = sim_world_options(w->world)->nodes, count = 0;
    for (unsigned i = 0; i < nodes; i++) {
        if (w->bunches[i * BUNCHES + bunch])
            w->list[count++] = i;
        w->bunches[i * BUNCHES + bunch] = 0;
    }
    w->pending[bunch].any = false;
    char form[400];
    struct text t = text_to(form, sizeof form);
    put_nodes(&t, w->list, count);
    text_char(&t, ' ');
    text_string(&t, count == 1 ? bunch_texts[bunch].one : bunch_texts[bunch].many);
    if (bunch >= BUNCH_WAITS) {
        text_char(&t, ' ');
        text_string(&t, scenario_domain(w->pending[bunch].domain));
    }
    if (bunch >= BUNCH_WAITS && w->pending[bunch].cause != CAUSE_NONE) {
        text_string(&t, ": ");
        text_string(&t, cluster_cause_text(w->pending[bunch].cause));
    }
    text_end(&t);
    watch_say(w, w->pending[bunch].time, bunch_texts[bunch].what, form);
}

static void flush_missing(struct watch *w, unsigned domain)
{
    char form[160];
    unsigned now = w->missing[domain], before = w->told_missing[domain];
    w->told_missing[domain] = now;
    if ((now && before) || now == before)
        return;
    snprintf(form, sizeof form,
             now ? "%s: domain synchronizer not assigned, a first node raises it"
                 : "%s: assigned again, for all",
             scenario_domain(domain));
    watch_say(w, w->missing_time[domain], "health", form);
}

static void flush(struct watch *w)
{
    for (unsigned i = 0; i < BUNCHES; i++)
        if (w->pending[i].any)
            flush_bunch(w, (enum bunch)i);
    for (unsigned d = 0; d < sim_world_options(w->world)->domains; d++)
        flush_missing(w, d);
}

static void bunch_add(struct watch *w, enum bunch bunch, unsigned node, int64_t time)
{
    if (node >= sim_world_options(w->world)->nodes)
        return;
    if (!w->pending[bunch].any)
        w->pending[bunch].time = time;
    w->pending[bunch].any = true;
    w->bunches[node * BUNCHES + bunch] = 1;
}

/* A step of an election: only those of one domain with one cause share a line. */
static void bunch_step(struct watch *w, enum bunch bunch, unsigned node, int64_t time, unsigned domain)
{
    enum cluster_cause cause = (enum cluster_cause)w->causes[node * SIM_DOMAINS_MAX + domain];
    if (w->pending[bunch].any && (w->pending[bunch].domain != domain || w->pending[bunch].cause != cause))
        flush_bunch(w, bunch);
    w->pending[bunch].domain = domain;
    w->pending[bunch].cause = cause;
    bunch_add(w, bunch, node, time);
}

/* Tells it of a node for the first time. */
static void tell_once(struct watch *w, enum bunch bunch, enum told flag, unsigned node, int64_t time)
{
    if (node >= sim_world_options(w->world)->nodes || w->told[node] & flag)
        return;
    w->told[node] |= (uint8_t)flag;
    bunch_add(w, bunch, node, time);
}

/* --- notices --- */

static unsigned domain_of(const struct watch *w, const char *name)
{
    for (unsigned d = 0; d < sim_world_options(w->world)->domains; d++)
        if (name && strcmp(name, sim_domain_name(w->world, d)) == 0)
            return d;
    return SIM_DOMAINS_MAX;
}

static void on_synchronizer(struct watch *w, int64_t time, unsigned node, const struct cluster_notice *notice)
{
    unsigned domain = domain_of(w, notice->domain);
    bool start = notice->type == NOTICE_SYNCHRONIZER_START;
    char form[240], cause[120] = "";
    if (domain == SIM_DOMAINS_MAX)
        return;
    if (notice->cause != CAUSE_NONE)
        snprintf(cause, sizeof cause, ": %s", cluster_cause_text(notice->cause));
    if (start)
        snprintf(form, sizeof form, "%s is synchronizer of %s, term %" PRIu64 "%s", name_of(w, node),
                 scenario_domain(domain), notice->term, cause);
    else
        snprintf(form, sizeof form, "%s stops being synchronizer of %s%s", name_of(w, node),
                 scenario_domain(domain), cause);
    watch_say(w, time, start ? "takes" : "stops", form);
}

/* Kept for the change of state that goes with it. */
static void on_election(struct watch *w, int64_t time, unsigned node, const struct cluster_notice *notice)
{
    unsigned domain = domain_of(w, notice->domain);
    if (domain == SIM_DOMAINS_MAX)
        return;
    w->causes[node * SIM_DOMAINS_MAX + domain] = (uint8_t)notice->cause;
    char form[160];
    if (notice->cause != CAUSE_YIELDED)
        return;
    snprintf(form, sizeof form, "%s is asked to give up %s", name_of(w, node), scenario_domain(domain));
    watch_say(w, time, "election", form);
}

static void on_missing(struct watch *w, int64_t time, unsigned node, const char *name, bool missing)
{
    unsigned domain = domain_of(w, name);
    if (domain == SIM_DOMAINS_MAX || ((w->unassigned[node] >> domain) & 1) == missing)
        return;
    w->missing_time[domain] = time;
    w->unassigned[node] = (uint8_t)(w->unassigned[node] ^ (1u << domain));
    w->missing[domain] = missing ? w->missing[domain] + 1 : w->missing[domain] - 1;
}

static void on_member(struct watch *w, int64_t time, const struct cluster_notice *notice)
{
    unsigned about = sim_node_by_id(w->world, &notice->node);
    if (about >= sim_world_options(w->world)->nodes)
        return;
    switch (notice->type) {
    case NOTICE_MEMBER_JOINED:
        tell_once(w, BUNCH_JOINED, TOLD_JOINED, about, time);
        return;
    case NOTICE_MEMBER_OFFLINE:
        tell_once(w, BUNCH_OFFLINE, TOLD_OFFLINE, about, time);
        return;
    case NOTICE_MEMBER_ONLINE:
        if (w->told[about] & (TOLD_OFFLINE | TOLD_LEFT))
            bunch_add(w, BUNCH_ONLINE, about, time);
        w->told[about] &= (uint8_t) ~(TOLD_OFFLINE | TOLD_LEFT);
        return;
    case NOTICE_MEMBER_LEFT:
        tell_once(w, BUNCH_LEFT, TOLD_LEFT, about, time);
        return;
    case NOTICE_MEMBER_REVOKED:
        tell_once(w, BUNCH_REVOKED, TOLD_REVOKED, about, time);
        return;
    case NOTICE_CLONE:
        tell_once(w, BUNCH_CLONE, TOLD_CLONE, about, time);
        return;
    case NOTICE_HOSTILE:
        tell_once(w, BUNCH_HOSTILE, TOLD_HOSTILE, about, time);
        return;
    default:
        return;
    }
}

static void on_notice(void *context, int64_t time, unsigned node, const struct cluster_notice *notice)
{
    struct watch *w = context;
    expects_notice(w->expects, w->world, time, node, notice);
    if (w->told[node] & NODE_REVOKED && notice->type != NOTICE_SYNCHRONIZER_START &&
        notice->type != NOTICE_SYNCHRONIZER_STOP)
        return;
    switch (notice->type) {
    case NOTICE_SYNCHRONIZER_START:
    case NOTICE_SYNCHRONIZER_STOP:
        on_synchronizer(w, time, node, notice);
        return;
    case NOTICE_ELECTION:
        on_election(w, time, node, notice);
        return;
    case NOTICE_UNASSIGNED:
    case NOTICE_ASSIGNED:
        on_missing(w, time, node, notice->domain, notice->type == NOTICE_UNASSIGNED);
        return;
    case NOTICE_TILT:
        bunch_add(w, BUNCH_TILT, node, time);
        return;
    default:
        on_member(w, time, notice);
        return;
    }
}

/* --- states and processes --- */

static bool is_bidding(enum election_state state)
{
    return state == ELECTION_WAIT || state == ELECTION_PRECHECK || state == ELECTION_SETTLING;
}

static void tell_step(struct watch *w, int64_t time, unsigned node, unsigned domain, enum election_state from,
                      enum election_state to, uint64_t term)
{
    char form[240];
    enum cluster_cause cause = (enum cluster_cause)w->causes[node * SIM_DOMAINS_MAX + domain];
    if (to == ELECTION_WAIT)
        bunch_step(w, BUNCH_WAITS, node, time, domain);
    else if (to == ELECTION_PRECHECK)
        bunch_step(w, BUNCH_ASKS, node, time, domain);
    else if (is_bidding(from) && (to == ELECTION_FOLLOWER || to == ELECTION_OBSERVER))
        bunch_step(w, BUNCH_GIVES_WAY, node, time, domain);
    if (to != ELECTION_SETTLING)
        return;
    flush(w);
    snprintf(form, sizeof form, "%s claims %s, term %" PRIu64 ": %s", name_of(w, node),
             scenario_domain(domain), term, cluster_cause_text(cause));
    watch_say(w, time, "claim", form);
}

static void on_state(void *context, int64_t time, unsigned node, unsigned domain, enum election_state from,
                     enum election_state to, uint64_t term)
{
    struct watch *w = context;
    char form[200];
    expects_state(w->expects, time, node, domain, to, term);
    if (w->picture)
        picture_hold(w->picture, domain, time, node, to == ELECTION_SETTLING || to == ELECTION_ACTIVE,
                     to == ELECTION_ACTIVE, term);
    if (w->options.trace) {
        snprintf(form, sizeof form, "%s %s: %s -> %s, term %" PRIu64, name_of(w, node),
                 scenario_domain(domain), election_state_text(from), election_state_text(to), term);
        watch_say(w, time, "state", form);
    }
    tell_step(w, time, node, domain, from, to, term);
}

static void on_process(void *context, int64_t time, unsigned node, bool up)
{
    struct watch *w = context;
    if (up) {
        bunch_add(w, BUNCH_STARTED, node, time);
        return;
    }
    for (unsigned d = 0; d < sim_world_options(w->world)->domains; d++)
        on_missing(w, time, node, sim_domain_name(w->world, d), false);
}

/* Its first bytes tell what it is (docs/cluster.md). */
static void on_message(void *context, int64_t time, unsigned from, unsigned to, bool delivered,
                       struct bytes message)
{
    struct watch *w = context;
    char form[160];
    snprintf(form, sizeof form, "%s %s %s, %zu bytes", name_of(w, from), delivered ? "=>" : "->",
             name_of(w, to), message.size);
    watch_say(w, time, delivered ? "delivers" : "sends", form);
}

static void on_violation(void *context, int64_t time, unsigned invariant, const char *text)
{
    struct watch *w = context;
    char form[400];
    snprintf(form, sizeof form, "%s: %s", sim_invariant_label(invariant), text);
    watch_say(w, time, "VIOLATED", form);
}

/* --- faults --- */

static enum picture_kind kind_of(enum sim_fault_kind kind)
{
    switch (kind) {
    case SIM_FAULT_CRASH:
    case SIM_FAULT_RESTART:
    case SIM_FAULT_LEAVE:
        return PICTURE_DOWN;
    case SIM_FAULT_PAUSE:
    case SIM_FAULT_SUSPEND:
    case SIM_FAULT_FREEZE:
        return PICTURE_PAUSED;
    case SIM_FAULT_CUT:
        return PICTURE_CUT;
    case SIM_FAULT_DEGRADE:
    case SIM_FAULT_CLOG:
        return PICTURE_BAD;
    case SIM_FAULT_REVOKE:
    case SIM_FAULT_HOSTILE:
        return PICTURE_HOSTILE;
    case SIM_FAULT_JUMP:
    case SIM_FAULT_DRIFT:
    case SIM_FAULT_LDAP:
    case SIM_FAULT_CANDIDACY:
    case SIM_FAULT_DISK_FULL:
        return PICTURE_LOCAL;
    case SIM_FAULT_HEAL:
    case SIM_FAULT_YIELD:
    case SIM_FAULT_PIN:
    case SIM_FAULT_JOIN:
    case SIM_FAULT_UPGRADE:
    case SIM_FAULT_KINDS:
        break;
    }
    return PICTURE_EVENT;
}

/* What is over in an instant, and what goes on until something ends it. */
static bool goes_on(const struct sim_fault *fault)
{
    switch (fault->kind) {
    case SIM_FAULT_CRASH:
    case SIM_FAULT_PAUSE:
    case SIM_FAULT_SUSPEND:
    case SIM_FAULT_FREEZE:
    case SIM_FAULT_CUT:
    case SIM_FAULT_DEGRADE:
    case SIM_FAULT_CLOG:
    case SIM_FAULT_LEAVE:
    case SIM_FAULT_REVOKE:
        return true;
    case SIM_FAULT_LDAP:
    case SIM_FAULT_CANDIDACY:
    case SIM_FAULT_HOSTILE:
    case SIM_FAULT_DISK_FULL:
        return !fault->off;
    default:
        return false;
    }
}

static bool of_links(enum sim_fault_kind kind)
{
    return kind == SIM_FAULT_CUT || kind == SIM_FAULT_DEGRADE || kind == SIM_FAULT_CLOG;
}

static void draw_on(struct watch *w, const char *label, const struct sim_fault *fault, int64_t time,
                    bool over)
{
    enum picture_kind kind = kind_of(fault->kind);
    if (over || fault->off || fault->kind == SIM_FAULT_RESTART)
        picture_end_span(w->picture, label, kind, time);
    if (over)
        return;
    picture_add_span(w->picture, label, kind, time, goes_on(fault) ? -1 : time);
}

/* On the lanes of the nodes that it strikes; links, and many nodes, have a lane of their own. */
static void draw_fault(struct watch *w, const struct sim_fault *fault, int64_t time, bool over,
                       const uint32_t *nodes, unsigned count)
{
    char label[PICTURE_LABEL];
    if (!of_links(fault->kind) && count && count <= LANES_OF_NODES) {
        for (unsigned i = 0; i < count; i++)
            draw_on(w, name_of(w, nodes[i]), fault, time, over);
        return;
    }
    struct text t = text_to(label, sizeof label);
    scenario_write_set(&fault->nodes, &t);
    if ((fault->kind == SIM_FAULT_CUT || fault->kind == SIM_FAULT_DEGRADE) &&
        fault->others.kind != SIM_SET_ALL) {
        text_string(&t, fault->oneway ? " \xe2\x86\x92 " : " | ");
        scenario_write_set(&fault->others, &t);
    }
    text_end(&t);
    draw_on(w, label, fault, time, over);
}

static void on_fault(void *context, int64_t time, const struct sim_fault *fault, bool over,
                     const uint32_t *nodes, unsigned count)
{
    struct watch *w = context;
    char form[400], whole[300];
    struct text t = text_to(whole, sizeof whole);
    scenario_write_fault(fault, &t);
    text_end(&t);
    const char *verb = strchr(whole + 3, ' ') + 1; /* behind "at TIME" */
    t = text_to(form, sizeof form);
    text_string(&t, over ? "is over: " : "");
    text_string(&t, verb);
    if (fault->nodes.kind != SIM_SET_RANGE && fault->nodes.kind != SIM_SET_ALL && !over) {
        text_string(&t, " (");
        put_nodes(&t, nodes, count);
        text_char(&t, ')');
    }
    text_end(&t);
    watch_say(w, time, "FAULT", form);
    for (unsigned i = 0; i < count && fault->kind == SIM_FAULT_REVOKE; i++)
        w->told[nodes[i]] |= NODE_REVOKED;
    bool stands = kind_of(fault->kind) == PICTURE_PAUSED;
    for (unsigned i = 0; i < count && w->picture && stands; i++)
        picture_sleep(w->picture, time, nodes[i], !over);
    if (w->picture && fault->kind != SIM_FAULT_HEAL)
        draw_fault(w, fault, time, over, nodes, count);
}

struct sim_observer watch_observer(struct watch *watch)
{
    return (struct sim_observer){
        .context = watch,
        .notice = on_notice,
        .fault = on_fault,
        .state = on_state,
        .process = on_process,
        .message = watch->options.trace ? on_message : NULL,
        .violation = on_violation,
    };
}

/* --- samples --- */

static void sample(struct watch *w, unsigned at)
{
    const struct sim_options *options = sim_world_options(w->world);
    unsigned running = 0, fresh[SIM_DOMAINS_MAX] = {0};
    for (unsigned i = 0; i < options->nodes; i++) {
        if (!sim_node_running(w->world, i))
            continue;
        running++;
        for (unsigned d = 0; d < options->domains; d++) {
            struct cluster_domain_view view;
            fresh[d] +=
                cluster_domain_find(sim_node_core(w->world, i), sim_domain_name(w->world, d), &view) &&
                view.fresh;
        }
    }
    w->picture->sample_count = at + 1;
    w->picture->running[at] = (uint32_t)((uint64_t)running * PICTURE_ALL / options->nodes);
    if (!running)
        return;
    w->picture->converged[at] = sim_world_agreement(w->world);
    for (unsigned d = 0; d < options->domains; d++)
        w->picture->domains[d].fresh[at] = (uint32_t)((uint64_t)fresh[d] * PICTURE_ALL / running);
}

void watch_second(struct watch *watch)
{
    flush(watch);
    if (!watch->picture)
        return;
    int64_t time = sim_world_time(watch->world), period = watch->picture->sample_period;
    unsigned at = (unsigned)(time / period);
    if (at < PICTURE_SAMPLES && watch->picture->sample_count <= at)
        sample(watch, at);
}
