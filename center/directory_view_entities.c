/* SPDX-License-Identifier: Apache-2.0
 *
 * What detectors ask, answered from the entities.
 */
#include "center/entities_internal.h"

/* --- who it is --- */

static uint32_t party_number(const struct entities *self, const struct party *party)
{
    uint32_t number = 0, count;
    if (party->guid) {
        struct guid guid;
        memcpy(guid.bytes, party->guid, GUID_SIZE);
        number = entities_number(self, &guid);
        return number && self->items[number].flags & ITEM_KNOWN ? number : 0;
    }
    if (party->kind == SUBJECT_ADDRESS || party->kind == SUBJECT_DOMAIN || party->name.size == 0)
        return 0;
    if (party->kind == SUBJECT_COMPUTER) /* a user may be called as a computer without its $ is */
        count = entities_by_name(self, BY_BARE, party->name, party->domain, &number);
    else
        count = 0;
    if (count == 0)
        count = entities_by_any_name(self, party->name, party->domain, &number);
    return count == 1 ? number : 0;
}

bool entities_find(const struct entities *self, const struct party *party, struct guid *guid)
{
    uint32_t number = party_number(self, party);
    if (number)
        *guid = self->items[number].guid;
    return number != 0;
}

/* --- facts --- */

struct judging {
    const struct entities *self;
    bool sensitive;
};

static uint32_t marks_of(const struct entities *self, const struct item *item)
{
    if (self->tag_count == 0)
        return 0;
    const char *dns = item->domain ? self->domains[item->domain].dns : "";
    struct bytes account = item_account(item), domain = {(const uint8_t *)dns, strlen(dns)};
    uint32_t marks =
        entities_tagged(self, entities_key(self, BY_GUID, 0, (struct bytes){item->guid.bytes, GUID_SIZE}));
    if (account.size)
        marks |= entities_tagged(self, entities_tag_key(self, account, domain)) |
                 entities_tagged(self, entities_tag_key(self, account, (struct bytes){0}));
    return marks;
}

static bool judge(void *context, uint32_t group)
{
    struct judging *judging = context;
    const struct item *item = &judging->self->items[group];
    judging->sensitive = item->facts & FACT_SENSITIVE_GROUP ||
                         (item->kind == ENTITY_GROUP && marks_of(judging->self, item) & FACT_SENSITIVE);
    return !judging->sensitive;
}

/* Who is sensitive is found by a walk through its groups, and holds until anything changes that it hangs on.
 */
static bool is_sensitive(struct entities *self, uint32_t number)
{
    struct item *item = &self->items[number];
    struct judging judging = {.self = self, .sensitive = item->sensitive_account};
    if (item->judged == self->state)
        return item->sensitive;
    if (!judging.sensitive && !(item->flags & ITEM_DELETED))
        entities_walk_groups(self, number, judge, &judging);
    item->judged = self->state;
    item->sensitive = judging.sensitive;
    return judging.sensitive;
}

uint32_t entities_facts_of(struct entities *self, uint32_t number)
{
    const struct item *item = &self->items[number];
    uint32_t facts = item->facts | marks_of(self, item);
    if (item->flags & ITEM_DELETED)
        facts |= FACT_DELETED;
    if (is_sensitive(self, number))
        facts |= FACT_SENSITIVE;
    return facts;
}

/* Somebody whom the directory is not known to have may be marked nevertheless. */
static bool marks_of_unknown(const struct entities *self, const struct party *party, struct facts *to)
{
    if (self->tag_count == 0 || party->name.size == 0)
        return false;
    to->bits = entities_tagged(self, entities_tag_key(self, party->name, party->domain)) |
               entities_tagged(self, entities_tag_key(self, party->name, (struct bytes){0}));
    return to->bits != 0;
}

static bool facts(void *context, const struct party *party, struct facts *to)
{
    struct entities *self = context;
    *to = (struct facts){0};
    uint32_t number = party->kind == SUBJECT_NONE ? 0 : party_number(self, party);
    if (!number)
        return marks_of_unknown(self, party, to);
    const struct item *item = &self->items[number];
    *to = (struct facts){.bits = entities_facts_of(self, number),
                         .supported_etypes = item->etypes,
                         .created = item->created,
                         .password_set = item->password_set,
                         .functional_level = item->domain ? self->domains[item->domain].functional_level : 0};
    return true;
}

/* --- names, domains, groups --- */

/* The domain that a name itself tells: behind the @ of a UPN. */
static struct bytes domain_within(struct bytes name)
{
    for (size_t at = name.size; at > 1; at--)
        if (name.data[at - 1] == '@')
            return (struct bytes){name.data + at, name.size - at};
    return (struct bytes){0};
}

static enum known account(void *context, struct bytes name, struct bytes domain)
{
    const struct entities *self = context;
    uint32_t number = 0;
    if (name.size == 0)
        return KNOWN_NOT;
    if (entities_by_any_name(self, name, domain, &number))
        return KNOWN_YES;
    uint32_t known = entities_domain_of(self, domain.size ? domain : domain_within(name));
    return known && self->domains[known].whole ? KNOWN_NO : KNOWN_NOT;
}

static bool domain(void *context, struct bytes name)
{
    const struct entities *self = context;
    uint32_t known = entities_domain_of(self, name);
    return known && self->domains[known].watched;
}

struct search {
    uint32_t group;
    bool found;
};

static bool is_it(void *context, uint32_t group)
{
    struct search *search = context;
    search->found = group == search->group;
    return !search->found;
}

static bool is_member(struct entities *self, uint32_t member, uint32_t group)
{
    struct search search = {.group = group};
    entities_walk_groups(self, member, is_it, &search);
    return search.found;
}

static enum known member(void *context, const struct party *one, const struct party *group)
{
    struct entities *self = context;
    uint32_t number = party_number(self, one), group_number = party_number(self, group);
    if (!number || !group_number)
        return KNOWN_NOT;
    if (is_member(self, number, group_number))
        return KNOWN_YES;
    uint16_t home = self->items[group_number].domain;
    return home && self->domains[home].whole ? KNOWN_NO : KNOWN_NOT;
}

static enum subject_kind kind_of(const struct item *item)
{
    switch (item->kind) {
    case ENTITY_USER:
    case ENTITY_MANAGED_ACCOUNT:
        return SUBJECT_ACCOUNT;
    case ENTITY_COMPUTER:
        return SUBJECT_COMPUTER;
    case ENTITY_GROUP:
        return SUBJECT_GROUP;
    case ENTITY_DOMAIN:
        return SUBJECT_DOMAIN;
    default:
        return SUBJECT_OBJECT;
    }
}

static void put_text(char *to, size_t capacity, struct bytes text)
{
    size_t size = text.size < capacity ? text.size : capacity - 1;
    if (size)
        memcpy(to, text.data, size);
    to[size] = '\0';
}

static void put_name(const struct entities *self, uint32_t number, struct directory_name *to)
{
    const struct item *item = &self->items[number];
    memcpy(to->guid, item->guid.bytes, sizeof(to->guid));
    to->kind = kind_of(item);
    put_text(to->name, sizeof(to->name), item_account(item));
    memcpy(to->domain, self->domains[item->domain].dns, sizeof(to->domain));
}

static bool find(void *context, const struct party *party, struct directory_name *to)
{
    const struct entities *self = context;
    uint32_t number = party_number(self, party);
    if (number)
        put_name(self, number, to);
    return number != 0;
}

/* The domain that a SID is of: its own without the RID. */
static bool of_whole_domain(const struct entities *self, struct bytes sid)
{
    for (uint32_t i = 1; i <= self->domain_count; i++) {
        const struct entities_domain *home = &self->domains[i];
        if (home->whole && home->sid_size >= 8 && sid.size == home->sid_size + 4u &&
            sid.data[1] == home->sid[1] + 1 && memcmp(sid.data + 2, home->sid + 2, home->sid_size - 2u) == 0)
            return true;
    }
    return false;
}

static enum known whose_sid(void *context, struct bytes sid, struct directory_name *to)
{
    const struct entities *self = context;
    uint32_t number = 0, count = entities_by_name(self, BY_SID, sid, (struct bytes){0}, &number);
    if (count == 1 && to)
        put_name(self, number, to);
    if (count)
        return count == 1 ? KNOWN_YES : KNOWN_NOT; /* those of BUILTIN are of every domain */
    return of_whole_domain(self, sid) ? KNOWN_NO : KNOWN_NOT;
}

static bool controllers(void *context, struct bytes name, void (*visit)(void *to, const uint8_t guid[16]),
                        void *to)
{
    struct entities *self = context;
    uint32_t home = entities_domain_of(self, name);
    if (!home || !self->domains[home].whole)
        return false;
    if (self->controllers_state != self->state) {
        self->controller_count = 0;
        for (uint32_t number = 1; number <= self->count; number++)
            if (self->items[number].flags == ITEM_KNOWN && self->items[number].facts & FACT_CONTROLLER &&
                self->controller_count < ENTITIES_CONTROLLERS_MAX)
                self->controllers[self->controller_count++] = number;
        self->controllers_state = self->state;
    }
    for (uint32_t i = 0; i < self->controller_count; i++) {
        const struct item *item = &self->items[self->controllers[i]];
        if (item->domain == home && !(item->facts & (FACT_READ_ONLY_CONTROLLER | FACT_DISABLED)))
            visit(to, item->guid.bytes);
    }
    return self->controller_count < ENTITIES_CONTROLLERS_MAX;
}

struct directory_view entities_view(struct entities *self)
{
    return (struct directory_view){.facts = facts,
                                   .account = account,
                                   .domain = domain,
                                   .member = member,
                                   .find = find,
                                   .sid = whose_sid,
                                   .controllers = controllers,
                                   .context = self};
}

bool entities_is_member(struct entities *self, const struct guid *one, const struct guid *group)
{
    uint32_t number = entities_number(self, one), group_number = entities_number(self, group);
    return number && group_number && is_member(self, number, group_number);
}

void entities_each_sensitive(struct entities *self,
                             void (*visit)(void *context, const struct guid *guid, const struct facts *facts),
                             void *context)
{
    for (uint32_t number = 1; number <= self->count; number++) {
        const struct item *item = &self->items[number];
        if (item->flags != ITEM_KNOWN)
            continue;
        struct facts found = {.bits = entities_facts_of(self, number)};
        if (found.bits & (FACT_SENSITIVE | FACT_SENSITIVE_GROUP))
            visit(context, &item->guid, &found);
    }
}
