/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/unsealed_ticket.h"

#include "base/sid.h"

#include <stdarg.h>
#include <stdio.h>

struct subject unsealed_realm(const struct detection *d, const struct observation *o)
{
    if (!observation_has(o, FIELD_PAC_PRESENT))
        return (struct subject){0};
    struct bytes realm = observation_text(o, FIELD_TICKET_REALM);
    if (o->kind == ACTIVITY_KERBEROS_AS)
        realm = observation_text(o, FIELD_ISSUED_TICKET_REALM);
    return subject_of_name(detection_seed(d), SUBJECT_DOMAIN, realm, (struct bytes){0});
}

bool unsealed_granting(const struct observation *o)
{
    return o->kind == ACTIVITY_KERBEROS_TGS && observation_has(o, FIELD_PAC_PRESENT) &&
           service_is_own_granting(observation_text(o, FIELD_TICKET_SERVICE),
                                   observation_text(o, FIELD_TICKET_REALM));
}

/* Tickets for the KDC itself and for changes of passwords are signed otherwise ([MS-PAC] 2.8.3). */
bool unsealed_service(const struct observation *o)
{
    struct bytes service = observation_text(o, FIELD_TICKET_SERVICE);
    return o->kind == ACTIVITY_KERBEROS_AP && observation_has(o, FIELD_PAC_PRESENT) && service.size &&
           !service_is_granting(service) && !text_begins(service, "kadmin/");
}

bool signature_is(const struct observation *o, enum activity_field field, const char *verdict)
{
    return text_is(observation_text(o, field), verdict);
}

static bool is_there(const struct observation *o, enum activity_field field)
{
    return observation_has(o, field) && !signature_is(o, field, "absent");
}

static void learn_granting(struct realm_tickets *r, const struct observation *o)
{
    struct bytes domain = observation_text(o, FIELD_PAC_DOMAIN);
    int64_t life = observation_int(o, FIELD_ISSUED_TICKET_END_TIME, 0) -
                   observation_int(o, FIELD_ISSUED_TICKET_AUTH_TIME, INT64_MAX);
    int64_t etype = observation_int(o, FIELD_ISSUED_TICKET_ETYPE, 0);
    uint64_t kvno = observation_uint(o, FIELD_ISSUED_TICKET_KVNO, 0);
    r->granting++;
    if (!KVNO_IS_READ_ONLY(kvno)) {
        r->etypes |= etype > 0 && etype < 32 ? 1u << etype : 0;
        r->kvno = kvno > r->kvno ? (uint32_t)kvno : r->kvno;
    }
    r->requestors += observation_list_has_int(o, FIELD_PAC_BUFFERS, PAC_BUFFER_REQUESTOR);
    r->upns += observation_list_has_int(o, FIELD_PAC_BUFFERS, PAC_BUFFER_UPN);
    if (life > r->longest)
        r->longest = life;
    if (domain.size && domain.size <= sizeof(r->pac_domain)) {
        r->pac_domain_size = (uint8_t)domain.size;
        memcpy(r->pac_domain, domain.data, domain.size);
    }
}

void realm_tickets_learn(struct realm_tickets *r, const struct observation *o)
{
    if (o->kind == ACTIVITY_KERBEROS_AS) {
        if (observation_uint(o, FIELD_STATUS, 1) == 0 && observation_bool(o, FIELD_PAC_PRESENT) &&
            service_is_own_granting(observation_text(o, FIELD_ISSUED_TICKET_SERVICE),
                                    observation_text(o, FIELD_ISSUED_TICKET_REALM)))
            learn_granting(r, o);
    } else if (unsealed_service(o) && o->ticket && observation_bool(o, FIELD_PAC_PRESENT)) {
        r->services++;
        r->ticket_signatures += is_there(o, FIELD_PAC_TICKET_SIGNATURE);
        r->full_signatures += is_there(o, FIELD_PAC_FULL_SIGNATURE);
    }
}

/* --- findings --- */

struct subject findings_key(const struct detection *d, const struct observation *o, uint64_t detector)
{
    struct subject who = subject_of_pair(detection_seed(d), o->origin, o->account.subject);
    return subject_of_pair(detection_seed(d), subject_of_number(detection_seed(d), detector), who);
}

static void begin(struct findings *f)
{
    const struct observation *o = f->o;
    f->alert = detection_alert(f->d, o, f->key);
    bool refused = observation_uint(o, FIELD_STATUS, 0) != 0;
    alert_put_text(f->alert, "ticket_service", observation_text(o, FIELD_TICKET_SERVICE));
    alert_put_text(f->alert, "ticket_client", observation_text(o, FIELD_TICKET_CLIENT));
    alert_put_text(f->alert, "service", observation_text(o, FIELD_SERVICE));
    alert_put_string(f->alert, "outcome", refused ? "failure" : "success");
    alert_explain(f->alert, "%.*s %s, from %.*s, for %.*s. What it says was read by a key.",
                  PRINTED(party_words(&o->account, "Somebody")), f->what,
                  PRINTED(party_words(&o->source, "an unknown place")),
                  PRINTED(observation_text(o, FIELD_TICKET_CLIENT)));
}

void finding(struct findings *f, bool certain, const char *word, const char *format, ...)
{
    char text[ALERT_TEXT_MAX];
    va_list arguments;
    if (!f->alert)
        begin(f);
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    alert_put_string(f->alert, word, text);
    alert_explain(f->alert, "%s.", text);
    if (certain)
        f->certain++;
    else
        f->possible++;
}

void findings_raise(struct findings *f, unsigned enough)
{
    if (!f->alert || (f->certain == 0 && f->possible < enough))
        return;
    tell_source(f->alert, f->o);
    detection_raise(f->d);
}

/* --- names --- */

static struct bytes before_at(struct bytes name)
{
    const uint8_t *at = name.size ? memchr(name.data, '@', name.size) : NULL;
    return at ? (struct bytes){name.data, (size_t)(at - name.data)} : name;
}

static struct bytes without_dollar(struct bytes name)
{
    return name_is_computer(name) ? (struct bytes){name.data, name.size - 1} : name;
}

static bool same(const struct detection *d, struct bytes a, struct bytes b)
{
    return subject_equal(subject_of_name(detection_seed(d), SUBJECT_OBJECT, a, (struct bytes){0}),
                         subject_of_name(detection_seed(d), SUBJECT_OBJECT, b, (struct bytes){0}));
}

static bool has(struct bytes name, char c)
{
    return name.size && memchr(name.data, c, name.size);
}

void find_client_info(struct findings *f)
{
    const struct observation *o = f->o;
    struct bytes ticket = observation_text(o, FIELD_TICKET_CLIENT),
                 pac = observation_text(o, FIELD_PAC_CLIENT_NAME);
    if (ticket.size && pac.size && !same(f->d, before_at(ticket), before_at(pac)))
        finding(f, true, "client_name", "The ticket is for %.*s, its PAC_CLIENT_INFO names %.*s",
                PRINTED(ticket), PRINTED(pac));
    int64_t proved = observation_int(o, FIELD_TICKET_AUTH_TIME, 0),
            told = observation_int(o, FIELD_PAC_CLIENT_TIME, 0), off = told - proved;
    if (proved && told && (off >= STATISTICS_SECOND || off <= -STATISTICS_SECOND))
        finding(f, true, "client_time",
                "PAC_CLIENT_INFO says that the client proved itself %.0f s %s the ticket says",
                (double)(off > 0 ? off : -off) / (double)STATISTICS_SECOND,
                off > 0 ? "later than" : "earlier than");
}

/* --- SIDs --- */

struct sid_words {
    char text[SID_TEXT_MAX + 1];
};

static struct sid_words words_of(struct bytes sid)
{
    struct sid_words words = {""};
    struct text t = text_to(words.text, sizeof(words.text));
    sid_text(&t, sid);
    text_end(&t);
    return words;
}

static bool differ(struct bytes a, struct bytes b)
{
    return a.size && b.size && (a.size != b.size || memcmp(a.data, b.data, a.size) != 0);
}

static void find_other_sid(struct findings *f, enum activity_field field, const char *word, const char *where)
{
    struct bytes account = observation_text(f->o, FIELD_PAC_ACCOUNT_SID),
                 other = observation_text(f->o, field);
    if (differ(account, other))
        finding(f, true, word, "The logon information is of %s, %s of %s", words_of(account).text, where,
                words_of(other).text);
}

void find_disagreement(struct findings *f)
{
    const struct observation *o = f->o;
    struct bytes account = observation_text(o, FIELD_PAC_ACCOUNT), upn = observation_text(o, FIELD_PAC_UPN),
                 client = observation_text(o, FIELD_TICKET_CLIENT),
                 beside = observation_text(o, FIELD_PAC_UPN_ACCOUNT);
    find_other_sid(f, FIELD_PAC_UPN_SID, "upn_sid", "the one beside the UPN is");
    find_other_sid(f, FIELD_PAC_REQUESTOR_SID, "requestor_sid", "who asked for the ticket is");
    if (account.size && beside.size && !same(f->d, account, beside))
        finding(f, true, "upn_account",
                "The logon information is of %.*s, the account beside the UPN is %.*s", PRINTED(account),
                PRINTED(beside));
    /* A client may log on by its UPN or a service's name; only plain names can be compared. */
    if (client.size && account.size && !has(client, '/') && !has(client, '@') &&
        !same(f->d, without_dollar(client), without_dollar(account)) && !same(f->d, client, before_at(upn)))
        finding(f, true, "pac_account", "The ticket is for %.*s, the logon information is of %.*s",
                PRINTED(client), PRINTED(account));
}

/* --- the directory --- */

static enum known whose(const struct findings *f, struct bytes sid, struct directory_name *to)
{
    const struct directory_view *view = detection_directory(f->d);
    return view->sid && sid.size ? view->sid(view->context, sid, to) : KNOWN_NOT;
}

static struct party party_of(const struct directory_name *name)
{
    return (struct party){.kind = name->kind,
                          .name = {(const uint8_t *)name->name, strlen(name->name)},
                          .domain = {(const uint8_t *)name->domain, strlen(name->domain)},
                          .guid = name->guid,
                          .confidence = 100};
}

bool account_facts(const struct findings *f, struct facts *to)
{
    struct directory_name name;
    if (whose(f, observation_text(f->o, FIELD_PAC_ACCOUNT_SID), &name) != KNOWN_YES)
        return false;
    struct party account = party_of(&name);
    return detection_facts(f->d, &account, to);
}

/* Domain Admins, Domain Controllers, Schema Admins, Enterprise Admins, Group Policy Creator Owners, Key
 * Admins, Enterprise Key Admins; Administrators ([MS-DTYP] 2.4.2.4). */
static bool is_powerful(uint64_t rid)
{
    return rid == 512 || rid == 516 || rid == 518 || rid == 519 || rid == 520 || rid == 526 || rid == 527 ||
           rid == 544;
}

static uint32_t rid_of(struct bytes sid)
{
    uint32_t rid = 0;
    for (unsigned i = 0; sid.size >= 12 && i < 4; i++)
        rid |= (uint32_t)sid.data[sid.size - 4 + i] << 8 * i;
    return rid;
}

/* The SID is a group's, in which the directory does not have the account, not by other groups either. */
static bool is_outside(const struct findings *f, const struct party *account, struct bytes sid,
                       struct directory_name *group)
{
    const struct directory_view *view = detection_directory(f->d);
    if (whose(f, sid, group) != KNOWN_YES)
        return false;
    struct party party = party_of(group);
    return view->member(view->context, account, &party) == KNOWN_NO;
}

static void judge_group(struct findings *f, const struct party *account, struct bytes sid)
{
    struct directory_name group;
    if (!is_outside(f, account, sid, &group))
        return;
    char word[48];
    snprintf(word, sizeof(word), "group_%u", rid_of(sid));
    finding(f, true, word, "The PAC has it in %s (%s), the directory has %.*s not there, nor by other groups",
            group.name, words_of(sid).text, PRINTED(account->name));
}

/* S-1-5-9, "Enterprise Domain Controllers" ([MS-DTYP] 2.4.2.4) */
static const uint8_t controllers[] = {1, 1, 0, 0, 0, 0, 0, 5, 9, 0, 0, 0};

/* What stands beside the groups of the account's own domain: groups of others, what the account was once, and
 * what it is. */
static void judge_extra(struct findings *f, const struct party *account, struct bytes own, struct bytes extra)
{
    struct directory_name other;
    struct facts facts;
    if (extra.size == sizeof(controllers) && memcmp(extra.data, controllers, extra.size) == 0) {
        if (detection_facts(f->d, account, &facts) && !(facts.bits & FACT_CONTROLLER))
            finding(f, true, "controllers",
                    "The PAC has it among the domain controllers (S-1-5-9), the directory does not");
    } else if (is_powerful(rid_of(extra))) {
        judge_group(f, account, extra);
    } else if (extra.size == own.size && differ(extra, own) &&
               memcmp(extra.data, own.data, own.size - 4) == 0 && whose(f, extra, &other) == KNOWN_YES &&
               other.kind != SUBJECT_GROUP) {
        finding(f, true, "extra_account",
                "The PAC gives it the SID of %s too (%s), which no SID history of that account's own domain "
                "can hold",
                other.name, words_of(extra).text);
    }
}

/* The account of a PAC as the directory has it, and the groups that the PAC gives it in its domain. */
struct pac_groups {
    struct directory_name name;
    struct party account; /* of the name */
    struct bytes own;     /* its SID */
    uint8_t sid[SID_BYTES_MAX];
    struct cursor items;
    uint32_t left;
};

/* False: the account is not known there. */
static bool begin_groups(const struct findings *f, struct pac_groups *groups)
{
    const struct bytes own = observation_text(f->o, FIELD_PAC_ACCOUNT_SID);
    const struct activity_value *list = activity_get(f->o->activity, FIELD_PAC_GROUPS);
    if (own.size < 12 || own.size > SID_BYTES_MAX || whose(f, own, &groups->name) != KNOWN_YES)
        return false;
    groups->account = party_of(&groups->name);
    groups->own = own;
    memcpy(groups->sid, own.data, own.size);
    groups->items = list ? list->list.items : (struct cursor){0};
    groups->left = list ? list->list.count : 0;
    return true;
}

/* The SID of the next one, valid until the one after it. False: there is none. */
static bool next_group(struct pac_groups *groups, struct bytes *sid)
{
    if (groups->left == 0)
        return false;
    groups->left--;
    const uint64_t rid = activity_next_item(&groups->items, TYPE_UINT).uint;
    for (unsigned byte = 0; byte < 4; byte++)
        groups->sid[groups->own.size - 4 + byte] = (uint8_t)(rid >> 8 * byte);
    *sid = (struct bytes){groups->sid, groups->own.size};
    return true;
}

void find_groups(struct findings *f)
{
    struct pac_groups groups;
    struct bytes sid;
    if (!begin_groups(f, &groups))
        return;
    while (next_group(&groups, &sid))
        if (is_powerful(rid_of(sid)))
            judge_group(f, &groups.account, sid);
    const struct activity_value *list = activity_get(f->o->activity, FIELD_PAC_EXTRA_SIDS);
    struct cursor items = list ? list->list.items : (struct cursor){0};
    for (uint32_t i = 0; list && i < list->list.count; i++)
        judge_extra(f, &groups.account, groups.own, activity_next_item(&items, TYPE_SID).bytes);
}

void find_common_groups(struct findings *f)
{
    struct pac_groups groups;
    struct directory_name group, first;
    struct bytes sid;
    unsigned outside = 0;
    if (!begin_groups(f, &groups))
        return;
    while (next_group(&groups, &sid))
        if (!is_powerful(rid_of(sid)) && is_outside(f, &groups.account, sid, &group) && outside++ == 0)
            first = group;
    if (outside)
        finding(f, false, "groups", "Its PAC has it in %u groups in which the directory has it not, as %s",
                outside, first.name);
}

void find_account_sid(struct findings *f)
{
    const struct observation *o = f->o;
    struct bytes account = observation_text(o, FIELD_PAC_ACCOUNT),
                 sid = observation_text(o, FIELD_PAC_ACCOUNT_SID);
    struct directory_name name;
    if (account.size == 0 || whose(f, sid, &name) != KNOWN_YES)
        return;
    struct bytes there = {(const uint8_t *)name.name, strlen(name.name)};
    /* An account that was renamed since has its new name there, and the old one is nobody's. */
    if (there.size && !same(f->d, account, there) &&
        detection_account_known(f->d, account, observation_text(o, FIELD_TICKET_CLIENT_REALM)) == KNOWN_YES)
        finding(f, true, "account_sid", "The PAC is of %.*s with %s, which is the SID of %s in the directory",
                PRINTED(account), words_of(sid).text, name.name);
}
