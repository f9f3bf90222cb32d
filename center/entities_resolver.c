/* SPDX-License-Identifier: Apache-2.0
 *
 * The entities as a resolver's directory.
 */
#include "center/entities_internal.h"

static void copy_text(char *to, size_t capacity, struct bytes text)
{
    size_t size = text.size < capacity ? text.size : 0; /* half a name is another name */
    if (size)
        memcpy(to, text.data, size);
    to[size] = '\0';
}

static void copy_item(const struct entities *self, uint32_t number, struct resolver_entity *to)
{
    const struct item *item = &self->items[number];
    const char *dns = item->domain ? self->domains[item->domain].dns : "";
    *to = (struct resolver_entity){.guid = item->guid,
                                   .kind = (enum entity_kind)item->kind,
                                   .is_controller = item->facts & FACT_CONTROLLER};
    copy_text(to->account, sizeof(to->account), item_account(item));
    copy_text(to->domain, sizeof(to->domain), (struct bytes){(const uint8_t *)dns, strlen(dns)});
    if (!item->details)
        return;
    memcpy(to->sid, item_sid(item), item->details->sid_size);
    to->sid_size = item->details->sid_size;
}

static uint32_t by_guid(const struct entities *self, const struct lookup_key *key, uint32_t *first)
{
    struct guid guid;
    memcpy(guid.bytes, key->value, GUID_SIZE);
    *first = entities_number(self, &guid);
    return *first && self->items[*first].flags & ITEM_KNOWN;
}

static uint32_t find_number(const struct entities *self, const struct lookup_key *key, uint32_t *first)
{
    struct bytes name = {key->value, key->size}, domain = {(const uint8_t *)key->domain, strlen(key->domain)};
    uint32_t count;
    switch (key->kind) {
    case LOOKUP_GUID:
        return by_guid(self, key, first);
    case LOOKUP_SID:
        return entities_by_name(self, BY_SID, name, (struct bytes){0}, first) > 0;
    case LOOKUP_ACCOUNT:
        count = entities_by_name(self, BY_ACCOUNT, name, domain, first);
        return count ? count : entities_by_name(self, BY_BARE, name, domain, first);
    case LOOKUP_UPN:
        return entities_by_upn(self, name, first);
    case LOOKUP_SPN:
        return entities_by_service(self, name, first);
    case LOOKUP_DNS_NAME:
        return entities_by_name(self, BY_DNS_NAME, name, (struct bytes){0}, first);
    case LOOKUP_DN:
        return entities_by_name(self, BY_DN, name, (struct bytes){0}, first);
    default:
        return 0;
    }
}

static uint32_t find(void *context, const struct lookup_key *key, struct resolver_entity *to)
{
    const struct entities *self = context;
    uint32_t first = 0, count = find_number(self, key, &first);
    if (count)
        copy_item(self, first, to);
    return count;
}

static bool find_domain(void *context, struct bytes name, struct resolver_domain *to)
{
    const struct entities *self = context;
    uint32_t number = entities_domain_of(self, name);
    *to = (struct resolver_domain){0};
    if (!number)
        return false;
    const struct entities_domain *domain = &self->domains[number];
    memcpy(to->dns, domain->dns, sizeof(to->dns));
    memcpy(to->sid, domain->sid, domain->sid_size);
    to->sid_size = domain->sid_size;
    return true;
}

struct resolver_directory entities_resolver_directory(struct entities *self)
{
    return (struct resolver_directory){.find = find, .domain = find_domain, .context = self};
}
