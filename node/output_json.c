/* SPDX-License-Identifier: Apache-2.0 */
#include "node/output.h"

#include <stdlib.h>

/* activity_to_json needs at most 8 bytes a byte of record. */
#define JSON_MAX (8u * ACTIVITY_BYTES_MAX + 2)

struct output_json {
    struct output output;
    FILE *to;
    struct activity activity;
    char text[JSON_MAX];
};

static void json_record(struct output *output, struct bytes record)
{
    struct output_json *self = (struct output_json *)output;
    struct cursor c = cursor_of_bytes(record);
    if (!activity_decode(&c, &self->activity))
        return;
    size_t size = activity_to_json(&self->activity, self->text, sizeof(self->text) - 1);
    if (size > sizeof(self->text) - 2)
        size = sizeof(self->text) - 2;
    self->text[size] = '\n';
    fwrite(self->text, 1, size + 1, self->to);
}

static void json_flush(struct output *output)
{
    fflush(((struct output_json *)output)->to);
}

static bool json_close(struct output *output)
{
    struct output_json *self = (struct output_json *)output;
    bool fine = fflush(self->to) == 0 && !ferror(self->to);
    free(self);
    return fine;
}

struct output *output_json_new(FILE *to)
{
    struct output_json *self = malloc(sizeof(*self));
    if (!self)
        return NULL;
    self->output = (struct output){.record = json_record, .flush = json_flush, .close = json_close};
    self->to = to;
    return &self->output;
}
