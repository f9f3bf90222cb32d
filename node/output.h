/* SPDX-License-Identifier: Apache-2.0
 *
 * Where activities go: a table for people, JSON lines, batches in a file. Each is an `output`; a command has
 * one or several.
 */
#pragma once

#include "base/activity.h"
#include "capture/engine.h"

#include <stdio.h>

struct output {
    void (*record)(struct output *output, struct bytes record);
    /* What was held back is shown (a pause in the traffic). May be NULL. */
    void (*flush)(struct output *output);
    /* Flushes, frees; false when writing failed (errno says why). */
    bool (*close)(struct output *output);
};

/* One JSON object a line. */
struct output *output_json_new(FILE *to);

/* Batches into a new file; NULL with errno set when it cannot be made. */
struct output *output_batches_new(const char *path);

/* Rows for people. */
struct output *output_table_new(FILE *to);
