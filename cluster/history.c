/* SPDX-License-Identifier: Apache-2.0
 *
 * The last changes, and the words for them.
 */
#include <stdlib.h>

#include "cluster/core.h"

struct history {
    unsigned size, count, next;
    struct cluster_notice notices[];
};

struct history *history_new(unsigned size)
{
    struct history *history = calloc(1, sizeof *history + size * sizeof history->notices[0]);
    if (history)
        history->size = size;
    return history;
}

void history_destroy(struct history **history)
{
    free(*history);
    *history = NULL;
}

void history_add(struct history *history, const struct cluster_notice *notice)
{
    if (history->size == 0)
        return;
    history->notices[history->next] = *notice;
    history->next = (history->next + 1) % history->size;
    if (history->count < history->size)
        history->count++;
}

unsigned history_count(const struct history *history)
{
    return history->count;
}

bool history_at(const struct history *history, unsigned index, struct cluster_notice *notice)
{
    if (index >= history->count)
        return false;
    *notice = history->notices[(history->next + history->size - history->count + index) % history->size];
    return true;
}

size_t history_bytes(const struct history *history)
{
    return sizeof *history + history->size * sizeof history->notices[0];
}

static const struct {
    const char *name, *text;
} causes[CAUSES] = {
    [CAUSE_NONE] = {"none", ""},
    [CAUSE_NO_HOLDER] = {"no_holder", "nobody held the domain"},
    [CAUSE_SILENT] = {"silent", "the holder was silent for too long"},
    [CAUSE_RELEASED] = {"released", "the holder released the domain"},
    [CAUSE_UNSETTLED] = {"unsettled", "a claim was never settled"},
    [CAUSE_RESUMED] = {"resumed", "the holder came back in time"},
    [CAUSE_REFUTED] = {"refuted", "the holder refuted a claim with less support"},
    [CAUSE_GREATER_TOKEN] = {"greater_token", "a greater claim was heard"},
    [CAUSE_VETO] = {"veto", "another node had heard the holder"},
    [CAUSE_HOLDER_HEARD] = {"holder_heard", "the holder was heard again"},
    [CAUSE_TILT] = {"tilt", "this host was paused or its clock jumped"},
    [CAUSE_SHUTDOWN] = {"shutdown", "the node shut down"},
    [CAUSE_DIRECTORY_LOST] = {"directory_lost", "the directory could not be reached"},
    [CAUSE_CANDIDACY_OFF] = {"candidacy_off", "candidacy was switched off"},
    [CAUSE_YIELDED] = {"yielded", "an administrator asked the holder to yield"},
    [CAUSE_PINNED] = {"pinned", "an administrator pinned the domain to this node"},
    [CAUSE_REVOKED] = {"revoked", "the node was revoked"},
    [CAUSE_PERSIST_FAILED] = {"persist_failed", "the state could not be written to disk"},
    [CAUSE_ALONE] = {"alone", "too few members were heard"},
};

const char *cluster_cause_name(enum cluster_cause cause)
{
    return (unsigned)cause < CAUSES && causes[cause].name ? causes[cause].name : "unknown";
}

const char *cluster_cause_text(enum cluster_cause cause)
{
    return (unsigned)cause < CAUSES && causes[cause].text ? causes[cause].text : "unknown";
}

const char *cluster_notice_text(enum cluster_notice_type type)
{
    switch (type) {
    case NOTICE_SYNCHRONIZER_START:
        return "synchronizer started";
    case NOTICE_SYNCHRONIZER_STOP:
        return "synchronizer stopped";
    case NOTICE_HOLDER:
        return "holder changed";
    case NOTICE_UNASSIGNED:
        return "no synchronizer assigned";
    case NOTICE_ASSIGNED:
        return "synchronizer assigned";
    case NOTICE_MEMBER_JOINED:
        return "member joined";
    case NOTICE_MEMBER_ONLINE:
        return "member online";
    case NOTICE_MEMBER_OFFLINE:
        return "member offline";
    case NOTICE_MEMBER_LEFT:
        return "member left";
    case NOTICE_MEMBER_REVOKED:
        return "member revoked";
    case NOTICE_MEMBER_CHANGED:
        return "member changed";
    case NOTICE_POLICY:
        return "policy changed";
    case NOTICE_TILT:
        return "clock tilted";
    case NOTICE_TILT_OVER:
        return "clock steady";
    case NOTICE_CLONE:
        return "identity runs twice";
    case NOTICE_REVOKED:
        return "this node is revoked";
    case NOTICE_HOSTILE:
        return "hostile peer";
    case NOTICE_ELECTION:
        return "election";
    }
    return "unknown";
}
