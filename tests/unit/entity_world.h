/* SPDX-License-Identifier: Apache-2.0
 *
 * A small directory to make changes of, for the tests of the entity store: names, SIDs and GUIDs from
 * numbers, and a change under construction.
 */
#pragma once

#include "base/clock.h"
#include "sync/entity_store.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WORLD_NOW   (INT64_C(1770000000) * CLOCK_SECOND)
#define WORLD_TEXTS 65536u

/* Its texts and values live until the next world_begin. */
struct world_change {
    struct entity_change change;
    struct entity_value values[ENTITY_ATTRIBUTES][8];
    struct entity_edge edges[64];
    uint8_t texts[WORLD_TEXTS];
    size_t text_size;
};

static inline struct bytes world_bytes(const char *string)
{
    return (struct bytes){(const uint8_t *)string, strlen(string)};
}

static inline struct bytes world_text(struct world_change *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *to = (char *)w->texts + w->text_size;
    int size = vsnprintf(to, WORLD_TEXTS - w->text_size, format, arguments);
    va_end(arguments);
    w->text_size += (size_t)size + 1;
    assert_true(w->text_size <= WORLD_TEXTS);
    return (struct bytes){(const uint8_t *)to, (size_t)size};
}

/* Spread over the whole range, as those of a directory are. */
static inline struct guid world_guid(uint32_t number)
{
    struct guid guid = {{0}};
    uint64_t a = (number + 1) * UINT64_C(0x9e3779b97f4a7c15), b = a ^ a >> 29;
    b *= UINT64_C(0xbf58476d1ce4e5b9);
    memcpy(guid.bytes, &b, 8);
    memcpy(guid.bytes + 8, &number, 4);
    return guid;
}

#define WORLD_SID_SIZE 28u

static inline void world_sid(uint8_t to[WORLD_SID_SIZE], uint32_t domain, uint32_t rid)
{
    static const uint8_t head[] = {1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0};
    memset(to, 0, WORLD_SID_SIZE);
    memcpy(to, head, sizeof head);
    memcpy(to + 12, &domain, 4);
    memcpy(to + 24, &rid, 4);
}

static inline void world_begin(struct world_change *w, uint32_t number, enum entity_kind kind)
{
    memset(&w->change, 0, sizeof w->change);
    w->text_size = 0;
    w->change.guid = world_guid(number);
    w->change.kind_known = true;
    w->change.kind = kind;
    w->change.edges = w->edges;
}

static inline void world_put(struct world_change *w, enum entity_attribute attribute,
                             struct entity_value value)
{
    uint32_t at = w->change.attributes[attribute].count++;
    assert_true(at < 8);
    w->values[attribute][at] = value;
    w->change.attributes[attribute].values = w->values[attribute];
    entity_change_mark(&w->change, attribute);
}

static inline void world_put_bytes(struct world_change *w, enum entity_attribute attribute,
                                   struct bytes bytes)
{
    world_put(w, attribute, (struct entity_value){.bytes = bytes});
}

static inline void world_put_uint(struct world_change *w, enum entity_attribute attribute, uint64_t value)
{
    world_put(w, attribute, (struct entity_value){.uint = value});
}

static inline void world_put_sid(struct world_change *w, enum entity_attribute attribute, uint32_t domain,
                                 uint32_t rid)
{
    uint8_t *sid = w->texts + w->text_size;
    w->text_size += WORLD_SID_SIZE;
    world_sid(sid, domain, rid);
    world_put_bytes(w, attribute, (struct bytes){sid, WORLD_SID_SIZE});
}

static inline void world_edge(struct world_change *w, enum entity_link link, uint32_t target, bool removed)
{
    assert_true(w->change.edge_count < 64);
    w->edges[w->change.edge_count++] =
        (struct entity_edge){.link = link, .removed = removed, .target = world_guid(target)};
}

/* A user as a directory would tell of it, whole. */
static inline void world_user(struct world_change *w, uint32_t number)
{
    world_begin(w, number, ENTITY_USER);
    w->change.whole = true;
    w->change.dn = world_text(w, "CN=User %u,OU=Staff,DC=corp,DC=example", number);
    world_put_bytes(w, ENTITY_SAM_ACCOUNT_NAME, world_text(w, "user%u", number));
    world_put_bytes(w, ENTITY_USER_PRINCIPAL_NAME, world_text(w, "User%u@corp.example", number));
    world_put_sid(w, ENTITY_OBJECT_SID, 1, 1000 + number);
    world_put_uint(w, ENTITY_PRIMARY_GROUP_ID, 513);
    world_put_uint(w, ENTITY_USER_ACCOUNT_CONTROL, 512);
}

static inline void world_group(struct world_change *w, uint32_t number, const char *account, uint32_t rid)
{
    world_begin(w, number, ENTITY_GROUP);
    w->change.whole = true;
    w->change.dn = world_text(w, "CN=%s,CN=Users,DC=corp,DC=example", account);
    world_put_bytes(w, ENTITY_SAM_ACCOUNT_NAME, world_text(w, "%s", account));
    world_put_sid(w, ENTITY_OBJECT_SID, 1, rid);
}

/* -- a store of one's own ----------------------------------------------------------------------------------
 */

struct world_store {
    char folder[64]; /* the store is in it, and what is moved aside */
    char path[80];
    struct entity_store_config config;
    struct entity_store *store;
};

static inline void world_open(struct world_store *w)
{
    struct fault fault = {.text = ""};
    w->store = entity_store_open(&w->config, &fault);
    if (!w->store)
        fail_msg("%s", fault.text);
}

static inline void world_store_make(struct world_store *w)
{
    memset(w, 0, sizeof *w);
    strcpy(w->folder, "/tmp/picket-entities-XXXXXX");
    assert_non_null(mkdtemp(w->folder));
    snprintf(w->path, sizeof w->path, "%s/store", w->folder);
    w->config = (struct entity_store_config){.path = w->path, .map_size = UINT64_C(1) << 30};
    world_open(w);
}

static inline void world_remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char file[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (unlink(file) != 0)
            world_remove_folder(file);
    }
    if (folder)
        closedir(folder);
    rmdir(path);
}

static inline void world_store_end(struct world_store *w)
{
    entity_store_close(&w->store);
    world_remove_folder(w->folder);
}

static inline struct entity_store_write *world_write(struct world_store *w)
{
    struct fault fault = {.text = ""};
    struct entity_store_write *write = entity_store_begin(w->store, &fault);
    if (!write)
        fail_msg("%s", fault.text);
    return write;
}

static inline void world_commit(struct entity_store_write **write)
{
    struct fault fault = {.text = ""};
    if (!entity_store_commit(write, false, &fault))
        fail_msg("%s", fault.text);
}

static inline struct entity_store_read *world_read(struct world_store *w)
{
    struct fault fault = {.text = ""};
    struct entity_store_read *read = entity_store_read_open(w->store, &fault);
    if (!read)
        fail_msg("%s", fault.text);
    return read;
}

static inline uint32_t world_context(struct entity_store_write *write)
{
    return entity_store_context(write, world_bytes("DC=corp,DC=example"), world_bytes("corp.example"));
}
