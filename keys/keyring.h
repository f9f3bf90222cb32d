/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys: long-term ones by principal, version and type (from keytabs), session keys by the ticket that
 * carries them. Inside of keys/.
 *
 * Principals are compared as [MS-KILE] 3.3.5.6 does: realm and name without regard to case. A service's many
 * names (SPNs) have one account's key; a keytab that `samba-tool domain exportkeytab` or ktpass wrote has it
 * under one or some of them. So a ticket is tried with: the key of that very name; then that of the computer
 * account whose name the SPN's host has (HOST$, from the first label); then, since a key proves itself by the
 * integrity check, those of equal realm, version and type: at most KEYRING_TRIES_MAX, and what fitted is
 * remembered for that service (keyring_learn), as is that nothing did.
 */
#pragma once

#include "base/fault.h"
#include "capture/kerberos.h"

#include <krb5.h>

#define KEY_BYTES_MAX     32u
#define KEYRING_TRIES_MAX 1024u /* for a service of which nothing is known yet */

/* A key that is not (yet) an object of libkrb5. */
struct key_material {
    int32_t etype;
    uint8_t size;
    uint8_t bytes[KEY_BYTES_MAX];
};

struct long_term_key {
    struct key_material material;
    uint32_t kvno;
    uint32_t principal; /* number of its principal in the ring */
    krb5_key object;    /* made when it is first used: it keeps derived keys */
};

struct keyring;

struct keyring *keyring_new(uint32_t tickets_max);
void keyring_destroy(struct keyring **ring_p);

/* keytab.c: takes the place of what `name` gave. `refused` counts entries of unknown or refused types. */
bool keyring_load(struct keyring *ring, const char *name, struct bytes keytab, struct fault *fault);

/* Candidates for what was sealed for a principal: `next` walks them in the order above, 0 at first. NULL at
 * the end. `kvno` 0 or not stated: all versions, newest first. */
struct keyring_search {
    struct bytes realm;
    const struct krb_principal *principal;
    int32_t etype;
    uint32_t
        kvno;     /* 0: any. RODCs put their number into the upper half (RFC: [MS-KILE] 3.1.5.8): it is cut */
    bool service; /* a service: computer accounts and keys of equal type are tried too */
    uint32_t at;  /* internal */
    uint32_t tries;
};
struct long_term_key *keyring_next(struct keyring *ring, struct keyring_search *search);
/* The key that fitted (NULL: none did) what `search` looked for. */
void keyring_learn(struct keyring *ring, const struct keyring_search *search,
                   const struct long_term_key *fitted);
/* Whether and why none was there: UNSEAL_NO_KEY or UNSEAL_OTHER_KVNO, with the newest version held. */
int keyring_why(struct keyring *ring, const struct keyring_search *search, uint32_t *kvno_held);

/* NT hashes (the key of etype 23) of accounts with that name (UTF-8, without regard to case; with or without
 * a domain, "user@domain" too), for NTLM: all that are held under that name, realms that begin with the
 * domain's name first. NULL at the end; `*at` 0 at first. */
const uint8_t *keyring_nt_hash(struct keyring *ring, struct bytes account, struct bytes domain, uint32_t *at);

/* Session keys, by a keyed hash over the ticket's cipher text. */
void keyring_put_ticket(struct keyring *ring, struct bytes cipher, const struct key_material *key);
bool keyring_get_ticket(struct keyring *ring, struct bytes cipher, struct key_material *key);
