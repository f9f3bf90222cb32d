/* SPDX-License-Identifier: Apache-2.0 */
#include "node/fleet_report.h"

#include "cluster/fleet_view.h"
#include "node/view_internal.h"

#include <stdio.h>
#include <stdlib.h>

/* Whether nobody who is online has a lesser id. */
static bool is_least(struct cluster *core)
{
    struct cluster_member_view self, other;
    if (!cluster_member_at(core, 0, &self))
        return false;
    struct node_id id = self.id;
    for (unsigned i = 1; i < cluster_member_count(core); i++)
        if (cluster_member_at(core, i, &other) && other.state == MEMBER_ONLINE &&
            memcmp(other.id.bytes, id.bytes, NODE_ID_SIZE) < 0)
            return false;
    return true;
}

static bool tells_members(struct cluster *core)
{
    struct cluster_domain_view domain;
    bool held = false;
    for (unsigned i = 0; i < cluster_domain_count(core); i++) {
        if (!cluster_domain_at(core, i, &domain))
            continue;
        if (domain.state == ELECTION_ACTIVE)
            return true;
        held = held || domain.fresh;
    }
    return !held && is_least(core);
}

static uint64_t wall_of(int64_t ms)
{
    return ms > 0 ? (uint64_t)ms : 0;
}

static void put_domain(struct fleet_view_writer *writer, struct cluster *core,
                       const struct cluster_domain_view *from)
{
    struct fleet_domain domain = {.silent = -1};
    snprintf(domain.domain, sizeof(domain.domain), "%s", from->domain);
    snprintf(domain.state, sizeof(domain.state), "%s", view_domain_state(from));
    if (from->has_claim) {
        domain.term = from->claim.term;
        domain.settled = from->claim.settled;
        domain.since = wall_of(from->since);
    }
    if (from->has_claim && !from->claim.released) {
        domain.holder = from->claim.id;
        domain.support = from->claim.support;
        domain.silent = from->state == ELECTION_ACTIVE ? 0 : from->holder_silent;
        if (cluster_knows(core, &from->claim.id))
            view_name(core, &from->claim.id, domain.holder_name);
    }
    domain.candidates = from->candidates;
    domain.candidates_online = from->candidates_online;
    fleet_view_put_domain(writer, &domain);
}

static void put_member(struct fleet_view_writer *writer, const struct cluster_member_view *from)
{
    const struct certificate *certificate = &from->record->certificate;
    struct fleet_member member = {.id = from->id,
                                  .standalone = certificate->grant.mode == MODE_STANDALONE,
                                  .since = wall_of(from->since),
                                  .silent = from->self ? 0 : from->silent,
                                  .started = from->record->started};
    snprintf(member.name, sizeof(member.name), "%s", certificate->name);
    snprintf(member.site, sizeof(member.site), "%s", certificate->grant.site);
    snprintf(member.version, sizeof(member.version), "%s", from->record->version);
    snprintf(member.state, sizeof(member.state), "%s", view_member_state(from->state));
    fleet_view_put_member(writer, &member);
}

uint8_t *fleet_report_make(struct cluster *core, size_t *size)
{
    struct cluster_status status;
    struct cluster_domain_view domain;
    struct cluster_member_view member;
    cluster_status(core, &status);
    struct fleet_view view = {.members = status.members,
                              .online = status.online,
                              .offline = status.offline,
                              .left = status.left,
                              .revoked = status.revoked,
                              .neighbours = status.neighbours,
                              .tells_members = tells_members(core)};
    for (unsigned i = 0; i < cluster_domain_count(core); i++)
        view.domain_count += cluster_domain_at(core, i, &domain);
    if (view.tells_members)
        view.member_count =
            cluster_member_count(core) < FLEET_VIEW_MEMBERS ? cluster_member_count(core) : FLEET_VIEW_MEMBERS;
    size_t capacity = fleet_view_bound(view.domain_count, view.member_count);
    uint8_t *buffer = malloc(capacity);
    struct fleet_view_writer writer;
    if (!buffer)
        return NULL;
    fleet_view_begin(&writer, buffer, capacity, &view);
    for (unsigned i = 0; i < cluster_domain_count(core); i++)
        if (cluster_domain_at(core, i, &domain))
            put_domain(&writer, core, &domain);
    for (unsigned i = 0; i < view.member_count; i++)
        if (cluster_member_at(core, i, &member))
            put_member(&writer, &member);
    *size = fleet_view_finish(&writer);
    if (*size)
        return buffer;
    free(buffer);
    return NULL;
}
