/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file_stamp.h"

#include "base/clock.h"

#include <sys/stat.h>

struct file_stamp file_stamp(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return (struct file_stamp){0};
    return (struct file_stamp){
        .device = status.st_dev,
        .number = status.st_ino,
        .size = (uint64_t)status.st_size,
        .changed = status.st_mtim.tv_sec * CLOCK_SECOND + status.st_mtim.tv_nsec,
        .there = true,
    };
}

bool file_stamp_same(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->there == b->there && a->device == b->device && a->number == b->number && a->size == b->size &&
           a->changed == b->changed;
}
