/* SPDX-License-Identifier: Apache-2.0
 *
 * The governor at work: a thread that reads the host each period, decides (node/governor.h), tells the
 * capture threads what they may use, and keeps them to it in between (node/pace.h). It remembers what was
 * given up, and raises health issue 1013.
 */
#pragma once

#include "base/clock.h"
#include "base/fault.h"
#include "base/health.h"
#include "base/yielding.h"
#include "node/capture_group.h"
#include "node/host_load.h"

struct governor_service_config {
    const struct host_source *host;      /* NULL: this machine */
    unsigned reserve_cpu;                /* percent */
    unsigned reserve_memory;             /* percent */
    struct capture_group *capture;       /* started; NULL: nothing is captured */
    struct capture_allowance *allowance; /* what its threads were given */
    uint64_t memory_limit;               /* bytes of each thread, as configured */
    uint64_t ring_bytes;                 /* of each thread */
    struct health *health;               /* NULL: nobody hears */
    struct yielding *yielding;           /* what the work that can wait is told; NULL: nobody is */
    int64_t period;                      /* ns; 0: GOVERNOR_PERIOD */
    const struct clock *clock;           /* NULL: the system's */
    /* Processes of ours beside this one: CPU in ns since they were started, bytes now. NULL: there are none.
     */
    void (*helpers)(void *context, int64_t *cpu, uint64_t *memory);
    void *helpers_context;
};

/* Before the capture's threads start: they may do anything until the governor has decided. */
void capture_allowance_init(struct capture_allowance *allowance);

struct governor_service;

/* NULL with the reason. What the configuration points to must outlive it. */
struct governor_service *governor_service_start(const struct governor_service_config *config,
                                                struct fault *fault);
void governor_service_stop(struct governor_service **service);

/* The same without a thread, for who has a clock of its own: nothing happens but in steps, one each
 * PACE_TURN. */
struct governor_service *governor_service_new(const struct governor_service_config *config,
                                              struct fault *fault);
void governor_service_step(struct governor_service *service);

/* What was given up within some time. */
struct governor_loss {
    struct capture_shed shed[PROTOCOLS];
    uint64_t dropped; /* packets that the kernel or the interface dropped */
    int64_t paused;   /* ns for which nothing was captured */
};

struct governor_snapshot {
    int64_t decided; /* wall ns; 0: not yet */
    int64_t period;  /* ns */
    unsigned reserve_cpu, reserve_memory;
    unsigned processors;
    bool readable; /* the host was, the last time */
    bool capturing;
    struct governor_decision decision;
    int64_t capture_used;                /* ns of CPU per second, in the last period */
    uint64_t capture_memory;             /* bytes that flows take */
    int64_t rested;                      /* ns, by the threads whose work can wait, since the start */
    uint32_t level;                      /* flows of a lower rank are given up now */
    bool raised;                         /* health issue 1013 */
    struct governor_loss now, hour, all; /* in the last period, in the last hour, since the start */
};

/* Another reserve from the next period on, in percent; never less than GOVERNOR_RESERVE_MIN. Any thread. */
void governor_service_reserve(struct governor_service *service, unsigned cpu, unsigned memory);

/* Any thread. */
void governor_service_snapshot(struct governor_service *service, struct governor_snapshot *snapshot);
