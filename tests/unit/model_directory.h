/* SPDX-License-Identifier: Apache-2.0
 *
 * A directory in memory, as replication meets it: domain controllers with their own update sequence numbers
 * and databases that replicate to each other by stamps and up-to-date vectors, tombstones with and without a
 * recycle bin, DirSync with cookies as Samba and as Windows treat them, searches by pages, ranges of values.
 * Small on purpose, and written from [MS-ADTS] 3.1.1.1.9 and 3.1.1.3.4.1.3 alone, so that it is a second
 * opinion.
 */
#pragma once

#include "sync/ldap_client.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MODEL_OBJECTS = 48,
    MODEL_CONTAINERS = 6, /* object 0 is the context's head, 1 to 5 are OUs */
    MODEL_CONTROLLERS = 3,
    MODEL_DATABASES = 32, /* invocationIds that ever were */
    MODEL_TEXT = 96,
};

#define MODEL_CONTEXT "DC=corp,DC=example"

struct model_stamp {
    uint32_t version;
    uint8_t database; /* index of its invocationId */
    uint64_t usn;     /* there */
    uint64_t local;   /* here */
};

enum model_attribute {
    MODEL_CREATED,
    MODEL_NAME,
    MODEL_PARENT,
    MODEL_ACCOUNT,
    MODEL_DESCRIPTION,
    MODEL_DELETED,
    MODEL_ATTRIBUTES
};

struct model_object {
    bool there;
    bool recycled;             /* links and description are lost for good */
    uint64_t created, changed; /* local update sequence numbers */
    struct {
        int32_t value; /* a number that the text is made of; -1: none */
        struct model_stamp stamp;
    } attributes[MODEL_ATTRIBUTES];
    struct {
        bool present;
        struct model_stamp stamp;
    } members[MODEL_OBJECTS];
};

struct model_controller {
    uint8_t database;
    uint64_t usn;
    uint64_t vector[MODEL_DATABASES];
    struct model_object objects[MODEL_OBJECTS];
};

enum model_server { MODEL_SAMBA, MODEL_WINDOWS };

struct model {
    struct model_controller controllers[MODEL_CONTROLLERS];
    uint8_t databases;
    enum model_server server;
    bool recycle_bin, dirsync, right, deletions_visible;
    uint32_t page_objects;      /* of DirSync as Windows answers it */
    uint32_t answer_most;       /* objects in one answer, above: sizeLimitExceeded; 0: no limit */
    uint32_t values_most;       /* of a link in one answer of a search */
    bool hidden[MODEL_OBJECTS]; /* from searches and from DirSync without the right */
    bool no_descriptions;       /* in searches */
    bool dns_zone;              /* DirSync tells the head of a context below this one, as Samba's does */
};

static bool model_is_group(unsigned i)
{
    return i >= MODEL_CONTAINERS && i % 3 == 0;
}

static struct guid model_guid(unsigned i)
{
    struct guid guid = {.bytes = {(uint8_t)(i * 37), (uint8_t)(i * 101), 7, 7, (uint8_t)i}};
    return guid;
}

static void model_database_id(uint8_t database, uint8_t to[16])
{
    memset(to, 0, 16);
    to[0] = 0xdb;
    to[15] = (uint8_t)(database + 1);
}

/* -- changes at one controller ---------------------------------------------------------------------- */

static void model_stamp(struct model_controller *dc, struct model_object *object, struct model_stamp *stamp)
{
    stamp->version++;
    stamp->database = dc->database;
    stamp->usn = stamp->local = object->changed = ++dc->usn;
    dc->vector[dc->database] = dc->usn;
}

static void model_set(struct model_controller *dc, unsigned i, enum model_attribute attribute, int32_t value)
{
    struct model_object *object = &dc->objects[i];
    object->attributes[attribute].value = value;
    model_stamp(dc, object, &object->attributes[attribute].stamp);
}

static bool model_alive(const struct model_controller *dc, unsigned i)
{
    return dc->objects[i].there && dc->objects[i].attributes[MODEL_DELETED].value < 0;
}

static void model_create(struct model_controller *dc, unsigned i, int32_t value, int32_t parent)
{
    struct model_object *object = &dc->objects[i];
    for (unsigned a = 0; a < MODEL_ATTRIBUTES; a++)
        object->attributes[a].value = -1;
    object->there = true;
    object->created = dc->usn + 1;
    model_set(dc, i, MODEL_CREATED, 0);
    model_set(dc, i, MODEL_NAME, value);
    model_set(dc, i, MODEL_PARENT, parent);
    model_set(dc, i, MODEL_ACCOUNT, value);
}

static void model_delete(const struct model *model, struct model_controller *dc, unsigned i)
{
    struct model_object *object = &dc->objects[i];
    model_set(dc, i, MODEL_DELETED, 1);
    model_set(dc, i, MODEL_NAME, object->attributes[MODEL_NAME].value);
    if (model->recycle_bin)
        return;
    model_set(dc, i, MODEL_DESCRIPTION, -1);
    for (unsigned j = 0; j < MODEL_OBJECTS; j++) {
        if (object->members[j].present) {
            object->members[j].present = false;
            model_stamp(dc, object, &object->members[j].stamp);
        }
        if (dc->objects[j].members[i].present) { /* silently: the group is not changed */
            dc->objects[j].members[i].present = false;
            dc->objects[j].members[i].stamp.version++;
        }
    }
}

static void model_undelete(struct model_controller *dc, unsigned i, int32_t value, int32_t parent)
{
    model_set(dc, i, MODEL_DELETED, -1);
    model_set(dc, i, MODEL_NAME, value);
    model_set(dc, i, MODEL_PARENT, parent);
}

static void model_link(struct model_controller *dc, unsigned group, unsigned member, bool present)
{
    struct model_object *object = &dc->objects[group];
    object->members[member].present = present;
    model_stamp(dc, object, &object->members[member].stamp);
}

/* -- between controllers ---------------------------------------------------------------------------- */

static bool model_newer(const struct model_stamp *a, const struct model_stamp *b)
{
    if (a->version != b->version)
        return a->version > b->version;
    if (a->database != b->database)
        return a->database > b->database;
    return a->usn > b->usn;
}

static void model_take(struct model_controller *to, struct model_object *object, struct model_stamp *stamp,
                       const struct model_stamp *from)
{
    *stamp = *from;
    stamp->local = object->changed = ++to->usn;
}

static void model_replicate(struct model_controller *to, const struct model_controller *from)
{
    for (unsigned i = 0; i < MODEL_OBJECTS; i++) {
        const struct model_object *source = &from->objects[i];
        struct model_object *target = &to->objects[i];
        if (!source->there)
            continue;
        if (!target->there) {
            for (unsigned a = 0; a < MODEL_ATTRIBUTES; a++)
                target->attributes[a].value = -1;
            target->there = true;
            target->created = to->usn + 1;
        }
        for (unsigned a = 0; a < MODEL_ATTRIBUTES; a++) {
            if (!model_newer(&source->attributes[a].stamp, &target->attributes[a].stamp))
                continue;
            target->attributes[a].value = source->attributes[a].value;
            model_take(to, target, &target->attributes[a].stamp, &source->attributes[a].stamp);
        }
        for (unsigned j = 0; j < MODEL_OBJECTS; j++) {
            if (!model_newer(&source->members[j].stamp, &target->members[j].stamp))
                continue;
            target->members[j].present = source->members[j].present;
            model_take(to, target, &target->members[j].stamp, &source->members[j].stamp);
        }
    }
    for (unsigned d = 0; d < MODEL_DATABASES; d++) {
        if (from->vector[d] > to->vector[d])
            to->vector[d] = from->vector[d];
    }
    to->vector[to->database] = to->usn;
}

/* -- answers ---------------------------------------------------------------------------------------- */

struct model_answer {
    char text[1 << 17];
    size_t text_used;
    struct bytes values[8192];
    uint32_t value_count;
    struct directory_attribute attributes[16];
    uint32_t attribute_count;
    struct directory_object object;
};

typedef bool model_give(void *to, const struct directory_object *object);

static struct bytes model_text(struct model_answer *answer, const void *data, size_t size)
{
    char *at = answer->text + answer->text_used;
    if (size > sizeof answer->text - answer->text_used)
        abort();
    memcpy(at, data, size);
    answer->text_used += size;
    return (struct bytes){(const uint8_t *)at, size};
}

static struct bytes model_string(struct model_answer *answer, const char *string)
{
    return model_text(answer, string, strlen(string));
}

static void model_attribute(struct model_answer *answer, const char *name)
{
    answer->attributes[answer->attribute_count++] = (struct directory_attribute){
        .name = model_string(answer, name), .values = &answer->values[answer->value_count]};
}

static void model_value(struct model_answer *answer, struct bytes value)
{
    answer->values[answer->value_count++] = value;
    answer->attributes[answer->attribute_count - 1].value_count++;
}

static size_t model_dn(const struct model_controller *dc, unsigned i, char *to, size_t capacity)
{
    if (i == 0)
        return (size_t)snprintf(to, capacity, "%s", MODEL_CONTEXT);
    const struct model_object *object = &dc->objects[i];
    const char *type = i < MODEL_CONTAINERS ? "OU" : "CN";
    char parent[1024];
    if (!model_alive(dc, i))
        return (size_t)snprintf(to, capacity, "%s=n%ux%d\\0ADEL:%u,CN=Deleted Objects,%s", type, i,
                                object->attributes[MODEL_NAME].value, i, MODEL_CONTEXT);
    model_dn(dc, (unsigned)object->attributes[MODEL_PARENT].value, parent, sizeof parent);
    return (size_t)snprintf(to, capacity, "%s=n%ux%d,%s", type, i, object->attributes[MODEL_NAME].value,
                            parent);
}

static struct bytes model_extended_dn(struct model_answer *answer, const struct model_controller *dc,
                                      unsigned i)
{
    char dn[1200], text[1400];
    struct guid guid = model_guid(i);
    struct text t = text_to(text, sizeof text);
    text_string(&t, "<GUID=");
    if (i % 2)
        text_hex(&t, (struct bytes){guid.bytes, sizeof guid.bytes});
    else
        uuid_text(&t, guid.bytes);
    text_string(&t, ">;");
    model_dn(dc, i, dn, sizeof dn);
    text_string(&t, dn);
    return model_text(answer, text, text_end(&t));
}

/* Links of and to the deleted are not seen. */
static bool model_has_member(const struct model_controller *dc, unsigned group, unsigned member)
{
    return dc->objects[group].members[member].present && model_alive(dc, group) && model_alive(dc, member);
}

static void model_start(struct model_answer *answer, const struct model_controller *dc, unsigned i)
{
    struct guid guid = model_guid(i);
    answer->text_used = answer->value_count = answer->attribute_count = 0;
    answer->object.dn = model_extended_dn(answer, dc, i);
    model_attribute(answer, "objectGUID");
    model_value(answer, model_text(answer, guid.bytes, sizeof guid.bytes));
}

static void model_classes(struct model_answer *answer, unsigned i)
{
    model_attribute(answer, "objectClass");
    model_value(answer, model_string(answer, "top"));
    model_value(answer, model_string(answer, i == 0                 ? "domainDNS"
                                             : i < MODEL_CONTAINERS ? "organizationalUnit"
                                             : model_is_group(i)    ? "group"
                                                                    : "user"));
    model_attribute(answer, "whenCreated");
    model_value(answer, model_string(answer, "20261122100000.0Z"));
}

static void model_put(struct model_answer *answer, const struct model_object *object, enum model_attribute a,
                      bool even_without)
{
    static const char *const names[MODEL_ATTRIBUTES] = {[MODEL_ACCOUNT] = "sAMAccountName",
                                                        [MODEL_DESCRIPTION] = "description",
                                                        [MODEL_DELETED] = "isDeleted"};
    int32_t value = object->attributes[a].value;
    if (!names[a] || (value < 0 && !even_without))
        return;
    char text[MODEL_TEXT];
    snprintf(text, sizeof text, "%s%d", a == MODEL_ACCOUNT ? "account" : "text", value);
    model_attribute(answer, names[a]);
    if (value >= 0)
        model_value(answer, model_string(answer, a == MODEL_DELETED ? "TRUE" : text));
}

static bool model_send(struct model_answer *answer, model_give *give, void *to)
{
    answer->object.attribute_count = answer->attribute_count;
    answer->object.attributes = answer->attributes;
    return give(to, &answer->object);
}

static bool model_asks_for(const struct ldap_query *query, const char *name)
{
    for (const char *const *at = query->attributes; at && *at; at++) {
        if (strncmp(*at, name, strlen(name)) == 0)
            return true;
    }
    return false;
}

/* Whole, as a search tells it: members in ranges when there are many. */
static bool model_send_whole(const struct model *model, const struct model_controller *dc, unsigned i,
                             const struct ldap_query *query, uint32_t from, struct model_answer *answer,
                             model_give *give, void *to)
{
    model_start(answer, dc, i);
    if (model_asks_for(query, "objectClass"))
        model_classes(answer, i);
    for (unsigned a = 0; a < MODEL_ATTRIBUTES && model_asks_for(query, "description"); a++)
        if (a != MODEL_DESCRIPTION || !model->no_descriptions)
            model_put(answer, &dc->objects[i], (enum model_attribute)a, false);
    uint32_t members = 0, sent = 0;
    for (unsigned j = 0; j < MODEL_OBJECTS; j++)
        members += model_has_member(dc, i, j);
    if (members > from && model_asks_for(query, "member")) {
        char name[64];
        uint32_t most = model->values_most ? model->values_most : MODEL_OBJECTS;
        bool all = members <= from + most;
        snprintf(name, sizeof name, from || !all ? "member;range=%u-%s" : "member", from, all ? "*" : "");
        if (!all)
            snprintf(name, sizeof name, "member;range=%u-%u", from, from + most - 1);
        model_attribute(answer, name);
        for (unsigned j = 0, at = 0; j < MODEL_OBJECTS && sent < most; j++) {
            if (model_has_member(dc, i, j) && at++ >= from) {
                model_value(answer, model_extended_dn(answer, dc, j));
                sent++;
            }
        }
    }
    if (model_asks_for(query, "memberOf")) {
        model_attribute(answer, "memberOf");
        for (unsigned j = 0; j < MODEL_OBJECTS; j++) {
            if (model_has_member(dc, j, i))
                model_value(answer, model_extended_dn(answer, dc, j));
        }
    }
    return model_send(answer, give, to);
}

/* -- DirSync ---------------------------------------------------------------------------------------- */

struct model_cookie {
    uint64_t highest, object; /* of properties, of objects within a cycle */
    uint8_t database[16];
    uint64_t vector[MODEL_DATABASES];
};

static void model_le(struct text *t, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        text_char(t, (char)(uint8_t)(i < sizeof value ? value >> (8 * i) : 0));
}

static size_t model_cookie_write(const struct model_cookie *cookie, uint8_t *to, size_t capacity)
{
    struct text t = text_to((char *)to, capacity);
    uint32_t count = 0;
    for (unsigned d = 0; d < MODEL_DATABASES; d++)
        count += cookie->vector[d] > 0;
    text_put(&t, "MSDS", 4);
    model_le(&t, 3, 4);
    model_le(&t, 0, 16);
    model_le(&t, 0, 4);
    model_le(&t, cookie->object, 8);
    model_le(&t, 0, 8);
    model_le(&t, cookie->highest, 8);
    text_put(&t, cookie->database, 16);
    model_le(&t, 1, 8);
    model_le(&t, count, 8);
    for (unsigned d = 0; d < MODEL_DATABASES; d++) {
        uint8_t id[16];
        model_database_id((uint8_t)d, id);
        if (cookie->vector[d]) {
            text_put(&t, id, 16);
            model_le(&t, cookie->vector[d], 8);
        }
    }
    return t.length;
}

static bool model_cookie_read(struct bytes from, struct model_cookie *cookie)
{
    memset(cookie, 0, sizeof *cookie);
    struct cursor c = cursor_of_bytes(from);
    cursor_skip(&c, 28);
    cookie->object = cursor_le64(&c);
    cursor_skip(&c, 8);
    cookie->highest = cursor_le64(&c);
    cursor_copy(&c, cookie->database, 16);
    cursor_skip(&c, 8);
    uint64_t count = cursor_le64(&c);
    while (count-- && !c.failed) {
        uint8_t id[16];
        cursor_copy(&c, id, 16);
        uint64_t usn = cursor_le64(&c);
        if (id[0] == 0xdb && id[15] && id[15] <= MODEL_DATABASES)
            cookie->vector[id[15] - 1] = usn;
    }
    return !c.failed;
}

static bool model_covered(const struct model_cookie *cookie, const struct model_stamp *stamp)
{
    return stamp->local <= cookie->highest || stamp->usn <= cookie->vector[stamp->database];
}

/* What of the object the cookie does not cover; false when nothing is. Values of a link beyond three come in
 * entries of their own from Windows. */
static bool model_send_changed(const struct model *model, const struct model_controller *dc, unsigned i,
                               const struct model_cookie *cookie, struct model_answer *answer,
                               model_give *give, void *to, bool *going)
{
    const struct model_object *object = &dc->objects[i];
    bool any = false;
    model_start(answer, dc, i);
    bool whole = !model_covered(cookie, &object->attributes[MODEL_CREATED].stamp);
    if (whole)
        model_classes(answer, i);
    for (unsigned a = 0; a < MODEL_ATTRIBUTES; a++) {
        if (!object->attributes[a].stamp.version || model_covered(cookie, &object->attributes[a].stamp))
            continue;
        any = true;
        model_put(answer, object, (enum model_attribute)a, !whole);
    }
    unsigned values = 0;
    for (unsigned present = 0; present < 2; present++) {
        bool open = false;
        for (unsigned j = 0; j < MODEL_OBJECTS; j++) {
            if (!object->members[j].stamp.version || model_covered(cookie, &object->members[j].stamp) ||
                !model_alive(dc, i) || !model_alive(dc, j) || object->members[j].present != (present == 1))
                continue;
            if (model->server == MODEL_WINDOWS && ++values % 3 == 0) {
                if (*going)
                    *going = model_send(answer, give, to);
                model_start(answer, dc, i);
                open = false;
            }
            if (!open)
                model_attribute(answer, present ? "member;range=1-1" : "member;range=0-0");
            open = any = true;
            model_value(answer, model_extended_dn(answer, dc, j));
        }
    }
    if (any && *going)
        *going = model_send(answer, give, to);
    return any;
}

static bool model_in_slice(const struct model_object *object, const struct ldap_query *query)
{
    const char *from = strstr(query->filter, "uSNCreated>="), *until = strstr(query->filter, "uSNCreated<=");
    if (from && object->created < strtoull(from + 12, NULL, 10))
        return false;
    return !until || object->created <= strtoull(until + 12, NULL, 10);
}

static bool model_is_asked_for(unsigned i, const struct ldap_query *query)
{
    if (!strstr(query->filter, "(objectGUID="))
        return true;
    struct guid guid = model_guid(i);
    char wanted[64];
    struct text t = text_to(wanted, sizeof wanted);
    for (unsigned j = 0; j < GUID_SIZE; j++) {
        text_char(&t, '\\');
        text_hex(&t, (struct bytes){&guid.bytes[j], 1});
    }
    text_end(&t);
    return strstr(query->filter, wanted) != NULL;
}

static bool model_seen_by_dirsync(const struct model *model, const struct model_controller *dc, unsigned i,
                                  const struct ldap_query *query)
{
    bool less = query->dirsync_flags & 1;
    return dc->objects[i].there && model_in_slice(&dc->objects[i], query) && model_is_asked_for(i, query) &&
           !(less && model->hidden[i]) && (model_alive(dc, i) || model->deletions_visible);
}

static void model_send_other_head(struct model_answer *answer, model_give *give, void *to)
{
    static const uint8_t guid[GUID_SIZE] = {0xd5};
    answer->text_used = answer->value_count = answer->attribute_count = 0;
    answer->object.dn = model_string(answer, "<GUID=d5000000-0000-0000-0000-000000000000>;"
                                             "DC=DomainDnsZones," MODEL_CONTEXT);
    model_attribute(answer, "objectGUID");
    model_value(answer, model_text(answer, guid, sizeof guid));
    model_classes(answer, 0);
    model_send(answer, give, to);
}

static void model_refuse(struct ldap_result *result, int code)
{
    result->outcome = LDAP_OUTCOME_REFUSED;
    result->code = code;
}

static void model_dirsync(const struct model *model, const struct model_controller *dc,
                          const struct ldap_query *query, struct model_answer *answer, model_give *give,
                          void *to, struct ldap_result *result, uint8_t *cookie_out, size_t capacity)
{
    struct model_cookie cookie;
    uint8_t id[16];
    model_database_id(dc->database, id);
    if (!model->dirsync || (!model->right && !(query->dirsync_flags & 1))) {
        model_refuse(result, 50);
        return;
    }
    if (query->cookie.size && !model_cookie_read(query->cookie, &cookie)) {
        model_refuse(result, 12);
        return;
    }
    if (!query->cookie.size)
        memset(&cookie, 0, sizeof cookie);
    if (memcmp(cookie.database, id, 16) != 0)
        cookie.highest = cookie.object = 0;
    memcpy(cookie.database, id, 16);
    uint64_t after = cookie.object > cookie.highest ? cookie.object : cookie.highest;
    uint32_t sent = 0;
    uint32_t count = 0;
    for (unsigned i = 0; i < MODEL_OBJECTS; i++)
        count +=
            dc->objects[i].there && dc->objects[i].changed > after && model_in_slice(&dc->objects[i], query);
    if (model->answer_most && count > model->answer_most) {
        model_refuse(result, 4);
        return;
    }
    bool going = true;
    if (model->dns_zone && !query->cookie.size)
        model_send_other_head(answer, give, to);
    while (going) { /* in the order of change */
        unsigned next = MODEL_OBJECTS;
        for (unsigned i = 0; i < MODEL_OBJECTS; i++) {
            if (dc->objects[i].there && dc->objects[i].changed > after &&
                (next == MODEL_OBJECTS || dc->objects[i].changed < dc->objects[next].changed))
                next = i;
        }
        if (next == MODEL_OBJECTS)
            break;
        if (model->server == MODEL_WINDOWS && sent >= model->page_objects) {
            result->more = true;
            break;
        }
        after = dc->objects[next].changed;
        if (model_seen_by_dirsync(model, dc, next, query))
            sent += model_send_changed(model, dc, next, &cookie, answer, give, to, &going);
    }
    if (result->more) {
        cookie.object = after;
    } else {
        cookie.object = cookie.highest = dc->usn;
        memcpy(cookie.vector, dc->vector, sizeof cookie.vector);
    }
    result->cookie = (struct bytes){cookie_out, model_cookie_write(&cookie, cookie_out, capacity)};
}

/* -- searches --------------------------------------------------------------------------------------- */

static bool model_matches(const struct model *model, const struct model_controller *dc, unsigned i,
                          const struct ldap_query *query)
{
    const struct model_object *object = &dc->objects[i];
    if (!object->there || model->hidden[i])
        return false;
    if (!model_alive(dc, i) && !(query->show_deleted && model->deletions_visible))
        return false;
    const char *changed = strstr(query->filter, "uSNChanged>=");
    if (changed && object->changed < strtoull(changed + 12, NULL, 10))
        return false;
    return model_in_slice(object, query) && model_is_asked_for(i, query);
}

static void model_search(const struct model *model, const struct model_controller *dc,
                         const struct ldap_query *query, struct model_answer *answer, model_give *give,
                         void *to, struct ldap_result *result, uint8_t *cookie_out)
{
    unsigned i = query->cookie.size ? query->cookie.data[0] : 0;
    uint32_t sent = 0, matching = 0;
    for (unsigned j = i; j < MODEL_OBJECTS; j++)
        matching += model_matches(model, dc, j, query);
    if (model->answer_most && !query->page_size && matching > model->answer_most) {
        model_refuse(result, 4);
        return;
    }
    for (bool going = true; i < MODEL_OBJECTS && going; i++) {
        if (!model_matches(model, dc, i, query))
            continue;
        if (query->page_size && sent++ == query->page_size) {
            cookie_out[0] = (uint8_t)i;
            result->cookie = (struct bytes){cookie_out, 1};
            result->more = true;
            return;
        }
        going = model_send_whole(model, dc, i, query, 0, answer, give, to);
    }
}

static void model_base(const struct model *model, const struct model_controller *dc,
                       const struct ldap_query *query, struct model_answer *answer, model_give *give,
                       void *to, struct ldap_result *result)
{
    if (!query->base[0]) {
        char usn[32];
        answer->text_used = answer->value_count = answer->attribute_count = 0;
        answer->object.dn = (struct bytes){0};
        snprintf(usn, sizeof usn, "%llu", (unsigned long long)dc->usn);
        model_attribute(answer, "highestCommittedUSN");
        model_value(answer, model_string(answer, usn));
        model_send(answer, give, to);
    } else if (strncmp(query->base, "CN=Deleted Objects", 18) == 0) {
        if (!model->deletions_visible) {
            model_refuse(result, 32);
            return;
        }
        model_start(answer, dc, 0);
        model_send(answer, give, to);
    } else {
        struct guid guid;
        const char *range = query->attributes ? strstr(query->attributes[0], "range=") : NULL;
        bool read = uuid_parse(query->base + 6, strlen(query->base) - 7, guid.bytes);
        for (unsigned i = 0; read && i < MODEL_OBJECTS; i++) {
            struct guid have = model_guid(i);
            if (memcmp(&have, &guid, sizeof guid) != 0 || !model_alive(dc, i) || model->hidden[i])
                continue;
            model_send_whole(model, dc, i, query, range ? (uint32_t)strtoul(range + 6, NULL, 10) : 0, answer,
                             give, to);
            return;
        }
        model_refuse(result, 32);
    }
}

/* Answers a query: objects to `give` (until it says false), then the result, whose cookie lies in
 * `cookie_out`. */
static void model_ask(const struct model *model, const struct model_controller *dc,
                      const struct ldap_query *query, model_give *give, void *to, struct ldap_result *result,
                      uint8_t *cookie_out, size_t capacity)
{
    static struct model_answer answer;
    memset(result, 0, sizeof *result);
    result->text = "";
    if (query->dirsync)
        model_dirsync(model, dc, query, &answer, give, to, result, cookie_out, capacity);
    else if (query->scope == LDAP_BASE)
        model_base(model, dc, query, &answer, give, to, result);
    else
        model_search(model, dc, query, &answer, give, to, result, cookie_out);
}
