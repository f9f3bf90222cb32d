/* SPDX-License-Identifier: Apache-2.0
 *
 * libkrb5's cryptography, and nothing else of it: no files, no names, no tickets. Inside of keys/.
 */
#pragma once

#include "capture/unseal.h"
#include "keys/keyring.h"

#define ETYPE_AES128_SHA1   17
#define ETYPE_AES256_SHA1   18
#define ETYPE_AES128_SHA256 19
#define ETYPE_AES256_SHA384 20
#define ETYPE_RC4           23

/* Bytes of a key of that type; 0 for what Picket does not read: DES, 3DES, the export RC4, what is unknown.
 */
size_t kerberos_key_size(int32_t etype);
bool kerberos_etype_known(int32_t etype);

/* A context of libkrb5 with an empty configuration: no file is read. NULL without memory. */
krb5_context kerberos_context_new(void);

/* libkrb5's objects of session keys that are in use. An object keeps the keys that were derived from its own,
 * which takes longer than to decrypt a small message. Bounded. */
struct key_objects;

struct key_objects *key_objects_new(void);
void key_objects_destroy(struct key_objects **objects_p);
/* NULL for an unknown type or without memory. Valid until the next call: to be used at once. */
krb5_key key_objects_get(struct key_objects *objects, const struct key_material *key);

/* KRB-FX-CF2 (RFC 6113 5.1): of the type of `a`. False for unknown types or without memory. */
bool kerberos_combine(krb5_context krb5, const struct key_material *a, const char *pepper_a,
                      const struct key_material *b, const char *pepper_b, struct key_material *to);
