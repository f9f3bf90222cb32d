/* SPDX-License-Identifier: Apache-2.0
 *
 * Ring: a bounded queue of byte records of any size between two threads, one that pushes and one that pops.
 * Neither ever waits for the other: a full ring refuses, and counts, and the pusher decides what that means.
 */
#pragma once

#include "base/cursor.h"

struct ring;

/* Of `capacity` bytes at least (64 to 2^31; rounded up to a power of two), of which each record takes its
 * size and up to 15 more. NULL without memory. The caller destroys it, when both threads are done with it. */
struct ring *ring_new(size_t capacity);
void ring_destroy(struct ring **ring_p);

/* The largest record it takes. */
size_t ring_record_max(const struct ring *ring);

/* The pushing thread: copies the record in. False when it does not fit now (or is too large at all); that is
 * counted. */
bool ring_push(struct ring *ring, const void *record, size_t size);

/* The popping thread: up to `max` of the next records, in order, as they stand in the ring: valid until
 * ring_release, which gives their room back. Pop does that itself first. Returns how many. */
size_t ring_pop(struct ring *ring, struct bytes *records, size_t max);
void ring_release(struct ring *ring);

/* Any thread. */
uint64_t ring_refused(const struct ring *ring);
size_t ring_used(const struct ring *ring); /* bytes, a moment ago */
