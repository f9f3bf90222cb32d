/* SPDX-License-Identifier: Apache-2.0
 *
 * What went wrong, in words for whoever runs the program.
 */
#pragma once

#include <stdbool.h>

#define FAULT_MAX 320

struct fault {
    char text[FAULT_MAX];
};

/* Says it; always false, so that `return fault_say(...)` is a failed function's end. `fault` may be NULL. */
bool fault_say(struct fault *fault, const char *format, ...) __attribute__((format(printf, 2, 3)));
