/* SPDX-License-Identifier: Apache-2.0
 *
 * Kerberos 5 messages (RFC 4120 section 5 with [MS-KILE], [MS-SFU], RFC 6113, RFC 4556): bytes in, a view
 * into them out. Nothing is copied; lists stay where they stand and are walked when they are wanted. Every
 * member may be missing: what a damaged or cut message does not have is empty, zero or `present == false`.
 */
#pragma once

#include "base/ber.h"

/* Application tags, which are the message types too (RFC 4120 5.10). */
enum krb_type {
    KRB_TICKET = 1,
    KRB_AS_REQ = 10,
    KRB_AS_REP = 11,
    KRB_TGS_REQ = 12,
    KRB_TGS_REP = 13,
    KRB_AP_REQ = 14,
    KRB_AP_REP = 15,
    KRB_SAFE = 20,
    KRB_PRIV = 21,
    KRB_CRED = 22,
    KRB_ERROR = 30,
};

/* Pre-authentication data types (RFC 4120 7.5.2 and its registry, [MS-KILE] 2.2.10, [MS-SFU] 2.2). */
enum krb_padata_type {
    PA_TGS_REQ = 1,
    PA_ENC_TIMESTAMP = 2,
    PA_PW_SALT = 3,
    PA_ETYPE_INFO = 11,
    PA_PK_AS_REQ_OLD = 14,
    PA_PK_AS_REP_OLD = 15,
    PA_PK_AS_REQ = 16,
    PA_PK_AS_REP = 17,
    PA_ETYPE_INFO2 = 19,
    PA_PAC_REQUEST = 128,
    PA_FOR_USER = 129,
    PA_S4U_X509_USER = 130,
    PA_FX_FAST = 136,
    PA_ENCRYPTED_CHALLENGE = 138,
    PA_KEY_LIST_REQ = 161,
    PA_SUPPORTED_ENCTYPES = 165,
    PA_PAC_OPTIONS = 167,
};

struct krb_principal {
    bool present;
    int32_t type;
    struct cursor names; /* GeneralStrings */
};

struct krb_encrypted {
    bool present;
    bool has_kvno;
    int32_t etype;
    uint32_t kvno;
    struct bytes cipher; /* empty unless it is there whole */
};

struct krb_ticket {
    bool present;
    struct bytes realm;
    struct krb_principal service;
    struct krb_encrypted sealed;
};

/* Times are nanoseconds since 1970; 0: not there. */
struct krb_kdc_req {
    struct cursor padata; /* SEQUENCE OF PA-DATA, its content */
    struct krb_principal client;
    struct krb_principal service;
    struct bytes realm; /* of the service; of the client as well in an AS-REQ */
    bool has_options;
    uint32_t options; /* KDCOptions, bit 0 the highest */
    uint32_t nonce;
    int64_t from;
    int64_t till;
    int64_t renew_till;
    struct cursor etypes;               /* Int32s */
    struct cursor addresses;            /* HostAddresses */
    struct krb_encrypted authorization; /* enc-authorization-data */
    struct cursor tickets;              /* additional tickets */
};

struct krb_kdc_rep {
    struct cursor padata;
    struct bytes client_realm;
    struct krb_principal client;
    struct krb_ticket ticket;
    struct krb_encrypted sealed;
};

struct krb_ap_req {
    uint32_t options; /* APOptions, bit 0 the highest */
    struct krb_ticket ticket;
    struct krb_encrypted authenticator;
};

struct krb_error {
    bool has_code;
    int32_t code;
    int64_t client_time;
    int64_t server_time;
    struct bytes client_realm;
    struct krb_principal client;
    struct bytes realm;
    struct krb_principal service;
    struct bytes text;
    struct cursor data; /* e-data, content of the OCTET STRING */
};

struct krb_message {
    uint8_t type;    /* enum krb_type: the application tag */
    bool complete;   /* the outer SEQUENCE is there to its end */
    bool damaged;    /* some element of it is broken or cut */
    int32_t version; /* pvno; 0 when it could not be read */
    union {
        struct krb_kdc_req request; /* AS-REQ, TGS-REQ */
        struct krb_kdc_rep reply;   /* AS-REP, TGS-REP */
        struct krb_ap_req ap_req;
        struct krb_encrypted sealed; /* AP-REP, KRB-PRIV */
        struct {                     /* KRB-CRED */
            struct cursor tickets;
            struct krb_encrypted credentials;
        };
        struct krb_error error;
    };
};

/* One message, which begins at the cursor's place; steps over it. False when it does not begin like one: an
 * application tag of a message and the SEQUENCE in it. */
bool krb_parse(struct cursor *c, struct krb_message *to);

/* Whether the bytes can be the beginning of a message: application tag 10 to 30 with a length that fits, and,
 * as far as they go, a SEQUENCE with pvno 5. `*size` is the whole message's. MORE is `start.size` too short.
 */
enum krb_signature {
    KRB_SIGNATURE_NO,
    KRB_SIGNATURE_MORE,
    KRB_SIGNATURE_YES,
};
enum krb_signature krb_signature(struct bytes start, size_t *size);

/* The name's components joined by slashes, cut at `capacity`; the length. */
size_t krb_principal_text(const struct krb_principal *principal, char *to, size_t capacity);

/* Walks tickets (additional-tickets, KRB-CRED): false at the end. */
bool krb_next_ticket(struct cursor *tickets, struct krb_ticket *to);

/* Walks Int32s: false at the end. */
bool krb_next_int(struct cursor *list, int32_t *to);

struct krb_padata {
    int32_t type;
    struct cursor value;
};

/* Walks PA-DATA (also TYPED-DATA): false at the end. */
bool krb_next_padata(struct cursor *list, struct krb_padata *to);

struct krb_address {
    int32_t type; /* 2 IPv4, 20 NetBIOS, 24 IPv6: RFC 4120 7.5.3 */
    struct bytes value;
};
bool krb_next_address(struct cursor *list, struct krb_address *to);

struct krb_etype_info {
    int32_t etype;
    bool has_salt;
    struct bytes salt;
};

/* Walks ETYPE-INFO2 and ETYPE-INFO entries; `list` is the PA-DATA's value, stepped into by
 * krb_enter_sequence first. */
bool krb_next_etype_info(struct cursor *list, struct krb_etype_info *to);

/* The content of the SEQUENCE that stands at the beginning of `value`; empty when there is none. */
struct cursor krb_enter_sequence(struct cursor value);

/* Values of single PA-DATA. Each is false when the value is not what its type says. */
bool krb_read_encrypted(struct cursor value, struct krb_encrypted *to);
bool krb_read_pac_request(struct cursor value, bool *include);
/* PA-FOR-USER ([MS-SFU] 2.2.1) and PA-S4U-X509-USER (2.2.2). */
struct krb_s4u {
    struct krb_principal user;
    struct bytes realm;
    bool certificate; /* named by a certificate */
    bool has_options;
    uint32_t options;
};
bool krb_read_for_user(struct cursor value, struct krb_s4u *to);
bool krb_read_s4u_x509(struct cursor value, struct krb_s4u *to);
bool krb_read_pac_options(struct cursor value, uint32_t *options);
bool krb_read_supported_etypes(struct cursor value, uint32_t *mask);
/* The AP-REQ of PA-TGS-REQ. */
bool krb_read_ap_req(struct cursor value, struct krb_ap_req *to);
/* PA-FX-FAST-REQUEST: the ticket of its armor, when it has an explicit one. */
bool krb_read_fast_armor(struct cursor value, struct krb_ap_req *armor);
/* The sealed KrbFastReq of PA-FX-FAST-REQUEST, and the sealed KrbFastResponse of PA-FX-FAST-REPLY. */
bool krb_read_fast_sealed(struct cursor value, struct krb_encrypted *request);
bool krb_read_fast_reply(struct cursor value, struct krb_encrypted *response);

/* What a KRB-ERROR's e-data can be. */
struct krb_error_data {
    struct cursor padata; /* METHOD-DATA or TYPED-DATA */
    bool has_status;
    uint32_t status; /* NTSTATUS of KERB-EXT-ERROR ([MS-KILE] 2.2.2) */
};
void krb_read_error_data(struct cursor data, struct krb_error_data *to);
