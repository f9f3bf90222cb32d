/* SPDX-License-Identifier: Apache-2.0
 *
 * Names to entities: what the wire calls accounts, computers and domains, in the forms that the directory
 * knows, and its answers, kept for a moment.
 */
#include "sync/resolver_internal.h"
#include "sync/service_name.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Answers are asked anew after that: an entity may be renamed, a domain be replicated. */
#define KNOWN_KEPT   (10 * CLOCK_SECOND)
#define UNKNOWN_KEPT CLOCK_SECOND

/* Places that only domains which the directory knows may take. */
#define DOMAINS_KEPT_FREE 64u

bool resolver_fold(char *to, size_t capacity, struct bytes text)
{
    while (text.size > 0 && (text.data[text.size - 1] == '.' || text.data[text.size - 1] == 0))
        text.size--;
    if (text.size == 0 || text.size >= capacity)
        return false;
    entity_fold((uint8_t *)to, text);
    to[text.size] = 0;
    return true;
}

/* --- domains --- */

static void check_domain(struct resolver *resolver, struct named_domain *domain)
{
    if (domain->checked && resolver->now - domain->checked < KNOWN_KEPT)
        return;
    domain->checked = resolver->now ? resolver->now : 1;
    domain->is_known =
        resolver->directory.domain &&
        resolver->directory.domain(resolver->directory.context, text_bytes(domain->name), &domain->known);
}

uint16_t resolver_domain_number(struct resolver *resolver, struct bytes name)
{
    char folded[RESOLVER_DOMAIN_MAX];
    if (!resolver_fold(folded, sizeof(folded), name))
        return RESOLVER_NO_DOMAIN;
    uint64_t hash = XXH3_64bits_withSeed(folded, strlen(folded), resolver->seed);
    const uint32_t *there = hash_table_find(resolver->domain_index, &hash);
    if (there)
        return (uint16_t)*there;
    if (resolver->domain_count >= RESOLVER_DOMAINS_MAX)
        return RESOLVER_NO_DOMAIN;
    struct named_domain *domain = &resolver->domains[resolver->domain_count];
    memset(domain, 0, sizeof(*domain));
    memcpy(domain->name, folded, strlen(folded) + 1);
    check_domain(resolver, domain);
    if (!domain->is_known && resolver->domain_count >= RESOLVER_DOMAINS_MAX - DOMAINS_KEPT_FREE)
        return RESOLVER_NO_DOMAIN;
    uint32_t *number = hash_table_insert(resolver->domain_index, &hash, NULL);
    if (!number)
        return RESOLVER_NO_DOMAIN;
    *number = resolver->domain_count;
    return (uint16_t)resolver->domain_count++;
}

const struct resolver_domain *resolver_domain_known(struct resolver *resolver, uint16_t number)
{
    if (number == RESOLVER_NO_DOMAIN)
        return NULL;
    struct named_domain *domain = &resolver->domains[number];
    check_domain(resolver, domain);
    return domain->is_known ? &domain->known : NULL;
}

struct bytes resolver_domain_name(const struct resolver *resolver, uint16_t number)
{
    const struct named_domain *domain = &resolver->domains[number];
    if (domain->is_known)
        return text_bytes(domain->known.dns);
    return text_bytes(domain->alias[0] ? domain->alias : domain->name);
}

void resolver_domain_alias(struct resolver *resolver, struct bytes netbios, struct bytes dns)
{
    char folded[RESOLVER_DOMAIN_MAX];
    uint16_t number = resolver_domain_number(resolver, netbios);
    if (number == RESOLVER_NO_DOMAIN || resolver->domains[number].alias[0])
        return;
    if (resolver_fold(folded, sizeof(folded), dns) && strchr(folded, '.'))
        memcpy(resolver->domains[number].alias, folded, sizeof(folded));
}

static bool ends_with_label(const char *name, const char *suffix)
{
    size_t size = strlen(name), end = strlen(suffix);
    return size > end && name[size - end - 1] == '.' && strcmp(name + size - end, suffix) == 0;
}

bool resolver_domain_owns(const struct resolver *resolver, struct bytes dns_name, bool *is_domain)
{
    char folded[256];
    *is_domain = false;
    if (!resolver_fold(folded, sizeof(folded), dns_name))
        return false;
    for (uint32_t i = 1; i < resolver->domain_count; i++) {
        const struct named_domain *domain = &resolver->domains[i];
        struct bytes dns = resolver_domain_name(resolver, (uint16_t)i);
        if (!domain->name[0] || dns.size == 0 || !memchr(dns.data, '.', dns.size))
            continue;
        if (strcmp(folded, (const char *)dns.data) == 0)
            return *is_domain = true;
        if (ends_with_label(folded, (const char *)dns.data))
            return true;
    }
    return false;
}

/* --- entities --- */

uint64_t resolver_key_hash(const struct resolver *resolver, const struct lookup_key *key)
{
    return lookup_key_hash(key, resolver->seed);
}

void resolver_refresh(struct resolver *resolver)
{
    resolver->turn++;
    for (uint32_t i = 1; i < resolver->domain_count; i++)
        if (!resolver->domains[i].is_known)
            resolver->domains[i].checked = 0;
}

static bool keep_none(void *context, const void *key, void *value)
{
    (void)context;
    (void)key;
    (void)value;
    return false;
}

static struct known_entity *known_slot(struct resolver *resolver, uint64_t hash)
{
    bool added;
    struct known_entity *known = hash_table_insert(resolver->entities, &hash, &added);
    if (!known) { /* answers are cheap to get again */
        resolver->counters.evicted += hash_table_retain(resolver->entities, keep_none, NULL);
        known = hash_table_insert(resolver->entities, &hash, &added);
    }
    return known;
}

static bool is_fresh(const struct resolver *resolver, const struct known_entity *known)
{
    return resolver->now < known->until && (known->count > 0 || known->turn == resolver->turn);
}

void resolver_add_wait(struct asking *asking, uint64_t hash)
{
    for (uint32_t i = 0; i < asking->waits->count; i++)
        if (asking->waits->keys[i] == hash)
            return;
    if (asking->waits->count < RESOLVER_WAITS_MAX)
        asking->waits->keys[asking->waits->count++] = hash;
}

static void ask(struct resolver *resolver, const struct lookup_key *key, uint64_t hash, struct asking *asking)
{
    if (!asking || !resolver->directory.ask)
        return;
    enum lookup_admitted admitted = resolver->directory.ask(resolver->directory.context, key);
    resolver->counters.asked += admitted == LOOKUP_QUEUED;
    if (asking->waits && (admitted == LOOKUP_QUEUED || admitted == LOOKUP_JOINED))
        resolver_add_wait(asking, hash);
}

const struct resolver_entity *resolver_find(struct resolver *resolver, const struct lookup_key *key,
                                            struct asking *asking)
{
    uint64_t hash = resolver_key_hash(resolver, key);
    resolver->sought = hash;
    struct known_entity *known = hash_table_find(resolver->entities, &hash);
    if (!known || !is_fresh(resolver, known)) {
        known = known_slot(resolver, hash);
        if (!known)
            return NULL;
        known->count = resolver->directory.find(resolver->directory.context, key, &known->entity);
        known->until = resolver->now + (known->count > 0 ? KNOWN_KEPT : UNKNOWN_KEPT);
        known->turn = resolver->turn;
    }
    if (known->count == 0)
        ask(resolver, key, hash, asking);
    resolver->counters.found += known->count == 1;
    return known->count == 1 ? &known->entity : NULL;
}

/* --- accounts --- */

static bool has(struct bytes text, char c)
{
    return text.size > 0 && memchr(text.data, c, text.size);
}

bool resolver_is_anonymous(struct bytes name)
{
    static const char *const nobody[] = {"wellknown/", "anonymous logon", "nt authority\\anonymous logon"};
    char folded[RESOLVER_ACCOUNT_MAX];
    if (name.size == 0)
        return true;
    if (!resolver_fold(folded, sizeof(folded), name))
        return false;
    return strncmp(folded, nobody[0], strlen(nobody[0])) == 0 || strcmp(folded, nobody[1]) == 0 ||
           strcmp(folded, nobody[2]) == 0;
}

/* "CN=x,DC=y": what a simple bind may give. */
static bool is_dn(struct bytes name)
{
    const uint8_t *equals = name.size ? memchr(name.data, '=', name.size) : NULL;
    return equals && has(name, ',') && equals != name.data &&
           !has((struct bytes){name.data, (size_t)(equals - name.data)}, ',');
}

static bool account_key(struct lookup_key *key, struct bytes name, struct bytes domain)
{
    static const struct bytes none;
    const uint8_t *backslash = name.size ? memchr(name.data, '\\', name.size) : NULL;
    if (is_dn(name))
        return lookup_key_text(key, LOOKUP_DN, name, none);
    if (backslash) {
        domain = (struct bytes){name.data, (size_t)(backslash - name.data)};
        name = (struct bytes){backslash + 1, name.size - domain.size - 1};
    }
    if (has(name, '@'))
        return lookup_key_text(key, LOOKUP_UPN, name, none);
    if (has(name, '/'))
        return lookup_key_text(key, LOOKUP_SPN, name, domain);
    return lookup_key_text(key, LOOKUP_ACCOUNT, name, domain);
}

/* The DNS name of a domain where it is known: then both its names make one key. */
static struct bytes canonical(struct resolver *resolver, struct bytes domain)
{
    uint16_t number = resolver_domain_number(resolver, domain);
    return number == RESOLVER_NO_DOMAIN ? domain : resolver_domain_name(resolver, number);
}

const struct resolver_entity *resolver_find_account(struct resolver *resolver, struct bytes name,
                                                    struct bytes domain, struct asking *asking)
{
    struct lookup_key key;
    if (resolver_is_anonymous(name) || !account_key(&key, name, canonical(resolver, domain)))
        return NULL;
    return resolver_find(resolver, &key, asking);
}

const struct resolver_entity *
resolver_find_principal(struct resolver *resolver, const struct principal *principal, struct asking *asking)
{
    struct lookup_key key;
    struct bytes domain = {0};
    if (principal->domain != RESOLVER_NO_DOMAIN)
        domain = resolver_domain_name(resolver, principal->domain);
    if (!account_key(&key, text_bytes(principal->name), domain))
        return NULL;
    return resolver_find(resolver, &key, asking);
}

bool resolver_principal(struct resolver *resolver, struct principal *to, struct bytes name,
                        struct bytes domain, int64_t time)
{
    memset(to, 0, sizeof(*to));
    if (resolver_is_anonymous(name))
        return false;
    if (!resolver_fold(to->name, sizeof(to->name), name)) {
        resolver->counters.too_long++;
        to->name[0] = 0;
        return false;
    }
    to->domain = resolver_domain_number(resolver, domain);
    to->seen = time;
    return true;
}

/* --- computers --- */

const struct resolver_entity *resolver_find_computer(struct resolver *resolver, struct bytes host,
                                                     struct bytes domain, struct asking *asking)
{
    char name[RESOLVER_HOST_MAX + RESOLVER_DOMAIN_MAX + 2];
    struct lookup_key key;
    const struct resolver_entity *entity = NULL;
    if (host.size == 0 || host.size >= RESOLVER_HOST_MAX || domain.size >= RESOLVER_DOMAIN_MAX)
        return NULL;
    memcpy(name, host.data, host.size);
    /* The account's name is the first 15 characters of the host's. */
    size_t account = host.size < 15 ? host.size : 15;
    name[account] = '$';
    if (lookup_key_text(&key, LOOKUP_ACCOUNT, (struct bytes){(uint8_t *)name, account + 1}, domain))
        entity = resolver_find(resolver, &key, has(domain, '.') ? NULL : asking);
    if (entity || !has(domain, '.'))
        return entity;
    /* A DNS suffix need not be the domain's name. */
    memcpy(name, host.data, host.size);
    name[host.size] = '.';
    memcpy(name + host.size + 1, domain.data, domain.size);
    if (lookup_key_text(&key, LOOKUP_DNS_NAME, (struct bytes){(uint8_t *)name, host.size + 1 + domain.size},
                        (struct bytes){0}))
        entity = resolver_find(resolver, &key, NULL);
    if (entity)
        return entity;
    name[account] = '$';
    if (lookup_key_text(&key, LOOKUP_ACCOUNT, (struct bytes){(uint8_t *)name, account + 1}, domain))
        entity = resolver_find(resolver, &key, asking);
    return entity;
}
