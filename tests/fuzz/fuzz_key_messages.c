/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that contexts protect, with right keys: tokens and PDUs byte by byte against each kind of context,
 * an AUTHENTICATE_MESSAGE against a held hash, and KRB-PRIV around user data of the input, of which no
 * password may come out.
 */
#include "keys/ntlm_keys.h"
#include "keys/operations.h"
#include "tests/unit/keytab_bytes.h"
#include "tests/unit/krb5_oracle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct key_holder *holder;

static void start(void)
{
    static struct keytab_bytes file;
    static const uint8_t key[16] = {7};
    keytab_begin(&file);
    keytab_add(&file, "WS1$", "R", 1, 23, key, sizeof key);
    keytab_add(&file, "alice", "R", 1, 23, key, sizeof key);
    holder = key_holder_new(&(struct key_holder_limits){.tickets = 16, .contexts = 16});
    if (!holder || !key_holder_load(holder, "keys", keytab_view(&file), NULL))
        abort();
}

static struct key_material material(int32_t etype, uint8_t fill)
{
    struct key_material key = {.etype = etype, .size = (uint8_t)kerberos_key_size(etype)};
    memset(key.bytes, fill, key.size);
    return key;
}

/* The kinds of contexts by number. */
static struct security_context context_of(uint8_t number)
{
    static const int32_t etypes[] = {17, 18, 19, 20, 23};
    static const uint32_t flags[] = {0xe28a8233, 0x820a8233, 0x20000033, 0x000000b3, 0xe28a8213};
    struct security_context context = {.kind = CONTEXT_NETLOGON};
    number %= 11;
    if (number < 5) {
        context.kind = CONTEXT_KERBEROS;
        context.kerberos = (struct context_kerberos){.session = material(etypes[number], 1),
                                                     .subkey = material(etypes[number], 2),
                                                     .acceptor = material(etypes[number], 3)};
    } else if (number < 10) {
        context.kind = CONTEXT_NTLM;
        context.ntlm = (struct context_ntlm){.flags = flags[number - 5]};
        ntlm_keys_expand(&context.ntlm);
    } else {
        context.netlogon = (struct context_netlogon){.count = 2, .keys = {{.aes = true}, {.aes = false}}};
    }
    return context;
}

/* A block of its own size, so that sanitizers see each overrun. */
static uint8_t *copy_of(struct bytes bytes)
{
    uint8_t *copy = malloc(bytes.size ? bytes.size : 1);
    if (!copy)
        abort();
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return copy;
}

static void message(struct security_context *context, uint8_t how, struct bytes input)
{
    uint8_t *copy = copy_of(input), *plain = malloc(input.size ? input.size : 1);
    struct bytes bytes = {copy, input.size};
    struct cursor c = cursor_of_bytes(bytes);
    struct rpc_sealed sealed = {.pdu = bytes};
    enum direction direction = how & 1;
    enum unseal_result result = UNSEAL_UNSUPPORTED;
    size_t size = SIZE_MAX;
    if (!plain)
        abort();
    if (how & 2) {
        sealed.stub_at = cursor_u8(&c);
        sealed.stub_size = how & 4 ? cursor_be64(&c) : cursor_u8(&c);
        sealed.token_at = sealed.stub_at + sealed.stub_size + (how & 8 ? 8u : cursor_u8(&c));
    }
    switch (context->kind) {
    case CONTEXT_KERBEROS:
        if (how & 16)
            result = gss_krb5_mic(holder, &context->kerberos, direction, bytes, bytes);
        else if (how & 2)
            result = gss_krb5_rpc(holder, &context->kerberos, direction, &sealed, plain, &size);
        else
            result = gss_krb5_unwrap(holder, &context->kerberos, direction, bytes, plain, &size);
        if (how & 16 && result == UNSEAL_FINE)
            size = 0;
        break;
    case CONTEXT_NTLM:
        result = how & 2 ? ntlm_rpc(&context->ntlm, direction, &sealed, plain, &size)
                         : ntlm_unwrap(&context->ntlm, direction, bytes, plain, &size);
        break;
    default:
        result = netlogon_rpc(&context->netlogon, direction, &sealed, plain, &size);
    }
    if ((result == UNSEAL_FINE) != (size != SIZE_MAX) || (size != SIZE_MAX && size > input.size))
        abort();
    free(plain);
    free(copy);
}

static void authenticate(struct bytes input)
{
    static const uint8_t challenge[8] = {1}, hash[16] = {7};
    uint8_t *copy = copy_of(input);
    struct ntlm_message m;
    struct context_ntlm context;
    if (ntlm_parse(cursor_of(copy, input.size), 0, &m) && m.type == NTLM_AUTHENTICATE)
        ntlm_keys_derive(hash, challenge, &m, &context);
    free(copy);
}

static size_t der(uint8_t *to, uint8_t tag, size_t size)
{
    memmove(to + 4, to, size);
    to[0] = tag;
    to[1] = 0x82;
    to[2] = (uint8_t)(size >> 8);
    to[3] = (uint8_t)size;
    return size + 4;
}

#define PASSWORD "pAsSwOrD"

/* Around the input: EncKrbPrivPart, EncryptedData, KRB-PRIV, request. In the input 0xff stands for the
 * password. */
static void private_data(uint8_t how, struct bytes input)
{
    static uint8_t part[8192], run[16384], answer[16384];
    struct security_context *context = context_new(holder->contexts, CONTEXT_KERBEROS, 0);
    size_t n = 0;
    context->kerberos = context_of(1).kerberos;
    for (size_t i = 0; i < input.size && i < 500; i++) {
        if (input.data[i] == 0xff) {
            memcpy(part + n, PASSWORD, 8);
            n += 8;
        } else {
            part[n++] = input.data[i];
        }
    }
    if (how & 2) { /* the form of version 2, the input the password and what follows it */
        n = der(part, 0x04, n);
        n = der(part, 0xa0, n);
        n = der(part, 0x30, n);
    }
    n = der(part, 0x04, n);
    n = der(part, 0xa0, n);
    n = der(part, 0x30, n);
    n = der(part, 0x7c, n);
    size_t length = oracle_seal(&context->kerberos.subkey, 13, part, n, run, sizeof run);
    static const uint8_t etype[] = {0xa0, 3, 2, 1, 18};
    static const uint8_t head[] = {0xa0, 3, 2, 1, 5, 0xa1, 3, 2, 1, 21};
    n = der(run, 0x04, length);
    n = der(run, 0xa2, n);
    memmove(run + sizeof etype, run, n);
    memcpy(run, etype, sizeof etype);
    n = der(run, 0x30, n + sizeof etype);
    n = der(run, 0xa3, n);
    memmove(run + sizeof head, run, n);
    memcpy(run, head, sizeof head);
    n = der(run, 0x30, n + sizeof head);
    n = der(run, 0x75, n);
    struct msgpack_writer w, a;
    msgpack_writer_init(&w, part, sizeof part);
    msgpack_put_array(&w, 4);
    msgpack_put_uint(&w, UNSEAL_PRIV);
    msgpack_put_uint(&w, context->id);
    msgpack_put_uint(&w, how & 1);
    msgpack_put_binary(&w, run, n);
    msgpack_writer_init(&a, answer, sizeof answer);
    key_holder_answer(holder, 0, (struct bytes){part, w.size}, &a);
    /* What a server answers is told as it is; it knows no password. */
    if (!(how & 1) && how & 2 && memmem(answer, a.size, PASSWORD, 8))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!holder)
        start();
    struct cursor c = cursor_of(data, size);
    uint8_t what = cursor_u8(&c);
    uint8_t how = cursor_u8(&c);
    if (what < 8) {
        private_data(how, cursor_take(&c, cursor_left(&c)));
    } else if (what < 16) {
        authenticate(cursor_take(&c, cursor_left(&c)));
    } else {
        struct security_context context = context_of(what);
        for (int i = 0; i < 8 && !cursor_done(&c); i++)
            message(&context, how,
                    cursor_take(&c, i < 7 ? cursor_left(&c) * (size_t)(i + 1) / 8 : cursor_left(&c)));
    }
    return 0;
}
