/* SPDX-License-Identifier: Apache-2.0
 *
 * The resolver: who is behind an address, and which entities of the directory an activity speaks of
 * (docs/resolver.md). It learns from the activities themselves, asks what the directory says of the names,
 * and adds both to the activity. Pure: activities and their times in, fields out; the directory is behind a
 * table of functions. For one thread.
 */
#pragma once

#include "base/activity.h"
#include "base/address.h"
#include "sync/lookup.h"

#define RESOLVER_HOST_MAX    64u  /* a computer's name: a DNS label and a zero */
#define RESOLVER_ACCOUNT_MAX 64u  /* sAMAccountName, with its zero; a longer name is not kept */
#define RESOLVER_DOMAIN_MAX  128u /* DNS name of a domain, with its zero */
#define RESOLVER_WAITS_MAX   8u   /* look-ups that one activity waits for */

/* How it is known who is behind an address; docs/resolver.md says more. */
enum resolver_source {
    RESOLVER_UNKNOWN,
    RESOLVER_NETBIOS,        /* it registered or announced its NetBIOS name */
    RESOLVER_MDNS,           /* it announced its name on the link */
    RESOLVER_WORKSTATION,    /* it stated its name while an account logged on */
    RESOLVER_DNS_ANSWER,     /* a DNS server's answer */
    RESOLVER_DNS_UPDATE,     /* a dynamic update that was accepted */
    RESOLVER_DHCP,           /* the lease's host name */
    RESOLVER_CHALLENGE,      /* the name that a server gives itself in its NTLM challenge or CLDAP answer */
    RESOLVER_MACHINE_NTLM,   /* its computer account logged on by NTLM, which can be relayed */
    RESOLVER_SECURE_UPDATE,  /* a signed dynamic update that was accepted */
    RESOLVER_SERVICE_TICKET, /* it accepted a ticket that is for it alone to read */
    RESOLVER_NETLOGON,       /* its computer account set up a Netlogon secure channel */
    RESOLVER_MACHINE_KERBEROS /* its computer account was given a ticket */,
    RESOLVER_ASKED_NETBIOS, /* it was asked for its name: by NetBIOS, by DNS of its address, ... */
    RESOLVER_ASKED_DNS,
    RESOLVER_ASKED_RDP,  /* ... the certificate of its remote desktop, */
    RESOLVER_ASKED_NTLM, /* ... its NTLM challenge */
    RESOLVER_CONFIGURED, /* the node talks to it, or was told so */
    RESOLVER_SOURCES
};

struct resolver_source_info {
    const char *name;   /* as in the activity */
    uint8_t confidence; /* percent, when fresh */
    bool stated;     /* by whoever is there, unproven: counts only for computers that the directory knows */
    int64_t age_out; /* ns after which it is worth nothing; half as much half-way */
    const char *doc;
};
const struct resolver_source_info *resolver_source_info(enum resolver_source source);

/* What the directory says of a name. */
struct resolver_entity {
    struct guid guid;
    enum entity_kind kind;
    bool is_controller;
    uint8_t sid_size; /* 0: none */
    uint8_t sid[SID_BYTES_MAX];
    char account[RESOLVER_ACCOUNT_MAX]; /* sAMAccountName, else its name */
    char domain[RESOLVER_DOMAIN_MAX];   /* DNS name */
};

struct resolver_domain {
    char dns[RESOLVER_DOMAIN_MAX];
    uint8_t sid_size; /* 0: not known */
    uint8_t sid[SID_BYTES_MAX];
};

/* Answers must be immediate: from the store, never from the network. */
struct resolver_directory {
    /* How many entities have that name (more than one: nobody in particular), and the first of them. */
    uint32_t (*find)(void *context, const struct lookup_key *key, struct resolver_entity *to);
    /* A domain by its DNS or NetBIOS name; false when it is not known. */
    bool (*domain)(void *context, struct bytes name, struct resolver_domain *to);
    /* Asks for what is not there. NULL: nothing is asked, nothing waited for. */
    enum lookup_admitted (*ask)(void *context, const struct lookup_key *key);
    void *context;
};

struct resolver_limits {
    uint32_t addresses_max;   /* 32,768 */
    uint32_t tickets_max;     /* 32,768 */
    uint32_t connections_max; /* 16,384 */
    uint32_t entities_max;    /* answers of the directory that are kept for a while: 16,384 */
};
void resolver_limits_init(struct resolver_limits *limits);

struct resolver;
/* NULL without memory. `directory` is copied. */
struct resolver *resolver_new(const struct resolver_limits *limits,
                              const struct resolver_directory *directory, uint64_t seed);
void resolver_destroy(struct resolver **resolver);

/* Learns from one activity who is where; once for each, in the order of their times as far as that goes. */
void resolver_observe(struct resolver *resolver, const struct activity *activity);

/* What an activity waits for: resolver_key_hash of the keys that were asked. */
struct resolver_waits {
    uint32_t count;
    uint64_t keys[RESOLVER_WAITS_MAX];
};
uint64_t resolver_key_hash(const struct resolver *resolver, const struct lookup_key *key);

/* Asks computers for their names: called for addresses of which nothing is known. True: there will be an
 * answer, and resolver_address_hash() of the address is what is waited for. */
typedef bool (*resolver_ask_name)(void *context, const struct ip_address *address);
void resolver_ask_names(struct resolver *resolver, resolver_ask_name ask, void *context);
uint64_t resolver_address_hash(const struct resolver *resolver, const struct ip_address *address);

/* What an activity left without, and what it is that another record may tell later. */
#define RESOLVER_PARTS_MAX 6u
enum resolver_end { RESOLVER_SOURCE_END = 1, RESOLVER_DESTINATION_END = 2 };
struct resolver_left {
    unsigned ends;  /* resolver_end: addresses without a computer that the directory has, not shared ones */
    unsigned count; /* of names: */
    const char *parts[RESOLVER_PARTS_MAX]; /* as in `unresolved` */
    uint64_t ids[RESOLVER_PARTS_MAX];      /* as in `unresolved_ids`; 0: nothing was looked for */
};
/* Of the activity that was completed last. */
const struct resolver_left *resolver_left(const struct resolver *resolver);
/* Another activity has shown who is at an address: resolver_address_hash() of it, once; 0: none. */
uint64_t resolver_settled(struct resolver *resolver);

/* Adds what is known to a writer that holds the activity (activity_extend). What the directory lacks is asked
 * for and told in `waits`: the activity may be completed again when that is answered, with its record as it
 * was. NULL: this is the last time, nothing is asked any more. `now` is the time of the caches: monotonic ns.
 */
void resolver_complete(struct resolver *resolver, const struct activity *activity,
                       struct activity_writer *writer, struct resolver_waits *waits, int64_t now);

/* Again for an activity that has left, with what is known now; it counts for nothing. */
void resolver_complete_again(struct resolver *resolver, const struct activity *activity,
                             struct activity_writer *writer, int64_t now);

/* A look-up was answered: names that were unknown a moment ago may be known now. */
void resolver_refresh(struct resolver *resolver);

/* Facts from elsewhere: `name` (a DNS or NetBIOS name) is the computer at the address. */
void resolver_tell(struct resolver *resolver, const struct ip_address *address, struct bytes name,
                   struct bytes domain, enum resolver_source source, int64_t time);

/* Who is behind an address, or was at that time. */
struct resolver_binding {
    char host[RESOLVER_HOST_MAX]; /* "": not known */
    char domain[RESOLVER_DOMAIN_MAX];
    enum resolver_source source;
    uint8_t confidence; /* at the time that is asked for */
    int64_t begins;     /* nobody else was there since; 0: nobody was before */
    int64_t since, seen;
    char account[RESOLVER_ACCOUNT_MAX];
    bool shared;
    bool is_controller; /* it answers as one */
};
bool resolver_binding(const struct resolver *resolver, const struct ip_address *address, int64_t time,
                      struct resolver_binding *to);

struct resolver_counters {
    uint64_t observed, completed;
    uint64_t sources_named, destinations_named, accounts_resolved, accounts_named;
    uint64_t targets_resolved, targets_named;
    uint64_t contradicted; /* bindings that ended because another computer came */
    uint64_t outvoted; /* evidence that was weaker than what stood, or named a computer that is elsewhere */
    uint64_t shared;   /* addresses that were marked so */
    uint64_t evicted;  /* entries of full tables */
    uint64_t found, asked;                              /* of the directory */
    uint64_t too_long;                                  /* names */
    uint64_t addresses, tickets, connections, entities; /* now */
    uint64_t memory;                                    /* bytes, about */
};
void resolver_counters(const struct resolver *resolver, struct resolver_counters *counters);

/* The table of sources, for docs/resolver.md, to a stdio stream (a `FILE *`). */
void resolver_print_sources(void *stream);
