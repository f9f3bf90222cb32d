/* SPDX-License-Identifier: Apache-2.0
 *
 * Kerberos' cryptography, on nettle: AES with SHA-1 (RFC 3961, 3962), AES with SHA-2 (RFC 8009), RC4 with
 * HMAC-MD5 (RFC 4757), and what FAST mixes keys with (RFC 6113 5.1). Only what who listens needs: to decrypt,
 * and to check. What is derived from a key for a purpose is kept for the next time, for that takes longer
 * than to decrypt a small message. Inside of keys/.
 */
#pragma once

#include "capture/unseal.h"
#include "keys/keyring.h"

#define ETYPE_AES128_SHA1   17
#define ETYPE_AES256_SHA1   18
#define ETYPE_AES128_SHA256 19
#define ETYPE_AES256_SHA384 20
#define ETYPE_RC4           23

#define KERBEROS_CONFOUNDER ((size_t)16) /* in front of what AES seals */
#define KERBEROS_MAC_MAX    24u

/* Bytes of a key of that type; 0 for what Picket does not read: DES, 3DES, the export RC4, what is unknown.
 */
size_t kerberos_key_size(int32_t etype);
bool kerberos_etype_known(int32_t etype);
/* Bytes of the MAC behind a message, and of a checksum. */
size_t kerberos_mac_size(int32_t etype);
/* The type of the keys that a type of checksum is made with; 0: not known. */
int32_t kerberos_checksum_etype(int32_t checksum);

/* What was derived from keys that are in use: bounded, locked, wiped. */
struct derived_keys;
struct derived_keys *derived_keys_new(void);
void derived_keys_destroy(struct derived_keys **derived_p);

/* Decrypts with the integrity check; `to` has cipher.size bytes, of which none may be used unless it is FINE;
 * it may be the cipher text's own place. ETYPE: a key of another type or size; MALFORMED: too short or too
 * long; WRONG_KEY. */
enum unseal_result kerberos_decrypt(struct derived_keys *derived, const struct key_material *key,
                                    int32_t usage, struct bytes cipher, uint8_t *to, size_t *size);

/* Messages of which parts are in clear but signed, with AES: `sealed` is confounder and cipher text,
 * decrypted in its place; `signed_runs` is what the MAC is over, in order, `sealed` itself included. */
enum unseal_result kerberos_decrypt_parts(struct derived_keys *derived, const struct key_material *key,
                                          int32_t usage, uint8_t *sealed, size_t size,
                                          const struct bytes *signed_runs, size_t count, struct bytes mac);

/* Whether it is the checksum of the key's type over these runs. */
bool kerberos_checksum_fits(struct derived_keys *derived, const struct key_material *key, int32_t usage,
                            const struct bytes *runs, size_t count, struct bytes checksum);

/* KRB-FX-CF2 (RFC 6113 5.1): of the type of `a`. False for unknown types. */
bool kerberos_combine(struct derived_keys *derived, const struct key_material *a, const char *pepper_a,
                      const struct key_material *b, const char *pepper_b, struct key_material *to);
