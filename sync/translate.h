/* SPDX-License-Identifier: Apache-2.0
 *
 * What a directory answered becomes what is to change in our copy of it. Nothing of the answer is believed:
 * a value that cannot be read is left out and counted.
 */
#pragma once

#include "sync/directory_object.h"
#include "sync/entity.h"

enum translate_source {
    TRANSLATE_SEARCH,  /* everything that was asked for: the object is whole */
    TRANSLATE_DIRSYNC, /* what changed; a new object is whole; links come as values added and removed */
};

struct translated {
    struct entity_change change;
    uint64_t told_links; /* a bit for each link whose values all came, as one attribute */
    bool undeleted;      /* DirSync: `isDeleted` lost its value; the object has risen */
    uint64_t ranged;     /* a bit for each link of which only a range came: the rest is to be asked for */
    uint32_t unreadable; /* values left out */
};

#define TRANSLATE_ATTRIBUTES_MAX (ENTITY_ATTRIBUTES + ENTITY_LINKS + 8)

/* The NULL-terminated list of all that is asked of the directory. `to` has TRANSLATE_ATTRIBUTES_MAX places.
 */
void translate_attribute_list(const char **to);

/* False when it has no GUID, or the arena is too small: it cannot be kept. What `to` holds are views into the
 * object and the arena. */
bool translate(const struct directory_object *object, enum translate_source source, struct arena *arena,
               struct translated *to);
