/* SPDX-License-Identifier: Apache-2.0
 *
 * The good guest: how much of its host Picket may use. Pure: readings in, decisions out.
 *
 * Every period (10 s) the quota of CPU is what is left when a reserve (15 % of the host, or more) and all
 * that others use are taken away; that of memory likewise. A control group with a limit is a host within the
 * host: the same rule holds in it, and the least quota counts.
 *
 *     quota = 100 - reserve - what all others use
 *
 * What Picket itself uses does not enter: the quota does not swing with it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"

#define GOVERNOR_PERIOD      (10 * CLOCK_SECOND)
#define GOVERNOR_RESERVE_MIN 15u /* percent; nothing makes it less */
#define GOVERNOR_PLACES_MAX  8u  /* the host, and groups above the process that have limits */

/* Where resources are shared with others: the host, or a control group. */
struct governor_place {
    int64_t cpu_total;    /* ns of CPU that there were within the span; 0: no limit here */
    int64_t cpu_used;     /* of them, by all, Picket included */
    int64_t memory_total; /* bytes; 0: no limit here */
    int64_t memory_used;  /* by all, Picket included; what the kernel gives up when asked is not used */
};

struct governor_reading {
    int64_t span;         /* ns that it covers */
    int64_t cpu_ours;     /* ns within it, children included */
    int64_t cpu_capture;  /* of them, the capture's threads: what can be made less */
    int64_t memory_ours;  /* bytes now */
    int64_t memory_flows; /* of them, the capture's: likewise */
    int64_t memory_rings; /* of them, what the kernel keeps for the capture; while it is paused: would keep */
    unsigned count;
    struct governor_place places[GOVERNOR_PLACES_MAX]; /* the first is the host */
};

struct governor_config {
    unsigned reserve_cpu; /* percent; less than GOVERNOR_RESERVE_MIN is taken as that */
    unsigned reserve_memory;
    int64_t memory_most;  /* bytes that the capture's threads are allowed by the configuration, in all */
    int64_t memory_least; /* below this they cannot work: nothing is captured */
};

/* Of one resource, in ns of CPU per second of time, or in bytes. */
struct governor_share {
    int64_t total;  /* of the host */
    int64_t others; /* used on the host by all others */
    int64_t ours;
    int64_t quota;  /* that all of Picket may use; never negative */
    unsigned place; /* which place set it: 0, the host */
};

struct governor_decision {
    struct governor_share cpu;
    struct governor_share memory;
    int64_t capture_cpu;    /* ns per second for all capture threads */
    int64_t capture_memory; /* bytes for all of them */
    uint32_t share;         /* per thousand of the time in which the rest of the node's work, that can wait
                               (the directory's replication, the reading of events), may go on */
    bool paused;            /* there is not even enough to look at packets: nothing is captured, and the
                               kernel's rings are given back */
};

struct governor {
    struct governor_config config;
    bool paused;
    int64_t memory; /* the capture's, as last decided */
    double share;   /* of decision.share; 1: all */
};

void governor_init(struct governor *governor, const struct governor_config *config);

/* One reading, one decision. Readings of an impossible host (no CPU, time that ran back) give the decision of
 * a host without anything left. */
struct governor_decision governor_decide(struct governor *governor, const struct governor_reading *reading);

/* -- health issue 1013: some network traffic is not being analyzed ------------------------------------ */

#define LOSS_CLEAR 3u /* periods in a row without loss that end it */

/* Within one period. */
struct loss_sum {
    uint64_t flows_shed;
    uint64_t packets;         /* that were looked at, or should have been */
    uint64_t packets_dropped; /* by the kernel or the interface */
    bool paused;
};

struct loss {
    bool raised;
    unsigned quiet; /* periods since there was any */
};

/* One period; returns whether the issue is raised. A stray packet that the kernel drops is none: more than
 * one in a thousand is. */
bool loss_period(struct loss *loss, const struct loss_sum *sum);
