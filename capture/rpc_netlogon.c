/* SPDX-License-Identifier: Apache-2.0
 *
 * netlogon: secure channels of machines and domain controllers, logons passed through ([MS-NRPC] 3.5.4). Of
 * credentials and passwords only whether they are all zero bytes is told: the mark of Zerologon
 * (CVE-2020-1472).
 */
#include "capture/dcerpc_association.h"
#include "capture/unseal.h"

/* What both sides say until the channel stands; who holds the keys makes its session key of it. Kept only
 * when there is somebody to ask. */
#define NAME_UNITS_MAX 64

struct handshake_name {
    uint8_t utf16[2 * NAME_UNITS_MAX];
    uint8_t size;
};

struct netlogon_handshake {
    uint8_t client_challenge[8];
    uint8_t server_challenge[8];
    uint8_t credential[8];
    struct handshake_name account;
    struct handshake_name computer;
    bool has_client;
    bool has_server;
};

static struct netlogon_handshake *handshake_of(struct rpc_call *call)
{
    struct dcerpc_association *a = call->association;
    if (!a->netlogon && unseal_possible(call->d))
        a->netlogon = dissect_alloc(call->d, sizeof *a->netlogon);
    return a->netlogon;
}

void rpc_netlogon_end(struct dissect *d, struct dcerpc_association *a)
{
    if (a->netlogon)
        dissect_free(d, a->netlogon, sizeof *a->netlogon);
    a->netlogon = NULL;
}

/* What is longer than a name may be is none. */
static void keep_name(struct handshake_name *to, struct bytes utf16)
{
    to->size = 0;
    if (!utf16.size || utf16.size > sizeof to->utf16)
        return;
    memcpy(to->utf16, utf16.data, utf16.size);
    to->size = (uint8_t)utf16.size;
}

static bool all_zero(struct bytes run)
{
    for (size_t i = 0; i < run.size; i++)
        if (run.data[i])
            return false;
    return run.size != 0;
}

static struct bytes put_zero(struct rpc_call *call, enum activity_field field, size_t size)
{
    struct bytes run = cursor_take(&call->stub.cursor, size);
    if (run.size)
        activity_put_bool(call->activity, field, all_zero(run));
    return run;
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
    struct bytes challenge = put_zero(call, FIELD_NETLOGON_CHALLENGE_ZERO, 8);
    struct netlogon_handshake *h = handshake_of(call);
    if (!h)
        return;
    *h = (struct netlogon_handshake){.has_client = challenge.size != 0};
    if (h->has_client)
        memcpy(h->client_challenge, challenge.data, sizeof h->client_challenge);
}

/* Its answer: ServerChallenge (8), status (4). */
static void challenge_response(struct rpc_call *call)
{
    struct netlogon_handshake *h = call->association->netlogon;
    struct bytes challenge = cursor_take(&call->stub.cursor, 8);
    if (!h || call->status != 0 || !challenge.size)
        return;
    h->has_server = true;
    memcpy(h->server_challenge, challenge.data, sizeof h->server_challenge);
}

/* PrimaryName (pointer to string), AccountName (string), SecureChannelType (enum), ComputerName (string). */
static void channel(struct rpc_call *call, struct bytes *account, struct bytes *computer)
{
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    *account = ndr_string16(&call->stub);
    rpc_put_utf16(call, FIELD_NETLOGON_ACCOUNT, *account);
    put_enum(call, FIELD_NETLOGON_CHANNEL_TYPE);
    *computer = ndr_string16(&call->stub);
    rpc_put_utf16(call, FIELD_WORKSTATION, *computer);
}

/* NetrServerAuthenticate (2, 3): the same, ClientCredential (8), from 2 on NegotiateFlags (4). */
static void authenticate_request(struct rpc_call *call)
{
    struct bytes account;
    struct bytes computer;
    channel(call, &account, &computer);
    struct bytes credential = put_zero(call, FIELD_NETLOGON_CREDENTIAL_ZERO, 8);
    if (call->opnum != 5)
        rpc_put_u32(call, FIELD_NETLOGON_FLAGS);
    struct netlogon_handshake *h = call->association->netlogon;
    if (!h)
        return;
    keep_name(&h->account, account);
    keep_name(&h->computer, computer);
    if (credential.size)
        memcpy(h->credential, credential.data, sizeof h->credential);
    else
        h->account.size = 0;
}

/* The channel stands: from now on what it seals can be read, if the account's key is held. */
static void channel_established(struct rpc_call *call, uint32_t flags)
{
    const struct netlogon_handshake *h = call->association->netlogon;
    if (!h || !h->has_client || !h->has_server || !h->account.size || !h->computer.size)
        return;
    struct unseal_netlogon_handshake told = {.account = {h->account.utf16, h->account.size},
                                             .computer = {h->computer.utf16, h->computer.size},
                                             .flags = flags};
    memcpy(told.client_challenge, h->client_challenge, sizeof told.client_challenge);
    memcpy(told.server_challenge, h->server_challenge, sizeof told.server_challenge);
    memcpy(told.client_credential, h->credential, sizeof told.client_credential);
    unseal_netlogon(call->d, &told);
}

/* NetrServerAuthenticate2's answer: ServerCredential (8), NegotiateFlags (4), status (4); that of 3 has
 * AccountRid (4) before the status. */
static void authenticate_response(struct rpc_call *call)
{
    if (call->opnum == 5 || call->status != 0)
        return;
    cursor_skip(&call->stub.cursor, 8);
    uint32_t flags = ndr_u32(&call->stub);
    if (ndr_failed(&call->stub))
        return;
    channel_established(call, flags);
    if (call->opnum == 26)
        rpc_put_u32(call, FIELD_SAMR_RID);
}

/* NetrServerPasswordSet2: the same as for authentication, then Authenticator: Credential (8), Timestamp (4);
 * ClearNewPassword: NL_TRUST_PASSWORD, 512 bytes of buffer and Length (4), encrypted: all zero bytes when it
 * was made without the key. */
static void password_set_request(struct rpc_call *call)
{
    struct bytes account;
    struct bytes computer;
    channel(call, &account, &computer);
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
    [4] = {"NetrServerReqChallenge", ACTIVITY_NETLOGON_CHALLENGE, RPC_EACH, challenge_request,
           challenge_response},
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
