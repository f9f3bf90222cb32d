/* SPDX-License-Identifier: Apache-2.0 */
#include "center/detectors/directory_change.h"

#include <string.h>

#define COMPUTER_NAME_MAX 64u

struct bytes changed_value(const struct observation *o, const char *attribute)
{
    const struct activity_value *list = activity_get(o->activity, FIELD_ATTRIBUTE_VALUES);
    size_t name = strlen(attribute);
    if (!list)
        return (struct bytes){0};
    struct cursor items = list->list.items;
    for (uint32_t i = 0; i < list->list.count; i++) {
        struct bytes text = activity_next_item(&items, TYPE_STRING).bytes;
        size_t skip = text_begins(text, "replace:") ? 8 : text_begins(text, "add:") ? 4 : 0;
        text = (struct bytes){text.data + skip, text.size - skip};
        if (text.size > name && text_begins(text, attribute) && text.data[name] == '=')
            return (struct bytes){text.data + name + 1, text.size - name - 1};
    }
    return (struct bytes){0};
}

bool changes_computer(const struct observation *o)
{
    struct bytes dn = observation_text(o, FIELD_LDAP_DN);
    return o->target.kind == SUBJECT_COMPUTER || observation_bool(o, FIELD_CHANGED_COMPUTER) ||
           text_is(observation_text(o, FIELD_OBJECT_CLASS), "computer") ||
           name_is_computer(observation_text(o, FIELD_CHANGED_ACCOUNT)) ||
           text_has(dn, ",CN=Computers,DC=") || text_has(dn, ",OU=Domain Controllers,DC=");
}

static struct bytes without_dollar(struct bytes name)
{
    if (name.size && name.data[name.size - 1] == '$')
        name.size--;
    return name;
}

struct bytes own_name(const struct observation *o)
{
    if (o->target.kind == SUBJECT_COMPUTER && o->target.name.size)
        return without_dollar(o->target.name);
    struct bytes name = observation_text(o, FIELD_CHANGED_ACCOUNT);
    if (name.size)
        return without_dollar(name);
    struct bytes dn = observation_text(o, FIELD_LDAP_DN);
    if (!text_begins(dn, "CN="))
        return (struct bytes){0};
    struct bytes rdn = {dn.data + 3, 0};
    while (rdn.size < dn.size - 3 && rdn.data[rdn.size] != ',')
        rdn.size++;
    return rdn;
}

bool names_equal(struct bytes a, struct bytes b)
{
    char word[COMPUTER_NAME_MAX + 1];
    a = without_dollar(a);
    b = without_dollar(b);
    if (a.size != b.size || b.size > COMPUTER_NAME_MAX || b.size == 0 || memchr(b.data, '\0', b.size))
        return false;
    memcpy(word, b.data, b.size);
    word[b.size] = '\0';
    return text_is(a, word);
}

/* The computer of that name, as a party. */
static bool computer_party(const struct detection *d, const struct observation *o, struct bytes name,
                           char text[COMPUTER_NAME_MAX + 2], struct party *to)
{
    name = without_dollar(name);
    if (name.size == 0 || name.size > COMPUTER_NAME_MAX)
        return false;
    memcpy(text, name.data, name.size);
    text[name.size] = '$';
    text[name.size + 1] = '\0';
    struct bytes account = {(const uint8_t *)text, name.size + 1};
    *to = (struct party){.kind = SUBJECT_COMPUTER,
                         .name = account,
                         .domain = o->account.domain,
                         .subject =
                             subject_of_name(detection_seed(d), SUBJECT_COMPUTER, account, o->account.domain),
                         .confidence = 100};
    return true;
}

bool names_controller(const struct detection *d, const struct observation *o, struct bytes name)
{
    char text[COMPUTER_NAME_MAX + 2];
    struct party party;
    if (!computer_party(d, o, name, text, &party))
        return false;
    if (detection_is(d, &party, FACT_CONTROLLER))
        return true;
    struct bytes event_host = observation_text(o, FIELD_EVENT_COMPUTER);
    for (size_t i = 0; i < event_host.size; i++)
        if (event_host.data[i] == '.')
            event_host.size = i;
    /* A directory is asked at a controller, and controllers log its changes. */
    return (o->destination.kind == SUBJECT_COMPUTER && names_equal(name, o->destination.name)) ||
           names_equal(name, event_host);
}

bool names_computer(const struct detection *d, const struct observation *o, struct bytes name)
{
    char text[COMPUTER_NAME_MAX + 2];
    struct party party;
    return computer_party(d, o, name, text, &party) &&
           detection_account_known(d, party.name, party.domain) == KNOWN_YES;
}
