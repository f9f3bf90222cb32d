/* SPDX-License-Identifier: Apache-2.0 */
#include "base/batch.h"
#include "node/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct output_batches {
    struct output output;
    struct batch_writer *writer;
    int fd;
    int error; /* of the first write that failed */
};

static void write_frame(void *context, struct bytes frame)
{
    struct output_batches *self = context;
    while (frame.size > 0 && !self->error) {
        ssize_t n = write(self->fd, frame.data, frame.size);
        if (n < 0) {
            if (errno != EINTR)
                self->error = errno;
            continue;
        }
        frame.data += n;
        frame.size -= (size_t)n;
    }
}

static void batches_record(struct output *output, struct bytes record)
{
    batch_writer_add(((struct output_batches *)output)->writer, record);
}

static bool batches_close(struct output *output)
{
    struct output_batches *self = (struct output_batches *)output;
    batch_writer_flush(self->writer);
    batch_writer_destroy(&self->writer);
    if (close(self->fd) < 0 && !self->error)
        self->error = errno;
    int error = self->error;
    free(self);
    errno = error;
    return error == 0;
}

struct output *output_batches_new(const char *path)
{
    struct output_batches *self = malloc(sizeof(*self));
    if (!self)
        return NULL;
    self->output = (struct output){.record = batches_record, .flush = NULL, .close = batches_close};
    self->error = 0;
    /* Activities name people and computers: nobody else's to read. */
    self->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    self->writer = self->fd < 0 ? NULL : batch_writer_new(1, write_frame, self);
    if (!self->writer) {
        int error = errno;
        if (self->fd >= 0)
            close(self->fd);
        free(self);
        errno = error;
        return NULL;
    }
    return &self->output;
}
