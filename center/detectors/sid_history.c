/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_LDAP_MODIFY,     ACTIVITY_DIRECTORY_CHANGE,
                                           ACTIVITY_LDAP_ADD,        ACTIVITY_ACCOUNT_CHANGE,
                                           ACTIVITY_DRS_SID_HISTORY, ACTIVITY_NONE};

static bool adds_history(const struct observation *o)
{
    if (o->kind == ACTIVITY_DRS_SID_HISTORY)
        return true;
    return changes_set(o, "sIDHistory") ||
           ((o->kind == ACTIVITY_LDAP_ADD || o->kind == ACTIVITY_ACCOUNT_CHANGE) &&
            observation_list_has_text(o, FIELD_LDAP_ATTRIBUTES, "sIDHistory"));
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    return adds_history(o) ? key_by_account(d, o) : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct words name;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    struct bytes object = observation_text(o, FIELD_LDAP_DN);
    if (object.size == 0)
        object = observation_text(o, FIELD_CHANGED_ACCOUNT);
    /* By DRSUAPI the controllers check both domains' consent: what migration tools use. */
    if (o->kind == ACTIVITY_DRS_SID_HISTORY)
        alert->severity = SEVERITY_MEDIUM;
    alert_add_party(alert, ALERT_TARGET, &o->target);
    explain_who(alert, o, "added to the SID history of an account");
    if (object.size) {
        alert_put_text(alert, "object", object);
        alert_explain(alert, "The account is %s.", words_text(&name, object, 200));
    }
    struct bytes sid = list_after(o, FIELD_ATTRIBUTE_VALUES, "add:sIDHistory=");
    if (sid.size == 0)
        sid = list_after(o, FIELD_ATTRIBUTE_VALUES, "sIDHistory=");
    if (sid.size)
        alert_put_text(alert, "sid", sid);
    alert_explain(
        alert,
        "It has the rights of these SIDs from now on. Outside of a migration of domains nothing does so.");
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_sid_history = {
    .external_id = 1106,
    .name = "SidHistoryInjectionSecurityAlert",
    .title = "Suspected SID-History injection",
    .word = "sid_history",
    .severity = SEVERITY_HIGH,
    .mitre = "T1134.005",
    .doc = "A SID is added to sIDHistory: LDAP, event 5136, or event 4738 that names it (high); or by "
           "IDL_DRSAddSidHistory ([MS-DRSR] 4.1.2), which the controllers of both domains check and "
           "migration tools use (medium). Rule, no learning.",
    .advice = "If no domain is being migrated, clear the attribute, and look what the account did since.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
