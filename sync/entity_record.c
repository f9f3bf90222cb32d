/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/entity_record.h"

#include "base/clock.h"
#include "base/endian.h"
#include "sync/entity_value.h"

#include <xxhash.h>

#define RECORD_FORM 1u

/* -- head: kind u8, flags u8, context u16, parent u32, changed u32, guid 16; little-endian ---------- */

#define CHANGED_AT 8u

static void put_head(uint8_t *to, const struct entity_record_head *head)
{
    to[0] = (uint8_t)head->kind;
    to[1] = head->flags;
    endian_put_le16(to + 2, head->context);
    endian_put_le32(to + 4, head->parent);
    entity_record_set_changed(to, head->changed);
    memcpy(to + 12, head->guid.bytes, GUID_SIZE);
}

void entity_record_set_changed(uint8_t *record, uint32_t seconds)
{
    endian_put_le32(record + CHANGED_AT, seconds);
}

static bool read_head(struct cursor *c, struct entity_record_head *head)
{
    uint8_t kind = cursor_u8(c);
    head->kind = (enum entity_kind)kind;
    head->flags = cursor_u8(c);
    head->context = cursor_le16(c);
    head->parent = cursor_le32(c);
    head->changed = cursor_le32(c);
    cursor_copy(c, head->guid.bytes, GUID_SIZE);
    return !c->failed && kind < ENTITY_KINDS;
}

bool entity_record_head(struct bytes record, struct entity_record_head *head)
{
    struct cursor c = cursor_of_bytes(record);
    return read_head(&c, head);
}

/* -- classes: nearly all objects have one of a few lists, which are kept as a number ------------------ */

#define PERSON "\xa3top\xa6person\xb4organizationalPerson\xa4user"

static const struct {
    uint32_t count;
    const char *items;
} usual_classes[] = {
    {4, PERSON},
    {5, PERSON "\xa8"
               "computer"},
    {2, "\xa3top\xa5group"},
    {6, PERSON "\xa8"
               "computer\xbfmsDS-GroupManagedServiceAccount"},
    {2, "\xa3top\xb2organizationalUnit"},
    {2, "\xa3top\xa9"
        "container"},
    {2, "\xa3top\xb8"
        "foreignSecurityPrincipal"},
    {4, "\xa3top\xa6person\xb4organizationalPerson\xa7"
        "contact"},
};

#define USUAL (sizeof usual_classes / sizeof usual_classes[0])

/* Shortens what was just written from `start` on, if it is a usual list. */
static void shorten_classes(struct msgpack_writer *w, size_t start)
{
    struct cursor c = cursor_of(w->data + start, w->size - start);
    struct msgpack_item head = msgpack_next(&c);
    for (unsigned i = 0; i < USUAL; i++) {
        size_t size = strlen(usual_classes[i].items);
        if (head.count != usual_classes[i].count || cursor_left(&c) != size ||
            memcmp(c.at, usual_classes[i].items, size) != 0)
            continue;
        w->size = start;
        msgpack_put_uint(w, i);
        return;
    }
}

static bool read_classes(struct cursor *c, struct activity_value *value)
{
    struct cursor before = *c;
    struct msgpack_item item = msgpack_next(c);
    if (item.type != MSGPACK_UINT) {
        *c = before;
        return activity_read_value(c, TYPE_STRING_LIST, value);
    }
    if (item.uint >= USUAL)
        return false;
    value->list.count = usual_classes[item.uint].count;
    value->list.items = cursor_of(usual_classes[item.uint].items, strlen(usual_classes[item.uint].items));
    return true;
}

/* -- reading ---------------------------------------------------------------------------------------- */

static bool read_attribute(struct cursor *c, enum entity_attribute attribute, struct activity_value *value)
{
    if (attribute == ENTITY_OBJECT_CLASS)
        return read_classes(c, value);
    return activity_read_value(c, entity_attribute_info(attribute)->type, value);
}

bool entity_record_rdn(struct bytes record, struct bytes *rdn)
{
    struct cursor c = cursor_of_bytes(record);
    cursor_skip(&c, RECORD_HEAD_SIZE);
    struct msgpack_item item = msgpack_next(&c);
    *rdn = item.bytes;
    return item.type == MSGPACK_STRING;
}

/* They stand in the order of their numbers. */
bool entity_record_value(struct bytes record, enum entity_attribute attribute, struct activity_value *value)
{
    struct cursor c = cursor_of_bytes(record);
    cursor_skip(&c, RECORD_HEAD_SIZE);
    msgpack_skip(&c);
    while (!cursor_done(&c)) {
        uint8_t next = cursor_u8(&c);
        if (next >= attribute)
            return next == attribute && read_attribute(&c, attribute, value);
        msgpack_skip(&c);
    }
    return false;
}

bool entity_record_decode(struct bytes record, struct entity_record_head *head, struct entity *to)
{
    struct cursor c = cursor_of_bytes(record);
    entity_clear(to);
    if (!read_head(&c, head))
        return false;
    struct msgpack_item rdn = msgpack_next(&c);
    if (rdn.type != MSGPACK_STRING)
        return false;
    to->guid = head->guid;
    to->kind = head->kind;
    to->origin = head->flags & RECORD_LOOKED_UP ? ENTITY_LOOKED_UP : ENTITY_REPLICATED;
    to->deleted = head->flags & RECORD_DELETED;
    to->truncated = head->flags & RECORD_TRUNCATED;
    to->changed = head->changed * CLOCK_SECOND;
    to->rdn = rdn.bytes;
    while (!cursor_done(&c)) {
        uint8_t attribute = cursor_u8(&c);
        if (attribute >= ENTITY_ATTRIBUTES)
            return false;
        if (!read_attribute(&c, (enum entity_attribute)attribute, &to->attributes[attribute]))
            return false;
        to->present[attribute / 64] |= UINT64_C(1) << (attribute % 64);
    }
    return !c.failed;
}

bool entity_record_same(struct bytes a, struct bytes b)
{
    if (a.size != b.size || a.size < RECORD_HEAD_SIZE || (a.data[1] ^ b.data[1]) & ~RECORD_LOOKED_UP)
        return false;
    return a.data[0] == b.data[0] && memcmp(a.data + 2, b.data + 2, CHANGED_AT - 2) == 0 &&
           memcmp(a.data + CHANGED_AT + 4, b.data + CHANGED_AT + 4, a.size - CHANGED_AT - 4) == 0;
}

/* -- writing ---------------------------------------------------------------------------------------- */

/* One attribute, or nothing of it when it does not fit. */
static void put_attribute(struct msgpack_writer *w, enum entity_attribute attribute, const struct entity *old,
                          const struct entity_change *change, bool *truncated)
{
    size_t before = w->size;
    const struct activity_value *kept = old && !change->whole ? entity_get(old, attribute) : NULL;
    bool came = entity_change_has(change, attribute);
    if (!came && !kept)
        return;
    msgpack_put_uint(w, attribute);
    size_t start = w->size;
    bool written = !w->full;
    if (came && written)
        written = entity_value_put_change(w, attribute, change->attributes[attribute].count,
                                          change->attributes[attribute].values, truncated);
    else if (written)
        entity_value_put(w, entity_attribute_info(attribute)->type, kept);
    if (written && !w->full) {
        if (attribute == ENTITY_OBJECT_CLASS)
            shorten_classes(w, start);
        return;
    }
    *truncated |= w->full;
    w->full = false;
    w->size = before;
}

_Static_assert(ENTITY_ATTRIBUTES <= 128, "an attribute's number is one byte, also as msgpack");

size_t entity_record_write(uint8_t *to, struct entity_record_head *head, const struct entity *old,
                           const struct entity_change *change, struct bytes rdn)
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, to, ENTITY_BYTES_MAX);
    w.size = RECORD_HEAD_SIZE;
    bool truncated = change->truncated || (old && !change->whole && head->flags & RECORD_TRUNCATED);
    if (!rdn.size && old)
        rdn = old->rdn;
    size_t rdn_size = rdn.size < ENTITY_STRING_MAX ? rdn.size : ENTITY_STRING_MAX;
    truncated |= rdn_size != rdn.size;
    msgpack_put_string(&w, rdn.data, rdn_size);
    for (unsigned i = 0; i < ENTITY_ATTRIBUTES; i++)
        put_attribute(&w, (enum entity_attribute)i, old, change, &truncated);
    head->flags = (uint8_t)(truncated ? head->flags | RECORD_TRUNCATED : head->flags & ~RECORD_TRUNCATED);
    put_head(to, head);
    return w.size;
}

uint64_t entity_record_fingerprint(void)
{
    static const char list[] =
#define ATTRIBUTE(id, ldap, field, type, doc) ldap "\n" field "\n" #type "\n"
#define LINK(id, ldap, field, doc)            ldap "\n" field "\nlink\n"
#include "sync/entity_attributes.def"
#undef ATTRIBUTE
#undef LINK
        ;
    return XXH3_64bits_withSeed(list, sizeof list, RECORD_FORM);
}
