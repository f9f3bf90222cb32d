/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_TGS,   ACTIVITY_WINDOWS_KERBEROS_TGS,
                                           ACTIVITY_ACCOUNT_CHANGE, ACTIVITY_LDAP_ADD,
                                           ACTIVITY_SAMR_CHANGE,    ACTIVITY_NONE};

enum { SETTING_HOURS };
static const struct detector_setting settings[] = {
    {"hours", "h", 4, 24, 72, 1, 8760, "How long after its creation a computer counts as new."},
    {0},
};

/* When a computer's account was seen being made. */
struct birth {
    int64_t time;
};

static const struct state_form tables[] = {
    {.name = "births",
     .version = 1,
     .value_size = sizeof(struct birth),
     .capacity = 20000,
     .lifetime = 30 * STATISTICS_DAY},
    {0},
};

static struct bytes made_name(const struct observation *o)
{
    if (has_failed(o))
        return (struct bytes){0};
    if (o->kind == ACTIVITY_ACCOUNT_CHANGE)
        return text_is(observation_text(o, FIELD_OPERATION), "created")
                   ? observation_text(o, FIELD_CHANGED_ACCOUNT)
                   : (struct bytes){0};
    if (o->kind == ACTIVITY_LDAP_ADD)
        return list_after(o, FIELD_ATTRIBUTE_VALUES, "sAMAccountName=");
    /* SamrCreateUser2InDomain: [MS-SAMR] 3.1.5.4.4 */
    return observation_uint(o, FIELD_RPC_OPNUM, 0) == 50 ? observation_text(o, FIELD_RPC_NAME)
                                                         : (struct bytes){0};
}

static bool delegates(const struct observation *o)
{
    const struct activity_value *services = activity_get(o->activity, FIELD_TRANSMITTED_SERVICES);
    return observation_bool(o, FIELD_S4U2PROXY) || observation_has(o, FIELD_S4U2SELF_ACCOUNT) ||
           (services && services->list.count);
}

/* By name alone: what makes it and what uses it name its domain differently. */
static struct subject by_name(const struct detection *d, struct bytes name)
{
    const uint8_t *at = name.size ? __builtin_memchr(name.data, '@', name.size) : NULL;
    if (at)
        name.size = (size_t)(at - name.data);
    if (name.size < 2 || name.data[name.size - 1] != '$')
        return (struct subject){0};
    return subject_of_name(detection_seed(d), SUBJECT_COMPUTER, name, (struct bytes){0});
}

static struct bytes delegating(const struct observation *o)
{
    if (o->ticket && o->ticket->account_name[0])
        return (struct bytes){(const uint8_t *)o->ticket->account_name,
                              __builtin_strlen(o->ticket->account_name)};
    return o->account.name;
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    if (o->kind == ACTIVITY_KERBEROS_TGS || o->kind == ACTIVITY_WINDOWS_KERBEROS_TGS)
        return delegates(o) ? by_name(d, delegating(o)) : (struct subject){0};
    return by_name(d, made_name(o));
}

static void observe(struct detection *d, const struct observation *o)
{
    if (o->kind != ACTIVITY_KERBEROS_TGS && o->kind != ACTIVITY_WINDOWS_KERBEROS_TGS) {
        struct birth *birth = detection_use(d, 0, detection_key(d), NULL);
        if (birth)
            birth->time = o->time;
        return;
    }
    const struct birth *birth = detection_look(d, 0, detection_key(d));
    struct facts facts;
    int64_t created = birth ? birth->time : detection_facts(d, &o->account, &facts) ? facts.created : 0;
    int64_t age = o->time - created;
    double hours = (double)age / (double)STATISTICS_HOUR, limit = detection_setting(d, SETTING_HOURS);
    if (created == 0 || age < 0 || hours > limit)
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    struct words user, service, computer;
    struct bytes whom = observation_text(o, FIELD_S4U2SELF_ACCOUNT);
    alert_explain(
        alert,
        "%s, a computer that is %.1f hours old, asked for a ticket in the name of another (%s) for %s.",
        words_text(&computer, delegating(o), 60), hours, words_text(&user, whom, 60),
        words_text(&service, observation_text(o, FIELD_SERVICE), 80));
    alert_put_compared(alert, "hours", hours, settings[SETTING_HOURS].name, limit);
    alert_put_text(alert, "service", observation_text(o, FIELD_SERVICE));
    if (whom.size)
        alert_add_named(alert, ALERT_TARGET, SUBJECT_ACCOUNT, whom,
                        observation_text(o, FIELD_S4U2SELF_DOMAIN));
    alert_explain(alert, "Anybody may make computers' accounts unless ms-DS-MachineAccountQuota is 0; with "
                         "the right to delegate to another computer such a one becomes whom it likes there.");
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_new_computer_delegation = {
    .external_id = 2422,
    .name = "NewComputerDelegationSecurityAlert",
    .title = "Suspicious Kerberos delegation attempt by a newly created computer",
    .word = "new_computer_delegation",
    .severity = SEVERITY_HIGH,
    .mitre = "T1134.001",
    .doc = "A computer's account that is younger than a day (by whenCreated, or because its making was seen: "
           "event 4741, LDAP add, SamrCreateUser2InDomain) asks for a ticket in the name of another: "
           "S4U2self or S4U2proxy ([MS-SFU]), or a 4769 with transmitted services. Rule, no learning. "
           "Method: Shamir, \"Wagging the Dog\", 2019.",
    .advice = "Look who made the account and who may write msDS-AllowedToActOnBehalfOfOtherIdentity of the "
              "target; set ms-DS-MachineAccountQuota to 0.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
