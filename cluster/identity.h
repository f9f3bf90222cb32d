/* SPDX-License-Identifier: Apache-2.0
 *
 * Who this node is: its keys, whom it trusts, its certificate, the fleet's salt. Kept in directory/identity,
 * in memory for secrets while it runs. docs/cluster.md.
 *
 * A joining node has an identity without a certificate until its enroller has answered: its keys must not
 * change when the answer was lost and it asks again. The same holds for the next key of a node that rotates.
 */
#pragma once

#include "cluster/crypto_sodium.h"
#include "cluster/disk.h"
#include "cluster/record.h"

#define IDENTITY_NAME "identity"
#define POLICY_NAME   "policy"

struct identity {
    struct trust trust;
    struct node_id id; /* as the grant says */
    uint8_t seed[KEY_SEED_SIZE];
    uint8_t salt[SALT_SIZE]; /* zero until enrolled */
    bool rotating;
    uint8_t next_seed[KEY_SEED_SIZE];
    struct certificate certificate; /* decoded; all zero until enrolled */
    uint8_t encoded[CERTIFICATE_MAX_SIZE];
    size_t encoded_size; /* 0: not enrolled yet */
};

/* A new one with fresh keys, not enrolled. NULL without memory. The caller destroys it. */
struct identity *identity_new(const struct trust *trust, const struct node_id *id);
void identity_destroy(struct identity **identity);

/* Reads directory/identity. The caller destroys it on DISK_FOUND. */
enum disk_found identity_load(struct identity **identity, const struct disk *disk, const char *directory,
                              struct fault *fault);
bool identity_save(const struct identity *identity, const struct disk *disk, const char *directory,
                   struct fault *fault);

struct bytes identity_certificate(const struct identity *identity);

/* Signs with its key; NULL without memory. The caller destroys it. */
struct crypto_sodium *identity_keys(const struct identity *identity);
/* The same with the next key; only while rotating. */
struct crypto_sodium *identity_next_keys(const struct identity *identity);

/* Takes what the enroller gave: a certificate that is good, for this id and this key. Save it afterwards. */
bool identity_enrol(struct identity *identity, struct bytes certificate, const uint8_t salt[SALT_SIZE],
                    const struct policy *policy, struct fault *fault);

/* Makes the next key, or finds the one that an earlier try made. Save it before asking the enroller. */
void identity_rotate(struct identity *identity);

/* Takes the certificate of the next key, which is the key from now on: generation one more, otherwise as
 * before. Save it, then give it to the core (CLUSTER_CERTIFICATE) after crypto_sodium_rekey(). */
bool identity_rotated(struct identity *identity, struct bytes certificate, const struct policy *policy,
                      struct fault *fault);

/* The newest policy that this node knows, in directory/policy: written when the core tells of a newer one
 * (NOTICE_POLICY), read at start. Verified when read; `policy` points into `content`. */
enum disk_found policy_load(struct policy *policy, struct disk_content *content, const struct trust *trust,
                            const struct disk *disk, const char *directory, struct fault *fault);
bool policy_save(struct bytes encoded, const struct disk *disk, const char *directory, struct fault *fault);
