/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

#include <string.h>

static const enum activity_kind kinds[] = {ACTIVITY_LDAP_ADD,         ACTIVITY_LDAP_MODIFY,
                                           ACTIVITY_DRS_ADD_ENTRY,    ACTIVITY_DRS_WRITE_SPN,
                                           ACTIVITY_DIRECTORY_CHANGE, ACTIVITY_NONE};

static bool is_server_class(struct bytes name)
{
    return text_is(name, "server") || text_is(name, "nTDSDSA") || text_is(name, "nTDSDSARO");
}

static bool is_server_value(void *context, struct bytes text)
{
    (void)context;
    return text_is(text, "objectClass=server") || text_is(text, "objectClass=nTDSDSA") ||
           text_is(text, "objectClass=nTDSDSARO");
}

static bool adds_server(const struct observation *o)
{
    if (!text_has(observation_text(o, FIELD_LDAP_DN), ",CN=Sites,CN=Configuration,"))
        return false;
    return list_each(o, FIELD_ATTRIBUTE_VALUES, is_server_value, NULL) ||
           is_server_class(observation_text(o, FIELD_OBJECT_CLASS));
}

/* Principals that only domain controllers have: the global catalog's, and DRSUAPI's by its interface's UUID.
 */
static bool is_controller_principal(void *context, struct bytes text)
{
    (void)context;
    if (text_begins(text, "delete:"))
        return false;
    const uint8_t *equals = text.size ? memchr(text.data, '=', text.size) : NULL;
    if (equals && text_has((struct bytes){text.data, (size_t)(equals - text.data)}, "servicePrincipalName"))
        text = (struct bytes){equals + 1, (size_t)(text.data + text.size - equals - 1)};
    return text_begins(text, "GC/") || text_begins(text, "E3514235-4B06-11D1-AB04-00C04FC2DCD2/");
}

static bool writes_principal(const struct observation *o)
{
    if (o->kind == ACTIVITY_DRS_WRITE_SPN)
        return observation_uint(o, FIELD_DRS_OPERATION, 0) != 2 &&
               list_each(o, FIELD_RPC_NAMES, is_controller_principal, NULL);
    return list_each(o, FIELD_ATTRIBUTE_VALUES, is_controller_principal, NULL);
}

static const char *promotion_of(const struct observation *o)
{
    switch (o->kind) {
    case ACTIVITY_DRS_ADD_ENTRY:
        return "added an object by replication (DRSAddEntry), as a new domain controller does";
    case ACTIVITY_LDAP_ADD:
        return adds_server(o) ? "registered a server among the domain controllers" : NULL;
    case ACTIVITY_DIRECTORY_CHANGE:
        if (text_is(observation_text(o, FIELD_OPERATION), "created") && adds_server(o))
            return "registered a server among the domain controllers";
        break;
    default:
        break;
    }
    return writes_principal(o) ? "wrote a principal that only domain controllers have" : NULL;
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    return promotion_of(o) ? key_by_origin(d, o) : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    if (by_controller(d, o) || (writes_principal(o) && detection_is(d, &o->target, FACT_CONTROLLER)))
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_add_party(alert, ALERT_TARGET, &o->target);
    explain_who(alert, o, promotion_of(o));
    struct bytes dn = observation_text(o, FIELD_LDAP_DN);
    if (dn.size) {
        struct words name;
        alert_put_text(alert, "object", dn);
        alert_explain(alert, "The object is %s.", words_text(&name, dn, 200));
    }
    alert_explain(
        alert,
        "It is not known to be a domain controller. A lawful promotion looks the same: compare the time. "
        "A false one lets changes into the directory past all audit (DCShadow).");
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_dcshadow_promotion = {
    .external_id = 2028,
    .name = "DirectoryServicesRoguePromotionSecurityAlert",
    .title = "Suspected DCShadow attack (domain controller promotion)",
    .word = "dcshadow_promotion",
    .severity = SEVERITY_HIGH,
    .mitre = "T1207",
    .doc = "One that is no domain controller makes a computer look like one: an object of class server or "
           "nTDSDSA below CN=Sites in the configuration (LDAP, event 5137), IDL_DRSAddEntry ([MS-DRSR] "
           "4.1.1), or a service principal of the global catalog or of DRSUAPI (E3514235-...) for a computer "
           "that is none (LDAP, DRSWriteSPN, event 5136). Rule, no learning; what takes them away is not "
           "told. Method: Delpy, Le Toux, \"DCShadow\", BlueHat IL 2018.",
    .advice = "If no domain controller was promoted then, take the source off the network, remove the "
              "object, and look at what was replicated. Close the alert of a lawful promotion.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
