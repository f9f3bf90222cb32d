/* SPDX-License-Identifier: Apache-2.0
 *
 * 2035: SMB as WannaCry speaks it.
 */
#include "center/detectors/client_stack.h"

static const enum activity_kind kinds[] = {ACTIVITY_SMB_NEGOTIATE, ACTIVITY_SMB_SESSION, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    struct client_stack stack;
    return client_stack_of(o, &stack) && stack.purpose == STACK_WANNACRY ? o->origin : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct client_stack stack;
    if (!client_stack_of(o, &stack))
        return;
    struct alert *alert = client_stack_alert(d, o, &stack);
    alert_put_text(alert, "client_os", observation_text(o, FIELD_CLIENT_OS));
    alert_explain(alert, "The client says to be %.*s, which nothing current is.",
                  PRINTED(observation_text(o, FIELD_CLIENT_OS)));
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_protocol_wannacry = {
    .external_id = 2035,
    .name = "AbnormalProtocolSecurityAlert",
    .title = "Suspected WannaCry ransomware attack",
    .word = "protocol_wannacry",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1210",
    .doc =
        "Looks for SMB 1 session set-ups ([MS-CIFS] 2.2.4.53) as WannaCry makes them, which spreads by "
        "CVE-2017-0144: "
        "the client calls itself Windows 2000 (2195), NTLM comes inside extended security, and no account is "
        "named; this is the published criterion (center/fingerprints/smb.def).",
    .advice = "Take the source off the network at once, and look for others like it; install the update "
              "MS17-010 and switch "
              "SMB 1 off.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
