/* SPDX-License-Identifier: Apache-2.0
 *
 * A holder at work: one thread that takes orders (keys/order.h) and answers what its lines ask (keys/line.h).
 */
#pragma once

#include "base/fault.h"

#include <stdbool.h>

#define SERVE_LINES_MAX 64u

/* Until the control socket, which is the caller's to close, is closed on the other side. `got`: what
 * keys/sandbox.h tells, for the status. False when there is no memory to begin with. */
bool serve(int control, unsigned got, struct fault *fault);
