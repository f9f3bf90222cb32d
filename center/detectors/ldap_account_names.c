/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/ldap_filter.h"

static const enum activity_kind kinds[] = {ACTIVITY_CLDAP_PING, ACTIVITY_LDAP_SEARCH, ACTIVITY_NONE};

enum { SETTING_NAMES };
static const struct detector_setting settings[] = {
    {"names", "", 50, 20, 10, 3, 100000,
     "Different accounts that one source asks the controllers for by LDAP ping within an hour."},
    {0},
};

struct source {
    struct distinct_window names, found;
    uint32_t told;
};

static const struct state_form tables[] = {
    {.name = "sources",
     .version = 1,
     .value_size = sizeof(struct source),
     .capacity = 20000,
     .lifetime = 2 * STATISTICS_DAY},
    {0},
};

static bool by_item(void *context, const struct ldap_item *item)
{
    if (text_is(item->attribute, "User") && item->value.size)
        *(struct bytes *)context = item->value;
    return false;
}

/* The same question goes over UDP, and over TCP as a search of the root DSE for the attribute Netlogon. */
static struct bytes name_asked(const struct observation *o)
{
    struct bytes name = observation_text(o, FIELD_PING_USER);
    if (o->kind == ACTIVITY_LDAP_SEARCH && observation_uint(o, FIELD_SEARCH_SCOPE, 2) == 0 &&
        observation_text(o, FIELD_SEARCH_BASE).size == 0 &&
        observation_list_has_text(o, FIELD_LDAP_ATTRIBUTES, "netlogon"))
        ldap_filter_each(observation_text(o, FIELD_SEARCH_FILTER), by_item, &name);
    return name;
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    return name_asked(o).size && !by_controller(d, o) ? key_by_origin(d, o) : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct source *source = detection_use(d, 0, detection_key(d), NULL);
    if (!source)
        return;
    struct bytes name = name_asked(o);
    uint64_t hash = subject_of_name(detection_seed(d), SUBJECT_OBJECT, name, (struct bytes){0}).low;
    uint64_t opcode = observation_uint(o, FIELD_PING_OPCODE, 0);
    uint32_t names = distinct_window_add(&source->names, hash, o->time, STATISTICS_HOUR);
    if (opcode == 19 || opcode == 23) /* [MS-ADTS] 6.3.1.3: found */
        distinct_window_add(&source->found, hash, o->time, STATISTICS_HOUR);
    double limit = detection_setting(d, SETTING_NAMES);
    if (names < source->told)
        source->told = 0;
    if (names < limit || (source->told && names < 2 * source->told))
        return;
    source->told = names;
    uint32_t found = distinct_window_value(&source->found, o->time, STATISTICS_HOUR);
    struct words last;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    explain_who(alert, o, "guessed names of accounts by LDAP pings");
    alert_explain(
        alert,
        "%u different names within an hour, of which %u exist; the last was %s. Nobody has to log on for it.",
        names, found, words_text(&last, name, 60));
    alert_put_compared(alert, "names", names, settings[SETTING_NAMES].name, limit);
    alert_put_number(alert, "found", found);
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_ldap_account_names = {
    .external_id = 2437,
    .name = "LdapAccountEnumerationSecurityAlert",
    .title = "Account enumeration reconnaissance (LDAP)",
    .word = "ldap_account_names",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1087.002",
    .doc = "One source asks for many different accounts by LDAP ping within an hour ([MS-ADTS] 6.3.3: the "
           "User of a ping, over UDP, or over TCP as a search of the root DSE for Netlogon, as ldapnomnom "
           "does): a sliding count of different names (HyperLogLog). Computers ask for their own account, so "
           "a few are lawful; controllers are left out. No learning (published so).",
    .advice = "Look for password spraying against the names that exist.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
