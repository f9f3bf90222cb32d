/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

#include "sync/distinguished_name.h"

static const enum activity_kind kinds[] = {
    ACTIVITY_LDAP_MODIFY,    ACTIVITY_LDAP_MODIFY_DN, ACTIVITY_LDAP_DELETE, ACTIVITY_DIRECTORY_CHANGE,
    ACTIVITY_ACCOUNT_CHANGE, ACTIVITY_SAMR_CHANGE,    ACTIVITY_NONE};

/* The account that is changed, as well as it is known. */
static struct party changed_party(const struct detection *d, const struct observation *o)
{
    if (party_is(&o->target) && o->target.guid)
        return o->target;
    struct bytes name = observation_text(o, FIELD_CHANGED_ACCOUNT);
    if (name.size == 0)
        name = observation_text(o, FIELD_RPC_NAME);
    if (name.size == 0)
        name = dn_first_value(observation_text(o, FIELD_LDAP_DN));
    return party_named(d, o, SUBJECT_ACCOUNT, name);
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    struct party changed = changed_party(d, o);
    return detection_is(d, &changed, FACT_HONEYTOKEN) ? changed.subject : (struct subject){0};
}

/* A log-on, even a failed one, changes these; the controller writes them by itself. */
static bool is_lawful(const struct observation *o)
{
    return by_system(o) || (o->kind == ACTIVITY_ACCOUNT_CHANGE &&
                            text_is(observation_text(o, FIELD_OPERATION), "locked_out"));
}

static void observe(struct detection *d, const struct observation *o)
{
    if (is_lawful(o))
        return;
    struct party changed = changed_party(d, o);
    struct words name;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_add_party(alert, ALERT_TARGET, &changed);
    explain_who(alert, o, "changed an account that is a decoy (honeytoken)");
    alert_explain(alert, "The account is %s. Nobody has a reason to change it.",
                  words_party(&name, &changed, "unknown"));
    struct bytes operation = observation_text(o, FIELD_OPERATION);
    if (operation.size)
        alert_put_text(alert, "operation", operation);
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_honeytoken_changed = {
    .external_id = 2427,
    .name = "HoneytokenModifiedSecurityAlert",
    .title = "Honeytoken user attributes modified",
    .word = "honeytoken_changed",
    .severity = SEVERITY_HIGH,
    .mitre = "T1098",
    .doc = "An account that is tagged as a honeytoken is changed, renamed, moved or deleted, or its password "
           "is set: LDAP, SAMR, events 4720 to 4781, 5136 to 5141. What the system writes itself, and "
           "locking out, is left out. Rule, no learning.",
    .advice = "Look at everything that the source and the account did lately. Exclude those who take care of "
              "decoys.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
