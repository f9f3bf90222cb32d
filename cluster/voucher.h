/* SPDX-License-Identifier: Apache-2.0
 *
 * The authority's word that whoever knows a token's secret may use its grant. Only the enroller ever sees it.
 */
#pragma once

#include "cluster/crypto_sodium.h"
#include "cluster/record.h"

#define VOUCHER_MAX_SIZE 256u

struct voucher {
    struct node_id id;           /* of the grant */
    uint8_t digest[DIGEST_SIZE]; /* BLAKE2b-256 of the secret */
    char name[NAME_MAX_SIZE];    /* that the node must have; empty: any */
};

/* Reads and verifies. */
bool voucher_read(struct voucher *voucher, struct bytes encoded, const struct trust *trust,
                  const struct cluster_crypto *crypto);

/* Encodes and signs with the authority's key. Returns the size, 0 when it does not fit. */
size_t voucher_write(void *buffer, size_t capacity, const struct voucher *voucher,
                     const struct cluster_crypto *authority);
