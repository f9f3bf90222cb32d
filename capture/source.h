/* SPDX-License-Identifier: Apache-2.0
 *
 * Where packets come from: files (and pipes) here, interfaces in source_live.c. Drivers: they read, the
 * engine stays pure.
 */
#pragma once

#include "capture/packet.h"

#include <stdbool.h>
#include <stddef.h>

struct file_source;

enum source_verdict {
    SOURCE_PACKET,
    SOURCE_END,
    SOURCE_TRUNCATED, /* the file ends in the middle of a packet or block; all before it was given */
    SOURCE_DAMAGED,   /* what follows cannot be read; all before it was given */
    SOURCE_FAILED,    /* reading failed, or it is no capture at all */
};

/* Opens a capture file; "-" is standard input. On failure NULL, with the reason in `error` (without the
 * file's name). The caller closes it. */
struct file_source *file_source_open(const char *path, const char **error);
void file_source_close(struct file_source **source_p);

/* The next packet; it is valid until the next call. After anything but SOURCE_PACKET the source is done,
 * and the same verdict comes again. */
enum source_verdict file_source_next(struct file_source *source, struct packet *packet);

/* The next packets, at most `max` (and at least one after SOURCE_PACKET), as far as they stand in memory; all
 * are valid until the next call. */
enum source_verdict file_source_batch(struct file_source *source, struct packet *packets, size_t max,
                                      size_t *count);

/* What went wrong, for people; NULL when nothing did. */
const char *file_source_error(const struct file_source *source);

/* Bytes read so far, and of the whole file; 0: not known (a pipe). */
size_t file_source_position(const struct file_source *source);
size_t file_source_size(const struct file_source *source);
