/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/entity.h"

#include "base/text.h"
#include "base/utf8.h"
#include "sync/entity_value.h"

#include <strings.h>

static const struct entity_attribute_info attributes[ENTITY_ATTRIBUTES] = {
#define ATTRIBUTE(id, ldap_name, field_name, value_type, text)                                               \
    [ENTITY_##id] = {.ldap = ldap_name, .field = field_name, .type = TYPE_##value_type, .doc = text},
#define LINK(id, ldap, field, doc)
#include "sync/entity_attributes.def"
#undef ATTRIBUTE
#undef LINK
};

static const struct entity_attribute_info links[ENTITY_LINKS] = {
#define ATTRIBUTE(id, ldap, field, type, doc)
#define LINK(id, ldap_name, field_name, text)                                                                \
    [LINK_##id] = {.ldap = ldap_name, .field = field_name, .type = TYPE_UUID, .doc = text},
#include "sync/entity_attributes.def"
#undef ATTRIBUTE
#undef LINK
};

static const char *const kinds[ENTITY_KINDS] = {
    [ENTITY_OTHER] = "other",
    [ENTITY_USER] = "user",
    [ENTITY_COMPUTER] = "computer",
    [ENTITY_GROUP] = "group",
    [ENTITY_MANAGED_ACCOUNT] = "managed_account",
    [ENTITY_FOREIGN_PRINCIPAL] = "foreign_principal",
    [ENTITY_CONTACT] = "contact",
    [ENTITY_ORGANIZATIONAL_UNIT] = "organizational_unit",
    [ENTITY_CONTAINER] = "container",
    [ENTITY_DOMAIN] = "domain",
    [ENTITY_TRUST] = "trust",
    [ENTITY_SITE] = "site",
    [ENTITY_SUBNET] = "subnet",
    [ENTITY_SERVER] = "server",
    [ENTITY_PASSWORD_POLICY] = "password_policy",
    [ENTITY_GROUP_POLICY] = "group_policy",
    [ENTITY_PARTITION] = "partition",
};

/* The first of these that an object has decides: a computer is a user too, a managed account a computer. */
static const struct {
    const char *name;
    enum entity_kind kind;
} kind_classes[] = {
    {"msDS-GroupManagedServiceAccount", ENTITY_MANAGED_ACCOUNT},
    {"msDS-DelegatedManagedServiceAccount", ENTITY_MANAGED_ACCOUNT},
    {"msDS-ManagedServiceAccount", ENTITY_MANAGED_ACCOUNT},
    {"computer", ENTITY_COMPUTER},
    {"user", ENTITY_USER},
    {"group", ENTITY_GROUP},
    {"foreignSecurityPrincipal", ENTITY_FOREIGN_PRINCIPAL},
    {"contact", ENTITY_CONTACT},
    {"trustedDomain", ENTITY_TRUST},
    {"msDS-PasswordSettings", ENTITY_PASSWORD_POLICY},
    {"groupPolicyContainer", ENTITY_GROUP_POLICY}, /* a container too */
    {"crossRef", ENTITY_PARTITION},
    {"server", ENTITY_SERVER},
    {"nTDSDSA", ENTITY_SERVER},
    {"site", ENTITY_SITE},
    {"subnet", ENTITY_SUBNET},
    {"organizationalUnit", ENTITY_ORGANIZATIONAL_UNIT},
    {"domainDNS", ENTITY_DOMAIN},
    {"container", ENTITY_CONTAINER},
    {"builtinDomain", ENTITY_CONTAINER},
    {"lostAndFound", ENTITY_CONTAINER},
    {"configuration", ENTITY_CONTAINER},
    {"sitesContainer", ENTITY_CONTAINER},
    {"subnetContainer", ENTITY_CONTAINER},
    {"serversContainer", ENTITY_CONTAINER},
    {"crossRefContainer", ENTITY_CONTAINER},
    {"msDS-PasswordSettingsContainer", ENTITY_CONTAINER},
    {"msDS-QuotaContainer", ENTITY_CONTAINER},
    {"infrastructureUpdate", ENTITY_OTHER},
};

const char *entity_kind_name(enum entity_kind kind)
{
    return (unsigned)kind < ENTITY_KINDS ? kinds[kind] : "other";
}

enum entity_kind entity_kind_by_name(const char *name, size_t size)
{
    for (unsigned kind = 0; kind < ENTITY_KINDS; kind++) {
        if (strlen(kinds[kind]) == size && memcmp(kinds[kind], name, size) == 0)
            return (enum entity_kind)kind;
    }
    return ENTITY_KINDS;
}

static bool is_name(const char *name, const void *text, size_t size)
{
    return strlen(name) == size && strncasecmp(name, text, size) == 0;
}

enum entity_kind entity_kind_of_classes(const struct bytes *classes, uint32_t count)
{
    for (size_t i = 0; i < sizeof kind_classes / sizeof kind_classes[0]; i++) {
        for (uint32_t j = 0; j < count; j++) {
            if (is_name(kind_classes[i].name, classes[j].data, classes[j].size))
                return kind_classes[i].kind;
        }
    }
    return ENTITY_OTHER;
}

const struct entity_attribute_info *entity_attribute_info(enum entity_attribute attribute)
{
    return (unsigned)attribute < ENTITY_ATTRIBUTES ? &attributes[attribute] : NULL;
}

const struct entity_attribute_info *entity_link_info(enum entity_link link)
{
    return (unsigned)link < ENTITY_LINKS ? &links[link] : NULL;
}

/* "member;range=0-1499" is "member". */
static size_t without_options(const void *name, size_t size)
{
    const char *end = memchr(name, ';', size);
    return end ? (size_t)(end - (const char *)name) : size;
}

enum entity_attribute entity_attribute_by_ldap(const void *name, size_t size)
{
    size = without_options(name, size);
    unsigned i = 0;
    while (i < ENTITY_ATTRIBUTES && !is_name(attributes[i].ldap, name, size))
        i++;
    return (enum entity_attribute)i;
}

enum entity_link entity_link_by_ldap(const void *name, size_t size)
{
    size = without_options(name, size);
    unsigned i = 0;
    while (i < ENTITY_LINKS && !is_name(links[i].ldap, name, size))
        i++;
    return (enum entity_link)i;
}

enum entity_link entity_link_by_name(const char *name, size_t size)
{
    unsigned i = 0;
    while (i < ENTITY_LINKS && !(strlen(links[i].field) == size && memcmp(links[i].field, name, size) == 0))
        i++;
    return (enum entity_link)i;
}

/* -- the form that travels ------------------------------------------------------------------------- */

static void put_pair(struct msgpack_writer *w, const char *field, struct bytes text)
{
    msgpack_put_text(w, field);
    msgpack_put_string(w, text.data, text.size);
}

static void put_dn(struct msgpack_writer *w, const struct entity *entity)
{
    char dn[2 * ENTITY_STRING_MAX + 2]; /* each half is a string of at most that */
    size_t size = entity_dn(entity, dn, sizeof dn);
    msgpack_put_text(w, "dn");
    msgpack_put_string(w, dn, size < sizeof dn ? size : sizeof dn - 1);
}

static uint32_t count_attributes(const struct entity *entity)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < ENTITY_PRESENT_WORDS; i++)
        count += (uint32_t)__builtin_popcountll(entity->present[i]);
    return count;
}

#define HEAD_PAIRS 10u

void entity_encode(struct msgpack_writer *w, const struct entity *entity)
{
    msgpack_put_map(w, HEAD_PAIRS + count_attributes(entity));
    msgpack_put_text(w, "v");
    msgpack_put_uint(w, ENTITY_VERSION);
    msgpack_put_text(w, "kind");
    msgpack_put_text(w, entity_kind_name(entity->kind));
    msgpack_put_text(w, "guid");
    msgpack_put_binary(w, entity->guid.bytes, GUID_SIZE);
    put_dn(w, entity);
    put_pair(w, "domain", entity->domain);
    msgpack_put_text(w, "looked_up");
    msgpack_put_bool(w, entity->origin == ENTITY_LOOKED_UP);
    msgpack_put_text(w, "deleted");
    msgpack_put_bool(w, entity->deleted);
    msgpack_put_text(w, "truncated");
    msgpack_put_bool(w, entity->truncated);
    msgpack_put_text(w, "seen");
    msgpack_put_int(w, entity->seen);
    msgpack_put_text(w, "changed");
    msgpack_put_int(w, entity->changed);
    for (unsigned i = 0; i < ENTITY_ATTRIBUTES; i++) {
        const struct activity_value *value = entity_get(entity, (enum entity_attribute)i);
        if (!value)
            continue;
        msgpack_put_text(w, attributes[i].field);
        entity_value_put(w, attributes[i].type, value);
    }
}

/* The head's fields, in the same place as the attributes while they are read. */
enum head {
    HEAD_V,
    HEAD_KIND,
    HEAD_GUID,
    HEAD_DN,
    HEAD_DOMAIN,
    HEAD_LOOKED_UP,
    HEAD_DELETED,
    HEAD_TRUNCATED,
    HEAD_SEEN,
    HEAD_CHANGED,
    HEADS
};

static const struct {
    const char *field;
    enum activity_type type;
} head_fields[HEADS] = {
    [HEAD_V] = {"v", TYPE_UINT},
    [HEAD_KIND] = {"kind", TYPE_STRING},
    [HEAD_GUID] = {"guid", TYPE_UUID},
    [HEAD_DN] = {"dn", TYPE_STRING},
    [HEAD_DOMAIN] = {"domain", TYPE_STRING},
    [HEAD_LOOKED_UP] = {"looked_up", TYPE_BOOL},
    [HEAD_DELETED] = {"deleted", TYPE_BOOL},
    [HEAD_TRUNCATED] = {"truncated", TYPE_BOOL},
    [HEAD_SEEN] = {"seen", TYPE_TIME},
    [HEAD_CHANGED] = {"changed", TYPE_TIME},
};

static bool is_field(const char *field, struct bytes name)
{
    return strlen(field) == name.size && memcmp(field, name.data, name.size) == 0;
}

static unsigned find_head(struct bytes name)
{
    unsigned i = 0;
    while (i < HEADS && !is_field(head_fields[i].field, name))
        i++;
    return i;
}

static unsigned find_attribute(struct bytes name, unsigned hint)
{
    /* Entities that we wrote have their attributes in order: most often it is one of the next few. */
    for (unsigned i = 0; i < ENTITY_ATTRIBUTES; i++) {
        unsigned at = (hint + i) % ENTITY_ATTRIBUTES;
        if (is_field(attributes[at].field, name))
            return at;
    }
    return ENTITY_ATTRIBUTES;
}

static bool take_head(struct entity *to, enum head field, const struct activity_value *value)
{
    switch (field) {
    case HEAD_V:
        return value->uint == ENTITY_VERSION;
    case HEAD_KIND: {
        enum entity_kind kind = entity_kind_by_name((const char *)value->bytes.data, value->bytes.size);
        to->kind = kind == ENTITY_KINDS ? ENTITY_OTHER : kind; /* one of a later version */
        return true;
    }
    case HEAD_GUID:
        memcpy(to->guid.bytes, value->bytes.data, GUID_SIZE);
        return true;
    case HEAD_DN:
        entity_dn_split(value->bytes, &to->rdn, &to->parent);
        return to->rdn.size <= ENTITY_STRING_MAX && to->parent.size <= ENTITY_STRING_MAX;
    case HEAD_DOMAIN:
        to->domain = value->bytes;
        return value->bytes.size <= ENTITY_STRING_MAX;
    case HEAD_LOOKED_UP:
        to->origin = value->boolean ? ENTITY_LOOKED_UP : ENTITY_REPLICATED;
        return true;
    case HEAD_DELETED:
        to->deleted = value->boolean;
        return true;
    case HEAD_TRUNCATED:
        to->truncated = value->boolean;
        return true;
    case HEAD_SEEN:
        to->seen = value->sint;
        return true;
    default:
        to->changed = value->sint;
        return true;
    }
}

static bool read_head(struct cursor *c, struct entity *to, unsigned head, uint32_t *seen)
{
    struct activity_value value;
    if (*seen >> head & 1 || !activity_read_value(c, head_fields[head].type, &value))
        return false;
    *seen |= 1u << head;
    return take_head(to, (enum head)head, &value);
}

static bool read_attribute(struct cursor *c, struct entity *to, unsigned attribute)
{
    uint64_t bit = UINT64_C(1) << (attribute % 64);
    if (to->present[attribute / 64] & bit ||
        !activity_read_value(c, attributes[attribute].type, &to->attributes[attribute]) ||
        !entity_value_bounded(attributes[attribute].type, &to->attributes[attribute]))
        return false;
    to->present[attribute / 64] |= bit;
    return true;
}

static bool read_entity(struct cursor *c, struct entity *to)
{
    struct msgpack_item map = msgpack_next(c);
    if (map.type != MSGPACK_MAP)
        return false;
    uint32_t seen = 0;
    unsigned next = 0;
    for (uint32_t i = 0; i < map.count; i++) {
        struct msgpack_item name = msgpack_next(c);
        if (name.type != MSGPACK_STRING)
            return false;
        unsigned head = find_head(name.bytes);
        unsigned attribute = head == HEADS ? find_attribute(name.bytes, next) : ENTITY_ATTRIBUTES;
        bool read;
        if (head != HEADS)
            read = read_head(c, to, head, &seen);
        else if (attribute != ENTITY_ATTRIBUTES)
            read = read_attribute(c, to, attribute);
        else
            read = msgpack_skip(c);
        if (!read)
            return false;
        next = attribute != ENTITY_ATTRIBUTES ? attribute + 1 : next;
    }
    const uint32_t needed = 1u << HEAD_V | 1u << HEAD_KIND | 1u << HEAD_GUID;
    return (seen & needed) == needed;
}

void entity_clear(struct entity *entity)
{
    memset(entity, 0, offsetof(struct entity, attributes)); /* those of `present` are the ones that count */
}

bool entity_decode(struct cursor *c, struct entity *to)
{
    const uint8_t *start = c->at;
    entity_clear(to);
    if (read_entity(c, to) && (size_t)(c->at - start) <= ENTITY_ENCODED_MAX)
        return true;
    cursor_fail(c);
    return false;
}

/* -- JSON ------------------------------------------------------------------------------------------- */

static void json_field(struct text *t, const char *field, enum activity_type type,
                       const struct activity_value *value)
{
    text_string(t, t->length > 1 ? ",\"" : "\"");
    text_string(t, field);
    text_string(t, "\":");
    activity_put_json(t, type, value);
}

static void json_bytes(struct text *t, const char *field, enum activity_type type, struct bytes bytes)
{
    json_field(t, field, type, &(struct activity_value){.bytes = bytes});
}

/* The directory writes a time that never was, or will be, as the first or last of its calendar; both are 0
 * here. */
static void json_attribute(struct text *t, enum entity_attribute attribute,
                           const struct activity_value *value)
{
    const struct entity_attribute_info *info = &attributes[attribute];
    if (info->type != TYPE_TIME || value->sint) {
        json_field(t, info->field, info->type, value);
        return;
    }
    text_string(t, ",\"");
    text_string(t, info->field);
    text_string(t, "\":null");
}

size_t entity_to_json(const struct entity *entity, char *to, size_t capacity)
{
    struct text t = text_to(to, capacity);
    const char *kind = entity_kind_name(entity->kind);
    char dn[2 * ENTITY_STRING_MAX + 2];
    size_t dn_size = entity_dn(entity, dn, sizeof dn);
    text_char(&t, '{');
    json_field(&t, "v", TYPE_UINT, &(struct activity_value){.uint = ENTITY_VERSION});
    json_bytes(&t, "kind", TYPE_STRING, (struct bytes){(const uint8_t *)kind, strlen(kind)});
    json_bytes(&t, "guid", TYPE_UUID, (struct bytes){entity->guid.bytes, GUID_SIZE});
    json_bytes(&t, "dn", TYPE_STRING,
               (struct bytes){(const uint8_t *)dn, dn_size < sizeof dn ? dn_size : sizeof dn - 1});
    json_bytes(&t, "domain", TYPE_STRING, entity->domain);
    json_field(&t, "looked_up", TYPE_BOOL,
               &(struct activity_value){.boolean = entity->origin == ENTITY_LOOKED_UP});
    json_field(&t, "deleted", TYPE_BOOL, &(struct activity_value){.boolean = entity->deleted});
    json_field(&t, "truncated", TYPE_BOOL, &(struct activity_value){.boolean = entity->truncated});
    json_field(&t, "seen", TYPE_TIME, &(struct activity_value){.sint = entity->seen});
    json_field(&t, "changed", TYPE_TIME, &(struct activity_value){.sint = entity->changed});
    for (unsigned i = 0; i < ENTITY_ATTRIBUTES; i++) {
        const struct activity_value *value = entity_get(entity, (enum entity_attribute)i);
        if (value)
            json_attribute(&t, (enum entity_attribute)i, value);
    }
    text_char(&t, '}');
    return text_end(&t);
}

/* -- names ------------------------------------------------------------------------------------------ */

size_t entity_dn(const struct entity *entity, char *to, size_t capacity)
{
    struct text t = text_to(to, capacity);
    text_put(&t, entity->rdn.data, entity->rdn.size);
    if (entity->parent.size) {
        text_char(&t, ',');
        text_put(&t, entity->parent.data, entity->parent.size);
    }
    return text_end(&t);
}

void entity_dn_split(struct bytes dn, struct bytes *rdn, struct bytes *parent)
{
    size_t at = 0;
    while (at < dn.size && dn.data[at] != ',')
        at += dn.data[at] == '\\' && at + 1 < dn.size ? 2 : 1;
    *rdn = (struct bytes){dn.data, at};
    *parent = (struct bytes){dn.data, 0};
    if (at < dn.size)
        *parent = (struct bytes){dn.data + at + 1, dn.size - at - 1};
}

const struct activity_value *entity_get(const struct entity *entity, enum entity_attribute attribute)
{
    if (!(entity->present[attribute / 64] >> (attribute % 64) & 1))
        return NULL;
    return &entity->attributes[attribute];
}

struct bytes entity_name(const struct entity *entity)
{
    const struct activity_value *account = entity_get(entity, ENTITY_SAM_ACCOUNT_NAME);
    if (account)
        return account->bytes;
    const uint8_t *equals = entity->rdn.size ? memchr(entity->rdn.data, '=', entity->rdn.size) : NULL;
    if (!equals)
        return entity->rdn;
    return (struct bytes){equals + 1, entity->rdn.size - (size_t)(equals + 1 - entity->rdn.data)};
}

/* [MS-ADTS] 2.2.16 */
#define SERVER_TRUST_ACCOUNT    0x2000u
#define PARTIAL_SECRETS_ACCOUNT 0x4000000u

static bool has_control(const struct entity *entity, uint64_t bit)
{
    const struct activity_value *control = entity_get(entity, ENTITY_USER_ACCOUNT_CONTROL);
    return control && control->uint & bit;
}

bool entity_is_domain_controller(const struct entity *entity)
{
    return has_control(entity, SERVER_TRUST_ACCOUNT);
}

bool entity_is_read_only_domain_controller(const struct entity *entity)
{
    return has_control(entity, PARTIAL_SECRETS_ACCOUNT);
}

void entity_fold(uint8_t *to, struct bytes name)
{
    utf8_fold(to, name.data, name.size);
}
