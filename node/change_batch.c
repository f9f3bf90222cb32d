/* SPDX-License-Identifier: Apache-2.0 */
#include "node/change_batch.h"

#include "base/msgpack.h"

#define FORMAT "picket-changes"

size_t change_batch_head(uint8_t to[CHANGE_BATCH_HEAD_MAX], const struct sync_token *token, uint64_t sequence)
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, to, CHANGE_BATCH_HEAD_MAX);
    msgpack_put_map(&w, 8);
    msgpack_put_text(&w, "format");
    msgpack_put_text(&w, FORMAT);
    msgpack_put_text(&w, "version");
    msgpack_put_uint(&w, CHANGE_BATCH_VERSION);
    msgpack_put_text(&w, "domain");
    msgpack_put_text(&w, token->domain);
    msgpack_put_text(&w, "term");
    msgpack_put_uint(&w, token->term);
    msgpack_put_text(&w, "draw");
    msgpack_put_uint(&w, token->draw);
    msgpack_put_text(&w, "node");
    msgpack_put_binary(&w, token->node, sizeof(token->node));
    msgpack_put_text(&w, "incarnation");
    msgpack_put_uint(&w, token->incarnation);
    msgpack_put_text(&w, "sequence");
    msgpack_put_uint(&w, sequence);
    return w.size;
}

static bool is(struct bytes text, const char *name)
{
    return text.size == strlen(name) && memcmp(text.data, name, text.size) == 0;
}

static bool read_number(struct cursor *c, uint64_t *value)
{
    struct msgpack_item item = msgpack_next(c);
    *value = item.uint;
    return item.type == MSGPACK_UINT;
}

static bool read_text(struct cursor *c, char *to, size_t capacity)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type != MSGPACK_STRING || item.bytes.size >= capacity)
        return false;
    memcpy(to, item.bytes.data, item.bytes.size);
    to[item.bytes.size] = '\0';
    return true;
}

static bool read_node(struct cursor *c, struct sync_token *token)
{
    struct msgpack_item item = msgpack_next(c);
    if (item.type != MSGPACK_BINARY || item.bytes.size != sizeof(token->node))
        return false;
    memcpy(token->node, item.bytes.data, sizeof(token->node));
    return true;
}

struct head {
    bool format;
    uint64_t version;
};

static bool read_pair(struct change_batch *batch, struct head *head, struct bytes key, struct cursor *c)
{
    char format[32];
    if (is(key, "format"))
        return read_text(c, format, sizeof(format)) && (head->format = strcmp(format, FORMAT) == 0);
    if (is(key, "version"))
        return read_number(c, &head->version);
    if (is(key, "domain"))
        return read_text(c, batch->token.domain, sizeof(batch->token.domain));
    if (is(key, "term"))
        return read_number(c, &batch->token.term);
    if (is(key, "draw"))
        return read_number(c, &batch->token.draw);
    if (is(key, "node"))
        return read_node(c, &batch->token);
    if (is(key, "incarnation"))
        return read_number(c, &batch->token.incarnation);
    if (is(key, "sequence"))
        return read_number(c, &batch->sequence);
    return msgpack_skip(c);
}

bool change_batch_read(struct change_batch *batch, struct bytes payload)
{
    *batch = (struct change_batch){0};
    struct cursor c = cursor_of_bytes(payload);
    struct head head = {0};
    struct msgpack_item map = msgpack_next(&c);
    if (map.type != MSGPACK_MAP)
        return false;
    for (uint32_t i = 0; i < map.count; i++) {
        struct msgpack_item key = msgpack_next(&c);
        if (key.type != MSGPACK_STRING || !read_pair(batch, &head, key.bytes, &c))
            return false;
    }
    struct msgpack_item array = msgpack_next(&c);
    batch->count = array.count;
    batch->changes = c;
    return array.type == MSGPACK_ARRAY && head.format && head.version == CHANGE_BATCH_VERSION;
}

static bool read_field(struct change_summary *summary, struct bytes key, struct cursor *c)
{
    struct cursor value = *c; /* containers are counted, and stepped over whole */
    struct msgpack_item item = msgpack_next(&value);
    bool bytes = item.type == MSGPACK_STRING || item.type == MSGPACK_BINARY;
    if (bytes && is(key, "guid"))
        summary->guid = item.bytes;
    else if (bytes && is(key, "kind"))
        summary->kind = item.bytes;
    else if (bytes && is(key, "dn"))
        summary->dn = item.bytes;
    else if (item.type == MSGPACK_BOOL && is(key, "deleted"))
        summary->deleted = item.boolean;
    else if (item.type == MSGPACK_BOOL && is(key, "whole"))
        summary->whole = item.boolean;
    else if (item.type == MSGPACK_MAP && is(key, "fields"))
        summary->fields = item.count;
    else if (item.type == MSGPACK_ARRAY && is(key, "links"))
        summary->links = item.count;
    return msgpack_skip(c);
}

bool change_batch_next(struct change_batch *batch, struct change_summary *summary)
{
    *summary = (struct change_summary){0};
    if (batch->count == 0)
        return false;
    batch->count--;
    struct msgpack_item map = msgpack_next(&batch->changes);
    bool fine = map.type == MSGPACK_MAP;
    for (uint32_t i = 0; fine && i < map.count; i++) {
        struct msgpack_item key = msgpack_next(&batch->changes);
        fine = key.type == MSGPACK_STRING && read_field(summary, key.bytes, &batch->changes);
    }
    if (!fine) {
        cursor_fail(&batch->changes);
        batch->count = 0;
    }
    return fine;
}
