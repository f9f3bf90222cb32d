/* SPDX-License-Identifier: Apache-2.0 */
#include "center/batch_check.h"

#include "base/activity.h"
#include "base/batch.h"
#include "base/msgpack.h"

#include <stdlib.h>

struct batch_check {
    struct batch_reader *activities, *entities; /* NULL after damage: made anew */
    struct activity activity;
};

struct batch_check *batch_check_new(void)
{
    return calloc(1, sizeof(struct batch_check));
}

void batch_check_destroy(struct batch_check **check)
{
    if (!*check)
        return;
    batch_reader_destroy(&(*check)->activities);
    batch_reader_destroy(&(*check)->entities);
    free(*check);
    *check = NULL;
}

/* One batch and nothing behind it. */
static const char *open_batch(struct batch_reader **reader, const struct batch_form *form,
                              struct bytes payload)
{
    if (!*reader)
        *reader = batch_reader_new_of(form);
    if (!*reader)
        return "no memory";
    enum batch_verdict verdict = batch_reader_feed(*reader, &payload);
    if (verdict == BATCH_READY && payload.size == 0 && batch_reader_at_boundary(*reader))
        return NULL;
    batch_reader_destroy(reader);
    return verdict == BATCH_MORE    ? "a batch that is cut"
           : verdict == BATCH_READY ? "more than one batch"
                                    : "damaged, of another version, or too large";
}

static const char *check_activities(struct batch_check *self, struct batch_found *found)
{
    struct cursor c = batch_reader_records(self->activities, &found->records);
    for (uint64_t i = 0; i < found->records; i++)
        if (!activity_decode(&c, &self->activity))
            return "a record that is no activity";
    return cursor_done(&c) ? NULL : "more records than announced";
}

/* What an entity is its reader knows; here it must be a map. */
static const char *check_entities(struct batch_check *self, struct batch_found *found)
{
    uint32_t count;
    struct cursor pairs = batch_reader_pairs(self->entities, &count);
    struct cursor c = batch_reader_records(self->entities, &found->records);
    if (!batch_fence_read(&found->fence, pairs, count))
        return "entities without a fence";
    for (uint64_t i = 0; i < found->records; i++) {
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
    if (kind == DELIVERY_ACTIVITIES) {
        found->fault = open_batch(&self->activities, &batch_activities, payload);
        if (!found->fault)
            found->fault = check_activities(self, found);
    } else if (kind == DELIVERY_ENTITIES) {
        found->fault = open_batch(&self->entities, &batch_entities, payload);
        if (!found->fault)
            found->fault = check_entities(self, found);
    } else {
        found->fault = "of a kind that is not known here";
    }
}
