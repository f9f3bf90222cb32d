/* SPDX-License-Identifier: Apache-2.0 */
#include "cluster/disk.h"

#include "cluster/crypto_sodium.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

static_assert(DISK_CHECKSUM_SIZE == DIGEST_SIZE, "the checksum is a digest");

/* -- the system's calls --------------------------------------------------------------------------- */

static int system_open(void *context, const char *path, int flags, mode_t mode)
{
    (void)context;
    return open(path, flags, mode);
}

static int system_status(void *context, int file, struct stat *status)
{
    (void)context;
    return fstat(file, status);
}

static ssize_t system_read(void *context, int file, void *to, size_t size, off_t at)
{
    (void)context;
    return pread(file, to, size, at);
}

static ssize_t system_write(void *context, int file, const void *data, size_t size, off_t at)
{
    (void)context;
    return pwrite(file, data, size, at);
}

static int system_truncate(void *context, int file, off_t size)
{
    (void)context;
    return ftruncate(file, size);
}

static int system_sync(void *context, int file)
{
    (void)context;
    return fdatasync(file);
}

static int system_close(void *context, int file)
{
    (void)context;
    return close(file);
}

static int system_rename(void *context, const char *from, const char *to)
{
    (void)context;
    return rename(from, to);
}

static int system_remove(void *context, const char *path)
{
    (void)context;
    return unlink(path);
}

static int system_sync_directory(void *context, const char *path)
{
    (void)context;
    int directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return -1;
    int result = fsync(directory);
    int reason = errno;
    close(directory);
    errno = reason;
    return result;
}

const struct disk *disk_system(void)
{
    static const struct disk disk = {
        .open = system_open,
        .status = system_status,
        .read = system_read,
        .write = system_write,
        .truncate = system_truncate,
        .sync = system_sync,
        .close = system_close,
        .rename = system_rename,
        .remove = system_remove,
        .sync_directory = system_sync_directory,
    };
    return &disk;
}

/* -- reading -------------------------------------------------------------------------------------- */

void disk_content_free(struct disk_content *content)
{
    secret_free(content->data);
    *content = (struct disk_content){0};
}

static bool private_file(const struct stat *status, const char *path, struct fault *fault)
{
    if (!S_ISREG(status->st_mode))
        return fault_say(fault, "%s: not a regular file", path);
    if (status->st_uid != geteuid())
        return fault_say(fault, "%s: belongs to user %u, not to this one (%u)", path,
                         (unsigned)status->st_uid, (unsigned)geteuid());
    if (status->st_mode & 077)
        return fault_say(fault, "%s: others have rights to it (mode %04o); chmod 600 it", path,
                         (unsigned)status->st_mode & 07777);
    return true;
}

static bool read_all(const struct disk *disk, int file, uint8_t *to, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = disk->read(disk->context, file, to + done, size - done, (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO; /* became shorter meanwhile */
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

static bool read_open_file(const struct disk *disk, int file, const char *path, size_t max,
                           struct disk_content *content, struct fault *fault)
{
    struct stat status;
    if (disk->status(disk->context, file, &status) != 0)
        return fault_say(fault, "%s: %s", path, strerror(errno));
    if (!private_file(&status, path, fault))
        return false;
    if (status.st_size < 0 || (size_t)status.st_size > max)
        return fault_say(fault, "%s: too long to be what it should be", path);
    content->size = (size_t)status.st_size;
    content->data = secret_alloc(content->size ? content->size : 1);
    if (!content->data)
        return fault_say(fault, "%s: %s", path, strerror(ENOMEM));
    if (read_all(disk, file, content->data, content->size))
        return true;
    fault_say(fault, "%s: %s", path, strerror(errno));
    disk_content_free(content);
    return false;
}

enum disk_found disk_read(const struct disk *disk, const char *path, size_t max, struct disk_content *content,
                          struct fault *fault)
{
    *content = (struct disk_content){0};
    int file = disk->open(disk->context, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (file < 0) {
        fault_say(fault, "%s: %s", path, strerror(errno));
        return errno == ENOENT ? DISK_ABSENT : DISK_FAILED;
    }
    bool fine = read_open_file(disk, file, path, max, content, fault);
    disk->close(disk->context, file);
    return fine ? DISK_FOUND : DISK_FAILED;
}

/* -- writing -------------------------------------------------------------------------------------- */

bool disk_write_all(const struct disk *disk, int file, const void *data, size_t size, off_t at)
{
    const uint8_t *from = data;
    while (size > 0) {
        ssize_t n = disk->write(disk->context, file, from, size, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = ENOSPC;
        if (n <= 0)
            return false;
        from += n;
        size -= (size_t)n;
        at += n;
    }
    return true;
}

static bool write_new_file(const struct disk *disk, const char *path, struct bytes content)
{
    /* A left-over of a crash is of no use to anybody. */
    if (disk->remove(disk->context, path) != 0 && errno != ENOENT)
        return false;
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
    int file = disk->open(disk->context, path, flags, 0600);
    if (file < 0)
        return false;
    bool fine =
        disk_write_all(disk, file, content.data, content.size, 0) && disk->sync(disk->context, file) == 0;
    int reason = errno;
    if (disk->close(disk->context, file) != 0 && fine)
        return false;
    errno = reason;
    return fine;
}

bool disk_replace(const struct disk *disk, const char *directory, const char *name, struct bytes content,
                  struct fault *fault)
{
    char path[PATH_SIZE], beside[PATH_SIZE], beside_name[300];
    snprintf(beside_name, sizeof beside_name, "%s.new", name);
    if (!path_join(path, directory, name, fault) || !path_join(beside, directory, beside_name, fault))
        return false;
    if (write_new_file(disk, beside, content) && disk->rename(disk->context, beside, path) == 0) {
        if (disk->sync_directory(disk->context, directory) == 0)
            return true;
        return fault_say(fault, "%s: %s", directory, strerror(errno));
    }
    fault_say(fault, "%s: %s", beside, strerror(errno));
    disk->remove(disk->context, beside);
    return false;
}

/* -- with a checksum ------------------------------------------------------------------------------ */

bool disk_open_checked(struct bytes *payload, struct bytes file, const char *magic)
{
    uint8_t digest[DIGEST_SIZE];
    if (file.size < DISK_MAGIC_SIZE + DIGEST_SIZE || memcmp(file.data, magic, DISK_MAGIC_SIZE) != 0)
        return false;
    size_t size = file.size - DIGEST_SIZE;
    crypto_digest(digest, file.data, size);
    if (!crypto_equal(digest, file.data + size, DIGEST_SIZE))
        return false;
    *payload = (struct bytes){file.data + DISK_MAGIC_SIZE, size - DISK_MAGIC_SIZE};
    return true;
}

enum disk_found disk_read_checked(const struct disk *disk, const char *path, const char *magic, size_t max,
                                  struct disk_content *content, struct fault *fault)
{
    enum disk_found found = disk_read(disk, path, max + DISK_MAGIC_SIZE + DISK_CHECKSUM_SIZE, content, fault);
    if (found != DISK_FOUND)
        return found;
    struct bytes payload;
    if (!disk_open_checked(&payload, (struct bytes){content->data, content->size}, magic)) {
        disk_content_free(content);
        fault_say(fault, "%s: damaged, or of another kind or version", path);
        return DISK_FAILED;
    }
    memmove(content->data, payload.data, payload.size);
    content->size = payload.size;
    return DISK_FOUND;
}

bool disk_replace_checked(const struct disk *disk, const char *directory, const char *name, const char *magic,
                          struct bytes content, struct fault *fault)
{
    assert(strlen(magic) == DISK_MAGIC_SIZE);
    size_t size = DISK_MAGIC_SIZE + content.size;
    uint8_t *whole = secret_alloc(size + DIGEST_SIZE);
    if (!whole)
        return fault_say(fault, "%s/%s: %s", directory, name, strerror(ENOMEM));
    memcpy(whole, magic, DISK_MAGIC_SIZE);
    if (content.size)
        memcpy(whole + DISK_MAGIC_SIZE, content.data, content.size);
    crypto_digest(whole + size, whole, size);
    bool fine = disk_replace(disk, directory, name, (struct bytes){whole, size + DIGEST_SIZE}, fault);
    secret_free(whole);
    return fine;
}

/* -- directories ---------------------------------------------------------------------------------- */

bool path_join(char *path, const char *directory, const char *name, struct fault *fault)
{
    int size = snprintf(path, PATH_SIZE, "%s/%s", directory, name);
    if (size < 0 || size >= PATH_SIZE)
        return fault_say(fault, "%.80s...: too long a path", directory);
    return true;
}

bool directory_prepare(const char *path, struct fault *fault)
{
    struct stat status;
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return fault_say(fault, "%s: %s", path, strerror(errno));
    if (stat(path, &status) != 0)
        return fault_say(fault, "%s: %s", path, strerror(errno));
    if (!S_ISDIR(status.st_mode))
        return fault_say(fault, "%s: not a directory", path);
    if (status.st_uid != geteuid())
        return fault_say(fault, "%s: belongs to user %u, not to this one (%u)", path, (unsigned)status.st_uid,
                         (unsigned)geteuid());
    if (status.st_mode & 022)
        return fault_say(fault, "%s: others may write in it (mode %04o); chmod 700 it", path,
                         (unsigned)status.st_mode & 07777);
    return true;
}

/* Locks what was opened, or closes it. */
static int lock(int file, const char *path, struct fault *fault)
{
    if (file < 0) {
        fault_say(fault, "%s: %s", path, strerror(errno));
        return -1;
    }
    if (flock(file, LOCK_EX | LOCK_NB) == 0)
        return file;
    if (errno == EWOULDBLOCK)
        fault_say(fault, "%s: in use by another process of Picket", path);
    else
        fault_say(fault, "%s: %s", path, strerror(errno));
    close(file);
    return -1;
}

int directory_lock(const char *path, struct fault *fault)
{
    return lock(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), path, fault);
}

/* Until the lock was had the file may have been replaced: then it is the lock of a file that is gone. */
int file_lock(const char *path, struct fault *fault)
{
    for (;;) {
        struct stat held, there;
        int file = lock(open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), path, fault);
        if (file < 0)
            return -1;
        if (fstat(file, &held) == 0 && stat(path, &there) == 0 && held.st_ino == there.st_ino &&
            held.st_dev == there.st_dev)
            return file;
        close(file);
    }
}
