/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk in memory that can crash, for tests of what must survive it. It remembers what was not synced yet.
 * At a crash of that any part may have reached the platter: of writes and cuts of a file each one or not, a
 * write torn at any byte; of changes of names, which journals keep in order, the first so many.
 *
 * `fail_at` makes the n-th call fail (with `error`); `crash_at` makes it and all after it fail until
 * crash_disk_reboot().
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cluster/disk.h"
#include "tests/unit/unit.h"

#define CRASH_FILES 64
#define CRASH_OPS   64
#define CRASH_SIZE  70000

struct crash_write {
    size_t at;
    size_t size;   /* of a cut: the new size */
    uint8_t *data; /* NULL: a cut */
};

struct crash_file {
    bool used;
    size_t size, synced_size;
    uint8_t *bytes, *synced;
    struct crash_write writes[CRASH_OPS];
    unsigned write_count;
};

struct crash_name {
    char path[128];
    int file; /* -1: no such name */
};

struct crash_disk {
    struct disk disk;
    struct crash_file files[CRASH_FILES];
    struct crash_name names[CRASH_FILES], synced_names[CRASH_FILES];
    struct crash_name changes[CRASH_OPS]; /* since the last sync of the directory; a rename is two in one */
    bool with_next[CRASH_OPS];
    unsigned change_count;
    unsigned calls, fail_at, crash_at;
    int error;
    bool crashed;
    uint64_t random;
};

static inline uint64_t crash_random(struct crash_disk *d, uint64_t below)
{
    d->random = d->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (d->random >> 33) % below;
}

/* Counts a call; true when it is to fail. */
static inline bool crash_call(struct crash_disk *d)
{
    d->calls++;
    if (d->calls == d->crash_at)
        d->crashed = true;
    if (d->crashed || d->calls == d->fail_at) {
        errno = d->error;
        return true;
    }
    return false;
}

static inline struct crash_name *crash_find(struct crash_name *names, const char *path, bool make)
{
    for (int i = 0; i < CRASH_FILES; i++)
        if (names[i].path[0] && strcmp(names[i].path, path) == 0)
            return &names[i];
    for (int i = 0; make && i < CRASH_FILES; i++) {
        if (!names[i].path[0]) {
            snprintf(names[i].path, sizeof names[i].path, "%s", path);
            names[i].file = -1;
            return &names[i];
        }
    }
    return NULL;
}

static inline void crash_name_set(struct crash_disk *d, const char *path, int file, bool with_next)
{
    crash_find(d->names, path, true)->file = file;
    assert_true(d->change_count < CRASH_OPS);
    struct crash_name *change = &d->changes[d->change_count];
    snprintf(change->path, sizeof change->path, "%s", path);
    change->file = file;
    d->with_next[d->change_count++] = with_next;
}

static inline int crash_open(void *context, const char *path, int flags, mode_t mode)
{
    struct crash_disk *d = context;
    (void)mode;
    if (crash_call(d))
        return -1;
    struct crash_name *name = crash_find(d->names, path, false);
    if (name && name->file >= 0) {
        if (flags & O_EXCL) {
            errno = EEXIST;
            return -1;
        }
        return name->file;
    }
    if (!(flags & O_CREAT)) {
        errno = ENOENT;
        return -1;
    }
    for (int i = 0; i < CRASH_FILES; i++) {
        if (!d->files[i].used) {
            d->files[i] = (struct crash_file){
                .used = true, .bytes = calloc(1, CRASH_SIZE), .synced = calloc(1, CRASH_SIZE)};
            crash_name_set(d, path, i, false);
            return i;
        }
    }
    fail_msg("no room for another file");
    return -1;
}

static inline int crash_status(void *context, int file, struct stat *status)
{
    struct crash_disk *d = context;
    if (crash_call(d))
        return -1;
    *status =
        (struct stat){.st_mode = S_IFREG | 0600, .st_uid = geteuid(), .st_size = (off_t)d->files[file].size};
    return 0;
}

static inline ssize_t crash_read(void *context, int file, void *to, size_t size, off_t at)
{
    struct crash_disk *d = context;
    if (crash_call(d))
        return -1;
    struct crash_file *f = &d->files[file];
    size_t left = (size_t)at < f->size ? f->size - (size_t)at : 0;
    if (size > left)
        size = left;
    if (size > 1 && crash_random(d, 2)) /* short reads are legal */
        size = 1 + crash_random(d, size);
    memcpy(to, f->bytes + at, size);
    return (ssize_t)size;
}

static inline void crash_apply(uint8_t *bytes, size_t *size, const struct crash_write *write, size_t part)
{
    if (!write->data) {
        if (write->size < *size)
            memset(bytes + write->size, 0, *size - write->size);
        *size = write->size;
        return;
    }
    memcpy(bytes + write->at, write->data, part);
    if (write->at + part > *size)
        *size = write->at + part;
}

static inline void crash_note(struct crash_file *f, struct crash_write write)
{
    assert_true(f->write_count < CRASH_OPS);
    f->writes[f->write_count++] = write;
    crash_apply(f->bytes, &f->size, &write, write.size);
}

static inline ssize_t crash_write_at(void *context, int file, const void *data, size_t size, off_t at)
{
    struct crash_disk *d = context;
    bool fails = crash_call(d);
    if (fails && !d->crashed)
        return -1;
    if (!fails && size > 1 && crash_random(d, 2)) /* short writes are legal */
        size = 1 + crash_random(d, size - 1);
    if (size == 0 || d->calls > d->crash_at)
        return fails ? -1 : 0;
    struct crash_write write = {.at = (size_t)at, .size = size, .data = malloc(size)};
    assert_true(write.at + size <= CRASH_SIZE);
    memcpy(write.data, data, size);
    crash_note(&d->files[file], write); /* at the call that crashes part of it may be there */
    return fails ? -1 : (ssize_t)size;
}

static inline int crash_truncate(void *context, int file, off_t size)
{
    struct crash_disk *d = context;
    if (crash_call(d))
        return -1;
    crash_note(&d->files[file], (struct crash_write){.size = (size_t)size});
    return 0;
}

static inline void crash_file_settle(struct crash_file *f)
{
    memcpy(f->synced, f->bytes, CRASH_SIZE);
    f->synced_size = f->size;
    for (unsigned i = 0; i < f->write_count; i++)
        free(f->writes[i].data);
    f->write_count = 0;
}

static inline int crash_sync(void *context, int file)
{
    struct crash_disk *d = context;
    if (crash_call(d))
        return -1;
    crash_file_settle(&d->files[file]);
    return 0;
}

static inline int crash_close(void *context, int file)
{
    struct crash_disk *d = context;
    (void)file;
    return crash_call(d) ? -1 : 0;
}

static inline int crash_rename(void *context, const char *from, const char *to)
{
    struct crash_disk *d = context;
    if (crash_call(d))
        return -1;
    int file = crash_find(d->names, from, true)->file;
    crash_name_set(d, to, file, true);
    crash_name_set(d, from, -1, false);
    return 0;
}

static inline int crash_remove(void *context, const char *path)
{
    struct crash_disk *d = context;
    if (crash_call(d))
        return -1;
    struct crash_name *name = crash_find(d->names, path, false);
    if (!name || name->file < 0) {
        errno = ENOENT;
        return -1;
    }
    crash_name_set(d, path, -1, false);
    return 0;
}

static inline void crash_names_settle(struct crash_disk *d, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        crash_find(d->synced_names, d->changes[i].path, true)->file = d->changes[i].file;
    d->change_count = 0;
    memcpy(d->names, d->synced_names, sizeof d->names);
}

static inline int crash_sync_directory(void *context, const char *path)
{
    struct crash_disk *d = context;
    (void)path;
    if (crash_call(d))
        return -1;
    crash_names_settle(d, d->change_count);
    return 0;
}

static inline struct crash_disk *crash_disk_new(uint64_t seed)
{
    struct crash_disk *d = calloc(1, sizeof *d);
    d->disk = (struct disk){
        d,          crash_open,  crash_status, crash_read,   crash_write_at,      crash_truncate,
        crash_sync, crash_close, crash_rename, crash_remove, crash_sync_directory};
    d->error = EIO;
    d->crash_at = UINT32_MAX;
    d->random = seed * 77 + 1;
    return d;
}

/* After a crash, or as if there had been one now: what was not synced is there, or in part, or not. */
static inline void crash_disk_reboot(struct crash_disk *d)
{
    unsigned count = (unsigned)crash_random(d, d->change_count + 1);
    while (count > 0 && d->with_next[count - 1])
        count--;
    crash_names_settle(d, count);
    for (int i = 0; i < CRASH_FILES; i++) {
        struct crash_file *f = &d->files[i];
        if (!f->used)
            continue;
        for (unsigned w = 0; w < f->write_count; w++) {
            uint64_t fate = crash_random(d, 3);
            size_t size = f->writes[w].size;
            if (fate > 0)
                crash_apply(f->synced, &f->synced_size, &f->writes[w],
                            fate == 1 ? size : crash_random(d, size + 1));
        }
        memcpy(f->bytes, f->synced, CRASH_SIZE);
        f->size = f->synced_size;
        crash_file_settle(f);
    }
    d->crashed = false;
    d->crash_at = UINT32_MAX;
    d->fail_at = 0;
    d->calls = 0;
}

static inline void crash_disk_free(struct crash_disk *d)
{
    for (int i = 0; i < CRASH_FILES; i++) {
        if (!d->files[i].used)
            continue;
        crash_file_settle(&d->files[i]);
        free(d->files[i].bytes);
        free(d->files[i].synced);
    }
    free(d);
}
