/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole interface of who holds the keys: a sequence of requests. The input is read as steps; each is
 * either a request byte by byte, or a message around plain text of the input, sealed with keys that are held:
 * so that what stands behind the integrity checks is reached.
 */
#include "keys/holder.h"
#include "tests/unit/kerberos_messages.h"
#include "tests/unit/keytab_bytes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct key_holder *holder;
static struct key_material krbtgt, service, client, session, subkey;
static uint64_t context, exchange;
static uint8_t answer[UNSEAL_REQUEST_MAX];

static void start(void)
{
    static struct keytab_bytes file;
    krbtgt = km_key(18, 1);
    service = km_key(23, 2);
    client = km_key(17, 3);
    session = km_key(18, 4);
    subkey = km_key(23, 5);
    keytab_begin(&file);
    keytab_add(&file, "krbtgt", KM_REALM, 2, 18, krbtgt.bytes, 32);
    keytab_add(&file, "www$", KM_REALM, 3, 23, service.bytes, 16);
    keytab_add(&file, "alice", KM_REALM, 4, 17, client.bytes, 16);
    keytab_add(&file, "alice", KM_REALM, 4, 23, service.bytes, 16);
    struct key_holder_limits limits = {.tickets = 64, .contexts = 64};
    holder = key_holder_new(&limits);
    if (!holder || !key_holder_load(holder, "keys", keytab_view(&file), NULL))
        abort();
}

/* Each request in a block of its own size; what comes back must be whole msgpack. */
static void ask(const struct msgpack_writer *w)
{
    uint8_t *copy = malloc(w->size ? w->size : 1);
    if (!copy)
        abort();
    memcpy(copy, w->data, w->size);
    struct msgpack_writer a;
    msgpack_writer_init(&a, answer, sizeof answer);
    key_holder_answer(holder, 1, (struct bytes){copy, w->size}, &a);
    free(copy);
    struct cursor c = cursor_of(answer, a.size);
    if (a.full || (a.size && !msgpack_skip(&c)) || !cursor_done(&c))
        abort();
    /* A context that was given is used in what follows. */
    c = cursor_of(answer, a.size);
    struct msgpack_item list = msgpack_next(&c);
    if (list.type != MSGPACK_ARRAY || list.count < 2 || msgpack_next(&c).uint != UNSEAL_FINE)
        return;
    struct msgpack_item second = msgpack_next(&c);
    if (second.type == MSGPACK_UINT && second.uint)
        context = second.uint;
}

static uint8_t request[UNSEAL_REQUEST_MAX];

static struct msgpack_writer begin(uint64_t operation, uint32_t arguments)
{
    struct msgpack_writer w;
    msgpack_writer_init(&w, request, sizeof request);
    msgpack_put_array(&w, arguments + 1);
    msgpack_put_uint(&w, operation);
    return w;
}

static void put(struct msgpack_writer *w, struct bytes bytes)
{
    msgpack_put_binary(w, bytes.data, bytes.size);
}

/* Arguments as the input says: a context, a small number or a run of bytes. */
static void any_request(struct cursor input)
{
    uint8_t operation = cursor_u8(&input), count = cursor_u8(&input) & 7;
    struct msgpack_writer w = begin(operation, count);
    while (count--) {
        uint8_t kind = cursor_u8(&input);
        if (kind < 64)
            msgpack_put_uint(&w, context);
        else if (kind < 128)
            msgpack_put_uint(&w, kind & 31u ? kind & 31u : cursor_be32(&input));
        else
            put(&w, cursor_take(&input, kind < 192 ? kind & 63u : cursor_left(&input)));
    }
    ask(&w);
}

static void ap_request(struct bytes ticket_plain, struct bytes authenticator)
{
    struct der ticket = km_ticket("HTTP/www.corp.example", &service, 3, ticket_plain);
    struct der ap_req = km_ap_req(km_bytes(&ticket), &session, 11, authenticator);
    struct msgpack_writer w = begin(UNSEAL_AP_REQUEST, 1);
    put(&w, km_bytes(&ap_req));
    ask(&w);
}

static void ap_reply(struct bytes plain)
{
    struct der b = {.size = 0};
    der_member_integer(&b, 0, 5);
    size_t start_at = b.size;
    km_seal(&b, &session, 12, 0, plain);
    der_close(&b, start_at, BER_CONTEXT_CONS(2));
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_APPLICATION(15));
    struct msgpack_writer w = begin(UNSEAL_AP_REPLY, 3);
    msgpack_put_uint(&w, context);
    msgpack_put_uint(&w, TO_CLIENT);
    put(&w, km_bytes(&b));
    ask(&w);
}

static void send_exchange(const struct der *req, const struct der *rep)
{
    struct msgpack_writer w = begin(UNSEAL_KDC_REQUEST, 2);
    msgpack_put_uint(&w, ++exchange);
    put(&w, km_bytes(req));
    ask(&w);
    w = begin(UNSEAL_KDC_REPLY, 2);
    msgpack_put_uint(&w, exchange);
    put(&w, km_bytes(rep));
    ask(&w);
}

/* A TGS exchange; `which` says what of it is the input's. */
static void tgs(uint8_t which, struct bytes input)
{
    struct bytes none = {0};
    struct der ticket_plain = km_ticket_plain(&session, which == 0 ? input : none);
    struct der tgt = km_ticket("krbtgt/" KM_REALM, &krbtgt, 2, which == 1 ? input : km_bytes(&ticket_plain));
    struct der authenticator = km_authenticator(&subkey, none), padata = {.size = 0};
    struct der ap_req = km_ap_req(km_bytes(&tgt), &session, 7, which == 2 ? input : km_bytes(&authenticator));
    km_put_padata(&padata, 1, km_bytes(&ap_req));
    struct key_material armor = km_combine(&subkey, "subkeyarmor", &session, "ticketarmor");
    struct der body = km_body("HTTP/www.corp.example", none, which == 3 ? input : none), sealed = {.size = 0};
    struct der fast = km_fast_plain(which == 4 ? input : none, km_bytes(&body));
    km_seal(&sealed, &armor, 51, 0, which == 5 ? input : km_bytes(&fast));
    struct der value = km_fast_request(none, which == 6 ? input : km_bytes(&sealed));
    km_put_padata(&padata, 136, km_bytes(&value));
    struct der req = km_kdc_req(12, km_bytes(&padata), km_bytes(&body));

    struct der response = km_fast_response(which == 7 ? input : none, &session), reply_padata = {.size = 0};
    struct der sealed_response = {.size = 0}, sealed_reply = {.size = 0};
    km_seal(&sealed_response, &armor, 52, 0, which == 8 ? input : km_bytes(&response));
    struct der fast_reply = km_fast_reply(km_bytes(&sealed_response));
    km_put_padata(&reply_padata, 136, km_bytes(&fast_reply));
    struct key_material key = km_combine(&session, "strengthenkey", &subkey, "replykey");
    struct der plain = km_reply_plain(26, &session, which == 9 ? input : none);
    km_seal(&sealed_reply, &key, 9, 0, which == 10 ? input : km_bytes(&plain));
    struct der rep = km_kdc_rep(13, km_bytes(&reply_padata), km_bytes(&tgt), km_bytes(&sealed_reply));
    send_exchange(&req, &rep);
}

/* An AS exchange. */
static void as(uint8_t which, struct bytes input)
{
    struct bytes none = {0};
    struct der sealed = {.size = 0}, padata = {.size = 0}, sealed_reply = {.size = 0};
    km_seal(&sealed, &client, 1, 0, input);
    km_put_padata(&padata, 2, km_bytes(&sealed));
    struct der body = km_body("krbtgt/" KM_REALM, none, none);
    struct der req = km_kdc_req(10, which == 0 ? input : km_bytes(&padata), km_bytes(&body));
    struct der ticket_plain = km_ticket_plain(&session, none);
    struct der tgt = km_ticket("krbtgt/" KM_REALM, &krbtgt, 2, km_bytes(&ticket_plain));
    km_seal(&sealed_reply, &client, 3, 4, input);
    struct der rep = km_kdc_rep(11, which == 1 ? input : none, km_bytes(&tgt), km_bytes(&sealed_reply));
    send_exchange(&req, &rep);
}

static void step(uint8_t kind, struct bytes input)
{
    struct bytes none = {0};
    struct der plain = km_ticket_plain(&session, kind == 2 ? input : none);
    struct der authenticator = km_authenticator(&subkey, kind == 3 ? input : none);
    struct msgpack_writer w = {.data = (uint8_t *)input.data, .size = input.size};
    switch (kind) {
    case 0:
        ask(&w);
        break;
    case 1:
        any_request(cursor_of_bytes(input));
        break;
    case 2:
    case 3:
        ap_request(km_bytes(&plain), km_bytes(&authenticator));
        break;
    case 4:
        ap_request(input, km_bytes(&authenticator));
        break;
    case 5:
        ap_request(km_bytes(&plain), input);
        break;
    case 6:
        ap_reply(input);
        break;
    default:
        if (kind < 32)
            tgs((kind - 7) % 11, input);
        else
            as(kind & 3, input);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!holder)
        start();
    struct cursor c = cursor_of(data, size);
    for (int i = 0; i < 16 && cursor_left(&c) > 2; i++) {
        uint8_t kind = cursor_u8(&c) & 63;
        size_t length = cursor_be16(&c);
        if (length > 1500)
            length %= 1500;
        if (length > cursor_left(&c))
            length = cursor_left(&c);
        step(kind, cursor_take(&c, length));
    }
    /* Nothing of one run is left to the next, but for the keys. */
    key_holder_line_ended(holder, 1);
    context = 0;
    return 0;
}
