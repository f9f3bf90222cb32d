/* SPDX-License-Identifier: Apache-2.0
 *
 * What the core needs of cryptography, as a table, so that the shipped core runs with libsodium in a node
 * (crypto_sodium.c) and with cheap keyed hashes in large simulations (the simulator's own table).
 */
#pragma once

#include "base/cursor.h"

#define PUBLIC_KEY_SIZE 32u
#define SIGNATURE_SIZE  64u
#define LINK_SIZE       16u

struct cluster_crypto {
    void *context; /* the node's secret key and the fleet's salt, held by whoever made the table */
    /* Signs with this node's key (Ed25519). */
    void (*sign)(void *context, const void *data, size_t size, uint8_t signature[SIGNATURE_SIZE]);
    bool (*verify)(void *context, const uint8_t public_key[PUBLIC_KEY_SIZE], const void *data, size_t size,
                   const uint8_t signature[SIGNATURE_SIZE]);
    /* BLAKE2b-128. */
    void (*hash)(void *context, const void *data, size_t size, uint8_t digest[LINK_SIZE]);
    /* The first eight bytes, big-endian, of BLAKE2b keyed with the fleet's salt: draws. */
    uint64_t (*draw)(void *context, const void *data, size_t size);
};
