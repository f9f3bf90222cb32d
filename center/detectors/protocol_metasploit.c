/* SPDX-License-Identifier: Apache-2.0
 *
 * 2034: SMB as Metasploit speaks it.
 */
#include "center/detectors/client_stack.h"

static const enum activity_kind kinds[] = {ACTIVITY_SMB_NEGOTIATE, ACTIVITY_SMB_SESSION, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    struct client_stack stack;
    return client_stack_of(o, &stack) && stack.purpose == STACK_METASPLOIT ? o->origin : (struct subject){0};
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

const struct detector detector_protocol_metasploit = {
    .external_id = 2034,
    .name = "AbnormalProtocolSecurityAlert",
    .title = "Suspected use of the Metasploit hacking framework",
    .word = "protocol_metasploit",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1210",
    .doc = "Looks for SMB 1 session set-ups ([MS-CIFS] 2.2.4.53) in which the client calls itself Windows "
           "2000 with the "
           "words that Metasploit's SMB library uses by default, whichever computer it runs on "
           "(center/fingerprints/smb.def). Its newer library for SMB 2 looks like other clients, and is not "
           "told.",
    .advice = "Find out who tests the domain's security, or take the source off the network and search the "
              "servers that it "
              "connected to; switch SMB 1 off.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
