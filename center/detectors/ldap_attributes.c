/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/ldap_filter.h"

#include <stdio.h>
#include <string.h>

static const enum activity_kind kinds[] = {ACTIVITY_LDAP_SEARCH, ACTIVITY_LDAP_EXPENSIVE_SEARCH,
                                           ACTIVITY_NONE};

enum { SETTING_WEIGHT, SETTING_DAYS };
static const struct detector_setting settings[] = {
    {"weight", "", 4, 2, 1, 1, 40,
     "How much the sensitive attributes that are new for a source must weigh together within a day: those "
     "that hold a secret 2 each, those that tell where one is 1."},
    {"source_days", "days", 30, 15, 7, 0, 90,
     "For how long a source's attributes are learned after it was seen first, after the general learning "
     "too."},
    {0},
};

static const struct {
    const char *name;
    unsigned weight;
} sensitive[] = {
    {"ms-Mcs-AdmPwd", 2},
    {"msLAPS-Password", 2},
    {"msLAPS-EncryptedPassword", 2},
    {"msDS-ManagedPassword", 2},
    {"msFVE-RecoveryPassword", 2},
    {"unicodePwd", 2},
    {"userPassword", 2},
    {"unixUserPassword", 2},
    {"msSFU30Password", 2},
    {"supplementalCredentials", 2},
    {"dBCSPwd", 2},
    {"msDS-KeyCredentialLink", 1},
    {"ms-Mcs-AdmPwdExpirationTime", 1},
    {"msLAPS-PasswordExpirationTime", 1},
    {"msDS-GroupMSAMembership", 1},
    {"msDS-AllowedToActOnBehalfOfOtherIdentity", 1},
    {"msDS-AllowedToDelegateTo", 1},
    {"sIDHistory", 1},
};
#define SENSITIVE (sizeof(sensitive) / sizeof(*sensitive))

static const struct state_form tables[] = {
    {.name = "sources",
     .version = 1,
     .value_size = sizeof(struct source_habit),
     .capacity = 200000,
     .lifetime = 180 * STATISTICS_DAY},
    {0},
};

static uint32_t bit_of(struct bytes name)
{
    for (unsigned i = 0; i < SENSITIVE; i++)
        if (text_is(name, sensitive[i].name))
            return 1u << i;
    return 0;
}

static bool by_attribute(void *context, struct bytes text)
{
    *(uint32_t *)context |= bit_of(text);
    return false;
}

static bool by_item(void *context, const struct ldap_item *item)
{
    if (!item->negated)
        *(uint32_t *)context |= bit_of(item->attribute);
    return false;
}

/* One object is what a help desk reads; many are collected. Who finds none got no attribute either, and
 * looked for a secret only when the filter did. */
static uint32_t attributes_of(const struct observation *o)
{
    uint32_t found = 0;
    bool many = observation_uint(o, FIELD_SEARCH_SCOPE, 2) != 0 && observation_uint(o, FIELD_ENTRIES, 2) != 1;
    if (!many)
        return 0;
    if (observation_uint(o, FIELD_ENTRIES, 2) != 0)
        list_each(o, FIELD_LDAP_ATTRIBUTES, by_attribute, &found);
    ldap_filter_each(observation_text(o, FIELD_SEARCH_FILTER), by_item, &found);
    return found;
}

static unsigned weight_of(uint32_t bits, char *list, size_t capacity)
{
    unsigned weight = 0;
    list[0] = '\0';
    for (unsigned i = 0; i < SENSITIVE; i++) {
        size_t used = strlen(list);
        if (!(bits & 1u << i))
            continue;
        weight += sensitive[i].weight;
        snprintf(list + used, capacity - used, "%s%s", used ? ", " : "", sensitive[i].name);
    }
    return weight;
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    return by_controller(d, o) || by_system(o) || detection_is(d, &o->account, FACT_SYNCHRONIZER)
               ? (struct subject){0}
               : key_by_origin(d, o);
}

static void observe(struct detection *d, const struct observation *o)
{
    uint32_t now = attributes_of(o);
    struct source_habit *habit = detection_use(d, 0, detection_key(d), NULL);
    if (!habit)
        return;
    int64_t own = (int64_t)detection_setting(d, SETTING_DAYS) * STATISTICS_DAY;
    uint32_t fresh = source_habit_add(habit, d, o, now, own, STATISTICS_DAY);
    char list[400], known[400];
    double weight = weight_of(fresh, list, sizeof(list)), limit = detection_setting(d, SETTING_WEIGHT);
    if ((now & fresh) == 0 || weight < limit)
        return;
    weight_of(habit->known, known, sizeof(known));
    struct alert *alert = detection_alert(d, o, detection_key(d));
    explain_who(alert, o, "asked for sensitive attributes of many objects by LDAP");
    alert_explain(alert, "Within a day: %s. Learned of this source: %s.", list,
                  known[0] ? known : "none of them");
    alert_put_compared(alert, "weight", weight, settings[SETTING_WEIGHT].name, limit);
    alert_put_string(alert, "attributes", list);
    alert_put_text(alert, "filter", observation_text(o, FIELD_SEARCH_FILTER));
    if (observation_has(o, FIELD_ENTRIES))
        alert_put_number(alert, "entries", (double)observation_uint(o, FIELD_ENTRIES, 0));
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_ldap_attributes = {
    .external_id = 2210,
    .name = "LdapSensitiveAttributeReconnaissanceSecurityAlert",
    .title = "Active Directory attributes reconnaissance (LDAP)",
    .word = "ldap_attributes",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1087.002",
    .learning = 10 * STATISTICS_DAY,
    .doc = "A search for many objects (not below one object, not with a single result, which is what a help "
           "desk reads) asks for attributes that hold a secret, or that tell where one is: LAPS passwords, "
           "managed passwords, BitLocker recovery, old password attributes; delegation, key credentials, SID "
           "history; as attribute or in the filter. Weighed together over a day; what a source asked for in "
           "the first ten days of all or in its own first fifteen is its habit (as 2038). Sealed searches "
           "are not seen on the wire; event 1644 tells them.",
    .advice = "Ask what ran on the source, and look who may read these attributes.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
