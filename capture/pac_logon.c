/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/pac_logon.h"

#include "capture/ndr.h"
#include "capture/pac.h"

static int64_t filetime(struct ndr *n)
{
    uint64_t low = ndr_u32(n), high = ndr_u32(n);
    return pac_filetime(high << 32 | low);
}

/* Type serialization version 1 ([MS-RPCE] 2.2.6.1, 2.2.6.2): version 1, byte order 0x10, length 8, filler;
 * size of the object, filler. Then the object: a pointer to the structure. */
static bool serialization(struct bytes buffer, struct ndr *to)
{
    enum { HEADERS = 16 };
    if (buffer.size < HEADERS || buffer.data[0] != 1)
        return false;
    bool big_endian = buffer.data[1] != 0x10;
    *to = ndr_of((struct bytes){buffer.data + HEADERS, buffer.size - HEADERS}, big_endian, false);
    return !big_endian && ndr_pointer(to);
}

static struct bytes text(struct ndr *n, bool present)
{
    return present ? ndr_string16(n) : (struct bytes){0};
}

/* A conformant array of GROUP_MEMBERSHIP, little-endian: it stays where it stands. */
static struct pac_groups memberships(struct ndr *n, bool present)
{
    struct pac_groups groups = {.list = {0}};
    if (!present)
        return groups;
    uint32_t count = ndr_u32(n);
    if (count > cursor_left(&n->cursor) / 8)
        cursor_fail(&n->cursor);
    else
        groups.list = cursor_take(&n->cursor, (size_t)count * 8);
    return groups;
}

/* A conformant array of KERB_SID_AND_ATTRIBUTES: pointers and attributes, then the SIDs. */
static struct pac_sids sids(struct ndr *n, bool present)
{
    struct pac_sids list = {.count = 0};
    if (!present)
        return list;
    uint32_t count = ndr_u32(n), there = 0;
    for (uint32_t i = 0; i < count && !ndr_failed(n); i++) {
        there += ndr_pointer(n);
        ndr_u32(n);
    }
    const uint8_t *from = n->cursor.at;
    for (uint32_t i = 0; i < there && !ndr_failed(n); i++)
        ndr_sid(n);
    if (ndr_failed(n))
        return list;
    list.count = there;
    list.start = n->start;
    list.deferred = (struct bytes){.data = from, .size = (size_t)(n->cursor.at - from)};
    return list;
}

/* Which of the pointers are not null: what they point to follows in this order. */
struct referents {
    bool names[6]; /* effective and full name, script, profile, home directory and drive */
    bool groups;
    bool server;
    bool domain;
    bool domain_sid;
    bool extra;
    bool resource_sid;
    bool resource_groups;
};

static void fixed_part(struct ndr *n, struct pac_logon *to, struct referents *r)
{
    to->logon_time = filetime(n);
    to->logoff_time = filetime(n);
    to->kickoff_time = filetime(n);
    to->password_last_set = filetime(n);
    filetime(n); /* when it can be changed */
    to->password_must_change = filetime(n);
    for (int i = 0; i < 6; i++)
        r->names[i] = ndr_unicode_string(n);
    to->logon_count = ndr_u16(n);
    to->bad_passwords = ndr_u16(n);
    to->rid = ndr_u32(n);
    to->primary_group = ndr_u32(n);
    ndr_u32(n); /* number of groups: the array says it again */
    r->groups = ndr_pointer(n);
    to->user_flags = ndr_u32(n);
    cursor_skip(&n->cursor, 16); /* session key: of NTLM, else zero */
    r->server = ndr_unicode_string(n);
    r->domain = ndr_unicode_string(n);
    r->domain_sid = ndr_pointer(n);
    cursor_skip(&n->cursor, 8);
    to->account_control = ndr_u32(n);
    cursor_skip(&n->cursor, 4 + 8 + 8 + 4 + 4); /* of sub-authentication, interactive logons */
    ndr_u32(n);                                 /* number of extra SIDs */
    r->extra = ndr_pointer(n);
    r->resource_sid = ndr_pointer(n);
    ndr_u32(n);
    r->resource_groups = ndr_pointer(n);
}

bool pac_logon_read(struct bytes buffer, struct pac_logon *to)
{
    *to = (struct pac_logon){.rid = 0};
    struct ndr n;
    struct referents r = {.groups = false};
    if (!serialization(buffer, &n))
        return false;
    fixed_part(&n, to, &r);
    to->account = text(&n, r.names[0]);
    to->full_name = text(&n, r.names[1]);
    for (int i = 2; i < 6; i++)
        text(&n, r.names[i]);
    to->groups = memberships(&n, r.groups);
    to->logon_server = text(&n, r.server);
    to->domain = text(&n, r.domain);
    if (r.domain_sid)
        to->domain_sid = ndr_sid(&n);
    to->extra = sids(&n, r.extra);
    if (r.resource_sid)
        to->resource_domain_sid = ndr_sid(&n);
    to->resource_groups = memberships(&n, r.resource_groups);
    return !ndr_failed(&n);
}

bool pac_next_group(const struct pac_groups *groups, size_t *at, uint32_t *rid, uint32_t *attributes)
{
    if (groups->list.size - *at < 8)
        return false;
    struct cursor c = cursor_of(groups->list.data + *at, 8);
    *rid = cursor_le32(&c);
    *attributes = cursor_le32(&c);
    *at += 8;
    return true;
}

bool pac_next_sid(const struct pac_sids *list, size_t *at, struct bytes *sid)
{
    if (*at >= list->deferred.size)
        return false;
    struct ndr n = {.cursor = cursor_of(list->deferred.data + *at, list->deferred.size - *at),
                    .start = list->start};
    *sid = ndr_sid(&n);
    if (ndr_failed(&n))
        return false;
    *at = (size_t)(n.cursor.at - list->deferred.data);
    return true;
}
