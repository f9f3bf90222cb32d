/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls by which a server is made to connect, and so to authenticate, to a machine of the caller's choice:
 * efsrpc ([MS-EFSR], PetitPotam), the print service's notifications ([MS-RPRN], "printer bug"), netdfs
 * ([MS-DFSNM], DFSCoerce); and what else those interfaces have.
 */
#include "capture/rpc_calls.h"

/* -- efsrpc --------------------------------------------------------------------------------------------- */

/* FileName (string), ...: of nearly all. */
static void file_request(struct rpc_call *call)
{
    rpc_put_string16(call, FIELD_COERCION_TARGET);
}

/* EfsRpcAddUsersToFileEx, EfsRpcFileKeyInfoEx: flags (4), Reserved (pointer to EFS_RPC_BLOB: cbData (4),
 * bData (pointer to a conformant array)), FileName (string), ... */
static void file_ex_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    ndr_u32(n);
    if (ndr_pointer(n)) {
        ndr_u32(n);
        if (ndr_pointer(n))
            ndr_byte_array(n);
    }
    rpc_put_string16(call, FIELD_COERCION_TARGET);
}

#define COERCE(name, of)                                                                                     \
    {                                                                                                        \
        name, ACTIVITY_COERCION, RPC_EACH, of, NULL                                                          \
    }

static const struct rpc_operation efsrpc[] = {
    [0] = COERCE("EfsRpcOpenFileRaw", file_request),
    [1] = RPC_PLAIN("EfsRpcReadFileRaw"),
    [2] = RPC_PLAIN("EfsRpcWriteFileRaw"),
    [3] = RPC_PLAIN("EfsRpcCloseRaw"),
    [4] = COERCE("EfsRpcEncryptFileSrv", file_request),
    [5] = COERCE("EfsRpcDecryptFileSrv", file_request),
    [6] = COERCE("EfsRpcQueryUsersOnFile", file_request),
    [7] = COERCE("EfsRpcQueryRecoveryAgents", file_request),
    [8] = COERCE("EfsRpcRemoveUsersFromFile", file_request),
    [9] = COERCE("EfsRpcAddUsersToFile", file_request),
    [11] = RPC_PLAIN("EfsRpcNotSupported"),
    [12] = COERCE("EfsRpcFileKeyInfo", file_request),
    [13] = COERCE("EfsRpcDuplicateEncryptionInfoFile", file_request),
    [15] = COERCE("EfsRpcAddUsersToFileEx", file_ex_request),
    [16] = COERCE("EfsRpcFileKeyInfoEx", file_ex_request),
    [18] = COERCE("EfsRpcGetEncryptedFileMetadata", file_request),
    [19] = COERCE("EfsRpcSetEncryptedFileMetadata", file_request),
    [20] = RPC_PLAIN("EfsRpcFlushEfsCache"),
    [21] = COERCE("EfsRpcEncryptFileExSrv", file_request),
    [22] = RPC_PLAIN("EfsRpcQueryProtectors"),
};

const struct rpc_operations rpc_efsrpc_operations = {efsrpc, sizeof efsrpc / sizeof *efsrpc};

/* -- spoolss -------------------------------------------------------------------------------------------- */

/* RpcOpenPrinter, RpcOpenPrinterEx: pPrinterName (pointer to string), ... */
static void open_printer_request(struct rpc_call *call)
{
    if (!ndr_pointer(&call->stub))
        return;
    struct bytes name = ndr_string16(&call->stub);
    rpc_put_utf16(call, FIELD_PRINTER_NAME, name);
}

/* RpcRemoteFindFirstPrinterChangeNotificationEx (and without Ex): hPrinter, fdwFlags, fdwOptions (4 each),
 * pszLocalMachine (pointer to string), ... */
static void notification_request(struct rpc_call *call)
{
    rpc_skip_handle(call);
    ndr_u32(&call->stub);
    ndr_u32(&call->stub);
    rpc_put_string16_pointer(call, FIELD_COERCION_TARGET);
}

/* DRIVER_INFO_2, 3, 4, 6, 8 ([MS-RPRN] 2.2.1.5) begin alike: cVersion (4), pName, pEnvironment, pDriverPath,
 * pDataFile, pConfigFile (pointers); then, per level, further pointers and numbers. The strings are deferred
 * in the order of the pointers. */
static void put_driver(struct rpc_call *call, uint32_t level)
{
    struct ndr *n = &call->stub;
    bool there[5];
    ndr_align_structure(n);
    ndr_u32(n);
    for (int i = 0; i < 5; i++)
        there[i] = ndr_pointer(n);
    if (level >= 3) { /* pHelpFile, pMonitorName, pDefaultDataType, cchDependentFiles, pDependentFiles */
        for (int i = 0; i < 3; i++)
            ndr_pointer(n);
        ndr_u32(n);
        ndr_pointer(n);
    }
    if (level == 4) { /* cchPreviousNames, pszzPreviousNames */
        ndr_u32(n);
        ndr_pointer(n);
    }
    if (there[0])
        rpc_put_string16(call, FIELD_PRINTER_DRIVER);
    if (there[1])
        ndr_string16(n);
    if (ndr_failed(n) || !activity_list_begin(call->activity, FIELD_PRINTER_DRIVER_PATHS))
        return;
    for (int i = 2; i < 5 && !ndr_failed(n); i++) {
        struct bytes path = there[i] ? ndr_string16(n) : (struct bytes){0};
        if (path.size)
            rpc_list_utf16(call, path);
    }
    activity_list_end(call->activity);
}

/* RpcAddPrinterDriver, RpcAddPrinterDriverEx, RpcAsyncAddPrinterDriver: pName (pointer to string),
 * pDriverContainer: Level (4), a union over it of pointers. */
static void add_driver_request(struct rpc_call *call)
{
    struct ndr *n = &call->stub;
    rpc_put_string16_pointer(call, FIELD_PRINTER_NAME);
    ndr_align_structure(n);
    ndr_u32(n);
    uint32_t level = ndr_u32(n);
    if (!ndr_pointer(n) || ndr_failed(n))
        return;
    if (level == 2 || level == 3 || level == 4)
        put_driver(call, level);
}

#define OPEN(name)                                                                                           \
    {                                                                                                        \
        name, ACTIVITY_PRINTER_OPEN, 0, open_printer_request, NULL                                           \
    }
#define ADD_DRIVER(name)                                                                                     \
    {                                                                                                        \
        name, ACTIVITY_PRINTER_DRIVER_ADD, RPC_EACH, add_driver_request, NULL                                \
    }

static const struct rpc_operation spoolss[] = {
    [0] = RPC_PLAIN("RpcEnumPrinters"),
    [1] = OPEN("RpcOpenPrinter"),
    [2] = RPC_PLAIN("RpcSetJob"),
    [3] = RPC_PLAIN("RpcGetJob"),
    [4] = RPC_PLAIN("RpcEnumJobs"),
    [5] = RPC_PLAIN("RpcAddPrinter"),
    [6] = RPC_PLAIN("RpcDeletePrinter"),
    [7] = RPC_PLAIN("RpcSetPrinter"),
    [8] = RPC_PLAIN("RpcGetPrinter"),
    [9] = ADD_DRIVER("RpcAddPrinterDriver"),
    [10] = RPC_PLAIN("RpcEnumPrinterDrivers"),
    [11] = RPC_PLAIN("RpcGetPrinterDriver"),
    [12] = RPC_PLAIN("RpcGetPrinterDriverDirectory"),
    [13] = RPC_PLAIN("RpcDeletePrinterDriver"),
    [14] = RPC_PLAIN("RpcAddPrintProcessor"),
    [15] = RPC_PLAIN("RpcEnumPrintProcessors"),
    [17] = RPC_PLAIN("RpcStartDocPrinter"),
    [19] = RPC_PLAIN("RpcWritePrinter"),
    [23] = RPC_PLAIN("RpcEndDocPrinter"),
    [26] = RPC_PLAIN("RpcGetPrinterData"),
    [27] = RPC_PLAIN("RpcSetPrinterData"),
    [29] = RPC_PLAIN("RpcClosePrinter"),
    [35] = RPC_PLAIN("RpcEnumPorts"),
    [53] = RPC_PLAIN("RpcGetPrinterDriver2"),
    [56] = RPC_PLAIN("RpcFindClosePrinterChangeNotification"),
    [58] = RPC_PLAIN("RpcReplyOpenPrinter"),
    [60] = RPC_PLAIN("RpcReplyClosePrinter"),
    [62] = COERCE("RpcRemoteFindFirstPrinterChangeNotification", notification_request),
    [65] = COERCE("RpcRemoteFindFirstPrinterChangeNotificationEx", notification_request),
    [66] = RPC_PLAIN("RpcRouterReplyPrinterEx"),
    [69] = OPEN("RpcOpenPrinterEx"),
    [70] = RPC_PLAIN("RpcAddPrinterEx"),
    [72] = RPC_PLAIN("RpcEnumPrinterData"),
    [77] = RPC_PLAIN("RpcSetPrinterDataEx"),
    [78] = RPC_PLAIN("RpcGetPrinterDataEx"),
    [79] = RPC_PLAIN("RpcEnumPrinterDataEx"),
    [88] = RPC_PLAIN("RpcXcvData"),
    [89] = ADD_DRIVER("RpcAddPrinterDriverEx"),
    [102] = RPC_PLAIN("RpcGetCorePrinterDrivers"),
    [104] = RPC_PLAIN("RpcGetPrinterDriverPackagePath"),
};

const struct rpc_operations rpc_spoolss_operations = {spoolss, sizeof spoolss / sizeof *spoolss};

/* iremotewinspool ([MS-PAR] 3.1.4): the same, asynchronous. */
static const struct rpc_operation remotewinspool[] = {
    [0] = OPEN("RpcAsyncOpenPrinter"),
    [1] = RPC_PLAIN("RpcAsyncAddPrinter"),
    [20] = RPC_PLAIN("RpcAsyncClosePrinter"),
    [38] = RPC_PLAIN("RpcAsyncEnumPrinters"),
    [39] = ADD_DRIVER("RpcAsyncAddPrinterDriver"),
    [40] = RPC_PLAIN("RpcAsyncEnumPrinterDrivers"),
    [41] = RPC_PLAIN("RpcAsyncGetPrinterDriverDirectory"),
    [58] = RPC_PLAIN("RpcSyncRegisterForRemoteNotifications"),
    [62] = RPC_PLAIN("RpcAsyncInstallPrinterDriverFromPackage"),
    [63] = RPC_PLAIN("RpcAsyncUploadPrinterDriverPackage"),
};

const struct rpc_operations rpc_remotewinspool_operations = {remotewinspool,
                                                             sizeof remotewinspool / sizeof *remotewinspool};

/* -- netdfs --------------------------------------------------------------------------------------------- */

/* NetrDfsAddStdRoot, NetrDfsRemoveStdRoot, ...: ServerName (string), RootShare (string), ... */
static void root_request(struct rpc_call *call)
{
    struct bytes server = ndr_string16(&call->stub);
    rpc_put_utf16(call, FIELD_COERCION_TARGET, server);
}

static const struct rpc_operation netdfs[] = {
    [0] = RPC_PLAIN("NetrDfsManagerGetVersion"),
    [1] = RPC_PLAIN("NetrDfsAdd"),
    [2] = RPC_PLAIN("NetrDfsRemove"),
    [3] = RPC_PLAIN("NetrDfsSetInfo"),
    [4] = RPC_PLAIN("NetrDfsGetInfo"),
    [5] = RPC_PLAIN("NetrDfsEnum"),
    [6] = RPC_PLAIN("NetrDfsMove"),
    [10] = COERCE("NetrDfsAddFtRoot", root_request),
    [11] = COERCE("NetrDfsRemoveFtRoot", root_request),
    [12] = COERCE("NetrDfsAddStdRoot", root_request),
    [13] = COERCE("NetrDfsRemoveStdRoot", root_request),
    [14] = RPC_PLAIN("NetrDfsManagerInitialize"),
    [15] = COERCE("NetrDfsAddStdRootForced", root_request),
    [16] = RPC_PLAIN("NetrDfsGetDcAddress"),
    [17] = RPC_PLAIN("NetrDfsSetDcAddress"),
    [18] = RPC_PLAIN("NetrDfsFlushFtTable"),
    [19] = RPC_PLAIN("NetrDfsAdd2"),
    [20] = RPC_PLAIN("NetrDfsRemove2"),
    [21] = RPC_PLAIN("NetrDfsEnumEx"),
    [22] = RPC_PLAIN("NetrDfsSetInfo2"),
};

const struct rpc_operations rpc_netdfs_operations = {netdfs, sizeof netdfs / sizeof *netdfs};
