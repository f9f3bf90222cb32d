/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/authentication.h"
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_DRS_REPLICATE,    ACTIVITY_DRS_BIND,
                                           ACTIVITY_KERBEROS_AP,      ACTIVITY_LDAP_SEARCH,
                                           ACTIVITY_DIRECTORY_ACCESS, ACTIVITY_NONE};

static const struct state_form tables[] = {
    {.name = "partners",
     .version = 1,
     .value_size = sizeof(struct replication),
     .capacity = 4096,
     .lifetime = 7 * STATISTICS_DAY},
    {0},
};

/* [MS-ADTS] 3.1.1.3.4.1.3: only what the client may read anyway, which needs no right to replicate. */
#define DIRSYNC_OBJECT_SECURITY 0x1u
/* [MS-ADTS] 5.1.3.2: a control access right is used. */
#define CONTROL_ACCESS 0x100u

/* [MS-DRSR] 4.1.10.2.22. */
enum { EXOP_REPL_OBJECT = 6, EXOP_REPL_SECRETS = 7 };

static const char get_changes_all[] = "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2";
static const char get_changes_filtered[] = "89e95b76-444d-4c62-991a-0facbeda640c";

static bool is_replication(const struct observation *o)
{
    if (o->kind == ACTIVITY_DRS_REPLICATE)
        return true;
    if (o->kind == ACTIVITY_KERBEROS_AP)
        return false;
    if (o->kind == ACTIVITY_LDAP_SEARCH)
        return observation_has(o, FIELD_DIRSYNC_FLAGS) &&
               !(observation_uint(o, FIELD_DIRSYNC_FLAGS, 0) & DIRSYNC_OBJECT_SECURITY);
    return observation_uint(o, FIELD_ACCESS_MASK, 0) & CONTROL_ACCESS &&
           (observation_list_has_text(o, FIELD_PROPERTY_GUIDS, get_changes_all) ||
            observation_list_has_text(o, FIELD_PROPERTY_GUIDS, get_changes_filtered));
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    if (o->kind == ACTIVITY_DRS_BIND || o->kind == ACTIVITY_DRS_REPLICATE || is_replication_logon(o))
        return replication_pair(d, o);
    return is_replication(o) ? key_by_origin(d, o) : (struct subject){0};
}

/* Without a directory, controllers are known by their asking each other. */
static bool is_partner(struct detection *d, const struct observation *o)
{
    if (o->kind == ACTIVITY_LDAP_SEARCH || o->kind == ACTIVITY_DIRECTORY_ACCESS)
        return false;
    struct replication *replication = detection_use(d, 0, detection_key(d), NULL);
    return replication && replication_add(replication, d, o);
}

/* An event names no address, only the account: of a computer's it must be known that it is no controller's.
 */
static bool may_replicate(const struct detection *d, const struct observation *o)
{
    if (by_controller(d, o) || detection_is(d, &o->account, FACT_SYNCHRONIZER))
        return true;
    struct facts facts;
    return o->kind == ACTIVITY_DIRECTORY_ACCESS && by_computer_account(o) &&
           !detection_facts(d, &o->account, &facts);
}

/* One object with its secrets, which is how tools take single accounts; what the call says of it is seen in
 * the clear, or through a key. */
static void explain_object(struct alert *alert, const struct observation *o)
{
    uint64_t operation = observation_uint(o, FIELD_DRS_EXTENDED_OPERATION, 0);
    if (operation != EXOP_REPL_OBJECT && operation != EXOP_REPL_SECRETS)
        return;
    struct bytes object = party_words(&o->target, "one that the directory here does not tell");
    alert_put_number(alert, "extended_operation", (double)operation);
    alert_put_text(alert, "object", object);
    alert_explain(alert, "Of the directory it wanted a single object with its secrets: %.*s.",
                  PRINTED(object));
}

static void observe(struct detection *d, const struct observation *o)
{
    if (is_partner(d, o) || may_replicate(d, o) || o->kind == ACTIVITY_DRS_BIND ||
        o->kind == ACTIVITY_KERBEROS_AP)
        return;
    struct alert *alert = detection_alert(d, o, key_by_origin(d, o));
    alert_add_party(alert, ALERT_TARGET, &o->target);
    explain_who(alert, o,
                o->kind == ACTIVITY_DRS_REPLICATE ? "asked to replicate the directory (DRSGetNCChanges)"
                : o->kind == ACTIVITY_LDAP_SEARCH ? "asked to replicate the directory (DirSync over LDAP)"
                                                  : "used the right to replicate all of the directory");
    alert_put_string(alert, "protocol",
                     o->kind == ACTIVITY_DRS_REPLICATE ? "drsuapi"
                     : o->kind == ACTIVITY_LDAP_SEARCH ? "ldap"
                                                       : "event");
    alert_put_number(alert, "requests", (double)observation_uint(o, FIELD_RPC_CALLS, 1));
    struct bytes context = observation_text(o, FIELD_DRS_NAMING_CONTEXT);
    if (context.size)
        alert_put_text(alert, "naming_context", context);
    if (observation_has(o, FIELD_ENTRIES))
        alert_put_number(alert, "entries", (double)observation_uint(o, FIELD_ENTRIES, 0));
    explain_object(alert, o);
    alert_explain(alert, "Only domain controllers and synchronizers do so, and this is not known to be one; "
                         "who may, gets the password hashes of all accounts.");
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_directory_services_replication = {
    .external_id = 2006,
    .name = "DirectoryServicesReplicationSecurityAlert",
    .title = "Suspected DCSync attack (replication of directory services)",
    .word = "directory_services_replication",
    .severity = SEVERITY_HIGH,
    .mitre = "T1003.006",
    .doc =
        "A replication of the directory is asked for by one that is no domain controller: "
        "IDL_DRSGetNCChanges of DRSUAPI ([MS-DRSR] 4.1.10), whose interface and operation are seen also "
        "where the call is sealed; the DirSync control over LDAP without OBJECT_SECURITY ([MS-ADTS] "
        "3.1.1.3.4.1.3); or, in event 4662, the extended rights DS-Replication-Get-Changes-All or "
        "-In-Filtered-Set. Rule, no learning. Accounts tagged as synchronizers are left out. Event 4662 by a "
        "computer's account that the directory does not know is left out, for controllers use these rights "
        "all the time. Of computers that the directory is silent about, two that ask each other for "
        "replication, or one that logs on by the principal that controllers replicate by, are taken for "
        "controllers.",
    .advice =
        "If the source is no new domain controller, take it off the network, reset krbtgt twice and all "
        "privileged passwords, and look who has the replication rights. Tag lawful synchronizers, or "
        "exclude them.",
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
