/* SPDX-License-Identifier: Apache-2.0
 *
 * 2003: names of accounts are guessed.
 */
#include "center/detectors/authentication.h"

enum { SETTING_NAMES, SETTING_SHARE, SETTING_WINDOW };

static const struct detector_setting settings[] = {
    [SETTING_NAMES] = {"names", "", 10, 5, 3, 2, 1000,
                       "How many different names without an account one source asks for."},
    [SETTING_SHARE] =
        {"share", "%", 60, 50, 30, 1, 100,
         "How large a part of all names that it asks for they are: a gateway of many people asks "
         "mostly for accounts that there are."},
    [SETTING_WINDOW] = {"window", "s", 600, 600, 3600, 10, 86400, "Within which time."},
    {0},
};

#define FOUND_MAX 6u

struct guessed_names {
    struct distinct_window unknown, known;
    uint32_t found;
    uint32_t hashes[FOUND_MAX];
    char names[FOUND_MAX][48]; /* accounts that there are, amid those that there are not */
};

static const struct state_form tables[] = {
    {"names", 1, sizeof(struct guessed_names), 32768, 2 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {AUTHENTICATION_KINDS, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    return authentication_outcome(o) == OUTCOME_NONE ? (struct subject){0} : o->origin;
}

static void keep_found(struct guessed_names *g, const struct party *account)
{
    uint32_t hash = (uint32_t)account->subject.low;
    for (uint32_t i = 0; i < g->found; i++)
        if (g->hashes[i] == hash)
            return;
    if (g->found == FOUND_MAX)
        return;
    keep_name(g->names[g->found], sizeof(g->names[g->found]), account->name);
    g->hashes[g->found++] = hash;
}

static void raise_alert(struct detection *d, const struct observation *o, const struct guessed_names *g,
                        uint32_t unknown, uint32_t known)
{
    struct alert *alert = detection_bare_alert(d, o, detection_key(d));
    alert_add_party(alert, ALERT_SOURCE, &o->source);
    alert_add_party(alert, ALERT_DESTINATION, &o->destination);
    double share = 100.0 * unknown / (unknown + known);
    alert_put_string(alert, "protocol", authentication_protocol(o));
    alert_put_compared(alert, "unknown_names", unknown, "names", detection_setting(d, SETTING_NAMES));
    alert_put_number(alert, "existing_names", known);
    alert_put_compared(alert, "share_unknown", share, "share", detection_setting(d, SETTING_SHARE));
    alert_put_text(alert, "last_name", o->account.name);
    alert_explain(alert,
                  "%.*s asked by %s for %u names that have no account (from %.0f on it counts) and %u that "
                  "have one, within %.0f s.",
                  PRINTED(party_words(&o->source, "Somebody")), authentication_protocol(o), unknown,
                  detection_setting(d, SETTING_NAMES), known, detection_setting(d, SETTING_WINDOW));
    for (uint32_t i = 0; i < g->found; i++) {
        struct bytes name = {(const uint8_t *)g->names[i], strlen(g->names[i])};
        alert_add_named(alert, ALERT_ACCOUNT, SUBJECT_ACCOUNT, name, (struct bytes){0});
    }
    if (g->found)
        alert_explain(alert, "It found out that %s exists%s.", g->names[0], known > 1 ? ", and others" : "");
    tell_source(alert, o);
    detection_raise(d);
}

static void observe(struct detection *d, const struct observation *o)
{
    struct guessed_names *g = detection_use(d, 0, detection_key(d), NULL);
    if (!g)
        return;
    int64_t width = (int64_t)detection_setting(d, SETTING_WINDOW) * STATISTICS_SECOND;
    bool none_such = authentication_outcome(o) == OUTCOME_UNKNOWN;
    uint32_t unknown = none_such ? distinct_window_add(&g->unknown, o->account.subject.low, o->time, width)
                                 : distinct_window_value(&g->unknown, o->time, width);
    uint32_t known = none_such ? distinct_window_value(&g->known, o->time, width)
                               : distinct_window_add(&g->known, o->account.subject.low, o->time, width);
    if (unknown == 0)
        g->found = 0;
    else if (!none_such)
        keep_found(g, &o->account);
    if (unknown >= detection_setting(d, SETTING_NAMES) &&
        unknown * 100.0 >= (unknown + known) * detection_setting(d, SETTING_SHARE))
        raise_alert(d, o, g, unknown, known);
}

const struct detector detector_account_enumeration = {
    .external_id = 2003,
    .name = "AccountEnumerationSecurityAlert",
    .title = "Account enumeration reconnaissance",
    .word = "account_enumeration",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1087.002",
    .doc =
        "Counts, for each source address, the different names for which the KDC says that there is no such "
        "account (RFC 4120 7.5.9: KDC_ERR_C_PRINCIPAL_UNKNOWN), NTLM STATUS_NO_SUCH_USER, LDAP error 0x525, "
        "and events 4768, 4771 and 4776 say so; and those names that turn out to exist. It raises when "
        "there are many of the former, and they are a large part of all: so neither a service that asks "
        "for one wrong name for ever nor a gateway behind which many people mistype is one. The method is "
        "counting of distinct items in a sliding time (docs/learning.md).",
    .advice = "Find out which program on the source asks. If names were found, look for guesses of their "
              "passwords (2023), and for AS-REP roasting (2412).",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
