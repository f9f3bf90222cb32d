/* SPDX-License-Identifier: Apache-2.0 */
#include "events/intake.h"

#include "base/clock.h"
#include "base/yielding.h"

#include <pthread.h>
#include <stdlib.h>

#define HELD_UP_MOST (100 * CLOCK_MILLISECOND)

struct intake {
    struct intake_config config;
    pthread_mutex_t lock;
    struct intake_counters counters;
    struct activity_writer writer;
};

struct intake *intake_new(const struct intake_config *config)
{
    struct intake *self = calloc(1, sizeof(*self));
    if (!self)
        return NULL;
    self->config = *config;
    pthread_mutex_init(&self->lock, NULL);
    return self;
}

void intake_destroy(struct intake **intake)
{
    if (!*intake)
        return;
    pthread_mutex_destroy(&(*intake)->lock);
    free(*intake);
    *intake = NULL;
}

/* Outside of the lock: what is read more slowly waits where it comes from, or is sent again, or (UDP) is lost
 * and counted by the kernel. */
static void stand_back(struct intake *self)
{
    static _Thread_local struct yielding_turn turn;
    yielding_pause(self->config.yielding, &turn, HELD_UP_MOST);
}

static int64_t receive(struct intake *self)
{
    int64_t now = clock_wall(clock_system());
    self->counters.received++;
    self->counters.last = now;
    return now;
}

static bool hand_on(struct intake *self, struct bytes record, uint64_t tag)
{
    bool taken = self->config.record(self->config.context, record, tag);
    if (taken)
        self->counters.understood++;
    else
        self->counters.dropped++;
    return taken;
}

static void refuse(struct intake *self, const struct intake_message *message, const char *reason, int64_t now)
{
    struct quarantine_origin origin = {self->config.input, message->format, message->address};
    self->counters.invalid++;
    quarantine_put(self->config.quarantine, &origin, reason, message->bytes, now);
}

enum intake_verdict intake_event_tagged(struct intake *self, const struct event *event,
                                        const struct intake_message *from, uint64_t tag)
{
    enum intake_verdict verdict = INTAKE_DONE;
    pthread_mutex_lock(&self->lock);
    int64_t now = receive(self);
    switch (self->config.translate(event, &self->writer)) {
    case EVENT_TOLD:
        verdict = hand_on(self, activity_finish(&self->writer), tag) ? INTAKE_POSTED : INTAKE_FULL;
        break;
    case EVENT_IGNORED:
        self->counters.ignored++;
        break;
    case EVENT_INVALID:
        refuse(self, from, "an event without what it must have", now);
        break;
    }
    pthread_mutex_unlock(&self->lock);
    stand_back(self);
    return verdict;
}

void intake_event(struct intake *self, const struct event *event, const struct intake_message *from)
{
    intake_event_tagged(self, event, from, 0);
}

bool intake_record(struct intake *self, struct bytes record, uint64_t tag)
{
    pthread_mutex_lock(&self->lock);
    receive(self);
    bool taken = hand_on(self, record, tag);
    pthread_mutex_unlock(&self->lock);
    stand_back(self);
    return taken;
}

bool intake_offer(struct intake *self, struct bytes record, uint64_t tag)
{
    bool taken = self->config.record(self->config.context, record, tag);
    if (!taken)
        return false;
    pthread_mutex_lock(&self->lock);
    receive(self);
    self->counters.understood++;
    pthread_mutex_unlock(&self->lock);
    stand_back(self);
    return true;
}

void intake_ignore(struct intake *self)
{
    pthread_mutex_lock(&self->lock);
    receive(self);
    self->counters.ignored++;
    pthread_mutex_unlock(&self->lock);
    stand_back(self);
}

void intake_refuse(struct intake *self, const struct intake_message *message, const char *reason)
{
    pthread_mutex_lock(&self->lock);
    refuse(self, message, reason, receive(self));
    pthread_mutex_unlock(&self->lock);
    stand_back(self);
}

void intake_lose(struct intake *self, uint64_t messages)
{
    pthread_mutex_lock(&self->lock);
    self->counters.received += messages;
    self->counters.dropped += messages;
    pthread_mutex_unlock(&self->lock);
}

void intake_counters(struct intake *self, struct intake_counters *counters)
{
    pthread_mutex_lock(&self->lock);
    *counters = self->counters;
    pthread_mutex_unlock(&self->lock);
}
