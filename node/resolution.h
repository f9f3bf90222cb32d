/* SPDX-License-Identifier: Apache-2.0
 *
 * The resolver in a node: a thread that takes the activities from the capture's rings and those that other
 * threads post, gives them the directory's identities, and hands them on. It never holds capture up: when the
 * rings fill, activities pass unresolved; what the directory has to be asked for is waited for for at most
 * five seconds; what comes later is handed on as a resolution record. The last activities are kept for
 * whoever looks (`picket activities`).
 */
#pragma once

#include "base/fault.h"
#include "node/capture_group.h"
#include "sync/late_resolution.h"
#include "sync/resolution_queue.h"
#include "sync/resolver_store.h"

#define RESOLUTION_KEPT   1000u             /* last activities */
#define RESOLUTION_POSTED ((size_t)4 << 20) /* bytes of posted activities that may wait for the thread */

struct resolution_config {
    struct capture_group *capture; /* its rings and its wake-up are this thread's from now on; one that was
                                      not started (no workers, wake_descriptor -1): records are only posted */
    struct entity_store *store;    /* NULL: names stay names, addresses get the names that were heard */
    resolver_store_ask look_up;    /* directory_look_up; NULL: nothing is asked */
    void *look_up_context;
    resolver_ask_name ask_name; /* name_asker_ask; NULL: computers are not asked for their names */
    void *ask_name_context;
    /* Gets each activity, on the resolver's thread, valid during the call, with the tag that it was posted
     * with (0: it was captured). May be NULL. */
    void (*record)(void *context, struct bytes record, uint64_t tag);
    void *context;
    uint32_t kept; /* 0: RESOLUTION_KEPT */
    int64_t wait;  /* ns; 0: 5 s */
    uint64_t seed; /* that others do not know */
};

struct resolution;

/* NULL with the reason. What the configuration points to must outlive it. */
struct resolution *resolution_start(const struct resolution_config *config, struct fault *fault);

/* Resolves what is left in the rings (of a capture that has stopped), waits for nothing any more, and ends.
 */
void resolution_stop(struct resolution **resolution);

/* --- any thread, none blocks for long --- */

/* An activity that does not come from the capture: copied, to be resolved and handed on like any. False: as
 * many wait as may (RESOLUTION_POSTED bytes); it is counted. `tag` is given back when it is handed on. */
bool resolution_post(struct resolution *resolution, struct bytes record, uint64_t tag);

/* A look-up was answered, found or in vain (directory_callbacks.looked_up). */
void resolution_looked_up(struct resolution *resolution, const struct lookup_key *key);

/* The address is that computer's: the node itself talks to it under that name, or it was asked for it. */
void resolution_tell(struct resolution *resolution, const struct ip_address *address, const char *name,
                     const char *domain, enum resolver_source source);
/* All that can be asked of the address was answered, or not. */
void resolution_asked(struct resolution *resolution, const struct ip_address *address);

/* Kept activities with numbers above `after`, oldest first, at most `max` (then the newest of them), each as
 * one JSON object; `number` counts up from 1. Returns the number of the newest there is: what `after` is next
 * time. `visit` must not call this again. */
uint64_t resolution_recent(struct resolution *resolution, uint64_t after, uint32_t max,
                           void (*visit)(void *context, uint64_t number, const char *json, size_t size),
                           void *context);

struct resolution_counters {
    uint64_t records;   /* handed on */
    uint64_t posted;    /* taken by resolution_post() */
    uint64_t refused;   /* by it: there was no room */
    uint64_t malformed; /* of them: no activities (a mistake of ours) */
    uint64_t passed;    /* of them: unresolved, as the rings were filling */
    uint64_t crowded;   /* of them: not waited for, as too many waited already */
    uint64_t late;      /* of them: their look-ups were not answered in time */
    uint64_t waiting;   /* now */
    uint64_t forgotten; /* answers of which nobody could be told: those wait until their time is over */
    struct late_resolution_counters late_names; /* what activities left without */
    struct resolver_counters resolver;
};
void resolution_counters(struct resolution *resolution, struct resolution_counters *counters);
