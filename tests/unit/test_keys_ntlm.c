/* SPDX-License-Identifier: Apache-2.0
 *
 * NTLM by keys: the examples of [MS-NLMP] 4.2, then what a wire does to sealed messages.
 */
#include "tests/unit/unit.h"

#include "capture/unseal.h"
#include "keys/ntlm_keys.h"
#include "keys/operations.h"
#include "tests/unit/key_request.h"
#include "tests/unit/keytab_bytes.h"

#include <nettle/arcfour.h>
#include <nettle/hmac.h>
#include <stdio.h>

#define PLAIN "P\0l\0a\0i\0n\0t\0e\0x\0t" /* and the last zero */
#define SIZE  18u

static const uint8_t nt_hash[16] = {0xa4, 0xf4, 0x9c, 0x40, 0x65, 0x10, 0xbd, 0xca,
                                    0xb6, 0x82, 0x4e, 0xe7, 0xc3, 0x0f, 0xd8, 0x52};
static const uint8_t challenge[8] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};
static uint8_t random_key[16];

/* The AUTHENTICATE_MESSAGE that the examples speak of: its fields, one behind the other. */
struct made {
    uint8_t bytes[512];
    size_t size;
};

static void put_field(struct made *m, int number, const void *data, size_t size)
{
    uint8_t *field = m->bytes + 12 + 8 * number;
    field[0] = field[2] = (uint8_t)size;
    field[1] = field[3] = (uint8_t)(size >> 8);
    field[4] = (uint8_t)m->size;
    field[5] = (uint8_t)(m->size >> 8);
    memcpy(m->bytes + m->size, data, size);
    m->size += size;
}

static struct made authenticate(uint32_t flags, const char *lm, const char *nt, const char *session_key)
{
    struct made m = {.size = 64};
    uint8_t run[256];
    memcpy(m.bytes, "NTLMSSP", 8);
    m.bytes[8] = NTLM_AUTHENTICATE;
    put_field(&m, 0, run, unhex(lm, run));
    put_field(&m, 1, run, unhex(nt, run));
    put_field(&m, 2, "D\0o\0m\0a\0i\0n", 12);
    put_field(&m, 3, "U\0s\0e\0r", 8);
    put_field(&m, 4, "C\0O\0M\0P\0U\0T\0E\0R", 16);
    put_field(&m, 5, run, unhex(session_key, run));
    for (int i = 0; i < 4; i++)
        m.bytes[60 + i] = (uint8_t)(flags >> 8 * i);
    return m;
}

static enum unseal_result derive(const struct made *made, struct context_ntlm *to)
{
    struct ntlm_message m;
    assert_true(ntlm_parse(cursor_of(made->bytes, made->size), 0, &m));
    return ntlm_keys_derive(nt_hash, challenge, &m, to);
}

#define V2_NT                                                                                                \
    "68cd0ab851e51c96aabc927bebef6a1c 0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000"           \
    "02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000 00000000"
#define V2_LM  "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"
#define V2_KEY "c5dad2544fc9799094ce1ce90bc9d03e"

static struct context_ntlm ntlmv2_context(void)
{
    struct made m = authenticate(0xe28a8233, V2_LM, V2_NT, V2_KEY);
    struct context_ntlm context;
    assert_int_equal(derive(&m, &context), UNSEAL_FINE);
    return context;
}

static void expect_plain(struct context_ntlm *context, const char *token)
{
    uint8_t sealed[64];
    uint8_t plain[64];
    size_t size = 0;
    size_t all = unhex(token, sealed);
    assert_int_equal(ntlm_unwrap(context, TO_SERVER, (struct bytes){sealed, all}, plain, &size), UNSEAL_FINE);
    assert_int_equal(size, SIZE);
    assert_bytes_equal(plain, PLAIN, SIZE);
}

/* 4.2.2 */
static void ntlmv1(void **state)
{
    (void)state;
    struct made m =
        authenticate(0xe2028233, "98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13",
                     "67c43011f30298a2ad35ece64f16331c44bdbed927841f94", "518822b1b3f350c8958682ecbb3e3cb7");
    struct context_ntlm context;
    assert_int_equal(derive(&m, &context), UNSEAL_FINE);
    assert_bytes_equal(context.session_key, random_key, 16);
    expect_plain(&context, "01000000 00000000 09dcd1df 2e459d36 56fe04d861f9319af0d7238a2e3b4d457fb8");
}

/* 4.2.3 */
static void ntlmv1_with_client_challenge(void **state)
{
    (void)state;
    uint8_t key[16];
    unhex("eb93429a8bd952f8b89c55b87f475edc", key);
    struct made m = authenticate(0x820a8233, "aaaaaaaaaaaaaaaa00000000000000000000000000000000",
                                 "7537f803ae367128ca458204bde7caf81e97ed2683267232", "");
    struct context_ntlm context;
    assert_int_equal(derive(&m, &context), UNSEAL_FINE);
    assert_bytes_equal(context.session_key, key, 16);
    ntlm_keys_expand(&context);
    unhex("04dd7f014d8504d265a25cc86a3a7c06", key);
    assert_bytes_equal(context.half[TO_SERVER].sealing_key, key, 16);
    unhex("60e799be5c72fc92922ae8ebe961fb8d", key);
    assert_bytes_equal(context.half[TO_SERVER].signing_key, key, 16);
    expect_plain(&context, "01000000 ff2aeb52f681793a 00000000 a02372f6530273f3aa1eb90190ce5200c99d");
}

/* 4.2.4 */
static void ntlmv2(void **state)
{
    (void)state;
    uint8_t key[16];
    struct context_ntlm context = ntlmv2_context();
    assert_bytes_equal(context.session_key, random_key, 16);
    ntlm_keys_expand(&context);
    unhex("59f600973cc4960a25480a7c196e4c58", key);
    assert_bytes_equal(context.half[TO_SERVER].sealing_key, key, 16);
    unhex("4788dc861b4782f35d43fd98fe1a2d39", key);
    assert_bytes_equal(context.half[TO_SERVER].signing_key, key, 16);
    expect_plain(&context, "01000000 7fb38ec5c55d4976 00000000 54e50165bf1936dc996020c1811b0f06fb5f");
}

/* Names in other cases and scripts: UPPER(user), domain as it is. */
static void names_of_all_kinds(void **state)
{
    (void)state;
    static const uint16_t lower[] = {'z',   0xe4,  0xff,  0x101, 0x13a, 0x17c, 0x3ac, 0x3ae, 0x3b1, 0x3cc,
                                     0x3cd, 0x3ce, 0x431, 0x451, 0x461, 0x48b, '1',   0xf7,  0x131, 0x3c2};
    static const uint16_t upper[] = {'Z',   0xc4,  0x178, 0x100, 0x139, 0x17b, 0x386, 0x389, 0x391, 0x38c,
                                     0x38e, 0x38f, 0x411, 0x401, 0x460, 0x48a, '1',   0xf7,  0x131, 0x3c2};
    uint8_t owner[16];
    struct hmac_md5_ctx mac;
    hmac_md5_set_key(&mac, 16, nt_hash);
    hmac_md5_update(&mac, sizeof upper, (const uint8_t *)upper);
    hmac_md5_update(&mac, 12, (const uint8_t *)"D\0o\0m\0a\0i\0n");
    hmac_md5_digest(&mac, 16, owner);
    uint8_t nt[64] = {[16] = 1, [17] = 1};
    hmac_md5_set_key(&mac, 16, owner);
    hmac_md5_update(&mac, 8, challenge);
    hmac_md5_update(&mac, sizeof nt - 16, nt + 16);
    hmac_md5_digest(&mac, 16, nt);
    struct ntlm_message m = {.type = NTLM_AUTHENTICATE,
                             .flags = 0xa28a8233,
                             .unicode = true,
                             .variant = NTLM_VARIANT_NTLMV2,
                             .user = {(const uint8_t *)lower, sizeof lower},
                             .domain = {(const uint8_t *)"D\0o\0m\0a\0i\0n", 12},
                             .nt_response = {nt, sizeof nt}};
    struct context_ntlm context;
    assert_int_equal(ntlm_keys_derive(nt_hash, challenge, &m, &context), UNSEAL_FINE);
    m.user.size -= 2;
    assert_int_equal(ntlm_keys_derive(nt_hash, challenge, &m, &context), UNSEAL_WRONG_KEY);
    m.nt_response.size = 16;
    assert_int_equal(ntlm_keys_derive(nt_hash, challenge, &m, &context), UNSEAL_WRONG_KEY);
    /* The OEM form of the example. */
    struct ntlm_message oem = {.type = NTLM_AUTHENTICATE,
                               .flags = 0xa28a8232,
                               .variant = NTLM_VARIANT_NTLMV2,
                               .user = {(const uint8_t *)"user", 4},
                               .domain = {(const uint8_t *)"Domain", 6}};
    uint8_t response[256];
    oem.nt_response = (struct bytes){response, unhex(V2_NT, response)};
    assert_int_equal(ntlm_keys_derive(nt_hash, challenge, &oem, &context), UNSEAL_FINE);
}

static void what_proves_nothing_gives_nothing(void **state)
{
    (void)state;
    struct context_ntlm context;
    struct context_ntlm zero;
    memset(&zero, 0, sizeof zero);
    struct made m = authenticate(0xe28a8233, V2_LM, V2_NT, V2_KEY);
    m.bytes[64 + 24] ^= 1; /* the proof */
    assert_int_equal(derive(&m, &context), UNSEAL_WRONG_KEY);
    assert_bytes_equal(&context, &zero, sizeof zero);
    m = authenticate(0xe2028233, "", "00c43011f30298a2ad35ece64f16331c44bdbed927841f94", "");
    assert_int_equal(derive(&m, &context), UNSEAL_WRONG_KEY);
    m = authenticate(0xe2028233, "98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13", "", "");
    assert_int_equal(derive(&m, &context), UNSEAL_UNSUPPORTED);
    m = authenticate(0xe2028a33, "00", "", "");
    assert_int_equal(derive(&m, &context), UNSEAL_UNSUPPORTED);
    /* The session key would come from the LM hash. */
    m = authenticate(0xe20282b3, "98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13",
                     "67c43011f30298a2ad35ece64f16331c44bdbed927841f94", "518822b1b3f350c8958682ecbb3e3cb7");
    assert_int_equal(derive(&m, &context), UNSEAL_UNSUPPORTED);
    assert_bytes_equal(&context, &zero, sizeof zero);
}

/* --- a peer --- */

struct peer {
    struct arcfour_ctx rc4;
    uint8_t sign[16];
    uint32_t sequence;
    bool exchange;
};

static struct peer peer_of(struct context_ntlm *context, enum direction direction)
{
    struct peer p = {.exchange = context->flags & NTLM_FLAG_KEY_EXCHANGE};
    if (!context->expanded)
        ntlm_keys_expand(context);
    arcfour_set_key(&p.rc4, 16, context->half[direction].sealing_key);
    memcpy(p.sign, context->half[direction].signing_key, 16);
    return p;
}

/* Seals `size` bytes in the middle of a PDU and puts the signature behind it; headers are signed if `whole`.
 */
static void peer_seal(struct peer *p, uint8_t *pdu, size_t at, size_t size, size_t token, bool whole)
{
    uint8_t *signature = pdu + token;
    memset(signature, 0, 16);
    signature[0] = 1;
    signature[12] = (uint8_t)p->sequence++;
    struct hmac_md5_ctx mac;
    hmac_md5_set_key(&mac, 16, p->sign);
    hmac_md5_update(&mac, 4, signature + 12);
    hmac_md5_update(&mac, whole ? token : size, whole ? pdu : pdu + at);
    hmac_md5_digest(&mac, 8, signature + 4);
    arcfour_crypt(&p->rc4, size, pdu + at, pdu + at);
    if (p->exchange)
        arcfour_crypt(&p->rc4, 8, signature + 4, signature + 4);
}

enum { AT = 24, STUB = 32, TOKEN = AT + STUB + 8, PDU = TOKEN + 16 };

static void make_pdu(struct peer *p, uint8_t pdu[PDU], uint8_t fill, bool whole)
{
    memset(pdu, 0x55, AT);
    memset(pdu + AT, fill, STUB);
    memset(pdu + AT + STUB, 0x66, 8);
    peer_seal(p, pdu, AT, STUB, TOKEN, whole);
}

static enum unseal_result read_pdu(struct context_ntlm *context, enum direction direction,
                                   const uint8_t pdu[PDU], uint8_t fill)
{
    struct rpc_sealed sealed = {{pdu, PDU}, AT, STUB, TOKEN};
    uint8_t plain[STUB];
    size_t size = 0;
    enum unseal_result result = ntlm_rpc(context, direction, &sealed, plain, &size);
    if (result == UNSEAL_FINE) {
        assert_int_equal(size, STUB);
        for (size_t i = 0; i < STUB; i++)
            assert_int_equal(plain[i], fill);
    } else {
        assert_int_equal(size, 0);
    }
    return result;
}

static void order_and_damage(void **state)
{
    (void)state;
    struct context_ntlm context = ntlmv2_context();
    struct peer client = peer_of(&context, TO_SERVER);
    struct peer server = peer_of(&context, TO_CLIENT);
    uint8_t pdu[8][PDU];
    for (uint8_t i = 0; i < 8; i++)
        make_pdu(&client, pdu[i], i, i % 2);
    uint8_t reply[PDU];
    make_pdu(&server, reply, 99, true);
    assert_int_equal(read_pdu(&context, TO_SERVER, pdu[0], 0), UNSEAL_FINE);
    assert_int_equal(read_pdu(&context, TO_SERVER, pdu[1], 1), UNSEAL_FINE);
    assert_int_equal(read_pdu(&context, TO_SERVER, pdu[1], 1), UNSEAL_ORDER); /* again */
    uint8_t damaged[PDU];
    for (size_t i = 0; i < PDU; i++) {
        if (i >= TOKEN + 12)
            continue; /* the sequence number */
        memcpy(damaged, pdu[3], PDU);
        damaged[i] ^= 0x10;
        memcpy(damaged + TOKEN + 12, pdu[2] + TOKEN + 12, 4);
        assert_int_not_equal(read_pdu(&context, TO_SERVER, damaged, 3), UNSEAL_FINE);
    }
    assert_int_equal(read_pdu(&context, TO_SERVER, pdu[2], 2), UNSEAL_FINE);
    for (size_t i = AT; i < TOKEN + 12; i++) {
        memcpy(damaged, pdu[3], PDU);
        damaged[i] ^= 0x10;
        assert_int_not_equal(read_pdu(&context, TO_SERVER, damaged, 3), UNSEAL_FINE);
    }
    assert_int_equal(read_pdu(&context, TO_SERVER, pdu[3], 3), UNSEAL_FINE);
    assert_int_equal(read_pdu(&context, TO_SERVER, pdu[5], 5), UNSEAL_ORDER); /* the fifth is missing */
    assert_int_equal(read_pdu(&context, TO_SERVER, pdu[4], 4), UNSEAL_FINE);  /* came late */
    assert_int_equal(read_pdu(&context, TO_CLIENT, reply, 99), UNSEAL_FINE);
    assert_int_equal(read_pdu(&context, TO_CLIENT, pdu[5], 5), UNSEAL_ORDER);
    assert_int_equal(read_pdu(&context, TO_SERVER, pdu[5], 5), UNSEAL_FINE);
}

/* SPNEGO's MIC took the first number; and a context whose first message was not captured. */
static void first_number(void **state)
{
    (void)state;
    struct context_ntlm context = ntlmv2_context();
    struct peer client = peer_of(&context, TO_SERVER);
    uint8_t pdu[PDU];
    client.sequence = 1;
    make_pdu(&client, pdu, 7, true);
    assert_int_equal(read_pdu(&context, TO_SERVER, pdu, 7), UNSEAL_FINE);
    make_pdu(&client, pdu, 8, true);
    assert_int_equal(read_pdu(&context, TO_SERVER, pdu, 8), UNSEAL_FINE);
    context = ntlmv2_context();
    client = peer_of(&context, TO_SERVER);
    make_pdu(&client, pdu, 7, true);
    make_pdu(&client, pdu, 8, true);
    assert_int_equal(read_pdu(&context, TO_SERVER, pdu, 8), UNSEAL_ORDER);
}

/* Only signed: the text is clear and the signature still moves the cipher. */
static void signed_only(void **state)
{
    (void)state;
    struct context_ntlm context = ntlmv2_context();
    context.flags &= ~NTLM_FLAG_SEAL;
    struct peer client = peer_of(&context, TO_SERVER);
    for (int i = 0; i < 3; i++) {
        uint8_t token[16 + 5] = {[16] = 'h', 'e', 'l', 'l', 'o'};
        struct hmac_md5_ctx mac;
        token[0] = 1;
        token[12] = (uint8_t)i;
        hmac_md5_set_key(&mac, 16, client.sign);
        hmac_md5_update(&mac, 9, token + 12);
        hmac_md5_digest(&mac, 8, token + 4);
        arcfour_crypt(&client.rc4, 8, token + 4, token + 4);
        uint8_t plain[8];
        size_t size = 0;
        assert_int_equal(ntlm_unwrap(&context, TO_SERVER, (struct bytes){token, sizeof token}, plain, &size),
                         UNSEAL_FINE);
        assert_int_equal(size, 5);
        assert_bytes_equal(plain, "hello", 5);
    }
}

static uint32_t slow_crc32(const uint8_t *data, size_t size)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size * 8; i++) {
        bool bit = (crc ^ data[i / 8] >> i % 8) & 1;
        crc = crc >> 1 ^ (bit ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* Without extended session security both directions share a cipher and a sequence, of which SPNEGO's MICs may
 * have taken the first numbers. */
static void shared_cipher(void **state)
{
    (void)state;
    static const struct {
        uint32_t flags;
        const char *key;
    } cases[] = {
        {0x20000033, "55555555555555555555555555555555"},
        {0x00000033, "55555555555555555555555555555555"},
        {0x800000b3, "55555555555555a0"},
        {0x000000b3, "5555555555e538b0"},
    };
    for (size_t i = 0; i < 4 * sizeof cases / sizeof *cases; i++) {
        const uint8_t mics = (uint8_t)(i % 4);
        struct context_ntlm context = {.flags = cases[i / 4].flags};
        memcpy(context.session_key, random_key, 16);
        ntlm_keys_expand(&context);
        uint8_t key[16];
        struct arcfour_ctx rc4;
        arcfour_set_key(&rc4, unhex(cases[i / 4].key, key), key);
        for (uint8_t n = 0; n < 4; n++) {
            uint8_t pdu[PDU];
            memset(pdu, n, PDU);
            bool whole = n >= 2;
            uint32_t crc = slow_crc32(whole ? pdu : pdu + AT, whole ? TOKEN : STUB);
            uint8_t *signature = pdu + TOKEN;
            memset(signature, 0, 16);
            signature[0] = 1;
            for (int b = 0; b < 4; b++)
                signature[8 + b] = (uint8_t)(crc >> 8 * b);
            signature[12] = (uint8_t)(mics + n);
            arcfour_crypt(&rc4, STUB, pdu + AT, pdu + AT);
            arcfour_crypt(&rc4, 12, signature + 4, signature + 4);
            memset(signature + 4, 0, 4);
            pdu[AT] ^= 1;
            assert_int_equal(read_pdu(&context, n % 2, pdu, n),
                             n && mics < 3 ? UNSEAL_ORDER : UNSEAL_WRONG_KEY);
            pdu[AT] ^= 1;
            if (mics == 3) { /* no more than two */
                assert_int_equal(read_pdu(&context, n % 2, pdu, n), UNSEAL_WRONG_KEY);
                continue;
            }
            assert_int_equal(read_pdu(&context, n % 2, pdu, n), UNSEAL_FINE);
        }
    }
}

static void what_is_no_message(void **state)
{
    (void)state;
    struct context_ntlm context = ntlmv2_context();
    struct peer client = peer_of(&context, TO_SERVER);
    uint8_t pdu[PDU];
    uint8_t plain[PDU];
    size_t size = 0;
    make_pdu(&client, pdu, 1, true);
    static const struct rpc_sealed wrong[] = {
        {.stub_at = AT, .stub_size = SIZE_MAX, .token_at = TOKEN},
        {.stub_at = SIZE_MAX, .stub_size = STUB, .token_at = TOKEN},
        {.stub_at = AT, .stub_size = STUB, .token_at = AT},
        {.stub_at = AT, .stub_size = STUB, .token_at = PDU - 15},
        {.stub_at = AT, .stub_size = STUB, .token_at = SIZE_MAX},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct rpc_sealed sealed = wrong[i];
        sealed.pdu = (struct bytes){pdu, PDU};
        assert_int_equal(ntlm_rpc(&context, TO_SERVER, &sealed, plain, &size), UNSEAL_MALFORMED);
    }
    assert_int_equal(ntlm_unwrap(&context, TO_SERVER, (struct bytes){pdu + TOKEN, 15}, plain, &size),
                     UNSEAL_MALFORMED);
    pdu[TOKEN] = 2; /* another version */
    assert_int_equal(ntlm_unwrap(&context, TO_SERVER, (struct bytes){pdu + TOKEN, 16}, plain, &size),
                     UNSEAL_MALFORMED);
    context.flags |= NTLM_FLAG_DATAGRAM;
    pdu[TOKEN] = 1;
    assert_int_equal(ntlm_unwrap(&context, TO_SERVER, (struct bytes){pdu + TOKEN, 16}, plain, &size),
                     UNSEAL_UNSUPPORTED);
    assert_int_equal(size, 0);
}

/* --- by request --- */

static struct key_holder *holder_of(const char *account, const char *other)
{
    static struct keytab_bytes keytab;
    static const uint8_t wrong[16] = {1};
    struct key_holder *holder = key_holder_new(&(struct key_holder_limits){.tickets = 16, .contexts = 16});
    struct fault fault;
    assert_non_null(holder);
    keytab_begin(&keytab);
    keytab_add(&keytab, other, "OTHER.EXAMPLE", 1, 23, wrong, 16);
    keytab_add(&keytab, account, "DOMAIN.EXAMPLE", 1, 23, nt_hash, 16);
    assert_true(key_holder_load(holder, "test", keytab_view(&keytab), &fault));
    return holder;
}

static enum unseal_result ask_ntlm(struct key_holder *holder, const void *message, size_t size,
                                   uint64_t *context)
{
    static struct key_call call;
    call_begin(&call, UNSEAL_NTLM, 2);
    call_bytes(&call, challenge, sizeof challenge);
    call_bytes(&call, message, size);
    return call_context(&call, holder, context);
}

static void by_the_holder(void **state)
{
    (void)state;
    static struct key_call call;
    struct key_holder *holder = holder_of("user", "USER");
    struct made m = authenticate(0xe28a8233, V2_LM, V2_NT, V2_KEY);
    uint64_t context;
    uint8_t token[64];
    struct bytes plain;
    assert_int_equal(ask_ntlm(holder, m.bytes, m.size, &context), UNSEAL_FINE);
    assert_int_not_equal(context, 0);
    call_begin(&call, UNSEAL_WRAP, 3);
    call_uint(&call, context);
    call_uint(&call, TO_SERVER);
    call_bytes(&call, token,
               unhex("01000000 7fb38ec5c55d4976 00000000 54e50165bf1936dc996020c1811b0f06fb5f", token));
    assert_int_equal(call_plain(&call, holder, &plain), UNSEAL_FINE);
    assert_int_equal(plain.size, SIZE);
    assert_memory_equal(plain.data, PLAIN, SIZE);
    assert_int_equal(ask_ntlm(holder, m.bytes, m.size - 1, &context), UNSEAL_MALFORMED);
    assert_int_equal(context, 0);
    assert_int_equal(ask_ntlm(holder, m.bytes, 8, &context), UNSEAL_MALFORMED);
    /* Another password: everyday, and no fault of the keytab. */
    struct key_holder_complaint complaint;
    m.bytes[64 + 24] ^= 1;
    assert_int_equal(ask_ntlm(holder, m.bytes, m.size, &context), UNSEAL_NO_KEY);
    assert_int_equal(context, 0);
    assert_false(key_holder_complaint_at(holder, 0, &complaint));
    m = authenticate(0xe2028a33, "00", "", "");
    assert_int_equal(ask_ntlm(holder, m.bytes, m.size, &context), UNSEAL_UNSUPPORTED);
    call_begin(&call, UNSEAL_NTLM, 1);
    call_bytes(&call, challenge, sizeof challenge);
    assert_int_equal(call_context(&call, holder, &context), UNSEAL_MALFORMED);
    key_holder_destroy(&holder);
}

static void an_account_without_key(void **state)
{
    (void)state;
    struct key_holder *holder = holder_of("alice", "bob");
    struct key_holder_complaint complaint;
    struct made m = authenticate(0xe28a8233, V2_LM, V2_NT, V2_KEY);
    uint64_t context;
    assert_int_equal(ask_ntlm(holder, m.bytes, m.size, &context), UNSEAL_NO_KEY);
    assert_true(key_holder_complaint_at(holder, 0, &complaint));
    assert_string_equal(complaint.principal, "User@Domain");
    assert_int_equal(complaint.etype, 23);
    m.bytes[60] &= 0xfe; /* not Unicode: each byte is a character */
    assert_int_equal(ask_ntlm(holder, m.bytes, m.size, &context), UNSEAL_NO_KEY);
    assert_true(key_holder_complaint_at(holder, 1, &complaint));
    key_holder_destroy(&holder);
}

int main(void)
{
    memset(random_key, 0x55, sizeof random_key);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ntlmv1),
        cmocka_unit_test(ntlmv1_with_client_challenge),
        cmocka_unit_test(ntlmv2),
        cmocka_unit_test(names_of_all_kinds),
        cmocka_unit_test(what_proves_nothing_gives_nothing),
        cmocka_unit_test(order_and_damage),
        cmocka_unit_test(first_number),
        cmocka_unit_test(signed_only),
        cmocka_unit_test(shared_cipher),
        cmocka_unit_test(what_is_no_message),
        cmocka_unit_test(by_the_holder),
        cmocka_unit_test(an_account_without_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
