/* SPDX-License-Identifier: Apache-2.0
 *
 * One capture thread's end of its line to the holder of keys (keys/line.h): what the engine's dissectors ask
 * through. Whatever the holder does - is slow, dies, answers nonsense - the thread goes on: it waits for a
 * bounded time, and what was not answered counts as sealed. Nothing is allocated after the start.
 *
 * - A question waits `timeout` at most. An answer that comes later is known by its number, and dropped.
 * - After KEY_LINE_TIMEOUTS of them in a row nothing is asked for `pause`; then one question tries, and when
 *   it is not answered either the pause doubles, up to `pause_max`. The first answer ends that.
 * - All waiting of a thread, for answers that came and for those that did not, takes no more than `waiting`
 *   of each second (and the `timeout` by which the last one may pass it).
 *
 * What is told waits for the next question, or until LINE_TOLD_MAX bytes are together. When a socket is full
 * it is waited for as for an answer; what does not go in that time is dropped, for then nobody reads.
 */
#pragma once

#include "base/clock.h"
#include "capture/unseal.h"

#define KEY_LINE_TIMEOUTS 3u

struct key_line_limits {
    int64_t timeout; /* ns */
    int64_t pause, pause_max;
    int64_t waiting; /* ns of a second; 0: any */
};

/* Live: capture threads may not stall. 5 ms and less than a half of each second; a pause of 1 s, up to 8. */
extern const struct key_line_limits key_line_live;
/* A file waits: 2 s. */
extern const struct key_line_limits key_line_file;

struct key_line_counters {
    uint64_t asked;
    uint64_t answered;
    uint64_t timed_out;
    uint64_t skipped; /* not asked: in a pause, or no waiting left */
    uint64_t lost;    /* there was nobody, or he went */
    uint64_t strays;  /* answers that were late, of a wrong number, or none at all */
    uint64_t untold;
};

struct key_line;

/* NULL without memory. `clock` must outlive it. */
struct key_line *key_line_new(const struct key_line_limits *limits, const struct clock *clock);
/* Once its thread has ended. */
void key_line_destroy(struct key_line **line_p);

/* What the engine asks; valid as long as the line, and for one thread at a time. */
const struct unsealer *key_line_unsealer(const struct key_line *line);

/* --- any thread --- */

/* From the next question on this socket (line_pair), which is the line's from now on; what waited to be told
 * to the one before is dropped. -1: nobody. */
void key_line_connect(struct key_line *line, int socket);
void key_line_counters(struct key_line *line, struct key_line_counters *to);
