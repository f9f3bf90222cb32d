/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the views share.
 */
#pragma once

#include "base/text.h"
#include "node/view.h"

/* "schema", "fleet" and "view": whose view it is, of when, and how far it can be trusted. Inside an object.
 */
void view_head(struct json_writer *w, const struct view_source *source);

/* A member's name; its id when it is not known, "nobody" for none. */
const char *view_name(struct cluster *core, const struct node_id *id, char name[NAME_MAX_SIZE]);

const char *view_member_state(enum member_state state);
const char *view_election_state(enum election_state state);
const char *view_cause(enum cluster_cause cause);
/* `key`: its name for programs, and `key`_text: its sentence; both null where there is none. */
void view_write_cause(struct json_writer *w, const char *key, enum cluster_cause cause);

/* --- domains (view_domain.c) --- */
enum domain_state {
    DOMAIN_STARTING,   /* this node has just started and listens first */
    DOMAIN_HELD,       /* its synchronizer is heard */
    DOMAIN_SILENT,     /* its synchronizer is not */
    DOMAIN_ELECTING,   /* somebody bids */
    DOMAIN_RELEASED,   /* its synchronizer let go and nobody has bid yet */
    DOMAIN_UNASSIGNED, /* nobody, and nobody in sight: health issue 1007 */
};
enum domain_state domain_state_of(const struct cluster_domain_view *domain);
const char *view_domain_state(const struct cluster_domain_view *domain); /* its name */
/* What happens next with a domain and when. */
void domain_sentence(struct text *t, struct cluster *core, const struct cluster_domain_view *domain);
void view_domains(struct json_writer *w, const char *key, const struct view_source *source);
void view_why(struct json_writer *w, const char *domain, const struct view_source *source);

/* --- replication (view_sync.c); `only` one domain, or "" --- */
void view_sync(struct json_writer *w, const char *only, const struct view_source *source);

/* --- the good guest (view_quota.c) --- */
void view_quota(struct json_writer *w, const struct view_source *source);

/* --- problems (view_status.c) --- */
void view_health(struct json_writer *w, const struct view_source *source);
void view_problems(struct json_writer *w, const struct view_source *source);
void view_status(struct json_writer *w, const struct view_source *source);
