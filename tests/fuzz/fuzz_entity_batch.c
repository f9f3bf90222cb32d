/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches of entities: any bytes, in two pieces. A frame that is not one is taken for its content: that is
 * compressed first, so that what lies behind the checksum is reached too.
 */
#include "sync/entity_batch.h"

#include <stdlib.h>
#include <zstd.h>

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

static void feed(struct entity_batch_reader *reader, const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size + 1);
    if (!exact)
        return;
    memcpy(exact, data, size);
    struct bytes input = {.data = exact, .size = size};
    while (entity_batch_reader_feed(reader, &input) == BATCH_READY)
        read_records(reader);
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct entity_batch_reader *reader = entity_batch_reader_new();
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
    entity_batch_reader_destroy(&reader);
    return 0;
}
