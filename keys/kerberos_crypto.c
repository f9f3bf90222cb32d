/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/kerberos_crypto.h"

#include "base/endian.h"

#define XXH_INLINE_ALL
#include <nettle/aes.h>
#include <nettle/arcfour.h>
#include <nettle/cbc.h>
#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <nettle/memxor.h>
#include <nettle/sha1.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define DERIVED_SETS 2048u /* of two: a key that is asked for does not drive out the one asked for before */
#define BLOCK        AES_BLOCK_SIZE

/* --- types --- */

enum digest { DIGEST_SHA1, DIGEST_SHA256, DIGEST_SHA384, DIGEST_MD5 };

struct kind {
    int32_t etype;
    int32_t checksum;
    uint8_t key_size;
    uint8_t mac_size;
    uint8_t mac_key_size; /* of what is derived for MACs */
    uint8_t digest;
};

static const struct kind kinds[] = {
    {ETYPE_AES128_SHA1, 15, 16, 12, 16, DIGEST_SHA1},
    {ETYPE_AES256_SHA1, 16, 32, 12, 32, DIGEST_SHA1},
    {ETYPE_AES128_SHA256, 19, 16, 16, 16, DIGEST_SHA256},
    {ETYPE_AES256_SHA384, 20, 32, 24, 24, DIGEST_SHA384},
    {ETYPE_RC4, -138, 16, 16, 16, DIGEST_MD5},
};

static const struct kind *kind_of(int32_t etype)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].etype == etype)
            return &kinds[i];
    return NULL;
}

size_t kerberos_key_size(int32_t etype)
{
    const struct kind *kind = kind_of(etype);
    return kind ? kind->key_size : 0;
}

bool kerberos_etype_known(int32_t etype)
{
    return kind_of(etype) != NULL;
}

size_t kerberos_mac_size(int32_t etype)
{
    const struct kind *kind = kind_of(etype);
    return kind ? kind->mac_size : 0;
}

int32_t kerberos_checksum_etype(int32_t checksum)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].checksum == checksum)
            return kinds[i].etype;
    return 0;
}

/* --- MACs --- */

struct mac {
    enum digest digest;
    union {
        struct hmac_sha1_ctx sha1;
        struct hmac_sha256_ctx sha256;
        struct hmac_sha384_ctx sha384;
        struct hmac_md5_ctx md5;
    };
};

static void mac_key(struct mac *mac, enum digest digest, const uint8_t *key, size_t size)
{
    mac->digest = digest;
    switch (digest) {
    case DIGEST_SHA1:
        hmac_sha1_set_key(&mac->sha1, size, key);
        break;
    case DIGEST_SHA256:
        hmac_sha256_set_key(&mac->sha256, size, key);
        break;
    case DIGEST_SHA384:
        hmac_sha384_set_key(&mac->sha384, size, key);
        break;
    case DIGEST_MD5:
        hmac_md5_set_key(&mac->md5, size, key);
        break;
    }
}

static void mac_update(struct mac *mac, const void *data, size_t size)
{
    if (!size)
        return;
    switch (mac->digest) {
    case DIGEST_SHA1:
        hmac_sha1_update(&mac->sha1, size, data);
        break;
    case DIGEST_SHA256:
        hmac_sha256_update(&mac->sha256, size, data);
        break;
    case DIGEST_SHA384:
        hmac_sha512_update(&mac->sha384, size, data);
        break;
    case DIGEST_MD5:
        hmac_md5_update(&mac->md5, size, data);
        break;
    }
}

/* It begins anew then. */
static void mac_digest(struct mac *mac, uint8_t *to, size_t size)
{
    switch (mac->digest) {
    case DIGEST_SHA1:
        hmac_sha1_digest(&mac->sha1, size, to);
        break;
    case DIGEST_SHA256:
        hmac_sha256_digest(&mac->sha256, size, to);
        break;
    case DIGEST_SHA384:
        hmac_sha384_digest(&mac->sha384, size, to);
        break;
    case DIGEST_MD5:
        hmac_md5_digest(&mac->md5, size, to);
        break;
    }
}

static bool mac_fits(struct mac *mac, const uint8_t *expected, size_t size)
{
    uint8_t made[KERBEROS_MAC_MAX];
    mac_digest(mac, made, size);
    return sodium_memcmp(made, expected, size) == 0;
}

/* --- AES --- */

struct aes {
    bool wide;
    union {
        struct aes128_ctx k128;
        struct aes256_ctx k256;
    };
};

static void set_aes_key(struct aes *aes, const uint8_t *key, size_t size, bool decrypt)
{
    aes->wide = size == AES256_KEY_SIZE;
    if (aes->wide && decrypt)
        aes256_set_decrypt_key(&aes->k256, key);
    else if (aes->wide)
        aes256_set_encrypt_key(&aes->k256, key);
    else if (decrypt)
        aes128_set_decrypt_key(&aes->k128, key);
    else
        aes128_set_encrypt_key(&aes->k128, key);
}

static void encrypt_block(const struct aes *aes, uint8_t *to, const uint8_t *from)
{
    if (aes->wide)
        aes256_encrypt(&aes->k256, BLOCK, to, from);
    else
        aes128_encrypt(&aes->k128, BLOCK, to, from);
}

static void cbc(const struct aes *aes, uint8_t iv[BLOCK], size_t size, uint8_t *to, const uint8_t *from)
{
    if (aes->wide)
        cbc_decrypt(&aes->k256, (nettle_cipher_func *)aes256_decrypt, BLOCK, iv, size, to, from);
    else
        cbc_decrypt(&aes->k128, (nettle_cipher_func *)aes128_decrypt, BLOCK, iv, size, to, from);
}

/* CBC with cipher text stealing (RFC 3962 5): the last two blocks are swapped, the last one is cut to what
 * there is. `size` is a block at least. `to` may be `from`. */
static void decrypt_stolen(const struct aes *aes, const uint8_t *from, size_t size, uint8_t *to)
{
    uint8_t iv[BLOCK] = {0};
    if (size == BLOCK) {
        cbc(aes, iv, size, to, from);
        return;
    }
    size_t last = (size - 1) % BLOCK + 1, before = size - last - BLOCK;
    cbc(aes, iv, before, to, from);
    uint8_t zero[BLOCK] = {0}, mixed[BLOCK], swapped[BLOCK];
    cbc(aes, zero, BLOCK, mixed, from + before);
    memcpy(swapped, from + before + BLOCK, last);
    memcpy(swapped + last, mixed + last, BLOCK - last);
    memxor3(to + before + BLOCK, mixed, swapped, last);
    cbc(aes, iv, BLOCK, to + before, swapped);
}

/* --- derivation --- */

enum purpose {
    PURPOSE_CHECKSUM = 0x99, /* Kc (RFC 3961 5.3, RFC 8009 5) */
    PURPOSE_SEAL = 0xaa,     /* Ke, and Ki with it */
    PURPOSE_PRF = 1,
};
#define KI 0x55

struct what {
    int32_t etype;
    uint32_t usage;
    uint8_t key[KEY_BYTES_MAX];
    uint64_t purpose; /* 0: there is nothing */
};

struct derived {
    struct what what;
    struct aes aes; /* SEAL: to decrypt; PRF, but for SHA-2: to encrypt */
    struct mac mac;
};

/* Where two of them are: their hashes are looked at first, the few that are in use stand close together. */
struct set {
    uint32_t hashes[2];
    uint16_t places[2]; /* 0: none yet */
    uint8_t latest;
};

struct derived_keys {
    struct derived *entries; /* locked; the first is not used */
    struct set *sets;
    uint32_t used;
    uint64_t seed;
};

/* n-fold (RFC 3961 5.1) of a constant of five bytes or three ("prf") to a block: the constant over and over,
 * each time turned right by 13 bits more, added in ones' complement. */
static void fold_constant(const uint8_t *text, unsigned size, uint8_t to[BLOCK])
{
    unsigned sum[BLOCK] = {0}, at = 0, bits = size * 8;
    uint64_t turned = 0, mask = (UINT64_C(1) << bits) - 1;
    for (unsigned i = 0; i < size; i++)
        turned = turned << 8 | text[i];
    for (unsigned times = 0; times < BLOCK; times++) { /* the sizes have no common factor */
        for (unsigned shift = bits; shift; shift -= 8)
            sum[at++ % BLOCK] += turned >> (shift - 8) & 0xff;
        turned = (turned >> 13 | turned << (bits - 13)) & mask;
    }
    unsigned carry = 0;
    do
        for (unsigned i = BLOCK; i--;) {
            sum[i] += carry;
            carry = sum[i] >> 8;
            sum[i] &= 0xff;
        }
    while (carry);
    for (unsigned i = 0; i < BLOCK; i++)
        to[i] = (uint8_t)sum[i];
}

/* DK(key, constant) (RFC 3961 5.1) */
static void derive_sha1(const struct aes *base, size_t key_size, const uint8_t *text, unsigned size,
                        uint8_t to[KEY_BYTES_MAX])
{
    uint8_t folded[BLOCK];
    fold_constant(text, size, folded);
    encrypt_block(base, to, folded);
    if (key_size > BLOCK)
        encrypt_block(base, to + BLOCK, to);
}

/* KDF-HMAC-SHA2(key, label, size) (RFC 8009 3); `context` stands behind the label for the pseudo-random
 * function alone. */
static void derive_sha2(struct mac *base, struct bytes label, struct bytes context, size_t size, uint8_t *to)
{
    static const uint8_t counter[4] = {0, 0, 0, 1}, zero;
    uint8_t bits[4];
    endian_put_be32(bits, (uint32_t)size * 8);
    mac_update(base, counter, sizeof counter);
    mac_update(base, label.data, label.size);
    mac_update(base, &zero, 1);
    mac_update(base, context.data, context.size);
    mac_update(base, bits, sizeof bits);
    mac_digest(base, to, size);
}

/* --- what is derived from a key for one purpose --- */

static void fill_sha1(struct derived *d, const struct kind *kind)
{
    struct aes base;
    uint8_t text[5], key[KEY_BYTES_MAX];
    set_aes_key(&base, d->what.key, kind->key_size, false);
    if (d->what.purpose == PURPOSE_PRF) {
        derive_sha1(&base, kind->key_size, (const uint8_t *)"prf", 3, key);
        set_aes_key(&d->aes, key, kind->key_size, false);
    } else {
        endian_put_be32(text, d->what.usage);
        text[4] = d->what.purpose == PURPOSE_SEAL ? KI : PURPOSE_CHECKSUM;
        derive_sha1(&base, kind->key_size, text, sizeof text, key);
        mac_key(&d->mac, DIGEST_SHA1, key, kind->mac_key_size);
    }
    if (d->what.purpose == PURPOSE_SEAL) {
        text[4] = PURPOSE_SEAL;
        derive_sha1(&base, kind->key_size, text, sizeof text, key);
        set_aes_key(&d->aes, key, kind->key_size, true);
    }
    sodium_memzero(&base, sizeof base);
    sodium_memzero(key, sizeof key);
}

static void fill_sha2(struct derived *d, const struct kind *kind)
{
    const struct bytes none = {0};
    struct mac base;
    uint8_t text[5], key[KEY_BYTES_MAX];
    const struct bytes label = {text, sizeof text};
    mac_key(&base, kind->digest, d->what.key, kind->key_size);
    if (d->what.purpose == PURPOSE_PRF) {
        d->mac = base;
    } else {
        endian_put_be32(text, d->what.usage);
        text[4] = d->what.purpose == PURPOSE_SEAL ? KI : PURPOSE_CHECKSUM;
        derive_sha2(&base, label, none, kind->mac_key_size, key);
        mac_key(&d->mac, kind->digest, key, kind->mac_key_size);
    }
    if (d->what.purpose == PURPOSE_SEAL) {
        text[4] = PURPOSE_SEAL;
        derive_sha2(&base, label, none, kind->key_size, key);
        set_aes_key(&d->aes, key, kind->key_size, true);
    }
    sodium_memzero(&base, sizeof base);
    sodium_memzero(key, sizeof key);
}

/* RFC 4757 3: some usages have other numbers. */
static uint32_t rc4_usage(uint32_t usage)
{
    return usage == 3 ? 8 : usage == 23 ? 13 : usage;
}

/* RFC 4757 4 and 5 */
static void fill_rc4(struct derived *d, const struct kind *kind)
{
    static const char text[] = "signaturekey"; /* with its zero */
    uint8_t usage[4], key[16];
    if (d->what.purpose == PURPOSE_PRF) { /* HMAC-SHA1 under the key itself */
        mac_key(&d->mac, DIGEST_SHA1, d->what.key, kind->key_size);
        return;
    }
    mac_key(&d->mac, DIGEST_MD5, d->what.key, kind->key_size);
    endian_put_le32(usage, rc4_usage(d->what.usage));
    if (d->what.purpose == PURPOSE_SEAL)
        mac_update(&d->mac, usage, sizeof usage);
    else
        mac_update(&d->mac, text, sizeof text);
    mac_digest(&d->mac, key, sizeof key);
    mac_key(&d->mac, DIGEST_MD5, key, sizeof key);
    sodium_memzero(key, sizeof key);
}

/* --- those in use --- */

struct derived_keys *derived_keys_new(void)
{
    struct derived_keys *derived = calloc(1, sizeof *derived);
    if (!derived)
        return NULL;
    randombytes_buf(&derived->seed, sizeof derived->seed);
    derived->entries = sodium_allocarray((size_t)DERIVED_SETS * 2 + 1, sizeof *derived->entries);
    derived->sets = calloc(DERIVED_SETS, sizeof *derived->sets);
    if (!derived->entries || !derived->sets)
        derived_keys_destroy(&derived);
    return derived;
}

void derived_keys_destroy(struct derived_keys **derived_p)
{
    if (!*derived_p)
        return;
    sodium_free((*derived_p)->entries);
    free((*derived_p)->sets);
    free(*derived_p);
    *derived_p = NULL;
}

static bool is_same(const struct what *a, const struct what *b)
{
    uint64_t x[sizeof *a / 8], y[sizeof *b / 8], differ = 0;
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        differ |= x[i] ^ y[i];
    return differ == 0;
}

static struct derived *find(struct derived_keys *derived, const struct what *what, uint64_t hash)
{
    struct set *set = &derived->sets[hash % DERIVED_SETS];
    for (uint8_t i = 0; i < 2; i++) {
        struct derived *d = &derived->entries[set->places[i]];
        if (!set->places[i] || set->hashes[i] != (uint32_t)(hash >> 32) || !is_same(&d->what, what))
            continue;
        set->latest = i;
        return d;
    }
    return NULL;
}

/* A place for what is not there: that of its set which was not the latest to be used. */
static struct derived *make_room(struct derived_keys *derived, uint64_t hash)
{
    struct set *set = &derived->sets[hash % DERIVED_SETS];
    set->latest = !set->latest;
    if (!set->places[set->latest])
        set->places[set->latest] = (uint16_t)++derived->used;
    set->hashes[set->latest] = (uint32_t)(hash >> 32);
    return &derived->entries[set->places[set->latest]];
}

/* NULL for an unknown type. Valid until the next call: to be used at once. */
static struct derived *derive(struct derived_keys *derived, const struct key_material *key,
                              enum purpose purpose, int32_t usage)
{
    const struct kind *kind = kind_of(key->etype);
    if (!kind || key->size != kind->key_size)
        return NULL;
    struct what what = {.etype = key->etype, .usage = (uint32_t)usage, .purpose = (uint64_t)purpose};
    memcpy(what.key, key->bytes, kind->key_size);
    uint64_t hash = XXH3_64bits_withSeed(&what, sizeof what, derived->seed);
    struct derived *d = find(derived, &what, hash);
    if (!d) {
        d = make_room(derived, hash);
        d->what = what;
        if (kind->digest == DIGEST_SHA1)
            fill_sha1(d, kind);
        else if (kind->digest == DIGEST_MD5)
            fill_rc4(d, kind);
        else
            fill_sha2(d, kind);
    }
    sodium_memzero(&what, sizeof what);
    return d;
}

/* --- messages --- */

static const uint8_t zero_iv[BLOCK];

/* RFC 3962 6: the MAC is over the plain text, and behind the message. */
static bool open_sha1(struct derived *d, struct bytes cipher, const uint8_t *mac, size_t mac_size,
                      uint8_t *to)
{
    decrypt_stolen(&d->aes, cipher.data, cipher.size, to);
    mac_update(&d->mac, to, cipher.size);
    return mac_fits(&d->mac, mac, mac_size);
}

/* RFC 8009 5: over the cipher text. */
static bool open_sha2(struct derived *d, struct bytes cipher, const uint8_t *mac, size_t mac_size,
                      uint8_t *to)
{
    mac_update(&d->mac, zero_iv, sizeof zero_iv);
    mac_update(&d->mac, cipher.data, cipher.size);
    if (!mac_fits(&d->mac, mac, mac_size))
        return false;
    decrypt_stolen(&d->aes, cipher.data, cipher.size, to);
    return true;
}

/* RFC 4757 5: the MAC in front of the message is what the key of its stream is made with. */
static bool open_rc4(struct derived *d, struct bytes cipher, const uint8_t *mac, size_t mac_size, uint8_t *to)
{
    struct arcfour_ctx rc4;
    uint8_t key[16];
    mac_update(&d->mac, mac, mac_size);
    mac_digest(&d->mac, key, sizeof key);
    arcfour_set_key(&rc4, sizeof key, key);
    arcfour_crypt(&rc4, cipher.size, to, cipher.data);
    sodium_memzero(&rc4, sizeof rc4);
    sodium_memzero(key, sizeof key);
    mac_update(&d->mac, to, cipher.size);
    return mac_fits(&d->mac, mac, mac_size);
}

static enum unseal_result decrypt(struct derived_keys *derived, const struct key_material *key, int32_t usage,
                                  struct bytes cipher, uint8_t *to, size_t *size)
{
    struct derived *d = derive(derived, key, PURPOSE_SEAL, usage);
    *size = 0;
    if (!d)
        return UNSEAL_ETYPE;
    bool rc4 = key->etype == ETYPE_RC4;
    size_t mac_size = kerberos_mac_size(key->etype), confounder = rc4 ? 8 : KERBEROS_CONFOUNDER;
    if (cipher.size > UNSEAL_REQUEST_MAX || cipher.size < mac_size + confounder)
        return UNSEAL_MALFORMED;
    size_t in_front = rc4 ? mac_size : 0;
    struct bytes inner = {cipher.data + in_front, cipher.size - mac_size};
    const uint8_t *mac = cipher.data + (rc4 ? 0 : inner.size);
    uint8_t *plain = to + in_front;
    bool fine;
    if (rc4)
        fine = open_rc4(d, inner, mac, mac_size, plain);
    else if (d->mac.digest == DIGEST_SHA1)
        fine = open_sha1(d, inner, mac, mac_size, plain);
    else
        fine = open_sha2(d, inner, mac, mac_size, plain);
    if (!fine)
        return UNSEAL_WRONG_KEY;
    *size = inner.size - confounder;
    memmove(to, plain + confounder, *size);
    return UNSEAL_FINE;
}

enum unseal_result kerberos_decrypt(struct derived_keys *derived, const struct key_material *key,
                                    int32_t usage, struct bytes cipher, uint8_t *to, size_t *size)
{
    enum unseal_result result = UNSEAL_WRONG_KEY;
    /* RFC 4757 3: RC4 has 8 in its place, but some follow RFC 4120. */
    bool doubtful = key->etype == ETYPE_RC4 && usage == 9 && to != cipher.data;
    if (doubtful)
        result = decrypt(derived, key, 8, cipher, to, size);
    return result == UNSEAL_WRONG_KEY ? decrypt(derived, key, usage, cipher, to, size) : result;
}

enum unseal_result kerberos_decrypt_parts(struct derived_keys *derived, const struct key_material *key,
                                          int32_t usage, uint8_t *sealed, size_t size,
                                          const struct bytes *signed_runs, size_t count, struct bytes mac)
{
    struct derived *d = derive(derived, key, PURPOSE_SEAL, usage);
    if (!d || key->etype == ETYPE_RC4)
        return UNSEAL_ETYPE;
    if (size < KERBEROS_CONFOUNDER || mac.size != kerberos_mac_size(key->etype))
        return UNSEAL_MALFORMED;
    if (d->mac.digest == DIGEST_SHA1)
        decrypt_stolen(&d->aes, sealed, size, sealed);
    else
        mac_update(&d->mac, zero_iv, sizeof zero_iv);
    for (size_t i = 0; i < count; i++)
        mac_update(&d->mac, signed_runs[i].data, signed_runs[i].size);
    if (!mac_fits(&d->mac, mac.data, mac.size))
        return UNSEAL_WRONG_KEY;
    if (d->mac.digest != DIGEST_SHA1)
        decrypt_stolen(&d->aes, sealed, size, sealed);
    return UNSEAL_FINE;
}

/* --- checksums --- */

bool kerberos_checksum_fits(struct derived_keys *derived, const struct key_material *key, int32_t usage,
                            const struct bytes *runs, size_t count, struct bytes checksum)
{
    struct derived *d = derive(derived, key, PURPOSE_CHECKSUM, usage);
    if (!d || checksum.size != kerberos_mac_size(key->etype))
        return false;
    if (key->etype != ETYPE_RC4) {
        for (size_t i = 0; i < count; i++)
            mac_update(&d->mac, runs[i].data, runs[i].size);
        return mac_fits(&d->mac, checksum.data, checksum.size);
    }
    struct md5_ctx md5;
    uint8_t digest[MD5_DIGEST_SIZE], number[4];
    endian_put_le32(number, rc4_usage((uint32_t)usage));
    md5_init(&md5);
    md5_update(&md5, sizeof number, number);
    for (size_t i = 0; i < count; i++)
        if (runs[i].size)
            md5_update(&md5, runs[i].size, runs[i].data);
    md5_digest(&md5, sizeof digest, digest);
    mac_update(&d->mac, digest, sizeof digest);
    return mac_fits(&d->mac, checksum.data, checksum.size);
}

/* --- RFC 6113 --- */

/* The pseudo-random function of the key's type (RFC 3962 6, RFC 8009 5; RC4: HMAC-SHA1). Bytes of it. */
static size_t prf(struct derived *d, struct bytes input, uint8_t to[SHA384_DIGEST_SIZE])
{
    static const struct bytes label = {(const uint8_t *)"prf", 3};
    if (d->what.etype == ETYPE_AES128_SHA256 || d->what.etype == ETYPE_AES256_SHA384) {
        size_t size = d->mac.digest == DIGEST_SHA384 ? SHA384_DIGEST_SIZE : SHA256_DIGEST_SIZE;
        derive_sha2(&d->mac, label, input, size, to);
        return size;
    }
    if (d->what.etype == ETYPE_RC4) {
        mac_update(&d->mac, input.data, input.size);
        mac_digest(&d->mac, to, SHA1_DIGEST_SIZE);
        return SHA1_DIGEST_SIZE;
    }
    struct sha1_ctx sha1;
    uint8_t digest[SHA1_DIGEST_SIZE];
    sha1_init(&sha1);
    sha1_update(&sha1, input.size, input.data);
    sha1_digest(&sha1, sizeof digest, digest);
    encrypt_block(&d->aes, to, digest);
    return BLOCK;
}

/* PRF+: of the pepper with a counter in front, as many bytes as a key has; they are added to `to`. */
static bool add_prf(struct derived_keys *derived, const struct key_material *key, const char *pepper,
                    struct key_material *to)
{
    struct derived *d = derive(derived, key, PURPOSE_PRF, 0);
    uint8_t input[64] = {0}, output[SHA384_DIGEST_SIZE];
    size_t size = strlen(pepper);
    if (!d || size >= sizeof input)
        return false;
    memcpy(input + 1, pepper, size);
    for (size_t at = 0; at < to->size;) {
        input[0]++;
        size_t got = prf(d, (struct bytes){input, size + 1}, output), left = to->size - at;
        memxor(to->bytes + at, output, got < left ? got : left);
        at += got;
    }
    sodium_memzero(output, sizeof output);
    return true;
}

bool kerberos_combine(struct derived_keys *derived, const struct key_material *a, const char *pepper_a,
                      const struct key_material *b, const char *pepper_b, struct key_material *to)
{
    struct key_material both = {.etype = a->etype, .size = a->size};
    bool fine = add_prf(derived, a, pepper_a, &both) && add_prf(derived, b, pepper_b, &both);
    if (fine)
        *to = both;
    sodium_memzero(&both, sizeof both);
    return fine;
}
