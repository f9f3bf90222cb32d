/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/translate.h"

#include "base/utf8.h"
#include "sync/attribute_value.h"
#include "sync/distinguished_name.h"

#include <strings.h>
#include <xxhash.h>

/* Kept nowhere else. DirSync tells only of what was asked for: `name` is what a renaming and a move change,
 * and nothing tells of them but that. */
static const char *const own_attributes[] = {"objectGUID", "name"};

/* One domain controller's own view, not replicated: absent from DirSync's answers, and another number at
 * another domain controller. A copy of the directory has no place for them. */
static bool is_local(enum entity_attribute attribute)
{
    return attribute == ENTITY_WHEN_CHANGED || attribute == ENTITY_USN_CHANGED;
}

void translate_attribute_list(const char **to)
{
    for (size_t i = 0; i < sizeof own_attributes / sizeof *own_attributes; i++)
        *to++ = own_attributes[i];
    for (unsigned i = 0; i < ENTITY_ATTRIBUTES; i++) {
        if (!is_local((enum entity_attribute)i))
            *to++ = entity_attribute_info((enum entity_attribute)i)->ldap;
    }
    for (unsigned i = 0; i < ENTITY_LINKS; i++)
        *to++ = entity_link_info((enum entity_link)i)->ldap;
    *to = NULL;
}

/* -- values --------------------------------------------------------------------------------------- */

static bool is_utf8(struct bytes text)
{
    for (size_t at = utf8_ascii_run(text.data, text.size); at < text.size;) {
        uint32_t code;
        bool valid = true;
        at += utf8_decode(text.data + at, text.size - at, &code, &valid);
        if (!valid)
            return false;
    }
    return true;
}

/* A DN among the strings loses the extended parts; what is no UTF-8 is repaired. */
static bool read_string(struct bytes text, struct arena *arena, struct translated *to, struct bytes *value)
{
    struct extended_dn dn;
    if (text.size && text.data[0] == '<' && extended_dn_read(text, &dn))
        text = dn.dn;
    if (text.size > ENTITY_STRING_MAX)
        to->change.truncated = true;
    else if (is_utf8(text)) {
        *value = text;
        return true;
    }
    bool cut = false;
    uint8_t *copy = arena_alloc(arena, ENTITY_STRING_MAX);
    if (!copy)
        return false;
    *value = (struct bytes){copy, utf8_copy(copy, ENTITY_STRING_MAX, text.data, text.size, &cut)};
    to->change.truncated |= cut;
    return true;
}

static bool read_value(enum activity_type type, struct bytes from, struct arena *arena, struct translated *to,
                       struct entity_value *value)
{
    switch (type) {
    case TYPE_UINT:
    case TYPE_UINT_LIST:
        return attribute_unsigned(from, &value->uint);
    case TYPE_INT:
    case TYPE_INT_LIST:
        return attribute_integer(from, &value->sint);
    case TYPE_BOOL:
        return attribute_boolean(from, &value->boolean);
    case TYPE_TIME:
        return attribute_time(from, &value->sint);
    case TYPE_DURATION:
        return attribute_duration(from, &value->uint);
    case TYPE_STRING:
    case TYPE_STRING_LIST:
        return read_string(from, arena, to, &value->bytes);
    case TYPE_BYTES:
        value->bytes = from;
        return true;
    case TYPE_UUID:
        value->bytes = from;
        return from.size == GUID_SIZE;
    case TYPE_SID:
    case TYPE_SID_LIST:
        value->bytes = from;
        return from.size && sid_size(from.data, from.size) == from.size;
    case TYPE_ID:
    case TYPE_ID_LIST: /* only ever compared: which, not what */
        value->uint = XXH3_64bits(from.size ? from.data : (const uint8_t *)"", from.size);
        return true;
    case TYPE_ADDRESS:
    case TYPE_ADDRESS_LIST:
        return false;
    }
    return false;
}

static bool is_list(enum activity_type type)
{
    return type == TYPE_UINT_LIST || type == TYPE_INT_LIST || type == TYPE_STRING_LIST ||
           type == TYPE_SID_LIST || type == TYPE_ID_LIST || type == TYPE_ADDRESS_LIST;
}

static bool put_attribute(const struct directory_attribute *from, enum entity_attribute attribute,
                          struct arena *arena, struct translated *to)
{
    enum activity_type type = entity_attribute_info(attribute)->type;
    uint32_t most = is_list(type) ? ENTITY_LIST_MAX : 1, count = from->value_count;
    if (count > most) {
        to->change.truncated |= is_list(type);
        count = most;
    }
    struct entity_value *values = NULL;
    if (count && !(values = arena_zalloc(arena, count * sizeof *values)))
        return false;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (read_value(type, from->values[i], arena, to, &values[kept]))
            kept++;
        else
            to->unreadable++;
    }
    entity_change_mark(&to->change, attribute);
    to->change.attributes[attribute].count = kept;
    to->change.attributes[attribute].values = values;
    return true;
}

/* -- links ---------------------------------------------------------------------------------------- */

static uint32_t count_link_values(const struct directory_object *object)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < object->attribute_count; i++) {
        const struct directory_attribute *from = &object->attributes[i];
        if (entity_link_by_ldap(from->name.data, from->name.size) != ENTITY_LINKS)
            sum += from->value_count;
    }
    return sum;
}

static void put_edges(const struct directory_attribute *from, enum entity_link link, bool removed,
                      struct entity_edge *edges, struct translated *to)
{
    for (uint32_t i = 0; i < from->value_count; i++) {
        struct extended_dn dn;
        if (!extended_dn_read(from->values[i], &dn) || !dn.has_guid) {
            to->unreadable++;
            continue;
        }
        edges[to->change.edge_count++] =
            (struct entity_edge){.link = link, .removed = removed, .target = dn.guid, .target_dn = dn.dn};
    }
}

/* [MS-ADTS] 3.1.1.3.4.1.3: with incremental values `range=1-1` are those that came, `range=0-0` those that
 * went. To any other answer a range is what it says, and without one all values are there. */
static bool put_link(const struct directory_attribute *from, enum entity_link link,
                     enum translate_source source, struct entity_edge *edges, struct translated *to)
{
    struct bytes name;
    struct attribute_range range;
    if (!attribute_name_read(from->name, &name, &range))
        return false;
    bool incremental = source == TRANSLATE_DIRSYNC && range.ranged && range.low == range.high;
    if (!range.ranged)
        to->told_links |= UINT64_C(1) << link;
    else if (!incremental)
        to->ranged |= UINT64_C(1) << link;
    put_edges(from, link, incremental && range.low == 0, edges, to);
    return true;
}

/* -- the object ----------------------------------------------------------------------------------- */

static bool read_identity(const struct directory_object *object, struct entity_change *change)
{
    struct extended_dn dn;
    if (!extended_dn_read(object->dn, &dn))
        return false;
    change->dn = dn.dn;
    const struct directory_attribute *guid = directory_object_find(object, "objectGUID");
    if (guid && guid->value_count == 1 && guid->values[0].size == GUID_SIZE)
        memcpy(change->guid.bytes, guid->values[0].data, GUID_SIZE);
    else if (dn.has_guid)
        change->guid = dn.guid;
    else
        return false;
    return true;
}

static bool has_values(const struct entity_change *change, enum entity_attribute attribute)
{
    return change->attributes[attribute].count > 0;
}

static void forget(struct entity_change *change, enum entity_attribute attribute)
{
    change->present[attribute / 64] &= ~(UINT64_C(1) << (attribute % 64));
    change->attributes[attribute].count = 0;
}

/* Everything of a new object comes at once; whenCreated never changes afterwards, so that its coming says so.
 * objectClass alone may come later too, when a class is added. */
static void judge(const struct directory_object *object, enum translate_source source, struct translated *to)
{
    struct entity_change *change = &to->change;
    bool buried; /* a recycled object's entry may hold nothing but isRecycled: its name tells */
    dn_name_before_deletion(change->dn, &buried);
    change->deleted = buried || (has_values(change, ENTITY_IS_DELETED) &&
                                 change->attributes[ENTITY_IS_DELETED].values[0].boolean);
    to->undeleted =
        source == TRANSLATE_DIRSYNC && entity_change_has(change, ENTITY_IS_DELETED) && !change->deleted;
    const struct directory_attribute *classes = directory_object_find(object, "objectClass");
    change->kind_known = classes && classes->value_count;
    bool whole =
        source == TRANSLATE_SEARCH || (change->kind_known && has_values(change, ENTITY_WHEN_CREATED));
    if (change->kind_known)
        change->kind = entity_kind_of_classes(classes->values, classes->value_count);
    /* The directory leaves it behind when it undeletes, and renames it with what it names, without a word. */
    if (!change->deleted)
        forget(change, ENTITY_LAST_KNOWN_PARENT);
    change->whole = whole && !change->deleted; /* of what was deleted its last state stays known */
    change->whole_links = to->told_links;
    uint64_t all = (UINT64_C(1) << ENTITY_LINKS) - 1;
    if (change->deleted) {
        change->whole_links = all;
        change->edge_count = 0;
        to->ranged = 0;
    } else if (whole) {
        change->whole_links = all & ~to->ranged;
    }
}

bool translate(const struct directory_object *object, enum translate_source source, struct arena *arena,
               struct translated *to)
{
    _Static_assert(ENTITY_LINKS < 64, "one bit for each link");
    memset(to, 0, sizeof *to);
    if (!read_identity(object, &to->change))
        return false;
    uint32_t link_values = count_link_values(object);
    struct entity_edge *edges = NULL;
    if (link_values && !(edges = arena_alloc(arena, link_values * sizeof *edges)))
        return false;
    to->change.edges = edges;
    for (uint32_t i = 0; i < object->attribute_count; i++) {
        const struct directory_attribute *from = &object->attributes[i];
        enum entity_attribute attribute = entity_attribute_by_ldap(from->name.data, from->name.size);
        enum entity_link link = entity_link_by_ldap(from->name.data, from->name.size);
        if (attribute != ENTITY_ATTRIBUTES && !is_local(attribute) &&
            !put_attribute(from, attribute, arena, to))
            return false;
        if (link != ENTITY_LINKS && !put_link(from, link, source, edges, to))
            to->unreadable++;
    }
    judge(object, source, to);
    return true;
}
