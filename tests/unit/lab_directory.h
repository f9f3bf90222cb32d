/* SPDX-License-Identifier: Apache-2.0
 *
 * The directory of the lab whose captures stand in tests/data: a table in place of the entity store.
 */
#pragma once

#include <ctype.h>
#include <stdio.h>

#include "sync/resolver.h"
#include "sync/service_name.h"

enum { LAB_ENTITIES_MAX = 160 };

struct lab_entity {
    char account[RESOLVER_ACCOUNT_MAX];
    char dn[128];
    char spns[3][80];
    char dns_name[64];
    enum entity_kind kind;
    bool is_controller;
    uint32_t rid;
};

/* What was asked for in vain: with `asks`, each is admitted and counted, as a look-up would. */
struct lab_directory {
    struct lab_entity entities[LAB_ENTITIES_MAX];
    unsigned count;
    bool knows_domain;
    enum lookup_admitted admits;
    unsigned asked;
    unsigned found; /* calls of find */
    struct lookup_key last;
};

static inline struct lab_entity *lab_add(struct lab_directory *lab, enum entity_kind kind,
                                         const char *account, const char *parent, const char *spn)
{
    struct lab_entity *e = &lab->entities[lab->count];
    size_t name = strcspn(account, "$");
    memset(e, 0, sizeof(*e));
    e->kind = kind;
    e->rid = 1000 + lab->count++;
    snprintf(e->account, sizeof(e->account), "%s", account);
    snprintf(e->dn, sizeof(e->dn), "CN=%.*s,%s,DC=corp,DC=example", (int)name, account, parent);
    if (spn)
        snprintf(e->spns[0], sizeof(e->spns[0]), "%s", spn);
    if (kind == ENTITY_COMPUTER) {
        char host[32] = "";
        for (size_t i = 0; i < name && i + 1 < sizeof(host); i++)
            host[i] = (char)tolower((unsigned char)account[i]);
        snprintf(e->dns_name, sizeof(e->dns_name), "%s.corp.example", host);
        snprintf(e->spns[1], sizeof(e->spns[1]), "HOST/%s.corp.example", host);
    }
    return e;
}

static inline void lab_fill(struct lab_directory *lab)
{
    char name[32], spn[80];
    memset(lab, 0, sizeof(*lab));
    lab->knows_domain = true;
    lab->admits = LOOKUP_QUEUED;
    for (unsigned i = 1; i <= 50; i++) {
        snprintf(name, sizeof(name), "user%02u", i);
        lab_add(lab, ENTITY_USER, name, "OU=Staff", NULL);
    }
    for (unsigned i = 1; i <= 10; i++) {
        snprintf(name, sizeof(name), "WS%02u$", i);
        lab_add(lab, ENTITY_COMPUTER, name, "CN=Computers", NULL);
    }
    for (unsigned i = 1; i <= 2; i++) {
        snprintf(name, sizeof(name), "DC%u$", i);
        snprintf(spn, sizeof(spn), "GC/dc%u.corp.example/corp.example", i);
        struct lab_entity *dc = lab_add(lab, ENTITY_COMPUTER, name, "OU=Domain Controllers", spn);
        snprintf(dc->spns[2], sizeof(dc->spns[2]), "ldap/dc%u.corp.example", i);
        dc->is_controller = true;
    }
    static const struct {
        const char *account, *parent, *spn;
    } others[] = {
        {"Administrator", "CN=Users", NULL},
        {"krbtgt", "CN=Users", "kadmin/changepw"},
        {"svc_sql", "OU=Service Accounts", "MSSQLSvc/sql01.corp.example:1433"},
        {"svc_web", "OU=Service Accounts", "HTTP/web01.corp.example"},
        {"svc_backup", "OU=Service Accounts", "backup/bk01.corp.example"},
        {"asrep1", "OU=Staff", NULL},
        {"dadmin", "OU=Staff", NULL},
        {"syncro", "OU=Service Accounts", NULL},
        {"honey", "OU=Staff", "HTTP/honey.corp.example"},
        {"locktest", "OU=Staff", NULL},
    };
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        lab_add(lab, ENTITY_USER, others[i].account, others[i].parent, others[i].spn);
    lab->entities[lab->count - 10].rid = 500;
    lab->entities[lab->count - 9].rid = 502;
    lab_add(lab, ENTITY_GROUP, "Domain Admins", "CN=Users", NULL)->rid = 512;
    lab_add(lab, ENTITY_GROUP, "VPN-Users", "OU=Staff", NULL);
}

static inline void lab_sid(uint32_t rid, uint8_t sid[SID_BYTES_MAX], uint8_t *size)
{
    static const uint8_t domain[] = {1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0};
    memcpy(sid, domain, sizeof(domain));
    for (unsigned i = 0; i < 4; i++)
        sid[sizeof(domain) + i] = (uint8_t)(rid >> 8 * i);
    *size = sizeof(domain) + 4;
}

static inline bool lab_same(const char *name, const void *value, size_t size)
{
    const char *other = value;
    if (strlen(name) != size)
        return false;
    for (size_t i = 0; i < size; i++)
        if (tolower((unsigned char)name[i]) != tolower((unsigned char)other[i]))
            return false;
    return true;
}

static inline bool lab_is_spn(const struct lab_entity *e, const struct lookup_key *key)
{
    struct service_name asked, owned;
    bool parsed = service_name_parse((struct bytes){key->value, key->size}, &asked);
    for (unsigned i = 0; i < 3; i++) {
        if (!e->spns[i][0])
            continue;
        if (lab_same(e->spns[i], key->value, key->size))
            return true;
        if (parsed &&
            service_name_parse((struct bytes){(const uint8_t *)e->spns[i], strlen(e->spns[i])}, &owned) &&
            service_name_is(owned.service, "host") && service_name_is_mapped(asked.service) &&
            asked.host.size == owned.host.size &&
            memcmp(asked.host.data, owned.host.data, asked.host.size) == 0)
            return true;
    }
    return false;
}

static inline bool lab_is(const struct lab_entity *e, const struct lookup_key *key)
{
    uint8_t sid[SID_BYTES_MAX], size;
    char text[160];
    lab_sid(e->rid, sid, &size);
    switch (key->kind) {
    case LOOKUP_SID:
        return key->size == size && memcmp(key->value, sid, size) == 0;
    case LOOKUP_ACCOUNT:
        if (key->domain[0] && strcmp(key->domain, "corp.example") != 0 && strcmp(key->domain, "corp") != 0)
            return false;
        return lab_same(e->account, key->value, key->size);
    case LOOKUP_UPN:
        snprintf(text, sizeof(text), "%s@corp.example", e->account);
        return lab_same(text, key->value, key->size);
    case LOOKUP_SPN:
        return lab_is_spn(e, key);
    case LOOKUP_GUID:
        return key->value[0] == (uint8_t)e->rid && key->value[1] == (uint8_t)(e->rid >> 8);
    case LOOKUP_DN:
        return lab_same(e->dn, key->value, key->size);
    default:
        return e->dns_name[0] && lab_same(e->dns_name, key->value, key->size);
    }
}

static inline uint32_t lab_find(void *context, const struct lookup_key *key, struct resolver_entity *to)
{
    struct lab_directory *lab = context;
    uint32_t found = 0;
    lab->found++;
    for (unsigned i = 0; i < lab->count; i++) {
        const struct lab_entity *e = &lab->entities[i];
        if (!lab_is(e, key) || found++ > 0)
            continue;
        memset(to, 0, sizeof(*to));
        to->kind = e->kind;
        to->is_controller = e->is_controller;
        to->guid.bytes[0] = (uint8_t)e->rid;
        to->guid.bytes[1] = (uint8_t)(e->rid >> 8);
        lab_sid(e->rid, to->sid, &to->sid_size);
        memcpy(to->account, e->account, sizeof(to->account));
        snprintf(to->domain, sizeof(to->domain), "corp.example");
    }
    return found;
}

static inline bool lab_domain(void *context, struct bytes name, struct resolver_domain *to)
{
    const struct lab_directory *lab = context;
    if (!lab->knows_domain ||
        (!lab_same("corp.example", name.data, name.size) && !lab_same("corp", name.data, name.size)))
        return false;
    memset(to, 0, sizeof(*to));
    snprintf(to->dns, sizeof(to->dns), "corp.example");
    lab_sid(0, to->sid, &to->sid_size);
    to->sid[1]--;
    to->sid_size = (uint8_t)(to->sid_size - 4);
    return true;
}

static inline enum lookup_admitted lab_ask(void *context, const struct lookup_key *key)
{
    struct lab_directory *lab = context;
    lab->asked++;
    lab->last = *key;
    return lab->admits;
}

static inline struct resolver *lab_resolver(struct lab_directory *lab, const struct resolver_limits *limits)
{
    struct resolver_limits usual;
    struct resolver_directory directory = {lab_find, lab_domain, lab_ask, lab};
    resolver_limits_init(&usual);
    return resolver_new(limits ? limits : &usual, &directory, 7);
}
