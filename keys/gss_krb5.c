/* SPDX-License-Identifier: Apache-2.0
 *
 * What a Kerberos context protects: the per-message tokens of RFC 4121 (AES) and RFC 4757 (RC4), and what RPC
 * makes of them ([MS-RPCE] 2.2.2.11, [MS-KILE] 3.4.5.4). Each token says who sent it and with which key;
 * nothing depends on order.
 */
#include "base/ber.h"
#include "keys/rpc_parts.h"

#include <nettle/arcfour.h>
#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <sodium.h>
#include <string.h>

enum { KEYS_MAX = 3 };

/* The keys that a token may be made with, the likeliest first. */
struct candidates {
    const struct key_material *keys[KEYS_MAX];
    size_t count;
};

static void add_candidate(struct candidates *list, const struct key_material *key, bool rc4)
{
    if (key->size && (key->etype == ETYPE_RC4) == rc4)
        list->keys[list->count++] = key;
}

/* --- RFC 4121 --- */

/* 4.2.6: TOK_ID 2, Flags 1, Filler 1, EC 2, RRC 2, SND_SEQ 8. A MIC has Filler in place of EC and RRC. */
enum {
    CFX_HEADER = 16,
    CFX_BY_ACCEPTOR = 1,
    CFX_SEALED = 2,
    CFX_ACCEPTOR_SUBKEY = 4,
    CFX_PADDING_MAX = 64, /* of EC; those who pad fill a block of the cipher */
};

/* Key usages (RFC 4121 2): 22 acceptor's seal, 23 acceptor's sign, 24 initiator's seal, 25 initiator's sign.
 */
enum { USAGE_SEAL = 22, USAGE_SIGN = 23, USAGE_BY_INITIATOR = 2 };

struct cfx {
    uint8_t header[CFX_HEADER];
    uint8_t flags;
    uint16_t padding; /* EC */
    uint16_t rotated; /* RRC */
    struct bytes body;
    int32_t usage;
    struct candidates keys;
};

static bool read_cfx(const struct context_kerberos *context, struct bytes token, uint8_t id, struct cfx *to)
{
    struct cursor c = cursor_of_bytes(token);
    *to = (struct cfx){0};
    cursor_copy(&c, to->header, CFX_HEADER);
    if (c.failed || to->header[0] != id || to->header[1] != 4 || to->header[3] != 0xff)
        return false;
    to->flags = to->header[2];
    to->padding = (uint16_t)(to->header[4] << 8 | to->header[5]);
    to->rotated = (uint16_t)(to->header[6] << 8 | to->header[7]);
    to->body = cursor_take(&c, cursor_left(&c));
    to->usage = (id == 5 ? USAGE_SEAL : USAGE_SIGN) + (to->flags & CFX_BY_ACCEPTOR ? 0 : USAGE_BY_INITIATOR);
    if (to->flags & CFX_ACCEPTOR_SUBKEY)
        add_candidate(&to->keys, &context->acceptor, false);
    else
        add_candidate(&to->keys, context->subkey.size ? &context->subkey : &context->session, false);
    return true;
}

/* The header as it was when it was protected: RRC, and for a checksum EC too, still zero. */
static void protected_header(const struct cfx *cfx, bool checksum, uint8_t to[CFX_HEADER])
{
    memcpy(to, cfx->header, CFX_HEADER);
    to[6] = to[7] = 0;
    if (checksum)
        to[4] = to[5] = 0;
}

static bool checksum_fits(struct key_holder *holder, const struct key_material *key, int32_t usage,
                          struct bytes message, const uint8_t header[CFX_HEADER], struct bytes checksum)
{
    const struct bytes runs[] = {message, {header, CFX_HEADER}};
    return kerberos_checksum_fits(holder->derived, key, usage, runs, 2, checksum);
}

/* `size` bytes that were rotated to the right, as they were. */
static void rotate_back(struct bytes from, size_t by, uint8_t *to)
{
    if (!from.size)
        return;
    by %= from.size;
    memcpy(to, from.data + by, from.size - by);
    if (by)
        memcpy(to + from.size - by, from.data, by);
}

/* 4.2.4: encrypted is plain text, filler, header; that all in one. */
static enum unseal_result open_sealed(struct key_holder *holder, const struct cfx *cfx, size_t rotated,
                                      const struct key_material *key, uint8_t *to, size_t *size)
{
    rotate_back(cfx->body, rotated, to);
    size_t all;
    enum unseal_result result =
        kerberos_decrypt(holder->derived, key, cfx->usage, (struct bytes){to, cfx->body.size}, to, &all);
    if (result != UNSEAL_FINE)
        return result == UNSEAL_MALFORMED ? UNSEAL_WRONG_KEY : result;
    uint8_t header[CFX_HEADER];
    protected_header(cfx, false, header);
    if (all < CFX_HEADER + (size_t)cfx->padding)
        return UNSEAL_MALFORMED;
    if (memcmp(to + all - CFX_HEADER, header, CFX_HEADER) != 0)
        return UNSEAL_WRONG_KEY;
    *size = all - CFX_HEADER - cfx->padding;
    return UNSEAL_FINE;
}

/* Signed only: plain text and, EC bytes long, its checksum. */
static enum unseal_result open_signed(struct key_holder *holder, const struct cfx *cfx,
                                      const struct key_material *key, uint8_t *to, size_t *size)
{
    if (cfx->padding > cfx->body.size)
        return UNSEAL_MALFORMED;
    uint8_t header[CFX_HEADER];
    protected_header(cfx, true, header);
    rotate_back(cfx->body, cfx->rotated, to);
    size_t plain = cfx->body.size - cfx->padding;
    struct bytes checksum = {.data = to + plain, .size = cfx->padding};
    if (!checksum_fits(holder, key, cfx->usage, (struct bytes){.data = to, .size = plain}, header, checksum))
        return UNSEAL_WRONG_KEY;
    *size = plain;
    return UNSEAL_FINE;
}

static enum unseal_result unwrap_cfx(struct key_holder *holder, const struct context_kerberos *context,
                                     struct bytes token, uint8_t *to, size_t *size)
{
    struct cfx cfx;
    if (!read_cfx(context, token, 5, &cfx))
        return UNSEAL_MALFORMED;
    if (!cfx.keys.count) /* the AP-REP that brought it was not seen */
        return UNSEAL_NO_CONTEXT;
    if (!(cfx.flags & CFX_SEALED))
        return open_signed(holder, &cfx, cfx.keys.keys[0], to, size);
    enum unseal_result result = open_sealed(holder, &cfx, cfx.rotated, cfx.keys.keys[0], to, size);
    /* Windows rotates by EC too, and does not say so. */
    if (result == UNSEAL_WRONG_KEY && cfx.padding)
        result = open_sealed(holder, &cfx, (size_t)cfx.rotated + cfx.padding, cfx.keys.keys[0], to, size);
    return result;
}

/* A token in DCE style: the cipher text's end stands in front of its beginning, the confounder, and the
 * message itself is where it always is. [MS-KILE] 3.4.5.4.1. */
struct dce {
    struct bytes confounder;
    struct bytes tail; /* filler, header */
    struct bytes mac;
};

static bool read_dce(const struct cfx *cfx, size_t mac_size, struct dce *to)
{
    struct cursor c = cursor_of_bytes(cfx->body);
    size_t tail = (size_t)cfx->padding + CFX_HEADER, end = tail + mac_size;
    bool rotated = cfx->rotated == end || (size_t)cfx->rotated + cfx->padding == end;
    if (cfx->padding > CFX_PADDING_MAX || !rotated || cfx->body.size != end + KERBEROS_CONFOUNDER)
        return false;
    to->tail = cursor_take(&c, tail);
    to->mac = cursor_take(&c, mac_size);
    to->confounder = cursor_take(&c, KERBEROS_CONFOUNDER);
    return true;
}

/* In `to`: confounder, stub and tail, as they were sealed; then the stub alone. The PDU that they are from is
 * longer. */
static enum unseal_result open_dce(struct key_holder *holder, const struct cfx *cfx,
                                   const struct rpc_parts *parts, bool headers, uint8_t *to)
{
    const struct key_material *key = cfx->keys.keys[0];
    struct dce dce;
    if (!kerberos_etype_known(key->etype))
        return UNSEAL_ETYPE;
    if (!read_dce(cfx, kerberos_mac_size(key->etype), &dce))
        return UNSEAL_MALFORMED;
    const struct bytes sealed[] = {dce.confounder, parts->stub, dce.tail};
    const struct bytes clear[] = {parts->before, parts->after};
    struct bytes runs[5];
    size_t size = 0, n = 0;
    for (size_t i = 0; i < 3; i++) {
        if (sealed[i].size)
            memcpy(to + size, sealed[i].data, sealed[i].size);
        runs[n++] = (struct bytes){to + size, sealed[i].size};
        size += sealed[i].size;
        if (headers && i < 2)
            runs[n++] = clear[i];
    }
    enum unseal_result result =
        kerberos_decrypt_parts(holder->derived, key, cfx->usage, to, size, runs, n, dce.mac);
    if (result != UNSEAL_FINE)
        return result;
    uint8_t header[CFX_HEADER];
    protected_header(cfx, false, header);
    if (memcmp(to + size - CFX_HEADER, header, CFX_HEADER) != 0)
        return UNSEAL_WRONG_KEY;
    memmove(to, to + KERBEROS_CONFOUNDER, parts->stub.size);
    return UNSEAL_FINE;
}

static enum unseal_result rpc_cfx(struct key_holder *holder, const struct context_kerberos *context,
                                  const struct rpc_parts *parts, uint8_t *to)
{
    struct cfx cfx;
    if (!read_cfx(context, parts->token, 5, &cfx) || !(cfx.flags & CFX_SEALED))
        return UNSEAL_MALFORMED;
    if (!cfx.keys.count)
        return UNSEAL_NO_CONTEXT;
    enum unseal_result result = open_dce(holder, &cfx, parts, true, to);
    if (result == UNSEAL_WRONG_KEY)
        result = open_dce(holder, &cfx, parts, false, to);
    return result;
}

/* --- RFC 4757 7 --- */

/* TOK_ID 2, SGN_ALG 2, SEAL_ALG 2, Filler 2, SND_SEQ 8, SGN_CKSUM 8; Confounder 8 of a wrap token. */
enum {
    RC4_HEADER = 8,
    RC4_USAGE_WRAP = 13,
    RC4_USAGE_MIC = 15,
    RC4_PADDING_MAX = 8,
};

struct rc4_token {
    struct bytes header;
    struct bytes sequence;
    struct bytes checksum;
    struct bytes confounder;
    struct bytes body;
    bool sealed;
};

/* With the header of RFC 2743 3.1 or without; the length that it states leaves out the message in DCE style.
 */
static bool read_rc4(struct bytes token, bool mic, struct rc4_token *to)
{
    static const uint8_t hmac[] = {0x11, 0};
    static const uint8_t rc4[] = {0x10, 0};
    static const uint8_t none[] = {0xff, 0xff};
    const uint8_t id[] = {mic ? 1 : 2, 1};
    struct cursor c = cursor_of_bytes(token);
    if (cursor_match(&c, (const uint8_t[]){BER_APPLICATION(0)}, 1)) {
        ber_length(&c);
        if (ber_next(&c).tag != BER_OID)
            return false;
    }
    to->header = cursor_take(&c, RC4_HEADER);
    to->sequence = cursor_take(&c, 8);
    to->checksum = cursor_take(&c, 8);
    to->confounder = cursor_take(&c, mic ? 0 : 8);
    if (c.failed)
        return false;
    to->body = cursor_take(&c, cursor_left(&c));
    struct cursor h = cursor_of_bytes(to->header);
    if (!cursor_match(&h, id, 2) || !cursor_match(&h, hmac, 2))
        return false;
    to->sealed = !mic && cursor_match(&h, rc4, 2);
    return to->sealed || (cursor_match(&h, none, 2) && (!mic || cursor_match(&h, none, 2)));
}

static void hmac_of(const uint8_t *key, size_t key_size, const void *data, size_t size, uint8_t to[16])
{
    struct hmac_md5_ctx mac;
    hmac_md5_set_key(&mac, key_size, key);
    hmac_md5_update(&mac, size, data);
    hmac_md5_digest(&mac, 16, to);
    sodium_memzero(&mac, sizeof mac);
}

/* HMAC(HMAC(key, usage 0), salt) is the key of a stream. */
static void start_rc4(const uint8_t key[16], const uint8_t *salt, size_t salt_size, struct arcfour_ctx *to)
{
    static const uint8_t zeros[4];
    uint8_t derived[16];
    hmac_of(key, 16, zeros, sizeof zeros, derived);
    hmac_of(derived, 16, salt, salt_size, derived);
    arcfour_set_key(to, sizeof derived, derived);
    sodium_memzero(derived, sizeof derived);
}

/* The checksum: HMAC(HMAC(key, "signaturekey"), MD5(usage, header, confounder, message)). */
static bool rc4_signature_fits(const struct key_material *key, const struct rc4_token *token, uint32_t usage,
                               const struct bytes *runs, size_t count)
{
    static const char text[] = "signaturekey"; /* with its zero */
    const uint8_t number[4] = {(uint8_t)usage};
    uint8_t signing[16];
    uint8_t digest[16];
    struct md5_ctx md5;
    md5_init(&md5);
    md5_update(&md5, sizeof number, number);
    md5_update(&md5, token->header.size, token->header.data);
    for (size_t i = 0; i < count; i++)
        md5_update(&md5, runs[i].size, runs[i].data);
    md5_digest(&md5, sizeof digest, digest);
    hmac_of(key->bytes, 16, text, sizeof text, signing);
    hmac_of(signing, 16, digest, sizeof digest, digest);
    sodium_memzero(signing, sizeof signing);
    return sodium_memcmp(digest, token->checksum.data, 8) == 0;
}

/* The first four bytes of the sequence number, in clear, salt the stream that seals confounder and message.
 */
static void rc4_decrypt(const struct key_material *key, const struct rc4_token *token, struct bytes message,
                        uint8_t confounder[8], uint8_t *to)
{
    if (!token->sealed) {
        memcpy(confounder, token->confounder.data, 8);
        if (message.size)
            memcpy(to, message.data, message.size);
        return;
    }
    struct arcfour_ctx rc4;
    uint8_t sequence[8];
    uint8_t turned[16];
    for (size_t i = 0; i < sizeof turned; i++)
        turned[i] = key->bytes[i] ^ 0xf0;
    start_rc4(key->bytes, token->checksum.data, 8, &rc4);
    arcfour_crypt(&rc4, 8, sequence, token->sequence.data);
    start_rc4(turned, sequence, 4, &rc4);
    arcfour_crypt(&rc4, 8, confounder, token->confounder.data);
    arcfour_crypt(&rc4, message.size, to, message.data);
    sodium_memzero(&rc4, sizeof rc4);
    sodium_memzero(turned, sizeof turned);
}

static struct candidates rc4_keys(const struct context_kerberos *context)
{
    struct candidates list = {.count = 0};
    add_candidate(&list, &context->acceptor, true);
    add_candidate(&list, &context->subkey, true);
    add_candidate(&list, &context->session, true);
    return list;
}

/* RFC 1964 1.2.2.3: one to eight bytes that all state their number. RC4 needs none, and most add just one. */
static size_t without_padding(const uint8_t *plain, size_t size)
{
    size_t padding = size ? plain[size - 1] : 0;
    if (!padding || padding > RC4_PADDING_MAX || padding > size)
        return size;
    for (size_t i = 1; i <= padding; i++)
        if (plain[size - i] != padding)
            return size;
    return size - padding;
}

static enum unseal_result unwrap_rc4(const struct context_kerberos *context, struct bytes token, uint8_t *to,
                                     size_t *size)
{
    struct rc4_token t;
    if (!read_rc4(token, false, &t))
        return UNSEAL_MALFORMED;
    struct candidates list = rc4_keys(context);
    enum unseal_result result = UNSEAL_NO_CONTEXT;
    for (size_t i = 0; i < list.count && result != UNSEAL_FINE; i++) {
        uint8_t confounder[8];
        rc4_decrypt(list.keys[i], &t, t.body, confounder, to);
        const struct bytes runs[] = {{confounder, sizeof confounder}, {to, t.body.size}};
        bool fits = rc4_signature_fits(list.keys[i], &t, RC4_USAGE_WRAP, runs, 2);
        result = fits ? UNSEAL_FINE : UNSEAL_WRONG_KEY;
    }
    if (result == UNSEAL_FINE)
        *size = without_padding(to, t.body.size);
    return result;
}

static enum unseal_result rpc_rc4(const struct context_kerberos *context, const struct rpc_parts *parts,
                                  uint8_t *to)
{
    struct rc4_token t;
    if (!read_rc4(parts->token, false, &t) || !t.sealed || t.body.size)
        return UNSEAL_MALFORMED;
    struct candidates list = rc4_keys(context);
    enum unseal_result result = UNSEAL_NO_CONTEXT;
    for (size_t i = 0; i < list.count && result != UNSEAL_FINE; i++) {
        uint8_t confounder[8];
        rc4_decrypt(list.keys[i], &t, parts->stub, confounder, to);
        const struct bytes random = {confounder, sizeof confounder};
        const struct bytes plain = {to, parts->stub.size};
        const struct bytes whole[] = {random, parts->before, plain, parts->after};
        const struct bytes only[] = {random, plain};
        bool fits = rc4_signature_fits(list.keys[i], &t, RC4_USAGE_WRAP, whole, 4) ||
                    rc4_signature_fits(list.keys[i], &t, RC4_USAGE_WRAP, only, 2);
        result = fits ? UNSEAL_FINE : UNSEAL_WRONG_KEY;
    }
    return result;
}

/* --- mechanisms --- */

static bool is_cfx(struct bytes token)
{
    return token.size >= 2 && token.data[1] == 4 && (token.data[0] == 5 || token.data[0] == 4);
}

enum unseal_result gss_krb5_unwrap(struct key_holder *holder, struct context_kerberos *context,
                                   enum direction direction, struct bytes token, uint8_t *to, size_t *size)
{
    (void)direction; /* the token says who sent it, and is signed with that */
    if (token.size > UNSEAL_MESSAGE_MAX)
        return UNSEAL_MALFORMED;
    return is_cfx(token) ? unwrap_cfx(holder, context, token, to, size)
                         : unwrap_rc4(context, token, to, size);
}

enum unseal_result gss_krb5_rpc(struct key_holder *holder, struct context_kerberos *context,
                                enum direction direction, const struct rpc_sealed *sealed, uint8_t *to,
                                size_t *size)
{
    (void)direction;
    struct rpc_parts parts;
    if (!rpc_parts_of(sealed, &parts))
        return UNSEAL_MALFORMED;
    enum unseal_result result =
        is_cfx(parts.token) ? rpc_cfx(holder, context, &parts, to) : rpc_rc4(context, &parts, to);
    if (result == UNSEAL_FINE)
        *size = parts.stub.size;
    return result;
}

enum unseal_result gss_krb5_mic(struct key_holder *holder, struct context_kerberos *context,
                                enum direction direction, struct bytes message, struct bytes token)
{
    (void)direction;
    if (is_cfx(token)) {
        struct cfx cfx;
        if (!read_cfx(context, token, 4, &cfx))
            return UNSEAL_MALFORMED;
        if (!cfx.keys.count)
            return UNSEAL_NO_CONTEXT;
        return checksum_fits(holder, cfx.keys.keys[0], cfx.usage, message, cfx.header, cfx.body)
                   ? UNSEAL_FINE
                   : UNSEAL_WRONG_KEY;
    }
    struct rc4_token t;
    if (!read_rc4(token, true, &t) || t.body.size)
        return UNSEAL_MALFORMED;
    struct candidates list = rc4_keys(context);
    for (size_t i = 0; i < list.count; i++)
        if (rc4_signature_fits(list.keys[i], &t, RC4_USAGE_MIC, &message, 1))
            return UNSEAL_FINE;
    return list.count ? UNSEAL_WRONG_KEY : UNSEAL_NO_CONTEXT;
}
