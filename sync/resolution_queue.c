/* SPDX-License-Identifier: Apache-2.0
 *
 * Records stand in a ring in the order in which they came; all wait equally long, so the oldest is the first
 * whose time is over. Those that leave earlier leave a gap, which the ring gives back when it is the oldest.
 * Answers come a few hundred times a second at most, so all that wait are looked through for each.
 */
#include "sync/resolution_queue.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum state { GONE, WAITING, READY };

struct waiting {
    uint32_t at, size; /* in the ring of bytes */
    uint32_t taken;    /* bytes of the ring: the record, and what was left over at its end */
    uint32_t missing;  /* keys: those not answered yet */
    enum state state;
    int64_t until;
    uint64_t tag;
    uint64_t keys[RESOLUTION_KEYS_MAX];
};

struct resolution_queue {
    struct resolution_queue_limits limits;
    struct resolution_queue_counters counters;
    uint8_t *bytes;
    uint32_t bytes_first, bytes_used;
    struct waiting *records;
    uint32_t first, count; /* numbers modulo records_max */
    uint32_t ready;
};

void resolution_queue_limits_init(struct resolution_queue_limits *limits)
{
    *limits = (struct resolution_queue_limits){
        .records_max = 4096, .bytes_max = 4u << 20, .wait = 5 * CLOCK_SECOND};
}

struct resolution_queue *resolution_queue_new(const struct resolution_queue_limits *limits)
{
    if (limits->records_max == 0 || limits->records_max > 1u << 20 || limits->bytes_max == 0 ||
        limits->bytes_max > 1u << 30)
        return NULL;
    struct resolution_queue *queue = calloc(1, sizeof(*queue));
    if (!queue)
        return NULL;
    queue->limits = *limits;
    queue->bytes = malloc(limits->bytes_max);
    queue->records = calloc(limits->records_max, sizeof(*queue->records));
    queue->counters.memory =
        sizeof(*queue) + limits->bytes_max + (uint64_t)limits->records_max * sizeof(*queue->records);
    if (!queue->bytes || !queue->records)
        resolution_queue_destroy(&queue);
    return queue;
}

void resolution_queue_destroy(struct resolution_queue **queue_p)
{
    struct resolution_queue *queue = *queue_p;
    if (!queue)
        return;
    free(queue->bytes);
    free(queue->records);
    free(queue);
    *queue_p = NULL;
}

/* --- room --- */

static struct waiting *oldest(const struct resolution_queue *queue)
{
    return &queue->records[queue->first];
}

static void drop_gone(struct resolution_queue *queue)
{
    while (queue->count > 0 && oldest(queue)->state == GONE) {
        uint32_t taken = oldest(queue)->taken;
        queue->bytes_first = (queue->bytes_first + taken) % queue->limits.bytes_max;
        queue->bytes_used -= taken;
        queue->first = (queue->first + 1) % queue->limits.records_max;
        queue->count--;
    }
}

/* Where `size` bytes can stand in one piece; `*taken` with what is passed over. False: nowhere. */
static bool find_room(const struct resolution_queue *queue, uint32_t size, uint32_t *at, uint32_t *taken)
{
    uint32_t max = queue->limits.bytes_max, end = (queue->bytes_first + queue->bytes_used) % max;
    uint32_t free_bytes = max - queue->bytes_used, until_edge = max - end;
    *at = end;
    *taken = size;
    if (size > until_edge) {
        *at = 0;
        *taken = size + until_edge;
    }
    return *taken <= free_bytes;
}

/* --- waiting --- */

static struct waiting *record_at(const struct resolution_queue *queue, uint32_t turn)
{
    return &queue->records[(queue->first + turn) % queue->limits.records_max];
}

bool resolution_queue_put(struct resolution_queue *queue, struct bytes record, uint64_t tag,
                          const uint64_t *keys, uint32_t count, int64_t now)
{
    uint32_t at, taken;
    drop_gone(queue);
    if (queue->count == queue->limits.records_max || record.size == 0 ||
        record.size > queue->limits.bytes_max || count == 0 || count > RESOLUTION_KEYS_MAX ||
        !find_room(queue, (uint32_t)record.size, &at, &taken)) {
        queue->counters.refused++;
        return false;
    }
    struct waiting *to = record_at(queue, queue->count++);
    *to = (struct waiting){.at = at,
                           .size = (uint32_t)record.size,
                           .taken = taken,
                           .missing = count,
                           .state = WAITING,
                           .tag = tag,
                           .until = now + queue->limits.wait};
    memcpy(to->keys, keys, count * sizeof(*keys));
    memcpy(queue->bytes + at, record.data, record.size);
    queue->bytes_used += taken;
    queue->counters.put++;
    queue->counters.waiting++;
    return true;
}

static void answer(struct resolution_queue *queue, struct waiting *record, uint64_t key)
{
    for (uint32_t i = 0; i < record->missing; i++) {
        if (record->keys[i] != key)
            continue;
        record->keys[i] = record->keys[--record->missing];
        if (record->missing == 0) {
            record->state = READY;
            queue->ready++;
        }
        return;
    }
}

void resolution_queue_answered(struct resolution_queue *queue, uint64_t key)
{
    for (uint32_t i = 0; i < queue->count; i++)
        if (record_at(queue, i)->state == WAITING)
            answer(queue, record_at(queue, i), key);
}

/* --- leaving --- */

static struct waiting *next_to_leave(struct resolution_queue *queue, int64_t now)
{
    for (uint32_t i = 0; i < queue->count; i++) {
        struct waiting *record = record_at(queue, i);
        if (record->state == READY || (record->state == WAITING && now >= record->until))
            return record;
        if (queue->ready == 0 && record->state == WAITING)
            return NULL; /* those behind it came later */
    }
    return NULL;
}

bool resolution_queue_next(struct resolution_queue *queue, int64_t now, struct bytes *record, uint64_t *tag,
                           bool *late)
{
    drop_gone(queue);
    struct waiting *next = next_to_leave(queue, now);
    if (!next)
        return false;
    *late = next->state == WAITING;
    *tag = next->tag;
    *record = (struct bytes){queue->bytes + next->at, next->size};
    if (*late)
        queue->counters.late++;
    else
        queue->counters.ready++;
    queue->ready -= next->state == READY;
    next->state = GONE;
    queue->counters.waiting--;
    return true;
}

int64_t resolution_queue_deadline(const struct resolution_queue *queue)
{
    for (uint32_t i = 0; i < queue->count; i++)
        if (record_at(queue, i)->state != GONE)
            return record_at(queue, i)->until;
    return INT64_MAX;
}

void resolution_queue_counters(const struct resolution_queue *queue,
                               struct resolution_queue_counters *counters)
{
    *counters = queue->counters;
    counters->bytes = queue->bytes_used;
}
