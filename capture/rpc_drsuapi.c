/* SPDX-License-Identifier: Apache-2.0
 *
 * drsuapi: directory replication ([MS-DRSR] 4.1).
 */
#include "capture/rpc_calls.h"

enum { NAMES_MAX = 64 };

/* DSNAME ([MS-DRSR] 5.50) with the conformance in front: structLen (4), SidLen (4), Guid (16), Sid (28),
 * NameLen (4), StringName (NameLen + 1 of UTF-16). */
static void put_dsname(struct rpc_call *call, bool put)
{
    struct ndr *n = &call->stub;
    ndr_size(n);
    ndr_align(n, 4);
    ndr_u32(n);
    ndr_u32(n);
    uint8_t guid[16];
    ndr_uuid(n, guid);
    cursor_skip(&n->cursor, 28);
    uint64_t length = ndr_u32(n);
    if (ndr_failed(n))
        return;
    size_t left = cursor_left(&n->cursor);
    struct bytes name =
        cursor_take(&n->cursor, 2 * length <= left ? (size_t)(2 * length) : left & ~(size_t)1);
    cursor_skip(&n->cursor, cursor_left(&n->cursor) < 2 ? cursor_left(&n->cursor) : 2);
    if (!put)
        return;
    static const uint8_t none[16];
    rpc_put_utf16(call, FIELD_DRS_NAMING_CONTEXT, name);
    if (memcmp(guid, none, 16) != 0)
        activity_put_uuid(call->activity, FIELD_DRS_NAMING_CONTEXT_GUID, guid);
}

static void put_uuid(struct rpc_call *call, enum activity_field field)
{
    uint8_t uuid[16];
    ndr_uuid(&call->stub, uuid);
    if (!ndr_failed(&call->stub))
        activity_put_uuid(call->activity, field, uuid);
}

/* hDrs (context handle), dwInVersion (4), then the union's discriminant (4), the same number. */
static uint32_t message_version(struct rpc_call *call)
{
    uint8_t handle[16];
    ndr_handle(&call->stub, handle);
    ndr_u32(&call->stub);
    return ndr_u32(&call->stub);
}

/* IDL_DRSBind: puuidClientDsa (pointer to UUID), pextClient. */
static void bind_request(struct rpc_call *call)
{
    if (ndr_pointer(&call->stub))
        put_uuid(call, FIELD_DRS_CLIENT);
}

/* DRS_MSG_GETCHGREQ_V5, V8, V10, V11 ([MS-DRSR] 4.1.10.2): uuidDsaObjDest, uuidInvocIdSrc, pNC (pointer),
 * usnvecFrom (24, aligned to 8), pUpToDateVecDest (pointer), ulFlags, cMaxObjects, cMaxBytes, ulExtendedOp (4
 * each), liFsmoInfo (8); from V8 pPartialAttrSet, pPartialAttrSetEx1 (pointers), PrefixTableDest (4,
 * pointer); V10 ulMoreFlags (4); V11 correlationID (16), a pointer. The DSNAME of pNC is the first of what
 * was deferred. */
static void get_changes_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    uint32_t version = message_version(call);
    if (ndr_failed(n))
        return;
    activity_put_uint(call->activity, FIELD_DRS_VERSION, version);
    if (version != 5 && version != 8 && version != 10 && version != 11)
        return;
    ndr_align(n, 8);
    put_uuid(call, FIELD_DRS_DESTINATION_DSA);
    put_uuid(call, FIELD_DRS_SOURCE_INVOCATION);
    ndr_pointer(n);
    ndr_align(n, 8);
    cursor_skip(&n->cursor, 24);
    ndr_pointer(n); /* its vector is deferred behind the name */
    rpc_put_u32(call, FIELD_DRS_FLAGS);
    ndr_u32(n);
    ndr_u32(n);
    rpc_put_u32(call, FIELD_DRS_EXTENDED_OPERATION);
    ndr_u64(n);
    if (version >= 8) {
        ndr_pointer(n);
        ndr_pointer(n);
        ndr_align_structure(n);
        ndr_u32(n);
        ndr_pointer(n);
    }
    if (version >= 10)
        ndr_u32(n);
    if (version == 11) {
        uint8_t correlation[16];
        ndr_uuid(n, correlation);
        ndr_pointer(n);
    }
    put_dsname(call, true);
}

static void put_partner(struct rpc_call *call)
{
    struct bytes name = ndr_string8(&call->stub);
    if (name.size)
        activity_put_string(call->activity, FIELD_DRS_PARTNER, name.data, name.size);
}

/* How requests about a replica end: ulOptions (4), then what the pointers pointed to: pNC, a partner's name.
 */
static void put_replica(struct rpc_call *call, bool named)
{
    rpc_put_u32(call, FIELD_DRS_FLAGS);
    ndr_align_structure(&call->stub);
    put_dsname(call, true);
    if (named)
        put_partner(call);
}

/* DRS_MSG_UPDREFS_V1 (4.1.26.1): pNC, pszDsaDest (pointers), uuidDsaObjDest, ulOptions (4). */
static void update_refs_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    activity_put_uint(call->activity, FIELD_DRS_VERSION, message_version(call));
    ndr_align_structure(n);
    ndr_pointer(n);
    bool named = ndr_pointer(n);
    put_uuid(call, FIELD_DRS_PARTNER_DSA);
    put_replica(call, named);
}

/* DRS_MSG_REPADD_V1 (4.1.19.1): pNC, pszDsaSrc (pointers), rtSchedule (84), ulOptions (4). V2 and V3: pNC,
 * pSourceDsaDN, pTransportDN, pszSourceDsaAddress (pointers), rtSchedule (84), ulOptions (4); V3 has more. */
static void replica_add_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    uint32_t version = message_version(call);
    activity_put_uint(call->activity, FIELD_DRS_VERSION, version);
    if (version != 1 && version != 2)
        return;
    ndr_align_structure(n);
    ndr_pointer(n);
    bool source = version == 2 && ndr_pointer(n);
    bool over = version == 2 && ndr_pointer(n);
    bool named = ndr_pointer(n);
    cursor_skip(&n->cursor, 84);
    rpc_put_u32(call, FIELD_DRS_FLAGS);
    ndr_align_structure(n);
    put_dsname(call, true);
    if (source)
        put_dsname(call, false);
    if (over)
        put_dsname(call, false);
    if (named)
        put_partner(call);
}

/* DRS_MSG_REPDEL_V1 (4.1.20.1): pNC, pszDsaSrc (pointers), ulOptions (4). */
static void replica_del_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    activity_put_uint(call->activity, FIELD_DRS_VERSION, message_version(call));
    ndr_align_structure(n);
    ndr_pointer(n);
    bool named = ndr_pointer(n);
    put_replica(call, named);
}

/* DRS_MSG_REPSYNC_V1 (4.1.23.1): pNC (pointer), uuidDsaSrc, pszDsaSrc (pointer), ulOptions (4). */
static void replica_sync_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    uint32_t version = message_version(call);
    activity_put_uint(call->activity, FIELD_DRS_VERSION, version);
    if (version != 1)
        return;
    ndr_align_structure(n);
    ndr_pointer(n);
    put_uuid(call, FIELD_DRS_PARTNER_DSA);
    bool named = ndr_pointer(n);
    put_replica(call, named);
}

/* An array of pointers to strings: maximum count, the pointers, then the strings. */
static void list_names(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    uint64_t count = ndr_size(n);
    uint64_t left = cursor_left(&n->cursor) / 4;
    if (count > left)
        count = left;
    cursor_skip(&n->cursor, (size_t)count * (n->ndr64 ? 8 : 4));
    if (ndr_failed(n) || !activity_list_begin(call->activity, FIELD_RPC_NAMES))
        return;
    for (uint64_t i = 0; i < count && i < NAMES_MAX && !ndr_failed(n); i++) {
        struct bytes name = ndr_string16(n);
        if (name.size)
            rpc_list_utf16(call, name);
    }
    activity_list_end(call->activity);
}

/* DRS_MSG_CRACKREQ_V1 (4.1.4.1.1): CodePage, LocaleId, dwFlags, formatOffered, formatDesired, cNames (4
 * each), rpNames (pointer). */
static void crack_names_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    if (message_version(call) != 1)
        return;
    ndr_align_structure(n);
    ndr_u32(n);
    ndr_u32(n);
    rpc_put_u32(call, FIELD_DRS_FLAGS);
    rpc_put_u32(call, FIELD_DRS_FORMAT_OFFERED);
    rpc_put_u32(call, FIELD_DRS_FORMAT_DESIRED);
    rpc_put_u32(call, FIELD_RPC_COUNT);
    if (ndr_pointer(n))
        list_names(call);
}

/* DRS_MSG_SPNREQ_V1 (4.1.28.1.1): operation, flags (4 each), pwszAccount (pointer), cSPN (4), rpwszSPN
 * (pointer). */
static void write_spn_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    if (message_version(call) != 1)
        return;
    ndr_align_structure(n);
    rpc_put_u32(call, FIELD_DRS_OPERATION);
    ndr_u32(n);
    bool named = ndr_pointer(n);
    rpc_put_u32(call, FIELD_RPC_COUNT);
    bool names = ndr_pointer(n);
    if (named)
        rpc_put_string16(call, FIELD_DRS_NAMING_CONTEXT);
    if (names)
        list_names(call);
}

/* DRS_MSG_DCINFOREQ_V1 (4.1.5.1.1): Domain (pointer), InfoLevel (4). */
static void domain_controllers_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    if (message_version(call) != 1)
        return;
    ndr_align_structure(n);
    bool named = ndr_pointer(n);
    rpc_put_u32(call, FIELD_RPC_LEVEL);
    if (named)
        rpc_put_string16(call, FIELD_RPC_NAME);
}

/* DRS_MSG_ADDENTRYREQ_V2 and V3 (4.1.1.1): ENTINFLIST: pNextEntInf, ENTINF: pName (pointers), ulFlags (4),
 * the attributes' count (4) and pointer. What the name is deferred behind is the next entry, if there is one.
 */
static void add_entry_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    uint32_t version = message_version(call);
    activity_put_uint(call->activity, FIELD_DRS_VERSION, version);
    if (version != 2 && version != 3)
        return;
    ndr_align_structure(n);
    bool another = ndr_pointer(n);
    bool named = ndr_pointer(n);
    ndr_u32(n);
    ndr_align_structure(n);
    ndr_u32(n);
    ndr_pointer(n);
    if (version == 3)
        ndr_pointer(n); /* pClientCreds */
    if (another || !named)
        return;
    put_dsname(call, true);
}

/* DRS_MSG_ADDSIDREQ_V1 (4.1.2.1.1): Flags (4), then names and credentials, which are not read. */
static void sid_history_request(struct rpc_call *call)
{
    message_version(call);
    ndr_align_structure(&call->stub);
    rpc_put_u32(call, FIELD_DRS_FLAGS);
}

static const struct rpc_operation list[] = {
    [0] = {"DRSBind", ACTIVITY_DRS_BIND, 0, bind_request, NULL},
    [1] = {"DRSUnbind", ACTIVITY_NONE, 0, NULL, NULL},
    [2] = {"DRSReplicaSync", ACTIVITY_DRS_REPLICA_ADD, 0, replica_sync_request, NULL},
    [3] = {"DRSGetNCChanges", ACTIVITY_DRS_REPLICATE, 0, get_changes_request, NULL},
    [4] = {"DRSUpdateRefs", ACTIVITY_DRS_UPDATE_REFS, RPC_EACH, update_refs_request, NULL},
    [5] = {"DRSReplicaAdd", ACTIVITY_DRS_REPLICA_ADD, RPC_EACH, replica_add_request, NULL},
    [6] = {"DRSReplicaDel", ACTIVITY_DRS_REPLICA_ADD, RPC_EACH, replica_del_request, NULL},
    [7] = {"DRSReplicaModify", ACTIVITY_DRS_REPLICA_ADD, RPC_EACH, NULL, NULL},
    [8] = {"DRSVerifyNames", ACTIVITY_NONE, 0, NULL, NULL},
    [9] = {"DRSGetMemberships", ACTIVITY_NONE, 0, NULL, NULL},
    [10] = {"DRSInterDomainMove", ACTIVITY_NONE, 0, NULL, NULL},
    [11] = {"DRSGetNT4ChangeLog", ACTIVITY_NONE, 0, NULL, NULL},
    [12] = {"DRSCrackNames", ACTIVITY_DRS_CRACK_NAMES, 0, crack_names_request, NULL},
    [13] = {"DRSWriteSPN", ACTIVITY_DRS_WRITE_SPN, RPC_EACH, write_spn_request, NULL},
    [14] = {"DRSRemoveDsServer", ACTIVITY_NONE, 0, NULL, NULL},
    [15] = {"DRSRemoveDsDomain", ACTIVITY_NONE, 0, NULL, NULL},
    [16] = {"DRSDomainControllerInfo", ACTIVITY_DRS_DOMAIN_CONTROLLERS, 0, domain_controllers_request, NULL},
    [17] = {"DRSAddEntry", ACTIVITY_DRS_ADD_ENTRY, RPC_EACH, add_entry_request, NULL},
    [18] = {"DRSExecuteKCC", ACTIVITY_NONE, 0, NULL, NULL},
    [19] = {"DRSGetReplInfo", ACTIVITY_NONE, 0, NULL, NULL},
    [20] = {"DRSAddSidHistory", ACTIVITY_DRS_SID_HISTORY, RPC_EACH, sid_history_request, NULL},
    [21] = {"DRSGetMemberships2", ACTIVITY_NONE, 0, NULL, NULL},
    [22] = {"DRSReplicaVerifyObjects", ACTIVITY_NONE, 0, NULL, NULL},
    [23] = {"DRSGetObjectExistence", ACTIVITY_NONE, 0, NULL, NULL},
    [24] = {"DRSQuerySitesByCost", ACTIVITY_NONE, 0, NULL, NULL},
    [25] = {"DRSInitDemotion", ACTIVITY_NONE, 0, NULL, NULL},
    [26] = {"DRSReplicaDemotion", ACTIVITY_NONE, 0, NULL, NULL},
    [27] = {"DRSFinishDemotion", ACTIVITY_NONE, 0, NULL, NULL},
    [28] = {"DRSAddCloneDC", ACTIVITY_NONE, 0, NULL, NULL},
    [29] = {"DRSWriteNgcKey", ACTIVITY_NONE, 0, NULL, NULL},
    [30] = {"DRSReadNgcKey", ACTIVITY_NONE, 0, NULL, NULL},
};

const struct rpc_operations rpc_drsuapi_operations = {list, sizeof list / sizeof *list};
