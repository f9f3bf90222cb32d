/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of entities as people type them.
 */
#pragma once

#include "sync/lookup.h"

/* What somebody may mean by a name, most likely first: a GUID, a SID, a DN, an SPN, DOMAIN\account, a UPN, a
 * DNS name, an account. The number of keys; 0: it cannot be the name of anything. */
#define ENTITY_NAME_KEYS 4u
unsigned entity_name_keys(const char *name, struct lookup_key keys[ENTITY_NAME_KEYS]);
