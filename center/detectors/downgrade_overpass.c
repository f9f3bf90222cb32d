/* SPDX-License-Identifier: Apache-2.0
 *
 * 2008: an account proves itself with a weaker key than it has.
 */
#include "center/detectors/authentication.h"

enum { SETTING_STRONG };

static const struct detector_setting settings[] = {
    [SETTING_STRONG] = {"strong", "", 10, 3, 1, 1, 1000,
                        "How often the account must have proved itself with AES, to be known for it."},
    {0},
};

struct etype_habit {
    uint32_t strong, weak; /* successful pre-authentications by type */
    int64_t first, last_strong;
};

static const struct state_form tables[] = {
    {"accounts", 1, sizeof(struct etype_habit), 1048576, 90 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_AS, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    return authentication_outcome(o) == OUTCOME_SUCCESS && observation_has(o, FIELD_PREAUTH_ETYPE)
               ? o->account.subject
               : (struct subject){0};
}

/* [MS-KILE] 2.2.7: AES128 and AES256. */
static bool directory_says_weak(const struct facts *facts)
{
    return facts->supported_etypes && !(facts->supported_etypes & 0x18);
}

static void raise_alert(struct detection *d, const struct observation *o, const struct etype_habit *h,
                        int64_t etype, bool known)
{
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_put_string(alert, "encryption_type", etype_name(etype));
    alert_put_string(alert, "ticket_encryption_type",
                     etype_name(observation_int(o, FIELD_ISSUED_TICKET_ETYPE, 0)));
    alert_put_compared(alert, "strong_before", h->strong, "strong", detection_setting(d, SETTING_STRONG));
    alert_put_number(alert, "weak_before", h->weak);
    alert_explain(
        alert,
        "%.*s proved itself by an AS request with a time stamp encrypted with %s, from %.*s: as one "
        "does who has the hash of the password instead of the password.",
        PRINTED(o->account.name), etype_name(etype), PRINTED(party_words(&o->source, "an unknown place")));
    if (known) {
        alert_put_time(alert, "last_strong", h->last_strong);
        alert_explain(alert,
                      "Since it was first seen it did so with AES %u times, and never with a weaker type.",
                      h->strong);
    } else {
        alert_explain(alert,
                      "The client offered no AES at all, though the domain encrypts its tickets with %s; "
                      "nothing else was learned of this account.",
                      etype_name(observation_int(o, FIELD_ISSUED_TICKET_ETYPE, 0)));
    }
    tell_source(alert, o);
    detection_raise(d);
}

static void observe(struct detection *d, const struct observation *o)
{
    bool added;
    struct etype_habit *h = detection_use(d, 0, detection_key(d), &added);
    if (!h)
        return;
    if (added)
        h->first = o->time;
    int64_t etype = observation_int(o, FIELD_PREAUTH_ETYPE, 0);
    if (etype_is_strong(etype)) {
        h->strong++;
        h->last_strong = o->time;
        return;
    }
    if (!etype_is_weak(etype))
        return;
    struct facts facts;
    bool expected = detection_facts(d, &o->account, &facts) && directory_says_weak(&facts);
    bool known = h->strong >= detection_setting(d, SETTING_STRONG);
    bool on_purpose = etype_is_strong(observation_int(o, FIELD_ISSUED_TICKET_ETYPE, 0)) && !offers_strong(o);
    if (!expected && h->weak == 0 && (known || (h->strong == 0 && on_purpose)))
        raise_alert(d, o, h, etype, known);
    /* What is raised is not learned from, or the attacker's own would make it a habit. */
    else
        h->weak++;
}

const struct detector detector_downgrade_overpass = {
    .external_id = 2008,
    .name = "EncryptionDowngradeSecurityAlert",
    .title = "Suspected overpass-the-hash attack (encryption downgrade)",
    .word = "downgrade_overpass",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1550.002",
    .learning = 30 * STATISTICS_DAY,
    .doc =
        "Compares the encryption type of the time stamp by which an account proves itself (PA-ENC-TIMESTAMP, "
        "RFC 4120 5.2.7.2) with those that it used before: the NT hash of a password is the RC4 key, so who "
        "has stolen only a hash uses RC4 where the account's own computers use AES (RFC 3962, RFC 4757). "
        "Raised when an account that is known for AES uses a weaker type for the first time; and when an "
        "account of which nothing was learned does so by a client that offers no AES at all, to a domain "
        "that encrypts its tickets with AES. Accounts of which the directory says that they have no AES keys "
        "(msDS-SupportedEncryptionTypes, [MS-KILE] 2.2.7), and those that use weak types by habit, are left "
        "out.",
    .advice =
        "Ask the account's owner; if it was not a program that is known to need RC4, reset the password "
        "and look for credential theft on the computers where the account was logged on.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
