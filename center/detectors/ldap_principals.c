/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/ldap_filter.h"

static const enum activity_kind kinds[] = {ACTIVITY_LDAP_SEARCH, ACTIVITY_LDAP_EXPENSIVE_SEARCH,
                                           ADMINISTRATION_KINDS, ACTIVITY_NONE};

enum { SETTING_WEIGHT, SETTING_DAYS, SETTING_BURST };
static const struct detector_setting settings[] = {
    {"weight", "", 4, 2, 1, 1, 40,
     "How much the families of filters that are new for a source must weigh together within a day: all "
     "users, all groups or all computers 2 each; organizational units, policies, trusts, controllers 1; "
     "service principals, no pre-authentication, delegation, adminCount, a sensitive group, DNS zones, all "
     "objects 3; managed accounts, security descriptors, without authentication 2."},
    {"source_days", "days", 30, 15, 7, 0, 90,
     "For how long a source's families are learned after it was seen first, after the general learning too."},
    {"new_source_weight", "", 12, 8, 5, 1, 40,
     "How much the families of a source that is still learned must weigh together within a day, so that a "
     "computer which somebody brings along is told nonetheless once the general learning is over."},
    {0},
};

struct source {
    struct source_habit habit;
    struct administrators administrators;
};

static const struct state_form tables[] = {
    {.name = "sources",
     .version = 2,
     .value_size = sizeof(struct source),
     .capacity = 200000,
     .lifetime = 180 * STATISTICS_DAY},
    {0},
};

static struct subject key(const struct detection *d, const struct observation *o)
{
    return by_controller(d, o) || by_system(o) || detection_is(d, &o->account, FACT_SYNCHRONIZER)
               ? (struct subject){0}
               : key_by_origin(d, o);
}

static void observe(struct detection *d, const struct observation *o)
{
    struct source *source = detection_use(d, 0, detection_key(d), NULL);
    if (!source || administrators_add(&source->administrators, d, o))
        return;
    uint32_t now = ldap_families(o);
    struct source_habit *habit = &source->habit;
    int64_t own = (int64_t)detection_setting(d, SETTING_DAYS) * STATISTICS_DAY;
    uint32_t fresh = source_habit_add(habit, d, o, now, own, STATISTICS_DAY);
    bool young = detection_learning_since(d, habit->first, own);
    unsigned setting = young ? SETTING_BURST : SETTING_WEIGHT;
    if (young)
        fresh = habit->fresh;
    double weight = ldap_weight(fresh), limit = detection_setting(d, setting);
    if ((now & fresh) == 0 || weight < limit)
        return;
    char list[400], known[400];
    struct words filter;
    ldap_families_text(fresh, list, sizeof(list));
    ldap_families_text(habit->known, known, sizeof(known));
    struct alert *alert = detection_alert(d, o, detection_key(d));
    explain_who(alert, o, "sent LDAP queries that enumerate the directory");
    if (young)
        alert_explain(alert, "The source is new, so that its habits are still learned.");
    alert_explain(alert, "Within a day it looked for: %s. Learned of this source: %s.", list,
                  known[0] ? known : "nothing of the kind");
    alert_explain(alert, "The last filter is %s.",
                  words_text(&filter, observation_text(o, FIELD_SEARCH_FILTER), 160));
    alert_put_compared(alert, "weight", weight, settings[setting].name, limit);
    alert_put_string(alert, "families", list);
    alert_put_text(alert, "filter", observation_text(o, FIELD_SEARCH_FILTER));
    alert_put_text(alert, "base", observation_text(o, FIELD_SEARCH_BASE));
    if (observation_has(o, FIELD_ENTRIES))
        alert_put_number(alert, "entries", (double)observation_uint(o, FIELD_ENTRIES, 0));
    if (administrators_has(&source->administrators, d, o))
        explain_administrator(alert);
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_ldap_principals = {
    .external_id = 2038,
    .name = "LdapSearchReconnaissanceSecurityAlert",
    .title = "Security principal reconnaissance (LDAP)",
    .word = "ldap_principals",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1087.002",
    .learning = 10 * STATISTICS_DAY,
    .doc =
        "Each search is put into families by what its filter asks for (RFC 4515; comparisons below a \"not\" "
        "do not count), where it starts and how much it got; look-ups of named objects, the root DSE, the "
        "schema and the certificate templates, which every Windows client reads, are none. A family is habit "
        "of a source when it came in the first ten days of all, or in the first fifteen days of the source "
        "(both published). Families that are not habit are weighed together over a day: the weight is how "
        "rarely ordinary programs ask so, after the filters of SharpHound, PowerView, ldapdomaindump, Rubeus "
        "and adidnsdump. Also from event 1644; sealed searches are seen on the wire by a key only "
        "(docs/keytab.md), and accounts tagged as synchronizers are left out. What was raised after the "
        "learning is not learned; a source that is still learned is told when it asks for nearly everything "
        "within a day (new_source_weight), for an attacker's own computer is new too. An account that has "
        "changed the directory from the source for a week is told with low severity.",
    .advice = "Ask what ran on the source: an inventory that is meant to can be excluded. Otherwise look for "
              "what follows: Kerberoasting, log-ons to controllers.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
