/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/ldap_filter.h"

#include "sync/distinguished_name.h"

static const enum activity_kind kinds[] = {ACTIVITY_LDAP_SEARCH, ACTIVITY_LDAP_COMPARE, ACTIVITY_CLDAP_PING,
                                           ACTIVITY_NONE};

#define FEW 8u /* entries of which all names are known */

struct search {
    const struct detection *d;
    const struct observation *o;
    struct party found;
    bool is;
};

static bool try_name(struct search *search, struct bytes name)
{
    if (search->is || name.size == 0)
        return search->is;
    search->found = party_named(search->d, search->o, SUBJECT_ACCOUNT, name);
    search->is = detection_is(search->d, &search->found, FACT_HONEYTOKEN);
    return search->is;
}

static bool by_item(void *context, const struct ldap_item *item)
{
    struct bytes attribute = item->attribute, value = item->value;
    if (item->negated)
        return false;
    if (text_is(attribute, "distinguishedName"))
        value = dn_first_value(value);
    else if (text_is(attribute, "userPrincipalName"))
        for (size_t i = 0; i < value.size; i++)
            if (value.data[i] == '@')
                value.size = i;
    return (text_is(attribute, "sAMAccountName") || text_is(attribute, "cn") || text_is(attribute, "name") ||
            text_is(attribute, "displayName") || text_is(attribute, "anr") ||
            text_is(attribute, "distinguishedName") || text_is(attribute, "userPrincipalName")) &&
           try_name(context, value);
}

static bool by_returned(void *context, struct bytes dn)
{
    return try_name(context, dn_first_value(dn));
}

static bool find_honeytoken(struct search *search)
{
    const struct observation *o = search->o;
    if (party_is(&o->target) && detection_is(search->d, &o->target, FACT_HONEYTOKEN)) {
        search->found = o->target;
        return true;
    }
    if (o->kind == ACTIVITY_CLDAP_PING)
        return try_name(search, observation_text(o, FIELD_PING_USER));
    try_name(search, dn_first_value(observation_text(o, FIELD_LDAP_DN)));
    if (observation_uint(o, FIELD_SEARCH_SCOPE, 2) == 0)
        try_name(search, dn_first_value(observation_text(o, FIELD_SEARCH_BASE)));
    ldap_filter_each(observation_text(o, FIELD_SEARCH_FILTER), by_item, search);
    if (observation_uint(o, FIELD_ENTRIES, 0) <= FEW)
        list_each(o, FIELD_RETURNED_NAMES, by_returned, search);
    return search->is;
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    struct search search = {.d = d, .o = o};
    return !by_controller(d, o) && find_honeytoken(&search) ? search.found.subject : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct search search = {.d = d, .o = o};
    if (!find_honeytoken(&search) || detection_is(d, &o->account, FACT_SYNCHRONIZER))
        return;
    struct words name, filter;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_add_party(alert, ALERT_TARGET, &search.found);
    explain_who(alert, o, "asked for a decoy by LDAP (honeytoken)");
    alert_explain(alert, "The decoy is %s.", words_party(&name, &search.found, "unknown"));
    struct bytes text = observation_text(o, FIELD_SEARCH_FILTER);
    if (text.size) {
        alert_put_text(alert, "filter", text);
        alert_explain(alert, "The filter is %s.", words_text(&filter, text, 160));
    }
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_honeytoken_ldap = {
    .external_id = 2429,
    .name = "HoneytokenLdapQuerySecurityAlert",
    .title = "Honeytoken was queried via LDAP",
    .word = "honeytoken_ldap",
    .severity = SEVERITY_LOW,
    .mitre = "T1087.002",
    .doc = "A search, comparison or LDAP ping asks for an account that is tagged as a honeytoken: by its "
           "name in the filter, as the base, or because it is among few results. Searches for all accounts "
           "find it too and are 2038's. Sealed searches are not seen. Controllers and synchronizers are left "
           "out. Rule, no learning.",
    .advice = "Ask what ran on the source: someone looked for this name.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
