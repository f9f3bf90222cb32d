/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of sync/directory.c and its helpers. Not for callers.
 */
#pragma once

#include "base/arena.h"
#include "base/yielding.h"
#include "sync/directory.h"
#include "sync/distinguished_name.h"
#include "sync/entity_batch.h"
#include "sync/replication.h"

#include <pthread.h>

#define FLIGHTS_MAX 16u

struct place {
    char dn[512];
    char domain[256];
    uint32_t number; /* the store's; 0: not asked yet */
};

/* A question of look-up under way. */
struct flight {
    uint32_t operation, question, count; /* operation 0: free */
    const struct lookup_key *keys;
    uint64_t found;
    struct guid guids[LOOKUP_KEYS_MAX];
};

/* What other threads want, under the domain's lock. */
struct wishes {
    bool stop, changed, synchronize, reconcile;
    size_t resume_size;
    uint8_t resume[REPLICATION_POINT_MAX];
};

#define TELL_AT_ONCE 256u /* entities of one batch in which all of it is told */

struct domain {
    struct directory *directory;
    const struct ldap_client_config *config;
    char name[256];
    char configuration[512]; /* the configuration context that it keeps; under the directory's lock */
    pthread_t thread;
    bool running;
    int waker;

    pthread_mutex_t lock; /* wishes, progress, lookup */
    struct wishes wishes;
    struct directory_progress progress;
    struct lookup *lookup;

    pthread_mutex_t gate; /* held while a batch is handed over */
    struct sync_token token;
    bool elected;

    /* the thread's own */
    struct ldap_client *looker, *replica;
    struct replication *core;
    uint32_t operation; /* of replication; 0: none */
    struct flight flights[FLIGHTS_MAX];
    struct lookup_key *answered_keys;
    char *filter;
    const char *attributes[TRANSLATE_ATTRIBUTES_MAX];
    struct arena *arena;
    struct entity *entity;
    struct entity_store_write *write;
    int64_t write_began;
    struct entity_store_read *read;
    bool reading; /* the snapshot is fresh */
    bool looked_up;
    struct place places[REPLICATION_CONTEXTS];
    struct entity_batch_writer *batch; /* what changed since the last commit */
    struct entity *changed;            /* of a change, as the store has it now */
    struct sync_token batch_token;
    bool batching, batch_refused;
    struct guid *targets; /* of links on their way into the batch */
    uint32_t targets_capacity;
    uint64_t sequence, refused;
    unsigned raised, listing, sweeping;
    uint32_t listed, list_limit;
    struct guid list_after;
    int64_t rests_until; /* replication; monotonic */
    /* Telling all of it, once in each term. */
    bool told_whole;
    struct guid tell_after;
    int64_t tell_again; /* monotonic: not before, as it was refused */
    struct guid telling[TELL_AT_ONCE];
    uint32_t telling_count, target_count;
    struct yielding_turn turn;
    int64_t told_at, pointed_at, expired_at, rate_at;
    uint64_t rate_objects;
};

struct directory {
    struct directory_config config;
    struct directory_callbacks callbacks;
    struct entity_store *store;
    pthread_mutex_t lock; /* pass, configurations */
    uint32_t pass;
    unsigned domain_count;
    struct domain domains[DIRECTORY_DOMAINS_MAX];
};
