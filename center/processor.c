/* SPDX-License-Identifier: Apache-2.0 */
#include "center/processor_internal.h"

#include <stdlib.h>

#define TICKET_KEPT (10 * CLOCK_DAY) /* as long as the longest default renewal, and some more */

/* `value_size` of the parts' own values, which they check when they are compiled. */
static const struct state_form forms[TABLES] = {
    [TABLE_TICKETS] = {"tickets", 3, sizeof(struct ticket), PROCESSOR_TICKETS, TICKET_KEPT},
    [TABLE_SERVICE_TICKETS] = {"service_tickets", 2, sizeof(struct ticket), PROCESSOR_TICKETS,
                               SERVICE_TICKET_KEPT},
    [TABLE_DOMAINS] = {"domains", 1, 144, 4096, 30 * CLOCK_DAY},
    [TABLE_ALIASES] = {"aliases", 1, 160, 262144, 30 * CLOCK_DAY},
    [TABLE_NAMED] = {"named", 1, 16, 262144, 120 * CLOCK_DAY},
    [TABLE_FORMER] = {"former", 1, 24, 262144, 130 * CLOCK_DAY}, /* longer than profiles */
    [TABLE_ADDRESSES] = {"addresses", 1, 168, 262144, 7 * CLOCK_DAY},
    [TABLE_SESSIONS] = {"sessions", 1, 160, 65536, CLOCK_DAY},
    [TABLE_NODES] = {"nodes", 1, 8, 16384, 7 * CLOCK_DAY},
    [TABLE_SEEN] = {"seen", 1, 40, 262144, 15 * CLOCK_MINUTE},
    [TABLE_EVENTS] = {"events", 1, 8, 262144, CLOCK_HOUR},
    [TABLE_LOGONS] = {"logons", 2, 24, 65536, 2 * CLOCK_MINUTE},
    [TABLE_KDCS] = {"issuers", 1, 8, 4096, 7 * CLOCK_DAY},
    /* With the version of the tickets: without them nothing was watched. */
    [TABLE_WATCH] = {"watch", 3, 8, 1, 0},
    [TABLE_LIVES] = {"lives", 1, 16, 4096, 30 * CLOCK_DAY},
    [TABLE_SENSORS] = {"sensors", 1, 8, 16384, CLOCK_DAY},
};

struct processor *processor_new(const struct processor_config *config)
{
    struct processor *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->seed = config->seed;
    self->directory = config->directory;
    self->config = *config;
    memcpy(self->forms, forms, sizeof(forms));
    if (config->tickets)
        self->forms[TABLE_TICKETS].capacity = self->forms[TABLE_SERVICE_TICKETS].capacity = config->tickets;
    self->learned = processor_learned_new();
    bool fine = self->learned != NULL;
    for (unsigned i = 0; fine && i < TABLES; i++) {
        self->tables[i] = state_table_new(&self->forms[i], config->seed.value);
        fine = self->tables[i] != NULL;
    }
    if (!fine)
        processor_destroy(&self);
    return self;
}

void processor_destroy(struct processor **processor)
{
    if (!*processor)
        return;
    for (unsigned i = 0; i < TABLES; i++)
        state_table_destroy(&(*processor)->tables[i]);
    free((*processor)->learned);
    free(*processor);
    *processor = NULL;
}

struct state_table *processor_table(const struct processor *processor, unsigned index)
{
    return index < TABLES ? processor->tables[index] : NULL;
}

static uint32_t names_kept(const struct processor *self)
{
    struct state_table_status aliases, domains;
    state_table_status(self->tables[TABLE_ALIASES], &aliases);
    state_table_status(self->tables[TABLE_DOMAINS], &domains);
    return aliases.count + domains.count;
}

void processor_expire(struct processor *processor, int64_t now)
{
    const uint32_t names = names_kept(processor);
    for (unsigned i = 0; i < TABLES; i++)
        state_table_expire(processor->tables[i], now);
    processor->names_state += names_kept(processor) != names;
    processor->known_node = 0; /* it may have been forgotten */
}

/* --- who is in it --- */

/* Who acts: an event of a controller names accounts of its own domain without it. */
static void account_party(struct processor *self, struct observation *o)
{
    const struct activity *a = o->activity;
    struct named named = {.kind = SUBJECT_ACCOUNT,
                          .name = processor_text(a, FIELD_ACCOUNT),
                          .domain = processor_text(a, FIELD_ACCOUNT_DOMAIN),
                          .sid = processor_text(a, FIELD_ACCOUNT_SID),
                          .guid = processor_guid(a, FIELD_ACCOUNT_GUID),
                          .found_name = processor_text(a, FIELD_ACCOUNT_NAME),
                          .found_domain = processor_text(a, FIELD_ACCOUNT_DNS_DOMAIN)};
    if (named.sid.size == 0)
        named.sid = processor_text(a, FIELD_ACTING_SID);
    if (named.name.size == 0)
        named.name = processor_text(a, FIELD_BIND_NAME);
    if (named.name.size == 0)
        named.name = processor_text(a, FIELD_NETLOGON_ACCOUNT);
    if (o->destination_is_controller)
        named.default_domain = o->destination.domain;
    processor_party(self, &named, o->time, PLACE_ACCOUNT, &o->account);
}

static bool directory_knows(const struct processor *self, struct bytes name)
{
    struct party party = {.kind = SUBJECT_ACCOUNT, .name = name};
    struct directory_name found;
    return self->directory->find && self->directory->find(self->directory->context, &party, &found);
}

/* The owner of a principal is known to the directory only; but the realm's own and accounts say who they are.
 */
static void service_party(struct processor *self, struct observation *o)
{
    const struct activity *a = o->activity;
    struct bytes service = processor_text(a, FIELD_SERVICE);
    struct named named = {.kind = SUBJECT_ACCOUNT,
                          .found_name = processor_text(a, FIELD_SERVICE_OWNER),
                          .found_domain = o->account.domain,
                          .guid = processor_guid(a, FIELD_SERVICE_OWNER_GUID)};
    if (named.found_name.size == 0 && text_begins(service, "krbtgt/")) {
        named.name = (struct bytes){service.data, 6};
        named.domain = (struct bytes){service.data + 7, service.size - 7};
    } else if (named.found_name.size == 0) {
        bool is_principal = service.size && memchr(service.data, '/', service.size);
        if (is_principal && !directory_knows(self, service))
            return;
        named.name = service;
        named.domain = processor_text(a, FIELD_SERVICE_REALM);
    }
    processor_party(self, &named, o->time, PLACE_SERVICE, &o->service);
}

static enum subject_kind kind_of_target(struct bytes kind)
{
    return text_is(kind, "user") || text_is(kind, "managed_account") ? SUBJECT_ACCOUNT
           : text_is(kind, "computer")                               ? SUBJECT_COMPUTER
           : text_is(kind, "group")                                  ? SUBJECT_GROUP
           : text_is(kind, "domain")                                 ? SUBJECT_DOMAIN
                                                                     : SUBJECT_OBJECT;
}

/* What was not resolved, as the activity names it. */
static void name_target(const struct observation *o, struct named *named)
{
    const struct activity *a = o->activity;
    switch (o->kind) {
    case ACTIVITY_GROUP_CHANGE:
        named->name = processor_text(a, FIELD_MEMBER_DN);
        named->sid = processor_text(a, FIELD_MEMBER_SID);
        named->kind = SUBJECT_ACCOUNT;
        break;
    case ACTIVITY_ACCOUNT_CHANGE:
        named->name = processor_text(a, FIELD_CHANGED_ACCOUNT);
        named->domain = processor_text(a, FIELD_CHANGED_ACCOUNT_DOMAIN);
        named->sid = processor_text(a, FIELD_CHANGED_ACCOUNT_SID);
        named->kind = observation_bool(o, FIELD_CHANGED_COMPUTER) ? SUBJECT_COMPUTER : SUBJECT_ACCOUNT;
        break;
    case ACTIVITY_LDAP_ADD:
    case ACTIVITY_LDAP_MODIFY:
    case ACTIVITY_LDAP_MODIFY_DN:
    case ACTIVITY_LDAP_DELETE:
    case ACTIVITY_DIRECTORY_CHANGE:
        named->name = processor_text(a, FIELD_LDAP_DN);
        break;
    default:
        break;
    }
}

static void target_party(struct processor *self, struct observation *o)
{
    const struct activity *a = o->activity;
    struct named named = {.kind = kind_of_target(processor_text(a, FIELD_TARGET_KIND)),
                          .found_name = processor_text(a, FIELD_TARGET_NAME),
                          .found_domain = o->account.domain,
                          .guid = processor_guid(a, FIELD_TARGET_GUID),
                          .sid = processor_text(a, FIELD_TARGET_SID)};
    if (named.found_name.size == 0)
        name_target(o, &named);
    processor_party(self, &named, o->time, PLACE_TARGET, &o->target);
}

static void group_party(struct processor *self, struct observation *o)
{
    const struct activity *a = o->activity;
    struct named named = {.kind = SUBJECT_GROUP,
                          .found_name = processor_text(a, FIELD_GROUP_NAME),
                          .found_domain = o->account.domain,
                          .guid = processor_guid(a, FIELD_GROUP_GUID),
                          .sid = processor_text(a, FIELD_GROUP_SID)};
    if (named.found_name.size == 0) {
        named.name = processor_text(a, FIELD_GROUP_ACCOUNT);
        named.domain = processor_text(a, FIELD_GROUP_ACCOUNT_DOMAIN);
        named.sid = processor_text(a, FIELD_GROUP_ACCOUNT_SID);
    }
    processor_party(self, &named, o->time, PLACE_GROUP, &o->group);
}

/* --- what the resolver learned too late --- */

/* It names who was meant, with all the names that it has. */
static void learn_resolution(struct processor *self, const struct activity *a, struct observation *o)
{
    *o = (struct observation){.activity = a, .kind = a->kind, .time = a->time};
    processor_learn_domains(self, a, false);
    processor_expect_ends(self, o);
    processor_ends(self, o);
    account_party(self, o);
    target_party(self, o);
    group_party(self, o);
}

/* What was put back is known at the first activity. */
static void begin(struct processor *self)
{
    struct state_table_status status;
    processor_note_forgotten(self);
    state_table_status(self->tables[TABLE_FORMER], &status);
    self->has_former = status.count > 0;
    self->begun = true;
}

static void complete_memory(struct observation *o)
{
    struct party *const parties[] = {&o->account, &o->source, &o->destination,
                                     &o->service, &o->target, &o->group};
    for (unsigned i = 0; i < sizeof(parties) / sizeof(parties[0]); i++) {
        if (subject_is_none(parties[i]->memory))
            parties[i]->memory = parties[i]->subject;
        o->renamed = o->renamed || !subject_equal(parties[i]->memory, parties[i]->subject);
    }
}

bool processor_observe(struct processor *self, const struct activity *a, struct bytes record,
                       struct activity_place place, const uint8_t node[16], struct observation *to)
{
    *to = (struct observation){
        .activity = a, .kind = a->kind, .time = a->time, .place = place, .record = record};
    if (!self->begun)
        begin(self);
    if (a->kind == ACTIVITY_RESOLUTION) {
        learn_resolution(self, a, to);
        return false;
    }
    if (a->kind == ACTIVITY_CAPTURE_REPORT) {
        processor_report(self, to, node);
        return false;
    }
    processor_expect_ends(self, to);
    processor_expect_tickets(self, to);
    if (processor_is_repeated(self, a, node))
        return false;
    processor_ends(self, to);
    processor_learn_domains(self, a, to->destination_is_controller);
    account_party(self, to);
    processor_session(self, to);
    processor_tickets(self, to);
    service_party(self, to);
    target_party(self, to);
    group_party(self, to);
    processor_watch(self, to);
    complete_memory(to);
    return !processor_is_wire_twin(self, to);
}
