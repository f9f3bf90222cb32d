/* SPDX-License-Identifier: Apache-2.0 */
#include "node/outbox.h"

#include "base/batch.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "node/record_value.h"

#include <stdlib.h>

#define INTERVAL   (500 * CLOCK_MILLISECOND)
#define ZSTD_LEVEL 1
#define TAGS_MAX   65536u

/* The spool's fill, in percent, from which on activities of a value are left out. */
#define FILL_LOW    80u
#define FILL_NORMAL 90u

struct outbox {
    struct outbox_config config;
    pthread_t thread;
    pthread_cond_t work; /* of the thread */

    pthread_mutex_t lock; /* guards what follows */
    bool ending;
    uint64_t *tags, *telling; /* whose sources wait; of the commit that is under way */
    uint32_t tag_count;
    bool failed; /* since the last commit: nobody is told that anything was kept */
    struct batch_writer *batch;
    uint64_t in_batch[ACTIVITY_KINDS];
    struct outbox_status status;
};

/* --- the batch; under the lock --- */

static void count_dropped(struct outbox *self, enum activity_kind kind, uint64_t count)
{
    if (count == 0)
        return;
    self->status.dropped += count;
    self->status.dropped_by_kind[kind] += count;
    self->status.last_drop = clock_wall(clock_system());
}

static void refresh_fill(struct outbox *self)
{
    struct spool_status spool;
    spool_status(self->config.spool, &spool);
    self->status.fill = (unsigned)(spool.bytes * 100 / spool.bytes_max);
}

static void take_frame(void *context, struct bytes frame)
{
    struct outbox *self = context;
    enum spool_verdict verdict =
        spool_append(self->config.spool, SPOOL_ACTIVITIES, clock_wall(clock_system()), frame, false);
    bool kept = verdict == SPOOL_KEPT;
    if (!kept && !self->status.failing)
        log_warning("activities cannot be kept: %s",
                    verdict == SPOOL_FULL ? "the spool is full" : "the disk does not take them");
    self->status.failing = !kept;
    for (unsigned kind = 0; kind < ACTIVITY_KINDS; kind++) {
        if (!kept)
            count_dropped(self, (enum activity_kind)kind, self->in_batch[kind]);
        self->in_batch[kind] = 0;
    }
    self->failed = self->failed || !kept;
    refresh_fill(self);
}

static bool is_left_out(const struct outbox *self, enum activity_kind kind)
{
    if (self->config.drop_oldest || self->status.fill < FILL_LOW)
        return false;
    enum record_value value = record_value_of(kind);
    return value == VALUE_LOW || (value == VALUE_NORMAL && self->status.fill >= FILL_NORMAL);
}

/* More tags than there is room for are as if their records could not be kept: they come again. */
static void await(struct outbox *self, uint64_t tag)
{
    if (self->tag_count < TAGS_MAX)
        self->tags[self->tag_count++] = tag;
    pthread_cond_signal(&self->work);
}

/* --- the thread that makes it durable --- */

static bool sync_disk(struct outbox *self)
{
    pthread_mutex_unlock(&self->lock);
    bool synced = spool_sync(self->config.spool);
    pthread_mutex_lock(&self->lock);
    if (!synced && !self->status.failing)
        log_warning("what was appended to the spool cannot be made durable");
    self->status.failing = self->status.failing || !synced;
    return synced;
}

/* What comes in the meantime is the next commit's. */
static void commit(struct outbox *self)
{
    batch_writer_flush(self->batch);
    uint64_t *tags = self->tags;
    uint32_t count = self->tag_count;
    bool failed = self->failed;
    self->tags = self->telling;
    self->telling = tags;
    self->tag_count = 0;
    self->failed = false;
    bool kept = sync_disk(self) && !failed;
    refresh_fill(self); /* what was acknowledged meanwhile made room */
    pthread_mutex_unlock(&self->lock);
    for (uint32_t i = 0; kept && i < count; i++)
        self->config.kept(self->config.context, tags[i]);
    pthread_mutex_lock(&self->lock);
}

static void wait_until(struct outbox *self, int64_t deadline)
{
    struct timespec at = {.tv_sec = deadline / CLOCK_SECOND, .tv_nsec = deadline % CLOCK_SECOND};
    while (self->tag_count == 0 && !self->ending && clock_monotonic(clock_system()) < deadline)
        pthread_cond_timedwait(&self->work, &self->lock, &at);
}

static void *run(void *context)
{
    struct outbox *self = context;
    pthread_mutex_lock(&self->lock);
    for (bool last = false; !last;) {
        wait_until(self, clock_monotonic(clock_system()) + self->config.interval);
        last = self->ending; /* it may be set during a commit, after what that one takes */
        commit(self);
    }
    pthread_mutex_unlock(&self->lock);
    return NULL;
}

/* --- from other threads --- */

void outbox_record(struct outbox *self, struct bytes record, uint64_t tag)
{
    enum activity_kind kind = activity_kind_of(record);
    pthread_mutex_lock(&self->lock);
    if (is_left_out(self, kind)) {
        count_dropped(self, kind, 1);
    } else {
        self->status.records++;
        self->in_batch[kind]++;
        batch_writer_add(self->batch, record);
        if (tag)
            await(self, tag);
    }
    pthread_mutex_unlock(&self->lock);
}

void outbox_status(struct outbox *self, struct outbox_status *status)
{
    pthread_mutex_lock(&self->lock);
    *status = self->status;
    pthread_mutex_unlock(&self->lock);
}

bool outbox_is_dropping(const struct outbox_status *status, int64_t wall)
{
    return status->last_drop && wall - status->last_drop < CLOCK_MINUTE;
}

/* --- start and end --- */

static void destroy(struct outbox **self_p)
{
    struct outbox *self = *self_p;
    batch_writer_destroy(&self->batch);
    free(self->tags);
    free(self->telling);
    pthread_cond_destroy(&self->work);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

struct outbox *outbox_start(const struct outbox_config *config, struct fault *fault)
{
    struct outbox *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->work, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&self->lock, NULL);
    self->config = *config;
    if (self->config.interval == 0)
        self->config.interval = INTERVAL;
    self->batch = batch_writer_new(ZSTD_LEVEL, take_frame, self);
    self->tags = calloc(TAGS_MAX, sizeof(*self->tags));
    self->telling = calloc(TAGS_MAX, sizeof(*self->telling));
    refresh_fill(self);
    if (self->batch && self->tags && self->telling && thread_start(&self->thread, "outbox", run, self))
        return self;
    fault_say(fault, "what is to be sent: out of memory or threads");
    destroy(&self);
    return NULL;
}

void outbox_stop(struct outbox **self_p)
{
    struct outbox *self = *self_p;
    if (!self)
        return;
    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_cond_signal(&self->work);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    destroy(self_p);
}
