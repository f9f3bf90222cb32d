/* SPDX-License-Identifier: Apache-2.0
 *
 * GSS-TSIG (RFC 3645): a security context that a TKEY exchange set up signs later messages, over this
 * connection or others, by the name of its key. With somebody who holds the keys (capture/unseal.h)
 * signatures are checked.
 */
#pragma once

#include "capture/dissect.h"

#define TSIG_KEYS_MAX 256

struct tsig_key {
    uint64_t name; /* fingerprint of the key's name in lower case, and of the server's address */
    uint64_t context;
};

/* Of an engine: the latest. */
struct tsig_keys {
    struct tsig_key keys[TSIG_KEYS_MAX];
    uint32_t next;
};

/* The server agreed: the key of that name, `at` in the message, is this context; the table owns it now. */
void dns_tsig_learn(struct dissect *d, struct bytes message, const uint8_t *at, uint64_t context);

/* Puts whether the signature of a request is right: the TSIG record whose owner's name is `at`, the last of
 * the message, with its data. Puts nothing when that cannot be told. */
void dns_tsig_verify(struct dissect *d, struct bytes message, const uint8_t *at, struct cursor data);
