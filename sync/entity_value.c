/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/entity_value.h"

#include <stdlib.h>

void entity_value_put(struct msgpack_writer *w, enum activity_type type, const struct activity_value *value)
{
    switch (type) {
    case TYPE_UINT:
    case TYPE_ID:
    case TYPE_DURATION:
        msgpack_put_uint(w, value->uint);
        break;
    case TYPE_INT:
    case TYPE_TIME:
        msgpack_put_int(w, value->sint);
        break;
    case TYPE_BOOL:
        msgpack_put_bool(w, value->boolean);
        break;
    case TYPE_STRING:
        msgpack_put_string(w, value->bytes.data, value->bytes.size);
        break;
    case TYPE_BYTES:
    case TYPE_ADDRESS:
    case TYPE_UUID:
    case TYPE_SID:
        msgpack_put_binary(w, value->bytes.data, value->bytes.size);
        break;
    default:
        msgpack_put_array(w, value->list.count);
        msgpack_put_raw(w, value->list.items.at, cursor_left(&value->list.items));
        break;
    }
}

bool entity_value_bounded(enum activity_type type, const struct activity_value *value)
{
    if (type == TYPE_STRING || type == TYPE_BYTES)
        return value->bytes.size <= ENTITY_STRING_MAX;
    if (activity_type_is_list(type))
        return value->list.count <= ENTITY_LIST_MAX &&
               cursor_left(&value->list.items) <= ENTITY_LIST_BYTES_MAX;
    return true;
}

/* -- values of a change ----------------------------------------------------------------------------- */

/* Cut before a character that does not fit whole. */
static size_t cut_string(struct bytes text, bool *truncated)
{
    if (text.size <= ENTITY_STRING_MAX)
        return text.size;
    size_t size = ENTITY_STRING_MAX;
    while (size && (text.data[size] & 0xc0) == 0x80)
        size--;
    *truncated = true;
    return size;
}

/* One value; nothing for what is none of the type. */
static void put_single(struct msgpack_writer *w, enum activity_type type, const struct entity_value *value,
                       bool *truncated)
{
    size_t size;
    switch (type) {
    case TYPE_UINT:
    case TYPE_ID:
    case TYPE_DURATION:
        msgpack_put_uint(w, value->uint);
        return;
    case TYPE_INT:
    case TYPE_TIME:
        msgpack_put_int(w, value->sint);
        return;
    case TYPE_BOOL:
        msgpack_put_bool(w, value->boolean);
        return;
    case TYPE_STRING:
        msgpack_put_string(w, value->bytes.data, cut_string(value->bytes, truncated));
        return;
    case TYPE_BYTES:
        size = value->bytes.size;
        *truncated |= size > ENTITY_STRING_MAX;
        msgpack_put_binary(w, value->bytes.data, size < ENTITY_STRING_MAX ? size : ENTITY_STRING_MAX);
        return;
    case TYPE_UUID:
        if (value->bytes.size == GUID_SIZE)
            msgpack_put_binary(w, value->bytes.data, GUID_SIZE);
        return;
    default:
        size = value->bytes.size;
        if (size && sid_size(value->bytes.data, size) == size)
            msgpack_put_binary(w, value->bytes.data, size);
        return;
    }
}

static int compare_bytes(const void *a_, const void *b_)
{
    const struct entity_value *a = a_, *b = b_;
    size_t least = a->bytes.size < b->bytes.size ? a->bytes.size : b->bytes.size;
    int order = least ? memcmp(a->bytes.data, b->bytes.data, least) : 0;
    return order ? order : (a->bytes.size > b->bytes.size) - (a->bytes.size < b->bytes.size);
}

static int compare_numbers(const void *a_, const void *b_)
{
    const struct entity_value *a = a_, *b = b_;
    return (a->uint > b->uint) - (a->uint < b->uint);
}

static uint32_t put_items(struct msgpack_writer *w, enum activity_type type, uint32_t count,
                          const struct entity_value *values, bool *truncated)
{
    uint32_t items = 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t before = w->size;
        put_single(w, type, &values[i], truncated);
        if (w->full || items == ENTITY_LIST_MAX) {
            w->full = false;
            w->size = before;
            *truncated = true;
            break;
        }
        items += w->size != before;
    }
    return items;
}

/* Values come in any order, and in another one from another domain controller: they are kept sorted, so that
 * equal sets are equal bytes. The classes of an object have an order that means something. */
static bool put_list(struct msgpack_writer *w, enum entity_attribute attribute, uint32_t count,
                     const struct entity_value *values, bool *truncated)
{
    enum activity_type type = activity_type_of_items(entity_attribute_info(attribute)->type);
    bool numbers = type == TYPE_UINT || type == TYPE_INT || type == TYPE_ID;
    struct entity_value *sorted = NULL;
    if (attribute != ENTITY_OBJECT_CLASS && count > 1) {
        sorted = malloc(count * sizeof *sorted);
        if (!sorted)
            return false;
        memcpy(sorted, values, count * sizeof *sorted);
        qsort(sorted, count, sizeof *sorted, numbers ? compare_numbers : compare_bytes);
    }
    /* The items first, as it is not known yet how many there will be. */
    uint8_t room[ENTITY_LIST_BYTES_MAX];
    struct msgpack_writer items;
    msgpack_writer_init(&items, room, sizeof room);
    uint32_t written = put_items(&items, type, count, sorted ? sorted : values, truncated);
    free(sorted);
    if (!written)
        return false;
    msgpack_put_array(w, written);
    msgpack_put_raw(w, room, items.size);
    return true;
}

bool entity_value_put_change(struct msgpack_writer *w, enum entity_attribute attribute, uint32_t count,
                             const struct entity_value *values, bool *truncated)
{
    enum activity_type type = entity_attribute_info(attribute)->type;
    size_t before = w->size;
    if (!count)
        return false;
    if (activity_type_is_list(type))
        put_list(w, attribute, count, values, truncated);
    else
        put_single(w, type, &values[0], truncated);
    if (!w->full)
        return w->size != before;
    w->full = false;
    w->size = before;
    *truncated = true;
    return false;
}
