/* SPDX-License-Identifier: Apache-2.0
 *
 * 2013: authorization data that no controller made.
 */
#include "center/detectors/authentication.h"

/* RFC 4120 7.5.9 */
#define KDC_ERR_TGT_REVOKED 20

/* A ticket, by its fingerprint: whether it was asked for without a PAC. */
struct bare_ticket {
    uint8_t bare;
};

static const struct state_form tables[] = {
    {"tickets", 1, sizeof(struct bare_ticket), 65536, 10 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_AS, ACTIVITY_KERBEROS_TGS, ACTIVITY_NONE};

static bool without_pac(const struct observation *o)
{
    return observation_has(o, FIELD_PAC_REQUEST) && !observation_bool(o, FIELD_PAC_REQUEST);
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    uint64_t fingerprint;
    if (o->kind == ACTIVITY_KERBEROS_AS) {
        fingerprint = without_pac(o) ? observation_uint(o, FIELD_ISSUED_TICKET_FINGERPRINT, 0) : 0;
    } else {
        bool granting = service_is_own_granting(observation_text(o, FIELD_TICKET_SERVICE),
                                                observation_text(o, FIELD_TICKET_REALM));
        bool interesting = without_pac(o) || observation_uint(o, FIELD_STATUS, 0) == KDC_ERR_TGT_REVOKED;
        fingerprint = granting && interesting ? observation_uint(o, FIELD_TICKET_FINGERPRINT, 0) : 0;
    }
    return fingerprint ? subject_of_number(detection_seed(d), fingerprint) : (struct subject){0};
}

static struct alert *new_alert(struct detection *d, const struct observation *o)
{
    struct alert *alert =
        detection_alert(d, o, subject_of_pair(detection_seed(d), o->origin, o->account.subject));
    bool success = observation_uint(o, FIELD_STATUS, 1) == 0;
    alert_put_text(alert, "service", observation_text(o, FIELD_SERVICE));
    alert_put_string(alert, "outcome", success ? "success" : "failure");
    alert_explain(
        alert, "%.*s %s to escalate privileges by forged authorization data, from %.*s, to access %.*s.",
        PRINTED(party_words(&o->account, "Somebody")), success ? "seems" : "failed",
        PRINTED(party_words(&o->source, "an unknown place")), PRINTED(observation_text(o, FIELD_SERVICE)));
    return alert;
}

static void observe(struct detection *d, const struct observation *o)
{
    if (o->kind == ACTIVITY_KERBEROS_AS) {
        struct bare_ticket *t = detection_use(d, 0, detection_key(d), NULL);
        if (t)
            t->bare = 1;
        return;
    }
    if (without_pac(o) && detection_look(d, 0, detection_key(d))) {
        struct alert *alert = new_alert(d, o);
        alert_put_string(alert, "method", "ms14-068");
        alert_explain(alert, "Both the ticket-granting ticket and the ticket for the service were asked for "
                             "without a PAC, as who brings one of their own (MS14-068) does.");
        tell_source(alert, o);
        detection_raise(d);
    } else if (observation_uint(o, FIELD_STATUS, 0) == KDC_ERR_TGT_REVOKED && !o->ticket &&
               !detection_is(d, &o->account, FACT_DISABLED) && !detection_is(d, &o->account, FACT_DELETED)) {
        struct alert *alert = new_alert(d, o);
        alert_put_string(alert, "method", "refused");
        alert_put_number(alert, "error_code", KDC_ERR_TGT_REVOKED);
        alert_explain(
            alert,
            "The controller could read the ticket-granting ticket, so it is encrypted with krbtgt's "
            "key, and yet refused it as revoked: its authorization data are not as controllers make "
            "them. That it was issued was not seen%s.",
            o->tickets_watched ? ", though all controllers are watched"
                               : "; it may have been before everything was watched");
        tell_source(alert, o);
        detection_raise(d);
    }
}

const struct detector detector_golden_forged_pac = {
    .external_id = 2013,
    .name = "ForgedPacSecurityAlert",
    .title = "Suspected golden ticket usage (forged authorization data)",
    .word = "golden_forged_pac",
    .severity = SEVERITY_HIGH,
    .mitre = "T1558.001",
    .doc =
        "Two ways in which authorization data (PAC, [MS-PAC]) that no controller made are seen without a "
        "key: a ticket-granting ticket asked for with PA-PAC-REQUEST false and presented in a request that "
        "says so again, which is what a PAC of the client's own needs (MS14-068, CVE-2014-6324); and "
        "one that the controller can decrypt but answers with KDC_ERR_TGT_REVOKED (RFC 4120 7.5.9), "
        "as since CVE-2021-42287 it does when the PAC lacks who asked for it, or names somebody else "
        "([MS-PAC] 2.15), of accounts that are neither disabled nor deleted and tickets that were not seen "
        "issued.",
    .advice = "Make sure that all controllers have their updates. Find out how krbtgt's key was taken, and "
              "reset krbtgt's password twice; look what the source did.",
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
