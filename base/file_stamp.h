/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether files are still those that were read: by device, number, size and time of change.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct file_stamp {
    uint64_t device, number, size;
    int64_t changed; /* ns since 1970 */
    bool there;
};

/* Of the file as it is now; symbolic links are followed, as whoever reads it does. */
struct file_stamp file_stamp(const char *path);
bool file_stamp_same(const struct file_stamp *a, const struct file_stamp *b);
