/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_COERCION, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    return text_is(observation_text(o, FIELD_RPC_INTERFACE), "netdfs") && on_controller(d, o) &&
                   !by_controller(d, o)
               ? key_by_origin(d, o)
               : (struct subject){0};
}

/* Its own name or address: what an administrator of a DFS root gives. */
static bool is_the_server(const struct observation *o, struct bytes target)
{
    while (target.size && (*target.data == '\\' || *target.data == '/')) {
        target.data++;
        target.size--;
    }
    char address[IP_ADDRESS_TEXT_MAX], name[128];
    struct bytes computer = o->destination.kind == SUBJECT_COMPUTER ? o->destination.name : (struct bytes){0};
    if (o->destination_address.family) {
        ip_address_text(&o->destination_address, address);
        if (text_is(target, address))
            return true;
    }
    if (computer.size == 0 || computer.size >= sizeof(name))
        return false;
    __builtin_memcpy(name, computer.data, computer.size);
    name[computer.size] = '\0';
    return text_is(target, name) || (text_begins(target, name) && target.data[computer.size] == '.');
}

static void observe(struct detection *d, const struct observation *o)
{
    struct bytes target = observation_text(o, FIELD_COERCION_TARGET);
    if (target.size == 0)
        target = observation_text(o, FIELD_RPC_SERVER);
    if (target.size && is_the_server(o, target))
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    struct words to;
    explain_who(alert, o,
                "had the Distributed File System's service look at a computer of its choice (DFSCoerce)");
    if (target.size) {
        alert_put_text(alert, "connects_to", target);
        alert_explain(alert, "It named %s.", words_text(&to, target, 120));
    }
    alert_put_text(alert, "operation", observation_text(o, FIELD_RPC_OPERATION));
    alert_explain(alert, "The controller connects there and authenticates, which can be relayed.");
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_dfs_coercion = {
    .external_id = 2426,
    .name = "DfsCoerceSecurityAlert",
    .title = "Suspected DFSCoerce attack using Distributed File System Protocol",
    .word = "dfs_coercion",
    .severity = SEVERITY_HIGH,
    .mitre = "T1187",
    .doc = "NetrDfsAddStdRoot or NetrDfsRemoveStdRoot ([MS-DFSNM] 3.1.4.4) is called on a domain controller "
           "by one that is none, naming another server than the one that is called; also sealed, where the "
           "name is not seen. Administering a DFS root names the server itself. Rule, no learning. Method: "
           "Filip Dragovic, \"DFSCoerce\", 2022.",
    .advice = "Look whether the controller connected to the source right after; demand EPA and signing where "
              "NTLM is accepted.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
