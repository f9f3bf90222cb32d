/* SPDX-License-Identifier: Apache-2.0
 *
 * Arena: memory that is given back all at once. One block, bounded, no call to malloc after creation;
 * what a message needs while it is handled lives here, and the arena is reset after the message.
 */
#pragma once

#include <stddef.h>

struct arena;

/* An arena of `capacity` bytes. NULL without memory. The caller destroys it. */
struct arena *arena_new(size_t capacity);

/* Destroys the arena and clears the caller's pointer; NULL is fine. */
void arena_destroy(struct arena **arena_p);

/* `size` bytes, aligned for any type, not cleared; NULL when the capacity is used up. */
void *arena_alloc(struct arena *arena, size_t size);

/* The same, zeroed. */
void *arena_zalloc(struct arena *arena, size_t size);

/* Forgets all that was handed out. */
void arena_reset(struct arena *arena);

/* Forgets what was handed out since arena_used told `used`. */
void arena_return(struct arena *arena, size_t used);

/* Bytes handed out since the last reset, and the most that ever were. */
size_t arena_used(const struct arena *arena);
size_t arena_peak(const struct arena *arena);
