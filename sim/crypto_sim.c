/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/crypto_sim.h"

#include "cluster/crypto_sodium.h"
#include "sim/random.h"

/* What makes a public key into the key of the hash; nothing that nodes say depends on its being secret. */
#define KEY_OF_PUBLIC UINT64_C(0x7069636b65742d31)

static uint64_t word_of(const uint8_t *bytes)
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++)
        word = word << 8 | bytes[i];
    return word;
}

static void word_to(uint8_t *bytes, uint64_t word)
{
    for (int i = 7; i >= 0; i--, word >>= 8)
        bytes[i] = (uint8_t)word;
}

static void stub_sign(void *context, const void *data, size_t size, uint8_t signature[SIGNATURE_SIZE])
{
    const struct sim_key *key = context;
    memset(signature, 0, SIGNATURE_SIZE);
    word_to(signature, sim_mix_bytes(key->secret, data, size));
}

static uint64_t secret_of(const uint8_t public_key[PUBLIC_KEY_SIZE])
{
    return sim_mix_bytes(KEY_OF_PUBLIC, public_key, PUBLIC_KEY_SIZE);
}

/* All of the key and all of the signature count, as they do for Ed25519: or a relay could make a second form
 * of what another signed. */
static bool stub_verify(void *context, const uint8_t public_key[PUBLIC_KEY_SIZE], const void *data,
                        size_t size, const uint8_t signature[SIGNATURE_SIZE])
{
    static const uint8_t rest[SIGNATURE_SIZE - 8];
    (void)context;
    return memcmp(signature + 8, rest, sizeof rest) == 0 &&
           word_of(signature) == sim_mix_bytes(secret_of(public_key), data, size);
}

static void stub_hash(void *context, const void *data, size_t size, uint8_t digest[LINK_SIZE])
{
    (void)context;
    uint64_t first = sim_mix_bytes(1, data, size);
    word_to(digest, first);
    word_to(digest + 8, sim_mix(first, 2));
}

static uint64_t stub_draw(void *context, const void *data, size_t size)
{
    const struct sim_key *key = context;
    return sim_mix_bytes(key->salt, data, size);
}

bool sim_key_init(struct sim_key *key, uint64_t seed, uint32_t node, bool real)
{
    *key = (struct sim_key){.salt = sim_random(seed, STREAM_IDENTITY, 2, 0, 0)};
    if (real) {
        uint8_t secret[KEY_SEED_SIZE], salt[SALT_SIZE];
        sim_random_bytes(sim_random(seed, STREAM_IDENTITY, 3, node, 0), secret, sizeof secret);
        sim_random_bytes(key->salt, salt, sizeof salt);
        struct crypto_sodium *sodium = crypto_sodium_start() ? crypto_sodium_new(secret, salt) : NULL;
        if (!sodium)
            return false;
        key->sodium = sodium;
        memcpy(key->public_key, crypto_sodium_public_key(sodium), PUBLIC_KEY_SIZE);
        return true;
    }
    sim_random_bytes(sim_random(seed, STREAM_IDENTITY, 3, node, 0), key->public_key, PUBLIC_KEY_SIZE);
    key->secret = secret_of(key->public_key);
    return true;
}

void sim_key_clear(struct sim_key *key)
{
    struct crypto_sodium *sodium = key->sodium;
    if (sodium)
        crypto_sodium_destroy(&sodium);
    key->sodium = NULL;
}

struct cluster_crypto sim_key_crypto(struct sim_key *key)
{
    if (key->sodium)
        return crypto_sodium_table(key->sodium);
    return (struct cluster_crypto){
        .context = key, .sign = stub_sign, .verify = stub_verify, .hash = stub_hash, .draw = stub_draw};
}
