/* SPDX-License-Identifier: Apache-2.0
 *
 * Attacks in the company: real ones of the laboratory, moved to one of its computers and to a time in its
 * last days; and those that are nothing but log-ons, of which a capture would show nothing more.
 */
#include "tests/company/people.h"

#include "base/msgpack.h"
#include "base/text.h"
#include "center/observation.h"
#include "center/replay_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { DICE_ATTACK = 2000 };

#define LAST_DAYS 5u /* attacks happen in these: whatever is learned in a month is learned by then */

/* -- keeping them ---------------------------------------------------------------------------------- */

static struct company_attack *add_attack(struct company *c, const char *name, const uint32_t *ids)
{
    if (c->attack_count == c->attack_capacity) {
        c->attack_capacity = c->attack_capacity * 2 + 16;
        c->attacks = realloc(c->attacks, c->attack_capacity * sizeof(*c->attacks));
        if (!c->attacks)
            abort();
    }
    struct company_attack *a = &c->attacks[c->attack_count++];
    *a = (struct company_attack){0};
    snprintf(a->name, sizeof(a->name), "%s", name);
    for (unsigned i = 0; i < COMPANY_IDS_MAX && ids[i]; i++)
        a->ids[i] = ids[i];
    return a;
}

static void keep_record(struct company *c, struct company_attack *a, struct bytes record, int64_t time)
{
    if (c->attack_used + record.size > c->attack_room) {
        c->attack_room = (c->attack_room + record.size) * 2;
        c->attack_bytes = realloc(c->attack_bytes, c->attack_room);
    }
    if (c->attack_event_count == c->attack_event_capacity) {
        c->attack_event_capacity = c->attack_event_capacity * 2 + 256;
        c->attack_events = realloc(c->attack_events, c->attack_event_capacity * sizeof(*c->attack_events));
    }
    if (!c->attack_bytes || !c->attack_events)
        abort();
    memcpy(c->attack_bytes + c->attack_used, record.data, record.size);
    c->attack_events[c->attack_event_count] =
        (struct event){time, c->attack_event_count, (uint32_t)record.size, c->attack_used};
    c->attack_event_count++;
    c->attack_used += record.size;
    c->attacks_sorted = false;
    a->activities++;
    a->start = a->start == 0 || time < a->start ? time : a->start;
    a->end = time > a->end ? time : a->end;
}

/* Takes over what the functions of records.c have written. */
static void keep_written(struct company *c, struct company_attack *a)
{
    for (uint32_t i = 0; i < c->event_count; i++)
        keep_record(c, a, (struct bytes){c->bytes + c->events[i].offset, c->events[i].size},
                    c->events[i].time);
    c->used = c->event_count = 0;
}

/* A computer of somebody who works in an office, each attack another. */
static uint32_t victim_of(const struct company *c, uint32_t attack)
{
    for (uint64_t i = 0;; i++) {
        struct dice d = dice_of(c, DICE_ATTACK, attack, i);
        uint32_t person = 200 + dice_below(&d, c->options.users - 200);
        const struct person *p = &c->people[person];
        const struct machine *m = &c->machines[p->machine];
        if (p->from == 0 && p->to == UINT32_MAX && p->role == ROLE_OFFICE && m->kind == MACHINE_WORKSTATION &&
            !m->rarely_known && p->admin_account == NOBODY)
            return person;
    }
}

/* Two of three in working hours, when they hide best. */
static int64_t time_of(const struct company *c, uint32_t attack)
{
    struct dice d = dice_of(c, DICE_ATTACK, attack, UINT64_C(1) << 40);
    uint32_t day = c->options.days - LAST_DAYS + dice_below(&d, LAST_DAYS);
    double hour = attack % 3 ? 9.5 + 7 * dice_unit(&d) : 24 * dice_unit(&d);
    return c->options.start + day * CLOCK_DAY + (int64_t)(hour * (double)CLOCK_HOUR);
}

static void place_attack(struct company *c, struct company_attack *a, const struct machine *m, int64_t time,
                         const char *account)
{
    a->source = machine_address(c, m, time);
    snprintf(a->computer, sizeof(a->computer), "%s", m->name);
    snprintf(a->account, sizeof(a->account), "%s", account);
}

/* -- of the laboratory ----------------------------------------------------------------------------- */

struct moving {
    struct company *c;
    struct company_attack *attack;
    const struct machine *machine;
    int64_t first, to;
    struct ip_address source;
    struct {
        uint64_t flow;
        const struct account *account;
    } flows[256];
    uint32_t flow_count;
    struct {
        uint64_t ticket;
        const struct account *account;
    } tickets[512];
    uint32_t ticket_count;
    struct activity activity;
};

static void move_address(const struct moving *m, struct bytes at)
{
    static const uint8_t attacker[4] = {10, 77, 0, 66};
    if (at.size == 4 && memcmp(at.data, attacker, 4) == 0)
        memcpy((uint8_t *)(uintptr_t)at.data, m->source.bytes, 4);
}

/* An integer of eight bytes, in place. */
static void move_time(const struct moving *m, const uint8_t *end)
{
    uint8_t *at = (uint8_t *)(uintptr_t)end - 9;
    uint64_t value = 0;
    if (at[0] != 0xcf && at[0] != 0xd3)
        return;
    for (int i = 1; i <= 8; i++)
        value = value << 8 | at[i];
    value += (uint64_t)(m->to - m->first);
    for (int i = 8; i >= 1; i--, value >>= 8)
        at[i] = (uint8_t)value;
}

/* Copies a record, with the attacker's address in texts moved: what a client meant to speak to. */
static struct bytes move_texts(const struct moving *m, struct bytes record, uint8_t *to, size_t capacity)
{
    static const char attacker[] = "10.77.0.66";
    const size_t size = sizeof(attacker) - 1;
    struct msgpack_writer w;
    struct cursor c = cursor_of_bytes(record);
    struct msgpack_item map = msgpack_next(&c);
    msgpack_writer_init(&w, to, capacity);
    msgpack_put_map(&w, map.type == MSGPACK_MAP ? map.count : 0);
    for (uint32_t i = 0; map.type == MSGPACK_MAP && i < map.count; i++) {
        struct msgpack_item key = msgpack_next(&c);
        msgpack_put_string(&w, key.bytes.data, key.bytes.size);
        const uint8_t *begin = record.data + record.size - cursor_left(&c);
        struct cursor value = c;
        struct msgpack_item item = msgpack_next(&value);
        if (!msgpack_skip(&c))
            break;
        const char *found = item.type == MSGPACK_STRING && item.bytes.size
                                ? memmem(item.bytes.data, item.bytes.size, attacker, size)
                                : NULL;
        if (!found) {
            msgpack_put_raw(&w, begin, (size_t)(record.data + record.size - cursor_left(&c) - begin));
            continue;
        }
        char address[IP_ADDRESS_TEXT_MAX], text[512];
        size_t before = (size_t)(found - (const char *)item.bytes.data);
        int length = snprintf(text, sizeof(text), "%.*s%s%.*s", (int)before, (const char *)item.bytes.data,
                              ip_address_text(&m->source, address), (int)(item.bytes.size - before - size),
                              found + size);
        msgpack_put_string(&w, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
    }
    return (struct bytes){to, w.full ? 0 : w.size};
}

/* Moves all times and the attacker's address; the record is a copy of ours. */
static void move_record(const struct moving *m, struct bytes record)
{
    struct cursor c = cursor_of_bytes(record);
    struct msgpack_item map = msgpack_next(&c);
    for (uint32_t i = 0; map.type == MSGPACK_MAP && i < map.count; i++) {
        struct msgpack_item key = msgpack_next(&c);
        enum activity_field field = key.type == MSGPACK_STRING
                                        ? activity_field_by_name((const char *)key.bytes.data, key.bytes.size)
                                        : ACTIVITY_FIELDS;
        enum activity_type type = field == ACTIVITY_FIELDS ? TYPE_BOOL : activity_field_info(field)->type;
        struct cursor value = c;
        if (!msgpack_skip(&c))
            return;
        const uint8_t *end = record.data + record.size - cursor_left(&c);
        if (type == TYPE_TIME)
            move_time(m, end);
        else if (type == TYPE_ADDRESS)
            move_address(m, msgpack_next(&value).bytes);
    }
}

static struct bytes text_of(const struct activity *a, enum activity_field field)
{
    const struct activity_value *v = activity_get(a, field);
    return v ? v->bytes : (struct bytes){0};
}

static uint64_t number_of(const struct activity *a, enum activity_field field)
{
    const struct activity_value *v = activity_get(a, field);
    return v ? v->uint : 0;
}

static const struct account *named_account(const struct moving *m, struct bytes name)
{
    char text[64];
    size_t size = 0;
    for (size_t i = 0; i < name.size && name.data[i] != '@' && size + 1 < sizeof(text); i++)
        if (name.data[i] == '\\' || name.data[i] == '/')
            size = 0;
        else
            text[size++] = (char)name.data[i];
    text[size] = '\0';
    return size ? company_account(m->c, text) : NULL;
}

/* Who acts: named, by the ticket, or by the connection; as a node's resolver knows it. */
static const struct account *acting(struct moving *m, const char **how)
{
    const struct activity *a = &m->activity;
    const uint64_t flow = number_of(a, FIELD_FLOW), presented = number_of(a, FIELD_TICKET_FINGERPRINT),
                   issued = number_of(a, FIELD_ISSUED_TICKET_FINGERPRINT);
    const struct account *found = named_account(m, text_of(a, FIELD_ACCOUNT));
    *how = "named";
    if (!found) {
        *how = "ticket";
        for (uint32_t i = 0; i < m->ticket_count && !found; i++)
            if (presented && m->tickets[i].ticket == presented)
                found = m->tickets[i].account;
    }
    bool of_flow = false;
    for (uint32_t i = m->flow_count; i > 0 && !found; i--)
        if (m->flows[i - 1].flow == flow) {
            found = m->flows[i - 1].account;
            of_flow = true;
        }
    if (!found)
        return NULL;
    if (of_flow)
        *how = "connection";
    else if (m->flow_count < 256)
        m->flows[m->flow_count].flow = flow, m->flows[m->flow_count++].account = found;
    if (issued && m->ticket_count < 512)
        m->tickets[m->ticket_count].ticket = issued, m->tickets[m->ticket_count++].account = found;
    return found;
}

static void add_end(struct activity_writer *w, struct company *c, const struct activity *a,
                    enum activity_field address, enum activity_field name, int64_t time)
{
    struct bytes bytes = text_of(a, address);
    if (bytes.size != 4)
        return;
    const struct machine *m = NULL;
    for (uint32_t i = 0; i < c->machine_count && !m; i++) {
        struct ip_address of = machine_address(c, &c->machines[i], time);
        if (memcmp(of.bytes, bytes.data, 4) == 0)
            m = &c->machines[i];
    }
    if (!m)
        return;
    activity_put_text(w, name, m->name);
    activity_put_text(w, name + 1, COMPANY_DOMAIN);
    activity_put_uuid(w, name + 2, m->guid);
    activity_put_bool(w, name + 4, m->kind == MACHINE_CONTROLLER);
    activity_put_uint(w, name + 5, 90);
}

static void add_owner(struct moving *m, struct activity_writer *w)
{
    struct bytes service = text_of(&m->activity, FIELD_SERVICE);
    size_t slash = 0;
    while (slash < service.size && service.data[slash] != '/')
        slash++;
    if (slash >= service.size || text_begins(service, "krbtgt"))
        return;
    size_t dot = slash + 1;
    while (dot < service.size && service.data[dot] != '.')
        dot++;
    const struct account *owner = named_account(m, (struct bytes){service.data + slash + 1, dot - slash - 1});
    if (!owner)
        return;
    activity_put_text(w, FIELD_SERVICE_OWNER, owner->name);
    activity_put_uuid(w, FIELD_SERVICE_OWNER_GUID, owner->guid);
}

static void move_one(void *context, struct bytes record)
{
    struct moving *m = context;
    struct company *c = m->c;
    uint8_t copy[ACTIVITY_BYTES_MAX];
    struct cursor cursor = cursor_of_bytes(record);
    if (record.size > sizeof(copy) || !activity_decode(&cursor, &m->activity))
        return;
    if (m->first == 0)
        m->first = m->activity.time;
    const struct bytes moved = move_texts(m, record, copy, sizeof(copy));
    move_record(m, moved);
    cursor = cursor_of_bytes(moved);
    if (!activity_decode(&cursor, &m->activity) || !activity_extend(&c->writer, moved, &m->activity))
        return;
    const int64_t time = m->activity.time;
    add_end(&c->writer, c, &m->activity, FIELD_SOURCE, FIELD_SOURCE_COMPUTER, time);
    add_end(&c->writer, c, &m->activity, FIELD_DESTINATION, FIELD_DESTINATION_COMPUTER, time);
    const char *how;
    const struct account *account = acting(m, &how);
    if (account && activity_allows(m->activity.kind, FIELD_ACCOUNT_NAME)) {
        activity_put_text(&c->writer, FIELD_ACCOUNT_NAME, account->name);
        activity_put_text(&c->writer, FIELD_ACCOUNT_DNS_DOMAIN, COMPANY_DOMAIN);
        activity_put_uuid(&c->writer, FIELD_ACCOUNT_GUID, account->guid);
        activity_put_text(&c->writer, FIELD_ACCOUNT_HOW, how);
    }
    if (account && !m->attack->account[0])
        snprintf(m->attack->account, sizeof(m->attack->account), "%s", account->name);
    add_owner(m, &c->writer);
    keep_record(c, m->attack, activity_finish(&c->writer), time);
}

bool company_attack_capture(struct company *c, const char *path, const char *name, const uint32_t *ids)
{
    const uint32_t number = c->attack_count;
    struct company_attack *a = add_attack(c, name, ids);
    struct moving *m = calloc(1, sizeof(*m));
    if (!m)
        abort();
    *m = (struct moving){.c = c,
                         .attack = a,
                         .machine = &c->machines[c->people[victim_of(c, number)].machine],
                         .to = time_of(c, number)};
    place_attack(c, a, m->machine, m->to, "");
    m->source = a->source;
    struct fault fault, damage;
    const struct replay_options options = {.fingerprint_seed = c->options.seed + number + 1};
    bool read = replay_file(path, &options, move_one, m, &fault, &damage) && a->activities > 0;
    free(m);
    if (!read)
        c->attack_count--;
    return read;
}

/* -- of nothing but log-ons ------------------------------------------------------------------------ */

struct scene {
    struct company *c;
    struct company_attack *attack;
    struct dice dice;
    struct talk talk;
};

static struct scene begin_scene(struct company *c, const char *name, const uint32_t *ids, const char *account)
{
    const uint32_t number = c->attack_count;
    struct scene s = {.c = c, .attack = add_attack(c, name, ids), .dice = dice_of(c, DICE_ATTACK, number, 7)};
    s.talk.time = time_of(c, number);
    s.talk.source = &c->machines[c->people[victim_of(c, number)].machine];
    s.talk.destination = &c->machines[c->first_controller + dice_below(&s.dice, c->options.controllers)];
    s.talk.account = account ? company_account(c, account) : NULL;
    place_attack(c, s.attack, s.talk.source, s.talk.time, account ? account : "");
    c->used = c->event_count = 0;
    return s;
}

static void wait(struct scene *s, double seconds)
{
    s->talk.time += (int64_t)(seconds * (0.5 + dice_unit(&s->dice)) * 1e9);
}

static uint64_t server_ticket(struct scene *s, const struct machine *m, uint64_t granting)
{
    char service[96], owner[24];
    snprintf(service, sizeof(service), "cifs/%s." COMPANY_DOMAIN, m->name);
    snprintf(owner, sizeof(owner), "%.20s$", m->name);
    uint64_t ticket = dice_next(&s->dice) | 1;
    put_tgs(s->c, &s->talk, service, owner, m->guid, granting, ticket, 18);
    return ticket;
}

static const struct machine *any_server(struct scene *s)
{
    return &s->c->machines[s->c->first_server + dice_below(&s->dice, s->c->options.servers)];
}

/* A colleague's password: log-on from where the thief sits, a look around on servers that are not usual. */
static void steal_password(struct company *c, uint32_t servers)
{
    static const uint32_t ids[] = {2001, 0};
    const char *account = c->accounts[c->people[victim_of(c, 9000 + c->attack_count)].account].name;
    struct scene s = begin_scene(c, "stolen password", ids, account);
    put_as(c, &s.talk, 0, true);
    uint64_t granting = ticket_number(c, s.talk.account, s.talk.source, "krbtgt", ticket_period(s.talk.time));
    for (uint32_t i = 0; i < servers; i++) {
        wait(&s, 150);
        server_ticket(&s, any_server(&s), granting);
    }
    keep_written(c, s.attack);
}

/* The ticket-granting ticket of somebody who is at work, used on another computer. */
static void steal_ticket(struct company *c)
{
    static const uint32_t ids[] = {2018, 0};
    const struct person *p = &c->people[victim_of(c, 9000 + c->attack_count)];
    const struct machine *own = &c->machines[p->machine];
    struct scene s = begin_scene(c, "pass the ticket", ids, c->accounts[p->account].name);
    /* It is fetched and issued to the owner a little before. */
    struct talk owner = s.talk;
    owner.source = own;
    owner.time -= 20 * CLOCK_MINUTE;
    put_as(c, &owner, 0, true);
    uint64_t granting = ticket_number(c, s.talk.account, own, "krbtgt", ticket_period(owner.time));
    for (int i = 0; i < 3; i++) {
        wait(&s, 60);
        server_ticket(&s, any_server(&s), granting);
    }
    keep_written(c, s.attack);
}

/* An administrator's hash on a computer where no administrator ever was: the controllers check NTLM. */
static void pass_hash(struct company *c)
{
    static const uint32_t ids[] = {2017, 2001, 0};
    struct scene s = begin_scene(c, "pass the hash", ids, "adm05");
    for (int i = 0; i < 4; i++) {
        wait(&s, 40);
        put_validation(c, &s.talk, 0);
        put_ntlm(c, &s.talk, "smb", "cifs", 0);
    }
    keep_written(c, s.attack);
}

/* One password for many accounts, slowly. */
static void spray(struct company *c, uint32_t accounts, double pause)
{
    static const uint32_t ids[] = {2023, 2004, 0};
    struct scene s = begin_scene(c, pause > 10 ? "slow password spray" : "password spray", ids, NULL);
    for (uint32_t i = 0; i < accounts; i++) {
        s.talk.account = &c->accounts[c->people[(i * 7) % c->options.users].account];
        wait(&s, pause);
        put_as(c, &s.talk, 24, false);
    }
    keep_written(c, s.attack);
}

static void enumerate(struct company *c)
{
    static const uint32_t ids[] = {2003, 0};
    struct scene s = begin_scene(c, "account enumeration", ids, NULL);
    for (uint32_t i = 0; i < 80; i++) {
        char name[32];
        snprintf(name, sizeof(name), "j.%c%u", 'a' + (int)(i % 26), i);
        wait(&s, 0.3);
        put_as_named(c, &s.talk, name, 6);
    }
    keep_written(c, s.attack);
}

/* Tickets for all services that people's accounts own. */
static void roast(struct company *c)
{
    static const uint32_t ids[] = {2410, 0};
    const struct person *p = &c->people[victim_of(c, 9000 + c->attack_count)];
    struct scene s = begin_scene(c, "kerberoasting", ids, c->accounts[p->account].name);
    put_as(c, &s.talk, 0, true);
    uint64_t granting = ticket_number(c, s.talk.account, s.talk.source, "krbtgt", ticket_period(s.talk.time));
    for (uint32_t i = 0; i < c->service_count; i++) {
        const struct account *service = &c->accounts[c->services[i].account];
        char name[64];
        if (!(service->facts & FACT_HAS_SPN))
            continue;
        snprintf(name, sizeof(name), "HTTP/%s." COMPANY_DOMAIN, service->name);
        wait(&s, 0.4);
        put_tgs(c, &s.talk, name, service->name, service->guid, granting, dice_next(&s.dice) | 1, 23);
    }
    keep_written(c, s.attack);
}

/* Data in names: long, random, never the same twice. */
static void tunnel(struct company *c)
{
    static const uint32_t ids[] = {2031, 0};
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    struct scene s = begin_scene(c, "DNS tunnel", ids, NULL);
    for (uint32_t i = 0; i < 3000; i++) {
        char name[128];
        size_t size = 0;
        for (; size < 100; size++)
            name[size] = size % 50 == 49 ? '.' : letters[dice_below(&s.dice, 32)];
        snprintf(name + size, sizeof(name) - size, ".t.evil.example");
        wait(&s, 0.8);
        put_dns(c, &s.talk, name, 16, 0, 120);
    }
    keep_written(c, s.attack);
}

static void add_member(struct company *c)
{
    static const uint32_t ids[] = {2024, 0};
    const struct person *p = &c->people[victim_of(c, 9000 + c->attack_count)];
    struct scene s = begin_scene(c, "sensitive group", ids, c->accounts[p->account].name);
    put_group_change(c, &s.talk, "Domain Admins", 4728, s.talk.account);
    keep_written(c, s.attack);
}

uint32_t company_attack_all(struct company *c)
{
    for (uint32_t i = 0; i < 6; i++)
        steal_password(c, 6 + 2 * i);
    for (uint32_t i = 0; i < 3; i++)
        steal_ticket(c);
    pass_hash(c);
    pass_hash(c);
    spray(c, 120, 3);
    spray(c, 200, 25);
    enumerate(c);
    roast(c);
    roast(c);
    tunnel(c);
    tunnel(c);
    add_member(c);
    add_member(c);
    return c->attack_count;
}

const struct company_attack *company_attacks(const struct company *c, uint32_t *count)
{
    *count = c->attack_count;
    return c->attacks;
}
