/* SPDX-License-Identifier: Apache-2.0
 *
 * 2014: somebody uses an account that nobody has reason to use.
 */
#include "center/detectors/authentication.h"

struct bait {
    struct distinct_count sources, servers;
    uint32_t succeeded, failed;
};

static const struct state_form tables[] = {
    {"accounts", 1, sizeof(struct bait), 4096, 30 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {
    AUTHENTICATION_KINDS,       ACTIVITY_KERBEROS_TGS, ACTIVITY_KERBEROS_AP,    ACTIVITY_WINDOWS_KERBEROS_TGS,
    ACTIVITY_WINDOWS_LOGON,     ACTIVITY_SMB_SESSION,  ACTIVITY_NETLOGON_LOGON, ACTIVITY_RADIUS_ACCESS,
    ACTIVITY_RADIUS_ACCOUNTING, ACTIVITY_NONE};

/* A ticket for its service: somebody wants to guess its password, or believes in the bait. */
static bool asks_for_it(const struct detection *d, const struct observation *o)
{
    return (o->kind == ACTIVITY_KERBEROS_TGS || o->kind == ACTIVITY_WINDOWS_KERBEROS_TGS) &&
           detection_is(d, &o->service, FACT_HONEYTOKEN);
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    if (detection_is(d, &o->account, FACT_HONEYTOKEN))
        return o->account.subject;
    return asks_for_it(d, o) ? o->service.subject : (struct subject){0};
}

static const char *what_happened(const struct observation *o)
{
    switch (o->kind) {
    case ACTIVITY_KERBEROS_TGS:
    case ACTIVITY_WINDOWS_KERBEROS_TGS:
        return "asked for a ticket";
    case ACTIVITY_KERBEROS_AP:
        return "presented a ticket";
    case ACTIVITY_RADIUS_ACCESS:
    case ACTIVITY_RADIUS_ACCOUNTING:
        return "connected to a VPN or network";
    default:
        return "authenticated";
    }
}

static bool is_success(const struct observation *o)
{
    if (o->kind == ACTIVITY_RADIUS_ACCESS)
        return text_is(observation_text(o, FIELD_RADIUS_CODE), "accept");
    return !observation_bool(o, FIELD_EVENT_FAILURE) && observation_uint(o, FIELD_STATUS, 0) == 0;
}

static void observe(struct detection *d, const struct observation *o)
{
    struct bait *b = detection_use(d, 0, detection_key(d), NULL);
    if (!b)
        return;
    distinct_add(&b->sources, o->origin.low);
    distinct_add(&b->servers, o->destination.subject.low);
    bool success = is_success(o), asked = asks_for_it(d, o);
    b->succeeded += success;
    b->failed += !success;
    const struct party *token = asked ? &o->service : &o->account;
    struct alert *alert = detection_alert(d, o, detection_key(d));
    if (asked)
        alert_add_party(alert, ALERT_TARGET, &o->service);
    alert_put_string(alert, "activity", activity_kind_info(o->kind)->name);
    alert_put_number(alert, "succeeded", b->succeeded);
    alert_put_number(alert, "failed", b->failed);
    alert_put_number(alert, "sources", distinct_value(&b->sources));
    if (observation_text(o, FIELD_SERVICE).size)
        alert_put_text(alert, "service", observation_text(o, FIELD_SERVICE));
    if (asked)
        alert_explain(alert, "%.*s asked for a ticket for a service of %.*s, from %.*s.",
                      PRINTED(party_words(&o->account, "Somebody")), PRINTED(token->name),
                      PRINTED(party_words(&o->source, "an unknown place")));
    else
        alert_explain(alert, "%.*s %s from %.*s to %.*s, %s.", PRINTED(token->name), what_happened(o),
                      PRINTED(party_words(&o->source, "an unknown place")),
                      PRINTED(party_words(&o->destination, "an unknown server")),
                      success ? "with success" : "without success");
    alert_explain(
        alert, "It is tagged as a honeytoken: nobody has reason to use it. So far %u uses, from %u source%s.",
        b->succeeded + b->failed, distinct_value(&b->sources), distinct_value(&b->sources) == 1 ? "" : "s");
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_honeytoken_authentication = {
    .external_id = 2014,
    .name = "HoneytokenActivitySecurityAlert",
    .title = "Honeytoken activity (authentication)",
    .word = "honeytoken_authentication",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1078.002",
    .doc =
        "Looks for any use of an account that is tagged as a honeytoken: authentication by Kerberos, NTLM, "
        "LDAP or RADIUS, tickets that it asks for or presents, sessions, logons that computers log, whether "
        "they succeed or not; and for tickets that others ask for its services. There is no threshold.",
    .advice = "Whoever did it, from whatever source, looks for accounts to take over: search the source.",
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
