/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory.h"

#include "base/sid.h"
#include "base/text.h"
#include "sync/distinguished_name.h"
#include "sync/entity_sensitivity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* -- keys ------------------------------------------------------------------------------------------------ */

struct subject key_by_origin(const struct detection *d, const struct observation *o)
{
    (void)d;
    return subject_is_none(o->origin) ? o->account.subject : o->origin;
}

struct subject key_by_account(const struct detection *d, const struct observation *o)
{
    (void)d;
    return party_is(&o->account) ? o->account.subject : o->origin;
}

/* -- who ------------------------------------------------------------------------------------------------- */

static struct bytes without_dollar(struct bytes name)
{
    if (name.size && name.data[name.size - 1] == '$')
        name.size--;
    return name;
}

static bool same_text(struct bytes a, struct bytes b)
{
    uint8_t folded[2][256];
    if (a.size == 0 || a.size != b.size || a.size > sizeof(folded[0]))
        return false;
    entity_fold(folded[0], a);
    entity_fold(folded[1], b);
    return memcmp(folded[0], folded[1], a.size) == 0;
}

static bool is_event(const struct observation *o)
{
    return o->source_address.family == 0 && observation_has(o, FIELD_EVENT_COMPUTER);
}

bool by_controller(const struct detection *d, const struct observation *o)
{
    if (o->source_address.family)
        return o->source_is_controller || detection_is(d, &o->source, FACT_CONTROLLER);
    return by_system(o) || detection_is(d, &o->account, FACT_CONTROLLER);
}

/* The computer that logged an event. */
static struct party event_computer(const struct detection *d, const struct observation *o)
{
    struct bytes name = observation_text(o, FIELD_EVENT_COMPUTER);
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] == '.')
            name.size = i;
    return party_named(d, o, SUBJECT_COMPUTER, name);
}

bool on_controller(const struct detection *d, const struct observation *o)
{
    struct party computer = is_event(o) ? event_computer(d, o) : o->destination;
    struct facts facts;
    return o->destination_is_controller || !detection_facts(d, &computer, &facts) ||
           facts.bits & FACT_CONTROLLER;
}

bool is_local(const struct detection *d, const struct observation *o)
{
    return is_event(o) && same_text(event_computer(d, o).name, observation_text(o, FIELD_ACCOUNT_DOMAIN));
}

bool by_system(const struct observation *o)
{
    static const uint8_t service[11] = {1, 1, 0, 0, 0, 0, 0, 5}; /* S-1-5-..., the RID's low byte is next */
    struct bytes sid = observation_text(o, FIELD_ACTING_SID);
    bool system = sid.size == 12 && memcmp(sid.data, service, 8) == 0 && sid.data[8] >= 18 &&
                  sid.data[8] <= 20 && memcmp(sid.data + 9, service + 8, 3) == 0;
    return system || observation_bool(o, FIELD_PERFORMED_AS_SYSTEM);
}

bool by_computer_account(const struct observation *o)
{
    return o->account.kind == SUBJECT_COMPUTER || text_ends(o->account.name, "$");
}

bool has_failed(const struct observation *o)
{
    return observation_bool(o, FIELD_RPC_FAULT) || observation_bool(o, FIELD_EVENT_FAILURE) ||
           observation_uint(o, FIELD_STATUS, 0) != 0;
}

bool acts_on_itself(const struct observation *o)
{
    if (o->account.guid && o->target.guid)
        return memcmp(o->account.guid, o->target.guid, 16) == 0;
    if (!by_computer_account(o))
        return false;
    struct bytes name = dn_first_value(observation_text(o, FIELD_LDAP_DN));
    if (name.size == 0)
        name = without_dollar(observation_text(o, FIELD_CHANGED_ACCOUNT));
    return same_text(without_dollar(o->account.name), name);
}

struct party party_named(const struct detection *d, const struct observation *o, enum subject_kind kind,
                         struct bytes name)
{
    struct party party = {.kind = kind, .name = name, .domain = o->account.domain, .confidence = 100};
    party.subject = subject_of_name(detection_seed(d), kind, name, party.domain);
    if (subject_is_none(party.subject))
        party.kind = SUBJECT_NONE;
    return party;
}

static bool source_is_first(const struct observation *o)
{
    return memcmp(&o->source_address, &o->destination_address, sizeof(o->source_address)) < 0;
}

struct subject replication_pair(const struct detection *d, const struct observation *o)
{
    struct subject source = subject_of_address(detection_seed(d), &o->source_address);
    struct subject destination = subject_of_address(detection_seed(d), &o->destination_address);
    return source_is_first(o) ? subject_of_pair(detection_seed(d), source, destination)
                              : subject_of_pair(detection_seed(d), destination, source);
}

bool replication_add(struct replication *replication, const struct detection *d, const struct observation *o)
{
    unsigned source = source_is_first(o) ? 0 : 1;
    struct facts facts;
    if (replication->asked[source] && !detection_facts(d, &o->source, &facts))
        return true;
    /* The principal that controllers replicate by, and nobody else has a use for. */
    if (o->kind == ACTIVITY_KERBEROS_AP)
        replication->asked[source] = 1;
    else
        replication->asked[1 - source] = 1;
    return false;
}

bool is_replication_logon(const struct observation *o)
{
    return o->kind == ACTIVITY_KERBEROS_AP && observation_has(o, FIELD_STATUS) &&
           observation_uint(o, FIELD_STATUS, 0) == 0 &&
           text_begins(observation_text(o, FIELD_TICKET_SERVICE), "E3514235-4B06-11D1-AB04-00C04FC2DCD2/");
}

/* -- groups ---------------------------------------------------------------------------------------------- */

static bool is_sensitive_identity(struct bytes sid, struct bytes name)
{
    struct entity group = {.kind = ENTITY_GROUP};
    group.attributes[ENTITY_OBJECT_SID] = (struct activity_value){.bytes = sid};
    group.attributes[ENTITY_SAM_ACCOUNT_NAME] = (struct activity_value){.bytes = name};
    if (sid.size)
        group.present[ENTITY_OBJECT_SID / 64] |= UINT64_C(1) << ENTITY_OBJECT_SID % 64;
    if (name.size)
        group.present[ENTITY_SAM_ACCOUNT_NAME / 64] |= UINT64_C(1) << ENTITY_SAM_ACCOUNT_NAME % 64;
    return entity_sensitivity_of_group(&group) != 0;
}

bool is_sensitive_group(struct bytes sid, struct bytes name)
{
    /* English installations: where no SID is seen, as in LDAP, the name has to do. */
    static const char *const names[] = {
        "Domain Admins",
        "Enterprise Admins",
        "Schema Admins",
        "Administrators",
        "Account Operators",
        "Server Operators",
        "Print Operators",
        "Backup Operators",
        "Replicator",
        "Domain Controllers",
        "Key Admins",
        "Enterprise Key Admins",
        "Cert Publishers",
        "DnsAdmins",
        "Read-only Domain Controllers",
        "Enterprise Read-only Domain Controllers",
        "Group Policy Creator Owners",
        "Exchange Trusted Subsystem",
    };
    if (sid.size)
        return is_sensitive_identity(sid, name);
    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (text_is(name, names[i]))
            return true;
    return false;
}

bool is_sensitive_rid(uint64_t rid)
{
    static const uint16_t rids[] = {512, 516, 517, 518, 519, 520, 521, 526,
                                    527, 544, 548, 549, 550, 551, 552};
    for (unsigned i = 0; i < sizeof(rids) / sizeof(*rids); i++)
        if (rid == rids[i])
            return true;
    return false;
}

/* -- lists ----------------------------------------------------------------------------------------------- */

bool list_each(const struct observation *o, enum activity_field field,
               bool (*visit)(void *context, struct bytes text), void *context)
{
    const struct activity_value *list = activity_get(o->activity, field);
    if (!list || activity_field_info(field)->type != TYPE_STRING_LIST)
        return false;
    struct cursor items = list->list.items;
    for (uint32_t i = 0; i < list->list.count; i++)
        if (visit(context, activity_next_item(&items, TYPE_STRING).bytes))
            return true;
    return false;
}

struct change_sought {
    const char *attribute;
    bool also_deleted;
};

static bool is_change(void *context, struct bytes text)
{
    const struct change_sought *sought = context;
    const uint8_t *colon = text.size ? memchr(text.data, ':', text.size) : NULL;
    if (!colon)
        return false;
    struct bytes rest = {colon + 1, (size_t)(text.data + text.size - colon - 1)};
    return text_is(rest, sought->attribute) && (sought->also_deleted || !text_begins(text, "delete:"));
}

bool changes_set(const struct observation *o, const char *attribute)
{
    struct change_sought sought = {attribute, false};
    return list_each(o, FIELD_CHANGES, is_change, &sought);
}

bool changes_touch(const struct observation *o, const char *attribute)
{
    struct change_sought sought = {attribute, true};
    return list_each(o, FIELD_CHANGES, is_change, &sought);
}

struct prefix_sought {
    const char *prefix;
    struct bytes rest;
};

static bool has_prefix(void *context, struct bytes text)
{
    struct prefix_sought *sought = context;
    if (!text_begins(text, sought->prefix))
        return false;
    size_t size = strlen(sought->prefix);
    sought->rest = (struct bytes){text.data + size, text.size - size};
    return true;
}

struct bytes list_after(const struct observation *o, enum activity_field field, const char *prefix)
{
    struct prefix_sought sought = {prefix, {0}};
    list_each(o, field, has_prefix, &sought);
    return sought.rest;
}

/* -- habit ----------------------------------------------------------------------------------------------- */

uint32_t source_habit_add(struct source_habit *habit, const struct detection *d, const struct observation *o,
                          uint32_t bits, int64_t own_learning, int64_t width)
{
    if (habit->first == 0)
        habit->first = o->time;
    if (o->time - habit->window > width || o->time < habit->window - width) {
        habit->window = o->time;
        habit->fresh = 0;
    }
    habit->fresh |= bits & ~habit->known;
    if (detection_learning(d) || detection_learning_since(d, habit->first, own_learning)) {
        habit->known |= bits;
        return 0;
    }
    return habit->fresh & ~habit->known;
}

static bool is_own_password(const struct observation *o)
{
    switch (observation_uint(o, FIELD_RPC_OPNUM, 0)) {
    case 38: /* SamrChangePasswordUser, Oem, Unicode, and Unicode of 2021: [MS-SAMR] 3.1.5.10 */
    case 54:
    case 55:
    case 73:
        return true;
    default:
        return false;
    }
}

/* DnssrvOperation and DnssrvUpdateRecord, and both with a version: [MS-DNSP] 3.1.4. */
static bool is_dns_change(const struct observation *o)
{
    switch (observation_uint(o, FIELD_RPC_OPNUM, UINT64_MAX)) {
    case 0:
    case 4:
    case 5:
    case 9:
        return true;
    default:
        return false;
    }
}

static bool is_administration(const struct observation *o)
{
    if (!observation_has(o, FIELD_STATUS) || has_failed(o) || !party_is(&o->account) ||
        by_computer_account(o))
        return false;
    if (o->kind == ACTIVITY_SAMR_CHANGE)
        return !is_own_password(o);
    return o->kind == ACTIVITY_DNSSERVER_MANAGE ? is_dns_change(o) : !acts_on_itself(o);
}

static bool is_change_kind(enum activity_kind kind)
{
    static const enum activity_kind kinds[] = {ADMINISTRATION_KINDS};
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (kind == kinds[i])
            return true;
    return false;
}

static uint32_t administrator_of(const struct detection *d, const struct observation *o)
{
    struct bytes name = o->account.name;
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] == '@')
            name.size = i;
    return (uint32_t)subject_of_name(detection_seed(d), SUBJECT_ACCOUNT, name, (struct bytes){0}).low | 1;
}

bool administrators_add(struct administrators *of, const struct detection *d, const struct observation *o)
{
    if (!is_change_kind(o->kind))
        return false;
    uint32_t account = administrator_of(d, o);
    if (!is_administration(o) || of->of[0].account == account || of->of[1].account == account)
        return true;
    of->of[1] = of->of[0];
    of->of[0].account = account;
    of->of[0].since = (uint32_t)(o->time / STATISTICS_DAY);
    return true;
}

bool administrators_has(const struct administrators *of, const struct detection *d,
                        const struct observation *o)
{
    uint32_t account = administrator_of(d, o);
    struct facts facts;
    if (!party_is(&o->account) || (detection_facts(d, &o->account, &facts) && !(facts.bits & FACT_SENSITIVE)))
        return false;
    for (unsigned i = 0; i < 2; i++)
        if (of->of[i].account == account)
            return !detection_learning_since(d, of->of[i].since * STATISTICS_DAY, 7 * STATISTICS_DAY);
    return false;
}

/* -- words ----------------------------------------------------------------------------------------------- */

static int size_of(struct bytes text)
{
    return text.size < 100 ? (int)text.size : 100;
}

const char *words_party(struct words *to, const struct party *party, const char *otherwise)
{
    const struct bytes name = party->name, domain = party->domain;
    char address[IP_ADDRESS_TEXT_MAX] = "";
    if (party->kind == SUBJECT_COMPUTER && party->address.family)
        ip_address_text(&party->address, address);
    if (!party_is(party))
        snprintf(to->text, sizeof(to->text), "%s", otherwise);
    else if (party->kind == SUBJECT_ACCOUNT && domain.size)
        snprintf(to->text, sizeof(to->text), "%.*s\\%.*s", size_of(domain), (const char *)domain.data,
                 size_of(name), (const char *)name.data);
    else
        snprintf(to->text, sizeof(to->text), "%.*s%s%s%s", size_of(name), (const char *)name.data,
                 address[0] ? " (" : "", address, address[0] ? ")" : "");
    return to->text;
}

const char *words_text(struct words *to, struct bytes text, size_t most)
{
    if (most > sizeof(to->text) - 4)
        most = sizeof(to->text) - 4;
    snprintf(to->text, sizeof(to->text), "%.*s%s", (int)(text.size < most ? text.size : most),
             text.size ? (const char *)text.data : "", text.size > most ? "..." : "");
    return to->text;
}

void explain_who(struct alert *alert, const struct observation *o, const char *what)
{
    struct words account, source, destination, computer;
    const struct party *server = &o->destination;
    struct bytes log = observation_text(o, FIELD_EVENT_COMPUTER);
    if (!party_is(server) && log.size)
        alert_add_named(alert, ALERT_DESTINATION, SUBJECT_COMPUTER, log, (struct bytes){0});
    const char *on =
        party_is(server) ? words_party(&destination, server, "") : words_text(&computer, log, 100);
    if (party_is(&o->source))
        alert_explain(alert, "%s on %s %s%s%s.", words_party(&account, &o->account, "An unknown account"),
                      words_party(&source, &o->source, ""), what, on[0] ? " on " : "", on);
    else
        alert_explain(alert, "%s %s%s%s.", words_party(&account, &o->account, "An unknown account"), what,
                      on[0] ? " on " : "", on);
}

void explain_administrator(struct alert *alert)
{
    alert->severity = SEVERITY_LOW;
    alert_put_string(alert, "administrator", "yes");
    alert_explain(
        alert, "The account has changed the directory from this source for a week and longer, so this may be "
               "its administration: severity low.");
}

void explain_end(struct alert *alert, const struct observation *o)
{
    if (observation_bool(o, FIELD_SEALED))
        alert_explain(alert, "It was sealed: only interface, operation and sizes are known.");
    if (has_failed(o)) {
        alert_explain(alert, "The server refused it (0x%" PRIx64 ").", observation_uint(o, FIELD_STATUS, 0));
        alert_put_string(alert, "outcome", "failure");
    } else {
        alert_put_string(alert, "outcome", observation_has(o, FIELD_STATUS) ? "success" : "unknown");
    }
    if (o->source.kind == SUBJECT_COMPUTER && o->source.confidence < 100)
        alert_explain(alert, "That the source is this computer is %u %% sure.", o->source.confidence);
    else if (o->source.kind == SUBJECT_ADDRESS)
        alert_explain(alert, "Which computer has the source address is not known.");
}
