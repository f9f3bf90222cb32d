/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands inside of the sealed parts of Kerberos messages, once they are plain text (RFC 4120 5.3, 5.4.2,
 * 5.5.1, 5.2.7.2, RFC 6113 5.4): bytes in, a view into them out, like kerberos.h. `key.value` points into the
 * bytes that were read: who holds the keys takes the key from there, and blanks it.
 */
#pragma once

#include "capture/kerberos.h"

struct krb_key {
    bool present;
    int32_t etype;
    struct bytes value;
};

/* An EncryptionKey, in the member that holds it. */
void krb_inner_key(struct cursor member, struct krb_key *to);

/* Of a ticket: nanoseconds since 1970; 0: not there. */
struct krb_times {
    int64_t auth_time;
    int64_t start_time;
    int64_t end_time;
    int64_t renew_till;
};

/* EncTicketPart. */
struct krb_enc_ticket {
    uint32_t flags; /* TicketFlags, bit 0 the highest */
    struct krb_key key;
    struct bytes client_realm;
    struct krb_principal client;
    struct bytes transited;
    struct krb_times times;
    struct cursor authorization; /* AuthorizationData, its content */
};
bool krb_read_enc_ticket(struct cursor plain, struct krb_enc_ticket *to);

struct krb_authenticator {
    struct bytes client_realm;
    struct krb_principal client;
    bool has_checksum;
    int32_t checksum_type;
    struct bytes checksum;
    int64_t time; /* with its microseconds */
    struct krb_key subkey;
    bool has_sequence;
    uint32_t sequence;
    struct cursor authorization;
};
bool krb_read_authenticator(struct cursor plain, struct krb_authenticator *to);

/* EncASRepPart, EncTGSRepPart. */
struct krb_reply_part {
    struct krb_key key;
    uint32_t nonce;
    int64_t key_expiration;
    uint32_t flags;
    struct krb_times times;
    struct bytes realm;
    struct krb_principal service;
    struct cursor padata; /* encrypted-pa-data, RFC 6806 11 */
};
bool krb_read_reply_part(struct cursor plain, struct krb_reply_part *to);

/* EncAPRepPart. */
struct krb_ap_rep_part {
    int64_t time;
    struct krb_key subkey;
    bool has_sequence;
    uint32_t sequence;
};
bool krb_read_ap_rep_part(struct cursor plain, struct krb_ap_rep_part *to);

/* PA-ENC-TS-ENC: the time with its microseconds, 0 when there is none. */
int64_t krb_read_enc_timestamp(struct cursor plain);

/* KrbFastReq: what an armored request really says. */
struct krb_fast_request {
    uint32_t options;
    struct cursor padata;
    struct krb_kdc_req body;
};
bool krb_read_fast_request(struct cursor plain, struct krb_fast_request *to);

/* KrbFastResponse. */
struct krb_fast_response {
    struct cursor padata;
    struct krb_key strengthen;
    bool finished;
    struct bytes client_realm; /* of KrbFastFinished */
    struct krb_principal client;
    uint32_t nonce;
};
bool krb_read_fast_response(struct cursor plain, struct krb_fast_response *to);

/* Walks AuthorizationData: false at the end. */
struct krb_authorization {
    int32_t type;
    struct bytes data;
};
#define AD_IF_RELEVANT 1
#define AD_WIN2K_PAC   128
bool krb_next_authorization(struct cursor *list, struct krb_authorization *to);

/* The PAC in a ticket's authorization data: in AD-IF-RELEVANT, as [MS-KILE] 3.3.5.6.3 has it, or bare. Empty
 * when there is none. */
struct bytes krb_find_pac(struct cursor authorization);
