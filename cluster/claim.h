/* SPDX-License-Identifier: Apache-2.0
 *
 * A claim: who holds a domain. CLUSTER.md 3.3; docs/cluster.md.
 *
 * Register of a domain = the greatest claim known, in the order (term, settled, draw, id, incarnation,
 * released, support): settled stands before the draw, so that a late, unsettled bid of the same term cannot
 * depose a holder that has settled.
 */
#pragma once

#include "cluster/crypto.h"
#include "cluster/node_id.h"
#include "cluster/record.h"

#define CLAIM_MAX_SIZE 512u

struct claim {
    char domain[DOMAIN_MAX_SIZE];
    uint64_t term;
    bool settled;
    uint64_t draw;
    struct node_id id;
    uint64_t incarnation;
    bool released;
    uint16_t support; /* members that the claimant heard within the last minute when it claimed */
    uint8_t cause;    /* enum cluster_cause: why it was made */
};

/* < 0, 0, > 0: the order of the register. Neither domain nor cause count. */
int claim_compare(const struct claim *a, const struct claim *b);

/* (term, draw, id) only: which holder, whatever became of it. */
int claim_token_compare(const struct claim *a, const struct claim *b);

/* The draw of a node for a term of a domain. */
uint64_t claim_draw(const struct cluster_crypto *crypto, const char *domain, uint64_t term,
                    const struct node_id *id);

/* Encodes and signs (with this node's key). Returns the size, 0 when the buffer is too small. */
size_t claim_write(void *buffer, size_t capacity, const struct claim *claim,
                   const struct cluster_crypto *crypto);

/* Reads without verifying: the cheap test whether it is news comes first. */
bool claim_read(struct claim *claim, struct bytes encoded);

/* Whether the claimant signed it. */
bool claim_signed(struct bytes encoded, const uint8_t public_key[PUBLIC_KEY_SIZE],
                  const struct cluster_crypto *crypto);

/* Whether its draw is the claimant's for the term. A signed claim with another one is a lie of its signer. */
bool claim_drawn(const struct claim *claim, const struct cluster_crypto *crypto);

/* --- the fence: what goes with every entity batch, and what its receiver stores --- */
struct fence {
    uint64_t term;
    uint64_t draw;
    struct node_id id;
    uint64_t incarnation;
    uint64_t sequence;
};
int fence_compare(const struct fence *a, const struct fence *b);
/* A receiver that stored `stored` and knows `register_claim` (NULL: none) takes a batch with `fence`. */
bool fence_accepts(const struct fence *stored, const struct claim *register_claim, const struct fence *fence);
