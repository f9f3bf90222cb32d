/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/ldap_filter.h"

#include "sync/distinguished_name.h"

#include <stdio.h>
#include <string.h>

#define DEPTH_MAX 64u
#define FEW       20u /* entries that a look-up of named objects may give */

static const struct {
    const char *words;
    unsigned weight;
} families[LDAP_FAMILIES] = {
    [LDAP_USERS] = {"all users", 2},
    [LDAP_GROUPS] = {"all groups", 2},
    [LDAP_COMPUTERS] = {"all computers", 2},
    [LDAP_UNITS] = {"organizational units", 1},
    [LDAP_POLICIES] = {"group policies", 1},
    [LDAP_TRUSTS] = {"trusts", 1},
    [LDAP_CONTROLLERS] = {"domain controllers", 1},
    [LDAP_EVERYTHING] = {"all objects", 3},
    [LDAP_SERVICES] = {"accounts with service principals", 3},
    [LDAP_NO_PREAUTH] = {"accounts without pre-authentication", 3},
    [LDAP_DELEGATION] = {"accounts trusted for delegation", 3},
    [LDAP_ADMINS] = {"protected accounts (adminCount)", 3},
    [LDAP_SENSITIVE] = {"a sensitive group", 3},
    [LDAP_DNS] = {"the DNS zones in the directory", 3},
    [LDAP_MANAGED] = {"managed service accounts", 2},
    [LDAP_DESCRIPTORS] = {"security descriptors of many objects", 2},
    [LDAP_ANONYMOUS] = {"objects without authentication", 2},
};

const char *ldap_family_words(unsigned family)
{
    return family < LDAP_FAMILIES ? families[family].words : NULL;
}

unsigned ldap_family_weight(unsigned family)
{
    return family < LDAP_FAMILIES ? families[family].weight : 0;
}

unsigned ldap_weight(uint32_t bits)
{
    unsigned weight = 0;
    for (unsigned i = 0; i < LDAP_FAMILIES; i++)
        weight += bits & 1u << i ? families[i].weight : 0;
    return weight;
}

void ldap_families_text(uint32_t bits, char *to, size_t capacity)
{
    to[0] = '\0';
    for (unsigned i = 0; i < LDAP_FAMILIES; i++) {
        size_t used = strlen(to);
        if (bits & 1u << i)
            snprintf(to + used, capacity - used, "%s%s", used ? ", " : "", families[i].words);
    }
}

/* -- filters --------------------------------------------------------------------------------------------- */

static struct ldap_item item_of(struct bytes text, bool negated)
{
    struct ldap_item item = {.negated = negated};
    const uint8_t *equals = text.size ? memchr(text.data, '=', text.size) : NULL;
    if (!equals)
        return item;
    size_t name = (size_t)(equals - text.data);
    item.value = (struct bytes){equals + 1, text.size - name - 1};
    /* >=, <=, ~= and the := of a matching rule */
    while (name && (text.data[name - 1] == '>' || text.data[name - 1] == '<' || text.data[name - 1] == '~' ||
                    text.data[name - 1] == ':'))
        name--;
    item.attribute = (struct bytes){text.data, name};
    return item;
}

/* Without recursion; parentheses inside values are escaped by whoever wrote the text. What is deeper than can
 * be kept counts as not negated. */
void ldap_filter_each(struct bytes filter, bool (*visit)(void *context, const struct ldap_item *item),
                      void *context)
{
    uint64_t negations = 0; /* a bit for each level */
    unsigned depth = 0;
    size_t start = 0;
    bool open = false;
    for (size_t i = 0; i < filter.size; i++) {
        uint8_t c = filter.data[i];
        if (c == '(') {
            depth++;
            start = i + 1;
            open = true;
            if (depth < DEPTH_MAX)
                negations &= ~(UINT64_C(1) << depth);
        } else if (open && i == start && c == '!') {
            negations |= depth < DEPTH_MAX ? UINT64_C(1) << depth : 0;
        } else if (c == ')') {
            struct bytes text = {filter.data + start, i - start};
            struct ldap_item item = item_of(text, negations != 0);
            if (open && item.attribute.size && visit(context, &item))
                return;
            negations &= depth < DEPTH_MAX ? ~(UINT64_C(1) << depth) : negations;
            depth -= depth ? 1 : 0;
            open = false;
        }
    }
}

/* -- families -------------------------------------------------------------------------------------------- */

struct found {
    uint32_t families;
    bool specific; /* it names an object */
};

static uint32_t bit(enum ldap_family family)
{
    return 1u << family;
}

static uint32_t by_class(struct bytes value)
{
    return text_is(value, "user") || text_is(value, "person") || text_is(value, "inetOrgPerson") ||
                   text_is(value, "organizationalPerson") || text_begins(value, "CN=Person,")
               ? bit(LDAP_USERS)
           : text_is(value, "group") || text_begins(value, "CN=Group,")       ? bit(LDAP_GROUPS)
           : text_is(value, "computer") || text_begins(value, "CN=Computer,") ? bit(LDAP_COMPUTERS)
           : text_is(value, "organizationalUnit")                             ? bit(LDAP_UNITS)
           : text_is(value, "groupPolicyContainer")                           ? bit(LDAP_POLICIES)
           : text_is(value, "trustedDomain")                                  ? bit(LDAP_TRUSTS)
           : text_is(value, "dnsNode") || text_is(value, "dnsZone")           ? bit(LDAP_DNS)
           : text_is(value, "msDS-GroupManagedServiceAccount")                ? bit(LDAP_MANAGED)
           : text_is(value, "nTDSDSA")                                        ? bit(LDAP_CONTROLLERS)
                                                                              : 0;
}

/* [MS-SAMR] 2.2.1.9 */
static uint32_t by_account_type(struct bytes value)
{
    return text_is(value, "805306368")                                        ? bit(LDAP_USERS)
           : text_is(value, "805306369")                                      ? bit(LDAP_COMPUTERS)
           : text_is(value, "805306370")                                      ? bit(LDAP_TRUSTS)
           : text_begins(value, "26843545") || text_begins(value, "53687091") ? bit(LDAP_GROUPS)
                                                                              : 0;
}

/* [MS-ADTS] 2.2.16, asked for bit by bit */
static uint32_t by_control(struct bytes value)
{
    return text_is(value, "4194304")                                ? bit(LDAP_NO_PREAUTH)
           : text_is(value, "524288") || text_is(value, "16777216") ? bit(LDAP_DELEGATION)
           : text_is(value, "8192")                                 ? bit(LDAP_CONTROLLERS)
                                                                    : 0;
}

static bool has_wildcard(struct bytes value)
{
    return value.size && memchr(value.data, '*', value.size);
}

static bool names_objects(struct bytes attribute)
{
    static const char *const naming[] = {"sAMAccountName",
                                         "cn",
                                         "name",
                                         "distinguishedName",
                                         "userPrincipalName",
                                         "mail",
                                         "objectGUID",
                                         "objectSid",
                                         "uid",
                                         "dNSHostName",
                                         "displayName",
                                         "msDS-PrincipalName",
                                         "employeeID",
                                         "anr",
                                         "proxyAddresses",
                                         "memberOf",
                                         "member",
                                         "ou",
                                         "netbiosName"};
    for (unsigned i = 0; i < sizeof(naming) / sizeof(*naming); i++)
        if (text_is(attribute, naming[i]))
            return true;
    return false;
}

static uint32_t by_value(const struct ldap_item *item)
{
    struct bytes name = item->attribute, value = item->value;
    if (text_is(name, "objectClass") || text_is(name, "objectCategory"))
        return text_is(value, "*") ? bit(LDAP_EVERYTHING) : by_class(value);
    if (text_is(name, "sAMAccountType"))
        return by_account_type(value);
    if (text_begins(name, "userAccountControl"))
        return by_control(value);
    if (text_is(name, "servicePrincipalName"))
        return has_wildcard(value) ? bit(LDAP_SERVICES) : 0;
    if (text_begins(name, "msDS-AllowedTo"))
        return has_wildcard(value) ? bit(LDAP_DELEGATION) : 0;
    if (text_is(name, "adminCount"))
        return bit(LDAP_ADMINS);
    if ((text_is(name, "sAMAccountName") || text_is(name, "cn") || text_is(name, "name")) &&
        is_sensitive_group((struct bytes){0}, value))
        return bit(LDAP_SENSITIVE);
    if (text_begins(name, "memberOf") || text_is(name, "distinguishedName"))
        return is_sensitive_group((struct bytes){0}, dn_first_value(value)) ? bit(LDAP_SENSITIVE) : 0;
    return 0;
}

static bool look_at(void *context, const struct ldap_item *item)
{
    struct found *found = context;
    if (item->negated)
        return false;
    found->families |= by_value(item);
    found->specific |= names_objects(item->attribute) && !has_wildcard(item->value);
    return false;
}

uint32_t ldap_families(const struct observation *o)
{
    struct bytes base = observation_text(o, FIELD_SEARCH_BASE);
    uint64_t entries = observation_uint(o, FIELD_ENTRIES, 0);
    struct found found = {0};
    /* One object by its name; of the root DSE and the schema everybody reads. */
    if (observation_uint(o, FIELD_SEARCH_SCOPE, 2) == 0 || text_has(base, "CN=Schema,CN=Configuration") ||
        text_has(base, "CN=Public Key Services,"))
        return 0;
    ldap_filter_each(observation_text(o, FIELD_SEARCH_FILTER), look_at, &found);
    if (found.specific && entries <= FEW)
        return found.families & bit(LDAP_SENSITIVE);
    if (found.families & ~bit(LDAP_EVERYTHING))
        found.families &= ~bit(LDAP_EVERYTHING); /* objectClass=* and something else */
    /* Below one object of its own, as of a policy or a zone, is not everything. */
    if (found.families & bit(LDAP_EVERYTHING) && (!text_begins(base, "DC=") || entries <= FEW))
        found.families &= ~bit(LDAP_EVERYTHING);
    if (observation_uint(o, FIELD_SD_FLAGS, 0) & 4 && entries > FEW && found.families)
        found.families |= bit(LDAP_DESCRIPTORS);
    if (found.families && !party_is(&o->account) && observation_uint(o, FIELD_STATUS, 0) == 1)
        found.families |= bit(LDAP_ANONYMOUS); /* operationsError: Active Directory wants a bind first */
    return found.families;
}
