/* SPDX-License-Identifier: Apache-2.0
 *
 * 2009: a ticket-granting ticket is encrypted weaker than the domain encrypts its own.
 */
#include "center/detectors/authentication.h"

enum { SETTING_STRONG };

static const struct detector_setting settings[] = {
    [SETTING_STRONG] = {"strong", "", 100, 20, 5, 1, 100000,
                        "How many tickets encrypted with AES, and none weaker, the domain must have issued."},
    {0},
};

struct realm_habit {
    uint32_t strong, weak; /* ticket-granting tickets that controllers issued, by type */
    int64_t last_strong;
};

static const struct state_form tables[] = {
    {"realms", 1, sizeof(struct realm_habit), 1024, 0},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_AS, ACTIVITY_KERBEROS_TGS, ACTIVITY_NONE};

/* RFC 4120 7.5.9: what a KDC answers to a ticket that it has no key for, or that its key does not fit. */
#define KRB_AP_ERR_BAD_INTEGRITY 31
#define KRB_AP_ERR_MODIFIED      41
#define KRB_AP_ERR_BADKEYVER     44

static bool issues(const struct observation *o)
{
    return observation_uint(o, FIELD_STATUS, 1) == 0 &&
           service_is_own_granting(observation_text(o, FIELD_ISSUED_TICKET_SERVICE),
                                   observation_text(o, FIELD_ISSUED_TICKET_REALM));
}

static bool presents(const struct observation *o)
{
    return o->kind == ACTIVITY_KERBEROS_TGS &&
           service_is_own_granting(observation_text(o, FIELD_TICKET_SERVICE),
                                   observation_text(o, FIELD_TICKET_REALM));
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    struct bytes realm = presents(o) ? observation_text(o, FIELD_TICKET_REALM)
                         : issues(o) ? observation_text(o, FIELD_ISSUED_TICKET_REALM)
                                     : (struct bytes){0};
    return subject_of_name(detection_seed(d), SUBJECT_DOMAIN, realm, (struct bytes){0});
}

static void learn(struct realm_habit *h, const struct observation *o)
{
    int64_t etype = observation_int(o, FIELD_ISSUED_TICKET_ETYPE, 0);
    if (etype_is_strong(etype)) {
        h->strong++;
        h->last_strong = o->time;
    } else if (etype_is_weak(etype)) {
        h->weak++;
    }
}

static void observe(struct detection *d, const struct observation *o)
{
    struct realm_habit *h = detection_use(d, 0, detection_key(d), NULL);
    if (!h)
        return;
    if (issues(o))
        learn(h, o);
    int64_t etype = observation_int(o, FIELD_TICKET_ETYPE, 0);
    if (!presents(o) || !etype_is_weak(etype) || o->ticket)
        return;
    uint64_t status = observation_uint(o, FIELD_STATUS, 0);
    bool refused =
        status == KRB_AP_ERR_BADKEYVER || status == KRB_AP_ERR_MODIFIED || status == KRB_AP_ERR_BAD_INTEGRITY;
    bool learned = h->weak == 0 && h->strong >= detection_setting(d, SETTING_STRONG);
    if (!learned && !(refused && h->weak == 0))
        return;
    struct subject pair = subject_of_pair(detection_seed(d), o->origin, detection_key(d));
    struct alert *alert = detection_alert(d, o, pair);
    alert_put_string(alert, "encryption_type", etype_name(etype));
    alert_put_text(alert, "service", observation_text(o, FIELD_SERVICE));
    alert_put_compared(alert, "strong_issued", h->strong, "strong", detection_setting(d, SETTING_STRONG));
    alert_put_number(alert, "weak_issued", h->weak);
    alert_explain(alert, "%.*s presented a ticket-granting ticket encrypted with %s to %.*s, to access %.*s.",
                  PRINTED(party_words(&o->source, "Somebody")), etype_name(etype),
                  PRINTED(party_words(&o->destination, "a controller")),
                  PRINTED(observation_text(o, FIELD_SERVICE)));
    if (learned)
        alert_explain(alert, "The controllers of %.*s were seen to issue %u with AES and none weaker.",
                      PRINTED(observation_text(o, FIELD_TICKET_REALM)), h->strong);
    if (refused) {
        alert_put_number(alert, "error_code", (double)status);
        alert_explain(alert, "The controller said that it has no such key (error %u): it did not issue it.",
                      (unsigned)status);
    }
    alert_explain(alert, "That this ticket was issued was not seen.");
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_downgrade_golden = {
    .external_id = 2009,
    .name = "GoldenTicketEncryptionDowngradeSecurityAlert",
    .title = "Suspected golden ticket usage (encryption downgrade)",
    .word = "downgrade_golden",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1558.001",
    .learning = 5 * STATISTICS_DAY,
    .doc =
        "Compares the encryption type of the ticket-granting ticket that a client presents (RFC 4120 5.5.1) "
        "with those that the controllers of that realm issue: they encrypt all of them with the strongest "
        "key of krbtgt, so one encrypted with RC4 or DES where they use AES was made by somebody who has "
        "only krbtgt's hash. Raised when a realm that issued only AES ones is shown a weaker one that was "
        "not seen issued; and when the controller itself answers that it has no key for it "
        "(KRB_AP_ERR_BADKEYVER, KRB_AP_ERR_MODIFIED, KRB_AP_ERR_BAD_INTEGRITY, RFC 4120 7.5.9). Tickets of "
        "trusts, whose keys are often RC4, are not looked at.",
    .advice = "Reset the password of krbtgt twice, with a pause of the longest ticket life in between, after "
              "you found out how its key was taken (look for DCSync, 2006). Look what the source did.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
