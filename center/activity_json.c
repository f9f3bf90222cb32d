/* SPDX-License-Identifier: Apache-2.0 */
#include "center/activity_json.h"

#include "base/clock.h"
#include "base/sid.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static struct bytes text_of(const json_t *value)
{
    return (struct bytes){(const uint8_t *)json_string_value(value), json_string_length(value)};
}

/* -- single values ----------------------------------------------------------------------------------------
 */

static bool to_uint(const json_t *value, uint64_t *to)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *to = (uint64_t)json_integer_value(value);
    return true;
}

/* An id is shown in hexadecimal. */
static bool to_id(const json_t *value, uint64_t *to)
{
    const char *text = json_string_value(value);
    char *end;
    if (!text || *text == '\0' || *text == '-' || *text == '+')
        return false;
    errno = 0;
    *to = strtoull(text, &end, 16);
    return *end == '\0' && errno == 0;
}

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes of a hexadecimal text, in place of `to`, which has room for half of it. */
static bool to_bytes(struct bytes text, uint8_t *to)
{
    if (text.size % 2)
        return false;
    for (size_t i = 0; i < text.size; i += 2) {
        int high = digit(text.data[i]), low = digit(text.data[i + 1]);
        if (high < 0 || low < 0)
            return false;
        to[i / 2] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool put_text_form(struct activity_writer *w, enum activity_field field, enum activity_type type,
                          const json_t *value)
{
    struct bytes text = text_of(value);
    struct ip_address address;
    uint8_t bytes[ACTIVITY_STRING_MAX];
    int64_t time;
    if (!json_is_string(value))
        return false;
    switch (type) {
    case TYPE_STRING:
        activity_put_string(w, field, text.data, text.size);
        return true;
    case TYPE_TIME:
        if (!clock_rfc3339_parse((const char *)text.data, text.size, &time))
            return false;
        activity_put_time(w, field, time);
        return true;
    case TYPE_ADDRESS:
        if (!ip_address_parse((const char *)text.data, &address))
            return false;
        activity_put_address(w, field, &address);
        return true;
    case TYPE_UUID:
        if (!uuid_parse(text.data, text.size, bytes))
            return false;
        activity_put_uuid(w, field, bytes);
        return true;
    case TYPE_SID: {
        size_t size = sid_parse(text.data, text.size, bytes);
        activity_put_sid(w, field, bytes, size);
        return size > 0;
    }
    default: /* TYPE_BYTES */
        if (text.size / 2 > sizeof(bytes) || !to_bytes(text, bytes))
            return false;
        activity_put_bytes(w, field, bytes, text.size / 2);
        return true;
    }
}

/* -- lists ------------------------------------------------------------------------------------------------
 */

static bool put_item(struct activity_writer *w, enum activity_type type, const json_t *item)
{
    struct ip_address address;
    uint64_t number;
    switch (type) {
    case TYPE_UINT:
        if (!to_uint(item, &number))
            return false;
        activity_list_uint(w, number);
        return true;
    case TYPE_ID:
        if (!to_id(item, &number))
            return false;
        activity_list_uint(w, number);
        return true;
    case TYPE_INT:
        if (!json_is_integer(item))
            return false;
        activity_list_int(w, json_integer_value(item));
        return true;
    case TYPE_STRING:
        if (!json_is_string(item))
            return false;
        activity_list_string(w, text_of(item).data, text_of(item).size);
        return true;
    case TYPE_ADDRESS:
        if (!json_is_string(item) || !ip_address_parse(json_string_value(item), &address))
            return false;
        activity_list_address(w, &address);
        return true;
    case TYPE_SID: {
        uint8_t sid[SID_BYTES_MAX];
        size_t size = json_is_string(item) ? sid_parse(text_of(item).data, text_of(item).size, sid) : 0;
        if (size)
            activity_list_sid(w, sid, size);
        return size > 0;
    }
    default: /* lists of nothing else */
        return false;
    }
}

static bool put_list(struct activity_writer *w, enum activity_field field, enum activity_type type,
                     const json_t *value)
{
    bool fine = true;
    if (!json_is_array(value))
        return false;
    if (!activity_list_begin(w, field))
        return true;
    for (size_t i = 0; fine && i < json_array_size(value); i++)
        fine = put_item(w, type, json_array_get(value, i));
    activity_list_end(w);
    return fine;
}

static bool put_value(struct activity_writer *w, enum activity_field field, const json_t *value)
{
    enum activity_type type = activity_field_info(field)->type;
    uint64_t number;
    if (activity_type_is_list(type))
        return put_list(w, field, activity_type_of_items(type), value);
    switch (type) {
    case TYPE_UINT:
    case TYPE_ID:
        if (type == TYPE_ID ? !to_id(value, &number) : !to_uint(value, &number))
            return false;
        activity_put_uint(w, field, number);
        return true;
    case TYPE_INT:
        if (!json_is_integer(value))
            return false;
        activity_put_int(w, field, json_integer_value(value));
        return true;
    case TYPE_DURATION:
        if (!to_uint(value, &number) || number > INT64_MAX)
            return false;
        activity_put_duration(w, field, (int64_t)number);
        return true;
    case TYPE_BOOL:
        if (!json_is_boolean(value))
            return false;
        activity_put_bool(w, field, json_is_true(value));
        return true;
    default:
        return put_text_form(w, field, type, value);
    }
}

static bool begin(const json_t *object, struct activity_writer *w, struct fault *fault)
{
    int64_t time;
    struct bytes kind = text_of(json_object_get(object, "kind")),
                 text = text_of(json_object_get(object, "time"));
    enum activity_kind k =
        kind.data ? activity_kind_by_name((const char *)kind.data, kind.size) : ACTIVITY_NONE;
    if (k == ACTIVITY_NONE)
        return fault_say(fault, "there is no kind of activity \"%.64s\"",
                         kind.data ? (const char *)kind.data : "");
    if (!text.data || !clock_rfc3339_parse((const char *)text.data, text.size, &time))
        return fault_say(fault, "it has no time");
    activity_begin(w, k, time);
    return true;
}

static bool put_fields(json_t *object, struct activity_writer *w, struct fault *fault)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value)
    {
        enum activity_field field = activity_field_by_name(name, strlen(name));
        if (field == ACTIVITY_FIELDS || field == FIELD_VERSION || field == FIELD_KIND ||
            field == FIELD_TIME || field == FIELD_TRUNCATED || !activity_allows(w->kind, field))
            continue;
        if (!put_value(w, field, value))
            return fault_say(fault, "%.64s is of another type", name);
    }
    return true;
}

bool activity_from_json(struct bytes json, struct activity_writer *writer, struct fault *fault)
{
    json_error_t error;
    json_t *root = json_loadb((const char *)json.data, json.size, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        json_decref(root);
        return fault_say(fault, "no JSON object: %s", error.text);
    }
    json_t *inner = json_object_get(root, "activity");
    json_t *object = json_is_object(inner) ? inner : root;
    bool fine = begin(object, writer, fault) && put_fields(object, writer, fault);
    json_decref(root);
    return fine;
}
