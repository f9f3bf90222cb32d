/* SPDX-License-Identifier: Apache-2.0
 *
 * libkrb5 as the other side, and as the oracle: what seals and signs messages that tests then read.
 */
#pragma once

#include <krb5.h>
#include <stdlib.h>
#include <string.h>

#include "keys/keyring.h"

static inline krb5_keyblock oracle_block(const struct key_material *key)
{
    return (krb5_keyblock){.enctype = key->etype, .length = key->size, .contents = (krb5_octet *)key->bytes};
}

/* Bytes written, at most `capacity`. */
static inline size_t oracle_seal(const struct key_material *key, int32_t usage, const void *plain,
                                 size_t size, uint8_t *to, size_t capacity)
{
    krb5_keyblock block = oracle_block(key);
    krb5_data data = {.length = (unsigned)size, .data = (char *)plain};
    size_t length = 0;
    if (krb5_c_encrypt_length(NULL, key->etype, size, &length) != 0 || length > capacity)
        abort();
    krb5_enc_data sealed = {.ciphertext = {.length = (unsigned)length, .data = (char *)to}};
    if (krb5_c_encrypt(NULL, &block, usage, NULL, &data, &sealed) != 0)
        abort();
    return sealed.ciphertext.length;
}

/* `type` 0: that of the key. Bytes written, at most 24. */
static inline size_t oracle_checksum(const struct key_material *key, int32_t usage, int32_t type,
                                     const void *data, size_t size, uint8_t *to)
{
    krb5_keyblock block = oracle_block(key);
    krb5_data over = {.length = (unsigned)size, .data = (char *)data};
    krb5_checksum made;
    if (krb5_c_make_checksum(NULL, type, &block, usage, &over, &made) != 0)
        abort();
    size_t length = made.length;
    memcpy(to, made.contents, length);
    krb5_free_checksum_contents(NULL, &made);
    return length;
}
