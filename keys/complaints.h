/* SPDX-License-Identifier: Apache-2.0
 *
 * Which keys traffic wanted in vain (keys/holder.h: key_holder_complaint). Inside of keys/.
 */
#pragma once

#include "keys/holder.h"

#define COMPLAINTS_MAX 256u

struct complaints;

struct complaints *complaints_new(void);
void complaints_destroy(struct complaints **complaints_p);
/* One more of its like (same result, type, version and principal); `times` is counted here. When the list is
 * full it takes the place of the one told longest ago, of missing keys before others. */
void complaints_add(struct complaints *complaints, const struct key_holder_complaint *complaint);
bool complaints_at(const struct complaints *complaints, size_t index, struct key_holder_complaint *to);
