/* SPDX-License-Identifier: Apache-2.0 */
#include "center/shard.h"

#include "base/batch.h"
#include "base/clock.h"
#include "base/log.h"
#include "center/activity_index.h"
#include "center/checkpoint.h"
#include "center/entities_store.h"
#include "center/store_settings.h"
#include "center/store_states.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define CHECKPOINT_EVERY (5 * CLOCK_SECOND)
#define ALERTS_WITHIN    (500 * CLOCK_MILLISECOND)
#define SETTINGS_EVERY   CLOCK_SECOND
#define RETRY_EVERY      CLOCK_SECOND
#define PENDING_MAX      256u
/* A commit may take one part in so many of the time. */
#define COMMIT_SHARE 20
#define PAUSE_MS     50
/* Bytes of batches of entities that are not left to wait for the next checkpoint. */
#define ENTITIES_WAITING_MANY (8u << 20)
#define ENTITIES_WAITING_MOST (64u << 20)

struct shard {
    struct shard_config config;
    struct store *store;
    struct workspace_settings *settings;
    uint64_t settings_version;
    struct entities *entities;
    struct entities_store *kept_entities; /* of the first shard: it writes for all */
    struct pipeline *pipeline;
    struct checkpoint *checkpoint;
    struct activity_index *index;
    struct log_reader *reader;
    struct batch_reader *activities;
    struct entity_batch_reader *entity_reader;

    /* Raised, and not committed. */
    struct alert *pending;
    uint32_t pending_count;
    int64_t pending_since;

    uint64_t position;           /* the last entry that was looked at */
    uint64_t taken;              /* the last entry that was read: before `again` an earlier one */
    uint64_t again;              /* up to this entry only entities are taken once more */
    uint64_t directory;          /* up to this entry the directory stands in the store; of the first shard */
    uint64_t gathered_directory; /* the same, once what is under way is committed */
    int64_t checkpoint_at;       /* when the next one is due; monotonic, as all of these */
    int64_t settings_at, retry_at;
    bool gathered; /* a checkpoint waits to be written */
    bool lost;     /* an alert */

    pthread_mutex_t lock; /* of what follows */
    struct shard_status status;
};

static int64_t monotonic(void)
{
    return clock_monotonic(clock_system());
}

/* -- what the pipeline tells ----------------------------------------------------------------------------- */

static bool commit_alerts(struct shard *self);

static void take_alert(void *context, const struct alert *alert)
{
    struct shard *self = context;
    if (self->pending_count == PENDING_MAX && !commit_alerts(self)) {
        self->lost = true; /* it will be raised again when the shard begins anew */
        return;
    }
    if (self->pending_count == 0)
        self->pending_since = monotonic();
    self->pending[self->pending_count++] = *alert;
}

static void take_observation(void *context, const struct observation *observation)
{
    activity_index_take(((struct shard *)context)->index, observation);
}

/* -- making ---------------------------------------------------------------------------------------------- */

static void take_tag(void *context, int64_t id, const struct stored_tag *tag)
{
    static const struct {
        const char *tag;
        uint32_t fact;
    } facts[] = {{"sensitive", FACT_SENSITIVE},
                 {"honeytoken", FACT_HONEYTOKEN},
                 {"synchronizer", FACT_SYNCHRONIZER},
                 {"dns-server", FACT_DNS_SERVER}};
    struct shard *self = context;
    struct guid guid;
    (void)id;
    memcpy(guid.bytes, tag->guid, sizeof(guid.bytes));
    const struct bytes name = {(const uint8_t *)tag->name, strlen(tag->name)};
    const struct bytes domain = {(const uint8_t *)tag->domain, strlen(tag->domain)};
    for (unsigned i = 0; i < sizeof(facts) / sizeof(*facts); i++)
        if (strcmp(facts[i].tag, tag->tag) == 0)
            entities_tag(self->entities, tag->has_guid ? &guid : NULL, name, domain, facts[i].fact);
}

static void load_settings(struct shard *self)
{
    unsigned ignored;
    uint64_t version = store_settings_version(self->store, self->config.workspace);
    if (store_failed(self->store) || version == self->settings_version)
        return;
    if (!store_workspace_settings(self->store, self->config.workspace, self->settings, &ignored))
        return;
    if (ignored)
        log_warning("%u settings of workspace %llu are not understood", ignored,
                    (unsigned long long)self->config.workspace);
    entities_forget_tags(self->entities);
    store_tags_list(self->store, self->config.workspace, take_tag, self);
    self->settings_version = version;
}

static bool make_memory(struct shard *self)
{
    self->settings = calloc(1, sizeof(*self->settings));
    self->pending = calloc(PENDING_MAX, sizeof(*self->pending));
    self->entities = entities_new(self->config.seed.value);
    self->kept_entities = entities_store_new(self->config.workspace);
    self->index = activity_index_new(self->config.seed.value);
    self->checkpoint = checkpoint_new(self->config.workspace, self->config.number);
    return self->settings && self->pending && self->entities && self->kept_entities && self->index &&
           self->checkpoint;
}

static bool make_pipeline(struct shard *self)
{
    const struct pipeline_config config = {.settings = self->settings,
                                           .directory = entities_view(self->entities),
                                           .seed = self->config.seed,
                                           .shard = self->config.number,
                                           .shards = self->config.shards,
                                           .tickets = self->config.tickets,
                                           .detectors = self->config.detectors,
                                           .alert = take_alert,
                                           .observed = self->config.number == 0 ? take_observation : NULL,
                                           .context = self};
    self->pipeline = pipeline_new(&config);
    return self->pipeline != NULL;
}

/* What a power failure took from the log's end was not acknowledged; the positions are given once more. */
static void check_position(struct shard *self)
{
    if (self->config.begin == 0 || self->position < self->config.begin)
        return;
    log_warning("the log ends before entry %llu, up to which it was looked at: going on at %llu",
                (unsigned long long)self->position, (unsigned long long)self->config.begin);
    self->position = self->config.begin - 1;
}

/* The directory in the store is never newer than any shard: what each knows of it beyond that it takes once
 * more. */
static bool restore_directory(struct shard *self, struct fault *fault)
{
    if (!store_begin_reading(self->store, fault))
        return false;
    self->directory = store_position(self->store, self->config.workspace, STORE_DIRECTORY);
    if (self->directory > self->position)
        self->directory = self->position;
    bool restored = entities_store_restore(self->kept_entities, self->store, self->entities, fault);
    store_abandon(self->store); /* it only read */
    return restored;
}

/* Where the directory may be written up to: no shard, begun anew, may see what it has not come to. */
static uint64_t directory_until(const struct shard *self)
{
    uint64_t until = self->taken;
    for (uint32_t i = 1; i < self->config.shards; i++) {
        uint64_t position = store_position(self->store, self->config.workspace, i);
        until = position < until ? position : until;
    }
    return until > self->directory ? until : self->directory;
}

static void write_directory(struct shard *self)
{
    if (self->config.number != 0)
        return;
    self->gathered_directory = directory_until(self);
    entities_store_write(self->kept_entities, self->store, self->gathered_directory);
    store_position_put(self->store, self->config.workspace, STORE_DIRECTORY, self->gathered_directory,
                       clock_wall(clock_system()));
}

static bool restore(struct shard *self, struct fault *fault)
{
    struct checkpoint_status status;
    if (!checkpoint_restore(self->checkpoint, self->store, self->pipeline, &self->position, fault))
        return false;
    checkpoint_status(self->checkpoint, &status);
    check_position(self);
    if (!restore_directory(self, fault))
        return false;
    self->status.position = self->status.committed = self->again = self->position;
    self->status.needed = self->taken = self->directory;
    log_info("workspace %llu, shard %u: from entry %llu on, with %llu states",
             (unsigned long long)self->config.workspace, self->config.number,
             (unsigned long long)self->position + 1, (unsigned long long)status.restored);
    if (status.unknown)
        log_notice("states of detectors that are gone, or of another version, are forgotten");
    self->reader = log_reader_open(disk_system(), self->config.log, self->directory + 1, fault);
    return self->reader != NULL;
}

struct shard *shard_new(const struct shard_config *config, struct fault *fault)
{
    struct shard *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&self->lock, NULL);
    self->config = *config;
    if (!self->config.checkpoint_every)
        self->config.checkpoint_every = CHECKPOINT_EVERY;
    if (!self->config.alerts_within)
        self->config.alerts_within = ALERTS_WITHIN;
    self->checkpoint_at = monotonic() + self->config.checkpoint_every;
    self->store = store_open(config->store, STORE_PIPELINE, fault);
    bool fine = self->store != NULL;
    if (fine && !make_memory(self))
        fine = fault_say(fault, "out of memory");
    if (fine)
        load_settings(self);
    if (fine && !make_pipeline(self))
        fine = fault_say(fault, "out of memory");
    if (!fine || !restore(self, fault))
        shard_destroy(&self);
    return self;
}

void shard_destroy(struct shard **shard)
{
    struct shard *self = *shard;
    if (!self)
        return;
    pipeline_destroy(&self->pipeline);
    checkpoint_destroy(&self->checkpoint);
    activity_index_destroy(&self->index);
    entities_store_destroy(&self->kept_entities);
    entities_destroy(&self->entities);
    if (self->reader)
        log_reader_close(&self->reader);
    batch_reader_destroy(&self->activities);
    entity_batch_reader_destroy(&self->entity_reader);
    store_close(&self->store);
    free(self->settings);
    free(self->pending);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *shard = NULL;
}

/* -- entries --------------------------------------------------------------------------------------------- */

static void count_damaged(struct shard *self, const struct log_entry *entry)
{
    char node[NODE_ID_TEXT_SIZE];
    log_warning("entry %llu of the log, of node %s, cannot be read, or not all of it",
                (unsigned long long)entry->position, node_id_text(&entry->origin.node, node));
    pthread_mutex_lock(&self->lock);
    self->status.damaged++;
    pthread_mutex_unlock(&self->lock);
}

static void take_activities(struct shard *self, const struct log_entry *entry)
{
    struct bytes content = entry->content;
    uint64_t count;
    if (!self->activities)
        self->activities = batch_reader_new();
    if (!self->activities || batch_reader_feed(self->activities, &content) != BATCH_READY) {
        batch_reader_destroy(&self->activities);
        count_damaged(self, entry);
        pipeline_gap(self->pipeline);
        return;
    }
    struct cursor c = batch_reader_records(self->activities, &count);
    if (!pipeline_batch(self->pipeline, &c, count, entry->position, entry->wall, entry->origin.node.bytes))
        count_damaged(self, entry);
}

static void take_entities(struct shard *self, const struct log_entry *entry)
{
    if (!self->entity_reader)
        self->entity_reader = entity_batch_reader_new();
    if (!self->entity_reader || !entities_take(self->entities, self->entity_reader, entry->content, NULL)) {
        entity_batch_reader_destroy(&self->entity_reader);
        count_damaged(self, entry);
    }
    if (self->config.number == 0 && entry->position > self->directory &&
        !entities_store_take(self->kept_entities, entry->content, entry->position, entry->wall))
        self->lost = true;
}

static bool is_ours(const struct shard *self, const struct log_entry *entry)
{
    return !self->config.workspace_of ||
           self->config.workspace_of(self->config.context, &entry->origin.node) == self->config.workspace;
}

static void take_entry(struct shard *self, const struct log_entry *entry)
{
    bool again = entry->position <= self->again;
    if (is_ours(self, entry)) {
        if (entry->kind == LOG_ENTITIES)
            take_entities(self, entry);
        else if (entry->kind == LOG_ACTIVITIES && !again)
            take_activities(self, entry);
        else if (entry->kind == LOG_MALFORMED && !again)
            pipeline_gap(self->pipeline);
    }
    self->taken = entry->position;
    if (!again)
        self->position = entry->position;
}

static void say_progress(struct shard *self, int64_t received)
{
    struct pipeline_counters counters;
    pipeline_counters(self->pipeline, &counters);
    if (counters.tickets_forgotten > self->status.tickets_forgotten)
        log_notice("workspace %llu, shard %u: %llu tickets were forgotten to make room for newer ones "
                   "(center/tickets, docs/processor.md)",
                   (unsigned long long)self->config.workspace, self->config.number,
                   (unsigned long long)(counters.tickets_forgotten - self->status.tickets_forgotten));
    int64_t behind = received ? clock_wall(clock_system()) - received : 0;
    pthread_mutex_lock(&self->lock);
    self->status.position = self->position;
    self->status.behind = behind > 0 ? behind : 0;
    self->status.activities = counters.activities;
    self->status.forgotten = counters.pushed_out;
    self->status.tickets_forgotten = counters.tickets_forgotten;
    pthread_mutex_unlock(&self->lock);
}

/* -- commits --------------------------------------------------------------------------------------------- */

static void say_stuck(struct shard *self, const struct fault *fault)
{
    if (self->config.health && fault)
        health_raise(self->config.health, 1005, "database", "%s; what was received is kept and waits",
                     fault->text);
    else if (self->config.health)
        health_clear(self->config.health, 1005, "database");
    pthread_mutex_lock(&self->lock);
    self->status.stuck = fault != NULL;
    pthread_mutex_unlock(&self->lock);
}

static void say_committed(struct shard *self, int64_t took, uint32_t alerts)
{
    struct checkpoint_status status;
    checkpoint_status(self->checkpoint, &status);
    pthread_mutex_lock(&self->lock);
    self->status.committed = status.position;
    self->status.needed =
        self->config.number == 0 && self->directory < status.position ? self->directory : status.position;
    self->status.states = status.states;
    self->status.alerts += alerts;
    self->status.commits++;
    if (took > self->status.commit_time)
        self->status.commit_time = took;
    pthread_mutex_unlock(&self->lock);
}

/* The alerts that wait and, with it, what was gathered of the pipeline. */
static bool commit(struct shard *self, bool with_checkpoint, struct fault *fault)
{
    int64_t begin = monotonic();
    bool committed = store_begin(self->store, fault);
    if (committed) {
        for (uint32_t i = 0; i < self->pending_count; i++)
            self->config.keep(self->config.context, self->store, &self->pending[i]);
        if (with_checkpoint) {
            checkpoint_write(self->checkpoint, self->store, clock_wall(clock_system()));
            write_directory(self);
            activity_index_write(self->index, self->store, self->config.workspace);
        }
        committed = store_commit(self->store, fault);
    }
    if (self->config.kept)
        self->config.kept(self->config.context, committed);
    if (with_checkpoint) {
        checkpoint_ended(self->checkpoint, committed);
        entities_store_ended(self->kept_entities, committed);
    }
    say_stuck(self, committed ? NULL : fault);
    if (!committed) {
        self->retry_at = monotonic() + RETRY_EVERY;
        return false;
    }
    if (with_checkpoint && self->config.number == 0)
        self->directory = self->gathered_directory;
    say_committed(self, monotonic() - begin, self->pending_count);
    self->pending_count = 0;
    return true;
}

static bool commit_alerts(struct shard *self)
{
    struct fault fault;
    return commit(self, false, &fault);
}

static bool commit_all(struct shard *self, struct fault *fault)
{
    int64_t begin = monotonic();
    if (!commit(self, true, fault))
        return false;
    self->gathered = false;
    activity_index_forget(self->index);
    /* The larger the tables, the rarer. */
    int64_t took = monotonic() - begin, pause = took * COMMIT_SHARE;
    self->checkpoint_at =
        monotonic() + (pause > self->config.checkpoint_every ? pause : self->config.checkpoint_every);
    return true;
}

/* What waits of the directory may wait for the other shards. */
static bool is_checkpoint_due(const struct shard *self, int64_t now)
{
    struct checkpoint_status status;
    size_t waiting = entities_store_waiting(self->kept_entities);
    checkpoint_status(self->checkpoint, &status);
    return (self->position != status.position || waiting) &&
           (now >= self->checkpoint_at || activity_index_full(self->index) ||
            (waiting > ENTITIES_WAITING_MANY && self->config.shards <= 1));
}

/* So much of the directory waits for the other shards that this one waits for them too. */
static bool is_ahead(const struct shard *self)
{
    return self->config.shards > 1 && entities_store_waiting(self->kept_entities) > ENTITIES_WAITING_MOST;
}

/* -- running --------------------------------------------------------------------------------------------- */

/* What is due to be committed. SHARD_BUSY: nothing hinders. */
static enum shard_step settle(struct shard *self, int64_t now)
{
    struct fault fault;
    if (self->gathered)
        return commit_all(self, &fault) ? SHARD_BUSY : SHARD_STUCK;
    if (is_checkpoint_due(self, now)) {
        if (!checkpoint_gather(self->checkpoint, self->pipeline, self->position))
            return SHARD_LOST;
        self->gathered = true;
        return commit_all(self, &fault) ? SHARD_BUSY : SHARD_STUCK;
    }
    if (self->pending_count && now - self->pending_since >= self->config.alerts_within)
        return commit_alerts(self) ? SHARD_BUSY : SHARD_STUCK;
    return SHARD_BUSY;
}

enum shard_step shard_step(struct shard *self)
{
    struct log_entry entry;
    int64_t now = monotonic();
    if (self->retry_at && now < self->retry_at)
        return SHARD_STUCK;
    self->retry_at = 0;
    enum shard_step step = settle(self, now);
    if (step != SHARD_BUSY)
        return step;
    if (now >= self->settings_at) {
        load_settings(self);
        self->settings_at = now + SETTINGS_EVERY;
    }
    bool found = !is_ahead(self) && log_reader_next(self->reader, &entry);
    if (found)
        take_entry(self, &entry);
    say_progress(self, found ? entry.wall : 0);
    return self->lost ? SHARD_LOST : found ? SHARD_BUSY : SHARD_IDLE;
}

bool shard_finish(struct shard *self, struct fault *fault)
{
    if (!self->gathered && !checkpoint_gather(self->checkpoint, self->pipeline, self->position))
        return fault_say(fault, "out of memory");
    self->gathered = true;
    return commit_all(self, fault);
}

static bool is_stopped(int stop, int wait_ms)
{
    struct pollfd item = {.fd = stop, .events = POLLIN};
    return poll(&item, 1, wait_ms) > 0;
}

bool shard_run(struct shard *self, int stop)
{
    struct fault fault;
    enum shard_step step = SHARD_BUSY;
    while (step != SHARD_LOST && !is_stopped(stop, step == SHARD_BUSY ? 0 : PAUSE_MS))
        step = shard_step(self);
    if (step == SHARD_LOST)
        log_error("what the pipeline knows cannot be kept: beginning anew from what is in the store");
    else if (!shard_finish(self, &fault))
        log_warning("%s: what was not committed is looked at again", fault.text);
    return step != SHARD_LOST;
}

void shard_status(const struct shard *shard, struct shard_status *status)
{
    struct shard *self = (struct shard *)(uintptr_t)shard;
    pthread_mutex_lock(&self->lock);
    *status = self->status;
    pthread_mutex_unlock(&self->lock);
}
