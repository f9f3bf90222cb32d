/* SPDX-License-Identifier: Apache-2.0
 *
 * Of the simulated company, for its own files: who and what there is, and how records are written.
 */
#pragma once

#include "tests/company/company.h"

#include "base/clock.h"

#define RESOURCES_MAX 20u
#define SERVICES_MAX  80u
#define ADMINS_MAX    24u
#define NOBODY        UINT32_MAX

enum role { ROLE_OFFICE, ROLE_DEVELOPER, ROLE_SHIFT, ROLE_HELPDESK, ROLE_ADMIN };

enum machine_kind { MACHINE_WORKSTATION, MACHINE_LAPTOP, MACHINE_SERVER, MACHINE_CONTROLLER };

struct machine {
    char name[24];
    uint8_t guid[16];
    enum machine_kind kind;
    uint32_t site, number; /* number: among those of its kind */
    uint32_t from, to;     /* days of its life */
    bool rarely_known;     /* the resolver does not know it mostly */
};

struct account {
    char name[24];
    uint8_t guid[16];
    uint32_t facts;
};

struct person {
    uint32_t account, machine, admin_account; /* NOBODY: none */
    enum role role;
    uint32_t department, site;
    uint32_t from, to; /* days of employment */
    uint32_t holiday_from, holiday_to;
    double arrives, stays;   /* hours: means */
    double evenings, misses; /* chances a day: works by VPN in the evening, mistypes a password */
    uint32_t resource_count;
    uint32_t resources[RESOURCES_MAX]; /* servers */
    float daily[RESOURCES_MAX];        /* chance to use it on a day */
};

/* An account of a program. */
struct service {
    uint32_t account, home; /* machine that it runs on */
    uint32_t target_count;
    uint32_t targets[24];                  /* servers; none: all of them */
    uint32_t first_hour, last_hour, every; /* of the day; every so many days */
    bool ntlm, on_controllers, replicates, everywhere;
};

struct event {
    int64_t time;
    uint32_t sequence, size;
    size_t offset;
};

struct company {
    struct company_options options;
    struct machine *machines;
    uint32_t machine_count, first_server, first_controller, first_workstation;
    struct account *accounts;
    uint32_t account_count;
    struct person *people;
    struct service services[SERVICES_MAX];
    uint32_t service_count, departments;
    /* Names: account and machine by their folded names (base/hash_table.h), 24 bytes. */
    struct hash_table *by_name;
    struct hash_table *by_guid;
    /* The hour that is written. */
    struct activity_writer writer;
    uint64_t flow;
    uint8_t *bytes;
    size_t used, capacity;
    struct event *events;
    uint32_t event_count, event_capacity;
    /* Attacks: their records, in order of time. */
    struct company_attack *attacks;
    uint32_t attack_count, attack_capacity;
    uint8_t *attack_bytes;
    size_t attack_used, attack_room;
    struct event *attack_events;
    uint32_t attack_event_count, attack_event_capacity, attack_at;
    bool attacks_sorted;
};

/* -- chance (company.c): each decision has its own number, by what it is about ------------------------ */

struct dice {
    uint64_t state;
};
struct dice dice_of(const struct company *c, uint32_t what, uint64_t a, uint64_t b);
uint64_t dice_next(struct dice *d);
double dice_unit(struct dice *d); /* [0, 1) */
uint32_t dice_below(struct dice *d, uint32_t bound);
bool dice_chance(struct dice *d, double p);
double dice_normal(struct dice *d);
uint32_t dice_poisson(struct dice *d, double mean);

/* -- records (records.c) ------------------------------------------------------------------------------- */

/* Who talks to whom. */
struct talk {
    int64_t time;
    const struct machine *source, *destination; /* source NULL: `address` alone */
    struct ip_address address;                  /* of the source; family 0: that of the machine */
    const struct account *account;
    uint64_t flow; /* 0: a new one */
};

struct ip_address machine_address(const struct company *c, const struct machine *m, int64_t time);
uint64_t ticket_number(const struct company *c, const struct account *account, const struct machine *on,
                       const char *service, uint64_t period);
/* The period of the ticket-granting ticket of that account there, at that time: ten hours. */
uint64_t ticket_period(int64_t time);

void put_as(struct company *c, const struct talk *t, uint32_t status, bool asked_first);
void put_as_named(struct company *c, const struct talk *t, const char *name, uint32_t status);
/* `owner`: of the service; `granting`: the number of the presented ticket. */
void put_tgs(struct company *c, const struct talk *t, const char *service, const char *owner,
             const uint8_t owner_guid[16], uint64_t granting, uint64_t issued, int etype);
void put_ap(struct company *c, const struct talk *t, const char *carrier, const char *service,
            uint64_t ticket, uint16_t port);
void put_bind(struct company *c, const struct talk *t);
void put_search(struct company *c, const struct talk *t, const char *base, uint32_t scope, const char *filter,
                const char *attributes, uint32_t entries);
void put_smb(struct company *c, const struct talk *t, const char *share, const char *file, bool ntlm);
void put_ntlm(struct company *c, const struct talk *t, const char *carrier, const char *target,
              uint32_t status);
void put_dns(struct company *c, const struct talk *t, const char *name, uint32_t type, uint32_t status,
             uint32_t answer_bytes);
void put_samr(struct company *c, const struct talk *t, const char *operation, uint32_t opnum,
              const char *name, uint32_t count);
void put_session_enumerate(struct company *c, const struct talk *t);
void put_replicate(struct company *c, const struct talk *t);
void put_group_change(struct company *c, const struct talk *t, const char *group, uint32_t event,
                      const struct account *member);
void put_validation(struct company *c, const struct talk *t, uint32_t status);
void put_password_change(struct company *c, const struct talk *t);
void put_vpn(struct company *c, const struct talk *t, const char *status, const char *from);
void put_ping(struct company *c, const struct talk *t);
/* Completes what stands in the writer. */
void put_done(struct company *c, int64_t time);

const struct machine *company_machine(const struct company *c, const char *name);
const struct account *company_account(const struct company *c, const char *name);
