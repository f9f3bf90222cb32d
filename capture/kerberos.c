/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/kerberos_elements.h"

#define KRB_VERSION 5 /* RFC 4120 5.4.1: pvno */

/* -- pieces ------------------------------------------------------------------------------------- */

/* RFC 4120 uses explicit tags: each member is a context tag around the value. The value's content, of which
 * the tag must be `tag`; empty otherwise. */
struct cursor krb_inner(struct cursor member, uint8_t tag)
{
    if (ber_peek(&member) != tag)
        return (struct cursor){.at = member.end, .end = member.end, .failed = true};
    return ber_next(&member).value;
}

int64_t krb_inner_int(struct cursor member)
{
    return ber_content_int(krb_inner(member, BER_INTEGER));
}

/* A KerberosString: GeneralString (RFC 4120 5.2.1); some implementations write UTF8String. */
struct bytes krb_inner_string(struct cursor member)
{
    uint8_t tag = ber_peek(&member);
    if (tag != BER_GENERAL_STRING && tag != BER_UTF8_STRING)
        return (struct bytes){.data = member.end, .size = 0};
    return ber_bytes(ber_next(&member).value);
}

/* KerberosFlags (RFC 4120 5.2.8): a BIT STRING of at least 32 bits, of which bit 0 is the first. */
bool krb_inner_flags(struct cursor member, uint32_t *to)
{
    struct cursor bits = krb_inner(member, BER_BIT_STRING);
    cursor_u8(&bits); /* unused bits of the last octet */
    size_t octets = cursor_left(&bits);
    if (octets == 0)
        return false;
    uint32_t flags = 0;
    for (size_t i = 0; i < 4; i++)
        flags = flags << 8 | (i < octets ? bits.at[i] : 0u);
    *to = flags;
    return true;
}

static unsigned two_digits(const uint8_t *at, bool *good)
{
    unsigned tens = (unsigned)at[0] - '0', ones = (unsigned)at[1] - '0';
    if (tens > 9 || ones > 9)
        *good = false;
    return tens * 10 + ones;
}

/* Days from 1970-01-01 to the day of the proleptic Gregorian calendar, counted in years that begin in March
 * so that the leap day is a year's last. */
static int64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t m = (int64_t)(month + 9) % 12;
    return y * 365 + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1 - 719468;
}

/* KerberosTime (RFC 4120 5.2.3): GeneralizedTime as YYYYMMDDHHMMSSZ. 0 when it is none; what is beyond the
 * range of 64 bits (the year 2262) is the latest that can be said. */
int64_t krb_inner_time(struct cursor member)
{
    struct cursor text = krb_inner(member, BER_GENERALIZED_TIME);
    if (cursor_left(&text) < 14)
        return 0;
    const uint8_t *t = text.at;
    bool good = true;
    unsigned year = two_digits(t, &good) * 100;
    year += two_digits(t + 2, &good);
    unsigned month = two_digits(t + 4, &good), day = two_digits(t + 6, &good);
    unsigned hour = two_digits(t + 8, &good), minute = two_digits(t + 10, &good);
    unsigned second = two_digits(t + 12, &good);
    if (!good || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return 0;
    int64_t seconds = days_since_1970(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    if (seconds > INT64_MAX / 1000000000)
        return INT64_MAX;
    if (seconds < INT64_MIN / 1000000000)
        return 0;
    return seconds * 1000000000;
}

/* PrincipalName ::= SEQUENCE { name-type [0] Int32, name-string [1] SEQUENCE OF KerberosString } (5.2.2) */
void krb_inner_principal(struct cursor member, struct krb_principal *to)
{
    struct cursor c = krb_inner(member, BER_SEQUENCE);
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        if (e.tag == EXPLICIT(0)) {
            to->type = (int32_t)krb_inner_int(e.value);
        } else if (e.tag == EXPLICIT(1)) {
            to->names = krb_inner(e.value, BER_SEQUENCE);
            to->present = true;
        }
    }
}

/* EncryptedData ::= SEQUENCE { etype [0] Int32, kvno [1] UInt32 OPTIONAL, cipher [2] OCTET STRING } (5.2.9)
 */
void krb_encrypted_read(struct cursor c, struct krb_encrypted *to)
{
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        if (e.tag == EXPLICIT(0)) {
            to->etype = (int32_t)krb_inner_int(e.value);
            to->present = true;
        } else if (e.tag == EXPLICIT(1)) {
            to->kvno = (uint32_t)krb_inner_int(e.value);
            to->has_kvno = true;
        } else if (e.tag == EXPLICIT(2)) {
            struct cursor cipher = krb_inner(e.value, BER_OCTET_STRING);
            if (!cipher.failed)
                to->cipher = ber_bytes(cipher);
        }
    }
}

/* Ticket ::= [APPLICATION 1] SEQUENCE { tkt-vno [0], realm [1], sname [2], enc-part [3] } (5.3) */
static void ticket(struct cursor application, struct krb_ticket *to)
{
    struct cursor c = krb_inner(application, BER_SEQUENCE);
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        switch (e.tag) {
        case EXPLICIT(1):
            to->realm = krb_inner_string(e.value);
            to->present = true;
            break;
        case EXPLICIT(2):
            krb_inner_principal(e.value, &to->service);
            to->present = true;
            break;
        case EXPLICIT(3):
            krb_encrypted_read(krb_inner(e.value, BER_SEQUENCE), &to->sealed);
            to->present = true;
            break;
        default:
            break;
        }
    }
}

static void inner_ticket(struct cursor member, struct krb_ticket *to)
{
    ticket(krb_inner(member, BER_APPLICATION(KRB_TICKET)), to);
}

/* -- messages ----------------------------------------------------------------------------------- */

/* KDC-REQ-BODY ::= SEQUENCE { kdc-options [0], cname [1] OPTIONAL, realm [2], sname [3] OPTIONAL,
 *   from [4] OPTIONAL, till [5], rtime [6] OPTIONAL, nonce [7], etype [8] SEQUENCE OF Int32,
 *   addresses [9] OPTIONAL, enc-authorization-data [10] OPTIONAL, additional-tickets [11] OPTIONAL } (5.4.1)
 */
bool krb_kdc_req_body(struct cursor c, struct krb_kdc_req *to)
{
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        switch (e.tag) {
        case EXPLICIT(0):
            to->has_options = krb_inner_flags(e.value, &to->options);
            break;
        case EXPLICIT(1):
            krb_inner_principal(e.value, &to->client);
            break;
        case EXPLICIT(2):
            to->realm = krb_inner_string(e.value);
            break;
        case EXPLICIT(3):
            krb_inner_principal(e.value, &to->service);
            break;
        case EXPLICIT(4):
            to->from = krb_inner_time(e.value);
            break;
        case EXPLICIT(5):
            to->till = krb_inner_time(e.value);
            break;
        case EXPLICIT(6):
            to->renew_till = krb_inner_time(e.value);
            break;
        case EXPLICIT(7):
            to->nonce = (uint32_t)krb_inner_int(e.value);
            break;
        case EXPLICIT(8):
            to->etypes = krb_inner(e.value, BER_SEQUENCE);
            break;
        case EXPLICIT(9):
            to->addresses = krb_inner(e.value, BER_SEQUENCE);
            break;
        case EXPLICIT(10):
            krb_encrypted_read(krb_inner(e.value, BER_SEQUENCE), &to->authorization);
            break;
        case EXPLICIT(11):
            to->tickets = krb_inner(e.value, BER_SEQUENCE);
            break;
        default:
            break;
        }
    }
    return !c.failed;
}

/* KDC-REQ ::= SEQUENCE { pvno [1] 5, msg-type [2], padata [3] SEQUENCE OF PA-DATA OPTIONAL,
 *   req-body [4] KDC-REQ-BODY } (5.4.1). Its tags begin at 1: 0 was left out for compatibility. */
static bool kdc_req(struct cursor c, struct krb_message *to)
{
    bool whole = true;
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        if (e.tag == EXPLICIT(1))
            to->version = (int32_t)krb_inner_int(e.value);
        else if (e.tag == EXPLICIT(3))
            to->request.padata = krb_inner(e.value, BER_SEQUENCE);
        else if (e.tag == EXPLICIT(4))
            whole = krb_kdc_req_body(krb_inner(e.value, BER_SEQUENCE), &to->request);
    }
    return whole && !c.failed;
}

/* KDC-REP ::= SEQUENCE { pvno [0], msg-type [1], padata [2] OPTIONAL, crealm [3], cname [4], ticket [5],
 *   enc-part [6] } (5.4.2) */
static bool kdc_rep(struct cursor c, struct krb_message *to)
{
    struct krb_kdc_rep *reply = &to->reply;
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        switch (e.tag) {
        case EXPLICIT(0):
            to->version = (int32_t)krb_inner_int(e.value);
            break;
        case EXPLICIT(2):
            reply->padata = krb_inner(e.value, BER_SEQUENCE);
            break;
        case EXPLICIT(3):
            reply->client_realm = krb_inner_string(e.value);
            break;
        case EXPLICIT(4):
            krb_inner_principal(e.value, &reply->client);
            break;
        case EXPLICIT(5):
            inner_ticket(e.value, &reply->ticket);
            break;
        case EXPLICIT(6):
            krb_encrypted_read(krb_inner(e.value, BER_SEQUENCE), &reply->sealed);
            break;
        default:
            break;
        }
    }
    return !c.failed;
}

/* AP-REQ ::= SEQUENCE { pvno [0], msg-type [1], ap-options [2], ticket [3], authenticator [4] } (5.5.1) */
static bool ap_req(struct cursor c, int32_t *version, struct krb_ap_req *to)
{
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        switch (e.tag) {
        case EXPLICIT(0):
            *version = (int32_t)krb_inner_int(e.value);
            break;
        case EXPLICIT(2):
            krb_inner_flags(e.value, &to->options);
            break;
        case EXPLICIT(3):
            inner_ticket(e.value, &to->ticket);
            break;
        case EXPLICIT(4):
            krb_encrypted_read(krb_inner(e.value, BER_SEQUENCE), &to->authenticator);
            break;
        default:
            break;
        }
    }
    return !c.failed;
}

/* AP-REP ::= SEQUENCE { pvno [0], msg-type [1], enc-part [2] } (5.5.2)
 * KRB-PRIV ::= SEQUENCE { pvno [0], msg-type [1], enc-part [3] } (5.7.1)
 * KRB-SAFE ::= SEQUENCE { pvno [0], msg-type [1], safe-body [2], cksum [3] } (5.6.1)
 * KRB-CRED ::= SEQUENCE { pvno [0], msg-type [1], tickets [2] SEQUENCE OF Ticket, enc-part [3] } (5.8.1) */
static bool small_message(struct cursor c, struct krb_message *to)
{
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        if (e.tag == EXPLICIT(0))
            to->version = (int32_t)krb_inner_int(e.value);
        else if ((e.tag == EXPLICIT(2) && to->type == KRB_AP_REP) ||
                 (e.tag == EXPLICIT(3) && to->type == KRB_PRIV))
            krb_encrypted_read(krb_inner(e.value, BER_SEQUENCE), &to->sealed);
        else if (e.tag == EXPLICIT(2) && to->type == KRB_CRED)
            to->tickets = krb_inner(e.value, BER_SEQUENCE);
        else if (e.tag == EXPLICIT(3) && to->type == KRB_CRED)
            krb_encrypted_read(krb_inner(e.value, BER_SEQUENCE), &to->credentials);
    }
    return !c.failed;
}

/* KRB-ERROR ::= SEQUENCE { pvno [0], msg-type [1], ctime [2] OPTIONAL, cusec [3] OPTIONAL, stime [4],
 *   susec [5], error-code [6], crealm [7] OPTIONAL, cname [8] OPTIONAL, realm [9], sname [10],
 *   e-text [11] OPTIONAL, e-data [12] OPTIONAL } (5.9.1) */
static bool krb_error(struct cursor c, struct krb_message *to)
{
    struct krb_error *error = &to->error;
    int64_t client_micro = 0, server_micro = 0;
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        switch (e.tag) {
        case EXPLICIT(0):
            to->version = (int32_t)krb_inner_int(e.value);
            break;
        case EXPLICIT(2):
            error->client_time = krb_inner_time(e.value);
            break;
        case EXPLICIT(3):
            client_micro = krb_inner_int(e.value);
            break;
        case EXPLICIT(4):
            error->server_time = krb_inner_time(e.value);
            break;
        case EXPLICIT(5):
            server_micro = krb_inner_int(e.value);
            break;
        case EXPLICIT(6):
            error->code = (int32_t)krb_inner_int(e.value);
            error->has_code = true;
            break;
        case EXPLICIT(7):
            error->client_realm = krb_inner_string(e.value);
            break;
        case EXPLICIT(8):
            krb_inner_principal(e.value, &error->client);
            break;
        case EXPLICIT(9):
            error->realm = krb_inner_string(e.value);
            break;
        case EXPLICIT(10):
            krb_inner_principal(e.value, &error->service);
            break;
        case EXPLICIT(11):
            error->text = krb_inner_string(e.value);
            break;
        case EXPLICIT(12):
            error->data = krb_inner(e.value, BER_OCTET_STRING);
            break;
        default:
            break;
        }
    }
    if (client_micro > 0 && client_micro < 1000000 && error->client_time && error->client_time < INT64_MAX)
        error->client_time += client_micro * 1000;
    if (server_micro > 0 && server_micro < 1000000 && error->server_time && error->server_time < INT64_MAX)
        error->server_time += server_micro * 1000;
    return !c.failed;
}

static bool known_message(unsigned tag)
{
    const uint32_t known = 1u << KRB_AS_REQ | 1u << KRB_AS_REP | 1u << KRB_TGS_REQ | 1u << KRB_TGS_REP |
                           1u << KRB_AP_REQ | 1u << KRB_AP_REP | 1u << KRB_SAFE | 1u << KRB_PRIV |
                           1u << KRB_CRED | 1u << KRB_ERROR;
    return tag < 32 && (known >> tag & 1);
}

bool krb_parse(struct cursor *c, struct krb_message *to)
{
    unsigned tag = (unsigned)ber_peek(c) - BER_APPLICATION(0);
    if (!known_message(tag))
        return false;
    struct cursor application = ber_next(c).value;
    if (ber_peek(&application) != BER_SEQUENCE)
        return false;
    struct ber sequence = ber_next(&application);
    memset(to, 0, sizeof *to);
    to->type = (uint8_t)tag;
    to->complete = sequence.tag && !sequence.value.failed;
    bool whole = false;
    switch (tag) {
    case KRB_AS_REQ:
    case KRB_TGS_REQ:
        whole = kdc_req(sequence.value, to);
        break;
    case KRB_AS_REP:
    case KRB_TGS_REP:
        whole = kdc_rep(sequence.value, to);
        break;
    case KRB_AP_REQ:
        whole = ap_req(sequence.value, &to->version, &to->ap_req);
        break;
    case KRB_ERROR:
        whole = krb_error(sequence.value, to);
        break;
    default:
        whole = small_message(sequence.value, to);
        break;
    }
    to->damaged = !whole || !to->complete;
    return true;
}

/* Every message begins 6x L 30 L a0|a1 03 02 01 05: application tag, SEQUENCE, pvno. */
enum krb_signature krb_signature(struct bytes start, size_t *size)
{
    struct cursor c = cursor_of_bytes(start);
    if (cursor_done(&c))
        return KRB_SIGNATURE_MORE;
    if (!known_message((unsigned)cursor_u8(&c) - BER_APPLICATION(0)))
        return KRB_SIGNATURE_NO;
    size_t outer = ber_length(&c);
    if (outer == SIZE_MAX) /* no length, or one that is not there yet */
        return start.size < 6 ? KRB_SIGNATURE_MORE : KRB_SIGNATURE_NO;
    *size = start.size - cursor_left(&c) + outer;
    if (cursor_done(&c))
        return KRB_SIGNATURE_MORE;
    size_t before = cursor_left(&c);
    if (cursor_u8(&c) != BER_SEQUENCE)
        return KRB_SIGNATURE_NO;
    size_t length = ber_length(&c);
    if (length == SIZE_MAX)
        return before < 6 ? KRB_SIGNATURE_MORE : KRB_SIGNATURE_NO;
    if (length + (before - cursor_left(&c)) > outer)
        return KRB_SIGNATURE_NO;
    static const uint8_t pvno[] = {0x03, BER_INTEGER, 0x01, KRB_VERSION};
    if (cursor_done(&c))
        return KRB_SIGNATURE_MORE;
    uint8_t tag = cursor_u8(&c);
    if (tag != EXPLICIT(0) && tag != EXPLICIT(1))
        return KRB_SIGNATURE_NO;
    size_t there = cursor_left(&c) < sizeof pvno ? cursor_left(&c) : sizeof pvno;
    if (memcmp(c.at, pvno, there) != 0)
        return KRB_SIGNATURE_NO;
    return there < sizeof pvno ? KRB_SIGNATURE_MORE : KRB_SIGNATURE_YES;
}

/* -- lists -------------------------------------------------------------------------------------- */

size_t krb_principal_text(const struct krb_principal *principal, char *to, size_t capacity)
{
    size_t size = 0;
    struct cursor names = principal->names;
    bool first = true;
    while (!cursor_done(&names) && size < capacity) {
        struct ber e = ber_next(&names);
        if (e.tag != BER_GENERAL_STRING && e.tag != BER_UTF8_STRING)
            continue;
        if (!first)
            to[size++] = '/';
        first = false;
        size_t length = cursor_left(&e.value);
        if (length > capacity - size)
            length = capacity - size;
        if (length)
            memcpy(to + size, e.value.at, length);
        size += length;
    }
    return size;
}

bool krb_next_ticket(struct cursor *tickets, struct krb_ticket *to)
{
    while (!cursor_done(tickets)) {
        struct ber e = ber_next(tickets);
        if (e.tag != BER_APPLICATION(KRB_TICKET))
            continue;
        *to = (struct krb_ticket){.present = false};
        ticket(e.value, to);
        return true;
    }
    return false;
}

bool krb_next_int(struct cursor *list, int32_t *to)
{
    while (!cursor_done(list)) {
        struct ber e = ber_next(list);
        if (e.tag != BER_INTEGER || e.value.failed)
            continue;
        *to = (int32_t)ber_content_int(e.value);
        return true;
    }
    return false;
}

/* PA-DATA ::= SEQUENCE { padata-type [1] Int32, padata-value [2] OCTET STRING } (RFC 4120 5.2.7)
 * TYPED-DATA's entries are SEQUENCE { data-type [0] Int32, data-value [1] OCTET STRING OPTIONAL } (5.9.1) */
bool krb_next_padata(struct cursor *list, struct krb_padata *to)
{
    while (!cursor_done(list)) {
        struct ber entry = ber_next(list);
        if (entry.tag != BER_SEQUENCE)
            continue;
        bool typed = ber_peek(&entry.value) == EXPLICIT(0);
        bool named = false;
        *to = (struct krb_padata){.value = {.at = entry.value.end, .end = entry.value.end}};
        while (!cursor_done(&entry.value)) {
            struct ber e = ber_next(&entry.value);
            if (e.tag == (typed ? EXPLICIT(0) : EXPLICIT(1))) {
                to->type = (int32_t)krb_inner_int(e.value);
                named = true;
            } else if (e.tag == (typed ? EXPLICIT(1) : EXPLICIT(2))) {
                to->value = krb_inner(e.value, BER_OCTET_STRING);
            }
        }
        if (named)
            return true;
    }
    return false;
}

/* HostAddress ::= SEQUENCE { addr-type [0] Int32, address [1] OCTET STRING } (RFC 4120 5.2.5) */
bool krb_next_address(struct cursor *list, struct krb_address *to)
{
    while (!cursor_done(list)) {
        struct ber entry = ber_next(list);
        if (entry.tag != BER_SEQUENCE)
            continue;
        *to = (struct krb_address){.type = 0};
        while (!cursor_done(&entry.value)) {
            struct ber e = ber_next(&entry.value);
            if (e.tag == EXPLICIT(0))
                to->type = (int32_t)krb_inner_int(e.value);
            else if (e.tag == EXPLICIT(1))
                to->value = ber_bytes(krb_inner(e.value, BER_OCTET_STRING));
        }
        return true;
    }
    return false;
}

struct cursor krb_enter_sequence(struct cursor value)
{
    return krb_inner(value, BER_SEQUENCE);
}

/* ETYPE-INFO2-ENTRY ::= SEQUENCE { etype [0] Int32, salt [1] KerberosString OPTIONAL,
 *   s2kparams [2] OCTET STRING OPTIONAL }; ETYPE-INFO-ENTRY has its salt as OCTET STRING (5.2.7.4, .5) */
bool krb_next_etype_info(struct cursor *list, struct krb_etype_info *to)
{
    while (!cursor_done(list)) {
        struct ber entry = ber_next(list);
        if (entry.tag != BER_SEQUENCE)
            continue;
        *to = (struct krb_etype_info){.etype = 0};
        bool named = false;
        while (!cursor_done(&entry.value)) {
            struct ber e = ber_next(&entry.value);
            if (e.tag == EXPLICIT(0)) {
                to->etype = (int32_t)krb_inner_int(e.value);
                named = true;
            } else if (e.tag == EXPLICIT(1)) {
                to->salt = ber_bytes(ber_next(&e.value).value);
                to->has_salt = true;
            }
        }
        if (named)
            return true;
    }
    return false;
}

/* -- values of PA-DATA -------------------------------------------------------------------------- */

bool krb_read_encrypted(struct cursor value, struct krb_encrypted *to)
{
    *to = (struct krb_encrypted){.present = false};
    krb_encrypted_read(krb_inner(value, BER_SEQUENCE), to);
    return to->present;
}

/* KERB-PA-PAC-REQUEST ::= SEQUENCE { include-pac [0] BOOLEAN } ([MS-KILE] 2.2.3) */
bool krb_read_pac_request(struct cursor value, bool *include)
{
    struct cursor c = krb_inner(value, BER_SEQUENCE);
    struct cursor member;
    if (!ber_optional(&c, EXPLICIT(0), &member))
        return false;
    struct cursor flag = krb_inner(member, BER_BOOLEAN);
    if (cursor_done(&flag))
        return false;
    *include = cursor_u8(&flag) != 0;
    return true;
}

/* PA-FOR-USER ::= SEQUENCE { userName [0] PrincipalName, userRealm [1] Realm, cksum [2],
 *   auth-package [3] KerberosString } ([MS-SFU] 2.2.1) */
bool krb_read_for_user(struct cursor value, struct krb_s4u *to)
{
    *to = (struct krb_s4u){.certificate = false};
    struct cursor c = krb_inner(value, BER_SEQUENCE);
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        if (e.tag == EXPLICIT(0))
            krb_inner_principal(e.value, &to->user);
        else if (e.tag == EXPLICIT(1))
            to->realm = krb_inner_string(e.value);
    }
    return to->user.present;
}

/* PA-S4U-X509-USER ::= SEQUENCE { user-id [0] S4UUserID, checksum [1] }
 * S4UUserID ::= SEQUENCE { nonce [0], cname [1] PrincipalName OPTIONAL, crealm [2] Realm,
 *   subject-certificate [3] OCTET STRING OPTIONAL, options [4] BIT STRING OPTIONAL } ([MS-SFU] 2.2.2) */
bool krb_read_s4u_x509(struct cursor value, struct krb_s4u *to)
{
    *to = (struct krb_s4u){.certificate = false};
    struct cursor outer = krb_inner(value, BER_SEQUENCE);
    struct cursor member;
    if (!ber_optional(&outer, EXPLICIT(0), &member))
        return false;
    struct cursor c = krb_inner(member, BER_SEQUENCE);
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        if (e.tag == EXPLICIT(1))
            krb_inner_principal(e.value, &to->user);
        else if (e.tag == EXPLICIT(2))
            to->realm = krb_inner_string(e.value);
        else if (e.tag == EXPLICIT(3))
            to->certificate = true;
        else if (e.tag == EXPLICIT(4))
            to->has_options = krb_inner_flags(e.value, &to->options);
    }
    return to->user.present || to->certificate;
}

/* PA-PAC-OPTIONS ::= SEQUENCE { flags [0] KerberosFlags } ([MS-KILE] 2.2.10) */
bool krb_read_pac_options(struct cursor value, uint32_t *options)
{
    struct cursor c = krb_inner(value, BER_SEQUENCE);
    struct cursor member;
    return ber_optional(&c, EXPLICIT(0), &member) && krb_inner_flags(member, options);
}

/* PA-SUPPORTED-ENCTYPES: 32 bits, little-endian ([MS-KILE] 2.2.8) */
bool krb_read_supported_etypes(struct cursor value, uint32_t *mask)
{
    if (cursor_left(&value) < 4)
        return false;
    *mask = cursor_le32(&value);
    return true;
}

bool krb_read_ap_req(struct cursor value, struct krb_ap_req *to)
{
    *to = (struct krb_ap_req){.options = 0};
    struct cursor c = krb_inner(krb_inner(value, BER_APPLICATION(KRB_AP_REQ)), BER_SEQUENCE);
    if (cursor_done(&c))
        return false;
    int32_t version;
    ap_req(c, &version, to);
    return to->ticket.present;
}

/* PA-FX-FAST-REQUEST ::= CHOICE { armored-data [0] KrbFastArmoredReq }
 * KrbFastArmoredReq ::= SEQUENCE { armor [0] KrbFastArmor OPTIONAL, req-checksum [1], enc-fast-req [2] }
 * KrbFastArmor ::= SEQUENCE { armor-type [0] Int32, armor-value [1] OCTET STRING }, type 1 an AP-REQ
 * (RFC 6113 5.4.1, 5.4.2) */
bool krb_read_fast_armor(struct cursor value, struct krb_ap_req *armor)
{
    struct cursor request = krb_inner(krb_inner(value, EXPLICIT(0)), BER_SEQUENCE);
    struct cursor member;
    if (!ber_optional(&request, EXPLICIT(0), &member))
        return false;
    struct cursor c = krb_inner(member, BER_SEQUENCE);
    int64_t type = 0;
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        if (e.tag == EXPLICIT(0))
            type = krb_inner_int(e.value);
        else if (e.tag == EXPLICIT(1) && type == 1)
            return krb_read_ap_req(krb_inner(e.value, BER_OCTET_STRING), armor);
    }
    return false;
}

/* A member of the SEQUENCE in the armored-data of a PA-FX-FAST: an EncryptedData. */
static bool fast_sealed(struct cursor value, uint8_t tag, struct krb_encrypted *to)
{
    *to = (struct krb_encrypted){.present = false};
    struct cursor c = krb_inner(krb_inner(value, EXPLICIT(0)), BER_SEQUENCE);
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        if (e.tag == tag)
            krb_encrypted_read(krb_inner(e.value, BER_SEQUENCE), to);
    }
    return to->present;
}

bool krb_read_fast_sealed(struct cursor value, struct krb_encrypted *request)
{
    return fast_sealed(value, EXPLICIT(2), request);
}

/* PA-FX-FAST-REPLY ::= CHOICE { armored-data [0] KrbFastArmoredRep }
 * KrbFastArmoredRep ::= SEQUENCE { enc-fast-rep [0] EncryptedData } (RFC 6113 5.4.3) */
bool krb_read_fast_reply(struct cursor value, struct krb_encrypted *response)
{
    return fast_sealed(value, EXPLICIT(0), response);
}

/* KERB-ERROR-DATA ::= SEQUENCE { data-type [1] INTEGER, data-value [2] OCTET STRING OPTIONAL }; type 3 is
 * KERB-EXT-ERROR: three little-endian longs: status, reserved, flags ([MS-KILE] 2.2.1, 2.2.2). Otherwise
 * METHOD-DATA or TYPED-DATA (RFC 4120 5.9.1): SEQUENCE OF SEQUENCE. */
void krb_read_error_data(struct cursor data, struct krb_error_data *to)
{
    *to = (struct krb_error_data){.padata = {.at = data.end, .end = data.end}};
    struct cursor c = krb_inner(data, BER_SEQUENCE);
    if (ber_peek(&c) == BER_SEQUENCE) {
        to->padata = c;
        return;
    }
    int64_t type = 0;
    while (!cursor_done(&c)) {
        struct ber e = ber_next(&c);
        if (e.tag == EXPLICIT(1)) {
            type = krb_inner_int(e.value);
        } else if (e.tag == EXPLICIT(2) && type == 3) {
            struct cursor status = krb_inner(e.value, BER_OCTET_STRING);
            if (cursor_left(&status) >= 4) {
                to->status = cursor_le32(&status);
                to->has_status = true;
            }
        }
    }
}
