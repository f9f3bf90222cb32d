/* SPDX-License-Identifier: Apache-2.0
 *
 * Dissectors that ask who holds the keys: what they tell of NETLOGON's handshake, of the change-password
 * protocol and of signed DNS messages, and what becomes of the answers. The keys are played by this file.
 */
#include "tests/unit/exchange.h"
#include "tests/unit/rpc_session.h"
#include "tests/unit/unit.h"

#include "base/msgpack.h"
#include "capture/unseal.h"

#include <nettle/hmac.h>

enum { ASKED_MAX = 32 };

static struct {
    unsigned count;
    uint8_t operation[ASKED_MAX];
    uint64_t context[ASKED_MAX];
    uint8_t answer[512];
    struct msgpack_writer w;
    uint8_t plain[128]; /* what KRB-PRIV says */
    size_t plain_size;
    enum unseal_result priv;
    bool refuse;
    uint8_t told[256]; /* the arguments of UNSEAL_NETLOGON */
    size_t told_size;
    uint64_t posted[ASKED_MAX]; /* numbers; of AP-REQs also their contexts' */
    uint8_t posted_operation[ASKED_MAX];
    const char *wraps[2]; /* what sealed buffers hold, one after the other; NULL: there is no context */
    unsigned wraps_read;
    unsigned posted_count;
} keys;

static void reset(void)
{
    memset(&keys, 0, sizeof keys);
}

static struct cursor note(struct bytes request)
{
    struct cursor c = cursor_of_bytes(request);
    assert_int_equal(msgpack_next(&c).type, MSGPACK_ARRAY);
    assert_true(keys.count < ASKED_MAX);
    keys.operation[keys.count] = (uint8_t)msgpack_next(&c).uint;
    struct cursor arguments = c;
    struct msgpack_item item = msgpack_next(&c);
    if (keys.operation[keys.count] == UNSEAL_POST) { /* a number, and what is asked within */
        assert_true(keys.posted_count < ASKED_MAX);
        keys.posted[keys.posted_count++] = item.uint;
        msgpack_next(&c);
        keys.operation[keys.count] = (uint8_t)msgpack_next(&c).uint;
        keys.posted_operation[keys.posted_count - 1] = keys.operation[keys.count];
    }
    keys.context[keys.count++] = item.type == MSGPACK_UINT ? item.uint : 0;
    return arguments;
}

static void tell(void *context, struct bytes request)
{
    (void)context;
    note(request);
}

/* The vector's key: 32 times 'k'. */
static enum unseal_result judge(struct cursor c)
{
    struct hmac_sha256_ctx mac;
    uint8_t key[32], digest[32];
    memset(key, 'k', sizeof key);
    msgpack_next(&c);
    msgpack_next(&c);
    struct bytes message = msgpack_next(&c).bytes;
    struct bytes token = msgpack_next(&c).bytes;
    hmac_sha256_set_key(&mac, sizeof key, key);
    hmac_sha256_update(&mac, message.size, message.data);
    hmac_sha256_digest(&mac, sizeof digest, digest);
    assert_int_equal(token.size, 32);
    return memcmp(digest, token.data, 32) == 0 ? UNSEAL_FINE : UNSEAL_WRONG_KEY;
}

static void answer_posted(unsigned index)
{
    const char *wrap = keys.wraps[keys.wraps_read % 2];
    bool wrapped = keys.posted_operation[index] == UNSEAL_WRAP;
    msgpack_put_uint(&keys.w, keys.posted[index]);
    msgpack_put_array(&keys.w, 2);
    msgpack_put_uint(&keys.w, !wrapped || wrap ? UNSEAL_FINE : UNSEAL_NO_CONTEXT);
    if (wrapped && wrap) {
        struct run *run = bytes_of(wrap);
        msgpack_put_binary(&keys.w, run->data, run->size);
        free(run);
    } else {
        msgpack_put_uint(&keys.w, keys.posted[index]);
    }
    keys.wraps_read += wrapped;
}

static bool ask(void *context, struct bytes request, struct bytes *answer)
{
    (void)context;
    struct cursor c = note(request);
    if (keys.refuse)
        return false;
    msgpack_writer_init(&keys.w, keys.answer, sizeof keys.answer);
    switch (keys.operation[keys.count - 1]) {
    case UNSEAL_AP_REQUEST:
        msgpack_put_array(&keys.w, 2);
        msgpack_put_uint(&keys.w, UNSEAL_FINE);
        msgpack_put_uint(&keys.w, 7);
        break;
    case UNSEAL_COLLECT:
        msgpack_put_array(&keys.w, 2);
        msgpack_put_uint(&keys.w, UNSEAL_FINE);
        msgpack_put_array(&keys.w, 2 * keys.posted_count);
        for (unsigned i = 0; i < keys.posted_count; i++)
            answer_posted(i);
        keys.posted_count = 0;
        break;
    case UNSEAL_PRIV:
        msgpack_put_array(&keys.w, 2);
        msgpack_put_uint(&keys.w, keys.priv);
        msgpack_put_binary(&keys.w, keys.plain, keys.plain_size);
        break;
    case UNSEAL_MIC:
        msgpack_put_array(&keys.w, 1);
        msgpack_put_uint(&keys.w, judge(c));
        break;
    case UNSEAL_NETLOGON:
        keys.told_size = cursor_left(&c);
        memcpy(keys.told, c.at, keys.told_size);
        msgpack_put_array(&keys.w, 1);
        msgpack_put_uint(&keys.w, UNSEAL_FINE);
        break;
    default:
        msgpack_put_array(&keys.w, 1);
        msgpack_put_uint(&keys.w, UNSEAL_UNSUPPORTED);
    }
    *answer = (struct bytes){keys.answer, keys.w.size};
    return true;
}

static const struct unsealer unsealer = {.ask = ask, .tell = tell};
static const struct engine_options with_keys = {.unsealer = &unsealer};

static unsigned asked(enum unseal_operation operation)
{
    unsigned count = 0;
    for (unsigned i = 0; i < keys.count; i++)
        count += keys.operation[i] == operation;
    return count;
}

/* --- GSS-TSIG --- */

#define AP_REQ "6e12 3010 a003020105 a10302010e a20403020500"
#define NAME   "04'1234' 07'Sig-DC1' 04'corp' 07'example' 00"

/* Made and signed by another implementation; the key's name in its canonical form, as it must be. */
#define UPDATE                                                                                               \
    "12342800000100000001000104636f7270076578616d706c65000006000103777331c00c000100010000012c00040a00000104" \
    "31"                                                                                                     \
    "323334075369672d444331c00c00fa00ff00000000003d0b686d61632d7368613235360000006b034cdc012c00204237bce8b1" \
    "eb"                                                                                                     \
    "67c16fe8d21c656357ffa87cd34b3fe45bd97b027c8d652b6875123400000000"

/* What was posted is answered, and what waits for it goes out. */
static void collect(struct exchange *x)
{
    engine_tick(x->h.engine, x->time += INT64_C(120000000));
}

static void agree(struct exchange *x)
{
    exchange_udp(x, TO_SERVER,
                 "0001 0000 0001 0000 0000 0001 " NAME " 00f9 00ff"
                 "c00c 00f9 00ff 00000000 002e 08'gss-tsig' 00 00000000 00000000 0003 0000 0014 " AP_REQ
                 " 0000");
    exchange_udp(x, TO_CLIENT,
                 "0001 8000 0001 0001 0000 0000 " NAME " 00f9 00ff"
                 "c00c 00f9 00ff 00000000 001a 08'gss-tsig' 00 00000000 00000000 0003 0000 0000 0000");
    collect(x);
}

static const char *update_with(struct exchange *x, const char *update)
{
    x->client_port++;
    exchange_udp(x, TO_SERVER, update);
    exchange_udp(x, TO_CLIENT, "1234 a800 0001 0000 0000 0000 04'corp' 07'example' 00 0006 0001");
    size_t count = harness_count(&x->h, ACTIVITY_DNS_UPDATE);
    assert_true(count);
    struct harness_record *r = harness_find(&x->h, ACTIVITY_DNS_UPDATE, count - 1);
    assert_string_equal(harness_text(r, FIELD_DNS_SIGNATURE), "hmac-sha256");
    return harness_text(r, FIELD_DNS_SIGNATURE_GOOD);
}

static void signed_updates(void **state)
{
    (void)state;
    static struct exchange x;
    char damaged[sizeof UPDATE];
    reset();
    exchange_open(&x, 50000, 53, &with_keys);
    assert_string_equal(update_with(&x, UPDATE), ""); /* no key of that name yet */
    assert_int_equal(asked(UNSEAL_MIC), 0);
    agree(&x);
    assert_int_equal(asked(UNSEAL_AP_REQUEST), 1);
    assert_string_equal(update_with(&x, UPDATE), "true");
    assert_int_equal(asked(UNSEAL_MIC), 1);
    memcpy(damaged, UPDATE, sizeof UPDATE);
    damaged[strlen("12342800000100000001000104636f7270076578616d706c65000006000103777331c00c000100010000012c0"
                   "0040a0000")] = '7';
    assert_string_equal(update_with(&x, damaged), "false");
    keys.refuse = true;
    assert_string_equal(update_with(&x, UPDATE), "");
    keys.refuse = false;
    /* Anew: the latest key of the name counts; the table forgets the oldest. */
    for (int i = 0; i < 300; i++) {
        x.client_port++;
        keys.count = 0;
        agree(&x);
    }
    assert_int_equal(asked(UNSEAL_FORGET), 1);
    assert_string_equal(update_with(&x, UPDATE), "true");
    exchange_finish(&x);
    exchange_close(&x);
}

/* A server that refuses makes no key; what it agreed to is forgotten with the flow. */
static void refused_key(void **state)
{
    (void)state;
    static struct exchange x;
    reset();
    exchange_open(&x, 50000, 53, &with_keys);
    exchange_udp(&x, TO_SERVER,
                 "0001 0000 0001 0000 0000 0001 " NAME " 00f9 00ff"
                 "c00c 00f9 00ff 00000000 002e 08'gss-tsig' 00 00000000 00000000 0003 0000 0014 " AP_REQ
                 " 0000");
    exchange_udp(&x, TO_CLIENT,
                 "0001 8000 0001 0001 0000 0000 " NAME " 00f9 00ff"
                 "c00c 00f9 00ff 00000000 001a 08'gss-tsig' 00 00000000 00000000 0003 0011 0000 0000");
    collect(&x);
    assert_string_equal(update_with(&x, UPDATE), "");
    exchange_finish(&x);
    assert_int_equal(asked(UNSEAL_FORGET), 1);
    exchange_close(&x);
}

/* Names that are none, a record cut short: nothing is asked, nothing breaks. */
static void damaged_signatures(void **state)
{
    (void)state;
    static struct exchange x;
    static struct run *update;
    reset();
    exchange_open(&x, 50000, 53, &with_keys);
    agree(&x);
    update = bytes_of(UPDATE);
    for (size_t cut = 0; cut < update->size; cut++) {
        uint8_t copy[256];
        memcpy(copy, update->data, update->size);
        keys.count = 0;
        exchange_datagram(&x, CLIENT, 51000, SERVER, 53, copy, cut, 0);
        if (cut > 12) {
            copy[cut] ^= 0xc1;
            exchange_datagram(&x, CLIENT, 51000, SERVER, 53, copy, update->size, 0);
        }
    }
    free(update);
    exchange_finish(&x);
    exchange_close(&x);
}

/* --- kpasswd --- */

#define KRB_PRIV "751a 3018 a003020105 a103020115 a30c 300a a003020112 a203040178"
#define AP_REP   "6f1a 3018 a003020105 a10302010f a20c 300a a003020112 a203040178"

static struct harness_record *change(struct exchange *x, const char *plain, enum unseal_result result)
{
    struct run *run = bytes_of(plain);
    keys.priv = result;
    memcpy(keys.plain, run->data, run->size);
    keys.plain_size = run->size;
    free(run);
    exchange_udp(x, TO_SERVER, "0036 ff80 0014 " AP_REQ KRB_PRIV);
    keys.plain_size = 9;
    memcpy(keys.plain, "\0\4too bad", 9);
    exchange_udp(x, TO_CLIENT, "003e 0001 001c " AP_REP KRB_PRIV);
    return harness_find(&x->h, ACTIVITY_KERBEROS_PASSWORD_CHANGE,
                        harness_count(&x->h, ACTIVITY_KERBEROS_PASSWORD_CHANGE) - 1);
}

static void password_set(void **state)
{
    (void)state;
    static struct exchange x;
    reset();
    exchange_open(&x, 50000, 464, &with_keys);
    struct harness_record *r =
        change(&x, "301b a005 0403 000000 a10c 300a a003020101 a1033001 00 a204 1b02'RE'", UNSEAL_FINE);
    assert_string_equal(harness_text(r, FIELD_UNSEALED), "true");
    r = change(&x, "3019 a005 0403 000000 a10a 3008 a106 3004 1b02'me' a204 1b02'RE'", UNSEAL_FINE);
    assert_string_equal(harness_text(r, FIELD_PASSWORD_TARGET), "me");
    assert_string_equal(harness_text(r, FIELD_PASSWORD_TARGET_REALM), "RE");
    assert_string_equal(harness_text(r, FIELD_STATUS), "4");
    assert_string_equal(harness_text(r, FIELD_KERBEROS_ERROR_TEXT), "too bad");
    assert_string_equal(harness_text(r, FIELD_SEALED), "");
    const uint8_t order[] = {UNSEAL_AP_REQUEST, UNSEAL_PRIV, UNSEAL_AP_REPLY, UNSEAL_PRIV, UNSEAL_FORGET};
    assert_int_equal(keys.count, 2 * sizeof order);
    assert_memory_equal(keys.operation, order, sizeof order);
    for (unsigned i = 1; i < sizeof order; i++)
        assert_int_equal(keys.context[i], 7);
    /* The old form: nothing but that it was read. */
    r = change(&x, "", UNSEAL_FINE);
    assert_string_equal(harness_text(r, FIELD_PASSWORD_TARGET), "");
    assert_string_equal(harness_text(r, FIELD_UNSEALED), "true");
    /* Sealed. */
    r = change(&x, "", UNSEAL_WRONG_KEY);
    assert_string_equal(harness_text(r, FIELD_UNSEALED), "");
    assert_string_equal(harness_text(r, FIELD_SEALED), "true");
    /* No reply: its context goes with the flow. */
    exchange_udp(&x, TO_SERVER, "0036 ff80 0014 " AP_REQ KRB_PRIV);
    unsigned forgotten = asked(UNSEAL_FORGET);
    exchange_finish(&x);
    assert_int_equal(asked(UNSEAL_FORGET), forgotten + 1);
    exchange_close(&x);
}

/* --- NETLOGON's handshake --- */

static void stub_credential(struct stub *s, uint8_t fill)
{
    uint8_t run[8];
    memset(run, fill, sizeof run);
    stub_bytes(s, run, sizeof run);
}

static void handshake(struct rpc_session *s, uint16_t opnum, uint32_t status, bool challenged)
{
    struct stub b = {.form = s->form};
    if (challenged) {
        stub_pointer(&b, false);
        stub_string16(&b, "WS1");
        stub_credential(&b, 1);
        session_request(s, 0, 4, &b);
        b.size = 0;
        stub_credential(&b, 2);
        stub32(&b, 0);
        session_response(s, 0, &b);
    }
    b.size = 0;
    stub_pointer(&b, false);
    stub_string16(&b, "WS1$");
    stub_enum(&b, 2);
    stub_string16(&b, "WS1");
    stub_credential(&b, 3);
    stub32(&b, 0x612fffff);
    session_request(s, 0, opnum, &b);
    b.size = 0;
    stub_credential(&b, 4);
    stub32(&b, 0x01004000);
    if (opnum == 26)
        stub32(&b, 1105);
    stub32(&b, status);
    session_response(s, 0, &b);
}

static void netlogon(uint16_t opnum, uint32_t status, bool challenged, bool expected)
{
    static struct rpc_session s;
    reset();
    session_open_with(&s, RPC_LITTLE, &with_keys);
    session_bind(&s, 11, 0, rpc_interface_uuid(RPC_NETLOGON));
    handshake(&s, opnum, status, challenged);
    assert_int_equal(asked(UNSEAL_NETLOGON), expected);
    if (expected) {
        uint8_t told[256];
        struct msgpack_writer w;
        uint8_t run[8];
        msgpack_writer_init(&w, told, sizeof told);
        msgpack_put_binary(&w,
                           "W\0S\0"
                           "1\0$",
                           8);
        msgpack_put_binary(&w,
                           "W\0S\0"
                           "1",
                           6);
        memset(run, 1, 8);
        msgpack_put_binary(&w, run, 8);
        memset(run, 2, 8);
        msgpack_put_binary(&w, run, 8);
        msgpack_put_uint(&w, 0x01004000);
        memset(run, 3, 8);
        msgpack_put_binary(&w, run, 8);
        assert_int_equal(keys.told_size, w.size);
        assert_memory_equal(keys.told, told, w.size);
    }
    session_close(&s);
}

static void netlogon_handshakes(void **state)
{
    (void)state;
    netlogon(26, 0, true, true);
    netlogon(15, 0, true, true);
    netlogon(26, 0xc0000022, true, false);
    netlogon(26, 0, false, false);
}

/* --- sealed LDAP --- */

#define LDAP_BIND                                                                                            \
    "3039 020101 6034 020103 0400 a32d 0406'GSSAPI' 0423 6021 0609 2a864886f712010202 0100 " AP_REQ
#define LDAP_BOUND  "300c 020101 6107 0a0100 0400 0400"
#define LDAP_SEALED "00000024 050406ff 0000001c 0000000000000001 0000000000000000000000000000000000000000"
#define LDAP_DELETE "3006 020102 4a01'x'"
#define LDAP_GONE   "300c 020102 6b07 0a0100 0400 0400"

/* What is sealed is read when its answer is there, in its place among the others; the flow ends behind it. */
static void sealed_ldap(bool read)
{
    static struct exchange x;
    reset();
    if (read) {
        keys.wraps[0] = LDAP_DELETE;
        keys.wraps[1] = LDAP_GONE;
    }
    exchange_open(&x, 50000, 389, &with_keys);
    exchange_connect(&x);
    exchange_tcp(&x, TO_SERVER, LDAP_BIND);
    exchange_tcp(&x, TO_CLIENT, LDAP_BOUND);
    exchange_tcp(&x, TO_SERVER, LDAP_SEALED);
    exchange_tcp(&x, TO_CLIENT, LDAP_SEALED);
    exchange_segment(&x, TO_SERVER, NULL, 0, FLAG_FIN | FLAG_ACK);
    exchange_segment(&x, TO_CLIENT, NULL, 0, FLAG_FIN | FLAG_ACK);
    exchange_tcp(&x, TO_SERVER, LDAP_SEALED); /* behind the end: nobody's */
    assert_int_equal(asked(UNSEAL_WRAP), 2);
    assert_int_equal(asked(UNSEAL_COLLECT), 0);
    assert_int_equal(asked(UNSEAL_FORGET), 0);
    assert_int_equal(x.h.size, 0);
    collect(&x);
    assert_int_equal(asked(UNSEAL_COLLECT), 1);
    assert_int_equal(asked(UNSEAL_FORGET), read); /* what there was not needs not be forgotten */
    assert_int_equal(harness_count(&x.h, ACTIVITY_KERBEROS_AP), 1);
    assert_int_equal(harness_count(&x.h, ACTIVITY_LDAP_BIND), 1);
    assert_int_equal(harness_count(&x.h, ACTIVITY_LDAP_DELETE), read);
    if (read)
        assert_string_equal(harness_text(harness_find(&x.h, ACTIVITY_LDAP_DELETE, 0), FIELD_UNSEALED),
                            "true");
    assert_int_equal(engine_stats(x.h.engine)->protocol[PROTOCOL_LDAP].sealed, read ? 0 : 2);
    exchange_finish(&x);
    exchange_close(&x);
}

static void sealed_buffers(void **state)
{
    (void)state;
    sealed_ldap(true);
    sealed_ldap(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signed_updates),      cmocka_unit_test(refused_key),
        cmocka_unit_test(damaged_signatures),  cmocka_unit_test(password_set),
        cmocka_unit_test(netlogon_handshakes), cmocka_unit_test(sealed_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
