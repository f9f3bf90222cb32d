/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/kerberos_parts.h"

#include "capture/kerberos_elements.h"

#include <string.h>

enum {
    ENC_TICKET_PART = 3, /* application tags: RFC 4120 5.10 */
    AUTHENTICATOR = 2,
    ENC_AS_REP_PART = 25,
    ENC_TGS_REP_PART = 26,
    ENC_AP_REP_PART = 27,
};

/* Members' content of the SEQUENCE in that application tag. What was sealed may have padding behind. */
static struct cursor members(struct cursor plain, unsigned tag)
{
    struct cursor application = krb_inner(plain, (uint8_t)BER_APPLICATION(tag));
    return krb_inner(application, BER_SEQUENCE);
}

/* EncryptionKey ::= SEQUENCE { keytype [0] Int32, keyvalue [1] OCTET STRING } (5.2.9) */
void krb_inner_key(struct cursor member, struct krb_key *to)
{
    struct cursor c = krb_inner(member, BER_SEQUENCE);
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        if (e.tag == EXPLICIT(0)) {
            to->etype = (int32_t)krb_inner_int(e.value);
        } else if (e.tag == EXPLICIT(1)) {
            struct cursor value = krb_inner(e.value, BER_OCTET_STRING);
            to->present = !value.failed;
            to->value = ber_bytes(value);
        }
    }
}

/* A time and, in a member of its own, its microseconds. */
static int64_t with_microseconds(int64_t time, int64_t microseconds)
{
    bool usable = time && microseconds >= 0 && microseconds < 1000000 && time < INT64_MAX - 1000000000;
    return usable ? time + microseconds * 1000 : time;
}

/* authtime [5], starttime [6], endtime [7], renew-till [8]: alike in tickets and in replies. */
static void ticket_time(const struct ber *e, struct krb_times *to)
{
    int64_t *const times[] = {&to->auth_time, &to->start_time, &to->end_time, &to->renew_till};
    *times[e->tag - EXPLICIT(5)] = krb_inner_time(e->value);
}

/* EncTicketPart ::= [APPLICATION 3] SEQUENCE { flags [0], key [1], crealm [2], cname [3],
 *   transited [4] SEQUENCE { tr-type [0], contents [1] OCTET STRING }, authtime [5], starttime [6] OPTIONAL,
 *   endtime [7], renew-till [8] OPTIONAL, caddr [9] OPTIONAL, authorization-data [10] OPTIONAL } (5.3) */
static void enc_ticket_member(const struct ber *e, struct krb_enc_ticket *to)
{
    struct cursor c;
    switch (e->tag) {
    case EXPLICIT(0):
        krb_inner_flags(e->value, &to->flags);
        break;
    case EXPLICIT(1):
        krb_inner_key(e->value, &to->key);
        break;
    case EXPLICIT(2):
        to->client_realm = krb_inner_string(e->value);
        break;
    case EXPLICIT(3):
        krb_inner_principal(e->value, &to->client);
        break;
    case EXPLICIT(4):
        c = krb_inner(e->value, BER_SEQUENCE);
        for (struct ber m; (m = ber_next(&c)).tag;)
            if (m.tag == EXPLICIT(1))
                to->transited = ber_bytes(krb_inner(m.value, BER_OCTET_STRING));
        break;
    case EXPLICIT(5):
    case EXPLICIT(6):
    case EXPLICIT(7):
    case EXPLICIT(8):
        ticket_time(e, &to->times);
        break;
    case EXPLICIT(10):
        to->authorization = krb_inner(e->value, BER_SEQUENCE);
        break;
    default:
        break;
    }
}

bool krb_read_enc_ticket(struct cursor plain, struct krb_enc_ticket *to)
{
    *to = (struct krb_enc_ticket){.flags = 0};
    struct cursor c = members(plain, ENC_TICKET_PART);
    for (struct ber e; (e = ber_next(&c)).tag;)
        enc_ticket_member(&e, to);
    return !c.failed && to->key.present;
}

/* Authenticator ::= [APPLICATION 2] SEQUENCE { authenticator-vno [0], crealm [1], cname [2],
 *   cksum [3] SEQUENCE { cksumtype [0], checksum [1] } OPTIONAL, cusec [4], ctime [5], subkey [6] OPTIONAL,
 *   seq-number [7] OPTIONAL, authorization-data [8] OPTIONAL } (5.5.1) */
static void authenticator_member(const struct ber *e, struct krb_authenticator *to, int64_t *microseconds)
{
    struct cursor c;
    switch (e->tag) {
    case EXPLICIT(1):
        to->client_realm = krb_inner_string(e->value);
        break;
    case EXPLICIT(2):
        krb_inner_principal(e->value, &to->client);
        break;
    case EXPLICIT(3):
        c = krb_inner(e->value, BER_SEQUENCE);
        for (struct ber m; (m = ber_next(&c)).tag;)
            if (m.tag == EXPLICIT(0))
                to->checksum_type = (int32_t)krb_inner_int(m.value);
            else if (m.tag == EXPLICIT(1))
                to->checksum = ber_bytes(krb_inner(m.value, BER_OCTET_STRING));
        to->has_checksum = true;
        break;
    case EXPLICIT(4):
        *microseconds = krb_inner_int(e->value);
        break;
    case EXPLICIT(5):
        to->time = krb_inner_time(e->value);
        break;
    case EXPLICIT(6):
        krb_inner_key(e->value, &to->subkey);
        break;
    case EXPLICIT(7):
        to->sequence = (uint32_t)krb_inner_int(e->value);
        to->has_sequence = true;
        break;
    case EXPLICIT(8):
        to->authorization = krb_inner(e->value, BER_SEQUENCE);
        break;
    default:
        break;
    }
}

bool krb_read_authenticator(struct cursor plain, struct krb_authenticator *to)
{
    *to = (struct krb_authenticator){.time = 0};
    int64_t microseconds = 0;
    struct cursor c = members(plain, AUTHENTICATOR);
    for (struct ber e; (e = ber_next(&c)).tag;)
        authenticator_member(&e, to, &microseconds);
    to->time = with_microseconds(to->time, microseconds);
    return !c.failed && to->time;
}

/* EncKDCRepPart ::= SEQUENCE { key [0], last-req [1], nonce [2], key-expiration [3] OPTIONAL, flags [4],
 *   authtime [5], starttime [6] OPTIONAL, endtime [7], renew-till [8] OPTIONAL, srealm [9], sname [10],
 *   caddr [11] OPTIONAL, encrypted-pa-data [12] OPTIONAL } (5.4.2) */
static void reply_member(const struct ber *e, struct krb_reply_part *to)
{
    switch (e->tag) {
    case EXPLICIT(0):
        krb_inner_key(e->value, &to->key);
        break;
    case EXPLICIT(2):
        to->nonce = (uint32_t)krb_inner_int(e->value);
        break;
    case EXPLICIT(3):
        to->key_expiration = krb_inner_time(e->value);
        break;
    case EXPLICIT(4):
        krb_inner_flags(e->value, &to->flags);
        break;
    case EXPLICIT(5):
    case EXPLICIT(6):
    case EXPLICIT(7):
    case EXPLICIT(8):
        ticket_time(e, &to->times);
        break;
    case EXPLICIT(9):
        to->realm = krb_inner_string(e->value);
        break;
    case EXPLICIT(10):
        krb_inner_principal(e->value, &to->service);
        break;
    case EXPLICIT(12):
        to->padata = krb_inner(e->value, BER_SEQUENCE);
        break;
    default:
        break;
    }
}

bool krb_read_reply_part(struct cursor plain, struct krb_reply_part *to)
{
    *to = (struct krb_reply_part){.nonce = 0};
    /* Some KDCs tag the AS's as the TGS's (RFC 4120 5.4.2's note). */
    unsigned tag = ber_peek(&plain) == BER_APPLICATION(ENC_TGS_REP_PART) ? ENC_TGS_REP_PART : ENC_AS_REP_PART;
    struct cursor c = members(plain, tag);
    for (struct ber e; (e = ber_next(&c)).tag;)
        reply_member(&e, to);
    return !c.failed && to->key.present;
}

/* EncAPRepPart ::= [APPLICATION 27] SEQUENCE { ctime [0], cusec [1], subkey [2] OPTIONAL,
 *   seq-number [3] OPTIONAL } (5.5.2) */
bool krb_read_ap_rep_part(struct cursor plain, struct krb_ap_rep_part *to)
{
    *to = (struct krb_ap_rep_part){.time = 0};
    int64_t microseconds = 0;
    struct cursor c = members(plain, ENC_AP_REP_PART);
    for (struct ber e; (e = ber_next(&c)).tag;) {
        if (e.tag == EXPLICIT(0)) {
            to->time = krb_inner_time(e.value);
        } else if (e.tag == EXPLICIT(1)) {
            microseconds = krb_inner_int(e.value);
        } else if (e.tag == EXPLICIT(2)) {
            krb_inner_key(e.value, &to->subkey);
        } else if (e.tag == EXPLICIT(3)) {
            to->sequence = (uint32_t)krb_inner_int(e.value);
            to->has_sequence = true;
        }
    }
    to->time = with_microseconds(to->time, microseconds);
    return !c.failed && to->time;
}

/* PA-ENC-TS-ENC ::= SEQUENCE { patimestamp [0], pausec [1] OPTIONAL } (5.2.7.2) */
int64_t krb_read_enc_timestamp(struct cursor plain)
{
    int64_t time = 0, microseconds = 0;
    struct cursor c = krb_inner(plain, BER_SEQUENCE);
    for (struct ber e; (e = ber_next(&c)).tag;)
        if (e.tag == EXPLICIT(0))
            time = krb_inner_time(e.value);
        else if (e.tag == EXPLICIT(1))
            microseconds = krb_inner_int(e.value);
    return with_microseconds(time, microseconds);
}

/* KrbFastReq ::= SEQUENCE { fast-options [0], padata [1], req-body [2] } (RFC 6113 5.4.2) */
bool krb_read_fast_request(struct cursor plain, struct krb_fast_request *to)
{
    *to = (struct krb_fast_request){.options = 0};
    bool has_body = false;
    struct cursor c = krb_inner(plain, BER_SEQUENCE);
    for (struct ber e; (e = ber_next(&c)).tag;) {
        if (e.tag == EXPLICIT(0))
            krb_inner_flags(e.value, &to->options);
        else if (e.tag == EXPLICIT(1))
            to->padata = krb_inner(e.value, BER_SEQUENCE);
        else if (e.tag == EXPLICIT(2))
            has_body = krb_kdc_req_body(krb_inner(e.value, BER_SEQUENCE), &to->body);
    }
    return has_body && !c.failed;
}

/* KrbFastFinished ::= SEQUENCE { timestamp [0], usec [1], crealm [2], cname [3], ticket-checksum [4] } */
static void fast_finished(struct cursor c, struct krb_fast_response *to)
{
    to->finished = true;
    for (struct ber e; (e = ber_next(&c)).tag;)
        if (e.tag == EXPLICIT(2))
            to->client_realm = krb_inner_string(e.value);
        else if (e.tag == EXPLICIT(3))
            krb_inner_principal(e.value, &to->client);
}

/* KrbFastResponse ::= SEQUENCE { padata [0], strengthen-key [1] OPTIONAL, finished [2] OPTIONAL, nonce [3] }
 * (RFC 6113 5.4.3) */
bool krb_read_fast_response(struct cursor plain, struct krb_fast_response *to)
{
    *to = (struct krb_fast_response){.nonce = 0};
    struct cursor c = krb_inner(plain, BER_SEQUENCE);
    for (struct ber e; (e = ber_next(&c)).tag;) {
        if (e.tag == EXPLICIT(0))
            to->padata = krb_inner(e.value, BER_SEQUENCE);
        else if (e.tag == EXPLICIT(1))
            krb_inner_key(e.value, &to->strengthen);
        else if (e.tag == EXPLICIT(2))
            fast_finished(krb_inner(e.value, BER_SEQUENCE), to);
        else if (e.tag == EXPLICIT(3))
            to->nonce = (uint32_t)krb_inner_int(e.value);
    }
    return !c.failed;
}

/* AuthorizationData ::= SEQUENCE OF SEQUENCE { ad-type [0] Int32, ad-data [1] OCTET STRING } (5.2.6) */
bool krb_next_authorization(struct cursor *list, struct krb_authorization *to)
{
    struct ber element = ber_next(list);
    if (element.tag != BER_SEQUENCE)
        return false;
    *to = (struct krb_authorization){.type = 0};
    for (struct ber e; (e = ber_next(&element.value)).tag;)
        if (e.tag == EXPLICIT(0))
            to->type = (int32_t)krb_inner_int(e.value);
        else if (e.tag == EXPLICIT(1))
            to->data = ber_bytes(krb_inner(e.value, BER_OCTET_STRING));
    return true;
}

struct bytes krb_find_pac(struct cursor authorization)
{
    struct krb_authorization outer, inner;
    while (krb_next_authorization(&authorization, &outer)) {
        if (outer.type == AD_WIN2K_PAC)
            return outer.data;
        if (outer.type != AD_IF_RELEVANT)
            continue;
        struct cursor list = krb_inner(cursor_of_bytes(outer.data), BER_SEQUENCE);
        while (krb_next_authorization(&list, &inner))
            if (inner.type == AD_WIN2K_PAC)
                return inner.data;
    }
    return (struct bytes){0};
}
