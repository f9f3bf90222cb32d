/* SPDX-License-Identifier: Apache-2.0
 *
 * Between the governor's periods: keeps the capture threads within what they are allowed, every 100 ms. Pure.
 *
 * Two means. A purse of CPU time that all capture threads pay into what they spend: when it is empty they
 * wait, while packets rest in the kernel's rings. That holds at once, but not for long. And the level below
 * which flows are shed (capture/value.h): it rises while threads would have to wait and falls slowly when
 * there is room, with a band between in which it rests, so that it does not swing.
 */
#pragma once

#include "base/clock.h"

#define PACE_TURN (100 * CLOCK_MILLISECOND)

struct pace {
    int64_t allowed;  /* ns of CPU per second, for all threads */
    double level;     /* flows of a lower rank are shed */
    double use;       /* of what is allowed, smoothed; 1: all of it */
    int64_t strained; /* ns for which shedding all was still not enough */
};

void pace_init(struct pace *pace);

/* What happened within one turn. */
struct pace_turn {
    int64_t span;   /* ns */
    int64_t used;   /* CPU of all threads */
    int64_t waited; /* ns that threads waited for the purse, summed */
    bool dropping;  /* the kernel drops packets, for they come faster than they are looked at */
    unsigned threads;
};

/* Returns the new level: 1 (what was shed before stays so, nothing new is) to CAPTURE_RANK_MAX + 1 (all is).
 */
uint32_t pace_step(struct pace *pace, const struct pace_turn *turn);

/* Everything is shed and even that is too much, for a second: better nothing at all for a while than packets
 * at random. */
bool pace_overwhelmed(const struct pace *pace);
