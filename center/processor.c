/* SPDX-License-Identifier: Apache-2.0 */
#include "center/processor.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define TICKETS_MAX 262144u
#define TICKET_LIFE (10 * CLOCK_DAY) /* as long as the longest default renewal, and some more */
#define SURE_ENOUGH 50u              /* percent: from here on a computer is called by its name */

enum table { TABLE_TICKETS, TABLES };

static const struct state_form forms[TABLES] = {
    [TABLE_TICKETS] = {.name = "tickets",
                       .version = 1,
                       .value_size = sizeof(struct ticket),
                       .capacity = TICKETS_MAX,
                       .lifetime = TICKET_LIFE},
};

struct processor {
    struct subject_seed seed;
    const struct directory_view *directory;
    struct state_table *tables[TABLES];
    struct ticket ticket; /* the presented one, copied: tables move */
    char source_text[IP_ADDRESS_TEXT_MAX], destination_text[IP_ADDRESS_TEXT_MAX];
};

struct processor *processor_new(const struct directory_view *directory, struct subject_seed seed)
{
    struct processor *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->seed = seed;
    self->directory = directory;
    for (unsigned i = 0; i < TABLES; i++) {
        self->tables[i] = state_table_new(&forms[i], seed.value);
        if (!self->tables[i]) {
            processor_destroy(&self);
            return NULL;
        }
    }
    return self;
}

void processor_destroy(struct processor **processor)
{
    if (!*processor)
        return;
    for (unsigned i = 0; i < TABLES; i++)
        state_table_destroy(&(*processor)->tables[i]);
    free(*processor);
    *processor = NULL;
}

struct state_table *processor_table(const struct processor *processor, unsigned index)
{
    return index < TABLES ? processor->tables[index] : NULL;
}

void processor_expire(struct processor *processor, int64_t now)
{
    for (unsigned i = 0; i < TABLES; i++)
        state_table_expire(processor->tables[i], now);
}

/* -- who is in it ---------------------------------------------------------------------------------------- */

static struct bytes text_of(const struct activity *a, enum activity_field field)
{
    const struct activity_value *v = activity_get(a, field);
    return v ? v->bytes : (struct bytes){0};
}

static const uint8_t *guid_of(const struct activity *a, enum activity_field field)
{
    const struct activity_value *v = activity_get(a, field);
    return v && v->bytes.size == 16 ? v->bytes.data : NULL;
}

static void take_address(const struct activity *a, enum activity_field field, struct ip_address *to)
{
    struct bytes bytes = text_of(a, field);
    *to = (struct ip_address){.family = bytes.size == 4 ? 4 : bytes.size == 16 ? 6 : 0};
    if (to->family)
        memcpy(to->bytes, bytes.data, bytes.size);
}

static void name_party(const struct processor *self, struct party *to, enum subject_kind kind,
                       struct bytes name, struct bytes domain, const uint8_t *guid)
{
    if (kind == SUBJECT_ACCOUNT && name.size > 1 && name.data[name.size - 1] == '$')
        kind = SUBJECT_COMPUTER;
    *to = (struct party){.kind = kind, .name = name, .domain = domain, .guid = guid, .confidence = 100};
    to->subject = guid ? subject_of_guid(guid) : subject_of_name(self->seed, kind, name, domain);
    if (subject_is_none(to->subject))
        *to = (struct party){0};
}

/* The fields that say who is at one end. */
struct end {
    enum activity_field address, computer, domain, guid, confidence;
};

static const struct end source_end = {FIELD_SOURCE, FIELD_SOURCE_COMPUTER, FIELD_SOURCE_COMPUTER_DOMAIN,
                                      FIELD_SOURCE_COMPUTER_GUID, FIELD_SOURCE_CONFIDENCE};
static const struct end destination_end = {FIELD_DESTINATION, FIELD_DESTINATION_COMPUTER,
                                           FIELD_DESTINATION_COMPUTER_DOMAIN, FIELD_DESTINATION_COMPUTER_GUID,
                                           FIELD_DESTINATION_CONFIDENCE};

/* A computer where it is known well enough, else the address. */
static void end_party(const struct processor *self, const struct activity *a, const struct end *end,
                      const struct ip_address *address, char text[IP_ADDRESS_TEXT_MAX], struct party *to)
{
    struct bytes computer = text_of(a, end->computer);
    const struct activity_value *confidence = activity_get(a, end->confidence);
    *to = (struct party){0};
    if (computer.size && confidence && confidence->uint >= SURE_ENOUGH) {
        name_party(self, to, SUBJECT_COMPUTER, computer, text_of(a, end->domain), guid_of(a, end->guid));
        to->confidence = confidence->uint < 100 ? (uint8_t)confidence->uint : 100;
    } else if (address->family) {
        ip_address_text(address, text);
        to->kind = SUBJECT_ADDRESS;
        to->subject = subject_of_address(self->seed, address);
        to->name = (struct bytes){(const uint8_t *)text, strlen(text)};
        to->confidence = 100;
    }
    to->address = *address;
}

static void account_party(const struct processor *self, const struct activity *a, struct party *to)
{
    struct bytes name = text_of(a, FIELD_ACCOUNT_NAME), domain = text_of(a, FIELD_ACCOUNT_DNS_DOMAIN);
    if (name.size == 0) {
        name = text_of(a, FIELD_ACCOUNT);
        domain = text_of(a, FIELD_ACCOUNT_DOMAIN);
    }
    name_party(self, to, SUBJECT_ACCOUNT, name, domain, guid_of(a, FIELD_ACCOUNT_GUID));
}

static enum subject_kind kind_of_target(struct bytes kind)
{
    return text_is(kind, "user")       ? SUBJECT_ACCOUNT
           : text_is(kind, "computer") ? SUBJECT_COMPUTER
           : text_is(kind, "group")    ? SUBJECT_GROUP
           : text_is(kind, "domain")   ? SUBJECT_DOMAIN
                                       : SUBJECT_OBJECT;
}

/* -- tickets ----------------------------------------------------------------------------------------------
 */

static void copy_text(char *to, size_t capacity, struct bytes text)
{
    size_t size = text.size < capacity ? text.size : capacity - 1;
    if (size)
        memcpy(to, text.data, size);
    to[size] = '\0';
}

static void learn_ticket(struct processor *self, const struct observation *o)
{
    uint64_t fingerprint = observation_uint(o, FIELD_ISSUED_TICKET_FINGERPRINT, 0);
    if (fingerprint == 0)
        return;
    bool added;
    struct ticket *t = state_table_use(self->tables[TABLE_TICKETS],
                                       subject_of_number(self->seed, fingerprint), o->time, &added);
    if (!t || !added)
        return;
    struct bytes service = observation_text(o, FIELD_ISSUED_TICKET_SERVICE);
    t->fingerprint = fingerprint;
    t->issued = o->time;
    t->till = observation_int(o, FIELD_REQUESTED_TILL, 0);
    t->account = o->account.subject;
    t->computer = o->source.subject;
    t->address = o->source_address;
    t->etype = (int32_t)observation_int(o, FIELD_ISSUED_TICKET_ETYPE, 0);
    t->reply_etype = (int32_t)observation_int(o, FIELD_REPLY_ETYPE, 0);
    t->granting = text_begins(service, "krbtgt");
    t->delegated = observation_bool(o, FIELD_S4U2PROXY);
    copy_text(t->account_name, sizeof(t->account_name), o->account.name);
    copy_text(t->account_domain, sizeof(t->account_domain), o->account.domain);
    copy_text(t->service, sizeof(t->service), service);
}

static void find_ticket(struct processor *self, struct observation *o)
{
    uint64_t fingerprint = observation_uint(o, FIELD_TICKET_FINGERPRINT, 0);
    const struct ticket *t = fingerprint
                                 ? state_table_look(self->tables[TABLE_TICKETS],
                                                    subject_of_number(self->seed, fingerprint), o->time)
                                 : NULL;
    if (!t)
        return;
    self->ticket = *t;
    o->ticket = &self->ticket;
}

bool processor_observe(struct processor *self, const struct activity *a, struct bytes record,
                       struct activity_place place, const uint8_t node[16], struct observation *to)
{
    (void)node;
    *to = (struct observation){
        .activity = a, .kind = a->kind, .time = a->time, .place = place, .record = record};
    take_address(a, FIELD_SOURCE, &to->source_address);
    take_address(a, FIELD_DESTINATION, &to->destination_address);
    end_party(self, a, &source_end, &to->source_address, self->source_text, &to->source);
    end_party(self, a, &destination_end, &to->destination_address, self->destination_text, &to->destination);
    if (!party_is(&to->source))
        name_party(self, &to->source, SUBJECT_COMPUTER, text_of(a, FIELD_WORKSTATION), (struct bytes){0},
                   NULL);
    to->origin =
        to->source_address.family ? subject_of_address(self->seed, &to->source_address) : to->source.subject;
    to->source_is_controller = observation_bool(to, FIELD_SOURCE_IS_CONTROLLER);
    to->destination_is_controller = observation_bool(to, FIELD_DESTINATION_IS_CONTROLLER);
    account_party(self, a, &to->account);
    name_party(self, &to->service, SUBJECT_ACCOUNT, text_of(a, FIELD_SERVICE_OWNER), (struct bytes){0},
               guid_of(a, FIELD_SERVICE_OWNER_GUID));
    name_party(self, &to->target, kind_of_target(text_of(a, FIELD_TARGET_KIND)),
               text_of(a, FIELD_TARGET_NAME), (struct bytes){0}, guid_of(a, FIELD_TARGET_GUID));
    name_party(self, &to->group, SUBJECT_GROUP, text_of(a, FIELD_GROUP_NAME), (struct bytes){0},
               guid_of(a, FIELD_GROUP_GUID));
    find_ticket(self, to);
    learn_ticket(self, to);
    return true;
}
