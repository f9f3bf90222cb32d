/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/body.h"

#include <assert.h>

#define FORMAT_KEYS 16u /* of each format */
#define VERSION     1u

/* -- reading -------------------------------------------------------------------------------------- */

void body_fail(struct body *body)
{
    cursor_fail(&body->cursor);
    body->failed = true;
    body->pairs = 0;
}

struct body body_open(struct bytes encoded, enum body_keys format)
{
    struct body body = {.cursor = cursor_of_bytes(encoded), .base = format};
    struct msgpack_item map = msgpack_next(&body.cursor);
    if (map.type != MSGPACK_MAP)
        body_fail(&body);
    else
        body.pairs = map.count;
    return body;
}

/* Steps to the next key; they ascend, so that none is there twice. */
static bool next_key(struct body *body)
{
    if (body->pairs == 0)
        return false;
    struct msgpack_item key = msgpack_next(&body->cursor);
    if (key.type != MSGPACK_UINT || key.uint > UINT32_MAX || (body->begun && key.uint <= body->key)) {
        body_fail(body);
        return false;
    }
    body->key = (uint32_t)key.uint;
    body->begun = true;
    body->pairs--;
    return true;
}

int body_next(struct body *body)
{
    while (next_key(body)) {
        uint32_t limit = body->base + FORMAT_KEYS - (body->base % FORMAT_KEYS);
        if (body->key >= body->base && body->key < limit) {
            body->seen |= 1u << (body->key - body->base);
            return (int)(body->key - body->base);
        }
        if (body->key == BODY_VERSION)
            (void)body_uint(body, VERSION);
        else
            body_skip(body);
    }
    return -1;
}

static struct msgpack_item value(struct body *body, enum msgpack_type type)
{
    struct msgpack_item item = msgpack_next(&body->cursor);
    if (item.type == type)
        return item;
    body_fail(body);
    return (struct msgpack_item){.type = MSGPACK_INVALID};
}

uint64_t body_uint(struct body *body, uint64_t max)
{
    struct msgpack_item item = value(body, MSGPACK_UINT);
    if (item.type != MSGPACK_INVALID && item.uint <= max)
        return item.uint;
    body_fail(body);
    return 0;
}

void body_binary(struct body *body, void *to, size_t size)
{
    struct msgpack_item item = value(body, MSGPACK_BINARY);
    if (item.type != MSGPACK_INVALID && item.bytes.size == size)
        memcpy(to, item.bytes.data, size);
    else
        body_fail(body);
}

struct bytes body_bytes(struct body *body, size_t max)
{
    struct msgpack_item item = value(body, MSGPACK_BINARY);
    if (item.type != MSGPACK_INVALID && item.bytes.size <= max)
        return item.bytes;
    body_fail(body);
    return (struct bytes){0};
}

void body_text(struct body *body, char *to, size_t capacity, bool (*valid)(const char *text))
{
    struct msgpack_item item = value(body, MSGPACK_STRING);
    to[0] = '\0';
    if (item.type == MSGPACK_INVALID || item.bytes.size == 0 || item.bytes.size >= capacity ||
        memchr(item.bytes.data, '\0', item.bytes.size)) {
        body_fail(body);
        return;
    }
    memcpy(to, item.bytes.data, item.bytes.size);
    to[item.bytes.size] = '\0';
    if (!valid(to))
        body_fail(body);
}

unsigned body_texts(struct body *body, char *rows, size_t capacity, unsigned rows_max,
                    bool (*valid)(const char *text))
{
    unsigned count = body_array(body, rows_max);
    for (unsigned i = 0; i < count; i++)
        body_text(body, rows + i * capacity, capacity, valid);
    return body->failed ? 0 : count;
}

unsigned body_array(struct body *body, unsigned max)
{
    struct msgpack_item item = value(body, MSGPACK_ARRAY);
    if (item.type != MSGPACK_INVALID && item.count <= max)
        return item.count;
    body_fail(body);
    return 0;
}

void body_skip(struct body *body)
{
    if (!msgpack_skip(&body->cursor))
        body_fail(body);
}

bool body_end(struct body *body, uint32_t required)
{
    return !body->failed && !body->cursor.failed && body->pairs == 0 && cursor_done(&body->cursor) &&
           (body->seen & required) == required;
}

bool signed_split(struct signed_body *parts, struct bytes encoded)
{
    if (encoded.size <= SIGNATURE_SIZE)
        return false;
    size_t size = encoded.size - SIGNATURE_SIZE;
    *parts = (struct signed_body){.body = {encoded.data, size}, .signature = encoded.data + size};
    return true;
}

bool signed_verify(struct bytes encoded, const uint8_t public_key[PUBLIC_KEY_SIZE],
                   const struct cluster_crypto *crypto)
{
    struct signed_body parts;
    return signed_split(&parts, encoded) &&
           crypto->verify(crypto->context, public_key, parts.body.data, parts.body.size, parts.signature);
}

/* -- writing -------------------------------------------------------------------------------------- */

void body_begin(struct body_writer *writer, void *buffer, size_t capacity, enum body_keys format)
{
    *writer = (struct body_writer){.base = format};
    msgpack_writer_init(&writer->out, buffer, capacity);
    msgpack_put_map(&writer->out, 0); /* one byte; body_finish() puts the number in */
}

static void put_key(struct body_writer *writer, int key)
{
    msgpack_put_uint(&writer->out, writer->base + (uint32_t)key);
    writer->pairs++;
}

void body_put_uint(struct body_writer *writer, int key, uint64_t number)
{
    if (number == 0)
        return;
    put_key(writer, key);
    msgpack_put_uint(&writer->out, number);
}

void body_put_binary(struct body_writer *writer, int key, const void *data, size_t size)
{
    if (size == 0)
        return;
    put_key(writer, key);
    msgpack_put_binary(&writer->out, data, size);
}

void body_put_text(struct body_writer *writer, int key, const char *text)
{
    if (!*text)
        return;
    put_key(writer, key);
    msgpack_put_text(&writer->out, text);
}

void body_put_texts(struct body_writer *writer, int key, const char *rows, size_t capacity, unsigned count)
{
    if (count == 0)
        return;
    body_put_array(writer, key, count);
    for (unsigned i = 0; i < count; i++)
        msgpack_put_text(&writer->out, rows + i * capacity);
}

void body_put_array(struct body_writer *writer, int key, unsigned count)
{
    put_key(writer, key);
    msgpack_put_array(&writer->out, count);
}

size_t body_finish(struct body_writer *writer)
{
    assert(writer->pairs <= BODY_PAIRS_MAX);
    if (writer->out.full)
        return 0;
    writer->out.data[0] = (uint8_t)(0x80u | writer->pairs);
    return writer->out.size;
}

size_t body_sign(struct body_writer *writer, const struct cluster_crypto *crypto)
{
    size_t size = body_finish(writer);
    if (size == 0 || writer->out.capacity - size < SIGNATURE_SIZE)
        return 0;
    crypto->sign(crypto->context, writer->out.data, size, writer->out.data + size);
    return size + SIGNATURE_SIZE;
}

/* -- texts ---------------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

static bool is_letter(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

bool name_valid(const char *text)
{
    size_t size = 0;
    for (; text[size]; size++)
        if (!is_letter(text[size]) && text[size] != '.')
            return false;
    return size > 0 && size < 64;
}

/* Labels of 1 to 63 characters (RFC 1035 2.3.4), 253 in all. */
static bool labels_valid(const char *text, size_t size, bool (*valid)(char c))
{
    size_t label = 0;
    if (size == 0 || size > 253)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '.' && label > 0) {
            label = 0;
            continue;
        }
        if (!valid(text[i]) || ++label > 63)
            return false;
    }
    return label > 0;
}

bool domain_valid(const char *text)
{
    return labels_valid(text, strlen(text), is_lower);
}

bool version_valid(const char *text)
{
    size_t size = 0;
    for (; text[size]; size++)
        if (!is_letter(text[size]) && !strchr(".+~", text[size]))
            return false;
    return size > 0 && size < 64;
}

/* Digits, colons and dots, perhaps with a zone: whether it is an address is for who connects to find out. */
static bool address6_valid(const char *text, size_t size)
{
    size_t i = 0, colons = 0;
    for (; i < size && text[i] != '%'; i++) {
        if (!is_digit(text[i]) && !strchr("abcdefABCDEF:.", text[i]))
            return false;
        colons += text[i] == ':';
    }
    if (colons < 2 || i > 45)
        return false;
    if (i == size)
        return true;
    for (i++; i < size; i++)
        if (!is_letter(text[i]) && text[i] != '.')
            return false;
    return text[size - 1] != '%';
}

static bool host_part_valid(const char *text, size_t size)
{
    return labels_valid(text, size, is_letter) || address6_valid(text, size);
}

bool host_valid(const char *text)
{
    return host_part_valid(text, strlen(text));
}

static bool port_valid(const char *text)
{
    unsigned port = 0;
    size_t digits = 0;
    for (; is_digit(text[digits]) && digits < 6; digits++)
        port = port * 10 + (unsigned)(text[digits] - '0');
    return digits > 0 && digits < 6 && !text[digits] && port > 0 && port <= UINT16_MAX;
}

bool endpoint_valid(const char *text)
{
    static const char scheme[] = "tcp://";
    if (strncmp(text, scheme, sizeof scheme - 1) == 0)
        text += sizeof scheme - 1;
    const char *colon = strrchr(text, ':');
    if (!colon || !port_valid(colon + 1))
        return false;
    size_t size = (size_t)(colon - text);
    if (size > 2 && text[0] == '[' && text[size - 1] == ']')
        return address6_valid(text + 1, size - 2);
    return labels_valid(text, size, is_letter);
}
