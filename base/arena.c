/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Under AddressSanitizer what is not handed out is poisoned, with a gap behind each piece, so that an overrun
 * is found there as it is with malloc. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISONED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISONED 1
#endif

#ifdef ARENA_POISONED
#include <sanitizer/asan_interface.h>
#define poison(memory, size)   ASAN_POISON_MEMORY_REGION(memory, size)
#define unpoison(memory, size) ASAN_UNPOISON_MEMORY_REGION(memory, size)
enum { GAP = 16 };
#else
#define poison(memory, size)   ((void)(memory), (void)(size))
#define unpoison(memory, size) ((void)(memory), (void)(size))
enum { GAP = 0 };
#endif

struct arena {
    size_t capacity;
    size_t used;
    size_t peak;
    alignas(max_align_t) uint8_t memory[];
};

struct arena *arena_new(size_t capacity)
{
    if (capacity > SIZE_MAX - sizeof(struct arena))
        return NULL;
    struct arena *arena = malloc(sizeof *arena + capacity);
    if (!arena)
        return NULL;
    arena->capacity = capacity;
    arena->used = 0;
    arena->peak = 0;
    poison(arena->memory, capacity);
    return arena;
}

void arena_destroy(struct arena **arena_p)
{
    if (!arena_p || !*arena_p)
        return;
    unpoison((*arena_p)->memory, (*arena_p)->capacity);
    free(*arena_p);
    *arena_p = NULL;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    /* `used` stays a multiple of the alignment, but at the end of an arena of odd capacity, where nothing
     * more fits. */
    size_t left = arena->capacity - arena->used;
    if (size > left)
        return NULL;
    void *memory = arena->memory + arena->used;
    size_t step = (size + GAP + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    arena->used += step < left ? step : left;
    unpoison(memory, size);
    if (arena->used > arena->peak)
        arena->peak = arena->used;
    return memory;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    void *memory = arena_alloc(arena, size);
    if (memory)
        memset(memory, 0, size);
    return memory;
}

void arena_return(struct arena *arena, size_t used)
{
    poison(arena->memory + used, arena->used - used);
    arena->used = used;
}

void arena_reset(struct arena *arena)
{
    arena_return(arena, 0);
}

size_t arena_used(const struct arena *arena)
{
    return arena->used;
}

size_t arena_peak(const struct arena *arena)
{
    return arena->peak;
}
