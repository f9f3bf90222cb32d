/* SPDX-License-Identifier: Apache-2.0 */
#include "node/resolution.h"

#include "base/clock.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* A ring more than three quarters full: resolving is slower than capturing. */
#define CROWDED_NUMERATOR   3u
#define CROWDED_DENOMINATOR 4u

#define TURN        (200 * CLOCK_MILLISECOND)
#define ANSWERS_MAX 4096u /* that wait for the thread */
#define FACTS_MAX   512u

struct kept {
    uint8_t *bytes;
    size_t size, capacity;
};

struct fact {
    struct ip_address address;
    enum resolver_source source; /* RESOLVER_UNKNOWN: no more is to come of the address */
    char name[RESOLVER_DOMAIN_MAX], domain[RESOLVER_DOMAIN_MAX];
};

struct resolution {
    struct resolution_config config;
    struct resolver *resolver;
    struct resolver_store *store;
    struct resolution_queue *queue;
    struct late_resolution *late; /* NULL: nothing comes later, for nothing is known of a directory */
    pthread_t thread;
    bool started;
    int wake; /* answers, facts, posted activities, or the end */

    /* Posted activities, each with its tag before it: pushed under `posting`, popped by the thread. */
    pthread_mutex_t posting;
    struct ring *posted;
    uint8_t *posted_record; /* where tag and record are put together */
    atomic_uint_least64_t posted_count;
    atomic_bool posted_told; /* the thread was woken and has not looked yet */

    /* The thread's own. */
    struct activity activity;
    struct activity_writer writer;
    bool behind;  /* this turn passes activities on */
    uint64_t tag; /* of the activity that is at hand */

    /* Under the lock: */
    pthread_mutex_t lock;
    bool ending;
    struct lookup_key *answers;
    uint32_t answer_count;
    struct fact facts[FACTS_MAX]; /* ring */
    uint32_t fact_first, fact_count;
    struct kept *kept; /* ring; number n stands at n modulo its size */
    uint64_t newest;   /* 0: none yet */
    struct resolution_counters counters;
};

/* --- handing on --- */

static void keep(struct resolution *self, struct bytes record)
{
    struct kept *kept = &self->kept[++self->newest % self->config.kept];
    /* A place that once held a large one does not keep its room: else all places would be large one day. */
    if (kept->capacity < record.size || kept->capacity > 2 * record.size + 256) {
        uint8_t *fitting = realloc(kept->bytes, record.size);
        if (!fitting) {
            kept->size = 0;
            return;
        }
        kept->bytes = fitting;
        kept->capacity = record.size;
    }
    memcpy(kept->bytes, record.data, record.size);
    kept->size = record.size;
}

static void hand_on(struct resolution *self, struct bytes record)
{
    if (self->config.record)
        self->config.record(self->config.context, record, self->tag);
    pthread_mutex_lock(&self->lock);
    self->counters.records++;
    keep(self, record);
    pthread_mutex_unlock(&self->lock);
}

static void count(struct resolution *self, uint64_t *counter)
{
    pthread_mutex_lock(&self->lock);
    (*counter)++;
    pthread_mutex_unlock(&self->lock);
}

/* --- resolving --- */

static bool decode(struct resolution *self, struct bytes record)
{
    struct cursor c = cursor_of_bytes(record);
    return activity_decode(&c, &self->activity) && cursor_done(&c);
}

/* With `waits` it may have to wait: then nothing has been handed on and false is returned. */
static bool complete(struct resolution *self, struct bytes record, struct resolver_waits *waits)
{
    int64_t now = clock_monotonic(clock_system());
    if (!activity_extend(&self->writer, record, &self->activity)) {
        hand_on(self, record);
        return true;
    }
    resolver_complete(self->resolver, &self->activity, &self->writer, waits, now);
    if (waits && waits->count > 0)
        return false;
    if (self->late)
        late_resolution_note(self->late, record, &self->activity, resolver_left(self->resolver), now);
    hand_on(self, activity_finish(&self->writer));
    return true;
}

static void finish(struct resolution *self, struct bytes record)
{
    if (decode(self, record))
        complete(self, record, NULL);
}

/* What does not wait is completed at once and for the last time. */
static void take_record(void *context, struct bytes record)
{
    struct resolution *self = context;
    struct resolver_waits waits;
    if (self->behind) {
        count(self, &self->counters.passed);
        hand_on(self, record);
        return;
    }
    if (!decode(self, record)) {
        count(self, &self->counters.malformed);
        hand_on(self, record);
        return;
    }
    resolver_observe(self->resolver, &self->activity);
    uint64_t settled = resolver_settled(self->resolver);
    if (settled)
        resolution_queue_answered(self->queue, settled);
    if (!self->config.look_up && !self->config.ask_name) {
        complete(self, record, NULL);
        return;
    }
    if (complete(self, record, &waits))
        return;
    if (resolution_queue_put(self->queue, record, self->tag, waits.keys, waits.count,
                             clock_monotonic(clock_system())))
        return;
    count(self, &self->counters.crowded);
    complete(self, record, NULL);
}

/* --- posted activities --- */

#define TAG_BYTES sizeof(uint64_t)

static size_t take_posted(struct resolution *self)
{
    enum { AT_ONCE = 256 };
    struct bytes records[AT_ONCE];
    atomic_store(&self->posted_told, false);
    size_t n = ring_pop(self->posted, records, AT_ONCE);
    for (size_t i = 0; i < n; i++) {
        memcpy(&self->tag, records[i].data, TAG_BYTES);
        take_record(self, (struct bytes){records[i].data + TAG_BYTES, records[i].size - TAG_BYTES});
    }
    self->tag = 0;
    ring_release(self->posted);
    return n;
}

static bool is_behind(struct resolution *self)
{
    struct capture_group *group = self->config.capture;
    if (ring_used(self->posted) > RESOLUTION_POSTED / CROWDED_DENOMINATOR * CROWDED_NUMERATOR)
        return true;
    for (size_t i = 0; i < group->workers_count; i++)
        if (ring_used(group->workers[i].ring) > CAPTURE_RING_BYTES / CROWDED_DENOMINATOR * CROWDED_NUMERATOR)
            return true;
    return false;
}

static void take_answers(struct resolution *self)
{
    for (;;) {
        struct lookup_key key;
        pthread_mutex_lock(&self->lock);
        bool there = self->answer_count > 0;
        if (there)
            key = self->answers[--self->answer_count];
        pthread_mutex_unlock(&self->lock);
        if (!there)
            return;
        resolver_refresh(self->resolver);
        resolution_queue_answered(self->queue, resolver_key_hash(self->resolver, &key));
    }
}

static void take_fact(struct resolution *self, const struct fact *fact)
{
    if (fact->source == RESOLVER_UNKNOWN)
        resolution_queue_answered(self->queue, resolver_address_hash(self->resolver, &fact->address));
    else
        resolver_tell(self->resolver, &fact->address,
                      (struct bytes){(const uint8_t *)fact->name, strlen(fact->name)},
                      (struct bytes){(const uint8_t *)fact->domain, strlen(fact->domain)}, fact->source,
                      clock_wall(clock_system()));
}

static void take_facts(struct resolution *self)
{
    for (;;) {
        struct fact fact;
        pthread_mutex_lock(&self->lock);
        bool there = self->fact_count > 0;
        if (there) {
            fact = self->facts[self->fact_first];
            self->fact_first = (self->fact_first + 1) % FACTS_MAX;
            self->fact_count--;
        }
        pthread_mutex_unlock(&self->lock);
        if (!there)
            return;
        take_fact(self, &fact);
    }
}

static void take_waiting(struct resolution *self, int64_t now)
{
    struct bytes record;
    bool late;
    while (resolution_queue_next(self->queue, now, &record, &self->tag, &late)) {
        if (late)
            count(self, &self->counters.late);
        finish(self, record);
    }
    self->tag = 0;
}

static void hand_on_late(void *context, struct bytes record)
{
    hand_on(context, record);
}

static void take_late(struct resolution *self)
{
    if (self->late)
        late_resolution_try(self->late, self->resolver, clock_monotonic(clock_system()),
                            clock_wall(clock_system()), hand_on_late, self);
}

static void publish(struct resolution *self)
{
    struct late_resolution_counters late = {0};
    struct resolution_queue_counters queue;
    struct resolver_counters resolver;
    resolution_queue_counters(self->queue, &queue);
    resolver_counters(self->resolver, &resolver);
    if (self->late)
        late_resolution_counters(self->late, &late);
    pthread_mutex_lock(&self->lock);
    self->counters.waiting = queue.waiting;
    self->counters.late_names = late;
    self->counters.resolver = resolver;
    pthread_mutex_unlock(&self->lock);
}

/* How many activities were taken. */
static size_t turn(struct resolution *self)
{
    if (self->store)
        resolver_store_renew(self->store);
    take_facts(self);
    take_answers(self);
    self->behind = is_behind(self);
    if (self->config.capture->wake_descriptor >= 0)
        capture_group_take_wake(self->config.capture);
    size_t taken = capture_group_take(self->config.capture, take_record, self);
    taken += take_posted(self);
    take_waiting(self, clock_monotonic(clock_system()));
    take_late(self);
    if (self->store)
        resolver_store_rest(self->store);
    publish(self);
    return taken;
}

/* --- the thread --- */

static bool is_ending(struct resolution *self)
{
    pthread_mutex_lock(&self->lock);
    bool ending = self->ending;
    pthread_mutex_unlock(&self->lock);
    return ending;
}

static int until_next(const struct resolution *self)
{
    int64_t deadline = resolution_queue_deadline(self->queue), now = clock_monotonic(clock_system());
    int64_t wait = deadline - now < TURN ? deadline - now : TURN;
    return wait <= 0 ? 0 : (int)(wait / CLOCK_MILLISECOND) + 1;
}

static void *run(void *context)
{
    struct resolution *self = context;
    size_t taken = 0;
    while (!is_ending(self)) {
        struct pollfd fds[] = {{.fd = self->config.capture->wake_descriptor, .events = POLLIN},
                               {.fd = self->wake, .events = POLLIN}};
        uint64_t wakes;
        poll(fds, 2, taken > 0 ? 0 : until_next(self));
        if (fds[1].revents && read(self->wake, &wakes, sizeof(wakes)) < 0)
            continue;
        taken = turn(self);
    }
    while (turn(self) > 0)
        continue;
    if (self->store)
        resolver_store_renew(self->store);
    take_waiting(self, INT64_MAX); /* waits for nothing any more */
    publish(self);
    return NULL;
}

static void wake_up(struct resolution *self)
{
    uint64_t one = 1;
    ssize_t n = write(self->wake, &one, sizeof(one)); /* full: it is awake */
    (void)n;
}

/* --- start and end --- */

static uint32_t no_entity(void *context, const struct lookup_key *key, struct resolver_entity *to)
{
    (void)context;
    (void)key;
    (void)to;
    return 0;
}

static bool make_parts(struct resolution *self, struct fault *fault)
{
    const struct resolution_config *config = &self->config;
    struct resolver_directory directory = {.find = no_entity};
    struct resolver_limits limits;
    struct resolution_queue_limits queue;
    struct late_resolution_limits late;
    resolver_limits_init(&limits);
    resolution_queue_limits_init(&queue);
    late_resolution_limits_init(&late);
    queue.wait = config->wait ? config->wait : queue.wait;
    if (config->store) {
        self->store = resolver_store_new(config->store, config->look_up, config->look_up_context, fault);
        if (!self->store)
            return false;
        directory = resolver_store_directory(self->store);
    }
    self->resolver = resolver_new(&limits, &directory, config->seed);
    if (self->resolver)
        resolver_ask_names(self->resolver, config->ask_name, config->ask_name_context);
    self->queue = resolution_queue_new(&queue);
    self->late = config->store ? late_resolution_new(&late, config->seed) : NULL;
    self->answers = calloc(ANSWERS_MAX, sizeof(*self->answers));
    self->kept = calloc(config->kept, sizeof(*self->kept));
    self->posted = ring_new(RESOLUTION_POSTED);
    self->posted_record = malloc(TAG_BYTES + ACTIVITY_BYTES_MAX);
    self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!self->resolver || !self->queue || (config->store && !self->late) || !self->answers || !self->kept ||
        !self->posted || !self->posted_record || self->wake < 0)
        return fault_say(fault, "the resolver: %s", strerror(errno));
    return true;
}

static void destroy(struct resolution **self_p)
{
    struct resolution *self = *self_p;
    for (uint32_t i = 0; self->kept && i < self->config.kept; i++)
        free(self->kept[i].bytes);
    free(self->kept);
    free(self->answers);
    free(self->posted_record);
    ring_destroy(&self->posted);
    resolution_queue_destroy(&self->queue);
    late_resolution_destroy(&self->late);
    resolver_destroy(&self->resolver);
    resolver_store_destroy(&self->store);
    if (self->wake >= 0)
        close(self->wake);
    pthread_mutex_destroy(&self->posting);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

struct resolution *resolution_start(const struct resolution_config *config, struct fault *fault)
{
    struct resolution *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    self->config = *config;
    self->config.kept = config->kept ? config->kept : RESOLUTION_KEPT;
    self->wake = -1;
    pthread_mutex_init(&self->lock, NULL);
    pthread_mutex_init(&self->posting, NULL);
    atomic_init(&self->posted_count, 0);
    atomic_init(&self->posted_told, false);
    if (make_parts(self, fault)) {
        self->started = thread_start(&self->thread, "resolver", run, self);
        if (self->started)
            return self;
        fault_say(fault, "the resolver: no thread could be started");
    }
    destroy(&self);
    return NULL;
}

void resolution_stop(struct resolution **self_p)
{
    struct resolution *self = *self_p;
    if (!self)
        return;
    pthread_mutex_lock(&self->lock);
    self->ending = true;
    pthread_mutex_unlock(&self->lock);
    wake_up(self);
    pthread_join(self->thread, NULL);
    destroy(self_p);
}

/* --- from other threads --- */

bool resolution_post(struct resolution *self, struct bytes record, uint64_t tag)
{
    if (record.size == 0 || record.size > ACTIVITY_BYTES_MAX)
        return false;
    pthread_mutex_lock(&self->posting);
    memcpy(self->posted_record, &tag, TAG_BYTES);
    memcpy(self->posted_record + TAG_BYTES, record.data, record.size);
    bool taken = ring_push(self->posted, self->posted_record, TAG_BYTES + record.size);
    pthread_mutex_unlock(&self->posting);
    if (taken)
        atomic_fetch_add_explicit(&self->posted_count, 1, memory_order_relaxed);
    if (!atomic_exchange(&self->posted_told, true))
        wake_up(self);
    return taken;
}

void resolution_looked_up(struct resolution *self, const struct lookup_key *key)
{
    pthread_mutex_lock(&self->lock);
    if (self->answer_count < ANSWERS_MAX)
        self->answers[self->answer_count++] = *key;
    else
        self->counters.forgotten++;
    pthread_mutex_unlock(&self->lock);
    wake_up(self);
}

static void post_fact(struct resolution *self, const struct fact *fact)
{
    pthread_mutex_lock(&self->lock);
    if (self->fact_count < FACTS_MAX)
        self->facts[(self->fact_first + self->fact_count++) % FACTS_MAX] = *fact;
    else
        self->counters.forgotten++;
    pthread_mutex_unlock(&self->lock);
    wake_up(self);
}

void resolution_tell(struct resolution *self, const struct ip_address *address, const char *name,
                     const char *domain, enum resolver_source source)
{
    struct fact fact = {.address = *address, .source = source};
    if (strlen(name) >= sizeof(fact.name) || strlen(domain) >= sizeof(fact.domain))
        return;
    memcpy(fact.name, name, strlen(name) + 1);
    memcpy(fact.domain, domain, strlen(domain) + 1);
    post_fact(self, &fact);
}

void resolution_asked(struct resolution *self, const struct ip_address *address)
{
    post_fact(self, &(struct fact){.address = *address, .source = RESOLVER_UNKNOWN});
}

/* A copy of one kept activity; 0: it has gone, or there was no memory for it. */
static size_t copy_kept(struct resolution *self, uint64_t number, uint8_t *to)
{
    size_t size = 0;
    pthread_mutex_lock(&self->lock);
    if (number <= self->newest && self->newest - number < self->config.kept) {
        const struct kept *kept = &self->kept[number % self->config.kept];
        size = kept->size;
        memcpy(to, kept->bytes, size);
    }
    pthread_mutex_unlock(&self->lock);
    return size;
}

uint64_t resolution_recent(struct resolution *self, uint64_t after, uint32_t max,
                           void (*visit)(void *context, uint64_t number, const char *json, size_t size),
                           void *context)
{
    size_t capacity = 8u * ACTIVITY_BYTES_MAX + 1;
    uint8_t *bytes = malloc(ACTIVITY_BYTES_MAX);
    char *json = malloc(capacity);
    struct activity *activity = malloc(sizeof(*activity));
    pthread_mutex_lock(&self->lock);
    uint64_t newest = self->newest;
    pthread_mutex_unlock(&self->lock);
    uint64_t oldest = newest >= self->config.kept ? newest - self->config.kept + 1 : 1;
    uint64_t from = after + 1 > oldest ? after + 1 : oldest;
    if (newest >= from && newest - from + 1 > max)
        from = newest - max + 1;
    for (uint64_t n = from; bytes && json && activity && n <= newest; n++) {
        size_t size = copy_kept(self, n, bytes);
        struct cursor c = cursor_of(bytes, size);
        if (size && activity_decode(&c, activity))
            visit(context, n, json, activity_to_json(activity, json, capacity));
    }
    free(activity);
    free(json);
    free(bytes);
    return newest;
}

void resolution_counters(struct resolution *self, struct resolution_counters *counters)
{
    pthread_mutex_lock(&self->lock);
    *counters = self->counters;
    pthread_mutex_unlock(&self->lock);
    counters->posted = atomic_load_explicit(&self->posted_count, memory_order_relaxed);
    counters->refused = ring_refused(self->posted);
}
