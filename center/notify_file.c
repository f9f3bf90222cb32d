/* SPDX-License-Identifier: Apache-2.0
 *
 * A file of notices, one JSON object a line. It is opened for each, so that it may be moved away at any time
 * (logrotate); what could not be written whole is taken back.
 */
#include "center/notify_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct notify_file {
    char *path;
};

static bool write_line(int file, const char *line, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(file, line + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        done += (size_t)n;
    }
    return fdatasync(file) == 0 || errno == EINVAL ||
           errno == EROFS; /* a pipe or device has nothing to sync */
}

static bool append(const char *path, const char *line, size_t size, struct fault *fault)
{
    struct stat before = {0};
    int file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
    if (file < 0)
        return fault_say(fault, "%s: %s", path, strerror(errno));
    bool done = fstat(file, &before) == 0 && write_line(file, line, size);
    if (!done) {
        fault_say(fault, "%s: %s", path, strerror(errno));
        if (S_ISREG(before.st_mode) && ftruncate(file, before.st_size) < 0)
            fault_say(fault, "%s: a line was cut there: %s", path, strerror(errno));
    }
    close(file);
    return done;
}

static enum notify_result send_notice(void *context, const struct notice *notice, struct fault *fault)
{
    const struct notify_file *self = context;
    char *json = malloc(NOTICE_JSON_MAX);
    size_t size = json ? notice_json(notice, json, NOTICE_JSON_MAX) : NOTICE_JSON_MAX;
    bool done = false;
    if (size < NOTICE_JSON_MAX) {
        json[size++] = '\n';
        done = append(self->path, json, size, fault);
    } else {
        fault_say(fault, "no memory for a line");
    }
    free(json);
    return done ? NOTIFY_SENT : NOTIFY_FAILED;
}

static void destroy(void *context)
{
    struct notify_file *self = context;
    free(self->path);
    free(self);
}

bool notify_file_new(const struct notify_common *common, const char *path, struct notify_output *to,
                     struct fault *fault)
{
    (void)common;
    struct notify_file *self = calloc(1, sizeof(*self));
    if (self)
        self->path = strdup(path);
    if (!self || !self->path) {
        free(self);
        return fault_say(fault, "no memory for a file");
    }
    *to = (struct notify_output){.issue = 1112, .send = send_notice, .destroy = destroy, .self = self};
    return true;
}
