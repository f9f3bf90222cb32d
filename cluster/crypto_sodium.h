/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core needs of cryptography, by libsodium: Ed25519, BLAKE2b. The secrets live in memory that
 * libsodium guards: locked, not in core dumps, wiped when it is freed.
 */
#pragma once

#include "cluster/crypto.h"

#define SECRET_KEY_SIZE 64u /* of Ed25519, as libsodium keeps it: seed and public key */
#define KEY_SEED_SIZE   32u
#define SALT_SIZE       32u
#define CURVE_KEY_SIZE  32u

/* Readies libsodium; call it before anything else here. False when it cannot work (no randomness). */
bool crypto_sodium_start(void);

/* No core file of this process, and no other process of its user may read its memory: what libraries copied
 * of keys lies where secret_alloc() has no say. False when the system does not let it. */
bool secret_forbid_dumps(void);

/* Memory for secrets, not cleared. NULL without memory. Wiped and freed by secret_free(); NULL is fine.
 * Whether it could be locked depends on RLIMIT_MEMLOCK: secret_locked() tells. */
void *secret_alloc(size_t size);
void secret_free(void *secret);
bool secret_locked(void *secret, size_t size);

struct crypto_sodium;

/* Keeps copies of the seed of the node's (or the authority's) key and of the fleet's salt (NULL: draws are
 * not needed). NULL without memory. The caller destroys it. */
struct crypto_sodium *crypto_sodium_new(const uint8_t seed[KEY_SEED_SIZE], const uint8_t salt[SALT_SIZE]);
void crypto_sodium_destroy(struct crypto_sodium **self);

/* The table, which lives as long as `self`. Only reads: any thread may call it. */
struct cluster_crypto crypto_sodium_table(struct crypto_sodium *self);

/* A table that can only verify and hash, for who has no key. */
const struct cluster_crypto *crypto_verifier(void);

/* From now on it signs with this key. No other thread may be using the table meanwhile. */
void crypto_sodium_rekey(struct crypto_sodium *self, const uint8_t seed[KEY_SEED_SIZE]);

const uint8_t *crypto_sodium_public_key(const struct crypto_sodium *self);

/* The CURVE key pair that belongs to the key. `secret` should be secret_alloc()ed. */
void crypto_sodium_curve(const struct crypto_sodium *self, uint8_t public_key[CURVE_KEY_SIZE],
                         uint8_t secret[CURVE_KEY_SIZE]);

/* The CURVE public key of a node from its Ed25519 public key. False when that is no good key. */
bool crypto_curve_public(uint8_t curve[CURVE_KEY_SIZE], const uint8_t public_key[PUBLIC_KEY_SIZE]);

/* The public key of a seed. */
void crypto_public_key(uint8_t public_key[PUBLIC_KEY_SIZE], const uint8_t seed[KEY_SEED_SIZE]);

void crypto_random(void *to, size_t size);
/* A key that all nodes of a fleet have and nobody else: BLAKE2b of what it is for, keyed with the fleet's
 * salt. 16 to 64 bytes. */
void crypto_fleet_key(const uint8_t salt[SALT_SIZE], const char *purpose, void *key, size_t size);
/* BLAKE2b-256. */
#define DIGEST_SIZE 32u
void crypto_digest(uint8_t digest[DIGEST_SIZE], const void *data, size_t size);
/* Without telling by its time where they differ. */
bool crypto_equal(const void *a, const void *b, size_t size);
