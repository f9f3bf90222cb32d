/* SPDX-License-Identifier: Apache-2.0
 *
 * Who there is in the simulated company, and its directory.
 */
#include "tests/company/people.h"

#include "base/hash_table.h"
#include "center/observation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { DICE_PERSON = 1000, DICE_SERVICE, DICE_SERVER, DICE_MACHINE };

#define SITES 10u

/* -- chance ---------------------------------------------------------------------------------------- */

struct dice dice_of(const struct company *c, uint32_t what, uint64_t a, uint64_t b)
{
    const uint64_t about[4] = {c->options.seed, what, a, b};
    return (struct dice){XXH3_64bits(about, sizeof(about))};
}

/* splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014). */
uint64_t dice_next(struct dice *d)
{
    uint64_t z = d->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

double dice_unit(struct dice *d)
{
    return (double)(dice_next(d) >> 11) / 9007199254740992.0;
}

uint32_t dice_below(struct dice *d, uint32_t bound)
{
    return (uint32_t)((dice_next(d) >> 32) * bound >> 32);
}

bool dice_chance(struct dice *d, double p)
{
    return dice_unit(d) < p;
}

double dice_normal(struct dice *d)
{
    return sqrt(-2 * log(1 - dice_unit(d))) * cos(6.283185307179586 * dice_unit(d));
}

uint32_t dice_poisson(struct dice *d, double mean)
{
    if (mean > 60) {
        double n = mean + sqrt(mean) * dice_normal(d);
        return n > 0 ? (uint32_t)(n + 0.5) : 0;
    }
    double limit = exp(-mean), p = dice_unit(d);
    uint32_t count = 0;
    for (; p > limit; count++)
        p *= dice_unit(d);
    return count;
}

/* -- what there is --------------------------------------------------------------------------------- */

void company_options_init(struct company_options *options)
{
    *options = (struct company_options){.seed = 1,
                                        .users = 2000,
                                        .controllers = 20,
                                        .servers = 200,
                                        .days = 35,
                                        .start = INT64_C(1793577600) * CLOCK_SECOND, /* 2026-11-02 */
                                        .density = 0.1};
}

static void guid_of(const char *kind, const char *name, uint8_t to[16])
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(name, strlen(name), XXH3_64bits(kind, strlen(kind)));
    memcpy(to, &hash, 16);
}

static void fold(char to[24], const char *name, size_t size)
{
    memset(to, 0, 24);
    for (size_t i = 0; i < 23 && i < size && name[i] && name[i] != '$'; i++)
        to[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
}

/* What a name or a GUID stands for. */
struct entry {
    uint32_t account, machine;
};

static void enter(struct company *c, const char *name, const uint8_t guid[16], struct entry entry)
{
    char key[24];
    fold(key, name, strlen(name));
    struct entry *by_name = hash_table_insert(c->by_name, key, NULL);
    struct entry *by_guid = hash_table_insert(c->by_guid, guid, NULL);
    if (!by_name || !by_guid)
        abort();
    *by_name = *by_guid = entry;
}

static uint32_t add_account(struct company *c, const char *name, uint32_t facts)
{
    uint32_t at = c->account_count++;
    struct account *a = &c->accounts[at];
    snprintf(a->name, sizeof(a->name), "%s", name);
    guid_of("account", name, a->guid);
    a->facts = facts;
    if (!(facts & FACT_COMPUTER))
        enter(c, name, a->guid, (struct entry){at, NOBODY});
    return at;
}

/* A computer and its account: account i + first of machines. Both have one GUID. */
static uint32_t add_machine(struct company *c, enum machine_kind kind, const char *name, uint32_t number)
{
    uint32_t at = c->machine_count++;
    struct machine *m = &c->machines[at];
    *m = (struct machine){.kind = kind, .number = number, .to = UINT32_MAX};
    snprintf(m->name, sizeof(m->name), "%s", name);
    char account[24];
    snprintf(account, sizeof(account), "%.20s$", name);
    uint32_t facts = FACT_COMPUTER | FACT_HAS_SPN;
    if (kind == MACHINE_CONTROLLER)
        facts |= FACT_CONTROLLER | FACT_DNS_SERVER | FACT_TRUSTED_FOR_DELEGATION | FACT_SENSITIVE;
    uint32_t owner = add_account(c, account, facts);
    memcpy(m->guid, c->accounts[owner].guid, 16);
    enter(c, name, m->guid, (struct entry){owner, at});
    return at;
}

/* A computer's account stands at the same place among accounts as the computer among machines. */
static void add_machines(struct company *c)
{
    char name[24];
    c->first_controller = c->machine_count;
    for (uint32_t i = 0; i < c->options.controllers; i++) {
        snprintf(name, sizeof(name), "DC%u", i + 1);
        c->machines[add_machine(c, MACHINE_CONTROLLER, name, i)].site = i % SITES;
    }
    c->first_server = c->machine_count;
    for (uint32_t i = 0; i < c->options.servers; i++) {
        static const char *const roles[] = {"MAIL", "FS", "WEB", "DB", "APP", "PRINT", "TS", "DEV"};
        struct dice d = dice_of(c, DICE_SERVER, i, 0);
        snprintf(name, sizeof(name), "%s%02u", i == 0 ? "MAIL" : roles[i % 8], i);
        struct machine *m = &c->machines[add_machine(c, MACHINE_SERVER, name, i)];
        m->site = dice_below(&d, SITES);
        /* A few are new in the five weeks. */
        if (i > 20 && dice_chance(&d, 0.02))
            m->from = 7 + dice_below(&d, c->options.days > 7 ? c->options.days - 7 : 1);
    }
    c->first_workstation = c->machine_count;
    for (uint32_t i = 0; i < c->options.users; i++) {
        struct dice d = dice_of(c, DICE_MACHINE, i, 0);
        bool laptop = dice_chance(&d, 0.5);
        snprintf(name, sizeof(name), "%s%04u", laptop ? "LT" : "WS", i + 1);
        struct machine *m =
            &c->machines[add_machine(c, laptop ? MACHINE_LAPTOP : MACHINE_WORKSTATION, name, i)];
        m->site = dice_below(&d, SITES);
        m->rarely_known = dice_chance(&d, 0.02);
    }
}

/* Popularity of servers is heavy-tailed: Zipf's law with exponent one. */
static uint32_t popular_server(const struct company *c, struct dice *d)
{
    double u = dice_unit(d);
    uint32_t at = (uint32_t)(exp(u * log(c->options.servers + 1.0)) - 1);
    return c->first_server + (at < c->options.servers ? at : c->options.servers - 1);
}

static void add_resource(struct person *p, uint32_t server, double daily)
{
    for (uint32_t i = 0; i < p->resource_count; i++)
        if (p->resources[i] == server)
            return;
    if (p->resource_count == RESOURCES_MAX)
        return;
    p->resources[p->resource_count] = server;
    p->daily[p->resource_count++] = (float)daily;
}

static enum role role_of(uint32_t i, struct dice *d)
{
    if (i % 100 == 7)
        return ROLE_ADMIN;
    if (i % 250 == 11)
        return ROLE_HELPDESK;
    double u = dice_unit(d);
    return u < 0.05 ? ROLE_SHIFT : u < 0.17 ? ROLE_DEVELOPER : ROLE_OFFICE;
}

static void add_person(struct company *c, uint32_t i)
{
    char name[24];
    struct person *p = &c->people[i];
    struct dice d = dice_of(c, DICE_PERSON, i, 0);
    *p = (struct person){.admin_account = NOBODY, .to = UINT32_MAX, .holiday_from = UINT32_MAX};
    snprintf(name, sizeof(name), "user%02u", i + 1);
    p->account = add_account(c, name, FACT_USER);
    p->machine = c->first_workstation + i;
    p->site = c->machines[p->machine].site;
    p->role = role_of(i, &d);
    p->department = dice_below(&d, c->departments);
    const uint32_t days = c->options.days;
    /* Five of two thousand start each week, as many leave; one in four is away for a week or two. */
    if (dice_chance(&d, 0.0025 * days / 7))
        p->from = c->machines[p->machine].from = dice_below(&d, days);
    else if (dice_chance(&d, 0.0025 * days / 7))
        p->to = dice_below(&d, days);
    if (dice_chance(&d, 0.25)) {
        p->holiday_from = dice_below(&d, days);
        p->holiday_to = p->holiday_from + 7 + 7 * dice_below(&d, 2);
    }
    p->arrives = 8.4 + 0.8 * dice_normal(&d);
    p->stays = 8.6 + 0.6 * dice_normal(&d);
    if (p->role == ROLE_DEVELOPER)
        p->arrives += 0.8;
    if (p->role == ROLE_SHIFT)
        p->arrives = 6;
    p->evenings = dice_chance(&d, 0.3) ? 0.15 : 0.01;
    p->misses = 0.02 + 0.08 * dice_unit(&d);
    /* What everyone uses, what the department uses, and what only some do. */
    for (uint32_t s = 0; s < 4; s++)
        add_resource(p, c->first_server + s, 0.95 - 0.15 * s);
    for (uint32_t s = 0; s < 3; s++) {
        struct dice of = dice_of(c, DICE_SERVER, p->department, 100 + s);
        add_resource(p, c->first_server + 8 + dice_below(&of, c->options.servers - 8), 0.8 - 0.25 * s);
    }
    uint32_t own = dice_poisson(&d, p->role == ROLE_DEVELOPER || p->role == ROLE_ADMIN ? 7 : 2.5);
    for (uint32_t s = 0; s < own; s++)
        add_resource(p, popular_server(c, &d), 0.02 + 0.5 * dice_unit(&d) * dice_unit(&d));
    if (p->role == ROLE_ADMIN) {
        static const char *const known[] = {"Administrator", "dadmin"};
        snprintf(name, sizeof(name), "adm%02u", i / 100 + 1);
        p->admin_account = add_account(c, i / 100 < 2 ? known[i / 100] : name, FACT_USER | FACT_SENSITIVE);
    }
}

static struct service *add_service(struct company *c, const char *name, uint32_t facts, uint32_t home)
{
    struct service *s = &c->services[c->service_count++];
    *s = (struct service){
        .account = add_account(c, name, FACT_USER | facts), .home = home, .last_hour = 23, .every = 1};
    return s;
}

static void add_services(struct company *c)
{
    char name[24];
    const uint32_t first = c->first_server;
    static const char *const known[] = {"svc_web", "svc_sql"};
    for (uint32_t i = 0; i < 2; i++) {
        struct service *s = add_service(c, known[i], FACT_HAS_SPN, first + 2 + i);
        s->targets[s->target_count++] = first + 3 + i;
    }
    /* Backup by night and monitoring all day, of every server; a scanner on Sundays. */
    struct service *s = add_service(c, "svc_backup", FACT_HAS_SPN, first + 12);
    s->first_hour = 1, s->last_hour = 4, s->everywhere = true;
    s = add_service(c, "svc_monitor", 0, first + 13);
    s->everywhere = s->on_controllers = true;
    s = add_service(c, "svc_scan", 0, first + 14);
    s->first_hour = 2, s->last_hour = 6, s->every = 7, s->everywhere = s->ntlm = s->on_controllers = true;
    /* The cloud's synchronizer: it replicates secrets lawfully, and is tagged so. */
    s = add_service(c, "MSOL_sync", FACT_SYNCHRONIZER, first + 15);
    s->replicates = true;
    while (c->service_count < 60) {
        struct dice d = dice_of(c, DICE_SERVICE, c->service_count, 0);
        snprintf(name, sizeof(name), "svc_%02u", c->service_count);
        s = add_service(c, name, dice_chance(&d, 0.5) ? FACT_HAS_SPN : 0,
                        first + 8 + dice_below(&d, c->options.servers - 8));
        uint32_t targets = 1 + dice_below(&d, 5);
        for (uint32_t i = 0; i < targets; i++)
            s->targets[s->target_count++] = popular_server(c, &d);
        s->ntlm = dice_chance(&d, 0.1);
        if (dice_chance(&d, 0.4)) {
            s->first_hour = s->last_hour = dice_below(&d, 24);
            s->every = dice_chance(&d, 0.2) ? 7 : 1;
        }
    }
}

struct company *company_new(const struct company_options *options)
{
    struct company *c = calloc(1, sizeof(*c));
    const uint32_t machines = options->users + options->servers + options->controllers;
    const uint32_t all = machines + options->users + SERVICES_MAX + ADMINS_MAX + 256;
    if (!c)
        return NULL;
    c->options = *options;
    c->departments = options->users / 40 + 1;
    c->machines = calloc(machines, sizeof(*c->machines));
    c->accounts = calloc(all, sizeof(*c->accounts));
    c->people = calloc(options->users, sizeof(*c->people));
    c->by_name = hash_table_new(all, 24, sizeof(struct entry), options->seed);
    c->by_guid = hash_table_new(all, 16, sizeof(struct entry), options->seed);
    if (!c->machines || !c->accounts || !c->people || !c->by_name || !c->by_guid) {
        company_destroy(&c);
        return NULL;
    }
    add_machines(c);
    for (uint32_t i = 0; i < options->users; i++)
        add_person(c, i);
    add_services(c);
    add_account(c, "krbtgt", FACT_USER | FACT_KRBTGT | FACT_DISABLED | FACT_HAS_SPN);
    add_account(c, "honey", FACT_USER | FACT_HONEYTOKEN | FACT_HAS_SPN);
    add_account(c, "asrep1", FACT_USER | FACT_NO_PREAUTH);
    add_account(c, "locktest", FACT_USER);
    add_account(c, "Guest", FACT_USER | FACT_DISABLED);
    return c;
}

void company_destroy(struct company **company)
{
    struct company *c = *company;
    if (!c)
        return;
    hash_table_destroy(&c->by_name);
    hash_table_destroy(&c->by_guid);
    free(c->machines);
    free(c->accounts);
    free(c->people);
    free(c->bytes);
    free(c->events);
    free(c->attacks);
    free(c->attack_bytes);
    free(c->attack_events);
    free(c);
    *company = NULL;
}

const struct company_options *company_options_of(const struct company *company)
{
    return &company->options;
}

/* -- the directory --------------------------------------------------------------------------------- */

static const struct entry *find_name(const struct company *c, const char *name, size_t size)
{
    char key[24];
    fold(key, name, size);
    return hash_table_find(c->by_name, key);
}

const struct machine *company_machine(const struct company *c, const char *name)
{
    const struct entry *e = find_name(c, name, strlen(name));
    return e && e->machine != NOBODY ? &c->machines[e->machine] : NULL;
}

const struct account *company_account(const struct company *c, const char *name)
{
    const struct entry *e = find_name(c, name, strlen(name));
    return e ? &c->accounts[e->account] : NULL;
}

/* The part of a name that names the account: of a UPN what is before the @, of a service its host. */
static struct bytes plain_name(struct bytes name)
{
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] == '@')
            return (struct bytes){name.data, i};
    for (size_t i = name.size; i > 0; i--)
        if (name.data[i - 1] == '/' || name.data[i - 1] == '\\')
            name = (struct bytes){name.data + i, name.size - i};
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] == '.')
            return (struct bytes){name.data, i};
    return name;
}

static const struct entry *find_party(const struct company *c, const struct party *party)
{
    const struct entry *e = party->guid ? hash_table_find(c->by_guid, party->guid) : NULL;
    struct bytes name = plain_name(party->name);
    return e ? e : find_name(c, (const char *)name.data, name.size);
}

static bool sensitive_group(struct bytes name)
{
    return text_is(name, "Domain Admins") || text_is(name, "Enterprise Admins") ||
           text_is(name, "Administrators") || text_is(name, "Schema Admins") ||
           text_is(name, "Account Operators") || text_is(name, "Backup Operators") ||
           text_is(name, "Server Operators") || text_is(name, "DnsAdmins");
}

static bool directory_facts(void *context, const struct party *party, struct facts *to)
{
    const struct company *c = context;
    *to = (struct facts){.functional_level = 7};
    if (party->kind == SUBJECT_GROUP) {
        to->bits = FACT_GROUP | (sensitive_group(party->name) ? FACT_SENSITIVE_GROUP | FACT_SENSITIVE : 0u);
        return true;
    }
    const struct entry *e = find_party(c, party);
    if (!e)
        return false;
    to->bits = c->accounts[e->account].facts;
    to->supported_etypes = to->bits & FACT_COMPUTER ? 0x1c : 0;
    to->created = c->options.start - 400 * CLOCK_DAY;
    to->password_set = c->options.start - 20 * CLOCK_DAY;
    return true;
}

static enum known directory_account(void *context, struct bytes name, struct bytes domain)
{
    (void)domain;
    struct bytes plain = plain_name(name);
    return find_name(context, (const char *)plain.data, plain.size) ? KNOWN_YES : KNOWN_NO;
}

static bool directory_domain(void *context, struct bytes name)
{
    (void)context;
    return text_is(name, COMPANY_DOMAIN) || text_is(name, COMPANY_NET);
}

static enum known directory_member(void *context, const struct party *member, const struct party *group)
{
    const struct entry *e = find_party(context, member);
    if (!e)
        return KNOWN_NOT;
    const struct company *c = context;
    bool admin = c->accounts[e->account].facts & FACT_SENSITIVE && c->accounts[e->account].facts & FACT_USER;
    return admin && sensitive_group(group->name) ? KNOWN_YES : KNOWN_NO;
}

static bool directory_find(void *context, const struct party *party, struct directory_name *to)
{
    const struct company *c = context;
    const struct entry *e = find_party(c, party);
    if (!e)
        return false;
    const struct account *a = &c->accounts[e->account];
    memset(to, 0, sizeof(*to));
    memcpy(to->guid, a->guid, 16);
    to->kind = a->facts & FACT_COMPUTER ? SUBJECT_COMPUTER : SUBJECT_ACCOUNT;
    snprintf(to->name, sizeof(to->name), "%s", a->name);
    snprintf(to->domain, sizeof(to->domain), "%s", COMPANY_DOMAIN);
    return true;
}

static bool directory_controllers(void *context, struct bytes domain,
                                  void (*visit)(void *to, const uint8_t guid[16]), void *to)
{
    const struct company *c = context;
    (void)domain;
    for (uint32_t i = 0; i < c->options.controllers; i++)
        visit(to, c->machines[c->first_controller + i].guid);
    return true;
}

struct directory_view company_directory(struct company *company)
{
    return (struct directory_view){.facts = directory_facts,
                                   .account = directory_account,
                                   .domain = directory_domain,
                                   .member = directory_member,
                                   .find = directory_find,
                                   .controllers = directory_controllers,
                                   .context = company};
}

void company_accounts(const struct company *company,
                      void (*visit)(void *context, const char *name, const uint8_t guid[16], uint32_t facts),
                      void *context)
{
    for (uint32_t i = 0; i < company->account_count; i++)
        visit(context, company->accounts[i].name, company->accounts[i].guid, company->accounts[i].facts);
}
