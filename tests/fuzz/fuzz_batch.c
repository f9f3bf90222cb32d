/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of batches: any bytes, in two pieces, and the records of what was accepted. A frame that is not one
 * is taken for its content: that is compressed first, so that what lies behind the checksum is reached too.
 */
#include "base/activity.h"
#include "base/batch.h"
#include "tests/fuzz/frames.h"

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

/* A center stores what is framed; nothing that can be read may be refused. */
static void check_framed(struct bytes frame)
{
    struct batch_reader *reader = batch_reader_new();
    struct bytes input = frame;
    if (reader && batch_reader_feed(reader, &input) == BATCH_READY && input.size == 0 &&
        memcmp(frame.data, BATCH_MAGIC, 4) == 0 && !batch_is_framed(frame))
        abort();
    batch_reader_destroy(&reader);
}

static void feed(void *context, struct bytes input)
{
    struct batch_reader *reader = context;
    check_framed(input);
    while (batch_reader_feed(reader, &input) == BATCH_READY)
        read_records(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct batch_reader *reader = batch_reader_new();
    if (!reader)
        return 0;
    frames_feed_input(feed, reader, data, size);
    batch_reader_destroy(&reader);
    return 0;
}
