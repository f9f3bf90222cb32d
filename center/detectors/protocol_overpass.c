/* SPDX-License-Identifier: Apache-2.0
 *
 * 2002: a client that speaks as tools of attackers do.
 */
#include "center/detectors/client_stack.h"

enum { SETTING_WINDOW };

static const struct detector_setting settings[] = {
    [SETTING_WINDOW] =
        {"window", "s", 30, 60, 300, 1, 3600,
         "For how long after its negotiation an SMB or NTLM authentication of the same source is "
         "taken for that of the same program."},
    {0},
};

static const struct state_form tables[] = {
    {"sources", 1, sizeof(struct stack_seen), 16384, STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {STACK_KINDS, ACTIVITY_NTLM_AUTHENTICATE, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    struct client_stack stack;
    bool known = client_stack_of(o, &stack) && stack.purpose == STACK_TOOLKIT;
    /* Else of interest is only what a program that was recognised goes on to do. */
    return known || detection_look(d, 0, o->origin) ? o->origin : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct client_stack stack;
    bool known = client_stack_of(o, &stack) && stack.purpose == STACK_TOOLKIT;
    const struct stack_seen *before = detection_look(d, 0, detection_key(d));
    if (!known) {
        int64_t window = (int64_t)detection_setting(d, SETTING_WINDOW) * STATISTICS_SECOND;
        bool goes_on = (o->kind == ACTIVITY_SMB_SESSION || o->kind == ACTIVITY_NTLM_AUTHENTICATE) &&
                       party_is(&o->account) && before && o->time >= before->time &&
                       o->time - before->time <= window;
        if (!goes_on)
            return;
        struct stack_seen copy = *before;
        stack = stack_seen_get(&copy);
        client_stack_alert(d, o, &stack);
        detection_raise(d);
        return;
    }
    if (o->kind == ACTIVITY_SMB_NEGOTIATE || o->kind == ACTIVITY_SMB_SESSION) {
        struct stack_seen *seen = detection_use(d, 0, detection_key(d), NULL);
        if (seen)
            stack_seen_keep(seen, &stack, o->time);
    }
    struct alert *alert = client_stack_alert(d, o, &stack);
    alert_explain(alert,
                  "This may be a result of malicious tools used for attacks such as overpass-the-hash, "
                  "pass-the-hash and brute force; tests of the own security use the same.");
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_protocol_overpass = {
    .external_id = 2002,
    .name = "AbnormalProtocolSecurityAlert",
    .title = "Suspected overpass-the-hash attack (unusual protocol implementation)",
    .word = "protocol_overpass",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1550.002",
    .doc =
        "Compares how a client implements Kerberos and SMB with fingerprints of the tools that attackers use "
        "(center/fingerprints/kerberos.def and smb.def, each with its source): options, encryption types, "
        "pre-authentication data and name types of AS and TGS requests (RFC 4120 5.4.1), capabilities, "
        "client GUID and what the client calls itself in SMB ([MS-SMB2] 2.2.3, [MS-CIFS] 2.2.4.53). Each "
        "fingerprint is of things that Windows, MIT Kerberos, Heimdal and Samba never send together. The "
        "accounts that authenticate from the same source right after are added.",
    .advice =
        "Find out which program on the source it is. If nobody tests the domain's security, take the source "
        "off the network and reset the accounts that it used.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
