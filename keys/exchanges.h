/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to KDCs that wait for their replies. Bounded; the oldest goes first. Inside of keys/.
 */
#pragma once

#include "base/cursor.h"

#define EXCHANGES_MAX      4096u
#define EXCHANGE_BYTES_MAX ((size_t)16 * 1024 * 1024) /* of all requests that are kept */

struct exchanges;

struct exchanges *exchanges_new(void);
void exchanges_destroy(struct exchanges **exchanges_p);
/* Keeps a copy; what was told before under that number is replaced. */
void exchanges_put(struct exchanges *exchanges, uint32_t line, uint64_t number, struct bytes request);
/* The request, which is no longer kept: the caller frees it. Empty when it is not known. */
struct bytes exchanges_take(struct exchanges *exchanges, uint32_t line, uint64_t number);
void exchanges_line_ended(struct exchanges *exchanges, uint32_t line);
