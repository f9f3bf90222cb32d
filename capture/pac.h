/* SPDX-License-Identifier: Apache-2.0
 *
 * The privilege attribute certificate ([MS-PAC]): its table of buffers, and the small ones. Bytes in, a view
 * into them out; everything is little-endian. KERB_VALIDATION_INFO is pac_logon.h's.
 */
#pragma once

#include "base/cursor.h"

enum pac_type { /* [MS-PAC] 2.4 */
                PAC_LOGON_INFO = 1,
                PAC_CREDENTIALS = 2,
                PAC_SERVER_CHECKSUM = 6,
                PAC_KDC_CHECKSUM = 7,
                PAC_CLIENT_INFO = 10,
                PAC_DELEGATION_INFO = 11,
                PAC_UPN_DNS_INFO = 12,
                PAC_CLIENT_CLAIMS = 13,
                PAC_DEVICE_INFO = 14,
                PAC_DEVICE_CLAIMS = 15,
                PAC_TICKET_CHECKSUM = 16,
                PAC_ATTRIBUTES_INFO = 17,
                PAC_REQUESTOR_SID = 18,
                PAC_FULL_CHECKSUM = 19,
};

#define PAC_BUFFERS_MAX 64u

struct pac_buffer {
    uint32_t type;
    struct bytes data; /* empty when it lies beyond the PAC */
};

/* Walks the buffers of a PACTYPE (2.3, 2.4), in their order; `*index` is 0 at first. False at the end. */
bool pac_next_buffer(struct bytes pac, uint32_t *index, struct pac_buffer *to);

/* The first of that type; empty when there is none. */
struct bytes pac_find(struct bytes pac, uint32_t type);

/* PAC_SIGNATURE_DATA (2.8). */
struct pac_signature_data {
    int32_t type;           /* of the checksum: -138 HMAC-MD5, 15, 16 HMAC-SHA1-96-AES, 19, 20 */
    struct bytes signature; /* as long as the type says */
    uint16_t rodc;          /* the read-only controller that signed; 0: a full one */
};
bool pac_signature_read(struct bytes buffer, struct pac_signature_data *to);

/* PAC_CLIENT_INFO (2.7): must be the ticket's client and the time of its first authentication. */
struct pac_client_info {
    int64_t time;      /* ns since 1970; 0: none */
    struct bytes name; /* UTF-16LE */
};
bool pac_client_info_read(struct bytes buffer, struct pac_client_info *to);

/* UPN_DNS_INFO (2.10). */
struct pac_upn_info {
    struct bytes upn; /* UTF-16LE */
    struct bytes dns_domain;
    uint32_t flags;       /* 1: the UPN is made up; 2: it has account and SID as well */
    struct bytes account; /* UTF-16LE */
    struct bytes sid;
};
bool pac_upn_info_read(struct bytes buffer, struct pac_upn_info *to);

/* PAC_ATTRIBUTES_INFO (2.14): bit 0 a PAC was asked for, bit 1 it was given without. */
bool pac_attributes_read(struct bytes buffer, uint32_t *flags);

/* PAC_REQUESTOR (2.15): the SID of the account that the ticket was asked for by; empty when damaged. */
struct bytes pac_requestor_read(struct bytes buffer);

/* FILETIME as ns since 1970; 0: not set, never, or before that. */
int64_t pac_filetime(uint64_t value);
