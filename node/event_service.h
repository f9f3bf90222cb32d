/* SPDX-License-Identifier: Apache-2.0
 *
 * The inputs of events in picketd (events/): starts those that the configuration wants, again when one cannot
 * be started, and gives their activities to the resolver. Knows how they are: counts, health, quarantine.
 */
#pragma once

#include "node/event_input.h"
#include "node/resolution.h"

#define EVENT_INPUTS_MAX 16u

struct event_service;

/* Whether any input is wanted; whether what the configuration says of them is right, with what is wrong. */
bool event_service_wanted(const struct config *config);
bool event_service_check(const struct config *config, struct fault *fault);

/* NULL with the reason. What it is given must outlive it; `yielding` (may be NULL) holds its inputs up. */
struct event_service *event_service_new(const struct config *config, struct resolution *resolution,
                                        struct yielding *yielding, struct fault *fault);
/* Starts the inputs; one that cannot be started is tried again and is no failure. */
bool event_service_start(struct event_service *self, struct fault *fault);
/* Ends the inputs: nothing is posted any more. Records that were posted may still be told of as kept. */
void event_service_stop(struct event_service *self);
void event_service_destroy(struct event_service **self);

/* Certificates, revocations, keytabs are read again within a moment, changed or not; when they change by
 * themselves that happens within a minute. Any thread. */
void event_service_renew(struct event_service *self);

/* --- any thread --- */

/* A record that was posted with that tag is safe: on disk. */
void event_service_kept(struct event_service *self, uint64_t tag);

struct event_input_state {
    const char *name;
    bool running;
    char text[256]; /* where it listens; why it does not run */
    struct intake_counters counters;
};
/* False past the last. */
bool event_service_input(struct event_service *self, unsigned i, struct event_input_state *state);

/* The i-th source of the input of that number. False past the last, or when it does not tell of sources. */
bool event_service_source(struct event_service *self, unsigned input, uint32_t i,
                          struct input_source *source);

struct event_health {
    char subject[64];  /* "input syslog" */
    unsigned number;   /* as published; 0: it has none */
    const char *issue; /* its name for programs */
    char text[256];
};
/* Issues that are raised. False past the last. */
bool event_service_health(struct event_service *self, unsigned i, struct event_health *health);

struct quarantine *event_service_quarantine(struct event_service *self);
