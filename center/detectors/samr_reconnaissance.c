/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

#include <stdio.h>
#include <string.h>

static const enum activity_kind kinds[] = {ACTIVITY_SAMR_QUERY, ACTIVITY_LSA_QUERY, ADMINISTRATION_KINDS,
                                           ACTIVITY_NONE};

enum { SETTING_ACCOUNTS };
static const struct detector_setting settings[] = {
    {"accounts", "", 200, 50, 20, 5, 100000,
     "Different accounts that one source opens or looks up within an hour, or SIDs of which some belong to "
     "nobody, from which on it counts as an enumeration."},
    {0},
};

/* What is asked for; a bit each in the habit of the source. */
enum family { USERS, GROUPS, DISPLAY, SENSITIVE_MEMBERS, MANY_ACCOUNTS, MANY_SIDS, FAMILIES };
static const char *const family_words[FAMILIES] = {"all users",
                                                   "all groups",
                                                   "the display information of all accounts",
                                                   "the members of a sensitive group",
                                                   "many single accounts",
                                                   "the names of many SIDs, some of which are nobody's"};

struct source {
    struct source_habit habit;
    struct distinct_window accounts;
    struct count_window alone, joined; /* calls that name accounts: told one by one, and together */
    struct count_window sids;
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

/* LsarLookupSids, 2 and 3 ([MS-LSAT] 3.1.4.9) of which not all had a name. */
static bool guesses_sids(const struct observation *o)
{
    uint64_t opnum = observation_uint(o, FIELD_RPC_OPNUM, 0);
    return (opnum == 15 || opnum == 57 || opnum == 76) && observation_uint(o, FIELD_STATUS, 0) != 0;
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    if (o->kind == ACTIVITY_LSA_QUERY && !guesses_sids(o))
        return (struct subject){0};
    return on_controller(d, o) && !by_controller(d, o) ? key_by_origin(d, o) : (struct subject){0};
}

static void add_account(struct source *source, const struct observation *o, uint64_t account)
{
    distinct_window_add(&source->accounts, account, o->time, STATISTICS_HOUR);
    count_window_add(&source->alone, 1, o->time, STATISTICS_HOUR);
}

/* A sensor tells the first calls of a connection one by one, and many more of them together, without whom
 * they name. */
static void add_joined(struct source *source, const struct observation *o)
{
    uint64_t calls = observation_uint(o, FIELD_RPC_CALLS, 1);
    count_window_add(&source->joined, calls < UINT32_MAX ? (uint32_t)calls : UINT32_MAX, o->time,
                     STATISTICS_HOUR);
}

/* How many different ones: those that were told; the others too, when hardly any of those came again (three
 * of four are different, for the sketch may err by that). */
static double accounts_of(const struct source *source, const struct observation *o)
{
    uint32_t told = distinct_window_value(&source->accounts, o->time, STATISTICS_HOUR);
    uint32_t alone = count_window_value(&source->alone, o->time, STATISTICS_HOUR);
    uint32_t joined = count_window_value(&source->joined, o->time, STATISTICS_HOUR);
    return told + (told >= 0.75 * alone ? (double)joined : 0);
}

static void add_rids(struct source *source, const struct observation *o)
{
    const struct activity_value *rids = activity_get(o->activity, FIELD_SAMR_RIDS);
    struct cursor items = rids ? rids->list.items : (struct cursor){0};
    for (uint32_t i = 0; rids && i < rids->list.count; i++)
        add_account(source, o, activity_next_item(&items, TYPE_UINT).uint);
}

struct names {
    struct source *source;
    const struct detection *d;
    const struct observation *o;
};

static bool add_name(void *context, struct bytes name)
{
    const struct names *n = context;
    struct subject account = subject_of_name(detection_seed(n->d), SUBJECT_ACCOUNT, name, (struct bytes){0});
    add_account(n->source, n->o, account.low);
    return false;
}

static void add_accounts(const struct detection *d, struct source *source, const struct observation *o)
{
    struct names names = {source, d, o};
    if (observation_has(o, FIELD_RPC_CALLS))
        add_joined(source, o);
    else if (observation_has(o, FIELD_SAMR_RID))
        add_account(source, o, observation_uint(o, FIELD_SAMR_RID, 0));
    add_rids(source, o);
    list_each(o, FIELD_RPC_NAMES, add_name, &names);
}

static uint32_t sids_family(struct detection *d, struct source *source, const struct observation *o)
{
    uint64_t count = observation_uint(o, FIELD_RPC_COUNT, observation_uint(o, FIELD_RPC_CALLS, 1));
    return count_window_add(&source->sids, count < 100000 ? (uint32_t)count : 100000, o->time,
                            STATISTICS_HOUR) >= detection_setting(d, SETTING_ACCOUNTS)
               ? 1u << MANY_SIDS
               : 0;
}

/* [MS-SAMR] 3.1.5: by operation, which is seen also where the call is sealed. */
static uint32_t families_of(struct detection *d, struct source *source, const struct observation *o)
{
    if (o->kind == ACTIVITY_LSA_QUERY)
        return sids_family(d, source, o);
    uint64_t rid = observation_uint(o, FIELD_SAMR_RID, 0);
    switch (observation_uint(o, FIELD_RPC_OPNUM, UINT64_MAX)) {
    case 13: /* SamrEnumerateUsersInDomain */
        return 1u << USERS;
    case 11: /* SamrEnumerateGroupsInDomain */
    case 15: /* SamrEnumerateAliasesInDomain */
        return 1u << GROUPS;
    case 40: /* SamrQueryDisplayInformation, 2 and 3 */
    case 48:
    case 51:
        return 1u << DISPLAY;
    case 25: /* SamrGetMembersInGroup */
    case 33: /* SamrGetMembersInAlias */
        return is_sensitive_rid(rid) || detection_is(d, &o->group, FACT_SENSITIVE_GROUP) ||
                       detection_is(d, &o->target, FACT_SENSITIVE_GROUP)
                   ? 1u << SENSITIVE_MEMBERS
                   : 0;
    case 17: /* SamrLookupNamesInDomain */
    case 18: /* SamrLookupIdsInDomain */
    case 34: /* SamrOpenUser */
        add_accounts(d, source, o);
        return accounts_of(source, o) >= detection_setting(d, SETTING_ACCOUNTS) ? 1u << MANY_ACCOUNTS : 0;
    default:
        return 0;
    }
}

static void observe(struct detection *d, const struct observation *o)
{
    struct source *source = detection_use(d, 0, detection_key(d), NULL);
    if (!source || administrators_add(&source->administrators, d, o))
        return;
    uint32_t now = families_of(d, source, o);
    if (now == 0)
        return;
    uint32_t fresh = source_habit_add(&source->habit, d, o, now, 0, STATISTICS_DAY);
    if ((fresh & now) == 0)
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    explain_who(alert, o,
                o->kind == ACTIVITY_LSA_QUERY ? "translated SIDs through the LSA protocol"
                                              : "read accounts through the SAM protocol");
    char list[200] = "";
    for (unsigned i = 0; i < FAMILIES; i++)
        if (fresh & 1u << i) {
            size_t used = strlen(list);
            snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", family_words[i]);
        }
    alert_explain(alert, "Asked for: %s; this source did not do so in the four weeks of learning.", list);
    alert_put_string(alert, "queries", list);
    if (fresh & 1u << MANY_ACCOUNTS)
        alert_put_compared(alert, "accounts", accounts_of(source, o), settings[SETTING_ACCOUNTS].name,
                           detection_setting(d, SETTING_ACCOUNTS));
    if (observation_has(o, FIELD_RPC_COUNT))
        alert_put_number(alert, "returned", (double)observation_uint(o, FIELD_RPC_COUNT, 0));
    alert_add_party(alert, ALERT_TARGET, &o->group);
    if (administrators_has(&source->administrators, d, o))
        explain_administrator(alert);
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_samr_reconnaissance = {
    .external_id = 2021,
    .name = "SamrReconnaissanceSecurityAlert",
    .title = "User and group membership reconnaissance (SAMR)",
    .word = "samr_reconnaissance",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1087.002",
    .learning = 28 * STATISTICS_DAY,
    .doc =
        "A source that is no controller reads a controller's accounts through SAMR ([MS-SAMR] 3.1.5) in a "
        "way that it did not in the four weeks of learning (published). The ways are: all users, all groups, "
        "display information of all, members of a sensitive group, many single accounts within an hour (a "
        "sliding count of different RIDs and names: HyperLogLog; of calls that a sensor tells together as "
        "large a part as of the others); and, through LSARPC, the translation of many SIDs of which some are "
        "nobody's (RID cycling, [MS-LSAT] 3.1.4.9). They are told by the operation's number, so sealed calls "
        "count too; a group inside a sealed call is not known. A way that was learned is not raised; one "
        "that was raised is not learned afterwards. An account that has changed the directory from the "
        "source for a week is told with low severity. Inside encrypted SMB 3 nothing is seen.",
    .advice =
        "Ask what ran on the source. Restrict remote calls to SAM by policy (RestrictRemoteSam). Exclude "
        "inventories that came after the learning.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
