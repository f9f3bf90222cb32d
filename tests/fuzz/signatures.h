/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures that are always good, so that what is behind them is reached.
 */
#pragma once

#include <string.h>

#include "cluster/crypto.h"

static inline void sign_anything(void *context, const void *data, size_t size,
                                 uint8_t signature[SIGNATURE_SIZE])
{
    (void)context, (void)data, (void)size;
    memset(signature, 0, SIGNATURE_SIZE);
}

/* Looks at both ends of the signature, as a real one would: AddressSanitizer sees when it is not there. */
static inline bool verify_anything(void *context, const uint8_t public_key[PUBLIC_KEY_SIZE], const void *data,
                                   size_t size, const uint8_t signature[SIGNATURE_SIZE])
{
    (void)context, (void)public_key, (void)data, (void)size;
    volatile uint8_t touched = signature[0] ^ signature[SIGNATURE_SIZE - 1];
    (void)touched;
    return true;
}
