/* SPDX-License-Identifier: Apache-2.0 */
#include "base/msgpack.h"

#include <math.h>

#include "base/msgpack_encode.h"

/* -- writer -------------------------------------------------------------------------------------- */

void msgpack_writer_init(struct msgpack_writer *w, void *buffer, size_t capacity)
{
    *w = (struct msgpack_writer){.data = buffer, .capacity = capacity};
}

/* Appends an item of a head and a body, or nothing of it. */
static void append(struct msgpack_writer *w, const uint8_t *head, size_t head_size, const void *body,
                   size_t body_size)
{
    size_t room = w->capacity - w->size;
    if (w->full || room < head_size || room - head_size < body_size) {
        w->full = true;
        return;
    }
    memcpy(w->data + w->size, head, head_size);
    w->size += head_size;
    if (!body_size)
        return;
    memcpy(w->data + w->size, body, body_size);
    w->size += body_size;
}

static void append_head(struct msgpack_writer *w, const uint8_t *head, const uint8_t *end)
{
    append(w, head, (size_t)(end - head), NULL, 0);
}

void msgpack_put_nil(struct msgpack_writer *w)
{
    append(w, (const uint8_t[]){0xc0}, 1, NULL, 0);
}

void msgpack_put_bool(struct msgpack_writer *w, bool value)
{
    uint8_t head[MSGPACK_SCALAR_MAX];
    append_head(w, head, msgpack_encode_bool(head, value));
}

void msgpack_put_uint(struct msgpack_writer *w, uint64_t value)
{
    uint8_t head[MSGPACK_SCALAR_MAX];
    append_head(w, head, msgpack_encode_uint(head, value));
}

void msgpack_put_int(struct msgpack_writer *w, int64_t value)
{
    uint8_t head[MSGPACK_SCALAR_MAX];
    append_head(w, head, msgpack_encode_int(head, value));
}

void msgpack_put_double(struct msgpack_writer *w, double value)
{
    uint8_t head[MSGPACK_SCALAR_MAX];
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    append_head(w, head, msgpack_encode_tag64(head, 0xcb, bits));
}

void msgpack_put_string(struct msgpack_writer *w, const void *utf8, size_t size)
{
    uint8_t head[MSGPACK_HEADER_MAX];
    if (size > UINT32_MAX) {
        w->full = true;
        return;
    }
    const uint8_t *end = msgpack_encode_string_header(head, (uint32_t)size);
    append(w, head, (size_t)(end - head), utf8, size);
}

void msgpack_put_text(struct msgpack_writer *w, const char *text)
{
    msgpack_put_string(w, text, strlen(text));
}

void msgpack_put_binary(struct msgpack_writer *w, const void *data, size_t size)
{
    uint8_t head[MSGPACK_HEADER_MAX];
    if (size > UINT32_MAX) {
        w->full = true;
        return;
    }
    const uint8_t *end = msgpack_encode_binary_header(head, (uint32_t)size);
    append(w, head, (size_t)(end - head), data, size);
}

void msgpack_put_array(struct msgpack_writer *w, uint32_t items)
{
    uint8_t head[MSGPACK_HEADER_MAX];
    append_head(w, head, msgpack_encode_array_header(head, items));
}

void msgpack_put_map(struct msgpack_writer *w, uint32_t pairs)
{
    uint8_t head[MSGPACK_HEADER_MAX];
    append_head(w, head, msgpack_encode_map_header(head, pairs));
}

void msgpack_put_raw(struct msgpack_writer *w, const void *data, size_t size)
{
    append(w, data, size, NULL, 0);
}

/* -- reader -------------------------------------------------------------------------------------- */

static struct msgpack_item invalid(struct cursor *c)
{
    cursor_fail(c);
    return (struct msgpack_item){.type = MSGPACK_INVALID};
}

static struct msgpack_item whole(struct cursor *c, struct msgpack_item item)
{
    return c->failed ? invalid(c) : item;
}

static struct msgpack_item unsigned_item(struct cursor *c, uint64_t value)
{
    return whole(c, (struct msgpack_item){.type = MSGPACK_UINT, .uint = value});
}

/* A value that is not negative is MSGPACK_UINT, whatever form it has. */
static struct msgpack_item signed_item(struct cursor *c, int64_t value)
{
    if (value >= 0)
        return unsigned_item(c, (uint64_t)value);
    return whole(c, (struct msgpack_item){.type = MSGPACK_INT, .sint = value});
}

static struct msgpack_item run_item(struct cursor *c, enum msgpack_type type, uint32_t size)
{
    int8_t extension = type == MSGPACK_EXTENSION ? (int8_t)cursor_u8(c) : 0;
    struct bytes bytes = cursor_take(c, size);
    return whole(c, (struct msgpack_item){.type = type, .bytes = bytes, .extension = extension});
}

/* Every item takes a byte at least: a count beyond the bytes that are left is a lie. */
static struct msgpack_item container_item(struct cursor *c, enum msgpack_type type, uint32_t count)
{
    uint64_t items = type == MSGPACK_MAP ? (uint64_t)count * 2 : count;
    if (c->failed || items > cursor_left(c))
        return invalid(c);
    return (struct msgpack_item){.type = type, .count = count};
}

static struct msgpack_item float32_item(struct cursor *c)
{
    uint32_t bits = cursor_be32(c);
    float value;
    memcpy(&value, &bits, sizeof value);
    return whole(c, (struct msgpack_item){.type = MSGPACK_DOUBLE, .real = (double)value});
}

static struct msgpack_item float64_item(struct cursor *c)
{
    uint64_t bits = cursor_be64(c);
    double value;
    memcpy(&value, &bits, sizeof value);
    return whole(c, (struct msgpack_item){.type = MSGPACK_DOUBLE, .real = value});
}

struct msgpack_item msgpack_next_any(struct cursor *c)
{
    if (!cursor_need(c, 1))
        return invalid(c);
    uint8_t tag = cursor_u8(c);
    if (tag < 0x80) /* positive fixint */
        return (struct msgpack_item){.type = MSGPACK_UINT, .uint = tag};
    if (tag < 0x90) /* fixmap */
        return container_item(c, MSGPACK_MAP, tag & 0x0f);
    if (tag < 0xa0) /* fixarray */
        return container_item(c, MSGPACK_ARRAY, tag & 0x0f);
    if (tag < 0xc0) /* fixstr */
        return run_item(c, MSGPACK_STRING, tag & 0x1f);
    if (tag >= 0xe0) /* negative fixint */
        return signed_item(c, (int8_t)tag);

    switch (tag) {
    case 0xc0:
        return (struct msgpack_item){.type = MSGPACK_NIL};
    case 0xc2:
    case 0xc3:
        return (struct msgpack_item){.type = MSGPACK_BOOL, .boolean = tag == 0xc3};
    case 0xc4:
        return run_item(c, MSGPACK_BINARY, cursor_u8(c));
    case 0xc5:
        return run_item(c, MSGPACK_BINARY, cursor_be16(c));
    case 0xc6:
        return run_item(c, MSGPACK_BINARY, cursor_be32(c));
    case 0xc7:
        return run_item(c, MSGPACK_EXTENSION, cursor_u8(c));
    case 0xc8:
        return run_item(c, MSGPACK_EXTENSION, cursor_be16(c));
    case 0xc9:
        return run_item(c, MSGPACK_EXTENSION, cursor_be32(c));
    case 0xca:
        return float32_item(c);
    case 0xcb:
        return float64_item(c);
    case 0xcc:
        return unsigned_item(c, cursor_u8(c));
    case 0xcd:
        return unsigned_item(c, cursor_be16(c));
    case 0xce:
        return unsigned_item(c, cursor_be32(c));
    case 0xcf:
        return unsigned_item(c, cursor_be64(c));
    case 0xd0:
        return signed_item(c, (int8_t)cursor_u8(c));
    case 0xd1:
        return signed_item(c, (int16_t)cursor_be16(c));
    case 0xd2:
        return signed_item(c, (int32_t)cursor_be32(c));
    case 0xd3:
        return signed_item(c, (int64_t)cursor_be64(c));
    case 0xd4: /* fixext 1, 2, 4, 8, 16 */
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        return run_item(c, MSGPACK_EXTENSION, 1u << (tag - 0xd4));
    case 0xd9:
        return run_item(c, MSGPACK_STRING, cursor_u8(c));
    case 0xda:
        return run_item(c, MSGPACK_STRING, cursor_be16(c));
    case 0xdb:
        return run_item(c, MSGPACK_STRING, cursor_be32(c));
    case 0xdc:
        return container_item(c, MSGPACK_ARRAY, cursor_be16(c));
    case 0xdd:
        return container_item(c, MSGPACK_ARRAY, cursor_be32(c));
    case 0xde:
        return container_item(c, MSGPACK_MAP, cursor_be16(c));
    case 0xdf:
        return container_item(c, MSGPACK_MAP, cursor_be32(c));
    default: /* 0xc1 is never used */
        return invalid(c);
    }
}

bool msgpack_skip(struct cursor *c)
{
    uint64_t left = 1; /* cannot overflow: each container's count is below the bytes left */
    while (left) {
        struct msgpack_item item = msgpack_next(c);
        left--;
        if (item.type == MSGPACK_INVALID)
            return false;
        if (item.type == MSGPACK_ARRAY)
            left += item.count;
        if (item.type == MSGPACK_MAP)
            left += (uint64_t)item.count * 2;
        if (left > cursor_left(c))
            return invalid(c).type != MSGPACK_INVALID;
    }
    return true;
}

/* -- items of one type ------------------------------------------------------------------------------------
 */

uint64_t msgpack_take_uint(struct cursor *c, uint64_t most)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type == MSGPACK_UINT && item.uint <= most)
        return item.uint;
    cursor_fail(c);
    return 0;
}

int64_t msgpack_take_int(struct cursor *c)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type == MSGPACK_INT)
        return item.sint;
    if (item.type == MSGPACK_UINT && item.uint <= INT64_MAX)
        return (int64_t)item.uint;
    cursor_fail(c);
    return 0;
}

double msgpack_take_double(struct cursor *c)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type == MSGPACK_DOUBLE && isfinite(item.real))
        return item.real;
    cursor_fail(c);
    return 0;
}

bool msgpack_take_bool(struct cursor *c)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type == MSGPACK_BOOL)
        return item.boolean;
    cursor_fail(c);
    return false;
}

uint32_t msgpack_take_array(struct cursor *c, uint32_t least, uint32_t most)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type == MSGPACK_ARRAY && item.count >= least && item.count <= most)
        return item.count;
    cursor_fail(c);
    return 0;
}

struct bytes msgpack_take_bytes(struct cursor *c, enum msgpack_type type, size_t most)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type == type && item.bytes.size <= most)
        return item.bytes;
    cursor_fail(c);
    return (struct bytes){0};
}

void msgpack_take_binary(struct cursor *c, void *to, size_t size)
{
    struct bytes bytes = msgpack_take_bytes(c, MSGPACK_BINARY, size);
    if (bytes.size != size)
        cursor_fail(c);
    else if (size)
        memcpy(to, bytes.data, size);
}

void msgpack_take_text(struct cursor *c, char *to, size_t capacity)
{
    struct bytes text = msgpack_take_bytes(c, MSGPACK_STRING, capacity - 1);
    to[0] = '\0';
    if (text.size == 0)
        return;
    if (memchr(text.data, 0, text.size)) {
        cursor_fail(c);
        return;
    }
    memcpy(to, text.data, text.size);
    to[text.size] = '\0';
}

bool msgpack_is_text(const struct msgpack_item *item, const char *text)
{
    return item->type == MSGPACK_STRING && item->bytes.size == strlen(text) &&
           memcmp(item->bytes.data, text, item->bytes.size) == 0;
}
