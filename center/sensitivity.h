/* SPDX-License-Identifier: Apache-2.0
 *
 * Which groups are sensitive by themselves: those that the mission's product names, and the others that sync
 * knows (sync/entity_sensitivity.h). Members of them, nested, are sensitive (center/entities.h). Pure.
 */
#pragma once

#include "sync/entity.h"

bool sensitivity_of_group(const struct entity *group);
/* Accounts that are sensitive whatever groups they are in: Administrator (RID 500), krbtgt. */
bool sensitivity_of_account(const struct entity *account);

/* For the documentation: the groups by their names; NULL past the last. */
const char *sensitivity_group_name(unsigned index);
