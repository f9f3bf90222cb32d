/* SPDX-License-Identifier: Apache-2.0
 *
 * What the resolver's parts share: resolver_bindings.c (who is where), resolver_evidence.c (what activities
 * tell of that), resolver_names.c (names to entities), resolver.c (completing an activity).
 */
#pragma once

#include "base/clock.h"
#include "base/hash_table.h"
#include "sync/resolver.h"

#define RESOLVER_DOMAINS_MAX 256u
#define RESOLVER_NO_DOMAIN   0u /* not stated, or no room to remember it */

/* An account by the name that the wire gave it. */
struct principal {
    char name[RESOLVER_ACCOUNT_MAX]; /* "": none */
    uint16_t domain;
    int64_t seen;
};

struct claim {
    char host[RESOLVER_HOST_MAX]; /* folded; "": none */
    uint16_t domain;
    uint8_t source;
    int64_t begins; /* nobody else was there since; 0: nobody was before */
    int64_t since, seen;
    int64_t ends; /* of a lease; 0: by its source's age */
};

/* A computer that proved itself from the address. */
struct sighting {
    uint64_t host;
    int64_t seen;
};
#define RESOLVER_SIGHTINGS 4u

struct address_key {
    uint8_t family, bytes[16], zero[7];
};

struct binding {
    struct claim computer;
    struct claim before;  /* who was there until computer.begins */
    int64_t disputed;     /* another computer's account asked for a ticket then, unproven as yet; 0: none */
    uint64_t disputed_by; /* hash of that computer */
    struct principal account;
    struct sighting sightings[RESOLVER_SIGHTINGS];
    int64_t shared_until;
    int64_t controller_until; /* it answers as one */
    uint16_t controller_domain;
    int64_t used;
};

/* An answer of the directory, kept for a while. */
struct known_entity {
    int64_t until;
    uint32_t count; /* 0: unknown when `turn` was */
    uint32_t turn;
    struct resolver_entity entity;
};

struct named_domain {
    char name[RESOLVER_DOMAIN_MAX];  /* folded, as the wire gave it */
    char alias[RESOLVER_DOMAIN_MAX]; /* DNS name, where a server told it of this NetBIOS name; "" */
    int64_t checked;                 /* when the directory was asked */
    bool is_known;                   /* by the directory: */
    struct resolver_domain known;
};

struct resolver {
    struct resolver_limits limits;
    struct resolver_directory directory;
    resolver_ask_name ask_name; /* NULL: nobody is asked */
    void *ask_name_context;
    struct resolver_counters counters;
    uint64_t seed;
    struct hash_table *bindings;     /* struct address_key -> struct binding */
    struct hash_table *holders;      /* hash of a host -> struct address_key of who last had it */
    struct hash_table *tickets;      /* fingerprint -> struct principal */
    struct hash_table *connections;  /* hash of ends and flow -> struct principal */
    struct hash_table *entities;     /* hash of a key -> struct known_entity */
    struct hash_table *domain_index; /* hash of a name -> its number */
    struct named_domain *domains;
    uint32_t domain_count;
    uint32_t turn;    /* of unknown entities: see resolver_refresh */
    uint64_t sought;  /* hash of the key that was looked for last; 0: none since it was set to that */
    uint64_t settled; /* address of which it is clear now who is there: see resolver_settled */
    struct resolver_left left; /* by the last activity that was completed */
    int64_t now;               /* of the caches */
};

/* The fields of an activity by their number. */
struct view {
    const struct activity *activity;
    uint8_t at[ACTIVITY_FIELDS]; /* 1 + place; 0: absent */
};
void view_make(struct view *view, const struct activity *activity);

static inline const struct activity_value *view_get(const struct view *view, enum activity_field field)
{
    return view->at[field] ? &view->activity->values[view->at[field] - 1] : NULL;
}

static inline struct bytes view_text(const struct view *view, enum activity_field field)
{
    return view->at[field] ? view->activity->values[view->at[field] - 1].bytes : (struct bytes){0};
}

bool view_address(const struct view *view, enum activity_field field, struct ip_address *to);
bool view_succeeded(const struct view *view); /* there is a status, and it is 0 */

static inline struct bytes text_bytes(const char *text)
{
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

/* --- names (resolver_names.c) --- */

/* Folded and terminated; false when it is empty or too long. */
bool resolver_fold(char *to, size_t capacity, struct bytes text);

/* The number of a domain's name, remembered; RESOLVER_NO_DOMAIN when there is no room. */
uint16_t resolver_domain_number(struct resolver *resolver, struct bytes name);
/* Its DNS name as far as it is known, else as the wire gave it; empty for RESOLVER_NO_DOMAIN. */
struct bytes resolver_domain_name(const struct resolver *resolver, uint16_t number);
/* What the directory says of it; NULL when it does not know it. */
const struct resolver_domain *resolver_domain_known(struct resolver *resolver, uint16_t number);
/* A server told that both are the same domain. */
void resolver_domain_alias(struct resolver *resolver, struct bytes netbios, struct bytes dns);
/* Whether a DNS name is one of a domain that was heard of, or within it. */
bool resolver_domain_owns(const struct resolver *resolver, struct bytes dns_name, bool *is_domain);

/* Given along when the directory may be asked for what is not there. */
struct asking {
    struct resolver_waits *waits; /* what the activity is to wait for; NULL: it does not */
};

/* One more thing to wait for. */
void resolver_add_wait(struct asking *asking, uint64_t key);

/* The one entity of that name; NULL: none, several, or not known yet. */
const struct resolver_entity *resolver_find(struct resolver *resolver, const struct lookup_key *key,
                                            struct asking *asking);
/* By an account's name in any of its forms; `how` is the domain stated with it. */
const struct resolver_entity *resolver_find_account(struct resolver *resolver, struct bytes name,
                                                    struct bytes domain, struct asking *asking);
const struct resolver_entity *
resolver_find_principal(struct resolver *resolver, const struct principal *principal, struct asking *asking);
const struct resolver_entity *resolver_find_computer(struct resolver *resolver, struct bytes host,
                                                     struct bytes domain, struct asking *asking);
/* Names that stand for nobody. */
bool resolver_is_anonymous(struct bytes name);

/* Into a principal; false when it is nobody's, or too long to keep. */
bool resolver_principal(struct resolver *resolver, struct principal *to, struct bytes name,
                        struct bytes domain, int64_t time);

/* --- who is where (resolver_bindings.c) --- */

struct binding *resolver_bind(struct resolver *resolver, const struct ip_address *address, int64_t time);
struct binding *resolver_bound(const struct resolver *resolver, const struct ip_address *address);
/* Who was there at that time: an activity may be completed later than another computer has come. */
const struct claim *resolver_claim_at(const struct binding *binding, int64_t time);
uint8_t resolver_confidence(const struct claim *claim, int64_t time); /* 0: none, or too old */
bool resolver_is_shared(const struct binding *binding, int64_t time);

/* Evidence that a computer is at the address; `name` is a NetBIOS or DNS name, or NAME$. */
void resolver_claim(struct resolver *resolver, const struct ip_address *address, struct bytes name,
                    struct bytes domain, enum resolver_source source, int64_t time, int64_t ends);
/* The address was given away. */
void resolver_release(struct resolver *resolver, const struct ip_address *address, int64_t time);
/* The account of a computer, which is not proven, asks for a ticket from the address. */
void resolver_dispute(struct resolver *resolver, const struct ip_address *address, struct bytes account,
                      int64_t time);
/* Whether it is still open that computer, not the one that is bound, is there since a moment ago. */
bool resolver_is_disputed(const struct resolver *resolver, const struct binding *binding,
                          struct bytes account, int64_t time);
/* Another host has the lease than the one that stood. */
bool resolver_is_host(const struct binding *binding, struct bytes name);
void resolver_claim_account(struct resolver *resolver, const struct ip_address *address,
                            const struct principal *principal);

void resolver_remember(struct resolver *resolver, struct hash_table *table, uint64_t key,
                       const struct principal *principal);
const struct principal *resolver_recall(const struct hash_table *table, uint64_t key);
uint64_t resolver_connection(const struct resolver *resolver, const struct view *view);

/* --- evidence (resolver_evidence.c) --- */

void resolver_learn(struct resolver *resolver, const struct view *view);
