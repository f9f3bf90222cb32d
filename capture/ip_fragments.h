/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts fragmented IP datagrams together (RFC 791 3.2, RFC 8200 4.5), bounded in number, bytes and age.
 *
 * Where fragments overlap the first copy of a byte wins. A datagram that stays incomplete is dropped after
 * 30 s, or when newer ones need its place.
 */
#pragma once

#include "capture/decapsulate.h"
#include "capture/slab.h"

#define IP_FRAGMENTS_DATAGRAMS 1024                      /* being put together at a time */
#define IP_FRAGMENTS_BYTES     ((size_t)8 * 1024 * 1024) /* held for them */
#define IP_FRAGMENTS_PIECES    1024                      /* fragments of one datagram */
#define IP_FRAGMENTS_AGE       (INT64_C(30) * 1000000000)

struct ip_fragments;

struct ip_fragments *ip_fragments_new(struct slab *slab, uint64_t seed);
void ip_fragments_destroy(struct ip_fragments **fragments_p);

enum ip_fragments_result {
    IP_FRAGMENTS_HELD,     /* more are needed */
    IP_FRAGMENTS_COMPLETE, /* `datagram` is the whole now, valid until the next call */
    IP_FRAGMENTS_DROPPED,  /* cannot be used */
};

/* Takes a fragment (captured whole); on completion `datagram` is changed into the whole one. `dropped`
 * counts datagrams that were given up. */
enum ip_fragments_result ip_fragments_add(struct ip_fragments *fragments, struct ip_datagram *datagram,
                                          int64_t now, uint64_t *dropped);

/* Drops what has become too old. */
void ip_fragments_expire(struct ip_fragments *fragments, int64_t now, uint64_t *dropped);
