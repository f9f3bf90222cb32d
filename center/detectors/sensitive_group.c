/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

#include "sync/distinguished_name.h"

static const enum activity_kind kinds[] = {ACTIVITY_GROUP_CHANGE, ACTIVITY_LDAP_MODIFY,
                                           ACTIVITY_DIRECTORY_CHANGE, ACTIVITY_SAMR_CHANGE, ACTIVITY_NONE};

enum { SETTING_DAYS };
static const struct detector_setting settings[] = {
    {"habit_days", "days", 1, 2, 4, 1, 28,
     "On how many different days of the last 90 an account must have added members to a sensitive group for "
     "it to be its habit; the first of them at least a week ago."},
    {0},
};

/* Of an account and a group. */
struct custom {
    int64_t first;
    uint32_t last_day; /* since 1970 */
    uint32_t days;     /* different ones */
};

static const struct state_form tables[] = {
    {.name = "customs",
     .version = 1,
     .value_size = sizeof(struct custom),
     .capacity = 20000,
     .lifetime = 90 * STATISTICS_DAY},
    {0},
};

/* Whether it adds a member to a sensitive group; or to one that cannot be seen. */
enum addition { NO_ADDITION, UNSEEN_GROUP, SENSITIVE_GROUP };

static enum addition by_directory(const struct detection *d, const struct observation *o)
{
    return detection_is(d, &o->group, FACT_SENSITIVE_GROUP) ||
                   detection_is(d, &o->target, FACT_SENSITIVE_GROUP)
               ? SENSITIVE_GROUP
               : NO_ADDITION;
}

static enum addition by_event(const struct detection *d, const struct observation *o)
{
    if (!text_is(observation_text(o, FIELD_OPERATION), "member_added") ||
        (observation_has(o, FIELD_GROUP_SECURITY) && !observation_bool(o, FIELD_GROUP_SECURITY)))
        return NO_ADDITION;
    return is_sensitive_group(observation_text(o, FIELD_GROUP_ACCOUNT_SID),
                              observation_text(o, FIELD_GROUP_ACCOUNT))
               ? SENSITIVE_GROUP
               : by_directory(d, o);
}

static enum addition by_ldap(const struct detection *d, const struct observation *o)
{
    if (!changes_set(o, "member"))
        return NO_ADDITION;
    return is_sensitive_group(observation_text(o, FIELD_GROUP_SID),
                              dn_first_value(observation_text(o, FIELD_LDAP_DN)))
               ? SENSITIVE_GROUP
               : by_directory(d, o);
}

static enum addition by_samr(const struct detection *d, const struct observation *o)
{
    uint64_t opnum = observation_uint(o, FIELD_RPC_OPNUM, 0);
    if (opnum != 22 && opnum != 31) /* SamrAddMemberToGroup, SamrAddMemberToAlias: [MS-SAMR] 3.1.5.8 */
        return NO_ADDITION;
    if (observation_bool(o, FIELD_SEALED) && !observation_has(o, FIELD_SAMR_RID))
        return UNSEEN_GROUP;
    return is_sensitive_rid(observation_uint(o, FIELD_SAMR_RID, 0)) ? SENSITIVE_GROUP : by_directory(d, o);
}

static enum addition addition_of(const struct detection *d, const struct observation *o)
{
    switch (o->kind) {
    case ACTIVITY_GROUP_CHANGE:
        return by_event(d, o);
    case ACTIVITY_SAMR_CHANGE:
        return by_samr(d, o);
    default:
        return by_ldap(d, o);
    }
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    return addition_of(d, o) != NO_ADDITION && !by_system(o) && on_controller(d, o) && !is_local(d, o)
               ? key_by_account(d, o)
               : (struct subject){0};
}

static struct bytes group_name(const struct observation *o)
{
    struct bytes name = observation_text(o, FIELD_GROUP_ACCOUNT);
    if (name.size == 0)
        name = o->group.name;
    return name.size ? name : dn_first_value(observation_text(o, FIELD_LDAP_DN));
}

static struct bytes member_name(const struct observation *o)
{
    if (party_is(&o->target) && o->target.kind != SUBJECT_GROUP)
        return o->target.name;
    struct bytes dn = observation_text(o, FIELD_MEMBER_DN);
    if (dn.size == 0)
        dn = list_after(o, FIELD_ATTRIBUTE_VALUES, "add:member=");
    return dn_first_value(dn);
}

/* Takes it in; whether it was habit before. A refused try teaches nothing. */
static bool is_habit(struct custom *custom, const struct detection *d, const struct observation *o)
{
    bool habit =
        custom->days >= detection_setting(d, SETTING_DAYS) && o->time - custom->first >= 7 * STATISTICS_DAY;
    uint32_t day = (uint32_t)(o->time / STATISTICS_DAY);
    if (custom->first == 0)
        custom->first = o->time;
    if (day > custom->last_day && !has_failed(o)) {
        custom->last_day = day;
        custom->days++;
    }
    return habit;
}

static void observe(struct detection *d, const struct observation *o)
{
    struct bytes group = group_name(o);
    struct subject of = subject_of_name(detection_seed(d), SUBJECT_GROUP, group, (struct bytes){0});
    struct custom *custom =
        detection_use(d, 0, subject_of_pair(detection_seed(d), detection_key(d), of), NULL);
    if (!custom || is_habit(custom, d, o))
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    struct words member, where;
    struct bytes name = member_name(o);
    uint32_t before = custom->days - (custom->days && !has_failed(o) ? 1 : 0);
    explain_who(alert, o, "added a member to a sensitive group");
    if (addition_of(d, o) == UNSEEN_GROUP)
        alert_explain(alert, "Which group and member cannot be seen, for the call was sealed.");
    else
        alert_explain(alert, "%s was added to %s.", name.size ? words_text(&member, name, 100) : "A member",
                      words_text(&where, group, 100));
    alert_add_named(alert, ALERT_TARGET, SUBJECT_GROUP, group, o->group.domain);
    if (name.size)
        alert_add_named(alert, ALERT_TARGET, SUBJECT_ACCOUNT, name, o->target.domain);
    alert_put_compared(alert, "days_before", before, settings[SETTING_DAYS].name,
                       detection_setting(d, SETTING_DAYS));
    alert_explain(alert, "It is not known as one of those who do so: in 90 days it did so on %u other days.",
                  before);
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_sensitive_group = {
    .external_id = 2024,
    .name = "AbnormalSensitiveGroupMembershipChangeSecurityAlert",
    .title = "Suspicious additions to sensitive groups",
    .word = "sensitive_group",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1098.007",
    .learning = 28 * STATISTICS_DAY,
    .doc = "An account adds a member to a sensitive group (the built-in ones by their SIDs, or, in LDAP, by "
           "their English names; those that the directory or people tag) and it is not its habit: four weeks "
           "of learning (published), and after them each addition goes on to be counted, by account and "
           "group, on how many different days of the last 90. Seen as events 4728, 4732 and 4756, as LDAP "
           "changes of member, and as SAMR calls; a sealed SAMR call to add a member counts though its group "
           "is not seen, for administrators' tools use LDAP. A computer's own groups, as its event tells "
           "them, are left out.",
    .advice = "Ask the account's owner; if it was not them, take the member out and reset both passwords. "
              "Few should be able to change these groups.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
