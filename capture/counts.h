/* SPDX-License-Identifier: Apache-2.0
 *
 * How many messages of each sort were seen: what `picket read --counts` prints. Dissectors add to it
 * directly; the names of the keys are given at the edge (counts.c), in the words of tshark.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A small bounded map for counters whose key is not dense; when it is full, further keys are not counted
 * (and `lost` says how many counts that cost). */
struct sparse_count {
    int32_t key;
    uint32_t used;
    uint64_t count;
};

#define SPARSE_COUNTS 64
#define SPARSE_NONE   INT32_MIN /* the key of a message that was cut before it; shown as "None" */
struct sparse_counts {
    struct sparse_count slots[SPARSE_COUNTS];
    uint64_t lost;
};

void sparse_add(struct sparse_counts *counts, int32_t key);

#define RPC_COUNTS 4096 /* (interface, opnum) pairs; a power of two */
struct rpc_count {
    uint8_t uuid[16]; /* as on the wire, little-endian form ([C706] appendix A, [MS-DTYP] 2.3.4.2) */
    uint16_t opnum;
    uint8_t known; /* 1: the interface is `uuid`; 0: the bind was not captured, key "unknown" */
    uint8_t used;
    uint64_t count;
};

enum dns_flavour { DNS_UNICAST, DNS_LLMNR, DNS_MDNS, DNS_FLAVOURS };

struct dns_counts {
    struct sparse_counts queries; /* by type, opcode QUERY only */
    uint64_t responses[16];       /* by rcode */
    uint64_t opcodes[16];         /* of requests */
    uint64_t over[2];             /* requests by enum transport */
};

#define SMB2_COMMANDS 19 /* that there are: 0 to 18 ([MS-SMB2] 2.2.1.2) */

struct message_counts {
    uint64_t
        kerberos_kdc[32]; /* by application tag: 10 as_req, 11 as_rep, 12 tgs_req, 13 tgs_rep, 30 error */
    uint64_t kerberos_gss[32]; /* carried by others (GSS-API, ICMP); also 14 ap_req, 15 ap_rep, 20 safe, 21
                                  priv, 22 cred */
    uint64_t kpasswd;
    struct sparse_counts kerberos_errors;       /* KDC's KRB-ERRORs by code */
    struct sparse_counts as_rep_enc_etypes;     /* enc-part of KDC's AS-REPs */
    struct sparse_counts tgs_rep_ticket_etypes; /* ticket of KDC's TGS-REPs */
    uint64_t ntlmssp[4]; /* by message type: 1 negotiate, 2 challenge, 3 authenticate */
    uint64_t ldap[32];   /* by application tag of the protocolOp (RFC 4511) */
    uint64_t cldap[32];
    uint64_t smb1_requests[256];
    uint64_t smb1_responses[256];
    uint64_t smb2_requests[SMB2_COMMANDS];
    uint64_t smb2_responses[SMB2_COMMANDS];
    struct sparse_counts smb2_unknown_requests; /* by command, from SMB2_COMMANDS on */
    struct sparse_counts smb2_unknown_responses;
    uint64_t smb2_encrypted_pdus;
    uint64_t dcerpc_pdus[32]; /* connection-oriented, first fragments, by type */
    uint64_t dcerpc_later_fragments;
    struct rpc_count rpc[RPC_COUNTS];
    uint64_t rpc_lost;
    struct dns_counts dns[DNS_FLAVOURS];
    uint64_t nbns_requests;
    uint64_t nbns_responses;
    uint64_t radius[256]; /* by code */
    uint64_t syslog;
};

/* One request of a DCE/RPC interface; uuid NULL: its bind was not captured. */
void counts_rpc_request(struct message_counts *counts, const uint8_t uuid[16], uint16_t opnum);

/* Adds what another thread counted. */
void counts_merge(struct message_counts *to, const struct message_counts *from);

/* One flat JSON object with the keys that the oracle documents, one key a line, sorted by group;
 * zero counts are left out. To a stdio stream (`FILE *`). */
void counts_print_json(const struct message_counts *counts, void *stream);
