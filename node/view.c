/* SPDX-License-Identifier: Apache-2.0 */
#include "node/view.h"

#include "base/text.h"
#include "base/version.h"
#include "node/view_internal.h"

#include <stdio.h>

static const char *const member_states[] = {
    [MEMBER_UNHEARD] = "unheard", [MEMBER_ONLINE] = "online", [MEMBER_LATE] = "late",
    [MEMBER_OFFLINE] = "offline", [MEMBER_LEFT] = "left",     [MEMBER_REVOKED] = "revoked",
};

const char *view_member_state(enum member_state state)
{
    return member_states[state];
}

const char *view_election_state(enum election_state state)
{
    static const char *const names[] = {
        [ELECTION_BOOT] = "boot",     [ELECTION_OBSERVER] = "observer", [ELECTION_FOLLOWER] = "follower",
        [ELECTION_WAIT] = "wait",     [ELECTION_PRECHECK] = "precheck", [ELECTION_SETTLING] = "settling",
        [ELECTION_ACTIVE] = "active",
    };
    return names[state];
}

const char *view_cause(enum cluster_cause cause)
{
    return cause == CAUSE_NONE || cause >= CAUSES ? NULL : cluster_cause_text(cause);
}

void view_write_cause(struct json_writer *w, const char *key, enum cluster_cause cause)
{
    char text_key[32];
    const char *text = view_cause(cause);
    snprintf(text_key, sizeof(text_key), "%s_text", key);
    json_write_string(w, key, text ? cluster_cause_name(cause) : NULL);
    json_write_string(w, text_key, text);
}

const char *view_name(struct cluster *core, const struct node_id *id, char name[NAME_MAX_SIZE])
{
    struct cluster_member_view member;
    if (node_id_is_zero(id)) {
        snprintf(name, NAME_MAX_SIZE, "nobody");
    } else if (cluster_member_find(core, id, &member)) {
        snprintf(name, NAME_MAX_SIZE, "%s", member.record->certificate.name);
    } else {
        char text[NODE_ID_TEXT_SIZE];
        snprintf(name, NAME_MAX_SIZE, "%s", node_id_text(id, text));
    }
    return name;
}

void view_head(struct json_writer *w, const struct view_source *source)
{
    struct cluster_status status;
    struct cluster_member_view self;
    char text[NODE_ID_TEXT_SIZE];
    cluster_status(source->core, &status);
    json_write_int(w, "schema", VIEW_SCHEMA);
    json_write_object(w, "fleet");
    json_write_string(w, "name", source->fleet_name);
    struct node_id fleet;
    memcpy(fleet.bytes, source->fleet, FLEET_ID_SIZE);
    json_write_string(w, "id", node_id_text(&fleet, text));
    json_write_uint(w, "policy_version", status.policy_version);
    json_write_close(w);
    json_write_object(w, "view");
    if (cluster_member_at(source->core, 0, &self)) {
        json_write_string(w, "name", self.record->certificate.name);
        json_write_string(w, "site", self.record->certificate.grant.site);
        json_write_time(w, "started", (int64_t)self.record->started * 1000);
    }
    json_write_string(w, "id", node_id_text(&status.id, text));
    json_write_string(w, "version", picket_version());
    json_write_time(w, "time", source->wall);
    json_write_int(w, "observed_ms", status.observed);
    json_write_known(w, "converged_ago_ms", status.converged_ago);
    json_write_uint(w, "neighbours", status.neighbours);
    json_write_bool(w, "tilt", status.tilt);
    json_write_close(w);
}

/* --- members --- */

static void write_candidacies(struct json_writer *w, const struct record *record)
{
    const struct grant *grant = &record->certificate.grant;
    json_write_array(w, "candidate_for");
    for (unsigned i = 0; i < grant->domain_count; i++)
        if (!(record->candidate_off >> i & 1))
            json_write_string(w, NULL, grant->domains[i]);
    json_write_close(w);
    json_write_array(w, "candidate_off");
    for (unsigned i = 0; i < grant->domain_count; i++)
        if (record->candidate_off >> i & 1)
            json_write_string(w, NULL, grant->domains[i]);
    json_write_close(w);
}

/* Who holds what, collected once for all members. */
struct holders {
    unsigned count;
    struct {
        const char *domain;
        struct node_id id;
    } of[CLUSTER_DOMAINS];
};

static void collect_holders(struct cluster *core, struct holders *holders)
{
    struct cluster_domain_view domain;
    holders->count = 0;
    for (unsigned i = 0; i < cluster_domain_count(core) && holders->count < CLUSTER_DOMAINS; i++) {
        if (!cluster_domain_at(core, i, &domain) || !domain.has_claim || !domain.claim.settled ||
            domain.claim.released)
            continue;
        holders->of[holders->count].domain = domain.domain;
        holders->of[holders->count++].id = domain.claim.id;
    }
}

static void write_strings(struct json_writer *w, const char *key, const char *strings, size_t stride,
                          unsigned count)
{
    json_write_array(w, key);
    for (unsigned i = 0; i < count; i++)
        json_write_string(w, NULL, strings + i * stride);
    json_write_close(w);
}

static void write_member(struct json_writer *w, const struct cluster_member_view *member,
                         const struct holders *holders)
{
    const struct record *record = member->record;
    char text[NODE_ID_TEXT_SIZE];
    json_write_object(w, NULL);
    json_write_string(w, "name", record->certificate.name);
    json_write_string(w, "id", node_id_text(&member->id, text));
    json_write_bool(w, "self", member->self);
    json_write_string(w, "mode", record->certificate.grant.mode == MODE_SENSOR ? "sensor" : "standalone");
    json_write_string(w, "site", record->certificate.grant.site);
    json_write_string(w, "state", view_member_state(member->state));
    json_write_time(w, "since", member->since);
    json_write_known(w, "silent_ms", member->self ? 0 : member->silent);
    json_write_known(w, "period_ms", member->period);
    json_write_uint(w, "incarnation", record->incarnation);
    json_write_uint(w, "sequence", member->sequence);
    json_write_bool(w, "neighbour", member->neighbour);
    json_write_us_as_ms(w, "rtt_ms", member->rtt);
    json_write_string(w, "version", record->version);
    json_write_time(w, "started", (int64_t)record->started * 1000);
    json_write_uint(w, "key_generation", record->certificate.generation);
    json_write_time(w, "certified", (int64_t)record->certificate.issued * 1000);
    write_candidacies(w, record);
    json_write_array(w, "holds");
    for (unsigned i = 0; i < holders->count; i++)
        if (node_id_equal(&holders->of[i].id, &member->id))
            json_write_string(w, NULL, holders->of[i].domain);
    json_write_close(w);
    write_strings(w, "domain_controllers", record->controllers[0], sizeof(record->controllers[0]),
                  record->controller_count);
    write_strings(w, "endpoints", record->endpoints[0], sizeof(record->endpoints[0]), record->endpoint_count);
    json_write_close(w);
}

static void write_members(struct json_writer *w, const struct view_source *source)
{
    struct holders holders;
    struct cluster_member_view member;
    collect_holders(source->core, &holders);
    json_write_array(w, "members");
    for (unsigned i = 0; i < cluster_member_count(source->core); i++)
        if (cluster_member_at(source->core, i, &member))
            write_member(w, &member, &holders);
    json_write_close(w);
}

/* --- peers --- */

static void write_peer(struct json_writer *w, const struct view_source *source,
                       const struct cluster_peer_view *peer)
{
    char text[NODE_ID_TEXT_SIZE], name[NAME_MAX_SIZE];
    json_write_object(w, NULL);
    json_write_string(w, "name", view_name(source->core, &peer->id, name));
    json_write_string(w, "id", node_id_text(&peer->id, text));
    json_write_string(w, "direction", peer->dialled ? "out" : "in");
    json_write_bool(w, "neighbour", peer->active);
    json_write_bool(w, "other_site", peer->outside);
    json_write_time(w, "since", peer->since);
    json_write_known(w, "heard_ms", peer->heard);
    json_write_us_as_ms(w, "rtt_ms", peer->rtt);
    json_write_uint(w, "messages_in", peer->messages_in);
    json_write_uint(w, "messages_out", peer->messages_out);
    json_write_uint(w, "bytes_in", peer->bytes_in);
    json_write_uint(w, "bytes_out", peer->bytes_out);
    json_write_uint(w, "malformed", peer->malformed);
    json_write_close(w);
}

static void write_peers(struct json_writer *w, const struct view_source *source)
{
    struct cluster_peer_view peer;
    json_write_array(w, "peers");
    for (unsigned i = 0; i < cluster_peer_count(source->core); i++)
        if (cluster_peer_at(source->core, i, &peer))
            write_peer(w, source, &peer);
    json_write_close(w);
    const struct cluster_counters *counters = cluster_counters(source->core);
    json_write_object(w, "counters");
#define WRITE_COUNTER(name, doc) json_write_uint(w, #name, counters->name);
    CLUSTER_COUNTERS(WRITE_COUNTER)
#undef WRITE_COUNTER
    json_write_close(w);
    json_write_object(w, "transport");
    for (unsigned i = 0; i < source->transport_count; i++)
        json_write_uint(w, source->transport[i].name, source->transport[i].value);
    json_write_close(w);
}

/* --- reach --- */

/* How news of a member gets here. */
static const char *reached_by(const struct cluster_member_view *member)
{
    if (member->self)
        return "self";
    if (member->state == MEMBER_LEFT || member->state == MEMBER_REVOKED)
        return "gone";
    if (member->state == MEMBER_OFFLINE || member->state == MEMBER_UNHEARD)
        return "none";
    return member->neighbour ? "link" : "relay";
}

static void write_reach(struct json_writer *w, const struct view_source *source)
{
    struct cluster_member_view member;
    json_write_array(w, "members");
    for (unsigned i = 0; i < cluster_member_count(source->core); i++) {
        if (!cluster_member_at(source->core, i, &member))
            continue;
        const struct record *record = member.record;
        json_write_object(w, NULL);
        json_write_string(w, "name", record->certificate.name);
        json_write_string(w, "site", record->certificate.grant.site);
        json_write_string(w, "mode", record->certificate.grant.mode == MODE_SENSOR ? "sensor" : "standalone");
        json_write_string(w, "state", view_member_state(member.state));
        json_write_string(w, "by", reached_by(&member));
        json_write_known(w, "silent_ms", member.self ? 0 : member.silent);
        json_write_us_as_ms(w, "rtt_ms", member.rtt);
        write_strings(w, "endpoints", record->endpoints[0], sizeof(record->endpoints[0]),
                      record->endpoint_count);
        json_write_close(w);
    }
    json_write_close(w);
    json_write_array(w, "directories");
    for (unsigned i = 0; i < source->directory_count; i++) {
        const struct view_directory *directory = &source->directories[i];
        json_write_object(w, NULL);
        json_write_string(w, "domain", directory->domain);
        json_write_string(w, "address", directory->address);
        json_write_bool(w, "reachable", directory->reachable);
        json_write_time(w, "tried", directory->tried);
        json_write_string(w, "reason", directory->reason);
        json_write_close(w);
    }
    json_write_close(w);
}

/* --- history --- */

static bool concerns(const struct cluster_notice *notice, const char *domain)
{
    return !*domain || (notice->domain && strcmp(notice->domain, domain) == 0);
}

static void write_history(struct json_writer *w, const struct control_request *request,
                          const struct view_source *source)
{
    unsigned count = cluster_history_count(source->core), matching = 0, seen = 0;
    struct cluster_notice notice;
    for (unsigned i = 0; i < count; i++)
        matching += cluster_history_at(source->core, i, &notice) && concerns(&notice, request->domain);
    unsigned skipped = request->limit && matching > request->limit ? matching - request->limit : 0;
    json_write_array(w, "history");
    for (unsigned i = 0; i < count; i++)
        if (cluster_history_at(source->core, i, &notice) && concerns(&notice, request->domain) &&
            seen++ >= skipped)
            view_notice(w, NULL, source->core, &notice);
    json_write_close(w);
}

/* --- the answers --- */

void view_answer(struct json_writer *w, const struct control_request *request,
                 const struct view_source *source)
{
    struct cluster_domain_view domain;
    if (*request->domain && !cluster_domain_find(source->core, request->domain, &domain)) {
        char message[DOMAIN_MAX_SIZE + 64];
        snprintf(message, sizeof(message), "no node of the fleet knows a domain %s", request->domain);
        view_refuse(w, "unknown_domain", message);
        return;
    }
    json_write_object(w, NULL);
    view_head(w, source);
    switch (request->verb) {
    case CONTROL_STATUS:
        view_status(w, source);
        break;
    case CONTROL_MEMBERS:
        write_members(w, source);
        break;
    case CONTROL_SYNCHRONIZER:
        view_domains(w, "domains", source);
        break;
    case CONTROL_WHY:
        view_why(w, request->domain, source);
        break;
    case CONTROL_PEERS:
        write_peers(w, source);
        break;
    case CONTROL_REACH:
        write_reach(w, source);
        break;
    case CONTROL_HISTORY:
        write_history(w, request, source);
        break;
    case CONTROL_SYNC:
        view_sync(w, request->domain, source);
        break;
    case CONTROL_QUOTA:
        view_quota(w, source);
        break;
    case CONTROL_HEALTH:
        view_health(w, source);
        break;
    default: /* streams and changes are not answered by a view */
        break;
    }
    json_write_close(w);
}
