/* SPDX-License-Identifier: Apache-2.0
 *
 * A node's view of its fleet as it travels to a center: how many members it knows, of each domain who
 * synchronizes it, and, when this node is the one that tells them, the members. Not signed: it comes over a
 * connection that is the node's own, and says no more than what this node believes. Bodies (cluster/body.h)
 * within a body; docs/identity.md has the keys.
 */
#pragma once

#include "cluster/record.h"

#define FLEET_VIEW_DOMAINS 64u
#define FLEET_VIEW_MEMBERS 5000u /* told at most; how many there are is told in any case */

struct fleet_view {
    unsigned members, online, offline, left, revoked, neighbours;
    bool tells_members;
    unsigned domain_count, member_count; /* of what follows */
};

struct fleet_domain {
    char domain[DOMAIN_MAX_SIZE];
    char state[NAME_MAX_SIZE]; /* as `picket synchronizer` names it: held, silent, electing, ... */
    struct node_id holder;     /* all zero: nobody */
    char holder_name[NAME_MAX_SIZE];
    uint64_t term, support;
    bool settled;
    uint64_t since; /* wall ms, by the teller's clock; 0: before it started */
    int64_t silent; /* ms since the holder was heard; -1: never, or nobody */
    unsigned candidates, candidates_online;
};

struct fleet_member {
    struct node_id id;
    char name[NAME_MAX_SIZE], site[NAME_MAX_SIZE], version[NAME_MAX_SIZE];
    char state[NAME_MAX_SIZE]; /* as `picket members` names it: online, late, offline, ... */
    bool standalone;
    uint64_t since;   /* wall ms of the last change of state */
    int64_t silent;   /* ms since it was heard; -1: never */
    uint64_t started; /* seconds since 1970 */
};

/* What a buffer must have for so many. */
size_t fleet_view_bound(unsigned domains, unsigned members);

/* Writing: as many domains and then members as `view` says, in this order. The size; 0: it did not fit. */
struct fleet_view_writer {
    struct body_writer body;
    unsigned domains, members; /* still to come */
};
void fleet_view_begin(struct fleet_view_writer *writer, void *buffer, size_t capacity,
                      const struct fleet_view *view);
void fleet_view_put_domain(struct fleet_view_writer *writer, const struct fleet_domain *domain);
void fleet_view_put_member(struct fleet_view_writer *writer, const struct fleet_member *member);
size_t fleet_view_finish(struct fleet_view_writer *writer);

/* Reading: false when it is none; then some may have been visited. Visitors may be NULL. */
struct fleet_view_visitor {
    void (*domain)(void *context, const struct fleet_domain *domain);
    void (*member)(void *context, const struct fleet_member *member);
    void *context;
};
bool fleet_view_read(struct fleet_view *view, struct bytes encoded, const struct fleet_view_visitor *visitor);
