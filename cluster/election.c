/* SPDX-License-Identifier: Apache-2.0
 *
 * The states of an election, for each domain: docs/cluster.md has the table, and the test of each row.
 *
 * Everything happens on the observation clock. A domain is looked at when its `due` has come; events set it
 * to now. What must not wait (a holder that meets a greater claim, a bidder that is outbid) happens at once.
 */
#include <stdlib.h>

#include "base/msgpack.h"
#include "cluster/inquiry.h"
#include "cluster/mutant.h"
#include "cluster/register.h"

#define NEVER         INT64_MAX
#define WAIT_SLOTS    6u /* the longest wait, in draw slots */
#define QUERIES       3u
#define SAMPLES       30u /* of this node's support, within refute_min */
#define SAVED_NUMBERS 4u  /* of a domain in the state on disk */
#define SAVED_PINNED  1u
#define SAVED_OFF     2u

struct contest {
    struct claim_register reg;
    const char *name;
    uint32_t domain;
    enum election_state state;
    enum cluster_cause reason;     /* why a term is opened */
    enum cluster_cause last_abort; /* why the last attempt ended */
    int64_t due;                   /* observed: not to be looked at before */
    int64_t until;                 /* observed: of WAIT, PRECHECK, SETTLING */
    uint64_t bid_term;
    struct node_id silent; /* whom this node is about to replace for its silence */
    uint32_t silent_member;
    unsigned queries; /* of this PRECHECK */
    unsigned vetoes;

    bool outdated; /* this node's claim is signed with a key that it has no longer */
    bool off;      /* candidacy switched off */
    bool pinned;
    bool reachable; /* the directory, as told last */
    bool alarm;
    bool served; /* somebody held it since this node started */
    int64_t reach_changed;
    int64_t barred_until; /* no bids: after a yield */
    int64_t idle_since;   /* nobody holds the domain; -1: somebody does */
    int64_t alone_since;  /* ACTIVE without enough observers; -1: with */
    int64_t asked;        /* when another node's wish was granted last; NEVER: not yet */
    uint64_t pin_term;    /* the greatest term known when it was pinned, or before it last took the domain */
    int64_t pin_next;     /* not taken again before */
    int64_t reflood_next, reflood_until;
};

struct election {
    /* what every tick looks at */
    uint32_t count;
    uint32_t adopted;   /* of the domains that the table of members knows */
    unsigned attentive; /* contests in WAIT or PRECHECK: heartbeats matter */
    bool started;
    bool boot;
    bool tilted;
    bool leaving;
    bool questioned; /* a HAVE is being taken: who was heard is looked at afterwards */
    uint32_t self;
    int64_t due; /* the least of the contests' */
    int64_t start;
    int64_t exchanged_at; /* NEVER: nothing yet */
    int64_t barred_until; /* no bids: the disk failed */
    uint16_t samples[SAMPLES];
    unsigned sampled; /* so far, since this node is ACTIVE for anything */
    int64_t sample_next;
    struct contest *contests[CLUSTER_DOMAINS];
};

static void wake(struct election *e, struct contest *c)
{
    c->due = INT64_MIN;
    e->due = INT64_MIN;
}

static const struct cluster_timers *timers_of(const struct cluster *self)
{
    return &core_config(self)->timers;
}

const char *election_state_text(enum election_state state)
{
    static const char *const texts[] = {
        [ELECTION_BOOT] = "BOOT",     [ELECTION_OBSERVER] = "OBSERVER", [ELECTION_FOLLOWER] = "FOLLOWER",
        [ELECTION_WAIT] = "WAIT",     [ELECTION_PRECHECK] = "PRECHECK", [ELECTION_SETTLING] = "SETTLING",
        [ELECTION_ACTIVE] = "ACTIVE",
    };
    return (unsigned)state < sizeof texts / sizeof texts[0] ? texts[state] : "?";
}

/* -- what this node may --------------------------------------------------------------------------- */

static bool granted(const struct cluster *self, const struct contest *c)
{
    const struct certificate *certificate = core_certificate(self);
    for (unsigned i = 0; i < certificate->grant.domain_count; i++)
        if (strcmp(certificate->grant.domains[i], c->name) == 0)
            return true;
    return false;
}

static bool revoked(const struct cluster *self, const struct election *e)
{
    return e->self != NO_MEMBER && members_flags(self, e->self) & MEMBER_FLAG_REVOKED;
}

/* A directory that was lost for a moment is not lost, one that is back for a moment is not back: or each
 * flap would cost the fleet a term. */
static bool directory_lost(const struct cluster *self, const struct contest *c)
{
    return !c->reachable && core_observed(self) - c->reach_changed >= timers_of(self)->directory_grace;
}

static bool directory_ready(const struct cluster *self, const struct contest *c)
{
    return c->reachable && core_observed(self) - c->reach_changed >= timers_of(self)->directory_grace;
}

static bool candidate(const struct cluster *self, const struct election *e, const struct contest *c)
{
    return !c->off && !e->leaving && !revoked(self, e) && granted(self, c);
}

static bool may_bid(const struct cluster *self, const struct election *e, const struct contest *c)
{
    return candidate(self, e, c) && directory_ready(self, c);
}

/* Why this node may not hold the domain any longer; CAUSE_NONE: it may. */
static enum cluster_cause unfit(const struct cluster *self, const struct election *e, const struct contest *c)
{
    if (revoked(self, e))
        return CAUSE_REVOKED;
    if (!candidate(self, e, c))
        return CAUSE_CANDIDACY_OFF;
    if (directory_lost(self, c) && !MUTANT(RELEASE_NOT_SENT))
        return CAUSE_DIRECTORY_LOST;
    return CAUSE_NONE;
}

/* The support of a holder is the least it had within refute_min. When a cut heals, heartbeats of the other
 * side come before its claim does: who is heard since a moment ago does not make the smaller side the larger
 * one. */
static void sample_support(struct cluster *self, struct election *e)
{
    int64_t now = core_observed(self), interval = timers_of(self)->refute_min / SAMPLES;
    if (now < e->sample_next)
        return;
    if (now - e->sample_next > 2 * interval)
        e->sampled = 0;
    e->samples[e->sampled++ % SAMPLES] = members_support(self);
    e->sample_next = now + interval;
}

/* A new holder has no past as one: what it claimed with stands for it. */
static void begin_samples(struct cluster *self, struct election *e, uint16_t support)
{
    sample_support(self, e);
    e->samples[e->sampled++ % SAMPLES] = support;
}

static uint16_t steady_support(const struct cluster *self, const struct election *e)
{
    uint16_t least = members_support(self);
    for (unsigned i = 0; i < e->sampled && i < SAMPLES; i++)
        if (e->samples[i] < least)
            least = e->samples[i];
    return least;
}

static bool observers_enough(struct cluster *self)
{
    return 1u + members_support(self) >= core_config(self)->min_observers;
}

/* -- what this node knows ------------------------------------------------------------------------- */

static bool mine(const struct cluster *self, const struct contest *c)
{
    return c->reg.size && node_id_equal(&c->reg.claim.id, core_self(self));
}

/* How long this node, awake, heard nothing of the holder. A claim is a sign of life as well: who never was
 * heard counts from it, or from this node's start. */
static int64_t silence_since(const struct cluster *self, uint32_t member, int64_t since)
{
    int64_t silence = core_observed(self) - since;
    if (member == NO_MEMBER)
        return silence;
    int64_t heard = members_silence(self, member);
    return heard < silence ? heard : silence;
}

static int64_t holder_silence(const struct cluster *self, const struct election *e, const struct contest *c)
{
    return silence_since(self, c->reg.holder, c->reg.arrived > e->start ? c->reg.arrived : e->start);
}

static int64_t replace_after(const struct cluster *self)
{
    int64_t after = timers_of(self)->replace_after;
    return MUTANT(REPLACE_EARLY) ? after - after / 30 : after;
}

static bool fresh(const struct cluster *self, const struct contest *c)
{
    if (!register_held(self, &c->reg))
        return false;
    if (mine(self, c))
        return c->state == ELECTION_ACTIVE;
    if (MUTANT(STALE_FRESH))
        return true;
    return c->reg.holder != NO_MEMBER && members_silence(self, c->reg.holder) < timers_of(self)->fresh;
}

static void sooner(int64_t *next, int64_t at)
{
    if (at < *next)
        *next = at;
}

/* Why a term is to be opened now; CAUSE_NONE: it is not, and `next` is not later than when it may be. */
static enum cluster_cause reason_to_bid(const struct cluster *self, const struct election *e,
                                        const struct contest *c, int64_t *next)
{
    const struct cluster_timers *t = timers_of(self);
    int64_t now = core_observed(self);
    if (!c->reg.size) {
        if (c->reg.cause == CAUSE_REVOKED)
            return CAUSE_REVOKED;
        sooner(next, e->start + t->boot_alone + 1);
        return now - e->start > t->boot_alone ? CAUSE_NO_HOLDER : CAUSE_NONE;
    }
    if (!c->reg.claim.settled && !c->reg.claim.released) {
        sooner(next, c->reg.arrived + t->claim_timeout + 1);
        return now - c->reg.arrived > t->claim_timeout ? CAUSE_UNSETTLED : CAUSE_NONE;
    }
    if (!register_held(self, &c->reg))
        return CAUSE_RELEASED;
    int64_t silence = mine(self, c) ? 0 : holder_silence(self, e, c);
    sooner(next, now + replace_after(self) - silence + 1);
    return silence > replace_after(self) ? CAUSE_SILENT : CAUSE_NONE;
}

/* -- changing state ------------------------------------------------------------------------------- */

static bool attends(enum election_state state)
{
    return state == ELECTION_WAIT || state == ELECTION_PRECHECK;
}

static void set_state(struct election *e, struct contest *c, enum election_state state)
{
    e->attentive += (unsigned)attends(state) - (unsigned)attends(c->state);
    c->state = state;
    wake(e, c);
}

static void rest(struct cluster *self, struct election *e, struct contest *c)
{
    set_state(e, c, may_bid(self, e, c) ? ELECTION_FOLLOWER : ELECTION_OBSERVER);
}

static void tell_step(struct cluster *self, struct contest *c, enum cluster_cause cause)
{
    core_notice(self, NOTICE_ELECTION, cause, core_self(self), c->name, c->bid_term);
}

static void tell_holder(struct cluster *self, struct contest *c)
{
    core_notice(self, NOTICE_HOLDER, c->reg.cause, &c->reg.claim.id, c->name, c->reg.claim.term);
}

/* An attempt of this node ends without it. */
static void give_up(struct cluster *self, struct election *e, struct contest *c, enum cluster_cause cause)
{
    c->last_abort = cause;
    rest(self, e, c);
    tell_step(self, c, cause);
}

static void become_active(struct cluster *self, struct election *e, struct contest *c,
                          enum cluster_cause cause)
{
    c->alone_since = -1;
    begin_samples(self, e, c->reg.claim.support);
    c->pin_term = c->reg.claim.term - 1;
    set_state(e, c, ELECTION_ACTIVE);
    core_notice(self, NOTICE_SYNCHRONIZER_START, cause, core_self(self), c->name, c->reg.claim.term);
}

static void step_down(struct cluster *self, struct election *e, struct contest *c, enum cluster_cause cause)
{
    rest(self, e, c);
    core_notice(self, NOTICE_SYNCHRONIZER_STOP, cause, core_self(self), c->name, c->reg.claim.term);
}

/* -- claims of this node -------------------------------------------------------------------------- */

struct statement {
    uint64_t term;
    bool settled, released;
    enum cluster_cause cause;
};

static uint64_t draw_of(struct cluster *self, struct contest *c, uint64_t term)
{
    if (MUTANT(RANDOM_DRAW))
        return core_random(self);
    return claim_draw(core_crypto(self), c->name, term, core_self(self));
}

/* A claim that is said again, after a restart say, keeps the support it had: what a node hears at first is
 * partly old, passed on by neighbours. So does a bid that settles: who is heard since a cut healed meanwhile
 * did not support it. */
static uint16_t support_to_claim(const struct cluster *self, const struct election *e,
                                 const struct contest *c, const struct statement *statement)
{
    uint16_t support = c->state == ELECTION_ACTIVE ? steady_support(self, e) : members_support(self);
    bool again = mine(self, c) && statement->term == c->reg.claim.term;
    return again && c->reg.claim.support < support ? c->reg.claim.support : support;
}

static bool publish(struct cluster *self, struct election *e, struct contest *c,
                    const struct statement *statement)
{
    if (!statement->released && !candidate(self, e, c))
        return false;
    struct claim claim = {
        .term = statement->term,
        .settled = statement->settled,
        .draw = draw_of(self, c, statement->term),
        .id = *core_self(self),
        .incarnation = core_incarnation(self),
        .released = statement->released,
        .support = support_to_claim(self, e, c, statement),
        .cause = (uint8_t)statement->cause,
    };
    memcpy(claim.domain, c->name, strlen(c->name) + 1);
    if (MUTANT(RANDOM_DRAW) && mine(self, c) && claim.term == c->reg.claim.term)
        claim.draw = c->reg.claim.draw; /* the faulty node remembers it as long as it runs */
    if (!register_write(self, &c->reg, &claim))
        return false;
    c->outdated = false;
    core_persist(self);
    gossip_claim(self, c->domain, NULL);
    c->reflood_next = core_observed(self) + timers_of(self)->claim_reflood;
    c->reflood_until = core_observed(self) + timers_of(self)->claim_reflood_for;
    tell_holder(self, c);
    wake(e, c);
    return true;
}

/* Lets go of what this node's claim holds, settled or not. */
static void publish_release(struct cluster *self, struct election *e, struct contest *c,
                            enum cluster_cause cause)
{
    if (!mine(self, c) || c->reg.claim.released)
        return;
    struct statement statement = {
        .term = c->reg.claim.term, .settled = c->reg.claim.settled, .released = true, .cause = cause};
    publish(self, e, c, &statement);
}

static void release(struct cluster *self, struct election *e, struct contest *c, enum cluster_cause cause)
{
    publish_release(self, e, c, cause);
    if (c->state == ELECTION_ACTIVE)
        step_down(self, e, c, cause);
    else if (c->state == ELECTION_SETTLING)
        give_up(self, e, c, cause);
}

/* The same claim once more under this node's present incarnation: greater, and signed with its present key.
 */
static bool publish_again(struct cluster *self, struct election *e, struct contest *c, bool released,
                          enum cluster_cause cause)
{
    if (c->reg.claim.incarnation >= core_incarnation(self))
        core_raise_incarnation(self, c->reg.claim.incarnation);
    struct statement statement = {
        .term = c->reg.claim.term, .settled = c->reg.claim.settled, .released = released, .cause = cause};
    return publish(self, e, c, &statement);
}

/* -- opening a term ------------------------------------------------------------------------------- */

/* The greatest draw, which would win in the end, asks first, and nobody else bids. With x = (1 - draw) x
 * candidates, about one of them is in each unit of x, and the first is beyond 6 once in 400 elections. So the
 * first units get nearly a slot each, those behind them less and less: everybody has asked after six slots,
 * and no two at the same time whatever the draws and however many they are: 1 - (1 + x / 24)^-4 of six slots.
 */
static int64_t wait_for(struct cluster *self, const struct contest *c, uint64_t draw)
{
    unsigned online = 1;
    members_candidates(self, c->domain, &online);
    uint64_t slot = (uint64_t)timers_of(self)->draw_slot;
    if (MUTANT(ALL_WAIT_ALIKE))
        return (int64_t)slot;
    const uint64_t one = UINT64_C(1) << 24, whole = 4 * WAIT_SLOTS * one;
    uint64_t x = (~draw >> 40) * (online ? online : 1);
    uint64_t rest = whole * one / (whole + x);
    rest = rest * rest / one;
    rest = rest * rest / one;
    return (int64_t)(WAIT_SLOTS * slot * (one - rest) / one);
}

static void open_term(struct cluster *self, struct election *e, struct contest *c, enum cluster_cause reason)
{
    c->reason = reason;
    c->bid_term = register_term(&c->reg) + 1;
    c->silent = c->reg.claim.id;
    c->silent_member = c->reg.holder;
    c->until = core_observed(self) + wait_for(self, c, draw_of(self, c, c->bid_term));
    set_state(e, c, ELECTION_WAIT);
    tell_step(self, c, reason);
}

static void ask_others(struct cluster *self, const struct election *e, struct contest *c)
{
    static const unsigned tenths[QUERIES] = {1, 4, 7};
    int64_t length = timers_of(self)->precheck;
    int64_t begun = c->until - length;
    if (c->queries == QUERIES || core_observed(self) < begun + length * tenths[c->queries] / 10)
        return;
    c->queries++;
    inquiry_send(self, c->domain, &c->silent, silence_since(self, c->silent_member, e->start));
}

static void bid(struct cluster *self, struct election *e, struct contest *c)
{
    bool settled = MUTANT(NO_SETTLING);
    struct statement statement = {.term = c->bid_term, .settled = settled, .cause = c->reason};
    if (!observers_enough(self)) {
        give_up(self, e, c, CAUSE_ALONE);
        return;
    }
    if (!publish(self, e, c, &statement)) {
        give_up(self, e, c, CAUSE_GREATER_TOKEN);
        return;
    }
    core_counters(self)->bids++;
    if (settled) {
        become_active(self, e, c, c->reason);
        return;
    }
    c->until = core_observed(self) + timers_of(self)->settle;
    set_state(e, c, ELECTION_SETTLING);
    tell_step(self, c, c->reason);
}

static void in_wait(struct cluster *self, struct election *e, struct contest *c)
{
    if (core_observed(self) < c->until)
        return;
    if (c->reason != CAUSE_SILENT || MUTANT(NO_PRECHECK)) {
        bid(self, e, c);
        return;
    }
    core_counters(self)->prechecks++;
    c->queries = 0;
    c->until = core_observed(self) + timers_of(self)->precheck;
    set_state(e, c, ELECTION_PRECHECK);
    tell_step(self, c, c->reason);
}

static void in_precheck(struct cluster *self, struct election *e, struct contest *c)
{
    ask_others(self, e, c);
    if (core_observed(self) >= c->until)
        bid(self, e, c);
}

static void in_settling(struct cluster *self, struct election *e, struct contest *c)
{
    if (core_observed(self) < c->until)
        return;
    struct statement statement = {.term = c->bid_term, .settled = true, .cause = c->reason};
    if (publish(self, e, c, &statement))
        become_active(self, e, c, c->reason);
    else
        give_up(self, e, c, CAUSE_GREATER_TOKEN);
}

/* -- pins ----------------------------------------------------------------------------------------- */

static bool pin_due(struct cluster *self, const struct election *e, const struct contest *c)
{
    int64_t now = core_observed(self);
    return c->pinned && now >= c->pin_next && now >= e->barred_until && !mine(self, c) &&
           now - core_quiet_since(self) >= timers_of(self)->pin_healthy && observers_enough(self);
}

static void take_pinned(struct cluster *self, struct election *e, struct contest *c)
{
    struct statement statement = {.term = register_term(&c->reg) + 1, .settled = true, .cause = CAUSE_PINNED};
    c->pin_next = core_observed(self) + timers_of(self)->pin_every;
    if (publish(self, e, c, &statement))
        become_active(self, e, c, CAUSE_PINNED);
}

static void unpin(struct cluster *self, struct contest *c)
{
    c->pinned = false;
    core_persist(self);
}

/* The last pin wins: a pinned claim with a term that was not known when this node was pinned, or that came
 * after it took the domain, is of a node that was pinned later. */
static void heed_pin(struct cluster *self, struct contest *c)
{
    if (!c->pinned || c->reg.claim.cause != CAUSE_PINNED || mine(self, c) || c->reg.claim.term <= c->pin_term)
        return;
    unpin(self, c);
    core_notice(self, NOTICE_ELECTION, CAUSE_PINNED, &c->reg.claim.id, c->name, c->reg.claim.term);
}

/* -- a claim that stands in the register now ------------------------------------------------------ */

/* Whether a holder defends itself. A member that hears fewer than the holder does, because it is on the
 * smaller side of a cut or deaf, cannot depose it; who let go again, even less. */
static bool refutes(struct cluster *self, const struct election *e, const struct contest *c)
{
    const struct claim *claim = &c->reg.claim;
    if (MUTANT(NO_REFUTATION) || (claim->settled && claim->cause == CAUSE_PINNED))
        return false;
    if (MUTANT(REFUTE_ALWAYS))
        return true;
    if (core_tilt(self) || unfit(self, e, c) != CAUSE_NONE ||
        core_observed(self) - core_quiet_since(self) < timers_of(self)->refute_min)
        return false;
    return claim->released || steady_support(self, e) > claim->support;
}

static void challenged(struct cluster *self, struct election *e, struct contest *c)
{
    struct statement statement = {
        .term = register_term(&c->reg) + 1, .settled = true, .cause = CAUSE_REFUTED};
    if (refutes(self, e, c) && publish(self, e, c, &statement)) {
        core_counters(self)->refutations++;
        return;
    }
    step_down(self, e, c, CAUSE_GREATER_TOKEN);
}

/* A bid that would still win goes on: the greatest draw wins whoever was first. */
static bool outbid(struct cluster *self, const struct contest *c)
{
    struct claim bid = {.term = c->bid_term, .id = *core_self(self), .incarnation = core_incarnation(self)};
    bid.draw = claim_draw(core_crypto(self), c->name, c->bid_term, &bid.id);
    return c->reg.claim.term != c->bid_term || claim_compare(&bid, &c->reg.claim) <= 0;
}

/* A claim in this node's name that it does not know comes from an earlier life, before a disk was lost or
 * rolled back. */
static void former_life(struct cluster *self, struct election *e, struct contest *c)
{
    if (c->reg.claim.incarnation > core_incarnation(self) && !MUTANT(NO_INCARNATION_LEARNING))
        core_raise_incarnation(self, c->reg.claim.incarnation);
    if (c->state == ELECTION_SETTLING || attends(c->state))
        give_up(self, e, c, CAUSE_GREATER_TOKEN);
}

static void react(struct cluster *self, struct election *e, struct contest *c)
{
    wake(e, c);
    heed_pin(self, c);
    if (mine(self, c)) {
        former_life(self, e, c);
        return;
    }
    switch (c->state) {
    case ELECTION_WAIT:
    case ELECTION_PRECHECK:
        if (outbid(self, c))
            give_up(self, e, c, CAUSE_GREATER_TOKEN);
        break;
    case ELECTION_SETTLING:
        if (!MUTANT(BIDS_NOT_WITHDRAWN))
            give_up(self, e, c, CAUSE_GREATER_TOKEN);
        break;
    case ELECTION_ACTIVE:
        challenged(self, e, c);
        break;
    default:
        break;
    }
}

/* -- a claim of this node that stands in the register though it does not act on it ---------------- */

static void resume(struct cluster *self, struct election *e, struct contest *c)
{
    if (MUTANT(RESUME_WITHOUT_CLAIM) || publish_again(self, e, c, false, CAUSE_RESUMED))
        become_active(self, e, c, CAUSE_RESUMED);
}

/* The fleet believes that this node holds the domain, and hears it: nobody else will ever take it. So it does
 * hold it, or says that it does not. */
static void mind_own_claim(struct cluster *self, struct election *e, struct contest *c)
{
    const struct claim *claim = &c->reg.claim;
    bool outdated = c->outdated || claim->incarnation < core_incarnation(self);
    if (!mine(self, c) || e->leaving || core_observed(self) < e->barred_until)
        return;
    if (c->state == ELECTION_ACTIVE) {
        if ((outdated && !MUTANT(RESUME_WITHOUT_CLAIM)) || claim->released)
            publish_again(self, e, c, false, CAUSE_RESUMED);
        return;
    }
    if (c->state == ELECTION_SETTLING || !claim->settled)
        return;
    if (claim->released) {
        if (outdated) /* under the present key, or newcomers could not verify it */
            publish_again(self, e, c, true, (enum cluster_cause)claim->cause);
        return;
    }
    enum cluster_cause cause = unfit(self, e, c);
    if (cause == CAUSE_NONE)
        resume(self, e, c);
    else if (claim->incarnation <= core_incarnation(self))
        publish_release(self, e, c, cause);
}

/* -- time ----------------------------------------------------------------------------------------- */

static void in_follower(struct cluster *self, struct election *e, struct contest *c, int64_t *next)
{
    int64_t now = core_observed(self);
    int64_t barred = c->barred_until > e->barred_until ? c->barred_until : e->barred_until;
    if (c->pinned)
        sooner(next, now);
    if (pin_due(self, e, c)) {
        take_pinned(self, e, c);
        return;
    }
    enum cluster_cause reason = reason_to_bid(self, e, c, next);
    if (reason == CAUSE_NONE)
        return;
    if (now < barred) {
        sooner(next, barred);
        return;
    }
    if (observers_enough(self)) {
        open_term(self, e, c, reason);
        return;
    }
    sooner(next, now + timers_of(self)->anti_entropy);
    if (c->last_abort == CAUSE_ALONE)
        return;
    c->last_abort = CAUSE_ALONE;
    tell_step(self, c, CAUSE_ALONE);
}

/* With min_observers, the side of a cut that cannot elect does not keep a holder either, and lets go before
 * the other side can replace it. */
static bool abandoned(struct cluster *self, struct contest *c)
{
    int64_t now = core_observed(self);
    if (core_config(self)->min_observers <= 1 || observers_enough(self)) {
        c->alone_since = -1;
        return false;
    }
    if (c->alone_since < 0)
        c->alone_since = now;
    return now - c->alone_since > timers_of(self)->replace_after / 2;
}

static void in_active(struct cluster *self, struct election *e, struct contest *c)
{
    enum cluster_cause cause = unfit(self, e, c);
    sample_support(self, e);
    if (cause == CAUSE_NONE && abandoned(self, c))
        cause = CAUSE_ALONE;
    if (cause != CAUSE_NONE)
        release(self, e, c, cause);
}

/* Whether this contest would replace the member for its silence. */
static bool replaces(const struct contest *c, uint32_t member)
{
    return c && attends(c->state) && c->reason == CAUSE_SILENT && c->silent_member == member;
}

/* The right to bid comes and goes with the directory, the candidacy, the certificate; the reason with the
 * holder's claim. A smaller bid of the same term, which this node's would beat, changes neither. */
static bool still_bidding(struct cluster *self, struct election *e, struct contest *c)
{
    int64_t next = NEVER;
    enum cluster_cause cause = unfit(self, e, c);
    if (cause == CAUSE_NONE && !may_bid(self, e, c))
        cause = CAUSE_DIRECTORY_LOST;
    if (cause == CAUSE_NONE && register_term(&c->reg) < c->bid_term &&
        reason_to_bid(self, e, c, &next) != c->reason)
        cause = CAUSE_HOLDER_HEARD;
    if (cause != CAUSE_NONE)
        give_up(self, e, c, cause);
    return cause == CAUSE_NONE;
}

static void advance(struct cluster *self, struct election *e, struct contest *c, int64_t *next)
{
    switch (c->state) {
    case ELECTION_OBSERVER:
        if (may_bid(self, e, c))
            set_state(e, c, ELECTION_FOLLOWER);
        break;
    case ELECTION_FOLLOWER:
        if (may_bid(self, e, c))
            in_follower(self, e, c, next);
        else
            set_state(e, c, ELECTION_OBSERVER);
        break;
    case ELECTION_WAIT:
        if (still_bidding(self, e, c))
            in_wait(self, e, c);
        break;
    case ELECTION_PRECHECK:
        if (still_bidding(self, e, c))
            in_precheck(self, e, c);
        break;
    case ELECTION_SETTLING:
        if (unfit(self, e, c) != CAUSE_NONE)
            release(self, e, c, unfit(self, e, c));
        else
            in_settling(self, e, c);
        break;
    case ELECTION_ACTIVE:
        in_active(self, e, c);
        break;
    default:
        break;
    }
}

/* -- health issue 1007 ---------------------------------------------------------------------------- */

/* How long a domain may be without a holder. The first election of a fleet, or after this node's start, takes
 * its time. */
static int64_t idle_allowed(const struct cluster *self, const struct contest *c)
{
    unsigned online;
    bool first = !c->served && members_candidates(self, c->domain, &online) > 0;
    return timers_of(self)->claim_timeout + (first ? timers_of(self)->boot_alone : 0);
}

static bool unassigned(const struct cluster *self, const struct election *e, struct contest *c, int64_t *next)
{
    const struct cluster_timers *t = timers_of(self);
    int64_t now = core_observed(self);
    if (mine(self, c) && c->state == ELECTION_ACTIVE) {
        c->idle_since = -1;
        return false;
    }
    if (register_held(self, &c->reg)) {
        c->served = true;
        c->idle_since = -1;
        int64_t limit = t->replace_after + t->fresh; /* not FRESH for T_OFF */
        int64_t silence = holder_silence(self, e, c);
        sooner(next, now + limit - silence + 1);
        return silence > limit;
    }
    if (c->idle_since < 0)
        c->idle_since = now;
    sooner(next, c->idle_since + idle_allowed(self, c) + 1);
    return now - c->idle_since > idle_allowed(self, c);
}

/* Raised after a long time, over only when a holder is heard: it cannot flap. */
static void mind_alarm(struct cluster *self, struct election *e, struct contest *c, int64_t *next)
{
    static const struct node_id nobody;
    bool raise = unassigned(self, e, c, next);
    if (c->alarm)
        sooner(next, core_observed(self));
    if (c->alarm ? !fresh(self, c) : !raise)
        return;
    c->alarm = !c->alarm;
    core_notice(self, c->alarm ? NOTICE_UNASSIGNED : NOTICE_ASSIGNED, (enum cluster_cause)c->reg.cause,
                c->reg.size ? &c->reg.claim.id : &nobody, c->name, register_term(&c->reg));
    sooner(next, core_observed(self));
}

static void mind_reflood(struct cluster *self, struct contest *c, int64_t *next)
{
    int64_t now = core_observed(self);
    if (c->reflood_until == 0 || !mine(self, c) || c->reflood_next > c->reflood_until) {
        c->reflood_until = 0;
        return;
    }
    if (now >= c->reflood_next) {
        gossip_claim(self, c->domain, NULL);
        c->reflood_next = now + timers_of(self)->claim_reflood;
    }
    sooner(next, c->reflood_next);
}

static void attend(struct cluster *self, struct election *e, struct contest *c)
{
    int64_t now = core_observed(self), next = NEVER;
    c->due = NEVER;
    mind_own_claim(self, e, c);
    advance(self, e, c, &next);
    mind_alarm(self, e, c, &next);
    mind_reflood(self, c, &next);
    if (c->state > ELECTION_FOLLOWER)
        sooner(&next, now);
    if (c->reachable && !directory_ready(self, c))
        sooner(&next, c->reach_changed + timers_of(self)->directory_grace);
    if (!c->reachable && !directory_lost(self, c))
        sooner(&next, c->reach_changed + timers_of(self)->directory_grace);
    sooner(&c->due, next);
}

static struct contest *contest_at(struct cluster *self, struct election *e, uint32_t domain)
{
    if (domain >= CLUSTER_DOMAINS)
        return NULL;
    if (e->contests[domain])
        return e->contests[domain];
    struct contest *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->domain = domain;
    c->name = members_domain_name(self, domain);
    c->reg.holder = NO_MEMBER;
    c->reach_changed = e->started ? core_observed(self) : 0;
    c->barred_until = c->pin_next = INT64_MIN;
    c->idle_since = c->alone_since = -1;
    c->asked = NEVER;
    c->state = e->started && !e->boot ? ELECTION_OBSERVER : ELECTION_BOOT;
    e->contests[domain] = c;
    if (domain >= e->count)
        e->count = domain + 1;
    wake(e, c);
    return c;
}

static void adopt_domains(struct cluster *self, struct election *e)
{
    while (e->adopted < members_domain_count(self) && contest_at(self, e, e->adopted))
        e->adopted++;
}

static bool boot_over(struct cluster *self, struct election *e)
{
    const struct cluster_timers *t = timers_of(self);
    int64_t now = core_observed(self);
    if (e->exchanged_at == NEVER && gossip_exchanged(self))
        e->exchanged_at = now;
    return (e->exchanged_at != NEVER && now - e->exchanged_at >= t->boot_heard) ||
           now - e->start > t->boot_alone;
}

static void tilt_begins(struct cluster *self, struct election *e)
{
    e->tilted = true;
    for (uint32_t i = 0; i < e->count; i++) {
        struct contest *c = e->contests[i];
        if (!c)
            continue;
        if (attends(c->state))
            give_up(self, e, c, CAUSE_TILT);
        /* A bid of before a pause of unknown length would depose whoever is there by now. */
        else if (c->state == ELECTION_SETTLING)
            release(self, e, c, CAUSE_TILT);
    }
}

void election_tick(struct cluster *self)
{
    struct election *e = core_election(self);
    int64_t now = core_observed(self);
    adopt_domains(self, e);
    if (core_tilt(self)) {
        if (!e->tilted)
            tilt_begins(self, e);
        return;
    }
    e->tilted = false;
    if (now < e->due)
        return;
    if (e->boot) {
        if (!boot_over(self, e))
            return;
        e->boot = false;
        for (uint32_t i = 0; i < e->count; i++)
            if (e->contests[i])
                rest(self, e, e->contests[i]);
    }
    e->due = NEVER;
    for (uint32_t i = 0; i < e->count; i++) {
        struct contest *c = e->contests[i];
        if (!c)
            continue;
        if (now >= c->due)
            attend(self, e, c);
        sooner(&e->due, c->due);
    }
}

/* -- events --------------------------------------------------------------------------------------- */

struct election *election_new(struct cluster *self)
{
    (void)self;
    struct election *e = calloc(1, sizeof *e);
    if (!e)
        return NULL;
    e->boot = true;
    e->self = NO_MEMBER;
    e->due = e->barred_until = INT64_MIN;
    e->exchanged_at = NEVER;
    return e;
}

void election_destroy(struct election **election)
{
    struct election *e = *election;
    if (!e)
        return;
    for (uint32_t i = 0; i < e->count; i++)
        free(e->contests[i]);
    free(e);
    *election = NULL;
}

void election_start(struct cluster *self)
{
    struct election *e = core_election(self);
    int64_t now = core_observed(self);
    e->started = true;
    e->start = now;
    e->self = members_find(self, core_self(self));
    adopt_domains(self, e);
    for (uint32_t i = 0; i < e->count; i++)
        if (e->contests[i])
            e->contests[i]->reach_changed = now;
}

void election_heard(struct cluster *self, uint32_t member)
{
    struct election *e = core_election(self);
    if (!e->attentive || e->questioned)
        return;
    for (uint32_t i = 0; i < e->count; i++) {
        struct contest *c = e->contests[i];
        if (replaces(c, member) && members_silence(self, member) <= replace_after(self))
            give_up(self, e, c, CAUSE_HOLDER_HEARD);
    }
}

/* The holder is revoked, or this node is. */
static void review(struct cluster *self, struct election *e, struct contest *c)
{
    bool held = mine(self, c);
    if (!register_review(self, &c->reg, c->domain))
        return;
    core_persist(self);
    tell_holder(self, c);
    if (held && c->state == ELECTION_ACTIVE)
        step_down(self, e, c, CAUSE_REVOKED);
    else if (c->state > ELECTION_FOLLOWER)
        give_up(self, e, c, CAUSE_REVOKED);
}

void election_member_changed(struct cluster *self, uint32_t member)
{
    struct election *e = core_election(self);
    if (e->self == NO_MEMBER)
        e->self = members_find(self, core_self(self));
    for (uint32_t i = 0; i < e->count; i++) {
        struct contest *c = e->contests[i];
        if (!c || (c->reg.holder != member && c->reg.holder != NO_MEMBER && member != e->self))
            continue;
        review(self, e, c);
        c->outdated = mine(self, c) && !claim_signed(election_register(self, i),
                                                     core_certificate(self)->public_key, core_crypto(self));
        wake(e, c);
    }
}

bool election_claim(struct cluster *self, struct bytes encoded, const struct node_id *from)
{
    struct election *e = core_election(self);
    struct claim claim;
    struct contest *c = NULL;
    enum register_verdict verdict = REGISTER_REFUSED;
    if (claim_read(&claim, encoded))
        c = contest_at(self, e, members_domain(self, claim.domain, !from));
    /* A bid that was kept on a disk belongs to an election that is over: it would come back as a stranger. */
    if (c && !from && !claim.settled) {
        if (claim.term > c->reg.floor)
            c->reg.floor = claim.term;
        return true;
    }
    if (c)
        verdict = register_offer(self, &c->reg, c->domain, &claim, encoded, !from);
    if (verdict == REGISTER_REFUSED)
        core_counters(self)->claims_refused++;
    if (verdict != REGISTER_NEWS)
        return false;
    if (!from)
        return true;
    core_persist(self);
    gossip_claim(self, c->domain, from);
    tell_holder(self, c);
    react(self, e, c);
    return true;
}

void election_query(struct cluster *self, const struct node_id *from, const struct node_id *holder,
                    uint64_t incarnation, uint32_t sequence)
{
    inquiry_answer(self, from, holder, incarnation, sequence);
}

void election_have(struct cluster *self, const struct node_id *from, const struct node_id *holder,
                   const uint8_t entry[HEARTBEAT_SIZE], int64_t age)
{
    struct election *e = core_election(self);
    uint32_t member = members_find(self, holder);
    if (member == NO_MEMBER || age < 0 || age > replace_after(self) || MUTANT(VETO_IGNORED))
        return;
    e->questioned = true;
    members_take_heartbeat(self, entry, age, from); /* also when the question is settled: it is true */
    e->questioned = false;
    if (!e->attentive || members_silence(self, member) > replace_after(self))
        return;
    for (uint32_t i = 0; i < e->count; i++) {
        struct contest *c = e->contests[i];
        if (!replaces(c, member))
            continue;
        c->vetoes++;
        core_counters(self)->vetoes++;
        give_up(self, e, c, CAUSE_VETO);
    }
}

static struct contest *contest_named(struct cluster *self, const char *domain)
{
    return contest_at(self, core_election(self), members_domain(self, domain, false));
}

static void yield_here(struct cluster *self, struct election *e, struct contest *c)
{
    release(self, e, c, CAUSE_YIELDED);
    c->barred_until = core_observed(self) + timers_of(self)->claim_timeout;
    if (c->pinned)
        unpin(self, c);
}

static bool held_here(const struct cluster *self, const struct contest *c)
{
    return mine(self, c) && (c->state == ELECTION_ACTIVE || c->state == ELECTION_SETTLING);
}

/* A wish of another member is granted once in pin_every, or a hostile one could keep the domain in elections
 * for ever. */
void election_ask(struct cluster *self, const struct node_id *from, const char *domain, unsigned verb)
{
    struct election *e = core_election(self);
    struct contest *c = contest_named(self, domain);
    if (verb != ASK_YIELD || !c || !held_here(self, c))
        return;
    int64_t now = core_observed(self);
    core_notice(self, NOTICE_ELECTION, CAUSE_YIELDED, from, c->name, c->reg.claim.term);
    if (c->asked != NEVER && now - c->asked < timers_of(self)->pin_every)
        return;
    c->asked = now;
    yield_here(self, e, c);
}

void election_yield(struct cluster *self, const char *domain)
{
    struct contest *c = contest_named(self, domain);
    if (!c || !c->reg.size)
        return;
    if (held_here(self, c))
        yield_here(self, core_election(self), c);
    else if (!mine(self, c) && register_held(self, &c->reg))
        inquiry_ask(self, &c->reg.claim.id, c->name, ASK_YIELD);
}

void election_directory(struct cluster *self, const char *domain, bool reachable)
{
    struct contest *c = contest_named(self, domain);
    if (!c || c->reachable == reachable)
        return;
    c->reachable = reachable;
    c->reach_changed = core_observed(self);
    wake(core_election(self), c);
}

void election_candidate(struct cluster *self, const char *domain, bool on)
{
    struct contest *c = contest_named(self, domain);
    if (!c || c->off == !on || !granted(self, c))
        return;
    c->off = !on;
    core_persist(self);
    wake(core_election(self), c);
}

void election_pin(struct cluster *self, const char *domain, bool on)
{
    struct contest *c = contest_named(self, domain);
    if (!c || c->pinned == on || !granted(self, c))
        return;
    c->pinned = on;
    c->pin_term = register_term(&c->reg);
    c->pin_next = INT64_MIN;
    core_persist(self);
    wake(core_election(self), c);
}

void election_leave(struct cluster *self, enum cluster_cause cause)
{
    struct election *e = core_election(self);
    for (uint32_t i = 0; i < e->count; i++) {
        struct contest *c = e->contests[i];
        if (!c)
            continue;
        if (attends(c->state))
            give_up(self, e, c, cause);
        release(self, e, c, cause);
    }
    e->leaving = true;
    for (uint32_t i = 0; i < e->count; i++)
        if (e->contests[i])
            set_state(e, e->contests[i], ELECTION_OBSERVER);
}

/* What was claimed in the last step never left this node: it was not claimed. A holder whose disk fails lets
 * go; nothing is sent until the disk works again, so the others hear of it then, or miss it for T_OFF. */
void election_persist_failed(struct cluster *self)
{
    struct election *e = core_election(self);
    e->barred_until = core_observed(self) + timers_of(self)->claim_timeout;
    for (uint32_t i = 0; i < e->count; i++) {
        struct contest *c = e->contests[i];
        if (!c)
            continue;
        register_undo(self, &c->reg, core_step(self) - 1);
        if (c->state == ELECTION_ACTIVE)
            step_down(self, e, c, CAUSE_PERSIST_FAILED);
        else if (c->state > ELECTION_FOLLOWER)
            give_up(self, e, c, CAUSE_PERSIST_FAILED);
        publish_release(self, e, c, CAUSE_PERSIST_FAILED);
    }
}

/* -- what is kept --------------------------------------------------------------------------------- */

struct bytes election_register(const struct cluster *self, uint32_t domain)
{
    const struct election *e = core_election(self);
    const struct contest *c = domain < e->count ? e->contests[domain] : NULL;
    return c && c->reg.size ? (struct bytes){.data = c->reg.encoded, .size = c->reg.size} : (struct bytes){0};
}

static bool worth_saving(const struct contest *c)
{
    return c && (c->pinned || c->off || c->reg.floor);
}

void election_save(const struct cluster *self, struct msgpack_writer *w)
{
    const struct election *e = core_election(self);
    uint32_t count = 0;
    for (uint32_t i = 0; i < e->count; i++)
        count += worth_saving(e->contests[i]);
    msgpack_put_array(w, count);
    for (uint32_t i = 0; i < e->count; i++) {
        const struct contest *c = e->contests[i];
        if (!worth_saving(c))
            continue;
        msgpack_put_array(w, SAVED_NUMBERS);
        msgpack_put_text(w, c->name);
        msgpack_put_uint(w, (c->pinned ? SAVED_PINNED : 0u) | (c->off ? SAVED_OFF : 0u));
        msgpack_put_uint(w, c->pin_term);
        msgpack_put_uint(w, c->reg.floor);
    }
}

static uint64_t load_number(struct cursor *c)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type != MSGPACK_UINT)
        cursor_fail(c);
    return item.type == MSGPACK_UINT ? item.uint : 0;
}

static bool load_domain(struct cluster *self, struct cursor *cursor)
{
    char name[DOMAIN_MAX_SIZE];
    struct msgpack_item array = msgpack_next(cursor);
    struct msgpack_item text = msgpack_next(cursor);
    if (array.type != MSGPACK_ARRAY || array.count < SAVED_NUMBERS || text.type != MSGPACK_STRING ||
        text.bytes.size >= sizeof name)
        return false;
    memcpy(name, text.bytes.data, text.bytes.size);
    name[text.bytes.size] = '\0';
    uint64_t flags = load_number(cursor), pin_term = load_number(cursor), floor = load_number(cursor);
    for (uint32_t i = SAVED_NUMBERS; i < array.count; i++)
        msgpack_skip(cursor);
    if (cursor->failed)
        return false;
    struct contest *c = contest_at(self, core_election(self), members_domain(self, name, true));
    if (!c)
        return true; /* more domains than there is room for */
    c->pinned = flags & SAVED_PINNED;
    c->off = flags & SAVED_OFF;
    c->pin_term = pin_term;
    if (floor > c->reg.floor)
        c->reg.floor = floor;
    return true;
}

bool election_load(struct cluster *self, struct cursor *cursor)
{
    struct msgpack_item array = msgpack_next(cursor);
    if (array.type != MSGPACK_ARRAY)
        return false;
    for (uint32_t i = 0; i < array.count; i++)
        if (!load_domain(self, cursor))
            return false;
    return true;
}

uint8_t election_candidate_off(const struct cluster *self)
{
    const struct election *e = core_election(self);
    const struct certificate *certificate = core_certificate(self);
    unsigned off = 0;
    for (unsigned i = 0; i < certificate->grant.domain_count; i++)
        for (uint32_t d = 0; d < e->count; d++)
            if (e->contests[d] && e->contests[d]->off &&
                strcmp(e->contests[d]->name, certificate->grant.domains[i]) == 0)
                off |= 1u << i;
    return (uint8_t)off;
}

/* -- views ---------------------------------------------------------------------------------------- */

bool election_holds(const struct cluster *self, uint32_t domain, struct claim *claim)
{
    const struct election *e = core_election(self);
    const struct contest *c = domain < e->count ? e->contests[domain] : NULL;
    if (!c || c->state != ELECTION_ACTIVE || !mine(self, c))
        return false;
    if (claim)
        *claim = c->reg.claim;
    return true;
}

static int64_t next_step_in(const struct cluster *self, const struct election *e, const struct contest *c)
{
    int64_t now = core_observed(self);
    int64_t in = -1;
    if (c->state == ELECTION_BOOT)
        in = (e->exchanged_at == NEVER ? e->start + timers_of(self)->boot_alone
                                       : e->exchanged_at + timers_of(self)->boot_heard) -
             now;
    else if (c->state >= ELECTION_WAIT && c->state <= ELECTION_SETTLING)
        in = c->until - now;
    else
        return -1;
    return in < 0 ? 0 : in;
}

static void view_holder(struct cluster *self, const struct election *e, const struct contest *c,
                        struct cluster_domain_view *view)
{
    view->holder_silent = view->replace_in = -1;
    if (!c->reg.size)
        return;
    view->claim = c->reg.claim;
    if (c->reg.holder != NO_MEMBER && members_silence(self, c->reg.holder) != INT64_MAX)
        view->holder_silent = members_silence(self, c->reg.holder);
    if (!register_held(self, &c->reg) || view->fresh || mine(self, c))
        return;
    int64_t left = replace_after(self) - holder_silence(self, e, c);
    view->replace_in = left < 0 ? 0 : left;
}

bool election_glance(struct cluster *self, uint32_t domain, struct cluster_domain_view *view)
{
    struct election *e = core_election(self);
    struct contest *c = domain < e->count ? e->contests[domain] : NULL;
    if (!c)
        return false;
    *view = (struct cluster_domain_view){
        .domain = c->name,
        .state = c->state,
        .has_claim = c->reg.size > 0,
        .fresh = fresh(self, c),
        .cause = (enum cluster_cause)c->reg.cause,
        .since = c->reg.wall,
        .next_in = next_step_in(self, e, c),
        .eligible = candidate(self, e, c),
        .reachable = c->reachable,
        .pinned = c->pinned,
        .unassigned = c->alarm,
        .vetoes = c->vetoes,
        .last_abort = c->last_abort,
    };
    view_holder(self, e, c, view);
    return true;
}

bool election_view(struct cluster *self, uint32_t domain, struct cluster_domain_view *view)
{
    if (!election_glance(self, domain, view))
        return false;
    view->candidates = members_candidates(self, domain, &view->candidates_online);
    return true;
}
