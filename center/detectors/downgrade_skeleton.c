/* SPDX-License-Identifier: Apache-2.0
 *
 * 2010: a controller knows only the weak key of an account that has strong ones.
 */
#include "center/detectors/authentication.h"

enum { SETTING_STRONG, SETTING_WINDOW };
enum { TABLE_ACCOUNTS, TABLE_CONTROLLERS };

static const struct detector_setting settings[] = {
    [SETTING_STRONG] =
        {"strong", "", 5, 1, 1, 1, 1000,
         "How often the account must have been answered with AES, to be known to have such keys."},
    [SETTING_WINDOW] = {"window", "s", 86400, 3600, 600, 60, 864000,
                        "For how long the controller must have answered nobody with AES, where nothing was "
                        "learned of the account."},
    {0},
};

struct answer_habit {
    uint32_t strong, weak; /* answers to clients that offer AES */
    int64_t last_strong;
};

struct controller_habit {
    int64_t last_strong; /* answer to anybody */
};

static const struct state_form tables[] = {
    [TABLE_ACCOUNTS] = {"accounts", 1, sizeof(struct answer_habit), 1048576, 90 * STATISTICS_DAY},
    [TABLE_CONTROLLERS] = {"controllers", 1, sizeof(struct controller_habit), 4096, 0},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_AS, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    bool answered = observation_uint(o, FIELD_STATUS, 1) == 0 && observation_has(o, FIELD_REPLY_ETYPE) &&
                    !observation_bool(o, FIELD_PKINIT) && offers_strong(o) &&
                    etype_is_strong(first_offered(o));
    if (!answered || !party_is(&o->account))
        return (struct subject){0};
    /* The address, which does not change as names become known. */
    struct subject controller = subject_of_address(detection_seed(d), &o->destination_address);
    return subject_is_none(controller) ? o->destination.subject : controller;
}

static void observe(struct detection *d, const struct observation *o)
{
    struct subject pair = subject_of_pair(detection_seed(d), detection_key(d), o->account.subject);
    struct controller_habit *c = detection_use(d, TABLE_CONTROLLERS, detection_key(d), NULL);
    struct answer_habit *h = detection_use(d, TABLE_ACCOUNTS, pair, NULL);
    if (!h || !c)
        return;
    int64_t etype = observation_int(o, FIELD_REPLY_ETYPE, 0);
    if (etype_is_strong(etype)) {
        h->strong++;
        h->last_strong = c->last_strong = o->time;
        return;
    }
    if (!etype_is_weak(etype))
        return;
    struct facts facts;
    bool expected =
        detection_facts(d, &o->account, &facts) && facts.supported_etypes && !(facts.supported_etypes & 0x18);
    bool known = h->strong >= detection_setting(d, SETTING_STRONG);
    bool modern = etype_is_strong(observation_int(o, FIELD_ISSUED_TICKET_ETYPE, 0));
    bool proved = request_is_preauthenticated(o);
    int64_t window = (int64_t)detection_setting(d, SETTING_WINDOW) * STATISTICS_SECOND;
    bool others_fine = c->last_strong && o->time - c->last_strong <= window;
    if (expected || h->weak || !(known || (h->strong == 0 && modern && proved && !others_fine))) {
        h->weak++;
        return;
    }
    struct alert *alert = detection_alert(d, o, pair);
    alert_put_string(alert, "encryption_type", etype_name(etype));
    alert_put_string(alert, "offered", etype_name(first_offered(o)));
    alert_put_string(alert, "ticket_encryption_type",
                     etype_name(observation_int(o, FIELD_ISSUED_TICKET_ETYPE, 0)));
    alert_put_compared(alert, "strong_before", h->strong, "strong", detection_setting(d, SETTING_STRONG));
    alert_explain(alert, "%.*s offered %s, and the controller %.*s answered with the %s key of %.*s.",
                  PRINTED(party_words(&o->source, "A client")), etype_name(first_offered(o)),
                  PRINTED(party_words(&o->destination, "that was asked")), etype_name(etype),
                  PRINTED(o->account.name));
    if (known)
        alert_explain(alert,
                      "Before, it answered this account with AES %u times, and never weaker: a "
                      "skeleton key on this controller lets it know only RC4.",
                      h->strong);
    else
        alert_explain(
            alert,
            "Its tickets are encrypted with %s, so it knows AES, and yet it has answered nobody with AES of "
            "late. Nothing was learned of this account: if its password has not been changed since the "
            "domain knows AES, it looks the same.",
            etype_name(observation_int(o, FIELD_ISSUED_TICKET_ETYPE, 0)));
    detection_raise(d);
}

const struct detector detector_downgrade_skeleton = {
    .external_id = 2010,
    .name = "EncryptionDowngradeSecurityAlert",
    .title = "Suspected skeleton key attack (encryption downgrade)",
    .word = "downgrade_skeleton",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1556.001",
    .learning = 5 * STATISTICS_DAY,
    .doc =
        "Compares the encryption type of the sealed part of an AS reply, which is the client key's (RFC 4120 "
        "5.4.2), with what the client offered and what this account was answered with before: malware that "
        "puts a second password into a controller's memory (skeleton key) works with RC4 only and makes the "
        "controller say that it has no AES keys (ETYPE-INFO2). Raised when an account that is known to have "
        "AES keys is answered with a weaker one though the client prefers AES; and, where nothing was "
        "learned of it, when the controller encrypts its tickets with AES and yet has answered nobody with "
        "AES of late. Accounts of which the directory says that they have none are left out.",
    .advice = "Compare what other controllers answer to the same account. If only this one is weak, look for "
              "malware in its LSASS process and restart it; change the passwords of administrators.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
