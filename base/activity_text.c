/* SPDX-License-Identifier: Apache-2.0
 *
 * Records as JSON, and values as text for people.
 */
#include "base/activity.h"
#include "base/clock.h"
#include "base/msgpack.h"
#include "base/sid.h"
#include "base/text.h"

static void put_address(struct text *t, struct bytes bytes)
{
    struct ip_address address = {.family = bytes.size == 4 ? 4 : 6};
    char form[IP_ADDRESS_TEXT_MAX];
    memcpy(address.bytes, bytes.data, bytes.size);
    text_string(t, ip_address_text(&address, form));
}

static void put_time(struct text *t, int64_t time)
{
    char form[CLOCK_RFC3339_MAX];
    text_put(t, clock_rfc3339(time, form), CLOCK_RFC3339_MAX - 1);
}

/* Without leading zeros: a small number takes few bytes in a record, so it may take but few here. */
static void put_id(struct text *t, uint64_t id)
{
    char form[16];
    unsigned at = sizeof form;
    do {
        form[--at] = "0123456789abcdef"[id & 15];
        id >>= 4;
    } while (id);
    text_put(t, form + at, sizeof form - at);
}

static void put_bool(struct text *t, bool value)
{
    text_string(t, value ? "true" : "false");
}

/* A value whose text needs no escapes, without its quotes. */
static void put_plain(struct text *t, enum activity_type type, const struct activity_value *value)
{
    switch (type) {
    case TYPE_UINT:
    case TYPE_DURATION:
        text_uint(t, value->uint);
        break;
    case TYPE_ID:
        put_id(t, value->uint);
        break;
    case TYPE_INT:
        text_int(t, value->sint);
        break;
    case TYPE_BOOL:
        put_bool(t, value->boolean);
        break;
    case TYPE_TIME:
        put_time(t, value->sint);
        break;
    case TYPE_ADDRESS:
        put_address(t, value->bytes);
        break;
    case TYPE_UUID:
        uuid_text(t, value->bytes.data);
        break;
    case TYPE_SID:
        sid_text(t, value->bytes);
        break;
    default: /* TYPE_BYTES */
        text_hex(t, value->bytes);
        break;
    }
}

static bool is_quoted(enum activity_type type)
{
    return type == TYPE_BYTES || type == TYPE_TIME || type == TYPE_ADDRESS || type == TYPE_UUID ||
           type == TYPE_SID || type == TYPE_ID;
}

enum activity_type activity_type_of_items(enum activity_type list)
{
    switch (list) {
    case TYPE_UINT_LIST:
        return TYPE_UINT;
    case TYPE_INT_LIST:
        return TYPE_INT;
    case TYPE_STRING_LIST:
        return TYPE_STRING;
    case TYPE_ID_LIST:
        return TYPE_ID;
    case TYPE_SID_LIST:
        return TYPE_SID;
    default:
        return TYPE_ADDRESS;
    }
}

bool activity_type_is_list(enum activity_type type)
{
    return type >= TYPE_UINT_LIST && type <= TYPE_SID_LIST;
}

/* The next item of a list that activity_decode has checked. */
struct activity_value activity_next_item(struct cursor *items, enum activity_type type)
{
    struct msgpack_item item = msgpack_next(items);
    struct activity_value value = {.field = ACTIVITY_FIELDS};
    if (type == TYPE_UINT || type == TYPE_ID)
        value.uint = item.uint;
    else if (type == TYPE_INT)
        value.sint = item.type == MSGPACK_INT ? item.sint : (int64_t)item.uint;
    else
        value.bytes = item.bytes;
    return value;
}

/* -- JSON ---------------------------------------------------------------------------------------- */

static void put_json_single(struct text *t, enum activity_type type, const struct activity_value *value)
{
    if (type == TYPE_STRING) {
        text_json_string(t, value->bytes);
        return;
    }
    if (is_quoted(type))
        text_char(t, '"');
    put_plain(t, type, value);
    if (is_quoted(type))
        text_char(t, '"');
}

static void put_json_list(struct text *t, enum activity_type type, const struct activity_value *value)
{
    struct cursor items = value->list.items;
    text_char(t, '[');
    for (uint32_t i = 0; i < value->list.count; i++) {
        struct activity_value item = activity_next_item(&items, activity_type_of_items(type));
        if (i)
            text_char(t, ',');
        put_json_single(t, activity_type_of_items(type), &item);
    }
    text_char(t, ']');
}

void activity_put_json(struct text *t, enum activity_type type, const struct activity_value *value)
{
    if (activity_type_is_list(type))
        put_json_list(t, type, value);
    else
        put_json_single(t, type, value);
}

size_t activity_to_json(const struct activity *a, char *to, size_t capacity)
{
    struct text t = text_to(to, capacity);
    text_char(&t, '{');
    for (uint32_t i = 0; i < a->count; i++) {
        const struct activity_value *value = &a->values[i];
        const struct activity_field_info *info = activity_field_info(value->field);
        text_string(&t, i ? ",\"" : "\"");
        text_string(&t, info->name);
        text_string(&t, "\":");
        activity_put_json(&t, info->type, value);
    }
    text_char(&t, '}');
    return text_end(&t);
}

/* -- text for people ----------------------------------------------------------------------------- */

/* Three decimals in the largest unit that leaves a number before the point: "12.345 ms". */
static void put_duration(struct text *t, uint64_t nanoseconds)
{
    static const struct {
        uint64_t size;
        const char *name;
    } units[] = {{1000000000, " s"}, {1000000, " ms"}, {1000, " us"}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (nanoseconds < units[i].size)
            continue;
        text_uint(t, nanoseconds / units[i].size);
        text_char(t, '.');
        text_padded(t, nanoseconds % units[i].size / (units[i].size / 1000), 3);
        text_string(t, units[i].name);
        return;
    }
    text_uint(t, nanoseconds);
    text_string(t, " ns");
}

static void put_text_single(struct text *t, enum activity_type type, const struct activity_value *value)
{
    if (type == TYPE_STRING)
        text_display(t, value->bytes);
    else if (type == TYPE_DURATION)
        put_duration(t, value->uint);
    else
        put_plain(t, type, value);
}

size_t activity_value_text(const struct activity_value *value, char *to, size_t capacity)
{
    struct text t = text_to(to, capacity);
    enum activity_type type = activity_field_info(value->field)->type;
    if (!activity_type_is_list(type)) {
        put_text_single(&t, type, value);
        return text_end(&t);
    }
    struct cursor items = value->list.items;
    for (uint32_t i = 0; i < value->list.count; i++) {
        struct activity_value item = activity_next_item(&items, activity_type_of_items(type));
        if (i)
            text_string(&t, ", ");
        put_text_single(&t, activity_type_of_items(type), &item);
    }
    return text_end(&t);
}
