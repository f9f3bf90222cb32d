/* SPDX-License-Identifier: Apache-2.0
 *
 * Values of options that several commands have.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A decimal number from `low` to `high` and nothing after it. */
bool option_number(const char *text, int64_t low, int64_t high, int64_t *number);

/* The megabytes of --memory, in bytes; 0 when it is not a number from 16 on. */
size_t option_memory(const char *text);
#define OPTION_MEMORY_WANTED "a number of megabytes from 16 to 1048576 is wanted"
