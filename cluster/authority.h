/* SPDX-License-Identifier: Apache-2.0
 *
 * The fleet's authority: the key that signs grants and policies, in one file, sealed with a passphrase
 * (Argon2id, XSalsa20-Poly1305). What need not be secret stands beside it in the clear: the fleet's id, the
 * public key, the newest policy, where the first enroller listens. docs/cluster.md.
 */
#pragma once

#include "cluster/identity.h"

/* What a guess of the passphrase costs. */
struct authority_cost {
    uint64_t operations;
    uint64_t memory; /* bytes */
};
/* Argon2id "moderate" of libsodium: 3 passes over 256 MiB. */
extern const struct authority_cost authority_cost_default;
#define PASSPHRASE_MIN 12u

#define AUTHORITY_BOX_SIZE   80u /* two seeds and the tag */
#define AUTHORITY_NONCE_SIZE 24u
#define AUTHORITY_SALT_SIZE  16u

struct authority {
    struct trust trust;
    struct authority_cost cost;
    uint8_t password_salt[AUTHORITY_SALT_SIZE];
    uint8_t nonce[AUTHORITY_NONCE_SIZE];
    uint8_t box[AUTHORITY_BOX_SIZE];
    char endpoints[RECORD_ENDPOINTS][ENDPOINT_MAX_SIZE]; /* of the first node's enrolment socket */
    unsigned endpoint_count;
    uint8_t policy[POLICY_MAX_SIZE];
    size_t policy_size;
};

/* The secret part, opened. */
struct authority_secret {
    uint8_t seed[KEY_SEED_SIZE];
    uint8_t salt[SALT_SIZE]; /* the fleet's */
};

/* Makes a fleet: key, fleet id, fleet salt; policy empty. `secret` is secret_alloc()ed by the caller. Takes
 * its time. False without memory (of which Argon2id wants much). */
bool authority_create(struct authority *authority, struct authority_secret *secret, struct bytes passphrase,
                      const struct authority_cost *cost, struct fault *fault);

/* Opens the secret part. False: wrong passphrase, or no memory. Takes its time. */
bool authority_open(const struct authority *authority, struct bytes passphrase,
                    struct authority_secret *secret, struct fault *fault);

/* Seals it with another passphrase. */
bool authority_seal(struct authority *authority, const struct authority_secret *secret,
                    struct bytes passphrase, const struct authority_cost *cost, struct fault *fault);

/* The file, wherever it is. Absent, damaged or readable by others: false. */
enum disk_found authority_load(struct authority *authority, const struct disk *disk, const char *path,
                               struct fault *fault);
bool authority_save(const struct authority *authority, const struct disk *disk, const char *path,
                    struct fault *fault);

/* The policy in the file, which points into `authority`. False when there is none that is good. */
bool authority_policy(const struct authority *authority, struct policy *policy);
/* Signs the next version of `policy` (whose version is set) and keeps it in `authority`. */
bool authority_sign_policy(struct authority *authority, const struct authority_secret *secret,
                           struct policy *policy, struct fault *fault);
