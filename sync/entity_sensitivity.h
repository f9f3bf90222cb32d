/* SPDX-License-Identifier: Apache-2.0
 *
 * What makes an entity sensitive: built-in groups by their SIDs ([MS-DTYP] 2.4.2.4, [MS-ADTS] 6.1.1.6) and
 * what its own attributes say. Pure; entity_store_sensitivity gathers the groups.
 */
#pragma once

#include "sync/entity.h"

/* Bits that the entity has by itself: its own SID and attributes. */
uint64_t entity_sensitivity_of(const struct entity *entity);
/* Bits that being in this group gives; 0 for a group that is not sensitive. */
uint64_t entity_sensitivity_of_group(const struct entity *group);

const char *entity_sensitivity_name(unsigned bit); /* NULL past the last */
const char *entity_sensitivity_doc(unsigned bit);
