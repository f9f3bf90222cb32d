/* SPDX-License-Identifier: Apache-2.0
 *
 * Follows log files, a thread of its own: gives each whole line once, through rotation by renaming, rotation
 * by copying and truncating, truncation and restarts. Where it is stands in a file: a place in a log is known
 * again by the log's inode and the hash of its beginning, so also in a file that was renamed or copied since.
 *
 * A place moves on when its lines are done: read, and what was made of them safe. So a crash costs nothing;
 * lines that were done in its last second may be given once more.
 */
#pragma once

#include "base/cursor.h"
#include "base/fault.h"

#define LOG_TAIL_FILES_MAX 16u
#define LOG_LINE_MAX       (256u * 1024u) /* a longer line is given as its beginning, one byte longer than this */
#define LOG_WAITING        4096u          /* lines that may wait to be safe; then nothing more is read */

enum log_line_verdict {
    LOG_LINE_DONE,
    LOG_LINE_WAITS, /* it is done when log_tail_kept() says so */
    LOG_LINE_BUSY,  /* not taken: it is given again */
};

struct log_tail_config {
    const char *const *paths; /* of the logs; copied */
    unsigned path_count;      /* at most LOG_TAIL_FILES_MAX */
    const char *positions;    /* file that remembers the places; its directory is there */
    /* What stood in a log before it was followed for the first time is given too. */
    bool from_beginning;
    /* A line without its end; valid during the call, on the thread of this. */
    enum log_line_verdict (*line)(void *context, struct bytes line, uint64_t tag);
    void *context;
    int64_t period;   /* ns between two looks at the files; 0: 250 ms */
    int64_t patience; /* ns after which a line that is not done is given again; 0: 60 s */
    int64_t quiet;    /* ns for which a rotated file must not grow to be let go; 0: 60 s */
};

struct log_tail;

/* NULL with the reason. A log that is not there, or that may not be read, is none: it is waited for. */
struct log_tail *log_tail_start(const struct log_tail_config *config, struct fault *fault);
/* Remembers the places, and ends. */
void log_tail_stop(struct log_tail **tail);

/* --- any thread, none waits for long --- */

/* What was made of the line with that tag is safe. */
void log_tail_kept(struct log_tail *tail, uint64_t tag);

struct log_tail_status {
    const char *path;
    bool reading;          /* false: `fault` says why */
    char fault[FAULT_MAX]; /* also when the places cannot be remembered */
    uint64_t lines;        /* given */
    uint64_t behind;       /* bytes that are not read yet */
    uint64_t rotations;    /* seen */
    uint64_t lost;         /* places that could not be found again */
};
/* Of the log with that number; false when there is none. */
bool log_tail_status(struct log_tail *tail, unsigned number, struct log_tail_status *status);
