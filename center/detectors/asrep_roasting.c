/* SPDX-License-Identifier: Apache-2.0
 *
 * 2412: first tickets are asked for, without proof, to guess passwords from them.
 */
#include "center/detectors/authentication.h"

enum { SETTING_WEAK, SETTING_ACCOUNTS, SETTING_RARITY, SETTING_WINDOW, SETTING_HABIT };

static const struct detector_setting settings[] = {
    [SETTING_WEAK] =
        {"weak", "", 2, 1, 1, 1, 1000,
         "For how many accounts a source gets a ticket with RC4 or DES without pre-authentication."},
    [SETTING_ACCOUNTS] = {"accounts", "", 5, 3, 2, 1, 1000,
                          "For how many accounts it gets one without pre-authentication at all."},
    [SETTING_RARITY] = {"rarity", "", 0.0001, 0.001, 0.01, 0, 1,
                        "How improbable so many in a day are for this source, by its days before."},
    [SETTING_WINDOW] = {"window", "s", 600, 600, 3600, 10, 86400, "Within which time."},
    [SETTING_HABIT] = {"habit_days", "days", 1, 2, 4, 1, 28,
                       "On how many different days of the last 28 the source must have got one for it to be "
                       "its habit: one day of an attack does not excuse the next."},
    {0},
};

struct roaster {
    struct distinct_window weak, accounts;
    struct daily_baseline days;
};

static const struct state_form tables[] = {
    {"sources", 1, sizeof(struct roaster), 32768, 30 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_AS, ACTIVITY_WINDOWS_KERBEROS_AS, ACTIVITY_NONE};

/* RFC 4120 6.2, RFC 8062: well-known names, among them the anonymous one. */
#define NAME_WELL_KNOWN 11

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    bool bare = observation_uint(o, FIELD_STATUS, 1) == 0 && !request_is_preauthenticated(o) &&
                observation_int(o, FIELD_CLIENT_NAME_TYPE, 0) != NAME_WELL_KNOWN && party_is(&o->account);
    if (o->kind == ACTIVITY_WINDOWS_KERBEROS_AS)
        bare = bare && observation_has(o, FIELD_PREAUTH_TYPE);
    return bare ? o->origin : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct roaster *r = detection_use(d, 0, detection_key(d), NULL);
    if (!r)
        return;
    int64_t width = (int64_t)detection_setting(d, SETTING_WINDOW) * STATISTICS_SECOND;
    int64_t etype = observation_int(
        o, o->kind == ACTIVITY_KERBEROS_AS ? FIELD_REPLY_ETYPE : FIELD_ISSUED_TICKET_ETYPE, 0);
    bool is_weak = etype_is_weak(etype);
    uint64_t item = o->account.subject.low;
    uint32_t accounts = distinct_window_add(&r->accounts, item, o->time, width);
    uint32_t weak = is_weak ? distinct_window_add(&r->weak, item, o->time, width)
                            : distinct_window_value(&r->weak, o->time, width);
    uint32_t today = baseline_add(&r->days, o->time, !o->told);
    bool habit = baseline_days_of(&r->days, 1) >= detection_setting(d, SETTING_HABIT);
    double probability = habit ? baseline_tail(&r->days, today) : 0;
    bool many = (is_weak && weak >= detection_setting(d, SETTING_WEAK)) ||
                accounts >= detection_setting(d, SETTING_ACCOUNTS);
    if (!many || probability > detection_setting(d, SETTING_RARITY))
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_put_string(alert, "encryption_type", etype_name(etype));
    alert_put_string(alert, "asked_first", etype_name(first_offered(o)));
    alert_put_compared(alert, "weak", weak, "weak", detection_setting(d, SETTING_WEAK));
    alert_put_compared(alert, "accounts", accounts, "accounts", detection_setting(d, SETTING_ACCOUNTS));
    alert_explain(
        alert,
        "%.*s got a ticket of %.*s without proving who it is, in an answer encrypted with %s, from "
        "which the password can be guessed; of %u account%s so far, %u with RC4 or DES, within %.0f s.",
        PRINTED(party_words(&o->source, "Somebody")), PRINTED(o->account.name), etype_name(etype), accounts,
        accounts == 1 ? "" : "s", weak, detection_setting(d, SETTING_WINDOW));
    if (first_offered(o) && !offers_strong(o))
        alert_explain(alert, "The client offered no AES, so that the answer is guessed faster.");
    if (detection_is(d, &o->account, FACT_NO_PREAUTH))
        alert_explain(alert, "The directory says that the account needs no pre-authentication.");
    if (r->days.known)
        alert_explain(alert, "On %u days before the source did so %.0f times a day (median).", r->days.known,
                      baseline_median(&r->days));
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_asrep_roasting = {
    .external_id = 2412,
    .name = "AsrepRoastingSecurityAlert",
    .title = "Suspected AS-REP roasting attack",
    .word = "asrep_roasting",
    .severity = SEVERITY_HIGH,
    .mitre = "T1558.004",
    .doc =
        "Looks for AS exchanges (RFC 4120 3.1, event 4768) that succeed without pre-authentication: the "
        "answer is encrypted with a key made of the account's password, so whoever asks can guess it at "
        "leisure. Counts, for each source, the accounts of which it got one in a sliding time; one is enough "
        "when the answer is encrypted with RC4 or DES, which nothing current needs. A source that did so on "
        "several days is learned (docs/learning.md). Requests with a certificate or under armor (FAST), and "
        "those of well-known names (anonymous), are left out.",
    .advice = "Let the accounts need pre-authentication (remove DONT_REQ_PREAUTH) and reset their passwords.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
