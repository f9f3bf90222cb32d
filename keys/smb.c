/* SPDX-License-Identifier: Apache-2.0
 *
 * SMB 2 and 3: the keys of a session ([MS-SMB2] 3.1.4.2), encrypted messages (3.1.4.3), signatures (3.1.4.1).
 */
#include "keys/operations.h"

#include <nettle/ccm.h>
#include <nettle/cmac.h>
#include <nettle/gcm.h>
#include <nettle/hmac.h>
#include <sodium.h>
#include <string.h>

enum { /* 2.2.41: ProtocolId(4), Signature[16], Nonce[16], OriginalMessageSize(4), Reserved(2), Flags(2),
        * SessionId(8) */
       TAG_SIZE = 16,
       NONCE_SIZE = 16,
       ADDITIONAL_SIZE = 32, /* from the nonce on */
       CCM_NONCE_SIZE = 11,
};

enum { /* 2.2.1.2 */
       HEADER_SIZE = 64,
       HEADER_COMMAND = 12,
       HEADER_FLAGS = 16,
       HEADER_MESSAGE_ID = 24,
       HEADER_SIGNATURE = 48,
       FLAG_RESPONSE = 1,
       COMMAND_CANCEL = 12,
};

enum { /* 2.2.3.1.2 */
       CIPHER_NONE = 0,
       CIPHER_AES_128_CCM = 1,
       CIPHER_AES_128_GCM = 2,
       CIPHER_AES_256_CCM = 3,
       CIPHER_AES_256_GCM = 4,
};

enum { /* 2.2.3.1.7 */
       SIGNING_HMAC_SHA256 = 0,
       SIGNING_AES_CMAC = 1,
       SIGNING_AES_GMAC = 2,
       SIGNING_NOT_NEGOTIATED = 0xffff,
};

enum { DIALECT_3_0 = 0x0300, DIALECT_3_1_1 = 0x0311, PREAUTH_HASH_SIZE = 64, SIGNING_KEY_SIZE = 16 };
enum { SMB_SIGNERS = 256 };

/* --- keys --- */

static size_t copy_key(const struct key_material *key, uint8_t to[KEY_BYTES_MAX])
{
    memcpy(to, key->bytes, key->size);
    return key->size;
}

size_t context_session_key(const struct security_context *context, uint8_t to[KEY_BYTES_MAX])
{
    const struct context_kerberos *kerberos = &context->kerberos;
    if (context->kind == CONTEXT_NTLM) {
        memcpy(to, context->ntlm.session_key, sizeof context->ntlm.session_key);
        return sizeof context->ntlm.session_key;
    }
    if (context->kind != CONTEXT_KERBEROS)
        return 0;
    if (kerberos->acceptor.size)
        return copy_key(&kerberos->acceptor, to);
    return copy_key(kerberos->subkey.size ? &kerberos->subkey : &kerberos->session, to);
}

/* NIST SP 800-108 5.1 in counter mode with HMAC-SHA256, r = 32; one round gives the most that is wanted. */
static void derive(struct hmac_sha256_ctx *hmac, struct bytes label, struct bytes context, uint8_t *to,
                   size_t size)
{
    const uint8_t counter[] = {0, 0, 0, 1}, separator = 0;
    const uint8_t bits[] = {0, 0, (uint8_t)(size * 8 >> 8), (uint8_t)(size * 8)};
    hmac_sha256_update(hmac, sizeof counter, counter);
    hmac_sha256_update(hmac, label.size, label.data);
    hmac_sha256_update(hmac, 1, &separator);
    hmac_sha256_update(hmac, context.size, context.data);
    hmac_sha256_update(hmac, sizeof bits, bits);
    hmac_sha256_digest(hmac, size, to); /* it begins anew then */
}

/* With the terminator, which belongs to a label. */
#define TEXT(text) ((struct bytes){(const uint8_t *)(text), sizeof(text)})

/* What a session's keys are derived with. */
struct purposes {
    struct bytes signing, signing_context;
    struct bytes to_server, to_server_context;
    struct bytes to_client, to_client_context;
};

static struct purposes purposes_of(uint16_t dialect, struct bytes preauth_hash)
{
    if (dialect == DIALECT_3_1_1)
        return (struct purposes){TEXT("SMBSigningKey"),   preauth_hash, TEXT("SMBC2SCipherKey"), preauth_hash,
                                 TEXT("SMBS2CCipherKey"), preauth_hash};
    return (struct purposes){TEXT("SMB2AESCMAC"), TEXT("SmbSign"),    TEXT("SMB2AESCCM"),
                             TEXT("ServerIn "),   TEXT("SMB2AESCCM"), TEXT("ServerOut")};
}

static bool has_long_key(uint16_t cipher)
{
    return cipher == CIPHER_AES_256_CCM || cipher == CIPHER_AES_256_GCM;
}

/* 3.2.5.3.1: SessionKey is the first 16 bytes of the context's key, padded with zeros (which HMAC does by
 * itself); FullSessionKey, for the ciphers with long keys, is all of it. */
static void make_keys(struct context_smb *smb, struct bytes full, struct bytes preauth_hash)
{
    struct bytes key = {full.data, full.size < SIGNING_KEY_SIZE ? full.size : SIGNING_KEY_SIZE};
    if (smb->dialect < DIALECT_3_0) {
        memcpy(smb->signing_key, key.data, key.size);
        return;
    }
    struct purposes p = purposes_of(smb->dialect, preauth_hash);
    struct hmac_sha256_ctx hmac;
    hmac_sha256_set_key(&hmac, key.size, key.data);
    derive(&hmac, p.signing, p.signing_context, smb->signing_key, sizeof smb->signing_key);
    smb->key_size = has_long_key(smb->cipher) ? 32 : 16;
    if (has_long_key(smb->cipher))
        hmac_sha256_set_key(&hmac, full.size, full.data);
    derive(&hmac, p.to_server, p.to_server_context, smb->encryption[TO_SERVER], smb->key_size);
    derive(&hmac, p.to_client, p.to_client_context, smb->encryption[TO_CLIENT], smb->key_size);
    sodium_memzero(&hmac, sizeof hmac);
}

static uint16_t cipher_of(uint16_t dialect, uint16_t cipher)
{
    if (dialect < DIALECT_3_0)
        return CIPHER_NONE;
    return dialect == DIALECT_3_1_1 ? cipher : CIPHER_AES_128_CCM;
}

static uint16_t signing_of(uint16_t dialect, uint16_t signing)
{
    if (dialect < DIALECT_3_0)
        return SIGNING_HMAC_SHA256;
    return dialect == DIALECT_3_1_1 && signing != SIGNING_NOT_NEGOTIATED ? signing : SIGNING_AES_CMAC;
}

void operation_smb(struct key_request *r)
{
    uint64_t id = request_uint(r);
    uint16_t dialect = (uint16_t)request_uint(r);
    uint16_t cipher = (uint16_t)request_uint(r);
    uint16_t signing = (uint16_t)request_uint(r);
    struct bytes preauth_hash = request_bytes(r);
    if (r->c.failed || preauth_hash.size != PREAUTH_HASH_SIZE) {
        answer_result(r, UNSEAL_MALFORMED);
        return;
    }
    uint8_t key[KEY_BYTES_MAX];
    const struct security_context *base = context_find(r->holder->contexts, id, r->line);
    size_t size = base ? context_session_key(base, key) : 0;
    if (!size) {
        answer_result(r, UNSEAL_NO_CONTEXT);
        return;
    }
    struct security_context *session = context_new(r->holder->contexts, CONTEXT_SMB, r->line);
    session->smb.dialect = dialect;
    session->smb.cipher = cipher_of(dialect, cipher);
    session->smb.signing = signing_of(dialect, signing);
    make_keys(&session->smb, (struct bytes){key, size}, preauth_hash);
    sodium_memzero(key, sizeof key);
    answer_context(r, UNSEAL_FINE, session);
}

/* --- encrypted messages --- */

struct transform {
    const uint8_t *nonce; /* and what stands behind it: the additional data */
    const uint8_t *signature;
    struct bytes cipher;
};

static bool read_transform(struct bytes message, struct transform *to)
{
    struct cursor c = cursor_of_bytes(message);
    struct bytes id = cursor_take(&c, 4);
    to->signature = cursor_take(&c, TAG_SIZE).data;
    to->nonce = c.at;
    cursor_skip(&c, NONCE_SIZE);
    uint32_t size = cursor_le32(&c);
    cursor_skip(&c, ADDITIONAL_SIZE - NONCE_SIZE - 4);
    to->cipher = cursor_take(&c, size);
    return !c.failed && size && size <= UNSEAL_MESSAGE_MAX && memcmp(id.data, "\xfdSMB", 4) == 0;
}

union ciphers {
    struct ccm_aes128_ctx ccm_128;
    struct ccm_aes256_ctx ccm_256;
    struct gcm_aes128_ctx gcm_128;
    struct gcm_aes256_ctx gcm_256;
};

static void decrypt_ccm_128(struct ccm_aes128_ctx *ctx, const uint8_t *key, const struct transform *t,
                            uint8_t *to, uint8_t tag[TAG_SIZE])
{
    ccm_aes128_set_key(ctx, key);
    ccm_aes128_set_nonce(ctx, CCM_NONCE_SIZE, t->nonce, ADDITIONAL_SIZE, t->cipher.size, TAG_SIZE);
    ccm_aes128_update(ctx, ADDITIONAL_SIZE, t->nonce);
    ccm_aes128_decrypt(ctx, t->cipher.size, to, t->cipher.data);
    ccm_aes128_digest(ctx, TAG_SIZE, tag);
}

static void decrypt_ccm_256(struct ccm_aes256_ctx *ctx, const uint8_t *key, const struct transform *t,
                            uint8_t *to, uint8_t tag[TAG_SIZE])
{
    ccm_aes256_set_key(ctx, key);
    ccm_aes256_set_nonce(ctx, CCM_NONCE_SIZE, t->nonce, ADDITIONAL_SIZE, t->cipher.size, TAG_SIZE);
    ccm_aes256_update(ctx, ADDITIONAL_SIZE, t->nonce);
    ccm_aes256_decrypt(ctx, t->cipher.size, to, t->cipher.data);
    ccm_aes256_digest(ctx, TAG_SIZE, tag);
}

static void decrypt_gcm_128(struct gcm_aes128_ctx *ctx, const uint8_t *key, const struct transform *t,
                            uint8_t *to, uint8_t tag[TAG_SIZE])
{
    gcm_aes128_set_key(ctx, key);
    gcm_aes128_set_iv(ctx, GCM_IV_SIZE, t->nonce);
    gcm_aes128_update(ctx, ADDITIONAL_SIZE, t->nonce);
    gcm_aes128_decrypt(ctx, t->cipher.size, to, t->cipher.data);
    gcm_aes128_digest(ctx, TAG_SIZE, tag);
}

static void decrypt_gcm_256(struct gcm_aes256_ctx *ctx, const uint8_t *key, const struct transform *t,
                            uint8_t *to, uint8_t tag[TAG_SIZE])
{
    gcm_aes256_set_key(ctx, key);
    gcm_aes256_set_iv(ctx, GCM_IV_SIZE, t->nonce);
    gcm_aes256_update(ctx, ADDITIONAL_SIZE, t->nonce);
    gcm_aes256_decrypt(ctx, t->cipher.size, to, t->cipher.data);
    gcm_aes256_digest(ctx, TAG_SIZE, tag);
}

static enum unseal_result decrypt(const struct context_smb *smb, enum direction direction,
                                  const struct transform *t, uint8_t *to)
{
    const uint8_t *key = smb->encryption[direction];
    uint8_t tag[TAG_SIZE];
    union ciphers ctx;
    switch (smb->cipher) {
    case CIPHER_AES_128_CCM:
        decrypt_ccm_128(&ctx.ccm_128, key, t, to, tag);
        break;
    case CIPHER_AES_128_GCM:
        decrypt_gcm_128(&ctx.gcm_128, key, t, to, tag);
        break;
    case CIPHER_AES_256_CCM:
        decrypt_ccm_256(&ctx.ccm_256, key, t, to, tag);
        break;
    case CIPHER_AES_256_GCM:
        decrypt_gcm_256(&ctx.gcm_256, key, t, to, tag);
        break;
    default:
        return UNSEAL_UNSUPPORTED;
    }
    sodium_memzero(&ctx, sizeof ctx);
    if (sodium_memcmp(tag, t->signature, TAG_SIZE) == 0)
        return UNSEAL_FINE;
    sodium_memzero(to, t->cipher.size);
    return UNSEAL_WRONG_KEY;
}

void operation_smb_message(struct key_request *r)
{
    enum direction direction;
    struct transform transform;
    struct security_context *context = request_context(r, &direction);
    if (!context)
        return;
    struct bytes message = request_bytes(r);
    if (r->c.failed || !read_transform(message, &transform)) {
        answer_result(r, UNSEAL_MALFORMED);
        return;
    }
    if (context->kind != CONTEXT_SMB) {
        answer_result(r, UNSEAL_NO_CONTEXT);
        return;
    }
    uint8_t *plain = plain_take(r->holder, transform.cipher.size);
    if (!plain) {
        answer_result(r, UNSEAL_MALFORMED);
        return;
    }
    enum unseal_result result = decrypt(&context->smb, direction, &transform, plain);
    answer_plain(r, result, plain, transform.cipher.size);
}

/* --- signatures --- */

/* What is prepared from a signing key: the few messages of a session that are checked come close to each
 * other. */
struct smb_signer {
    uint8_t key[SIGNING_KEY_SIZE];
    uint16_t signing;
    bool used;
    union {
        struct hmac_sha256_ctx hmac;
        struct cmac_aes128_ctx cmac;
        struct gcm_aes128_ctx gcm;
    };
};

struct smb_signers {
    struct smb_signer signers[SMB_SIGNERS];
};

struct smb_signers *smb_signers_new(void)
{
    struct smb_signers *all = sodium_malloc(sizeof *all);
    if (all)
        memset(all, 0, sizeof *all);
    return all;
}

void smb_signers_destroy(struct smb_signers **all_p)
{
    sodium_free(*all_p);
    *all_p = NULL;
}

/* NULL: no such algorithm. */
static struct smb_signer *signer_of(struct smb_signers *all, const struct context_smb *smb)
{
    uint32_t place;
    memcpy(&place, smb->signing_key, sizeof place);
    struct smb_signer *signer = &all->signers[place % SMB_SIGNERS];
    if (signer->used && signer->signing == smb->signing &&
        sodium_memcmp(signer->key, smb->signing_key, sizeof signer->key) == 0)
        return signer;
    signer->used = true;
    signer->signing = smb->signing;
    memcpy(signer->key, smb->signing_key, sizeof signer->key);
    switch (smb->signing) {
    case SIGNING_HMAC_SHA256:
        hmac_sha256_set_key(&signer->hmac, SIGNING_KEY_SIZE, signer->key);
        return signer;
    case SIGNING_AES_CMAC:
        cmac_aes128_set_key(&signer->cmac, signer->key);
        return signer;
    case SIGNING_AES_GMAC:
        gcm_aes128_set_key(&signer->gcm, signer->key);
        return signer;
    default:
        signer->used = false;
        return NULL;
    }
}

/* Nonce: MessageId(8), then bits: 1 of the server, 2 a CANCEL. All of the message is additional data. */
static void start_gmac(struct gcm_aes128_ctx *ctx, struct bytes message)
{
    uint8_t nonce[GCM_IV_SIZE] = {0};
    memcpy(nonce, message.data + HEADER_MESSAGE_ID, 8);
    nonce[8] = message.data[HEADER_FLAGS] & FLAG_RESPONSE;
    if (message.data[HEADER_COMMAND] == COMMAND_CANCEL)
        nonce[8] |= 2;
    gcm_aes128_set_iv(ctx, sizeof nonce, nonce);
}

static void update(struct smb_signer *signer, const uint8_t *data, size_t size)
{
    if (signer->signing == SIGNING_HMAC_SHA256)
        hmac_sha256_update(&signer->hmac, size, data);
    else if (signer->signing == SIGNING_AES_CMAC)
        cmac_aes128_update(&signer->cmac, size, data);
    else
        gcm_aes128_update(&signer->gcm, size, data);
}

static void finish(struct smb_signer *signer, uint8_t tag[TAG_SIZE])
{
    if (signer->signing == SIGNING_HMAC_SHA256)
        hmac_sha256_digest(&signer->hmac, TAG_SIZE, tag);
    else if (signer->signing == SIGNING_AES_CMAC)
        cmac_aes128_digest(&signer->cmac, TAG_SIZE, tag);
    else
        gcm_aes128_digest(&signer->gcm, TAG_SIZE, tag);
}

/* 3.1.4.1: over the message with a signature of zeros. */
static enum unseal_result verify(struct smb_signer *signer, struct bytes message)
{
    static const uint8_t zeros[TAG_SIZE];
    uint8_t tag[TAG_SIZE];
    if (!signer)
        return UNSEAL_UNSUPPORTED;
    if (signer->signing == SIGNING_AES_GMAC)
        start_gmac(&signer->gcm, message);
    update(signer, message.data, HEADER_SIGNATURE);
    update(signer, zeros, sizeof zeros);
    update(signer, message.data + HEADER_SIZE, message.size - HEADER_SIZE);
    finish(signer, tag);
    bool right = sodium_memcmp(tag, message.data + HEADER_SIGNATURE, TAG_SIZE) == 0;
    return right ? UNSEAL_FINE : UNSEAL_WRONG_KEY;
}

void operation_smb_signature(struct key_request *r)
{
    uint64_t id = request_uint(r);
    struct bytes message = request_bytes(r);
    if (r->c.failed || message.size < HEADER_SIZE || message.size > UNSEAL_MESSAGE_MAX) {
        answer_result(r, UNSEAL_MALFORMED);
        return;
    }
    const struct security_context *context = context_find(r->holder->contexts, id, r->line);
    bool known = context && context->kind == CONTEXT_SMB;
    answer_result(r,
                  known ? verify(signer_of(r->holder->signers, &context->smb), message) : UNSEAL_NO_CONTEXT);
}
