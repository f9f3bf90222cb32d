/* SPDX-License-Identifier: Apache-2.0
 *
 * 2421: a computer takes the DNS name of another (CVE-2022-26923).
 */
#include "center/detectors/directory_change.h"

static const enum activity_kind kinds[] = {ACTIVITY_LDAP_MODIFY, ACTIVITY_LDAP_ADD, ACTIVITY_DIRECTORY_CHANGE,
                                           ACTIVITY_ACCOUNT_CHANGE, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    if (changed_value(o, "dNSHostName").size == 0)
        return (struct subject){0};
    return party_is(&o->account) ? o->account.subject : o->origin;
}

static void observe(struct detection *d, const struct observation *o)
{
    struct bytes host = changed_value(o, "dNSHostName"), label = host;
    for (size_t i = 0; i < host.size; i++)
        if (host.data[i] == '.') {
            label.size = i;
            break;
        }
    struct bytes own = own_name(o);
    if (label.size == 0 || own.size == 0 || names_equal(label, own))
        return; /* its own name; or whose it is cannot be said */
    bool controller = names_controller(d, o, label);
    if (!controller && !names_computer(d, o, label))
        return; /* a computer that is renamed */
    struct alert *alert = detection_alert(d, o, detection_key(d));
    bool success = observation_uint(o, FIELD_STATUS, 0) == 0;
    alert_add_party(alert, ALERT_TARGET, &o->target);
    alert_put_text(alert, "object", observation_text(o, FIELD_LDAP_DN));
    alert_put_text(alert, "computer", own);
    alert_put_text(alert, "new_name", host);
    alert_put_string(alert, "controller", controller ? "yes" : "no");
    alert_put_string(alert, "outcome", success ? "success" : "failure");
    alert_explain(alert, "%.*s changed the dNSHostName of %.*s to %.*s, which is %s.",
                  PRINTED(party_words(&o->account, "Somebody")), PRINTED(own), PRINTED(host),
                  controller ? "a controller's name" : "another computer's name");
    alert_explain(alert,
                  "A certification authority without updates gives it a certificate of that name, and the "
                  "bearer is taken for the other.");
    alert_explain(alert, success ? "It was done." : "It was refused.");
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_dnshostname_spoofing = {
    .external_id = 2421,
    .name = "DnsHostNameSpoofingSecurityAlert",
    .title = "Suspicious modification of the dNSHostName attribute (CVE-2022-26923)",
    .word = "dnshostname_spoofing",
    .severity = SEVERITY_HIGH,
    .mitre = "T1068",
    .doc =
        "Looks for changes of dNSHostName (LDAP add and modify, events 4742 and 5136) by which a computer "
        "gets the name of a controller or of another computer: templates for computers put that name into "
        "certificates (CVE-2022-26923, \"Certifried\", Oliver Lyak, 2022). The other computer is known from "
        "the directory, or because it is the controller that is asked. A computer that gets a name that is "
        "nobody's is renamed.",
    .advice =
        "Make sure that all controllers and certification authorities have their updates, and that people "
        "may not join computers. Revoke certificates of that name that were issued since.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
