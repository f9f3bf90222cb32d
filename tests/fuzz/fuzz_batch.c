/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of batches: any bytes, in two pieces, and the records of what was accepted. A frame that is not one
 * is taken for its content: that is compressed first, so that what lies behind the checksum is reached too.
 */
#include "base/activity.h"
#include "base/batch.h"

#include <stdlib.h>
#include <zstd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_records(const struct batch_reader *reader)
{
    static struct activity activity;
    static char json[8 * ACTIVITY_BYTES_MAX];
    uint64_t count;
    struct cursor records = batch_reader_records(reader, &count);
    while (!cursor_done(&records) && activity_decode(&records, &activity))
        activity_to_json(&activity, json, sizeof(json));
}

static void feed(struct batch_reader *reader, const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size + 1);
    if (!exact)
        return;
    memcpy(exact, data, size);
    struct bytes input = {.data = exact, .size = size};
    while (batch_reader_feed(reader, &input) == BATCH_READY)
        read_records(reader);
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct batch_reader *reader = batch_reader_new();
    if (!reader)
        return 0;
    if (size > 4 && memcmp(data, BATCH_MAGIC, 4) == 0) {
        feed(reader, data, size / 2);
        feed(reader, data + size / 2, size - size / 2);
    } else {
        size_t capacity = ZSTD_compressBound(size);
        uint8_t *frame = malloc(capacity);
        if (frame)
            feed(reader, frame, ZSTD_compress(frame, capacity, data, size, 1));
        free(frame);
    }
    batch_reader_destroy(&reader);
    return 0;
}
