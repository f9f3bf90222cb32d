/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/pcap_file.h"
#include "capture/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Read in pieces that stay in the processor's cache: the parser and the dissectors read the bytes that the
 * kernel has just copied. At least one packet must fit. */
#define BUFFER_BYTES ((size_t)512 * 1024)
_Static_assert(BUFFER_BYTES >= PCAP_FILE_WINDOW_MAX, "a packet must fit into the buffer");

struct file_source {
    int fd;
    bool at_end;
    bool done;
    enum source_verdict verdict; /* once done */
    size_t size;
    size_t position;
    struct bytes window; /* in buffer: read, not yet parsed */
    struct pcap_file file;
    char error[160];
    uint8_t buffer[BUFFER_BYTES];
};

struct file_source *file_source_open(const char *path, const char **error)
{
    bool standard_input = strcmp(path, "-") == 0;
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (fd < 0 || fstat(fd, &about) < 0) {
        *error = strerror(errno);
        return NULL;
    }
    if (S_ISDIR(about.st_mode)) {
        *error = strerror(EISDIR);
        close(fd);
        return NULL;
    }
    struct file_source *source = malloc(sizeof(*source));
    if (!source) {
        *error = strerror(ENOMEM);
        if (!standard_input)
            close(fd);
        return NULL;
    }
    if (S_ISREG(about.st_mode))
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    source->fd = fd;
    source->at_end = false;
    source->done = false;
    source->size = S_ISREG(about.st_mode) ? (size_t)about.st_size : 0;
    source->position = 0;
    source->window = (struct bytes){.data = source->buffer, .size = 0};
    source->error[0] = '\0';
    pcap_file_init(&source->file);
    return source;
}

void file_source_close(struct file_source **source_p)
{
    struct file_source *source = *source_p;
    if (!source)
        return;
    if (source->fd != STDIN_FILENO)
        close(source->fd);
    free(source);
    *source_p = NULL;
}

/* Reads until the window holds `want` bytes or the file ends; false when reading failed. */
static bool fill(struct file_source *source, size_t want)
{
    memmove(source->buffer, source->window.data, source->window.size);
    source->window.data = source->buffer;
    while (source->window.size < want && !source->at_end) {
        ssize_t n =
            read(source->fd, source->buffer + source->window.size, BUFFER_BYTES - source->window.size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        source->at_end = n == 0;
        source->window.size += (size_t)n;
        source->position += (size_t)n;
    }
    return true;
}

static enum source_verdict finish(struct file_source *source, enum source_verdict verdict)
{
    source->done = true;
    source->verdict = verdict;
    return verdict;
}

static enum source_verdict finish_at_end(struct file_source *source)
{
    if (source->file.format == PCAP_FILE_UNKNOWN) {
        const char *why = source->position == 0 ? "the file is empty" : "not a capture file (too short)";
        snprintf(source->error, sizeof(source->error), "%s", why);
        return finish(source, SOURCE_FAILED);
    }
    if (source->window.size == 0 && source->file.skip == 0)
        return finish(source, SOURCE_END);
    snprintf(source->error, sizeof(source->error), "cut off in the middle of a packet, at byte %zu",
             source->position);
    return finish(source, SOURCE_TRUNCATED);
}

enum source_verdict file_source_next(struct file_source *source, struct packet *packet)
{
    while (!source->done) {
        size_t want = 0;
        enum pcap_file_verdict verdict = pcap_file_next(&source->file, &source->window, &want, packet);
        if (verdict == PCAP_FILE_OK)
            return SOURCE_PACKET;
        if (verdict == PCAP_FILE_BAD) {
            if (source->file.format == PCAP_FILE_UNKNOWN) {
                snprintf(source->error, sizeof(source->error), "%s", source->file.error);
                return finish(source, SOURCE_FAILED);
            }
            snprintf(source->error, sizeof(source->error), "damaged at byte %llu: %s",
                     (unsigned long long)source->file.offset, source->file.error);
            return finish(source, SOURCE_DAMAGED);
        }
        if (source->at_end)
            return finish_at_end(source);
        if (!fill(source, want)) {
            snprintf(source->error, sizeof(source->error), "%s", strerror(errno));
            return finish(source, SOURCE_FAILED);
        }
    }
    return source->verdict;
}

enum source_verdict file_source_batch(struct file_source *source, struct packet *packets, size_t max,
                                      size_t *count)
{
    *count = 0;
    enum source_verdict verdict = file_source_next(source, packets);
    if (verdict != SOURCE_PACKET)
        return verdict;
    /* What is not in the window whole is left to the next call, and so is damage. */
    size_t want;
    for (*count = 1; *count < max; ++*count)
        if (pcap_file_next(&source->file, &source->window, &want, packets + *count) != PCAP_FILE_OK)
            break;
    return SOURCE_PACKET;
}

const char *file_source_error(const struct file_source *source)
{
    return source->error[0] ? source->error : NULL;
}

size_t file_source_position(const struct file_source *source)
{
    return source->position - source->window.size;
}

size_t file_source_size(const struct file_source *source)
{
    return source->size;
}
