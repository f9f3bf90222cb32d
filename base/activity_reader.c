/* SPDX-License-Identifier: Apache-2.0 */
#include "base/activity.h"
#include "base/msgpack.h"
#include "base/sid.h"

static bool read_int(struct msgpack_item item, int64_t *to)
{
    if (item.type == MSGPACK_INT) {
        *to = item.sint;
        return true;
    }
    if (item.type != MSGPACK_UINT || item.uint > INT64_MAX)
        return false;
    *to = (int64_t)item.uint;
    return true;
}

/* The most frequent values of all: not put together as an item first. */
static bool read_uint(struct cursor *c, uint64_t *to)
{
    const size_t left = cursor_left(c);
    const uint8_t tag = left ? c->at[0] : 0xc1;
    if (tag < 0x80) {
        *to = tag;
        c->at++;
        return true;
    }
    if (tag == 0xcf && left > 8) {
        c->at++;
        *to = cursor_be64(c);
        return true;
    }
    if (tag == 0xcd && left > 2) {
        c->at++;
        *to = cursor_be16(c);
        return true;
    }
    struct msgpack_item item = msgpack_next_any(c);
    *to = item.uint;
    return item.type == MSGPACK_UINT;
}

static bool is_address(struct msgpack_item item)
{
    return item.type == MSGPACK_BINARY && (item.bytes.size == 4 || item.bytes.size == 16);
}

static bool is_sid(struct msgpack_item item)
{
    return item.type == MSGPACK_BINARY && item.bytes.size &&
           sid_size(item.bytes.data, item.bytes.size) == item.bytes.size;
}

static bool is_list_item(struct msgpack_item item, enum activity_type list)
{
    int64_t value;
    switch (list) {
    case TYPE_UINT_LIST:
    case TYPE_ID_LIST:
        return item.type == MSGPACK_UINT;
    case TYPE_INT_LIST:
        return read_int(item, &value);
    case TYPE_STRING_LIST:
        return item.type == MSGPACK_STRING;
    case TYPE_SID_LIST:
        return is_sid(item);
    default:
        return is_address(item);
    }
}

/* The items were announced to be no more than the bytes that are left. */
static bool read_list(struct cursor *c, struct msgpack_item head, enum activity_type type,
                      struct activity_value *value)
{
    if (head.type != MSGPACK_ARRAY)
        return false;
    const uint8_t *start = c->at;
    for (uint32_t i = 0; i < head.count; i++) {
        if (!is_list_item(msgpack_next(c), type))
            return false;
    }
    value->list.items = cursor_of(start, (size_t)(c->at - start));
    value->list.count = head.count;
    return true;
}

bool activity_read_value(struct cursor *c, enum activity_type type, struct activity_value *value)
{
    if (type == TYPE_UINT || type == TYPE_ID || type == TYPE_DURATION)
        return read_uint(c, &value->uint);
    struct msgpack_item item = msgpack_next(c);
    switch (type) {
    case TYPE_INT:
    case TYPE_TIME:
        return read_int(item, &value->sint);
    case TYPE_BOOL:
        if (item.type != MSGPACK_BOOL) /* another member's byte may be no bool at all */
            return false;
        value->boolean = item.boolean;
        return true;
    case TYPE_STRING:
        value->bytes = item.bytes;
        return item.type == MSGPACK_STRING;
    case TYPE_BYTES:
        value->bytes = item.bytes;
        return item.type == MSGPACK_BINARY;
    case TYPE_ADDRESS:
        value->bytes = item.bytes;
        return is_address(item);
    case TYPE_UUID:
        value->bytes = item.bytes;
        return item.type == MSGPACK_BINARY && item.bytes.size == 16;
    case TYPE_SID:
        value->bytes = item.bytes;
        return is_sid(item);
    default:
        return read_list(c, item, type, value);
    }
}

/* The head's fields are values as well as members of the record. */
static void note_head(const struct activity_value *value, struct activity *to, uint64_t *version)
{
    if (value->field == FIELD_VERSION)
        *version = value->uint;
    if (value->field == FIELD_KIND)
        to->kind = activity_kind_by_name((const char *)value->bytes.data, value->bytes.size);
    if (value->field == FIELD_TIME)
        to->time = value->sint;
}

/* `before`: the field of the pair before this one. */
static bool read_pair(struct cursor *c, struct activity *to, uint64_t *version, enum activity_field *before)
{
    struct msgpack_item name = msgpack_next(c);
    if (name.type != MSGPACK_STRING)
        return false;
    enum activity_field field = activity_field_after(*before, (const char *)name.bytes.data, name.bytes.size);
    *before = field;
    if (field == ACTIVITY_FIELDS) {
        to->unknown_fields++;
        return msgpack_skip(c);
    }
    if (to->at[field] || to->count == ACTIVITY_FIELDS_MAX)
        return false;
    struct activity_value *value = &to->values[to->count];
    value->field = field;
    if (!activity_read_value(c, activity_field_info(field)->type, value))
        return false;
    to->at[field] = (uint8_t)++to->count;
    if (field <= FIELD_TIME)
        note_head(value, to, version);
    return true;
}

static bool read_record(struct cursor *c, struct activity *to)
{
    struct msgpack_item map = msgpack_next(c);
    if (map.type != MSGPACK_MAP)
        return false;
    uint64_t version = 0;
    enum activity_field field = ACTIVITY_FIELDS;
    for (uint32_t i = 0; i < map.count; i++) {
        if (!read_pair(c, to, &version, &field))
            return false;
    }
    /* A record of another version has other meanings, not only other fields. */
    return version == ACTIVITY_VERSION && to->at[FIELD_KIND] && to->at[FIELD_TIME];
}

bool activity_decode(struct cursor *c, struct activity *to)
{
    to->kind = ACTIVITY_NONE;
    to->time = 0;
    to->unknown_fields = 0;
    to->count = 0;
    memset(to->at, 0, sizeof(to->at));
    if (read_record(c, to))
        return true;
    cursor_fail(c);
    return false;
}

bool activity_decode_or_skip(struct cursor *c, struct activity *to)
{
    const struct cursor begin = *c;
    if (activity_decode(c, to))
        return true;
    *c = begin;
    msgpack_skip(c);
    return false;
}

enum activity_kind activity_kind_of(struct bytes record)
{
    struct cursor c = cursor_of_bytes(record);
    struct msgpack_item map = msgpack_next(&c);
    for (uint32_t i = 0; map.type == MSGPACK_MAP && i < map.count && !c.failed; i++) {
        struct msgpack_item name = msgpack_next(&c);
        if (name.type != MSGPACK_STRING)
            return ACTIVITY_NONE;
        if (activity_field_by_name((const char *)name.bytes.data, name.bytes.size) == FIELD_KIND) {
            struct msgpack_item kind = msgpack_next(&c);
            return kind.type == MSGPACK_STRING
                       ? activity_kind_by_name((const char *)kind.bytes.data, kind.bytes.size)
                       : ACTIVITY_NONE;
        }
        msgpack_skip(&c);
    }
    return ACTIVITY_NONE;
}

const struct activity_value *activity_get(const struct activity *a, enum activity_field field)
{
    return a->at[field] ? &a->values[a->at[field] - 1] : NULL;
}
