/* SPDX-License-Identifier: Apache-2.0
 *
 * Exchanges with a KDC: what the request held, what the reply holds, and which session key the ticket has.
 * A request is kept as it came until its reply is there: only what is wanted is worked for.
 */
#include "keys/exchanges.h"
#include "keys/kerberos.h"

#include <sodium.h>
#include <stdlib.h>

#define ADDITIONAL_MAX 4u /* additional tickets of a request that are opened */

struct exchange_keys {
    struct key_material session; /* of the presented ticket */
    struct key_material subkey;  /* of its authenticator */
    struct key_material armor;
    struct key_material strengthen;
    struct key_material additional[ADDITIONAL_MAX];
    size_t additionals;
};

struct kdc_exchange {
    struct key_holder *holder;
    struct unsealed parts;
    struct exchange_keys keys;
    bool requested; /* `request` is there */
    struct krb_message request;
    struct krb_kdc_req body;   /* what is really asked for: of the KrbFastReq when there is one */
    struct cursor fast_padata; /* and its PA-DATA */
    struct krb_message reply;
};

/* --- requests --- */

static bool find_padata(struct cursor list, int32_t type, struct cursor *value)
{
    struct krb_padata padata;
    while (krb_next_padata(&list, &padata)) {
        if (padata.type != type)
            continue;
        *value = padata.value;
        return true;
    }
    return false;
}

/* PA-TGS-REQ: the ticket presented, and who presents it (RFC 4120 5.2.7.1). */
static void open_presented(struct kdc_exchange *x)
{
    struct cursor value;
    struct krb_ap_req ap_req;
    if (!find_padata(x->request.request.padata, PA_TGS_REQ, &value) || !krb_read_ap_req(value, &ap_req))
        return;
    struct krb_authenticator authenticator;
    if (kerberos_open_ticket(x->holder, UNSEALED_PRESENTED, &ap_req.ticket, NULL, 0, &x->parts,
                             &x->keys.session))
        kerberos_open_authenticator(x->holder, &ap_req.authenticator, USAGE_TGS_AUTHENTICATOR,
                                    &x->keys.session, &x->parts, &authenticator, &x->keys.subkey);
}

/* The armor key of an AP-REQ: from its ticket's session key and its authenticator's subkey (RFC
 * 6113 5.4.1.1).
 */
static bool explicit_armor(struct kdc_exchange *x, const struct krb_ap_req *ap_req, struct key_material *to)
{
    struct key_material session, subkey;
    struct krb_authenticator authenticator;
    bool fine =
        kerberos_open_ticket(x->holder, UNSEALED_ARMOR, &ap_req->ticket, NULL, 0, &x->parts, &session) &&
        kerberos_open_authenticator(x->holder, &ap_req->authenticator, USAGE_AP_AUTHENTICATOR, &session, NULL,
                                    &authenticator, &subkey) &&
        kerberos_combine(x->holder->derived, &subkey, "subkeyarmor", &session, "ticketarmor", to);
    sodium_memzero(&session, sizeof session);
    sodium_memzero(&subkey, sizeof subkey);
    return fine;
}

/* In a TGS-REQ the presented ticket armors; with an armor of its own besides, both together do ([MS-KILE]
 * 3.3.5.7.4, compound identity). */
static bool armor_key(struct kdc_exchange *x, struct cursor fast)
{
    struct krb_ap_req ap_req;
    struct key_material outer, implicit;
    bool has_outer = krb_read_fast_armor(fast, &ap_req);
    if (has_outer && !explicit_armor(x, &ap_req, &outer))
        return false;
    if (x->request.type == KRB_AS_REQ) {
        if (has_outer)
            x->keys.armor = outer;
        return has_outer;
    }
    if (!kerberos_combine(x->holder->derived, &x->keys.subkey, "subkeyarmor", &x->keys.session, "ticketarmor",
                          &implicit))
        return false;
    if (!has_outer) {
        x->keys.armor = implicit;
        return true;
    }
    return kerberos_combine(x->holder->derived, &outer, "explicitarmor", &implicit, "tgsarmor",
                            &x->keys.armor);
}

static void open_fast_request(struct kdc_exchange *x)
{
    struct cursor value;
    struct krb_encrypted sealed;
    struct krb_fast_request request;
    if (!find_padata(x->request.request.padata, PA_FX_FAST, &value) || !krb_read_fast_sealed(value, &sealed))
        return;
    bool armored = armor_key(x, value);
    struct unsealed_part *part = part_add(&x->parts, UNSEALED_FAST_REQUEST, &sealed);
    if (!part || !armored ||
        kerberos_decrypt_session(x->holder, &x->keys.armor, USAGE_FAST_REQUEST, &sealed, part) != UNSEAL_FINE)
        return;
    if (!krb_read_fast_request(cursor_of_bytes(part->plain), &request))
        return;
    x->body = request.body;
    x->fast_padata = request.padata;
}

static struct keyring_search search_client(const struct krb_kdc_req *body, int32_t etype, uint32_t kvno)
{
    return (struct keyring_search){
        .realm = body->realm, .principal = &body->client, .etype = etype, .kvno = kvno};
}

/* PA-ENC-TIMESTAMP: sealed with the client's key. */
static void open_timestamp(struct kdc_exchange *x)
{
    struct cursor value;
    struct krb_encrypted sealed;
    if ((!find_padata(x->request.request.padata, PA_ENC_TIMESTAMP, &value) &&
         !find_padata(x->fast_padata, PA_ENC_TIMESTAMP, &value)) ||
        !krb_read_encrypted(value, &sealed))
        return;
    struct unsealed_part *part = part_add(&x->parts, UNSEALED_TIMESTAMP, &sealed);
    if (!part)
        return;
    struct keyring_search search = search_client(&x->body, sealed.etype, sealed.kvno);
    /* That it does not open is a wrong password more often than a wrong key: the reply tells which. */
    if (kerberos_decrypt_for(x->holder, &search, NULL, USAGE_TIMESTAMP, sealed.cipher, part, NULL) ==
        UNSEAL_NO_KEY)
        kerberos_complain(x->holder, &search, UNSEAL_NO_KEY);
}

/* PA-ENCRYPTED-CHALLENGE (RFC 6113 5.4.6): sealed with armor key and client's key together, and of the armor
 * key's type. */
static void open_challenge(struct kdc_exchange *x)
{
    static const int32_t etypes[] = {ETYPE_AES256_SHA1, ETYPE_AES128_SHA1, ETYPE_RC4, ETYPE_AES256_SHA384,
                                     ETYPE_AES128_SHA256};
    struct cursor value;
    struct krb_encrypted sealed;
    if (!find_padata(x->fast_padata, PA_ENCRYPTED_CHALLENGE, &value) || !krb_read_encrypted(value, &sealed))
        return;
    struct unsealed_part *part = part_add(&x->parts, UNSEALED_TIMESTAMP, &sealed);
    if (!part)
        return;
    struct key_mix mix = {&x->keys.armor, "clientchallengearmor", "challengelongterm"};
    enum unseal_result worst = UNSEAL_NO_KEY;
    for (size_t i = 0; i < sizeof etypes / sizeof *etypes; i++) {
        struct keyring_search search = search_client(&x->body, etypes[i], 0);
        enum unseal_result result =
            kerberos_decrypt_for(x->holder, &search, &mix, USAGE_CHALLENGE_CLIENT, sealed.cipher, part, NULL);
        if (result == UNSEAL_FINE)
            return;
        if (result != UNSEAL_NO_KEY)
            worst = result;
    }
    part->result = worst;
}

/* enc-authorization-data: with the subkey when there is one (RFC 4120 5.4.1). */
static void open_authorization(struct kdc_exchange *x)
{
    const struct krb_encrypted *sealed = &x->body.authorization;
    if (!sealed->present)
        return;
    struct unsealed_part *part = part_add(&x->parts, UNSEALED_AUTHORIZATION, sealed);
    if (part && kerberos_decrypt_session(x->holder, &x->keys.subkey, USAGE_AUTHORIZATION_SUBKEY, sealed,
                                         part) != UNSEAL_FINE)
        kerberos_decrypt_session(x->holder, &x->keys.session, USAGE_AUTHORIZATION, sealed, part);
}

static void open_additional(struct kdc_exchange *x)
{
    struct cursor list = x->body.tickets;
    struct krb_ticket ticket;
    struct key_material session;
    for (unsigned i = 0; i < ADDITIONAL_MAX && krb_next_ticket(&list, &ticket); i++)
        if (kerberos_open_ticket(x->holder, UNSEALED_ADDITIONAL, &ticket, NULL, 0, &x->parts, &session))
            x->keys.additional[x->keys.additionals++] = session;
    sodium_memzero(&session, sizeof session);
}

static void open_request(struct kdc_exchange *x, struct bytes message)
{
    struct cursor c = cursor_of_bytes(message);
    if (!krb_parse(&c, &x->request) || (x->request.type != KRB_AS_REQ && x->request.type != KRB_TGS_REQ))
        return;
    x->requested = true;
    x->body = x->request.request;
    if (x->request.type == KRB_TGS_REQ)
        open_presented(x);
    open_fast_request(x);
    if (x->request.type == KRB_AS_REQ) {
        open_timestamp(x);
        if (x->keys.armor.size)
            open_challenge(x);
    }
    open_authorization(x);
    open_additional(x);
}

/* --- replies --- */

/* KrbFastResponse; it may have a key that strengthens the reply key (RFC 6113 5.4.3). */
static void open_fast_response(struct kdc_exchange *x, struct cursor padata)
{
    struct cursor value;
    struct krb_encrypted sealed;
    struct krb_fast_response response;
    if (!find_padata(padata, PA_FX_FAST, &value) || !krb_read_fast_reply(value, &sealed))
        return;
    struct unsealed_part *part = part_add(&x->parts, UNSEALED_FAST_RESPONSE, &sealed);
    if (!part || !x->keys.armor.size ||
        kerberos_decrypt_session(x->holder, &x->keys.armor, USAGE_FAST_REPLY, &sealed, part) != UNSEAL_FINE)
        return;
    if (krb_read_fast_response(cursor_of_bytes(part->plain), &response)) {
        key_take(&response.strengthen, &x->keys.strengthen);
        return;
    }
    part->result = UNSEAL_MALFORMED;
    part->plain = (struct bytes){0};
}

/* EncASRepPart: with the client's key, strengthened or not. The name is the request's, or the one that the
 * KDC made of it. */
static void open_as_reply(struct kdc_exchange *x, struct unsealed_part *part)
{
    const struct krb_kdc_rep *reply = &x->reply.reply;
    const struct krb_encrypted *sealed = &reply->sealed;
    struct cursor value;
    /* KDCs that tell what they know of have it too, but empty. */
    if ((find_padata(reply->padata, PA_PK_AS_REP, &value) ||
         find_padata(reply->padata, PA_PK_AS_REP_OLD, &value)) &&
        !cursor_done(&value)) {
        part->result = UNSEAL_UNSUPPORTED; /* the key was agreed on by certificates */
        return;
    }
    struct key_mix mix = {&x->keys.strengthen, "strengthenkey", "replykey"};
    struct key_mix *strengthened = x->keys.strengthen.size ? &mix : NULL;
    struct keyring_search search = {.realm = reply->client_realm,
                                    .principal = &reply->client,
                                    .etype = sealed->etype,
                                    .kvno = sealed->has_kvno ? sealed->kvno : 0};
    enum unseal_result result =
        kerberos_decrypt_for(x->holder, &search, strengthened, USAGE_AS_REPLY, sealed->cipher, part, NULL);
    if (result == UNSEAL_NO_KEY && x->requested) {
        struct keyring_search asked = search_client(&x->body, sealed->etype, search.kvno);
        result =
            kerberos_decrypt_for(x->holder, &asked, strengthened, USAGE_AS_REPLY, sealed->cipher, part, NULL);
    }
    if (result != UNSEAL_FINE && result != UNSEAL_MALFORMED)
        kerberos_complain(x->holder, &search, result);
}

/* EncTGSRepPart: with the authenticator's subkey, or the session key of the presented ticket. */
static void open_tgs_reply(struct kdc_exchange *x, struct unsealed_part *part)
{
    const struct krb_encrypted *sealed = &x->reply.reply.sealed;
    const struct {
        const struct key_material *key;
        int32_t usage;
    } tries[] = {
        {&x->keys.subkey, USAGE_TGS_REPLY_SUBKEY},
        {&x->keys.session, USAGE_TGS_REPLY},
        {&x->keys.subkey, USAGE_TGS_REPLY}, /* as some KDCs do */
    };
    bool any = false;
    for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
        struct key_material key = *tries[i].key;
        if (!key.size)
            continue;
        any = true;
        if (x->keys.strengthen.size)
            kerberos_combine(x->holder->derived, &x->keys.strengthen, "strengthenkey", tries[i].key,
                             "replykey", &key);
        enum unseal_result result = kerberos_decrypt_session(x->holder, &key, tries[i].usage, sealed, part);
        sodium_memzero(&key, sizeof key);
        if (result == UNSEAL_FINE)
            return;
    }
    if (!any)
        part->result = UNSEAL_NO_KEY;
}

static void open_reply_part(struct kdc_exchange *x)
{
    const struct krb_kdc_rep *reply = &x->reply.reply;
    struct krb_reply_part inside;
    struct key_material key;
    struct unsealed_part *part = part_add(&x->parts, UNSEALED_REPLY, &reply->sealed);
    if (!part || !reply->sealed.cipher.size)
        return;
    if (x->reply.type == KRB_AS_REP)
        open_as_reply(x, part);
    else
        open_tgs_reply(x, part);
    if (part->result != UNSEAL_FINE)
        return;
    if (!krb_read_reply_part(cursor_of_bytes(part->plain), &inside)) {
        part->result = UNSEAL_MALFORMED;
        part->plain = (struct bytes){0};
        return;
    }
    if (reply->ticket.sealed.cipher.size && key_take(&inside.key, &key))
        keyring_put_ticket(x->holder->keyring, reply->ticket.sealed.cipher, &key);
    sodium_memzero(&key, sizeof key);
}

static void open_reply(struct kdc_exchange *x, struct bytes message)
{
    struct cursor c = cursor_of_bytes(message);
    struct key_material session;
    if (!krb_parse(&c, &x->reply))
        return;
    if (x->reply.type == KRB_AS_REP || x->reply.type == KRB_TGS_REP) {
        open_fast_response(x, x->reply.reply.padata);
        open_reply_part(x);
        if (x->reply.reply.ticket.present)
            kerberos_open_ticket(x->holder, UNSEALED_ISSUED, &x->reply.reply.ticket, x->keys.additional,
                                 x->keys.additionals, &x->parts, &session);
    } else if (x->reply.type == KRB_ERROR) {
        struct krb_error_data data;
        krb_read_error_data(x->reply.error.data, &data);
        open_fast_response(x, data.padata);
    }
    sodium_memzero(&session, sizeof session);
}

/* --- operations --- */

void operation_kdc_request(struct key_request *r)
{
    uint64_t number = request_uint(r);
    struct bytes message = request_bytes(r);
    if (!r->c.failed)
        exchanges_put(r->holder->exchanges, r->line, number, message);
}

void operation_kdc_reply(struct key_request *r)
{
    uint64_t number = request_uint(r);
    struct bytes message = request_bytes(r);
    if (r->c.failed) {
        answer_result(r, UNSEAL_MALFORMED);
        return;
    }
    struct bytes request = exchanges_take(r->holder->exchanges, r->line, number);
    if (keyring_empty(r->holder->keyring)) {
        answer_result(r, UNSEAL_SILENT);
    } else {
        struct kdc_exchange x = {.holder = r->holder};
        open_request(&x, request);
        open_reply(&x, message);
        answer_parts(r, &x.parts);
        sodium_memzero(&x.keys, sizeof x.keys);
    }
    free((void *)request.data);
}
