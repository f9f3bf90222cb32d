/* SPDX-License-Identifier: Apache-2.0
 *
 * Remote management of a computer: svcctl ([MS-SCMR]), atsvc and ITaskSchedulerService ([MS-TSCH]), winreg
 * ([MS-RRP]), srvsvc ([MS-SRVS]), wkssvc ([MS-WKST]), event logs ([MS-EVEN], [MS-EVEN6]).
 */
#include "capture/rpc_calls.h"

static void put_text8(struct rpc_call *call, enum activity_field field, struct bytes text)
{
    if (text.size)
        activity_put_string(call->activity, field, text.data, text.size);
}

static void server_request(struct rpc_call *call)
{
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
}

/* ServerName (pointer to string), Level (4). */
static void server_level_request(struct rpc_call *call)
{
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    rpc_put_u32(call, FIELD_RPC_LEVEL);
}

/* -- srvsvc --------------------------------------------------------------------------------------------- */

/* NetrSessionEnum, NetrFileEnum: ServerName, ClientName or BasePath, UserName (pointers to strings),
 * InfoStruct: Level (4). NetrConnectionEnum: ServerName, Qualifier, InfoStruct. */
static void session_request(struct rpc_call *call)
{
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    rpc_put_string16_pointer(call, FIELD_SESSION_CLIENT);
    if (call->opnum != 8)
        rpc_put_string16_pointer(call, FIELD_SESSION_USER);
    ndr_align_structure(&call->stub);
    rpc_put_u32(call, FIELD_RPC_LEVEL);
}

/* NetrSessionDel: ServerName, ClientName, UserName. */
static void share_enum_request(struct rpc_call *call)
{
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    ndr_align_structure(&call->stub);
    rpc_put_u32(call, FIELD_RPC_LEVEL);
}

/* NetrShareGetInfo, NetrShareDel, ...: ServerName (pointer to string), NetName (string), Level or more. */
static void share_request(struct rpc_call *call)
{
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    rpc_put_string16(call, FIELD_RPC_NAME);
}

#define SESSIONS(name)                                                                                       \
    {                                                                                                        \
        name, ACTIVITY_SESSION_ENUMERATE, 0, session_request, NULL                                           \
    }
#define SHARES(name, of)                                                                                     \
    {                                                                                                        \
        name, ACTIVITY_SHARE_ENUMERATE, 0, of, NULL                                                          \
    }
#define INFORMATION(name)                                                                                    \
    {                                                                                                        \
        name, ACTIVITY_SERVER_INFORMATION, 0, server_level_request, NULL                                     \
    }

static const struct rpc_operation srvsvc[] = {
    [8] = SESSIONS("NetrConnectionEnum"),
    [9] = SESSIONS("NetrFileEnum"),
    [10] = RPC_PLAIN("NetrFileGetInfo"),
    [11] = RPC_PLAIN("NetrFileClose"),
    [12] = SESSIONS("NetrSessionEnum"),
    [13] = RPC_PLAIN("NetrSessionDel"),
    [14] = {"NetrShareAdd", ACTIVITY_SHARE_ENUMERATE, RPC_EACH, server_level_request, NULL},
    [15] = SHARES("NetrShareEnum", share_enum_request),
    [16] = SHARES("NetrShareGetInfo", share_request),
    [17] = {"NetrShareSetInfo", ACTIVITY_SHARE_ENUMERATE, RPC_EACH, share_request, NULL},
    [18] = {"NetrShareDel", ACTIVITY_SHARE_ENUMERATE, RPC_EACH, share_request, NULL},
    [19] = RPC_PLAIN("NetrShareDelSticky"),
    [20] = RPC_PLAIN("NetrShareCheck"),
    [21] = INFORMATION("NetrServerGetInfo"),
    [22] = RPC_PLAIN("NetrServerSetInfo"),
    [23] = RPC_PLAIN("NetrServerDiskEnum"),
    [24] = RPC_PLAIN("NetrServerStatisticsGet"),
    [25] = RPC_PLAIN("NetrServerTransportAdd"),
    [26] = RPC_PLAIN("NetrServerTransportEnum"),
    [28] = RPC_PLAIN("NetrRemoteTOD"),
    [30] = RPC_PLAIN("NetprPathType"),
    [31] = RPC_PLAIN("NetprPathCanonicalize"),
    [33] = RPC_PLAIN("NetprNameValidate"),
    [36] = SHARES("NetrShareEnumSticky", share_enum_request),
    [39] = RPC_PLAIN("NetrpGetFileSecurity"),
    [40] = RPC_PLAIN("NetrpSetFileSecurity"),
};

const struct rpc_operations rpc_srvsvc_operations = {srvsvc, sizeof srvsvc / sizeof *srvsvc};

/* -- wkssvc --------------------------------------------------------------------------------------------- */

static const struct rpc_operation wkssvc[] = {
    [0] = INFORMATION("NetrWkstaGetInfo"),
    [1] = RPC_PLAIN("NetrWkstaSetInfo"),
    [2] = {"NetrWkstaUserEnum", ACTIVITY_SESSION_ENUMERATE, 0, share_enum_request, NULL},
    [5] = RPC_PLAIN("NetrWkstaTransportEnum"),
    [8] = RPC_PLAIN("NetrUseAdd"),
    [11] = RPC_PLAIN("NetrUseEnum"),
    [13] = RPC_PLAIN("NetrWorkstationStatisticsGet"),
    [20] = RPC_PLAIN("NetrGetJoinInformation"),
    [22] = RPC_PLAIN("NetrJoinDomain2"),
    [23] = RPC_PLAIN("NetrUnjoinDomain2"),
    [24] = RPC_PLAIN("NetrRenameMachineInDomain2"),
    [27] = RPC_PLAIN("NetrAddAlternateComputerName"),
    [30] = RPC_PLAIN("NetrEnumerateComputerNames"),
};

const struct rpc_operations rpc_wkssvc_operations = {wkssvc, sizeof wkssvc / sizeof *wkssvc};

/* -- svcctl --------------------------------------------------------------------------------------------- */

static bool is_ansi(const struct rpc_call *call)
{
    return call->opnum == 23 || call->opnum == 24 || call->opnum == 27 || call->opnum == 28 ||
           call->opnum == 44;
}

/* A string of the form that the call has, wide or ANSI, by reference or by pointer. */
static void put_text(struct rpc_call *call, enum activity_field field, bool by_pointer)
{
    if (by_pointer && !ndr_pointer(&call->stub))
        return;
    if (is_ansi(call))
        put_text8(call, field, ndr_string8(&call->stub));
    else
        rpc_put_string16(call, field);
}

/* lpServiceName; it is also what the handle is remembered by. */
static void put_service_name(struct rpc_call *call)
{
    if (is_ansi(call)) {
        struct bytes name = ndr_string8(&call->stub);
        put_text8(call, FIELD_SERVICE_NAME, name);
        rpc_open_handle8(call, name);
        return;
    }
    struct bytes name = ndr_string16(&call->stub);
    rpc_put_utf16(call, FIELD_SERVICE_NAME, name);
    rpc_open_handle(call, name, 0);
}

/* RCreateServiceW: hSCManager, lpServiceName (string), lpDisplayName (pointer to string), dwDesiredAccess,
 * dwServiceType, dwStartType, dwErrorControl (4 each), lpBinaryPathName (string), lpLoadOrderGroup (pointer
 * to string), lpdwTagId (pointer), lpDependencies (pointer to bytes), dwDependSize (4), lpServiceStartName
 * (pointer to string), then a password, which is not read. */
static void create_service_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    rpc_skip_handle(call);
    put_service_name(call);
    put_text(call, FIELD_SERVICE_DISPLAY_NAME, true);
    rpc_put_u32(call, FIELD_RPC_ACCESS);
    ndr_u32(n);
    rpc_put_u32(call, FIELD_SERVICE_START_TYPE);
    ndr_u32(n);
    put_text(call, FIELD_SERVICE_BINARY, false);
    if (is_ansi(call))
        ndr_string8_pointer(n);
    else
        ndr_string16_pointer(n);
    if (ndr_pointer(n))
        ndr_u32(n);
    if (ndr_pointer(n))
        ndr_byte_array(n);
    ndr_u32(n);
    put_text(call, FIELD_SERVICE_ACCOUNT, true);
}

/* RChangeServiceConfigW: hService, dwServiceType, dwStartType, dwErrorControl (4 each), lpBinaryPathName
 * (pointer to string), ... */
static void change_service_request(struct rpc_call *call)
{
    rpc_put_handle(call, FIELD_SERVICE_NAME);
    ndr_u32(&call->stub);
    uint32_t start = ndr_u32(&call->stub);
    if (!ndr_failed(&call->stub) && start != UINT32_MAX) /* SERVICE_NO_CHANGE */
        activity_put_uint(call->activity, FIELD_SERVICE_START_TYPE, start);
    ndr_u32(&call->stub);
    put_text(call, FIELD_SERVICE_BINARY, true);
}

/* ROpenServiceW: hSCManager, lpServiceName (string), dwDesiredAccess (4). */
static void open_service_request(struct rpc_call *call)
{
    rpc_skip_handle(call);
    put_service_name(call);
    rpc_put_u32(call, FIELD_RPC_ACCESS);
}

static void open_manager_request(struct rpc_call *call)
{
    put_text(call, FIELD_RPC_SERVER, true);
}

static void service_request(struct rpc_call *call)
{
    rpc_put_handle(call, FIELD_SERVICE_NAME);
}

/* RControlService: hService, dwControl (4). */
static void control_request(struct rpc_call *call)
{
    rpc_put_handle(call, FIELD_SERVICE_NAME);
    rpc_put_u32(call, FIELD_SERVICE_CONTROL_CODE);
}

#define SERVICE(name, of)                                                                                    \
    {                                                                                                        \
        name, ACTIVITY_SERVICE_CONTROL, RPC_EACH, of, NULL                                                   \
    }
#define OPEN_SERVICE(name, of)                                                                               \
    {                                                                                                        \
        name, ACTIVITY_SERVICE_CONTROL, RPC_HANDLE_LAST, of, NULL                                            \
    }
#define NEW_SERVICE(name)                                                                                    \
    {                                                                                                        \
        name, ACTIVITY_SERVICE_CONTROL, RPC_EACH | RPC_HANDLE_LAST, create_service_request, NULL             \
    }

static const struct rpc_operation svcctl[] = {
    [0] = RPC_PLAIN("RCloseServiceHandle"),
    [1] = SERVICE("RControlService", control_request),
    [2] = SERVICE("RDeleteService", service_request),
    [3] = RPC_PLAIN("RLockServiceDatabase"),
    [4] = RPC_PLAIN("RQueryServiceObjectSecurity"),
    [5] = SERVICE("RSetServiceObjectSecurity", service_request),
    [6] = RPC_PLAIN("RQueryServiceStatus"),
    [7] = RPC_PLAIN("RSetServiceStatus"),
    [8] = RPC_PLAIN("RUnlockServiceDatabase"),
    [9] = RPC_PLAIN("RNotifyBootConfigStatus"),
    [11] = SERVICE("RChangeServiceConfigW", change_service_request),
    [12] = NEW_SERVICE("RCreateServiceW"),
    [13] = RPC_PLAIN("REnumDependentServicesW"),
    [14] = RPC_PLAIN("REnumServicesStatusW"),
    [15] = OPEN_SERVICE("ROpenSCManagerW", open_manager_request),
    [16] = OPEN_SERVICE("ROpenServiceW", open_service_request),
    [17] = RPC_PLAIN("RQueryServiceConfigW"),
    [18] = RPC_PLAIN("RQueryServiceLockStatusW"),
    [19] = SERVICE("RStartServiceW", service_request),
    [20] = RPC_PLAIN("RGetServiceDisplayNameW"),
    [21] = RPC_PLAIN("RGetServiceKeyNameW"),
    [23] = SERVICE("RChangeServiceConfigA", change_service_request),
    [24] = NEW_SERVICE("RCreateServiceA"),
    [25] = RPC_PLAIN("REnumDependentServicesA"),
    [26] = RPC_PLAIN("REnumServicesStatusA"),
    [27] = OPEN_SERVICE("ROpenSCManagerA", open_manager_request),
    [28] = OPEN_SERVICE("ROpenServiceA", open_service_request),
    [29] = RPC_PLAIN("RQueryServiceConfigA"),
    [30] = RPC_PLAIN("RQueryServiceLockStatusA"),
    [31] = SERVICE("RStartServiceA", service_request),
    [32] = RPC_PLAIN("RGetServiceDisplayNameA"),
    [33] = RPC_PLAIN("RGetServiceKeyNameA"),
    [35] = RPC_PLAIN("REnumServiceGroupW"),
    [36] = SERVICE("RChangeServiceConfig2A", service_request),
    [37] = SERVICE("RChangeServiceConfig2W", service_request),
    [38] = RPC_PLAIN("RQueryServiceConfig2A"),
    [39] = RPC_PLAIN("RQueryServiceConfig2W"),
    [40] = RPC_PLAIN("RQueryServiceStatusEx"),
    [41] = RPC_PLAIN("REnumServicesStatusExA"),
    [42] = RPC_PLAIN("REnumServicesStatusExW"),
    [44] = NEW_SERVICE("RCreateServiceWOW64A"),
    [45] = NEW_SERVICE("RCreateServiceWOW64W"),
    [47] = RPC_PLAIN("RNotifyServiceStatusChange"),
    [48] = RPC_PLAIN("RGetNotifyResults"),
    [49] = RPC_PLAIN("RCloseNotifyHandle"),
    [50] = SERVICE("RControlServiceExA", control_request),
    [51] = SERVICE("RControlServiceExW", control_request),
    [56] = RPC_PLAIN("RQueryServiceConfigEx"),
    [60] = NEW_SERVICE("RCreateWowService"),
    [64] = OPEN_SERVICE("ROpenSCManager2", NULL),
};

const struct rpc_operations rpc_svcctl_operations = {svcctl, sizeof svcctl / sizeof *svcctl};

/* -- atsvc, ITaskSchedulerService ----------------------------------------------------------------------- */

/* NetrJobAdd: ServerName (pointer to string), AT_INFO: JobTime, DaysOfMonth (4 each), DaysOfWeek, Flags (1
 * each), Command (pointer to string). */
static void job_add_request(struct rpc_call *call)
{
    rpc_put_string16_pointer(call, FIELD_RPC_SERVER);
    ndr_align_structure(&call->stub);
    ndr_u32(&call->stub);
    ndr_u32(&call->stub);
    ndr_u8(&call->stub);
    ndr_u8(&call->stub);
    rpc_put_string16_pointer(call, FIELD_TASK_COMMAND);
}

#define TASK(name, of)                                                                                       \
    {                                                                                                        \
        name, ACTIVITY_TASK_CONTROL, RPC_EACH, of, NULL                                                      \
    }
#define TASK_READ(name, of)                                                                                  \
    {                                                                                                        \
        name, ACTIVITY_TASK_CONTROL, 0, of, NULL                                                             \
    }

static const struct rpc_operation atsvc[] = {
    [0] = TASK("NetrJobAdd", job_add_request),
    [1] = TASK("NetrJobDel", server_request),
    [2] = TASK_READ("NetrJobEnum", server_request),
    [3] = TASK_READ("NetrJobGetInfo", server_request),
};

const struct rpc_operations rpc_atsvc_operations = {atsvc, sizeof atsvc / sizeof *atsvc};

/* The text of the first element <NAME> in UTF-16LE XML. */
static struct bytes element_text(struct bytes xml, const char *name)
{
    size_t length = strlen(name);
    const struct bytes none = {.data = xml.data, .size = 0};
    for (size_t at = 0; at + 2 * (length + 2) <= xml.size; at += 2) {
        if (xml.data[at] != '<' || xml.data[at + 1])
            continue;
        size_t i = 0;
        while (i < length && xml.data[at + 2 + 2 * i] == (uint8_t)name[i] && !xml.data[at + 3 + 2 * i])
            i++;
        if (i < length || xml.data[at + 2 + 2 * length] != '>')
            continue;
        size_t from = at + 2 * (length + 2);
        size_t to = from;
        while (to + 1 < xml.size && (xml.data[to] != '<' || xml.data[to + 1]))
            to += 2;
        return (struct bytes){.data = xml.data + from, .size = to - from};
    }
    return none;
}

/* SchRpcRegisterTask: path (pointer to string), xml (string), flags, ... The definition's logon data follow
 * in other parameters and are not read. */
static void register_task_request(struct rpc_call *call)
{
    enum { DEFINITION_MAX = 4096 };
    rpc_put_string16_pointer(call, FIELD_TASK_PATH);
    struct bytes xml = ndr_string16(&call->stub);
    if (call->stub.big_endian)
        return;
    rpc_put_utf16(call, FIELD_TASK_COMMAND, element_text(xml, "Command"));
    rpc_put_utf16(call, FIELD_TASK_ARGUMENTS, element_text(xml, "Arguments"));
    if (xml.size > DEFINITION_MAX)
        xml.size = DEFINITION_MAX;
    rpc_put_utf16(call, FIELD_TASK_DEFINITION, xml);
}

/* path (string), ... */
static void task_path_request(struct rpc_call *call)
{
    rpc_put_string16(call, FIELD_TASK_PATH);
}

static const struct rpc_operation scheduler[] = {
    [0] = RPC_PLAIN("SchRpcHighestVersion"),
    [1] = TASK("SchRpcRegisterTask", register_task_request),
    [2] = TASK_READ("SchRpcRetrieveTask", task_path_request),
    [3] = TASK("SchRpcCreateFolder", task_path_request),
    [4] = TASK("SchRpcSetSecurity", task_path_request),
    [5] = TASK_READ("SchRpcGetSecurity", task_path_request),
    [6] = TASK_READ("SchRpcEnumFolders", task_path_request),
    [7] = TASK_READ("SchRpcEnumTasks", task_path_request),
    [8] = TASK_READ("SchRpcEnumInstances", NULL),
    [9] = RPC_PLAIN("SchRpcGetInstanceInfo"),
    [10] = TASK("SchRpcStopInstance", NULL),
    [11] = TASK("SchRpcStop", NULL),
    [12] = TASK("SchRpcRun", task_path_request),
    [13] = TASK("SchRpcDelete", task_path_request),
    [14] = TASK("SchRpcRename", task_path_request),
    [15] = RPC_PLAIN("SchRpcScheduledRuntimes"),
    [16] = TASK_READ("SchRpcGetLastRunInfo", task_path_request),
    [17] = TASK_READ("SchRpcGetTaskInfo", task_path_request),
    [18] = RPC_PLAIN("SchRpcGetNumberOfMissedRuns"),
    [19] = TASK("SchRpcEnableTask", task_path_request),
};

const struct rpc_operations rpc_scheduler_operations = {scheduler, sizeof scheduler / sizeof *scheduler};

static const struct rpc_operation sasec[] = {
    [0] = TASK("SASetAccountInformation", NULL),
    [1] = TASK("SASetNSAccountInformation", NULL),
    [2] = TASK_READ("SAGetNSAccountInformation", NULL),
    [3] = TASK_READ("SAGetAccountInformation", NULL),
};

const struct rpc_operations rpc_sasec_operations = {sasec, sizeof sasec / sizeof *sasec};

/* -- winreg --------------------------------------------------------------------------------------------- */

/* OpenLocalMachine, ...: ServerName (pointer), samDesired (4). The handle stands for the hive. */
static void open_hive_request(struct rpc_call *call)
{
    static const struct {
        uint16_t opnum;
        const char *name;
    } hives[] = {{0, "HKCR"}, {1, "HKCU"}, {2, "HKLM"}, {3, "HKPD"}, {4, "HKU"}, {27, "HKCC"}};
    for (size_t i = 0; i < sizeof hives / sizeof *hives; i++) {
        if (hives[i].opnum != call->opnum)
            continue;
        activity_put_text(call->activity, FIELD_REGISTRY_KEY, hives[i].name);
        rpc_open_handle8(call, (struct bytes){(const uint8_t *)hives[i].name, strlen(hives[i].name)});
    }
}

/* BaseRegOpenKey, BaseRegCreateKey: hKey, lpSubKey (RRP_UNICODE_STRING), ... The new handle is remembered by
 * the whole path, as far as it is known. */
static void open_key_request(struct rpc_call *call)
{
    uint8_t parent[16];
    ndr_handle(&call->stub, parent);
    if (ndr_failed(&call->stub) || !ndr_unicode_string(&call->stub))
        return;
    const struct rpc_handle *h = rpc_open_handle_below(call, parent, ndr_string16(&call->stub));
    if (h && h->size)
        activity_put_string(call->activity, FIELD_REGISTRY_KEY, h->text, h->size);
}

static void key_request(struct rpc_call *call)
{
    rpc_put_handle(call, FIELD_REGISTRY_KEY);
}

/* BaseRegQueryValue, BaseRegSetValue, BaseRegDeleteValue: hKey, lpValueName (RRP_UNICODE_STRING), ... */
static void value_request(struct rpc_call *call)
{
    rpc_put_handle(call, FIELD_REGISTRY_KEY);
    rpc_put_unicode_string(call, FIELD_REGISTRY_VALUE);
}

/* BaseRegSaveKey, BaseRegSaveKeyEx, BaseRegRestoreKey: hKey, lpFile (RRP_UNICODE_STRING), ... */
static void file_request(struct rpc_call *call)
{
    rpc_put_handle(call, FIELD_REGISTRY_KEY);
    rpc_put_unicode_string(call, FIELD_REGISTRY_FILE);
}

/* BaseRegDeleteKey, BaseRegUnLoadKey: hKey, lpSubKey. */
static void delete_key_request(struct rpc_call *call)
{
    open_key_request(call);
}

#define HIVE(name)                                                                                           \
    {                                                                                                        \
        name, ACTIVITY_REGISTRY_ACCESS, RPC_HANDLE_FIRST, open_hive_request, NULL                            \
    }
#define OPEN_KEY(name)                                                                                       \
    {                                                                                                        \
        name, ACTIVITY_REGISTRY_ACCESS, RPC_HANDLE_FIRST, open_key_request, NULL                             \
    }
#define REGISTRY(name, of)                                                                                   \
    {                                                                                                        \
        name, ACTIVITY_REGISTRY_ACCESS, 0, of, NULL                                                          \
    }
#define REGISTRY_CHANGE(name, of)                                                                            \
    {                                                                                                        \
        name, ACTIVITY_REGISTRY_ACCESS, RPC_EACH, of, NULL                                                   \
    }

static const struct rpc_operation winreg[] = {
    [0] = HIVE("OpenClassesRoot"),
    [1] = HIVE("OpenCurrentUser"),
    [2] = HIVE("OpenLocalMachine"),
    [3] = HIVE("OpenPerformanceData"),
    [4] = HIVE("OpenUsers"),
    [5] = RPC_PLAIN("BaseRegCloseKey"),
    [6] = OPEN_KEY("BaseRegCreateKey"),
    [7] = REGISTRY_CHANGE("BaseRegDeleteKey", delete_key_request),
    [8] = REGISTRY_CHANGE("BaseRegDeleteValue", value_request),
    [9] = REGISTRY("BaseRegEnumKey", key_request),
    [10] = REGISTRY("BaseRegEnumValue", key_request),
    [11] = RPC_PLAIN("BaseRegFlushKey"),
    [12] = REGISTRY("BaseRegGetKeySecurity", key_request),
    [13] = REGISTRY_CHANGE("BaseRegLoadKey", delete_key_request),
    [15] = OPEN_KEY("BaseRegOpenKey"),
    [16] = REGISTRY("BaseRegQueryInfoKey", key_request),
    [17] = REGISTRY("BaseRegQueryValue", value_request),
    [18] = REGISTRY_CHANGE("BaseRegReplaceKey", key_request),
    [19] = REGISTRY_CHANGE("BaseRegRestoreKey", file_request),
    [20] = REGISTRY_CHANGE("BaseRegSaveKey", file_request),
    [21] = REGISTRY_CHANGE("BaseRegSetKeySecurity", key_request),
    [22] = REGISTRY_CHANGE("BaseRegSetValue", value_request),
    [23] = REGISTRY_CHANGE("BaseRegUnLoadKey", delete_key_request),
    [26] = RPC_PLAIN("BaseRegGetVersion"),
    [27] = HIVE("OpenCurrentConfig"),
    [29] = REGISTRY("BaseRegQueryMultipleValues", key_request),
    [31] = REGISTRY_CHANGE("BaseRegSaveKeyEx", file_request),
    [32] = HIVE("OpenPerformanceText"),
    [33] = HIVE("OpenPerformanceNlsText"),
    [34] = REGISTRY("BaseRegQueryMultipleValues2", key_request),
    [35] = RPC_PLAIN("BaseRegDeleteKeyEx"),
};

const struct rpc_operations rpc_winreg_operations = {winreg, sizeof winreg / sizeof *winreg};

/* -- event logs ----------------------------------------------------------------------------------------- */

/* ElfrOpenELW: UNCServerName (pointer), ModuleName, RegModuleName (RPC_UNICODE_STRING), ... */
static void open_log_request(struct rpc_call *call)
{
    if (ndr_pointer(&call->stub))
        ndr_u16(&call->stub);
    if (ndr_unicode_string(&call->stub))
        rpc_open_handle(call, ndr_string16(&call->stub), 0);
}

static void clear_log_request(struct rpc_call *call)
{
    rpc_put_handle(call, FIELD_EVENT_LOG);
}

/* EvtRpcClearLog ([MS-EVEN6] 3.1.4.16): control (context handle), channelPath (string), ... */
static void clear_channel_request(struct rpc_call *call)
{
    rpc_skip_handle(call);
    rpc_put_string16(call, FIELD_EVENT_LOG);
}

static const struct rpc_operation eventlog[] = {
    [0] = {"ElfrClearELFW", ACTIVITY_EVENT_LOG_CLEAR, RPC_EACH, clear_log_request, NULL},
    [1] = RPC_PLAIN("ElfrBackupELFW"),
    [2] = RPC_PLAIN("ElfrCloseEL"),
    [3] = RPC_PLAIN("ElfrDeregisterEventSource"),
    [4] = RPC_PLAIN("ElfrNumberOfRecords"),
    [5] = RPC_PLAIN("ElfrOldestRecord"),
    [6] = RPC_PLAIN("ElfrChangeNotify"),
    [7] = {"ElfrOpenELW", ACTIVITY_NONE, RPC_HANDLE_FIRST, open_log_request, NULL},
    [8] = RPC_PLAIN("ElfrRegisterEventSourceW"),
    [9] = RPC_PLAIN("ElfrOpenBELW"),
    [10] = RPC_PLAIN("ElfrReadELW"),
    [11] = RPC_PLAIN("ElfrReportEventW"),
    [12] = {"ElfrClearELFA", ACTIVITY_EVENT_LOG_CLEAR, RPC_EACH, clear_log_request, NULL},
    [22] = RPC_PLAIN("ElfrGetLogInformation"),
};

const struct rpc_operations rpc_eventlog_operations = {eventlog, sizeof eventlog / sizeof *eventlog};

static const struct rpc_operation eventlog6[] = {
    [0] = RPC_PLAIN("EvtRpcRegisterRemoteSubscription"),
    [5] = RPC_PLAIN("EvtRpcRegisterLogQuery"),
    [6] = {"EvtRpcClearLog", ACTIVITY_EVENT_LOG_CLEAR, RPC_EACH, clear_channel_request, NULL},
    [7] = RPC_PLAIN("EvtRpcExportLog"),
    [11] = RPC_PLAIN("EvtRpcQueryNext"),
    [13] = RPC_PLAIN("EvtRpcClose"),
    [17] = RPC_PLAIN("EvtRpcOpenLogHandle"),
    [18] = RPC_PLAIN("EvtRpcGetLogFileInfo"),
    [19] = RPC_PLAIN("EvtRpcGetChannelList"),
};

const struct rpc_operations rpc_eventlog6_operations = {eventlog6, sizeof eventlog6 / sizeof *eventlog6};
