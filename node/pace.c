/* SPDX-License-Identifier: Apache-2.0 */
#include "node/pace.h"

#include "capture/value.h"

#define LEVEL_LEAST 1.0
#define LEVEL_MOST  ((double)CAPTURE_RANK_MAX + 1.0)

/* Use of what is allowed: above, the level rises; below ROOM, it falls; between, it rests. */
#define FULL 0.97
#define ROOM 0.80

/* Of all levels per second: at twice what is allowed; and downwards. */
#define RISE   0.8
#define FALL   0.01
#define MEMORY 0.3 /* share of the last turn in the smoothed use */

#define OVERWHELMED CLOCK_SECOND

void pace_init(struct pace *pace)
{
    *pace = (struct pace){.level = LEVEL_LEAST};
}

/* What the threads would have used, had they not been made to wait; in units of what is allowed. */
static double demand(const struct pace *pace, const struct pace_turn *turn)
{
    double allowed = (double)pace->allowed * (double)turn->span / (double)CLOCK_SECOND;
    double awake = (double)turn->span * turn->threads - (double)turn->waited;
    double used = (double)turn->used;
    if (turn->waited > 0 && awake > 0)
        used *= (double)turn->span * turn->threads / awake;
    /* All waited all the time: what they would do is unknown, but more. */
    if (turn->waited > 0 && used < allowed)
        used = allowed * 1.25;
    /* Packets that are dropped at random are worse than flows that are given up. */
    if (turn->dropping && used < allowed)
        used = allowed * 1.25;
    if (used <= 0)
        return 0;
    return allowed > 0 ? used / allowed : 4;
}

static double between(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

uint32_t pace_step(struct pace *pace, const struct pace_turn *turn)
{
    if (turn->span <= 0)
        return (uint32_t)pace->level;
    double seconds = (double)turn->span / (double)CLOCK_SECOND;
    double now = between(demand(pace, turn), 0, 4);
    pace->use += (now - pace->use) * MEMORY;
    /* Both the turn and the last few must say so: one burst is what the kernel's rings are for. */
    double high = now < pace->use ? now : pace->use;
    if (high > FULL)
        pace->level += between(high - FULL, 0.05, 1) * RISE * LEVEL_MOST * seconds;
    else if (pace->use < ROOM && now < ROOM)
        pace->level -= (pace->use < ROOM / 2 ? 3 : 1) * FALL * LEVEL_MOST * seconds;
    bool top = pace->level >= LEVEL_MOST;
    pace->level = between(pace->level, LEVEL_LEAST, LEVEL_MOST);
    pace->strained = top && high > 1 ? pace->strained + turn->span : 0;
    return (uint32_t)pace->level;
}

bool pace_overwhelmed(const struct pace *pace)
{
    return pace->strained >= OVERWHELMED;
}
