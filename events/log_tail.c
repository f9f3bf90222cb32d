/* SPDX-License-Identifier: Apache-2.0 */
#include "events/log_tail.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#define PERIOD          (250 * CLOCK_MILLISECOND)
#define PATIENCE        (60 * CLOCK_SECOND)
#define QUIET           (60 * CLOCK_SECOND)
#define REMEMBER_PERIOD CLOCK_SECOND
#define HEAD_MAX        1024u
#define PLACES_MAX      8u /* of one log: itself, and files that it was rotated to */
#define PATH_MAX_SIZE   4096u
#define POSITIONS_MAX   (256u * 1024u) /* bytes of the file */

static const char positions_title[] = "picket-log-positions 1";

/* The beginning of a file, by which it is known again. */
struct head {
    uint32_t size;
    uint64_t hash;
};

/* A file that is read, and how far. */
struct place {
    unsigned log;
    int file; /* -1: it is gone, what waits of it is still waited for */
    dev_t device;
    ino_t inode;
    uint64_t offset; /* read up to here */
    uint64_t safe;   /* done up to here */
    struct head head;
    uint32_t waiting; /* lines */
    bool rotated;     /* the log's name is another file's now */
    bool skipping;    /* within a line that is too long */
    int64_t grew;     /* monotonic: when something was last read */
};

struct line {
    struct place *place;
    uint64_t start, end;
    int64_t since; /* monotonic: when it was given last */
    bool done;
};

struct log {
    char *path;
    struct place *places[PLACES_MAX];
    bool known; /* it has been followed before: all of a new file is new */
    char fault[FAULT_MAX];
    uint64_t lines, behind, rotations, lost;
};

struct log_tail {
    struct log_tail_config config;
    char *positions;
    struct log logs[LOG_TAIL_FILES_MAX];
    unsigned log_count;
    struct line lines[LOG_WAITING]; /* by number */
    uint64_t oldest, next;          /* numbers that wait; a tag is a number and one */
    bool busy;                      /* the last line was not taken */
    bool moved;                     /* a place is not as it is remembered */
    int64_t remembered;             /* monotonic */
    bool cannot_remember;
    pthread_t thread;
    int stop, wake; /* eventfds */
    uint8_t buffer[LOG_LINE_MAX + 1];

    pthread_mutex_t mutex; /* guards what follows */
    uint64_t kept[LOG_WAITING];
    uint32_t kept_count;
    struct log_tail_status status[LOG_TAIL_FILES_MAX];
};

static int64_t now(void)
{
    return clock_monotonic(clock_system());
}

/* --- heads --- */

static struct head head_of(int file, uint32_t size)
{
    uint8_t bytes[HEAD_MAX];
    ssize_t n = pread(file, bytes, size, 0);
    uint32_t got = n > 0 ? (uint32_t)n : 0;
    return (struct head){got, XXH3_64bits(bytes, got)};
}

static bool head_fits(int file, const struct head *head)
{
    struct head found = head_of(file, head->size);
    return found.size == head->size && found.hash == head->hash;
}

static void grow_head(struct place *place, uint64_t size)
{
    uint32_t wanted = size < HEAD_MAX ? (uint32_t)size : HEAD_MAX;
    if (place->head.size < wanted)
        place->head = head_of(place->file, wanted);
}

/* --- places --- */

static struct place *add_place(struct log_tail *self, unsigned number, int file, const struct stat *is,
                               uint64_t offset)
{
    struct log *log = &self->logs[number];
    for (unsigned i = 0; i < PLACES_MAX; i++) {
        if (log->places[i])
            continue;
        struct place *place = calloc(1, sizeof *place);
        if (!place)
            return NULL;
        *place = (struct place){.log = number,
                                .file = file,
                                .device = is->st_dev,
                                .inode = is->st_ino,
                                .offset = offset,
                                .safe = offset,
                                .grew = now()};
        grow_head(place, (uint64_t)is->st_size);
        self->moved = true;
        return log->places[i] = place;
    }
    return NULL;
}

static void drop_place(struct log_tail *self, struct place **at)
{
    if ((*at)->file >= 0)
        close((*at)->file);
    free(*at);
    *at = NULL;
    self->moved = true;
}

/* The one that bears the log's name. */
static struct place *current_of(const struct log *log)
{
    for (unsigned i = 0; i < PLACES_MAX; i++)
        if (log->places[i] && !log->places[i]->rotated)
            return log->places[i];
    return NULL;
}

static bool is_followed(const struct log *log, const struct stat *is)
{
    for (unsigned i = 0; i < PLACES_MAX; i++)
        if (log->places[i] && log->places[i]->file >= 0 && log->places[i]->device == is->st_dev &&
            log->places[i]->inode == is->st_ino)
            return true;
    return false;
}

/* -1 for what is no plain file: a pipe would never end. */
static int open_plain(const char *path, struct stat *is)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0)
        return -1;
    if (fstat(file, is) == 0 && S_ISREG(is->st_mode))
        return file;
    close(file);
    errno = EINVAL;
    return -1;
}

/* --- files that a log was rotated to: in its directory, with a name that begins as its own --- */

static bool is_compressed(const char *name)
{
    static const char *const ends[] = {".gz", ".xz", ".zst", ".bz2", ".lz4", ".Z"};
    size_t size = strlen(name);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (size > strlen(ends[i]) && strcmp(name + size - strlen(ends[i]), ends[i]) == 0)
            return true;
    return false;
}

/* Calls `visit` with each, open, until it says true, which makes the descriptor its own. */
static bool each_sibling(const struct log *log, bool (*visit)(void *context, int file, const struct stat *is),
                         void *context)
{
    char path[PATH_MAX_SIZE];
    const char *base = strrchr(log->path, '/') + 1;
    int directory_size = (int)(base - log->path);
    snprintf(path, sizeof path, "%.*s", directory_size, log->path);
    DIR *directory = opendir(path);
    bool found = false;
    for (struct dirent *e; !found && directory && (e = readdir(directory));) {
        struct stat is;
        if (strncmp(e->d_name, base, strlen(base)) != 0 || strcmp(e->d_name, base) == 0 ||
            is_compressed(e->d_name))
            continue;
        int size = snprintf(path, sizeof path, "%.*s%s", directory_size, log->path, e->d_name);
        int file = size < (int)sizeof path ? open_plain(path, &is) : -1;
        if (file < 0)
            continue;
        found = visit(context, file, &is);
        if (!found)
            close(file);
    }
    if (directory)
        closedir(directory);
    return found;
}

/* What is looked for: a file that begins as that one did and goes at least as far. */
struct search {
    const struct log *log;
    struct head head;
    uint64_t offset;
    dev_t device;
    ino_t inode;
    bool by_inode; /* the file itself, renamed; else a copy of it */
    int file;
    struct stat is;
};

static bool visit_search(void *context, int file, const struct stat *is)
{
    struct search *search = context;
    bool itself = is->st_dev == search->device && is->st_ino == search->inode;
    if (itself != search->by_inode || (uint64_t)is->st_size < search->offset ||
        is_followed(search->log, is) || !head_fits(file, &search->head))
        return false;
    /* Of an empty beginning every file is a copy. */
    if (!search->by_inode && search->head.size == 0)
        return false;
    search->file = file;
    search->is = *is;
    return true;
}

static bool find_rotated(struct search *search)
{
    search->by_inode = true;
    if (each_sibling(search->log, visit_search, search))
        return true;
    search->by_inode = false;
    return each_sibling(search->log, visit_search, search);
}

/* --- lines --- */

static bool has_room(const struct log_tail *self)
{
    return self->next - self->oldest < LOG_WAITING;
}

/* Places move on in the order of the lines. */
static void settle(struct log_tail *self)
{
    for (; self->oldest < self->next; self->oldest++) {
        struct line *line = &self->lines[self->oldest % LOG_WAITING];
        if (!line->done)
            return;
        line->place->safe = line->end;
        line->place->waiting--;
        self->moved = true;
    }
}

/* False: it was not taken. */
static bool give(struct log_tail *self, struct place *place, uint64_t start, uint64_t end, struct bytes line)
{
    uint64_t number = self->next;
    enum log_line_verdict verdict = self->config.line(self->config.context, line, number + 1);
    self->busy = verdict == LOG_LINE_BUSY;
    if (self->busy)
        return false;
    self->lines[number % LOG_WAITING] = (struct line){place, start, end, now(), verdict == LOG_LINE_DONE};
    self->next++;
    place->waiting++;
    self->logs[place->log].lines++;
    settle(self);
    return true;
}

static struct bytes without_return(const uint8_t *at, size_t size)
{
    return (struct bytes){at, size > 0 && at[size - 1] == '\r' ? size - 1 : size};
}

/* The lines in the buffer, which holds the file from the place's offset on. False: the rest has to wait. */
static bool give_lines(struct log_tail *self, struct place *place, size_t size)
{
    const uint8_t *at = self->buffer, *end = at + size;
    while (at < end) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        bool full = !newline && at == self->buffer && size == sizeof self->buffer;
        if (!newline && !full && !place->skipping)
            return true;
        const uint8_t *next = newline ? newline + 1 : end;
        uint64_t start = place->offset, stop = start + (uint64_t)(next - at);
        if (!place->skipping) {
            struct bytes line =
                newline ? without_return(at, (size_t)(newline - at)) : (struct bytes){at, (size_t)(end - at)};
            if (!has_room(self) || (line.size && !give(self, place, start, stop, line)))
                return false;
        }
        place->skipping = !newline;
        place->offset = stop;
        at = next;
    }
    return true;
}

/* False when nothing more can be read of it now. */
static bool read_some(struct log_tail *self, struct place *place)
{
    uint64_t before = place->offset;
    ssize_t n = place->file < 0 ? 0 : pread(place->file, self->buffer, sizeof self->buffer, (off_t)before);
    /* The head last: what was read before it was found is of the file that it is the head of. */
    if (n <= 0 || !head_fits(place->file, &place->head))
        return false;
    bool more = give_lines(self, place, (size_t)n) && place->offset != before;
    if (place->offset != before)
        place->grew = now();
    return more;
}

/* A line that will not be ended any more. */
static bool give_rest(struct log_tail *self, struct place *place)
{
    ssize_t n = pread(place->file, self->buffer, sizeof self->buffer, (off_t)place->offset);
    if (n <= 0 || place->skipping)
        return true;
    if (!has_room(self) || !give(self, place, place->offset, place->offset + (uint64_t)n,
                                 (struct bytes){self->buffer, (size_t)n}))
        return false;
    place->offset += (uint64_t)n;
    return true;
}

/* --- what was kept, and what was not --- */

void log_tail_kept(struct log_tail *self, uint64_t tag)
{
    uint64_t one = 1;
    pthread_mutex_lock(&self->mutex);
    bool first = self->kept_count == 0;
    if (self->kept_count < LOG_WAITING)
        self->kept[self->kept_count++] = tag;
    pthread_mutex_unlock(&self->mutex);
    if (first) {
        ssize_t n = write(self->wake, &one, sizeof one);
        (void)n;
    }
}

static void hear_kept(struct log_tail *self)
{
    uint64_t count;
    if (read(self->wake, &count, sizeof count) < 0)
        return;
    pthread_mutex_lock(&self->mutex);
    for (uint32_t i = 0; i < self->kept_count; i++) {
        uint64_t number = self->kept[i] - 1;
        if (number >= self->oldest && number < self->next)
            self->lines[number % LOG_WAITING].done = true;
    }
    self->kept_count = 0;
    pthread_mutex_unlock(&self->mutex);
    settle(self);
}

/* What was not kept in time is given again, from the file. */
static void give_again(struct log_tail *self)
{
    int64_t before = now() - self->config.patience;
    for (uint64_t i = self->oldest; i < self->next; i++) {
        struct line *line = &self->lines[i % LOG_WAITING];
        if (line->done || line->since > before)
            continue;
        size_t size = (size_t)(line->end - line->start);
        ssize_t n = size <= sizeof self->buffer && line->place->file >= 0
                        ? pread(line->place->file, self->buffer, size, (off_t)line->start)
                        : -1;
        if (n != (ssize_t)size) {
            line->done = true; /* it is there no more */
            self->logs[line->place->log].lost++;
            continue;
        }
        if (self->buffer[size - 1] == '\n')
            size--;
        enum log_line_verdict verdict =
            self->config.line(self->config.context, without_return(self->buffer, size), i + 1);
        if (verdict == LOG_LINE_BUSY)
            break;
        line->done = verdict == LOG_LINE_DONE;
        line->since = now();
    }
    settle(self);
}

/* --- rotation --- */

static void follow(struct log_tail *self, unsigned number, bool to_end)
{
    struct log *log = &self->logs[number];
    struct stat is;
    int file = open_plain(log->path, &is);
    if (file >= 0 && add_place(self, number, file, &is, to_end ? (uint64_t)is.st_size : 0)) {
        log->fault[0] = '\0';
        log->known = true;
        return;
    }
    snprintf(log->fault, sizeof log->fault, "%s: %s", log->path,
             file < 0 ? strerror(errno) : "too many files that it was rotated to");
    if (file >= 0)
        close(file);
}

/* Another file bears the name, or the same begins anew. What is left to read is in the file itself when it
 * was renamed, in a copy when it was truncated. */
static void rotate(struct log_tail *self, struct place *place, bool renamed)
{
    struct log *log = &self->logs[place->log];
    log->rotations++;
    self->moved = true;
    place->rotated = true;
    place->grew = now();
    if (renamed)
        return;
    struct search search = {.log = log, .head = place->head, .offset = place->offset};
    close(place->file);
    place->file = -1;
    if (!each_sibling(log, visit_search, &search))
        return;
    place->file = search.file;
    place->device = search.is.st_dev;
    place->inode = search.is.st_ino;
}

static void let_go(struct log_tail *self, struct place **at)
{
    struct place *place = *at;
    bool quiet = place->file < 0 || now() - place->grew >= self->config.quiet;
    if (quiet && place->file >= 0 && !give_rest(self, place))
        return;
    if (quiet && place->waiting == 0)
        drop_place(self, at);
}

static void look_at(struct log_tail *self, unsigned number)
{
    struct log *log = &self->logs[number];
    struct place *place = current_of(log);
    struct stat is, named;
    if (place && fstat(place->file, &is) == 0) {
        bool truncated = (uint64_t)is.st_size < place->offset || !head_fits(place->file, &place->head);
        bool renamed =
            stat(log->path, &named) == 0 && (named.st_ino != place->inode || named.st_dev != place->device);
        if (truncated || renamed)
            rotate(self, place, !truncated);
        else
            grow_head(place, (uint64_t)is.st_size);
    }
    for (unsigned i = 0; i < PLACES_MAX; i++)
        if (log->places[i] && log->places[i]->rotated)
            let_go(self, &log->places[i]);
    if (!current_of(log))
        follow(self, number, false);
}

/* --- places that are remembered --- */

static void write_place(FILE *to, const struct log *log, const struct place *place)
{
    fprintf(to, "%ju %ju %" PRIu64 " %u %016" PRIx64 " %d %s\n", (uintmax_t)place->device,
            (uintmax_t)place->inode, place->safe, place->head.size, place->head.hash, place->rotated,
            log->path);
}

static bool write_positions(const struct log_tail *self, const char *path)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *to = file < 0 ? NULL : fdopen(file, "w");
    if (!to) {
        if (file >= 0)
            close(file);
        return false;
    }
    fprintf(to, "%s %" PRId64 "\n", positions_title, clock_wall(clock_system()));
    for (unsigned i = 0; i < self->log_count; i++)
        for (unsigned k = 0; k < PLACES_MAX; k++)
            if (self->logs[i].places[k])
                write_place(to, &self->logs[i], self->logs[i].places[k]);
    bool written = fflush(to) == 0 && fsync(fileno(to)) == 0;
    return fclose(to) == 0 && written;
}

static bool sync_directory(const char *path)
{
    char directory[PATH_MAX_SIZE];
    snprintf(directory, sizeof directory, "%.*s", (int)(strrchr(path, '/') - path + 1), path);
    int file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = file >= 0 && fsync(file) == 0;
    if (file >= 0)
        close(file);
    return synced;
}

static void remember(struct log_tail *self)
{
    char path[PATH_MAX_SIZE];
    snprintf(path, sizeof path, "%s.new", self->positions);
    bool told = self->cannot_remember;
    self->cannot_remember =
        !write_positions(self, path) || rename(path, self->positions) < 0 || !sync_directory(self->positions);
    if (self->cannot_remember && !told)
        log_warning("%s: %s: after a restart lines would be read twice", self->positions, strerror(errno));
    self->moved = self->cannot_remember;
    self->remembered = now();
}

struct memory {
    struct search search;
    unsigned log;
};

static bool read_memory(struct log_tail *self, const char *text, struct memory *memory)
{
    uintmax_t device, inode;
    int rotated, at = 0;
    *memory = (struct memory){.log = 0};
    struct search *search = &memory->search;
    if (sscanf(text, "%ju %ju %" SCNu64 " %" SCNu32 " %" SCNx64 " %d %n", &device, &inode, &search->offset,
               &search->head.size, &search->head.hash, &rotated, &at) != 6 ||
        at == 0 || search->head.size > HEAD_MAX)
        return false;
    search->device = (dev_t)device;
    search->inode = (ino_t)inode;
    while (memory->log < self->log_count && strcmp(self->logs[memory->log].path, text + at) != 0)
        memory->log++;
    if (memory->log == self->log_count)
        return false;
    search->log = &self->logs[memory->log];
    return true;
}

/* Reads on where it was: in the file that has the name, or in one that it was rotated to. */
static void take_up(struct log_tail *self, struct memory *memory)
{
    struct log *log = &self->logs[memory->log];
    struct search *search = &memory->search;
    log->known = true;
    search->file = open_plain(log->path, &search->is);
    bool same = search->file >= 0 && search->is.st_ino == search->inode &&
                search->is.st_dev == search->device && (uint64_t)search->is.st_size >= search->offset &&
                !is_followed(log, &search->is) && head_fits(search->file, &search->head);
    if (!same && search->file >= 0)
        close(search->file);
    if (!same && !find_rotated(search)) {
        /* Of an empty file nothing can be missing. */
        log->lost += search->head.size > 0;
        if (search->head.size > 0)
            log_warning("%s was rotated, and the file that it became is not there: what was written last "
                        "may be missing",
                        log->path);
        return;
    }
    struct place *place = add_place(self, memory->log, search->file, &search->is, search->offset);
    if (!place)
        close(search->file);
    else
        place->rotated = !same;
    log->rotations += !same;
}

/* Files that the log became after it was followed last. */
struct newcomers {
    struct log_tail *self;
    unsigned log;
    int64_t since; /* wall */
};

static bool visit_newcomer(void *context, int file, const struct stat *is)
{
    struct newcomers *newcomers = context;
    struct log *log = &newcomers->self->logs[newcomers->log];
    int64_t modified = is->st_mtim.tv_sec * CLOCK_SECOND + is->st_mtim.tv_nsec;
    struct place *place = NULL;
    if (modified < newcomers->since || is->st_size == 0 || is_followed(log, is))
        return false;
    int own = fcntl(file, F_DUPFD_CLOEXEC, 0);
    if (own >= 0)
        place = add_place(newcomers->self, newcomers->log, own, is, 0);
    if (place)
        place->rotated = true;
    else if (own >= 0)
        close(own);
    return false;
}

static bool was_rotated(const struct log *log)
{
    for (unsigned i = 0; i < PLACES_MAX; i++)
        if (log->places[i] && log->places[i]->rotated)
            return true;
    return log->lost > 0;
}

static void recall(struct log_tail *self)
{
    char *line = NULL;
    size_t capacity = 0;
    struct stat is;
    struct memory memory;
    struct newcomers newcomers = {.self = self};
    FILE *from = fopen(self->positions, "re");
    bool valid = from && fstat(fileno(from), &is) == 0 && is.st_size <= POSITIONS_MAX &&
                 getline(&line, &capacity, from) > 0 &&
                 strncmp(line, positions_title, sizeof positions_title - 1) == 0;
    if (valid)
        newcomers.since = strtoll(line + sizeof positions_title - 1, NULL, 10);
    while (valid && getline(&line, &capacity, from) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (read_memory(self, line, &memory))
            take_up(self, &memory);
    }
    if (from && !valid)
        log_warning("%s is no list of positions: the logs are followed from their ends", self->positions);
    free(line);
    if (from)
        fclose(from);
    for (newcomers.log = 0; newcomers.log < self->log_count; newcomers.log++)
        if (was_rotated(&self->logs[newcomers.log]))
            each_sibling(&self->logs[newcomers.log], visit_newcomer, &newcomers);
}

/* --- the thread --- */

static void read_all(struct log_tail *self)
{
    for (unsigned i = 0; i < self->log_count; i++)
        for (unsigned k = 0; k < PLACES_MAX; k++)
            while (self->logs[i].places[k] && has_room(self) && read_some(self, self->logs[i].places[k]))
                ;
}

static void tell_status(struct log_tail *self)
{
    for (unsigned i = 0; i < self->log_count; i++) {
        struct log *log = &self->logs[i];
        log->behind = 0;
        for (unsigned k = 0; k < PLACES_MAX; k++) {
            struct stat is;
            const struct place *place = log->places[k];
            if (place && place->file >= 0 && fstat(place->file, &is) == 0 &&
                (uint64_t)is.st_size > place->offset)
                log->behind += (uint64_t)is.st_size - place->offset;
        }
    }
    pthread_mutex_lock(&self->mutex);
    for (unsigned i = 0; i < self->log_count; i++) {
        const struct log *log = &self->logs[i];
        struct log_tail_status *status = &self->status[i];
        *status = (struct log_tail_status){.path = log->path,
                                           .reading = current_of(log) != NULL,
                                           .lines = log->lines,
                                           .behind = log->behind,
                                           .rotations = log->rotations,
                                           .lost = log->lost};
        if (self->cannot_remember)
            snprintf(status->fault, sizeof status->fault, "%.200s cannot be written", self->positions);
        else
            memcpy(status->fault, log->fault, sizeof status->fault);
    }
    pthread_mutex_unlock(&self->mutex);
}

static void *run(void *context)
{
    struct log_tail *self = context;
    struct pollfd fds[] = {{.fd = self->stop, .events = POLLIN}, {.fd = self->wake, .events = POLLIN}};
    int64_t look_at_time = 0;
    while (!fds[0].revents) {
        if (fds[1].revents)
            hear_kept(self);
        if (now() >= look_at_time) {
            for (unsigned i = 0; i < self->log_count; i++)
                look_at(self, i);
            give_again(self);
            look_at_time = now() + self->config.period;
        }
        read_all(self);
        if (self->moved && now() - self->remembered >= REMEMBER_PERIOD)
            remember(self);
        tell_status(self);
        int64_t left = look_at_time - now();
        poll(fds, 2, left > 0 ? (int)(left / CLOCK_MILLISECOND) + 1 : 0);
    }
    hear_kept(self);
    if (self->moved)
        remember(self);
    return NULL;
}

/* --- start and end --- */

static void release(struct log_tail *self)
{
    for (unsigned i = 0; i < self->log_count; i++) {
        for (unsigned k = 0; k < PLACES_MAX; k++)
            if (self->logs[i].places[k])
                drop_place(self, &self->logs[i].places[k]);
        free(self->logs[i].path);
    }
    free(self->positions);
    if (self->stop >= 0)
        close(self->stop);
    if (self->wake >= 0)
        close(self->wake);
    pthread_mutex_destroy(&self->mutex);
    free(self);
}

static bool make(struct log_tail *self, const struct log_tail_config *config, struct fault *fault)
{
    if (config->positions[0] != '/' || strlen(config->positions) + 8 > PATH_MAX_SIZE)
        return fault_say(fault, "%s: no absolute path", config->positions);
    self->positions = strdup(config->positions);
    bool made = self->positions && self->stop >= 0 && self->wake >= 0;
    for (unsigned i = 0; made && i < config->path_count; i++) {
        if (config->paths[i][0] != '/' || strlen(config->paths[i]) > PATH_MAX_SIZE / 2)
            return fault_say(fault, "%s: no absolute path", config->paths[i]);
        self->logs[i].path = strdup(config->paths[i]);
        self->status[i].path = self->logs[i].path;
        self->log_count += self->logs[i].path != NULL;
        made = self->logs[i].path != NULL;
    }
    return made || fault_say(fault, "out of memory or descriptors");
}

/* Where it is stands before the first look: what was there then is old. */
static void begin(struct log_tail *self)
{
    recall(self);
    for (unsigned i = 0; i < self->log_count; i++) {
        struct log *log = &self->logs[i];
        if (!current_of(log))
            follow(self, i, !log->known && !self->config.from_beginning);
    }
    tell_status(self);
}

struct log_tail *log_tail_start(const struct log_tail_config *config, struct fault *fault)
{
    struct log_tail *self = calloc(1, sizeof *self);
    if (!self) {
        fault_say(fault, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&self->mutex, NULL);
    self->config = *config;
    if (!self->config.period)
        self->config.period = PERIOD;
    if (!self->config.patience)
        self->config.patience = PATIENCE;
    if (!self->config.quiet)
        self->config.quiet = QUIET;
    self->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool made = make(self, config, fault);
    if (made) {
        begin(self);
        made = thread_start(&self->thread, "logs", run, self) ||
               fault_say(fault, "a thread: %s", strerror(errno));
    }
    if (!made) {
        release(self);
        return NULL;
    }
    return self;
}

void log_tail_stop(struct log_tail **tail_p)
{
    struct log_tail *self = *tail_p;
    uint64_t one = 1;
    if (!self)
        return;
    ssize_t n = write(self->stop, &one, sizeof one);
    (void)n;
    pthread_join(self->thread, NULL);
    release(self);
    *tail_p = NULL;
}

bool log_tail_status(struct log_tail *self, unsigned number, struct log_tail_status *status)
{
    if (number >= self->log_count)
        return false;
    pthread_mutex_lock(&self->mutex);
    *status = self->status[number];
    pthread_mutex_unlock(&self->mutex);
    return true;
}
