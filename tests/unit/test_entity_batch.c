/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/entity_batch.h"
#include "tests/unit/entity_world.h"

#include <zstd.h>

static struct entity entity;
static struct entity_batch_record record;

struct sink {
    uint8_t *data;
    size_t size;
    uint64_t first, frames;
};

static void keep(void *context, uint64_t sequence, struct bytes frame)
{
    struct sink *sink = context;
    if (!sink->frames)
        sink->first = sequence;
    assert_int_equal(sequence, sink->first + sink->frames);
    sink->data = realloc(sink->data, sink->size + frame.size);
    assert_non_null(sink->data);
    memcpy(sink->data + sink->size, frame.data, frame.size);
    sink->size += frame.size;
    sink->frames++;
}

static struct sync_token token_of(const char *domain)
{
    struct sync_token token = {.term = 7, .draw = UINT64_MAX, .incarnation = 3};
    snprintf(token.domain, sizeof token.domain, "%s", domain);
    memset(token.node, 0xab, sizeof token.node);
    return token;
}

static void make_entity(uint32_t number)
{
    memset(&entity, 0, offsetof(struct entity, attributes));
    entity.guid = world_guid(number);
    entity.kind = ENTITY_USER;
    entity.domain = world_bytes("corp.example");
    entity.rdn = world_bytes("CN=x");
    entity.parent = world_bytes("DC=corp,DC=example");
    entity.present[ENTITY_SAM_ACCOUNT_NAME / 64] |= UINT64_C(1) << ENTITY_SAM_ACCOUNT_NAME % 64;
    entity.attributes[ENTITY_SAM_ACCOUNT_NAME].bytes = world_bytes("account");
}

#define TARGETS (ENTITY_BATCH_LINKS_MAX + 5)

static void write_all(struct sink *sink, uint32_t entities)
{
    static struct guid targets[TARGETS];
    struct entity_batch_writer *writer = entity_batch_writer_new(1, keep, sink);
    assert_non_null(writer);
    struct sync_token other = token_of("dropped.example"), token = token_of("corp.example");
    struct guid guid = world_guid(1);
    entity_batch_begin(writer, &other, 1);
    entity_batch_remove(writer, &guid); /* not ended: not sent */
    entity_batch_begin(writer, &token, 41);
    for (uint32_t i = 0; i < entities; i++) {
        make_entity(i);
        entity_batch_add(writer, &entity);
    }
    entity_batch_remove(writer, &guid);
    for (uint32_t i = 0; i < TARGETS; i++)
        targets[i] = world_guid(i);
    entity_batch_add_links(writer, &guid, LINK_MEMBER, false, targets, TARGETS);
    entity_batch_add_links(writer, &guid, LINK_MANAGER, true, targets, 1);
    entity_batch_add_links(writer, &guid, LINK_MANAGER, true, targets, 0);
    uint64_t next = entity_batch_end(writer);
    assert_int_equal(next, 41 + sink->frames);
    assert_int_equal(entity_batch_end(writer), next); /* nothing more */
    entity_batch_writer_destroy(&writer);
    entity_batch_writer_destroy(&writer);
}

struct read_back {
    uint32_t entities, removed, batches;
    uint32_t added, gone; /* links */
    bool damaged;
};

static void read_links(struct read_back *to)
{
    struct guid target, source = world_guid(1);
    assert_bytes_equal(record.guid.bytes, source.bytes, GUID_SIZE);
    assert_int_equal(record.link, record.added ? LINK_MEMBER : LINK_MANAGER);
    while (entity_batch_next_target(&record.added_at, &record.added, &target)) {
        struct guid want = world_guid(to->added++);
        assert_bytes_equal(target.bytes, want.bytes, GUID_SIZE);
    }
    while (entity_batch_next_target(&record.removed_at, &record.removed, &target))
        to->gone++;
}

static void read_batch(struct entity_batch_reader *reader, struct read_back *to)
{
    const struct entity_batch_header *header = entity_batch_reader_header(reader);
    assert_string_equal(header->token.domain, "corp.example");
    assert_int_equal(header->token.term, 7);
    assert_true(header->token.draw == UINT64_MAX);
    assert_int_equal(header->token.incarnation, 3);
    assert_int_equal(header->token.node[15], 0xab);
    assert_int_equal(header->sequence, 41 + to->batches++);
    while (entity_batch_reader_next(reader, &record, &to->damaged)) {
        if (record.kind == ENTITY_BATCH_ENTITY) {
            struct guid want = world_guid(to->entities++);
            assert_bytes_equal(record.entity.guid.bytes, want.bytes, GUID_SIZE);
            assert_int_equal(entity_name(&record.entity).size, 7);
        } else if (record.kind == ENTITY_BATCH_REMOVED) {
            to->removed++;
        } else if (record.kind == ENTITY_BATCH_LINKS) {
            read_links(to);
        }
    }
}

static enum batch_verdict read_all(const struct sink *sink, size_t step, struct read_back *to)
{
    struct entity_batch_reader *reader = entity_batch_reader_new();
    assert_non_null(reader);
    memset(to, 0, sizeof *to);
    enum batch_verdict verdict = BATCH_MORE;
    for (size_t at = 0; at < sink->size && verdict != BATCH_INVALID && !to->damaged; at += step) {
        struct bytes input = {sink->data + at, step < sink->size - at ? step : sink->size - at};
        while (!to->damaged && (verdict = entity_batch_reader_feed(reader, &input)) == BATCH_READY)
            read_batch(reader, to);
    }
    assert_true(verdict == BATCH_INVALID || to->damaged || entity_batch_reader_at_boundary(reader));
    entity_batch_reader_destroy(&reader);
    entity_batch_reader_destroy(&reader);
    return verdict;
}

static void batches_come_back(void **state)
{
    (void)state;
    struct sink sink = {.size = 0};
    struct read_back back;
    write_all(&sink, 5000);
    assert_true(sink.frames > 1);
    const size_t steps[] = {100, sink.size};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(read_all(&sink, steps[i], &back), BATCH_MORE);
        assert_false(back.damaged);
        assert_int_equal(back.entities, 5000);
        assert_int_equal(back.removed, 1);
        assert_int_equal(back.added, TARGETS);
        assert_int_equal(back.gone, 1);
        assert_int_equal(back.batches, sink.frames);
    }
    free(sink.data);
}

/* A frame of any content. */
static enum batch_verdict read_plain(const struct msgpack_writer *w, struct read_back *to)
{
    struct sink sink = {.size = ZSTD_compressBound(w->size)};
    assert_false(w->full);
    sink.data = malloc(sink.size);
    sink.size = ZSTD_compress(sink.data, sink.size, w->data, w->size, 1);
    enum batch_verdict verdict = read_all(&sink, sink.size, to);
    free(sink.data);
    return verdict;
}

static void put_header(struct msgpack_writer *w, const char *but, uint64_t count)
{
    static const char *const numbers[] = {"term", "draw", "incarnation", "sequence"};
    static const uint64_t values[] = {7, UINT64_MAX, 3, 41};
    uint8_t node[16];
    memset(node, 0xab, sizeof node);
    msgpack_put_map(w, 10);
    msgpack_put_text(w, "format");
    msgpack_put_text(w, strcmp(but, "format") == 0 ? "picket-activities" : "picket-entities");
    msgpack_put_text(w, "version");
    msgpack_put_uint(w, strcmp(but, "version") == 0 ? 2 : 1);
    msgpack_put_text(w, "count");
    msgpack_put_uint(w, count);
    msgpack_put_text(w, "later");
    msgpack_put_array(w, 1);
    msgpack_put_nil(w);
    for (unsigned i = 0; i < 4; i++) {
        msgpack_put_text(w, numbers[i]);
        if (strcmp(but, numbers[i]) == 0)
            msgpack_put_text(w, "no number");
        else
            msgpack_put_uint(w, values[i]);
    }
    msgpack_put_text(w, "node");
    msgpack_put_binary(w, node, strcmp(but, "node") == 0 ? 15 : 16);
    msgpack_put_text(w, "domain");
    if (strcmp(but, "domain") == 0)
        msgpack_put_string(w, "corp\0example", 12);
    else
        msgpack_put_text(w, "corp.example");
}

static void headers_are_checked(void **state)
{
    (void)state;
    static const char *const wrong[] = {"format",      "version",  "term", "draw",
                                        "incarnation", "sequence", "node", "domain"};
    uint8_t plain[1024];
    struct msgpack_writer w;
    struct read_back back;
    msgpack_writer_init(&w, plain, sizeof plain);
    put_header(&w, "", 0);
    assert_int_equal(read_plain(&w, &back), BATCH_MORE);
    assert_int_equal(back.batches, 1);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        msgpack_writer_init(&w, plain, sizeof plain);
        put_header(&w, wrong[i], 0);
        assert_int_equal(read_plain(&w, &back), BATCH_INVALID);
        assert_int_equal(back.batches, 0);
    }
}

static void put_record(struct msgpack_writer *w, unsigned which)
{
    struct guid guid = world_guid(1);
    msgpack_put_map(w, which == 0 ? 2 : 1);
    switch (which) {
    case 0: /* two keys */
        msgpack_put_text(w, "removed");
        msgpack_put_binary(w, guid.bytes, GUID_SIZE);
        break;
    case 1:
        msgpack_put_text(w, "removed");
        msgpack_put_binary(w, guid.bytes, 5);
        break;
    case 2:
        msgpack_put_text(w, "entity");
        msgpack_put_map(w, 0);
        break;
    case 3:
        msgpack_put_text(w, "links");
        msgpack_put_array(w, 0);
        break;
    case 4: /* no source */
        msgpack_put_text(w, "links");
        msgpack_put_map(w, 1);
        msgpack_put_text(w, "link");
        msgpack_put_text(w, "member");
        break;
    case 5:
        msgpack_put_text(w, "links");
        msgpack_put_map(w, 1);
        msgpack_put_text(w, "added");
        msgpack_put_array(w, 1);
        msgpack_put_binary(w, guid.bytes, 5);
        break;
    case 6:
        msgpack_put_text(w, "links");
        msgpack_put_map(w, 1);
        msgpack_put_text(w, "removed");
        msgpack_put_nil(w);
        break;
    case 7:
        msgpack_put_uint(w, 5);
        msgpack_put_nil(w);
        break;
    case 8: /* of a later version: these are passed over */
        msgpack_put_text(w, "changed");
        msgpack_put_array(w, 1);
        msgpack_put_nil(w);
        break;
    default:
        msgpack_put_text(w, "links");
        msgpack_put_map(w, 3);
        msgpack_put_text(w, "source");
        msgpack_put_binary(w, guid.bytes, GUID_SIZE);
        msgpack_put_text(w, "later");
        msgpack_put_nil(w);
        msgpack_put_text(w, "link");
        msgpack_put_text(w, "friend");
        break;
    }
}

static void records_are_checked(void **state)
{
    (void)state;
    uint8_t plain[1024];
    for (unsigned which = 0; which < 10; which++) {
        struct msgpack_writer w;
        struct read_back back;
        msgpack_writer_init(&w, plain, sizeof plain);
        put_header(&w, "", 1);
        put_record(&w, which);
        assert_int_not_equal(read_plain(&w, &back), BATCH_INVALID);
        assert_int_equal(back.damaged, which < 8);
        assert_int_equal(back.entities + back.removed + back.added + back.gone, 0);
        put_record(&w, 8); /* more than were announced */
        assert_int_not_equal(read_plain(&w, &back), BATCH_INVALID);
        assert_true(back.damaged);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_come_back),
        cmocka_unit_test(headers_are_checked),
        cmocka_unit_test(records_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
