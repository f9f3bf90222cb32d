/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/ntlm_keys.h"

#include "capture/unseal.h"

#include <nettle/arcfour.h>
#include <nettle/des.h>
#include <nettle/hmac.h>
#include <nettle/md4.h>
#include <nettle/md5.h>
#include <sodium.h>
#include <string.h>

#define UPPER_CHUNK 64

/* --- text --- */

/* A character of the user's name in upper case: Latin, Greek and Cyrillic letters, as Windows has them. The C
 * library's towupper depends on a locale, and locales are files. */
static uint16_t upper(uint16_t c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 0xe0 && c <= 0xfe && c != 0xf7) ||
        (c >= 0x3b1 && c <= 0x3cb && c != 0x3c2) || (c >= 0x430 && c <= 0x44f))
        return (uint16_t)(c - 0x20);
    if (c >= 0x450 && c <= 0x45f)
        return (uint16_t)(c - 0x50);
    if (c == 0xff)
        return 0x178;
    /* Latin Extended-A: pairs, upper case first on even numbers, but on odd ones in the middle and at the
     * end. */
    if ((c >= 0x100 && c <= 0x137 && c != 0x130 && c != 0x131) || (c >= 0x14a && c <= 0x177) ||
        (c >= 0x460 && c <= 0x481) || (c >= 0x48a && c <= 0x4bf))
        return c & 0xfffe;
    if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17e))
        return (uint16_t)(c - (c % 2 == 0));
    switch (c) {
    case 0x3ac:
        return 0x386;
    case 0x3ad:
    case 0x3ae:
    case 0x3af:
        return (uint16_t)(c - 0x25);
    case 0x3cc:
        return 0x38c;
    case 0x3cd:
    case 0x3ce:
        return (uint16_t)(c - 0x3f);
    default:
        return c;
    }
}

/* Text of a message into the MAC as UTF-16LE. */
static void update_text(struct hmac_md5_ctx *mac, struct bytes text, bool unicode, bool to_upper)
{
    uint8_t chunk[UPPER_CHUNK];
    size_t step = unicode ? 2 : 1;
    size_t used = 0;
    for (size_t i = 0; i + step <= text.size; i += step) {
        uint16_t c = unicode ? (uint16_t)(text.data[i] | text.data[i + 1] << 8) : text.data[i];
        if (to_upper)
            c = upper(c);
        chunk[used++] = (uint8_t)c;
        chunk[used++] = (uint8_t)(c >> 8);
        if (used == sizeof chunk) {
            hmac_md5_update(mac, used, chunk);
            used = 0;
        }
    }
    hmac_md5_update(mac, used, chunk);
}

/* --- responses --- */

void ntlm_des(const uint8_t key[7], const uint8_t from[8], uint8_t to[8])
{
    uint8_t spread[8];
    struct des_ctx des;
    uint64_t bits = 0;
    for (int i = 0; i < 7; i++)
        bits = bits << 8 | key[i];
    for (int i = 0; i < 8; i++) /* behind each seven there is room for parity, at which nobody looks */
        spread[i] = (uint8_t)(bits >> (49 - 7 * i) << 1);
    des_set_key(&des, spread); /* says when a key is weak: it is used as it is */
    des_encrypt(&des, 8, to, from);
    sodium_memzero(spread, sizeof spread);
    sodium_memzero(&des, sizeof des);
}

/* DESL (6: Appendix): the key of 16 bytes, filled up with zeros to 21, as three. */
static void desl(const uint8_t key[16], const uint8_t from[8], uint8_t to[24])
{
    uint8_t keys[21] = {0};
    memcpy(keys, key, 16);
    for (size_t i = 0; i < 3; i++)
        ntlm_des(keys + 7 * i, from, to + 8 * i);
    sodium_memzero(keys, sizeof keys);
}

/* 3.3.1. SessionBaseKey = MD4(NTOWF) */
static bool ntlmv1(const uint8_t nt_hash[16], const uint8_t challenge[8], const struct ntlm_message *m,
                   uint8_t base[16])
{
    uint8_t question[16];
    uint8_t response[24];
    if (m->variant == NTLM_VARIANT_NTLMV1_ESS) {
        struct md5_ctx md5;
        md5_init(&md5);
        md5_update(&md5, 8, challenge);
        md5_update(&md5, 8, m->client_challenge.data);
        md5_digest(&md5, sizeof question, question);
    } else {
        memcpy(question, challenge, 8);
    }
    desl(nt_hash, question, response);
    if (m->nt_response.size != sizeof response ||
        sodium_memcmp(response, m->nt_response.data, sizeof response) != 0)
        return false;
    struct md4_ctx md4;
    md4_init(&md4);
    md4_update(&md4, 16, nt_hash);
    md4_digest(&md4, 16, base);
    return true;
}

/* 3.3.2. NTOWFv2 = HMAC_MD5(NT hash, UPPER(user) || domain), NTProofStr = HMAC_MD5(NTOWFv2, challenge ||
 * temp), SessionBaseKey = HMAC_MD5(NTOWFv2, NTProofStr) */
static bool ntlmv2(const uint8_t nt_hash[16], const uint8_t challenge[8], const struct ntlm_message *m,
                   uint8_t base[16])
{
    if (m->nt_response.size <= 16)
        return false;
    uint8_t owner[16];
    uint8_t proof[16];
    struct hmac_md5_ctx mac;
    hmac_md5_set_key(&mac, 16, nt_hash);
    update_text(&mac, m->user, m->unicode, true);
    update_text(&mac, m->domain, m->unicode, false);
    hmac_md5_digest(&mac, sizeof owner, owner);
    hmac_md5_set_key(&mac, sizeof owner, owner);
    hmac_md5_update(&mac, 8, challenge);
    hmac_md5_update(&mac, m->nt_response.size - 16, m->nt_response.data + 16);
    hmac_md5_digest(&mac, sizeof proof, proof);
    bool fine = sodium_memcmp(proof, m->nt_response.data, sizeof proof) == 0;
    if (fine) {
        hmac_md5_update(&mac, sizeof proof, proof);
        hmac_md5_digest(&mac, 16, base);
    }
    sodium_memzero(owner, sizeof owner);
    sodium_memzero(&mac, sizeof mac);
    return fine;
}

/* --- keys --- */

/* KXKEY (3.4.5.1). False: it comes from the LM hash, which no keytab has. */
static bool key_exchange_key(const uint8_t base[16], const uint8_t challenge[8], const struct ntlm_message *m,
                             uint8_t to[16])
{
    if (m->variant == NTLM_VARIANT_NTLMV2) {
        memcpy(to, base, 16);
        return true;
    }
    if (m->flags & NTLM_FLAG_ESS) {
        if (m->lm_response.size < 8)
            return false;
        struct hmac_md5_ctx mac;
        hmac_md5_set_key(&mac, 16, base);
        hmac_md5_update(&mac, 8, challenge);
        hmac_md5_update(&mac, 8, m->lm_response.data);
        hmac_md5_digest(&mac, 16, to);
        return true;
    }
    if (m->flags & (NTLM_FLAG_LM_KEY | NTLM_FLAG_NON_NT_KEY))
        return false;
    memcpy(to, base, 16);
    return true;
}

/* SIGNKEY and SEALKEY with extended session security (3.4.5.2, 3.4.5.3): MD5 over the key and a text that
 * names direction and use, with its zero. */
static void derive_key(const uint8_t *key, size_t size, const char *text, uint8_t to[16])
{
    struct md5_ctx md5;
    md5_init(&md5);
    md5_update(&md5, size, key);
    md5_update(&md5, strlen(text) + 1, (const uint8_t *)text);
    md5_digest(&md5, 16, to);
    sodium_memzero(&md5, sizeof md5);
}

static void start_cipher(struct ntlm_half *half, size_t key_size)
{
    struct arcfour_ctx rc4;
    _Static_assert(sizeof rc4 == sizeof half->rc4, "the state of RC4");
    arcfour_set_key(&rc4, key_size, half->sealing_key);
    memcpy(half->rc4, &rc4, sizeof rc4);
    sodium_memzero(&rc4, sizeof rc4);
}

static void expand_extended(struct context_ntlm *to)
{
    static const char *const sign[] = {"session key to client-to-server signing key magic constant",
                                       "session key to server-to-client signing key magic constant"};
    static const char *const seal[] = {"session key to client-to-server sealing key magic constant",
                                       "session key to server-to-client sealing key magic constant"};
    size_t size = to->flags & NTLM_FLAG_128 ? 16 : to->flags & NTLM_FLAG_56 ? 7 : 5;
    for (int i = TO_SERVER; i <= TO_CLIENT; i++) {
        struct ntlm_half *half = &to->half[i];
        derive_key(to->session_key, 16, sign[i], half->signing_key);
        derive_key(to->session_key, size, seal[i], half->sealing_key);
        start_cipher(half, 16);
    }
}

/* Without it both directions have one key, one cipher and one sequence (the first half's): 3.4.5.3. */
static void expand_plain(struct context_ntlm *to)
{
    struct ntlm_half *half = &to->half[0];
    size_t size = 16;
    memcpy(half->sealing_key, to->session_key, 16);
    if (to->flags & NTLM_FLAG_LM_KEY) {
        static const uint8_t tail[] = {0xe5, 0x38, 0xb0};
        bool bits56 = to->flags & NTLM_FLAG_56;
        size = 8;
        if (bits56)
            half->sealing_key[7] = 0xa0;
        else
            memcpy(half->sealing_key + 5, tail, sizeof tail);
    }
    start_cipher(half, size);
}

void ntlm_keys_expand(struct context_ntlm *to)
{
    to->half[0].sequence = to->half[1].sequence = 0;
    to->expanded = true;
    if (to->flags & NTLM_FLAG_ESS)
        expand_extended(to);
    else
        expand_plain(to);
}

enum unseal_result ntlm_keys_derive(const uint8_t nt_hash[16], const uint8_t challenge[8],
                                    const struct ntlm_message *m, struct context_ntlm *to)
{
    uint8_t base[16];
    uint8_t key[16];
    memset(to, 0, sizeof *to);
    if (m->variant == NTLM_VARIANT_LM || m->variant == NTLM_VARIANT_ANONYMOUS)
        return UNSEAL_UNSUPPORTED;
    bool proven = m->variant == NTLM_VARIANT_NTLMV2 ? ntlmv2(nt_hash, challenge, m, base)
                                                    : ntlmv1(nt_hash, challenge, m, base);
    if (!proven)
        return UNSEAL_WRONG_KEY;
    enum unseal_result result = UNSEAL_UNSUPPORTED;
    if (!key_exchange_key(base, challenge, m, key))
        goto out;
    bool exchanged = m->flags & NTLM_FLAG_KEY_EXCHANGE && m->flags & (NTLM_FLAG_SIGN | NTLM_FLAG_SEAL);
    result = UNSEAL_MALFORMED;
    if (exchanged && m->session_key.size != 16) /* cut off */
        goto out;
    to->flags = m->flags;
    if (m->flags & NTLM_FLAG_KEY_EXCHANGE && m->session_key.size == 16) {
        struct arcfour_ctx rc4;
        arcfour_set_key(&rc4, sizeof key, key);
        arcfour_crypt(&rc4, 16, to->session_key, m->session_key.data);
        sodium_memzero(&rc4, sizeof rc4);
    } else {
        memcpy(to->session_key, key, 16);
    }
    result = UNSEAL_FINE;
out:
    sodium_memzero(base, sizeof base);
    sodium_memzero(key, sizeof key);
    return result;
}
