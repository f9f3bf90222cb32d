/* SPDX-License-Identifier: Apache-2.0
 *
 *   fragment  = fragment header (0x0f major minor flags), then element or template instance, then end (0x00)
 *   element   = 0x01 or 0x41 (with attributes), [dependency u16], size u32, name offset u32, [name],
 *               [attribute list size u32, attributes], 0x02 content 0x04, or 0x03 when it is empty
 *   attribute = 0x06 or 0x46, name offset u32, [name], then what its value is made of
 *   name      = next u32, hash u16, units u16, UTF-16, zero u16; it stands where it is first used, later
 *               uses point there
 *   text      = 0x05 type u8 units u16 UTF-16; 0x07 units UTF-16 (CDATA); 0x08 unit (character reference);
 *               0x09 name offset (entity reference)
 *   template  = 0x0c, unknown u8, id u32, definition offset u32, [definition], count u32, count times (size
 *   instance    u16, type u8, 0), the values
 *   definition = next u32, GUID, size u32, fragment: it stands at its first use, too
 *   substitution = 0x0d, or 0x0e (optional), index u16, type u8
 *
 * A value may be a fragment itself. Only elements of a definition have a dependency: not those of a value,
 * nor those of an event that came from another computer, which has no template at all.
 */
#include "events/binxml.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/sid.h"
#include "base/utf8.h"

enum {
    TOKEN_END_OF_FRAGMENT = 0x00,
    TOKEN_OPEN = 0x01,
    TOKEN_CLOSE_START = 0x02,
    TOKEN_CLOSE_EMPTY = 0x03,
    TOKEN_END_ELEMENT = 0x04,
    TOKEN_TEXT = 0x05,
    TOKEN_ATTRIBUTE = 0x06,
    TOKEN_CDATA = 0x07,
    TOKEN_CHARACTER = 0x08,
    TOKEN_ENTITY = 0x09,
    TOKEN_PI_TARGET = 0x0a,
    TOKEN_PI_DATA = 0x0b,
    TOKEN_TEMPLATE = 0x0c,
    TOKEN_SUBSTITUTION = 0x0d,
    TOKEN_OPTIONAL = 0x0e,
    TOKEN_FRAGMENT = 0x0f,
    TOKEN_MORE = 0x40, /* an element has attributes; an attribute or a text has another one behind it */
};

enum {
    TYPE_NULL_ = 0x00,
    TYPE_STRING_ = 0x01,
    TYPE_ANSI = 0x02,
    TYPE_INT8 = 0x03,
    TYPE_UINT8 = 0x04,
    TYPE_INT16 = 0x05,
    TYPE_UINT16 = 0x06,
    TYPE_INT32 = 0x07,
    TYPE_UINT32 = 0x08,
    TYPE_INT64 = 0x09,
    TYPE_UINT64 = 0x0a,
    TYPE_REAL32 = 0x0b,
    TYPE_REAL64 = 0x0c,
    TYPE_BOOLEAN = 0x0d,
    TYPE_BINARY = 0x0e,
    TYPE_GUID = 0x0f,
    TYPE_SIZE = 0x10,
    TYPE_FILETIME = 0x11,
    TYPE_SYSTEMTIME = 0x12,
    TYPE_SID_ = 0x13,
    TYPE_HEX32 = 0x14,
    TYPE_HEX64 = 0x15,
    TYPE_FRAGMENT = 0x21,
    TYPE_ARRAY = 0x80,
};

enum {
    NESTING_MAX = 8,   /* of templates and fragments in one another */
    WORK_MAX = 65536,  /* tokens of one event: templates can be used many times */
    VALUES_MAX = 4096, /* of one template instance */
    ATTRIBUTE_MAX = 1024,
    NAME_MAX = 256,
    VALUE_TEXT_MAX = 256, /* of a value that is no text itself */
};

/* The values that a template is filled with. */
struct values {
    struct cursor descriptors; /* 4 bytes each */
    struct cursor data;
    uint32_t count;
};

struct reading {
    struct bytes whole;
    struct event_elements *to;
    unsigned work;
    bool in_start; /* an element's start tag is open: text belongs to its attribute */
    uint8_t attribute_name[NAME_MAX];
    size_t attribute_name_size; /* 0: none is open */
    uint8_t attribute[ATTRIBUTE_MAX];
    size_t attribute_size;
};

static bool read_fragment(struct reading *r, struct cursor *c, const struct values *values, unsigned nesting);

static size_t offset_of(const struct reading *r, const struct cursor *c)
{
    return (size_t)(c->at - r->whole.data);
}

/* The bytes from `offset` to the end of all. */
static struct cursor cursor_at(const struct reading *r, size_t offset)
{
    struct cursor c = cursor_of_bytes(r->whole);
    cursor_skip(&c, offset);
    return c;
}

/* -- names -- */

static size_t read_name_here(struct cursor *c, uint8_t to[NAME_MAX])
{
    bool cut = false;
    cursor_skip(c, 6);
    size_t units = cursor_le16(c);
    struct bytes text = cursor_take(c, units * 2);
    cursor_skip(c, 2);
    return c->failed ? 0 : utf8_from_utf16(to, NAME_MAX, text.data, units, &cut);
}

/* A name that stands here, or is pointed to. */
static size_t read_name(const struct reading *r, struct cursor *c, uint8_t to[NAME_MAX])
{
    size_t offset = cursor_le32(c);
    if (c->failed)
        return 0;
    if (offset == offset_of(r, c))
        return read_name_here(c, to);
    struct cursor there = cursor_at(r, offset);
    size_t size = read_name_here(&there, to);
    if (there.failed)
        cursor_fail(c);
    return size;
}

/* -- text, of an element or an attribute -- */

static void put_text(struct reading *r, const void *text, size_t size)
{
    if (!r->in_start) {
        event_element_text(r->to, text, size);
        return;
    }
    if (size > ATTRIBUTE_MAX - r->attribute_size)
        size = ATTRIBUTE_MAX - r->attribute_size;
    memcpy(r->attribute + r->attribute_size, text, size);
    r->attribute_size += size;
}

static void put_utf16(struct reading *r, struct bytes text)
{
    bool cut = false, ascii;
    size_t units = utf16_units(text.data, text.size & ~(size_t)1, &ascii);
    if (r->in_start) {
        r->attribute_size += utf8_from_utf16(r->attribute + r->attribute_size,
                                             ATTRIBUTE_MAX - r->attribute_size, text.data, units, &cut);
        return;
    }
    size_t room;
    uint8_t *to = event_element_room(r->to, &room);
    if (to && units)
        event_element_wrote(r->to, utf8_from_utf16(to, room, text.data, units, &cut), cut);
}

static void end_attribute(struct reading *r)
{
    if (r->attribute_name_size)
        event_element_attribute(r->to, (struct bytes){r->attribute_name, r->attribute_name_size},
                                (struct bytes){r->attribute, r->attribute_size});
    r->attribute_name_size = r->attribute_size = 0;
}

/* -- values -- */

static void text_time(struct text *t, int64_t filetime)
{
    char form[CLOCK_RFC3339_MAX];
    const int64_t to_1970 = INT64_C(116444736000000000); /* in units of 100 ns from 1601 */
    if (filetime < to_1970 || filetime - to_1970 > INT64_MAX / 100)
        return;
    text_string(t, clock_rfc3339((filetime - to_1970) * 100, form));
}

static void text_system_time(struct text *t, struct cursor *c)
{
    unsigned year = cursor_le16(c), month = cursor_le16(c);
    cursor_skip(c, 2);
    unsigned day = cursor_le16(c), hour = cursor_le16(c), minute = cursor_le16(c), second = cursor_le16(c);
    unsigned millisecond = cursor_le16(c);
    char form[64];
    snprintf(form, sizeof(form), "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", year, month, day, hour, minute,
             second, millisecond);
    text_string(t, form);
}

static void text_hexadecimal(struct text *t, uint64_t value)
{
    char form[24];
    snprintf(form, sizeof(form), "0x%llx", (unsigned long long)value);
    text_string(t, form);
}

static void text_real(struct text *t, double value)
{
    char form[40];
    snprintf(form, sizeof(form), "%.17g", value);
    text_string(t, form);
}

static void text_guid(struct text *t, struct bytes guid)
{
    text_char(t, '{');
    if (guid.size == 16)
        uuid_text(t, guid.data);
    text_char(t, '}');
}

static float real32(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static double real64(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* The form in which Windows shows a value. */
static void text_value(struct text *t, uint8_t type, struct cursor c)
{
    size_t size = cursor_left(&c);
    switch (type) {
    case TYPE_INT8:
        text_int(t, (int8_t)cursor_u8(&c));
        break;
    case TYPE_UINT8:
        text_uint(t, cursor_u8(&c));
        break;
    case TYPE_INT16:
        text_int(t, (int16_t)cursor_le16(&c));
        break;
    case TYPE_UINT16:
        text_uint(t, cursor_le16(&c));
        break;
    case TYPE_INT32:
        text_int(t, (int32_t)cursor_le32(&c));
        break;
    case TYPE_UINT32:
        text_uint(t, cursor_le32(&c));
        break;
    case TYPE_INT64:
        text_int(t, (int64_t)cursor_le64(&c));
        break;
    case TYPE_UINT64:
        text_uint(t, cursor_le64(&c));
        break;
    case TYPE_REAL32:
        text_real(t, (double)real32(cursor_le32(&c)));
        break;
    case TYPE_REAL64:
        text_real(t, real64(cursor_le64(&c)));
        break;
    case TYPE_BOOLEAN:
        text_string(t, (size == 1 ? cursor_u8(&c) : cursor_le32(&c)) ? "true" : "false");
        break;
    case TYPE_GUID:
        text_guid(t, cursor_take(&c, 16));
        break;
    case TYPE_SIZE:
        text_hexadecimal(t, size == 4 ? cursor_le32(&c) : cursor_le64(&c));
        break;
    case TYPE_FILETIME:
        text_time(t, (int64_t)cursor_le64(&c));
        break;
    case TYPE_SYSTEMTIME:
        text_system_time(t, &c);
        break;
    case TYPE_SID_:
        sid_text(t, (struct bytes){c.at, size});
        break;
    case TYPE_HEX32:
        text_hexadecimal(t, cursor_le32(&c));
        break;
    case TYPE_HEX64:
        text_hexadecimal(t, cursor_le64(&c));
        break;
    case TYPE_BINARY:
        text_hex(t, cursor_take(&c, size < VALUE_TEXT_MAX / 2 ? size : VALUE_TEXT_MAX / 2));
        break;
    default:
        break;
    }
}

static void put_value(struct reading *r, uint8_t type, struct cursor data)
{
    char form[VALUE_TEXT_MAX + 1];
    struct bytes bytes = {data.at, cursor_left(&data)};
    if (type == TYPE_STRING_) {
        put_utf16(r, bytes);
        return;
    }
    struct text text = text_to(form, sizeof(form));
    if (type == TYPE_ANSI) {
        const uint8_t *zero = bytes.size ? memchr(bytes.data, 0, bytes.size) : NULL;
        bool cut = false;
        uint8_t utf8[ATTRIBUTE_MAX];
        put_text(
            r, utf8,
            utf8_copy(utf8, sizeof(utf8), bytes.data, zero ? (size_t)(zero - bytes.data) : bytes.size, &cut));
        return;
    }
    text_value(&text, type, data);
    put_text(r, form, text_end(&text) < sizeof(form) ? text.length : sizeof(form) - 1);
}

/* Bytes of one item of an array; 0 when items have no common size. */
static size_t item_size(uint8_t type)
{
    static const uint8_t sizes[] = {
        [TYPE_INT8] = 1,     [TYPE_UINT8] = 1,       [TYPE_INT16] = 2,   [TYPE_UINT16] = 2,
        [TYPE_INT32] = 4,    [TYPE_UINT32] = 4,      [TYPE_INT64] = 8,   [TYPE_UINT64] = 8,
        [TYPE_REAL32] = 4,   [TYPE_REAL64] = 8,      [TYPE_BOOLEAN] = 4, [TYPE_GUID] = 16,
        [TYPE_FILETIME] = 8, [TYPE_SYSTEMTIME] = 16, [TYPE_HEX32] = 4,   [TYPE_HEX64] = 8};
    return type < sizeof(sizes) ? sizes[type] : 0;
}

/* The element is repeated for each item; an attribute holds all of them. */
static void put_separator(struct reading *r)
{
    if (r->in_start)
        put_text(r, " ", 1);
    else
        event_element_again(r->to);
}

/* Strings, each ended by a zero. */
static void put_strings(struct reading *r, struct cursor data)
{
    for (bool is_first = true; cursor_left(&data) >= 2 && r->work > 0; is_first = false) {
        bool ascii;
        size_t units = utf16_units(data.at, cursor_left(&data) & ~(size_t)1, &ascii);
        if (!is_first)
            put_separator(r);
        put_utf16(r, cursor_take(&data, units * 2));
        if (cursor_left(&data) >= 2)
            cursor_skip(&data, 2);
        r->work--;
    }
}

static void put_array(struct reading *r, uint8_t type, struct cursor data)
{
    size_t size = item_size(type);
    if (type == TYPE_STRING_) {
        put_strings(r, data);
        return;
    }
    for (bool is_first = true; size && cursor_left(&data) >= size && r->work > 0; is_first = false) {
        if (!is_first)
            put_separator(r);
        put_value(r, type, cursor_sub(&data, size));
        r->work--;
    }
}

/* -- templates -- */

static bool read_substitution(struct reading *r, struct cursor *c, const struct values *values,
                              unsigned nesting)
{
    uint32_t index = cursor_le16(c);
    cursor_skip(c, 1); /* the type that the template expects; the value's own is what it is */
    if (c->failed || !values || index >= values->count)
        return false;
    struct cursor descriptors = values->descriptors, data = values->data;
    for (uint32_t i = 0; i < index; i++) {
        cursor_skip(&data, cursor_le16(&descriptors));
        cursor_skip(&descriptors, 2);
    }
    struct cursor value = cursor_sub(&data, cursor_le16(&descriptors));
    uint8_t type = cursor_u8(&descriptors);
    if (value.failed)
        return false;
    if (type == TYPE_FRAGMENT)
        return r->in_start || cursor_done(&value) || read_fragment(r, &value, NULL, nesting + 1);
    if (type & TYPE_ARRAY)
        put_array(r, type & 0x7f, value);
    else if (type != TYPE_NULL_)
        put_value(r, type, value);
    return true;
}

/* Its definition: here, and then it is stepped over, or where it was first used. */
static struct cursor read_definition(struct reading *r, struct cursor *c)
{
    size_t offset = cursor_le32(c);
    bool is_here = offset == offset_of(r, c);
    struct cursor there = is_here ? *c : cursor_at(r, offset);
    cursor_skip(&there, 4 + 16);
    size_t size = cursor_le32(&there);
    struct cursor definition = cursor_sub(&there, size);
    if (is_here)
        *c = there;
    return definition;
}

static bool read_template(struct reading *r, struct cursor *c, unsigned nesting)
{
    struct values values = {0};
    cursor_skip(c, 1 + 4);
    if (c->failed)
        return false;
    struct cursor definition = read_definition(r, c);
    values.count = cursor_le32(c);
    if (definition.failed || values.count > VALUES_MAX)
        return false;
    values.descriptors = cursor_sub(c, (size_t)values.count * 4);
    values.data = *c;
    struct cursor sizes = values.descriptors;
    for (uint32_t i = 0; i < values.count && !c->failed; i++) {
        cursor_skip(c, cursor_le16(&sizes));
        cursor_skip(&sizes, 2);
    }
    values.data.end = c->at;
    return !c->failed && read_fragment(r, &definition, &values, nesting + 1);
}

/* -- tokens -- */

static bool read_open(struct reading *r, struct cursor *c, bool has_attributes, bool has_dependency)
{
    uint8_t name[NAME_MAX];
    cursor_skip(c, (has_dependency ? 2 : 0) + 4);
    size_t size = read_name(r, c, name);
    if (has_attributes)
        cursor_skip(c, 4);
    if (c->failed || !event_element_open(r->to, (struct bytes){name, size}))
        return false;
    r->in_start = true;
    r->attribute_name_size = r->attribute_size = 0;
    return true;
}

static bool read_attribute(struct reading *r, struct cursor *c)
{
    end_attribute(r);
    r->attribute_name_size = read_name(r, c, r->attribute_name);
    return r->in_start && !c->failed;
}

static bool read_entity(struct reading *r, struct cursor *c)
{
    static const struct {
        const char *name, *text;
    } entities[] = {{"amp", "&"}, {"lt", "<"}, {"gt", ">"}, {"quot", "\""}, {"apos", "'"}};
    uint8_t name[NAME_MAX];
    size_t size = read_name(r, c, name);
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
        if (size == strlen(entities[i].name) && memcmp(name, entities[i].name, size) == 0)
            put_text(r, entities[i].text, 1);
    }
    return !c->failed;
}

static bool read_text_token(struct reading *r, struct cursor *c, uint8_t token)
{
    if (token == TOKEN_TEXT && cursor_u8(c) != TYPE_STRING_)
        return false;
    put_utf16(r, cursor_take(c, (size_t)cursor_le16(c) * 2));
    return !c->failed;
}

static bool read_character(struct reading *r, struct cursor *c)
{
    uint8_t utf8[UTF8_BYTES_MAX];
    size_t size = utf8_encode(cursor_le16(c), utf8);
    put_text(r, utf8, size);
    return !c->failed;
}

/* The start tag is complete, or the element is. An end must be that of an element of the same fragment. */
static bool close_start(struct reading *r)
{
    bool is_open = r->in_start;
    end_attribute(r);
    r->in_start = false;
    return is_open;
}

static bool close_element(struct reading *r, unsigned floor)
{
    if (r->to->depth <= floor)
        return false;
    event_element_close(r->to);
    return true;
}

static bool read_token(struct reading *r, struct cursor *c, const struct values *values, unsigned nesting,
                       unsigned floor, uint8_t token)
{
    switch (token & ~TOKEN_MORE) {
    case TOKEN_FRAGMENT:
        cursor_skip(c, 3);
        return !c->failed;
    case TOKEN_OPEN:
        return !r->in_start && read_open(r, c, token & TOKEN_MORE, values != NULL);
    case TOKEN_CLOSE_START:
        return close_start(r);
    case TOKEN_CLOSE_EMPTY:
        return close_start(r) && close_element(r, floor);
    case TOKEN_END_ELEMENT:
        return !r->in_start && close_element(r, floor);
    case TOKEN_TEXT:
    case TOKEN_CDATA:
        return read_text_token(r, c, token & 0x3f);
    case TOKEN_ATTRIBUTE:
        return read_attribute(r, c);
    case TOKEN_CHARACTER:
        return read_character(r, c);
    case TOKEN_ENTITY:
        return read_entity(r, c);
    case TOKEN_PI_TARGET:
        cursor_skip(c, 4);
        return !c->failed;
    case TOKEN_PI_DATA:
        cursor_skip(c, (size_t)cursor_le16(c) * 2);
        return !c->failed;
    case TOKEN_TEMPLATE:
        return !r->in_start && read_template(r, c, nesting);
    case TOKEN_SUBSTITUTION:
    case TOKEN_OPTIONAL:
        return read_substitution(r, c, values, nesting);
    default:
        return false;
    }
}

/* To its end; what it leaves open is closed, so that what follows stands where it belongs. */
static bool read_fragment(struct reading *r, struct cursor *c, const struct values *values, unsigned nesting)
{
    unsigned floor = r->to->depth;
    bool is_fine = nesting <= NESTING_MAX;
    while (is_fine && !cursor_done(c)) {
        uint8_t token = cursor_u8(c);
        if (token == TOKEN_END_OF_FRAGMENT)
            break;
        is_fine = r->work > 0 && read_token(r, c, values, nesting, floor, token);
        r->work -= r->work > 0;
    }
    is_fine = is_fine && !r->in_start && r->to->depth == floor;
    r->in_start = false;
    while (r->to->depth > floor)
        event_element_close(r->to);
    return is_fine;
}

bool binxml_read(struct bytes whole, size_t at, size_t size, struct event_elements *to)
{
    struct reading r = {.whole = whole, .to = to, .work = WORK_MAX};
    struct cursor c = cursor_at(&r, at);
    struct cursor fragment = cursor_sub(&c, size);
    return !fragment.failed && read_fragment(&r, &fragment, NULL, 0) && !fragment.failed;
}
