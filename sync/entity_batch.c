/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/entity_batch.h"

#include <stdlib.h>

/* -- writing ------------------------------------------------------------------------------------------------
 */

struct entity_batch_writer {
    struct batch_writer *frames;
    entity_batch_sink sink;
    void *context;
    struct sync_token token;
    uint64_t sequence; /* of the batch that is being filled */
    bool dropping;     /* what was added is given up */
    uint8_t record[BATCH_ENTITIES_RECORD_MAX];
};

static void set_header(struct entity_batch_writer *writer)
{
    uint8_t pairs[BATCH_FENCE_MAX];
    const struct sync_token *token = &writer->token;
    struct batch_fence fence = {.term = token->term,
                                .draw = token->draw,
                                .incarnation = token->incarnation,
                                .sequence = writer->sequence};
    memcpy(fence.domain, token->domain, sizeof fence.domain);
    memcpy(fence.node, token->node, sizeof fence.node);
    batch_writer_set_pairs(writer->frames, (struct bytes){pairs, batch_fence_write(pairs, &fence)},
                           BATCH_FENCE_PAIRS);
}

static void take_frame(void *context, struct bytes frame)
{
    struct entity_batch_writer *writer = context;
    if (writer->dropping)
        return;
    writer->sink(writer->context, writer->sequence, frame);
    writer->sequence++;
    set_header(writer);
}

struct entity_batch_writer *entity_batch_writer_new(int zstd_level, entity_batch_sink sink, void *context)
{
    struct entity_batch_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return NULL;
    writer->sink = sink;
    writer->context = context;
    writer->frames = batch_writer_new_of(&batch_entities, zstd_level, take_frame, writer);
    if (!writer->frames)
        entity_batch_writer_destroy(&writer);
    return writer;
}

void entity_batch_writer_destroy(struct entity_batch_writer **writer)
{
    if (!*writer)
        return;
    batch_writer_destroy(&(*writer)->frames);
    free(*writer);
    *writer = NULL;
}

void entity_batch_begin(struct entity_batch_writer *writer, const struct sync_token *token, uint64_t sequence)
{
    writer->dropping = true;
    batch_writer_flush(writer->frames);
    writer->dropping = false;
    writer->token = *token;
    writer->sequence = sequence;
    set_header(writer);
}

static void add_record(struct entity_batch_writer *writer, const struct msgpack_writer *w)
{
    if (!w->full)
        batch_writer_add(writer->frames, (struct bytes){w->data, w->size});
}

static struct msgpack_writer begin_record(struct entity_batch_writer *writer, const char *kind)
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, writer->record, sizeof writer->record);
    msgpack_put_map(&w, 1);
    msgpack_put_text(&w, kind);
    return w;
}

void entity_batch_add(struct entity_batch_writer *writer, const struct entity *entity)
{
    struct msgpack_writer w = begin_record(writer, "entity");
    entity_encode(&w, entity);
    add_record(writer, &w);
}

void entity_batch_remove(struct entity_batch_writer *writer, const struct guid *guid)
{
    struct msgpack_writer w = begin_record(writer, "removed");
    msgpack_put_binary(&w, guid->bytes, GUID_SIZE);
    add_record(writer, &w);
}

void entity_batch_whole(struct entity_batch_writer *writer)
{
    struct msgpack_writer w = begin_record(writer, "whole");
    msgpack_put_bool(&w, true);
    add_record(writer, &w);
}

static void add_links(struct entity_batch_writer *writer, const struct guid *source, enum entity_link link,
                      const char *what, const struct guid *targets, uint32_t count)
{
    struct msgpack_writer w = begin_record(writer, "links");
    msgpack_put_map(&w, 3);
    msgpack_put_text(&w, "source");
    msgpack_put_binary(&w, source->bytes, GUID_SIZE);
    msgpack_put_text(&w, "link");
    msgpack_put_text(&w, entity_link_info(link)->field);
    msgpack_put_text(&w, what);
    msgpack_put_array(&w, count);
    for (uint32_t i = 0; i < count; i++)
        msgpack_put_binary(&w, targets[i].bytes, GUID_SIZE);
    add_record(writer, &w);
}

void entity_batch_add_links(struct entity_batch_writer *writer, const struct guid *source,
                            enum entity_link link, enum entity_batch_links what, const struct guid *targets,
                            uint32_t count)
{
    uint32_t at = 0;
    if (count == 0 && what != ENTITY_BATCH_ALL)
        return;
    do {
        uint32_t part = count - at < ENTITY_BATCH_LINKS_MAX ? count - at : ENTITY_BATCH_LINKS_MAX;
        const char *key = what == ENTITY_BATCH_DROPPED          ? "removed"
                          : what == ENTITY_BATCH_ALL && at == 0 ? "all"
                                                                : "added";
        add_links(writer, source, link, key, part ? targets + at : NULL, part);
        at += part;
    } while (at < count);
}

uint64_t entity_batch_end(struct entity_batch_writer *writer)
{
    batch_writer_flush(writer->frames);
    return writer->sequence;
}

/* -- reading ------------------------------------------------------------------------------------------------
 */

struct entity_batch_reader {
    struct batch_reader *frames;
    bool invalid;
    struct entity_batch_header header;
    struct cursor records;
    uint64_t left;
};

struct entity_batch_reader *entity_batch_reader_new(void)
{
    struct entity_batch_reader *reader = calloc(1, sizeof *reader);
    if (reader && !(reader->frames = batch_reader_new_of(&batch_entities)))
        entity_batch_reader_destroy(&reader);
    return reader;
}

void entity_batch_reader_destroy(struct entity_batch_reader **reader)
{
    if (!*reader)
        return;
    batch_reader_destroy(&(*reader)->frames);
    free(*reader);
    *reader = NULL;
}

static bool take_guid(const struct msgpack_item *item, uint8_t to[GUID_SIZE])
{
    if (item->type != MSGPACK_BINARY || item->bytes.size != GUID_SIZE)
        return false;
    memcpy(to, item->bytes.data, GUID_SIZE);
    return true;
}

static bool read_header(struct entity_batch_reader *reader)
{
    uint32_t count;
    struct batch_fence fence;
    struct cursor c = batch_reader_pairs(reader->frames, &count);
    struct entity_batch_header *header = &reader->header;
    memset(header, 0, sizeof *header);
    if (!batch_fence_read(&fence, c, count))
        return false;
    memcpy(header->token.domain, fence.domain, sizeof header->token.domain);
    memcpy(header->token.node, fence.node, sizeof header->token.node);
    header->token.term = fence.term;
    header->token.draw = fence.draw;
    header->token.incarnation = fence.incarnation;
    header->sequence = fence.sequence;
    reader->records = batch_reader_records(reader->frames, &header->count);
    reader->left = header->count;
    return true;
}

enum batch_verdict entity_batch_reader_feed(struct entity_batch_reader *reader, struct bytes *input)
{
    if (reader->invalid)
        return BATCH_INVALID;
    enum batch_verdict verdict = batch_reader_feed(reader->frames, input);
    if (verdict == BATCH_READY && !read_header(reader)) {
        reader->invalid = true;
        return BATCH_INVALID;
    }
    return verdict;
}

const struct entity_batch_header *entity_batch_reader_header(const struct entity_batch_reader *reader)
{
    return &reader->header;
}

static bool read_targets(struct cursor *c, struct cursor *at, uint32_t *count)
{
    struct msgpack_item list = msgpack_next(c);
    uint8_t target[GUID_SIZE];
    if (list.type != MSGPACK_ARRAY || list.count > ENTITY_BATCH_LINKS_MAX)
        return false;
    const uint8_t *start = c->at;
    for (uint32_t i = 0; i < list.count; i++) {
        struct msgpack_item item = msgpack_next(c);
        if (!take_guid(&item, target))
            return false;
    }
    *at = cursor_of(start, (size_t)(c->at - start));
    *count = list.count;
    return true;
}

static bool read_links(struct cursor *c, struct entity_batch_record *record)
{
    struct msgpack_item map = msgpack_next(c);
    bool source = false, link = false;
    record->added = record->removed = 0;
    record->all = false;
    if (map.type != MSGPACK_MAP)
        return false;
    for (uint32_t i = 0; i < map.count; i++) {
        struct msgpack_item key = msgpack_next(c);
        bool read = true;
        if (msgpack_is_text(&key, "source")) {
            struct msgpack_item value = msgpack_next(c);
            read = source = take_guid(&value, record->guid.bytes);
        } else if (msgpack_is_text(&key, "link")) {
            struct msgpack_item value = msgpack_next(c);
            read = link = value.type == MSGPACK_STRING;
            if (read)
                record->link = entity_link_by_name((const char *)value.bytes.data, value.bytes.size);
        } else if (msgpack_is_text(&key, "added") || msgpack_is_text(&key, "all")) {
            record->all = msgpack_is_text(&key, "all");
            read = read_targets(c, &record->added_at, &record->added);
        } else if (msgpack_is_text(&key, "removed")) {
            read = read_targets(c, &record->removed_at, &record->removed);
        } else {
            read = msgpack_skip(c);
        }
        if (!read)
            return false;
    }
    if (record->link == ENTITY_LINKS) /* of a later version */
        record->kind = ENTITY_BATCH_UNKNOWN;
    return source && link;
}

static bool read_record(struct cursor *c, struct entity_batch_record *record)
{
    struct msgpack_item map = msgpack_next(c);
    if (map.type != MSGPACK_MAP || map.count != 1)
        return false;
    struct msgpack_item key = msgpack_next(c);
    if (msgpack_is_text(&key, "entity")) {
        record->kind = ENTITY_BATCH_ENTITY;
        return entity_decode(c, &record->entity);
    }
    if (msgpack_is_text(&key, "removed")) {
        struct msgpack_item value = msgpack_next(c);
        record->kind = ENTITY_BATCH_REMOVED;
        return take_guid(&value, record->guid.bytes);
    }
    if (msgpack_is_text(&key, "whole")) {
        struct msgpack_item value = msgpack_next(c);
        record->kind =
            value.type == MSGPACK_BOOL && value.boolean ? ENTITY_BATCH_WHOLE : ENTITY_BATCH_UNKNOWN;
        return value.type == MSGPACK_BOOL;
    }
    record->kind = ENTITY_BATCH_LINKS;
    if (msgpack_is_text(&key, "links"))
        return read_links(c, record);
    record->kind = ENTITY_BATCH_UNKNOWN;
    return key.type == MSGPACK_STRING && msgpack_skip(c);
}

bool entity_batch_reader_next(struct entity_batch_reader *reader, struct entity_batch_record *record,
                              bool *damaged)
{
    *damaged = false;
    if (!reader->left) {
        *damaged = !cursor_done(&reader->records);
        return false;
    }
    reader->left--;
    if (read_record(&reader->records, record))
        return true;
    cursor_fail(&reader->records);
    reader->left = 0;
    *damaged = true;
    return false;
}

bool entity_batch_next_target(struct cursor *at, uint32_t *left, struct guid *target)
{
    if (!*left)
        return false;
    struct msgpack_item item = msgpack_next(at);
    (*left)--;
    return take_guid(&item, target->bytes);
}

bool entity_batch_reader_at_boundary(const struct entity_batch_reader *reader)
{
    return batch_reader_at_boundary(reader->frames);
}
