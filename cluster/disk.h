/* SPDX-License-Identifier: Apache-2.0
 *
 * Files that must survive a crash and that others must not read. The system calls are a table, so that tests
 * can fail and crash at each of them.
 */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include "base/cursor.h"
#include "base/fault.h"

struct disk {
    void *context;
    /* As the calls of the same names: -1 and errno. */
    int (*open)(void *context, const char *path, int flags, mode_t mode);
    int (*status)(void *context, int file, struct stat *status);
    ssize_t (*read)(void *context, int file, void *to, size_t size, off_t at);
    ssize_t (*write)(void *context, int file, const void *data, size_t size, off_t at);
    int (*truncate)(void *context, int file, off_t size);
    int (*sync)(void *context, int file); /* the file's bytes and size */
    int (*close)(void *context, int file);
    int (*rename)(void *context, const char *from, const char *to);
    int (*remove)(void *context, const char *path);
    int (*sync_directory)(void *context, const char *path); /* its names */
};

/* The system's; lives as long as the program. */
const struct disk *disk_system(void);

/* Bytes of a file, in memory for secrets (cluster/crypto_sodium.h). */
struct disk_content {
    uint8_t *data;
    size_t size;
};
void disk_content_free(struct disk_content *content);

enum disk_found {
    DISK_FOUND,
    DISK_ABSENT, /* there is no such file */
    DISK_FAILED,
};

/* The whole of a regular file of at most `max` bytes. It must belong to this user, and nobody else may have
 * any right to it: else DISK_FAILED and `fault` says what is wrong. The caller frees the content of
 * DISK_FOUND. */
enum disk_found disk_read(const struct disk *disk, const char *path, size_t max, struct disk_content *content,
                          struct fault *fault);

/* Writes directory/name anew, mode 0600: to a file beside it, synced, then renamed over it, then the
 * directory synced. Whatever happens, the file is there whole, as it was or as it is to be. */
bool disk_replace(const struct disk *disk, const char *directory, const char *name, struct bytes content,
                  struct fault *fault);

/* The same for bytes with a checksum (magic, bytes, BLAKE2b-256). A damaged file is DISK_FAILED. */
#define DISK_MAGIC_SIZE    8u
#define DISK_CHECKSUM_SIZE 32u
enum disk_found disk_read_checked(const struct disk *disk, const char *path, const char *magic, size_t max,
                                  struct disk_content *content, struct fault *fault);
bool disk_replace_checked(const struct disk *disk, const char *directory, const char *name, const char *magic,
                          struct bytes content, struct fault *fault);
/* What disk_read_checked() does once the bytes are there: points into them. */
bool disk_open_checked(struct bytes *payload, struct bytes file, const char *magic);

/* Writes all of it. */
bool disk_write_all(const struct disk *disk, int file, const void *data, size_t size, off_t at);

/* Makes the directory (mode 0700; its parent must be there) unless it is there, and checks that nobody but
 * this user may write in it. */
bool directory_prepare(const char *path, struct fault *fault);

/* Holds the directory against another process with the same identity, until the descriptor is closed. -1: it
 * is held already, or cannot be opened. */
int directory_lock(const char *path, struct fault *fault);

/* The same for a file that is replaced as a whole by disk_replace(). -1 and errno ENOENT: there is none. */
int file_lock(const char *path, struct fault *fault);

#define PATH_SIZE 4096
/* directory/name into path[PATH_SIZE]; false when that is too long. */
bool path_join(char *path, const char *directory, const char *name, struct fault *fault);
