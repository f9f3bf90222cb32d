/* SPDX-License-Identifier: Apache-2.0
 *
 * A change and its cause, as an object and as a sentence: history, events, log.
 */
#include "node/view_internal.h"

/* Stable names for scripts; what is said of whom. %n: the node's name, %d: the domain, %t: the term. */
static const struct {
    const char *name;
    const char *sentence;
} notices[] = {
    [NOTICE_SYNCHRONIZER_START] = {"synchronizer_start", "%d: this node replicates it now, term %t"},
    [NOTICE_SYNCHRONIZER_STOP] = {"synchronizer_stop", "%d: this node stops replicating it, term %t"},
    [NOTICE_HOLDER] = {"holder", "%d: %n in term %t"},
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
    [NOTICE_ELECTION] = {"election", "%d: this node's step in an election, term %t"},
};
#define NOTICES (sizeof(notices) / sizeof(notices[0]))

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
    json_write_string(w, "cause", view_cause(notice->cause));
    json_write_string(w, "domain", notice->domain);
    json_write_uint(w, "term", notice->term);
    json_write_string(w, "node", known ? view_name(core, &notice->node, name) : NULL);
    json_write_string(w, "node_id", known ? node_id_text(&notice->node, id) : NULL);
    json_write_string(w, "text", sentence);
    json_write_close(w);
}
