/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run looks like over time: who was synchronizer of each domain, what befell the fleet, how much of it
 * agreed. Filled by record.c while a world runs, drawn by svg.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PICTURE_LABEL   48u
#define PICTURE_SPANS   20000u /* of a lane, at most: what comes later is not drawn */
#define PICTURE_LANES   512u
#define PICTURE_SAMPLES 1200u /* along the time axis, at most */
#define PICTURE_DOMAINS 8u
#define PICTURE_ALL     1000000u   /* the share 100 % */
#define PICTURE_UNKNOWN UINT32_MAX /* a share that was not sampled */

/* A node claims (not settled) or holds (settled) a domain. */
struct picture_hold {
    int64_t from, to; /* ms */
    uint32_t node;
    uint64_t term;
    bool settled;
    bool asleep; /* its process stands */
};

enum picture_kind {
    PICTURE_DOWN,    /* the process does not run */
    PICTURE_PAUSED,  /* it stands */
    PICTURE_CUT,     /* links do not work */
    PICTURE_BAD,     /* links work badly */
    PICTURE_LOCAL,   /* directory lost, candidacy off, disk full, clock wrong */
    PICTURE_HOSTILE, /* hostile or revoked */
    PICTURE_EVENT,   /* done by an administrator, or good news: joins, upgrades, yields */
    PICTURE_KINDS,
};

struct picture_span {
    int64_t from, to; /* equal: an instant */
    enum picture_kind kind;
};

struct picture_lane {
    char label[PICTURE_LABEL];
    struct picture_span *spans;
    unsigned count, capacity;
};

struct picture_domain {
    const char *name;
    struct picture_hold *holds;
    unsigned count, capacity;
    uint32_t fresh[PICTURE_SAMPLES]; /* share of the running nodes that see a fresh synchronizer */
};

struct picture {
    char title[160];
    char subtitle[200];
    int64_t length; /* ms, > 0 */
    struct picture_domain domains[PICTURE_DOMAINS];
    unsigned domain_count;
    struct picture_lane *lanes; /* faults, in the order in which they first happened */
    unsigned lane_count, lane_capacity;
    int64_t sample_period; /* ms: sample i stands for i * period to (i + 1) * period */
    unsigned sample_count;
    uint32_t converged[PICTURE_SAMPLES]; /* share of the running nodes that know what most of them know */
    uint32_t running[PICTURE_SAMPLES];   /* share of all nodes that run */
};

/* Empty, for a run of `length` ms. NULL without memory. */
struct picture *picture_new(int64_t length);
void picture_destroy(struct picture **picture);

/* A node's state for a domain from now on: neither, or a claim, or held. */
void picture_hold(struct picture *picture, unsigned domain, int64_t at, uint32_t node, bool claims,
                  bool settled, uint64_t term);

/* The same claims and holds of a node go on, while its process stands or again while it runs. */
void picture_sleep(struct picture *picture, int64_t at, uint32_t node, bool asleep);

/* A span on the lane of that label; `to` < 0: until picture_end_span() or the end. */
void picture_add_span(struct picture *picture, const char *label, enum picture_kind kind, int64_t from,
                      int64_t to);
/* Ends the last open span of that kind on that lane. */
void picture_end_span(struct picture *picture, const char *label, enum picture_kind kind, int64_t at);

/* Ends at `length` whatever is open. */
void picture_finish(struct picture *picture);

/* Draws it. False on a write error. */
bool svg_write(FILE *file, const struct picture *picture);
