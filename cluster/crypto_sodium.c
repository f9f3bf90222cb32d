/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/crypto_sodium.h"

#include <assert.h>
#include <sodium.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static_assert(SECRET_KEY_SIZE == crypto_sign_SECRETKEYBYTES && KEY_SEED_SIZE == crypto_sign_SEEDBYTES &&
                  PUBLIC_KEY_SIZE == crypto_sign_PUBLICKEYBYTES && SIGNATURE_SIZE == crypto_sign_BYTES,
              "the sizes of Ed25519");

struct crypto_sodium {
    uint8_t secret_key[SECRET_KEY_SIZE];
    uint8_t public_key[PUBLIC_KEY_SIZE];
    uint8_t salt[SALT_SIZE];
};

bool crypto_sodium_start(void)
{
    return sodium_init() >= 0;
}

bool secret_forbid_dumps(void)
{
    const struct rlimit none = {0, 0};
    bool forbidden = setrlimit(RLIMIT_CORE, &none) == 0;
#ifndef PICKET_LEAK_SEARCH
    forbidden = prctl(PR_SET_DUMPABLE, 0) == 0 && forbidden;
#endif
    return forbidden;
}

void *secret_alloc(size_t size)
{
    return sodium_malloc(size);
}

void secret_free(void *secret)
{
    sodium_free(secret);
}

bool secret_locked(void *secret, size_t size)
{
    return sodium_mlock(secret, size) == 0;
}

struct crypto_sodium *crypto_sodium_new(const uint8_t seed[KEY_SEED_SIZE], const uint8_t salt[SALT_SIZE])
{
    struct crypto_sodium *self = sodium_malloc(sizeof *self);
    if (!self)
        return NULL;
    sodium_memzero(self, sizeof *self);
    if (salt)
        memcpy(self->salt, salt, SALT_SIZE);
    crypto_sodium_rekey(self, seed);
    return self;
}

void crypto_sodium_destroy(struct crypto_sodium **self)
{
    sodium_free(*self);
    *self = NULL;
}

static void sign(void *context, const void *data, size_t size, uint8_t signature[SIGNATURE_SIZE])
{
    const struct crypto_sodium *self = context;
    crypto_sign_detached(signature, NULL, data, size, self->secret_key);
}

/* libsodium refuses keys and points of small order, keys that are not canonical and scalars not below the
 * group's order: nobody can make a second signature out of a good one, nor a key that fits everything. */
static bool verify(void *context, const uint8_t public_key[PUBLIC_KEY_SIZE], const void *data, size_t size,
                   const uint8_t signature[SIGNATURE_SIZE])
{
    (void)context;
    return crypto_sign_verify_detached(signature, data, size, public_key) == 0;
}

static void hash(void *context, const void *data, size_t size, uint8_t digest[LINK_SIZE])
{
    (void)context;
    crypto_generichash(digest, LINK_SIZE, data, size, NULL, 0);
}

void crypto_fleet_key(const uint8_t salt[SALT_SIZE], const char *purpose, void *key, size_t size)
{
    crypto_generichash(key, size, (const uint8_t *)purpose, strlen(purpose), salt, SALT_SIZE);
}

static uint64_t draw(void *context, const void *data, size_t size)
{
    const struct crypto_sodium *self = context;
    uint8_t digest[DIGEST_SIZE];
    crypto_generichash(digest, sizeof digest, data, size, self->salt, SALT_SIZE);
    struct cursor c = cursor_of(digest, sizeof digest);
    return cursor_be64(&c);
}

struct cluster_crypto crypto_sodium_table(struct crypto_sodium *self)
{
    return (struct cluster_crypto){
        .context = self, .sign = sign, .verify = verify, .hash = hash, .draw = draw};
}

const struct cluster_crypto *crypto_verifier(void)
{
    static const struct cluster_crypto table = {.verify = verify, .hash = hash};
    return &table;
}

void crypto_sodium_rekey(struct crypto_sodium *self, const uint8_t seed[KEY_SEED_SIZE])
{
    crypto_sign_seed_keypair(self->public_key, self->secret_key, seed);
}

const uint8_t *crypto_sodium_public_key(const struct crypto_sodium *self)
{
    return self->public_key;
}

void crypto_sodium_curve(const struct crypto_sodium *self, uint8_t public_key[CURVE_KEY_SIZE],
                         uint8_t secret[CURVE_KEY_SIZE])
{
    crypto_sign_ed25519_sk_to_curve25519(secret, self->secret_key);
    crypto_scalarmult_base(public_key, secret);
}

bool crypto_curve_public(uint8_t curve[CURVE_KEY_SIZE], const uint8_t public_key[PUBLIC_KEY_SIZE])
{
    return crypto_sign_ed25519_pk_to_curve25519(curve, public_key) == 0;
}

void crypto_public_key(uint8_t public_key[PUBLIC_KEY_SIZE], const uint8_t seed[KEY_SEED_SIZE])
{
    uint8_t secret_key[SECRET_KEY_SIZE];
    crypto_sign_seed_keypair(public_key, secret_key, seed);
    sodium_memzero(secret_key, sizeof secret_key);
}

void crypto_random(void *to, size_t size)
{
    randombytes_buf(to, size);
}

void crypto_digest(uint8_t digest[DIGEST_SIZE], const void *data, size_t size)
{
    crypto_generichash(digest, DIGEST_SIZE, data, size, NULL, 0);
}

bool crypto_equal(const void *a, const void *b, size_t size)
{
    return sodium_memcmp(a, b, size) == 0;
}
