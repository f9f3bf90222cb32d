/* SPDX-License-Identifier: Apache-2.0
 *
 * Watches a world run: tells what happens in plain words, as it happens, and keeps what the picture needs.
 */
#pragma once

#include "sim/expect.h"
#include "sim/picture.h"

struct watch;

struct watch_options {
    FILE *out;   /* the time line */
    bool json;   /* one object a line instead of words */
    bool trace;  /* each change of state and each message too */
    bool silent; /* no time line at all */
};

/* `picture` may be NULL. Scenario, expects and picture must outlive it. NULL without memory. */
struct watch *watch_new(const struct scenario *scenario, struct expects *expects, struct picture *picture,
                        const struct watch_options *options);
void watch_destroy(struct watch **watch);

/* What the world tells; its context is the watch. The world is made known before it runs. */
struct sim_observer watch_observer(struct watch *watch);
void watch_world(struct watch *watch, struct sim_world *world);

/* A second of the world is over: what belongs together is told, a sample is taken when it is time to. */
void watch_second(struct watch *watch);

/* One line of the time line, or one object: {"type":"event","ms":...,"what":WHAT,"text":...}. */
void watch_say(struct watch *watch, int64_t time, const char *what, const char *text);
