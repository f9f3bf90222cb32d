/* SPDX-License-Identifier: Apache-2.0
 *
 * NTLM's signing and sealing ([MS-NLMP] 3.4.2 to 3.4.4). A message is decrypted with a copy of its
 * direction's cipher; only when its signature proves right the copy takes the original's place. So neither a
 * damaged nor a repeated message can break what follows it. A message that was not captured does: how far it
 * moved the cipher nobody knows.
 */
#include "keys/ntlm_keys.h"
#include "keys/rpc_parts.h"

#include <nettle/arcfour.h>
#include <nettle/hmac.h>
#include <sodium.h>
#include <string.h>

#define SIGNATURE_SIZE 16

/* NTLMSSP_MESSAGE_SIGNATURE (2.2.2.9.2): Version 4, Checksum 8, SeqNum 4; without extended session security
 * (2.2.2.9.1): Version 4, RandomPad 4, Checksum 4, SeqNum 4. */
struct sealed {
    struct bytes signature;
    struct bytes message; /* what is encrypted; goes to `to` */
    struct bytes before;  /* of the PDU: covered by the signature and clear */
    struct bytes after;
    uint8_t *to;
};

static uint32_t sequence_of(const struct bytes *signature)
{
    struct cursor c = cursor_of_bytes(*signature);
    cursor_skip(&c, 12);
    return cursor_le32(&c);
}

/* --- with extended session security --- */

/* HMAC_MD5(SigningKey, SeqNum || Message); whether the PDU's headers are part of the message depends on what
 * was negotiated: `whole`. */
static void checksum_extended(const struct ntlm_half *half, const struct sealed *s, bool whole, uint8_t to[8])
{
    struct hmac_md5_ctx mac;
    hmac_md5_set_key(&mac, 16, half->signing_key);
    hmac_md5_update(&mac, 4, s->signature.data + 12);
    if (whole && s->before.size)
        hmac_md5_update(&mac, s->before.size, s->before.data);
    if (s->message.size)
        hmac_md5_update(&mac, s->message.size, s->to);
    if (whole && s->after.size)
        hmac_md5_update(&mac, s->after.size, s->after.data);
    hmac_md5_digest(&mac, 8, to);
    sodium_memzero(&mac, sizeof mac);
}

static enum unseal_result open_extended(const struct context_ntlm *context, struct ntlm_half *half,
                                        const struct sealed *s)
{
    uint32_t sequence = sequence_of(&s->signature);
    /* The MIC over SPNEGO's list of mechanisms takes the first number, but leaves the cipher as it was
     * ([MS-SPNG] 3.3.5.1): it may not have been asked about. */
    bool first = half->sequence == 0 && sequence == 1;
    if (sequence != half->sequence && !first)
        return UNSEAL_ORDER;
    struct arcfour_ctx rc4;
    memcpy(&rc4, half->rc4, sizeof rc4);
    if (context->flags & NTLM_FLAG_SEAL)
        arcfour_crypt(&rc4, s->message.size, s->to, s->message.data);
    else if (s->message.size)
        memcpy(s->to, s->message.data, s->message.size);
    uint8_t stated[8];
    memcpy(stated, s->signature.data + 4, sizeof stated);
    if (context->flags & NTLM_FLAG_KEY_EXCHANGE)
        arcfour_crypt(&rc4, sizeof stated, stated, stated);
    bool fine = false;
    for (int whole = 1; whole >= 0 && !fine; whole--) {
        uint8_t checksum[8];
        checksum_extended(half, s, whole, checksum);
        fine = sodium_memcmp(checksum, stated, sizeof checksum) == 0;
    }
    if (fine) {
        memcpy(half->rc4, &rc4, sizeof rc4);
        half->sequence = sequence + 1;
    }
    sodium_memzero(&rc4, sizeof rc4);
    /* The first one that is seen may not be the first one that was sent. */
    return fine ? UNSEAL_FINE : first ? UNSEAL_ORDER : UNSEAL_WRONG_KEY;
}

/* --- without --- */

/* CRC-32 (ISO 3309), by half bytes. */
static uint32_t crc32_update(uint32_t crc, struct bytes run)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    for (size_t i = 0; i < run.size; i++) {
        crc ^= run.data[i];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return crc;
}

static uint32_t checksum_plain(const struct sealed *s, bool whole)
{
    uint32_t crc = 0xffffffffu;
    if (whole)
        crc = crc32_update(crc, s->before);
    crc = crc32_update(crc, (struct bytes){.data = s->to, .size = s->message.size});
    if (whole)
        crc = crc32_update(crc, s->after);
    return ~crc;
}

/* 3.4.4.1: RandomPad, Checksum and SeqNum are encrypted behind the message, with the same cipher. What stands
 * in RandomPad's place afterwards says nothing. */
static enum unseal_result open_plain(const struct context_ntlm *context, struct ntlm_half *half,
                                     const struct sealed *s)
{
    struct arcfour_ctx rc4;
    uint8_t stated[12];
    memcpy(&rc4, half->rc4, sizeof rc4);
    if (context->flags & NTLM_FLAG_SEAL)
        arcfour_crypt(&rc4, s->message.size, s->to, s->message.data);
    else if (s->message.size)
        memcpy(s->to, s->message.data, s->message.size);
    arcfour_crypt(&rc4, sizeof stated, stated, s->signature.data + 4);
    struct cursor c = cursor_of(stated + 4, 8);
    uint32_t crc = cursor_le32(&c);
    uint32_t sequence = cursor_le32(&c);
    /* MICs over SPNEGO's list of mechanisms took the first numbers, one in each direction; the cipher begins
     * anew. */
    bool first = half->sequence == 0 && sequence <= 2;
    bool fine = (sequence == half->sequence || first) &&
                (crc == checksum_plain(s, false) || crc == checksum_plain(s, true));
    /* The number is sealed too: behind a hole nothing can be told from damage. */
    enum unseal_result result = half->sequence ? UNSEAL_ORDER : UNSEAL_WRONG_KEY;
    if (fine) {
        memcpy(half->rc4, &rc4, sizeof rc4);
        half->sequence = sequence + 1;
        result = UNSEAL_FINE;
    }
    sodium_memzero(&rc4, sizeof rc4);
    return result;
}

static enum unseal_result open_message(struct context_ntlm *context, enum direction direction,
                                       const struct sealed *s)
{
    static const uint8_t version[4] = {1, 0, 0, 0};
    if (context->flags & NTLM_FLAG_DATAGRAM) /* each message has a key of its own, in any order */
        return UNSEAL_UNSUPPORTED;
    if (s->signature.size != SIGNATURE_SIZE || memcmp(s->signature.data, version, sizeof version) != 0 ||
        s->message.size > UNSEAL_MESSAGE_MAX)
        return UNSEAL_MALFORMED;
    if (!context->expanded)
        ntlm_keys_expand(context);
    if (context->flags & NTLM_FLAG_ESS)
        return open_extended(context, &context->half[direction], s);
    return open_plain(context, &context->half[0], s);
}

enum unseal_result ntlm_unwrap(struct context_ntlm *context, enum direction direction, struct bytes token,
                               uint8_t *to, size_t *size)
{
    struct cursor c = cursor_of_bytes(token);
    struct sealed s = {.to = to};
    s.signature = cursor_take(&c, SIGNATURE_SIZE);
    s.message = cursor_take(&c, cursor_left(&c));
    enum unseal_result result = open_message(context, direction, &s);
    if (result == UNSEAL_FINE)
        *size = s.message.size;
    return result;
}

enum unseal_result ntlm_rpc(struct context_ntlm *context, enum direction direction,
                            const struct rpc_sealed *sealed, uint8_t *to, size_t *size)
{
    struct rpc_parts parts;
    if (!rpc_parts_of(sealed, &parts) || parts.token.size < SIGNATURE_SIZE)
        return UNSEAL_MALFORMED;
    struct sealed s = {.signature = {.data = parts.token.data, .size = SIGNATURE_SIZE},
                       .message = parts.stub,
                       .before = parts.before,
                       .after = parts.after,
                       .to = to};
    enum unseal_result result = open_message(context, direction, &s);
    if (result == UNSEAL_FINE)
        *size = s.message.size;
    return result;
}
