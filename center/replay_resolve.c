/* SPDX-License-Identifier: Apache-2.0 */
#include "center/replay_resolve.h"

#include "base/activity.h"
#include "base/clock.h"

#include <stdlib.h>

#define WAIT        (5 * CLOCK_SECOND) /* of the capture's time, as a sensor's activity waits for look-ups */
#define WAITING_MAX 4096u
#define BYTES_MAX   (16u << 20) /* of what waits */

struct waiting {
    uint8_t *bytes;
    size_t size;
    int64_t time;
};

struct replay_resolve {
    struct resolver *resolver;
    replay_resolved resolved;
    void *context;
    int64_t now;                         /* the newest time so far */
    struct waiting waiting[WAITING_MAX]; /* ring */
    uint32_t first, count;
    size_t bytes;
    struct activity activity;
    struct activity_writer writer;
};

static uint32_t find_nobody(void *context, const struct lookup_key *key, struct resolver_entity *to)
{
    (void)context, (void)key, (void)to;
    return 0;
}

static bool no_domain(void *context, struct bytes name, struct resolver_domain *to)
{
    (void)context, (void)name, (void)to;
    return false;
}

struct replay_resolve *replay_resolve_new(const struct resolver_directory *directory,
                                          replay_resolved resolved, void *context)
{
    struct replay_resolve *self = calloc(1, sizeof(*self));
    struct resolver_limits limits;
    struct resolver_directory used = *directory;
    if (!self)
        return NULL;
    if (!used.find)
        used = (struct resolver_directory){.find = find_nobody, .domain = no_domain};
    resolver_limits_init(&limits);
    self->resolved = resolved;
    self->context = context;
    self->resolver = resolver_new(&limits, &used, 0);
    if (!self->resolver)
        replay_resolve_destroy(&self);
    return self;
}

void replay_resolve_destroy(struct replay_resolve **self_p)
{
    struct replay_resolve *self = *self_p;
    if (!self)
        return;
    for (; self->count > 0; self->count--)
        free(self->waiting[self->first++ % WAITING_MAX].bytes);
    resolver_destroy(&self->resolver);
    free(self);
    *self_p = NULL;
}

static void complete(struct replay_resolve *self, struct bytes record)
{
    struct cursor c = cursor_of_bytes(record);
    if (!activity_decode(&c, &self->activity) || !activity_extend(&self->writer, record, &self->activity)) {
        self->resolved(self->context, record); /* whoever counts what is damaged, does */
        return;
    }
    resolver_complete(self->resolver, &self->activity, &self->writer, NULL, self->now);
    self->resolved(self->context, activity_finish(&self->writer));
}

static void hand_on(struct replay_resolve *self)
{
    struct waiting *waiting = &self->waiting[self->first];
    complete(self, (struct bytes){waiting->bytes, waiting->size});
    self->bytes -= waiting->size;
    free(waiting->bytes);
    self->first = (self->first + 1) % WAITING_MAX;
    self->count--;
}

void replay_resolve_flush(struct replay_resolve *self)
{
    while (self->count > 0)
        hand_on(self);
}

void replay_resolve_record(struct replay_resolve *self, struct bytes record)
{
    struct cursor c = cursor_of_bytes(record);
    bool is_activity = activity_decode(&c, &self->activity);
    if (is_activity)
        resolver_observe(self->resolver, &self->activity);
    int64_t time = is_activity ? self->activity.time : self->now;
    if (time > self->now)
        self->now = time;
    while (self->count == WAITING_MAX || (self->count > 0 && self->bytes + record.size > BYTES_MAX))
        hand_on(self);
    uint8_t *copy = malloc(record.size ? record.size : 1);
    if (!copy) {
        replay_resolve_flush(self);
        complete(self, record);
        return;
    }
    if (record.size)
        memcpy(copy, record.data, record.size);
    self->waiting[(self->first + self->count++) % WAITING_MAX] = (struct waiting){copy, record.size, time};
    self->bytes += record.size;
    while (self->count > 0 && self->now - self->waiting[self->first].time > WAIT)
        hand_on(self);
}
