/* SPDX-License-Identifier: Apache-2.0
 *
 * 2004: passwords are guessed by LDAP simple binds.
 */
#include "center/detectors/authentication.h"

enum { SETTING_ATTEMPTS, SETTING_SHARE, SETTING_RARITY, SETTING_WINDOW, SETTING_DAY };

static const struct detector_setting settings[] = {
    [SETTING_ATTEMPTS] = {"attempts", "", 20, 10, 6, 2, 100000, "How many binds of one source fail."},
    [SETTING_SHARE] = {"share", "%", 60, 50, 30, 1, 100, "How large a part of all its binds they are."},
    [SETTING_RARITY] = {"rarity", "", 0.0001, 0.001, 0.01, 0, 1,
                        "How improbable so many failures in a day are for this source, by its days before."},
    [SETTING_WINDOW] = {"window", "s", 600, 600, 3600, 10, 86400, "Within which time."},
    [SETTING_DAY] = SLOW_SPRAY_SETTING,
    {0},
};

struct source {
    struct guessing guessing;
    struct slow_spray slow;
};

static const struct state_form tables[] = {
    {"sources", 2, sizeof(struct source), 32768, 30 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_LDAP_BIND, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    return authentication_outcome(o) == OUTCOME_NONE ? (struct subject){0} : o->origin;
}

static void observe(struct detection *d, const struct observation *o)
{
    struct source *source = detection_use(d, 0, detection_key(d), NULL);
    if (!source)
        return;
    struct guessing *g = &source->guessing;
    enum outcome outcome = authentication_outcome(o);
    if (outcome == OUTCOME_UNKNOWN)
        outcome = OUTCOME_WRONG; /* it comes with a password: a guess all the same */
    const struct guessing_limits limits = {
        .attempts = detection_setting(d, SETTING_ATTEMPTS),
        .share = detection_setting(d, SETTING_SHARE),
        .rarity = detection_setting(d, SETTING_RARITY),
        .width = (int64_t)detection_setting(d, SETTING_WINDOW) * STATISTICS_SECOND,
    };
    struct guessing_result result = guessing_count(g, o, outcome, &limits);
    double accounts = detection_setting(d, SETTING_DAY);
    bool slow = slow_spray_count(&source->slow, o, outcome_failed(outcome), accounts, limits.share);
    if (!result.above && !result.hit) {
        if (slow && (!result.known_days || result.probability <= limits.rarity)) {
            slow_spray_tell(detection_alert(d, o, detection_key(d)), &source->slow, o, accounts,
                            limits.share);
            detection_raise(d);
        }
        return;
    }
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_explain(alert, "%.*s failed %u of %u LDAP simple binds to %.*s, as %u account%s, within %.0f s.",
                  PRINTED(party_words(&o->source, "Somebody")), result.failures, result.tries,
                  PRINTED(party_words(&o->destination, "a server")), result.accounts,
                  result.accounts == 1 ? "" : "s", detection_setting(d, SETTING_WINDOW));
    guessing_tell(alert, g, &result, &limits);
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_brute_force_ldap = {
    .external_id = 2004,
    .name = "LdapBruteForceSecurityAlert",
    .title = "Suspected brute force attack (LDAP)",
    .word = "brute_force_ldap",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1110",
    .doc =
        "Counts, for each source address, LDAP simple binds (RFC 4511 4.2) that fail with "
        "invalidCredentials, and how large a part of all its binds with a password they are, in a sliding "
        "time; whether against one account or against many; and, for a spray that takes its time, the "
        "different accounts that fail within a day. What the source fails in usual days is learned (a "
        "negative binomial distribution of the counts by day, docs/learning.md): a service with an outdated "
        "password fails every day, and is raised only when it fails far more. A success amid the failures is "
        "told.",
    .advice =
        "If the source's owner does not know of it, take it off the network; reset the passwords of the "
        "accounts that were logged on to. LDAP simple binds without TLS should be refused altogether.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
