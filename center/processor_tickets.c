/* SPDX-License-Identifier: Apache-2.0
 *
 * Tickets by their fingerprints, from the exchange in which they were issued to each in which they are
 * presented, whichever sensors saw them; and whether every ticket that was issued can have been seen.
 */
#include "center/processor_internal.h"

/* KDCOptions, RFC 4120 5.4.1: bit 0 is the highest. */
#define KDC_FORWARDED (1u << 29)
#define KDC_RENEW     (1u << 1)

#define TICKET_LIFE   (10 * CLOCK_HOUR) /* the default of every domain */
#define CLOCK_SKEW    (5 * CLOCK_MINUTE)
#define KDC_IS_SILENT (CLOCK_DAY) /* a controller that issued nothing for so long may not be seen */
#define REPORT_IS_DUE                                                                                        \
    (45 * CLOCK_SECOND) /* of a sensor: four of its periods, and what an activity may wait */

struct watch {
    int64_t since; /* everything was seen from here on */
};

struct issuer {
    int64_t issued; /* last time */
};

struct sensor {
    int64_t reported; /* up to then it told what it saw */
};

/* How long tickets of a domain live: it is at least as much. */
struct life {
    int64_t used; /* accepted so long after it was issued */
    int64_t read; /* what stood in one */
};

_Static_assert(sizeof(struct life) == 16, "as processor.c has it");
_Static_assert(sizeof(struct sensor) == 8, "as processor.c has it");
_Static_assert(sizeof(struct watch) == 8 && sizeof(struct issuer) == 8, "as processor.c has it");

static const struct subject watch_key = {1, 1};

static struct subject ticket_key(const struct processor *self, uint64_t fingerprint)
{
    return subject_of_number(self->seed, fingerprint);
}

static struct state_table *table_for(const struct processor *self, bool granting)
{
    return self->tables[granting ? TABLE_TICKETS : TABLE_SERVICE_TICKETS];
}

static const struct ticket *look(const struct processor *self, uint64_t fingerprint, int64_t now)
{
    if (fingerprint == 0)
        return NULL;
    const struct subject key = ticket_key(self, fingerprint);
    const struct ticket *found = state_table_look(table_for(self, false), key, now);
    return found ? found : state_table_look(table_for(self, true), key, now);
}

/* --- issued ones --- */

/* In whose name the ticket is: of a service that acts for somebody, that one's. */
static void name_owner(struct processor *self, const struct observation *o, struct ticket *t)
{
    struct bytes name = observation_text(o, FIELD_S4U2SELF_ACCOUNT),
                 domain = observation_text(o, FIELD_S4U2SELF_DOMAIN);
    const struct activity_value *evidence = activity_get(o->activity, FIELD_ADDITIONAL_TICKET_FINGERPRINTS);
    if (name.size) {
        struct party party;
        struct named named = {.kind = SUBJECT_ACCOUNT, .name = name, .domain = domain};
        processor_party(self, &named, o->time, PLACE_TARGET, &party);
        t->account = party.subject;
        processor_copy(t->account_name, sizeof(t->account_name), party.name);
        processor_copy(t->account_domain, sizeof(t->account_domain), party.domain);
        t->delegated = true;
        return;
    }
    t->account = o->account.subject;
    processor_copy(t->account_name, sizeof(t->account_name), o->account.name);
    processor_copy(t->account_domain, sizeof(t->account_domain), o->account.domain);
    if (!t->delegated || !evidence || evidence->list.count == 0)
        return;
    struct cursor items = evidence->list.items;
    const struct ticket *other = look(self, activity_next_item(&items, TYPE_ID).uint, o->time);
    if (!other)
        return;
    t->account = other->account;
    memcpy(t->account_name, other->account_name, sizeof(t->account_name));
    memcpy(t->account_domain, other->account_domain, sizeof(t->account_domain));
}

static void note_issuer(struct processor *self, const struct observation *o)
{
    const struct issuer *known = state_table_look(self->tables[TABLE_KDCS], o->destination.subject, o->time);
    if (subject_is_none(o->destination.subject) || (known && o->time - known->issued < CLOCK_MINUTE))
        return;
    struct issuer *to = state_table_use(self->tables[TABLE_KDCS], o->destination.subject, o->time, NULL);
    if (to && o->time > to->issued)
        to->issued = o->time;
}

void processor_gap(struct processor *self, int64_t time)
{
    struct watch *watch = state_table_use(self->tables[TABLE_WATCH], watch_key, time, NULL);
    if (watch && watch->since < time)
        watch->since = time;
}

/* Those that were pushed out may come again: up to then it is as if they had not been seen. */
void processor_note_forgotten(struct processor *self)
{
    struct state_table_status granting, services;
    state_table_status(table_for(self, true), &granting);
    state_table_status(table_for(self, false), &services);
    int64_t until =
        granting.pushed_until > services.pushed_until ? granting.pushed_until : services.pushed_until;
    if (until > self->pushed_until)
        processor_gap(self, until);
    self->pushed_until = until;
}

/* --- how long they live --- */

static struct subject life_key(const struct processor *self, struct bytes realm)
{
    return subject_of_name(self->seed, SUBJECT_DOMAIN, realm, (struct bytes){0});
}

/* A longer one is noted; as long a one keeps it from being forgotten. */
static void learn_life(struct processor *self, struct bytes realm, int64_t now, struct life seen)
{
    const struct subject key = life_key(self, realm);
    const struct life *known = state_table_look(self->tables[TABLE_LIVES], key, now);
    if (subject_is_none(key) || (known && seen.used < known->used && seen.read < known->read))
        return;
    struct life *to = state_table_use(self->tables[TABLE_LIVES], key, now, NULL);
    if (!to)
        return;
    to->used = seen.used > to->used ? seen.used : to->used;
    to->read = seen.read > to->read ? seen.read : to->read;
}

static bool is_known_controller(const struct processor *self, const struct party *party)
{
    struct facts facts;
    return self->directory->facts(self->directory->context, party, &facts) && facts.bits & FACT_CONTROLLER;
}

/* Its end, as a key shows it. */
static void learn_read_life(struct processor *self, const struct observation *o)
{
    int64_t from = observation_int(o, FIELD_ISSUED_TICKET_AUTH_TIME, 0),
            till = observation_int(o, FIELD_ISSUED_TICKET_END_TIME, 0);
    if (from > 0 && till > from)
        learn_life(self, observation_text(o, FIELD_ISSUED_TICKET_REALM), o->time,
                   (struct life){.read = till - from});
}

/* A controller accepts it, which was issued by one so long ago: then they live as long, at least. */
static void learn_used_life(struct processor *self, const struct observation *o)
{
    int64_t age = o->ticket ? o->time - o->ticket->issued - CLOCK_SKEW : 0;
    if (age > TICKET_LIFE && o->kind == ACTIVITY_KERBEROS_TGS && o->ticket->granting && o->ticket->initial &&
        observation_uint(o, FIELD_STATUS, 1) == 0 && is_known_controller(self, &o->destination))
        learn_life(self, observation_text(o, FIELD_TICKET_REALM), o->time, (struct life){.used = age});
}

static struct ticket_life life_of(const struct processor *self, struct bytes realm, int64_t now)
{
    int64_t set = self->config.settings ? workspace_ticket_life(self->config.settings, realm) : 0;
    if (set > 0)
        return (struct ticket_life){set, LIFE_SET};
    const struct life *known = state_table_look(self->tables[TABLE_LIVES], life_key(self, realm), now);
    if (known && known->read >= TICKET_LIFE && known->read >= known->used)
        return (struct ticket_life){known->read, LIFE_READ};
    if (known && known->used)
        return (struct ticket_life){2 * known->used, LIFE_USED};
    return (struct ticket_life){TICKET_LIFE, LIFE_ASSUMED};
}

const char *ticket_life_words(enum ticket_life_source from)
{
    static const char *const words[] = {" by default", ", as their use shows, perhaps", ", as a key shows",
                                        " by its policy"};
    return words[from];
}

static void learn(struct processor *self, const struct observation *o)
{
    uint64_t fingerprint = observation_uint(o, FIELD_ISSUED_TICKET_FINGERPRINT, 0);
    uint64_t options = observation_uint(o, FIELD_KDC_OPTIONS, 0);
    struct ticket t = {.fingerprint = fingerprint,
                       .issued = o->time,
                       .till = observation_int(o, FIELD_REQUESTED_TILL, 0),
                       .computer = o->source.subject,
                       .address = o->source_address,
                       .etype = (int32_t)observation_int(o, FIELD_ISSUED_TICKET_ETYPE, 0),
                       .reply_etype = (int32_t)observation_int(o, FIELD_REPLY_ETYPE, 0),
                       .renewed = (options & KDC_RENEW) != 0,
                       .forwarded = (options & KDC_FORWARDED) != 0,
                       .delegated = observation_bool(o, FIELD_S4U2PROXY)};
    if (fingerprint == 0)
        return;
    note_issuer(self, o);
    struct bytes service = observation_text(o, FIELD_ISSUED_TICKET_SERVICE);
    t.granting = text_begins(service, "krbtgt");
    t.initial = o->kind == ACTIVITY_KERBEROS_AS && is_known_controller(self, &o->destination);
    if (t.initial && t.granting)
        learn_read_life(self, o);
    if (o->source.kind == SUBJECT_COMPUTER) {
        t.computer_confidence = o->source.confidence;
        processor_copy(t.computer_name, sizeof(t.computer_name), o->source.name);
    }
    processor_copy(t.service, sizeof(t.service), service);
    name_owner(self, o, &t);
    bool added;
    struct ticket *to =
        state_table_use(table_for(self, t.granting), ticket_key(self, fingerprint), o->time, &added);
    if (to && added)
        *to = t;
    processor_note_forgotten(self); /* now: a checkpoint must not know of the one without the other */
}

/* Handed on in a KRB-CRED: whoever presents them now may be another computer, lawfully. */
static void learn_forwarded(struct processor *self, const struct observation *o)
{
    const struct activity_value *list = activity_get(o->activity, FIELD_TICKET_FINGERPRINTS);
    struct cursor items = list ? list->list.items : (struct cursor){0};
    for (uint32_t i = 0; list && i < list->list.count; i++) {
        uint64_t fingerprint = activity_next_item(&items, TYPE_ID).uint;
        const struct ticket *known = look(self, fingerprint, o->time);
        if (!known)
            continue;
        struct ticket *t =
            state_table_use(table_for(self, known->granting), ticket_key(self, fingerprint), o->time, NULL);
        if (t)
            t->forwarded = true;
    }
}

/* --- presented ones --- */

/* Whoever was given the ticket acts, when nobody is named. */
static void act_by_ticket(struct processor *self, struct observation *o)
{
    const struct ticket *t = o->ticket;
    struct named named = {.kind = SUBJECT_ACCOUNT,
                          .name = {(const uint8_t *)t->account_name, strlen(t->account_name)},
                          .domain = {(const uint8_t *)t->account_domain, strlen(t->account_domain)}};
    processor_party(self, &named, o->time, PLACE_ACCOUNT, &o->account);
}

static void find(struct processor *self, struct observation *o)
{
    const struct ticket *t = look(self, observation_uint(o, FIELD_TICKET_FINGERPRINT, 0), o->time);
    if (!t)
        return;
    self->ticket = *t;
    o->ticket = &self->ticket;
    if (!party_is(&o->account))
        act_by_ticket(self, o);
}

/* --- whether all of them are seen --- */

uint64_t processor_tickets_forgotten(const struct processor *self)
{
    struct state_table_status granting, services;
    state_table_status(table_for(self, true), &granting);
    state_table_status(table_for(self, false), &services);
    return granting.pushed_out + services.pushed_out;
}

/* A sensor says how far it has watched, and what it missed. */
void processor_report(struct processor *self, const struct observation *o, const uint8_t node[16])
{
    struct sensor *sensor =
        state_table_use(self->tables[TABLE_SENSORS], subject_of_guid(node), o->time, NULL);
    if (sensor && sensor->reported < o->time)
        sensor->reported = o->time;
    if (!observation_has(o, FIELD_CAPTURED_FROM) || observation_has(o, FIELD_PACKETS_DROPPED) ||
        observation_has(o, FIELD_KERBEROS_SHED) || observation_has(o, FIELD_ACTIVITIES_LOST) ||
        observation_bool(o, FIELD_CAPTURE_BLIND))
        processor_gap(self, o->time);
}

struct sensors {
    int64_t now;
    bool late;
};

static void see_sensor(void *to, struct subject key, int64_t touched, const void *value)
{
    struct sensors *s = to;
    const struct sensor *sensor = value;
    (void)key;
    s->late = s->late || (s->now - sensor->reported > REPORT_IS_DUE && s->now - touched <= CLOCK_DAY);
}

/* What a sensor saw that is away, or whose batches are on their way, is not known yet. */
static bool all_have_told(const struct processor *self, int64_t now)
{
    struct sensors sensors = {.now = now};
    state_table_each(self->tables[TABLE_SENSORS], see_sensor, &sensors);
    return !sensors.late;
}

struct controllers {
    const struct processor *self;
    int64_t now;
    uint32_t count, silent;
};

static void see_controller(void *to, const uint8_t guid[16])
{
    struct controllers *c = to;
    const struct issuer *issuer =
        state_table_look(c->self->tables[TABLE_KDCS], subject_of_guid(guid), c->now);
    c->count++;
    c->silent += !issuer || c->now - issuer->issued > KDC_IS_SILENT;
}

static struct bytes realm_of(const struct observation *o)
{
    struct bytes realm = observation_text(o, FIELD_TICKET_REALM);
    return realm.size ? realm : o->account.domain;
}

/* From a time on that is longer ago than tickets live nothing was missed, every sensor has told all up to
 * now, and every controller of the domain was seen issuing tickets. A ticket that nobody saw being issued
 * then came from none of them. A life that is only assumed has had as long again to be proved wrong. */
static bool all_is_watched(struct processor *self, const struct observation *o)
{
    const struct watch *watch = state_table_look(self->tables[TABLE_WATCH], watch_key, o->time);
    struct controllers controllers = {.self = self, .now = o->time};
    const struct bytes realm = realm_of(o);
    int64_t life = o->ticket_life.from == LIFE_ASSUMED ? 2 * o->ticket_life.life : o->ticket_life.life;
    return watch && self->directory->controllers &&
           self->directory->domain(self->directory->context, realm) &&
           life + CLOCK_SKEW <= SERVICE_TICKET_KEPT && o->time - watch->since > life + CLOCK_SKEW &&
           self->directory->controllers(self->directory->context, realm, see_controller, &controllers) &&
           controllers.count > 0 && controllers.silent == 0 && all_have_told(self, o->time);
}

void processor_watch(struct processor *self, const struct observation *o)
{
    if (!self->is_watching && !state_table_look(self->tables[TABLE_WATCH], watch_key, o->time))
        processor_gap(self, o->time);
    self->is_watching = true; /* for ever */
}

void processor_expect_tickets(struct processor *self, const struct observation *o)
{
    const struct activity_value *presented = activity_get(o->activity, FIELD_TICKET_FINGERPRINT),
                                *issued = activity_get(o->activity, FIELD_ISSUED_TICKET_FINGERPRINT);
    if (presented)
        state_table_prefetch(table_for(self, false), ticket_key(self, presented->uint));
    if (issued)
        state_table_prefetch(table_for(self, false), ticket_key(self, issued->uint));
}

void processor_tickets(struct processor *self, struct observation *o)
{
    if (o->kind == ACTIVITY_KERBEROS_CRED)
        learn_forwarded(self, o);
    bool presents = observation_has(o, FIELD_TICKET_FINGERPRINT);
    if (presents) {
        find(self, o);
        learn_used_life(self, o);
        o->ticket_life = life_of(self, realm_of(o), o->time);
    }
    if (o->kind == ACTIVITY_KERBEROS_AS || o->kind == ACTIVITY_KERBEROS_TGS)
        learn(self, o);
    o->tickets_watched = presents && !o->ticket && all_is_watched(self, o);
}
