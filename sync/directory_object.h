/* SPDX-License-Identifier: Apache-2.0
 *
 * One object as a directory answered it: views into the answer's bytes, nothing copied, nothing believed.
 */
#pragma once

#include "base/cursor.h"

/* Bounds of one answer entry: more attributes or values than that are a fault of the directory. */
#define DIRECTORY_ATTRIBUTES_MAX 512u
#define DIRECTORY_VALUES_MAX     (1u << 20)

struct directory_attribute {
    struct bytes name; /* with its options: "member;range=0-1499" */
    uint32_t value_count;
    const struct bytes *values;
};

/* Valid during the call that hands it over. */
struct directory_object {
    struct bytes dn; /* as answered: with the extended DN control "<GUID=...>;<SID=...>;CN=..." */
    uint32_t attribute_count;
    const struct directory_attribute *attributes;
};

/* Without regard to case and options; NULL when it did not come. */
const struct directory_attribute *directory_object_find(const struct directory_object *object,
                                                        const char *name);
