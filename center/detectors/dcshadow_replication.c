/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_DRS_REPLICA_ADD,  ACTIVITY_DRS_UPDATE_REFS,
                                           ACTIVITY_DRS_BIND,         ACTIVITY_KERBEROS_AP,
                                           ACTIVITY_DIRECTORY_ACCESS, ACTIVITY_NONE};

static const struct state_form tables[] = {
    {.name = "partners",
     .version = 1,
     .value_size = sizeof(struct replication),
     .capacity = 4096,
     .lifetime = 7 * STATISTICS_DAY},
    {0},
};

#define CONTROL_ACCESS 0x100u /* [MS-ADTS] 5.1.3.2 */
static const char manage_topology[] = "1131f6ac-9c07-11d1-f79f-00c04fc2dcd2";

static bool is_topology_change(const struct observation *o)
{
    if (o->kind == ACTIVITY_DIRECTORY_ACCESS)
        return observation_uint(o, FIELD_ACCESS_MASK, 0) & CONTROL_ACCESS &&
               observation_list_has_text(o, FIELD_PROPERTY_GUIDS, manage_topology);
    /* IDL_DRSReplicaSync (2) starts a replication between partners that are there already: repadmin does. */
    return o->kind == ACTIVITY_DRS_UPDATE_REFS || observation_uint(o, FIELD_RPC_OPNUM, 0) != 2;
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    if (o->kind == ACTIVITY_KERBEROS_AP)
        return is_replication_logon(o) ? replication_pair(d, o) : (struct subject){0};
    if (o->kind != ACTIVITY_DIRECTORY_ACCESS)
        return replication_pair(d, o);
    return is_topology_change(o) ? key_by_origin(d, o) : (struct subject){0};
}

/* Without a directory, controllers are known by their asking each other; who announces a new source is not
 * taken at its word. */
static bool is_partner(struct detection *d, const struct observation *o)
{
    if (o->kind == ACTIVITY_DIRECTORY_ACCESS)
        return false;
    struct replication *replication = detection_use(d, 0, detection_key(d), NULL);
    return replication && replication_add(replication, d, o) && o->kind == ACTIVITY_DRS_UPDATE_REFS;
}

static void observe(struct detection *d, const struct observation *o)
{
    struct facts facts;
    if (is_partner(d, o) || o->kind == ACTIVITY_DRS_BIND || o->kind == ACTIVITY_KERBEROS_AP ||
        !is_topology_change(o))
        return;
    if (by_controller(d, o) || (o->kind == ACTIVITY_DIRECTORY_ACCESS && by_computer_account(o) &&
                                !detection_facts(d, &o->account, &facts)))
        return;
    struct alert *alert = detection_alert(d, o, key_by_origin(d, o));
    explain_who(alert, o,
                o->kind == ACTIVITY_DIRECTORY_ACCESS
                    ? "used the right to change who replicates with whom"
                    : "told a controller to replicate from or to another one");
    struct bytes partner = observation_text(o, FIELD_DRS_PARTNER);
    if (partner.size) {
        alert_put_text(alert, "partner", partner);
        alert_add_named(alert, ALERT_RESOURCE, SUBJECT_COMPUTER, partner, (struct bytes){0});
    }
    struct bytes operation = observation_text(o, FIELD_RPC_OPERATION);
    if (operation.size)
        alert_put_text(alert, "operation", operation);
    alert_explain(alert,
                  "It is not known to be a domain controller. A false controller gets its changes into the "
                  "directory so, past all audit (DCShadow).");
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_dcshadow_replication = {
    .external_id = 2029,
    .name = "DirectoryServicesRogueReplicationSecurityAlert",
    .title = "Suspected DCShadow attack (domain controller replication request)",
    .word = "dcshadow_replication",
    .severity = SEVERITY_HIGH,
    .mitre = "T1207",
    .doc = "One that is no domain controller adds, changes or removes a replication source or partner: "
           "IDL_DRSReplicaAdd, Del, Modify and UpdateRefs ([MS-DRSR] 4.1.19 to 4.1.26; also sealed), or, in "
           "event 4662, uses DS-Replication-Manage-Topology. DRSReplicaSync alone is left out: it starts a "
           "replication between partners that are there already, as repadmin and its like do. Rule, no "
           "learning. Method: Delpy, Le Toux, \"DCShadow\", BlueHat IL 2018.",
    .advice =
        "Look at Configuration/Sites for servers that are none, and at what was replicated; compare with a "
        "backup. Exclude those who set up replication by hand.",
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
