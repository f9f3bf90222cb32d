/* SPDX-License-Identifier: Apache-2.0 */
#include "node/view_entity.h"

#include "base/clock.h"
#include "base/text.h"
#include "node/entity_names.h"
#include "node/view.h"
#include "sync/entity_batch.h"

#include <stdio.h>
#include <stdlib.h>

#define MATCHES_MAX     16u   /* entities of one name */
#define LINKS_SHOWN     200u  /* of each kind, either way */
#define MEMBERSHIPS_MAX 4096u /* groups that somebody is in */
#define JSON_MAX        (ENTITY_BYTES_MAX * 8u)

static struct bytes bytes_of(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

static void write_text(struct json_writer *w, const char *key, struct bytes text)
{
    char buffer[1024];
    if (text.size == 0) {
        json_write_null(w, key);
        return;
    }
    size_t size = text.size < sizeof(buffer) ? text.size : sizeof(buffer) - 1;
    memcpy(buffer, text.data, size);
    buffer[size] = '\0';
    json_write_string(w, key, buffer);
}

static void write_guid(struct json_writer *w, const char *key, const struct guid *guid)
{
    char buffer[40];
    struct text t = text_to(buffer, sizeof(buffer));
    uuid_text(&t, guid->bytes);
    text_end(&t);
    json_write_string(w, key, buffer);
}

/* --- names --- */

static uint32_t find_key(struct entity_store_read *read, const struct lookup_key *key,
                         struct guid found[MATCHES_MAX])
{
    static const enum entity_index indexes[LOOKUP_KINDS] = {
        [LOOKUP_SID] = INDEX_SID, [LOOKUP_ACCOUNT] = INDEX_ACCOUNT, [LOOKUP_UPN] = INDEX_UPN,
        [LOOKUP_SPN] = INDEX_SPN, [LOOKUP_DN] = INDEX_DN,           [LOOKUP_DNS_NAME] = INDEX_DNS_NAME,
    };
    struct bytes value = {key->value, key->size};
    if (key->kind == LOOKUP_GUID) {
        struct entity entity;
        memcpy(found[0].bytes, key->value, GUID_SIZE);
        return entity_store_get(read, &found[0], &entity) ? 1 : 0;
    }
    return entity_store_find(read, indexes[key->kind], value, bytes_of(key->domain), found, MATCHES_MAX);
}

/* --- one entity --- */

/* Another entity, as short as can be: {"guid", "name", "kind"}. */
static void write_reference(struct json_writer *w, struct entity_store_read *read, const struct guid *guid,
                            uint32_t depth)
{
    struct entity entity;
    char dn[1024];
    json_write_object(w, NULL);
    write_guid(w, "guid", guid);
    if (entity_store_get(read, guid, &entity)) {
        write_text(w, "name", entity_name(&entity));
        json_write_string(w, "kind", entity_kind_name(entity.kind));
    } else {
        json_write_string(w, "name", entity_store_unknown_dn(read, guid, dn, sizeof(dn)) ? dn : NULL);
        json_write_null(w, "kind");
    }
    if (depth)
        json_write_uint(w, "depth", depth);
    json_write_close(w);
}

struct links {
    struct json_writer *w;
    struct entity_store_read *read;
    const char *key;
    uint64_t shown;
};

static bool write_link(void *context, const struct guid *guid)
{
    struct links *links = context;
    if (links->shown++ == 0)
        json_write_array(links->w, links->key);
    if (links->shown > LINKS_SHOWN)
        return false;
    write_reference(links->w, links->read, guid, 0);
    return true;
}

/* Every kind of link that there is, either way; of more than LINKS_SHOWN the first, and `KEY_cut` says so. */
static void write_links(struct json_writer *w, struct entity_store_read *read, const struct guid *guid,
                        bool back)
{
    json_write_object(w, back ? "linked_from" : "links");
    for (unsigned i = 0; i < ENTITY_LINKS; i++) {
        enum entity_link link = (enum entity_link)i;
        struct links links = {.w = w, .read = read, .key = entity_link_info(link)->field};
        if (back)
            entity_store_backlinks(read, guid, link, write_link, &links);
        else
            entity_store_links(read, guid, link, write_link, &links);
        if (links.shown == 0)
            continue;
        json_write_close(w);
        if (links.shown > LINKS_SHOWN) {
            char key[80];
            snprintf(key, sizeof(key), "%s_cut", links.key);
            json_write_bool(w, key, true);
        }
    }
    json_write_close(w);
}

static void write_memberships(struct json_writer *w, struct entity_store_read *read, const struct guid *guid)
{
    struct entity_membership *found = malloc(MEMBERSHIPS_MAX * sizeof(*found));
    uint32_t count = found ? entity_store_memberships(read, guid, found, MEMBERSHIPS_MAX) : 0;
    json_write_array(w, "groups");
    for (uint32_t i = 0; i < count && i < MEMBERSHIPS_MAX; i++)
        write_reference(w, read, &found[i].group, found[i].depth);
    json_write_close(w);
    free(found);
}

static void write_sensitivity(struct json_writer *w, struct entity_store_read *read, const struct guid *guid)
{
    uint64_t bits = entity_store_sensitivity(read, guid);
    json_write_array(w, "sensitive");
    for (unsigned bit = 0; entity_sensitivity_name(bit); bit++)
        if (bits >> bit & 1u)
            json_write_string(w, NULL, entity_sensitivity_name(bit));
    json_write_close(w);
}

static void write_entity(struct json_writer *w, struct entity_store_read *read, const struct guid *guid)
{
    struct entity entity;
    char *text = malloc(JSON_MAX);
    if (text && entity_store_get(read, guid, &entity)) {
        size_t size = entity_to_json(&entity, text, JSON_MAX);
        json_write_object(w, NULL);
        if (size < JSON_MAX)
            json_write_raw(w, "entity", (struct bytes){(const uint8_t *)text, size});
        write_text(w, "name", entity_name(&entity));
        json_write_bool(w, "domain_controller", entity_is_domain_controller(&entity));
        json_write_bool(w, "read_only_domain_controller", entity_is_read_only_domain_controller(&entity));
        write_sensitivity(w, read, guid);
        write_memberships(w, read, guid);
        write_links(w, read, guid, false);
        write_links(w, read, guid, true);
        json_write_close(w);
    }
    free(text);
}

/* --- how much is known --- */

/* Why something that is not here may exist all the same. */
static void scope_of(const struct view_synchronizer *synchronizer, char to[640])
{
    if (synchronizer->here)
        snprintf(to, 640, "this node replicates %s", synchronizer->domain);
    else if (synchronizer->fresh)
        snprintf(to, 640, "only entities seen in traffic are known here; %s replicates %s",
                 synchronizer->name, synchronizer->domain);
    else
        snprintf(to, 640, "%s has no synchronizer: only entities seen in traffic are known",
                 synchronizer->domain);
}

static void write_head(struct json_writer *w, const struct view_entity_source *source)
{
    json_write_int(w, "schema", VIEW_SCHEMA);
    json_write_object(w, "view");
    json_write_string(w, "name", source->node);
    json_write_time(w, "time", source->wall);
    json_write_close(w);
    json_write_array(w, "scope");
    for (unsigned i = 0; i < source->synchronizer_count; i++) {
        const struct view_synchronizer *synchronizer = &source->synchronizers[i];
        char sentence[640];
        scope_of(synchronizer, sentence);
        json_write_object(w, NULL);
        json_write_string(w, "domain", synchronizer->domain);
        json_write_string(w, "synchronizer", *synchronizer->name ? synchronizer->name : NULL);
        json_write_bool(w, "here", synchronizer->here);
        json_write_string(w, "text", sentence);
        json_write_close(w);
    }
    json_write_close(w);
}

/* --- entity --- */

static bool among(const struct guid *found, uint32_t count, const struct guid *guid)
{
    for (uint32_t i = 0; i < count; i++)
        if (memcmp(found[i].bytes, guid->bytes, GUID_SIZE) == 0)
            return true;
    return false;
}

static uint32_t find_name(struct entity_store_read *read, const char *name, struct guid all[MATCHES_MAX])
{
    struct lookup_key keys[ENTITY_NAME_KEYS];
    struct guid found[MATCHES_MAX];
    unsigned count = entity_name_keys(name, keys);
    uint32_t total = 0;
    for (unsigned i = 0; i < count; i++) {
        uint32_t n = find_key(read, &keys[i], found);
        for (uint32_t k = 0; k < n && k < MATCHES_MAX && total < MATCHES_MAX; k++)
            if (!among(all, total, &found[k]))
                all[total++] = found[k];
    }
    return total;
}

static void answer_entity(struct json_writer *w, const struct control_request *request,
                          const struct view_entity_source *source)
{
    struct guid found[MATCHES_MAX];
    uint32_t count = find_name(source->read, request->name, found);
    json_write_array(w, "entities");
    for (uint32_t i = 0; i < count; i++)
        write_entity(w, source->read, &found[i]);
    json_write_close(w);
}

/* --- search --- */

struct search {
    struct json_writer *w;
    unsigned limit, shown;
    bool cut;
};

static bool write_found(void *context, const struct entity *entity)
{
    struct search *search = context;
    if (search->shown == search->limit) {
        search->cut = true;
        return false;
    }
    search->shown++;
    json_write_object(search->w, NULL);
    json_write_string(search->w, "kind", entity_kind_name(entity->kind));
    write_text(search->w, "name", entity_name(entity));
    write_text(search->w, "domain", entity->domain);
    char dn[1024];
    entity_dn(entity, dn, sizeof(dn));
    json_write_string(search->w, "dn", dn);
    write_guid(search->w, "guid", &entity->guid);
    const struct activity_value *sid = entity_get(entity, ENTITY_OBJECT_SID);
    if (sid) {
        char text[SID_TEXT_MAX + 1];
        struct text t = text_to(text, sizeof(text));
        sid_text(&t, sid->bytes);
        text_end(&t);
        json_write_string(search->w, "sid", text);
    } else {
        json_write_null(search->w, "sid");
    }
    json_write_bool(search->w, "deleted", entity->deleted);
    json_write_close(search->w);
    return true;
}

static void answer_search(struct json_writer *w, const struct control_request *request,
                          const struct view_entity_source *source)
{
    struct search search = {.w = w, .limit = request->limit ? request->limit : 100};
    json_write_array(w, "found");
    entity_store_search(source->read, bytes_of(request->name), write_found, &search);
    json_write_close(w);
    json_write_bool(w, "cut", search.cut);
}

/* --- spool --- */

#define BATCHES_SHOWN 20u
#define CHANGES_SHOWN 50u /* of each batch */

static void write_spooled_entity(struct json_writer *w, const struct entity *entity)
{
    char dn[ENTITY_STRING_MAX];
    uint32_t fields = 0;
    for (unsigned i = 0; i < ENTITY_PRESENT_WORDS; i++)
        fields += (uint32_t)__builtin_popcountll(entity->present[i]);
    entity_dn(entity, dn, sizeof(dn));
    json_write_string(w, "what", entity->deleted ? "deleted" : "whole");
    json_write_string(w, "name", dn);
    json_write_string(w, "kind", entity_kind_name(entity->kind));
    write_guid(w, "guid", &entity->guid);
    json_write_uint(w, "fields", fields);
}

static void write_spooled(struct json_writer *w, const struct entity_batch_record *record)
{
    json_write_object(w, NULL);
    if (record->kind == ENTITY_BATCH_ENTITY) {
        write_spooled_entity(w, &record->entity);
    } else {
        json_write_string(w, "what",
                          record->kind == ENTITY_BATCH_REMOVED ? "removed"
                          : record->kind == ENTITY_BATCH_LINKS ? "links"
                          : record->kind == ENTITY_BATCH_WHOLE ? "told"
                                                               : "unknown");
        if (record->kind == ENTITY_BATCH_REMOVED || record->kind == ENTITY_BATCH_LINKS)
            write_guid(w, "guid", &record->guid);
    }
    if (record->kind == ENTITY_BATCH_LINKS) {
        json_write_string(w, "name", entity_link_info(record->link)->field);
        json_write_uint(w, "links", record->added + record->removed);
    }
    json_write_close(w);
}

static void write_header(struct json_writer *w, const struct entity_batch_header *header)
{
    json_write_string(w, "domain", header->token.domain);
    json_write_uint(w, "term", header->token.term);
    json_write_uint(w, "incarnation", header->token.incarnation);
    json_write_uint(w, "sequence", header->sequence);
    json_write_uint(w, "records", header->count);
    json_write_bool(w, "cut", header->count > CHANGES_SHOWN);
}

static void write_changes(struct json_writer *w, struct bytes payload)
{
    bool damaged;
    struct entity_batch_record *record = calloc(1, sizeof(*record)); /* too large for a stack */
    struct entity_batch_reader *reader = entity_batch_reader_new();
    if (record && reader && entity_batch_reader_feed(reader, &payload) == BATCH_READY) {
        write_header(w, entity_batch_reader_header(reader));
        json_write_array(w, "entities");
        for (unsigned i = 0; i < CHANGES_SHOWN && entity_batch_reader_next(reader, record, &damaged); i++)
            write_spooled(w, record);
        json_write_close(w);
    }
    entity_batch_reader_destroy(&reader);
    free(record);
}

static void write_batch(struct json_writer *w, const struct spool_entry *entry)
{
    json_write_object(w, NULL);
    json_write_uint(w, "number", entry->sequence);
    json_write_time(w, "time", entry->wall / CLOCK_MILLISECOND);
    json_write_string(w, "kind", entry->kind == SPOOL_ENTITIES ? "entities" : "activities");
    json_write_uint(w, "bytes", entry->size);
    if (entry->kind == SPOOL_ENTITIES)
        write_changes(w, (struct bytes){entry->payload, entry->size});
    json_write_close(w);
}

/* The last so many, or those behind `after`. */
static void answer_spool(struct json_writer *w, const struct control_request *request,
                         const struct view_entity_source *source)
{
    struct spool_status status;
    struct spool_entry entry;
    unsigned limit = request->limit ? request->limit : BATCHES_SHOWN;
    spool_status(source->spool, &status);
    uint64_t at = request->after;
    if (at == 0 && status.last > limit)
        at = status.last - limit;
    json_write_array(w, "batches");
    for (unsigned i = 0; i < limit && spool_next(source->spool, at, &entry); i++) {
        write_batch(w, &entry);
        at = entry.sequence;
        spool_entry_free(&entry);
    }
    json_write_close(w);
    json_write_object(w, "spool");
    json_write_uint(w, "entries", status.entries);
    json_write_uint(w, "bytes", status.bytes);
    json_write_uint(w, "bytes_max", status.bytes_max);
    json_write_uint(w, "acknowledged", status.acknowledged);
    json_write_uint(w, "dropped", status.dropped);
    json_write_uint(w, "damaged", status.damaged);
    json_write_close(w);
}

void view_entity_answer(struct json_writer *w, const struct control_request *request,
                        const struct view_entity_source *source)
{
    json_write_object(w, NULL);
    write_head(w, source);
    if (request->verb == CONTROL_ENTITY)
        answer_entity(w, request, source);
    else if (request->verb == CONTROL_SEARCH)
        answer_search(w, request, source);
    else if (request->verb == CONTROL_SPOOL)
        answer_spool(w, request, source);
    json_write_close(w);
}
