/* SPDX-License-Identifier: Apache-2.0
 *
 * What the company's people, computers and programs do, hour by hour. Nothing is remembered from one hour to
 * the next: each plan of a day is thrown again from the same dice.
 */
#include "tests/company/people.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DICE_DAY = 1,
    DICE_USE,
    DICE_HOUR,
    DICE_COMPUTER,
    DICE_PROGRAM,
    DICE_ADMIN,
    DICE_STALE,
    DICE_WALK,
    DICE_CONTROLLER,
};

/* The hour that is written. */
struct now {
    struct company *c;
    uint32_t hour, day, weekday, of_day; /* weekday 0: Monday */
    int64_t begin;
};

static const struct machine *controller_of(const struct company *c, uint32_t site, struct dice *d)
{
    /* Mostly one of the own site, now and then any. */
    uint32_t n = c->options.controllers;
    uint32_t at =
        dice_chance(d, 0.92) ? (site + 10 * dice_below(d, n / 10 ? n / 10 : 1)) % n : dice_below(d, n);
    return &c->machines[c->first_controller + at];
}

static const struct account *account_of(const struct company *c, const struct machine *m)
{
    return &c->accounts[m - c->machines];
}

static int64_t moment(struct now *n, struct dice *d)
{
    return n->begin + (int64_t)(dice_unit(d) * (double)CLOCK_HOUR);
}

/* -- a ticket, and what it is for ------------------------------------------------------------------ */

/* A ticket for a computer's service, by the ticket-granting ticket that the account got at `since`. */
static uint64_t ticket_for(struct now *n, const struct talk *t, const char *service_class,
                           const struct machine *target, int64_t since)
{
    struct company *c = n->c;
    char service[96];
    snprintf(service, sizeof(service), "%s/%s." COMPANY_DOMAIN, service_class, target->name);
    /* A few old servers know no AES. */
    int etype = target->kind == MACHINE_SERVER && target->number % 40 == 31 ? 23 : 18;
    uint64_t granting = ticket_number(c, t->account, t->source, "krbtgt", ticket_period(since));
    uint64_t ticket = ticket_number(c, t->account, t->source, service, (uint64_t)(t->time / CLOCK_HOUR));
    char owner[24];
    snprintf(owner, sizeof(owner), "%.20s$", target->name);
    put_tgs(c, t, service, owner, target->guid, granting, ticket, etype);
    return ticket;
}

/* An LDAP connection with Kerberos, and a search. */
static void ask_directory(struct now *n, struct talk t, int64_t since, const char *base, uint32_t scope,
                          const char *filter, const char *attributes, uint32_t entries)
{
    char service[96];
    uint64_t ticket = ticket_for(n, &t, "ldap", t.destination, since);
    t.time += 3 * CLOCK_MILLISECOND;
    t.flow = ++n->c->flow;
    snprintf(service, sizeof(service), "ldap/%s." COMPANY_DOMAIN, t.destination->name);
    put_ap(n->c, &t, "ldap", service, ticket, 389);
    put_bind(n->c, &t);
    t.time += 2 * CLOCK_MILLISECOND;
    put_search(n->c, &t, base, scope, filter, attributes, entries);
}

/* Group policy: the directory says which, SYSVOL has them. */
static void read_policies(struct now *n, struct talk t, int64_t since)
{
    char service[96];
    ask_directory(
        n, t, since, "CN=Policies,CN=System,DC=corp,DC=example", 1,
        "(|(distinguishedName=CN={31B2F340-016D-11D2-945F-00C04FB984F9},CN=Policies,CN=System,DC=corp,"
        "DC=example))",
        "gPCFileSysPath", 2);
    t.time += 20 * CLOCK_MILLISECOND;
    uint64_t ticket = ticket_for(n, &t, "cifs", t.destination, since);
    t.time += 3 * CLOCK_MILLISECOND;
    t.flow = ++n->c->flow;
    snprintf(service, sizeof(service), "cifs/%s." COMPANY_DOMAIN, t.destination->name);
    put_ap(n->c, &t, "smb", service, ticket, 445);
    put_smb(n->c, &t, "\\\\" COMPANY_DOMAIN "\\sysvol",
            COMPANY_DOMAIN "\\Policies\\{31B2F340-016D-11D2-945F-00C04FB984F9}\\gpt.ini", false);
}

/* -- names ----------------------------------------------------------------------------------------- */

static void look_up_name(struct now *n, struct talk *t, struct dice *d)
{
    char name[96];
    double u = dice_unit(d);
    if (u < 0.35)
        snprintf(name, sizeof(name), "%s." COMPANY_DOMAIN,
                 n->c->machines[n->c->first_server + dice_below(d, n->c->options.servers)].name);
    else if (u < 0.5)
        snprintf(name, sizeof(name), "_ldap._tcp.site%u._sites.dc._msdcs." COMPANY_DOMAIN, t->source->site);
    else if (u < 0.97) /* the web: few names often, many seldom; content networks have long ones */
        snprintf(name, sizeof(name), "%s%u.host%u.example.net",
                 dice_chance(d, 0.1) ? "a1b2c3d4e5f6-cdn-edge-" : "www",
                 (uint32_t)(5000 * dice_unit(d) * dice_unit(d) * dice_unit(d)), dice_below(d, 300));
    else
        snprintf(name, sizeof(name), "wpad." COMPANY_DOMAIN);
    put_dns(n->c, t, name, dice_chance(d, 0.3) ? 28 : 1, u >= 0.97 ? 3 : 0, u >= 0.97 ? 0 : 16);
}

static void look_up_names(struct now *n, const struct machine *m, double mean, struct dice *d)
{
    uint32_t count = dice_poisson(d, mean * n->c->options.density);
    for (uint32_t i = 0; i < count; i++) {
        struct talk t = {.time = moment(n, d), .source = m, .destination = controller_of(n->c, m->site, d)};
        look_up_name(n, &t, d);
    }
}

/* -- computers ------------------------------------------------------------------------------------- */

/* One that is on: its tickets at the first hour and each ten, policies each ninety minutes, its name. */
static void run_computer(struct now *n, const struct machine *m, bool boots)
{
    struct company *c = n->c;
    struct dice d = dice_of(c, DICE_COMPUTER, (uint64_t)(m - c->machines), n->hour);
    struct talk t = {.source = m, .destination = controller_of(c, m->site, &d), .account = account_of(c, m)};
    bool renews = boots || ticket_period(n->begin) != ticket_period(n->begin - CLOCK_HOUR);
    if (renews) {
        t.time = n->begin + (int64_t)(dice_unit(&d) * 60) * CLOCK_SECOND / 60;
        put_ping(c, &t);
        t.time += 30 * CLOCK_MILLISECOND;
        put_as(c, &t, 0, true);
        t.time += 10 * CLOCK_MILLISECOND;
        read_policies(n, t, t.time);
    }
    /* What it does by itself is what `density` thins out. */
    if (dice_chance(&d, c->options.density * 60 / 90)) {
        t.time = n->begin + CLOCK_MINUTE + (int64_t)(dice_unit(&d) * 58) * CLOCK_MINUTE;
        read_policies(n, t, t.time);
    }
    look_up_names(n, m, m->kind == MACHINE_SERVER ? 60 : 30, &d);
}

/* -- people ---------------------------------------------------------------------------------------- */

struct plan {
    bool works, by_vpn;
    double begins, ends; /* hours of the day; may pass midnight */
    uint32_t machine;
};

static struct plan plan_of(const struct now *n, const struct person *p, uint32_t index, uint32_t day)
{
    struct company *c = n->c;
    struct dice d = dice_of(c, DICE_DAY, index, day);
    struct plan plan = {.machine = p->machine};
    const bool weekend = day % 7 >= 5;
    /* One holiday for all; one in twenty-five is ill or elsewhere. */
    const bool public_holiday = day == 17;
    double present = p->role == ROLE_SHIFT ? 0.7 : public_holiday ? 0.03 : weekend ? 0.02 : 0.96;
    plan.works = day >= p->from && day < p->to && !(day >= p->holiday_from && day < p->holiday_to) &&
                 dice_chance(&d, present);
    plan.begins = p->arrives + 0.35 * dice_normal(&d);
    if (p->role == ROLE_SHIFT)
        plan.begins = 6 + 8 * ((day / 7 + index) % 3) + 0.2 * dice_normal(&d);
    plan.ends = plan.begins + p->stays + 0.7 * dice_normal(&d);
    const bool laptop = c->machines[p->machine].kind == MACHINE_LAPTOP;
    /* From home one day in five where that is possible. */
    plan.by_vpn = laptop && dice_chance(&d, 0.2);
    if (!laptop && dice_chance(&d, 0.01)) /* at another's desk, or one for all */
        plan.machine = c->first_workstation + dice_below(&d, c->options.users);
    return plan;
}

static struct ip_address vpn_address(const struct now *n, uint32_t index)
{
    struct dice d = dice_of(n->c, DICE_DAY, index, 100000 + n->day);
    return (struct ip_address){
        .family = 4, .bytes = {10, 250, (uint8_t)dice_below(&d, 16), (uint8_t)(1 + dice_below(&d, 250))}};
}

static void use_server(struct now *n, struct talk t, uint32_t server, int64_t since)
{
    static const char *const classes[] = {"cifs", "HTTP", "cifs",    "MSSQLSvc",
                                          "HTTP", "cifs", "TERMSRV", "HTTP"};
    const struct machine *m = &n->c->machines[server];
    if (n->day >= m->from)
        ticket_for(n, &t, classes[m->number % 8], m, since);
}

/* Mistyped, sometimes the name too, and then right. */
static int64_t log_on(struct now *n, const struct person *p, struct talk t, struct dice *d)
{
    struct company *c = n->c;
    if (dice_chance(d, 0.004)) {
        char name[32];
        snprintf(name, sizeof(name), "usr%s", t.account->name + 3);
        struct talk nobody = t;
        nobody.account = NULL;
        put_as_named(c, &nobody, name, 6);
        t.time += 9 * CLOCK_SECOND;
    }
    if (dice_chance(d, p->misses)) {
        uint32_t times = 1u + (dice_chance(d, 0.25) ? 1u : 0u) + (dice_chance(d, 0.08) ? 2u : 0u);
        for (uint32_t i = 0; i < times; i++) {
            put_as(c, &t, 24, true);
            t.time += (int64_t)(4 + dice_below(d, 20)) * CLOCK_SECOND;
        }
    }
    /* Passwords live ninety days. */
    if ((p->account + n->day) % 90 == 0) {
        put_as(c, &t, 23, true);
        t.time += 40 * CLOCK_SECOND;
        put_password_change(c, &t);
        t.time += CLOCK_SECOND;
    }
    put_as(c, &t, 0, true);
    return t.time;
}

static void work(struct now *n, uint32_t index)
{
    struct company *c = n->c;
    const struct person *p = &c->people[index];
    /* The plan of today, or what is left of yesterday's. */
    uint32_t day = n->day;
    struct plan plan = plan_of(n, p, index, day);
    double at = n->of_day;
    if ((!plan.works || at + 1 <= plan.begins) && n->day > 0) {
        struct plan before = plan_of(n, p, index, n->day - 1);
        if (before.works && before.ends > 24 + at) {
            plan = before;
            day = n->day - 1;
            at += 24;
        }
    }
    if (!plan.works || at + 1 <= plan.begins || at >= plan.ends)
        return;
    struct dice d = dice_of(c, DICE_HOUR, index, n->hour);
    const struct machine *m = &c->machines[plan.machine];
    const int64_t midnight = n->begin - (int64_t)(at * (double)CLOCK_HOUR);
    struct talk t = {
        .source = m, .destination = controller_of(c, p->site, &d), .account = &c->accounts[p->account]};
    if (plan.by_vpn && index % 4 == 0) /* one in four of them is not known behind the gateway */
        t.address = vpn_address(n, index);
    const int64_t arrival = midnight + (int64_t)(plan.begins * (double)CLOCK_HOUR);
    const bool arrives = arrival >= n->begin;
    /* The ticket-granting ticket: of the arrival, anew when ten hours are over. */
    int64_t since = arrival + 90 * CLOCK_SECOND;
    run_computer(n, m, arrives);
    if (arrives) {
        t.time = arrival + 60 * CLOCK_SECOND;
        if (plan.by_vpn) {
            char from[32];
            snprintf(from, sizeof(from), "%u.%u.%u.%u", 81 + index % 20, index % 251, 7 + n->day % 9,
                     4 + index % 200);
            struct talk vpn = t;
            vpn.source = NULL;
            put_vpn(c, &vpn, "start", from);
            t.time += 5 * CLOCK_SECOND;
        }
        int64_t logged_on = log_on(n, p, t, &d);
        since = logged_on; /* not later: a new ticket may begin with any second */
        t.time = logged_on + 100 * CLOCK_MILLISECOND;
        ticket_for(n, &t, "host", m, logged_on);
        t.time += 50 * CLOCK_MILLISECOND;
        read_policies(n, t, logged_on);
    } else if (ticket_period(n->begin) != ticket_period(n->begin - CLOCK_HOUR)) {
        t.time = n->begin + CLOCK_SECOND;
        put_as(c, &t, 0, true);
        since = t.time + CLOCK_SECOND;
    }
    /* Unlocks the screen after the coffee. */
    if (!arrives && dice_chance(&d, 0.25)) {
        t.time = moment(n, &d);
        if (dice_chance(&d, p->misses / 2))
            put_as(c, &t, 24, true);
        t.time += 6 * CLOCK_SECOND;
        put_as(c, &t, 0, true);
        const int64_t unlocked = t.time;
        t.time += 20 * CLOCK_MILLISECOND;
        ticket_for(n, &t, "host", m, unlocked);
    }
    /* Servers: once on each day that they are used; more often those that many windows are open to. */
    double hours = plan.ends - plan.begins;
    for (uint32_t r = 0; r < p->resource_count; r++) {
        struct dice of = dice_of(c, DICE_USE, (uint64_t)index << 8 | r, day);
        if (!dice_chance(&of, p->daily[r]))
            continue;
        double when = plan.begins + 0.05 + dice_unit(&of) * (hours - 0.1);
        if (when >= at && when < at + 1) {
            t.time = midnight + (int64_t)(when * (double)CLOCK_HOUR);
            const bool early = t.time < since + 5 * CLOCK_SECOND; /* not before the log-on */
            if (early)
                t.time = since + 5 * CLOCK_SECOND;
            use_server(n, t, p->resources[r], early ? since : t.time);
        }
    }
    /* Something new, as work goes: one a fortnight; with developers and administrators more. */
    double new_ones = p->role == ROLE_DEVELOPER || p->role == ROLE_ADMIN ? 0.3 : 0.08;
    struct dice fresh = dice_of(c, DICE_WALK, index, n->hour);
    if (dice_chance(&fresh, new_ones / 9)) {
        uint32_t many = 1 + dice_poisson(&fresh, 0.4);
        for (uint32_t i = 0; i < many; i++) {
            t.time = moment(n, &fresh);
            if (t.time > since)
                use_server(n, t,
                           c->first_server +
                               (uint32_t)(c->options.servers * dice_unit(&fresh) * dice_unit(&fresh)),
                           t.time);
        }
    }
    /* Old programs that speak NTLM; the controller checks. */
    if (index % 20 == 3 && dice_chance(&d, 0.5)) {
        t.time = moment(n, &d);
        put_validation(c, &t, 0);
    }
    /* A look into the address book; "net user" of those who know it. */
    if (dice_chance(&d, 0.15)) {
        t.time = moment(n, &d);
        const bool early = t.time <= since;
        if (early)
            t.time = since + 20 * CLOCK_SECOND;
        ask_directory(n, t, early ? since : t.time, "DC=corp,DC=example", 2,
                      "(&(objectCategory=person)(anr=mei))", "displayName", 5);
    }
    if (dice_chance(&d, p->role == ROLE_ADMIN || p->role == ROLE_HELPDESK ? 0.05 : 0.0003)) {
        t.time = moment(n, &d);
        t.flow = ++c->flow;
        put_samr(c, &t, "SamrConnect5", 64, NULL, 0);
        put_samr(c, &t, "SamrLookupNamesInDomain", 17, t.account->name, 1);
        put_samr(c, &t, "SamrQueryInformationUser", 36, t.account->name, 1);
        t.flow = 0;
    }
}

/* An old password in a telephone or a mounted drive: fails for hours after the change. */
static void fail_stale(struct now *n, uint32_t index)
{
    struct company *c = n->c;
    const struct person *p = &c->people[index];
    if ((p->account + n->day) % 90 != 0 || n->of_day < 9 || n->of_day > 15)
        return;
    struct dice d = dice_of(c, DICE_STALE, index, n->day);
    struct plan plan = plan_of(n, p, index, n->day);
    if (!plan.works || !dice_chance(&d, 0.2))
        return;
    struct dice h = dice_of(c, DICE_STALE, index, 1000000 + n->hour);
    uint32_t times = dice_poisson(&h, 3);
    for (uint32_t i = 0; i < times; i++) {
        struct talk t = {.time = moment(n, &h),
                         .source = &c->machines[p->machine],
                         .destination = controller_of(c, p->site, &h),
                         .account = &c->accounts[p->account]};
        put_as(c, &t, 24, true);
    }
}

/* -- programs, administrators, controllers --------------------------------------------------------- */

static void visit(struct now *n, const struct service *s, struct talk t, uint32_t target, int64_t since)
{
    struct company *c = n->c;
    const struct machine *m = &c->machines[target];
    if (n->day < m->from)
        return;
    if (s->ntlm && m->kind == MACHINE_CONTROLLER) {
        t.destination = m;
        t.flow = ++c->flow;
        put_ntlm(c, &t, "smb", "cifs", 0);
        put_smb(c, &t, "\\\\" COMPANY_DOMAIN "\\IPC$", "samr", true);
        put_samr(c, &t, "SamrEnumerateUsersInDomain", 13, NULL, c->options.users);
        put_samr(c, &t, "SamrEnumerateGroupsInDomain", 11, NULL, 60);
    } else if (s->ntlm) {
        put_validation(c, &t, 0);
    } else {
        ticket_for(n, &t, "cifs", m, since);
    }
}

static void run_service(struct now *n, const struct service *s)
{
    struct company *c = n->c;
    if (n->of_day < s->first_hour || n->of_day > s->last_hour || (s->every > 1 && n->day % s->every != 6))
        return;
    struct dice d = dice_of(c, DICE_PROGRAM, s->account, n->hour);
    const struct machine *home = &c->machines[s->home];
    struct talk t = {.time = n->begin + (int64_t)dice_below(&d, 120) * CLOCK_SECOND,
                     .source = home,
                     .destination = controller_of(c, home->site, &d),
                     .account = &c->accounts[s->account]};
    const bool renews =
        n->of_day == s->first_hour || ticket_period(n->begin) != ticket_period(n->begin - CLOCK_HOUR);
    if (renews)
        put_as(c, &t, 0, true);
    const int64_t since = t.time;
    if (s->replicates)
        for (uint32_t i = 0; i < 2; i++) {
            t.time += 28 * CLOCK_MINUTE;
            put_replicate(c, &t);
        }
    if (!renews && s->everywhere && s->last_hour == 23)
        return;
    /* Everywhere: so many an hour. */
    const uint32_t first = s->on_controllers ? c->first_controller : c->first_server;
    const uint32_t count = s->everywhere ? c->first_server + c->options.servers - first : s->target_count;
    const uint32_t hours = s->last_hour == 23 ? 1 : s->last_hour - s->first_hour + 1;
    const uint32_t slice = s->everywhere ? (n->of_day - s->first_hour) % hours : 0;
    for (uint32_t i = 0; i < count; i++) {
        if (s->everywhere && i % hours != slice)
            continue;
        t.time += (int64_t)(200 + dice_below(&d, 4000)) * CLOCK_MILLISECOND;
        visit(n, s, t, s->everywhere ? first + i : s->targets[i], since);
    }
}

/* Logs on to servers and controllers as administrator, from the own computer, in working hours. */
static void administrate(struct now *n, uint32_t index)
{
    struct company *c = n->c;
    const struct person *p = &c->people[index];
    struct plan plan = plan_of(n, p, index, n->day);
    if (p->admin_account == NOBODY || !plan.works || n->of_day < plan.begins + 1 || n->of_day + 1 > plan.ends)
        return;
    struct dice d = dice_of(c, DICE_ADMIN, index, n->hour);
    if (!dice_chance(&d, 0.5))
        return;
    struct talk t = {.time = n->begin + (int64_t)dice_below(&d, 600) * CLOCK_SECOND,
                     .source = &c->machines[p->machine],
                     .destination = controller_of(c, p->site, &d),
                     .account = &c->accounts[p->admin_account]};
    put_as(c, &t, 0, true);
    const int64_t since = t.time;
    uint32_t many = 1 + dice_poisson(&d, 2);
    for (uint32_t i = 0; i < many; i++) {
        t.time += (int64_t)(20 + dice_below(&d, 400)) * CLOCK_SECOND;
        use_server(n, t, c->first_server + dice_below(&d, c->options.servers), since);
    }
    if (dice_chance(&d, 0.3)) {
        t.time += 30 * CLOCK_SECOND;
        t.destination = controller_of(c, p->site, &d);
        ask_directory(n, t, since, "DC=corp,DC=example", 2, "(&(objectClass=user)(sAMAccountName=user17))",
                      "*", 1);
    }
    if (dice_chance(&d, 0.1)) {
        t.time += 60 * CLOCK_SECOND;
        t.flow = ++c->flow;
        put_samr(c, &t, "SamrConnect5", 64, NULL, 0);
        put_samr(c, &t, "SamrOpenGroup", 19, "Domain Admins", 1);
        put_samr(c, &t, "SamrGetMembersInGroup", 25, "Domain Admins", 8);
        t.flow = 0;
    }
    /* Groups: ordinary ones daily, of the sensitive ones now and then by the two who always do it. */
    if (dice_chance(&d, 0.03)) {
        t.time += 10 * CLOCK_SECOND;
        put_group_change(c, &t, "Project Group", dice_chance(&d, 0.5) ? 4728 : 4729,
                         &c->accounts[c->people[dice_below(&d, c->options.users)].account]);
    }
    if (index < 200 && dice_chance(&d, 0.02)) {
        t.time += 10 * CLOCK_SECOND;
        put_group_change(c, &t, "Backup Operators", dice_chance(&d, 0.5) ? 4728 : 4729,
                         &c->accounts[c->people[dice_below(&d, c->options.users)].account]);
    }
}

/* Controllers replicate with three partners, each quarter of an hour. */
static void run_controller(struct now *n, uint32_t i)
{
    struct company *c = n->c;
    const struct machine *m = &c->machines[c->first_controller + i];
    run_computer(n, m, n->hour == 0);
    for (uint32_t quarter = 0; quarter < 4; quarter++)
        for (uint32_t partner = 1; partner <= 3; partner++) {
            struct dice d = dice_of(c, DICE_CONTROLLER, i * 4 + partner, n->hour * 4 + quarter);
            struct talk t = {
                .time = n->begin + quarter * 15 * CLOCK_MINUTE + (int64_t)dice_below(&d, 300) * CLOCK_SECOND,
                .source = m,
                .destination =
                    &c->machines[c->first_controller + (i + partner * partner) % c->options.controllers],
                .account = account_of(c, m)};
            if (t.destination != m)
                put_replicate(c, &t);
        }
}

/* -- the hour -------------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

static void sort_attacks(struct company *c)
{
    if (!c->attacks_sorted && c->attack_event_count)
        qsort(c->attack_events, c->attack_event_count, sizeof(*c->attack_events), by_time);
    c->attacks_sorted = true;
}

static void give_attacks(struct company *c, int64_t until, company_sink sink, void *context)
{
    for (; c->attack_at < c->attack_event_count && c->attack_events[c->attack_at].time < until;
         c->attack_at++) {
        const struct event *e = &c->attack_events[c->attack_at];
        sink(context, (struct bytes){c->attack_bytes + e->offset, e->size});
    }
}

void company_hour(struct company *c, uint32_t hour, company_sink sink, void *context)
{
    struct now n = {.c = c,
                    .hour = hour,
                    .day = hour / 24,
                    .weekday = hour / 24 % 7,
                    .of_day = hour % 24,
                    .begin = c->options.start + hour * CLOCK_HOUR};
    c->used = c->event_count = 0;
    for (uint32_t i = 0; i < c->options.users; i++) {
        work(&n, i);
        fail_stale(&n, i);
        administrate(&n, i);
    }
    for (uint32_t i = 0; i < c->options.servers; i++)
        if (n.day >= c->machines[c->first_server + i].from)
            run_computer(&n, &c->machines[c->first_server + i],
                         hour == c->machines[c->first_server + i].from * 24);
    for (uint32_t i = 0; i < c->options.controllers; i++)
        run_controller(&n, i);
    for (uint32_t i = 0; i < c->service_count; i++)
        run_service(&n, &c->services[i]);
    qsort(c->events, c->event_count, sizeof(*c->events), by_time);
    sort_attacks(c);
    for (uint32_t i = 0; i < c->event_count; i++) {
        give_attacks(c, c->events[i].time, sink, context);
        sink(context, (struct bytes){c->bytes + c->events[i].offset, c->events[i].size});
    }
    give_attacks(c, n.begin + CLOCK_HOUR, sink, context);
}
