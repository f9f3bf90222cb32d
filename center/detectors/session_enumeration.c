/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_SESSION_ENUMERATE, ACTIVITY_NONE};

static void observe(struct detection *d, const struct observation *o)
{
    if (!on_controller(d, o) || by_controller(d, o))
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    explain_who(alert, o, "listed sessions, connections or logged-on users");
    alert_put_text(alert, "operation", observation_text(o, FIELD_RPC_OPERATION));
    alert_put_number(alert, "attempts", (double)observation_uint(o, FIELD_RPC_CALLS, 1));
    if (observation_has(o, FIELD_RPC_LEVEL))
        alert_put_number(alert, "level", (double)observation_uint(o, FIELD_RPC_LEVEL, 0));
    struct bytes user = observation_text(o, FIELD_SESSION_USER);
    if (user.size)
        alert_add_named(alert, ALERT_TARGET, SUBJECT_ACCOUNT, user, (struct bytes){0});
    alert_explain(alert, "A controller's sessions tell from which computers users work: who has them knows "
                         "where to look for a privileged account.");
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_session_enumeration = {
    .external_id = 2012,
    .name = "EnumerateSessionsSecurityAlert",
    .title = "User and IP address reconnaissance (SMB)",
    .word = "session_enumeration",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1049",
    .doc =
        "Sessions, connections, open files or logged-on users of a domain controller are listed by one that "
        "is none: NetrSessionEnum, NetrConnectionEnum, NetrFileEnum ([MS-SRVS] 3.1.4), NetrWkstaUserEnum "
        "([MS-WKST] 3.2.4). Refused tries count. Rule, no learning (published so). Inside encrypted SMB 3 "
        "the call is not seen.",
    .advice =
        "Ask the source's user what ran there; restrict who may list sessions (NetCease, SrvsvcSessionInfo). "
        "Exclude monitoring servers that do so lawfully.",
    .kinds = kinds,
    .key = key_by_origin,
    .observe = observe,
};
