/* SPDX-License-Identifier: Apache-2.0 */
#include "center/received_log.h"

#include "base/endian.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAGIC         "picketL1"
#define SEGMENT_LEAST ((size_t)8 << 20)
#define ORIGIN_SIZE   (NODE_ID_SIZE + 24u)

/* --- segments by their names --- */

struct numbers {
    uint64_t *of; /* ascending */
    size_t count;
};

static bool number_of(const char *name, uint64_t *number)
{
    char rest[16] = "";
    unsigned long long value;
    if (strlen(name) != 24 || sscanf(name, "%16llx%15s", &value, rest) != 2 || strcmp(rest, ".segment") != 0)
        return false;
    *number = value;
    return value != 0;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t *one = a, *other = b;
    return (*one > *other) - (*one < *other);
}

/* The caller frees numbers->of. */
static bool list_segments(const char *directory, struct numbers *numbers, struct fault *fault)
{
    size_t capacity = 0;
    *numbers = (struct numbers){0};
    DIR *d = opendir(directory);
    if (!d)
        return fault_say(fault, "%s: %s", directory, strerror(errno));
    bool fine = true;
    for (struct dirent *one; fine && (one = readdir(d));) {
        uint64_t number;
        if (!number_of(one->d_name, &number))
            continue;
        if (numbers->count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            uint64_t *more = realloc(numbers->of, capacity * sizeof(*more));
            if (!more) {
                fine = fault_say(fault, "out of memory");
                break;
            }
            numbers->of = more;
        }
        numbers->of[numbers->count++] = number;
    }
    closedir(d);
    if (fine && numbers->count)
        qsort(numbers->of, numbers->count, sizeof(*numbers->of), ascending);
    if (!fine)
        free(numbers->of);
    return fine;
}

static bool segment_path(char path[PATH_SIZE], const char *directory, uint64_t number, struct fault *fault)
{
    char name[32];
    snprintf(name, sizeof(name), "%016llx.segment", (unsigned long long)number);
    return path_join(path, directory, name, fault);
}

static int open_segment(const struct disk *disk, const char *directory, uint64_t number, int flags,
                        struct fault *fault)
{
    char path[PATH_SIZE];
    if (!segment_path(path, directory, number, fault))
        return -1;
    int file = disk->open(disk->context, path, flags | O_CLOEXEC, 0600);
    if (file < 0)
        fault_say(fault, "%s: %s", path, strerror(errno));
    return file;
}

/* --- entries --- */

static void origin_write(uint8_t to[ORIGIN_SIZE], const struct log_origin *origin)
{
    memcpy(to, origin->node.bytes, NODE_ID_SIZE);
    endian_put_be64(to + NODE_ID_SIZE, origin->generation);
    endian_put_be64(to + NODE_ID_SIZE + 8, origin->sequence);
    endian_put_be64(to + NODE_ID_SIZE + 16, (uint64_t)origin->closed);
}

static bool entry_read(struct log_entry *to, const struct segment_entry *entry, const uint8_t *payload)
{
    struct cursor c = cursor_of(payload, entry->size);
    *to = (struct log_entry){
        .position = entry->sequence, .wall = entry->wall, .kind = (enum log_kind)entry->kind};
    cursor_copy(&c, to->origin.node.bytes, NODE_ID_SIZE);
    to->origin.generation = cursor_be64(&c);
    to->origin.sequence = cursor_be64(&c);
    to->origin.closed = (int64_t)cursor_be64(&c);
    to->content = cursor_take(&c, cursor_left(&c));
    return !c.failed;
}

/* --- appending --- */

struct received_log {
    struct received_log_config config;
    struct segment current; /* number 0: none yet */
    struct numbers segments;
    size_t segments_capacity;
    uint64_t *sizes; /* of the segments, as numbers.of has them; the current one's is in `current` */
    uint64_t first;
    uint64_t older_bytes; /* in segments before the current one */
    uint64_t damaged;
    bool unsynced;
    uint8_t *scratch;
};

static void tell_recovered(struct received_log *self)
{
    const struct disk *disk = self->config.disk;
    struct segment_entry entry;
    struct log_entry told;
    size_t at = SEGMENT_HEADER_SIZE;
    while (segment_read(&self->current, disk, &at, self->current.size, &entry, self->scratch))
        if (entry_read(&told, &entry, self->scratch))
            self->config.recover(self->config.context, &told);
}

static bool size_of(struct received_log *self, uint64_t number, uint64_t *size, uint64_t *first,
                    struct fault *fault)
{
    const struct disk *disk = self->config.disk;
    struct segment_entry entry;
    struct segment segment = {0};
    struct stat status;
    size_t at = SEGMENT_HEADER_SIZE;
    segment.file = open_segment(disk, self->config.directory, number, O_RDONLY, fault);
    if (segment.file < 0)
        return false;
    *size = disk->status(disk->context, segment.file, &status) == 0 ? (uint64_t)status.st_size : 0;
    *first = 0;
    if (segment_read_header(&segment, disk, MAGIC, &segment.number) &&
        segment_read(&segment, disk, &at, *size, &entry, self->scratch))
        *first = entry.sequence;
    disk->close(disk->context, segment.file);
    return true;
}

/* The newest segment that has anything in it is gone on with; one that a crash left without is removed. */
static bool recover_newest(struct received_log *self, struct fault *fault)
{
    const struct disk *disk = self->config.disk;
    char path[PATH_SIZE];
    while (self->segments.count) {
        uint64_t number = self->segments.of[self->segments.count - 1];
        bool damaged;
        struct segment *segment = &self->current;
        *segment =
            (struct segment){.file = open_segment(disk, self->config.directory, number, O_RDWR, fault)};
        if (segment->file < 0 || !segment_recover(segment, disk, MAGIC, self->scratch, &damaged, fault))
            return false;
        self->damaged += damaged;
        if (segment->number == number && segment->entries) {
            if (disk->truncate(disk->context, segment->file, (off_t)segment->size) != 0 ||
                disk->sync(disk->context, segment->file) != 0)
                return fault_say(fault, "the log: %s", strerror(errno));
            return true;
        }
        disk->close(disk->context, segment->file);
        *segment = (struct segment){.file = -1};
        if (!segment_path(path, self->config.directory, number, fault) ||
            disk->remove(disk->context, path) != 0)
            return fault_say(fault, "the log: %s", strerror(errno));
        self->segments.count--;
    }
    return true;
}

static bool recover(struct received_log *self, struct fault *fault)
{
    self->current.file = -1;
    if (!list_segments(self->config.directory, &self->segments, fault))
        return false;
    self->segments_capacity = self->segments.count + 64;
    uint64_t *of = realloc(self->segments.of, self->segments_capacity * sizeof(*of));
    if (of)
        self->segments.of = of;
    self->sizes = calloc(self->segments_capacity, sizeof(*self->sizes));
    self->scratch = malloc(SEGMENT_PAYLOAD_MAX);
    if (!of || !self->sizes || !self->scratch)
        return fault_say(fault, "out of memory");
    if (!recover_newest(self, fault))
        return false;
    for (size_t i = 0; i + 1 < self->segments.count; i++) {
        uint64_t first;
        if (!size_of(self, self->segments.of[i], &self->sizes[i], &first, fault))
            return false;
        if (self->first == 0)
            self->first = first;
        self->older_bytes += self->sizes[i];
    }
    if (self->first == 0)
        self->first = self->current.number ? self->current.first : 1;
    if (self->current.number)
        tell_recovered(self);
    return true;
}

struct received_log *received_log_open(const struct received_log_config *config, struct fault *fault)
{
    struct received_log *self = calloc(1, sizeof(*self));
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    self->config = *config;
    if (self->config.segment_bytes < SEGMENT_LEAST)
        self->config.segment_bytes = SEGMENT_LEAST;
    if (recover(self, fault))
        return self;
    received_log_close(&self);
    return NULL;
}

void received_log_close(struct received_log **log)
{
    struct received_log *self = *log;
    if (!self)
        return;
    const struct disk *disk = self->config.disk;
    if (self->current.file >= 0)
        disk->close(disk->context, self->current.file);
    free(self->segments.of);
    free(self->sizes);
    free(self->scratch);
    free(self);
    *log = NULL;
}

static bool failed(struct fault *fault)
{
    return fault_say(fault, "the log: %s", strerror(errno));
}

static bool append(struct received_log *self, int64_t wall, enum log_kind kind,
                   const struct log_origin *origin, struct bytes content, struct fault *fault)
{
    uint8_t head[ORIGIN_SIZE];
    origin_write(head, origin);
    const struct bytes parts[] = {{head, sizeof(head)}, content};
    self->unsynced = true;
    return segment_append(&self->current, self->config.disk, wall, (uint32_t)kind, parts, 2) || failed(fault);
}

static bool note_segment(struct received_log *self, uint64_t number)
{
    if (self->segments.count == self->segments_capacity) {
        size_t capacity = 2 * self->segments_capacity;
        uint64_t *of = realloc(self->segments.of, capacity * sizeof(*of));
        if (of)
            self->segments.of = of;
        uint64_t *sizes = realloc(self->sizes, capacity * sizeof(*sizes));
        if (sizes)
            self->sizes = sizes;
        if (!of || !sizes)
            return false;
        self->segments_capacity = capacity;
    }
    self->segments.of[self->segments.count++] = number;
    return true;
}

/* Whether the oldest segment is so old: nothing has been written to it since. */
static bool is_older(struct received_log *self, int64_t than)
{
    const struct disk *disk = self->config.disk;
    struct stat status;
    struct fault fault;
    int file = open_segment(disk, self->config.directory, self->segments.of[0], O_RDONLY, &fault);
    if (file < 0)
        return false;
    bool known = disk->status(disk->context, file, &status) == 0;
    disk->close(disk->context, file);
    return known && status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec < than;
}

/* Never the current one. */
static bool remove_oldest(struct received_log *self)
{
    const struct disk *disk = self->config.disk;
    uint64_t size;
    struct fault fault;
    char path[PATH_SIZE];
    if (self->segments.count < 2 ||
        !segment_path(path, self->config.directory, self->segments.of[0], &fault) ||
        disk->remove(disk->context, path) != 0)
        return false;
    self->older_bytes -= self->sizes[0];
    self->segments.count--;
    memmove(self->segments.of, self->segments.of + 1, self->segments.count * sizeof(*self->segments.of));
    memmove(self->sizes, self->sizes + 1, self->segments.count * sizeof(*self->sizes));
    if (self->segments.count < 2 || !size_of(self, self->segments.of[0], &size, &self->first, &fault))
        self->first = self->current.first;
    return true;
}

/* The oldest segments go while the log is larger than it may be. */
static void remove_surplus(struct received_log *self)
{
    while (self->config.bytes_max &&
           self->older_bytes + self->config.segment_bytes > self->config.bytes_max && remove_oldest(self))
        ;
}

unsigned received_log_expire(struct received_log *self, int64_t before, uint64_t keep)
{
    unsigned gone = 0;
    uint64_t size, first;
    struct fault fault;
    while (self->segments.count > 1 && is_older(self, before)) {
        /* What it holds ends before the next one begins. */
        first = self->current.first;
        if (self->segments.count > 2 && !size_of(self, self->segments.of[1], &size, &first, &fault))
            break;
        if (first > keep || !remove_oldest(self))
            break;
        gone++;
    }
    return gone;
}

/* A new segment, with the state in front, durable before anything else is put there: so there is always one
 * to begin with. The one before is durable first. */
static bool roll(struct received_log *self, int64_t wall, struct fault *fault)
{
    static const struct log_origin nobody;
    const struct disk *disk = self->config.disk;
    uint64_t number = self->current.number + 1;
    if (!received_log_sync(self, fault))
        return false;
    struct segment next = {.file =
                               open_segment(disk, self->config.directory, number, O_RDWR | O_CREAT, fault)};
    if (next.file < 0)
        return false;
    if (!note_segment(self, number) || !segment_begin(&next, disk, MAGIC, number, self->current.last + 1)) {
        disk->close(disk->context, next.file);
        return failed(fault);
    }
    if (self->current.number) {
        self->sizes[self->segments.count - 2] = self->current.size;
        self->older_bytes += self->current.size;
        disk->close(disk->context, self->current.file);
    }
    self->current = next;
    if (!append(self, wall, LOG_STATE, &nobody, self->config.state(self->config.context), fault) ||
        !received_log_sync(self, fault))
        return false;
    if (disk->sync_directory(disk->context, self->config.directory) != 0)
        return failed(fault);
    remove_surplus(self);
    return true;
}

bool received_log_append(struct received_log *self, int64_t wall, enum log_kind kind,
                         const struct log_origin *origin, struct bytes content, struct fault *fault)
{
    size_t size = SEGMENT_ENTRY_SIZE + ORIGIN_SIZE + content.size;
    if (content.size > LOG_CONTENT_MAX)
        return fault_say(fault, "the log: an entry of %zu bytes is too large", content.size);
    if ((!self->current.number || self->current.size + size > self->config.segment_bytes) &&
        !roll(self, wall, fault))
        return false;
    return append(self, wall, kind, origin, content, fault);
}

bool received_log_sync(struct received_log *self, struct fault *fault)
{
    const struct disk *disk = self->config.disk;
    if (!self->unsynced)
        return true;
    if (disk->sync(disk->context, self->current.file) != 0)
        return failed(fault);
    self->unsynced = false;
    return true;
}

void received_log_status(const struct received_log *self, struct received_log_status *status)
{
    *status = (struct received_log_status){.first = self->first,
                                           .last = self->current.number ? self->current.last : 0,
                                           .bytes = self->older_bytes + self->current.size,
                                           .damaged = self->damaged};
}

/* --- reading --- */

struct log_reader {
    const struct disk *disk;
    char directory[PATH_SIZE];
    struct segment segment; /* file -1: none open */
    size_t at;
    uint64_t from; /* entries before this are passed over */
    uint64_t damaged;
    uint8_t *scratch;
};

static void reader_leave(struct log_reader *self)
{
    if (self->segment.file >= 0)
        self->disk->close(self->disk->context, self->segment.file);
    self->segment.file = -1;
}

/* Opens a segment and stands at its beginning. False: it is gone, or nothing is in it yet. */
static bool reader_enter(struct log_reader *self, uint64_t number)
{
    struct fault fault;
    struct segment next = {.file = open_segment(self->disk, self->directory, number, O_RDONLY, &fault)};
    if (next.file < 0)
        return false;
    if (!segment_read_header(&next, self->disk, MAGIC, &next.number) || next.number != number) {
        self->disk->close(self->disk->context, next.file);
        return false;
    }
    reader_leave(self);
    self->segment = next;
    self->at = SEGMENT_HEADER_SIZE;
    return true;
}

static bool reader_read(struct log_reader *self, struct segment_entry *entry)
{
    struct stat status;
    if (self->segment.file < 0 || self->disk->status(self->disk->context, self->segment.file, &status) != 0)
        return false;
    return segment_read(&self->segment, self->disk, &self->at, (size_t)status.st_size, entry, self->scratch);
}

/* Whether a segment begins with an entry at or before `from`. */
static bool begins_before(struct log_reader *self, uint64_t number)
{
    struct segment_entry entry;
    return reader_enter(self, number) && reader_read(self, &entry) && entry.sequence <= self->from;
}

/* The last segment that begins at or before `from`, else the first there is: by halving. */
static void reader_seek(struct log_reader *self, const struct numbers *numbers)
{
    size_t low = 0, high = numbers->count; /* the first that begins behind lies between */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (begins_before(self, numbers->of[middle]))
            low = middle + 1;
        else
            high = middle;
    }
    reader_leave(self);
    if (numbers->count)
        reader_enter(self, numbers->of[low ? low - 1 : 0]);
}

struct log_reader *log_reader_open(const struct disk *disk, const char *directory, uint64_t from,
                                   struct fault *fault)
{
    struct numbers numbers;
    struct log_reader *self = calloc(1, sizeof(*self));
    if (self)
        self->scratch = malloc(SEGMENT_PAYLOAD_MAX);
    if (!self || !self->scratch || strlen(directory) >= sizeof(self->directory)) {
        fault_say(fault, "out of memory");
        free(self);
        return NULL;
    }
    self->disk = disk;
    self->from = from;
    self->segment.file = -1;
    strcpy(self->directory, directory);
    if (!list_segments(directory, &numbers, fault)) {
        log_reader_close(&self);
        return NULL;
    }
    reader_seek(self, &numbers);
    free(numbers.of);
    return self;
}

void log_reader_close(struct log_reader **reader)
{
    struct log_reader *self = *reader;
    if (!self)
        return;
    reader_leave(self);
    free(self->scratch);
    free(self);
    *reader = NULL;
}

/* The segment after this one; 0: there is none. */
static uint64_t reader_following(const struct log_reader *self)
{
    struct numbers numbers;
    struct fault fault;
    uint64_t number = self->segment.file < 0 ? 0 : self->segment.number;
    if (!list_segments(self->directory, &numbers, &fault))
        return 0;
    size_t i = 0;
    while (i < numbers.count && numbers.of[i] <= number)
        i++;
    number = i < numbers.count ? numbers.of[i] : 0;
    free(numbers.of);
    return number;
}

/* A segment is whole before the next one is begun: it is asked once more when that is there. */
static bool reader_find(struct log_reader *self, struct segment_entry *found)
{
    while (!reader_read(self, found)) {
        struct stat status;
        uint64_t following = reader_following(self);
        if (following == 0)
            return false;
        if (reader_read(self, found))
            return true;
        bool rest = self->segment.file >= 0 &&
                    self->disk->status(self->disk->context, self->segment.file, &status) == 0 &&
                    self->at < (size_t)status.st_size;
        if (!reader_enter(self, following))
            return false;
        self->damaged += rest;
    }
    return true;
}

bool log_reader_next(struct log_reader *self, struct log_entry *entry)
{
    struct segment_entry found;
    while (reader_find(self, &found)) {
        if (found.sequence < self->from || found.kind == LOG_STATE ||
            !entry_read(entry, &found, self->scratch))
            continue;
        self->from = found.sequence + 1;
        return true;
    }
    return false;
}

uint64_t log_reader_damaged(const struct log_reader *self)
{
    return self->damaged;
}
