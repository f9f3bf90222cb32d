/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches of entities as a synchronizer sends them, under construction: for tests of the center.
 */
#pragma once

#include "sync/entity_batch.h"
#include "tests/unit/entity_world.h"

struct batches {
    struct entity_batch_writer *writer;
    uint8_t *data;
    size_t size;
    struct world_change change; /* texts of the entity that is being made */
    struct entity entity;
};

static inline void batches_keep(void *context, uint64_t sequence, struct bytes frame)
{
    struct batches *batches = context;
    (void)sequence;
    batches->data = realloc(batches->data, batches->size + frame.size);
    assert_non_null(batches->data);
    memcpy(batches->data + batches->size, frame.data, frame.size);
    batches->size += frame.size;
}

static inline void batches_begin(struct batches *batches)
{
    struct sync_token token = {.domain = "corp.example", .term = 1, .incarnation = 1};
    memset(token.node, 0xab, sizeof token.node);
    free(batches->data);
    batches->data = NULL;
    batches->size = 0;
    if (!batches->writer)
        batches->writer = entity_batch_writer_new(1, batches_keep, batches);
    assert_non_null(batches->writer);
    entity_batch_begin(batches->writer, &token, 1);
}

static inline struct bytes batches_end(struct batches *batches)
{
    entity_batch_end(batches->writer);
    return (struct bytes){batches->data, batches->size};
}

static inline void batches_destroy(struct batches *batches)
{
    entity_batch_writer_destroy(&batches->writer);
    free(batches->data);
    batches->data = NULL;
}

/* An entity of corp.example without attributes. */
static inline struct entity *batches_entity(struct batches *batches, uint32_t number, enum entity_kind kind)
{
    struct entity *e = &batches->entity;
    memset(e, 0, offsetof(struct entity, attributes));
    batches->change.text_size = 0;
    e->guid = world_guid(number);
    e->kind = kind;
    e->domain = world_bytes("corp.example");
    e->rdn = world_text(&batches->change, "CN=object %u", number);
    e->parent = world_bytes("CN=Users,DC=corp,DC=example");
    return e;
}

static inline struct activity_value *batches_put(struct batches *batches, enum entity_attribute attribute)
{
    struct entity *e = &batches->entity;
    e->present[attribute / 64] |= UINT64_C(1) << attribute % 64;
    memset(&e->attributes[attribute], 0, sizeof e->attributes[attribute]);
    return &e->attributes[attribute];
}

static inline void batches_text(struct batches *batches, enum entity_attribute attribute, const char *text)
{
    batches_put(batches, attribute)->bytes = world_text(&batches->change, "%s", text);
}

static inline void batches_uint(struct batches *batches, enum entity_attribute attribute, uint64_t value)
{
    batches_put(batches, attribute)->uint = value;
}

static inline void batches_sid(struct batches *batches, uint32_t domain, uint32_t rid)
{
    uint8_t *sid = batches->change.texts + batches->change.text_size;
    batches->change.text_size += WORLD_SID_SIZE;
    world_sid(sid, domain, rid);
    batches_put(batches, ENTITY_OBJECT_SID)->bytes = (struct bytes){sid, WORLD_SID_SIZE};
}

/* A list of texts. */
static inline void batches_list(struct batches *batches, enum entity_attribute attribute,
                                const char *const *texts, uint32_t count)
{
    struct msgpack_writer w;
    uint8_t *to = batches->change.texts + batches->change.text_size;
    msgpack_writer_init(&w, to, 4096);
    for (uint32_t i = 0; i < count; i++)
        msgpack_put_string(&w, texts[i], strlen(texts[i]));
    batches->change.text_size += w.size;
    struct activity_value *value = batches_put(batches, attribute);
    value->list.items = cursor_of(to, w.size);
    value->list.count = count;
}

static inline void batches_add(struct batches *batches)
{
    entity_batch_add(batches->writer, &batches->entity);
}

/* "userN" with RID 1000 + N. */
static inline void batches_user(struct batches *batches, uint32_t number)
{
    char name[64];
    batches_entity(batches, number, ENTITY_USER);
    snprintf(name, sizeof name, "user%u", number);
    batches_text(batches, ENTITY_SAM_ACCOUNT_NAME, name);
    snprintf(name, sizeof name, "Mail%u@corp.example", number);
    batches_text(batches, ENTITY_USER_PRINCIPAL_NAME, name);
    batches_sid(batches, 1, 1000 + number);
    batches_uint(batches, ENTITY_PRIMARY_GROUP_ID, 513);
    batches_uint(batches, ENTITY_USER_ACCOUNT_CONTROL, 512);
}

static inline void batches_group(struct batches *batches, uint32_t number, const char *account, uint32_t rid)
{
    batches_entity(batches, number, ENTITY_GROUP);
    batches_text(batches, ENTITY_SAM_ACCOUNT_NAME, account);
    batches_sid(batches, 1, rid);
}

static inline void batches_members(struct batches *batches, uint32_t group, enum entity_batch_links what,
                                   const uint32_t *members, uint32_t count)
{
    struct guid source = world_guid(group), *targets = calloc(count + 1, sizeof *targets);
    assert_non_null(targets);
    for (uint32_t i = 0; i < count; i++)
        targets[i] = world_guid(members[i]);
    entity_batch_add_links(batches->writer, &source, LINK_MEMBER, what, targets, count);
    free(targets);
}
