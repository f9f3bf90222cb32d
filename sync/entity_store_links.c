/* SPDX-License-Identifier: Apache-2.0
 *
 * Links, the groups that follow of them, and what those make sensitive.
 */
#include "sync/entity_store_read.h"

#include "sync/entity_sensitivity.h"

/* -- links
 * ---------------------------------------------------------------------------------------------------- */

static uint64_t each_link(struct entity_store_read *read, enum table table, const struct guid *guid,
                          enum entity_link link, bool (*visit)(void *to, const struct guid *other), void *to)
{
    MDB_cursor *cursor = NULL;
    uint32_t number, other;
    uint64_t count = 0;
    bool first = true, more = true;
    int code;
    if (!read_number(read, guid, &number) ||
        mdb_cursor_open(read->txn, read->store->tables[table], &cursor) != 0)
        return 0;
    while (more && set_next(cursor, key_of_link(number, link), &first, &other, &code)) {
        struct bytes record;
        struct entity_record_head head;
        if (!read_record(read, other, &record, &head))
            continue;
        count++;
        more = visit(to, &head.guid);
    }
    mdb_cursor_close(cursor);
    return count;
}

uint64_t entity_store_links(struct entity_store_read *read, const struct guid *from, enum entity_link link,
                            bool (*visit)(void *to, const struct guid *target), void *to)
{
    return each_link(read, TABLE_FORWARD, from, link, visit, to);
}

uint64_t entity_store_backlinks(struct entity_store_read *read, const struct guid *target,
                                enum entity_link link, bool (*visit)(void *to, const struct guid *source),
                                void *to)
{
    return each_link(read, TABLE_BACKWARD, target, link, visit, to);
}

uint64_t entity_store_link_count(struct entity_store_read *read, const struct guid *from,
                                 enum entity_link link)
{
    uint32_t number;
    size_t count = 0;
    MDB_cursor *cursor = read_cursor(read, TABLE_FORWARD);
    if (!cursor || !read_number(read, from, &number))
        return 0;
    uint64_t forward = key_of_link(number, link);
    MDB_val key = val_of(&forward, sizeof forward), value;
    if (mdb_cursor_get(cursor, &key, &value, MDB_SET) != 0 || mdb_cursor_count(cursor, &count) != 0)
        return 0;
    return count;
}

bool entity_store_unknown_dn(struct entity_store_read *read, const struct guid *guid, char *to,
                             size_t capacity)
{
    uint32_t number;
    struct entity_record_head head;
    struct bytes record;
    MDB_val value;
    if (!read_number(read, guid, &number) || !read_record(read, number, &record, &head) ||
        !(head.flags & RECORD_UNKNOWN) || !entity_record_decode(record, &head, &read->visited) ||
        !read->visited.rdn.size)
        return false;
    if (head.parent && read_get(read, TABLE_PARENTS, val_of(&head.parent, sizeof head.parent), &value))
        read->visited.parent = bytes_of(value);
    entity_dn(&read->visited, to, capacity);
    return true;
}

/* -- groups in groups
 * ------------------------------------------------------------------------------------------ */

/* Whether it was not met on this walk before. */
static bool meet(struct entity_store_read *read, uint32_t number)
{
    uint32_t slot = number * 2654435761u;
    for (;; slot++) {
        struct seen_slot *at = &read->seen[slot % SEEN_SLOTS];
        if (at->round == read->round && at->number == number)
            return false;
        if (at->round == read->round)
            continue;
        *at = (struct seen_slot){.number = number, .round = read->round};
        return true;
    }
}

static void add_group(struct entity_store_read *read, uint32_t number, uint32_t depth)
{
    if (read->group_count < GROUPS_MAX && meet(read, number))
        read->groups[read->group_count++] = (struct group){.number = number, .depth = depth};
}

static void add_sources(struct entity_store_read *read, uint32_t member, uint32_t depth)
{
    MDB_cursor *cursor = read_cursor(read, TABLE_BACKWARD);
    uint32_t source;
    bool first = true;
    int code;
    while (cursor && set_next(cursor, key_of_link(member, LINK_MEMBER), &first, &source, &code))
        add_group(read, source, depth);
}

#define STANDING_MAX 64u

/* Other objects with the same SID stand for the same principal: foreign principals in other domains, through
 * which it is in their groups. With `groups`, groups that have the SID count as well (sIDHistory). */
static void add_by_sid(struct entity_store_read *read, struct bytes sid, uint32_t self, bool groups,
                       uint32_t depth)
{
    MDB_cursor *cursor = read_cursor(read, TABLE_SIDS);
    uint32_t standing[STANDING_MAX], count = 0, number;
    struct entity_record_head head;
    bool first = true;
    while (cursor && count < STANDING_MAX && read_next_sid(read, cursor, sid, &first, &number, &head)) {
        if (head.kind == ENTITY_GROUP && groups)
            add_group(read, number, depth);
        else if (number != self && (head.kind == ENTITY_FOREIGN_PRINCIPAL || groups))
            standing[count++] = number;
    }
    for (uint32_t i = 0; i < count; i++)
        add_sources(read, standing[i], depth);
}

/* The group whose RID is primaryGroupID, in the domain of the entity's own SID. */
static void add_primary(struct entity_store_read *read, const struct entity *entity)
{
    const struct activity_value *sid = entity_get(entity, ENTITY_OBJECT_SID);
    const struct activity_value *rid = entity_get(entity, ENTITY_PRIMARY_GROUP_ID);
    uint8_t group[SID_BYTES_MAX];
    if (!sid || !rid || sid->bytes.size < 12 || sid->bytes.size > sizeof group)
        return;
    memcpy(group, sid->bytes.data, sid->bytes.size);
    for (unsigned i = 0; i < 4; i++)
        group[sid->bytes.size - 4 + i] = (uint8_t)(rid->uint >> 8 * i);
    add_by_sid(read, (struct bytes){group, sid->bytes.size}, 0, true, 1);
}

/* Where the logon puts everybody ([MS-DTYP] 2.4.2.4), if the domain has an object for it. */
static void add_well_known(struct entity_store_read *read, const struct entity *entity, uint32_t context)
{
    static const uint8_t authenticated_users[] = {1, 1, 0, 0, 0, 0, 0, 5, 11, 0, 0, 0};
    static const uint8_t everyone[] = {1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0};
    static const uint8_t enterprise_controllers[] = {1, 1, 0, 0, 0, 0, 0, 5, 9, 0, 0, 0};
    const struct {
        const uint8_t *sid;
        bool is_in;
    } known[] = {
        {authenticated_users, true},
        {everyone, true},
        {enterprise_controllers, entity_is_domain_controller(entity)},
    };
    if (entity->kind != ENTITY_USER && entity->kind != ENTITY_COMPUTER &&
        entity->kind != ENTITY_MANAGED_ACCOUNT)
        return;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        MDB_cursor *cursor = known[i].is_in ? read_cursor(read, TABLE_SIDS) : NULL;
        struct entity_record_head head;
        uint32_t number;
        bool first = true;
        while (cursor &&
               read_next_sid(read, cursor, (struct bytes){known[i].sid, 12}, &first, &number, &head)) {
            if (head.context == context)
                add_group(read, number, 1);
        }
    }
}

static void add_history(struct entity_store_read *read, const struct entity *entity)
{
    const struct activity_value *history = entity_get(entity, ENTITY_SID_HISTORY);
    if (!history)
        return;
    struct cursor items = history->list.items;
    for (uint32_t i = 0; i < history->list.count; i++)
        add_by_sid(read, activity_next_item(&items, TYPE_SID).bytes, 0, true, 1);
}

static void begin_walk(struct entity_store_read *read)
{
    read->group_count = 0;
    if (++read->round == 0) { /* after 2^32 walks: slots of the first ones would count again */
        memset(read->seen, 0, sizeof read->seen);
        read->round = 1;
    }
}

/* Fills read->groups, nearest first, until `wanted` (0: none) is among them. False when the entity is not
 * known. */
static bool walk_groups(struct entity_store_read *read, const struct guid *guid, uint32_t wanted)
{
    uint32_t number;
    struct entity_record_head head;
    begin_walk(read);
    if (!read_number(read, guid, &number) || !read_entity(read, number, &head, &read->member) ||
        read->member.deleted)
        return false;
    const struct activity_value *sid = entity_get(&read->member, ENTITY_OBJECT_SID);
    meet(read, number); /* it is not said to be in itself */
    add_sources(read, number, 1);
    add_primary(read, &read->member);
    add_well_known(read, &read->member, head.context);
    add_history(read, &read->member);
    if (sid)
        add_by_sid(read, sid->bytes, number, false, 1);
    for (uint32_t i = 0; i < read->group_count; i++) {
        struct group group = read->groups[i];
        if (group.number == wanted)
            return true;
        add_sources(read, group.number, group.depth + 1);
        /* A group may stand in another domain's groups as a foreign principal too. */
        struct bytes record;
        struct activity_value value;
        if (read_record(read, group.number, &record, &head) && head.kind == ENTITY_GROUP &&
            entity_record_value(record, ENTITY_OBJECT_SID, &value))
            add_by_sid(read, value.bytes, group.number, false, group.depth + 1);
    }
    return true;
}

uint32_t entity_store_memberships(struct entity_store_read *read, const struct guid *guid,
                                  struct entity_membership *found, uint32_t capacity)
{
    walk_groups(read, guid, 0);
    uint32_t count = 0;
    for (uint32_t i = 0; i < read->group_count; i++) {
        struct bytes record;
        struct entity_record_head head;
        if (!read_record(read, read->groups[i].number, &record, &head) || head.flags & RECORD_UNKNOWN)
            continue;
        if (count < capacity)
            found[count] = (struct entity_membership){.group = head.guid, .depth = read->groups[i].depth};
        count++;
    }
    return count;
}

bool entity_store_is_member(struct entity_store_read *read, const struct guid *guid, const struct guid *group)
{
    uint32_t wanted;
    if (!read_number(read, group, &wanted))
        return false;
    walk_groups(read, guid, wanted);
    for (uint32_t i = 0; i < read->group_count; i++) {
        if (read->groups[i].number == wanted)
            return true;
    }
    return false;
}

uint64_t entity_store_sensitivity(struct entity_store_read *read, const struct guid *guid)
{
    if (!walk_groups(read, guid, 0))
        return 0;
    uint64_t bits = entity_sensitivity_of(&read->member);
    for (uint32_t i = 0; i < read->group_count; i++) {
        struct entity_record_head head;
        struct bytes record;
        if (read_record(read, read->groups[i].number, &record, &head) && head.kind == ENTITY_GROUP &&
            entity_record_decode(record, &head, &read->visited))
            bits |= entity_sensitivity_of_group(&read->visited);
    }
    return bits;
}
