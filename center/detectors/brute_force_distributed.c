/* SPDX-License-Identifier: Apache-2.0
 *
 * 2023: passwords of one account are guessed from many sources.
 */
#include "center/detectors/authentication.h"

enum { SETTING_SOURCES, SETTING_ATTEMPTS, SETTING_RARITY, SETTING_WINDOW };

static const struct detector_setting settings[] = {
    [SETTING_SOURCES] = {"sources", "", 10, 5, 3, 2, 1000,
                         "From how many different sources one account fails."},
    [SETTING_ATTEMPTS] = {"attempts", "", 40, 20, 10, 2, 100000, "How often it fails, from all of them."},
    [SETTING_RARITY] = {"rarity", "", 0.0001, 0.001, 0.01, 0, 1,
                        "How improbable so many failures in a day are for this account, by its days before."},
    [SETTING_WINDOW] = {"window", "s", 600, 600, 3600, 10, 86400, "Within which time."},
    {0},
};

struct assailed {
    struct distinct_window sources;
    struct count_window failures;
    struct daily_baseline days;
    int64_t raised;
};

static const struct state_form tables[] = {
    {"accounts", 1, sizeof(struct assailed), 65536, 30 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {AUTHENTICATION_KINDS, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    enum outcome outcome = o->told ? OUTCOME_NONE : authentication_outcome(o);
    return outcome == OUTCOME_WRONG || outcome == OUTCOME_LOCKED || outcome == OUTCOME_SUCCESS
               ? o->account.subject
               : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    enum outcome outcome = authentication_outcome(o);
    struct assailed *a = detection_use(d, 0, detection_key(d), NULL);
    if (!a)
        return;
    int64_t width = (int64_t)detection_setting(d, SETTING_WINDOW) * STATISTICS_SECOND;
    bool success = outcome == OUTCOME_SUCCESS;
    uint32_t failures = count_window_add(&a->failures, success ? 0 : 1, o->time, width);
    uint32_t sources = success ? distinct_window_value(&a->sources, o->time, width)
                               : distinct_window_add(&a->sources, o->origin.low, o->time, width);
    if (!success)
        baseline_add(&a->days, o->time, 1);
    double probability = a->days.known ? baseline_tail(&a->days, a->days.today) : 0;
    bool above = !success && sources >= detection_setting(d, SETTING_SOURCES) &&
                 failures >= detection_setting(d, SETTING_ATTEMPTS) &&
                 probability <= detection_setting(d, SETTING_RARITY);
    bool hit = success && a->raised && o->time - a->raised <= width;
    if (above)
        a->raised = o->time;
    if (!above && !hit)
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_put_string(alert, "protocol", authentication_protocol(o));
    alert_put_string(alert, "shape", "distributed");
    alert_put_compared(alert, "sources", sources, "sources", detection_setting(d, SETTING_SOURCES));
    alert_put_compared(alert, "attempts", failures, "attempts", detection_setting(d, SETTING_ATTEMPTS));
    alert_explain(alert, "%.*s failed to authenticate %u times from %u sources within %.0f s.",
                  PRINTED(o->account.name), failures, sources, detection_setting(d, SETTING_WINDOW));
    if (a->days.known) {
        alert_put_compared(alert, "probability", probability, "rarity", detection_setting(d, SETTING_RARITY));
        alert_explain(alert, "On %u days before it failed %.0f times a day (median).", a->days.known,
                      baseline_median(&a->days));
    }
    if (hit) {
        alert_put_number(alert, "succeeded", 1);
        alert_explain(alert, "Then it was logged on to from %.*s.",
                      PRINTED(party_words(&o->source, "an unknown place")));
    }
    detection_raise(d);
}

const struct detector detector_brute_force_distributed = {
    .external_id = 2023,
    .name = "BruteForceSecurityAlert",
    .title = "Suspected brute force attack (from many sources)",
    .word = "brute_force_distributed",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1110",
    .learning = 7 * STATISTICS_DAY,
    .doc = "Counts, for each account, authentications by Kerberos, NTLM and LDAP simple bind that fail in a "
           "sliding time, and the different sources that they come from: guesses that are spread over many "
           "computers stay below what is counted for one. What the account fails in usual days is learned as "
           "for one source. A success from anywhere within that time is told.",
    .advice =
        "Reset the account's password if it was logged on to, and look at the sources: they may be part "
        "of a botnet, or all behind one gateway.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
