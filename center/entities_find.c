/* SPDX-License-Identifier: Apache-2.0
 *
 * Who bears a name, and who is in which group.
 */
#include "center/entities_internal.h"
#include "sync/service_name.h"

#include <stdio.h>
#include <stdlib.h>

#define WALK_MAX 65536u /* groups above one member */

/* --- names --- */

static bool is_living(const struct item *item)
{
    return item->flags == ITEM_KNOWN;
}

static uint32_t by_key(const struct entities *self, uint64_t key, uint32_t domain, uint32_t *first)
{
    uint32_t number, at = 0, count = 0;
    while ((number = entities_names_next(&self->names, key, &at)) != 0) {
        const struct item *item = &self->items[number];
        if (!is_living(item) || (domain && item->domain != domain))
            continue;
        if (count++ == 0)
            *first = number;
    }
    return count;
}

static uint32_t in_domains(const struct entities *self, enum entities_index index, struct bytes name,
                           uint32_t *first)
{
    uint32_t count = 0;
    for (uint32_t domain = 1; domain <= self->domain_count; domain++) {
        uint32_t found = 0, here = by_key(self, entities_key(self, index, domain, name), domain, &found);
        if (here && count == 0)
            *first = found;
        count += here;
    }
    return count;
}

uint32_t entities_by_name(const struct entities *self, enum entities_index index, struct bytes name,
                          struct bytes domain_name, uint32_t *first)
{
    uint32_t domain = domain_name.size ? entities_domain_of(self, domain_name) : 0;
    if (name.size == 0 || (domain_name.size && !domain))
        return 0;
    if (index != BY_ACCOUNT && index != BY_BARE)
        return by_key(self, entities_key(self, index, 0, name), domain, first);
    if (!domain)
        return in_domains(self, index, name, first);
    return by_key(self, entities_key(self, index, domain, name), domain, first);
}

uint32_t entities_by_upn(const struct entities *self, struct bytes name, uint32_t *first)
{
    uint32_t count = entities_by_name(self, BY_UPN, name, (struct bytes){0}, first);
    size_t at = name.size;
    while (at > 0 && name.data[at - 1] != '@')
        at--;
    if (count || at < 2 || at == name.size)
        return count;
    /* Without one of its own an account has the implicit one ([MS-ADTS] 5.1.1.1.1). */
    struct bytes account = {name.data, at - 1}, domain = {name.data + at, name.size - at};
    return entities_by_name(self, BY_ACCOUNT, account, domain, first);
}

uint32_t entities_by_service(const struct entities *self, struct bytes name, uint32_t *first)
{
    struct service_name parts;
    char host[512];
    if (!service_name_parse(name, &parts))
        return 0;
    struct bytes bare = {name.data,
                         (size_t)(parts.host.data - name.data) + parts.host.size + parts.rest.size};
    uint32_t count = entities_by_name(self, BY_SPN, bare, (struct bytes){0}, first);
    if (count || !service_name_is_mapped(parts.service))
        return count;
    int size = snprintf(host, sizeof(host), "host/%.*s%.*s", (int)parts.host.size, parts.host.data,
                        (int)parts.rest.size, parts.rest.data);
    if (size < 0 || (size_t)size >= sizeof(host))
        return 0;
    return entities_by_name(self, BY_SPN, (struct bytes){(uint8_t *)host, (size_t)size}, (struct bytes){0},
                            first);
}

uint32_t entities_by_any_name(const struct entities *self, struct bytes name, struct bytes domain,
                              uint32_t *first)
{
    static const enum entities_index indexes[] = {BY_ACCOUNT, BY_BARE};
    for (size_t i = 0; i < sizeof(indexes) / sizeof(indexes[0]); i++) {
        uint32_t count = entities_by_name(self, indexes[i], name, domain, first);
        if (count)
            return count;
    }
    if (memchr(name.data, '@', name.size))
        return entities_by_upn(self, name, first);
    if (memchr(name.data, '/', name.size))
        return entities_by_service(self, name, first);
    if (memchr(name.data, '=', name.size))
        return entities_by_name(self, BY_DN, name, (struct bytes){0}, first);
    return entities_by_name(self, BY_DNS_NAME, name, (struct bytes){0}, first);
}

/* --- groups --- */

struct walk {
    struct entities *self;
    uint32_t count;
    bool full;
};

static bool push(struct walk *walk, uint32_t number)
{
    struct entities *self = walk->self;
    struct item *item = &self->items[number];
    if (item->round == self->round || item->flags & ITEM_DELETED)
        return false;
    if (walk->count == self->stack_capacity) {
        uint32_t capacity = self->stack_capacity ? self->stack_capacity * 2 : 256;
        uint32_t *stack = capacity <= WALK_MAX ? realloc(self->stack, capacity * sizeof(*stack)) : NULL;
        if (!stack) {
            walk->full = true;
            return false;
        }
        self->stack = stack;
        self->stack_capacity = capacity;
    }
    item->round = self->round;
    self->stack[walk->count++] = number;
    return true;
}

/* The group that primaryGroupID names: in the domain of the member's own SID. */
static uint32_t primary_group(const struct entities *self, const struct item *item)
{
    uint8_t sid[SID_BYTES_MAX];
    uint32_t found = 0;
    if (!item->primary_group || !item->details || item->details->sid_size < 12)
        return 0;
    size_t size = item->details->sid_size;
    memcpy(sid, item_sid(item), size);
    for (unsigned i = 0; i < 4; i++)
        sid[size - 4 + i] = (uint8_t)(item->primary_group >> 8 * i);
    by_key(self, entities_key(self, BY_SID, 0, (struct bytes){sid, size}), 0, &found);
    return found;
}

/* Its groups, and those of the foreign principals that stand for it in other domains. */
static void push_groups(struct walk *walk, uint32_t number)
{
    struct entities *self = walk->self;
    const struct item *item = &self->items[number];
    uint32_t primary = primary_group(self, item), other, at = 0;
    for (uint32_t i = 0; i < item->groups.count; i++)
        push(walk, item->groups.at[i]);
    if (primary)
        push(walk, primary);
    if (!item->details || !item->details->sid_size)
        return;
    uint64_t key = entities_key(self, BY_SID, 0, (struct bytes){item_sid(item), item->details->sid_size});
    while ((other = entities_names_next(&self->names, key, &at)) != 0)
        if (self->items[other].kind == ENTITY_FOREIGN_PRINCIPAL)
            push(walk, other);
}

void entities_walk_groups(struct entities *self, uint32_t number,
                          bool (*visit)(void *context, uint32_t group), void *context)
{
    struct walk walk = {.self = self};
    if (++self->round == 0) { /* begins anew: no item may seem met */
        for (uint32_t i = 1; i <= self->count; i++)
            self->items[i].round = 0;
        self->round = 1;
    }
    self->items[number].round = self->round;
    push_groups(&walk, number);
    while (walk.count > 0) {
        uint32_t group = self->stack[--walk.count];
        if (!visit(context, group))
            return;
        push_groups(&walk, group);
    }
    self->refused += walk.full;
}
