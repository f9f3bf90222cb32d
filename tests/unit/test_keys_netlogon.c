/* SPDX-License-Identifier: Apache-2.0
 *
 * NETLOGON's secure channel: the examples of [MS-NRPC] 4.2 and 4.3; what has none there was made by another
 * implementation.
 */
#include "tests/unit/unit.h"

#include "keys/holder.h"
#include "keys/operations.h"
#include "tests/unit/key_request.h"
#include "tests/unit/keytab_bytes.h"

#define NT_HASH          "31a590170a351fd51148b2a10af2c305"
#define CLIENT_CHALLENGE "3a0390a46d0c3d4f"
#define SERVER_CHALLENGE "0c4c13d16041c860"

enum { AES = 0x01000000, STRONG = 0x00004000 };

static struct key_holder *holder_with(const char *account)
{
    static struct keytab_bytes keytab;
    uint8_t key[16];
    struct key_holder *holder = key_holder_new(&(struct key_holder_limits){.tickets = 16, .contexts = 16});
    struct fault fault;
    assert_non_null(holder);
    keytab_begin(&keytab);
    keytab_add(&keytab, account, "CORP.EXAMPLE", 1, 23, key, unhex(NT_HASH, key));
    assert_true(key_holder_load(holder, "test", keytab_view(&keytab), &fault));
    return holder;
}

static enum unseal_result authenticate(struct key_holder *holder, const char *computer, uint32_t flags,
                                       const char *client, const char *credential)
{
    struct key_call call;
    uint8_t run[64];
    call_begin(&call, UNSEAL_NETLOGON, 6);
    call_bytes(&call,
               "W\0S\0"
               "1\0$",
               8);
    size_t size = 0;
    for (const char *c = computer; *c; c++) {
        run[size++] = (uint8_t)*c;
        run[size++] = 0;
    }
    call_bytes(&call, run, size);
    call_bytes(&call, run, unhex(client, run));
    call_bytes(&call, run, unhex(SERVER_CHALLENGE, run));
    call_uint(&call, flags);
    call_bytes(&call, run, unhex(credential, run));
    return call_end(&call, holder, NULL, NULL);
}

static uint64_t bind_as(struct key_holder *holder, const char *computer, enum unseal_result expected)
{
    struct key_call call;
    uint64_t context;
    call_begin(&call, UNSEAL_NETLOGON_CONTEXT, 1);
    call_bytes(&call, computer, strlen(computer));
    assert_int_equal(call_context(&call, holder, &context), expected);
    return context;
}

static void session_keys(void **state)
{
    (void)state;
    struct key_holder *holder = holder_with("WS1$");
    uint8_t key[16];
    assert_int_equal(bind_as(holder, "WS1", UNSEAL_NO_KEY), 0);
    assert_int_equal(authenticate(holder, "WS1", STRONG, CLIENT_CHALLENGE, "b638958244fceacd"), UNSEAL_FINE);
    uint64_t id = bind_as(holder, "ws1", UNSEAL_FINE);
    struct security_context *context = context_find(holder->contexts, id, 0);
    assert_non_null(context);
    assert_int_equal(context->netlogon.count, 1);
    unhex("eefe8f40007a2eeb6843d0d30a5be2e3", key); /* 4.2 */
    assert_memory_equal(context->netlogon.keys[0].session_key, key, 16);
    assert_false(context->netlogon.keys[0].aes);
    /* Once more, the same, and then with AES: the latest is tried first. */
    assert_int_equal(authenticate(holder, "WS1", STRONG, CLIENT_CHALLENGE, "b638958244fceacd"), UNSEAL_FINE);
    assert_int_equal(authenticate(holder, "WS1", AES | STRONG, CLIENT_CHALLENGE, "c43e8c706184b992"),
                     UNSEAL_FINE);
    context = context_find(holder->contexts, bind_as(holder, "WS1.corp.example", UNSEAL_FINE), 0);
    assert_int_equal(context->netlogon.count, 2);
    unhex("fdc7815fdbdbb1a6a08d0fda749edb18", key);
    assert_memory_equal(context->netlogon.keys[0].session_key, key, 16);
    assert_true(context->netlogon.keys[0].aes);
    key_holder_destroy(&holder);
}

static void what_is_refused(void **state)
{
    (void)state;
    struct key_holder *holder = holder_with("WS1$");
    struct key_holder_complaint complaint;
    assert_int_equal(authenticate(holder, "WS1", 0, CLIENT_CHALLENGE, "b638958244fceacd"), UNSEAL_ETYPE);
    assert_false(key_holder_complaint_at(holder, 0, &complaint));
    assert_int_equal(authenticate(holder, "WS1", AES, CLIENT_CHALLENGE, "b638958244fceacd"),
                     UNSEAL_WRONG_KEY);
    assert_true(key_holder_complaint_at(holder, 0, &complaint));
    assert_string_equal(complaint.principal, "WS1$");
    assert_int_equal(complaint.result, UNSEAL_WRONG_KEY);
    assert_int_equal(authenticate(holder, "WS1", AES, "00", "c43e8c706184b992"), UNSEAL_MALFORMED);
    assert_int_equal(authenticate(holder, "WS1", AES, CLIENT_CHALLENGE, "00"), UNSEAL_MALFORMED);
    assert_int_equal(authenticate(holder, "", AES, CLIENT_CHALLENGE, "c43e8c706184b992"), UNSEAL_MALFORMED);
    bind_as(holder, "", UNSEAL_NO_KEY);
    bind_as(holder, "WS1", UNSEAL_NO_KEY);
    char name[100];
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    bind_as(holder, name, UNSEAL_NO_KEY);
    key_holder_destroy(&holder);
    holder = holder_with("WS2$");
    assert_int_equal(authenticate(holder, "WS1", AES, CLIENT_CHALLENGE, "c43e8c706184b992"), UNSEAL_NO_KEY);
    key_holder_destroy(&holder);
}

/* The one used longest ago goes first. */
static void many_channels(void **state)
{
    (void)state;
    struct key_holder *holder = holder_with("WS1$");
    for (int i = 0; i <= 4096; i++) {
        char name[16];
        snprintf(name, sizeof name, "pc%d", i);
        assert_int_equal(authenticate(holder, name, AES, CLIENT_CHALLENGE, "c43e8c706184b992"), UNSEAL_FINE);
        bind_as(holder, "pc0", UNSEAL_FINE);
    }
    bind_as(holder, "pc1", UNSEAL_NO_KEY);
    bind_as(holder, "pc2", UNSEAL_FINE);
    bind_as(holder, "pc4096", UNSEAL_FINE);
    key_holder_destroy(&holder);
}

/* --- messages --- */

#define PLAIN                                                                                                \
    "3000000000000000000000000000000030000000000000005c005c00570049004e002d00450055003400550047003800"       \
    "370048003200490056002e00320033003000360066006500760032002e006e00740074006500730074002e006d006900"       \
    "630072006f0073006f00660074002e0063006f006d000000000002000000000010000000000000000000000000000000"       \
    "1000000000000000570049004e002d004400310049005400420046004d003400410038005500000085bb1511fd09786d"       \
    "3b61b06400000000000000000000000001000000000000000000000000000000"
#define SEALED                                                                                               \
    "c930c9a079d95c78bea6a3150908c11f4b68e41219bcb91680ead287da211eec66bc27df2bc9a0f4ecf25c88624e493c"       \
    "59cdec6bc7b08bed84b97c33138ae3c8377cb327f3ea6076da91c5d23dbf1b2f4066a455332716b7b64f2ec9a944702d"       \
    "20a85035de3b231a5216b7a6c9102bd17c7d6ab1b379445eb5a5276e360d3bcef93b5359d36b0006b0c10bc2fec73777"       \
    "816a383a4614494b7b18bc34cd5447681eb48f8132a0a08a50d752826cff068c76959d49767557e503d509fa3c18b086"       \
    "0a22a7e2bae50e812c5d71c31f9f1dfd143333b3043f6bf906e5d91207f1d988"

struct pdu {
    uint8_t bytes[512];
    uint8_t plain[512];
    struct rpc_sealed sealed;
    size_t plain_size;
};

static void make(struct pdu *p, const char *header, const char *stub, const char *trailer, const char *token,
                 const char *plain)
{
    size_t at = unhex(header, p->bytes);
    p->sealed.stub_at = at;
    p->sealed.stub_size = unhex(stub, p->bytes + at);
    at += p->sealed.stub_size;
    at += unhex(trailer, p->bytes + at);
    p->sealed.token_at = at;
    at += unhex(token, p->bytes + at);
    p->sealed.pdu = (struct bytes){p->bytes, at};
    p->plain_size = unhex(plain, p->plain);
}

static struct context_netlogon keyed(const char *key, bool aes)
{
    struct context_netlogon context = {.count = 1, .keys = {{.aes = aes}}};
    unhex(key, context.keys[0].session_key);
    return context;
}

static enum unseal_result read(struct context_netlogon *context, const struct pdu *p, uint8_t *to,
                               size_t *size)
{
    *size = SIZE_MAX;
    return netlogon_rpc(context, TO_SERVER, &p->sealed, to, size);
}

/* It is read; with any bit turned it is not, for the headers only when they are signed. */
static void expect(const char *key, bool aes, struct pdu *p, bool headers)
{
    uint8_t to[512];
    size_t size;
    struct context_netlogon context = keyed(key, aes);
    assert_int_equal(read(&context, p, to, &size), UNSEAL_FINE);
    assert_int_equal(size, p->plain_size);
    assert_memory_equal(to, p->plain, size);
    size_t stub_end = p->sealed.stub_at + p->sealed.stub_size;
    for (size_t i = 0; i < p->sealed.pdu.size; i++) {
        bool header = i < p->sealed.stub_at || (i >= stub_end && i < p->sealed.token_at);
        p->bytes[i] ^= 0x20;
        enum unseal_result result = read(&context, p, to, &size);
        p->bytes[i] ^= 0x20;
        bool sequence = i >= p->sealed.token_at + 8 && i < p->sealed.token_at + 16;
        if ((header && !headers) || (sequence && p->bytes[p->sealed.token_at + 2] == 0xff))
            continue; /* what is not signed; a sequence number nothing was sealed with */
        assert_int_not_equal(result, UNSEAL_FINE);
        assert_int_equal(size, SIZE_MAX);
    }
    /* Cut, it is no message. */
    for (size_t cut = 0; cut < p->sealed.pdu.size; cut++) {
        struct pdu shorter = *p;
        shorter.sealed.pdu = (struct bytes){p->bytes, cut};
        assert_int_equal(read(&context, &shorter, to, &size), UNSEAL_MALFORMED);
    }
}

#define HEADER  "0500000310000000380138000c000000d400000001001500"
#define TRAILER "44060c0003000000"

static void sealed_with_aes(void **state)
{
    (void)state;
    struct pdu p;
    make(&p, HEADER, SEALED, TRAILER, "13001a00ffff0000b37c1f0ec86468f086761f2f86f4f4c1632d1f547d2cf6ff",
         PLAIN); /* 4.3 */
    expect("0cb6948805f797bf2a82807973b89537", true, &p, false);
    make(&p, HEADER, SEALED, TRAILER, "13001a00ffff00005d69950dfde45ae9f092ae5c3c55aacd632d1f547d2cf6ff",
         PLAIN); /* 4.3.1 */
    expect("0cb6948805f797bf2a82807973b89537", true, &p, true);
}

#define COUNTED "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324252627"

static void with_rc4(void **state)
{
    (void)state;
    struct pdu p;
    make(&p, HEADER, "b83e089e4054caea015614792bf0e2622e85f05a076494f9081cba22d19f7eefa5a769315685266d",
         TRAILER, "77007a00ffff0000be05cabbd488b6921d1a72381954c3aaf97d49d901178ba5", COUNTED);
    expect("eefe8f40007a2eeb6843d0d30a5be2e3", false, &p, false);
    make(&p, HEADER, "", TRAILER, "77007a00ffff0000be05cabbd488b6921d1a72381954c3aaf97d49d901178ba5", "");
    struct context_netlogon context = keyed("eefe8f40007a2eeb6843d0d30a5be2e3", false);
    uint8_t to[8];
    size_t size;
    assert_int_equal(read(&context, &p, to, &size), UNSEAL_WRONG_KEY);
}

/* A computer with several channels: which it is, the message tells. */
static void one_of_several(void **state)
{
    (void)state;
    struct context_netlogon context = keyed("eefe8f40007a2eeb6843d0d30a5be2e3", false);
    context.count = 3;
    context.keys[1].aes = true;
    memset(context.keys[1].session_key, 7, 16);
    context.keys[2].aes = true;
    unhex("0cb6948805f797bf2a82807973b89537", context.keys[2].session_key);
    struct pdu p;
    uint8_t to[512];
    size_t size;
    make(&p, HEADER, SEALED, TRAILER, "13001a00ffff0000b37c1f0ec86468f086761f2f86f4f4c1632d1f547d2cf6ff",
         PLAIN);
    assert_int_equal(read(&context, &p, to, &size), UNSEAL_FINE);
    assert_int_equal(context.count, 1);
    assert_int_equal(read(&context, &p, to, &size), UNSEAL_FINE);
    context = keyed("eefe8f40007a2eeb6843d0d30a5be2e3", false);
    assert_int_equal(read(&context, &p, to, &size), UNSEAL_NO_KEY);
    p.bytes[p.sealed.token_at] = 0x77; /* RC4's signature with AES's seal */
    assert_int_equal(read(&context, &p, to, &size), UNSEAL_MALFORMED);
}

/* The whole way: keytab, handshake, bind, message. */
static void by_the_holder(void **state)
{
    (void)state;
    struct key_holder *holder = holder_with("WS1$");
    struct key_call call;
    struct bytes plain;
    struct pdu p;
    authenticate(holder, "WS1", STRONG, CLIENT_CHALLENGE, "b638958244fceacd");
    uint64_t context = bind_as(holder, "WS1", UNSEAL_FINE);
    make(&p, HEADER, "b83e089e4054caea015614792bf0e2622e85f05a076494f9081cba22d19f7eefa5a769315685266d",
         TRAILER, "77007a00ffff0000be05cabbd488b6921d1a72381954c3aaf97d49d901178ba5", COUNTED);
    call_begin(&call, UNSEAL_RPC, 6);
    call_uint(&call, context);
    call_uint(&call, TO_SERVER);
    call_bytes(&call, p.bytes, p.sealed.pdu.size);
    call_uint(&call, p.sealed.stub_at);
    call_uint(&call, p.sealed.stub_size);
    call_uint(&call, p.sealed.token_at);
    assert_int_equal(call_plain(&call, holder, &plain), UNSEAL_FINE);
    assert_int_equal(plain.size, p.plain_size);
    assert_memory_equal(plain.data, p.plain, plain.size);
    call_begin(&call, UNSEAL_RPC, 2); /* too few arguments */
    call_uint(&call, context);
    call_uint(&call, TO_SERVER);
    assert_int_equal(call_plain(&call, holder, &plain), UNSEAL_MALFORMED);
    call_begin(&call, UNSEAL_WRAP, 3); /* a channel has no such messages */
    call_uint(&call, context);
    call_uint(&call, TO_SERVER);
    call_bytes(&call, p.bytes, 32);
    assert_int_equal(call_plain(&call, holder, &plain), UNSEAL_UNSUPPORTED);
    key_holder_destroy(&holder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_keys),  cmocka_unit_test(what_is_refused),
        cmocka_unit_test(many_channels), cmocka_unit_test(sealed_with_aes),
        cmocka_unit_test(with_rc4),      cmocka_unit_test(one_of_several),
        cmocka_unit_test(by_the_holder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
