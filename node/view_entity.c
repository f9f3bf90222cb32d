/* SPDX-License-Identifier: Apache-2.0 */
#include "node/view_entity.h"

#include "base/clock.h"
#include "base/text.h"
#include "node/view.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

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

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "{00112233-4455-6677-8899-aabbccddeeff}", with or without braces, into the wire's order. */
static bool read_guid(const char *text, struct guid *guid)
{
    static const uint8_t order[GUID_SIZE] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    size_t size = strlen(text);
    if (size == 38 && text[0] == '{' && text[37] == '}') {
        text++;
        size = 36;
    }
    if (size != 36)
        return false;
    for (unsigned i = 0, at = 0; i < GUID_SIZE; i++) {
        if (at == 8 || at == 13 || at == 18 || at == 23)
            if (text[at++] != '-')
                return false;
        int high = hex_digit(text[at]), low = hex_digit(text[at + 1]);
        if (high < 0 || low < 0)
            return false;
        guid->bytes[order[i]] = (uint8_t)(high << 4 | low);
        at += 2;
    }
    return true;
}

/* "S-1-5-21-..." into bytes, [MS-DTYP] 2.4.2.1. */
static bool read_sid(const char *text, uint8_t sid[SID_BYTES_MAX], size_t *size)
{
    if (strncasecmp(text, "S-1-", 4) != 0)
        return false;
    char *end = NULL;
    unsigned long long authority = strtoull(text + 4, &end, 0);
    if (end == text + 4 || authority >> 48)
        return false;
    sid[0] = 1;
    sid[1] = 0;
    for (unsigned i = 0; i < 6; i++)
        sid[2 + i] = (uint8_t)(authority >> (40 - 8 * i));
    *size = 8;
    while (*end == '-') {
        const char *from = end + 1;
        if (!isdigit((unsigned char)*from) || sid[1] == 15)
            return false;
        unsigned long long part = strtoull(from, &end, 10);
        if (part > UINT32_MAX)
            return false;
        for (unsigned i = 0; i < 4; i++)
            sid[(*size)++] = (uint8_t)(part >> (8 * i));
        sid[1]++;
    }
    return *end == '\0';
}

static bool is_dn(const char *name)
{
    const char *equals = strchr(name, '=');
    return equals && equals > name &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.0123456789-") ==
               (size_t)(equals - name);
}

static void add_key(struct lookup_key keys[VIEW_ENTITY_KEYS], unsigned *count, enum lookup_kind kind,
                    struct bytes text, struct bytes domain)
{
    if (*count < VIEW_ENTITY_KEYS && lookup_key_text(&keys[*count], kind, text, domain))
        ++*count;
}

unsigned view_entity_keys(const char *name, struct lookup_key keys[VIEW_ENTITY_KEYS])
{
    const struct bytes any = {NULL, 0}, text = bytes_of(name);
    struct guid guid;
    uint8_t sid[SID_BYTES_MAX];
    size_t sid_length;
    unsigned count = 0;
    const char *backslash = strchr(name, '\\');
    if (read_guid(name, &guid))
        return lookup_key_guid(&keys[0], &guid);
    if (read_sid(name, sid, &sid_length))
        return lookup_key_sid(&keys[0], (struct bytes){sid, sid_length});
    if (is_dn(name)) {
        add_key(keys, &count, LOOKUP_DN, text, any);
        return count;
    }
    if (backslash) {
        struct bytes domain = {text.data, (size_t)(backslash - name)};
        add_key(keys, &count, LOOKUP_ACCOUNT, bytes_of(backslash + 1), domain);
        return count;
    }
    if (strchr(name, '/'))
        add_key(keys, &count, LOOKUP_SPN, text, any);
    if (strchr(name, '@'))
        add_key(keys, &count, LOOKUP_UPN, text, any);
    if (strchr(name, '.'))
        add_key(keys, &count, LOOKUP_DNS_NAME, text, any);
    add_key(keys, &count, LOOKUP_ACCOUNT, text, any);
    return count;
}

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
    struct lookup_key keys[VIEW_ENTITY_KEYS];
    struct guid found[MATCHES_MAX];
    unsigned count = view_entity_keys(name, keys);
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

void view_entity_answer(struct json_writer *w, const struct control_request *request,
                        const struct view_entity_source *source)
{
    json_write_object(w, NULL);
    write_head(w, source);
    if (request->verb == CONTROL_ENTITY)
        answer_entity(w, request, source);
    else if (request->verb == CONTROL_SEARCH)
        answer_search(w, request, source);
    json_write_close(w);
}
