/* SPDX-License-Identifier: Apache-2.0
 *
 * Work that can wait stands back: its threads rest for a part of the time, so that the host, or what is more
 * urgent, has the processor. Who decides how much (node/governor.h) sets the share, the threads ask how long
 * to rest.
 */
#pragma once

#include "base/clock.h"

#include <stdatomic.h>

#define YIELDING_ALL  1000u              /* per thousand: nobody rests */
#define YIELDING_MOST (5 * CLOCK_SECOND) /* a rest */

struct yielding {
    atomic_uint share;            /* per thousand of the time in which threads may work; 0: hardly at all */
    atomic_uint_least64_t rested; /* ns, by all threads */
};

void yielding_init(struct yielding *yielding);

/* For how long to rest after so much work, in ns, so that the share is kept; at most YIELDING_MOST. */
int64_t yielding_rest(uint32_t share, int64_t worked);

/* A thread's own account. */
struct yielding_turn {
    int64_t since; /* CPU time of the thread that is accounted for; 0: not yet */
};

/* How long this thread is to rest now for what it has worked since it last did, in ns; 0: it goes on. Short
 * rests are saved up. Whoever is told to rest does it, and it counts as rested. NULL: never. */
int64_t yielding_due(struct yielding *yielding, struct yielding_turn *turn);

/* Rests, for as long as it is due but at most for `most` ns. */
void yielding_pause(struct yielding *yielding, struct yielding_turn *turn, int64_t most);
