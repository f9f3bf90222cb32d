/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/timers.h"

#define REPLACE_AFTER_DEFAULT (INT64_C(30) * 60 * 1000)

static const struct cluster_timers shipped = {
    .tick = 1000,
    .heartbeat = 15000,
    .heartbeat_jitter = 2000,
    .sensor_period_min = 10000,
    .sensor_period_max = 300000,
    .sensor_per_member = 30,
    .fresh = 90000,
    .replace_after = REPLACE_AFTER_DEFAULT,
    .draw_slot = 3000,
    .precheck = 10000,
    .settle = 30000,
    .claim_timeout = 120000,
    .boot_alone = 120000,
    .boot_heard = 5000,
    .tilt_gap = 5000,
    .tilt_hold = 30000,
    .claim_reflood = 5000,
    .claim_reflood_for = 60000,
    .anti_entropy = 10000,
    .directory_grace = 10000,
    .pin_healthy = 60000,
    .pin_every = 600000,
    .refute_min = 300000,
    .support_window = 60000,
    .link_silence = 45000,
    .link_dead = 60000,
    .dial_backoff = 60000,
    .observe_step = 2000,
};

static int64_t scaled(int64_t value, int64_t replace_after, int64_t least)
{
    int64_t shorter = value * replace_after / REPLACE_AFTER_DEFAULT;
    return shorter < least ? least : shorter;
}

void cluster_timers_for(struct cluster_timers *timers, int64_t replace_after)
{
    *timers = shipped;
    if (replace_after <= 0)
        return;
    timers->replace_after = replace_after;
    if (replace_after >= REPLACE_AFTER_DEFAULT)
        return;
    /* The least values keep every timer apart from its neighbours at a tick of a quarter of a second: a
     * heartbeat must be lost several times before its sender is silent, a jump must be longer than a late
     * tick. */
    timers->tick = scaled(shipped.tick, replace_after, 250);
    timers->heartbeat = scaled(shipped.heartbeat, replace_after, 1000);
    timers->heartbeat_jitter = scaled(shipped.heartbeat_jitter, replace_after, 250);
    timers->sensor_period_min = scaled(shipped.sensor_period_min, replace_after, 1000);
    timers->sensor_period_max = scaled(shipped.sensor_period_max, replace_after, 10000);
    timers->fresh = scaled(shipped.fresh, replace_after, 4000);
    timers->draw_slot = scaled(shipped.draw_slot, replace_after, 500);
    timers->precheck = scaled(shipped.precheck, replace_after, 1500);
    timers->settle = scaled(shipped.settle, replace_after, 2000);
    timers->claim_timeout = scaled(shipped.claim_timeout, replace_after, 6000);
    timers->boot_alone = scaled(shipped.boot_alone, replace_after, 5000);
    timers->boot_heard = scaled(shipped.boot_heard, replace_after, 1000);
    timers->tilt_gap = scaled(shipped.tilt_gap, replace_after, 3000);
    timers->tilt_hold = scaled(shipped.tilt_hold, replace_after, 3000);
    timers->claim_reflood = scaled(shipped.claim_reflood, replace_after, 500);
    timers->claim_reflood_for = scaled(shipped.claim_reflood_for, replace_after, 5000);
    timers->anti_entropy = scaled(shipped.anti_entropy, replace_after, 1000);
    timers->directory_grace = scaled(shipped.directory_grace, replace_after, 1000);
    timers->pin_healthy = scaled(shipped.pin_healthy, replace_after, 3000);
    timers->pin_every = scaled(shipped.pin_every, replace_after, 15000);
    timers->refute_min = scaled(shipped.refute_min, replace_after, 6000);
    timers->support_window = scaled(shipped.support_window, replace_after, 4000);
    timers->link_silence = scaled(shipped.link_silence, replace_after, 4000);
    timers->link_dead = scaled(shipped.link_dead, replace_after, 6000);
    timers->dial_backoff = scaled(shipped.dial_backoff, replace_after, 3000);
    timers->observe_step = scaled(shipped.observe_step, replace_after, 1000);
}
