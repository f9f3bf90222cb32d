/* SPDX-License-Identifier: Apache-2.0 */
#include "node/governor.h"

#include "base/yielding.h"

/* Below this a capture thread could not even find out whose a packet is. ns per second. */
#define PAUSE_BELOW  (2 * CLOCK_MILLISECOND)
#define RESUME_ABOVE (10 * CLOCK_MILLISECOND)

/* The capture's memory follows a larger quota only when that gives clearly more. */
#define GROWTH 20 /* a twentieth */

static unsigned reserve_of(unsigned percent)
{
    if (percent < GOVERNOR_RESERVE_MIN)
        return GOVERNOR_RESERVE_MIN;
    return percent > 100 ? 100 : percent;
}

/* What can wait has all of the quota, or half of it where packets are captured. More of the time comes back
 * step by step. */
#define WAITING_PART  2
#define SHARE_ENOUGH  0.8
#define SHARE_GROWS   2
#define SHARE_RESTART 0.02 /* after it was nothing */

void governor_init(struct governor *governor, const struct governor_config *config)
{
    *governor = (struct governor){.config = *config, .share = 1};
    governor->config.reserve_cpu = reserve_of(config->reserve_cpu);
    governor->config.reserve_memory = reserve_of(config->reserve_memory);
}

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* percent of total, without overflow for any size of host, rounded up: a reserve is never less. */
static int64_t part(int64_t total, unsigned percent)
{
    return total / 100 * percent + (total % 100 * percent + 99) / 100;
}

static int64_t others_of(int64_t used, int64_t ours, int64_t total)
{
    return clamp(used - ours, 0, total);
}

static int64_t quota_of(int64_t total, int64_t others, unsigned reserve)
{
    return clamp(total - part(total, reserve) - others, 0, total);
}

/* ns within the span, per second of time. */
static int64_t rate(int64_t ns, int64_t span)
{
    return (int64_t)((double)ns / (double)span * (double)CLOCK_SECOND + 0.5);
}

static void cpu_place(struct governor_share *share, const struct governor_reading *reading, unsigned i,
                      unsigned reserve)
{
    const struct governor_place *place = &reading->places[i];
    if (place->cpu_total <= 0)
        return;
    int64_t others = others_of(place->cpu_used, reading->cpu_ours, place->cpu_total);
    int64_t quota = rate(quota_of(place->cpu_total, others, reserve), reading->span);
    if (i == 0) {
        share->total = rate(place->cpu_total, reading->span);
        share->others = rate(others, reading->span);
    }
    if (i == 0 || quota < share->quota) {
        share->quota = quota;
        share->place = i;
    }
}

static void memory_place(struct governor_share *share, const struct governor_reading *reading, unsigned i,
                         unsigned reserve)
{
    const struct governor_place *place = &reading->places[i];
    if (place->memory_total <= 0)
        return;
    int64_t others = others_of(place->memory_used, reading->memory_ours, place->memory_total);
    int64_t quota = quota_of(place->memory_total, others, reserve);
    if (i == 0) {
        share->total = place->memory_total;
        share->others = others;
    }
    if (i == 0 || quota < share->quota) {
        share->quota = quota;
        share->place = i;
    }
}

/* Between what pauses it and what lets it go on there is room, so that it does not start and stop around one
 * figure. */
static bool pauses(struct governor *governor, int64_t cpu, int64_t memory)
{
    int64_t cpu_least = governor->paused ? RESUME_ABOVE : PAUSE_BELOW;
    int64_t memory_least = governor->config.memory_least * (governor->paused ? 2 : 1);
    governor->paused = cpu < cpu_least || memory < memory_least;
    return governor->paused;
}

/* What is left for flows when all else is paid. */
static int64_t memory_room(const struct governor *governor, const struct governor_reading *reading,
                           int64_t quota)
{
    int64_t rest = reading->memory_ours - reading->memory_flows;
    return quota - rest - (governor->paused ? reading->memory_rings : 0);
}

/* Less at once; more only when it is worth it. */
static int64_t capture_memory(struct governor *governor, int64_t room)
{
    const struct governor_config *config = &governor->config;
    int64_t wanted = clamp(room, config->memory_least, config->memory_most);
    bool worth = wanted == config->memory_most || wanted - governor->memory > governor->memory / GROWTH;
    if (wanted < governor->memory || worth)
        governor->memory = wanted;
    return governor->memory;
}

/* The host always goes first: what can wait waits when there is no room for it. */
static uint32_t share_of(struct governor *governor, const struct governor_decision *decision, int64_t used)
{
    const struct governor_config *config = &governor->config;
    int64_t most = decision->cpu.quota / (config->memory_most > 0 ? WAITING_PART : 1);
    if (decision->cpu.quota < PAUSE_BELOW || decision->memory.quota < decision->memory.ours)
        governor->share = 0;
    else if (used > most)
        governor->share *= (double)most / (double)used;
    else if ((double)used < SHARE_ENOUGH * (double)most)
        governor->share = governor->share < SHARE_RESTART ? SHARE_RESTART : governor->share * SHARE_GROWS;
    governor->share = governor->share < 1 ? governor->share : 1;
    return (uint32_t)(governor->share * YIELDING_ALL);
}

struct governor_decision governor_decide(struct governor *governor, const struct governor_reading *reading)
{
    struct governor_decision decision = {0};
    int64_t waiting = 0;
    unsigned count = reading->count < GOVERNOR_PLACES_MAX ? reading->count : GOVERNOR_PLACES_MAX;
    if (reading->span > 0) {
        for (unsigned i = 0; i < count; i++) {
            cpu_place(&decision.cpu, reading, i, governor->config.reserve_cpu);
            memory_place(&decision.memory, reading, i, governor->config.reserve_memory);
        }
        decision.cpu.ours = rate(reading->cpu_ours, reading->span);
        waiting = rate(reading->cpu_ours - reading->cpu_capture, reading->span);
        decision.capture_cpu = decision.cpu.quota - waiting;
    }
    decision.memory.ours = reading->memory_ours;
    decision.share = share_of(governor, &decision, waiting);
    decision.capture_cpu = clamp(decision.capture_cpu, 0, decision.cpu.quota);
    int64_t room = memory_room(governor, reading, decision.memory.quota);
    decision.capture_memory = capture_memory(governor, room);
    decision.paused = pauses(governor, decision.capture_cpu, room);
    return decision;
}

bool loss_period(struct loss *loss, const struct loss_sum *sum)
{
    if (sum->flows_shed > 0 || sum->paused || sum->packets_dropped > sum->packets / 1000) {
        loss->raised = true;
        loss->quiet = 0;
    } else if (loss->raised && ++loss->quiet >= LOSS_CLEAR) {
        loss->raised = false;
    }
    return loss->raised;
}
