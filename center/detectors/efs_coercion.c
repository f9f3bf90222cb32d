/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_COERCION, ACTIVITY_RPC_BIND, ACTIVITY_RPC_CALL,
                                           ACTIVITY_SMB_OPEN, ACTIVITY_NONE};

static bool is_efs(void *context, struct bytes name)
{
    (void)context;
    return text_begins(name, "efsrpc");
}

enum step { NOTHING, CONNECTED, CALLED };

static enum step step_of(const struct observation *o)
{
    switch (o->kind) {
    case ACTIVITY_COERCION:
    case ACTIVITY_RPC_CALL:
        return is_efs(NULL, observation_text(o, FIELD_RPC_INTERFACE)) ? CALLED : NOTHING;
    case ACTIVITY_RPC_BIND:
        return list_each(o, FIELD_RPC_INTERFACES, is_efs, NULL) ? CONNECTED : NOTHING;
    default:
        return text_is(observation_text(o, FIELD_FILE_PATH), "efsrpc") ? CONNECTED : NOTHING;
    }
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    return step_of(o) != NOTHING && on_controller(d, o) && !by_controller(d, o) ? key_by_origin(d, o)
                                                                                : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct alert *alert = detection_alert(d, o, detection_key(d));
    bool called = step_of(o) == CALLED;
    if (!called)
        alert->severity = SEVERITY_MEDIUM;
    explain_who(alert, o,
                called ? "called the Encrypting File System's service (PetitPotam)"
                       : "connected to the Encrypting File System's service");
    struct bytes target = observation_text(o, FIELD_COERCION_TARGET);
    struct words to;
    if (target.size) {
        alert_put_text(alert, "connects_to", target);
        alert_explain(alert, "The path it gave is %s.", words_text(&to, target, 120));
    }
    struct bytes operation = observation_text(o, FIELD_RPC_OPERATION),
                 pipe = observation_text(o, FIELD_RPC_PIPE);
    if (operation.size)
        alert_put_text(alert, "operation", operation);
    if (pipe.size)
        alert_put_text(alert, "pipe", pipe);
    alert_explain(
        alert,
        "Nothing lawful does so to a domain controller, which opens the path it is given and authenticates "
        "there; that can be relayed, to a certification authority for one.");
    explain_end(alert, o);
    if (observation_has(o, FIELD_RPC_REJECT_REASON))
        alert_explain(alert, "The server did not accept the interface.");
    detection_raise(d);
}

const struct detector detector_efs_coercion = {
    .external_id = 2416,
    .name = "EncryptingFileSystemRemoteProtocolSecurityAlert",
    .title = "Suspicious network connection over Encrypting File System Remote Protocol",
    .word = "efs_coercion",
    .severity = SEVERITY_HIGH,
    .mitre = "T1187",
    .doc = "EFSRPC ([MS-EFSR]) is called on a domain controller by one that is none, by any of its two "
           "interfaces and any pipe, also sealed (high); or bound to, or its pipe opened, also refused "
           "(medium). Domain controllers keep no files that others encrypt. Rule, no learning. Method: "
           "Topotam, \"PetitPotam\", 2021; CVE-2021-36942.",
    .advice = "Look whether the controller connected to the source right after, and whether a certificate "
              "was issued to it then (2432); patch, and demand EPA and signing where NTLM is accepted.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
