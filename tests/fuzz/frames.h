/* SPDX-License-Identifier: Apache-2.0
 *
 * An input for a reader of zstd frames: frames as they are, in two pieces, or the content of one, which is
 * compressed first or nothing would ever get past the compression.
 */
#pragma once

#include <stdlib.h>
#include <zstd.h>

#include "base/batch.h"

/* Takes all of `input`, which ends where its memory ends. */
typedef void (*frames_feed)(void *reader, struct bytes input);

static inline void frames_feed_exact(frames_feed feed, void *reader, const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size + 1);
    if (!exact)
        return;
    memcpy(exact, data, size);
    feed(reader, (struct bytes){.data = exact, .size = size});
    free(exact);
}

static inline void frames_feed_input(frames_feed feed, void *reader, const uint8_t *data, size_t size)
{
    if (size > 4 && memcmp(data, BATCH_MAGIC, 4) == 0) {
        frames_feed_exact(feed, reader, data, size / 2);
        frames_feed_exact(feed, reader, data + size / 2, size - size / 2);
        return;
    }
    size_t capacity = ZSTD_compressBound(size);
    uint8_t *frame = malloc(capacity);
    if (frame)
        frames_feed_exact(feed, reader, frame, ZSTD_compress(frame, capacity, data, size, 1));
    free(frame);
}
