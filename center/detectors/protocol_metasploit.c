/* SPDX-License-Identifier: Apache-2.0
 *
 * 2034: SMB as Metasploit speaks it.
 */
#include "center/detectors/client_stack.h"

static const enum activity_kind kinds[] = {ACTIVITY_SMB_NEGOTIATE, ACTIVITY_SMB_SESSION, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    return client_stack_smb_key(o, STACK_METASPLOIT);
}

const struct detector detector_protocol_metasploit = {
    .external_id = 2034,
    .name = "AbnormalProtocolSecurityAlert",
    .title = "Suspected use of the Metasploit hacking framework",
    .word = "protocol_metasploit",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1210",
    .doc = "Looks for SMB 1 session set-ups ([MS-CIFS] 2.2.4.53) in which the client calls itself Windows "
           "2000 with the words that Metasploit's SMB library uses by default, whichever computer it runs on "
           "(center/fingerprints/smb.def). Its newer library for SMB 2 looks like other clients, and is not "
           "told.",
    .advice = "Find out who tests the domain's security, or take the source off the network and search the "
              "servers that it connected to; switch SMB 1 off.",
    .kinds = kinds,
    .key = key,
    .observe = client_stack_smb_observe,
};
