/* SPDX-License-Identifier: Apache-2.0
 *
 * NETLOGON's secure channel ([MS-NRPC] 3.1.4, 3.3.4.2). Its session key comes from the challenges of both
 * sides and the NT hash of the computer's account, also with AES. The client's credential proves that it is
 * right. Messages depend on nothing but the key: the sequence number, from which the cipher starts, stands in
 * each.
 */
#include "keys/complaints.h"
#include "keys/ntlm_keys.h"
#include "keys/rpc_parts.h"

#include "base/hash_table.h"
#include "base/utf8.h"

#include <nettle/aes.h>
#include <nettle/arcfour.h>
#include <nettle/cfb.h>
#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CHANNELS_MAX  4096u
#define NAME_BYTES    64u
#define ACCOUNT_BYTES 256u

/* NegotiateFlags (3.1.4.2) */
#define FLAG_STRONG_KEYS 0x00004000u
#define FLAG_AES         0x01000000u

/* --- session keys and credentials --- */

/* 3.1.4.3.1: the first half of HMAC-SHA256(NT hash, challenges); 3.1.4.3.2: HMAC-MD5(NT hash, MD5(four zero
 * bytes, challenges)). */
static void session_key(const uint8_t nt_hash[16], const uint8_t client[8], const uint8_t server[8],
                        struct netlogon_key *key)
{
    static const uint8_t zeros[4];
    if (key->aes) {
        struct hmac_sha256_ctx mac;
        hmac_sha256_set_key(&mac, 16, nt_hash);
        hmac_sha256_update(&mac, 8, client);
        hmac_sha256_update(&mac, 8, server);
        hmac_sha256_digest(&mac, 16, key->session_key);
        sodium_memzero(&mac, sizeof mac);
        return;
    }
    struct md5_ctx md5;
    uint8_t digest[16];
    md5_init(&md5);
    md5_update(&md5, sizeof zeros, zeros);
    md5_update(&md5, 8, client);
    md5_update(&md5, 8, server);
    md5_digest(&md5, sizeof digest, digest);
    struct hmac_md5_ctx mac;
    hmac_md5_set_key(&mac, 16, nt_hash);
    hmac_md5_update(&mac, sizeof digest, digest);
    hmac_md5_digest(&mac, 16, key->session_key);
    sodium_memzero(&mac, sizeof mac);
}

/* 3.1.4.4.1: AES-128-CFB8 without an initialization vector; 3.1.4.4.2: DES twice, with 14 bytes of the key.
 */
static void credential_of(const struct netlogon_key *key, const uint8_t challenge[8], uint8_t to[8])
{
    if (key->aes) {
        struct aes128_ctx aes;
        uint8_t iv[16] = {0};
        aes128_set_encrypt_key(&aes, key->session_key);
        cfb8_encrypt(&aes, (nettle_cipher_func *)aes128_encrypt, sizeof iv, iv, 8, to, challenge);
        sodium_memzero(&aes, sizeof aes);
        return;
    }
    ntlm_des(key->session_key, challenge, to);
    ntlm_des(key->session_key + 7, to, to);
}

/* --- channels by computer name --- */

struct channel {
    uint8_t name[NAME_BYTES]; /* filled up with zeros */
    uint64_t used;
    struct context_netlogon keys;
};

struct channels {
    struct channel *entries;  /* locked and wiped */
    struct hash_table *names; /* name -> place */
    uint64_t now;
};

struct channels *channels_new(void)
{
    struct channels *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    uint64_t seed;
    randombytes_buf(&seed, sizeof seed);
    c->entries = sodium_allocarray(CHANNELS_MAX, sizeof *c->entries);
    c->names = hash_table_new(CHANNELS_MAX, NAME_BYTES, sizeof(uint32_t), seed);
    if (!c->entries || !c->names)
        channels_destroy(&c);
    return c;
}

void channels_destroy(struct channels **channels_p)
{
    if (!*channels_p)
        return;
    sodium_free((*channels_p)->entries);
    hash_table_destroy(&(*channels_p)->names);
    free(*channels_p);
    *channels_p = NULL;
}

/* Computers are named without regard to case, and here as NetBIOS names them: up to the first dot. Size 0: no
 * name. */
static size_t plain_name(struct bytes name, uint8_t to[NAME_BYTES])
{
    size_t size = 0;
    while (size < name.size && name.data[size] != '.' && name.data[size] != 0) {
        if (size == NAME_BYTES)
            return 0;
        uint8_t c = name.data[size];
        to[size++] = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
    }
    return size;
}

/* All are taken: the one used longest ago makes room. */
static uint32_t oldest_place(struct channels *c)
{
    uint32_t oldest = 0;
    for (uint32_t i = 1; i < CHANNELS_MAX; i++)
        if (c->entries[i].used < c->entries[oldest].used)
            oldest = i;
    hash_table_remove(c->names, c->entries[oldest].name);
    return oldest;
}

/* With `make`, a new one when it is not there. */
static struct channel *channel_of(struct channels *c, struct bytes computer, bool make)
{
    uint8_t name[NAME_BYTES] = {0};
    if (!plain_name(computer, name))
        return NULL;
    const uint32_t *there = hash_table_find(c->names, name);
    if (!there && !make)
        return NULL;
    uint32_t count = hash_table_count(c->names);
    uint32_t place = there ? *there : count < CHANNELS_MAX ? count : oldest_place(c);
    struct channel *e = &c->entries[place];
    if (!there) {
        *e = (struct channel){.used = 0};
        memcpy(e->name, name, sizeof e->name);
        *(uint32_t *)hash_table_insert(c->names, name, NULL) = place;
    }
    e->used = ++c->now;
    return e;
}

static void keep_key(struct context_netlogon *keys, const struct netlogon_key *key)
{
    for (size_t i = 0; i < keys->count; i++)
        if (sodium_memcmp(&keys->keys[i].session_key, key->session_key, sizeof key->session_key) == 0)
            return; /* told again */
    memmove(keys->keys + 1, keys->keys, (NETLOGON_KEYS_MAX - 1) * sizeof *keys->keys);
    keys->keys[0] = *key;
    if (keys->count < NETLOGON_KEYS_MAX)
        keys->count++;
}

/* --- operations --- */

static struct bytes utf8_of(struct bytes utf16, uint8_t to[ACCOUNT_BYTES])
{
    bool cut = false;
    size_t size = utf8_from_utf16(to, ACCOUNT_BYTES, utf16.data, utf16.size / 2, &cut);
    return (struct bytes){.data = to, .size = size};
}

static void complain_of(struct key_holder *holder, enum unseal_result result, struct bytes account)
{
    struct key_holder_complaint c = {.result = result, .etype = ETYPE_RC4};
    if (account.size)
        memcpy(c.principal, account.data,
               account.size < sizeof c.principal ? account.size : sizeof c.principal - 1);
    complaints_add(holder->complaints, &c);
}

static enum unseal_result learn(struct key_holder *holder, struct bytes account, struct bytes computer,
                                const uint8_t *client, const uint8_t *server, uint32_t flags,
                                const uint8_t *credential)
{
    struct netlogon_key key = {.aes = flags & FLAG_AES};
    if (!key.aes && !(flags & FLAG_STRONG_KEYS)) /* DES */
        return UNSEAL_ETYPE;
    enum unseal_result result = UNSEAL_NO_KEY;
    struct bytes any = {0};
    uint32_t at = 0;
    const uint8_t *hash;
    while (result != UNSEAL_FINE && (hash = keyring_nt_hash(holder->keyring, account, any, &at))) {
        uint8_t expected[8];
        session_key(hash, client, server, &key);
        credential_of(&key, client, expected);
        result = sodium_memcmp(expected, credential, sizeof expected) == 0 ? UNSEAL_FINE : UNSEAL_WRONG_KEY;
    }
    if (result == UNSEAL_FINE) {
        struct channel *channel = channel_of(holder->channels, computer, true);
        if (channel)
            keep_key(&channel->keys, &key);
        else
            result = UNSEAL_MALFORMED;
    } else {
        /* The server took the credential: a hash that does not make it is of an older or newer password. */
        complain_of(holder, result, account);
    }
    sodium_memzero(&key, sizeof key);
    return result;
}

/* Account, computer (UTF-16LE), client challenge, server challenge, flags, client credential -> result */
void operation_netlogon(struct key_request *r)
{
    uint8_t names[2][ACCOUNT_BYTES];
    struct bytes account = request_bytes(r);
    struct bytes computer = request_bytes(r);
    struct bytes client = request_bytes(r);
    struct bytes server = request_bytes(r);
    uint64_t flags = request_uint(r);
    struct bytes credential = request_bytes(r);
    if (r->c.failed || client.size != 8 || server.size != 8 || credential.size != 8) {
        answer_result(r, UNSEAL_MALFORMED);
        return;
    }
    answer_result(r, learn(r->holder, utf8_of(account, names[0]), utf8_of(computer, names[1]), client.data,
                           server.data, (uint32_t)flags, credential.data));
}

/* Computer -> result, context. All that share a channel's name share its keys; which fits, messages tell. */
void operation_netlogon_context(struct key_request *r)
{
    struct bytes computer = request_bytes(r);
    if (r->c.failed) {
        answer_context(r, UNSEAL_MALFORMED, NULL);
        return;
    }
    const struct channel *channel = channel_of(r->holder->channels, computer, false);
    if (!channel) {
        answer_context(r, UNSEAL_NO_KEY, NULL);
        return;
    }
    struct security_context *context = context_new(r->holder->contexts, CONTEXT_NETLOGON, r->line);
    context->netlogon = channel->keys;
    answer_context(r, UNSEAL_FINE, context);
}

/* --- messages --- */

/* NL_AUTH_SIGNATURE, NL_AUTH_SHA2_SIGNATURE (2.2.1.3.2, 2.2.1.3.3): SignatureAlgorithm 2, SealAlgorithm 2,
 * Pad 2, Flags 2, SequenceNumber 8, Checksum, Confounder 8 if sealed. With SHA2 the structure has room for 32
 * bytes of checksum; Windows uses 8 all the same, and the confounder follows them at once. */
enum {
    ALGORITHMS_SIZE = 8,
    SEQUENCE_AT = 8,
    CHECKSUM_AT = 16,
    CONFOUNDER_AT = 24,
    SIGNATURE_MAX = 32,
    SIGN_MD5 = 0x0077,
    SIGN_SHA256 = 0x0013,
    SEAL_RC4 = 0x007a,
    SEAL_AES = 0x001a,
    SEAL_NONE = 0xffff,
};

struct message {
    const struct rpc_parts *parts;
    const uint8_t *signature;
    bool sealed;
    uint8_t confounder[8];
    uint8_t *plain;
};

static void hmac_md5_of(const uint8_t key[16], const void *data, size_t size, uint8_t to[16])
{
    struct hmac_md5_ctx mac;
    hmac_md5_set_key(&mac, 16, key);
    hmac_md5_update(&mac, size, data);
    hmac_md5_digest(&mac, 16, to);
    sodium_memzero(&mac, sizeof mac);
}

/* RC4's keys: HMAC-MD5(HMAC-MD5(key, four zero bytes), salt). */
static void rc4_with(const uint8_t key[16], const uint8_t salt[8], struct arcfour_ctx *to)
{
    static const uint8_t zeros[4];
    uint8_t derived[16];
    hmac_md5_of(key, zeros, sizeof zeros, derived);
    hmac_md5_of(derived, salt, 8, derived);
    arcfour_set_key(to, sizeof derived, derived);
    sodium_memzero(derived, sizeof derived);
}

static void cfb8(const uint8_t key[16], const uint8_t salt[8], const struct bytes *from, uint8_t *const *to,
                 size_t runs)
{
    struct aes128_ctx aes;
    uint8_t iv[16];
    memcpy(iv, salt, 8);
    memcpy(iv + 8, salt, 8);
    aes128_set_encrypt_key(&aes, key);
    for (size_t i = 0; i < runs; i++)
        cfb8_decrypt(&aes, (nettle_cipher_func *)aes128_encrypt, sizeof iv, iv, from[i].size, to[i],
                     from[i].data);
    sodium_memzero(&aes, sizeof aes);
}

/* 3.3.4.2.2: the sequence number is encrypted with the checksum as salt, confounder and message with the
 * sequence number, under a key all of whose bits in 0xf0 are turned. RC4 begins anew for the message. */
static void decrypt(const struct netlogon_key *key, struct message *m)
{
    uint8_t sequence[8];
    uint8_t turned[16];
    struct bytes sealed[] = {{.data = m->signature + CONFOUNDER_AT, .size = 8}, m->parts->stub};
    struct bytes number = {.data = m->signature + SEQUENCE_AT, .size = 8};
    uint8_t *const clear[] = {m->confounder, m->plain};
    uint8_t *const clear_number[] = {sequence};
    for (size_t i = 0; i < sizeof turned; i++)
        turned[i] = key->session_key[i] ^ 0xf0;
    if (key->aes) {
        cfb8(key->session_key, m->signature + CHECKSUM_AT, &number, clear_number, 1);
        cfb8(turned, sequence, sealed, clear, 2);
    } else {
        struct arcfour_ctx rc4;
        rc4_with(key->session_key, m->signature + CHECKSUM_AT, &rc4);
        arcfour_crypt(&rc4, 8, sequence, number.data);
        for (int i = 0; i < 2; i++) {
            rc4_with(turned, sequence, &rc4);
            arcfour_crypt(&rc4, sealed[i].size, clear[i], sealed[i].data);
        }
        sodium_memzero(&rc4, sizeof rc4);
    }
    sodium_memzero(turned, sizeof turned);
}

/* 3.3.4.2.1: over the algorithms, the confounder and the message; the PDU's headers too where header signing
 * was negotiated. */
static void checksum(const struct netlogon_key *key, const struct message *m, bool whole, uint8_t to[8])
{
    static const uint8_t zeros[4];
    const struct bytes runs[] = {
        {.data = m->signature, .size = ALGORITHMS_SIZE},
        {.data = m->confounder, .size = m->sealed ? sizeof m->confounder : 0},
        {.data = m->parts->before.data, .size = whole ? m->parts->before.size : 0},
        {.data = m->plain, .size = m->parts->stub.size},
        {.data = m->parts->after.data, .size = whole ? m->parts->after.size : 0},
    };
    const size_t count = sizeof runs / sizeof *runs;
    if (key->aes) {
        struct hmac_sha256_ctx mac;
        hmac_sha256_set_key(&mac, 16, key->session_key);
        for (size_t i = 0; i < count; i++)
            hmac_sha256_update(&mac, runs[i].size, runs[i].data);
        hmac_sha256_digest(&mac, 8, to);
        sodium_memzero(&mac, sizeof mac);
        return;
    }
    uint8_t digest[16];
    struct md5_ctx md5;
    md5_init(&md5);
    md5_update(&md5, sizeof zeros, zeros);
    for (size_t i = 0; i < count; i++)
        md5_update(&md5, runs[i].size, runs[i].data);
    md5_digest(&md5, sizeof digest, digest);
    hmac_md5_of(key->session_key, digest, sizeof digest, digest);
    memcpy(to, digest, 8);
}

static bool fits(const struct netlogon_key *key, struct message *m)
{
    if (m->sealed)
        decrypt(key, m);
    else if (m->parts->stub.size)
        memcpy(m->plain, m->parts->stub.data, m->parts->stub.size);
    for (int whole = 0; whole < 2; whole++) {
        uint8_t expected[8];
        checksum(key, m, whole, expected);
        if (sodium_memcmp(expected, m->signature + CHECKSUM_AT, sizeof expected) == 0)
            return true;
    }
    return false;
}

enum unseal_result netlogon_rpc(struct context_netlogon *context, enum direction direction,
                                const struct rpc_sealed *sealed, uint8_t *to, size_t *size)
{
    (void)direction; /* the sequence number says it, but nothing depends on it */
    struct rpc_parts parts;
    if (!rpc_parts_of(sealed, &parts))
        return UNSEAL_MALFORMED;
    struct cursor c = cursor_of_bytes(parts.token);
    uint16_t sign = cursor_le16(&c);
    uint16_t seal = cursor_le16(&c);
    struct message m = {
        .parts = &parts, .signature = parts.token.data, .sealed = seal != SEAL_NONE, .plain = to};
    bool aes = sign == SIGN_SHA256;
    if (parts.token.size < (m.sealed ? SIGNATURE_MAX : CONFOUNDER_AT) || (!aes && sign != SIGN_MD5) ||
        (m.sealed && seal != (aes ? SEAL_AES : SEAL_RC4)))
        return UNSEAL_MALFORMED;
    enum unseal_result result = UNSEAL_NO_KEY;
    for (size_t i = 0; i < context->count && result != UNSEAL_FINE; i++) {
        struct netlogon_key key = context->keys[i];
        if (key.aes != aes)
            continue;
        result = fits(&key, &m) ? UNSEAL_FINE : UNSEAL_WRONG_KEY;
        if (result == UNSEAL_FINE) { /* the others were of other channels */
            memset(context, 0, sizeof *context);
            context->count = 1;
            context->keys[0] = key;
            *size = parts.stub.size;
        }
        sodium_memzero(&key, sizeof key);
    }
    sodium_memzero(m.confounder, sizeof m.confounder);
    return result;
}
