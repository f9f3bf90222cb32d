/* SPDX-License-Identifier: Apache-2.0
 *
 * DCOM ([MS-DCOM]) and Windows Management Instrumentation on it ([MS-WMI]).
 */
#include "capture/rpc_calls.h"

enum { STRINGS_MAX = 24, STRING_MIN = 4, STRING_MAX = 1024, SCAN_MAX = 16384 };

/* ORPCTHIS ([MS-DCOM] 2.2.13.3) leads every request: version (2, 2), flags, reserved1 (4 each), cid (UUID),
 * extensions (pointer to ORPC_EXTENT_ARRAY). Extensions are rare (a debugger's); behind them nothing is read.
 */
static bool orpc_this(struct ndr *n)
{
    cursor_skip(&n->cursor, 12);
    uint8_t causality[16];
    ndr_uuid(n, causality);
    bool extended = ndr_pointer(n);
    return !extended && !ndr_failed(n);
}

/* BSTR ([MS-OAUT] 2.2.23.2): a pointer to FLAGGED_WORD_BLOB: maximum count, cBytes, clSize (4 each), UTF-16.
 */
static struct bytes bstr(struct ndr *n)
{
    struct bytes none = {.data = n->cursor.at, .size = 0};
    if (!ndr_pointer(n))
        return none;
    ndr_size(n);
    uint32_t size = ndr_u32(n);
    uint32_t words = ndr_u32(n);
    if (size == UINT32_MAX) /* a null string */
        return none;
    struct bytes text = cursor_take(&n->cursor, 2 * (size_t)words < cursor_left(&n->cursor)
                                                    ? 2 * (size_t)words
                                                    : cursor_left(&n->cursor) & ~(size_t)1);
    return text;
}

static void put_bstr(struct rpc_call *call, enum activity_field field)
{
    rpc_put_utf16(call, field, bstr(&call->stub));
}

static bool printable(uint8_t c)
{
    return c >= 0x20 && c < 0x7f;
}

struct encoded_string {
    struct bytes text;
    bool wide;
};

/* Encoded-String ([MS-WMIO] 2.2.78): a flag, 0 for bytes or 1 for UTF-16LE, the text, a zero. The next one of
 * printable text that looks like it; empty at the end. */
static struct encoded_string next_string(struct cursor *c)
{
    while (cursor_left(c) > STRING_MIN) {
        uint8_t flag = cursor_u8(c);
        if (flag > 1)
            continue;
        const uint8_t *at = c->at;
        size_t step = (size_t)flag + 1, size = 0;
        while (size + step <= cursor_left(c) && printable(at[size]) && (!flag || at[size + 1] == 0))
            size += step;
        bool ends = size + step <= cursor_left(c) && at[size] == 0 && (!flag || at[size + 1] == 0);
        if (size < step * STRING_MIN)
            continue;
        cursor_skip(c, size);
        if (ends)
            return (struct encoded_string){.text = {.data = at, .size = size}, .wide = flag};
    }
    return (struct encoded_string){.text = {.data = c->end, .size = 0}};
}

/* What objects mean is left to their format; the text in them is enough to see a command. Parameters are an
 * instance behind its class: the class's name comes twice, and what follows the last are the values; of other
 * objects the last strings are taken. */
static void put_strings(struct rpc_call *call)
{
    static const char parameters[] = "__PARAMETERS";
    struct cursor c = call->stub.cursor;
    if (cursor_left(&c) > SCAN_MAX)
        c.end = c.at + SCAN_MAX;
    struct encoded_string last[STRINGS_MAX];
    unsigned found = 0;
    for (struct encoded_string s = next_string(&c); s.text.size; s = next_string(&c)) {
        if (s.text.size == sizeof parameters - 1 && memcmp(s.text.data, parameters, s.text.size) == 0)
            found = 0;
        else
            last[found++ % STRINGS_MAX] = s;
    }
    if (!found || !activity_list_begin(call->activity, FIELD_WMI_STRINGS))
        return;
    for (unsigned i = found > STRINGS_MAX ? found - STRINGS_MAX : 0; i < found; i++) {
        struct encoded_string s = last[i % STRINGS_MAX];
        size_t size = s.text.size < STRING_MAX ? s.text.size : STRING_MAX;
        if (s.wide)
            activity_list_utf16(call->activity, s.text.data, size);
        else
            activity_list_string(call->activity, s.text.data, size);
    }
    activity_list_end(call->activity);
}

/* IWbemServices::ExecMethod ([MS-WMI] 3.1.4.3.22): strObjectPath, strMethodName (BSTRs), lFlags (4), pCtx,
 * pInParams (pointers to objects), ... */
static void exec_method_request(struct rpc_call *call)
{
    if (!orpc_this(&call->stub))
        return;
    put_bstr(call, FIELD_WMI_OBJECT);
    put_bstr(call, FIELD_WMI_METHOD);
    put_strings(call);
}

/* IWbemServices::ExecQuery, ExecNotificationQuery: strQueryLanguage, strQuery (BSTRs), ... */
static void exec_query_request(struct rpc_call *call)
{
    if (!orpc_this(&call->stub))
        return;
    bstr(&call->stub);
    put_bstr(call, FIELD_WMI_QUERY);
}

/* IWbemServices::GetObject, DeleteClass, DeleteInstance, CreateInstanceEnum, ...: a path or class (BSTR), ...
 */
static void object_request(struct rpc_call *call)
{
    if (orpc_this(&call->stub))
        put_bstr(call, FIELD_WMI_OBJECT);
}

/* IWbemServices::OpenNamespace: strNamespace (BSTR). */
static void namespace_request(struct rpc_call *call)
{
    if (orpc_this(&call->stub))
        put_bstr(call, FIELD_WMI_NAMESPACE);
}

/* IWbemServices::PutInstance, PutClass: an object. */
static void put_object_request(struct rpc_call *call)
{
    if (orpc_this(&call->stub))
        put_strings(call);
}

/* IWbemLevel1Login::NTLMLogin ([MS-WMI] 3.1.4.1.4): wszNetworkResource (pointer to string), ... */
static void login_request(struct rpc_call *call)
{
    if (orpc_this(&call->stub))
        rpc_put_string16_pointer(call, FIELD_WMI_NAMESPACE);
}

#define WMI(name, of)                                                                                        \
    {                                                                                                        \
        name, ACTIVITY_WMI_CALL, RPC_EACH, of, NULL                                                          \
    }
#define WMI_READ(name, of)                                                                                   \
    {                                                                                                        \
        name, ACTIVITY_WMI_CALL, 0, of, NULL                                                                 \
    }

static const struct rpc_operation wbemservices[] = {
    [3] = WMI_READ("OpenNamespace", namespace_request),
    [4] = RPC_PLAIN("CancelAsyncCall"),
    [5] = RPC_PLAIN("QueryObjectSink"),
    [6] = WMI_READ("GetObject", object_request),
    [7] = WMI_READ("GetObjectAsync", object_request),
    [8] = WMI("PutClass", put_object_request),
    [9] = WMI("PutClassAsync", put_object_request),
    [10] = WMI("DeleteClass", object_request),
    [11] = WMI("DeleteClassAsync", object_request),
    [12] = WMI_READ("CreateClassEnum", object_request),
    [13] = WMI_READ("CreateClassEnumAsync", object_request),
    [14] = WMI("PutInstance", put_object_request),
    [15] = WMI("PutInstanceAsync", put_object_request),
    [16] = WMI("DeleteInstance", object_request),
    [17] = WMI("DeleteInstanceAsync", object_request),
    [18] = WMI_READ("CreateInstanceEnum", object_request),
    [19] = WMI_READ("CreateInstanceEnumAsync", object_request),
    [20] = WMI("ExecQuery", exec_query_request),
    [21] = WMI("ExecQueryAsync", exec_query_request),
    [22] = WMI("ExecNotificationQuery", exec_query_request),
    [23] = WMI("ExecNotificationQueryAsync", exec_query_request),
    [24] = WMI("ExecMethod", exec_method_request),
    [25] = WMI("ExecMethodAsync", exec_method_request),
};

const struct rpc_operations rpc_wbemservices_operations = {wbemservices,
                                                           sizeof wbemservices / sizeof *wbemservices};

static const struct rpc_operation wbemlogin[] = {
    [3] = RPC_PLAIN("EstablishPosition"),
    [4] = RPC_PLAIN("RequestChallenge"),
    [5] = RPC_PLAIN("WBEMLogin"),
    [6] = {"NTLMLogin", ACTIVITY_WMI_CALL, 0, login_request, NULL},
};

const struct rpc_operations rpc_wbemlogin_operations = {wbemlogin, sizeof wbemlogin / sizeof *wbemlogin};

/* -- activation ----------------------------------------------------------------------------------------- */

/* CLSID_InstantiationInfo, 000001ab-0000-0000-c000-000000000046 ([MS-DCOM] 2.2.22.2.1). */
static const uint8_t instantiation_info[16] = {0xab, 0x01, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46};

/* Activation properties ([MS-DCOM] 2.2.22), as the data of a custom object reference: dwSize, dwReserved (4
 * each), CustomHeader in type serialization (16 of headers): totalSize, headerSize, dwReserved, destCtx, cIfs
 * (4 each), classInfoClsid (16), pclsid, pSizes, pdwReserved (pointers), then the arrays; each property's
 * bytes follow from headerSize on. InstantiationInfo begins, behind its own 16 of headers, with the CLSID. */
static void put_class(struct rpc_call *call, struct cursor blob)
{
    enum { PROPERTIES_MAX = 16 };
    cursor_skip(&blob, 8);
    const uint8_t *header = blob.at;
    size_t whole = cursor_left(&blob);
    cursor_skip(&blob, 16);
    cursor_skip(&blob, 4);
    uint32_t header_size = cursor_le32(&blob);
    cursor_skip(&blob, 8);
    uint32_t count = cursor_le32(&blob);
    cursor_skip(&blob, 16 + 12);
    if (blob.failed || count > PROPERTIES_MAX)
        return;
    cursor_skip(&blob, 4);
    struct cursor classes = cursor_sub(&blob, 16 * (size_t)count);
    cursor_skip(&blob, 4);
    struct cursor sizes = cursor_sub(&blob, 4 * (size_t)count);
    size_t at = header_size;
    for (uint32_t i = 0; i < count && !sizes.failed; i++) {
        bool wanted = cursor_match(&classes, instantiation_info, 16);
        if (wanted && at <= whole && whole - at >= 32)
            activity_put_uuid(call->activity, FIELD_DCOM_CLASS, header + at + 16);
        if (wanted)
            return;
        cursor_skip(&classes, 16);
        at += cursor_le32(&sizes);
    }
}

/* RemoteCreateInstance: pUnkOuter, pActProperties (pointers to MInterfacePointer: maximum count, ulCntData
 * (4), OBJREF: "MEOW", flags (4), iid, then custom: clsid, cbExtension, reserved (4 each), the data).
 * RemoteGetClassObject has no pUnkOuter. */
static void activate_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    if (!orpc_this(n) || n->big_endian)
        return;
    if (call->opnum == 4 && ndr_pointer(n))
        return;
    if (!ndr_pointer(n))
        return;
    ndr_size(n);
    uint32_t size = ndr_u32(n);
    struct cursor reference =
        cursor_sub(&n->cursor, size < cursor_left(&n->cursor) ? size : cursor_left(&n->cursor));
    if (!cursor_match(&reference, "MEOW", 4) || cursor_le32(&reference) != 4)
        return;
    cursor_skip(&reference, 16 + 16 + 8);
    put_class(call, reference);
}

/* IRemoteActivation::RemoteActivation ([MS-DCOM] 3.1.2.5.2.3.1): ORPCTHIS, Clsid (UUID), ... */
static void remote_activation_request(struct rpc_call *call)
{
    if (!orpc_this(&call->stub))
        return;
    uint8_t uuid[16];
    ndr_uuid(&call->stub, uuid);
    if (!ndr_failed(&call->stub))
        activity_put_uuid(call->activity, FIELD_DCOM_CLASS, uuid);
}

static const struct rpc_operation systemactivator[] = {
    [3] = {"RemoteGetClassObject", ACTIVITY_DCOM_ACTIVATE, RPC_EACH, activate_request, NULL},
    [4] = {"RemoteCreateInstance", ACTIVITY_DCOM_ACTIVATE, RPC_EACH, activate_request, NULL},
};

const struct rpc_operations rpc_systemactivator_operations = {systemactivator, sizeof systemactivator /
                                                                                   sizeof *systemactivator};

static const struct rpc_operation remoteactivation[] = {
    [0] = {"RemoteActivation", ACTIVITY_DCOM_ACTIVATE, RPC_EACH, remote_activation_request, NULL},
};

const struct rpc_operations rpc_remoteactivation_operations = {remoteactivation, 1};

/* -- names only ----------------------------------------------------------------------------------------- */

static const struct rpc_operation oxidresolver[] = {
    [0] = RPC_PLAIN("ResolveOxid"), [1] = RPC_PLAIN("SimplePing"),   [2] = RPC_PLAIN("ComplexPing"),
    [3] = RPC_PLAIN("ServerAlive"), [4] = RPC_PLAIN("ResolveOxid2"), [5] = RPC_PLAIN("ServerAlive2"),
};

const struct rpc_operations rpc_oxidresolver_operations = {oxidresolver,
                                                           sizeof oxidresolver / sizeof *oxidresolver};

static const struct rpc_operation remunknown[] = {
    [3] = RPC_PLAIN("RemQueryInterface"),
    [4] = RPC_PLAIN("RemAddRef"),
    [5] = RPC_PLAIN("RemRelease"),
    [6] = RPC_PLAIN("RemQueryInterface2"),
};

const struct rpc_operations rpc_remunknown_operations = {remunknown, sizeof remunknown / sizeof *remunknown};

static const struct rpc_operation dispatch[] = {
    [3] = RPC_PLAIN("GetTypeInfoCount"),
    [4] = RPC_PLAIN("GetTypeInfo"),
    [5] = RPC_PLAIN("GetIDsOfNames"),
    [6] = RPC_PLAIN("Invoke"),
};

const struct rpc_operations rpc_dispatch_operations = {dispatch, sizeof dispatch / sizeof *dispatch};

static const struct rpc_operation enumerator[] = {
    [3] = RPC_PLAIN("Reset"), [4] = RPC_PLAIN("Next"), [5] = RPC_PLAIN("NextAsync"),
    [6] = RPC_PLAIN("Clone"), [7] = RPC_PLAIN("Skip"),
};

const struct rpc_operations rpc_enumerator_operations = {enumerator, sizeof enumerator / sizeof *enumerator};
