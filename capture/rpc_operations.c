/* SPDX-License-Identifier: Apache-2.0
 *
 * Which table of operations belongs to which interface, and those that have names only.
 */
#include "capture/rpc_calls.h"

static const struct rpc_operation mgmt[] = {
    [0] = RPC_PLAIN("inq_if_ids"),          [1] = RPC_PLAIN("inq_stats"),
    [2] = RPC_PLAIN("is_server_listening"), [3] = RPC_PLAIN("stop_server_listening"),
    [4] = RPC_PLAIN("inq_princ_name"),
};
static const struct rpc_operation dssetup[] = {
    [0] = RPC_PLAIN("DsRolerGetPrimaryDomainInformation"),
};
static const struct rpc_operation initshutdown[] = {
    [0] = RPC_PLAIN("BaseInitiateShutdown"),
    [1] = RPC_PLAIN("BaseAbortShutdown"),
    [2] = RPC_PLAIN("BaseInitiateShutdownEx"),
};
static const struct rpc_operation initshutdown_new[] = {
    [0] = RPC_PLAIN("WsdrInitiateShutdown"),
    [1] = RPC_PLAIN("WsdrAbortShutdown"),
};
static const struct rpc_operation icertpassage[] = {
    [0] = RPC_PLAIN("CertServerRequest"),
};
static const struct rpc_operation icertrequestd[] = {
    [3] = RPC_PLAIN("Request"),
    [4] = RPC_PLAIN("GetCACert"),
    [5] = RPC_PLAIN("Ping"),
};
static const struct rpc_operation icertrequestd2[] = {
    [3] = RPC_PLAIN("Request"),  [4] = RPC_PLAIN("GetCACert"),     [5] = RPC_PLAIN("Ping"),
    [6] = RPC_PLAIN("Request2"), [7] = RPC_PLAIN("GetCAProperty"), [8] = RPC_PLAIN("GetCAPropertyInfo"),
    [9] = RPC_PLAIN("Ping2"),
};
static const struct rpc_operation nspi[] = {
    [0] = RPC_PLAIN("NspiBind"),
    [1] = RPC_PLAIN("NspiUnbind"),
    [2] = RPC_PLAIN("NspiUpdateStat"),
    [3] = RPC_PLAIN("NspiQueryRows"),
    [4] = RPC_PLAIN("NspiSeekEntries"),
    [5] = RPC_PLAIN("NspiGetMatches"),
    [6] = RPC_PLAIN("NspiResortRestriction"),
    [7] = RPC_PLAIN("NspiDNToMId"),
    [8] = RPC_PLAIN("NspiGetPropList"),
    [9] = RPC_PLAIN("NspiGetProps"),
    [12] = RPC_PLAIN("NspiGetSpecialTable"),
    [19] = RPC_PLAIN("NspiResolveNames"),
    [20] = RPC_PLAIN("NspiResolveNamesW"),
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
