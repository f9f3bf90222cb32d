/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/gss.h"

#include "base/utf8.h"
#include "capture/kerberos_activity.h"
#include "capture/kerberos_unsealed.h"
#include "capture/ntlmssp.h"

/* A token may hold a token: GSS-API > SPNEGO > GSS-API > Kerberos is the deepest that is lawful. */
#define DEPTH_MAX 6

/* What is kept of a challenge until it is answered; the rest of longer ones is cut. */
#define TARGET_NAME_MAX 256
#define TARGET_INFO_MAX 1024

/* The challenge's VERSION, TargetName and TargetInfo as they stood on the wire. */
struct ntlm_target {
    size_t allocated;
    bool unicode;
    bool has_version;
    uint8_t version[8];
    uint16_t name_size;
    uint16_t info_size;
    uint8_t bytes[]; /* the name, then the info */
};

/* One call of gss_token. */
struct gss {
    struct dissect *d;
    struct gss_exchange *exchange;
    const char *carrier;
    uint64_t key;
    bool cut;       /* the token's end was not captured; such ones are read, and not counted */
    bool uncounted; /* it is read, but the counts leave it out as the oracle does */
};

/* The oracle finds the reader of a token that does not name its mechanism by what the connection said before;
 * where that was not captured, it leaves the token alone. So do the counts, not the activities. */
enum gss_known {
    KNOWN_SPNEGO = 1,    /* a token named SPNEGO */
    KNOWN_MECHANISM = 2, /* mechanisms were listed, or one was chosen */
};

static bool is_known(const struct gss *g, enum gss_known what)
{
    return *g->d->gss_known & what;
}

static void make_known(const struct gss *g, enum gss_known what)
{
    *g->d->gss_known |= (uint8_t)what;
}

/* The carriers have keys of their own in the same flow: a session's is spread over 64 bits, so that none of
 * theirs (small numbers, message ids) meets it. */
static uint64_t deferral_key(uint64_t session)
{
    uint64_t x = session + 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* -- outcome ------------------------------------------------------------------------------------ */

/* What the ticket held, of an exchange whose outcome was sooner. */
static bool put_ticket(struct dissect *d, struct bytes answer)
{
    struct unsealed facts;
    unseal_ap_read(d, answer, &facts);
    krb_put_unsealed(d, &facts);
    return true;
}

static void complete(struct dissect *d, struct gss_exchange *exchange, const uint32_t *status)
{
    if (!exchange->pending)
        return;
    exchange->pending = false;
    struct activity_writer *w = dissect_resume(d, exchange->key);
    if (!w)
        return;
    if (status)
        activity_put_uint(w, FIELD_STATUS, *status);
    const struct dissect_client *client = dissect_client(d, w->client);
    w->client = 0;
    if (client)
        dissect_emit_later(d, client->number, put_ticket);
    else
        dissect_emit(d);
}

void gss_outcome(struct dissect *d, struct gss_exchange *exchange, uint32_t status)
{
    complete(d, exchange, &status);
}

void gss_outcome_unknown(struct dissect *d, struct gss_exchange *exchange)
{
    complete(d, exchange, NULL);
}

static struct activity_writer *begin(const struct gss *g, enum activity_kind kind)
{
    complete(g->d, g->exchange, NULL); /* the one before got no outcome */
    struct activity_writer *w = dissect_begin(g->d, kind);
    activity_put_text(w, FIELD_CARRIER, g->carrier);
    return w;
}

static void wait_for_outcome(const struct gss *g)
{
    g->exchange->pending = true;
    g->exchange->key = g->key;
    dissect_defer(g->d, g->key);
}

static void put_offered(const struct gss *g)
{
    unsigned offered = g->exchange->offered;
    struct activity_writer *w = g->d->activity;
    if (!offered || !activity_list_begin(w, FIELD_OFFERED_MECHANISMS))
        return;
    if (offered >> GSS_KERBEROS & 1)
        activity_list_string(w, "kerberos", 8);
    if (offered >> GSS_NTLM & 1)
        activity_list_string(w, "ntlm", 4);
    activity_list_end(w);
}

/* A new authentication on the exchange takes the place of the one before: so does its context. */
void gss_forget(struct dissect *d, struct gss_exchange *exchange)
{
    struct dissect_client *client = dissect_client(d, exchange->client);
    if (client)
        client->asker = NULL;
    exchange->client = 0;
    unseal_forget(d, exchange->context);
    exchange->context = 0;
}

void gss_put_account(const struct dissect *d, struct activity_writer *w, const struct gss_exchange *exchange)
{
    if (exchange->client) {
        dissect_put_client(d, w, exchange->client);
        return;
    }
    if (exchange->account[0])
        activity_put_text(w, FIELD_ACCOUNT, exchange->account);
    if (exchange->domain[0])
        activity_put_text(w, FIELD_ACCOUNT_DOMAIN, exchange->domain);
}

/* What was not captured whole cannot be unsealed. */
static bool can_unseal(const struct gss *g)
{
    return unseal_possible(g->d) && !g->cut && !g->d->truncated;
}

/* -- NTLM --------------------------------------------------------------------------------------- */

static void forget_target(const struct gss *g)
{
    struct ntlm_target *target = g->exchange->target;
    if (!target)
        return;
    dissect_free(g->d, target, target->allocated);
    g->exchange->target = NULL;
}

void gss_end(struct dissect *d, struct gss_exchange *exchange)
{
    complete(d, exchange, NULL);
    gss_forget(d, exchange);
    forget_target(&(struct gss){.d = d, .exchange = exchange});
    *exchange = (struct gss_exchange){0};
}

static void keep_challenge(const struct gss *g, const struct ntlm_message *m)
{
    struct gss_exchange *exchange = g->exchange;
    forget_target(g);
    memset(exchange->server_challenge, 0, sizeof exchange->server_challenge);
    if (m->server_challenge.size == sizeof exchange->server_challenge)
        memcpy(exchange->server_challenge, m->server_challenge.data, sizeof exchange->server_challenge);
    size_t name = m->target.size < TARGET_NAME_MAX ? m->target.size : TARGET_NAME_MAX;
    size_t info = m->target_info.size < TARGET_INFO_MAX ? m->target_info.size : TARGET_INFO_MAX;
    size_t size = sizeof(struct ntlm_target) + name + info;
    struct ntlm_target *target = dissect_alloc(g->d, size);
    if (!target)
        return;
    target->allocated = size;
    target->unicode = m->unicode;
    target->has_version = m->version.size == sizeof target->version;
    if (target->has_version)
        memcpy(target->version, m->version.data, sizeof target->version);
    target->name_size = (uint16_t)name;
    target->info_size = (uint16_t)info;
    if (name)
        memcpy(target->bytes, m->target.data, name);
    if (info)
        memcpy(target->bytes + name, m->target_info.data, info);
    exchange->target = target;
}

/* VERSION: major 1, minor 1, build 2 ([MS-NLMP] 2.2.2.10). */
static void put_version(struct activity_writer *w, enum activity_field field, const uint8_t version[8])
{
    unsigned numbers[3] = {version[0], version[1], (unsigned)version[3] << 8 | version[2]};
    char text[16];
    size_t size = 0;
    for (int i = 0; i < 3; i++) {
        char digits[5];
        size_t n = 0;
        do
            digits[n++] = (char)('0' + numbers[i] % 10);
        while ((numbers[i] /= 10) != 0);
        while (n)
            text[size++] = digits[--n];
        if (i < 2)
            text[size++] = '.';
    }
    activity_put_string(w, field, text, size);
}

static void put_server_names(struct activity_writer *w, const struct ntlm_target_info *info)
{
    dissect_put_text(w, FIELD_NTLM_SERVER_NB_COMPUTER, info->nb_computer, true);
    dissect_put_text(w, FIELD_NTLM_SERVER_NB_DOMAIN, info->nb_domain, true);
    dissect_put_text(w, FIELD_NTLM_SERVER_DNS_COMPUTER, info->dns_computer, true);
    dissect_put_text(w, FIELD_NTLM_SERVER_DNS_DOMAIN, info->dns_domain, true);
    dissect_put_text(w, FIELD_NTLM_SERVER_DNS_FOREST, info->dns_forest, true);
}

/* What the server said, then what the client repeats of it: the first that is there wins. */
static void put_challenge(const struct gss *g)
{
    static const uint8_t none[8] = {0};
    struct activity_writer *w = g->d->activity;
    if (memcmp(g->exchange->server_challenge, none, sizeof none) != 0)
        activity_put_bytes(w, FIELD_NTLM_SERVER_CHALLENGE, g->exchange->server_challenge,
                           sizeof g->exchange->server_challenge);
    const struct ntlm_target *target = g->exchange->target;
    if (!target)
        return;
    dissect_put_text(w, FIELD_NTLM_TARGET, (struct bytes){target->bytes, target->name_size}, target->unicode);
    if (target->has_version)
        put_version(w, FIELD_NTLM_SERVER_VERSION, target->version);
    struct ntlm_target_info info;
    ntlm_read_target_info((struct bytes){target->bytes + target->name_size, target->info_size}, &info);
    put_server_names(w, &info);
    if (info.time)
        activity_put_time(w, FIELD_NTLM_SERVER_TIME, info.time);
}

static void put_client_info(struct activity_writer *w, const struct ntlm_message *m)
{
    struct ntlm_target_info info;
    ntlm_read_target_info(m->target_info, &info);
    put_server_names(w, &info);
    if (info.has_flags)
        activity_put_uint(w, FIELD_NTLM_AV_FLAGS, info.flags);
    dissect_put_text(w, FIELD_NTLM_TARGET_SPN, info.target_spn, true);
    if (info.machine.size)
        activity_put_bytes(w, FIELD_NTLM_MACHINE_ID, info.machine.data, info.machine.size);
    if (info.channel_bindings.size) {
        bool bound = false;
        for (size_t i = 0; i < info.channel_bindings.size; i++)
            bound |= info.channel_bindings.data[i] != 0;
        activity_put_bool(w, FIELD_NTLM_CHANNEL_BOUND, bound);
    }
}

/* A name, cut, for the carrier: UTF-8, terminated. */
static void keep_name(char *to, size_t capacity, struct bytes text, bool unicode)
{
    bool cut = false;
    size_t size;
    if (unicode)
        size = utf8_from_utf16((uint8_t *)to, capacity - 1, text.data, text.size / 2, &cut);
    else
        size = utf8_copy((uint8_t *)to, capacity - 1, text.data, text.size, &cut);
    to[size] = '\0';
}

static void put_authenticate(const struct gss *g, const struct ntlm_message *m)
{
    struct activity_writer *w = begin(g, ACTIVITY_NTLM_AUTHENTICATE);
    dissect_put_text(w, FIELD_ACCOUNT, m->user, m->unicode);
    dissect_put_text(w, FIELD_ACCOUNT_DOMAIN, m->domain, m->unicode);
    dissect_put_text(w, FIELD_WORKSTATION, m->workstation, m->unicode);
    activity_put_text(w, FIELD_NTLM_VARIANT, ntlm_variant_name(m->variant));
    if (m->has_flags)
        activity_put_uint(w, FIELD_NTLM_FLAGS, m->flags);
    activity_put_bool(w, FIELD_NTLM_MIC, m->mic);
    if (m->version.size)
        put_version(w, FIELD_NTLM_CLIENT_VERSION, m->version.data);
    activity_put_uint(w, FIELD_NTLM_LM_LENGTH, m->lm_length);
    activity_put_uint(w, FIELD_NTLM_NT_LENGTH, m->nt_length);
    struct bytes response = m->nt_response.size ? m->nt_response : m->lm_response;
    if (response.size > 1)
        activity_put_uint(w, FIELD_NTLM_RESPONSE_FINGERPRINT, dissect_fingerprint(g->d, response));
    if (m->client_challenge.size)
        activity_put_bytes(w, FIELD_NTLM_CLIENT_CHALLENGE, m->client_challenge.data,
                           m->client_challenge.size);
    if (m->client_time)
        activity_put_time(w, FIELD_NTLM_CLIENT_TIME, m->client_time);
    put_challenge(g);
    put_client_info(w, m);
    put_offered(g);
    wait_for_outcome(g);
}

static void begin_ntlm_context(const struct gss *g, struct cursor token)
{
    gss_forget(g->d, g->exchange);
    if (can_unseal(g))
        g->exchange->context =
            unseal_ntlm(g->d, g->exchange->server_challenge, (struct bytes){token.at, cursor_left(&token)});
}

static void ntlm_message(const struct gss *g, struct cursor token)
{
    struct gss_exchange *exchange = g->exchange;
    struct ntlm_message m;
    if (!ntlm_parse(token, exchange->negotiate_flags, &m)) {
        if (!g->cut && !g->d->truncated)
            dissect_malformed(g->d, PROTOCOL_NTLM);
        return;
    }
    if (!g->cut && !g->uncounted)
        g->d->counts->ntlmssp[m.type]++;
    dissect_counted(g->d, PROTOCOL_NTLM);
    if (m.cut && !g->cut && !g->d->truncated)
        dissect_malformed(g->d, PROTOCOL_NTLM);
    exchange->mechanism = GSS_NTLM;
    if (m.has_flags)
        exchange->negotiate_flags = m.flags;
    if (m.type == NTLM_CHALLENGE)
        keep_challenge(g, &m);
    if (m.type != NTLM_AUTHENTICATE)
        return;
    keep_name(exchange->account, sizeof exchange->account, m.user, m.unicode);
    keep_name(exchange->domain, sizeof exchange->domain, m.domain, m.unicode);
    put_authenticate(g, &m);
    begin_ntlm_context(g, token);
    forget_target(g);
    memset(exchange->server_challenge, 0, sizeof exchange->server_challenge);
}

/* -- Kerberos ----------------------------------------------------------------------------------- */

/* The answer to an AP-REQ: what its ticket held goes into the activity when that still waits for its outcome,
 * the client's name to whoever asks for it. */
static void ap_answered(struct dissect *d, const uint64_t about[2], struct bytes answer)
{
    struct unsealed facts;
    bool begun = unseal_ap_read(d, answer, &facts);
    struct dissect_client *client = dissect_client(d, about[1]);
    struct gss_exchange *exchange = client ? client->asker : NULL;
    if (client) {
        krb_unsealed_client(&facts, client->account, sizeof client->account, client->domain,
                            sizeof client->domain);
        client->known = true;
    }
    if (exchange && exchange->client == about[1]) {
        memcpy(exchange->account, client->account, sizeof exchange->account);
        memcpy(exchange->domain, client->domain, sizeof exchange->domain);
        exchange->client = 0;
        if (!begun)
            exchange->context = 0;
    }
    struct activity_writer *w = dissect_revisit(d, about[0]);
    if (!w)
        return;
    if (w->kind == ACTIVITY_KERBEROS_AP && w->client == about[1]) {
        w->client = 0;
        krb_put_unsealed(d, &facts);
    }
    dissect_defer(d, about[0]);
}

static void put_ap_req(const struct gss *g, const struct krb_ap_req *ap_req, struct bytes message)
{
    struct activity_writer *w = begin(g, ACTIVITY_KERBEROS_AP);
    struct dissect_client *client = NULL;
    krb_put_ap_req(g->d, ap_req);
    put_offered(g);
    gss_forget(g->d, g->exchange);
    if (can_unseal(g))
        g->exchange->context = unseal_ap_post(g->d, message);
    if (g->exchange->context)
        client = dissect_client_new(g->d, g->exchange->context, g->exchange);
    w->client = g->exchange->client = client ? client->id : 0;
    wait_for_outcome(g);
    if (client)
        dissect_later(g->d, client->number, ap_answered, g->key, client->id);
}

/* The AP exchange that waits, to add what the service says in a token: no outcome yet, the carrier tells
 * that. NULL when none waits; what else waits (NTLM) goes on waiting. */
static struct activity_writer *revisit_ap(const struct gss *g)
{
    if (!g->exchange->pending)
        return NULL;
    struct activity_writer *w = dissect_revisit(g->d, g->exchange->key);
    if (!w || w->kind == ACTIVITY_KERBEROS_AP)
        return w;
    dissect_defer(g->d, g->exchange->key);
    return NULL;
}

static void put_ap_rep(const struct gss *g, const struct krb_encrypted *sealed)
{
    struct activity_writer *w = revisit_ap(g);
    if (!w)
        return;
    if (sealed->present)
        activity_put_int(w, FIELD_REPLY_ETYPE, sealed->etype);
    dissect_defer(g->d, g->exchange->key);
}

static void put_error(const struct gss *g, const struct krb_error *error)
{
    struct activity_writer *w = revisit_ap(g);
    if (!w)
        return;
    if (error->has_code)
        activity_put_int(w, FIELD_KERBEROS_ERROR_CODE, error->code);
    krb_put_error_text(w, error);
    struct krb_error_data data;
    krb_read_error_data(error->data, &data);
    if (data.has_status)
        activity_put_uint(w, FIELD_KERBEROS_ERROR_STATUS, data.status);
    dissect_defer(g->d, g->exchange->key);
}

static void kerberos_message(const struct gss *g, struct cursor token)
{
    struct bytes message = {.data = token.at};
    struct krb_message m;
    if (!krb_parse(&token, &m)) {
        if (!g->cut && !g->d->truncated)
            dissect_malformed(g->d, PROTOCOL_KERBEROS);
        return;
    }
    if (!g->cut && !g->uncounted)
        g->d->counts->kerberos_gss[m.type]++;
    dissect_counted(g->d, PROTOCOL_KERBEROS);
    if (m.damaged && !g->cut && !g->d->truncated)
        dissect_malformed(g->d, PROTOCOL_KERBEROS);
    g->exchange->mechanism = GSS_KERBEROS;
    message.size = (size_t)(token.at - message.data);
    if (m.type == KRB_AP_REQ) {
        put_ap_req(g, &m.ap_req, message);
    } else if (m.type == KRB_AP_REP) {
        put_ap_rep(g, &m.sealed);
        if (can_unseal(g))
            unseal_ap_reply(g->d, g->exchange->context, message);
    } else if (m.type == KRB_ERROR) {
        put_error(g, &m.error);
    } else if (m.type == KRB_CRED) {
        krb_emit_cred(g->d, m.tickets, g->carrier);
    }
}

/* Tokens of the Kerberos mechanism begin with TOK_ID, two bytes (RFC 4121 4.1): 01 00 AP-REQ, 02 00 AP-REP,
 * 03 00 KRB-ERROR, 04 00 and 04 01 user-to-user's TGT-REQ and TGT-REP, 05 01 IAKERB's proxy message, which
 * has a header (SEQUENCE) before the Kerberos message ([MS-KILE] 2.2.12's sibling, draft-ietf-kitten-iakerb
 * 3). Others (04 04, 05 04, 01 01, 02 01, 02 02) sign or wrap what follows the exchange. */
static void kerberos_token(const struct gss *g, struct cursor token)
{
    uint16_t id = cursor_be16(&token);
    if (id == 0x0501) {
        ber_next(&token);
        if (!cursor_done(&token))
            kerberos_message(g, token);
    } else if (id == 0x0100 || id == 0x0200 || id == 0x0300) {
        kerberos_message(g, token);
    }
}

/* -- SPNEGO and GSS-API ------------------------------------------------------------------------- */

enum oid {
    OID_OTHER,
    OID_SPNEGO,
    OID_KERBEROS,
    OID_NTLM,
};

static enum oid read_oid(struct cursor value)
{
    static const struct {
        enum oid oid;
        uint8_t size;
        uint8_t bytes[10];
    } known[] = {
        {OID_SPNEGO, 6, {0x2b, 0x06, 0x01, 0x05, 0x05, 0x02}},                            /* 1.3.6.1.5.5.2 */
        {OID_KERBEROS, 9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02}},        /* RFC 4121 */
        {OID_KERBEROS, 9, {0x2a, 0x86, 0x48, 0x82, 0xf7, 0x12, 0x01, 0x02, 0x02}},        /* MS's, old */
        {OID_KERBEROS, 10, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02, 0x03}}, /* user-to-user */
        {OID_KERBEROS, 6, {0x2b, 0x06, 0x01, 0x05, 0x02, 0x05}},                          /* IAKERB */
        {OID_KERBEROS, 5, {0x2b, 0x05, 0x01, 0x05, 0x02}},                                /* 1.3.5.1.5.2 */
        {OID_NTLM, 10, {0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a}},     /* [MS-NLMP] */
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (cursor_left(&value) == known[i].size && memcmp(value.at, known[i].bytes, known[i].size) == 0)
            return known[i].oid;
    return OID_OTHER;
}

static void any_token(struct gss *g, struct cursor token, unsigned depth);

/* What the server offers unasked is no offer of the client's. */
static void offer(const struct gss *g, struct cursor mechanisms)
{
    unsigned offered = 0;
    struct ber e;
    while ((e = ber_next(&mechanisms)).tag) {
        if (e.tag != BER_OID)
            continue;
        enum oid oid = read_oid(e.value);
        if (oid == OID_KERBEROS)
            offered |= 1u << GSS_KERBEROS;
        else if (oid == OID_NTLM)
            offered |= 1u << GSS_NTLM;
    }
    if (offered)
        make_known(g, KNOWN_MECHANISM);
    if (g->d->direction == TO_SERVER)
        g->exchange->offered = (uint8_t)offered;
}

static void choose(const struct gss *g, struct cursor mechanism)
{
    enum oid oid = read_oid(mechanism);
    if (oid == OID_KERBEROS)
        g->exchange->mechanism = GSS_KERBEROS;
    else if (oid == OID_NTLM)
        g->exchange->mechanism = GSS_NTLM;
    if (oid != OID_OTHER)
        make_known(g, KNOWN_MECHANISM);
}

static void inner_token(struct gss *g, struct cursor member, unsigned depth)
{
    struct ber e = ber_next(&member);
    if (e.tag != BER_OCTET_STRING || cursor_done(&e.value))
        return;
    g->cut |= e.value.failed;
    any_token(g, e.value, depth);
}

/* NegTokenInit ::= SEQUENCE { mechTypes [0] SEQUENCE OF OID, reqFlags [1] OPTIONAL, mechToken [2] OPTIONAL,
 *   mechListMIC [3] OPTIONAL } (RFC 4178 4.2.1). NegTokenInit2, which servers send first, has negHints [3]
 * and mechListMIC [4] ([MS-SPNG] 2.2.1). */
static void neg_token_init(struct gss *g, struct cursor choice, unsigned depth)
{
    struct ber sequence = ber_next(&choice);
    if (sequence.tag != BER_SEQUENCE)
        return;
    struct ber e;
    while ((e = ber_next(&sequence.value)).tag) {
        if (e.tag == BER_CONTEXT_CONS(0))
            offer(g, ber_next(&e.value).value);
        else if (e.tag == BER_CONTEXT_CONS(2))
            inner_token(g, e.value, depth);
    }
}

/* NegTokenResp ::= SEQUENCE { negState [0] ENUMERATED OPTIONAL, supportedMech [1] OID OPTIONAL,
 *   responseToken [2] OCTET STRING OPTIONAL, mechListMIC [3] OCTET STRING OPTIONAL } (RFC 4178 4.2.2) */
static void neg_token_resp(struct gss *g, struct cursor choice, unsigned depth)
{
    struct ber sequence = ber_next(&choice);
    if (sequence.tag != BER_SEQUENCE)
        return;
    struct ber e;
    while ((e = ber_next(&sequence.value)).tag) {
        if (e.tag == BER_CONTEXT_CONS(1))
            choose(g, ber_next(&e.value).value);
        else if (e.tag == BER_CONTEXT_CONS(2)) {
            g->uncounted |= !is_known(g, KNOWN_MECHANISM);
            inner_token(g, e.value, depth);
        }
    }
}

static void negotiation_token(struct gss *g, struct cursor token, unsigned depth)
{
    if (g->exchange->mechanism == GSS_NONE)
        g->exchange->mechanism = GSS_SPNEGO;
    struct ber choice = ber_next(&token);
    if (choice.tag == BER_CONTEXT_CONS(0))
        neg_token_init(g, choice.value, depth);
    else if (choice.tag == BER_CONTEXT_CONS(1))
        neg_token_resp(g, choice.value, depth);
}

/* InitialContextToken ::= [APPLICATION 0] IMPLICIT SEQUENCE { thisMech OBJECT IDENTIFIER,
 *   innerContextToken ANY DEFINED BY thisMech } (RFC 2743 3.1) */
static void initial_context_token(struct gss *g, struct cursor token, unsigned depth)
{
    struct cursor c = ber_next(&token).value;
    struct ber mechanism = ber_next(&c);
    if (mechanism.tag != BER_OID)
        return;
    switch (read_oid(mechanism.value)) {
    case OID_SPNEGO:
        make_known(g, KNOWN_SPNEGO);
        negotiation_token(g, c, depth);
        break;
    case OID_KERBEROS:
        kerberos_token(g, c);
        break;
    case OID_NTLM:
        any_token(g, c, depth);
        break;
    case OID_OTHER:
        break;
    }
}

/* The first bytes tell: no two of these forms share them. */
static void any_token(struct gss *g, struct cursor token, unsigned depth)
{
    if (depth == 0)
        return;
    switch (ber_peek(&token)) {
    case 'N':
        if (cursor_left(&token) >= 8 && memcmp(token.at, "NTLMSSP", 8) == 0)
            ntlm_message(g, token);
        break;
    case BER_APPLICATION(0):
        initial_context_token(g, token, depth - 1);
        break;
    case BER_CONTEXT_CONS(0):
    case BER_CONTEXT_CONS(1):
        negotiation_token(g, token, depth - 1);
        break;
    case BER_APPLICATION(KRB_AP_REQ):
    case BER_APPLICATION(KRB_AP_REP):
    case BER_APPLICATION(KRB_ERROR):
        kerberos_message(g, token);
        break;
    case 0x01:
    case 0x02:
    case 0x03:
        kerberos_token(g, token);
        break;
    default: /* signatures, NegoEx, other mechanisms */
        break;
    }
}

void gss_token(struct dissect *d, struct gss_exchange *exchange, struct cursor token, const char *carrier,
               uint64_t session)
{
    struct gss g = {.d = d,
                    .exchange = exchange,
                    .carrier = carrier,
                    .key = deferral_key(session),
                    .cut = token.failed,
                    .uncounted = exchange->uncounted};
    /* SMB, HTTP and LDAP's requests go through GSS-API first; the others name SPNEGO themselves. */
    bool names_spnego =
        strcmp(carrier, "dcerpc") == 0 || (d->direction == TO_CLIENT && strcmp(carrier, "ldap") == 0);
    uint8_t first = ber_peek(&token);
    if (!names_spnego && (first == BER_CONTEXT_CONS(0) || first == BER_CONTEXT_CONS(1)))
        g.uncounted |= !is_known(&g, KNOWN_SPNEGO);
    any_token(&g, token, DEPTH_MAX);
}
