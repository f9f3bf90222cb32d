/* SPDX-License-Identifier: Apache-2.0
 *
 * SQLite's files with faults: a layer (VFS) over the system's that at the n-th write, sync or truncation is
 * killed, cuts the write in two, or fails, or takes its time. For tests; one for each process.
 */
#pragma once

#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

enum store_fault_kind {
    STORE_FAULT_NONE,
    STORE_FAULT_KILL, /* SIGKILL before the n-th call; of a write half has been done */
    STORE_FAULT_FULL, /* from the n-th write on */
    STORE_FAULT_IO,   /* likewise */
    STORE_FAULT_SLOW, /* each sync */
};

static struct {
    enum store_fault_kind kind;
    unsigned long at, calls;
    useconds_t delay;
    sqlite3_vfs *below;
    sqlite3_vfs layer;
    sqlite3_io_methods methods;
} store_faults;

struct faulty_file {
    sqlite3_file base;
    sqlite3_file *below;
};

static inline sqlite3_file *faulty_below(sqlite3_file *file)
{
    return ((struct faulty_file *)file)->below;
}

#define FAULTY(file, method, ...) (faulty_below(file)->pMethods->method(faulty_below(file), ##__VA_ARGS__))

static inline int faulty_close(sqlite3_file *f)
{
    return FAULTY(f, xClose);
}
static inline int faulty_read(sqlite3_file *f, void *to, int size, sqlite3_int64 at)
{
    return FAULTY(f, xRead, to, size, at);
}

/* SQLITE_OK: go on. */
static inline int faulty_due(void)
{
    unsigned long call = ++store_faults.calls;
    if (store_faults.kind == STORE_FAULT_KILL && call == store_faults.at)
        return SQLITE_ABORT;
    if (store_faults.kind == STORE_FAULT_FULL && call >= store_faults.at)
        return SQLITE_FULL;
    if (store_faults.kind == STORE_FAULT_IO && call >= store_faults.at)
        return SQLITE_IOERR_WRITE;
    return SQLITE_OK;
}

static inline int faulty_write(sqlite3_file *f, const void *data, int size, sqlite3_int64 at)
{
    int code = faulty_due();
    if (code == SQLITE_ABORT) {
        FAULTY(f, xWrite, data, size / 2, at);
        kill(getpid(), SIGKILL);
    }
    return code == SQLITE_OK ? FAULTY(f, xWrite, data, size, at) : code;
}
static inline int faulty_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    if (faulty_due() == SQLITE_ABORT)
        kill(getpid(), SIGKILL);
    return FAULTY(f, xTruncate, size);
}
static inline int faulty_sync(sqlite3_file *f, int flags)
{
    if (faulty_due() == SQLITE_ABORT)
        kill(getpid(), SIGKILL);
    if (store_faults.kind == STORE_FAULT_SLOW)
        usleep(store_faults.delay);
    return FAULTY(f, xSync, flags);
}
static inline int faulty_size(sqlite3_file *f, sqlite3_int64 *size)
{
    return FAULTY(f, xFileSize, size);
}
static inline int faulty_lock(sqlite3_file *f, int kind)
{
    return FAULTY(f, xLock, kind);
}
static inline int faulty_unlock(sqlite3_file *f, int kind)
{
    return FAULTY(f, xUnlock, kind);
}
static inline int faulty_check_lock(sqlite3_file *f, int *held)
{
    return FAULTY(f, xCheckReservedLock, held);
}
static inline int faulty_control(sqlite3_file *f, int what, void *value)
{
    return FAULTY(f, xFileControl, what, value);
}
static inline int faulty_sector(sqlite3_file *f)
{
    return FAULTY(f, xSectorSize);
}
static inline int faulty_characteristics(sqlite3_file *f)
{
    return FAULTY(f, xDeviceCharacteristics);
}
static inline int faulty_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **to)
{
    return FAULTY(f, xShmMap, page, size, extend, to);
}
static inline int faulty_shm_lock(sqlite3_file *f, int offset, int count, int flags)
{
    return FAULTY(f, xShmLock, offset, count, flags);
}
static inline void faulty_shm_barrier(sqlite3_file *f)
{
    FAULTY(f, xShmBarrier);
}
static inline int faulty_shm_unmap(sqlite3_file *f, int remove)
{
    return FAULTY(f, xShmUnmap, remove);
}

static inline int faulty_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *got)
{
    struct faulty_file *f = (struct faulty_file *)file;
    (void)vfs;
    f->below = (sqlite3_file *)(f + 1);
    int code = store_faults.below->xOpen(store_faults.below, path, f->below, flags, got);
    file->pMethods = f->below->pMethods ? &store_faults.methods : NULL;
    return code;
}

/* From now on all of this process's SQLite files go through it. */
static inline void store_faults_install(enum store_fault_kind kind, unsigned long at)
{
    store_faults.kind = kind;
    store_faults.at = at;
    store_faults.calls = 0;
    if (store_faults.below)
        return;
    store_faults.below = sqlite3_vfs_find(NULL);
    store_faults.layer = *store_faults.below;
    store_faults.layer.zName = "faults";
    store_faults.layer.szOsFile = (int)sizeof(struct faulty_file) + store_faults.below->szOsFile;
    store_faults.layer.xOpen = faulty_open;
    store_faults.methods = (sqlite3_io_methods){.iVersion = 2,
                                                .xClose = faulty_close,
                                                .xRead = faulty_read,
                                                .xWrite = faulty_write,
                                                .xTruncate = faulty_truncate,
                                                .xSync = faulty_sync,
                                                .xFileSize = faulty_size,
                                                .xLock = faulty_lock,
                                                .xUnlock = faulty_unlock,
                                                .xCheckReservedLock = faulty_check_lock,
                                                .xFileControl = faulty_control,
                                                .xSectorSize = faulty_sector,
                                                .xDeviceCharacteristics = faulty_characteristics,
                                                .xShmMap = faulty_shm_map,
                                                .xShmLock = faulty_shm_lock,
                                                .xShmBarrier = faulty_shm_barrier,
                                                .xShmUnmap = faulty_shm_unmap};
    sqlite3_vfs_register(&store_faults.layer, 1);
}
