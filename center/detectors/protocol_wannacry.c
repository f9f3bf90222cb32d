/* SPDX-License-Identifier: Apache-2.0
 *
 * 2035: SMB as WannaCry speaks it.
 */
#include "center/detectors/client_stack.h"

static const enum activity_kind kinds[] = {ACTIVITY_SMB_NEGOTIATE, ACTIVITY_SMB_SESSION, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    return client_stack_smb_key(o, STACK_WANNACRY);
}

const struct detector detector_protocol_wannacry = {
    .external_id = 2035,
    .name = "AbnormalProtocolSecurityAlert",
    .title = "Suspected WannaCry ransomware attack",
    .word = "protocol_wannacry",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1210",
    .doc = "Looks for SMB 1 session set-ups ([MS-CIFS] 2.2.4.53) as WannaCry makes them, which spreads by "
           "CVE-2017-0144: the client calls itself Windows 2000 (2195), NTLM comes inside extended security, "
           "and no account is named; this is the published criterion (center/fingerprints/smb.def).",
    .advice = "Take the source off the network at once, and look for others like it; install the update "
              "MS17-010 and switch SMB 1 off.",
    .kinds = kinds,
    .key = key,
    .observe = client_stack_smb_observe,
};
