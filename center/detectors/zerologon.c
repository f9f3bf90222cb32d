/* SPDX-License-Identifier: Apache-2.0
 *
 * 2411: the Netlogon secure channel of a controller is forced (Zerologon, CVE-2020-1472).
 */
#include "center/detectors/authentication.h"

enum { SETTING_ZEROS, SETTING_REFUSED, SETTING_WINDOW };

static const struct detector_setting settings[] = {
    [SETTING_ZEROS] = {"zeros", "", 3, 1, 1, 1, 1000,
                       "How many challenges or credentials of nothing but zero bytes."},
    [SETTING_REFUSED] = {"refused", "", 200, 50, 20, 2, 100000,
                         "How many secure channels of one source are refused."},
    [SETTING_WINDOW] = {"window", "s", 600, 600, 3600, 10, 86400, "Within which time."},
    {0},
};

struct forcer {
    struct count_window zeros, refused;
    int64_t accepted; /* when a channel with a credential of zeros was accepted; 0: never */
};

static const struct state_form tables[] = {
    {"sources", 1, sizeof(struct forcer), 8192, STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_NETLOGON_CHALLENGE, ACTIVITY_NETLOGON_AUTHENTICATE,
                                           ACTIVITY_NETLOGON_PASSWORD_SET, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    return o->origin;
}

static void observe(struct detection *d, const struct observation *o)
{
    bool zero = observation_bool(o, FIELD_NETLOGON_CHALLENGE_ZERO) ||
                observation_bool(o, FIELD_NETLOGON_CREDENTIAL_ZERO);
    bool emptied = observation_bool(o, FIELD_NETLOGON_PASSWORD_ZERO);
    bool answered = observation_has(o, FIELD_STATUS);
    bool accepted = answered && observation_uint(o, FIELD_STATUS, 1) == 0;
    bool refused = o->kind == ACTIVITY_NETLOGON_AUTHENTICATE && answered && !accepted;
    struct forcer *f = detection_use(d, 0, detection_key(d), NULL);
    if (!f)
        return;
    int64_t width = (int64_t)detection_setting(d, SETTING_WINDOW) * STATISTICS_SECOND;
    uint32_t zeros = count_window_add(&f->zeros, zero, o->time, width);
    uint32_t refusals = count_window_add(&f->refused, refused, o->time, width);
    bool through = o->kind == ACTIVITY_NETLOGON_AUTHENTICATE && accepted && zero;
    if (through)
        f->accepted = o->time;
    bool many_zeros = (zero || emptied) && zeros >= detection_setting(d, SETTING_ZEROS);
    bool many_refused = refused && refusals >= detection_setting(d, SETTING_REFUSED);
    bool after = o->kind == ACTIVITY_NETLOGON_PASSWORD_SET && f->accepted && o->time - f->accepted <= width;
    if (!many_zeros && !many_refused && !after && !emptied)
        return;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    struct bytes account = observation_text(o, FIELD_NETLOGON_ACCOUNT);
    if (account.size)
        alert_add_named(alert, ALERT_TARGET, SUBJECT_COMPUTER, account, (struct bytes){0});
    alert_put_compared(alert, "zeros", zeros, "zeros", detection_setting(d, SETTING_ZEROS));
    alert_put_compared(alert, "refused", refusals, "refused", detection_setting(d, SETTING_REFUSED));
    bool success = through || ((after || emptied) && accepted);
    alert_put_string(alert, "outcome", success ? "success" : "failure");
    alert_explain(alert,
                  "%.*s tried to set up a Netlogon secure channel with %.*s: %u challenges or credentials of "
                  "nothing but zeros, %u refusals within %.0f s.",
                  PRINTED(party_words(&o->source, "Somebody")),
                  PRINTED(party_words(&o->destination, "a controller")), zeros, refusals,
                  detection_setting(d, SETTING_WINDOW));
    alert_explain(alert,
                  "By chance a challenge is all zeros once in 2^64 times; of credentials of zeros for such "
                  "a challenge a vulnerable controller accepts one in 256.");
    if (through)
        alert_explain(alert, "It was accepted.");
    if (after || emptied)
        alert_explain(alert, "%s password of %.*s was %s.", emptied ? "An empty" : "A new", PRINTED(account),
                      accepted ? "set" : "asked to be set, and refused");
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_zerologon = {
    .external_id = 2411,
    .name = "NetlogonBypassSecurityAlert",
    .title = "Suspected Netlogon privilege elevation attempt (CVE-2020-1472)",
    .word = "zerologon",
    .severity = SEVERITY_HIGH,
    .mitre = "T1068",
    .doc =
        "Looks at how Netlogon secure channels are set up ([MS-NRPC] 3.1.4.1): a client challenge or "
        "credential of nothing but zero bytes, which the attack on CVE-2020-1472 (Tom Tervoort, Secura, "
        "\"Zerologon\", 2020) needs and no lawful client sends; a password set to zeros, or set at all after "
        "such a channel was accepted; and many refused set-ups by one source.",
    .advice =
        "If it succeeded, the controller's password is not what its directory believes: follow the "
        "guidance for CVE-2020-1472, reset it twice, and search for what was replicated (2006). Make sure "
        "that all controllers have their updates and enforce secure channels.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
