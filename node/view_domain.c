/* SPDX-License-Identifier: Apache-2.0
 *
 * A domain's synchronizer, what happens next with it, and this node's own reasons.
 */
#include "node/duration.h"
#include "node/view_internal.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const state_names[] = {
    [DOMAIN_STARTING] = "starting", [DOMAIN_HELD] = "held",         [DOMAIN_SILENT] = "silent",
    [DOMAIN_ELECTING] = "electing", [DOMAIN_RELEASED] = "released", [DOMAIN_UNASSIGNED] = "unassigned",
};

static bool bidding(enum election_state state)
{
    return state == ELECTION_WAIT || state == ELECTION_PRECHECK || state == ELECTION_SETTLING;
}

enum domain_state domain_state_of(const struct cluster_domain_view *domain)
{
    if (domain->fresh)
        return DOMAIN_HELD;
    if (bidding(domain->state) || (domain->has_claim && !domain->claim.settled && !domain->unassigned))
        return DOMAIN_ELECTING;
    if (domain->unassigned)
        return DOMAIN_UNASSIGNED;
    if (domain->state == ELECTION_BOOT)
        return DOMAIN_STARTING;
    if (!domain->has_claim)
        return DOMAIN_UNASSIGNED;
    return domain->claim.released ? DOMAIN_RELEASED : DOMAIN_SILENT;
}

const char *view_domain_state(const struct cluster_domain_view *domain)
{
    return state_names[domain_state_of(domain)];
}

/* How this node comes by what is not in the traffic. */
static const char *mode_here(const struct cluster_domain_view *domain)
{
    if (domain->state == ELECTION_ACTIVE)
        return "synchronizer";
    return domain->fresh ? "proactive" : "reactive";
}

/* --- what happens next --- */

static void in_words(struct text *t, const char *before, int64_t ms, const char *after)
{
    text_string(t, before);
    if (ms >= 1000) {
        text_string(t, " in ");
        duration_words(t, ms);
    } else {
        text_string(t, " now");
    }
    text_string(t, after);
}

static void own_bid_sentence(struct text *t, const char *holder, const struct cluster_domain_view *domain)
{
    if (domain->state == ELECTION_WAIT) {
        in_words(t, "this node waits its turn; acts", domain->next_in, " unless another bids first");
    } else if (domain->state == ELECTION_PRECHECK) {
        text_string(t, "this node asks whether anybody heard ");
        text_string(t, holder);
        in_words(t, "; bids", domain->next_in, " unless somebody did");
    } else {
        in_words(t, "this node bids; holds it", domain->next_in, " unless a greater claim is heard");
    }
}

static void silent_sentence(struct text *t, const char *holder, const struct cluster_domain_view *domain)
{
    text_string(t, holder);
    if (domain->holder_silent < 0) {
        text_string(t, " not heard since this node started");
    } else {
        text_string(t, " silent for ");
        duration_words(t, domain->holder_silent);
    }
    if (domain->replace_in > 0)
        in_words(t, "; replaced", domain->replace_in, " unless heard");
    else if (domain->candidates_online == 0)
        text_string(t, "; no candidate is online to replace it");
    else if (domain->replace_in == 0)
        text_string(t, "; is being replaced");
}

static void vacant_sentence(struct text *t, const struct cluster_domain_view *domain)
{
    if (domain->candidates == 0) {
        text_string(t, "no node is a candidate: nobody can replicate it");
    } else if (domain->candidates_online == 0) {
        text_string(t, "none of its candidates is online");
    } else {
        text_uint(t, domain->candidates_online);
        text_string(t, domain->candidates_online == 1 ? " candidate is" : " candidates are");
        text_string(t, " online: one of them takes it soon");
    }
}

static void held_sentence(struct text *t, const char *holder, const struct cluster_domain_view *domain)
{
    if (domain->state == ELECTION_ACTIVE) {
        text_string(t, "this node replicates it");
        if (domain->pinned)
            text_string(t, " (pinned)");
        return;
    }
    text_string(t, holder);
    text_string(t, " replicates it");
    if (domain->holder_silent >= 0) {
        text_string(t, "; heard ");
        duration_words(t, domain->holder_silent);
        text_string(t, " ago");
    }
}

void domain_sentence(struct text *t, struct cluster *core, const struct cluster_domain_view *domain)
{
    char holder[NAME_MAX_SIZE] = "nobody";
    if (domain->has_claim)
        view_name(core, &domain->claim.id, holder);
    switch (domain_state_of(domain)) {
    case DOMAIN_STARTING:
        in_words(t, "this node listens first; decides", domain->next_in, " at the latest");
        break;
    case DOMAIN_HELD:
        held_sentence(t, holder, domain);
        break;
    case DOMAIN_SILENT:
        silent_sentence(t, holder, domain);
        break;
    case DOMAIN_ELECTING:
        if (bidding(domain->state)) {
            own_bid_sentence(t, holder, domain);
        } else {
            text_string(t, holder);
            text_string(t, " bids; holds it unless a greater claim is heard");
        }
        break;
    case DOMAIN_RELEASED:
        text_string(t, holder);
        text_string(t, " let it go; ");
        vacant_sentence(t, domain);
        break;
    case DOMAIN_UNASSIGNED:
        vacant_sentence(t, domain);
        break;
    }
}

/* --- the objects --- */

/* What the next thing is counted by: this node's own step, else the silence. */
static int64_t next_in(const struct cluster_domain_view *domain)
{
    if (bidding(domain->state) || domain->state == ELECTION_BOOT)
        return domain->next_in;
    return domain->fresh ? -1 : domain->replace_in;
}

#define SENTENCE_MAX 512

static void write_fields(struct json_writer *w, const struct view_source *source,
                         const struct cluster_domain_view *domain)
{
    char name[NAME_MAX_SIZE], id[NODE_ID_TEXT_SIZE], sentence[SENTENCE_MAX];
    bool held = domain->has_claim && !domain->claim.released;
    json_write_string(w, "domain", domain->domain);
    json_write_string(w, "state", view_domain_state(domain));
    json_write_string(w, "holder", held ? view_name(source->core, &domain->claim.id, name) : NULL);
    json_write_string(w, "holder_id", held ? node_id_text(&domain->claim.id, id) : NULL);
    json_write_uint(w, "term", domain->has_claim ? domain->claim.term : 0);
    json_write_bool(w, "settled", domain->has_claim && domain->claim.settled);
    json_write_bool(w, "released", domain->has_claim && domain->claim.released);
    json_write_time(w, "since", domain->since);
    view_write_cause(w, "cause", domain->cause);
    json_write_uint(w, "support", domain->has_claim ? domain->claim.support : 0);
    json_write_known(w, "holder_silent_ms", domain->holder_silent);
    json_write_known(w, "replace_in_ms", domain->replace_in);
    json_write_uint(w, "candidates", domain->candidates);
    json_write_uint(w, "candidates_online", domain->candidates_online);
    json_write_string(w, "mode_here", mode_here(domain));
    json_write_string(w, "election", view_election_state(domain->state));
    json_write_bool(w, "unassigned", domain->unassigned);
    json_write_bool(w, "pinned", domain->pinned);
    struct text t = text_to(sentence, sizeof(sentence));
    domain_sentence(&t, source->core, domain);
    text_end(&t);
    json_write_string(w, "next", sentence);
    json_write_known(w, "next_in_ms", next_in(domain));
}

void view_domains(struct json_writer *w, const char *key, const struct view_source *source)
{
    struct cluster_domain_view domain;
    json_write_array(w, key);
    for (unsigned i = 0; i < cluster_domain_count(source->core); i++) {
        if (!cluster_domain_at(source->core, i, &domain))
            continue;
        json_write_object(w, NULL);
        write_fields(w, source, &domain);
        json_write_close(w);
    }
    json_write_close(w);
}

/* --- why: this node's own reasons --- */

static bool granted_here(struct cluster *core, const char *name)
{
    struct cluster_member_view self;
    if (!cluster_member_at(core, 0, &self))
        return false;
    const struct grant *grant = &self.record->certificate.grant;
    for (unsigned i = 0; i < grant->domain_count; i++)
        if (strcmp(grant->domains[i], name) == 0)
            return true;
    return false;
}

static void reason(struct json_writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void reason(struct json_writer *w, const char *format, ...)
{
    char sentence[SENTENCE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    json_write_string(w, NULL, sentence);
}

static void write_eligibility(struct json_writer *w, const struct view_source *source,
                              const struct cluster_domain_view *domain)
{
    if (domain->eligible && domain->reachable)
        reason(w, "this node is a candidate and reaches the domain's directory");
    else if (domain->eligible)
        reason(w, "this node is a candidate but does not reach the domain's directory: it does not bid");
    else if (granted_here(source->core, domain->domain))
        reason(w, "this node's grant names the domain, but its candidacy is switched off");
    else
        reason(w, "this node is no candidate: its grant does not name the domain");
    if (domain->pinned)
        reason(w, "pinned: this node takes the domain whenever it can");
}

static void write_register(struct json_writer *w, const struct view_source *source,
                           const struct cluster_domain_view *domain)
{
    char holder[NAME_MAX_SIZE];
    if (!domain->has_claim) {
        reason(w, "no claim was ever heard");
        return;
    }
    const char *cause = view_cause(domain->cause);
    reason(w, "term %llu: claimed by %s with the support of %u member%s%s%s, %s%s",
           (unsigned long long)domain->claim.term, view_name(source->core, &domain->claim.id, holder),
           domain->claim.support, domain->claim.support == 1 ? "" : "s", cause ? ", because " : "",
           cause ? cause : "", domain->claim.settled ? "settled" : "not settled yet",
           domain->claim.released ? ", released" : "");
}

static void write_silence(struct json_writer *w, const struct cluster_domain_view *domain)
{
    char words[64], more[64];
    if (!domain->has_claim || domain->claim.released || domain->state == ELECTION_ACTIVE)
        return;
    if (domain->holder_silent < 0) {
        reason(w, "its holder was not heard since this node started");
        return;
    }
    struct text t = text_to(words, sizeof(words));
    duration_words(&t, domain->holder_silent);
    text_end(&t);
    struct text m = text_to(more, sizeof(more));
    duration_words(&m, domain->replace_in);
    text_end(&m);
    reason(w, "this node heard its holder %s ago, counted while this node itself ran and listened%s%s", words,
           domain->replace_in > 0 ? "; more silence until a successor is sought: " : "",
           domain->replace_in > 0 ? more : "");
}

static void write_reasons(struct json_writer *w, const struct view_source *source,
                          const struct cluster_domain_view *domain)
{
    struct cluster_status status;
    cluster_status(source->core, &status);
    json_write_array(w, "reasons");
    write_register(w, source, domain);
    write_silence(w, domain);
    write_eligibility(w, source, domain);
    if (status.tilt)
        reason(w, "TILT: this node was paused or its clock jumped; it collects and does not act for a while");
    if (domain->vetoes > 0)
        reason(w, "%u time%s somebody had heard the holder more recently than this node", domain->vetoes,
               domain->vetoes == 1 ? "" : "s");
    if (domain->last_abort != CAUSE_NONE)
        reason(w, "its last attempt ended because %s", view_cause(domain->last_abort));
    if (domain->candidates < 2)
        reason(w, "%s: two are recommended, so that one can replace the other",
               domain->candidates == 0 ? "there is no candidate" : "there is one candidate only");
    json_write_close(w);
}

void view_why(struct json_writer *w, const char *name, const struct view_source *source)
{
    struct cluster_domain_view domain;
    struct cluster_status status;
    if (!cluster_domain_find(source->core, name, &domain))
        return;
    cluster_status(source->core, &status);
    json_write_object(w, "why");
    write_fields(w, source, &domain);
    json_write_bool(w, "granted", granted_here(source->core, domain.domain));
    json_write_bool(w, "eligible", domain.eligible);
    json_write_bool(w, "directory_reachable", domain.reachable);
    json_write_bool(w, "tilt", status.tilt);
    json_write_uint(w, "support_here", status.support);
    json_write_uint(w, "vetoes", domain.vetoes);
    view_write_cause(w, "last_abort", domain.last_abort);
    write_reasons(w, source, &domain);
    json_write_close(w);
}
