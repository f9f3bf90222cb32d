/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/kerberos_crypto.h"

#include "keys/operations.h"

#include <profile.h>
#include <sodium.h>
#include <stdlib.h>

#define OBJECT_SETS 1024u /* of two: a key that is asked for does not drive out the one asked for before */

struct key_objects {
    struct key_material *materials; /* [OBJECT_SETS][2], the newer one first */
    krb5_key *objects;              /* the same; in memory of the usual kind, as libkrb5's own is */
    uint8_t hash_key[crypto_shorthash_KEYBYTES];
};

size_t kerberos_key_size(int32_t etype)
{
    switch (etype) {
    case ETYPE_AES128_SHA1:
    case ETYPE_AES128_SHA256:
    case ETYPE_RC4:
        return 16;
    case ETYPE_AES256_SHA1:
    case ETYPE_AES256_SHA384:
        return 32;
    default:
        return 0;
    }
}

bool kerberos_etype_known(int32_t etype)
{
    return kerberos_key_size(etype) != 0;
}

krb5_context kerberos_context_new(void)
{
    profile_t empty;
    krb5_context context = NULL;
    if (profile_init(NULL, &empty) != 0)
        return NULL;
    if (krb5_init_context_profile(empty, 0, &context) != 0)
        context = NULL;
    profile_abandon(empty);
    return context;
}

static bool usable(const struct key_material *key)
{
    return key->size && kerberos_key_size(key->etype) == key->size;
}

static krb5_keyblock block_of(const struct key_material *key)
{
    return (krb5_keyblock){.magic = KV5M_KEYBLOCK,
                           .enctype = key->etype,
                           .length = key->size,
                           .contents = (krb5_octet *)key->bytes};
}

bool kerberos_combine(krb5_context krb5, const struct key_material *a, const char *pepper_a,
                      const struct key_material *b, const char *pepper_b, struct key_material *to)
{
    if (!usable(a) || !usable(b))
        return false;
    krb5_keyblock first = block_of(a), second = block_of(b), *both = NULL;
    if (krb5_c_fx_cf2_simple(krb5, &first, pepper_a, &second, pepper_b, &both) != 0)
        return false;
    *to = (struct key_material){.etype = both->enctype, .size = (uint8_t)both->length};
    bool fits = both->length <= sizeof to->bytes;
    if (fits)
        memcpy(to->bytes, both->contents, both->length);
    krb5_free_keyblock(krb5, both);
    return fits;
}

static krb5_key object_of(const struct key_material *key)
{
    if (!usable(key))
        return NULL;
    krb5_keyblock block = block_of(key);
    krb5_key object = NULL;
    return krb5_k_create_key(NULL, &block, &object) == 0 ? object : NULL;
}

/* --- objects of session keys --- */

struct key_objects *key_objects_new(void)
{
    struct key_objects *objects = calloc(1, sizeof *objects);
    if (!objects)
        return NULL;
    randombytes_buf(objects->hash_key, sizeof objects->hash_key);
    objects->materials = sodium_allocarray((size_t)OBJECT_SETS * 2, sizeof *objects->materials);
    objects->objects = calloc((size_t)OBJECT_SETS * 2, sizeof *objects->objects);
    if (!objects->materials || !objects->objects) {
        key_objects_destroy(&objects);
        return NULL;
    }
    memset(objects->materials, 0, (size_t)OBJECT_SETS * 2 * sizeof *objects->materials);
    return objects;
}

void key_objects_destroy(struct key_objects **objects_p)
{
    struct key_objects *objects = *objects_p;
    if (!objects)
        return;
    for (size_t i = 0; objects->objects && i < (size_t)OBJECT_SETS * 2; i++)
        krb5_k_free_key(NULL, objects->objects[i]);
    free(objects->objects);
    sodium_free(objects->materials);
    free(objects);
    *objects_p = NULL;
}

static bool same_key(const struct key_material *a, const struct key_material *b)
{
    return a->etype == b->etype && a->size == b->size && sodium_memcmp(a->bytes, b->bytes, b->size) == 0;
}

krb5_key key_objects_get(struct key_objects *objects, const struct key_material *key)
{
    if (!usable(key))
        return NULL;
    uint64_t hash;
    crypto_shorthash((uint8_t *)&hash, key->bytes, key->size, objects->hash_key);
    struct key_material *materials = &objects->materials[hash % OBJECT_SETS * 2];
    krb5_key *set = &objects->objects[hash % OBJECT_SETS * 2];
    if (same_key(&materials[0], key))
        return set[0];
    krb5_key wanted = set[1];
    if (!same_key(&materials[1], key)) {
        krb5_key object = object_of(key);
        if (!object)
            return NULL;
        krb5_k_free_key(NULL, wanted);
        wanted = object;
    }
    set[1] = set[0];
    set[0] = wanted;
    materials[1] = materials[0];
    materials[0] = *key;
    return wanted;
}

/* --- what the operations use --- */

krb5_key kerberos_key_object(struct key_holder *holder, struct long_term_key *key)
{
    (void)holder;
    if (!*key->object)
        *key->object = object_of(&key->material);
    return *key->object;
}

enum unseal_result kerberos_decrypt(struct key_holder *holder, krb5_key key, int32_t usage,
                                    struct bytes cipher, uint8_t *to, size_t *size)
{
    *size = 0;
    if (!key)
        return UNSEAL_ETYPE;
    if (cipher.size > UNSEAL_REQUEST_MAX)
        return UNSEAL_MALFORMED;
    krb5_enc_data in = {
        .magic = KV5M_ENC_DATA,
        .enctype = krb5_k_key_enctype(holder->krb5, key),
        .ciphertext = {.magic = KV5M_DATA, .length = (unsigned)cipher.size, .data = (char *)cipher.data}};
    krb5_data out = {.magic = KV5M_DATA, .length = (unsigned)cipher.size, .data = (char *)to};
    krb5_error_code error = krb5_k_decrypt(holder->krb5, key, usage, NULL, &in, &out);
    if (error == KRB5_BAD_MSIZE)
        return UNSEAL_MALFORMED;
    if (error)
        return UNSEAL_WRONG_KEY;
    *size = out.length;
    return UNSEAL_FINE;
}

krb5_key kerberos_session_object(struct key_holder *holder, const struct key_material *key)
{
    return key_objects_get(holder->objects, key);
}

enum unseal_result kerberos_decrypt_with(struct key_holder *holder, const struct key_material *key,
                                         int32_t usage, struct bytes cipher, uint8_t *to, size_t *size)
{
    return kerberos_decrypt(holder, kerberos_session_object(holder, key), usage, cipher, to, size);
}
