/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_LDAP_MODIFY, ACTIVITY_LDAP_ADD, ACTIVITY_DIRECTORY_CHANGE,
                                           ACTIVITY_NONE};
static const char attribute[] = "msDS-AllowedToActOnBehalfOfOtherIdentity";

static struct subject key(const struct detection *d, const struct observation *o)
{
    bool sets = changes_set(o, attribute) || (o->kind == ACTIVITY_LDAP_ADD &&
                                              observation_list_has_text(o, FIELD_LDAP_ATTRIBUTES, attribute));
    return sets && !by_system(o) ? key_by_account(d, o) : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct words dn;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    bool machine = by_computer_account(o);
    if (!machine)
        alert->severity = SEVERITY_MEDIUM;
    alert_add_party(alert, ALERT_TARGET, &o->target);
    explain_who(alert, o,
                "changed who may act in the name of others (resource-based constrained delegation)");
    alert_explain(alert, "The object is %s.", words_text(&dn, observation_text(o, FIELD_LDAP_DN), 200));
    alert_put_text(alert, "object", observation_text(o, FIELD_LDAP_DN));
    alert_explain(alert,
                  machine ? "A computer's account did it%s: so does who relays its log-on."
                          : "It was no computer's account%s; administrators do so at times.",
                  acts_on_itself(o) ? " to itself" : "");
    alert_explain(alert, "Whom it names can log on to that computer as anybody.");
    explain_end(alert, o);
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_resource_delegation = {
    .external_id = 2423,
    .name = "ResourceBasedConstrainedDelegationSecurityAlert",
    .title =
        "Suspicious modification of the Resource Based Constrained Delegation attribute by a machine account",
    .word = "resource_delegation",
    .severity = SEVERITY_HIGH,
    .mitre = "T1134.001",
    .doc = "msDS-AllowedToActOnBehalfOfOtherIdentity of an object is set ([MS-ADA2] 2.210): LDAP, event "
           "5136. By a computer's account, also of itself, high, for that is what relaying ends in; by "
           "another account medium. Taking it away is not told, nor what the system does. Rule, no learning. "
           "Method: Shamir, \"Wagging the Dog\", 2019.",
    .advice = "If nobody set up delegation there, take the value away and look at the log-ons to that "
              "computer since.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
