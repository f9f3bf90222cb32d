/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys: long-term ones by principal, version and type (from keytabs), session keys by the ticket that
 * carries them. Inside of keys/.
 *
 * Principals are compared as [MS-KILE] 3.3.5.6 does: realm and name without regard to case. A service's many
 * names (SPNs) have one account's key; a keytab that `samba-tool domain exportkeytab` or ktpass wrote has it
 * under one or some of them. So a ticket is tried with: the key of that very name; then that of the account
 * whose name follows from the SPN's (HOST$ from the first label, krbtgt or krbtgt_N of krbtgt/REALM); then,
 * since a key proves itself by the integrity check, other versions of those (a forger need not know the
 * version) and at last those of equal realm, version and type: at most KEYRING_TRIES_MAX, and what fitted is
 * remembered for that service (keyring_learn), as is that nothing did.
 */
#pragma once

#include "base/fault.h"
#include "capture/kerberos.h"

#define KEY_BYTES_MAX 32u

#define KEYRING_TRIES_MAX    1024u  /* for a service of which nothing is known yet */
#define KEYRING_VERSIONS_MAX 16u    /* other versions of the right principal's key that are tried */
#define KEYRING_CREDIT_MAX   65536u /* tries among other accounts' keys: what is saved up, */
#define KEYRING_CREDIT       16u    /* and what each search adds. Junk cannot buy more work than that */

struct key_material {
    int32_t etype;
    uint8_t size;
    uint8_t bytes[KEY_BYTES_MAX];
};

struct long_term_key {
    struct key_material material;
    uint32_t kvno;
    uint32_t principal; /* number of its principal in the ring */
};

struct keyring;

struct keyring *keyring_new(uint32_t tickets_max);
void keyring_destroy(struct keyring **ring_p);

/* Takes the place of what `name` gave. Size 0: its keys are forgotten. Entries of types that are not read
 * are counted as refused. */
bool keyring_load(struct keyring *ring, const char *name, struct bytes keytab, struct fault *fault);

struct keyring_counts {
    uint32_t keytabs;
    uint32_t keys;
    uint32_t refused;
    uint32_t tickets;
};
bool keyring_empty(const struct keyring *ring); /* neither keys nor session keys */
void keyring_count(const struct keyring *ring, struct keyring_counts *to);

/* Candidates for what was sealed for a principal: `keyring_next` walks them in the order above, `at` 0 at
 * first. NULL at the end. */
struct keyring_search {
    struct bytes realm;
    const struct krb_principal *principal;
    int32_t etype;
    uint32_t kvno; /* 0: any version, newest first. RODCs put their number into the upper half ([MS-KILE]
                    * 3.1.5.8): it is cut */
    bool service;  /* a service: other accounts and keys of equal type are tried too */
    bool named;    /* no keys but those that the name leads to */
    /* inside */
    uint32_t at;
    uint32_t stage;
    uint32_t tries;
    uint32_t candidates[2]; /* principals: the name itself, the account that follows from it */
    uint32_t realm_number;
    uint64_t name[2];
    bool cut; /* given up before all were tried: nothing is learnt from that */
};
struct long_term_key *keyring_next(struct keyring *ring, struct keyring_search *search);
/* The key that fitted (NULL: none did) what `search` looked for. */
void keyring_learn(struct keyring *ring, const struct keyring_search *search,
                   const struct long_term_key *fitted);
/* Why none fitted, after a search: UNSEAL_NO_KEY, UNSEAL_OTHER_KVNO (with the newest version held) or
 * UNSEAL_WRONG_KEY (that very key is held). */
int keyring_why(struct keyring *ring, const struct keyring_search *search, uint32_t *kvno_held);

/* NT hashes (the key of etype 23) of accounts with that name (UTF-8, without regard to case; with or without
 * a domain, "user@domain" too), for NTLM: all that are held under that name, realms that begin with the
 * domain's name first. NULL at the end; `*at` 0 at first. 16 bytes. */
const uint8_t *keyring_nt_hash(struct keyring *ring, struct bytes account, struct bytes domain, uint32_t *at);

/* Session keys, by a keyed hash over both ends of the ticket's cipher text and its size; the one used longest
 * ago goes first. */
void keyring_put_ticket(struct keyring *ring, struct bytes cipher, const struct key_material *key);
bool keyring_get_ticket(struct keyring *ring, struct bytes cipher, struct key_material *key);
