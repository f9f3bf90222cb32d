/* SPDX-License-Identifier: Apache-2.0
 *
 * 2013: a ticket-granting ticket whose PAC no controller made, as a key shows.
 */
#include "center/detectors/unsealed_ticket.h"

static const struct state_form tables[] = {REALM_TICKETS_TABLE, {0}};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_AS, ACTIVITY_KERBEROS_TGS, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    return o->kind == ACTIVITY_KERBEROS_AS || unsealed_granting(o) ? unsealed_realm(d, o)
                                                                   : (struct subject){0};
}

static void find_signatures(struct findings *f)
{
    /* Of this ticket both are made with the key that opened it, so krbtgt's is held: a bad one is forged. */
    if (signature_is(f->o, FIELD_PAC_SERVER_SIGNATURE, "bad"))
        finding(f, true, "server_signature", "The PAC's server signature, by krbtgt's key, is wrong");
    if (signature_is(f->o, FIELD_PAC_KDC_SIGNATURE, "bad"))
        finding(f, true, "kdc_signature", "The PAC's KDC signature is wrong");
    if (observation_bool(f->o, FIELD_PAC_PRESENT) && signature_is(f->o, FIELD_PAC_SERVER_SIGNATURE, "absent"))
        finding(f, true, "server_signature", "The PAC has no server signature");
}

static void observe(struct detection *d, const struct observation *o)
{
    struct realm_tickets *r = detection_use(d, 0, detection_key(d), NULL);
    if (!r)
        return;
    realm_tickets_learn(r, o);
    if (!unsealed_granting(o) || o->ticket)
        return;
    struct findings f = {.d = d,
                         .o = o,
                         .key = findings_key(d, o, 1),
                         .what = "used a ticket-granting ticket with a PAC that no controller made"};
    find_signatures(&f);
    find_client_info(&f);
    find_account_sid(&f);
    find_groups(&f);
    if (observation_list_has_int(o, FIELD_PAC_BUFFERS, PAC_BUFFER_LOGON) &&
        !observation_list_has_int(o, FIELD_PAC_BUFFERS, PAC_BUFFER_REQUESTOR) &&
        r->granting >= REALM_TICKETS_LEAST && r->requestors == r->granting)
        finding(
            &f, true, "requestor",
            "The PAC does not say who asked for the ticket; all %u that controllers were seen to issue do",
            r->granting);
    findings_raise(&f, 1);
}

const struct detector detector_golden_pac = {
    .external_id = 2013,
    .name = "ForgedPacSecurityAlert",
    .title = "Suspected golden ticket usage (forged authorization data, read by a key)",
    .word = "golden_pac",
    .severity = SEVERITY_HIGH,
    .mitre = "T1558.001",
    .doc =
        "With krbtgt's key (docs/keytab.md) reads the PAC of each ticket-granting ticket that is presented "
        "and was not seen issued, and compares: its server and KDC signatures ([MS-PAC] 2.8); name and time "
        "in PAC_CLIENT_INFO with the ticket (2.7); the account's SID with the one that the directory has for "
        "it; Domain Admins, Domain Controllers, Schema, Enterprise, Key and Enterprise Key Admins, Group "
        "Policy Creator Owners and Administrators among its groups and extra SIDs with the directory's "
        "memberships, nested, S-1-5-9 with its controllers; extra SIDs of other accounts of the same domain, "
        "which no SID history can hold; and whether it says who asked for it (PAC_REQUESTOR, 2.15) with the "
        "tickets that controllers of the realm were seen to issue. Each that does not fit raises. What the "
        "directory does not know for sure is not compared. An account that left such a group shortly before, "
        "with a ticket that was issued before everything was watched, is told wrongly, until that ticket "
        "ends.",
    .advice = "Find out how krbtgt's key was taken (look for DCSync, 2006); reset krbtgt's password twice, "
              "and look what was done with the ticket.",
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
