/* SPDX-License-Identifier: Apache-2.0
 *
 * samr: accounts, groups and their members ([MS-SAMR] 3.1.5).
 */
#include "capture/rpc_calls.h"

static const struct bytes no_name = {0};

/* The handle in front of nearly every call: what it was opened for. */
static void put_object(struct rpc_call *call)
{
    const struct rpc_handle *h = rpc_put_handle(call, FIELD_RPC_NAME);
    if (h && h->value)
        activity_put_uint(call->activity, FIELD_SAMR_RID, h->value);
}

/* RPC_UNICODE_STRING by value; it is put, and kept for the handle that the call opens. */
static struct bytes put_name(struct rpc_call *call)
{
    if (!ndr_unicode_string(&call->stub))
        return no_name;
    struct bytes name = ndr_string16(&call->stub);
    rpc_put_utf16(call, FIELD_RPC_NAME, name);
    return name;
}

/* SamrConnect2, 4, 5: ServerName (pointer to string), then an access mask or revisions and one. */
static void connect_request(struct rpc_call *call)
{
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    if (call->opnum == 62) /* SamrConnect4: ClientRevision first */
        ndr_u32(&call->stub);
    rpc_put_u32(call, FIELD_RPC_ACCESS);
}

static void object_request(struct rpc_call *call)
{
    put_object(call);
}

/* ..., level (enum). */
static void level_request(struct rpc_call *call)
{
    put_object(call);
    uint32_t level = ndr_enum(&call->stub);
    if (!ndr_failed(&call->stub))
        activity_put_uint(call->activity, FIELD_RPC_LEVEL, level);
}

static void lookup_domain_request(struct rpc_call *call)
{
    rpc_skip_handle(call);
    put_name(call);
}

/* SamrOpenDomain: ServerHandle, DesiredAccess (4), DomainId (SID). */
static void open_domain_request(struct rpc_call *call)
{
    rpc_skip_handle(call);
    rpc_put_u32(call, FIELD_RPC_ACCESS);
    struct bytes sid = ndr_sid(&call->stub);
    if (sid.size)
        activity_put_sid(call->activity, FIELD_SAMR_DOMAIN_SID, sid.data, sid.size);
}

/* SamrOpenUser, Group, Alias: DomainHandle, DesiredAccess (4), RID (4). */
static void open_request(struct rpc_call *call)
{
    rpc_skip_handle(call);
    rpc_put_u32(call, FIELD_RPC_ACCESS);
    uint32_t rid = ndr_u32(&call->stub);
    if (ndr_failed(&call->stub))
        return;
    activity_put_uint(call->activity, FIELD_SAMR_RID, rid);
    rpc_open_handle(call, no_name, rid);
}

/* SamrCreateUser2InDomain, ...: DomainHandle, Name, AccountType (4, CreateUser2 only), DesiredAccess (4). */
static void create_request(struct rpc_call *call)
{
    rpc_skip_handle(call);
    struct bytes name = put_name(call);
    rpc_open_handle(call, name, 0);
    if (call->opnum == 50)
        rpc_put_u32(call, FIELD_SAMR_ACCOUNT_TYPE);
}

/* The answers end with the new RID (4) and the status (4). */
static void create_response(struct rpc_call *call)
{
    size_t size = cursor_left(&call->stub.cursor);
    if (size < 28 || call->status != 0)
        return;
    cursor_skip(&call->stub.cursor, size - 8);
    rpc_put_u32(call, FIELD_SAMR_RID);
}

/* The answers of enumerations end with CountReturned (4) and the status (4); 0x105: more entries follow. */
static void enumerate_response(struct rpc_call *call)
{
    size_t size = cursor_left(&call->stub.cursor);
    if (call->d->truncated || size < 16 || size % 4 || (call->status != 0 && call->status != 0x105))
        return;
    cursor_skip(&call->stub.cursor, size - 8);
    rpc_put_u32(call, FIELD_RPC_COUNT);
}

/* SamrLookupNamesInDomain: DomainHandle, Count (4), Names (conformant varying array of RPC_UNICODE_STRING).
 */
static void lookup_names_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    rpc_skip_handle(call);
    rpc_put_u32(call, FIELD_RPC_COUNT);
    ndr_size(n);
    ndr_size(n);
    rpc_put_unicode_strings(call, FIELD_RPC_NAMES);
}

/* SamrLookupIdsInDomain: DomainHandle, Count (4), RelativeIds (conformant varying array of 4 each). */
static void lookup_ids_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    rpc_skip_handle(call);
    rpc_put_u32(call, FIELD_RPC_COUNT);
    ndr_size(n);
    ndr_size(n);
    uint64_t count = ndr_size(n);
    if (ndr_failed(n) || !activity_list_begin(call->activity, FIELD_SAMR_RIDS))
        return;
    for (uint64_t i = 0; i < count && i < RPC_LISTED_MAX; i++) {
        uint32_t rid = ndr_u32(n);
        if (ndr_failed(n))
            break;
        activity_list_uint(call->activity, rid);
    }
    activity_list_end(call->activity);
}

/* SamrAddMemberToGroup, SamrRemoveMemberFromGroup: GroupHandle, MemberId (4), ... */
static void group_member_request(struct rpc_call *call)
{
    put_object(call);
    rpc_put_u32(call, FIELD_SAMR_MEMBER_RID);
}

/* SamrRidToSid: ObjectHandle, Rid (4). */
static void rid_request(struct rpc_call *call)
{
    rpc_skip_handle(call);
    rpc_put_u32(call, FIELD_SAMR_RID);
}

/* SamrAddMemberToAlias, SamrRemoveMemberFromAlias: AliasHandle, MemberId (SID). */
static void alias_member_request(struct rpc_call *call)
{
    put_object(call);
    struct bytes sid = ndr_sid(&call->stub);
    if (sid.size)
        activity_put_sid(call->activity, FIELD_SAMR_MEMBER_SID, sid.data, sid.size);
}

/* SamrUnicodeChangePasswordUser2: ServerName (pointer to RPC_UNICODE_STRING), UserName (RPC_UNICODE_STRING),
 * then encrypted passwords, which are not looked at. */
static void change_password_request(struct rpc_call *call)
{
    if (ndr_pointer(&call->stub))
        rpc_put_unicode_string(call, FIELD_RPC_SERVER);
    rpc_put_unicode_string(call, FIELD_RPC_NAME);
}

#define QUERY(name, request)                                                                                 \
    {                                                                                                        \
        name, ACTIVITY_SAMR_QUERY, 0, request, NULL                                                          \
    }
#define LISTING(name)                                                                                        \
    {                                                                                                        \
        name, ACTIVITY_SAMR_QUERY, 0, object_request, enumerate_response                                     \
    }
#define OPEN(name, request)                                                                                  \
    {                                                                                                        \
        name, ACTIVITY_SAMR_QUERY, RPC_HANDLE_FIRST, request, NULL                                           \
    }
#define CHANGE(name, request)                                                                                \
    {                                                                                                        \
        name, ACTIVITY_SAMR_CHANGE, RPC_EACH, request, NULL                                                  \
    }
#define CREATE(name, request)                                                                                \
    {                                                                                                        \
        name, ACTIVITY_SAMR_CHANGE, RPC_EACH | RPC_HANDLE_FIRST, request, create_response                    \
    }
static const struct rpc_operation list[] = {
    [0] = QUERY("SamrConnect", NULL),
    [1] = RPC_PLAIN("SamrCloseHandle"),
    [2] = CHANGE("SamrSetSecurityObject", object_request),
    [3] = QUERY("SamrQuerySecurityObject", object_request),
    [5] = QUERY("SamrLookupDomainInSamServer", lookup_domain_request),
    [6] = LISTING("SamrEnumerateDomainsInSamServer"),
    [7] = QUERY("SamrOpenDomain", open_domain_request),
    [8] = QUERY("SamrQueryInformationDomain", level_request),
    [9] = CHANGE("SamrSetInformationDomain", level_request),
    [10] = CREATE("SamrCreateGroupInDomain", create_request),
    [11] = LISTING("SamrEnumerateGroupsInDomain"),
    [12] = CREATE("SamrCreateUserInDomain", create_request),
    [13] = LISTING("SamrEnumerateUsersInDomain"),
    [14] = CREATE("SamrCreateAliasInDomain", create_request),
    [15] = LISTING("SamrEnumerateAliasesInDomain"),
    [16] = QUERY("SamrGetAliasMembership", object_request),
    [17] = QUERY("SamrLookupNamesInDomain", lookup_names_request),
    [18] = QUERY("SamrLookupIdsInDomain", lookup_ids_request),
    [19] = OPEN("SamrOpenGroup", open_request),
    [20] = QUERY("SamrQueryInformationGroup", level_request),
    [21] = CHANGE("SamrSetInformationGroup", level_request),
    [22] = CHANGE("SamrAddMemberToGroup", group_member_request),
    [23] = CHANGE("SamrDeleteGroup", object_request),
    [24] = CHANGE("SamrRemoveMemberFromGroup", group_member_request),
    [25] = QUERY("SamrGetMembersInGroup", object_request),
    [26] = CHANGE("SamrSetMemberAttributesOfGroup", group_member_request),
    [27] = OPEN("SamrOpenAlias", open_request),
    [28] = QUERY("SamrQueryInformationAlias", level_request),
    [29] = CHANGE("SamrSetInformationAlias", level_request),
    [30] = CHANGE("SamrDeleteAlias", object_request),
    [31] = CHANGE("SamrAddMemberToAlias", alias_member_request),
    [32] = CHANGE("SamrRemoveMemberFromAlias", alias_member_request),
    [33] = QUERY("SamrGetMembersInAlias", object_request),
    [34] = OPEN("SamrOpenUser", open_request),
    [35] = CHANGE("SamrDeleteUser", object_request),
    [36] = QUERY("SamrQueryInformationUser", level_request),
    [37] = CHANGE("SamrSetInformationUser", level_request),
    [38] = CHANGE("SamrChangePasswordUser", object_request),
    [39] = QUERY("SamrGetGroupsForUser", object_request),
    [40] = QUERY("SamrQueryDisplayInformation", level_request),
    [41] = QUERY("SamrGetDisplayEnumerationIndex", level_request),
    [44] = QUERY("SamrGetUserDomainPasswordInformation", object_request),
    [45] = CHANGE("SamrRemoveMemberFromForeignDomain", alias_member_request),
    [46] = QUERY("SamrQueryInformationDomain2", level_request),
    [47] = QUERY("SamrQueryInformationUser2", level_request),
    [48] = QUERY("SamrQueryDisplayInformation2", level_request),
    [49] = QUERY("SamrGetDisplayEnumerationIndex2", level_request),
    [50] = CREATE("SamrCreateUser2InDomain", create_request),
    [51] = QUERY("SamrQueryDisplayInformation3", level_request),
    [52] = CHANGE("SamrAddMultipleMembersToAlias", object_request),
    [53] = CHANGE("SamrRemoveMultipleMembersFromAlias", object_request),
    [54] = CHANGE("SamrOemChangePasswordUser2", NULL),
    [55] = CHANGE("SamrUnicodeChangePasswordUser2", change_password_request),
    [56] = QUERY("SamrGetDomainPasswordInformation", NULL),
    [57] = QUERY("SamrConnect2", connect_request),
    [58] = CHANGE("SamrSetInformationUser2", level_request),
    [62] = QUERY("SamrConnect4", connect_request),
    [63] = CHANGE("SamrUnicodeChangePasswordUser3", change_password_request),
    [64] = QUERY("SamrConnect5", connect_request),
    [65] = QUERY("SamrRidToSid", rid_request),
    [66] = CHANGE("SamrSetDSRMPassword", NULL),
    [67] = RPC_PLAIN("SamrValidatePassword"),
    [73] = CHANGE("SamrUnicodeChangePasswordUser4", change_password_request),
    [74] = RPC_PLAIN("SamrValidateComputerAccountReuseAttempt"),
};

const struct rpc_operations rpc_samr_operations = {list, sizeof list / sizeof *list};
