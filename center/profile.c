/* SPDX-License-Identifier: Apache-2.0 */
#include "center/profile.h"

#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ACCOUNTS_MAX (1u << 21)
#define THINGS_MAX   (1u << 21)
#define PEERS_MAX    (1u << 16)
#define LIFETIME     (120 * STATISTICS_DAY)

#define THING_NAME  36u
#define THING_USERS 5u
#define PEERS_ITEMS 40u
#define CLASSES     32u  /* of popularity: half powers of two */
#define HOUR_WEIGHT 16u  /* of an active hour in the week */
#define USUAL       1.5f /* active hours: from the second one on it is no accident */
#define SHARED_BY   3.0  /* from so many accounts on a thing can make peers */

/* Whether a thing is a source or anything else: the same computer may be both. */
enum side { SIDE_SOURCE, SIDE_OTHER, SIDES };

/* A computer, a server, a network, ...: what it is called, how many use it, who is there mostly. */
struct thing {
    char name[THING_NAME];
    struct decayed_count clients[SIDES];
    struct top_head users_head; /* of a source: accounts, by active hours */
    struct top_item users[THING_USERS];
};

struct peers {
    struct top_head head;
    struct top_item items[PEERS_ITEMS];
};

/* Of all accounts: which share of the pairs (account, thing) have a thing of so many clients or fewer. */
struct everyone {
    uint32_t day; /* since 1970, when it was worked out */
    float below[SIDES][CLASSES];
};

enum table { TABLE_ACCOUNTS, TABLE_THINGS, TABLE_PEERS, TABLE_EVERYONE, TABLES };

static const struct state_form forms[TABLES] = {
    [TABLE_ACCOUNTS] = {"accounts", 1, sizeof(struct profile), ACCOUNTS_MAX, LIFETIME},
    [TABLE_THINGS] = {"things", 1, sizeof(struct thing), THINGS_MAX, LIFETIME},
    [TABLE_PEERS] = {"peers", 1, sizeof(struct peers), PEERS_MAX, LIFETIME},
    [TABLE_EVERYONE] = {"everyone", 1, sizeof(struct everyone), 1, 0},
};
static const struct subject everyone_key = {1, 1};

struct profiler {
    struct subject_seed seed;
    struct state_table *tables[TABLES];
    struct sight sight;
    uint32_t weighed; /* day since 1970 on which, or a later one, everyone was worked out */
};

struct profiler *profiler_new(struct subject_seed seed)
{
    struct profiler *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->seed = seed;
    for (unsigned i = 0; i < TABLES; i++) {
        self->tables[i] = state_table_new(&forms[i], seed.value + i);
        if (!self->tables[i]) {
            profiler_destroy(&self);
            return NULL;
        }
    }
    return self;
}

void profiler_destroy(struct profiler **profiler)
{
    if (!*profiler)
        return;
    for (unsigned i = 0; i < TABLES; i++)
        state_table_destroy(&(*profiler)->tables[i]);
    free(*profiler);
    *profiler = NULL;
}

struct state_table *profiler_table(const struct profiler *profiler, unsigned index)
{
    return index < TABLES ? profiler->tables[index] : NULL;
}

void profiler_expire(struct profiler *profiler, int64_t now)
{
    for (unsigned i = 0; i < TABLES; i++)
        state_table_expire(profiler->tables[i], now);
}

/* -- what an activity shows ---------------------------------------------------------------------- */

uint32_t profile_key(struct subject subject)
{
    return subject_is_none(subject) ? 0 : top_key(subject.high ^ subject.low);
}

static struct subject thing_subject(uint32_t key)
{
    return (struct subject){.low = key};
}

static uint32_t key_of_text(const struct profiler *self, struct bytes text)
{
    return profile_key(subject_of_name(self->seed, SUBJECT_OBJECT, text, (struct bytes){0}));
}

/* The network of an address. */
static struct ip_address network_of(const struct ip_address *address, unsigned bits4, unsigned bits6)
{
    struct ip_address network = *address;
    unsigned kept = (address->family == 4 ? bits4 : bits6) / 8;
    memset(network.bytes + kept, 0, sizeof(network.bytes) - kept);
    return network;
}

/* Computers by what they are; unknown ones by their network, as leases move. */
static uint32_t source_key(const struct profiler *self, const struct observation *o)
{
    if (o->source.kind == SUBJECT_COMPUTER)
        return profile_key(o->source.memory);
    if (!o->source_address.family)
        return 0;
    struct ip_address network = network_of(&o->source_address, 24, 64);
    return profile_key(subject_of_address(self->seed, &network));
}

static bool succeeded(const struct observation *o)
{
    return observation_has(o, FIELD_STATUS) && observation_uint(o, FIELD_STATUS, 0) == 0 &&
           !observation_bool(o, FIELD_EVENT_FAILURE);
}

/* What a ticket is for; controllers and the ticket-granting service are everyone's. */
static uint32_t service_key(const struct profiler *self, const struct observation *o)
{
    struct bytes name = observation_text(o, FIELD_SERVICE);
    if (text_begins(name, "krbtgt") || text_begins(name, "kadmin"))
        return 0;
    if (party_is(&o->service))
        return profile_key(o->service.memory);
    return name.size ? key_of_text(self, name) : 0;
}

static uint32_t destination_key(const struct observation *o)
{
    return o->destination_is_controller ? 0 : profile_key(o->destination.memory);
}

/* Protocol, and its variant or encryption type. */
static uint32_t way_key(const struct observation *o)
{
    int64_t etype = observation_int(o, FIELD_REPLY_ETYPE, observation_int(o, FIELD_ISSUED_TICKET_ETYPE, 0));
    struct bytes variant = observation_text(o, FIELD_NTLM_VARIANT);
    uint64_t detail = (uint64_t)etype;
    for (size_t i = 0; i < variant.size && i < 16; i++)
        detail = detail * 131 + variant.data[i];
    return top_key((uint64_t)o->kind << 32 ^ detail);
}

static void look_at_place(const struct profiler *self, const struct observation *o, struct sight *s)
{
    struct bytes place = observation_text(o, FIELD_TUNNEL_CLIENT);
    if (!place.size)
        place = observation_text(o, FIELD_CALLING_STATION);
    /* The first two numbers of an address, or all of what else it is. */
    size_t dots = 0, size = 0;
    for (; size < place.size && dots < 2; size++)
        dots += place.data[size] == '.';
    if (place.size)
        s->key[HABIT_PLACE] = key_of_text(self, (struct bytes){place.data, size});
}

static void look_at_keys(const struct profiler *self, const struct observation *o, struct sight *s)
{
    switch (o->kind) {
    case ACTIVITY_KERBEROS_AS:
    case ACTIVITY_WINDOWS_KERBEROS_AS:
        if (!succeeded(o) && !observation_has(o, FIELD_ISSUED_TICKET_FINGERPRINT))
            return;
        s->key[HABIT_SOURCE] = source_key(self, o);
        s->key[HABIT_WAY] = way_key(o);
        return;
    case ACTIVITY_KERBEROS_TGS:
    case ACTIVITY_WINDOWS_KERBEROS_TGS:
        if (!succeeded(o) && !observation_has(o, FIELD_ISSUED_TICKET_FINGERPRINT))
            return;
        s->key[HABIT_SOURCE] = source_key(self, o);
        s->key[HABIT_RESOURCE] = service_key(self, o);
        s->key[HABIT_WAY] = way_key(o);
        return;
    case ACTIVITY_KERBEROS_AP:
    case ACTIVITY_NTLM_AUTHENTICATE:
    case ACTIVITY_LDAP_BIND:
    case ACTIVITY_WINDOWS_LOGON:
    case ACTIVITY_NTLM_VALIDATION:
        if (!succeeded(o))
            return;
        s->key[HABIT_SOURCE] = source_key(self, o);
        s->key[HABIT_RESOURCE] = destination_key(o);
        s->key[HABIT_WAY] = way_key(o);
        return;
    case ACTIVITY_RADIUS_ACCOUNTING:
        look_at_place(self, o, s);
        return;
    case ACTIVITY_GROUP_CHANGE:
        s->key[HABIT_GROUP] = profile_key(o->group.memory);
        return;
    default:
        return;
    }
}

static bool says_nothing(const struct sight *s)
{
    uint32_t any = 0;
    for (unsigned h = 0; h < HABITS; h++)
        any |= s->key[h];
    return any == 0;
}

/* Bits of the filter: one of each half. */
static void filter_bits(uint32_t key, enum habit habit, uint64_t bits[2])
{
    uint32_t mixed = key * 2654435761u + (uint32_t)habit * 40503u;
    bits[0] = UINT64_C(1) << (mixed >> 26);
    bits[1] = UINT64_C(1) << (mixed >> 20 & 63);
}

static bool was_seen(const struct profile *profile, uint32_t key, enum habit habit)
{
    uint64_t bits[2];
    filter_bits(key, habit, bits);
    return profile->seen[0] & bits[0] && profile->seen[1] & bits[1];
}

const struct sight *profiler_look(struct profiler *self, const struct observation *o)
{
    struct sight *s = &self->sight;
    *s = (struct sight){0};
    if (!party_is(&o->account))
        return s;
    look_at_keys(self, o, s);
    if (says_nothing(s))
        return s;
    s->account = o->account.memory;
    s->time = (uint32_t)(o->time / STATISTICS_SECOND);
    s->profile = profiler_profile(self, s->account, o->time);
    const uint32_t hour = s->time / 3600;
    const bool same_hour = s->profile && s->profile->hour == hour;
    s->fresh_hour = !s->profile || s->profile->hour < hour;
    for (unsigned h = 0; h < HABITS; h++)
        s->fresh[h] = s->key[h] && !(same_hour && was_seen(s->profile, s->key[h], (enum habit)h));
    return s;
}

const struct sight *profiler_sight(const struct profiler *profiler)
{
    return &profiler->sight;
}

/* -- learning ------------------------------------------------------------------------------------ */

static struct top_item *items_of(struct profile *p, enum habit habit, uint32_t *size)
{
    switch (habit) {
    case HABIT_SOURCE:
        *size = PROFILE_SOURCES;
        return p->sources;
    case HABIT_RESOURCE:
        *size = PROFILE_RESOURCES;
        return p->resources;
    case HABIT_WAY:
        *size = PROFILE_WAYS;
        return p->ways;
    case HABIT_PLACE:
        *size = PROFILE_PLACES;
        return p->places;
    default:
        *size = PROFILE_GROUPS;
        return p->groups;
    }
}

const struct top_item *profile_items(const struct profile *profile, enum habit habit, uint32_t *size)
{
    return items_of((struct profile *)(uintptr_t)profile, habit, size);
}

static enum side side_of(enum habit habit)
{
    return habit == HABIT_SOURCE ? SIDE_SOURCE : SIDE_OTHER;
}

static const struct party *party_of(const struct observation *o, enum habit habit)
{
    switch (habit) {
    case HABIT_SOURCE:
        return &o->source;
    case HABIT_RESOURCE:
        return party_is(&o->service) ? &o->service : &o->destination;
    case HABIT_GROUP:
        return &o->group;
    default:
        return NULL;
    }
}

/* As people know it: the computer, the account that owns the service, else the service as it was asked for.
 */
static void name_thing(struct thing *thing, const struct observation *o, enum habit habit)
{
    const struct party *party = party_of(o, habit);
    struct bytes name = party ? party->name : (struct bytes){0};
    if (habit == HABIT_RESOURCE && !party_is(&o->service) && observation_has(o, FIELD_SERVICE))
        name = observation_text(o, FIELD_SERVICE);
    size_t size = name.size < THING_NAME ? name.size : THING_NAME - 1;
    if (size)
        memcpy(thing->name, name.data, size);
}

static void learn_thing(struct profiler *self, const struct observation *o, const struct sight *s,
                        enum habit habit, bool is_new)
{
    const bool source = habit == HABIT_SOURCE;
    if (!is_new && !source)
        return;
    bool added;
    struct thing *thing =
        state_table_use(self->tables[TABLE_THINGS], thing_subject(s->key[habit]), o->time, &added);
    if (!thing)
        return;
    if (added || !thing->name[0])
        name_thing(thing, o, habit);
    if (is_new)
        decayed_add(&thing->clients[side_of(habit)], o->time, PROFILE_HALF_LIFE, 1);
    if (source)
        top_add(&thing->users_head, thing->users, THING_USERS, profile_key(s->account), o->time,
                PROFILE_HALF_LIFE, 1);
}

static void learn_peers(struct profiler *self, uint32_t peers, uint32_t key, int64_t now)
{
    struct peers *group = state_table_use(self->tables[TABLE_PEERS], thing_subject(peers), now, NULL);
    if (group)
        top_add(&group->head, group->items, PEERS_ITEMS, key, now, PROFILE_HALF_LIFE, 1);
}

/* Its peers are those on the resource that it uses most and others do not: weight times how rare it is, as
 * words of a text are weighed (Sparck Jones, "A statistical interpretation of term specificity", 1972). */
static uint32_t choose_peers(const struct profiler *self, const struct profile *p)
{
    struct state_table_status status;
    state_table_status(self->tables[TABLE_ACCOUNTS], &status);
    double best = 0;
    uint32_t chosen = 0;
    for (uint32_t i = 0; i < PROFILE_RESOURCES; i++) {
        double clients = profiler_popularity(self, HABIT_RESOURCE, p->resources[i].key);
        if (clients < SHARED_BY)
            continue;
        double score = (p->resources[i].weight - p->resources[i].error) * log2(status.count / clients);
        if (score > best) {
            best = score;
            chosen = p->resources[i].key;
        }
    }
    return chosen;
}

static void fade_week(struct profile *p, uint32_t day)
{
    const uint32_t half = (uint32_t)(PROFILE_HALF_LIFE / STATISTICS_DAY);
    if (p->faded == 0)
        p->faded = day;
    for (; day >= p->faded + half; p->faded += half)
        for (uint32_t i = 0; i < PROFILE_HOURS; i++)
            p->week[i] /= 2;
}

/* 1970 began on a Thursday. */
static uint32_t hour_of_week(uint32_t hour)
{
    return (hour + 3 * 24) % PROFILE_HOURS;
}

static void begin_hour(const struct profiler *self, struct profile *p, uint32_t hour)
{
    const bool new_day = p->hour / 24 != hour / 24;
    p->hour = hour;
    p->seen[0] = p->seen[1] = 0;
    fade_week(p, hour / 24);
    uint8_t *weight = &p->week[hour_of_week(hour)];
    *weight = *weight > UINT8_MAX - HOUR_WEIGHT ? UINT8_MAX : (uint8_t)(*weight + HOUR_WEIGHT);
    if (new_day)
        p->peers = choose_peers(self, p);
}

struct masses {
    double of[SIDES][CLASSES];
};

static unsigned popularity_class(double clients)
{
    if (clients < 1.2)
        return 0;
    double half_powers = 2 * log2(clients);
    return half_powers >= CLASSES - 1 ? CLASSES - 1 : (unsigned)half_powers + 1;
}

static void add_mass(void *context, struct subject key, int64_t touched, const void *value)
{
    struct masses *masses = context;
    const struct thing *thing = value;
    (void)key;
    (void)touched;
    for (unsigned side = 0; side < SIDES; side++)
        masses->of[side][popularity_class(thing->clients[side].value)] += thing->clients[side].value;
}

/* Once a day, as it walks over all things. */
static void weigh_everyone(struct profiler *self, int64_t now)
{
    const uint32_t day = (uint32_t)(now / STATISTICS_DAY);
    if (self->weighed >= day)
        return;
    const struct everyone *known = state_table_look(self->tables[TABLE_EVERYONE], everyone_key, now);
    self->weighed = known && known->day > day ? known->day : day;
    if (known && known->day >= day)
        return;
    struct masses masses = {0};
    state_table_each(self->tables[TABLE_THINGS], add_mass, &masses);
    struct everyone *all = state_table_use(self->tables[TABLE_EVERYONE], everyone_key, now, NULL);
    if (!all)
        return;
    all->day = day;
    for (unsigned side = 0; side < SIDES; side++) {
        double sum = 0, total = 0;
        for (unsigned i = 0; i < CLASSES; i++)
            total += masses.of[side][i];
        for (unsigned i = 0; i < CLASSES; i++) {
            sum += masses.of[side][i];
            all->below[side][i] = (float)(total > 0 ? sum / total : 1);
        }
    }
}

void profiler_learn(struct profiler *self, const struct observation *o)
{
    const struct sight *s = &self->sight;
    if (subject_is_none(s->account))
        return;
    bool any = s->fresh_hour;
    for (unsigned h = 0; h < HABITS; h++)
        any |= s->fresh[h];
    if (!any)
        return;
    weigh_everyone(self, o->time);
    bool added;
    struct profile *p = state_table_use(self->tables[TABLE_ACCOUNTS], s->account, o->time, &added);
    if (!p)
        return;
    if (added)
        p->first = s->time;
    if (s->time > p->last)
        p->last = s->time;
    if (s->fresh_hour)
        begin_hour(self, p, s->time / 3600);
    for (unsigned h = 0; h < HABITS; h++) {
        if (!s->fresh[h])
            continue;
        uint64_t bits[2];
        filter_bits(s->key[h], (enum habit)h, bits);
        if (p->hour == s->time / 3600) {
            p->seen[0] |= bits[0];
            p->seen[1] |= bits[1];
        }
        uint32_t size;
        struct top_item *items = items_of(p, (enum habit)h, &size);
        bool is_new = top_add(&p->heads[h], items, size, s->key[h], o->time, PROFILE_HALF_LIFE, 1);
        learn_thing(self, o, s, (enum habit)h, is_new);
        if (h == HABIT_RESOURCE && p->peers)
            learn_peers(self, p->peers, s->key[h], o->time);
    }
}

/* -- what a profile says ------------------------------------------------------------------------- */

const struct profile *profiler_profile(const struct profiler *self, struct subject account, int64_t now)
{
    return subject_is_none(account) ? NULL : state_table_look(self->tables[TABLE_ACCOUNTS], account, now);
}

double profile_weight(const struct profile *profile, enum habit habit, uint32_t key)
{
    uint32_t size;
    if (!profile || !key)
        return 0;
    const struct top_item *items = profile_items(profile, habit, &size);
    return top_weight(items, size, key);
}

const struct top_head *profile_head(const struct profile *profile, enum habit habit)
{
    return &profile->heads[habit];
}

int64_t profile_age(const struct profile *profile, int64_t now)
{
    return profile ? now - (int64_t)profile->first * STATISTICS_SECOND : 0;
}

/* How often of late the next one was new; the very first one is nothing to be counted. */
static double novelty(const struct top_head *head)
{
    double news = head->kinds > 1 ? head->kinds - 1 : 0;
    double p = (news + 0.5) / (head->total + 1);
    return p < 1 ? p : 1;
}

double profile_novelty(const struct profile *profile, enum habit habit)
{
    return profile ? novelty(&profile->heads[habit]) : 1;
}

/* The hour, the hours beside it, and the same of other days. */
static double smooth(const uint8_t week[PROFILE_HOURS], uint32_t hour)
{
    double sum = week[hour] +
                 0.5 * (week[(hour + 1) % PROFILE_HOURS] + week[(hour + PROFILE_HOURS - 1) % PROFILE_HOURS]);
    for (uint32_t day = 1; day < 7; day++)
        sum += 0.25 * week[(hour + 24 * day) % PROFILE_HOURS];
    return sum;
}

double profile_hour(const struct profile *profile, int64_t time)
{
    if (!profile)
        return 1;
    const double mine = smooth(profile->week, hour_of_week((uint32_t)(time / STATISTICS_HOUR)));
    double as_unusual = 0, total = 0;
    for (uint32_t hour = 0; hour < PROFILE_HOURS; hour++) {
        total += profile->week[hour];
        if (profile->week[hour] && smooth(profile->week, hour) <= mine)
            as_unusual += profile->week[hour];
    }
    return (as_unusual + HOUR_WEIGHT) / (total + HOUR_WEIGHT);
}

/* -- what all of them say ------------------------------------------------------------------------ */

static const struct thing *thing_of(const struct profiler *self, uint32_t key)
{
    return key ? state_table_look(self->tables[TABLE_THINGS], thing_subject(key), 0) : NULL;
}

double profiler_popularity(const struct profiler *self, enum habit habit, uint32_t key)
{
    const struct thing *thing = thing_of(self, key);
    return thing ? thing->clients[side_of(habit)].value : 0;
}

double profiler_rarity(const struct profiler *self, const struct profile *profile, enum habit habit,
                       uint32_t key)
{
    const struct everyone *all = state_table_look(self->tables[TABLE_EVERYONE], everyone_key, 0);
    if (!all)
        return 1;
    const float *below = all->below[side_of(habit)];
    unsigned at = popularity_class(profiler_popularity(self, habit, key));
    /* Half of those that are like it: the mid-p-value of what is discrete. */
    double rarity = (below[at] + (at ? below[at - 1] : 0)) / 2;
    const struct peers *group =
        habit == HABIT_RESOURCE && profile && profile->peers
            ? state_table_look(self->tables[TABLE_PEERS], thing_subject(profile->peers), 0)
            : NULL;
    if (group) {
        double among = predictive(top_weight(group->items, PEERS_ITEMS, key), group->head.total,
                                  group->head.kinds, 0.5, 1, rarity);
        rarity = among > rarity ? among : rarity;
    }
    return rarity > 1e-9 ? rarity : 1e-9;
}

double profiler_stranger(const struct profiler *self, uint32_t source, struct subject account)
{
    const struct thing *thing = thing_of(self, source);
    if (!thing || top_weight(thing->users, THING_USERS, profile_key(account)) > 0)
        return 1;
    return novelty(&thing->users_head);
}

const char *profiler_name(const struct profiler *self, uint32_t key)
{
    const struct thing *thing = thing_of(self, key);
    return thing ? thing->name : "";
}

size_t profiler_usual(const struct profiler *self, const struct profile *profile, enum habit habit, char *to,
                      size_t capacity)
{
    struct text t = text_to(to, capacity);
    uint32_t size = 0, shown = 0, count;
    const struct top_item *items = profile ? profile_items(profile, habit, &size) : NULL;
    double last = INFINITY;
    uint32_t last_at = 0;
    count = 0;
    for (uint32_t i = 0; i < size; i++)
        count += items[i].weight >= USUAL;
    while (shown < count && shown < 4) {
        uint32_t best = size;
        for (uint32_t i = 0; i < size; i++) {
            bool after = items[i].weight < last || ((double)items[i].weight == last && i > last_at);
            if (items[i].weight >= USUAL && after && (best == size || items[i].weight > items[best].weight))
                best = i;
        }
        if (best == size)
            break;
        last = items[best].weight;
        last_at = best;
        const char *name = profiler_name(self, items[best].key);
        text_string(&t, shown ? ", " : "");
        text_string(&t, name[0] ? name : "(unnamed)");
        shown++;
    }
    if (count == 0)
        text_string(&t, "none");
    if (count > shown) {
        text_string(&t, " and ");
        text_uint(&t, count - shown);
        text_string(&t, count - shown == 1 ? " other" : " others");
    }
    return text_end(&t);
}
