/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/entity_batch.h"

#include <stdlib.h>

#define PAIRS 6u

static const struct batch_form form = {
    .format = "picket-entities", .version = ENTITY_BATCH_VERSION, .record_max = ENTITY_BATCH_RECORD_MAX};

/* -- writing ------------------------------------------------------------------------------------------------
 */

struct entity_batch_writer {
    struct batch_writer *frames;
    entity_batch_sink sink;
    void *context;
    struct sync_token token;
    uint64_t sequence; /* of the batch that is being filled */
    bool dropping;     /* what was added is given up */
    uint8_t record[ENTITY_BATCH_RECORD_MAX];
};

static void set_header(struct entity_batch_writer *writer)
{
    uint8_t pairs[BATCH_HEADER_MAX / 2];
    struct msgpack_writer w;
    const struct sync_token *token = &writer->token;
    msgpack_writer_init(&w, pairs, sizeof pairs);
    msgpack_put_text(&w, "domain");
    msgpack_put_string(&w, token->domain, strnlen(token->domain, sizeof token->domain));
    msgpack_put_text(&w, "term");
    msgpack_put_uint(&w, token->term);
    msgpack_put_text(&w, "draw");
    msgpack_put_uint(&w, token->draw);
    msgpack_put_text(&w, "node");
    msgpack_put_binary(&w, token->node, sizeof token->node);
    msgpack_put_text(&w, "incarnation");
    msgpack_put_uint(&w, token->incarnation);
    msgpack_put_text(&w, "sequence");
    msgpack_put_uint(&w, writer->sequence);
    batch_writer_set_pairs(writer->frames, (struct bytes){pairs, w.size}, PAIRS);
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
    writer->frames = batch_writer_new_of(&form, zstd_level, take_frame, writer);
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

void entity_batch_add_links(struct entity_batch_writer *writer, const struct guid *source,
                            enum entity_link link, bool removed, const struct guid *targets, uint32_t count)
{
    for (uint32_t at = 0; at < count; at += ENTITY_BATCH_LINKS_MAX) {
        uint32_t part = count - at < ENTITY_BATCH_LINKS_MAX ? count - at : ENTITY_BATCH_LINKS_MAX;
        struct msgpack_writer w = begin_record(writer, "links");
        msgpack_put_map(&w, 3);
        msgpack_put_text(&w, "source");
        msgpack_put_binary(&w, source->bytes, GUID_SIZE);
        msgpack_put_text(&w, "link");
        msgpack_put_text(&w, entity_link_info(link)->field);
        msgpack_put_text(&w, removed ? "removed" : "added");
        msgpack_put_array(&w, part);
        for (uint32_t i = 0; i < part; i++)
            msgpack_put_binary(&w, targets[at + i].bytes, GUID_SIZE);
        add_record(writer, &w);
    }
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
    if (reader && !(reader->frames = batch_reader_new_of(&form)))
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

static bool is_text(const struct msgpack_item *item, const char *text)
{
    return item->type == MSGPACK_STRING && item->bytes.size == strlen(text) &&
           memcmp(item->bytes.data, text, item->bytes.size) == 0;
}

static bool take_guid(const struct msgpack_item *item, uint8_t to[GUID_SIZE])
{
    if (item->type != MSGPACK_BINARY || item->bytes.size != GUID_SIZE)
        return false;
    memcpy(to, item->bytes.data, GUID_SIZE);
    return true;
}

static bool take_domain(const struct msgpack_item *item, struct sync_token *token)
{
    if (item->type != MSGPACK_STRING || item->bytes.size >= sizeof token->domain ||
        memchr(item->bytes.data, 0, item->bytes.size))
        return false;
    memset(token->domain, 0, sizeof token->domain);
    memcpy(token->domain, item->bytes.data, item->bytes.size);
    return true;
}

/* A bit for each of the pairs, so that all must be there. */
static unsigned take_pair(const struct msgpack_item *key, const struct msgpack_item *value,
                          struct entity_batch_header *header)
{
    struct {
        const char *name;
        uint64_t *to;
    } numbers[] = {
        {"term", &header->token.term},
        {"draw", &header->token.draw},
        {"incarnation", &header->token.incarnation},
        {"sequence", &header->sequence},
    };
    for (unsigned i = 0; i < 4; i++) {
        if (!is_text(key, numbers[i].name) || value->type != MSGPACK_UINT)
            continue;
        *numbers[i].to = value->uint;
        return 1u << i;
    }
    if (is_text(key, "node") && take_guid(value, header->token.node))
        return 1u << 4;
    if (is_text(key, "domain") && take_domain(value, &header->token))
        return 1u << 5;
    return 0;
}

static bool read_header(struct entity_batch_reader *reader)
{
    uint32_t count;
    struct cursor c = batch_reader_pairs(reader->frames, &count);
    unsigned seen = 0;
    memset(&reader->header, 0, sizeof reader->header);
    for (uint32_t i = 0; i < count && !c.failed; i++) {
        struct msgpack_item key = msgpack_next(&c);
        struct cursor before = c;
        struct msgpack_item value = msgpack_next(&c);
        seen |= take_pair(&key, &value, &reader->header);
        c = before;
        msgpack_skip(&c);
    }
    reader->records = batch_reader_records(reader->frames, &reader->header.count);
    reader->left = reader->header.count;
    return !c.failed && seen == (1u << PAIRS) - 1;
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
    if (map.type != MSGPACK_MAP)
        return false;
    for (uint32_t i = 0; i < map.count; i++) {
        struct msgpack_item key = msgpack_next(c);
        bool read = true;
        if (is_text(&key, "source")) {
            struct msgpack_item value = msgpack_next(c);
            read = source = take_guid(&value, record->guid.bytes);
        } else if (is_text(&key, "link")) {
            struct msgpack_item value = msgpack_next(c);
            read = link = value.type == MSGPACK_STRING;
            if (read)
                record->link = entity_link_by_name((const char *)value.bytes.data, value.bytes.size);
        } else if (is_text(&key, "added")) {
            read = read_targets(c, &record->added_at, &record->added);
        } else if (is_text(&key, "removed")) {
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
    if (is_text(&key, "entity")) {
        record->kind = ENTITY_BATCH_ENTITY;
        return entity_decode(c, &record->entity);
    }
    if (is_text(&key, "removed")) {
        struct msgpack_item value = msgpack_next(c);
        record->kind = ENTITY_BATCH_REMOVED;
        return take_guid(&value, record->guid.bytes);
    }
    record->kind = ENTITY_BATCH_LINKS;
    if (is_text(&key, "links"))
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
