/* SPDX-License-Identifier: Apache-2.0
 *
 * Preloaded into a program, counts its allocations and says how many they were when it ends:
 * the line `allocations N` on the file descriptor that PICKET_COUNT_FD names.
 */
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* glibc's own allocator, under the names it exports for this purpose. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static atomic_ullong allocations;

void *malloc(size_t size)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    return __libc_realloc(memory, size);
}

__attribute__((destructor)) static void report(void)
{
    const char *fd = getenv("PICKET_COUNT_FD");
    char line[64];
    int n = snprintf(line, sizeof line, "allocations %llu\n",
                     (unsigned long long)atomic_load_explicit(&allocations, memory_order_relaxed));
    if (fd && n > 0 && write(atoi(fd), line, (size_t)n) < 0)
        _exit(1);
}
