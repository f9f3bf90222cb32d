/* SPDX-License-Identifier: Apache-2.0
 *
 * Kerberos between clients and KDCs (RFC 4120 7.2: UDP, and TCP with a length of four bytes before each
 * message), and the change-password protocol (RFC 3244) beside it.
 */
#include "capture/dissect.h"
#include "capture/kerberos_activity.h"
#include "capture/kerberos_password.h"
#include "capture/kerberos_unsealed.h"
#include "capture/protocols.h"

/* -- framing ------------------------------------------------------------------------------------ */

#define RECORD_MARK     4
#define RECORD_MAX      (10u * 1024 * 1024) /* more is no Kerberos message */
#define RECORD_RESERVED 0x80000000u         /* RFC 4120 7.2.2: for extensions, otherwise zero */

static bool message_tag(uint8_t byte)
{
    unsigned tag = (unsigned)byte - BER_APPLICATION(0);
    return tag >= KRB_AS_REQ && tag <= KRB_ERROR;
}

/* Where the record that begins at `start` ends. `plausible` judges the first byte after the mark. */
static struct frame record_frame(struct bytes start, bool (*plausible)(uint8_t))
{
    if (start.size < RECORD_MARK)
        return frame_more(RECORD_MARK);
    struct cursor c = cursor_of_bytes(start);
    uint32_t size = cursor_be32(&c) & ~RECORD_RESERVED;
    if (size == 0)
        return frame_ok(RECORD_MARK, RECORD_MARK);
    if (size > RECORD_MAX)
        return frame_bad();
    if (cursor_done(&c))
        return frame_more(RECORD_MARK + 1);
    if (!plausible(cursor_u8(&c)))
        return frame_bad();
    return frame_ok((uint64_t)RECORD_MARK + size, FRAME_WANT_MAX);
}

static struct frame kerberos_frame(struct dissect *d, struct bytes start)
{
    (void)d;
    return record_frame(start, message_tag);
}

/* On the KDC's port a length and a message's tag will do; elsewhere the length must fit the message, whose
 * first elements must be there. */
static enum detection kerberos_detect(struct bytes start, enum transport transport, enum direction direction,
                                      bool on_port)
{
    (void)direction;
    struct cursor c = cursor_of_bytes(start);
    uint32_t record = (uint32_t)start.size;
    if (transport == TRANSPORT_TCP) {
        if (start.size <= RECORD_MARK)
            return DETECT_MORE;
        record = cursor_be32(&c);
        if (on_port)
            record &= ~RECORD_RESERVED;
        if (record > RECORD_MAX || record < 10)
            return DETECT_NO;
    }
    if (on_port)
        return !cursor_done(&c) && message_tag(*c.at) ? DETECT_YES : DETECT_NO;
    size_t size = 0;
    switch (krb_signature((struct bytes){.data = c.at, .size = cursor_left(&c)}, &size)) {
    case KRB_SIGNATURE_YES:
        return size == record ? DETECT_YES : DETECT_NO;
    case KRB_SIGNATURE_MORE:
        return transport == TRANSPORT_TCP ? DETECT_MORE : DETECT_NO;
    case KRB_SIGNATURE_NO:
        break;
    }
    return DETECT_NO;
}

/* -- requests that wait for their reply --------------------------------------------------------- */

#define WAITING_MAX 8

/* Neither a reply nor an error repeats the nonce in clear: they are told apart by type and order. */
struct waiting {
    uint8_t type; /* of the request */
    uint32_t nonce;
    uint32_t key;
    uint32_t client; /* hash of the client's name and realm */
    bool bare;       /* nothing in it is sealed, nor in an error that answers it */
};

struct kdc_state {
    struct waiting waiting[WAITING_MAX]; /* oldest first */
    uint8_t count;
    uint8_t repeated; /* requests that were sent again (UDP), whose replies come again too */
    uint32_t next_key;
};

static void remove_waiting(struct kdc_state *state, unsigned index)
{
    state->count--;
    for (unsigned i = index; i < state->count; i++)
        state->waiting[i] = state->waiting[i + 1];
}

static bool is_repetition(const struct kdc_state *state, uint8_t type, uint32_t nonce)
{
    for (unsigned i = 0; i < state->count; i++)
        if (state->waiting[i].type == type && state->waiting[i].nonce == nonce)
            return true;
    return false;
}

static void add_waiting(struct kdc_state *state, const struct waiting *waiting)
{
    if (state->count == WAITING_MAX)
        remove_waiting(state, 0); /* stays deferred, to be given out as unanswered */
    state->waiting[state->count++] = *waiting;
}

/* The request that a message of this type answers; false when none waits. */
static bool take_waiting(struct kdc_state *state, uint8_t type, struct waiting *to)
{
    for (unsigned i = 0; i < state->count; i++) {
        if (type != KRB_ERROR && state->waiting[i].type != type - 1) /* replies: the request's tag + 1 */
            continue;
        *to = state->waiting[i];
        remove_waiting(state, i);
        return true;
    }
    return false;
}

static uint32_t hash_bytes(uint32_t hash, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 0x01000193u;
    return hash;
}

static uint32_t hash_client(const struct krb_principal *client, struct bytes realm)
{
    uint32_t hash = hash_bytes(0x811c9dc5u, client->names.at, cursor_left(&client->names));
    return hash_bytes(hash, realm.data, realm.size);
}

/* -- requests ----------------------------------------------------------------------------------- */

#define KDC_OPTION_CNAME_IN_ADDL_TKT 0x00020000u /* bit 14: [MS-SFU] 2.2.3 */

static void put_ints(struct activity_writer *w, enum activity_field field, struct cursor list)
{
    if (cursor_done(&list) || !activity_list_begin(w, field))
        return;
    int32_t value;
    while (krb_next_int(&list, &value))
        activity_list_int(w, value);
    activity_list_end(w);
}

static void put_padata_types(struct activity_writer *w, enum activity_field field, struct cursor list)
{
    if (cursor_done(&list) || !activity_list_begin(w, field))
        return;
    struct krb_padata padata;
    while (krb_next_padata(&list, &padata))
        activity_list_int(w, padata.type);
    activity_list_end(w);
}

static void put_addresses(struct activity_writer *w, struct cursor list)
{
    enum { IPV4 = 2, NETBIOS = 20, IPV6 = 24 };
    if (cursor_done(&list) || !activity_list_begin(w, FIELD_HOST_ADDRESSES))
        return;
    struct krb_address address;
    while (krb_next_address(&list, &address)) {
        struct ip_address ip = {.family = 0};
        if (address.type == IPV4 && address.value.size == 4)
            ip.family = 4;
        else if (address.type == IPV6 && address.value.size == 16)
            ip.family = 6;
        if (ip.family) {
            char text[IP_ADDRESS_TEXT_MAX];
            memcpy(ip.bytes, address.value.data, address.value.size);
            ip_address_text(&ip, text);
            activity_list_string(w, text, strlen(text));
        } else if (address.type == NETBIOS) {
            size_t size = address.value.size; /* filled up with blanks to 16 */
            while (size && address.value.data[size - 1] == ' ')
                size--;
            activity_list_string(w, address.value.data, size);
        }
    }
    activity_list_end(w);
}

static void put_s4u2self(struct activity_writer *w, const struct krb_s4u *s4u)
{
    krb_put_principal(w, FIELD_S4U2SELF_ACCOUNT, &s4u->user);
    krb_put_string(w, FIELD_S4U2SELF_DOMAIN, s4u->realm);
    if (s4u->certificate)
        activity_put_bool(w, FIELD_S4U2SELF_CERTIFICATE, true);
    if (s4u->has_options)
        activity_put_uint(w, FIELD_S4U2SELF_OPTIONS, s4u->options);
}

static void put_padata(struct dissect *d, uint8_t type, const struct krb_padata *padata)
{
    struct activity_writer *w = d->activity;
    struct krb_encrypted encrypted;
    struct krb_ap_req ap_req;
    struct krb_s4u s4u;
    uint32_t bits;
    bool flag;
    switch (padata->type) {
    case PA_TGS_REQ:
        if (type == KRB_TGS_REQ && krb_read_ap_req(padata->value, &ap_req))
            krb_put_ap_req(d, &ap_req);
        break;
    case PA_ENC_TIMESTAMP:
    case PA_ENCRYPTED_CHALLENGE:
        if (krb_read_encrypted(padata->value, &encrypted))
            activity_put_int(w, FIELD_PREAUTH_ETYPE, encrypted.etype);
        break;
    case PA_PK_AS_REQ_OLD:
    case PA_PK_AS_REQ:
        activity_put_bool(w, FIELD_PKINIT, true);
        break;
    case PA_PAC_REQUEST:
        if (krb_read_pac_request(padata->value, &flag))
            activity_put_bool(w, FIELD_PAC_REQUEST, flag);
        break;
    case PA_FOR_USER:
        if (krb_read_for_user(padata->value, &s4u))
            put_s4u2self(w, &s4u);
        break;
    case PA_S4U_X509_USER:
        if (krb_read_s4u_x509(padata->value, &s4u))
            put_s4u2self(w, &s4u);
        break;
    case PA_FX_FAST:
        activity_put_bool(w, FIELD_FAST, true);
        if (krb_read_fast_armor(padata->value, &ap_req)) {
            const struct krb_encrypted *sealed = &ap_req.ticket.sealed;
            activity_put_int(w, FIELD_FAST_ARMOR_ETYPE, sealed->etype);
            if (sealed->cipher.size)
                activity_put_uint(w, FIELD_FAST_ARMOR_FINGERPRINT, dissect_fingerprint(d, sealed->cipher));
        }
        break;
    case PA_KEY_LIST_REQ:
        put_ints(w, FIELD_KEY_LIST_ETYPES, krb_enter_sequence(padata->value));
        break;
    case PA_SUPPORTED_ENCTYPES:
        if (krb_read_supported_etypes(padata->value, &bits))
            activity_put_uint(w, FIELD_SUPPORTED_ETYPES, bits);
        break;
    case PA_PAC_OPTIONS:
        if (krb_read_pac_options(padata->value, &bits))
            activity_put_uint(w, FIELD_PAC_OPTIONS, bits);
        break;
    default:
        break;
    }
}

static void put_request(struct dissect *d, uint8_t type, const struct krb_kdc_req *request)
{
    static const struct krb_ticket_list_fields additional = {
        .services = FIELD_ADDITIONAL_TICKET_SERVICES,
        .etypes = FIELD_ADDITIONAL_TICKET_ETYPES,
        .fingerprints = FIELD_ADDITIONAL_TICKET_FINGERPRINTS,
    };
    struct activity_writer *w = d->activity;
    if (request->client.present) {
        krb_put_principal(w, FIELD_ACCOUNT, &request->client);
        activity_put_int(w, FIELD_CLIENT_NAME_TYPE, request->client.type);
    }
    krb_put_string(w, type == KRB_AS_REQ ? FIELD_ACCOUNT_DOMAIN : FIELD_SERVICE_REALM, request->realm);
    if (request->service.present) {
        krb_put_principal(w, FIELD_SERVICE, &request->service);
        activity_put_int(w, FIELD_SERVICE_NAME_TYPE, request->service.type);
    }
    if (request->has_options)
        activity_put_uint(w, FIELD_KDC_OPTIONS, request->options);
    krb_put_time(w, FIELD_REQUESTED_FROM, request->from);
    krb_put_time(w, FIELD_REQUESTED_TILL, request->till);
    krb_put_time(w, FIELD_REQUESTED_RENEW_TILL, request->renew_till);
    activity_put_uint(w, FIELD_KERBEROS_NONCE, request->nonce);
    put_ints(w, FIELD_OFFERED_ETYPES, request->etypes);
    put_addresses(w, request->addresses);
    put_padata_types(w, FIELD_PADATA_TYPES, request->padata);
    struct cursor list = request->padata;
    struct krb_padata padata;
    while (krb_next_padata(&list, &padata))
        put_padata(d, type, &padata);
    if (type != KRB_TGS_REQ)
        return;
    if (request->options & KDC_OPTION_CNAME_IN_ADDL_TKT)
        activity_put_bool(w, FIELD_S4U2PROXY, true);
    krb_put_tickets(d, &additional, request->tickets);
}

static enum activity_kind kind_of(uint8_t request)
{
    return request == KRB_AS_REQ ? ACTIVITY_KERBEROS_AS : ACTIVITY_KERBEROS_TGS;
}

/* An exchange's number, unique in the engine: the flow's and the request's in it. */
static uint64_t exchange_of(const struct dissect *d, uint32_t key)
{
    return d->info->number << 32 | key;
}

/* An AS-REQ that asks what pre-authentication is wanted, mostly. */
static bool is_bare(uint8_t type, const struct krb_kdc_req *request)
{
    struct cursor list = request->padata;
    struct krb_padata padata;
    if (type != KRB_AS_REQ || request->authorization.present || cursor_left(&request->tickets))
        return false;
    while (krb_next_padata(&list, &padata))
        if (padata.type == PA_ENC_TIMESTAMP || padata.type == PA_FX_FAST)
            return false;
    return true;
}

static void kdc_request(struct dissect *d, const struct krb_message *m, struct bytes message)
{
    struct kdc_state *state = d->state;
    const struct krb_kdc_req *request = &m->request;
    if (d->info->transport == TRANSPORT_UDP && is_repetition(state, m->type, request->nonce)) {
        if (state->repeated < UINT8_MAX)
            state->repeated++;
        return;
    }
    dissect_begin(d, kind_of(m->type));
    put_request(d, m->type, request);
    struct waiting waiting = {
        .type = m->type,
        .nonce = request->nonce,
        .key = ++state->next_key,
        .client = hash_client(&request->client, request->realm),
        .bare = is_bare(m->type, request),
    };
    add_waiting(state, &waiting);
    dissect_defer(d, waiting.key);
    if (!d->truncated)
        unseal_kdc_request(d, exchange_of(d, waiting.key), message);
}

/* -- replies ------------------------------------------------------------------------------------ */

/* ETYPE-INFO2 (else ETYPE-INFO) among the PA-DATA: what keys the account has. */
static void put_etype_info(struct activity_writer *w, struct cursor list)
{
    struct krb_padata padata, best = {.type = 0};
    while (krb_next_padata(&list, &padata))
        if (padata.type == PA_ETYPE_INFO2 || (padata.type == PA_ETYPE_INFO && best.type == 0))
            best = padata;
    if (best.type == 0)
        return;
    struct krb_etype_info info;
    bool salted = false;
    struct cursor entries = krb_enter_sequence(best.value);
    struct cursor walk = entries;
    if (activity_list_begin(w, FIELD_ETYPE_INFO_ETYPES)) {
        while (krb_next_etype_info(&walk, &info)) {
            activity_list_int(w, info.etype);
            salted |= info.has_salt;
        }
        activity_list_end(w);
    }
    walk = entries;
    if (salted && activity_list_begin(w, FIELD_SALTS)) {
        while (krb_next_etype_info(&walk, &info))
            activity_list_string(w, info.salt.data, info.salt.size);
        activity_list_end(w);
    }
}

static void put_reply_padata(struct activity_writer *w, struct cursor list)
{
    put_padata_types(w, FIELD_REPLY_PADATA_TYPES, list);
    put_etype_info(w, list);
}

/* The client as the KDC names it: an AS-REQ named it already, and the reply may correct that. */
static void put_reply_client(struct activity_writer *w, const struct waiting *request,
                             const struct krb_kdc_rep *reply)
{
    if (!activity_has(w, FIELD_ACCOUNT)) {
        krb_put_principal(w, FIELD_ACCOUNT, &reply->client);
        krb_put_string(w, FIELD_ACCOUNT_DOMAIN, reply->client_realm);
        if (reply->client.present)
            activity_put_int(w, FIELD_CLIENT_NAME_TYPE, reply->client.type);
    } else if (w->kind == ACTIVITY_KERBEROS_AS && reply->client.present &&
               request->client != hash_client(&reply->client, reply->client_realm)) {
        krb_put_principal(w, FIELD_REPLY_ACCOUNT, &reply->client);
        krb_put_string(w, FIELD_REPLY_ACCOUNT_DOMAIN, reply->client_realm);
    }
}

static void put_reply(struct dissect *d, const struct waiting *request, const struct krb_kdc_rep *reply)
{
    struct activity_writer *w = d->activity;
    activity_put_uint(w, FIELD_STATUS, 0);
    put_reply_client(w, request, reply);
    krb_put_ticket(d, &krb_issued_ticket, &reply->ticket);
    if (reply->sealed.present)
        activity_put_int(w, FIELD_REPLY_ETYPE, reply->sealed.etype);
    if (reply->sealed.has_kvno)
        activity_put_uint(w, FIELD_REPLY_KVNO, reply->sealed.kvno);
    put_reply_padata(w, reply->padata);
}

static void put_error(struct activity_writer *w, const struct krb_error *error)
{
    if (error->has_code)
        activity_put_uint(w, FIELD_STATUS, (uint32_t)error->code);
    krb_put_principal(w, FIELD_ACCOUNT, &error->client);
    krb_put_string(w, FIELD_ACCOUNT_DOMAIN, error->client_realm);
    if (error->client.present)
        activity_put_int(w, FIELD_CLIENT_NAME_TYPE, error->client.type);
    krb_put_principal(w, FIELD_SERVICE, &error->service);
    krb_put_string(w, FIELD_SERVICE_REALM, error->realm);
    if (error->service.present)
        activity_put_int(w, FIELD_SERVICE_NAME_TYPE, error->service.type);
    krb_put_string(w, FIELD_KERBEROS_ERROR_TEXT, error->text);
    krb_put_time(w, FIELD_KERBEROS_SERVER_TIME, error->server_time);
    krb_put_time(w, FIELD_KERBEROS_CLIENT_TIME, error->client_time);
    struct krb_error_data data;
    krb_read_error_data(error->data, &data);
    if (data.has_status)
        activity_put_uint(w, FIELD_KERBEROS_ERROR_STATUS, data.status);
    put_reply_padata(w, data.padata);
}

/* What keys let see of the exchange. */
static bool put_unsealed(struct dissect *d, struct bytes answer)
{
    struct unsealed facts;
    unseal_kdc_read(d, answer, &facts);
    krb_put_unsealed(d, &facts);
    return true;
}

static void emit_answered(struct dissect *d, const struct waiting *request, uint8_t type,
                          struct bytes message)
{
    enum activity_kind kind = d->activity->kind;
    uint64_t posted = 0;
    bool sealed = type != KRB_ERROR || !request->bare;
    if (sealed && !d->truncated && (kind == ACTIVITY_KERBEROS_AS || kind == ACTIVITY_KERBEROS_TGS))
        posted = unseal_kdc_reply(d, exchange_of(d, request->key), message);
    if (posted)
        dissect_emit_later(d, posted, put_unsealed);
    else
        dissect_emit(d);
}

static void kdc_answer(struct dissect *d, const struct krb_message *m, struct bytes message)
{
    struct kdc_state *state = d->state;
    struct waiting request = {.type = 0};
    struct activity_writer *w = NULL;
    if (take_waiting(state, m->type, &request)) {
        w = dissect_resume(d, request.key);
    } else if (state->repeated) {
        state->repeated--;
        return;
    }
    if (!w && m->type == KRB_ERROR)
        w = dissect_begin(d, request.type ? kind_of(request.type) : ACTIVITY_KERBEROS_ERROR);
    else if (!w)
        w = dissect_begin(d, kind_of((uint8_t)(m->type - 1)));
    if (m->type == KRB_ERROR)
        put_error(w, &m->error);
    else
        put_reply(d, &request, &m->reply);
    emit_answered(d, &request, m->type, message);
}

/* What an ICMP error quotes counts with what others carry. */
static void count(const struct dissect *d, const struct krb_message *m)
{
    struct message_counts *counts = d->counts;
    if (dissect_quoted(d)) {
        counts->kerberos_gss[m->type]++;
        return;
    }
    counts->kerberos_kdc[m->type]++;
    if (m->type == KRB_ERROR)
        sparse_add(&counts->kerberos_errors, m->error.has_code ? m->error.code : SPARSE_NONE);
    else if (m->type == KRB_AS_REP)
        sparse_add(&counts->as_rep_enc_etypes, m->reply.sealed.present ? m->reply.sealed.etype : SPARSE_NONE);
    else if (m->type == KRB_TGS_REP)
        sparse_add(&counts->tgs_rep_ticket_etypes,
                   m->reply.ticket.sealed.present ? m->reply.ticket.sealed.etype : SPARSE_NONE);
}

static void kerberos_message(struct dissect *d, struct cursor c)
{
    if (d->info->transport == TRANSPORT_TCP)
        cursor_skip(&c, RECORD_MARK);
    if (cursor_done(&c))
        return;
    struct krb_message m;
    struct bytes message = ber_bytes(c);
    if (!krb_parse(&c, &m)) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_KERBEROS);
        return;
    }
    dissect_counted(d, PROTOCOL_KERBEROS);
    if (m.damaged && !d->truncated)
        dissect_malformed(d, PROTOCOL_KERBEROS);
    count(d, &m);
    switch (m.type) {
    case KRB_AS_REQ:
    case KRB_TGS_REQ:
        kdc_request(d, &m, message);
        break;
    case KRB_AS_REP:
    case KRB_TGS_REP:
    case KRB_ERROR:
        kdc_answer(d, &m, message);
        break;
    case KRB_CRED:
        krb_emit_cred(d, m.tickets, NULL);
        break;
    default: /* AP, SAFE, PRIV: have no business with a KDC */
        break;
    }
}

/* After a loss nobody can tell whose reply comes next. */
static void kerberos_gap(struct dissect *d)
{
    struct kdc_state *state = d->state;
    state->count = 0;
    state->repeated = 0;
}

const struct protocol protocol_kerberos = {
    .id = PROTOCOL_KERBEROS,
    .name = "kerberos",
    .tcp_ports = {88},
    .udp_ports = {88},
    .detect = kerberos_detect,
    .state_size = sizeof(struct kdc_state),
    .frame = kerberos_frame,
    .message = kerberos_message,
    .gap = kerberos_gap,
};

/* -- change password ---------------------------------------------------------------------------- */

/* Request: message length 2, version 2, AP-REQ length 2, AP-REQ, KRB-PRIV. Reply: message length 2, version
 * 2 (always 1), AP-REP length 2, AP-REP, KRB-PRIV; with AP-REP length 0 a KRB-ERROR instead of both
 * (RFC 3244 section 2). */
#define KPASSWD_HEAD       6
#define KPASSWD_CHANGE     0x0001 /* also every reply */
#define KPASSWD_SET        0xff80
#define KPASSWD_LENGTH_MAX 0xffff

struct kpasswd_state {
    uint32_t asked;
    uint32_t answered;
    struct kpasswd_contexts contexts;
};

static bool kpasswd_length_byte(uint8_t byte)
{
    (void)byte; /* any: the high byte of the message's own length */
    return true;
}

static struct frame kpasswd_frame(struct dissect *d, struct bytes start)
{
    (void)d;
    struct frame frame = record_frame(start, kpasswd_length_byte);
    if (frame.verdict == FRAME_OK && frame.total > RECORD_MARK + KPASSWD_LENGTH_MAX)
        return frame_bad();
    return frame;
}

static enum detection kpasswd_detect(struct bytes start, enum transport transport, enum direction direction,
                                     bool on_port)
{
    (void)direction;
    struct cursor c = cursor_of_bytes(start);
    size_t record = start.size;
    size_t needed = KPASSWD_HEAD + (transport == TRANSPORT_TCP ? RECORD_MARK : 0);
    if (start.size < needed)
        return transport == TRANSPORT_TCP ? DETECT_MORE : DETECT_NO;
    if (transport == TRANSPORT_TCP)
        record = cursor_be32(&c);
    size_t length = cursor_be16(&c);
    uint16_t version = cursor_be16(&c);
    uint16_t token = cursor_be16(&c);
    if ((version != KPASSWD_CHANGE && version != KPASSWD_SET) || length != record)
        return DETECT_NO;
    if (on_port)
        return DETECT_YES;
    if ((size_t)token + KPASSWD_HEAD > length || cursor_done(&c))
        return DETECT_NO;
    uint8_t first = cursor_u8(&c);
    bool kerberos = token ? first == BER_APPLICATION(KRB_AP_REQ) || first == BER_APPLICATION(KRB_AP_REP)
                          : first == BER_APPLICATION(KRB_ERROR);
    return kerberos ? DETECT_YES : DETECT_NO;
}

/* One of the Kerberos messages inside; they count with those that others carry. */
static bool kpasswd_part(struct dissect *d, struct cursor *c, struct krb_message *m)
{
    if (cursor_done(c) || !krb_parse(c, m))
        return false;
    d->counts->kerberos_gss[m->type]++;
    dissect_counted(d, PROTOCOL_KERBEROS);
    return true;
}

/* Result code 2, then a text: what a KRB-ERROR's e-data holds here (RFC 3244 section 2). */
static void put_result(struct activity_writer *w, const struct krb_error *error)
{
    if (error->has_code)
        activity_put_int(w, FIELD_KERBEROS_ERROR_CODE, error->code);
    krb_put_principal(w, FIELD_SERVICE, &error->service);
    krb_put_string(w, FIELD_SERVICE_REALM, error->realm);
    struct cursor data = error->data;
    if (cursor_left(&data) >= 2) {
        activity_put_uint(w, FIELD_STATUS, cursor_be16(&data));
        krb_put_string(w, FIELD_KERBEROS_ERROR_TEXT, ber_bytes(data));
    }
    krb_put_error_text(w, error);
}

/* The AP message and the KRB-PRIV of request or reply `number`. */
static void put_parts(struct dissect *d, uint32_t number, struct cursor *token, struct cursor *rest)
{
    struct kpasswd_state *state = d->state;
    struct activity_writer *w = d->activity;
    struct krb_message m;
    struct cursor *parts[] = {token, rest};
    for (int i = 0; i < 2; i++) {
        struct bytes whole = {.data = parts[i]->at};
        if (!kpasswd_part(d, parts[i], &m))
            continue;
        whole.size = (size_t)(parts[i]->at - whole.data);
        if (m.type == KRB_AP_REQ) {
            krb_put_ap_req(d, &m.ap_req);
            kpasswd_begin(d, &state->contexts, number, whole);
        } else if (m.type == KRB_AP_REP && m.sealed.present) {
            activity_put_int(w, FIELD_REPLY_ETYPE, m.sealed.etype);
            kpasswd_reply(d, &state->contexts, number, whole);
        } else if (m.type == KRB_PRIV && m.sealed.etype != 0) {
            if (!kpasswd_put_private(d, &state->contexts, number, whole))
                activity_put_bool(w, FIELD_SEALED, true);
        } else if (m.type == KRB_ERROR) {
            put_result(w, &m.error);
        }
    }
}

static void kpasswd_message(struct dissect *d, struct cursor c)
{
    struct kpasswd_state *state = d->state;
    if (d->info->transport == TRANSPORT_TCP)
        cursor_skip(&c, RECORD_MARK);
    if (cursor_done(&c))
        return;
    d->counts->kpasswd++;
    dissect_counted(d, PROTOCOL_KPASSWD);
    cursor_skip(&c, 2); /* length of the message */
    uint16_t version = cursor_be16(&c);
    size_t length = cursor_be16(&c);
    if (c.failed) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_KPASSWD);
        return;
    }
    if (length > cursor_left(&c)) {
        if (!d->truncated)
            dissect_malformed(d, PROTOCOL_KPASSWD);
        length = cursor_left(&c);
    }
    struct cursor token = cursor_sub(&c, length);
    if (d->direction == TO_SERVER) {
        struct activity_writer *w = dissect_begin(d, ACTIVITY_KERBEROS_PASSWORD_CHANGE);
        activity_put_uint(w, FIELD_PASSWORD_PROTOCOL, version);
        put_parts(d, state->asked, &token, &c);
        dissect_defer(d, state->asked++);
        return;
    }
    uint32_t number = state->answered;
    if (state->answered == state->asked || !dissect_resume(d, state->answered++))
        dissect_begin(d, ACTIVITY_KERBEROS_PASSWORD_CHANGE);
    put_parts(d, number, &token, &c);
    kpasswd_end(d, &state->contexts, number);
    dissect_emit(d);
}

static void kpasswd_gap(struct dissect *d)
{
    struct kpasswd_state *state = d->state;
    state->answered = state->asked;
    kpasswd_end_all(d, &state->contexts);
}

static void kpasswd_close(struct dissect *d)
{
    struct kpasswd_state *state = d->state;
    kpasswd_end_all(d, &state->contexts);
}

const struct protocol protocol_kpasswd = {
    .id = PROTOCOL_KPASSWD,
    .name = "kpasswd",
    .tcp_ports = {464},
    .udp_ports = {464},
    .detect = kpasswd_detect,
    .state_size = sizeof(struct kpasswd_state),
    .frame = kpasswd_frame,
    .message = kpasswd_message,
    .gap = kpasswd_gap,
    .close = kpasswd_close,
};
