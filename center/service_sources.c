/* SPDX-License-Identifier: Apache-2.0 */
#include "center/service_sources.h"

#include "base/text.h"
#include "center/entities_store.h"
#include "center/store_nodes.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ENTITY_JSON_MAX (1024u * 1024u)
#define HISTORY_MAX     100u

struct service_sources {
    pthread_mutex_t lock; /* of the connection */
    struct store *store;
    shard_at shards;
    void *context;
};

struct service_sources *service_sources_new(const char *store, shard_at shards, void *context,
                                            struct fault *fault)
{
    struct service_sources *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&self->lock, NULL);
    self->shards = shards;
    self->context = context;
    self->store = store_open(store, STORE_READER, fault);
    if (!self->store)
        service_sources_destroy(&self);
    return self;
}

void service_sources_destroy(struct service_sources **sources)
{
    if (!*sources)
        return;
    store_close(&(*sources)->store);
    pthread_mutex_destroy(&(*sources)->lock);
    free(*sources);
    *sources = NULL;
}

static void write_id(struct json_writer *w, const char *key, const uint8_t id[16])
{
    char hex[33];
    struct text text = text_to(hex, sizeof(hex));
    text_hex(&text, (struct bytes){id, 16});
    text_end(&text);
    json_write_string(w, key, hex);
}

/* Absent is null. */
static void write_time(struct json_writer *w, const char *key, int64_t time)
{
    if (time)
        json_write_time(w, key, time);
    else
        json_write_null(w, key);
}

/* -- sensors --------------------------------------------------------------------------------------------- */

static void write_node(void *context, const struct stored_node *node)
{
    struct json_writer *w = context;
    json_write_object(w, NULL);
    write_id(w, "id", node->id.bytes);
    json_write_string(w, "name", node->name);
    json_write_string(w, "site", node->site);
    write_time(w, "first", node->first);
    write_time(w, "last", node->last);
    json_write_close(w);
}

static bool tell_sensors(void *context, uint64_t workspace, struct json_writer *w)
{
    struct service_sources *self = context;
    json_write_array(w, "items");
    pthread_mutex_lock(&self->lock);
    store_nodes_list(self->store, workspace, write_node, w);
    bool fine = !store_failed(self->store);
    pthread_mutex_unlock(&self->lock);
    json_write_close(w);
    return fine;
}

/* -- entities -------------------------------------------------------------------------------------------- */

static void write_entity(void *context, const struct stored_entity *entity)
{
    struct json_writer *w = context;
    json_write_object(w, NULL);
    write_id(w, "id", entity->guid.bytes);
    json_write_string(w, "kind", entity_kind_name(entity->kind));
    json_write_string(w, "name", entity->name);
    json_write_string(w, "domain", entity->domain);
    write_time(w, "changed", entity->changed);
    write_time(w, "deleted", entity->deleted);
    json_write_close(w);
}

static bool search(void *context, uint64_t workspace, struct bytes text, uint32_t limit,
                   struct json_writer *w)
{
    struct service_sources *self = context;
    json_write_array(w, "items");
    pthread_mutex_lock(&self->lock);
    entities_store_search(self->store, workspace, text, ENTITY_KINDS, limit, write_entity, w);
    bool fine = !store_failed(self->store);
    pthread_mutex_unlock(&self->lock);
    json_write_close(w);
    return fine;
}

static void write_past(void *context, const struct entity_past *past)
{
    struct json_writer *w = context;
    json_write_object(w, NULL);
    json_write_time(w, "at", past->at);
    json_write_string(w, "attribute", past->attribute);
    json_write_string(w, "before", past->before);
    json_write_string(w, "after", past->after);
    json_write_close(w);
}

static bool tell_entity_locked(struct service_sources *self, uint64_t workspace, const struct guid *guid,
                               struct json_writer *w)
{
    char *json = malloc(ENTITY_JSON_MAX);
    size_t size = json ? entities_store_json(self->store, workspace, guid, json, ENTITY_JSON_MAX) : 0;
    /* One that is cut off is no JSON. */
    bool found = size > 0 && size < ENTITY_JSON_MAX;
    if (found) {
        json_write_raw(w, "entity", (struct bytes){(const uint8_t *)json, size});
        json_write_array(w, "history");
        entities_store_history(self->store, workspace, guid, HISTORY_MAX, write_past, w);
        json_write_close(w);
    }
    free(json);
    return found;
}

static bool tell_entity(void *context, uint64_t workspace, const uint8_t id[16], struct json_writer *w)
{
    struct service_sources *self = context;
    struct guid guid;
    memcpy(guid.bytes, id, sizeof(guid.bytes));
    pthread_mutex_lock(&self->lock);
    bool found = tell_entity_locked(self, workspace, &guid, w);
    pthread_mutex_unlock(&self->lock);
    return found;
}

/* -- shards ---------------------------------------------------------------------------------------------- */

static bool tell_status(void *context, struct json_writer *w)
{
    struct service_sources *self = context;
    struct shard_status status;
    uint64_t workspace;
    json_write_array(w, "shards");
    for (unsigned i = 0; self->shards(self->context, i, &workspace, &status); i++) {
        json_write_object(w, NULL);
        json_write_uint(w, "workspace", workspace);
        json_write_uint(w, "position", status.position);
        json_write_uint(w, "committed", status.committed);
        json_write_int(w, "behind_ms", status.behind / CLOCK_MILLISECOND);
        json_write_uint(w, "activities", status.activities);
        json_write_uint(w, "alerts", status.alerts);
        json_write_uint(w, "commits", status.commits);
        json_write_uint(w, "states", status.states);
        json_write_uint(w, "damaged", status.damaged);
        json_write_int(w, "longest_commit_ms", status.commit_time / CLOCK_MILLISECOND);
        json_write_bool(w, "stuck", status.stuck);
        json_write_close(w);
    }
    json_write_close(w);
    return true;
}

struct api_sources service_sources_of(struct service_sources *sources)
{
    return (struct api_sources){.sensors = tell_sensors,
                                .status = tell_status,
                                .search = search,
                                .entity = tell_entity,
                                .context = sources};
}
