/* SPDX-License-Identifier: Apache-2.0
 *
 * Activities that wait for the directory's answers: in a ring of bounded bytes, each for so long and no
 * longer. Pure: records and a clock in, records out. For one thread.
 */
#pragma once

#include "base/cursor.h"

#include <stdbool.h>

#define RESOLUTION_KEYS_MAX 8u /* answers that one record waits for */

struct resolution_queue_limits {
    uint32_t records_max; /* 4,096 */
    uint32_t bytes_max;   /* of records: 4 MiB */
    int64_t wait;         /* ns: 5 s */
};
void resolution_queue_limits_init(struct resolution_queue_limits *limits);

struct resolution_queue;
/* All memory is taken here; NULL without it, or with limits of zero. */
struct resolution_queue *resolution_queue_new(const struct resolution_queue_limits *limits);
void resolution_queue_destroy(struct resolution_queue **queue);

/* Copies the record; it waits for the answers to these keys (1 to RESOLUTION_KEYS_MAX, each once). False when
 * there is no room: it does not wait. `tag` comes back with it. */
bool resolution_queue_put(struct resolution_queue *queue, struct bytes record, uint64_t tag,
                          const uint64_t *keys, uint32_t count, int64_t now);

/* A key was answered; whoever waited for nothing else is ready. */
void resolution_queue_answered(struct resolution_queue *queue, uint64_t key);

/* The next record that is ready, or whose time is over (`*late`), valid until the next call of put or next.
 * False: none yet. */
bool resolution_queue_next(struct resolution_queue *queue, int64_t now, struct bytes *record, uint64_t *tag,
                           bool *late);

/* When the next one's time is over; INT64_MAX: nothing waits. */
int64_t resolution_queue_deadline(const struct resolution_queue *queue);

struct resolution_queue_counters {
    uint64_t put, refused, ready, late;
    uint64_t waiting, bytes; /* now; bytes until the oldest that still waits has gone */
    uint64_t memory;
};
void resolution_queue_counters(const struct resolution_queue *queue,
                               struct resolution_queue_counters *counters);
