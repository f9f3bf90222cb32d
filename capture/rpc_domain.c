/* SPDX-License-Identifier: Apache-2.0
 *
 * What domain controllers serve beside accounts and replication: the endpoint mapper ([C706] appendix O),
 * dnsserver ([MS-DNSP]), the DPAPI backup key ([MS-BKRP]).
 */
#include "capture/rpc_calls.h"

/* -- epmapper ------------------------------------------------------------------------------------------- */

enum { TOWER_FLOORS_MAX = 8, FLOOR_UUID = 0x0d, FLOOR_TCP = 0x07, FLOOR_IP = 0x09, TOWERS_MAX = 32 };

struct tower {
    const uint8_t *interface; /* NULL: none */
    uint16_t port;            /* 0: none */
    struct ip_address address;
};

/* A tower ([C706] appendix L), little-endian whoever sends it: number of floors (2), each: length (2),
 * protocol identifier (1) and data, length (2), address. The first is the interface, UUID and version. */
static struct tower read_tower(struct cursor c)
{
    struct tower t = {0};
    uint16_t floors = cursor_le16(&c);
    for (uint16_t i = 0; i < floors && i < TOWER_FLOORS_MAX && !c.failed; i++) {
        struct cursor left = cursor_sub(&c, cursor_le16(&c));
        struct cursor right = cursor_sub(&c, cursor_le16(&c));
        uint8_t protocol = cursor_u8(&left);
        if (i == 0 && protocol == FLOOR_UUID && cursor_left(&left) >= 16)
            t.interface = left.at;
        if (protocol == FLOOR_TCP)
            t.port = cursor_be16(&right);
        if (protocol == FLOOR_IP && cursor_left(&right) == 4) {
            t.address.family = 4;
            memcpy(t.address.bytes, right.at, 4);
        }
    }
    return t;
}

static void put_interface(struct rpc_call *call, const uint8_t uuid[16])
{
    char text[RPC_UUID_TEXT_MAX];
    const char *name = rpc_interface_name(uuid);
    activity_put_text(call->activity, FIELD_EPM_INTERFACE, name ? name : rpc_uuid_text(uuid, text));
}

/* twr_t: maximum count, tower_length (4), the octets. */
static struct tower next_tower(struct ndr *n)
{
    ndr_size(n);
    uint32_t length = ndr_u32(n);
    return read_tower(cursor_sub(&n->cursor, length));
}

/* ept_map: object (pointer to UUID), map_tower (pointer), entry_handle, max_towers (4). */
static void map_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    if (ndr_pointer(n)) {
        uint8_t object[16];
        ndr_uuid(n, object);
    }
    if (!ndr_pointer(n))
        return;
    struct tower t = next_tower(n);
    if (t.interface)
        put_interface(call, t.interface);
}

/* The answers: entry_handle, num_towers (4), towers (conformant varying array of pointers), then the towers.
 * Who connects to one of the ports speaks RPC there. The address is the server's unless the tower names
 * another. */
static void map_response(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    uint8_t handle[16];
    ndr_handle(n, handle);
    uint32_t stated = ndr_u32(n);
    ndr_size(n);
    ndr_size(n);
    uint64_t count = ndr_size(n);
    uint64_t towers = 0;
    for (uint64_t i = 0; i < count && i < TOWERS_MAX && !ndr_failed(n); i++)
        towers += ndr_pointer(n);
    if (ndr_failed(n))
        return;
    activity_put_uint(call->activity, FIELD_RPC_COUNT, stated);
    uint16_t ports[TOWERS_MAX];
    unsigned found = 0;
    for (uint64_t i = 0; i < towers && !ndr_failed(n); i++) {
        struct tower t = next_tower(n);
        if (!t.port)
            continue;
        ports[found++] = t.port;
        static const uint8_t anywhere[4];
        bool named = t.address.family == 4 && memcmp(t.address.bytes, anywhere, 4) != 0;
        dissect_expect(call->d, NULL, t.port, PROTOCOL_DCERPC);
        if (named && !ip_address_equal(&t.address, &call->d->info->server.address))
            dissect_expect(call->d, &t.address, t.port, PROTOCOL_DCERPC);
    }
    if (!found || !activity_list_begin(call->activity, FIELD_EPM_PORTS))
        return;
    for (unsigned i = 0; i < found; i++)
        activity_list_uint(call->activity, ports[i]);
    activity_list_end(call->activity);
}

static const struct rpc_operation epmapper[] = {
    [0] = RPC_PLAIN("ept_insert"),
    [1] = RPC_PLAIN("ept_delete"),
    [2] = {"ept_lookup", ACTIVITY_EPM_MAP, 0, NULL, NULL},
    [3] = {"ept_map", ACTIVITY_EPM_MAP, RPC_EACH, map_request, map_response},
    [4] = RPC_PLAIN("ept_lookup_handle_free"),
    [5] = RPC_PLAIN("ept_inq_object"),
    [6] = RPC_PLAIN("ept_mgmt_delete"),
    [7] = {"ept_map_auth", ACTIVITY_EPM_MAP, 0, NULL, NULL},
};

const struct rpc_operations rpc_epmapper_operations = {epmapper, sizeof epmapper / sizeof *epmapper};

/* -- dnsserver ------------------------------------------------------------------------------------------ */

static void put_string8_pointer(struct rpc_call *call, enum activity_field field)
{
    struct bytes text = ndr_string8_pointer(&call->stub);
    if (text.size)
        activity_put_string(call->activity, field, text.data, text.size);
}

/* From opnum 5 on the calls of before come again with dwClientVersion and dwSettingFlags (4 each) in front.
 */
static void skip_version(struct rpc_call *call)
{
    if (call->opnum < 5)
        return;
    ndr_u32(&call->stub);
    ndr_u32(&call->stub);
}

/* DNSSRV_RPC_UNION ([MS-DNSP] 2.2.1.1.2), of the types that are text: 2 LPSTR, 3 LPWSTR, 15 NAME_AND_PARAM:
 * dwParam (4), pszNodeName (pointer): the property that is set. */
static void put_data(struct rpc_call *call)
{
    enum { TYPE_LPSTR = 2, TYPE_LPWSTR = 3, TYPE_NAME_AND_PARAM = 15 };
    struct ndr *n = &call->stub;
    ndr_align_structure(n);
    uint32_t type = ndr_u32(n);
    if (ndr_failed(n) || !ndr_pointer(n))
        return;
    if (type == TYPE_LPWSTR) {
        rpc_put_string16(call, FIELD_DNSSERVER_VALUE);
        return;
    }
    if (type == TYPE_NAME_AND_PARAM) {
        ndr_align_structure(n);
        ndr_u32(n);
        if (!ndr_pointer(n))
            return;
    } else if (type != TYPE_LPSTR) {
        return;
    }
    struct bytes text = ndr_string8(n);
    if (text.size)
        activity_put_string(call->activity, FIELD_DNSSERVER_VALUE, text.data, text.size);
}

/* DnssrvOperation (2): pwszServerName, pszZone (pointers to strings), dwContext (4), pszOperation (pointer),
 * dwTypeId (4), pData (union). DnssrvQuery: server, zone, operation. DnssrvComplexOperation: and dwTypeIn,
 * data. */
static void operation_request(struct rpc_call *call)
{
    skip_version(call);
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    put_string8_pointer(call, FIELD_DNSSERVER_ZONE);
    if (call->opnum == 0 || call->opnum == 5)
        ndr_u32(&call->stub);
    put_string8_pointer(call, FIELD_DNSSERVER_OPERATION);
    if (call->opnum == 1 || call->opnum == 6)
        return;
    ndr_u32(&call->stub);
    put_data(call);
}

/* DnssrvEnumRecords (2): server, zone, pszNodeName, pszStartChild (pointers to strings), wRecordType (2), ...
 */
static void records_request(struct rpc_call *call)
{
    skip_version(call);
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    put_string8_pointer(call, FIELD_DNSSERVER_ZONE);
    put_string8_pointer(call, FIELD_DNSSERVER_NODE);
    ndr_string8_pointer(&call->stub);
    uint16_t type = ndr_u16(&call->stub);
    if (!ndr_failed(&call->stub))
        activity_put_uint(call->activity, FIELD_DNSSERVER_RECORD_TYPE, type);
}

/* DNS_RPC_RECORD ([MS-DNSP] 2.2.2.2.5) with its conformance in front: wDataLength, wType (2 each), dwFlags,
 * dwSerial, dwTtlSeconds, dwTimeStamp, dwReserved (4 each), then the data. */
static void put_record(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    ndr_size(n);
    uint16_t length = ndr_u16(n);
    uint16_t type = ndr_u16(n);
    cursor_skip(&n->cursor, 20);
    cursor_skip(&n->cursor, length);
    if (!ndr_failed(n))
        activity_put_uint(call->activity, FIELD_DNSSERVER_RECORD_TYPE, type);
}

/* DnssrvUpdateRecord (2): server, zone (pointers to strings), pszNodeName (string), pAddRecord, pDeleteRecord
 * (pointers to DNS_RPC_RECORD). */
static void update_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    skip_version(call);
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    put_string8_pointer(call, FIELD_DNSSERVER_ZONE);
    struct bytes node = ndr_string8(n);
    if (node.size)
        activity_put_string(call->activity, FIELD_DNSSERVER_NODE, node.data, node.size);
    bool add = ndr_pointer(n);
    if (ndr_failed(n))
        return;
    activity_put_bool(call->activity, FIELD_DNSSERVER_RECORD_ADDED, add);
    if (add)
        put_record(call);
    bool remove = ndr_pointer(n);
    if (ndr_failed(n))
        return;
    activity_put_bool(call->activity, FIELD_DNSSERVER_RECORD_DELETED, remove);
    if (remove)
        put_record(call);
}

#define MANAGE(name, of)                                                                                     \
    {                                                                                                        \
        name, ACTIVITY_DNSSERVER_MANAGE, RPC_EACH, of, NULL                                                  \
    }
#define READ(name, of)                                                                                       \
    {                                                                                                        \
        name, ACTIVITY_DNSSERVER_MANAGE, 0, of, NULL                                                         \
    }

static const struct rpc_operation dnsserver[] = {
    [0] = MANAGE("DnssrvOperation", operation_request),
    [1] = READ("DnssrvQuery", operation_request),
    [2] = READ("DnssrvComplexOperation", operation_request),
    [3] = READ("DnssrvEnumRecords", records_request),
    [4] = MANAGE("DnssrvUpdateRecord", update_request),
    [5] = MANAGE("DnssrvOperation2", operation_request),
    [6] = READ("DnssrvQuery2", operation_request),
    [7] = READ("DnssrvComplexOperation2", operation_request),
    [8] = READ("DnssrvEnumRecords2", records_request),
    [9] = MANAGE("DnssrvUpdateRecord2", update_request),
    [10] = RPC_PLAIN("DnssrvUpdateRecord3"),
    [11] = RPC_PLAIN("DnssrvEnumRecords3"),
    [12] = RPC_PLAIN("DnssrvOperation3"),
    [13] = RPC_PLAIN("DnssrvQuery3"),
    [14] = RPC_PLAIN("DnssrvComplexOperation3"),
    [15] = RPC_PLAIN("DnssrvOperation4"),
    [16] = RPC_PLAIN("DnssrvQuery4"),
    [17] = RPC_PLAIN("DnssrvUpdateRecord4"),
    [18] = RPC_PLAIN("DnssrvEnumRecords4"),
};

const struct rpc_operations rpc_dnsserver_operations = {dnsserver, sizeof dnsserver / sizeof *dnsserver};

/* -- backupkey ------------------------------------------------------------------------------------------ */

/* BackuprKey: pguidActionAgent (UUID), pDataIn, ...: [MS-BKRP] 3.1.4.1. */
static void backup_key_request(struct rpc_call *call)
{
    static const struct {
        uint8_t uuid[16];
        const char *name;
    } actions[] = {
        {{0x10, 0x2b, 0x75, 0x7f, 0x8e, 0x17, 0xd1, 0x11, 0xab, 0x8f, 0x00, 0x80, 0x5f, 0x14, 0xdb, 0x40},
         "backup"},
        {{0x50, 0x4d, 0xe9, 0x7f, 0x8e, 0x17, 0xd1, 0x11, 0xab, 0x8f, 0x00, 0x80, 0x5f, 0x14, 0xdb, 0x40},
         "restore_win2k"},
        {{0x8a, 0xf4, 0x8f, 0x01, 0xba, 0xea, 0xc6, 0x40, 0x8f, 0x6d, 0x72, 0x37, 0x02, 0x40, 0xe9, 0x67},
         "retrieve_backup_key"},
        {{0x64, 0x0c, 0x27, 0x47, 0xc7, 0x2f, 0x9b, 0x49, 0xac, 0x5b, 0x0e, 0x37, 0xcd, 0xce, 0x89, 0x9a},
         "restore"},
    };
    uint8_t uuid[16];
    ndr_uuid(&call->stub, uuid);
    if (ndr_failed(&call->stub))
        return;
    char text[RPC_UUID_TEXT_MAX];
    const char *name = NULL;
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (memcmp(actions[i].uuid, uuid, 16) == 0)
            name = actions[i].name;
    activity_put_text(call->activity, FIELD_BACKUPKEY_ACTION, name ? name : rpc_uuid_text(uuid, text));
}

static const struct rpc_operation backupkey[] = {
    [0] = {"BackuprKey", ACTIVITY_BACKUPKEY_RETRIEVE, RPC_EACH, backup_key_request, NULL},
};

const struct rpc_operations rpc_backupkey_operations = {backupkey, 1};
