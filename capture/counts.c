/* SPDX-License-Identifier: Apache-2.0
 *
 * The counters' sums and their names. The names are those of tshark 4.0, so that both can be compared.
 */
#include "capture/counts.h"

#include "capture/rpc_interfaces.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTOF(array) (sizeof(array) / sizeof((array)[0]))

/* -- adding --------------------------------------------------------------------------------------- */

static void sparse_add_many(struct sparse_counts *counts, int32_t key, uint64_t many)
{
    uint32_t start = (uint32_t)key * 2654435761u >> 26; /* Knuth's multiplicative hash, top six bits */
    for (uint32_t i = 0; i < SPARSE_COUNTS; i++) {
        struct sparse_count *slot = &counts->slots[(start + i) % SPARSE_COUNTS];
        if (!slot->used) {
            slot->used = 1;
            slot->key = key;
        }
        if (slot->key == key) {
            slot->count += many;
            return;
        }
    }
    counts->lost += many;
}

void sparse_add(struct sparse_counts *counts, int32_t key)
{
    sparse_add_many(counts, key, 1);
}

static void sparse_merge(struct sparse_counts *to, const struct sparse_counts *from)
{
    for (size_t i = 0; i < SPARSE_COUNTS; i++)
        if (from->slots[i].used)
            sparse_add_many(to, from->slots[i].key, from->slots[i].count);
    to->lost += from->lost;
}

static uint32_t rpc_hash(const uint8_t uuid[16], uint16_t opnum)
{
    uint32_t h = 2166136261u ^ opnum; /* FNV-1a; the table is bounded, so collisions only cost probes */
    for (int i = 0; i < 16; i++)
        h = (h ^ uuid[i]) * 16777619u;
    return h;
}

static void rpc_add(struct message_counts *counts, bool known, const uint8_t uuid[16], uint16_t opnum,
                    uint64_t many)
{
    enum { PROBES = 64 };
    uint32_t start = rpc_hash(uuid, opnum);
    for (uint32_t i = 0; i < PROBES; i++) {
        struct rpc_count *slot = &counts->rpc[(start + i) % RPC_COUNTS];
        if (!slot->used) {
            slot->used = 1;
            slot->known = known;
            slot->opnum = opnum;
            memcpy(slot->uuid, uuid, sizeof(slot->uuid));
        }
        if (slot->opnum == opnum && slot->known == known &&
            memcmp(slot->uuid, uuid, sizeof(slot->uuid)) == 0) {
            slot->count += many;
            return;
        }
    }
    counts->rpc_lost += many;
}

void counts_rpc_request(struct message_counts *counts, const uint8_t uuid[16], uint16_t opnum)
{
    static const uint8_t none[16];
    rpc_add(counts, uuid != NULL, uuid ? uuid : none, opnum, 1);
}

static void add_all(uint64_t *to, const uint64_t *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] += from[i];
}

#define ADD_ALL(member) add_all(to->member, from->member, COUNTOF(to->member))

void counts_merge(struct message_counts *to, const struct message_counts *from)
{
    ADD_ALL(kerberos_kdc);
    ADD_ALL(kerberos_gss);
    to->kpasswd += from->kpasswd;
    sparse_merge(&to->kerberos_errors, &from->kerberos_errors);
    sparse_merge(&to->as_rep_enc_etypes, &from->as_rep_enc_etypes);
    sparse_merge(&to->tgs_rep_ticket_etypes, &from->tgs_rep_ticket_etypes);
    ADD_ALL(ntlmssp);
    ADD_ALL(ldap);
    ADD_ALL(cldap);
    ADD_ALL(smb1_requests);
    ADD_ALL(smb1_responses);
    ADD_ALL(smb2_requests);
    ADD_ALL(smb2_responses);
    sparse_merge(&to->smb2_unknown_requests, &from->smb2_unknown_requests);
    sparse_merge(&to->smb2_unknown_responses, &from->smb2_unknown_responses);
    to->smb2_encrypted_pdus += from->smb2_encrypted_pdus;
    ADD_ALL(dcerpc_pdus);
    to->dcerpc_later_fragments += from->dcerpc_later_fragments;
    for (size_t i = 0; i < RPC_COUNTS; i++) {
        const struct rpc_count *r = &from->rpc[i];
        if (r->used)
            rpc_add(to, r->known, r->uuid, r->opnum, r->count);
    }
    to->rpc_lost += from->rpc_lost;
    for (size_t i = 0; i < DNS_FLAVOURS; i++) {
        sparse_merge(&to->dns[i].queries, &from->dns[i].queries);
        ADD_ALL(dns[i].responses);
        ADD_ALL(dns[i].opcodes);
        ADD_ALL(dns[i].over);
    }
    to->nbns_requests += from->nbns_requests;
    to->nbns_responses += from->nbns_responses;
    ADD_ALL(radius);
    to->syslog += from->syslog;
}

/* -- names ---------------------------------------------------------------------------------------- */

static const char *const kdc_names[32] = {
    [10] = "as_req", [11] = "as_rep", [12] = "tgs_req", [13] = "tgs_rep", [30] = "krb_error",
};

static const char *const gss_names[32] = {
    [10] = "as_req", [11] = "as_rep",   [12] = "tgs_req",  [13] = "tgs_rep",  [14] = "ap_req",
    [15] = "ap_rep", [20] = "krb_safe", [21] = "krb_priv", [22] = "krb_cred", [30] = "krb_error",
};

static const char *const ntlmssp_names[4] = {NULL, "negotiate", "challenge", "authenticate"};

/* By application tag of the protocolOp, RFC 4511 4.2 to 4.13. */
static const char *const ldap_names[32] = {
    [0] = "bindRequest",      [1] = "bindResponse",    [2] = "unbindRequest",
    [3] = "searchRequest",    [4] = "searchResEntry",  [5] = "searchResDone",
    [6] = "modifyRequest",    [7] = "modifyResponse",  [8] = "addRequest",
    [9] = "addResponse",      [10] = "delRequest",     [11] = "delResponse",
    [12] = "modDNRequest",    [13] = "modDNResponse",  [14] = "compareRequest",
    [15] = "compareResponse", [16] = "abandonRequest", [19] = "searchResRef",
    [23] = "extendedReq",     [24] = "extendedResp",   [25] = "intermediateResponse",
};

/* [MS-CIFS] 2.2.2.1, in tshark's words. */
static const char *const smb1_names[256] = {
    [0x00] = "Create Directory",
    [0x01] = "Delete Directory",
    [0x02] = "Open",
    [0x03] = "Create",
    [0x04] = "Close",
    [0x05] = "Flush",
    [0x06] = "Delete",
    [0x07] = "Rename",
    [0x08] = "Query Information",
    [0x09] = "Set Information",
    [0x0a] = "Read",
    [0x0b] = "Write",
    [0x0c] = "Lock Byte Range",
    [0x0d] = "Unlock Byte Range",
    [0x0e] = "Create Temp",
    [0x0f] = "Create New",
    [0x10] = "Check Directory",
    [0x11] = "Process Exit",
    [0x12] = "Seek",
    [0x13] = "Lock And Read",
    [0x14] = "Write And Unlock",
    [0x15] = "unknown-0x15",
    [0x16] = "unknown-0x16",
    [0x17] = "unknown-0x17",
    [0x18] = "unknown-0x18",
    [0x19] = "unknown-0x19",
    [0x1a] = "Read Raw",
    [0x1b] = "Read MPX",
    [0x1c] = "Read MPX Secondary",
    [0x1d] = "Write Raw",
    [0x1e] = "Write MPX",
    [0x1f] = "Write MPX Secondary",
    [0x20] = "Write Complete",
    [0x21] = "Query Server (reserved)",
    [0x22] = "Set Information2",
    [0x23] = "Query Information2",
    [0x24] = "Locking AndX",
    [0x25] = "Trans",
    [0x26] = "Trans Secondary",
    [0x27] = "IOCTL",
    [0x28] = "IOCTL Secondary",
    [0x29] = "Copy",
    [0x2a] = "Move",
    [0x2b] = "Echo",
    [0x2c] = "Write And Close",
    [0x2d] = "Open AndX",
    [0x2e] = "Read AndX",
    [0x2f] = "Write AndX",
    [0x30] = "New File Size (reserved)",
    [0x31] = "Close And Tree Disconnect",
    [0x32] = "Trans2",
    [0x33] = "Trans2 Secondary",
    [0x34] = "Find Close2",
    [0x35] = "Find Notify Close",
    [0x70] = "Tree Connect",
    [0x71] = "Tree Disconnect",
    [0x72] = "Negotiate Protocol",
    [0x73] = "Session Setup AndX",
    [0x74] = "Logoff AndX",
    [0x75] = "Tree Connect AndX",
    [0x80] = "Query Information Disk",
    [0x81] = "Search",
    [0x82] = "Find",
    [0x83] = "Find Unique",
    [0x84] = "Find Close",
    [0xa0] = "NT Trans",
    [0xa1] = "NT Trans Secondary",
    [0xa2] = "NT Create AndX",
    [0xa3] = "unknown-0xA3",
    [0xa4] = "NT Cancel",
    [0xa5] = "NT Rename",
    [0xc0] = "Open Print File",
    [0xc1] = "Write Print File",
    [0xc2] = "Close Print File",
    [0xc3] = "Get Print Queue",
    [0xd0] = "Send Single Block Message",
    [0xd1] = "Send Broadcast Message",
    [0xd2] = "Forward User Name",
    [0xd3] = "Cancel Forward",
    [0xd4] = "Get Machine Name",
    [0xd5] = "Send Start of Multi-block Message",
    [0xd6] = "Send End of Multi-block Message",
    [0xd7] = "Send Text of Multi-block Message",
    [0xd8] = "SMBreadbulk",
    [0xd9] = "SMBwritebulk",
    [0xda] = "SMBwritebulkdata",
    [0xfe] = "SMBinvalid",
};

/* [MS-SMB2] 2.2.1.2 */
static const char *const smb2_names[SMB2_COMMANDS] = {
    "negotiate",       "session_setup", "logoff",     "tree_connect", "tree_disconnect", "create", "close",
    "flush",           "read",          "write",      "lock",         "ioctl",           "cancel", "echo",
    "query_directory", "change_notify", "query_info", "set_info",     "oplock_break",
};

/* [C706] 12.6.4 */
static const char *const dcerpc_names[32] = {
    [0] = "request",
    [1] = "ping",
    [2] = "response",
    [3] = "fault",
    [4] = "working",
    [5] = "nocall",
    [6] = "reject",
    [7] = "ack",
    [11] = "bind",
    [12] = "bind_ack",
    [13] = "bind_nak",
    [14] = "alter_context",
    [15] = "alter_context_resp",
    [16] = "auth3",
    [17] = "shutdown",
    [18] = "co_cancel",
    [19] = "orphaned",
};

static const char *const dns_flavour_names[DNS_FLAVOURS] = {
    [DNS_UNICAST] = "dns", [DNS_LLMNR] = "llmnr", [DNS_MDNS] = "mdns"};

static const char *const dns_opcode_names[16] = {
    [0] = "query", [1] = "iquery", [2] = "status", [4] = "notify", [5] = "update"};

static const char *const transport_names[2] = {"udp", "tcp"};

static const char *dns_type_name(int32_t type)
{
    static const struct {
        int32_t type;
        const char *name;
    } names[] = {
        {1, "A"},      {2, "NS"},     {5, "CNAME"},  {6, "SOA"},     {12, "PTR"},   {13, "HINFO"},
        {15, "MX"},    {16, "TXT"},   {28, "AAAA"},  {33, "SRV"},    {35, "NAPTR"}, {41, "OPT"},
        {43, "DS"},    {46, "RRSIG"}, {47, "NSEC"},  {48, "DNSKEY"}, {64, "SVCB"},  {65, "HTTPS"},
        {249, "TKEY"}, {250, "TSIG"}, {251, "IXFR"}, {252, "AXFR"},  {255, "ANY"},
    };
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (names[i].type == type)
            return names[i].name;
    return NULL;
}

/* RFC 2865 3, RFC 5176 2 */
static const char *const radius_names[256] = {
    [1] = "access_request",     [2] = "access_accept",       [3] = "access_reject",
    [4] = "accounting_request", [5] = "accounting_response", [11] = "access_challenge",
    [12] = "status_server",     [40] = "disconnect_request", [43] = "coa_request",
};

/* -- printing ------------------------------------------------------------------------------------- */

struct printer {
    FILE *out;
    bool any;
};

/* Names hold no character that JSON escapes: they are all ours or digits. */
static void print_count(struct printer *p, const char *group, const char *name, uint64_t count)
{
    if (count == 0)
        return;
    fprintf(p->out, "%s\n \"%s%s%s\": %" PRIu64, p->any ? "," : "", group, *name ? "." : "", name, count);
    p->any = true;
}

static void print_numbered(struct printer *p, const char *group, const char *prefix, int64_t number,
                           uint64_t count)
{
    char name[32];
    snprintf(name, sizeof(name), "%s%" PRId64, prefix, number);
    print_count(p, group, name, count);
}

/* An array of counters: by name where there is one, else by `prefix` and number; no prefix: left out. */
static void print_array(struct printer *p, const char *group, const uint64_t *counts, size_t n,
                        const char *const *names, const char *prefix)
{
    for (size_t i = 0; i < n; i++) {
        if (names && names[i])
            print_count(p, group, names[i], counts[i]);
        else if (prefix)
            print_numbered(p, group, prefix, (int64_t)i, counts[i]);
    }
}

/* What the counters without a name come to. */
static uint64_t unnamed(const uint64_t *counts, const char *const *names, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        if (!names[i])
            sum += counts[i];
    return sum;
}

static int by_key(const void *a, const void *b)
{
    const struct sparse_count *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

/* By name where there is one, else by `prefix` and key. */
static void print_sparse(struct printer *p, const char *group, const struct sparse_counts *counts,
                         const char *(*name)(int32_t key), const char *prefix)
{
    struct sparse_count sorted[SPARSE_COUNTS];
    memcpy(sorted, counts->slots, sizeof(sorted));
    qsort(sorted, SPARSE_COUNTS, sizeof(sorted[0]), by_key);
    for (size_t i = 0; i < SPARSE_COUNTS; i++) {
        const char *known = name ? name(sorted[i].key) : NULL;
        if (sorted[i].key == SPARSE_NONE)
            known = "None";
        if (known)
            print_count(p, group, known, sorted[i].count);
        else
            print_numbered(p, group, prefix, sorted[i].key, sorted[i].count);
    }
    print_count(p, group, "lost", counts->lost);
}

/* The textual form of a UUID whose first three parts are little-endian on the wire ([MS-DTYP] 2.3.4.3). */
static void uuid_text(const uint8_t u[16], char to[37])
{
    snprintf(to, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", u[3], u[2], u[1],
             u[0], u[5], u[4], u[7], u[6], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

static int by_interface(const void *a, const void *b)
{
    const struct rpc_count *x = *(const struct rpc_count *const *)a, *y = *(const struct rpc_count *const *)b;
    int order = memcmp(x->uuid, y->uuid, sizeof(x->uuid));
    return order ? order : (int)x->opnum - (int)y->opnum;
}

static void print_rpc(struct printer *p, const struct message_counts *counts)
{
    const struct rpc_count **sorted = malloc(RPC_COUNTS * sizeof(*sorted));
    if (!sorted)
        return;
    size_t n = 0;
    for (size_t i = 0; i < RPC_COUNTS; i++)
        if (counts->rpc[i].used)
            sorted[n++] = &counts->rpc[i];
    qsort(sorted, n, sizeof(*sorted), by_interface);
    for (size_t i = 0; i < n; i++) {
        char text[37], group[96];
        const char *name = sorted[i]->known ? rpc_interface_name(sorted[i]->uuid) : "unknown";
        if (!name) {
            uuid_text(sorted[i]->uuid, text);
            name = text;
        }
        snprintf(group, sizeof(group), "dcerpc.requests.%s", name);
        print_numbered(p, group, "", sorted[i]->opnum, sorted[i]->count);
    }
    free(sorted);
    print_count(p, "dcerpc.requests", "lost", counts->rpc_lost);
}

static void print_dns(struct printer *p, const char *flavour, const struct dns_counts *dns)
{
    char group[64];
    snprintf(group, sizeof(group), "dns.%s.queries", flavour);
    print_sparse(p, group, &dns->queries, dns_type_name, "");
    snprintf(group, sizeof(group), "dns.%s.responses", flavour);
    print_array(p, group, dns->responses, COUNTOF(dns->responses), NULL, "");
    snprintf(group, sizeof(group), "dns.%s.opcodes", flavour);
    print_array(p, group, dns->opcodes, COUNTOF(dns->opcodes), dns_opcode_names, "");
    snprintf(group, sizeof(group), "dns.%s.over", flavour);
    print_array(p, group, dns->over, COUNTOF(dns->over), transport_names, NULL);
}

#define PRINT(group, member, names, prefix)                                                                  \
    print_array(&p, group, counts->member, COUNTOF(counts->member), names, prefix)

void counts_print_json(const struct message_counts *counts, void *stream)
{
    struct printer p = {.out = stream, .any = false};
    fputc('{', p.out);
    PRINT("kerberos.kdc", kerberos_kdc, kdc_names, NULL);
    PRINT("kerberos.gss", kerberos_gss, gss_names, NULL);
    print_count(&p, "kerberos.kpasswd", "", counts->kpasswd);
    print_sparse(&p, "kerberos.errors", &counts->kerberos_errors, NULL, "");
    print_sparse(&p, "kerberos.as_rep_enc_etypes", &counts->as_rep_enc_etypes, NULL, "");
    print_sparse(&p, "kerberos.tgs_rep_ticket_etypes", &counts->tgs_rep_ticket_etypes, NULL, "");
    PRINT("ntlmssp", ntlmssp, ntlmssp_names, NULL);
    PRINT("ldap", ldap, ldap_names, NULL);
    PRINT("cldap", cldap, ldap_names, NULL);
    PRINT("smb1.requests", smb1_requests, smb1_names, NULL);
    print_count(&p, "smb1.requests.Unknown", "", unnamed(counts->smb1_requests, smb1_names, 256));
    PRINT("smb1.responses", smb1_responses, smb1_names, NULL);
    print_count(&p, "smb1.responses.Unknown", "", unnamed(counts->smb1_responses, smb1_names, 256));
    PRINT("smb2.requests", smb2_requests, smb2_names, NULL);
    print_sparse(&p, "smb2.requests", &counts->smb2_unknown_requests, NULL, "cmd_");
    PRINT("smb2.responses", smb2_responses, smb2_names, NULL);
    print_sparse(&p, "smb2.responses", &counts->smb2_unknown_responses, NULL, "cmd_");
    print_count(&p, "smb2.encrypted_pdus", "", counts->smb2_encrypted_pdus);
    PRINT("dcerpc.pdus", dcerpc_pdus, dcerpc_names, "ptype_");
    print_count(&p, "dcerpc.pdus.later_fragments", "", counts->dcerpc_later_fragments);
    print_rpc(&p, counts);
    for (size_t i = 0; i < DNS_FLAVOURS; i++)
        print_dns(&p, dns_flavour_names[i], &counts->dns[i]);
    print_count(&p, "nbns.request", "", counts->nbns_requests);
    print_count(&p, "nbns.response", "", counts->nbns_responses);
    PRINT("radius.codes", radius, radius_names, "");
    print_count(&p, "syslog.messages", "", counts->syslog);
    fputs(p.any ? "\n}\n" : "}\n", p.out);
}
