/* SPDX-License-Identifier: Apache-2.0
 *
 * The state file is msgpack: a map of "picket": "evtx", "version": 1, "files": an array of [name, highest
 * record, its time].
 */
#include "events/evtx_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/msgpack.h"
#include "base/thread.h"
#include "events/evtx_file.h"

#define SAVE_PERIOD (2 * CLOCK_SECOND)
#define STATE_BYTES (EVTX_FOLDER_FILES * (256 + 24) + 64)
#define CHUNK_HEAD  40u /* with the number of the newest record */

/* A file, as far as it was read. */
struct known {
    char name[NAME_MAX + 1];
    uint64_t record; /* the highest that was handed on; 0: none */
    uint64_t time;   /* when it was written, as the log counts */
    bool is_there;   /* in this look */
    off_t size;      /* when it was read last: 0 after a restart */
    struct timespec changed;
};

/* A chunk by its newest record. */
struct place {
    uint64_t last;
    uint32_t chunk;
};

struct evtx_folder {
    struct evtx_folder_config config;
    struct known *known;
    uint32_t count;
    struct evtx *evtx;
    uint8_t *chunk;
    bool is_changed; /* the state, since it was written */
    int64_t saved;
    pthread_t thread;
    bool has_thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_ending;
    struct evtx_folder_status status; /* under the lock */
};

/* -- the state -- */

static bool read_entry(struct evtx_folder *f, struct cursor *c)
{
    struct msgpack_item row = msgpack_next(c), name = msgpack_next(c), record = msgpack_next(c),
                        time = msgpack_next(c);
    if (row.type != MSGPACK_ARRAY || row.count != 3 || name.type != MSGPACK_STRING ||
        record.type != MSGPACK_UINT || time.type != MSGPACK_UINT || name.bytes.size > NAME_MAX ||
        f->count == EVTX_FOLDER_FILES)
        return false;
    struct known *known = &f->known[f->count++];
    *known = (struct known){.record = record.uint, .time = time.uint};
    memcpy(known->name, name.bytes.data, name.bytes.size);
    return true;
}

static bool is_word(struct cursor *c, const char *word)
{
    struct msgpack_item item = msgpack_next(c);
    return item.type == MSGPACK_STRING && item.bytes.size == strlen(word) &&
           memcmp(item.bytes.data, word, item.bytes.size) == 0;
}

static bool parse_state(struct evtx_folder *f, struct cursor *c)
{
    struct msgpack_item map = msgpack_next(c);
    if (map.type != MSGPACK_MAP || map.count != 3 || !is_word(c, "picket") || !is_word(c, "evtx") ||
        !is_word(c, "version"))
        return false;
    struct msgpack_item version = msgpack_next(c);
    if (version.type != MSGPACK_UINT || version.uint != 1 || !is_word(c, "files"))
        return false;
    struct msgpack_item files = msgpack_next(c);
    if (files.type != MSGPACK_ARRAY)
        return false;
    for (uint32_t i = 0; i < files.count; i++) {
        if (!read_entry(f, c))
            return false;
    }
    return !c->failed;
}

static bool load_state(struct evtx_folder *f, struct fault *fault)
{
    FILE *file = fopen(f->config.state, "rb");
    if (!file)
        return errno == ENOENT || fault_say(fault, "%s: %s", f->config.state, strerror(errno));
    uint8_t *bytes = malloc(STATE_BYTES);
    size_t size = bytes ? fread(bytes, 1, STATE_BYTES, file) : 0;
    struct cursor c = cursor_of(bytes, size);
    bool is_fine = bytes && !ferror(file) && parse_state(f, &c);
    fclose(file);
    free(bytes);
    return is_fine || fault_say(fault, "%s: not the state of a folder of event logs", f->config.state);
}

static bool write_whole(const char *path, const uint8_t *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool is_fine = write(fd, bytes, size) == (ssize_t)size && fsync(fd) == 0;
    return close(fd) == 0 && is_fine;
}

/* Written aside and put in place, so that there is always a whole one. */
static bool write_state(struct evtx_folder *f)
{
    char aside[4096];
    struct msgpack_writer w;
    uint8_t *bytes = malloc(STATE_BYTES);
    if (!bytes || snprintf(aside, sizeof(aside), "%s.new", f->config.state) >= (int)sizeof(aside)) {
        free(bytes);
        return false;
    }
    msgpack_writer_init(&w, bytes, STATE_BYTES);
    msgpack_put_map(&w, 3);
    msgpack_put_text(&w, "picket");
    msgpack_put_text(&w, "evtx");
    msgpack_put_text(&w, "version");
    msgpack_put_uint(&w, 1);
    msgpack_put_text(&w, "files");
    msgpack_put_array(&w, f->count);
    for (uint32_t i = 0; i < f->count; i++) {
        msgpack_put_array(&w, 3);
        msgpack_put_text(&w, f->known[i].name);
        msgpack_put_uint(&w, f->known[i].record);
        msgpack_put_uint(&w, f->known[i].time);
    }
    bool is_fine = !w.full && write_whole(aside, bytes, w.size) && rename(aside, f->config.state) == 0;
    free(bytes);
    return is_fine;
}

static void save(struct evtx_folder *f, bool is_due)
{
    int64_t now = clock_monotonic(f->config.clock);
    if (!f->is_changed || (!is_due && now - f->saved < SAVE_PERIOD))
        return;
    bool is_fine = write_state(f);
    if (!is_fine)
        log_warning("event logs: %s: %s", f->config.state, strerror(errno));
    f->saved = now;
    f->is_changed = !is_fine;
    pthread_mutex_lock(&f->lock);
    f->status.unsaved = !is_fine;
    pthread_mutex_unlock(&f->lock);
}

/* -- a file -- */

static struct known *find(struct evtx_folder *f, const char *name)
{
    for (uint32_t i = 0; i < f->count; i++) {
        if (strcmp(f->known[i].name, name) == 0)
            return &f->known[i];
    }
    return NULL;
}

/* A place for a new file: when all are taken, that of one that is gone. */
static struct known *add(struct evtx_folder *f, const char *name)
{
    struct known *to = NULL;
    if (f->count < EVTX_FOLDER_FILES)
        to = &f->known[f->count++];
    for (uint32_t i = 0; !to && i < f->count; i++) {
        if (!f->known[i].is_there)
            to = &f->known[i];
    }
    if (to) {
        *to = (struct known){0};
        snprintf(to->name, sizeof(to->name), "%s", name);
    }
    return to;
}

static int by_record(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    if (x->last != y->last)
        return x->last < y->last ? -1 : 1;
    return x->chunk < y->chunk ? -1 : x->chunk > y->chunk;
}

/* The number of the newest record of a chunk; 0 when there is none. The header says it; where that is
 * damaged, the records do. */
static uint64_t newest_in(struct evtx_folder *f, int fd, uint32_t chunk)
{
    static const uint8_t unused[CHUNK_HEAD];
    int64_t size = evtx_file_chunk(fd, chunk, f->chunk, CHUNK_HEAD);
    struct cursor c = cursor_of(f->chunk, size > 0 ? (size_t)size : 0);
    if (size < (int64_t)CHUNK_HEAD || memcmp(f->chunk, unused, CHUNK_HEAD) == 0)
        return 0;
    bool is_whole = cursor_match(&c, "ElfChnk", 8);
    cursor_skip(&c, 24);
    uint64_t last = cursor_le64(&c);
    if (is_whole && last != UINT64_MAX)
        return last;
    size = evtx_file_chunk(fd, chunk, f->chunk, EVTX_CHUNK_BYTES);
    return size > 0 ? evtx_look_up((struct bytes){f->chunk, (size_t)size}, 0).highest : 0;
}

/* The chunks that have records in the order in which they were written: a full log goes on at its beginning.
 * `*count`: how many there are in all, then how many have records. NULL without memory. */
static struct place *order_chunks(struct evtx_folder *f, int fd, uint32_t *count)
{
    struct place *places = calloc(*count ? *count : 1, sizeof(*places));
    uint32_t used = 0;
    for (uint32_t i = 0; places && i < *count; i++) {
        uint64_t last = newest_in(f, fd, i);
        if (last)
            places[used++] = (struct place){last, i};
    }
    if (places)
        qsort(places, used, sizeof(*places), by_record);
    *count = used;
    return places;
}

/* When the record of that number was written; 0 when the chunks do not have it. */
static uint64_t time_of_record(struct evtx_folder *f, int fd, const struct place *places, uint32_t chunks,
                               uint64_t record)
{
    uint64_t time = 0;
    for (uint32_t i = 0; i < chunks; i++) {
        if (places[i].last < record)
            continue;
        int64_t size = evtx_file_chunk(fd, places[i].chunk, f->chunk, EVTX_CHUNK_BYTES);
        if (size > 0)
            time = evtx_look_up((struct bytes){f->chunk, (size_t)size}, record).time;
        break;
    }
    return time;
}

/* Whether the file goes on where it was left: it does not when its numbers are lower, or the same number was
 * given at another time. */
static bool goes_on(struct evtx_folder *f, int fd, const struct known *known, const struct place *places,
                    uint32_t chunks)
{
    if (known->record == 0 || chunks == 0)
        return true;
    if (places[chunks - 1].last < known->record)
        return false;
    uint64_t time = time_of_record(f, fd, places, chunks, known->record);
    return time == 0 || time == known->time;
}

static bool is_ending(struct evtx_folder *f)
{
    pthread_mutex_lock(&f->lock);
    bool is_ending = f->is_ending;
    pthread_mutex_unlock(&f->lock);
    return is_ending;
}

static void add_counters(struct evtx_folder *f, const struct evtx_counters *more)
{
    pthread_mutex_lock(&f->lock);
    struct evtx_counters *to = &f->status.counters;
    to->chunks += more->chunks;
    to->records += more->records;
    to->bad_checksums += more->bad_checksums;
    to->bad_chunks += more->bad_chunks;
    to->bad_records += more->bad_records;
    pthread_mutex_unlock(&f->lock);
}

/* False: it was not read to its end. */
static bool read_chunk(struct evtx_folder *f, int fd, struct known *known, const struct place *place)
{
    struct evtx_counters counters = {0};
    int64_t size = evtx_file_chunk(fd, place->chunk, f->chunk, EVTX_CHUNK_BYTES);
    if (size < 0)
        return false;
    /* The end of a file that is being copied: later. */
    if (size < EVTX_CHUNK_BYTES)
        return true;
    struct bytes bytes = {f->chunk, (size_t)size};
    uint64_t record = evtx_chunk(f->evtx, bytes, known->record, f->config.sink, f->config.context, &counters);
    add_counters(f, &counters);
    if (record > known->record) {
        known->record = record;
        known->time = evtx_look_up(bytes, record).time;
        f->is_changed = true;
    }
    save(f, false);
    return true;
}

static bool read_records(struct evtx_folder *f, int fd, struct known *known, uint32_t chunks)
{
    struct place *places = order_chunks(f, fd, &chunks);
    bool is_fine = places != NULL;
    if (is_fine && !goes_on(f, fd, known, places, chunks)) {
        log_notice("event logs: %s begins anew", known->name);
        known->record = known->time = 0;
    }
    for (uint32_t i = 0; is_fine && i < chunks; i++) {
        if (places[i].last > known->record)
            is_fine = !is_ending(f) && read_chunk(f, fd, known, &places[i]);
    }
    free(places);
    return is_fine;
}

static bool is_as_read(const struct known *known, const struct stat *stat)
{
    return known->size == stat->st_size && known->changed.tv_sec == stat->st_mtim.tv_sec &&
           known->changed.tv_nsec == stat->st_mtim.tv_nsec;
}

/* False: it is no event log, or cannot be read. */
static bool look_at_open(struct evtx_folder *f, int fd, const char *name)
{
    struct evtx_header header;
    struct stat stat;
    uint32_t chunks;
    struct known *known = find(f, name);
    if (known)
        known->is_there = true;
    if (fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode))
        return false;
    if (known && is_as_read(known, &stat))
        return true;
    if (!evtx_file_header(fd, &header, &chunks))
        return false;
    if (!known)
        known = add(f, name);
    if (!known)
        return false;
    known->is_there = true;
    if (read_records(f, fd, known, chunks)) {
        known->size = stat.st_size;
        known->changed = stat.st_mtim;
    }
    return true;
}

/* Not through a link, which could lead anywhere, and without waiting for the other end of a pipe. */
static bool look_at(struct evtx_folder *f, int folder, const char *name)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    bool is_log = look_at_open(f, fd, name);
    close(fd);
    return is_log;
}

/* -- the folder -- */

static bool is_named_so(const char *name)
{
    size_t size = strlen(name);
    return size > 5 && strcasecmp(name + size - 5, ".evtx") == 0;
}

void evtx_folder_look(struct evtx_folder *f)
{
    uint64_t logs = 0, others = 0;
    int fd = open(f->config.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    for (uint32_t i = 0; i < f->count; i++)
        f->known[i].is_there = false;
    if (!folder && fd >= 0)
        close(fd);
    for (struct dirent *entry; folder && !is_ending(f) && (entry = readdir(folder));) {
        if (!is_named_so(entry->d_name))
            continue;
        bool is_log = look_at(f, dirfd(folder), entry->d_name);
        logs += is_log;
        others += !is_log;
    }
    save(f, true);
    pthread_mutex_lock(&f->lock);
    f->status.missing = !folder;
    f->status.files = logs;
    f->status.others = others;
    pthread_mutex_unlock(&f->lock);
    if (folder)
        closedir(folder);
}

void evtx_folder_destroy(struct evtx_folder **folder)
{
    struct evtx_folder *f = *folder;
    if (!f)
        return;
    save(f, true);
    pthread_cond_destroy(&f->wake);
    pthread_mutex_destroy(&f->lock);
    evtx_destroy(&f->evtx);
    free(f->chunk);
    free(f->known);
    free(f);
    *folder = NULL;
}

struct evtx_folder *evtx_folder_new(const struct evtx_folder_config *config, struct fault *fault)
{
    struct evtx_folder *f = calloc(1, sizeof(*f));
    pthread_condattr_t monotonic;
    if (!f) {
        fault_say(fault, "%s", strerror(ENOMEM));
        return NULL;
    }
    f->config = *config;
    pthread_mutex_init(&f->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&f->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    f->known = calloc(EVTX_FOLDER_FILES, sizeof(*f->known));
    f->evtx = evtx_new();
    f->chunk = malloc(EVTX_CHUNK_BYTES);
    bool has_memory = f->known && f->evtx && f->chunk;
    if (!has_memory)
        fault_say(fault, "%s", strerror(ENOMEM));
    if (!has_memory || !load_state(f, fault))
        evtx_folder_destroy(&f);
    return f;
}

/* -- the thread -- */

static void *run(void *context)
{
    struct evtx_folder *f = context;
    while (!is_ending(f)) {
        struct timespec until;
        evtx_folder_look(f);
        clock_gettime(CLOCK_MONOTONIC, &until);
        int64_t nanoseconds = until.tv_nsec + f->config.period;
        until.tv_sec += nanoseconds / CLOCK_SECOND;
        until.tv_nsec = nanoseconds % CLOCK_SECOND;
        pthread_mutex_lock(&f->lock);
        while (!f->is_ending && pthread_cond_timedwait(&f->wake, &f->lock, &until) == 0)
            continue;
        pthread_mutex_unlock(&f->lock);
    }
    return NULL;
}

struct evtx_folder *evtx_folder_start(const struct evtx_folder_config *config, struct fault *fault)
{
    struct evtx_folder *f = evtx_folder_new(config, fault);
    if (!f)
        return NULL;
    f->has_thread = thread_start(&f->thread, "event-logs", run, f);
    if (!f->has_thread) {
        fault_say(fault, "%s", strerror(errno));
        evtx_folder_destroy(&f);
    }
    return f;
}

void evtx_folder_stop(struct evtx_folder **folder)
{
    struct evtx_folder *f = *folder;
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->is_ending = true;
    pthread_cond_signal(&f->wake);
    pthread_mutex_unlock(&f->lock);
    if (f->has_thread)
        pthread_join(f->thread, NULL);
    evtx_folder_destroy(folder);
}

void evtx_folder_status(struct evtx_folder *f, struct evtx_folder_status *to)
{
    pthread_mutex_lock(&f->lock);
    *to = f->status;
    pthread_mutex_unlock(&f->lock);
}
