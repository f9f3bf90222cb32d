/* SPDX-License-Identifier: Apache-2.0
 *
 * What a process that is to hold keys gives up, before the first byte of one is read. In two steps, for it
 * comes in two processes: one that starts holders and never sees a key, and the holder that it forks.
 */
#pragma once

#include "base/fault.h"

#include <stdbool.h>

/* What the system let it do; without these it runs nevertheless, and tells. */
#define SANDBOX_LOCKED 1u /* all of its memory is locked: nothing is written to swap */
#define SANDBOX_NO_NET 2u /* a network of its own, in which nothing is */
#define SANDBOX_ALL    (SANDBOX_LOCKED | SANDBOX_NO_NET)

/* No core dumps, no debugger, no new privileges, no right, no environment, no descriptor above `last`,
 * another directory; of system calls those of a holder, and what it takes to fork one. It dies with its
 * parent. False with the reason: then the process should not go on. Adds to `*got`. */
bool sandbox_starter(int last, unsigned *got, struct fault *fault);

/* In the child: memory locked; of system calls only reading and writing what is open, memory, time. No
 * open(2), no socket, no fork, no execve, no ptrace: they fail. */
bool sandbox_holder(unsigned *got, struct fault *fault);
