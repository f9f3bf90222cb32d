/* SPDX-License-Identifier: Apache-2.0
 *
 * The store's file copied while it is in use, and looked at.
 */
#pragma once

#include "base/fault.h"

#include <stdbool.h>
#include <stdint.h>

/* Copies it as it is at one moment; writers go on. `*position`: the least that pipelines had committed then;
 * `*bytes` grows by its size. */
bool store_copy(const char *from, const char *to, uint64_t *position, uint64_t *bytes, struct fault *fault);

/* Whether it is a store, whole, and of this version or an older one. False with the reason. */
bool store_verify(const char *path, struct fault *fault);
