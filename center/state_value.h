/* SPDX-License-Identifier: Apache-2.0
 *
 * A state's value as the store keeps it: runs of zero bytes, which fill most names and lists, are told by
 * their length. Pure.
 */
#pragma once

#include "base/cursor.h"

#define STATE_VALUE_MAX 65536u /* bytes of a value */

/* Into `to`, which has room for `size` bytes, at most STATE_VALUE_MAX; shorter than the value, or the value
 * itself. */
struct bytes state_value_pack(uint8_t *to, const uint8_t *value, size_t size);
/* Back into `to`, `size` bytes. False: it is none of that size. */
bool state_value_unpack(uint8_t *to, size_t size, struct bytes packed);
