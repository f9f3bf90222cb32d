/* SPDX-License-Identifier: Apache-2.0 */
#include "node/spool.h"

#include "base/endian.h"
#include "base/log.h"
#include "cluster/crypto_sodium.h"
#include "cluster/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define SEGMENT_MAGIC     "picketS1"
#define ACK_MAGIC         "picketA1"
#define GENERATION_MAGIC  "picketG1"
#define SEQUENCES_SKIPPED (UINT64_C(1) << 20) /* after damage: more than can have been lost of them */

struct spool {
    struct spool_config config;
    pthread_mutex_t lock;
    struct segment *segments; /* one a slot */
    struct segment *current;  /* written to; NULL: none yet */
    uint64_t numbers;         /* the last one given */
    uint64_t last, acknowledged, dropped, damaged, refused;
    uint64_t durable; /* sequence: up to here everything is on the disk */
    uint64_t generation;
    /* Where the last spool_next ended: going on there needs no search. */
    struct {
        const struct segment *segment;
        uint64_t number, sequence;
        size_t at;
    } reader;
    uint8_t *scratch; /* an entry */
};

static bool slot_path(const struct spool *self, unsigned slot, char path[PATH_SIZE], struct fault *fault)
{
    char name[32];
    snprintf(name, sizeof name, "%02u.segment", slot);
    return path_join(path, self->config.directory, name, fault);
}

static struct segment *oldest_segment(struct spool *self)
{
    struct segment *oldest = NULL;
    for (unsigned i = 0; i < self->config.segments; i++) {
        struct segment *segment = &self->segments[i];
        if (segment->number && (!oldest || segment->number < oldest->number))
            oldest = segment;
    }
    return oldest;
}

/* The segment that follows in time; NULL: there is none. */
static struct segment *segment_after(struct spool *self, uint64_t number)
{
    struct segment *next = NULL;
    for (unsigned i = 0; i < self->config.segments; i++) {
        struct segment *segment = &self->segments[i];
        if (segment->number > number && (!next || segment->number < next->number))
            next = segment;
    }
    return next;
}

static void segment_release(struct spool *self, struct segment *segment)
{
    if (segment == self->current)
        self->current = NULL;
    *segment = (struct segment){.file = segment->file};
}

/* Slots whose entries are all acknowledged are free; the one that is written to is kept. */
static void release_acknowledged(struct spool *self)
{
    for (unsigned i = 0; i < self->config.segments; i++) {
        struct segment *segment = &self->segments[i];
        if (segment->number && segment != self->current && segment->last <= self->acknowledged)
            segment_release(self, segment);
    }
}

/* A file with one number. */
static enum disk_found number_load(const struct spool *self, const char *name, const char *magic,
                                   uint64_t *number)
{
    char path[PATH_SIZE];
    struct disk_content content;
    struct fault fault;
    if (!path_join(path, self->config.directory, name, &fault))
        return DISK_FAILED;
    enum disk_found found = disk_read_checked(self->config.disk, path, magic, 256, &content, &fault);
    if (found != DISK_FOUND)
        return found;
    struct cursor c = cursor_of(content.data, content.size);
    *number = cursor_le64(&c);
    disk_content_free(&content);
    return DISK_FOUND;
}

static bool number_save(const struct spool *self, const char *name, const char *magic, uint64_t number,
                        struct fault *fault)
{
    uint8_t bytes[8];
    endian_put_le64(bytes, number);
    return disk_replace_checked(self->config.disk, self->config.directory, name, magic,
                                (struct bytes){bytes, sizeof bytes}, fault);
}

static bool generation_renew(struct spool *self, struct fault *fault)
{
    uint64_t generation;
    crypto_random(&generation, sizeof generation);
    if (!number_save(self, "generation", GENERATION_MAGIC, generation, fault))
        return false;
    self->generation = generation;
    return true;
}

/* Without the last acknowledged number nothing tells which were used, once their segments are free. */
static bool numbers_load(struct spool *self, struct fault *fault)
{
    enum disk_found acknowledged = number_load(self, "acknowledged", ACK_MAGIC, &self->acknowledged);
    self->damaged += acknowledged == DISK_FAILED;
    if (acknowledged != DISK_FAILED &&
        number_load(self, "generation", GENERATION_MAGIC, &self->generation) == DISK_FOUND)
        return true;
    return generation_renew(self, fault);
}

/* Numbers and sequences ascend together, each number once; a slot that says otherwise is of no use. */
static void drop_disorder(struct spool *self)
{
    for (unsigned i = 0; i < self->config.segments; i++) {
        for (unsigned k = 0; k < self->config.segments; k++) {
            struct segment *older = &self->segments[i], *newer = &self->segments[k];
            if (i == k || !older->number || !newer->number || older->number > newer->number)
                continue;
            if (older->number == newer->number ||
                (older->entries && newer->entries && newer->first <= older->last)) {
                self->damaged++;
                segment_release(self, newer);
            }
        }
    }
}

/* The newest segment is gone on with, or each start would cost a slot; what a crash left behind its last
 * whole entry is cut away first. */
static bool resume_newest(struct spool *self, struct fault *fault)
{
    const struct disk *disk = self->config.disk;
    for (unsigned i = 0; i < self->config.segments; i++) {
        struct segment *segment = &self->segments[i];
        if (!segment->number || segment->number != self->numbers || !segment->entries ||
            segment->last != self->last)
            continue;
        if (disk->truncate(disk->context, segment->file, (off_t)segment->size) != 0)
            return fault_say(fault, "a segment of the spool cannot be cut: %s", strerror(errno));
        self->current = segment;
    }
    return true;
}

/* What is there may only be in the system's memory: a process that was killed did not sync it. */
static bool sync_recovered(struct spool *self, struct fault *fault)
{
    const struct disk *disk = self->config.disk;
    for (unsigned i = 0; i < self->config.segments; i++) {
        const struct segment *segment = &self->segments[i];
        if (segment->number && segment->entries && disk->sync(disk->context, segment->file) != 0)
            return fault_say(fault, "a segment of the spool cannot be made durable: %s", strerror(errno));
    }
    return true;
}

static bool recover(struct spool *self, struct fault *fault)
{
    const struct disk *disk = self->config.disk;
    char path[PATH_SIZE];
    bool damaged;
    if (!numbers_load(self, fault))
        return false;
    self->last = self->acknowledged;
    for (unsigned i = 0; i < self->config.segments; i++) {
        struct segment *segment = &self->segments[i];
        if (!slot_path(self, i, path, fault))
            return false;
        segment->file = disk->open(disk->context, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (segment->file < 0)
            return fault_say(fault, "%s cannot be opened: %s", path, strerror(errno));
        if (!segment_recover(segment, disk, SEGMENT_MAGIC, self->scratch, &damaged, fault))
            return false;
        self->damaged += damaged;
    }
    if (disk->sync_directory(disk->context, self->config.directory) != 0)
        return fault_say(fault, "%s: %s", self->config.directory, strerror(errno));
    drop_disorder(self);
    for (unsigned i = 0; i < self->config.segments; i++) {
        const struct segment *segment = &self->segments[i];
        if (segment->number > self->numbers)
            self->numbers = segment->number;
        if (segment->entries && segment->last > self->last)
            self->last = segment->last;
    }
    if (self->damaged)
        self->last += SEQUENCES_SKIPPED;
    self->durable = self->last;
    release_acknowledged(self);
    return resume_newest(self, fault) && sync_recovered(self, fault);
}

struct spool *spool_open(const struct spool_config *config, struct fault *fault)
{
    if (config->segments < 2 || config->segments > SPOOL_SEGMENTS_MAX ||
        config->segment_bytes < SEGMENT_HEADER_SIZE + SEGMENT_ENTRY_SIZE) {
        fault_say(fault, "a spool of %u segments of %zu bytes cannot be", config->segments,
                  config->segment_bytes);
        return NULL;
    }
    struct spool *self = calloc(1, sizeof *self);
    if (!self) {
        fault_say(fault, "no memory for the spool");
        return NULL;
    }
    self->config = *config;
    pthread_mutex_init(&self->lock, NULL);
    self->segments = calloc(config->segments, sizeof *self->segments);
    self->scratch = malloc(SPOOL_PAYLOAD_MAX);
    for (unsigned i = 0; self->segments && i < config->segments; i++)
        self->segments[i].file = -1;
    if (!self->segments || !self->scratch)
        fault_say(fault, "no memory for the spool");
    else if (recover(self, fault))
        return self;
    spool_close(&self);
    return NULL;
}

void spool_close(struct spool **spool)
{
    struct spool *self = *spool;
    if (!self)
        return;
    const struct disk *disk = self->config.disk;
    if (self->current)
        disk->sync(disk->context, self->current->file);
    for (unsigned i = 0; self->segments && i < self->config.segments; i++)
        if (self->segments[i].file >= 0)
            disk->close(disk->context, self->segments[i].file);
    pthread_mutex_destroy(&self->lock);
    free(self->segments);
    free(self->scratch);
    free(self);
    *spool = NULL;
}

/* --- writing --- */

static struct segment *free_slot(struct spool *self)
{
    for (unsigned i = 0; i < self->config.segments; i++)
        if (!self->segments[i].number)
            return &self->segments[i];
    return NULL;
}

static bool sync_current(struct spool *self)
{
    const struct disk *disk = self->config.disk;
    if (self->durable == self->last)
        return true;
    if (!self->current || disk->sync(disk->context, self->current->file) != 0)
        return false;
    self->durable = self->last;
    return true;
}

/* A slot for new entries: what it held is cut away before its new header is written. */
static enum spool_verdict open_segment(struct spool *self)
{
    const struct disk *disk = self->config.disk;
    if (!sync_current(self))
        return SPOOL_FAILED;
    self->current = NULL;
    release_acknowledged(self);
    struct segment *segment = free_slot(self);
    if (!segment && self->config.drop_oldest) {
        segment = oldest_segment(self);
        self->dropped += segment->entries;
        segment_release(self, segment);
    }
    if (!segment)
        return SPOOL_FULL;
    if (!segment_begin(segment, disk, SEGMENT_MAGIC, self->numbers + 1, self->last + 1)) {
        segment_release(self, segment);
        return SPOOL_FAILED;
    }
    self->numbers++;
    self->current = segment;
    return SPOOL_KEPT;
}

static enum spool_verdict append(struct spool *self, enum spool_kind kind, int64_t wall, struct bytes payload,
                                 bool durable)
{
    const struct disk *disk = self->config.disk;
    size_t size = SEGMENT_ENTRY_SIZE + payload.size;
    if (payload.size > SPOOL_PAYLOAD_MAX || size > self->config.segment_bytes - SEGMENT_HEADER_SIZE)
        return SPOOL_TOO_LONG;
    if (!self->current || self->current->size + size > self->config.segment_bytes) {
        enum spool_verdict verdict = open_segment(self);
        if (verdict != SPOOL_KEPT)
            return verdict;
    }
    struct segment before = *self->current;
    if (!segment_append(self->current, disk, wall, (uint32_t)kind, &payload, 1))
        return SPOOL_FAILED;
    if (durable && disk->sync(disk->context, self->current->file) != 0) {
        *self->current = before; /* written over by the next entry */
        return SPOOL_FAILED;
    }
    self->last = self->current->last;
    if (durable)
        self->durable = self->last;
    return SPOOL_KEPT;
}

enum spool_verdict spool_append(struct spool *self, enum spool_kind kind, int64_t wall, struct bytes payload,
                                bool durable)
{
    pthread_mutex_lock(&self->lock);
    enum spool_verdict verdict = append(self, kind, wall, payload, durable);
    if (verdict != SPOOL_KEPT)
        self->refused++;
    pthread_mutex_unlock(&self->lock);
    return verdict;
}

/* A slot's file stays open, and when another segment begins the one before is synced first: so the disk may
 * be waited for without holding up who appends. */
bool spool_sync(struct spool *self)
{
    const struct disk *disk = self->config.disk;
    pthread_mutex_lock(&self->lock);
    uint64_t last = self->last;
    int file = self->current && self->durable < last ? self->current->file : -1;
    bool synced = self->durable == last;
    pthread_mutex_unlock(&self->lock);
    if (file < 0)
        return synced;
    if (disk->sync(disk->context, file) != 0)
        return false;
    pthread_mutex_lock(&self->lock);
    if (last > self->durable)
        self->durable = last;
    pthread_mutex_unlock(&self->lock);
    return true;
}

uint64_t spool_durable(struct spool *self)
{
    pthread_mutex_lock(&self->lock);
    uint64_t durable = self->durable;
    pthread_mutex_unlock(&self->lock);
    return durable;
}

uint64_t spool_generation(struct spool *self)
{
    pthread_mutex_lock(&self->lock);
    uint64_t generation = self->generation;
    pthread_mutex_unlock(&self->lock);
    return generation;
}

bool spool_renew(struct spool *self)
{
    struct fault fault;
    pthread_mutex_lock(&self->lock);
    bool renewed = generation_renew(self, &fault);
    pthread_mutex_unlock(&self->lock);
    if (!renewed)
        log_warning("spool: %s", fault.text);
    return renewed;
}

/* --- reading --- */

/* Stands on the first entry behind `after`. */
static bool seek(struct spool *self, uint64_t after, struct segment **segment, size_t *at)
{
    for (*segment = segment_after(self, 0); *segment; *segment = segment_after(self, (*segment)->number))
        if ((*segment)->entries && (*segment)->last > after)
            break;
    if (!*segment)
        return false;
    *at = SEGMENT_HEADER_SIZE;
    if (self->reader.segment == *segment && self->reader.number == (*segment)->number &&
        self->reader.sequence <= after)
        *at = self->reader.at;
    return true;
}

static bool next(struct spool *self, uint64_t after, struct spool_entry *entry)
{
    struct segment *segment;
    size_t at;
    struct segment_entry found;
    if (!seek(self, after, &segment, &at))
        return false;
    for (;;) {
        if (!segment_read(segment, self->config.disk, &at, segment->size, &found, self->scratch)) {
            /* It was whole when it was written or recovered: the disk lost it since. */
            self->damaged++;
            log_warning("the spool has lost entries %llu to %llu", (unsigned long long)after + 1,
                        (unsigned long long)segment->last);
            after = segment->last;
            if (!seek(self, after, &segment, &at))
                return false;
            continue;
        }
        if (found.sequence > after)
            break;
    }
    self->reader.segment = segment;
    self->reader.number = segment->number;
    self->reader.sequence = found.sequence;
    self->reader.at = at;
    *entry = (struct spool_entry){.sequence = found.sequence,
                                  .wall = found.wall,
                                  .kind = (enum spool_kind)found.kind,
                                  .payload = malloc(found.size ? found.size : 1),
                                  .size = found.size};
    if (!entry->payload)
        return false;
    memcpy(entry->payload, self->scratch, found.size);
    return true;
}

bool spool_next(struct spool *self, uint64_t after, struct spool_entry *entry)
{
    pthread_mutex_lock(&self->lock);
    bool found = next(self, after, entry);
    pthread_mutex_unlock(&self->lock);
    return found;
}

void spool_entry_free(struct spool_entry *entry)
{
    free(entry->payload);
    entry->payload = NULL;
}

bool spool_acknowledge(struct spool *self, uint64_t sequence)
{
    bool written = true;
    struct fault fault;
    pthread_mutex_lock(&self->lock);
    if (sequence > self->last)
        sequence = self->last;
    if (sequence > self->acknowledged) {
        written = number_save(self, "acknowledged", ACK_MAGIC, sequence, &fault);
        if (written) {
            self->acknowledged = sequence;
            release_acknowledged(self);
        } else {
            log_warning("spool: %s", fault.text);
        }
    }
    pthread_mutex_unlock(&self->lock);
    return written;
}

void spool_status(struct spool *self, struct spool_status *status)
{
    pthread_mutex_lock(&self->lock);
    *status = (struct spool_status){.last = self->last,
                                    .acknowledged = self->acknowledged,
                                    .bytes_max = (uint64_t)self->config.segments * self->config.segment_bytes,
                                    .dropped = self->dropped,
                                    .damaged = self->damaged,
                                    .refused = self->refused};
    status->first = self->last + 1;
    for (unsigned i = 0; i < self->config.segments; i++) {
        const struct segment *segment = &self->segments[i];
        status->entries += segment->entries;
        status->bytes += segment->size;
        if (segment->entries && segment->first < status->first) {
            status->first = segment->first;
            status->oldest = segment->oldest;
        }
    }
    pthread_mutex_unlock(&self->lock);
}
