/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes records straight into their msgpack form. On the path of every message: names stand ready encoded,
 * and one check of the room covers a name with its value.
 */
#include <assert.h>

#include "base/activity.h"
#include "base/msgpack.h"
#include "base/msgpack_encode.h"
#include "base/sid.h"
#include "base/utf8.h"

/* A name as msgpack's fixstr (a header, then up to 31 bytes). */
enum {
    NAME_MAX_BYTES = 31,
    NAME_SLOT = 32,
};

struct encoded_name {
    uint8_t header;
    char text[NAME_MAX_BYTES];
};
_Static_assert(sizeof(struct encoded_name) == NAME_SLOT, "a slot is copied whole");

static const struct encoded_name field_names[ACTIVITY_FIELDS] = {
#define KIND(id, name, source, doc)
#define FIELD(id, name, type, unit, doc) [FIELD_##id] = {0xa0 | (sizeof(name) - 1), name},
#define USES(kind, field, source)
#include "base/activities/all.def"
#undef KIND
#undef FIELD
#undef USES
};

static const struct encoded_name kind_names[ACTIVITY_KINDS] = {
    [ACTIVITY_NONE] = {0xa0, ""},
#define KIND(id, name, source, doc) [ACTIVITY_##id] = {0xa0 | (sizeof(name) - 1), name},
#define FIELD(id, name, type, unit, doc)
#define USES(kind, field, source)
#include "base/activities/all.def"
#undef KIND
#undef FIELD
#undef USES
};

#define KIND(id, name, source, doc)                                                                          \
    _Static_assert(sizeof(name) - 1 <= NAME_MAX_BYTES, "the name of kind " #id " is too long");
#define FIELD(id, name, type, unit, doc)                                                                     \
    _Static_assert(sizeof(name) - 1 <= NAME_MAX_BYTES, "the name of field " #id " is too long");
#define USES(kind, field, source)
#include "base/activities/all.def"
#undef KIND
#undef FIELD
#undef USES

/* The end of the record that is kept free for the pair "truncated": true. */
enum {
    RESERVE = NAME_SLOT + 1,
    LIMIT = ACTIVITY_BYTES_MAX - RESERVE,
    FIELDS_LIMIT = ACTIVITY_FIELDS_MAX - 1,
    HEADER_SIZE = 3,      /* of the map, in its 16-bit form */
    STRING_ROOM_MIN = 64, /* a string is cut to the room that is left, but not below this */
};

/* Only assertions use it. */
__attribute__((unused)) static bool field_fits(const struct activity_writer *w, enum activity_field field,
                                               enum activity_type type)
{
    return activity_allows(w->kind, field) && activity_field_info(field)->type == type;
}

static void mark_present(struct activity_writer *w, enum activity_field field)
{
    w->present[field / 64] |= UINT64_C(1) << (field % 64);
    w->fields++;
}

/* The slot is copied whole, which is quicker than its exact length; the value overwrites the rest. */
static uint8_t *put_name(uint8_t *to, const struct encoded_name *name)
{
    memcpy(to, name, NAME_SLOT);
    return to + 1 + (name->header & 0x1f);
}

static void close_value(struct activity_writer *w, const uint8_t *end)
{
    w->size = (uint32_t)(end - w->bytes);
}

/* Writes the field's name and returns the place of its value, for which there are `room` bytes. NULL when the
 * field was put already or there is no room. */
static uint8_t *open_value(struct activity_writer *w, enum activity_field field, enum activity_type type,
                           uint32_t room)
{
    assert(field_fits(w, field, type));
    assert(!w->list_at);
    (void)type;
    if (activity_has(w, field))
        return NULL;
    if (w->fields >= FIELDS_LIMIT || w->size + NAME_SLOT + room > LIMIT) {
        w->truncated = true;
        return NULL;
    }
    mark_present(w, field);
    return put_name(w->bytes + w->size, &field_names[field]);
}

void activity_begin(struct activity_writer *w, enum activity_kind kind, int64_t time)
{
    /* The map's header (its count is set at the end), "v": 1, "kind": */
    static const uint8_t head[] = {0xde, 0, 0, 0xa1, 'v', ACTIVITY_VERSION, 0xa4, 'k', 'i', 'n', 'd'};
    w->kind = kind;
    w->fields = 0;
    w->list_at = 0;
    w->list_items = 0;
    w->truncated = false;
    w->client = 0;
    memset(w->present, 0, sizeof w->present);
    mark_present(w, FIELD_VERSION);
    mark_present(w, FIELD_KIND);
    mark_present(w, FIELD_TIME);
    memcpy(w->bytes, head, sizeof head);
    uint8_t *to = put_name(w->bytes + sizeof head, &kind_names[kind]);
    to = put_name(to, &field_names[FIELD_TIME]);
    close_value(w, msgpack_encode_int(to, time));
}

void activity_put_uint(struct activity_writer *w, enum activity_field field, uint64_t value)
{
    enum activity_type type = activity_field_info(field)->type == TYPE_ID ? TYPE_ID : TYPE_UINT;
    uint8_t *to = open_value(w, field, type, MSGPACK_SCALAR_MAX);
    if (to)
        close_value(w, msgpack_encode_uint(to, value));
}

void activity_put_int(struct activity_writer *w, enum activity_field field, int64_t value)
{
    uint8_t *to = open_value(w, field, TYPE_INT, MSGPACK_SCALAR_MAX);
    if (to)
        close_value(w, msgpack_encode_int(to, value));
}

void activity_put_bool(struct activity_writer *w, enum activity_field field, bool value)
{
    /* It may become true until the end, so it is written there. */
    if (field == FIELD_TRUNCATED) {
        w->truncated |= value;
        return;
    }
    uint8_t *to = open_value(w, field, TYPE_BOOL, MSGPACK_SCALAR_MAX);
    if (to)
        close_value(w, msgpack_encode_bool(to, value));
}

void activity_put_time(struct activity_writer *w, enum activity_field field, int64_t nanoseconds)
{
    uint8_t *to = open_value(w, field, TYPE_TIME, MSGPACK_SCALAR_MAX);
    if (to)
        close_value(w, msgpack_encode_int(to, nanoseconds));
}

void activity_put_duration(struct activity_writer *w, enum activity_field field, int64_t nanoseconds)
{
    uint8_t *to = open_value(w, field, TYPE_DURATION, MSGPACK_SCALAR_MAX);
    if (to) /* packets out of order could give a negative one */
        close_value(w, msgpack_encode_uint(to, nanoseconds > 0 ? (uint64_t)nanoseconds : 0));
}

static uint8_t *put_binary(uint8_t *to, const void *data, uint32_t size)
{
    to = msgpack_encode_binary_header(to, size);
    if (size)
        memcpy(to, data, size);
    return to + size;
}

void activity_put_bytes(struct activity_writer *w, enum activity_field field, const void *data, size_t size)
{
    bool cut = size > ACTIVITY_STRING_MAX;
    uint32_t kept = cut ? ACTIVITY_STRING_MAX : (uint32_t)size;
    uint8_t *to = open_value(w, field, TYPE_BYTES, MSGPACK_HEADER_MAX + kept);
    if (!to)
        return;
    w->truncated |= cut;
    close_value(w, put_binary(to, data, kept));
}

void activity_put_uuid(struct activity_writer *w, enum activity_field field, const uint8_t uuid[16])
{
    uint8_t *to = open_value(w, field, TYPE_UUID, MSGPACK_HEADER_MAX + 16);
    if (to)
        close_value(w, put_binary(to, uuid, 16));
}

void activity_put_sid(struct activity_writer *w, enum activity_field field, const void *sid, size_t size)
{
    size_t whole = sid_size(sid, size);
    if (!whole)
        return;
    uint8_t *to = open_value(w, field, TYPE_SID, MSGPACK_HEADER_MAX + SID_BYTES_MAX);
    if (to)
        close_value(w, put_binary(to, sid, (uint32_t)whole));
}

static uint32_t address_size(const struct ip_address *address)
{
    return address->family == 4 ? 4 : address->family == 6 ? 16 : 0;
}

void activity_put_address(struct activity_writer *w, enum activity_field field,
                          const struct ip_address *address)
{
    uint32_t size = address_size(address);
    if (!size)
        return;
    uint8_t *to = open_value(w, field, TYPE_ADDRESS, MSGPACK_HEADER_MAX + 16);
    if (to)
        close_value(w, put_binary(to, address->bytes, size));
}

/* -- strings ------------------------------------------------------------------------------------- */

/* What a string at `to` may take. */
static size_t string_room(const struct activity_writer *w, const uint8_t *to)
{
    size_t room = (size_t)(w->bytes + LIMIT - to) - MSGPACK_HEADER_MAX;
    return room < ACTIVITY_STRING_MAX ? room : ACTIVITY_STRING_MAX;
}

/* The string stands behind room for the longest header; its shortest header is put, and it is moved up. */
static uint8_t *close_string(uint8_t *to, size_t size)
{
    const uint8_t *text = to + MSGPACK_HEADER_MAX;
    to = msgpack_encode_string_header(to, (uint32_t)size);
    memmove(to, text, size);
    return to + size;
}

static uint8_t *put_string(struct activity_writer *w, uint8_t *to, const uint8_t *text, size_t size)
{
    size_t room = string_room(w, to);
    if (size <= room && utf8_ascii_run(text, size) == size) {
        to = msgpack_encode_string_header(to, (uint32_t)size);
        if (size)
            memcpy(to, text, size);
        return to + size;
    }
    return close_string(to, utf8_copy(to + MSGPACK_HEADER_MAX, room, text, size, &w->truncated));
}

static uint8_t *put_utf16(struct activity_writer *w, uint8_t *to, const uint8_t *text, size_t size)
{
    bool ascii;
    size_t room = string_room(w, to);
    size_t units = utf16_units(text, size, &ascii);
    if (ascii && units <= room) {
        to = msgpack_encode_string_header(to, (uint32_t)units);
        for (size_t i = 0; i < units; i++)
            to[i] = text[2 * i];
        return to + units;
    }
    return close_string(to, utf8_from_utf16(to + MSGPACK_HEADER_MAX, room, text, units, &w->truncated));
}

void activity_put_string(struct activity_writer *w, enum activity_field field, const void *text, size_t size)
{
    uint8_t *to = open_value(w, field, TYPE_STRING, MSGPACK_HEADER_MAX + STRING_ROOM_MIN);
    if (to)
        close_value(w, put_string(w, to, text, size));
}

void activity_put_text(struct activity_writer *w, enum activity_field field, const char *text)
{
    if (text)
        activity_put_string(w, field, text, strlen(text));
}

void activity_put_utf16(struct activity_writer *w, enum activity_field field, const void *text, size_t size)
{
    uint8_t *to = open_value(w, field, TYPE_STRING, MSGPACK_HEADER_MAX + STRING_ROOM_MIN);
    if (to)
        close_value(w, put_utf16(w, to, text, size));
}

/* -- lists --------------------------------------------------------------------------------------- */

bool activity_list_begin(struct activity_writer *w, enum activity_field field)
{
    assert(activity_type_is_list(activity_field_info(field)->type));
    uint8_t *to = open_value(w, field, activity_field_info(field)->type, MSGPACK_HEADER_MAX);
    if (!to)
        return false;
    w->list_at = (uint32_t)(to - w->bytes);
    w->list_items = 0;
    close_value(w, msgpack_encode_tag16(to, 0xdc, 0));
    return true;
}

/* The place of the next item, for which there are `room` bytes; NULL when the list is full or none is open.
 */
static uint8_t *open_item(struct activity_writer *w, uint32_t room)
{
    if (!w->list_at)
        return NULL;
    if (w->list_items >= ACTIVITY_LIST_MAX || w->size + room > LIMIT) {
        w->truncated = true;
        return NULL;
    }
    w->list_items++;
    return w->bytes + w->size;
}

void activity_list_uint(struct activity_writer *w, uint64_t value)
{
    uint8_t *to = open_item(w, MSGPACK_SCALAR_MAX);
    if (to)
        close_value(w, msgpack_encode_uint(to, value));
}

void activity_list_int(struct activity_writer *w, int64_t value)
{
    uint8_t *to = open_item(w, MSGPACK_SCALAR_MAX);
    if (to)
        close_value(w, msgpack_encode_int(to, value));
}

void activity_list_string(struct activity_writer *w, const void *text, size_t size)
{
    uint8_t *to = open_item(w, MSGPACK_HEADER_MAX + STRING_ROOM_MIN);
    if (to)
        close_value(w, put_string(w, to, text, size));
}

void activity_list_utf16(struct activity_writer *w, const void *text, size_t size)
{
    uint8_t *to = open_item(w, MSGPACK_HEADER_MAX + STRING_ROOM_MIN);
    if (to)
        close_value(w, put_utf16(w, to, text, size));
}

void activity_list_address(struct activity_writer *w, const struct ip_address *address)
{
    uint32_t size = address_size(address);
    if (!size)
        return;
    uint8_t *to = open_item(w, MSGPACK_HEADER_MAX + 16);
    if (to)
        close_value(w, put_binary(to, address->bytes, size));
}

void activity_list_sid(struct activity_writer *w, const void *sid, size_t size)
{
    size_t whole = sid_size(sid, size);
    if (!whole)
        return;
    uint8_t *to = open_item(w, MSGPACK_HEADER_MAX + SID_BYTES_MAX);
    if (to)
        close_value(w, put_binary(to, sid, (uint32_t)whole));
}

void activity_list_end(struct activity_writer *w)
{
    if (!w->list_at)
        return;
    msgpack_encode_tag16(w->bytes + w->list_at, 0xdc, (uint16_t)w->list_items);
    w->list_at = 0;
}

/* -- a record that stands already ----------------------------------------------------------------- */

/* Pairs of the map, and behind its header the first of them. */
static uint32_t map_pairs(struct bytes record, struct bytes *pairs)
{
    struct cursor c = cursor_of_bytes(record);
    struct msgpack_item map = msgpack_next(&c);
    *pairs = (struct bytes){c.at, cursor_left(&c)};
    return map.type == MSGPACK_MAP ? map.count : 0;
}

bool activity_extend(struct activity_writer *w, struct bytes record, const struct activity *a)
{
    struct bytes pairs;
    uint32_t count = map_pairs(record, &pairs);
    if (count == 0 || count != a->count + a->unknown_fields || count > FIELDS_LIMIT ||
        a->kind == ACTIVITY_NONE || pairs.size + HEADER_SIZE > LIMIT)
        return false;
    w->kind = a->kind;
    w->fields = count;
    w->list_at = 0;
    w->list_items = 0;
    w->truncated = false;
    w->client = 0;
    memset(w->present, 0, sizeof w->present);
    for (uint32_t i = 0; i < a->count; i++)
        w->present[a->values[i].field / 64] |= UINT64_C(1) << (a->values[i].field % 64);
    memcpy(w->bytes + HEADER_SIZE, pairs.data, pairs.size);
    w->size = (uint32_t)(HEADER_SIZE + pairs.size);
    return true;
}

/* -- the end, and the wait before it ------------------------------------------------------------- */

struct bytes activity_finish(struct activity_writer *w)
{
    activity_list_end(w);
    if (w->truncated && !activity_has(w, FIELD_TRUNCATED)) {
        mark_present(w, FIELD_TRUNCATED); /* its room is RESERVE */
        uint8_t *to = put_name(w->bytes + w->size, &field_names[FIELD_TRUNCATED]);
        close_value(w, msgpack_encode_bool(to, true));
    }
    msgpack_encode_tag16(w->bytes, 0xde, (uint16_t)w->fields);
    return (struct bytes){.data = w->bytes, .size = w->size};
}

enum {
    SAVED_HEAD = offsetof(struct activity_writer, bytes),
};

size_t activity_saved_size(const struct activity_writer *w)
{
    return SAVED_HEAD + w->size;
}

void activity_save(const struct activity_writer *w, void *to)
{
    memcpy(to, w, activity_saved_size(w));
}

bool activity_restore(struct activity_writer *w, const void *from, size_t size)
{
    if (size < SAVED_HEAD || size > SAVED_HEAD + LIMIT)
        return false;
    memcpy(w, from, size);
    return w->size == size - SAVED_HEAD && (unsigned)w->kind < ACTIVITY_KINDS &&
           w->fields <= ACTIVITY_FIELDS_MAX && w->list_at < ACTIVITY_BYTES_MAX;
}
