/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_LDAP_DELETE, ACTIVITY_DIRECTORY_CHANGE,
                                           ACTIVITY_ACCOUNT_CHANGE, ACTIVITY_SAMR_CHANGE, ACTIVITY_NONE};

enum { SETTING_OBJECTS, SETTING_BITS };
static const struct detector_setting settings[] = {
    {"objects", "", 200, 100, 50, 10, 1000000,
     "Objects that one account deletes within an hour, from which on it may be massive."},
    {"surprise", "bits", 20, 13, 10, 1, 100,
     "How improbable the day's number must be after the account's own last four weeks; 13 bits is once in "
     "8,192 days. Of an account with no whole day yet the number alone decides."},
    {0},
};

struct actor {
    struct count_window hour;
    struct daily_baseline days;
    uint32_t told; /* in this hour */
};

static const struct state_form tables[] = {
    {.name = "actors",
     .version = 1,
     .value_size = sizeof(struct actor),
     .capacity = 20000,
     .lifetime = 60 * STATISTICS_DAY},
    {0},
};

static bool is_deletion(const struct observation *o)
{
    uint64_t opnum = observation_uint(o, FIELD_RPC_OPNUM, 0);
    if (has_failed(o))
        return false;
    if (o->kind == ACTIVITY_LDAP_DELETE)
        return true;
    if (o->kind == ACTIVITY_SAMR_CHANGE) /* SamrDeleteGroup, Alias, User: [MS-SAMR] 3.1.5.7 */
        return opnum == 23 || opnum == 30 || opnum == 35;
    return text_is(observation_text(o, FIELD_OPERATION), "deleted");
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    return is_deletion(o) && !by_system(o) ? key_by_account(d, o) : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct actor *actor = detection_use(d, 0, detection_key(d), NULL);
    if (!actor)
        return;
    uint32_t amount = (uint32_t)observation_uint(o, FIELD_RPC_CALLS, 1);
    uint32_t hour = count_window_add(&actor->hour, amount, o->time, STATISTICS_HOUR);
    uint32_t today = baseline_add(&actor->days, o->time, amount);
    double bits = actor->days.known ? surprise(baseline_tail(&actor->days, today)) : 1000;
    if (hour < actor->told)
        actor->told = 0;
    double limit = detection_setting(d, SETTING_OBJECTS);
    /* Once at the threshold, then each time that it has doubled. */
    if (hour < limit || bits < detection_setting(d, SETTING_BITS) || (actor->told && hour < 2 * actor->told))
        return;
    actor->told = hour;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    explain_who(alert, o, "deleted many objects of the directory");
    alert_put_compared(alert, "objects", hour, settings[SETTING_OBJECTS].name, limit);
    if (actor->days.known) {
        alert_put_compared(alert, "today", today, "learned", baseline_median(&actor->days));
        alert_explain(alert, "%u within an hour, %u today; its own %u last days had %.0f in the middle.",
                      hour, today, actor->days.known, baseline_median(&actor->days));
    } else {
        alert_explain(alert, "%u within an hour; nothing is known of what it does on other days.", hour);
    }
    struct bytes dn = observation_text(o, FIELD_LDAP_DN);
    if (dn.size)
        alert_put_text(alert, "last_object", dn);
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_massive_deletion = {
    .external_id = 2016,
    .name = "MassiveObjectDeletionSecurityAlert",
    .title = "Massive object deletion",
    .word = "massive_deletion",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1531",
    .doc = "One account deletes many objects within an hour (a sliding count), by LDAP, by SAMR or as events "
           "4726, 4743 and 5141 tell. The threshold is a number, and how improbable the day's number is "
           "after the account's own last 28 days (docs/learning.md, counts a day: a negative binomial with a "
           "robust mean and variance), so that who clears up each week is not told each week. What the "
           "system itself does is left out.",
    .advice =
        "Stop the account, restore the objects (recycle bin), ask its owner. Exclude accounts that clear up.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
