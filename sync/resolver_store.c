/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/resolver_store.h"

#include <stdio.h>
#include <stdlib.h>

/* Entities of one name that are looked at, to find the one that bears it itself. */
#define NAMESAKES_MAX 8u

struct resolver_store {
    struct entity_store_read *read;
    bool is_resting;
    resolver_store_ask ask;
    void *context;
    struct entity entity; /* too large for the stack */
};

struct resolver_store *resolver_store_new(struct entity_store *store, resolver_store_ask ask, void *context,
                                          struct fault *fault)
{
    struct resolver_store *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    self->ask = ask;
    self->context = context;
    self->read = entity_store_read_open(store, fault);
    if (!self->read)
        resolver_store_destroy(&self);
    return self;
}

void resolver_store_destroy(struct resolver_store **self_p)
{
    struct resolver_store *self = *self_p;
    if (!self)
        return;
    if (self->read)
        entity_store_read_close(&self->read);
    free(self);
    *self_p = NULL;
}

void resolver_store_renew(struct resolver_store *self)
{
    self->is_resting = !entity_store_read_renew(self->read);
}

void resolver_store_rest(struct resolver_store *self)
{
    entity_store_read_rest(self->read);
    self->is_resting = true;
}

/* --- entities --- */

static void copy_text(char *to, size_t capacity, struct bytes text)
{
    size_t size = text.size < capacity ? text.size : 0; /* half a name is another name */
    if (size)
        memcpy(to, text.data, size);
    to[size] = 0;
}

static void copy_sid(uint8_t *to, uint8_t *size, const struct entity *entity)
{
    const struct activity_value *sid = entity_get(entity, ENTITY_OBJECT_SID);
    *size = 0;
    if (!sid || sid->bytes.size > SID_BYTES_MAX)
        return;
    memcpy(to, sid->bytes.data, sid->bytes.size);
    *size = (uint8_t)sid->bytes.size;
}

static void copy_entity(struct resolver_entity *to, const struct entity *entity)
{
    memset(to, 0, sizeof(*to));
    to->guid = entity->guid;
    to->kind = entity->kind;
    to->is_controller = entity_is_domain_controller(entity) || entity_is_read_only_domain_controller(entity);
    copy_sid(to->sid, &to->sid_size, entity);
    copy_text(to->account, sizeof(to->account), entity_name(entity));
    copy_text(to->domain, sizeof(to->domain), entity->domain);
}

static bool bears(const struct entity *entity, struct bytes name)
{
    uint8_t folded[RESOLVER_ACCOUNT_MAX];
    const struct activity_value *account = entity_get(entity, ENTITY_SAM_ACCOUNT_NAME);
    if (!account || account->bytes.size != name.size || name.size > sizeof(folded))
        return false;
    entity_fold(folded, account->bytes);
    return memcmp(folded, name.data, name.size) == 0;
}

/* A user "ws01" and a computer "WS01$" are both found by "ws01": whoever bears the name itself is meant. */
static uint32_t narrow(struct resolver_store *self, struct bytes name, struct bytes domain,
                       struct resolver_entity *to)
{
    struct guid found[NAMESAKES_MAX];
    uint32_t count = entity_store_find(self->read, INDEX_ACCOUNT, name, domain, found, NAMESAKES_MAX),
             exact = 0;
    for (uint32_t i = 0; i < count && i < NAMESAKES_MAX; i++)
        if (entity_store_get(self->read, &found[i], &self->entity) && bears(&self->entity, name) &&
            exact++ == 0)
            copy_entity(to, &self->entity);
    return exact > 0 ? exact : count;
}

static uint32_t find_guid(struct resolver_store *self, const struct lookup_key *key,
                          struct resolver_entity *to)
{
    struct guid guid;
    memcpy(guid.bytes, key->value, GUID_SIZE);
    if (!entity_store_get(self->read, &guid, &self->entity))
        return 0;
    copy_entity(to, &self->entity);
    return 1;
}

static uint32_t find(void *context, const struct lookup_key *key, struct resolver_entity *to)
{
    static const enum entity_index indexes[LOOKUP_KINDS] = {
        [LOOKUP_SID] = INDEX_SID, [LOOKUP_ACCOUNT] = INDEX_ACCOUNT,   [LOOKUP_UPN] = INDEX_UPN,
        [LOOKUP_SPN] = INDEX_SPN, [LOOKUP_DNS_NAME] = INDEX_DNS_NAME, [LOOKUP_DN] = INDEX_DN,
    };
    struct resolver_store *self = context;
    struct bytes name = {key->value, key->size}, domain = {(const uint8_t *)key->domain, strlen(key->domain)};
    if (self->is_resting)
        return 0;
    if (key->kind == LOOKUP_GUID)
        return find_guid(self, key, to);
    uint32_t count = entity_store_find_first(self->read, indexes[key->kind], name, domain, &self->entity);
    if (count == 0)
        return 0;
    copy_entity(to, &self->entity);
    if (key->kind == LOOKUP_SID) /* a tombstone may bear it too */
        return 1;
    return count > 1 && key->kind == LOOKUP_ACCOUNT ? narrow(self, name, domain, to) : count;
}

/* --- domains --- */

/* "corp.example" to "DC=corp,DC=example" */
static size_t domain_dn(char *to, size_t capacity, const char *dns)
{
    size_t size = 0;
    while (*dns) {
        size_t label = strcspn(dns, ".");
        int n = snprintf(to + size, capacity - size, "%sDC=%.*s", size ? "," : "", (int)label, dns);
        if (n < 0 || (size_t)n >= capacity - size)
            return 0;
        size += (size_t)n;
        dns += label + (dns[label] == '.');
    }
    return size;
}

static bool find_domain(void *context, struct bytes name, struct resolver_domain *to)
{
    struct resolver_store *self = context;
    char dn[RESOLVER_DOMAIN_MAX * 3];
    struct bytes dns = name;
    if (self->is_resting)
        return false;
    memset(to, 0, sizeof(*to));
    bool is_flat = entity_store_flat_name(self->read, name, &dns);
    copy_text(to->dns, sizeof(to->dns), is_flat ? dns : name);
    size_t size = domain_dn(dn, sizeof(dn), to->dns);
    if (size &&
        entity_store_find_first(self->read, INDEX_DN, (struct bytes){(uint8_t *)dn, size}, (struct bytes){0},
                                &self->entity) > 0 &&
        self->entity.kind == ENTITY_DOMAIN) {
        copy_sid(to->sid, &to->sid_size, &self->entity);
        return true;
    }
    return is_flat;
}

static enum lookup_admitted ask(void *context, const struct lookup_key *key)
{
    struct resolver_store *self = context;
    return self->ask && self->ask(self->context, key, LOOKUP_TRAFFIC) ? LOOKUP_QUEUED : LOOKUP_FULL;
}

struct resolver_directory resolver_store_directory(struct resolver_store *self)
{
    return (struct resolver_directory){.find = find, .domain = find_domain, .ask = ask, .context = self};
}
