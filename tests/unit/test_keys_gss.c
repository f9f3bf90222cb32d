/* SPDX-License-Identifier: Apache-2.0
 *
 * What a Kerberos context protects, sealed here by a peer that follows RFC 4121 and RFC 4757 from the other
 * side. Captures with the lab's keytab are the tests of whole exchanges.
 */
#include "tests/unit/unit.h"

#include "keys/operations.h"
#include "tests/unit/key_request.h"
#include "tests/unit/krb5_oracle.h"

#include <nettle/arcfour.h>
#include <nettle/hmac.h>
#include <nettle/md5.h>
#include <stdlib.h>

enum { BY_ACCEPTOR = 1, SEALED = 2, ACCEPTOR_SUBKEY = 4 };

static struct key_holder *holder;

static int setup(void **state)
{
    (void)state;
    holder = key_holder_new(&(struct key_holder_limits){.tickets = 16, .contexts = 16});
    return holder ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    key_holder_destroy(&holder);
    return 0;
}

static struct key_material key_of(int32_t etype, uint8_t fill)
{
    struct key_material key = {.etype = etype, .size = (uint8_t)kerberos_key_size(etype)};
    memset(key.bytes, fill, key.size);
    return key;
}

/* Three keys, all different. */
static struct context_kerberos context_of(int32_t etype)
{
    return (struct context_kerberos){
        .session = key_of(etype, 1), .subkey = key_of(etype, 2), .acceptor = key_of(etype, 3)};
}

static const struct key_material *key_for(const struct context_kerberos *context, uint8_t flags)
{
    return flags & ACCEPTOR_SUBKEY ? &context->acceptor : &context->subkey;
}

/* --- the peer: RFC 4121 --- */

struct token {
    uint8_t bytes[1024];
    size_t size;
};

static void cfx_header(uint8_t to[16], uint8_t id, uint8_t flags, uint16_t padding, uint16_t rotated)
{
    const uint8_t header[16] = {id,
                                4,
                                flags,
                                0xff,
                                (uint8_t)(padding >> 8),
                                (uint8_t)padding,
                                (uint8_t)(rotated >> 8),
                                (uint8_t)rotated,
                                0,
                                0,
                                0,
                                0,
                                0,
                                0,
                                0,
                                7};
    memcpy(to, header, 16);
    if (id == 4)
        memset(to + 3, 0xff, 5);
}

static int32_t usage_of(uint8_t flags, bool mic)
{
    if (flags & BY_ACCEPTOR)
        return mic ? 23 : 22;
    return mic ? 25 : 24;
}

static void rotate_right(uint8_t *data, size_t size, size_t by)
{
    uint8_t copy[1024];
    memcpy(copy, data, size);
    for (size_t i = 0; i < size; i++)
        data[(i + by) % size] = copy[i];
}

/* A wrap token. `by`: how far it is turned; `silent`: EC is turned besides, and not told. */
static void cfx_wrap(const struct context_kerberos *context, uint8_t flags, const void *plain, size_t size,
                     uint16_t padding, uint16_t by, bool silent, struct token *to)
{
    const struct key_material *key = key_for(context, flags);
    uint8_t clear[512];
    memcpy(clear, plain, size);
    if (flags & SEALED) {
        memset(clear + size, 'x', padding);
        cfx_header(clear + size + padding, 5, flags, padding, 0);
        size_t length = oracle_seal(key, usage_of(flags, false), clear, size + padding + 16, to->bytes + 16,
                                    sizeof to->bytes - 16);
        to->size = 16 + length;
        rotate_right(to->bytes + 16, length, (size_t)by + (silent ? padding : 0));
        cfx_header(to->bytes, 5, flags, padding, by);
        return;
    }
    cfx_header(clear + size, 5, flags, 0, 0);
    memcpy(to->bytes + 16, plain, size);
    size_t sum = oracle_checksum(key, usage_of(flags, false), 0, clear, size + 16, to->bytes + 16 + size);
    cfx_header(to->bytes, 5, flags, (uint16_t)sum, by);
    to->size = 16 + size + sum;
    rotate_right(to->bytes + 16, size + sum, by);
}

static const char text[] = "what nobody else may read";

static enum unseal_result unwrap(struct context_kerberos *context, const uint8_t *data, size_t size)
{
    uint8_t plain[1024];
    size_t got = SIZE_MAX;
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    enum unseal_result result =
        gss_krb5_unwrap(holder, context, TO_SERVER, (struct bytes){exact, size}, plain, &got);
    free(exact);
    if (result == UNSEAL_FINE) {
        assert_int_equal(got, sizeof text);
        assert_memory_equal(plain, text, sizeof text);
    } else {
        assert_int_equal(got, SIZE_MAX);
    }
    return result;
}

/* It is read, and not when a bit is turned or its end is missing; but for four bytes from `unused` on. */
static void expect(struct context_kerberos *context, struct token *t, size_t unused)
{
    assert_int_equal(unwrap(context, t->bytes, t->size), UNSEAL_FINE);
    for (size_t i = 0; i < t->size; i++) {
        if (i >= unused && i < unused + 4)
            continue;
        t->bytes[i] ^= 0x40;
        assert_int_not_equal(unwrap(context, t->bytes, t->size), UNSEAL_FINE);
        t->bytes[i] ^= 0x40;
    }
    for (size_t cut = 0; cut < t->size; cut++)
        assert_int_not_equal(unwrap(context, t->bytes, cut), UNSEAL_FINE);
}

static void cfx_tokens(void **state)
{
    (void)state;
    static const int32_t etypes[] = {17, 18, 19, 20};
    static const uint8_t flags[] = {0, BY_ACCEPTOR, ACCEPTOR_SUBKEY, ACCEPTOR_SUBKEY | BY_ACCEPTOR};
    for (size_t e = 0; e < 4; e++) {
        struct context_kerberos context = context_of(etypes[e]);
        struct token t;
        for (size_t f = 0; f < 4; f++) {
            cfx_wrap(&context, flags[f] | SEALED, text, sizeof text, 0, 0, false, &t);
            expect(&context, &t, t.size);
            cfx_wrap(&context, flags[f] | SEALED, text, sizeof text, 0, 28, false, &t);
            expect(&context, &t, t.size);
            cfx_wrap(&context, flags[f] | SEALED, text, sizeof text, 16, 28, false, &t);
            assert_int_equal(unwrap(&context, t.bytes, t.size), UNSEAL_FINE);
            cfx_wrap(&context, flags[f] | SEALED, text, sizeof text, 16, 28, true, &t); /* as Windows does */
            assert_int_equal(unwrap(&context, t.bytes, t.size), UNSEAL_FINE);
            cfx_wrap(&context, flags[f], text, sizeof text, 0, 0, false, &t);
            assert_int_equal(unwrap(&context, t.bytes, t.size), UNSEAL_FINE);
            cfx_wrap(&context, flags[f], text, sizeof text, 0, 12, false, &t);
            assert_int_equal(unwrap(&context, t.bytes, t.size), UNSEAL_FINE);
            t.bytes[t.size - 1] ^= 1;
            assert_int_not_equal(unwrap(&context, t.bytes, t.size), UNSEAL_FINE);
        }
    }
}

/* Without a subkey the ticket's session key; without the AP-REP what it brought is not known. */
static void which_key(void **state)
{
    (void)state;
    struct context_kerberos context = context_of(18);
    struct token t;
    cfx_wrap(&context, SEALED | ACCEPTOR_SUBKEY, text, sizeof text, 0, 0, false, &t);
    context.acceptor.size = 0;
    assert_int_equal(unwrap(&context, t.bytes, t.size), UNSEAL_NO_CONTEXT);
    context.subkey = context.session;
    cfx_wrap(&context, SEALED, text, sizeof text, 0, 0, false, &t);
    context.subkey.size = 0;
    assert_int_equal(unwrap(&context, t.bytes, t.size), UNSEAL_FINE);
    context.session.bytes[0] ^= 1;
    assert_int_equal(unwrap(&context, t.bytes, t.size), UNSEAL_WRONG_KEY);
}

/* --- the peer: RPC with AES --- */

enum { AT = 24, STUB = 40, TOKEN = AT + STUB + 8 };

struct pdu {
    uint8_t bytes[512];
    size_t size;
};

static void make_pdu(struct pdu *p)
{
    memset(p->bytes, 0x11, AT);
    for (size_t i = 0; i < STUB; i++)
        p->bytes[AT + i] = (uint8_t)i;
    memset(p->bytes + AT + STUB, 0x22, 8);
}

static enum unseal_result read_pdu(struct context_kerberos *context, const struct pdu *p)
{
    uint8_t plain[512];
    size_t got = SIZE_MAX;
    struct rpc_sealed sealed = {{p->bytes, p->size}, AT, STUB, TOKEN};
    enum unseal_result result = gss_krb5_rpc(holder, context, TO_SERVER, &sealed, plain, &got);
    if (result == UNSEAL_FINE) {
        assert_int_equal(got, STUB);
        for (size_t i = 0; i < STUB; i++)
            assert_int_equal(plain[i], i);
    } else {
        assert_int_equal(got, SIZE_MAX);
    }
    return result;
}

static krb5_crypto_iov iov(krb5_cryptotype type, void *data, size_t size)
{
    return (krb5_crypto_iov){.flags = type, .data = {.length = (unsigned)size, .data = data}};
}

static void seal_pdu(const struct context_kerberos *context, uint8_t flags, uint16_t padding, bool headers,
                     bool silent, struct pdu *p)
{
    const struct key_material *key = key_for(context, flags);
    uint8_t confounder[16], tail[80], mac[24];
    unsigned mac_size;
    make_pdu(p);
    memset(tail, 'p', padding);
    cfx_header(tail + padding, 5, flags, padding, 0);
    assert_int_equal(krb5_c_crypto_length(NULL, key->etype, KRB5_CRYPTO_TYPE_TRAILER, &mac_size), 0);
    krb5_crypto_iov parts[] = {
        iov(KRB5_CRYPTO_TYPE_HEADER, confounder, 16),
        iov(KRB5_CRYPTO_TYPE_SIGN_ONLY, p->bytes, headers ? AT : 0),
        iov(KRB5_CRYPTO_TYPE_DATA, p->bytes + AT, STUB),
        iov(KRB5_CRYPTO_TYPE_SIGN_ONLY, p->bytes + AT + STUB, headers ? 8 : 0),
        iov(KRB5_CRYPTO_TYPE_DATA, tail, padding + 16u),
        iov(KRB5_CRYPTO_TYPE_TRAILER, mac, mac_size),
    };
    krb5_keyblock block = oracle_block(key);
    assert_int_equal(krb5_c_encrypt_iov(NULL, &block, usage_of(flags, false), NULL, parts, 6), 0);
    size_t end = padding + 16u + mac_size;
    uint8_t *at = p->bytes + TOKEN;
    cfx_header(at, 5, flags, padding, (uint16_t)(silent ? end - padding : end));
    memcpy(at + 16, tail, padding + 16u);
    memcpy(at + 16 + padding + 16, mac, mac_size);
    memcpy(at + 16 + end, confounder, 16);
    p->size = TOKEN + 16 + end + 16;
}

static void rpc_with_aes(void **state)
{
    (void)state;
    static const int32_t etypes[] = {17, 18, 19, 20};
    for (size_t e = 0; e < 4; e++) {
        struct context_kerberos context = context_of(etypes[e]);
        struct pdu p;
        for (int form = 0; form < 8; form++) {
            bool headers = form & 1;
            uint8_t flags = SEALED | (form & 2 ? BY_ACCEPTOR | ACCEPTOR_SUBKEY : 0);
            seal_pdu(&context, flags, form & 4 ? 16 : 0, headers, true, &p);
            assert_int_equal(read_pdu(&context, &p), UNSEAL_FINE);
            for (size_t i = 0; i < p.size; i++) {
                bool header = i < AT || (i >= AT + STUB && i < TOKEN);
                p.bytes[i] ^= 0x80;
                enum unseal_result result = read_pdu(&context, &p);
                p.bytes[i] ^= 0x80;
                if (header && !headers)
                    assert_int_equal(result, UNSEAL_FINE);
                else
                    assert_int_not_equal(result, UNSEAL_FINE);
            }
            for (size_t cut = TOKEN; cut < p.size; cut++) {
                struct pdu shorter = p;
                shorter.size = cut;
                assert_int_equal(read_pdu(&context, &shorter), UNSEAL_MALFORMED);
            }
        }
        seal_pdu(&context, SEALED, 16, true, false, &p); /* turned as it says */
        assert_int_equal(read_pdu(&context, &p), UNSEAL_FINE);
        seal_pdu(&context, SEALED | ACCEPTOR_SUBKEY, 16, true, true, &p);
        context.acceptor.size = 0;
        assert_int_equal(read_pdu(&context, &p), UNSEAL_NO_CONTEXT);
    }
}

static void mic_with_aes(void **state)
{
    (void)state;
    static const int32_t etypes[] = {17, 18, 19, 20};
    static const uint8_t flags[] = {0, BY_ACCEPTOR | ACCEPTOR_SUBKEY};
    for (size_t e = 0; e < 4; e++) {
        struct context_kerberos context = context_of(etypes[e]);
        for (size_t f = 0; f < 2; f++) {
            uint8_t covered[64];
            struct token t;
            struct bytes message = {(const uint8_t *)text, sizeof text};
            memcpy(covered, text, sizeof text);
            cfx_header(covered + sizeof text, 4, flags[f], 0, 0);
            t.size = 16 + oracle_checksum(key_for(&context, flags[f]), usage_of(flags[f], true), 0, covered,
                                          sizeof text + 16, t.bytes + 16);
            cfx_header(t.bytes, 4, flags[f], 0, 0);
            struct bytes token = {t.bytes, t.size};
            assert_int_equal(gss_krb5_mic(holder, &context, TO_SERVER, message, token), UNSEAL_FINE);
            message.size--;
            assert_int_equal(gss_krb5_mic(holder, &context, TO_SERVER, message, token), UNSEAL_WRONG_KEY);
            message.size++;
            token.size--;
            assert_int_equal(gss_krb5_mic(holder, &context, TO_SERVER, message, token), UNSEAL_WRONG_KEY);
            token.size = 15;
            assert_int_equal(gss_krb5_mic(holder, &context, TO_SERVER, message, token), UNSEAL_MALFORMED);
            token.size = t.size;
            if (flags[f] & ACCEPTOR_SUBKEY) {
                context.acceptor.size = 0;
                assert_int_equal(gss_krb5_mic(holder, &context, TO_SERVER, message, token),
                                 UNSEAL_NO_CONTEXT);
            }
        }
    }
}

/* --- the peer: RFC 4757 --- */

static void hmac(const uint8_t key[16], const void *data, size_t size, uint8_t to[16])
{
    struct hmac_md5_ctx mac;
    hmac_md5_set_key(&mac, 16, key);
    hmac_md5_update(&mac, size, data);
    hmac_md5_digest(&mac, 16, to);
}

static void rc4(const uint8_t key[16], const uint8_t *salt, size_t salt_size, uint8_t *data, size_t size,
                struct arcfour_ctx *stream)
{
    uint8_t derived[16];
    if (key) {
        hmac(key, "\0\0\0", 4, derived);
        hmac(derived, salt, salt_size, derived);
        arcfour_set_key(stream, 16, derived);
    }
    arcfour_crypt(stream, size, data, data);
}

/* The 8 bytes of header, SND_SEQ, SGN_CKSUM, and the confounder of a wrap token, in front of which stands the
 * header of RFC 2743 when `framed`. The message is sealed where it stands. */
static void rc4_token(const struct key_material *key, bool mic, bool seal, bool framed,
                      const struct bytes *covered, size_t count, uint8_t *message, size_t size,
                      struct token *to)
{
    static const uint8_t frame[] = {0x60, 0x2b, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 1, 2, 2};
    const uint8_t header[8] = {mic ? 1 : 2, 1, 0x11, 0, seal ? 0x10 : 0xff, seal ? 0 : 0xff, 0xff, 0xff};
    uint8_t turned[16], signing[16], digest[16], sequence[8] = {0, 0, 0, 9, 0, 0, 0, 0}, confounder[8];
    struct arcfour_ctx stream;
    struct md5_ctx md5;
    memset(confounder, 'c', sizeof confounder);
    md5_init(&md5);
    md5_update(&md5, 4, mic ? (const uint8_t *)"\x0f\0\0" : (const uint8_t *)"\x0d\0\0");
    md5_update(&md5, 8, header);
    if (!mic)
        md5_update(&md5, 8, confounder);
    for (size_t i = 0; i < count; i++)
        md5_update(&md5, covered[i].size, covered[i].data);
    md5_digest(&md5, 16, digest);
    hmac(key->bytes, "signaturekey", 13, signing);
    hmac(signing, digest, 16, digest);
    for (size_t i = 0; i < 16; i++)
        turned[i] = key->bytes[i] ^ 0xf0;
    if (seal) {
        rc4(turned, sequence, 4, confounder, 8, &stream);
        rc4(NULL, NULL, 0, message, size, &stream);
    }
    rc4(key->bytes, digest, 8, sequence, 8, &stream);
    to->size = framed ? sizeof frame : 0;
    memcpy(to->bytes, frame, to->size);
    memcpy(to->bytes + to->size, header, 8);
    memcpy(to->bytes + to->size + 8, sequence, 8);
    memcpy(to->bytes + to->size + 16, digest, 8);
    to->size += 24;
    if (mic)
        return;
    memcpy(to->bytes + to->size, confounder, 8);
    to->size += 8;
}

static void rc4_wrap(const struct key_material *key, bool seal, bool framed, size_t padding, struct token *to)
{
    uint8_t message[64];
    memcpy(message, text, sizeof text);
    memset(message + sizeof text, (int)padding, padding);
    struct bytes covered = {message, sizeof text + padding};
    rc4_token(key, false, seal, framed, &covered, 1, message, covered.size, to);
    memcpy(to->bytes + to->size, message, covered.size);
    to->size += covered.size;
}

static void rc4_tokens(void **state)
{
    (void)state;
    struct context_kerberos context = context_of(23);
    const struct key_material *keys[] = {&context.acceptor, &context.subkey, &context.session};
    struct token t;
    for (size_t k = 0; k < 3; k++)
        for (size_t padding = 1; padding <= 8; padding++) {
            rc4_wrap(keys[k], padding % 2, true, padding, &t);
            assert_int_equal(unwrap(&context, t.bytes, t.size), UNSEAL_FINE);
            rc4_wrap(keys[k], padding % 2, false, padding, &t);
            assert_int_equal(unwrap(&context, t.bytes, t.size), UNSEAL_FINE);
        }
    rc4_wrap(&context.session, true, false, 1, &t);
    expect(&context, &t, 12); /* the direction, with which nothing is sealed */
    context.session.size = 0;
    assert_int_equal(unwrap(&context, t.bytes, t.size), UNSEAL_WRONG_KEY);
    context = context_of(18);
    assert_int_equal(unwrap(&context, t.bytes, t.size), UNSEAL_NO_CONTEXT);
}

static void rpc_with_rc4(void **state)
{
    (void)state;
    struct context_kerberos context = context_of(23);
    for (int headers = 0; headers < 2; headers++) {
        struct pdu p;
        struct token t;
        make_pdu(&p);
        const struct bytes stub = {p.bytes + AT, STUB};
        const struct bytes whole[] = {{p.bytes, AT}, stub, {p.bytes + AT + STUB, 8}};
        rc4_token(&context.acceptor, false, true, true, headers ? whole : &stub, headers ? 3 : 1,
                  p.bytes + AT, STUB, &t);
        memcpy(p.bytes + TOKEN, t.bytes, t.size);
        p.size = TOKEN + t.size;
        assert_int_equal(read_pdu(&context, &p), UNSEAL_FINE);
        for (size_t i = 0; i < p.size; i++) {
            bool header = i < AT || (i >= AT + STUB && i < TOKEN);
            bool frame = i >= TOKEN && i < TOKEN + 13; /* it says nothing that is needed */
            if (frame)
                continue;
            p.bytes[i] ^= 0x80;
            enum unseal_result result = read_pdu(&context, &p);
            p.bytes[i] ^= 0x80;
            if (i >= TOKEN + 13 + 12 && i < TOKEN + 13 + 16)
                continue; /* the direction, with which nothing is sealed */
            if (header && !headers)
                assert_int_equal(result, UNSEAL_FINE);
            else
                assert_int_not_equal(result, UNSEAL_FINE);
        }
        p.size++; /* something behind the token */
        assert_int_equal(read_pdu(&context, &p), UNSEAL_MALFORMED);
        p.size = 10;
        assert_int_equal(read_pdu(&context, &p), UNSEAL_MALFORMED);
    }
}

static void mic_with_rc4(void **state)
{
    (void)state;
    struct context_kerberos context = context_of(23);
    struct bytes message = {(const uint8_t *)text, sizeof text};
    struct token t;
    rc4_token(&context.subkey, true, false, true, &message, 1, NULL, 0, &t);
    struct bytes token = {t.bytes, t.size};
    assert_int_equal(gss_krb5_mic(holder, &context, TO_SERVER, message, token), UNSEAL_FINE);
    t.bytes[t.size - 1] ^= 1;
    assert_int_equal(gss_krb5_mic(holder, &context, TO_SERVER, message, token), UNSEAL_WRONG_KEY);
    token.size--;
    assert_int_equal(gss_krb5_mic(holder, &context, TO_SERVER, message, token), UNSEAL_MALFORMED);
    context = context_of(17);
    token.size++;
    assert_int_equal(gss_krb5_mic(holder, &context, TO_SERVER, message, token), UNSEAL_NO_CONTEXT);
}

/* --- KRB-PRIV --- */

static size_t der(uint8_t *to, uint8_t tag, const uint8_t *value, size_t size)
{
    memmove(to + 2, value, size);
    to[0] = tag;
    to[1] = (uint8_t)size;
    assert_true(size < 128);
    return size + 2;
}

/* KRB-PRIV with that user data, sealed with the key. */
static size_t make_priv(const struct key_material *key, const uint8_t *data, size_t size, uint8_t *to)
{
    uint8_t part[256], cipher[256], run[256];
    size_t n = der(part, 0x04, data, size);
    n = der(part, 0xa0, part, n);
    n = der(part, 0x30, part, n);
    n = der(part, 0x7c, part, n);
    size_t length = oracle_seal(key, 13, part, n, cipher, sizeof cipher);
    static const uint8_t head[] = {0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1, 21};
    uint8_t etype[] = {0xa0, 3, 2, 1, (uint8_t)key->etype};
    memcpy(run, etype, 5);
    n = der(cipher, 0x04, cipher, length);
    n = der(cipher, 0xa2, cipher, n);
    memcpy(run + 5, cipher, n);
    n = der(run, 0x30, run, n + 5);
    n = der(run, 0xa3, run, n);
    memcpy(to, head, sizeof head);
    memcpy(to + sizeof head, run, n);
    memcpy(run, to, n + sizeof head);
    /* Too long for the short form of a length. */
    size_t all = n + sizeof head;
    const uint8_t outer[] = {0x75, 0x82, (uint8_t)((all + 4) >> 8), (uint8_t)(all + 4),
                             0x30, 0x82, (uint8_t)(all >> 8),       (uint8_t)all};
    memcpy(to, outer, sizeof outer);
    memcpy(to + sizeof outer, run, all);
    return all + sizeof outer;
}

static enum unseal_result ask_priv(enum direction direction, const uint8_t *message, size_t size,
                                   struct bytes *plain)
{
    static struct key_call call;
    struct security_context *context = context_new(holder->contexts, CONTEXT_KERBEROS, 0);
    context->kerberos = context_of(18);
    call_begin(&call, UNSEAL_PRIV, 3);
    call_uint(&call, context->id);
    call_uint(&call, direction);
    call_bytes(&call, message, size);
    return call_plain(&call, holder, plain);
}

static void passwords_stay(void **state)
{
    (void)state;
    struct context_kerberos context = context_of(18);
    static const uint8_t set[] = {0x30, 25,   0xa0, 5,    0x04, 3,   'n', 'e',  'w', 0xa1, 10, 0x30, 8,  0xa1,
                                  6,    0x30, 4,    0x1b, 2,    'm', 'e', 0xa2, 4,   0x1b, 2,  'R',  'E'};
    uint8_t message[512];
    struct bytes plain;
    const struct key_material *keys[] = {&context.session, &context.subkey, &context.acceptor};
    for (size_t k = 0; k < 3; k++) {
        size_t size = make_priv(keys[k], set, sizeof set, message);
        assert_int_equal(ask_priv(TO_SERVER, message, size, &plain), UNSEAL_FINE);
        assert_int_equal(plain.size, sizeof set);
        uint8_t blank[sizeof set];
        memcpy(blank, set, sizeof set);
        memset(blank + 6, 0, 3);
        assert_memory_equal(plain.data, blank, sizeof set);
    }
    /* The old form, and whatever is not quite the new one: no byte of it. */
    for (size_t i = 0; i < sizeof set; i++) {
        uint8_t other[sizeof set];
        memcpy(other, set, sizeof set);
        other[i] ^= 0x15;
        size_t size = make_priv(&context.subkey, other, sizeof other, message);
        assert_int_equal(ask_priv(TO_SERVER, message, size, &plain), UNSEAL_FINE);
        for (size_t n = 0; n + 3 <= plain.size; n++)
            assert_int_not_equal(memcmp(plain.data + n, "new", 3), 0);
        size = make_priv(&context.subkey, set, i, message);
        assert_int_equal(ask_priv(TO_SERVER, message, size, &plain), UNSEAL_FINE);
        assert_int_equal(plain.size, 0);
    }
    /* The answer has no password. */
    static const uint8_t outcome[] = {0, 4, 't', 'o', 'o', ' ', 's', 'h', 'o', 'r', 't'};
    size_t size = make_priv(&context.subkey, outcome, sizeof outcome, message);
    assert_int_equal(ask_priv(TO_CLIENT, message, size, &plain), UNSEAL_FINE);
    assert_int_equal(plain.size, sizeof outcome);
    assert_memory_equal(plain.data, outcome, sizeof outcome);
    assert_int_equal(ask_priv(TO_SERVER, message, size, &plain), UNSEAL_FINE);
    assert_int_equal(plain.size, 0);
    message[size - 1] ^= 1;
    assert_int_equal(ask_priv(TO_CLIENT, message, size, &plain), UNSEAL_WRONG_KEY);
    struct key_material other = key_of(17, 1);
    size = make_priv(&other, outcome, sizeof outcome, message);
    assert_int_equal(ask_priv(TO_CLIENT, message, size, &plain), UNSEAL_NO_CONTEXT);
    assert_int_equal(ask_priv(TO_CLIENT, message, size - 1, &plain), UNSEAL_MALFORMED);
    assert_int_equal(ask_priv(TO_CLIENT, message, 0, &plain), UNSEAL_MALFORMED);
}

/* --- by request --- */

static void requests(void **state)
{
    (void)state;
    static struct key_call call;
    struct bytes plain;
    struct token t;
    struct security_context *context = context_new(holder->contexts, CONTEXT_KERBEROS, 0);
    struct security_context *ntlm = context_new(holder->contexts, CONTEXT_NTLM, 0);
    context->kerberos = context_of(18);
    cfx_wrap(&context->kerberos, SEALED, text, sizeof text, 0, 28, false, &t);
    call_begin(&call, UNSEAL_WRAP, 3);
    call_uint(&call, context->id);
    call_uint(&call, TO_SERVER);
    call_bytes(&call, t.bytes, t.size);
    assert_int_equal(call_plain(&call, holder, &plain), UNSEAL_FINE);
    assert_int_equal(plain.size, sizeof text);
    assert_memory_equal(plain.data, text, sizeof text);
    call_begin(&call, UNSEAL_WRAP, 2);
    call_uint(&call, context->id);
    call_uint(&call, TO_SERVER);
    assert_int_equal(call_plain(&call, holder, &plain), UNSEAL_MALFORMED);
    call_begin(&call, UNSEAL_WRAP, 3);
    call_uint(&call, context->id + 1);
    call_uint(&call, TO_SERVER);
    call_bytes(&call, t.bytes, t.size);
    assert_int_equal(call_plain(&call, holder, &plain), UNSEAL_NO_CONTEXT);
    call_begin(&call, UNSEAL_MIC, 4);
    call_uint(&call, ntlm->id);
    call_uint(&call, TO_SERVER);
    call_bytes(&call, t.bytes, 1);
    call_bytes(&call, t.bytes, 1);
    assert_int_equal(call_end(&call, holder, NULL, NULL), UNSEAL_UNSUPPORTED);
    call_begin(&call, UNSEAL_MIC, 4);
    call_uint(&call, context->id);
    call_uint(&call, TO_SERVER);
    call_bytes(&call, t.bytes, 1);
    call_bytes(&call, t.bytes, t.size);
    assert_int_equal(call_end(&call, holder, NULL, NULL), UNSEAL_MALFORMED);
    call_begin(&call, UNSEAL_MIC, 3);
    call_uint(&call, context->id);
    call_uint(&call, TO_SERVER);
    call_bytes(&call, t.bytes, 1);
    assert_int_equal(call_end(&call, holder, NULL, NULL), UNSEAL_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cfx_tokens),   cmocka_unit_test(which_key),      cmocka_unit_test(rpc_with_aes),
        cmocka_unit_test(mic_with_aes), cmocka_unit_test(rc4_tokens),     cmocka_unit_test(rpc_with_rc4),
        cmocka_unit_test(mic_with_rc4), cmocka_unit_test(passwords_stay), cmocka_unit_test(requests),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
