/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run saw in all: the lines under the table, and the same as JSON.
 */
#pragma once

#include "capture/engine.h"

/* Adds up several engines (threads, files). */
void summary_add(struct engine_stats *to, const struct engine_stats *from);

/* For people, to a stdio stream. */
void summary_print(const struct engine_stats *stats, void *stream);

/* One JSON object of every counter, one line. */
void summary_print_json(const struct engine_stats *stats, void *stream);
