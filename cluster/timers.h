/* SPDX-License-Identifier: Apache-2.0
 *
 * The fleet's timers, in milliseconds. CLUSTER.md 3.4; the reasons: docs/cluster.md.
 */
#pragma once

#include <stdint.h>

struct cluster_timers {
    int64_t tick;              /* 1 s */
    int64_t heartbeat;         /* of candidates: 15 s */
    int64_t heartbeat_jitter;  /* 0..2 s taken off each period */
    int64_t sensor_period_min; /* of others: clamp(per_member x N, min, max): 10 s */
    int64_t sensor_period_max; /* 300 s */
    int64_t sensor_per_member; /* 30 ms */
    int64_t fresh;             /* a synchronizer heard within it is used: 90 s */
    int64_t replace_after;     /* T_OFF: silence strictly longer than this opens a term: 30 min */
    int64_t draw_slot;         /* DSLOT: 3 s */
    int64_t precheck;          /* 10 s; queries at its 1/10, 4/10, 7/10 */
    int64_t settle;            /* 30 s */
    int64_t claim_timeout;     /* an unsettled claim is void after: 120 s */
    int64_t boot_alone;        /* BOOT ends without any exchange after: 120 s */
    int64_t boot_heard;        /* ... and after the first exchange: 5 s */
    int64_t tilt_gap;          /* a jump between ticks larger than this: 5 s */
    int64_t tilt_hold;         /* TILT lasts: 30 s of observation */
    int64_t claim_reflood;     /* a claim is told again every 5 s ... */
    int64_t claim_reflood_for; /* ... for 60 s */
    int64_t anti_entropy;      /* 10 s */
    int64_t directory_grace;   /* a directory must be lost, or back, for longer than this to count: 10 s */
    int64_t pin_healthy;       /* a pinned node takes its domain when it was well for so long: 60 s */
    int64_t pin_every;         /* ... and at most so often: 10 min */
    int64_t refute_min;        /* no refutation within this after a restart or TILT: 300 s */
    int64_t support_window;    /* whoever was heard within it supports: 60 s */
    int64_t link_silence;      /* a link on which nothing came for so long is asked: 45 s */
    int64_t link_dead;         /* ... and given up after: 60 s */
    int64_t dial_backoff;      /* of the overlay towards a member that could not be reached: 60 s */
    int64_t observe_step;      /* the most that one tick adds to the observation clock: 2 s */
};

/* The shipped timers for a T_OFF of `replace_after` (ms). With less than 30 minutes (tests, impatient sites)
 * all others shrink in proportion, not below what a tick can resolve; with more only T_OFF grows. */
void cluster_timers_for(struct cluster_timers *timers, int64_t replace_after);
