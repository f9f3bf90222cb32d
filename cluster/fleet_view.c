/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/fleet_view.h"

#define DOMAIN_SIZE_MAX 512u /* of one as it is encoded: its texts and 80 bytes of numbers and keys */
#define MEMBER_SIZE_MAX 400u
#define HEAD_SIZE_MAX   96u

enum view_key {
    VIEW_COUNTED, /* members */
    VIEW_ONLINE,
    VIEW_OFFLINE,
    VIEW_LEFT,
    VIEW_REVOKED,
    VIEW_NEIGHBOURS,
    VIEW_TELLS_MEMBERS,
    VIEW_DOMAINS,
    VIEW_MEMBERS,
};
enum domain_key {
    DOMAIN_NAME,
    DOMAIN_STATE,
    DOMAIN_HOLDER,
    DOMAIN_HOLDER_NAME,
    DOMAIN_TERM,
    DOMAIN_SUPPORT,
    DOMAIN_SETTLED,
    DOMAIN_SINCE,
    DOMAIN_SILENT, /* plus one: 0 is unknown */
    DOMAIN_CANDIDATES,
    DOMAIN_CANDIDATES_ONLINE,
};
enum member_key {
    MEMBER_ID,
    MEMBER_NAME,
    MEMBER_SITE,
    MEMBER_STATE,
    MEMBER_VERSION,
    MEMBER_STANDALONE,
    MEMBER_SINCE,
    MEMBER_SILENT, /* plus one */
    MEMBER_STARTED,
};

#define HAS(key) (UINT32_C(1) << (key))

/* -- writing ----------------------------------------------------------------------------------------------
 */

size_t fleet_view_bound(unsigned domains, unsigned members)
{
    return HEAD_SIZE_MAX + (size_t)domains * DOMAIN_SIZE_MAX + (size_t)members * MEMBER_SIZE_MAX;
}

void fleet_view_begin(struct fleet_view_writer *writer, void *buffer, size_t capacity,
                      const struct fleet_view *view)
{
    struct body_writer *body = &writer->body;
    body_begin(body, buffer, capacity, BODY_FLEET_VIEW);
    body_put_uint(body, VIEW_COUNTED, view->members);
    body_put_uint(body, VIEW_ONLINE, view->online);
    body_put_uint(body, VIEW_OFFLINE, view->offline);
    body_put_uint(body, VIEW_LEFT, view->left);
    body_put_uint(body, VIEW_REVOKED, view->revoked);
    body_put_uint(body, VIEW_NEIGHBOURS, view->neighbours);
    body_put_uint(body, VIEW_TELLS_MEMBERS, view->tells_members);
    writer->domains = view->domain_count;
    writer->members = view->member_count;
    if (view->domain_count)
        body_put_array(body, VIEW_DOMAINS, view->domain_count);
    else if (view->member_count)
        body_put_array(body, VIEW_MEMBERS, view->member_count);
}

static void put_part(struct fleet_view_writer *writer, struct body_writer *part)
{
    size_t size = body_finish(part);
    if (size == 0)
        writer->body.out.full = true;
    else
        msgpack_put_binary(&writer->body.out, part->out.data, size);
}

void fleet_view_put_domain(struct fleet_view_writer *writer, const struct fleet_domain *domain)
{
    uint8_t buffer[DOMAIN_SIZE_MAX];
    struct body_writer part;
    body_begin(&part, buffer, sizeof buffer, BODY_FLEET_DOMAIN);
    body_put_text(&part, DOMAIN_NAME, domain->domain);
    body_put_text(&part, DOMAIN_STATE, domain->state);
    if (!node_id_is_zero(&domain->holder))
        body_put_binary(&part, DOMAIN_HOLDER, domain->holder.bytes, NODE_ID_SIZE);
    body_put_text(&part, DOMAIN_HOLDER_NAME, domain->holder_name);
    body_put_uint(&part, DOMAIN_TERM, domain->term);
    body_put_uint(&part, DOMAIN_SUPPORT, domain->support);
    body_put_uint(&part, DOMAIN_SETTLED, domain->settled);
    body_put_uint(&part, DOMAIN_SINCE, domain->since);
    body_put_uint(&part, DOMAIN_SILENT, (uint64_t)(domain->silent + 1));
    body_put_uint(&part, DOMAIN_CANDIDATES, domain->candidates);
    body_put_uint(&part, DOMAIN_CANDIDATES_ONLINE, domain->candidates_online);
    put_part(writer, &part);
    if (--writer->domains == 0 && writer->members)
        body_put_array(&writer->body, VIEW_MEMBERS, writer->members);
}

void fleet_view_put_member(struct fleet_view_writer *writer, const struct fleet_member *member)
{
    uint8_t buffer[MEMBER_SIZE_MAX];
    struct body_writer part;
    body_begin(&part, buffer, sizeof buffer, BODY_FLEET_MEMBER);
    body_put_binary(&part, MEMBER_ID, member->id.bytes, NODE_ID_SIZE);
    body_put_text(&part, MEMBER_NAME, member->name);
    body_put_text(&part, MEMBER_SITE, member->site);
    body_put_text(&part, MEMBER_STATE, member->state);
    body_put_text(&part, MEMBER_VERSION, member->version);
    body_put_uint(&part, MEMBER_STANDALONE, member->standalone);
    body_put_uint(&part, MEMBER_SINCE, member->since);
    body_put_uint(&part, MEMBER_SILENT, (uint64_t)(member->silent + 1));
    body_put_uint(&part, MEMBER_STARTED, member->started);
    put_part(writer, &part);
    writer->members--;
}

size_t fleet_view_finish(struct fleet_view_writer *writer)
{
    return body_finish(&writer->body);
}

/* -- reading ----------------------------------------------------------------------------------------------
 */

static bool read_domain(struct fleet_domain *domain, struct bytes encoded)
{
    struct body body = body_open(encoded, BODY_FLEET_DOMAIN);
    int key;
    *domain = (struct fleet_domain){.silent = -1};
    while ((key = body_next(&body)) >= 0) {
        switch (key) {
        case DOMAIN_NAME:
            body_text(&body, domain->domain, sizeof domain->domain, domain_valid);
            break;
        case DOMAIN_STATE:
            body_text(&body, domain->state, sizeof domain->state, name_valid);
            break;
        case DOMAIN_HOLDER:
            body_binary(&body, domain->holder.bytes, NODE_ID_SIZE);
            break;
        case DOMAIN_HOLDER_NAME:
            body_text(&body, domain->holder_name, sizeof domain->holder_name, name_valid);
            break;
        case DOMAIN_TERM:
            domain->term = body_uint(&body, UINT64_MAX);
            break;
        case DOMAIN_SUPPORT:
            domain->support = body_uint(&body, UINT64_MAX);
            break;
        case DOMAIN_SETTLED:
            domain->settled = body_uint(&body, 1) == 1;
            break;
        case DOMAIN_SINCE:
            domain->since = body_uint(&body, INT64_MAX);
            break;
        case DOMAIN_SILENT:
            domain->silent = (int64_t)body_uint(&body, INT64_MAX) - 1;
            break;
        case DOMAIN_CANDIDATES:
            domain->candidates = (unsigned)body_uint(&body, UINT32_MAX);
            break;
        case DOMAIN_CANDIDATES_ONLINE:
            domain->candidates_online = (unsigned)body_uint(&body, UINT32_MAX);
            break;
        default:
            body_skip(&body);
        }
    }
    return body_end(&body, HAS(DOMAIN_NAME) | HAS(DOMAIN_STATE));
}

static bool read_member(struct fleet_member *member, struct bytes encoded)
{
    struct body body = body_open(encoded, BODY_FLEET_MEMBER);
    int key;
    *member = (struct fleet_member){.silent = -1};
    while ((key = body_next(&body)) >= 0) {
        switch (key) {
        case MEMBER_ID:
            body_binary(&body, member->id.bytes, NODE_ID_SIZE);
            break;
        case MEMBER_NAME:
            body_text(&body, member->name, sizeof member->name, name_valid);
            break;
        case MEMBER_SITE:
            body_text(&body, member->site, sizeof member->site, name_valid);
            break;
        case MEMBER_STATE:
            body_text(&body, member->state, sizeof member->state, name_valid);
            break;
        case MEMBER_VERSION:
            body_text(&body, member->version, sizeof member->version, version_valid);
            break;
        case MEMBER_STANDALONE:
            member->standalone = body_uint(&body, 1) == 1;
            break;
        case MEMBER_SINCE:
            member->since = body_uint(&body, INT64_MAX);
            break;
        case MEMBER_SILENT:
            member->silent = (int64_t)body_uint(&body, INT64_MAX) - 1;
            break;
        case MEMBER_STARTED:
            member->started = body_uint(&body, INT64_MAX / 1000000000);
            break;
        default:
            body_skip(&body);
        }
    }
    return body_end(&body, HAS(MEMBER_ID) | HAS(MEMBER_NAME) | HAS(MEMBER_SITE) | HAS(MEMBER_STATE));
}

static unsigned read_domains(struct body *body, const struct fleet_view_visitor *visitor)
{
    struct fleet_domain domain;
    unsigned count = body_array(body, FLEET_VIEW_DOMAINS);
    for (unsigned i = 0; i < count && !body->failed; i++) {
        if (!read_domain(&domain, body_bytes(body, DOMAIN_SIZE_MAX)))
            body_fail(body);
        else if (visitor && visitor->domain)
            visitor->domain(visitor->context, &domain);
    }
    return count;
}

static unsigned read_members(struct body *body, const struct fleet_view_visitor *visitor)
{
    struct fleet_member member;
    unsigned count = body_array(body, FLEET_VIEW_MEMBERS);
    for (unsigned i = 0; i < count && !body->failed; i++) {
        if (!read_member(&member, body_bytes(body, MEMBER_SIZE_MAX)))
            body_fail(body);
        else if (visitor && visitor->member)
            visitor->member(visitor->context, &member);
    }
    return count;
}

bool fleet_view_read(struct fleet_view *view, struct bytes encoded, const struct fleet_view_visitor *visitor)
{
    struct body body = body_open(encoded, BODY_FLEET_VIEW);
    int key;
    *view = (struct fleet_view){0};
    while ((key = body_next(&body)) >= 0) {
        switch (key) {
        case VIEW_COUNTED:
            view->members = (unsigned)body_uint(&body, UINT32_MAX);
            break;
        case VIEW_ONLINE:
            view->online = (unsigned)body_uint(&body, UINT32_MAX);
            break;
        case VIEW_OFFLINE:
            view->offline = (unsigned)body_uint(&body, UINT32_MAX);
            break;
        case VIEW_LEFT:
            view->left = (unsigned)body_uint(&body, UINT32_MAX);
            break;
        case VIEW_REVOKED:
            view->revoked = (unsigned)body_uint(&body, UINT32_MAX);
            break;
        case VIEW_NEIGHBOURS:
            view->neighbours = (unsigned)body_uint(&body, UINT32_MAX);
            break;
        case VIEW_TELLS_MEMBERS:
            view->tells_members = body_uint(&body, 1) == 1;
            break;
        case VIEW_DOMAINS:
            view->domain_count = read_domains(&body, visitor);
            break;
        case VIEW_MEMBERS:
            view->member_count = read_members(&body, visitor);
            break;
        default:
            body_skip(&body);
        }
    }
    return body_end(&body, HAS(VIEW_COUNTED)) && view->members > 0; /* itself, at least */
}
