/* SPDX-License-Identifier: Apache-2.0
 *
 * Kerberos messages made by tests, sealed by libkrb5.
 */
#pragma once

#include "tests/unit/der.h"
#include "tests/unit/krb5_oracle.h"

#define KM_REALM "CORP.EXAMPLE"

static inline struct key_material km_key(int etype, uint8_t mark)
{
    struct key_material key = {.etype = etype, .size = etype == 18 || etype == 20 ? 32 : 16};
    memset(key.bytes, mark, key.size);
    return key;
}

static inline struct bytes km_bytes(const struct der *b)
{
    return (struct bytes){b->data, b->size};
}

/* EncryptedData; kvno 0: none. */
static inline void km_seal(struct der *b, const struct key_material *key, int usage, uint32_t kvno,
                           struct bytes plain)
{
    uint8_t cipher[DER_MAX];
    size_t size = oracle_seal(key, usage, plain.data, plain.size, cipher, sizeof cipher);
    size_t start = b->size;
    der_member_integer(b, 0, key->etype);
    if (kvno)
        der_member_integer(b, 1, kvno);
    der_member_bytes(b, 2, BER_OCTET_STRING, cipher, size);
    der_close(b, start, BER_SEQUENCE);
}

/* [n] EncryptionKey */
static inline void km_put_key(struct der *b, unsigned n, const struct key_material *key)
{
    size_t start = b->size;
    der_member_integer(b, 0, key->etype);
    der_member_bytes(b, 1, BER_OCTET_STRING, key->bytes, key->size);
    der_close(b, start, BER_SEQUENCE);
    der_close(b, start, (uint8_t)BER_CONTEXT_CONS(n));
}

/* [n] PrincipalName, components parted by slashes */
static inline void km_put_name(struct der *b, unsigned n, const char *name)
{
    size_t start = b->size;
    der_member_integer(b, 0, 1);
    size_t names = b->size;
    for (const char *part = name;; part++) {
        size_t size = strcspn(part, "/");
        der_element(b, BER_GENERAL_STRING, part, size);
        part += size;
        if (!*part)
            break;
    }
    der_close(b, names, BER_SEQUENCE);
    der_close(b, names, BER_CONTEXT_CONS(1));
    der_close(b, start, BER_SEQUENCE);
    der_close(b, start, (uint8_t)BER_CONTEXT_CONS(n));
}

static inline void km_put_time(struct der *b, unsigned n)
{
    der_member_text(b, n, BER_GENERALIZED_TIME, "20261122120000Z");
}

/* EncTicketPart; a PAC of size 0: none. */
static inline struct der km_ticket_plain(const struct key_material *session, struct bytes pac)
{
    static const uint8_t flags[] = {0, 0x40, 0, 0, 0};
    struct der b = {.size = 0};
    der_member_bytes(&b, 0, BER_BIT_STRING, flags, sizeof flags);
    km_put_key(&b, 1, session);
    der_member_text(&b, 2, BER_GENERAL_STRING, KM_REALM);
    km_put_name(&b, 3, "alice");
    km_put_time(&b, 5);
    km_put_time(&b, 7);
    if (pac.size) {
        struct der inner = {.size = 0};
        der_member_integer(&inner, 0, 128);
        der_member_bytes(&inner, 1, BER_OCTET_STRING, pac.data, pac.size);
        der_close(&inner, 0, BER_SEQUENCE);
        der_close(&inner, 0, BER_SEQUENCE);
        size_t start = b.size;
        der_member_integer(&b, 0, 1);
        der_member_bytes(&b, 1, BER_OCTET_STRING, inner.data, inner.size);
        der_close(&b, start, BER_SEQUENCE);
        der_close(&b, start, BER_SEQUENCE);
        der_close(&b, start, BER_CONTEXT_CONS(10));
    }
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_APPLICATION(3));
    return b;
}

static inline struct der km_ticket(const char *service, const struct key_material *key, uint32_t kvno,
                                   struct bytes plain)
{
    struct der b = {.size = 0};
    der_member_integer(&b, 0, 5);
    der_member_text(&b, 1, BER_GENERAL_STRING, KM_REALM);
    km_put_name(&b, 2, service);
    size_t start = b.size;
    km_seal(&b, key, 2, kvno, plain);
    der_close(&b, start, BER_CONTEXT_CONS(3));
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_APPLICATION(1));
    return b;
}

/* Authenticator; subkey NULL: none; a checksum of size 0: none. */
static inline struct der km_authenticator(const struct key_material *subkey, struct bytes checksum)
{
    struct der b = {.size = 0};
    der_member_integer(&b, 0, 5);
    der_member_text(&b, 1, BER_GENERAL_STRING, KM_REALM);
    km_put_name(&b, 2, "alice");
    if (checksum.size) {
        size_t start = b.size;
        der_member_integer(&b, 0, 0x8003);
        der_member_bytes(&b, 1, BER_OCTET_STRING, checksum.data, checksum.size);
        der_close(&b, start, BER_SEQUENCE);
        der_close(&b, start, BER_CONTEXT_CONS(3));
    }
    der_member_integer(&b, 4, 5);
    km_put_time(&b, 5);
    if (subkey)
        km_put_key(&b, 6, subkey);
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_APPLICATION(2));
    return b;
}

static inline struct der km_ap_req(struct bytes ticket, const struct key_material *session, int usage,
                                   struct bytes authenticator)
{
    static const uint8_t options[] = {0, 0x20, 0, 0, 0};
    struct der b = {.size = 0};
    der_member_integer(&b, 0, 5);
    der_member_integer(&b, 1, 14);
    der_member_bytes(&b, 2, BER_BIT_STRING, options, sizeof options);
    size_t start = b.size;
    der_raw(&b, ticket.data, ticket.size);
    der_close(&b, start, BER_CONTEXT_CONS(3));
    start = b.size;
    km_seal(&b, session, usage, 0, authenticator);
    der_close(&b, start, BER_CONTEXT_CONS(4));
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_APPLICATION(14));
    return b;
}

/* SEQUENCE { [1] type, [2] OCTET STRING } */
static inline void km_put_padata(struct der *b, int type, struct bytes value)
{
    size_t start = b->size;
    der_member_integer(b, 1, type);
    der_member_bytes(b, 2, BER_OCTET_STRING, value.data, value.size);
    der_close(b, start, BER_SEQUENCE);
}

/* The content of a KDC-REQ-BODY. `authorization`: an EncryptedData; `tickets`: Tickets; both may be empty. */
static inline struct der km_body(const char *service, struct bytes authorization, struct bytes tickets)
{
    struct der b = {.size = 0};
    km_put_name(&b, 1, "alice");
    der_member_text(&b, 2, BER_GENERAL_STRING, KM_REALM);
    km_put_name(&b, 3, service);
    der_member_integer(&b, 7, 12345);
    if (authorization.size) {
        size_t start = b.size;
        der_raw(&b, authorization.data, authorization.size);
        der_close(&b, start, BER_CONTEXT_CONS(10));
    }
    if (tickets.size) {
        size_t start = b.size;
        der_raw(&b, tickets.data, tickets.size);
        der_close(&b, start, BER_SEQUENCE);
        der_close(&b, start, BER_CONTEXT_CONS(11));
    }
    der_close(&b, 0, BER_SEQUENCE);
    return b;
}

/* AS-REQ (10), TGS-REQ (12) of PA-DATA and a body. */
static inline struct der km_kdc_req(unsigned type, struct bytes padata, struct bytes body)
{
    struct der b = {.size = 0};
    der_member_integer(&b, 1, 5);
    der_member_integer(&b, 2, type);
    size_t start = b.size;
    der_raw(&b, padata.data, padata.size);
    der_close(&b, start, BER_SEQUENCE);
    der_close(&b, start, BER_CONTEXT_CONS(3));
    start = b.size;
    der_raw(&b, body.data, body.size);
    der_close(&b, start, BER_CONTEXT_CONS(4));
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, (uint8_t)BER_APPLICATION(type));
    return b;
}

/* EncASRepPart (25), EncTGSRepPart (26); `padata`: encrypted-pa-data, may be empty. */
static inline struct der km_reply_plain(unsigned tag, const struct key_material *session, struct bytes padata)
{
    struct der b = {.size = 0};
    km_put_key(&b, 0, session);
    der_member_integer(&b, 2, 12345);
    km_put_time(&b, 5);
    km_put_time(&b, 7);
    if (padata.size) {
        size_t start = b.size;
        der_raw(&b, padata.data, padata.size);
        der_close(&b, start, BER_SEQUENCE);
        der_close(&b, start, BER_CONTEXT_CONS(12));
    }
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, (uint8_t)BER_APPLICATION(tag));
    return b;
}

/* AS-REP (11), TGS-REP (13); `sealed`: an EncryptedData. */
static inline struct der km_kdc_rep(unsigned type, struct bytes padata, struct bytes ticket,
                                    struct bytes sealed)
{
    struct der b = {.size = 0};
    der_member_integer(&b, 0, 5);
    der_member_integer(&b, 1, type);
    size_t start = b.size;
    if (padata.size) {
        der_raw(&b, padata.data, padata.size);
        der_close(&b, start, BER_SEQUENCE);
        der_close(&b, start, BER_CONTEXT_CONS(2));
    }
    der_member_text(&b, 3, BER_GENERAL_STRING, KM_REALM);
    km_put_name(&b, 4, "alice");
    start = b.size;
    der_raw(&b, ticket.data, ticket.size);
    der_close(&b, start, BER_CONTEXT_CONS(5));
    start = b.size;
    der_raw(&b, sealed.data, sealed.size);
    der_close(&b, start, BER_CONTEXT_CONS(6));
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, (uint8_t)BER_APPLICATION(type));
    return b;
}

/* PA-FX-FAST-REQUEST's value: `armor` an AP-REQ (may be empty), `sealed` an EncryptedData. */
static inline struct der km_fast_request(struct bytes armor, struct bytes sealed)
{
    struct der b = {.size = 0};
    if (armor.size) {
        der_member_integer(&b, 0, 1);
        der_member_bytes(&b, 1, BER_OCTET_STRING, armor.data, armor.size);
        der_close(&b, 0, BER_SEQUENCE);
        der_close(&b, 0, BER_CONTEXT_CONS(0));
    }
    size_t start = b.size;
    der_raw(&b, sealed.data, sealed.size);
    der_close(&b, start, BER_CONTEXT_CONS(2));
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_CONTEXT_CONS(0));
    return b;
}

/* PA-FX-FAST-REPLY's value. */
static inline struct der km_fast_reply(struct bytes sealed)
{
    struct der b = {.size = 0};
    der_raw(&b, sealed.data, sealed.size);
    der_close(&b, 0, BER_CONTEXT_CONS(0));
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_CONTEXT_CONS(0));
    return b;
}

/* KrbFastReq of PA-DATA and a body. */
static inline struct der km_fast_plain(struct bytes padata, struct bytes body)
{
    static const uint8_t options[5];
    struct der b = {.size = 0};
    der_member_bytes(&b, 0, BER_BIT_STRING, options, sizeof options);
    size_t start = b.size;
    der_raw(&b, padata.data, padata.size);
    der_close(&b, start, BER_SEQUENCE);
    der_close(&b, start, BER_CONTEXT_CONS(1));
    start = b.size;
    der_raw(&b, body.data, body.size);
    der_close(&b, start, BER_CONTEXT_CONS(2));
    der_close(&b, 0, BER_SEQUENCE);
    return b;
}

/* KrbFastResponse with PA-DATA and a key that strengthens. */
static inline struct der km_fast_response(struct bytes padata, const struct key_material *strengthen)
{
    struct der b = {.size = 0};
    der_raw(&b, padata.data, padata.size);
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_CONTEXT_CONS(0));
    if (strengthen)
        km_put_key(&b, 1, strengthen);
    der_member_integer(&b, 3, 12345);
    der_close(&b, 0, BER_SEQUENCE);
    return b;
}

/* EncKrbCredPart for one ticket, and KRB-CRED around it (etype 0: not sealed). */
static inline struct der km_credentials(struct bytes ticket, const struct key_material *session,
                                        const struct key_material *sealed_with)
{
    struct der plain = {.size = 0}, b = {.size = 0};
    km_put_key(&plain, 0, session);
    der_close(&plain, 0, BER_SEQUENCE);
    der_close(&plain, 0, BER_SEQUENCE);
    der_close(&plain, 0, BER_CONTEXT_CONS(0));
    der_close(&plain, 0, BER_SEQUENCE);
    der_close(&plain, 0, BER_APPLICATION(29));
    der_member_integer(&b, 0, 5);
    der_member_integer(&b, 1, 22);
    size_t start = b.size;
    der_raw(&b, ticket.data, ticket.size);
    der_close(&b, start, BER_SEQUENCE);
    der_close(&b, start, BER_CONTEXT_CONS(2));
    start = b.size;
    if (sealed_with) {
        km_seal(&b, sealed_with, 14, 0, km_bytes(&plain));
    } else {
        der_member_integer(&b, 0, 0);
        der_member_bytes(&b, 2, BER_OCTET_STRING, plain.data, plain.size);
        der_close(&b, start, BER_SEQUENCE);
    }
    der_close(&b, start, BER_CONTEXT_CONS(3));
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_APPLICATION(22));
    return b;
}

/* The checksum 0x8003 of an authenticator that delegates. */
static inline struct der km_delegation(struct bytes credentials)
{
    static const uint8_t head[] = {16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                   0,  0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0};
    struct der b = {.size = 0};
    der_raw(&b, head, sizeof head);
    uint8_t size[] = {(uint8_t)credentials.size, (uint8_t)(credentials.size >> 8)};
    der_raw(&b, size, 2);
    der_raw(&b, credentials.data, credentials.size);
    return b;
}

/* AP-REP with an acceptor's subkey. */
static inline struct der km_ap_rep(const struct key_material *session, const struct key_material *subkey)
{
    struct der plain = {.size = 0}, b = {.size = 0};
    km_put_time(&plain, 0);
    der_member_integer(&plain, 1, 5);
    km_put_key(&plain, 2, subkey);
    der_close(&plain, 0, BER_SEQUENCE);
    der_close(&plain, 0, BER_APPLICATION(27));
    der_member_integer(&b, 0, 5);
    der_member_integer(&b, 1, 15);
    size_t start = b.size;
    km_seal(&b, session, 12, 0, km_bytes(&plain));
    der_close(&b, start, BER_CONTEXT_CONS(2));
    der_close(&b, 0, BER_SEQUENCE);
    der_close(&b, 0, BER_APPLICATION(15));
    return b;
}

/* KRB-FX-CF2, as the other side computes it. */
static inline struct key_material km_combine(const struct key_material *a, const char *pepper_a,
                                             const struct key_material *b, const char *pepper_b)
{
    krb5_keyblock first = oracle_block(a), second = oracle_block(b), *both;
    if (krb5_c_fx_cf2_simple(NULL, &first, pepper_a, &second, pepper_b, &both) != 0)
        abort();
    struct key_material key = {.etype = both->enctype, .size = (uint8_t)both->length};
    memcpy(key.bytes, both->contents, both->length);
    krb5_free_keyblock(NULL, both);
    return key;
}
