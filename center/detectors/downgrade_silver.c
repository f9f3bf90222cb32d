/* SPDX-License-Identifier: Apache-2.0
 *
 * 2009: a ticket for a service is encrypted weaker than the controllers encrypt those for it.
 */
#include "center/detectors/authentication.h"

enum { SETTING_STRONG };

static const struct detector_setting settings[] = {
    [SETTING_STRONG] =
        {"strong", "", 20, 5, 2, 1, 100000,
         "How many tickets for services of the host, encrypted with AES and none weaker, controllers must "
         "have been seen to issue."},
    {0},
};

struct host_habit {
    uint32_t strong, weak; /* tickets that controllers issued, by type */
};

static const struct state_form tables[] = {
    {"hosts", 1, sizeof(struct host_habit), 65536, 60 * STATISTICS_DAY},
    {0},
};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_TGS, ACTIVITY_KERBEROS_AP, ACTIVITY_NONE};

static bool is_presented(const struct observation *o)
{
    return o->kind == ACTIVITY_KERBEROS_AP;
}

/* "cifs/dc1.corp.example:445/x": dc1.corp.example. Its services have one account mostly, and so one key. */
static struct bytes host_of(struct bytes service)
{
    const uint8_t *slash = service.size ? memchr(service.data, '/', service.size) : NULL;
    if (!slash || service_is_granting(service))
        return (struct bytes){0};
    struct bytes host = {slash + 1, (size_t)(service.data + service.size - slash - 1)};
    for (size_t i = 0; i < host.size; i++)
        if (host.data[i] == '/' || host.data[i] == ':')
            host.size = i;
    return host;
}

static struct subject key(const struct detection *d, const struct observation *o)
{
    bool issued = !is_presented(o) && observation_uint(o, FIELD_STATUS, 1) == 0;
    if (!issued && !is_presented(o))
        return (struct subject){0};
    struct bytes host =
        host_of(observation_text(o, issued ? FIELD_ISSUED_TICKET_SERVICE : FIELD_TICKET_SERVICE));
    struct bytes realm = observation_text(o, issued ? FIELD_ISSUED_TICKET_REALM : FIELD_TICKET_REALM);
    return subject_of_name(detection_seed(d), SUBJECT_OBJECT, host, realm);
}

static void observe(struct detection *d, const struct observation *o)
{
    struct host_habit *h = detection_use(d, 0, detection_key(d), NULL);
    if (!h)
        return;
    if (!is_presented(o)) {
        int64_t issued = observation_int(o, FIELD_ISSUED_TICKET_ETYPE, 0);
        h->strong += etype_is_strong(issued);
        h->weak += etype_is_weak(issued);
        return;
    }
    int64_t etype = observation_int(o, FIELD_TICKET_ETYPE, 0);
    if (o->ticket || !etype_is_weak(etype) || h->weak || h->strong < detection_setting(d, SETTING_STRONG))
        return;
    struct subject pair = subject_of_pair(detection_seed(d), o->origin, detection_key(d));
    struct alert *alert = detection_alert(d, o, pair);
    bool success = observation_uint(o, FIELD_STATUS, 1) == 0;
    alert_put_string(alert, "encryption_type", etype_name(etype));
    alert_put_text(alert, "service", observation_text(o, FIELD_TICKET_SERVICE));
    alert_put_compared(alert, "strong_issued", h->strong, "strong", detection_setting(d, SETTING_STRONG));
    alert_put_string(alert, "outcome", success ? "success" : "failure");
    alert_explain(alert, "%.*s presented a ticket for %.*s that is encrypted with %s, and %.*s %s it.",
                  PRINTED(party_words(&o->source, "Somebody")),
                  PRINTED(observation_text(o, FIELD_TICKET_SERVICE)), etype_name(etype),
                  PRINTED(party_words(&o->destination, "the server")),
                  success ? "accepted" : "did not accept");
    alert_explain(
        alert,
        "Controllers were seen to issue %u for services of that host with AES and none weaker, and not this "
        "one: who has only the hash of the service's password makes such (a silver ticket).",
        h->strong);
    tell_source(alert, o);
    detection_raise(d);
}

const struct detector detector_downgrade_silver = {
    .external_id = 2009,
    .name = "GoldenTicketEncryptionDowngradeSecurityAlert",
    .title = "Suspected silver ticket usage (encryption downgrade)",
    .word = "downgrade_silver",
    .severity = SEVERITY_MEDIUM,
    .mitre = "T1558.002",
    .learning = 5 * STATISTICS_DAY,
    .doc =
        "Compares the encryption type of a service's ticket that a client presents (RFC 4120 5.5.1) with "
        "those that controllers issue for services of the same host: a service whose account has AES keys "
        "gets AES tickets. Raised when one encrypted with RC4 or DES is presented, its issue was not seen, "
        "and of those whose issue was seen all were AES: who stole only the account's hash makes tickets for "
        "it by himself (silver tickets, T1558.002). A silver ticket by the AES key is told by its contents "
        "only, with the service's key (silver_ticket). Clients that ask for RC4 get such a ticket from a "
        "controller, which then is no longer raised for that host.",
    .advice =
        "Reset the password of the service's account (of a computer: twice), and look how its key was taken. "
        "Watch all controllers: a ticket of one that is not watched may be lawful.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
