/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything that one process captures: the settings, and a worker for each interface and thread. `picket
 * capture` and picketd have one each.
 */
#pragma once

#include "base/config.h"
#include "capture/filter.h"
#include "node/capture_worker.h"
#include "node/key_client.h"

#define INTERFACES_MAX    16
#define THREADS_MAX       16
#define WORKERS_MAX       64
#define CAPTURE_FAULT_MAX 512

struct capture_settings {
    size_t interfaces_count; /* 0: nothing is captured */
    const char *interfaces[INTERFACES_MAX];
    unsigned threads; /* of each interface */
    int snaplen;
    int ring_bytes;
    struct filter_options wanted;
    struct capture_allowance *allowance; /* what a governor lets it do; NULL: anything */
    const char *filter;                  /* NULL: made of `wanted` */
    char filter_text[FILTER_TEXT_MAX];
    struct engine_options options;
    struct decode_rules rules;
    struct key_client *keys; /* started, with a line for each thread; NULL: nothing is unsealed */
};

/* Takes the section `capture` of a file (node/schema.c); its strings must live as long as the settings. False
 * with what is wrong. */
bool capture_settings_use(struct capture_settings *settings, const struct config *config, bool interfaces,
                          char fault[CAPTURE_FAULT_MAX]);

/* After the last change: makes the filter and draws the key of fingerprints (which a fleet's own
 * may take the place of, so that all its nodes agree). False with what is wrong. */
bool capture_settings_finish(struct capture_settings *settings, char fault[CAPTURE_FAULT_MAX]);

struct capture_group {
    int stop_descriptor;
    int wake_descriptor;          /* readable when activities wait; -1: not started */
    atomic_uint_least64_t losses; /* another number: something was lost */
    size_t workers_count;
    struct capture_worker workers[WORKERS_MAX];
};

struct capture_totals {
    uint64_t packets;
    uint64_t activities;
    uint64_t received;
    uint64_t dropped;
    uint64_t ifdropped;
    uint64_t refused; /* activities that found the ring full */
    uint64_t absences;
    unsigned absent; /* workers without their interface */
    uint64_t memory; /* bytes that the engines hold */
    struct capture_shed {
        uint64_t flows, packets, bytes;
    } shed[PROTOCOLS]; /* for a host in need */
};

/* False with what is wrong; capture_group_free() then too. */
bool capture_group_start(struct capture_group *group, const struct capture_settings *settings,
                         char fault[CAPTURE_FAULT_MAX]);

/* Hands over some of what waits in the rings, a few hundred of each; how many records that were. */
size_t capture_group_take(struct capture_group *group, void (*record)(void *context, struct bytes record),
                          void *context);
/* What was signalled is being looked after: before records are taken. */
void capture_group_take_wake(struct capture_group *group);

/* Takes the wake-up back and hands over all that waits in the rings; how many records that were. */
size_t capture_group_drain(struct capture_group *group, void (*record)(void *context, struct bytes record),
                           void *context);

void capture_group_totals(struct capture_group *group, struct capture_totals *totals);

/* Ends and joins the threads. What is left in the rings is still to be drained. */
void capture_group_stop(struct capture_group *group);

void capture_group_free(struct capture_group *group);
