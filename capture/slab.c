/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/slab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_ASAN 1
#endif
#endif
#ifdef SLAB_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

/* Chunks are aligned to their size, so that a block finds its chunk by masking its address. */
#define CHUNK        ((size_t)256 * 1024)
#define CHUNK_HEAD   64u
#define REGION       ((size_t)8 * 1024 * 1024) /* what is asked of the system at a time */
#define HUGE_PAGE    ((size_t)2 * 1024 * 1024)
#define PAGE         ((size_t)4096)
#define CLASSES      30
#define SMALL_MAX    65408u /* four of them and the head fill a chunk */
#define LARGE_FIRST  ((size_t)128 * 1024)
#define LARGE_SIZES  6 /* 128 KiB to 4 MiB */
#define LARGE_CACHED 8 /* free blocks kept of each large size */

struct block {
    struct block *next;
};

struct chunk {
    struct chunk *next; /* of the class's chunks with room, or of the pool */
    struct chunk *previous;
    struct block *free;
    uint32_t used;
    uint32_t fresh; /* offset of the part that was never handed out */
    uint8_t class;
    bool listed;
};

struct region {
    struct region *next;
    void *mapping;
    size_t size;
};

struct large {
    struct block *free;
    uint32_t cached;
};

struct slab {
    size_t limit;
    size_t limit_first; /* as it was made */
    bool small;         /* limit is below that */
    struct slab_stats stats;
    struct chunk *partial[CLASSES];
    struct chunk *pool;
    uint8_t *fresh; /* chunks of the newest region that were never used */
    uint8_t *fresh_end;
    struct region *regions;
    struct large large[LARGE_SIZES];
    uint8_t class_of[SMALL_MAX / 64 + 2]; /* by size in units of 64 bytes, rounded up */
};

static const uint32_t class_sizes[CLASSES] = {
    64,   128,  192,  256,  320,  384,  448,   512,   640,   768,   896,   1024,  1280,  1536,  2048,
    2560, 3072, 4096, 5120, 6144, 8192, 10240, 12288, 16384, 20480, 26176, 32704, 43648, 52416, SMALL_MAX,
};

_Static_assert(sizeof(struct chunk) <= CHUNK_HEAD, "the head of a chunk fits its place");

static size_t large_index(size_t size)
{
    size_t index = 0;
    for (size_t bytes = LARGE_FIRST; bytes < size; bytes *= 2)
        index++;
    return index;
}

struct slab *slab_new(size_t limit)
{
    struct slab *slab = calloc(1, sizeof *slab);
    if (!slab)
        return NULL;
    slab->limit = slab->limit_first = limit;
    uint8_t rank = 0;
    for (size_t unit = 0; unit < sizeof slab->class_of; unit++) {
        while (rank < CLASSES - 1 && class_sizes[rank] < unit * 64)
            rank++;
        slab->class_of[unit] = rank;
    }
    return slab;
}

static void large_forget(struct large *large)
{
    for (struct block *block = large->free, *next; block; block = next) {
        ASAN_UNPOISON_MEMORY_REGION(block, sizeof *block);
        next = block->next;
        free(block);
    }
    *large = (struct large){0};
}

void slab_destroy(struct slab **slab_p)
{
    struct slab *slab = *slab_p;
    if (!slab)
        return;
    *slab_p = NULL;
    for (size_t i = 0; i < LARGE_SIZES; i++)
        large_forget(&slab->large[i]);
    for (struct region *region = slab->regions, *next; region; region = next) {
        next = region->next;
        ASAN_UNPOISON_MEMORY_REGION(region->mapping, region->size);
        munmap(region->mapping, region->size);
        free(region);
    }
    free(slab);
}

static void held_add(struct slab *slab, size_t size)
{
    slab->stats.held += size;
    if (slab->stats.held > slab->stats.peak)
        slab->stats.peak = slab->stats.held;
}

static bool region_add(struct slab *slab)
{
    struct region *region = malloc(sizeof *region);
    if (!region)
        return false;
    region->size = REGION + HUGE_PAGE;
    region->mapping =
        mmap(NULL, region->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (region->mapping == MAP_FAILED) {
        free(region);
        return false;
    }
    uintptr_t start = ((uintptr_t)region->mapping + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
    slab->fresh = (uint8_t *)start;
    slab->fresh_end = slab->fresh + REGION;
    /* A small engine is to stay small; a large one saves half of its misses in the TLB. */
    if (slab->regions && !slab->small)
        madvise(slab->fresh, REGION, MADV_HUGEPAGE);
    region->next = slab->regions;
    slab->regions = region;
    return true;
}

static struct chunk *chunk_take(struct slab *slab, uint8_t class)
{
    if (slab->stats.held + CHUNK > slab->limit)
        return NULL;
    struct chunk *chunk = slab->pool;
    if (chunk) {
        slab->pool = chunk->next;
    } else {
        if (slab->fresh == slab->fresh_end && !region_add(slab))
            return NULL;
        chunk = (struct chunk *)(void *)slab->fresh;
        slab->fresh += CHUNK;
    }
    held_add(slab, CHUNK);
    *chunk = (struct chunk){.fresh = CHUNK_HEAD, .class = class};
    ASAN_POISON_MEMORY_REGION((uint8_t *)chunk + CHUNK_HEAD, CHUNK - CHUNK_HEAD);
    return chunk;
}

static void partial_add(struct slab *slab, struct chunk *chunk)
{
    struct chunk **head = &slab->partial[chunk->class];
    chunk->next = *head;
    chunk->previous = NULL;
    if (*head)
        (*head)->previous = chunk;
    *head = chunk;
    chunk->listed = true;
}

static void partial_remove(struct slab *slab, struct chunk *chunk)
{
    if (chunk->previous)
        chunk->previous->next = chunk->next;
    else
        slab->partial[chunk->class] = chunk->next;
    if (chunk->next)
        chunk->next->previous = chunk->previous;
    chunk->listed = false;
}

static void pool_add(struct slab *slab, struct chunk *chunk)
{
    chunk->next = slab->pool;
    slab->pool = chunk;
    slab->stats.held -= CHUNK;
}

static void *large_alloc(struct slab *slab, size_t size)
{
    size_t index = large_index(size);
    size_t bytes = (size_t)LARGE_FIRST << index;
    if (slab->stats.held + bytes > slab->limit)
        return NULL;
    struct large *large = &slab->large[index];
    void *block = large->free;
    if (block) {
        ASAN_UNPOISON_MEMORY_REGION(block, bytes);
        large->free = large->free->next;
        large->cached--;
    } else {
        block = malloc(bytes);
        if (!block)
            return NULL;
    }
    held_add(slab, bytes);
    slab->stats.used += bytes;
    return block;
}

static void large_free(struct slab *slab, void *memory, size_t size)
{
    size_t index = large_index(size);
    size_t bytes = (size_t)LARGE_FIRST << index;
    struct large *large = &slab->large[index];
    slab->stats.held -= bytes;
    slab->stats.used -= bytes;
    if (large->cached == LARGE_CACHED) {
        free(memory);
        return;
    }
    struct block *block = memory;
    block->next = large->free;
    large->free = block;
    large->cached++;
    ASAN_POISON_MEMORY_REGION(block, bytes);
}

static void *small_alloc(struct slab *slab, size_t size)
{
    uint8_t class = slab->class_of[(size + 63) / 64];
    uint32_t bytes = class_sizes[class];
    struct chunk *chunk = slab->partial[class];
    if (!chunk) {
        chunk = chunk_take(slab, class);
        if (!chunk)
            return NULL;
        partial_add(slab, chunk);
    }
    struct block *block = chunk->free;
    if (block) {
        ASAN_UNPOISON_MEMORY_REGION(block, sizeof *block);
        chunk->free = block->next;
    } else {
        block = (struct block *)(void *)((uint8_t *)chunk + chunk->fresh);
        chunk->fresh += bytes;
    }
    ASAN_UNPOISON_MEMORY_REGION(block, size);
    chunk->used++;
    slab->stats.used += bytes;
    if (!chunk->free && chunk->fresh + bytes > CHUNK)
        partial_remove(slab, chunk);
    return block;
}

void *slab_alloc(struct slab *slab, size_t size)
{
    if (size == 0)
        size = 1;
    void *block = NULL;
    if (size <= SMALL_MAX)
        block = small_alloc(slab, size);
    else if (size <= SLAB_BLOCK_MAX)
        block = large_alloc(slab, size);
    if (!block)
        slab->stats.refused++;
    return block;
}

void *slab_zalloc(struct slab *slab, size_t size)
{
    void *block = slab_alloc(slab, size);
    if (block)
        memset(block, 0, size);
    return block;
}

void slab_free(struct slab *slab, void *memory, size_t size)
{
    if (!memory)
        return;
    if (size > SMALL_MAX) {
        large_free(slab, memory, size);
        return;
    }
    struct chunk *chunk = (struct chunk *)(void *)((uintptr_t)memory & ~(uintptr_t)(CHUNK - 1));
    uint32_t bytes = class_sizes[chunk->class];
    struct block *block = memory;
    ASAN_UNPOISON_MEMORY_REGION(block, sizeof *block);
    block->next = chunk->free;
    chunk->free = block;
    ASAN_POISON_MEMORY_REGION(block, bytes);
    slab->stats.used -= bytes;
    if (!chunk->listed)
        partial_add(slab, chunk);
    if (--chunk->used > 0)
        return;
    /* Keep one empty chunk of a class in use, so that a lone block does not make chunks come and go. */
    if (slab->partial[chunk->class] == chunk && !chunk->next)
        return;
    partial_remove(slab, chunk);
    pool_add(slab, chunk);
}

size_t slab_usable(size_t size)
{
    if (size > SMALL_MAX)
        return (size_t)LARGE_FIRST << large_index(size);
    size_t rank = 0;
    while (class_sizes[rank] < size)
        rank++;
    return class_sizes[rank];
}

bool slab_charge(struct slab *slab, size_t size)
{
    if (slab->stats.held + size > slab->limit) {
        slab->stats.refused++;
        return false;
    }
    slab->stats.used += size;
    held_add(slab, size);
    return true;
}

void slab_uncharge(struct slab *slab, size_t size)
{
    slab->stats.used -= size;
    slab->stats.held -= size;
}

void slab_limit(struct slab *slab, size_t limit)
{
    bool small = limit < slab->limit_first;
    /* Large pages would be filled up again behind our back. */
    if (small != slab->small)
        for (struct region *region = slab->regions; region; region = region->next)
            madvise(region->mapping, region->size, small ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    slab->small = small;
    slab->limit = limit;
}

static void empty_to_pool(struct slab *slab)
{
    for (unsigned class = 0; class < CLASSES; class ++)
        for (struct chunk *chunk = slab->partial[class], *next; chunk; chunk = next) {
            next = chunk->next;
            if (chunk->used == 0) {
                partial_remove(slab, chunk);
                pool_add(slab, chunk);
            }
        }
}

void slab_trim(struct slab *slab)
{
    empty_to_pool(slab);
    /* Their first page stays: it has what links them. */
    for (struct chunk *chunk = slab->pool; chunk; chunk = chunk->next)
        madvise((uint8_t *)chunk + PAGE, CHUNK - PAGE, MADV_DONTNEED);
    for (size_t i = 0; i < LARGE_SIZES; i++)
        large_forget(&slab->large[i]);
}

const struct slab_stats *slab_stats(const struct slab *slab)
{
    return &slab->stats;
}
