/* SPDX-License-Identifier: Apache-2.0
 *
 * 2027: a ticket of an account that there is not.
 */
#include "base/sid.h"
#include "center/detectors/authentication.h"

/* RFC 4120 7.5.9 */
#define KDC_ERR_C_PRINCIPAL_UNKNOWN 6

struct ghost {
    struct distinct_count sources, services;
};

static const struct state_form tables[] = {
    {"accounts", 1, sizeof(struct ghost), 8192, 30 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_TGS, ACTIVITY_WINDOWS_KERBEROS_TGS,
                                           ACTIVITY_KERBEROS_AP, ACTIVITY_NONE};

static bool refused(const struct observation *o)
{
    return o->kind == ACTIVITY_KERBEROS_TGS &&
           observation_uint(o, FIELD_STATUS, 0) == KDC_ERR_C_PRINCIPAL_UNKNOWN &&
           !observation_has(o, FIELD_S4U2SELF_ACCOUNT) && !observation_bool(o, FIELD_S4U2SELF_CERTIFICATE);
}

/* The account in the ticket's PAC, as a key shows it, has a SID that nobody has. */
static bool of_unknown_sid(const struct detection *d, const struct observation *o)
{
    const struct directory_view *view = detection_directory(d);
    struct bytes sid = observation_text(o, FIELD_PAC_ACCOUNT_SID);
    return sid.size && view->sid && view->sid(view->context, sid, NULL) == KNOWN_NO;
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    (void)d;
    if (!party_is(&o->account))
        return refused(o) ? o->origin : (struct subject){0};
    return o->account.subject;
}

static void tell_sid(struct alert *alert, const struct observation *o)
{
    char words[SID_TEXT_MAX + 1];
    struct text t = text_to(words, sizeof(words));
    sid_text(&t, observation_text(o, FIELD_PAC_ACCOUNT_SID));
    text_end(&t);
    alert_put_string(alert, "account_sid", words);
    alert_explain(alert, "Its PAC, read by a key, gives the account the SID %s, which nobody has.", words);
}

static void observe(struct detection *d, const struct observation *o)
{
    bool told = refused(o);
    if (o->ticket || detection_is(d, &o->account, FACT_DELETED))
        return; /* a controller issued it: the account was deleted since */
    bool nobody =
        party_is(&o->account) && detection_account_known(d, o->account.name, o->account.domain) == KNOWN_NO;
    bool sid = of_unknown_sid(d, o);
    if (!told && !nobody && !sid)
        return;
    struct ghost *g = detection_use(d, 0, detection_key(d), NULL);
    if (!g)
        return;
    distinct_add(&g->sources, o->origin.low);
    struct bytes service =
        observation_text(o, o->kind == ACTIVITY_KERBEROS_AP ? FIELD_TICKET_SERVICE : FIELD_SERVICE);
    struct subject named = subject_of_name(detection_seed(d), SUBJECT_OBJECT, service, (struct bytes){0});
    distinct_add(&g->services, named.low);
    struct alert *alert = detection_alert(d, o, detection_key(d));
    alert_put_text(alert, "service", service);
    alert_put_number(alert, "sources", distinct_value(&g->sources));
    alert_put_number(alert, "services", distinct_value(&g->services));
    alert_put_string(alert, "known_from", told ? "controller" : "directory");
    if (sid)
        tell_sid(alert, o);
    alert_explain(alert,
                  "%.*s, %s does not exist, used a Kerberos ticket, from %u computer%s, to access %u "
                  "service%s; that this ticket was issued was not seen.",
                  PRINTED(party_words(&o->account, "An account")), told || nobody ? "which" : "by a SID that",
                  distinct_value(&g->sources), distinct_value(&g->sources) == 1 ? "" : "s",
                  distinct_value(&g->services), distinct_value(&g->services) == 1 ? "" : "s");
    if (told)
        alert_explain(alert, "The controller that was asked refused it: it knows no such account.");
    else if (nobody)
        alert_explain(alert, "The directory has no such account.");
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_golden_nonexistent = {
    .external_id = 2027,
    .name = "ForgedPrincipalSecurityAlert",
    .title = "Suspected golden ticket usage (nonexistent account)",
    .word = "golden_nonexistent",
    .severity = SEVERITY_HIGH,
    .mitre = "T1558.001",
    .doc =
        "Looks for tickets of accounts that there are not: a controller never issues one, but who forges a "
        "ticket can write any name into it, and for 20 minutes a controller believes it ([MS-KILE] "
        "3.3.5.7.1). That there is no such account is known from the directory, or from the controller, "
        "which answers a TGS request (event 4769) with KDC_ERR_C_PRINCIPAL_UNKNOWN (RFC 4120 7.5.9). Tickets "
        "that were seen issued are of accounts that were deleted since, and left out; so are requests in the "
        "name of another (S4U2self), where the error is about the other. Where a key lets the PAC be read "
        "(docs/keytab.md), an account SID that the directory's whole domain does not have tells the same.",
    .advice =
        "Find out how krbtgt's key was taken (look for DCSync, 2006); reset krbtgt's password twice, and "
        "look what was accessed.",
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
