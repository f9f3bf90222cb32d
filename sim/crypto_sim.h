/* SPDX-License-Identifier: Apache-2.0
 *
 * The core's cryptography for simulations: keyed 64-bit hashes in the place of signatures, with the same
 * calls and the same sizes. Nobody in the simulation can forge one, for what signs holds only its own key; a
 * right one is told from a wrong one as libsodium would. Or libsodium itself, by an option.
 */
#pragma once

#include "cluster/crypto.h"

struct sim_key {
    uint64_t secret, salt;
    uint8_t public_key[PUBLIC_KEY_SIZE];
    void *sodium; /* struct crypto_sodium when signatures are real */
};

/* Derives the key of node `node` (UINT32_MAX: the authority) from the seed. False without memory. */
bool sim_key_init(struct sim_key *key, uint64_t seed, uint32_t node, bool real);
void sim_key_clear(struct sim_key *key);
/* The table, as long as `key` lives and stays where it is. */
struct cluster_crypto sim_key_crypto(struct sim_key *key);
