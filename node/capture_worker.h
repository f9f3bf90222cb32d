/* SPDX-License-Identifier: Apache-2.0
 *
 * One thread of live capture: an interface (or its share of one), an engine of its own, and a ring through
 * which the activities reach the thread that writes them. Nothing per packet crosses a thread.
 */
#pragma once

#include "base/ring.h"
#include "capture/engine.h"
#include "capture/source_live.h"
#include "node/decode_rule.h"
#include "node/output.h"

#include <pthread.h>
#include <stdatomic.h>

#define CAPTURE_RING_BYTES (8u << 20) /* of activities: seconds of a busy controller */

/* Seen by the writing thread while the worker runs. */
struct worker_counters {
    atomic_uint_least64_t packets; /* handled by the engine */
    atomic_uint_least64_t activities;
    atomic_uint_least64_t received; /* as the kernel tells */
    atomic_uint_least64_t dropped;
    atomic_uint_least64_t ifdropped;
    atomic_uint_least64_t absences; /* times that the interface vanished */
    atomic_bool present;            /* the interface is open now */
    atomic_uint_least64_t memory;   /* bytes that the engine holds */
    struct worker_shed {
        atomic_uint_least64_t flows, packets, bytes;
    } shed[PROTOCOLS];
};

/* What a governor lets the workers do; shared by all of them. Each pays into `purse` what it spends and stops
 * while that is empty. */
struct capture_allowance {
    atomic_int_least64_t purse;   /* ns of CPU left */
    atomic_int_least64_t used;    /* ns of CPU since the governor last looked */
    atomic_int_least64_t waited;  /* ns that they stopped, likewise */
    atomic_uint level;            /* engine_shed */
    atomic_bool paused;           /* nothing is captured */
    atomic_uint_least64_t memory; /* bytes for each engine; 0: as it was made */
    /* Another filter than the one it began with; the text must live as long as the workers. NULL: none yet.
     */
    _Atomic(const char *) filter;
};

struct capture_worker {
    struct live_options live;
    const struct engine_options *options;
    const struct decode_rules *rules;
    const struct unsealer *unsealer;     /* who holds the keys; NULL: nobody */
    struct capture_allowance *allowance; /* NULL: no limits */
    int stop_descriptor;                 /* becomes readable when the thread is to end */
    int wake_descriptor;                 /* written to when the ring has got records */
    atomic_uint_least64_t *losses;       /* counts up when something was lost, before what comes behind it */

    struct ring *ring;
    struct output *direct; /* once the thread has ended: activities go there, past the ring */
    struct engine *engine; /* to be read when the thread has ended */
    struct worker_counters counters;
    char error[256];
    pthread_t thread;
    bool started;

    /* The thread's own. */
    struct live_source *source;
    struct live_counters before; /* of the sources that went before */
    int64_t reopen;              /* monotonic: when to try again */
    int64_t delay;
    int64_t last_packet;
    int64_t spent; /* CPU time of the thread, as last paid */
    uint32_t level;
    uint64_t memory;
    bool paused;
    bool woke;
    int64_t published;
    uint64_t blinks; /* times that the interface was closed */
    uint64_t lost;   /* as was published: packets, and blinks */
};

/* Prepares and starts it; false (with worker->error) when the interface cannot be captured at all. */
bool capture_worker_start(struct capture_worker *worker);

/* Waits for its end, after stop_descriptor was signalled. The engine and the ring remain. */
void capture_worker_join(struct capture_worker *worker);

void capture_worker_free(struct capture_worker *worker);
