/* SPDX-License-Identifier: Apache-2.0
 *
 * Which table of operations belongs to which interface, and those that have names only.
 */
#include "capture/rpc_calls.h"

#define PLAIN(name)                                                                                          \
    {                                                                                                        \
        name, ACTIVITY_NONE, 0, NULL, NULL                                                                   \
    }

static const struct rpc_operation mgmt[] = {
    [0] = PLAIN("inq_if_ids"),          [1] = PLAIN("inq_stats"),
    [2] = PLAIN("is_server_listening"), [3] = PLAIN("stop_server_listening"),
    [4] = PLAIN("inq_princ_name"),
};
static const struct rpc_operation dssetup[] = {
    [0] = PLAIN("DsRolerGetPrimaryDomainInformation"),
};
static const struct rpc_operation initshutdown[] = {
    [0] = PLAIN("BaseInitiateShutdown"),
    [1] = PLAIN("BaseAbortShutdown"),
    [2] = PLAIN("BaseInitiateShutdownEx"),
};
static const struct rpc_operation initshutdown_new[] = {
    [0] = PLAIN("WsdrInitiateShutdown"),
    [1] = PLAIN("WsdrAbortShutdown"),
};
static const struct rpc_operation icertpassage[] = {
    [0] = PLAIN("CertServerRequest"),
};
static const struct rpc_operation icertrequestd[] = {
    [3] = PLAIN("Request"),
    [4] = PLAIN("GetCACert"),
    [5] = PLAIN("Ping"),
};
static const struct rpc_operation icertrequestd2[] = {
    [3] = PLAIN("Request"),  [4] = PLAIN("GetCACert"),     [5] = PLAIN("Ping"),
    [6] = PLAIN("Request2"), [7] = PLAIN("GetCAProperty"), [8] = PLAIN("GetCAPropertyInfo"),
    [9] = PLAIN("Ping2"),
};
static const struct rpc_operation nspi[] = {
    [0] = PLAIN("NspiBind"),
    [1] = PLAIN("NspiUnbind"),
    [2] = PLAIN("NspiUpdateStat"),
    [3] = PLAIN("NspiQueryRows"),
    [4] = PLAIN("NspiSeekEntries"),
    [5] = PLAIN("NspiGetMatches"),
    [6] = PLAIN("NspiResortRestriction"),
    [7] = PLAIN("NspiDNToMId"),
    [8] = PLAIN("NspiGetPropList"),
    [9] = PLAIN("NspiGetProps"),
    [12] = PLAIN("NspiGetSpecialTable"),
    [19] = PLAIN("NspiResolveNames"),
    [20] = PLAIN("NspiResolveNamesW"),
};

#define NAMES(of)                                                                                            \
    {                                                                                                        \
        of, sizeof of / sizeof *of                                                                           \
    }

static const struct rpc_operations mgmt_operations = NAMES(mgmt);
static const struct rpc_operations dssetup_operations = NAMES(dssetup);
static const struct rpc_operations initshutdown_operations = NAMES(initshutdown);
static const struct rpc_operations initshutdown_new_operations = NAMES(initshutdown_new);
static const struct rpc_operations icertpassage_operations = NAMES(icertpassage);
static const struct rpc_operations icertrequestd_operations = NAMES(icertrequestd);
static const struct rpc_operations icertrequestd2_operations = NAMES(icertrequestd2);
static const struct rpc_operations nspi_operations = NAMES(nspi);

static const struct rpc_operations *const operations[RPC_INTERFACE_COUNT] = {
    [RPC_SAMR] = &rpc_samr_operations,
    [RPC_LSARPC] = &rpc_lsarpc_operations,
    [RPC_NETLOGON] = &rpc_netlogon_operations,
    [RPC_DRSUAPI] = &rpc_drsuapi_operations,
    [RPC_SVCCTL] = &rpc_svcctl_operations,
    [RPC_ATSVC] = &rpc_atsvc_operations,
    [RPC_ITASKSCHEDULERSERVICE] = &rpc_scheduler_operations,
    [RPC_SASEC] = &rpc_sasec_operations,
    [RPC_SRVSVC] = &rpc_srvsvc_operations,
    [RPC_WKSSVC] = &rpc_wkssvc_operations,
    [RPC_EPMAPPER] = &rpc_epmapper_operations,
    [RPC_DNSSERVER] = &rpc_dnsserver_operations,
    [RPC_DSSETUP] = &dssetup_operations,
    [RPC_NSPI] = &nspi_operations,
    [RPC_WINREG] = &rpc_winreg_operations,
    [RPC_SPOOLSS] = &rpc_spoolss_operations,
    [RPC_IREMOTEWINSPOOL] = &rpc_remotewinspool_operations,
    [RPC_EFSRPC_LSA] = &rpc_efsrpc_operations,
    [RPC_EFSRPC] = &rpc_efsrpc_operations,
    [RPC_BACKUPKEY] = &rpc_backupkey_operations,
    [RPC_EVENTLOG] = &rpc_eventlog_operations,
    [RPC_EVENTLOG6] = &rpc_eventlog6_operations,
    [RPC_IOXIDRESOLVER] = &rpc_oxidresolver_operations,
    [RPC_ISYSTEMACTIVATOR] = &rpc_systemactivator_operations,
    [RPC_IREMOTEACTIVATION] = &rpc_remoteactivation_operations,
    [RPC_IREMUNKNOWN] = &rpc_remunknown_operations,
    [RPC_IREMUNKNOWN2] = &rpc_remunknown_operations,
    [RPC_IWBEMLEVEL1LOGIN] = &rpc_wbemlogin_operations,
    [RPC_IWBEMSERVICES] = &rpc_wbemservices_operations,
    [RPC_IENUMWBEMCLASSOBJECT] = &rpc_enumerator_operations,
    [RPC_IDISPATCH] = &rpc_dispatch_operations,
    [RPC_NETDFS] = &rpc_netdfs_operations,
    [RPC_MGMT] = &mgmt_operations,
    [RPC_INITSHUTDOWN] = &initshutdown_new_operations,
    [RPC_INITSHUTDOWN_OLD] = &initshutdown_operations,
    [RPC_ICERTREQUESTD2] = &icertrequestd2_operations,
    [RPC_ICERTREQUESTD] = &icertrequestd_operations,
    [RPC_ICERTPASSAGE] = &icertpassage_operations,
};

const struct rpc_operation *rpc_operation_get(enum rpc_interface interface, uint16_t opnum)
{
    const struct rpc_operations *of = operations[interface];
    if (!of || opnum >= of->count || !of->list[opnum].name)
        return NULL;
    return &of->list[opnum];
}
