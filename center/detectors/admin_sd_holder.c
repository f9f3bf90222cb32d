/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_LDAP_MODIFY, ACTIVITY_DIRECTORY_CHANGE,
                                           ACTIVITY_DIRECTORY_ACCESS, ACTIVITY_NONE};

#define WRITE_DACL_OR_OWNER 0xc0000u /* [MS-ADTS] 5.1.3.2 */

static bool is_change(const struct observation *o)
{
    if (!text_begins(observation_text(o, FIELD_LDAP_DN), "CN=AdminSDHolder,CN=System,"))
        return false;
    if (o->kind == ACTIVITY_DIRECTORY_ACCESS)
        return observation_uint(o, FIELD_ACCESS_MASK, 0) & WRITE_DACL_OR_OWNER;
    return changes_touch(o, "nTSecurityDescriptor");
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    return is_change(o) && !by_system(o) ? key_by_account(d, o) : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct alert *alert = detection_alert(d, o, detection_key(d));
    explain_who(alert, o, "changed the permissions of AdminSDHolder");
    alert_put_text(alert, "object", observation_text(o, FIELD_LDAP_DN));
    struct bytes descriptor = list_after(o, FIELD_ATTRIBUTE_VALUES, "add:nTSecurityDescriptor=");
    if (descriptor.size)
        alert_put_text(alert, "descriptor", descriptor);
    alert_explain(
        alert,
        "Within an hour all protected accounts and groups, Domain Admins for one, get these permissions "
        "([MS-ADTS] 3.1.1.6.1).");
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_admin_sd_holder = {
    .external_id = 2430,
    .name = "AdminSdHolderModificationSecurityAlert",
    .title = "Suspicious modification of domain AdminSdHolder",
    .word = "admin_sd_holder",
    .severity = SEVERITY_HIGH,
    .mitre = "T1098",
    .doc = "The security descriptor of CN=AdminSDHolder,CN=System is changed: LDAP, event 5136, or event "
           "4662 with the right to write the DACL or the owner. What the system itself does is left out. "
           "Rule, no learning.",
    .advice = "Compare the descriptor with a backup, put it back, and look at the permissions of the "
              "protected groups.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
