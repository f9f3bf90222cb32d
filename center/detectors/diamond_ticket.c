/* SPDX-License-Identifier: Apache-2.0
 *
 * 2013: a ticket-granting ticket that a controller made and somebody changed, as a key shows: its parts do
 * not fit each other.
 */
#include "base/sid.h"
#include "center/detectors/unsealed_ticket.h"

/* S-1-18-2, [MS-DTYP] 2.4.2.4: a service asserted the identity, so the PAC was made for S4U2self. */
static const uint8_t service_asserted[] = {1, 1, 0, 0, 0, 0, 0, 18, 2, 0, 0, 0};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_TGS, ACTIVITY_NONE};

static struct subject key(const struct detection *d, const struct observation *o)
{
    return unsealed_granting(o) && !o->ticket ? unsealed_realm(d, o) : (struct subject){0};
}

static bool asserted_by_service(const struct observation *o)
{
    const struct activity_value *list = activity_get(o->activity, FIELD_PAC_EXTRA_SIDS);
    struct cursor items = list ? list->list.items : (struct cursor){0};
    for (uint32_t i = 0; list && i < list->list.count; i++) {
        struct bytes sid = activity_next_item(&items, TYPE_SID).bytes;
        if (sid.size == sizeof(service_asserted) && memcmp(sid.data, service_asserted, sid.size) == 0)
            return true;
    }
    return false;
}

static void observe(struct detection *d, const struct observation *o)
{
    struct findings f = {.d = d,
                         .o = o,
                         .key = findings_key(d, o, 2),
                         .what = "used a ticket-granting ticket whose parts do not fit each other"};
    find_disagreement(&f);
    if (asserted_by_service(o))
        finding(&f, true, "service_asserted",
                "Its PAC was made for a service that asked on behalf of its account (S-1-18-2), not for a "
                "log-on");
    /* Clocks of two controllers may differ a little; renewed tickets keep both times. */
    int64_t proved = observation_int(o, FIELD_TICKET_AUTH_TIME, 0),
            logon = observation_int(o, FIELD_PAC_LOGON_TIME, 0);
    if (proved && logon > proved + 300 * STATISTICS_SECOND)
        finding(&f, true, "logon_time", "The PAC tells of a log-on %.0f s after the ticket's authentication",
                (double)(logon - proved) / (double)STATISTICS_SECOND);
    findings_raise(&f, 1);
}

const struct detector detector_diamond_ticket = {
    .external_id = 2013,
    .name = "ForgedPacSecurityAlert",
    .title = "Suspected diamond or sapphire ticket usage (forged authorization data, read by a key)",
    .word = "diamond_ticket",
    .severity = SEVERITY_HIGH,
    .mitre = "T1558.001",
    .doc =
        "Who has krbtgt's key can take a ticket-granting ticket that a controller issued and change what is "
        "in it (diamond), or put in the PAC of another that a controller made for S4U2self (sapphire): its "
        "signatures are right. With krbtgt's key (docs/keytab.md) the parts of each ticket-granting ticket "
        "that was not seen issued are compared with each other: the SIDs of logon information, UPN_DNS_INFO "
        "and PAC_REQUESTOR ([MS-PAC] 2.5, 2.10, 2.15), the account names of ticket, logon information and "
        "UPN_DNS_INFO, the time of log-on with the ticket's authentication; and the SID S-1-18-2, which "
        "controllers put only into PACs that they make for S4U2self. Of a ticket that a controller made all "
        "of them fit.",
    .advice = "Find out how krbtgt's key was taken (look for DCSync, 2006); reset krbtgt's password twice, "
              "and look what was done with the ticket.",
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
