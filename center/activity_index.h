/* SPDX-License-Identifier: Apache-2.0
 *
 * Who was in which entries of the log, until it is written to the store (center/store_index.h): gathered
 * from observations, each subject, hour and position once.
 */
#pragma once

#include "center/observation.h"
#include "center/store_index.h"

struct activity_index;

/* NULL without memory. */
struct activity_index *activity_index_new(uint64_t seed);
void activity_index_destroy(struct activity_index **index);

/* Takes everybody in an activity. */
void activity_index_take(struct activity_index *index, const struct observation *observation);
/* So much waits that it should be written. */
bool activity_index_full(const struct activity_index *index);

/* Writes what waits, within the caller's transaction; false: it will fail. Forget it when it is committed. */
bool activity_index_write(struct activity_index *index, struct store *store, uint64_t workspace);
void activity_index_forget(struct activity_index *index);
/* What could not be taken in, without memory. */
uint64_t activity_index_lost(const struct activity_index *index);
