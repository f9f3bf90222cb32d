/* SPDX-License-Identifier: Apache-2.0
 *
 * Batches that were refused because they are none, kept for whoever looks into it: files NODE-SEQUENCE in a
 * directory, a bounded number of them.
 */
#pragma once

#include "center/received_log.h"

#define ASIDE_FILES_MAX 64u

/* False when it could not be kept, or as many as may be are there already (then none is written). */
bool aside_keep(const struct disk *disk, const char *directory, const struct log_origin *origin,
                struct bytes payload);
