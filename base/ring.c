/* SPDX-License-Identifier: Apache-2.0
 *
 * Positions only grow; the place of position p is p modulo the size. A record stands in one piece:
 *
 *   size (4)  bytes (size)  padding to a multiple of 8
 *
 * One that would not fit before the end of the buffer goes to its beginning; the size SKIP marks the rest.
 */
#include "base/ring.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    CACHE_LINE = 64,
    HEAD = 4,
    UNIT = 8,
    CAPACITY_MIN = 64,
};

#define SKIP         UINT32_MAX
#define CAPACITY_MAX ((size_t)1 << 31)

struct ring {
    /* The pusher's line. */
    alignas(CACHE_LINE) atomic_size_t written; /* up to here records are complete */
    size_t released_seen;                      /* the popper's position when it was last looked at */
    atomic_uint_least64_t refused;

    /* The popper's line. */
    alignas(CACHE_LINE) atomic_size_t released; /* up to here the room is free again */
    size_t read;                                /* up to here records were handed out */
    size_t written_seen;

    /* Both read it. */
    alignas(CACHE_LINE) size_t capacity;
    uint8_t *memory;
};

struct ring *ring_new(size_t capacity)
{
    if (capacity > CAPACITY_MAX)
        return NULL;
    size_t rounded = CAPACITY_MIN;
    while (rounded < capacity)
        rounded *= 2;
    struct ring *ring = aligned_alloc(CACHE_LINE, sizeof *ring);
    if (!ring)
        return NULL;
    memset(ring, 0, sizeof *ring);
    atomic_init(&ring->written, 0);
    atomic_init(&ring->released, 0);
    atomic_init(&ring->refused, 0);
    ring->capacity = rounded;
    ring->memory = aligned_alloc(CACHE_LINE, rounded);
    if (!ring->memory)
        ring_destroy(&ring);
    return ring;
}

void ring_destroy(struct ring **ring_p)
{
    if (!ring_p || !*ring_p)
        return;
    free((*ring_p)->memory);
    free(*ring_p);
    *ring_p = NULL;
}

size_t ring_record_max(const struct ring *ring)
{
    /* With half of the ring a record fits somewhere in it whenever it is empty, wherever its position is. */
    return ring->capacity / 2 - HEAD;
}

static size_t taken_by(size_t size)
{
    return (HEAD + size + UNIT - 1) / UNIT * UNIT;
}

/* Whether `size` more bytes from `written` on are free; looks at the popper's line only when it must. */
static bool has_room(struct ring *ring, size_t written, size_t size)
{
    if (written + size - ring->released_seen <= ring->capacity)
        return true;
    ring->released_seen = atomic_load_explicit(&ring->released, memory_order_acquire);
    return written + size - ring->released_seen <= ring->capacity;
}

static bool refuse(struct ring *ring)
{
    atomic_fetch_add_explicit(&ring->refused, 1, memory_order_relaxed);
    return false;
}

static void put_size(struct ring *ring, size_t position, uint32_t size)
{
    memcpy(ring->memory + (position & (ring->capacity - 1)), &size, HEAD);
}

bool ring_push(struct ring *ring, const void *record, size_t size)
{
    if (size > ring_record_max(ring))
        return refuse(ring);
    size_t written = atomic_load_explicit(&ring->written, memory_order_relaxed);
    size_t to_end = ring->capacity - (written & (ring->capacity - 1));
    size_t taken = taken_by(size);
    size_t skipped = taken > to_end ? to_end : 0;
    if (!has_room(ring, written, skipped + taken))
        return refuse(ring);
    if (skipped)
        put_size(ring, written, SKIP);
    written += skipped;
    put_size(ring, written, (uint32_t)size);
    if (size)
        memcpy(ring->memory + (written & (ring->capacity - 1)) + HEAD, record, size);
    atomic_store_explicit(&ring->written, written + taken, memory_order_release);
    return true;
}

/* The record at the read position, which moves behind it. */
static struct bytes take(struct ring *ring)
{
    size_t place = ring->read & (ring->capacity - 1);
    uint32_t size;
    memcpy(&size, ring->memory + place, HEAD);
    if (size == SKIP) { /* a record follows: both were published at once */
        ring->read += ring->capacity - place;
        place = 0;
        memcpy(&size, ring->memory, HEAD);
    }
    ring->read += taken_by(size);
    return (struct bytes){.data = ring->memory + place + HEAD, .size = size};
}

size_t ring_pop(struct ring *ring, struct bytes *records, size_t max)
{
    ring_release(ring);
    if (ring->read == ring->written_seen)
        ring->written_seen = atomic_load_explicit(&ring->written, memory_order_acquire);
    size_t count = 0;
    while (count < max && ring->read != ring->written_seen)
        records[count++] = take(ring);
    return count;
}

void ring_release(struct ring *ring)
{
    atomic_store_explicit(&ring->released, ring->read, memory_order_release);
}

uint64_t ring_refused(const struct ring *ring)
{
    return atomic_load_explicit(&ring->refused, memory_order_relaxed);
}

size_t ring_used(const struct ring *ring)
{
    size_t released = atomic_load_explicit(&ring->released, memory_order_acquire);
    return atomic_load_explicit(&ring->written, memory_order_acquire) - released;
}
