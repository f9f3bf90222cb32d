/* SPDX-License-Identifier: Apache-2.0
 *
 * 2419: a computer takes a controller's name (CVE-2021-42278, CVE-2021-42287).
 */
#include "center/detectors/directory_change.h"

static const enum activity_kind kinds[] = {ACTIVITY_LDAP_MODIFY, ACTIVITY_LDAP_ADD, ACTIVITY_DIRECTORY_CHANGE,
                                           ACTIVITY_ACCOUNT_CHANGE, ACTIVITY_NONE};

/* The new name; empty: none is given. */
static struct bytes new_name(const struct observation *o)
{
    struct bytes name = observation_text(o, FIELD_NEW_ACCOUNT_NAME);
    return name.size ? name : changed_value(o, "sAMAccountName");
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    struct bytes name = new_name(o);
    if (name.size == 0 || name.size > 64 || name_is_computer(name))
        return (struct subject){0};
    return party_is(&o->account) ? o->account.subject : o->origin;
}

static void observe(struct detection *d, const struct observation *o)
{
    struct bytes name = new_name(o);
    bool computer = changes_computer(o);
    bool controller = names_controller(d, o, name);
    /* People are renamed too; a computer never loses its $. */
    if (!computer && !controller)
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    bool success = observation_uint(o, FIELD_STATUS, 0) == 0;
    alert_add_party(alert, ALERT_TARGET, &o->target);
    alert_put_text(alert, "object", observation_text(o, FIELD_LDAP_DN));
    alert_put_text(alert, "old_name", observation_text(o, FIELD_CHANGED_ACCOUNT));
    alert_put_text(alert, "new_name", name);
    alert_put_string(alert, "controller", controller ? "yes" : "not known");
    alert_put_string(alert, "outcome", success ? "success" : "failure");
    alert_explain(
        alert, "%.*s changed the sAMAccountName of %s to %.*s, without the $ that a computer's ends with.",
        PRINTED(party_words(&o->account, "Somebody")), computer ? "a computer" : "an account", PRINTED(name));
    if (controller)
        alert_explain(alert,
                      "That is the name of a controller: a controller without updates takes a ticket of "
                      "this name for its own.");
    else
        alert_explain(alert, "Whether there is a computer of that name is not known.");
    alert_explain(alert, success ? "It was done." : "It was refused.");
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_samname_spoofing = {
    .external_id = 2419,
    .name = "SamNameSpoofingSecurityAlert",
    .title = "Suspicious modification of a sAMNameAccount attribute (CVE-2021-42278 and CVE-2021-42287 "
             "exploitation)",
    .word = "samname_spoofing",
    .severity = SEVERITY_HIGH,
    .mitre = "T1068",
    .doc =
        "Looks for changes of sAMAccountName (LDAP modify, events 4742, 4781 and 5136) by which a computer "
        "loses the $ at the end of its name, or any account gets the name of a controller without it: who "
        "gets a ticket under that name, then takes the name away again, is taken for the controller (noPac, "
        "CVE-2021-42278 with CVE-2021-42287; [MS-ADTS] 3.1.1.6 forbids such names since). That it is a "
        "computer is known from the directory, the event, or the container that it stands in; that the name "
        "is a controller's from the directory, or because it is the controller that is asked.",
    .advice = "Make sure that all controllers have their updates, and that people may not join computers "
              "(ms-DS-MachineAccountQuota 0). Look what tickets the name was given since.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
