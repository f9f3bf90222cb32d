/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of the driver share: driver.c (life, loop, updates), driver_keys.c (whose keys are
 * admitted), driver_links.c (sockets), driver_enrolment.c (the enroller's desk, this node's rotation).
 */
#pragma once

#include "base/hash_table.h"
#include "cluster/driver.h"
#include "cluster/identity.h"
#include "cluster/joining.h"
#include "cluster/ledger.h"
#include "cluster/state_file.h"
#include "cluster/transport.h"

#include <czmq.h>
#include <stdatomic.h>

struct cluster_driver {
    struct driver_config config;
    struct mailbox *mailbox;
    zactor_t *actor;
    struct fault fault;  /* why the thread could not begin */
    atomic_bool running; /* the thread's answer to the start */
    bool stopping;

    int lock;
    struct identity *identity;
    struct crypto_sodium *keys;
    struct cluster_crypto crypto;
    struct record_pool *pool;
    struct cluster *core;
    struct cluster_update *update;
    struct state_file *state;
    struct ledger *ledger; /* NULL: this node enrols nobody */

    struct transport *transport;
    int64_t reopen_at;           /* monotonic ms: the sockets are made anew then; 0: not wanted */
    struct hash_table *admitted; /* id -> struct admitted_keys */

    enum driver_end end;
    int64_t tick_at;        /* monotonic ms */
    int64_t expel_at;       /* monotonic ms: when those who were revoked lately are cut off; 0: nobody was */
    int64_t find_at;        /* monotonic ms: when the fleet is looked for again, while nobody is known */
    int64_t peers_at;       /* monotonic ms: when the known peers are saved next */
    unsigned peers_saved;   /* members then */
    unsigned peers_changed; /* records that changed since */

    struct {
        const char *domain; /* the identity's */
        bool told, reachable;
    } directories[GRANT_DOMAINS];
    unsigned directory_count;

    struct rotation *rotation; /* under way; NULL: none */
};

int64_t driver_mono(void); /* ms */

/* --- driver_keys.c --- */
bool driver_keys_open(struct cluster_driver *driver);
void driver_keys_close(struct cluster_driver *driver);
/* All members that the core knows, and what the ledger issued, to sockets that know none. */
void driver_keys_admit_all(struct cluster_driver *driver);
/* One member's record is new, or changed. */
void driver_keys_member_changed(struct cluster_driver *driver, const struct node_id *id);
void driver_keys_member_revoked(struct cluster_driver *driver, const struct node_id *id);
/* A certificate was issued here: its key may connect before its record is known. */
void driver_keys_admit(struct cluster_driver *driver, const struct node_id *id,
                       const uint8_t key[PUBLIC_KEY_SIZE], uint32_t generation);

/* --- driver_links.c --- */
bool driver_links_open(struct cluster_driver *driver, struct fault *fault);
bool driver_links_reopen(struct cluster_driver *driver, struct fault *fault);
/* Gives what waits to the core. */
void driver_links_receive(struct cluster_driver *driver);
void driver_admit(struct cluster_driver *driver, const struct node_id *id,
                  const uint8_t key[PUBLIC_KEY_SIZE]);
void driver_expel_key(struct cluster_driver *driver, const uint8_t key[PUBLIC_KEY_SIZE]);
void driver_expel(struct cluster_driver *driver, const struct node_id *id);
void driver_dial(struct cluster_driver *driver, const struct node_id *peer);
void driver_find_fleet(struct cluster_driver *driver);
void driver_hang_up(struct cluster_driver *driver, const struct node_id *peer);
void driver_send(struct cluster_driver *driver, const struct cluster_message *message);
bool driver_rekey(struct cluster_driver *driver);

/* --- driver_enrolment.c --- */
/* Opens or closes the ledger as the policy wants; the sockets follow (`reopen_at`) when they are there. */
void driver_enrolment_update(struct cluster_driver *driver);
size_t driver_enrol(struct cluster_driver *driver, const char *address, struct bytes request, uint8_t *reply,
                    size_t capacity);
/* Before the end: waits for a rotation that is under way. */
void driver_rotation_abandon(struct cluster_driver *driver);
