/* SPDX-License-Identifier: Apache-2.0 */
#include "center/batch_check.h"

#include "base/batch.h"
#include "base/msgpack.h"

#include <stdlib.h>

struct batch_check {
    struct batch_reader *entities; /* NULL after damage: made anew */
};

struct batch_check *batch_check_new(void)
{
    return calloc(1, sizeof(struct batch_check));
}

void batch_check_destroy(struct batch_check **check)
{
    if (!*check)
        return;
    batch_reader_destroy(&(*check)->entities);
    free(*check);
    *check = NULL;
}

static const char *open_batch(struct batch_reader **reader, const struct batch_form *form,
                              struct bytes payload)
{
    if (!*reader)
        *reader = batch_reader_new_of(form);
    if (!*reader)
        return "no memory";
    if (batch_reader_feed(*reader, &payload) == BATCH_READY)
        return NULL;
    batch_reader_destroy(reader);
    return "damaged, of another version, or too large";
}

/* What an entity is its reader knows; here it must be a map. */
static const char *check_entities(struct batch_check *self, struct batch_found *found)
{
    uint32_t count;
    uint64_t records;
    struct cursor pairs = batch_reader_pairs(self->entities, &count);
    struct cursor c = batch_reader_records(self->entities, &records);
    if (!batch_fence_read(&found->fence, pairs, count))
        return "entities without a fence";
    for (uint64_t i = 0; i < records; i++) {
        struct cursor record = c;
        if (msgpack_next(&record).type != MSGPACK_MAP || !msgpack_skip(&c))
            return "a record that is no map";
    }
    return cursor_done(&c) ? NULL : "more records than announced";
}

void batch_check_payload(struct batch_check *self, uint64_t kind, struct bytes payload,
                         struct batch_found *found)
{
    *found = (struct batch_found){0};
    if (kind != DELIVERY_ACTIVITIES && kind != DELIVERY_ENTITIES)
        found->fault = "of a kind that is not known here";
    else if (!batch_is_framed(payload))
        found->fault = "cut, more than one batch, or too large";
    else if (kind == DELIVERY_ENTITIES)
        found->fault = open_batch(&self->entities, &batch_entities, payload);
    if (!found->fault && kind == DELIVERY_ENTITIES)
        found->fault = check_entities(self, found);
}
