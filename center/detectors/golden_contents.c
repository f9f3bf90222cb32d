/* SPDX-License-Identifier: Apache-2.0
 *
 * 2032: a ticket-granting ticket that is not as the domain issues them, as a key shows.
 */
#include "center/detectors/unsealed_ticket.h"

enum { SETTING_INDICATORS, SETTING_SLACK };

static const struct detector_setting settings[] = {
    [SETTING_INDICATORS] = {"indicators", "", 3, 2, 2, 1, 10,
                            "How many things have to differ from the tickets that the domain issues."},
    [SETTING_SLACK] =
        {"slack", "h", 4, 1, 0.25, 0, 100,
         "How much longer it may live than those that were seen issued, or than the policy says."},
    {0},
};

static const struct state_form tables[] = {REALM_TICKETS_TABLE, {0}};

static const enum activity_kind kinds[] = {ACTIVITY_KERBEROS_AS, ACTIVITY_KERBEROS_TGS, ACTIVITY_NONE};

#define HOURS(ns) ((double)(ns) / (double)STATISTICS_HOUR)

static struct subject key(const struct detection *d, const struct observation *o)
{
    return o->kind == ACTIVITY_KERBEROS_AS || unsealed_granting(o) ? unsealed_realm(d, o)
                                                                   : (struct subject){0};
}

static void find_life(struct findings *f, const struct realm_tickets *r)
{
    const struct observation *o = f->o;
    int64_t from = observation_int(o, FIELD_TICKET_AUTH_TIME, 0);
    int64_t life =
        observation_int(o, FIELD_TICKET_END_TIME, 0) - observation_int(o, FIELD_TICKET_START_TIME, from);
    int64_t known = o->ticket_life.from == LIFE_ASSUMED ? 0 : o->ticket_life.life;
    int64_t usual = known > r->longest ? known : r->longest;
    if (from <= 0 ||
        life <= usual + (int64_t)(detection_setting(f->d, SETTING_SLACK) * (double)STATISTICS_HOUR))
        return;
    bool absurd = life > 30 * STATISTICS_DAY && life > 2 * usual;
    finding(f, absurd, "life", "It lives %.1f hours, those that were issued at most %.1f", HOURS(life),
            HOURS(usual));
}

static void find_logon(struct findings *f, const struct realm_tickets *r)
{
    const struct observation *o = f->o;
    struct bytes domain = observation_text(o, FIELD_PAC_DOMAIN);
    int64_t set = observation_int(o, FIELD_PAC_PASSWORD_LAST_SET, 0);
    if (domain.size && r->pac_domain_size &&
        (domain.size != r->pac_domain_size || memcmp(domain.data, r->pac_domain, domain.size) != 0))
        finding(f, false, "pac_domain", "Its PAC calls the domain %.*s, those that were issued %.*s",
                PRINTED(domain), (int)r->pac_domain_size, r->pac_domain);
    if (observation_text(o, FIELD_PAC_LOGON_SERVER).size == 0)
        finding(f, false, "logon_server", "Its PAC names no controller that made it");
    if (set && set == observation_int(o, FIELD_PAC_LOGON_TIME, 0))
        finding(f, false, "password_set", "The password was set in the very moment of the log-on");
    if (!set && observation_uint(o, FIELD_PAC_LOGON_COUNT, 1) == 0)
        finding(f, false, "logon_count", "It counts no log-on, and no password was ever set");
    if (r->upns == r->granting && !observation_list_has_int(o, FIELD_PAC_BUFFERS, PAC_BUFFER_UPN))
        finding(f, false, "upn", "Its PAC tells no UPN; all %u that were issued do", r->granting);
}

/* RFC 4120 2.1 to 2.6, 5.3 */
#define FLAG(bit) (1u << (31 - (bit)))
#define FORWARDED FLAG(2)
#define PROXY     FLAG(4)
#define INITIAL   FLAG(9)

static void find_form(struct findings *f, const struct realm_tickets *r)
{
    const struct observation *o = f->o;
    uint64_t kvno = observation_uint(o, FIELD_TICKET_KVNO, 0),
             flags = observation_uint(o, FIELD_TICKET_FLAGS, INITIAL);
    int64_t etype = observation_int(o, FIELD_TICKET_ETYPE, 0),
            proved = observation_int(o, FIELD_TICKET_AUTH_TIME, 0);
    bool own = !KVNO_IS_READ_ONLY(kvno);
    if (own && etype > 0 && etype < 32 && !(r->etypes & 1u << etype))
        finding(f, false, "etype", "It is encrypted with type %d, which none of those that were issued was",
                (int)etype);
    if (own && r->kvno && kvno > r->kvno)
        finding(f, false, "kvno", "It claims version %u of krbtgt's key, those that were issued at most %u",
                (unsigned)kvno, r->kvno);
    /* What a log-on did not give was handed on or renewed, which leaves its mark. */
    if (!(flags & (INITIAL | FORWARDED | PROXY)) &&
        observation_int(o, FIELD_TICKET_START_TIME, proved) == proved)
        finding(f, false, "flags",
                "Its flags (0x%08x) say neither that a log-on gave it, nor that it was handed on, and it was "
                "not renewed",
                (unsigned)flags);
}

/* Controllers need so long at most to have one another's changes, and the sensors' copy of the directory too.
 */
#define REPLICATED (4 * STATISTICS_HOUR)

/* The PAC is made at the log-on with what the directory has of the account then; tools do not know when its
 * password was set. */
static void find_password(struct findings *f)
{
    const struct observation *o = f->o;
    struct facts facts;
    int64_t told = observation_int(o, FIELD_PAC_PASSWORD_LAST_SET, 0),
            proved = observation_int(o, FIELD_TICKET_AUTH_TIME, 0);
    if (!account_facts(f, &facts) || facts.password_set <= 0)
        return;
    int64_t off = told - facts.password_set;
    if (off > -STATISTICS_SECOND && off < STATISTICS_SECOND)
        return;
    if (off < 0 && proved > facts.password_set + REPLICATED)
        finding(f, true, "password_time",
                told ? "Its PAC does not know that the password was set %.1f h before the ticket was got"
                     : "Its PAC says that no password was ever set; it was %.1f h before the ticket was got",
                HOURS(proved - facts.password_set));
    else if (off > 0 && o->time > told + REPLICATED)
        finding(f, false, "password_time", "Its PAC has the password set %.0f s after the directory has it",
                (double)off / (double)STATISTICS_SECOND);
}

static void observe(struct detection *d, const struct observation *o)
{
    struct realm_tickets *r = detection_use(d, 0, detection_key(d), NULL);
    if (!r)
        return;
    realm_tickets_learn(r, o);
    if (!unsealed_granting(o) || o->ticket || r->granting < REALM_TICKETS_LEAST ||
        !observation_list_has_int(o, FIELD_PAC_BUFFERS, PAC_BUFFER_LOGON))
        return;
    struct findings f = {.d = d,
                         .o = o,
                         .key = findings_key(d, o, 4),
                         .what = "used a ticket-granting ticket that is not as the domain's are"};
    find_life(&f, r);
    find_logon(&f, r);
    find_form(&f, r);
    find_password(&f);
    find_common_groups(&f);
    if (f.alert)
        alert_put_compared(f.alert, "different", f.certain + f.possible, "indicators",
                           detection_setting(d, SETTING_INDICATORS));
    findings_raise(&f, (unsigned)detection_setting(d, SETTING_INDICATORS));
}

const struct detector detector_golden_contents = {
    .external_id = 2032,
    .name = "GoldenTicketSizeAnomalySecurityAlert",
    .title = "Suspected golden ticket usage (ticket anomaly, read by a key)",
    .word = "golden_contents",
    .severity = SEVERITY_HIGH,
    .mitre = "T1558.001",
    .doc =
        "With krbtgt's key (docs/keytab.md) compares each ticket-granting ticket that was not seen issued "
        "with those that controllers of its realm were seen to issue, at least three: how long it lives, "
        "against the longest of them and the domain's policy (beyond thirty days and twice the usual it "
        "raises by itself); the name that the PAC gives the domain, which tools write in another form; "
        "whether it names the controller that made it ([MS-PAC] 2.5 LogonServer); a password that was set in "
        "the moment of the log-on; no log-on counted and no password ever set; whether it tells a UPN "
        "(2.10); an encryption type or a newer version of krbtgt's key that none of them had (read-only "
        "controllers, which have keys of their own, are left out); and flags of a ticket that was neither "
        "got by a log-on nor handed on, though it was not renewed (RFC 4120 2.1 to 2.6); groups in which the "
        "directory does not have the account; and when the password was set, with what the directory has (a "
        "PAC that does not know of a password that was set four hours before the log-on raises by itself). "
        "Otherwise two of them raise. Older versions and all other flags are not compared, for they hang on "
        "krbtgt's changes and on what was asked for. While the sensors' copy of the directory is older than "
        "four hours, an account that got a new password and a new group since may be told wrongly.",
    .advice = "Find out how krbtgt's key was taken (look for DCSync, 2006); reset krbtgt's password twice, "
              "and look what was done with the ticket.",
    .settings = settings,
    .tables = tables,
    .kinds = kinds,
    .key = key,
    .observe = observe,
};
