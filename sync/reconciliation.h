/* SPDX-License-Identifier: Apache-2.0
 *
 * The proof that a copy is the directory. LDAP tells no digest, so all objects are read anyway: each is
 * compared with the store's as it comes, and then the store is walked for what the directory did not tell.
 * This is the memory of what it told: 8 bytes an object.
 */
#pragma once

#include "sync/entity.h"

#define RECONCILIATION_OBJECTS_MAX (16u << 20)

struct reconciliation {
    uint64_t *told; /* hashes of GUIDs */
    uint32_t count, capacity;
    bool sorted;
    bool full; /* more than the bounds: nothing may be concluded from an object's absence */
};

void reconciliation_begin(struct reconciliation *self);
void reconciliation_end(struct reconciliation *self);

/* The directory has this object. */
void reconciliation_tell(struct reconciliation *self, const struct guid *guid);
/* Whether it has told it; after the last was told. */
bool reconciliation_has(struct reconciliation *self, const struct guid *guid);
