/* SPDX-License-Identifier: Apache-2.0 */
#include "center/sources.h"

#include "base/batch.h"
#include "base/hash_table.h"
#include "base/msgpack.h"

#include <stdlib.h>

#define STATE_VERSION 1u

struct domain_name {
    char text[DOMAIN_MAX_SIZE];
};

struct sources {
    struct hash_table *numbers; /* id -> number */
    struct hash_table *fences;  /* struct domain_name -> struct fence */
    struct source *of;
    uint32_t count;
    struct batch_reader *entities;
    uint8_t *state;
};

struct sources *sources_new(uint64_t seed)
{
    struct sources *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->numbers = hash_table_new(SOURCES_MAX, NODE_ID_SIZE, sizeof(uint32_t), seed);
    self->fences = hash_table_new(SOURCES_DOMAINS, sizeof(struct domain_name), sizeof(struct fence), seed);
    self->of = calloc(SOURCES_MAX, sizeof(*self->of));
    self->state = malloc(SOURCES_STATE_MAX);
    if (!self->numbers || !self->fences || !self->of || !self->state)
        sources_destroy(&self);
    return self;
}

void sources_destroy(struct sources **sources)
{
    struct sources *self = *sources;
    if (!self)
        return;
    hash_table_destroy(&self->numbers);
    hash_table_destroy(&self->fences);
    batch_reader_destroy(&self->entities);
    free(self->of);
    free(self->state);
    free(self);
    *sources = NULL;
}

/* --- nodes --- */

uint32_t sources_number(struct sources *self, const struct node_id *id)
{
    bool added;
    uint32_t *number = hash_table_insert(self->numbers, id->bytes, &added);
    if (!number)
        return SOURCES_MAX;
    if (added) {
        *number = self->count++;
        self->of[*number] = (struct source){.id = *id};
    }
    return *number;
}

struct source *sources_at(struct sources *self, uint32_t number)
{
    return &self->of[number];
}

uint32_t sources_count(const struct sources *self)
{
    return self->count;
}

/* --- fences --- */

static void name_of(struct domain_name *to, const char *domain)
{
    memset(to, 0, sizeof(*to));
    memcpy(to->text, domain, strnlen(domain, sizeof(to->text) - 1));
}

static struct fence fence_of(const struct batch_fence *batch)
{
    struct fence fence = {.term = batch->term,
                          .draw = batch->draw,
                          .incarnation = batch->incarnation,
                          .sequence = batch->sequence};
    memcpy(fence.id.bytes, batch->node, NODE_ID_SIZE);
    return fence;
}

bool sources_accept(const struct sources *self, const struct batch_fence *batch, struct fence *holder)
{
    struct domain_name name;
    name_of(&name, batch->domain);
    const struct fence *stored = hash_table_find(self->fences, &name);
    struct fence fence = fence_of(batch);
    if (!stored || fence_accepts(stored, NULL, &fence))
        return true;
    *holder = *stored;
    return false;
}

static bool raise(struct sources *self, const char *domain, const struct fence *fence)
{
    struct domain_name name;
    name_of(&name, domain);
    struct fence *stored = hash_table_insert(self->fences, &name, NULL);
    if (stored)
        *stored = *fence;
    return stored != NULL;
}

bool sources_raise(struct sources *self, const struct batch_fence *batch)
{
    struct fence fence = fence_of(batch);
    return raise(self, batch->domain, &fence);
}

/* --- in the log --- */

static void put_source(struct msgpack_writer *w, const struct source *source)
{
    msgpack_put_array(w, 4);
    msgpack_put_binary(w, source->id.bytes, NODE_ID_SIZE);
    msgpack_put_uint(w, source->key_generation);
    msgpack_put_uint(w, source->delivery.generation);
    msgpack_put_uint(w, source->delivery.last);
}

static void put_fence(struct msgpack_writer *w, const struct domain_name *name, const struct fence *fence)
{
    msgpack_put_array(w, 6);
    msgpack_put_text(w, name->text);
    msgpack_put_uint(w, fence->term);
    msgpack_put_uint(w, fence->draw);
    msgpack_put_binary(w, fence->id.bytes, NODE_ID_SIZE);
    msgpack_put_uint(w, fence->incarnation);
    msgpack_put_uint(w, fence->sequence);
}

_Static_assert(SOURCES_MAX * 42u + SOURCES_DOMAINS * 320u < SOURCES_STATE_MAX, "everything fits");
_Static_assert(SOURCES_STATE_MAX <= LOG_CONTENT_MAX, "and the log takes it");

/* [version, [node ...], [fence ...]] */
struct bytes sources_state(struct sources *self)
{
    struct msgpack_writer w;
    const void *name;
    void *fence;
    uint32_t at = 0;
    msgpack_writer_init(&w, self->state, SOURCES_STATE_MAX);
    msgpack_put_array(&w, 3);
    msgpack_put_uint(&w, STATE_VERSION);
    msgpack_put_array(&w, self->count);
    for (uint32_t i = 0; i < self->count; i++)
        put_source(&w, &self->of[i]);
    msgpack_put_array(&w, hash_table_count(self->fences));
    while (hash_table_next(self->fences, &at, &name, &fence))
        put_fence(&w, name, fence);
    return (struct bytes){w.data, w.size};
}

static void take_source(struct sources *self, struct cursor *c)
{
    struct source source = {0};
    msgpack_take_array(c, 4, 4);
    msgpack_take_binary(c, source.id.bytes, NODE_ID_SIZE);
    source.key_generation = (uint32_t)msgpack_take_uint(c, UINT32_MAX);
    source.delivery.generation = msgpack_take_uint(c, UINT64_MAX);
    source.delivery.last = msgpack_take_uint(c, UINT64_MAX);
    uint32_t number = c->failed ? SOURCES_MAX : sources_number(self, &source.id);
    if (number < SOURCES_MAX)
        self->of[number] = source;
}

static void take_fence(struct sources *self, struct cursor *c)
{
    struct fence fence = {0};
    char domain[DOMAIN_MAX_SIZE] = "";
    msgpack_take_array(c, 6, 6);
    msgpack_take_text(c, domain, sizeof(domain));
    fence.term = msgpack_take_uint(c, UINT64_MAX);
    fence.draw = msgpack_take_uint(c, UINT64_MAX);
    msgpack_take_binary(c, fence.id.bytes, NODE_ID_SIZE);
    fence.incarnation = msgpack_take_uint(c, UINT64_MAX);
    fence.sequence = msgpack_take_uint(c, UINT64_MAX);
    if (!c->failed)
        raise(self, domain, &fence);
}

static void recover_state(struct sources *self, struct bytes content)
{
    struct cursor c = cursor_of_bytes(content);
    if (msgpack_take_array(&c, 0, UINT32_MAX) != 3 || msgpack_take_uint(&c, UINT64_MAX) != STATE_VERSION)
        return;
    for (uint32_t n = msgpack_take_array(&c, 0, UINT32_MAX); n > 0 && !c.failed; n--)
        take_source(self, &c);
    for (uint32_t n = msgpack_take_array(&c, 0, UINT32_MAX); n > 0 && !c.failed; n--)
        take_fence(self, &c);
}

/* The batch was whole when it was stored. */
static void recover_fence(struct sources *self, struct bytes content)
{
    struct batch_fence fence;
    uint32_t count;
    if (!self->entities)
        self->entities = batch_reader_new_of(&batch_entities);
    if (!self->entities || batch_reader_feed(self->entities, &content) != BATCH_READY)
        return;
    struct cursor pairs = batch_reader_pairs(self->entities, &count);
    if (batch_fence_read(&fence, pairs, count))
        sources_raise(self, &fence);
}

void sources_recover(struct sources *self, const struct log_entry *entry)
{
    if (entry->kind == LOG_STATE) {
        recover_state(self, entry->content);
        return;
    }
    uint32_t number = sources_number(self, &entry->origin.node);
    if (number == SOURCES_MAX)
        return;
    self->of[number].delivery =
        (struct delivery_source){.generation = entry->origin.generation, .last = entry->origin.sequence};
    if (entry->kind == LOG_ENTITIES)
        recover_fence(self, entry->content);
}
