/* SPDX-License-Identifier: Apache-2.0 */
#include "center/backup.h"

#include "base/clock.h"
#include "center/store_backup.h"
#include "cluster/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STORE "center.db"
#define MARK  "backup" /* written last: without it nothing here is whole */
#define MAGIC "picketB1"
#define CHUNK (16u << 20)

static bool failed(struct fault *fault, const char *path)
{
    return fault_say(fault, "%s: %s", path, strerror(errno));
}

/* -- copying --------------------------------------------------------------------------------------------- */

static bool copy_rest(int from, int to, off_t size)
{
    uint8_t buffer[65536];
    while (size > 0) {
        ssize_t got = copy_file_range(from, NULL, to, NULL, (size_t)size < CHUNK ? (size_t)size : CHUNK, 0);
        if (got < 0 && errno != EXDEV && errno != EINVAL && errno != EOPNOTSUPP && errno != ENOSYS)
            return false;
        if (got < 0) {
            got = read(from, buffer, sizeof(buffer));
            if (got < 0 || (got > 0 && write(to, buffer, (size_t)got) != got))
                return false;
        }
        if (got == 0)
            return true;
        size -= got;
    }
    return true;
}

/* As much of the file as there is now. One that was removed meanwhile is left out. */
static bool copy_file(const char *from, const char *to, struct backup_result *result, struct fault *fault)
{
    struct stat status;
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0)
        return errno == ENOENT || failed(fault, from);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool fine = out >= 0 || failed(fault, to);
    fine = fine && (fstat(in, &status) == 0 || failed(fault, from));
    fine = fine && ((copy_rest(in, out, status.st_size) && fsync(out) == 0) || failed(fault, to));
    if (fine) {
        result->files++;
        result->bytes += (uint64_t)status.st_size;
    }
    close(in);
    if (out >= 0)
        close(out);
    return fine;
}

static bool sync_directory(const char *path, struct fault *fault)
{
    const struct disk *disk = disk_system();
    return disk->sync_directory(disk->context, path) == 0 || failed(fault, path);
}

static bool is_store(const char *name)
{
    return strncmp(name, STORE, strlen(STORE)) == 0;
}

typedef bool (*copy_one)(const char *from, const char *to, struct backup_result *result, struct fault *fault);

/* Each regular file with `file`, each directory with `directory` (NULL: left out). */
static bool copy_entry(const char *from, const char *to, copy_one directory, struct backup_result *result,
                       struct fault *fault)
{
    struct stat status;
    if (lstat(from, &status) != 0)
        return errno == ENOENT || failed(fault, from);
    if (S_ISREG(status.st_mode))
        return copy_file(from, to, result, fault);
    if (!S_ISDIR(status.st_mode) || !directory)
        return true;
    return directory_prepare(to, fault) && directory(from, to, result, fault);
}

static bool copy_entries(const char *from, const char *to, copy_one directory, struct backup_result *result,
                         struct fault *fault)
{
    char source[PATH_SIZE], target[PATH_SIZE];
    DIR *d = opendir(from);
    if (!d)
        return failed(fault, from);
    bool fine = true;
    for (struct dirent *one; fine && (one = readdir(d));) {
        if (one->d_name[0] == '.' || is_store(one->d_name) || strcmp(one->d_name, MARK) == 0)
            continue;
        fine = path_join(source, from, one->d_name, fault) && path_join(target, to, one->d_name, fault) &&
               copy_entry(source, target, directory, result, fault);
    }
    closedir(d);
    return fine && sync_directory(to, fault);
}

/* The state's directories have files only. */
static bool copy_files(const char *from, const char *to, struct backup_result *result, struct fault *fault)
{
    return copy_entries(from, to, NULL, result, fault);
}

static bool copy_state(const char *from, const char *to, struct backup_result *result, struct fault *fault)
{
    return copy_entries(from, to, copy_files, result, fault);
}

/* -- making ---------------------------------------------------------------------------------------------- */

static bool is_empty(const char *path, struct fault *fault)
{
    DIR *d = opendir(path);
    if (!d)
        return failed(fault, path);
    bool empty = true;
    for (struct dirent *one; (one = readdir(d));)
        empty = empty && (strcmp(one->d_name, ".") == 0 || strcmp(one->d_name, "..") == 0);
    closedir(d);
    return empty || fault_say(fault, "%s is not empty", path);
}

static bool put_mark(const char *directory, const struct backup_result *result, struct fault *fault)
{
    char text[256];
    int size = snprintf(text, sizeof(text),
                        "at %" PRId64 "\nposition %" PRIu64 "\nfiles %" PRIu64 "\nbytes %" PRIu64 "\n",
                        result->at, result->position, result->files, result->bytes);
    return disk_replace_checked(disk_system(), directory, MARK, MAGIC,
                                (struct bytes){(const uint8_t *)text, (size_t)size}, fault);
}

bool backup_make(const char *state, const char *directory, struct backup_result *result, struct fault *fault)
{
    char source[PATH_SIZE], target[PATH_SIZE];
    *result = (struct backup_result){.at = clock_wall(clock_system())};
    if (!path_join(source, state, STORE, fault) || !path_join(target, directory, STORE, fault) ||
        !directory_prepare(directory, fault) || !is_empty(directory, fault))
        return false;
    if (!store_copy(source, target, &result->position, &result->bytes, fault))
        return false;
    result->files++;
    return copy_state(state, directory, result, fault) && put_mark(directory, result, fault);
}

/* -- restoring ------------------------------------------------------------------------------------------- */

static bool check_mark(const char *directory, struct backup_result *result, struct fault *fault)
{
    char path[PATH_SIZE], text[257];
    struct disk_content content;
    if (!path_join(path, directory, MARK, fault))
        return false;
    enum disk_found found = disk_read_checked(disk_system(), path, MAGIC, 256, &content, fault);
    if (found == DISK_ABSENT)
        return fault_say(fault, "%s is no backup, or was not finished", directory);
    if (found == DISK_FAILED)
        return false;
    snprintf(text, sizeof(text), "%.*s", (int)content.size, (const char *)content.data);
    disk_content_free(&content);
    bool fine = sscanf(text, "at %" SCNd64 " position %" SCNu64, &result->at, &result->position) == 2;
    return fine || fault_say(fault, "%s cannot be read", path);
}

static bool is_fresh(const char *state, struct fault *fault)
{
    char path[PATH_SIZE];
    if (!path_join(path, state, STORE, fault))
        return false;
    if (access(path, F_OK) == 0)
        return fault_say(fault, "%s is there: move it away first, for what is restored is not mixed with it",
                         path);
    return path_join(path, state, "log", fault) && (access(path, F_OK) != 0 || is_empty(path, fault));
}

bool backup_restore(const char *directory, const char *state, struct backup_result *result,
                    struct fault *fault)
{
    char source[PATH_SIZE], target[PATH_SIZE];
    *result = (struct backup_result){0};
    if (!check_mark(directory, result, fault) || !path_join(source, directory, STORE, fault) ||
        !path_join(target, state, STORE, fault) || !store_verify(source, fault) ||
        !directory_prepare(state, fault) || !is_fresh(state, fault))
        return false;
    return copy_state(directory, state, result, fault) && copy_file(source, target, result, fault) &&
           sync_directory(state, fault);
}
