/* SPDX-License-Identifier: Apache-2.0
 *
 * A change and its cause, as an object and as a sentence: history, events, log.
 */
#include "node/view_internal.h"

/* Stable names for scripts; what is said of whom. %n: the node's name, %d: the domain, %t: the term,
 * %s: the step. */
static const struct {
    const char *name;
    const char *sentence;
} notices[] = {
    [NOTICE_SYNCHRONIZER_START] = {"synchronizer_start", "%d: this node replicates it now, term %t"},
    [NOTICE_SYNCHRONIZER_STOP] = {"synchronizer_stop", "%d: this node stops replicating it, term %t"},
    [NOTICE_HOLDER] = {"holder", "%d: %n %s, term %t"},
    [NOTICE_UNASSIGNED] = {"unassigned", "%d: no synchronizer is assigned, and none is in sight"},
    [NOTICE_ASSIGNED] = {"assigned", "%d: a synchronizer is assigned again, %n"},
    [NOTICE_MEMBER_JOINED] = {"member_joined", "%n joined"},
    [NOTICE_MEMBER_ONLINE] = {"member_online", "%n is online"},
    [NOTICE_MEMBER_OFFLINE] = {"member_offline", "%n is offline"},
    [NOTICE_MEMBER_LEFT] = {"member_left", "%n left in good order"},
    [NOTICE_MEMBER_REVOKED] = {"member_revoked", "%n is revoked"},
    [NOTICE_MEMBER_CHANGED] = {"member_changed", "%n changed what it says of itself"},
    [NOTICE_POLICY] = {"policy", "a newer policy of the fleet holds, version %t"},
    [NOTICE_TILT] = {"tilt", "this node was paused or its clock jumped: it collects and does not act"},
    [NOTICE_TILT_OVER] = {"tilt_over", "this node acts again"},
    [NOTICE_CLONE] = {"clone", "%n runs twice: two processes have the same identity"},
    [NOTICE_REVOKED] = {"revoked", "this node is revoked and stops"},
    [NOTICE_HOSTILE] = {"hostile", "%n sent what no right node sends"},
    [NOTICE_ELECTION] = {"election", "%d: this node %s, term %t"},
};
#define NOTICES (sizeof(notices) / sizeof(notices[0]))

/* What the holder does, or this node in an election: for scripts, for people. */
struct step {
    const char *name, *words;
};

static struct step holder_step(const struct cluster_notice *notice)
{
    if (notice->released)
        return (struct step){"releases", "lets it go"};
    return notice->settled ? (struct step){"holds", "holds it"} : (struct step){"bids", "bids for it"};
}

static struct step own_step(const struct cluster_notice *notice)
{
    static const struct step steps[] = {
        [ELECTION_BOOT] = {"boot", "listens first"},
        [ELECTION_OBSERVER] = {"observer", "gives way"},
        [ELECTION_FOLLOWER] = {"follower", "gives way"},
        [ELECTION_WAIT] = {"wait", "waits its turn to bid"},
        [ELECTION_PRECHECK] = {"precheck", "asks who heard the holder"},
        [ELECTION_SETTLING] = {"settling", "bids"},
        [ELECTION_ACTIVE] = {"active", "is asked to let it go"},
    };
    return notice->state < sizeof(steps) / sizeof(steps[0]) ? steps[notice->state] : (struct step){NULL, "?"};
}

static struct step step_of(const struct cluster_notice *notice)
{
    if (notice->type == NOTICE_HOLDER)
        return holder_step(notice);
    return notice->type == NOTICE_ELECTION ? own_step(notice) : (struct step){NULL, "?"};
}

void view_notice_sentence(struct text *t, struct cluster *core, const struct cluster_notice *notice)
{
    char name[NAME_MAX_SIZE];
    const char *form = (size_t)notice->type < NOTICES ? notices[notice->type].sentence : "something happened";
    for (; *form; form++) {
        if (*form != '%') {
            text_char(t, *form);
            continue;
        }
        form++;
        if (*form == 'n')
            text_string(t, view_name(core, &notice->node, name));
        else if (*form == 'd')
            text_string(t, notice->domain ? notice->domain : "?");
        else if (*form == 's')
            text_string(t, step_of(notice).words);
        else
            text_uint(t, notice->term);
    }
    const char *cause = view_cause(notice->cause);
    if (cause) {
        text_string(t, ": ");
        text_string(t, cause);
    }
}

void view_notice(struct json_writer *w, const char *key, struct cluster *core,
                 const struct cluster_notice *notice)
{
    char name[NAME_MAX_SIZE], id[NODE_ID_TEXT_SIZE], sentence[512];
    bool known = !node_id_is_zero(&notice->node);
    struct text t = text_to(sentence, sizeof(sentence));
    view_notice_sentence(&t, core, notice);
    text_end(&t);
    json_write_object(w, key);
    json_write_time(w, "time", notice->wall);
    json_write_string(w, "event", (size_t)notice->type < NOTICES ? notices[notice->type].name : "unknown");
    json_write_string(w, "step", step_of(notice).name);
    view_write_cause(w, "cause", notice->cause);
    json_write_string(w, "domain", notice->domain);
    json_write_uint(w, "term", notice->term);
    json_write_string(w, "node", known ? view_name(core, &notice->node, name) : NULL);
    json_write_string(w, "node_id", known ? node_id_text(&notice->node, id) : NULL);
    json_write_string(w, "text", sentence);
    json_write_close(w);
}
