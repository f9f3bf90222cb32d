/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/directory_batch.h"

#include "base/msgpack.h"

#include <stdlib.h>

enum { ARRAY_HEAD = 5, CHANGE_VERSION = 1, CHANGE_MOST = 4 * ENTITY_BYTES_MAX + 64 * DIRECTORY_BATCH_LINKS };

bool directory_batch_open(struct directory_batch *batch)
{
    batch->capacity = DIRECTORY_BATCH_MAX + CHANGE_MOST;
    batch->bytes = malloc(batch->capacity);
    directory_batch_clear(batch);
    return batch->bytes != NULL;
}

void directory_batch_close(struct directory_batch *batch)
{
    free(batch->bytes);
    memset(batch, 0, sizeof *batch);
}

void directory_batch_clear(struct directory_batch *batch)
{
    batch->size = ARRAY_HEAD;
    batch->changes = 0;
}

bool directory_batch_is_full(const struct directory_batch *batch)
{
    return batch->size >= DIRECTORY_BATCH_MAX;
}

static void put_value(struct msgpack_writer *w, enum activity_type type, const struct entity_value *value)
{
    switch (type) {
    case TYPE_INT:
    case TYPE_INT_LIST:
    case TYPE_TIME:
        msgpack_put_int(w, value->sint);
        return;
    case TYPE_BOOL:
        msgpack_put_bool(w, value->boolean);
        return;
    case TYPE_STRING:
    case TYPE_STRING_LIST:
        msgpack_put_string(w, value->bytes.data, value->bytes.size);
        return;
    case TYPE_BYTES:
    case TYPE_UUID:
    case TYPE_SID:
    case TYPE_SID_LIST:
    case TYPE_ADDRESS:
    case TYPE_ADDRESS_LIST:
        msgpack_put_binary(w, value->bytes.data, value->bytes.size);
        return;
    case TYPE_UINT:
    case TYPE_UINT_LIST:
    case TYPE_DURATION:
    case TYPE_ID:
    case TYPE_ID_LIST:
        msgpack_put_uint(w, value->uint);
        return;
    }
}

static void put_fields(struct msgpack_writer *w, const struct entity_change *change)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < ENTITY_ATTRIBUTES; i++)
        count += entity_change_has(change, (enum entity_attribute)i);
    msgpack_put_text(w, "fields");
    msgpack_put_map(w, count);
    for (unsigned i = 0; i < ENTITY_ATTRIBUTES; i++) {
        if (!entity_change_has(change, (enum entity_attribute)i))
            continue;
        const struct entity_attribute_info *info = entity_attribute_info((enum entity_attribute)i);
        uint32_t values = change->attributes[i].count;
        bool list = activity_type_is_list(info->type);
        msgpack_put_text(w, info->field);
        if (list)
            msgpack_put_array(w, values);
        else if (!values)
            msgpack_put_nil(w);
        for (uint32_t j = 0; j < values && (list || j == 0); j++)
            put_value(w, info->type, &change->attributes[i].values[j]);
    }
}

static void put_links(struct msgpack_writer *w, const struct entity_change *change, uint32_t from,
                      uint32_t count)
{
    msgpack_put_text(w, "links");
    msgpack_put_array(w, count);
    for (uint32_t i = from; i < from + count; i++) {
        const struct entity_edge *edge = &change->edges[i];
        msgpack_put_array(w, 3);
        msgpack_put_text(w, entity_link_info(edge->link)->field);
        msgpack_put_bool(w, edge->removed);
        msgpack_put_binary(w, edge->target.bytes, GUID_SIZE);
    }
}

static void put_whole_links(struct msgpack_writer *w, uint64_t whole)
{
    msgpack_put_text(w, "whole_links");
    msgpack_put_array(w, (uint32_t)__builtin_popcountll(whole));
    for (unsigned i = 0; i < ENTITY_LINKS; i++) {
        if (whole >> i & 1)
            msgpack_put_text(w, entity_link_info((enum entity_link)i)->field);
    }
}

/* The first map of a change says everything, those that follow only more links. */
static void put_change(struct msgpack_writer *w, const struct entity_change *change, const char *domain,
                       uint32_t from, uint32_t links)
{
    bool first = from == 0;
    bool kind = first && change->kind_known, dn = first && change->dn.size;
    msgpack_put_map(w, 6u + kind + dn + first + first);
    msgpack_put_text(w, "v");
    msgpack_put_uint(w, CHANGE_VERSION);
    msgpack_put_text(w, "guid");
    msgpack_put_binary(w, change->guid.bytes, GUID_SIZE);
    msgpack_put_text(w, "domain");
    msgpack_put_text(w, domain);
    msgpack_put_text(w, "whole");
    msgpack_put_bool(w, first && change->whole);
    msgpack_put_text(w, "deleted");
    msgpack_put_bool(w, change->deleted);
    if (kind) {
        msgpack_put_text(w, "kind");
        msgpack_put_text(w, entity_kind_name(change->kind));
    }
    if (dn) {
        msgpack_put_text(w, "dn");
        msgpack_put_string(w, change->dn.data, change->dn.size);
    }
    if (first) {
        put_fields(w, change);
        put_whole_links(w, change->whole_links);
    }
    put_links(w, change, from, links);
}

static bool make_room(struct directory_batch *batch)
{
    if (batch->capacity - batch->size >= CHANGE_MOST)
        return true;
    uint8_t *larger = realloc(batch->bytes, batch->capacity * 2);
    if (!larger)
        return false;
    batch->bytes = larger;
    batch->capacity *= 2;
    return true;
}

bool directory_batch_take(struct directory_batch *batch, const struct entity_change *change,
                          const char *domain)
{
    size_t before = batch->size;
    uint32_t changes = batch->changes, from = 0;
    do {
        uint32_t left = change->edge_count - from;
        uint32_t links = left < DIRECTORY_BATCH_LINKS ? left : DIRECTORY_BATCH_LINKS;
        struct msgpack_writer w;
        if (make_room(batch))
            msgpack_writer_init(&w, batch->bytes + batch->size, batch->capacity - batch->size);
        else
            w.full = true;
        if (!w.full)
            put_change(&w, change, domain, from, links);
        if (w.full) {
            batch->size = before;
            batch->changes = changes;
            return false;
        }
        batch->size += w.size;
        batch->changes++;
        from += links;
    } while (from < change->edge_count);
    return true;
}

struct bytes directory_batch_bytes(struct directory_batch *batch)
{
    uint8_t *head = batch->bytes;
    head[0] = 0xdd; /* array 32 */
    for (unsigned i = 0; i < 4; i++)
        head[1 + i] = (uint8_t)(batch->changes >> (24 - 8 * i));
    return (struct bytes){head, batch->size};
}
