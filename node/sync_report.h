/* SPDX-License-Identifier: Apache-2.0
 *
 * What a synchronizer reports to the fleet (cluster/report.h): how its replication stands, and where a
 * successor may go on. A msgpack map with small integers as keys; a reader skips keys that it does not know.
 */
#pragma once

#include "cluster/report.h"
#include "sync/directory.h"

#define SYNC_RESUME_MAX 1024u

struct sync_report {
    struct directory_progress
        progress; /* without `domain` and `mode`; of `counts` the sum only, in `objects` */
    uint64_t objects;
    struct bytes resume; /* the reader's: inside what was read */
};

/* The size; 0 when it does not fit. */
size_t sync_report_write(uint8_t to[REPORT_DATA_MAX], const struct sync_report *report);

/* False when it is none. What did not come is zero. */
bool sync_report_read(struct sync_report *report, struct bytes data);
