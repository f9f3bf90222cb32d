/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_PRINTER_DRIVER_ADD, ACTIVITY_COERCION, ACTIVITY_NONE};

enum { SETTING_CLIENTS };
static const struct detector_setting settings[] = {
    {"clients", "", 3, 5, 20, 2, 1000,
     "From how many different sources within a day a server is taken for a print server, which lawful "
     "clients ask to be notified by: what it is asked then is not told."},
    {0},
};

/* Of a server. */
struct server {
    struct distinct_window clients;
};

static const struct state_form tables[] = {
    {.name = "servers",
     .version = 1,
     .value_size = sizeof(struct server),
     .capacity = 10000,
     .lifetime = 7 * STATISTICS_DAY},
    {0},
};

static bool is_notification(const struct observation *o)
{
    return o->kind == ACTIVITY_COERCION && text_is(observation_text(o, FIELD_RPC_INTERFACE), "spoolss");
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    bool matters = o->kind == ACTIVITY_PRINTER_DRIVER_ADD || is_notification(o);
    return matters && !by_controller(d, o) ? o->destination.subject : (struct subject){0};
}

static bool is_remote_path(void *context, struct bytes path)
{
    (void)context;
    return text_begins(path, "\\\\") && !text_begins(path, "\\\\?\\") && !text_begins(path, "\\\\.\\");
}

static void driver_added(struct detection *d, const struct observation *o)
{
    bool remote = list_each(o, FIELD_PRINTER_DRIVER_PATHS, is_remote_path, NULL);
    if (!remote && !on_controller(d, o))
        return;
    struct alert *alert = detection_alert(d, o, o->origin);
    if (!remote)
        alert->severity = SEVERITY_MEDIUM;
    explain_who(alert, o, "installed a printer driver (PrintNightmare)");
    struct bytes driver = observation_text(o, FIELD_PRINTER_DRIVER);
    if (driver.size)
        alert_put_text(alert, "driver", driver);
    struct bytes path = list_after(o, FIELD_PRINTER_DRIVER_PATHS, "\\\\");
    if (remote) {
        struct words from;
        alert_put_text(alert, "path", path);
        alert_explain(alert, "A file of it comes from another computer: \\\\%s.",
                      words_text(&from, path, 160));
    }
    alert_explain(alert,
                  "The spooler loads the driver with the system's rights (CVE-2021-34527, CVE-2021-1675).");
    explain_end(alert, o);
    detection_raise(d);
}

static void notification_asked(struct detection *d, const struct observation *o)
{
    struct server *server = detection_use(d, 0, detection_key(d), NULL);
    if (!server)
        return;
    uint32_t clients = distinct_window_add(&server->clients, o->origin.low, o->time, STATISTICS_DAY);
    if (!on_controller(d, o) || clients >= detection_setting(d, SETTING_CLIENTS))
        return;
    struct alert *alert = detection_alert(d, o, o->origin);
    alert->severity = SEVERITY_MEDIUM;
    explain_who(alert, o, "had the print spooler connect to a computer of its choice (printer bug)");
    struct bytes target = observation_text(o, FIELD_COERCION_TARGET);
    if (target.size) {
        struct words to;
        alert_put_text(alert, "connects_to", target);
        alert_explain(alert, "It is to connect to %s.", words_text(&to, target, 100));
    }
    alert_put_compared(alert, "clients", clients, settings[SETTING_CLIENTS].name,
                       detection_setting(d, SETTING_CLIENTS));
    alert_explain(
        alert,
        "The controller then authenticates there, which can be relayed. A print server is asked so by "
        "many; this one by %u within a day.",
        clients);
    explain_end(alert, o);
    detection_raise(d);
}

static void observe(struct detection *d, const struct observation *o)
{
    if (is_notification(o))
        notification_asked(d, o);
    else
        driver_added(d, o);
}

const struct detector detector_print_spooler = {
    .external_id = 2415,
    .name = "PrintSpoolerExploitationSecurityAlert",
    .title = "Suspected exploitation attempt on Windows Print Spooler service",
    .word = "print_spooler",
    .severity = SEVERITY_HIGH,
    .mitre = "T1210",
    .doc = "PrintNightmare: a printer driver is installed remotely ([MS-RPRN] RpcAddPrinterDriverEx, "
           "[MS-PAR]) of which a file comes by a network path (high), or on a domain controller from "
           "anywhere, also sealed (medium). Printer bug: a domain controller that is no print server is "
           "asked to notify a client of changes (RpcRemoteFindFirstPrinterChangeNotification and -Ex), for "
           "which it connects to the computer that the caller names (medium; Christensen, Schroeder, Nelson, "
           "\"The Unintended Risks of Trusting Active Directory\", DerbyCon 2018). A server that many ask so "
           "within a day is a print server. Rule, no learning.",
    .advice = "Stop the spooler on domain controllers. Look whether the controller connected to the source, "
              "and whether that log-on was relayed.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
