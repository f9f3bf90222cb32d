/* SPDX-License-Identifier: Apache-2.0 */
#include "node/offline_resolver.h"

#include "base/clock.h"
#include "sync/late_resolution.h"
#include "sync/resolver_store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BETWEEN_RENEWALS 4096u /* activities: a node that runs may use the store's pages anew */

#define TIME_MOST (INT64_MAX / 2) /* a made-up capture may say anything */

struct offline_resolver {
    void (*record)(void *context, struct bytes record);
    void *context;
    struct entity_store *store; /* NULL: none */
    struct resolver_store *directory;
    struct resolver *resolver;
    struct late_resolution *late;
    struct activity activity;
    struct activity_writer writer;
    unsigned until_renewal;
    int64_t time; /* of the newest activity */
};

static uint32_t no_entity(void *context, const struct lookup_key *key, struct resolver_entity *to)
{
    (void)context;
    (void)key;
    (void)to;
    return 0;
}

static bool open_directory(struct offline_resolver *self, const char *path, struct resolver_directory *to,
                           struct fault *fault)
{
    const struct entity_store_config config = {.path = path, .read_only = true};
    if (!path)
        return true;
    self->store = entity_store_open(&config, fault);
    self->directory = self->store ? resolver_store_new(self->store, NULL, NULL, fault) : NULL;
    if (!self->directory)
        return false;
    *to = resolver_store_directory(self->directory);
    resolver_store_renew(self->directory);
    return true;
}

struct offline_resolver *offline_resolver_new(const char *store,
                                              void (*record)(void *context, struct bytes record),
                                              void *context, struct fault *fault)
{
    struct offline_resolver *self = calloc(1, sizeof(*self));
    struct resolver_directory directory = {.find = no_entity};
    struct resolver_limits limits;
    struct late_resolution_limits late;
    uint64_t seed;
    if (!self || getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        free(self);
        fault_say(fault, "the resolver: no memory, or no random numbers");
        return NULL;
    }
    resolver_limits_init(&limits);
    late_resolution_limits_init(&late);
    if (!open_directory(self, store, &directory, fault)) {
        offline_resolver_destroy(&self);
        return NULL;
    }
    self->resolver = resolver_new(&limits, &directory, seed);
    self->late = store ? late_resolution_new(&late, seed) : NULL;
    if (!self->resolver || (store && !self->late)) {
        fault_say(fault, "the resolver: no memory");
        offline_resolver_destroy(&self);
        return NULL;
    }
    self->record = record;
    self->context = context;
    return self;
}

static void try_late(struct offline_resolver *self, int64_t now)
{
    if (self->late)
        late_resolution_try(self->late, self->resolver, now, self->time, self->record, self->context);
}

void offline_resolver_destroy(struct offline_resolver **self_p)
{
    struct offline_resolver *self = *self_p;
    if (self->record && self->time)
        try_late(self, self->time + CLOCK_HOUR); /* whatever was due */
    late_resolution_destroy(&self->late);
    resolver_destroy(&self->resolver);
    resolver_store_destroy(&self->directory);
    entity_store_close(&self->store);
    free(self);
    *self_p = NULL;
}

static void renew(struct offline_resolver *self)
{
    if (!self->directory || self->until_renewal-- > 0)
        return;
    resolver_store_rest(self->directory);
    resolver_store_renew(self->directory);
    self->until_renewal = BETWEEN_RENEWALS;
}

void offline_resolver_take(struct offline_resolver *self, struct bytes record)
{
    struct cursor c = cursor_of_bytes(record);
    if (!activity_decode(&c, &self->activity) || !cursor_done(&c) ||
        !activity_extend(&self->writer, record, &self->activity)) {
        self->record(self->context, record);
        return;
    }
    renew(self);
    /* The resolver's view of it; the record stays as it is. */
    int64_t time = self->activity.time < 0 ? 0 : self->activity.time;
    self->activity.time = time < TIME_MOST ? time : TIME_MOST;
    self->time = self->activity.time > self->time ? self->activity.time : self->time;
    resolver_observe(self->resolver, &self->activity);
    resolver_complete(self->resolver, &self->activity, &self->writer, NULL, self->time);
    if (self->late)
        late_resolution_note(self->late, record, &self->activity, resolver_left(self->resolver), self->time);
    self->record(self->context, activity_finish(&self->writer));
    try_late(self, self->time);
}
