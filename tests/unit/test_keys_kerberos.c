/* SPDX-License-Identifier: Apache-2.0
 *
 * The holder of keys with exchanges that no capture has: made here, sealed by libkrb5.
 */
#include "tests/unit/kerberos_messages.h"
#include "tests/unit/key_world.h"

#include "keys/complaints.h"
#include "keys/kerberos_crypto.h"
#include "keys/operations.h"

static struct key_world world;
static struct key_material krbtgt, service, client, session, subkey, issued;
static const struct bytes nothing;

static void keep(struct keytab_bytes *file, const char *name, uint32_t kvno, const struct key_material *key)
{
    keytab_add(file, name, KM_REALM, kvno, key->etype, key->bytes, key->size);
}

static int set_up(void **state)
{
    (void)state;
    static struct keytab_bytes file;
    krbtgt = km_key(18, 1);
    service = km_key(20, 2);
    client = km_key(17, 3);
    session = km_key(18, 4);
    subkey = km_key(18, 5);
    issued = km_key(23, 6);
    struct key_material old = km_key(18, 7), rc4 = km_key(23, 8), aes = km_key(19, 9);
    keytab_begin(&file);
    keep(&file, "krbtgt", 2, &krbtgt);
    keep(&file, "krbtgt", 1, &old);
    keep(&file, "krbtgt", 2, &rc4);
    keep(&file, "www$", 3, &service);
    keep(&file, "www$", 3, &aes);
    keep(&file, "alice", 4, &client);
    key_world_open(&world);
    assert_true(key_holder_load(world.holder, "test", keytab_view(&file), NULL));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    key_world_close(&world);
    return 0;
}

static struct der tgt_with(struct bytes pac)
{
    struct der plain = km_ticket_plain(&session, pac);
    return km_ticket("krbtgt/" KM_REALM, &krbtgt, 2, km_bytes(&plain));
}

static struct der tgs_padata(const struct der *tgt, const struct key_material *sub)
{
    struct der authenticator = km_authenticator(sub, nothing), padata = {.size = 0};
    struct der ap_req = km_ap_req(km_bytes(tgt), &session, 7, km_bytes(&authenticator));
    km_put_padata(&padata, PA_TGS_REQ, km_bytes(&ap_req));
    return padata;
}

static const struct unsealed_part *part(const struct unsealed *u, enum unsealed_kind kind)
{
    for (size_t i = 0; i < u->count; i++)
        if (u->parts[i].kind == kind)
            return &u->parts[i];
    fail_msg("no part of kind %d", kind);
    return NULL;
}

static void assert_fine(const struct unsealed *u, enum unsealed_kind kind)
{
    assert_int_equal(part(u, kind)->result, UNSEAL_FINE);
    assert_true(part(u, kind)->plain.size > 0);
}

static void assert_no_key_in(const struct unsealed *u, const struct key_material *key)
{
    for (size_t i = 0; i < u->count; i++)
        for (size_t at = 0; at + key->size <= u->parts[i].plain.size; at++)
            assert_memory_not_equal(u->parts[i].plain.data + at, key->bytes, key->size);
}

static struct unsealed *exchange(const struct der *request, const struct der *reply)
{
    static struct unsealed u;
    static uint64_t number;
    key_world_kdc_request(&world, ++number, km_bytes(request));
    key_world_kdc_reply(&world, number, reply ? km_bytes(reply) : nothing, &u);
    return &u;
}

/* A reply that is sealed with `with`; the ticket in it is of no key that is held unless `key` says one. */
static struct der tgs_reply(const struct key_material *with, int usage, struct bytes padata,
                            const struct key_material *key, const char *name, struct bytes inside)
{
    struct der ticket_plain = km_ticket_plain(&issued, nothing), sealed = {.size = 0};
    struct der ticket = km_ticket(name, key, 3, km_bytes(&ticket_plain));
    struct der plain = km_reply_plain(26, &issued, inside);
    km_seal(&sealed, with, usage, 0, km_bytes(&plain));
    return km_kdc_rep(13, padata, km_bytes(&ticket), km_bytes(&sealed));
}

static void test_tgs(void **state)
{
    (void)state;
    struct der tgt = tgt_with(nothing), padata = tgs_padata(&tgt, &subkey);
    struct der authorization = {.size = 0};
    km_seal(&authorization, &subkey, 5, 0, (struct bytes){(const uint8_t *)"0\0", 2});
    struct der body = km_body("HTTP/www.corp.example", km_bytes(&authorization), nothing);
    struct der request = km_kdc_req(12, km_bytes(&padata), km_bytes(&body));
    struct der reply = tgs_reply(&subkey, 9, nothing, &service, "HTTP/www.corp.example", nothing);
    struct unsealed *u = exchange(&request, &reply);
    assert_int_equal(u->result, UNSEAL_FINE);
    assert_int_equal(u->count, 5);
    assert_fine(u, UNSEALED_PRESENTED);
    assert_int_equal(part(u, UNSEALED_PRESENTED)->kvno, 2);
    assert_false(part(u, UNSEALED_PRESENTED)->pac);
    assert_fine(u, UNSEALED_AUTHENTICATOR);
    assert_fine(u, UNSEALED_AUTHORIZATION);
    assert_fine(u, UNSEALED_REPLY);
    assert_fine(u, UNSEALED_ISSUED);
    assert_int_equal(part(u, UNSEALED_ISSUED)->etype, 20);
    assert_int_equal(part(u, UNSEALED_ISSUED)->kvno, 3);
    assert_no_key_in(u, &session);
    assert_no_key_in(u, &subkey);
    assert_no_key_in(u, &issued);
    /* Without a subkey: the session key, with usages of its own. Without a reply: what the request held. */
    padata = tgs_padata(&tgt, NULL);
    authorization.size = 0;
    km_seal(&authorization, &session, 4, 0, (struct bytes){(const uint8_t *)"0\0", 2});
    body = km_body("HTTP/www.corp.example", km_bytes(&authorization), nothing);
    request = km_kdc_req(12, km_bytes(&padata), km_bytes(&body));
    reply = tgs_reply(&session, 8, nothing, &service, "HTTP/www.corp.example", nothing);
    u = exchange(&request, &reply);
    assert_fine(u, UNSEALED_AUTHORIZATION);
    assert_fine(u, UNSEALED_REPLY);
    u = exchange(&request, NULL);
    assert_int_equal(u->count, 3);
    assert_int_equal(u->result, UNSEAL_FINE);
    /* A reply whose request was not seen, or came twice. */
    key_world_kdc_reply(&world, 999, km_bytes(&reply), u);
    assert_int_equal(u->count, 2);
    assert_int_equal(part(u, UNSEALED_REPLY)->result, UNSEAL_NO_KEY);
    assert_fine(u, UNSEALED_ISSUED);
}

/* The service's key is not held: its session key is learnt from the reply all the same. */
static void test_session_learnt(void **state)
{
    (void)state;
    struct der tgt = tgt_with(nothing), padata = tgs_padata(&tgt, &subkey);
    struct der body = km_body("x/y", nothing, nothing);
    struct der request = km_kdc_req(12, km_bytes(&padata), km_bytes(&body));
    struct key_material unknown = km_key(18, 77);
    struct der ticket_plain = km_ticket_plain(&issued, nothing), sealed = {.size = 0};
    struct der ticket = km_ticket("x/y", &unknown, 1, km_bytes(&ticket_plain));
    struct der plain = km_reply_plain(26, &issued, nothing);
    km_seal(&sealed, &subkey, 9, 0, km_bytes(&plain));
    struct der reply = km_kdc_rep(13, nothing, km_bytes(&ticket), km_bytes(&sealed));
    struct unsealed *u = exchange(&request, &reply);
    assert_int_equal(part(u, UNSEALED_ISSUED)->result, UNSEAL_NO_KEY);
    struct der authenticator = km_authenticator(NULL, nothing);
    struct der ap_req = km_ap_req(km_bytes(&ticket), &issued, 11, km_bytes(&authenticator));
    assert_true(key_world_ap_request(&world, km_bytes(&ap_req), u) != 0);
    assert_int_equal(part(u, UNSEALED_PRESENTED)->result, UNSEAL_NO_KEY);
    assert_fine(u, UNSEALED_AUTHENTICATOR);
    struct key_holder_complaint c;
    assert_true(key_holder_complaint_at(world.holder, 0, &c));
    assert_string_equal(c.principal, "x/y@" KM_REALM);
    assert_int_equal(c.times, 2);
    assert_false(key_holder_complaint_at(world.holder, 1, &c));
}

/* User-to-user: the ticket is sealed with the session key of the additional ticket. */
static void test_user_to_user(void **state)
{
    (void)state;
    struct key_material other_session = km_key(18, 44);
    struct der tgt = tgt_with(nothing), padata = tgs_padata(&tgt, &subkey);
    struct der other_plain = km_ticket_plain(&other_session, nothing);
    struct der other = km_ticket("krbtgt/" KM_REALM, &krbtgt, 2, km_bytes(&other_plain));
    struct der body = km_body("bob", nothing, km_bytes(&other));
    struct der request = km_kdc_req(12, km_bytes(&padata), km_bytes(&body));
    struct der reply = tgs_reply(&subkey, 9, nothing, &other_session, "bob", nothing);
    struct unsealed *u = exchange(&request, &reply);
    assert_fine(u, UNSEALED_ADDITIONAL);
    assert_fine(u, UNSEALED_ISSUED);
    assert_int_equal(part(u, UNSEALED_ISSUED)->kvno, 0);
    assert_no_key_in(u, &other_session);
}

/* FAST in a TGS-REQ with an armor of its own besides: compound identity. A key list in the reply. */
static void test_compound(void **state)
{
    (void)state;
    struct key_material machine_session = km_key(18, 50), machine_subkey = km_key(17, 51);
    struct key_material strengthen = km_key(18, 52), user_hash = km_key(23, 53);
    struct der machine_plain = km_ticket_plain(&machine_session, nothing);
    struct der machine = km_ticket("krbtgt/" KM_REALM, &krbtgt, 2, km_bytes(&machine_plain));
    struct der machine_authenticator = km_authenticator(&machine_subkey, nothing);
    struct der armor = km_ap_req(km_bytes(&machine), &machine_session, 11, km_bytes(&machine_authenticator));
    struct key_material outer = km_combine(&machine_subkey, "subkeyarmor", &machine_session, "ticketarmor");
    struct key_material implicit = km_combine(&subkey, "subkeyarmor", &session, "ticketarmor");
    struct key_material armor_key = km_combine(&outer, "explicitarmor", &implicit, "tgsarmor");

    struct der body = km_body("HTTP/www.corp.example", nothing, nothing), sealed = {.size = 0};
    struct der fast = km_fast_plain(nothing, km_bytes(&body));
    km_seal(&sealed, &armor_key, 51, 0, km_bytes(&fast));
    struct der value = km_fast_request(km_bytes(&armor), km_bytes(&sealed));
    struct der tgt = tgt_with(nothing), padata = tgs_padata(&tgt, &subkey);
    km_put_padata(&padata, PA_FX_FAST, km_bytes(&value));
    struct der request = km_kdc_req(12, km_bytes(&padata), km_bytes(&body));

    struct der keys = {.size = 0}, list = {.size = 0};
    der_member_integer(&keys, 0, 23);
    der_member_bytes(&keys, 1, BER_OCTET_STRING, user_hash.bytes, 16);
    der_close(&keys, 0, BER_SEQUENCE);
    der_close(&keys, 0, BER_SEQUENCE);
    km_put_padata(&list, 162, km_bytes(&keys));
    struct der response = km_fast_response(km_bytes(&list), &strengthen), sealed_response = {.size = 0};
    km_seal(&sealed_response, &armor_key, 52, 0, km_bytes(&response));
    struct der fast_reply = km_fast_reply(km_bytes(&sealed_response)), reply_padata = {.size = 0};
    km_put_padata(&reply_padata, PA_FX_FAST, km_bytes(&fast_reply));
    struct key_material reply_key = km_combine(&strengthen, "strengthenkey", &subkey, "replykey");
    struct der reply =
        tgs_reply(&reply_key, 9, km_bytes(&reply_padata), &service, "HTTP/www.corp.example", km_bytes(&list));
    struct unsealed *u = exchange(&request, &reply);
    assert_int_equal(u->count, 7);
    for (size_t i = 0; i < u->count; i++)
        assert_int_equal(u->parts[i].result, UNSEAL_FINE);
    assert_fine(u, UNSEALED_ARMOR);
    assert_fine(u, UNSEALED_FAST_REQUEST);
    assert_no_key_in(u, &user_hash);
    assert_no_key_in(u, &strengthen);
    assert_no_key_in(u, &machine_session);
}

static struct der timestamp(void)
{
    struct der b = {.size = 0};
    km_put_time(&b, 0);
    der_close(&b, 0, BER_SEQUENCE);
    return b;
}

/* An AS exchange: an encrypted challenge in FAST, of a client whose key has another type than the armor. */
static void test_challenge(void **state)
{
    (void)state;
    struct key_material armor_key = km_combine(&subkey, "subkeyarmor", &session, "ticketarmor");
    struct key_material challenge =
        km_combine(&armor_key, "clientchallengearmor", &client, "challengelongterm");
    struct der tgt = tgt_with(nothing), authenticator = km_authenticator(&subkey, nothing);
    struct der armor = km_ap_req(km_bytes(&tgt), &session, 11, km_bytes(&authenticator));
    struct der stamp = timestamp(), sealed_stamp = {.size = 0}, inner = {.size = 0}, sealed = {.size = 0};
    km_seal(&sealed_stamp, &challenge, 54, 0, km_bytes(&stamp));
    km_put_padata(&inner, PA_ENCRYPTED_CHALLENGE, km_bytes(&sealed_stamp));
    struct der body = km_body("krbtgt/" KM_REALM, nothing, nothing);
    struct der fast = km_fast_plain(km_bytes(&inner), km_bytes(&body)), padata = {.size = 0};
    km_seal(&sealed, &armor_key, 51, 0, km_bytes(&fast));
    struct der value = km_fast_request(km_bytes(&armor), km_bytes(&sealed));
    km_put_padata(&padata, PA_FX_FAST, km_bytes(&value));
    struct der request = km_kdc_req(10, km_bytes(&padata), km_bytes(&body));

    struct key_material strengthen = km_key(17, 60);
    struct key_material reply_key = km_combine(&strengthen, "strengthenkey", &client, "replykey");
    struct der response = km_fast_response(nothing, &strengthen), sealed_response = {.size = 0};
    km_seal(&sealed_response, &armor_key, 52, 0, km_bytes(&response));
    struct der fast_reply = km_fast_reply(km_bytes(&sealed_response)), reply_padata = {.size = 0};
    km_put_padata(&reply_padata, PA_FX_FAST, km_bytes(&fast_reply));
    struct der plain = km_reply_plain(25, &issued, nothing), sealed_reply = {.size = 0};
    km_seal(&sealed_reply, &reply_key, 3, 4, km_bytes(&plain));
    struct der reply = km_kdc_rep(11, km_bytes(&reply_padata), km_bytes(&tgt), km_bytes(&sealed_reply));
    struct unsealed *u = exchange(&request, &reply);
    for (size_t i = 0; i < u->count; i++)
        assert_int_equal(u->parts[i].result, UNSEAL_FINE);
    assert_int_equal(u->count, 6);
    assert_fine(u, UNSEALED_TIMESTAMP);
    assert_fine(u, UNSEALED_REPLY);
    assert_int_equal(part(u, UNSEALED_TIMESTAMP)->kvno, 4);
    assert_no_key_in(u, &strengthen);

    /* A wrong password is no wrong keytab. */
    struct key_holder_status before, after;
    key_holder_status(world.holder, &before);
    struct key_material wrong = km_key(17, 99);
    sealed_stamp.size = padata.size = 0;
    km_seal(&sealed_stamp, &wrong, 1, 0, km_bytes(&stamp));
    km_put_padata(&padata, PA_ENC_TIMESTAMP, km_bytes(&sealed_stamp));
    request = km_kdc_req(10, km_bytes(&padata), km_bytes(&body));
    u = exchange(&request, NULL);
    assert_int_equal(part(u, UNSEALED_TIMESTAMP)->result, UNSEAL_WRONG_KEY);
    key_holder_status(world.holder, &after);
    assert_int_equal(after.wrong, before.wrong);
    struct key_holder_complaint c;
    assert_false(key_holder_complaint_at(world.holder, 0, &c));
}

static void test_context(void **state)
{
    (void)state;
    struct unsealed u;
    struct key_material acceptor = km_key(18, 70), forwarded = km_key(18, 71);
    struct der ticket_plain = km_ticket_plain(&session, nothing);
    struct der ticket = km_ticket("HTTP/www", &service, 3, km_bytes(&ticket_plain));
    struct key_material unknown = km_key(18, 78);
    struct der forwarded_plain = km_ticket_plain(&forwarded, nothing);
    for (int sealed = 0; sealed < 3; sealed++) {
        /* The forwarded TGT is one whose key is not held: that its session key is known came from here. */
        struct der tgt = km_ticket("krbtgt/OTHER", &unknown, 1, km_bytes(&forwarded_plain));
        struct der credentials = km_credentials(km_bytes(&tgt), &forwarded,
                                                sealed == 0   ? NULL
                                                : sealed == 1 ? &session
                                                              : &subkey);
        struct der delegation = km_delegation(km_bytes(&credentials));
        struct der authenticator = km_authenticator(&subkey, km_bytes(&delegation));
        struct der ap_req = km_ap_req(km_bytes(&ticket), &session, 11, km_bytes(&authenticator));
        uint64_t id = key_world_ap_request(&world, km_bytes(&ap_req), &u);
        assert_true(id != 0);
        assert_int_equal(u.count, 2);
        assert_fine(&u, UNSEALED_AUTHENTICATOR);
        assert_no_key_in(&u, &session);
        assert_no_key_in(&u, &subkey);
        assert_no_key_in(&u, &forwarded);
        struct security_context *context = context_find(world.holder->contexts, id, 7);
        assert_non_null(context);
        assert_int_equal(context->kind, CONTEXT_KERBEROS);
        assert_true(context->kerberos.mutual);
        assert_memory_equal(context->kerberos.session.bytes, session.bytes, 32);
        assert_memory_equal(context->kerberos.subkey.bytes, subkey.bytes, 32);
        assert_int_equal(context->kerberos.acceptor.size, 0);
        struct der ap_rep = km_ap_rep(&session, &acceptor);
        key_world_ap_reply(&world, id, km_bytes(&ap_rep));
        assert_int_equal(context->kerberos.acceptor.size, 32);
        assert_memory_equal(context->kerberos.acceptor.bytes, acceptor.bytes, 32);
        struct der shown = km_authenticator(NULL, nothing);
        ap_req = km_ap_req(km_bytes(&tgt), &forwarded, 11, km_bytes(&shown));
        assert_true(key_world_ap_request(&world, km_bytes(&ap_req), &u) != 0);
    }
    /* What is no AP-REQ, one that is sealed with another key, one that has DES. */
    assert_int_equal(key_world_ap_request(&world, nothing, &u), 0);
    assert_int_equal(u.result, UNSEAL_MALFORMED);
    struct der shown = km_authenticator(NULL, nothing);
    struct der ap_req = km_ap_req(km_bytes(&ticket), &unknown, 11, km_bytes(&shown));
    assert_int_equal(key_world_ap_request(&world, km_bytes(&ap_req), &u), 0);
    assert_int_equal(part(&u, UNSEALED_AUTHENTICATOR)->result, UNSEAL_WRONG_KEY);
    /* An AP-REP for a context that is not there does nothing. */
    struct der ap_rep = km_ap_rep(&session, &acceptor);
    key_world_ap_reply(&world, 12345, km_bytes(&ap_rep));
}

/* A ticket that stays as it is but for its version, and one whose type is refused. */
static void test_versions(void **state)
{
    (void)state;
    struct unsealed u;
    struct key_holder_complaint c;
    struct der plain = km_ticket_plain(&session, nothing), shown = km_authenticator(NULL, nothing);
    /* It says version 9, and opens with version 2: a forger's, or a keytab that was made by hand. */
    struct der ticket = km_ticket("krbtgt/" KM_REALM, &krbtgt, 9, km_bytes(&plain));
    struct der ap_req = km_ap_req(km_bytes(&ticket), &session, 11, km_bytes(&shown));
    assert_true(key_world_ap_request(&world, km_bytes(&ap_req), &u) != 0);
    assert_int_equal(part(&u, UNSEALED_PRESENTED)->kvno, 2);
    struct key_material other = km_key(18, 80);
    ticket = km_ticket("krbtgt/" KM_REALM, &other, 9, km_bytes(&plain));
    ap_req = km_ap_req(km_bytes(&ticket), &session, 11, km_bytes(&shown));
    assert_int_equal(key_world_ap_request(&world, km_bytes(&ap_req), &u), 0);
    assert_int_equal(u.result, UNSEAL_OTHER_KVNO);
    ticket = km_ticket("krbtgt/" KM_REALM, &other, 2, km_bytes(&plain));
    ap_req = km_ap_req(km_bytes(&ticket), &session, 11, km_bytes(&shown));
    key_world_ap_request(&world, km_bytes(&ap_req), &u);
    assert_int_equal(u.result, UNSEAL_WRONG_KEY);
    assert_true(key_holder_complaint_at(world.holder, 1, &c));
    assert_int_equal(c.result, UNSEAL_WRONG_KEY);
    assert_int_equal(c.kvno, 2);
    assert_int_equal(c.kvno_held, 2);
    /* DES, in the place of the type: [0] INTEGER of five octets. */
    uint8_t *type = memmem(ticket.data, ticket.size, "\xa0\x07\x02\x05\0\0\0\0\x12", 9);
    assert_non_null(type);
    type[8] = 3;
    ap_req = km_ap_req(km_bytes(&ticket), &session, 11, km_bytes(&shown));
    key_world_ap_request(&world, km_bytes(&ap_req), &u);
    assert_int_equal(u.result, UNSEAL_ETYPE);
    struct key_holder_status status;
    key_holder_status(world.holder, &status);
    assert_int_equal(status.refused_etype, 1);
    assert_int_equal(status.other_kvno, 1);
    assert_int_equal(status.wrong, 1);
}

/* --- the PAC --- */

struct made_pac {
    uint8_t bytes[512];
    size_t size;
    size_t at[20]; /* of the signature of a type */
};

static void put32(struct made_pac *p, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        p->bytes[p->size++] = (uint8_t)(value >> (8 * i));
}

/* Client information and signatures of the types given; their octets are zero as yet. */
static struct made_pac pac_of(const int *types, const int *sizes, int32_t server, int32_t kdc)
{
    struct made_pac p = {.size = 0};
    uint32_t count = 1;
    while (types[count - 1])
        count++;
    put32(&p, count);
    put32(&p, 0);
    size_t at = 8 + (size_t)count * 16;
    put32(&p, 10);
    put32(&p, 16);
    put32(&p, (uint32_t)at);
    put32(&p, 0);
    at += 16;
    for (uint32_t i = 0; i + 1 < count; i++) {
        put32(&p, (uint32_t)types[i]);
        put32(&p, (uint32_t)sizes[i] + 4);
        put32(&p, (uint32_t)at);
        put32(&p, 0);
        p.at[types[i]] = at + 4;
        at += (size_t)(sizes[i] + 4 + 7) & ~(size_t)7;
    }
    p.size += 16;
    for (uint32_t i = 0; i + 1 < count; i++) {
        p.size = p.at[types[i]] - 4;
        put32(&p, (uint32_t)(types[i] == 6 ? server : kdc));
    }
    p.size = at;
    return p;
}

static void sign(struct made_pac *p, int type, const struct key_material *key, int32_t checksum,
                 const uint8_t *data, size_t size)
{
    oracle_checksum(key, 17, checksum, data, size, p->bytes + p->at[type]);
}

static const struct unsealed_part *show(const struct made_pac *pac, const struct key_material *key,
                                        uint32_t kvno, const char *name, struct unsealed *u)
{
    struct der plain = km_ticket_plain(&session, (struct bytes){pac->bytes, pac->size});
    struct der ticket = km_ticket(name, key, kvno, km_bytes(&plain));
    struct der shown = km_authenticator(NULL, nothing);
    struct der ap_req = km_ap_req(km_bytes(&ticket), &session, 11, km_bytes(&shown));
    key_world_ap_request(&world, km_bytes(&ap_req), u);
    assert_true(part(u, UNSEALED_PRESENTED)->pac);
    return part(u, UNSEALED_PRESENTED);
}

static void test_pac(void **state)
{
    (void)state;
    struct unsealed u;
    struct key_material aes = km_key(19, 9), rc4 = km_key(23, 8), old = km_key(18, 7);
    /* RFC 8009 by the service, HMAC-MD5 by the KDC. */
    struct made_pac p = pac_of((const int[]){6, 7, 0}, (const int[]){16, 16}, 19, -138);
    sign(&p, 6, &aes, 19, p.bytes, p.size);
    sign(&p, 7, &rc4, -138, p.bytes + p.at[6], 16);
    const struct unsealed_part *t = show(&p, &aes, 3, "HTTP/www", &u);
    assert_int_equal(t->signatures[PAC_SERVER], PAC_SIGNATURE_GOOD);
    assert_int_equal(t->signatures[PAC_KDC], PAC_SIGNATURE_GOOD);
    assert_int_equal(t->signatures[PAC_TICKET], PAC_SIGNATURE_ABSENT);
    assert_int_equal(t->signatures[PAC_FULL], PAC_SIGNATURE_ABSENT);
    /* A silver ticket: the service's key is known to who forged it, the KDC's is not. */
    p.bytes[p.at[7]] ^= 1;
    t = show(&p, &aes, 3, "HTTP/www", &u);
    assert_int_equal(t->signatures[PAC_SERVER], PAC_SIGNATURE_GOOD);
    assert_int_equal(t->signatures[PAC_KDC], PAC_SIGNATURE_BAD);
    /* A PAC that was changed in the ticket. */
    p.bytes[60] ^= 1;
    t = show(&p, &aes, 3, "HTTP/www", &u);
    assert_int_equal(t->signatures[PAC_SERVER], PAC_SIGNATURE_BAD);
    /* An older key of the KDC; a type of which no key of it is held; one that is not known. */
    p = pac_of((const int[]){6, 7, 0}, (const int[]){16, 12}, 19, 16);
    sign(&p, 6, &aes, 19, p.bytes, p.size);
    sign(&p, 7, &old, 16, p.bytes + p.at[6], 16);
    t = show(&p, &aes, 3, "HTTP/www", &u);
    assert_int_equal(t->signatures[PAC_KDC], PAC_SIGNATURE_GOOD);
    p = pac_of((const int[]){6, 7, 0}, (const int[]){16, 12}, 19, 15);
    t = show(&p, &aes, 3, "HTTP/www", &u);
    assert_int_equal(t->signatures[PAC_KDC], PAC_SIGNATURE_UNKNOWN);
    p = pac_of((const int[]){6, 7, 0}, (const int[]){16, 12}, 1234, 1234);
    t = show(&p, &aes, 3, "HTTP/www", &u);
    assert_int_equal(t->signatures[PAC_SERVER], PAC_SIGNATURE_UNKNOWN);
    assert_int_equal(t->signatures[PAC_KDC], PAC_SIGNATURE_UNKNOWN);
    /* A signature whose type is not the key's was made without it. */
    p = pac_of((const int[]){6, 0}, (const int[]){16}, -138, 0);
    t = show(&p, &aes, 3, "HTTP/www", &u);
    assert_int_equal(t->signatures[PAC_SERVER], PAC_SIGNATURE_BAD);
    assert_int_equal(t->signatures[PAC_KDC], PAC_SIGNATURE_ABSENT);
    /* Over the ticket and over the whole PAC: zeros are no signatures. */
    p = pac_of((const int[]){6, 7, 16, 19, 0}, (const int[]){24, 12, 12, 12}, 20, 16);
    sign(&p, 6, &service, 20, p.bytes, p.size);
    t = show(&p, &service, 3, "HTTP/www", &u);
    assert_int_equal(t->signatures[PAC_SERVER], PAC_SIGNATURE_GOOD);
    assert_int_equal(t->signatures[PAC_TICKET], PAC_SIGNATURE_BAD);
    assert_int_equal(t->signatures[PAC_FULL], PAC_SIGNATURE_BAD);
}

/* The same ticket again comes from the cache: with the same words, until keys change. */
static void test_cache(void **state)
{
    (void)state;
    struct unsealed first, again;
    static struct keytab_bytes file;
    static uint8_t answer[UNSEAL_REQUEST_MAX];
    struct made_pac p = pac_of((const int[]){7, 0}, (const int[]){16}, 0, 20);
    struct der plain = km_ticket_plain(&session, (struct bytes){p.bytes, p.size});
    struct der ticket = km_ticket("HTTP/www", &service, 3, km_bytes(&plain));
    struct der shown = km_authenticator(NULL, nothing);
    struct der ap_req = km_ap_req(km_bytes(&ticket), &session, 11, km_bytes(&shown));
    key_world_ap_request(&world, km_bytes(&ap_req), &first);
    memcpy(answer, world.answer, world.size);
    size_t size = world.size, offset = (size_t)(first.parts[0].plain.data - world.answer);
    for (int i = 0; i < 3; i++) {
        key_world_ap_request(&world, km_bytes(&ap_req), &again);
        assert_int_equal(world.size, size);
        assert_memory_equal(again.parts[0].plain.data, answer + offset, first.parts[0].plain.size);
        assert_int_equal(again.parts[0].signatures[PAC_KDC], PAC_SIGNATURE_ABSENT);
    }
    /* Without keys it is not opened any more: but whose session key is known stays known. */
    assert_true(key_holder_load(world.holder, "test", nothing, NULL));
    key_world_ap_request(&world, km_bytes(&ap_req), &again);
    assert_int_equal(part(&again, UNSEALED_PRESENTED)->result, UNSEAL_NO_KEY);
    assert_fine(&again, UNSEALED_AUTHENTICATOR);
    keytab_begin(&file);
    keep(&file, "www$", 3, &service);
    assert_true(key_holder_load(world.holder, "other", keytab_view(&file), NULL));
    key_world_ap_request(&world, km_bytes(&ap_req), &again);
    assert_fine(&again, UNSEALED_PRESENTED);
}

/* Ever new principals that are not in the keytab do not drive out what is wrong with it. */
static void test_complaints(void **state)
{
    (void)state;
    struct complaints *c = complaints_new();
    assert_non_null(c);
    struct key_holder_complaint one = {.result = UNSEAL_OTHER_KVNO, .kvno = 3, .principal = "old@R"}, got;
    complaints_add(c, &one);
    for (unsigned i = 0; i < 1000; i++) {
        struct key_holder_complaint more = {.result = UNSEAL_NO_KEY};
        snprintf(more.principal, sizeof more.principal, "user%u@R", i);
        complaints_add(c, &more);
    }
    complaints_add(c, &one);
    size_t count = 0, found = 0;
    for (; complaints_at(c, count, &got); count++) {
        if (got.result == UNSEAL_OTHER_KVNO) {
            assert_int_equal(got.times, 2);
            found++;
        }
    }
    assert_int_equal(count, COMPLAINTS_MAX);
    assert_int_equal(found, 1);
    /* Among themselves the latest stay. */
    assert_false(complaints_at(c, count, &got));
    for (unsigned i = 0; i < 1000; i++) {
        struct key_holder_complaint more = {.result = UNSEAL_WRONG_KEY, .kvno = i};
        complaints_add(c, &more);
    }
    for (size_t i = 0; i < COMPLAINTS_MAX; i++) {
        assert_true(complaints_at(c, i, &got));
        assert_true(got.result == UNSEAL_WRONG_KEY && got.kvno >= 1000 - COMPLAINTS_MAX);
    }
    complaints_destroy(&c);
    assert_null(c);
}

/* --- what is kept of requests is bounded, and each line's own --- */

static void test_exchanges(void **state)
{
    (void)state;
    struct unsealed u;
    struct der tgt = tgt_with(nothing), padata = tgs_padata(&tgt, &subkey);
    struct der body = km_body("x", nothing, nothing);
    struct der request = km_kdc_req(12, km_bytes(&padata), km_bytes(&body));
    for (uint64_t i = 0; i < 5000; i++)
        key_world_kdc_request(&world, i, km_bytes(&request));
    key_world_kdc_reply(&world, 5000 - 4097, nothing, &u);
    assert_int_equal(u.count, 0);
    key_world_kdc_reply(&world, 5000 - 4096, nothing, &u);
    assert_int_equal(u.count, 2);
    key_world_kdc_reply(&world, 5000 - 4096, nothing, &u);
    assert_int_equal(u.count, 0);
    key_world_kdc_request(&world, 4990, km_bytes(&body));
    key_world_kdc_reply(&world, 4990, nothing, &u);
    assert_int_equal(u.count, 0);
    assert_int_equal(u.result, UNSEAL_FINE);
    key_holder_line_ended(world.holder, 8);
    key_world_kdc_reply(&world, 4999, nothing, &u);
    assert_int_equal(u.count, 2);
    key_holder_line_ended(world.holder, 7);
    key_world_kdc_reply(&world, 4998, nothing, &u);
    assert_int_equal(u.count, 0);
    static uint8_t large[UNSEAL_MESSAGE_MAX];
    for (uint64_t i = 0; i < 100; i++)
        key_world_kdc_request(&world, i, (struct bytes){large, sizeof large});
    key_world_kdc_request(&world, 100, km_bytes(&request));
    key_world_kdc_reply(&world, 100, nothing, &u);
    assert_int_equal(u.count, 2);
}

/* What opens but is not what it should be is not given out: nobody knows where its keys are. */
static void test_nonsense(void **state)
{
    (void)state;
    struct unsealed u;
    const struct bytes nonsense = {(const uint8_t *)"0\3\2\1\5", 5};
    struct der ticket = km_ticket("krbtgt/" KM_REALM, &krbtgt, 2, nonsense);
    struct der shown = km_authenticator(NULL, nothing);
    struct der ap_req = km_ap_req(km_bytes(&ticket), &session, 11, km_bytes(&shown));
    assert_int_equal(key_world_ap_request(&world, km_bytes(&ap_req), &u), 0);
    assert_int_equal(u.count, 1);
    assert_int_equal(u.parts[0].result, UNSEAL_MALFORMED);
    struct der tgt = tgt_with(nothing);
    ap_req = km_ap_req(km_bytes(&tgt), &session, 11, nonsense);
    assert_int_equal(key_world_ap_request(&world, km_bytes(&ap_req), &u), 0);
    assert_int_equal(part(&u, UNSEALED_AUTHENTICATOR)->result, UNSEAL_MALFORMED);
    struct der sealed = {.size = 0};
    km_seal(&sealed, &client, 3, 4, nonsense);
    struct der reply = km_kdc_rep(11, nothing, km_bytes(&tgt), km_bytes(&sealed));
    key_world_kdc_reply(&world, 1, km_bytes(&reply), &u);
    assert_int_equal(part(&u, UNSEALED_REPLY)->result, UNSEAL_MALFORMED);
    assert_int_equal(part(&u, UNSEALED_REPLY)->plain.size, 0);
    /* The client's key does not open what was agreed on by certificates, and need not. */
    struct der padata = {.size = 0};
    km_put_padata(&padata, PA_PK_AS_REP, nonsense);
    reply = km_kdc_rep(11, km_bytes(&padata), km_bytes(&tgt), km_bytes(&sealed));
    key_world_kdc_reply(&world, 1, km_bytes(&reply), &u);
    assert_int_equal(part(&u, UNSEALED_REPLY)->result, UNSEAL_UNSUPPORTED);
    struct key_holder_complaint c;
    assert_false(key_holder_complaint_at(world.holder, 0, &c));
    /* A negative type, a ticket without cipher text. */
    sealed.size = 0;
    der_member_integer(&sealed, 0, -133);
    der_member_bytes(&sealed, 2, BER_OCTET_STRING, "x", 1);
    der_close(&sealed, 0, BER_SEQUENCE);
    struct der empty = {.size = 0};
    der_member_text(&empty, 1, BER_GENERAL_STRING, KM_REALM);
    der_close(&empty, 0, BER_SEQUENCE);
    der_close(&empty, 0, BER_APPLICATION(1));
    reply = km_kdc_rep(11, nothing, km_bytes(&empty), km_bytes(&sealed));
    key_world_kdc_reply(&world, 1, km_bytes(&reply), &u);
    assert_int_equal(part(&u, UNSEALED_REPLY)->etype, -133);
    assert_int_equal(part(&u, UNSEALED_REPLY)->result, UNSEAL_ETYPE);
    assert_int_equal(part(&u, UNSEALED_ISSUED)->result, UNSEAL_MALFORMED);
}

/* A large PAC. More additional tickets than are opened. */
static void test_large(void **state)
{
    (void)state;
    static uint8_t zeros[6000];
    struct unsealed u;
    struct key_material first = session;
    session = km_key(18, 90);
    struct der plain = km_ticket_plain(&session, (struct bytes){zeros, sizeof zeros});
    struct der ticket = km_ticket("HTTP/www", &service, 3, km_bytes(&plain));
    struct der shown = km_authenticator(NULL, nothing);
    struct der ap_req = km_ap_req(km_bytes(&ticket), &session, 11, km_bytes(&shown));
    for (int i = 0; i < 2; i++) {
        assert_true(key_world_ap_request(&world, km_bytes(&ap_req), &u) != 0);
        assert_int_equal(u.parts[0].plain.size, plain.size);
        assert_true(u.parts[0].pac);
    }
    session = first;
    struct der tgt = tgt_with(nothing), many = {.size = 0}, padata = tgs_padata(&tgt, &subkey);
    for (int i = 0; i < 9; i++)
        der_raw(&many, tgt.data, tgt.size);
    struct der body = km_body("x", nothing, km_bytes(&many));
    struct der request = km_kdc_req(12, km_bytes(&padata), km_bytes(&body));
    assert_int_equal(exchange(&request, NULL)->count, 6);
}

static void test_malformed(void **state)
{
    (void)state;
    for (int operation = UNSEAL_KDC_REQUEST; operation <= UNSEAL_AP_REPLY; operation++) {
        key_world_begin(&world, (enum unseal_operation)operation, 0);
        struct cursor c = key_world_ask(&world);
        if (operation == UNSEAL_KDC_REQUEST || operation == UNSEAL_AP_REPLY) {
            assert_true(cursor_done(&c));
            continue;
        }
        assert_int_equal(msgpack_next(&c).count, 1);
        assert_int_equal(key_world_uint(&c), UNSEAL_MALFORMED);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    static const struct CMUnitTest tests[] = {
        TEST(test_tgs),       TEST(test_session_learnt), TEST(test_user_to_user), TEST(test_compound),
        TEST(test_challenge), TEST(test_context),        TEST(test_versions),     TEST(test_pac),
        TEST(test_cache),     TEST(test_exchanges),      TEST(test_nonsense),     TEST(test_large),
        TEST(test_malformed), TEST(test_complaints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
