/* SPDX-License-Identifier: Apache-2.0
 *
 * 2410: tickets are asked for to guess the passwords of services from them.
 */
#include "center/detectors/authentication.h"

enum { SETTING_DOWNGRADED, SETTING_WEAK, SETTING_SERVICES, SETTING_RARITY, SETTING_WINDOW, SETTING_HABIT };

static const struct detector_setting settings[] = {
    [SETTING_DOWNGRADED] = {"downgraded", "", 2, 1, 1, 1, 1000,
                            "How many services' tickets come with RC4 or DES because the client asked so."},
    [SETTING_WEAK] = {"weak", "", 8, 4, 2, 1, 1000,
                      "How many services' tickets come with RC4 or DES at all."},
    [SETTING_SERVICES] = {"services", "", 60, 30, 15, 2, 10000,
                          "How many services other than those of computers themselves are asked for."},
    [SETTING_RARITY] = {"rarity", "", 0.0001, 0.001, 0.01, 0, 1,
                        "How improbable so many in a day are for this account, by its days before."},
    [SETTING_WINDOW] = {"window", "s", 600, 600, 3600, 10, 86400, "Within which time."},
    [SETTING_HABIT] =
        {"habit_days", "days", 1, 2, 4, 1, 28,
         "On how many different days of the last 28 the account must have asked for so many "
         "weaker tickets for it to be its habit: one day of an attack does not excuse the next."},
    {0},
};

struct roaster {
    struct distinct_window downgraded, weak, services;
    struct daily_baseline downgraded_days, weak_days, service_days;
};

static const struct state_form tables[] = {
    {"accounts", 1, sizeof(struct roaster), 65536, 30 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_TGS, ACTIVITY_WINDOWS_KERBEROS_TGS,
                                           ACTIVITY_NONE};

/* Services of a computer itself: its key is random and cannot be guessed. */
static bool is_computers(const struct observation *o, struct bytes service)
{
    static const char *const prefixes[] = {"cifs/",    "host/",
                                           "ldap/",    "gc/",
                                           "dns/",     "rpcss/",
                                           "termsrv/", "wsman/",
                                           "rpc/",     "restrictedkrbhost/",
                                           "spooler/", "e3514235-4b06-11d1-ab04-00c04fc2dcd2/"};
    if (o->service.kind == SUBJECT_COMPUTER || name_is_computer(service) || service_is_granting(service) ||
        text_begins(service, "kadmin/"))
        return true;
    if (o->service.kind == SUBJECT_ACCOUNT)
        return false;
    for (unsigned i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (text_begins(service, prefixes[i]))
            return true;
    return false;
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    bool issued = observation_uint(o, FIELD_STATUS, 1) == 0 && !observation_bool(o, FIELD_S4U2PROXY) &&
                  !observation_has(o, FIELD_S4U2SELF_ACCOUNT);
    return issued && !is_computers(o, observation_text(o, FIELD_SERVICE)) ? o->account.subject
                                                                          : (struct subject){0};
}

/* Whether the client, which has AES - its own ticket is encrypted so - wants something weaker. */
static bool asked_for_weak(const struct observation *o)
{
    return o->kind == ACTIVITY_KERBEROS_TGS && etype_is_weak(first_offered(o)) &&
           etype_is_strong(observation_int(o, FIELD_TICKET_ETYPE, 0));
}

/* Above the limit, and not by habit. */
static bool unusual(const struct detection *d, const struct daily_baseline *days, uint32_t count,
                    unsigned setting)
{
    if (count < detection_setting(d, setting))
        return false;
    return days->known == 0 || baseline_tail(days, days->today) <= detection_setting(d, SETTING_RARITY);
}

/* Of what asks for weaker tickets than it could have, a day or two of many is no habit yet. */
static bool unusual_downgrade(const struct detection *d, const struct daily_baseline *days, uint32_t count)
{
    double limit = detection_setting(d, SETTING_DOWNGRADED);
    return count >= limit && (baseline_days_of(days, limit) < detection_setting(d, SETTING_HABIT) ||
                              unusual(d, days, count, SETTING_DOWNGRADED));
}

static uint32_t count_one(struct distinct_window *w, struct daily_baseline *days, bool counts, uint64_t item,
                          int64_t now, int64_t width)
{
    baseline_add(days, now, 0); /* days of nothing are days too */
    if (!counts)
        return distinct_window_value(w, now, width);
    uint32_t before = distinct_window_value(w, now, width);
    uint32_t after = distinct_window_add(w, item, now, width);
    if (after > before)
        baseline_add(days, now, 1);
    return after;
}

static void observe(struct detection *d, const struct observation *o)
{
    struct roaster *r = detection_use(d, 0, detection_key(d), NULL);
    if (!r)
        return;
    int64_t width = (int64_t)detection_setting(d, SETTING_WINDOW) * STATISTICS_SECOND;
    struct bytes service = observation_text(o, FIELD_SERVICE);
    int64_t etype = observation_int(o, FIELD_ISSUED_TICKET_ETYPE, 0);
    bool is_weak = etype_is_weak(etype), on_purpose = is_weak && asked_for_weak(o);
    uint64_t item = party_is(&o->service)
                        ? o->service.subject.low
                        : subject_of_name(detection_seed(d), SUBJECT_OBJECT, service, (struct bytes){0}).low;
    uint32_t downgraded = count_one(&r->downgraded, &r->downgraded_days, on_purpose, item, o->time, width);
    uint32_t weak = count_one(&r->weak, &r->weak_days, is_weak, item, o->time, width);
    uint32_t services = count_one(&r->services, &r->service_days, true, item, o->time, width);
    bool by_downgrade = on_purpose && unusual_downgrade(d, &r->downgraded_days, downgraded);
    bool by_weak = is_weak && unusual(d, &r->weak_days, weak, SETTING_WEAK);
    bool by_number = unusual(d, &r->service_days, services, SETTING_SERVICES);
    if (!by_downgrade && !by_weak && !by_number)
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    if (party_is(&o->service))
        alert_add_party(alert, ALERT_RESOURCE, &o->service);
    else
        alert_add_named(alert, ALERT_RESOURCE, SUBJECT_OBJECT, service, (struct bytes){0});
    alert_put_text(alert, "service", service);
    alert_put_string(alert, "encryption_type", etype_name(etype));
    alert_put_compared(alert, "downgraded", downgraded, "downgraded",
                       detection_setting(d, SETTING_DOWNGRADED));
    alert_put_compared(alert, "weak", weak, "weak", detection_setting(d, SETTING_WEAK));
    alert_put_compared(alert, "services", services, "services", detection_setting(d, SETTING_SERVICES));
    alert_explain(
        alert,
        "%.*s got tickets for %u services from %.*s within %.0f s, %u of them encrypted with RC4 or "
        "DES, from which a password can be guessed.",
        PRINTED(party_words(&o->account, "Somebody")), services,
        PRINTED(party_words(&o->source, "an unknown place")), detection_setting(d, SETTING_WINDOW), weak);
    if (by_downgrade)
        alert_explain(
            alert, "For %u the client asked for %s first, though its own ticket is encrypted with %s.",
            downgraded, etype_name(first_offered(o)), etype_name(observation_int(o, FIELD_TICKET_ETYPE, 0)));
    if (r->service_days.known) {
        alert_put_compared(alert, "services_a_day", r->service_days.today, "learned",
                           baseline_median(&r->service_days));
        alert_explain(alert, "On %u days before it asked for %.0f a day (median).", r->service_days.known,
                      baseline_median(&r->service_days));
    }
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_kerberoasting = {
    .external_id = 2410,
    .name = "KerberoastingSecurityAlert",
    .title = "Suspected Kerberos SPN exposure",
    .word = "kerberoasting",
    .severity = SEVERITY_HIGH,
    .mitre = "T1558.003",
    .doc =
        "Counts, for each account, the different services that it gets tickets for in a sliding time (TGS "
        "exchanges, event 4769), but for those of computers themselves, whose passwords are random: those "
        "whose ticket is encrypted with RC4 or DES because the client preferred it although its own ticket "
        "shows that it knows AES, for which tools that roast ask as such tickets are guessed fastest; those "
        "with such a ticket at all; and all. What is usual for the account in a day is learned "
        "(docs/learning.md), so monitoring that asks for many services every day is not raised; a client "
        "that prefers weak tickets is not either once it did so on several days. A single such ticket that a "
        "usual client gets for a service with an old password looks like any other use of it, and is not "
        "raised.",
    .advice = "Reset the passwords of the services asked for, long and random ones (or group managed service "
              "accounts), and allow them AES only.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
