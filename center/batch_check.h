/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether what a node sent may be stored: one whole frame within bounds. Of activities that is all, for
 * whoever reads them looks at each anyway, and leaves out what is none (center/pipeline.h); entities are few,
 * and are read, as it is to be known whose word they are. Pure.
 */
#pragma once

#include "base/batch_fence.h"
#include "base/delivery.h"

struct batch_check;

/* NULL without memory. */
struct batch_check *batch_check_new(void);
void batch_check_destroy(struct batch_check **check);

struct batch_found {
    struct batch_fence fence; /* of entities */
    const char *fault;        /* why it is none; NULL: it is one */
};
/* `kind` as in the message. */
void batch_check_payload(struct batch_check *check, uint64_t kind, struct bytes payload,
                         struct batch_found *found);
