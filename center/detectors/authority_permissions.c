/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_CERTIFICATE_SERVICE, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    struct bytes operation = observation_text(o, FIELD_OPERATION);
    return text_is(operation, "permissions_changed") || text_is(operation, "managers_changed")
               ? key_by_account(d, o)
               : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct alert *alert = detection_alert(d, o, detection_key(d));
    struct words settings;
    bool managers = text_is(observation_text(o, FIELD_OPERATION), "managers_changed");
    explain_who(alert, o,
                managers ? "changed the restrictions of the certification authority's managers"
                         : "changed the permissions of the certification authority");
    alert_explain(alert, "They are now: %s.",
                  words_text(&settings, observation_text(o, FIELD_SECURITY_SETTINGS), 240));
    alert_put_text(alert, "settings", observation_text(o, FIELD_SECURITY_SETTINGS));
    alert_explain(alert, "Who manages it can have certificates issued that log on as anybody (ESC7).");
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_authority_permissions = {
    .external_id = 2435,
    .name = "CertificateServicePermissionsSecurityAlert",
    .title = "Suspicious modifications to the AD CS security permissions/settings",
    .word = "authority_permissions",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1484",
    .doc = "Events 4882 and 4890 of a certification authority (AD CS): its permissions, or the restrictions "
           "of its managers, were changed. Rule, no learning. Method: Schroeder, Christensen, \"Certified "
           "Pre-Owned\", 2021, ESC7.",
    .advice = "Compare the permissions with what they should be, and look at the certificates that were "
              "issued since.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
