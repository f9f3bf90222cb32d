/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

static const enum activity_kind kinds[] = {ACTIVITY_LDAP_BIND, ACTIVITY_NONE};

/* Of a source: the accounts whose passwords it sent, and how often. */
struct source {
    struct distinct_window accounts;
    struct count_window binds;
};

static const struct state_form tables[] = {
    {.name = "sources",
     .version = 1,
     .value_size = sizeof(struct source),
     .capacity = 50000,
     .lifetime = 7 * STATISTICS_DAY},
    {.name = "accounts", .version = 1, .value_size = 1, .capacity = 100000, .lifetime = STATISTICS_DAY},
    {0},
};

static struct subject key(const struct detection *d, const struct observation *o)
{
    return observation_bool(o, FIELD_PASSWORD_SENT) ? key_by_origin(d, o) : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    struct source *source = detection_use(d, 0, detection_key(d), NULL);
    if (!source)
        return;
    uint32_t accounts =
        distinct_window_add(&source->accounts, o->account.subject.low, o->time, STATISTICS_DAY);
    uint32_t binds = count_window_add(&source->binds, 1, o->time, STATISTICS_DAY);
    bool first;
    struct subject pair = subject_of_pair(detection_seed(d), detection_key(d), o->account.subject);
    if (!detection_use(d, 1, pair, &first) || !first)
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    if (detection_is(d, &o->account, FACT_SENSITIVE))
        alert->severity = SEVERITY_LOW;
    explain_who(alert, o, "sent a password in clear text (LDAP simple bind without TLS)");
    alert_put_number(alert, "accounts", accounts);
    alert_put_number(alert, "binds", binds);
    alert_explain(alert,
                  "From this source %u accounts within a day, by %u binds. Whoever is on the path can read "
                  "the passwords.",
                  accounts, binds);
    explain_end(alert, o);
    detection_raise(d);
}

const struct detector detector_clear_text_password = {
    .external_id = 2015,
    .name = "LdapCleartextPasswordSecurityAlert",
    .title = "Services exposing account credentials in clear text (LDAP)",
    .word = "clear_text_password",
    .severity = SEVERITY_INFORMATIONAL,
    .mitre = "T1040",
    .doc = "A simple bind that carries a password goes over a connection without TLS (RFC 4513 5.1.3, 6.3). "
           "Told once a day for each account of a source, gathered by source; low for sensitive accounts, "
           "else informational. Rule, no learning. The password itself is kept nowhere.",
    .advice =
        "Have the service use LDAPS, StartTLS or Kerberos, then change the password; demand signing on the "
        "controllers (LDAP server signing requirements).",
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
