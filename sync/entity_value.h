/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of entities in msgpack: what the form that travels and the form of the store share. Not for callers.
 */
#pragma once

#include "sync/entity.h"

/* All of one attribute's list, so that no attribute can push the others out of an entity. */
#define ENTITY_LIST_BYTES_MAX (16u * 1024u)

void entity_clear(struct entity *entity);

/* One value that was read. */
void entity_value_put(struct msgpack_writer *w, enum activity_type type, const struct activity_value *value);

/* Values of a change: those of a list in order, cut at the bounds (`*truncated`). False, and nothing was
 * written, when there is none that is one of the type, or when it does not fit. */
bool entity_value_put_change(struct msgpack_writer *w, enum entity_attribute attribute, uint32_t count,
                             const struct entity_value *values, bool *truncated);

/* Whether a value that was read keeps the bounds. */
bool entity_value_bounded(enum activity_type type, const struct activity_value *value);
