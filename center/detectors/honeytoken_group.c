/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

#include "sync/distinguished_name.h"

static const enum activity_kind kinds[] = {ACTIVITY_GROUP_CHANGE, ACTIVITY_LDAP_MODIFY,
                                           ACTIVITY_DIRECTORY_CHANGE, ACTIVITY_SAMR_CHANGE, ACTIVITY_NONE};

struct search {
    const struct detection *d;
    const struct observation *o;
    struct party found;
};

static bool is_honeytoken(struct search *search, struct bytes name)
{
    search->found = party_named(search->d, search->o, SUBJECT_ACCOUNT, name);
    return detection_is(search->d, &search->found, FACT_HONEYTOKEN);
}

static bool by_value(void *context, struct bytes text)
{
    static const char *const changes[] = {"add:member=", "delete:member=", "replace:member="};
    for (unsigned i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        size_t size = __builtin_strlen(changes[i]);
        if (text_begins(text, changes[i]))
            return is_honeytoken(context, dn_first_value((struct bytes){text.data + size, text.size - size}));
    }
    return false;
}

/* Whether the member that comes or goes is a decoy, or its group. */
static bool find_honeytoken(struct search *search)
{
    const struct observation *o = search->o;
    bool group = o->kind == ACTIVITY_GROUP_CHANGE || party_is(&o->group);
    search->found = o->target;
    if (group && detection_is(search->d, &o->target, FACT_HONEYTOKEN))
        return true;
    search->found = o->group;
    if (group && detection_is(search->d, &o->group, FACT_HONEYTOKEN))
        return true;
    if (o->kind == ACTIVITY_GROUP_CHANGE)
        return is_honeytoken(search, dn_first_value(observation_text(o, FIELD_MEMBER_DN)));
    return list_each(o, FIELD_ATTRIBUTE_VALUES, by_value, search);
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    struct search search = {.d = d, .o = o};
    return find_honeytoken(&search) ? search.found.subject : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct search search = {.d = d, .o = o};
    if (by_system(o) || !find_honeytoken(&search))
        return;
    struct words name, group;
    struct bytes where = observation_text(o, FIELD_GROUP_ACCOUNT);
    if (where.size == 0)
        where = party_is(&o->group) ? o->group.name : dn_first_value(observation_text(o, FIELD_LDAP_DN));
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_add_party(alert, ALERT_TARGET, &search.found);
    alert_add_named(alert, ALERT_TARGET, SUBJECT_GROUP, where, (struct bytes){0});
    explain_who(alert, o, "changed the groups of a decoy (honeytoken)");
    alert_explain(alert, "The decoy is %s, the group %s.", words_party(&name, &search.found, "unknown"),
                  words_text(&group, where, 100));
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_honeytoken_group = {
    .external_id = 2428,
    .name = "HoneytokenGroupMembershipSecurityAlert",
    .title = "Honeytoken group membership changed",
    .word = "honeytoken_group",
    .severity = SEVERITY_HIGH,
    .mitre = "T1098",
    .doc = "An account that is tagged as a honeytoken is added to a group or taken out of one, or the "
           "members of a group that is tagged so change: events 4728 and its like, LDAP and event 5136 (by "
           "the member's name), SAMR. Rule, no learning.",
    .advice = "Put the membership back and look at everything that the source and the account did lately.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
