/* SPDX-License-Identifier: Apache-2.0
 *
 * What the processor's parts share: names (processor_names.c), both ends of an activity
 * (processor_ends.c), tickets (processor_tickets.c), twins (processor_twins.c). Not for callers.
 */
#pragma once

#include "base/clock.h"
#include "center/processor.h"

enum processor_tables {
    TABLE_TICKETS,         /* ticket-granting ones that were seen being issued */
    TABLE_SERVICE_TICKETS, /* those for services */
    TABLE_DOMAINS,         /* flat name -> DNS name */
    TABLE_ALIASES,         /* name or SID -> who that is */
    TABLE_NAMED,           /* names that nobody was known by */
    TABLE_FORMER,          /* account -> the name that it was known by before */
    TABLE_ADDRESSES,       /* address -> computer */
    TABLE_SESSIONS,        /* address -> account of a VPN session */
    TABLE_NODES,           /* sensors that told anything */
    TABLE_SEEN,            /* what each sensor told lately */
    TABLE_EVENTS,          /* events that came lately, by their record numbers */
    TABLE_LOGONS,          /* logons on the wire that events may tell again */
    TABLE_KDCS,            /* controllers that were seen issuing tickets */
    TABLE_WATCH,           /* since when everything was seen */
    TABLE_LIVES,           /* of domains: how long their tickets live */
    TABLE_SENSORS,         /* how far each that captures has told */
    TABLES
};

/* Where a party's texts stand while the observation is looked at. */
struct name_place {
    char name[256], domain[128];
    uint8_t guid[16];
};

enum place {
    PLACE_SOURCE,
    PLACE_DESTINATION,
    PLACE_ACCOUNT,
    PLACE_SERVICE,
    PLACE_TARGET,
    PLACE_GROUP,
    PLACES
};

/* Tickets for services are not renewed: they live for hours, and a weekend on. */
#define SERVICE_TICKET_KEPT (4 * CLOCK_DAY)

#define CHECKED 4096u

struct processor {
    struct processor_config config;
    struct subject_seed seed;
    const struct directory_view *directory;
    struct state_form forms[TABLES];
    struct state_table *tables[TABLES];
    struct ticket ticket; /* the presented one, copied: tables move */
    struct name_place places[PLACES];
    uint64_t checked[CHECKED]; /* accounts whose names were looked for among those that nobody was known by */
    uint64_t named;            /* how often a name was added there: what was checked before is not checked */
    bool begun, has_former;    /* has looked at what was put back; anybody is remembered by a name */
    uint64_t known_node;       /* was in the table a moment ago */
    bool several_nodes;
    struct subject source, destination; /* keys of the addresses of what is looked at */
    bool is_watching;                   /* it is known since when everything was seen */
    struct learned *learned;            /* who was met lately by which names */
    uint32_t names_state;               /* changes with what `learned` holds by */
    int64_t pushed_until; /* tickets that were forgotten for want of room were issued up to then */
};

/* -- fields ---------------------------------------------------------------------------------------------- */

struct bytes processor_text(const struct activity *a, enum activity_field field);
const uint8_t *processor_guid(const struct activity *a, enum activity_field field);
void processor_address(const struct activity *a, enum activity_field field, struct ip_address *to);
/* Cut at the capacity, terminated; the view of what was copied. */
struct bytes processor_copy(char *to, size_t capacity, struct bytes text);

/* -- names ----------------------------------------------------------------------------------------------- */

/* Somebody as an activity names him. */
struct named {
    enum subject_kind kind;
    struct bytes name, domain; /* as on the wire: bob, CORP\bob, bob@corp.example, CN=bob,DC=..., host/ws01 */
    struct bytes default_domain; /* for a name without one */
    struct bytes sid;
    const uint8_t *guid; /* what a sensor found: then these say how it is called */
    struct bytes found_name, found_domain;
};
/* NULL without memory; to be freed. */
struct learned *processor_learned_new(void);
/* One party for each, however it was named. `place` keeps its texts. */
void processor_party(struct processor *self, const struct named *named, int64_t now, enum place place,
                     struct party *to);
/* The DNS name of a domain, where it is known. In `to`. */
struct bytes processor_domain(struct processor *self, struct bytes name, int64_t now, char to[128]);
/* What this activity tells about names of domains. */
void processor_learn_domains(struct processor *self, const struct activity *a, bool from_controller);
/* The domain behind a host's DNS name; empty when it has none. */
struct bytes processor_domain_of_host(struct bytes host);

/* -- ends -------------------------------------------------------------------------------------------------
 */

/* Addresses of both ends: what is known of them is fetched while other things are looked at. */
void processor_expect_ends(struct processor *self, struct observation *o);
/* Source, destination, origin, and which of them is a controller. */
void processor_ends(struct processor *self, struct observation *o);
/* The account of a VPN session, when the activity names none. */
void processor_session(struct processor *self, struct observation *o);

/* -- tickets ----------------------------------------------------------------------------------------------
 */

/* Its tickets are fetched meanwhile. */
void processor_expect_tickets(struct processor *self, const struct observation *o);
/* Finds the presented ticket, and whose it is; remembers the issued one. */
void processor_tickets(struct processor *self, struct observation *o);
/* What a sensor tells of its own eyes (activity "capture_report"). */
void processor_report(struct processor *self, const struct observation *o, const uint8_t node[16]);
/* What was forgotten for want of room counts as missed. */
void processor_note_forgotten(struct processor *self);
/* The activity is of now: what is watched goes on. */
void processor_watch(struct processor *self, const struct observation *o);

/* -- twins ------------------------------------------------------------------------------------------------
 */

/* Another sensor told it already, or the same event came by another way. */
bool processor_is_repeated(struct processor *self, const struct activity *a, const uint8_t node[16]);
/* An event of a logon that was seen on the wire and says no more than that: true. Marks those that do. */
bool processor_is_wire_twin(struct processor *self, struct observation *o);
