/* SPDX-License-Identifier: Apache-2.0
 *
 * 2013: a ticket for a service that its own key signed, but no controller, as a key shows.
 */
#include "center/detectors/unsealed_ticket.h"

static const struct state_form tables[] = {REALM_TICKETS_TABLE, {0}};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_AP, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    return unsealed_service(o) ? unsealed_realm(d, o) : (struct subject){0};
}

static void find_signature(struct findings *f, enum activity_field field, const char *word, uint32_t issued,
                           uint32_t having)
{
    if (signature_is(f->o, field, "bad"))
        finding(f, true, word, "The KDC's signature of it (%s) is wrong", word);
    else if (signature_is(f->o, field, "absent") && issued >= REALM_TICKETS_LEAST && having == issued)
        finding(f, true, word, "It lacks the KDC's %s, which all %u have that were seen to be issued", word,
                issued);
}

static void observe(struct detection *d, const struct observation *o)
{
    struct realm_tickets *r = detection_use(d, 0, detection_key(d), NULL);
    if (!r)
        return;
    realm_tickets_learn(r, o);
    if (o->ticket || !observation_bool(o, FIELD_PAC_PRESENT))
        return;
    struct findings f = {.d = d,
                         .o = o,
                         .key = findings_key(d, o, 3),
                         .what = "used a ticket for a service that no controller made"};
    find_signature(&f, FIELD_PAC_KDC_SIGNATURE, "kdc_signature", r->services, r->services);
    find_signature(&f, FIELD_PAC_TICKET_SIGNATURE, "ticket_signature", r->services, r->ticket_signatures);
    find_signature(&f, FIELD_PAC_FULL_SIGNATURE, "full_signature", r->services, r->full_signatures);
    find_client_info(&f);
    find_account_sid(&f);
    find_groups(&f);
    findings_raise(&f, 1);
}

const struct detector detector_silver_ticket = {
    .external_id = 2013,
    .name = "ForgedPacSecurityAlert",
    .title = "Suspected silver ticket usage (forged authorization data, read by a key)",
    .word = "silver_ticket",
    .severity = SEVERITY_HIGH,
    .mitre = "T1558.002",
    .doc =
        "Who has the key of a service's account can make tickets for that service, and sign the PAC as that "
        "service; the signatures by krbtgt's key he cannot make. With the service's key (docs/keytab.md) the "
        "PAC of each presented ticket is read that was not seen issued. Raised when its KDC, ticket or full "
        "signature ([MS-PAC] 2.8) is wrong, which takes krbtgt's key to tell; or is not there, though all "
        "tickets for services of the realm that were seen to be issued, at least three, have it; and when "
        "PAC_CLIENT_INFO, the account's SID or its groups fit ticket and directory no better than in golden "
        "tickets (golden_pac).",
    .advice =
        "Change the password of the service's account (of a computer: Reset-ComputerMachinePassword, twice), "
        "find out how its key was taken, and look what was done on that service.",
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
