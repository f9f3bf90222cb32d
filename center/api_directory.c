/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory as the store has it: search as somebody types, one entity with its history.
 */
#include "center/api_routes.h"
#include "center/entities_store.h"

#include <stdlib.h>

#define ENTITY_JSON_MAX (512u * 1024u)
#define HISTORY_MAX     200u

static void write_found(void *context, const struct stored_entity *entity)
{
    struct json_writer *w = context;
    json_write_object(w, NULL);
    api_write_guid(w, "guid", entity->guid.bytes);
    json_write_string(w, "kind", entity_kind_name(entity->kind));
    json_write_string(w, "name", entity->name);
    json_write_string(w, "domain", entity->domain);
    api_write_time(w, "changed", entity->changed);
    api_write_time(w, "deleted", entity->deleted);
    json_write_close(w);
}

static bool take_kind(struct api_work *work, enum entity_kind *kind)
{
    const char *word = api_argument(work, "kind");
    *kind = ENTITY_KINDS;
    if (!word)
        return true;
    for (unsigned i = 0; i < ENTITY_KINDS; i++)
        if (strcmp(entity_kind_name((enum entity_kind)i), word) == 0) {
            *kind = (enum entity_kind)i;
            return true;
        }
    return api_problem(work, 400, "kind: %.40s is not known", word);
}

bool api_search(struct api_work *work)
{
    enum entity_kind kind;
    const char *text = api_argument(work, "q");
    int64_t limit = 20;
    if (!text || !*text || strlen(text) > 256)
        return api_problem(work, 400, "q: what to look for is wanted, at most 256 bytes");
    if (!api_take_number(work, "limit", 1, ENTITIES_FOUND_MAX, &limit) || !take_kind(work, &kind))
        return false;
    json_write_object(&work->answer, NULL);
    json_write_array(&work->answer, "items");
    entities_store_search(work->store, work->workspace, (struct bytes){(const uint8_t *)text, strlen(text)},
                          kind, (uint32_t)limit, write_found, &work->answer);
    json_write_close(&work->answer);
    json_write_close(&work->answer);
    return !store_failed(work->store) || api_store_failed(work);
}

static void write_past(void *context, const struct entity_past *past)
{
    struct json_writer *w = context;
    json_write_object(w, NULL);
    api_write_time(w, "at", past->at);
    json_write_string(w, "attribute", past->attribute);
    json_write_string(w, "before", past->before);
    json_write_string(w, "after", past->after);
    json_write_close(w);
}

static bool write_entity(struct api_work *work, const struct guid *guid, char *json)
{
    struct stored_entity entity;
    struct json_writer *w = &work->answer;
    if (!entities_store_find(work->store, work->workspace, guid, &entity))
        return store_failed(work->store) ? api_store_failed(work)
                                         : api_problem(work, 404, "there is no such entity");
    size_t size = entities_store_json(work->store, work->workspace, guid, json, ENTITY_JSON_MAX);
    json_write_object(w, NULL);
    api_write_guid(w, "guid", guid->bytes);
    json_write_string(w, "kind", entity_kind_name(entity.kind));
    json_write_string(w, "name", entity.name);
    json_write_string(w, "domain", entity.domain);
    api_write_time(w, "told", entity.told);
    api_write_time(w, "changed", entity.changed);
    api_write_time(w, "deleted", entity.deleted);
    if (size > 0 && size < ENTITY_JSON_MAX)
        json_write_raw(w, "entity", (struct bytes){(const uint8_t *)json, size});
    else
        json_write_null(w, "entity");
    json_write_array(w, "history");
    entities_store_history(work->store, work->workspace, guid, HISTORY_MAX, write_past, w);
    json_write_close(w);
    json_write_close(w);
    return !store_failed(work->store) || api_store_failed(work);
}

bool api_entity(struct api_work *work)
{
    struct guid guid;
    if (!api_part_guid(work, guid.bytes))
        return false;
    char *json = malloc(ENTITY_JSON_MAX);
    if (!json)
        return api_problem(work, 503, "no memory");
    bool done = write_entity(work, &guid, json);
    free(json);
    return done;
}
