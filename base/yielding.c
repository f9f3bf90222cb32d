/* SPDX-License-Identifier: Apache-2.0 */
#include "base/yielding.h"

#include <time.h>

#define REST_LEAST (10 * CLOCK_MILLISECOND)
#define SHARE_LEAST                                                                                          \
    2u /* per thousand: what nothing at all amounts to, for the threads look again now and then */

void yielding_init(struct yielding *yielding)
{
    atomic_init(&yielding->share, YIELDING_ALL);
    atomic_init(&yielding->rested, 0);
}

int64_t yielding_rest(uint32_t share, int64_t worked)
{
    if (share >= YIELDING_ALL || worked <= 0)
        return 0;
    share = share > SHARE_LEAST ? share : SHARE_LEAST;
    if (worked > YIELDING_MOST)
        return YIELDING_MOST;
    int64_t rest = worked / share * (YIELDING_ALL - share);
    return rest < YIELDING_MOST ? rest : YIELDING_MOST;
}

static int64_t thread_time(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * CLOCK_SECOND + time.tv_nsec;
}

int64_t yielding_due(struct yielding *yielding, struct yielding_turn *turn)
{
    uint32_t share = yielding ? atomic_load_explicit(&yielding->share, memory_order_relaxed) : YIELDING_ALL;
    if (share >= YIELDING_ALL) {
        turn->since = 0;
        return 0;
    }
    int64_t now = thread_time();
    if (turn->since == 0)
        turn->since = now;
    int64_t rest = yielding_rest(share, now - turn->since);
    if (rest < REST_LEAST)
        return 0;
    turn->since = now;
    atomic_fetch_add_explicit(&yielding->rested, (uint64_t)rest, memory_order_relaxed);
    return rest;
}

void yielding_pause(struct yielding *yielding, struct yielding_turn *turn, int64_t most)
{
    int64_t rest = yielding_due(yielding, turn);
    if (rest <= 0)
        return;
    rest = rest < most ? rest : most;
    struct timespec pause = {.tv_sec = rest / CLOCK_SECOND, .tv_nsec = rest % CLOCK_SECOND};
    nanosleep(&pause, NULL);
}
