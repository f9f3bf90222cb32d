/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core knows, for those who look at it. Without effect on it.
 */
#include "cluster/cluster.h"

#include "cluster/core.h"

unsigned cluster_member_count(const struct cluster *self)
{
    return self->members.count;
}

static enum member_state state_of(const struct cluster *self, uint32_t index)
{
    const struct member *member = &self->members.table[index];
    if (member->flags & MEMBER_FLAG_REVOKED)
        return MEMBER_REVOKED;
    if (member->flags & MEMBER_FLAG_LEFT)
        return MEMBER_LEFT;
    if (index == 0)
        return MEMBER_ONLINE;
    if (!(member->flags & MEMBER_FLAG_HEARD))
        return MEMBER_UNHEARD;
    if (member->flags & MEMBER_FLAG_OFFLINE)
        return MEMBER_OFFLINE;
    return members_silence(self, index) > 2 * core_period(self, member) ? MEMBER_LATE : MEMBER_ONLINE;
}

static const struct link *link_of(const struct cluster *self, const struct node_id *id)
{
    int slot = overlay_find(self, id);
    return slot >= 0 && self->links[slot].state == LINK_ACTIVE ? &self->links[slot] : NULL;
}

bool cluster_member_at(struct cluster *self, unsigned index, struct cluster_member_view *view)
{
    if (index >= self->members.count)
        return false;
    const struct member *member = &self->members.table[index];
    if (!record_read_trusted(&self->scratch, blob_bytes(member->record)))
        return false;
    *view = (struct cluster_member_view){
        .record = &self->scratch,
        .encoded = blob_bytes(member->record),
        .state = state_of(self, index),
        .since = (int64_t)member->since * 1000,
        .period = core_period(self, member),
        .sequence = members_slot(self, index)->sequence,
        .rtt = -1,
        .self = index == 0,
        .candidate_somewhere = member->flags & MEMBER_FLAG_CANDIDATE,
    };
    members_id(self, index, &view->id);
    int64_t silence = members_silence(self, index);
    view->silent = silence == INT64_MAX ? -1 : silence;
    const struct link *link = link_of(self, &view->id);
    view->neighbour = link != NULL;
    if (link)
        view->rtt = link->rtt;
    return true;
}

bool cluster_member_find(struct cluster *self, const struct node_id *id, struct cluster_member_view *view)
{
    uint32_t index = members_find(self, id);
    return index != NO_MEMBER && cluster_member_at(self, index, view);
}

bool cluster_knows(const struct cluster *self, const struct node_id *id)
{
    return members_find(self, id) != NO_MEMBER;
}

int64_t cluster_silence(const struct cluster *self, const struct node_id *id)
{
    uint32_t index = members_find(self, id);
    int64_t silence = index == NO_MEMBER ? INT64_MAX : members_silence(self, index);
    return silence == INT64_MAX ? -1 : silence;
}

uint64_t cluster_digest(struct cluster *self)
{
    uint64_t policy = self->policy ? self->policy->policy.version : 0;
    uint64_t digest = members_root(self);
    digest = (digest ^ self->claims_digest) * UINT64_C(0x9e3779b97f4a7c15);
    return (digest ^ digest >> 31 ^ policy) * UINT64_C(0xbf58476d1ce4e5b9);
}

struct bytes cluster_policy(const struct cluster *self)
{
    if (!self->policy)
        return (struct bytes){NULL, 0};
    return (struct bytes){self->policy->data, self->policy->size};
}

void cluster_each_record(const struct cluster *self, void (*visit)(void *context, struct bytes record),
                         void *context)
{
    for (uint32_t i = 1; i < self->members.count; i++)
        if (!(self->members.table[i].flags & MEMBER_FLAG_REVOKED))
            visit(context, blob_bytes(self->members.table[i].record));
}

unsigned cluster_domain_count(const struct cluster *self)
{
    return self->members.domain_count;
}

bool cluster_domain_at(struct cluster *self, unsigned index, struct cluster_domain_view *view)
{
    return index < self->members.domain_count && election_view(self, index, view);
}

bool cluster_domain_find(struct cluster *self, const char *domain, struct cluster_domain_view *view)
{
    uint32_t index = members_domain(self, domain, false);
    return index != UINT32_MAX && election_view(self, index, view);
}

bool cluster_holds(const struct cluster *self, const char *domain, struct claim *claim)
{
    for (uint32_t i = 0; i < self->members.domain_count; i++)
        if (election_holds(self, i, NULL) && strcmp(members_domain_name(self, i), domain) == 0)
            return election_holds(self, i, claim);
    return false;
}

unsigned cluster_peer_count(const struct cluster *self)
{
    unsigned count = 0;
    for (unsigned i = 0; i < CLUSTER_LINKS; i++)
        count += self->links[i].state != LINK_FREE;
    return count;
}

bool cluster_peer_at(const struct cluster *self, unsigned index, struct cluster_peer_view *view)
{
    for (unsigned i = 0; i < CLUSTER_LINKS; i++) {
        const struct link *link = &self->links[i];
        if (link->state == LINK_FREE || index-- > 0)
            continue;
        *view = (struct cluster_peer_view){
            .id = link->id,
            .dialled = link->dialled,
            .active = link->state == LINK_ACTIVE,
            .outside = link->outside,
            .since = link->since_wall,
            .heard = self->mono - link->heard,
            .rtt = link->rtt,
            .messages_in = link->messages_in,
            .messages_out = link->messages_out,
            .bytes_in = link->bytes_in,
            .bytes_out = link->bytes_out,
            .malformed = link->malformed,
        };
        return true;
    }
    return false;
}

static size_t memory_of(const struct cluster *self)
{
    const struct members *members = &self->members;
    return sizeof *self + members->capacity * sizeof(struct member) +
           ((size_t)members->index_mask + 1) * sizeof(struct index_entry) +
           members->candidate_capacity * sizeof(struct candidate) + history_bytes(self->history) +
           reports_bytes(self) + record_pool_bytes(self->pool);
}

void cluster_status(const struct cluster *self, struct cluster_status *status)
{
    *status = (struct cluster_status){
        .id = self->id,
        .observed = self->observed - OBSERVED_START,
        .tilt = core_tilt(self),
        .incarnation = self->incarnation,
        .members = self->members.count,
        .neighbours = (unsigned)__builtin_popcount(self->overlay.active),
        .converged_ago = self->gossip.converged < 0 ? -1 : self->mono - self->gossip.converged,
        .policy_version = self->policy ? self->policy->policy.version : 0,
        .memory = memory_of(self),
        .support = members_support(self),
    };
    for (uint32_t i = 0; i < self->members.count; i++) {
        switch (state_of(self, i)) {
        case MEMBER_ONLINE:
        case MEMBER_LATE:
            status->online++;
            break;
        case MEMBER_OFFLINE:
            status->offline++;
            break;
        case MEMBER_LEFT:
            status->left++;
            break;
        case MEMBER_REVOKED:
            status->revoked++;
            break;
        case MEMBER_UNHEARD:
            break;
        }
    }
}

const struct cluster_counters *cluster_counters(const struct cluster *self)
{
    return &self->counters;
}

unsigned cluster_history_count(const struct cluster *self)
{
    return history_count(self->history);
}

bool cluster_history_at(const struct cluster *self, unsigned index, struct cluster_notice *notice)
{
    return history_at(self->history, index, notice);
}
