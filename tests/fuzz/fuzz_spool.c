/* SPDX-License-Identifier: Apache-2.0
 *
 * What an earlier run, a crash or a bad disk left of the spool: the input is its two segment files (the first
 * byte says where the first ends, in 256ths). Whatever it is, what is read is whole and ascends, and the
 * spool goes on.
 */
#include "cluster/crypto_sodium.h"
#include "node/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEGMENT 4096u

static struct {
    uint8_t bytes[2 * SEGMENT];
    size_t size;
} files[3]; /* the segments, and whatever else is written */

static int open_file(void *context, const char *path, int flags, mode_t mode)
{
    (void)context, (void)mode;
    const char *name = strrchr(path, '/') + 1;
    if (strcmp(name, "00.segment") == 0)
        return 0;
    if (strcmp(name, "01.segment") == 0)
        return 1;
    if (flags & O_CREAT)
        return 2;
    errno = ENOENT;
    return -1;
}

static int status_of(void *context, int file, struct stat *status)
{
    (void)context;
    *status =
        (struct stat){.st_mode = S_IFREG | 0600, .st_uid = geteuid(), .st_size = (off_t)files[file].size};
    return 0;
}

static ssize_t read_at(void *context, int file, void *to, size_t size, off_t at)
{
    (void)context;
    size_t left = (size_t)at < files[file].size ? files[file].size - (size_t)at : 0;
    size = size < left ? size : left;
    memcpy(to, files[file].bytes + at, size);
    return (ssize_t)size;
}

static ssize_t write_at(void *context, int file, const void *data, size_t size, off_t at)
{
    (void)context;
    if ((size_t)at + size > sizeof(files[file].bytes))
        abort(); /* a segment has its bound */
    memcpy(files[file].bytes + at, data, size);
    if ((size_t)at + size > files[file].size)
        files[file].size = (size_t)at + size;
    return (ssize_t)size;
}

static int truncate_to(void *context, int file, off_t size)
{
    (void)context;
    if ((size_t)size < files[file].size)
        memset(files[file].bytes + size, 0, files[file].size - (size_t)size);
    files[file].size = (size_t)size;
    return 0;
}

static int nothing(void *context, int file)
{
    (void)context, (void)file;
    return 0;
}

static int rename_nothing(void *context, const char *from, const char *to)
{
    (void)context, (void)from, (void)to;
    return 0;
}

static int no_path(void *context, const char *path)
{
    (void)context, (void)path;
    return 0;
}

static const struct disk disk = {NULL,    open_file, status_of,      read_at, write_at, truncate_to,
                                 nothing, nothing,   rename_nothing, no_path, no_path};

static uint64_t le64(const uint8_t *from)
{
    struct cursor c = cursor_of(from, 8);
    return cursor_le64(&c);
}

static void put_checksum(uint8_t *to, uint64_t sum)
{
    for (unsigned i = 0; i < 8; i++)
        to[i] = (uint8_t)(sum >> 8 * i);
}

/* Checksums are put right, or nothing would ever get past them. */
static void mend(unsigned file)
{
    uint8_t *bytes = files[file].bytes;
    size_t size = files[file].size, at = 24;
    if (size < at)
        return;
    memcpy(bytes, "picketS1", 8);
    uint64_t number = le64(bytes + 8);
    put_checksum(bytes + 16, XXH3_64bits_withSeed(bytes, 16, number));
    while (size - at >= 40) {
        memcpy(bytes + at, "Spe1", 4);
        size_t payload = bytes[at + 4] | (size_t)bytes[at + 5] << 8;
        memset(bytes + at + 6, 0, 2);
        if (payload > size - at - 40)
            return;
        uint64_t head = XXH3_64bits_withSeed(bytes + at, 32, number);
        put_checksum(bytes + at + 32, payload ? XXH3_64bits_withSeed(bytes + at + 40, payload, head) : head);
        at += 40 + payload;
    }
}

static uint64_t read_all_entries(struct spool *spool)
{
    struct spool_entry entry;
    uint64_t at = 0;
    while (spool_next(spool, at, &entry)) {
        if (entry.sequence <= at || entry.size > SEGMENT)
            abort();
        at = entry.sequence;
        spool_entry_free(&entry);
    }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct spool_config config = {
        .disk = &disk, .directory = "/s", .segments = 2, .segment_bytes = SEGMENT, .drop_oldest = true};
    struct fault fault;
    struct spool_entry entry;
    if (size == 0 || !crypto_sodium_start())
        return 0;
    size_t first = (size - 1) * data[0] / 256, second = size - 1 - first;
    memset(files, 0, sizeof(files));
    files[0].size = first < SEGMENT ? first : SEGMENT;
    files[1].size = second < SEGMENT ? second : SEGMENT;
    memcpy(files[0].bytes, data + 1, files[0].size);
    memcpy(files[1].bytes, data + 1 + first, files[1].size);
    for (unsigned i = 0; i < 2; i++)
        if (data[0] >> i & 1)
            mend(i);
    struct spool *spool = spool_open(&config, &fault);
    if (!spool)
        return 0;
    uint64_t last = read_all_entries(spool);
    if (last < UINT64_MAX - 2) {
        if (spool_append(spool, SPOOL_ENTITIES, 1, (struct bytes){data, size < 100 ? size : 100}, true) !=
                SPOOL_KEPT ||
            !spool_next(spool, last, &entry) || entry.kind != SPOOL_ENTITIES)
            abort();
        spool_entry_free(&entry);
    }
    spool_close(&spool);
    return 0;
}
