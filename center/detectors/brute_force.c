/* SPDX-License-Identifier: Apache-2.0
 *
 * 2023: passwords are guessed from one source by Kerberos or NTLM.
 */
#include "center/detectors/authentication.h"

enum { SETTING_ATTEMPTS, SETTING_SHARE, SETTING_RARITY, SETTING_WINDOW, SETTING_HOME, SETTING_DAY };

static const struct detector_setting settings[] = {
    [SETTING_ATTEMPTS] = {"attempts", "", 20, 10, 6, 2, 100000,
                          "How many authentications of one source fail for a wrong password."},
    [SETTING_SHARE] = {"share", "%", 60, 50, 30, 1, 100,
                       "How large a part of all its authentications they are: a gateway or server of many "
                       "people succeeds mostly."},
    [SETTING_RARITY] = {"rarity", "", 0.0001, 0.001, 0.01, 0, 1,
                        "How improbable so many failures in a day are for this source, by its days before."},
    [SETTING_WINDOW] = {"window", "s", 600, 600, 3600, 10, 86400, "Within which time."},
    [SETTING_HOME] =
        {"home_attempts", "", 60, 30, 20, 2, 100000,
         "How many of accounts that usually log on from that source fail before they are counted: "
         "mostly they mistyped, or a program goes on with the password from before a change."},
    [SETTING_DAY] = SLOW_SPRAY_SETTING,
    {0},
};

struct source {
    struct guessing guessing;
    struct count_window home; /* failures of accounts that usually log on from here */
    struct slow_spray slow;   /* without those */
};

static const struct state_form tables[] = {
    {"sources", 3, sizeof(struct source), 65536, 30 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {
    ACTIVITY_KERBEROS_AS, ACTIVITY_KERBEROS_ERROR,  ACTIVITY_NTLM_AUTHENTICATE,
    ACTIVITY_SMB_SESSION, ACTIVITY_NTLM_VALIDATION, ACTIVITY_WINDOWS_KERBEROS_AS,
    ACTIVITY_NONE};

/* A KDC that asks for pre-authentication, or that knows no such name, was shown no password. */
static enum outcome guess_of(const struct observation *o)
{
    enum outcome outcome = authentication_outcome(o);
    bool ntlm = strcmp(authentication_protocol(o), "NTLM") == 0;
    /* The event of NTLM tells no address, so what was told was counted for another source. */
    if (outcome == OUTCOME_EXISTS || (o->told && !ntlm))
        return OUTCOME_NONE;
    if (outcome == OUTCOME_UNKNOWN)
        return ntlm ? OUTCOME_WRONG : OUTCOME_NONE;
    if (outcome == OUTCOME_LOCKED && o->kind == ACTIVITY_KERBEROS_AS && !request_is_preauthenticated(o))
        return OUTCOME_NONE;
    return outcome;
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    return guess_of(o) == OUTCOME_NONE ? (struct subject){0} : o->origin;
}

static const char *shape_of(const struct guessing_result *result)
{
    if (result->accounts == 1)
        return "vertical";
    return result->failures <= 2 * result->accounts ? "spray" : "horizontal";
}

/* The computer is one of those that the account has used in more than one hour. */
static bool is_at_home(const struct detection *d, const struct observation *o)
{
    const struct profile *profile =
        o->source.kind == SUBJECT_COMPUTER ? detection_profile(d, &o->account) : NULL;
    return profile && profile_weight(profile, HABIT_SOURCE, profile_key(o->source.memory)) > 1;
}

static void observe(struct detection *d, const struct observation *o)
{
    struct source *source = detection_use(d, 0, detection_key(d), NULL);
    if (!source)
        return;
    enum outcome outcome = guess_of(o);
    struct guessing *g = &source->guessing;
    const int64_t width = (int64_t)detection_setting(d, SETTING_WINDOW) * STATISTICS_SECOND;
    /* Counted when failures are, so that both windows move together. */
    bool at_home = outcome_failed(outcome) && is_at_home(d, o);
    uint32_t home = outcome_failed(outcome) ? count_window_add(&source->home, at_home, o->time, width)
                                            : count_window_value(&source->home, o->time, width);
    const struct guessing_limits limits = {
        .attempts = detection_setting(d, SETTING_ATTEMPTS),
        .forgiven = home < detection_setting(d, SETTING_HOME) ? home : 0,
        .share = detection_setting(d, SETTING_SHARE),
        .rarity = detection_setting(d, SETTING_RARITY),
        .width = width,
    };
    struct guessing_result result = guessing_count(g, o, outcome, &limits);
    double accounts = detection_setting(d, SETTING_DAY);
    bool slow =
        slow_spray_count(&source->slow, o, outcome_failed(outcome) && !at_home, accounts, limits.share);
    if (!result.above && !result.hit) {
        if (slow && (!result.known_days || result.probability <= limits.rarity)) {
            slow_spray_tell(detection_alert(d, o, detection_key(d)), &source->slow, o, accounts,
                            limits.share);
            detection_raise(d);
        }
        return;
    }
    struct alert *alert = detection_alert(d, o, detection_key(d));
    const char *shape = shape_of(&result);
    alert_put_string(alert, "protocol", authentication_protocol(o));
    alert_put_string(alert, "shape", shape);
    alert_explain(alert, "%.*s failed %u of %u authentications by %s, as %u account%s (%s), within %.0f s.",
                  PRINTED(party_words(&o->source, "Somebody")), result.failures, result.tries,
                  authentication_protocol(o), result.accounts, result.accounts == 1 ? "" : "s",
                  result.accounts == 1          ? "many passwords for one account"
                  : strcmp(shape, "spray") == 0 ? "few passwords for many accounts"
                                                : "many passwords for several accounts",
                  detection_setting(d, SETTING_WINDOW));
    if (home) {
        alert_put_compared(alert, "at_home", home, "home_attempts", detection_setting(d, SETTING_HOME));
        alert_explain(alert, "%u of them were of accounts that usually log on from there.", home);
    }
    if (outcome == OUTCOME_LOCKED)
        alert_explain(alert, "%.*s is locked out, disabled or expired.", PRINTED(o->account.name));
    guessing_tell(alert, g, &result, &limits);
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_brute_force = {
    .external_id = 2023,
    .name = "BruteForceSecurityAlert",
    .title = "Suspected brute force attack (Kerberos, NTLM)",
    .word = "brute_force",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1110",
    .learning = 7 * STATISTICS_DAY,
    .doc =
        "Counts, for each source address, authentications by Kerberos (KDC_ERR_PREAUTH_FAILED and "
        "KDC_ERR_CLIENT_REVOKED, RFC 4120 7.5.9) and NTLM ([MS-ERREF] STATUS_LOGON_FAILURE and its like; "
        "events 4768, 4771, 4776) that fail in a sliding time, and how large a part of all they are. One "
        "account that fails often is a vertical attack, many accounts that fail once or twice a spray (MITRE "
        "T1110.003), anything between a horizontal one. A spray that takes its time is told by many "
        "different accounts that fail within a day, each a few times. How often the source fails in usual "
        "days is learned over a week and kept for four (a negative binomial distribution of the counts by "
        "day, docs/learning.md): a computer that fails every day with an outdated password is raised only "
        "when it fails far more. Those of accounts that usually log on from that very computer "
        "(docs/learning.md, profiles) count only when they are many: whoever guesses a password sits "
        "elsewhere. A success amid the failures is told.",
    .advice = "If the source's owner does not know of it, take it off the network. Reset the passwords of "
              "accounts that were logged on to amid the failures, and look what they did since.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
