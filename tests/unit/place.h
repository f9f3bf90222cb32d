/* SPDX-License-Identifier: Apache-2.0
 *
 * A directory of a test's own, under /tmp, gone afterwards.
 */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cursor.h"
#include "tests/unit/unit.h"

struct place {
    char path[64];
};

static inline void place_open(struct place *place)
{
    strcpy(place->path, "/tmp/picket-test-XXXXXX");
    assert_non_null(mkdtemp(place->path));
}

/* The path of a file in it; good until the next call but one. */
static inline const char *place_file(const struct place *place, const char *name)
{
    static char paths[2][400];
    static unsigned turn;
    char *path = paths[turn++ % 2];
    snprintf(path, sizeof paths[0], "%s/%s", place->path, name);
    return path;
}

static inline void place_close(const struct place *place)
{
    DIR *directory = opendir(place->path);
    assert_non_null(directory);
    struct dirent *entry;
    while ((entry = readdir(directory)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            assert_int_equal(remove(place_file(place, entry->d_name)), 0);
    closedir(directory);
    assert_int_equal(rmdir(place->path), 0);
}

/* Mode 0600. */
static inline void place_put(const struct place *place, const char *name, const void *data, size_t size)
{
    const char *path = place_file(place, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

/* How many bytes of the file came to `to`. */
static inline size_t place_get(const struct place *place, const char *name, void *to, size_t capacity)
{
    FILE *file = fopen(place_file(place, name), "rb");
    assert_non_null(file);
    size_t size = fread(to, 1, capacity, file);
    assert_int_equal(fclose(file), 0);
    return size;
}
