/* SPDX-License-Identifier: Apache-2.0 */
#include "center/observation.h"

#include <string.h>
#include <strings.h>

static bool same_letters(const uint8_t *data, const char *word, size_t size)
{
    return size == 0 || strncasecmp((const char *)data, word, size) == 0;
}

bool text_is(struct bytes text, const char *word)
{
    return text.size == strlen(word) && same_letters(text.data, word, text.size);
}

bool text_begins(struct bytes text, const char *word)
{
    size_t size = strlen(word);
    return text.size >= size && same_letters(text.data, word, size);
}

bool text_ends(struct bytes text, const char *word)
{
    size_t size = strlen(word);
    return text.size >= size && (size == 0 || same_letters(text.data + text.size - size, word, size));
}

bool text_has(struct bytes text, const char *word)
{
    size_t size = strlen(word);
    for (size_t at = 0; at + size <= text.size; at++)
        if (same_letters(text.data + at, word, size))
            return true;
    return false;
}

bool observation_list_has_int(const struct observation *o, enum activity_field field, int64_t value)
{
    const struct activity_value *list = activity_get(o->activity, field);
    if (!list)
        return false;
    enum activity_type type = activity_type_of_items(activity_field_info(field)->type);
    struct cursor items = list->list.items;
    for (uint32_t i = 0; i < list->list.count; i++) {
        struct activity_value item = activity_next_item(&items, type);
        if (type == TYPE_INT ? item.sint == value : value >= 0 && item.uint == (uint64_t)value)
            return true;
    }
    return false;
}

bool observation_list_has_text(const struct observation *o, enum activity_field field, const char *word)
{
    const struct activity_value *list = activity_get(o->activity, field);
    if (!list)
        return false;
    struct cursor items = list->list.items;
    for (uint32_t i = 0; i < list->list.count; i++)
        if (text_is(activity_next_item(&items, TYPE_STRING).bytes, word))
            return true;
    return false;
}
