/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches of entities: any bytes, in two pieces. A frame that is not one is taken for its content: that is
 * compressed first, so that what lies behind the checksum is reached too.
 */
#include "sync/entity_batch.h"
#include "tests/fuzz/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_records(struct entity_batch_reader *reader)
{
    static struct entity_batch_record record;
    static char json[8 * ENTITY_ENCODED_MAX];
    bool damaged;
    while (entity_batch_reader_next(reader, &record, &damaged)) {
        struct guid target;
        if (record.kind == ENTITY_BATCH_ENTITY)
            entity_to_json(&record.entity, json, sizeof json);
        if (record.kind != ENTITY_BATCH_LINKS)
            continue;
        while (entity_batch_next_target(&record.added_at, &record.added, &target))
            ;
        while (entity_batch_next_target(&record.removed_at, &record.removed, &target))
            ;
    }
}

static void feed(void *context, struct bytes input)
{
    struct entity_batch_reader *reader = context;
    while (entity_batch_reader_feed(reader, &input) == BATCH_READY)
        read_records(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct entity_batch_reader *reader = entity_batch_reader_new();
    if (!reader)
        return 0;
    frames_feed_input(feed, reader, data, size);
    entity_batch_reader_destroy(&reader);
    return 0;
}
