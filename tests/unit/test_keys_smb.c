/* SPDX-License-Identifier: Apache-2.0
 *
 * SMB 2 and 3 with keys: the samples that Microsoft published of SMB 3.0 and 3.1.1 encryption and of 3.1.1
 * pre-authentication integrity, and messages sealed and signed here.
 */
#include "tests/unit/unit.h"

#include "keys/operations.h"

#include <nettle/ccm.h>
#include <nettle/cmac.h>
#include <nettle/gcm.h>
#include <nettle/hmac.h>
#include <sodium.h>
#include <stdlib.h>

#define LINE 3

/* The operations alone: neither keytabs nor libkrb5 are needed. */
static struct key_holder holder;
static uint8_t answer_bytes[UNSEAL_REQUEST_MAX];

struct answer {
    enum unseal_result result;
    uint64_t context;
    struct bytes plain;
};

static size_t unhex(const char *hex, uint8_t *to)
{
    size_t size = 0;
    for (; hex[0] && hex[1]; hex += 2) {
        char pair[3] = {hex[0], hex[1], 0};
        to[size++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return size;
}

static struct bytes hex_of(const char *hex)
{
    static uint8_t rooms[8][1024];
    static unsigned next;
    uint8_t *room = rooms[next++ % 8];
    return (struct bytes){room, unhex(hex, room)};
}

static int set_up(void **state)
{
    (void)state;
    if (sodium_init() < 0)
        return -1;
    holder.contexts = contexts_new(8);
    holder.plain = sodium_malloc(UNSEAL_REQUEST_MAX);
    holder.signers = smb_signers_new();
    return holder.contexts && holder.plain && holder.signers ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    contexts_destroy(&holder.contexts);
    sodium_free(holder.plain);
    smb_signers_destroy(&holder.signers);
    return 0;
}

/* `numbers` that are not UINT64_MAX, then the bytes. */
static struct answer ask(key_operation operation, const uint64_t *numbers, size_t count, struct bytes bytes)
{
    static uint8_t request[UNSEAL_REQUEST_MAX];
    struct msgpack_writer w, a;
    msgpack_writer_init(&w, request, sizeof request);
    for (size_t i = 0; i < count; i++)
        msgpack_put_uint(&w, numbers[i]);
    msgpack_put_binary(&w, bytes.data, bytes.size);
    msgpack_writer_init(&a, answer_bytes, sizeof answer_bytes);
    struct key_request r = {.holder = &holder,
                            .line = LINE,
                            .c = cursor_of(request, w.size),
                            .left = (uint32_t)count + 1,
                            .answer = &a};
    operation(&r);
    struct cursor c = cursor_of(answer_bytes, a.size);
    struct answer answer = {0};
    uint32_t items = msgpack_next(&c).count;
    answer.result = (enum unseal_result)msgpack_next(&c).uint;
    struct msgpack_item item = items > 1 ? msgpack_next(&c) : (struct msgpack_item){.type = MSGPACK_NIL};
    if (item.type == MSGPACK_UINT)
        answer.context = item.uint;
    if (item.type == MSGPACK_BINARY)
        answer.plain = item.bytes;
    assert_true(cursor_done(&c) && !c.failed);
    return answer;
}

static uint64_t base_context(struct bytes key)
{
    struct security_context *context =
        context_new(holder.contexts, key.size == 16 ? CONTEXT_NTLM : CONTEXT_KERBEROS, LINE);
    if (key.size == 16) {
        memcpy(context->ntlm.session_key, key.data, 16);
    } else {
        context->kerberos.acceptor.size = (uint8_t)key.size;
        memcpy(context->kerberos.acceptor.bytes, key.data, key.size);
    }
    return context->id;
}

static uint64_t session_of(struct bytes key, uint16_t dialect, uint16_t cipher, uint16_t signing,
                           struct bytes hash)
{
    static const uint8_t none[64];
    if (!hash.size)
        hash = (struct bytes){none, sizeof none};
    uint64_t numbers[] = {base_context(key), dialect, cipher, signing};
    struct answer answer = ask(operation_smb, numbers, 4, hash);
    assert_int_equal(answer.result, UNSEAL_FINE);
    assert_true(answer.context != 0);
    return answer.context;
}

static const struct context_smb *keys_of(uint64_t session)
{
    return &context_find(holder.contexts, session, LINE)->smb;
}

static struct answer unseal(uint64_t session, enum direction direction, struct bytes message)
{
    uint64_t numbers[] = {session, direction};
    return ask(operation_smb_message, numbers, 2, message);
}

static void assert_is(struct bytes bytes, const char *hex)
{
    struct bytes expected = hex_of(hex);
    assert_int_equal(bytes.size, expected.size);
    assert_bytes_equal(bytes.data, expected.data, expected.size);
}

/* --- published samples --- */

static void test_smb_3_0(void **state)
{
    (void)state;
    struct bytes key = hex_of("B4546771B515F766A86735532DD6C4F0");
    uint64_t session = session_of(key, 0x0300, 0, 0xffff, (struct bytes){0});
    const struct context_smb *keys = keys_of(session);
    assert_is((struct bytes){keys->signing_key, 16}, "F773CD23C18FD1E08EE510CADA7CF852");
    assert_is((struct bytes){keys->encryption[TO_SERVER], 16}, "261B72350558F2E9DCF613070383EDBF");
    assert_is((struct bytes){keys->encryption[TO_CLIENT], 16}, "8FE2B57EC34D2DB5B1A9727F526BBDB5");
    struct answer request = unseal(session, TO_SERVER,
                                   hex_of("FD534D4281A286535415445DAE393921E44FA42E66E69A111892584FB5ED524A"
                                          "744DA3EE87000000000001001100001400E4080025C8FEE16605A437832D1CD5"
                                          "2DA9F4645333482A175FE5384563F45FCDAFAEF38BC62BA4D5C62897996625A4"
                                          "4C29BE5658DE2E6117585779E7B59FFD971278D08580D7FA899E410E910EABF5"
                                          "AA1DB43050B33B49182637759AC15D84BFCDF5B6B238993C0F4CF4D6012023F6"
                                          "C627297075D84B7803912D0A9639634453595EF3E33FFE4E7AC2AB"));
    assert_int_equal(request.result, UNSEAL_FINE);
    assert_is(request.plain, "FE534D4240000100000000000900400008000000000000000400000000000000"
                             "FFFE0000010000001100001400E4080000000000000000000000000000000000"
                             "3100700017000000000000000000000015010000390000020100000039020000"
                             "00000000000000007000000000000000536D623320656E6372797074696F6E20"
                             "74657374696E67");
    struct answer reply = unseal(session, TO_CLIENT,
                                 hex_of("FD534D42ABD518B68C2F04D7879F482B689EB83F870000000000000011000014"
                                        "00E4080067000000000001001100001400E40800493D6FE2BDBEB435CF5F5469"
                                        "70C7BB57BF20E713C75A3D045507E0D68E5C0346659D6FFB8AC1504A786CA2BB"
                                        "89C9E7FE4F313E910A04180D2D0EA7DF636329E5A3285984500EF86FE9D55DA4"
                                        "FAB9531CFDD4C551D47F3C73124BB4590A45052B694048B991CCF5"));
    assert_is(reply.plain, "FE534D4240000100000000000800210009000000000000000500000000000000"
                           "FFFE0000010000001100001400E4080000000000000000000000000000000000"
                           "11005000170000000000000000000000536D623320656E6372797074696F6E20"
                           "74657374696E67");
}

static const char reply_311[] =
    "FD534D42ACBE1CB7ED343ADF1725EF144D90D4B0E06831DD2E8EB7B4000000000000000050000000"
    "00000100250000000010000026BBBF949983A6C1C796559D0F2C510CB651D1F7B6AC8DED32A2A0B8"
    "F2D793A815C6F6B848D69767A215841A42D400AE6DDB5F0B44173A014973321FDD7950DA6179159B"
    "82E03C9E18A050FF0EA1C967";

static uint64_t session_311(void)
{
    return session_of(
        hex_of("419FDDF34C1E001909D362AE7FB6AF79"), 0x0311, 2, 0xffff,
        hex_of("B23F3CBFD69487D9832B79B1594A367CDD950909B774C3A4C412B4FCEA9EDDDBA7DB256BA2EA30E9"
               "77F11F9B113247578E0E915C6D2A513B8F2FCA5707DC8770"));
}

static void test_smb_3_1_1(void **state)
{
    (void)state;
    uint64_t session = session_311();
    const struct context_smb *keys = keys_of(session);
    assert_is((struct bytes){keys->encryption[TO_SERVER], 16}, "A2F5E80E5D59103034F32E52F698E5EC");
    assert_is((struct bytes){keys->encryption[TO_CLIENT], 16}, "748C50868C90F302962A5C35F5F9A8BF");
    struct answer request =
        unseal(session, TO_SERVER,
               hex_of("FD534D42BD73D97D2BC9001BCAFAC0FDFF5FEEBCC7D6822D269CAF48904C664C0000000087000000"
                      "0000010025000000001000006ECDD2A7AFC7B47763057A041B8FD4DAFFE990B70C9E09D36C084E02"
                      "D14EF247F8BDE38ACF6256F8B1D3B56F77FBDEB312FEA5E92CBCC1ED8FB2EBBFAA75E49A4A394BB4"
                      "4576545567C24D4C014D47C9FBDFDAFD2C4F9B72F8D256452620A299F48E29E53D6B61D1C13A19E9"
                      "1AF013F00D17E3ABC2FC3D36C8C1B6B93973253852DBD442E46EE8"));
    assert_is(request.plain,
              "FE534D4240000100000000000900010008000000000000000500000000000000FFFE000001000000"
              "25000000001000000000000000000000000000000000000031007000170000000000000000000000"
              "0600000004000000010000000400000000000000000000007000000000000000536D623320656E63"
              "72797074696F6E2074657374696E67");
    struct answer reply = unseal(session, TO_CLIENT, hex_of(reply_311));
    assert_is(reply.plain,
              "FE534D4240000100000000000900010001000000000000000500000000000000FFFE000001000000"
              "25000000001000000000000000000000000000000000000011000000170000000000000000000000");
}

static void test_preauthentication(void **state)
{
    (void)state;
    uint64_t session =
        session_of(hex_of("270E1BA896585EEB7AF3472D3B4C75A7"), 0x0311, 2, 0xffff,
                   hex_of("0DD13628CC3ED218EF9DF9772D436D0887AB9814BFAE63A80AA845F36909DB7928622DDDAD522D97"
                          "51640A459762C5A9D6BB084CBB3CE6BDADEF5D5BCE3C6C01"));
    assert_is((struct bytes){keys_of(session)->signing_key, 16}, "73FE7A9A77BEF0BDE49C650D8CCB5F76");
}

/* --- what does not fit --- */

static void test_damage(void **state)
{
    (void)state;
    uint64_t session = session_311();
    uint8_t message[256];
    size_t size = unhex(reply_311, message);
    for (size_t i = 4; i < size; i++) { /* of signature, additional data and cipher text each byte counts */
        message[i] ^= 1;
        struct answer answer = unseal(session, TO_CLIENT, (struct bytes){message, size});
        assert_true(answer.result == UNSEAL_WRONG_KEY || answer.result == UNSEAL_MALFORMED ||
                    (i >= 32 && i < 36)); /* the nonce's last bytes are not of GCM's, but additional data */
        assert_int_equal(answer.plain.size, 0);
        message[i] ^= 1;
    }
    for (size_t cut = 0; cut < size; cut++)
        assert_int_equal(unseal(session, TO_CLIENT, (struct bytes){message, cut}).result, UNSEAL_MALFORMED);
    assert_int_equal(unseal(session, TO_SERVER, (struct bytes){message, size}).result, UNSEAL_WRONG_KEY);
    assert_int_equal(unseal(session + 1, TO_CLIENT, (struct bytes){message, size}).result, UNSEAL_NO_CONTEXT);
    assert_int_equal(unseal(session, 2, (struct bytes){message, size}).result, UNSEAL_MALFORMED);
    message[0] = 0xfe;
    assert_int_equal(unseal(session, TO_CLIENT, (struct bytes){message, size}).result, UNSEAL_MALFORMED);
}

static void test_refused(void **state)
{
    (void)state;
    struct bytes key = hex_of("419FDDF34C1E001909D362AE7FB6AF79");
    uint8_t message[256];
    struct bytes sealed = {message, unhex(reply_311, message)};
    uint64_t base = base_context(key);
    assert_int_equal(unseal(base, TO_CLIENT, sealed).result, UNSEAL_NO_CONTEXT); /* not SMB's */
    /* Ciphers that are not there, or not known. */
    assert_int_equal(unseal(session_of(key, 0x0210, 2, 0, (struct bytes){0}), TO_CLIENT, sealed).result,
                     UNSEAL_UNSUPPORTED);
    assert_int_equal(unseal(session_of(key, 0x0311, 0, 0, (struct bytes){0}), TO_CLIENT, sealed).result,
                     UNSEAL_UNSUPPORTED);
    assert_int_equal(unseal(session_of(key, 0x0311, 9, 0, (struct bytes){0}), TO_CLIENT, sealed).result,
                     UNSEAL_UNSUPPORTED);
    /* No context to derive from, one without a key, a hash of another size. */
    uint64_t numbers[] = {base + 1, 0x0311, 2, 0};
    assert_int_equal(ask(operation_smb, numbers, 4, (struct bytes){message, 64}).result, UNSEAL_NO_CONTEXT);
    numbers[0] = context_new(holder.contexts, CONTEXT_NETLOGON, LINE)->id;
    assert_int_equal(ask(operation_smb, numbers, 4, (struct bytes){message, 64}).result, UNSEAL_NO_CONTEXT);
    numbers[0] = base;
    assert_int_equal(ask(operation_smb, numbers, 4, (struct bytes){message, 63}).result, UNSEAL_MALFORMED);
    assert_int_equal(ask(operation_smb, numbers, 3, (struct bytes){message, 64}).result, UNSEAL_MALFORMED);
    assert_int_equal(ask(operation_smb_message, numbers, 1, sealed).result, UNSEAL_MALFORMED);
}

/* --- long keys --- */

/* SP 800-108 once more, plainly. */
static void derive(const uint8_t key[32], const char *label, const uint8_t context[64], uint8_t to[32])
{
    struct hmac_sha256_ctx hmac;
    hmac_sha256_set_key(&hmac, 32, key);
    hmac_sha256_update(&hmac, 4, (const uint8_t *)"\0\0\0\1");
    hmac_sha256_update(&hmac, strlen(label) + 1, (const uint8_t *)label);
    hmac_sha256_update(&hmac, 1, (const uint8_t *)"");
    hmac_sha256_update(&hmac, 64, context);
    hmac_sha256_update(&hmac, 4, (const uint8_t *)"\0\0\1\0");
    hmac_sha256_digest(&hmac, 32, to);
}

/* A transform header around `text`, its signature still to come. */
static void transform(uint8_t *message, size_t text)
{
    memset(message, 0, 52);
    memcpy(message, "\xfdSMB", 4);
    memset(message + 20, 0x5a, 16);
    message[36] = (uint8_t)text;
    message[42] = 1;
    message[44] = 9;
}

static void test_long_keys(void **state)
{
    (void)state;
    uint8_t key[32], hash[64], encryption[32], message[52 + 100], text[100];
    memset(key, 0xa1, sizeof key);
    memset(hash, 0xb2, sizeof hash);
    memset(text, 0xc3, sizeof text);
    derive(key, "SMBS2CCipherKey", hash, encryption);
    struct bytes full = {key, sizeof key}, preauth = {hash, sizeof hash};

    struct gcm_aes256_ctx gcm;
    transform(message, sizeof text);
    gcm_aes256_set_key(&gcm, encryption);
    gcm_aes256_set_iv(&gcm, 12, message + 20);
    gcm_aes256_update(&gcm, 32, message + 20);
    gcm_aes256_encrypt(&gcm, sizeof text, message + 52, text);
    gcm_aes256_digest(&gcm, 16, message + 4);
    struct answer answer =
        unseal(session_of(full, 0x0311, 4, 1, preauth), TO_CLIENT, (struct bytes){message, sizeof message});
    assert_int_equal(answer.result, UNSEAL_FINE);
    assert_int_equal(answer.plain.size, sizeof text);
    assert_bytes_equal(answer.plain.data, text, sizeof text);

    struct ccm_aes256_ctx ccm;
    transform(message, sizeof text);
    ccm_aes256_set_key(&ccm, encryption);
    ccm_aes256_set_nonce(&ccm, 11, message + 20, 32, sizeof text, 16);
    ccm_aes256_update(&ccm, 32, message + 20);
    ccm_aes256_encrypt(&ccm, sizeof text, message + 52, text);
    ccm_aes256_digest(&ccm, 16, message + 4);
    answer =
        unseal(session_of(full, 0x0311, 3, 1, preauth), TO_CLIENT, (struct bytes){message, sizeof message});
    assert_int_equal(answer.result, UNSEAL_FINE);
    assert_bytes_equal(answer.plain.data, text, sizeof text);

    /* The signing key, and short ciphers' keys, are of the first half only. */
    uint64_t whole = session_of(full, 0x0311, 2, 1, preauth);
    uint64_t half = session_of((struct bytes){key, 16}, 0x0311, 2, 1, preauth);
    assert_bytes_equal(keys_of(whole)->signing_key, keys_of(half)->signing_key, 16);
    assert_bytes_equal(keys_of(whole)->encryption, keys_of(half)->encryption,
                       sizeof keys_of(half)->encryption);
}

/* Of Kerberos: the acceptor's key before the client's before the ticket's. */
static void test_kerberos_keys(void **state)
{
    (void)state;
    struct security_context *context = context_new(holder.contexts, CONTEXT_KERBEROS, LINE);
    uint8_t key[KEY_BYTES_MAX];
    assert_int_equal(context_session_key(context, key), 0);
    context->kerberos.session = (struct key_material){.size = 16, .bytes = {1}};
    assert_int_equal(context_session_key(context, key), 16);
    assert_int_equal(key[0], 1);
    context->kerberos.subkey = (struct key_material){.size = 32, .bytes = {2}};
    assert_int_equal(context_session_key(context, key), 32);
    assert_int_equal(key[0], 2);
    context->kerberos.acceptor = (struct key_material){.size = 16, .bytes = {3}};
    assert_int_equal(context_session_key(context, key), 16);
    assert_int_equal(key[0], 3);
    context_forget(holder.contexts, context);
}

/* --- signatures --- */

static enum unseal_result signature(uint64_t session, struct bytes message)
{
    return ask(operation_smb_signature, &session, 1, message).result;
}

static void header(uint8_t *message, uint8_t command, uint8_t flags)
{
    memset(message, 0x11, 100);
    memcpy(message, "\xfeSMB", 4);
    message[12] = command;
    message[13] = 0;
    message[16] = flags;
    memset(message + 48, 0, 16);
}

static void check_signature(uint64_t session, uint8_t message[100], const uint8_t tag[16])
{
    memcpy(message + 48, tag, 16);
    assert_int_equal(signature(session, (struct bytes){message, 100}), UNSEAL_FINE);
    message[99] ^= 1;
    assert_int_equal(signature(session, (struct bytes){message, 100}), UNSEAL_WRONG_KEY);
    message[99] ^= 1;
    message[48] ^= 1;
    assert_int_equal(signature(session, (struct bytes){message, 100}), UNSEAL_WRONG_KEY);
    assert_int_equal(signature(session, (struct bytes){message, 63}), UNSEAL_MALFORMED);
    assert_int_equal(signature(session + 1, (struct bytes){message, 100}), UNSEAL_NO_CONTEXT);
}

static void test_signatures(void **state)
{
    (void)state;
    struct bytes key = hex_of("B4546771B515F766A86735532DD6C4F0");
    uint8_t message[100], tag[16];
    header(message, 3, 8);
    struct hmac_sha256_ctx hmac;
    hmac_sha256_set_key(&hmac, 16, key.data); /* in SMB 2 the session's key itself */
    hmac_sha256_update(&hmac, sizeof message, message);
    hmac_sha256_digest(&hmac, 16, tag);
    check_signature(session_of(key, 0x0210, 0, 0xffff, (struct bytes){0}), message, tag);

    header(message, 3, 8);
    struct cmac_aes128_ctx cmac;
    cmac_aes128_set_key(&cmac, hex_of("F773CD23C18FD1E08EE510CADA7CF852").data);
    cmac_aes128_update(&cmac, sizeof message, message);
    cmac_aes128_digest(&cmac, 16, tag);
    check_signature(session_of(key, 0x0302, 0, 0xffff, (struct bytes){0}), message, tag);

    uint64_t session = session_of(key, 0x0311, 2, 2, (struct bytes){0});
    assert_int_equal(
        signature(session_of(key, 0x0311, 2, 7, (struct bytes){0}), (struct bytes){message, sizeof message}),
        UNSEAL_UNSUPPORTED);
    static const struct {
        uint8_t command, flags, bits;
    } cases[] = {{3, 8, 0}, {3, 9, 1}, {12, 8, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct gcm_aes128_ctx gcm;
        uint8_t nonce[12] = {0};
        header(message, cases[i].command, cases[i].flags);
        memcpy(nonce, message + 24, 8);
        nonce[8] = cases[i].bits;
        gcm_aes128_set_key(&gcm, keys_of(session)->signing_key);
        gcm_aes128_set_iv(&gcm, sizeof nonce, nonce);
        gcm_aes128_update(&gcm, sizeof message, message);
        gcm_aes128_digest(&gcm, 16, tag);
        check_signature(session, message, tag);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smb_3_0),           cmocka_unit_test(test_smb_3_1_1),
        cmocka_unit_test(test_preauthentication), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_refused),           cmocka_unit_test(test_long_keys),
        cmocka_unit_test(test_kerberos_keys),     cmocka_unit_test(test_signatures),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
