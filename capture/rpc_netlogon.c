/* SPDX-License-Identifier: Apache-2.0
 *
 * netlogon: secure channels of machines and domain controllers, logons passed through ([MS-NRPC] 3.5.4). Of
 * credentials and passwords only whether they are all zero bytes is told: the mark of Zerologon
 * (CVE-2020-1472).
 */
#include "capture/rpc_calls.h"

static bool all_zero(struct bytes run)
{
    for (size_t i = 0; i < run.size; i++)
        if (run.data[i])
            return false;
    return run.size != 0;
}

static void put_zero(struct rpc_call *call, enum activity_field field, size_t size)
{
    struct bytes run = cursor_take(&call->stub.cursor, size);
    if (run.size)
        activity_put_bool(call->activity, field, all_zero(run));
}

static void put_enum(struct rpc_call *call, enum activity_field field)
{
    uint32_t value = ndr_enum(&call->stub);
    if (!ndr_failed(&call->stub))
        activity_put_uint(call->activity, field, value);
}

/* NetrServerReqChallenge: PrimaryName (pointer to string), ComputerName (string), ClientChallenge (8). */
static void challenge_request(struct rpc_call *call)
{
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    rpc_put_string16(call, FIELD_WORKSTATION);
    put_zero(call, FIELD_NETLOGON_CHALLENGE_ZERO, 8);
}

/* PrimaryName (pointer to string), AccountName (string), SecureChannelType (enum), ComputerName (string). */
static void channel(struct rpc_call *call)
{
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    rpc_put_string16(call, FIELD_NETLOGON_ACCOUNT);
    put_enum(call, FIELD_NETLOGON_CHANNEL_TYPE);
    rpc_put_string16(call, FIELD_WORKSTATION);
}

/* NetrServerAuthenticate (2, 3): the same, ClientCredential (8), from 2 on NegotiateFlags (4). */
static void authenticate_request(struct rpc_call *call)
{
    channel(call);
    put_zero(call, FIELD_NETLOGON_CREDENTIAL_ZERO, 8);
    if (call->opnum != 5)
        rpc_put_u32(call, FIELD_NETLOGON_FLAGS);
}

/* NetrServerAuthenticate3's answer: ServerCredential (8), NegotiateFlags (4), AccountRid (4), status (4). */
static void authenticate_response(struct rpc_call *call)
{
    if (call->opnum != 26 || call->status != 0)
        return;
    cursor_skip(&call->stub.cursor, 12);
    rpc_put_u32(call, FIELD_SAMR_RID);
}

/* NetrServerPasswordSet2: the same as for authentication, then Authenticator: Credential (8), Timestamp (4);
 * ClearNewPassword: NL_TRUST_PASSWORD, 512 bytes of buffer and Length (4), encrypted: all zero bytes when it
 * was made without the key. */
static void password_set_request(struct rpc_call *call)
{
    channel(call);
    ndr_align(&call->stub, 4);
    put_zero(call, FIELD_NETLOGON_CREDENTIAL_ZERO, 8);
    ndr_u32(&call->stub);
    if (call->opnum == 30)
        put_zero(call, FIELD_NETLOGON_PASSWORD_ZERO, 516);
    else if (call->opnum == 6)
        put_zero(call, FIELD_NETLOGON_PASSWORD_ZERO, 16);
}

/* NETLOGON_LOGON_IDENTITY_INFO (2.2.1.4.15): LogonDomainName, ParameterControl (4), Reserved (8), UserName,
 * Workstation; then by level (2.2.1.4.16): interactive and service two hashes of 16 bytes, network a
 * challenge of 8 and two STRINGs, generic a string, a length and a pointer. The names were deferred behind
 * that. */
static void put_identity(struct rpc_call *call, uint32_t level)
{
    struct ndr *n = &call->stub;
    bool domain = ndr_unicode_string(n);
    ndr_u32(n);
    ndr_u32(n);
    ndr_u32(n);
    bool user = ndr_unicode_string(n);
    bool workstation = ndr_unicode_string(n);
    if (level == 1 || level == 3 || level == 5 || level == 7) {
        cursor_skip(&n->cursor, 32);
    } else if (level == 2 || level == 6) {
        cursor_skip(&n->cursor, 8);
        ndr_unicode_string(n); /* STRING has the same form */
        ndr_unicode_string(n);
    } else if (level == 4) {
        ndr_unicode_string(n);
        ndr_u32(n);
        ndr_pointer(n);
    } else {
        return;
    }
    if (domain)
        rpc_put_string16(call, FIELD_NETLOGON_USER_DOMAIN);
    if (user)
        rpc_put_string16(call, FIELD_NETLOGON_USER);
    if (workstation)
        rpc_put_string16(call, FIELD_NETLOGON_USER_WORKSTATION);
}

/* NetrLogonSamLogon, ...WithFlags: LogonServer, ComputerName (pointers to strings), Authenticator,
 * ReturnAuthenticator (pointers), LogonLevel (enum), LogonInformation (union of pointers). ...Ex has no
 * authenticators. */
static void logon_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    rpc_put_string16_pointer(call, FIELD_WORKSTATION);
    for (int i = 0; i < 2 && call->opnum != 39; i++)
        if (ndr_pointer(n)) {
            ndr_align(n, 4);
            cursor_skip(&n->cursor, 12);
        }
    put_enum(call, FIELD_NETLOGON_LOGON_LEVEL);
    uint32_t level = ndr_enum(n);
    if (ndr_pointer(n) && !ndr_failed(n))
        put_identity(call, level);
}

/* DsrGetDcName, ...Ex, NetrGetAnyDCName: ComputerName, DomainName (pointers to strings). */
static void get_dc_request(struct rpc_call *call)
{
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    rpc_put_string16_pointer(call, FIELD_RPC_NAME);
}

/* NetrGetDCName: ServerName (string), DomainName (pointer to string). */
static void old_get_dc_request(struct rpc_call *call)
{
    rpc_put_string16(call, FIELD_RPC_SERVER);
    rpc_put_string16_pointer(call, FIELD_RPC_NAME);
}

/* DsrGetDcNameEx2: ComputerName, AccountName (pointers to strings), AllowableAccountControlBits (4),
 * DomainName. */
static void get_dc2_request(struct rpc_call *call)
{
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    ndr_string16_pointer(&call->stub);
    ndr_u32(&call->stub);
    rpc_put_string16_pointer(call, FIELD_RPC_NAME);
}

static void server_request(struct rpc_call *call)
{
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
}

/* NetrLogonGetDomainInfo, NetrLogonGetCapabilities: ServerName (string), ComputerName (pointer to string). */
static void domain_info_request(struct rpc_call *call)
{
    rpc_put_string16(call, FIELD_RPC_SERVER);
    rpc_put_string16_pointer(call, FIELD_WORKSTATION);
}

#define AUTHENTICATE(name)                                                                                   \
    {                                                                                                        \
        name, ACTIVITY_NETLOGON_AUTHENTICATE, RPC_EACH, authenticate_request, authenticate_response          \
    }
#define LOGON(name)                                                                                          \
    {                                                                                                        \
        name, ACTIVITY_NETLOGON_LOGON, RPC_EACH, logon_request, NULL                                         \
    }
#define PASSWORD(name)                                                                                       \
    {                                                                                                        \
        name, ACTIVITY_NETLOGON_PASSWORD_SET, RPC_EACH, password_set_request, NULL                           \
    }
#define QUERY(name, of)                                                                                      \
    {                                                                                                        \
        name, ACTIVITY_NETLOGON_QUERY, 0, of, NULL                                                           \
    }
static const struct rpc_operation list[] = {
    [0] = RPC_PLAIN("NetrLogonUasLogon"),
    [1] = RPC_PLAIN("NetrLogonUasLogoff"),
    [2] = LOGON("NetrLogonSamLogon"),
    [3] = RPC_PLAIN("NetrLogonSamLogoff"),
    [4] = {"NetrServerReqChallenge", ACTIVITY_NETLOGON_CHALLENGE, RPC_EACH, challenge_request, NULL},
    [5] = AUTHENTICATE("NetrServerAuthenticate"),
    [6] = PASSWORD("NetrServerPasswordSet"),
    [7] = RPC_PLAIN("NetrDatabaseDeltas"),
    [8] = RPC_PLAIN("NetrDatabaseSync"),
    [9] = RPC_PLAIN("NetrAccountDeltas"),
    [10] = RPC_PLAIN("NetrAccountSync"),
    [11] = QUERY("NetrGetDCName", old_get_dc_request),
    [12] = QUERY("NetrLogonControl", server_request),
    [13] = QUERY("NetrGetAnyDCName", get_dc_request),
    [14] = QUERY("NetrLogonControl2", server_request),
    [15] = AUTHENTICATE("NetrServerAuthenticate2"),
    [16] = RPC_PLAIN("NetrDatabaseSync2"),
    [17] = RPC_PLAIN("NetrDatabaseRedo"),
    [18] = QUERY("NetrLogonControl2Ex", server_request),
    [19] = QUERY("NetrEnumerateTrustedDomains", server_request),
    [20] = QUERY("DsrGetDcName", get_dc_request),
    [21] = QUERY("NetrLogonGetCapabilities", domain_info_request),
    [22] = RPC_PLAIN("NetrLogonSetServiceBits"),
    [23] = QUERY("NetrLogonGetTrustRid", server_request),
    [24] = RPC_PLAIN("NetrLogonComputeServerDigest"),
    [25] = RPC_PLAIN("NetrLogonComputeClientDigest"),
    [26] = AUTHENTICATE("NetrServerAuthenticate3"),
    [27] = QUERY("DsrGetDcNameEx", get_dc_request),
    [28] = QUERY("DsrGetSiteName", server_request),
    [29] = QUERY("NetrLogonGetDomainInfo", domain_info_request),
    [30] = PASSWORD("NetrServerPasswordSet2"),
    [31] = PASSWORD("NetrServerPasswordGet"),
    [32] = RPC_PLAIN("NetrLogonSendToSam"),
    [33] = QUERY("DsrAddressToSiteNamesW", server_request),
    [34] = QUERY("DsrGetDcNameEx2", get_dc2_request),
    [35] = QUERY("NetrLogonGetTimeServiceParentDomain", server_request),
    [36] = QUERY("NetrEnumerateTrustedDomainsEx", server_request),
    [37] = QUERY("DsrAddressToSiteNamesExW", server_request),
    [38] = QUERY("DsrGetDcSiteCoverageW", server_request),
    [39] = LOGON("NetrLogonSamLogonEx"),
    [40] = QUERY("DsrEnumerateDomainTrusts", server_request),
    [41] = QUERY("DsrDeregisterDnsHostRecords", server_request),
    [42] = PASSWORD("NetrServerTrustPasswordsGet"),
    [43] = QUERY("DsrGetForestTrustInformation", get_dc_request),
    [44] = QUERY("NetrGetForestTrustInformation", server_request),
    [45] = LOGON("NetrLogonSamLogonWithFlags"),
    [46] = PASSWORD("NetrServerGetTrustInfo"),
    [48] = RPC_PLAIN("DsrUpdateReadOnlyServerDnsRecords"),
    [49] = RPC_PLAIN("NetrChainSetClientAttributes"),
};

const struct rpc_operations rpc_netlogon_operations = {list, sizeof list / sizeof *list};
