/* SPDX-License-Identifier: Apache-2.0
 *
 * lsarpc: policy, secrets, translation of names and SIDs ([MS-LSAD] 3.1.4, [MS-LSAT] 3.1.4). The encrypting
 * file system's calls, on the same pipe, are in rpc_coercion.c.
 */
#include "capture/rpc_calls.h"

#include <stdio.h>

/* LsarOpenPolicy2: SystemName (pointer to string), ObjectAttributes, DesiredAccess. */
static void open_policy_request(struct rpc_call *call)
{
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
}

static void level_request(struct rpc_call *call)
{
    rpc_skip_handle(call);
    uint32_t level = ndr_enum(&call->stub);
    if (!ndr_failed(&call->stub))
        activity_put_uint(call->activity, FIELD_RPC_LEVEL, level);
}

/* A handle and a name: a secret's, a domain's, a privilege's. */
static void name_request(struct rpc_call *call)
{
    rpc_skip_handle(call);
    if (!ndr_unicode_string(&call->stub))
        return;
    struct bytes name = ndr_string16(&call->stub);
    rpc_put_utf16(call, FIELD_RPC_NAME, name);
    rpc_open_handle(call, name, 0);
}

static void handle_request(struct rpc_call *call)
{
    rpc_put_handle(call, FIELD_RPC_NAME);
}

/* LsarLookupNames (2, 3; 4 has no handle): PolicyHandle, Count (4), Names (conformant array of
 * RPC_UNICODE_STRING). */
static void lookup_names_request(struct rpc_call *call)
{
    if (call->opnum != 77)
        rpc_skip_handle(call);
    rpc_put_u32(call, FIELD_RPC_COUNT);
    rpc_put_unicode_strings(call, FIELD_RPC_NAMES);
}

/* "S-1-5-21-...": Revision (1), SubAuthorityCount (1), IdentifierAuthority (6, big-endian), SubAuthority (4
 * each). ndr_sid has seen to it that the count fits. */
static void list_sid(struct rpc_call *call, struct bytes sid)
{
    char text[200];
    struct cursor c = cursor_of_bytes(sid);
    unsigned revision = cursor_u8(&c);
    cursor_skip(&c, 1);
    uint64_t authority = (uint64_t)cursor_be16(&c) << 32;
    authority |= cursor_be32(&c);
    int size = snprintf(text, sizeof text, "S-%u-%llu", revision, (unsigned long long)authority);
    while (!cursor_done(&c))
        size += snprintf(text + size, sizeof text - (size_t)size, "-%u", (unsigned)cursor_le32(&c));
    activity_list_string(call->activity, text, (size_t)size);
}

/* LsarLookupSids (2; 3 has no handle): PolicyHandle, LSAPR_SID_ENUM_BUFFER: Entries (4), SidInfo (pointer to
 * a conformant array of pointers to SIDs). */
static void lookup_sids_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    if (call->opnum != 76)
        rpc_skip_handle(call);
    ndr_align_structure(n);
    uint32_t stated = ndr_u32(n);
    if (!ndr_pointer(n))
        return;
    uint64_t count = ndr_size(n);
    uint64_t sids = 0;
    for (uint64_t i = 0; i < count && !ndr_failed(n); i++)
        sids += ndr_pointer(n);
    if (ndr_failed(n))
        return;
    activity_put_uint(call->activity, FIELD_RPC_COUNT, stated);
    if (!activity_list_begin(call->activity, FIELD_LSA_SIDS))
        return;
    for (uint64_t i = 0; i < sids && i < RPC_LISTED_MAX; i++) {
        struct bytes sid = ndr_sid(n);
        if (!sid.size)
            break;
        list_sid(call, sid);
    }
    activity_list_end(call->activity);
}

#define QUERY(name, request)                                                                                 \
    {                                                                                                        \
        name, ACTIVITY_LSA_QUERY, 0, request, NULL                                                           \
    }
#define SECRET(name, request)                                                                                \
    {                                                                                                        \
        name, ACTIVITY_LSA_SECRET, RPC_EACH, request, NULL                                                   \
    }
#define OPEN(name, request)                                                                                  \
    {                                                                                                        \
        name, ACTIVITY_LSA_SECRET, RPC_EACH | RPC_HANDLE_LAST, request, NULL                                 \
    }
static const struct rpc_operation list[] = {
    [0] = RPC_PLAIN("LsarClose"),
    [2] = QUERY("LsarEnumeratePrivileges", NULL),
    [3] = QUERY("LsarQuerySecurityObject", NULL),
    [4] = RPC_PLAIN("LsarSetSecurityObject"),
    [6] = QUERY("LsarOpenPolicy", NULL),
    [7] = QUERY("LsarQueryInformationPolicy", level_request),
    [8] = RPC_PLAIN("LsarSetInformationPolicy"),
    [10] = RPC_PLAIN("LsarCreateAccount"),
    [11] = QUERY("LsarEnumerateAccounts", NULL),
    [12] = RPC_PLAIN("LsarCreateTrustedDomain"),
    [13] = QUERY("LsarEnumerateTrustedDomains", NULL),
    [14] = QUERY("LsarLookupNames", lookup_names_request),
    [15] = QUERY("LsarLookupSids", lookup_sids_request),
    [16] = OPEN("LsarCreateSecret", name_request),
    [17] = QUERY("LsarOpenAccount", NULL),
    [18] = QUERY("LsarEnumeratePrivilegesAccount", NULL),
    [19] = RPC_PLAIN("LsarAddPrivilegesToAccount"),
    [20] = RPC_PLAIN("LsarRemovePrivilegesFromAccount"),
    [23] = QUERY("LsarGetSystemAccessAccount", NULL),
    [24] = RPC_PLAIN("LsarSetSystemAccessAccount"),
    [25] = QUERY("LsarOpenTrustedDomain", NULL),
    [26] = QUERY("LsarQueryInfoTrustedDomain", NULL),
    [27] = RPC_PLAIN("LsarSetInformationTrustedDomain"),
    [28] = OPEN("LsarOpenSecret", name_request),
    [29] = SECRET("LsarSetSecret", handle_request),
    [30] = SECRET("LsarQuerySecret", handle_request),
    [31] = QUERY("LsarLookupPrivilegeValue", name_request),
    [32] = QUERY("LsarLookupPrivilegeName", NULL),
    [33] = QUERY("LsarLookupPrivilegeDisplayName", NULL),
    [34] = RPC_PLAIN("LsarDeleteObject"),
    [35] = QUERY("LsarEnumerateAccountsWithUserRight", NULL),
    [36] = QUERY("LsarEnumerateAccountRights", NULL),
    [37] = RPC_PLAIN("LsarAddAccountRights"),
    [38] = RPC_PLAIN("LsarRemoveAccountRights"),
    [39] = QUERY("LsarQueryTrustedDomainInfo", NULL),
    [40] = RPC_PLAIN("LsarSetTrustedDomainInfo"),
    [41] = RPC_PLAIN("LsarDeleteTrustedDomain"),
    [42] = SECRET("LsarStorePrivateData", name_request),
    [43] = SECRET("LsarRetrievePrivateData", name_request),
    [44] = QUERY("LsarOpenPolicy2", open_policy_request),
    [45] = QUERY("LsarGetUserName", open_policy_request),
    [46] = QUERY("LsarQueryInformationPolicy2", level_request),
    [47] = RPC_PLAIN("LsarSetInformationPolicy2"),
    [48] = QUERY("LsarQueryTrustedDomainInfoByName", name_request),
    [49] = RPC_PLAIN("LsarSetTrustedDomainInfoByName"),
    [50] = QUERY("LsarEnumerateTrustedDomainsEx", NULL),
    [51] = RPC_PLAIN("LsarCreateTrustedDomainEx"),
    [53] = QUERY("LsarQueryDomainInformationPolicy", level_request),
    [54] = RPC_PLAIN("LsarSetDomainInformationPolicy"),
    [55] = QUERY("LsarOpenTrustedDomainByName", name_request),
    [57] = QUERY("LsarLookupSids2", lookup_sids_request),
    [58] = QUERY("LsarLookupNames2", lookup_names_request),
    [59] = RPC_PLAIN("LsarCreateTrustedDomainEx2"),
    [68] = QUERY("LsarLookupNames3", lookup_names_request),
    [73] = QUERY("LsarQueryForestTrustInformation", name_request),
    [74] = RPC_PLAIN("LsarSetForestTrustInformation"),
    [76] = QUERY("LsarLookupSids3", lookup_sids_request),
    [77] = QUERY("LsarLookupNames4", lookup_names_request),
};

const struct rpc_operations rpc_lsarpc_operations = {list, sizeof list / sizeof *list};
