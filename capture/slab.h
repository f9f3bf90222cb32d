/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine's memory: blocks of fixed size classes, cut from chunks, charged to one budget.
 *
 * A chunk serves one class at a time and goes back to a common pool when its last block is freed, so that
 * traffic of one kind cannot keep the memory from another for good. In steady state no call leaves this file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slab;

/* What `size` costs at most is 4 MiB; larger ones are refused. */
#define SLAB_BLOCK_MAX ((size_t)4 * 1024 * 1024)

/* A slab that never holds more than `limit` bytes, its chunks counted whole. NULL without memory. */
struct slab *slab_new(size_t limit);
void slab_destroy(struct slab **slab_p);

/* `size` bytes, aligned for any type, not cleared. NULL when the budget is used up. */
void *slab_alloc(struct slab *slab, size_t size);
void *slab_zalloc(struct slab *slab, size_t size);

/* `size` as it was asked for. NULL is fine. */
void slab_free(struct slab *slab, void *block, size_t size);

/* Bytes that a request of `size` really gets; growing buffers use them up. */
size_t slab_usable(size_t size);

/* Charges memory that is kept elsewhere (tables) to the same budget. False when it would not fit. */
bool slab_charge(struct slab *slab, size_t size);
void slab_uncharge(struct slab *slab, size_t size);

/* From now on `limit`. What is above it stays until it is freed; slab_trim then gives it back. */
void slab_limit(struct slab *slab, size_t limit);

/* Gives memory that is not in use back to the system. */
void slab_trim(struct slab *slab);

struct slab_stats {
    uint64_t used;    /* bytes in blocks handed out, and charged */
    uint64_t held;    /* bytes of chunks in use, and charged: what counts against the limit */
    uint64_t peak;    /* the most that was ever held */
    uint64_t refused; /* requests that got nothing */
};
const struct slab_stats *slab_stats(const struct slab *slab);
