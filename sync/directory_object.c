/* SPDX-License-Identifier: Apache-2.0 */
#include "sync/directory_object.h"

#include <string.h>
#include <strings.h>

const struct directory_attribute *directory_object_find(const struct directory_object *object,
                                                        const char *name)
{
    size_t size = strlen(name);
    for (uint32_t i = 0; i < object->attribute_count; i++) {
        struct bytes have = object->attributes[i].name;
        if (have.size < size || strncasecmp((const char *)have.data, name, size) != 0)
            continue;
        if (have.size == size || have.data[size] == ';')
            return &object->attributes[i];
    }
    return NULL;
}
