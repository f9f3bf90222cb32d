/* SPDX-License-Identifier: Apache-2.0
 *
 * What the halves of center/entities.h share: what becomes of entities (entities.c) and questions
 * (entities_find.c, directory_view_entities.c). Not for callers.
 */
#pragma once

#include "center/entities.h"
#include "center/entities_names.h"
#include "center/entities_numbers.h"

#define ENTITIES_CONTROLLERS_MAX 4096u

enum entities_index {
    BY_GUID = 1,
    BY_SID,
    BY_ACCOUNT, /* in a domain */
    BY_BARE,    /* without the final $, in a domain */
    BY_UPN,
    BY_SPN,
    BY_DNS_NAME,
    BY_DN,
};

enum {
    ITEM_KNOWN = 1, /* it was told of; else it is only the end of a link */
    ITEM_DELETED = 2,
};

/* What is long and seldom looked at. */
struct item_details {
    uint32_t key_count;
    uint8_t sid_size, account_size;
    uint64_t keys[]; /* under which it stands in the names; then SID and account name */
};

struct item {
    struct guid guid;
    int64_t created, password_set;
    uint32_t facts;         /* by its own attributes */
    uint32_t etypes;        /* msDS-SupportedEncryptionTypes */
    uint32_t primary_group; /* RID */
    uint16_t domain;        /* index; 0: none */
    uint8_t kind, flags;
    uint32_t round;         /* of the walk that met it last */
    uint32_t judged;        /* the state of memberships for which `sensitive` holds */
    bool sensitive_account; /* by its own SID: Administrator, krbtgt */
    bool sensitive;
    struct entities_numbers groups, members;
    struct item_details *details;
};

struct entities_domain {
    char dns[RESOLVER_DOMAIN_MAX]; /* folded */
    char flat[64];                 /* folded */
    uint8_t sid_size;
    uint8_t sid[SID_BYTES_MAX];
    uint32_t functional_level;
    bool watched; /* its directory was told of */
    bool whole;
};

struct entities_tag {
    uint64_t key;
    uint32_t facts;
};

struct entities {
    uint64_t seed;
    struct item *items; /* by number, from 1 */
    uint32_t count, capacity;
    uint32_t living, deleted;
    uint64_t memberships, refused, details_bytes;
    struct entities_names names;
    uint32_t *recent;                /* numbers of those that were asked for lately, by objectGUID; 0: none */
    struct entities_domain *domains; /* from 1 */
    uint32_t domain_count;
    struct entities_tag *tags;
    uint32_t tag_count, tag_capacity;
    struct entities_names tag_places;
    uint32_t state; /* changes with everything that who is sensitive hangs on */
    /* Domain controllers, as of a state: */
    uint32_t controllers[ENTITIES_CONTROLLERS_MAX];
    uint32_t controller_count, controllers_state;
    uint32_t round;
    uint32_t *stack; /* of a walk */
    uint32_t stack_capacity;
    uint32_t *scratch; /* numbers of a link's ends */
    uint32_t scratch_capacity;
    struct entity_batch_record *record;
    struct guid *targets;
};

static inline const uint8_t *item_sid(const struct item *item)
{
    return item->details ? (const uint8_t *)(item->details->keys + item->details->key_count) : NULL;
}

static inline struct bytes item_account(const struct item *item)
{
    if (!item->details)
        return (struct bytes){0};
    return (struct bytes){item_sid(item) + item->details->sid_size, item->details->account_size};
}

/* Names are folded here; longer ones than 512 bytes count by their first. */
uint64_t entities_key(const struct entities *entities, enum entities_index index, uint32_t domain,
                      struct bytes name);
/* The key of what a mark by name is for: without its $. */
uint64_t entities_tag_key(const struct entities *entities, struct bytes name, struct bytes domain);

/* What was marked under a key. */
uint32_t entities_tagged(const struct entities *entities, uint64_t key);

/* By DNS or flat name; 0: it is not known. */
uint32_t entities_domain_of(const struct entities *entities, struct bytes name);

/* 0: there is none. */
uint32_t entities_number(const struct entities *entities, const struct guid *guid);

/* How many living ones bear the name, and the first of them. `domain` may be empty. */
uint32_t entities_by_name(const struct entities *entities, enum entities_index index, struct bytes name,
                          struct bytes domain, uint32_t *first);
/* sAMAccountName, then without its $; UPN; DNS name; service principal: likewise. */
uint32_t entities_by_any_name(const struct entities *entities, struct bytes name, struct bytes domain,
                              uint32_t *first);
uint32_t entities_by_service(const struct entities *entities, struct bytes name, uint32_t *first);
uint32_t entities_by_upn(const struct entities *entities, struct bytes name, uint32_t *first);

/* Groups above, nested: `visit` for each once, until it says false. */
void entities_walk_groups(struct entities *entities, uint32_t number,
                          bool (*visit)(void *context, uint32_t group), void *context);
/* All its facts, those by groups and by hand too. */
uint32_t entities_facts_of(struct entities *entities, uint32_t number);
