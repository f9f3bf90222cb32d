/* SPDX-License-Identifier: Apache-2.0
 *
 * 2040: a ticket-granting ticket of another, by resource-based constrained delegation to krbtgt.
 */
#include "center/detectors/authentication.h"

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_TGS, ACTIVITY_LDAP_MODIFY,
                                           ACTIVITY_DIRECTORY_CHANGE, ACTIVITY_NONE};

#define DELEGATION_ATTRIBUTE "msDS-AllowedToActOnBehalfOfOtherIdentity"

static bool changes_krbtgt(const struct detection *d, const struct observation *o)
{
    bool delegation = observation_list_has_text(o, FIELD_CHANGES, "replace:" DELEGATION_ATTRIBUTE) ||
                      observation_list_has_text(o, FIELD_CHANGES, "add:" DELEGATION_ATTRIBUTE);
    return delegation && (text_begins(observation_text(o, FIELD_LDAP_DN), "CN=krbtgt,") ||
                          detection_is(d, &o->target, FACT_KRBTGT));
}

static bool delegates_to_krbtgt(const struct observation *o)
{
    return o->kind == ACTIVITY_KERBEROS_TGS && observation_bool(o, FIELD_S4U2PROXY) &&
           service_is_granting(observation_text(o, FIELD_SERVICE));
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    return delegates_to_krbtgt(o) || changes_krbtgt(d, o)
               ? party_is(&o->account) ? o->account.subject : o->origin
               : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct alert *alert = detection_alert(d, o, detection_key(d));
    bool success = observation_uint(o, FIELD_STATUS, 0) == 0;
    alert_put_string(alert, "outcome", success ? "success" : "failure");
    if (delegates_to_krbtgt(o)) {
        alert_put_text(alert, "service", observation_text(o, FIELD_SERVICE));
        alert_explain(
            alert,
            "%.*s asked, on behalf of somebody else, for a ticket for %.*s, which is a ticket-granting "
            "ticket of that somebody: only who may delegate to krbtgt gets one.",
            PRINTED(party_words(&o->account, "Somebody")), PRINTED(observation_text(o, FIELD_SERVICE)));
    } else {
        alert_add_party(alert, ALERT_TARGET, &o->target);
        alert_put_text(alert, "object", observation_text(o, FIELD_LDAP_DN));
        alert_explain(alert, "%.*s changed who may delegate to krbtgt: whoever may gets tickets as anybody.",
                      PRINTED(party_words(&o->account, "Somebody")));
    }
    alert_explain(alert, success ? "It was granted." : "It was refused.");
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_golden_rbcd = {
    .external_id = 2040,
    .name = "GoldenTicketRbcdSecurityAlert",
    .title = "Suspected golden ticket usage (ticket anomaly using RBCD)",
    .word = "golden_rbcd",
    .severity = SEVERITY_HIGH,
    .mitre = "T1558.001",
    .doc =
        "Looks for requests on behalf of another (S4U2proxy, [MS-SFU] 2.2.3) whose service is krbtgt: the "
        "answer is as good as a golden ticket. It is only granted when krbtgt's "
        "msDS-AllowedToActOnBehalfOfOtherIdentity names who asks; a change of this attribute of krbtgt, by "
        "LDAP or event 5136, is raised too. Nothing lawful does either.",
    .advice = "Remove the attribute from krbtgt; find out who could write it. Reset krbtgt's password twice.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
