/* SPDX-License-Identifier: Apache-2.0
 *
 * Both ends of an activity: the computers behind the addresses, as this sensor or another one found them, and
 * whether they are domain controllers.
 */
#include "center/processor_internal.h"

#include <strings.h>

#define SURE_ENOUGH       50u /* percent: from here on a computer is called by its name */
#define FROM_ELSEWHERE    80u /* percent of the confidence that another sensor had */
#define SESSION_SURE      70u /* percent: a VPN's address is its account's, unless somebody shares it */
#define RENEWED_AFTER     CLOCK_MINUTE
#define CONTROLLER_STAYS  (7 * CLOCK_DAY)
#define COMPUTER_STAYS    CLOCK_HOUR
#define STATUS_LDAP_WRONG 49u /* invalidCredentials */

struct address {
    int64_t named;      /* when it was last said who is there; 0: never */
    int64_t controller; /* when it last answered as a domain controller; 0: never */
    uint8_t guid[16];
    uint8_t has_guid, confidence;
    char name[64], domain[64];
    uint8_t rest[6];
};

struct session {
    uint8_t guid[16];
    uint64_t has_guid, kind;
    char name[64], domain[64];
};

_Static_assert(sizeof(struct address) == 168, "as processor.c has it");
_Static_assert(sizeof(struct session) == 160, "as processor.c has it");

/* The fields that say who is at one end. */
struct end {
    enum activity_field address, computer, domain, guid, confidence, shared;
    enum place place;
};

static const struct end ends[2] = {
    {FIELD_SOURCE, FIELD_SOURCE_COMPUTER, FIELD_SOURCE_COMPUTER_DOMAIN, FIELD_SOURCE_COMPUTER_GUID,
     FIELD_SOURCE_CONFIDENCE, FIELD_SOURCE_SHARED, PLACE_SOURCE},
    {FIELD_DESTINATION, FIELD_DESTINATION_COMPUTER, FIELD_DESTINATION_COMPUTER_DOMAIN,
     FIELD_DESTINATION_COMPUTER_GUID, FIELD_DESTINATION_CONFIDENCE, FIELD_DESTINATION_SHARED,
     PLACE_DESTINATION},
};

/* An address, and what is known of it, searched for once. */
struct known_address {
    const struct ip_address *address;
    struct subject key;
    const struct address *known; /* NULL: nothing */
};

static struct subject address_key(const struct processor *self, const struct ip_address *address)
{
    return subject_of_address(self->seed, address);
}

/* --- computers --- */

static struct known_address look_at_address(const struct processor *self, const struct ip_address *address,
                                            struct subject key, int64_t now)
{
    struct known_address at = {.address = address, .key = key};
    if (address->family)
        at.known = state_table_look(self->tables[TABLE_ADDRESSES], at.key, now);
    return at;
}

/* To be changed; NULL without memory. */
static struct address *use_address(struct processor *self, struct known_address *at, int64_t now)
{
    struct state_table *table = self->tables[TABLE_ADDRESSES];
    struct address *to =
        at->known ? state_table_renew(table, at->known, now) : state_table_use(table, at->key, now, NULL);
    at->known = to;
    return to;
}

static void remember_computer(struct processor *self, struct known_address *at, const struct party *party,
                              int64_t now)
{
    const struct address *known = at->known;
    if (known && now - known->named < RENEWED_AFTER && known->has_guid == (party->guid != NULL) &&
        (!party->guid || memcmp(known->guid, party->guid, 16) == 0))
        return;
    struct address *to = use_address(self, at, now);
    if (!to || to->named > now)
        return;
    to->named = now;
    to->confidence = party->confidence;
    to->has_guid = party->guid != NULL;
    if (party->guid)
        memcpy(to->guid, party->guid, sizeof(to->guid));
    processor_copy(to->name, sizeof(to->name), party->name);
    processor_copy(to->domain, sizeof(to->domain), party->domain);
}

static bool computer_from_elsewhere(struct processor *self, const struct address *known, int64_t now,
                                    const struct end *end, struct party *to)
{
    if (!known || !known->name[0] || now < known->named || now - known->named > COMPUTER_STAYS)
        return false;
    struct address address_copy = *known;
    struct named named = {
        .kind = SUBJECT_COMPUTER,
        .found_name = {(const uint8_t *)address_copy.name, strlen(address_copy.name)},
        .found_domain = {(const uint8_t *)address_copy.domain, strlen(address_copy.domain)},
        .guid = address_copy.has_guid ? address_copy.guid : NULL,
    };
    processor_party(self, &named, now, end->place, to);
    to->confidence = (uint8_t)(address_copy.confidence * FROM_ELSEWHERE / 100u);
    return party_is(to) && to->confidence >= SURE_ENOUGH;
}

static void address_party(struct processor *self, const struct known_address *at, const struct end *end,
                          struct party *to)
{
    char text[IP_ADDRESS_TEXT_MAX];
    struct name_place *place = &self->places[end->place];
    ip_address_text(at->address, text);
    *to = (struct party){.kind = SUBJECT_ADDRESS,
                         .subject = at->key,
                         .name = processor_copy(place->name, sizeof(place->name),
                                                (struct bytes){(const uint8_t *)text, strlen(text)}),
                         .confidence = 100};
}

/* A computer where it is known well enough, else the address. */
static void end_party(struct processor *self, const struct activity *a, const struct end *end,
                      struct known_address *at, struct party *to)
{
    const struct activity_value *confidence = activity_get(a, end->confidence),
                                *shared = activity_get(a, end->shared);
    struct named named = {.kind = SUBJECT_COMPUTER,
                          .found_name = processor_text(a, end->computer),
                          .found_domain = processor_text(a, end->domain),
                          .guid = processor_guid(a, end->guid)};
    *to = (struct party){0};
    if (named.found_name.size && confidence && confidence->uint >= SURE_ENOUGH) {
        processor_party(self, &named, a->time, end->place, to);
        to->confidence = confidence->uint < 100 ? (uint8_t)confidence->uint : 100;
        if (at->address->family && party_is(to))
            remember_computer(self, at, to, a->time);
    } else if (at->address->family &&
               ((shared && shared->boolean) || !computer_from_elsewhere(self, at->known, a->time, end, to))) {
        address_party(self, at, end, to);
    }
    to->address = *at->address;
}

/* --- events: the computer that logged it, the workstation that it names --- */

static void event_ends(struct processor *self, struct observation *o)
{
    const struct activity *a = o->activity;
    struct bytes host = processor_text(a, FIELD_EVENT_COMPUTER);
    if (host.size && !party_is(&o->destination)) {
        struct bytes domain = processor_domain_of_host(host);
        struct named named = {.kind = SUBJECT_COMPUTER, .name = host, .domain = domain};
        if (domain.size)
            named.name.size = host.size - domain.size - 1;
        processor_party(self, &named, o->time, PLACE_DESTINATION, &o->destination);
    }
    if (party_is(&o->source))
        return;
    struct bytes station = processor_text(a, FIELD_WORKSTATION);
    while (station.size && station.data[0] == '\\') /* \\WS01 */
        station = (struct bytes){station.data + 1, station.size - 1};
    struct named named = {.kind = SUBJECT_COMPUTER, .name = station, .default_domain = o->destination.domain};
    processor_party(self, &named, o->time, PLACE_SOURCE, &o->source);
}

/* --- controllers --- */

static bool is_between(enum activity_kind kind, enum activity_kind first, enum activity_kind last)
{
    return kind >= first && kind <= last;
}

/* Only Active Directory answers so: with an account that is no DN, or with the Win32 error behind it. */
static bool bound_to_directory(const struct observation *o)
{
    struct bytes name = observation_text(o, FIELD_BIND_NAME);
    uint64_t status = observation_uint(o, FIELD_STATUS, 1);
    bool is_account = name.size && (memchr(name.data, '@', name.size) || memchr(name.data, '\\', name.size));
    return (status == STATUS_LDAP_WRONG && observation_has(o, FIELD_DIRECTORY_ERROR)) ||
           (status == 0 && (is_account || text_is(observation_text(o, FIELD_SASL_MECHANISM), "GSS-SPNEGO")));
}

/* The server did what only domain controllers do. Whoever pretends to be one is taken for one as a server
 * only: of a client it says nothing. */
static bool answered_as_controller(const struct observation *o)
{
    switch (o->kind) {
    case ACTIVITY_KERBEROS_AS:
    case ACTIVITY_KERBEROS_TGS:
        return observation_has(o, FIELD_ISSUED_TICKET_FINGERPRINT);
    case ACTIVITY_LDAP_BIND:
        return bound_to_directory(o);
    case ACTIVITY_CLDAP_PING:
        return observation_has(o, FIELD_DC_DOMAIN);
    case ACTIVITY_NETLOGON_AUTHENTICATE:
    case ACTIVITY_NETLOGON_LOGON:
        return observation_uint(o, FIELD_STATUS, 1) == 0;
    default:
        return is_between(o->kind, ACTIVITY_DRS_REPLICATE, ACTIVITY_DRS_SID_HISTORY) &&
               observation_uint(o, FIELD_STATUS, 1) == 0 && !observation_bool(o, FIELD_RPC_FAULT);
    }
}

static void remember_controller(struct processor *self, struct known_address *at, int64_t now)
{
    if (at->known && at->known->controller && now - at->known->controller < RENEWED_AFTER)
        return;
    struct address *to = use_address(self, at, now);
    if (to && now > to->controller)
        to->controller = now;
}

static bool was_controller(const struct address *known, int64_t now)
{
    return known && known->controller && now - known->controller < CONTROLLER_STAYS;
}

static bool only_controllers_log(enum activity_kind kind)
{
    return kind == ACTIVITY_WINDOWS_KERBEROS_AS || kind == ACTIVITY_WINDOWS_KERBEROS_TGS ||
           kind == ACTIVITY_DIRECTORY_ACCESS || kind == ACTIVITY_DIRECTORY_CHANGE;
}

/* What the directory says, where it knows the computer; -1: it does not. */
static int directory_says(const struct processor *self, const struct party *party)
{
    struct facts facts;
    if (party->kind != SUBJECT_COMPUTER || !party->guid ||
        !self->directory->facts(self->directory->context, party, &facts) || !(facts.bits & FACT_COMPUTER))
        return -1;
    return (facts.bits & FACT_CONTROLLER) != 0;
}

static void find_controllers(struct processor *self, struct observation *o, struct known_address *at)
{
    int source = directory_says(self, &o->source), destination = directory_says(self, &o->destination);
    o->source_is_controller = source >= 0 ? source > 0 : observation_bool(o, FIELD_SOURCE_IS_CONTROLLER);
    o->destination_is_controller = destination > 0 || observation_bool(o, FIELD_DESTINATION_IS_CONTROLLER) ||
                                   only_controllers_log(o->kind);
    if (!o->destination_address.family || destination == 0)
        return;
    if (answered_as_controller(o)) {
        remember_controller(self, at, o->time);
        o->destination_is_controller = true;
    } else if (!o->destination_is_controller) {
        o->destination_is_controller = was_controller(at->known, o->time);
    }
}

void processor_expect_ends(struct processor *self, struct observation *o)
{
    const struct state_table *addresses = self->tables[TABLE_ADDRESSES];
    processor_address(o->activity, FIELD_SOURCE, &o->source_address);
    processor_address(o->activity, FIELD_DESTINATION, &o->destination_address);
    self->source = address_key(self, &o->source_address);
    self->destination = address_key(self, &o->destination_address);
    state_table_prefetch(addresses, self->source);
    state_table_prefetch(addresses, self->destination);
}

void processor_ends(struct processor *self, struct observation *o)
{
    const struct activity *a = o->activity;
    struct known_address source = look_at_address(self, &o->source_address, self->source, o->time);
    end_party(self, a, &ends[0], &source, &o->source);
    struct known_address destination =
        look_at_address(self, &o->destination_address, self->destination, o->time);
    end_party(self, a, &ends[1], &destination, &o->destination);
    event_ends(self, o);
    o->origin = o->source_address.family ? source.key : o->source.subject;
    find_controllers(self, o, &destination);
}

/* --- VPN sessions --- */

static void end_session(struct processor *self, const struct ip_address *address)
{
    state_table_forget(self->tables[TABLE_SESSIONS], address_key(self, address));
}

static void keep_session(struct processor *self, const struct observation *o,
                         const struct ip_address *address)
{
    struct session *to =
        state_table_use(self->tables[TABLE_SESSIONS], address_key(self, address), o->time, NULL);
    if (!to)
        return;
    *to = (struct session){.kind = (uint64_t)o->account.kind, .has_guid = o->account.guid != NULL};
    if (o->account.guid)
        memcpy(to->guid, o->account.guid, sizeof(to->guid));
    processor_copy(to->name, sizeof(to->name), o->account.name);
    processor_copy(to->domain, sizeof(to->domain), o->account.domain);
}

static void learn_session(struct processor *self, const struct observation *o)
{
    const struct activity_value *list = activity_get(o->activity, FIELD_FRAMED_ADDRESSES);
    struct bytes status = observation_text(o, FIELD_RADIUS_STATUS);
    /* Who forges accounting is told by the shared secret, where it is known. */
    bool is_forged =
        observation_has(o, FIELD_AUTHENTICATOR_VALID) && !observation_bool(o, FIELD_AUTHENTICATOR_VALID);
    bool stops = text_is(status, "stop"),
         goes_on = text_is(status, "start") || text_is(status, "interim_update");
    if (!list || is_forged || !party_is(&o->account))
        return;
    struct cursor items = list->list.items;
    for (uint32_t i = 0; i < list->list.count; i++) {
        struct bytes bytes = activity_next_item(&items, TYPE_ADDRESS).bytes;
        struct ip_address address = {.family = bytes.size == 4 ? 4 : bytes.size == 16 ? 6 : 0};
        if (!address.family)
            continue;
        memcpy(address.bytes, bytes.data, bytes.size);
        if (stops)
            end_session(self, &address);
        else if (goes_on)
            keep_session(self, o, &address);
    }
}

void processor_session(struct processor *self, struct observation *o)
{
    if (o->kind == ACTIVITY_RADIUS_ACCOUNTING) {
        learn_session(self, o);
        return;
    }
    if (party_is(&o->account) || !o->source_address.family)
        return;
    const struct session *known = state_table_look(self->tables[TABLE_SESSIONS], o->origin, o->time);
    if (!known)
        return;
    struct session session = *known;
    struct named named = {.kind = (enum subject_kind)session.kind,
                          .found_name = {(const uint8_t *)session.name, strlen(session.name)},
                          .found_domain = {(const uint8_t *)session.domain, strlen(session.domain)},
                          .guid = session.has_guid ? session.guid : NULL};
    processor_party(self, &named, o->time, PLACE_ACCOUNT, &o->account);
    if (party_is(&o->account))
        o->account.confidence = SESSION_SURE;
}
