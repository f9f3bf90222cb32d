/* SPDX-License-Identifier: Apache-2.0 */
#include "node/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LONG_FILE (32u << 20)
#define PERIOD    200000000 /* ns */
#define WIDTH     40

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void progress_begin(struct progress *progress, size_t total)
{
    *progress = (struct progress){.shown = total >= LONG_FILE && isatty(STDERR_FILENO), .total = total};
    if (progress->shown) {
        progress->started = now();
        progress->next = progress->started + PERIOD;
    }
}

void progress_update(struct progress *progress, size_t done)
{
    if (!progress->shown)
        return;
    int64_t time = now();
    if (time < progress->next)
        return;
    progress->next = time + PERIOD;
    progress->drawn = true;
    double part = done < progress->total ? (double)done / (double)progress->total : 1.0;
    double seconds = (double)(time - progress->started) / 1e9;
    char bar[WIDTH + 1];
    for (int i = 0; i < WIDTH; i++)
        bar[i] = i < (int)(part * WIDTH) ? '#' : '.';
    bar[WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %3d %%  %.0f MB/s  %.0f s left \033[K", bar, (int)(part * 100),
            (double)done / 1e6 / seconds, part > 0 ? seconds / part - seconds : 0.0);
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
}
