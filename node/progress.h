/* SPDX-License-Identifier: Apache-2.0
 *
 * A progress bar on standard error: only on a terminal, only for long files.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    bool shown; /* whether there is one at all */
    bool drawn; /* whether it stands on the terminal now */
    size_t total;
    int64_t started;
    int64_t next;
};

/* `total` bytes to go through; 0: not known, no bar. */
void progress_begin(struct progress *progress, size_t total);

/* Cheap enough to be called every few thousand packets. */
void progress_update(struct progress *progress, size_t done);

/* Takes the bar away (before something else is written, and at the end). */
void progress_clear(struct progress *progress);
