/* SPDX-License-Identifier: Apache-2.0
 *
 * The questions that replication asks, as LDAP filters. Not for callers of sync/replication.h.
 */
#pragma once

#include "sync/entity.h"

#define REPLICATION_FILTER_MAX 4096u
#define REPLICATION_BATCH      32u /* objects asked for by GUID in one question */

/* What is kept of a context, by class; the second context is the configuration's. `created_from` to
 * `created_to` bound uSNCreated, `changed_from` uSNChanged; 0: not. */
void replication_filter(char to[REPLICATION_FILTER_MAX], unsigned context, uint64_t created_from,
                        uint64_t created_to, uint64_t changed_from);

/* Any of these objects; at most REPLICATION_BATCH. */
void replication_filter_guids(char to[REPLICATION_FILTER_MAX], const struct guid *guids, uint32_t count);
