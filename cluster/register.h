/* SPDX-License-Identifier: Apache-2.0
 *
 * The register of a domain: the greatest claim that this node accepted, and what decides whether another one
 * is. Who holds the domain is what its register says; what this node does about it is election.c's.
 *
 * Private to the core.
 */
#pragma once

#include "cluster/cluster_internal.h"

struct claim_register {
    struct claim claim; /* valid when size > 0 */
    uint16_t size;      /* of the encoded claim; 0: none known */
    uint64_t digest;    /* first 8 bytes of BLAKE2b over the encoded claim; 0: none known */
    uint8_t encoded[CLAIM_MAX_SIZE];

    uint32_t holder; /* the claimant's place in the table of members */
    int64_t arrived; /* observed: when the claim came */
    int64_t wall;    /* ms since 1970: when the holder changed; 0: before this node started */
    uint8_t cause;   /* enum cluster_cause: why it changed */
    uint64_t floor;  /* the greatest term that was ever accepted, also of a holder revoked since */
    bool unproven;   /* the term came when nothing was known to measure it by */

    /* What stood before this node's own claim of step `written`: taken back when it never reached the disk.
     */
    uint64_t written;
    int64_t before_wall, before_arrived;
    uint16_t before_size;
    uint8_t before_cause;
    uint8_t before[CLAIM_MAX_SIZE];

    int64_t jump_first, jump_last; /* observed: since when, and when last, terms far ahead were offered */
    int64_t accused;               /* observed: when a claimant was last told of as hostile */
    int64_t spent;                 /* observed: until when the claims of late use up what is allowed */
};

enum register_verdict {
    REGISTER_OLD,     /* known, or less than what is known */
    REGISTER_REFUSED, /* does not verify, is not entitled, or comes too fast */
    REGISTER_NEWS,    /* stands in the register now */
};

/* Offers a claim that was read. `trusted`: it comes from this node's own disk. */
enum register_verdict register_offer(struct cluster *self, struct claim_register *reg, uint32_t domain,
                                     const struct claim *claim, struct bytes encoded, bool trusted);

/* Signs this node's own claim and puts it in. False when it is not greater than what stands there. */
bool register_write(struct cluster *self, struct claim_register *reg, const struct claim *claim);

/* Takes back this node's own claim of step `written`. False when there was none. */
bool register_undo(struct cluster *self, struct claim_register *reg, uint64_t written);

/* The claimant's record, revocation or departure changed: finds it again. True when the claim had to go,
 * because its claimant is revoked or was never entitled. */
bool register_review(struct cluster *self, struct claim_register *reg, uint32_t domain);

/* The greatest term known. */
uint64_t register_term(const struct claim_register *reg);

/* Whether it names a holder: settled, not released, not left. */
bool register_held(const struct cluster *self, const struct claim_register *reg);
