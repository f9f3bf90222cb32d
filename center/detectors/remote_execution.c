/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

#include <string.h>

static const enum activity_kind kinds[] = {
    ACTIVITY_SERVICE_CONTROL,  ACTIVITY_TASK_CONTROL, ACTIVITY_WMI_CALL,
    ACTIVITY_DCOM_ACTIVATE,    ACTIVITY_HTTP_REQUEST, ACTIVITY_SMB_OPEN,
    ACTIVITY_DNSSERVER_MANAGE, ACTIVITY_RPC_BIND,     ACTIVITY_NONE};

/* Objects that run commands for whoever may create them: MMC20.Application, ShellWindows, ShellBrowserWindow;
 * in the wire's order. */
static const uint8_t commanding_classes[][16] = {
    {0x1a, 0x79, 0xb2, 0x49, 0xae, 0xb1, 0x90, 0x4c, 0x9b, 0x8e, 0xe8, 0x60, 0xba, 0x07, 0xf8, 0x89},
    {0x72, 0x59, 0xa0, 0x9b, 0xa8, 0xf6, 0xcf, 0x11, 0xa4, 0x42, 0x00, 0xa0, 0xc9, 0x0a, 0x8f, 0x39},
    {0x90, 0xfd, 0x8a, 0xc0, 0xa1, 0xf2, 0xd1, 0x11, 0x84, 0x55, 0x00, 0xa0, 0xc9, 0x1f, 0x38, 0x80},
};

static const char *service_method(const struct observation *o)
{
    switch (observation_uint(o, FIELD_RPC_OPNUM, UINT64_MAX)) { /* [MS-SCMR] 3.1.4 */
    case 12:                                                    /* RCreateServiceW */
    case 24:                                                    /* RCreateServiceA */
    case 44:                                                    /* RCreateServiceWOW64A */
    case 45:                                                    /* RCreateServiceWOW64W */
    case 60:                                                    /* RCreateWowService */
        return "created a service";
    case 11: /* RChangeServiceConfigW */
    case 23: /* RChangeServiceConfigA */
        return observation_text(o, FIELD_SERVICE_BINARY).size ? "changed what a service runs" : NULL;
    default:
        return NULL;
    }
}

static const char *task_method(const struct observation *o)
{
    uint64_t opnum = observation_uint(o, FIELD_RPC_OPNUM, UINT64_MAX);
    if (text_is(observation_text(o, FIELD_RPC_INTERFACE), "atsvc"))
        return opnum == 0 ? "scheduled a task" : NULL;            /* NetrJobAdd, [MS-TSCH] 3.2.5.2.1 */
    return opnum == 1 || opnum == 12 ? "scheduled a task" : NULL; /* SchRpcRegisterTask, SchRpcRun */
}

static const char *wmi_method(const struct observation *o)
{
    uint64_t opnum = observation_uint(o, FIELD_RPC_OPNUM, UINT64_MAX);
    if (!text_is(observation_text(o, FIELD_RPC_INTERFACE), "iwbemservices") || (opnum != 24 && opnum != 25))
        return NULL; /* ExecMethod, ExecMethodAsync: [MS-WMI] 3.1.4.3 */
    struct bytes object = observation_text(o, FIELD_WMI_OBJECT);
    /* The registry provider is what inventories read by; what it is asked for is no execution. */
    return text_is(object, "StdRegProv") ? NULL : "called a method of WMI";
}

static const char *dcom_method(const struct observation *o)
{
    struct bytes clsid = observation_text(o, FIELD_DCOM_CLASS);
    for (unsigned i = 0; i < sizeof(commanding_classes) / 16; i++)
        if (clsid.size == 16 && memcmp(clsid.data, commanding_classes[i], 16) == 0)
            return "created a DCOM object that runs commands";
    return NULL;
}

/* What DCOM activates is not seen where it is sealed. Then the interface tells, by which such objects are
 * called
 * ([MS-OAUT] 3.1.4), and hardly anything else is from another computer. Activation itself is there on every
 * Windows: a server that refuses it hides what would have come. */
static const char *bind_method(const struct observation *o)
{
    static const char dispatch[] = "00020400-0000-0000-c000-000000000046", activation[] = "isystemactivator";
    if (observation_list_has_text(o, FIELD_RPC_ACCEPTED, dispatch))
        return "called a DCOM object by IDispatch, as those are that run commands,";
    return observation_has(o, FIELD_RPC_REJECT_REASON) &&
                   observation_list_has_text(o, FIELD_RPC_INTERFACES, activation) &&
                   !observation_list_has_text(o, FIELD_RPC_ACCEPTED, activation)
               ? "asked in vain to create DCOM objects, as WMI does and others that run commands,"
               : NULL;
}

static const char *method_of(const struct observation *o)
{
    switch (o->kind) {
    case ACTIVITY_SERVICE_CONTROL:
        return service_method(o);
    case ACTIVITY_TASK_CONTROL:
        return task_method(o);
    case ACTIVITY_WMI_CALL:
        return wmi_method(o);
    case ACTIVITY_DCOM_ACTIVATE:
        return dcom_method(o);
    case ACTIVITY_RPC_BIND:
        return bind_method(o);
    case ACTIVITY_DNSSERVER_MANAGE: /* [MS-DNSP] 3.1.1.1.2: a library that the server loads */
        return text_is(observation_text(o, FIELD_DNSSERVER_OPERATION), "ServerLevelPluginDll") &&
                       observation_text(o, FIELD_DNSSERVER_VALUE).size
                   ? "had the DNS server load a library"
                   : NULL;
    case ACTIVITY_HTTP_REQUEST:
        return text_is(observation_text(o, FIELD_HTTP_SERVICE), "winrm") &&
                       observation_uint(o, FIELD_STATUS, 0) != 401
                   ? "used Windows Remote Management"
                   : NULL;
    case ACTIVITY_SMB_OPEN: /* only "at" and what attacks with it still go over this pipe */
        return text_is(observation_text(o, FIELD_FILE_PATH), "atsvc") ? "opened the pipe that schedules tasks"
                                                                      : NULL;
    default:
        return NULL;
    }
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    return method_of(o) && !by_controller(d, o) && on_controller(d, o) ? key_by_origin(d, o)
                                                                       : (struct subject){0};
}

static void put(struct alert *alert, const struct observation *o, const char *name, enum activity_field field)
{
    struct bytes text = observation_text(o, field);
    if (text.size)
        alert_put_text(alert, name, text);
}

static void observe(struct detection *d, const struct observation *o)
{
    struct alert *alert = detection_alert(d, o, detection_key(d));
    explain_who(alert, o, method_of(o));
    put(alert, o, "operation", FIELD_RPC_OPERATION);
    put(alert, o, "service", FIELD_SERVICE_NAME);
    put(alert, o, "command", FIELD_SERVICE_BINARY);
    put(alert, o, "task", FIELD_TASK_PATH);
    put(alert, o, "command", FIELD_TASK_COMMAND);
    put(alert, o, "arguments", FIELD_TASK_ARGUMENTS);
    put(alert, o, "wmi_object", FIELD_WMI_OBJECT);
    put(alert, o, "wmi_method", FIELD_WMI_METHOD);
    put(alert, o, "path", FIELD_HTTP_PATH);
    put(alert, o, "pipe", FIELD_FILE_PATH);
    put(alert, o, "library", FIELD_DNSSERVER_VALUE);
    alert_explain(alert,
                  "So commands can be run on a domain controller; its administration from another computer "
                  "looks the same.");
    if (o->kind != ACTIVITY_HTTP_REQUEST)
        explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_remote_execution = {
    .external_id = 2019,
    .name = "RemoteExecutionSecurityAlert",
    .title = "Remote code execution attempt",
    .word = "remote_execution",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1569.002",
    .doc =
        "On a domain controller, from a computer that is none: a service is created, or what it runs is "
        "changed ([MS-SCMR]); a task is registered or run ([MS-TSCH], at and schtasks), or the pipe of at is "
        "opened; a method of WMI is called ([MS-WMI] ExecMethod; also sealed, but not of StdRegProv, which "
        "inventories read the registry by); a DCOM object that runs commands is created, or one called by "
        "IDispatch ([MS-OAUT]; also sealed), or DCOM asked for and refused; the DNS server is told to load a "
        "library (ServerLevelPluginDll); Windows Remote Management is used. Rule, no learning (published "
        "so).",
    .advice =
        "Ask the account's owner whether the controller was administered so; if not, take the source off the "
        "network and reset the account's password. Exclude the administrators' computers.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
