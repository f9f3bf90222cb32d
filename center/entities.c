/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of entities: names, facts and links put in, changed, taken away.
 */
#define XXH_INLINE_ALL
#include "center/entities_internal.h"
#include "center/sensitivity.h"

#include <stdlib.h>
#include <xxhash.h>

#define NAME_BYTES_MAX 512u
#define RECENT         1024u /* a power of two */
#define KEYS_MAX       1200u /* of one entity: its names, and as many SPNs as an entity may have */

/* [MS-ADTS] 2.2.16 */
#define ACCOUNT_DISABLE        0x2u
#define TRUSTED_FOR_DELEGATION 0x80000u
#define DONT_REQ_PREAUTH       0x400000u

#define FACTS_BY_HAND (FACT_SENSITIVE | FACT_HONEYTOKEN | FACT_SYNCHRONIZER | FACT_DNS_SERVER)

/* --- life --- */

struct entities *entities_new(uint64_t seed)
{
    struct entities *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->seed = seed;
    self->state = 1;
    self->domains = calloc(ENTITIES_DOMAINS_MAX + 1, sizeof(*self->domains));
    self->recent = calloc(RECENT, sizeof(*self->recent));
    self->record = malloc(sizeof(*self->record));
    self->targets = malloc(ENTITY_BATCH_LINKS_MAX * sizeof(*self->targets));
    if (!self->domains || !self->recent || !self->record || !self->targets)
        entities_destroy(&self);
    return self;
}

void entities_destroy(struct entities **self_p)
{
    struct entities *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 1; i <= self->count; i++) {
        entities_numbers_free(&self->items[i].groups);
        entities_numbers_free(&self->items[i].members);
        free(self->items[i].details);
    }
    entities_names_free(&self->names);
    entities_names_free(&self->tag_places);
    free(self->items);
    free(self->domains);
    free(self->recent);
    free(self->tags);
    free(self->stack);
    free(self->scratch);
    free(self->record);
    free(self->targets);
    free(self);
    *self_p = NULL;
}

/* --- keys --- */

static uint64_t hash(const struct entities *self, enum entities_index index, uint32_t domain,
                     struct bytes bytes)
{
    uint64_t key =
        XXH3_64bits_withSeed(bytes.data, bytes.size, self->seed + (uint64_t)domain * 16u + (uint64_t)index);
    return key ? key : 1;
}

uint64_t entities_key(const struct entities *self, enum entities_index index, uint32_t domain,
                      struct bytes name)
{
    uint8_t folded[NAME_BYTES_MAX];
    if (index == BY_GUID || index == BY_SID)
        return hash(self, index, domain, name);
    if (name.size > sizeof(folded))
        name.size = sizeof(folded);
    entity_fold(folded, name);
    return hash(self, index, domain, (struct bytes){folded, name.size});
}

static struct bytes without_dollar(struct bytes name)
{
    if (name.size > 1 && name.data[name.size - 1] == '$')
        name.size--;
    return name;
}

uint64_t entities_tag_key(const struct entities *self, struct bytes name, struct bytes domain)
{
    uint32_t known = entities_domain_of(self, domain);
    const char *dns = known ? self->domains[known].dns : NULL;
    if (dns)
        domain = (struct bytes){(const uint8_t *)dns, strlen(dns)};
    uint64_t below = domain.size ? entities_key(self, BY_DNS_NAME, 0, domain) : 0;
    uint64_t key = entities_key(self, BY_BARE, 0, without_dollar(name)) ^ below;
    return key ? key : 1;
}

/* --- domains --- */

static bool put_folded(char *to, size_t capacity, struct bytes name)
{
    if (name.size == 0 || name.size >= capacity)
        return false;
    entity_fold((uint8_t *)to, name);
    to[name.size] = '\0';
    return true;
}

static struct bytes first_label(const char *dns)
{
    return (struct bytes){(const uint8_t *)dns, strcspn(dns, ".")};
}

uint32_t entities_domain_of(const struct entities *self, struct bytes name)
{
    char folded[RESOLVER_DOMAIN_MAX];
    uint32_t by_label = 0;
    if (!put_folded(folded, sizeof(folded), name))
        return 0;
    for (uint32_t i = 1; i <= self->domain_count; i++)
        if (strcmp(self->domains[i].dns, folded) == 0 || strcmp(self->domains[i].flat, folded) == 0)
            return i;
    /* Its flat name was not told: then the first label of its DNS name stands for it. */
    for (uint32_t i = 1; i <= self->domain_count; i++) {
        struct bytes label = first_label(self->domains[i].dns);
        if (!self->domains[i].flat[0] && label.size == name.size &&
            memcmp(label.data, folded, name.size) == 0) {
            if (by_label)
                return 0;
            by_label = i;
        }
    }
    return by_label;
}

static uint32_t exact_domain(const struct entities *self, const char *folded)
{
    for (uint32_t i = 1; i <= self->domain_count; i++)
        if (strcmp(self->domains[i].dns, folded) == 0)
            return i;
    return 0;
}

/* Made when it is new; 0: too many, or no name of one. */
static uint32_t make_domain(struct entities *self, struct bytes dns)
{
    char folded[RESOLVER_DOMAIN_MAX];
    if (!put_folded(folded, sizeof(folded), dns))
        return 0;
    uint32_t found = exact_domain(self, folded);
    if (found)
        return found;
    if (self->domain_count == ENTITIES_DOMAINS_MAX) {
        self->refused++;
        return 0;
    }
    struct entities_domain *domain = &self->domains[++self->domain_count];
    memcpy(domain->dns, folded, sizeof(folded));
    return self->domain_count;
}

static struct bytes text_of(const struct entity *entity, enum entity_attribute attribute)
{
    const struct activity_value *v = entity_get(entity, attribute);
    return v ? v->bytes : (struct bytes){0};
}

static uint64_t number_of(const struct entity *entity, enum entity_attribute attribute)
{
    const struct activity_value *v = entity_get(entity, attribute);
    return v ? v->uint : 0;
}

static void learn_flat_name(struct entities *self, const struct entity *entity, enum entity_attribute dns,
                            enum entity_attribute flat)
{
    struct bytes name = text_of(entity, flat);
    uint32_t domain = name.size ? make_domain(self, text_of(entity, dns)) : 0;
    if (domain)
        put_folded(self->domains[domain].flat, sizeof(self->domains[domain].flat), name);
}

static void learn_domain(struct entities *self, const struct entity *entity)
{
    if (entity->kind == ENTITY_PARTITION)
        learn_flat_name(self, entity, ENTITY_DNS_ROOT, ENTITY_NETBIOS_NAME);
    if (entity->kind == ENTITY_TRUST)
        learn_flat_name(self, entity, ENTITY_TRUST_PARTNER, ENTITY_FLAT_NAME);
    uint32_t number = make_domain(self, entity->domain);
    if (!number)
        return;
    struct entities_domain *domain = &self->domains[number];
    domain->watched |= entity->origin == ENTITY_REPLICATED;
    if (entity->kind != ENTITY_DOMAIN)
        return;
    struct bytes sid = text_of(entity, ENTITY_OBJECT_SID);
    domain->functional_level = (uint32_t)number_of(entity, ENTITY_FUNCTIONAL_LEVEL);
    if (sid.size && sid.size <= sizeof(domain->sid)) {
        memcpy(domain->sid, sid.data, sid.size);
        domain->sid_size = (uint8_t)sid.size;
    }
}

void entities_set_whole(struct entities *self, struct bytes name)
{
    uint32_t domain = make_domain(self, name);
    if (domain)
        self->domains[domain].whole = self->domains[domain].watched = true;
}

/* --- items --- */

static bool is_of(const struct entities *self, uint32_t number, const struct guid *guid)
{
    return memcmp(&self->items[number].guid, guid, sizeof(*guid)) == 0;
}

/* Where it stands among the recent ones. Who finds two that stand in one place gains nothing but time. */
static uint32_t *recent_of(const struct entities *self, const struct guid *guid)
{
    uint64_t halves[2];
    memcpy(halves, guid->bytes, sizeof(halves));
    return &self->recent[(halves[0] ^ halves[1]) * UINT64_C(0x9e3779b97f4a7c15) >> 32 & (RECENT - 1)];
}

/* The few that an activity names are asked for by each detector; a number is its entity's for ever. */
uint32_t entities_number(const struct entities *self, const struct guid *guid)
{
    uint32_t *recent = recent_of(self, guid);
    if (*recent && is_of(self, *recent, guid))
        return *recent;
    uint64_t key = entities_key(self, BY_GUID, 0, (struct bytes){guid->bytes, GUID_SIZE});
    uint32_t number, at = 0;
    while ((number = entities_names_next(&self->names, key, &at)) != 0)
        if (is_of(self, number, guid))
            return *recent = number;
    return 0;
}

static bool make_room(struct entities *self)
{
    if (self->count + 1 < self->capacity)
        return true;
    if (self->count >= ENTITIES_MAX)
        return false;
    uint32_t capacity = self->capacity ? self->capacity + self->capacity / 2 : 1024;
    struct item *items = realloc(self->items, capacity * sizeof(*items));
    if (!items)
        return false;
    self->items = items;
    self->capacity = capacity;
    return true;
}

static uint32_t make_item(struct entities *self, const struct guid *guid)
{
    uint32_t number = entities_number(self, guid);
    if (number)
        return number;
    uint64_t key = entities_key(self, BY_GUID, 0, (struct bytes){guid->bytes, GUID_SIZE});
    if (!make_room(self) || !entities_names_add(&self->names, key, self->count + 1)) {
        self->refused++;
        return 0;
    }
    self->items[++self->count] = (struct item){.guid = *guid};
    return self->count;
}

static void drop_details(struct entities *self, uint32_t number)
{
    struct item *item = &self->items[number];
    if (!item->details)
        return;
    for (uint32_t i = 0; i < item->details->key_count; i++)
        entities_names_remove(&self->names, item->details->keys[i], number);
    self->details_bytes -= sizeof(*item->details) + item->details->key_count * sizeof(uint64_t);
    free(item->details);
    item->details = NULL;
}

/* --- names of an entity --- */

struct keys {
    uint32_t count;
    uint64_t at[KEYS_MAX];
};

static void add_key(struct entities *self, struct keys *keys, enum entities_index index, uint32_t domain,
                    struct bytes name)
{
    if (name.size && keys->count < KEYS_MAX)
        keys->at[keys->count++] = entities_key(self, index, domain, name);
}

static void add_services(struct entities *self, struct keys *keys, const struct activity_value *services)
{
    struct cursor items = services->list.items;
    for (uint32_t i = 0; i < services->list.count; i++)
        add_key(self, keys, BY_SPN, 0, activity_next_item(&items, TYPE_STRING).bytes);
}

static void add_hosts(struct entities *self, struct keys *keys, const struct activity_value *hosts)
{
    struct cursor items = hosts->list.items;
    for (uint32_t i = 0; i < hosts->list.count; i++)
        add_key(self, keys, BY_DNS_NAME, 0, activity_next_item(&items, TYPE_STRING).bytes);
}

static void gather_keys(struct entities *self, struct keys *keys, const struct entity *entity,
                        uint32_t domain)
{
    struct bytes account = text_of(entity, ENTITY_SAM_ACCOUNT_NAME);
    char dn[NAME_BYTES_MAX];
    keys->count = 0;
    add_key(self, keys, BY_ACCOUNT, domain, account);
    if (without_dollar(account).size != account.size)
        add_key(self, keys, BY_BARE, domain, without_dollar(account));
    add_key(self, keys, BY_UPN, 0, text_of(entity, ENTITY_USER_PRINCIPAL_NAME));
    add_key(self, keys, BY_DNS_NAME, 0, text_of(entity, ENTITY_DNS_HOST_NAME));
    add_key(self, keys, BY_SID, 0, text_of(entity, ENTITY_OBJECT_SID));
    size_t size = entity_dn(entity, dn, sizeof(dn));
    add_key(self, keys, BY_DN, 0, (struct bytes){(uint8_t *)dn, size < sizeof(dn) ? size : sizeof(dn) - 1});
    const struct activity_value *hosts = entity_get(entity, ENTITY_ADDITIONAL_DNS_NAMES);
    const struct activity_value *services = entity_get(entity, ENTITY_SERVICE_PRINCIPAL_NAMES);
    if (hosts)
        add_hosts(self, keys, hosts);
    if (services)
        add_services(self, keys, services);
}

static void put_details(struct entities *self, uint32_t number, const struct entity *entity, uint32_t domain)
{
    static const uint8_t nothing[1];
    struct keys keys;
    gather_keys(self, &keys, entity, domain);
    struct bytes sid = text_of(entity, ENTITY_OBJECT_SID), account = entity_name(entity);
    if (sid.size > SID_BYTES_MAX)
        sid.size = 0;
    if (account.size > UINT8_MAX)
        account.size = 0; /* half a name is another name */
    size_t size = sizeof(struct item_details) + keys.count * sizeof(uint64_t);
    struct item_details *details = malloc(size + sid.size + account.size);
    if (!details) {
        self->refused++;
        return;
    }
    *details = (struct item_details){
        .key_count = keys.count, .sid_size = (uint8_t)sid.size, .account_size = (uint8_t)account.size};
    memcpy(details->keys, keys.at, keys.count * sizeof(uint64_t));
    uint8_t *rest = (uint8_t *)(details->keys + keys.count);
    memcpy(rest, sid.size ? sid.data : nothing, sid.size);
    memcpy(rest + sid.size, account.size ? account.data : nothing, account.size);
    for (uint32_t i = 0; i < keys.count; i++)
        if (!entities_names_add(&self->names, keys.at[i], number))
            self->refused++;
    self->items[number].details = details;
    self->details_bytes += size;
}

/* --- facts of an entity --- */

static uint32_t facts_of_kind(enum entity_kind kind)
{
    switch (kind) {
    case ENTITY_USER:
        return FACT_USER;
    case ENTITY_COMPUTER:
        return FACT_COMPUTER;
    case ENTITY_GROUP:
        return FACT_GROUP;
    case ENTITY_MANAGED_ACCOUNT:
        return FACT_MANAGED_ACCOUNT;
    default:
        return 0;
    }
}

/* krbtgt, and krbtgt_12345 of a read-only domain controller. */
static bool is_krbtgt(const struct entity *entity)
{
    uint8_t folded[32];
    struct bytes account = text_of(entity, ENTITY_SAM_ACCOUNT_NAME);
    if (entity->kind != ENTITY_USER || account.size < 6 || account.size > sizeof(folded))
        return false;
    entity_fold(folded, account);
    return memcmp(folded, "krbtgt", 6) == 0 && (account.size == 6 || folded[6] == '_');
}

static bool serves_dns(const struct entity *entity)
{
    const struct activity_value *services = entity_get(entity, ENTITY_SERVICE_PRINCIPAL_NAMES);
    struct cursor items = services ? services->list.items : (struct cursor){0};
    for (uint32_t i = 0; services && i < services->list.count; i++) {
        uint8_t folded[4];
        struct bytes service = activity_next_item(&items, TYPE_STRING).bytes;
        if (service.size < sizeof(folded))
            continue;
        entity_fold(folded, (struct bytes){service.data, sizeof(folded)});
        if (memcmp(folded, "dns/", sizeof(folded)) == 0)
            return true;
    }
    return false;
}

static uint32_t fact_if(bool is, enum fact fact)
{
    return is ? (uint32_t)fact : 0;
}

static uint32_t facts_of(const struct entity *entity)
{
    uint32_t control = (uint32_t)number_of(entity, ENTITY_USER_ACCOUNT_CONTROL);
    bool read_only = entity_is_read_only_domain_controller(entity);
    bool controller = read_only || entity_is_domain_controller(entity);
    const struct activity_value *services = entity_get(entity, ENTITY_SERVICE_PRINCIPAL_NAMES);
    return facts_of_kind(entity->kind) | fact_if(controller, FACT_CONTROLLER) |
           fact_if(read_only, FACT_READ_ONLY_CONTROLLER) | fact_if(control & ACCOUNT_DISABLE, FACT_DISABLED) |
           fact_if(control & DONT_REQ_PREAUTH, FACT_NO_PREAUTH) |
           fact_if(services && services->list.count > 0, FACT_HAS_SPN) |
           fact_if(control & TRUSTED_FOR_DELEGATION, FACT_TRUSTED_FOR_DELEGATION) |
           fact_if(sensitivity_of_group(entity), FACT_SENSITIVE_GROUP) |
           fact_if(is_krbtgt(entity), FACT_KRBTGT) |
           fact_if(controller && serves_dns(entity), FACT_DNS_SERVER);
}

/* --- links --- */

static void tie(struct entities *self, uint32_t group, uint32_t member)
{
    bool added = false;
    if (!entities_numbers_add(&self->items[member].groups, group, &added))
        self->refused++;
    self->memberships += added;
}

static void untie(struct entities *self, uint32_t group, uint32_t member)
{
    self->memberships -= entities_numbers_remove(&self->items[member].groups, group);
}

static void drop_links(struct entities *self, uint32_t number)
{
    struct item *item = &self->items[number];
    for (uint32_t i = 0; i < item->members.count; i++)
        untie(self, number, item->members.at[i]);
    for (uint32_t i = 0; i < item->groups.count; i++)
        entities_numbers_remove(&self->items[item->groups.at[i]].members, number);
    self->memberships -= item->groups.count;
    entities_numbers_free(&item->members);
    entities_numbers_free(&item->groups);
}

static bool take_numbers(struct entities *self, const struct guid *members, uint32_t count, bool make)
{
    if (count > self->scratch_capacity) {
        uint32_t *scratch = realloc(self->scratch, count * sizeof(*scratch));
        if (!scratch)
            return false;
        self->scratch = scratch;
        self->scratch_capacity = count;
    }
    for (uint32_t i = 0; i < count; i++)
        self->scratch[i] = make ? make_item(self, &members[i]) : entities_number(self, &members[i]);
    return true;
}

static void add_members(struct entities *self, uint32_t group, uint32_t count)
{
    if (self->memberships + count > ENTITIES_LINKS_MAX) {
        self->refused += count;
        return;
    }
    count = entities_numbers_merge(&self->items[group].members, self->scratch, count);
    if (count == UINT32_MAX) {
        self->refused++;
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        tie(self, group, self->scratch[i]);
}

static void drop_members(struct entities *self, uint32_t group, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (entities_numbers_remove(&self->items[group].members, self->scratch[i]))
            untie(self, group, self->scratch[i]);
}

/* Those that are not among the first `count` of the scratch. */
static void keep_members(struct entities *self, uint32_t group, uint32_t count)
{
    const struct entities_numbers stay = {self->scratch, count, count};
    struct entities_numbers *members = &self->items[group].members;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < members->count; i++) {
        if (entities_numbers_has(&stay, members->at[i]))
            members->at[kept++] = members->at[i];
        else
            untie(self, group, members->at[i]);
    }
    members->count = kept;
    if (kept == 0)
        entities_numbers_free(members);
}

void entities_link(struct entities *self, const struct guid *group_guid, enum entity_link link,
                   enum entities_links what, const struct guid *members, uint32_t count)
{
    if (link != LINK_MEMBER || (count == 0 && what != ENTITIES_ALL))
        return;
    uint32_t group = make_item(self, group_guid);
    if (!group || !take_numbers(self, members, count, what != ENTITIES_DROP)) {
        self->refused += count;
        return;
    }
    if (self->items[group].flags & ITEM_DELETED)
        return;
    count = entities_numbers_sort(self->scratch, count);
    if (count && self->scratch[0] == 0) /* there is none, or no room for it */
        memmove(self->scratch, self->scratch + 1, --count * sizeof(*self->scratch));
    if (what == ENTITIES_DROP)
        drop_members(self, group, count);
    if (what == ENTITIES_ALL)
        keep_members(self, group, count);
    if (what != ENTITIES_DROP)
        add_members(self, group, count);
    self->state++;
}

/* --- entities --- */

static void count_as(struct entities *self, uint8_t before, uint8_t now)
{
    self->living -= before == ITEM_KNOWN;
    self->living += now == ITEM_KNOWN;
    self->deleted -= (before & ITEM_DELETED) != 0;
    self->deleted += (now & ITEM_DELETED) != 0;
}

static void bury(struct entities *self, uint32_t number)
{
    struct item *item = &self->items[number];
    uint8_t before = item->flags;
    drop_details(self, number);
    drop_links(self, number);
    item->flags = ITEM_KNOWN | ITEM_DELETED;
    count_as(self, before, item->flags);
    self->state++;
}

void entities_remove(struct entities *self, const struct guid *guid)
{
    uint32_t number = make_item(self, guid);
    if (number)
        bury(self, number);
}

void entities_put(struct entities *self, const struct entity *entity)
{
    if (entity->deleted) {
        entities_remove(self, &entity->guid);
        return;
    }
    learn_domain(self, entity);
    uint32_t number = make_item(self, &entity->guid), domain = make_domain(self, entity->domain);
    if (!number)
        return;
    drop_details(self, number);
    put_details(self, number, entity, domain);
    struct item *item = &self->items[number];
    uint8_t before = item->flags;
    item->created = (int64_t)number_of(entity, ENTITY_WHEN_CREATED);
    item->password_set = (int64_t)number_of(entity, ENTITY_PASSWORD_LAST_SET);
    item->facts = facts_of(entity);
    item->sensitive_account = sensitivity_of_account(entity);
    item->etypes = (uint32_t)number_of(entity, ENTITY_ENCRYPTION_TYPES);
    item->primary_group = (uint32_t)number_of(entity, ENTITY_PRIMARY_GROUP_ID);
    item->domain = (uint16_t)domain;
    item->kind = (uint8_t)entity->kind;
    item->flags = ITEM_KNOWN;
    count_as(self, before, item->flags);
    self->state++;
}

/* --- marks by hand --- */

/* Their places are from 1. */
static struct entities_tag *find_tag(const struct entities *self, uint64_t key)
{
    uint32_t at = 0, place = entities_names_next(&self->tag_places, key, &at);
    return place ? &self->tags[place - 1] : NULL;
}

static bool make_room_for_tag(struct entities *self)
{
    if (self->tag_count < self->tag_capacity)
        return true;
    uint32_t capacity = self->tag_capacity ? self->tag_capacity * 2 : 64;
    struct entities_tag *tags = realloc(self->tags, capacity * sizeof(*tags));
    if (!tags)
        return false;
    self->tags = tags;
    self->tag_capacity = capacity;
    return true;
}

static struct entities_tag *make_tag(struct entities *self, uint64_t key)
{
    struct entities_tag *tag = find_tag(self, key);
    if (tag)
        return tag;
    if (self->tag_count == ENTITIES_TAGS_MAX || !make_room_for_tag(self) ||
        !entities_names_add(&self->tag_places, key, self->tag_count + 1))
        return NULL;
    tag = &self->tags[self->tag_count++];
    *tag = (struct entities_tag){.key = key};
    return tag;
}

uint32_t entities_tagged(const struct entities *self, uint64_t key)
{
    const struct entities_tag *tag = self->tag_count ? find_tag(self, key) : NULL;
    return tag ? tag->facts : 0;
}

bool entities_tag(struct entities *self, const struct guid *guid, struct bytes name, struct bytes domain,
                  uint32_t facts)
{
    if (facts & ~(uint32_t)FACTS_BY_HAND || facts == 0 || (!guid && name.size == 0))
        return false;
    uint64_t key = guid ? entities_key(self, BY_GUID, 0, (struct bytes){guid->bytes, GUID_SIZE})
                        : entities_tag_key(self, name, domain);
    struct entities_tag *tag = make_tag(self, key);
    self->state++;
    if (tag)
        tag->facts |= facts;
    return tag != NULL;
}

void entities_forget_tags(struct entities *self)
{
    entities_names_free(&self->tag_places);
    self->tag_count = 0;
    self->state++;
}

/* --- batches --- */

static void take_targets(struct entities *self, struct cursor at, uint32_t left, enum entities_links what)
{
    struct guid *targets = self->targets;
    uint32_t count = 0;
    const struct entity_batch_record *record = self->record;
    while (entity_batch_next_target(&at, &left, &targets[count])) {
        if (++count < ENTITY_BATCH_LINKS_MAX)
            continue;
        entities_link(self, &record->guid, record->link, what, targets, count);
        what = what == ENTITIES_ALL ? ENTITIES_ADD : what;
        count = 0;
    }
    entities_link(self, &record->guid, record->link, what, targets, count);
}

static void take_record(struct entities *self, const struct entity_batch_reader *reader,
                        struct entities_taken *taken)
{
    const char *domain = entity_batch_reader_header(reader)->token.domain;
    const struct entity_batch_record *record = self->record;
    switch (record->kind) {
    case ENTITY_BATCH_ENTITY:
        entities_put(self, &record->entity);
        taken->entities++;
        break;
    case ENTITY_BATCH_REMOVED:
        entities_remove(self, &record->guid);
        taken->removed++;
        break;
    case ENTITY_BATCH_LINKS:
        take_targets(self, record->removed_at, record->removed, ENTITIES_DROP);
        if (record->all || record->added)
            take_targets(self, record->added_at, record->added, record->all ? ENTITIES_ALL : ENTITIES_ADD);
        taken->links++;
        break;
    case ENTITY_BATCH_WHOLE:
        entities_set_whole(self, (struct bytes){(const uint8_t *)domain, strlen(domain)});
        break;
    default:
        taken->skipped++;
        break;
    }
}

bool entities_take(struct entities *self, struct entity_batch_reader *reader, struct bytes batch,
                   struct entities_taken *taken)
{
    struct entities_taken ignored = {0};
    bool damaged = false;
    while (batch.size && entity_batch_reader_feed(reader, &batch) == BATCH_READY) {
        while (entity_batch_reader_next(reader, self->record, &damaged))
            take_record(self, reader, taken ? taken : &ignored);
        if (damaged)
            return false;
    }
    return batch.size == 0 && entity_batch_reader_at_boundary(reader);
}

void entities_status(const struct entities *self, struct entities_status *status)
{
    *status = (struct entities_status){.entities = self->living,
                                       .deleted = self->deleted,
                                       .domains = self->domain_count,
                                       .memberships = self->memberships,
                                       .refused = self->refused};
    for (uint32_t i = 1; i <= self->domain_count; i++)
        status->whole_domains += self->domains[i].whole;
    /* What stands on the heap takes 16 bytes more each; sets hold half as much again as they need. */
    status->bytes = (uint64_t)self->capacity * sizeof(struct item) + entities_names_bytes(&self->names) +
                    self->details_bytes + self->living * UINT64_C(60) + self->memberships * 12;
}
