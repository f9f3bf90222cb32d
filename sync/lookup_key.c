/* SPDX-License-Identifier: Apache-2.0
 *
 * The names that are looked up: their normal form, the filter that asks for them, and which of them an object
 * answers.
 */
#include "base/text.h"
#include "base/utf8.h"
#include "sync/lookup.h"
#include "sync/service_name.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* sAMAccountName of a computer is its NetBIOS name and a $: what is longer is no computer's. */
#define COMPUTER_NAME_MAX 15u

/* Folded text, well formed, without control characters. */
static bool put_folded(uint8_t *to, size_t capacity, struct bytes text)
{
    if (text.size > capacity)
        return false;
    for (size_t i = 0; i < text.size;) {
        uint32_t code;
        bool valid;
        size_t step = utf8_decode(text.data + i, text.size - i, &code, &valid);
        if (!valid || code < 0x20 || code == 0x7f)
            return false;
        i += step;
    }
    entity_fold(to, text);
    return true;
}

static struct bytes without_final_dot(struct bytes text)
{
    if (text.size > 0 && text.data[text.size - 1] == '.')
        text.size--;
    return text;
}

static bool has(struct bytes text, char c)
{
    return text.size > 0 && memchr(text.data, c, text.size);
}

static bool shape(enum lookup_kind kind, struct bytes *text)
{
    struct service_name name;
    switch (kind) {
    case LOOKUP_ACCOUNT:
    case LOOKUP_DN:
        return true;
    case LOOKUP_UPN:
        return has(*text, '@') && text->data[0] != '@';
    case LOOKUP_SPN:
        if (!service_name_parse(*text, &name))
            return false;
        text->size = (size_t)(name.rest.data + name.rest.size - text->data);
        return true;
    case LOOKUP_DNS_NAME:
        *text = without_final_dot(*text);
        return text->size > 0;
    default:
        return false;
    }
}

bool lookup_key_text(struct lookup_key *key, enum lookup_kind kind, struct bytes text, struct bytes domain)
{
    memset(key, 0, sizeof(*key));
    domain = without_final_dot(domain);
    if (text.size == 0 || !shape(kind, &text))
        return false;
    if (!put_folded(key->value, LOOKUP_VALUE_MAX, text) ||
        !put_folded((uint8_t *)key->domain, sizeof(key->domain) - 1, domain))
        return false;
    key->kind = kind;
    key->size = (uint16_t)text.size;
    return true;
}

bool lookup_key_sid(struct lookup_key *key, struct bytes sid)
{
    memset(key, 0, sizeof(*key));
    if (sid.size == 0 || sid_size(sid.data, sid.size) != sid.size)
        return false;
    key->kind = LOOKUP_SID;
    key->size = (uint16_t)sid.size;
    memcpy(key->value, sid.data, sid.size);
    return true;
}

bool lookup_key_guid(struct lookup_key *key, const struct guid *guid)
{
    static const struct guid none;
    memset(key, 0, sizeof(*key));
    if (memcmp(guid, &none, sizeof(none)) == 0)
        return false;
    key->kind = LOOKUP_GUID;
    key->size = GUID_SIZE;
    memcpy(key->value, guid->bytes, GUID_SIZE);
    return true;
}

uint64_t lookup_key_hash(const struct lookup_key *key, uint64_t seed)
{
    size_t domain = key->domain[0] ? strnlen(key->domain, sizeof(key->domain)) : 0;
    if (domain)
        seed ^= XXH3_64bits_withSeed(key->domain, domain, seed);
    return XXH3_64bits_withSeed(key->value, key->size, seed + (uint64_t)key->kind);
}

/* --- the filter --- */

/* RFC 4515 section 3: what must be escaped in a value. */
static void put_escaped(struct text *t, struct bytes value)
{
    for (size_t i = 0; i < value.size; i++) {
        uint8_t c = value.data[i];
        if (c == '*' || c == '(' || c == ')' || c == '\\' || c < 0x20 || c == 0x7f) {
            text_char(t, '\\');
            text_hex(t, (struct bytes){&c, 1});
        } else {
            text_char(t, (char)c);
        }
    }
}

static void put_binary(struct text *t, struct bytes value)
{
    for (size_t i = 0; i < value.size; i++) {
        text_char(t, '\\');
        text_hex(t, (struct bytes){value.data + i, 1});
    }
}

static void put_term(struct text *t, const char *attribute, struct bytes value, const char *suffix)
{
    text_char(t, '(');
    text_string(t, attribute);
    text_char(t, '=');
    put_escaped(t, value);
    text_string(t, suffix);
    text_char(t, ')');
}

static struct bytes value_of(const struct lookup_key *key)
{
    return (struct bytes){key->value, key->size};
}

/* A name without $ may be a computer's, which people and NTLM write without it. */
static bool may_lack_dollar(struct bytes account)
{
    return account.size <= COMPUTER_NAME_MAX && account.data[account.size - 1] != '$';
}

static void put_account(struct text *t, struct bytes account)
{
    put_term(t, "sAMAccountName", account, "");
    if (may_lack_dollar(account))
        put_term(t, "sAMAccountName", account, "$");
}

/* account@domain is the name of an account without having been given to it ([MS-ADTS] 5.1.1.1.1). */
static struct bytes implicit_account(struct bytes upn, struct bytes *domain)
{
    const uint8_t *at = upn.data + upn.size;
    while (at[-1] != '@')
        at--;
    *domain = (struct bytes){at, (size_t)(upn.data + upn.size - at)};
    return (struct bytes){upn.data, (size_t)(at - 1 - upn.data)};
}

static void put_upn(struct text *t, struct bytes upn)
{
    struct bytes domain;
    put_term(t, "userPrincipalName", upn, "");
    put_term(t, "sAMAccountName", implicit_account(upn, &domain), "");
}

static void put_spn(struct text *t, struct bytes spn)
{
    struct service_name name;
    put_term(t, "servicePrincipalName", spn, "");
    if (!service_name_parse(spn, &name) || !service_name_is_mapped(name.service))
        return;
    text_string(t, "(servicePrincipalName=host/");
    put_escaped(t, name.host);
    put_escaped(t, name.rest);
    text_char(t, ')');
}

static void put_key(struct text *t, const struct lookup_key *key)
{
    struct bytes value = value_of(key);
    switch (key->kind) {
    case LOOKUP_SID:
    case LOOKUP_GUID:
        text_string(t, key->kind == LOOKUP_SID ? "(objectSid=" : "(objectGUID=");
        put_binary(t, value);
        text_char(t, ')');
        break;
    case LOOKUP_ACCOUNT:
        put_account(t, value);
        break;
    case LOOKUP_UPN:
        put_upn(t, value);
        break;
    case LOOKUP_SPN:
        put_spn(t, value);
        break;
    case LOOKUP_DN:
        put_term(t, "distinguishedName", value, "");
        break;
    default:
        put_term(t, "dNSHostName", value, "");
    }
}

bool lookup_filter(char *to, size_t capacity, const struct lookup_key *keys, uint32_t count)
{
    struct text t = text_to(to, capacity);
    text_string(&t, "(|");
    for (uint32_t i = 0; i < count; i++)
        put_key(&t, &keys[i]);
    text_char(&t, ')');
    return text_end(&t) < capacity;
}

/* --- which keys an object answers --- */

static bool same_text(struct bytes folded, struct bytes other)
{
    uint8_t text[LOOKUP_VALUE_MAX];
    if (folded.size != other.size || other.size > sizeof(text))
        return false;
    if (other.size == 0)
        return true;
    entity_fold(text, other);
    return memcmp(folded.data, text, other.size) == 0;
}

static struct bytes attribute_of(const struct entity_change *change, enum entity_attribute attribute)
{
    if (change->attributes[attribute].count == 0)
        return (struct bytes){0};
    return change->attributes[attribute].values[0].bytes;
}

static struct bytes first_label(struct bytes name)
{
    const uint8_t *dot = name.size ? memchr(name.data, '.', name.size) : NULL;
    return (struct bytes){name.data, dot ? (size_t)(dot - name.data) : name.size};
}

static bool in_domain(struct bytes asked, const struct lookup_domain *domain)
{
    if (asked.size == 0 || same_text(asked, domain->dns))
        return true;
    return !has(asked, '.') &&
           same_text(asked, domain->netbios.size ? domain->netbios : first_label(domain->dns));
}

static bool is_account(struct bytes name, const struct entity_change *change)
{
    struct bytes account = attribute_of(change, ENTITY_SAM_ACCOUNT_NAME);
    if (account.size == 0)
        return false;
    if (same_text(name, account))
        return true;
    if (!may_lack_dollar(name) || account.data[account.size - 1] != '$')
        return false;
    account.size--;
    return same_text(name, account);
}

static bool is_upn(struct bytes upn, const struct entity_change *change, const struct lookup_domain *home)
{
    struct bytes domain, account = implicit_account(upn, &domain);
    if (same_text(upn, attribute_of(change, ENTITY_USER_PRINCIPAL_NAME)))
        return true;
    return same_text(domain, home->dns) && same_text(account, attribute_of(change, ENTITY_SAM_ACCOUNT_NAME));
}

static bool is_host_name_of(struct bytes spn, struct bytes owned)
{
    struct service_name asked, given;
    return service_name_parse(spn, &asked) && service_name_parse(owned, &given) &&
           service_name_is(given.service, "host") && service_name_is_mapped(asked.service) &&
           same_text(asked.host, given.host) && same_text(asked.rest, given.rest);
}

static bool is_spn(struct bytes spn, const struct entity_change *change)
{
    const struct entity_value *values = change->attributes[ENTITY_SERVICE_PRINCIPAL_NAMES].values;
    for (uint32_t i = 0; i < change->attributes[ENTITY_SERVICE_PRINCIPAL_NAMES].count; i++)
        if (same_text(spn, values[i].bytes) || is_host_name_of(spn, values[i].bytes))
            return true;
    return false;
}

static bool answers(const struct lookup_key *key, const struct entity_change *change,
                    const struct lookup_domain *domain)
{
    struct bytes value = value_of(key);
    struct bytes sid = attribute_of(change, ENTITY_OBJECT_SID);
    switch (key->kind) {
    case LOOKUP_SID:
        return sid.size == value.size && memcmp(sid.data, value.data, value.size) == 0;
    case LOOKUP_GUID:
        return memcmp(change->guid.bytes, value.data, GUID_SIZE) == 0;
    case LOOKUP_DN:
        return same_text(value, change->dn);
    default:
        break;
    }
    if (!in_domain((struct bytes){(const uint8_t *)key->domain, strlen(key->domain)}, domain))
        return false;
    switch (key->kind) {
    case LOOKUP_ACCOUNT:
        return is_account(value, change);
    case LOOKUP_UPN:
        return is_upn(value, change, domain);
    case LOOKUP_SPN:
        return is_spn(value, change);
    default:
        return same_text(value, attribute_of(change, ENTITY_DNS_HOST_NAME));
    }
}

uint64_t lookup_matches(const struct lookup_key *keys, uint32_t count, const struct entity_change *change,
                        const struct lookup_domain *domain)
{
    uint64_t found = 0;
    for (uint32_t i = 0; i < count && i < LOOKUP_KEYS_MAX; i++)
        if (answers(&keys[i], change, domain))
            found |= UINT64_C(1) << i;
    return found;
}
