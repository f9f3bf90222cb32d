/* SPDX-License-Identifier: Apache-2.0
 *
 * The activity processor: an activity becomes an observation (center/observation.h): who is in it, by one key
 * each however they were named; the ticket that it presents; and what was seen already by another sensor is
 * left out. Pure.
 */
#pragma once

#include "center/directory_view.h"
#include "center/observation.h"
#include "center/state_table.h"
#include "center/workspace.h"

struct processor;

/* The most tickets of each sort that it remembers, unless it is told otherwise. */
#define PROCESSOR_TICKETS 262144u

struct processor_config {
    const struct directory_view *directory;    /* must outlive it, as must the settings */
    const struct workspace_settings *settings; /* looked at each time; NULL: nothing is set */
    struct subject_seed seed;
    /* The most tickets of each sort, those that grant tickets and those for services; 0: PROCESSOR_TICKETS.
     */
    uint32_t tickets;
    /* Whether there are habits of a subject already, which what was learned under a name of its must not take
     * the place of. NULL: there are none. */
    bool (*has_habits)(void *context, struct subject subject, int64_t now);
    void *context;
};

/* NULL without memory. */
struct processor *processor_new(const struct processor_config *config);
void processor_destroy(struct processor **processor);

/* Fills in `to` from a decoded activity: views into it and into the processor, valid until the next call.
 * False: it is the twin of one that was seen; or it only told the processor something. `node`: the sensor, 16
 * bytes. */
bool processor_observe(struct processor *processor, const struct activity *activity, struct bytes record,
                       struct activity_place place, const uint8_t node[16], struct observation *to);

/* Something may have been missed at that time: a sensor lost packets, or was away. For as long as tickets
 * live from then on, one that was not seen being issued may be genuine all the same. */
void processor_gap(struct processor *processor, int64_t time);

/* Tickets that were forgotten for want of room: up to when they were issued, all counts as missed. */
uint64_t processor_tickets_forgotten(const struct processor *processor);

/* What it remembers, by index; NULL past the last. */
struct state_table *processor_table(const struct processor *processor, unsigned index);
void processor_expire(struct processor *processor, int64_t now);
