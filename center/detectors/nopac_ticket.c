/* SPDX-License-Identifier: Apache-2.0
 *
 * 2419: a ticket-granting ticket under a computer's name without its $ (CVE-2021-42278, CVE-2021-42287), as a
 * key shows.
 */
#include "center/detectors/unsealed_ticket.h"

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_TGS, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    return unsealed_granting(o) ? unsealed_realm(d, o) : (struct subject){0};
}

/* The only account that is called like the ticket's client is a computer, whose name ends with $. */
static bool names_computer(const struct detection *d, const struct observation *o,
                           struct directory_name *name)
{
    const struct directory_view *view = detection_directory(d);
    struct bytes client = observation_text(o, FIELD_TICKET_CLIENT);
    const struct party party = {
        .kind = SUBJECT_ACCOUNT, .name = client, .domain = observation_text(o, FIELD_TICKET_CLIENT_REALM)};
    if (!view->find || client.size == 0 || !view->find(view->context, &party, name))
        return false;
    size_t size = strlen(name->name);
    return size == client.size + 1 && name->name[size - 1] == '$' && !name_is_computer(client);
}

static void observe(struct detection *d, const struct observation *o)
{
    const struct directory_view *view = detection_directory(d);
    struct directory_name computer, other;
    if (!names_computer(d, o, &computer))
        return;
    struct findings f = {
        .d = d,
        .o = o,
        .key = findings_key(d, o, 5),
        .what = "used a ticket-granting ticket under a computer's name without the $ at its end"};
    struct bytes client = observation_text(o, FIELD_TICKET_CLIENT),
                 requestor = observation_text(o, FIELD_PAC_REQUESTOR_SID);
    if (requestor.size == 0)
        finding(&f, true, "requestor",
                "It does not say who asked for it; a controller without updates takes %.*s for %s",
                PRINTED(client), computer.name);
    else if (view->sid && view->sid(view->context, requestor, &other) == KNOWN_YES &&
             memcmp(other.guid, computer.guid, sizeof(other.guid)) != 0)
        finding(&f, true, "requestor", "%s asked for it; a controller without updates takes %.*s for %s",
                other.name, PRINTED(client), computer.name);
    if (f.alert && observation_has(o, FIELD_S4U2SELF_ACCOUNT))
        alert_explain(f.alert, "By it a ticket in the name of %.*s was asked for.",
                      PRINTED(observation_text(o, FIELD_S4U2SELF_ACCOUNT)));
    findings_raise(&f, 1);
}

const struct detector detector_nopac_ticket = {
    .external_id = 2419,
    .name = "SamNameSpoofingSecurityAlert",
    .title = "Suspicious ticket of a computer's name (CVE-2021-42278 and CVE-2021-42287 exploitation, read "
             "by a key)",
    .word = "nopac_ticket",
    .severity = SEVERITY_HIGH,
    .mitre = "T1068",
    .doc = "With krbtgt's key (docs/keytab.md) reads who asked for a ticket-granting ticket (PAC_REQUESTOR, "
           "[MS-PAC] 2.15). Raised when the ticket's client is called like a computer without its $, no "
           "account of that name is there any more, and the requestor is missing or is the SID of another "
           "account: somebody renamed an account of his, got the ticket, and named it back (noPac).",
    .advice = "Make sure that all controllers have their updates, and that people may not join computers "
              "(ms-DS-MachineAccountQuota 0). Look what tickets were got by it.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
