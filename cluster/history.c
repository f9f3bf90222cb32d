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

const char *cluster_cause_text(enum cluster_cause cause)
{
    static const char *const texts[CAUSES] = {
        [CAUSE_NONE] = "",
        [CAUSE_NO_HOLDER] = "nobody held the domain",
        [CAUSE_SILENT] = "the holder was silent for too long",
        [CAUSE_RELEASED] = "the holder released the domain",
        [CAUSE_UNSETTLED] = "a claim was never settled",
        [CAUSE_RESUMED] = "the holder came back in time",
        [CAUSE_REFUTED] = "the holder refuted a claim with less support",
        [CAUSE_GREATER_TOKEN] = "a greater claim was heard",
        [CAUSE_VETO] = "another node had heard the holder",
        [CAUSE_HOLDER_HEARD] = "the holder was heard again",
        [CAUSE_TILT] = "this host was paused or its clock jumped",
        [CAUSE_SHUTDOWN] = "the node shut down",
        [CAUSE_DIRECTORY_LOST] = "the directory could not be reached",
        [CAUSE_CANDIDACY_OFF] = "candidacy was switched off",
        [CAUSE_YIELDED] = "an administrator asked the holder to yield",
        [CAUSE_PINNED] = "an administrator pinned the domain to this node",
        [CAUSE_REVOKED] = "the node was revoked",
        [CAUSE_PERSIST_FAILED] = "the state could not be written to disk",
        [CAUSE_ALONE] = "too few members were heard",
    };
    return (unsigned)cause < CAUSES && texts[cause] ? texts[cause] : "unknown";
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
