/* SPDX-License-Identifier: Apache-2.0
 *
 * 2032: a ticket-granting ticket that no controller issued.
 */
#include "center/detectors/authentication.h"

/* RFC 4120 7.5.9 */
#define KRB_AP_ERR_BAD_INTEGRITY 31
#define KRB_AP_ERR_MODIFIED      41
#define KRB_AP_ERR_BADKEYVER     44

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_TGS, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    uint64_t fingerprint = observation_uint(o, FIELD_TICKET_FINGERPRINT, 0);
    bool granting = service_is_own_granting(observation_text(o, FIELD_TICKET_SERVICE),
                                            observation_text(o, FIELD_TICKET_REALM));
    return fingerprint && granting && !o->ticket ? subject_of_number(detection_seed(d), fingerprint)
                                                 : (struct subject){0};
}

static void observe(struct detection *d, const struct observation *o)
{
    uint64_t status = observation_uint(o, FIELD_STATUS, 0);
    bool no_key =
        status == KRB_AP_ERR_BADKEYVER || status == KRB_AP_ERR_MODIFIED || status == KRB_AP_ERR_BAD_INTEGRITY;
    if (!o->tickets_watched && !no_key)
        return;
    struct alert *alert =
        detection_alert(d, o, subject_of_pair(detection_seed(d), o->origin, o->account.subject));
    alert_put_text(alert, "service", observation_text(o, FIELD_SERVICE));
    alert_put_string(alert, "outcome", status == 0 ? "success" : "failure");
    alert_explain(alert, "%.*s used a suspicious Kerberos ticket from %.*s to access %.*s.",
                  PRINTED(party_words(&o->account, "Somebody")),
                  PRINTED(party_words(&o->source, "an unknown place")),
                  PRINTED(observation_text(o, FIELD_SERVICE)));
    if (o->tickets_watched)
        alert_explain(alert,
                      "All controllers are watched, and have been for longer than tickets live: none of "
                      "them issued this one.");
    if (no_key) {
        alert_put_number(alert, "error_code", (double)status);
        alert_explain(alert,
                      "The controller answered that its key does not fit (error %u): it did not issue it, or "
                      "did before krbtgt's password was reset twice.",
                      (unsigned)status);
    }
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_golden_ticket_anomaly = {
    .external_id = 2032,
    .name = "GoldenTicketSizeAnomalySecurityAlert",
    .title = "Suspected golden ticket usage (ticket anomaly)",
    .word = "golden_ticket_anomaly",
    .severity = SEVERITY_HIGH,
    .mitre = "T1558.001",
    .doc =
        "Knows each ticket by a keyed hash of its cipher text, when it is issued (AS and TGS replies) and "
        "when it is presented. A ticket-granting ticket that is presented and was not issued by any "
        "controller is forged: this can be said once all controllers of the domain have been watched, "
        "without loss, for as long as a ticket can live. Before, and where not all are watched, only what a "
        "controller itself refuses for a key that does not fit (KRB_AP_ERR_MODIFIED, "
        "KRB_AP_ERR_BAD_INTEGRITY, KRB_AP_ERR_BADKEYVER, RFC 4120 7.5.9) is raised.",
    .advice =
        "Find out how krbtgt's key was taken (look for DCSync, 2006); reset krbtgt's password twice, and "
        "look what the account did from the source.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
